"""What no device and no master does by its specification, as far as activities carry it: to set the same thing again and again within seconds.

In DNP3 a master clears the restart flag of an outstation once after each restart (IEEE 1815-2012, 4.5.4.6); one that has to clear it several times within a
minute is told again and again that its outstation restarted: by a device that fails, or by somebody who speaks for it. When it starts, a master disables
unsolicited reports and enables them a moment later; where they stay disabled, the device is silenced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, hosts, keep, witness, witnesses
from detectors.phrases import deed
from records.formats import MINUTE, SECOND
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
OFF: Final = MINUTE  # until reports have to be enabled again
AGAIN: Final = 10 * MINUTE  # until so long after a finding nothing more is told of the same hosts
MOST: Final = 4096  # pairs of hosts and effects that are remembered, those heard of last
MOST_TIMES: Final = 64  # requests of one of them
TECHNIQUES: Final = {"repeated-request": ("T0814",), "restart-claimed": ("T0856", "T0814"), "reports-stay-off": ("T0804", "T0878")}
BASES: Final = {"repeated-request": 40.0, "restart-claimed": 45.0, "reports-stay-off": 45.0}


def build(setup: Setup) -> Conformance:
    """The detector, which names captures as the setup does."""
    return Conformance(setup.files)


@dataclass(slots=True)
class Repeated:
    """When the same was asked for, how often each time, the rows of it, and when a finding told of it (nanoseconds). Of disabled reports `told` is when they
    have to be enabled again, and `row` the request.
    """

    times: list[list[int]] = field(default_factory=list["list[int]"])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    told: int = 0
    row: dict[str, Any] = field(default_factory=dict[str, "Any"])


class Conformance(Remembering[Repeated]):
    """Judges what is set on a device, each effect of each pair of hosts for itself."""

    name = "conformance"
    form = 1

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__(files)
        self._due: dict[str, int] = {}  # by hosts: when reports have to be enabled again

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of what was set, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        sets = among(rows, "ot.effect", SETS)
        if not self._due and not compute.any(sets).as_py():
            return []
        starts: Any = rows["event.start"].cast(pa.int64()).to_numpy()
        numbers: list[int] = np.flatnonzero(np.asarray(sets)).tolist()
        told: list[Finding] = []
        before = 0
        for number, row in zip([*numbers, rows.num_rows], [*plain(rows.filter(sets).select(list(COLUMNS))), None], strict=True):
            told += self._overdue(starts[before : number + 1])
            before = number
            if row is not None:
                told += self._row(row)
        return told

    def _revived(self, told: Any) -> Repeated:
        return Repeated(list(told["times"]), witnesses(told["witnesses"]), told["told"], dict(told["row"]))

    def _overdue(self, starts: Any) -> Iterator[Finding]:
        """Reports that were not enabled again, now that it is so late, in the order in which that shows."""
        late = [(int(np.argmax(starts >= due)), key) for key, due in self._due.items() if (starts >= due).any()]
        for _, key in sorted(late):
            del self._due[key]
            off = self._known.pop(f"off|{key}", None)
            if off is not None:
                yield self._finding("reports-stay-off", off.row, off.witnesses, {"count": 1, "seconds": OFF // SECOND})

    def _switched(self, row: Row) -> None:
        """Reports were disabled, which has to end, or enabled."""
        key = hosts(row)
        if row["ot.effect"] == "reporting.enable":
            self._due.pop(key, None)
            self._known.pop(f"off|{key}", None)
        elif row["event.outcome"] != "failure" and key not in self._due:
            off = self._latest(f"off|{key}", Repeated, MOST)
            off.told, off.row, off.witnesses = row["event.end"] + OFF, {name: row[name] for name in COLUMNS}, [witness(row)]
            self._due[key] = off.told
            if len(self._due) > MOST:
                del self._due[next(iter(self._due))]

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        super().restore(state)
        self._due = {key.removeprefix("off|"): off.told for key, off in self._known.items() if key.startswith("off|")}

    def _row(self, row: Row) -> Iterator[Finding]:
        if row["ot.effect"] in ("reporting.enable", "reporting.disable") and row["network.protocol"] == "dnp3":
            self._switched(row)
        rule = "restart-claimed" if row["ot.object.space"] == RESTARTED else "repeated-request"
        known = self._latest(f"{rule}|{row['ot.effect']}|{hosts(row)}", Repeated, MOST)
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
        yield self._finding(rule, row, known.witnesses, {"count": count, "seconds": WITHIN[rule] // SECOND})

    def _finding(self, rule: str, row: Row, rows: list[Witness], told: dict[str, object]) -> Finding:
        def values(language: str) -> dict[str, object]:
            return {"deed": deed(row["ot.effect"], language), **told}

        steps = ("why", "enable", "packets") if rule == "reports-stay-off" else ("why", "device", "packets")
        return found(self.name, self._files, Notice(rule, row, rows, {"often": BASES[rule]}, TECHNIQUES[rule], steps, values, (rule,)), _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"conformance.{key}", language, **words)
