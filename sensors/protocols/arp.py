"""ARP: RFC 826, with the announcements and probes of RFC 5227, for IPv4 on Ethernet. Reverse ARP and other links are not read.

One row a message. Its object is the IPv4 address that is asked for or, in a reply or an announcement (a request for the sender's own address), told. The
sender's MAC address is the frame's; what the message says of it is told by `tells`, so that a message that speaks for another is seen. A request tells its
sender's address, too, and is believed: where that is not what this MAC address told this receiver last, a row of its own tells it (`arp_sender`).
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.ipv4 import SPACE, label
from sensors.engine.contexts import context
from sensors.engine.dissecting import add_text, end_row, open_row, sub_code
from sensors.engine.octets import borrow, entry, kernel, u8, u16be, u32be, u48be
from sensors.engine.tables import SUCCESS, TOLD
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import Statement, ip_text, mac_of, present

REQUEST, REPLY = 1, 2
ANNOUNCEMENT: Final = "1/1"  # a request for the sender's own address (RFC 5227); the second number is ours
SENDER: Final = "1/2"  # that a request tells a new address of its sender: the second number is ours, too
TAG: Final = 0x0806  # of contexts
SENDERS: Final = 1 << 10  # whose last address is known, at most: a flood of them is no flood of contexts
OCTETS: Final = 28
ADDRESS, MESSAGE = 0, 1
FUNCTIONS: Final = {
    str(REQUEST): Function("arp_request", "data.exchange"),
    ANNOUNCEMENT: Function("arp_announcement", "data.exchange"),
    SENDER: Function("arp_sender", "data.exchange"),
    str(REPLY): Function("arp_reply", "data.exchange"),
}
ANOMALIES: Final = ("short", "bad_length")
SHORT, BAD_LENGTH = 1, 2


@kernel
def _is_new(mac: int, address: int, message: Any, contexts: Any, joints: Any) -> bool:
    """Is this another address than that which the MAC address told last to this receiver, as far as that is known? A probe (RFC 5227) tells none."""
    if address == 0:
        return False
    known = contexts[context(contexts, joints, TAG, (message.connection ^ mac) % SENDERS, 0, message.clock)]
    if known.a == mac and known.b == address and known.c == message.connection:
        return False
    known.a, known.b, known.c = mac, address, message.connection
    return True


@kernel
def read_message(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> int:
    """Operation and addresses; hardware and protocol are Ethernet and IPv4, or nothing is told. Returns what a request tells newly of its sender, else -1."""
    at, end = message.offset, message.offset + message.length
    operation = u16be(memory, at + 6, end, row)
    if row.short:
        return -1
    row.code = (operation + 1) << 40
    if u16be(memory, at + 2, end, row) != 0x0800 or u8(memory, at + 4, end, row) != 6 or u8(memory, at + 5, end, row) != 4:
        row.anomaly |= BAD_LENGTH
        return -1
    mac, sender, target = u48be(memory, at + 8, end, row), u32be(memory, at + 14, end, row), u32be(memory, at + 24, end, row)
    if row.short:
        return -1
    row.space = ADDRESS
    row.first = row.last = sender if operation == REPLY else target
    if operation == REQUEST and sender == target:
        sub_code(row, 1)
    add_text(row, samples, MESSAGE, 0, at, OCTETS)
    new = _is_new(mac, sender, message, contexts, joints)
    return sender if new and operation == REQUEST and sender != target else -1


@kernel
def tell_sender(row: Any, index: int, message: Any, sampled: int, sender: int) -> None:
    """The row that tells a sender's address."""
    open_row(row, index, message, sampled)
    row.role, row.outcome, row.part = TOLD, SUCCESS, 1
    row.code = (REQUEST + 1) << 40
    sub_code(row, 2)
    row.space = ADDRESS
    row.first = row.last = sender


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        row.role, row.outcome = TOLD, SUCCESS  # nothing is awaited
        sender = read_message(memory, message, row, samples, contexts, joints)
        end_row(row, message, SHORT)
        sampled += row.samples
        used += 1
        if sender > 0:
            tell_sender(operations[used], index, message, sampled, sender)
            used += 1
    return used, sampled


def tells(octets: bytes) -> tuple[Statement, ...]:
    """The sender's addresses; a probe (RFC 5227) has no IPv4 address yet."""
    if len(octets) < OCTETS:
        return ()
    mac, address = mac_of(octets[8:14]), ip_text(octets[14:18])
    if mac is None:
        return ()
    return (Statement(present(mac, address), (), here=True),) if address or octets[6:8] == b"\0\1" else ()


ARP: Final = Protocol(
    name="arp",
    title="ARP",
    spec="RFC 826, RFC 5227",
    framings=(Framing(kind=BY_DATAGRAM, least=8, magic=(0, 1, 0xFFFF), code_at=7, known=frozenset({REQUEST, REPLY})),),
    functions=FUNCTIONS,
    dissect=dissect,
    ethertypes=(0x0806,),
    spaces=(SPACE, "message"),
    anomalies=ANOMALIES,
    label=label,
    infrastructure=True,
    tells=tells,
    operations_each=2,
)
