"""Network and transport headers: IPv4, IPv6 with its extension headers, TCP, UDP; fragments and checksums are looked at on the way."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.checksums import doubt
from sensors.engine.fragments import assemble
from sensors.engine.frames import IPV4, IPV6
from sensors.engine.octets import borrow, entry, fill, inline, kernel, mix, number_of, sum16, tag_fits, tagged, u8, u16be, u32be
from sensors.engine.tables import ASIDE, ASTRAY, BAD_CHECKSUM, ERSPAN, ROUTED, TRAILING, VXLAN

MAX_EXTENSIONS: Final = 8
TCP: Final = 6
UDP: Final = 17
SYN: Final = 2  # of the flags of TCP
LINK: Final = 48  # family of a row with a MAC address: of who speaks no IP
UNUSED: Final = 0  # family of a row without an address
RESERVE: Final = 8  # rows of hosts that are left for the addresses of one packet, so that none is met by a full table before room is made
UNKNOWN_SUM: Final = -1  # not to be checked
BELIEVED: Final = 16  # segments in a row that are no stray ones: their sender runs another system now


@inline
def _address_hash(family: int, a: int, b: int, c: int, d: int) -> int:
    return mix(d, family) if family == 4 else mix(mix(a << 3 ^ family, b), mix(c, d))


@inline
def _host(family: int, a: int, b: int, c: int, d: int, hosts: Any, index: Any, clock: Any) -> int:
    """Number of this address, -1 where the table is full."""
    last = len(index) - 1
    hashed = _address_hash(family, a, b, c, d)
    slot = hashed & last
    while index[slot] >= 0:
        if tag_fits(index[slot], hashed):
            host = hosts[number_of(index[slot])]
            if host.d == d and host.c == c and host.b == b and host.a == a and host.family == family:
                return number_of(index[slot])
        slot = (slot + 1) & last
    number = clock.free_host
    if number >= 0:
        clock.free_host = hosts[number].a
        clock.spare -= 1
    elif clock.hosts < len(hosts):
        number = clock.hosts
        clock.hosts = number + 1
    else:
        clock.crowded = 1
        return -1
    if len(hosts) - clock.hosts + clock.spare < min(RESERVE, len(hosts) >> 3):
        clock.crowded = 1
    host = hosts[number]
    host.family, host.a, host.b, host.c, host.d = family, a, b, c, d
    host.role = host.right = host.wrong = host.hops = 0
    index[slot] = tagged(hashed, number)
    return int(number)


@entry
def forget_hosts(gone: Any, hosts: Any, index: Any, clocks: Any) -> None:
    """Let go of these addresses, which nothing refers to; the index is made anew."""
    gone, hosts, index, clocks = borrow(gone), borrow(hosts), borrow(index), borrow(clocks)
    clock = clocks[0]
    for k in range(len(gone)):
        host = hosts[gone[k]]
        host.family, host.a = UNUSED, clock.free_host
        clock.free_host = gone[k]
    clock.spare += len(gone)
    fill(index, -1)
    last = len(index) - 1
    for number in range(clock.hosts):
        host = hosts[number]
        if host.family != UNUSED:
            slot = _address_hash(host.family, host.a, host.b, host.c, host.d) & last
            while index[slot] >= 0:
                slot = (slot + 1) & last
            index[slot] = tagged(_address_hash(host.family, host.a, host.b, host.c, host.d), number)


@kernel
def name_ends(packet: Any, hosts: Any, index: Any, clock: Any) -> None:
    """The ends of a frame that is not IP. A receiver that the link does not tell is the address of zeros."""
    packet.source = _host(LINK, 0, 0, 0, packet.source_mac, hosts, index, clock)
    packet.target = _host(LINK, 0, 0, 0, max(packet.target_mac, 0), hosts, index, clock)
    if packet.target < 0:
        packet.source = -1


@inline
def _ipv4(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> tuple[int, int, int]:
    """Offset of the transport header, end of the datagram on the wire, sum of what a transport's checksum covers of this header."""
    end = packet.end
    header = u8(memory, at, end, packet) * 4 - 256  # 20 … 60 in version 4 only
    total = u16be(memory, at + 2, end, packet)
    complete = total > 0
    if not complete and packet.tunnel == 0:  # left to the network card to fill in
        total = packet.edge - at
    if header < 20 or header > 60 or total < header or at + header > end:
        packet.short = 1
        return at, at, UNKNOWN_SUM
    source, target = u32be(memory, at + 12, end, packet), u32be(memory, at + 16, end, packet)
    packet.source = _host(4, 0, 0, 0, source, hosts, index, clock)
    packet.target = _host(4, 0, 0, 0, target, hosts, index, clock)
    packet.hops, packet.transport = u8(memory, at + 8, end, packet), u8(memory, at + 9, end, packet)
    told = u32be(memory, at + 4, end, packet)
    packet.identification, packet.fragment = told >> 16, 1 if told & 0x3FFF else 0
    if complete and sum16(memory, at, at + header, packet) != 0:
        doubt(packet, u16be(memory, at + 10, end, packet) == 0, hosts)
    covered = (source >> 16) + (source & 0xFFFF) + (target >> 16) + (target & 0xFFFF)
    return at + header, at + total, covered if complete else UNKNOWN_SUM


@inline
def _address6(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> int:
    end = packet.end
    a, b = u32be(memory, at, end, packet), u32be(memory, at + 4, end, packet)
    c, d = u32be(memory, at + 8, end, packet), u32be(memory, at + 12, end, packet)
    return _host(6, a, b, c, d, hosts, index, clock)


@kernel
def _extensions(memory: Any, packet: Any, at: int) -> int:
    """Step over IPv6 extension headers; returns the offset of what they stand before, or of a header of a fragment."""
    end = packet.end
    for _ in range(MAX_EXTENSIONS):
        kind = packet.transport
        if kind in (0, 43, 60, 135, 139, 140):
            octets = 8 + u8(memory, at + 1, end, packet) * 8
            if kind == 43 and u8(memory, at + 3, end, packet) > 0:
                packet.marks |= ROUTED
        elif kind == 51:  # authentication header: counts in words
            octets = 8 + u8(memory, at + 1, end, packet) * 4
        elif kind == 44 and u16be(memory, at + 2, end, packet) & 0xFFF9 == 0:  # the whole datagram is in this fragment
            octets = 8
        else:
            packet.fragment = 1 if kind == 44 else 0
            break
        packet.transport = u8(memory, at, end, packet)
        at += octets
    return at


@inline
def _ipv6(memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any) -> tuple[int, int, int]:
    """As `_ipv4`; extension headers are stepped over."""
    end = packet.end
    total = u16be(memory, at + 4, end, packet)
    if at + 40 > end or u8(memory, at, end, packet) >> 4 != 6 or (total == 0 and packet.tunnel > 0):
        packet.short = 1
        return at, at, UNKNOWN_SUM
    packet.source = _address6(memory, packet, at + 8, hosts, index, clock)
    packet.target = _address6(memory, packet, at + 24, hosts, index, clock)
    whole = at + 40 + total if total else packet.edge
    covered = sum16(memory, at + 8, at + 40, packet) if total else UNKNOWN_SUM
    packet.transport, packet.hops = u8(memory, at + 6, end, packet), u8(memory, at + 7, end, packet)
    start = at + 40
    if packet.transport == TCP or packet.transport == UDP:
        return start, whole, covered
    at = _extensions(memory, packet, start)
    return start if packet.short else at, whole, UNKNOWN_SUM if packet.marks & ROUTED else covered


@kernel
def _doubt_transport(memory: Any, packet: Any, at: int, whole: int, covered: int, hosts: Any) -> None:
    """A wrong checksum of TCP or UDP: does it look as if it were left to the network card? Then it is zero or the sum of the addresses."""
    told = u16be(memory, at + (16 if packet.transport == TCP else 6), packet.end, packet)
    begun = (covered + packet.transport) % 0xFFFF
    doubt(packet, told % 0xFFFF in (0, begun, (begun + whole - at) % 0xFFFF), hosts)


@inline
def _check(memory: Any, packet: Any, at: int, whole: int, covered: int, hosts: Any) -> None:
    """Is the checksum right? Only what was captured whole can be checked."""
    if whole > packet.end or covered == UNKNOWN_SUM:
        return
    total = covered + packet.transport + whole - at + sum16(memory, at, whole, packet)
    if (total >> 16) + (total & 0xFFFF) != 0xFFFF:
        _doubt_transport(memory, packet, at, whole, covered, hosts)
    elif packet.source >= 0:
        hosts[packet.source].right += 1


@inline
def _heed_hops(packet: Any, host: Any) -> None:
    """Does a segment come from another system than its sender's? Each begins with a hop limit of its own, 32, 64, 128 or 255, and routes take a few of it.

    Segments with octets alone: firewalls and idle sockets reset connections with other limits. Behind another MAC address there may be another host.
    """
    limit = 1 + (packet.hops > 32) + (packet.hops > 64) + (packet.hops > 128)
    mac = packet.source_mac & 0xFFFF
    if host.hops == limit and host.mac == mac:
        host.strays = 0
        return
    host.strays = 0 if host.hops == 0 or host.mac != mac else host.strays + 1
    if 0 < host.strays < BELIEVED:
        packet.marks |= ASTRAY
        return
    host.hops, host.mac, host.strays = limit, mac, 0


@inline
def _transport(memory: Any, packet: Any, at: int, whole: int, covered: int, hosts: Any) -> None:
    end = packet.end
    start = at
    if packet.transport == TCP:
        header = (u8(memory, at + 12, end, packet) >> 4) * 4
        if header < 20 or at + 20 > end:
            packet.short, packet.whole = 1, max(whole - at - 20, 0)
            return
        packet.sequence = u32be(memory, at + 4, end, packet)
        packet.acknowledge = u32be(memory, at + 8, end, packet)
        packet.tcp_flags = u8(memory, at + 13, end, packet)
        start = at + header
        _check(memory, packet, at, whole, covered, hosts)
    elif packet.transport == UDP:
        if at + 8 > end:
            packet.short, packet.whole = 1, max(whole - at - 8, 0)
            return
        start = at + 8
        told = u16be(memory, at + 4, end, packet)
        if told >= 8 and at + told < whole:
            packet.marks |= TRAILING
            packet.trailing += whole - at - told
            whole = at + told
        if u16be(memory, at + 6, end, packet) != 0:  # else there is none
            _check(memory, packet, at, whole, covered, hosts)
        elif packet.ethertype == IPV6:
            packet.marks |= BAD_CHECKSUM
    if packet.transport == TCP or packet.transport == UDP:
        packet.source_port = u16be(memory, at, end, packet)
        packet.target_port = u16be(memory, at + 2, end, packet)
    packet.payload = start
    packet.whole = max(whole - start, 0)
    packet.length = max(min(whole, end) - start, 0)
    named = packet.realm == 0 or packet.tunnel == ERSPAN or packet.tunnel == VXLAN  # other tunnels carry no frames: who has an address is not told
    if packet.transport == TCP and packet.whole > 0 and packet.source >= 0 and packet.marks & ASIDE == 0 and named:
        _heed_hops(packet, hosts[packet.source])


@inline
def datagram(
    memory: Any, packet: Any, at: int, hosts: Any, index: Any, clock: Any, datagrams: Any, units: Any, buffers: Any, assembly: Any
) -> None:  # fmt: skip
    """What lies at `at` by its EtherType: an IP datagram down to its payload, or a payload of its own."""
    network = whole = at
    covered = UNKNOWN_SUM
    packet.payload = at
    if packet.ethertype == IPV4:
        at, whole, covered = _ipv4(memory, packet, at, hosts, index, clock)
    elif packet.ethertype == IPV6:
        at, whole, covered = _ipv6(memory, packet, at, hosts, index, clock)
    if packet.fragment and packet.short == 0:
        if not assemble(memory, packet, network, at, whole, datagrams, units, buffers, assembly):
            return
        at, whole = packet.payload, packet.edge
        if packet.ethertype == IPV6:
            at = _extensions(memory, packet, at)
    if packet.transport >= 0 and packet.short == 0:
        _transport(memory, packet, at, whole, covered, hosts)
    else:  # not IP, or its header is cut or makes no sense: what it would have told of is there all the same
        packet.whole = max(packet.edge - at, 0)
        packet.length = 0 if packet.short else max(packet.end - at, 0)
    if packet.marks & ASIDE:
        packet.length = 0
