"""What is noted of deliveries, for who may only look: reading it sends nothing."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "deliveries.sqlite"
TABLE: Final = """CREATE TABLE IF NOT EXISTS delivery (id TEXT PRIMARY KEY, entry TEXT NOT NULL, channel TEXT NOT NULL, receiver TEXT NOT NULL,
 status TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL, said TEXT NOT NULL, made REAL NOT NULL, changed REAL NOT NULL)"""
EVERY: Final = "SELECT * FROM delivery ORDER BY made, id"


def noted(folder: Path) -> list[dict[str, Any]]:
    """Every delivery that a machine has noted, the oldest first; none where nothing ever was to go. Raises StoreError."""
    if not (file := folder / FILE).exists():
        return []
    try:
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(EVERY)]
        finally:
            database.close()
    except sqlite3.Error as error:
        raise StoreError("deliver.unreadable", folder=folder, problem=error) from error
