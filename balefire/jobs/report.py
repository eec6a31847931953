"""Reports that are due by the schedule (`[reports]`): the last period that is over, once, however long nothing ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balefire.schedule import Job

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store
    from reports.printing import MissingError


def due(store: Store, settings: Settings, now: int) -> bool:
    """Whether any is."""
    from balefire.reporting import turns

    return bool(settings.reports.schedule or settings.reports.sites) and any(turn.due for turn in turns(store, settings, now))


def run(store: Store, settings: Settings, now: int) -> int:
    """How many were made. What was made before another failed is noted, and not made again."""
    from balefire.reporting import kept, made, note_of, turns
    from records.wording import locale_language
    from reports.kept import write_forms

    where, count = settings.store_place(), 0
    missing: list[MissingError] = []
    languages = settings.reports.languages or (settings.language or locale_language(),)
    for turn in turns(store, settings, now):
        if turn.due:
            told = made(store, settings, where, turn.due, turn.site)
            write_forms(told, kept(settings, where).folder / str(told["id"]), settings.reports.formats, languages, missing.append)
            store.note(note_of(turn.kind, turn.site), turn.due.until, turn.made)
            count += 1
    if missing:
        raise missing[0]  # all else is done: this is said, once
    return count


JOB: Final = Job("report", run, due)
