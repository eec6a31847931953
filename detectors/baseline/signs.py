"""Registers of 16 bits that hold a signed number: −2 stands there as 65534, and nothing on the wire says so but how the values move.

What passes zero goes from near 0 to near 65535 at once, and back, as no unsigned value does; what passes 32768 in small steps is unsigned. 0 and 65535 alone
are two states; what passes zero and 32768 goes round, as the low word of a slow counter does, and has no range. Of a register that never passed zero in the
time that was learned nobody knows: it is read as signed where it is usual then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

    Floats = npt.NDArray[np.float64]

HALF: Final = 32_768
WHOLE: Final = 65_536
SURE: Final = 4  # times shorter is the way through zero, or it says nothing
REGISTERS: Final = frozenset({"holding_register", "input_register"})
SURELY: Final = 2  # not only where that is usual
VALUES: Final = ("ot.point.min", "ot.point.max", "ot.point.first", "ot.point.last")
Values = tuple[float, float, float, float]  # the least and the greatest one, the first and the last one


@dataclass(slots=True)
class Sign:
    """What a register that was on both sides of 32768 is where it is read as signed, and whether its way speaks for that, and never against it."""

    low: float
    high: float
    step: float = 0.0
    speaks: bool = False
    against: bool = False

    @property
    def signed(self) -> bool:
        """Is it a signed number?"""
        return self.speaks and not self.against and (self.low, self.high) != (-1.0, 0.0)


class Signs:
    """Which registers are signed, while it is learned."""

    def __init__(self) -> None:
        self._known: dict[Place, Sign] = {}

    def read(self, place: Place, level: Level | None, before: float | None, values: Values) -> Values:
        """What the values of a point mean; `level` becomes a signed one, or an unsigned one again, where they tell. `before`: what it was last."""
        if not raw(place.space) or not all(value.is_integer() and 0 <= value < WHOLE for value in values):
            return values
        sign = self._known.get(place)
        if sign is None and (level is None or level.signed or (level.high < HALF and values[1] < HALF) or (level.low >= HALF and values[0] >= HALF)):
            return signed(values) if level and level.signed else values
        if level is None:
            return values
        low, high, first, last = told = signed(values)
        if sign is None:
            sign = self._known[place] = Sign(*signed((level.low, level.high, level.low, level.high))[:2], level.step, against=level.low < HALF <= level.high)
        sign.low, sign.high, sign.step = min(sign.low, low), max(sign.high, high), max(sign.step, high - low)
        moves = [(first, last), (low, high), *([(before, first)] if before is not None else [])]
        ways = [_shorter(one % WHOLE, other % WHOLE) for one, other in moves]
        sign.speaks |= True in ways
        sign.against |= False in ways
        _turn(level, sign)
        return told if level.signed else values

    def wraps(self, place: Place) -> bool:
        """Does it go on through 32768 and through zero, too, as a counter does and the low word of one?"""
        sign = self._known.get(place)
        return sign is not None and sign.speaks and sign.against

    def forget(self, place: Place) -> None:
        """It is no value of its own."""
        self._known.pop(place, None)


def raw(space: str | None) -> bool:
    """Are these registers of which the protocol says no sign?"""
    space = space or ""
    return space in REGISTERS or (space.endswith("_word") and not space.endswith("double_word"))


def signed(values: Values) -> Values:
    """The same read as signed. Of a minute that passes zero the ends that nobody saw stay unknown."""
    read = [value - WHOLE if HALF <= value < WHOLE else value for value in values]
    return min(read), max(read), read[2], read[3]


def written(level: Level | None, value: float) -> float:
    """What a value means that was written."""
    return signed((value, value, value, value))[0] if level and level.signed else value


def side(level: Level | None, place: Place | None) -> int:
    """How values are read. 0: as they stand. 1: 32768 or more is below zero, if that is usual; SURELY: always. -1: less is behind 65535, if that is usual."""
    if level is None or place is None or not raw(place.space):
        return 0
    if level.signed:
        return SURELY
    return 1 if 0 <= level.low <= level.high < HALF else -1 if HALF <= level.low <= level.high < WHOLE else 0


def meant(values: Floats, sides: Floats, least: Floats, most: Floats) -> None:
    """Makes values, in columns as VALUES has them, what they mean; [row] → its side, and between what it may be and be usual."""
    low, high = values[:2]
    some = np.flatnonzero(((sides > 0) & (high >= HALF) & (high < WHOLE)) | ((sides < 0) & (low >= 0) & (low < HALF)))
    if not len(some):
        return
    there = values[:, some]
    told = np.where(sides[some] > 0, np.where(there >= HALF, there - WHOLE, there), np.where(there < HALF, there + WHOLE, there))
    told[0], told[1] = told.min(0), told.max(0)
    good = (sides[some] == SURELY) | ((told[0] >= least[some]) & (told[1] <= most[some]))
    values[:, some[good]] = told[:, good]


def _shorter(one: float, other: float) -> bool | None:
    """Is the way through zero the shorter one? None where neither is for sure, or it stays on its side."""
    apart = abs(one - other)
    around = WHOLE - apart
    if (one < HALF) == (other < HALF) or (around < apart < SURE * around):
        return None
    return around < apart


def _turn(level: Level, sign: Sign) -> None:
    """The level is read the other way where that was found."""
    if sign.signed and not level.signed:
        if level.low >= HALF:
            level.least, level.most = level.least - WHOLE, level.most - WHOLE
        elif level.high >= HALF:
            level.blocks, level.least, level.most, level.spread = 0, 0.0, 0.0, 0.0
        level.low, level.high, level.step, level.signed = sign.low, sign.high, sign.step, True
    elif level.signed and not sign.signed:
        level.low, level.high, level.step, level.signed = 0.0, WHOLE - 1.0, WHOLE - 1.0, False
        level.blocks, level.least, level.most, level.spread = 0, 0.0, 0.0, 0.0
