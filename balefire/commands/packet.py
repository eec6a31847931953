"""Packets told in full: the tree of its fields with the octets that each covers, as tshark reads it; without tshark, what Balefire itself understood.

One packet, or each of a slice: of an alert, an asset, a conversation, a time.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, slices, speaks
from balefire.commands.evidence import gone_words
from balefire.screen import clean
from records.errors import UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from balefire.screen import Screen
    from dashboards.evidence import Kept, Taken
    from records.plant import Plant
    from sensors.dissection import Dissected, Limits

Node = dict[str, Any]
LABEL: Final = 200  # letters of a field on a screen; --json tells all
ENDINGS: Final = (".pcap", ".pcapng", ".cap", ".gz")
ROW: Final = 16  # octets on a line
FEW, MOST = 20, 800  # packets of a slice; with those before it that are read along, no more than are dissected at a time


@dataclass(frozen=True, slots=True)
class Shown:
    """The packet, it among those around it as tshark is to read them, its place there, the titles of findings that name it, and what the plant lists."""

    taken: Taken
    around: list[Taken]
    place: int
    titles: dict[str, str]
    plant: Plant | None = None


@click.command(help=say("evidence.packet.help", HELP))
@click.argument("subject", metavar="[ID|SRC]", required=False)
@click.option("--number", type=click.IntRange(min=1), metavar="N", help=say("evidence.packet.number", HELP))
@slices
@click.option("--limit", type=click.IntRange(1, MOST), metavar="N", help=say("evidence.packet.limit", HELP, default=FEW))
@keeps
@speaks
def packet(screen: Screen, subject: str | None, number: int | None, as_json: bool, limit: int | None, **asked: Any) -> None:
    """Show one packet, or each of a slice."""
    from sensors.dissection import Limits
    from sensors.engine.mode import choose

    limits = Limits(mebibytes=screen.settings.dissection.mebibytes)
    there = bool(subject and Path(subject).exists())
    choose(Path(subject).stat().st_size if subject and there else 0)
    option = next((name for name, value in (*asked.items(), ("limit", limit)) if value), None)
    if option and number:
        raise UsageError("evidence.number_of_slice", option=option)
    if option:
        _slice(screen, subject, there, asked, limit or FEW, limits, as_json)
    elif not subject:
        raise UsageError("evidence.packet_of")
    elif shown := _of_capture(subject, number or 1) if Path(subject).is_file() or (not there and _is_path(subject)) else _of_store(screen, subject, number):
        _show(screen, [shown], limits, as_json)
    else:
        screen.worse(1)


def _show(screen: Screen, several: Sequence[Shown], limits: Limits, as_json: bool) -> None:
    """Packets that stand side by side among the same others."""
    from sensors.dissection import trees

    around, first = several[0].around, several[0].place
    found = trees([(each.number, each.packet) for each in around], limits, first, len(several))
    operations = _operations(several) if len(found.packets) < len(several) else []
    if found.problem:
        screen.note(screen.say(f"evidence.problem.{found.problem}", seconds=limits.seconds, mebibytes=limits.mebibytes))
    for place, shown in enumerate(several):
        fields = found.packets[place]["fields"] if place < len(found.packets) else None
        own = [row for row in operations if shown.taken.number in (row["packet"], row["response_packet"])] if fields is None else None
        if as_json:
            screen.emit(_object(shown, found, fields, own))
        else:
            _tell(screen, shown, fields, own)


def _is_path(subject: str) -> bool:
    """Whether a word can only be meant as a file: an ID has no folder and no capture's ending."""
    return "/" in subject or "\\" in subject or subject.casefold().endswith(ENDINGS)


def _slice(screen: Screen, subject: str | None, there: bool, asked: dict[str, Any], limit: int, limits: Limits, as_json: bool) -> None:
    """Each packet of a slice, those of one capture after the other."""
    from balefire.slices import from_captures, from_store, in_full, kept, selected
    from records.plant import KeptPlant
    from sensors.sources.pcap import find

    store = opened(screen) if not there or expanded(screen.store).exists() else None
    with closing(store) if store else nullcontext():
        plant = KeptPlant(store).plant if store else None
        selection = selected(store, asked)
        reaching = replace(selection, since=None)  # what went before is read, not shown
        found = None if there or store is None else kept(store, subject, selection)
        if found and store:
            taken: Iterable[Taken] = from_store(store, found, reaching)
        else:
            taken = from_captures(find([subject or ""]), reaching, screen.fail)
        groups, more = in_full(taken, selection.since, limit)
    for row in found.gone if found else ():
        screen.note(gone_words(screen, row))
    for number, (around, first) in enumerate(groups):
        several = [Shown(each, around, place, _titles(screen, found, each), plant) for place, each in enumerate(around) if place >= first]
        if number and not as_json:
            screen.print("")
        _show(screen, several, limits, as_json)
    if not groups:
        screen.note(screen.say("evidence.packet.none"))
        screen.worse(1)
    if more:
        screen.note(screen.say("evidence.packet.more", shown=limit, most=MOST))


def _titles(screen: Screen, found: Kept | None, taken: Taken) -> dict[str, str]:
    """What the findings say that name a packet, by identity."""
    return {name: found.findings[name][f"title.{screen.language}"] or "" for name in taken.named} if found else {}


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
    from balefire.slices import from_store, kept
    from dashboards.evidence import around, unkept
    from records.plant import KeptPlant
    from sensors.slicing import Selection

    with closing(opened(screen)) as store:
        found = kept(store, identity, Selection())
        taken, plant = from_store(store, found, Selection()), KeptPlant(store).plant
    for row in found.gone:
        screen.note(gone_words(screen, row))
    if not taken:
        if not found.gone:
            for words in (screen.say("evidence.none_kept"), *(why for _, _, why in unkept(found, screen.language))):
                screen.note(words)
        return None
    place = next((at for at, each in enumerate(taken) if (each.number == number if number else each.named)), None)
    if place is None:
        raise UsageError("evidence.number_kept", number=number or 0, first=taken[0].number, last=taken[-1].number)
    near, there = around(taken, place)
    one = taken[place]
    return Shown(one, near, there, _titles(screen, found, one), plant)


def _operations(several: Sequence[Shown]) -> list[Node]:
    """What Balefire itself understood of packets, from them and those before them, with what the plant calls it."""
    from dashboards.evidence import operations

    found, plant = operations(several[0].around, several[0].taken.file), several[0].plant
    return [row | {"tags": plant.called(row)} for row in found] if plant else found


def _object(shown: Shown, found: Dissected, fields: list[Node] | None, operations: list[Node] | None) -> Node:
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
        "fields": fields,
        "operations": None if operations is None else [row | {"time": iso(row["time"])} for row in operations],
        "problem": found.problem,
    }


def _tell(screen: Screen, shown: Shown, fields: list[Node] | None, operations: list[Node] | None) -> None:
    """For people: what it is, the tree or the operations, and the octets."""
    from balefire.listing import shown as told
    from records.nesting import iso

    one = shown.taken
    size = screen.count("evidence.packet.bytes", len(one.packet.octets), wire=f"{one.packet.wire:,}")
    screen.print(" · ".join([screen.say("evidence.file.packet", file=one.file, number=one.number), iso(one.packet.time), size]))
    for name, title in shown.titles.items():
        screen.print("  " + screen.say("evidence.file.named", id=name, title=title))
    screen.print("")
    if fields:
        for node in fields:
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
