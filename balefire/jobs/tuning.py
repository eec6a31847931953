"""What other numbers in rules would have cost is worked out ahead, so that the dashboard has each curve at once (`detectors.curves`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balefire.schedule import Job
from records.formats import zone_named

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store


def work_out(store: Store, settings: Settings, now: int) -> int:
    """For how many rules."""
    from detectors.curves import work_out as worked_out  # rules are loaded where there is something to judge

    return worked_out(store, settings.shifts, zone_named(settings.reports.zone), now)


JOB: Final = Job("tuning", work_out)
