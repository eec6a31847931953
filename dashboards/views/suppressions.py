"""Suppressions: which are in force, what each of them hides, in all and on the last day; one can be ended here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, deciding, kit
from dashboards.access.visitor import lacking
from dashboards.deciding import name, person, refused, refusing
from dashboards.opening import opened
from dashboards.page import Page, begin
from detectors.suppressing import hidden
from detectors.suppressions import standing
from records.formats import number
from records.wording import say

if TYPE_CHECKING:
    from records.model import Suppression

PAGE: Final = ("suppressions", 8)
MOST: Final = 200
VALUES: Final = 6


def show(page: Page) -> None:
    """The whole page."""
    refused(page)
    newest, stored = counting.suppressions(page.store)
    known = sorted(stored, key=lambda each: (standing(each, newest) != "in_force", -each.since, each.id))
    head = [page.say(f"suppressions.{column}") for column in ("id", "standing", "ends", "owner", "reason", "where", "hidden", "day")]
    counts = hidden(page.store)
    lines = [line(page, each, standing(each, newest), counts.get(each.id, (0, 0))) for each in known[:MOST]]
    note = page.cut(len(lines), len(known), page.say("suppressions.note"))
    kit.draw("table", {"title": page.say("suppressions.title"), "note": note, "head": head, "rows": lines, "empty": page.say("suppressions.none")}, "table")
    if in_force := [each for each in known if standing(each, newest) == "in_force"]:
        ending(page, in_force)


def line(page: Page, each: Suppression, word: str, counts: tuple[int, int]) -> list[Any]:
    """One of them as texts."""
    told = say(f"standing.{word}", page.language)
    figures = [{"text": number(count), "kind": "number"} for count in counts]
    return [
        {"text": each.id[:12], "kind": "mono"},
        {"text": told, "kind": "short"},
        {"text": page.clock.moment(each.until), "kind": "whole"},
        each.owner,
        each.reason,
        conditions(page, each),
        *figures,
    ]


def conditions(page: Page, each: Suppression) -> str:
    """Its conditions in one text, narrowest first."""
    absent, comma = page.say("suppress.absent"), page.say("trail.comma")
    told: list[str] = []
    for field, values in each.where.items():
        words = [absent if value in {None, ""} else str(value) for value in values[:VALUES]]
        told.append(f"{field}: {comma.join(words)}{' …' if len(values) > VALUES else ''}")
    return " · ".join(told)


def ending(page: Page, in_force: list[Suppression]) -> None:
    """Choose one of those in force and end it."""
    revisions = {each.id: each for each in in_force}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="ending"):
        with st.popover(page.say("suppressions.revoke_more"), key=deciding.opened_as("revoke")):
            chosen = st.selectbox(page.say("suppressions.which"), list(revisions), format_func=lambda code: f"{code[:12]} {revisions[code].reason}"[:80])
            st.text_area(page.say("decide.note_of"), key="revoke_note")
            why = lacking("suppress", page.language)
            st.button(page.say("suppressions.revoke"), key="do_revoke", type="primary", disabled=bool(why), help=why, on_click=end, args=(revisions[chosen],))
        st.space("stretch")
        person(page)


def end(suppression: Suppression) -> None:
    """The button was pressed."""
    with refusing():
        deciding.show_again(opened(), suppression, name(), str(st.session_state.get("revoke_note") or ""))
        st.session_state["revoke_note"] = ""
        deciding.another_round()


show(begin())
