"""What is past its retention goes (`[retention] days`); the audit trail tells how much of each table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balefire.schedule import DAY, Job
from records.errors import StoreError
from records.nesting import iso

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store


def retire(store: Store, settings: Settings, now: int) -> int:
    """How many rows went. Raises StoreError where all that the store holds would go: then it is rather the clock that is wrong."""
    before, newest = now - settings.retention.days * DAY, store.newest()
    if newest is not None and newest < before:
        raise StoreError("housekeeping.clock", newest=iso(newest)[:19], now=iso(now)[:19], days=settings.retention.days)
    return sum(store.retire(before).values()) if store.expired(before) else 0


JOB: Final = Job("retention", retire)
