"""Channels that hide in what is allowed: name queries that carry data, and registers that are used as a letter box.

Who carries data in names asks for ever new ones of one domain, and long ones, since each holds only so much (RFC 1035: 63 octets a label). Who carries it
through a controller writes a block of registers again and again, and another host reads just this block. Bulk that has an effect of its own, files and
programs, is told by rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, host, keep, witness, witnesses
from records.formats import DAY, MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

BLOCK: Final = 32  # registers; a letter box holds some octets, a set point one or two registers
FILLED: Final = 10  # times within …
FILLING: Final = 2 * MINUTE
LONG: Final = 40  # characters before the domain; names that people give are shorter
LEAST: Final = 20  # different names of one domain …
WITHIN: Final = 10 * MINUTE
LABELS: Final = 2  # of a domain that somebody may own
MOST: Final = 2048  # sources and domains that are remembered, those heard of last
MOST_NAMES: Final = 64
TECHNIQUES: Final = ("T0869", "T0882")
TERMS: Final = {"names": 50.0}
BOX_TERMS: Final = {"filled": 30.0, "emptied": 15.0}
RANGE: Final = ("ot.unit", "ot.object.space", "ot.object.first", "ot.object.last")


def build(setup: Setup) -> Volume:
    """The detector, which names captures as the setup does."""
    return Volume(setup.files)


@dataclass(slots=True)
class Asked:
    """Long names of one domain that a host asked for, or writes of a block by who wrote, each with when (nanoseconds); rows; when a finding told of it."""

    names: dict[str, int] = field(default_factory=dict[str, int])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    told: int = 0


class Volume(Remembering[Asked]):
    """Judges name queries, one host and domain for itself."""

    name = "volume"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of name queries, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        wanted = compute.or_(_named(rows), self._blocks(rows))
        return [finding for row in plain(rows.select(list(COLUMNS)).filter(wanted)) for finding in self._row(row)] if compute.any(wanted).as_py() else []

    def _revived(self, told: Any) -> Asked:
        return Asked(dict(told["names"]), witnesses(told["witnesses"]), told["told"])

    def _blocks(self, rows: Any) -> Any:
        """Blocks that are written, and those reads that may be of one."""
        large = compute.fill_null(compute.greater_equal(compute.subtract(rows["ot.object.last"], rows["ot.object.first"]), BLOCK - 1), False)
        writes = compute.and_(large, among(rows, "ot.effect", ("value.write",)))
        boxes = {key.split("|")[2] for key in self._known if key.startswith("box|")} | set(rows["destination.ip"].filter(writes).drop_null().to_pylist())
        if not boxes:
            return writes
        reads = compute.and_(large, compute.and_(among(rows, "ot.effect", ("value.read",)), among(rows, "event.outcome", ("success",))))
        return compute.or_(writes, compute.and_(reads, among(rows, "destination.ip", boxes)))

    def _row(self, row: Row) -> Iterator[Finding]:
        yield from self._query(row) if row["network.protocol"] == "dns" else self._block(row)

    def _block(self, row: Row) -> Iterator[Finding]:
        """A block was written, or read by another host than that which goes on writing it."""
        key = "|".join(("box", row["observer.name"] or "", row["destination.ip"] or "", *(str(row[name]) for name in RANGE)))
        source = row["source.ip"] or ""
        if row["ot.effect"] == "value.write":
            box = self._latest(key, Asked, MOST)
            box.names = {name: time for name, time in box.names.items() if row["event.end"] - time <= FILLING}
            box.names[f"{source}|{row['id']}"] = row["event.end"]
            if len(box.names) > MOST_NAMES:
                del box.names[next(iter(box.names))]
            keep(box.witnesses, witness(row))
            return
        box = self._known.get(key)
        writers = [name.partition("|")[0] for name, time in box.names.items() if abs(row["event.end"] - time) <= FILLING] if box else []
        if box is None or row["event.end"] - box.told < DAY or len(writers) < FILLED or source in writers:
            return
        box.told = row["event.end"]
        values: dict[str, object] = {"writer": writers[-1], "count": len(writers), "registers": row["ot.object.last"] - row["ot.object.first"] + 1}
        notice = Notice("registers-carry-data", row, [*box.witnesses, witness(row)], BOX_TERMS, TECHNIQUES, ("box", "content", "left"), lambda _: values)
        yield found(self.name, self._files, notice, _say)

    def _query(self, row: Row) -> Iterator[Finding]:
        labels = row["ot.object.name"].rstrip(".").split(".")
        data, domain = ".".join(labels[:-LABELS]), ".".join(labels[-LABELS:])
        if len(data) < LONG or row["event.action"] != "dns_query" or domain.endswith("arpa"):
            return
        asked = self._latest(f"{row['observer.name'] or ''}|{host(row, 'source')}|{domain}", Asked, MOST)
        asked.names = {name: time for name, time in asked.names.items() if row["event.end"] - time <= WITHIN}
        asked.names.pop(data, None)
        asked.names[data] = row["event.end"]
        if len(asked.names) > MOST_NAMES:
            del asked.names[next(iter(asked.names))]
        keep(asked.witnesses, witness(row))
        if len(asked.names) < LEAST or row["event.end"] - asked.told < DAY:
            return
        asked.told = row["event.end"]
        values: dict[str, object] = {"domain": domain, "count": len(asked.names), "minutes": WITHIN // MINUTE}
        notice = Notice("names-carry-data", row, asked.witnesses, TERMS, TECHNIQUES, ("host", "block", "left"), lambda _: values, (domain,))
        yield found(self.name, self._files, notice, _say)
        asked.witnesses = []


def _named(rows: Any) -> Any:
    """Queries of long names."""
    named = among(rows, "network.protocol", ("dns",))
    if not compute.any(named).as_py():
        return named
    return compute.and_(named, compute.fill_null(compute.greater(compute.utf8_length(rows["ot.object.name"]), LONG), False))


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"volume.{key}", language, **words)
