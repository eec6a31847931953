"""What `balefire evidence` writes: packets kept for findings, or packets of captures that are still there, each with why it is among them."""

from __future__ import annotations

import tempfile
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from balefire.identities import UnknownError, asset_named, one
from dashboards.evidence import AROUND, Kept, Taken, add, kept_for, kept_of, named, together
from records import scratch
from records.addresses import is_mac
from records.asking import moments
from records.errors import UsageError
from records.model import PacketRef
from records.query import Query
from records.schema import EVIDENCE, FINDING
from records.store.columns import decoded, flat
from sensors.pcapng import Writer
from sensors.slicing import Party, Selection, Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from records.store.contract import Store
    from sensors.sources.pcap import Capture

Row = dict[str, Any]


def kept(store: Store, identity: str | None, selection: Selection) -> Kept:
    """What is kept for an alert, for a finding, or, where no ID is given, in this time. Raises UnknownError."""
    kind, found = one(store, identity) if identity else (None, None)
    if kind == "alert":
        return kept_of(store, found or "")
    if kind == "finding":
        rows = [store.get("finding", found or "") or {}]
    else:
        rows = [decoded(row, "finding") for row in flat(FINDING, store.read("finding", Query(ids=tuple(_in_time(store, selection)))))]
    return kept_for(store, kind, found, rows)


def _in_time(store: Store, selection: Selection) -> Iterator[str]:
    """The evidence that reaches into the time of a selection."""
    for row in flat(EVIDENCE, store.read("evidence", Query(until=selection.until))):
        if selection.since is None or row["end"] >= selection.since:
            yield row["id"]


def from_store(store: Store, found: Kept, selection: Selection) -> list[Taken]:
    """The packets that are kept, each once, in the order of time. Raises InputError, StoreError; UsageError where they are too many."""
    ordered = together(store, found)
    return ordered if selection.everything else _filtered(ordered, selection)


def _filtered(taken: list[Taken], selection: Selection) -> list[Taken]:
    """Those that a selection takes: as a capture of their own, they are looked at as any other is."""
    from sensors.sources.pcap import find

    with tempfile.NamedTemporaryFile(prefix=scratch.prefix("slice"), suffix=".pcapng") as file:
        writer = Writer(file)
        for each in taken:
            writer.add(each.packet)
        file.flush()
        return [taken[number - 1] for capture in find([file.name]) for number, _ in Slice(capture, selection).packets()] if taken else []


def from_captures(captures: Sequence[Capture], selection: Selection, fail: Any) -> Iterator[Taken]:
    """The packets of captures as they come. `fail` is told what was wrong with one."""
    for capture in captures:
        cut = Slice(capture, selection)
        for number, packet in cut.packets():
            yield Taken(capture.name, number, packet)
        if cut.error is not None:
            fail(cut.error)


def again(captures: Sequence[Capture], found: Kept, selection: Selection, fail: Any) -> list[Taken]:
    """The packets of findings, copied anew from the captures that still have them: each finding's from the first that holds the packets it means."""
    from contextlib import closing

    from records.nesting import period
    from sensors.decoding import Decoder
    from sensors.evidence import Keeper
    from sensors.sensor import BATCH
    from sensors.sources.again import Marks
    from sensors.sources.pcap import open_capture

    taken: dict[tuple[str, int], Taken] = {}
    left = dict(found.findings)
    for capture in captures:
        if capture.error is not None:
            fail(capture.error)
            continue
        marks, decoder = Marks(), Decoder(BATCH)
        with closing(open_capture(capture, marks)) as source:
            while decoder.read(source):
                pass
            if source.error is not None:
                fail(source.error)
        with closing(Keeper(capture, marks)) as keeper:
            for name, finding in list(left.items()):
                told = [PacketRef(each["file"], each["packet"], (period(each["time"]) or (0,))[0]) for each in finding.get("packets") or ()]
                packets, missing = keeper.named(told)
                if packets and not missing:
                    add(taken, capture.name, name, packets, named(finding))
                    del left[name]
    found.without = dict.fromkeys(left, "elsewhere")
    found.gone[:] = [row for row in found.gone if row["id"] in left]  # what was had again is not gone
    ordered = sorted(taken.values(), key=lambda each: (each.packet.time, each.file, each.number))
    return ordered if selection.everything else _filtered(ordered, selection)


def in_full(taken: Iterable[Taken], since: int | None, limit: int) -> tuple[list[tuple[list[Taken], int]], bool]:
    """The first `limit` packets from `since` on by capture, each with those before it (the last AROUND), and how many these are; are there more?"""
    before, wanted, count = defaultdict[str, deque[Taken]](lambda: deque(maxlen=AROUND)), defaultdict[str, list[Taken]](list), 0
    for each in taken:
        if since is not None and each.packet.time < since:
            before[each.file].append(each)
        elif count == limit:
            return [([*before[file], *those], len(before[file])) for file, those in wanted.items()], True
        else:
            wanted[each.file].append(each)
            count += 1
    return [([*before[file], *those], len(before[file])) for file, those in wanted.items()], False


def selected(store: Store | None, asked: dict[str, Any]) -> Selection:
    """What the options of `command.slices` ask for. Raises UsageError."""
    since, until = moments(asked["since"], asked["until"])
    pair = asked["between"]
    return Selection(
        since,
        until,
        party(store, asked["asset"]) if asked["asset"] else None,
        (party(store, pair[0]), party(store, pair[1])) if pair else None,
        asked["port"],
    )


def party(store: Store | None, text: str) -> Party:
    """Who a person means: one address, or an asset by its name or the beginning of its ID; its IP addresses where it has some, and on the link its MAC.

    An IP address has the MAC address of the asset that it is of. Raises UsageError where it is neither.
    """
    try:
        asset = asset_named(store, text) if store else {}
    except UnknownError:  # an option that means nothing, not a question that has no answer
        asset = {}
    known = [address for address in asset.get("addresses") or () if is_address(address)]
    macs = frozenset(address for address in known if is_mac(address))
    if is_address(text):
        return Party(frozenset({text.lower()}), frozenset() if is_mac(text) else macs)
    if not known:
        raise UsageError("evidence.asset", text=text)
    return Party(frozenset(known) - macs or macs, macs)


def is_address(text: str) -> bool:
    """Is it an IP or a MAC address?"""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_mac(text)
    return True
