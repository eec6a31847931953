"""What a Modbus device keeps and tells of itself: file records, diagnostics, identification."""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.modbus import BAD_COUNT, BAD_VALUE, BYTE_COUNT_MISMATCH, FILES
from sensors.codes.modbusvalues import add_sample, add_values
from sensors.engine.dissecting import NOTHING, sub_code
from sensors.engine.octets import kernel, u8, u16be
from sensors.engine.tables import REQUEST, RESPONSE, TEXT, VALUE

RESTART, DELIMITER, LAST_COUNTER, LAST_TEST = 1, 3, 18, 20  # sub-functions of function 8
READ_IDENTIFICATION, ONE_OBJECT = 14, 4
FILE_TYPE: Final = 6


@kernel
def read_records(memory: Any, at: int, end: int, row: Any, samples: Any, written: bool) -> int:
    """File records to read, or to write with their values; the answer to a write repeats it."""
    octets = u8(memory, at, end, row)
    at += 1
    stop = at + octets
    row.distinct = 0
    while at < stop and row.short == 0:
        kind = u8(memory, at, end, row)
        first = u16be(memory, at + 1, end, row) * FILES + u16be(memory, at + 3, end, row)
        quantity = u16be(memory, at + 5, end, row)
        if row.short:
            break
        if kind != FILE_TYPE:
            row.anomaly |= BAD_VALUE
        row.distinct += 1
        row.first = first if row.first < 0 else min(row.first, first)
        row.last = max(row.last, first + max(quantity, 1) - 1)
        at += 7
        if written and row.role == REQUEST:
            at = add_values(memory, at, end, row, samples, first, 2 * quantity, 16, quantity)
        elif written:
            at += 2 * quantity
    row.distinct = max(row.distinct, 1)
    if row.distinct > 1:
        row.value = NOTHING
    if octets == 0 and row.short == 0:
        row.anomaly |= BAD_COUNT
    if at != stop and row.short == 0:
        row.anomaly |= BYTE_COUNT_MISMATCH
    if at > end:
        row.short = 1
    return at


@kernel
def read_record_answers(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """Values of file records. Whose they are is known where there is one record: then the request tells."""
    stop = at + 1 + u8(memory, at, end, row)
    at += 1
    row.distinct = 0
    while at < stop and row.short == 0:
        octets = u8(memory, at, end, row)
        kind = u8(memory, at + 1, end, row)
        if row.short:
            break
        if kind != FILE_TYPE:
            row.anomaly |= BAD_VALUE
        if octets & 1 == 0:
            row.anomaly |= BYTE_COUNT_MISMATCH
        row.distinct += 1
        at = add_values(memory, at + 2, end, row, samples, -1, max(octets - 1, 0), 16, 127)
    row.distinct = max(row.distinct, 1)
    if row.distinct > 1:
        row.samples, row.value = 0, NOTHING
    if at != stop and row.short == 0:
        row.anomaly |= BYTE_COUNT_MISMATCH
    return at


@kernel
def read_test(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """A diagnostic sub-function and its data: one word, any number of them for the echo."""
    second = u16be(memory, at, end, row)
    if row.short:
        return end
    sub_code(row, second)
    row.first = row.last = second
    value = u16be(memory, at + 2, end, row)
    if row.short:
        return end
    if row.role == RESPONSE:
        if second == 2 or 11 <= second <= LAST_COUNTER:
            row.value = value
            add_sample(row, samples, second, 1, at + 2, 2, VALUE, value)
    elif second in (RESTART, DELIMITER):
        row.value = value
        if second == RESTART and value != 0 and value != 0xFF00:
            row.anomaly |= BAD_VALUE
    elif 0 < second <= LAST_TEST and value:
        row.anomaly |= BAD_VALUE
    return at + 4 if 0 < second <= LAST_TEST else end


@kernel
def read_tunnel(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """An encapsulated interface: device identification is understood, all others are not."""
    interface = u8(memory, at, end, row)
    if row.short:
        return end
    sub_code(row, interface)
    if interface != READ_IDENTIFICATION:
        row.space = -1
        return end
    kind = u8(memory, at + 1, end, row)
    if row.role == REQUEST:
        first = u8(memory, at + 2, end, row)
        if row.short:
            return end
        if kind == ONE_OBJECT:
            row.first = row.last = first
        elif kind < 1 or kind > ONE_OBJECT:
            row.anomaly |= BAD_VALUE
        return at + 3
    objects = u8(memory, at + 5, end, row)
    at += 6
    for _ in range(objects):
        if row.short:
            break
        first, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row)
        at += 2
        if at + octets > end:
            row.short = 1
        elif row.short == 0:
            add_sample(row, samples, first, 1, at, octets, TEXT, NOTHING)
            at += octets
    return at
