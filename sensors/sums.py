"""What the windows of coverage of one interface come to: what was not understood at its ports, clocks, directions that are missing, silence."""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from sensors.engine.tables import WINDOW

SILENT: Final = 3  # windows without a packet that are no chance, where there are packets in most
PAIRS: Final = 3  # of VLANs, and servers of which one direction is missing, that are told one by one
STEPPED, ABSENT = "clock", "absent"  # the clock stepped, the sensor did not run
SIDES: Final = ("requests_only", "answers_only")


@dataclass(slots=True)
class Unread:
    """Octets of one port that nobody understood, by the word for what they are like."""

    bytes: int = 0
    guesses: Counter[str] = field(default_factory=Counter[str])
    period: float | None = None
    tshark: str | None = None  # what tshark calls it
    about: bool = False  # whether it is known only about how many

    @property
    def guess(self) -> str:
        """What most of it is like; empty where there is too little to tell."""
        return max(self.guesses, key=lambda name: (self.guesses[name], name), default="")


@dataclass(slots=True)
class Half:
    """The windows in which a direction was missing: the first and the last (nanoseconds), how many; of the worst: conversations without it, and all."""

    first: int
    last: int = 0
    windows: int = 0
    worst: tuple[int, int] = (0, 0)

    def add(self, row: dict[str, Any], side: str) -> None:
        """One more of them."""
        self.first, self.last = min(self.first, row["@timestamp"]), max(self.last, row["@timestamp"])
        self.windows += 1
        self.worst = max(self.worst, (row[side], row["talks"]))


@dataclass(slots=True)
class Sums:
    """What one interface of one observer came to."""

    counts: Counter[str] = field(default_factory=Counter[str])
    unread: defaultdict[str, Unread] = field(default_factory=lambda: defaultdict[str, Unread](Unread))
    ciphers: defaultdict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict[tuple[str, str], Counter[str]](Counter))
    vlans: Counter[tuple[int | None, int | None]] = field(default_factory=Counter[tuple[int | None, int | None]])  # conversations of the worst window
    talks: int = 0  # of the window with most
    namesakes: int = 0  # … and these of that with most of them
    clocks: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])  # by name, how far ahead at worst; of all samples
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])  # between which they lie
    sides: dict[str, Half] = field(default_factory=dict[str, "Half"])
    windows: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])  # by capture; why there may be none before it
    absent: float = 0.0  # seconds in which the sensor did not run
    dark: float = 0.0  # seconds in which nothing could come: it was down, had no link, or was gone
    idle: dict[str, set[int]] = field(default_factory=dict[str, set[int]])  # by capture, windows in which it was so
    back: float = 0.0  # seconds that the clock stepped back at worst
    datagrams: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict[tuple[str, str], tuple[int, int]])  # by protocol and side: worst window
    halves: dict[tuple[str | None, str], Counter[str]] = field(default_factory=dict[tuple[str | None, str], Counter[str]])  # servers: worst window

    def add(self, row: dict[str, Any]) -> None:
        """What is out of the ordinary in one window, of which `JSON` is read; all that windows have in common is added up for many at once."""
        if row["packets"] and (row["clock_steps"] or row["absent"]):
            self.windows[row["file"] or ""][row["@timestamp"] // WINDOW] = STEPPED if row["clock_steps"] else ABSENT
        self.absent += row["absent"] or 0.0
        if row["dark"]:
            self.dark += row["dark"]
            self.idle.setdefault(row["file"] or "", set()).add(row["@timestamp"] // WINDOW)
        self.back = max(self.back, row["clock_back"] or 0.0)
        for side in SIDES:
            if row[side]:
                self.sides.setdefault(side, Half(row["@timestamp"])).add(row, side)
        for told in row["datagrams"]:
            for side in SIDES:
                if told[side]:
                    key = told["protocol"], side
                    self.datagrams[key] = max(self.datagrams.get(key, (0, 0)), (told[side], told["conversations"]))
        for half in row["halves"]:
            for side in SIDES:
                if half[side]:
                    servers = self.halves.setdefault((half["protocol"], side), Counter())
                    servers[half["server"]] = max(servers[half["server"]], half[side])
        for pair in row["vlans"]:
            ends = pair["requests"], pair["answers"]
            self.vlans[ends] = max(self.vlans[ends], pair["conversations"])  # most go on in the next window
        for clock in row["clocks"]:
            self._add_clock(clock)

    def _add_clock(self, clock: dict[str, Any]) -> None:
        name, ahead = clock["name"], clock["ahead"]
        known, (low, high) = self.clocks.get(name, clock), self.bounds.get(name, (ahead, ahead))
        self.bounds[name] = low, high = min(low, ahead), max(high, ahead)
        self.clocks[name] = {
            "name": name,
            "ahead": max(known["ahead"], ahead, key=lambda each: (abs(each), each)),
            "samples": clock["samples"] + (known["samples"] if known is not clock else 0),
            "spread": max(known["spread"], clock["spread"], high - low),
        }

    def add_ports(self, undecoded: list[dict[str, Any]], cut: int, encrypted: list[dict[str, Any]]) -> None:
        """The ports of one window."""
        for port, octets, about in uncut(undecoded, cut):
            if octets:
                unread = self.unread[port["name"]]
                unread.bytes += octets
                unread.about |= about
                unread.period = port.get("period") or unread.period
                unread.tshark = unread.tshark or port.get("tshark")
                if port.get("guess"):
                    unread.guesses[port["guess"]] += octets
        for cipher in encrypted:
            held = self.ciphers[cipher["name"], cipher["port"]]
            held["bytes"] += cipher["bytes"]
            held["conversations"] += cipher["conversations"]

    def servers(self, protocol: str | None, side: str) -> dict[str, Any]:
        """{"servers": those with most conversations of which only this direction was seen, "more": how many there are besides}; `protocol`: None of TCP."""
        found = self.halves.get((protocol, side), Counter[str]())
        return {"servers": [server for server, _ in found.most_common(PAIRS)], "more": max(len(found) - PAIRS, 0)} if found else {}

    @property
    def one_way(self) -> int:
        """Conversations of which one direction is missing, as the spots tell them: in the window that is worst, else short ones that ended so."""
        worst = sum(half.worst[0] for half in self.sides.values()) + sum(count for count, _ in self.datagrams.values())
        return worst or self.counts["one_sided"]

    @property
    def unanswered(self) -> bool:
        """Is all that is missing what datagrams that were seen would have been answered, if anybody answers them?"""
        return self.counts["gaps"] == 0 and {side for _, side in self.datagrams} == {"requests_only"}

    def silence(self) -> tuple[int, int]:
        """Windows without packets between others of the same capture: (of those that are long, where most windows have some; that a clock left out)."""
        silent = stepped = 0
        for file, seen in self.windows.items():
            idle = sorted(self.idle.get(file, set[int]()) - seen.keys())  # it is known why
            left = ((earlier, later, bisect(idle, later) - bisect(idle, earlier)) for earlier, later in pairwise(sorted(seen)))
            steps = [(later - earlier - 1 - known, seen[later]) for earlier, later, known in left]
            stepped += sum(step for step, why in steps if why == STEPPED)
            long = sum(step for step, why in steps if step >= SILENT and not why)
            silent += long if len(seen) > long else 0
        return silent, stepped


def uncut(ports: list[dict[str, Any]], cut: int) -> list[tuple[dict[str, Any], int, bool]]:
    """What was not understood at the ports of a window, and neither encrypted nor among the `cut` octets, which the capture left out of packets.

    These stand in no port's own count. They are of protocols that were recognised: of ports where every packet was (none is left to describe) before others,
    and of several by their share: of those it is known only about how many octets are left (the last value is true).
    """
    left = [port["bytes"] - port.get("encrypted", 0) for port in ports]
    about = [False] * len(ports)
    if not cut:
        return list(zip(ports, left, about, strict=True))
    for recognised in (True, False):
        mine = [number for number, port in enumerate(ports) if (not port.get("packets")) is recognised]
        whole = sum(left[number] for number in mine)
        taken, passed, share = 0, 0, min(cut, whole)
        several = 0 < share < whole and sum(left[number] > 0 for number in mine) > 1
        for number in mine:
            about[number] = several
            passed += left[number]
            part = share * passed // max(whole, 1) - taken  # whole octets that add up
            left[number] -= part
            taken += part
        cut -= share
    return list(zip(ports, left, about, strict=True))
