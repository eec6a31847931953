"""One store into another, whatever each is, without loss: rows in the order of release, what was decided with its trail, what detectors know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.errors import StoreError, UsageError
from records.model import Batch, Evidence
from records.query import Query
from records.schema import TABLES, arrow_schema
from records.store.columns import flat
from records.store.contract import Commit
from records.store.rows import finding_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from records.schema import Table
    from records.store.contract import Store

STREAMED: Final = ("activity", "point")
WRITTEN_ONCE: Final = (*STREAMED, "finding", "coverage")
PART: Final = 20_000  # rows of a commit
PAGE: Final = 5000
OCTETS: Final = 16 << 20  # of packets in a commit, or one more


@dataclass(slots=True)
class Copied:
    """What became of the rows: by table how many there are, how many were new there, and those that are there with another content."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    new: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list[str])


def copy(source: Store, target: Store, progress: Callable[[int], None] = lambda _: None) -> Copied:
    """Everything of `source` is in `target` then; again after an interruption, it goes on. `progress` is told how many rows are done.

    Raises UsageError where somebody has decided in the target otherwise, StoreError where rows are missing in the end.
    """
    _check(source, target)
    done = Copied({name: source.count(name, Query()) for name in TABLES})
    for name in WRITTEN_ONCE:
        for part in _streamed(source, name) if name in STREAMED else _paged(source, name):
            written = target.write(_commit(name, part))
            done.new += written.new
            done.known += written.known
            done.conflicts += written.conflicts
            progress(part.num_rows)
    for name in TABLES:
        if name not in WRITTEN_ONCE:
            for part in _paged(source, name):
                if name == "evidence":
                    _copy_packets(source, target, part)
                target.restore(name, flat(TABLES[name], part))
                progress(part.num_rows)
    target.write(Commit(state=source.states()))
    _verify(target, done)
    return done


def _copy_packets(source: Store, target: Store, rows: pa.Table) -> None:
    """The packets that these rows speak of, some at a time; their rows follow as they are, with the time when they were kept."""
    held: list[Evidence] = []
    for row in flat(TABLES["evidence"], rows):
        if (octets := source.packets(row["id"])) is None:
            continue
        numbers, sha256 = tuple(row["numbers"]), row["sha256"]
        held.append(Evidence(row["id"], row["file"], row["time"], row["end"], numbers, row["missing"], row["bytes"], sha256, octets))
        if sum(len(each.octets) for each in held) >= OCTETS:
            target.write(Commit(evidence=tuple(held)))
            held = []
    if held:
        target.write(Commit(evidence=tuple(held)))


def total(source: Store) -> int:
    """How many rows there are to copy."""
    return sum(source.count(name, Query()) for name in TABLES)


def _commit(name: str, rows: pa.Table) -> Commit:
    if name == "finding":
        return Commit(findings=tuple(map(finding_from, flat(TABLES[name], rows))))
    batch = {"activity": "activities", "point": "points", "coverage": "coverage"}[name]
    given: dict[str, Any] = {batch: rows}
    return Commit(Batch(**given))


def _streamed(source: Store, name: str) -> Iterator[pa.Table]:
    """All rows of a table in the order of release, in parts of a size."""
    kind, held = TABLES[name], list[pa.Table]()
    for part in source.history(name, Query(), kind.names):
        held.append(part)
        while sum(each.num_rows for each in held) >= PART:
            rows = pa.concat_tables(held)
            yield _whole(kind, rows.slice(0, PART))
            held = [rows.slice(PART)]
    if any(each.num_rows for each in held):
        yield _whole(kind, pa.concat_tables(held))


def _whole(kind: Table, rows: pa.Table) -> pa.Table:
    return rows.cast(arrow_schema(kind))


def _paged(source: Store, name: str) -> Iterator[pa.Table]:
    query = Query(sort="id", limit=PAGE)
    while (page := source.read(name, query)).num_rows:
        yield page
        query = replace(query, after=str(page.column("id")[-1].as_py()))


def _check(source: Store, target: Store) -> None:
    """Nothing that people decided in the target is to be overwritten: its trail has to be the beginning of ours."""
    trail = target.read("audit", Query(sort="-id", limit=1))
    ours = [source.get("audit", row["id"]) for row in flat(TABLES["audit"], trail)]
    if [row["hash"] if row else None for row in ours] != [row["hash"] for row in flat(TABLES["audit"], trail)]:
        raise UsageError("store.copy_decided")
    for part in _paged(target, "alert"):
        names = [str(name) for name in part.column("id").to_pylist()]
        if len(source.alerts(names)) != len(names):
            raise UsageError("store.copy_decided")


def _verify(target: Store, done: Copied) -> None:
    for name, rows in done.rows.items():
        there = target.count(name, Query())
        if there < rows:
            raise StoreError("store.copy_missing", table=name, there=there, rows=rows)
