"""Two registers of 16 bits that are one number: a whole number or a float (IEEE 754, 32 bits), the high word first or the low one.

The low word of such a number runs through all that 16 bits hold, as no measured value does. It belongs to the neighbour with which it makes sense, every
time: as a float of a usual size, or as a whole number that goes on where the low word wraps. One tag for both registers makes it likely, so that less proof
is enough.
"""

from __future__ import annotations

from math import isfinite
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa

from detectors.baseline.numbering import numbered
from detectors.baseline.places import WHERE, place_of
from detectors.baseline.signs import HALF, VALUES
from detectors.gathering import plain
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from detectors.baseline.levels import Level
    from detectors.baseline.places import Place

    Numbers = npt.NDArray[np.int64]

MOST: Final = 4096  # numbers, and so many that may be ones; beyond them nothing more is learned, and that is counted
WIDE: Final = 49_152  # between the lowest and the highest value of a low word …
SEEN: Final = 30  # … in so many readings
NEEDED: Final = 20  # numbers that made sense, and …
TAGGED: Final = 5  # … so many where both have one tag
LATER: Final = 5  # more that the low word first needs, for the high word first is what most devices do
SIZES: Final = (100, 152)  # exponents of a float as on the wire: from 10⁻⁸ to 10⁷
SIZES_APART: Final = 12  # at most, of one number
ONWARDS: Final = 16_384  # a whole number moves no further from minute to minute
TOO_MUCH: Final = 1 << 53  # what is no word
CARRIES: Final = 2  # times that the high word moved with the low one
KINDS: Final = ("float", "whole")


class Word(NamedTuple):
    """How the register at a place and the next one are one number."""

    kind: str
    swapped: bool = False

    def value(self, first: float, second: float) -> float | None:
        """The number; None for what is none, and for halves that are no words."""
        if not (isfinite(first + second) and first.is_integer() and second.is_integer()):
            return None
        number: float = unpack(">f" if self.kind == "float" else ">i", pack(">HH", *_halves(first, second, self.swapped)))[0]
        return float(number) if isfinite(number) else None


class Held:
    """The last values of both halves of a number, by observer and first register; a number is whole when a later minute begins."""

    def __init__(self, known: Mapping[tuple[str, Place, bool], list[Any]] | None = None) -> None:
        self.known = dict(known or {})

    def add(self, observer: str, first: Place, swapped: bool, half: int, start: int, value: float) -> list[Any] | None:
        """Takes a half in (0: the first register). Returns begin and both halves, where their minute is over."""
        held = self.known.setdefault((observer, first, swapped), [start, None, None])
        told = list(held) if start // MINUTE > held[0] // MINUTE and None not in held[1:] else None
        held[0], held[1 + half] = max(start, held[0]), value
        return told


class Halves:
    """Rows of halves whose minute is not over: of each number the last one of either half, and the one of the latest minute."""

    def __init__(self, rows: Any = None) -> None:
        self.rows = rows  # a table; rows as plain values where they were saved

    def table(self, schema: pa.Schema) -> Any:
        """The rows, as columns."""
        return self.rows if isinstance(self.rows, pa.Table) else pa.Table.from_pylist(self.rows or [], schema=schema)

    def state(self) -> list[dict[str, Any]]:
        """As JSON has it."""
        return plain(self.rows) if isinstance(self.rows, pa.Table) else self.rows or []


class Joined(NamedTuple):
    """Points of which the halves are made whole: which of `kinds` (WHERE and the observer) each row is."""

    points: Any
    numbers: Numbers
    kinds: list[tuple[Any, ...]]


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


class Trial:
    """What speaks for two registers being one number."""

    def __init__(self, swapped: bool) -> None:
        self.swapped = swapped
        self.may = {"float", "whole"}
        self._seen, self._carries = 0, 0
        self._middle = False
        self._sizes: list[int] = []
        self._last: int | None = None

    def add(self, first: float, second: float) -> None:
        """One more."""
        self._seen += 1
        high, low = _halves(first, second, self.swapped)
        whole, size = high << 16 | low, high >> 7 & 0xFF
        self._middle |= HALF // 2 <= low < HALF + HALF // 2  # where a signed number that passes zero is not
        if whole:
            self._sizes = [min([size, *self._sizes]), max([size, *self._sizes])]
            if not SIZES[0] <= self._sizes[0] <= self._sizes[1] <= min(SIZES[1], self._sizes[0] + SIZES_APART):
                self.may.discard("float")
        if self._last is not None:
            self._carries += self._last >> 16 != high
            if min((whole - self._last) % (1 << 32), (self._last - whole) % (1 << 32)) > ONWARDS:
                self.may.discard("whole")
        self._last = whole

    def word(self, needed: int) -> Word | None:
        """What they are, once enough was seen. A whole number that would be a float of a usual size is one of hundreds of millions, and rare."""
        if self._seen < needed or not self._sizes:
            return None
        if "float" in self.may and (self._middle or needed < NEEDED):
            return Word("float", self.swapped)
        return Word("whole", self.swapped) if "whole" in self.may and self._carries >= CARRIES else None


class Words:
    """The numbers that are known, by their first register. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Place, Word] | None = None, shed: int = 0) -> None:
        self.known = dict(known or {})
        self.shed = shed
        self.halves = {half: first for first in self.known for half in (first, beside(first, 1))}
        self._trials: dict[tuple[Place, bool], Trial] = {}
        self._held = Held()
        self._tags: dict[Place, list[str]] = {}

    def learn(
        self, observer: str, place: Place, start: int, values: tuple[float, float, float], tags: Sequence[str] | None, levels: dict[Place, Level]
    ) -> list[tuple[Place, int, float]]:
        """A register had these values (the least, the most, the last one). Gives the number that is whole now: its first register, when it was, its value."""
        if place in self.halves:
            first = self.halves[place]
            word = self.known[first]
            told = self._held.add(observer, first, word.swapped, int(place != first), start, values[2])
            return [(first, told[0], value)] if told and (value := word.value(*told[1:3])) is not None else []
        low, high, _ = values
        if isinstance(place.thing, str) or not (low.is_integer() and high.is_integer() and low >= -32_768 and high <= 65_535):
            return []
        lower, level = beside(place, -1), levels.get(place)
        if tags and (place in self._tags or len(self._tags) < MOST):
            self._tags[place] = list(tags)
        if level and ((level.seen >= SEEN and (level.signed or level.high - level.low >= WIDE)) or self._together(lower)):
            self._try(lower, False, levels)
            self._try(lower if self._together(lower) else place, True, levels)
        for first, swapped in ((lower, False), (lower, True), (place, False), (place, True)):
            trial = self._trials.get((first, swapped))
            told = trial and self._held.add(observer, first, swapped, int(place != first), start, values[2])
            if trial and told:
                trial.add(told[1], told[2])
                self._decide(first, trial, TAGGED if self._together(first) else NEEDED, levels)
        return []

    def join(self, points: Any, halves: Halves) -> Joined:
        """Points in which what is one number is one row, at the place of the row that shows that its minute is over; the halves are gone."""
        if not self.known or not points.num_rows:
            return Joined(points, *numbered(points, (*WHERE, "observer.name")))
        table = pa.concat_tables([halves.table(points.schema), points])
        kept = table.num_rows - points.num_rows
        numbers, kinds = numbered(table, (*WHERE, "observer.name"))
        places = [place_of(*kind[:-1]) for kind in kinds]
        firsts = [self.halves.get(place) if place else None for place in places]
        pairs = dict.fromkeys((kind[-1], first) for kind, first in zip(kinds, firsts, strict=True) if first is not None)
        pair = {each: number for number, each in enumerate(pairs)}
        number = np.array([-1 if first is None else pair[kind[-1], first] for kind, first in zip(kinds, firsts, strict=True)], np.int64)[numbers]
        if (number[kept:] < 0).all():
            return Joined(points, numbers[kept:], kinds)
        second = np.array([place != first for place, first in zip(places, firsts, strict=True)], bool)[numbers]
        order = np.argsort(number, kind="stable")[(number < 0).sum() :]
        readings = Readings(number[order], table["event.start"].cast(pa.int64()).to_numpy()[order] // MINUTE, second[order])
        halves.rows = table.take(np.sort(order[readings.last()]))
        at = np.flatnonzero(readings.over & (order >= kept))
        words = [self.known[first] for _, first in pairs]
        which = readings.number[at]
        values, good = joined(*(table["ot.point.last"].to_numpy()[order[half[at]]] for half in readings.before), *(
            np.array([getattr(word, name) == wanted for word in words], bool)[which] for name, wanted in (("kind", "float"), ("swapped", True))
        ))  # fmt: skip
        at, which, values = at[good], which[good], values[good]
        made: Any = table.take(order[at - 1])
        things = np.array([first.thing for _, first in pairs], np.int64)[which]
        new = {"ot.object.first": things, **dict.fromkeys(VALUES, values)}
        made = pa.table({name: new.get(name, made[name]) for name in made.column_names}, schema=points.schema)
        kind = {(each[-1], place): number for number, (each, place) in enumerate(zip(kinds, places, strict=True))}
        rest = np.flatnonzero(number[kept:] < 0)
        rows = np.concatenate([rest, np.arange(len(at)) + points.num_rows])[(turns := np.argsort(np.concatenate([rest, order[at] - kept]), kind="stable"))]
        numbers = np.concatenate([numbers[kept:][rest], np.array([kind.get(each, -1) for each in pairs], np.int64)[which]])[turns]
        return Joined(pa.concat_tables([points, made]).take(rows), numbers, kinds)

    def _together(self, first: Place) -> bool:
        """Has the plant one name for both?"""
        return first in self._tags and self._tags[first] == self._tags.get(beside(first, 1))

    def _try(self, first: Place, swapped: bool, levels: Mapping[Place, Level]) -> None:
        pair = first, beside(first, 1)
        if (first, swapped) in self._trials or any(each not in levels or each in self.halves for each in pair):
            return
        if len(self._trials) >= MOST:
            self.shed += 1
            return
        self._trials[first, swapped] = Trial(swapped)

    def _decide(self, first: Place, trial: Trial, needed: int, levels: dict[Place, Level]) -> None:
        """What these two are, unless the low word belongs to the register before it."""
        word = trial.word(needed + LATER if trial.swapped else needed)
        other = self._trials.get((first if self._together(first) else beside(first, -1), False)) if trial.swapped else None
        pair = first, beside(first, 1)
        if word is None or (other and other.may) or any(each in self.halves for each in pair):
            return
        self.known[first] = word
        self.halves |= dict.fromkeys(pair, first)
        for each in pair:
            levels.pop(each, None)
        gone = {beside(first, step) for step in (-1, 0, 1)}
        self._trials = {key: each for key, each in self._trials.items() if key[0] not in gone}


def joined(first: Any, second: Any, floats: Any, swapped: Any) -> tuple[Any, Any]:
    """The numbers of these registers, as `Word.value` has each, and where they are some."""
    sound = np.isfinite(first + second) & (np.rint(first) == first) & (np.rint(second) == second) & (np.abs(first) + np.abs(second) < TOO_MUCH)
    one, other = (np.where(sound, each, 0.0).astype(np.int64) & 0xFFFF for each in (first, second))
    whole = np.where(swapped, other << 16 | one, one << 16 | other).astype(np.uint32)
    with np.errstate(invalid="ignore"):  # some are no numbers
        values = np.where(floats, whole.view(np.float32).astype(float), whole.view(np.int32).astype(float))
    return values, sound & np.isfinite(values)


def beside(place: Place, step: int) -> Place:
    """The register so many further on."""
    return place._replace(thing=cast("int", place.thing) + step)


def _halves(first: float, second: float, swapped: bool) -> tuple[int, int]:
    one, other = int(first) & 0xFFFF, int(second) & 0xFFFF
    return (other, one) if swapped else (one, other)
