"""One small query object for every store: time range, search, sort, page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.search import Condition


@dataclass(frozen=True, slots=True)
class Query:
    """What to read from one table.

    `since` and `until` are nanoseconds since the epoch, [since, until) by the table's time column. `sort` is a field name, with "-" before it for
    newest first; ties go by id in the same direction. `after` is the id of the last row of the page before, under the same sort. `limit` None means all.
    `ids` are identities beside which no row counts.
    """

    since: int | None = None
    until: int | None = None
    where: Condition | None = None
    sort: str = ""
    limit: int | None = None
    after: str = ""
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """[since, until) in nanoseconds."""

    since: int
    until: int

    @property
    def length(self) -> int:
        """Nanoseconds."""
        return self.until - self.since

    def query(self, where: Condition | None = None, sort: str = "", limit: int | None = None) -> Query:
        """A query of this span."""
        return Query(since=self.since, until=self.until, where=where, sort=sort, limit=limit)

    def without(self, starts: Iterable[int], step: int) -> list[Span]:
        """The parts of it outside the buckets of `step` nanoseconds that begin at `starts`, which are in order; a part of less than one cannot be told.

        Only at the ends of the span is there such a part: the rest of its bucket lies outside, and what was in that is not known here.
        """
        gaps: list[Span] = []
        at = self.since
        for start in [*starts, self.until]:
            if start - at >= step:
                gaps.append(Span(at, start))
            at = max(at, start + step)
        return gaps


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per time bucket: buckets of `interval` nanoseconds aligned to the epoch, split by `by`, summing `total` (rows where empty)."""

    interval: int
    by: str = ""
    total: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """The `size` most frequent combinations of `fields`, by the sum of `total` (rows where empty)."""

    fields: tuple[str, ...]
    size: int = 10
    total: str = ""
