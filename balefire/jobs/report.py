"""Reports that are due by the schedule (`[reports]`): the last period that is over, once, however long nothing ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from balefire.schedule import Job
from records.errors import BalefireError, InputError

if TYPE_CHECKING:
    from balefire.settings import Settings
    from records.store.contract import Store
    from reports.printing import MissingError


def due(store: Store, settings: Settings, now: int) -> bool:
    """Whether any is."""
    from balefire.reporting import turns

    return bool(settings.reports.schedule or settings.reports.sites) and any(turn.due for turn in turns(store, settings, now))


def run(store: Store, settings: Settings, now: int) -> int:
    """How many were made. What fails keeps nothing else from being made and is due still; what was made is noted, and not made again."""
    from balefire.reporting import kept, made, note_of, turns
    from records.wording import locale_language
    from reports.kept import write_forms

    where, count = settings.store_place(), 0
    missing: list[MissingError] = []
    failed: list[Exception] = []
    languages = settings.reports.languages or (settings.language or locale_language(),)
    for turn in turns(store, settings, now):
        if turn.due:
            try:
                told = made(store, settings, where, turn.due, turn.site)
                write_forms(told, kept(settings, where).folder / str(told["id"]), settings.reports.formats, languages, missing.append)
                store.note(note_of(turn.kind, turn.site), turn.due.until, turn.made)
                count += 1
            except Exception as error:  # whatever it is, it is told once all else is done
                failed.append(error)
    if problems := [*failed, *missing[:1]]:
        raise _together(problems)
    return count


def _together(problems: list[Exception]) -> Exception:
    """Of several reasons each is told once; one alone is told as it is."""
    found, *more = {str(_told(each)): each for each in problems}.values()
    for each in more:
        found = InputError("report.failed_too", first=_told(found), then=_told(each))
    return found


def _told(problem: Exception) -> BalefireError | str:
    return problem if isinstance(problem, BalefireError) else f"{type(problem).__name__}: {problem}"


JOB: Final = Job("report", run, due)
