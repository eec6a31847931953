"""A correlation at work: it remembers the rows that may still count, bounded, and tells each time when there are enough.

The same rows in the same order give the same, however they are cut. A window may end at any row, and is looked at when a row comes that is in it. When
one is enough it fires, and no other that ends within a span of it does: so a group fires at most once a span, however long it goes on, and the
next time tells of rows that come after. Rows need not come in the order of their times: one that is late is looked at where it belongs.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from bisect import bisect_left, insort
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.rulebook.correlation import OF_VALUES, TEMPORAL, Correlation
from detectors.rulebook.tally import Tally
from detectors.rulebook.windows import LOWER, SLACK, Rows, Whole, arranged, enough, possible
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.rulebook.frame import Frame, Mask
    from records.schema import Field

MANY: Final = 256  # new rows that are worth a look at everything that is remembered
AT_ONCE: Final = 4096  # rows after which what can no longer count is forgotten; always at the same rows, however they are cut
LATE: Final = 120 * 10**9  # nanoseconds that a row may come after later ones and still find all that belongs to it
MOST: Final = 65_536  # rows that are remembered; beyond them the first that came are forgotten, and counted
CHUNKS: Final = 64  # small tables that the remembered rows may be in before they are made one
HEAVIEST: Final = 2**40

_TIME, _WEIGHT, _BITS, _GROUP = "_time", "_weight", "_bits", "_group"


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
class _Entries:
    """The rows of a frame that count, in order: number in the frame, parts that they match as bits, and their group in words."""

    rows: Whole
    bits: Whole
    groups: npt.NDArray[np.object_]

    def part(self, start: int, end: int) -> _Entries:
        return _Entries(self.rows[start:end], self.bits[start:end], self.groups[start:end])


class Watch:
    """One correlation and what it remembers. `columns` are those that a finding needs of its rows; `shed` counts rows forgotten for want of room."""

    def __init__(self, correlation: Correlation, columns: frozenset[str] = frozenset()) -> None:
        self.correlation = correlation
        self.shed = 0
        self._columns = sorted(columns | correlation.columns)
        measured = {field.name for field in correlation.measured} & set(correlation.table.names)
        self._looked = [_TIME, _WEIGHT, _BITS, *sorted(measured)]  # all that tells whether there are enough
        self._inner = {number: Watch(part.inner) for number, part in enumerate(correlation.parts) if part.inner is not None}
        self._memory: pa.Table | None = None
        self._numbers: dict[str, int] = {}  # of the groups of what is remembered, so that a small batch is not as much work as all of it
        self._codes: list[Whole] = []  # the number of each remembered row's group, in parts
        self._tallies: dict[str, Tally] = {}  # by group, of what is remembered
        self._fired: dict[str, list[int]] = {}
        self._since = 0

    def judge(self, frame: Frame) -> list[Firing]:
        """Where there are enough, in the order of rows."""
        entries = self._entries(frame)
        found: list[Firing] = []
        at = 0
        while at < len(entries.rows):
            end = min(len(entries.rows), at + AT_ONCE - self._since)
            found += self._some(frame, entries.part(at, end))
            self._since += end - at
            at = end
            if self._since == AT_ONCE:
                self._forget()
        return found

    # ---- which rows count ----------------------------------------------------------------------------------------------------------------------

    def _entries(self, frame: Frame) -> _Entries:
        usable = self._usable(frame)
        views: dict[tuple[Field, ...], Whole] = {}
        for number, part in enumerate(self.correlation.parts):
            mask = self._inner_rows(number, frame) if part.match is None else part.match(frame)
            if mask is not frame.nothing():
                bits = views.setdefault(part.group, np.zeros(frame.height, dtype=np.int64))
                bits[mask & usable] |= 1 << number
        each = [(rows := np.flatnonzero(bits), bits[rows], _groups(frame, rows, fields)) for fields, bits in views.items()]
        if len(each) == 1:
            return _Entries(*each[0])
        return _merged(each)

    def _usable(self, frame: Frame) -> Mask:
        usable = frame.present(_field(frame, "@timestamp"))
        if self.correlation.own_rows and frame.schema is ACTIVITY:
            usable = usable & ~cast("Mask", frame.numbers(_field(frame, "ot.grouped")).numbers)
        return usable

    def _inner_rows(self, number: int, frame: Frame) -> Mask:
        found = np.zeros(frame.height, dtype=np.bool_)
        found[[firing.row for firing in self._inner[number].judge(frame)]] = True
        return found

    # ---- what they come to ---------------------------------------------------------------------------------------------------------------------

    def _some(self, frame: Frame, entries: _Entries) -> list[Firing]:
        new = self._remembered(frame, entries)
        old = 0 if self._memory is None else self._memory.num_rows
        table, codes = self._taken(new)
        worth, start = self._worth(new)
        if not worth:
            return []
        whole = np.concatenate(codes)
        looked = np.zeros(len(self._numbers), dtype=np.bool_)
        looked[[self._numbers[name] for name in worth]] = True
        places = np.flatnonzero(looked[whole] & (_whole(table.column(_TIME)) > start))  # rows of the others, and what no window reaches, stay as they are
        rows = self._arranged(table.select(self._looked).take(places), whole[places])
        found: list[Firing] = []
        names = list(self._numbers)
        for place, inside, measure in self._firings(rows, names, int(np.searchsorted(places, old))):
            number = int(places[rows.order[place]]) - old
            chosen = table.take(places[rows.order[inside]]).drop_columns([_TIME, _WEIGHT, _BITS, _GROUP])
            bits = rows.bits[inside].tolist()
            found.append(Firing(int(entries.rows[number]), chosen, bits, measure, tuple(json.loads(names[int(rows.group[place])]))))
        return found

    def _worth(self, new: pa.Table) -> tuple[set[str], int]:
        """The groups of which a window that a new row is in may be enough, and before when no such window begins: they alone are worked out from their rows."""
        new, numbers = self._promising(new)
        times, groups = (cast("list[Any]", new.column(name).to_pylist()) for name in (_TIME, _GROUP))
        self._tell(set(groups).difference(self._tallies), numbers)
        worth, earliest = set[str](), dict[str, int]()
        for time, group, brought in zip(times, groups, self._brought(new), strict=True):
            tally = self._tallies[group]
            earliest[group] = min(time, earliest.get(group, time))  # every new row of a group that is looked at is judged by whole windows
            may = tally.add(time, brought)
            if may and not self._quiet(self._fired.get(group, []), time, max(time, min(tally.newest, time + self.correlation.span - 1))):
                worth.add(group)
        return worth, min((earliest[group] for group in worth), default=0) - self.correlation.span

    def _promising(self, new: pa.Table) -> tuple[pa.Table, int]:
        """The new rows of groups that all of their remembered rows together could make enough, and how many are new in all. Of the others no tally is kept."""
        if new.num_rows < MANY or (told := self._together()) is None:
            return new, new.num_rows
        codes = np.concatenate(self._codes)[-new.num_rows :]
        hopeless = np.unique(codes[~told[codes]])
        if len(hopeless) and self._tallies:
            names = list(self._numbers)
            for number in cast("list[int]", hopeless.tolist()):
                self._tallies.pop(names[number], None)  # it would lack these rows
        return new.filter(pa.array(told[codes])), new.num_rows

    def _together(self) -> Mask | None:
        """By number of its group: whether everything that is remembered of it could be enough; None where that cannot be told in one go."""
        codes, memory, bounds = np.concatenate(self._codes), cast("pa.Table", self._memory), self.correlation.bounds
        if self.correlation.kind == "event_count":
            totals = np.bincount(codes, _whole(memory.column(_WEIGHT)), len(self._numbers)) * (1 + SLACK)
            return totals >= max((number for name, number in bounds if name in LOWER), default=0.0)
        if self.correlation.kind not in TEMPORAL or bounds:
            return None
        bits, found = _whole(memory.column(_BITS)), np.zeros(len(self._numbers), dtype=np.bool_)
        there = [np.bincount(codes, bits >> part & 1, len(found)) > 0 for part in range(len(self.correlation.parts))]
        for way in self.correlation.wanted:
            whole = np.ones(len(found), dtype=np.bool_)
            for part in way.there:
                whole &= there[part]
            found |= whole
        return found

    def _brought(self, rows: pa.Table) -> list[Any]:
        """What each row brings to what its window comes to."""
        values = _values(self.correlation, rows)
        return rows.column(_WEIGHT if self.correlation.kind == "event_count" else _BITS).to_pylist() if values is None else values

    def _tell(self, unknown: set[str], new: int) -> None:
        """Begin the tallies of these groups with what is remembered of them; the last `new` rows are not yet."""
        self._tallies |= {group: Tally(self.correlation, LATE) for group in unknown}
        memory = cast("pa.Table", self._memory)
        codes = np.concatenate(self._codes)[: memory.num_rows - new]
        known = [self._numbers[group] for group in unknown]
        places = np.flatnonzero(np.isin(codes, known)) if len(codes) and known else codes[:0]
        if len(places):
            rows = memory.select([*self._looked, _GROUP]).take(places)
            rows = rows.take(np.argsort(_whole(rows.column(_TIME)), kind="stable"))
            times, groups = (cast("list[Any]", rows.column(name).to_pylist()) for name in (_TIME, _GROUP))
            for time, group, brought in zip(times, groups, self._brought(rows), strict=True):
                self._tallies[group].add(time, brought)

    def _taken(self, new: pa.Table) -> tuple[pa.Table, list[Whole]]:
        """Everything that is remembered with these rows behind it, and the number of each row's group, in parts."""
        if self._memory is not None and not self._codes:  # it was forgotten in part, or restored
            self._numbers = {}
            self._codes = [self._numbered(self._memory)]
        table = new if self._memory is None else pa.concat_tables([self._memory, new])
        self._codes.append(self._numbered(new))
        if len(self._codes) > CHUNKS:
            table, self._codes = table.combine_chunks(), [np.concatenate(self._codes)]
        self._memory = table
        return self._memory, self._codes

    def _numbered(self, rows: pa.Table) -> Whole:
        groups = cast("Any", rows.column(_GROUP).combine_chunks()).dictionary_encode()  # the stubs leave its types open
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in cast("list[str]", groups.dictionary.to_pylist())]
        return np.array(numbers, dtype=np.int64)[_whole(groups.indices.cast(pa.int64()))]

    def _arranged(self, table: pa.Table, codes: Whole) -> Rows:
        time, weight, bits = (_whole(table.column(name)) for name in (_TIME, _WEIGHT, _BITS))
        return arranged(codes, time, weight, bits, _values(self.correlation, table), self.correlation.span)

    def _firings(self, rows: Rows, names: list[str], old: int) -> list[tuple[int, Whole, float]]:
        """Where rows from `old` on complete a window that is enough: the row, the rows inside and the measure, in the order of release."""
        may = possible(self.correlation, rows)
        ahead = np.concatenate(([0], np.cumsum(may)))
        candidates = np.flatnonzero((rows.order >= old) & (ahead[rows.reach] > ahead[np.arange(len(may))]))
        candidates = candidates[np.argsort(rows.order[candidates])]
        found: list[tuple[int, Whole, float]] = []
        for place in candidates.tolist():
            fired = self._fired.setdefault(names[int(rows.group[place])], [])
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

    def _remembered(self, frame: Frame, entries: _Entries) -> pa.Table:
        fields = [field for field in frame.schema.fields if field.name in self._columns]
        columns: dict[str, Any] = {field.name: frame.column(field).take(entries.rows) for field in fields}
        weight = _weights(frame, entries.rows)
        plain = sum(1 << number for number, part in enumerate(self.correlation.parts) if part.match is not None)
        weight[entries.bits & plain == 0] = 1  # what an inner correlation found is one thing
        helpers: dict[str, Any] = {_TIME: _times(frame, entries.rows), _WEIGHT: weight, _BITS: entries.bits}
        array = cast("Any", pa.array)  # the stubs take no array of objects
        columns |= {name: array(values) for name, values in helpers.items()} | {_GROUP: array(entries.groups, pa.string())}
        return pa.table(columns)

    def _forget(self) -> None:
        """What no row can need any more that comes at most LATE after later ones, and what there is no room for."""
        self._since = 0
        memory = cast("pa.Table", self._memory)
        time = _whole(memory.column(_TIME))
        oldest = int(time[-AT_ONCE:].max()) - self.correlation.span - LATE
        kept = np.flatnonzero(time > oldest)
        shed = max(0, len(kept) - MOST)
        self.shed += shed
        self._memory = memory.take(kept[shed:]).combine_chunks()
        # numbers stay as they are, until there are many that nothing has any more
        self._codes = [np.concatenate(self._codes)[kept[shed:]]] if len(self._numbers) <= MOST else []
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
        memory = "" if self._memory is None else _packed(self._memory)
        inner = {str(number): watch.state() for number, watch in self._inner.items()}
        return {"of": self._digest(), "memory": memory, "fired": self._fired, "since": self._since, "shed": self.shed, "inner": inner}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Take up where `state` left off; of another correlation, or None, it is forgotten. Raises ValueError for what is no state."""
        if state is not None and state.get("of") != self._digest():
            state = None
        try:
            self._memory = _unpacked(state["memory"]) if state and state["memory"] else None
            self._numbers, self._codes, self._tallies = {}, [], {}
            self._fired = {str(group): [int(end) for end in ends] for group, ends in state["fired"].items()} if state else {}
            self._since, self.shed = (int(state["since"]), int(state["shed"])) if state else (0, 0)
            for number, watch in self._inner.items():
                watch.restore(state["inner"][str(number)] if state else None)
        except (KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise ValueError("not the state of a correlation") from error

    def _digest(self) -> str:
        return blake2b(repr((self.correlation, self._columns)).encode(), digest_size=10).hexdigest()


def _field(frame: Frame, name: str) -> Field:
    return cast("Field", frame.schema.field(name))


def _whole(column: Any) -> Whole:
    return cast("Whole", column.to_numpy().astype(np.int64, copy=False))


def _times(frame: Frame, rows: Whole) -> Whole:
    """When a row counts, nanoseconds: one of its own at its time, one that stands for a minute at its end."""
    start, end = frame.numbers(_field(frame, "@timestamp")), frame.numbers(_field(frame, "event.end"))
    grouped = frame.numbers(_field(frame, "ot.grouped")).numbers if frame.schema is ACTIVITY else np.ones(frame.height, dtype=np.bool_)
    return np.where(grouped & end.present, end.numbers, start.numbers)[rows].astype(np.int64)


def _weights(frame: Frame, rows: Whole) -> Whole:
    """How many operations a row stands for; a point is one."""
    if frame.schema is not ACTIVITY:
        return np.ones(len(rows), dtype=np.int64)
    counts = frame.numbers(_field(frame, "ot.count"))
    return np.clip(np.where(counts.present, counts.numbers, 1)[rows], 0, HEAVIEST).astype(np.int64)


def _groups(frame: Frame, rows: Whole, fields: tuple[Field, ...]) -> npt.NDArray[np.object_]:
    """The group of each row: its fields' values as JSON. A host without an IP address is known by its MAC address; absence is a value too."""
    columns = [_first([frame.column(each).take(rows) for each in (field, _mac(frame, field)) if each]) for field in fields]
    codes = np.zeros(len(rows), dtype=np.int64)
    for column in columns:
        encoded = column.dictionary_encode()
        own = _whole(encoded.indices.cast(pa.int64()).fill_null(-1)) + 1
        codes = np.unique(codes * (len(encoded.dictionary) + 1) + own, return_inverse=True)[1].astype(np.int64)
    _, places, back = np.unique(codes, return_index=True, return_inverse=True)
    values = [column.take(places).to_pylist() for column in columns]
    words = [json.dumps([one[number] for one in values], ensure_ascii=False) for number in range(len(places))]
    return np.array(words, dtype=np.object_)[back]


def _mac(frame: Frame, field: Field) -> Field | None:
    return frame.schema.field(f"{field.name.removesuffix('ip')}mac") if field.name.endswith(".ip") else None


def _first(columns: list[Any]) -> Any:
    """The first of these columns that is there, row by row."""
    return columns[0] if len(columns) == 1 else cast("Any", pc.coalesce)(*columns)


def _merged(each: list[tuple[Whole, Whole, npt.NDArray[np.object_]]]) -> _Entries:
    """Entries of parts that are grouped by different fields: a row is one entry in each of its groups."""
    together: dict[tuple[int, str], int] = {}
    for rows, bits, groups in each:
        for row, bit, group in zip(rows.tolist(), bits.tolist(), groups.tolist(), strict=True):
            together[row, group] = together.get((row, group), 0) | bit
    ordered = sorted(together)
    return _Entries(
        np.array([row for row, _ in ordered], dtype=np.int64),
        np.array([together[one] for one in ordered], dtype=np.int64),
        np.array([group for _, group in ordered], dtype=np.object_),
    )


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


def _packed(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return b64encode(sink.getvalue()).decode()


def _unpacked(text: str) -> pa.Table:
    return pa.ipc.open_stream(b64decode(text)).read_all()
