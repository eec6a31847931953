"""The store of this dashboard, opened once for all who look at it."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from records.store import open_store

if TYPE_CHECKING:
    from records.store.contract import Store


@cache
def _opened(where: str) -> Store:
    return open_store(where)


def opened() -> Store:
    """The store. Rows are only read here; decisions are made beside whoever writes them. Raises StoreError."""
    return _opened(os.environ.get("BALEFIRE_STORE", ""))
