"""Reports as the dashboard makes, finds and prints them, for whoever may."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dashboards.access.visitor import demand
from dashboards.opening import opened
from dashboards.serve import DIRECTORY, ZONE
from records.errors import UsageError
from reports.kept import Kept, place
from reports.periods import before, latest, zone_of
from reports.printing import rendered
from reports.summary import chosen, document

if TYPE_CHECKING:
    from reports.periods import Period

WHICH: Final = ("over", "current")  # the last period that is over, the present one so far
EARLIER: Final = 24  # periods before the last that may be chosen; whatever is earlier, by the command


def kept() -> Kept:
    """The folder of this store's reports."""
    return Kept(place(os.environ.get("BALEFIRE_STORE", ""), os.environ.get(DIRECTORY, "")))


def earlier(kind: str) -> list[Period]:
    """The periods before the last that is over, by the newest packet, the latest first."""
    newest = opened().newest()
    found = latest(kind, zone_of(os.environ.get(ZONE, "")), newest)[:1] if newest is not None else []
    for _ in range(EARLIER if found else 0):
        found.append(before(found[-1]))
    return found[1:]


def period(kind: str, which: str) -> Period:
    """The period that is meant: as `WHICH` says, by the newest packet, or the one of this first day. Raises UsageError where there is none."""
    store, zone = opened(), zone_of(os.environ.get(ZONE, ""))
    newest = store.newest()
    if newest is None:
        raise UsageError("report.empty", store=os.environ.get("BALEFIRE_STORE", ""))
    named = next((each for each in earlier(kind) if str(each.first) == which), None)
    return named or (latest(kind, zone, newest)[1] if which == "current" else chosen(store, kind, zone, newest))


def make(kind: str, which: str, site: str) -> str:
    """Make a report of a site, or of all, and keep it; its identity. Raises DeniedError, BalefireError."""
    demand("report")
    reports = kept()
    told = document(opened(), period(kind, which), site or None, reports)
    reports.keep(told)
    return str(told["id"])


def file(name: str, form: str, language: str) -> bytes:
    """A form of a report. Raises DeniedError, BalefireError."""
    demand("read")
    return rendered(kept().find(name), form, language)
