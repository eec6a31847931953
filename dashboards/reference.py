"""Objects as people of the plant name them: addresses on the wire are zero-based, and where the protocol has one, the reference notation stands beside."""

from __future__ import annotations

from functools import cache
from typing import Any

from detectors.phrases import action, deed, notation, references
from records.effects import EFFECTS, NUMBER
from records.wording import catalogue, say
from sensors.protocol import is_label


@cache
def serving() -> tuple[str, ...]:
    """Protocols that serve the network itself: who looks up names and addresses is everybody, and tells nothing of the plant."""
    from sensors.protocol import protocols

    return tuple(protocol.name for protocol in protocols() if protocol.infrastructure)


def deed_words(effect: str, language: str) -> str:
    """An effect in a list of them, where no sentence goes before it: "values" alone would be no deed."""
    known = EFFECTS[NUMBER.get(effect, NUMBER["unknown"])]
    return str(getattr(known, language)) if known.access == "report" else deed(effect, language)


def action_words(row: dict[str, Any], language: str) -> tuple[str, str]:
    """An operation in words, and its name in its protocol where that is not what is said: what serves the network has words of its own, all else those of
    what it does. Nothing where the name is not known.
    """
    name, effect = str(row["event.action"] or ""), str(row["ot.effect"] or "unknown")
    told = action(row, language) if name else ""
    return (deed_words(effect, language), name) if told == name and effect != "unknown" else (told, "")


def object_words(row: dict[str, Any], language: str) -> str:
    """`holding register 39–42 (40040–40043), unit 1` of an activity, behind what the plant calls it; empty where it has no object."""
    parts: list[str] = []
    space, name, first, last = (row[f"ot.object.{part}"] for part in ("space", "name", "first", "last"))
    about = {"space": space, "name": name, "first": first, "last": first if last is None else last}
    if name and is_label(str(row["network.protocol"]), about):  # it says all that space and numbers say
        space = first = None
    if space:
        key = f"dashboard.space.{space}"
        parts.append(say(key, language) if key in catalogue() else str(space).replace("_", " "))
    if first is not None:
        ends = int(first), int(last if last is not None else first)
        parts.append(_range(*(str(end) for end in ends)))
        if base := references().get(str(row["network.protocol"]), {}).get(str(space)):
            parts.append(f"({_range(*(notation(base, end) for end in ends))})")
    if name:
        parts.append(str(name))
    words = " ".join(parts)
    if tags := row.get("ot.tag.name"):
        words = say("detectors.phrase.named", language, name=say("detectors.phrase.comma", language).join(tags), address=words)
    if row["ot.unit"] is None:
        return words
    unit = say("dashboard.activity.unit", language, unit=row["ot.unit"])
    return f"{words}{say('dashboard.activity.comma', language)}{unit}" if words else unit


def place_words(row: dict[str, Any], language: str) -> tuple[str, str]:
    """(`40018`, `holding register`): where an object is, in reference notation where the protocol has one, and in which address space."""
    space, first, last = row["ot.object.space"], row["ot.object.first"], row["ot.object.last"]
    key = f"dashboard.space.{space}"
    words = (say(key, language) if key in catalogue() else str(space).replace("_", " ")) if space else ""
    if row["ot.object.name"]:
        return ("", str(row["ot.object.name"]))
    if first is None:
        return ("", words)
    base = references().get(str(row["network.protocol"]), {}).get(str(space))
    return _range(*(notation(base, int(end)) for end in (first, first if last is None else last))), words


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first}–{last}"
