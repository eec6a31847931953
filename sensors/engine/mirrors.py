"""The same packet twice: two mirror ports that both see its way. Between them a router may have changed its TTL, its VLAN and its MAC addresses.

Copies are counted, not left out: what is compared are IP identification, sequence numbers, length and the ends of the payload, and who makes others fit
could hide one. Of TCP a copy changes nothing; of UDP every operation counts twice.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.network import TCP
from sensors.engine.octets import blend, borrow, entry, i64be, inline, mix, u8
from sensors.engine.tables import ASIDE, MIRRORED

WITHIN: Final = 10_000_000  # nanoseconds between the two
COPIES: Final = 1 << 12  # packets that are remembered, by what they hold


@inline
def _content(memory: Any, packet: Any) -> int:
    """A hash of what stays the same on the way; of the payload what it begins and ends with: eight octets each, of a short one all."""
    at, end, short = packet.payload, packet.payload + packet.length, packet.short
    if packet.length >= 8:
        first, last = i64be(memory, at, end, packet), i64be(memory, end - 8, end, packet)
    else:
        first = last = 0
        while at < end:
            first = first << 8 ^ u8(memory, at, end, packet)
            at += 1
    packet.short = short
    numbers = packet.identification << 40 ^ packet.whole << 16 ^ packet.tcp_flags << 8 ^ packet.transport
    hosts, ports = packet.source << 24 ^ packet.target ^ packet.realm, packet.source_port << 16 ^ packet.target_port
    return mix(blend(hosts, numbers, packet.sequence << 31 ^ packet.acknowledge, packet.length), blend(first, last, ports, 0))


@entry
def compare(memory: Any, start: int, count: int, packets: Any, copies: Any) -> None:
    """Mark those of packets[start:count] that were there a moment before. `copies`: a power of two of rows."""
    memory, packets, copies = borrow(memory), borrow(packets), borrow(copies)
    for i in range(start, count):
        packet = packets[i]
        if packet.source < 0 or packet.target < 0 or packet.marks & ASIDE or packet.fragment:
            continue
        if packet.identification == 0 and (packet.transport != TCP or packet.whole == 0):  # nothing tells it from one that is sent again
            continue
        content = _content(memory, packet)
        row = copies[content & (len(copies) - 1)]
        if row.content == content and abs(packet.time - row.time) <= WITHIN:
            packet.marks |= MIRRORED
        row.content, row.time = content, packet.time
