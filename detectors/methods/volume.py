"""Channels that hide in name queries: what leaves a network as the names that are asked for.

Who carries data in names asks for ever new ones of one domain, and long ones, since each holds only so much (RFC 1035: 63 octets a label). Bulk over other
protocols is told by its effects: files and programs that are read, by rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, DAY, MINUTE, Notice, Remembering, Witness, among, compute, found, host, keep, latest, witness, witnesses
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

LONG: Final = 40  # characters before the domain; names that people give are shorter
LEAST: Final = 20  # different names of one domain …
WITHIN: Final = 10 * MINUTE
LABELS: Final = 2  # of a domain that somebody may own
MOST: Final = 2048  # sources and domains that are remembered, those heard of last
MOST_NAMES: Final = 64
TECHNIQUES: Final = ("T0869", "T0882")
TERMS: Final = {"names": 50.0}


def build(setup: Setup) -> Volume:
    """The detector, which names captures as the setup does."""
    return Volume(setup.files)


@dataclass(slots=True)
class Asked:
    """Long names of one domain that a host asked for, each with when (nanoseconds); rows of it; when a finding told of it."""

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
        named = among(rows, "network.protocol", ("dns",))
        if not compute.any(named).as_py():
            return []
        few = rows.filter(named)
        few = few.filter(compute.fill_null(compute.greater(compute.utf8_length(few["ot.object.name"]), LONG), False))
        return [finding for row in plain(few.select(list(COLUMNS))) for finding in self._row(row)]

    def _revived(self, told: Any) -> Asked:
        return Asked(dict(told["names"]), witnesses(told["witnesses"]), told["told"])

    def _row(self, row: Row) -> Iterator[Finding]:
        labels = row["ot.object.name"].rstrip(".").split(".")
        data, domain = ".".join(labels[:-LABELS]), ".".join(labels[-LABELS:])
        if len(data) < LONG or row["event.action"] != "dns_query" or domain.endswith("arpa"):
            return
        asked = latest(self._known, f"{row['observer.name'] or ''}|{host(row, 'source')}|{domain}", Asked, MOST)
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


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"volume.{key}", language, **words)
