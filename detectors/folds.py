"""How findings fold into alerts before any are made: the key of each row that fires, and how many alerts a shift has of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.rulebook.rule import Rule
    from records.schema import Table

Groups = Sequence[tuple[Any, ...]]  # the group of each row that completes a correlation; empty tuples of a rule on single rows

_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one rule's findings, as alerts fold by them (`telling.Teller`). `parts` are the fields of a key, `group` those of a correlation."""

    rule: str
    parts: tuple[str, ...]
    group: tuple[str, ...]
    kind: Table

    @staticmethod
    def of(name: str, rules: Sequence[Rule], kind: Table) -> Keys:
        """Those of a rule as it is before its change: that one may fold otherwise is told of its own."""
        return Keys(name, rules[0].key, rules[-1].correlation.group if rules[-1].correlation else (), kind)

    @property
    def fields(self) -> frozenset[str]:
        """The columns that tell a row's key."""
        names = {*self.parts, *(name.removesuffix("ip") + "mac" for name in self.parts if name.endswith(".ip")), "observer.site"}
        return frozenset(names.intersection(self.kind.names))

    def told(self, rows: pa.Table, groups: Groups) -> Any:
        """The key of each row's finding."""
        parts = [self._part(rows, name, groups) for name in self.parts]
        start = pa.array([self.rule] * rows.num_rows, pa.string())
        site = rows.column("observer.site").combine_chunks() if "observer.site" in rows.column_names and "observer.site" not in self.parts else None
        keys = _compute.binary_join_element_wise(start, *parts, "|")
        if site is None:
            return keys
        there = _compute.fill_null(_compute.not_equal(site, ""), False)
        return _compute.if_else(there, _compute.binary_join_element_wise(keys, site, "|"), keys)

    def _part(self, rows: pa.Table, name: str, groups: Groups) -> Any:
        if any(groups[:1]) and name in self.group:
            place = self.group.index(name)
            return pa.array(["" if group[place] is None else str(group[place]) for group in groups], pa.string())
        mac = name.removesuffix("ip") + "mac"
        columns = [rows.column(each) for each in dict.fromkeys((name, mac if name.endswith(".ip") else name)) if each in rows.column_names]
        if not columns:
            return pa.array([""] * rows.num_rows, pa.string())
        values = ["" if value is None else str(value) for value in _compute.coalesce(*columns).to_pylist()]  # as Python writes numbers, not as Arrow does
        return pa.array(values, pa.string())


class Folds:
    """Which alerts the rows that fire would be, and in which shifts: `starts` are when these begin (nanoseconds), in order."""

    def __init__(self, keys: Keys, starts: Sequence[int]) -> None:
        self.keys = keys
        self._starts = np.asarray(starts, np.int64)
        self._seen: set[tuple[str, int]] = set()

    def add(self, rows: pa.Table, groups: Groups) -> None:
        """Take in rows that fire. Of those that differ in nothing that a key or a shift is made of, one is looked at."""
        names = [name for name in rows.column_names if name in self.keys.fields]
        times = rows.column("@timestamp").cast(pa.int64()).to_numpy()
        shifts = pa.array(np.searchsorted(self._starts, times, side="right"))
        told = rows.select(names)
        if not any(groups[:1]):
            told = told.append_column("shift", shifts).group_by([*names, "shift"]).aggregate([])
            shifts = told.column("shift")
        self._seen.update(cast("Iterable[tuple[str, int]]", zip(self.keys.told(told, groups).to_pylist(), shifts.to_pylist(), strict=True)))

    @property
    def alerts(self) -> int:
        """How many different ones there are."""
        return len({key for key, _ in self._seen})

    @property
    def shifts(self) -> int:
        """The same, each counted once for every shift in which it is found, for the first time or again: what the shifts have to look at together."""
        return len(self._seen)
