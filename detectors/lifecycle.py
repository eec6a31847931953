"""The life of an alert: what may be decided about it, and what follows. Each decision becomes a `Change`, which the store makes and its trail tells.

new (`open`) → acknowledged → in progress → closed with a verdict. Steps may be skipped forwards; only a closed alert has a verdict, and is reopened. The
time of closing is packet time, the store's newest, so that a finding counts as "again within 30 days" in a replay as it did live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from records.errors import UsageError
from records.store.contract import Change
from records.visible import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from records.model import Alert

STATUSES: Final = ("open", "acknowledged", "in_progress", "closed")
VERDICTS: Final = ("true", "expected", "false")
FROM: Final[Mapping[str, tuple[str, ...]]] = {
    "acknowledge": ("open",),
    "assign": ("open", "acknowledged", "in_progress"),
    "start": ("open", "acknowledged"),
    "note": STATUSES,
    "close": ("open", "acknowledged", "in_progress"),
    "reopen": ("closed",),
}  # what may be done from which status
LONGEST: Final = 4000  # characters of a note
LONGEST_NAME: Final = 100


class TransitionError(UsageError):
    """What was asked cannot be done to an alert in its state: a negative result."""

    status = 1


def acknowledge(alert: Alert, by: str, note: str = "") -> Change:
    """Somebody has seen it."""
    return _change(alert, "acknowledge", by, note, {"status": "acknowledged"})


def assign(alert: Alert, by: str, to: str, note: str = "") -> Change | None:
    """It is `to`'s to work on; empty gives it back to everybody. Where it is theirs already, that is no decision: there is at most a note."""
    if (name(to) or None) == alert.assignee and alert.status in FROM["assign"]:
        return comment(alert, by, note) if note.strip() else None
    return _change(alert, "assign", by, note, {"assignee": name(to) or None})


def start(alert: Alert, by: str, note: str = "") -> Change:
    """Somebody works on it: whoever does it, where nobody was named before."""
    return _change(alert, "start", by, note, {"status": "in_progress", "assignee": alert.assignee or name(by)})


def comment(alert: Alert, by: str, note: str) -> Change:
    """Somebody has something to say about it, whatever its status."""
    if not note.strip():
        raise UsageError("life.empty_note")
    return _change(alert, "note", by, note, {})


def close(alert: Alert, by: str, verdict: str, at: int, note: str = "") -> Change:
    """It is settled: `true`, it was what it looked like; `expected`, it was, and was allowed; `false`, it was not. `at`: packet time, nanoseconds."""
    if verdict not in VERDICTS:
        raise UsageError("life.verdict", verdict=verdict)
    return _change(alert, "close", by, note, {"status": "closed", "verdict": verdict, "closed": max(at, alert.last)})


def reopen(alert: Alert, by: str, note: str = "") -> Change:
    """It was not settled after all. Its verdict falls; the trail keeps it."""
    return _change(alert, "reopen", by, note, {"status": "open", "closed": None, "verdict": None})


def name(text: str) -> str:
    """A person's name as it is stored: without what a line or a terminal could not show."""
    return plain(text)[:LONGEST_NAME]


def plain(text: str) -> str:
    """A text of one line without what a line or a terminal could not show, and without what turns the reading direction. Raises UsageError for no text."""
    check_text(text)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _change(alert: Alert, action: str, by: str, note: str, values: Mapping[str, object]) -> Change:
    if alert.status not in FROM[action]:
        raise TransitionError("life.not_closed" if action == "reopen" else f"life.{alert.status}", id=alert.id)
    if len(note) > LONGEST:
        raise UsageError("life.long_note", length=len(note), limit=LONGEST)
    if not name(by):
        raise UsageError("life.nobody")
    return Change("alert", alert.id, alert.revision, action, name(by), values, note.strip())
