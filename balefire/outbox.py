"""Commits on their way to the store: kept on the disk first where the store may be away, delivered in order, each exactly once in effect.

A store on this machine has no such way: where its disk is full, what goes on without end waits until there is room.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from balefire.awaiting import answered
from balefire.times import both
from records.errors import StoreError
from records.store.contract import AWAY, FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from records.errors import BalefireError
    from records.model import Alert
    from records.store.contract import Commit, Store

T = TypeVar("T")
RETRY_S: Final = 2.0  # between two tries while the store is away
FINISH_S: Final = 600.0  # how long the end of a replay waits for the store
TELL_S: Final = 60.0  # how often it is said that reading waits


class Outbox:
    """What waits for a store. `deliver` writes a commit of this run, `deliver_left` one of an earlier run, of which people may have heard; `note` and `problem`
    are told what happens.

    `held` is given what has to wait, and returns the alerts of which it has told people. `patient`: whether to wait, however long: at first for a store that
    is away, later where the disk of one on this machine is full.
    """

    def __init__(self, store: Store, deliver: Callable[[Commit], object], deliver_left: Callable[[Commit, bool], object]) -> None:
        self._spool = store.spool
        self._deliver = deliver
        self._deliver_left = deliver_left
        self._waiting: list[Path] = []
        self._left = self._spool.left() if self._spool else []
        self._away: StoreError | None = None
        self._tried = 0.0
        self._stopped = self.patient = False
        self.problem: Callable[[BalefireError], None] = lambda _: None
        self.note: Callable[[str, dict[str, object]], None] = lambda _key, _values: None
        self.held: Callable[[Commit], Sequence[Alert]] = lambda _: ()

    @property
    def away(self) -> bool:
        """Whether the store was away when something was last to be delivered."""
        return self._away is not None

    def ask(self, question: Callable[[], T], otherwise: T) -> T:
        """What the store answers, or `otherwise` while it is away."""
        if self.away:
            return otherwise
        try:
            return question()
        except StoreError as error:
            if error.key not in AWAY and not (self.patient and error.key == FULL):
                raise
            return otherwise

    def asked(self, question: Callable[[], T]) -> T:
        """What the store answers to what nothing can go on without. Raises StoreError, also where it was stopped while it waited."""
        return answered(question, self.note, lambda: self._stopped) if self.patient else question()

    def begin(self) -> None:
        """Deliver what an earlier run has left."""
        if self._left:
            self.note("cli.spool.left", {"count": len(self._left)})
            self._empty(lambda: self._stopped) if self.patient else self.finish()

    def stop(self) -> None:
        """Wait for a full spool no longer."""
        self._stopped = True

    def put(self, commit: Commit) -> None:
        """Write a commit, or keep it until it can be written: where there is no room, as long as it takes.

        Raises StoreError for what no waiting mends, and where it was stopped while it waited: the commit is lost then, and the error says so.
        """
        if self._spool is None:
            self._deliver_here(commit)
            return
        path = self._kept(commit)
        if path is None:
            return
        self._waiting.append(path)
        if is_away := self.away:  # before the next try, whose answer may be a minute away
            self._spool.tell(path, self.held(commit))
        if not is_away or time.monotonic() - self._tried > RETRY_S:
            self._drain()
        if not is_away and path in self._waiting:
            self._spool.tell(path, self.held(commit))

    def _deliver_here(self, commit: Commit) -> None:
        """Write to a store on this machine, as soon as there is room."""
        since, said = time.time_ns(), None
        while True:
            try:
                self._deliver(commit)
            except StoreError as error:
                if error.key != FULL or not self.patient:
                    raise
                if self._stopped:
                    raise _lost(commit, error, since) from error
                self.held(commit)
                if said is None or time.monotonic() - said >= TELL_S:
                    said = time.monotonic()
                    self.note("cli.spool.held", error.values)
            else:
                if said is not None:
                    self.note("cli.spool.room", {})
                return
            time.sleep(RETRY_S)

    def _kept(self, commit: Commit) -> Path | None:
        """Where the commit is on the disk; None where it is in the store already, since there was room for nothing at all."""
        assert self._spool is not None  # noqa: S101 - who calls has looked
        since, said = time.time_ns(), None
        while True:
            try:
                return self._spool.put(commit)
            except StoreError as error:
                if error.key != "spool.full":
                    raise
                full = error
            if self._left or self._waiting:
                if self._drain():
                    continue
            elif self._delivered_past(commit):
                return None
            if self._stopped:
                raise _lost(commit, full, since) from full
            self.held(commit)
            if said is None or time.monotonic() - said >= TELL_S:
                said = time.monotonic()
                self.note("cli.spool.full", {"problem": full})
            time.sleep(RETRY_S)

    def _delivered_past(self, commit: Commit) -> bool:
        """Whether the store has taken a commit that was not in the spool."""
        try:
            self._deliver(commit)
        except StoreError as error:
            self._missed(error)
            return False
        self._away = None
        return True

    def finish(self) -> None:
        """Deliver all of it. Raises StoreError where the store stays away; what waits then stays on the disk."""
        end = time.monotonic() + FINISH_S
        self._empty(lambda: time.monotonic() > end)

    def _empty(self, over: Callable[[], bool]) -> None:
        while not self._drain():
            if over() and self._spool and self._away:
                count = len(self._left) + len(self._waiting)
                raise StoreError("spool.waiting", count=count, path=self._spool.root, problem=self._away) from self._away
            time.sleep(RETRY_S)

    def _drain(self) -> bool:
        """Deliver what waits, in order, until the store is away; whether nothing waits any more."""
        delivered = 0
        for queue in (self._left, self._waiting):
            while queue:
                if not self._delivered(queue[0], left=queue is self._left):
                    return False
                queue.pop(0)
                delivered += 1
        if self._away is not None:
            self._away = None
            self.note("cli.spool.back", {"count": delivered})
        return True

    def _delivered(self, path: Path, left: bool) -> bool:
        assert self._spool is not None  # noqa: S101 - only what is in a spool waits
        self._tried = time.monotonic()
        try:
            commit = self._spool.take(path)
            if left:
                self._deliver_left(commit, self._spool.is_told(path))
            else:
                self._deliver(commit)
        except StoreError as error:
            if error.key == "spool.corrupt":
                self.problem(error)
                return True
            self._missed(error)
            return False
        self._spool.done(path)
        return True

    def _missed(self, error: StoreError) -> None:
        """The store could not be reached. Raises `error` where it is another."""
        if error.key not in AWAY or self._spool is None:
            raise error
        if self._away is None:
            self.note("cli.spool.away", {"path": self._spool.root, "problem": error})
        self._away = error


def _lost(commit: Commit, problem: StoreError, since: int) -> StoreError:
    """What a stop costs that finds no room, nor had any since then."""
    rows = sum(table.num_rows for table in (commit.batch.activities, commit.batch.points, commit.batch.coverage))
    return StoreError("spool.lost", since=both(since), rows=f"{rows:,}", findings=f"{len(commit.findings):,}", problem=problem)
