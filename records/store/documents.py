"""Rows as documents of Elasticsearch, and back. A document is the row, nested as ECS has it, with what the store adds under `balefire`.

Absent facts are left out. What the index cannot hold as a value of its field stays in the document all the same and is named in `balefire.known`:
structures, addresses that are none, numbers that are not finite, texts too long for one term.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.nesting import SECOND, iso
from records.schema import arrow_schema
from records.store.columns import address_key, flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from records.schema import Field, Table

Row = dict[str, Any]
compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # one encoder: making one takes longer than a small document
_spaced: Final = json.JSONEncoder(ensure_ascii=False).encode
OWN: Final = "balefire"
LONGEST: Final = 8191  # characters: a term has 32,766 octets at most, and a character four
PART: Final = 8192  # rows that are Python objects at a time


@lru_cache(1 << 16)
def _second(value: int) -> str:
    return iso(value * SECOND)[:19]


def _date(value: int) -> tuple[Any, bool]:
    seconds, rest = divmod(value, SECOND)
    return f"{_second(seconds)}.{rest:09d}Z", False


def _json(value: str) -> tuple[Any, bool]:
    return json.loads(value), True


def _double(value: float) -> tuple[Any, bool]:
    if math.isfinite(value):
        return value, False
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity", True


@lru_cache(1 << 16)
def _is_address(value: str) -> bool:
    return address_key(value) is not None


def _ip(value: str) -> tuple[Any, bool]:
    return value, not (_is_address(value) if len(value) < 64 else False)


def _text(value: str) -> tuple[Any, bool]:
    return value, len(value) > LONGEST


_SHAPES: Final[dict[str, Callable[[Any], tuple[Any, bool]]]] = {
    "date": _date, "json": _json, "double": _double, "ip": _ip, "keyword": _text, "text": _text,
}  # fmt: skip


@cache
def _plan(table: Table) -> tuple[tuple[str, tuple[str, ...], str, Callable[[Any], tuple[Any, bool]] | None], ...]:
    return tuple((field.name, *place(field.name), shape_of(field)) for field in table.fields)


def shape_of(field: Field) -> Callable[[Any], tuple[Any, bool]] | None:
    """What makes a value of a field what JSON can hold, and tells whether the index cannot; None where nothing is to be done."""
    return None if field.many else _SHAPES.get(field.type)


def place(name: str) -> tuple[tuple[str, ...], str]:
    """The objects that a field stands in, and its name there."""
    *branches, leaf = name.split(".")
    return tuple(branches), leaf


def tree(table: Table, row: Mapping[str, Any]) -> tuple[Row, list[str]]:
    """(the nested document of a flat row, the fields that are known though the index cannot tell)"""
    made: Row = {}
    known: list[str] = []
    for name, branches, leaf, shape in _plan(table):
        value = row.get(name)
        if value is None:
            continue
        branch = made
        for step in branches:
            branch = branch.setdefault(step, {})
        if shape is None:
            branch[leaf] = value
            continue
        branch[leaf], hidden = shape(value)
        if hidden:
            known.append(name)
    return made, known


def encoded(table: Table, row: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> bytes:
    """The document of a flat row as JSON; `own` is what the store adds."""
    made, known = tree(table, row)
    added = {**(own or {}), **({"known": known} if known else {})}
    return _dumped({**made, OWN: added} if added else made)


def _dumped(value: Any) -> bytes:
    return compact(value).encode("utf-8", "replace")


def once(table: Table, row: Mapping[str, Any], own: Mapping[str, int]) -> bytes:
    """The document of a row that never changes, with a digest of its content beside `own`, its commit and its number in it."""
    made, known = tree(table, row)
    body = _dumped(made)
    labelled = any(("." in label and not table.field(label)) or row.get(label) is not None for label in table.labels)
    content = blake2b(_dumped(_unlabelled(table, row)) if labelled else body, digest_size=12).hexdigest()
    return finished(Body(str(row["id"]), row[table.time], body, content, known), own)


def finished(body: Body, own: Mapping[str, int]) -> bytes:
    """The whole document of a row that never changes."""
    numbers = "".join([f'"{name}":{number},' for name, number in own.items()])
    known = f',"known":{compact(body.known)}' if body.known else ""
    return b"%b%b}}" % (body.document[:-1], f',"{OWN}":{{{numbers}"content":"{body.content}"{known}'.encode())


def _unlabelled(table: Table, row: Mapping[str, Any]) -> Row:
    """The document without the labels of its captures, which are no part of what it says."""
    names = {label for label in table.labels if table.field(label)}
    made, _ = tree(table, {name: value for name, value in row.items() if name not in names})
    for label in table.labels:
        name, _, key = label.rpartition(".")
        if name and label not in names:
            for holder in made.get(name) or ():
                holder.pop(key, None)
    return made


def labels_of(table: Table, row: Mapping[str, Any]) -> Row:
    """The labels of a flat row, nested; those that it has not are null, so that it loses them."""
    names = [label for label in table.labels if table.field(label)]
    made, _ = tree(table, {name: row[name] for name in names})
    for branches, leaf in (place(name) for name in names if row[name] is None):
        branch = made
        for step in branches:
            branch = branch.setdefault(step, {})
        branch[leaf] = None
    return made


@dataclass(frozen=True, slots=True)
class Body:
    """A row's document, without what the store adds: identity, time in nanoseconds, JSON, digest of its content, fields that the index cannot tell."""

    id: str
    time: int
    document: bytes
    content: str
    known: list[str]


def rows_of(table: Table, data: pa.Table) -> Iterator[Row]:
    """The flat rows of an Arrow table of the schema's form, some in memory at a time."""
    for start in range(0, data.num_rows, PART):
        yield from flat(table, data.slice(start, PART))


def table_of(table: Table, sources: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> pa.Table:
    """Documents as an Arrow table of the schema's form, or of these of its columns."""
    schema: Any = arrow_schema(table)
    wanted: list[Any] = [schema.field(name) for name in names or table.names]
    fields = {field.name: field for field in table.fields}
    holders: dict[tuple[str, ...], list[Any]] = {(): list(sources)}
    told: dict[tuple[str, ...], set[str]] = {}  # what any of them has: most columns of most rows are absent, and cost nothing
    columns: list[Any] = []
    for each in wanted:
        branches, leaf = place(each.name)
        found = _holders(holders, branches)
        if branches not in told:
            told[branches] = set[str]().union(*found)
        columns.append(
            _column(fields[each.name], each.type, [holder.get(leaf) for holder in found]) if leaf in told[branches] else pa.nulls(len(found), each.type)
        )
    return pa.table(columns, schema=pa.schema(wanted))


def _holders(known: dict[tuple[str, ...], list[Any]], branches: tuple[str, ...]) -> list[Any]:
    """Of each document the object that fields stand in, an empty one where it has none; looked for once."""
    if branches not in known:
        *above, last = branches
        known[branches] = [holder.get(last) or {} for holder in _holders(known, tuple(above))]
    return known[branches]


def _column(field: Field, kind: Any, values: list[Any]) -> Any:
    array: Any = pa.array
    if field.type == "date":
        return array(values, pa.string()).cast(kind)
    if field.type == "double":
        values = [None if value is None else float(value) for value in values]
    elif field.type == "json":
        values = [None if value is None else _spaced(value) for value in values]
    return array(values, kind)


def flat_of(table: Table, sources: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Documents as flat rows: dates as nanoseconds, JSON as text."""
    return flat(table, table_of(table, list(sources)))
