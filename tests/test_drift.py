"""What moves slowly: a season that goes on as the days that were learned is no finding, a sensor that fails is, and so is a season that nobody saw coming."""

from __future__ import annotations

from functools import cache
from math import pi, sin
from typing import TYPE_CHECKING

import pytest

from detectors.baseline.learned import Learned
from detectors.baseline.levels import Days
from detectors.methods.value import Value
from records.model import Batch
from tests.knowing import batch, point

if TYPE_CHECKING:
    from records.model import Finding

DAY = 1440
WEEK = 7 * DAY
TREND = 0.4  # a day


def told(minutes: range, learned: float, trend: float = 0.0) -> Batch:
    """A day's ups and downs, a reading every ten minutes, and from day to day a little more, for a week by one trend, then by another."""
    return batch(
        values=[
            point(minute, where - 0.2, where + 0.2 * (minute // 10 % 3))
            for minute in minutes
            for where in [20 + 3 * sin(minute * 2 * pi / DAY) + (learned * min(minute, WEEK) + trend * max(0, minute - WEEK)) / DAY]
        ]
    )


@cache
def week(trend: float) -> Learned:
    made, rows = Learned(), told(range(0, WEEK, 10), trend)
    made.learn(rows.activities, rows.points)
    return made


def judged(learned: float, trend: float, size: int = 1000, wander: float | None = None) -> list[Finding]:
    value, rows = Value({}), told(range(WEEK, WEEK + 4 * DAY, 10), learned, trend).points
    value.restore(week(learned).states()["value"])
    for level in value.levels.known.values():
        level.wander = level.wander if wander is None else wander
    value.restore(value.state())
    found: list[Finding] = []
    for first in range(0, rows.num_rows, size):
        found += value.judge(Batch(points=rows.slice(first, size)))
        value.restore(value.state())
    return found


def test_a_season_goes_on_as_the_days_that_were_learned() -> None:
    (level,) = week(TREND).levels.known.values()
    assert level.wander == pytest.approx(TREND, abs=0.05)
    assert judged(TREND, TREND) == judged(TREND, -TREND) == []
    assert {finding.rule for finding in judged(TREND, TREND, wander=0.0)} == {"value-drifts"}, "but for the days"


@pytest.mark.parametrize("size", [7, 1000])
def test_a_failing_sensor_is_told(size: int) -> None:
    """Three times as fast as the season: in the second day, before it leaves its range."""
    minutes = {finding.rule: int(finding.activities[0].split("-")[1]) for finding in reversed(judged(TREND, 3 * TREND, size))}
    assert minutes["value-drifts"] < min(minutes["value-outside"], WEEK + 2 * DAY)


def test_a_season_that_nobody_saw_coming_is_told() -> None:
    assert {finding.rule for finding in judged(0.0, TREND)} == {"value-drifts"}


def test_a_week_end_is_no_wandering() -> None:
    days = Days()
    told_of = [days.add(number // 144, 9.0 if number // 144 in (3, 4) else 1.0) for number in range(7 * 144)]
    assert told_of[-1] == 0.0
    assert Days().add(0, 5.0) == 0.0
