"""Warnings and forms, each a JSON document, as files: of every form and language, named by what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reports.kept import write
from reports.printing import MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FORMATS: Final = ("html", "pdf", "json")
PAGES: Final = ("html", "pdf")  # the document itself is in the entry


def write_pages(
    told: dict[str, Any],
    folder: Path,
    forms: Iterable[str],
    languages: Iterable[str],
    missing: Callable[[MissingError], None],
    *,
    rendered: Callable[[dict[str, Any], str, str, bool], bytes],
    draft: bool = False,
) -> list[Path]:
    """Print it into a folder, as a `draft` until it is signed; `missing` is told what cannot be printed here, and the rest is."""
    made: list[Path] = []
    for form in dict.fromkeys(forms):
        try:
            for language in ("",) if form == "json" else tuple(languages):
                name = ".".join(filter(None, (str(told["type"]), str(told["id"]), language, form)))
                made.append(write(folder, name, rendered(told, form, language, draft)))
        except MissingError as error:
            missing(error)
    return made
