"""Periods of reports: days, weeks (from Monday), months and quarters of a time zone's calendar, [since, until) in nanoseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from records.errors import UsageError
from records.formats import MINUTE, SECOND
from records.query import Span

KINDS: Final = ("daily", "weekly", "monthly", "quarterly")
WEEKS: Final = 52  # a week is compared with the one so many before: the same days of the week
_DATE: Final = re.compile(r"\d{4}(-\d\d){0,2}", re.ASCII)
_MONTHS: Final = {"monthly": 1, "quarterly": 3}


@dataclass(frozen=True, slots=True)
class Period:
    """One period; `whole` is false where it is told before it is over, and then `until` is how far it is told."""

    kind: str
    zone: tzinfo
    since: int
    until: int
    whole: bool = True

    @property
    def span(self) -> Span:
        """The times of it."""
        return Span(self.since, self.until)

    @property
    def first(self) -> date:
        """The first day."""
        return _local(self.since, self.zone).date()


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises UsageError."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, OSError, ValueError):
        raise UsageError("report.zone", zone=name) from None


def holding(kind: str, zone: tzinfo, moment: int) -> Period:
    """The period in which this moment lies."""
    return _from(kind, zone, _start(kind, _local(moment, zone).date()))


def ending(kind: str, zone: tzinfo, until: int) -> Period:
    """The period that ends here; the one that is told as far as this where none ends here."""
    period = holding(kind, zone, until - 1)
    return period if period.until == until else replace(period, until=until, whole=False)


def moment_of(text: str, zone: tzinfo) -> int:
    """A time as it is given to reports: a date alone is the beginning of it by their calendar, any other without an offset is UTC. Raises UsageError."""
    from records.asking import moment

    found = moment(text)
    return _midnight(_local(found, UTC).date(), zone) if _DATE.fullmatch(text.strip()) else found


def latest(kind: str, zone: tzinfo, newest: int) -> list[Period]:
    """What may be reported where nobody says when: the last period that was over at the newest packet, and the one in which that lies, as far as it."""
    current = holding(kind, zone, newest)
    so_far = min(current.until, newest // MINUTE * MINUTE + MINUTE)
    return [before(current), replace(current, until=so_far, whole=so_far == current.until)]


def before(period: Period) -> Period:
    """The period before; of one that is not over as much of it as has passed of this."""
    whole = holding(period.kind, period.zone, period.since - 1)
    return whole if period.whole else replace(whole, until=min(whole.until, whole.since + period.until - period.since), whole=False)


def last_year(period: Period) -> Period:
    """The same period of the year before: the same day or month, of weeks the one 52 before."""
    first = period.first
    if period.kind == "weekly":
        first -= timedelta(weeks=WEEKS)
    else:
        leap = (first.month, first.day) == (2, 29)
        first = first.replace(year=first.year - 1, day=28 if leap else first.day)
    whole = _from(period.kind, period.zone, first)
    return whole if period.whole else replace(whole, until=min(whole.until, whole.since + period.until - period.since), whole=False)


def days(period: Period) -> list[Span]:
    """The days of a period by its calendar, the last as far as it is told; of a day its hours."""
    starts: list[int] = []
    if period.kind == "daily":
        starts = list(range(period.since, period.until, 60 * MINUTE))
    else:
        at = period.first
        while (start := _midnight(at, period.zone)) < period.until:
            starts.append(start)
            at += timedelta(days=1)
    return [Span(start, end) for start, end in zip(starts, [*starts[1:], period.until], strict=True)]


def _from(kind: str, zone: tzinfo, first: date) -> Period:
    return Period(kind, zone, _midnight(first, zone), _midnight(_following(kind, first), zone))


def _start(kind: str, day: date) -> date:
    if kind == "daily":
        return day
    if kind == "weekly":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[kind]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _following(kind: str, first: date) -> date:
    if kind in _MONTHS:
        month = first.month - 1 + _MONTHS[kind]
        return first.replace(year=first.year + month // 12, month=month % 12 + 1)
    return first + timedelta(days=1 if kind == "daily" else 7)


def _local(moment: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment // SECOND, zone)


def _midnight(day: date, zone: tzinfo) -> int:
    """When a day begins; where clocks are put forward at midnight, with its first moment."""
    begun = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(begun.timestamp()) * SECOND
