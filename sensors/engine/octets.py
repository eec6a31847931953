"""Checked reads of bytes: the only way from a kernel to memory. Compiled by numba, or plain Python where NUMBA_DISABLE_JIT=1: the same source.

Every read knows the end of its message: past it, it returns 0 and marks the row `short`. `memory` is the arena; `row` any record with a `short` field.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final, TypeVar, cast

import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

INTERPRETED: Final = os.environ.get("NUMBA_DISABLE_JIT") == "1"

if INTERPRETED:

    def _octet(memory: Any, at: int) -> int:
        return memory[at]

    def kernel(function: Kernel) -> Kernel:
        """A function over tables that numba compiles when it is first called; plain Python in this run."""
        return function

    inline = kernel

    def entry(function: Kernel) -> Kernel:
        """A kernel that is called from outside: its tables reach it as plain memory, whose fields and items are plain numbers (ten times as fast)."""

        def call(*arguments: Any) -> Any:
            return function(*(plain(argument) for argument in arguments))

        return cast("Kernel", wraps(function)(call))

    @cache
    def _structure(dtype: np.dtype[Any]) -> type[ctypes.Structure]:
        kinds = {"i8": ctypes.c_int64, "f8": ctypes.c_double, "u1": ctypes.c_uint8}
        names = dtype.names or ()
        return type("Row", (ctypes.Structure,), {"_fields_": [(name, kinds[dtype[name].str[1:]]) for name in names]})

    def plain(argument: Any) -> Any:
        """The same memory as a ctypes array of structures, or as a memoryview."""
        if not isinstance(argument, np.ndarray):
            return argument
        if argument.dtype.names is None:
            return memoryview(argument)
        kind = _structure(argument.dtype) * len(argument)
        return kind.from_buffer(argument) if len(argument) else kind()

    def fill(numbers: Any, value: int) -> None:
        """Set every number."""
        np.asarray(numbers)[...] = value
else:
    from sensors.engine.mode import cache_directory

    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory()))
    import numba

    def kernel(function: Kernel) -> Kernel:
        """A function over tables that numba compiles when it is first called, cached on disk."""
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # pyright: ignore  # numba has no types

    entry = kernel

    def inline(function: Kernel) -> Kernel:
        """A small kernel that becomes part of its caller."""
        return numba.njit(forceinline=True, error_model="numpy")(function)  # pyright: ignore  # numba has no types

    @inline
    def _octet(memory: Any, at: int) -> int:
        return np.int64(memory[at])

    @numba.njit  # pyright: ignore  # numba has no types
    def fill(numbers: Any, value: int) -> None:
        """Set every number."""
        numbers[:] = value

    def plain(argument: Any) -> Any:
        """The same memory as kernels take it."""
        return argument


@inline
def u8(memory: Any, at: int, end: int, row: Any) -> int:
    """One octet at `at`."""
    if at < 0 or at + 1 > end or end > len(memory):
        row.short = 1
        return 0
    return _octet(memory, at)


@inline
def u16be(memory: Any, at: int, end: int, row: Any) -> int:
    """Two octets, big endian."""
    if at < 0 or at + 2 > end or end > len(memory):
        row.short = 1
        return 0
    return _octet(memory, at) << 8 | _octet(memory, at + 1)


@inline
def u16le(memory: Any, at: int, end: int, row: Any) -> int:
    """Two octets, little endian."""
    if at < 0 or at + 2 > end or end > len(memory):
        row.short = 1
        return 0
    return _octet(memory, at + 1) << 8 | _octet(memory, at)


@inline
def u32be(memory: Any, at: int, end: int, row: Any) -> int:
    """Four octets, big endian."""
    if at < 0 or at + 4 > end or end > len(memory):
        row.short = 1
        return 0
    return _octet(memory, at) << 24 | _octet(memory, at + 1) << 16 | _octet(memory, at + 2) << 8 | _octet(memory, at + 3)


@inline
def u32le(memory: Any, at: int, end: int, row: Any) -> int:
    """Four octets, little endian."""
    if at < 0 or at + 4 > end or end > len(memory):
        row.short = 1
        return 0
    return _octet(memory, at + 3) << 24 | _octet(memory, at + 2) << 16 | _octet(memory, at + 1) << 8 | _octet(memory, at)


@inline
def u48be(memory: Any, at: int, end: int, row: Any) -> int:
    """Six octets, big endian: a MAC address."""
    return u16be(memory, at, end, row) << 32 | u32be(memory, at + 2, end, row)


if INTERPRETED:
    _MASK: Final = (1 << 64) - 1

    def mix(first: int, second: int) -> int:
        """A hash of two numbers, 0 … 2**63-1: the same compiled and interpreted."""
        mixed = (int(first) * 0x9E3779B97F4A7C15 ^ int(second) * 0xC2B2AE3D27D4EB4F) & _MASK
        mixed ^= mixed >> 29
        mixed = mixed * 0xBF58476D1CE4E5B9 & _MASK
        return (mixed ^ mixed >> 32) >> 1

    def copy(memory: Any, target: int, source: int, octets: int) -> None:
        """Move octets inside the arena; every caller has checked both ends."""
        memory[target : target + octets] = bytes(memory[source : source + octets])

    def borrow(array: Any) -> Any:
        """The same array; compiled, without its owner (see below)."""
        return array
else:
    from llvmlite import ir  # pyright: ignore  # no types
    from numba.extending import intrinsic  # pyright: ignore  # no types

    @numba.njit(inline="always")  # pyright: ignore  # numba has no types
    def mix(first: int, second: int) -> int:
        """A hash of two numbers, 0 … 2**63-1: the same compiled and interpreted."""
        mixed = np.uint64(first) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(second) * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        return np.int64((mixed ^ mixed >> np.uint64(32)) >> np.uint64(1))

    @numba.njit(inline="always")  # pyright: ignore  # numba has no types
    def copy(memory: Any, target: int, source: int, octets: int) -> None:
        """Move octets inside the arena, forwards; every caller has checked both ends."""
        for i in range(octets):
            memory[target + i] = memory[source + i]

    @intrinsic  # pyright: ignore  # numba has no types
    def borrow(typing: Any, array: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
        """The same array without its owner, so that records taken from it are not reference-counted; the caller keeps it alive (halves the run time)."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value: Any = context.make_array(signature.args[0])(context, builder, arguments[0])
            value.meminfo = ir.Constant(value.meminfo.type, None)
            value.parent = ir.Constant(value.parent.type, None)
            return value._getvalue()

        return array(array), generate
