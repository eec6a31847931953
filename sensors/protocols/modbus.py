"""Modbus: MODBUS Application Protocol Specification V1.1b3, MODBUS Messaging on TCP/IP Implementation Guide V1.0b, MODBUS over Serial Line V1.02.

One row a message; function 23 gives two (what is written, what is read). A file record is numbered file * 100000 + record; a message on several file
records spans them all, `distinct` counts them. Addresses are as on the wire. Of one message at most SAMPLES runs of values are kept.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.modbus import (
    ANOMALIES,
    BAD_COUNT,
    BAD_CRC,
    BAD_LENGTH,
    BAD_VALUE,
    BLOCK,
    BOTH,
    BYTE_COUNT_MISMATCH,
    COIL,
    COUNTER,
    EMPTY,
    ERRORS,
    FORMS,
    FUNCTIONS,
    MASK,
    OPAQUE,
    POINT,
    QUEUE,
    QUEUED,
    RANGE,
    REFERENCE,
    SERVER_ID,
    SHORT,
    SPACES,
    STATUS,
    SUBANSWERS,
    SUBREADS,
    SUBWRITES,
    TEST,
    TRAILING_BYTES,
    TUNNEL,
    VALUES,
    WRONG_PROTOCOL_ID,
)
from sensors.codes.modbusdevice import read_record_answers, read_records, read_test, read_tunnel
from sensors.codes.modbusvalues import SAMPLES, add_sample, add_values
from sensors.engine.dissecting import NOTHING, open_row
from sensors.engine.framing import crc16
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be, u16le
from sensors.engine.tables import BROKEN, CUT, FAILURE, REQUEST, RESPONSE, TEXT, VALUE
from sensors.protocol import BY_SEGMENT, Framing, Protocol
from sensors.protocol import u16be as length_u16be

MBAP: Final = 0
LEAST_RTU, MOST_RTU = 4, 256
MOST_MBAP, MOST_UNITY = 260, 1030  # the specification's bound, and that of Schneider's own function, seen in captures
UNITY: Final = 90
_ANSWERED: Final = (5, 2)  # unit, code, octet count, values, CRC
RTU_SHAPES: Final = {
    **dict.fromkeys((1, 2, 3, 4), ((8, -1), _ANSWERED)), **dict.fromkeys((5, 6, 8), ((8, -1),)), 7: ((4, -1), (5, -1)), 11: ((4, -1), (8, -1)),
    12: ((4, -1), _ANSWERED), 15: ((9, 6), (8, -1)), 16: ((9, 6), (8, -1)), 17: ((4, -1), _ANSWERED), 20: (_ANSWERED,), 21: (_ANSWERED,), 22: ((10, -1),),
    23: ((13, 10), _ANSWERED), **{code | 0x80: ((5, -1),) for code in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43)},
}  # fmt: skip
MOST_WRITTEN_WITH_READ: Final = 121
VALUE_WRITE: Final = NUMBER["value.write"]


@inline
def read_range(memory: Any, at: int, end: int, row: Any, most: int) -> int:
    """Address and quantity; returns the quantity."""
    first = u16be(memory, at, end, row)
    quantity = u16be(memory, at + 2, end, row)
    if row.short == 0:
        row.first, row.last = first, first + max(quantity, 1) - 1
        if quantity < 1 or quantity > most or first + quantity > 65536:
            row.anomaly |= BAD_COUNT
    return quantity


@inline
def read_values(memory: Any, at: int, end: int, row: Any, samples: Any, bits: int) -> int:
    """The answer to a read. How many bits of the last octet count only the request knows."""
    octets = u8(memory, at, end, row)
    if octets == 0 and row.short == 0:
        row.anomaly |= BAD_COUNT
    if bits == 16 and octets & 1:
        row.anomaly |= BYTE_COUNT_MISMATCH
    done = add_values(memory, at + 1, end, row, samples, -1, octets, bits, 2040)
    if bits == 1:
        row.value = NOTHING
    return done


@kernel
def read_point(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """One coil or register and its value; the answer repeats the request."""
    first = u16be(memory, at, end, row)
    value = u16be(memory, at + 2, end, row)
    if row.short:
        return end
    row.first, row.last, row.value = first, first, value
    if row.space == COIL:
        row.value = 1 if value else 0
        if value != 0 and value != 0xFF00:
            row.anomaly |= BAD_VALUE
    if row.role == REQUEST:
        add_sample(row, samples, first, 1, at + 2, 2, VALUE, row.value)
    return at + 4


@kernel
def read_block(memory: Any, at: int, end: int, row: Any, samples: Any, bits: int, most: int) -> int:
    """Neighbouring coils or registers and their values."""
    quantity = read_range(memory, at, end, row, most)
    octets = u8(memory, at + 4, end, row)
    if row.short:
        return end
    if octets != (quantity * bits + 7) // 8:
        row.anomaly |= BYTE_COUNT_MISMATCH
    return add_values(memory, at + 5, end, row, samples, row.first, octets, bits, quantity)


@kernel
def read_queue(memory: Any, at: int, end: int, row: Any, samples: Any, most: int) -> int:
    """What stands in a queue of registers."""
    octets = u16be(memory, at, end, row)
    quantity = u16be(memory, at + 2, end, row)
    if row.short:
        return end
    if quantity > most:
        row.anomaly |= BAD_COUNT
    if octets != 2 + 2 * quantity:
        row.anomaly |= BYTE_COUNT_MISMATCH
    return add_values(memory, at + 4, end, row, samples, 0, max(octets - 2, 0), 16, quantity)


@kernel
def read_short(memory: Any, at: int, end: int, row: Any, samples: Any, shape: int) -> int:
    """The bodies of a few octets."""
    if shape == EMPTY:
        return at
    if shape == STATUS:
        value = u8(memory, at, end, row)
        row.value = NOTHING if row.short else value
        return at + 1
    if shape == COUNTER:
        value = u16be(memory, at + 2, end, row)
        row.value = NOTHING if row.short else value
        return at + 4
    if shape in (QUEUE, MASK):
        first = u16be(memory, at, end, row)
        if row.short == 0:
            row.first = row.last = first
        at += 2 if shape == QUEUE else 6
        if at > end:
            row.short = 1
        return at
    octets = u8(memory, at, end, row)  # COUNTED
    if at + 1 + octets > end:
        row.short = 1
    elif row.space == SERVER_ID and octets:
        add_sample(row, samples, 0, 1, at + 1, octets, TEXT, NOTHING)
    return at + 1 + octets


@inline
def read_body(memory: Any, at: int, end: int, code: int, row: Any, read: Any, samples: Any) -> int:
    """What follows the function code, into `row` (function 23: the write) and `read` (function 23: the read, else the same row); returns its end."""
    form = FORMS[code]
    shape = form.request if row.role == REQUEST else form.answer
    row.space = read.space = form.space
    if shape == OPAQUE:
        if row.role == REQUEST and (code == 0 or code > 127):
            row.anomaly |= BAD_VALUE
        return end
    if shape == RANGE:
        read_range(memory, at, end, row, form.most)
        return at + 4
    if shape == VALUES:
        return read_values(memory, at, end, row, samples, form.bits)
    if shape == POINT:
        return read_point(memory, at, end, row, samples)
    if shape == BLOCK:
        return read_block(memory, at, end, row, samples, form.bits, form.most)
    if shape == BOTH:
        if row.role == RESPONSE:
            return read_values(memory, at, end, read, samples, 16)
        read_range(memory, at, end, read, form.most)
        return read_block(memory, at + 4, end, row, samples, 16, MOST_WRITTEN_WITH_READ)
    if shape == QUEUED:
        return read_queue(memory, at, end, row, samples, form.most)
    if shape in (SUBREADS, SUBWRITES):
        return read_records(memory, at, end, row, samples, shape == SUBWRITES)
    if shape == SUBANSWERS:
        return read_record_answers(memory, at, end, row, samples)
    if shape == TEST:
        return read_test(memory, at, end, row, samples)
    if shape == TUNNEL:
        return read_tunnel(memory, at, end, row, samples)
    return read_short(memory, at, end, row, samples, shape)


@inline
def read_header(memory: Any, message: Any, row: Any) -> tuple[int, int]:
    """Unit and transaction; returns where the function code stands and where the message ends."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    if message.framing == MBAP:
        if u16be(memory, at + 2, end, row) != 0:
            row.anomaly |= WRONG_PROTOCOL_ID
        if whole and u16be(memory, at + 4, end, row) + 6 != message.length:
            row.anomaly |= BAD_LENGTH
        unit = u8(memory, at + 6, end, row)
        if row.short == 0:
            row.unit, row.transaction = unit, u16be(memory, at, end, row) << 8 | unit
        return at + 7, end
    unit, code = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    if row.short == 0:
        row.unit = unit
        row.transaction = -1 if unit == 0 else unit << 8 | code & 0x7F  # a broadcast on a serial line is not answered
    if whole and message.length >= LEAST_RTU:
        end -= 2
        if u16le(memory, end, end + 2, row) != crc16(memory, at, end, row):
            row.anomaly |= BAD_CRC
    elif whole:
        row.anomaly |= BAD_CRC
    return at + 1, end


@kernel
def read_broken(memory: Any, message: Any, row: Any) -> None:
    """Octets that the framing does not fit."""
    at, end = message.offset, message.offset + message.length
    if message.framing != MBAP:
        row.anomaly = BAD_CRC
    else:
        row.anomaly = WRONG_PROTOCOL_ID if u16be(memory, at + 2, end, row) else BAD_LENGTH
    row.short = 0


@inline
def read_message(memory: Any, row: Any, read: Any, samples: Any, at: int, end: int, code: int) -> int:
    """Function code and body, or exception; returns its end."""
    row.code = (code + 1) << 40
    if code > 127 and row.role == RESPONSE:
        row.code = (code - 127) << 40
        row.outcome = FAILURE
        row.space = FORMS[code & 0x7F].space
        error = u8(memory, at + 1, end, row)
        if row.short == 0:
            row.error = error
        return at + 2
    if code == UNITY:
        row.payload, row.payload_length, row.selector = at + 1, end - at - 1, UNITY
    return read_body(memory, at + 1, end, code, row, read, samples)


@inline
def close_both(write: Any, read: Any, cut: bool, over: bool) -> None:
    """Finish the row, or both rows of function 23: the anomalies of a message are those of all its rows."""
    write.short = read.short = write.short | read.short
    write.anomaly |= read.anomaly
    if write.short and not cut:
        write.anomaly |= SHORT
    elif over and not cut:
        write.anomaly |= TRAILING_BYTES
    read.anomaly = write.anomaly


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations and values of the messages with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        if message.marks & BROKEN:
            read_broken(memory, message, row)
            used += 1
            continue
        at, end = read_header(memory, message, row)
        code = u8(memory, at, end, row)
        if message.length > MOST_MBAP and code & 0x7F != UNITY:
            row.anomaly |= BAD_LENGTH
        read, done = row, end
        if row.short == 0:
            if code & 0x7F == 23 and (code == 23 or row.role == RESPONSE):
                read = operations[used + 1]
                open_row(read, index, message, sampled)
                row.effect = VALUE_WRITE
            done = read_message(memory, row, read, samples, at, end, code)
        close_both(row, read, message.marks & CUT != 0, done < end)
        sampled += max(row.samples, read.samples)
        used += 1
        if code & 0x7F == 23 and row.effect >= 0:
            read.part = 1
            read.code, read.unit, read.transaction, read.space = row.code, row.unit, row.transaction, row.space
            read.error, read.outcome = row.error, row.outcome
            used += 1
    return used, sampled


MODBUS: Final = Protocol(
    name="modbus",
    title="Modbus/TCP",
    makers={"unity": "Schneider Electric"},
    spec="MODBUS Application Protocol Specification V1.1b3; MODBUS Messaging on TCP/IP Implementation Guide V1.0b",
    framings=(
        Framing(
            header=8, length=length_u16be(4), add=6, magic=(2, 0, 0xFFFF), least=8, most=MOST_UNITY, large=(MOST_MBAP, UNITY, 0x7F), code_at=7,
            known=frozenset(int(path.split("/")[0]) | failed for path in FUNCTIONS for failed in (0, 0x80)),
        ),
        Framing(kind=BY_SEGMENT, least=LEAST_RTU, most=MOST_RTU, code_at=1, known=frozenset(RTU_SHAPES), shapes=RTU_SHAPES),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    tcp=(502,),
    udp=(502,),
    spaces=SPACES,
    reference=REFERENCE,
    anomalies=ANOMALIES,
    errors=ERRORS,
    identity={("identity", 0): "vendor", ("identity", 1): "model", ("identity", 2): "firmware"},
    operations_each=2,
    samples_each=SAMPLES,
)  # fmt: skip
