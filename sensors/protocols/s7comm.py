"""S7comm (protocol id 32h over COTP): the protocol of SIMATIC S7-300/400 and of what speaks it after them. It is not published: Siemens' manuals name its
functions, areas and codes (System Software for S7-300/400, Volumes 1/2; Communication with SIMATIC), captures show its layout.

An item of a read or write is a row each, `part` counts them. Addresses are data block * 100000 + byte, in spaces of bits data block * 1000000 + bit
(`sensors.codes.s7comm`). An answer names no types: what was asked is kept until then. A controller asks for the blocks that are downloaded to it; such a row
stays one of its client, who began it. PI services are told by name, the second number of their code path is ours.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.s7blocks import name_block, read_block, read_more_blocks, spelled
from sensors.codes.s7comm import (
    ANOMALIES,
    BAD_COUNT,
    BAD_LENGTH,
    BAD_VALUE,
    ERRORS,
    FUNCTIONS,
    PI_SERVICES,
    SESSION,
    SHORT,
    SPACES,
    TRAILING_BYTES,
    WRONG_PROTOCOL_ID,
    fact,
    label,
    spelling,
)
from sensors.codes.s7items import GOOD, fail
from sensors.codes.s7lists import FIRMWARE, MANUFACTURER, ask_for_more, read_list
from sensors.codes.s7tables import answer_table, ask_table, is_table
from sensors.codes.s7transfers import DOWNLOAD_BLOCK, END_UPLOAD, REQUEST_DOWNLOAD, START_UPLOAD, UPLOAD, count_piece, read_transfer, read_upload_begun
from sensors.codes.s7variables import (
    MOST_ITEMS,
    MOST_VALUES,
    answers,
    asks,
    open_item,
    read_answers,
    read_cyclic,
    read_items,
    recall,
    remember,
)
from sensors.engine.contexts import drop
from sensors.engine.dissecting import add_fact, most_rows, open_row, sub_code
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be, u24be
from sensors.engine.tables import BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS
from sensors.protocol import BY_PAYLOAD, Framing, Protocol

# fmt: off
MAGIC: Final = 0x32
JOB, ACK, ACK_DATA, USER_DATA = 1, 2, 3, 7
READ, WRITE, PI, SETUP = 4, 5, 40, 240
NAMELESS: Final = 255       # an acknowledgement whose request was not seen
INDICATES, ASKS, ANSWERS = 0, 4, 8  # kinds of user data; those of NC are 1 less or 3 more
CYCLIC, BLOCKS, CPU, CLOCK = 2, 3, 4, 7  # groups of user data
# fmt: on

REPORT_VALUE: Final = NUMBER["value.report"]

INSERT, DELETE, PROGRAM, _, COMPRESS, COPY = (spelling(name) for name in PI_SERVICES)
COLD: Final = 0x43


@inline
def fetches(code: int) -> bool:
    """Does a controller ask for what its client downloads? All else that it asks, its partner answers."""
    return (REQUEST_DOWNLOAD + 1) << 40 <= code < (START_UPLOAD + 1) << 40


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel
def read_service(memory: Any, at: int, end: int, row: Any, joints: Any) -> None:
    """A PI service: its argument, and behind that its name."""
    octets = u16be(memory, at + 8, end, row)
    name_at = at + 10 + octets
    named = u8(memory, name_at, end, row)
    if name_at + 1 + named > end:
        row.short = 1
    if row.short:
        return
    word = spelled(memory, name_at + 1, named, end, row)
    if word in (INSERT, DELETE):
        sub_code(row, 1 if word == INSERT else 2)
        blocks = u8(memory, at + 10, name_at, row)
        if octets != 2 + 8 * blocks or blocks == 0:
            row.anomaly |= BAD_COUNT
        elif row.short == 0:
            if read_block(memory, at + 12, name_at, row, joints) >= 0 and blocks > 1:
                read_more_blocks(memory, at + 20, name_at, blocks - 1, row, joints)
            row.distinct = blocks
    elif word == PROGRAM:
        cold = octets > 0 and u8(memory, at + 10, name_at, row) == COLD
        sub_code(row, 4 if cold else 3)
    elif word in (COMPRESS, COPY):
        sub_code(row, 5 if word == COMPRESS else 6)
    elif named > 0:
        row.name_at, row.name_octets = name_at + 1, named


@kernel
def read_setup(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """Jobs at a time, asked and served, and length of a PDU: what is answered holds."""
    for i in range(3):
        number = u16be(memory, at + 2 + 2 * i, end, row)
        if row.short:
            return
        add_fact(row, samples, SESSION, i, float(number))
        if i == 2 and row.role == RESPONSE:
            row.value = float(number)


# ── system status lists, clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@inline
def bcd(memory: Any, at: int, end: int, row: Any) -> int:
    """Two digits."""
    octet = u8(memory, at, end, row)
    return (octet >> 4) * 10 + (octet & 15)


@kernel
def read_time(memory: Any, at: int, end: int, row: Any) -> None:
    """Date and time in BCD: seconds since the epoch, by the controller's clock."""
    year, month, day = bcd(memory, at + 2, end, row), bcd(memory, at + 3, end, row), bcd(memory, at + 4, end, row)
    hour, minute, second = bcd(memory, at + 5, end, row), bcd(memory, at + 6, end, row), bcd(memory, at + 7, end, row)
    if row.short:
        return
    if month < 1 or month > 12 or day < 1 or day > 31 or hour > 23 or minute > 59 or second > 59:
        row.anomaly |= BAD_VALUE
        return
    years = (2000 if year < 90 else 1900) + year - (1 if month <= 2 else 0)  # of a calendar that begins in March
    months = month + (9 if month <= 2 else -3)
    days = years * 365 + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day - 719469
    row.value = float(days * 86400 + hour * 3600 + minute * 60 + second)


# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel
def read_job(
    memory: Any, index: int, message: Any, at: int, end: int, stop: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """A job: function and what it asks; returns how many rows it is."""
    row = operations[used]
    code = u8(memory, at, end, row)
    asks(row)
    if row.short:
        return 1
    row.code = (code + 1) << 40
    if code in (READ, WRITE):
        items = u8(memory, at + 1, end, row)
        if row.short:
            return 1
        rows = read_items(memory, index, message, at + 2, end, end, stop, items, code == WRITE, operations, used, samples, sampled)
        remember(memory, message, row, items, at + 2, end if code == READ else 0, contexts, joints)
        return rows
    transfer = 0
    if REQUEST_DOWNLOAD <= code <= END_UPLOAD:
        transfer = read_transfer(memory, message, code, at, end, row, contexts, joints)
    elif code == PI:
        read_service(memory, at, end, row, joints)
    elif code == SETUP:
        read_setup(memory, at, end, row, samples)
    contexts[remember(memory, message, row, 1, 0, 0, contexts, joints)].d = transfer
    return 1


@kernel
def read_ack(
    memory: Any, index: int, message: Any, at: int, end: int, stop: int, error: int, operations: Any, used: int, samples: Any, sampled: int,
    contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """An acknowledgement, with data or without; returns how many rows it is. One that fails fails all items of its request."""
    row = operations[used]
    answers(row)
    kept = recall(message, row.transaction, contexts)
    named = u16be(memory, message.offset + 6, message.offset + message.length, row) > 0
    code = u8(memory, at, end, row) if named else (contexts[kept].b >> 40) - 1 if kept >= 0 else NAMELESS
    if row.short:
        return 1
    same = kept >= 0 and contexts[kept].b >> 40 == code + 1
    row.code = contexts[kept].b if same else (code + 1) << 40  # which PI service it was, its request has told
    rows = 1
    if error != 0:
        fail(row, error)
        items = contexts[kept].c if kept >= 0 else 1
        rows = min(max(items, 1), MOST_ITEMS, most_rows(message.length))
        for part in range(1, rows):
            fail(open_item(operations, used, index, message, sampled, row, part), error)
    elif code in (READ, WRITE) and named:
        items = u8(memory, at + 1, end, row)
        if row.short == 0:
            rows = read_answers(memory, index, message, end, stop, items, kept, code, operations, used, samples, sampled, contexts, joints)
    elif code == START_UPLOAD:
        read_upload_begun(memory, message, at, end, row, contexts, joints)
        kept = recall(message, row.transaction, contexts)  # it may have given way
    elif code in (UPLOAD, DOWNLOAD_BLOCK) and same:
        count_piece(memory, message, contexts[kept].d, end, stop, row, contexts)
    elif code == SETUP:
        read_setup(memory, at, end, row, samples)
    if kept >= 0:
        drop(contexts, kept, joints)
        contexts[kept].a = 0
    return rows


@kernel
def read_content(
    memory: Any, message: Any, group: int, second: int, at: int, end: int, parameter: int, row: Any, samples: Any, contexts: Any, joints: Any
) -> None:
    """What user data is about, of the functions that are one row."""
    if group == CPU and second == 1:
        long = u8(memory, parameter + 3, end, row) >= 8
        unit = u8(memory, parameter + 8, end, row) if long else 0
        more = long and u8(memory, parameter + 9, end, row) != 0
        read_list(memory, message, at, end, unit, more, row, samples, contexts, joints)
    elif group == BLOCKS and row.role == REQUEST:
        if second == 2:
            kind = u16be(memory, at, end, row)
            if row.short == 0:
                name_block(memory, kind, -1, row, joints)
        elif second == 3:
            read_block(memory, at, end, row, joints)
    elif group == CLOCK and second in (1, 2, 3, 4):
        read_time(memory, at, end, row)


@kernel
def read_user_data(
    memory: Any, index: int, message: Any, at: int, end: int, stop: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """User data: group and subfunction, who speaks, the error, and the content; returns how many rows it is."""
    row = operations[used]
    row.code = (USER_DATA + 1) << 40
    head, long, both, second = u24be(memory, at, end, row), u8(memory, at + 3, end, row) >= 8, u8(memory, at + 5, end, row), u8(memory, at + 6, end, row)
    if row.short:
        return 1
    if head != 0x000112:
        row.anomaly |= BAD_VALUE
    group, kind = both & 15, both >> 4
    row.code |= (group + 1) << 20 | (second + 1)
    if kind in (ASKS, ASKS + 3):
        asks(row)
    elif kind in (ANSWERS, ANSWERS + 3):
        answers(row)
    else:
        row.role, row.outcome, row.transaction = REPORT, SUCCESS, -1
        if kind not in (INDICATES, INDICATES + 3):
            row.anomaly |= BAD_VALUE
    error = u16be(memory, at + 10, end, row) if long and row.role == RESPONSE else 0
    good, octets = u8(memory, end, stop, row) if stop > end else GOOD, u16be(memory, end + 2, stop, row) if stop > end else 0
    if row.short:
        return 1
    if row.role == RESPONSE and (error != 0 or good not in (0, 0x0A, GOOD)):
        fail(row, error if error != 0 else good)
    if end + 4 + octets > stop and octets > 0:
        row.short = 1
        return 1
    if is_table(group, second) and row.role == RESPONSE:
        return answer_table(memory, index, message, second, end + 4, end + 4 + octets, operations, used, samples, sampled, contexts, joints)
    if octets == 0 or good != GOOD or row.outcome == FAILURE:
        if group == CPU and second == 1 and long and row.role == REQUEST:
            ask_for_more(message, u8(memory, at + 8, end, row), row, contexts)
        return 1
    if group == CYCLIC and second in (1, 5):
        row.effect = REPORT_VALUE if row.role == REPORT else -1
        return read_cyclic(
            memory, index, message, end + 4, end + 4 + octets, u8(memory, at + 7, end, row), operations, used, samples, sampled, contexts, joints
        )
    if is_table(group, second) and row.role == REQUEST:
        return ask_table(memory, index, message, second, end + 4, end + 4 + octets, operations, used, samples, sampled, contexts, joints)
    read_content(memory, message, group, second, end + 4, end + 4 + octets, at, row, samples, contexts, joints)
    return 1


@kernel
def read_message(memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> int:
    """One PDU; returns how many rows it is."""
    row = operations[used]
    at, end = message.offset, message.offset + message.length
    if u8(memory, at, end, row) != MAGIC and row.short == 0:
        row.anomaly |= WRONG_PROTOCOL_ID
    kind, reference = u8(memory, at + 1, end, row), u16be(memory, at + 4, end, row)
    parameters, data = u16be(memory, at + 6, end, row), u16be(memory, at + 8, end, row)
    begin = at + (12 if kind in (ACK, ACK_DATA) else 10)
    error = u16be(memory, at + 10, end, row) if kind in (ACK, ACK_DATA) else 0
    if row.short or row.anomaly:
        return 1
    answered = kind in (ACK, ACK_DATA) or (kind == USER_DATA and u8(memory, begin + 5, end, row) >> 4 in (ANSWERS, ANSWERS + 3))
    side = 1 - message.side if answered else message.side
    row.transaction = reference << 2 | side << 1 | (1 if kind == USER_DATA else 0)
    stop = begin + parameters + data
    if message.marks & CUT == 0:
        row.anomaly |= TRAILING_BYTES if stop < end else SHORT if stop > end else 0
    last, stop = min(begin + parameters, end), min(stop, end)
    row.short = 0
    if kind == JOB:
        return read_job(memory, index, message, begin, last, stop, operations, used, samples, sampled, contexts, joints)
    if kind in (ACK, ACK_DATA):
        return read_ack(memory, index, message, begin, last, stop, error, operations, used, samples, sampled, contexts, joints)
    if kind == USER_DATA:
        return read_user_data(memory, index, message, begin, last, stop, operations, used, samples, sampled, contexts, joints)
    row.anomaly |= BAD_VALUE
    row.transaction = -1
    return 1


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations and values of the PDUs with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message = messages[index]
        open_row(operations[used], index, message, sampled)
        rows = 1
        if message.marks & BROKEN:
            operations[used].anomaly = BAD_LENGTH
        else:
            rows = read_message(memory, index, message, operations, used, samples, sampled, contexts, joints)
        for i in range(used, used + rows):
            row = operations[i]
            if message.side == 1 and row.role == REQUEST and not fetches(row.code):
                row.role = REPORT
            if row.short:
                row.anomaly |= SHORT
            if message.marks & CUT:
                row.anomaly &= ~SHORT
            sampled += row.samples
        used += rows
    return used, sampled


S7COMM: Final = Protocol(
    name="s7comm",
    title="S7comm",
    makers={"": "Siemens"},
    spec="not published; System Software for S7-300/400, System and Standard Functions; RFC 1006",
    framings=(Framing(kind=BY_PAYLOAD, magic=(0, MAGIC << 8, 0xFF00), least=10, code_at=1, known=frozenset({JOB, ACK, ACK_DATA, USER_DATA})),),
    functions=FUNCTIONS,
    dissect=dissect,
    over=("cotp", 0xF0),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    identity={
        ("module_identification", 1): "model",
        ("module_identification", FIRMWARE): "firmware",
        ("component_identification", 5): "serial",
        ("component_identification", MANUFACTURER): "vendor",
    },
    fact=fact,
    operations_each=MOST_ITEMS,
    samples_each=MOST_VALUES,
)
