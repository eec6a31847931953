"""A second master: a host that acts on a device that others have read for long while it came just now, or without reading anything of it at all, or that takes
over its reports.

Whoever operates a plant sees it: a screen reads, or is told, what it writes, for as long as it is there. One that only writes has its knowledge from elsewhere;
one that comes and acts is another master. In DNP3 an outstation
forgets the events that a master confirmed. Two masters by design are there from the beginning, or stay; one that comes later and goes again takes events that
another one will never see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import merge
from ipaddress import ip_address
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa

from detectors.baseline.numbering import numbered
from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, keep, witness, witnesses
from records.formats import DAY, HOUR, MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
ENDS_OF: Final = ("observer.name", "source.ip", "destination.ip", "ot.access")


class Sight(NamedTuple):
    """A host reads a device, or is told by it, and when (nanoseconds)."""

    device: str
    viewer: str
    start: int


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
        wanted, sights = self._wanted(rows)
        whole = plain(rows.select([*COLUMNS, *EXTRA]).take(pa.array(sorted(wanted), pa.int64()))) if wanted else []
        acts = zip(sorted(wanted), whole, strict=True)
        found: list[Finding] = []
        for number, what in merge(acts, sights, key=itemgetter(0)):
            found += self._viewed(what, rows, number) if isinstance(what, Sight) else self._row(what)
        return found

    def _revived(self, told: Any) -> Device:
        acts = {name: witnesses(rows) for name, rows in told["acts"].items()}
        return Device(**(told | {"acts": acts}))

    def _wanted(self, rows: Any) -> tuple[set[int], list[tuple[int, Sight]]]:
        """The rows that can change anything: of those who act unseeing, or confirm; and who sees, the first of each pair and all where somebody acted so."""
        sees, acts = _seen(rows), compute.and_(among(rows, "ot.effect", ACTS), compute.invert(among(rows, "source.asset.role", TOLD_BY_RULES)))
        confirms = compute.and_(among(rows, "event.action", ("confirm",)), among(rows, "network.protocol", ("dnp3",)))
        acts = compute.and_(acts, compute.and_(compute.is_valid(rows["source.ip"]), compute.is_valid(rows["destination.ip"])))
        wanted, sights = self._confirming(rows, confirms), dict[int, Sight]()
        starts = np.asarray(rows["event.start"].cast(pa.int64()))
        earliest: dict[str, int] = {}
        for device, viewer, first, start, _ in _pairs(rows, sees):
            earliest[device] = min(earliest.get(device, NEVER), start)
            known = self._known.get(device)
            if known is None or (viewer not in known.readers and len(known.readers) < MOST_HOSTS):
                sights[first] = Sight(device, viewer, int(starts[first]))
        careful = {device for device, known in self._known.items() if known.acts}
        acting: set[str] = set()  # devices on which somebody acts who is new to them, or does not see them
        for device, actor, _, start, last in _pairs(rows, acts):
            since, others = self._since(device, actor, earliest)
            if since is None or (start - since < NEW <= last - others):
                acting.add(device)
        for device, actor, number, start in _each(rows, acts, acting):
            since, others = self._since(device, actor, earliest)
            if since is None or (start - since < NEW <= start - others):
                wanted.add(number)
                careful |= set() if since else {device}
        sights |= {number: Sight(device, viewer, start) for device, viewer, number, start in _each(rows, sees, careful)}
        return wanted, sorted(sights.items())

    def _confirming(self, rows: Any, confirms: Any) -> set[int]:
        """The rows in which events are confirmed: of devices of which none but their masters do so the last one, which tells whose they are; of others all."""
        some = np.flatnonzero(np.asarray(confirms))
        if not len(some):
            return set()
        numbers, kinds = numbered(rows, ENDS_OF[:3])
        if len(self._known) + len(kinds) > MOST:  # whoever is met last stays
            return set(some.tolist())
        which, place, of = (cast("Any", each) for each in np.unique(numbers[some][::-1], return_index=True, return_inverse=True))
        ends = [(f"{kinds[kind][0] or ''}|{kinds[kind][2]}", cast("str", kinds[kind][1])) for kind in cast("list[int]", which.tolist())]
        others = {device for device, master in ends if (known := self._known.get(device)) is None or known.masters.get(master, 0) < SETTLED}
        last = dict[str, int]()
        for (device, _), at in zip(ends, cast("list[int]", some[::-1][place].tolist()), strict=True):
            last[device] = max(at, last.get(device, -1))
        each = np.array([device in others for device, _ in ends], bool)[of][::-1]
        return {*some[each].tolist(), *(at for device, at in last.items() if device not in others)}

    def _since(self, device: str, actor: str, earliest: Mapping[str, int]) -> tuple[int | None, int]:
        """Since when this host reads the device, and since when anybody does; `earliest` is of these rows."""
        known = self._known.get(device)
        readers = known.readers if known else {}
        return readers.get(actor), min((*readers.values(), earliest.get(device, NEVER)))

    def _row(self, row: Row) -> Iterator[Finding]:
        if not row["source.ip"] or not row["destination.ip"]:
            return
        host, known = row["source.ip"], self._latest(f"{row['observer.name'] or ''}|{row['destination.ip']}", Device, MOST)
        yield from self._confirmed(row, known, host) if row["event.action"] == "confirm" else self._acted(row, known, host)

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

    def _viewed(self, sight: Sight, rows: Any, number: int) -> Iterator[Finding]:
        """Somebody sees a device, in the row of this number: who acted before and does not see it is another one."""
        viewer, start = sight.viewer, sight.start
        known = self._known.get(sight.device)
        if known is not None and not known.acts and viewer in known.readers:
            return
        known = self._latest(sight.device, Device, MOST)
        if viewer not in known.readers and len(known.readers) < MOST_HOSTS:
            known.readers[viewer] = start
        for actor in list(known.acts):
            acts = known.acts[actor]
            if actor == viewer or start - acts[-1].start > SOON:
                self._forget(known, actor)
            elif start >= acts[0].start:
                completing, count = known.rows[actor], known.counts[actor]
                self._forget(known, actor)
                if start - known.told.get(actor, 0) < AGAIN:
                    continue
                known.tell(actor, start)
                terms = {"unseeing": 35.0, **({"many": 10.0} if count >= MANY else {})}
                yield self._finding("acts-unseeing", completing, [*acts, witness(plain(rows.slice(number, 1))[0])], terms, {"viewer": viewer, "count": count})

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


def _each(rows: Any, mask: Any, devices: Collection[str]) -> Iterator[tuple[str, str, int, int]]:
    """(device, host, row, nanoseconds) of each row of a mask that is about one of these devices."""
    if not devices:
        return
    addresses = pa.array(sorted({device.rpartition("|")[2] for device in devices}))
    mask = compute.and_(mask, compute.or_(compute.is_in(rows["source.ip"], addresses), compute.is_in(rows["destination.ip"], addresses)))
    numbers = np.flatnonzero(np.asarray(mask))
    for row, number in zip(plain(rows.select([*ENDS_OF, "event.start"]).filter(mask)), numbers.tolist(), strict=True):
        device, host = _device(row)
        if device in devices:
            yield device, host, number, row["event.start"]


def _pairs(rows: Any, mask: Any) -> list[tuple[str, str, int, int, int]]:
    """(device, host, first row, earliest and latest nanoseconds) of each pair among these rows."""
    some = np.flatnonzero(np.asarray(mask))
    if not len(some):
        return []
    numbers, kinds = numbered(rows, ENDS_OF)
    starts: Any = rows["event.start"].cast(pa.int64()).to_numpy()[some]
    which: Any
    firsts: Any
    which, firsts, of = np.unique(numbers[some], return_index=True, return_inverse=True)
    earliest, latest = np.full(len(which), NEVER), np.zeros(len(which), np.int64)
    np.minimum.at(earliest, of, starts)
    np.maximum.at(latest, of, starts)
    pairs: list[tuple[str, str]] = [_device(dict(zip(ENDS_OF, kinds[kind], strict=True))) for kind in cast("list[int]", which.tolist())]
    told = zip(pairs, some[firsts].tolist(), earliest.tolist(), latest.tolist(), strict=True)
    return [(*pair, first, start, last) for pair, first, start, last in told]


def _device(row: Row) -> tuple[str, str]:
    """The device of a row, as it is remembered, and the other end: a device reports to those whom it does not ask."""
    ends = row["destination.ip"], row["source.ip"]
    device, host = reversed(ends) if row["ot.access"] == "report" else ends
    return f"{row['observer.name'] or ''}|{device}", host
