"""A document as pages: the sections in one language, then HTML, PDF, a spreadsheet or JSON. The same document gives the same bytes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError
from reports.blocks import Printed
from reports.details import sections
from reports.front import front, place
from reports.periods import zone_of
from reports.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS: Final = ("html", "pdf", "xlsx", "json")
_TEMPLATES: Final = "reports.templates"


class MissingError(UsageError):
    """A package is not installed that this form takes: nothing is wrong with what was asked."""

    status = 1


def printed(told: Mapping[str, Any], language: str) -> Printed:
    """What the printed forms show."""
    words = Words(language, zone_of(str(told["zone"])))
    first = front(told, words)
    foot = words.say("foot", title=first.title, place=place(told, words, 1), when=first.when, id=told["id"])
    return Printed(language, str(told["id"]), foot, first, sections(told, words))


def rendered(told: Mapping[str, Any], form: str, language: str) -> bytes:
    """One form of it. Raises MissingError where a package is not there that it takes."""
    if form == "json":
        from reports import canonical

        return canonical.written(dict(told))
    shown = printed(told, language)
    if form == "xlsx":
        from reports.sheets import workbook

        try:
            return workbook(shown)
        except ImportError as error:
            raise MissingError("report.xlsxwriter", problem=error) from error
    page = html(shown)
    return pdf(page) if form == "pdf" else page.encode()


def html(shown: Printed) -> str:
    """One file with all that it needs."""
    return page_of("report.html.j2", report=shown)


def page_of(template: str, **values: Any) -> str:
    """A page of a template of ours and its style. Whatever was stored is escaped, and a browser is told to load and run nothing."""
    from markupsafe import Markup

    css = files(_TEMPLATES).joinpath("report.css").read_text("utf-8")
    return _template(template).render(css=Markup(css), **values)  # noqa: S704 - ours


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    return environment.from_string(files(_TEMPLATES).joinpath(name).read_text("utf-8"))


def pdf(page: str) -> bytes:
    """The page on paper; nothing is fetched for it."""
    try:
        from weasyprint import HTML  # pyright: ignore[reportMissingTypeStubs]
        from weasyprint.urls import URLFetcher  # pyright: ignore[reportMissingTypeStubs]
    except (ImportError, OSError) as error:  # its libraries (Pango) are those of the system
        raise MissingError("report.weasyprint", problem=error) from error
    nothing: Any = URLFetcher(allowed_protocols=(), allow_redirects=False)
    made: Any = HTML(string=page, url_fetcher=nothing)
    return made.write_pdf(pdf_identifier=b"", custom_metadata=False)
