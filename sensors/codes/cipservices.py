"""Services of the Common Industrial Protocol: what is asked of which object, by which route, and how it is answered."""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.cip import (
    APPLY,
    BROWSE,
    CLASSES,
    CONNECTION_FAILURE,
    CONNECTION_MANAGER,
    CREATE,
    DELETE,
    EXECUTE,
    FORWARD_CLOSE,
    FORWARD_OPEN,
    GENERAL_ERROR,
    GET_ALL,
    GET_LIST,
    GET_MEMBER,
    GET_SINGLE,
    LARGE_FORWARD_OPEN,
    MODIFY_TAG,
    MOST_CLASS,
    PCCC,
    PROGRAM,
    READ_FRAGMENT,
    READ_TAG,
    REMOVE_MEMBER,
    RESTORE,
    SET_ALL,
    SET_LIST,
    SET_MEMBER,
    SET_SINGLE,
    SYMBOL,
    UNCONNECTED_SEND,
    WRITE_FRAGMENT,
    WRITE_TAG,
    WRONG_DIRECTION,
)
from sensors.codes.epath import BAD_PATH, port_end, read_path, segment_end
from sensors.engine.contexts import context
from sensors.engine.octets import inline, kernel, u8, u16le
from sensors.engine.tables import FAILURE, SECOND

PARTIAL, EMBEDDED_ERROR = 6, 0x1E
LAST_COMMON: Final = 0x31  # services above are a class's own
LEAST_DOWNLOAD: Final = 16  # octets
UPLOAD, DOWNLOAD = NUMBER["program.upload"], NUMBER["program.download"]
MEMORY_OF: Final = 60 * SECOND  # how long a request is remembered

# Contexts, by connection of the transport, and place of the transaction and part: what a request was about. a: service, b: class, c: instance, d: attribute,
# e: first address, f: how many, g: space, h: unit, i: when, j: services of the packet that begins here, k: octets of a tag that are passed over.
# l: the transaction. Of a forward open or close, e: the connection. A connection has OPEN transactions remembered, so that few rows are touched.
ASKED: Final = 0xC1
OPEN: Final = 8


@inline
def asked_of(message: Any, part: int, contexts: Any, joints: Any) -> int:
    """The context of this part of the transaction."""
    return context(contexts, joints, ASKED, message.connection, (message.transaction & OPEN - 1) << 8 | part, message.clock)


@inline
def is_known(asked: Any, message: Any) -> bool:
    """Is this what was asked, and not long ago?"""
    return asked.fresh == 0 and asked.l == message.transaction and message.clock - asked.i < MEMORY_OF


@inline
def set_code(row: Any, service: int, kind: int) -> None:
    """Service and class, and what that class makes of common services."""
    row.code = (service + 1) << 40 | (max(kind, 0) & 0xFFFF) + 1 << 20
    row.effect = class_effect(service, kind)


@kernel
def class_effect(service: int, kind: int) -> int:
    """The effect of a common service on objects of this class; -1 where the table of functions tells."""
    if kind < 0 or kind >= MOST_CLASS:
        return -1
    of = CLASSES[kind]
    if service in (GET_ALL, GET_LIST, GET_SINGLE, GET_MEMBER):
        return int(of.read)
    if service in (SET_ALL, SET_LIST, APPLY, SET_SINGLE, RESTORE) or SET_MEMBER <= service <= REMOVE_MEMBER:
        return int(of.write)
    if service == CREATE:
        return int(of.make)
    return int(of.remove) if service == DELETE else -1


@kernel
def ask(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> int:
    """Service and path of a request; returns where its data begin."""
    service, stop = u8(memory, at, end, row), at + 2 + 2 * u8(memory, at + 1, end, row)
    if row.short:
        return end
    row.code = (service + 1) << 40
    asked.a = service
    if service > 127:
        row.anomaly |= WRONG_DIRECTION
    within = read_path(memory, at + 2, min(stop, end), row, asked, joints)
    if stop > end:
        row.short = 1
    if row.short:
        row.name_at, row.name_octets = -1, 0
        return end
    set_code(row, service, asked.b)
    tell_program(row, service, asked.b, within, end - stop)
    row.space, row.first, row.last = asked.g if asked.e >= 0 else -1, asked.e, asked.e
    return stop


@kernel
def tell_program(row: Any, service: int, kind: int, within: int, octets: int) -> None:
    """What a service to a part of the program does: also to one of a class that is not published, where its path leads through a program.

    Of the services that are not published, those that carry so much that it can be a part of the program load it, the others ask for it.
    """
    unpublished = kind >= MOST_CLASS or kind < 0 or (CLASSES[kind].read < 0 and CLASSES[kind].write < 0)
    if kind not in PROGRAM and (within < 0 or not unpublished):
        return
    if service <= LAST_COMMON:
        row.effect = class_effect(service, kind if kind in PROGRAM else within)
    elif service != EXECUTE:
        row.effect = DOWNLOAD if octets > LEAST_DOWNLOAD else UPLOAD


@kernel
def begin_asked(message: Any, part: int, unit: int, contexts: Any, joints: Any) -> int:
    """The context of this request."""
    place = asked_of(message, part, contexts, joints)
    asked = contexts[place]
    asked.fresh, asked.h, asked.i, asked.j = 0, unit, message.clock, 0
    return place


@kernel
def unwrap(memory: Any, at: int, end: int, row: Any, asked: Any) -> tuple[int, int]:
    """(place, end) of what an unconnected send carries; its route names the unit."""
    place, octets = at + 4, u16le(memory, at + 2, end, row)
    if row.short:
        return place, place
    route = place + octets + (octets & 1)
    if place + octets > end:
        row.short = 1
        return place, end
    words = u8(memory, route, end, row)
    stop, route = route + 2 + 2 * words, route + 2
    if stop > end:
        row.short = 1
    while route < min(stop, end) and row.short == 0:
        segment = u8(memory, route, end, row)
        after = port_end(memory, route, end, segment, row, asked) if segment >> 5 == 0 else segment_end(memory, route, end, segment, row, asked)
        if after <= route or after > stop:
            row.anomaly |= BAD_PATH
            break
        route = after
    row.unit = asked.h
    return place, place + octets


@kernel
def default_class(service: int, failed: bool, octets: int) -> int:
    """The class that a service of its own speaks for where a reply's request was not seen; 0: it does not tell."""
    if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN) or (octets > 0 and (service == FORWARD_CLOSE or (failed and service == UNCONNECTED_SEND))):
        return CONNECTION_MANAGER
    if service in (READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT, BROWSE):
        return SYMBOL
    return PCCC if service == EXECUTE else 0


@kernel
def read_status(memory: Any, at: int, end: int, row: Any) -> tuple[int, int]:
    """(general status, where the data of the reply begin)."""
    status, words = u8(memory, at + 2, end, row), u8(memory, at + 3, end, row)
    place = at + 4 + 2 * words
    extended = u16le(memory, at + 4, end, row) if words > 0 else 0
    if place > end:
        row.short = 1
    if row.short == 0 and status not in (0, PARTIAL, EMBEDDED_ERROR):
        row.outcome = FAILURE
        row.error = extended << 8 | status if status in (CONNECTION_FAILURE, GENERAL_ERROR) else status
    return status, place
