"""Paces: how many reports a device sends another host in so many minutes at the least, and how often the two exchange anything. What is told only where
something changes has no rhythm, and yet is never as rare for long as when it is held back, and never as still as when it is cut off.

A minute in which a sensor heard nothing that recurs is none. Reports of all units and spaces count together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.baseline.lines import even as is_even
from detectors.baseline.numbering import numbered
from detectors.baseline.rhythms import COMMON, REPORTS, recurring
from detectors.gathering import plain
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import numpy.typing as npt

    from detectors.baseline.habits import Key
    from detectors.baseline.rhythms import Rhythm

    Numbers = npt.NDArray[np.int64]

SPANS: Final = (3, 5, 8, 12, 20, 30, 45)  # minutes
LEAST: Final = 4  # that came in such a span whenever it was, so that none is too few; and …
MANY: Final = 8  # … of so many reports …
SHARE: Final = 0.5  # … that part, too
TIMES: Final = 10  # as long as a span has it to be watched, so that its least number says something
MOST: Final = 4096  # pairs; beyond them nothing more is learned, and that is counted
MOST_OBSERVERS: Final = 64
NEVER: Final = 1 << 62
MOST_KINDS: Final = 65_536  # of rows that were looked up
TEST, EXCHANGE = "test", "data.exchange"
TELLING: Final = REPORTS - {EXCHANGE}  # what is exchanged evenly has a rhythm, and confirmations follow what they confirm
OTHER, NOTHING = -1, -2  # rows that are no reports, and those that do not recur
BACK: Final = 60  # minutes: what is so far back is another capture


WHAT: Final = ("reports", "anything")


class Pair(NamedTuple):
    """A device, a host that hears of it, their protocol; and of what: its `reports`, or `anything` that recurs between the two."""

    device: str
    host: str
    protocol: str
    what: str


class Pace(NamedTuple):
    """The fewest in each of SPANS, and in how many minutes that was learned; 0 of a span that it did not last for."""

    least: tuple[int, ...]
    minutes: int

    def too_few(self, what: str) -> tuple[float, ...]:
        """So many, or fewer; below 0 where nothing is said."""
        told = (-1.0 if each < LEAST else 0.0 if each < MANY or what != "reports" else SHARE * each for each in self.least)
        return tuple(few if self.minutes >= TIMES * span else -1.0 for span, few in zip(SPANS, told, strict=True))


class Fewer(NamedTuple):
    """Too few reports of a pair: in which of SPANS, how many, the row of the last one, and the row that shows it."""

    observer: str
    pair: Pair
    pace: Pace
    span: int
    came: int
    last: list[Any]
    shown: int


class Told(NamedTuple):
    """What rows told: by which of them it shows that a minute is over, the number of each row's minute, and the sums over all minutes that are known and
    over, from nothing on; the last ones are these.
    """

    shown: Numbers
    minute: Numbers
    sums: Any

    def spans(self) -> Iterator[tuple[int, Any]]:
        """Of each span that fits: its number, and how many reports came in it until each of the last minutes that has so many before it."""
        for number, span in enumerate(SPANS):
            if len(self.sums) > span and len(self.shown):
                yield number, (self.sums[span:] - self.sums[:-span])[-len(self.shown) :]


class Ring:
    """Reports a minute, of each pair, that one observer heard: the last minutes that are over, in their order, and the one that is not."""

    def __init__(self, height: int = 0) -> None:
        self.minute = 0
        self.count = np.zeros(height, np.int64)
        self.past = np.zeros((0, height), np.int64)
        self.over = 0  # minutes by now
        self.few = np.zeros(height, bool)  # of which pairs there were too few, until now

    def grow(self, height: int) -> None:
        """There are more pairs."""
        more = height - len(self.count)
        if more > 0:
            self.count, self.past = np.pad(self.count, (0, more)), np.pad(self.past, ((0, 0), (0, more)))

    def hear(self, minutes: Numbers, which: Numbers, counts: Numbers) -> Told:
        """Rows in their order; `which`: two pairs of each, or none (below 0)."""
        now = np.maximum(np.maximum.accumulate(minutes), self.minute)
        begins = np.flatnonzero(np.diff(now, prepend=self.minute) > 0)
        place = np.searchsorted(begins, np.arange(len(now)), "right")
        heard = np.zeros((len(begins) + 1, len(self.count)), np.int64)
        heard[0] = self.count
        for column in which.T:
            some = column >= 0
            np.add.at(heard, (place[some], column[some]), counts[some])
        first = 0 if self.minute else 1
        whole = np.concatenate([self.past, heard[first:]])
        self.minute, self.count, self.past = int(now[-1]), whole[-1].copy(), whole[:-1][-SPANS[-1] :]
        told = Told(begins[first:], self.over + place - first, np.concatenate([np.zeros((1, len(self.count)), np.int64), whole[:-1].cumsum(0)]))
        self.over += len(told.shown)
        return told

    def state(self) -> list[Any]:
        """As JSON has it."""
        return [self.minute, self.count.tolist(), self.past.tolist(), self.over, self.few.tolist()]

    def revive(self, told: Sequence[Any]) -> None:
        """What `state` said. Raises ValueError where it is of other pairs."""
        self.minute, count, past, self.over, few = told
        height = len(self.count)
        self.few = np.array(few, bool)
        self.count, self.past = np.array(count, np.int64), np.array(past, np.int64).reshape(-1, len(count))
        if len(self.count) != height:
            raise ValueError("not the reports of these pairs")


class Paces:
    """The paces of all pairs. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Pair, Pace] | None = None, shed: int = 0) -> None:
        self._known = dict(known or {})
        self.shed = shed
        self._pairs: dict[Pair, int] = {}
        self._rings: dict[str, Ring] = {}
        self._since: dict[str, Numbers] = {}  # by observer: how many minutes were over when each pair was first heard
        self._least: Any = np.zeros((len(SPANS), 0), np.int64)
        self._minutes = np.zeros(0, np.int64)

    @property
    def known(self) -> dict[Pair, Pace]:
        """All that was learned so far."""
        told = dict(self._known)
        for pair, number in self._pairs.items():
            told[pair] = Pace(tuple(0 if each == NEVER else int(each) for each in self._least[:, number]), int(self._minutes[number]))
        return {pair: pace for pair, pace in told.items() if max(pace.too_few(pair.what)) >= 0}

    def learn(self, rows: pa.Table) -> None:
        """So many reports are usual."""
        numbers, kinds = numbered(rows, (*COMMON, "observer.name"))
        keys = [recurring(kind[:-1]) for kind in kinds]
        pairs = np.array([pairs_of(key, self._pairs, self._enter) for key in keys], np.int64).reshape(-1, 2)
        for observer, mine, minutes, counts in heard(rows, numbers, kinds, pairs):
            ring = self._rings.setdefault(observer, Ring())
            if int(minutes.max()) < ring.minute - BACK:
                ring = self._rings[observer] = Ring()
                self._since.pop(observer, None)
            self._grow(observer, ring)
            which = pairs[numbers[mine]]
            told, since = ring.hear(minutes, which, counts), self._since[observer]
            for column in which.T:
                np.minimum.at(since, column[column >= 0], told.minute[column >= 0] + 1)
            self._minutes[since < NEVER] += len(told.shown)
            for number, reports in told.spans():
                begins = np.arange(ring.over - len(reports), ring.over)[:, None] + 1 - SPANS[number]
                self._least[number] = np.minimum(self._least[number], np.where(begins >= since, reports, NEVER).min(0))

    def _enter(self, pair: Pair) -> int:
        if len(self._pairs) >= MOST:
            self.shed += 1
            return OTHER
        return self._pairs.setdefault(pair, len(self._pairs))

    def _grow(self, observer: str, ring: Ring) -> None:
        height = len(self._pairs)
        ring.grow(height)
        since = self._since.get(observer, np.zeros(0, np.int64))
        self._since[observer] = np.pad(since, (0, height - len(since)), constant_values=NEVER)
        more = height - len(self._minutes)
        self._least, self._minutes = np.pad(self._least, ((0, 0), (0, more)), constant_values=NEVER), np.pad(self._minutes, (0, more))


class Held:
    """Judges how many reports come."""

    def __init__(self, known: Mapping[Pair, Pace]) -> None:
        self.pairs = list(known)
        self.paces = list(known.values())
        self.numbers = {pair: number for number, pair in enumerate(self.pairs)}
        self.few = np.array([pace.too_few(pair.what) for pair, pace in known.items()], float).reshape(-1, len(SPANS)).T
        self._pairs: dict[tuple[Any, ...], tuple[int, int]] = {}  # by what rows have in common
        self._rings: dict[str, Ring] = {}
        self._last: dict[str, dict[int, list[Any]]] = {}  # by observer and pair: the row heard last

    def judge(self, rows: Any, numbers: Numbers, kinds: Sequence[tuple[Any, ...]]) -> Iterator[Fewer]:
        """What was held back; `kinds` are those of `numbers`: COMMON and the observer."""
        if not self.pairs:
            return
        pairs = np.array([self._numbers(kind[:-1]) for kind in kinds], np.int64).reshape(-1, 2)
        for observer, mine, minutes, counts in heard(rows, numbers, kinds, pairs):
            ring = self._rings.get(observer)
            if ring is None:
                ring = self._rings[observer] = Ring(len(self.pairs))
                if len(self._rings) > MOST_OBSERVERS:
                    gone = next(iter(self._rings))
                    del self._rings[gone]
                    self._last.pop(gone, None)
            which = pairs[numbers[mine]]
            told = ring.hear(minutes, which, counts)
            last = self._last.setdefault(observer, {})
            for at, pair, span, came in self._begins(ring, told):
                shown = int(told.shown[at])
                before = np.flatnonzero((which[:shown] == pair).any(1))
                row = _row(rows, int(mine[before[-1]])) if len(before) else last.get(pair)
                if row:  # who was never heard has not stopped
                    yield Fewer(observer, self.pairs[pair], self.paces[pair], span, came, row, int(mine[shown]))
            latest = {pair: at for column in which.T for pair, at in zip(column.tolist(), mine.tolist(), strict=True) if pair >= 0}
            last |= {pair: _row(rows, at) for pair, at in latest.items()}

    def _begins(self, ring: Ring, told: Told) -> Iterator[tuple[int, int, int, int]]:
        """(minute, pair, the shortest span, how many came in it) wherever it was not so the minute before."""
        many = len(told.shown)
        where = np.full((many, len(self.pairs)), -1, np.int64)
        came = np.zeros_like(where)
        for span, counts in told.spans():
            later = slice(many - len(counts), None)
            new = (where[later] < 0) & (counts <= self.few[span])
            where[later][new], came[later][new] = span, counts[new]
        few = np.concatenate([ring.few[None, :], where >= 0])
        ring.few = few[-1]
        for at, pair in np.argwhere(few[1:] & ~few[:-1]).tolist():
            yield at, pair, int(where[at, pair]), int(came[at, pair])

    def _numbers(self, kind: tuple[Any, ...]) -> tuple[int, int]:
        made = self._pairs.get(kind)
        if made is None:
            if len(self._pairs) >= MOST_KINDS:
                self._pairs.clear()
            made = self._pairs[kind] = pairs_of(recurring(kind), self.numbers)
        return made

    def state(self) -> dict[str, Any]:
        """As JSON has it."""
        return {observer: [ring.state(), list(self._last.get(observer, {}).items())] for observer, ring in self._rings.items()}

    def revive(self, told: Mapping[str, Any]) -> None:
        """What `state` said. Raises ValueError where it is of other pairs."""
        for observer, (ring, last) in told.items():
            self._rings[observer] = Ring(len(self.pairs))
            self._rings[observer].revive(ring)
            self._last[observer] = dict(last)


def unwatched(paces: Mapping[Pair, Pace], rhythms: Mapping[Key, Rhythm]) -> dict[Pair, Pace]:
    """Those of which no rhythm tells the same."""
    even = {(*key[:3], key.effect in TELLING) for key, rhythm in rhythms.items() if key.effect != TEST and is_even(rhythm)}
    return {pair: pace for pair, pace in paces.items() if not _watched(pair, even)}


def _watched(pair: Pair, even: AbstractSet[tuple[str, str, str, bool]]) -> bool:
    """Has it a rhythm that tells the same?"""
    if pair.what == "reports":
        return (*pair[:3], True) in even
    return any((*ends, pair.protocol, tells) in even for ends in (pair[:2], pair[1::-1]) for tells in (True, False))


def pairs_of(key: Key | None, known: Mapping[Pair, int], enter: Callable[[Pair], int] | None = None) -> tuple[int, int]:
    """The numbers of its two pairs. Who tests may be either end."""
    if key is None:
        return NOTHING, NOTHING
    if key.effect == EXCHANGE:
        return OTHER, OTHER
    device, host = key[:2] if key.effect in TELLING else (key.destination, key.source)
    pair, turned = (Pair(*ends, key.protocol, "anything") for ends in ((device, host), (host, device)))
    if key.effect == TEST and pair not in known and turned in known:
        pair = turned
    both = (pair, pair._replace(what="reports") if key.effect in TELLING else None)
    told = (OTHER if each is None else known[each] if each in known else enter(each) if enter else OTHER for each in both)
    return next(told), next(told)


def heard(rows: Any, numbers: Numbers, kinds: Sequence[tuple[Any, ...]], pairs: Numbers) -> Iterator[tuple[str, Numbers, Numbers, Numbers]]:
    """(observer, its rows that recur, their minutes, how many each stands for)."""
    names = [kind[-1] or "" for kind in kinds]
    minutes, counts = rows["event.start"].cast(pa.int64()).to_numpy() // MINUTE, rows["ot.count"].fill_null(1).to_numpy()
    recurs = pairs[:, 0] > NOTHING
    for observer in dict.fromkeys(names):
        mine = np.flatnonzero((recurs & np.array([name == observer for name in names], bool))[numbers])
        if len(mine):
            yield observer, mine, minutes[mine], counts[mine]


def _row(rows: Any, at: int) -> list[Any]:
    """Identity, first packet, begin, end and effect."""
    (row,) = plain(rows.select(["id", "ot.packet.first", "event.start", "event.end", "ot.effect"]).slice(at, 1))
    return [row["id"], row["ot.packet.first"] or 0, row["event.start"], row["event.end"], row["ot.effect"]]
