"""Packets that are kept for findings: which are there and which are gone, each with why it is among them, and all of them as a file for Wireshark.

The same for the command line and the pages.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from records import scratch
from records.errors import UsageError
from records.model import KEEPING
from records.query import Query
from records.schema import EVIDENCE, FINDING
from records.search import Match
from records.store.columns import decoded, flat
from records.visible import clean
from records.wording import say
from sensors.pcapng import Packet, Writer, read

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterable, Sequence

    from records.store.contract import Store
    from sensors.source import Source

Row = dict[str, Any]
MOST: Final = 500_000  # packets out of a store at a time: they are sorted in memory
AROUND: Final = 200  # packets that are read before and after one, for what it goes on from
TITLES: Final = 3  # findings that a packet's comment tells in full


@dataclass(slots=True)
class Taken:
    """A packet of the capture `file`, its number there, and the findings that name it or stand near it."""

    file: str
    number: int
    packet: Packet
    named: list[str] = field(default_factory=list[str])
    near: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Kept:
    """Findings and what is kept for them, by identity. `gone` are rows of evidence that is no more there; `without` are findings that none was kept for,
    each with why (`evidence.why.*` of the catalogue).
    """

    kind: str | None
    identity: str | None
    findings: dict[str, Row]
    there: dict[str, Row]
    gone: list[Row]
    without: dict[str, str]


def kept_for(store: Store, kind: str | None, identity: str | None, findings: Sequence[Row]) -> Kept:
    """What is kept for these findings (flat rows, JSON decoded), in their order."""
    by_name = {row["id"]: row for row in findings}
    known = {row["id"]: row for row in flat(EVIDENCE, store.read("evidence", Query(ids=tuple(by_name))))} if by_name else {}
    there = {name: known[name] for name in by_name if name in known and known[name]["sha256"] and known[name]["gone"] is None}
    gone = [row for row in known.values() if row["gone"] is not None]
    without = _without(store, {name: row for name, row in by_name.items() if name not in known or known[name]["sha256"] is None}, known)
    return Kept(kind, identity, by_name, there, sorted(gone, key=lambda row: (row["time"], row["id"])), without)


def kept_of(store: Store, alert: str, query: Query | None = None) -> Kept:
    """What is kept for the findings of an alert, in the order of the query."""
    rows = flat(FINDING, store.read("finding", replace(query or Query(), where=Match("alert", alert, cased=True))))
    return kept_for(store, "alert", alert, [decoded(row, "finding") for row in rows])


def _without(store: Store, findings: dict[str, Row], known: Container[str]) -> dict[str, str]:
    """Why none was kept for each of these findings."""

    @cache
    def many(key: str) -> bool:
        return store.count("finding", Query(where=Match("key", key, cased=True))) > KEEPING

    def why(name: str, finding: Row) -> str:
        if not finding.get("packets"):
            return "unnamed"
        if name in known:
            return "away"
        return "many" if many(finding["key"]) else "off"

    return {name: why(name, finding) for name, finding in findings.items()}


def unkept(found: Kept, language: str) -> list[tuple[int, str, str]]:
    """For how many findings none was kept, by the reason: the first of them, and the reason in words with how to have their packets."""
    told: list[tuple[int, str, str]] = []
    for reason in dict.fromkeys(found.without.values()):
        names = [name for name, why in found.without.items() if why == reason]
        files = dict.fromkeys(packet["file"] for name in names for packet in found.findings[name].get("packets") or ())
        told.append((len(names), names[0], say(f"evidence.why.{reason}", language, most=KEEPING, file=next(iter(files), ""))))
    return told


def named(finding: Row) -> set[int]:
    """The numbers of the packets that a finding names."""
    return {packet["packet"] for packet in finding.get("packets") or ()}


def together(store: Store, found: Kept) -> list[Taken]:
    """The packets that are kept, each once, in the order of time. Raises InputError, StoreError; UsageError where they are too many."""
    taken: dict[tuple[str, int], Taken] = {}
    contents: dict[tuple[str, str, tuple[int, ...]], list[Row]] = {}
    for row in found.there.values():
        contents.setdefault((row["sha256"], row["file"], tuple(row["numbers"])), []).append(row)
    for rows in contents.values():
        packets = list(zip(rows[0]["numbers"], read(store.packets(rows[0]["id"]) or b""), strict=False))
        for row in rows:
            add(taken, row["file"], row["id"], packets, named(found.findings[row["id"]]))
        if len(taken) > MOST:
            raise UsageError("evidence.many", most=MOST)
    return sorted(taken.values(), key=lambda each: (each.packet.time, each.file, each.number))


def add(taken: dict[tuple[str, int], Taken], file: str, finding: str, packets: Iterable[tuple[int, Packet]], wanted: set[int]) -> None:
    """Put a finding's packets among those of others; it names those with a `wanted` number."""
    for number, packet in packets:
        each = taken.setdefault((file, number), Taken(file, number, packet))
        (each.named if number in wanted else each.near).append(finding)


def around(taken: Sequence[Taken], place: int) -> tuple[list[Taken], int]:
    """A packet among those of its capture that stand around it, and its place there: what it goes on from is needed to understand it."""
    one = taken[place]
    near = [each for each in taken[max(0, place - AROUND) : place + AROUND] if each.file == one.file]
    return near, near.index(one)


@contextmanager
def as_capture(near: Sequence[Taken]) -> Generator[Source]:
    """Packets as a capture of their own."""
    from sensors.sources.pcap import find, open_capture

    with ExitStack() as opened:
        try:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix=scratch.prefix("slice"), ignore_cleanup_errors=True))
            file = Path(folder) / "slice.pcapng"
            with file.open("wb") as made:  # closing it writes, too
                writer = Writer(made)
                for each in near:
                    writer.add(each.packet)
        except OSError as error:
            raise UsageError("evidence.room", folder=tempfile.gettempdir(), reason=error.strerror or str(error)) from error
        (capture,) = find([str(file)])
        yield opened.enter_context(closing(open_capture(capture)))


def operations(near: Sequence[Taken], file: str) -> list[Row]:
    """What Balefire itself understands of packets of one capture: an object an operation, with the packets' numbers there."""
    from sensors.listing import lines

    with as_capture(near) as source:
        told: list[Row] = list(lines(source, file))
    numbers = [None, *(each.number for each in near)]
    return [row | {name: numbers[row[name] or 0] for name in ("packet", "response_packet")} for row in told]


def titles(found: Kept | None, language: str) -> dict[str, str]:
    """What the findings say, by identity."""
    return {name: clean(row[f"title.{language}"] or "") for name, row in found.findings.items()} if found else {}


def pcapng(file: IO[bytes], found: Kept | None, language: str) -> Writer:
    """The beginning of a file of packets: whose they are."""
    gravest = max(found.findings.values(), key=lambda row: (row["severity"], -row["time"]), default=None) if found else None
    title = clean(gravest[f"title.{language}"] or "") if gravest else ""
    heading = say("evidence.file.alert", language, id=found.identity, title=title) if found and found.identity else ""
    return Writer(file, heading, f"Balefire {version('balefire')}")


def comment(taken: Taken, told: dict[str, str], language: str) -> str:
    """Why a packet is there, and where it was."""
    lines = [say("evidence.file.packet", language, file=clean(taken.file), number=taken.number)]
    for key, findings in (("named", taken.named), ("near", taken.near if not taken.named else [])):
        lines += [say(f"evidence.file.{key}", language, id=name, title=told.get(name, "")) for name in findings[:TITLES]]
        if len(findings) > TITLES:
            rest = len(findings) - TITLES
            lines.append(say(f"evidence.file.more.{'one' if rest == 1 else 'many'}", language, count=rest))
    return "\n".join(lines)
