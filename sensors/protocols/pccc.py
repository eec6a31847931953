"""PCCC over CIP: Rockwell 1770-6.5.16 (DF1 Protocol and Command Set), chapters 7 and 8; message structure of 1756-PM020's PCCC object.

One row a message: command/function. Data files are addressed by type, file, element and sub-element (`N7:0`, `T4:0.ACC`), neighbours ELEMENT apart;
a bit written under a mask is `B3:0/1`. A PLC-5 symbol in ASCII is a name. Replies tell neither function nor address: what was asked is remembered.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.pccc import (
    ANOMALIES,
    BAD_COUNT,
    BAD_VALUE,
    BIT_OF,
    DATA_FILE,
    ERRORS,
    FILES,
    FUNCTIONS,
    IDENTITY,
    LEVELS,
    PHYSICAL,
    SHORT,
    SPACES,
    TRAILING_BYTES,
    TRANSACTION_MISMATCH,
    WRONG_DIRECTION,
)
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_run, add_text, open_row, sub_code
from sensors.engine.octets import borrow, entry, f32le, kernel, signed, u8, u16le, u32le
from sensors.engine.tables import BROKEN, CUT, F32LE, FAILURE, I16LE, I32LE, REQUEST, RESPONSE, SECOND, U16LE
from sensors.protocol import BY_PAYLOAD, Framing, Protocol

ELEMENT: Final = 64  # sub-elements of an element
ELEMENT_BITS, FILE_BITS, TYPE_BITS = 6, 22, 38
TIMER, CONTROL, STRING = 0x86, 0x88, 0x8D
PARTS_OF: Final = {1: "PRE", 2: "ACC"}
CPU_START, CPU_STOP = NUMBER["cpu.start"], NUMBER["cpu.stop"]
DIAGNOSTIC, MODE, EXTENDED_COMMAND, STATUS_READ = 6, 7, 15, 3
SAMPLES: Final = 8
MEMORY: Final = 60 * SECOND

# Contexts, by connection of the transport and place of the transaction (h): a: command, b: function (-1: none), c: transaction code,
# d: first address (-1: none), e: type of file, f: octets asked for, g: space, i: when.
ASKED: Final = 0xD1
OPEN: Final = 8  # transactions of a connection that are remembered


@kernel
def number(memory: Any, at: int, end: int, row: Any) -> tuple[int, int]:
    """A number of one octet, or of two where that is 255; and its end."""
    value = u8(memory, at, end, row)
    return (u16le(memory, at + 1, end, row), at + 3) if value == 255 else (value, at + 1)


@kernel
def read_logical(memory: Any, at: int, end: int, row: Any, asked: Any, fields: int) -> int:
    """A logical address of two or three fields: size, file, type, element, sub-element; returns its end."""
    octets = u8(memory, at, end, row)
    file, at = number(memory, at + 1, end, row)
    kind = u8(memory, at, end, row)
    element, at = number(memory, at + 1, end, row)
    part = 0
    if fields == 3:
        part, at = number(memory, at, end, row)
    if row.short:
        return end
    asked.e, asked.f, asked.g = kind, octets, DATA_FILE
    asked.d = (kind & 0x7F) << TYPE_BITS | file << FILE_BITS | element << ELEMENT_BITS | part & ELEMENT - 1
    width = 4 if kind in (0x8A, 0x91) else 2
    count = max(octets // width, 1)
    row.space, row.first, row.last = DATA_FILE, asked.d, asked.d + (count - 1) * ELEMENT
    if TIMER <= kind <= CONTROL:  # elements of three words
        row.last = asked.d + max((octets - 1) // 6, 0) * ELEMENT
        asked.f = octets
    elif kind == STRING:
        row.last = asked.d + max((octets - 1) // 84, 0) * ELEMENT
    return at


@kernel
def read_values(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> None:
    """Words of data files."""
    kind, octets = asked.e, end - at
    encoding = F32LE if kind == 0x8A else I32LE if kind == 0x91 else U16LE if kind in (0x82, 0x83, 0x85, 0x8B, 0x8C, 0x8E, 0x8F) else I16LE
    width = 4 if kind in (0x8A, 0x91) else 2
    if asked.d < 0 or asked.g != DATA_FILE or kind == STRING or octets < width:
        return
    if TIMER <= kind <= CONTROL:
        if asked.d & ELEMENT - 1:
            add_run(row, samples, DATA_FILE, asked.d, 1, at, 2, encoding, 0)
        else:
            elements = max(octets // 6, 1)
            for part in range(min(octets // 2, 3)):
                run = add_run(row, samples, DATA_FILE, asked.d + part, elements, at, elements * 6, encoding, 6)
                run.step, run.value_at = ELEMENT, 2 * part
                if octets < 6:
                    run.offset, run.octets, run.stride, run.value_at = at + 2 * part, 2, 2, 0
        return
    count = octets // width
    add_run(row, samples, DATA_FILE, asked.d, count, at, count * width, encoding, 0).step = ELEMENT
    if count == 1:
        row.value = word(memory, at, end, encoding, row)


@kernel
def word(memory: Any, at: int, end: int, encoding: int, row: Any) -> float:
    """One value of this encoding."""
    if encoding == F32LE:
        return f32le(memory, at, end, row)
    if encoding == I32LE:
        return float(signed(u32le(memory, at, end, row), 32))
    value = u16le(memory, at, end, row)
    return float(signed(value, 16) if encoding == I16LE else value)


@kernel
def read_masked(memory: Any, at: int, end: int, row: Any, asked: Any) -> int:
    """Bits that are written under a mask: a single one is told by its number."""
    mask, value = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    if row.short:
        return end
    if mask and mask & mask - 1 == 0:
        bit = 0
        while mask >> bit != 1:
            bit += 1
        row.space, row.first, row.last = BIT_OF, asked.d << 4 | bit, asked.d << 4 | bit
        row.value = value >> bit & 1
    return end


@kernel
def read_levels(memory: Any, at: int, end: int, row: Any, asked: Any) -> int:
    """A PLC-5 system address: in ASCII a name, in binary a level for each bit of its first octet; returns its end."""
    flags = u8(memory, at, end, row)
    if flags == 0 and u8(memory, at + 1, end, row) == 36:
        place, at = at + 2, at + 2
        while at < end and u8(memory, at, end, row):
            at += 1
        if at >= end:
            row.short = 1
        elif at > place:
            row.name_at, row.name_octets = place, at - place
            row.space, row.first, row.last = LEVELS, 0, 0
            asked.d, asked.g = 0, LEVELS
        return at + 1
    at += 1
    file = element = part = 0
    for level in range(8):
        if flags >> level & 1:
            value, at = number(memory, at, end, row)
            file, element, part = (value if level == 1 else file), (value if level == 2 else element), (value if level == 3 else part)
    if row.short:
        return end
    asked.d, asked.g = file << FILE_BITS | element << ELEMENT_BITS | part & ELEMENT - 1, LEVELS
    row.space, row.first, row.last = LEVELS, asked.d, asked.d
    return at


@kernel
def read_plc5(memory: Any, at: int, end: int, function: int, row: Any, asked: Any) -> int:
    """Commands with a PLC-5 address: offset, total, address, and a size, or data."""
    offset, total = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    at = read_levels(memory, at + 4, end, row, asked)
    if row.short:
        return end
    if total == 0 or offset > total:
        row.anomaly |= BAD_COUNT
    if function == 1:
        u8(memory, at, end, row)
        return at + 1
    if function == 104:
        u16le(memory, at, end, row)
        return at + 2
    return end


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
            return read_masked(memory, at, end, row, asked)
        if asked.f != end - at:
            row.anomaly |= BAD_COUNT
        read_values(memory, at, end, row, samples, asked)
        return end
    if function in (0, 1, 103, 104):
        return read_plc5(memory, at, end, function, row, asked)
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
def read_request(memory: Any, at: int, end: int, command: int, row: Any, samples: Any, asked: Any) -> int:
    """The data of a command; returns their end."""
    asked.b = -1
    if command in (0, 1, 2, 4, 5, 8):
        first = u16le(memory, at, end, row)
        if row.short == 0:
            row.space, row.first, row.last = PHYSICAL, first, first
        if command == 1:
            row.last += 1 if row.short else max(u8(memory, at + 2, end, row), 1) - 1
            return at + 3
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
    elif command == EXTENDED_COMMAND and function in (161, 162):
        if asked.d >= 0 and asked.f != end - at:
            row.anomaly |= BAD_COUNT
        read_values(memory, at, end, row, samples, asked)


@kernel
def read_header(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """Command, status and transaction code; then data."""
    at, end = message.offset, message.offset + message.length
    first, status, transaction = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16le(memory, at + 2, end, row)
    if row.short:
        return
    command, at, done = first & 0x0F, at + 4, end
    row.code = (command + 1) << 40
    if (first >> 6 & 1) != (1 if row.role == RESPONSE else 0):
        row.anomaly |= WRONG_DIRECTION
    asked = contexts[context(contexts, joints, ASKED, message.connection, message.transaction & OPEN - 1, message.clock)]
    if row.role == REQUEST:
        asked.fresh, asked.a, asked.c, asked.d, asked.g, asked.i, asked.h = 0, command, transaction, -1, -1, message.clock, message.transaction
        if status:
            row.anomaly |= BAD_VALUE
        done = read_request(memory, at, end, command, row, samples, asked)
    else:
        if status:
            row.outcome, row.error = FAILURE, status
            if status == 0xF0:
                extended = u8(memory, at, end, row)
                row.error = extended << 8 | status if row.short == 0 and extended > 0 else status
        known = asked.fresh == 0 and asked.h == message.transaction and message.clock - asked.i < MEMORY
        if known and (asked.a != command or asked.c != transaction):
            row.anomaly |= TRANSACTION_MISMATCH
        elif known:
            read_reply(memory, at, end, command, row, samples, asked)
    if row.short == 0 and done < end:
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
            row.short = 1
        else:
            read_header(memory, message, row, samples, contexts, joints)
        if row.short:
            row.anomaly |= SHORT
        if message.marks & CUT:
            row.anomaly = 0
        sampled += row.samples
        used += 1
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
    """`N7:0`, `B3:0/1`, `T4:0.ACC`, or the first and last of several."""
    if space == "bit":
        return f"{place(first >> 4)}/{first & 15}"
    if space not in ("data_file", "address"):
        return None
    return place(first) if first == last else f"{place(first)}–{place(last)}"


PCCC: Final = Protocol(
    name="pccc",
    title="PCCC (DF1) over CIP",
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
    operations_each=1,
    samples_each=SAMPLES,
)  # fmt: skip
