"""The clock of the capture against those on the wire: what NTP servers and PTP masters tell, at the time when their packet was captured.

NTP: RFC 5905, 7.3. PTP: IEEE 1588-2008, 13; its timescale is TAI, and announcements tell how far UTC is behind it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.network import UDP
from sensors.engine.octets import inline, kernel, signed, u8, u16be, u32be, u48be
from sensors.engine.tables import REFERENCE, table

NTP_PORT: Final = 123
PTP_EVENT, PTP_GENERAL = 319, 320
PTP_ETHERTYPE: Final = 0x88F7
SERVER, BROADCAST = 4, 5  # modes of NTP
SYNC, FOLLOW_UP, ANNOUNCE = 0x0, 0x8, 0xB
TWO_STEP: Final = 0x0200  # of the flags: the time comes with a follow-up
KNOWN_UTC: Final = 0x000C  # … the timescale is that of PTP, and its distance from UTC is valid
NTP, PTP = 1, 2  # kinds of references
REFERENCES: Final = 16
SAMPLES: Final = 64  # of each in a window: the first ones, and the last
BILLION: Final = 1_000_000_000
SINCE_1900: Final = 2_208_988_800  # seconds from the epoch of NTP to that of Unix
LAST_SECOND: Final = 1 << 32
NOTHING: Final = -1


def clock_tables() -> tuple[Any, Any]:
    """(references, how far the capture's clock is ahead of them: SAMPLES each, nanoseconds)."""
    references = table(REFERENCES, REFERENCE)
    references.sequence = NOTHING
    return references, np.zeros(REFERENCES * SAMPLES, np.int64)


@kernel
def _reference(kind: int, family: int, a: int, b: int, c: int, d: int, place: int, time: int, references: Any) -> int:
    """The row of this clock as an interface sees it. A new one takes that of one that was silent in this window, longest of all; else there is none: -1."""
    oldest = NOTHING
    for number in range(len(references)):
        row = references[number]
        if row.kind == kind and row.family == family and row.a == a and row.b == b and row.c == c and row.d == d and row.place == place:
            row.last = time
            return number
        if row.samples == 0 and (oldest < 0 or row.last < references[oldest].last):
            oldest = number
    if oldest >= 0:
        row = references[oldest]
        row.kind, row.family, row.a, row.b, row.c, row.d, row.place, row.last = kind, family, a, b, c, d, place, time
        row.behind, row.announced, row.sequence, row.samples = 0, 0, NOTHING, 0
    return oldest


@inline
def _compare(number: int, captured: int, told: int, references: Any, differences: Any) -> None:
    row = references[number]
    row.samples = min(row.samples + 1, SAMPLES)
    differences[number * SAMPLES + row.samples - 1] = captured - told


@kernel
def _ntp(memory: Any, packet: Any, hosts: Any, place: int, references: Any, differences: Any) -> None:
    """What a synchronised server says; its transmit timestamp is that of this very packet."""
    at, end = packet.payload, packet.payload + packet.length
    first, stratum = u8(memory, at, end, packet), u8(memory, at + 1, end, packet)
    seconds, fraction = u32be(memory, at + 40, end, packet), u32be(memory, at + 44, end, packet)
    if packet.short or first >> 6 == 3 or first & 7 not in (SERVER, BROADCAST) or not 1 <= stratum <= 15 or seconds == 0:
        return
    seconds += LAST_SECOND if seconds < LAST_SECOND // 2 else 0  # the era that begins in 2036
    host = hosts[packet.source]
    number = _reference(NTP, host.family, host.a, host.b, host.c, host.d, place, packet.time, references)
    if number >= 0:
        _compare(number, packet.time, (seconds - SINCE_1900) * BILLION + (fraction * BILLION >> 32), references, differences)


@kernel
def _time_told(memory: Any, packet: Any, at: int, end: int) -> int:
    """A timestamp of PTP with the message's correction, nanoseconds of TAI since 1970; NOTHING where it is none."""
    seconds, fraction = u48be(memory, at + 34, end, packet), u32be(memory, at + 40, end, packet)
    correction = signed(u32be(memory, at + 8, end, packet), 32) << 16 | u16be(memory, at + 12, end, packet)
    if packet.short or not 0 < seconds < LAST_SECOND or fraction >= BILLION:
        return NOTHING
    return seconds * BILLION + fraction + correction


@kernel
def _ptp(memory: Any, packet: Any, place: int, references: Any, differences: Any) -> None:
    at, end = packet.payload, packet.payload + packet.length
    kind, flags = u8(memory, at, end, packet) & 15, u16be(memory, at + 6, end, packet)
    high, low = u32be(memory, at + 20, end, packet), u32be(memory, at + 24, end, packet)
    domain, sequence = u8(memory, at + 4, end, packet), u16be(memory, at + 30, end, packet)
    if packet.short or u8(memory, at + 1, end, packet) & 15 != 2 or kind not in (SYNC, FOLLOW_UP, ANNOUNCE):
        return
    number = _reference(PTP, domain, high, low, 0, 0, place, packet.time, references)
    if number < 0:
        return
    row = references[number]
    if kind == ANNOUNCE:
        offset = signed(u16be(memory, at + 44, end, packet), 16)
        row.announced = 1 if flags & KNOWN_UTC == KNOWN_UTC and packet.short == 0 else 0
        row.behind = offset * BILLION
    elif kind == SYNC and flags & TWO_STEP:
        row.sequence, row.captured = sequence, packet.time
    elif row.announced and (kind == SYNC or row.sequence == sequence):
        told = _time_told(memory, packet, at, end)
        if told != NOTHING:
            _compare(number, packet.time if kind == SYNC else row.captured, told - row.behind, references, differences)
            row.sequence = NOTHING


@inline
def tells_time(packet: Any) -> bool:
    """May this packet, which has payload, tell what time it is?"""
    return bool(packet.source_port == NTP_PORT or packet.port in (PTP_EVENT, PTP_GENERAL) or packet.ethertype == PTP_ETHERTYPE)


@kernel
def read_clock(memory: Any, packet: Any, hosts: Any, place: int, references: Any, differences: Any) -> None:
    """Take what it tells as a sample of its sender's clock."""
    short = packet.short
    if packet.source_port != NTP_PORT:
        _ptp(memory, packet, place, references, differences)
    elif packet.transport == UDP:
        _ntp(memory, packet, hosts, place, references, differences)
    packet.short = short
