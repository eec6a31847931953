"""Common Industrial Protocol over EtherNet/IP: ODVA Vol 1 (services, paths, connection manager), Rockwell 1756-PM020 (tags, symbol and template objects).

One row a service: those of a multiple service packet have one each, numbered by `part`; what an unconnected send wraps stands in its place, with the last port
of its route as unit. Objects are class << 36 | instance << 16 | attribute, 0: none. A tag is known by its name; a single index at its end is the address,
others stand in the name. Replies tell no path: what was asked is remembered (`ASKED`). Class 0: not told. Structures and types without a size are opaque.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.carriers import tell_apart
from sensors.codes.cip import (
    APPLY,
    BROWSE,
    CLASS_NAMES,
    CLASSES,
    CONNECTION_MANAGER,
    CREATE,
    DELETE,
    ERRORS,
    EXECUTE,
    FORWARD_CLOSE,
    FORWARD_OPEN,
    FUNCTIONS,
    GET_ALL,
    GET_LIST,
    GET_MEMBER,
    GET_SINGLE,
    IDENTITY,
    LARGE_FORWARD_OPEN,
    MEMORY,
    MODIFY_TAG,
    MOST_CLASS,
    NAMED_EXTENDED,
    PACKET,
    PCCC,
    PROGRAM,
    READ_FRAGMENT,
    READ_TAG,
    REMOVE_MEMBER,
    RESET,
    RESTORE,
    SET_ALL,
    SET_LIST,
    SET_MEMBER,
    SET_SINGLE,
    SYMBOL,
    TYPE_ENCODINGS,
    TYPE_OCTETS,
    UNCONNECTED_SEND,
    WRITE_FRAGMENT,
    WRITE_TAG,
    fact,
)  # fmt: skip
from sensors.codes.connections import connection_number, read_forward_close, read_forward_open
from sensors.codes.epath import (
    ADDRESSES,
    ASSEMBLIES,
    ATTRIBUTES,
    BAD_PATH,
    CLASS_BITS,
    FACTS,
    INSTANCE_BITS,
    INSTANCES,
    OCTETS_EACH,
    SPACES,
    port_end,
    read_path,
    segment_end,
)  # fmt: skip
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_fact, add_run, add_text, add_value, most_rows, open_row
from sensors.engine.octets import borrow, entry, f32le, f64le, i64le, inline, kernel, signed, u8, u16be, u16le, u32le
from sensors.engine.tables import BROKEN, CUT, F32LE, F64LE, FAILURE, I8, I16LE, I32LE, LOW_BIT, RESPONSE, SECOND, U8, U16LE, U32LE, U64LE
from sensors.protocol import BY_PAYLOAD, Framing, Protocol
from sensors.protocols.enip import CIP as SELECTOR
from sensors.protocols.enip import read_identity

ANOMALIES: Final = (
    "short", "trailing_bytes", "bad_path", "bad_count", "bad_value", "service_mismatch", "wrong_direction", "too_many_services", "connection_mismatch",
    "quantity_mismatch", "unsolicited", "late_response",
)  # fmt: skip
SHORT, TRAILING_BYTES, _, BAD_COUNT, BAD_VALUE, SERVICE_MISMATCH, WRONG_DIRECTION, TOO_MANY = (1 << bit for bit in range(8))
CONNECTION_MISMATCH, QUANTITY_MISMATCH = 1 << 8, 1 << 9
PARTIAL, EMBEDDED_ERROR, STRUCTURE = 6, 0x1E, 0x2A0
PARTS: Final = 256  # services of a packet that are told
SAMPLES: Final = 256
MEMORY_OF: Final = 60 * SECOND  # how long a request is remembered
LEAST_DOWNLOAD: Final = 16  # octets: requests to objects of the program that are longer carry it, shorter ones ask for it
UPLOAD, DOWNLOAD = NUMBER["program.upload"], NUMBER["program.download"]

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
def number(memory: Any, at: int, end: int, encoding: int, row: Any) -> float:
    """The one value of this encoding."""
    if encoding in (U8, LOW_BIT):
        return float(u8(memory, at, end, row) & (1 if encoding == LOW_BIT else 255))
    if encoding == I8:
        return float(signed(u8(memory, at, end, row), 8))
    if encoding in (U16LE, I16LE):
        value = u16le(memory, at, end, row)
        return float(signed(value, 16) if encoding == I16LE else value)
    if encoding in (U32LE, I32LE):
        value = u32le(memory, at, end, row)
        return float(signed(value, 32) if encoding == I32LE else value)
    if encoding == F32LE:
        return f32le(memory, at, end, row)
    return f64le(memory, at, end, row) if encoding == F64LE else float(i64le(memory, at, end, row))


@kernel
def read_run(memory: Any, at: int, end: int, row: Any, samples: Any, space: int, first: int, encoding: int, octets: int, step: int) -> int:
    """As many values as there are; returns how many."""
    count = max(end - at, 0) // octets
    if count > 0:
        sample = add_run(row, samples, space, first, count, at, count * octets, encoding, octets)
        sample.step = step
        if count == 1:
            row.value = number(memory, at, end, encoding, row)
    return count


@kernel
def read_typed(memory: Any, at: int, end: int, kind: int, row: Any, samples: Any, space: int, first: int) -> int:
    """Values of a tag, of this type; returns how many, -1 where they are opaque."""
    if kind >= 256 and kind & 0xF8FF != 0xC1:
        return -1
    octets = TYPE_OCTETS[kind & 255]
    if octets == 0:
        return -1
    if (end - at) % octets:
        row.anomaly |= BAD_COUNT
    return read_run(memory, at, end, row, samples, space, first, TYPE_ENCODINGS[kind & 255], octets, 1)


@kernel
def read_plain(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> None:
    """An attribute's value: a number where its length can be one's."""
    octets = end - at
    if asked.g == ASSEMBLIES:
        read_run(memory, at, end, row, samples, ASSEMBLIES, asked.e, U8, 1, 1)
    elif octets in (1, 2, 4, 8) and asked.e >= 0:
        read_run(memory, at, end, row, samples, asked.g, asked.e, U8 if octets == 1 else U16LE if octets == 2 else U32LE if octets == 4 else U64LE, octets, 1)


@kernel
def read_tag_request(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> int:
    """The data of a request on a tag: how many values, of which type, from where, and those to be written."""
    service = asked.a
    if service == MODIFY_TAG:
        octets = u16le(memory, at, end, row)
        if at + 2 + 2 * octets > end:
            row.short = 1
        if row.short == 0 and octets not in (1, 2, 4, 8, 12):
            row.anomaly |= BAD_COUNT
        return at + 2 + 2 * octets
    kind = 0
    if service in (WRITE_TAG, WRITE_FRAGMENT):
        kind = u16le(memory, at, end, row)
        at += 4 if kind == STRUCTURE else 2
    count = u16le(memory, at, end, row)
    at += 2
    skipped = 0
    if service in (READ_FRAGMENT, WRITE_FRAGMENT):
        skipped = u32le(memory, at, end, row)
        at += 4
    if row.short:
        return end
    if count == 0:
        row.anomaly |= BAD_COUNT
    asked.f, asked.k = max(count, 1), skipped
    row.last = row.first + asked.f - 1
    if kind == 0:
        return at
    octets = TYPE_OCTETS[kind & 255]
    told = read_typed(memory, at, end, kind, row, samples, asked.g, asked.e + skipped // max(octets, 1))
    if told >= 0 and (told > count or (told < count and service == WRITE_TAG)):
        row.anomaly |= QUANTITY_MISMATCH
    return end


@kernel
def read_tag_reply(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any, known: bool, status: int, skipped: int) -> int:
    """Values of a tag."""
    kind = u16le(memory, at, end, row)
    if row.short or kind == STRUCTURE:
        return end
    octets = TYPE_OCTETS[kind & 255]
    space, first = (asked.g, asked.e + skipped // max(octets, 1)) if known else (-1, -1)
    if space < 0:
        return end
    told = read_typed(memory, at + 2, end, kind, row, samples, space, first)
    if told >= 0 and (told > asked.f or (told < asked.f and status == 0 and row.code >> 40 == READ_TAG + 1)):
        row.anomaly |= QUANTITY_MISMATCH
    return end


@kernel
def read_identity_list(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """Attributes of the identity object with their numbers and status; one that is not known ends what can be told."""
    for _ in range(min(u16le(memory, at, end, row), 8)):
        attribute, status = u16le(memory, at + 2, end, row), u16le(memory, at + 4, end, row)
        if row.short:
            return
        at += 4
        if status == 0:
            octets = identity_octets(memory, at + 2, end, attribute, row)
            if octets == 0 or at + 2 + octets > end:
                return
            read_identity_attribute(memory, at + 2, at + 2 + octets, attribute, row, samples)
            at += octets


@inline
def identity_octets(memory: Any, at: int, end: int, attribute: int, row: Any) -> int:
    """How long this attribute of the identity object is, 0 where it is not known."""
    if attribute == 7:
        return 1 + u8(memory, at, end, row)
    return 4 if attribute == 6 else 1 if attribute == 8 else 2 if 0 < attribute < 6 else 0


@kernel
def read_identity_attribute(memory: Any, at: int, end: int, attribute: int, row: Any, samples: Any) -> None:
    """One attribute of the identity object."""
    if attribute == 1:
        add_fact(row, samples, FACTS, 1, u16le(memory, at, end, row))
    elif attribute == 4:
        add_fact(row, samples, FACTS, 4, u16be(memory, at, end, row))
    elif attribute == 6:
        add_fact(row, samples, FACTS, 6, u32le(memory, at, end, row))
    elif attribute == 7:
        octets = u8(memory, at, end, row)
        if row.short == 0 and at + 1 + octets <= end:
            add_text(row, samples, FACTS, 7, at + 1, octets)
    elif 0 < attribute < 9:
        add_value(row, samples, FACTS, attribute, u8(memory, at, end, row) if attribute == 8 else u16le(memory, at, end, row))


@kernel
def read_pccc(memory: Any, at: int, end: int, row: Any) -> int:
    """Who asks, and a PCCC message, which is handed on."""
    octets = u8(memory, at, end, row)
    if row.short == 0 and octets > 0 and at + octets < end:
        row.payload, row.payload_length, row.selector = at + octets, end - at - octets, PCCC
    elif row.short == 0:
        row.anomaly |= BAD_VALUE
    return end


@kernel
def read_body(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any, joints: Any) -> int:
    """The data of a request; returns their end."""
    service, kind = asked.a, asked.b
    if kind == SYMBOL and service in (READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT):
        return read_tag_request(memory, at, end, row, samples, asked)
    if kind == CONNECTION_MANAGER:
        if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN):
            return read_forward_open(memory, at, end, row, asked, joints, service == LARGE_FORWARD_OPEN)
        if service == FORWARD_CLOSE:
            return read_forward_close(memory, at, end, row, asked, joints)
    elif kind == PCCC and service == EXECUTE:
        return read_pccc(memory, at, end, row)
    elif kind == MEMORY and service == READ_TAG:
        first, count = u32le(memory, at, end, row), u16le(memory, at + 4, end, row)
        row.space, row.first, row.last = -1, -1, -1
        if row.short == 0:
            asked.g, asked.e, asked.f = ADDRESSES, first, max(count, 1)
            row.space, row.first, row.last = ADDRESSES, first, first + 4 * asked.f - 1
        return at + 6
    elif service == SET_SINGLE:
        read_plain(memory, at, end, row, samples, asked)
    elif service == RESET and at < end:
        row.value = u8(memory, at, end, row)
    elif kind in PROGRAM and service > 49 and service != EXECUTE:
        row.effect = DOWNLOAD if end - at > LEAST_DOWNLOAD else UPLOAD
    return end


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
    read_path(memory, at + 2, min(stop, end), row, asked, joints)
    if stop > end:
        row.short = 1
    if row.short:
        row.name_at, row.name_octets = -1, 0
        return end
    set_code(row, service, asked.b)
    row.space, row.first, row.last = asked.g if asked.e >= 0 else -1, asked.e, asked.e
    return stop


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
        row.error = status
        for i in range(len(NAMED_EXTENDED)):
            if words > 0 and NAMED_EXTENDED[i] == extended << 8 | status:
                row.error = NAMED_EXTENDED[i]
    return status, place


@kernel
def read_reply(memory: Any, at: int, end: int, message: Any, part: int, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """The reply to a service: what it was about is known of the request."""
    service = u8(memory, at, end, row)
    if row.short:
        return
    if service < 128:
        row.anomaly |= WRONG_DIRECTION
    service &= 127
    row.code = (service + 1) << 40
    status, at = read_status(memory, at, end, row)
    if row.short:
        return
    asked = contexts[asked_of(message, part, contexts, joints)]
    known = is_known(asked, message)
    if known and service != asked.a:
        if service == UNCONNECTED_SEND and row.outcome == FAILURE:
            service = asked.a  # a router on the way answers
        else:
            row.anomaly |= SERVICE_MISMATCH
            known = False
    kind = max(asked.b, 0) if known else default_class(service, row.outcome == FAILURE, end - at)
    if known or message.marks & CUT == 0:
        set_code(row, service, kind)
    if known:
        row.unit = asked.h
    if row.outcome == FAILURE or at >= end:
        return
    if kind == SYMBOL and service in (READ_TAG, READ_FRAGMENT):
        read_tag_reply(memory, at, end, row, samples, asked, known, status, asked.k if service == READ_FRAGMENT and known else 0)
    elif kind == PCCC and service == EXECUTE:
        read_pccc(memory, at, end, row)
    elif known:
        read_known(memory, at, end, service, kind, row, samples, asked)


@kernel
def read_known(memory: Any, at: int, end: int, service: int, kind: int, row: Any, samples: Any, asked: Any) -> None:
    """The data of a reply that mean something only with its request."""
    if kind == CONNECTION_MANAGER:
        if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN, FORWARD_CLOSE):
            place = at if service == FORWARD_CLOSE else at + 8
            if connection_number(memory, place, end, row) != asked.e and row.short == 0:
                row.anomaly |= CONNECTION_MISMATCH
    elif kind == IDENTITY and asked.c == 1 and service in (GET_ALL, GET_LIST, GET_SINGLE):
        if service == GET_ALL:
            octets = u8(memory, at + 14, end, row)
            read_identity(memory, at, end, row, samples, FACTS, at + 15 + octets < end)
        elif service == GET_LIST:
            read_identity_list(memory, at, end, row, samples)
        else:
            read_identity_attribute(memory, at, end, asked.d, row, samples)
    elif kind == MEMORY and service == READ_TAG:
        if read_run(memory, at, end, row, samples, ADDRESSES, asked.e, U32LE, 4, 4) != asked.f:
            row.anomaly |= QUANTITY_MISMATCH
    elif service == GET_SINGLE:
        read_plain(memory, at, end, row, samples, asked)


@inline
def close_row(row: Any, message: Any, done: int, end: int) -> None:
    """Name what is wrong with the form; what the capture left out is no fault of the sender."""
    if message.marks & CUT:
        row.anomaly = 0
    elif row.short:
        row.anomaly |= SHORT
    elif done < end:
        row.anomaly |= TRAILING_BYTES


@kernel
def read_parts(
    memory: Any, at: int, end: int, index: int, message: Any, unit: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """The services of a packet at its count, or the replies: a row each. None where they cannot be told apart."""
    first = operations[used]
    count = u16le(memory, at, end, first)
    whole = message.marks & CUT == 0
    if first.short or count == 0 or (whole and at + 2 + 2 * count > end):
        return used, sampled
    start = sampled
    for part in range(min(count, PARTS, most_rows(message.length))):
        row = operations[used]
        open_row(row, index, message, sampled)
        row.part, row.unit = part, unit
        place = at + u16le(memory, at + 2 + 2 * part, end, row)
        stop = at + u16le(memory, at + 4 + 2 * part, end, row) if part + 1 < count else end
        row.anomaly |= TOO_MANY if part == 0 and count > PARTS else 0
        if row.short or place < at + 2 + 2 * count or stop < place or (whole and stop > end):
            row.anomaly |= BAD_COUNT
            place = stop = end
        stop = min(stop, end)
        done = stop
        if row.role == RESPONSE:
            read_reply(memory, place, stop, message, part, row, samples, contexts, joints)
        else:
            asked = contexts[begin_asked(message, part, unit, contexts, joints)]
            data = ask(memory, place, stop, row, asked, joints)
            if row.short == 0:
                done = read_body(memory, data, stop, row, samples, asked, joints)
            asked.j, asked.l = count, message.transaction
        if row.short == 0 and row.role != RESPONSE and row.payload >= 0:
            row.part = part
        close_row(row, message, done, stop)
        if sampled - start + row.samples > SAMPLES:
            row.samples = 0
        sampled += row.samples
        used += 1
    return used, sampled


@kernel
def fail_parts(index: int, message: Any, count: int, operations: Any, used: int, sampled: int, contexts: Any, joints: Any) -> int:
    """A packet was refused as a whole: so was each of its services."""
    error, outcome, anomaly, unit = operations[used].error, operations[used].outcome, operations[used].anomaly, operations[used].unit
    for part in range(min(count, PARTS, most_rows(message.length))):
        row = operations[used]
        open_row(row, index, message, sampled)
        asked = contexts[asked_of(message, part, contexts, joints)]
        if is_known(asked, message):
            set_code(row, asked.a, asked.b)
        row.part, row.error, row.outcome, row.anomaly, row.unit = part, error, outcome, anomaly, unit
        used += 1
    return used


@kernel
def read_requests(
    memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """A request, unwrapped where it is an unconnected send; the services of a packet."""
    row, at, end = operations[used], message.offset, message.offset + message.length
    asked = contexts[begin_asked(message, 0, message.unit, contexts, joints)]
    data, done = ask(memory, at, end, row, asked, joints), end
    if row.short == 0 and asked.a == UNCONNECTED_SEND and asked.b == CONNECTION_MANAGER:
        at, end = unwrap(memory, data, end, row, asked)
        bad, short = row.anomaly, row.short
        unit = asked.h
        if short == 0 or message.marks & CUT:
            open_row(row, index, message, sampled)
            row.unit, row.anomaly = unit, bad
            data, done = ask(memory, at, end, row, asked, joints), end
    if row.short == 0 and asked.a == PACKET:
        unit, bad = asked.h, row.anomaly
        after, sampled_after = read_parts(memory, data, end, index, message, unit, operations, used, samples, sampled, contexts, joints)
        if after > used:
            operations[used].anomaly |= bad
            return after, sampled_after
        row.anomaly |= BAD_COUNT if row.short == 0 else 0
        if message.marks & CUT:
            row.code, row.effect, row.space, row.first, row.last = 0, -1, -1, -1, -1
    elif row.short == 0:
        row.unit = asked.h
        done = read_body(memory, data, end, row, samples, asked, joints)
    elif message.marks & CUT and row.code >> 40 in (PACKET + 1, UNCONNECTED_SEND + 1):
        row.code, row.effect = 0, -1
    asked.l = message.transaction
    close_row(row, message, done, end)
    return used + 1, sampled + row.samples


@kernel
def read_replies(
    memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """A reply, or those of a packet."""
    row, at, end = operations[used], message.offset, message.offset + message.length
    if u8(memory, at, end, row) & 127 == PACKET:
        _, data = read_status(memory, at, end, row)
        asked = contexts[asked_of(message, 0, contexts, joints)]
        known = is_known(asked, message)
        count, unit = (int(asked.j), int(asked.h)) if known else (0, int(message.unit))
        row.unit = unit
        if row.short == 0 and row.outcome == FAILURE and data >= end and count > 0:
            return fail_parts(index, message, count, operations, used, sampled, contexts, joints), sampled
        if row.short == 0 and (row.outcome != FAILURE or data < end):
            after, sampled_after = read_parts(memory, data, end, index, message, unit, operations, used, samples, sampled, contexts, joints)
            if after > used:
                return after, sampled_after
        if message.marks & CUT == 0:
            set_code(row, PACKET, 2)
    else:
        read_reply(memory, at, end, message, 0, row, samples, contexts, joints)
    close_row(row, message, end, end)
    return used + 1, sampled + row.samples


@entry
def dissect(
    memory: Any, messages: Any, count: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """Append the operations and values of `count` messages; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints = borrow(contexts), borrow(joints)
    for index in range(count):
        message, row, base = messages[index], operations[used], used
        open_row(row, index, message, sampled)
        if message.marks & BROKEN or message.length == 0:
            row.anomaly = SHORT if message.marks & CUT == 0 else 0
            used += 1
        elif row.role == RESPONSE:
            used, sampled = read_replies(memory, index, message, operations, used, samples, sampled, contexts, joints)
        else:
            used, sampled = read_requests(memory, index, message, operations, used, samples, sampled, contexts, joints)
        used = tell_apart(operations, base, used, min(PARTS, most_rows(message.length)), index, message, sampled)
    return used, sampled


def label(space: str, first: int, last: int) -> str | None:
    """An object as `identity 1.7`, octets of an assembly as `assembly 101[0..7]`."""
    if space == "object":
        kind, instance, attribute = first >> CLASS_BITS, first >> INSTANCE_BITS & INSTANCES, first & ATTRIBUTES
        return f"{CLASS_NAMES.get(kind, f'class {kind}')} {instance}" + (f".{attribute}" if attribute else "")
    if space not in ("assembly", "symbol"):
        return None
    named, place = divmod(first, OCTETS_EACH)
    if last // OCTETS_EACH != named:
        return f"{space} {named}, {last // OCTETS_EACH}"
    return f"{space} {named}[{place}]" if first == last else f"{space} {named}[{place}..{last % OCTETS_EACH}]"


CIP: Final = Protocol(
    name="cip",
    title="CIP",
    spec="ODVA: The CIP Networks Library Volume 1, Common Industrial Protocol, edition 3.30; Rockwell Automation 1756-PM020 Logix 5000 Data Access",
    framings=(Framing(kind=BY_PAYLOAD, least=1),),
    functions=FUNCTIONS,
    dissect=dissect,
    over=("enip", SELECTOR),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    identity={("identity", 1): "vendor", ("identity", 4): "firmware", ("identity", 6): "serial", ("identity", 7): "model"},
    fact=lambda _, first, value: fact(first, value),
    operations_each=PARTS,
    samples_each=SAMPLES,
)  # fmt: skip
