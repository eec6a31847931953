"""What was not seen, counted like everything else: one row an observer, interface and window of the clock, and the totals of a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.schema import COVERAGE, arrow_table
from sensors.activities import address_text
from sensors.broken import joined
from sensors.engine import character, clocks, delivery, interfaces, sides
from sensors.engine.ciphers import CIPHERS
from sensors.engine.fragments import FRAGMENT
from sensors.engine.link import BELIEVED, TRAILER
from sensors.engine.streams import PAUSE
from sensors.engine.tables import SECOND, STREAMS, TUNNELS, UNDECODED, WINDOW, table
from sensors.grading import grade, reasons, unkept
from sensors.protocol import Protocol, protocols
from sensors.unknown import Unknown, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from sensors.calls import Calls
    from sensors.origin import Origin
    from sensors.source import Tick

LLC: Final = 4  # in place of an EtherType: IEEE 802.2
_TRANSPORTS: Final = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmp6", 89: "ospf", 132: "sctp"}
# counters that have the same name everywhere
ODDITIES: Final = (
    "duplicates", "fragments", "unfinished", "bad_fragments", "bad_checksums", "rejected", "overlaps", "half_open",
    "dropped", "mirrored", "talks", "requests_only", "answers_only", "split_vlans", "namesakes", "repeated",
)  # fmt: skip
COUNTED: Final = (
    "packets", "octets", "decoded", "undecoded", "lost", "gaps", "late", "truncated", "cut", "shed", "jumps", "one_sided", *ODDITIES, *TUNNELS[1:],
    "resumed", "torn", "returned", "strayed", "back",
)  # fmt: skip
HELD: Final = 64  # rows that wait at most, where nothing else asks for them
BREAK: Final = 3  # windows without a packet after which it is told whether the clock stepped
ALIKE: Final = 0.5  # share of such a pause by which the capture must have gone ahead of a clock on the wire, to have stepped
MOST_BROKEN: Final = 100  # captures of a window, of an interface, that are told one by one
OTHERS: Final = "others"  # the interfaces that have no place of their own


def port_name(transport: int, port: int) -> str:
    """What undecoded octets are counted by: `tcp/4840`, `ip/47`, `ethertype/0x88b8`."""
    if transport < 0 and port == LLC:
        return "llc"
    if transport < 0:
        return f"ethertype/0x{port:04x}" if port >= 0 else "other"
    name = _TRANSPORTS.get(transport % FRAGMENT, f"ip/{transport % FRAGMENT}")
    if transport >= FRAGMENT:
        return f"{name}/{'trailer' if transport >= TRAILER else 'fragment'}"
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
    dropped: int = 0
    mirrored: int = 0
    talks: int = 0
    requests_only: int = 0
    answers_only: int = 0
    split_vlans: int = 0
    namesakes: int = 0
    repeated: int = 0
    encrypted_bytes: int = 0
    shed_bytes: int = 0
    cut_bytes: int = 0
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


class Ledger:
    """The tables that a window is counted in, those of every interface; kernels fill them, `CoverageLog` takes what they hold."""

    def __init__(self, streams: Any, framings: Any) -> None:
        self.streams, self.framings = streams, framings
        self.counters, self.aside, self.places = interfaces.interface_tables(streams)
        self.undecoded = table(interfaces.INTERFACES * delivery.PORTS, UNDECODED)
        self.characters, self.bins = character.character_tables()
        self.references, self.differences = clocks.clock_tables()
        self.vlans, self.sides, self.halves, self.repeats, self.groups = sides.side_tables()
        self.names: list[str | None] = [None]  # of the interfaces, by place
        self.dark = [0] * interfaces.INTERFACES  # nanoseconds of this window in which nothing could come, by place
        self.absent = [0] * interfaces.INTERFACES  # … before it, or in it, in which nobody listened
        self.broken: list[list[str]] = [[] for _ in range(interfaces.INTERFACES)]  # captures that were, in this window, by place
        self._known = 0

    def meet(self, names: Sequence[str]) -> None:
        """The interfaces of the source, by their numbers; those of the same name are one."""
        for number in range(self._known, min(len(names), len(self.places))):
            name = names[number] or None
            if number == 0:
                self.names[0] = name
            if name not in self.names and len(self.names) < interfaces.INTERFACES:
                self.names.append(name if len(self.names) < interfaces.INTERFACES - 1 else OTHERS)
            self.places[number] = self.names.index(name) if name in self.names else interfaces.INTERFACES - 1
        self._known = len(names)

    def drop(self, interface: int, packets: int) -> None:
        """Whoever captured says that so many packets are missing here."""
        row, place = self.streams[0], int(self.places[min(interface, len(self.places) - 1)])
        if place == row.place:
            row.dropped += packets
        else:
            self.by_place()[place, _NUMBER["dropped"]] += packets

    def darken(self, tick: Tick) -> None:
        """Nothing could come from an interface for so long, or nobody listened, or what came from it was broken."""
        place = int(self.places[min(tick.interface, len(self.places) - 1)])
        self.dark[place] += tick.dark
        self.absent[place] += tick.absent
        if tick.broken and len(self.broken[place]) < MOST_BROKEN:
            self.broken[place].append(tick.broken)

    def by_place(self) -> Any:
        """[place, counter] of all interfaces but the one that `streams` counts for."""
        return self.aside.reshape(interfaces.INTERFACES, -1)

    def clear(self) -> None:
        """A window begins."""
        self.by_place()[:, _WINDOW] = 0
        self.dark, self.absent = [0] * len(self.dark), [0] * len(self.absent)
        self.broken = [[] for _ in self.broken]
        self.counters[_WINDOW] = 0
        self.undecoded.octets[:] = 0
        used = self.characters.packets > 0
        self.bins[used] = 0
        self.characters[used] = np.zeros(1, self.characters.dtype)
        self.references.samples[:] = 0
        self.vlans.conversations[:] = 0
        self.sides[:] = np.zeros(1, self.sides.dtype)
        self.halves[:] = np.zeros(1, self.halves.dtype)


_NUMBER: Final = {name: number for number, name in enumerate((STREAMS.names or ())[interfaces.COUNTERS :])}
_WINDOW: Final = np.array([_NUMBER[name] for name in COUNTED])


class CoverageLog:
    """Coverage rows of one observer, a row an interface and window."""

    def __init__(self, origin: Origin, file: str, ledger: Ledger) -> None:
        self._origin, self.file, self._ledger = origin, file, ledger
        self.totals = Totals()
        self._rows: list[dict[str, Any]] = []
        self._last: int | None = None  # window
        self._part = 0  # of a window whose row was told before it ended
        self._ahead: dict[tuple[int, str], int] = {}  # of each clock on the wire, the least by which it was so in its last window, nanoseconds

    def close_window(self, attempts: Calls, calls: Calls) -> None:
        """Take a window's counters and zero them; `attempts` and `calls` are what `sensors.calls` tells of it."""
        ledger, streams = self._ledger, self._ledger.streams[0]
        counts = ledger.by_place()
        counts[streams.place] = ledger.counters
        told = counts[:, _WINDOW].any(axis=1)
        if streams.window:  # the first begins with a packet
            told |= (np.array(ledger.dark) > 0) | (np.array(ledger.absent) > 0) | np.array([bool(marks) for marks in ledger.broken])
        if not told.any():
            return
        window = int(streams.window) * WINDOW
        self._part = self._part + 1 if window == self._last else 0
        pause = window - self._last if self._last is not None and window - self._last > BREAK * WINDOW else 0
        self._last, ahead, self._ahead = window, self._ahead, self._kept()
        for place in np.flatnonzero(told).tolist():
            count = {name: int(counts[place, _NUMBER[name]]) for name in COUNTED}
            count["lost"] += unheard(ledger, place, count["talks"] > count["requests_only"] + count["answers_only"])
            opened = {"attempts": json.dumps(attempts.get(place, [])), "calls": json.dumps(calls.get(place, []))}
            self._rows.append(self._row(window, place, count) | self._steps(place, count, pause, ahead) | opened | {"part": self._part})
        ledger.clear()

    def is_set_back(self) -> bool:
        """Does what was counted in this window so far tell that the clock of the capture was set back?"""
        counts = self._ledger.by_place()
        counts[self._ledger.streams[0].place] = self._ledger.counters
        found = ({name: int(row[_NUMBER[name]]) for name in COUNTED} for row in counts)
        return any(self._steps(place, count, 0, self._ahead)["clock_back"] > 0 for place, count in enumerate(found))

    def _steps(self, place: int, count: dict[str, int], pause: int, ahead: dict[tuple[int, str], int]) -> dict[str, Any]:
        return _steps(count, pause, [move for each, move in self._moves(ahead) if each == place])

    def _compared(self) -> Iterator[tuple[tuple[int, str], list[int]]]:
        """(place and name, how far the capture's clock was ahead: each time, in order) of every clock on the wire that is remembered."""
        ledger = self._ledger
        for number in np.flatnonzero(ledger.references.kind > 0).tolist():
            row = ledger.references[number]
            yield (int(row.place), clock_name(row)), ledger.differences[number * clocks.SAMPLES :][: int(row.samples)].tolist()

    def _kept(self) -> dict[tuple[int, str], int]:
        """Of the clocks that are still remembered. The least: packets from a step on stand in the old window until the step is believed."""
        return {key: min(told) if told else self._ahead[key] for key, told in self._compared() if told or key in self._ahead}

    def _moves(self, ahead: dict[tuple[int, str], int]) -> Iterator[tuple[int, tuple[int, int]]]:
        """(place, (since the windows before, the furthest back in this one)): how the capture's clock moved against one on the wire, nanoseconds."""
        for key, told in self._compared():
            if told:
                before = ahead.get(key, told[0])
                yield key[0], (told[0] - before, min(later - former for former, later in pairwise([before, *told])))

    def _row(self, window: int, place: int, count: dict[str, int]) -> dict[str, Any]:
        unknown = self._unknown(place)
        ciphers = self._ciphers(place, unknown)
        encrypted = sum(each["bytes"] for each in ciphers)
        shed = unkept(*(count[name] for name in ("decoded", "packets", "shed", "dropped", "lost")))
        count["decoded"] -= shed
        count["undecoded"] += shed
        self._count(count, encrypted, shed)
        told = clock_rows(self._ledger, place)
        vlans = self._ledger.vlans[(self._ledger.vlans.place == place) & (self._ledger.vlans.conversations > 0)]
        return {
            "@timestamp": window, "event.start": window, "event.end": window + WINDOW,
            "file": self.file, "interface": self._ledger.names[place], "place": place,
            "packets": count["packets"], "bytes": count["octets"], "lost": count["lost"], "gaps": count["gaps"],
            "grade": grade(count["decoded"], count["undecoded"], count["lost"]),
            "reasons": json.dumps(reasons(count["decoded"], count["undecoded"], encrypted, count["lost"], shed, count["cut"])),
            "undecoded_bytes": count["undecoded"], "decoded_bytes": count["decoded"], "late": count["late"], "truncated": count["truncated"],
            "one_sided": count["one_sided"], "jumps": count["jumps"], "shed": count["shed"], "shed_bytes": shed, "cut_bytes": count["cut"],
            "undecoded": json.dumps(worst_first(unknown)), "encrypted_bytes": encrypted, "encrypted": json.dumps(ciphers),
            **{name: count[name] for name in ODDITIES},
            "tunnels": json.dumps([{"name": name, "packets": count[name]} for name in TUNNELS[1:] if count[name]]),
            "vlans": json.dumps([{"requests": _vlan(row.there), "answers": _vlan(row.back), "conversations": int(row.conversations)} for row in vlans]),
            "datagrams": json.dumps(side_rows(self._ledger, place)), "halves": json.dumps(half_rows(self._ledger, place)),
            "clock_ahead": told[0]["ahead"] if told else None, "clocks": json.dumps(told), "dark": self._ledger.dark[place] / SECOND or None,
            "absent": self._ledger.absent[place] / SECOND or None, "broken": joined(self._ledger.broken[place]),
        }  # fmt: skip

    def _unknown(self, place: int) -> dict[str, Unknown]:
        """What was not understood on an interface, by name; it is added to the totals, where a conversation counts once however many windows it spans."""
        ledger, begun = self._ledger, dict[str, int]()
        ports = ledger.undecoded[place * delivery.PORTS : (place + 1) * delivery.PORTS]
        unknown = {port_name(transport, port): Unknown(octets) for transport, port, octets in ports[ports.octets > 0].tolist()}
        for number, name, row in self._seen(place):
            if name in unknown:  # else the rest was understood after all, or sent twice
                begun[name] = begun.get(name, 0) + int(row.begun)
                encrypted = int(row.octets) if row.cipher else 0
                unknown[name].add(
                    Unknown(
                        0,
                        int(row.packets),
                        int(row.conversations),
                        int(row.cyclic),
                        float(row.period),
                        ledger.bins[number].tolist(),
                        encrypted,
                        [int(row.first)],
                    )
                )
        for name, each in unknown.items():
            each.encrypted = min(each.encrypted, each.bytes)  # segments that came twice were counted once
            self.totals.unknown.setdefault(name, Unknown()).add(replace(each, conversations=begun.get(name, 0)))
        return unknown

    def _seen(self, place: int) -> Iterator[tuple[int, str, Any]]:
        """(number, name, row) of the characters of an interface."""
        characters, first = self._ledger.characters, place * character.CHARACTERS
        used: list[int] = (first + np.flatnonzero(characters.packets[first : first + character.CHARACTERS])).tolist()
        for number in used:
            row = characters[number]
            yield number, port_name(int(row.transport), int(row.port)), row

    def _ciphers(self, place: int, unknown: dict[str, Unknown]) -> list[dict[str, Any]]:
        """What is encrypted, by cipher and port, most first."""
        left = {name: each.encrypted for name, each in unknown.items()}
        told: list[dict[str, Any]] = []
        for _, name, row in self._seen(place):
            if row.cipher and (octets := min(int(row.octets), left.get(name, 0))):
                left[name] -= octets
                told.append({"name": CIPHERS[int(row.cipher)], "port": name, "bytes": octets, "conversations": int(row.conversations)})
        return sorted(told, key=lambda each: (-each["bytes"], each["name"], each["port"]))

    def _count(self, count: dict[str, int], encrypted: int, shed: int) -> None:
        totals = self.totals
        totals.packets += count["packets"]
        totals.bytes += count["octets"]
        totals.decoded_bytes += count["decoded"]
        totals.undecoded_bytes += count["undecoded"]
        totals.encrypted_bytes += encrypted
        totals.shed_bytes += shed
        totals.cut_bytes += count["cut"]
        for name in ("lost", "gaps", "late", "truncated", "shed", "one_sided", "jumps", *ODDITIES):
            setattr(totals, name, getattr(totals, name) + count[name])
        for name in TUNNELS[1:]:
            if count[name]:
                totals.tunnels[name] = totals.tunnels.get(name, 0) + count[name]

    def urgent(self, closed: int) -> bool:
        """Is the clock set back, or are there many rows of windows that ended by then?"""
        return any(row["clock_back"] for row in self._rows) or sum(_is_due(row, closed) for row in self._rows) >= HELD

    def take(self, closed: int) -> pa.Table:
        """The rows of windows that ended by then. The first interface's keep the identities that they had when nobody told interfaces apart."""
        rows = [row for row in self._rows if _is_due(row, closed)]
        self._rows = [row for row in self._rows if not _is_due(row, closed)]
        for row in rows:
            own = (f"\x1f{row['interface']}" if row["place"] else "") + (f"\x1f{row['part']}" if row["part"] else "")
            identity = hashlib.blake2b(f"{self._origin.salt}\x1fcoverage\x1f{row['@timestamp']}{own}".encode(), digest_size=10).hexdigest()
            row |= {"id": identity, "observer.name": self._origin.observer, "observer.site": self._origin.site}
        return arrow_table(COVERAGE, {name: [row.get(name) for row in rows] for name in COVERAGE.names}, len(rows))


def _is_due(row: dict[str, Any], closed: int) -> bool:
    """Is its window over? That a clock was set back is told at once."""
    return bool(row["event.end"] <= closed or row["clock_back"])


def _steps(count: dict[str, int], pause: int, moves: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Whether the clock stepped. Forward: after a pause conversations go on where they were, or it is ahead of a clock on the wire by as much.
    Back: packets come late, and conversations go on where they were, or it fell behind such a clock. Where neither is so, captures may just be joined.
    """
    forward = pause > 0 and (count["resumed"] > count["torn"] or any(since > ALIKE * pause for since, _ in moves))
    back = max([-far for _, far in moves if -far > PAUSE] + [count["back"]] * (count["returned"] > count["strayed"]), default=0)
    return {"clock_steps": int(forward), "clock_back": back / SECOND if count["late"] >= BELIEVED else 0.0}


def _vlan(number: Any) -> int | None:
    return None if number < 0 else int(number)


def _answered(ledger: Ledger, framing: int) -> Protocol | None:
    """The protocol of a framing; None where nobody has to answer it (`Framing.lone`)."""
    row = ledger.framings[framing]
    protocol = protocols()[int(row.protocol)]
    return None if protocol.framings[int(row.number)].lone else protocol


def side_rows(ledger: Ledger, place: int) -> list[dict[str, Any]]:
    """Datagram conversations by protocol, as an interface saw them in this window; protocols that answer nothing are left out."""
    told: dict[str, dict[str, Any]] = {}
    for row in ledger.sides[(ledger.sides.talks > 0) & (ledger.sides.place == place)]:
        if protocol := _answered(ledger, int(row.framing)):
            sums = told.setdefault(protocol.name, {"protocol": protocol.name, "conversations": 0, "requests_only": 0, "answers_only": 0})
            for name, count in (("conversations", row.talks), ("requests_only", row.requests_only), ("answers_only", row.answers_only)):
                sums[name] += int(count)
    return [told[name] for name in sorted(told)]


def unheard(ledger: Ledger, place: int, both: bool) -> int:
    """Octets of datagrams that are missing: as many as the side that was seen has. An answer has a request; that a request has an answer is to be believed
    only where no conversation of this interface has both directions (`both`: one of TCP has), for else it is the mirror no more than the one who is asked."""
    rows = [row for row in ledger.sides[(ledger.sides.talks > 0) & (ledger.sides.place == place)] if _answered(ledger, int(row.framing))]
    both = both or any(row.talks > row.requests_only + row.answers_only for row in rows)
    return sum(int(row.answered) + (0 if both else int(row.requested)) for row in rows)


def half_rows(ledger: Ledger, place: int) -> list[dict[str, Any]]:
    """Servers of which one direction is missing, those with most conversations first; `protocol` of datagrams only."""
    told: dict[tuple[str | None, str], dict[str, Any]] = {}
    for row in ledger.halves[(ledger.halves.requests_only + ledger.halves.answers_only > 0) & (ledger.halves.place == place)]:
        protocol = _answered(ledger, int(row.framing)) if row.framing >= 0 else None
        if protocol or row.framing < 0:
            name, server = protocol.name if protocol else None, address_text(row)
            sums = told.setdefault((name, server), {"protocol": name, "server": server, "requests_only": 0, "answers_only": 0})
            for side in ("requests_only", "answers_only"):
                sums[side] += int(row[side])
    return sorted(told.values(), key=lambda each: (-each["requests_only"] - each["answers_only"], each["server"], each["protocol"] or ""))


def clock_rows(ledger: Ledger, place: int) -> list[dict[str, Any]]:
    """The clocks that an interface heard of in this window, most samples first: name, how far the capture's clock is ahead (median) and how far
    samples lie apart, both in seconds."""
    told: list[dict[str, Any]] = []
    for number in np.flatnonzero((ledger.references.samples > 0) & (ledger.references.place == place)).tolist():
        row = ledger.references[number]
        samples = np.sort(ledger.differences[number * clocks.SAMPLES :][: int(row.samples)])
        told.append({
            "name": clock_name(row), "ahead": int(samples[len(samples) // 2]) / SECOND, "samples": len(samples),
            "spread": int(samples[-1] - samples[0]) / SECOND,
        })  # fmt: skip
    return sorted(told, key=lambda each: (-each["samples"], each["name"]))


def clock_name(row: Any) -> str:
    """`ntp/10.0.0.5`, `ptp/0/001dc1fffe112233`: address, or domain and identity."""
    if row.kind == clocks.NTP:
        return f"ntp/{address_text(row)}"
    return f"ptp/{int(row.family)}/{int(row.a):08x}{int(row.b):08x}"
