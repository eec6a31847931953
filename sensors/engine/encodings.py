"""How values stand on the wire: the octets of each encoding, and the kernel that reads one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine import tables
from sensors.engine.octets import f32be, f32le, f64be, f64le, i64be, i64le, kernel, signed, u8, u16be, u16le, u32be, u32le


def _strides() -> Any:
    """[encoding] → octets of a value."""
    octets = np.ones(32, np.int64)
    octets[[tables.U16BE, tables.U16LE, tables.I16BE, tables.I16LE]] = 2
    octets[[tables.U32BE, tables.U32LE, tables.I32BE, tables.I32LE, tables.F32BE, tables.F32LE]] = 4
    octets[[tables.U64BE, tables.U64LE, tables.I64BE, tables.I64LE, tables.F64BE, tables.F64LE]] = 8
    return octets


STRIDES: Final = _strides()


@kernel
def number_at(memory: Any, at: int, end: int, encoding: int, row: Any) -> float:
    """One value of this encoding."""
    if encoding in (tables.U8, tables.I8, tables.TOP_BIT, tables.LOW_BIT, tables.LOW_TWO):
        octet = u8(memory, at, end, row)
        if encoding == tables.TOP_BIT:
            return float(octet >> 7)
        if encoding == tables.LOW_BIT:
            return float(octet & 1)
        if encoding == tables.LOW_TWO:
            return float(octet & 3)
        return float(signed(octet, 8) if encoding == tables.I8 else octet)
    if encoding in (tables.U16BE, tables.I16BE, tables.U16LE, tables.I16LE):
        word = u16be(memory, at, end, row) if encoding in (tables.U16BE, tables.I16BE) else u16le(memory, at, end, row)
        return float(signed(word, 16) if encoding in (tables.I16BE, tables.I16LE) else word)
    if encoding in (tables.U32BE, tables.I32BE, tables.U32LE, tables.I32LE):
        long = u32be(memory, at, end, row) if encoding in (tables.U32BE, tables.I32BE) else u32le(memory, at, end, row)
        return float(signed(long, 32) if encoding in (tables.I32BE, tables.I32LE) else long)
    if encoding in (tables.U64BE, tables.I64BE, tables.U64LE, tables.I64LE):
        wide = i64be(memory, at, end, row) if encoding in (tables.U64BE, tables.I64BE) else i64le(memory, at, end, row)
        return float(wide) + (18446744073709551616.0 if wide < 0 and encoding in (tables.U64BE, tables.U64LE) else 0.0)
    if encoding == tables.F32BE:
        return f32be(memory, at, end, row)
    if encoding == tables.F32LE:
        return f32le(memory, at, end, row)
    return f64be(memory, at, end, row) if encoding == tables.F64BE else f64le(memory, at, end, row)
