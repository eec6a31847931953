"""A store of an earlier schema version becomes one of this version, all of it or nothing, when it is first opened.

Version 1 kept every finding's identity in its alert; since version 2 the finding names its alert, and people's decisions have a place.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError
from records.model import SAMPLE
from records.schema import SCHEMA_VERSION, TABLES
from records.store.columns import document
from records.store.manifest import NAME, PATIENCE, guard
from records.store.place import locked

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

Row = dict[str, Any]
_PUT: Final = "UPDATE document SET key = ?, body = ? WHERE kind = ? AND id = ?"


def upgrade(path: Path, holds_lock: bool) -> None:
    """Bring the store at `path` up to date where it is not. Raises StoreError where it cannot: somebody writes to it, or nobody may."""
    found = _version(path)
    if not 0 < found < SCHEMA_VERSION:
        return
    try:
        with guard(path), _alone(path, holds_lock), closing(_connected(path, "rw")) as db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 1:
                _from_1(db)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
    except StoreError as error:
        if error.key not in {"store.in_use", "store.permission"}:
            raise
        raise StoreError("store.older", path=path, found=found, known=SCHEMA_VERSION) from error


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{(path / NAME).absolute().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None)


def _version(path: Path) -> int:
    """The version as it stands in the database; 0 where there is none yet, or where the manifest will say what is wrong with it."""
    try:
        with closing(_connected(path, "ro" if os.access(path, os.W_OK) else "ro&immutable=1")) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        return 0


@contextmanager
def _alone(path: Path, holds_lock: bool) -> Generator[None]:
    """Nobody of the earlier version writes meanwhile."""
    if holds_lock:
        yield
        return
    handle = locked(path)
    try:
        yield
    finally:
        os.close(handle)


def _from_1(db: sqlite3.Connection) -> None:
    """Findings learn their alerts; alerts keep a sample of their findings."""
    taken: dict[str, str] = {}
    severity: dict[str, int] = dict(db.execute("SELECT id, json_extract(body, '$.severity') FROM document WHERE kind = 'finding'").fetchall())
    for (body,) in db.execute("SELECT body FROM document WHERE kind = 'alert'").fetchall():
        row: Row = json.loads(body)
        taken |= dict.fromkeys(row["findings"], row["id"])
        gravest = sorted(row["findings"], key=lambda name: -severity.get(name, 0))[:1]
        sample = list(dict.fromkeys([*row["findings"][: SAMPLE - 1], *gravest, *row["findings"]]))[:SAMPLE]
        row |= {"findings": sample, "expired": [], "assignee": None, "verdict": None, "revision": 0}
        db.execute(_PUT, (row["key"], document(TABLES["alert"], row), "alert", row["id"]))
    for (body,) in db.execute("SELECT body FROM document WHERE kind = 'finding'").fetchall():
        row = json.loads(body)
        alert = taken.get(row["id"])
        row |= {"alert": alert, "suppressions": [], "expired": []}
        db.execute(_PUT, (alert, document(TABLES["finding"], row), "finding", row["id"]))
    db.execute("UPDATE meta SET value = value + 1 WHERE name IN ('version.alert', 'version.finding')")
