"""What was not seen, counted like everything else: one row an observer and window of the clock, and the totals of a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.schema import COVERAGE, arrow_table
from sensors.engine.tables import TUNNELS, WINDOW
from sensors.unknown import Unknown, worst_first

if TYPE_CHECKING:
    import pyarrow as pa

    from sensors.origin import Origin

LLC: Final = 4  # in place of an EtherType: IEEE 802.2
_TRANSPORTS: Final = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmp6", 89: "ospf", 132: "sctp"}
FRAGMENT: Final = 256
# counters that have the same name everywhere
ODDITIES: Final = ("duplicates", "fragments", "unfinished", "bad_fragments", "bad_checksums", "rejected", "overlaps", "half_open")
COUNTED: Final = ("packets", "octets", "decoded", "undecoded", "lost", "gaps", "late", "truncated", "shed", "jumps", "one_sided", *ODDITIES, *TUNNELS[1:])


def grade(decoded: int, undecoded: int, lost: int) -> float | None:
    """0–100: the share of payload octets that could be judged, cut to one decimal, never rounded up; None where no payload was seen at all."""
    whole = decoded + undecoded + lost
    return decoded * 1000 // whole / 10 if whole else None


def port_name(transport: int, port: int) -> str:
    """What undecoded octets are counted by: `tcp/4840`, `ip/47`, `ethertype/0x88b8`."""
    if transport < 0 and port == LLC:
        return "llc"
    if transport < 0:
        return f"ethertype/0x{port:04x}" if port >= 0 else "other"
    name = _TRANSPORTS.get(transport % FRAGMENT, f"ip/{transport % FRAGMENT}")
    if transport >= FRAGMENT:
        return f"{name}/fragment"
    return f"{name}/{port}" if port >= 0 else name


@dataclass(slots=True)
class ProtocolTotals:
    """What a run saw of one protocol."""

    messages: int = 0
    operations: int = 0
    undecoded_bytes: int = 0


@dataclass(slots=True)
class Totals:
    """What a run saw and did not see. Times are nanoseconds."""

    packets: int = 0
    bytes: int = 0
    first: int | None = None
    last: int | None = None
    messages: int = 0
    operations: int = 0
    decoded_bytes: int = 0
    undecoded_bytes: int = 0
    lost: int = 0
    gaps: int = 0
    late: int = 0
    truncated: int = 0
    one_sided: int = 0
    jumps: int = 0
    shed: int = 0
    duplicates: int = 0
    fragments: int = 0
    unfinished: int = 0
    bad_fragments: int = 0
    bad_checksums: int = 0
    rejected: int = 0
    overlaps: int = 0
    half_open: int = 0
    tunnels: dict[str, int] = field(default_factory=dict[str, int])
    protocols: dict[str, ProtocolTotals] = field(default_factory=dict[str, ProtocolTotals])
    unknown: dict[str, Unknown] = field(default_factory=dict[str, Unknown])
    access: dict[str, int] = field(default_factory=dict[str, int])
    effects: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def grade(self) -> float | None:
        """The share of payload that could be judged, 0–100; None without payload."""
        return grade(self.decoded_bytes, self.undecoded_bytes, self.lost)

    @property
    def undecoded(self) -> dict[str, int]:
        """Undecoded octets by transport and port."""
        return {name: each.bytes for name, each in self.unknown.items()}


class CoverageLog:
    """Coverage rows of one observer, a row a window."""

    def __init__(self, origin: Origin, file: str) -> None:
        self._origin, self.file = origin, file
        self.totals = Totals()
        self._rows: list[dict[str, Any]] = []

    def close_window(self, streams: Any, undecoded: Any, characters: Any, bins: Any) -> None:
        """Take a window's counters and zero them."""
        count = {name: int(streams[name]) for name in COUNTED}
        if count["packets"] == 0 and not count["one_sided"]:
            return
        unknown = self._unknown(undecoded, characters, bins)
        window = int(streams.window) * WINDOW
        self._count(count)
        self._rows.append({
            "@timestamp": window, "event.start": window, "event.end": window + WINDOW,
            "file": self.file,
            "packets": count["packets"], "bytes": count["octets"], "lost": count["lost"], "gaps": count["gaps"],
            "grade": grade(count["decoded"], count["undecoded"], count["lost"]),
            "undecoded_bytes": count["undecoded"], "decoded_bytes": count["decoded"], "late": count["late"], "truncated": count["truncated"],
            "one_sided": count["one_sided"], "jumps": count["jumps"], "shed": count["shed"],
            "undecoded": json.dumps(worst_first(unknown)),
            **{name: count[name] for name in ODDITIES},
            "tunnels": json.dumps([{"name": name, "packets": count[name]} for name in TUNNELS[1:] if count[name]]),
        })  # fmt: skip
        for name in COUNTED:
            streams[name] = 0
        undecoded.octets[:] = 0
        used = characters.packets > 0
        bins[used] = 0
        characters[used] = np.zeros(1, characters.dtype)

    def _unknown(self, undecoded: Any, characters: Any, bins: Any) -> dict[str, Unknown]:
        """What was not understood in a window, by name; it is added to the totals, where a conversation counts once however many windows it spans."""
        unknown = {port_name(transport, port): Unknown(octets) for transport, port, octets in undecoded[undecoded.octets > 0].tolist()}
        begun = dict.fromkeys(unknown, 0)
        used: list[int] = np.flatnonzero(characters.packets).tolist()
        for number in used:
            row = characters[number]
            name = port_name(int(row.transport), int(row.port))
            if name in unknown:  # the rest was understood after all, or sent twice
                begun[name] = int(row.begun)
                unknown[name].add(
                    Unknown(0, int(row.packets), int(row.conversations), int(row.cyclic), float(row.period), bins[number].tolist(), [int(row.first)])
                )
        for name, each in unknown.items():
            self.totals.unknown.setdefault(name, Unknown()).add(replace(each, conversations=begun[name]))
        return unknown

    def _count(self, count: dict[str, int]) -> None:
        totals = self.totals
        totals.packets += count["packets"]
        totals.bytes += count["octets"]
        totals.decoded_bytes += count["decoded"]
        totals.undecoded_bytes += count["undecoded"]
        totals.lost += count["lost"]
        totals.gaps += count["gaps"]
        totals.late += count["late"]
        totals.truncated += count["truncated"]
        totals.shed += count["shed"]
        totals.one_sided += count["one_sided"]
        totals.jumps += count["jumps"]
        for name in ODDITIES:
            setattr(totals, name, getattr(totals, name) + count[name])
        for name in TUNNELS[1:]:
            if count[name]:
                totals.tunnels[name] = totals.tunnels.get(name, 0) + count[name]

    def take(self) -> pa.Table:
        """The rows since the last call."""
        rows, self._rows = self._rows, []
        for row in rows:
            identity = hashlib.blake2b(f"{self._origin.salt}\x1fcoverage\x1f{row['@timestamp']}".encode(), digest_size=10).hexdigest()
            row |= {"id": identity, "observer.name": self._origin.observer, "observer.site": self._origin.site}
        return arrow_table(COVERAGE, {name: [row.get(name) for row in rows] for name in COVERAGE.names}, len(rows))
