"""Tells people of alerts (apprise: mail, WeCom, DingTalk, Feishu, Teams, syslog …), so that nobody is woken or flooded without need.

An alert is told once, and again where it became graver; of duties to report, what presses, as `reports.reminding` says, whatever the hour. In quiet hours only
what is grave enough is told at once; the rest waits for their end and comes as one digest. Past so many messages an hour what comes is gathered, too, but for
what is that grave: nothing is dropped. What did not go out is tried again with growing pauses, an hour at most; so a message may come twice where a service
took it and did not say so: an alert that nobody heard of is worse.
"""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from records.errors import StoreError, UsageError
from records.model import severity_word
from records.visible import clean
from records.wording import say
from reports.deliver import PAUSES_S
from reports.everything import every_row
from reports.reminding import reminders
from reports.sited import sites_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from records.store.contract import Store

LISTED: Final = 20  # alerts that a digest names; the rest is counted
HOUR_S: Final = 3600.0
PAUSES: Final = [pause for pause in PAUSES_S if pause <= HOUR_S]  # after each try that failed, the last again and again: a target is never given up
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS told (alert TEXT, target TEXT, severity INTEGER NOT NULL, time REAL NOT NULL, PRIMARY KEY (alert, target))",
    "CREATE TABLE IF NOT EXISTS message (target TEXT NOT NULL, time REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS failing (target TEXT PRIMARY KEY, tries INTEGER NOT NULL, due REAL NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be told: alerts from this severity on; at most `hourly` messages an hour, and none from `quiet[0]` to `quiet[1]` (in `zone`), but
    for what has at least the severity `urgent`, which is told with the next look whatever the hour and however many went before.
    """

    least: int = 60
    urgent: int = 80
    hourly: int = 6
    quiet: tuple[time, time] | None = None
    zone: str = "UTC"

    def is_quiet(self, now: float) -> bool:
        """Whether it is quiet at this moment (seconds); hours may go past midnight."""
        if self.quiet is None:
            return False
        begins, ends = self.quiet
        here = datetime.fromtimestamp(now, ZoneInfo(self.zone)).time()
        return begins <= here < ends if begins <= ends else here >= begins or here < ends


class Notifier:
    """Looks what is new in a store and tells it. `targets` send, by a name that stays theirs: given title and text, they say whether these went out."""

    def __init__(self, folder: Path, wish: Wish, language: str, targets: Mapping[str, Callable[[str, str], bool]]) -> None:
        self._file, self._wish, self._language, self._targets = folder / "told.sqlite", wish, language, targets
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError("deliver.unwritable", folder=folder, problem=error.strerror or error) from error
        with self._database() as database:
            for table in _TABLES:
                database.execute(table)

    def look(self, store: Store, now: float) -> dict[str, int]:
        """Tell what is to be told now, as one message to each target; of how much each was told, -1 where it did not go out or waits to be tried."""
        rows = every_row(store, "alert", f"status:open AND severity:>={self._wish.least}") + reminders(store, int(now * 1e9))
        return {name: self._tell(name, store, rows, now) for name in self._targets}

    def tell(self, alerts: Sequence[Mapping[str, Any]], now: float) -> dict[str, int]:
        """The same of alerts that wait for a store that is away."""
        rows = [alert for alert in alerts if alert["severity"] >= self._wish.least]
        return {name: self._tell(name, None, rows, now) for name in self._targets}

    def _tell(self, target: str, store: Store | None, rows: Sequence[Mapping[str, Any]], now: float) -> int:
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")  # of two who look at once, the second finds it told
            known = dict(database.execute("SELECT alert, severity FROM told WHERE target = ?", (target,)).fetchall())
            new = [row for row in rows if row["id"] not in known or _graver(row["severity"], known[row["id"]])]
            urgent = [row for row in new if row["severity"] >= self._wish.urgent]
            (sent,) = database.execute("SELECT count(*) FROM message WHERE target = ? AND time > ?", (target, now - HOUR_S)).fetchone()
            # what is urgent waits for nothing; by day the rest goes with it, which takes no further message
            told = new if not self._wish.is_quiet(now) and (urgent or sent < self._wish.hourly) else urgent
            if not told:
                return 0
            tries, due = database.execute("SELECT tries, due FROM failing WHERE target = ?", (target,)).fetchone() or (0, now)
            if now < due:
                return -1
            shown = [row for row in _ordered(told)[:LISTED] if "name" not in row]
            if not self._targets[target](*message(told, self._language, sites_of(store, shown) if store else {})):
                again = now + PAUSES[min(tries, len(PAUSES) - 1)]
                database.execute("INSERT OR REPLACE INTO failing VALUES (?,?,?)", (target, tries + 1, again))
                database.execute("COMMIT")
                return -1
            database.execute("DELETE FROM failing WHERE target = ?", (target,))
            database.executemany("INSERT OR REPLACE INTO told VALUES (?,?,?,?)", [(row["id"], target, row["severity"], now) for row in told])
            database.execute("INSERT INTO message VALUES (?,?)", (target, now))
            database.execute("COMMIT")
        return len(told)

    @contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        """Raises StoreError: locked, full or broken, it is said, and whoever goes on tries again."""
        try:
            with closing(sqlite3.connect(self._file, timeout=300, isolation_level=None)) as database:
                yield database
        except sqlite3.Error as error:
            raise StoreError("deliver.unwritable", folder=self._file.parent, problem=error) from error


def _graver(severity: int, before: int) -> bool:
    return severity > before and severity_word(severity) != severity_word(before)


def _ordered(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: (-int(row["severity"]), str(row["id"])))


def message(rows: Sequence[Mapping[str, Any]], language: str, sites: Mapping[str, str]) -> tuple[str, str]:
    """Title and text: one alert by itself, several as a digest, the gravest first; each with its site, where one is known."""
    lines: list[str] = []
    for row in _ordered(rows):
        if "name" in row:  # no alert: what has to be told to somebody
            lines.append(f"{clean(row[f'title.{language}'])} ({row['name'][:12]})")
            continue
        level = say(f"severity.{severity_word(int(row['severity']))}", language)
        where = f"{clean(sites[row['id']])} · " if row["id"] in sites else ""
        lines.append(f"{level} {row['severity']}: {where}{clean(row[f'title.{language}'])} ({row['id'][:12]})")
    more = [say("notify.more", language, count=len(lines) - LISTED)] if len(lines) > LISTED else []
    title = lines[0] if len(lines) == 1 else say("notify.digest_duties" if any("name" in row for row in rows) else "notify.digest", language, count=len(lines))
    return title[:200], "\n".join([*lines[:LISTED], *more])


def targets(file: Path) -> dict[str, Callable[[str, str], bool]]:
    """What sends to each address (of apprise, one a line) of a file. Raises UsageError; addresses hold secrets and are not repeated."""
    try:
        import apprise
    except ImportError as error:
        raise UsageError("deliver.package", package="apprise") from error
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("notify.file", file=file, problem=error) from error
    found: dict[str, Callable[[str, str], bool]] = {}
    for number, line in enumerate(lines, 1):
        if not (address := line.strip()) or address.startswith("#"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of modules that it loads, which Python still has
            told: Any = apprise.Apprise()
            known = told.add(address)
        if not known:
            raise UsageError("notify.address", place=f"{file.name}:{number}")
        found[sha256(address.encode()).hexdigest()[:16]] = partial(_sent, told)
    if not found:
        raise UsageError("notify.none", file=file)
    return found


def _sent(told: Any, title: str, body: str) -> bool:
    return bool(told.notify(body=body, title=title, body_format="text"))
