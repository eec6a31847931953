"""What a replay adds up over its captures: the counts of CLI.md's replay summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from records.nesting import iso
from sensors.blindness import told
from sensors.blindspots import Account
from sensors.grading import grade
from sensors.unknown import Unknown, worst_first

if TYPE_CHECKING:
    from records.model import Batch
    from sensors.blindspots import Spot
    from sensors.sensor import Totals
    from sensors.sources.pcap import Capture


# the keys of `coverage` beside its grade and the tunnels: what was missed, and what was seen otherwise than it came
MISSED: Final = ("lost", "gaps", "undecoded_bytes", "late", "truncated", "one_sided", "shed", "jumps", "unfinished", "bad_fragments", "rejected", "half_open")
MENDED: Final = ("duplicates", "fragments", "bad_checksums", "overlaps")
SIDES: Final = (
    "encrypted_bytes",
    "shed_bytes",
    "cut_bytes",
    "dropped",
    "mirrored",
    "talks",
    "requests_only",
    "answers_only",
    "split_vlans",
    "namesakes",
    "repeated",
)
SPOTS: Final = 50
UNKNOWN: Final = 20  # blind spots that are told one by one


@dataclass(slots=True)
class Tally:
    """Sums over captures. Nothing here depends on what the store held before."""

    activities: int = 0
    points: int = 0
    sums: Counter[str] = field(default_factory=Counter[str])
    access: Counter[str] = field(default_factory=Counter[str])
    effects: Counter[str] = field(default_factory=Counter[str])
    tunnels: Counter[str] = field(default_factory=Counter[str])
    protocols: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    unknown: dict[str, Unknown] = field(default_factory=dict[str, Unknown])
    account: Account = field(default_factory=Account)

    def count(self, batch: Batch) -> None:
        """Rows that were released."""
        self.activities += batch.activities.num_rows
        self.points += batch.points.num_rows
        self.account.add(batch.coverage)

    def add(self, totals: Totals) -> None:
        """One capture that has ended."""
        for name in ("packets", "bytes", "messages", "operations", "decoded_bytes", *MISSED, *MENDED, *SIDES):
            self.sums[name] += getattr(totals, name)
        self.access.update(totals.access)
        self.effects.update(totals.effects)
        for name, each in totals.unknown.items():
            self.unknown.setdefault(name, Unknown()).add(each)
        self.tunnels.update(totals.tunnels)
        for name, protocol in totals.protocols.items():
            counts = self.protocols.setdefault(name, Counter(messages=0, operations=0, undecoded_bytes=0))
            counts.update(messages=protocol.messages, operations=protocol.operations, undecoded_bytes=protocol.undecoded_bytes)

    def grade(self) -> float | None:
        """The share of all captures' payload that could be judged; None where there was none."""
        return grade(self.sums["decoded_bytes"], self.sums["undecoded_bytes"], self.sums["lost"])

    def coverage(self) -> dict[str, Any]:
        """What was not seen."""
        counts = {name: self.sums[name] for name in (*MISSED, *MENDED)}
        tunnels = dict(sorted(self.tunnels.items()))
        return {"grade": self.grade(), **counts, "tunnels": tunnels, **{name: self.sums[name] for name in SIDES}, "reasons": self.account.reasons}

    def blind_spots(self) -> dict[str, Any]:
        """What was not understood, worst first, and how many more there are."""
        ordered = worst_first(self.unknown)
        return {"worst": ordered[:UNKNOWN], "more": len(ordered[UNKNOWN:])}

    def spots(self) -> list[dict[str, Any]]:
        """Every blind spot, worst first, with its words."""
        return [told(spot) for spot in self.named_spots()[:SPOTS]]

    def named_spots(self) -> list[Spot]:
        """Every blind spot, worst first; what tshark has a name for, with it."""
        names = {name: each.tshark for name, each in self.unknown.items() if each.tshark}
        spots = self.account.spots()
        return [replace(spot, values={**spot.values, "tshark": names[port]}) if (port := spot.values.get("port")) in names else spot for spot in spots]

    def by_protocol(self) -> dict[str, dict[str, int]]:
        """Counts of each protocol, by name."""
        return {name: dict(self.protocols[name]) for name in sorted(self.protocols)}


def input_row(capture: Capture, totals: Totals, error: str | None) -> dict[str, Any]:
    """One entry of `inputs`. Times are null where no packet was read."""
    return {
        "path": capture.path,
        "sha256": capture.content or None,
        "packets": totals.packets,
        "bytes": totals.bytes,
        "first": iso(totals.first) if totals.packets and totals.first is not None else None,
        "last": iso(totals.last) if totals.packets and totals.last is not None else None,
        "error": error,
    }
