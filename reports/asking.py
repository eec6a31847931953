"""What the numbers of a report ask of the store: aggregations, and rows some at a time; never a whole table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from records.query import Histogram, Query, Span, Terms
from records.schema import TABLES
from records.search import And, Condition, Match
from records.store.columns import flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from records.store.contract import Store

Row = dict[str, Any]
PAGE: Final = 5_000
SITED: Final = frozenset({"activity", "finding", "asset", "coverage"})  # tables whose rows say at which site


@dataclass(frozen=True, slots=True)
class Source:
    """A store, of which one site counts, or every one (None)."""

    store: Store
    site: str | None = None

    def where(self, table: str, *parts: Condition) -> Condition:
        """These conditions, and that of the site where the table knows it."""
        return And((*parts, *((Match("observer.site", self.site, cased=True),) if self.site is not None and table in SITED else ())))

    def count(self, table: str, span: Span, *parts: Condition) -> int:
        """How many rows of a span there are."""
        return self.store.count(table, span.query(self.where(table, *parts)))

    def terms(self, table: str, span: Span, fields: Sequence[str], size: int, *parts: Condition, total: str = "") -> list[Row]:
        """The most frequent values of fields in a span, with `total`."""
        return plain(self.store.terms(table, span.query(self.where(table, *parts)), Terms(tuple(fields), size, total)))

    def buckets(self, table: str, span: Span, interval: int, *parts: Condition) -> int:
        """In how many intervals of a span, of so many nanoseconds, there are rows."""
        return self.store.histogram(table, span.query(self.where(table, *parts)), Histogram(interval)).num_rows

    def sum(self, table: str, span: Span, field: str) -> int:
        """The sum of a field of a span."""
        return self.sums(table, span, field)[0]

    def sums(self, table: str, span: Span, *fields: str) -> list[int]:
        """The sum of each of these fields of a span, asked for at once."""
        found = self.store.sums(table, span.query(self.where(table)), fields)
        return [int(found[name] or 0) for name in fields]

    def rows(self, table: str, query: Query, most: int) -> Iterator[Row]:
        """Rows that match, `most` at most, a page at a time; a site is asked for where the query's condition says so."""
        asked, left = replace(query, limit=min(PAGE, most)), most
        while left > 0:
            page = flat(TABLES[table], self.store.read(table, replace(asked, limit=min(PAGE, left))))
            yield from page
            left -= len(page)
            if len(page) < PAGE:
                return
            asked = replace(asked, after=str(page[-1]["id"]))

    def named(self, table: str, identities: Sequence[str], fields: Sequence[str]) -> list[Row]:
        """These fields of the rows of these identities."""
        return list(self.some(table, Query(ids=tuple(identities)), fields)) if identities else []

    def some(self, table: str, query: Query, fields: Sequence[str]) -> Iterator[Row]:
        """These fields of every row that matches, in any order; a site is asked for where the query's condition says so."""
        for part in self.store.history(table, query, fields, ordered=False):
            yield from flat(TABLES[table], part)
