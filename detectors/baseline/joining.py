"""Points in columns, as they are judged: which known point each is, and what it was. Two registers of 16 bits that are one number are one row."""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa

from detectors.baseline.numbering import numbered
from detectors.baseline.places import WHERE, place_of
from detectors.baseline.signs import VALUES
from detectors.baseline.words import beside
from detectors.gathering import plain, taken
from detectors.noticing import TAG
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place
    from detectors.baseline.words import Word
    from detectors.noticing import Row

    Numbers = npt.NDArray[np.int64]

MOST: Final = 65_536  # kinds of rows that were looked up
KIND: Final = (*WHERE, "observer.name")
POINT: Final = ("id", "event.start", "event.end", "observer.site", *KIND, "ot.point.min", "ot.point.max", *TAG)  # of which is told
NEEDED: Final = (*POINT, "ot.point.first", "ot.point.last")
TOO_MUCH: Final = 1 << 53  # what is no word


class Halves:
    """Rows of halves whose minute is not over: of each number the last one of either half, and the one of the latest minute."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._saved = list(rows)
        self._table: Any = None
        self.kinds = [tuple(row[name] for name in KIND) for row in self._saved]

    def table(self, points: Any) -> Any:
        """The rows, in columns as these points have them."""
        if self._table is None:
            self._table = pa.Table.from_pylist(self._saved, schema=points.select(list(NEEDED)).schema)
        return self._table

    def keep(self, points: Any, rows: Numbers, kinds: list[tuple[Any, ...]]) -> None:
        """These rows are the halves now, of those that were and of these points behind them."""
        before, count = self.table(points), len(self.kinds)
        parts = [(before, rows[rows < count]), (points.select(list(NEEDED)), rows[rows >= count] - count)]
        self._table, self.kinds = pa.concat_tables([taken(table, which) for table, which in parts if len(which)]).combine_chunks(), kinds

    def state(self) -> list[Row]:
        """As JSON has it."""
        return self._saved if self._table is None else plain(self._table)


class Readings:
    """Rows of halves, those of one number after the other in the order in which they came: `number`, `minute`, which half.

    `before`: for each half the place of the one that came last before a row; `over`: does the row show that the minute of both is over?
    """

    def __init__(self, number: Numbers, minute: Numbers, second: Any) -> None:
        places = np.arange(len(number))
        self.number = number
        first = np.append(True, np.diff(number) != 0)
        self._begin = np.maximum.accumulate(np.where(first, places, 0))
        self._ends = np.append(np.flatnonzero(first)[1:], len(number)) - 1
        self._latest = [np.maximum.accumulate(np.where(second == half, places, -1)) for half in (False, True)]
        self.before = [np.append(-1, each[:-1]) for each in self._latest]
        reached = number * (minute.max() + 1) + minute
        self._top = np.maximum.accumulate(np.where(reached == np.maximum.accumulate(reached), places, 0))
        self.over = (np.minimum(*self.before) >= self._begin) & (minute > minute[np.append(0, self._top[:-1])])

    def last(self) -> Numbers:
        """The places of what is to be kept."""
        kept = np.unique(np.concatenate([each[self._ends] for each in (*self._latest, self._top)]))
        return kept[kept >= 0]


class Kind(NamedTuple):
    """What is looked up once of rows of one kind: the number of their point among all that are known (-1: none), and of their observer; the number of the two
    registers of which it is one (-1: none), and whether it is the second one.
    """

    level: int
    observer: int
    pair: int
    second: int


class Whole(NamedTuple):
    """Numbers of two registers, in columns: the row that shows each, the one before it, of which it has the times, what is known of it, and what it is."""

    shown: Numbers
    rows: Numbers
    levels: Numbers
    things: Numbers
    values: Any


class Joined:
    """Points in columns: the number of each among all that are known, -1 for none; what it was (VALUES), and when (nanoseconds); which rows each observer saw.
    They stand in the `rows` of these tables, one behind the other; `made`: the objects of what was made of two.
    """

    def __init__(
        self,
        tables: Sequence[Any],
        rows: Numbers,
        made: Mapping[int, Any],
        levels: Numbers,
        observers: dict[str, Numbers],
        values: Any,
        start: Numbers,
        end: Numbers,
    ) -> None:
        self._tables, self._rows, self._made = tables, rows, made
        self.levels, self.observers = levels, observers
        self.values, self.start, self.end = values, start, end

    @property
    def site(self) -> str | None:
        """Where they were seen."""
        return self.told(np.zeros(1, np.int64))[0]["observer.site"]

    def ids(self, which: Numbers) -> Any:
        """The identities of some of them, in an array of their own."""
        return self._ids.take(pa.array(self._rows[which]))

    @cached_property
    def _ids(self) -> Any:
        return pa.concat_arrays([chunk for table in self._tables for chunk in table["id"].chunks])

    def told(self, which: Numbers) -> list[Row]:
        """Some of them, as plain values."""
        table = pa.concat_tables([table.select(list(POINT)) for table in self._tables])
        rows = plain(taken(table, self._rows[which]))
        for row, at, low, high in zip(rows, which.tolist(), *self.values[:2, which].tolist(), strict=True):
            row |= {"ot.point.min": low, "ot.point.max": high, "ot.object.first": self._made.get(at, row["ot.object.first"])}
        return rows


class Joining:
    """Puts points into columns, by what is known of them and of registers that are one number."""

    def __init__(self, known: Mapping[Place, Level], words: Mapping[Place, Word]) -> None:
        self._levels = {place: number for number, place in enumerate(known)}
        self._words = words
        self._halves = {half: (first, second) for first in words for second, half in enumerate((first, beside(first, 1)))}
        self._kinds: dict[tuple[Any, ...], Kind] = {}  # every batch has the same ones
        self._observers: dict[str, int] = {}
        self._pairs: dict[tuple[str, Place], int] = {}
        self._numbers: list[tuple[int, int, bool, bool]] = []  # by pair: the number of the first register's point, its object, how it is read

    def join(self, points: Any, halves: Halves) -> Joined:
        """What is one number is one row, at the place of the row that shows that its minute is over; its halves are gone."""
        tables, kept = (halves.table(points), points), len(halves.kinds)
        numbers, different = numbered(points, KIND)
        kinds = [*halves.kinds, *different]
        every = np.concatenate([np.arange(kept), numbers + kept])
        levels, observers, pairs, second = self._looked(kinds)[:, every]
        start, end = (np.concatenate([table[name].to_numpy().view(np.int64) for table in tables]) for name in ("event.start", "event.end"))
        values = np.array([np.concatenate([table[name].to_numpy() for table in tables]) for name in VALUES])
        rows = np.flatnonzero(pairs[kept:] < 0) + kept
        if len(rows) == points.num_rows:
            return Joined(tables, rows, {}, levels[rows], self._by_observer(observers[rows]), values[:, rows], start[rows], end[rows])
        some = np.flatnonzero(pairs >= 0)
        order = some[np.argsort(pairs[some], kind="stable")]
        readings = Readings(pairs[order], start[order] // MINUTE, second[order])
        whole = self._whole(readings, order, kept, values[-1])
        stay = np.sort(order[readings.last()])
        halves.keep(points, stay, [kinds[number] for number in every[stay].tolist()])
        turns = np.argsort(np.concatenate([rows, whole.shown]), kind="stable")
        made = np.flatnonzero(turns >= len(rows))
        which = turns[made] - len(rows)
        rows = np.concatenate([rows, whole.rows])[turns]
        levels, values = levels[rows], values[:, rows]
        levels[made], values[:, made] = whole.levels[which], whole.values[which]
        things = dict(zip(made.tolist(), whole.things[which].tolist(), strict=True))
        return Joined(tables, rows, things, levels, self._by_observer(observers[rows]), values, start[rows], end[rows])

    def _looked(self, kinds: Sequence[tuple[Any, ...]]) -> Numbers:
        """What is known of these kinds, in columns."""
        if len(self._kinds) >= MOST:
            for known in (self._kinds, self._observers, self._pairs, self._numbers):
                known.clear()
        found = [*map(self._kinds.get, kinds)]
        for at in [at for at, kind in enumerate(found) if kind is None]:
            found[at] = self._kinds[kinds[at]] = self._kind(place_of(*kinds[at][:-1]), kinds[at][-1] or "")
        told = np.fromiter(chain.from_iterable(cast("list[Kind]", found)), np.int64, len(found) * len(Kind._fields))
        return told.reshape(-1, len(Kind._fields)).T

    def _kind(self, place: Place | None, observer: str) -> Kind:
        found = self._halves.get(place) if place else None
        pair = self._pair(observer, found[0]) if found else -1
        return Kind(self._levels.get(place, -1) if place else -1, self._observers.setdefault(observer, len(self._observers)), pair, found[1] if found else 0)

    def _pair(self, observer: str, first: Place) -> int:
        number = self._pairs.setdefault((observer, first), len(self._pairs))
        if number == len(self._numbers):
            word = self._words[first]
            self._numbers.append((self._levels.get(first, -1), cast("int", first.thing), word.kind == "float", word.swapped))
        return number

    def _whole(self, readings: Readings, order: Numbers, kept: int, last: Any) -> Whole:
        """The numbers of which a row behind the first ones, which were `kept`, shows that their minute is over."""
        at = np.flatnonzero(readings.over & (order >= kept))
        told = np.array([self._numbers[number] for number in readings.number[at].tolist()], np.int64)
        levels, things, floats, swapped = told.reshape(-1, 4).T
        first, second = (last[order[half[at]]] for half in readings.before)
        values, good = joined(first, second, floats == 1, swapped == 1)
        return Whole(order[at][good], order[at - 1][good], levels[good], things[good], values[good])

    def _by_observer(self, numbers: Numbers) -> dict[str, Numbers]:
        """The rows of each that has any."""
        names = [*self._observers]
        return {names[number]: np.flatnonzero(numbers == number) for number in np.flatnonzero(np.bincount(numbers)).tolist()}


def joined(first: Any, second: Any, floats: Any, swapped: Any) -> tuple[Any, Any]:
    """The numbers of these registers, as `Word.value` has each, and where they are some."""
    sound = np.isfinite(first + second) & (np.rint(first) == first) & (np.rint(second) == second) & (np.abs(first) + np.abs(second) < TOO_MUCH)
    one, other = (np.where(sound, each, 0.0).astype(np.int64) & 0xFFFF for each in (first, second))
    whole = np.where(swapped, other << 16 | one, one << 16 | other).astype(np.uint32)
    with np.errstate(invalid="ignore"):  # some are no numbers
        values = np.where(floats, whole.view(np.float32).astype(float), whole.view(np.int32).astype(float))
    return values, sound & np.isfinite(values)
