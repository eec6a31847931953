"""What a stream delivered last, to compare with what comes again: two versions of the same octets are an attack on whoever listens, or a broken device.

Each direction of a recognised connection has the last HISTORY octets, at their sequence numbers in a ring. Flows share HISTORIES rings by their number;
whoever delivered last has it.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import signed
from sensors.engine.octets import copy, inline, kernel, same_octets

HISTORY: Final = 2048  # more than the largest segment on Ethernet
HISTORIES: Final = 1 << 12
OCTETS: Final = HISTORY * HISTORIES


@inline
def remember(memory: Any, place: int, number: int, flow: Any, sequence: int, at: int, end: int, histories: Any) -> None:
    """Octets [at, end) were delivered from this sequence number on. `place`: where in memory the rings begin."""
    row = number & HISTORIES - 1
    history = histories[row]
    if history.flow != number or history.connection != flow.connection or history.until != sequence:
        history.flow, history.connection, history.since = number, flow.connection, sequence
    until = (sequence + end - at) & 0xFFFFFFFF
    if signed(until - history.since) > HISTORY:
        history.since = (until - HISTORY) & 0xFFFFFFFF
    history.until = until
    kept = min(end - at, HISTORY)
    ring = place + row * HISTORY
    begin = (until - kept) & HISTORY - 1
    first = min(kept, HISTORY - begin)
    copy(memory, ring + begin, end - kept, first)
    copy(memory, ring, end - kept + first, kept - first)


@kernel
def contradicts(memory: Any, place: int, number: int, flow: Any, sequence: int, at: int, end: int, histories: Any) -> bool:
    """Do octets [at, end), which begin at this sequence number, differ from what was delivered there? False as far as nobody remembers."""
    row = number & HISTORIES - 1
    history = histories[row]
    if history.flow != number or history.connection != flow.connection:
        return False
    first = max(0, signed(history.since - sequence))
    last = min(end - at, signed(history.until - sequence))
    ring = place + row * HISTORY
    while first < last:
        begin = (sequence + first) & HISTORY - 1
        octets = min(last - first, HISTORY - begin)
        if not same_octets(memory, at + first, ring + begin, octets):
            return True
        first += octets
    return False
