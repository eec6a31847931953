"""Datagrams from their fragments (RFC 791, RFC 8200): in any order, bounded in number, size and time. What is never whole is counted, not lost silently.

Fragments that overlap with other octets than those before, or that lie outside of their datagram, mean one thing to one receiver and another to the next:
the datagram is given up (RFC 5722 demands it of IPv6), and what else comes of it. One that comes for a datagram that was whole before, with other octets
behind its beginning, makes a second version of that: who was faster may have been the forger.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.delivery import count_undecoded
from sensors.engine.octets import borrow, copy, entry, fill, i64be, kernel, mix, same_octets, u8, u16be, u32be
from sensors.engine.tables import (
    ASSEMBLY,
    BAD_FRAGMENT,
    CROWDED,
    DATAGRAM,
    DUPLICATE,
    FOREVER,
    HELD,
    OVERLAPPED,
    REASSEMBLED,
    SECOND,
    UNFINISHED,
    table,
)  # fmt: skip

ROWS: Final = 64  # datagrams that are known: in progress, whole, and given up
MOST_OPEN: Final = 32  # … in progress
BUFFERS: Final = 48  # the others hold what is whole until it is dissected
LARGEST: Final = 65536
UNIT: Final = 8
BUFFER_UNITS: Final = LARGEST // UNIT
OCTETS: Final = BUFFERS * LARGEST  # of the arena
ENOUGH: Final = 8  # free buffers that one packet may need
TIMEOUT: Final = 30 * SECOND
IPV6_NUMBERS: Final = 1 << 32  # added to identifications of IPv6
REMEMBERED: Final = SECOND  # a fragment of a datagram that was whole so long ago is a copy

ANY_CONTENT: Final = -1  # no hash is negative
FREE, OPEN, WHOLE, DEAD = 0, 1, 2, 3  # a row
UNUSED, FILLING, READY = 0, 1, 2  # a buffer
GONE: Final = -1  # another datagram has the buffer
NEW, COPY, SECOND_VERSION, OTHER = 0, 1, 2, 3  # to the one that was whole just before: none was, the same so far, made of both, with other octets
FRAGMENT: Final = 256  # what undecoded octets of fragments are counted by: added to their transport


def fragment_tables(base: int) -> tuple[Any, Any, Any, Any]:
    """Datagrams, their units that are there, the buffers' states and the counters; the buffers lie at `base` in the arena."""
    assembly = table(1, ASSEMBLY)
    assembly.free, assembly.due, assembly.base = BUFFERS, FOREVER, base
    return table(ROWS, DATAGRAM), np.zeros(BUFFERS * BUFFER_UNITS, np.uint8), np.zeros(BUFFERS, np.int64), assembly


@kernel
def release(buffers: Any, assembly: Any) -> None:
    """What was whole is dissected: its buffers are free again."""
    for buffer in range(len(buffers)):
        if buffers[buffer] == READY:
            buffers[buffer] = UNUSED
            assembly.free += 1


@kernel
def _close(datagram: Any, state: int, buffers: Any, assembly: Any) -> None:
    """A datagram that is no longer in progress."""
    buffers[datagram.buffer] = READY if state == WHOLE else UNUSED
    assembly.free += 0 if state == WHOLE else 1
    assembly.opened -= 1
    datagram.state = state


@kernel
def _find_due(datagrams: Any, assembly: Any) -> None:
    assembly.due = FOREVER
    for row in range(len(datagrams)):
        if datagrams[row].state == OPEN:
            assembly.due = min(assembly.due, datagrams[row].began + TIMEOUT)


@kernel
def _give_up(packet: Any, datagram: Any, mark: int, state: int, buffers: Any, assembly: Any) -> None:
    """A datagram that will not be whole: its octets count with this packet."""
    if datagram.again != COPY:
        packet.marks |= mark | (OVERLAPPED if datagram.again == OTHER else 0)
        packet.forgone += datagram.octets
        packet.forgone_transport = datagram.transport
    _close(datagram, state, buffers, assembly)


@kernel
def _oldest(state_from: int, state_to: int, datagrams: Any) -> int:
    """The row in one of these states that began first, or -1."""
    oldest = -1
    for row in range(len(datagrams)):
        if state_from <= datagrams[row].state <= state_to and (oldest < 0 or datagrams[row].began < datagrams[oldest].began):
            oldest = row
    return oldest


@kernel
def expire(packet: Any, datagrams: Any, buffers: Any, assembly: Any) -> None:
    """Give up the oldest datagram, whose time is over; the next packet may find another one."""
    oldest = _oldest(OPEN, OPEN, datagrams)
    if oldest >= 0:
        _give_up(packet, datagrams[oldest], UNFINISHED, FREE, buffers, assembly)
    _find_due(datagrams, assembly)


@kernel
def _find(packet: Any, identification: int, datagrams: Any) -> int:
    """The row of this packet's datagram, or -1. IPv6 tells the transport only in the first fragment, so it is no part of the key there."""
    for row in range(len(datagrams)):
        one = datagrams[row]
        if (
            one.state != FREE
            and one.identification == identification
            and one.source == packet.source
            and one.target == packet.target
            and one.realm == packet.realm
            and one.vlan == packet.vlan
            and (one.transport == packet.transport or identification >= IPV6_NUMBERS)
        ):
            if one.state != WHOLE and (packet.clock - one.touched < REMEMBERED or packet.clock - one.began < TIMEOUT):
                return row
            if one.state != OPEN and packet.clock - one.touched >= REMEMBERED:  # one in progress is given up by `expire`
                one.state = FREE
    return -1


@kernel
def _begin(packet: Any, identification: int, datagrams: Any, units: Any, buffers: Any, assembly: Any) -> int:
    """A row and a buffer for a new datagram, in place of the oldest where all are taken."""
    if assembly.opened >= MOST_OPEN:
        _give_up(packet, datagrams[_oldest(OPEN, OPEN, datagrams)], CROWDED, FREE, buffers, assembly)
    row = 0
    while row < len(datagrams) and datagrams[row].state != FREE:
        row += 1
    if row == len(datagrams):
        row = _oldest(WHOLE, DEAD, datagrams)
    buffer = assembly.turn  # one after the other, so that what was whole is there a little longer
    while buffers[buffer] != UNUSED:
        buffer = (buffer + 1) % BUFFERS
    assembly.turn = (buffer + 1) % BUFFERS
    for other in range(len(datagrams)):
        if datagrams[other].buffer == buffer:
            datagrams[other].buffer = GONE
    buffers[buffer] = FILLING
    assembly.free -= 1
    assembly.opened += 1
    one = datagrams[row]
    one.state, one.source, one.target, one.identification = OPEN, packet.source, packet.target, identification
    one.transport, one.realm, one.vlan, one.began, one.touched = packet.transport, packet.realm, packet.vlan, packet.clock, packet.clock
    one.total, one.highest, one.units, one.octets, one.buffer = -1, 0, 0, 0, buffer
    fill(units[buffer * BUFFER_UNITS : (buffer + 1) * BUFFER_UNITS], 0)
    assembly.due = min(assembly.due, one.began + TIMEOUT)
    return row


@kernel
def _fits(memory: Any, at: int, length: int, offset: int, last: bool, one: Any, units: Any, place: int) -> bool:
    """Does a fragment agree with all that came before?"""
    behind = offset + length
    if (one.total >= 0 and (behind > one.total or (last and behind != one.total))) or (last and one.highest > behind):
        return False
    first = one.buffer * BUFFER_UNITS + offset // UNIT
    known, count = 0, (length + UNIT - 1) // UNIT
    for i in range(count):
        if units[first + i] == 0:
            continue
        known += 1
        if not same_octets(memory, at + i * UNIT, place + offset + i * UNIT, min(UNIT, length - i * UNIT)):
            return False
    return one.identification < IPV6_NUMBERS or known == 0 or known == count  # IPv6 knows copies, and no other overlap


@kernel
def _add(memory: Any, at: int, length: int, offset: int, one: Any, units: Any, place: int) -> None:
    """Put the octets where they belong; those that were there before count as copies."""
    first = one.buffer * BUFFER_UNITS + offset // UNIT
    for i in range((length + UNIT - 1) // UNIT):
        if units[first + i] == 0:
            units[first + i] = 1
            one.units += 1
            size = min(UNIT, length - i * UNIT)
            one.octets += size
            copy(memory, place + offset + i * UNIT, at + i * UNIT, size)
    one.highest = max(one.highest, offset + length)


@kernel
def _content(memory: Any, place: int, octets: int, packet: Any) -> int:
    """A hash of a whole datagram."""
    content, at, end = octets, place, place + octets
    while at + 8 <= end:
        content = mix(content, i64be(memory, at, end, packet))
        at += 8
    while at < end:
        content = mix(content, u8(memory, at, end, packet))
        at += 1
    return content


@kernel
def _find_whole(number: int, clock: int, content: int, datagrams: Any) -> int:
    """A datagram that was whole just before, with the same identification and this content: one with other octets is no copy of it (RFC 6864)."""
    one = datagrams[number]
    for row in range(len(datagrams)):
        other = datagrams[row]
        same = other.state == WHOLE and other.identification == one.identification and other.source == one.source and other.target == one.target
        same = same and other.realm == one.realm and other.vlan == one.vlan
        if same and content in (ANY_CONTENT, other.content) and clock - other.touched < REMEMBERED:
            return row
    return -1


@kernel
def _compare(memory: Any, at: int, length: int, offset: int, last: bool, one: Any, former: Any, units: Any, base: int) -> None:
    """A fragment of what may be a copy of a datagram that was whole. Where its octets differ, those of the other one stand in for all that it has not,
    unless it is the first: then it may well begin a new datagram, whose other fragments come.
    """
    behind, place = offset + length, base + former.buffer * LARGEST
    fits = behind == former.total if last else behind <= former.total
    if former.buffer == GONE or (fits and same_octets(memory, at, place + offset, length)):
        return
    one.again = OTHER
    if not fits or offset == 0:
        return
    one.again, one.total, one.highest = SECOND_VERSION, former.total, former.total
    copy(memory, base + one.buffer * LARGEST, place, former.total)
    first, own = one.buffer * BUFFER_UNITS, offset // UNIT
    one.units = (former.total + UNIT - 1) // UNIT - (length + UNIT - 1) // UNIT
    fill(units[first : first + (former.total + UNIT - 1) // UNIT], 1)
    fill(units[first + own : first + own + (length + UNIT - 1) // UNIT], 0)


@kernel
def _take(
    memory: Any, packet: Any, at: int, whole: int, offset: int, last: bool, identification: int, datagrams: Any, units: Any, buffers: Any, assembly: Any
) -> int:
    """Add a fragment [at, whole); returns the row of its datagram where that is complete now, else -1."""
    length = whole - at
    cut = whole > packet.end  # such a datagram is never whole
    row = _find(packet, identification, datagrams)
    if cut or packet.source < 0 or packet.target < 0 or (row >= 0 and datagrams[row].state == DEAD):
        packet.marks |= UNFINISHED if cut and offset == 0 else 0
        packet.forgone += length
        return -1
    bad = length <= 0 or (length % UNIT != 0 and not last) or offset + length >= LARGEST
    if bad and row < 0:
        packet.marks |= BAD_FRAGMENT
        packet.forgone += max(length, 0)
        return -1
    if row < 0:
        row = _begin(packet, identification, datagrams, units, buffers, assembly)
        datagrams[row].again = COPY if _find_whole(row, packet.clock, ANY_CONTENT, datagrams) >= 0 else NEW
    one = datagrams[row]
    place = assembly.base + one.buffer * LARGEST
    if one.again == COPY and not bad:
        former = _find_whole(row, packet.clock, ANY_CONTENT, datagrams)
        if former >= 0:
            _compare(memory, at, length, offset, last, one, datagrams[former], units, assembly.base)
    if bad or not _fits(memory, at, length, offset, last, one, units, place):
        packet.marks |= 0 if bad else OVERLAPPED
        packet.forgone += max(length, 0)
        _give_up(packet, one, BAD_FRAGMENT, DEAD, buffers, assembly)
        _find_due(datagrams, assembly)
        return -1
    _add(memory, at, length, offset, one, units, place)
    one.touched = packet.clock
    if last:
        one.total = offset + length
    if offset == 0:
        one.transport = packet.transport
    if one.total < 0 or one.units * UNIT < one.total:
        return -1
    one.content = _content(memory, place, one.total, packet)
    copy_of = _find_whole(row, packet.clock, one.content, datagrams)
    _close(one, WHOLE if copy_of < 0 else FREE, buffers, assembly)
    _find_due(datagrams, assembly)
    if copy_of >= 0:
        packet.marks |= DUPLICATE
        return -1
    packet.marks |= OVERLAPPED if one.again == SECOND_VERSION else 0
    return row


@kernel
def assemble(memory: Any, packet: Any, network: int, at: int, whole: int, datagrams: Any, units: Any, buffers: Any, assembly: Any) -> bool:
    """A fragment, whose payload lies at `at` (IPv6: its fragment header). Is its datagram whole now? Then it is the packet's payload, else this one is held."""
    end = packet.end
    if packet.ethertype == 0x0800:
        identification = u16be(memory, network + 4, end, packet)
        word = u16be(memory, network + 6, end, packet)
        offset, last = (word & 0x1FFF) * UNIT, word & 0x2000 == 0
    else:
        following = u8(memory, at, end, packet)
        word = u16be(memory, at + 2, end, packet)
        identification = IPV6_NUMBERS + u32be(memory, at + 4, end, packet)
        offset, last = word & 0xFFF8, word & 1 == 0
        at += 8
        if packet.short == 0:
            packet.transport = following
    packet.payload, packet.length, packet.whole = at, 0, 0
    packet.marks |= HELD
    if packet.forgone_transport < 0:
        packet.forgone_transport = packet.transport
    if packet.short:
        packet.forgone += max(whole - at, 0)
        return False
    row = _take(memory, packet, at, whole, offset, last, identification, datagrams, units, buffers, assembly)
    if row < 0:
        return False
    one = datagrams[row]
    packet.marks += REASSEMBLED - HELD
    packet.fragment, packet.transport = 0, one.transport
    packet.payload = assembly.base + one.buffer * LARGEST
    packet.end = packet.edge = packet.payload + one.total
    return True


@entry
def finish(datagrams: Any, buffers: Any, assemblies: Any, undecoded: Any, streams_table: Any) -> None:
    """The input ends: datagrams in progress are counted."""
    datagrams, buffers, assemblies = borrow(datagrams), borrow(buffers), borrow(assemblies)
    undecoded, streams_table = borrow(undecoded), borrow(streams_table)
    streams = streams_table[0]
    for row in range(len(datagrams)):
        one = datagrams[row]
        if one.state == OPEN:
            if one.again != COPY:
                streams.overlaps += 1 if one.again == OTHER else 0
                count_undecoded(one.octets, one.transport + FRAGMENT, -1, undecoded, streams)
                streams.unfinished += 1
            _close(one, FREE, buffers, assemblies[0])
