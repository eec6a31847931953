"""Between what each point may be, by what was learned of it; worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from detectors.baseline.levels import KNOWN
from detectors.baseline.places import place_of
from detectors.baseline.signs import side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

MOST: Final = 65_536  # kinds of rows that were looked up
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
        self.columns: Any = np.array(self._rows, float).T
        self._kinds: dict[tuple[Any, ...], int] = {}  # every batch has the same ones

    def of_kinds(self, kinds: Sequence[tuple[Any, ...]]) -> npt.NDArray[np.int64]:
        """The numbers of points by the columns of WHERE and their observer."""
        found = [*map(self._kinds.get, kinds)]
        for at in [at for at, number in enumerate(found) if number is None]:
            if len(self._kinds) >= MOST:
                self._kinds.clear()
            found[at] = self._kinds[kinds[at]] = self.numbers.get(place_of(*kinds[at][:-1]), -1)
        return np.array(found, np.int64)

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
