"""Activities of one asset, summed by what they are: a kind of operation with a peer, on an object. Column by column: an asset may have millions of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from records.formats import MINUTE, SECOND
from records.schema import ACTIVITY
from records.store.columns import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

Numbers = np.ndarray[Any, Any]
AT_ONCE: Final = 300_000  # rows that may wait before they are summed
_LABELS: Final = ("ot.tag.name", "ot.tag.unit", "ot.object.count")
_SEEN: Final = ("observer.name", "network.vlan.id")  # who saw it, and where: the same packets may be mirrored twice
MEASURED: Final = ("ot.count", "ot.interval.mean", "ot.value", "event.start", "event.end", "event.outcome", *_LABELS, *_SEEN)
_RULES: Final = {"count": np.add, "refused": np.add, "first": np.minimum, "last": np.maximum, "low": np.fmin, "high": np.fmax, "silent": np.add}
_MOST_CODES: Final = 1 << 40
_compute: Any = pyarrow.compute  # its stubs know half of the functions


class Tally:
    """Rows summed by peer (the first of two fields that is known), kind and object; of kinds with more than `most` objects only how many there are."""

    def __init__(self, peer: Sequence[str], kind: Sequence[str], thing: Sequence[str], most: int) -> None:
        self.rows = 0
        self.fields = [*peer, *kind, *thing, *MEASURED]
        self._peer, self._kind, self._thing, self._most = list(peer), list(kind), list(thing), most
        self._parts: list[Any] = []
        self._done: list[Any] = []
        self._waiting = 0

    def add(self, part: pa.Table) -> None:
        """Rows with the columns `fields`."""
        self.rows += part.num_rows
        table: Any = part.select([*self._peer, *self._kind, *self._thing, *_LABELS, *_SEEN])
        count = _or_one(part.column("ot.count"))
        failed = _compute.fill_null(_compute.equal(part.column("event.outcome"), "failure"), False)
        told = _compute.or_(_compute.is_valid(part.column("ot.value")), _compute.and_(failed, _compute.equal(count, 1)))  # what is refused reads no value
        measured: dict[str, Any] = {
            "peer": _compute.coalesce(part.column(self._peer[0]), part.column(self._peer[1])),
            "every": part.column("ot.interval.mean"),
            "count": count,
            "refused": _compute.if_else(failed, count, 0),
            "low": part.column("ot.value"),
            "high": part.column("ot.value"),
            "silent": _compute.if_else(told, 0, count),
            "first": part.column("event.start").cast(pa.int64()),
            "last": part.column("event.end").cast(pa.int64()),
        }
        for name, column in measured.items():
            table = table.append_column(name, column)
        self._parts.append(table)
        self._waiting += part.num_rows
        if self._waiting > AT_ONCE:
            self._done, self._parts, self._waiting = [self._by_rhythm()], [], 0

    def _by_rhythm(self) -> Any:
        """One row of rows that are alike in all but what is summed."""
        table = pa.concat_tables([*self._done, *([self._together(pa.concat_tables(self._parts))] if self._parts else [])])
        return _reduced(table, *_runs(_codes(table, ["peer", *self._kind, *self._thing, "every"])))

    def _together(self, table: Any) -> Any:
        """Each row with the interval of all rows of the same asking in its minute: a row is of one outcome, and its own interval spans the others.

        What stands alone stays so: where no row repeats, nothing does. A minute whose rows wait in two goes keeps the intervals of its halves.
        """
        first, every, count = _numbers(table.column("first")), _numbers(table.column("every")), _numbers(table.column("count"))
        minute: Any = pa.array(first // MINUTE)
        codes = _codes(table.append_column("minute", minute), ["peer", *self._kind, *self._thing, *_SEEN, "minute"])
        order, starts = _runs(codes)
        last = first + np.nan_to_num(every) * SECOND * (count - 1)
        span = np.maximum.reduceat(last[order], starts) - np.minimum.reduceat(first[order], starts)
        several = (np.diff(starts, append=len(order)) > 1) & np.logical_or.reduceat(~np.isnan(every[order]), starts)
        apart = span / SECOND / np.maximum(np.add.reduceat(count[order], starts) - 1, 1)
        found: Any = pa.array(_rounded(np.where(several[codes], apart[codes], every)))
        return table.set_column(table.column_names.index("every"), "every", found).drop_columns(list(_SEEN))

    def summed(self) -> list[dict[str, Any]]:
        """A row of each object, or of each kind with too many of them (`collapsed`, then with one of its objects).

        With it `count`, `refused`, `first`, `last`, `low` and `high` or None, `every` (the usual interval in seconds) or None, `ranges`.
        `low` and `high` are of the operations that tell a value; `silent` are those that do not: a row that stands for several tells none.
        """
        if not self.rows:
            return []
        table = self._by_rhythm()
        kind = _codes(table, ["peer", *self._kind])
        thing = _codes(table, self._thing, kind)
        _, once = np.unique(thing, return_index=True)
        wide = np.bincount(kind[once])[kind] > self._most
        group = _renumbered(np.where(wide, kind, len(kind) + thing))
        ranges = np.bincount(group[once], weights=_numbers(_or_one(table.column("ot.object.count")))[once])
        order, starts = _runs(group)
        whole, every, counts = _reduced(table, order, starts), _numbers(table.column("every")), _numbers(table.column("count"))
        rows, told = flat(ACTIVITY, whole), {name: whole.column(name).to_pylist() for name in _RULES}
        for at, (row, members) in enumerate(zip(rows, np.split(order, starts[1:]), strict=True)):
            row |= {name: None if values[at] != values[at] else values[at] for name, values in told.items()}
            row |= {"collapsed": bool(wide[members[0]]), "ranges": int(ranges[at])}
            row["every"] = None if row["collapsed"] else _usual(every[members], counts[members])
        return rows


def _codes(table: Any, names: Sequence[str], codes: Numbers | None = None) -> Numbers:
    """Numbers from 0, the same where these columns and the codes before are."""
    found: Numbers = np.zeros(table.num_rows, np.int64) if codes is None else codes
    many = table.num_rows
    for name in names:
        coded = table.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
        different = max(1, len(coded.dictionary))
        if many * different >= _MOST_CODES:
            found, many = _renumbered(found), table.num_rows
        found, many = found * different + coded.indices.to_numpy(), many * different
    return _renumbered(found)


def _renumbered(codes: Numbers) -> Numbers:
    return np.asarray(np.unique(codes, return_inverse=True)[1])


def _runs(codes: Numbers) -> tuple[Numbers, Numbers]:
    """(order in which equal codes stand together, those seen first in front; where each begins)"""
    order = np.argsort(codes, kind="stable")
    return order, np.flatnonzero(np.diff(codes[order], prepend=-1))


def _reduced(table: Any, order: Numbers, starts: Numbers) -> Any:
    """A row of each run: the first one, with what is summed."""
    told = table.take(order[starts])
    for name, rule in _RULES.items():
        told = told.set_column(told.column_names.index(name), name, pa.array(rule.reduceat(_numbers(table.column(name))[order], starts)))
    return told


def _numbers(column: Any) -> Numbers:
    """Whole numbers as such, others with what is unknown as none."""
    return np.asarray(column.to_numpy() if pa.types.is_integer(column.type) else column.cast(pa.float64()).to_numpy())


def _or_one(column: Any) -> Any:
    """A count; nothing and 0 stand for 1."""
    return _compute.max_element_wise(column, 1)


def _rounded(values: Numbers) -> Numbers:
    """To four digits: a bounded number of kinds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.where(np.isfinite(values) & (values != 0), 3 - np.floor(np.log10(np.abs(values))), 0)
    up, down = 10.0 ** np.maximum(digits, 0), 10.0 ** np.maximum(-digits, 0)
    return np.round(values * up / down) / up * down


def _usual(times: Numbers, counts: Numbers) -> float | None:
    """The time of which as many operations were faster as were slower: a pause does not change it. None where nothing repeats."""
    order = np.argsort(times)[: np.count_nonzero(~np.isnan(times))]
    if not len(order):
        return None
    behind = np.cumsum(counts[order])
    return float(times[order[np.searchsorted(behind, behind[-1] / 2)]])
