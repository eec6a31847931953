"""Requests that were changed on their way: the same request of one connection twice within a moment, from two MAC addresses, with two values.

A sensor that hears both sides of somebody in the middle sees what was sent and what was made of it. Copies that a router or a second mirror port shows have
the same value. That somebody puts himself in the middle by ARP is told by `addresses`; contradicting copies in a TCP stream are told by a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from detectors.gathering import plain
from detectors.noticing import COLUMNS, TAG, Notice, Remembering, Witness, among, compute, found, witness
from detectors.phrases import measured, thing
from records.formats import SECOND
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

ACTS: Final = ("value.write", "output.operate", "setpoint.write", "value.force", "output.select")
MOMENT: Final = SECOND // 10  # who stands in the middle hands on what he changed so soon; an operator sets nothing twice so fast
MOST: Final = 4096  # requests that are remembered, the last ones
TECHNIQUES: Final = ("T0830", "T0831")
TERMS: Final = {"altered": 50.0, "mac": 20.0}
SAME: Final = (
    "observer.name",
    "source.ip",
    "source.port",
    "destination.ip",
    "event.action",
    "ot.unit",
    "ot.object.space",
    "ot.object.name",
    "ot.object.first",
    "ot.object.last",
)
COMPARED: Final = (*SAME, "id", "event.start", "event.end", "source.mac", "ot.effect", "ot.value", "ot.packet.first")


def build(setup: Setup) -> Tamper:
    """The detector, which names captures as the setup does."""
    return Tamper(setup.files)


class Last(NamedTuple):
    """The last request of a connection for an object: the MAC address that it came from, its value, and the row."""

    mac: str
    value: float
    row: Witness


class Tamper(Remembering[Last]):
    """Judges writes and commands of their own rows, each against the one before it of the same connection and object."""

    name = "tamper"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of requests, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        acts = compute.and_(among(rows, "ot.effect", ACTS), compute.is_valid(rows["ot.value"]))
        acts = compute.and_(acts, compute.and_(compute.is_valid(rows["source.mac"]), compute.is_valid(rows["source.port"])))
        if not compute.any(acts).as_py():
            return []
        requests = rows.filter(acts)
        compared = plain(requests.select(list(COMPARED)))
        return [self._finding(requests.slice(number, 1), before) for number, row in enumerate(compared) if (before := self._altered(row)) is not None]

    def _revived(self, told: Any) -> Last:
        return Last(told[0], told[1], Witness(*told[2]))

    def _kept(self, each: Last) -> Any:
        return list(each)

    def _altered(self, row: Row) -> Last | None:
        """The request before this one, where this is what became of it on its way."""
        key = "|".join("" if row[name] is None else str(row[name]) for name in SAME)
        this = Last(row["source.mac"], row["ot.value"], witness(row))
        before = self._latest(key, lambda: this, MOST)
        self._known[key] = this
        altered = before.mac != this.mac and before.value != this.value and 0 <= this.row.start - before.row.start <= MOMENT
        return before if altered else None

    def _finding(self, request: Any, before: Last) -> Finding:
        """The finding of a request (a table of one row)."""
        (row,) = plain(request.select([*COLUMNS, *TAG, "ot.value"]))

        def values(language: str) -> dict[str, object]:
            return {
                "object": thing(row, language),
                "first": measured(row, before.value),
                "second": measured(row, row["ot.value"]),
                "one": before.mac,
                "other": row["source.mac"],
            }

        notice = Notice("request-altered", row, [before.row, witness(row)], TERMS, TECHNIQUES, ("hand", "port", "packets"), values)
        return found(self.name, self._files, notice, _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"tamper.{key}", language, **words)
