"""A query as people and programs type it: times as ISO 8601, a search in words, a field to sort by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from records.errors import UsageError
from records.nesting import YEARS, beyond, period
from records.query import Query
from records.search import field_of, parse

if TYPE_CHECKING:
    from records.schema import Table


def moment(text: str) -> int:
    """ISO 8601 as nanoseconds; no offset means UTC. Raises UsageError, with an example, for anything else."""
    found = period(text)
    if found is None and beyond(text):
        raise UsageError("time_beyond", text=text, first=YEARS[0], last=YEARS[1])
    if found is None:
        raise UsageError("time", text=text)
    return found[0]


def moments(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Both ends of a time range. Raises UsageError for what is no time, and for a range that ends before it begins."""
    first, last = (moment(text) if text else None for text in (since, until))
    if first is not None and last is not None and first >= last:
        raise UsageError("time_range", since=since, until=until)
    return first, last


def asked(
    kind: Table, since: str | None = None, until: str | None = None, where: str | None = None, sort: str = "", after: str = "", limit: int | None = None
) -> Query:
    """The query of a table that these texts mean; empty ones ask for nothing. Raises UsageError naming what is wrong."""
    first, last = moments(since, until)
    if sort:
        sort = ("-" if sort.startswith("-") else "") + field_of(kind, sort.removeprefix("-")).name
    return Query(first, last, parse(where, kind) if where else None, sort, limit, after)
