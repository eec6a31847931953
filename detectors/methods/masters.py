"""A second master: a host that acts on a device without ever having read anything of it while another one reads it, or that takes over its reports.

Whoever operates a plant sees it: a screen reads, or is told, what it writes. One that only writes has its knowledge from elsewhere. In DNP3 an outstation
forgets the events that a master confirmed. Two masters by design are there from the beginning, or stay; one that comes later and goes again takes events that
another one will never see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from detectors.gathering import plain
from detectors.noticing import COLUMNS, DAY, HOUR, MINUTE, Notice, Remembering, Witness, among, compute, found, keep, latest, witness, witnesses
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

ACTS: Final = ("value.write", "output.operate", "setpoint.write", "value.force")
TOLD_BY_RULES: Final = ("engineering", "controller")  # roles of which rules tell that they act
SOON: Final = 10 * MINUTE  # another host reads the device so soon after the act
FOUNDING: Final = HOUR  # from the first confirmation of a device on: who confirms so soon is one of its masters
SETTLED: Final = 6  # spans of ten minutes in which a later one confirmed: it is one of them, too
AGAIN: Final = 10 * MINUTE  # until so long after a finding nothing more is told of the same hosts
MOST: Final = 8192  # devices that are remembered, those met last
MOST_HOSTS: Final = 32  # of one device
MANY: Final = 10  # acts that are more than a try
TECHNIQUES: Final = {"acts-unseeing": ("T0848", "T0855"), "takes-events": ("T0848", "T0804")}
EXTRA: Final = ("ot.access", "source.asset.role")


def build(setup: Setup) -> Masters:
    """The detector, which names captures as the setup does."""
    return Masters(setup.files)


@dataclass(slots=True)
class Device:
    """Who reads a device, or is told by it; who acted without; who confirms its events, in how many spans, which
    master was the last and when, and when the first was (nanoseconds); when what was told.
    """

    readers: list[str] = field(default_factory=list[str])
    acts: dict[str, list[Witness]] = field(default_factory=dict[str, "list[Witness]"])
    rows: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    masters: dict[str, int] = field(default_factory=dict[str, int])
    owner: str = ""
    confirmed: int = 0
    first: int = 0
    told: dict[str, int] = field(default_factory=dict[str, int])


class Masters(Remembering[Device]):
    """Judges who acts on a device and who sees it, one device for itself."""

    name = "masters"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of those who act, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        return [finding for row in self._rows(rows) for finding in self._row(row)]

    def _revived(self, told: Any) -> Device:
        acts = {name: witnesses(rows) for name, rows in told["acts"].items()}
        return Device(**(told | {"acts": acts}))

    def _rows(self, rows: Any) -> Iterator[Row]:
        """The rows that can change anything: who acts unseeing, who confirms, the first of each pair that sees, and all that see where somebody acted so."""
        sees, acts = _seen(rows), compute.and_(among(rows, "ot.effect", ACTS), compute.invert(among(rows, "source.asset.role", TOLD_BY_RULES)))
        confirms = compute.and_(among(rows, "event.action", ("confirm",)), among(rows, "network.protocol", ("dnp3",)))
        acts = compute.and_(acts, compute.and_(compute.is_valid(rows["source.ip"]), compute.is_valid(rows["destination.ip"])))
        wanted = _numbers(confirms)
        pairs = _pairs(rows, sees)
        for device, viewer, first in pairs:
            known = self._known.get(device)
            if known is None or viewer not in known.readers:
                wanted.add(first)
        careful = {device for device, known in self._known.items() if known.acts}
        unseeing = [(device, actor, number) for device, actor, number in _each(rows, acts) if not self._sees(device, actor)]
        wanted |= {number for _, _, number in unseeing}
        careful |= {device for device, _, _ in unseeing}
        if careful:
            wanted |= {number for device, _, number in _each(rows, sees) if device in careful}
        yield from plain(rows.select([*COLUMNS, *EXTRA]).take(pa.array(sorted(wanted), pa.int64()))) if wanted else ()

    def _sees(self, device: str, host: str) -> bool:
        known = self._known.get(device)
        return known is not None and host in known.readers

    def _row(self, row: Row) -> Iterator[Finding]:
        report = row["ot.access"] == "report" and row["event.action"] != "confirm"
        device, host = (row["source.ip"], row["destination.ip"]) if report else (row["destination.ip"], row["source.ip"])
        if not device or not host:
            return
        known = latest(self._known, f"{row['observer.name'] or ''}|{device}", Device, MOST)
        if row["event.action"] == "confirm":
            yield from self._confirmed(row, known, host)
        elif row["ot.effect"] in ACTS:
            if host not in known.readers:
                self._acted(row, known, host)
        else:
            yield from self._viewed(row, known, host)

    def _acted(self, row: Row, known: Device, actor: str) -> None:
        if actor not in known.acts and len(known.acts) >= MOST_HOSTS:
            return
        keep(known.acts.setdefault(actor, []), witness(row))
        known.rows.setdefault(actor, {name: row[name] for name in (*COLUMNS, *EXTRA)})
        known.counts[actor] = known.counts.get(actor, 0) + 1

    def _viewed(self, row: Row, known: Device, viewer: str) -> Iterator[Finding]:
        """Somebody sees the device: who acted before and does not see it is another one."""
        if viewer not in known.readers and len(known.readers) < MOST_HOSTS:
            known.readers.append(viewer)
        for actor in list(known.acts):
            acts = known.acts[actor]
            if actor == viewer or row["event.start"] - acts[-1].start > SOON:
                self._forget(known, actor)
            elif row["event.start"] >= acts[0].start:
                completing, count = known.rows[actor], known.counts[actor]
                self._forget(known, actor)
                if row["event.start"] - known.told.get(actor, 0) < AGAIN:
                    continue
                known.told = {**known.told, actor: row["event.start"]}
                terms = {"unseeing": 35.0, **({"many": 10.0} if count >= MANY else {})}
                yield self._finding("acts-unseeing", completing, [*acts, witness(row)], terms, {"viewer": viewer, "count": count})

    def _forget(self, known: Device, actor: str) -> None:
        for kept in (known.acts, known.rows, known.counts):
            kept.pop(actor, None)

    def _confirmed(self, row: Row, known: Device, master: str) -> Iterator[Finding]:
        """Somebody confirmed the device's events: one of its masters, or one that came later."""
        known.first = known.first or row["event.start"]
        alone = row["event.start"] - known.confirmed > DAY
        if row["event.start"] - known.first <= FOUNDING or alone or known.masters.get(master, 0) >= SETTLED:
            known.owner, known.confirmed = master, row["event.end"]
            if len(known.masters) < MOST_HOSTS or master in known.masters:
                known.masters[master] = SETTLED
            return
        if row["event.start"] - known.told.get(master, 0) < AGAIN or (master not in known.masters and len(known.masters) >= MOST_HOSTS):
            return
        known.told = {**known.told, master: row["event.end"]}
        known.masters[master] = known.masters.get(master, 0) + 1
        yield self._finding("takes-events", row, [witness(row)], {"confirms": 45.0}, {"viewer": known.owner, "count": row["ot.count"] or 1})

    def _finding(self, rule: str, row: Row, witnesses: list[Witness], terms: dict[str, float], values: dict[str, object]) -> Finding:
        steps = ("who", "set", "plan") if rule == "acts-unseeing" else ("who", "lost", "plan")
        return found(self.name, self._files, Notice(rule, row, witnesses, terms, TECHNIQUES[rule], steps, lambda _: values), _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"masters.{key}", language, **words)


def _seen(rows: Any) -> Any:
    """Answered reads, and reports between two hosts."""
    reads = compute.and_(among(rows, "ot.access", ("read",)), among(rows, "event.outcome", ("success",)))
    reports = compute.and_(among(rows, "ot.access", ("report",)), compute.invert(among(rows, "event.action", ("confirm",))))
    both = compute.and_(compute.is_valid(rows["source.ip"]), compute.is_valid(rows["destination.ip"]))
    return compute.and_(compute.or_(reads, reports), both)


def _numbers(mask: Any) -> set[int]:
    return set(np.flatnonzero(np.asarray(mask)).tolist())


def _each(rows: Any, mask: Any) -> Iterator[tuple[str, str, int]]:
    """(device, host, row) of each row of a mask."""
    numbers = np.flatnonzero(np.asarray(mask))
    few = rows.select(["observer.name", "source.ip", "destination.ip", "ot.access", "event.action"]).filter(mask)
    for row, number in zip(few.to_pylist(), numbers.tolist(), strict=True):
        report = row["ot.access"] == "report" and row["event.action"] != "confirm"
        device, host = (row["source.ip"], row["destination.ip"]) if report else (row["destination.ip"], row["source.ip"])
        yield f"{row['observer.name'] or ''}|{device}", host, number


def _pairs(rows: Any, mask: Any) -> list[tuple[str, str, int]]:
    """(device, host, first row) of each pair among these rows."""
    numbered = rows.select(["observer.name", "source.ip", "destination.ip", "ot.access"])
    numbered = numbered.append_column("number", compute.subtract(compute.cumulative_sum(pa.repeat(1, rows.num_rows)), 1))
    first = numbered.filter(mask).group_by(["observer.name", "source.ip", "destination.ip", "ot.access"], use_threads=False).aggregate([("number", "min")])
    told: list[tuple[str, str, int]] = []
    for row in first.to_pylist():
        device, host = (row["source.ip"], row["destination.ip"]) if row["ot.access"] == "report" else (row["destination.ip"], row["source.ip"])
        told.append((f"{row['observer.name'] or ''}|{device}", host, row["number_min"]))
    return told
