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

WHICH: Final = ("over", "current", "earlier")  # the last period that is over, the present one so far, the one before the last


def kept() -> Kept:
    """The folder of this store's reports."""
    return Kept(place(os.environ.get("BALEFIRE_STORE", ""), os.environ.get(DIRECTORY, "")))


def period(kind: str, which: str) -> Period:
    """The period that is meant, by the newest packet. Raises UsageError where there is none."""
    store, zone = opened(), zone_of(os.environ.get(ZONE, ""))
    newest = store.newest()
    if newest is None:
        raise UsageError("report.empty", store=os.environ.get("BALEFIRE_STORE", ""))
    over, current = latest(kind, zone, newest)
    return {"current": current, "earlier": before(over)}.get(which) or chosen(store, kind, zone, newest)


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
