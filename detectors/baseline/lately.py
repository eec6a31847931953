"""What was told lately, so that it is not told again and again: a thing is news again after an hour or a day, and a measured value, which may be as far out
at every peak of the town as at the one before, after a week, or a day where it is further out by then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from records.formats import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.baseline.places import Place

MOST: Final = 16_384  # things that are remembered, the last ones
AGAIN: Final = {"setpoint-outside": HOUR, "setpoint-creeps": HOUR, "value-outside": 7 * DAY, "value-drifts": 7 * DAY}  # of others a day
SAME: Final = {"value-drifts": ("value-outside",)}  # a point that has left its range has drifted there
NEVER: Final = 8 * DAY  # longer ago than anything that is told again
FURTHER: Final = 1.0  # than it was told, in times the room that there is


class Lately:
    """When what was told of a point, and how far out it was."""

    def __init__(self, told: Mapping[str, int] | None = None, far: Mapping[str, float] | None = None) -> None:
        self.told = dict(told or {})
        self.far = dict(far or {})

    def news(self, rule: str, observer: str | None, place: Place, time: int, far: float = 0.0) -> bool:
        """Was this not told lately? From now on it was. `far`: how far out it is, in times the room that there is."""
        if any(self._passed(other, observer, place, time) < DAY for other in SAME.get(rule, ())):
            return False
        key, again, passed = _key(rule, observer, place), AGAIN.get(rule, DAY), self._passed(rule, observer, place, time)
        if passed < again and (passed < DAY or far < self.far.get(key, 0.0) + FURTHER):
            return False
        for known in (self.told, self.far):
            known.pop(key, None)
        self.told[key] = time
        if far:
            self.far[key] = far
        if len(self.told) > MOST:
            gone = next(iter(self.told))
            del self.told[gone]
            self.far.pop(gone, None)
        return True

    def _passed(self, rule: str, observer: str | None, place: Place, time: int) -> int:
        """Nanoseconds since it was told; never is long ago."""
        return time - self.told.get(_key(rule, observer, place), time - NEVER)


def _key(rule: str, observer: str | None, place: Place) -> str:
    return json.dumps([rule, observer, *place])
