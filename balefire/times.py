"""Times as people read them; nanoseconds since the epoch in between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from records.model import Text
from records.nesting import SECOND

_DAY: Final = 86_400 * SECOND


def shown(time: int | None, language: str) -> str:
    """To the second, as the screens write it."""
    if time is None:
        return "–"
    when = datetime.fromtimestamp(time // SECOND, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}" if language == "zh" else f"{when.day} {when:%b %Y, %H:%M:%S}"


def both(time: int) -> Text:
    """The same in both languages, for lines beside which nothing says in which zone times are."""
    return Text(f"{shown(time, 'en')} UTC", f"{shown(time, 'zh')} UTC")


def span(first: int, last: int, language: str) -> str:
    """From when to when; the date of the end only where it is another day."""
    end = shown(last, language)
    return f"{shown(first, language)}–{end[-8:]}" if first // _DAY == last // _DAY else f"{shown(first, language)} – {end}"
