"""Documents of a directory as Arrow rows. What was read is kept until the table changes: several questions of one page are about the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from records.formats import HOUR
from records.query import Query
from records.store.columns import from_documents, stored

if TYPE_CHECKING:
    from records.schema import Table
    from records.store.manifest import Manifest

COMPUTE: Final[Any] = pyarrow.compute  # its stubs know half of the types
SPANS: Final = 4  # that are kept of a table beside each other
GROWING: Final = frozenset({"coverage"})  # tables whose rows are added and dropped, never changed: what is new is added to what is kept
PIECES: Final = 64  # that rows may lie in


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of a time (among others), as they were at a version of the table: of what lies up to the place `last` in the database, whatever its time."""

    version: int | None
    since: int | None
    until: int | None
    rows: pa.Table
    last: int

    def holds(self, query: Query) -> bool:
        early = self.since is None or (query.since is not None and self.since <= query.since)
        return early and (self.until is None or (query.until is not None and query.until <= self.until))

    def touches(self, since: int | None, until: int | None) -> bool:
        """Whether both times together are one."""
        early = since is None or self.until is None or since <= self.until
        return early and (until is None or self.since is None or self.since <= until)


class KeptRows:
    """Tables that are kept as JSON, as far as they were asked for."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._parts: dict[str, list[_Part]] = {}

    def rows(self, kind: Table, query: Query) -> pa.Table:
        """Rows among which are all of the query's time; its search is left to who asks."""
        version = self._manifest.number(f"version.{kind.name}")
        known = self._parts.get(kind.name, [])
        part = next((part for part in known if part.holds(query)), None)
        if part is None and kind.name in GROWING:
            part = self._longer(kind, query, known)
        if part is None or part.version != version:
            part = (part and kind.name in GROWING and self._grown(kind, part, version)) or self._read(kind, query, version)
        useful = (each for each in known if kind.name in GROWING or each.version == version)
        others = [each for each in useful if not part.holds(Query(each.since, each.until))]
        self._parts[kind.name] = [part, *others][:SPANS]
        return part.rows

    def _read(self, kind: Table, query: Query, version: int | None) -> _Part:
        since, until = _hours(query)
        last = self._manifest.last_place()  # not that of these rows: what is asked for next may be later, and lies behind them
        bodies, _ = self._manifest.placed(kind.name, since, until, upto=last)
        return _Part(version, since, until, stored(kind, from_documents(kind, bodies)), last)

    def _longer(self, kind: Table, query: Query, known: list[_Part]) -> _Part | None:
        """A part to which is added what it lacks of the query's time, as it was at the part's version; None where none is near."""
        since, until = _hours(query)
        part = next((part for part in known if part.touches(since, until)), None)
        if part is None:
            return None
        pieces, low, high = [part.rows.filter(_within(kind, part))], part.since, part.until  # what grew may be of any time
        if low is not None and (since is None or since < low):
            pieces.append(self._between(kind, since, low, part.last))
            low = since
        if high is not None and (until is None or until > high):
            pieces.append(self._between(kind, high, until, part.last))
            high = until
        return _Part(part.version, low, high, pa.concat_tables(pieces), part.last)

    def _between(self, kind: Table, since: int | None, until: int | None, last: int) -> pa.Table:
        return stored(kind, from_documents(kind, self._manifest.placed(kind.name, since, until, upto=last)[0]))

    def _grown(self, kind: Table, part: _Part, version: int | None) -> _Part | None:
        """The part with what came since; None where something went."""
        bodies, last = self._manifest.placed(kind.name, after=part.last)
        rows = pa.concat_tables([part.rows, stored(kind, from_documents(kind, bodies))])
        rows = rows.combine_chunks() if rows.column(0).num_chunks > PIECES else rows
        grown = _Part(version, part.since, part.until, rows, max(last, part.last))
        there = COMPUTE.sum(_within(kind, grown)).as_py() or 0
        return grown if there == self._manifest.count(kind.name, part.since, part.until) else None

    def first(self, kind: Table, query: Query, descending: bool) -> pa.Table | None:
        """The first rows of the query's time by time, as many as it asks for; None where there are fewer that have one, or where it searches."""
        if query.where is not None or query.ids is not None or query.after or not query.limit:
            return None
        bodies = self._manifest.first(kind.name, query.since, query.until, descending, query.limit)
        return stored(kind, from_documents(kind, bodies)) if len(bodies) == query.limit else None

    def one(self, kind: Table, identity: str) -> pa.Table:
        """The row of this identity, or none."""
        return stored(kind, from_documents(kind, self._manifest.bodies_of(kind.name, "id", [identity]).values()))


def _hours(query: Query) -> tuple[int | None, int | None]:
    """The query's time in whole hours: neighbours of a span ask for the same."""
    return None if query.since is None else query.since // HOUR * HOUR, None if query.until is None else -(-query.until // HOUR) * HOUR


def _within(kind: Table, part: _Part) -> Any:
    """Which of a part's rows are of its time."""
    time = part.rows.column(kind.time).cast(pa.int64())
    low, high = part.since if part.since is not None else -(1 << 63), part.until if part.until is not None else (1 << 63) - 1
    return COMPUTE.and_(COMPUTE.greater_equal(time, low), COMPUTE.less(time, high))
