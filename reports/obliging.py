"""From a confirmed alert to what has to be told: its level and class are suggested and decided, clocks run, forms are filled in, released, and recorded.

Clocks are those of the law: they run by the clock of the machine where a person closed the alert as true, from that moment, however long grading takes.
Where a person takes that back, what is not released is suspended; where the alert is confirmed again, the clock of the first confirmation goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST, TransitionError, name
from detectors.rulebook.techniques import as_before
from records.errors import UsageError
from records.formats import duration
from records.model import Text
from records.nesting import iso
from records.query import Query
from records.store.contract import Change
from records.store.decisions import ITSELF
from records.wording import LANGUAGES, say
from reports.dutybook import AT_ONCE, LEVELS, OPERATORS, Duty, class_named, duties, duty_of, gravest_class, incident_classes, triggers
from reports.everything import every_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from records.store.contract import Store
    from reports.keys import Key
    from reports.ledger import Ledger

Row = dict[str, Any]
ACTING: Final = frozenset({"T0843", "T0836", "T0855", "T0858", "T0816", "T0831", "T0835", "T0857", "T0889", "T0809", "T0839"})  # techniques that act on a plant
SAFETY: Final = "safety_controller"
FACTS: Final = ("outage", "function", "people", "city", "province", "records", "loss")
LOOKED_AT: Final = 1_000  # findings of an alert
CASE: Final = 12  # digits by which an agency knows an incident


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A level and a class, and why; a person decides."""

    level: str
    code: str
    reasons: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that was closed as true: when first and by whom (the clock of the store's machine), and when and by whom that was taken back."""

    since: int
    by: str
    ended: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A duty of an alert: its stored row, what the book says, when its clock started and when it is due (nanoseconds; None: not yet, or not known).

    `ended`: when and by whom the confirmation of its alert was taken back; while it is, what is not released is suspended. Its clock stays as it was.
    """

    row: Row
    duty: Duty
    since: int | None
    due: int | None
    ended: tuple[int, str] | None = None

    @property
    def status(self) -> str:
        """What it is: open, suspended, released or waived."""
        return "suspended" if self.row["status"] == "open" and self.ended else str(self.row["status"])

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.status == "open"

    @property
    def contested(self) -> bool:
        """Whether it was released, and its alert is not confirmed any more: what the receiver holds may be wrong."""
        return self.status == "released" and self.ended is not None

    def overdue(self, now: int) -> bool:
        """Whether it is past its time and not done, or was done too late."""
        done = self.row["released"] if self.status == "released" else now
        return self.status in {"open", "released"} and self.due is not None and done > self.due

    def left(self, now: int, language: str) -> str:
        """How much time is left, or by how much it is late, said plainly."""
        if self.status == "suspended" and self.ended:
            return say("duty.suspended", language, by=self.ended[1], time=iso(self.ended[0])[:16].replace("T", " "))
        if not self.open:
            done = say(f"duty.status.{self.row['status']}_late" if self.overdue(now) else f"duty.status.{self.row['status']}", language)
            if not (self.contested and self.ended):
                return done
            return say("duty.contested", language, done=done, by=self.ended[1], time=iso(self.ended[0])[:16].replace("T", " "))
        if self.since is None:
            return say(f"duty.waits.{self.duty.start.split(':')[0]}", language)
        if self.due is None:
            return say("duty.no_period", language)
        key = "duty.at_once" if self.duty.within == AT_ONCE else "duty.overdue" if now > self.due else "duty.left"
        return say(key, language, time=duration(abs(now - self.due), language))


def standings(store: Store, alert: str = "") -> dict[str, Standing]:
    """How each alert (or one) that a person ever closed as true stands, by the trail. The first confirmation counts, whatever came between.

    A reopening by ourselves, since the same went on, withdraws nothing: only a person's reopening does, or another verdict.
    """
    found: dict[str, Standing] = {}
    search = "table:alert AND (action:close OR action:reopen)" + (f' AND subject:"{alert}"' if alert else "")
    for row in every_row(store, "audit", search):
        after: Row = _json(row["after"] or "{}")
        there, when, by = found.get(row["subject"]), int(row["time"]), str(row["by"])
        if row["action"] == "close" and after.get("verdict") == "true":
            found[row["subject"]] = replace(there, ended=None) if there else Standing(when, by)
        elif there and there.ended is None and not (row["action"] == "reopen" and by == ITSELF):
            found[row["subject"]] = replace(there, ended=(when, by))
    return found


def ungraded(store: Store) -> dict[str, tuple[int, str]]:
    """The confirmed alerts whose level nobody has decided yet, since when and by whom they are confirmed: their clocks run already."""
    graded = {row["id"] for row in every_row(store, "grading")}
    found = {alert: (told.since, told.by) for alert, told in standings(store).items() if told.ended is None and alert not in graded}
    names = list(found)
    there = {each.id for start in range(0, len(names), 1000) for each in store.alerts(names[start : start + 1000])}
    return {alert: told for alert, told in found.items() if alert in there}


def suggest(alert: Row, assets: Sequence[Row], facts: Mapping[str, float], effects: Iterable[str] = ()) -> Suggestion:
    """A level by what the law's thresholds say of the `facts` that are known, and by what the alert shows; a class, the gravest, by its techniques and the
    effects of its findings.
    """
    reasons: list[Text] = []
    level = "general"
    for each, least in triggers().items():
        for fact, bound in least.items():
            if facts.get(fact, -1) >= bound:
                level = each if LEVELS.index(each) > LEVELS.index(level) else level
                reasons.append(_why("fact", fact=fact, value=f"{facts[fact]:,.0f}", bound=f"{bound:,}", level=each))
    techniques = alert["techniques"] or ()
    acting = sorted(name for name in techniques if ACTING & as_before([name]))
    critical = [str(each["name"]) for each in assets if each.get("criticality") == "critical" or each.get("role") == SAFETY]
    if acting and critical:
        level = level if level != "general" else "considerable"
        reasons.append(_why("acting", techniques=", ".join(acting), assets=", ".join(critical[:4])))
    if not reasons:
        reasons.append(_why("nothing"))
    return Suggestion(level, gravest_class(as_before(techniques) | set(effects)), tuple(reasons))


def _why(key: str, **values: object) -> Text:
    told = [{each: say(f"duty.{each}.{value}", language) if each in {"fact", "level"} else value for each, value in values.items()} for language in LANGUAGES]
    return Text(say(f"duty.why.{key}", "en", **told[0]), say(f"duty.why.{key}", "zh", **told[1]))


def suggested(store: Store, alert: str, facts: Mapping[str, float] | None = None) -> Suggestion:
    """What is suggested for a stored alert."""
    row = store.get("alert", alert) or {"techniques": [], "assets": [], "findings": []}
    assets = [found for each in (row["assets"] or ())[:100] if (found := store.get("asset", each))]
    findings = store.read("finding", Query(ids=tuple(row["findings"] or ())[:LOOKED_AT])).to_pylist() if row["findings"] else []
    return suggest(row, assets, facts or {}, {effect for each in findings for effect in each["effects"] or ()})


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
    for word, known in ((level, LEVELS), (operator, OPERATORS), (code, incident_classes())):
        if word not in known:
            raise UsageError("duty.word", word=word, known=", ".join(known))
    stored = store.get("grading", alert)
    values = {"graded": level, "class": code, "operator": operator, "confirmed": told.since, "decided": now, "facts": _text(facts or {})}
    if stored is None:
        values |= {"id": alert, "handled": None, "paid": None, "revision": 0}
    changes = [_change("grading", alert, stored, "grade", by, values, note)]
    wanted = {each.id: each for each in duties() if each.regime in set(regimes) and each.applies(level, code, operator)}
    there = {row["duty"]: row for row in of_alert(store, alert)}
    for identity in wanted:
        row = there.get(identity)
        if row is None:
            made: Row = {"id": _id(alert, identity), "alert": alert, "duty": identity, "confirmed": told.since, "status": "open", "fields": "{}"}
            made |= {"released": None, "receipt": None, "revision": 0}
            changes.append(_change("duty", made["id"], None, "grade", by, made, ""))
        elif row["status"] == "waived" or (row["status"] == "open" and row["confirmed"] != told.since):
            changes.append(_change("duty", row["id"], row, "grade", by, {"status": "open", "confirmed": told.since}, ""))
    changes += [
        _change("duty", row["id"], row, "waive", by, {"status": "waived"}, "")
        for identity, row in there.items()
        if identity not in wanted and row["status"] == "open"
    ]
    store.change(changes)
    return sorted(wanted)


def moment(store: Store, alert: str, which: str, at: int, by: str, now: int, note: str = "") -> None:
    """Say when handling ended (`handled`) or a ransom was `paid`: clocks start there, too. A ransom may be paid before anybody confirms.

    Raises TransitionError, and UsageError for a time that cannot be.
    """
    stored = store.get("grading", alert)
    if stored is None:
        raise TransitionError("duty.ungraded", id=alert)
    early = which == "handled" and at < stored["confirmed"]
    if early or at > now:
        problem, other = ("early", stored["confirmed"]) if early else ("future", now)
        raise UsageError(f"duty.{problem}", at=iso(at)[:19], time=iso(other)[:19])
    store.change([_change("grading", alert, stored, "moment", by, {which: at}, note)])


def all_due(store: Store) -> list[Due]:
    """Every duty of every graded alert: what is due first, then what was released and is contested, what is suspended, what is done last."""
    gradings = {row["id"]: row for row in every_row(store, "grading")}
    rows = every_row(store, "duty")
    released = {(row["alert"], row["duty"]): row["released"] for row in rows if row["status"] == "released"}
    ended = {alert: told.ended for alert, told in (standings(store) if rows else {}).items()}
    found = [
        replace(_due(row, duty, gradings.get(row["alert"], {}), released), ended=ended.get(row["alert"])) for row in rows if (duty := duty_of(row["duty"]))
    ]
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
    else:
        since = row["confirmed"] if duty.start == "confirmed" else grading.get(duty.start)
    return Due(row, duty, since, None if since is None else duty.due(since))


def of_alert(store: Store, alert: str) -> list[Row]:
    """The stored duties of an alert."""
    return [row for row in every_row(store, "duty") if row["alert"] == alert]


def form(store: Store, due: Due, unit: str, language: str) -> dict[str, str]:
    """The form of a duty: what people filled in, else what the alert knows, else nothing."""
    filled: dict[str, str] = _json(due.row["fields"])
    facts = _facts(store, due, unit, language)
    told = {each.id: filled.get(each.id) or "\n".join(facts[source] for source in each.sources if facts.get(source)) for each in due.duty.fields}
    return {key: value[:LONGEST] for key, value in told.items()}


def _facts(store: Store, due: Due, unit: str, language: str) -> dict[str, str]:
    alert = store.get("alert", due.row["alert"]) or {}
    grading = store.get("grading", due.row["alert"]) or {}
    finding = store.get("finding", next(iter(alert.get("findings") or ()), "")) or {}
    assets = [store.get("asset", each) or {"name": each} for each in (alert.get("assets") or ())[:20]]
    said = every_row(store, "audit", f"table:alert AND note:* AND subject:{due.row['alert']}")
    notes = [f"{iso(row['time'])[:16]} {row['by']}: {row['note']}" for row in said]
    peers = " → ".join(str(each) for each in (finding.get("source.ip"), finding.get("destination.ip")) if each)
    return {
        "unit": unit, "site": str(finding.get("observer.site") or ""),
        "first": say("duty.first", language, time=iso(alert["first"])[:19]) if alert else "",
        "confirmed": say("duty.confirmed", language, time=iso(due.row["confirmed"])[:19]),
        "class": class_named(str(grading.get("class", "")), language),
        "level": say(f"duty.level.{grading['graded']}", language) if grading else "", "assets": ", ".join(str(each.get("name") or "") for each in assets),
        "notes": "\n".join(notes[-10:]), "title": str(alert.get(f"title.{language}") or ""), "reason": str(alert.get(f"reason.{language}") or ""),
        "peers": peers, "techniques": ", ".join(alert.get("techniques") or ()),
        "evidence": say("duty.evidence", language, id=finding["id"]) if finding and store.get("evidence", finding["id"]) else "",
    }  # fmt: skip


def fill(store: Store, due: Due, values: Mapping[str, str], by: str) -> None:
    """Keep what somebody wrote into fields of the form. Raises UsageError for a field that it does not have."""
    _still_open(due)
    known = {each.id for each in due.duty.fields}
    for key, value in values.items():
        if key not in known:
            raise UsageError("duty.field", field=key, known=", ".join(sorted(known)))
        if len(value) > LONGEST:
            raise UsageError("life.long_note", length=len(value), limit=LONGEST)
    merged = {**_json(due.row["fields"]), **{key: value for key, value in values.items() if value.strip()}}
    store.change([_change("duty", due.row["id"], due.row, "fill", by, {"fields": _text(merged)}, "")])


def waive(store: Store, due: Due, by: str, note: str) -> None:
    """Say that it does not apply, and why."""
    _still_open(due)
    if not note.strip():
        raise UsageError("life.empty_note")
    store.change([_change("duty", due.row["id"], due.row, "waive", by, {"status": "waived"}, note)])


def release(store: Store, due: Due, ledger: Ledger, key: Key, unit: str, language: str, by: str, now: int, files: Sequence[Path] = ()) -> str:
    """Release the form as it stands: an entry of the ledger, and a decision in the store; the receipt. A release that was cut off between is made up for.

    Raises UsageError naming the fields that are required and empty, and TransitionError where the alert is not confirmed any more.
    """
    _still_open(due)
    there, standing = ledger.released(due.row["id"]), standings(store, due.row["alert"]).get(due.row["alert"])
    if there is None and standing and standing.ended:
        raise TransitionError(
            "duty.suspended", id=due.row["id"][:12], alert=due.row["alert"][:12], by=standing.ended[1], time=iso(standing.ended[0])[:16].replace("T", " ")
        )
    told = form(store, due, unit, language)
    if missing := [each.id for each in due.duty.required if not told[each.id].strip()]:
        raise TransitionError("duty.missing", fields=", ".join(missing), id=due.row["id"][:12])
    grading = store.get("grading", due.row["alert"]) or {}
    document = {
        "type": "duty", "id": due.row["id"], "regime": due.duty.regime, "duty": due.duty.id, "agencies": list(due.duty.agencies),
        "verified": due.duty.verified, "unverified": list(due.duty.unverified), "alert": due.row["alert"],
        "level": grading.get("graded"), "class": grading.get("class"), "class_code_verified": False,
        "clock_started": iso(due.since) if due.since else None, "due": iso(due.due) if due.due else None, "language": language, "form": told,
        "titles": {each.id: getattr(each.title, language) for each in due.duty.fields}, "title": getattr(due.duty.title, language),
    }  # fmt: skip
    entry = there or ledger.release(key, document, files, by=name(by), time=iso(now))
    values = {"status": "released", "fields": _text(entry.body["document"]["form"]), "released": now, "receipt": str(entry.receipt)}
    store.change([_change("duty", due.row["id"], due.row, "release", by, values, "")])
    return str(entry.receipt)


def view(store: Store, agency: str, unit: str, language: str, now: int) -> list[dict[str, Any]]:
    """What one agency may see: the duties towards it alone, with the fields of their own forms alone; of people of the plant nothing.

    `case`: duties of one incident have the same; `doubted`: that this agency is told stands in no source that was checked.
    """
    told: list[dict[str, Any]] = []
    for due in all_due(store):
        if agency in due.duty.agencies and due.row["status"] != "waived":
            shown = form(store, due, unit, language) if due.row["status"] == "released" else {}
            head = {"duty": due.duty.id, "title": getattr(due.duty.title, language), "status": due.status, "due": iso(due.due) if due.due else None}
            contested = iso(due.ended[0]) if due.contested and due.ended else None
            left = due.left(now, language) if due.open else say(f"duty.status.{due.status}{'_late' if due.overdue(now) else ''}", language)
            clock = {"left": left, "overdue": due.overdue(now), "contested": contested}
            law = {"basis": due.duty.basis(language), "doubted": agency in due.duty.unverified}
            titles = {each.id: getattr(each.title, language) for each in due.duty.fields}
            told.append({**head, "case": due.row["alert"][:CASE], "receipt": due.row["receipt"], **clock, **law, "form": shown, "titles": titles})
    return told


def _still_open(due: Due) -> None:
    if due.row["status"] != "open":
        raise TransitionError(f"duty.{due.row['status']}", id=due.row["id"][:12])


def _change(table: str, identity: str, stored: Row | None, action: str, by: str, values: Row, note: str) -> Change:
    if not name(by):
        raise UsageError("life.nobody")
    if len(note) > LONGEST:
        raise UsageError("life.long_note", length=len(note), limit=LONGEST)
    return Change(table, identity, stored["revision"] if stored else None, action, name(by), values, note.strip())


def _id(alert: str, duty: str) -> str:
    return blake2b(f"{alert}|{duty}".encode(), digest_size=10).hexdigest()


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _json(text: Any) -> dict[str, Any]:
    return dict(json.loads(text)) if isinstance(text, str) else dict(text or {})
