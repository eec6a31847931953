"""Between what each point may be, by what was learned of it; worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from detectors.baseline.levels import KNOWN
from detectors.baseline.signs import side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

JUMP: Final = 3.0  # times the most that it ever moved in a minute, and half of its range
INFINITE: Final = float("inf")


class Bound(NamedTuple):
    """Between what a point may be and how far it may move in a minute, where enough was learned; how it is read, and between what it is usual."""

    least: float = -INFINITE
    most: float = INFINITE
    step: float = INFINITE
    side: float = 0.0
    low: float = INFINITE
    high: float = -INFINITE


UNKNOWN: Final = Bound()


class Bounds:
    """The bounds of these points, in columns; what is not known has the number -1, and the last ones."""

    def __init__(self, known: Mapping[Place, Level]) -> None:
        self.numbers: dict[Place | None, int] = {place: number for number, place in enumerate(known)}
        self._rows = [*(_bound(place, level) for place, level in known.items()), UNKNOWN]
        self.columns: Any = np.array(self._rows, float).T.copy()

    def of(self, place: Place) -> Bound:
        """Those of this point."""
        return self._rows[self.numbers.get(place, -1)]


def _bound(place: Place, level: Level) -> Bound:
    room, where = level.room, float(side(level, place))
    if room is None:
        return Bound(side=where)
    least, most = level.low - room, level.high + room
    if level.seen < KNOWN:
        return Bound(side=where, low=least, high=most)
    step = max(JUMP * level.step, (level.high - level.low) / 2) if level.step else INFINITE
    return Bound(least, most, step, where, least, most)
