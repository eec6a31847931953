"""Reports: make one now, those that were made, one as it is printed, and its files."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit
from dashboards.access.visitor import demand, may
from dashboards.deciding import refused, refusing
from dashboards.opening import opened
from dashboards.page import Page, begin, picked, remember
from dashboards.serve import DIRECTORY, ZONE
from records.errors import BalefireError, UsageError
from records.wording import say
from reports.kept import Kept, place
from reports.periods import KINDS, before, latest, zone_of
from reports.printing import FORMATS, html, printed, rendered
from reports.summary import chosen, document, known_sites
from reports.words import Words

if TYPE_CHECKING:
    from reports.periods import Period

PAGE: Final = ("reports", 10)
PLACE: Final = PAGE[0]
MOST: Final = 60  # reports that are listed
HEIGHT: Final = 1180  # of the preview: a page of A4 and a little
KINDS_OF_FILE: Final = {
    "pdf": "application/pdf",
    "html": "text/html",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
WHICH: Final = ("over", "current", "earlier")


def kept() -> Kept:
    """The folder of this store's reports."""
    return Kept(place(os.environ.get("BALEFIRE_STORE", ""), os.environ.get(DIRECTORY, "")))


def show(page: Page) -> None:
    """The whole page."""
    remember("report", "kind", "which", "site", place=PLACE)
    refused(page)
    making(page)
    heads = kept().heads()
    names = [row["id"] for row in heads if row["problem"] is None]
    asked = st.query_params.get("report", "")
    name = asked if asked in names else (names[0] if names else "")
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        history(page, heads, name)
    with right:
        if name:
            preview(page, name)


def making(page: Page) -> None:
    """Which period of which site, and the button."""
    sites = known_sites(page.store)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="making"):
        kind = picked("kind", {each: say(f"report.title.{each}", page.language) for each in KINDS}, PLACE, "weekly", 230)
        which = picked("which", {each: page.say(f"reports.{each}") for each in WHICH}, PLACE, "over", 230)
        site = picked("site", {"": page.say("reports.all_sites"), **{each: each for each in sites}}, PLACE, width=260) if len(sites) > 1 else ""
        st.button(page.say("reports.run"), key="run", type="primary", disabled=not may("report"), on_click=run, args=(kind, which, site))
        if not may("report"):
            st.markdown(f":gray[{page.say('reports.may_not')}]")


def period(kind: str, which: str) -> Period:
    """The period that is meant, by the newest packet."""
    store, zone = opened(), zone_of(os.environ.get(ZONE, ""))
    newest = store.newest()
    if newest is None:
        raise UsageError("report.empty", store=os.environ.get("BALEFIRE_STORE", ""))
    over, current = latest(kind, zone, newest)
    return {"current": current, "earlier": before(over)}.get(which) or chosen(store, kind, zone, newest)


def run(kind: str, which: str, site: str) -> None:
    """The button was pressed."""
    with refusing():
        demand("report")
        told = document(opened(), period(kind, which), site or None)
        kept().keep(told)
        st.query_params["report"] = told["id"]


def history(page: Page, heads: list[dict[str, Any]], name: str) -> None:
    """Those that were made, the newest period first."""
    head = [page.say(f"reports.{column}") for column in ("report", "site", "index")]
    rows = [line(page, row, name) for row in heads[:MOST]]
    note = page.say("activity.cut", shown=MOST, total=len(heads)) if len(heads) > MOST else ""
    kit.follow("table", {"title": page.say("reports.history"), "note": note, "head": head, "rows": rows, "empty": page.say("reports.none")}, "history")


def line(page: Page, row: dict[str, Any], name: str) -> list[Any]:
    """One of them: the one that is shown is no link."""
    title = say(f"report.title.{row['period']}", page.language)
    if row["problem"] is not None:
        return [{"text": title, "sub": row["problem"].text(page.language)}, "", {"text": "–", "kind": "number"}]
    words = Words(page.language, zone_of(str(row["zone"])))
    about: dict[str, Any] = {"text": title, "sub": f"{words.minute(row['since'])} – {words.minute(row['until'])}"}
    if not row["whole"]:
        about["sub"] += page.say("reports.not_over")
    if row["id"] != name:
        about["href"] = page.address(PLACE, report=row["id"])
    figure = {"text": "–" if row["index"] is None else f"{row['index']:.1f}", "kind": "number"}
    level = {"severity": row["level"]} if row["level"] not in {None, "none"} else {}
    return [about, row["site"] or page.say("reports.all_sites"), figure | level]


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
            file = ".".join(filter(None, (name, "" if form == "json" else page.language, form)))
            make = partial(printed_as, name, form, page.language)
            st.download_button(form.upper(), make, file, KINDS_OF_FILE[form], key=f"file_{form}", on_click="ignore")
    kit.draw("paper", {"html": shown, "title": page.say("reports.preview"), "height": HEIGHT}, "paper")


def printed_as(name: str, form: str, language: str) -> bytes:
    """A file of a report. Raises BalefireError."""
    if form not in FORMATS:
        raise UsageError("report.unknown", id=name)
    return rendered(kept().find(name), form, language)


show(begin())
