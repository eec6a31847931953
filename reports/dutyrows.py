"""The stored duties of alerts, and the decisions about them, as rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST, name
from records.errors import UsageError
from records.store.contract import Change
from reports.everything import every_row

if TYPE_CHECKING:
    from records.store.contract import Store

Row = dict[str, Any]
SECOND: Final = 10**9


def of_alert(store: Store, alert: str) -> list[Row]:
    """The stored duties of an alert."""
    return [row for row in every_row(store, "duty") if row["alert"] == alert]


def written(row: Row) -> dict[str, str]:
    """What people wrote into the form of a duty; once it is released, all of it."""
    return dict(json.loads(row["fields"])) if isinstance(row["fields"], str) else dict(row["fields"] or {})


def year_of(time: int) -> int:
    """The year (UTC) in which a time lies."""
    return datetime.fromtimestamp(time // SECOND, UTC).year


def year_end(year: int) -> int:
    """When a year (UTC) is over, nanoseconds."""
    return int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * SECOND


def identity_of(subject: str, duty: str) -> str:
    """The identity of a duty of an alert, or of a year."""
    return blake2b(f"{subject}|{duty}".encode(), digest_size=10).hexdigest()


def opening(identity: str, alert: str, duty: str, confirmed: int, action: str, by: str) -> Change:
    """A duty that is open from now on."""
    row: Row = {"id": identity, "alert": alert, "duty": duty, "confirmed": confirmed, "status": "open", "fields": "{}"}
    return change("duty", identity, None, action, by, row | {"released": None, "receipt": None, "revision": 0})


def change(table: str, identity: str, stored: Row | None, action: str, by: str, values: Row, note: str = "") -> Change:
    """A decision by somebody, about what was stored as they saw it. Raises UsageError."""
    if not name(by):
        raise UsageError("life.nobody")
    if len(note) > LONGEST:
        raise UsageError("life.long_note", length=len(note), limit=LONGEST)
    return Change(table, identity, stored["revision"] if stored else None, action, name(by), values, note.strip())
