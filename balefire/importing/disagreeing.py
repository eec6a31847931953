"""What lists say against the wire, on a screen and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from balefire.screen import Screen
    from detectors.listed import Comparison

NAMED: Final = 5
SHOWN: Final = 20  # lines on a screen; --json has all


def tell(screen: Screen, kind: str, seen: Comparison, rows: Mapping[str, int]) -> None:
    """What disagrees, was never seen, or is in no list; `rows`: in which row of a file entries stand, by their keys, where there is one."""
    for each in seen.disagreements[:SHOWN]:
        told = getattr(each.text, screen.language)
        screen.print(screen.say("cli.import.disagrees", row=rows[each.key], told=told) if each.key in rows else told)
    if len(seen.disagreements) > SHOWN:
        screen.print(screen.say("cli.import.more", count=len(seen.disagreements) - SHOWN))
    for key, names in (("unseen", seen.unseen), (f"unlisted.{kind}", seen.unlisted)):
        if names:
            screen.print(screen.say(f"cli.import.{key}", count=len(names), names=some(names)))


def some(names: Sequence[str]) -> str:
    """The first of these names, and whether there are more."""
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")


def told(seen: Comparison, rows: Mapping[str, int]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "disagreements": [
            {
                **({"row": rows[each.key]} if each.key in rows else {}),
                **{name: getattr(each, name) for name in ("name", "address", "field", "listed", "seen")},
                "text": {"en": each.text.en, "zh": each.text.zh},
            }
            for each in seen.disagreements
        ],
        "unseen": list(seen.unseen),
        "unlisted": list(seen.unlisted),
    }
