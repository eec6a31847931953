"""Flat dotted columns and nested JSON: what a row looks like to a machine, and times as text.

A name that is a leaf and a branch at once (`ot.value` beside `ot.value.min`) could not be nested; a test checks that the schema has none.
"""

from __future__ import annotations

import calendar
import json
import math
import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from records.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from records.schema import Field

SECOND: Final = 1_000_000_000
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_LIMIT: Final = 1 << 63
YEARS: Final = (1678, 2261)  # the first and the last of which every moment is within it


def iso(time: int) -> str:
    """Nanoseconds since the epoch as ISO 8601 UTC with 9 fractional digits, Z at the end."""
    seconds, rest = divmod(time, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def period(text: str) -> tuple[int, int] | None:
    """The nanoseconds [start, end) that an ISO 8601 date means: a day is 24 hours, `03:12` a minute. No offset is UTC. None: not a date."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    parts = [int(part) for part in found.groups()[:6] if part is not None]
    try:
        start, end = _seconds(parts), _seconds(_next(parts))
    except ValueError:
        return None
    shift = _offset(found[8])
    if shift is None:
        return None
    low, high = (start - shift) * SECOND, (end - shift) * SECOND
    if fraction := found[7]:
        low += int(fraction.ljust(9, "0"))
        high = low + 10 ** (9 - len(fraction))
    return (low, high) if low >= -_LIMIT and high < _LIMIT else None


def beyond(text: str) -> bool:
    """Whether this is written as a date, of a year of which not every moment is a time here: those are nanoseconds in 64 bits."""
    found = _DATE.fullmatch(text.strip())
    return bool(found) and not YEARS[0] <= int(found[1]) <= YEARS[1]


def _seconds(parts: list[int]) -> int:
    year, month, day, hour, minute, second = parts + [0, 1, 1, 0, 0, 0][len(parts) :]
    leap = second == 60  # a leap second is the first of the next minute: POSIX time has no place for it
    return calendar.timegm(datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC).timetuple()) + leap


def _next(parts: list[int]) -> list[int]:
    """The same date, one unit of its last part later."""
    if len(parts) == 1:
        return [parts[0] + 1]
    if len(parts) == 2:
        return [parts[0] + parts[1] // 12, parts[1] % 12 + 1]
    width = (86400, 3600, 60, 1)[len(parts) - 3]
    return list(datetime.fromtimestamp(_seconds(parts) + width, UTC).timetuple()[:6])


def _offset(text: str | None) -> int | None:
    """Seconds east of UTC; None where there is no such offset."""
    if text is None or text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN


def _shape(kind: str, many: bool) -> Callable[[Any], Any]:
    """How a present value of this type of field is shown."""
    shapes: dict[str, Callable[[Any], Any]] = {"date": iso, "json": json.loads, "double": _number}
    shape = shapes.get(kind, _same)
    if many and shape is not _same:
        return lambda values: [shape(value) for value in values]
    return shape


@cache
def _place(name: str) -> tuple[tuple[str, ...], str]:
    *branches, leaf = name.split(".")
    return tuple(branches), leaf


def _nested(pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in pairs:
        branches, leaf = _place(name)
        branch = tree
        for step in branches:
            branch = branch.setdefault(step, {})
        branch[leaf] = value
    return tree


@cache
def _shaped() -> dict[str, Field]:
    """The fields, by name, whose values look different in JSON. (`packets` is a number in coverage and JSON in a finding; numbers pass.)"""
    return {field.name: field for table in TABLES.values() for field in table.fields if field.type in {"date", "json", "double"}}


def nest(row: Mapping[str, Any]) -> dict[str, Any]:
    """One flat row (dates as nanoseconds) as nested JSON values; absent facts stay, as null. JSON fields that are decoded already stay so."""
    return _nested((name, _shown(name, value)) for name, value in row.items())


def _shown(name: str, value: Any) -> Any:
    field = _shaped().get(name)
    if value is None or field is None or (field.type == "json" and not isinstance(value, str)):
        return value
    return _shape(field.type, field.many)(value)


def rows(table: str, data: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow table of this kind, nested, in its order."""
    plans = [(_place(field.name), _shape(field.type, field.many)) for field in TABLES[table].fields]
    for batch in data.to_batches(max_chunksize=8192):
        columns = [values(batch.column(field.name), field.type) for field in TABLES[table].fields]
        for row in zip(*columns, strict=True):
            tree: dict[str, Any] = {}
            for ((branches, leaf), shape), value in zip(plans, row, strict=True):
                branch = tree
                for step in branches:
                    branch = branch.setdefault(step, {})
                branch[leaf] = None if value is None else shape(value)
            yield tree


def values(column: Any, kind: str) -> list[Any]:
    """The plain values of an Arrow column, dates as nanoseconds (Arrow's own dates would be pandas objects)."""
    if kind == "date":
        column = column.cast("int64")
    plain: list[Any] = column.to_pylist()
    return plain
