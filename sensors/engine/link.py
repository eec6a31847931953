"""Packets to conversations: time, link, network and transport headers of one batch. Not-IP frames keep their EtherType and are counted by it."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import borrow, entry, inline, mix, u8, u16be, u32be, u48be
from sensors.engine.tables import SECOND

JUMP: Final = 3600 * SECOND  # a step of time this far forward is not believed …
BELIEVED: Final = 16  # … until so many packets in a row agree with it
MAX_TAGS: Final = 4
IPV4: Final = 0x0800
IPV6: Final = 0x86DD


@inline
def _tell_time(packet: Any, clock: Any) -> None:
    time = packet.time
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
def _host(family: int, a: int, b: int, c: int, d: int, hosts: Any, index: Any, clock: Any) -> int:
    """Number of this address, -1 where the table is full."""
    last = len(index) - 1
    slot = mix(mix(a << 3 ^ family, b), mix(c, d)) & last
    found = index[slot]
    while found >= 0:
        host = hosts[found]
        if host.d == d and host.c == c and host.b == b and host.a == a and host.family == family:
            return int(found)
        slot = (slot + 1) & last
        found = index[slot]
    number = clock.hosts
    if number >= len(hosts):
        return -1
    host = hosts[number]
    host.family, host.a, host.b, host.c, host.d = family, a, b, c, d
    host.role = 0
    index[slot] = number
    clock.hosts = number + 1
    return int(number)


@inline
def _link(memory: Any, packet: Any) -> int:
    """Offset of the network header; fills MAC addresses, VLAN and EtherType."""
    at = packet.at
    end = at + packet.captured
    kind = packet.linktype
    if kind == 1:
        packet.target_mac = u48be(memory, at, end, packet)
        packet.source_mac = u48be(memory, at + 6, end, packet)
        packet.ethertype = u16be(memory, at + 12, end, packet)
        at += 14
    elif kind == 113:  # Linux cooked
        if u16be(memory, at + 4, end, packet) == 6:
            packet.source_mac = u48be(memory, at + 6, end, packet)
        packet.ethertype = u16be(memory, at + 14, end, packet)
        at += 16
    elif kind == 276:  # Linux cooked, version 2
        packet.ethertype = u16be(memory, at, end, packet)
        if u8(memory, at + 11, end, packet) == 6:
            packet.source_mac = u48be(memory, at + 12, end, packet)
        at += 20
    else:
        if kind in (0, 108):  # loopback: an address family in the order of the machine that captured
            at += 4
        version = u8(memory, at, end, packet) >> 4
        packet.ethertype = IPV4 if version == 4 else IPV6 if version == 6 else 0
    for _ in range(MAX_TAGS):
        if packet.ethertype not in (0x8100, 0x88A8, 0x9100):
            break
        packet.vlan = u16be(memory, at, end, packet) & 0xFFF
        packet.ethertype = u16be(memory, at + 2, end, packet)
        at += 4
    return int(at)


@inline
def _ipv4(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> tuple[int, int]:
    """Offset of the transport header and end of the datagram on the wire; transport stays -1 for what is no whole datagram."""
    end = packet.at + packet.captured
    header = (u8(memory, at, end, packet) & 15) * 4
    total = u16be(memory, at + 2, end, packet)
    if total == 0:  # left to the network card to fill in
        total = packet.at + packet.wire - at
    if header < 20 or total < header or at + header > end:
        packet.short = 1
        return at, at
    packet.source = _host(4, 0, 0, 0, u32be(memory, at + 12, end, packet), hosts, index, clock)
    packet.target = _host(4, 0, 0, 0, u32be(memory, at + 16, end, packet), hosts, index, clock)
    if u16be(memory, at + 6, end, packet) & 0x3FFF:
        packet.fragment = 1
    packet.transport = u8(memory, at + 9, end, packet)
    return at + header, at + total


@inline
def _address6(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> int:
    end = packet.at + packet.captured
    a, b = u32be(memory, at, end, packet), u32be(memory, at + 4, end, packet)
    c, d = u32be(memory, at + 8, end, packet), u32be(memory, at + 12, end, packet)
    return _host(6, a, b, c, d, hosts, index, clock)


@inline
def _ipv6(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> tuple[int, int]:
    """As `_ipv4`; extension headers are stepped over."""
    end = packet.at + packet.captured
    if at + 40 > end:
        packet.short = 1
        return at, at
    packet.source = _address6(memory, packet, at + 8, hosts, index, clock)
    packet.target = _address6(memory, packet, at + 24, hosts, index, clock)
    total = u16be(memory, at + 4, end, packet)
    whole = at + 40 + total if total else packet.at + packet.wire
    following = u8(memory, at + 6, end, packet)
    at += 40
    start = at
    for _ in range(8):
        if following in (0, 43, 60):
            following = u8(memory, at, end, packet)
            at += 8 + u8(memory, at + 1, end, packet) * 8
        elif following == 44:
            packet.fragment = 1
            break
        else:
            break
    packet.transport = following
    return start if packet.short else at, whole


@inline
def _transport(memory: Any, packet: Any, at: int, whole: int) -> None:
    end = packet.at + packet.captured
    start = at
    if packet.transport == 6 and packet.fragment == 0:
        header = (u8(memory, at + 12, end, packet) >> 4) * 4
        if header < 20 or at + 20 > end:
            packet.short, packet.whole = 1, max(whole - at - 20, 0)
            return
        packet.sequence = u32be(memory, at + 4, end, packet)
        packet.acknowledge = u32be(memory, at + 8, end, packet)
        packet.tcp_flags = u8(memory, at + 13, end, packet)
        start = at + header
    elif packet.transport == 17 and packet.fragment == 0:
        if at + 8 > end:
            packet.short, packet.whole = 1, max(whole - at - 8, 0)
            return
        start = at + 8
        told = u16be(memory, at + 4, end, packet)
        if told >= 8 and at + told < whole:
            whole = at + told
    if packet.fragment == 0 and packet.transport in (6, 17):
        packet.source_port = u16be(memory, at, end, packet)
        packet.target_port = u16be(memory, at + 2, end, packet)
    packet.payload = start
    packet.whole = max(whole - start, 0)
    packet.length = max(min(whole, end) - start, 0)


@inline
def _clear(packet: Any) -> None:
    packet.source = packet.target = -1
    packet.source_port = packet.target_port = -1
    packet.transport = packet.vlan = packet.source_mac = packet.target_mac = -1
    packet.tcp_flags = packet.sequence = packet.acknowledge = 0
    packet.flow = packet.port = -1
    packet.length = packet.whole = packet.ethertype = 0
    packet.fragment = packet.short = packet.jump = 0


@entry
def decode(memory: Any, count: int, packets: Any, hosts: Any, index: Any, clocks: Any) -> None:
    """Fill the rest of packets[0:count] from the bytes. New addresses get host numbers, at most as many as `hosts` has rows."""
    memory, packets, hosts, index, clocks = borrow(memory), borrow(packets), borrow(hosts), borrow(index), borrow(clocks)
    clock = clocks[0]
    for i in range(count):
        packet = packets[i]
        _clear(packet)
        _tell_time(packet, clock)
        at = _link(memory, packet)
        packet.payload = at
        whole = at
        if packet.ethertype == IPV4:
            at, whole = _ipv4(memory, packet, at, hosts, index, clock)
        elif packet.ethertype == IPV6:
            at, whole = _ipv6(memory, packet, at, hosts, index, clock)
        if packet.transport >= 0 and packet.short == 0:
            _transport(memory, packet, at, whole)
        else:  # not IP, or its header is cut or makes no sense: what it would have told of is there all the same
            packet.whole = max(packet.at + packet.wire - at, 0)
            packet.length = 0 if packet.short else max(packet.at + packet.captured - at, 0)
