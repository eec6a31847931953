"""Whose counters these are: those of the interface that the packet came from stand in `streams`, those of all others aside.

Most captures have one interface, so that counting costs no more for knowing of several.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.octets import inline, kernel
from sensors.engine.tables import STREAMS

INTERFACES: Final = 16  # that have counters of their own; the last place is that of all others
NUMBERS: Final = 1 << 14  # interfaces that one source may number
COUNTERS: Final = (STREAMS.names or ()).index("packets")  # from this field of `streams` on all are counters


def interface_tables(streams: Any) -> tuple[Any, Any, Any]:
    """(counters: those in the row of `streams`; aside: those of each place, one behind the other; places: by an interface's number)."""
    counters = counters_of(streams)
    return counters, np.zeros(INTERFACES * len(counters), np.int64), np.zeros(NUMBERS, np.int64)


def counters_of(streams: Any) -> Any:
    """The counters in the row of `streams`: the same memory."""
    return np.asarray(streams).view(np.int64)[COUNTERS:]


@inline
def place_of(number: int, places: Any) -> int:
    """The place of the interface of this number."""
    return int(places[min(number, len(places) - 1)])


@kernel
def turn(place: int, streams: Any, counters: Any, aside: Any) -> None:
    """From now on count for the interface of this place."""
    if place == streams.place:
        return
    here, there = streams.place * len(counters), place * len(counters)
    for k in range(len(counters)):
        aside[here + k] = counters[k]
        counters[k] = aside[there + k]
    streams.place = place


@inline
def turn_to(packet: Any, places: Any, streams: Any, counters: Any, aside: Any) -> None:
    """From now on count for the interface of this packet."""
    if packet.interface != streams.interface:
        streams.interface = packet.interface
        turn(place_of(packet.interface, places), streams, counters, aside)
