"""What objects are called on the wire: each name once, with a number by which operations are grouped. Bounded; identities never depend on the numbers."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import copy, inline, kernel, mix, number_of, same_octets, tag_fits, tagged, u8
from sensors.engine.tables import NAME, NAMES, table
from sensors.engine.tables import index as new_index

MOST_NAMES: Final = 1 << 15
MOST_NAME: Final = 255  # octets; what is longer is cut, marked as cut, and told apart by these alone
OCTETS: Final = 1 << 20


def name_tables(place: int) -> tuple[Any, Any, Any]:
    """(names, index, counters); their octets lie in the arena from `place` on."""
    counters = table(1, NAMES)
    counters.place = counters.fill_at = place
    counters.end = place + OCTETS
    return table(MOST_NAMES, NAME), new_index(MOST_NAMES), counters


@kernel
def _hash(memory: Any, at: int, octets: int, counters: Any) -> int:
    hashed = octets
    for i in range(at, at + octets):
        hashed = mix(hashed, u8(memory, i, at + octets, counters))
    return hashed


@inline
def _is(memory: Any, row: Any, at: int, octets: int, cut: int) -> bool:
    return row.octets == octets and row.cut == cut and same_octets(memory, row.at, at, octets)


@kernel
def intern(memory: Any, at: int, octets: int, names: Any, index: Any, counters: Any) -> int:
    """The number of this name; -1 where there is none, -2 where there is no room for it."""
    cut = 1 if octets > MOST_NAME else 0
    octets = min(octets, MOST_NAME)
    if octets <= 0 or at < 0 or at + octets > len(memory):
        return -1
    last = len(index) - 1
    hashed = mix(_hash(memory, at, octets, counters), cut) if cut else _hash(memory, at, octets, counters)
    place = hashed & last
    while index[place] >= 0:
        if tag_fits(index[place], hashed) and _is(memory, names[number_of(index[place])], at, octets, cut):
            return number_of(index[place])
        place = (place + 1) & last
    if counters.names == len(names) or counters.fill_at + octets > counters.end:
        return -2
    number = int(counters.names)
    row = names[number]
    row.at, row.octets, row.cut = counters.fill_at, octets, cut
    copy(memory, counters.fill_at, at, octets)
    counters.fill_at += octets
    counters.names += 1
    index[place] = tagged(hashed, number)
    return number
