"""The audit trail as its page asks for it: one page of the entries that match, newest first, and the last entry of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboards.queries import listed
from records.query import Query

if TYPE_CHECKING:
    from records.search import Condition
    from records.store.contract import Store

FIRST: Final = 50  # entries of a page


def entries(store: Store, where: Condition, place: int) -> list[dict[str, Any]]:
    """Those of a page, from 1."""
    ahead = listed(store.read("audit", Query(where=where, sort="-id", limit=(place - 1) * FIRST))) if place > 1 else []
    after = str(ahead[-1]["id"]) if ahead else ""
    return listed(store.read("audit", Query(where=where, sort="-id", limit=FIRST, after=after)))


def last(store: Store) -> dict[str, Any] | None:
    """The newest one, or None where nothing was decided yet."""
    return next(iter(listed(store.read("audit", Query(sort="-id", limit=1)))), None)
