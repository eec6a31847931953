"""PCCC over CIP: Rockwell 1770-6.5.16 (DF1 Protocol and Command Set), chapters 7 and 8; message structure of 1756-PM020's PCCC object.

One row a message: command/function, and one for each command of a list of them, numbered by `part`. Data files are addressed by type, file, element and
sub-element (`N7:0`, `T4:0.ACC`), neighbours ELEMENT apart; a bit written under a mask is `B3:0/1`. What a PLC-5 is asked tells no type of file
(`sensors.codes.plc5`); its symbols in ASCII are names. Replies tell neither function nor address: what was asked is remembered.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.pccc import (
    ANOMALIES,
    BAD_COUNT,
    BAD_VALUE,
    ERRORS,
    FILES,
    FUNCTIONS,
    IDENTITY,
    PHYSICAL,
    SHORT,
    SPACES,
    TRAILING_BYTES,
    TRANSACTION_MISMATCH,
    WRONG_DIRECTION,
)
from sensors.codes.plc5 import (
    ELEMENT,
    ELEMENT_BITS,
    FILE_BITS,
    PLC5,
    TYPE_BITS,
    TYPED_READ,
    WORD_BITS,
    WORD_RANGE_READ,
    read_plc5,
    read_typed,
    read_words,
)
from sensors.codes.slc import CONTROL, TIMER, read_logical, read_masked, read_values
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_run, add_text, most_rows, open_row, sub_code
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16le
from sensors.engine.tables import BROKEN, CUT, FAILURE, REQUEST, RESPONSE, SECOND, U16LE
from sensors.protocol import BY_PAYLOAD, Framing, Protocol

PARTS_OF: Final = {1: "PRE", 2: "ACC"}
CPU_START, CPU_STOP = NUMBER["cpu.start"], NUMBER["cpu.stop"]
DIAGNOSTIC, MODE, EXTENDED_COMMAND, STATUS_READ, MULTIPLE = 6, 7, 15, 3, 136
PLAIN_WRITES, UNPROTECTED_READ = (0, 8), 1
REPLY: Final = 0x40
PARTS: Final = 256  # commands of a list
SAMPLES: Final = 64
MEMORY: Final = 60 * SECOND

# Contexts, by connection of the transport, and place of the transaction (h) and part: a: command, b: function (-1: none), c: transaction code,
# d: first address (-1: none), e: type of file, f: octets asked for, g: space, i: when, j: commands of the list. Of a PLC-5, e, f, k and l are of
# `sensors.codes.plc5`.
ASKED: Final = 0xD1
OPEN: Final = 8  # transactions of a connection that are remembered


@kernel
def read_function(memory: Any, at: int, end: int, function: int, row: Any, samples: Any, asked: Any) -> int:
    """The data of an extended command; returns their end."""
    if function in (161, 162):
        return read_logical(memory, at, end, row, asked, function - 159)
    if function in (169, 170, 171):
        at = read_logical(memory, at, end, row, asked, 3 if function > 169 else 2)
        if row.short:
            return end
        if function == 171:
            row.space = -1 if end - at < 4 else row.space
            row.first = row.last = -1 if end - at < 4 else asked.d
            return read_masked(memory, at, end, row, samples, asked)
        if asked.f != end - at:
            row.anomaly |= BAD_COUNT
        read_values(memory, at, end, row, samples, asked)
        return end
    if function in PLC5:
        return read_plc5(memory, at, end, function, row, samples, asked)
    if function in (58, 128):
        mode = u8(memory, at, end, row)
        if row.short == 0:
            row.value = mode
            run, stop = (2, 0) if function == 58 else (6, 1)
            mode = mode & 3 if function == 58 else mode
            row.effect = CPU_START if mode == run else CPU_STOP if mode == stop or (function == 58 and mode == 1) else -1
        return at + 1
    if function in (167, 175) and end - at > 5:
        row.space = PHYSICAL
        row.first = row.last = u16le(memory, at + 3, end, row)
    return end


@kernel
def read_plain(at: int, end: int, row: Any, samples: Any, first: int) -> None:
    """Words of the file that a PLC-2 would have, by the number of their first octet."""
    octets = max(end - at, 0)
    if octets > 0 and row.role == REQUEST:
        row.last = row.first + octets - 1
    if octets > 1:
        add_run(row, samples, PHYSICAL, first, octets // 2, at, octets // 2 * 2, U16LE, 0).step = 2


@kernel
def read_request(memory: Any, at: int, end: int, command: int, row: Any, samples: Any, asked: Any) -> int:
    """The data of a command; returns their end."""
    asked.b = -1
    if command in (0, 1, 2, 4, 5, 8):
        first = u16le(memory, at, end, row)
        if row.short == 0:
            row.space, row.first, row.last = PHYSICAL, first, first
        if command == 1:
            octets = u8(memory, at + 2, end, row)
            row.last += max(octets, 1) - 1
            asked.d, asked.f = first, octets
            return at + 3
        if command in PLAIN_WRITES:
            read_plain(at + 2, end, row, samples, first)
        return end
    if command not in (DIAGNOSTIC, MODE, EXTENDED_COMMAND):
        return end
    function = u8(memory, at, end, row)
    if row.short:
        return end
    asked.b = function
    sub_code(row, function)
    if command == EXTENDED_COMMAND:
        return read_function(memory, at + 1, end, function, row, samples, asked)
    if command == DIAGNOSTIC and function in (1, 3, 7):
        return end if function == 1 else at + 1
    return end


@kernel
def read_reply(memory: Any, at: int, end: int, command: int, row: Any, samples: Any, asked: Any) -> None:
    """The data of a reply, by what was asked."""
    function = asked.b
    if function >= 0:
        sub_code(row, function)
    if row.outcome == FAILURE:
        return
    if command == DIAGNOSTIC and function == STATUS_READ and end - at >= 16:
        # extended interface: mode, type extender, processor, series and revision, then the bulletin name
        octets = 11
        while octets > 0 and u8(memory, at + 4 + octets, end, row) in (0, 32):
            octets -= 1
        if octets > 0:
            add_text(row, samples, IDENTITY, 0, at + 5, octets)
    elif command == UNPROTECTED_READ:
        row.anomaly |= BAD_COUNT if asked.f != end - at else 0
        read_plain(at, end, row, samples, asked.d)
    elif command == EXTENDED_COMMAND and asked.d >= 0:
        read_data(memory, at, end, function, row, samples, asked)


@kernel
def read_data(memory: Any, at: int, end: int, function: int, row: Any, samples: Any, asked: Any) -> None:
    """Values that were asked for."""
    if function in (161, 162):
        row.anomaly |= BAD_COUNT if asked.f != end - at else 0
        read_values(memory, at, end, row, samples, asked)
    elif function == TYPED_READ:
        if read_typed(memory, at, end, row, samples, asked) < end and row.short == 0:
            row.anomaly |= TRAILING_BYTES
    elif function == WORD_RANGE_READ:
        row.anomaly |= BAD_COUNT if asked.f != end - at else 0
        read_words(memory, at, end, row, samples, asked)


@inline
def asked_of(message: Any, part: int, contexts: Any, joints: Any) -> int:
    """The context of this transaction (part 0), or of a command of its list (from 1)."""
    return context(contexts, joints, ASKED, message.connection, message.transaction & OPEN - 1 | part << 8, message.clock)


@inline
def begin_asked(message: Any, asked: Any, command: int, transaction: int) -> None:
    """Nothing is asked yet."""
    asked.fresh, asked.a, asked.b, asked.c, asked.h, asked.i = 0, command, -1, transaction, message.transaction, message.clock
    asked.d = asked.g = -1
    asked.e = asked.f = asked.j = asked.k = asked.l = 0


@inline
def is_known(message: Any, asked: Any) -> bool:
    """Is this what was asked, and not long ago?"""
    return asked.fresh == 0 and asked.h == message.transaction and message.clock - asked.i < MEMORY


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
def read_list(
    memory: Any, at: int, end: int, index: int, message: Any, transaction: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any,
    joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """The commands of a list, each behind its octets: a row each, the first in the place of the list's own. Returns the fill of both tables."""
    head, told = operations[used], 0
    count, at, bad = u8(memory, at, end, head), at + 1, int(head.anomaly)
    if head.short or count == 0:
        head.code = EXTENDED_COMMAND + 1 << 40 if message.marks & CUT else head.code
        close_row(head, message, at, end)
        return used + 1, sampled
    for part in range(min(count, PARTS, most_rows(message.length))):
        row = operations[used]
        open_row(row, index, message, sampled)
        row.part, row.code, row.anomaly, bad = part, EXTENDED_COMMAND + 1 << 40, bad, 0
        octets, function = u8(memory, at, end, row), u8(memory, at + 1, end, row)
        stop, done = at + 1 + octets, at + 1 + octets
        asked = contexts[asked_of(message, part + 1, contexts, joints)]
        begin_asked(message, asked, EXTENDED_COMMAND, transaction)
        if octets == 0 or stop > end:
            row.short = 1
        elif row.short == 0:
            asked.b = function
            sub_code(row, function)
            row.anomaly |= BAD_VALUE if function == MULTIPLE else 0  # a list within a list
            done = read_function(memory, at + 2, stop, function, row, samples, asked)
        close_row(row, message, done, end if part + 1 == count else stop)
        sampled += row.samples
        used, told, at = used + 1, told + 1, stop
        if stop > end:
            break
    asked = contexts[asked_of(message, 0, contexts, joints)]
    asked.j = told
    return used, sampled


@kernel
def answer_list(index: int, message: Any, count: int, operations: Any, used: int, sampled: int, contexts: Any, joints: Any) -> int:
    """The answer to a list is that to each of its commands; what else it says of them is not published. Returns the fill of `operations`."""
    error, outcome, anomaly = operations[used].error, operations[used].outcome, operations[used].anomaly
    for part in range(min(count, PARTS, most_rows(message.length))):
        row = operations[used]
        open_row(row, index, message, sampled)
        row.part, row.code, row.error, row.outcome, row.anomaly = part, EXTENDED_COMMAND + 1 << 40, error, outcome, anomaly
        asked = contexts[asked_of(message, part + 1, contexts, joints)]
        if is_known(message, asked) and asked.b >= 0:
            sub_code(row, asked.b)
        used += 1
    return used


@kernel
def read_requests(
    memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """Command, status and transaction code, then data; returns the fill of both tables."""
    row, at, end = operations[used], message.offset, message.offset + message.length
    first, status, transaction = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16le(memory, at + 2, end, row)
    command, at, done = first & 0x0F, at + 4, end
    if row.short == 0:
        row.code = command + 1 << 40
        row.anomaly |= (WRONG_DIRECTION if first & REPLY else 0) | (BAD_VALUE if status else 0)
        asked = contexts[asked_of(message, 0, contexts, joints)]
        begin_asked(message, asked, command, transaction)
        if command == EXTENDED_COMMAND and at < end and u8(memory, at, end, row) == MULTIPLE:
            asked.b = MULTIPLE
            sub_code(row, MULTIPLE)
            return read_list(memory, at + 1, end, index, message, transaction, operations, used, samples, sampled, contexts, joints)
        done = read_request(memory, at, end, command, row, samples, asked)
    close_row(row, message, done, end)
    return used + 1, sampled + row.samples


@kernel
def read_replies(
    memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """The same of a reply."""
    row, at, end = operations[used], message.offset, message.offset + message.length
    first, status, transaction = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16le(memory, at + 2, end, row)
    command, at = first & 0x0F, at + 4
    if row.short == 0:
        row.code = command + 1 << 40
        row.anomaly |= 0 if first & REPLY else WRONG_DIRECTION
        if status:
            row.outcome, row.error = FAILURE, status
            if status == 0xF0:
                extended = u8(memory, at, end, row)
                row.error = extended << 8 | status if row.short == 0 and extended > 0 else status
        asked = contexts[asked_of(message, 0, contexts, joints)]
        known = is_known(message, asked)
        if known and (asked.a != command or asked.c != transaction):
            row.anomaly |= TRANSACTION_MISMATCH
        elif known and asked.b == MULTIPLE and asked.j > 0 and message.marks & CUT == 0 and row.short == 0:
            return answer_list(index, message, int(asked.j), operations, used, sampled, contexts, joints), sampled
        elif known:
            read_reply(memory, at, end, command, row, samples, asked)
    close_row(row, message, end, end)
    return used + 1, sampled + row.samples


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
            row.anomaly = SHORT if message.marks & CUT == 0 else 0
            used += 1
        elif row.role == RESPONSE:
            used, sampled = read_replies(memory, index, message, operations, used, samples, sampled, contexts, joints)
        else:
            used, sampled = read_requests(memory, index, message, operations, used, samples, sampled, contexts, joints)
    return used, sampled


def place(at: int) -> str:
    """An address of a data file as engineers write it."""
    kind, file, element, part = at >> TYPE_BITS & 0x7F | 0x80, at >> FILE_BITS & 0xFFFF, at >> ELEMENT_BITS & 0xFFFF, at & ELEMENT - 1
    letter, _ = FILES.get(kind, ("#", 0))
    if TIMER <= kind <= CONTROL:
        names = {1: "LEN", 2: "POS"} if kind == CONTROL else PARTS_OF
        return f"{letter}{file}:{element}" + (f".{names.get(part, part)}" if part else "")
    return f"{letter}{file}:{element}" + (f".{part}" if part else "")


def label(space: str, first: int, last: int) -> str | None:
    """`N7:0`, `B3:0/1`, `T4:0.ACC`, `#7:0 word 3`, or the first and last of several."""
    if space == "bit":
        return f"{place(first >> 4)}/{first & 15}"
    if space == "file_word":
        word, final = first & (1 << WORD_BITS) - 1, last & (1 << WORD_BITS) - 1
        return place(first >> WORD_BITS) + (f" word {word}" if first == last else f" words {word}–{final}")
    if space not in ("data_file", "address"):
        return None
    return place(first) if first == last else f"{place(first)}–{place(last)}"


PCCC: Final = Protocol(
    name="pccc",
    title="PCCC (DF1) over CIP",
    makers={"": "Rockwell Automation"},
    spec="Rockwell Automation 1770-6.5.16, DF1 Protocol and Command Set; 1756-PM020 Logix 5000 Data Access",
    framings=(Framing(kind=BY_PAYLOAD, least=1),),
    functions=FUNCTIONS,
    dissect=dissect,
    over=("cip", 103),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    identity={("identity", 0): "model"},
    operations_each=PARTS,
    samples_each=SAMPLES,
)  # fmt: skip
