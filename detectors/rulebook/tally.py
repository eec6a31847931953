"""What the newest window of a group comes to, kept row by row: so that a new row costs what it brings, however much is remembered.

A tally says whether a window that a new row is in may be enough. It never says no where one is; where it says yes, the window is worked out from its
rows (`windows`). A row that comes in the order of times has one window, which ends at it. One that is late has several: they are looked at together.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Protocol

from detectors.rulebook.correlation import TEMPORAL
from detectors.rulebook.windows import HOLDS, LOWER, SLACK, UPPER, elements

if TYPE_CHECKING:
    from detectors.rulebook.correlation import Correlation

Row = tuple[int, int, Any]  # time, number, what it brings

NEVER: Final = -(2**63)
FEW: Final = 4  # rows of a group that need no sums
TRIMMED: Final = 1024  # rows that no window reaches any more, before they are let go
ERROR: Final = 2.0**-52  # by which one addition in floating point may err, of the largest number that was there


class _Sum(Protocol):
    """What rows come to. `brought` is what a row brings: its weight, its parts, or its value."""

    def add(self, brought: Any) -> None: ...
    def drop(self, brought: Any) -> None: ...
    def enough(self) -> bool:
        """Whether a window of just these rows may be enough."""
        ...

    def possible(self) -> bool:
        """Whether a window of some of these rows may be."""
        ...


class Tally:
    """One group. `late`: nanoseconds that a row may come after later ones and still be told from all that it could belong to. `newest`: its latest time.

    Of most groups there are few rows. They are held as they are and worked out anew, for whoever makes up hosts can make tens of thousands of groups.
    """

    __slots__ = ("_correlation", "_late", "_number", "_rows", "_running", "newest")

    def __init__(self, correlation: Correlation, late: int) -> None:
        self._correlation, self._late = correlation, late
        self.newest = NEVER
        self._number = 0
        self._rows: list[Row] = []  # in the order of times; none where they are running
        self._running: _Running | None = None

    def add(self, time: int, brought: Any) -> bool:
        """Take in a row; whether any window with it may be enough."""
        self._number += 1
        row = (time, self._number, brought)
        if self._running is not None:
            self.newest = max(self.newest, time)
            return self._running.add(row)
        insort(self._rows, row)
        late, self.newest = time < self.newest, max(self.newest, time)
        if self._rows[0][0] <= self.newest - self._correlation.span - self._late:
            self._rows = [one for one in self._rows if one[0] > self.newest - self._correlation.span - self._late]
        if len(self._rows) > FEW:
            self._running = _Running(self._correlation, self._late)
            for one in self._rows:
                self._running.add(one)
            self._rows = []
        return self._worth(row, late=late)

    def _worth(self, row: Row, *, late: bool) -> bool:
        """Whether any window with the row that was taken in last may be enough."""
        held = self._running.rows if self._running else self._rows
        if late and row[0] <= self.newest - self._late:
            return True
        window = _sum_of(self._correlation)
        order = _Order(self._correlation) if self._correlation.kind == "temporal_ordered" and not late else None
        start = self.newest - self._correlation.span
        ordered = order is None
        for time, _, brought in held:
            if late or time > start:
                window.add(brought)
            if order is not None:
                ordered = order.add(time, brought, start)
        return ordered and (window.possible() if late else window.enough())

    def forget(self, start: int) -> bool:
        """Let go of what is not after `start`, which is remembered no more; whether nothing is left."""
        if self._running is not None:
            self._running.forget(start)
            return not self._running.rows
        if self._rows[0][0] <= start:
            self._rows = [row for row in self._rows if row[0] > start]
        return not self._rows


class _Running:
    """Sums of the rows of a group that go along with it."""

    __slots__ = ("_first", "_furthest", "_late", "_order", "_reach", "_span", "_window", "newest", "rows")

    def __init__(self, correlation: Correlation, late: int) -> None:
        self._span, self._late = correlation.span, late
        self.newest = NEVER
        self.rows: list[Row] = []  # in the order of times
        self._window, self._reach = _sum_of(correlation), _sum_of(correlation)  # of the newest window, and of all that a late row may belong to
        self._first = self._furthest = 0  # the places where they begin
        self._order = _Order(correlation) if correlation.kind == "temporal_ordered" else None

    def add(self, row: Row) -> bool:
        """Take in a row; whether any window with it may be enough."""
        time, _, brought = row
        if time >= self.newest:
            self.newest = time
            self.rows.append(row)
            self._window.add(brought)
            self._reach.add(brought)
            self._first = self._passed(self._window, self._first, time - self._span)
            self._furthest = self._passed(self._reach, self._furthest, time - self._span - self._late)
            self._trim()
            ordered = self._order is None or self._order.add(time, brought, time - self._span)
            return ordered and self._window.enough()
        return self._add_late(row)

    def _add_late(self, row: Row) -> bool:
        (time, _, brought), newest = row, self.newest
        if time <= newest - self._span - self._late:
            return True
        insort(self.rows, row)
        self._reach.add(brought)
        if time > newest - self._span:
            self._window.add(brought)
        else:
            self._first += 1
        if self._order is not None:
            self._order.disturbed = max(self._order.disturbed, time)
        return time <= newest - self._late or self._reach.possible()

    def _passed(self, held: _Sum, first: int, start: int) -> int:
        """Let go of what a window that begins after `start` does not hold; where it begins now."""
        while self.rows[first][0] <= start:
            held.drop(self.rows[first][2])
            first += 1
        return first

    def _trim(self) -> None:
        if self._furthest >= TRIMMED and 2 * self._furthest > len(self.rows):
            del self.rows[: self._furthest]
            self._first -= self._furthest
            self._furthest = 0

    def forget(self, start: int) -> None:
        """Let go of what is not after `start`: it is remembered no more."""
        while self._furthest < len(self.rows) and self.rows[self._furthest][0] <= start:
            brought = self.rows[self._furthest][2]
            self._reach.drop(brought)
            if self._first <= self._furthest:
                self._window.drop(brought)
                self._first += 1
            self._furthest += 1
        if self._furthest == len(self.rows):
            self.rows, self._first, self._furthest = [], 0, 0


def _sum_of(correlation: Correlation) -> _Sum:
    if correlation.kind == "event_count":
        return _Weight(correlation)
    if correlation.kind == "value_count":
        return _Different(correlation)
    return _There(correlation) if correlation.kind in TEMPORAL else _Values(correlation)


class _Weight:
    """How many operations rows stand for."""

    __slots__ = ("_bounds", "_lower", "_total")

    def __init__(self, correlation: Correlation) -> None:
        self._bounds = correlation.bounds
        self._lower = tuple(bound for bound in correlation.bounds if bound[0] in LOWER)
        self._total = 0

    def add(self, brought: int) -> None:
        self._total += brought

    def drop(self, brought: int) -> None:
        self._total -= brought

    def enough(self) -> bool:
        return all(HOLDS[name](self._total, number) for name, number in self._bounds)

    def possible(self) -> bool:
        return all(self._total >= number for _, number in self._lower)


class _Different(_Weight):
    """How many different values rows have."""

    __slots__ = ("_held",)

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._held: Counter[Any] = Counter()

    def add(self, brought: Any) -> None:
        for value in elements(brought):
            self._held[value] += 1
        self._total = len(self._held)

    def drop(self, brought: Any) -> None:
        for value in elements(brought):
            self._held[value] -= 1
            if not self._held[value]:
                del self._held[value]
        self._total = len(self._held)


class _There:
    """Which parts are there. What their order is, `_Order` knows."""

    __slots__ = ("_correlation", "_counts")

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._counts = [0] * len(correlation.parts)

    def add(self, brought: int) -> None:
        self._move(brought, 1)

    def drop(self, brought: int) -> None:
        self._move(brought, -1)

    def _move(self, bits: int, step: int) -> None:
        while bits:
            self._counts[(bits & -bits).bit_length() - 1] += step
            bits &= bits - 1

    def enough(self) -> bool:
        ordered = self._correlation.kind == "temporal_ordered"
        if self._correlation.bounds:
            return self.possible() if ordered else self._number(HOLDS)
        return any(not any(self._counts[part] for part in way.absent) and all(self._counts[part] for part in way.there) for way in self._correlation.wanted)

    def possible(self) -> bool:
        if self._correlation.bounds:
            return self._number(dict.fromkeys(LOWER, HOLDS["gte"]))
        return any(all(self._counts[part] for part in way.there) for way in self._correlation.wanted)

    def _number(self, holds: Any) -> bool:
        there = sum(count > 0 for count in self._counts)
        return all(holds[name](there, number) for name, number in self._correlation.bounds if name in holds)


class _Order:
    """Parts in their order: for each way of the condition and each part of it, when the latest row of parts begins that ends with this one.

    `disturbed` is the time of the last row that came late: as long as a window holds it, nothing is ruled out.
    """

    def __init__(self, correlation: Correlation) -> None:
        # With bounds, parts may be left out: the longest row of them is worked out from the rows.
        self._ways = () if correlation.bounds else tuple((way.there, [-1] * len(way.there)) for way in correlation.wanted)
        self._free = bool(correlation.bounds)
        self.disturbed = -1

    def add(self, time: int, bits: int, start: int) -> bool:
        """Whether they may stand in their order in the window after `start`."""
        found = self._free or self.disturbed > start
        for parts, begun in self._ways:
            for place in range(len(parts) - 1, -1, -1):  # backwards, so that one row is not two
                if bits >> parts[place] & 1:
                    begun[place] = time if place == 0 else max(begun[place], begun[place - 1])
            found = found or not parts or begun[-1] > start
        return found


class _Values:
    """Sums, means and percentiles of values."""

    __slots__ = ("_above", "_below", "_correlation", "_held", "_largest", "_positive", "_size", "_steps", "_total")

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._above = {bound: 0 for bound in correlation.bounds if bound[0] in LOWER}  # values at a bound or above it, and at it or below
        self._below = {bound: 0 for bound in correlation.bounds if bound[0] in UPPER}
        self._held = self._steps = 0
        self._total = self._positive = self._size = self._largest = 0.0

    def add(self, brought: float | None) -> None:
        if brought is not None:
            self._move(brought, 1)

    def drop(self, brought: float | None) -> None:
        if brought is not None:
            self._move(brought, -1)

    def _move(self, value: float, step: int) -> None:
        slack = abs(value) * SLACK + SLACK
        for bound in self._above:
            self._above[bound] += step * (value + slack >= bound[1])
        for bound in self._below:
            self._below[bound] += step * (value - slack <= bound[1])
        self._held += step
        self._steps += 1
        if not self._held:
            self._steps = 0
            self._total = self._positive = self._size = self._largest = 0.0
            return
        self._total += step * value
        self._positive += step * max(value, 0)
        self._size += step * abs(value)
        self._largest = max(self._largest, self._size)

    def enough(self) -> bool:
        if not self._held:
            return False
        if self._correlation.kind in {"value_sum", "value_avg"}:
            return self._near(self._total / (self._held if self._correlation.kind == "value_avg" else 1))
        rank = max(1, -(-self._held * self._correlation.percentile // 100))
        lower, upper = ((self._held + 1) // 2, self._held // 2 + 1) if self._correlation.kind == "value_median" else (rank, rank)
        return all(count >= self._held - upper + 1 for count in self._above.values()) and all(count >= lower for count in self._below.values())

    def _near(self, measure: float) -> bool:
        slack = self._slack
        if not isfinite(slack) or not isfinite(measure):
            return True
        return all(measure + slack >= number for _, number in self._above) and all(measure - slack <= number for _, number in self._below)

    @property
    def _slack(self) -> float:
        """By how much sums may err after so many steps."""
        return (SLACK + self._steps * ERROR) * (1 + self._largest)

    def possible(self) -> bool:
        if self._correlation.kind == "value_sum":
            return self._held > 0 and all(not self._positive + self._slack < number for _, number in self._above)
        return self._held > 0 and all(self._above.values()) and all(self._below.values())
