"""What coverage rows of any range come to: the grade and what takes its points, and the blind spots, worst first. Words are the reader's."""

from __future__ import annotations

import json
from bisect import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sensors.engine.tables import WINDOW
from sensors.grading import grade, reasons

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

COUNTS: Final = (
    "packets", "bytes", "decoded_bytes", "undecoded_bytes", "encrypted_bytes", "lost", "gaps", "late", "truncated", "jumps", "shed", "shed_bytes", "cut_bytes",
    "one_sided", "talks", "requests_only", "answers_only", "split_vlans", "namesakes", "dropped", "mirrored", "rejected", "unfinished", "bad_fragments",
    "repeated",
)  # fmt: skip
ROWS: Final = (
    "observer.name", "interface", "file", "@timestamp", *COUNTS, "undecoded", "encrypted", "vlans", "datagrams", "halves", "clocks", "clock_steps",
    "clock_back", "absent", "dark", "refused", "broken",
)  # fmt: skip
ADDED: Final = frozenset(COUNTS) - {"packets", "talks", "requests_only", "answers_only", "namesakes", "cut_bytes"}  # what no window is looked at for by itself
JSON: Final = ("undecoded", "encrypted", "vlans", "datagrams", "halves", "clocks")
OFF: Final = 1.0  # seconds from which on a clock is wrong: what packets tell of it has a delay of its own
SILENT: Final = 3  # windows without a packet that are no chance, where there are packets in most
PAIRS: Final = 3  # of VLANs, and servers of which one direction is missing, that are told one by one
STEPPED, ABSENT = "clock", "absent"  # the clock stepped, the sensor did not run
SIDES: Final = ("requests_only", "answers_only")
# spots that tell of missing directions, by the minute that is worst: beside them, `one_sided` would count the same conversations another way
ONE_WAY: Final = frozenset(SIDES) | {f"datagram_{side}" for side in SIDES}
HOUR: Final = 3600
REFUSED: Final = 50.0  # the weight of rows that are not in the store, as that of rows that were shed
BROKEN: Final = 50.0  # the weight of a capture that ends before its end, where nobody knows how much was left; else at least …
LEAST_BROKEN: Final = 20.0
DARK: Final = 60.0  # at least, the weight of an interface that could bring nothing: the cause stands before what it cost


@dataclass(frozen=True, slots=True)
class Spot:
    """One blind spot: `key` names its texts (`coverage.spot.KEY`), `values` fill them. `place`: observer and interface, empty where there is only one.

    `weight` orders spots: about how many of 100 points it takes from what can be seen or trusted.
    """

    key: str
    place: str
    weight: float
    values: dict[str, Any]


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
        """One window, of which `JSON` is read; its `COUNTS` are added up for many at once."""
        if row["packets"]:
            self.windows.setdefault(row["file"] or "", {})[row["@timestamp"] // WINDOW] = STEPPED if row["clock_steps"] else ABSENT if row["absent"] else ""
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
        self._add_ports(row)
        for pair in row["vlans"]:
            ends = pair["requests"], pair["answers"]
            self.vlans[ends] = max(self.vlans[ends], pair["conversations"])  # most go on in the next window
        self.talks = max(self.talks, row["talks"] or 0)
        self.namesakes = max(self.namesakes, row["namesakes"] or 0)
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

    def _add_ports(self, row: dict[str, Any]) -> None:
        for port, octets, about in uncut(row["undecoded"], row["cut_bytes"] or 0):
            if octets:
                unread = self.unread[port["name"]]
                unread.bytes += octets
                unread.about |= about
                unread.period = port.get("period") or unread.period
                unread.tshark = unread.tshark or port.get("tshark")
                if port.get("guess"):
                    unread.guesses[port["guess"]] += octets
        for cipher in row["encrypted"]:
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


def _held(texts: list[str | None]) -> list[list[dict[str, Any]]]:
    """The objects of a JSON field of many rows, read at once; none in rows from before it existed."""
    return json.loads(f"[{','.join(text or '[]' for text in texts)}]")


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


class Account:
    """Adds up coverage rows, in any order. Nothing depends on how they are cut."""

    def __init__(self) -> None:
        self.by_place: defaultdict[tuple[str, str], Sums] = defaultdict(Sums)
        self.refused: Counter[str] = Counter()  # by observer: rows that no store could hold
        self.broken: dict[tuple[str, str], dict[str, Any]] = {}  # by observer and how: captures that are cut off or corrupt

    def add(self, rows: pa.Table) -> None:
        """Rows with the schema's columns."""
        if not rows.num_rows:
            return
        columns = {name: rows.column(name) for name in ROWS if name not in ADDED}
        columns["@timestamp"] = columns["@timestamp"].cast("int64")
        lists: dict[str, list[Any]] = {name: column.to_pylist() for name, column in columns.items()}
        lists |= {name: _held(lists[name]) for name in JSON}
        for values in zip(*lists.values(), strict=True):
            row = dict(zip(lists, values, strict=True))
            if row["refused"]:  # no window: the store tells of its rows, whatever interface they came from
                self.refused[row["observer.name"] or ""] += row["refused"]
                continue
            if row["broken"]:
                told = json.loads(row["broken"])
                self.broken |= {(row["observer.name"] or "", json.dumps(each)): each for each in (told, *told.pop("others", ()))}
            self.by_place[row["observer.name"] or "", row["interface"] or ""].add(row)
        self._count(rows)

    def _count(self, rows: pa.Table) -> None:
        """Add up what is only added up, by place."""
        import pyarrow.compute as compute

        pc: Any = compute  # its stubs leave types open
        windows: Any = rows.filter(pc.equal(pc.fill_null(rows.column("refused"), 0), 0))
        found = windows.group_by(["observer.name", "interface"]).aggregate([(name, "sum") for name in COUNTS])
        for row in found.to_pylist():
            told = {name: row[f"{name}_sum"] or 0 for name in COUNTS}
            self.by_place[row["observer.name"] or "", row["interface"] or ""].counts.update(told)

    @property
    def counts(self) -> Counter[str]:
        """All counters together."""
        return sum((sums.counts for sums in self.by_place.values()), Counter[str]())

    @property
    def grade(self) -> float | None:
        """0–100; None where there was no payload."""
        counts = self.counts
        return grade(counts["decoded_bytes"], counts["undecoded_bytes"], counts["lost"])

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """What takes how many points. Where no datagram was answered and nothing else is missing, it is `unanswered`: maybe nobody answers."""
        counts = self.counts
        told = reasons(*(counts[name] for name in ("decoded_bytes", "undecoded_bytes", "encrypted_bytes", "lost", "shed_bytes", "cut_bytes")))
        if all(sums.unanswered for sums in self.by_place.values() if sums.counts["lost"]):
            told = [each | {"reason": "unanswered"} if each["reason"] == "lost" else each for each in told]
        return told

    def quiet(self, least: int) -> list[str]:
        """The places with payload, but fewer octets of it than so many in a window with packets, on average."""
        told: list[str] = []
        for key, sums in sorted(self.by_place.items()):
            payload = sum(sums.counts[name] for name in ("decoded_bytes", "undecoded_bytes", "lost"))
            if 0 < payload < least * sum(map(len, sums.windows.values())):
                told.append(self._place(*key))
        return told

    def clocks(self) -> list[tuple[str, dict[str, Any]]]:
        """(place, comparison) of every clock that was heard of."""
        return [(self._place(*key), clock) for key, sums in sorted(self.by_place.items()) for _, clock in sorted(sums.clocks.items())]

    def spots(self) -> list[Spot]:
        """Every blind spot, worst first."""
        found = [spot for key, sums in self.by_place.items() for spot in _spots(sums, self._place(*key))]
        found += [Spot("refused", self._place(name, ""), REFUSED, {"count": count}) for name, count in self.refused.items()]
        found += [self._ended(name, told) for (name, _), told in self.broken.items()]
        return sorted(found, key=lambda spot: (-spot.weight, spot.key, spot.place, str(spot.values)))

    def _ended(self, observer: str, told: dict[str, Any]) -> Spot:
        """A capture of this observer that is cut off or corrupt."""
        left, seen = told["left"], sum(sums.counts["bytes"] for (name, _), sums in self.by_place.items() if name == observer)
        weight = BROKEN if left is None else LEAST_BROKEN + (100 - LEAST_BROKEN) * left / max(left + seen, 1)
        values = {name: told[name] for name in ("file", "left", "packet", "offset", "name", "reason") if told[name] is not None or name == "left"}
        values |= {"count": told["skipped"]} if told["error"] == "interfaces" else {}
        return Spot(f"broken_{told['error']}", self._place(observer, ""), weight, values)

    def _place(self, observer: str, interface: str) -> str:
        several = len({name for name, _ in self.by_place} | set(self.refused)) > 1
        if len(self.by_place) == 1 and not several:
            return ""
        return " · ".join(part for part in ((observer if several else ""), interface) if part)


def _spots(sums: Sums, place: str) -> Iterator[Spot]:
    counts = sums.counts
    payload = counts["decoded_bytes"] + counts["undecoded_bytes"] + counts["lost"]
    yield from _sides(sums, place)
    yield from _losses(sums, place, payload)
    for name, clock in sums.clocks.items():
        seconds = abs(clock["ahead"])
        if seconds >= OFF:
            key = "clock_ahead" if clock["ahead"] > 0 else "clock_behind"
            yield Spot(key, place, 90 if seconds >= HOUR else 60 if seconds >= 60 else 40, {"name": name, "seconds": seconds})
    for name, unread in sums.unread.items():
        share = 100 * unread.bytes / max(payload, 1)
        cyclic = unread.guess == "cyclic"
        values: dict[str, Any] = {"port": name, "bytes": unread.bytes, "of_bytes": payload, "guess": unread.guess, "period": unread.period if cyclic else None}
        values |= {"tshark": unread.tshark} if unread.tshark else {}
        values |= {"about": True} if unread.about else {}
        yield Spot("cyclic" if values["period"] else "unread", place, share + (10 if cyclic else 0), values)
    for (name, port), told in sums.ciphers.items():
        values = {"cipher": name, "port": port, "bytes": told["bytes"], "of_bytes": payload, "conversations": told["conversations"]}
        yield Spot("encrypted", place, 10 * told["bytes"] / max(payload, 1), values)  # by right: nothing is to be repaired
    for (requests, answers), count in sums.vlans.most_common(PAIRS):
        yield Spot(
            "vlans",
            place,
            15 * min(1, count / max(sums.talks, count)),
            {"requests": requests, "answers": answers, "count": count, "of_talks": max(sums.talks, count)},
        )


def _sides(sums: Sums, place: str) -> Iterator[Spot]:
    """Directions that are missing; of short conversations, where nothing more is known."""
    for key, half in sums.sides.items():
        when = {"since": half.first, "until": half.last + WINDOW} if half.windows < sum(map(len, sums.windows.values())) else {}
        values = {"count": half.worst[0], "talks": half.worst[1], "windows": half.windows, **when, **sums.servers(None, key)}
        yield Spot(key, place, 100 * half.worst[0] / half.worst[1], values)
    if sums.counts["one_sided"] and not sums.sides:
        yield Spot("one_sided", place, 5, {"count": sums.counts["one_sided"], "of_packets": sums.counts["packets"]})
    for (protocol, side), (count, talks) in sums.datagrams.items():
        yield Spot(f"datagram_{side}", place, 50 * count / talks, {"protocol": protocol, "count": count, "talks": talks, **sums.servers(protocol, side)})
    if sums.namesakes:
        yield Spot("namesakes", place, 10, {"count": sums.namesakes, "of_packets": sums.counts["packets"]})
    silent, stepped = sums.silence()
    if stepped:
        yield Spot("clock_stepped", place, 40, {"seconds": stepped * WINDOW // 1_000_000_000})
    if sums.back:
        yield Spot("clock_back", place, 60, {"seconds": sums.back})
    if sums.absent:
        seen = sum(map(len, sums.windows.values())) * WINDOW / 1_000_000_000
        yield Spot("absent", place, 100 * sums.absent / (seen + sums.absent), {"seconds": sums.absent, "of_seconds": seen + sums.absent})
    if sums.dark:
        whole = sum(map(len, sums.windows.values())) * WINDOW / 1_000_000_000 + sums.dark
        share = DARK + (100 - DARK) * sums.dark / whole  # what it cost is lost, too
        yield Spot("dark", place, share, {"seconds": sums.dark, "of_seconds": whole})
    if silent:
        whole = silent + sum(map(len, sums.windows.values()))
        seconds, of = (windows * WINDOW // 1_000_000_000 for windows in (silent, whole))
        yield Spot("silent", place, 100 * silent / whole, {"seconds": seconds, "of_seconds": of})


def _losses(sums: Sums, place: str, payload: int) -> Iterator[Spot]:
    counts = sums.counts
    packets = max(counts["packets"], 1)
    if counts["dropped"]:
        share = 100 * counts["dropped"] / (packets + counts["dropped"])
        yield Spot("dropped", place, min(100, 20 + share), {"count": counts["dropped"], "share": share})
    if (counts["lost"] or counts["gaps"]) and not sums.unanswered:  # else the directions of datagrams tell it
        share = 100 * counts["lost"] / max(payload, 1)
        yield Spot("lost", place, 5 + share, {"bytes": counts["lost"], "share": share, "gaps": counts["gaps"]})
    for key, weight in (("truncated", 100), ("rejected", 100), ("mirrored", 20), ("late", 50), ("repeated", 5)):
        if counts[key]:
            share = 100 * counts[key] / packets
            yield Spot(key, place, weight * share / 100, {"count": counts[key], "share": share})
    for key, weight in (("shed", 50), ("unfinished", 8), ("bad_fragments", 8), ("jumps", 8)):
        if counts[key]:
            yield Spot(key, place, weight, {"count": counts[key], "of_packets": packets})
