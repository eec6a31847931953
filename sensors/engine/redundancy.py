"""Frames sent over two ways (IEC 62439-3, HSR and PRP): the second copy is recognised by its source and sequence number."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import i64be, inline, kernel, mix, u8, u16be
from sensors.engine.tables import DUPLICATE, VLAN_TAGS

MILLISECOND: Final = 1_000_000
ENTRY_FORGET: Final = 400 * MILLISECOND  # how long a sequence number is remembered
SUFFIX: Final = 0x88FB  # ends a redundancy control trailer
TRAILER: Final = 6
WAYS: Final = 4  # rows that one hash may lie in
MAX_TAGS: Final = 4


@kernel
def sight(memory: Any, packet: Any, sequence: int, at: int, end: int, sightings: Any) -> None:
    """Mark the packet as duplicate if its source sent this number and these octets [at, end) just before; else remember it in place of the oldest.

    Whoever does not know of redundancy takes both of two frames that only their number makes copies.
    """
    mac, time = packet.source_mac, packet.time
    content = mix(packet.target_mac, end - at)
    while at + 8 <= end:
        content = mix(content, i64be(memory, at, end, packet))
        at += 8
    while at < end:
        content = mix(content, u8(memory, at, end, packet))
        at += 1
    first = mix(mac, sequence) & (len(sightings) - WAYS)
    oldest = first
    for place in range(first, first + WAYS):
        row = sightings[place]
        if row.mac == mac and row.sequence == sequence and row.time >= 0:
            if abs(time - row.time) < ENTRY_FORGET and row.content == content:
                packet.marks |= DUPLICATE
                return
            oldest = place
            break
        if row.time < sightings[oldest].time:
            oldest = place
    row = sightings[oldest]
    row.mac, row.sequence, row.time, row.content = mac, sequence, time, content


@kernel
def read_trailer(memory: Any, packet: Any, sightings: Any) -> None:
    """A frame that ends like one of PRP: where length and network fit too, the trailer is no payload. No tag counts for that length."""
    at = packet.edge - TRAILER
    told = u16be(memory, at + 2, packet.end, packet)
    headers = 14
    for _ in range(MAX_TAGS):
        if packet.at + headers + 4 > at or u16be(memory, packet.at + headers - 2, at, packet) not in VLAN_TAGS:
            break
        headers += 4
    if told >> 12 in (0xA, 0xB) and told & 0xFFF == packet.wire - headers:
        sight(memory, packet, u16be(memory, at, packet.end, packet), packet.at + 12, at, sightings)
        packet.edge = packet.end = at


@inline
def ends_redundant(memory: Any, packet: Any) -> bool:
    """Does a whole frame end in the suffix of a trailer?"""
    return packet.captured == packet.wire and packet.wire >= 14 + TRAILER and u16be(memory, packet.end - 2, packet.end, packet) == SUFFIX
