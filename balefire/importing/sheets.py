"""A spreadsheet as headings and rows of text: CSV in the encodings that plants have, XLSX, XLS and ODS. Nothing in it is carried out."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

MOST_OCTETS: Final = 64 << 20
MOST_UNPACKED: Final = 1 << 30
MOST_ROWS: Final = 500_000
MOST_COLUMNS: Final = 256
MOST_TEXT: Final = 1000  # characters of a cell
BOOKS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows`: the number that the spreadsheet shows, and the cells; as many as there are headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_sheet(file: Path) -> Sheet:
    """The first sheet of a file; its first row with anything in it has the headings. Raises UsageError naming the file and what to do."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    if size > MOST_OCTETS:
        raise UsageError("import.large", file=file, most=f"{MOST_OCTETS >> 20} MiB")
    lines = _book(file) if file.suffix.casefold() in BOOKS else _text(file)
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise UsageError("import.empty", file=file)
    headings, *rows = filled
    if len(rows) > MOST_ROWS or len(headings[1]) > MOST_COLUMNS:
        raise UsageError("import.large", file=file, most=f"{MOST_ROWS:,} × {MOST_COLUMNS}")
    width = len(headings[1])
    return Sheet(headings[1], tuple((number, (*cells, *[""] * width)[:width]) for number, cells in rows))


def _text(file: Path) -> list[tuple[int, tuple[str, ...]]]:
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    text = _decoded(octets, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        return [(reader.line_num, tuple(cell.strip()[:MOST_TEXT] for cell in cells[: MOST_COLUMNS + 1])) for cells in reader]
    except csv.Error as error:
        raise UsageError("import.broken", file=file, reason=f"{reader.line_num}: {error}") from None


def _decoded(octets: bytes, file: Path) -> str:
    """Text of UTF-8, UTF-16 with its mark, or GB 18030, which spreadsheet programs in China write."""
    encodings = [encoding for mark, encoding in _MARKS if octets.startswith(mark)] or ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            return octets.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UsageError("import.encoding", file=file)


def _delimiter(text: str) -> str:
    """What stands most often in the first line with anything in it."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _book(file: Path) -> list[tuple[int, tuple[str, ...]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    if zipfile.is_zipfile(file):
        try:
            with zipfile.ZipFile(file) as packed:
                unpacked = sum(entry.file_size for entry in packed.infolist())
        except (zipfile.BadZipFile, OSError) as error:
            raise UsageError("import.broken", file=file, reason=error) from None
        if unpacked > MOST_UNPACKED:
            raise UsageError("import.large", file=file, most=f"{MOST_UNPACKED >> 20} MiB")
    try:
        opened: Any = CalamineWorkbook
        with opened.from_path(str(file)) as book:
            cells: list[list[Any]] = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError, IndexError) as error:
        raise UsageError("import.broken", file=file, reason=error) from None
    return [(number, tuple(_cell(value)[:MOST_TEXT] for value in row)) for number, row in enumerate(cells, 1)]


def _cell(value: Any) -> str:
    """A cell as text; a number without the decimal point that spreadsheets give to all of them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value).strip()
