"""Alerts that were found true, and what a change of their rule would leave of them.

Found true is what a person closed so. That the same happened again, which reopens an alert, takes nothing back of it; a person's reopening does.
An alert is lost where none of its findings would be made any more and nothing else under its key would be found in its time: a correlation that fires
a little sooner or later than before gives findings of another identity, and they fold into the same alert.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute

from detectors.folds import Keys
from detectors.telling import identity
from records.nesting import rows as nested
from records.nesting import values as plain
from records.query import Query
from records.search import And, Exists, Match, Or, Wildcard
from records.store.decisions import ITSELF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detectors.folds import Groups
    from detectors.rulebook.rule import Rule
    from records.schema import Table
    from records.store.contract import Store

_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial


def going_on(store: Store) -> tuple[str, ...]:
    """The alerts that were closed as true and that nobody but the next finding has reopened."""
    closings = And((Match("table", "alert"), Or((Match("action", "close"), Match("action", "reopen")))))
    last = {row["subject"]: row for row in nested("audit", store.read("audit", Query(where=closings, sort="id")))}
    return tuple(name for name, row in last.items() if row["by"] == ITSELF and row["before"].get("verdict") == "true")


@dataclass(frozen=True, slots=True)
class Lost:
    """An alert that was found true, how many findings of it are of this time, how many of those would be gone, and how many there would be then."""

    alert: dict[str, Any]
    findings: int
    gone: int
    left: int


@dataclass(slots=True)
class _Alert:
    """A confirmed alert. `completing` are the rows that complete its findings; `hidden` are findings under its key that nobody is shown."""

    row: dict[str, Any]
    times: tuple[int, int]
    findings: set[str]
    completing: set[str]
    hidden: set[str]
    gone: set[str] = field(default_factory=set[str])
    left: set[str] = field(default_factory=set[str])


class Confirmed:
    """The confirmed alerts of one rule while a change of it is tried on the rows of these times (nanoseconds)."""

    def __init__(self, store: Store, name: str, rules: Sequence[Rule], kind: Table, times: tuple[int, int]) -> None:
        self._rule = name
        self._alerts = list(_confirmed(store, name, times))
        self._keys = Keys.of(name, rules, kind)
        self._slack = max((rule.correlation.span for rule in rules if rule.correlation), default=0)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._alerts)

    @property
    def fields(self) -> frozenset[str]:
        """The columns that tell a row's key."""
        return self._keys.fields if self._alerts else frozenset()

    def lose(self, rows: pa.Table, groups: Groups) -> None:
        """Rows on which the rule fires before the change only."""
        for alert in self._alerts:
            for name, _ in self._named(rows, groups, self._completing(rows, alert)):
                alert.gone |= {name} & alert.findings

    def keep(self, rows: pa.Table, groups: Groups) -> None:
        """Rows on which the rule fires after the change."""
        keys = self._keys.told(rows, groups)
        times = rows.column("@timestamp").cast(pa.int64()).combine_chunks()
        for alert in self._alerts:
            first, last = alert.times[0] - self._slack, alert.times[1] + self._slack
            then = _compute.and_(_compute.greater_equal(times, first), _compute.less_equal(times, last))
            its = _compute.and_(_compute.equal(keys, alert.row["key"]), then)
            either = _compute.or_(its, self._completing(rows, alert))
            for name, row in self._named(rows, groups, either):
                if name in alert.findings or (its[row].as_py() and name not in alert.hidden):
                    alert.left.add(name)

    def told(self) -> list[Lost]:
        """Those that the change takes findings from; of what is `lost`, none are left."""
        return [Lost(each.row, len(each.findings), len(each.gone), len(each.left)) for each in self._alerts if each.gone]

    def _completing(self, rows: pa.Table, alert: _Alert) -> Any:
        return _compute.is_in(rows.column("id"), pa.array(sorted(alert.completing), pa.string())).combine_chunks()

    def _named(self, rows: pa.Table, groups: Groups, wanted: Any) -> Iterator[tuple[str, int]]:
        """The findings of the wanted rows, each with the row's number."""
        places = cast("list[int]", _compute.indices_nonzero(wanted).to_pylist())
        names = cast("list[str]", rows.column("id").take(places).to_pylist()) if places else []
        for place, name in zip(places, names, strict=True):
            yield identity(self._rule, name, *(groups[place] if groups else ())), place


def marks(store: Store, rule: str = "") -> dict[str, str]:
    """By rule, of all or of one, a mark of which of its alerts were found true: another one as soon as those are others. None for a rule without any."""
    found: dict[str, set[str]] = {}
    alerts = _true(store, rule)
    for name, key in zip(plain(alerts.column("id"), "keyword"), plain(alerts.column("key"), "keyword"), strict=True):
        found.setdefault(str(key).partition("|")[0], set()).add(str(name))
    return {each: hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest() for each, names in found.items()}


def _true(store: Store, rule: str = "") -> pa.Table:
    """The alerts that were found true, of all rules or of one."""
    its = Or((Match("key", rule), Wildcard("key", f"{rule}|*"))) if rule else None  # a correlation without a group has nothing behind its name
    true = Match("verdict", "true")
    read = Query(where=And((true, its)) if its else true), Query(where=its, ids=going_on(store))
    return pa.concat_tables([store.read("alert", query) for query in read])


def _confirmed(store: Store, rule: str, times: tuple[int, int]) -> Iterator[_Alert]:
    """The rule's alerts that were found true and have findings of these times."""
    alerts = _true(store, rule)
    ends = zip(*(plain(alerts.column(name), "date") for name in ("first", "last")), strict=True)
    for alert, (first, last) in zip(nested("alert", alerts), ends, strict=True):
        found = store.read("finding", Query(*times, And((Match("alert", alert["id"]), Match("rule", rule)))))
        hidden = store.read("finding", Query(*times, And((Match("key", alert["key"], cased=True), Exists("suppressions")))))
        findings, unseen = ({*cast("list[str]", rows.column("id").to_pylist())} for rows in (found, hidden))
        completing = {names[-1] for names in cast("list[list[str] | None]", found.column("activities").to_pylist()) if names}
        if findings:
            yield _Alert(alert, (first, last), findings, completing, unseen)
