"""What seems to be missing where the sensor itself did not see all: findings that something did not come wait for the coverage of their time, and say so.

A command whose answer was dropped before the sensor is not unanswered, and who acts without having read may have read what was let go. The row that tells of
a drop ends with its minute, so such a finding is told by then.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.methods.coverage import LEAST_TALKS
from records.formats import HOUR, MINUTE, SECOND, duration, number, size
from records.model import Term, Text
from records.store.rows import finding_from, finding_row
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.detector import Detector
    from records.model import Batch, Finding

Row = dict[str, Any]
NAME: Final = "doubting"
STATE: Final = 1  # of the form of a saved state
# What says that something did not come, and from which share (percent) of what was missed that may be the reason: of one message any, of many a part.
UNHEARD: Final = {
    "command-unanswered": 0.0, "unsolicited-answer": 0.0, "sequence-broken": 0.0,
    "polls-unanswered": 1.0, "view-lost": 1.0, "poll-stopped": 1.0, "poll-slowed": 1.0, "reports-fewer": 1.0, "exchange-stopped": 1.0,
    "acts-unseeing": 1.0,
}  # fmt: skip
BEFORE: Final = {"acts-unseeing": HOUR}  # nanoseconds before what happened in which what did not come would have come
LEAST: Final = 5.0  # points that a score loses …
MOST: Final = 20.0  # … and at most, where so much and more was missed:
MUCH: Final = 30.0  # percent
MOST_HELD: Final = 1024  # findings that wait; what is more is told as it is
MOST_WINDOWS: Final = 256  # of one observer that are remembered, the last ones
MOST_OBSERVERS: Final = 64
COUNTS: Final = ("packets", "dropped", "shed", "gaps", "lost", "decoded_bytes", "undecoded_bytes")
COLUMNS: Final = ("observer.name", "@timestamp", "packets", "requests_only", "answers_only", "talks", "datagrams", "absent", "dark", *COUNTS[1:])


@dataclass(slots=True)
class Missed:
    """What was missed in some windows: counts of coverage, conversations of which one direction is missing, all that tell of theirs, and `unheard`: seconds in
    which nothing could be heard.
    """

    counts: dict[str, int]
    halves: int = 0
    talks: int = 0
    unheard: float = 0.0

    def add(self, other: Missed) -> None:
        """And this."""
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.halves += other.halves
        self.talks += other.talks
        self.unheard += other.unheard

    def share(self, seconds: float) -> float:
        """Percent of the packets, of the payload, of the directions or of so many seconds, whichever is most; 0 where nothing is known to be missing."""
        told = {name: self.counts.get(name, 0) for name in COUNTS}
        away = told["dropped"] + told["shed"]
        payload = told["decoded_bytes"] + told["undecoded_bytes"] + told["lost"]
        lost = told["lost"] if told["gaps"] else 0  # else it is what datagrams would have been answered, if anybody answers them
        parts = ((away, told["packets"] + away), (lost, payload), (self.halves, self.talks), (min(self.unheard, seconds), seconds))
        return max(100 * part / whole if whole else 0.0 for part, whole in parts)

    def words(self, language: str) -> str:
        """All that is known to be missing."""
        told = [(name, self.counts.get(name, 0)) for name in ("dropped", "shed", "gaps")]
        some = {"size": size(self.counts.get("lost", 0), language), "halves": number(self.halves), "talks": number(self.talks)}
        each = [_counted(name, count, language, some) for name, count in (*told, ("halves", self.halves)) if count]
        if self.unheard:
            each.append(say("coverage.doubt.unheard", language, duration=duration(round(self.unheard * SECOND), language)))
        return say("coverage.half.between", language).join(each)


class Doubting:
    """Remembers what was missed by the minute, and holds findings until that is known of their time. It finds nothing itself."""

    name = NAME
    forgotten = 0  # what it holds no longer was told

    def __init__(self) -> None:
        self._windows: dict[str, dict[int, Missed]] = {}
        self._held: deque[Finding] = deque()

    def learn(self, batch: Batch) -> None:
        """Nothing is learned."""

    def judge(self, batch: Batch) -> list[Finding]:
        """Take note of what was missed."""
        if batch.coverage.num_rows:
            table: Any = batch.coverage.select(list(COLUMNS))
            table = table.set_column(COLUMNS.index("@timestamp"), "@timestamp", table.column("@timestamp").cast("int64"))
            for row in cast("list[Row]", table.to_pylist()):
                known = self._windows.pop(row["observer.name"] or "", {})
                self._windows[row["observer.name"] or ""] = known
                missed = Missed({name: row[name] or 0 for name in COUNTS}, *_halves(row), (row["absent"] or 0.0) + (row["dark"] or 0.0))
                known.setdefault(row["@timestamp"] // MINUTE, Missed({})).add(missed)
        return []

    def settled(self, found: Iterable[Finding], last: bool = False) -> list[Finding]:
        """What is to be told now: what says that nothing came only once its time is over. `last`: nothing comes that would tell more."""
        told: list[Finding] = []
        for finding in found:
            (self._held if finding.rule in UNHEARD else told).append(finding)
        waiting: deque[Finding] = deque()
        for place, finding in enumerate(self._held):
            if last or self._is_over(finding) or place < len(self._held) - MOST_HELD:
                told.append(self._doubted(finding))
            else:
                waiting.append(finding)
        self._held = waiting
        self._forget()
        return told

    def state(self) -> bytes:
        """What it remembers and what it holds; empty where there is neither."""
        if not self._windows and not self._held:
            return b""
        windows = {
            name: [[window, each.counts, each.halves, each.talks, each.unheard] for window, each in known.items()] for name, known in self._windows.items()
        }
        return json.dumps({"doubting": STATE, "windows": windows, "held": [finding_row(finding) for finding in self._held]}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this."""
        said: Any = json.loads(state) if state else {"doubting": STATE, "windows": {}, "held": []}
        try:
            if said["doubting"] != STATE:
                raise ValueError("not the state of doubting")
            self._windows = {name: {window: Missed(*rest) for window, *rest in known} for name, known in said["windows"].items()}
            self._held = deque(finding_from(row) for row in said["held"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not the state of doubting") from error

    def _is_over(self, finding: Finding) -> bool:
        """Is the coverage of its last minute known, or of a later one?"""
        return max(self._windows.get(finding.observer, {}), default=-1) >= _last(finding)

    def _doubted(self, finding: Finding) -> Finding:
        """The finding, with what was missed in its time where that may be the reason."""
        missed, before = Missed({}), BEFORE.get(finding.rule, 0)
        first = (finding.time - before) // MINUTE
        for window, each in self._windows.get(finding.observer, {}).items():
            if first <= window <= _last(finding):
                missed.add(each)
        if not before:  # whoever waits for what did not come knows when it could not come
            missed.unheard = 0.0
        share = missed.share((_last(finding) - first + 1) * MINUTE / SECOND)
        if not missed.words("en") or share < UNHEARD[finding.rule]:
            return finding
        points = round(LEAST + (MOST - LEAST) * min(1.0, share / MUCH), 1)
        terms = {language: say("coverage.doubt.term", language) for language in LANGUAGES}
        reasons = {language: say("coverage.doubt.reason", language, missed=missed.words(language)) for language in LANGUAGES}
        reason = Text(finding.reason.en + reasons["en"], finding.reason.zh + reasons["zh"])
        return replace(finding, terms=(*finding.terms, Term(**terms, value=-points)), reason=reason)

    def _forget(self) -> None:
        while len(self._windows) > MOST_OBSERVERS:
            del self._windows[next(iter(self._windows))]
        for known in self._windows.values():
            for window in sorted(known)[:-MOST_WINDOWS]:
                del known[window]


def settled(each: Sequence[Detector], found: Iterable[Finding], last: bool = False) -> list[Finding]:
    """What is to be told now of what these detectors found."""
    for doubting in _doubting(each):
        found = doubting.settled(found, last)
    return list(found)


def _doubting(each: Sequence[Detector]) -> Iterator[Doubting]:
    yield from (one for one in each if isinstance(one, Doubting))


def _last(finding: Finding) -> int:
    return max(finding.time, finding.end - 1) // MINUTE


def _halves(row: Row) -> tuple[int, int]:
    """(conversations of which the sensor misses a direction, all that tell of theirs). Who is gone is sent requests again, too: of TCP it is proven by what
    is acknowledged and was not seen; that datagrams were answered is to be believed only where none of several has both directions."""
    datagrams = cast("list[Row]", json.loads(row["datagrams"] or "[]"))
    asked, answered, spoken = (sum(each[name] for each in datagrams) for name in ("requests_only", "answers_only", "conversations"))
    alone, talks = (row["requests_only"] or 0) + (row["answers_only"] or 0), row["talks"] or 0
    both = talks + spoken - alone - asked - answered > 0
    return (alone if row["gaps"] else 0) + answered + (asked if spoken >= LEAST_TALKS and not both else 0), talks + spoken


def _counted(name: str, count: int, language: str, some: dict[str, str]) -> str:
    return say(f"coverage.doubt.{name}.{'one' if count == 1 else 'many'}", language, count=number(count), **some)
