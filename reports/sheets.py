"""A report as a workbook: a sheet for the first page and one for each chapter. Texts are written as texts: none of them is ever a formula or a link. A number
that is said with what it is out of (`3 of 18`) is a number, 3, whose format says the rest.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from records.visible import clean

if TYPE_CHECKING:
    from reports.blocks import Cell, Printed, Table

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of the file, so that the same report is the same file
WIDTHS: Final = (44, 26, 22, 22, 22, 22, 18)
LONGEST: Final = 32_000  # letters that a cell holds
NAME: Final = 31  # letters that the name of a sheet has
FORMATS: Final = 150  # formats of numbers; spreadsheets know some 200. What is said in yet another way stays a text
DAY: Final = 86_400  # seconds of what spreadsheets reckon time in
UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_SIZE: Final = re.compile(r"[0-9,]+(\.[0-9])?(?= (B|kB|MB|GB|TB)\b)(.*)")
_FIGURE: Final = re.compile(r"([0-9,]+)(\.[0-9])?(.*)")
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
        "said": book.add_format({"align": "right", "valign": "top"}),
    }
    _front(book, shown, formats)
    for place, section in enumerate(shown.sections, 1):
        sheet = _Sheet(book, f"{place} {section.title}", formats)
        sheet.line(shown.front.beside)  # a sheet is copied out of its book: its numbers keep what they hold for
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
    sheet.line(front.beside)
    sheet.line(front.title, "title")
    for text in filter(None, (front.place, front.when, front.note, front.tag, front.sentence)):
        sheet.line(text)
    sheet.skip()
    if front.bars:
        sheet.row([front.index_label, float(front.index)])
        sheet.line(front.interval)
        sheet.line(front.bars_title, "sub")
        for bar in front.bars:
            sheet.row([bar.label, float(bar.points), f"/ {bar.most}", bar.reason])
        sheet.skip()
    for fact in front.facts:
        sheet.row([fact.label, int(fact.value.replace(",", "")) if fact.value.replace(",", "").isdecimal() else fact.value, fact.of])
    sheet.table(front.compared)
    sheet.skip()
    sheet.line(front.unseen_title, "sub")
    for text in front.unseen:
        sheet.line(text)


class _Sheet:
    """A sheet that is filled from the top."""

    def __init__(self, book: Any, name: str, formats: dict[str, Any]) -> None:
        kept = "".join(letter for letter in name if letter not in "[]:*?/\\'")
        whole = kept if len(kept) <= NAME else f"{kept[: NAME - 1].rpartition(' ')[0] or kept[: NAME - 1]}…"
        self._book, self._sheet = book, book.add_worksheet(whole)
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
                self._number(column, value, ".0" if isinstance(value, float) else "")
        self._at += 1

    def table(self, table: Table) -> None:
        """A table under its title."""
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
        if cell.unit and cell.value is not None and self._measure(column, cell):
            return
        figure = _FIGURE.fullmatch(cell.text) if cell.value is not None and cell.kind == "number" else None
        said = float(figure[1].replace(",", "") + (figure[2] or "")) if figure else None
        if figure is None or said is None or abs(said - (cell.value or 0)) >= 0.1 or not self._number(column, said, ".0" if figure[2] else "", figure[3]):
            self._sheet.write_string(self._at, column, _kept(cell.text), self._formats["said" if cell.kind == "number" else "text"])

    def _measure(self, column: int, cell: Cell) -> bool:
        """Write a duration as one, and bytes in the unit that the page says; whether there is a format left for that."""
        value = cell.value or 0
        if cell.unit == "seconds":
            return self._formatted(column, value / DAY, "[h]:mm:ss", cell.behind)
        figure = _SIZE.fullmatch(cell.text)
        return figure is not None and self._formatted(column, value, f"#,##0{'.0' if figure[1] else ''}{',' * UNITS.index(figure[2])}", figure[3])

    def _number(self, column: int, value: float, decimals: str, behind: str = "") -> bool:
        """Write it as it is said: shares stay cut, and what it is out of stands behind it; whether there is a format left for that."""
        return self._formatted(column, value, f"#,##0{decimals}", behind)

    def _formatted(self, column: int, value: float, figures: str, behind: str) -> bool:
        told = figures + (f'"{behind}"' if behind else "")
        if told not in self._formats:
            if len(self._formats) >= FORMATS or '"' in behind:
                return False
            self._formats[told] = self._book.add_format({"align": "right", "valign": "top", "num_format": told})
        self._sheet.write_number(self._at, column, value, self._formats[told])
        return True


def _kept(text: str) -> str:
    return clean(text)[:LONGEST]
