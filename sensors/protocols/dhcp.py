"""DHCP for IPv4: RFC 2131, options of RFC 2132. BOOTP without a message type is not read.

One row a message. Its object is the address that is given or given up, where there is one. A server's message goes to everybody or to an address that
the client has not got yet, so nothing is paired; who speaks tells it.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.ipv4 import SPACE, label
from sensors.engine.dissecting import add_text, end_row, open_row
from sensors.engine.octets import borrow, entry, kernel, u8, u32be
from sensors.engine.tables import FAILURE, REPORT, SUCCESS, TOLD
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import LEASED, SERVES, Statement, ip_text, mac_of, present, words

COOKIE_AT, OPTIONS_AT = 236, 240
MOST_OPTIONS: Final = 128
PAD, HOST_NAME, KIND, SERVER, CLASS, END = 0, 12, 53, 54, 60, 255
ROUTER: Final = 3
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
ADDRESS, MESSAGE = 0, 1
FUNCTIONS: Final = {
    str(DISCOVER): Function("dhcp_discover", "session.open"),
    str(OFFER): Function("dhcp_offer", "session.open"),
    str(REQUEST): Function("dhcp_request", "session.open"),
    str(DECLINE): Function("dhcp_decline", "session.close"),
    str(ACK): Function("dhcp_ack", "session.open"),
    str(NAK): Function("dhcp_nak", "session.open"),
    str(RELEASE): Function("dhcp_release", "session.close"),
    str(INFORM): Function("dhcp_inform", "session.open"),
}
ANOMALIES: Final = ("short", "no_message_type")
SHORT, NO_MESSAGE_TYPE = 1, 2


@kernel
def find_kind(memory: Any, at: int, end: int, row: Any) -> int:
    """The message type among the options; 0 where there is none."""
    for _ in range(MOST_OPTIONS):
        option = u8(memory, at, end, row)
        if row.short or option == END:
            return 0
        if option == PAD:
            at += 1
            continue
        if option == KIND:
            return u8(memory, at + 2, end, row)
        at += 2 + u8(memory, at + 1, end, row)
    return 0


@kernel
def read_message(memory: Any, message: Any, row: Any, samples: Any) -> None:
    """Message type and the address that it is about."""
    at, end = message.offset, message.offset + message.length
    kind = find_kind(memory, at + OPTIONS_AT, end, row)
    if row.short:
        return
    if kind == 0:
        row.anomaly |= NO_MESSAGE_TYPE
        return
    row.code = (kind + 1) << 40
    if row.role == REPORT and kind == NAK:
        row.outcome = FAILURE
    given, had = u32be(memory, at + 16, end, row), u32be(memory, at + 12, end, row)
    if max(given, had) > 0:
        row.space = ADDRESS
        row.first = row.last = given if given > 0 else had
    add_text(row, samples, MESSAGE, 0, at, message.length)


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        row.role, row.outcome = REPORT if message.side == 1 else TOLD, SUCCESS  # nothing is awaited
        read_message(memory, message, row, samples)
        end_row(row, message, SHORT)
        sampled += row.samples
        used += 1
    return used, sampled


def options(octets: bytes) -> dict[int, bytes]:
    """The options of a message, each as it first stands there."""
    found: dict[int, bytes] = {}
    at = OPTIONS_AT
    while at + 1 < len(octets) and octets[at] != END:
        if octets[at] == PAD:
            at += 1
            continue
        found.setdefault(octets[at], octets[at + 2 : at + 2 + octets[at + 1]])
        at += 2 + octets[at + 1]
    return found


def tells(octets: bytes) -> tuple[Statement, ...]:
    """The client's MAC address with what it has, is given, and calls itself; the routers that a server names; the server itself."""
    found = options(octets)
    kind, mac = found.get(KIND, b"\0")[:1], mac_of(octets[28:34]) if octets[1:3] == b"\1\6" else None
    names = (("name", HOST_NAME), ("class", CLASS))
    facts = tuple((name, words(found[option]), LEASED) for name, option in names if option in found and words(found[option]))
    address = ip_text(octets[16:20]) if kind == bytes([ACK]) else ip_text(octets[12:16])
    told = [Statement(present(mac, address), facts, here=kind != bytes([NAK]))] if mac else []
    if kind in (bytes([OFFER]), bytes([ACK])):
        routers = found.get(ROUTER, b"")
        each = [ip_text(routers[at : at + 4]) for at in range(0, min(len(routers), 16), 4)]
        told += [Statement((router,), (("role", "gateway", LEASED),)) for router in present(*each)]
        server = ip_text(found.get(SERVER, b""))
        told += [Statement((server,), (("role", "server", SERVES),))] if server else []
    return tuple(told)


DHCP: Final = Protocol(
    name="dhcp",
    title="DHCP",
    spec="RFC 2131, RFC 2132",
    framings=(
        # an answer goes to an address that asked for nothing: `lone`
        Framing(kind=BY_DATAGRAM, least=OPTIONS_AT + 1, magic=(COOKIE_AT, 0x6382, 0xFFFF), code_at=0, known=frozenset({1, 2}), lone=True),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(67,),
    spaces=(SPACE, "message"),
    anomalies=ANOMALIES,
    label=label,
    infrastructure=True,
    tells=tells,
)  # fmt: skip
