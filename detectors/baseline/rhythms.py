"""Rhythms: how long it is between two of what recurs, as a median and a range that a bounded sketch tells; of each habit that is counted by the minute.

How long it is follows from how many came in a minute, and since when. Of requests for several ranges of objects the one that came most often counts;
reports, which are for one object now and for another then, count together. A request that nobody answered has no rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from detectors.baseline.habits import MOST, Key, serving
from detectors.baseline.numbering import numbered
from records.effects import EFFECTS
from records.formats import MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RATIO: Final = 1.1  # between two bins of a sketch
LEAST: Final = 0.001  # seconds that a sketch tells apart, and …
LONGEST: Final = 1e6
MOST_BINS: Final = 32  # of a sketch; beyond them the two that hold least become one
TAIL: Final = 0.01  # of intervals, at each end, that the range leaves out
GROUPED: Final = frozenset(effect.name for effect in EFFECTS if not effect.own)
REPORTS: Final = frozenset(effect.name for effect in EFFECTS if effect.access == "report")
COMMON: Final = (
    "source.ip", "source.mac", "destination.ip", "destination.mac", "network.protocol", "ot.effect", "ot.unit", "ot.object.space", "event.outcome",
)  # fmt: skip
COLUMNS: Final = (*COMMON, "observer.name", "event.start", "event.end", "ot.count")
SEPARATOR: Final = "\x1f"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between two: the `usual` ones (the median), from `low` to `high` (all but the extremes), the `longest` ever; `seen` in so many minutes."""

    usual: float
    low: float
    high: float
    longest: float
    seen: int


@dataclass(slots=True)
class Sketch:
    """Intervals by their logarithm: of each bin how many and their sum."""

    bins: dict[int, list[float]] = field(default_factory=dict[int, "list[float]"])
    longest: float = 0.0

    def add(self, seconds: float, pause: float) -> None:
        """One more, and the pause before it."""
        seconds = min(max(seconds, LEAST), LONGEST)
        one = self.bins.setdefault(round(log(seconds) / log(RATIO)), [0, 0.0])
        one[0], one[1] = one[0] + 1, one[1] + seconds
        self.longest = max(self.longest, pause, seconds)
        if len(self.bins) > MOST_BINS:
            self._thin()

    def rhythm(self) -> Rhythm:
        """What it tells."""
        total = int(sum(count for count, _ in self.bins.values()))
        usual, low, high = (self._quantile(share, total) for share in (0.5, TAIL, 1 - TAIL))
        return Rhythm(usual, low, high, round(self.longest, 3), total)

    def _quantile(self, share: float, total: int) -> float:
        passed = 0.0
        for place in sorted(self.bins):
            count, seconds = self.bins[place]
            passed += count
            if passed > share * (total - 1):
                return round(seconds / count, 3)
        raise ValueError("an empty sketch has no rhythm")

    def _thin(self) -> None:
        places = sorted(self.bins)
        at = min(range(1, len(places)), key=lambda number: self.bins[places[number - 1]][0] + self.bins[places[number]][0])
        gone = self.bins.pop(places[at - 1])
        kept = self.bins[places[at]]
        kept[0], kept[1] = kept[0] + gone[0], kept[1] + gone[1]


@dataclass(slots=True)
class Beat:
    """What came of a habit in its last minute: how often, the first and the last one; and when the last one before came (nanoseconds)."""

    minute: int
    count: int = 0
    start: int = 0
    end: int = 0
    before: int = 0

    @property
    def told(self) -> tuple[float, float] | None:
        """Seconds between two in this minute, and the pause before, where it was heard before."""
        if not self.before or not self.count:
            return None
        return (self.end - self.before) / self.count / SECOND, (self.start - self.before) / SECOND


class Rhythms:
    """The rhythm of each habit. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Key, Rhythm] | None = None, shed: int = 0) -> None:
        self._known = dict(known or {})
        self.shed = shed
        self._sketches: dict[Key, Sketch] = {}
        self._beats: dict[tuple[str, Key], Beat] = {}

    @property
    def known(self) -> dict[Key, Rhythm]:
        """All that was learned so far."""
        told = dict(self._known)
        open_ones: dict[Key, list[tuple[float, float]]] = {}
        for (_, key), beat in self._beats.items():
            if beat.told:
                open_ones.setdefault(key, []).append(beat.told)
        for key in dict.fromkeys((*self._sketches, *open_ones)):
            sketch = self._sketches.get(key, Sketch())
            whole = Sketch({place: list(each) for place, each in sketch.bins.items()}, sketch.longest)
            for seconds, pause in open_ones.get(key, ()):
                whole.add(seconds, pause)
            told[key] = whole.rhythm()
        return told

    def learn(self, rows: pa.Table) -> None:
        """How often these activities came is usual."""
        for observer, key, minute, (count, start, end) in _pulses(rows):
            beat = self._beats.get((observer, key))
            if beat is None:
                if len(self._beats) >= MOST:
                    self.shed += 1
                    continue
                beat = self._beats[observer, key] = Beat(minute)
            if minute > beat.minute:
                if beat.told:
                    self._sketches.setdefault(key, Sketch()).add(*beat.told)
                beat.minute, beat.before, beat.count = minute, beat.end, 0
            if minute == beat.minute:
                beat.start = min(beat.start, start) if beat.count else start
                beat.count = beat.count + count if key.effect in REPORTS else max(beat.count, count)
            beat.end = max(beat.end, end)


def recurring(row: Sequence[Any]) -> Key | None:
    """The habit of a row of COMMON, where it has a rhythm: counted by the minute, and answered or told unasked; none that only serves the network."""
    source, source_mac, destination, destination_mac, protocol, effect, unit, space, outcome = row
    source, destination = source or source_mac, destination or destination_mac
    if effect not in GROUPED or (outcome != "success" and effect not in REPORTS) or source is None or destination is None or protocol in serving():
        return None
    return Key(source, destination, protocol or "unknown", effect, unit, space)


def _pulses(rows: pa.Table) -> Iterator[tuple[str, Key, int, tuple[int, int, int]]]:
    """(observer, habit, minute, (count, start, end)) of the rows that have a rhythm, in their order."""
    table: Any = rows
    numbers, kinds = numbered(table, COMMON)
    habits = [recurring(kind) for kind in kinds]
    columns = [table["observer.name"], table["event.start"].cast(pa.int64()), table["ot.count"], table["event.end"].cast(pa.int64())]
    for number, observer, start, count, end in zip(numbers.tolist(), *(column.to_pylist() for column in columns), strict=True):
        key = habits[cast("int", number)]
        if key:
            yield observer or "", key, start // MINUTE, (count or 1, start, end)
