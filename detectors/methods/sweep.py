"""Sweeps of a network by ARP: a host that asks for many addresses which nobody has, within minutes or spread over a day.

Whoever starts asks for all its neighbours, and they answer. One that does not know which addresses there are asks for those that nobody has, too; they are what
is counted. A neighbour that answered this host once exists, also while it is switched off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, MOST_WITNESSES, Notice, Remembering, Witness, among, compute, found, witness
from records.formats import DAY, MINUTE, SECOND
from records.measures import difference
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

EVERYBODY: Final = "ff:ff:ff:ff:ff:ff"  # a request to one host alone asks whether it is still there
ACTIONS: Final = ("arp_request", "arp_reply")
PATIENCE: Final = SECOND * 3 // 10  # within which a neighbour has answered
BURST: Final = 5 * MINUTE
FAST: Final = 12  # different addresses that nobody has, within a burst …
SLOW: Final = 32  # … or within a day, …
SPREAD: Final = 16  # … in so many different bursts
MOST: Final = 4096  # hosts that are remembered, those heard of last
MOST_ADDRESSES: Final = 512  # of one host: those asked for last, and those that answered last
TECHNIQUES: Final = ("T0846",)


def build(setup: Setup) -> Sweep:
    """The detector, which names captures as the setup does."""
    return Sweep(setup.files)


@dataclass(slots=True)
class Asked:
    """What one host asked for and got no answer, by address; which addresses answered it; when something was told of it (nanoseconds)."""

    missing: dict[str, Witness] = field(default_factory=dict[str, Witness])
    answered: dict[str, int] = field(default_factory=dict[str, int])
    told: int = 0


class Sweep(Remembering[Asked]):
    """Judges what each MAC address asks for, by what answers it."""

    name = "sweep"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of requests, in the order of the rows: each shows which ones before it stayed without an answer."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        spoken = among(rows, "event.action", ACTIONS)
        if not compute.any(spoken).as_py():
            return []
        return [finding for row in plain(rows.select(list(COLUMNS)).filter(spoken)) for finding in self._row(row)]

    def _revived(self, told: Any) -> Asked:
        return Asked({address: Witness(*row) for address, row in told["missing"].items()}, dict(told["answered"]), told["told"])

    def _row(self, row: Row) -> Iterator[Finding]:
        """Somebody asks everybody, or is answered."""
        address, asks = row["ot.object.name"], row["event.action"] == "arp_request"
        asker = row["source.mac" if asks else "destination.mac"]
        if not address or not asker or asks != (row["destination.mac"] == EVERYBODY):
            return
        known = self._latest(f"{row['observer.name'] or ''}|{asker}", Asked, MOST)
        if not asks:
            known.missing.pop(address, None)
            _last(known.answered, address, 1)
            return
        yield from self._told(row, known)
        before = known.missing.get(address)
        if address not in known.answered and (before is None or before.start <= row["event.start"] - PATIENCE):
            _last(known.missing, address, witness(row))

    def _told(self, row: Row, known: Asked) -> Iterator[Finding]:
        """A finding, where it comes to enough that was asked for since the last one."""
        now = row["event.start"]
        if now - known.told < BURST:
            return
        missing = [each for each in known.missing.values() if max(known.told, now - DAY) < each.start <= now - PATIENCE]
        fast = [each for each in missing if each.start > now - BURST]
        is_fast = len(fast) >= FAST
        if not is_fast and (len(missing) < SLOW or len({each.start // BURST for each in missing}) < SPREAD):
            return
        known.told = now
        chosen = fast if is_fast else missing
        lasts = (now - min(each.start for each in chosen)) / SECOND
        terms = {"nobody": 35.0, "fast" if is_fast else "slow": 10.0}
        seen = [*chosen[: MOST_WITNESSES - 1], witness(row)]

        def values(language: str) -> dict[str, object]:
            return {"count": len(chosen), "span": difference(lasts, language)}

        yield found(self.name, self._files, Notice("arp-sweep", row, seen, terms, TECHNIQUES, ("who", "answered", "tool"), values), _say)


def _last(known: dict[str, Any], name: str, value: object) -> None:
    """Remember this as the last one; of too many the first one goes."""
    known.pop(name, None)
    known[name] = value
    if len(known) > MOST_ADDRESSES:
        del known[next(iter(known))]


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"sweep.{key}", language, **words)
