"""What is told again of a point, and when: not at every peak that is as high as the one before."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from detectors.baseline import lately
from detectors.baseline.lately import Lately
from detectors.baseline.learned import Learned
from detectors.baseline.places import Place
from detectors.methods.value import Value, floored
from records.formats import DAY, HOUR, MINUTE
from tests.knowing import NORMAL, batch, point

if TYPE_CHECKING:
    from records.model import Batch, Finding

LEVEL = Place("10.1.0.9", "modbus", 1, "holding_register", 4)
NOON = 1_772_539_200 * 10**9


def news(each: Lately, rule: str, hours: float, far: float = 0.0) -> bool:
    return each.news(rule, "S7", LEVEL, NOON + int(hours * HOUR), far)


@pytest.mark.parametrize(
    ("rule", "hours", "far", "told"),
    [
        ("setpoint-outside", 0.9, 9.0, False), ("setpoint-outside", 1, 2.0, True), ("value-jumps", 23, 0.0, False), ("value-jumps", 24, 0.0, True),
        ("value-outside", 23, 9.0, False), ("value-outside", 24, 2.9, False), ("value-outside", 24, 3.0, True), ("value-outside", 7 * 24, 1.1, True),
        ("value-drifts", 6 * 24, 2.9, False), ("value-drifts", 6 * 24, 3.0, True),
    ],
)  # fmt: skip
def test_when_a_thing_is_told_again(rule: str, hours: float, far: float, told: bool) -> None:
    each = Lately()
    assert news(each, rule, 0, 2.0)
    assert news(Lately(each.told, each.far), rule, hours, far) is told, "and over a restart"


def test_a_point_that_has_left_its_range_does_not_drift_there_too() -> None:
    each = Lately()
    assert [news(each, "value-outside", 0, 2.0), news(each, "value-drifts", 1, 2.0), news(each, "value-drifts", 24, 2.0)] == [True, False, True]
    assert news(Lately(), "value-drifts", 1), "but for its leaving"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lately, "MOST", 10)
    each = Lately()
    for number in range(50):
        assert each.news("value-outside", "S7", LEVEL._replace(thing=number), NOON, 2.0)
    assert (len(each.told), len(each.far)) == (10, 10)


@cache
def known() -> bytes:
    made, rows = Learned(), batch(*NORMAL)
    made.learn(rows.activities, rows.points)
    return made.states()["value"]


def peaks(heights: list[float]) -> Batch:
    """A day each, with an hour at its peak."""
    return batch(values=[point(day * DAY // MINUTE + 600 + minute, 46.0, height) for day, height in enumerate(heights) for minute in (0, 11, 37)])


def judged(rows: Batch, size: int) -> list[Finding]:
    found: list[Finding] = []
    value = Value({})
    value.restore(known())
    for first in range(0, rows.points.num_rows, size):
        found += value.judge(type(rows)(points=rows.points.slice(first, size)))
        value.restore(json.dumps(json.loads(value.state())).encode())
    return found


@pytest.mark.parametrize("size", [1, 1000])
def test_peaks_as_high_as_the_first_are_told_once_a_week_and_a_higher_one_at_once(size: int) -> None:
    rows = peaks([95.0, 95.0, 300.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0, 95.0])
    told = [(finding.rule, int(finding.activities[0].split("-")[1]) // 1440) for finding in judged(rows, size)]
    assert told == [("value-outside", 0), ("value-outside", 2), ("value-outside", 9)]


@pytest.mark.parametrize("value", [0.0, 0.00056, 0.0004321, 1.0, 12.3456, 999.9, 123_456.0, 7e-12, float("inf")])
def test_what_is_told_of_the_room_is_never_more_than_there_is(value: float) -> None:
    """What stays within what a finding calls normal would be none."""
    assert value * 0.99 <= floored(value) <= value
