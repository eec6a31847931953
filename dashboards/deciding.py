"""What people decide on a page, about one alert or several. What is decided holds for what was shown: its revisions go along, so that nothing is overwritten.

Decisions are made in callbacks, before the page is drawn again; what was refused is said where the reader looks next.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import choosing, kit
from dashboards.access.sessions import access
from dashboards.access.visitor import demand, lacking, visitor
from dashboards.opening import opened
from dashboards.serve import OPERATOR, RECEIVERS, REGIMES, RULES
from detectors import disabling, lifecycle, suppressing
from detectors.lifecycle import FROM, VERDICTS
from detectors.looking import looked_until
from records.errors import BalefireError, ConflictError
from reports import obliging, supplementing, warned, yearly
from reports.reminding import starting

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from dashboards.page import Page
    from records.model import Alert, Suppression
    from records.store.contract import Change, Store
    from reports.obliging import Due

Row = dict[str, Any]
INPUTS: Final = ("assign_to", "assign_note", "note_note", "close_note")


def decide(store: Store, seen: Mapping[str, int], action: str, by: str, note: str = "", to: str = "", verdict: str = "") -> None:
    """Make one decision about alerts as they were seen (identity → revision), all or none. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    alerts = store.alerts(seen)
    for alert in alerts:
        if alert.revision != seen[alert.id]:
            raise ConflictError("conflict.alert", id=alert.id)
    until = {alert.id: looked_until(store, alert) for alert in alerts} if action == "close" else {}
    changes = [_change(replace(alert, revision=seen[alert.id]), action, by, note, to, verdict, until.get(alert.id, 0)) for alert in alerts]
    store.change([change for change in changes if change])


def hide(store: Store, draft: Suppression, by: str) -> Suppression:
    """Save a suppression. Raises BalefireError, DeniedError for whoever may not."""
    demand("suppress")
    return suppressing.save(store, draft, by)


def show_again(store: Store, suppression: Suppression, by: str, note: str) -> None:
    """End a suppression. Raises BalefireError, DeniedError for whoever may not."""
    demand("suppress")
    suppressing.revoke(store, suppression, by, note)


def disable(store: Store, rule: str, reason: str, by: str) -> Path:
    """Make a rule fire no more; the file that says so. Raises BalefireError, DeniedError for whoever may not."""
    demand("rules")
    return disabling.disable(store, rules(), rule, reason, by)


def enable(store: Store, rule: str, by: str, note: str) -> Path:
    """Let a disabled rule fire again; the file that said so. Raises BalefireError, DeniedError for whoever may not."""
    demand("rules")
    return disabling.enable(store, rules(), rule, by, note)


def fill(store: Store, due: Due, values: Mapping[str, str], by: str) -> None:
    """Keep what somebody wrote into the form of a duty as it was seen. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    obliging.fill(store, due, values, by)


def supplement(store: Store, due: Due, by: str) -> str:
    """Open a supplement to what was released; its id. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    return supplementing.supplement(store, due, by)


def grade(store: Store, alert: str, level: str, code: str, by: str, note: str) -> list[str]:
    """Decide the level of a confirmed alert; the ids of its duties. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    return obliging.grade(store, alert, level, code, operator(), regimes(), by, time.time_ns(), note=note)


def warn(store: Store, alert: str, colour: str, receivers: Sequence[str], reason: str, by: str, language: str) -> list[str]:
    """Issue a warning to each of these; their ids. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    return warned.issue_to(store, alert, colour, receivers, by, time.time_ns(), language, reason=reason)


def step(store: Store, warning: str, action: str, by: str, note: str) -> None:
    """Take the next step of a warning. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    warned.step(store, warning, action, by, time.time_ns(), note, json.loads(os.environ.get(RECEIVERS) or "{}"))


def open_year(store: Store, by: str) -> list[str]:
    """Open the yearly reports of a year without incidents; their ids. Raises BalefireError, DeniedError for whoever may not."""
    demand("decide")
    return yearly.open_empty(store, regimes(), by, time.time_ns())


def regimes() -> list[str]:
    """The laws whose duties count here, as set; none where the dashboard was told of none."""
    return list(json.loads(os.environ.get(REGIMES) or "[]"))


def operator() -> str:
    """What kind of operator the plant's is, as set."""
    return os.environ.get(OPERATOR) or "other"


def rules() -> Path | None:
    """The site's rules, as set; None where there are none."""
    told = os.environ.get(RULES, "")
    return Path(told) if told else None


def _change(alert: Alert, action: str, by: str, note: str, to: str, verdict: str, until: int) -> Change | None:
    match action:
        case "acknowledge":
            return lifecycle.acknowledge(alert, by, note)
        case "assign":
            return lifecycle.assign(alert, by, to, note)
        case "start":
            return lifecycle.start(alert, by, note)
        case "note":
            return lifecycle.comment(alert, by, note)
        case "close":
            return lifecycle.close(alert, by, verdict, until, note)
        case _:
            return lifecycle.reopen(alert, by, note)


def bar(page: Page, rows: Sequence[Row]) -> None:
    """The buttons for these alerts, a row each way of going on; what cannot be done to all of them is out of reach."""
    seen = {str(row["id"]): int(row["revision"]) for row in rows}
    why = lacking("decide", page.language)
    can = {action: why is None and bool(rows) and all(row["status"] in statuses for row in rows) for action, statuses in FROM.items()}

    def button(action: str, primary: bool = False, shortcut: str | None = None) -> None:
        kind = "primary" if primary and can[action] else "secondary"
        words = page.say(f"decide.{action}")
        st.button(words, key=f"do_{action}", type=kind, disabled=not can[action], help=why, shortcut=shortcut, on_click=_decided, args=(seen, action))

    def form(action: str) -> Any:
        return st.popover(page.say(f"decide.{action}_more"), disabled=not can[action], help=why, key=opened_as(action))

    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="decisions"):
        button("acknowledge", primary=True, shortcut="A")
        button("start")
        with form("assign"):
            st.text_input(page.say("decide.to"), key="assign_to")
            st.text_area(page.say("decide.note_of"), key="assign_note")
            button("assign", primary=True)
        with form("note"):
            st.text_area(page.say("decide.note_of"), key="note_note")
            button("note", primary=True)
        with form("close"):
            verdicts = {code: page.say(f"verdict.{code}_long") for code in VERDICTS}
            st.radio(page.say("decide.verdict"), VERDICTS, key="close_verdict", format_func=lambda code: verdicts[code], index=None)
            if starts := starting(regimes(), operator(), page.language):
                st.caption(f"{page.say('duties.starts')}: {'; '.join(starts)}")
            st.text_area(page.say("decide.note_of"), key="close_note")
            button("close", primary=True)
        if can["reopen"]:
            button("reopen", primary=True)
        st.space("stretch")
        person(page)


def person(page: Page) -> None:
    """Who decides: whoever is logged in, else as set, or as typed once in this session."""
    if access() is not None:
        return

    def typed() -> None:
        st.session_state["name"] = st.session_state["decided_by"]

    st.session_state["decided_by"] = name()
    words = page.say("decide.by")
    st.text_input(words, key="decided_by", placeholder=words, label_visibility="collapsed", icon=":material/person:", width=190, on_change=typed)


def name() -> str:
    """Who decides in this session."""
    if access() is not None:
        seen = visitor()
        return seen.name if seen else ""
    return str(st.session_state.get("name") or os.environ.get("BALEFIRE_USER", ""))


def opened_as(action: str) -> str:
    """The key of the form of an action: after a decision another, so that the form closes; open, it would take the next click as the wish to close it."""
    return f"more_{action}_{st.session_state.get('round', 0)}"


def another_round() -> None:
    """Something was decided: forms close, and lists forget their boxes."""
    st.session_state["round"] = st.session_state.get("round", 0) + 1


def _decided(seen: Mapping[str, int], action: str) -> None:
    """A button was pressed."""
    given: dict[str, str] = {key: str(st.session_state.get(key) or "") for key in (*INPUTS, "close_verdict")}
    words = {"note": given.get(f"{action}_note", ""), "to": given["assign_to"], "verdict": given["close_verdict"]}
    with refusing():
        decide(opened(), seen, action, name(), **words)
        choosing.choose((), "alerts")
        another_round()
        st.session_state.update(dict.fromkeys(INPUTS, ""))


@contextmanager
def refusing() -> Generator[None]:
    """What is refused inside is kept, to be said when the page is drawn."""
    st.session_state.pop("refused", None)
    try:
        yield
    except BalefireError as error:
        st.session_state["refused"] = error


def refused(page: Page) -> None:
    """Say, once, what was refused."""
    error: BalefireError | None = st.session_state.pop("refused", None)
    if error is not None:
        kit.draw("unseen", {"title": page.say("decide.refused"), "note": "", "rows": [("!", error.text(page.language))]}, "refusal")


def plain(text: str) -> str:
    """A stored text as Markdown shows it: every sign of Markdown's own stands for itself."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
