"""Yearly reports. Of years in which no incident was confirmed nobody's grading opens them, so a person does, where something was recorded in that year. What
was released tells of all incidents of its year, so a decision about any of them may make it wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from detectors.lifecycle import TransitionError
from records.query import Span
from records.store.decisions import ITSELF
from reports.asking import Source
from reports.dutybook import YEAR, duties, duty_of
from reports.dutyrows import identity_of, opening, year_end, year_of
from reports.everything import every_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.store.contract import Store
    from reports.dutybook import Duty


def unopened(store: Store, regimes: Iterable[str], now: int) -> list[tuple[Duty, int]]:
    """The yearly reports of the last whole year (UTC) that no incident opened; none of a year in which nothing was recorded: of that nobody can tell here."""
    wanted, year = set(regimes), year_of(now) - 1
    found = [each for each in duties() if each.regime in wanted and each.start == YEAR and not store.get("duty", identity_of(str(year), each.id))]
    return [(each, year) for each in found] if found and Source(store).count("coverage", Span(year_end(year - 1), year_end(year))) else []


def open_empty(store: Store, regimes: Iterable[str], by: str, now: int) -> list[str]:
    """Open them; their ids. Raises TransitionError where there is none."""
    found = unopened(store, regimes, now)
    if not found:
        raise TransitionError("duty.no_year", year=year_of(now) - 1)
    changes = [opening(identity_of(str(year), duty.id), "", duty.id, year_end(year) - 1, "open_year", by) for duty, year in found]
    store.change(changes)
    return [change.id for change in changes]


def retold_since(store: Store, rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, str]]:
    """Of yearly duties that are released, by id: since when (nanoseconds) and by whom their year has other incidents, or one of another level or class, than
    at their release, by the order of the trail.
    """
    yearly = {str(row["id"]): (duty, year_of(row["confirmed"])) for row in rows
              if row["status"] == "released" and (duty := duty_of(row["duty"])) and duty.start == YEAR}  # fmt: skip
    if not yearly:
        return {}
    graded: dict[str, dict[str, Any]] = {}
    confirmed: set[str] = set()

    def incidents(identity: str) -> set[tuple[str, str, str]]:
        duty, year = yearly[identity]
        there = ((alert, each) for alert, each in graded.items() if alert in confirmed and str(each["confirmed"])[:4] == str(year))
        return {(alert, each["graded"], each["class"]) for alert, each in there if duty.applies(each["graded"], each["class"], each["operator"])}

    told: dict[str, set[tuple[str, str, str]]] = {}
    found: dict[str, tuple[int, str]] = {}
    decisions = "(table:alert AND (action:close OR action:reopen)) OR (table:grading AND action:grade) OR (table:duty AND action:release)"
    for entry in every_row(store, "audit", decisions):
        subject, after = str(entry["subject"]), json.loads(entry["after"] or "{}")
        if entry["table"] == "grading":
            graded[subject] = after
        elif entry["action"] == "close" and after.get("verdict") == "true":
            confirmed.add(subject)
        elif entry["table"] == "alert" and entry["by"] != ITSELF:  # that the same went on withdraws nothing
            confirmed.discard(subject)
        elif subject in yearly:
            told[subject] = incidents(subject)
        for each in told if subject in graded else ():
            if incidents(each) == told[each]:
                found.pop(each, None)
            else:
                found.setdefault(each, (int(entry["time"]), str(entry["by"])))
    return found
