"""Warnings on the page of duties: what is overdue, all of them with what came of them; one is issued, its next step taken and its release asked for by
whoever may. What its receiver gets is signed elsewhere (`balefire report release --asked`), as reports are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, kit
from dashboards.access.visitor import lacking
from dashboards.deciding import name, plain, refusing, step, warn
from dashboards.opening import opened
from dashboards.paper import paper
from dashboards.releasing import asking, ledger
from dashboards.serve import UNIT, ZONE
from detectors.lifecycle import LONGEST
from records.formats import duration
from records.query import Query
from records.search import Match, Not, Or
from records.visible import unsteered
from records.wording import say
from reports import requesting, warned, warnpage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.page import Page
    from records.model import Text
    from reports.requesting import Standing

Row = dict[str, Any]
MOST: Final = 200
OFFERED: Final = 50  # alerts to warn of
LONGEST_TITLE: Final = 160  # letters in a list to choose from
ACTIONS: Final = dict(zip(warned.STEPS, warned.ACTIONS, strict=False))  # from which standing which step is taken


def warnings(page: Page, found: list[Row], now: int) -> None:
    """All of it. `found`: every warning."""
    titles = warned.titles(page.store, found[:MOST])
    late = [row for row in found[:MOST] if warned.overdue(row, now)]
    if late:
        head = [page.say(f"duties.{column}") for column in ("colour", "warns", "receiver", "missing", "by_how_much")]
        rows = [overdue(page, row, titles, now) for row in late]
        kit.draw("table", {"title": page.say("duties.overdue"), "note": page.say("duties.overdue_note"), "head": head, "rows": rows, "empty": ""}, "overdue")
    head = [page.say(f"duties.{column}") for column in ("colour", "warns", "receiver", "status", "next", "release")]
    against, history, released = warned.contested(page.store, found[:MOST]), warned.history(page.store, found[:MOST]), requesting.standings(page.store)
    shown = [[*line(page, row, now, titles, against.get(row["id"]), history.get(row["id"], [])), went(page, released.get(row["id"]))] for row in found[:MOST]]
    note = page.say("activity.cut", shown=MOST, total=len(found)) if len(found) > MOST else page.say("duties.warnings_note")
    told = {"title": page.say("duties.warnings"), "note": note, "empty": page.say("duties.no_warnings")}
    kit.draw("table", {**told, "head": head, "rows": shown}, "warnings")
    go_on(page, found[:MOST], titles)
    issue(page)


def overdue(page: Page, row: Row, titles: Mapping[str, Text], now: int) -> list[Any]:
    """Whose step is missing, and for how long."""
    missing = say(f"warning.step.{warned.ACTIONS[ACTIONS[row['status']]]}", page.language)
    late = {"text": duration(now - row["due"], page.language), "severity": "critical"}
    return [say(f"warning.colour.{row['colour']}", page.language), getattr(titles[row["id"]], page.language), row["receiver"], missing, late]


def line(page: Page, row: Row, now: int, titles: Mapping[str, Text], against: tuple[str, int, str] | None, done: list[Row]) -> list[Any]:
    """One of them, why it was issued, what was done about it by whom with what note, and when the next step is due."""
    times = " · ".join(_done(page, each) for each in done)
    due = page.clock.moment(row["due"]) if row["due"] else "–"
    following = {"text": f"{due} · {say('warning.late', page.language)}", "severity": "high"} if warned.overdue(row, now) else due
    status = {"text": warned.standing(row, against, page.language, page.clock.zone), "sub": times} | ({"severity": "high"} if against else {})
    why = {"text": getattr(titles[row["id"]], page.language), "sub": " · ".join(warned.reasons(row, page.language))}
    return [say(f"warning.colour.{row['colour']}", page.language), why, row["receiver"], status, following]


def _done(page: Page, done: Row) -> str:
    note = f" – {done['note']}" if done["note"] else ""
    words = say(f"warning.status.{done['step']}", page.language)
    return f"{words} {page.clock.moment(done['time'])} ({done['by']}){note}"


def went(page: Page, standing: Standing | None) -> Any:
    """How far its release went."""
    if standing is None:
        return "–"
    sub = f"{standing.by} · {page.clock.moment(standing.time)}"
    return {"text": say(f"warning.release.{standing.action}", page.language), "sub": f"{sub} · {standing.receipt[:20]}…" if standing.receipt else sub}


def go_on(page: Page, found: list[Row], titles: Mapping[str, Text]) -> None:
    """The next step of one of them, and its release."""
    if not found:
        return
    with st.expander(page.say("duties.step")):
        names = {row["id"]: _called(getattr(titles[row["id"]], page.language), row["receiver"], row["id"][:6]) for row in found}
        chosen = str(st.selectbox(page.say("duties.step_of"), list(names), format_func=names.__getitem__, key="warning", width=640))
        row = next(row for row in found if row["id"] == chosen)
        if action := ACTIONS.get(row["status"]):
            st.text_input(page.say("duties.step_note"), key=_note_of(chosen, action), max_chars=LONGEST)
            words = say(f"warning.step.{warned.ACTIONS[action]}", page.language)
            why = lacking("decide", page.language)
            st.button(words, key="warning_step", type="primary", disabled=bool(why), help=why, on_click=_stepped, args=(chosen, action))
        told = warnpage.document(page.store, row, os.environ.get(UNIT, ""), os.environ.get(ZONE) or "UTC")
        if not told["unit"]:
            st.caption(plain(say("warning.nameless", page.language)))
        asking(page, chosen, warnpage.seal(told), lambda: warned.releasable(page.store, row, page.clock.zone))
        book = ledger()
        entry = book.released(chosen) if book else None
        shown = entry.body["document"] if entry else told
        paper(shown, warnpage.rendered, page.language, "warned", page.say("duties.warned"), draft=entry is None)


def _called(title: str, *more: str) -> str:
    """A stored title in a list to choose from."""
    return " · ".join((unsteered(title[:LONGEST_TITLE]), *map(unsteered, more)))


def _note_of(warning: str, action: str) -> str:
    """A field of its own for each step: what was said of one is not said of the next."""
    return f"warning_{action}_{warning}"


def _stepped(warning: str, action: str) -> None:
    """The button was pressed."""
    with refusing():
        step(opened(), warning, action, name(), str(st.session_state.get(_note_of(warning, action)) or ""))


def issue(page: Page) -> None:
    """Issue one from an alert that is open or confirmed, in the colour that a person decides on a suggestion."""
    where = Or((Not(Match("status", "closed")), Match("verdict", "true")))
    alerts = [str(each) for each in page.store.read("alert", Query(where=where, sort="-severity", limit=OFFERED)).column("id").to_pylist()]
    if not alerts:
        return
    with st.expander(page.say("duties.issue")):
        called = {each.id: _called(getattr(each.title, page.language), each.id[:12]) for each in counting.alerts(page.store, alerts)}
        alert = str(st.selectbox(page.say("duties.issue_alert"), list(called), format_func=called.__getitem__, key="warn_alert", width=640))
        suggested, why = warned.suggest(page.store, alert)
        for each in why:
            st.caption(plain(getattr(each, page.language)))
        colours = {each: say(f"warning.colour.{each}", page.language) for each in reversed(warned.colours())}
        words = page.say("duties.issue_colour", colour=colours[suggested])
        st.radio(words, list(colours), index=None, format_func=colours.__getitem__, key=f"warn_colour_{alert}", horizontal=True)
        st.text_area(page.say("duties.issue_to"), key=f"warn_to_{alert}", height=68)
        st.text_input(page.say("duties.issue_reason"), key=f"warn_reason_{alert}", max_chars=LONGEST)
        why = lacking("decide", page.language)
        st.button(page.say("duties.issue"), key="warn", type="primary", disabled=bool(why), help=why, on_click=_issued, args=(alert, page.language))


def _issued(alert: str, language: str) -> None:
    """The button was pressed: without a colour nothing is issued."""
    colour, receivers, reason = (str(st.session_state.get(f"warn_{each}_{alert}") or "") for each in ("colour", "to", "reason"))
    if colour:
        with refusing():
            warn(opened(), alert, colour, receivers.splitlines(), reason, name(), language)
