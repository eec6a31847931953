"""The form of a duty as agencies get it: one JSON document in the language that a person chose, printed as HTML and PDF from it alone, signed into the ledger
as reports are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from records.formats import Clock
from records.nesting import iso
from records.visible import unsteered
from records.wording import say
from reports import canonical, requesting
from reports.forming import Unit, form
from reports.pages import write_pages as write
from reports.periods import zone_of
from reports.printing import page_of, pdf
from reports.supplementing import added
from reports.words import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from records.store.contract import Store
    from reports.obliging import Due
    from reports.printing import MissingError

Row = dict[str, Any]
BANDS: Final = {"extraordinary": "critical", "major": "high", "considerable": "medium"}  # of a page, by the level of the incident
WORDS: Final = ("draft", "to", "from", "by", "case", "level", "started", "due", "field", "content", "adds", "unconfirmed")


def document(store: Store, due: Due, unit: str, language: str, zone: str) -> Row:
    """What is signed and printed of a form as it stands. `unit` reports; its times are printed by the clock of `zone`. Raises TransitionError for a supplement
    that says nothing new.
    """
    grading = store.get("grading", due.row["alert"]) or {}
    filled = form(store, due, Unit(unit, language, zone))
    told: Row = {
        "type": "duty", "id": due.row["id"], "regime": due.duty.regime, "duty": due.duty.id, "agencies": list(due.duty.agencies),
        "verified": due.duty.verified, "unverified": list(due.duty.unverified), "alert": due.row["alert"], "case": due.case,
        "level": grading.get("graded"), "class": grading.get("class"), "class_code_verified": False,
        "clock_started": iso(due.since) if due.since else None, "due": iso(due.due) if due.due else None,
        "language": language, "zone": zone, "unit": unit, "receivers": due.duty.told(language), "basis": due.duty.origin(language),
        "form": {field: unsteered(text) for field, text in filled.items()}, "fields": [each.id for each in due.duty.fields],
        "titles": {each.id: getattr(each.title, language) for each in due.duty.fields}, "title": getattr(due.duty.title, language),
    }  # fmt: skip
    if due.duty.supplements:
        told |= added(store, due, told["form"]) | {"unconfirmed_since": iso(due.ended[0]) if due.ended else None}
    return told


def seal(told: Row) -> str:
    """What stands for a form where its release is asked for: all of the document that is to be signed."""
    return requesting.digest(told)


def rendered(told: Row, form: str, language: str = "", draft: bool = False) -> bytes:
    """One form of it, in the language that it was written in; on pages of what is not signed yet (`draft`) that is said. Raises MissingError where a package
    is not there that it takes.
    """
    del language
    if form == "json":
        return canonical.written(dict(told))
    spoken = str(told["language"])
    clock = Clock(zone_of(str(told.get("zone") or "UTC")), spoken)
    order = [each for each in told.get("fields", ()) if each in told["form"]]
    fields = [(told["titles"].get(each, each), told["form"][each]) for each in dict.fromkeys((*order, *told["form"]))]
    times = {name: clock.moment(nanoseconds(told[name])) if told.get(name) else "–" for name in ("clock_started", "due", "unconfirmed_since")}
    shown = page_of("duty.html.j2", told=told, words={each: say(f"duty.page.{each}", spoken) for each in WORDS}, draft=draft, language=spoken, fields=fields,
                    times=times, band=BANDS.get(str(told["level"]), "low"), level=say(f"duty.level.{told['level']}", spoken) if told["level"] else "–",
                    receivers=told.get("receivers") or ", ".join(say(f"agency.{each}", spoken) for each in told["agencies"]))  # fmt: skip
    return pdf(shown) if form == "pdf" else shown.encode()


def write_pages(told: Row, folder: Path, forms: Iterable[str], missing: Callable[[MissingError], None], *, draft: bool = False) -> list[Path]:
    """Print it into a folder, in its language."""
    return write(told, folder, forms, (str(told["language"]),), missing, rendered=rendered, draft=draft)
