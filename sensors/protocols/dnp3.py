"""DNP3: IEEE 1815-2012, over TCP, UDP and serial lines carried by TCP; data link (clause 9), transport function (8), application layer (4), objects (annex A).

One row a request, and one more for each further object header; classes that are neighbours are one row, each control point has its own. The unit is the
address of the outstation. The code path is the application function; a control has the trip-close code and operation type of its block as second number (5/65
is "direct operate, pulse on, close"). A frame without application data has the path 256/n, n being PRM (64) and the link function. A fragment of a response
that goes on where one before ended, and what nobody asked for, are reports. Octets of a frame with a wrong CRC answer nothing and have no values.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.dnp3 import (
    ANOMALIES,
    AUTHENTICATE,
    AUTHENTICATE_NO_ACK,
    AUTHENTICATION_RESPONSE,
    BAD_CRC,
    BAD_DIRECTION,
    BAD_LENGTH,
    BAD_START,
    DIRECT_NO_ACK,
    ERROR_INDICATIONS,
    ERRORS,
    FRAGMENT_SEQUENCE,
    FUNCTIONS,
    INDICATED_ERROR,
    QUALITIES,
    REPORTS,
    RESPONDS,
    SELECT,
    SHORT,
    SPACES,
)
from sensors.codes.dnp3files import follow_file
from sensors.codes.dnp3link import BLOCK, HEADER, MASTER_SPEAKS, PRIMARY, TAG_BITS, UNTOLD, one_way, read_frame, share
from sensors.codes.dnp3objects import AUTHENTICATION, MOST_ROWS, SAMPLES, SPACE, has_room, next_row, read_headers
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_value, open_row
from sensors.engine.encodings import number_at
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be, u16le
from sensors.engine.tables import AFTER_GAP, BIT, BROKEN, CUT, FAILURE, LOW_BIT, REPORT, REQUEST, RESPONSE, SUCCESS, TEXT, UNANSWERED, VALUE
from sensors.protocol import Framing, Protocol
from sensors.protocol import u8 as length_u8

START: Final = 0x0564
BROADCAST: Final = 0xFFFD  # the first of three
ANSWERS: Final = 0x80  # of the application function, behind the transport and the application control octet
FIRST, FINAL, UNSOLICITED, NUMBERS = 0x80, 0x40, 0x10, 0x0F  # of the application control octet
NEVER_ANSWERED: Final = (0, 6, 8, 10, 12, 33)
CHALLENGE, REPLY = 1, 2  # variations of the authentication object (clause 7)
MOST_TAG: Final = 255
INDICATION_SPACE: Final = SPACE["internal_indications"]
CONTROLLED: Final = (SPACE["binary_output"], SPACE["analog_output"])


@inline
def begins_with(memory: Any, at: int, end: int, variation: int, row: Any) -> bool:
    """Is this the first object of a fragment, and of authentication?"""
    return at + 2 <= end and u8(memory, at, end, row) == AUTHENTICATION and u8(memory, at + 1, end, row) == variation


@kernel
def read_request(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, master: int) -> int:
    """What a master asks; returns the fill of `operations`."""
    row = operations[used - 1]
    control, function = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    row.role, row.outcome, row.transaction = REQUEST, UNANSWERED, share(row, master, control & NUMBERS)
    if control & (FIRST | FINAL) != FIRST | FINAL:
        row.anomaly |= FRAGMENT_SEQUENCE
    answered = function not in NEVER_ANSWERED and row.unit < BROADCAST
    if function == AUTHENTICATE and begins_with(memory, at + 2, end, REPLY, row):
        answered = False  # what comes next answers the request that was challenged
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
    challenges = function == AUTHENTICATION_RESPONSE and begins_with(memory, at + 4, end, CHALLENGE, row)  # its request waits on
    if function == REPORTS or challenges or control & FIRST == 0:
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
    if function == AUTHENTICATION_RESPONSE and operations[base].error >= 0:
        error = operations[base].error
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
            for place in range(base if operations[base].anomaly & BAD_CRC == 0 else used, used):
                follow_file(memory, message, operations[place], contexts, joints)
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
