"""Activities as rows of a table: who did what to what, with links to the assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboards.reference import action_words, object_words
from detectors.phrases import error, measured
from records.formats import number

if TYPE_CHECKING:
    from dashboards.page import Page

WHOLE: Final = 40  # letters of an object that stand on one line
HEAD: Final = ("time", "access", "from", "to", "action", "object", "outcome")


def activity_row(page: Page, row: dict[str, Any]) -> list[Any]:
    """One activity. What stands for several operations says how many."""
    time, access, outcome = int(row["@timestamp"]), str(row["ot.access"] or "unknown"), str(row["event.outcome"] or "unknown")
    count = f" ×\u00a0{number(int(row['ot.count']))}" if (row["ot.count"] or 1) > 1 else ""
    meant = object_words({**row, "ot.unit": None}, page.language)
    unit = page.say("activity.unit", unit=row["ot.unit"]) if row["ot.unit"] is not None else ""
    value = page.say("activity.value", value=measured(row, row["ot.value"])) if row["ot.value"] is not None else ""
    told, name = action_words(row, page.language)
    return [
        {"text": f"{page.clock.short_day(time)} {page.clock.second(time)}.{time % 1_000_000_000 // 1_000_000:03d}", "kind": "mono"},
        {"text": page.say(f"access.{access}"), "access": access},
        party(page, row, "source"),
        party(page, row, "destination"),
        {"text": f"{told}{count}", "sub": name, "kind": "plain"},
        {"text": meant or unit, "sub": " · ".join(filter(None, (unit if meant else "", value))), "kind": "whole" if len(meant) <= WHOLE else "plain"},
        page.say(f"outcome.{outcome}") + (page.say("activity.error", error=error(row, page.language)) if row["ot.error"] else ""),
    ]


def party(page: Page, row: dict[str, Any], side: str) -> dict[str, str]:
    """The asset's name then, its address beneath; else what address is known. A link where the asset is known."""
    address, name = row[f"{side}.ip"] or row[f"{side}.mac"] or "", row[f"{side}.asset.name"]
    link = {"href": page.address("asset", asset=str(row[f"{side}.asset.id"]))} if row[f"{side}.asset.id"] else {}
    return {"text": str(name or address), "sub": str(address) if name and name != address else "", "kind": "plain", **link}
