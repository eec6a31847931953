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
CHINESE, WESTERN = "gb18030", "cp1252"
NAMES: Final = {CHINESE: "GB 18030", WESTERN: "Windows-1252"}
COMMON: Final = 0.7  # share of the characters that are no ASCII, of a text that is Chinese
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

    `others`: names of sheets that are not read. `encoding`: of text that is no Unicode, as guessed or told. `surplus`: rows with cells beyond the last heading.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    others: tuple[str, ...] = ()
    encoding: str | None = None
    surplus: tuple[int, ...] = ()


def read_sheet(file: Path, encoding: str | None = None) -> Sheet:
    """The first sheet of a file; its first row with anything in it has the headings. `encoding`: of a text file, where somebody knows it. Raises UsageError
    naming the file and what to do."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    if size > MOST_OCTETS:
        raise UsageError("import.large", file=file, most=f"{MOST_OCTETS >> 20} MiB")
    others: tuple[str, ...] = ()
    if file.suffix.casefold() in BOOKS:
        if encoding:
            raise UsageError("import.no_text", file=file)
        lines, others = _book(file)
    else:
        lines, encoding = _text(file, encoding)
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise UsageError("import.empty", file=file)
    headings, *rows = filled
    if len(rows) > MOST_ROWS or len(headings[1]) > MOST_COLUMNS:
        raise UsageError("import.large", file=file, most=f"{MOST_ROWS:,} × {MOST_COLUMNS}")
    width = len(headings[1])
    surplus = tuple(number for number, cells in rows if any(cells[width:]))
    return Sheet(headings[1], tuple((number, (*cells, *[""] * width)[:width]) for number, cells in rows), others, encoding, surplus)


def _text(file: Path, told: str | None) -> tuple[list[Line], str | None]:
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise UsageError("import.unreadable", file=file, reason=error.strerror or error) from None
    text, encoding = _named(octets, told, file) if told else _decoded(octets, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return [(reader.line_num, tuple(cell.strip()[:MOST_TEXT] for cell in cells[: MOST_COLUMNS + 1])) for cells in reader], encoding
    except csv.Error as error:
        raise UsageError("import.broken", file=file, reason=f"{reader.line_num}: {error}") from None


def _named(octets: bytes, encoding: str, file: Path) -> tuple[str, str]:
    """Text in the encoding that somebody named."""
    try:
        return octets.decode(encoding), encoding
    except LookupError:
        raise UsageError("import.no_encoding", encoding=encoding) from None
    except UnicodeError as error:
        raise UsageError("import.other_encoding", file=file, encoding=encoding, at=getattr(error, "start", 0) + 1) from None


def _decoded(octets: bytes, file: Path) -> tuple[str, str | None]:
    """Text of UTF-8, of UTF-16 with its mark, else of what spreadsheet programs write in China, where it is plausibly Chinese, or in the West. That is a
    guess, and named."""
    for encoding in [encoding for mark, encoding in _MARKS if octets.startswith(mark)] or ["utf-8", CHINESE, WESTERN]:
        try:
            text = octets.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != CHINESE or _is_chinese(text):
            return text, NAMES.get(encoding)
    raise UsageError("import.encoding", file=file)


def _is_chinese(text: str) -> bool:
    """Are most characters that are no ASCII those that Chinese is written with? Western letters read so become rare ones, for theirs is an ASCII one behind."""
    others = [each.encode("gb2312", "ignore") for each in text if each > "\x7f"]
    common = sum(1 for each in others if each and (0xB0 <= each[0] <= 0xD7 or each[0] <= 0xA3))  # first level of GB 2312; punctuation, full width
    return common >= COMMON * len(others)


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
