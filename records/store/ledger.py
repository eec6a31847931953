"""What of a store in Elasticsearch counts: one document, changed by compare-and-set, is the mark of every commit and of every decision.

A commit takes a number, writes its rows with that number on them, and counts once the ledger says so: readers leave out the numbers that are open,
dead, or not yet given at the time they look. Rows that may change (alerts, suppressions, the audit trail …) are staged, the ledger names what was staged
in the same change that makes the commit count, and then they are put in their places; whoever comes upon a ledger that still names some puts them there.
So a commit, or a decision with its entry in the trail, is there as a whole or not at all, wherever its writer died. A writer that died left a number
that is open for ever, or until somebody writes the same rows: that one declares it dead, and takes its rows over.
"""

from __future__ import annotations

import os
import platform
import random
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from elasticsearch import ApiError, NotFoundError
from elasticsearch import ConflictError as Outrun

from records.errors import StoreError
from records.schema import SCHEMA_VERSION
from records.store.cluster import FORBIDDEN
from records.store.templates import LEDGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from records.store.cluster import Cluster
    from records.store.dsl import Clause
    from records.store.templates import Names

T = TypeVar("T")
Body = dict[str, Any]
IDENTITY: Final = "store"
LEASE_S: Final = 30.0  # a writer elsewhere whose number did not beat for so long is dead
SILENT_S: Final = 600.0  # … where nobody waits for its rows
BEAT_S: Final = 5.0
MARKS: Final = 64  # so many marks are remembered, for a writer that did not hear the answer to its own
WAIT_S: Final = 5.0  # how long a reader waits for what is being put in its place
COMMIT: Final = "balefire.commit"


class Overtaken(Exception):  # noqa: N818 - no error: what was to be written has to be worked out again
    """Something else became the case since this was worked out."""


@dataclass(frozen=True, slots=True)
class Page:
    """The ledger as it was at a moment."""

    body: Body
    seq_no: int
    primary_term: int

    def dead(self, number: int) -> bool:
        """Whether rows of this commit never count."""
        return any(first <= number <= last for first, last in self.body["dead"])

    def counts(self, number: int, own: int | None = None) -> bool:
        """Whether rows of this commit count."""
        return number == own or (number < self.body["next"] and str(number) not in self.body["open"] and not self.dead(number))

    def visible(self, own: int | None = None) -> Clause:
        """The rows that count, and those of one's own commit."""
        begun = [int(number) for number in self.body["open"] if int(number) != own]
        left_out: list[Clause] = [{"terms": {COMMIT: begun}}] if begun else []
        left_out += [{"range": {COMMIT: {"gte": first, "lte": last}}} for first, last in self.body["dead"]]
        return {"bool": {"filter": [{"range": {COMMIT: {"lt": self.body["next"]}}}], "must_not": left_out}}


class Ledger:
    """The ledger of a store."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self.cluster = cluster
        self.index = names.of(LEDGER)
        self.owner = {"host": _host(), "process": os.getpid(), "started": _started(os.getpid()), "token": secrets.token_hex(8)}
        self._beaten = 0.0
        self._open: int | None = None
        self._beats: dict[int, tuple[int, float]] = {}

    def make(self, period: str) -> None:
        """The first page of a new store; a store that is there stays as it is."""
        body: Body = {
            "identity": secrets.token_hex(8), "schema": SCHEMA_VERSION, "period": period, "next": 1, "sequence": 0,
            "open": {}, "dead": [], "pending": None, "marks": [], "numbers": {}, "trail": None,
        }  # fmt: skip
        client = self.cluster.client.options(ignore_status=409)
        self.cluster.ask(lambda: client.create(index=self.index, id=IDENTITY, document=body))

    def read(self) -> Page:
        """The ledger as it is. Raises StoreError where there is none, or one of another version."""
        client = self.cluster.client

        def get() -> Page | None:
            try:
                found = client.get(index=self.index, id=IDENTITY)
            except NotFoundError:
                return None
            return Page(dict(found["_source"]), int(found["_seq_no"]), int(found["_primary_term"]))

        page = self.cluster.ask(get)
        if page is None:
            raise StoreError("elastic.unmade", place=self.cluster.place.shown)
        return page

    def change(self, changed: Callable[[Body], T]) -> T:
        """Change the ledger; `changed` is called again with what it is then, where somebody was faster."""
        client = self.cluster.client
        for _ in range(200):
            page = self.read()
            result = changed(page.body)

            def put(page: Page = page) -> bool:
                try:
                    client.index(index=self.index, id=IDENTITY, document=page.body, if_seq_no=page.seq_no, if_primary_term=page.primary_term)
                except Outrun:
                    return False
                return True

            if self.cluster.ask(put):
                return result
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - so that two do not meet again and again
        raise StoreError("elastic.contended", place=self.cluster.place.shown)

    def note(self, name: str, value: int, was: int | None) -> bool:
        """Keep a number beside what counts, if it is still what it `was`; whether it was."""
        mine = secrets.token_hex(8)  # the answer to the first time may be lost

        def noted(body: Body) -> bool:
            notes, hands = body.setdefault("notes", {}), body.setdefault("hands", {})
            if hands.get(name) == mine:
                return True
            if notes.get(name) != was:
                return False
            notes[name], hands[name] = value, mine
            return True

        return self.change(noted)

    # numbers of commits

    def begin(self) -> int:
        """A number for a commit. What this writer began before and did not finish is dead, and so is what writers have left that ended, or fell silent."""

        def taken(body: Body) -> int:
            _bury(body, [number for number, owner in body["open"].items() if self._left(int(number), owner)])
            self._beats = {number: seen for number, seen in self._beats.items() if str(number) in body["open"]}
            number = int(body["next"])
            body["next"] = number + 1
            body["open"][str(number)] = {**self.owner, "beat": 0}
            return number

        self._beaten = time.monotonic()
        self._open = self.change(taken)
        return self._open

    def beat(self, number: int) -> None:
        """Tell others, every now and then, that this number is being written."""
        if time.monotonic() - self._beaten < BEAT_S:
            return

        def beaten(body: Body) -> None:
            if str(number) in body["open"]:
                body["open"][str(number)]["beat"] += 1

        self.change(beaten)
        self._beaten = time.monotonic()

    def give_up(self) -> None:
        """What this writer began and did not finish never counts."""
        if self._open is not None:
            self.bury([self._open])
            self._open = None

    def bury(self, numbers: Iterable[int]) -> None:
        """These numbers never count."""
        names = list(map(str, numbers))
        self.change(lambda body: _bury(body, names))

    def decided(self, numbers: set[int]) -> Page:
        """The ledger once none of these numbers is open: its writer has finished, or is dead."""
        beats: dict[int, tuple[int, float]] = {}
        while True:
            page = self.read()
            waiting = {number: page.body["open"][str(number)] for number in numbers if str(number) in page.body["open"]}
            now = time.monotonic()
            gone = [number for number, owner in waiting.items() if self._gone(owner) or _silent(beats, number, owner["beat"], now)]
            if gone:
                self.bury(gone)
            elif not waiting:
                return page
            else:
                time.sleep(0.25)

    def _left(self, number: int, owner: Body) -> bool:
        """Whether nobody writes on this number."""
        own = owner["token"] == self.owner["token"]
        return own or self._gone(owner) or _silent(self._beats, number, owner["beat"], time.monotonic(), SILENT_S)

    def clear(self) -> None:
        """What is being written now is written, or nobody writes on it: this waits for that."""
        self.decided(set(map(int, self.read().body["open"])))

    def _gone(self, owner: Body) -> bool:
        """Whether a writer on this machine has ended."""
        return owner["host"] == self.owner["host"] and _started(int(owner["process"])) != owner["started"]

    # marks

    def mark(self, page: Page, token: str, staged: int, numbers: Body, trail: Body | None, attempt: int | None) -> Page:
        """Make a commit (or, without a number, a decision) count, if the ledger is still where it was worked out. Raises Overtaken."""

        def marked(body: Body) -> Body:
            if token in body["marks"]:  # the answer to the first time was lost
                return body
            if body["sequence"] != page.body["sequence"] or body["pending"] or (attempt is not None and str(attempt) not in body["open"]):
                raise Overtaken
            if attempt is not None:
                del body["open"][str(attempt)]
            body["sequence"] += 1
            body["marks"] = [*body["marks"], token][-MARKS:]
            body["pending"] = {"token": token, "count": staged, "sequence": body["sequence"]} if staged else None
            body["numbers"], body["trail"] = numbers, trail
            return body

        body = self.change(marked)
        if attempt == self._open:
            self._open = None
        return Page(body, -1, -1)

    def placed(self, token: str) -> None:
        """What was staged under this token is in its place."""

        def cleared(body: Body) -> None:
            if body["pending"] and body["pending"]["token"] == token:
                body["pending"] = None

        self.change(cleared)

    def settled(self, place: Callable[[Body], None]) -> Page:
        """The ledger once nothing is between stage and place. `place` is called for what somebody left there."""
        end, seen = time.monotonic() + WAIT_S, ""
        while True:
            page = self.read()
            pending = page.body["pending"]
            if not pending:
                return page
            if pending["token"] == seen:
                try:
                    place(pending)
                except (StoreError, ApiError) as error:
                    if not isinstance(error, StoreError) or error.key not in FORBIDDEN:
                        raise
                    if time.monotonic() > end:  # who only reads cannot help; what counts already is shown before the rest
                        return page
            seen = pending["token"]
            time.sleep(0.2)


def _bury(body: Body, numbers: Iterable[str]) -> None:
    """Move numbers from the open to the dead; those are kept as ranges, since a writer that tries for long leaves many in a row."""
    found = sorted([*body["dead"], *([int(number)] * 2 for number in numbers if body["open"].pop(number, None) is not None)])
    merged: list[list[int]] = []
    for first, last in found:
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    body["dead"] = merged


def _silent(beats: dict[int, tuple[int, float]], number: int, beat: int, now: float, lease: float | None = None) -> bool:
    """Whether a number has not beaten for a lease (seconds), by our own clock: nobody else's counts."""
    known, since = beats.setdefault(number, (beat, now))
    if known != beat:
        beats[number] = (beat, now)
        return False
    return now - since > (LEASE_S if lease is None else lease)


def _host() -> str:
    """This machine since it was started; a container is a machine of its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = ""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{platform.node()} {boot} {space}"


def _started(process: int) -> str | None:
    """When a process of this machine was started, in its own ticks; None where there is none, or no telling."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19] if fields[0] not in "ZX" else None
