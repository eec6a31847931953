"""How alerts that a person ever closed as true stand: confirmed still, or taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from records.store.decisions import ITSELF
from reports.everything import every_row

if TYPE_CHECKING:
    from records.store.contract import Store

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that was closed as true: when first and by whom (the clock of the store's machine), and when and by whom that was taken back."""

    since: int
    by: str
    ended: tuple[int, str] | None = None


def standings(store: Store, alert: str = "") -> dict[str, Standing]:
    """How each alert (or one) that a person ever closed as true stands, by the trail. The first confirmation counts, whatever came between.

    A reopening by ourselves, since the same went on, withdraws nothing: only a person's reopening does, or another verdict.
    """
    found: dict[str, Standing] = {}
    search = "table:alert AND (action:close OR action:reopen)" + (f' AND subject:"{alert}"' if alert else "")
    for row in every_row(store, "audit", search):
        after: Row = json.loads(row["after"] or "{}")
        there, when, by = found.get(row["subject"]), int(row["time"]), str(row["by"])
        if row["action"] == "close" and after.get("verdict") == "true":
            found[row["subject"]] = replace(there, ended=None) if there else Standing(when, by)
        elif there and there.ended is None and not (row["action"] == "reopen" and by == ITSELF):
            found[row["subject"]] = replace(there, ended=(when, by))
    return found
