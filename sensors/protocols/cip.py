"""Common Industrial Protocol over EtherNet/IP: ODVA Vol 1 (services, paths, connection manager), Rockwell 1756-PM020 (tags, symbol and template objects).

One row a service: those of a multiple service packet have one each, numbered by `part`; what an unconnected send wraps stands in its place, with the last port
of its route as unit. Objects are class << 36 | instance << 16 | attribute, 0: none. A tag is known by its name; a single index at its end is the address,
others stand in the name. Replies tell no path: what was asked is remembered (`sensors.codes.cipservices`). Class 0: not told. Structures and types without
a size are opaque. A file is its instance, with its name where one was told on the connection.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.carriers import tell_apart
from sensors.codes.cip import (
    ANOMALIES,
    BAD_COUNT,
    CLASS_NAMES,
    CONNECTION_MANAGER,
    CONNECTION_MISMATCH,
    ERRORS,
    EXECUTE,
    EXECUTE_DHP,
    FILE,
    FIRMWARE,
    FORWARD_CLOSE,
    FORWARD_OPEN,
    FUNCTIONS,
    GET_ALL,
    GET_LIST,
    GET_SINGLE,
    IDENTITY,
    LARGE_FORWARD_OPEN,
    MEMORY,
    MODIFY_TAG,
    NESTED,
    PACKET,
    PCCC,
    QUANTITY_MISMATCH,
    READ_FRAGMENT,
    READ_TAG,
    RESET,
    SERVICE_MISMATCH,
    SET_SINGLE,
    SHORT,
    SYMBOL,
    TOO_MANY,
    TRAILING_BYTES,
    TRANSFER,
    UNCONNECTED_SEND,
    UPDATE,
    WRITE_FRAGMENT,
    WRITE_TAG,
    WRONG_DIRECTION,
    fact,
    unnamed,
)  # fmt: skip
from sensors.codes.cipfiles import is_transfer, read_file_reply, read_file_request, read_firmware_reply, read_firmware_request
from sensors.codes.cippccc import is_on_highway, read_data_highway, read_pccc
from sensors.codes.cipservices import ask, asked_of, begin_asked, default_class, is_known, read_status, set_code, unwrap
from sensors.codes.cipvalues import read_identity_attribute, read_identity_list, read_plain, read_run, read_tag_reply, read_tag_request
from sensors.codes.connections import connection_number, read_forward_close, read_forward_open
from sensors.codes.epath import (
    ADDRESSES,
    ATTRIBUTES,
    CLASS_BITS,
    FACTS,
    INSTANCE_BITS,
    INSTANCES,
    OCTETS_EACH,
    SPACES,
)  # fmt: skip
from sensors.engine.dissecting import most_rows, open_row
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16le, u32le
from sensors.engine.tables import BROKEN, CUT, FAILURE, RESPONSE, U32LE
from sensors.protocol import BY_PAYLOAD, Framing, Protocol
from sensors.protocols.enip import CIP as SELECTOR
from sensors.protocols.enip import read_identity

PARTS: Final = 256  # services of a packet that are told
SAMPLES: Final = 256
MOST_WRAPS: Final = 8  # unconnected sends around a service that are looked through
UNKNOWN: Final = NUMBER["unknown"]


@kernel
def read_body(memory: Any, at: int, end: int, message: Any, row: Any, samples: Any, asked: Any, contexts: Any, joints: Any) -> int:
    """The data of a request; returns their end."""
    service, kind = asked.a, asked.b
    if kind == SYMBOL and service in (READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT):
        return read_tag_request(memory, at, end, row, samples, asked, joints)
    if kind == CONNECTION_MANAGER:
        if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN):
            return read_forward_open(memory, at, end, row, asked, joints, service == LARGE_FORWARD_OPEN)
        if service == FORWARD_CLOSE:
            return read_forward_close(memory, at, end, row, asked, joints)
    elif kind == PCCC and service == EXECUTE:
        return read_pccc(memory, at, end, row)
    elif kind == PCCC and service == EXECUTE_DHP:
        read_data_highway(memory, at, end, row)
        asked.h = row.unit
    elif kind == FILE and is_transfer(service):
        return read_file_request(memory, at, end, message, row, asked, contexts, joints)
    elif kind == FIRMWARE and service in (UPDATE, TRANSFER):
        read_firmware_request(memory, at, end, row, asked)
    elif kind == MEMORY and service == READ_TAG:
        first, count = u32le(memory, at, end, row), u16le(memory, at + 4, end, row)
        row.space, row.first, row.last = -1, -1, -1
        if row.short == 0:
            asked.g, asked.e, asked.f = ADDRESSES, first, max(count, 1)
            row.space, row.first, row.last = ADDRESSES, first, first + 4 * asked.f - 1
        return at + 6
    elif service == SET_SINGLE:
        read_plain(memory, at, end, row, samples, asked)
    elif service == RESET and at < end:
        row.value = u8(memory, at, end, row)
    return end


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
    asked = contexts[asked_of(message, part, contexts, joints)]
    known = is_known(asked, message)
    if known and service != asked.a:
        if service == UNCONNECTED_SEND and row.outcome == FAILURE:
            service = asked.a  # a router on the way answers
        else:
            row.anomaly |= SERVICE_MISMATCH
            known = False
    kind = max(asked.b, 0) if known else default_class(service, row.outcome == FAILURE, end - at)
    if known or message.marks & CUT == 0:
        set_code(row, service, kind)
    if known:
        row.unit = asked.h
    if row.outcome == FAILURE or at >= end:
        return
    if kind == SYMBOL and service in (READ_TAG, READ_FRAGMENT):
        read_tag_reply(memory, at, end, row, samples, asked, known, status, asked.k if service == READ_FRAGMENT and known else 0)
    elif kind == PCCC and service == EXECUTE:
        read_pccc(memory, at, end, row)
    elif kind == PCCC and service == EXECUTE_DHP and known:
        read_data_highway(memory, at, end, row)
    elif known:
        read_known(memory, at, end, service, kind, row, samples, asked)


@kernel
def read_known(memory: Any, at: int, end: int, service: int, kind: int, row: Any, samples: Any, asked: Any) -> None:
    """The data of a reply that mean something only with its request."""
    if kind == CONNECTION_MANAGER:
        if service in (FORWARD_OPEN, LARGE_FORWARD_OPEN, FORWARD_CLOSE):
            place = at if service == FORWARD_CLOSE else at + 8
            if connection_number(memory, place, end, row) != asked.e and row.short == 0:
                row.anomaly |= CONNECTION_MISMATCH
    elif kind == IDENTITY and asked.c == 1 and service in (GET_ALL, GET_LIST, GET_SINGLE):
        if service == GET_ALL:
            octets = u8(memory, at + 14, end, row)
            read_identity(memory, at, end, row, samples, FACTS, at + 15 + octets < end)
        elif service == GET_LIST:
            read_identity_list(memory, at, end, row, samples)
        else:
            read_identity_attribute(memory, at, end, asked.d, row, samples)
    elif kind == FILE and is_transfer(service):
        read_file_reply(memory, at, end, service, row, asked)
    elif kind == FIRMWARE and service == TRANSFER:
        read_firmware_reply(memory, at, end, row, asked)
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
def ask_through(memory: Any, at: int, end: int, index: int, message: Any, part: int, row: Any, asked: Any, sampled: int, joints: Any) -> tuple[int, int]:
    """Service and path of a request, or of the one that unconnected sends carry; returns where its data begin, and end."""
    data = ask(memory, at, end, row, asked, joints)
    for _ in range(MOST_WRAPS):
        if row.short or asked.a != UNCONNECTED_SEND or asked.b != CONNECTION_MANAGER:
            break
        at, end = unwrap(memory, data, end, row, asked)
        bad, unit = row.anomaly, asked.h
        if row.short and message.marks & CUT == 0:
            break
        open_row(row, index, message, sampled)
        row.part, row.unit, row.anomaly = part, unit, bad
        data = ask(memory, at, end, row, asked, joints)
    return data, end


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
    for part in range(min(count, PARTS, most_rows(message.length))):
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
            data, stop = ask_through(memory, place, stop, index, message, part, row, asked, sampled, joints)
            if row.short == 0 and asked.a == PACKET:
                row.effect = UNKNOWN  # whatever it does
                row.anomaly |= NESTED
            elif row.short == 0:
                done = read_body(memory, data, stop, message, row, samples, asked, contexts, joints)
            asked.j, asked.l = count, message.transaction
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
    for part in range(min(count, PARTS, most_rows(message.length))):
        row = operations[used]
        open_row(row, index, message, sampled)
        asked = contexts[asked_of(message, part, contexts, joints)]
        if is_known(asked, message):
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
    data, end = ask_through(memory, at, end, index, message, 0, row, asked, sampled, joints)
    done = end
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
        done = read_body(memory, data, end, message, row, samples, asked, contexts, joints)
    elif message.marks & CUT and row.code >> 40 in (PACKET + 1, UNCONNECTED_SEND + 1):
        row.code, row.effect = 0, -1
    asked.l = message.transaction
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
        asked = contexts[asked_of(message, 0, contexts, joints)]
        known = is_known(asked, message)
        count, unit = (int(asked.j), int(asked.h)) if known else (0, int(message.unit))
        row.unit = unit
        if row.short == 0 and row.outcome == FAILURE and data >= end and count > 0:
            return fail_parts(index, message, count, operations, used, sampled, contexts, joints), sampled
        if row.short == 0 and (row.outcome != FAILURE or data < end):
            after, sampled_after = read_parts(memory, data, end, index, message, unit, operations, used, samples, sampled, contexts, joints)
            if after > used:
                return after, sampled_after
        if message.marks & CUT == 0:
            set_code(row, PACKET, 2)
    else:
        read_reply(memory, at, end, message, 0, row, samples, contexts, joints)
    close_row(row, message, end, end)
    return used + 1, sampled + row.samples


@kernel
def read_highway(memory: Any, message: Any, row: Any) -> None:
    """PCCC on a connection to Data Highway Plus: no service stands before it."""
    end = message.offset + message.length
    set_code(row, EXECUTE_DHP, PCCC)
    row.unit = u8(memory, message.offset + 6, end, row) if row.role == RESPONSE else row.unit
    close_row(row, message, read_data_highway(memory, message.offset, end, row), end)


@entry
def dissect(
    memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> tuple[int, int]:  # fmt: skip
    """Append the operations and values of the messages with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message, row, base = messages[index], operations[used], used
        open_row(row, index, message, sampled)
        if message.marks & BROKEN or message.length == 0:
            row.anomaly = SHORT if message.marks & CUT == 0 else 0
            used += 1
        elif is_on_highway(message.transaction):
            read_highway(memory, message, row)
            used += 1
        elif row.role == RESPONSE:
            used, sampled = read_replies(memory, index, message, operations, used, samples, sampled, contexts, joints)
        else:
            used, sampled = read_requests(memory, index, message, operations, used, samples, sampled, contexts, joints)
        used = tell_apart(operations, base, used, min(PARTS, most_rows(message.length)), index, message, sampled)
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
    unnamed=unnamed,
    label=label,
    identity={("identity", 1): "vendor", ("identity", 2): "role", ("identity", 4): "firmware", ("identity", 6): "serial", ("identity", 7): "model"},
    fact=lambda _, first, value: fact(first, value),
    operations_each=PARTS,
    samples_each=SAMPLES,
)  # fmt: skip
