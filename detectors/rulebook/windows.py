"""Sliding windows over rows that are grouped: which windows may be enough, found for all groups at once, and what is in one.

A window ends at a row and reaches back for the span; its start is outside of it: (end - span, end].
"""

from __future__ import annotations

import math
import operator
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from detectors.rulebook.correlation import COUNTING, OF_VALUES, TEMPORAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detectors.rulebook.correlation import Conjunct, Correlation

Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ROOM: Final = 2**62
HOLDS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq, "neq": operator.ne,
}  # fmt: skip
LOWER: Final = frozenset({"gt", "gte", "eq"})
UPPER: Final = frozenset({"lt", "lte", "eq"})
SLACK: Final = 1e-9  # what may be enough is worked out in floating point, and errs on the side of looking


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in the order of groups, then times, then release. `order` tells their places as they were released, from 0.

    `values` are what is measured: numbers where a number is measured, else hashable values (lists of them where a field has many); `valued` where there
    are any. `first` and `after` bound the window that ends at each row, `reach` is the first row whose window no longer holds it. `furthest` is the last
    place of its group that was taken when it came. `settled`: its window already held then what it holds now, and no other had become new.
    """

    group: Whole
    time: Whole
    order: Whole
    weight: Whole
    bits: Whole
    values: Sequence[Any]
    valued: Mask
    first: Whole
    after: Whole
    reach: Whole
    furthest: Whole
    settled: Mask


def arranged(group: Whole, time: Whole, weight: Whole, bits: Whole, values: Sequence[Any] | None, span: int) -> Rows:
    """The rows, given as they were released, arranged for looking at windows."""
    order = np.lexsort((np.arange(len(time)), time, group))
    sorted_group, sorted_time = group[order], time[order]
    first, after, reach = _edges(sorted_group, sorted_time, span)
    held: Sequence[Any] = () if values is None else [values[place] for place in order.tolist()]
    valued = np.zeros(len(order), dtype=np.bool_) if values is None else np.array([value is not None for value in held], dtype=np.bool_)
    places = np.arange(len(order))
    furthest = _furthest(sorted_group, order)
    newest = np.maximum.accumulate(sorted_group * (len(order) + 1) + order) == sorted_group * (len(order) + 1) + order
    settled = newest & (furthest == places) & (after == places + 1)
    return Rows(sorted_group, sorted_time, order, weight[order], bits[order], held, valued, first, after, reach, furthest, settled)


def _furthest(group: Whole, order: Whole) -> Whole:
    """For each row the last place of its group that was taken when it came; groups stand one after the other, so that one pass is enough."""
    came = np.lexsort((order, group))
    furthest = np.empty(len(order), dtype=np.int64)
    furthest[came] = np.maximum.accumulate(came)
    return furthest


def _edges(group: Whole, time: Whole, span: int) -> tuple[Whole, Whole, Whole]:
    """For each row: the first inside its window, the first after it, and the first that is a span later."""
    if not len(time):
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    least = int(time.min())
    width = int(time.max()) - least + span + 1
    if width * (int(group[-1]) + 1) < ROOM:  # all groups on one line, each out of reach of the others
        line = group * width + (time - least)
        return np.searchsorted(line, line - span, "right"), np.searchsorted(line, line, "right"), np.searchsorted(line, line + span, "left")
    edges = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(group)]
    parts = [(at, time[at:end]) for at, end in pairwise(edges)]
    return (
        np.concatenate([at + np.searchsorted(part, part - span, "right") for at, part in parts]),
        np.concatenate([at + np.searchsorted(part, part, "right") for at, part in parts]),
        np.concatenate([at + np.searchsorted(part, part + span, "left") for at, part in parts]),
    )


def possible(correlation: Correlation, rows: Rows) -> Mask:
    """Windows that may be enough, by the row that they end at: no window that is enough with some of these rows is missing."""
    if correlation.kind == "event_count":
        return _at_least(correlation, _sums(rows, rows.weight))
    if correlation.kind == "value_count":
        return _at_least(correlation, _distinct(rows))
    if correlation.kind in TEMPORAL:
        return _parts_there(correlation, rows)
    return _values_there(correlation, rows)


def _sums(rows: Rows, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    total = np.concatenate(([0], np.cumsum(numbers)))
    return total[rows.after] - total[rows.first]


def _at_least(correlation: Correlation, most: npt.NDArray[Any]) -> Mask:
    """Where the most that a window can come to does not rule out a bound: fewer rows give less."""
    found = np.ones(len(most), dtype=np.bool_)
    for name, number in correlation.bounds:
        if name in LOWER:
            found &= most >= number
    return found


def _distinct(rows: Rows) -> Whole:
    """Different values in each window: those of its rows that did not come before inside of it.

    Windows move forward, so that a row is the first of its value in one run of them: from where it is inside and the one before it is not, until it is not.
    """
    known: dict[Any, int] = {}
    each = [(place, known.setdefault(value, len(known))) for place, held in enumerate(rows.values) for value in elements(held)]
    places, codes = np.array(each, dtype=np.int64).reshape(-1, 2).T
    order = np.lexsort((places, codes))
    before = np.full(len(order), -1, dtype=np.int64)
    again = np.flatnonzero(np.diff(codes[order]) == 0) + 1
    before[order[again]] = places[order[again - 1]]
    starts = np.maximum(np.searchsorted(rows.after, places, "right"), np.searchsorted(rows.first, before, "right"))
    ends = np.searchsorted(rows.first, places, "right")
    first = starts < ends
    windows = len(rows.time) + 1
    return np.cumsum(np.bincount(starts[first], minlength=windows) - np.bincount(ends[first], minlength=windows))[:-1]


def elements(value: Any) -> Sequence[Any]:
    """The values of a row: none, one, or those of a field with many."""
    return () if value is None else cast("list[Any]", value) if isinstance(value, list) else (value,)


def _parts_there(correlation: Correlation, rows: Rows) -> Mask:
    there = [_sums(rows, rows.bits >> part & 1) > 0 for part in range(len(correlation.parts))]
    if correlation.bounds:
        return _at_least(correlation, np.sum(there, axis=0))
    return np.logical_or.reduce([np.logical_and.reduce([there[part] for part in way.there]) for way in correlation.wanted])


def _values_there(correlation: Correlation, rows: Rows) -> Mask:
    """A mean or a percentile is never above the highest nor below the lowest of its values, a sum never above that of its positive ones."""
    held = np.array([value if there else 0 for value, there in zip(rows.values, rows.valued, strict=True)], dtype=np.float64)
    count = _sums(rows, rows.valued)
    found = count > 0
    if correlation.kind == "value_sum":
        found &= _at_least(correlation, _sums(rows, np.maximum(held, 0)) * (1 + SLACK) + SLACK)
    else:
        for name, number in correlation.bounds:
            found &= (_count(rows, held, name, number, LOWER) > 0) & (_count(rows, held, name, number, UPPER) > 0)
    return found & (~rows.settled | _nearly(correlation, rows, held, np.maximum(count, 1)))


def _count(rows: Rows, held: npt.NDArray[np.float64], name: str, number: float, side: frozenset[str]) -> Whole:
    """Values in each window on this side of the number, or as near to it as floating point may err; of a bound of the other side, 1."""
    if name not in side:
        return np.ones(len(held), dtype=np.int64)
    slack = np.abs(held) * SLACK + SLACK
    return _sums(rows, (held + slack >= number if side is LOWER else held - slack <= number) & rows.valued)


def _nearly(correlation: Correlation, rows: Rows, held: npt.NDArray[np.float64], count: Whole) -> Mask:
    """Whether a window that holds all of its rows is enough, or as near to it as floating point may err."""
    found = np.ones(len(held), dtype=np.bool_)
    if correlation.kind in {"value_sum", "value_avg"}:
        total = _sums(rows, held)
        slack = SLACK * (1 + float(np.abs(held).sum()))
        measure = total if correlation.kind == "value_sum" else total / count
        for name, number in correlation.bounds:
            found &= (name not in LOWER) | (measure + slack >= number)
            found &= (name not in UPPER) | (measure - slack <= number)
        return found
    median = correlation.kind == "value_median"
    rank = np.maximum(1, -(-count * correlation.percentile // 100))
    lower, upper = ((count + 1) // 2, count // 2 + 1) if median else (rank, rank)
    for name, number in correlation.bounds:
        found &= (name not in LOWER) | (_count(rows, held, name, number, LOWER) >= count - upper + 1)
        found &= (name not in UPPER) | (_count(rows, held, name, number, UPPER) >= lower)
    return found


def enough(correlation: Correlation, rows: Rows, inside: Whole) -> float | None:
    """What the rows of a window come to, where that is enough; else None. `inside` are their places, in order of time."""
    measure: float | None
    if correlation.kind in TEMPORAL:
        measure = _parts(correlation, rows.bits[inside].tolist())
    elif correlation.kind == "event_count":
        measure = sum(rows.weight[inside].tolist())
    else:
        measure = measured(correlation, [rows.values[place] for place in inside.tolist()])
    if measure is None:
        return None
    return measure if all(HOLDS[name](measure, number) for name, number in correlation.bounds) else None


def measured(correlation: Correlation, held: Sequence[Any]) -> float | None:
    """What values come to: how many different ones, their sum, mean, median or percentile. None where there is nothing to measure."""
    if correlation.kind in COUNTING:
        return len({value for one in held for value in elements(one)})
    values = [value for value in held if value is not None]
    if not values or correlation.kind not in OF_VALUES:
        return None
    if correlation.kind == "value_median":
        return statistics.median(values)
    if correlation.kind == "value_percentile":
        return sorted(values)[max(0, math.ceil(len(values) * correlation.percentile / 100) - 1)]
    total = sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)
    return total if correlation.kind == "value_sum" else total / len(values)


def _parts(correlation: Correlation, bits: list[int]) -> int | None:
    """How many parts are there, in their order where order matters; None where no way of the condition is true."""
    ordered = correlation.kind == "temporal_ordered"
    if correlation.bounds:
        return _chain(bits, tuple(range(len(correlation.parts)))) if ordered else _union(bits).bit_count()
    return next((len(way.there) for way in correlation.wanted if _true(way, bits, ordered)), None)


def _true(way: Conjunct, bits: list[int], ordered: bool) -> bool:
    there = _union(bits)
    if any(there >> part & 1 for part in way.absent) or not all(there >> part & 1 for part in way.there):
        return False
    return not ordered or _chain(bits, way.there) == len(way.there)


def _union(bits: list[int]) -> int:
    there = 0
    for one in bits:
        there |= one
    return there


def _chain(bits: list[int], parts: tuple[int, ...]) -> int:
    """The longest row of parts in their order, each at a later row than the one before."""
    best = [0] * len(parts)
    for one in bits:
        for place in range(len(parts) - 1, -1, -1):  # backwards, so that one row is not two
            if one >> parts[place] & 1:
                best[place] = max(best[place], 1 + max(best[:place], default=0))
    return max(best, default=0)
