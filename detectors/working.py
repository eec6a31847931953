"""Shifts of a plant: when they begin, and how much of each was seen. What comes in a shift is counted over whole ones that are over."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

from records.formats import DAY, HOUR, MINUTE, SECOND
from records.query import Histogram, Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from records.store.contract import Store

SHIFTS: Final = ("00:00", "08:00", "16:00")  # where nobody says otherwise
MOST: Final = 24  # a day
DAYS: Final = 30  # that are looked back
_STEP: Final = 5 * MINUTE  # in which something was seen, or nothing


@dataclass(frozen=True, slots=True)
class Window:
    """A time of whole shifts that are over: when each begins, how much was seen, in nanoseconds and in shifts.

    Where there is no such shift, it is all that there is, as one shift that is not `whole`.
    """

    since: int
    until: int
    starts: tuple[int, ...]
    seen: int
    shifts: float
    whole: bool

    @property
    def hours(self) -> float:
        """How many were seen."""
        return self.seen / HOUR

    def rate(self, count: int) -> float | None:
        """So many in all as so many a shift; None where too little was seen to say so: less than one shift."""
        return count / self.shifts if self.whole and self.shifts >= 1 else None


def checked(begins: Sequence[str]) -> tuple[str, ...]:
    """Times of the day at which shifts begin, in order. Raises ValueError for what is none, for none at all, and for too many."""
    found = sorted({each for each in begins if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", each)})
    if not 0 < len(found) == len(begins) <= MOST:
        raise ValueError(begins)
    return tuple(found)


def window(store: Store, begins: Sequence[str], zone: tzinfo, newest: int) -> Window:
    """The whole shifts of the 30 days before the newest packet, since the first of them whose beginning somebody may have seen."""
    until = newest + 1
    seen = _seen(store, Span(newest - DAYS * DAY, until))
    since = max(until - DAYS * DAY, seen[0]) if seen else until
    edges = [edge for edge in starts(begins, zone, since, until) if since <= edge <= until]
    if len(edges) < 2:
        whole = Span(since, until)
        return Window(since, until, (since,), sum(part.length for part in _within(whole, seen)), 1.0, False)
    parts = [(span.length, sum(part.length for part in _within(span, seen))) for span in (Span(*ends) for ends in pairwise(edges))]
    return Window(edges[0], edges[-1], tuple(edges[:-1]), sum(part for _, part in parts), sum(part / length for length, part in parts), True)


def starts(begins: Sequence[str], zone: tzinfo, since: int, until: int) -> list[int]:
    """When shifts begin, nanoseconds, from the day of `since` to that of `until`; a time that a change of the clock leaves out is where the clock goes on."""
    first, last = (datetime.fromtimestamp(moment / SECOND, zone).date() for moment in (since, until))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return sorted({_moment(day, begin, zone) for day in days for begin in begins})


def _moment(day: date, begin: str, zone: tzinfo) -> int:
    return int(datetime.combine(day, time.fromisoformat(begin), zone).timestamp()) * SECOND


def _seen(store: Store, span: Span) -> list[int]:
    """The beginnings of the five minutes of a span in which there were packets, in order."""
    found = store.histogram("coverage", span.query(), Histogram(_STEP, total="packets"))
    times, totals = (cast("list[int]", found.column(name).cast(pa.int64()).to_pylist()) for name in ("time", "total"))
    return sorted(moment for moment, total in zip(times, totals, strict=True) if total)


def _within(span: Span, seen: Sequence[int]) -> list[Span]:
    """What was seen of a span."""
    first = bisect_right(seen, span.since - _STEP)
    return [Span(max(moment, span.since), min(moment + _STEP, span.until)) for moment in seen[first : bisect_left(seen, span.until)]]
