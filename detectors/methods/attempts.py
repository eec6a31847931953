"""Connections that come to nothing, as coverage tells of them: who looks for open ports or for hosts, fast or slow, who floods a port; and devices that open
connections of no known protocol themselves.

A host that misses a server asks again and again for the same port; one that looks around tries many, each for a moment. A controller answers: what it opens
itself, its maker or its owner knows of, and it stays the same. What was learned is normal. Connections to the Internet are left out: browsers open more of
them than they use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.gathering import plain
from detectors.noticing import ENDS, MOST_WITNESSES, Notice, Remembering, Witness, found
from records.formats import DAY, HOUR, MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

MOMENT: Final = 2 * MINUTE  # who tries a thing in more windows than that means it
BURST: Final = 5 * MINUTE
FAST: Final = 12  # different ports within a burst that were tried for a moment …
SLOW: Final = 24  # … and within a day, …
SPREAD: Final = 8  # … in so many different bursts
FLOOD: Final = 300  # connections to one port in a minute that come to nothing
EXAMPLES: Final = 5  # that a finding names
MOST: Final = 4096  # sources that are remembered, those heard of last
MOST_THINGS: Final = 512  # of one source, those tried last, and those learned first
COLUMNS: Final = ("id", "event.start", "event.end", "observer.name", "observer.site", "attempts", "calls")
TECHNIQUES: Final = {
    "port-scan": ("T0846", "T0846.001"),
    "host-scan": ("T0846", "T0846.001"),
    "connection-flood": ("T0814",),
    "device-calls": ("T0867", "T0886"),
}
RESPOND: Final = {
    "port-scan": ("who", "answered", "tool"), "host-scan": ("who", "answered", "tool"), "connection-flood": ("stop", "device", "who"),
    "device-calls": ("what", "inside", "owner"),
}  # fmt: skip


def build(setup: Setup) -> Attempts:
    """The detector, which names captures as the setup does."""
    return Attempts(setup.files)


@dataclass(slots=True)
class Tried:
    """What one source tried, with the windows in which it did first and last, and number and time of a packet; what was learned of it; when what was told of it
    (nanoseconds).
    """

    things: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])
    learned: dict[str, int] = field(default_factory=dict[str, int])
    told: dict[str, int] = field(default_factory=dict[str, int])


class Attempts(Remembering[Tried]):
    """Judges what coverage tells of connections, each source for itself."""

    name = "attempts"
    form = 1

    def learn(self, batch: Batch) -> None:
        """What was tried and called meanwhile is normal."""
        for row in _rows(batch):
            for source, thing in (*_tried(row), *_calls(row)):
                learned = self._latest(_key(row, source), Tried, MOST).learned
                if len(learned) < MOST_THINGS:
                    learned[thing] = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of connections, in the order of the rows."""
        return [finding for row in _rows(batch) for finding in (*self._scanned(row), *self._flooded(row), *self._called(row))]

    def _revived(self, told: Any) -> Tried:
        return Tried(dict(told["things"]), dict(told["learned"]), dict(told["told"]))

    def _due(self, known: Tried, about: str, now: int, again: int) -> bool:
        """May this be told now? Then it is."""
        if now - known.told.get(about, 0) < again:
            return False
        known.told = dict([*known.told.items(), (about, now)][-MOST_THINGS:])
        return True

    def _scanned(self, row: Row) -> Iterator[Finding]:
        start = row["event.start"]
        for attempt in row["attempts"]:
            if attempt["source"] is None:
                continue
            known = self._latest(_key(row, attempt["source"]), Tried, MOST)
            for host, transport, port, _, *packet in attempt["tried"]:
                thing = _port(host, transport, port)
                if thing not in known.learned and not ip_address(host).is_global:
                    first, _, *before = known.things.pop(thing, [start, start, *packet])
                    known.things[thing] = [first, start, *before]
                    if len(known.things) > MOST_THINGS:
                        del known.things[next(iter(known.things))]
            yield from self._told(row, attempt["source"], known)

    def _told(self, row: Row, source: str, known: Tried) -> Iterator[Finding]:
        now = row["event.end"]
        brief = {thing: times for thing, times in known.things.items() if times[0] >= now - DAY and times[1] - times[0] < MOMENT}
        fast = {thing: times for thing, times in brief.items() if times[0] >= now - BURST}
        slow = len(brief) >= SLOW and len({first // BURST for first, *_ in brief.values()}) >= SPREAD
        if len(fast) < FAST and not slow:
            return
        chosen = fast if len(fast) >= FAST else brief
        hosts, ports = {thing.split()[0] for thing in chosen}, {thing.split()[1] for thing in chosen}
        rule = "port-scan" if len(ports) >= len(hosts) else "host-scan"
        if not self._due(known, rule, now, HOUR if chosen is fast else DAY):
            return
        terms = {"moment": 35.0, "fast" if chosen is fast else "slow": 10.0}
        values = {"count": len(ports) if rule == "port-scan" else len(hosts), "examples": [_read(thing) for thing in list(chosen)[:EXAMPLES]]}
        packets = [(packet, time) for _, _, packet, time in chosen.values()]
        yield self._finding(rule, row, (source, next(iter(hosts)) if len(hosts) == 1 else None), terms, values, packets)

    def _flooded(self, row: Row) -> Iterator[Finding]:
        ports: dict[tuple[str, int], list[tuple[str | None, int, int, int]]] = {}
        for attempt in row["attempts"]:
            for host, transport, port, *told in attempt["tried"]:
                if transport == "tcp":
                    ports.setdefault((host, port), []).append((attempt["source"], *told))
        for (host, port), tried in ports.items():
            count = sum(times for _, times, _, _ in tried)
            if count < FLOOD or not self._due(self._latest(_key(row, host), Tried, MOST), f"flood {port}", row["event.end"], HOUR):
                continue
            source = tried[0][0] if len(tried) == 1 else None
            packets = [(packet, time) for _, _, packet, time in tried]
            yield self._finding("connection-flood", row, (source, host), {"many": 50.0}, {"count": count, "port": port}, packets)

    def _called(self, row: Row) -> Iterator[Finding]:
        for call in row["calls"]:
            known = self._latest(_key(row, call["source"]), Tried, MOST)
            thing = _port(call["destination"], "tcp", call["port"])
            if thing in known.learned or not self._due(known, call["destination"], row["event.end"], DAY):
                continue
            terms = {"opens": 30.0, **({"device": 5.0} if call["answers"] else {}), **({"unlearned": 10.0} if known.learned else {})}
            packets = [(call["packet"], call["time"])]
            yield self._finding("device-calls", row, (call["source"], call["destination"]), terms, {"port": call["port"]}, packets)

    def _finding(
        self, rule: str, row: Row, ends: tuple[str | None, str | None], terms: dict[str, float], values: Mapping[str, object], packets: list[tuple[int, int]]
    ) -> Finding:  # fmt: skip
        about = {**dict.fromkeys(ENDS), **{name: row[name] for name in COLUMNS}, "source.ip": ends[0], "destination.ip": ends[1]}
        seen = [Witness("", packet, time, row["event.end"], "unknown") for packet, time in packets[:MOST_WITNESSES]]
        notice = Notice(rule, about, seen, terms, TECHNIQUES[rule], RESPOND[rule], lambda language: _words(values, language))
        return replace(found(self.name, self._files, notice, _say), effects=(), activities=())  # no protocol, no activity


def _rows(batch: Batch) -> Iterator[Row]:
    """Rows of coverage that tell of connections."""
    for row in plain(batch.coverage.select(list(COLUMNS))):
        opened: Row = {name: json.loads(row[name] or "[]") for name in ("attempts", "calls")}
        if opened["attempts"] or opened["calls"]:
            yield row | opened


def _tried(row: Row) -> Iterator[tuple[str, str]]:
    """(source, thing) of what is tried."""
    for attempt in row["attempts"]:
        if attempt["source"] is not None:
            for host, transport, port, *_ in attempt["tried"]:
                yield attempt["source"], _port(host, transport, port)


def _calls(row: Row) -> Iterator[tuple[str, str]]:
    """(source, thing) of what devices call."""
    for call in row["calls"]:
        yield call["source"], _port(call["destination"], "tcp", call["port"])


def _words(values: Mapping[str, object], language: str) -> dict[str, object]:
    comma = say("detectors.phrase.comma", language)
    return {name: comma.join(map(str, cast("list[object]", value))) if isinstance(value, list) else value for name, value in values.items()}


def _read(thing: str) -> str:
    """A port as people write it: 10.0.0.2:502, [fd00::2]:502."""
    host, _, port = thing.replace(" ", "/").split("/")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(host: str, transport: str, port: int) -> str:
    return f"{host} {transport}/{port}"


def _key(row: Row, host: str) -> str:
    return f"{row['observer.name'] or ''}|{host}"


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"attempts.{key}", language, **words)
