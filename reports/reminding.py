"""What of duties presses: the clocks that closing an alert as true starts, alerts whose level nobody has decided yet, and what is due soon or late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from records.formats import duration
from records.wording import LANGUAGES, say
from reports.dutybook import AT_ONCE, duties
from reports.obliging import all_due, ungraded
from reports.suggesting import lesser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.store.contract import Store
    from reports.dutybook import Duty
    from reports.obliging import Due

SOON: Final = 24 * 3600 * 10**9  # what is due within a day
LAST: Final = 4  # and in the last quarter of its time presses
GRAVITY: Final = 100  # as of an alert: nobody chooses whether a law's clock is told
LIGHT: Final = 0  # where hardly any clock runs: told, too, but not at night


@dataclass(frozen=True, slots=True)
class Pressing:
    """Confirmed alerts without a level (when and by whom they were confirmed), duties that are late, and those that are due within a day, the next first."""

    waiting: dict[str, tuple[int, str]]
    late: list[Due]
    soon: list[Due]

    def __bool__(self) -> bool:
        return bool(self.waiting or self.late or self.soon)


def starting(regimes: Iterable[str], operator: str, language: str) -> list[str]:
    """What has to be told from the moment on at which an alert is closed as true, if its level calls for it: what is due first, first."""
    wanted = set(regimes)
    found = [each for each in duties() if each.regime in wanted and each.start == "confirmed" and not each.supplements]
    return [_starts(each, language) for each in sorted(found, key=lambda each: each.due(0) or 0) if not each.operators or operator in each.operators]


def _starts(duty: Duty, language: str) -> str:
    due = duty.due(0)
    within = (
        say("duty.starts.at_once", language) if duty.within == AT_ONCE or due is None else say("duty.starts.within", language, time=duration(due, language))
    )
    level = say(f"duty.level.{duty.levels[0]}", language)
    return say("duty.starts.one", language, title=getattr(duty.title, language), within=within, level=level)


def pressing(store: Store, now: int) -> Pressing:
    """What presses at this moment."""
    timed = [each for each in all_due(store) if each.open and each.due is not None]
    soon = [each for each in timed if each.due is not None and now <= each.due <= now + SOON]
    return Pressing(ungraded(store), [each for each in timed if each.overdue(now)], soon)


def reminders(store: Store, now: int) -> list[dict[str, Any]]:
    """The same as people are told of it, once each, in the form of alerts: `name` is what they see of its identity.

    A duty is told when it is made with less than a day to go, again in the last quarter of its time, and when it is late.
    """
    found = pressing(store, now)
    light = lesser(store, found.waiting)
    told = [
        _row(f"ungraded:{alert}", alert, "ungraded", time=now - since, severity=LIGHT if alert in light else GRAVITY)
        for alert, (since, _by) in found.waiting.items()
    ]
    told += [_row(f"late:{each.row['id']}", str(each.row["id"]), "late", due=each, time=now - (each.due or now)) for each in found.late]
    for each in found.soon:
        whole, left = (each.due or now) - (each.since or now), (each.due or now) - now
        told.append(_row(f"{'last' if left * LAST < whole else 'soon'}:{each.row['id']}", str(each.row["id"]), "soon", due=each, time=left))
    return told


def _row(identity: str, name: str, key: str, *, time: int, due: Due | None = None, severity: int = GRAVITY) -> dict[str, Any]:
    words = {
        f"title.{language}": say(
            f"notify.duty.{key}", language, time=duration(time, language), title=getattr(due.duty.title, language) if due else "", case=due.case if due else ""
        )
        for language in LANGUAGES
    }
    return {"id": identity, "name": name, "severity": severity, **words}
