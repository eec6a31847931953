"""Yearly reports of years in which no incident was confirmed: nobody's grading opens them, so a person does, where something was recorded in that year."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.lifecycle import TransitionError
from records.query import Span
from reports.asking import Source
from reports.dutybook import YEAR, duties
from reports.dutyrows import identity_of, opening, year_end, year_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.store.contract import Store
    from reports.dutybook import Duty


def unopened(store: Store, regimes: Iterable[str], now: int) -> list[tuple[Duty, int]]:
    """The yearly reports of the last whole year (UTC) that no incident opened; none of a year in which nothing was recorded: of that nobody can tell here."""
    wanted, year = set(regimes), year_of(now) - 1
    found = [each for each in duties() if each.regime in wanted and each.start == YEAR and not store.get("duty", identity_of(str(year), each.id))]
    return [(each, year) for each in found] if found and Source(store).count("coverage", Span(year_end(year - 1), year_end(year))) else []


def open_empty(store: Store, regimes: Iterable[str], by: str, now: int) -> list[str]:
    """Open them; their ids. Raises TransitionError where there is none."""
    found = unopened(store, regimes, now)
    if not found:
        raise TransitionError("duty.no_year", year=year_of(now) - 1)
    changes = [opening(identity_of(str(year), duty.id), "", duty.id, year_end(year) - 1, "open_year", by) for duty, year in found]
    store.change(changes)
    return [change.id for change in changes]
