# pyright: basic
"""Kernels compiled by numba, cached on disk in the directory that `mode` names. numba has no types: they stop at this file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from sensors.engine.mode import cache_directory

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory()))
import numba
from llvmlite import ir
from numba.extending import intrinsic

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """A function over tables that is compiled when it is first called."""
    return cast("Kernel", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


entry = kernel


def inline(function: Kernel) -> Kernel:
    """A small kernel that becomes part of its caller."""
    return cast("Kernel", numba.njit(forceinline=True, error_model="numpy")(function))


def plain(argument: Any) -> Any:
    """The same memory as kernels take it."""
    return argument


@inline
def octet(memory: Any, at: int) -> int:
    """One octet, unchecked."""
    return np.int64(memory[at])  # pyright: ignore[reportReturnType]


@kernel
def fill(numbers: Any, value: int) -> None:
    """Set every number."""
    numbers[:] = value


@inline
def mix(first: int, second: int) -> int:
    """A hash of two numbers, 0 … 2**63-1: the same compiled and interpreted."""
    mixed = np.uint64(first) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(second) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed ^ mixed >> np.uint64(32)) >> np.uint64(1))  # pyright: ignore[reportReturnType]


@inline
def copy(memory: Any, target: int, source: int, octets: int) -> None:
    """Move octets inside the arena, forwards; every caller has checked both ends."""
    for i in range(octets):
        memory[target + i] = memory[source + i]


@intrinsic
def _load(typing: Any, memory: Any, at: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octets: Any = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(octets, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return numba.uint64(memory, numba.int64), generate


_word: Callable[[Any, Any], Any] = cast("Callable[[Any, Any], Any]", _load)
"""Eight octets as one number, little endian as this machine is, unchecked."""


@inline
def _halves(total: Any) -> Any:
    return (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))


@inline
def add16(memory: Any, at: int, octets: int) -> int:
    """Sum of big-endian sixteen-bit words modulo 0xFFFF, unchecked; an odd octet at the end is the upper half of a word.

    Such a sum is the same in either order of octets, once they are swapped; so it is added up by whole words. Eight octets before `at` are readable.
    """
    total = np.uint64(0)
    end = at + octets
    while at + 8 <= end:
        word = _word(memory, at)
        total += (word & np.uint64(0xFFFFFFFF)) + (word >> np.uint64(32))
        at += 8
    rest = np.uint64(8 * (at + 7 - end))  # the last octets, without those before them
    word = _word(memory, end - 8) >> rest >> np.uint64(8)
    total += (word & np.uint64(0xFFFFFFFF)) + (word >> np.uint64(32))
    total = (total & np.uint64(0xFFFFFFFF)) + (total >> np.uint64(32))
    total = _halves(_halves(_halves(total)))
    swapped = (total << np.uint64(8) | total >> np.uint64(8)) & np.uint64(0xFFFF)
    return np.int64(0 if swapped == np.uint64(0xFFFF) else swapped)  # pyright: ignore[reportReturnType]


@intrinsic
def _borrow(typing: Any, array: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value: Any = context.make_array(signature.args[0])(context, builder, arguments[0])
        value.meminfo = ir.Constant(value.meminfo.type, None)
        value.parent = ir.Constant(value.parent.type, None)
        return value._getvalue()

    return array(array), generate


borrow: Callable[[Any], Any] = cast("Callable[[Any], Any]", _borrow)
"""The same array without its owner, so that records taken from it are not reference-counted; the caller keeps it alive (halves the run time)."""
