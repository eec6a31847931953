"""How the risk of assets went: the worst finding of each of the last days, and whether a week was worse than the one before. Of findings by the hour alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboards import queries
from dashboards.inventory import identities
from dashboards.keeping import kept
from records.formats import HOUR, SECOND
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
Hours = dict[str, dict[int, str]]  # the worst level of what was found on an asset in an hour (its start), by identity


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an asset: when it begins, and the worst level of what was found; empty: nothing was, None: nobody looked yet."""

    start: int
    level: str | None


@dataclass(frozen=True, slots=True)
class Trend:
    """The last days of an asset, the present one last."""

    days: tuple[Day, ...]

    @property
    def way(self) -> str:
        """Whether the last week was worse than the one before: up, down or same; none: nothing was found, short: nobody looked for so long."""
        before, week = (sum(_WEIGHT.get(day.level or "", 0) for day in part) for part in (self.days[:WEEK], self.days[WEEK:]))
        if not week and not before:
            return "none"
        if any(day.level is None for day in self.days[:WEEK]):
            return "short"
        return "up" if week > before else "down" if week < before else "same"

    def with_any(self, days: Sequence[Day]) -> int:
        """On how many of these days something was found."""
        return sum(bool(day.level) for day in days)


def trends(page: Page, assets: Sequence[dict[str, Any]]) -> list[Trend]:
    """The trend of each of these assets, up to the end of the period; what a suppression hides is not in it."""
    starts = midnights(page.clock, page.whole.until - 1)
    names = tuple(sorted({name for asset in assets for name in identities(asset)}))
    hours: Hours = kept(page.store, ("finding",), _hours, Span(starts[0] // HOUR * HOUR, page.whole.until), names) if names else {}
    return [_trend(starts, [*starts[1:], page.whole.until], [hours.get(name, {}) for name in identities(asset)], page.whole.since) for asset in assets]


def _trend(starts: list[int], ends: list[int], found: list[dict[int, str]], oldest: int) -> Trend:
    days: list[Day] = []
    for start, end in zip(starts, ends, strict=True):
        levels = {level for hours in found for hour, level in hours.items() if start <= hour < end}
        worst = next((level for level in LEVELS if level in levels), "")
        days.append(Day(start, worst if worst or end > oldest else None))
    return Trend(tuple(days))


def midnights(clock: Clock, newest: int) -> list[int]:
    """When the last days began by the plant's clock."""
    today = clock.local(newest).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [int(datetime(day.year, day.month, day.day, tzinfo=clock.zone).timestamp()) * SECOND for day in days]


def _hours(store: Store, span: Span, names: tuple[str, ...]) -> Hours:
    found: Hours = {}
    its = And((Or(tuple(Match("assets", name, cased=True) for name in names)), Not(Exists("suppressions"))))
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
    told = page.say("trend.unknown") if day.level is None else page.say(f"severity.{day.level}") if day.level else page.say("trend.nothing")
    return f"{page.clock.short_day(day.start)}: {told}"
