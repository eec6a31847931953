"""Common Industrial Protocol over EtherNet/IP: ODVA Vol 1 (services, paths, connection manager), Rockwell 1756-PM020 (tags, symbol and template objects).

One row a service: those of a multiple service packet have one each, numbered by `part`; what an unconnected send wraps stands in its place, with the last port
of its route as unit. Objects are class << 36 | instance << 16 | attribute, 0: none. A tag is known by its name; a single index at its end is the address, others stand
in the name. Replies tell no path: what was asked is remembered (`ASKED`). Class 0: not told. Structures and types without a size are opaque.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.cip import (
    ASSEMBLY, CLASS_NAMES, CLASSES, CONNECTION_MANAGER, ERRORS, FUNCTIONS, IDENTITY, MEMORY, MOST_CLASS, NAMED_EXTENDED, PCCC, PROGRAM, SYMBOL, TYPE_ENCODINGS,
    TYPE_OCTETS, fact,
)  # fmt: skip
from sensors.engine.contexts import begin_text, context, end_text, put_number, put_octet, put_octets
from sensors.engine.dissecting import add_fact, add_run, add_text, add_value, open_row
from sensors.engine.octets import borrow, entry, f32le, f64le, i64le, inline, kernel, mix, signed, u8, u16be, u16le, u32le
from sensors.engine.tables import (
    BROKEN, CUT, F32LE, F64LE, FAILURE, I8, I16LE, I32LE, I64LE, LOW_BIT, RESPONSE, SECOND, U8, U16LE, U32LE, U64LE,
)  # fmt: skip
from sensors.protocol import BY_PAYLOAD, Framing, Protocol
from sensors.protocols.enip import CIP as SELECTOR
from sensors.protocols.enip import OCTETS_EACH, read_identity, remember

ANOMALIES: Final = (
    "short", "trailing_bytes", "bad_path", "bad_count", "bad_value", "service_mismatch", "wrong_direction", "too_many_services", "connection_mismatch",
    "quantity_mismatch", "unsolicited", "late_response",
)  # fmt: skip
SHORT, TRAILING_BYTES, BAD_PATH, BAD_COUNT, BAD_VALUE, SERVICE_MISMATCH, WRONG_DIRECTION, TOO_MANY, CONNECTION_MISMATCH, QUANTITY_MISMATCH = (
    1 << bit for bit in range(10)
)
SPACES: Final = ("tag", "symbol", "object", "assembly", "memory", "identity")
TAG, SYMBOLS, OBJECT, ASSEMBLIES, ADDRESSES, FACTS = range(6)

GET_ALL, SET_ALL, GET_LIST, SET_LIST, RESET, CREATE, DELETE, PACKET, APPLY, GET_SINGLE, SET_SINGLE = 1, 2, 3, 4, 5, 8, 9, 10, 13, 14, 16
RESTORE, GET_MEMBER, SET_MEMBER, REMOVE_MEMBER = 21, 24, 25, 27
READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT, BROWSE = 76, 77, 78, 82, 83, 85
EXECUTE, FORWARD_CLOSE, UNCONNECTED_SEND, FORWARD_OPEN, LARGE_FORWARD_OPEN = 75, 78, 82, 84, 91
PARTIAL, EMBEDDED_ERROR, STRUCTURE = 6, 0x1E, 0x2A0
PARTS: Final = 256  # services of a packet that are told
SAMPLES: Final = 256
MEMORY_OF: Final = 60 * SECOND  # how long a request is remembered
CLASS_BITS, INSTANCE_BITS, INSTANCES, ATTRIBUTES = 36, 16, 0xFFFFF, 0xFFFF
LEAST_DOWNLOAD: Final = 16  # octets: requests to objects of the program that are longer carry it, shorter ones ask for it
UPLOAD, DOWNLOAD, RESERVE, CONFIGURE = (
    NUMBER[name] for name in ("program.upload", "program.download", "session.reserve", "configuration.write")
)

# Contexts. ASKED, by connection of the transport and transaction << 8 | part, is what a request was about: a: service, b: class, c: instance, d: attribute,
# e: first address, f: how many, g: space, h: unit, i: when, j: services of the packet that begins here.
# While its path is read: e: last index, f: indices, g: those behind the last symbol, j: symbols, k and l: the last two connection points.
# Of a forward open: e: number of the connection, f: transport class, k and l: assemblies to and from the target, d: octets agreed upon.
# OPENED, by number of the connection and its originator: a and b: its numbers to and from the target, c: who is the target.
ASKED, OPENED = 0xC1, 0xC2


@kernel
def read_logical(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """A logical segment of a path; returns its end, -1 where it is none that is known."""
    kind, form = segment >> 2 & 7, segment & 3
    if kind == 5:  # an electronic key: of what the device has to be
        return at + 10 if segment == 0x34 and u8(memory, at + 1, end, row) == 4 else -1
    if form == 0:
        value, size = u8(memory, at + 1, end, row), 2
    elif form == 1:
        value, size = u16le(memory, at + 2, end, row), 4
    else:
        value, size = u32le(memory, at + 2, end, row), 6
    if form == 3 or kind > 5:
        return -1
    if kind == 0:
        asked.b, asked.c, asked.d, asked.k, asked.l = value, -1, -1, -1, -1
    elif kind == 1 and asked.c < 0:
        asked.c = value
    elif kind in (1, 3):
        asked.k, asked.l = asked.l, value
    elif kind == 2:
        asked.e = value
        asked.f += 1
        asked.g += 1
    else:
        asked.d = value
    return at + size


@kernel
def port_end(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """The end of a port segment; a link address of one octet (a slot) is the unit."""
    octets, place = 1, at + 1
    if segment & 0x10:
        octets, place = u8(memory, at + 1, end, row), at + 2
    if segment & 15 == 15:
        place += 2
    slot = u8(memory, place, end, row)
    asked.h = slot if octets == 1 and row.short == 0 else -1
    place += octets
    return place + (place - at & 1)


@kernel
def symbol(memory: Any, at: int, end: int, segment: int, row: Any) -> tuple[int, int, int]:
    """(place, octets, end) of a symbol of a path; octets 0 where its characters are not of one octet, end -1 where it is not known."""
    octets, place = segment & 31, at + 1
    if segment == 0x91:
        octets, place = u8(memory, at + 1, end, row), at + 2
    elif octets == 0:
        form = u8(memory, at + 1, end, row)
        wide = form >> 5
        size = 2 * (form & 31) if wide == 1 else 3 * (form & 31) if wide == 2 else 1 if form == 0xC6 else 2 if form == 0xC7 else -1
        return at, 0, (at + 3 + size & ~1 if size >= 0 else -1) - (at & 1 if size & 1 else 0)
    stop = place + octets
    return place, octets, stop + (stop - at & 1)


@kernel
def segment_end(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """Read a segment of a path; returns its end, -1 where it is none that is known."""
    kind = segment >> 5
    if kind == 1:
        return read_logical(memory, at, end, segment, row, asked)
    if kind == 0:
        return port_end(memory, at, end, segment, row, asked)
    if kind == 2:  # network segment
        return at + 2 + (2 * u8(memory, at + 1, end, row) if segment & 16 else 0)
    if segment == 0x80:  # data
        return at + 2 + 2 * u8(memory, at + 1, end, row)
    if kind != 3 and segment != 0x91:
        return -1
    place, octets, stop = symbol(memory, at, end, segment, row)
    if asked.j == 0 and place + octets <= end and octets > 0:
        row.name_at, row.name_octets = place, octets
    asked.j += 1
    asked.g = 0
    return stop


@kernel
def compose(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """The name of a tag: its symbols, and the indices that are not its address."""
    text, left = begin_text(joints), asked.f - (1 if asked.g == 1 else 0)
    after_index = False
    while at < end and row.short == 0:
        segment = u8(memory, at, end, row)
        stop = segment_end(memory, at, end, segment, row, asked)
        if stop <= at:
            break
        if segment >> 2 == 10 and left > 0:
            put_octet(memory, joints, 44 if after_index else 91)
            put_number(memory, joints, asked.e)
            left -= 1
            after_index = left > 0 and stop < end and u8(memory, stop, end, row) >> 2 == 10
            if not after_index:
                put_octet(memory, joints, 93)
        elif segment >> 5 == 3 or segment == 0x91:
            place, octets, _ = symbol(memory, at, end, segment, row)
            if begin_text(joints) > text:
                put_octet(memory, joints, 46)
            put_octets(memory, joints, place, max(min(octets, end - place), 0))
        at = stop
    end_text(row, text, joints)


@kernel
def read_path(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """A path, and what it names: into the row and what is remembered of it."""
    asked.b, asked.c, asked.d, asked.e, asked.f, asked.g, asked.j, asked.k, asked.l = -1, -1, -1, -1, 0, 0, 0, -1, -1
    start = at
    while at < end and row.short == 0:
        stop = segment_end(memory, at, end, u8(memory, at, end, row), row, asked)
        if stop <= at or stop > end:
            row.anomaly |= BAD_PATH
            break
        at = stop
    if row.short or row.anomaly & BAD_PATH:
        row.name_at, row.name_octets = -1, 0
        return
    if asked.j > 0:
        indices, behind, index, named = asked.f, asked.g, asked.e, asked.j
        if named > 1 or indices > 1 or row.name_octets == 0:
            compose(memory, start, end, row, asked, joints)
        asked.b, asked.e, asked.g = SYMBOL, index if behind == 1 else 0, TAG
    else:
        index = max(asked.e, 0)
        asked.g, asked.e = OBJECT, address(max(asked.b, 0), asked.c, asked.d) if asked.b >= 0 else -1
        if asked.b == SYMBOL and asked.a in (READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT) and asked.c > 0:
            asked.g, asked.e = SYMBOLS, asked.c * OCTETS_EACH + index
        elif asked.b == ASSEMBLY and asked.d == 3 and asked.c >= 0:
            asked.g, asked.e = ASSEMBLIES, asked.c * OCTETS_EACH
    asked.f, asked.j = 1, 0


@inline
def address(kind: int, instance: int, attribute: int) -> int:
    """The number of an object."""
    return (kind & 0xFFFF) << CLASS_BITS | (max(instance, 0) & INSTANCES) << INSTANCE_BITS | max(attribute, 0) & ATTRIBUTES


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
    asked.f = max(count, 1)
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


@inline
def connection_number(memory: Any, at: int, end: int, row: Any) -> int:
    """The number of a connection: of its serial number, and its originator's vendor and serial number."""
    return mix(u32le(memory, at, end, row), u32le(memory, at + 4, end, row)) & 0x3FFFFFFE | 1


@kernel
def read_connection_path(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """Where a connection leads: an assembly each way, a tag or another object."""
    unit = asked.h
    asked.h = -1
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
    if row.short:
        return end
    if stop > end:
        row.short = 1
    read_connection_path(memory, place + 2, min(stop, end), row, asked, joints)
    asked.e, asked.f, asked.d, asked.b = known, transport, sizes, CONNECTION_MANAGER
    if kinds == 0:
        row.effect = CONFIGURE  # a null forward open changes the configuration
    elif transport < 2 and sizes >> 16 > 2:
        row.effect = RESERVE  # whoever sends outputs owns them; two octets are a heartbeat
    return stop


@kernel
def read_forward_close(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> int:
    """A connection to be closed."""
    known, stop = connection_number(memory, at + 2, end, row), at + 12 + 2 * u8(memory, at + 10, end, row)
    if row.short:
        return end
    if stop > end:
        row.short = 1
    read_connection_path(memory, at + 12, min(stop, end), row, asked, joints)
    asked.e, asked.b = known, CONNECTION_MANAGER
    return stop


@kernel
def opened(memory: Any, at: int, end: int, message: Any, row: Any, asked: Any, contexts: Any, joints: Any) -> None:
    """A connection was opened: from now on, either side sends under its number."""
    out, into, known = u32le(memory, at, end, row), u32le(memory, at + 4, end, row), connection_number(memory, at + 8, end, row)
    if row.short:
        return
    if known != asked.e:
        row.anomaly |= CONNECTION_MISMATCH
        return
    transport, outputs, inputs, unit, sizes = asked.f, asked.k, asked.l, asked.h, asked.d
    kept = contexts[context(contexts, joints, OPENED, known, message.hearer, message.clock)]
    kept.fresh = 0
    kept.a, kept.b, kept.c = out, into, message.speaker
    remember(contexts, joints, message.hearer, out, message.clock, known, transport, 0, outputs, unit, sizes >> 16)
    remember(contexts, joints, message.speaker, into, message.clock, known, transport, 1, inputs, unit, sizes & 0xFFFF)


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
        remember(contexts, joints, message.hearer, out, message.clock, 0, 0, 0, -1, -1, 0)
        remember(contexts, joints, target, into, message.clock, 0, 0, 0, -1, -1, 0)


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
        if row.short == 0:
            asked.g, asked.e, asked.f = ADDRESSES, first, max(count, 1)
            row.space, row.first, row.last = ADDRESSES, first, first + 4 * asked.f - 1
        return at + 6
    elif service == SET_SINGLE:
        read_plain(memory, at, end, row, samples, asked)
    elif service == RESET and at < end:
        row.value = u8(memory, at, end, row)
    elif kind in PROGRAM and service > 49:
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
    place = context(contexts, joints, ASKED, message.connection, message.transaction << 8 | part, message.clock)
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
        if after <= route:
            row.anomaly |= BAD_PATH
            break
        route = after
    row.unit = asked.h
    return place, place + octets


@kernel
def default_class(service: int, octets: int) -> int:
    """The class that a service of its own speaks for where a reply's request was not seen; 0: it does not tell."""
    if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN) or (service == FORWARD_CLOSE and octets > 0):
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
    asked = contexts[context(contexts, joints, ASKED, message.connection, message.transaction << 8 | part, message.clock)]
    known = asked.fresh == 0 and message.clock - asked.i < MEMORY_OF
    if known and service != asked.a:
        if service == UNCONNECTED_SEND and row.outcome == FAILURE:
            service = asked.a  # a router on the way answers
        else:
            row.anomaly |= SERVICE_MISMATCH
            known = False
    kind = max(asked.b, 0) if known else default_class(service, end - at)
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
        read_known(memory, at, end, message, service, kind, row, samples, asked, contexts, joints)


@kernel
def read_known(
    memory: Any, at: int, end: int, message: Any, service: int, kind: int, row: Any, samples: Any, asked: Any, contexts: Any, joints: Any,
) -> None:  # fmt: skip
    """The data of a reply that mean something only with its request."""
    if kind == CONNECTION_MANAGER:
        if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN):
            opened(memory, at, end, message, row, asked, contexts, joints)
        elif service == FORWARD_CLOSE:
            closed(memory, at, end, message, row, contexts, joints)
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
    for part in range(min(count, PARTS)):
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
            if part == 0:
                asked.j = count
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
    for part in range(min(count, PARTS, message.length)):
        row = operations[used]
        open_row(row, index, message, sampled)
        asked = contexts[context(contexts, joints, ASKED, message.connection, message.transaction << 8 | part, message.clock)]
        if asked.fresh == 0:
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
        asked = contexts[context(contexts, joints, ASKED, message.connection, message.transaction << 8, message.clock)]
        known = asked.fresh == 0 and message.clock - asked.i < MEMORY_OF
        count, unit = (int(asked.j), int(asked.h)) if known else (0, int(message.unit))
        row.unit = unit
        if row.short == 0:
            after, sampled_after = read_parts(memory, data, end, index, message, unit, operations, used, samples, sampled, contexts, joints)
            if after > used:
                return after, sampled_after
        if row.short == 0 and row.outcome == FAILURE and count > 0:
            return fail_parts(index, message, count, operations, used, sampled, contexts, joints), sampled
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
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        if message.marks & BROKEN or message.length == 0:
            row.anomaly = SHORT if message.marks & CUT == 0 else 0
            used += 1
        elif row.role == RESPONSE:
            used, sampled = read_replies(memory, index, message, operations, used, samples, sampled, contexts, joints)
        else:
            used, sampled = read_requests(memory, index, message, operations, used, samples, sampled, contexts, joints)
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
