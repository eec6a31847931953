"""The store of this dashboard, opened once for all who look at it."""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import suppress
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

import dashboards
from dashboards.queries import LOOKED_AT
from records.errors import BalefireError
from records.query import Query
from records.store import open_store

if TYPE_CHECKING:
    from records.store.contract import Store

SERVED: Final = frozenset({"app", "served"})  # these do something where they are imported
LATER: Final = ("luqum.parser", "pyarrow.dataset", "detectors.fingerprint", "sensors.listing", "sensors.sources.files")  # what pages import when they need it


@cache
def _opened(where: str) -> Store:
    return open_store(where)


def opened() -> Store:
    """The store. Rows are only read here; decisions are made beside whoever writes them. Raises StoreError."""
    return _opened(os.environ.get("BALEFIRE_STORE", ""))


def look() -> None:
    """Have read before somebody waits for it what a server reads once: its modules, the newest coverage, the rules, the law, what protocols there are.

    What is wrong with the store is for the pages to say.
    """
    from dashboards.dissecting import limits  # a server answers before these are there
    from dashboards.reference import serving
    from dashboards.rulings import in_force
    from reports.dutybook import duties
    from sensors.dissection import prepare
    from sensors.dissector import WAITING

    serving()
    for name in (*(f"dashboards.{each.name}" for each in iter_modules(dashboards.__path__) if each.name not in SERVED), *LATER):
        import_module(name)
    with suppress(BalefireError):
        store = opened()
        store.sums("coverage", Query(since=(store.newest() or 0) - LOOKED_AT), ("packets",))
        in_force(store)
    duties()
    prepare(limits())
    WAITING.keep()
    WAITING.expect(limits())
    gc.collect()
    atexit.register(gc.unfreeze)  # what ends as it began
    gc.freeze()  # all of this stays: looking through it again and again for what is of no more use takes a page longer than what it does
