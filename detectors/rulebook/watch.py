"""A correlation at work: it remembers the rows that may still count, bounded, and tells each time when there are enough.

The same rows in the same order give the same, however they are cut. A window may end at any row, and is looked at when a row comes that is in it. When
one is enough it fires, and no other that ends within a span of it does: so a group fires at most once a span, however long it goes on, and the
next time tells of rows that come after. Rows need not come in the order of their times: one that is late is looked at where it belongs.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

from detectors.rulebook.correlation import OF_VALUES, TEMPORAL, Correlation
from detectors.rulebook.entries import BITS, TIME, WEIGHT, entries, whole
from detectors.rulebook.tally import Tally
from detectors.rulebook.windows import LOWER, SLACK, Rows, arranged, enough, possible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detectors.rulebook.frame import Frame, Mask
    from detectors.rulebook.windows import Whole
    from records.schema import Field

MANY: Final = 256  # new rows that are worth a look at everything that is remembered
AT_ONCE: Final = 4096  # rows after which what can no longer count is forgotten; always at the same rows, however they are cut
LATE: Final = 120 * 10**9  # nanoseconds that a row may come after later ones and still find all that belongs to it
MOST: Final = 65_536  # rows that are remembered; beyond them the first that came are forgotten, and counted
CHUNKS: Final = 64  # small tables that the remembered rows may be in before they are made one
_GROUP: Final = "_group"
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial


@dataclass(frozen=True, slots=True)
class Firing:
    """There were enough: `row` of the frame completed it, `rows` are those in the window, in order of time, and `measure` is what they come to.

    `bits` tell the parts that each of the rows is; `group` are the values that it was grouped by.
    """

    row: int
    rows: pa.Table
    bits: list[int]
    measure: float
    group: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What is known already of the time before `since` (nanoseconds): rows of that time are remembered, and complete nothing but what they did then.

    `fired` tells, of a row's identity and a group, the identity of the last row of the window that it completed; None where it completed none.
    """

    since: int
    fired: Callable[[str, tuple[Any, ...]], str | None]


class Watch:
    """One correlation and what it remembers. `columns` are those that a finding needs of its rows; `shed` counts rows forgotten for want of room.

    What the correlations inside of it completed in a `past` is worked out: nobody has kept it.
    """

    def __init__(self, correlation: Correlation, columns: frozenset[str] = frozenset(), past: Past | None = None) -> None:
        self.correlation = correlation
        self.shed = 0
        self._past = past
        self._columns = sorted(columns | correlation.columns | frozenset(["id"] if past else []))
        measured = {field.name for field in correlation.measured} & set(correlation.table.names)
        self._looked = [TIME, WEIGHT, BITS, *sorted(measured)]  # all that tells whether there are enough
        self._inner = {number: Watch(part.inner) for number, part in enumerate(correlation.parts) if part.inner is not None}
        self._memory: pa.Table | None = None
        self._groups: list[str] = []  # in words, of what is remembered and some that nothing has any more
        self._numbers: dict[str, int] = {}  # of the groups
        self._codes: list[Whole] = []  # the number of each remembered row's group, in parts, so that a small batch is not as much work as all of it
        self._tallies: dict[str, Tally] = {}  # by group, of what is remembered
        self._fired: dict[str, list[int]] = {}
        self._since = 0

    def judge(self, frame: Frame) -> list[Firing]:
        """Where there are enough, in the order of rows."""
        self._renumber()
        new = entries(frame, self.correlation, self._columns, lambda number: self._inner_rows(number, frame))
        if new is None:
            return []
        codes = self._numbered(new.groups)[new.codes]
        past = self._of_the_past(frame)[new.rows]
        turns = [*(np.flatnonzero(np.diff(past)) + 1).tolist(), len(new.rows)]
        found: list[Firing] = []
        at = 0
        while at < len(new.rows):
            end = min(turns[bisect_right(turns, at)], at + AT_ONCE - self._since)
            table = new.table.slice(at, end - at)
            if self._past and past[at]:
                self._remember(self._past, table, codes[at:end])
            else:
                found += self._some(new.rows[at:end], table, codes[at:end])
            self._since += end - at
            at = end
            if self._since == AT_ONCE:
                self._forget()
        return found

    # ---- what they come to ---------------------------------------------------------------------------------------------------------------------

    def _inner_rows(self, number: int, frame: Frame) -> Mask:
        found = np.zeros(frame.height, dtype=np.bool_)
        found[[firing.row for firing in self._inner[number].judge(frame)]] = True
        return found

    def _of_the_past(self, frame: Frame) -> Mask:
        """Rows of which it is known already what they completed."""
        return frame.numbers(cast("Field", frame.schema.field("@timestamp"))).numbers < self._past.since if self._past else frame.nothing()

    def _remember(self, past: Past, new: pa.Table, codes: Whole) -> None:
        """Take in rows of the past, and which windows they completed."""
        table, _ = self._taken(new, codes)
        groups = {code: self._grouped_by(code) for code in cast("list[int]", np.unique(codes).tolist())}
        for code in groups:
            self._tallies.pop(self._groups[code], None)  # it would lack these rows
        ends: list[tuple[int, str, int]] = []
        for (name, time), code in zip(_named(new), cast("list[int]", codes.tolist()), strict=True):
            if (last := past.fired(name, groups[code])) is not None:
                ends.append((code, last, time))
        if not ends:
            return
        held = table.filter(_compute.is_in(table.column("id"), pa.array([last for _, last, _ in ends])))
        times = dict(_named(held))
        for code, last, time in ends:  # a last row that this correlation does not look at leaves the one that came last
            insort(self._fired.setdefault(self._groups[code], []), times.get(last, time))

    def _some(self, numbers: Whole, new: pa.Table, codes: Whole) -> list[Firing]:
        """What these rows complete; `numbers` are theirs in the frame."""
        old = 0 if self._memory is None else self._memory.num_rows
        table, groups = self._taken(new, codes)
        worth, start = self._worth(new, codes)
        if not worth:
            return []
        looked = np.zeros(len(self._groups), dtype=np.bool_)
        looked[[self._numbers[name] for name in worth]] = True
        places = np.flatnonzero(looked[groups] & (whole(table.column(TIME)) > start))  # rows of the others, and what no window reaches, stay as they are
        rows = self._arranged(table.select(self._looked).take(places), groups[places])
        found: list[Firing] = []
        for place, inside, measure in self._firings(rows, int(np.searchsorted(places, old))):
            number = int(places[rows.order[place]]) - old
            chosen = table.take(places[rows.order[inside]]).drop_columns([TIME, WEIGHT, BITS])
            found.append(Firing(int(numbers[number]), chosen, rows.bits[inside].tolist(), measure, self._grouped_by(int(rows.group[place]))))
        return found

    def _worth(self, new: pa.Table, codes: Whole) -> tuple[set[str], int]:
        """The groups of which a window that a new row is in may be enough, and before when no such window begins: they alone are worked out from their rows."""
        count = new.num_rows
        new, codes = self._promising(new, codes)
        times = cast("list[int]", new.column(TIME).to_pylist())
        groups = [self._groups[code] for code in cast("list[int]", codes.tolist())]
        self._tell(set(groups).difference(self._tallies), count)
        worth, earliest = set[str](), dict[str, int]()
        for time, group, brought in zip(times, groups, self._brought(new), strict=True):
            tally = self._tallies[group]
            earliest[group] = min(time, earliest.get(group, time))  # every new row of a group that is looked at is judged by whole windows
            may = tally.add(time, brought)
            if may and not self._quiet(self._fired.get(group, []), time, max(time, min(tally.newest, time + self.correlation.span - 1))):
                worth.add(group)
        return worth, min((earliest[group] for group in worth), default=0) - self.correlation.span

    def _promising(self, new: pa.Table, codes: Whole) -> tuple[pa.Table, Whole]:
        """The new rows of groups that all of their remembered rows together could make enough. Of the others no tally is kept."""
        if new.num_rows < MANY or (told := self._together()) is None:
            return new, codes
        may = told[codes]
        if self._tallies:
            for number in cast("list[int]", np.unique(codes[~may]).tolist()):
                self._tallies.pop(self._groups[number], None)  # it would lack these rows
        return (new, codes) if may.all() else (new.filter(pa.array(may)), codes[may])

    def _together(self) -> Mask | None:
        """By number of its group: whether everything that is remembered of it could be enough; None where that cannot be told in one go."""
        codes, memory, bounds = np.concatenate(self._codes), cast("pa.Table", self._memory), self.correlation.bounds
        if self.correlation.kind == "event_count":
            totals = np.bincount(codes, whole(memory.column(WEIGHT)), len(self._groups)) * (1 + SLACK)
            return totals >= max((number for name, number in bounds if name in LOWER), default=0.0)
        if self.correlation.kind not in TEMPORAL or bounds:
            return None
        bits, found = whole(memory.column(BITS)), np.zeros(len(self._groups), dtype=np.bool_)
        there = [np.bincount(codes, bits >> part & 1, len(found)) > 0 for part in range(len(self.correlation.parts))]
        for way in self.correlation.wanted:
            complete = np.ones(len(found), dtype=np.bool_)
            for part in way.there:
                complete &= there[part]
            found |= complete
        return found

    def _brought(self, rows: pa.Table) -> list[Any]:
        """What each row brings to what its window comes to."""
        values = _values(self.correlation, rows)
        return rows.column(WEIGHT if self.correlation.kind == "event_count" else BITS).to_pylist() if values is None else values

    def _tell(self, unknown: set[str], new: int) -> None:
        """Begin the tallies of these groups with what is remembered of them; the last `new` rows are not yet."""
        self._tallies |= {group: Tally(self.correlation, LATE) for group in unknown}
        memory = cast("pa.Table", self._memory)
        codes = np.concatenate(self._codes)[: memory.num_rows - new]
        known = [self._numbers[group] for group in unknown]
        places = np.flatnonzero(np.isin(codes, known)) if len(codes) and known else codes[:0]
        if len(places):
            places = places[np.argsort(whole(memory.column(TIME))[places], kind="stable")]
            rows = memory.select(self._looked).take(places)
            times = cast("list[int]", rows.column(TIME).to_pylist())
            for time, code, brought in zip(times, codes[places].tolist(), self._brought(rows), strict=True):
                self._tallies[self._groups[code]].add(time, brought)

    def _taken(self, new: pa.Table, codes: Whole) -> tuple[pa.Table, Whole]:
        """Everything that is remembered with these rows behind it, and the number of each row's group."""
        table = new if self._memory is None else pa.concat_tables([self._memory, new])
        self._codes.append(codes)
        if len(self._codes) > CHUNKS:
            table, self._codes = table.combine_chunks(), [np.concatenate(self._codes)]
        self._memory = table
        return table, np.concatenate(self._codes)

    def _grouped_by(self, code: int) -> tuple[Any, ...]:
        """What the group of this number is grouped by."""
        return tuple(json.loads(self._groups[code]))

    def _numbered(self, groups: list[str]) -> Whole:
        """The number of each of these groups, in words."""
        for name in groups:
            if name not in self._numbers:
                self._numbers[name] = len(self._groups)
                self._groups.append(name)
        return np.array([self._numbers[name] for name in groups], dtype=np.int64)

    def _renumber(self) -> None:
        """Let go of groups that nothing has any more, when there are many."""
        if len(self._groups) <= MOST:
            return
        used, codes = np.unique(np.concatenate(self._codes), return_inverse=True)
        self._groups = [self._groups[number] for number in used.tolist()]
        self._numbers = {name: number for number, name in enumerate(self._groups)}
        self._codes = [codes.astype(np.int64)]

    def _arranged(self, table: pa.Table, codes: Whole) -> Rows:
        time, weight, bits = (whole(table.column(name)) for name in (TIME, WEIGHT, BITS))
        return arranged(codes, time, weight, bits, _values(self.correlation, table), self.correlation.span)

    def _firings(self, rows: Rows, old: int) -> list[tuple[int, Whole, float]]:
        """Where rows from `old` on complete a window that is enough: the row, the rows inside and the measure, in the order of release."""
        may = possible(self.correlation, rows)
        ahead = np.concatenate(([0], np.cumsum(may)))
        candidates = np.flatnonzero((rows.order >= old) & (ahead[rows.reach] > ahead[np.arange(len(may))]))
        candidates = candidates[np.argsort(rows.order[candidates])]
        found: list[tuple[int, Whole, float]] = []
        for place in candidates.tolist():
            fired = self._fired.setdefault(self._groups[int(rows.group[place])], [])
            told = self._completed(rows, may, place, fired)
            if told is not None:
                end, inside, measure = told
                insort(fired, end)
                found.append((place, inside, measure))
        return found

    def _completed(self, rows: Rows, may: Mask, place: int, fired: list[int]) -> tuple[int, Whole, float] | None:
        """The first window that is enough by the row at `place`: its end, its rows and what they come to."""
        came = int(rows.order[place])
        last = min(int(rows.reach[place]) - 1, int(rows.furthest[place]))
        if self._quiet(fired, int(rows.time[place]), int(rows.time[last])):
            return None  # one that fired keeps all of them quiet
        ends = place + np.flatnonzero(may[place : last + 1] & (rows.order[place : last + 1] <= came))
        for end in ends.tolist():
            if self._quiet(fired, int(rows.time[end]), int(rows.time[end])):
                continue
            inside = np.arange(int(rows.first[end]), int(rows.after[end]))
            inside = inside[rows.order[inside] <= came]
            if (measure := enough(self.correlation, rows, inside)) is not None:
                return int(rows.time[end]), inside, measure
        return None

    def _quiet(self, fired: list[int], first: int, last: int) -> bool:
        """Whether every window that ends between these times is too near to one that fired."""
        at = bisect_left(fired, first)
        return any(abs(first - other) < self.correlation.span > abs(last - other) for other in fired[max(0, at - 1) : at + 2])

    # ---- what is remembered --------------------------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """What no row can need any more that comes at most LATE after later ones, and what there is no room for."""
        self._since = 0
        memory = cast("pa.Table", self._memory)
        time = whole(memory.column(TIME))
        oldest = int(time[-AT_ONCE:].max()) - self.correlation.span - LATE
        kept = np.flatnonzero(time > oldest)
        shed = max(0, len(kept) - MOST)
        self.shed += shed
        kept = kept[shed:]
        behind = len(kept) > 0 and int(kept[0]) + len(kept) == memory.num_rows  # as where all came in the order of times: nothing to pick
        self._memory = (memory.slice(int(kept[0])) if behind else memory.take(kept)).combine_chunks()
        self._codes = [np.concatenate(self._codes)[kept]]
        for group in [group for group, tally in self._tallies.items() if tally.forget(oldest)]:
            del self._tallies[group]
        if shed:
            self._tallies = {}
        fired = {group: [end for end in ends if end > oldest] for group, ends in self._fired.items()}
        self._fired = {group: ends for group, ends in list(fired.items())[-MOST:] if ends}

    @property
    def empty(self) -> bool:
        """Whether it remembers nothing."""
        return self._memory is None and all(inner.empty for inner in self._inner.values())

    def state(self) -> dict[str, Any]:
        """Everything that judging depends on, as plain values."""
        memory = ""
        if self._memory is not None:
            groups = pa.array([self._groups[code] for code in np.concatenate(self._codes).tolist()], pa.string())
            memory = _packed(self._memory.append_column(_GROUP, groups))
        inner = {str(number): watch.state() for number, watch in self._inner.items()}
        return {"of": self._digest(), "memory": memory, "fired": self._fired, "since": self._since, "shed": self.shed, "inner": inner}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up where `state` left off; of another correlation, or None, it is forgotten. Raises ValueError for what is no state."""
        if state is not None and state.get("of") != self._digest():
            state = None
        try:
            self._memory, self._groups, self._numbers, self._codes, self._tallies = None, [], {}, [], {}
            if state and state["memory"]:
                self._take_up(_unpacked(state["memory"]))
            self._fired = {str(group): [int(end) for end in ends] for group, ends in state["fired"].items()} if state else {}
            self._since, self.shed = (int(state["since"]), int(state["shed"])) if state else (0, 0)
            for number, watch in self._inner.items():
                watch.restore(state["inner"][str(number)] if state else None)
        except (KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise ValueError("not the state of a correlation") from error

    def _take_up(self, memory: pa.Table) -> None:
        groups = cast("Any", memory.column(_GROUP).combine_chunks()).dictionary_encode()  # the stubs leave its types open
        self._memory = memory.drop_columns([_GROUP])
        self._codes = [self._numbered(cast("list[str]", groups.dictionary.to_pylist()))[whole(groups.indices)]]

    def _digest(self) -> str:
        return blake2b(repr((self.correlation, self._columns)).encode(), digest_size=10).hexdigest()


def _values(correlation: Correlation, table: pa.Table) -> list[Any] | None:
    """What is measured of each row; None where there is nothing, or what is no number where numbers are measured."""
    if not correlation.measured:
        return None
    columns = [_plain(table, field.name) for field in correlation.measured]
    if correlation.kind in OF_VALUES:
        return [value if value is not None and np.isfinite(value) else None for value in columns[0]]
    columns = [[None if isinstance(value, float) and np.isnan(value) else value for value in column] for column in columns]
    return columns[0] if len(columns) == 1 else [None if None in values else values for values in zip(*columns, strict=True)]


def _plain(table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        return [None] * table.num_rows
    column = table.column(name)
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()


def _named(rows: pa.Table) -> Iterator[tuple[str, int]]:
    """The identity of each row and when it counts."""
    return zip(cast("list[str]", rows.column("id").to_pylist()), cast("list[int]", rows.column(TIME).to_pylist()), strict=True)


def _packed(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return b64encode(sink.getvalue()).decode()


def _unpacked(text: str) -> pa.Table:
    return pa.ipc.open_stream(b64decode(text)).read_all()
