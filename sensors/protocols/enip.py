"""EtherNet/IP: ODVA Vol 2 (EtherNet/IP Adaptation of CIP), chapter 2: encapsulation, common packet format, and implicit I/O on UDP 2222 (class 0 and 1).

One row a message, and one more for what is wrong with one that carries CIP. What CIP opened under a connection number is remembered
(`sensors.codes.connections`), so that connected messages and I/O data have their unit, transport class and assembly. Values of I/O are octets, numbered
assembly * 65536 + place; sequence counts and run/idle headers are not among them.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.carriers import tell_apart
from sensors.codes.cip import ENCAPSULATED, ENCAPSULATION, fact
from sensors.codes.cippccc import ON_HIGHWAY, is_on_highway, looks_like_highway, transaction_of
from sensors.codes.connections import HIGHWAY, LINK, follow
from sensors.codes.epath import OCTETS_EACH
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_fact, add_run, add_text, add_value, open_row, sub_code
from sensors.engine.octets import borrow, entry, inline, kernel, mix, u8, u16be, u16le, u32le
from sensors.engine.tables import BROKEN, CUT, FAILURE, REPORT, RESPONSE, TOLD, U8, UNANSWERED
from sensors.protocol import Framing, Function, Protocol
from sensors.protocol import u16le as length_u16le

# fmt: off
FUNCTIONS: Final = {
    "0": Function("no_operation", "test"),
    "4": Function("list_services", "discovery.request"),
    "99": Function("list_identity", "discovery.request"),
    "100": Function("list_interfaces", "discovery.request"),
    "101": Function("register_session", "session.open"),
    "102": Function("unregister_session", "session.close"),
    "111": Function("send_rr_data", "unknown"),                  # where no CIP message is in it
    "112": Function("send_unit_data", "unknown"),
    "114": Function("indicate_status", "diagnostics.read"),
    "115": Function("cancel", "test"),
    "32770": Function("implicit_io", "data.exchange"),           # of a connection whose opening was not seen
    "32770/0": Function("implicit_io_class_0", "data.exchange"),
    "32770/1": Function("implicit_io_class_1", "data.exchange"),
}
ERRORS: Final = {**ENCAPSULATED, **{ENCAPSULATION | number: name for number, name in ENCAPSULATED.items()}}
# fmt: on
ANOMALIES: Final = (
    "bad_header",
    "bad_length",
    "short",
    "trailing_bytes",
    "bad_count",
    "bad_value",
    "bad_item",
    "unsolicited",
    "late_response",
)  # fmt: skip
BAD_HEADER, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_COUNT, BAD_VALUE, BAD_ITEM = (1 << bit for bit in range(7))
SPACES: Final = ("session", "identity", "connection", "output_assembly", "input_assembly", "run_mode")
SESSION, IDENTITY, CONNECTION, OUTPUT, INPUT, RUN = range(6)

NOP, LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES, REGISTER, UNREGISTER, SEND_RR, SEND_UNIT, INDICATE, CANCEL = 0, 4, 99, 100, 101, 102, 111, 112, 114, 115
NULL_ITEM, IDENTITY_ITEM, CONNECTED_ADDRESS, CONNECTED_DATA, UNCONNECTED_DATA, SERVICES_ITEM = 0, 12, 0xA1, 0xB1, 0xB2, 0x100
SOCKET_OUT, SEQUENCED = 0x8000, 0x8002
HEADER: Final = 24
MOST: Final = HEADER + 65511
MOST_ITEMS: Final = 8
OPERATIONS: Final = 2  # what a message carries, and what is wrong with it
STREAM: Final = 0
CIP: Final = 1  # selector of what is handed on
WITH_HEADER, WITHOUT_HEADER = 1, 2
ERROR_REPORT: Final = NUMBER["error.report"]
CONNECTED: Final = 1 << 46  # transactions of connected messages
TRANSACTIONS: Final = CONNECTED - 1


@kernel
def read_identity(memory: Any, at: int, end: int, row: Any, samples: Any, space: int, whole: bool) -> int:
    """The attributes of an identity object one after the other: facts of the asset. `whole`: with the state behind them."""
    number, revision, serial = u16le(memory, at, end, row), u16be(memory, at + 6, end, row), u32le(memory, at + 10, end, row)
    kind, product, status = u16le(memory, at + 2, end, row), u16le(memory, at + 4, end, row), u16le(memory, at + 8, end, row)
    octets = u8(memory, at + 14, end, row)
    if at + 15 + octets > end:
        row.short = 1
    if row.short:
        return end
    add_fact(row, samples, space, 1, number)
    add_fact(row, samples, space, 2, kind)
    add_value(row, samples, space, 3, product)
    add_fact(row, samples, space, 4, revision)
    add_value(row, samples, space, 5, status)
    add_fact(row, samples, space, 6, serial)
    add_text(row, samples, space, 7, at + 15, octets)
    at += 15 + octets
    if not whole:
        return at
    state = u8(memory, at, end, row)
    if row.short == 0:
        add_value(row, samples, space, 8, state)
        row.value = state
    return at + 1


@kernel
def read_connected(memory: Any, at: int, end: int, message: Any, row: Any, link: int, contexts: Any, joints: Any) -> int:
    """The sequence count of a connected message: with its connection it is the transaction. Of PCCC, that is its own."""
    sequence = u16le(memory, at, end, row)
    if row.short == 0:
        row.transaction = CONNECTED | sequence
        if link >= 0:
            known = contexts[context(contexts, joints, LINK, message.speaker, link, message.clock)]
            if known.fresh:  # some answer under the number of the asking side
                known = contexts[context(contexts, joints, LINK, message.hearer, link, message.clock)]
            if known.b & HIGHWAY if known.a > 0 else looks_like_highway(memory, at + 2, end, row):
                row.transaction = CONNECTED | ON_HIGHWAY | transaction_of(memory, at + 2, end, row)
            row.transaction |= known.a << 16
            row.unit = known.e if known.a > 0 else -1
    return at + 2


@kernel
def read_item(memory: Any, at: int, end: int, kind: int, row: Any, samples: Any) -> int:
    """An item of a list: what a device is, or a service that it offers; returns its end."""
    if kind == IDENTITY_ITEM:
        version = u16le(memory, at, end, row)
        if row.short == 0 and version != 1:
            row.anomaly |= BAD_VALUE
        return read_identity(memory, at + 18, end, row, samples, IDENTITY, True)
    if kind == SERVICES_ITEM:
        capabilities = u16le(memory, at + 2, end, row)
        if at + 20 > end:
            row.short = 1
        if row.short == 0:
            row.value = capabilities
        return at + 20
    return end


@kernel
def read_items(memory: Any, at: int, end: int, command: int, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> int:
    """The items of the common packet format; a CIP message in them is handed on."""
    count = u16le(memory, at, end, row)
    at += 2
    link = -1
    if row.short == 0 and count > MOST_ITEMS:
        row.anomaly |= BAD_COUNT
    for _ in range(min(count, MOST_ITEMS)):
        kind, octets = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
        at += 4
        if row.short:
            break
        if at + octets > end:
            row.short = 1
        stop = min(at + octets, end)
        if kind == CONNECTED_ADDRESS:
            link = u32le(memory, at, stop, row)
        elif kind in (CONNECTED_DATA, UNCONNECTED_DATA) and command in (SEND_RR, SEND_UNIT):
            place = read_connected(memory, at, stop, message, row, link, contexts, joints) if kind == CONNECTED_DATA else at
            if place < stop:
                row.payload, row.payload_length, row.selector = place, stop - place, CIP
                if not is_on_highway(row.transaction):
                    follow(memory, place, stop, message, row, contexts, joints)
        elif kind in (IDENTITY_ITEM, SERVICES_ITEM):
            if read_item(memory, at, stop, kind, row, samples) != stop and row.short == 0:
                row.anomaly |= BAD_ITEM
        elif kind != NULL_ITEM and not SOCKET_OUT <= kind <= SEQUENCED:
            row.anomaly |= BAD_ITEM
        at += octets
        if row.short:
            break
    if row.short == 0 and command in (SEND_RR, SEND_UNIT) and row.payload < 0:
        row.anomaly |= BAD_ITEM if count else BAD_COUNT
    return at


@kernel
def read_command(memory: Any, at: int, end: int, command: int, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> int:
    """The data of a command; returns their end."""
    if row.outcome == FAILURE or command in (NOP, INDICATE, CANCEL):
        return end
    if command in (SEND_RR, SEND_UNIT):
        handle = u32le(memory, at, end, row)
        if handle != 0:  # other interfaces than CIP
            return end
        return read_items(memory, at + 6, end, command, message, row, samples, contexts, joints)
    if command == REGISTER:
        version = u16le(memory, at, end, row)
        if row.short == 0 and version != 1:
            row.anomaly |= BAD_VALUE
        if at + 4 > end:
            row.short = 1
        return at + 4
    if command in (LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES) and row.role == RESPONSE:
        return read_items(memory, at, end, command, message, row, samples, contexts, joints)
    return end if command not in (LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES, UNREGISTER) else at


@kernel
def read_stream(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """A message of the encapsulation protocol."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    command, octets = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    session, status = u32le(memory, at + 4, end, row), u32le(memory, at + 8, end, row)
    if row.short:
        return
    row.code = (command + 1) << 40
    if whole and octets + HEADER != message.length:
        row.anomaly |= BAD_LENGTH
    low, high, options = u32le(memory, at + 12, end, row), u32le(memory, at + 16, end, row), u32le(memory, at + 20, end, row)
    if row.short:
        return
    if options != 0:
        row.anomaly |= BAD_VALUE
    if command not in (NOP, UNREGISTER, SEND_UNIT):
        row.transaction = mix(mix(low, high), command) & TRANSACTIONS
    if row.role == RESPONSE and status != 0:
        row.outcome, row.error = FAILURE, status
        if command in (SEND_RR, SEND_UNIT):  # it answers to a CIP message, whose errors have numbers of their own
            row.error = ENCAPSULATION | status & ENCAPSULATION - 1
        if command == SEND_UNIT:  # and does not say to which
            row.role, row.effect = REPORT, ERROR_REPORT
    elif status != 0:
        row.anomaly |= BAD_VALUE
    if command in (REGISTER, UNREGISTER) and session != 0:
        row.space, row.first, row.last = SESSION, session, session
    done = read_command(memory, at + HEADER, end, command, message, row, samples, contexts, joints)
    if row.short == 0 and done < end:
        row.anomaly |= TRAILING_BYTES


@kernel
def begins_with_header(memory: Any, at: int, end: int, known: Any, row: Any) -> bool:
    """Have the data of this connection a run/idle header? Those to the target mostly do (its upper 30 bits are zero); the first ones decide."""
    if known.f == 0:
        first = u32le(memory, at, end, row) if known.c == 0 and end - at >= 4 else 4
        known.f = WITH_HEADER if first < 4 else WITHOUT_HEADER
    return known.f == WITH_HEADER and end - at >= 4


@kernel
def read_data(memory: Any, at: int, end: int, known: Any, cut: bool, row: Any, samples: Any) -> None:
    """The data of an I/O connection whose opening was seen: the octets of an assembly."""
    sub_code(row, known.b)
    row.unit = known.e
    if known.b == 1:
        at += 2
    if at > end:
        row.short = 1
        return
    first = known.d * OCTETS_EACH
    row.space = INPUT if known.c else OUTPUT
    if not cut and begins_with_header(memory, at, end, known, row):
        if known.d >= 0:
            add_value(row, samples, RUN, known.d, u32le(memory, at, end, row) & 1)
        at += 4
    if known.d < 0:
        row.space = -1
        return
    count = end - at
    row.first, row.last = first, first + max(count, 1) - 1
    if count > 0 and not cut:
        add_run(row, samples, row.space, first, count, at, count, U8, 0)


@kernel
def read_io(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """A datagram of implicit I/O: nobody asked. A sequenced address, and data."""
    at, end, cut = message.offset, message.offset + message.length, message.marks & CUT != 0
    row.role, row.outcome = REPORT if message.side else TOLD, UNANSWERED
    count, kind, octets = u16le(memory, at, end, row), u16le(memory, at + 2, end, row), u16le(memory, at + 4, end, row)
    link = u32le(memory, at + 6, end, row)
    if row.short:
        return
    row.code = (SEQUENCED + 1) << 40
    if count < 2 or octets != 8 or kind != SEQUENCED:
        row.anomaly |= BAD_ITEM
        return
    row.space, row.first, row.last = CONNECTION, link, link
    kind, octets = u16le(memory, at + 14, end, row), u16le(memory, at + 16, end, row)
    if row.short:
        return
    if kind != CONNECTED_DATA:
        row.anomaly |= BAD_ITEM
        return
    at += 18
    if at + octets > end:
        row.short = 1
    elif at + octets < end and not cut and count == 2:
        row.anomaly |= TRAILING_BYTES
    known = contexts[context(contexts, joints, LINK, message.speaker, link, message.clock)]
    if known.a > 0 and known.b < 2 and row.short == 0:
        row.askers = 0 if (known.c == 1) == (message.side == 1) else 1  # the assemblies are the target's, whichever side was heard first
        read_data(memory, at, at + octets, known, cut, row, samples)


@inline
def read_broken(message: Any, row: Any) -> None:
    """Octets that the framing does not fit."""
    row.anomaly = BAD_HEADER if message.framing == STREAM else BAD_ITEM


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
            read_broken(message, row)
        elif message.framing == STREAM:
            read_stream(memory, message, row, samples, contexts, joints)
        else:
            read_io(memory, message, row, samples, contexts, joints)
        if row.short:
            row.anomaly |= SHORT
            if message.marks & CUT == 0:  # said here, and not by what would stand in its place
                row.payload, row.payload_length, row.selector = -1, 0, -1
        if message.marks & CUT:
            row.anomaly = 0
        sampled += row.samples
        used = tell_apart(operations, used, used + 1, OPERATIONS, index, message, sampled)
    return used, sampled


def label(space: str, first: int, last: int) -> str | None:
    """Octets of an assembly as `assembly 101[0..7]`."""
    if not space.endswith("_assembly"):
        return None
    assembly, place = divmod(first, OCTETS_EACH)
    return f"assembly {assembly}[{place}]" if first == last else f"assembly {assembly}[{place}..{last % OCTETS_EACH}]"


ENIP: Final = Protocol(
    name="enip",
    title="EtherNet/IP",
    spec="ODVA: The CIP Networks Library Volume 2, EtherNet/IP Adaptation of CIP, edition 1.30",
    framings=(
        Framing(
            header=HEADER, length=length_u16le(2), add=HEADER, magic=(20, 0, 0xFFFF), least=HEADER, most=MOST, code_at=0,
            known=frozenset((LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES, REGISTER, UNREGISTER, SEND_RR, SEND_UNIT, INDICATE, CANCEL)),
        ),
        Framing(header=18, length=length_u16le(16), add=18, magic=(2, 0x0280, 0xFFFF), least=18, most=MOST, code_at=0, known=frozenset((2,)), lone=True),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    tcp=(44818,),
    udp=(44818, 2222),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    identity={("identity", 1): "vendor", ("identity", 2): "role", ("identity", 4): "firmware", ("identity", 6): "serial", ("identity", 7): "model"},
    fact=lambda _, first, value: fact(first, value),
    operations_each=OPERATIONS,
    samples_each=8,
)  # fmt: skip
