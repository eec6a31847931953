"""A report as a workbook: a sheet for the first page and one for each chapter. Texts are written as texts: none of them is ever a formula or a link."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from records.formats import number
from records.visible import clean

if TYPE_CHECKING:
    from reports.blocks import Cell, Printed, Table

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of the file, so that the same report is the same file
WIDTHS: Final = (44, 26, 22, 22, 22, 22, 18)
LONGEST: Final = 32_000  # letters that a cell holds
_OPTIONS: Final = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def workbook(shown: Printed) -> bytes:
    """The file's octets. Raises ImportError where XlsxWriter is not installed."""
    import xlsxwriter  # pyright: ignore[reportMissingTypeStubs]

    kept = io.BytesIO()
    book: Any = xlsxwriter.Workbook(kept, _OPTIONS)
    book.set_properties({"title": shown.front.title, "comments": shown.identity, "created": EPOCH.replace(tzinfo=None)})
    formats = {
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        "title": book.add_format({"bold": True, "font_size": 14}),
        "sub": book.add_format({"bold": True}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "number": book.add_format({"align": "right", "valign": "top", "num_format": "#,##0.##"}),
        "said": book.add_format({"align": "right", "valign": "top"}),
    }
    _front(book, shown, formats)
    for place, section in enumerate(shown.sections, 1):
        sheet = _Sheet(book, f"{place} {section.title}", formats)
        sheet.line(section.title, "title")
        for text in filter(None, (section.note, *section.texts)):
            sheet.line(text)
        for table in section.tables:
            sheet.table(table)
    book.close()
    return kept.getvalue()


def _front(book: Any, shown: Printed, formats: dict[str, Any]) -> None:
    front = shown.front
    sheet = _Sheet(book, front.title, formats)
    sheet.line(front.title, "title")
    for text in filter(None, (front.place, front.when, front.note, front.tag, front.sentence, front.beside)):
        sheet.line(text)
    sheet.skip()
    if front.bars:
        sheet.row([front.index_label, float(front.index)])
        sheet.line(front.interval)
        sheet.line(front.bars_title, "sub")
        for bar in front.bars:
            sheet.row([bar.label, bar.points, f"/ {bar.most}", bar.reason])
        sheet.skip()
    for fact in front.facts:
        sheet.row([fact.label, fact.value, fact.of])
    sheet.table(front.compared)
    sheet.skip()
    sheet.line(front.unseen_title, "sub")
    for text in front.unseen:
        sheet.line(text)


class _Sheet:
    """A sheet that is filled from the top."""

    def __init__(self, book: Any, name: str, formats: dict[str, Any]) -> None:
        kept = "".join(letter for letter in name if letter not in "[]:*?/\\'")[:31]
        self._sheet: Any = book.add_worksheet(kept)
        self._formats, self._at = formats, 0
        for column, width in enumerate(WIDTHS):
            self._sheet.set_column(column, column, width)

    def line(self, text: str, kind: str = "") -> None:
        """A line of its own; a long one runs over the columns beside it."""
        self._sheet.write_string(self._at, 0, _kept(text), self._formats.get(kind))
        self._at += 1

    def skip(self) -> None:
        """An empty line."""
        self._at += 1

    def row(self, values: list[str | float]) -> None:
        """Texts and numbers."""
        for column, value in enumerate(values):
            if isinstance(value, str):
                self._sheet.write_string(self._at, column, _kept(value), self._formats["text"])
            else:
                self._sheet.write_number(self._at, column, value, self._formats["number"])
        self._at += 1

    def table(self, table: Table) -> None:
        """A table under its title; `3 of 18` stays a text, for both numbers count."""
        self.skip()
        self.line(" – ".join(filter(None, (table.title, table.note))), "sub")
        if not table.rows:
            self.line(table.empty)
            return
        for column, name in enumerate(table.head):
            self._sheet.write_string(self._at, column, _kept(name), self._formats["head"])
        self._at += 1
        for row in table.rows:
            for column, cell in enumerate(row):
                self._cell(column, cell)
            self._at += 1

    def _cell(self, column: int, cell: Cell) -> None:
        plain = cell.value is not None and cell.text in {number(cell.value), f"{cell.value:.1f}"}
        if plain:
            self._sheet.write_number(self._at, column, cell.value, self._formats["number"])
        else:
            self._sheet.write_string(self._at, column, _kept(cell.text), self._formats["said" if cell.kind == "number" else "text"])


def _kept(text: str) -> str:
    return clean(text)[:LONGEST]
