"""Which process value follows which set point: the one that was where its set point was, whenever that was about to be changed.

A set point rests; a process value moves. Just before a set point is changed, and at the end of what is learned, the process has settled at it. Who was near it
then, each time, and at values that lie further apart than it ever lay from them, follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

MOST: Final = 16_384  # pairs that may be ones; beyond them nothing more is learned, and that is counted
RESTS: Final = 30  # minutes that a set point was not changed, so that the process has settled
NEAR: Final = 0.1  # of the set point
APART: Final = 4.0  # times the farthest that it lay from its set point: that apart must the set point's values be
FRESH: Final = 20  # minutes since the process value was seen

Pair = tuple["Place", "Place"]  # set point, process value


class Follow(NamedTuple):
    """The set point's values between which it followed, and the farthest that it ever lay from it."""

    low: float
    high: float
    worst: float


class Follows:
    """The pairs of all devices. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Pair, Follow] | None = None, shed: int = 0) -> None:
        self._known = dict(known or {})
        self.shed = shed
        self._maybe: dict[Pair, Follow] = {}
        self._tried: set[Place] = set()
        self._rests: dict[tuple[str, Place], tuple[float, int]] = {}  # by observer and point: its value, and since which minute
        self._settled: dict[tuple[str, str], dict[Place, tuple[float, int]]] = {}  # by observer and device: where each point was, and until which minute

    def settled(self, observer: str, place: Place, median: float, until: int) -> None:
        """Where a point was in the minutes until then."""
        self._settled.setdefault((observer, place.device), {})[place] = median, until

    def changed(self, observer: str, place: Place, value: float, minute: int) -> None:
        """A point has this value from this minute on."""
        before = self._rests.get((observer, place))
        if before and before[0] != value and minute - before[1] >= RESTS:
            self._sample(self._maybe, observer, place, before[0], minute)
            self._tried.add(place)
        self._rests[observer, place] = value, minute

    def known(self, levels: Mapping[Place, Level]) -> dict[Pair, Follow]:
        """All that was learned so far."""
        maybe = dict(self._maybe)
        for (observer, place), (value, since) in self._rests.items() if maybe else ():
            newest = max((until for _, until in self._settled.get((observer, place.device), {}).values()), default=0)
            if place in self._tried and newest - since >= RESTS:
                self._sample(maybe, observer, place, value, newest)
        return self._known | {
            pair: each
            for pair, each in maybe.items()
            if pair[0] in levels and not levels[pair[0]].long and pair[1] in levels and levels[pair[1]].long
            if each.high > each.low and each.worst * APART <= each.high - each.low
        }

    def _sample(self, maybe: dict[Pair, Follow], observer: str, place: Place, value: float, minute: int) -> None:
        """The process had settled at this set point."""
        for other, (median, until) in self._settled.get((observer, place.device), {}).items():
            if other == place or other.protocol != place.protocol or minute - until > FRESH:
                continue
            pair, beyond = (place, other), abs(median - value)
            each = maybe.get(pair)
            if beyond > NEAR * abs(value):
                maybe.pop(pair, None)
            elif each:
                maybe[pair] = Follow(min(each.low, value), max(each.high, value), max(each.worst, beyond))
            elif place not in self._tried and len(maybe) < MOST:
                maybe[pair] = Follow(value, value, beyond)
            elif place not in self._tried:
                self.shed += 1
