"""Whether the clock of this machine was set: packets have its times."""

from __future__ import annotations

import time
from typing import Final

STEP_S: Final = 10.0  # less is as clocks differ


class Stepping:
    """How far the clock is ahead of one that nobody sets."""

    def __init__(self) -> None:
        self._ahead = _ahead()

    def look(self) -> list[dict[str, object]]:
        """By how many seconds it was set back or on since the last look."""
        moved, self._ahead = _ahead() - self._ahead, _ahead()
        if abs(moved) < STEP_S:
            return []
        return [{"set_back" if moved < 0 else "set_on": round(abs(moved))}]


def _ahead() -> float:
    return time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
