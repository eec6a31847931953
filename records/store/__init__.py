"""KEEP: one contract, two stores: a directory, or Elasticsearch. `open_store` is the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from records.errors import UsageError
from records.homes import expanded

if TYPE_CHECKING:
    from records.store.contract import Store


def open_store(where: str, write: bool = False, period: str = "day", beside: bool = False) -> Store:
    """The store at `where`, a directory or the address of an Elasticsearch; it is made where `write` and it is not there.

    `beside`: to write in turn with whoever writes rows there; an Elasticsearch has any number of writers. `period` (day, week, month) is the span of an index
    where an Elasticsearch is made. Raises UsageError, StoreError.
    """
    if where.casefold().startswith(("http://", "https://")):
        from records.store.elastic import ElasticStore

        return ElasticStore(where, write, period)
    if "://" in where:
        raise UsageError("store.scheme", where=where)
    from records.store.embedded import EmbeddedStore  # DuckDB is slow to import, and only stores need it

    return EmbeddedStore(expanded(where), write, beside)
