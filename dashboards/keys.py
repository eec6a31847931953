"""The keys of every page: what each does is told by `?`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from dashboards import kit
from dashboards.navigation import places
from dashboards.page import kept_parameters
from records.wording import say

if TYPE_CHECKING:
    from dashboards.navigation import Place

# The letter that leads to a page, after g.
LETTERS: Final = {
    "situation": "s", "alerts": "a", "assets": "i", "network": "n", "explore": "e", "rulebook": "r", "coverage": "c", "suppressions": "h", "duties": "d",
    "reports": "p", "audit": "u",
}  # fmt: skip
GENERAL: Final = (("?", "help"), ("/", "search"), ("j", "down"), ("k", "up"), ("Enter", "open"), ("x", "choose"))
BUTTONS: Final = (("o", "worst"), ("n", "new"), ("h", "handover"), ("a", "acknowledge"), ("e", "evidence"), ("w", "whole"))  # these stand on their buttons, too
OWN: Final = ".st-key-alert_after"  # where a page has this, j and k are its own


def keys(code: str) -> None:
    """Listen to them, on a page that may be left."""
    carried = urlencode(kept_parameters())
    shown = [(LETTERS[place.address], place) for place in places() if place.address in LETTERS]

    def title(place: Place) -> str:
        return say(f"dashboard.page.{place.address}", code)

    ways = [(["g", letter], title(place)) for letter, place in shown]
    others = [([key], say(f"dashboard.keys.{name}", code)) for key, name in (*GENERAL, *BUTTONS)]
    words = {name: say(f"dashboard.keys.{name}", code) for name in ("title", "note", "close")}
    pages = {letter: f"{place.address}?{carried}" for letter, place in shown}
    kit.follow("keys", {**words, "lists": [others, ways], "pages": pages, "own": OWN}, "keys")
