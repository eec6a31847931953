# pyright: basic
"""Kernels compiled by numba, cached on disk in the directory that `mode` names. numba has no types: they stop at this file."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

import numpy as np

from sensors.engine.mode import cache_directory

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory()))
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.extending import intrinsic

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
_njit: Any = numba.njit
_NO_WRAPPERS: Final = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # nobody calls it from Python


_inner: list[object] = []  # kernels that are compiled for others at this moment
_finalize: Any = CPUCodeLibrary._finalize_final_module
_set_env: Any = JITCPUCodegen.set_env


def _optimize_once(library: Any) -> None:
    """What is linked into an entry is optimised there, with all else; and once: the first round of two only makes references to objects easier to prune."""
    if not _inner:
        passes, builder = library._codegen._module_pass_manager()
        passes.run(library._final_module, builder)


def _finalize_once(library: Any) -> None:
    """What is linked into an entry is never called from Python: no code of its own is generated for it, which took half of the time."""
    if not _inner:
        _finalize(library)
        return
    library._finalize_dynamic_globals()
    library._finalized = True


def _set_env_once(codegen: Any, name: str, environment: Any) -> None:
    """… nor has it an environment of its own."""
    if not _inner:
        _set_env(codegen, name, environment)


for _class, _name, _method in (
    (CPUCodeLibrary, "_optimize_final_module", _optimize_once),
    (CPUCodeLibrary, "_finalize_final_module", _finalize_once),
    (JITCPUCodegen, "set_env", _set_env_once),
):
    setattr(_class, _name, _method)  # their types say that nobody may


def _linked(dispatcher: Any) -> Any:
    """A function that others call. It is compiled once for all numbers: a call with a constant would otherwise compile a function of its own."""
    resolve = dispatcher.get_call_template

    def resolve_once(arguments: Any, named: Any) -> Any:
        _inner.append(dispatcher)
        try:
            return resolve(tuple(types.unliteral(argument) for argument in arguments), named)
        finally:
            _inner.pop()

    dispatcher.get_call_template = resolve_once
    return dispatcher


def kernel(function: Kernel) -> Kernel:
    """A function over tables that is compiled for the entry that calls it, and kept with that. Never called from Python: that would end the process."""
    made = _njit(forceinline=False, error_model="numpy", **_NO_WRAPPERS)(function)  # said, or it has it of the first that calls it: twice the time to compile
    return cast("Kernel", _linked(made))


_bare: dict[int, Any] = {}  # by the number of a table: its array
_tables: dict[int, weakref.ref[Any]] = {}  # those tables, each forgotten before another object has its number


def _bare_array(argument: Any) -> Any:
    """The array of a table without the class that lets Python read fields as attributes; made once, forgotten with the table."""
    bare = np.asarray(argument)
    if bare.base is not argument:  # a part of a table would be kept by it
        number = id(argument)
        _bare[number], _tables[number] = bare, weakref.ref(argument, lambda _: (_bare.pop(number, None), _tables.pop(number, None)))
    return bare


def entry(function: Kernel) -> Kernel:
    """A kernel that is called from outside. Tables reach the dispatcher as bare arrays, whose types it knows at sight (four times as fast a call)."""
    dispatcher: Any = _njit(cache=True, nogil=True, error_model="numpy")(function)

    def call(*arguments: Any) -> Any:
        known = [_bare.get(id(argument), argument) for argument in arguments]
        if np.recarray in map(type, known):
            known = [_bare_array(argument) if type(argument) is np.recarray else argument for argument in known]
        return dispatcher(*known)

    return cast("Kernel", wraps(function)(call))


def inline(function: Kernel) -> Kernel:
    """A small kernel that becomes part of its caller."""
    return cast("Kernel", _linked(_njit(forceinline=True, error_model="numpy", **_NO_WRAPPERS)(function)))


def plain(argument: Any) -> Any:
    """The same memory as kernels take it."""
    return argument


def _load(octets: int, little: bool) -> Callable[[Any, int], int]:
    """An unchecked, unaligned read of so many octets at a place: one load. Only `octets` may use it."""

    @intrinsic
    def load(typing: Any, memory: Any, at: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            word = ir.IntType(8 * octets)
            place = builder.bitcast(builder.gep(array.data, [arguments[1]]), word.as_pointer())
            loaded = builder.load(place, align=1)
            if octets > 1 and little != (sys.byteorder == "little"):
                loaded = builder.bswap(loaded)
            return builder.zext(loaded, ir.IntType(64))

        return types.int64(memory, types.int64), generate

    return cast("Callable[[Any, int], int]", load)


octet = _load(1, little=True)
load16be, load32be = _load(2, little=False), _load(4, little=False)
load16le, load32le, load64le = _load(2, little=True), _load(4, little=True), _load(8, little=True)


def _real(octets: int) -> Callable[[int], float]:
    """The IEEE 754 number of so many octets whose bits these are."""

    @intrinsic
    def real(typing: Any, bits: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            word = builder.trunc(arguments[0], ir.IntType(32)) if octets == 4 else arguments[0]
            number = builder.bitcast(word, ir.FloatType() if octets == 4 else ir.DoubleType())
            return builder.fpext(number, ir.DoubleType()) if octets == 4 else number

        return types.float64(types.int64), generate

    return cast("Callable[[int], float]", real)


real32, real64 = _real(4), _real(8)


@inline
def store8(memory: Any, at: int, octet: int) -> None:
    """Set one octet, unchecked."""
    memory[at] = octet


@kernel
def fill(numbers: Any, value: int) -> None:
    """Set every number."""
    numbers[:] = value


@kernel
def clear_row(numbers: Any, row: int) -> None:
    """Set every number of a row to zero."""
    numbers[row, :] = 0


@inline
def mix(first: int, second: int) -> int:
    """A hash of two numbers, 0 … 2**63-1: the same compiled and interpreted."""
    mixed = np.uint64(first) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(second) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed ^ mixed >> np.uint64(32)) >> np.uint64(1))  # pyright: ignore[reportReturnType]


@inline
def blend(a: int, b: int, c: int, d: int) -> int:
    """A sum of four numbers, each times a large one, 0 … 2**63-1: cheap, and to be mixed before it finds a place in an index."""
    total = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F)
    total += np.uint64(c) * np.uint64(0x165667B19E3779F9) + np.uint64(d) * np.uint64(0xD6E8FEB86659FD93)
    return np.int64(total >> np.uint64(1))  # pyright: ignore[reportReturnType]


def _prefetch_row(typing: Any, rows: Any, number: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        size = context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype))
        octets = ir.IntType(8).as_pointer()
        first = builder.bitcast(builder.gep(array.data, [arguments[1]]), octets)
        asked = builder.module.declare_intrinsic("llvm.prefetch", [octets], ir.FunctionType(ir.VoidType(), [octets, *[ir.IntType(32)] * 3]))
        for at in range(0, size, 64):
            line = builder.gep(first, [ir.IntType(64)(at)])
            builder.call(asked, [line, *(ir.IntType(32)(word) for word in (1, 3, 1))])  # to be written, for long, data
        return context.get_dummy_value()

    return types.none(rows, types.int64), generate


prefetch: Callable[[Any, int], None] = cast("Callable[[Any, int], None]", intrinsic(_prefetch_row))
"""Have the memory of a row brought near, for it is needed soon. Touches nothing: a row that is not there does no harm."""


def _move_octets(typing: Any, memory: Any, target: Any, source: Any, octets: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        cgutils.raw_memmove(builder, builder.gep(data, [arguments[1]]), builder.gep(data, [arguments[2]]), arguments[3], 1)
        return context.get_dummy_value()

    return types.none(memory, types.int64, types.int64, types.int64), generate


_move: Callable[[Any, int, int, int], None] = cast("Callable[[Any, int, int, int], None]", intrinsic(_move_octets))


@inline
def copy(memory: Any, target: int, source: int, octets: int) -> None:
    """Move octets inside the arena; nothing where either end is not in it."""
    if octets > 0 and min(target, source) >= 0 and max(target, source) + octets <= len(memory):
        _move(memory, target, source, octets)


def _carry_octets(typing: Any, source: Any, source_at: Any, target: Any, target_at: Any, octets: Any) -> Any:  # noqa: ARG001  (the compiler's convention)
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2)]
        cgutils.raw_memcpy(builder, builder.gep(data[1], [arguments[3]]), builder.gep(data[0], [arguments[1]]), arguments[4], 1)
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64, types.int64), generate


_carry: Callable[..., None] = cast("Callable[..., None]", intrinsic(_carry_octets))


@inline
def carry(source: Any, source_at: int, target: Any, target_at: int, octets: int) -> bool:
    """Copy octets from one memory to another; false, and nothing, where either end is not in its own."""
    if octets < 0 or min(source_at, target_at) < 0 or source_at + octets > len(source) or target_at + octets > len(target):
        return False
    _carry(source, source_at, target, target_at, octets)
    return True


@inline
def _word(memory: Any, at: int) -> Any:
    """Eight octets as one number, little endian, unchecked."""
    return np.uint64(load64le(memory, at))


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
