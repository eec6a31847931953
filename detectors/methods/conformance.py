"""What no device and no master does by its specification, as far as activities carry it: to set the same thing again and again within seconds.

In DNP3 a master clears the restart flag of an outstation once after each restart (IEEE 1815-2012, 4.5.4.6); one that has to clear it several times within a
minute is told again and again that its outstation restarted: by a device that fails, or by somebody who speaks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, MINUTE, SECOND, Notice, Remembering, Witness, among, compute, found, hosts, keep, latest, witness, witnesses
from detectors.phrases import deed
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

SETS: Final = ("time.write", "diagnostics.reset", "reporting.enable", "reporting.disable", "configuration.write", "alarm.configure", "mode.change", "cpu.reset")
RESTARTED: Final = "internal_indications"  # the space in which a master clears the restart flag
TIMES: Final = {"repeated-request": 10, "restart-claimed": 3}  # so often within …
WITHIN: Final = {"repeated-request": 10 * SECOND, "restart-claimed": MINUTE}
AGAIN: Final = 10 * MINUTE  # until so long after a finding nothing more is told of the same hosts
MOST: Final = 4096  # pairs of hosts and effects that are remembered, those heard of last
MOST_TIMES: Final = 64  # requests of one of them
TECHNIQUES: Final = {"repeated-request": ("T0814",), "restart-claimed": ("T0856", "T0814")}
BASES: Final = {"repeated-request": 40.0, "restart-claimed": 45.0}


def build(setup: Setup) -> Conformance:
    """The detector, which names captures as the setup does."""
    return Conformance(setup.files)


@dataclass(slots=True)
class Repeated:
    """When the same was asked for, how often each time, the rows of it, and when a finding told of it (nanoseconds)."""

    times: list[list[int]] = field(default_factory=list["list[int]"])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    told: int = 0


class Conformance(Remembering[Repeated]):
    """Judges what is set on a device, each effect of each pair of hosts for itself."""

    name = "conformance"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of what was set, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        sets = among(rows, "ot.effect", SETS)
        return [finding for row in plain(rows.filter(sets).select(list(COLUMNS))) for finding in self._row(row)] if compute.any(sets).as_py() else []

    def _revived(self, told: Any) -> Repeated:
        return Repeated(list(told["times"]), witnesses(told["witnesses"]), told["told"])

    def _row(self, row: Row) -> Iterator[Finding]:
        rule = "restart-claimed" if row["ot.object.space"] == RESTARTED else "repeated-request"
        known = latest(self._known, f"{rule}|{row['ot.effect']}|{hosts(row)}", Repeated, MOST)
        since = row["event.end"] - WITHIN[rule]
        if known.times and known.times[-1][0] < since:
            known.witnesses = []
        # A row that stands for many is as long as it lasted: only what is as dense as is asked for counts.
        dense = (row["event.end"] - row["event.start"]) * TIMES[rule] <= (row["ot.count"] or 1) * WITHIN[rule]
        recent = [each for each in known.times if each[0] >= since][-MOST_TIMES + 1 :]
        known.times = [*recent, [row["event.end"], (row["ot.count"] or 1) if dense else 1]]
        keep(known.witnesses, witness(row))
        count = sum(times for _, times in known.times)
        if count < TIMES[rule] or row["event.end"] - known.told < AGAIN:
            return
        known.told = row["event.end"]

        def values(language: str) -> dict[str, object]:
            return {"deed": deed(row["ot.effect"], language), "count": count, "seconds": WITHIN[rule] // SECOND}

        terms = {"often": BASES[rule]}
        yield found(self.name, self._files, Notice(rule, row, known.witnesses, terms, TECHNIQUES[rule], ("why", "device", "packets"), values, (rule,)), _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"conformance.{key}", language, **words)
