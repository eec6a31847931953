"""Packets put into somebody else's connection: segments in the name of a host that come with the hop limit of another system than its own.

A system begins to count hops at a limit of its own, and what another machine sends in its name begins elsewhere, whatever addresses, ports and numbers it
copies. A host that was given another system, or several hosts behind one address, look alike: the engine takes what stays for the host's own after some
segments, and a change that stays is told once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, compute, found, hosts, witness
from detectors.phrases import deed
from records.formats import HOUR
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

STRAY: Final = "other_system"
AGAIN: Final = HOUR  # until so long after a finding nothing more is told of the same hosts
MOST: Final = 4096  # pairs of hosts that are remembered, those told of last
DONE: Final = {"report": 10.0, "write": 30.0, "command": 30.0, "program": 30.0, "configure": 30.0, "time": 15.0, "file": 15.0}
RESPOND: Final = ("port", "routes", "packets")


def build(setup: Setup) -> Injection:
    """The detector, which names captures as the setup does."""
    return Injection(setup.files)


class Injection(Remembering[int]):
    """Judges messages whose segments came from another system; remembers when each pair of hosts was told of (nanoseconds)."""

    name = "injection"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of such messages, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        odd = rows["ot.anomaly"].combine_chunks()
        stray = compute.unique(compute.list_parent_indices(odd).filter(compute.equal(compute.list_flatten(odd), STRAY)))
        return [finding for row in plain(rows.select([*COLUMNS, "ot.access"]).take(stray)) for finding in self._row(row)] if len(stray) else []

    def _kept(self, each: int) -> int:
        return each

    def _revived(self, told: Any) -> int:
        return int(told)

    def _row(self, row: Row) -> Iterator[Finding]:
        key = hosts(row)
        if row["event.end"] - self._latest(key, int, MOST) < AGAIN:
            return
        self._known[key] = row["event.end"]
        terms = {"system": 35.0, **({row["ot.access"]: DONE[row["ot.access"]]} if row["ot.access"] in DONE else {})}
        techniques = ("T0856", "T0849") if row["ot.access"] == "report" else ("T0855", "T0849")

        def values(language: str) -> dict[str, object]:
            return {"count": row["ot.count"] or 1, "deed": deed(row["ot.effect"] or "unknown", language)}

        yield found(self.name, self._files, Notice("other-system", row, [witness(row)], terms, techniques, RESPOND, values), _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"injection.{key}", language, **words)
