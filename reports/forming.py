"""The form of a duty: what the alert knows, what people wrote, and what was released. Of what a person has to say the alert only suggests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST
from records.errors import UsageError
from records.formats import Clock
from records.query import Query, Terms
from records.search import Match
from records.wording import say
from reports.dutybook import YEAR, class_named
from reports.dutyrows import written, year_of
from reports.everything import every_row
from reports.periods import zone_of
from reports.standing import standings
from reports.supplementing import told_before

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.store.contract import Store
    from reports.obliging import Due

ASSETS: Final = 20  # that a form names, of many
PEERS: Final = 20  # pairs of addresses
PAIRS: Final = 10_000  # that are looked at
NOTES: Final = 10  # the last


@dataclass(frozen=True, slots=True)
class Unit:
    """Who reports: its name, its language, and the zone of the clock that it tells times by."""

    name: str
    language: str
    zone: str = "UTC"

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return Clock(zone_of(self.zone), self.language)


def form(store: Store, due: Due, unit: Unit) -> dict[str, str]:
    """The form of a duty: the level and class as decided, what people filled in, else what the alert knows, else nothing; once released, what was released.

    What was told before is not said again in a supplement, unless somebody writes it anew.
    """
    filled = written(due.row)
    if due.row["status"] == "released":
        return filled
    known = _prefilled(store, due, unit)
    return {each.id: (not each.decided and filled.get(each.id)) or ("" if each.person else known[each.id]) for each in due.duty.fields}


def suggestions(store: Store, due: Due, unit: Unit) -> dict[str, str]:
    """What the alert suggests for fields of a person that nobody wrote into: nothing of it counts until somebody takes it over (`obliging.fill`)."""
    filled = written(due.row)
    if not due.open:
        return {}
    known = _prefilled(store, due, unit)
    return {each.id: known[each.id] for each in due.duty.fields if each.person and known[each.id] and not filled.get(each.id)}


def taken_over(store: Store, due: Due, unit: Unit, fields: Iterable[str]) -> dict[str, str]:
    """What the alert suggests for these fields, as values to be filled in. Raises UsageError for one of which it suggests nothing."""
    known = suggestions(store, due, unit)
    if wrong := [each for each in fields if each not in known]:
        raise UsageError("duty.no_suggestion", field=", ".join(wrong), known=", ".join(known) or "–")
    return {each: known[each] for each in fields}


def _prefilled(store: Store, due: Due, unit: Unit) -> dict[str, str]:
    facts = _facts(store, due, unit)
    before = told_before(store, due) if due.duty.supplements else {}
    return {
        each.id: "" if before.get(each.id) and not each.decided else _fitting("\n".join(facts[source] for source in each.sources if facts.get(source)))
        for each in due.duty.fields
    }


def _fitting(text: str) -> str:
    """What a field holds of a text, which says so where it goes on."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _facts(store: Store, due: Due, unit: Unit) -> dict[str, str]:
    clock, language = unit.clock, unit.language
    alert = store.get("alert", due.row["alert"]) or {}
    grading = store.get("grading", due.row["alert"]) or {}
    finding = store.get("finding", next(iter(alert.get("findings") or ()), "")) or {}
    names: list[str] = list(alert.get("assets") or ())
    assets = [str((store.get("asset", each) or {}).get("name") or each) for each in names[:ASSETS]]
    said = every_row(store, "audit", f"table:alert AND note:* AND subject:{due.row['alert']}") if due.row["alert"] else []
    notes = [f"{clock.stamp(row['time'])} {row['note']}" for row in said]  # not who said it: agencies are told nothing of people of the plant
    return {
        "unit": unit.name, "site": str(finding.get("observer.site") or ""),
        "first": say("duty.first", language, time=clock.stamp(alert["first"])) if alert else "",
        "confirmed": say("duty.confirmed", language, time=clock.stamp(due.row["confirmed"])),
        "class": class_named(str(grading.get("class", "")), language),
        "level": say(f"duty.level.{grading['graded']}", language) if grading else "",
        "assets": ", ".join([*assets, *_more(len(names) - len(assets), language)]),
        "notes": "\n".join([*_more(len(notes) - NOTES, language), *notes[-NOTES:]]),
        "title": str(alert.get(f"title.{language}") or ""), "reason": str(alert.get(f"reason.{language}") or ""),
        "peers": _peers(store, due, language), "techniques": ", ".join(alert.get("techniques") or ()),
        "year": str(due.year), "incidents": _incidents(store, due, unit) if due.duty.start == YEAR else "",
        "evidence": say("duty.evidence", language, id=finding["id"]) if finding and store.get("evidence", finding["id"]) else "",
    }  # fmt: skip


def _more(count: int, language: str) -> list[str]:
    """How many are left out, where some are."""
    return [say("duty.more", language, count=count)] if count > 0 else []


def _peers(store: Store, due: Due, language: str) -> str:
    """From which address to which, of all findings of the alert, the most frequent first."""
    if not due.row["alert"]:
        return ""
    found = store.terms("finding", Query(where=Match("alert", due.row["alert"], cased=True)), Terms(("source.ip", "destination.ip"), PAIRS)).to_pylist()
    totals = Counter[str]()
    for row in found:
        totals[" → ".join(str(each) for each in (row["source.ip"], row["destination.ip"]) if each)] += int(row["total"])
    pairs = sorted(filter(None, totals), key=lambda pair: (-totals[pair], pair))
    return ", ".join([*pairs[:PEERS], *_more(len(pairs) - PEERS, language)])


def _incidents(store: Store, due: Due, unit: Unit) -> str:
    """The incidents of its year that a yearly report tells of, a line each, and how many it does not, since their alerts are not confirmed any more."""
    gradings = sorted(every_row(store, "grading"), key=lambda row: (row["confirmed"], row["id"]))
    found = [row for row in gradings if due.duty.applies(row["graded"], row["class"], row["operator"]) and year_of(row["confirmed"]) == due.year]
    ended = {alert for alert, told in standings(store).items() if told.ended}
    told = [_incident(store, row, unit) for row in found if row["id"] not in ended]
    last = [say("duty.withdrawn", unit.language, year=due.year, count=len(found) - len(told))] if len(found) > len(told) else []
    shown = told if told or last else [say("duty.no_incident", unit.language, year=due.year)]
    while len("\n".join([*shown, *last])) > LONGEST:  # a field holds no more; what does not fit is said, never cut unseen
        shown = [*shown[: (len(shown) - 1) * 3 // 4], say("duty.more", unit.language, count=len(told) - (len(shown) - 1) * 3 // 4)]
    return "\n".join([*shown, *last])


def _incident(store: Store, grading: dict[str, Any], unit: Unit) -> str:
    clock, language = unit.clock, unit.language
    alert = store.get("alert", grading["id"]) or {}
    handled = say("duty.handled", language, time=clock.stamp(grading["handled"])) if grading["handled"] else say("duty.unhandled", language)
    words = {"title": alert.get(f"title.{language}") or grading["id"], "what": class_named(grading["class"], language), "handled": handled}
    words |= {"level": say(f"duty.level.{grading['graded']}", language), "confirmed": clock.stamp(grading["confirmed"])}
    return say("duty.incident", language, **words)
