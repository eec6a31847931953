"""Releases on the page of reports: one is asked for by whoever may, what was released is listed with where it went. Nothing is signed here: keys and their
passphrase stay with `balefire report release --asked`, which a person or a service runs elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit
from dashboards.access.visitor import demand, lacking, may
from dashboards.deciding import name, person, refusing
from dashboards.opening import opened
from dashboards.printouts import kept
from dashboards.serve import DELIVERIES, LEDGER
from records.errors import BalefireError
from records.formats import number
from records.nesting import period
from records.wording import say
from reports import requesting
from reports.ledger import Ledger
from reports.posted import noted
from reports.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboards.page import Page
    from reports.ledger import Entry
    from reports.verifying import Verdict

MOST: Final = 40  # of each list
ORDER: Final = ("dead", "doubt", "waiting", "sending", "doubtful", "sent")  # of deliveries, what a person has to look at first


def ledger() -> Ledger | None:
    """The ledger that this dashboard was told of."""
    return Ledger(Path(os.environ[LEDGER])) if os.environ.get(LEDGER) else None


def ask(report: str, withdraw: bool = False, seal: str = "", allowed: Callable[[], None] = lambda: None) -> None:
    """Ask that a report be released, or a warning or form that is as its `seal` says, or take that back. Raises DeniedError and BalefireError, as `allowed`
    does where it is not to be released.
    """
    demand("release")
    if book := ledger():
        if withdraw:
            requesting.withdraw(opened(), book, report, name())
        elif seal:
            allowed()
            requesting.ask_for(opened(), book, report, seal, name())
        else:
            requesting.ask(opened(), kept(), book, report, name())


def asking(page: Page, report: str, seal: str = "", allowed: Callable[[], None] = lambda: None, *, key: str = "release") -> None:
    """What became of one report, or of a warning or form (`seal`; `allowed` raises BalefireError where it is not to be released), and the button."""
    book = ledger()
    if book is None:
        return
    released = book.released(report)
    asked = next((each for each in requesting.open_requests(page.store, book) if each.report == report), None)
    if released:
        words = page.say("release.done", number=released.number, by=released.body["by"], time=_moment(page, released.body["time"]))
    elif asked:
        words = page.say("release.asked", by=asked.by, time=page.clock.moment(asked.time))
    else:
        words = lacking("release", page.language) or page.say("release.note")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_releasing"):
        if not released:
            action = "withdraw" if asked else "ask"
            st.button(
                page.say(f"release.{action}"),
                key=f"{key}_{action}",
                disabled=not may("release"),
                on_click=_pressed,
                args=(report, asked is not None, seal, allowed),
            )
            if not seal:  # on the page of duties that stands above
                person(page)
        st.markdown(f":gray[{words}]")


def _pressed(report: str, withdraw: bool, seal: str, allowed: Callable[[], None]) -> None:
    with refusing():
        ask(report, withdraw, seal, allowed)


def releases(page: Page) -> None:
    """What was released, whether the ledger is as it was signed, and every delivery that is not done."""
    book = ledger()
    if book is None:
        return
    try:
        entries = [each for each in map(book.read, reversed(book.numbers()[-4 * MOST :])) if each.body["kind"] != "key"]
        sent = noted(Path(os.environ[DELIVERIES])) if os.environ.get(DELIVERIES) else []
        verdict = _verified(str(book.root), book.numbers()[-1:], entries[0].hash if entries else "")
    except BalefireError as error:
        kit.draw("unseen", {"title": page.say("release.title"), "note": "", "rows": [("!", error.text(page.language))]}, "ledger_error")
        return
    head = [page.say(f"release.{column}") for column in ("entry", "what", "when", "by", "receipt", "went")]
    rows = [_line(page, each, [row for row in sent if Path(row["entry"]).name == book.path(each.number).name]) for each in entries[:MOST]]
    most = page.say("release.newest", shown=len(rows), total=number(len(book.numbers()))) if len(entries) > len(rows) else ""
    note = page.say("activity.comma").join(filter(None, (_state(page, verdict), most)))
    kit.draw("table", {"title": page.say("release.title"), "note": note, "head": head, "rows": rows, "empty": page.say("release.none")}, "releases")
    ordered = sorted(sent, key=lambda row: (ORDER.index(row["status"]), -row["changed"]))
    head = [page.say(f"release.{column}") for column in ("entry", "way", "receiver", "status", "tries", "next", "said")]
    note = page.cut(MOST, len(sent), page.say("release.deliveries_note"))
    told = {"title": page.say("release.deliveries"), "note": note, "empty": page.say("release.undelivered")}
    kit.draw("table", {**told, "head": head, "rows": [_delivery(page, row) for row in ordered[:MOST]]}, "deliveries")


@st.cache_data(max_entries=4, ttl=300, show_spinner=False)
def _verified(folder: str, last: list[int], seal: str) -> Verdict | None:  # noqa: ARG001 - the ledger that ends so, and no other
    """What verifying says of the whole ledger; None where there is none."""
    return verify(Path(folder), ()) if last else None


def _state(page: Page, verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    if verdict.problem is None:
        return page.count("release.valid", verdict.entries, count=number(verdict.entries))
    values = {key: value.text(page.language) if isinstance(value, BalefireError) else value for key, value in verdict.values.items()}
    return say("verify.broken", page.language, at=verdict.at, reason=say(f"verify.{verdict.problem}", page.language, **values))


def _line(page: Page, entry: Entry, sent: list[dict[str, Any]]) -> list[Any]:
    """One release: what it is called, who released it when, and where it is on its way."""
    document: dict[str, Any] = entry.body["document"]
    counts = {status: sum(row["status"] == status for row in sent) for status in ORDER}
    went = " · ".join(f"{say(f'deliver.status.{status}', page.language)} {count}" for status, count in counts.items() if count)
    title = document.get("title") or (say(f"report.title.{document['period']}", page.language) if "period" in document else entry.body["kind"])
    files = page.count("release.files", len(entry.body["files"]), count=len(entry.body["files"]))
    return [
        {"text": str(entry.number), "kind": "number"},
        {"text": str(title), "sub": f"{document.get('id', '')} · {files}"},
        _moment(page, entry.body["time"]),
        str(entry.body["by"]),
        {"text": f"{entry.number}:{entry.hash[:16]}…", "kind": "mono"},
        went or page.say("release.nowhere"),
    ]


def _delivery(page: Page, row: dict[str, Any]) -> list[Any]:
    """One delivery: what is given up or in doubt waits for a person, who is told the command."""
    status = say(f"deliver.status.{row['status']}", page.language)
    level = {"severity": "high"} if row["status"] in {"dead", "doubt"} else {}
    waits = f"balefire deliver retry {row['id'][:12]}" if level else page.clock.moment(int(row["due"] * 10**9)) if row["status"] == "waiting" else "–"
    return [
        Path(row["entry"]).stem.lstrip("0"),
        row["channel"],
        row["receiver"],
        {"text": status, "sub": page.clock.moment(int(row["changed"] * 10**9)), **level},
        {"text": str(row["tries"]), "kind": "number"},
        {"text": waits, "kind": "mono"} if level else waits,
        row["said"] or "–",
    ]


def _moment(page: Page, text: str) -> str:
    found = period(text)
    return page.clock.moment(found[0]) if found else text
