"""What a draft of rules would have done: stored activities and points judged again, by the rules in force and by the same with the draft's.

Each rule judges as it does live, and each row that matters to it comes in the order of release, a history for each observer. A store leaves out only
rows that no rule of them can match (`conversion.narrowed`), and reads only the columns that they look at. Correlations also remember the rows just
before the time that is asked for; which of those completed something is not judged again, but known from the findings that are stored.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

from detectors.confirmed import Confirmed
from detectors.folds import Folds, Keys
from detectors.rulebook.conversion import convert, narrowed
from detectors.rulebook.frame import Frame
from detectors.rulebook.watch import LATE, Past, Watch
from detectors.scoring import Scorer, weights
from detectors.telling import identity
from records.errors import UsageError
from records.nesting import iso
from records.nesting import values as plain
from records.query import Query
from records.schema import TABLES
from records.search import Match, Or

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from detectors.confirmed import Lost
    from detectors.rulebook.books import Change
    from detectors.rulebook.frame import Mask
    from detectors.rulebook.rule import Rule
    from detectors.rulebook.watch import Firing
    from records.schema import Field, Table
    from records.store.contract import Store

Completed = tuple[int, tuple[Any, ...]]

HOUR: Final = 3600 * 10**9
DAY: Final = 24 * HOUR
DAYS: Final = 30  # that are looked at where nobody says
LISTED: Final = 10_000  # fires, the earliest, that are listed one by one; all are counted
_TOLD: Final = ("id", "@timestamp", "source.ip", "destination.ip")
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial


@dataclass(frozen=True, slots=True)
class Fire:
    """One finding that there would be more or less: its identity, of which rule, when, on which asset, from which row (the one that completes it)."""

    id: str
    rule: str
    row: str
    time: int
    asset: str | None
    source: str | None
    destination: str | None


@dataclass(frozen=True, slots=True)
class Hour:
    """Findings of one rule on one asset in one hour (its start, nanoseconds) that there would be more and less."""

    rule: str
    asset: str | None
    hour: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """An alert of which a suppression would hide findings: its row, and how many of those that are seen in this time."""

    alert: dict[str, Any]
    hidden: int
    findings: int


@dataclass(slots=True)
class Result:
    """What a draft would change between two times. `fires` are the findings of the rules after the change; `added` and `removed` list the earliest.

    `hidden` are the alerts that a suppression would hide, in whole or in part, those found true first; None where rules are tried.
    `alerts` are those that these findings fold into, `shifts` the same for each shift in which they are found; 0 where no shifts are told.
    Of the findings that there are before and after, `moved` have another severity, and `rekeyed` another key: they would fold into other alerts.
    `lost` are alerts that were found true of which nothing would be left in this time, `thinned` those that would have fewer of their findings.
    """

    since: int
    until: int
    rows: int = 0
    fires: int = 0
    alerts: int = 0
    shifts: int = 0
    added_total: int = 0
    removed_total: int = 0
    moved: int = 0
    rekeyed: int = 0
    added: list[Fire] = field(default_factory=list["Fire"])
    removed: list[Fire] = field(default_factory=list["Fire"])
    hours: list[Hour] = field(default_factory=list["Hour"])
    lost: list[Lost] = field(default_factory=list["Lost"])
    thinned: list[Lost] = field(default_factory=list["Lost"])
    hidden: list[Hidden] | None = None


def period(store: Store, since: int | None, until: int | None) -> tuple[int, int]:
    """The times that are meant: up to the store's newest packet, and 30 days before that, where nobody says. Raises UsageError where nothing is as new."""
    newest = store.newest()
    if newest is not None and since is not None and until is None and since > newest:
        raise UsageError("backtest_after", since=iso(since), newest=iso(newest))
    end = until if until is not None else (newest + 1 if newest is not None else 0)
    return (since if since is not None else end - DAYS * DAY), end


def backtest(store: Store, changes: Sequence[Change], since: int, until: int) -> Result:
    """Judge the rows of [since, until) by each rule before and after its change."""
    result = Result(since, until)
    result.rows, tallies = _judged(store, changes, since, until)
    _sum_up(result, tallies)
    return result


def alternatives(store: Store, changes: Sequence[Change], since: int, until: int, starts: Sequence[int] = ()) -> list[Result]:
    """What each of several changes would do by itself, of one rule mostly; the rows are read once. Shifts begin at `starts`, nanoseconds."""
    results: list[Result] = []
    rows, tallies = _judged(store, changes, since, until, starts)
    for number in range(len(changes)):
        results.append(Result(since, until, rows))
        _sum_up(results[-1], [tally for tally in tallies if tally.number == number])
    return results


def _judged(store: Store, changes: Sequence[Change], since: int, until: int, starts: Sequence[int] = ()) -> tuple[int, list[_Tally]]:
    """How many rows were looked at, and what each change does on each table."""
    rows, tallies = 0, list[_Tally]()
    for name in ("activity", "point"):
        kind = TABLES[name]
        asked = [(number, change) for number, change in enumerate(changes) if any(rule.table is kind for rule in (change.before, change.after) if rule)]
        if not asked:
            continue
        rows += store.count(name, Query(since=since, until=until))
        correlated = [rule for _, change in asked for rule in (change.before, change.after) if rule and rule.table is kind and rule.correlation]
        fired = _fired(store, correlated, since)
        pairs = [_Pair(store, change, kind, (since, until), number, fired, starts) for number, change in asked]
        for frame, observer in _history(store, kind, pairs, _start(correlated, since), until + (LATE if correlated else 0)):
            for pair in pairs:
                pair.judge(frame, observer)
        tallies += [pair.tally for pair in pairs]
    return rows, tallies


def _sum_up(result: Result, tallies: Iterable[_Tally]) -> None:
    hours: Counter[tuple[str, str | None, int, bool]] = Counter()
    for tally in tallies:
        result.fires += tally.fires
        result.alerts += tally.folds.alerts if tally.folds else 0
        result.shifts += tally.folds.shifts if tally.folds else 0
        result.moved += tally.moved
        result.rekeyed += tally.rekeyed
        hours.update(tally.hours)
        result.added += tally.listed(True)
        result.removed += tally.listed(False)
        told = tally.confirmed.told()
        result.lost += [each for each in told if not each.left]
        result.thinned += [each for each in told if each.left]
    result.added_total = sum(count for (*_, added), count in hours.items() if added)
    result.removed_total = sum(count for (*_, added), count in hours.items() if not added)
    for fires in (result.added, result.removed):
        fires.sort(key=lambda fire: (fire.time, fire.rule, fire.row))
        del fires[LISTED:]
    places = sorted({place[:3] for place in hours}, key=lambda place: (place[0], place[1] or "", place[2]))
    result.hours = [Hour(*place, hours[*place, True], hours[*place, False]) for place in places]


def _history(store: Store, kind: Table, pairs: Sequence[_Pair], since: int | None, until: int) -> Iterator[tuple[Frame, str | None]]:
    """Rows that matter to any of the rules, each time of one observer."""
    rules = [rule for pair in pairs for rule in pair.rules]
    parts = [narrowed(rule) for rule in rules]
    fields = {*_TOLD, "observer.name", *(name for _, names in parts for name in names), *(name for pair in pairs for name in pair.fields)}
    ordered = any(rule.correlation is not None for rule in rules)  # a rule on single rows judges each by itself
    query = Query(since, until, Or(tuple(condition for condition, _ in parts)))
    for table in _ahead(store.history(kind.name, query, sorted(fields), ordered=ordered)):
        if not ordered:
            yield Frame(table, kind), None
            continue
        yield from _by_observer(table, kind)


def _ahead(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same, each read while the one before it is judged."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, parts, None)
            yield part


def _by_observer(table: pa.Table, kind: Table) -> Iterator[tuple[Frame, str | None]]:
    observers = table.column("observer.name")
    each = cast("list[str | None]", observers.unique().to_pylist())
    for observer in each:
        same = _compute.is_null(observers) if observer is None else _compute.equal(observers, observer)
        yield Frame(table if len(each) == 1 else table.filter(same), kind), observer


def _start(correlated: Sequence[Rule], since: int) -> int | None:
    """The time from which rows matter to these correlations, nanoseconds; None: all do.

    Nobody has kept what a correlation inside of another completed. It goes on for as long as there is enough, so it is judged from the first row.
    """
    return None if any(rule.correlation.depth > 1 for rule in correlated if rule.correlation) else since - _reach(correlated)


def _reach(correlated: Sequence[Rule]) -> int:
    """How far before a time windows begin that keep one quiet which holds it, nanoseconds."""
    return max((2 * rule.correlation.span + LATE for rule in correlated if rule.correlation), default=0)


def _fired(store: Store, correlated: Sequence[Rule], since: int) -> dict[str, str]:
    """The stored findings of these correlations that began so shortly before this time that they may keep later windows quiet, with their last rows."""
    if not correlated:
        return {}
    its = Or(tuple(Match("rule", name) for name in sorted({rule.id for rule in correlated})))
    found = store.read("finding", Query(since - _reach(correlated), since, its))
    names, rows = cast("list[str]", found.column("id").to_pylist()), cast("list[list[str] | None]", found.column("activities").to_pylist())
    return {name: each[-1] for name, each in zip(names, rows, strict=True) if each}


class _Judge:
    """One rule over the history of each observer. `scored` are the columns that its score is made of, where that is asked.

    `fired` are stored findings of before `since` (nanoseconds), each with the last row of its window.
    """

    def __init__(self, rule: Rule | None, scored: frozenset[str], since: int, fired: Mapping[str, str]) -> None:
        self.rule = rule
        self._scored = scored
        self._past = Past(since, self._completed)
        self._fired = fired
        self._watches: dict[str | None, Watch] = {}

    def rows(self, frame: Frame) -> Mask:
        """The rows on which a rule on single rows fires."""
        return self.rule.match(frame) if self.rule else frame.nothing()

    def severities(self, frame: Frame, rows: Mask) -> list[float]:
        """How grave a rule on single rows finds these; 0 where nobody asks."""
        if self.rule is None or not self._scored:
            return [0.0] * int(np.count_nonzero(rows))
        return Scorer(self.rule, Frame(frame.table.filter(pa.array(rows)), frame.schema)).severities().tolist()

    def completed(self, frame: Frame, observer: str | None) -> dict[Completed, float]:
        """The rows on which any rule fires, each with the group of the correlation that it completes, and how grave that is; 0 where nobody asks."""
        if self.rule is None or self.rule.correlation is None:
            rows = self.rows(frame)
            return dict(zip([(row, ()) for row in np.flatnonzero(rows).tolist()], self.severities(frame, rows), strict=True))
        watch = self._watches.setdefault(observer, Watch(self.rule.correlation, self._scored, self._past))
        return {(firing.row, firing.group): self._together(firing, frame) for firing in watch.judge(frame)}

    def _completed(self, row: str, group: tuple[Any, ...]) -> str | None:
        return self._fired.get(identity(self.rule.id, row, *group)) if self.rule and self._fired else None

    def _together(self, firing: Firing, frame: Frame) -> float:
        if self.rule is None or not self._scored:
            return 0.0
        score = sum(term.value for term in Scorer(self.rule, Frame(firing.rows, frame.schema)).together())
        return float(max(0, min(100, round(score))))


class _Pair:
    """A rule before and after its change, on one table."""

    def __init__(self, store: Store, change: Change, kind: Table, times: tuple[int, int], number: int, fired: Mapping[str, str], starts: Sequence[int]) -> None:
        before, after = (rule if rule and rule.table is kind else None for rule in (change.before, change.after))
        self.rules = [rule for rule in (before, after) if rule is not None]
        self.scored = _scored(*self.rules).intersection(kind.names)
        self._rekeyed = before is not None and after is not None and before.key != after.key
        self._before, self._after = (_Judge(rule, self.scored, times[0], fired) for rule in (before, after))
        self._correlated = any(rule.correlation for rule in self.rules)
        self._times = times
        confirmed = Confirmed(store, change.id, self.rules, kind, times)
        asset = _asset(self.rules[-1], kind)
        folds = Folds(Keys.of(change.id, self.rules, kind), starts) if len(starts) else None
        self.fields = {*asset, *self.scored, *confirmed.fields, *(folds.keys.fields if folds else ())}
        self.tally = _Tally(change.id, asset, confirmed, number, folds)

    def judge(self, frame: Frame, observer: str | None) -> None:
        """Take in the next rows."""
        since, until = self._times
        times = frame.numbers(cast("Field", frame.schema.field("@timestamp"))).numbers
        meant = (times >= since) & (times < until)  # those after it came before some that are late
        if self._correlated:
            old, new = ({one: grave for one, grave in judge.completed(frame, observer).items() if meant[one[0]]} for judge in (self._before, self._after))
            self.tally.fires += len(new)
            if new:
                self.tally.keep(frame.table.take([row for row, _ in new]), [group for _, group in new])
            both = old.keys() & new.keys()
            self._stay(len(both), sum(old[one] != new[one] for one in both))
            for added, fires in ((True, sorted(new.keys() - old.keys(), key=repr)), (False, sorted(old.keys() - new.keys(), key=repr))):
                if fires:
                    self.tally.add(frame.table.take([row for row, _ in fires]), added, [group for _, group in fires])
            return
        before, after = (judge.rows(frame) & meant for judge in (self._before, self._after))
        self.tally.fires += int(np.count_nonzero(after))
        if self.tally.keeps and after.any():
            self.tally.keep(frame.table.filter(pa.array(after)), [])
        both = after & before
        grave = zip(self._before.severities(frame, both), self._after.severities(frame, both), strict=True) if self.scored and both.any() else ()
        self._stay(int(np.count_nonzero(both)), sum(old != new for old, new in grave))
        for added, rows in ((True, after & ~before), (False, before & ~after)):
            if rows.any():
                self.tally.add(frame.table.filter(pa.array(rows)), added)

    def _stay(self, fires: int, moved: int) -> None:
        """So many findings are made before and after, so many of them of another severity."""
        self.tally.moved += moved
        self.tally.rekeyed += fires if self._rekeyed else 0


def _scored(*rules: Rule) -> frozenset[str]:
    """The columns that the scores of a rule before and after its change are made of; none where they are the same, or there is one alone."""
    if len(rules) < 2 or weights(rules[0]) == weights(rules[1]):
        return frozenset()
    return frozenset({"ot.access", "event.outcome", *(name for rule in rules for part in rule.adjustments for name in convert(part.match).fields)})


def _asset(rule: Rule, kind: Table) -> list[str]:
    """The fields that tell which asset a rule's findings are about: who was acted on, unless its alerts are told apart by who acted only."""
    sides = {name.split(".")[0] for name in rule.key}
    side = "source" if "source" in sides and "destination" not in sides else "destination"
    return [name for part in ("asset.id", "ip", "mac") if (name := f"{side}.{part}") in kind.names]


class _Tally:
    """What one rule's change adds and removes. `number`: which of the changes. What it holds is bounded by assets, hours and LISTED, not by rows."""

    def __init__(self, rule: str, asset: list[str], confirmed: Confirmed, number: int, folds: Folds | None) -> None:
        self.confirmed = confirmed
        self.folds = folds
        self.keeps = bool(confirmed) or folds is not None
        self.number = number
        self.fires = self.moved = self.rekeyed = 0
        self.hours: Counter[tuple[str, str | None, int, bool]] = Counter()
        self._rule, self._asset = rule, asset
        self._earliest: dict[bool, list[pa.Table]] = {True: [], False: []}

    def keep(self, rows: pa.Table, groups: Sequence[tuple[Any, ...]]) -> None:
        """Rows on which the rule fires after the change."""
        if self.confirmed:
            self.confirmed.keep(rows, groups)
        if self.folds:
            self.folds.add(rows, groups)

    def add(self, rows: pa.Table, added: bool, groups: Sequence[tuple[Any, ...]] = ()) -> None:
        """Rows on which the rule fires after the change only, or before it only; the group of each, of a correlation."""
        assets = _compute.coalesce(*(rows.column(name) for name in self._asset))
        hours = _compute.divide(rows.column("@timestamp").cast(pa.int64()), HOUR)
        counted = pa.table({"asset": assets, "hour": hours}).group_by(["asset", "hour"]).aggregate([([], "count_all")])
        for asset, hour, count in zip(*(counted.column(name).to_pylist() for name in ("asset", "hour", "count_all")), strict=True):
            self.hours[self._rule, asset, hour * HOUR, added] += count
        told = rows.select([name for name in _TOLD if name in rows.column_names]).append_column("asset", assets)
        if not added:
            self.confirmed.lose(rows, groups)
        if groups:
            told = told.append_column("finding", pa.array(self._identities(told, groups)))
        held = self._earliest[added]
        held.append(_earliest(told) if told.num_rows > LISTED else told)
        if sum(part.num_rows for part in held) > 4 * LISTED:
            held[:] = [_earliest(pa.concat_tables(held))]

    def _identities(self, rows: pa.Table, groups: Sequence[tuple[Any, ...]]) -> list[str]:
        names = cast("list[str]", rows.column("id").to_pylist())
        return [identity(self._rule, name, *group) for name, group in zip(names, groups or [()] * len(names), strict=True)]

    def listed(self, added: bool) -> list[Fire]:
        """The earliest of them."""
        if not self._earliest[added]:
            return []
        rows = _earliest(pa.concat_tables(self._earliest[added]))
        found = cast("list[str]", rows.column("finding").to_pylist()) if "finding" in rows.column_names else self._identities(rows, ())
        absent = [None] * rows.num_rows
        names = ("id", "@timestamp", "asset", "source.ip", "destination.ip")
        columns = [plain(rows.column(name), "date" if name == "@timestamp" else "keyword") if name in rows.column_names else absent for name in names]
        return [Fire(name, self._rule, *each) for name, each in zip(found, zip(*columns, strict=True), strict=True)]


def _earliest(rows: pa.Table) -> pa.Table:
    return rows.take(_compute.sort_indices(rows, sort_keys=[("@timestamp", "ascending"), ("id", "ascending")])[:LISTED])
