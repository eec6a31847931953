"""What one agency may see of the duties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from records.nesting import iso
from records.wording import say
from reports.dutybook import duties
from reports.forming import Unit, form
from reports.obliging import all_due

if TYPE_CHECKING:
    from records.store.contract import Store


def view(store: Store, agency: str, unit: str, language: str, now: int) -> list[dict[str, Any]]:
    """What one agency may see: the duties towards it alone, with the fields of their own forms alone; of people of the plant nothing.

    `case`: duties of one incident have the same; `doubted`: that this agency is told stands in no source that was checked.
    """
    told: list[dict[str, Any]] = []
    for due in all_due(store):
        if agency in due.duty.agencies and due.row["status"] != "waived":
            said = form(store, due, Unit(unit, language)) if due.row["status"] == "released" else {}
            shown = {each.id: said.pop(each.id) for each in due.duty.fields if each.id in said} | said  # in the law's order; last what its form asks no more
            head = {
                "id": due.row["id"],
                "duty": due.duty.id,
                "title": getattr(due.duty.title, language),
                "status": due.status,
                "due": iso(due.due) if due.due else None,
            }
            why, since = due.contested[:2] if due.contested else (None, None)
            left = due.left(now, language) if due.open else say(f"duty.status.{due.status}{'_late' if due.overdue(now) else ''}", language)
            clock = {"left": left, "overdue": due.overdue(now), "contested": iso(since) if since else None, "contested_why": why}
            law = {"basis": due.duty.basis(language), "doubted": agency in due.duty.unverified}
            titles = {each.id: getattr(each.title, language) for each in due.duty.fields}
            told.append({**head, "case": due.case, "receipt": due.row["receipt"], **clock, **law, "form": shown, "titles": titles})
    return told


def nothing(agency: str, language: str) -> str:
    """What is said where there is no duty towards an agency: none just now, or none that is known at all."""
    known = any(agency in each.agencies for each in duties())
    return say("duty.none_towards" if known else "duty.unknown_towards", language, agency=say(f"agency.{agency}", language))
