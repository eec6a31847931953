"""Connections of CIP (ODVA Vol 1, 3-5): what a forward open agrees upon, and what is remembered of it until the forward close."""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.cip import ASSEMBLY, CONNECTION_MANAGER, DATA_HIGHWAY, FORWARD_CLOSE, FORWARD_OPEN, LARGE_FORWARD_OPEN, UNCONNECTED_SEND
from sensors.codes.epath import ASSEMBLIES, OCTETS_EACH, read_path
from sensors.engine.contexts import context
from sensors.engine.octets import inline, kernel, mix, u8, u16be, u16le, u32le

RESERVE, CONFIGURE = NUMBER["session.reserve"], NUMBER["configuration.write"]
HEARTBEAT: Final = 2  # octets of a connection on which nothing but its sequence count is sent
MANAGER: Final = 0x2006  # how its path begins
HIGHWAY: Final = 16

# Contexts. LINK, by the host that sends on a connection and its number there: a: number of the connection that both directions share (0: it is closed),
# b: transport class (and HIGHWAY where it carries PCCC to Data Highway Plus), c: 0 to the target, 1 from it, d: assembly, e: unit, f: 0 not known yet,
# 1 the data begin with a run/idle header, 2 they do not.
# OPENING, by connection of the transport and transaction: a: service, d: octets agreed upon, e: number of the connection, f: transport class, h: unit,
# k and l: assemblies to and from the target. OPENED, by number of the connection and originator: a and b: its numbers to and from the target, c: who that is.
LINK, OPENING, OPENED = 0xE1, 0xE2, 0xE3


@inline
def connection_number(memory: Any, at: int, end: int, row: Any) -> int:
    """The number of a connection: of its serial number, and its originator's vendor and serial number."""
    return mix(u32le(memory, at, end, row), u32le(memory, at + 4, end, row)) & 0x3FFFFFFE | 1


@kernel
def read_connection_path(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """Where a connection leads: an assembly each way, a tag or another object."""
    unit = asked.h
    asked.h = row.space = row.first = row.last = -1
    read_path(memory, at, end, row, asked, joints)
    asked.h = asked.h if asked.h >= 0 else unit
    if row.short or row.anomaly:
        return
    asked.k = asked.l if asked.k < 0 else asked.k
    row.unit = asked.h
    row.space, row.first, row.last = asked.g, asked.e, asked.e
    if asked.b == ASSEMBLY and asked.l >= 0:
        row.space = ASSEMBLIES
        row.first, row.last = min(asked.k, asked.l) * OCTETS_EACH, max(asked.k, asked.l) * OCTETS_EACH
        row.distinct = 1 if asked.k == asked.l else 2


@kernel
def read_forward_open(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any, wide: bool) -> int:
    """A connection to be opened: what is agreed upon is kept for the reply."""
    known = connection_number(memory, at + 10, end, row)
    if wide:
        out, into, place = u32le(memory, at + 26, end, row), u32le(memory, at + 34, end, row), at + 38
        kinds, sizes = out >> 29 & 3 | into >> 29 & 3, (out & 0xFFFF) << 16 | into & 0xFFFF
    else:
        out, into, place = u16le(memory, at + 26, end, row), u16le(memory, at + 32, end, row), at + 34
        kinds, sizes = out >> 13 & 3 | into >> 13 & 3, (out & 0x1FF) << 16 | into & 0x1FF
    transport, stop = u8(memory, place, end, row) & 15, place + 2 + 2 * u8(memory, place + 1, end, row)
    if row.short or stop > end:
        row.short, row.space, row.first, row.last = 1, -1, -1, -1
        return end
    read_connection_path(memory, place + 2, min(stop, end), row, asked, joints)
    asked.e, asked.f, asked.d = known, transport | (HIGHWAY if asked.b == DATA_HIGHWAY else 0), sizes
    asked.b = CONNECTION_MANAGER
    if kinds == 0:
        row.effect = CONFIGURE  # a null forward open changes the configuration
    elif transport < 2 and sizes >> 16 > HEARTBEAT:
        row.effect = RESERVE  # whoever sends outputs owns them
    return stop


@kernel
def read_forward_close(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> int:
    """A connection to be closed."""
    known, stop = connection_number(memory, at + 2, end, row), at + 12 + 2 * u8(memory, at + 10, end, row)
    if row.short or stop > end:
        row.short, row.space, row.first, row.last = 1, -1, -1, -1
        return end
    read_connection_path(memory, at + 12, min(stop, end), row, asked, joints)
    asked.e, asked.b = known, CONNECTION_MANAGER
    return stop


@kernel
def remember(contexts: Any, joints: Any, speaker: int, link: int, clock: int, number: int, kind: int, direction: int, assembly: int, unit: int) -> None:
    """A connection was opened (number > 0) or closed (0): what this host sends under this number is so."""
    row = contexts[context(contexts, joints, LINK, speaker, link, clock)]
    row.fresh = 0
    row.a, row.b, row.c, row.d, row.e, row.f = number, kind, direction, assembly, unit, 0


@kernel
def opened(memory: Any, at: int, end: int, message: Any, row: Any, asked: Any, contexts: Any, joints: Any) -> None:
    """A connection was opened: from now on, either side sends under its number."""
    out, into, known = u32le(memory, at, end, row), u32le(memory, at + 4, end, row), connection_number(memory, at + 8, end, row)
    if row.short:
        return
    if known != asked.e:
        return
    transport, outputs, inputs, unit = asked.f, asked.k, asked.l, asked.h
    kept = contexts[context(contexts, joints, OPENED, known, message.hearer, message.clock)]
    kept.fresh = 0
    kept.a, kept.b, kept.c = out, into, message.speaker
    remember(contexts, joints, message.hearer, out, message.clock, known, transport, 0, outputs, unit)
    remember(contexts, joints, message.speaker, into, message.clock, known, transport, 1, inputs, unit)


@kernel
def closed(memory: Any, at: int, end: int, message: Any, row: Any, contexts: Any, joints: Any) -> None:
    """A connection was closed: its numbers mean nothing any more."""
    known = connection_number(memory, at, end, row)
    if row.short:
        return
    kept = contexts[context(contexts, joints, OPENED, known, message.hearer, message.clock)]
    if kept.fresh == 0:
        out, into, target = kept.a, kept.b, kept.c
        kept.fresh = 1
        remember(contexts, joints, message.hearer, out, message.clock, 0, 0, 0, -1, -1)
        remember(contexts, joints, target, into, message.clock, 0, 0, 0, -1, -1)


@kernel
def follow(memory: Any, at: int, end: int, message: Any, row: Any, contexts: Any, joints: Any) -> None:
    """What a CIP message does to connections; its row stays as it is."""
    short, anomaly = row.short, row.anomaly
    service, words = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    if service == UNCONNECTED_SEND and u16be(memory, at + 2, end, row) == MANAGER:
        at += 6 + 2 * words
        service, words = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    if service & 127 in (FORWARD_OPEN, LARGE_FORWARD_OPEN, FORWARD_CLOSE):
        row.short = row.anomaly = 0
        asked = contexts[context(contexts, joints, OPENING, message.connection, row.transaction, message.clock)]
        if service < 128 and u16be(memory, at + 2, end, row) == MANAGER:
            asked.fresh, asked.a, asked.h = 0, service, -1
            if service == FORWARD_CLOSE:
                read_forward_close(memory, at + 2 + 2 * words, end, row, asked, joints)
            else:
                read_forward_open(memory, at + 2 + 2 * words, end, row, asked, joints, service == LARGE_FORWARD_OPEN)
            asked.fresh = row.short
        elif asked.fresh == 0 and asked.a | 128 == service and u8(memory, at + 2, end, row) == 0:
            if service & 127 == FORWARD_CLOSE:
                closed(memory, at + 4, end, message, row, contexts, joints)
            else:
                opened(memory, at + 4, end, message, row, asked, contexts, joints)
        row.space = row.first = row.last = row.name_at = row.effect = -1
        row.name_octets, row.distinct = 0, 1
    row.short, row.anomaly = short, anomaly
