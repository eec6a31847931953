"""How the risk of assets went: the worst finding of each of the last days, and whether the last week was worse than the one before. By the hour alone.

What was found and turned out to be nothing, an alert closed as false or as expected, is no risk. What nobody saw is unknown, not nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboards import queries
from dashboards.inventory import identities
from dashboards.keeping import kept, windows
from dashboards.weekly import ENOUGH
from records.formats import DAY, HOUR, SECOND, share_seen
from records.model import LEVELS
from records.query import Histogram, Span
from records.search import And, Exists, Match, Not, Or

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.page import Page
    from records.formats import Clock
    from records.store.contract import Store

WEEK: Final = 7
DAYS: Final = 2 * WEEK
_WEIGHT: Final = {level: len(LEVELS) - place for place, level in enumerate(LEVELS)}  # critical is most
_MARGIN: Final = (2, 0.25)  # by which weeks that are alike differ at most: in weight, and of the heavier one
_MOST_DISMISSED: Final = 500  # alerts that were found to be nothing, the newest: whoever has more of them in two weeks has other cares than a trend
Hours = dict[str, dict[int, str]]  # the worst level of what was found on an asset in an hour (its start), by identity


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an asset: when it begins, and the worst level of what was found; empty: nothing was, None: too little was seen to say so.

    `seen`: the share of it in which any sensor saw packets.
    """

    start: int
    level: str | None
    seen: float


@dataclass(frozen=True, slots=True)
class Trend:
    """The last days of an asset by the plant's clock, the present one last, and where it goes.

    `way`: whether the last seven days to the hour were worse than those before: up, down or same; none: nothing was found, short: nothing is recorded
    of so long ago, blind: too little of one week was seen.
    """

    days: tuple[Day, ...]
    way: str

    def with_any(self, days: Sequence[Day]) -> int:
        """On how many of these days something was found."""
        return sum(bool(day.level) for day in days)


def trends(page: Page, assets: Sequence[dict[str, Any]]) -> list[Trend]:
    """The trend of each of these assets, up to the end of the period; what a suppression hides is not in it."""
    until = -(-page.whole.until // HOUR) * HOUR
    starts = midnights(page.clock, page.whole.until - 1)
    names = tuple(sorted({name for asset in assets for name in identities(asset)}))
    if not names:
        return []
    looked = Span(until - DAYS * DAY, page.whole.until)
    hours: Hours = kept(page.store, ("finding", "alert"), _hours, looked, names)
    blind = [gap for part in windows(looked) for gap in kept(page.store, ("coverage",), queries.blind, part, None)]
    days = [Span(start, end) for start, end in zip(starts, [*starts[1:], page.whole.until], strict=True)]
    weeks = (Span(looked.since, until - WEEK * DAY), Span(until - WEEK * DAY, looked.until))
    seen = [_seen(each, blind, page.whole.since) for each in (*days, *weeks)]
    doubt = "short" if page.whole.since >= weeks[0].since + DAY else "blind" if min(seen[-2:]) < ENOUGH else ""
    return [_trend(days, weeks, seen, [hours.get(name, {}) for name in identities(asset)], doubt) for asset in assets]


def _seen(span: Span, blind: Sequence[Span], oldest: int) -> float:
    """The share of a span in which any sensor saw packets: none before the oldest there is."""
    since = max(span.since, oldest)
    unseen = sum(max(0, min(gap.until, span.until) - max(gap.since, since)) for gap in blind)
    return max(0, span.until - since - unseen) / span.length


def _trend(days: Sequence[Span], weeks: tuple[Span, Span], seen: Sequence[float], found: list[dict[int, str]], doubt: str) -> Trend:
    told: list[Day] = []
    for span, share in zip(days, seen, strict=False):
        worst = _worst(found, span.since, span.until)
        told.append(Day(span.since, worst if worst or share >= ENOUGH else None, share))
    before, week = (sum(_WEIGHT.get(_worst(found, week.since + day * DAY, week.since + (day + 1) * DAY), 0) for day in range(WEEK)) for week in weeks)
    if not before and not week and doubt != "blind":
        return Trend(tuple(told), "none")
    return Trend(tuple(told), doubt or _way(before, week))


def _way(before: int, week: int) -> str:
    if abs(week - before) < max(_MARGIN[0], _MARGIN[1] * max(week, before)):
        return "same"
    return "up" if week > before else "down"


def _worst(found: list[dict[int, str]], since: int, until: int) -> str:
    levels = {level for hours in found for hour, level in hours.items() if since <= hour < until}
    return next((level for level in LEVELS if level in levels), "")


def midnights(clock: Clock, newest: int) -> list[int]:
    """When the last days began by the plant's clock."""
    today = clock.local(newest).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [int(datetime(day.year, day.month, day.day, tzinfo=clock.zone).timestamp()) * SECOND for day in days]


def _hours(store: Store, span: Span, names: tuple[str, ...]) -> Hours:
    found: Hours = {}
    nothing = Or((Match("verdict", "false"), Match("verdict", "expected")))
    named = Or(tuple(Match("assets", name, cased=True) for name in names))
    closed = And((named, Match("status", "closed"), nothing))
    dismissed = queries.listed(store.read("alert", span.query(closed, "-last", _MOST_DISMISSED)))
    its = And((named, Not(Exists("suppressions")), *(Not(Match("alert", str(row["id"]), cased=True)) for row in dismissed)))
    for level in LEVELS:  # the worst first
        for row in queries.listed(store.histogram("finding", span.query(And((its, queries.of_level(level)))), Histogram(HOUR, by="assets"))):
            found.setdefault(str(row["by"]), {}).setdefault(int(row["time"]), level)
    return {name: found[name] for name in names if name in found}


def of(page: Page, asset: dict[str, Any]) -> Trend:
    """The trend of one asset."""
    return trends(page, [asset])[0]


def drawn(page: Page, trend: Trend) -> dict[str, Any]:
    """A trend as a component draws it: a bar a day, with its words, and where it goes."""
    days = [{"level": day.level if day.level is not None else "?", "text": _words(page, day)} for day in trend.days]
    return {"days": days, "way": trend.way, "words": page.say(f"trend.{trend.way}")}


def _words(page: Page, day: Day) -> str:
    if day.level is None:
        told = page.say("trend.partly", share=share_seen(100 * day.seen, page.language)) if day.seen else page.say("trend.unknown")
    else:
        told = page.say(f"severity.{day.level}") if day.level else page.say("trend.nothing")
    return f"{page.clock.short_day(day.start)}: {told}"
