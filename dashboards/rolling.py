"""The piano roll on the page: rows grouped by device, alert marks that open their alert, and what acted in the chosen time as a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import explorer, kit, queries
from dashboards.activities import HEAD, activity_row
from dashboards.axis import offset, ticks
from dashboards.reference import place_words
from dashboards.roll import MOST_KNOWN, Roll, roll
from records.effects import ACCESSES
from records.formats import number
from records.model import severity_word
from records.query import Span
from records.search import And

if TYPE_CHECKING:
    from dashboards.page import Page
    from records.search import Condition
    from records.store.contract import Store

KEYED: Final = ("read", "write", "command", "program", "configure", "unknown")
MILLISECOND: Final = 1_000_000
ACTS: Final = 25


def show(page: Page, span: Span, where: Condition, blind: list[dict[str, Any]], slot: Any) -> dict[str, Any]:
    """The roll, and beneath it what acted; what happened on the roll just now."""
    with st.spinner(page.say("explore.reading")):
        stamp = f"{page.store.stamp('activity', span)} {page.store.stamp('finding', span)}"
        made = _made(page.store, where, os.environ.get("BALEFIRE_STORE", ""), stamp, repr(where), span.since, span.until)
    total = page.store.count("activity", span.query(where))
    shown = page.say("explore.objects", shown=number(len(made.objects)), known=number(made.known) + ("+" if made.known >= MOST_KNOWN else ""))
    slot.markdown(f":gray[{shown} · {page.count('activity.count', total, count=number(total))}]")
    if not made.objects:
        kit.draw(
            "table",
            {"title": page.say("explore.roll"), "note": "", "head": [], "rows": [], "empty": page.say("explore.only_acts" if made.acts else "explore.none")},
            "piano",
        )
        return {}
    titles = alert_titles(page, [alert for *_, alert in made.alerts])
    there = {access for *_, access, _count in made.marks}
    data = {
        "title": page.say("explore.roll_title"),
        "note": (page.say("explore.only_acts") if made.acts else "") + (page.say("explore.cut") if made.cut else ""),
        "since": span.since // MILLISECOND,
        "until": span.until // MILLISECOND,
        "offset": offset(page.clock, span),
        "rows": [row_words(page, each) for each in made.objects],
        "marks": [(row, since // MILLISECOND, until // MILLISECOND, access, number(count)) for row, since, until, access, count in made.marks],
        "alerts": [alert_mark(page, each, titles) for each in made.alerts],
        "blind": blind,
        "ticks": ticks(page.clock, span),
        "words": {access: page.say(f"access.{access}") for access in ACCESSES},
        "key": [(access, page.say(f"access.{access}")) for access in ACCESSES if access in there or access in KEYED[:2]],
        "alertWord": page.say("explore.alert"),
        "blindWord": page.say("explore.blind"),
        "hint": page.say("explore.drag"),
    }
    told = kit.watch("piano", data, "piano", "span")
    acts(page, span, where)
    return told


@st.cache_data(show_spinner=False, max_entries=24)
def _made(_store: Store, _where: Condition, place: str, stamp: str, where: str, since: int, until: int) -> Roll:  # noqa: ARG001 - keys
    return roll(_store, Span(since, until), _where)


def row_words(page: Page, each: dict[str, Any]) -> dict[str, str]:
    """Device, place and name of one row."""
    address = str(each["destination.ip"] or each["destination.mac"] or "–")
    name = each.get("destination.asset.name")
    device = f"{name} ({address})" if name and name != address else address
    if each["ot.unit"] is not None:
        device += page.say("activity.comma") + page.say("activity.unit", unit=each["ot.unit"])
    code, words = place_words(each, page.language)
    return {"device": device, "code": code, "name": page.say("trail.comma").join(each.get("ot.tag.name") or ()) or words or page.say("explore.device")}


def alert_titles(page: Page, identities: list[str]) -> dict[str, str]:
    """The titles of these alerts, of 100 at most."""
    found = page.store.alerts(list(dict.fromkeys(identities))[:100])
    return {alert.id: getattr(alert.title, page.language) for alert in found}


def alert_mark(page: Page, each: tuple[int, int, int, int, str], titles: dict[str, str]) -> tuple[Any, ...]:
    """What an alert is about, with the way to it."""
    row, since, until, severity, alert = each
    level = severity_word(severity)
    words = f"{page.say(f'severity.{level}')} {severity}: {titles.get(alert, alert[:12])}"
    return row, since // MILLISECOND, until // MILLISECOND, level, page.address("alert", id=alert), words


def acts(page: Page, span: Span, where: Condition) -> None:
    """What acted on the plant in this time, the newest first."""
    asked = And((where, explorer.acting()))
    found = queries.listed(page.store.read("activity", span.query(asked, "-@timestamp", ACTS)))
    total = page.store.count("activity", span.query(asked))
    clock, last = page.clock, span.until - 1
    until = clock.second(last) if clock.day(last) == clock.day(span.since) else f"{clock.short_day(last)} {clock.second(last)}"
    times = f"{clock.short_day(span.since)} {clock.second(span.since)}–{until}"
    count = (
        page.say("activity.cut", shown=number(len(found)), total=number(total))
        if total > len(found)
        else page.count("activity.count", total, count=number(total))
    )
    data = {"title": page.say("explore.acting"), "note": f"{times} · {count}", "empty": page.say("explore.no_acting")}
    rows = [activity_row(page, row) for row in found]
    kit.follow("table", {**data, "head": [page.say(f"activity.{name}") for name in HEAD], "rows": rows}, "acts")
