"""The items of S7comm: what they are about, and their values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from records.effects import NUMBER
from sensors.codes.s7comm import (
    AREAS,
    BAD_COUNT,
    BAD_LENGTH,
    BAD_VALUE,
    BIT_BLOCK,
    BITS,
    BYTE_BLOCK,
    BYTES,
    COUNTER,
    COUNTS,
    DOUBLES,
    NC_VARIABLE,
    QUANTITY_MISMATCH,
    S5TIME,
    SYMBOL,
    TIMER,
    TYPES,
    WIDTHS,
)
from sensors.engine.dissecting import NOTHING, add_run, add_value
from sensors.engine.encodings import number_at
from sensors.engine.octets import inline, kernel, plain, u8, u16be, u24be, u32be
from sensors.engine.tables import FAILURE, RESPONSE, table

GOOD: Final = 0xFF  # return code of an item
VARIABLE, ANY, DATA_BLOCKS, SYMBOLIC = 0x12, 0x10, 0xB0, 0xB2  # how an item names what it is about
NC_FIRST, NC_LAST = 0x82, 0x84
PERIPHERY, OUTPUTS, DATA_BLOCK, COUNTERS, TIMERS = 0x80, 0x82, 0x84, 0x1C, 0x1D
COUNTERS_200, TIMERS_200, ANALOG_OUTPUTS = 0x1E, 0x1F, 0x07  # of an S7-200; its counters and timers tell more than a value
INPUT_FAMILY, OUTPUT_FAMILY = 6, 7  # of the periphery
MOST_BIT: Final = 1 << 19  # a block has 64 KiB
OPERATE: Final = NUMBER["output.operate"]

_families: Final = np.full(256, -1, np.int64)
for _place, _area in enumerate(AREAS):
    if _area:
        _families[_area] = _place
FAMILIES: Final = plain(_families)
_types: Final = table(256, np.dtype([(name, "i8") for name in ("element", "octets", "encoding", "step")]))
_types[:] = (BYTES, 1, TYPES[1][3], 1)
for _type in TYPES:
    _types[_type[0]] = _type[1:]
FORMS: Final = plain(_types)


@inline
def fail(row: Any, error: int) -> None:
    """The answer is an error."""
    row.outcome, row.error = FAILURE, error


@kernel
def read_any(memory: Any, at: int, end: int, row: Any, write: bool) -> int:
    """An S7ANY item: type, count, data block, area and bit address. Returns type and count."""
    kind, count, block = u8(memory, at + 3, end, row), u16be(memory, at + 4, end, row), u16be(memory, at + 6, end, row)
    area, address = u8(memory, at + 8, end, row), u24be(memory, at + 9, end, row)
    if row.short:
        return 0
    family = FAMILIES[area]
    if area in (COUNTERS, TIMERS):
        row.space, row.first, kind = (COUNTER, address, COUNTERS) if area == COUNTERS else (TIMER, address, TIMERS)
    elif area in (COUNTERS_200, TIMERS_200):
        row.space, row.first, row.last = COUNTER if area == COUNTERS_200 else TIMER, address, address + max(count, 1) - 1
        return 0
    elif family >= 0:
        form = FORMS[kind]
        width = form.element if form.element <= DOUBLES else BYTES
        row.space = (OUTPUT_FAMILY if write and family == INPUT_FAMILY else family) * len(WIDTHS) + width
        numbered = block if area in (DATA_BLOCK, DATA_BLOCK + 1) else 0
        if address < MOST_BIT:
            row.first = numbered * BIT_BLOCK + address if width == BITS else numbered * BYTE_BLOCK + (address >> 3)
    form = FORMS[kind]
    if row.first < 0:
        row.anomaly |= BAD_VALUE
    else:
        row.last = row.first + max(count, 1) * (form.octets if form.element == BYTES else form.step) - 1
    if count == 0:
        row.anomaly |= BAD_COUNT
    if write and area in (OUTPUTS, PERIPHERY, ANALOG_OUTPUTS):
        row.effect = OPERATE
    return kind << 16 | count


@kernel
def read_item(memory: Any, at: int, end: int, row: Any, write: bool) -> int:
    """What an item is about; returns its type and count, 0 where it tells none."""
    octets, syntax = u8(memory, at + 1, end, row), u8(memory, at + 2, end, row)
    if u8(memory, at, end, row) != VARIABLE and row.short == 0:
        row.anomaly |= BAD_VALUE
        return 0
    if syntax == ANY:
        if octets != 10:
            row.anomaly |= BAD_LENGTH
            return 0
        return read_any(memory, at, end, row, write)
    if syntax == DATA_BLOCKS:
        areas, count = u8(memory, at + 3, end, row), u8(memory, at + 4, end, row)
        block, place = u16be(memory, at + 5, end, row), u16be(memory, at + 7, end, row)
        if row.short == 0:
            row.space = FAMILIES[DATA_BLOCK] * len(WIDTHS) + BYTES
            row.first, row.distinct = block * BYTE_BLOCK + place, max(areas, 1)
            row.last = row.first + max(count, 1) - 1
        return 2 << 16 | count if areas == 1 else 0
    if syntax == SYMBOLIC:
        symbol = u32be(memory, at + 8, end, row)
        if row.short == 0:
            row.space, row.first, row.last = SYMBOL, symbol, symbol
    elif NC_FIRST <= syntax <= NC_LAST:
        number = u8(memory, at + 3, end, row) << 40 | u32be(memory, at + 4, end, row) << 8 | u8(memory, at + 8, end, row)
        if row.short == 0:
            row.space, row.first, row.last = NC_VARIABLE, number, number
    return 0


@inline
def decimal(word: int) -> int:
    """Three digits of BCD."""
    return (word >> 8 & 15) * 100 + (word >> 4 & 15) * 10 + (word & 15)


@inline
def duration(word: int) -> float:
    """S5TIME in seconds: three digits of BCD and their base, from 10 ms to 10 s."""
    base = word >> 12 & 3
    return decimal(word) * (0.01 if base == 0 else 0.1 if base == 1 else 1.0 if base == 2 else 10.0)


@kernel
def add_values(memory: Any, at: int, octets: int, end: int, row: Any, samples: Any, asked: int, most: int) -> None:
    """The values in `octets` octets, of this type and count, none past the end; at most `most` of timers and counters."""
    kind, count = asked >> 16, asked & 0xFFFF
    form = FORMS[kind]
    there = min(octets, max(end - at, 0))
    if there < octets:
        row.short = 1
    elif octets != count * form.octets:
        row.anomaly |= QUANTITY_MISMATCH
    element = 1 if form.element == BYTES else form.octets
    number = min(there // element, count * form.octets // element)
    if row.first < 0 or number <= 0:
        return
    if form.element >= COUNTS or kind == S5TIME:
        for i in range(min(number, most)):
            word = u16be(memory, at + 2 * i, end, row)
            value = float(decimal(word)) if form.element == COUNTS else duration(word)
            add_value(row, samples, row.space, row.first + i * form.step, value)
            row.value = value if number == 1 else NOTHING
        return
    sample = add_run(row, samples, row.space, row.first, number, at, number * element, form.encoding, 0)
    sample.step = form.step
    if number == 1:
        row.value = number_at(memory, at, end, form.encoding, row)


@inline
def kind_of(size: int, octets: int) -> int:
    """The type of one value whose address tells none, by its size in the data; 0 where that does not tell it."""
    if size == 3 and octets == 1:
        return 0x01
    if size == 4:
        return 0x02 if octets == 1 else 0x04 if octets == 2 else 0x06 if octets == 4 else 0
    if size == 5:
        return 0x05 if octets == 2 else 0x07 if octets == 4 else 0
    return (0x07 if size == 6 else 0x08 if size == 7 else 0) if octets == 4 else 0


@kernel
def add_data(memory: Any, at: int, size: int, octets: int, end: int, row: Any, samples: Any, asked: int, most: int) -> None:
    """The data of an item: values of the type and count that were asked for, or of a symbol."""
    if asked == 0 and row.space in (SYMBOL, NC_VARIABLE):
        asked = kind_of(size, octets) << 16 | 1
    if asked >> 16:
        add_values(memory, at, octets, end, row, samples, asked, most)
    elif at + octets > end:
        row.short = 1


@inline
def octets_of(size: int, length: int) -> int:
    """Of an item's data: of some sizes the length counts bits."""
    return (length + 7) >> 3 if 3 <= size <= 5 else length


@inline
def next_item(memory: Any, at: int, end: int, row: Any) -> int:
    """Where the item behind this one begins: an even number of octets further."""
    octets = 2 + u8(memory, at + 1, end, row)
    return at + octets + (octets & 1)


@kernel
def add_answer(memory: Any, at: int, end: int, row: Any, samples: Any, asked: int, most: int) -> int:
    """One item of an answer: return code, size, length, values; returns where the next one begins."""
    good, size, length = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16be(memory, at + 2, end, row)
    if row.short:
        return end
    octets = octets_of(size, length)
    if good != GOOD:
        if row.role == RESPONSE:
            fail(row, good)
    else:
        add_data(memory, at + 4, size, octets, end, row, samples, asked, most)
    return at + 4 + octets + (octets & 1)


@kernel
def add_written(memory: Any, at: int, end: int, row: Any, samples: Any, asked: int, most: int) -> int:
    """One item that is written: as an answer, without a return code."""
    size, length = u8(memory, at + 1, end, row), u16be(memory, at + 2, end, row)
    if row.short:
        return end
    octets = octets_of(size, length)
    add_data(memory, at + 4, size, octets, end, row, samples, asked, most)
    return at + 4 + octets + (octets & 1)
