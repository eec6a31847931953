"""Extracts of large Parquet files, each beside its file: what a page asks of a whole month is answered from them, many times as fast, and exactly so.

An extract is made with its file and goes with it; a file may be without. Three of a file of activities: who asked whom with which effect (`.talk`), what
was done by the hour (`.clock`), both with the number of rows and the sum of operations, and the rows that act on the plant as they are (`.acts`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from records.effects import LOOKING
from records.formats import DAY, HOUR
from records.search import And, Match, Not, Or, field_of
from records.store.columns import address_key
from records.store.engine import FILES
from records.store.place import sync
from records.store.sql import Statement, quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from records.query import Query
    from records.schema import Table
    from records.search import Condition
    from records.store.engine import Engine
    from records.store.manifest import File

LEAST: Final = 50_000  # rows of a file that has extracts: a smaller one is read as fast
WORTH: Final = 4  # rows that a row of an extract stands for, at least: one that is nearly as large as its file is not made
HELD: Final = 1 << 17  # rows of an extract that are held before those of one group are added up
SUFFIX: Final = ".parquet"
ACTS: Final = ".acts"
ROWS: Final = "rows"  # the column that tells how many rows of the file a row of an extract stands for
COUNT: Final = "ot.count"
TIME: Final = "@timestamp"
ACCESS: Final = "ot.access"
_STEP: Final = "step"
_EXTRACTS: Final = "read_parquet($extracts, hive_partitioning = false)"
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial; used in this file only
_parquet: Any = pyarrow.parquet


@dataclass(frozen=True, slots=True)
class Extract:
    """Rows of a file added up by these fields and by steps of time so long; a file is of one day."""

    suffix: str
    step: int
    fields: tuple[str, ...]


TALK: Final = Extract(
    ".talk",
    DAY,
    (
        "source.ip", "source.asset.id", "source.asset.name", "destination.ip", "destination.asset.id", "destination.asset.name",
        "network.protocol", "event.action", "ot.effect", ACCESS, "observer.name",
    ),
)  # fmt: skip
CLOCK: Final = Extract(".clock", HOUR, ("network.protocol", "event.action", "event.outcome", "ot.effect", ACCESS, "observer.name"))
SUMMED: Final = (CLOCK, TALK)  # the smaller one first
SUFFIXES: Final = (ACTS, *(each.suffix for each in SUMMED))


def beside(name: str, suffix: str) -> str:
    """What the extract of a file is called."""
    return name.removesuffix(SUFFIX) + suffix


def file_of(name: str) -> str:
    """The file to which an extract of this name, finished or not, belongs; any other name as it is."""
    bare = name.removesuffix(".tmp")
    stem = next((bare.removesuffix(suffix) for suffix in SUFFIXES if bare.endswith(suffix)), None)
    return name if stem is None else stem + SUFFIX


# making


class Making:
    """The extracts of a file of so many `rows` that is being written: each part of them in turn, then `finish`."""

    def __init__(self, root: Path, name: str, table: Table, rows: int) -> None:
        self._root, self._name, self._rows = root, name, 0
        several = table.name == "activity" and rows >= LEAST
        self._sums = [_Sum(each) for each in SUMMED] if several else []
        self._acts: list[pa.Table] | None = [] if several else None
        self._acted = 0

    def add(self, part: pa.Table) -> None:
        """The next rows."""
        self._rows += part.num_rows
        for each in self._sums:
            each.add(part)
        self._sums = [each for each in self._sums if each.worth(self._rows)]
        if self._acts is not None:
            self._acts.append(part.filter(_compute.invert(_compute.is_in(part.column(ACCESS), value_set=pa.array(LOOKING)))))
            self._acted += self._acts[-1].num_rows
            if self._acted > max(HELD, self._rows // WORTH):
                self._acts = None

    def finish(self) -> None:
        """Put those that are of use beside the file, which is not there yet."""
        found = {each.extract.suffix: each.total() for each in self._sums}
        if self._acts is not None:
            found[ACTS] = pa.concat_tables(self._acts)
        for suffix, rows in found.items():
            if rows.num_rows * WORTH <= self._rows:
                path = self._root / beside(self._name, suffix)
                waiting = path.with_name(f"{path.name}.tmp")
                _parquet.write_table(rows, waiting, compression="zstd")
                sync(waiting)
                waiting.rename(path)


class _Sum:
    """Rows added up, some at a time."""

    def __init__(self, extract: Extract) -> None:
        self.extract = extract
        self._held: list[pa.Table] = []

    def add(self, part: pa.Table) -> None:
        """The next rows of the file."""
        rows = part.select([TIME, *self.extract.fields, COUNT]).append_column(ROWS, pa.array(np.ones(part.num_rows, np.int64)))
        steps: Any = pa.array(part.column(TIME).cast(pa.int64()).to_numpy() // self.extract.step)
        self._held.append(self._added(rows.append_column(_STEP, steps)))

    def _added(self, rows: pa.Table) -> pa.Table:
        summed: Any = rows.group_by([*self.extract.fields, _STEP], use_threads=False)
        told: pa.Table = summed.aggregate([(COUNT, "sum"), (ROWS, "sum"), (TIME, "min")])
        return told.rename_columns([name.removesuffix("_sum").removesuffix("_min") for name in told.column_names])

    def total(self) -> pa.Table:
        """All so far."""
        if len(self._held) > 1:
            self._held = [self._added(pa.concat_tables(self._held))]
        return self._held[0]

    def worth(self, rows: int) -> bool:
        """Whether it is still smaller than what it stands for, of so many rows."""
        return sum(each.num_rows for each in self._held) <= HELD or self.total().num_rows <= max(HELD, rows // WORTH)


# reading


def acting(root: Path, table: Table, files: list[File], where: Condition | None) -> list[File]:
    """The files of a question; where it is about what acts on the plant, their extracts in the place of those that have one."""
    if where is None or table.name != "activity" or not _is_about_acts(table, where):
        return files
    return [replace(file, name=beside(file.name, ACTS)) if _has(root, file, ACTS) else file for file in files]


def _is_about_acts(table: Table, where: Condition) -> bool:
    """Whether it leaves out what only looks, whatever else it asks."""
    match where:
        case And(parts):
            return any(_is_about_acts(table, part) for part in parts)
        case Or(parts):
            return bool(parts) and all(_is_about_acts(table, part) for part in parts)
        case Match(name, value):
            return field_of(table, name).name == ACCESS and str(value).lower() not in LOOKING
        case _:
            return False


def _has(root: Path, file: File, suffix: str) -> bool:
    return file.rows >= LEAST and (root / beside(file.name, suffix)).exists()


def answering(table: Table, query: Query, fields: Sequence[str], total: str, interval: int = 0) -> Extract | None:
    """The extract that tells as much as all rows: these fields of what matches, in buckets of so long (0: in one), summing `total`."""
    if table.name != "activity" or total not in ("", COUNT) or query.ids is not None:
        return None
    where = query.where or And(())
    told, addresses = _fields_of(table, where), _addresses_of(table, where)
    if told is None:
        return None
    named = told | {field_of(table, each.field).name for each in addresses} | {field_of(table, name).name for name in fields}
    return next((each for each in SUMMED if named <= set(each.fields) and interval % each.step == 0), None)


def _fields_of(table: Table, where: Condition) -> set[str] | None:
    """The fields that a condition asks about, but for addresses that are one; None where an address is compared otherwise: extracts have no sortable form."""
    match where:
        case And(parts) | Or(parts):
            found = [_fields_of(table, part) for part in parts]
            return None if None in found else {name for names in found for name in names or ()}
        case Not(part):
            return _fields_of(table, part)
        case _:
            known = field_of(table, where.field)
            if known.type != "ip":
                return {known.name}
            return set() if isinstance(where, Match) and not known.many else None


def _addresses_of(table: Table, where: Condition) -> set[Match]:
    """The addresses that a condition asks for."""
    match where:
        case And(parts) | Or(parts):
            return {each for part in parts for each in _addresses_of(table, part)}
        case Not(part):
            return _addresses_of(table, part)
        case _:
            return {where} if isinstance(where, Match) and field_of(table, where.field).type == "ip" else set()


def summed(root: Path, engine: Engine, table: Table, files: list[File], query: Query, extract: Extract) -> Statement | None:
    """A question about these files: from the extracts of those that lie in its time as a whole, from the rows of the others. None where there is no extract."""
    since, until = (-(1 << 63) if query.since is None else query.since), ((1 << 63) - 1 if query.until is None else query.until)
    whole = [file for file in files if since <= file.low <= file.high < until and _has(root, file, extract.suffix)]
    if not whole:
        return None
    columns = ", ".join(map(quote, (TIME, *extract.fields, COUNT)))
    parts = [f"SELECT {columns}, {quote(ROWS)} FROM {_EXTRACTS}"]  # noqa: S608 - names of ours
    values: dict[str, object] = {"extracts": engine.files([beside(file.name, extract.suffix) for file in whole])}
    rest = [file for file in files if file not in whole]
    if rest:
        parts.append(f"SELECT {columns}, 1 AS {quote(ROWS)} FROM {FILES}")  # noqa: S608 - names of ours
        values["files"] = engine.files([file.name for file in rest])
    source = f"({' UNION ALL '.join(parts)})"
    return Statement(table, source, values, quote(ROWS), _spelled(engine, table, source, values, _addresses_of(table, query.where or And(()))))


def _spelled(engine: Engine, table: Table, source: str, values: dict[str, object], wanted: set[Match]) -> dict[Match, list[str]]:
    """How the wanted addresses are spelled in a source: one may be so in several ways."""
    found: dict[Match, list[str]] = {each: [] for each in wanted}
    for name in sorted({field_of(table, each.field).name for each in wanted}):
        texts = engine.query(f"SELECT DISTINCT {quote(name)} AS told FROM {source}", values, None, table).column("told").to_pylist()  # noqa: S608 - names of ours
        keys = {str(text): address_key(str(text)) for text in texts}
        for each, told in found.items():
            key = address_key(str(each.value)) if field_of(table, each.field).name == name else None
            told += [text for text, known in keys.items() if known == key is not None]
    return found
