"""The first sheet of a workbook as lines of JSON: a program of its own, started by `balefire.importing.sheets`, limited in time and memory.

    python -P workbook.py FILE MEBIBYTES SECONDS ROWS COLUMNS TEXT ALL

A sheet of a kilobyte may say that it has a cell in its last row and column; whoever reads it makes room for all cells before.
The value of merged cells belongs to each of them, in rows that have more than that: such a sheet shows one heading, or one device, for several.
A text that a thousand cells share stands in it once: TEXT characters of a cell are told, and ALL of the sheet, or it ends without an end.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from importlib import import_module
from typing import Any, Final

TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def cell(value: Any) -> str:
    """A cell as text; a number without the decimal point that spreadsheets give to all of them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value).strip()


def spans(file: str) -> list[Any]:
    """The merged cells of the first sheet of an OpenDocument, as ((first row, first column), (last row, last column)) from 0: calamine tells none of these."""
    etree: Any = import_module("lxml.etree")  # it has no types
    found: list[Any] = []
    row = column = 0
    with zipfile.ZipFile(file) as packed, packed.open("content.xml") as content:
        for _, element in etree.iterparse(content, tag=[TABLE + name for name in ("table", "table-row", "table-cell", "covered-table-cell")]):

            def told(name: str, element: Any = element) -> int:
                return int(element.get(TABLE + name) or 1)

            if element.tag == TABLE + "table":
                break
            if element.tag == TABLE + "table-row":
                row, column = row + told("number-rows-repeated"), 0
                element.clear()
                continue
            if (size := (told("number-rows-spanned"), told("number-columns-spanned"))) > (1, 1):
                found.append(((row, column), (row + size[0] - 1, column + size[1] - 1)))
            column += told("number-columns-repeated")
    return found


class Merged:
    """Merged cells: the value of the first belongs to all. Rows are asked for in order, from 0."""

    def __init__(self, ranges: Any) -> None:
        self._left: list[Any] = sorted(ranges or (), reverse=True)
        self._open: list[tuple[int, int, int, str]] = []  # last row, first and last column, value

    def filled(self, number: int, cells: list[str]) -> list[str]:
        """The cells of a row as they look."""
        self._open = [each for each in self._open if each[0] >= number]
        while self._left and self._left[-1][0][0] <= number:
            (top, first), (bottom, last) = self._left.pop()
            if top == number and first < len(cells):
                self._open.append((int(bottom), int(first), int(last), cells[int(first)]))
        if any(cells):
            for _, first, last, value in self._open:
                for column in range(first, min(last + 1, len(cells))):
                    cells[column] = cells[column] or value
        return cells


def main() -> None:
    """The names of the sheets, then the rows of the first one."""
    file, *limits = sys.argv[1:]
    mebibytes, seconds, rows, columns, text, left = map(int, limits)
    resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from python_calamine import CalamineError, CalamineWorkbook

    workbook: Any = CalamineWorkbook
    try:
        with workbook.from_path(file) as book:
            sys.stdout.write(json.dumps({"sheets": book.sheet_names}) + "\n")
            sheet = book.get_sheet_by_index(0)
            merged = Merged(spans(file) if file.casefold().endswith(".ods") else sheet.merged_cell_ranges)
            for number, row in enumerate(sheet.to_python(skip_empty_area=False, nrows=rows), 1):
                if any(cells := merged.filled(number - 1, [cell(value)[:text] for value in row[:columns]])):
                    left -= sum(map(len, cells)) + len(cells)
                    if left < 0:
                        return
                    sys.stdout.write(json.dumps([number, cells]) + "\n")
        sys.stdout.write(json.dumps({"end": None}) + "\n")
    except (CalamineError, OSError, IndexError, KeyError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")


if __name__ == "__main__":
    main()
