"""Shifts of a plant: when they begin, and how much of each was seen. What comes in a shift is counted over whole ones that are over."""

from __future__ import annotations

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

DAYS: Final = 30  # that are looked back


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


def window(store: Store, begins: Sequence[str], zone: tzinfo, newest: int) -> Window:
    """The whole shifts of the 30 days before the newest packet, since the first of them whose beginning somebody may have seen."""
    until = newest + 1
    seen = _seen(store, Span(newest - DAYS * DAY, until))
    since = max(until - DAYS * DAY, seen[0]) if seen else until
    edges = [edge for edge in starts(begins, zone, since, until) if since <= edge <= until]
    if len(edges) < 2:
        whole = Span(since, until)
        return Window(since, until, (since,), _within(whole, seen), 1.0, False)
    parts = [(span.length, _within(span, seen)) for span in (Span(*ends) for ends in pairwise(edges))]
    return Window(edges[0], edges[-1], tuple(edges[:-1]), sum(part for _, part in parts), sum(part / length for length, part in parts), True)


def starts(begins: Sequence[str], zone: tzinfo, since: int, until: int) -> list[int]:
    """When shifts begin, nanoseconds, from the day of `since` to that of `until`; a time that a change of the clock leaves out is where the clock goes on."""
    first, last = (datetime.fromtimestamp(moment / SECOND, zone).date() for moment in (since, until))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return sorted({_moment(day, begin, zone) for day in days for begin in begins})


def _moment(day: date, begin: str, zone: tzinfo) -> int:
    return int(datetime.combine(day, time.fromisoformat(begin), zone).timestamp()) * SECOND


def _seen(store: Store, span: Span) -> list[int]:
    """The beginnings of the minutes of a span in which there were packets, in order."""
    found = store.histogram("coverage", span.query(), Histogram(MINUTE, total="packets"))
    times, totals = (cast("list[int]", found.column(name).cast(pa.int64()).to_pylist()) for name in ("time", "total"))
    return sorted(moment for moment, total in zip(times, totals, strict=True) if total)


def _within(span: Span, seen: Sequence[int]) -> int:
    """How much of a span was seen, nanoseconds."""
    first = bisect_right(seen, span.since - MINUTE)
    return sum(min(moment + MINUTE, span.until) - max(moment, span.since) for moment in seen[first : bisect_left(seen, span.until)])
