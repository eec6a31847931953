"""Housekeeping of a store: each job of `balefire/jobs` once a day, by whoever has the store open to write, for as long as that runs.

When a job was last done stands in the store, so a day on which the machine was off is made up for, and of several who could do it one does. APScheduler
looks every few minutes whether something is due; what failed is due still.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from records.errors import BalefireError
from records.nesting import iso
from records.processes import has_ended, mark
from records.store.examining import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from balefire.screen import Screen
    from balefire.settings import Settings
    from records.store.contract import Store

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND
FIRST_S: Final = 60.0  # after the start, so that what runs for a moment keeps no house
LOOK_S: Final = 600.0
LEASE: Final = 3600 * SECOND  # who has said so long ago that it is at it, and has not ended, has died
GRACE: Final = 2 * DAY  # what is past its retention for longer shows that nobody keeps house
BEGUN, DONE, BY = ".begun", ".done", ".by"


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is to be done once a day: `run` is given the store, the settings (with the store's place) and the time (nanoseconds); how much it did.

    `due` is asked instead, with the same, where it is not for every day. `cli.housekeeping.<name>` says so to people, where it did anything.
    """

    name: str
    run: Callable[[Store, Settings, int], int]
    due: Callable[[Store, Settings, int], bool] | None = None


def repeated(screen: Screen, every: int | None, once: Callable[[], None]) -> None:
    """Do it now and, where `every` tells how many seconds lie between, again and again until this process is ended, whatever went wrong at one time."""
    if every is None:
        once()
        return
    from apscheduler.schedulers.blocking import BlockingScheduler  # pyright: ignore[reportMissingTypeStubs]

    def again() -> None:
        try:
            once()
        except BalefireError as error:  # what is away comes back
            screen.fail(error)

    scheduler: Any = BlockingScheduler(timezone="UTC")
    scheduler.add_job(again, "interval", seconds=every, max_instances=1, coalesce=True, misfire_grace_time=None)
    again()
    scheduler.start()


def jobs() -> list[Job]:
    """All of them, by name."""
    import balefire.jobs as package

    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}").JOB for name in names]


def is_due(done: int | None, now: int, hour: int) -> bool:
    """Whether it was not done since this hour of the day (of this machine's clock) last began. What was done well in the future was done by a wrong clock."""
    if done is None or done > now + LEASE:
        return True
    here = datetime.fromtimestamp(now / SECOND, UTC).astimezone()
    last = here.replace(hour=hour, minute=0, second=0, microsecond=0)
    last = last - timedelta(days=1) if last > here else last
    return done / SECOND < last.timestamp()


class Housekeeper:
    """Does what is due. `opened` gives the store, open to write, for as long as a job takes."""

    def __init__(self, screen: Screen, opened: Callable[[], AbstractContextManager[Store]]) -> None:
        self._screen, self._opened = screen, opened
        self._said: dict[str, str] = {}  # by job, why it failed the last time: that is said once

    def look(self) -> bool:
        """Do what is due, one job after the other, whatever becomes of the others; whether nothing failed."""
        failed = [job for job in jobs() if not self._tried(job)]
        return not failed

    def _tried(self, job: Job) -> bool:
        try:
            with self._opened() as store:
                done = self._done(store, job)
        except BalefireError as error:
            self._failed(job, error.text(self._screen.language))
            return False
        except Exception as error:  # a sensor does not end because of its housekeeping
            self._failed(job, f"{type(error).__name__}: {error}")
            return False
        if done is not None:
            self._said.pop(job.name, None)
        if done:
            self._screen.note(self._screen.count(f"cli.housekeeping.{job.name}", done))
        return True

    def _failed(self, job: Job, why: str) -> None:
        if self._said.get(job.name) != why:
            self._said[job.name] = why
            self._screen.note(self._screen.say("cli.housekeeping.failed", job=self._screen.say(f"cli.housekeeping.jobs.{job.name}"), problem=why))

    def _done(self, store: Store, job: Job) -> int | None:
        """How much it did; None where it was not due, or somebody else is at it."""
        settings, notes, now = self._screen.settings.model_copy(update={"store": self._screen.store}), store.notes(), time.time_ns()
        begun, done = notes.get(job.name + BEGUN), notes.get(job.name + DONE)
        if not (job.due(store, settings, now) if job.due else is_due(done, now, settings.housekeeping.hour)):
            return None
        by = notes.get(job.name + BY)
        is_left = by is not None and has_ended(by)  # by one that was killed: nobody has to be waited for
        if begun is not None and begun != done and abs(now - begun) < LEASE and not is_left:  # the clock of who has begun may be ahead of ours
            return None
        if not (store.note(job.name + BY, mark(), by) and store.note(job.name + BEGUN, now, begun)):
            return None
        try:
            with _renewed(store, job.name + BEGUN, now):
                count = job.run(store, settings, now)
        except BaseException:
            with suppress(BalefireError):
                store.note(job.name + BEGUN, done or 0, now)
            raise
        store.note(job.name + DONE, now, done)
        return count


@contextmanager
def _renewed(store: Store, name: str, now: int) -> Generator[None]:
    """Until the end of the block it is said again and again that we are at it, however long it takes; then what stands there is again when it was begun."""
    over, last = threading.Event(), now

    def renew() -> None:
        nonlocal last
        while not over.wait(LEASE / SECOND / 4):
            moment = time.time_ns()
            with suppress(BalefireError):  # a store that is away may be back at the next time
                last = moment if store.note(name, moment, last) else last

    thread = threading.Thread(target=renew, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if last != now:
            with suppress(BalefireError):
                store.note(name, now, last)


@contextmanager
def housekeeping(screen: Screen, opened: Callable[[], AbstractContextManager[Store]]) -> Generator[None]:
    """Keep house in a store until the end of the block, where that is wanted; what is being done then is finished first."""
    if not screen.settings.housekeeping.daily:
        yield
        return
    scheduler = started(Housekeeper(screen, opened))
    try:
        yield
    finally:
        scheduler.shutdown()


def for_a_while(screen: Screen) -> AbstractContextManager[Store]:
    """The store of these settings, open to write for as long as a job takes, beside whoever writes rows there."""
    from records.store import open_store

    return closing(open_store(screen.store, write=True, beside=True))


def started(keeper: Housekeeper) -> Any:
    """A scheduler in threads of its own that has the housekeeper look; one look at a time, and after a sleep of the machine one for all that were missed."""
    from apscheduler.executors.pool import ThreadPoolExecutor  # pyright: ignore[reportMissingTypeStubs]
    from apscheduler.schedulers.background import BackgroundScheduler  # pyright: ignore[reportMissingTypeStubs]

    logging.getLogger("apscheduler").addHandler(logging.NullHandler())  # what it would print on stderr by itself is said in our words
    scheduler: Any = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
    first = datetime.now(UTC) + timedelta(seconds=FIRST_S)
    scheduler.add_job(keeper.look, "interval", seconds=LOOK_S, next_run_time=first, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.start()
    return scheduler


def check(screen: Screen, store: Store) -> Check:
    """For `doctor`: is anything long past its retention?"""
    days, wanted = screen.settings.retention.days, screen.settings.housekeeping.daily
    overdue = sum(store.expired(time.time_ns() - days * DAY - GRACE).values()) if wanted else 0
    done = store.notes().get("retention" + DONE)
    last = iso(done)[:16].replace("T", " ") if done else "–"
    return Check("retention", not overdue, {"rows": f"{overdue:,}", "days": days, "last": last, "store": screen.store})


def told(store: Store) -> dict[str, str | None]:
    """When each job was last done (ISO 8601), by its name; None: never."""
    notes = store.notes()
    return {job.name: iso(notes[job.name + DONE]) if job.name + DONE in notes else None for job in jobs()}
