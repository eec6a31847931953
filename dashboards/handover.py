"""What one shift tells the next: what is open, what was decided, what was not seen. Plain text for the shift book."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dashboards import queries, standing
from dashboards.page import text_of
from detectors.disabling import disabled
from records.formats import duration, number, share_seen
from records.model import severity_word
from records.query import Query
from records.search import Range
from records.visible import clean
from records.wording import say
from sensors.blindness import spot_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboards.page import Page

Row = dict[str, Any]
MOST_OPEN: Final = 20
MOST_DECIDED: Final = 30
MOST_SPOTS: Final = 8
TITLE: Final = 120  # letters


def handover(page: Page, language: str) -> str:
    """The whole text in one language, whatever the page's own."""
    page = replace(page, language=language, clock=replace(page.clock, language=language))
    parts = [head(page), opened(page), decided(page), unseen(page)]
    return "\n\n".join("\n".join(lines) for lines in (list(part) for part in parts)) + "\n"


def plain(text: object, most: int = 400) -> str:
    """A stored text on one line of its own."""
    told = re.sub(r"\s+", " ", clean(re.sub(r"\s", " ", str(text).replace("\u200b", "")))).strip()
    return told if len(told) <= most else told[: most - 1] + "…"


def head(page: Page) -> Iterator[str]:
    """Which plant, which time."""
    places = " · ".join(plain(site) for site in queries.sites(page.store, page.span))
    yield page.say("handover.head", place=places) if places else page.say("handover.head_plain")
    yield page.say("handover.period", since=page.clock.moment(page.span.since), until=page.clock.moment(page.span.until - 1))


def opened(page: Page) -> Iterator[str]:
    """Alerts that are not closed, worst first, and how many older ones there are."""
    found, total = queries.alerts(page.store, page.span, queries.OPEN, MOST_OPEN)
    counts = queries.open_by_level(page.store, page.span)
    levels = page.say("and").join(f"{page.say(f'severity.{level}')} {number(count)}" for level, count in counts.items() if count)
    yield page.say("handover.open", count=number(total), levels=levels) if total else page.say("handover.open_none")
    rows = queries.rows(found)
    names = queries.asset_names(page.store, [str(row["assets"][0]) for row in rows if row["assets"]])
    for place, row in enumerate(rows, 1):
        severity, about = int(row["severity"]), list[str](row["assets"] or ())
        facts = [names.get(about[0], about[0])] if about else []
        facts += [page.say(f"status.{row['status']}") + (f" ({row['assignee']})" if row["assignee"] else "")]
        facts += [f"{page.clock.short_day(int(row['last']))} {page.clock.minute(int(row['last']))}", str(row["id"])[:12]]
        title = plain(text_of(row, "title", page.language), TITLE)
        yield f"{place}. [{page.say(f'severity.{severity_word(severity)}')} {severity}] {title} · {' · '.join(plain(fact) for fact in facts)}"
    if total > len(rows):
        yield page.say("handover.more", count=number(total - len(rows)))
    if older := page.store.count("alert", Query(where=queries.OPEN)) - total:
        yield page.say("handover.older", count=number(older))


def decided(page: Page) -> Iterator[str]:
    """What people decided, by the clock of this machine: of the period where it is held; else until now, for what was decided since its newest packet is
    about what it shows, as with all of a capture of last year.
    """
    now = time.time_ns()
    since, until = (page.span.since, page.span.until) if page.held else (min(page.span.since, now - page.span.length), now)
    where = Range("time", low=since, high=until, include_high=False)
    found = queries.listed(page.store.read("audit", Query(where=where, sort="-id", limit=MOST_DECIDED)))
    total = page.store.count("audit", Query(where=where))
    between = {"since": page.clock.moment(since), "until": page.clock.moment(until - 1)}
    yield page.say("handover.decided", **between, count=number(total)) if total else page.say("handover.decided_none", **between)
    named = tuple({str(row["subject"]) for row in found if row["table"] == "alert"})
    titles = {str(row["id"]): row for row in queries.listed(page.store.read("alert", Query(ids=named)))}
    for row in reversed(found):
        at, subject = int(row["time"]), str(row["subject"])
        told = plain(subject) if row["table"] in ("rules", "access") else subject[:12]
        about = plain(text_of(titles[subject], "title", page.language), TITLE) if subject in titles else ""
        words = [f"{page.clock.short_day(at)} {page.clock.minute(at)}", plain(row["by"]), say(f"decision.{row['action']}", page.language), told]
        yield "· " + " · ".join([*words, *filter(None, [about, plain(row["note"] or "")])])
    if total > len(found):
        yield page.say("handover.earlier", count=number(total - len(found)))


def unseen(page: Page) -> Iterator[str]:
    """Coverage, when sensors were blind, and blind spots, worst first."""
    grade = queries.grade(queries.coverage(page.store, page.span))
    yield page.say("handover.unseen", share=share_seen(grade, page.language)) if grade is not None else page.say("coverage_none")
    sensors, known = standing.sensors(page)
    for sensor in sensors:
        if blind := sensor.blind_time(page.whole, page.span):
            yield "· " + page.say("handover.blind", sensor=plain(sensor.label), duration=duration(blind, page.language))
    if known > len(sensors):
        yield "· " + page.say("handover.some", shown=len(sensors), known=known)
    for rule, why in sorted(disabled(page.store, page.span).items()):
        yield "· " + say("coverage.told.disabled", page.language, rule=plain(rule), reason=plain(why))
    covered, _used = queries.account(page.store, page.span.query(), queries.MOST_SHOWN)
    spots = [spot for spot in covered.spots() if spot.key != "silent"]
    yield from ("· " + plain(spot_words(spot, page.language, page.clock.zone)[0]) for spot in spots[:MOST_SPOTS])
    if len(spots) > MOST_SPOTS:
        yield page.say("handover.more", count=number(len(spots) - MOST_SPOTS))
