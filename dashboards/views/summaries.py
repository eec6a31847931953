"""Reports: make one now, those that were made, one as it is printed, its files and its release, what was released and where it went."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit
from dashboards.access.visitor import lacking, may
from dashboards.deciding import plain, refused, refusing
from dashboards.page import Page, begin, left_out, picked, remember
from dashboards.printouts import WHICH, earlier, file, kept, make
from dashboards.queries import LOOKED_AT
from dashboards.releasing import asking, releases
from records.errors import BalefireError
from records.formats import Clock
from records.wording import say
from reports.front import all_recorded
from reports.periods import KINDS, zone_of
from reports.printing import html, printed
from reports.redeciding import redecided
from reports.summary import known_sites
from reports.words import Words, nanoseconds

if TYPE_CHECKING:
    from reports.periods import Period

PAGE: Final = ("reports", 10)
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("report", "kind", "which", "site")
MOST: Final = 60  # reports that are listed
HEIGHT: Final = 1180  # of the preview: a page of A4 and a little
KINDS_OF_FILE: Final = {
    "pdf": "application/pdf",
    "html": "text/html",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


def show(page: Page) -> None:
    """The whole page."""
    remember(*REMEMBERED, place=PLACE)
    refused(page)
    heads = kept().heads()
    making(page, heads)
    names = [row["id"] for row in heads if row["problem"] is None]
    asked = st.query_params.get("report", "")
    if asked not in names:
        left_out("report")
    name = asked if asked in names else (names[0] if names else "")
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        history(page, heads, name)
    with right:
        if name:
            preview(page, name)
    releases(page)


def making(page: Page, heads: list[dict[str, Any]]) -> None:
    """Which period of which site, and the button; for whoever may make none, only that. Sites are those that were looked at lately, and those that there
    are reports of.
    """
    if why := lacking("report", page.language):
        st.markdown(f":gray[{why}]")
        return
    sites = sorted({*known_sites(page.store, page.whole.until - LOOKED_AT), *(str(row["site"]) for row in heads if row["problem"] is None and row["site"])})
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="making"):
        kind = picked("kind", {each: say(f"report.title.{each}", page.language) for each in KINDS}, PLACE, "weekly", 230, also=("which",))
        spans = {str(each.first): days(each, page) for each in earlier(kind)}
        which = picked("which", {each: page.say(f"reports.{each}") for each in WHICH} | spans, PLACE, "over", 230)
        site = picked("site", {"": page.say("reports.all_sites"), **{each: each for each in sites}}, PLACE, width=260) if len(sites) > 1 else ""
        st.button(page.say("reports.run"), key="run", type="primary", on_click=run, args=(kind, which, site))


def days(period: Period, page: Page) -> str:
    """The first and the last day of a period."""
    clock = Clock(period.zone, page.language)
    return " – ".join(dict.fromkeys((clock.day(period.since), clock.day(period.until - 1))))


def run(kind: str, which: str, site: str) -> None:
    """The button was pressed."""
    with refusing():
        st.query_params["report"] = make(kind, which, site)


def history(page: Page, heads: list[dict[str, Any]], name: str) -> None:
    """Those that were made, the newest period first, of one period what was made last."""
    head = [page.say(f"reports.{column}") for column in ("report", "site", "index")]
    rows = [line(page, row, name) for row in heads[:MOST]]
    total = len(heads) + kept().left_out()
    note = page.say("activity.cut", shown=len(rows), total=total) if total > len(rows) else ""
    empty = page.say("reports.none" if may("report") else "reports.nothing")
    kit.follow("table", {"title": page.say("reports.history"), "note": note, "head": head, "rows": rows, "empty": empty}, "history")


def line(page: Page, row: dict[str, Any], name: str) -> list[Any]:
    """One of them: the one that is shown is no link."""
    title = say(f"report.title.{row['period']}", page.language)
    if row["problem"] is not None:
        return [{"text": title, "sub": row["problem"].text(page.language)}, "", {"text": "–", "kind": "number"}]
    words = Words(page.language, zone_of(str(row["zone"])))
    about: dict[str, Any] = {"text": title, "sub": f"{words.minute(row['since'])} – {words.minute(row['until'])}"}
    if not row["whole"]:
        told = "recorded_until" if all_recorded(row["newest"], row["until"]) else "not_over"
        about["sub"] += page.say(f"reports.{told}" if row["kept_from"] is None else "reports.partly_kept")
    about["sub"] += " · " + page.say("reports.made", time=page.clock.moment(nanoseconds(row["made"])))
    if row["id"] != name:
        about["href"] = page.address(PLACE, report=row["id"])
    figure = {"text": "–" if row["index"] is None else f"{row['index']:.1f}", "kind": "number"}
    level = {"severity": row["level"]} if row["level"] not in {None, "none"} else {}
    return [about, row["site"] or {"text": page.say("reports.all_sites"), "kind": "whole"}, figure | level]


def preview(page: Page, name: str) -> None:
    """One as it is printed, with its files."""
    try:
        told = kept().find(name)
        shown = html(printed(told, page.language))
    except BalefireError as error:
        kit.draw("unseen", {"title": page.say("reports.preview"), "note": "", "rows": [("!", error.text(page.language))]}, "preview_error")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="files"):
        st.markdown(f":gray[{name}]")
        st.space("stretch")
        for form in ("pdf", "html", "xlsx", "json"):
            called = ".".join(filter(None, (name, "" if form == "json" else page.language, form)))
            content = partial(file, name, form, page.language)
            st.download_button(form.upper(), content, called, KINDS_OF_FILE[form], key=f"file_{form}", on_click="ignore")
    for later in redecided(page.store, [told | told["made_from"]]).values():
        st.caption(plain(later.said(name, page.clock)))
    asking(page, name)
    kit.draw("paper", {"html": shown, "title": page.say("reports.preview"), "height": HEIGHT}, "paper")


show(begin(*REMEMBERED))
