"""Packets to conversations: time, link, network and transport headers of one batch, through tunnels. Frames that are not IP keep their EtherType."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.delivery import count_undecoded
from sensors.engine.fragments import ENOUGH, FRAGMENT, expire, release
from sensors.engine.frames import frame
from sensors.engine.framing import OF_FRAMES
from sensors.engine.network import TCP, UDP, datagram, name_ends
from sensors.engine.octets import borrow, entry, inline, kernel
from sensors.engine.tables import (
    ASIDE,
    BAD_CHECKSUM,
    BAD_FRAGMENT,
    CROWDED,
    DUPLICATE,
    ERSPAN,
    FOREVER,
    GRE,
    GTPU,
    IPIP,
    MIRRORED,
    MPLS,
    OVERLAPPED,
    PPPOE,
    REASSEMBLED,
    REJECTED,
    SECOND,
    TRAILING,
    TUNNELLED,
    UNFINISHED,
    VXLAN,
)  # fmt: skip
from sensors.engine.tunnels import may_carry, unwrap

JUMP: Final = 3600 * SECOND  # a step of time this far forward is not believed …
BELIEVED: Final = 16  # … until so many packets in a row agree with it
MOST_TIME: Final = FOREVER - 24 * JUMP  # in the year 2116
NO_PORT: Final = -1
TRAILER: Final = 512  # what octets behind datagrams are counted by: added to their transport


@inline
def _tell_time(packet: Any, clock: Any) -> None:
    time = packet.time
    if time > MOST_TIME or time < 0:  # no clock tells this
        packet.time = time = max(clock.now, 0)
        packet.jump = 1
    clock.first, clock.last = min(clock.first, time), max(clock.last, time)
    if clock.now == 0 or (time > clock.now and time - clock.now <= JUMP):
        clock.now = time
        clock.suspects = 0
    elif time > clock.now:
        packet.jump = 1 if clock.suspects == 0 else 0
        clock.suspects += 1
        if clock.suspects >= BELIEVED:
            clock.now = time
            clock.suspects = 0
    else:
        clock.suspects = 0
    packet.clock = clock.now


@inline
def _clear(packet: Any) -> None:
    packet.source = packet.target = -1
    packet.source_port = packet.target_port = -1
    packet.transport = packet.vlan = packet.source_mac = packet.target_mac = -1
    packet.tunnel_id = packet.forgone_transport = -1
    packet.tcp_flags = packet.sequence = packet.acknowledge = 0
    packet.flow = packet.port = -1
    packet.length = packet.whole = packet.ethertype = packet.trailing = 0
    packet.tunnel = packet.realm = packet.forgone = packet.marks = 0
    packet.fragment = packet.short = packet.jump = packet.identification = packet.hops = 0


@entry
def decode(
    memory: Any, start: int, count: int, packets: Any, outer: Any, hosts: Any, index: Any, clocks: Any,
    datagrams: Any, units: Any, buffers: Any, assemblies: Any, sightings: Any, ports: Any,
) -> int:  # fmt: skip
    """Fill the rest of packets[start:count] from the bytes; returns the next packet where datagrams that are whole leave no room for further ones,
    or an address found none.

    What the call before put together is taken for dissected. New addresses get host numbers, at most as many as `hosts` has rows.
    """
    memory, packets, outer, hosts, index, clocks = borrow(memory), borrow(packets), borrow(outer), borrow(hosts), borrow(index), borrow(clocks)
    datagrams, units, buffers, assemblies, sightings = borrow(datagrams), borrow(units), borrow(buffers), borrow(assemblies), borrow(sightings)
    ports = borrow(ports)
    clock, assembly = clocks[0], assemblies[0]
    release(buffers, assembly)
    for i in range(start, count):
        if assembly.free < ENOUGH or (clock.crowded and clock.now >= clock.patience):
            return i
        packet = packets[i]
        _clear(packet)
        _tell_time(packet, clock)
        if clock.now >= assembly.due:
            expire(packet, datagrams, buffers, assembly)
        at = frame(memory, packet, sightings)
        if packet.marks & DUPLICATE:
            packet.payload = at
            continue
        datagram(memory, packet, at, hosts, index, clock, datagrams, units, buffers, assembly)
        if may_carry(packet):
            unwrap(memory, packets, i, outer, hosts, index, clock, datagrams, units, buffers, assembly, sightings)
        if packet.transport < 0 and packet.length > 0 and packet.source_mac >= 0 and packet.source < 0 and ports[OF_FRAMES, packet.ethertype] >= 0:
            name_ends(packet, hosts, index, clock)
    return count


@kernel
def _note_tunnel(kind: int, streams: Any) -> None:
    streams.gre += kind == GRE
    streams.erspan += kind == ERSPAN
    streams.vxlan += kind == VXLAN
    streams.gtpu += kind == GTPU
    streams.pppoe += kind == PPPOE
    streams.mpls += kind == MPLS
    streams.ipip += kind == IPIP


@kernel
def note(packet: Any, undecoded: Any, streams: Any) -> None:
    """Count what is unusual of a packet."""
    marks = packet.marks
    streams.duplicates += 1 if marks & DUPLICATE else 0
    streams.mirrored += 1 if marks & MIRRORED else 0
    streams.bad_checksums += 1 if marks & BAD_CHECKSUM else 0
    streams.fragments += 1 if marks & REASSEMBLED else 0
    streams.unfinished += 1 if marks & UNFINISHED else 0
    streams.shed += 1 if marks & CROWDED else 0
    streams.bad_fragments += 1 if marks & BAD_FRAGMENT else 0
    if marks & OVERLAPPED and (packet.transport != TCP or marks & ASIDE):  # else the stream is compared
        streams.overlaps += 1
    count_undecoded(packet.forgone, packet.forgone_transport + FRAGMENT, NO_PORT, undecoded, streams)
    if marks & TRAILING:
        count_undecoded(packet.trailing, UDP + TRAILER, NO_PORT, undecoded, streams)
    if marks & TUNNELLED:
        _note_tunnel(packet.tunnel, streams)
    if marks & REJECTED:
        streams.rejected += 1
        port = min(packet.source_port, packet.target_port)
        count_undecoded(packet.whole, packet.transport, port, undecoded, streams)
