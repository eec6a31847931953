"""The rows of a frame that count for a correlation: what is remembered of each, the parts that it is, and its group."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.rulebook.frame import filled
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detectors.rulebook.correlation import Correlation
    from detectors.rulebook.frame import Frame, Mask
    from detectors.rulebook.windows import Whole
    from records.schema import Field

HEAVIEST: Final = 2**40
SPARSE: Final = 2**20  # possible combinations of values up to which those that occur are found without sorting
TIME: Final = "_time"
WEIGHT: Final = "_weight"
BITS: Final = "_bits"  # the parts that a row is

_joined: Any = cast("Any", pc).binary_join_element_wise  # the stubs of Arrow's kernels are partial
_word: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Entries:
    """Rows that count, in order: number in the frame, what is remembered of them, and which of `groups` (in words) each is in."""

    rows: Whole
    table: pa.Table
    codes: Whole
    groups: list[str]


def entries(frame: Frame, correlation: Correlation, columns: Sequence[str], inner: Callable[[int], Mask]) -> Entries | None:
    """The rows of a frame that any part matches, with these columns; None: no row. `inner` tells where the inner correlation of a part found something."""
    usable = frame.once(("usable", correlation.own_rows), lambda: _usable(frame, correlation))
    views: dict[tuple[Field, ...], Whole] = {}
    for number, part in enumerate(correlation.parts):
        mask = inner(number) if part.match is None else part.match(frame)
        if mask is not frame.nothing():
            bits = views.setdefault(part.group, np.zeros(frame.height, dtype=np.int64))
            bits[mask & usable] |= 1 << number
    each = [(rows := np.flatnonzero(bits), bits[rows], *_grouped(frame, rows, fields)) for fields, bits in views.items()]
    rows, bits, codes, groups = each[0] if len(each) == 1 else _merged(each)
    if not len(rows):
        return None
    return Entries(rows, _remembered(frame, correlation, columns, rows, bits), codes, groups)


def whole(column: Any) -> Whole:
    """A column of whole numbers without gaps."""
    return cast("Whole", column.to_numpy().astype(np.int64, copy=False))


def _usable(frame: Frame, correlation: Correlation) -> Mask:
    usable = frame.present(_field(frame, "@timestamp"))
    if correlation.own_rows and frame.schema is ACTIVITY:
        usable = usable & ~cast("Mask", frame.numbers(_field(frame, "ot.grouped")).numbers)
    return usable


def _remembered(frame: Frame, correlation: Correlation, names: Sequence[str], rows: Whole, bits: Whole) -> pa.Table:
    fields = [field for field in frame.schema.fields if field.name in names]
    columns: dict[str, Any] = {field.name: _taken(frame, field, rows) for field in fields}
    weight = _weights(frame, rows)
    plain = sum(1 << number for number, part in enumerate(correlation.parts) if part.match is not None)
    weight[bits & plain == 0] = 1  # what an inner correlation found is one thing
    helpers: dict[str, Any] = {TIME: _times(frame, rows), WEIGHT: weight, BITS: bits}
    return cast("Any", pa.table)(columns | helpers)  # the stubs take no arrays of numpy


def _field(frame: Frame, name: str) -> Field:
    return cast("Field", frame.schema.field(name))


def _times(frame: Frame, rows: Whole) -> Whole:
    """When a row counts, nanoseconds: one of its own at its time, one that stands for a minute at its end."""
    start, end = frame.numbers(_field(frame, "@timestamp")), frame.numbers(_field(frame, "event.end"))
    grouped = frame.numbers(_field(frame, "ot.grouped")).numbers if frame.schema is ACTIVITY else np.ones(frame.height, dtype=np.bool_)
    return np.where(grouped & end.present, end.numbers, start.numbers)[rows].astype(np.int64)


def _weights(frame: Frame, rows: Whole) -> Whole:
    """How many operations a row stands for; a point is one."""
    if frame.schema is not ACTIVITY:
        return np.ones(len(rows), dtype=np.int64)
    counts = frame.numbers(_field(frame, "ot.count"))
    return np.clip(np.where(counts.present, counts.numbers, 1)[rows], 0, HEAVIEST).astype(np.int64)


def _grouped(frame: Frame, rows: Whole, fields: tuple[Field, ...]) -> tuple[Whole, list[str]]:
    """Which group each row is in, and the groups: their fields' values as JSON.

    A host without an IP address is known by its MAC address; absence is a value, too.
    """
    columns = [_first([_taken(frame, each, rows) for each in (field, _mac(frame, field)) if each]) for field in fields]
    codes, size = np.zeros(len(rows), dtype=np.int64), 1
    encoded: list[tuple[Any, Whole]] = []  # of each column its values in words, absence first, and which of them each row has
    for column in columns:
        words, own = _worded(column)
        if size * len(words) > max(SPARSE, len(rows)):
            places, codes = _distinct(codes, size)
            size = len(places)
        codes, size = codes * len(words) + own, size * len(words)
        encoded.append((words, own))
    places, codes = _distinct(codes, size)
    if not encoded:
        return codes, [_word([])] * len(places)
    joined = _joined(*(words.take(own[places]) for words, own in encoded), ", ")
    return codes, cast("list[str]", _joined("[", joined, "]", "").to_pylist())


def _worded(column: Any) -> tuple[Any, Whole]:
    """The distinct values of a column as JSON, absence first, and the number of each row's: a value is written once, in however many groups it is."""
    encoded = column.dictionary_encode()
    return pa.array([_word(None), *map(_word, encoded.dictionary.to_pylist())]), whole(filled(encoded.indices.cast(pa.int64()), -1)) + 1


def _taken(frame: Frame, field: Field, rows: Whole) -> Any:
    """The column of a field for these rows; as it is where they are all of them, in their order."""
    whole_frame = len(rows) == frame.height and bool((rows == np.arange(frame.height)).all())
    return frame.column(field) if whole_frame else frame.column(field).take(rows)


def _distinct(codes: Whole, size: int) -> tuple[Whole, Whole]:
    """Of whole numbers below `size`: where each that occurs stands first, and these places' numbers instead of them."""
    if size > max(SPARSE, len(codes)):
        _, places, back = np.unique(codes, return_index=True, return_inverse=True)
        return places, back.astype(np.int64)
    first = np.full(size, -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal places the last one written stays
    occurring = first >= 0
    return first[occurring], (np.cumsum(occurring) - 1)[codes]


def _mac(frame: Frame, field: Field) -> Field | None:
    return frame.schema.field(f"{field.name.removesuffix('ip')}mac") if field.name.endswith(".ip") else None


def _first(columns: list[Any]) -> Any:
    """The first of these columns that is there, row by row."""
    return columns[0] if len(columns) == 1 or not columns[0].null_count else cast("Any", pc.coalesce)(*columns)


def _merged(each: Sequence[tuple[Whole, Whole, Whole, list[str]]]) -> tuple[Whole, Whole, Whole, list[str]]:
    """Entries of parts that are grouped by different fields: a row is one entry in each of its groups."""
    together: dict[tuple[int, str], int] = {}
    for rows, bits, codes, groups in each:
        for row, bit, code in zip(rows.tolist(), bits.tolist(), cast("list[int]", codes.tolist()), strict=True):
            one = row, groups[code]
            together[one] = together.get(one, 0) | bit
    ordered = sorted(together)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(group for _, group in ordered))}
    return (
        np.array([row for row, _ in ordered], dtype=np.int64),
        np.array([together[one] for one in ordered], dtype=np.int64),
        np.array([numbers[group] for _, group in ordered], dtype=np.int64),
        list(numbers),
    )
