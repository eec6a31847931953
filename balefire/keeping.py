"""Evidence while a replay runs: which findings get their packets kept, and from which capture."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from records.model import KEEPING
from sensors.evidence import Keeper
from sensors.sources.again import Marks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from balefire.outbox import Outbox
    from balefire.settings import Keep
    from records.model import Evidence, Finding
    from records.store.contract import Store
    from sensors.sources.pcap import Capture

EARLIER: Final = 4  # captures that are held open: findings of one history may still name packets of those before
DAY: Final = 86_400 * 10**9
MEBIBYTE: Final = 1 << 20


class Keeping:
    """Keeps packets for findings, within limits. `findings`, `packets` and `missing` count this run's, kept before or not;
    `thinned` is for how many findings, of this run or earlier, packets went while it ran.
    """

    def __init__(self, store: Store, limits: Keep, outbox: Outbox) -> None:
        self._store, self._limits, self._outbox = store, limits, outbox
        self._keepers: deque[tuple[str, Keeper]] = deque()  # each with its history, the present one first
        self._seen: dict[str, tuple[int, int]] = {}  # by key: how many findings, the gravest severity
        self.findings = self.packets = self.missing = self.thinned = 0

    def begin(self, history: str, capture: Capture) -> Marks | None:
        """A capture of this history is about to be read; where it should tell its places. None where nothing is to be kept."""
        if not self._limits.mebibytes:
            return None
        if capture.pipe:
            capture.pipe.keep(self._limits.spool * MEBIBYTE)
        marks = Marks()
        self._keepers.appendleft((history, Keeper(capture, marks)))
        if len(self._keepers) > EARLIER:
            self._keepers.pop()[1].close()
        return marks

    def keeper(self, history: str) -> Keeper | None:
        """What reads the present capture of this history again."""
        return next((keeper for of, keeper in self._keepers if of == history), None)

    def of(self, history: str, findings: Iterable[Finding]) -> tuple[Evidence, ...]:
        """What is to be kept for these findings of a capture of this history."""
        keepers = [keeper for of, keeper in self._keepers if of == history]
        if not keepers:
            return ()
        wanted = {finding.id: finding for finding in findings if finding.packets}
        known = self._outbox.ask(lambda: self._store.taken(wanted), {})
        kept: list[Evidence] = []
        for finding in sorted(wanted.values(), key=_place):
            if not self._is_due(finding):
                continue
            row = self._row(finding) if finding.id in known else None
            if row and row["sha256"] and row["gone"] is None:
                self._count(row["packets"], row["missing"])
            else:
                kept.append(_best(keepers, finding))
                self._count(len(kept[-1].numbers), kept[-1].missing)
        return tuple(kept)

    def _row(self, finding: Finding) -> dict[str, Any] | None:
        """What is told of the packets that are kept already; a store that is away finds out itself when it is back."""
        return self._outbox.ask(lambda: self._store.get("evidence", finding.id), None)

    def _count(self, packets: int, missing: int) -> None:
        self.findings += packets > 0
        self.packets += packets
        self.missing += missing

    def _is_due(self, finding: Finding) -> bool:
        count, gravest = self._seen.get(finding.key, (0, -1))
        due = count < KEEPING or finding.severity > gravest
        self._seen[finding.key] = (count + due, max(gravest, finding.severity))
        return due

    def thin(self, aged: bool = False) -> None:
        """Hold what is kept within its limits; `aged`: by age, too."""
        before = time.time_ns() - self._limits.days * DAY if aged else 0
        self.thinned += self._outbox.ask(
            lambda: self._store.thin(self._limits.mebibytes * MEBIBYTE, before), 0
        )  # a store that is away is thinned when it is back

    def close(self) -> None:
        """Let go of the captures."""
        for _, keeper in self._keepers:
            keeper.close()


def _place(finding: Finding) -> int:
    return min(ref.packet for ref in finding.packets)


def _best(keepers: Iterable[Keeper], finding: Finding) -> Evidence:
    """From the capture read last, or the one before it that has what the finding names."""
    found: list[Evidence] = []
    for keeper in keepers:
        found.append(keeper.evidence(finding))
        if not found[-1].missing:
            return found[-1]
    return max(found, key=lambda each: len(each.numbers))
