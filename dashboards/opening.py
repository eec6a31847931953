"""The store of this dashboard, opened once for all who look at it."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from dashboards.queries import LOOKED_AT
from records.errors import BalefireError
from records.query import Query
from records.store import open_store

if TYPE_CHECKING:
    from records.store.contract import Store


@cache
def _opened(where: str) -> Store:
    return open_store(where)


def opened() -> Store:
    """The store. Rows are only read here; decisions are made beside whoever writes them. Raises StoreError."""
    return _opened(os.environ.get("BALEFIRE_STORE", ""))


def look() -> None:
    """Have read before somebody waits for it what a server reads once: the newest coverage, the rules, what protocols there are.

    What is wrong with the store is for the pages to say.
    """
    from dashboards.reference import serving  # a server answers before these are there
    from dashboards.rulings import in_force

    serving()
    with suppress(BalefireError):
        store = opened()
        store.sums("coverage", Query(since=(store.newest() or 0) - LOOKED_AT), ("packets",))
        in_force(store)
