"""Every row of a table that may change, however many there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from records.query import Query
from records.schema import TABLES
from records.search import parse
from records.store.columns import flat

if TYPE_CHECKING:
    from records.store.contract import Store

PAGE: Final = 10_000  # rows that are read at a time


def every_row(store: Store, table: str, search: str = "") -> list[dict[str, Any]]:
    """The rows that are meant, in the order of their identities, page by page: none is too many for its clock to start. Raises StoreError."""
    found: list[dict[str, Any]] = []
    query = Query(where=parse(search, TABLES[table]) if search else None, sort="id", limit=PAGE)
    while True:
        page = flat(TABLES[table], store.read(table, query))
        found += page
        if len(page) < PAGE:
            return found
        query = replace(query, after=str(page[-1]["id"]))
