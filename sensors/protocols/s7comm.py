"""S7comm (protocol id 32h over COTP): the protocol of SIMATIC S7-300/400 and of what speaks it after them. It is not published: Siemens' manuals name its
functions, areas and codes (System Software for S7-300/400, Volumes 1/2; Communication with SIMATIC), captures show its layout.

An item of a read or write is a row each, `part` counts them. Addresses are data block * 100000 + byte, in spaces of bits data block * 1000000 + bit
(`sensors.codes.s7comm`). An answer names no types: what was asked is kept until then. A controller asks for the blocks that are downloaded to it; such a row
stays one of its client, who began it. PI services are told by name, the second number of their code path is ours.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.s7blocks import name_block, read_block, read_file, spelled
from sensors.codes.s7comm import (
    ANOMALIES,
    BAD_COUNT,
    BAD_LENGTH,
    BAD_VALUE,
    COMPONENT,
    ERRORS,
    FUNCTIONS,
    MODE,
    MODULE,
    PI_SERVICES,
    SESSION,
    SHORT,
    SPACES,
    STATUS_LIST,
    TRAILING_BYTES,
    WRONG_PROTOCOL_ID,
    fact,
    label,
    spelling,
)
from sensors.codes.s7items import GOOD, add_answer, add_written, fail, next_item, read_item
from sensors.engine.contexts import append, context, drop, find, held, joined
from sensors.engine.dissecting import add_fact, add_text, add_value, most_rows, open_row, sub_code
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be, u24be, u32be
from sensors.engine.tables import AFTER_GAP, BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED
from sensors.protocol import BY_PAYLOAD, Framing, Protocol

# fmt: off
MAGIC: Final = 0x32
JOB, ACK, ACK_DATA, USER_DATA = 1, 2, 3, 7
READ, WRITE, DOWNLOAD, NEXT_BLOCK, DOWNLOADED, START_UPLOAD, UPLOAD, END_UPLOAD, PI, SETUP = 4, 5, 26, 27, 28, 29, 30, 31, 40, 240
NAMELESS: Final = 255       # an acknowledgement whose request was not seen
INDICATES, ASKS, ANSWERS = 0, 4, 8  # kinds of user data; those of NC are 1 less or 3 more
CYCLIC, BLOCKS, CPU, CLOCK = 2, 3, 4, 7  # groups of user data
# fmt: on

TAG: Final = 50
SLOTS: Final = 16  # requests of a connection that are remembered at once
SLOT_KEY, UPLOAD_KEY, CYCLIC_KEY, LIST_KEY = (number << 20 for number in range(1, 5))
MOST_ITEMS: Final = 64  # rows of a message: the last one counts what follows
MOST_VALUES: Final = 256
MOST_RECORDS: Final = 16
REPORT_VALUE, IDENTITY_READ, MODE_READ = (NUMBER[name] for name in ("value.report", "identity.read", "mode.read"))
PLANT_LIST, IDENTITY_LIST, TRANSITION_LIST = 0x11, 0x1C, 0x24  # partial lists, whatever their extract
FIRMWARE, SERIAL_RECORDS, MANUFACTURER = 7, 11, 9

INSERT, DELETE, PROGRAM, _, COMPRESS, COPY = (spelling(name) for name in PI_SERVICES)
COLD: Final = 0x43


@inline
def asks(row: Any) -> None:
    """Whatever side it is from: what a partner asks that is called is a report that awaits its answer, once all is read."""
    row.role, row.outcome = REQUEST, UNANSWERED


@inline
def answers(row: Any) -> None:
    """Whatever side it is from."""
    row.role, row.outcome = RESPONSE, SUCCESS


@inline
def fetches(code: int) -> bool:
    """Does a controller ask for what its client downloads? All else that it asks, its partner answers."""
    return (DOWNLOAD + 1) << 40 <= code < (START_UPLOAD + 1) << 40


@inline
def slot(transaction: int) -> int:
    """Under which number a request of a connection is remembered: few of them, so that what is near stays near."""
    return SLOT_KEY | transaction & 4 * SLOTS - 1


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel
def open_item(operations: Any, used: int, index: int, message: Any, sampled: int, first: Any, part: int) -> Any:
    """The row of a further item: what the first one says of the message."""
    row = operations[used + part]
    if part > 0:
        open_row(row, index, message, sampled)
        row.code, row.role, row.transaction, row.part, row.effect = first.code, first.role, first.transaction, part, first.effect
        row.outcome = UNANSWERED if row.role != RESPONSE else SUCCESS
        row.anomaly = first.anomaly & (BAD_LENGTH | TRAILING_BYTES | SHORT)
    return row


@kernel
def remember(memory: Any, message: Any, row: Any, items: int, at: int, end: int, contexts: Any, joints: Any) -> None:
    """Keep what a request asks for until its answer comes."""
    number = context(contexts, joints, TAG, message.connection, slot(row.transaction), message.clock)
    drop(contexts, number, joints)
    waits = contexts[number]
    waits.a, waits.b, waits.c = row.transaction + 1, row.code, items
    if end > at and not append(memory, contexts, number, joints, at, end - at):
        waits.a = 0


@inline
def recall(message: Any, transaction: int, contexts: Any) -> int:
    """The context of this request, -1 where it is not known."""
    number = find(contexts, TAG, message.connection, slot(transaction))
    return number if number >= 0 and contexts[number].a == transaction + 1 else -1


@kernel
def read_items(
    memory: Any, index: int, message: Any, at: int, end: int, data: int, stop: int, items: int, write: bool, operations: Any, used: int, samples: Any,
    sampled: int,
) -> int:  # fmt: skip
    """The items of a request from `at` on, with their values from `data` on where it writes; returns how many rows they are."""
    first = operations[used]
    start, rows = sampled, min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    if items == 0:
        first.anomaly |= BAD_COUNT
        return 1
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        row.effect = -1
        asked = read_item(memory, at, end, row, write)
        at = next_item(memory, at, end, row)
        if write and row.short == 0:
            data = add_written(memory, data, stop, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    return rows


@kernel
def read_answers(
    memory: Any, index: int, message: Any, at: int, stop: int, items: int, kept: int, code: int, operations: Any, used: int, samples: Any, sampled: int,
    contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """The items of an answer or report, each with its return code; `kept`: the context that holds what was asked (-1: none). Returns how many rows they are."""
    first = operations[used]
    start, rows = sampled, min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    place, octets = (0, 0) if kept < 0 else held(contexts, kept, joints)
    end = place + octets
    if items == 0:
        first.anomaly |= BAD_COUNT
        return 1
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        asked = 0
        if place + 12 <= end and code == READ:
            known = row.anomaly  # what is wrong with the request is told there
            asked = read_item(memory, place, end, row, False)
            place = next_item(memory, place, end, row)
            row.anomaly, row.short = known, 0
        if code == READ:
            at = add_answer(memory, at, stop, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        else:
            good = u8(memory, at, stop, row)
            if good != GOOD and row.short == 0:
                fail(row, good)
            at += 1
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    return rows


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel
def read_transfer(memory: Any, message: Any, code: int, at: int, end: int, row: Any, contexts: Any, joints: Any) -> None:
    """Uploads and downloads. Only the request that begins an upload names its block: it is kept until the upload ends, by the number of the upload."""
    if code in (UPLOAD, END_UPLOAD) or (code == START_UPLOAD and row.role == RESPONSE):
        upload = u32be(memory, at + 4, end, row)
        if row.short:
            return
        if code == START_UPLOAD:
            begun = find(contexts, TAG, message.connection, UPLOAD_KEY)
            if begun >= 0 and contexts[begun].b == row.transaction:
                block = contexts[begun].a
                number = context(contexts, joints, TAG, message.connection, UPLOAD_KEY | 8 | upload & 7, message.clock)
                contexts[number].a, contexts[number].b = block, upload
            return
        number = find(contexts, TAG, message.connection, UPLOAD_KEY | 8 | upload & 7)
        if number >= 0 and contexts[number].b == upload and contexts[number].a >= 0:
            name_block(memory, contexts[number].a >> 20, contexts[number].a & 0xFFFFF, row, joints)
        return
    block = read_file(memory, at + 8, end, row, joints)
    if code == START_UPLOAD and block >= 0:
        number = context(contexts, joints, TAG, message.connection, UPLOAD_KEY, message.clock)
        contexts[number].a, contexts[number].b = block, row.transaction


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
            read_block(memory, at + 12, name_at, row, joints)
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


@kernel
def name_list(row: Any, named: int) -> None:
    """The object and the effect of reading a system status list (SZL): identifier << 16 | index."""
    row.space, row.first, row.last = STATUS_LIST, named, named
    part = named >> 16 & 0xFF
    if 0x11 <= part <= 0x15 or part == IDENTITY_LIST:
        row.effect = IDENTITY_READ
    elif part == TRANSITION_LIST:
        row.effect = MODE_READ


@kernel
def add_words(memory: Any, at: int, octets: int, end: int, row: Any, samples: Any, space: int, index: int) -> None:
    """A text without what fills it up."""
    while octets > 0 and u8(memory, at + octets - 1, end, row) in (0, 0x20):
        octets -= 1
    if octets > 0:
        add_text(row, samples, space, index, at, octets)


@kernel
def read_records(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """The records of a list: what the controller is, or in which mode."""
    part, octets, records = row.first >> 16 & 0xFF, u16be(memory, at + 4, end, row), u16be(memory, at + 6, end, row)
    at += 8
    if octets < 4 or row.short:
        return
    for _ in range(min(records, MOST_RECORDS)):
        if at + octets > end:
            row.short = 1
            return
        index = u16be(memory, at, end, row)
        if part == PLANT_LIST and octets >= 22:
            if index == FIRMWARE and octets >= 28:
                add_fact(row, samples, MODULE, index, float(u8(memory, at + 25, end, row) << 16 | u16be(memory, at + 26, end, row)))
            else:
                add_words(memory, at + 2, 20, end, row, samples, MODULE, index)
        elif part == IDENTITY_LIST and index == MANUFACTURER:
            add_fact(row, samples, COMPONENT, index, float(u16be(memory, at + 2, end, row)))
        elif part == IDENTITY_LIST and index <= SERIAL_RECORDS:
            add_words(memory, at + 2, octets - 2, end, row, samples, COMPONENT, index)
        elif part == TRANSITION_LIST and row.samples == 0:
            row.value = float(u8(memory, at + 3, end, row) & 15)
            add_value(row, samples, MODE, 0, row.value)
        at += octets


@kernel
def read_list(memory: Any, message: Any, at: int, end: int, unit: int, more: bool, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """A system status list, asked for or answered; a long one comes in several data units of one number."""
    named = u32be(memory, at, end, row)
    if row.short:
        return
    if row.role == REQUEST or (unit == 0 and not more):
        name_list(row, named)
        if row.role == RESPONSE:
            read_records(memory, at, end, row, samples)
        return
    number = context(contexts, joints, TAG, message.connection, LIST_KEY | unit, message.clock)
    waits = contexts[number]
    if message.marks & (AFTER_GAP | CUT) or waits.filled >= waits.b:
        drop(contexts, number, joints)
    if waits.filled == 0:
        waits.a, waits.b = named, 8 + u16be(memory, at + 4, end, row) * u16be(memory, at + 6, end, row)
    name_list(row, waits.a)
    if not append(memory, contexts, number, joints, at, end - at):
        drop(contexts, number, joints)
    elif not more:
        place, octets = joined(memory, contexts, number, joints)
        if place >= 0:
            read_records(memory, place, place + octets, row, samples)


@inline
def ask_for_more(message: Any, unit: int, row: Any, contexts: Any) -> None:
    """The next data unit of a list that is not whole."""
    number = find(contexts, TAG, message.connection, LIST_KEY | unit)
    if number >= 0 and contexts[number].filled > 0:
        name_list(row, contexts[number].a)


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
    if DOWNLOAD <= code <= END_UPLOAD:
        read_transfer(memory, message, code, at, end, row, contexts, joints)
    elif code == PI:
        read_service(memory, at, end, row, joints)
    elif code == SETUP:
        read_setup(memory, at, end, row, samples)
    remember(memory, message, row, 1, 0, 0, contexts, joints)
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
        read_transfer(memory, message, code, at, end, row, contexts, joints)
        kept = recall(message, row.transaction, contexts)  # it may have given way
    elif code == SETUP:
        read_setup(memory, at, end, row, samples)
    if kept >= 0:
        drop(contexts, kept, joints)
        contexts[kept].a = 0
    return rows


@kernel
def read_cyclic(
    memory: Any, index: int, message: Any, at: int, stop: int, series: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """Cyclic values: what is asked for, the first values, and those that follow by themselves; returns how many rows it is."""
    row = operations[used]
    items = u16be(memory, at, stop, row)
    if row.short:
        return 1
    if row.role == REQUEST:
        rows = read_items(memory, index, message, at + 4, stop, stop, stop, items, False, operations, used, samples, sampled)
        remember(memory, message, row, items, at + 4, stop, contexts, joints)
        return rows
    if row.role == RESPONSE:
        kept = recall(message, row.transaction, contexts)
        number = context(contexts, joints, TAG, message.connection, CYCLIC_KEY | series, message.clock)
        drop(contexts, number, joints)
        if kept >= 0:
            place, octets = held(contexts, kept, joints)
            append(memory, contexts, number, joints, place, octets)
            drop(contexts, kept, joints)
            contexts[kept].a = 0
    number = find(contexts, TAG, message.connection, CYCLIC_KEY | series)
    return read_answers(memory, index, message, at + 2, stop, items, number, READ, operations, used, samples, sampled, contexts, joints)


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
        row.role, row.outcome, row.transaction = REPORT, UNANSWERED, -1
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
    if octets == 0 or good != GOOD or row.outcome == FAILURE:
        if group == CPU and second == 1 and long and row.role == REQUEST:
            ask_for_more(message, u8(memory, at + 8, end, row), row, contexts)
        return 1
    if group == CYCLIC and second in (1, 5):
        row.effect = REPORT_VALUE if row.role == REPORT else -1
        return read_cyclic(
            memory, index, message, end + 4, end + 4 + octets, u8(memory, at + 7, end, row), operations, used, samples, sampled, contexts, joints
        )
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
