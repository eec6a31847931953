"""A spreadsheet as headings and rows of text: CSV in the encodings that plants have, XLSX, XLS and ODS. Nothing in it is carried out."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from records.errors import UsageError

Line = tuple[int, tuple[str, ...]]
PROGRAM: Final = Path(__file__).with_name("workbook.py")
GUESSED: Final = "gb18030"
MOST_OCTETS: Final = 64 << 20
MOST_MEMORY: Final = 2048  # MiB of who reads a workbook
MOST_SECONDS: Final = 120
MOST_UNPACKED: Final = 1 << 30
MOST_ROWS: Final = 500_000
MOST_COLUMNS: Final = 256
MOST_TEXT: Final = 1000  # characters of a cell …
MOST_TEXTS: Final = 32 << 20  # … and of a workbook's sheet, each cell counted as one more
BOOKS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows`: the number that the spreadsheet shows, and the cells; as many as there are headings.

    `others`: names of sheets that are not read. `encoding`: of text that is no Unicode, as guessed. `surplus`: rows with cells beyond the last heading.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    others: tuple[str, ...] = ()
    encoding: str | None = None
    surplus: tuple[int, ...] = ()


def read_sheet(file: Path) -> Sheet:
    """The first sheet of a file; its first row with anything in it has the headings. Raises UsageError naming the file and what to do."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    if size > MOST_OCTETS:
        raise UsageError("import.large", file=file, most=f"{MOST_OCTETS >> 20} MiB")
    others: tuple[str, ...] = ()
    encoding: str | None = None
    if file.suffix.casefold() in BOOKS:
        lines, others = _book(file)
    else:
        lines, encoding = _text(file)
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise UsageError("import.empty", file=file)
    headings, *rows = filled
    if len(rows) > MOST_ROWS or len(headings[1]) > MOST_COLUMNS:
        raise UsageError("import.large", file=file, most=f"{MOST_ROWS:,} × {MOST_COLUMNS}")
    width = len(headings[1])
    surplus = tuple(number for number, cells in rows if any(cells[width:]))
    return Sheet(headings[1], tuple((number, (*cells, *[""] * width)[:width]) for number, cells in rows), others, encoding, surplus)


def _text(file: Path) -> tuple[list[Line], str | None]:
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    text, encoding = _decoded(octets, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return [(reader.line_num, tuple(cell.strip()[:MOST_TEXT] for cell in cells[: MOST_COLUMNS + 1])) for cells in reader], encoding
    except csv.Error as error:
        raise UsageError("import.broken", file=file, reason=f"{reader.line_num}: {error}") from None


def _decoded(octets: bytes, file: Path) -> tuple[str, str | None]:
    """Text of UTF-8, UTF-16 with its mark, or GB 18030, which spreadsheet programs in China write; the last is a guess, and named."""
    encodings = [encoding for mark, encoding in _MARKS if octets.startswith(mark)] or ["utf-8", GUESSED]
    for encoding in encodings:
        try:
            return octets.decode(encoding), "GB 18030" if encoding == GUESSED else None
        except UnicodeDecodeError:
            continue
    raise UsageError("import.encoding", file=file)


def _delimiter(text: str) -> str:
    """What stands most often in the first line with anything in it."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _book(file: Path) -> tuple[list[Line], tuple[str, ...]]:
    """The rows of the first sheet, and the names of the others."""
    if zipfile.is_zipfile(file):
        try:
            with zipfile.ZipFile(file) as packed:
                unpacked = sum(entry.file_size for entry in packed.infolist())
        except (zipfile.BadZipFile, OSError) as error:
            raise UsageError("import.broken", file=file, reason=error) from None
        if unpacked > MOST_UNPACKED:
            raise UsageError("import.large", file=file, most=f"{MOST_UNPACKED >> 20} MiB")
    limits = (MOST_MEMORY, MOST_SECONDS, MOST_ROWS + 2, MOST_COLUMNS + 1, MOST_TEXT, MOST_TEXTS)
    done = subprocess.run([sys.executable, "-P", str(PROGRAM), str(file.absolute()), *map(str, limits)], capture_output=True, check=False)  # noqa: S603 - ours
    said: list[Any] = [json.loads(line) for line in done.stdout.splitlines() if line.endswith((b"]", b"}"))]
    if said and "error" in said[-1]:
        raise UsageError("import.broken", file=file, reason=said[-1]["error"])
    if not said or "end" not in said[-1]:  # it was ended: by its limits
        raise UsageError("import.large", file=file, most=f"{MOST_ROWS:,} × {MOST_COLUMNS}")
    return [(number, tuple(cells)) for number, cells in said[1:-1]], tuple(said[0]["sheets"][1:])
