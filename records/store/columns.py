"""The three forms of a table's rows: as the schema says, as they lie in Parquet and DuckDB, and as JSON documents in SQLite.

Stored rows carry their dates without a time zone (always UTC; DuckDB's zoned dates would need the machine's zone) and, beside each address, a hidden
sortable form of it, so that a network is a range. Files are sorted by time, so each of their rows also has a hidden number that tells the order of release.
"""

from __future__ import annotations

import io
import ipaddress
import json
import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.json

from records.nesting import values
from records.schema import TABLES, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.model import Batch
    from records.schema import Table

SORTABLE: Final = ".sort"
RELEASED: Final = ".released"
DATE: Final = pa.timestamp("ns")


@lru_cache(maxsize=1 << 14)
def address_key(text: str) -> str | None:
    """An address as 32 hexadecimal digits that sort as addresses do (IPv4 as IPv6-mapped), or None."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = int(address) + (0xFFFF << 32 if address.version == 4 else 0)
    return f"{mapped:032x}"


@cache
def arrow_types(table: Table) -> dict[str, Any]:
    """The Arrow type of each column. Untyped on purpose: Arrow's stubs do not know the type of a schema's field."""
    return {field.name: field.type for field in cast("list[Any]", list(arrow_schema(table)))}


@cache
def _dated(table: Table, date: Any) -> pa.Schema:
    """The schema with its dates as another type."""
    dates = {field.name for field in table.fields if field.type == "date"}
    fields: list[Any] = [pa.field(name, date if name in dates else kind) for name, kind in arrow_types(table).items()]
    return pa.schema(fields)


def conform(table: Table, data: pa.Table) -> pa.Table:
    """The same rows with exactly the schema's columns and types; a column that is missing is unknown."""
    schema = arrow_schema(table)
    if data.schema.equals(schema):
        return data
    columns: dict[str, Any] = {
        name: data.column(name).cast(kind) if name in data.column_names else pa.nulls(data.num_rows, kind) for name, kind in arrow_types(table).items()
    }
    return pa.table(columns, schema=schema)


def stored(table: Table, data: pa.Table) -> pa.Table:
    """Rows of the schema's form in their stored form."""
    data = conform(table, data).cast(_dated(table, DATE))
    for field in table.fields:
        if field.type == "ip":
            data = data.append_column(field.name + SORTABLE, _sortable(data.column(field.name)))
    return data


def numbered(data: pa.Table, first: int) -> pa.Table:
    """Stored rows with their numbers in the order of release, from `first` on."""
    numbers: Any = pa.array(np.arange(first, first + data.num_rows, dtype=np.int64))
    return data.append_column(RELEASED, numbers)


@cache
def nothing(table: Table) -> pa.Table:
    """No stored rows, with all columns that they have."""
    return numbered(stored(table, arrow_schema(table).empty_table()), 0)


def shown(table: Table, data: pa.Table) -> pa.Table:
    """Stored rows, hidden columns or not, in the schema's form."""
    return data.select(list(table.names)).cast(_dated(table, DATE)).cast(arrow_schema(table))


def _sortable(column: Any) -> Any:
    coded: Any = column.combine_chunks().dictionary_encode()  # each distinct address is read once
    keys: Any = pa.array([None if text is None else address_key(text) for text in coded.dictionary.to_pylist()], pa.string())
    return keys.take(coded.indices)


def flat(table: Table, data: pa.Table) -> list[dict[str, Any]]:
    """Rows of the schema's form, with all of its columns or some, as flat Python rows: dates as nanoseconds, JSON as text."""
    columns = {field.name: values(data.column(field.name), field.type) for field in table.fields if field.name in data.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def document(table: Table, row: Mapping[str, Any]) -> str:
    """A flat row as one line of JSON, the same for the same facts."""
    return json.dumps({name: _finite(row.get(name)) for name in table.names}, ensure_ascii=False).encode("utf-8", "replace").decode()


def content(table: Table, body: str) -> dict[str, Any]:
    """What a document says, without the labels of its captures: two of one identity conflict only where these differ, and not for a field made since."""
    row = {name: value for name, value in decoded(json.loads(body), table.name).items() if value is not None}
    for label in table.labels:
        if table.field(label):
            row.pop(label, None)
            continue
        name, _, key = label.rpartition(".")
        for holder in row.get(name) or ():
            holder.pop(key, None)
    return row


def agree(stored: Any, told: Any) -> bool:
    """Does what is told say what is stored? A field or key that did not exist when that was stored is no contradiction."""
    if isinstance(stored, dict) and isinstance(told, dict):
        held, given = cast("dict[str, Any]", stored), cast("dict[str, Any]", told)
        return all(agree(value, given.get(name)) for name, value in held.items())
    if isinstance(stored, list) and isinstance(told, list):
        each, other = cast("list[Any]", stored), cast("list[Any]", told)
        return len(each) == len(other) and all(map(agree, each, other))
    return bool(stored == told)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_documents(table: Table, bodies: Iterable[str]) -> pa.Table:
    """Documents as rows of the schema's form."""
    lines = [body.encode() for body in bodies]
    schema = arrow_schema(table)
    if not lines:
        return schema.empty_table()
    block = max(1 << 20, 2 * max(map(len, lines)))  # Arrow refuses a line longer than its block
    parsed: Any = pyarrow.json.read_json(
        io.BytesIO(b"\n".join(lines)),
        read_options=pyarrow.json.ReadOptions(block_size=block),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=_dated(table, pa.int64()), unexpected_field_behavior="ignore"),
    )
    return parsed.select(schema.names).cast(schema)


def decoded(row: Mapping[str, Any], table: str) -> dict[str, Any]:
    """A flat row with its JSON fields decoded."""
    texts = {field.name for field in TABLES[table].fields if field.type == "json"}
    return {name: json.loads(value) if name in texts and value is not None else value for name, value in row.items()}


def newest_of(rows: pa.Table) -> int | None:
    """The last packet time of a table of activities or points, or its last row's where that is not known."""
    return max(_latest(rows, "event.end", "@timestamp"), default=None)


def newest_in(batch: Batch) -> int | None:
    """The last packet time of a batch, as far as it is known: a window of coverage ends with the moment before its `event.end`, which is the next one's."""
    told = [newest_of(batch.activities), newest_of(batch.points), *(end - 1 for end in _latest(batch.coverage, "event.end"))]
    return max([*(moment for moment in told if moment is not None), *_latest(batch.coverage, "@timestamp")], default=None)


def _latest(rows: pa.Table, *names: str) -> list[int]:
    """The greatest of each of these columns that has any."""
    import pyarrow.compute

    compute: Any = pyarrow.compute
    columns = [cast("Any", rows.column(name)) for name in names if name in rows.column_names]
    return [moment for column in columns if (moment := compute.max(column.cast("int64")).as_py()) is not None]
