"""What is heard of habits that have a rhythm, minute by minute, in columns: what came last of each, and whether all of it is as usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from detectors.baseline.rhythms import REPORTS
from records.formats import MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from detectors.baseline.habits import Key
    from detectors.baseline.rhythms import Rhythm

    Numbers = npt.NDArray[np.int64]
    Reports = npt.NDArray[np.bool_]

SEEN: Final = 20  # minutes in which something came, without which it has no rhythm
EVEN: Final = 3.0  # the usual range is no wider than this many times its median
SLOWEST: Final = 600.0  # seconds; what comes less often is not missed
SLOW: Final = 2.0  # times the usual interval …
FAST: Final = 3.0  # … and that part of the shortest one
LEAST_BURST: Final = 20  # operations in such a minute
TEST: Final = "test"
UNSTEADY: Final = -1  # what stands for a habit of which no rhythm is known …
FOREIGN: Final = -2  # … and for two that have none together
SILENT: Final = 1.5  # minutes, and so many …
SILENT_TIMES: Final = 6.0  # … usual intervals, and twice the longest pause ever
LOST: Final = 3.0  # times that silence: it lasts


class Line:
    """What one observer hears, by the number of a steady habit. `minute` is not over yet, `count`: how often each came in it.

    `last`: when it was heard last, `before`: … in the minutes before (nanoseconds, moved on by time in which the observer heard nothing); `slow`, `fast`:
    minutes in a row; `silent`: how silent it is (0 to 2); `id`, `packet`, `begun`, `ended`: the row heard last.
    """

    WHOLE: Final = ("count", "last", "before", "slow", "fast", "silent", "packet", "begun", "ended")

    def __init__(self, height: int) -> None:
        self.minute = 0
        self.count, self.last, self.before, self.slow, self.fast, self.silent, self.packet, self.begun, self.ended = (
            np.zeros(height, np.int64) for _ in self.WHOLE
        )
        self.id = np.full(height, None, object)

    def hear(self, where: Numbers, came: Came, minute: int, reports: Reports) -> None:
        """Rows of one minute."""
        if minute == self.minute:
            add(self.count, where, came.count, reports)
        self.mark(where, came)

    def spacing(self) -> Any:
        """Seconds between two in the minute that is over, where it was heard before."""
        return spacing(self.last, self.before, self.count)

    def mark(self, where: Numbers, came: Came) -> None:
        """These are the rows heard last."""
        order = np.argsort(came.end, kind="stable")
        order = order[came.end[order] >= self.last[where[order]]]
        these = where[order]
        self.last[these] = self.ended[these] = came.end[order]
        self.id[these], self.packet[these], self.begun[these] = came.id[order], came.packet[order], came.start[order]

    def skip(self, minutes: int) -> None:
        """Nobody listened for so long."""
        for times in (self.last, self.before) if minutes else ():
            times[times > 0] += minutes * MINUTE

    def kept(self) -> list[Any]:
        """What is not nothing, as JSON has it."""
        some = np.flatnonzero(self.last)
        numbers = [getattr(self, name)[some].tolist() for name in self.WHOLE]
        return [self.minute, some.tolist(), numbers, self.id[some].tolist()]

    def revive(self, told: list[Any]) -> None:
        """What `kept` said."""
        self.minute, some, numbers, names = told
        where = np.array(some, np.int64)
        for name, values in zip(self.WHOLE, numbers, strict=True):
            getattr(self, name)[where] = values
        self.id[where] = names


@dataclass(frozen=True, slots=True)
class Came:
    """Columns of rows that recur."""

    count: Any
    start: Any
    end: Any
    packet: Any
    id: Any

    def some(self, which: Any) -> Came:
        """These of them."""
        return Came(*(getattr(self, name)[which] for name in self.__slots__))


class Steady:
    """Habits with a rhythm, in columns: first those that are worth watching, then those that only tell that somebody is still there. Tests of a link are sent
    while nothing else is (IEC 60870-5-104, t3), so that how often they come says nothing.
    """

    def __init__(self, known: Mapping[Key, Rhythm]) -> None:
        chosen = sorted(known.items(), key=lambda each: not even(each[1]))
        self.keys = [key for key, _ in chosen]
        self.rhythms = [each for _, each in chosen]
        self.numbers = {key: number for number, key in enumerate(self.keys)}
        self.pairs = {key[:3] for key in known}
        self.usual, self.low, self.high, longest = (
            np.array([getattr(each, name) for _, each in chosen], float) for name in ("usual", "low", "high", "longest")
        )
        self.reports = np.array([key.effect in REPORTS for key in self.keys], bool)
        self.watched = np.array([even(each) for each in self.rhythms], bool)
        self.tests = np.array([key.effect == TEST for key in self.keys], bool)
        paced = self.watched & ~self.tests
        self.slow, self.fast = np.where(paced, np.maximum(SLOW * self.usual, 1.5 * self.high), np.inf), np.where(paced, self.low / FAST, 0.0)
        self.limit = np.where(self.watched, np.maximum(SILENT * 60, np.maximum(SILENT_TIMES * self.usual, 2 * longest)), np.inf)
        self.devices: Any = np.array([key.source if key.effect in REPORTS else key.destination for key in self.keys], object)
        self.pollers: Any = np.array([key.destination if key.effect in REPORTS else key.source for key in self.keys], object)


def even(rhythm: Rhythm) -> bool:
    """Is it worth watching?"""
    return rhythm.seen >= SEEN and rhythm.usual <= SLOWEST and rhythm.high <= EVEN * rhythm.usual


def add(count: Numbers, where: Numbers, more: Numbers, reports: Reports) -> None:
    """Count reports together, and of requests those that came most often."""
    told = reports[where]
    np.add.at(count, where[told], more[told])
    np.maximum.at(count, where[~told], more[~told])


def spacing(last: Numbers, before: Numbers, count: Numbers) -> Any:
    """Seconds between two, where one came before."""
    known = (before > 0) & (count > 0)
    return np.where(known, (last - before) / np.maximum(count, 1) / SECOND, np.nan)


def calm(line: Line, where: Numbers, came: Came, minutes: Numbers, steady: Steady) -> bool:
    """Is nothing of these rows slow, fast or late, so that they need not be taken minute by minute?"""
    first, last = int(minutes[0]), int(minutes[-1])
    follows = not line.minute or first == line.minute or (first == line.minute + 1 and line.count.any())
    if not follows or ((steps := np.diff(minutes)) < 0).any() or (steps > 1).any() or line.slow.any() or line.fast.any() or line.silent.any():
        return False
    count, heard, now = line.count.copy(), line.last.copy(), minutes == line.minute
    add(count, where[now], came.count[now], steady.reports)
    np.maximum.at(heard, where[now], came.end[now])
    if last > line.minute and _odd(spacing(heard, line.before, count), count, slice(None), steady).any():
        return False
    order = np.flatnonzero(~now)[np.argsort(where[~now], kind="stable")]
    if len(order):
        begins = np.flatnonzero(np.append(True, (np.diff(where[order]) != 0) | (np.diff(minutes[order]) != 0)))
        habit, minute = where[order][begins], minutes[order][begins]
        ends, most, sums = (
            np.maximum.reduceat(came.end[order], begins),
            np.maximum.reduceat(came.count[order], begins),
            np.add.reduceat(came.count[order], begins),
        )
        counts = np.where(steady.reports[habit], sums, most)
        firsts = np.append(True, np.diff(habit) != 0)
        before = np.append(0, ends[:-1])
        before[firsts] = heard[habit[firsts]]
        closed = minute < last
        if ((before > 0) & ((minute * MINUTE - before) / SECOND > steady.limit[habit])).any():
            return False
        if (closed & _odd(spacing(ends, before, counts), counts, habit, steady)).any():
            return False
        np.maximum.at(heard, habit[closed], ends[closed])
    return not ((heard > 0) & ((last * MINUTE - heard) / SECOND > steady.limit)).any()


def _odd(apart: Any, count: Numbers, habit: Any, steady: Steady) -> Any:
    return (apart > steady.slow[habit]) | ((count >= LEAST_BURST) & (apart < steady.fast[habit]))
