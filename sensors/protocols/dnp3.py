"""DNP3: IEEE 1815-2012, over TCP, UDP and serial lines carried by TCP; data link (clause 9), transport function (8), application layer (4), objects (annex A).

One row a request, and one more for each further object header; classes that are neighbours are one row, each control point has its own. The unit is the
address of the outstation. The code path is the application function; a control has the trip-close code and operation type of its block as second number (5/65
is "direct operate, pulse on, close"). A frame without application data has the path 256/n, n being PRM (64) and the link function. A fragment of a response
that goes on where one before ended, and what nobody asked for, are reports. Octets of a frame with a wrong CRC answer nothing and have no values.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.dnp3 import (
    ABSOLUTE,
    AUTHENTICATION_ERROR,
    CRC,
    ERROR_INDICATIONS,
    ERRORS,
    FILE_ERROR,
    FUNCTIONS,
    GROUP_ROWS,
    INDICATED_ERROR,
    LINK_ERROR,
    LINK_LAYER,
    OBJECTS,
    QUALITIES,
    RELATIVE,
    SPACES,
    STATE_PAIR,
    TIME,
)
from sensors.engine.contexts import append, begin_text, context, drop, joined, put_octets
from sensors.engine.dissecting import NOTHING, add_run, add_text, add_value, open_row
from sensors.engine.encodings import number_at
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be, u16le, u32le, u48le
from sensors.engine.tables import AFTER_GAP, BIT, BROKEN, CUT, FAILURE, LOW_BIT, REPORT, REQUEST, RESPONSE, SUCCESS, TEXT, UNANSWERED, VALUE
from sensors.protocol import Framing, Protocol
from sensors.protocol import u8 as length_u8

ANOMALIES: Final = (
    "bad_start", "bad_length", "short", "bad_crc", "bad_direction", "transport_sequence", "transport_interrupted", "too_long",
    "fragment_sequence", "bad_qualifier", "bad_range", "bad_value", "unknown_object",                           # of one message, set here
    "echo_mismatch", "unsolicited",                                     # set by pairing; more than a second is not late on a slow line
)  # fmt: skip
(BAD_START, BAD_LENGTH, SHORT, BAD_CRC, BAD_DIRECTION, TRANSPORT_SEQUENCE, TRANSPORT_INTERRUPTED, TOO_LONG,
 FRAGMENT_SEQUENCE, BAD_QUALIFIER, BAD_RANGE, BAD_VALUE, UNKNOWN_OBJECT) = (1 << bit for bit in range(13))  # fmt: skip
SPACE: Final = {name: place for place, name in enumerate(SPACES)}
OBJECT_SPACE, FILE_SPACE, INDICATION_SPACE = SPACE["object"], SPACE["file"], SPACE["internal_indications"]
CODE_SPACE, COUNT_SPACE, ON_SPACE, OFF_SPACE = (SPACE[f"control_{name}"] for name in ("code", "count", "on_time", "off_time"))
INTERROGATION, SETPOINT = NUMBER["interrogation"], NUMBER["setpoint.write"]
OUTPUT_SELECT, OUTPUT_OPERATE, CANCEL = NUMBER["output.select"], NUMBER["output.operate"], NUMBER["output.cancel"]
FILE_WRITE, CREDENTIAL_CHANGE = NUMBER["file.write"], NUMBER["credential.change"]

START: Final = 0x0564
HEADER, BLOCK, UNTOLD = 10, 16, 5  # octets of a link header, of a block of user data; those that the length field counts without user data
MASTER_SPEAKS, PRIMARY = 0x80, 0x40
CONFIRMED_DATA, UNCONFIRMED_DATA, LINK_FUNCTION = 0x43, 0x44, 0x4F
ASKING: Final = (0x40, 0x42, 0x49)  # link functions that the other station answers
BROADCAST: Final = 0xFFFD  # the first of three
FIN, FIR, SEQUENCE = 0x80, 0x40, 0x3F  # of the transport octet
ANSWERS: Final = 0x80  # of the application function, behind the transport and the application control octet
FIRST, FINAL, UNSOLICITED, NUMBERS = 0x80, 0x40, 0x10, 0x0F  # of the application control octet
READ, WRITE, SELECT, DIRECT_NO_ACK = 1, 2, 3, 6
OPEN_FILE, AUTHENTICATE, AUTHENTICATE_NO_ACK, RESPONDS, REPORTS, AUTHENTICATION_RESPONSE = 25, 32, 33, 129, 130, 131
NEVER_ANSWERED: Final = (0, 6, 8, 10, 12, 33)
HOLDS_DATA: Final = (2, 3, 4, 5, 6, 25, 26, 27, 28, 29, 30, 31, 32, 33, 129, 130, 131)  # functions whose objects have values
ALL: Final = -1  # count of a header without a range
SIZED: Final = 4  # prefix codes from here on tell the octets of an object
FREE_FORMAT: Final = 11
ATTRIBUTES, CROB, ANALOG_COMMAND, TIMES, COMMON_TIME, CLASS, FILE, AUTHENTICATION = 0, 12, 41, 50, 51, 60, 70, 120
USER_STATUS: Final = 10  # of group 120: the first of those that change users and keys
STRINGS: Final = (110, 111, 112, 113)  # the variation tells the octets
CLEAR, RESERVED_TRIP, LAST_OPERATION = 0x20, 0xC0, 4
MOST_ROWS, SAMPLES = 64, 255
TAG_BITS, MOST_TAG = 40, 255
CONTROLLED: Final = (SPACE["binary_output"], SPACE["analog_output"])
MILLISECOND: Final = 1_000_000
LATEST: Final = 4_102_444_800_000  # milliseconds: no clock is beyond the year 2100

# What is remembered in a context, of a master and an outstation on a connection; the outstation's frames that wait for their last one have one of their own.
# `a`: sequence number that the next segment has to have, + 1 (0: none waits); `b`: octets of the frames that wait; `j`: their anomalies.
# `c`: sequence number of the last request, + 1; `d`: its rows; `k`: what stands for its point; `e`: sequence number of the response's next fragment, + 1.
# `f`: link function that waits for its answer; `g`: whether frames of the outstation wait.
# Of the fragment that is being read: `h`: common time of occurrence; `i`: rows of the sample table it may fill.


@kernel
def crc_fits(memory: Any, at: int, octets: int, end: int, row: Any) -> bool:
    """Does the CRC behind these octets fit?"""
    crc, fours = 0, at + octets // 4 * 4
    for i in range(at, fours, 4):  # four octets at a time, each with what becomes of it behind the others
        word = u32le(memory, i, end, row) ^ crc
        crc = CRC[768 + (word & 255)] ^ CRC[512 + (word >> 8 & 255)] ^ CRC[256 + (word >> 16 & 255)] ^ CRC[word >> 24]
    for i in range(fours, at + octets):
        crc = crc >> 8 ^ CRC[(crc ^ u8(memory, i, end, row)) & 255]
    return crc ^ 0xFFFF == u16le(memory, at + octets, end, row)


@kernel
def little(memory: Any, at: int, end: int, octets: int, row: Any) -> int:
    """A number of one, two or four octets."""
    if octets == 1:
        return u8(memory, at, end, row)
    return u16le(memory, at, end, row) if octets == 2 else u32le(memory, at, end, row)


@kernel
def one_way(row: Any, side: int) -> None:
    """Nobody answers this, and it answers nothing."""
    row.role, row.outcome = (REPORT, SUCCESS) if side == 1 else (REQUEST, UNANSWERED)
    row.transaction, row.error = -1, -1


@inline
def share(row: Any, master: int, what: int) -> int:
    """What a request and its answer have in common."""
    return row.unit << 24 | master << 8 | what


@kernel
def gather(memory: Any, at: int, end: int, octets: int, row: Any, joints: Any) -> tuple[int, int]:
    """User data of so many octets in blocks, each with its CRC, side by side without the transport octet: (place, octets)."""
    if octets <= BLOCK:
        there = max(min(octets, end - at), 1)
        if at + octets + 2 <= end and not crc_fits(memory, at, octets, end, row):
            row.anomaly |= BAD_CRC
        return at + 1, there - 1
    place, taken = begin_text(joints), 0
    while taken < octets and at < end:
        block = min(BLOCK, octets - taken)
        if at + block + 2 <= end and not crc_fits(memory, at, block, end, row):
            row.anomaly |= BAD_CRC
        skip = 1 if taken == 0 else 0
        put_octets(memory, joints, at + skip, min(block, end - at) - skip)
        taken += block
        at += block + 2
    return place, joints[0].fill_at - place


@kernel
def link_row(message: Any, row: Any, function: int, master: int, both: Any) -> None:
    """A frame of the data link itself."""
    one_way(row, message.side)
    if function & PRIMARY and function in ASKING and message.side == 0:
        row.transaction, both.f = share(row, master, PRIMARY), function + 1
    elif function & PRIMARY == 0 and message.side == 1 and both.f > 0:
        row.role, row.outcome, row.transaction, both.f = RESPONSE, SUCCESS, share(row, master, PRIMARY), 0
        if function not in (0, 11):
            row.outcome, row.error = FAILURE, LINK_ERROR + function


@kernel
def transport(memory: Any, message: Any, row: Any, segment: int, at: int, octets: int, contexts: Any, mine: int, joints: Any) -> tuple[int, int]:
    """A segment of several: (place, octets) of the fragment that is complete with it, (-1, 0) where it is not yet, (-1, 1) where it cannot be."""
    held = contexts[mine]
    if segment & FIR:
        drop(contexts, mine, joints)
        held.a, held.b, held.j = (segment & SEQUENCE) + 1, 0, 0
    elif held.a != (segment & SEQUENCE) + 1:
        if message.marks & (AFTER_GAP | CUT) == 0:
            row.anomaly |= TRANSPORT_SEQUENCE
        held.a = 0
    if held.a > 0 and not append(memory, contexts, mine, joints, at, octets):
        row.anomaly |= TOO_LONG
        held.a = 0
    if held.a == 0 or message.marks & CUT or row.anomaly & BAD_CRC:
        drop(contexts, mine, joints)
        held.a = 0
        return -1, 1
    held.a = (held.a & SEQUENCE) + 1
    held.b += message.length
    held.j |= row.anomaly
    if segment & FIN == 0:
        return -1, 0
    row.octets, row.anomaly, held.a = held.b, held.j, 0
    at, octets = joined(memory, contexts, mine, joints)
    return (at, octets) if at >= 0 else (-1, 1)


@kernel
def read_frame(memory: Any, message: Any, row: Any, contexts: Any, joints: Any) -> tuple[int, int, int, int]:
    """(place and octets of the fragment that this frame completes, master, context); place -1: none; octets 1: the row is about the frame itself."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    length, control = u8(memory, at + 2, end, row), u8(memory, at + 3, end, row)
    target, origin = u16le(memory, at + 4, end, row), u16le(memory, at + 6, end, row)
    if row.short:
        one_way(row, message.side)
        return -1, 1, 0, -1
    row.unit, master = (target, origin) if control & MASTER_SPEAKS else (origin, target)
    function, octets = control & LINK_FUNCTION, length - UNTOLD
    data = function in (CONFIRMED_DATA, UNCONFIRMED_DATA)
    if whole and (message.length < HEADER or (octets > 0) != data or HEADER + octets + (octets + BLOCK - 1) // BLOCK * 2 != message.length):
        row.anomaly |= BAD_LENGTH
    if message.length >= HEADER and not crc_fits(memory, at, HEADER - 2, end, row):
        row.anomaly |= BAD_CRC
    both = context(contexts, joints, message.protocol, message.connection, row.unit << 16 | master, message.clock)
    if not data or octets <= 0 or message.length <= HEADER or row.anomaly & BAD_CRC:
        if whole or not data:
            row.code = (LINK_LAYER + 1) << 40 | (function + 1) << 20
        link_row(message, row, function, master, contexts[both])
        return -1, 1, master, both
    segment = u8(memory, at + HEADER, end, row)
    place, octets = gather(memory, at + HEADER, end, octets, row, joints)
    mine = both
    if control & MASTER_SPEAKS == 0 and (segment & (FIR | FIN) != FIR | FIN or contexts[both].g):
        mine = context(contexts, joints, message.protocol, message.connection, 1 << 32 | row.unit << 16 | master, message.clock)
        contexts[both].g = 1
    if contexts[mine].a > 0 and segment & FIR:
        if message.marks & AFTER_GAP == 0:
            row.anomaly |= TRANSPORT_INTERRUPTED
        drop(contexts, mine, joints)
        contexts[mine].a = 0
    if segment & (FIR | FIN) != FIR | FIN:
        place, octets = transport(memory, message, row, segment, place, octets, contexts, mine, joints)
        if place < 0 and octets:
            row.code = (LINK_LAYER + 1) << 40 | (function + 1) << 20 if whole else 0
            one_way(row, message.side)
    return place, octets, master, both


@kernel
def next_row(operations: Any, used: int, index: int, message: Any) -> int:
    """One more row of this message, like the one before; returns the fill. Where there are too many, the last one stands for them."""
    before = operations[used - 1]
    if before.part >= MOST_ROWS - 1:
        before.distinct += 1
        before.value = NOTHING
        return used
    row = operations[used]
    open_row(row, index, message, before.sample + before.samples)
    row.role, row.outcome = before.role, UNANSWERED if before.role == REQUEST else SUCCESS
    row.unit, row.transaction, row.octets = before.unit, before.transaction, before.octets
    row.code, row.part = before.code >> 40 << 40, before.part + 1
    return used + 1


@inline
def has_room(row: Any, both: Any) -> bool:
    """May there be one more value in this fragment?"""
    return row.sample + row.samples < both.i


@kernel
def note(row: Any, space: int, first: int, last: int) -> None:
    """The row is about these points, too."""
    row.space = space
    row.first = first if row.first < 0 else min(row.first, first)
    row.last = max(row.last, last)


@kernel
def read_range(memory: Any, at: int, end: int, qualifier: int, row: Any) -> tuple[int, int, int]:
    """The range of an object header: (behind it, first point or -1, how many); -1 behind it where it is none."""
    kind, prefix = qualifier & 15, qualifier >> 4 & 7
    octets = 1 << kind % 3
    if kind < 6 and prefix == 0:  # start and stop; those of virtual addresses from 3 on
        first, last = little(memory, at, end, octets, row), little(memory, at + octets, end, octets, row)
        if last < first and row.short == 0:
            row.anomaly |= BAD_RANGE
        return at + 2 * octets, first, max(last - first + 1, 0)
    if kind == 6 and prefix == 0:
        return at, -1, ALL
    if 7 <= kind <= 9 and prefix < 7:
        octets = 1 << kind - 7
        return at + octets, -1, little(memory, at, end, octets, row)
    if kind == FREE_FORMAT and SIZED <= prefix < 7:
        return at + 1, -1, u8(memory, at, end, row)
    row.anomaly |= BAD_QUALIFIER
    return -1, -1, 0


@kernel
def read_names(memory: Any, at: int, end: int, row: Any, place: int) -> None:
    """The file name that two numbers at `at` tell the place and length of, in an object that begins at `place`."""
    offset, octets = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    if row.short == 0 and octets > 0:
        if place + offset + octets > end:
            row.anomaly |= BAD_RANGE
        else:
            row.name_at, row.name_octets = place + offset, octets


@kernel
def read_file(memory: Any, at: int, end: int, variation: int, row: Any) -> None:
    """A file object: what it is called, its handle, and the status of what was asked."""
    row.space = FILE_SPACE
    status = 0
    if variation in (3, 7):
        read_names(memory, at, end, row, at)
        mode = u16le(memory, at + 20, end, row) if variation == 3 else 0
        if mode in (2, 3) and row.code == (OPEN_FILE + 1) << 40:
            row.effect = FILE_WRITE
    elif variation == 8 and at < end:
        row.name_at, row.name_octets = at, end - at
    elif variation in (4, 5, 6):
        handle = u32le(memory, at, end, row)
        if row.short == 0 and handle > 0:
            row.first = row.last = handle
        if variation == 5:
            block = u32le(memory, at + 4, end, row)
            row.value = NOTHING if row.short else block & 0x7FFFFFFF
        else:
            status = u8(memory, at + (12 if variation == 4 else 8), end, row)
    if status > 0:
        row.error = FILE_ERROR + status
        if row.role == RESPONSE:
            row.outcome = FAILURE


@kernel
def read_sized(memory: Any, at: int, end: int, group: int, variation: int, row: Any) -> None:
    """An object whose octets its prefix tells."""
    if group == FILE:
        read_file(memory, at, end, variation, row)
    elif group == AUTHENTICATION and variation == 7:
        error = u8(memory, at + 8, end, row)
        if row.short == 0:
            row.error = AUTHENTICATION_ERROR + error
            if row.role == RESPONSE:
                row.outcome = FAILURE
    elif group == AUTHENTICATION and row.code >> 40 > AUTHENTICATE and row.role == REQUEST and variation >= USER_STATUS:
        row.effect = CREDENTIAL_CHANGE


@kernel
def read_attribute(memory: Any, at: int, end: int, variation: int, row: Any, samples: Any, both: Any) -> int:
    """A device attribute: its type, its octets, and what it says; returns its end."""
    kind, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    at += 2
    if row.short or at + octets > end:
        row.short = 1
        return end
    space = GROUP_ROWS[ATTRIBUTES].space
    if kind == 1 and octets > 0 and has_room(row, both):
        add_text(row, samples, space, variation, at, octets)
    elif kind in (2, 3) and octets in (1, 2, 4) and has_room(row, both):
        value = little(memory, at, end, octets, row)
        add_value(row, samples, space, variation, value - (1 << 8 * octets) if kind == 3 and value >> 8 * octets - 1 else value)
    return at + octets


@kernel
def read_packed(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, space: int, first: int, count: int, bits: int) -> int:
    """Points of one or two bits each; returns their end."""
    octets = (count * bits + 7) // 8
    if at + octets > end:
        row.short = 1
    there = min(count, max(end - at, 0) * 8 // bits)
    if bits == 1:
        if there > 0 and has_room(row, both):
            add_run(row, samples, space, first, there, at, (there + 7) // 8, BIT, 0)
        return at + octets
    for i in range(there):
        if not has_room(row, both):
            break
        add_value(row, samples, space, first + i, u8(memory, at + (2 * i >> 3), end, row) >> (2 * i & 7) & 3)
    return at + octets


@kernel
def stamp_at(memory: Any, at: int, end: int, row: Any) -> int:
    """A time of six octets as nanoseconds, -1 where it is none."""
    milliseconds = u48le(memory, at, end, row)
    if milliseconds <= LATEST:
        return milliseconds * MILLISECOND
    row.anomaly |= BAD_VALUE
    return -1


@kernel
def read_value(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, space: int, point: int, form: Any) -> None:
    """One object of a known layout: value, flags, and time."""
    value = 0.0
    if form.encoding == STATE_PAIR:
        value = float(u8(memory, at + form.value_at, end, row) >> 6)
    elif form.encoding == TIME:
        value = float(u48le(memory, at + form.value_at, end, row))
    else:
        value = number_at(memory, at + form.value_at, end, form.encoding, row)
    sample = add_value(row, samples, space, point, value)
    if form.quality_at >= 0:
        sample.quality = u8(memory, at + form.quality_at, end, row)
    if form.time == ABSOLUTE:
        sample.stamp = stamp_at(memory, at + form.time_at, end, row)
    elif form.time == RELATIVE and both.h > 0:
        sample.stamp = both.h + u16le(memory, at + form.time_at, end, row) * MILLISECOND


@kernel
def read_objects(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, group: int, variation: int, prefix: int, first: int, count: int) -> int:
    """The objects behind a header; returns their end."""
    space, width = GROUP_ROWS[group].space, 1 << prefix - 1 if 0 < prefix < SIZED else 0
    form = OBJECTS[GROUP_ROWS[group].base + variation if 0 < variation <= GROUP_ROWS[group].most else 0]
    octets, text = form.octets, group in STRINGS
    if text:
        octets = variation
    elif group != ATTRIBUTES and form.known == 0:
        row.anomaly |= UNKNOWN_OBJECT
        return end
    if form.bits > 0:
        return read_packed(memory, at, end, row, samples, both, space, max(first, 0), count, form.bits)
    alike = width == 0 and form.time == 0 and form.encoding not in (0, STATE_PAIR, TIME)
    if alike and count > 0:
        there = min(count, max(end - at, 0) // octets)
        if there > 0 and has_room(row, both):
            run = add_run(row, samples, space, max(first, 0), there, at, there * octets, form.encoding, octets)
            run.value_at = form.value_at
            if form.quality_at >= 0:
                run.quality_at = form.quality_at
        row.short |= 1 if there < count else 0
        return at + count * octets
    if octets == 0 and width == 0 and group != ATTRIBUTES:
        return at
    for i in range(count):
        point = little(memory, at, end, width, row) if width > 0 else max(first, 0) + i
        at += width
        if row.short or at + octets > end:
            row.short = 1
            break
        if width > 0 and row.role == REQUEST:
            note(row, space, point, point)
        if group == ATTRIBUTES:
            at = read_attribute(memory, at, end, variation, row, samples, both)
        elif group == COMMON_TIME:
            both.h = stamp_at(memory, at, end, row)
        elif text and octets > 0 and has_room(row, both):
            add_text(row, samples, space, point, at, octets)
        elif form.encoding > 0 and has_room(row, both):
            read_value(memory, at, end, row, samples, both, space, point, form)
        at += octets
    return at


@kernel
def read_relay(memory: Any, at: int, end: int, row: Any, samples: Any, point: int, both: Any) -> None:
    """A control relay output block: what to do, how often and how long."""
    control, operation = u8(memory, at, end, row), u8(memory, at, end, row) & 15
    row.value = control
    if operation > LAST_OPERATION or control & RESERVED_TRIP == RESERVED_TRIP:
        row.anomaly |= BAD_VALUE
    if row.role != REQUEST:
        return
    if SELECT <= (row.code >> 40) - 1 <= DIRECT_NO_ACK:
        row.code |= ((control & 0xCF) + 1) << 20
        if operation == 0 and control & CLEAR:
            row.effect = CANCEL
        elif operation > LAST_OPERATION or control & RESERVED_TRIP == RESERVED_TRIP:
            row.effect = OUTPUT_SELECT if row.code >> 40 == SELECT + 1 else OUTPUT_OPERATE
    if point >= 0 and row.sample + row.samples + 4 <= both.i:
        add_value(row, samples, CODE_SPACE, point, control)
        add_value(row, samples, COUNT_SPACE, point, u8(memory, at + 1, end, row))
        add_value(row, samples, ON_SPACE, point, u32le(memory, at + 2, end, row))
        add_value(row, samples, OFF_SPACE, point, u32le(memory, at + 6, end, row))


@kernel
def read_controls(
    memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, group: int, variation: int,
    prefix: int, first: int, count: int, fresh: bool,
) -> tuple[int, int]:  # fmt: skip
    """Control blocks, a row each; returns their end and the fill."""
    width = 1 << prefix - 1 if 0 < prefix < SIZED else 0
    form = OBJECTS[GROUP_ROWS[group].base + variation]
    for i in range(count):
        row = operations[used - 1]
        if at + width + form.octets > end:
            row.short = 1
            break
        point = little(memory, at, end, width, row) if width > 0 else first + i if first >= 0 else -1
        at += width
        if not fresh or i > 0:
            used = next_row(operations, used, index, message)
            row = operations[used - 1]
        if point >= 0:
            note(row, GROUP_ROWS[group].space, point, point)
        status = u8(memory, at + form.octets - 1, end, row)
        if group == CROB:
            read_relay(memory, at, end, row, samples, point, both)
        else:
            row.value = number_at(memory, at, end, form.encoding, row)
            if row.role == REQUEST and point >= 0 and has_room(row, both):
                add_value(row, samples, row.space, point, row.value)
            if row.role == REQUEST and row.code >> 40 != SELECT + 1:
                row.effect = SETPOINT
        if row.role != REQUEST:
            row.error = status & 127 if status & 127 else row.error
            row.outcome = FAILURE if status & 127 else row.outcome
        at += form.octets
    return at, used


@kernel
def begin_header(group: int, variation: int, first: int, count: int, index: int, message: Any, operations: Any, used: int, fresh: bool) -> int:
    """The row of a request that this object header belongs to; returns the fill."""
    row, of = operations[used - 1], GROUP_ROWS[group]
    if not fresh and group == CLASS and row.space == of.space and row.first <= variation <= row.last + 2:  # classes that are neighbours
        row.distinct += 1
    elif not fresh:
        used = next_row(operations, used, index, message)
        row = operations[used - 1]
    known = of.space >= 0 and (variation <= of.most or group == ATTRIBUTES or group in STRINGS)
    if not known:
        row.anomaly |= UNKNOWN_OBJECT
    if of.space < 0:
        note(row, OBJECT_SPACE, group, group)
        return used
    row.space = of.space
    function = (row.code >> 40) - 1
    if group == CLASS and 1 <= variation <= of.most:
        note(row, of.space, variation - 1, variation - 1)
        if function == READ and variation == 1:
            row.effect = INTERROGATION
    elif group in (ATTRIBUTES, AUTHENTICATION):
        note(row, of.space, variation, variation)
    elif first >= 0 and count > 0:
        note(row, of.space, first, first + count - 1)
    named = of.read if function == READ else of.write if function == WRITE else -1
    if named >= 0:
        row.effect = named
    return used


@kernel
def read_prefixed(memory: Any, at: int, end: int, row: Any, group: int, variation: int, prefix: int, count: int, valued: bool) -> int:
    """Objects whose octets their prefixes tell, or a list of points without values; returns their end."""
    width = 1 << prefix - SIZED if prefix >= SIZED else 1 << prefix - 1
    if prefix >= SIZED and not valued:
        row.anomaly |= BAD_QUALIFIER
        return end
    for i in range(count):
        told = little(memory, at, end, width, row)
        at += width
        if row.short or (prefix >= SIZED and at + told > end):
            row.short = 1
            break
        if prefix >= SIZED:
            read_sized(memory, at, at + told, group, variation, row)
            at += told
        else:
            note(row, row.space, told, told)
            row.distinct = i + 1
    return at


@kernel
def read_headers(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, function: int) -> int:
    """All object headers of a fragment with their objects; returns the fill of `operations`, of which the last one is open."""
    fresh = True
    while at < end:
        row = operations[used - 1]
        group, variation, qualifier = u8(memory, at, end, row), u8(memory, at + 1, end, row), u8(memory, at + 2, end, row)
        at, first, count = read_range(memory, at + 3, end, qualifier, row)
        if row.short or at < 0:
            break
        prefix, aside = qualifier >> 4 & 7, group == AUTHENTICATION and function < AUTHENTICATE
        valued = function in HOLDS_DATA or qualifier & 15 == FREE_FORMAT or group == AUTHENTICATION or (group == TIMES and function != READ)
        if valued and function != WRITE and prefix < SIZED and group in (CROB, ANALOG_COMMAND) and 1 <= variation <= GROUP_ROWS[group].most - (group == CROB):
            at, used = read_controls(memory, at, end, index, message, operations, used, samples, both, group, variation, prefix, first, count, fresh)
            fresh = False
            continue
        if row.role == REQUEST and not aside:
            used = begin_header(group, variation, first, count, index, message, operations, used, fresh)
            row, fresh = operations[used - 1], False
        elif row.role == REPORT and function == REPORTS:
            row.space = GROUP_ROWS[group].space if fresh or row.space == GROUP_ROWS[group].space else -1
            fresh = group == COMMON_TIME
        if valued and count == ALL and group != CLASS:
            row.anomaly |= BAD_QUALIFIER
        if prefix >= SIZED or (prefix > 0 and not valued):
            at = read_prefixed(memory, at, end, row, group, variation, prefix, count, valued)
        elif valued:
            at = read_objects(memory, at, end, row, samples, both, group, variation, prefix, first, count)
    return used


@kernel
def read_request(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, master: int) -> int:
    """What a master asks; returns the fill of `operations`."""
    row = operations[used - 1]
    control, function = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    row.role, row.outcome, row.transaction = REQUEST, UNANSWERED, share(row, master, control & NUMBERS)
    if control & (FIRST | FINAL) != FIRST | FINAL:
        row.anomaly |= FRAGMENT_SEQUENCE
    answered = function not in NEVER_ANSWERED and row.unit < BROADCAST
    if function <= AUTHENTICATE_NO_ACK:
        used = read_headers(memory, at + 2, end, index, message, operations, used, samples, both, function)
    if not answered:
        for i in range(used - row_count(operations, used), used):
            operations[i].transaction = -1
    elif row.anomaly & BAD_CRC == 0:
        tag = point_tag(operations[used - 1]) if SELECT <= function < DIRECT_NO_ACK else 0
        tag_rows(operations, used, tag)
        both.c, both.d, both.k = (control & NUMBERS) + 1, row_count(operations, used), tag
    return used


@kernel
def tag_rows(operations: Any, used: int, tag: int) -> None:
    """A control is known by its point, too: masters were seen that ask on with sequence numbers that are in use."""
    for i in range(used - row_count(operations, used), used):
        if operations[i].transaction >= 0:
            operations[i].transaction |= tag << TAG_BITS


@inline
def point_tag(row: Any) -> int:
    """What stands for the point of the only control of a message; 0 where there is none or are several."""
    return 1 + row.first % MOST_TAG if row.part == 0 and row.first >= 0 and row.space in CONTROLLED else 0


@inline
def row_count(operations: Any, used: int) -> int:
    """Rows of the message that the last row is of."""
    return operations[used - 1].part + 1


@kernel
def tell_single(memory: Any, row: Any, samples: Any) -> None:
    """The only value of a row stands in it, and a report of one point is about that point."""
    if row.samples != 1 or row.short:
        return
    sample = samples[row.sample]
    if sample.encoding == VALUE:
        row.value = sample.value
    elif sample.count == 1 and sample.octets > 0 and sample.encoding != TEXT:
        encoding = LOW_BIT if sample.encoding == BIT else sample.encoding
        row.value = number_at(memory, sample.offset + sample.value_at, sample.offset + sample.octets, encoding, row)
    if row.role == REPORT and sample.count == 1:
        row.space, row.first, row.last = sample.space, sample.first, sample.first


@kernel
def read_response(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, master: int) -> int:
    """What an outstation says; returns the fill of `operations`."""
    base, row = used - 1, operations[used - 1]
    control, function, indications = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16le(memory, at + 2, end, row)
    sequence, sound = control & NUMBERS, row.anomaly & BAD_CRC == 0 and row.short == 0
    row.role, row.outcome, row.transaction = RESPONSE, SUCCESS, share(row, master, sequence)
    if function == REPORTS or control & FIRST == 0:
        row.role, row.transaction = REPORT, -1
    if control & FIRST == 0 and both.e != sequence + 1 and message.marks & AFTER_GAP == 0:
        row.anomaly |= FRAGMENT_SEQUENCE
    if (function == REPORTS) != (control & UNSOLICITED != 0) and function != AUTHENTICATION_RESPONSE:
        row.anomaly |= FRAGMENT_SEQUENCE
    if sound:
        both.e = 0 if control & FINAL else (sequence + 1 & NUMBERS) + 1
    if row.short == 0:
        used = read_headers(memory, at + 4, end, index, message, operations, used, samples, both, function)
        tell_single(memory, row, samples)
        last = operations[used - 1]
        if has_room(last, both):
            add_value(last, samples, INDICATION_SPACE, 0, indications).quality = indications & 0x3FFF
    tag = point_tag(operations[used - 1])
    if row.role == RESPONSE and both.c == sequence + 1 and sound:
        most = min(both.d, message.length)
        if row.first < 0:
            tag = both.k
        while row_count(operations, used) < most:
            used = next_row(operations, used, index, message)
        both.c = 0
    tag_rows(operations, used, tag)
    error = -1
    for bit in range(13, 7, -1):
        if indications & ERROR_INDICATIONS >> bit << bit & 1 << bit:
            error = INDICATED_ERROR + bit - 8
    if error >= 0 and row.role == RESPONSE:
        for i in range(base, used):
            row = operations[i]
            if row.error < 0 and not (row.first >= 0 and row.space in CONTROLLED):  # an echo has a status of its own
                row.outcome, row.error = FAILURE, error
    return used


@kernel
def read_application(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, master: int) -> int:
    """A fragment of the application layer; returns the fill of `operations`."""
    row = operations[used - 1]
    both.h, both.i = 0, row.sample + min(end - at, SAMPLES)
    function = u8(memory, at + 1, end, row)
    if row.short:
        one_way(row, message.side)
        return used
    row.code = (function + 1) << 40
    if RESPONDS <= function <= AUTHENTICATION_RESPONSE:
        return read_response(memory, at, end, index, message, operations, used, samples, both, master)
    return read_request(memory, at, end, index, message, operations, used, samples, both, master)


@kernel
def close_rows(message: Any, operations: Any, base: int, used: int, sampled: int) -> int:
    """The anomalies of a message are those of all its rows; returns the fill of `samples`."""
    anomaly, short = 0, 0
    for i in range(base, used):
        anomaly |= operations[i].anomaly
        short |= operations[i].short
    if message.marks & CUT:
        anomaly = 0
    elif short:
        anomaly |= SHORT
    for i in range(base, used):
        row = operations[i]
        row.anomaly, row.short = anomaly, short
        if message.side == 1 and row.role == REQUEST:  # whatever the frame says, this end asked: a report that awaits its answer
            row.role = REPORT
        if anomaly & BAD_CRC:
            one_way(row, message.side)
            row.samples = 0
        sampled = row.sample + row.samples if row.samples else sampled
    return sampled


@kernel
def read_broken(memory: Any, message: Any, row: Any) -> None:
    """Octets that the framing does not fit."""
    at, end = message.offset, message.offset + message.length
    row.anomaly = BAD_START if u16be(memory, at, end, row) != START else BAD_LENGTH
    row.short = 0


@kernel
def faces_wrong(memory: Any, message: Any, row: Any, at: int, end: int) -> bool:
    """Does the direction bit of the frame contradict the function? Then that tells who is the outstation."""
    if end - at < 2:
        return False
    outstation = u8(memory, message.offset + 3, message.offset + message.length, row) & MASTER_SPEAKS == 0
    return outstation != (RESPONDS <= u8(memory, at + 1, end, row) <= AUTHENTICATION_RESPONSE)


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations and values of the messages with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        if message.marks & BROKEN:
            read_broken(memory, message, row)
            used += 1
            continue
        at, octets, master, both = read_frame(memory, message, row, contexts, joints)
        if at < 0 and octets == 0:
            continue
        base = used
        used += 1
        if at >= 0:
            if faces_wrong(memory, message, row, at, at + octets):
                row.anomaly |= BAD_DIRECTION
                row.unit, master = master, int(row.unit)
                both = context(contexts, joints, message.protocol, message.connection, row.unit << 16 | master, message.clock)
            used = read_application(memory, at, at + octets, index, message, operations, used, samples, contexts[both], master)
        sampled = close_rows(message, operations, base, used, sampled)
    return used, sampled


CONTROLS: Final = frozenset(  # octets that a control octet can be
    bits | function for bits in range(0, 256, 16) for function in ((0, 1, 2, 3, 4, 9) if bits & PRIMARY else (0, 1, 11, 14, 15))
)


DNP3: Final = Protocol(
    name="dnp3",
    title="DNP3",
    spec="IEEE 1815-2012",
    framings=(
        Framing(
            header=3, length=length_u8(2), add=UNTOLD, blocks=(UNTOLD, BLOCK, 2), magic=(0, START, 0xFFFF), least=HEADER, most=292, code_at=3, known=CONTROLS,
            facing=(3, MASTER_SPEAKS), answering=(12, ANSWERS),
        ),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    tcp=(20000,),
    udp=(20000,),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    qualities=QUALITIES,
    identity={("device_attribute", number): fact for number, fact in ((252, "vendor"), (250, "model"), (242, "firmware"), (248, "serial"))},
    beside=frozenset({"internal_indications"}),
    joins=True,
    operations_each=MOST_ROWS,
    samples_each=SAMPLES,
)  # fmt: skip
