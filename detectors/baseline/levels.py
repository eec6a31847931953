"""Levels: which values each point of a device had, how fast they moved, how long they stood; and which were written to it.

What is behind a point is its device, protocol, unit, space and object. How far beyond what was learned a value may lie follows from how many different ones
were: of a set point that was changed twice in a day little is known, of a level that moved every minute much.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite, sqrt
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.baseline.follows import Follows
from detectors.baseline.places import WHERE, place_of
from detectors.baseline.signs import HALF, Signs, written
from detectors.baseline.words import Words
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.baseline.follows import Follow, Pair
    from detectors.baseline.places import Place
    from detectors.baseline.signs import Values
    from detectors.baseline.words import Word

MOST: Final = 65_536  # points; beyond them nothing more is learned, and that is counted
WRITES: Final = frozenset({"value.write", "setpoint.write", "output.operate"})
POINTS: Final = (*WHERE, "ot.tag.name", "observer.name", "event.start", "ot.point.min", "ot.point.max", "ot.point.first", "ot.point.last")
ROWS: Final = (*WHERE, "ot.effect", "event.outcome", "ot.value")
# Up to so many different values: how much of their size, and of the range that they had, lies between them and what nobody would set.
ROOM: Final = ((4, 0.5, 2.0), (9, 0.15, 1.0), (29, 0.05, 0.5), (59, 0.02, 0.35))
MUCH_ROOM: Final = (0.002, 0.25)  # of more
RETURNS: Final = 0.8  # of its range between its first and last value: it went one way
KNOWN: Final = 60  # values of which that is enough to judge what nobody wrote
BLOCK: Final = 10  # minutes whose median is where a point was in the long run
BLOCKS: Final = 144  # of a day
DAYS: Final = 4  # that tell how far it wanders from one to the next
MOST_DAYS: Final = 15  # that are kept, the last ones


@dataclass(slots=True)
class Level:
    """The range of a point's values, `seen` so many different ones, one after the other; `step`: the most that it moved in a minute, `still`: minutes that it
    stood at most, `returns`: whether it came back to where it was, which counters, stocks and what else goes one way did not. `least`, `most`, `spread`: of
    its medians over ten minutes, `blocks` of them; `signed`: a register whose values from 32768 on are below zero; `wander`: how
    far its mean of a day is from that of the day before, as a rule.
    """

    low: float
    high: float
    seen: int = 1
    step: float = 0.0
    still: int = 0
    returns: bool = False
    least: float = 0.0
    most: float = 0.0
    spread: float = 0.0
    blocks: int = 0
    signed: bool = False
    wander: float = 0.0

    @property
    def long(self) -> bool:
        """Were many different values of it learned?"""
        return self.seen >= KNOWN

    @property
    def room(self) -> float | None:
        """How far beyond its range a value may lie; None where that says nothing: two states, zero alone, a counter."""
        size, span = max(abs(self.low), abs(self.high)), self.high - self.low
        if size == 0 or ({self.low, self.high} <= {0.0, 1.0}) or (self.seen >= KNOWN and not self.returns):
            return None
        part, share = next(((part, share) for most, part, share in ROOM if self.seen <= most), MUCH_ROOM)
        return part * size + share * span

    @property
    def moves(self) -> bool:
        """Is it always on the move?"""
        return self.seen >= KNOWN and 0 < self.still <= 10

    def stretch(self, low: float, high: float) -> None:
        """It had these values."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    def settle(self, middle: float, mean: float) -> float:
        """It was there for ten minutes, and in the mean here before. Returns the mean now (the sums are B. P. Welford's)."""
        self.least, self.most = (min(self.least, middle), max(self.most, middle)) if self.blocks else (middle, middle)
        squares, self.blocks = self.spread**2 * self.blocks, self.blocks + 1
        now = mean + (middle - mean) / self.blocks
        self.spread = sqrt((squares + (middle - mean) * (middle - now)) / self.blocks)
        return now


@dataclass(slots=True)
class Days:
    """Where a point was in the mean of each day; `day` is not over yet, and it was there in so many blocks of it, and as much in sum."""

    day: int = 0
    blocks: int = 0
    total: float = 0.0
    means: list[float] = field(default_factory=list[float])

    def add(self, day: int, where: float) -> float:
        """It was there for ten minutes of this day. Returns how far it wanders from day to day: the median, so that a week-end is none."""
        if day > self.day:
            if self.blocks >= BLOCKS / 2:
                self.means = [*self.means, self.total / self.blocks][-MOST_DAYS:]
            self.day, self.blocks, self.total = day, 0, 0.0
        self.blocks, self.total = self.blocks + 1, self.total + where
        return median(abs(other - one) for one, other in pairwise(self.means)) if len(self.means) >= DAYS else 0.0


class Levels:
    """The levels of all points, which of them are one number, and which follows which. `shed` counts those for which there was no room."""

    def __init__(
        self, known: Mapping[Place, Level] | None = None, shed: int = 0, follows: Mapping[Pair, Follow] | None = None, words: Mapping[Place, Word] | None = None
    ) -> None:
        self.known = dict(known or {})
        self._shed = shed
        self._follows = Follows(follows)
        self.words = Words(words)
        self._signs = Signs()
        self._blocks: dict[tuple[str, Place], tuple[int, list[float]]] = {}  # by observer and point: the block that is not over and its minutes
        self._means: dict[Place, float] = {}
        self._days: dict[Place, Days] = {}
        self._last: dict[tuple[str, Place], tuple[int, float]] = {}  # by observer and point: minute and value
        self._written: dict[Place, float] = {}
        self._first: dict[Place, float] = {}

    @property
    def shed(self) -> int:
        """Points, pairs and numbers that found no room."""
        return self._shed + self._follows.shed + self.words.shed

    @property
    def follows(self) -> dict[Pair, Follow]:
        """Set points and the process values that follow them."""
        return self._follows.known(self.known)

    def learn(self, points: pa.Table, rows: pa.Table) -> None:
        """What these points were, and what these activities wrote, is normal."""
        self._seen(points)
        self._writes(rows)

    def _seen(self, points: Any) -> None:
        for *where, tags, observer, start, low, high, first, last in zip(*(_column(points, name) for name in POINTS), strict=True):
            place = place_of(*where)
            if place is None or low is None or not isfinite(low + high):
                continue
            for number, begun, value in self.words.learn(observer or "", place, start, (low, high, last), tags, self.known):
                self._had(observer, number, begun, (value, value, value, value))
            if place not in self.words.halves:
                self._had(observer, place, start, (low, high, first, last))

    def _had(self, observer: str, place: Place, start: int, values: tuple[float, float, float, float]) -> None:
        """A point had these values: the least, the most, the first and the last one."""
        if place not in self.known:  # or not any more, for what was known of it was half a number
            self._forget(observer, place)
            self._signs.forget(place)
        before, minute = self._last.get((observer, place)), start // MINUTE
        low, high, first, last = self._meant(observer, place, before[1] if before else None, values)
        level = self._level(place, low, high)
        if level is None:
            return
        level.returns = not self._signs.wraps(place) and abs(last - self._first.setdefault(place, first)) < RETURNS * (level.high - level.low)
        level.step = max(level.step, high - low)
        if before is not None:
            level.seen += 1
            level.still = max(level.still, minute - before[0])
        self._last[observer, place] = max(minute, before[0] if before else 0), last
        self._settle(observer, place, level, minute, (low + high) / 2)
        self._follows.changed(observer, place, last, minute)

    def _meant(self, observer: str, place: Place, before: float | None, values: Values) -> Values:
        """The same as what it means; what was taken for something else is forgotten."""
        level = self.known.get(place)
        was = (level.signed, level.high) if level else None
        told = self._signs.read(place, level, before, values)
        if level and was and level.signed != was[0] and was[1] >= (0 if was[0] else HALF):
            self._forget(observer, place)
        return told

    def _forget(self, observer: str, place: Place) -> None:
        for by_place in (self._first, self._means, self._days):
            by_place.pop(place, None)
        for by_both in (self._last, self._blocks):
            by_both.pop((observer, place), None)

    def _settle(self, observer: str, place: Place, level: Level, minute: int, middle: float) -> None:
        """A point was there in this minute."""
        block, minutes = self._blocks.get((observer, place), (minute // BLOCK, []))
        if minute // BLOCK > block:
            where = median(minutes)
            self._means[place] = level.settle(where, self._means.get(place, (level.least + level.most) / 2))
            level.wander = self._days.setdefault(place, Days()).add(block // BLOCKS, where)
            self._follows.settled(observer, place, where, (block + 1) * BLOCK)
            block, minutes = minute // BLOCK, []
        self._blocks[observer, place] = block, [*minutes, middle]

    def _writes(self, rows: Any) -> None:
        for *where, effect, outcome, value in zip(*(_column(rows, name) for name in ROWS), strict=True):
            if value is None or effect not in WRITES or outcome == "failure" or not isfinite(value):
                continue
            place = place_of(*where)
            if place is None or place in self.words.halves:
                continue
            value = written(self.known.get(place), value)
            level = self._level(place, value, value)
            if level is not None and self._written.get(place) != value:
                level.seen += place in self._written
                self._written[place] = value

    def _level(self, place: Place, low: float, high: float) -> Level | None:
        level = self.known.get(place)
        if level is None:
            if len(self.known) >= MOST:
                self._shed += 1
                return None
            level = self.known[place] = Level(low, high)
        level.stretch(low, high)
        return level


def _column(table: Any, name: str) -> list[Any]:
    column = table[name]
    return (column.cast(pa.int64()) if name == "event.start" else column).to_pylist()
