"""What was released goes out: each release to each receiver once, tried again with growing pauses, given up into dead letters, never sent twice.

What is to go stands in a database (SQLite) before anything is sent. A delivery that the other side may have taken without saying so is in doubt: it is a dead
letter, too, and only a person sends it again.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from records.errors import InputError, StoreError, UsageError
from records.regular import opened
from records.visible import clean
from records.wording import LANGUAGES, say
from reports.channel import DoubtError, LaterError, Parcel, RefusedError, channels
from reports.dutybook import duty_of
from reports.ledger import entry_at
from reports.periods import KINDS
from reports.posted import EVERY, FILE, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from reports.ledger import Entry, Ledger
    from reports.ways import Way

FOLLOWED: Final = """CREATE TABLE IF NOT EXISTS followed (way TEXT NOT NULL, ledger TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (way, ledger))"""
SEEN: Final = {"hash": "TEXT NOT NULL DEFAULT ''", "since": "REAL NOT NULL DEFAULT 0"}  # columns that notes of earlier versions do not have
SITES: Final = 2  # that a title names
PAUSES_S: Final = (60, 300, 900, 3600, 3600, 4 * 3600, 4 * 3600, 12 * 3600, 24 * 3600)  # after each try that failed; then it is given up


class Post:
    """The deliveries of one machine, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError("deliver.unwritable", folder=folder, problem=error.strerror or error) from error
        with self._database() as database:
            database.execute(TABLE)
            database.execute(FOLLOWED)
            for name in SEEN.keys() - {row["name"] for row in database.execute("PRAGMA table_info(followed)")}:
                database.execute(f"ALTER TABLE followed ADD COLUMN {name} {SEEN[name]}")

    def add(self, entry: Path, way: Way, now: float) -> dict[str, str | None]:
        """Note that an entry of a ledger is to go a way, to each of its receivers; what was noted before stays as it is. What status each delivery had, by its
        identity: None where it is new.
        """
        digest, before = entry_at(entry).hash, dict[str, str | None]()
        for receiver in channels()[way.kind].receivers(way.settings):
            identity = _identity(digest, way.name, receiver)
            row = (identity, str(entry.absolute()), way.name, receiver, "waiting", 0, now, "", now, now)
            with self._database() as database:
                new = database.execute("INSERT OR IGNORE INTO delivery VALUES (?,?,?,?,?,?,?,?,?,?)", row).rowcount
                (status,) = database.execute("SELECT status FROM delivery WHERE id = ?", (identity,)).fetchone()
            before[identity] = None if new else str(status)
        return before

    def follow(self, ledger: Ledger, known: Mapping[str, Way], since: float, now: float) -> dict[int, list[str]]:
        """Note what was released and is to go by a rule, by itself; the ways that each entry goes. A way that was never followed before gets what was released
        since then (seconds), every other what was released since it was last looked; so nothing goes twice, and nothing of old by a new rule, nor by one that
        was first followed while the ledger's folder was away. Raises StoreError where the ledger is not the one that it was.
        """
        place, numbers, noted = str(ledger.root.absolute()), ledger.numbers(), dict[int, list[str]]()
        self._recognised(ledger, place, numbers)
        for way in known.values():
            with self._database() as database:
                last = database.execute("SELECT number, since FROM followed WHERE way = ? AND ledger = ?", (way.name, place)).fetchone()
            number, begun = last or (0, since)
            entries = [ledger.read(each) for each in numbers if each > number]
            meant = [entry for entry in entries if (number or _moment(entry) > begun) and any(rule.fits(entry) for rule in way.gets)]
            for entry in meant:
                if None in self.add(ledger.path(entry.number), way, now).values():
                    noted.setdefault(entry.number, []).append(way.name)
            if entries or last is None:  # an empty ledger is followed, too: what is released there first may go, though the file changes before
                seen = (entries[-1].number, entries[-1].hash) if entries else (0, "")
                with self._database() as database:
                    database.execute(
                        "INSERT OR REPLACE INTO followed (way, ledger, number, hash, since) VALUES (?, ?, ?, ?, ?)", (way.name, place, *seen, begun)
                    )
        return noted

    def _recognised(self, ledger: Ledger, place: str, numbers: list[int]) -> None:
        """Raises StoreError where the last entry that was seen of a ledger is gone or another: its folder is not mounted, or a chain was begun anew there."""
        with self._database() as database:
            row = database.execute("SELECT number, hash FROM followed WHERE ledger = ? ORDER BY number DESC LIMIT 1", (place,)).fetchone()
        number, digest = row or (0, "")
        if number and number not in numbers:
            raise StoreError("deliver.shorter", folder=place, count=f"{len(numbers):,}", number=number)
        if digest and ledger.read(number).hash != digest:
            raise StoreError("deliver.another", folder=place, number=number)

    def rows(self) -> list[dict[str, Any]]:
        """Every delivery, the oldest first."""
        with self._database() as database:
            return [dict(row) for row in database.execute(EVERY)]

    def again(self, identity: str, now: float) -> None:
        """Have what failed tried again, at once: a person has looked. Raises UsageError."""
        with self._database() as database:
            failed = "(status IN ('dead', 'doubt') OR (status = 'waiting' AND tries > 0))"
            asked = f"UPDATE delivery SET status = 'waiting', tries = 0, due = ?, changed = ? WHERE id = ? AND {failed}"  # noqa: S608 - ours
            if database.execute(asked, (now, now, identity)).rowcount != 1:
                raise UsageError("deliver.not_dead", id=identity)

    def run(self, known: Mapping[str, Way], now: Callable[[], float]) -> dict[str, int]:
        """Try what is due, one after the other; how many ended how. What goes a way that is not known waits. Of two who run, the second finds nothing to do."""
        counts: dict[str, int] = {}
        with self._alone() as alone:
            if not alone:
                return counts
            self._left(now())
            for row in self.rows():
                if row["status"] == "waiting" and row["due"] <= now():
                    status = self._tried(row, known[row["channel"]], now) if row["channel"] in known else "waiting"
                    counts[status] = counts.get(status, 0) + 1
        return counts

    def _left(self, now: float) -> None:
        """What somebody who died was at: in doubt where the other side may have it, else to be tried again."""
        with self._database() as database:
            database.execute("UPDATE delivery SET status = 'waiting', changed = ? WHERE status = 'sending'", (now,))
            database.execute("UPDATE delivery SET status = 'doubt', said = 'interrupted', changed = ? WHERE status = 'doubtful'", (now,))

    def _tried(self, row: Mapping[str, Any], way: Way, now: Callable[[], float]) -> str:
        identity, tries, asked = str(row["id"]), int(row["tries"]) + 1, False
        self._set(identity, now(), status="sending", tries=tries)

        def doubtful() -> None:
            nonlocal asked
            self._set(identity, now(), status="doubtful")
            asked = True

        try:
            said = channels()[way.kind].deliver(way.settings, _parcel(row), doubtful)
        except DoubtError as error:
            return self._set(identity, now(), status="doubt", said=str(error))
        except (LaterError, UsageError, StoreError, OSError) as error:  # what a person mends, a password or a share, goes then without another word
            given_up = tries > len(PAUSES_S)
            pause = 0 if given_up else PAUSES_S[tries - 1]
            return self._set(identity, now(), status="dead" if given_up else "waiting", said=str(error), due=now() + pause)
        except (RefusedError, InputError) as error:
            return self._set(identity, now(), status="dead", said=str(error))
        except Exception as error:  # what is wrong with one way, whatever it is, keeps nothing from the others
            return self._set(identity, now(), status="doubt" if asked else "dead", said=f"{type(error).__name__}: {error}")
        return self._set(identity, now(), status="sent", said=said)

    def _set(self, identity: str, now: float, **values: Any) -> str:
        """Change a delivery, on the disk before this returns; its status."""
        if "said" in values:
            values["said"] = str(values["said"])[:1000]
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._database() as database:
            database.execute(f"UPDATE delivery SET {columns}, changed = ? WHERE id = ?", (*values.values(), now, identity))  # noqa: S608 - names of ours
        return str(values["status"])

    @contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        """Raises StoreError: locked, full or broken, it is said, and whoever goes on tries again."""
        try:
            with closing(sqlite3.connect(self.folder / FILE, timeout=30)) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = FULL")
                with database:
                    yield database
        except sqlite3.Error as error:
            raise StoreError("deliver.unwritable", folder=self.folder, problem=error) from error

    @contextmanager
    def _alone(self) -> Generator[bool]:
        try:
            lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError("deliver.unwritable", folder=self.folder, problem=error.strerror or error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(lock)


def _identity(digest: str, way: str, receiver: str) -> str:
    """What a delivery is called: by the content of its entry, so that another one in its place is another delivery."""
    return sha256(f"{digest}|{way}|{receiver}".encode()).hexdigest()[:32]


def _parcel(row: Mapping[str, Any]) -> Parcel:
    """An entry and the files that were released with it. Raises InputError where it is not the one that was noted."""
    path = Path(row["entry"])
    entry = entry_at(path)
    if _identity(entry.hash, row["channel"], row["receiver"]) != row["id"]:
        raise InputError("deliver.changed", file=path)
    files = tuple(path.with_suffix("") / str(each["name"]) for each in entry.body["files"])
    for file in files:  # before anything is sent
        opened(file).close()
    return Parcel(str(row["id"]), f"{_title(entry)} ({path.name})", (path, *files), str(row["receiver"]))


def _moment(entry: Entry) -> float:
    """When it was released, seconds."""
    return datetime.fromisoformat(str(entry.body["time"])).timestamp()


def _title(entry: Entry) -> str:
    """What it is called at its receiver, in both languages, for whose it is, is not known: a summary by kind, sites and days, a form by its duty and incident,
    a warning by what it is and its colour.
    """
    told, kind = entry.body["document"], entry.body["kind"]
    title = clean(told.get("title") or told.get("id") or kind)
    if kind == "warning":
        colour = f"warning.colour.{told['colour']}"
        words = [f"{say('warning.page.document', each)} {say(colour, each)}" for each in LANGUAGES]
        return " · ".join((*words, title))
    if kind == "duty" and (duty := duty_of(str(told.get("duty")))):
        return " · ".join((duty.title.en, duty.title.zh, clean(told["case"])))
    if told.get("period") in KINDS and {"first_day", "until_local"} <= told.keys():
        sites = [told["site"]] if told.get("site") else [each["site"] for each in told.get("sites", ())]
        named = clean(", ".join([*sites[:SITES], *(["…"] * (len(sites) > SITES))]))
        last = datetime.fromisoformat(told["until_local"]) - timedelta(seconds=1)
        days = dict.fromkeys((told["first_day"], str(last.date())))
        return " · ".join(filter(None, (*(say(f"report.title.{told['period']}", each) for each in LANGUAGES), named, " – ".join(days))))
    return title
