"""A warning as its receiver gets it: one JSON document, printed as HTML and PDF from it alone, signed into the ledger as reports are. What happens to it
later (signed for, handled …) stands in the store, not in what was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from records.formats import Clock
from records.nesting import iso
from records.visible import unsteered
from records.wording import say
from reports import canonical, requesting, warned
from reports.everything import every_row
from reports.pages import write_pages as write
from reports.periods import zone_of
from reports.printing import page_of, pdf
from reports.words import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from records.store.contract import Store
    from reports.keys import Key
    from reports.ledger import Entry, Ledger
    from reports.printing import MissingError

Row = dict[str, Any]
LEVELS: Final = {"red": "critical", "orange": "high", "yellow": "medium", "blue": "low"}  # the band of a page, as of a severity


def document(store: Store, row: Row, unit: str, zone: str) -> Row:
    """What is signed and printed of a warning, as it was issued. `unit` issues it; its times are printed by the clock of `zone`."""
    titles = warned.titles(store, [row])[row["id"]]
    why = [{"en": unsteered(en), "zh": unsteered(zh)} for en, zh in zip(*(warned.reasons(row, each) for each in ("en", "zh")), strict=True)]
    due = {step: iso(row["issued"] + warned.due_after(row["colour"], place)) for place, step in enumerate(warned.STEPS[1:])}
    head: Row = {"type": "warning", **{name: unsteered(row[name]) for name in ("id", "title", "colour", "receiver", "alert")}}
    head["titles"] = {"en": unsteered(titles.en), "zh": unsteered(titles.zh)}
    by = next((str(each["by"]) for each in every_row(store, "audit", f'table:warning AND action:issue AND subject:"{row["id"]}"')), "")
    return {**head, "reasons": why, "issued": iso(row["issued"]), "by": by, "due": due, "unit": unit, "zone": zone}


def seal(told: Row) -> str:
    """What stands for a warning where its release is asked for: all of the document that is to be signed."""
    return requesting.digest(told)


def rendered(told: Row, form: str, language: str, draft: bool = False) -> bytes:
    """One form of it; on pages of what is not signed yet (`draft`) that is said. Raises MissingError where a package is not there that it takes."""
    if form == "json":
        return canonical.written(dict(told))
    clock = Clock(zone_of(str(told["zone"])), language)
    steps = [
        (say(f"warning.step.{step}", language), clock.moment(nanoseconds(told["due"][step]))) for step in warned.STEPS[1:]
    ]  # a signed document is in order of names
    words = {key: say(f"warning.page.{key}", language) for key in ("document", "draft", "to", "from", "by", "why", "steps", "step", "due", "ours", "alert")}
    shown = page_of("warning.html.j2", told=told, words=words, draft=draft, language=language, level=LEVELS[told["colour"]], steps=steps,
                    colour=say(f"warning.colour.{told['colour']}", language), issued=clock.moment(nanoseconds(told["issued"])))  # fmt: skip
    return pdf(shown) if form == "pdf" else shown.encode()


def write_pages(
    told: Row, folder: Path, forms: Iterable[str], languages: Iterable[str], missing: Callable[[MissingError], None], *, draft: bool = False
) -> list[Path]:
    """Print it into a folder, in these languages."""
    return write(told, folder, forms, languages, missing, rendered=rendered, draft=draft)


def release(ledger: Ledger, key: Callable[[], Key], told: Row, pages: Callable[[], list[Path]], by: Callable[[], str], now: int) -> Entry:
    """Put it at the end of the ledger with its pages, once: what is there already stays as it is, and nothing is printed for it. Raises what
    `Ledger.release` does.
    """
    return ledger.released(str(told["id"])) or ledger.release(key(), told, pages(), by=by(), time=iso(now), kind="warning")
