"""Requests to release a report, warning or form: whoever may asks on the dashboard, whoever holds the key signs elsewhere (`balefire report release --asked`).

A request is a decision in the audit trail, no more: the process that serves browsers has neither the private key nor its passphrase.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST, TransitionError, name
from records.errors import UsageError
from records.store.contract import Change
from reports import canonical
from reports.everything import every_row

if TYPE_CHECKING:
    from records.store.contract import Store
    from reports.kept import Kept
    from reports.ledger import Entry, Ledger

TABLE: Final = "release"
ASK, WITHDRAW, RELEASE = "ask", "withdraw", "release"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be released (its identity, and the SHA-256 of its document), who asked when (nanoseconds), and with what note."""

    report: str
    sha256: str
    by: str
    time: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the release of something went, by whom and when (nanoseconds): `ask`, or `release` with the receipt."""

    action: str
    by: str
    time: int
    receipt: str = ""


def digest(told: dict[str, Any]) -> str:
    """What stands for a document in its request."""
    return sha256(canonical.written(told)).hexdigest()


def open_requests(store: Store, ledger: Ledger) -> list[Request]:
    """The requests that nobody signed or withdrew, the oldest first."""
    found: dict[str, Request] = {}
    for row in every_row(store, "audit", f"table:{TABLE}"):
        if row["action"] == ASK:
            after: dict[str, Any] = json.loads(row["after"] or "{}")
            found.setdefault(row["subject"], Request(row["subject"], str(after.get("sha256")), row["by"], row["time"], row["note"] or ""))
        else:
            found.pop(row["subject"], None)
    return [each for each in found.values() if ledger.released(each.report) is None]


def record(store: Store, entry: Entry) -> None:
    """Note in the trail that it was signed, once; made up for, where whoever signed it was cut off before."""
    identity = str(entry.body["document"]["id"])
    if not every_row(store, "audit", f'table:{TABLE} AND action:{RELEASE} AND subject:"{identity}"'):
        _decide(store, identity, RELEASE, str(entry.body["by"]), {"receipt": str(entry.receipt)}, "")


def standings(store: Store) -> dict[str, Standing]:
    """What is asked for or released, by its identity, as the trail tells."""
    found: dict[str, Standing] = {}
    for row in every_row(store, "audit", f"table:{TABLE}"):
        if row["action"] == WITHDRAW:
            found.pop(row["subject"], None)
        else:
            receipt = str(json.loads(row["after"] or "{}").get("receipt") or "")
            found[row["subject"]] = Standing(row["action"], row["by"], row["time"], receipt)
    return found


def ask(store: Store, kept: Kept, ledger: Ledger, report: str, by: str, note: str = "") -> None:
    """Ask that a report be released as it is. Raises TransitionError where it is released or asked for already, StoreError where it was changed."""
    ask_for(store, ledger, report, digest(kept.find(report)), by, note)


def ask_for(store: Store, ledger: Ledger, identity: str, content: str, by: str, note: str = "") -> None:
    """Ask that what has this identity and this content be released. Raises TransitionError where it is released or asked for already."""
    if ledger.released(identity) is not None:
        raise TransitionError("release.done", id=identity)
    if any(each.report == identity for each in open_requests(store, ledger)):
        raise TransitionError("release.asked", id=identity)
    _decide(store, identity, ASK, by, {"sha256": content}, note)


def withdraw(store: Store, ledger: Ledger, report: str, by: str, note: str = "") -> None:
    """Take a request back. Raises TransitionError where there is none."""
    if not any(each.report == report for each in open_requests(store, ledger)):
        raise TransitionError("release.none", id=report)
    _decide(store, report, WITHDRAW, by, {}, note)


def _decide(store: Store, report: str, action: str, by: str, values: dict[str, Any], note: str) -> None:
    if not name(by):
        raise UsageError("life.nobody")
    if len(note) > LONGEST:
        raise UsageError("life.long_note", length=len(note), limit=LONGEST)
    store.change([Change(TABLE, report, None, action, name(by), values, note.strip())])
