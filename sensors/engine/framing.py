"""How a byte stream falls into messages: the protocols' framings as one table, and the kernels that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.engine.octets import inline, kernel, u8, u16be, u16le, u32be, u32le
from sensors.engine.tables import FRAMING, table
from sensors.protocol import BY_DATAGRAM, BY_SEGMENT, LITTLE

OF_FRAMES: Final = 2  # the row of `ports` that EtherTypes stand in
SHAPES: Final = 2  # lengths that a code may have: of a request and of its answer

if TYPE_CHECKING:
    from sensors.protocol import Protocol


def framing_tables(protocols: tuple[Protocol, ...], upper: bool = False) -> tuple[Any, Any, Any]:
    """(framings, known codes [framing, 256, 1 + SHAPES], ports [tcp, udp or EtherType, 65536] → framing or -1) of the protocols on streams,
    or of those over another."""
    total = sum(len(protocol.framings) for protocol in protocols)
    framings = table(max(total, 1), FRAMING)
    known = np.zeros((max(total, 1), 256, 1 + SHAPES), np.int64)
    ports = np.full((3, 65536), -1, np.int64)
    row = 0
    for number, protocol in enumerate(protocols):
        if not (protocol.over if upper else protocol.over is None or protocol.tcp or protocol.udp or protocol.ethertypes):
            continue
        for kind, registered in ((0, protocol.tcp), (1, protocol.udp), (OF_FRAMES, protocol.ethertypes)):
            ports[kind, list(registered)] = row
        for variant, framing in enumerate(protocol.framings):
            length = framing.length
            at, value, mask = framing.magic
            little = length.order == LITTLE
            framings[row] = (
                number, framing.kind, framing.header, length.at, length.octets, little, framing.add, at, value, mask,
                framing.least, framing.most, framing.code_at if framing.known else -1, variant, *framing.facing, *framing.answering, *framing.blocks,
                *framing.large,
            )  # fmt: skip
            known[row, sorted(framing.known), 0] = 1
            for code, shapes in framing.shapes.items():
                known[row, code, 1 : 1 + len(shapes)] = [fixed << 8 | counted + 1 for fixed, counted in shapes]
            row += 1
    return framings[:row], known[:row], ports


@kernel
def crc16(memory: Any, at: int, end: int, row: Any) -> int:
    """CRC-16 of Modbus over [at, end), as it stands on the wire (low octet first) when read little endian."""
    crc = 0xFFFF
    for i in range(at, end):
        crc ^= u8(memory, i, end, row)
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@inline
def message_length(memory: Any, at: int, end: int, framing: Any, row: Any) -> int:
    """Length of the message that begins at `at`, whose header is there; -1 where it does not fit the framing."""
    if framing.mask and u16be(memory, at + framing.magic_at, end, row) & framing.mask != framing.magic:
        return -1
    place = at + framing.length_at
    if framing.length_octets == 1:
        told = u8(memory, place, end, row)
    elif framing.length_octets == 2:
        told = u16le(memory, place, end, row) if framing.little else u16be(memory, place, end, row)
    else:
        told = u32le(memory, place, end, row) if framing.little else u32be(memory, place, end, row)
    if framing.block:
        told += max(told - framing.uncounted + framing.block - 1, 0) // framing.block * framing.check
    told += framing.add
    if framing.large and told > framing.large and (u8(memory, at + framing.code_at, end, row) & framing.large_mask) != framing.large_code:
        return -1
    return told if framing.least <= told <= framing.most else -1


@inline
def _shaped(memory: Any, at: int, end: int, number: int, framing: Any, known: Any, row: Any) -> bool:
    """Has the segment a length that its code can have? Other protocols end in the same checksum."""
    code = u8(memory, at + framing.code_at, end, row)
    for i in range(1, 1 + SHAPES):
        shape = known[number, code, i]
        counted = (shape & 255) - 1
        if shape and end - at == (shape >> 8) + (u8(memory, at + counted, end, row) if 0 <= counted < end - at else 0):
            return True
    return False


@inline
def datagram_fits(memory: Any, at: int, end: int, number: int, framings: Any, known: Any, row: Any) -> bool:
    """May [at, end), a whole datagram or frame, be a message of this framing? Only its length, its magic and its code tell."""
    framing = framings[number]
    if end - at < max(framing.least, framing.magic_at + 2, framing.code_at + 1) or end - at > framing.most:
        return False
    if framing.mask and u16be(memory, at + framing.magic_at, end, row) & framing.mask != framing.magic:
        return False
    return framing.code_at < 0 or known[number, u8(memory, at + framing.code_at, end, row), 0] != 0


@kernel
def fits(memory: Any, at: int, end: int, number: int, framings: Any, known: Any, row: Any) -> bool:
    """Do whole messages of this framing fill [at, end) exactly? That is how content is recognised, on any port."""
    framing = framings[number]
    if framing.kind == BY_DATAGRAM:
        return datagram_fits(memory, at, end, number, framings, known, row)
    if framing.kind == BY_SEGMENT:
        length = end - at
        if length < framing.least or length > framing.most:
            return False
        if framing.code_at >= 0 and known[number, u8(memory, at + framing.code_at, end, row), 0] == 0:
            return False
        return _shaped(memory, at, end, number, framing, known, row) and crc16(memory, at, end - 2, row) == u16le(memory, end - 2, end, row)
    if at >= end:
        return False
    while at < end:
        if at + framing.header > end:
            return False
        length = message_length(memory, at, end, framing, row)
        if length < 0 or at + length > end:
            return False
        if framing.code_at >= 0 and known[number, u8(memory, at + framing.code_at, end, row), 0] == 0:
            return False
        at += length
    return True
