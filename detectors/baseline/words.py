"""Two registers of 16 bits that are one number: a whole number or a float (IEEE 754, 32 bits), the high word first or the low one.

The low word of such a number runs through all that 16 bits hold, as no measured value does. It belongs to the neighbour with which it makes sense, every
time: as a float of a usual size, or as a whole number that goes on where the low word wraps. One tag for both registers makes it likely, so that less proof
is enough.
"""

from __future__ import annotations

from math import isfinite
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from detectors.baseline.signs import HALF
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

MOST: Final = 4096  # numbers, and so many that may be ones; beyond them nothing more is learned, and that is counted
WIDE: Final = 49_152  # between the lowest and the highest value of a low word …
SEEN: Final = 30  # … in so many readings
NEEDED: Final = 20  # numbers that made sense, and …
TAGGED: Final = 5  # … so many where both have one tag
LATER: Final = 5  # more that the low word first needs, for the high word first is what most devices do
SIZES: Final = (100, 152)  # exponents of a float as on the wire: from 10⁻⁸ to 10⁷
SIZES_APART: Final = 12  # at most, of one number
ONWARDS: Final = 16_384  # a whole number moves no further from minute to minute
CARRIES: Final = 2  # times that the high word moved with the low one
KINDS: Final = ("float", "whole")


class Word(NamedTuple):
    """How the register at a place and the next one are one number."""

    kind: str
    swapped: bool = False

    def value(self, first: float, second: float) -> float | None:
        """The number; None for what is none, and for halves that are no words."""
        if not (isfinite(first + second) and first.is_integer() and second.is_integer()):
            return None
        number: float = unpack(">f" if self.kind == "float" else ">i", pack(">HH", *_halves(first, second, self.swapped)))[0]
        return float(number) if isfinite(number) else None


class Held:
    """The last values of both halves of a number, by observer and first register; a number is whole when a later minute begins."""

    def __init__(self, known: Mapping[tuple[str, Place, bool], list[Any]] | None = None) -> None:
        self.known = dict(known or {})

    def add(self, observer: str, first: Place, swapped: bool, half: int, start: int, value: float) -> list[Any] | None:
        """Takes a half in (0: the first register). Returns begin and both halves, where their minute is over."""
        held = self.known.setdefault((observer, first, swapped), [start, None, None])
        told = list(held) if start // MINUTE > held[0] // MINUTE and None not in held[1:] else None
        held[0], held[1 + half] = max(start, held[0]), value
        return told


class Trial:
    """What speaks for two registers being one number."""

    def __init__(self, swapped: bool) -> None:
        self.swapped = swapped
        self.may = {"float", "whole"}
        self._seen, self._carries = 0, 0
        self._middle = False
        self._sizes: list[int] = []
        self._last: int | None = None

    def add(self, first: float, second: float) -> None:
        """One more."""
        self._seen += 1
        high, low = _halves(first, second, self.swapped)
        whole, size = high << 16 | low, high >> 7 & 0xFF
        self._middle |= HALF // 2 <= low < HALF + HALF // 2  # where a signed number that passes zero is not
        if whole:
            self._sizes = [min([size, *self._sizes]), max([size, *self._sizes])]
            if not SIZES[0] <= self._sizes[0] <= self._sizes[1] <= min(SIZES[1], self._sizes[0] + SIZES_APART):
                self.may.discard("float")
        if self._last is not None:
            self._carries += self._last >> 16 != high
            if min((whole - self._last) % (1 << 32), (self._last - whole) % (1 << 32)) > ONWARDS:
                self.may.discard("whole")
        self._last = whole

    def word(self, needed: int) -> Word | None:
        """What they are, once enough was seen. A whole number that would be a float of a usual size is one of hundreds of millions, and rare."""
        if self._seen < needed or not self._sizes:
            return None
        if "float" in self.may and (self._middle or needed < NEEDED):
            return Word("float", self.swapped)
        return Word("whole", self.swapped) if "whole" in self.may and self._carries >= CARRIES else None


class Words:
    """The numbers that are known, by their first register. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Place, Word] | None = None, shed: int = 0) -> None:
        self.known = dict(known or {})
        self.shed = shed
        self.halves = {half: first for first in self.known for half in (first, beside(first, 1))}
        self._trials: dict[tuple[Place, bool], Trial] = {}
        self._held = Held()
        self._tags: dict[Place, list[str]] = {}

    def learn(
        self, observer: str, place: Place, start: int, values: tuple[float, float, float], tags: Sequence[str] | None, levels: dict[Place, Level]
    ) -> list[tuple[Place, int, float]]:
        """A register had these values (the least, the most, the last one). Gives the number that is whole now: its first register, when it was, its value."""
        if place in self.halves:
            first = self.halves[place]
            word = self.known[first]
            told = self._held.add(observer, first, word.swapped, int(place != first), start, values[2])
            return [(first, told[0], value)] if told and (value := word.value(*told[1:3])) is not None else []
        low, high, _ = values
        if isinstance(place.thing, str) or not (low.is_integer() and high.is_integer() and low >= -32_768 and high <= 65_535):
            return []
        lower, level = beside(place, -1), levels.get(place)
        if tags and (place in self._tags or len(self._tags) < MOST):
            self._tags[place] = list(tags)
        if level and ((level.seen >= SEEN and (level.signed or level.high - level.low >= WIDE)) or self._together(lower)):
            self._try(lower, False, levels)
            self._try(lower if self._together(lower) else place, True, levels)
        for first, swapped in ((lower, False), (lower, True), (place, False), (place, True)):
            trial = self._trials.get((first, swapped))
            told = trial and self._held.add(observer, first, swapped, int(place != first), start, values[2])
            if trial and told:
                trial.add(told[1], told[2])
                self._decide(first, trial, TAGGED if self._together(first) else NEEDED, levels)
        return []

    def _together(self, first: Place) -> bool:
        """Has the plant one name for both?"""
        return first in self._tags and self._tags[first] == self._tags.get(beside(first, 1))

    def _try(self, first: Place, swapped: bool, levels: Mapping[Place, Level]) -> None:
        pair = first, beside(first, 1)
        if (first, swapped) in self._trials or any(each not in levels or each in self.halves for each in pair):
            return
        if len(self._trials) >= MOST:
            self.shed += 1
            return
        self._trials[first, swapped] = Trial(swapped)

    def _decide(self, first: Place, trial: Trial, needed: int, levels: dict[Place, Level]) -> None:
        """What these two are, unless the low word belongs to the register before it."""
        word = trial.word(needed + LATER if trial.swapped else needed)
        other = self._trials.get((first if self._together(first) else beside(first, -1), False)) if trial.swapped else None
        pair = first, beside(first, 1)
        if word is None or (other and other.may) or any(each in self.halves for each in pair):
            return
        self.known[first] = word
        self.halves |= dict.fromkeys(pair, first)
        for each in pair:
            levels.pop(each, None)
        gone = {beside(first, step) for step in (-1, 0, 1)}
        self._trials = {key: each for key, each in self._trials.items() if key[0] not in gone}


def beside(place: Place, step: int) -> Place:
    """The register so many further on."""
    return place._replace(thing=cast("int", place.thing) + step)


def _halves(first: float, second: float, swapped: bool) -> tuple[int, int]:
    one, other = int(first) & 0xFFFF, int(second) & 0xFFFF
    return (other, one) if swapped else (one, other)
