"""Courses: where each moving point is in the long run, ten minutes as one, and what the long run tells: a value that drifts away, and one that does not
follow its set point any more.

A point's place in ten minutes is the median of its minutes, so that a jam or a spike is none. How far these medians lie beyond all that were learned is summed
up (CUSUM, after E. S. Page, Biometrika 41, 1954): what is a little too far for hours weighs as much as what is far for an hour. After a set point of the
device was changed, its values may settle elsewhere for an hour, and what they are then is usual from then on. So is what a day brings, as far as one day
was from the other in the time that was learned: seasons come like that, and a sensor that fails is faster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.baseline.follows import APART
from detectors.baseline.levels import BLOCK, BLOCKS, KNOWN
from detectors.baseline.places import among_all
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from detectors.baseline.follows import Follow, Pair
    from detectors.baseline.joining import Joined
    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

    Numbers = npt.NDArray[np.int64]

ENOUGH: Final = 36  # blocks that tell where a point is in the long run: six hours
SLACK: Final = 0.25  # of the spread of the blocks: so much too far is forgiven each time …
LIMIT: Final = 4.0  # … and the sum of the rest tells
FAR: Final = 1.5  # what is further than that counts no more, so that forty minutes are the least
NARROW: Final = 0.1  # the spread is no less than this part of the range
SETTLES: Final = 6  # blocks after a set point was changed
ASTRAY: Final = 3.0  # times the farthest that it ever lay from its set point, and a quarter of the set point's own range
LASTS: Final = 2  # blocks in a row
PRECISE: Final = 0.01  # of a set point: nearer to it no sensor tells
MOST_OBSERVERS: Final = 64


class Slow(NamedTuple):
    """What the long run tells of a point: it `drifts`, or is `astray` from its set point. `beyond`: of what was learned, or from its set point; `at`: the
    number of the row by which the block is over.
    """

    kind: str
    place: Place
    value: float
    beyond: float
    row: tuple[str, int, int]
    observer: str
    setpoint: Place | None = None
    set_to: float = 0.0
    at: int = 0


@dataclass(slots=True)
class Course:
    """What one observer sees, by the number of a point: the rows of the block that is not over (number, middle, last value, begin, end, and their ids, of
    Arrow, part by part), sums above and below, the range by now; set points and the block in which each was changed, by device the last one; how long each
    pair is astray; the greatest and the least median of the day, where beyond that range.
    """

    block: int
    above: Any
    below: Any
    least: Any
    most: Any
    changed: Any
    value: Any
    since: Any
    astray: Any
    peak: Any
    trough: Any
    rows: list[list[Any]] = field(default_factory=lambda: [[] for _ in range(5)])
    ids: list[Any] = field(default_factory=list[Any])

    ARRAYS = ("above", "below", "least", "most", "changed", "value", "since", "astray", "peak", "trough")


class Chart:
    """Points that are judged in the long run, and set points, in columns."""

    def __init__(self, known: Mapping[Place, Level], follows: Mapping[Pair, Follow]) -> None:
        self.places = [place for place, level in known.items() if level.room is not None and (level.blocks >= ENOUGH or level.seen < KNOWN)]
        self.numbers = {place: number for number, place in enumerate(self.places)}
        self.of = among_all(known, self.numbers)
        levels = [known[place] for place in self.places]
        self.least, self.most, spread = (np.array([getattr(each, name) for each in levels], float) for name in ("least", "most", "spread"))
        self.moves = np.array([each.seen >= KNOWN for each in levels], bool)
        self.wander = np.array([each.wander for each in levels], float)
        self.unit = np.maximum(spread, NARROW * (self.most - self.least))
        self.judged = self.moves & (self.unit > 0)
        devices = {device: number for number, device in enumerate(dict.fromkeys(place.device for place in self.places))}
        self.device = np.array([devices[place.device] for place in self.places], np.int64)
        self.pairs = [(self.numbers[one], self.numbers[other], each) for (one, other), each in follows.items() if {one, other} <= self.numbers.keys()]
        self.judged[[number for _, number, _ in self.pairs]] = False  # what follows a set point goes where that goes
        self.height = len(devices)

    def course(self) -> Course:
        """Of an observer that has seen nothing."""
        height = len(self.places)
        zeros = np.zeros(height)
        since = np.full(height, -1, np.int64)
        never, astray = np.full(self.height, -SETTLES, np.int64), np.zeros(len(self.pairs), np.int64)
        least, most = self.least.copy(), self.most.copy()
        return Course(0, zeros, zeros.copy(), least, most, never, zeros.copy(), since, astray, most.copy(), least.copy())


class Courses:
    """The courses that observers see."""

    def __init__(self, known: Mapping[Place, Level], follows: Mapping[Pair, Follow]) -> None:
        self.chart = Chart(known, follows)
        self.reach = {place: _reach(known[setpoint]) for setpoint, place in follows if {setpoint, place} <= known.keys()}
        self._by: dict[str, Course] = {}

    def judge(self, points: Joined) -> Iterator[Slow]:
        """What the blocks tell that are over with these points."""
        which = self.chart.of[points.levels]
        if (which < 0).all():
            return
        low, high, _, last = points.values
        rows = which, (low + high) / 2, last, points.start, points.end
        for observer, mine in points.observers.items():
            for slow in self._seen(self._course(observer), [each[mine] for each in rows], lambda some, mine=mine: points.ids(mine[some])):
                yield slow._replace(observer=observer, at=int(mine[slow.at]))

    def state(self) -> dict[str, Any]:
        """As JSON has it."""
        rows = {observer: [*course.rows[:3], _all(course.ids).to_pylist(), *course.rows[3:]] for observer, course in self._by.items()}
        return {observer: [each.block, rows[observer], *(getattr(each, name).tolist() for name in Course.ARRAYS)] for observer, each in self._by.items()}

    def revive(self, told: Mapping[str, Any]) -> None:
        """What `state` said. Raises ValueError where it is of other points."""
        for observer, (block, rows, *arrays) in told.items():
            course = self._course(observer)
            *before, ids, begins, ends = rows
            course.block, course.rows, course.ids = block, [*before, begins, ends], [pa.array(ids, pa.string())]
            for name, values in zip(Course.ARRAYS, arrays, strict=False):  # a state from before has less
                there = getattr(course, name)
                if len(values) != len(there):
                    raise ValueError("not the courses of these points")
                there[:] = values

    def _course(self, observer: str) -> Course:
        if observer not in self._by:
            self._by[observer] = self.chart.course()
            if len(self._by) > MOST_OBSERVERS:
                del self._by[next(iter(self._by))]
        return self._by[observer]

    def _seen(self, course: Course, rows: list[Any], ids: Callable[[Numbers], Any]) -> Iterator[Slow]:
        """Rows of one observer; a block is over when a row of a later one comes, and what comes late counts in the one that is open."""
        blocks = rows[3] // (BLOCK * MINUTE)
        open_now = np.maximum(np.maximum.accumulate(blocks), course.block)
        edges = [0, *(np.flatnonzero(np.diff(open_now)) + 1).tolist(), len(open_now)]
        for first, last in pairwise(edges):
            block = int(open_now[first])
            if block > course.block:
                yield from (slow._replace(at=first) for slow in self._over(course))
                if block // BLOCKS > course.block // BLOCKS:
                    self._day_over(course)
                course.block, course.rows, course.ids = block, [[] for _ in course.rows], []
            some = np.flatnonzero(rows[0][first:last] >= 0) + first
            for kept, column in zip(course.rows, rows, strict=True):
                kept.extend(column[some].tolist())
            if len(some):
                course.ids.append(ids(some))

    def _over(self, course: Course) -> Iterator[Slow]:
        """A block is over: where was each point in it?"""
        if not course.rows[0]:
            return
        chart, numbers, middles = self.chart, np.array(course.rows[0], np.int64), np.array(course.rows[1], float)
        order = np.lexsort((middles, numbers))
        firsts = np.flatnonzero(np.append(True, np.diff(numbers[order]) != 0))
        counts = np.diff(np.append(firsts, len(order)))
        points = numbers[order][firsts]
        median = (middles[order][firsts + (counts - 1) // 2] + middles[order][firsts + counts // 2]) / 2
        last = dict(zip(course.rows[0], range(len(numbers)), strict=True))
        self._set(course, last)
        moving = chart.judged[points]
        yield from self._drift(course, points[moving], median[moving], last)
        yield from self._follow(course, dict(zip(points.tolist(), median.tolist(), strict=True)), last)

    def _day_over(self, course: Course) -> None:
        """What the day brought is usual as far as a day may differ from the one before."""
        course.most += np.clip(course.peak - course.most, 0.0, self.chart.wander)
        course.least -= np.clip(course.least - course.trough, 0.0, self.chart.wander)
        course.peak[:], course.trough[:] = course.most, course.least

    def _set(self, course: Course, last: Mapping[int, int]) -> None:
        """Set points that were changed in this block."""
        for number, at in last.items():
            if self.chart.moves[number]:
                continue
            value = course.rows[2][at]
            if course.since[number] < 0:
                course.since[number] = course.block
            elif value != course.value[number]:
                course.since[number] = course.changed[self.chart.device[number]] = course.block
            course.value[number] = value

    def _drift(self, course: Course, points: Numbers, median: Any, last: Mapping[int, int]) -> Iterator[Slow]:
        course.peak[points], course.trough[points] = np.maximum(course.peak[points], median), np.minimum(course.trough[points], median)
        settling = course.block - course.changed[self.chart.device[points]] < SETTLES
        some, there = points[settling], median[settling]
        course.least[some], course.most[some] = np.minimum(course.least[some], there), np.maximum(course.most[some], there)
        points, median = points[~settling], median[~settling]
        for sums, beyond in ((course.above, median - course.most[points]), (course.below, course.least[points] - median)):
            sums[points] = np.maximum(0.0, sums[points] + np.clip(beyond / self.chart.unit[points], 0.0, FAR) - SLACK)
            for at in np.flatnonzero(sums[points] > LIMIT).tolist():
                number = int(points[at])
                sums[number] = 0.0
                yield Slow("drifts", self.chart.places[number], float(median[at]), float(beyond[at]), _row(course, last[number]), "")

    def _follow(self, course: Course, medians: Mapping[int, float], last: Mapping[int, int]) -> Iterator[Slow]:
        for at, (setpoint, number, learned) in enumerate(self.chart.pairs):
            rests = 0 <= course.since[setpoint] <= course.block - SETTLES
            if not rests or number not in medians:
                course.astray[at] = 0 if not rests else course.astray[at]
                continue
            set_to = float(course.value[setpoint])
            beyond = abs(medians[number] - set_to)
            room = max(ASTRAY * learned.worst, (learned.high - learned.low) / APART, PRECISE * abs(set_to))
            course.astray[at] = course.astray[at] + 1 if beyond > room else 0
            if course.astray[at] == LASTS:
                places = self.chart.places
                yield Slow("astray", places[number], medians[number], beyond, _row(course, last[number]), "", places[setpoint], set_to)


def _reach(setpoint: Level) -> tuple[float, float]:
    """How far what follows a set point may go: where that may be set and be no news, and on its way there by as much again as it was ever moved."""
    room, over = setpoint.room or 0.0, setpoint.high - setpoint.low
    return setpoint.low - room - over, setpoint.high + room + over


def _row(course: Course, at: int) -> tuple[str, int, int]:
    """Identity of the row that tells it, and begin and end of what this observer saw of its point in the block."""
    numbers, _, _, begins, ends = course.rows
    return _all(course.ids)[at].as_py(), begins[numbers.index(numbers[at])], ends[at]


def _all(ids: Sequence[Any]) -> Any:
    return pa.concat_arrays(ids) if ids else pa.array([], pa.string())
