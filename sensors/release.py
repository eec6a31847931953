"""Operations with their answers to activities and points: grouped, collected, named, in the order in which they left pairing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.effects import EFFECTS, Effect
from sensors.activities import Naming
from sensors.engine import grouping, points
from sensors.engine.interpreted import rows
from sensors.engine.tables import BLOCK, FOREVER, GROUP, GROUPS, OPERATION, POINT, POINT_ROW, POINTS, SAMPLE, WINDOW, index, table
from sensors.inventory import Inventory
from sensors.protocol import protocols

if TYPE_CHECKING:
    import pyarrow as pa

    from sensors.origin import Origin

DONE: Final = 1 << 12  # operations that are handed on at a time: few enough to stay in a cache
TOLD: Final = 1 << 14  # … their samples
TOLD_OCTETS: Final = 1 << 20  # … and the octets of these
GROUP_ROWS: Final = 1 << 15
BLOCKS: Final = 1 << 12
RELEASE_ROWS: Final = 1 << 13  # rows named at a time
RUNS: Final = frozenset({"cpu.start", "cpu.stop", "mode.change"})  # whether and how a controller runs is for who programs it
STARTING: Final = frozenset({"reporting.enable", "reporting.disable"})  # every master does this when it starts


def _traits(effect: Effect) -> int:
    """What grouping has to know of an effect."""
    programs = effect.access in ("program", "configure", "file") and effect.technique and effect.name not in STARTING
    engineers = grouping.ENGINEERS if programs or effect.name in RUNS else 0
    reads = grouping.READS if effect.access == "read" else 0
    return engineers | reads | (grouping.ITS_OWN if effect.own else 0) | (grouping.TRIES if effect.name == "unknown" else 0)


TRAITS: Final = np.array([_traits(effect) for effect in EFFECTS], np.int64)


@dataclass(slots=True)
class Handed:
    """What pairing hands on: operations, their samples, and the octets that these point into. It refers to no other memory."""

    done: Any = field(default_factory=lambda: table(DONE, OPERATION))
    told: Any = field(default_factory=lambda: table(TOLD, SAMPLE))
    octets: Any = field(default_factory=lambda: np.zeros(TOLD_OCTETS, np.uint8))
    count: int = 0
    samples: int = 0
    texts: int = 0


class Release:
    """The open windows of one engine, and what has left them. `hosts`, `conversations`, `names` and `arena` are the engine's: here only roles are written."""

    def __init__(self, origin: Origin, hosts: Any, conversations: Any, names: Any, arena: Any) -> None:
        self.hosts, self.conversations = hosts, conversations
        self.naming = Naming(origin, hosts, conversations, names, arena)
        self.inventory = Inventory(origin.site, self.naming)
        self.activities: deque[pa.Table] = deque()
        self.points: deque[pa.Table] = deque()
        self._make_group_tables()
        self._make_point_tables()

    def _make_group_tables(self) -> None:
        self.hashes = np.zeros(DONE, np.int64)
        self.groups, self.group_index, self.counters = table(GROUP_ROWS, GROUP), index(GROUP_ROWS), table(1, GROUPS)
        self.counters.due, self.counters.closed = FOREVER, -WINDOW
        self.rows, self.seen = table(GROUP_ROWS + RELEASE_ROWS, GROUP), np.zeros((2, 4 * GROUP_ROWS), np.int64)
        self.by_effect, self.by_protocol = np.zeros(len(EFFECTS), np.int64), np.zeros(max(len(protocols()), 1), np.int64)

    def _make_point_tables(self) -> None:
        self.blocks, self.block_index, self.point_counters = table(BLOCKS, BLOCK), index(BLOCKS), table(1, POINTS)
        self.point_counters.due, self.point_counters.free_block = FOREVER, -1
        each = BLOCKS * points.BLOCK_POINTS
        self.point_table, self.values = table(each, POINT), np.zeros(points.BLOCK_POINTS)
        self.finals, self.counts, self.ends = np.zeros(each), np.zeros(each, np.int64), np.zeros(each, np.int64)
        self.point_rows = table(each + 8 * 65536, POINT_ROW)
        self.scratch = table(1, np.dtype([("short", "u1")], align=True))

    def bind(self) -> None:
        """The rows of counters that are read and set here; asked for once the tables lie where they stay."""
        (self._counters,), (self._point_counters,) = rows(self.counters), rows(self.point_counters)

    @property
    def shed(self) -> int:
        """What found no room so far."""
        return int(self._point_counters.shed + self._counters.unseen) + self.inventory.shed

    @property
    def waits(self) -> bool:
        """Whether something has left that nobody has taken."""
        return bool(self.activities or self.points or self._counters.released or self._point_counters.rows)

    def take_in(self, given: Handed) -> None:
        """Count operations into groups, their values into points; what leaves is named when there is much of it."""
        count = given.count
        if given.texts:
            self.inventory.identify(given.octets, given.done[:count], given.told[: given.samples], self.conversations)
        at = 0
        while at < count:
            at = self._group(at, count, given)
            if at < count:
                self.name_activities()
        at = 0
        while at < count:
            at = self._collect(at, count, given)
            if at < count:
                self.name_points()
        if self._counters.released + self._point_counters.rows > RELEASE_ROWS:
            self.name()

    def _group(self, at: int, count: int, given: Handed) -> int:
        return grouping.group(
            at, count, given.done, self.hashes, TRAITS, self.by_effect, self.by_protocol, self.groups, self.group_index, self.rows, self.seen,
            self.counters, self.hosts, self.conversations,
        )  # fmt: skip

    def _collect(self, at: int, count: int, given: Handed) -> int:
        return points.collect(
            given.octets, at, count, given.done, given.told, self.conversations,
            self.blocks, self.block_index, self.point_table, self.finals, self.counts, self.ends,
            self.point_rows, self.point_counters, self.values, self.scratch,
        )  # fmt: skip

    def close_until(self, now: int) -> None:
        """Close every window whose time is up at `now`; all groups and points must find room among the released rows."""
        if self._counters.released > RELEASE_ROWS:
            self.name_activities()
        grouping.pass_time(now, self.groups, self.group_index, self.rows, self.seen, self.counters, self.hosts, self.conversations)
        self.close_points(now)

    def close_points(self, now: int) -> None:
        """The same for the windows of points alone."""
        if self._point_counters.rows > RELEASE_ROWS:
            self.name_points()
        points.pass_time(now, self.blocks, self.point_table, self.finals, self.counts, self.ends, self.point_rows, self.point_counters)

    def name(self) -> None:
        """Name everything that has left."""
        self.name_activities()
        self.name_points()

    def name_activities(self) -> None:
        """Name the released groups: their rows are free again."""
        released = self.rows[: self._counters.released]
        if len(released):
            self.inventory.note(released, self.conversations, self.hosts)
            self.activities.append(self.naming.activities(released))
            self._counters.released = 0

    def name_points(self) -> None:
        """Name the released points: their rows are free again."""
        told = self.point_rows[: self._point_counters.rows]
        if len(told):
            self.points.append(self.naming.points(told))
            self._point_counters.rows = 0

    def clear_groups(self) -> None:
        """Every group leaves before its time: numbers in it are about to change their meaning."""
        self.name_activities()
        grouping.clear(self.groups, self.group_index, self.rows, self.seen, self.counters, self.hosts, self.conversations)
        self.name_activities()

    def forget_named_points(self) -> None:
        """Names are about to get other numbers."""
        points.forget_names(
            self.blocks, self.block_index, self.point_table, self.finals, self.counts, self.ends, self.point_rows, self.point_counters
        )  # fmt: skip
        self.name_points()

    def used_hosts(self) -> Any:
        """The hosts that have values."""
        return self.blocks.host[: self._point_counters.blocks]

    def exercises(self) -> tuple[Any, ...]:
        """Calls of every kernel on nothing, so that it compiles."""
        none = Handed()
        return (
            lambda: (self._group(0, 0, none), self.close_until(0), self.clear_groups(), self.naming.points(self.point_rows[:1])),
            lambda: (self._collect(0, 0, none), self.forget_named_points()),
        )
