"""Reports as the command line, the schedule and the settings ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from records.formats import HOUR, SECOND
from records.query import Query
from reports.kept import Kept, place
from reports.lasting import reach
from reports.periods import holding, zone_of

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store
    from reports.periods import Period


def kept(settings: Settings, store: str) -> Kept:
    """Where the reports of a store are kept."""
    return Kept(place(store, settings.reports.directory))


@dataclass(frozen=True, slots=True)
class Turn:
    """A kind of report in the schedule, of one site or of all (None): the period that is due (None: nothing is), when the next one will be, until when reports
    were made (nanoseconds).
    """

    kind: str
    site: str | None
    due: Period | None
    following: int
    made: int | None


def note_of(kind: str, site: str | None = None) -> str:
    """The name under which a store notes until when reports of a kind were made, of a site or of all; sites are called as they like, so by a digest."""
    return f"report.{kind}.until" if site is None else f"report.{kind}.{blake2b(site.encode(), digest_size=6).hexdigest()}.until"


def turns(store: Store, settings: Settings, now: int) -> list[Turn]:
    """Each kind that is in the schedule, of all sites and each site that has its own. A period is due at the hour of the day after its end, by the calendar
    of the reports' time zone.

    Only the last period is ever due: of those that were missed while nothing ran it alone is made, once. The first of a kind is the one in which the store
    began: of what was before, nothing can be told.
    """
    begun: int | None = None
    notes, zone = store.notes(), zone_of(settings.reports.zone)
    told: list[Turn] = []
    wanted = [(kind, None) for kind in settings.reports.schedule] + [(kind, site) for site, kinds in settings.reports.sites.items() for kind in kinds]
    for kind, site in wanted:
        over = _over(kind, settings, now)
        made = notes.get(note_of(kind, site))
        due = over if made is None or made < over.until or made > now + HOUR else None
        if made is None:
            begun = _begun(store) if begun is None else begun
            due = over if over.until > begun else None
        told.append(Turn(kind, site, due, _begins(holding(kind, zone, over.until).until, settings), made))
    return told


def _begun(store: Store) -> int:
    """Since when rows are in the store (packet time, nanoseconds); the end of all times where there are none, the beginning where rows were deleted."""
    if reach(store):
        return 0
    first = [store.read(table, Query(sort="@timestamp", limit=1)).column("@timestamp").cast(pa.int64()) for table in ("coverage", "activity")]
    return min((int(times[0].as_py()) for times in first if len(times)), default=1 << 62)


def _over(kind: str, settings: Settings, now: int) -> Period:
    """The last period that had ended, with the hour at which it is told."""
    zone = zone_of(settings.reports.zone)
    current = holding(kind, zone, now)
    back = 1 if now >= _begins(current.since, settings) else 2
    for _ in range(back):
        current = holding(kind, zone, current.since - 1)
    return current


def _begins(end: int, settings: Settings) -> int:
    """The hour at which a period that ended here is told."""
    local = datetime.fromtimestamp(end // SECOND, zone_of(settings.reports.zone))
    return int(local.replace(hour=settings.reports.hour).timestamp()) * SECOND


def made(store: Store, settings: Settings, where: str, period: Period, site: str | None = None) -> dict[str, Any]:
    """The document of a period, kept."""
    from reports.summary import document

    reports = kept(settings, where)
    told = document(store, period, site, reports)
    reports.keep(told)
    return told
