"""Objects as people of the plant name them: addresses on the wire are zero-based, and where the protocol has one, the reference notation stands beside."""

from __future__ import annotations

from typing import Any, Final

from records.wording import catalogue, say

MODBUS_BASES: Final = {"coil": 1, "discrete_input": 10001, "input_register": 30001, "holding_register": 40001}


def object_words(row: dict[str, Any], language: str) -> str:
    """`holding register 39–42 (40040–40043), unit 1` of an activity; empty where it has no object."""
    parts: list[str] = []
    space, first, last = row["ot.object.space"], row["ot.object.first"], row["ot.object.last"]
    if space:
        key = f"dashboard.space.{space}"
        parts.append(say(key, language) if key in catalogue() else str(space).replace("_", " "))
    if first is not None:
        parts.append(_range(int(first), int(last if last is not None else first)))
        if base := MODBUS_BASES.get(str(space)) if row["network.protocol"] == "modbus" else None:
            parts.append(f"({_range(int(first) + base, int(last if last is not None else first) + base, 5)})")
    if row["ot.object.name"]:
        parts.append(str(row["ot.object.name"]))
    words = " ".join(parts)
    if row["ot.unit"] is None:
        return words
    unit = say("dashboard.activity.unit", language, unit=row["ot.unit"])
    return f"{words}{say('dashboard.activity.comma', language)}{unit}" if words else unit


def _range(first: int, last: int, width: int = 1) -> str:
    return f"{first:0{width}d}" if first == last else f"{first:0{width}d}–{last:0{width}d}"
