"""Times as people type and read them; nanoseconds since the epoch in between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from records.errors import UsageError
from records.nesting import SECOND, period

_DAY: Final = 86_400 * SECOND


def moment(text: str) -> int:
    """ISO 8601 as nanoseconds; no offset means UTC. Raises UsageError, with an example, for anything else."""
    found = period(text)
    if found is None:
        raise UsageError("time", text=text)
    return found[0]


def moments(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Both ends of a time range. Raises UsageError for what is no time, and for a range that ends before it begins."""
    first, last = (moment(text) if text else None for text in (since, until))
    if first is not None and last is not None and first >= last:
        raise UsageError("time_range", since=since, until=until)
    return first, last


def shown(time: int | None, language: str) -> str:
    """To the second, as the screens write it."""
    if time is None:
        return "–"
    when = datetime.fromtimestamp(time // SECOND, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}" if language == "zh" else f"{when.day} {when:%b %Y, %H:%M:%S}"


def span(first: int, last: int, language: str) -> str:
    """From when to when; the date of the end only where it is another day."""
    end = shown(last, language)
    return f"{shown(first, language)}–{end[-8:]}" if first // _DAY == last // _DAY else f"{shown(first, language)} – {end}"
