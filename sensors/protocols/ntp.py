"""NTP, and SNTP: RFC 5905; control messages: RFC 9327. What time it tells is compared with the capture's clock by `sensors.engine.clocks`.

One row a message: who speaks tells it, a request too, for nothing waits for an answer. A code is the mode, and of control messages that write the operation.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import end_row, open_row, sub_code
from sensors.engine.octets import borrow, entry, kernel, u8
from sensors.engine.tables import FAILURE, REPORT, SUCCESS, TOLD, UNANSWERED
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol

CONTROL, PRIVATE = 6, 7  # modes; the latter is ntpdc's own (RFC 5905, 7.3: reserved for private use)
WRITE_VARIABLES, WRITE_CLOCK, CONFIGURE = 3, 5, 8  # operations of control messages
RESPONSE, ERROR = 0x80, 0x40  # flags beside the operation
FUNCTIONS: Final = {
    "1": Function("ntp_symmetric_active", "data.exchange"),
    "2": Function("ntp_symmetric_passive", "data.exchange"),
    "3": Function("ntp_request", "time.read"),
    "4": Function("ntp_answer", "time.read"),
    "5": Function("ntp_broadcast", "data.exchange"),
    str(CONTROL): Function("ntp_control", "diagnostics.read"),
    f"{CONTROL}/{WRITE_VARIABLES}": Function("ntp_write_variables", "configuration.write"),
    f"{CONTROL}/{WRITE_CLOCK}": Function("ntp_write_clock_variables", "configuration.write"),
    f"{CONTROL}/{CONFIGURE}": Function("ntp_configure", "configuration.write"),
    str(PRIVATE): Function("ntp_private", "unknown"),
}
ANOMALIES: Final = ("short",)
SHORT: Final = 1
KNOWN: Final = frozenset(leap << 6 | version << 3 | mode for leap in range(4) for version in (1, 2, 3, 4) for mode in range(1, 8))  # first octets
HEADER: Final = 48
CONTROL_HEADER, PRIVATE_HEADER = 12, 8


@kernel
def read_message(memory: Any, at: int, end: int, row: Any) -> None:
    """Mode and, of control messages, what they are for; whether the header is there."""
    mode, second = u8(memory, at, end, row) & 7, u8(memory, at + 1, end, row)
    if row.short:
        return
    row.code = (mode + 1) << 40
    least = HEADER
    if mode == CONTROL:
        least = CONTROL_HEADER
        operation = second & 31
        if operation in (WRITE_VARIABLES, WRITE_CLOCK, CONFIGURE):
            sub_code(row, operation)
        row.outcome = UNANSWERED if second & RESPONSE == 0 else FAILURE if second & ERROR else SUCCESS
    elif mode == PRIVATE:
        least = PRIVATE_HEADER
    if end - at < least:
        row.short = 1


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the messages with these numbers; returns the new fill of both tables."""
    memory, contexts, joints, which = borrow(memory), borrow(contexts), borrow(joints), borrow(which)
    messages, operations, samples = borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        row.role, row.outcome = REPORT if message.side == 1 else TOLD, SUCCESS  # nothing is awaited
        read_message(memory, message.offset, message.offset + message.length, row)
        end_row(row, message, SHORT)
        used += 1
    return used, sampled


NTP: Final = Protocol(
    name="ntp",
    title="NTP",
    spec="RFC 5905, RFC 9327",
    framings=(Framing(kind=BY_DATAGRAM, least=PRIVATE_HEADER, code_at=0, known=KNOWN),),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(123,),
    anomalies=ANOMALIES,
    infrastructure=True,
    serves=("ntp_answer",),
)
