"""Mutations: of octets, of packets, of the order of packets, of capture files."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.test_redundancy import hsr, prp
from tests.test_tunnels import KINDS
from tests.wire import ETHERNET, SECOND, Packet, checked, sum16

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

ODD: Final = (0, 1, 2, 4, 8, 0x0F, 0x10, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
LARGEST_CARRIED: Final = 9000
LINKTYPES: Final = (0, 1, 12, 101, 108, 113, 228, 229, 276)
ETHERNET_IPV4: Final = 14
TCP: Final = 6
UDP: Final = 17
FIELDS: Final = (12, 14, 16, 17, 20, 23, 46, 47, 38, 42, 54, 56, 58, 59, 60, 61)  # type, lengths, flags and code of Ethernet, IPv4, TCP and what it carries


def octets(data: bytes, dice: Random, other: bytes = b"") -> bytes:
    """Some octets changed, taken out, put in, repeated, cut off or taken from `other`."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 5, 8))):
        way, size = dice.randrange(9), len(changed)
        at = dice.randrange(size) if size else 0
        if way == 0 and size:
            changed[at] ^= 1 << dice.randrange(8)
        elif way == 1 and size:
            changed[at] = dice.choice(ODD)
        elif way == 2 and size > at + 1:
            struct.pack_into(dice.choice((">H", "<H")), changed, at, dice.choice((0, 1, size, size + 1, max(size - 6, 0), 0x7FFF, 0x8000, 0xFFFF)))
        elif way == 3 and size:
            changed[at] = (changed[at] + dice.choice((-1, 1))) & 0xFF
        elif way == 4:
            changed[at:at] = dice.randbytes(dice.randrange(1, 9))
        elif way == 5 and size:
            del changed[at : at + dice.randrange(1, 9)]
        elif way == 6 and size:
            del changed[at:]
        elif way == 7 and size:
            changed[at:at] = changed[at : at + dice.randrange(1, 40)]
        elif other:
            place = dice.randrange(len(other))
            changed[at : at + dice.choice((0, 40))] = other[place : place + dice.randrange(1, 40)]
    return bytes(changed)


def _ends(data: bytes) -> tuple[int, int]:
    """Where the payload of a plain IPv4 datagram in a frame of Ethernet begins and ends; (0, 0) where there is none."""
    if len(data) < 34 or data[12:14] != b"\x08\x00" or data[14] >> 4 != 4:
        return 0, 0
    start, end = ETHERNET_IPV4 + (data[14] & 15) * 4, ETHERNET_IPV4 + int.from_bytes(data[16:18])
    return (start, end) if 34 <= start < end <= len(data) else (0, 0)


def repaired(packet: Packet) -> Packet:
    """With right checksums again, where it is plain enough: what has wrong ones does not get far."""
    start, end = _ends(packet.data)
    if packet.linktype != ETHERNET or start == 0:
        return packet
    data = bytearray(packet.data)
    data[24:26] = bytes(2)
    data[24:26] = sum16(bytes(data[14:start])).to_bytes(2)
    place = start + {TCP: 16, UDP: 6}.get(data[23], end)
    if place + 2 <= end and data[20] & 0x3F == data[21] == 0:
        data[place : place + 2] = bytes(2)
        data[start:end] = checked(bytes(data[start:end]), bytes(data[26:34]), data[23])
    return replace(packet, data=bytes(data))


def _segment(packet: Packet) -> tuple[int, int, int]:
    """Where the header of TCP, its payload and what is behind begin; zeros where there is no payload."""
    tcp, end = _ends(packet.data)
    if packet.linktype != ETHERNET or tcp == 0 or packet.data[23] != TCP or tcp + 20 > end:
        return 0, 0, 0
    start = tcp + (packet.data[tcp + 12] >> 4) * 4
    return (tcp, start, end) if tcp + 20 <= start < end else (0, 0, 0)


def _part(packet: Packet, first: int, payload: bytes) -> Packet:
    """The same segment from octet `first` of its payload on (before it, where that is negative), with this payload."""
    tcp, start, _ = _segment(packet)
    head = bytearray(packet.data[:start])
    struct.pack_into(">H", head, 16, start - ETHERNET_IPV4 + len(payload))
    struct.pack_into(">I", head, tcp + 4, (int.from_bytes(head[tcp + 4 : tcp + 8]) + first) & 0xFFFFFFFF)
    return repaired(replace(packet, data=bytes(head) + payload, wire=0))


def _split(packet: Packet, dice: Random) -> list[Packet]:
    """A segment of TCP over IPv4 over Ethernet as several ones; anything else as it is."""
    _, start, end = _segment(packet)
    if start == 0:
        return [packet]
    edges = sorted({start, end, *(dice.randrange(start, end) for _ in range(dice.randrange(1, 4)))})
    return [_part(packet, first - start, packet.data[first:last]) for first, last in itertools.pairwise(edges)]


def _again(packet: Packet, dice: Random) -> list[Packet]:
    """A segment, and what comes again of it: the same, other octets, without its front, overlapping what was before and what comes next."""
    _, start, end = _segment(packet)
    if start == 0:
        return [packet, packet]
    payload = packet.data[start:end]
    other = bytes(octet ^ dice.choice((0, 0, 0, 1, 0x80)) for octet in payload)
    front = dice.randrange(len(payload))
    made = [
        packet,
        dice.choice((
            _part(packet, 0, other),
            _part(packet, front, dice.choice((payload, other))[front:]),
            _part(packet, -front, dice.randbytes(front) + payload),
            _part(packet, front, other[front:] + dice.randbytes(dice.randrange(40))),
            _part(packet, 0, payload[: front + 1]),
        )),
    ]  # fmt: skip
    if dice.random() < 0.4:
        made.reverse()
    return made


def _one(packet: Packet, dice: Random, other: Packet) -> list[Packet]:
    """One packet mutated: none, one or several instead of it."""
    data, way = packet.data, dice.randrange(13)
    if way <= 2:
        keep = min(dice.choice((0, 14, 34, 54, 54)), len(data))  # leave some of its headers as they are
        return [replace(packet, data=data[:keep] + octets(data[keep:], dice, other.data))]
    if way == 3 and len(data) > 62:
        changed = bytearray(data)
        changed[dice.choice(FIELDS)] = dice.choice((*ODD, dice.randrange(256)))
        return [replace(packet, data=bytes(changed))]
    if way == 4:
        return [packet.cut(dice.randrange(len(data) + 1))]
    if way == 5:
        return [packet, packet.at(packet.time + dice.randrange(1000))]
    if way == 6:
        return []
    if way == 7:
        place = dice.randrange(len(data) + 1)
        return [replace(packet, data=data[:place] + other.data[place:])]
    if way == 8:
        return [packet.at(max(packet.time + dice.choice((-1, 1)) * dice.choice((1, SECOND, 61 * SECOND, 4000 * SECOND, 10**18)), 0))]
    if way == 9:
        return [replace(packet, linktype=dice.choice(LINKTYPES))]
    parts = _split(packet, dice) if way == 10 else _again(packet, dice)
    if dice.random() < 0.5:
        dice.shuffle(parts)
    return parts


# ── how packets are carried: tunnels, fragments, redundant networks ─────────────────────────────────────────────────────────────────────────────


def _tunnelled(packet: Packet, dice: Random, kind: str) -> list[Packet]:
    return [replace(packet, data=KINDS[kind][0](packet), wire=0)] if dice.random() < 0.95 else [packet]


def _fragments(packet: Packet, dice: Random, number: int) -> list[Packet]:
    """A datagram in fragments: all of them or some, in any order, twice, with other octets, overlapping, or with a wrong end."""
    start, end = _ends(packet.data)
    if start == 0:
        return [packet]
    step = 8 * dice.choice((1, 2, 3, 8, 40))
    made: list[Packet] = []
    for at in range(start, end, step):
        last = min(at + step + dice.choice((0, 0, 0, 0, 0, 8, 5)), end)
        head = bytearray(packet.data[:start])
        more = (last < end) ^ (dice.random() < 0.02)
        struct.pack_into(">HHH", head, 16, start - ETHERNET_IPV4 + last - at, number, 0x2000 * more | (at - start) // 8)
        part = packet.data[at:last]
        made.append(repaired(replace(packet, data=bytes(head) + part, wire=0)))
        if dice.random() < 0.05:
            made.append(repaired(replace(packet, data=bytes(head) + octets(part, dice), wire=0)))
    if dice.random() < 0.3:
        dice.shuffle(made)
    if dice.random() < 0.1:
        made.pop(dice.randrange(len(made)))
    return made


def _fragments6(packet: Packet, dice: Random, number: int) -> list[Packet]:
    """The same, carried by IPv6, with addresses of the same sum: checksums stay right."""
    start, end = _ends(packet.data)
    if start == 0:
        return [packet]
    step, made = 8 * dice.choice((1, 2, 8)), list[Packet]()
    for at in range(start, end, step):
        part = packet.data[at : min(at + step, end)]
        extension = struct.pack(">BBHI", packet.data[23], 0, at - start | (at + step < end), number)
        head = struct.pack(">IHBB", 6 << 28, 8 + len(part), 44, 64) + bytes(12) + packet.data[26:30] + bytes(12) + packet.data[30:34]
        made.append(replace(packet, data=packet.data[:12] + b"\x86\xdd" + head + extension + part, wire=0))
    if dice.random() < 0.3:
        dice.shuffle(made)
    return made


def _redundant(packet: Packet, dice: Random, number: int, kind: str) -> list[Packet]:
    """Both copies of a frame, or one of them."""
    ways = (hsr(packet, number), hsr(packet, number, 1)) if kind == "hsr" else (prp(packet, number), prp(packet, number, 0xB))
    return [replace(way, wire=0) for way in ways[: dice.choice((1, 2, 2, 2))]]


def carried(given: Sequence[Packet], dice: Random) -> list[Packet]:
    """All of these in tunnels, fragments or frames of redundant networks; some of both, and again some of them damaged on their way."""
    made = list(given)
    for _ in range(dice.choice((1, 1, 2))):
        way = dice.choice(("tunnel", "tunnel", "fragments", "fragments", "fragments of IPv6", "hsr", "prp"))
        kind = dice.choice(sorted(KINDS))
        longer: list[Packet] = []
        for number, packet in enumerate(made):
            if packet.linktype != ETHERNET or not 14 <= len(packet.data) < LARGEST_CARRIED:
                longer.append(packet)
            elif way == "tunnel":
                longer += _tunnelled(packet, dice, kind)
            elif way == "fragments":
                longer += _fragments(packet, dice, number)
            elif way == "fragments of IPv6":
                longer += _fragments6(packet, dice, number)
            else:
                longer += _redundant(packet, dice, number, way)
        made = longer
    for at in range(len(made)):
        if dice.random() < 0.05:
            made[at] = replace(made[at], data=octets(made[at].data, dice), wire=0)
    return made


def _crowd(taken: Sequence[Packet], dice: Random, most: int) -> list[Packet]:
    """The same from and to many hosts, on many ports, about many registers: tables get full."""
    made: list[Packet] = []
    for _ in range(most):
        packet = taken[len(made) % len(taken)] if dice.random() < 0.8 else dice.choice(taken)
        data = bytearray(packet.data)
        for at in dice.choice(((29,), (35,), (29, 35), (60, 62), (27, 29, 31, 33, 35, 37))):
            if at < len(data):
                data[at] = dice.randrange(256)
        made.append(replace(packet, data=bytes(data), time=packet.time + len(made) * dice.choice((0, 1000, SECOND))))
    return made


def packets(seed: Sequence[Packet], dice: Random, most: int) -> list[Packet]:
    """A stretch of a capture, at most so many packets, some of them mutated."""
    start = dice.randrange(max(len(seed) - most, 0) + 1)
    taken = seed[start : start + dice.randrange(1, most + 1)]
    if dice.random() < 0.2:
        taken = _crowd(taken, dice, 2 * most)
    share = dice.choice((0.05, 0.2, 0.6))
    right = dice.random() < 0.7
    made: list[Packet] = []
    for packet in taken:
        changed = _one(packet, dice, dice.choice(taken)) if dice.random() < share else [packet]
        made += map(repaired, changed) if right else changed
    if dice.random() < 0.3:
        made = carried(made, dice)
    for _ in range(dice.randrange(4)):
        if len(made) > 1:
            at = dice.randrange(len(made) - 1)
            made[at : at + 2] = reversed(made[at : at + 2])
    return made[: 2 * most] or [taken[0]]
