"""Data files of SLC 500 and MicroLogix: addresses of type, file, element and sub-element, and their values (Rockwell Automation 1770-6.5.16, chapter 7)."""

from __future__ import annotations

from typing import Any

from sensors.codes.pccc import DATA_FILE
from sensors.codes.plc5 import ELEMENT, ELEMENT_BITS, FILE_BITS, TYPE_BITS, number, tell_bit
from sensors.engine.dissecting import add_run
from sensors.engine.encodings import number_at
from sensors.engine.octets import kernel, u8, u16le
from sensors.engine.tables import F32LE, I16LE, I32LE, U16LE

TIMER, CONTROL, STRING = 0x86, 0x88, 0x8D


@kernel
def read_logical(memory: Any, at: int, end: int, row: Any, asked: Any, fields: int) -> int:
    """A logical address of two or three fields: size, file, type, element, sub-element; returns its end."""
    octets = u8(memory, at, end, row)
    file, at = number(memory, at + 1, end, row)
    kind = u8(memory, at, end, row)
    element, at = number(memory, at + 1, end, row)
    part = 0
    if fields == 3:
        part, at = number(memory, at, end, row)
    if row.short:
        return end
    asked.e, asked.f, asked.g = kind, octets, DATA_FILE
    asked.d = (kind & 0x7F) << TYPE_BITS | file << FILE_BITS | element << ELEMENT_BITS | part & ELEMENT - 1
    width = 4 if kind in (0x8A, 0x91) else 2
    count = max(octets // width, 1)
    row.space, row.first, row.last = DATA_FILE, asked.d, asked.d + (count - 1) * ELEMENT
    if TIMER <= kind <= CONTROL:  # elements of three words
        row.last = asked.d + max((octets - 1) // 6, 0) * ELEMENT
        asked.f = octets
    elif kind == STRING:
        row.last = asked.d + max((octets - 1) // 84, 0) * ELEMENT
    return at


@kernel
def read_values(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> None:
    """Words of data files."""
    kind, octets = asked.e, end - at
    encoding = F32LE if kind == 0x8A else I32LE if kind == 0x91 else U16LE if kind in (0x82, 0x83, 0x85, 0x8B, 0x8C, 0x8E, 0x8F) else I16LE
    width = 4 if kind in (0x8A, 0x91) else 2
    if asked.d < 0 or asked.g != DATA_FILE or kind == STRING or octets < width:
        return
    if TIMER <= kind <= CONTROL:
        if asked.d & ELEMENT - 1:
            add_run(row, samples, DATA_FILE, asked.d, 1, at, 2, encoding, 0)
        else:
            elements = max(octets // 6, 1)
            for part in range(min(octets // 2, 3)):
                run = add_run(row, samples, DATA_FILE, asked.d + part, elements, at, elements * 6, encoding, 6)
                run.step, run.value_at = ELEMENT, 2 * part
                if octets < 6:
                    run.offset, run.octets, run.stride, run.value_at = at + 2 * part, 2, 2, 0
        return
    count = octets // width
    add_run(row, samples, DATA_FILE, asked.d, count, at, count * width, encoding, 0).step = ELEMENT
    if count == 1:
        row.value = number_at(memory, at, end, encoding, row)


@kernel
def read_masked(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> int:
    """Bits that are written under a mask."""
    mask, value = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    if row.short == 0:
        tell_bit(row, samples, asked.d, mask, value)
    return end
