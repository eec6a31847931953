"""LLDP: IEEE 802.1AB-2016, with the organisationally specific TLVs of PROFINET (IEC 61158-6-10) passed over.

One row a message: an advertisement, or the end of one (time to live 0). Its object is the name of the port that spoke.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import add_text, end_row, open_row
from sensors.engine.octets import borrow, entry, kernel, u16be
from sensors.engine.tables import SUCCESS, TOLD
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import ANNOUNCED, Statement, ip_text, mac_of, present, words

MESSAGE: Final = 0
MOST_TLVS: Final = 128
END, CHASSIS, PORT, TIME_TO_LIVE, PORT_NAME, NAME, DESCRIPTION, CAPABILITIES, MANAGEMENT = range(9)
ADVERTISE, WITHDRAW = 1, 2
FUNCTIONS: Final = {str(ADVERTISE): Function("lldp_advertise", "data.exchange"), str(WITHDRAW): Function("lldp_withdraw", "data.exchange")}
ANOMALIES: Final = ("short", "bad_length")
SHORT, BAD_LENGTH = 1, 2
CHASSIS_MAC, CHASSIS_NETWORK, CHASSIS_LOCAL = 4, 5, 7  # kinds of a chassis identifier (table 8-2)
BRIDGE, ROUTER = 1 << 2, 1 << 4  # capabilities that are enabled (table 8-4)


@kernel
def read_message(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """Step over the TLVs: the three that every message begins with, then others to its end."""
    start, count = at, 0
    while count < MOST_TLVS:
        head = u16be(memory, at, end, row)
        kind, octets = head >> 9, head & 0x1FF
        if row.short:
            return
        if kind == END and octets == 0:
            at += 2
            break
        if count < 3 and kind != count + 1:  # chassis, port and time to live come first, in this order
            row.anomaly |= BAD_LENGTH
            return
        if at + 2 + octets > end:
            row.short = 1
            return
        if kind == TIME_TO_LIVE:
            row.code = ((ADVERTISE if u16be(memory, at + 2, end, row) else WITHDRAW) + 1) << 40
        if kind == PORT_NAME and octets > 0:
            row.name_at, row.name_octets = at + 2, octets
        at += 2 + octets
        count += 1
    if count < 3:
        row.anomaly |= BAD_LENGTH
    else:
        add_text(row, samples, MESSAGE, 0, start, at - start)


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        row.role, row.outcome = TOLD, SUCCESS  # nothing is awaited
        read_message(memory, message.offset, message.offset + message.length, row, samples)
        end_row(row, message, SHORT)
        sampled += row.samples
        used += 1
    return used, sampled


def tells(octets: bytes) -> tuple[Statement, ...]:
    """Who speaks: its chassis, its addresses for management, its name, what it is and does."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at + 2 <= len(octets):
        head = int.from_bytes(octets[at : at + 2])
        found.setdefault(head >> 9, []).append(octets[at + 2 : at + 2 + (head & 0x1FF)])
        at += 2 + (head & 0x1FF)
    chassis = found.get(CHASSIS, [b""])[0]
    own = mac_of(chassis[1:]) if chassis[:1] == bytes([CHASSIS_MAC]) else ip_text(chassis[2:]) if chassis[:1] == bytes([CHASSIS_NETWORK]) else None
    managed = [ip_text(each[2 : 1 + each[0]]) for each in found.get(MANAGEMENT, ()) if len(each) > 1 and each[0] > 1]
    facts = [(name, words(found[kind][0]), ANNOUNCED) for name, kind in (("name", NAME), ("description", DESCRIPTION)) if kind in found]
    if chassis[:1] == bytes([CHASSIS_LOCAL]):
        facts.append(("chassis", words(chassis[1:]), ANNOUNCED))
    enabled = int.from_bytes(found.get(CAPABILITIES, [b""])[0][2:4])
    if enabled & (BRIDGE | ROUTER):
        facts.append(("role", "switch" if enabled & BRIDGE else "gateway", ANNOUNCED))
    return (Statement(present(own, *managed), tuple(fact for fact in facts if fact[1]), speaker=True, here=True),)


LLDP: Final = Protocol(
    name="lldp",
    title="LLDP",
    spec="IEEE 802.1AB-2016",
    framings=(Framing(kind=BY_DATAGRAM, least=6, magic=(0, CHASSIS << 9, 0xFE00)),),
    functions=FUNCTIONS,
    dissect=dissect,
    ethertypes=(0x88CC,),
    spaces=("message",),
    anomalies=ANOMALIES,
    infrastructure=True,
    tells=tells,
)
