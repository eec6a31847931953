"""PROFINET DCP: IEC 61158-6-10, discovery and basic configuration. Names and addresses of stations, which whoever is on the link may ask for and set.

One row a message, of a request to set one a block: a name, an IP address, a reset. What is set has its answer beside it, by the transaction (Xid). A request
to identify goes to everybody and is answered by as many as fit it: each answer is a row of its own, told by the device. Who looks for one station by its
name, as a controller does for each of its own when it starts, searches for nothing else: that has a code of its own.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.ipv4 import SPACE, label
from sensors.engine.dissecting import add_text, end_row, open_row, sub_code
from sensors.engine.octets import borrow, entry, kernel, u8, u16be, u32be
from sensors.engine.tables import FAILURE, REPORT, RESPONSE, SUCCESS, TOLD
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import PROVEN, Statement, ip_text, present, words

ANSWERS: Final = (3, 1)  # octet and bit of the service type
GET, SET, IDENTIFY, HELLO = 3, 4, 5, 6
IP, DEVICE, CONTROL = 1, 2, 5  # options
IP_PARAMETER, IP_SUITE = 2, 3  # of IP; the suite has name servers, too
TYPE, NAME, DEVICE_ID, ROLE, ALIAS = 1, 2, 3, 4, 6  # of DEVICE
RESPONSE_BLOCK: Final = 4  # of CONTROL: what became of a block
HEADER: Final = 12
MOST_BLOCKS: Final = 16  # of one message: real ones have two or three
IO_CONTROLLER, SUPERVISOR = 2, 8  # roles
STATION, ADDRESS, MESSAGE = range(3)
REFUSED: Final = 255  # ours: the service is not supported, whatever was asked
FUNCTIONS: Final = {
    "3": Function("dcp_get", "identity.read"),
    "4": Function("dcp_set", "configuration.write"),
    "4/*": Function("dcp_set_other", "configuration.write"),
    "4/1/1": Function("dcp_set_mac", "address.set"),
    "4/1/2": Function("dcp_set_ip", "address.set"),
    "4/1/3": Function("dcp_set_ip_suite", "address.set"),
    "4/2/2": Function("dcp_set_name", "address.set"),
    "4/3/*": Function("dcp_set_dhcp", "address.set"),
    "4/5/1": Function("dcp_set_begin", "session.open"),
    "4/5/2": Function("dcp_set_end", "session.close"),
    "4/5/3": Function("dcp_signal", "test"),
    "4/5/5": Function("dcp_factory_reset", "configuration.write"),
    "4/5/6": Function("dcp_reset_to_factory", "configuration.write"),
    "5": Function("dcp_identify", "discovery.request"),
    "5/1": Function("dcp_identify_answer", "data.exchange"),
    "5/2": Function("dcp_find", "data.exchange"),  # the second number is ours
    "6": Function("dcp_hello", "data.exchange"),
}
ANOMALIES: Final = ("short", "bad_length", "too_many_blocks")
SHORT, BAD_LENGTH, TOO_MANY_BLOCKS = 1, 2, 4
ERRORS: Final = {
    1: "option_not_supported", 2: "suboption_not_supported", 3: "suboption_not_set", 4: "resource_error", 5: "not_possible_here", 6: "in_operation",
    REFUSED: "service_not_supported",
}  # fmt: skip


@kernel
def open_message(row: Any, index: int, message: Any, sampled: int, memory: Any) -> int:
    """Begin a row; returns where the blocks end, or `HEADER` where they are not all there."""
    at, end = message.offset, message.offset + message.length
    open_row(row, index, message, sampled)
    service, answers = u8(memory, at + 2, end, row), u8(memory, at + 3, end, row)
    if row.short:
        return at + HEADER
    row.code = (service + 1) << 40
    last = at + HEADER + u16be(memory, at + 10, end, row)
    if service in (IDENTIFY, HELLO):
        row.role, row.outcome = REPORT if message.side else TOLD, SUCCESS  # nothing is awaited
        if service == IDENTIFY and message.side:
            sub_code(row, 1)
    else:
        row.transaction = u32be(memory, at + 4, end, row)
        if row.role == RESPONSE and answers != 1:
            row.outcome, row.error = FAILURE, REFUSED
    if last > end:
        row.short = 1
    return at + HEADER if last > end else last


@kernel
def read_set(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """One block of a request to set, or of its answer; returns where the next one begins."""
    option, suboption, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16be(memory, at + 2, end, row)
    inside = at + 4
    if row.short:
        return end
    if inside + octets > end or octets < 2:
        row.anomaly |= BAD_LENGTH
        return end
    if row.role == RESPONSE:
        if option != CONTROL or suboption != RESPONSE_BLOCK or octets < 3:
            row.anomaly |= BAD_LENGTH
            return end
        option, suboption, error = u8(memory, inside, end, row), u8(memory, inside + 1, end, row), u8(memory, inside + 2, end, row)
        if error:
            row.outcome, row.error = FAILURE, error
    elif option == DEVICE and suboption == NAME and octets > 2:
        row.space, row.name_at, row.name_octets = STATION, inside + 2, octets - 2
        add_text(row, samples, STATION, 0, inside + 2, octets - 2)
    elif option == IP and suboption in (IP_PARAMETER, IP_SUITE) and octets >= 6:
        row.space = ADDRESS
        row.first = row.last = u32be(memory, inside + 2, end, row)
    row.code |= (option + 1) << 20 | (suboption + 1)
    return inside + octets + (octets & 1)


@kernel
def read_wanted(memory: Any, at: int, end: int, row: Any) -> None:
    """Which station is looked for, where it is one by its name or alias."""
    option, suboption, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16be(memory, at + 2, end, row)
    if row.short:
        return
    if at + 4 + octets > end:
        row.anomaly |= BAD_LENGTH
    elif option == DEVICE and suboption in (NAME, ALIAS) and octets > 0:
        row.space, row.name_at, row.name_octets = STATION, at + 4, octets
        sub_code(row, 2)


@kernel
def read_message(memory: Any, index: int, message: Any, operations: Any, used: int, samples: Any, sampled: int) -> tuple[int, int]:
    """Append the rows of one message; returns the new fill of both tables."""
    row = operations[used]
    at, end = message.offset + HEADER, open_message(row, index, message, sampled, memory)
    service = (row.code >> 40) - 1
    if service == IDENTIFY and message.side == 0 and end > at:
        read_wanted(memory, at, end, row)
    elif end > at and (message.side or service == HELLO) and service != SET:
        add_text(row, samples, MESSAGE, 0, message.offset, end - message.offset)
    count = 0
    while service == SET and at < end and count < MOST_BLOCKS:
        if count > 0:
            sampled += row.samples
            row = operations[used + count]
            open_message(row, index, message, sampled, memory)
            row.part = count
        at = read_set(memory, at, end, row, samples)
        count += 1
        if at < end:
            end_row(row, message, SHORT)
    if service == SET and at < end:
        row.anomaly |= TOO_MANY_BLOCKS
    end_row(row, message, SHORT)
    return used + max(count, 1), sampled + row.samples


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        used, sampled = read_message(memory, index, messages[index], operations, used, samples, sampled)
    return used, sampled


def blocks(octets: bytes) -> dict[tuple[int, int], bytes]:
    """What a device tells, by option and suboption; the two octets before each value say how it came by it."""
    found: dict[tuple[int, int], bytes] = {}
    at = HEADER
    while at + 4 <= len(octets):
        length = int.from_bytes(octets[at + 2 : at + 4])
        found.setdefault((octets[at], octets[at + 1]), octets[at + 6 : at + 4 + length])
        at += 4 + length + (length & 1)
    return found


def tells(octets: bytes) -> tuple[Statement, ...]:
    """The station that speaks: its address, its name, what it is; and the gateway that it has, where that is another host."""
    found = blocks(octets)
    address, identity, role = found.get((IP, IP_PARAMETER), b""), found.get((DEVICE, DEVICE_ID), b""), found.get((DEVICE, ROLE), b"\0")
    told = [("name", words(found.get((DEVICE, NAME), b""))), ("model", words(found.get((DEVICE, TYPE), b"")))]
    if len(identity) >= 4:
        told += [("vendor_id", f"0x{identity[:2].hex()}"), ("device_id", f"0x{identity[2:4].hex()}")]
    if role[:1] and role[0] & (IO_CONTROLLER | SUPERVISOR):
        told.append(("role", "controller" if role[0] & IO_CONTROLLER else "engineering"))
    own, gateway = ip_text(address[:4]), ip_text(address[8:12])
    station = Statement(present(own), tuple((name, value, PROVEN) for name, value in told if value), speaker=True, here=True)
    return (station, Statement((gateway,), (("role", "gateway", PROVEN),))) if gateway and gateway != own else (station,)


DCP: Final = Protocol(
    name="dcp",
    title="PROFINET DCP",
    spec="IEC 61158-6-10",
    framings=(Framing(kind=BY_DATAGRAM, least=HEADER, magic=(0, 0xFEFC, 0xFFFC), code_at=2, known=frozenset({GET, SET, IDENTIFY, HELLO}), answering=ANSWERS),),
    functions=FUNCTIONS,
    dissect=dissect,
    ethertypes=(0x8892,),
    spaces=("station_name", SPACE, "message"),
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    identity={("station_name", 0): "name"},
    tells=tells,
    operations_each=MOST_BLOCKS,
    samples_each=MOST_BLOCKS,
)
