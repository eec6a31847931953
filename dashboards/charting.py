"""The axis of a chart of values, and its steps in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from detectors.phrases import number

if TYPE_CHECKING:
    from dashboards.page import Page

HUGE: Final = 1e300  # what lies beyond is drawn at the edge


def axis_levels(low: float, high: float) -> tuple[float, float, list[tuple[float, str]]]:
    """(bottom, top, marks at round values with their words) for values from `low` to `high`; a single value gets room around it."""
    low, high = sorted(0.0 if math.isnan(value) else min(max(value, -HUGE), HUGE) for value in (low, high))
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.5)
    bottom, top = low - room, high + room
    step = _round((top - bottom) / 5)
    first, last = math.ceil(bottom / step), math.floor(top / step)
    return bottom, top, [(at * step, number(float(f"{at * step:.12g}"))) for at in range(first, min(last, first + 12) + 1)]


def _round(step: float) -> float:
    """The next of 1, 2, 5, 10 …"""
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= step * (1 - 1e-9))


def step_words(page: Page, step: dict[str, Any]) -> str:
    """A step's last value, and its range where there is one."""
    last = page.say("explore.at_last", value=number(step["last"]))
    return last if step["low"] == step["high"] else page.say("explore.between", last=last, low=number(step["low"]), high=number(step["high"]))
