"""Link headers: Ethernet and its tags, LLC and SNAP, Linux cooked, loopback and raw links. A frame that is not IP keeps its EtherType and is handed on."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import inline, kernel, u8, u16be, u32be, u48be
from sensors.engine.redundancy import MAX_TAGS, ends_redundant, read_trailer, sight
from sensors.engine.tables import VLAN_TAGS

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
HSR: Final = 0x892F
LLC: Final = 0x0004  # what Linux calls frames of IEEE 802.2, whose EtherType field is a length
LEAST_ETHERTYPE: Final = 0x600  # below it is a length (IEEE 802.3)
LOOPBACK: Final = 772  # hardware types of Linux: its device has no MAC address,
NETLINK: Final = 824  # … and here the protocol is none of Ethernet


@kernel
def _llc(memory: Any, packet: Any, at: int) -> int:
    """IEEE 802.2 behind a length: SNAP (RFC 1042) gives an EtherType, all else stays LLC."""
    end = packet.end
    snap = u32be(memory, at, end, packet) == 0xAAAA0300 and u16be(memory, at + 4, end, packet) in (0, 0x00F8)
    packet.ethertype = LLC
    if packet.short:  # too few octets for SNAP
        packet.short = 0
    elif snap:
        packet.ethertype = u16be(memory, at + 6, end, packet)
        return at + 8
    return at


@kernel
def tags(memory: Any, packet: Any, at: int, sightings: Any) -> int:
    """Offset behind the tags of a frame that is not plain IP: VLAN, HSR, and the length of an IEEE 802.3 frame."""
    end = packet.end
    for _ in range(MAX_TAGS):
        if packet.ethertype in VLAN_TAGS:
            packet.vlan = u16be(memory, at, end, packet) & 0xFFF
            packet.ethertype = u16be(memory, at + 2, end, packet)
            at += 4
        elif packet.ethertype == HSR:
            sequence = u16be(memory, at + 2, end, packet)
            packet.ethertype = u16be(memory, at + 4, end, packet)
            at += 6
            if packet.short == 0:
                sight(memory, packet, sequence, at, end, sightings)
        else:
            break
    if packet.short:
        packet.ethertype = 0
    elif packet.ethertype == LLC or (packet.linktype == 1 and packet.ethertype < LEAST_ETHERTYPE):
        if packet.ethertype != LLC and at + packet.ethertype < packet.edge:  # what follows is padding
            packet.edge = at + packet.ethertype
            packet.end = min(packet.end, packet.edge)
        return _llc(memory, packet, at)
    return at


@inline
def ethernet(memory: Any, packet: Any, at: int) -> int:
    """MAC addresses and EtherType; the offset behind them."""
    end = packet.end
    packet.target_mac = u48be(memory, at, end, packet)
    packet.source_mac = u48be(memory, at + 6, end, packet)
    packet.ethertype = u16be(memory, at + 12, end, packet)
    return at + 14


@kernel
def _family(memory: Any, packet: Any, at: int) -> int:
    """EtherType of a loopback frame: an address family of the system that captured, in its own order of octets."""
    family = u32be(memory, at, packet.end, packet)
    if family > 0xFFFF:
        family = (family & 0xFF) << 24 | (family & 0xFF00) << 8 | family >> 8 & 0xFF00 | family >> 24
    if family == 2:
        return IPV4
    return IPV6 if family in (10, 23, 24, 28, 30) else 0


@kernel
def _other_link(memory: Any, packet: Any, at: int) -> int:
    """Cooked, loopback and raw links."""
    end = packet.end
    kind = packet.linktype
    if kind in (113, 276):  # Linux cooked
        first = kind == 113
        hardware = u16be(memory, at + (2 if first else 8), end, packet)
        octets = u16be(memory, at + 4, end, packet) if first else u8(memory, at + 11, end, packet)
        if octets == 6 and hardware != LOOPBACK:
            packet.source_mac = u48be(memory, at + (6 if first else 12), end, packet)
        ethertype = u16be(memory, at + (14 if first else 0), end, packet)
        packet.ethertype = 0 if hardware == NETLINK else ethertype
        return at + (16 if first else 20)
    if kind in (0, 108):
        packet.ethertype = _family(memory, packet, at)
        return at + 4
    version = u8(memory, at, end, packet) >> 4
    packet.ethertype = IPV4 if version == 4 else IPV6 if version == 6 else 0
    return at


@inline
def frame(memory: Any, packet: Any, sightings: Any) -> int:
    """Offset of what the frame carries; fills MAC addresses, VLAN and EtherType."""
    at = packet.at
    packet.end, packet.edge = at + packet.captured, at + packet.wire
    if packet.linktype == 1:
        at = ethernet(memory, packet, at)
        if ends_redundant(memory, packet):
            read_trailer(memory, packet, sightings)
    else:
        at = _other_link(memory, packet, at)
    if packet.ethertype != IPV4 and packet.ethertype != IPV6:
        at = tags(memory, packet, at, sightings)
    return at
