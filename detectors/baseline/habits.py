"""Habits: who does what to whom, on which objects, how often. What was learned and what people edit is one and the same thing.

A habit is a source, a destination, a protocol, an effect, a unit and a space, with the objects that were ever meant: a request within them is no news,
however it is cut. What serves the network (ARP, DNS …) has no habits.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from detectors.baseline.numbering import numbered
from detectors.phrases import ACTING
from sensors.protocol import protocols

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Row = dict[str, Any]
MOST: Final = 65_536  # habits; beyond them nothing more is learned, and that is counted
MOST_SPANS: Final = 64  # of a habit; beyond them the two that are nearest become one
MOST_NAMES: Final = 256  # of a habit; beyond them any name is meant
ANY: Final = "*"
CHANGING: Final = ACTING - {"diagnose"}  # who only asks for diagnostics changes nothing
COLUMNS: Final = (
    "source.ip", "source.mac", "destination.ip", "destination.mac", "network.protocol", "ot.access", "ot.effect", "ot.unit", "ot.object.space",
    "ot.object.name", "ot.object.first", "ot.object.last",
)  # fmt: skip


class Key(NamedTuple):
    """What a habit is about; unit and space may be absent."""

    source: str
    destination: str
    protocol: str
    effect: str
    unit: int | None
    space: str | None


@dataclass(slots=True)
class Habit:
    """`spans`: first and last object (as on the wire) of each range, in order; `names` of objects that have one."""

    access: str = ""
    spans: list[list[int]] = field(default_factory=list[list[int]])
    names: list[str] = field(default_factory=list[str])

    def holds(self, row: Row) -> bool:
        """Whether the objects of a row are among its own; a row without any is."""
        name, first, last = row["ot.object.name"], row["ot.object.first"], row["ot.object.last"]
        if first is None:
            return name is None or ANY in self.names or name in self.names
        at = bisect_right(self.spans, [first, 2**63]) - 1
        return at >= 0 and self.spans[at][0] <= first and self.spans[at][1] >= (first if last is None else last)

    def add(self, row: Row) -> None:
        """The objects of a row are among its own from now on."""
        name, first, last = row["ot.object.name"], row["ot.object.first"], row["ot.object.last"]
        if first is not None:
            self.spans = _merged([*self.spans, [first, first if last is None else last]])
        elif name is not None and name not in self.names and ANY not in self.names:
            self.names = sorted([*self.names, name]) if len(self.names) < MOST_NAMES else [ANY]


class Baseline:
    """All habits of a network. `shed` counts those for which there was no room; `news` tells what about a row is none."""

    def __init__(self, habits: Mapping[Key, Habit] | None = None, shed: int = 0) -> None:
        self.habits = dict(habits or {})
        self.shed = shed
        self._sources: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()
        self._spoken: set[tuple[str, str, str]] = set()
        self._acting: set[tuple[str, str]] = set()
        self._deeds: dict[tuple[str, str, str, str], list[Habit]] = {}
        for key, habit in self.habits.items():
            self._know(key, habit)

    def learn(self, rows: pa.Table) -> None:
        """What these activities did is normal."""
        for values in numbered(rows, COLUMNS)[1]:
            row: Row = dict(zip(COLUMNS, values, strict=True))
            key = key_of(row)
            if key is None:
                continue
            habit = self.habits.get(key)
            if habit is None:
                if len(self.habits) >= MOST:
                    self.shed += 1
                    continue
                habit = self.habits[key] = Habit(row["ot.access"] or "")
                self._know(key, habit)
            habit.add(row)

    def news(self, row: Row) -> str | None:
        """What about a row is no habit: its `host`, the `pair`, the `protocol` or the `effect` between them, the `object`; None where all of it is one."""
        key = key_of(row)
        if key is None or self._holds(key, row):
            return None
        pair = key.source, key.destination
        if pair not in self._pairs:
            return "pair" if key.source in self._sources else "host"
        if (*pair, key.protocol) not in self._spoken:
            return "protocol"
        return "object" if (*pair, key.protocol, key.effect) in self._deeds else "effect"

    def acts(self, source: str, destination: str) -> bool:
        """Whether this source is used to change something at this destination."""
        return (source, destination) in self._acting

    def _holds(self, key: Key, row: Row) -> bool:
        habit = self.habits.get(key)
        return habit is not None and habit.holds(row)

    def _know(self, key: Key, habit: Habit) -> None:
        self._sources.add(key.source)
        self._pairs.add(key[:2])
        self._spoken.add(key[:3])
        self._deeds.setdefault(key[:4], []).append(habit)
        if habit.access in CHANGING:
            self._acting.add(key[:2])


def key_of(row: Row) -> Key | None:
    """The habit that a row would be; None for what serves the network, and where an end is not known."""
    source, destination = row["source.ip"] or row["source.mac"], row["destination.ip"] or row["destination.mac"]
    protocol = row["network.protocol"] or "unknown"
    if source is None or destination is None or protocol in serving():
        return None
    return Key(source, destination, protocol, row["ot.effect"] or "unknown", row["ot.unit"], row["ot.object.space"])


@cache
def serving() -> frozenset[str]:
    """Protocols that serve the network, whoever is on it."""
    return frozenset(protocol.name for protocol in protocols() if protocol.infrastructure)


def _merged(spans: list[list[int]]) -> list[list[int]]:
    """Ranges in order, those that touch made one; of too many, those that are nearest."""
    made: list[list[int]] = []
    for first, last in sorted(spans):
        if made and first <= made[-1][1] + 1:
            made[-1] = [made[-1][0], max(made[-1][1], last)]
        else:
            made.append([first, last])
    while len(made) > MOST_SPANS:
        at = min(range(1, len(made)), key=lambda number: made[number][0] - made[number - 1][1])
        made[at - 1 : at + 1] = [[made[at - 1][0], made[at][1]]]
    return made


def order(key: tuple[Any, ...]) -> tuple[str, ...]:
    """A key, so that numbers stand in their order and what is absent first."""
    return tuple("" if part is None else f"{part:020}" if isinstance(part, int) else part for part in key)


def ordered(baseline: Baseline) -> list[tuple[Key, Habit]]:
    """Its habits in an order that does not depend on how they were learned."""
    return sorted(baseline.habits.items(), key=lambda each: order(each[0]))
