"""Levels: which values each point of a device had, how fast they moved, how long they stood; and which were written to it.

What is behind a point is its device, protocol, unit, space and object. How far beyond what was learned a value may lie follows from how many different ones
were: of a set point that was changed twice in a day little is known, of a level that moved every minute much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 65_536  # points; beyond them nothing more is learned, and that is counted
WRITES: Final = frozenset({"value.write", "setpoint.write", "output.operate"})
POINTS: Final = (
    "destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "observer.name", "event.start", "ot.point.min",
    "ot.point.max", "ot.point.first", "ot.point.last",
)  # fmt: skip
ROWS: Final = (
    "destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.effect", "event.outcome", "ot.value",
)  # fmt: skip
# Up to so many different values: how much of their size, and of the range that they had, lies between them and what nobody would set.
ROOM: Final = ((4, 0.5, 2.0), (9, 0.15, 1.0), (29, 0.05, 0.5), (59, 0.02, 0.35))
MUCH_ROOM: Final = (0.002, 0.25)  # of more
RETURNS: Final = 0.8  # of its range between its first and last value: it went one way
KNOWN: Final = 60  # values of which that is enough to judge what nobody wrote


class Place(NamedTuple):
    """Where a value is: `thing` is the object as on the wire, or its name."""

    device: str
    protocol: str
    unit: int | None
    space: str | None
    thing: int | str


@dataclass(slots=True)
class Level:
    """The range of a point's values, `seen` so many different ones, one after the other; `step`: the most that it moved in a minute, `still`: minutes that it
    stood at most, `returns`: whether it came back to where it was, which counters, stocks and what else goes one way did not.
    """

    low: float
    high: float
    seen: int = 1
    step: float = 0.0
    still: int = 0
    returns: bool = False

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


class Levels:
    """The levels of all points. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Place, Level] | None = None, shed: int = 0) -> None:
        self.known = dict(known or {})
        self.shed = shed
        self._last: dict[tuple[str, Place], tuple[int, float]] = {}  # by observer and point: minute and value
        self._written: dict[Place, float] = {}
        self._first: dict[Place, float] = {}

    def learn(self, points: pa.Table, rows: pa.Table) -> None:
        """What these points were, and what these activities wrote, is normal."""
        self._seen(points)
        self._writes(rows)

    def _seen(self, points: Any) -> None:
        for *where, observer, start, low, high, first, last in zip(*(_column(points, name) for name in POINTS), strict=True):
            place = place_of(*where)
            if place is None or low is None or not isfinite(low + high):
                continue
            level = self._level(place, low, high)
            if level is None:
                continue
            before, minute = self._last.get((observer, place)), start // MINUTE
            level.returns = abs(last - self._first.setdefault(place, first)) < RETURNS * (level.high - level.low)
            level.step = max(level.step, high - low)
            if before is not None:
                level.seen += 1
                level.still = max(level.still, minute - before[0])
            self._last[observer, place] = max(minute, before[0] if before else 0), last

    def _writes(self, rows: Any) -> None:
        for *where, effect, outcome, value in zip(*(_column(rows, name) for name in ROWS), strict=True):
            if value is None or effect not in WRITES or outcome == "failure" or not isfinite(value):
                continue
            place = place_of(*where)
            if place is None:
                continue
            level = self._level(place, value, value)
            if level is not None and self._written.get(place) != value:
                level.seen += place in self._written
                self._written[place] = value

    def _level(self, place: Place, low: float, high: float) -> Level | None:
        level = self.known.get(place)
        if level is None:
            if len(self.known) >= MOST:
                self.shed += 1
                return None
            level = self.known[place] = Level(low, high)
        level.stretch(low, high)
        return level


def place_of(device: Any, protocol: Any, unit: Any, space: Any, name: Any, first: Any) -> Place | None:
    """The point of these columns; None where device or object is not known."""
    thing = first if first is not None else name
    return Place(device, protocol or "unknown", unit, space, thing) if device is not None and thing is not None else None


def _column(table: Any, name: str) -> list[Any]:
    column = table[name]
    return (column.cast(pa.int64()) if name == "event.start" else column).to_pylist()
