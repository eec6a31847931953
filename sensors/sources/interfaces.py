"""What a capture tells of its interfaces beside their packets: names, what was dropped, and what time it was (interface statistics of pcapng)."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from typing import Any, Final

from sensors.broken import told_in
from sensors.pcapng import ABSENT, BROKEN, DARK, PRESSED
from sensors.source import Drop, Tick
from sensors.sources.formats import SECTION_HEADER, nanoseconds, options, section_order

LONGEST_NAME: Final = 64
DROPPED: Final = (5, 7)  # options of statistics: what the interface and what the operating system dropped since the capture began
MOST_DROPPED: Final = 1 << 40
MOST_DARK: Final = 1 << 40  # nanoseconds between two statistics, which stand a second apart
MOST_ABSENT: Final = 1 << 56  # two years
MOST_UNITS: Final = (1 << 63) - 1
COMMENT, APPLICATION = 1, 4  # options of a section: here the name of the run; what wrote it
OURS: Final = b"Balefire"


def run_of(head: bytes) -> str:
    """The name of the run of our own sensor whose capture begins so; empty for any other capture. A name is a digest, whatever is said there."""
    order = section_order(head)
    if order is None:
        return ""
    (length,) = struct.unpack_from(f"{order}I", head, 4)
    told = dict(options(head[:length], order, SECTION_HEADER - 4))
    return hashlib.sha256(told.get(COMMENT, b"")).hexdigest() if told.get(APPLICATION) == OURS and COMMENT in told else ""


class Interfaces:
    """`names` of all sections' interfaces, in order; `drops` and `ticks` told since the last batch.

    Only the statistics of our own sensor tell that all packets before their time are there: those of others stand anywhere.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.drops: list[Drop] = []
        self.ticks: list[Tick] = []
        self._here: Counter[str] = Counter()  # names of this section
        self._first = 0  # interface of this section
        self._ours = False
        self._told: dict[int, int] = {}  # by interface, what it dropped

    def section(self, block: bytes, order: str) -> None:
        """A section begins."""
        self._ours = (APPLICATION, OURS) in options(block, order, 24)
        self._here.clear()
        self._first = len(self.names)

    def describe(self, name: str) -> None:
        """One more interface of this section, which may have several of a name; one without a name is called by its number."""
        name = name[:LONGEST_NAME] or str(len(self.names) - self._first)
        self._here[name] += 1
        self.names.append(f"{name} ({self._here[name]})" if self._here[name] > 1 else name)

    def statistics(self, block: bytes, order: str, row: int, table: Any) -> None:
        """What an interface (a row of `table`) says it dropped, before this row of the batch: numbers that grow, until they begin anew."""
        number, high, low = struct.unpack_from(f"{order}III", block, 8)
        number += self._first
        said = options(block, order, 20)
        told = {code: struct.unpack(f"{order}Q", value)[0] for code, value in said if code in (*DROPPED, DARK, ABSENT, PRESSED) and len(value) == 8}
        dark, absent = min(told.pop(DARK, 0), MOST_DARK), min(told.pop(ABSENT, 0), MOST_ABSENT)
        pressed = bool(told.pop(PRESSED, 0))
        if self._ours and number < len(self.names):
            time, broken = int(nanoseconds((high << 32 | low) & MOST_UNITS, table[number])), told_in(dict(said).get(BROKEN, b""))
            self.ticks.append(Tick(row, time, number, dark, absent, broken, pressed))
        packets, before = min(sum(told.values()), MOST_DROPPED), self._told.get(number, 0)
        if number < len(self.names) and packets != before:
            self._told[number] = packets
            self.drops.append(Drop(row, number, packets - before if packets > before else packets))
