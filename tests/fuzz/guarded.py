"""Arrays between pages that nobody may touch: one octet too far ends the process instead of reading or spoiling what happens to lie there."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import Any, Final

import numpy as np

from sensors.engine import interpreted
from sensors.engine.interfaces import counters_of
from sensors.engine.octets import plain
from sensors.engine.tables import table
from sensors.sensor import Sensor

GUARD: Final = 1 << 20  # on either side: a stride of several rows does not get over it
_PROT_NONE: Final = 0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(array: Any, ends: bool) -> Any:
    """A copy of `array` that ends right before such pages or, where `ends` is false, begins right behind them."""
    pages = -(-max(array.nbytes, 1) // mmap.PAGESIZE) * mmap.PAGESIZE
    ground = mmap.mmap(-1, pages + 2 * GUARD)
    start = ctypes.addressof(ctypes.c_char.from_buffer(ground))
    for place in (start, start + GUARD + pages):
        if _libc.mprotect(place, GUARD, _PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    at = GUARD + (pages - array.nbytes if ends else 0)
    moved: Any = np.frombuffer(ground, array.dtype, array.size, at).reshape(array.shape)
    if array.reshape(-1).view(np.uint8).any():  # zeros need not be copied, and large tables are zeros
        moved[...] = array
    return moved.view(type(array))


class Tables:
    """Guarded tables by what they hold: to make one takes longer than to dissect a message."""

    def __init__(self, ends: bool) -> None:
        self._ends = ends
        self._made: dict[tuple[int, Any], Any] = {}

    def blank(self, rows: int, dtype: Any) -> Any:
        """A table of zeros; what it held before is gone."""
        made = self._made.get((rows, dtype))
        if made is None:
            made = self._made[rows, dtype] = guarded(table(rows, dtype), self._ends)
        else:
            made.view(np.uint8)[:] = 0
        return made


def guard(owners: tuple[Any, ...], ends: bool) -> int:
    """Move every table that is an attribute of these to such a place, once; returns how many."""
    moved: dict[int, Any] = {}
    for owner in owners:
        attributes: dict[str, Any] = {name: getattr(owner, name) for name in (*getattr(owner, "__slots__", ()), *getattr(owner, "__dict__", {}))}
        for name, value in attributes.items():
            assert not isinstance(value, ctypes.Array), f"{name} is a table that would stay where it is"
            if type(value) in (np.ndarray, np.recarray):
                if id(value) not in moved:
                    moved[id(value)] = (guarded(value, ends), value)  # the old one is kept: its number must stay its own
                setattr(owner, name, moved[id(value)][0])
        for name, value in attributes.items():
            if type(value) is memoryview and id(value.obj) in moved:
                setattr(owner, name, plain(moved[id(value.obj)][0]))
    return len(moved)


@cache
def _strict(rows: Any) -> Any:
    """This kind of array, without Python's negative indices."""

    def item(self: Any, at: int) -> Any:
        if at < 0:
            raise IndexError(f"row {at}")
        return rows.__getitem__(self, at)

    return type("Strict", (rows,), {"_length_": rows._length_, "_type_": rows._type_, "__getitem__": item})


def refuse_negative() -> None:
    """From now on, a negative row number raises in an interpreted kernel. Python and numba take it from the end of the table, where no page guards."""
    plainly: Any = interpreted.plain

    def strictly(argument: Any) -> Any:
        made = plainly(argument)
        return _strict(made.__class__).from_buffer(argument) if hasattr(made, "_length_") and len(argument) else made

    interpreted.plain = strictly


class GuardedSensor(Sensor):
    """A sensor all of whose tables lie between such pages."""

    def __init__(self, batch: int, ends: bool) -> None:
        super().__init__("observer", "site", "file", batch=batch)
        tables = guard((self, self.ledger, self.release, self.release.naming, *self._relay.things), ends)
        assert tables > 40, "the tables of the sensor are elsewhere now"
        self.talks = self.conversations[: len(self.talks)]  # the first rows of that table
        self.counters = self.ledger.counters = counters_of(self.streams)  # in the row of that one
