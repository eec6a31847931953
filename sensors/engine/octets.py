"""Checked reads of bytes: the only way from a kernel to memory. Compiled by numba, or plain Python where NUMBA_DISABLE_JIT=1: the same source.

Whole numbers are signed, and a sum or product of them that overflows is undefined where it is compiled: what is made of hashes is masked before.
Every read knows the end of its message: past it, it returns 0 and marks the row `short`. `memory` is the arena; `row` any record with a `short` field.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.mode import interpreted

INTERPRETED: Final = interpreted()
LOWER_HALF: Final = 0xFFFFFFFF

if INTERPRETED:
    from sensors.engine.interpreted import (
        add16,
        blend,
        borrow,
        carry,
        clear_row,
        copy,
        entry,
        fill,
        inline,
        kernel,
        load16be,
        load16le,
        load32be,
        load32le,
        mix,
        octet,
        plain,
        prefetch,
        real32,
        real64,
        store8,
    )  # fmt: skip
else:
    from sensors.engine.compiled import (
        add16,
        blend,
        borrow,
        carry,
        clear_row,
        copy,
        entry,
        fill,
        inline,
        kernel,
        load16be,
        load16le,
        load32be,
        load32le,
        mix,
        octet,
        plain,
        prefetch,
        real32,
        real64,
        store8,
    )  # fmt: skip

__all__ = [
    "INTERPRETED", "blend", "borrow", "carry", "clear_row", "copy", "entry", "f32be", "f32le", "f64be", "f64le", "fill", "i64be", "i64le", "inline", "kernel",
    "mix", "number_of", "numbers16be", "plain", "prefetch", "put", "same_octets", "signed", "sum16", "tag_fits", "tagged", "u8", "u16be", "u16le", "u24be",
    "u24le", "u32be", "u32le", "u48be", "u48le",
]  # fmt: skip


@inline
def tagged(hashed: int, number: int) -> int:
    """An entry of a hash index: a row's number with the upper half of its hash, so that other rows are passed over without being touched."""
    return hashed & ~LOWER_HALF | number


@inline
def tag_fits(found: int, hashed: int) -> bool:
    """May this entry, which is there (>= 0), be of this hash?"""
    return (found ^ hashed) <= LOWER_HALF


@inline
def number_of(found: int) -> int:
    """The row of an entry."""
    return found & LOWER_HALF


@inline
def u8(memory: Any, at: int, end: int, row: Any) -> int:
    """One octet at `at`."""
    if at < 0 or at + 1 > end or end > len(memory):
        row.short = 1
        return 0
    return octet(memory, at)


@inline
def u16be(memory: Any, at: int, end: int, row: Any) -> int:
    """Two octets, big endian."""
    if at < 0 or at + 2 > end or end > len(memory):
        row.short = 1
        return 0
    return load16be(memory, at)


@inline
def u16le(memory: Any, at: int, end: int, row: Any) -> int:
    """Two octets, little endian."""
    if at < 0 or at + 2 > end or end > len(memory):
        row.short = 1
        return 0
    return load16le(memory, at)


@inline
def u32be(memory: Any, at: int, end: int, row: Any) -> int:
    """Four octets, big endian."""
    if at < 0 or at + 4 > end or end > len(memory):
        row.short = 1
        return 0
    return load32be(memory, at)


@inline
def u32le(memory: Any, at: int, end: int, row: Any) -> int:
    """Four octets, little endian."""
    if at < 0 or at + 4 > end or end > len(memory):
        row.short = 1
        return 0
    return load32le(memory, at)


@inline
def u48be(memory: Any, at: int, end: int, row: Any) -> int:
    """Six octets, big endian: a MAC address."""
    return u16be(memory, at, end, row) << 32 | u32be(memory, at + 2, end, row)


@inline
def u48le(memory: Any, at: int, end: int, row: Any) -> int:
    """Six octets, little endian."""
    return u32le(memory, at, end, row) | u16le(memory, at + 4, end, row) << 32


@inline
def u24be(memory: Any, at: int, end: int, row: Any) -> int:
    """Three octets, big endian."""
    return u8(memory, at, end, row) << 16 | u16be(memory, at + 1, end, row)


@inline
def u24le(memory: Any, at: int, end: int, row: Any) -> int:
    """Three octets, little endian."""
    return u16le(memory, at, end, row) | u8(memory, at + 2, end, row) << 16


@inline
def signed(number: int, bits: int) -> int:
    """A number of so many bits (at most 32) as two's complement."""
    return number - (1 << bits) if number >> bits - 1 & 1 else number


@inline
def i64be(memory: Any, at: int, end: int, row: Any) -> int:
    """Eight octets, big endian, signed."""
    return signed(u32be(memory, at, end, row), 32) << 32 | u32be(memory, at + 4, end, row)


@inline
def i64le(memory: Any, at: int, end: int, row: Any) -> int:
    """Eight octets, little endian, signed."""
    return signed(u32le(memory, at + 4, end, row), 32) << 32 | u32le(memory, at, end, row)


@inline
def f32be(memory: Any, at: int, end: int, row: Any) -> float:
    """An IEEE 754 number of four octets, big endian."""
    return real32(u32be(memory, at, end, row))


@inline
def f32le(memory: Any, at: int, end: int, row: Any) -> float:
    """An IEEE 754 number of four octets, little endian."""
    return real32(u32le(memory, at, end, row))


@inline
def f64be(memory: Any, at: int, end: int, row: Any) -> float:
    """An IEEE 754 number of eight octets, big endian."""
    return real64(i64be(memory, at, end, row))


@inline
def f64le(memory: Any, at: int, end: int, row: Any) -> float:
    """An IEEE 754 number of eight octets, little endian."""
    return real64(i64le(memory, at, end, row))


@inline
def same_octets(memory: Any, first: int, second: int, octets: int) -> bool:
    """Are so many octets at both places the same? Not where either is not in the arena."""
    if min(first, second) < 0 or max(first, second) + octets > len(memory):
        return False
    same = 0
    while same < octets and octet(memory, first + same) == octet(memory, second + same):
        same += 1
    return same >= octets


@inline
def put(memory: Any, at: int, octet: int) -> None:
    """Set one octet of the arena; nothing where it is not in it."""
    if 0 <= at < len(memory):
        store8(memory, at, octet & 255)


@inline
def numbers16be(memory: Any, at: int, end: int, row: Any, values: Any, count: int) -> None:
    """`count` numbers of two octets, big endian, into `values`: checked once."""
    if at < 0 or at + 2 * count > end or end > len(memory) or count > len(values):
        row.short = 1
        for i in range(min(count, len(values))):
            values[i] = 0.0
        return
    for i in range(count):
        values[i] = float(load16be(memory, at + 2 * i))


@inline
def sum16(memory: Any, at: int, end: int, row: Any) -> int:
    """Sum of the big-endian sixteen-bit words of [at, end) modulo 0xFFFF: 0 where a right Internet checksum (RFC 1071) is among them."""
    if at < 8 or at > end or end > len(memory):  # add16 takes eight octets at a time, up to `end`
        row.short = 1
        return 0
    return add16(memory, at, end - at)
