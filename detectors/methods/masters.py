"""A second master: a host that acts on a device that others have read for long while it came just now, or without reading anything of it at all, or that takes
over its reports.

Whoever operates a plant sees it: a screen reads, or is told, what it writes, for as long as it is there. One that only writes has its knowledge from elsewhere;
one that comes and acts is another master. In DNP3 an outstation
forgets the events that a master confirmed. Two masters by design are there from the beginning, or stay; one that comes later and goes again takes events that
another one will never see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, keep, witness, witnesses
from records.formats import DAY, HOUR, MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

ACTS: Final = ("value.write", "output.operate", "setpoint.write", "value.force")
TOLD_BY_RULES: Final = ("engineering", "controller")  # roles of which rules tell that they act
SOON: Final = 10 * MINUTE  # another host reads the device so soon after the act
NEVER: Final = 1 << 62  # later than anything
NEW: Final = HOUR  # a host that a device has known for less is new to it, where it has known others for longer
FOUNDING: Final = HOUR  # from the first confirmation of a device on: who confirms so soon is one of its masters
SETTLED: Final = 6  # spans of ten minutes in which a later one confirmed: it is one of them, too
AGAIN: Final = 10 * MINUTE  # until so long after a finding nothing more is told of the same hosts
MOST: Final = 8192  # devices that are remembered, those met last
MOST_HOSTS: Final = 32  # of one device
MOST_TOLD: Final = 256  # of one device, that something was told of
MANY: Final = 10  # acts that are more than a try
TECHNIQUES: Final = {"acts-unseeing": ("T0848", "T0855"), "acts-newcomer": ("T0848", "T0855"), "takes-events": ("T0848", "T0804")}
EXTRA: Final = ("ot.access", "source.asset.role")


def build(setup: Setup) -> Masters:
    """The detector, which names captures as the setup does."""
    return Masters(setup.files)


@dataclass(slots=True)
class Device:
    """Who reads a device, or is told by it, since when (nanoseconds); who acted without; who confirms its events, in how many spans, which
    master was the last and when, and when the first was (nanoseconds); when what was told.
    """

    readers: dict[str, int] = field(default_factory=dict[str, int])
    acts: dict[str, list[Witness]] = field(default_factory=dict[str, "list[Witness]"])
    rows: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    masters: dict[str, int] = field(default_factory=dict[str, int])
    owner: str = ""
    confirmed: int = 0
    first: int = 0
    told: dict[str, int] = field(default_factory=dict[str, int])

    def tell(self, host: str, time: int) -> None:
        """Something is told of a host; of too many the one that was told of longest ago is forgotten."""
        self.told.pop(host, None)
        self.told[host] = time
        if len(self.told) > MOST_TOLD:
            del self.told[next(iter(self.told))]


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
        earliest: dict[str, int] = {}
        for device, viewer, first, start in pairs:
            earliest[device] = min(earliest.get(device, NEVER), start)
            known = self._known.get(device)
            if known is None or (viewer not in known.readers and len(known.readers) < MOST_HOSTS):
                wanted.add(first)
        careful = {device for device, known in self._known.items() if known.acts}
        for device, actor, number, start in _each(rows, acts):
            readers = self._readers(device)
            since, others = readers.get(actor), min((*readers.values(), earliest.get(device, NEVER)))
            if since is None or (start - since < NEW <= start - others):
                wanted.add(number)
                careful |= set() if since else {device}
        if careful:
            wanted |= {number for device, _, number, _ in _each(rows, sees) if device in careful}
        yield from plain(rows.select([*COLUMNS, *EXTRA]).take(pa.array(sorted(wanted), pa.int64()))) if wanted else ()

    def _readers(self, device: str) -> dict[str, int]:
        """Who sees the device, since when."""
        known = self._known.get(device)
        return known.readers if known else {}

    def _row(self, row: Row) -> Iterator[Finding]:
        report = row["ot.access"] == "report" and row["event.action"] != "confirm"
        device, host = (row["source.ip"], row["destination.ip"]) if report else (row["destination.ip"], row["source.ip"])
        if not device or not host:
            return
        known = self._latest(f"{row['observer.name'] or ''}|{device}", Device, MOST)
        if row["event.action"] == "confirm":
            yield from self._confirmed(row, known, host)
        elif row["ot.effect"] in ACTS:
            yield from self._acted(row, known, host)
        else:
            yield from self._viewed(row, known, host)

    def _acted(self, row: Row, known: Device, actor: str) -> Iterator[Finding]:
        """Somebody acted who is new to the device, or who may not see it. Of those from outside, rules tell."""
        if ip_address(actor).is_global:
            return
        since, others = known.readers.get(actor), min(known.readers.values(), default=row["event.start"])
        if row["event.start"] - others >= NEW and row["event.start"] - (since or row["event.start"]) < NEW:
            if row["event.start"] - known.told.get(actor, 0) >= AGAIN:
                known.tell(actor, row["event.start"])
                viewer = min(known.readers, key=lambda host: (known.readers[host], host))
                terms = {"newcomer": 35.0, "others": 10.0}
                yield self._finding("acts-newcomer", row, [witness(row)], terms, {"viewer": viewer, "hours": (row["event.start"] - others) // HOUR})
            return
        if since is not None or (actor not in known.acts and len(known.acts) >= MOST_HOSTS):
            return
        keep(known.acts.setdefault(actor, []), witness(row))
        known.rows.setdefault(actor, {name: row[name] for name in (*COLUMNS, *EXTRA)})
        known.counts[actor] = known.counts.get(actor, 0) + 1

    def _viewed(self, row: Row, known: Device, viewer: str) -> Iterator[Finding]:
        """Somebody sees the device: who acted before and does not see it is another one."""
        if viewer not in known.readers and len(known.readers) < MOST_HOSTS:
            known.readers[viewer] = row["event.start"]
        for actor in list(known.acts):
            acts = known.acts[actor]
            if actor == viewer or row["event.start"] - acts[-1].start > SOON:
                self._forget(known, actor)
            elif row["event.start"] >= acts[0].start:
                completing, count = known.rows[actor], known.counts[actor]
                self._forget(known, actor)
                if row["event.start"] - known.told.get(actor, 0) < AGAIN:
                    continue
                known.tell(actor, row["event.start"])
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
        known.tell(master, row["event.end"])
        known.masters[master] = known.masters.get(master, 0) + 1
        yield self._finding("takes-events", row, [witness(row)], {"confirms": 45.0}, {"viewer": known.owner, "count": row["ot.count"] or 1})

    def _finding(self, rule: str, row: Row, witnesses: list[Witness], terms: dict[str, float], values: dict[str, object]) -> Finding:
        steps = ("who", "set", "plan") if rule.startswith("acts") else ("who", "lost", "plan")
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


def _each(rows: Any, mask: Any) -> Iterator[tuple[str, str, int, int]]:
    """(device, host, row, nanoseconds) of each row of a mask."""
    numbers = np.flatnonzero(np.asarray(mask))
    few = rows.select(["observer.name", "source.ip", "destination.ip", "ot.access", "event.action"]).filter(mask)
    starts = rows["event.start"].filter(mask).cast(pa.int64()).to_pylist()
    for row, number, start in zip(few.to_pylist(), numbers.tolist(), starts, strict=True):
        report = row["ot.access"] == "report" and row["event.action"] != "confirm"
        device, host = (row["source.ip"], row["destination.ip"]) if report else (row["destination.ip"], row["source.ip"])
        yield f"{row['observer.name'] or ''}|{device}", host, number, start


def _pairs(rows: Any, mask: Any) -> list[tuple[str, str, int, int]]:
    """(device, host, first row, earliest nanoseconds) of each pair among these rows."""
    numbered = rows.select(["observer.name", "source.ip", "destination.ip", "ot.access", "event.start"])
    numbered = numbered.append_column("number", compute.subtract(compute.cumulative_sum(pa.repeat(1, rows.num_rows)), 1)).filter(mask)
    by = ["observer.name", "source.ip", "destination.ip", "ot.access"]
    first = numbered.group_by(by, use_threads=False).aggregate([("number", "min"), ("event.start", "min")])
    first = first.set_column(first.schema.get_field_index("event.start_min"), "start", first["event.start_min"].cast(pa.int64()))
    told: list[tuple[str, str, int, int]] = []
    for row in first.to_pylist():
        device, host = (row["source.ip"], row["destination.ip"]) if row["ot.access"] == "report" else (row["destination.ip"], row["source.ip"])
        told.append((f"{row['observer.name'] or ''}|{device}", host, row["number_min"], row["start"]))
    return told
