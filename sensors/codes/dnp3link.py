"""The frames of DNP3 and what they are put together to: data link (IEEE 1815-2012, clause 9) and transport function (clause 8)."""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.dnp3 import BAD_CRC, BAD_LENGTH, CRC, LINK_ERROR, LINK_LAYER, REPEATED_FRAME, TOO_LONG, TRANSPORT_INTERRUPTED, TRANSPORT_SEQUENCE
from sensors.engine.contexts import append, begin_text, context, drop, joined, put_octets
from sensors.engine.octets import inline, kernel, mix, u8, u16le, u32le
from sensors.engine.tables import AFTER_GAP, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED

HEADER, BLOCK, UNTOLD = 10, 16, 5  # octets of a link header, of a block of user data; those that the length field counts without user data
MASTER_SPEAKS, PRIMARY = 0x80, 0x40
CONFIRMED_DATA, UNCONFIRMED_DATA, LINK_FUNCTION = 0x43, 0x44, 0x4F
ASKING: Final = (0x40, 0x42, 0x49)  # link functions that the other station answers
FIN, FIR, SEQUENCE = 0x80, 0x40, 0x3F  # of the transport octet
COUNTED: Final = 0x10  # FCV: the frame count bit, which changes from frame to frame, counts
RESET: Final = 0x40  # link function: the next frame count bit is set
CONFIRMED: Final = 18153  # tag of contexts
TAG_BITS, LINK_NUMBERS = 40, 0xFF  # what else tells transactions apart stands above what `share` says

# What is remembered in a context, of a master and an outstation on a connection; the outstation's frames that wait for their last one have one of their own.
# `a`: sequence number that the next segment has to have, + 1 (0: none waits); `b`: octets of the frames that wait; `j`: their anomalies.
# `c`: sequence number of the last request, + 1; `d`: its rows; `k`: what stands for its point; `e`: sequence number of the response's next fragment, + 1.
# `f`: link function that waits for its answer; `l`: how many did; `g`: whether frames of the outstation wait.
# In a context of one direction (CONFIRMED), `a`: what stands for the confirmed frame that came last.
# Of the fragment that is being read: `h`: common time of occurrence; `i`: rows of the sample table it may fill.


@kernel
def crc_fits(memory: Any, at: int, octets: int, end: int, row: Any) -> bool:
    """Does the CRC behind these octets fit?"""
    crc, fours = 0, at + octets // 4 * 4
    for i in range(at, fours, 4):  # four octets at a time, each with what becomes of it behind the others
        word = u32le(memory, i, end, row) ^ crc
        crc = CRC[768 + (word & 255)] ^ CRC[512 + (word >> 8 & 255)] ^ CRC[256 + (word >> 16 & 255)] ^ CRC[word >> 24]
    for i in range(fours, at + octets):
        crc = crc >> 8 ^ CRC[(crc ^ u8(memory, i, end, row)) & 255]
    return crc ^ 0xFFFF == u16le(memory, at + octets, end, row)


@kernel
def one_way(row: Any, side: int) -> None:
    """Nobody answers this, and it answers nothing."""
    row.role, row.outcome = (REPORT, SUCCESS) if side == 1 else (REQUEST, UNANSWERED)
    row.transaction, row.error = -1, -1


@inline
def share(row: Any, master: int, what: int) -> int:
    """What a request and its answer have in common."""
    return row.unit << 24 | master << 8 | what


@kernel
def gather(memory: Any, at: int, end: int, octets: int, row: Any, joints: Any) -> tuple[int, int]:
    """User data of so many octets in blocks, each with its CRC, side by side without the transport octet: (place, octets)."""
    if octets <= BLOCK:
        there = max(min(octets, end - at), 1)
        if at + octets + 2 <= end and not crc_fits(memory, at, octets, end, row):
            row.anomaly |= BAD_CRC
        return at + 1, there - 1
    place, taken = begin_text(joints), 0
    while taken < octets and at < end:
        block = min(BLOCK, octets - taken)
        if at + block + 2 <= end and not crc_fits(memory, at, block, end, row):
            row.anomaly |= BAD_CRC
        skip = 1 if taken == 0 else 0
        put_octets(memory, joints, at + skip, min(block, end - at) - skip)
        taken += block
        at += block + 2
    return place, joints[0].fill_at - place


@kernel
def link_row(message: Any, row: Any, function: int, master: int, both: Any) -> None:
    """A frame of the data link itself."""
    one_way(row, message.side)
    if function & PRIMARY and function in ASKING and message.side == 0:  # it has no number of its own: none is used twice
        both.l = both.l + 1 & LINK_NUMBERS
        row.transaction, both.f = share(row, master, PRIMARY) | both.l << TAG_BITS, function + 1
    elif function & PRIMARY == 0 and message.side == 1 and both.f > 0:
        row.role, row.outcome, row.transaction, both.f = RESPONSE, SUCCESS, share(row, master, PRIMARY) | both.l << TAG_BITS, 0
        if function not in (0, 11):
            row.outcome, row.error = FAILURE, LINK_ERROR + function


@kernel
def is_repeated(memory: Any, message: Any, control: int, row: Any, contexts: Any, joints: Any) -> bool:
    """Is this confirmed frame the one that came last, frame count bit and all? Its receiver only confirms it again (9.2.4.1.3)."""
    at, end = message.offset, message.offset + message.length
    ends = u32le(memory, at + 4, end, row) << 1 | message.side
    last = contexts[context(contexts, joints, CONFIRMED, message.connection, ends, message.clock)]
    if control & LINK_FUNCTION == RESET:
        last.a = 0
    if control & LINK_FUNCTION != CONFIRMED_DATA or control & COUNTED == 0:
        return False
    digest = u16le(memory, at + HEADER - 2, end, row)
    for place in range(at + HEADER, end, BLOCK + 2):
        digest = mix(digest, u16le(memory, min(place + BLOCK, end - 2), end, row))
    digest |= 1
    again = last.a == digest and message.marks & AFTER_GAP == 0
    last.a = digest
    return again


@kernel
def transport(memory: Any, message: Any, row: Any, segment: int, at: int, octets: int, contexts: Any, mine: int, joints: Any) -> tuple[int, int]:
    """A segment of several: (place, octets) of the fragment that is complete with it, (-1, 0) where it is not yet, (-1, 1) where it cannot be."""
    held = contexts[mine]
    if segment & FIR:
        drop(contexts, mine, joints)
        held.a, held.b, held.j = (segment & SEQUENCE) + 1, 0, 0
    elif held.a != (segment & SEQUENCE) + 1:
        if message.marks & (AFTER_GAP | CUT) == 0:
            row.anomaly |= TRANSPORT_SEQUENCE
        held.a = 0
    if held.a > 0 and not append(memory, contexts, mine, joints, at, octets):
        row.anomaly |= TOO_LONG
        held.a = 0
    if held.a == 0 or message.marks & CUT or row.anomaly & BAD_CRC:
        drop(contexts, mine, joints)
        held.a = 0
        return -1, 1
    held.a = (held.a & SEQUENCE) + 1
    held.b += message.length
    held.j |= row.anomaly
    if segment & FIN == 0:
        return -1, 0
    row.octets, row.anomaly, held.a = held.b, held.j, 0
    at, octets = joined(memory, contexts, mine, joints)
    return (at, octets) if at >= 0 else (-1, 1)


@kernel
def read_frame(memory: Any, message: Any, row: Any, contexts: Any, joints: Any) -> tuple[int, int, int, int]:
    """(place and octets of the fragment that this frame completes, master, context); place -1: none; octets 1: the row is about the frame itself."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    length, control = u8(memory, at + 2, end, row), u8(memory, at + 3, end, row)
    target, origin = u16le(memory, at + 4, end, row), u16le(memory, at + 6, end, row)
    if row.short:
        one_way(row, message.side)
        return -1, 1, 0, -1
    row.unit, master = (target, origin) if control & MASTER_SPEAKS else (origin, target)
    function, octets = control & LINK_FUNCTION, length - UNTOLD
    data = function in (CONFIRMED_DATA, UNCONFIRMED_DATA)
    if whole and (message.length < HEADER or (octets > 0) != data or HEADER + octets + (octets + BLOCK - 1) // BLOCK * 2 != message.length):
        row.anomaly |= BAD_LENGTH
    if message.length >= HEADER and not crc_fits(memory, at, HEADER - 2, end, row):
        row.anomaly |= BAD_CRC
    both = context(contexts, joints, message.protocol, message.connection, row.unit << 16 | master, message.clock)
    if not data or octets <= 0 or message.length <= HEADER or row.anomaly & BAD_CRC:
        if whole or not data:
            row.code = (LINK_LAYER + 1) << 40 | (function + 1) << 20
        if function == RESET and row.anomaly == 0:
            is_repeated(memory, message, control, row, contexts, joints)
        link_row(message, row, function, master, contexts[both])
        return -1, 1, master, both
    if function == CONFIRMED_DATA and whole and row.anomaly == 0 and is_repeated(memory, message, control, row, contexts, joints):
        row.anomaly |= REPEATED_FRAME
        row.code = (LINK_LAYER + 1) << 40 | (function + 1) << 20
        one_way(row, message.side)
        return -1, 1, master, both
    segment = u8(memory, at + HEADER, end, row)
    place, octets = gather(memory, at + HEADER, end, octets, row, joints)
    mine = both
    if control & MASTER_SPEAKS == 0 and (segment & (FIR | FIN) != FIR | FIN or contexts[both].g):
        mine = context(contexts, joints, message.protocol, message.connection, 1 << 32 | row.unit << 16 | master, message.clock)
        contexts[both].g = 1
    if contexts[mine].a > 0 and segment & FIR:
        if message.marks & AFTER_GAP == 0:
            row.anomaly |= TRANSPORT_INTERRUPTED
        drop(contexts, mine, joints)
        contexts[mine].a = 0
    if segment & (FIR | FIN) != FIR | FIN:
        place, octets = transport(memory, message, row, segment, place, octets, contexts, mine, joints)
        if place < 0 and octets:
            row.code = (LINK_LAYER + 1) << 40 | (function + 1) << 20 if whole else 0
            one_way(row, message.side)
    return place, octets, master, both
