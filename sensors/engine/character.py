"""What is not understood still has a character: how many packets, how long, how often, and which octets. Packets that no protocol was recognised in are
counted by transport and serving port, by IP protocol or by EtherType; of octets a sample is enough.

Where their octets show a cipher, or tell what time it is, that is noted on the way.

Whether a packet counts, and whether it is sampled, depends on its flow alone: however a capture is cut into batches, the counts are the same.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.ciphers import LOOKED, cipher_beneath, cipher_of
from sensors.engine.clocks import read_clock, tells_time
from sensors.engine.interfaces import INTERFACES, place_of
from sensors.engine.network import SYN
from sensors.engine.octets import borrow, entry, inline, kernel, u8
from sensors.engine.tables import ASIDE, CHARACTER, RECOGNISED, table

CHARACTERS: Final = 256  # rows of each interface; its last one takes what finds no other
BINS: Final = 256  # of each row: how often each octet was sampled …
LENGTHS: Final = (16, 64, 256, 512, 1024, 1460)  # … and behind them how many payloads were at most so long, and longer ones
SAMPLED_FIRST: Final = 64  # packets of a flow that are sampled one by one …
SAMPLED_EVERY: Final = 16  # … and then each of so many
SAMPLED_OCTETS: Final = 512  # of a packet
LEAST_INTERVALS: Final = 4  # that can be called even
EVEN: Final = 0.1  # coefficient of variation below which they are


def character_tables() -> tuple[Any, Any]:
    """(characters, their bins [row, BINS + lengths]) of an engine."""
    rows = INTERFACES * CHARACTERS
    return table(rows, CHARACTER), np.zeros((rows, BINS + len(LENGTHS) + 1), np.int64)


@kernel
def _row(place: int, transport: int, port: int, cipher: int, packet: Any, characters: Any) -> int:
    """The row of this interface, transport, port and cipher; the interface's last one where it has no other left."""
    first = place * CHARACTERS
    last = first + CHARACTERS - 1
    for number in range(first, last):
        row = characters[number]
        if row.packets == 0:
            row.transport, row.port, row.cipher, row.first = transport, port, cipher, packet.number
            return number
        if row.transport == transport and row.port == port and row.cipher == cipher:
            return number
    characters[last].transport = characters[last].port = -1
    characters[last].cipher = characters[last].first = 0
    return last


@inline
def _sample(memory: Any, packet: Any, number: int, bins: Any) -> None:
    end = packet.payload + packet.length
    for at in range(packet.payload, min(end, packet.payload + SAMPLED_OCTETS)):
        bins[number, u8(memory, at, end, packet)] += 1


@inline
def _is_sampled(before: int) -> bool:
    return before < SAMPLED_FIRST or before % SAMPLED_EVERY == 0


@inline
def _count(packet: Any, number: int, characters: Any, bins: Any) -> None:
    row = characters[number]
    row.packets += 1
    row.octets += packet.whole
    step = 0
    while step < len(LENGTHS) and packet.whole > LENGTHS[step]:
        step += 1
    bins[number, BINS + step] += 1


@inline
def _meet(flow: Any, packet: Any, place: int, window: int, flows: Any, characters: Any) -> None:
    """The first packet of a flow in this window."""
    flow.character = _row(place, packet.transport, packet.port, flow.cipher, packet, characters)
    flow.unknown_window, flow.unknown_here, flow.intervals, flow.interval, flow.square = window, 0, 0, 0.0, 0.0
    row = characters[flow.character]
    if flow.peer < 0 or flows[flow.peer].unknown_window != window:
        row.conversations += 1
    if flow.unknown == 0 and (flow.peer < 0 or flows[flow.peer].unknown == 0):
        row.begun += 1


@inline
def _time(flow: Any, time: int) -> None:
    """One more interval, where it is not the first packet: running mean and square (Welford)."""
    if flow.unknown > 0:
        flow.intervals += 1
        step = float(time - flow.before)
        off = step - flow.interval
        flow.interval += off / flow.intervals
        flow.square += off * (step - flow.interval)
    flow.before = time


@kernel
def _see_cipher(memory: Any, packet: Any, flow: Any, place: int, window: int, flows: Any, characters: Any) -> None:
    """Is it encrypted? What its peer is, it is too; else its first packets tell."""
    if flow.peer >= 0 and flows[flow.peer].cipher:
        flow.cipher = flows[flow.peer].cipher
    elif flow.unknown < LOOKED:
        flow.cipher = cipher_of(memory, packet)
    if flow.cipher and flow.unknown_window == window:  # from now on it counts as that
        flow.character = _row(place, packet.transport, packet.port, flow.cipher, packet, characters)
        characters[flow.character].conversations += 1


@kernel
def _begin(flow: Any, flows: Any) -> None:
    """A handshake: what comes now is another conversation. Here and not where it is followed, since that goes ahead by a batch."""
    flow.cipher, flow.unknown, flow.unknown_window = 0, 0, -1
    if flow.peer >= 0:
        peer = flows[flow.peer]
        peer.cipher, peer.unknown, peer.unknown_window = 0, 0, -1


@inline
def _without_flow(memory: Any, packet: Any, place: int, characters: Any, bins: Any) -> None:
    """What has no ports: other IP protocols, and frames that are not IP, by EtherType. As `streams` counts them."""
    named = packet.source >= 0 and packet.transport >= 0
    cipher = cipher_beneath(named, packet)
    transport, port = (packet.transport, -1) if named else (-1, packet.ethertype)
    number = _row(place, transport, port, cipher, packet, characters)
    if _is_sampled(characters[number].packets):
        _sample(memory, packet, number, bins)
    _count(packet, number, characters, bins)


@entry
def characterise(
    memory: Any, start: int, count: int, packets: Any, window: int, flows: Any, characters: Any, bins: Any, places: Any, hosts: Any,
    references: Any, differences: Any,
) -> None:  # fmt: skip
    """Of packets[start:count], which `follow` has seen and which are of one window: count those that nothing was recognised in, and read what clocks tell."""
    memory, packets, flows, characters, bins = borrow(memory), borrow(packets), borrow(flows), borrow(characters), borrow(bins)
    places, hosts, references, differences = borrow(places), borrow(hosts), borrow(references), borrow(differences)
    for i in range(start, count):
        packet = packets[i]
        if packet.tcp_flags & SYN and packet.flow >= 0:
            _begin(flows[packet.flow], flows)
        if packet.whole <= 0:
            continue
        place = place_of(packet.interface, places)
        if tells_time(packet) and packet.marks & ASIDE == 0:
            read_clock(memory, packet, hosts, place, references, differences)
        if packet.marks & RECOGNISED:
            continue
        if packet.flow < 0:
            if packet.source_port < 0 or packet.source < 0 or packet.target < 0:
                _without_flow(memory, packet, place, characters, bins)
            continue
        flow = flows[packet.flow]
        if flow.cipher == 0:
            _see_cipher(memory, packet, flow, place, window, flows, characters)
        if flow.unknown_window != window:
            _meet(flow, packet, place, window, flows, characters)
        _time(flow, packet.time)
        if _is_sampled(flow.unknown):
            _sample(memory, packet, flow.character, bins)
        flow.unknown += 1
        flow.unknown_here += 1
        _count(packet, flow.character, characters, bins)


@entry
def settle(gone: Any, window: int, flows: Any, characters: Any) -> None:
    """These flows say nothing more in this window: were their packets cyclic?"""
    gone, flows, characters = borrow(gone), borrow(flows), borrow(characters)
    for k in range(len(gone)):
        flow = flows[gone[k]]
        if flow.used == 0 or flow.unknown_window != window or flow.intervals < LEAST_INTERVALS or flow.interval <= 0.0:
            continue
        if flow.square < EVEN * EVEN * flow.interval * flow.interval * (flow.intervals - 1):
            row = characters[flow.character]
            row.cyclic += flow.unknown_here
            row.period += flow.interval * flow.unknown_here
