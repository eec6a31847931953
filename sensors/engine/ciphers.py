"""Encrypted conversations by how they begin: what cannot be read by right is told apart from what nobody here understands.

TLS: RFC 8446, 5.1. DTLS: RFC 6347, 4.1. SSH: RFC 4253, 4.2. IKE: RFC 7296, 3.1; with ESP in UDP: RFC 3948. QUIC: RFC 9000, 17.2, and RFC 9369.
WireGuard: its protocol page (messages of the handshake). ESP is an IP protocol, MACsec (IEEE 802.1AE) an EtherType.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.network import TCP, UDP
from sensors.engine.octets import inline, kernel, u8, u16be, u32be

CIPHERS: Final = ("", "tls", "dtls", "ssh", "ike", "ipsec", "quic", "wireguard", "macsec")
TLS, DTLS, SSH, IKE, IPSEC, QUIC, WIREGUARD, MACSEC = range(1, 9)
LOOKED: Final = 8  # packets with payload of a direction that are looked at

ESP: Final = 50
SECURE_TAG: Final = 0x88E5  # EtherType of MACsec
RECORDS: Final = (20, 23)  # content types of TLS: from change_cipher_spec to application_data
LONGEST_RECORD: Final = (1 << 14) + 2048  # of TLS 1.2, encrypted
IKE_PORT: Final = 500
IKE_HEADER: Final = 28
THROUGH_NAT: Final = 4500
QUIC_1, QUIC_2, QUIC_DRAFT = 0x00000001, 0x6B3343CF, 0xFF000000
INITIATION: Final = 148  # octets of WireGuard's first message …
RESPONSE: Final = 92  # … and of its answer


@inline
def _tls(memory: Any, packet: Any, at: int, end: int) -> bool:
    """A record of a content type and version there is, of a length that it may have."""
    kind, version, length = u8(memory, at, end, packet), u16be(memory, at + 1, end, packet), u16be(memory, at + 3, end, packet)
    return RECORDS[0] <= kind <= RECORDS[1] and 0x0300 <= version <= 0x0304 and 0 < length <= LONGEST_RECORD


@inline
def _dtls(memory: Any, packet: Any, at: int, end: int) -> bool:
    kind, version, length = u8(memory, at, end, packet), u16be(memory, at + 1, end, packet), u16be(memory, at + 11, end, packet)
    return RECORDS[0] <= kind <= RECORDS[1] and version in (0xFEFF, 0xFEFD) and 0 < length <= packet.whole - 13


@inline
def _ike(memory: Any, packet: Any, at: int, end: int) -> bool:
    """The header of IKE of either version: a length that is that of the datagram."""
    version, flags = u8(memory, at + 17, end, packet), u8(memory, at + 19, end, packet)
    told = u32be(memory, at + 24, end, packet)
    return version in (0x10, 0x20) and flags & 0xC0 == 0 and told >= IKE_HEADER and told == packet.payload + packet.whole - at


@inline
def _quic(memory: Any, packet: Any, at: int, end: int) -> bool:
    """A long header of a known version, with identifiers of a length that they may have."""
    first, version, octets = u8(memory, at, end, packet), u32be(memory, at + 1, end, packet), u8(memory, at + 5, end, packet)
    known = version in (QUIC_1, QUIC_2) or version & 0xFFFFFF00 == QUIC_DRAFT
    return first & 0xC0 == 0xC0 and known and octets <= 20 and u8(memory, at + 6 + octets, end, packet) <= 20 and packet.short == 0


@inline
def _wireguard(memory: Any, packet: Any, at: int, end: int) -> bool:
    first = u32be(memory, at, end, packet)
    return (first == 0x01000000 and packet.whole == INITIATION) or (first == 0x02000000 and packet.whole == RESPONSE)


@kernel
def _datagram(memory: Any, packet: Any, at: int, end: int) -> int:
    ports = (packet.source_port, packet.target_port)
    if THROUGH_NAT in ports and packet.whole > 8:
        if u32be(memory, at, end, packet) != 0:  # a security parameter index
            return IPSEC
        return IKE if _ike(memory, packet, at + 4, end) else 0
    if IKE_PORT in ports:
        return IKE if _ike(memory, packet, at, end) else 0
    if _dtls(memory, packet, at, end):
        return DTLS
    if _quic(memory, packet, at, end):
        return QUIC
    return WIREGUARD if _wireguard(memory, packet, at, end) else 0


@kernel
def cipher_of(memory: Any, packet: Any) -> int:
    """The number of the cipher that this packet with payload begins or goes on with; 0 where it shows none."""
    at, end, short = packet.payload, packet.payload + packet.length, packet.short
    packet.short = found = 0
    if packet.transport == TCP:
        if _tls(memory, packet, at, end):
            found = TLS
        elif u32be(memory, at, end, packet) == 0x5353482D:  # "SSH-"
            found = SSH
    elif packet.transport == UDP:
        found = _datagram(memory, packet, at, end)
    packet.short = short  # that it is too short for a cipher says nothing of the packet
    return found


@inline
def cipher_beneath(named: bool, packet: Any) -> int:
    """The same of a packet without ports: by its IP protocol where it is `named`, else by its EtherType."""
    if named:
        return IPSEC if packet.transport == ESP else 0
    return MACSEC if packet.ethertype == SECURE_TAG else 0
