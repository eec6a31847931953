"""Mutations: of octets, of packets, of the order of packets, of capture files."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.wire import ETHERNET, SECOND, Packet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

ODD: Final = (0, 1, 2, 4, 8, 0x0F, 0x10, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
LINKTYPES: Final = (0, 1, 12, 101, 108, 113, 228, 229, 276)
ETHERNET_IPV4: Final = 14
TCP: Final = 6
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


def _split(packet: Packet, dice: Random) -> list[Packet]:
    """A segment of TCP over IPv4 over Ethernet as several ones; anything else as it is."""
    data = packet.data
    if packet.linktype != ETHERNET or len(data) < 54 or data[12:14] != b"\x08\x00" or data[23] != TCP:
        return [packet]
    tcp = ETHERNET_IPV4 + (data[14] & 15) * 4
    total = int.from_bytes(data[16:18])
    start, end = tcp + ((data[tcp + 12] >> 4) * 4 if tcp + 12 < len(data) else 0), ETHERNET_IPV4 + total
    if not tcp + 20 <= start < end <= len(data):
        return [packet]
    edges = sorted({start, end, *(dice.randrange(start, end) for _ in range(dice.randrange(1, 4)))})
    (sequence,) = struct.unpack_from(">I", data, tcp + 4)
    parts: list[Packet] = []
    for first, last in itertools.pairwise(edges):
        head = bytearray(data[:start])
        struct.pack_into(">H", head, 16, start - ETHERNET_IPV4 + last - first)
        struct.pack_into(">I", head, tcp + 4, (sequence + first - start) & 0xFFFFFFFF)
        parts.append(replace(packet, data=bytes(head) + data[first:last], wire=0))
    return parts


def _one(packet: Packet, dice: Random, other: Packet) -> list[Packet]:
    """One packet mutated: none, one or several instead of it."""
    data, way = packet.data, dice.randrange(11)
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
    parts = _split(packet, dice)
    if dice.random() < 0.5:
        dice.shuffle(parts)
    return parts


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
    made: list[Packet] = []
    for packet in taken:
        made += _one(packet, dice, dice.choice(taken)) if dice.random() < share else [packet]
    for _ in range(dice.randrange(4)):
        if len(made) > 1:
            at = dice.randrange(len(made) - 1)
            made[at : at + 2] = reversed(made[at : at + 2])
    return made[: 2 * most] or [taken[0]]
