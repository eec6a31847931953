"""PCCC inside the Common Industrial Protocol (class 103): to the device that is asked, or to a station of Data Highway Plus behind it.

On a connection to class 166 it stands without a service, behind link, station and control of both ends, as drivers open it; not published.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.cip import BAD_VALUE, PCCC
from sensors.engine.octets import inline, kernel, u8, u16le
from sensors.engine.tables import RESPONSE

HIGHWAY_HEADER, PCCC_HEADER = 8, 4  # octets
NO_COMMAND: Final = 0xB0  # bits that are not set in one
ON_HIGHWAY: Final = 1 << 47  # transactions of connections to class 166


@kernel
def read_pccc(memory: Any, at: int, end: int, row: Any) -> int:
    """Who asks, and a PCCC message, which is handed on."""
    octets = u8(memory, at, end, row)
    if row.short == 0 and octets > 0 and at + octets < end:
        row.payload, row.payload_length, row.selector = at + octets, end - at - octets, PCCC
    elif row.short == 0:
        row.anomaly |= BAD_VALUE
    return end


@kernel
def read_data_highway(memory: Any, at: int, end: int, row: Any) -> int:
    """A PCCC message to a station of Data Highway Plus behind the one that is asked: link, station and control of both ends in front, the target's first."""
    if row.role != RESPONSE:
        station = u8(memory, at + 2, end, row)
        row.unit = station if row.short == 0 else row.unit
    if at + HIGHWAY_HEADER >= end:
        row.short = 1
    else:
        row.payload, row.payload_length, row.selector = at + HIGHWAY_HEADER, end - at - HIGHWAY_HEADER, PCCC
    return end


@inline
def is_on_highway(transaction: int) -> bool:
    """Is this a message of a connection to class 166?"""
    return transaction >= 0 and transaction & ON_HIGHWAY != 0


@inline
def transaction_of(memory: Any, at: int, end: int, row: Any) -> int:
    """The transaction code of a PCCC message behind the header of Data Highway Plus."""
    return u16le(memory, at + HIGHWAY_HEADER + 2, end, row)


@kernel
def looks_like_highway(memory: Any, at: int, end: int, row: Any) -> bool:
    """Is this PCCC without a service? Of a connection whose opening was not seen: link 0 at both ends, where no service is 0, and a command."""
    if end - at < HIGHWAY_HEADER + PCCC_HEADER or u16le(memory, at, end, row) != 0 or u16le(memory, at + 4, end, row) != 0:
        return False
    return u8(memory, at + HIGHWAY_HEADER, end, row) & NO_COMMAND == 0
