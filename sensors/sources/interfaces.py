"""What a capture tells of its interfaces beside their packets: names, and what was dropped (interface statistics of pcapng)."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from sensors.source import Drop
from sensors.sources.formats import options

LONGEST_NAME: Final = 64
DROPPED: Final = (5, 7)  # options of statistics: what the interface and what the operating system dropped since the capture began
MOST_DROPPED: Final = 1 << 40


class Interfaces:
    """`names` of all sections' interfaces, in order; `drops` told since the last batch."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.drops: list[Drop] = []
        self._here: Counter[str] = Counter()  # names of this section
        self._first = 0  # interface of this section
        self._told: dict[int, int] = {}  # by interface, what it dropped

    def section(self) -> None:
        """A section begins."""
        self._here.clear()
        self._first = len(self.names)

    def describe(self, name: str) -> None:
        """One more interface of this section, which may have several of a name; one without a name is called by its number."""
        name = name[:LONGEST_NAME] or str(len(self.names) - self._first)
        self._here[name] += 1
        self.names.append(f"{name} ({self._here[name]})" if self._here[name] > 1 else name)

    def statistics(self, block: bytes, order: str, row: int) -> None:
        """What an interface says it dropped, before this row of the batch: numbers that grow, until they begin anew."""
        (number,) = struct.unpack_from(f"{order}I", block, 8)
        number += self._first
        told = {code: struct.unpack(f"{order}Q", value)[0] for code, value in options(block, order, 20) if code in DROPPED and len(value) == 8}
        packets, before = min(sum(told.values()), MOST_DROPPED), self._told.get(number, 0)
        if number < len(self.names) and packets != before:
            self._told[number] = packets
            self.drops.append(Drop(row, number, packets - before if packets > before else packets))
