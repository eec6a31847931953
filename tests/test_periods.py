"""Periods of reports by the calendar of a time zone; days of 23 and 25 hours, leap days, the turn of the year."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from records.errors import UsageError
from reports.periods import KINDS, before, days, ending, holding, last_year, latest, moment_of, zone_of

HOUR = 3600 * 10**9


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("kind", "moment", "zone", "since", "until"),
    [
        ("daily", "2026-11-22T12:00", "UTC", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("daily", "2026-03-29T12:00", "Europe/Berlin", "2026-03-29T00:00", "2026-03-30T00:00"),  # 23 hours
        ("weekly", "2026-11-22T23:59", "Asia/Shanghai", "2026-11-16T00:00", "2026-11-23T00:00"),  # a Sunday
        ("weekly", "2026-11-23T00:00", "Asia/Shanghai", "2026-11-23T00:00", "2026-11-30T00:00"),
        ("weekly", "2027-01-01T00:00", "UTC", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("monthly", "2026-12-31T23:59", "UTC", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("monthly", "2028-02-29T00:00", "Asia/Shanghai", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("quarterly", "2026-11-22T00:00", "UTC", "2026-10-01T00:00", "2027-01-01T00:00"),
        ("quarterly", "2026-03-31T23:00", "America/St_Johns", "2026-01-01T00:00", "2026-04-01T00:00"),
    ],
)
def test_the_period_that_holds_a_moment(kind: str, moment: str, zone: str, since: str, until: str) -> None:
    period = holding(kind, ZoneInfo(zone), at(moment, zone))
    assert (period.since, period.until) == (at(since, zone), at(until, zone))
    assert ending(kind, ZoneInfo(zone), period.until) == period, "a period ends where the next one begins"
    assert before(period).until == period.since


@pytest.mark.parametrize("kind", KINDS)
def test_periods_follow_each_other_without_a_gap_for_three_years(kind: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    period = holding(kind, zone, at("2026-01-15T00:00"))
    while period.since < at("2029-01-01T00:00"):
        following = holding(kind, zone, period.until)
        assert following.since == period.until
        assert before(following) == period
        steps = days(period)
        assert (steps[0].since, steps[-1].until) == (period.since, period.until)
        assert all(one.until == other.since for one, other in pairwise(steps))
        period = following


def test_the_day_of_25_hours_has_25_steps() -> None:
    assert len(days(holding("daily", ZoneInfo("Europe/Berlin"), at("2026-10-25T12:00")))) == 25


@pytest.mark.parametrize(
    ("kind", "moment", "since", "until"),
    [
        ("daily", "2028-02-29T12:00", "2027-02-28T00:00", "2027-03-01T00:00"),
        ("weekly", "2026-11-18T00:00", "2025-11-17T00:00", "2025-11-24T00:00"),
        ("monthly", "2028-02-10T00:00", "2027-02-01T00:00", "2027-03-01T00:00"),
        ("quarterly", "2026-11-18T00:00", "2025-10-01T00:00", "2026-01-01T00:00"),
    ],
)
def test_the_same_period_a_year_before(kind: str, moment: str, since: str, until: str) -> None:
    found = last_year(holding(kind, ZoneInfo("UTC"), at(moment)))
    assert (found.since, found.until) == (at(since), at(until))


def test_a_period_that_is_not_over_is_compared_with_as_much_of_earlier_ones() -> None:
    zone = ZoneInfo("UTC")
    period = ending("weekly", zone, at("2026-11-18T06:30"))
    assert not period.whole
    assert (period.since, period.until) == (at("2026-11-16T00:00"), at("2026-11-18T06:30"))
    assert (before(period).since, before(period).until) == (at("2026-11-09T00:00"), at("2026-11-11T06:30"))
    assert last_year(period).until - last_year(period).since == period.until - period.since
    over, current = latest("weekly", zone, at("2026-11-18T06:29"))
    assert (over.since, over.whole) == (at("2026-11-09T00:00"), True)
    assert (current.until, current.whole) == (at("2026-11-18T06:30"), False)


def test_a_zone_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError) as error:
        zone_of("Asia/Atlantis")
    assert "Asia/Atlantis" in error.value.text("en")
    assert zone_of("") == zone_of("UTC") or str(zone_of("")) == "UTC"


@pytest.mark.parametrize(
    ("text", "meant", "zone"),
    [
        ("2026-12-01", "2026-12-01T00:00", "Asia/Shanghai"),
        ("2026-12", "2026-12-01T00:00", "Asia/Shanghai"),
        ("2026", "2026-01-01T00:00", "America/St_Johns"),
        (" 2026-12-01 ", "2026-12-01T00:00", "America/St_Johns"),
        ("2026-12-01T00:00", "2026-12-01T00:00", "UTC"),
        ("2026-12-01+02:00", "2026-11-30T22:00", "UTC"),
    ],
)
def test_a_date_alone_is_one_of_the_calendar_and_a_time_without_an_offset_is_utc(text: str, meant: str, zone: str) -> None:
    assert moment_of(text, ZoneInfo("Asia/Shanghai" if zone == "UTC" else zone)) == at(meant, zone)
