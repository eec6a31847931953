"""The small questions that several pages ask: how many there are, how many lie outside the time that is shown, what has come since, what is suppressed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dashboards import queries
from dashboards.keeping import kept, windows
from records.query import Query, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.model import Alert, Suppression
    from records.search import Condition
    from records.store.contract import Store


def total(store: Store, table: str, where: Condition | None = None, span: Span | None = None) -> int:
    """How many rows of a table match, of a span where one is given."""
    return store.count(table, Query(where=where) if span is None else span.query(where))


def activity_by(store: Store, span: Span) -> tuple[dict[str, int], dict[str, int]]:
    """Operations by access, and by protocol, most first."""
    by = Counter[str](), Counter[str]()
    for part in windows(span):
        for counts, told in zip(by, kept(store, ("activity",), queries.activity_by, part), strict=True):
            counts.update(told)
    access, protocol = (dict(counts.most_common()) for counts in by)
    return access, protocol


def since(store: Store, until: int, where: Condition) -> int:
    """How many alerts that match have come since the end of a time."""
    newest = store.newest()
    return 0 if newest is None or newest < until else total(store, "alert", where, Span(until, newest + 1))


def suppressions(store: Store) -> tuple[int, list[Suppression]]:
    """The newest packet's time, by which they are in force or not, and all of them."""
    return store.newest() or 0, store.suppressions()[1]


def alerts(store: Store, identities: Sequence[str]) -> list[Alert]:
    """These alerts that there are, in this order."""
    found = {each.id: each for each in store.alerts(identities)}
    return [found[identity] for identity in identities if identity in found]


def known(store: Store, identities: Sequence[str]) -> set[str]:
    """Which of these assets the inventory knows, by any of their identities."""
    return {identity for identity in dict.fromkeys(identities) if store.get("asset", identity)}
