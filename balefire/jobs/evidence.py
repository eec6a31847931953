"""Packets that are kept for findings stay within their bounds by age and size (`[evidence]`), also where a sensor runs for months."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balefire.keeping import MEBIBYTE
from balefire.schedule import DAY, Job

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store


def thin(store: Store, settings: Settings, now: int) -> int:
    """For how many findings packets went."""
    return store.thin(settings.evidence.mebibytes * MEBIBYTE, now - settings.evidence.days * DAY)


JOB: Final = Job("evidence", thin)
