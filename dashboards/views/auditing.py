"""Audit: who decided what, when, about what, as it was before and after; the chain of the trail is verified here, entry by entry."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, kit
from dashboards.entries import FIRST, entries, last
from dashboards.opening import opened
from dashboards.page import Page, begin, left_out
from records.errors import UsageError
from records.formats import number
from records.nesting import period
from records.schema import ALERT, AUDIT, DUTY, GRADING, SUPPRESSION, WARNING
from records.search import parse
from records.store.decisions import broken
from records.wording import say_or

if TYPE_CHECKING:
    from records.search import Condition

PAGE: Final = ("audit", 11)
MOST_PAGES: Final = 100
TABLES: Final = ("alert", "suppression", "plant", "rules", "access")
IDENTITY: Final = re.compile("[0-9a-f]{16,}")  # which twelve letters tell from others; a name stands whole
VALUE: Final = 60  # letters of a value
UNSAID: Final = frozenset({"id", "revision"})  # the entry itself is about the one, and is the other
WORDS: Final = {"verdict": "dashboard.verdict", "graded": "duty.level", "colour": "warning.colour", "role": "role"}  # of values
STATUS: Final = {"alert": "dashboard.status", "duty": "duty.status", "warning": "warning.status"}
DATES: Final = frozenset(field.name for table in (ALERT, SUPPRESSION, GRADING, DUTY, WARNING) for field in table.fields if field.type == "date")


@st.cache_data(max_entries=8, ttl=60, show_spinner=False)
def _broken(where: str, last: str, seal: str) -> str | None:  # noqa: ARG001 - the trail that ends so, and no other
    """The first entry that breaks the chain of a trail that ends with this entry and hash, or None."""
    return broken(opened())


def show(page: Page) -> None:
    """The whole page."""
    verified(page)
    where = narrowed(page)
    if where is None:
        return
    total = counting.total(page.store, "audit", where)
    pages = min(MOST_PAGES, max(1, -(-total // FIRST)))
    asked = st.query_params.get("page", "1")
    place = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 0
    if not 1 <= place <= pages:
        left_out("page")
        place = min(max(1, place), pages)
    listed(page, entries(page.store, where, place), total)
    if pages > 1:
        turn(place, pages)
    if total > MOST_PAGES * FIRST:
        st.markdown(f":gray[{page.say('audit.most', most=number(MOST_PAGES * FIRST))}]")


def verified(page: Page) -> None:
    """Whether the chain holds, and how its last entry is sealed: whoever noted that before can tell whether entries were cut off the end since."""
    newest = last(page.store)
    if newest is None:
        words = {"tag": page.say("audit.title"), "sentence": page.say("audit.empty"), "reason": page.say("audit.empty_reason")}
        kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "headline")
        return
    entry, seal = str(newest["id"]), str(newest["hash"])
    with st.spinner(page.say("audit.checking")):
        at = _broken(os.environ.get("BALEFIRE_STORE", ""), entry, seal)
    count = int(entry) if entry.isdecimal() else 0
    if at is None:
        level, words = "none", {"tag": page.say("audit.holds"), "sentence": page.count("audit.whole", count, count=number(count))}
        reason = page.say("audit.seal", number=count, hash=seal)
    else:
        level, words = "critical", {"tag": page.say("audit.breaks"), "sentence": page.say("audit.broken", at=at.lstrip("0") or at)}
        reason = page.say("audit.broken_reason")
    kit.draw("headline", {"level": level, "plain": True, "meta": [], "reason": reason, **words}, "headline")


def narrowed(page: Page) -> Condition | None:
    """The search, in the command line's syntax; None where it does not parse, after saying why."""

    def typed() -> None:
        st.query_params["q"] = st.session_state["audit_search"]
        if "page" in st.query_params:
            del st.query_params["page"]

    st.session_state["audit_search"] = st.query_params.get("q", "")
    label = page.say("audit.search")
    st.text_input(label, key="audit_search", placeholder=page.say("audit.placeholder"), label_visibility="collapsed", on_change=typed, width=420)
    try:
        return parse(st.session_state["audit_search"], AUDIT)
    except UsageError as error:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", error.text(page.language))]}, "search_error")
        return None


def listed(page: Page, found: list[dict[str, Any]], total: int) -> None:
    """The entries, newest first."""
    head = [page.say(f"audit.{name}") for name in ("number", "time", "by", "what", "subject", "before", "after", "note")]
    told = {"title": page.say("audit.entries"), "note": page.count("audit.total", total, count=number(total)), "empty": page.say("audit.none")}
    kit.follow("table", {**told, "head": head, "rows": [line(page, row) for row in found]}, "entries")


def line(page: Page, row: dict[str, Any]) -> list[Any]:
    """One entry as texts."""
    time, table, subject = int(row["time"]), str(row["table"]), str(row["subject"])
    kind = page.say(f"audit.{table}") if table in TABLES else say_or(f"cli.store.tables.{table}", page.language, table)
    about: dict[str, str] = {"text": f"{kind} {subject[:12] if IDENTITY.fullmatch(subject) else subject}"}
    if table == "alert":
        about["href"] = page.address("alert", id=subject)
    elif row["action"] in ("disable", "enable"):
        about["href"] = page.address("rule", rule=subject)
    return [
        {"text": str(row["id"]).lstrip("0"), "kind": "number"},
        {"text": f"{page.clock.short_day(time)} {page.clock.second(time)}", "kind": "mono"},
        str(row["by"]),
        say_or(f"decision.{row['action']}", page.language, str(row["action"])),
        about,
        values(page, table, row["before"]),
        values(page, table, row["after"], made=not row["before"]),
        str(row["note"] or ""),
    ]


def values(page: Page, table: str, text: str | None, *, made: bool = False) -> str:
    """Fields and their values in words, as far as there are words for them; of what was made, only what it has."""
    held: dict[str, Any] = json.loads(text or "{}") or {}
    told = {name: value for name, value in held.items() if name not in UNSAID and not (made and value in (None, "", [], {}))}
    return " · ".join(f"{say_or(f'dashboard.audit.field.{name}', page.language, name)}: {_word(page, table, name, value)}" for name, value in told.items())


def _word(page: Page, table: str, name: str, value: object) -> str:
    if value in (None, [], {}):
        return "–"
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name in DATES and (span := period(told)):
        return f"{page.clock.short_day(span[0])} {page.clock.second(span[0])}"
    if words := STATUS.get(table) if name == "status" else WORDS.get(name):
        told = say_or(f"{words}.{told}", page.language, told)
    return told if len(told) <= VALUE else told[: VALUE - 1] + "…"


def turn(place: int, pages: int) -> None:
    """The pages of the list; which one it is stands in the address."""

    def turned() -> None:
        st.query_params["page"] = str(st.session_state["audit_page"])

    st.session_state["audit_page"] = place
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.pagination(pages, key="audit_page", on_change=turned)


show(begin("q", "page"))
