"""From a confirmed alert to what has to be told: its level and class are decided, clocks run, forms are filled in, released, and recorded.

Clocks are those of the law: they run by the clock of the machine where a person closed the alert as true, from that moment, however long grading takes.
Where a person takes that back, what is not released is suspended; where the alert is confirmed again, the clock of the first confirmation goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST, TransitionError
from records.errors import ConflictError, StoreError, UsageError
from records.formats import Clock, duration
from records.nesting import iso
from records.wording import say
from reports.dutybook import AT_ONCE, YEAR, Duty, duties, duty_of, incident_classes, levels, operators, supplement_of
from reports.dutyrows import change, identity_of, of_alert, opening, written, year_end, year_of
from reports.everything import every_row
from reports.formpage import document
from reports.formpage import seal as formseal
from reports.periods import zone_of
from reports.regrading import regraded_since
from reports.standing import standings
from reports.supplementing import following, untold
from reports.yearly import retold_since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from records.store.contract import Change, Store
    from reports.keys import Key
    from reports.ledger import Entry, Ledger

Row = dict[str, Any]
CASE: Final = 12  # digits by which an agency knows an incident


@dataclass(frozen=True, slots=True)
class Due:
    """A duty of an alert: its stored row, what the book says, when its clock started and when it is due (nanoseconds; None: not yet, or not known).

    `ended`: when and by whom the confirmation of its alert was taken back; while it is, what is not released is suspended. Its clock stays as it was.
    `regraded`: since when, and by whom, the incident has another level or class than the one that was released; `retold`: its year has other incidents.
    """

    row: Row
    duty: Duty
    since: int | None
    due: int | None
    ended: tuple[int, str] | None = None
    regraded: tuple[int, str] | None = None
    retold: tuple[int, str] | None = None

    @property
    def status(self) -> str:
        """What it is: open, suspended, released or waived. A supplement is never suspended: it may be what tells that the alert was false."""
        return "suspended" if self.row["status"] == "open" and self.ended and not self.duty.supplements else str(self.row["status"])

    @property
    def year(self) -> int:
        """The year (UTC) in which the incident was confirmed, or of which a yearly report tells."""
        return year_of(self.row["confirmed"])

    @property
    def case(self) -> str:
        """By what its incident is known, or its year, where it is of all incidents of one."""
        return str(self.row["alert"][:CASE] or self.year)

    @property
    def supplemented(self) -> bool:
        """Whether something can be added to what was released."""
        return self.status == "released" and supplement_of(self.duty) is not None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.status == "open"

    @property
    def contested(self) -> tuple[str, int, str] | None:
        """Why, since when and by whom what was released, which a receiver holds, may be wrong: its alert is not confirmed any more, or is graded anew; of a
        year, any of its incidents.
        """
        told = {"unconfirmed": self.ended, "regraded": self.regraded, "retold": self.retold} if self.status == "released" else {}
        return next(((why, *found) for why, found in told.items() if found), None)

    def overdue(self, now: int) -> bool:
        """Whether it is past its time and not done, or was done too late."""
        done = self.row["released"] if self.status == "released" else now
        return self.status in {"open", "released"} and self.due is not None and done > self.due

    def left(self, now: int, language: str, zone: tzinfo = UTC) -> str:
        """How much time is left, or by how much it is late, said plainly; other times in a zone."""
        clock = Clock(zone, language)
        if self.status == "suspended" and self.ended:
            return say("duty.suspended", language, by=self.ended[1], time=clock.stamp(self.ended[0]))
        if not self.open:
            done = say(f"duty.status.{self.row['status']}_late" if self.overdue(now) else f"duty.status.{self.row['status']}", language)
            if not self.contested:
                return done
            why, when, by = self.contested
            return say(f"duty.contested.{why}", language, done=done, by=by, time=clock.stamp(when))
        if self.since is None or now < self.since:
            return say(f"duty.waits.{self.duty.start.split(':')[0]}", language)
        if self.due is None:
            return say("duty.no_period", language)
        key = "duty.overdue" if now > self.due else "duty.at_once" if self.duty.within == AT_ONCE else "duty.left"
        return say(key, language, time=duration(abs(now - self.due), language))


def ungraded(store: Store) -> dict[str, tuple[int, str]]:
    """The confirmed alerts whose level nobody has decided yet, since when and by whom they are confirmed: their clocks run already."""
    graded = {row["id"] for row in every_row(store, "grading")}
    found = {alert: (told.since, told.by) for alert, told in standings(store).items() if told.ended is None and alert not in graded}
    names = list(found)
    there = {each.id for start in range(0, len(names), 1000) for each in store.alerts(names[start : start + 1000])}
    return {alert: told for alert, told in found.items() if alert in there}


def grade(
    store: Store, alert: str, level: str, code: str, operator: str, regimes: Iterable[str], by: str, now: int, facts: Mapping[str, float] | None = None,
    note: str = "",
) -> list[str]:  # fmt: skip
    """Decide the level and class of a confirmed alert; the ids of the duties that it has. Those of another level that apply no more are waived, which is told.

    Raises UsageError and, where somebody else decided meanwhile, ConflictError.
    """
    told = standings(store, alert).get(alert)
    if told is None or told.ended:
        raise TransitionError("duty.unconfirmed", id=alert)
    for word, known in ((level, levels()), (operator, operators()), (code, incident_classes())):
        if word not in known:
            raise UsageError("duty.word", word=word, known=", ".join(known))
    stored = store.get("grading", alert)
    values = {"graded": level, "class": code, "operator": operator, "confirmed": told.since, "decided": now, "facts": _text(facts or {})}
    if stored is None:
        values |= {"id": alert, "handled": None, "paid": None, "revision": 0}
    changes = [change("grading", alert, stored, "grade", by, values, note)]
    wanted = {each.id: each for each in duties() if each.regime in set(regimes) and each.applies(level, code, operator)}
    added_to = {each.id for each in duties() if each.supplements}
    there = {row["duty"]: row for row in of_alert(store, alert)}
    for identity, duty in wanted.items():
        row = there.get(identity)
        if duty.start == YEAR:
            changes += _yearly(store, duty, told.since, by)
        elif row is None:
            changes.append(opening(identity_of(alert, identity), alert, identity, told.since, "grade", by))
        elif row["status"] == "waived" or (row["status"] == "open" and row["confirmed"] != told.since):
            changes.append(change("duty", row["id"], row, "grade", by, {"status": "open", "confirmed": told.since}))
    changes += [
        change("duty", row["id"], row, "waive", by, {"status": "waived"})
        for identity, row in there.items()
        if identity not in {*wanted, *added_to} and row["status"] == "open"
    ]
    store.change(changes)
    return sorted(wanted)


def _yearly(store: Store, duty: Duty, confirmed: int, by: str) -> list[Change]:
    """The duty to tell of all incidents of a year, of no alert alone: opened with the first of them."""
    identity = identity_of(str(year_of(confirmed)), duty.id)
    return [] if store.get("duty", identity) else [opening(identity, "", duty.id, confirmed, "grade", by)]


def moment(store: Store, alert: str, which: str, at: int | None, by: str, now: int, note: str = "", zone: tzinfo = UTC) -> int | None:
    """Say when handling ended (`handled`) or a ransom was `paid`: clocks start there, too. A ransom may be paid before anybody confirms. What was said before,
    which is returned, is moved by a time that somebody names alone: without one (`at`: None) it is now, and what was said twice would move the law's clock.

    Raises TransitionError, and UsageError for a time that cannot be.
    """
    stored = store.get("grading", alert)
    if stored is None:
        raise TransitionError("duty.ungraded", id=alert)
    before: int | None = stored[which]
    if at is None and before is not None:
        raise TransitionError(f"duty.{which}_stands", time=Clock(zone, "en").stamp_s(before), alert=alert[:12])
    at = now if at is None else at
    early = which == "handled" and at < stored["confirmed"]
    if early or at > now:
        problem, other = ("early", stored["confirmed"]) if early else ("future", now)
        clock = Clock(zone, "en")  # the same in every language
        raise UsageError(f"duty.{problem}", at=clock.stamp_s(at), time=clock.stamp_s(other))
    store.change([change("grading", alert, stored, "moment", by, {which: at}, note)])
    return before


def all_due(store: Store) -> list[Due]:
    """Every duty of every graded alert: what is due first, then what was released and is contested, what is suspended, what is done last."""
    gradings = {row["id"]: row for row in every_row(store, "grading")}
    rows = every_row(store, "duty")
    released = {(row["alert"], row["duty"]): row["released"] for row in rows if row["status"] == "released"}
    ended = untold(rows, {alert: told.ended for alert, told in (standings(store) if rows else {}).items()})
    regraded, retold = (regraded_since(store, rows), retold_since(store, rows)) if released else ({}, {})

    def doubts(identity: str) -> dict[str, tuple[int, str] | None]:
        return {"ended": ended.get(identity), "regraded": regraded.get(identity), "retold": retold.get(identity)}

    found = [replace(_due(row, duty, gradings.get(row["alert"], {}), released), **doubts(row["id"])) for row in rows if (duty := duty_of(row["duty"]))]
    return sorted(
        found,
        key=lambda each: (
            0 if each.open else 1 if each.contested else 2 if each.status == "suspended" else 3,
            each.due if each.due is not None else 1 << 63,
            each.row["id"],
        ),
    )


def _due(row: Row, duty: Duty, grading: Row, released: Mapping[tuple[str, str], int]) -> Due:
    if duty.start.startswith("released:"):
        since = released.get((row["alert"], f"{duty.regime}/{duty.start.removeprefix('released:')}"))
    elif duty.start == YEAR:
        since = year_end(year_of(row["confirmed"]))
    else:
        since = row["confirmed"] if duty.start == "confirmed" else grading.get(duty.start)
    return Due(row, duty, since, None if since is None else duty.due(since))


def fill(store: Store, due: Due, values: Mapping[str, str], by: str) -> None:
    """Keep what somebody wrote into fields of the form; an empty text takes out what was written there before, so that the alert tells it again.

    Raises UsageError for a field that it does not have, or that the decision of the level fills.
    """
    check_open(due)
    known = {each.id for each in due.duty.fields}
    if decided := [each.id for each in due.duty.fields if each.decided and values.get(each.id, "").strip()]:
        raise UsageError("duty.decided", fields=", ".join(decided), alert=due.row["alert"][:12])
    for key, value in values.items():
        if key not in known:
            raise UsageError("duty.field", field=key, known=", ".join(sorted(known)))
        if any("\ud800" <= letter <= "\udfff" for letter in value):  # octets of an argument that are no UTF-8
            raise UsageError("duty.encoding", field=key)
        if len(value) > LONGEST:
            raise UsageError("duty.long", field=key, length=len(value), limit=LONGEST)
    merged = {key: value for key, value in {**written(due.row), **values}.items() if value.strip()}
    store.change([change("duty", due.row["id"], due.row, "fill", by, {"fields": _text(merged)})])


def waive(store: Store, due: Due, by: str, note: str) -> None:
    """Say that it does not apply, and why."""
    check_open(due)
    if not note.strip():
        raise UsageError("life.empty_note")
    store.change([change("duty", due.row["id"], due.row, "waive", by, {"status": "waived"}, note)])


def release(
    store: Store, due: Due, ledger: Ledger, key: Key, unit: str, language: str, by: str, now: int, *, zone: str = "UTC", seal: str = "",
    pages: Callable[[Row], Sequence[Path]] = lambda _: (),
) -> str:  # fmt: skip
    """Release the form as it stands, with the `pages` of its document: an entry of the ledger, and a decision in the store; the receipt. A release that was cut
    off between is made up for.

    Raises UsageError naming the fields that are required and empty, TransitionError where the alert is not confirmed any more, or somebody released it, and
    StoreError where it is not what its `seal` says.
    """
    with ledger.alone():  # nobody signs it between what is looked at here and what is kept of it
        stored = _now(store, due)
        check_open(stored)
        if stored.row["revision"] != due.row["revision"]:
            raise ConflictError("conflict.duty", id=due.row["id"])
        entry = ledger.released(due.row["id"])
        if entry is None:
            told = document(store, replace(due, ended=stored.ended), unit, language, zone)
            if seal and formseal(told) != seal:
                raise StoreError("duty.changed", id=due.row["id"][:12])
            releasable(stored, told["form"], now, zone_of(zone))
            entry = ledger.release(key, told, pages(told), by=by, time=iso(now), kind="duty")
        return recorded(store, stored, entry, by, now)


def releasable(due: Due, told: Mapping[str, str], now: int, zone: tzinfo = UTC) -> None:
    """Raises TransitionError where a form that says this is not to be released."""
    check_open(due)
    if due.status == "suspended" and due.ended:
        when = Clock(zone, "en").stamp(due.ended[0])
        raise TransitionError("duty.suspended", id=due.row["id"][:12], alert=due.row["alert"][:12], by=due.ended[1], time=when)
    if due.duty.start == YEAR and due.since and now < due.since:  # what is confirmed until its end belongs into it
        raise TransitionError("duty.year", id=due.row["id"][:12], year=due.year)
    if missing := [each.id for each in due.duty.required if not told[each.id].strip()]:
        raise TransitionError("duty.missing", fields=", ".join(missing), id=due.row["id"][:12])


def recorded(store: Store, due: Due, entry: Entry, by: str, now: int) -> str:
    """Note in the store what was signed; its receipt."""
    kept: dict[str, str] = entry.body["document"]["form"]
    values = {"status": "released", "fields": _text(kept), "released": now, "receipt": str(entry.receipt)}
    for last in (False,) * 3 + (True,):
        try:
            store.change([change("duty", due.row["id"], due.row, "release", by, values), *following(store, due, kept, by)])
            break
        except ConflictError:  # somebody filled in or waived what is signed already: that it is released is so, and is kept
            if last:
                raise
            due = _now(store, due)
    return str(entry.receipt)


def _now(store: Store, due: Due) -> Due:
    """The duty as it is stored now, and whether its alert is still confirmed."""
    standing = standings(store, due.row["alert"]).get(due.row["alert"]) if due.row["alert"] else None
    return replace(due, row=store.get("duty", due.row["id"]) or due.row, ended=standing.ended if standing else None)


def check_open(due: Due) -> None:
    """Raises TransitionError for a duty that nothing is to be done about any more: released, waived or suspended."""
    if due.row["status"] != "open":
        raise TransitionError(f"duty.{due.row['status']}", id=due.row["id"][:12])


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)
