"""Rows as documents of Elasticsearch, and back. A document is the row, nested as ECS has it, with what the store adds under `balefire`.

Absent facts are left out. What the index cannot hold as a value of its field stays in the document all the same and is named in `balefire.known`:
structures, addresses that are none, numbers that are not finite, texts too long for one term.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.nesting import SECOND, iso, values
from records.schema import arrow_schema
from records.store.columns import address_key, flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from records.schema import Field, Table

Row = dict[str, Any]
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
    return tuple((field.name, *_place(field.name), None if field.many else _SHAPES.get(field.type)) for field in table.fields)


def _place(name: str) -> tuple[tuple[str, ...], str]:
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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def once(table: Table, row: Mapping[str, Any], own: Mapping[str, Any]) -> bytes:
    """The document of a row that never changes, with a digest of its content beside `own`, its commit and its number in it."""
    made, known = tree(table, row)
    body = _dumped(made)
    labelled = any(("." in label and not table.field(label)) or row.get(label) is not None for label in table.labels)
    content = blake2b(_dumped(_unlabelled(table, row)) if labelled else body, digest_size=12).hexdigest()
    return finished(Body(str(row["id"]), row[table.time], body, content, known), own)


def finished(body: Body, own: Mapping[str, Any]) -> bytes:
    """The whole document of a row that never changes."""
    added = {**own, "content": body.content, "known": body.known} if body.known else {**own, "content": body.content}
    return b'%b,"%b":%b}' % (body.document[:-1], OWN.encode(), _dumped(added))


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
    for branches, leaf in (_place(name) for name in names if row[name] is None):
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


def bodies(table: Table, data: pa.Table) -> Iterator[Body]:
    """The documents of an Arrow table of the schema's form, as `once` makes them, several times as fast: a column at a time, a template a shape of row."""
    for start in range(0, data.num_rows, PART):
        part = data.slice(start, PART)
        names, columns, known = list[str](), list[list[str | None]](), dict[int, list[str]]()
        for field in table.fields:
            column = part.column(field.name)
            if column.null_count < len(column):
                names.append(field.name)
                columns.append(_texts(field, values(column, field.type), known))
        ids, times = values(part.column("id"), "keyword"), values(part.column(table.time), "date")
        shapes: dict[tuple[bool, ...], tuple[_Shape, _Shape]] = {}
        for number, row in enumerate(zip(*columns, strict=True)):
            present = tuple([text is not None for text in row])
            if present not in shapes:
                said = [name if there else "" for name, there in zip(names, present, strict=True)]
                shapes[present] = _shape(said), _shape([name if name not in table.labels else "" for name in said])
            whole, content = (template % tuple([row[place] for place in order]) for template, order in shapes[present])
            digest = blake2b(content.encode("utf-8", "replace"), digest_size=12).hexdigest()
            yield Body(ids[number], times[number], whole.encode("utf-8", "replace"), digest, known.get(number, []))


_Shape = tuple[str, list[int]]  # a template, and the columns that fill it in, in their order


def _shape(names: list[str]) -> _Shape:
    """The document of the rows that know these columns ("": not known)."""
    made: Row = {}
    for number, name in enumerate(names):
        if name:
            branches, leaf = _place(name)
            branch = made
            for step in branches:
                branch = branch.setdefault(step, {})
            branch[leaf] = f"\0{number}"
    order: list[int] = []

    def filled(found: re.Match[str]) -> str:
        order.append(int(found[1]))
        return "%s"

    return re.sub(r'"\\u0000(\d+)"', filled, _dumped(made).decode()), order


def _texts(field: Field, column: list[Any], known: dict[int, list[str]]) -> list[str | None]:
    """The values of a column as JSON; rows whose value the index cannot hold are noted in `known`."""
    shape, seen = None if field.many else _SHAPES.get(field.type), dict[Any, tuple[str, bool]]()
    texts: list[str | None] = []
    for number, value in enumerate(column):
        if value is None:
            texts.append(None)
            continue
        key = repr(value) if field.many or field.type == "double" else value  # lists are no keys; 0.0 and -0.0 are one
        if (found := seen.get(key)) is None:
            shaped, hidden = (value, False) if shape is None else shape(value)
            found = seen[key] = (_dumped(shaped).decode(), hidden)
        texts.append(found[0])
        if found[1]:
            known.setdefault(number, []).append(field.name)
    return texts


def rows_of(table: Table, data: pa.Table) -> Iterator[Row]:
    """The flat rows of an Arrow table of the schema's form, some in memory at a time."""
    for start in range(0, data.num_rows, PART):
        yield from flat(table, data.slice(start, PART))


def table_of(table: Table, sources: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> pa.Table:
    """Documents as an Arrow table of the schema's form, or of these of its columns."""
    schema: Any = arrow_schema(table)
    wanted: list[Any] = [schema.field(name) for name in names or table.names]
    fields = {field.name: field for field in table.fields}
    array: Any = pa.array
    columns = [_column(fields[each.name], each.type, [_at(source, *_place(each.name)) for source in sources], array) for each in wanted]
    return pa.table(columns, schema=pa.schema(wanted))


def _at(source: Mapping[str, Any], branches: tuple[str, ...], leaf: str) -> Any:
    branch: Any = source
    for step in branches:
        branch = branch.get(step)
        if branch is None:
            return None
    return branch.get(leaf)


def _column(field: Field, kind: Any, values: list[Any], array: Callable[..., Any]) -> Any:
    if field.type == "date":
        return array(values, pa.string()).cast(kind)
    if field.type == "double":
        values = [None if value is None else float(value) for value in values]
    elif field.type == "json":
        values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return array(values, kind)


def flat_of(table: Table, sources: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Documents as flat rows: dates as nanoseconds, JSON as text."""
    return flat(table, table_of(table, list(sources)))
