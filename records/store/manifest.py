"""The SQLite side of the embedded store: which Parquet files count, the documents that may change, detector state. A commit is its transaction."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError
from records.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

NAME: Final = "store.sqlite"
PATIENCE: Final = 30  # seconds to wait for another process's transaction
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE file (name TEXT PRIMARY KEY, kind TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
                   written INTEGER NOT NULL, retired INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX file_time ON file (kind, retired, low);
CREATE TABLE document (kind TEXT NOT NULL, id TEXT NOT NULL, time INTEGER, key TEXT, written INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX document_key ON document (kind, key);
CREATE TABLE state (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
_MOST_STAMPS: Final = 10_000  # that are kept
_LATER: Final = """
CREATE TABLE IF NOT EXISTS packets (content TEXT PRIMARY KEY, octets INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS packets_octets ON packets (octets);
CREATE INDEX IF NOT EXISTS document_written ON document (kind, time, written);
DROP INDEX IF EXISTS document_time;
"""  # made since: nothing that reads a store needs it unless it is there, so a store made before there was evidence is no older one


_PARENTS: Final = {"finding": ("alert", "finding.key"), "evidence": ("finding", "evidence.id")}  # what a document stays with, and where its identity stands


def _old(kind: str) -> str:
    """The condition that documents of a table, called by its name, are past a retention (parameter 2)."""
    old = f"max({kind}.time, {kind}.written) < ?2"
    if kind == "alert":
        return f"{old} AND json_extract(alert.body, '$.status') IS 'closed'"
    if kind not in _PARENTS:
        return old
    parent, identity = _PARENTS[kind]
    stays = f"SELECT 1 FROM document AS {parent} WHERE {parent}.kind = '{parent}' AND {parent}.id = {identity} AND NOT ({_old(parent)})"  # noqa: S608 - names of ours
    return f"{old} AND NOT EXISTS ({stays})"


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file: path below the store, table, event day (days since the epoch), rows, first and last time, when it was last written."""

    name: str
    kind: str
    day: int
    rows: int
    low: int
    high: int
    written: int


@dataclass(frozen=True, slots=True)
class Document:
    """One row of a table that is kept as JSON. `key` is what rows are looked up together by: an alert's key, a finding's alert, an entry's subject."""

    kind: str
    id: str
    time: int
    key: str | None
    written: int
    body: str


@contextmanager
def guard(path: Path) -> Generator[None]:
    """Failures of disk and database as StoreErrors that name the store."""
    try:
        yield
    except sqlite3.Error as error:
        raise _database_error(path, error) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
            raise StoreError("store.full", path=path) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise StoreError("store.permission", path=path, reason=error) from error
        raise StoreError("store.failed", path=path, reason=error) from error


def _database_error(path: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreError("store.full", path=path)
    if code == sqlite3.SQLITE_BUSY:
        return StoreError("store.busy", path=path, seconds=PATIENCE)
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        return StoreError("store.permission", path=path, reason=error)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreError("store.corrupt", path=path, reason=f"{NAME}: {error}")
    if code == sqlite3.SQLITE_IOERR and _is_full(path):
        return StoreError("store.full", path=path)
    return StoreError("store.failed", path=path, reason=f"{NAME}: {error}")


def _is_full(path: Path) -> bool:
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize < 1 << 16


class Manifest:
    """One connection, shared by threads one at a time. It stays open: the last one to close moves the log into the database, which costs."""

    def __init__(self, path: Path, write: bool) -> None:
        self.path = path
        self._write = write
        self._lock = threading.RLock()
        self._frozen = False
        self._stamps: tuple[object, dict[tuple[str, int, int], str]] = None, {}  # as they were at a state of the database
        with guard(path):
            self._db = self._connect()
            try:
                self._check()
            except BaseException:
                self._db.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        # A log that cannot be made (read-only medium, another owner) is not needed where nobody writes.
        self._frozen = not self._write and not os.access(self.path, os.W_OK) and not self._log().exists()
        mode = "rwc" if self._write else "ro&immutable=1" if self._frozen else "ro"
        location = (self.path / NAME).absolute().as_uri()
        return sqlite3.connect(f"{location}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)

    def _log(self) -> Path:
        return self.path / f"{NAME}-wal"

    def _check(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise StoreError("store.newer", path=self.path, found=found, known=SCHEMA_VERSION)
        if not self._write and not found:
            raise StoreError("store.missing", path=self.path)
        if 0 < found < SCHEMA_VERSION:
            raise StoreError("store.older", path=self.path, found=found, known=SCHEMA_VERSION)
        if self._write:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if not found:
                self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            self._db.executescript(_LATER)
        else:
            self._db.execute("SELECT count(*) FROM file").fetchone()  # a damaged file shows here, not in the middle of a page

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Everything inside happens, or nothing."""
        with self._lock, guard(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _all(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        with self._lock, guard(self.path):
            if self._frozen and self._log().exists():
                self._db.close()
                self._db, self._stamps = self._connect(), (None, {})
            return self._db.execute(sql, tuple(values)).fetchall()

    def _run(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._lock, guard(self.path):
            self._db.executemany(sql, rows)

    # files

    def files(self, kind: str, low: int | None = None, high: int | None = None) -> list[File]:
        """The files that count, by time, where they overlap [low, high]."""
        columns = "name, kind, day, rows, low, high, written"
        sql = f"SELECT {columns} FROM file WHERE kind = ? AND NOT retired AND high >= ? AND low <= ? ORDER BY low, name"  # noqa: S608 - the columns above
        span = (-(1 << 63) if low is None else low, (1 << 63) - 1 if high is None else high)
        return [File(*row) for row in self._all(sql, (kind, *span))]

    def file_names(self, *, retired: bool) -> set[str]:
        """Names of the files that count, or of those that are retired and not yet deleted."""
        return {row[0] for row in self._all("SELECT name FROM file WHERE retired = ?", (int(retired),))}

    def add_files(self, files: Iterable[File]) -> None:
        """Files that count from this transaction on."""
        rows = [(f.name, f.kind, f.day, f.rows, f.low, f.high, f.written) for f in files]
        self._run("INSERT INTO file (name, kind, day, rows, low, high, written) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def retire_files(self, names: Iterable[str]) -> None:
        """Files that no longer count; they stay on disk for readers that have begun."""
        self._run("UPDATE file SET retired = 1 WHERE name = ?", [(name,) for name in names])

    def forget_files(self, names: Iterable[str]) -> None:
        """Retired files that are deleted."""
        self._run("DELETE FROM file WHERE name = ? AND retired", [(name,) for name in names])

    # documents

    def bodies(self, kind: str, low: int | None = None, high: int | None = None) -> list[str]:
        """The documents of a table, where low <= time < high."""
        if low is None and high is None:
            return [row[0] for row in self._all("SELECT body FROM document WHERE kind = ?", (kind,))]
        span = (-(1 << 63) if low is None else low, (1 << 63) - 1 if high is None else high)
        return [row[0] for row in self._all("SELECT body FROM document WHERE kind = ? AND time >= ? AND time < ?", (kind, *span))]

    def placed(self, kind: str, low: int | None = None, high: int | None = None, after: int = 0, upto: int = (1 << 63) - 1) -> tuple[list[str], int]:
        """The documents of a table, where low <= time < high, that lie after a place and up to one; and the place of the last of them (0: there is none)."""
        places = (after, upto)
        if low is None and high is None:
            by_place = "+kind" if after else "kind"  # which index is of use
            sql = f"SELECT body, rowid FROM document WHERE {by_place} = ? AND rowid > ? AND rowid <= ?"  # noqa: S608 - one word of ours
            found = self._all(sql, (kind, *places))
        else:
            span = (-(1 << 63) if low is None else low, (1 << 63) - 1 if high is None else high)
            sql = "SELECT body, rowid FROM document WHERE kind = ? AND time >= ? AND time < ? AND rowid > ? AND rowid <= ?"
            found = self._all(sql, (kind, *span, *places))
        return [body for body, _ in found], max((place for _, place in found), default=0)

    def last_place(self) -> int:
        """The place of the last document of all tables; 0: there is none."""
        return self._all("SELECT max(rowid) FROM document", ())[0][0] or 0

    def first(self, kind: str, low: int | None, high: int | None, descending: bool, limit: int) -> list[str]:
        """So many documents of a table, where low <= time < high, by time."""
        down, span = " DESC" if descending else "", (-(1 << 63) if low is None else low, (1 << 63) - 1 if high is None else high)
        sql = f"SELECT body FROM document WHERE kind = ? AND time >= ? AND time < ? ORDER BY time{down}, id{down} LIMIT ?"  # noqa: S608 - one word of ours
        return [row[0] for row in self._all(sql, (kind, *span, limit))]

    def count(self, kind: str, low: int | None = None, high: int | None = None) -> int:
        """How many documents of a table there are, where low <= time < high."""
        if low is None and high is None:
            return self._all("SELECT count(*) FROM document WHERE kind = ?", (kind,))[0][0]
        span = (-(1 << 63) if low is None else low, (1 << 63) - 1 if high is None else high)
        return self._all("SELECT count(*) FROM document WHERE kind = ? AND time >= ? AND time < ?", (kind, *span))[0][0]

    def stamp(self, kind: str, low: int, high: int) -> str:
        """How many documents of a table there are, where low <= time < high, and when the last of them was written. Counted once while nobody writes."""
        with self._lock:
            state = self._all("PRAGMA data_version")[0][0], self._db.total_changes  # what others changed, and what we did
            if self._stamps[0] != state or len(self._stamps[1]) > _MOST_STAMPS:
                self._stamps = state, {}
            known = self._stamps[1]
            if (kind, low, high) not in known:
                sql = "SELECT count(*), max(written) FROM document WHERE kind = ? AND time >= ? AND time < ?"
                known[kind, low, high] = "{}-{}".format(*self._all(sql, (kind, low, high))[0])
            return known[kind, low, high]

    def bodies_of(self, kind: str, column: str, wanted: Iterable[str]) -> dict[str, str]:
        """Documents by identity, whose `column` ("id" or "key") is one of these."""
        found: dict[str, str] = {}
        names = list(wanted)
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            marks = ",".join("?" * len(part))
            where = "key" if column == "key" else "id"
            found |= dict(self._all(f"SELECT id, body FROM document WHERE kind = ? AND {where} IN ({marks})", (kind, *part)))  # noqa: S608 - marks only
        return found

    def totals(self, kind: str, references: Iterable[str]) -> dict[str, int]:
        """How many documents of a table hang on each of these keys, where any do."""
        sql = "SELECT key, count(*) FROM document WHERE kind = ? AND key = ? GROUP BY key"
        return dict(row for name in references for row in self._all(sql, (kind, name)))

    def references(self, kind: str, identities: Iterable[str]) -> dict[str, str | None]:
        """The keys of these documents, by identity."""
        found: dict[str, str | None] = {}
        names = list(identities)
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= dict(self._all(f"SELECT id, key FROM document WHERE kind = ? AND id IN ({marks})", (kind, *part)))  # noqa: S608 - marks only
        return found

    def last(self, kind: str) -> dict[str, Any] | None:
        """The document with the highest identity."""
        rows = self._all("SELECT body FROM document WHERE kind = ? ORDER BY id DESC LIMIT 1", (kind,))
        return json.loads(rows[0][0]) if rows else None

    def put(self, documents: Iterable[Document]) -> None:
        """Insert or replace documents."""
        rows = [(d.kind, d.id, d.time, d.key, d.written, d.body) for d in documents]
        self._run("INSERT OR REPLACE INTO document (kind, id, time, key, written, body) VALUES (?, ?, ?, ?, ?, ?)", rows)

    def drop(self, kind: str, identities: Iterable[str]) -> None:
        """Delete these documents."""
        self._run("DELETE FROM document WHERE kind = ? AND id = ?", [(kind, name) for name in identities])

    def drop_old(self, kind: str, before: int) -> int:
        """Delete the documents of a table that are past their retention (see `records.store.retiring`); how many there were."""
        with self._lock, guard(self.path):
            sql = f"DELETE FROM document AS {kind} WHERE {kind}.kind = ?1 AND {_old(kind)}"  # noqa: S608 - names of ours
            return self._db.execute(sql, (kind, before)).rowcount

    def count_old(self, kind: str, before: int) -> int:
        """How many documents `drop_old` would delete."""
        sql = f"SELECT count(*) FROM document AS {kind} WHERE {kind}.kind = ?1 AND {_old(kind)}"  # noqa: S608 - names of ours
        return self._all(sql, (kind, before))[0][0]

    def written_before(self, kind: str, before: int) -> bool:
        """Was any of these documents last written before this time?"""
        return bool(self._all("SELECT 1 FROM document WHERE kind = ? AND written < ? LIMIT 1", (kind, before)))

    def starting(self, kind: str, prefix: str, limit: int) -> list[str]:
        """Identities that start so."""
        sql = "SELECT id FROM document WHERE kind = ? AND id >= ? AND substr(id, 1, ?) = ? ORDER BY id LIMIT ?"
        return [row[0] for row in self._all(sql, (kind, prefix, len(prefix), prefix, limit))]

    # packets

    def put_packets(self, content: str, body: bytes) -> None:
        """Keep octets under their hash, once."""
        self._run("INSERT OR IGNORE INTO packets (content, octets, body) VALUES (?, ?, ?)", [(content, len(body), body)])

    def packets(self, content: str) -> bytes | None:
        """What is kept under a hash."""
        rows = self._all("SELECT body FROM packets WHERE content = ?", (content,))
        return rows[0][0] if rows else None

    def drop_packets(self, contents: Iterable[str]) -> None:
        """Keep these no more."""
        self._run("DELETE FROM packets WHERE content = ?", [(content,) for content in contents])

    def packet_octets(self) -> dict[str, int]:
        """Octets that each takes, by its hash."""
        return dict(self._all("SELECT content, octets FROM packets"))

    def packets_size(self) -> int:
        """Octets that all of them take."""
        return self._all("SELECT coalesce(sum(octets), 0) FROM packets")[0][0]

    # the rest

    def number(self, name: str) -> int | None:
        """A number kept under a name."""
        rows = self._all("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def numbers(self, prefix: str) -> dict[str, int]:
        """The numbers whose names start so, by the rest of the name."""
        return dict(self._all("SELECT substr(name, ?2), value FROM meta WHERE substr(name, 1, ?2 - 1) = ?1", (prefix, len(prefix) + 1)))

    def set_number(self, name: str, value: int) -> None:
        """Keep a number under a name."""
        self._run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", [(name, value)])

    def state(self, name: str) -> bytes | None:
        """A detector's state."""
        rows = self._all("SELECT body FROM state WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def states(self) -> dict[str, bytes]:
        """Every detector's state."""
        return dict(self._all("SELECT name, body FROM state"))

    def set_state(self, states: dict[str, bytes]) -> None:
        """Keep detectors' states."""
        self._run("INSERT OR REPLACE INTO state (name, body) VALUES (?, ?)", list(states.items()))
