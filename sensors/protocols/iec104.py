"""IEC 60870-5-104:2006 (APCI: 5; k: 9.6) with the ASDUs of IEC 60870-5-101:2003 (7); those of IEC TS 60870-5-7 by name.

One row a frame. The code path of an I format is type identification/cause of transmission, that of an S or U format its first control octet. A
confirmation answers its activation, a termination is a row of its own; data of the station are reports. The common address is the unit, information
object addresses are as on the wire. Commands stand in spaces of their own: their addresses need not be those of the information that comes back.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.iec104asked import ANSWERED, BROADCAST, LATELY, NEVER, answer, ask, terminate
from sensors.codes.iec104objects import layout_of, number_at, read_objects
from sensors.engine.contexts import begin_text, context, end_text, put_number, put_octet
from sensors.engine.dissecting import add_fact, add_value, open_row
from sensors.engine.octets import borrow, entry, kernel, u8, u16le, u24le
from sensors.protocol import Framing, Protocol
from sensors.protocol import u8 as length_u8

from sensors.codes.iec104 import (  # isort: skip
    ACKNOWLEDGE, ACKNOWLEDGED_LATE, ACTIVATE, ACTIVATION, ANOMALIES, BAD_ACKNOWLEDGEMENT, BAD_ADDRESS, BAD_CAUSE, BAD_CONTROL, BAD_COUNT, BAD_LENGTH,
    BAD_SEQUENCE, BAD_START, BAD_VALUE, CALL, CAUSES, COMMAND, COUNTERS, DEACTIVATED, DEACTIVATION, DELAY, DIRECTORY, ERRORS, FILE, FILES,
    FILE_ERROR, FORMS, FUNCTIONS, INTERROGATION, LAST, LAYOUT, LIMITS, MONITOR, NEGATIVE, NONSTANDARD, NOT_STARTED, OBJECT,
    ORIGINATOR, ORIGINATOR_CHANGED, OTHER, PARAMETER, PARAMETERS, PROBE, PROBE_DONE, PULSES, QUALIFIER, QUALITIES, READ, READY, REQUESTED, RESET,
    SECTION, SEGMENT, SHORT, SPACES, SPONTANEOUS, START, START_DONE, STOP, STOP_DONE, SUPERVISE, SYSTEM, TERMINATION, TEST, TEST_BIT,
    TRAILING_BYTES, WINDOW_EXCEEDED, WRONG_DIRECTION,
)  # fmt: skip
from sensors.engine.tables import (  # isort: skip
    AFTER_GAP, BEGINS, BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SECOND, UNANSWERED,
)  # fmt: skip

MOST_SENT: Final = 12  # k: I formats that may wait for their acknowledgement …
MOST_RECEIVED: Final = 8  # w: … of which the receiver acknowledges the last one of so many, with what else is on the way
ON_THE_WAY: Final = SECOND
NUMBERS: Final = 0x7FFF
CONNECTION: Final = 10401  # tag of contexts
UNKNOWN, STARTED, STOPPED = 0, 1, 2
UNNUMBERED: Final = 256  # what is asked in a U format: no type identification
LONGEST: Final = 127  # objects of an ASDU
OUTPUT_SELECT, OUTPUT_CANCEL, VALUE_REPORT, ERROR_REPORT = NUMBER["output.select"], NUMBER["output.cancel"], NUMBER["value.report"], NUMBER["error.report"]
FREEZE, CLEAR, TIME_WRITE = NUMBER["counter.freeze"], NUMBER["diagnostics.reset"], NUMBER["time.write"]
ENABLE, DISABLE = NUMBER["reporting.enable"], NUMBER["reporting.disable"]
FILE_READ, FILE_DELETE, DIRECTORY_READ = NUMBER["file.read"], NUMBER["file.delete"], NUMBER["directory.read"]

# What a context of a connection remembers: a, b the next number that the client and the station send; c, d the last that each acknowledged (-1: not seen);
# all are 0 where a connection begins (5.1); e the layouts that fit so far, a bit each; f whether data transfer is started; g the originator address of
# what was asked last, and one;
# h, i when the client and the station had sent so many that an acknowledgement was due; j 1 where all that the client said is known.


@kernel
def acknowledge(talk: Any, message: Any, received: int, row: Any) -> None:
    """N(R): up to which the other side's I formats came. It neither goes back nor far ahead of what was sent; a little, where the capture lost some."""
    sent, before = (talk.b, talk.c) if message.side == 0 else (talk.a, talk.d)
    ahead = (received - sent) & NUMBERS
    behind = (sent - received) & NUMBERS
    if sent >= 0 and ahead > MOST_SENT and (behind > (sent - before) & NUMBERS if before >= 0 else behind > NUMBERS // 2):
        row.anomaly |= BAD_ACKNOWLEDGEMENT
    elif before >= 0 and message.marks & AFTER_GAP == 0 and MOST_RECEIVED < (received - before) & NUMBERS < NUMBERS // 2:
        due = talk.i if message.side == 0 else talk.h
        row.anomaly |= ACKNOWLEDGED_LATE if 0 < due < message.time - ON_THE_WAY else 0
    if message.side == 0:
        talk.c = received
    else:
        talk.d = received


@kernel
def count_sent(talk: Any, message: Any, sent: int, row: Any) -> None:
    """N(S) is one more than the last one; no more than k are without acknowledgement."""
    expected, known = (talk.a, talk.d) if message.side == 0 else (talk.b, talk.c)
    if expected >= 0 and sent != expected:
        row.anomaly |= BAD_SEQUENCE
    elif known >= 0 and (sent - known) & NUMBERS >= MOST_SENT and (sent - known) & NUMBERS < NUMBERS // 2:
        row.anomaly |= WINDOW_EXCEEDED
    full = known >= 0 and (sent + 1 - known) & NUMBERS == MOST_RECEIVED
    if message.side == 0:
        talk.a, talk.h = (sent + 1) & NUMBERS, message.time if full else talk.h
    else:
        talk.b, talk.i = (sent + 1) & NUMBERS, message.time if full else talk.i
    if talk.f == STOPPED:
        row.anomaly |= NOT_STARTED


@kernel
def read_command(memory: Any, at: int, end: int, kind: int, cause: int, form: Any, row: Any, samples: Any) -> None:
    """What the qualifier of a command in control direction makes of it."""
    octet = u8(memory, at + max(form.qualifier_at, 0), end, row) if kind != READ else 0
    if row.short:
        return
    if form.group == COMMAND:
        if form.qualifier_at == 0:
            if (form.mask == 3 and (octet & 3 == 0 or octet & 3 == 3)) or (form.mask == 1 and octet & 2):
                row.anomaly |= BAD_VALUE
            if row.samples and 0 < octet >> 2 & 0x1F < len(PULSES):
                samples[row.sample].quality = 1 << (octet >> 2 & 0x1F)
        if form.qualifier_at >= 0 and octet & 0x80 and cause == ACTIVATION and row.distinct == 1 and row.first == row.last:
            row.effect = OUTPUT_SELECT  # of several, which the standard does not allow, others may be executed
    elif form.group == PARAMETERS and kind != ACTIVATE:
        if 0 < octet & 0x3F < len(LIMITS):
            row.space = PARAMETER + (octet & 0x3F)
            for i in range(row.sample, row.sample + row.samples):
                samples[i].space = row.space
    elif kind == ACTIVATE and octet == 3 and cause in (ACTIVATION, DEACTIVATION):
        row.effect = ENABLE if cause == ACTIVATION else DISABLE
    elif kind == COUNTERS and octet >> 6 and cause == ACTIVATION:
        row.effect = FREEZE
    elif kind == RESET and octet == 2:
        row.effect = CLEAR
    elif kind == DELAY and cause == SPONTANEOUS:
        row.effect = TIME_WRITE
    elif kind == TEST and u16le(memory, at, end, row) != 0x55AA:
        row.anomaly |= BAD_VALUE
    if (kind == INTERROGATION and not 20 <= octet <= 36 and octet < 64) or (kind == RESET and octet == 0):
        row.anomaly |= BAD_VALUE
    if cause == DEACTIVATED:
        row.effect = OUTPUT_CANCEL


@kernel
def read_file(memory: Any, at: int, end: int, message: Any, kind: int, cause: int, row: Any, samples: Any, contexts: Any, joints: Any) -> int:
    """File transfer: name of file and section, lengths, and which of the two sides acts; returns the octets that a segment holds."""
    name, address = u16le(memory, at, end, row), max(row.first, 0)
    section = u8(memory, at + 2, end, row) if SECTION <= kind <= SEGMENT else 0
    qualifier = u8(memory, at + FORMS[kind].qualifier_at, end, row) if kind <= DIRECTORY else 0
    if row.short:
        return 0
    if kind != DIRECTORY:
        place = begin_text(joints)
        put_number(memory, joints, name)
        if section:
            put_octet(memory, joints, 47)
            put_number(memory, joints, section)
        end_text(row, place, joints)
    if kind in (READY, SECTION):
        row.value = float(u24le(memory, at + (2 if kind == READY else 3), end, row))
        add_fact(row, samples, FILE, address, row.value)
    doing, told = qualifier & 0x0F, 0
    if message.side == 0:
        if kind == CALL:
            row.effect = FILE_DELETE if doing == 4 else DIRECTORY_READ if doing == 0 and cause == REQUESTED else FILE_READ
            told = READY if doing == 1 else SECTION if doing == 2 else LAST if doing == 6 else DIRECTORY if doing == 0 else 0
            if told:
                ask(contexts, joints, message, told, address if told != DIRECTORY else 0, 0, row)
    else:
        row.effect = VALUE_REPORT
        about = address if kind != DIRECTORY else 0
        if kind in (READY, SECTION, LAST, DIRECTORY) and answer(contexts, joints, message, kind, row.unit, about, row) == ANSWERED:
            row.role = RESPONSE
    refused = (kind in (READY, SECTION) and qualifier & 0x80) or (kind == ACKNOWLEDGE and doing in (2, 4)) or (kind == CALL and qualifier >> 4)
    if refused and message.side == 1:
        row.outcome, row.error = FAILURE, FILE_ERROR + (min(qualifier >> 4, 5) if kind in (CALL, ACKNOWLEDGE) else 0)
    return qualifier if kind == SEGMENT else 0


@kernel
def take_part(message: Any, form: Any, cause: int, negative: int, row: Any) -> None:
    """Who asks, who answers, who tells unasked."""
    confirms = cause in (7, DEACTIVATED) or 44 <= cause <= 47
    reads = form.space == OBJECT and cause == 7 and not negative  # the answer to a read is the value itself
    asks = form.group in (COMMAND, SYSTEM, PARAMETERS) and not confirms and cause != TERMINATION and not 20 <= cause <= 41
    if message.side == 1:
        if (confirms and not reads) or (form.group == MONITOR and cause == REQUESTED):
            row.role = RESPONSE
        else:
            row.role = REPORT
        if reads:
            row.effect = VALUE_REPORT
        if asks and cause != SPONTANEOUS:
            row.anomaly |= WRONG_DIRECTION
        if (confirms or cause == TERMINATION) and (negative or cause >= 44):
            row.outcome, row.error = FAILURE, cause if cause >= 44 else NEGATIVE
    elif form.group not in (OTHER, FILES) and not asks:
        row.anomaly |= WRONG_DIRECTION
    if form.group != OTHER and form.causes >> cause & 1 == 0:
        row.anomaly |= BAD_CAUSE


@kernel
def pair_up(message: Any, kind: int, form: Any, cause: int, row: Any, contexts: Any, joints: Any) -> None:
    """Number what awaits a confirmation, and find what this confirms: what was asked of this station, or of all, of which each confirms it.

    What further refuses, or confirms to one who asked all, is told by the station.
    """
    address = max(row.first, 0)
    if row.role == REQUEST and message.side == 0:
        if form.group in (COMMAND, SYSTEM, PARAMETERS) and row.anomaly & WRONG_DIRECTION == 0 and not (kind == DELAY and cause == SPONTANEOUS):
            ask(contexts, joints, message, kind, address, 1 if cause == ACTIVATION and row.effect != OUTPUT_SELECT else 0, row)
    elif row.role == RESPONSE and form.group != FILES:
        asked = READ if form.group == MONITOR else kind
        own = answer(contexts, joints, message, asked, row.unit, address, row)
        every = answer(contexts, joints, message, asked, BROADCAST, address, row) if own != ANSWERED else ANSWERED
        if every == LATELY or (own == LATELY and every == NEVER and row.outcome == FAILURE):
            row.role = REPORT
            row.effect = ERROR_REPORT if row.outcome == FAILURE else VALUE_REPORT


@kernel
def read_asdu(memory: Any, at: int, end: int, message: Any, talk: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> int:
    """An ASDU; returns where it ends."""
    kind, qualifier, octet = u8(memory, at, end, row), u8(memory, at + 1, end, row), u8(memory, at + 2, end, row)
    if row.short:
        return end
    form, cause = FORMS[kind], octet & 0x3F
    number = layout_of(memory, at, end, kind, message.marks & CUT == 0, talk, row)
    layout = LAYOUT[number]
    row.short = 0
    row.code = (kind + 1) << 40 | (cause + 1) << 20
    take_part(message, form, cause, octet & 0x40, row)
    row.anomaly |= (NONSTANDARD if number else 0) | (TEST_BIT if octet & 0x80 else 0)
    unit = number_at(memory, at + 2 + layout.cause, end, layout.unit, row)
    if row.short:
        return end
    row.unit = BROADCAST if unit == 0xFF and layout.unit == 1 else unit
    if unit == 0:
        row.anomaly |= BAD_ADDRESS
    originator = 0
    if layout.cause == 2 and row.role == REQUEST and form.group in (COMMAND, SYSTEM, PARAMETERS):
        originator = u8(memory, at + 3, end, row)
        if talk.g != 0 and talk.g != originator + 1:  # another control centre behind the same one, or somebody who does not know its address
            row.anomaly |= ORIGINATOR_CHANGED
        talk.g = originator + 1
    body, done = at + 2 + layout.cause + layout.unit, end
    if form.group == OTHER:
        address = number_at(memory, body, end, layout.address, row)
        if row.short == 0:
            row.space, row.first, row.last = OBJECT, address, address
        return end
    acts = cause == ACTIVATION and row.role == REQUEST and octet & 0x80 == 0
    single = form.group == COMMAND and form.qualifier_at >= 0 and qualifier & 0x7F == 1
    selects = single and u8(memory, body + layout.address + form.qualifier_at, end, row) & 0x80
    tells = (form.group == MONITOR or cause >= 20) and message.side == 1 and octet & 0x80 == 0 and form.space != QUALIFIER
    point = tells or (acts and not selects and form.group in (COMMAND, PARAMETERS) and form.space != QUALIFIER)
    row.short = 0
    done = read_objects(memory, body, end, message.time, form, layout.address, qualifier, point, row, samples)
    if form.group != MONITOR and form.group != FILES:
        if qualifier != 1 and form.group != PARAMETERS:
            row.anomaly |= BAD_COUNT
        read_command(memory, body + layout.address, end, kind, cause, form, row, samples)
    elif form.group == FILES and row.first >= 0:
        done += read_file(memory, body + layout.address, end, message, kind, cause, row, samples, contexts, joints)
    if (form.group == SYSTEM and kind != READ) or form.causes == 1 << 4:
        if row.first > 0:
            row.anomaly |= BAD_ADDRESS
        else:
            row.space, row.first, row.last = -1, -1, -1
    if row.short == 0 and (originator > 0 or row.anomaly & ORIGINATOR_CHANGED):
        add_value(row, samples, ORIGINATOR, 0, float(originator))
    if row.role != REPORT and row.short == 0:
        pair_up(message, kind, form, cause, row, contexts, joints)
    elif cause == TERMINATION and message.side == 1 and row.short == 0:
        terminate(contexts, message, kind, talk, row)
    return done


@kernel
def read_unnumbered(message: Any, control: int, talk: Any, row: Any, contexts: Any, joints: Any) -> None:
    """STARTDT, STOPDT and TESTFR; either side may probe the other, and the same may be said again before it is confirmed."""
    row.code = (control + 1) << 40
    asks = control in (START, STOP, PROBE)
    asking = control if asks else START if control == START_DONE else STOP if control == STOP_DONE else PROBE
    if not asks and control not in (START_DONE, STOP_DONE, PROBE_DONE):
        row.anomaly |= BAD_CONTROL
        row.role = REPORT if message.side == 1 else REQUEST
        return
    asker = message.side if asks else 1 - message.side
    if asker == 1 and asking != PROBE:
        row.anomaly |= WRONG_DIRECTION
    if asks:
        row.role, row.outcome = (REPORT if message.side == 1 else REQUEST), UNANSWERED
        ask(contexts, joints, message, UNNUMBERED, asking << 1 | asker, 0, row)
    else:
        row.role, row.outcome = RESPONSE, 1
        answer(contexts, joints, message, UNNUMBERED, row.unit, asking << 1 | asker, row)
    if control in (START_DONE, STOP_DONE):
        talk.f = STARTED if control == START_DONE else STOPPED


@kernel
def read_apdu(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """One frame."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    first, second = u16le(memory, at + 2, end, row), u16le(memory, at + 4, end, row)
    if message.side == 1:
        row.role = REPORT
    if row.short:
        row.anomaly = SHORT if whole else 0
        return
    if u8(memory, at, end, row) != 0x68:
        row.anomaly |= BAD_START
    if whole and u8(memory, at + 1, end, row) + 2 != message.length:
        row.anomaly |= BAD_LENGTH
    talk = contexts[context(contexts, joints, CONNECTION, message.connection, 0, message.clock)]
    if talk.fresh:
        talk.fresh, talk.a, talk.b, talk.c, talk.d = 0, -1, -1, -1, -1
        talk.f = STOPPED if first == 0 and second == 0 else UNKNOWN  # the very first I formats, and nobody started data transfer
    if message.marks & BEGINS:
        if message.side == 0:
            talk.a, talk.c, talk.j = 0, 0, 1
        else:
            talk.b, talk.d = 0, 0
    if message.marks & AFTER_GAP:
        talk.f = UNKNOWN
        if message.side == 0:
            talk.a, talk.h, talk.j = -1, 0, 0
        else:
            talk.b, talk.i = -1, 0
    control, done = first & 0xFF, at + 6
    if control & 1 == 0:
        count_sent(talk, message, first >> 1, row)
        done = read_asdu(memory, at + 6, end, message, talk, row, samples, contexts, joints)
    elif control & 3 == 1:
        row.code = (SUPERVISE + 1) << 40
    else:
        read_unnumbered(message, control, talk, row, contexts, joints)
    if second & 1 or (control & 1 and first != control) or (control & 3 == 1 and control != 1) or (control & 3 == 3 and second):
        row.anomaly |= BAD_CONTROL
    elif control & 3 != 3:
        acknowledge(talk, message, second >> 1, row)
    if row.short and whole:
        row.anomaly |= SHORT
    elif done < end and whole:
        row.anomaly |= TRAILING_BYTES


@entry
def dissect(
    memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """Append the operations and values of the messages with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        if message.marks & BROKEN:
            row.anomaly = BAD_START if u8(memory, message.offset, message.offset + message.length, row) != 0x68 else BAD_LENGTH
            row.short = 0
        else:
            read_apdu(memory, message, row, samples, contexts, joints)
        sampled += row.samples
        used += 1
    return used, sampled


IEC104: Final = Protocol(
    name="iec104",
    title="IEC 60870-5-104",
    spec="IEC 60870-5-104:2006; IEC 60870-5-101:2003",
    framings=(
        Framing(
            header=2, length=length_u8(1), add=2, magic=(0, 0x6800, 0xFF00), least=6, most=255, code_at=2,
            known=frozenset((*range(0, 256, 2), SUPERVISE, START, START_DONE, STOP, STOP_DONE, PROBE, PROBE_DONE)),
        ),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    tcp=(2404,),
    spaces=SPACES,
    qualities=QUALITIES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    cause=lambda cause: CAUSES.get(cause, f"cot {cause}"),
    beside=frozenset({"originator"}),
    samples_each=LONGEST + 1,  # and the originator
)  # fmt: skip
