"""Kernels as plain Python: the same source, for a first look that waits for no compiler, for debugging and for coverage of lines."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final, TypeVar, cast

import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
_MASK: Final = (1 << 64) - 1


def kernel(function: Kernel) -> Kernel:
    """A function over tables; plain Python in this run."""
    return function


inline = kernel


def entry(function: Kernel) -> Kernel:
    """A kernel that is called from outside: its tables reach it as plain memory, whose fields and items are plain numbers (ten times as fast)."""

    def call(*arguments: Any) -> Any:
        return function(*(plain(argument) for argument in arguments))

    return cast("Kernel", wraps(function)(call))


@cache
def _structure(dtype: np.dtype[Any]) -> type[ctypes.Structure]:
    kinds = {"i8": ctypes.c_int64, "i4": ctypes.c_int32, "i2": ctypes.c_int16, "f8": ctypes.c_double, "u1": ctypes.c_uint8, "u2": ctypes.c_uint16}
    return type("Row", (ctypes.Structure,), {"_fields_": [(name, kinds[dtype[name].str[1:]]) for name in dtype.names or ()]})


def plain(argument: Any) -> Any:
    """The same memory as a ctypes array of structures, or as a memoryview."""
    if not hasattr(argument, "dtype"):
        return argument
    array: Any = argument
    if array.dtype.names is None:
        return memoryview(array)
    kind = _structure(array.dtype) * len(array)
    return kind.from_buffer(array) if len(array) else kind()


def rows(table: Any) -> Any:
    """The rows of a table as structures: their fields are plain numbers, read and set thirty times as fast as numpy's."""
    return plain(table)


def octet(memory: Any, at: int) -> int:
    """One octet, unchecked."""
    return memory[at]


def load16be(memory: Any, at: int) -> int:
    """Two octets, big endian, unchecked; as the three below."""
    return memory[at] << 8 | memory[at + 1]


def load32be(memory: Any, at: int) -> int:
    """Four octets, big endian."""
    return int.from_bytes(memory[at : at + 4], "big")


def load16le(memory: Any, at: int) -> int:
    """Two octets, little endian."""
    return memory[at + 1] << 8 | memory[at]


def load32le(memory: Any, at: int) -> int:
    """Four octets, little endian."""
    return int.from_bytes(memory[at : at + 4], "little")


def real32(bits: int) -> float:
    """The IEEE 754 number of four octets whose bits these are."""
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0]


def real64(bits: int) -> float:
    """The same of eight octets."""
    return struct.unpack("<d", struct.pack("<Q", bits & _MASK))[0]


def store8(memory: Any, at: int, octet: int) -> None:
    """Set one octet, unchecked."""
    memory[at] = octet


def fill(numbers: Any, value: int) -> None:
    """Set every number."""
    np.asarray(numbers)[...] = value


def clear_row(numbers: Any, row: int) -> None:
    """Set every number of a row to zero."""
    np.asarray(numbers)[row] = 0


def mix(first: int, second: int) -> int:
    """A hash of two numbers, 0 … 2**63-1: the same compiled and interpreted."""
    mixed = (first * 0x9E3779B97F4A7C15 ^ second * 0xC2B2AE3D27D4EB4F) & _MASK
    mixed ^= mixed >> 29
    mixed = mixed * 0xBF58476D1CE4E5B9 & _MASK
    return (mixed ^ mixed >> 32) >> 1


def blend(a: int, b: int, c: int, d: int) -> int:
    """A sum of four numbers, each times a large one, 0 … 2**63-1: the same compiled and interpreted."""
    return (a * 0x9E3779B97F4A7C15 + b * 0xC2B2AE3D27D4EB4F + c * 0x165667B19E3779F9 + d * 0xD6E8FEB86659FD93 & _MASK) >> 1


def prefetch(rows: Any, number: int) -> None:
    """Nothing: only compiled code gains by it."""


def copy(memory: Any, target: int, source: int, octets: int) -> None:
    """Move octets inside the arena; nothing where either end is not in it."""
    if octets > 0 and min(target, source) >= 0 and max(target, source) + octets <= len(memory):
        memory[target : target + octets] = bytes(memory[source : source + octets])


def carry(source: Any, source_at: int, target: Any, target_at: int, octets: int) -> bool:
    """Copy octets from one memory to another; false, and nothing, where either end is not in its own."""
    if octets < 0 or min(source_at, target_at) < 0 or source_at + octets > len(source) or target_at + octets > len(target):
        return False
    target[target_at : target_at + octets] = bytes(source[source_at : source_at + octets])
    return True


def add16(memory: Any, at: int, octets: int) -> int:
    """Sum of big-endian sixteen-bit words modulo 0xFFFF, unchecked; an odd octet at the end is the upper half of a word."""
    return (int.from_bytes(memory[at : at + octets], "big") << 8 * (octets & 1)) % 0xFFFF


def borrow(array: Any) -> Any:
    """The same array."""
    return array
