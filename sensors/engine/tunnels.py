"""Packets inside of packets: the inner addresses become those of the packet; the outermost tunnel, or that of a mobile user, is kept with its number.

Nothing is believed for its port or type alone: where the inside is no packet, or is cut, the outer one stays what it was.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.frames import IPV4, IPV6, LEAST_ETHERTYPE, LLC, ethernet, tags
from sensors.engine.network import TCP, UDP, datagram
from sensors.engine.octets import inline, kernel, mix, u8, u16be, u32be
from sensors.engine.tables import ASIDE, ERSPAN, GRE, GTPU, IPIP, MPLS, PPPOE, REASSEMBLED, TUNNELLED, VXLAN

DEPTH: Final = 4
VXLAN_PORT: Final = 4789
GTPU_PORT: Final = 2152
PPPOE_SESSION: Final = 0x8864
MPLS_UNICAST: Final = 0x8847
MPLS_MULTICAST: Final = 0x8848
BRIDGED: Final = 0x6558  # a whole frame of Ethernet, by GRE
IP_IN_IP: Final = 4
IPV6_IN_IP: Final = 41
GRE_IN_IP: Final = 47
ERSPAN_2: Final = 0x88BE
ERSPAN_3: Final = 0x22EB
LEAST_LLC: Final = 3  # octets of a header of IEEE 802.2
MAX_LABELS: Final = 8
MAX_EXTENSIONS: Final = 8
NONE: Final = -1  # nothing to enter, or a tunnel without a number


@inline
def may_carry(packet: Any) -> bool:
    """Could there be a packet in this one?"""
    transport = packet.transport
    if transport == TCP:
        return False
    if transport == UDP:
        return packet.target_port == VXLAN_PORT or packet.target_port == GTPU_PORT
    if transport < 0:
        return packet.ethertype == PPPOE_SESSION or packet.ethertype == MPLS_UNICAST or packet.ethertype == MPLS_MULTICAST
    return transport in (GRE_IN_IP, IP_IN_IP, IPV6_IN_IP)


@kernel
def _named(packet: Any, kind: int, number: int, realm: int) -> None:
    """The outermost tunnel stays, but GTP-U always: its number tells users of one address apart. Every tunnel has a plan of addresses of its own.
    `realm`: what both directions of a tunnel have in common."""
    packet.realm = mix(packet.realm << 4 | kind, realm) | 1
    if packet.tunnel == 0 or kind == GTPU:
        packet.tunnel, packet.tunnel_id = kind, number


@kernel
def _ends(packet: Any) -> int:
    """The ends of a tunnel whose numbers differ by direction."""
    return mix(packet.source ^ packet.target, packet.source + packet.target)


@kernel
def _inner_frame(memory: Any, packet: Any, at: int, sightings: Any) -> int:
    """A frame of Ethernet inside: its addresses and tags take the place of the outer ones."""
    packet.vlan = -1
    at = ethernet(memory, packet, at)
    if packet.ethertype < LEAST_ETHERTYPE:
        if packet.ethertype < LEAST_LLC or at + packet.ethertype > packet.edge:
            return NONE
        packet.edge = at + packet.ethertype
        packet.end = min(packet.end, packet.edge)
        packet.ethertype = LLC
    if packet.ethertype != IPV4 and packet.ethertype != IPV6:
        at = tags(memory, packet, at, sightings)
    return at


@kernel
def _vxlan(memory: Any, packet: Any, at: int, sightings: Any) -> int:
    """RFC 7348."""
    end = packet.end
    if u8(memory, at, end, packet) & 0x08 == 0 or u8(memory, at + 7, end, packet) != 0:
        return NONE
    number = u32be(memory, at + 4, end, packet) >> 8
    _named(packet, VXLAN, number, number)
    return _inner_frame(memory, packet, at + 8, sightings)


@kernel
def _gtpu(memory: Any, packet: Any, at: int) -> int:
    """3GPP TS 29.281: a G-PDU with its optional fields and extension headers."""
    end = packet.end
    flags = u8(memory, at, end, packet)
    if flags >> 4 != 3 or u8(memory, at + 1, end, packet) != 255:  # version 1 of GTP, not GTP'
        return NONE
    edge = at + 8 + u16be(memory, at + 2, end, packet)
    if edge > packet.edge:
        return NONE
    _named(packet, GTPU, u32be(memory, at + 4, end, packet), _ends(packet))
    packet.edge, packet.end = edge, min(end, edge)
    following = u8(memory, at + 11, packet.end, packet) if flags & 4 else 0
    at += 12 if flags & 7 else 8
    for _ in range(MAX_EXTENSIONS):
        if following == 0:
            break
        octets = 4 * u8(memory, at, packet.end, packet)
        if octets == 0:
            return NONE
        at += octets
        following = u8(memory, at - 1, packet.end, packet)
    return NONE if following else _by_version(memory, packet, at)


@kernel
def _by_version(memory: Any, packet: Any, at: int) -> int:
    """An IP packet that nothing announces but its first octet."""
    version = u8(memory, at, packet.end, packet) >> 4
    packet.ethertype = IPV4 if version == 4 else IPV6 if version == 6 else 0
    return at if packet.ethertype else NONE


@kernel
def _erspan(memory: Any, packet: Any, at: int, kind: int, numbered: bool, sightings: Any) -> int:
    """draft-foschiano-erspan: type I has no header, type II one of 8 octets, type III one of 12 and an optional one of 8."""
    end = packet.end
    if kind == ERSPAN_2 and not numbered:
        _named(packet, ERSPAN, NONE, 0)
        return _inner_frame(memory, packet, at, sightings)
    if u8(memory, at, end, packet) >> 4 != (1 if kind == ERSPAN_2 else 2):
        return NONE
    _named(packet, ERSPAN, u16be(memory, at + 2, end, packet) & 0x3FF, 0)
    if kind == ERSPAN_2:
        return _inner_frame(memory, packet, at + 8, sightings)
    word = u16be(memory, at + 10, end, packet)
    at += 20 if word & 1 else 12
    inside = word >> 10 & 31
    if inside == 2:  # type of the frame: IP
        return _by_version(memory, packet, at)
    return _inner_frame(memory, packet, at, sightings) if inside == 0 else NONE


@kernel
def _gre(memory: Any, packet: Any, at: int, sightings: Any) -> int:
    """RFC 2784 and 2890. Version 1 (PPTP) and source routes are not entered."""
    end = packet.end
    flags, kind = u16be(memory, at, end, packet), u16be(memory, at + 2, end, packet)
    if flags & 0x4007:
        return NONE
    at += 8 if flags & 0x8000 else 4
    number = NONE
    if flags & 0x2000:
        number = u32be(memory, at, end, packet)
        at += 4
    at += 4 if flags & 0x1000 else 0
    if kind in (ERSPAN_2, ERSPAN_3):
        return _erspan(memory, packet, at, kind, flags & 0x1000 != 0, sightings)
    _named(packet, GRE, number, number if number >= 0 else _ends(packet))
    if kind == BRIDGED:
        return _inner_frame(memory, packet, at, sightings)
    packet.ethertype = kind
    return at if kind in (IPV4, IPV6, MPLS_UNICAST, MPLS_MULTICAST) else NONE


@kernel
def _pppoe(memory: Any, packet: Any, at: int) -> int:
    """RFC 2516: a session that carries IP."""
    end = packet.end
    edge = at + 6 + u16be(memory, at + 4, end, packet)
    if u16be(memory, at, end, packet) != 0x1100 or edge > packet.edge:
        return NONE
    session, kind = u16be(memory, at + 2, end, packet), u16be(memory, at + 6, end, packet)
    _named(packet, PPPOE, session, session)
    packet.edge, packet.end = edge, min(end, edge)
    packet.ethertype = IPV4 if kind == 0x0021 else IPV6 if kind == 0x0057 else 0
    return at + 8 if packet.ethertype else NONE


@kernel
def _mpls(memory: Any, packet: Any, at: int, sightings: Any) -> int:
    """RFC 3032: IP, or Ethernet behind a control word (RFC 4448). The innermost label names the service, the others the way."""
    end = packet.end
    label = 0
    for _ in range(MAX_LABELS):
        label = u32be(memory, at, end, packet)
        at += 4
        if label & 0x100:
            break
    if label & 0x100 == 0:
        return NONE
    _named(packet, MPLS, label >> 12, 0)
    if u8(memory, at, end, packet) >> 4 == 0:
        return _inner_frame(memory, packet, at + 4, sightings)
    return _by_version(memory, packet, at)


@kernel
def _enter(memory: Any, packet: Any, sightings: Any) -> int:
    """Offset of the packet inside this one, -1 where there is none; where it lies, its EtherType and the tunnel are noted."""
    at, transport = packet.payload, packet.transport
    packet.edge = min(packet.edge, at + packet.whole)
    packet.end = min(packet.end, packet.edge)
    if transport < 0:
        if packet.ethertype == PPPOE_SESSION:
            return _pppoe(memory, packet, at)
        return _mpls(memory, packet, at, sightings) if packet.ethertype in (MPLS_UNICAST, MPLS_MULTICAST) else NONE
    if transport == UDP and packet.target_port == VXLAN_PORT:
        return _vxlan(memory, packet, at, sightings)
    if transport == UDP and packet.target_port == GTPU_PORT:
        return _gtpu(memory, packet, at)
    if transport == GRE_IN_IP:
        return _gre(memory, packet, at, sightings)
    if transport in (IP_IN_IP, IPV6_IN_IP):
        _named(packet, IPIP, NONE, _ends(packet))
        packet.ethertype = IPV4 if transport == IP_IN_IP else IPV6
        return at
    return NONE


@kernel
def unwrap(
    memory: Any, packets: Any, i: int, outer: Any, hosts: Any, index: Any, clock: Any, datagrams: Any, units: Any, buffers: Any, assembly: Any, sightings: Any
) -> None:
    """Enter packets[i] as deep as there are packets inside, and as tunnels may reasonably lie in each other."""
    for _ in range(DEPTH):
        packet = packets[i]
        if packet.short or packet.marks & ASIDE or not may_carry(packet):
            return
        outer[0] = packet
        at = _enter(memory, packet, sightings)
        packet.length = packet.whole = 0
        if at >= 0 and packet.short == 0 and packet.marks & ASIDE == 0:
            packet.source = packet.target = packet.source_port = packet.target_port = packet.transport = -1
            packet.fragment = 0
            datagram(memory, packet, at, hosts, index, clock, datagrams, units, buffers, assembly)
        if at < 0 or (packet.short and packet.marks & REASSEMBLED == 0) or (packet.whole > 0 and packet.payload + packet.whole > packet.edge):
            packets[i] = outer[0]
            return
        packet.marks |= TUNNELLED
