"""Messages of DNS (RFC 1035) and of what has its form: multicast DNS (RFC 6762), the NetBIOS name service (RFC 1002). Over UDP a message is a datagram.

One row a message: who speaks tells it, a query too, for nothing waits for an answer. Its object is the first name, as it stands on the wire.
A code is the operation, then 0 in a query and 1 in a response.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import add_text, end_row, open_row, sub_code
from sensors.engine.octets import borrow, entry, kernel, u8, u16be
from sensors.engine.tables import CUT, FAILURE, REPORT, SUCCESS, TOLD

HEADER: Final = 12
NUMBER: Final = 2  # octets of it that only tell an answer from others
MESSAGE: Final = 0
SPACES: Final = ("message",)
MOST_LABELS: Final = 128
RESPONSE_BIT: Final = 0x8000
ANOMALIES: Final = ("short", "bad_name", "bad_count")
SHORT, BAD_NAME, BAD_COUNT = 1, 2, 4
LEAST_RECORD: Final = 11  # octets of a record with an empty name; a question has five
ERRORS: Final = {
    1: "format_error", 2: "server_failure", 3: "no_such_name", 4: "not_implemented", 5: "refused", 6: "name_exists", 7: "name_in_conflict", 8: "no_such_record",
    9: "not_authoritative", 10: "not_in_zone",
}  # fmt: skip


def known(*operations: int) -> frozenset[int]:
    """What the third octet of a message may be, of these operations."""
    return frozenset(response << 7 | operation << 3 | flags for operation in operations for response in (0, 1) for flags in range(8))


@kernel
def read_name(memory: Any, at: int, end: int, row: Any) -> int:
    """The name at `at` becomes the row's, as far as it is spelled out; returns where it ends."""
    start = at
    for _ in range(MOST_LABELS):
        octets = u8(memory, at, end, row)
        if row.short or octets == 0 or octets >= 0xC0:
            break
        if octets > 63:
            row.anomaly |= BAD_NAME
            return at
        at += 1 + octets
    if row.short or at > end:
        row.short = 1
        return at
    if at - start > 255:
        row.anomaly |= BAD_NAME
    elif at > start:
        row.name_at, row.name_octets = start, at - start
    return at


@kernel
def read_message(memory: Any, message: Any, row: Any, samples: Any) -> None:
    """Header and first name. Of responses, and of queries that tell what shall be registered, what stands behind the number is kept for its readers."""
    at, end = message.offset, message.offset + message.length
    flags, questions, answers = u16be(memory, at + 2, end, row), u16be(memory, at + 4, end, row), u16be(memory, at + 6, end, row)
    others = u16be(memory, at + 8, end, row) + u16be(memory, at + 10, end, row)
    if row.short:
        return
    row.code = ((flags >> 11 & 15) + 1) << 40
    sub_code(row, 1 if flags & RESPONSE_BIT else 0)
    if flags & RESPONSE_BIT:
        error = flags & 15
        row.outcome = FAILURE if error else SUCCESS
        row.error = error if error else -1
    if questions + answers + others == 0:
        row.anomaly |= BAD_COUNT
        return
    if questions * 5 + (answers + others) * LEAST_RECORD > message.length - HEADER and message.marks & CUT == 0:
        row.anomaly |= BAD_COUNT
        return
    if questions + answers > 0:
        read_name(memory, at + HEADER, end, row)
    if answers + others > 0 and row.short == 0:
        add_text(row, samples, MESSAGE, 0, at + NUMBER, message.length - NUMBER)


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
