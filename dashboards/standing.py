"""How things stand, for the page and for the wall: a level and a sentence, and alerts over time above what the sensors saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards import queries
from dashboards.axis import blind_mark, ticks
from dashboards.keeping import kept
from dashboards.story import sentence
from records.formats import MINUTE, duration, number, share_seen
from records.model import LEVELS

if TYPE_CHECKING:
    from dashboards.page import Page
    from dashboards.queries import Sensor
    from dashboards.story import Story


def sensors(page: Page) -> tuple[list[Sensor], int]:
    """Some of those that watch, when each was blind, and how many there are."""
    return kept(page.store, ("coverage",), queries.sensors, queries.known_span(page.span), page.span)


def headline(
    page: Page, watching: tuple[list[Sensor], int], sums: dict[str, int], counts: dict[str, int], told: Story | None, named: bool = True
) -> dict[str, Any]:
    """Warning level and why, and one sentence: what is going on (which assets, if `named`), or what a quiet period did not see."""
    level = next((name for name, count in counts.items() if count), "none")
    if told:
        why, words = page.count(f"why.{level}", counts[level], count=number(counts[level])), sentence(page, told, *blindest(page, watching[0]), named=named)
    else:
        why, words = _coverage_words(page, sums), quiet(page, *watching)
    return {"level": level, "tag": page.say(f"warning.{level}"), "why": why, "sentence": words}


def quiet(page: Page, sensors: list[Sensor], known: int) -> str:
    """A quiet period names what was blind; it never congratulates."""
    missed = page.ask("coverage", queries.unseen_by_all)
    if missed >= 2 * MINUTE:
        words = {
            "seen": duration(page.span.length - missed, page.language),
            "span": span_words(page),
        }
        return page.say("quiet.short", **words)
    sensor, longest = blindest(page, sensors)
    if longest:
        return page.say("quiet.blind", sensor=sensor, duration=duration(longest, page.language))
    return page.say("quiet.seen") if known == len(sensors) else page.say("quiet.some", shown=len(sensors), known=known)


def span_words(page: Page) -> str:
    """How long the chosen period is."""
    return page.say(f"period.{page.period}") if page.period in queries.PERIODS else duration(page.span.length, page.language)


def blindest(page: Page, sensors: list[Sensor]) -> tuple[str, int]:
    """The sensor that was blind longest, and for how many nanoseconds."""
    times = [(sensor.blind_time(page.whole, page.span), sensor.label) for sensor in sensors]
    longest, label = max(times, default=(0, ""))
    return label, longest


def _coverage_words(page: Page, sums: dict[str, int]) -> str:
    grade = queries.grade(sums)
    return page.say("coverage_none") if grade is None else page.say("at_coverage", share=share_seen(grade, page.language))


def label_of(sensor: str) -> str:
    """A sensor's name, short enough to stand beside a chart."""
    return sensor if len(sensor) <= 24 else sensor[:23] + "…"


def timeline(page: Page, sensors: list[Sensor], known: int) -> dict[str, Any]:
    """Alerts over time by severity; beneath, on the same axis, what the sensors saw."""
    interval, span, clock = queries.interval_of(page.span), page.span, page.clock
    bars: list[dict[str, Any]] = []
    for row in queries.rows(queries.alerts_over_time(page.store, span)):
        time = int(row["time"])
        counts = {level: int(row[level]) for level in LEVELS}
        words = page.say("and").join(f"{page.say(f'severity.{level}')} {number(count)}" for level, count in counts.items() if count)
        bars.append({"time": time // 1_000_000, "text": f"{clock.short_day(time)} {clock.minute(time)}: {words}", **counts})
    ribbons = [{"name": label_of(sensor.label), "blind": [blind_mark(page, gap) for gap in sensor.blind]} for sensor in sensors]
    note = page.say("timeline.hatched") + (page.say("timeline.some", shown=len(sensors), known=known) if known > len(sensors) else "")
    return {
        "title": page.say("timeline.title", interval=duration(interval, page.language)),
        "note": page.say("timeline.note"),
        "since": span.since // 1_000_000,
        "until": span.until // 1_000_000,
        "interval": interval // 1_000_000,
        "bars": bars,
        "ticks": ticks(page.clock, page.span),
        "empty": page.say("timeline.empty"),
        "words": {level: page.say(f"severity.{level}") for level in LEVELS},
        "coverageTitle": page.say("timeline.coverage"),
        "coverageNote": note,
        "sensors": ribbons,
    }
