"""Incidents whose level or class was decided anew after a duty towards somebody was released: what they were told may be wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reports.dutybook import duty_of
from reports.everything import every_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.store.contract import Store

Grade = tuple[Any, Any]  # level and class


def regraded_since(store: Store, duties: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, str]]:
    """Of duties, by id: since when (nanoseconds) and by whom the incident has another level or class than at their release, by the order of the trail."""
    rows = {str(row["id"]): row for row in duties}
    alerts = {identity: str(row["alert"]) for identity, row in rows.items()}
    decided: dict[str, Grade] = {}
    released: dict[str, Grade | None] = {}
    found: dict[str, tuple[int, str]] = {}
    for entry in every_row(store, "audit", "(table:grading AND action:grade) OR (table:duty AND action:release)"):
        subject = str(entry["subject"])
        if entry["table"] == "duty":
            for duty in _told(rows, subject):
                released[duty] = decided.get(alerts.get(subject, ""))
                found.pop(duty, None)
            continue
        after = json.loads(entry["after"])
        decided[subject] = after["graded"], after["class"]
        for duty in (each for each in released if alerts.get(each) == subject):
            if released[duty] == decided[subject]:
                found.pop(duty, None)
            else:
                found.setdefault(duty, (int(entry["time"]), str(entry["by"])))
    return found


def _told(rows: Mapping[str, Mapping[str, Any]], released: str) -> set[str]:
    """The duties, by id, whose receiver knows with this release how the incident is graded: itself and, of a supplement, what it adds to."""
    about = duty_of(rows[released]["duty"]) if released in rows else None
    if about is None or not about.supplements:
        return {released}
    return {identity for identity, row in rows.items() if row["alert"] == rows[released]["alert"] and row["duty"] in {about.id, about.supplements}}
