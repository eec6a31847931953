"""What coverage rows of any range come to: the grade and what takes its points, and the blind spots, worst first. Words are the reader's."""

from __future__ import annotations

import functools
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sensors.engine.tables import WINDOW
from sensors.grading import grade, reasons
from sensors.sums import PAIRS, SIDES, Sums

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
PLACE: Final = ("observer.name", "interface")
JSON: Final = ("vlans", "datagrams", "halves", "clocks")
ODD: Final = ("requests_only", "answers_only", "clock_steps", "clock_back", "absent", "dark")
TOLD: Final = (*PLACE, "file", "@timestamp", "packets", "talks", *ODD, "broken", *JSON)  # what is looked at in windows that are out of the ordinary
OFF: Final = 1.0  # seconds from which on a clock is wrong: what packets tell of it has a delay of its own
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


def _held(column: Any) -> list[list[dict[str, Any]]]:
    """The objects of a JSON field of many rows, read at once, and of texts that are alike once; none in rows from before it existed."""
    coded: Any = column.combine_chunks().dictionary_encode()
    read: list[list[dict[str, Any]]] = json.loads(f"[{','.join([*(text or '[]' for text in coded.dictionary.to_pylist()), '[]'])}]")
    return [read[place] for place in coded.indices.fill_null(len(read) - 1).to_pylist()]


def _odd(windows: Any) -> Any:
    """Which windows have anything that is out of the ordinary."""
    import pyarrow as pa
    import pyarrow.compute as compute

    pc: Any = compute  # its stubs leave types open
    nothing: Any = pa.array([None, "", "[]"], pa.string())
    numbers = [pc.not_equal(pc.fill_null(windows.column(name).cast("double"), 0.0), 0.0) for name in ODD]
    texts = [pc.invert(pc.is_in(windows.column(name), value_set=nothing)) for name in ("broken", *JSON)]
    return functools.reduce(pc.or_, numbers + texts)


class Account:
    """Adds up coverage rows, in any order. Nothing depends on how they are cut."""

    def __init__(self) -> None:
        self.by_place: defaultdict[tuple[str, str], Sums] = defaultdict(Sums)
        self.refused: Counter[str] = Counter()  # by observer: rows that no store could hold
        self.broken: dict[tuple[str, str], dict[str, Any]] = {}  # by observer and how: captures that are cut off or corrupt

    def add(self, rows: pa.Table) -> None:
        """Rows with the schema's columns."""
        import pyarrow.compute as compute

        pc: Any = compute  # its stubs leave types open
        refused = pc.greater(pc.fill_null(rows.column("refused"), 0), 0)
        for row in rows.filter(refused).select(["observer.name", "refused"]).to_pylist():  # no windows: the store tells of its rows, of whatever interface
            self.refused[row["observer.name"] or ""] += row["refused"]
        windows: Any = rows.filter(pc.invert(refused))
        if windows.num_rows:
            self._count(windows)
            self._see(windows.filter(pc.greater(pc.fill_null(windows.column("packets"), 0), 0)))
            self._read(windows)
            self._tell(windows.filter(_odd(windows)))

    def _see(self, windows: Any) -> None:
        """In which windows of which capture there were packets."""
        times = windows.column("@timestamp").cast("int64").to_pylist()
        for observer, interface, file, time in zip(*(windows.column(name).to_pylist() for name in (*PLACE, "file")), times, strict=True):
            self.by_place[observer or "", interface or ""].windows.setdefault(file or "", {}).setdefault(time // WINDOW, "")

    def _read(self, windows: pa.Table) -> None:
        """What stood at ports, and what of it was understood."""
        ports, ciphers = (_held(windows.column(name)) for name in ("undecoded", "encrypted"))
        columns = (windows.column(name).to_pylist() for name in (*PLACE, "cut_bytes"))
        for observer, interface, cut, undecoded, encrypted in zip(*columns, ports, ciphers, strict=True):
            if undecoded or encrypted:
                self.by_place[observer or "", interface or ""].add_ports(undecoded, cut or 0, encrypted)

    def _tell(self, windows: pa.Table) -> None:
        """What is out of the ordinary, window by window."""
        columns = {name: windows.column(name) for name in TOLD}
        columns["@timestamp"] = columns["@timestamp"].cast("int64")
        lists: dict[str, list[Any]] = {name: _held(column) if name in JSON else column.to_pylist() for name, column in columns.items()}
        for values in zip(*lists.values(), strict=True):
            row = dict(zip(lists, values, strict=True))
            if row["broken"]:
                told = json.loads(row["broken"])
                self.broken |= {(row["observer.name"] or "", json.dumps(each)): each for each in (told, *told.pop("others", ()))}
            self.by_place[row["observer.name"] or "", row["interface"] or ""].add(row)

    def _count(self, windows: pa.Table) -> None:
        """Add up what is only added up, by place, and what counts by the window that has most of it."""
        wanted: list[Any] = [(name, "sum") for name in COUNTS] + [("talks", "max"), ("namesakes", "max")]
        for row in windows.group_by(list(PLACE), use_threads=False).aggregate(wanted).to_pylist():
            sums = self.by_place[row["observer.name"] or "", row["interface"] or ""]
            sums.counts.update({name: row[f"{name}_sum"] or 0 for name in COUNTS})
            sums.talks, sums.namesakes = max(sums.talks, row["talks_max"] or 0), max(sums.namesakes, row["namesakes_max"] or 0)

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
