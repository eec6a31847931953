"""What every chart over time shares: marks of its axis at round local times, and what was not seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from records.formats import DAY, MINUTE, SECOND, duration

if TYPE_CHECKING:
    from dashboards.page import Page
    from records.formats import Clock
    from records.query import Span

TICKS: Final = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800, 2592000)


def ticks(clock: Clock, span: Span) -> list[dict[str, Any]]:
    """Marks of the time axis at round local times; midnight shows the date, and years stand alone."""
    if span.length > 400 * DAY:
        first, last = clock.local(span.since).year + 1, clock.local(span.until).year
        years = [datetime(year, 1, 1, tzinfo=clock.zone) for year in range(first, last + 1, 1 + (last - first) // 12)]
        return [{"time": int(year.timestamp()) * 1000, "text": f"{year.year}", "day": True} for year in years]
    step = next((seconds for seconds in TICKS if span.length <= seconds * SECOND * 9), TICKS[-1]) * SECOND
    shift = int((clock.local(span.since).utcoffset() or timedelta()).total_seconds()) * SECOND
    start = ((span.since + shift) // step + 1) * step - shift
    return [_tick(clock, at, (at + shift) % DAY == 0, step < MINUTE) for at in range(start, span.until, step)]


def _tick(clock: Clock, at: int, midnight: bool, fine: bool) -> dict[str, Any]:
    return {"time": at // 1_000_000, "text": clock.short_day(at) if midnight else clock.second(at) if fine else clock.minute(at), "day": midnight}


def blind_mark(page: Page, gap: Span) -> dict[str, Any]:
    """A gap in what was seen, with its words."""
    clock = page.clock
    since, until = ((f"{clock.short_day(time)} " if page.span.length > DAY else "") + clock.minute(time) for time in (gap.since, gap.until))
    text = page.say("timeline.blind", since=since, until=until, duration=duration(gap.length, page.language))
    return {"since": gap.since // 1_000_000, "until": gap.until // 1_000_000, "text": text}


def offset(clock: Clock, span: Span) -> int:
    """Milliseconds by which local time is ahead of UTC at the beginning of the span: what a component adds to write a time."""
    return int((clock.local(span.since).utcoffset() or timedelta()).total_seconds()) * 1000
