"""Modbus: MODBUS Application Protocol Specification V1.1b3, MODBUS Messaging on TCP/IP Implementation Guide V1.0b, MODBUS over Serial Line V1.02.

One row a message; function 23 gives two (what is written, what is read). A file record is numbered file * 100000 + record; a message on several file
records spans them all, `distinct` counts them. Addresses are as on the wire. Of one message at most SAMPLES runs of values are kept.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from records.effects import NUMBER
from sensors.engine.dissecting import NOTHING, add_run, open_row, sub_code
from sensors.engine.framing import crc16
from sensors.engine.octets import borrow, entry, inline, kernel, plain, u8, u16be, u16le
from sensors.engine.tables import BIT, BROKEN, CUT, FAILURE, REQUEST, RESPONSE, TEXT, U16BE, VALUE, table
from sensors.protocol import BY_SEGMENT, Framing, Function, Protocol
from sensors.protocol import u16be as length_u16be

# fmt: off
FUNCTIONS: Final = {
    "1": Function("read_coils", "value.read"),
    "2": Function("read_discrete_inputs", "value.read"),
    "3": Function("read_holding_registers", "value.read"),
    "4": Function("read_input_registers", "value.read"),
    "5": Function("write_single_coil", "output.operate"),
    "6": Function("write_single_register", "value.write"),
    "7": Function("read_exception_status", "diagnostics.read"),
    "8": Function("diagnostics", "diagnostics.read"),                      # an exception that lost its request
    "8/0": Function("return_query_data", "test"),
    "8/1": Function("restart_communications", "cpu.reset"),
    "8/2": Function("return_diagnostic_register", "diagnostics.read"),
    "8/3": Function("change_ascii_delimiter", "configuration.write"),
    "8/4": Function("force_listen_only_mode", "restriction.listen_only"),
    "8/10": Function("clear_counters_and_diagnostic_register", "diagnostics.reset"),
    "8/11": Function("return_bus_message_count", "diagnostics.read"),
    "8/12": Function("return_bus_communication_error_count", "diagnostics.read"),
    "8/13": Function("return_bus_exception_error_count", "diagnostics.read"),
    "8/14": Function("return_server_message_count", "diagnostics.read"),
    "8/15": Function("return_server_no_response_count", "diagnostics.read"),
    "8/16": Function("return_server_nak_count", "diagnostics.read"),
    "8/17": Function("return_server_busy_count", "diagnostics.read"),
    "8/18": Function("return_bus_character_overrun_count", "diagnostics.read"),
    "8/20": Function("clear_overrun_counter_and_flag", "diagnostics.reset"),
    "11": Function("get_comm_event_counter", "diagnostics.read"),
    "12": Function("get_comm_event_log", "diagnostics.read"),
    "15": Function("write_multiple_coils", "output.operate"),
    "16": Function("write_multiple_registers", "value.write"),
    "17": Function("report_server_id", "identity.read"),
    "20": Function("read_file_record", "file.read"),
    "21": Function("write_file_record", "file.write"),
    "22": Function("mask_write_register", "value.write"),
    "23": Function("read_write_multiple_registers", "value.read"),         # its write part says so in its row
    "24": Function("read_fifo_queue", "value.read"),
    "43": Function("encapsulated_interface_transport", "unknown"),         # an exception that lost its request
    "43/13": Function("canopen_general_reference", "unknown"),
    "43/14": Function("read_device_identification", "identity.read"),
    "90": Function("unity", "unknown"),
}
ERRORS: Final = {
    1: "illegal_function", 2: "illegal_data_address", 3: "illegal_data_value", 4: "server_device_failure", 5: "acknowledge", 6: "server_device_busy",
    7: "negative_acknowledge", 8: "memory_parity_error", 10: "gateway_path_unavailable", 11: "gateway_target_failed",
}
ANOMALIES: Final = (
    "wrong_protocol_id", "bad_length", "short", "trailing_bytes", "bad_count", "byte_count_mismatch", "bad_value", "bad_crc",    # of one message, set here
    "quantity_mismatch", "echo_mismatch", "function_mismatch", "unit_mismatch", "reused_transaction", "unsolicited", "late_response",    # set by pairing
)
WRONG_PROTOCOL_ID, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_COUNT, BYTE_COUNT_MISMATCH, BAD_VALUE, BAD_CRC = (1 << bit for bit in range(8))

SPACES: Final = ("coil", "discrete_input", "input_register", "holding_register", "file", "fifo", "diagnostic", "identity", "server_id")
COIL, DISCRETE, INPUT, HOLDING, FILE, FIFO, DIAGNOSTIC, IDENTITY, SERVER_ID = range(9)
FILES: Final = 100_000
REFERENCE: Final = {"coil": 1, "discrete_input": 10001, "input_register": 30001, "holding_register": 40001, "file": -FILES}

# How the body of a message is laid out; what follows it is trailing.
OPAQUE: Final = 0           # not described: to the end of the message
EMPTY: Final = 1
RANGE: Final = 2            # address, quantity
VALUES: Final = 3           # octet count, values
POINT: Final = 4            # address, value
BLOCK: Final = 5            # address, quantity, octet count, values
MASK: Final = 6             # address, and mask, or mask
BOTH: Final = 7             # address and quantity to read, then a block to write; answered with values
QUEUE: Final = 8            # address
QUEUED: Final = 9           # octet count (16 bits), quantity, values
SUBREADS: Final = 10        # octet count, then type, file, record, quantity of each record
SUBWRITES: Final = 11       # the same, each with its values
SUBANSWERS: Final = 12      # octet count, then octet count, type, values of each record
STATUS: Final = 13          # one octet
COUNTER: Final = 14         # status, count
COUNTED: Final = 15         # octet count, octets
TEST: Final = 16            # sub-function, data
TUNNEL: Final = 17          # MEI type and what it defines

_FORMS: Final = (
    # code, request, answer, space, bits a value, most values
    (1, RANGE, VALUES, COIL, 1, 2000),
    (2, RANGE, VALUES, DISCRETE, 1, 2000),
    (3, RANGE, VALUES, HOLDING, 16, 125),
    (4, RANGE, VALUES, INPUT, 16, 125),
    (5, POINT, POINT, COIL, 1, 1),
    (6, POINT, POINT, HOLDING, 16, 1),
    (7, EMPTY, STATUS, -1, 0, 0),
    (8, TEST, TEST, DIAGNOSTIC, 0, 0),
    (11, EMPTY, COUNTER, -1, 0, 0),
    (12, EMPTY, COUNTED, -1, 0, 0),
    (15, BLOCK, RANGE, COIL, 1, 1968),
    (16, BLOCK, RANGE, HOLDING, 16, 123),
    (17, EMPTY, COUNTED, SERVER_ID, 8, 0),
    (20, SUBREADS, SUBANSWERS, FILE, 16, 0),
    (21, SUBWRITES, SUBWRITES, FILE, 16, 0),
    (22, MASK, MASK, HOLDING, 16, 1),
    (23, BOTH, BOTH, HOLDING, 16, 125),
    (24, QUEUE, QUEUED, FIFO, 16, 31),
    (43, TUNNEL, TUNNEL, IDENTITY, 0, 0),
)
# fmt: on
_forms: Final = table(256, np.dtype([(name, "i8") for name in ("request", "answer", "space", "bits", "most")]))
_forms.space = -1
for _form in _FORMS:
    _forms[_form[0]] = _form[1:]
FORMS: Final = plain(_forms)


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
RESTART, DELIMITER, LAST_COUNTER, LAST_TEST = 1, 3, 18, 20  # sub-functions of function 8
MOST_WRITTEN_WITH_READ: Final = 121
SAMPLES: Final = 8
VALUE_WRITE: Final = NUMBER["value.write"]
READ_IDENTIFICATION, ONE_OBJECT = 14, 4
FILE_TYPE: Final = 6


@kernel
def add_sample(row: Any, samples: Any, first: int, count: int, offset: int, octets: int, encoding: int, value: float) -> None:
    """One run of values, in the address space of its operation."""
    if row.samples >= SAMPLES:
        return
    sample = add_run(row, samples, row.space, first, count, offset, octets, encoding, 0)
    sample.value = value


@kernel
def add_values(memory: Any, at: int, end: int, row: Any, samples: Any, first: int, octets: int, bits: int, limit: int) -> int:
    """The values in `octets` octets at `at`, at most `limit` of them and none past the end; returns where they were to end."""
    there = min(octets, max(end - at, 0))
    if there < octets:
        row.short = 1
    count = min(there * 8 // bits, limit)
    if count > 0:
        add_sample(row, samples, first, count, at, (count * bits + 7) // 8, BIT if bits == 1 else U16BE, NOTHING)
        if count == 1:
            row.value = u8(memory, at, end, row) & 1 if bits == 1 else u16be(memory, at, end, row)
    return at + octets


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
def read_records(memory: Any, at: int, end: int, row: Any, samples: Any, written: bool) -> int:
    """File records to read, or to write with their values; the answer to a write repeats it."""
    octets = u8(memory, at, end, row)
    at += 1
    stop = at + octets
    row.distinct = 0
    while at < stop and row.short == 0:
        kind = u8(memory, at, end, row)
        first = u16be(memory, at + 1, end, row) * FILES + u16be(memory, at + 3, end, row)
        quantity = u16be(memory, at + 5, end, row)
        if row.short:
            break
        if kind != FILE_TYPE:
            row.anomaly |= BAD_VALUE
        row.distinct += 1
        row.first = first if row.first < 0 else min(row.first, first)
        row.last = max(row.last, first + max(quantity, 1) - 1)
        at += 7
        if written and row.role == REQUEST:
            at = add_values(memory, at, end, row, samples, first, 2 * quantity, 16, quantity)
        elif written:
            at += 2 * quantity
    row.distinct = max(row.distinct, 1)
    if row.distinct > 1:
        row.value = NOTHING
    if octets == 0 and row.short == 0:
        row.anomaly |= BAD_COUNT
    if at != stop and row.short == 0:
        row.anomaly |= BYTE_COUNT_MISMATCH
    if at > end:
        row.short = 1
    return at


@kernel
def read_record_answers(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """Values of file records. Whose they are is known where there is one record: then the request tells."""
    stop = at + 1 + u8(memory, at, end, row)
    at += 1
    row.distinct = 0
    while at < stop and row.short == 0:
        octets = u8(memory, at, end, row)
        kind = u8(memory, at + 1, end, row)
        if row.short:
            break
        if kind != FILE_TYPE:
            row.anomaly |= BAD_VALUE
        if octets & 1 == 0:
            row.anomaly |= BYTE_COUNT_MISMATCH
        row.distinct += 1
        at = add_values(memory, at + 2, end, row, samples, -1, max(octets - 1, 0), 16, 127)
    row.distinct = max(row.distinct, 1)
    if row.distinct > 1:
        row.samples, row.value = 0, NOTHING
    if at != stop and row.short == 0:
        row.anomaly |= BYTE_COUNT_MISMATCH
    return at


@kernel
def read_test(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """A diagnostic sub-function and its data: one word, any number of them for the echo."""
    second = u16be(memory, at, end, row)
    if row.short:
        return end
    sub_code(row, second)
    row.first = row.last = second
    value = u16be(memory, at + 2, end, row)
    if row.short:
        return end
    if row.role == RESPONSE:
        if second == 2 or 11 <= second <= LAST_COUNTER:
            row.value = value
            add_sample(row, samples, second, 1, at + 2, 2, VALUE, value)
    elif second in (RESTART, DELIMITER):
        row.value = value
        if second == RESTART and value != 0 and value != 0xFF00:
            row.anomaly |= BAD_VALUE
    elif 0 < second <= LAST_TEST and value:
        row.anomaly |= BAD_VALUE
    return at + 4 if 0 < second <= LAST_TEST else end


@kernel
def read_tunnel(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """An encapsulated interface: device identification is understood, all others are not."""
    interface = u8(memory, at, end, row)
    if row.short:
        return end
    sub_code(row, interface)
    if interface != READ_IDENTIFICATION:
        row.space = -1
        return end
    kind = u8(memory, at + 1, end, row)
    if row.role == REQUEST:
        first = u8(memory, at + 2, end, row)
        if row.short:
            return end
        if kind == ONE_OBJECT:
            row.first = row.last = first
        elif kind < 1 or kind > ONE_OBJECT:
            row.anomaly |= BAD_VALUE
        return at + 3
    objects = u8(memory, at + 5, end, row)
    at += 6
    for _ in range(objects):
        if row.short:
            break
        first, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row)
        at += 2
        if at + octets > end:
            row.short = 1
        elif row.short == 0:
            add_sample(row, samples, first, 1, at, octets, TEXT, NOTHING)
            at += octets
    return at


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
