"""One packet told in full: the tree of its fields with the octets that each covers, as tshark reads it; without tshark, what Balefire itself understood."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.screen import clean
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from balefire.screen import Screen
    from dashboards.evidence import Taken
    from sensors.dissection import Dissected

Node = dict[str, Any]
LABEL: Final = 200  # letters of a field on a screen; --json tells all
ROW: Final = 16  # octets on a line


@dataclass(frozen=True, slots=True)
class Shown:
    """The packet, it among those around it as tshark is to read them, its place there, and the titles of findings that name it."""

    taken: Taken
    around: list[Taken]
    place: int
    titles: dict[str, str]


@click.command(help=say("evidence.packet.help", HELP))
@click.argument("subject", metavar="ID|FILE")
@click.option("--number", type=click.IntRange(min=1), metavar="N", help=say("evidence.packet.number", HELP))
@keeps
@speaks
def packet(screen: Screen, subject: str, number: int | None, as_json: bool) -> None:
    """Show one packet."""
    from sensors.engine.mode import choose

    file = Path(subject).is_file()
    choose(Path(subject).stat().st_size if file else 0)
    shown = _of_capture(subject, number or 1) if file else _of_store(screen, subject, number)
    if shown is None:
        screen.worse(1)
        return
    from sensors.dissection import Limits, trees

    limits = Limits(mebibytes=screen.settings.dissection.mebibytes)
    found = trees([each.packet for each in shown.around], limits, shown.place)
    operations = None if found.packets else _operations(shown)
    if found.problem:
        screen.note(screen.say(f"evidence.problem.{found.problem}", seconds=limits.seconds, mebibytes=limits.mebibytes))
    if as_json:
        screen.emit(_object(shown, found, operations))
    else:
        _tell(screen, shown, found, operations)


def _of_capture(path: str, number: int) -> Shown:
    """A packet of a capture file, with those of its conversation around it."""
    from dashboards.evidence import Taken
    from sensors.decoding import Decoder
    from sensors.evidence import Keeper
    from sensors.sensor import BATCH
    from sensors.sources.again import Marks
    from sensors.sources.pcap import find, open_capture

    (capture,) = find([path])
    if capture.error is not None:
        raise capture.error
    marks, decoder = Marks(), Decoder(BATCH)
    with closing(open_capture(capture, marks)) as source:
        while marks.last < number and decoder.read(source):
            pass
        if marks.last < number and source.error is not None:
            raise source.error
    with closing(Keeper(capture, marks)) as keeper:
        found = [Taken(capture.name, each, packet) for each, packet in keeper.find([number])]
    place = next((at for at, each in enumerate(found) if each.number == number), None)
    if place is None:
        raise UsageError("evidence.number", number=number, file=capture.name, last=marks.last)
    return Shown(found[place], found, place, {})


def _of_store(screen: Screen, identity: str, number: int | None) -> Shown | None:
    """A packet that is kept for an alert or a finding: the first that is named, or the one with this number. None where none is there."""
    from balefire.commands.evidence import gone_words
    from balefire.slices import from_store, kept
    from dashboards.evidence import around
    from sensors.slicing import Selection

    with closing(opened(screen)) as store:
        found = kept(store, identity, Selection())
        taken = from_store(store, found, Selection())
    for row in found.gone:
        screen.note(gone_words(screen, row))
    if not taken:
        if not found.gone:
            screen.note(screen.say("evidence.none_kept"))
        return None
    place = next((at for at, each in enumerate(taken) if (each.number == number if number else each.named)), None)
    if place is None:
        raise UsageError("evidence.number_kept", number=number or 0, first=taken[0].number, last=taken[-1].number)
    near, there = around(taken, place)
    one = taken[place]
    return Shown(one, near, there, {name: found.findings[name][f"title.{screen.language}"] or "" for name in one.named})


def _operations(shown: Shown) -> list[dict[str, Any]]:
    """What Balefire itself understood of the packet, from it and those before it."""
    from dashboards.evidence import operations

    return [row for row in operations(shown.around, shown.taken.file) if shown.taken.number in (row["packet"], row["response_packet"])]


def _object(shown: Shown, found: Dissected, operations: list[dict[str, Any]] | None) -> dict[str, Any]:
    from records.nesting import iso

    one = shown.taken
    return {
        "file": one.file,
        "packet": one.number,
        "time": iso(one.packet.time),
        "captured": len(one.packet.octets),
        "wire": one.packet.wire,
        "findings": one.named,
        "octets": one.packet.octets.hex(),
        "tshark": found.version,
        "fields": found.packets[0]["fields"] if found.packets else None,
        "operations": None if operations is None else [row | {"time": iso(row["time"])} for row in operations],
        "problem": found.problem,
    }


def _tell(screen: Screen, shown: Shown, found: Dissected, operations: list[dict[str, Any]] | None) -> None:
    """For people: what it is, the tree or the operations, and the octets."""
    from balefire.listing import shown as told
    from records.nesting import iso

    one = shown.taken
    size = screen.count("evidence.packet.bytes", len(one.packet.octets), wire=f"{one.packet.wire:,}")
    screen.print(" · ".join([screen.say("evidence.file.packet", file=one.file, number=one.number), iso(one.packet.time), size]))
    for name, title in shown.titles.items():
        screen.print("  " + screen.say("evidence.file.named", id=name, title=title))
    screen.print("")
    if found.packets:
        for node in found.packets[0]["fields"]:
            for each in _lines(node):
                screen.print(each)
    elif operations:
        for line in told((row | {"time": iso(row["time"])} for row in operations), screen.language, live=False):
            screen.print(line, whole=True)
    else:
        screen.print(screen.say("evidence.packet.no_operation"))
    screen.print("")
    for at in range(0, len(one.packet.octets), ROW):
        screen.print(_hex(one.packet.octets[at : at + ROW], at))


def _lines(node: Node, depth: int = 0) -> Iterator[str]:
    """A field and what is in it: where its octets stand, the first of them, what tshark says."""
    if node["hidden"]:
        return
    at, size = node["position"], node["size"]
    span = "" if at is None else str(at) if size == 1 else f"{at}–{at + size - 1}"
    raw = (node["raw"] or "")[: 2 * 8] if depth and size else ""
    label = clean(node["label"] or node["name"] or "")
    yield f"{span:>9}  {raw:<16}  {'  ' * depth}{label if len(label) <= LABEL else label[: LABEL - 1] + '…'}".rstrip()
    for child in node["fields"]:
        yield from _lines(child, depth + 1)


def _hex(octets: bytes, at: int) -> str:
    letters = "".join(chr(octet) if 0x20 <= octet < 0x7F else "·" for octet in octets)
    return f"{at:04x}  {octets.hex(' '):<{3 * ROW}} {letters}"
