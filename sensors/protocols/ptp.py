"""PTP: IEEE 1588-2019, version 2, over UDP and over Ethernet (IEEE 802.1AS, too). Its time is compared with the capture's clock by `sensors.engine.clocks`.

One row a message: who speaks tells it, and of a message that wants an answer the answer is another one. A code is the message's type, and of management
what it does. Octets behind the length that a message tells are padding of the frame.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import end_row, open_row, sub_code
from sensors.engine.octets import borrow, entry, kernel, u8, u16be
from sensors.engine.tables import REPORT, SUCCESS, TOLD
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol

HEADER: Final = 34
LEAST: Final = 44  # of any message: the header and one time
MANAGEMENT: Final = 13
GET, SET, RESPONSE, COMMAND, ACKNOWLEDGE = range(5)  # what management does
ACTION_AT: Final = 46
FUNCTIONS: Final = {
    "0": Function("ptp_sync", "data.exchange"),
    "1": Function("ptp_delay_request", "time.read"),
    "2": Function("ptp_peer_delay_request", "time.read"),
    "3": Function("ptp_peer_delay_answer", "time.read"),
    "8": Function("ptp_follow_up", "data.exchange"),
    "9": Function("ptp_delay_answer", "time.read"),
    "10": Function("ptp_peer_delay_follow_up", "time.read"),
    "11": Function("ptp_announce", "data.exchange"),
    "12": Function("ptp_signaling", "data.exchange"),
    f"{MANAGEMENT}/{GET}": Function("ptp_management_get", "configuration.read"),
    f"{MANAGEMENT}/{SET}": Function("ptp_management_set", "configuration.write"),
    f"{MANAGEMENT}/{RESPONSE}": Function("ptp_management_answer", "configuration.read"),
    f"{MANAGEMENT}/{COMMAND}": Function("ptp_management_command", "configuration.write"),
    f"{MANAGEMENT}/{ACKNOWLEDGE}": Function("ptp_management_acknowledge", "configuration.read"),
}
ANOMALIES: Final = ("short", "bad_length")
SHORT, BAD_LENGTH = 1, 2
KNOWN: Final = frozenset(part << 4 | kind for part in range(16) for kind in (0, 1, 2, 3, 8, 9, 10, 11, 12, MANAGEMENT))  # first octets


@kernel
def read_message(memory: Any, at: int, end: int, row: Any) -> None:
    """Type, and of management what it does; whether all is there that the message says is."""
    kind, octets = u8(memory, at, end, row) & 15, u16be(memory, at + 2, end, row)
    if row.short:
        return
    row.code = (kind + 1) << 40
    if octets < LEAST:
        row.anomaly |= BAD_LENGTH
    elif at + octets > end:
        row.short = 1
    elif kind == MANAGEMENT:
        sub_code(row, u8(memory, at + ACTION_AT, at + octets, row) & 15)


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        row.role, row.outcome = REPORT if message.side else TOLD, SUCCESS  # nothing is awaited
        read_message(memory, message.offset, message.offset + message.length, row)
        end_row(row, message, SHORT)
        used += 1
    return used, sampled


PTP: Final = Protocol(
    name="ptp",
    title="PTP",
    spec="IEEE 1588-2019",
    framings=(Framing(kind=BY_DATAGRAM, least=HEADER, magic=(0, 0x0002, 0x000F), code_at=0, known=KNOWN, lone=True),),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(319, 320),
    ethertypes=(0x88F7,),
    anomalies=ANOMALIES,
    infrastructure=True,
)
