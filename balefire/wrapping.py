"""Lines that end where words do, and tables whose columns give way to each other no further than that, as long as there is room."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.box import Box
    from rich.console import Console, ConsoleOptions, RenderResult

_OPENING: Final = "（《「『"
_CLOSING: Final = "，。；：！？、）》」』”’"
# What stays on one line: a word of other scripts, or one Chinese character, each with the brackets before it, and the punctuation and spaces that follow it.
_PIECES: Final = re.compile(rf"[{_OPENING}]*(?:[^\s\u2e80-\uffef]+|[\u2e80-\uffef])[{_CLOSING}]*\s*|\s+")
BETWEEN: Final = 3  # cells between two columns
WHOLE: Final = 100  # cells of the longest text that is kept in one piece


def pieces(text: str) -> list[str]:
    """A text in pieces that stay on one line."""
    return _PIECES.findall(text)


def broken(parts: Sequence[str], width: int) -> list[str]:
    """Pieces as lines of at most `width` cells each, a longer word aside."""
    lines = [""]
    for piece in parts:
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, whether it holds numbers, and its cells."""

    heading: str
    numbers: bool
    cells: Sequence[Text]

    def lines(self) -> list[str]:
        """All lines in it, heading first."""
        return [self.heading, *(line for cell in self.cells for line in cell.plain.split("\n"))]

    @property
    def whole(self) -> bool:
        """An address or identity is never torn while a column of words can give way; Chinese words have no spaces between them, and are wide."""
        return all(" " not in line and len(line) == cell_len(line) <= WHOLE for line in self.lines()[1:])

    @property
    def full(self) -> int:
        """Cells of its longest line."""
        return max(map(cell_len, self.lines()))

    @property
    def least(self) -> int:
        """Cells of what stays on one line."""
        return self.full if self.whole else max((cell_len(piece.rstrip()) for line in self.lines() for piece in pieces(line)), default=0)


class Quiet:
    """A table with a hairline below the headings and white space between columns."""

    def __init__(self, columns: Sequence[Column], box: Box) -> None:
        self._columns, self._box = columns, box

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From one cell a column to all in one line, for rich."""
        between = BETWEEN * (len(self._columns) - 1)
        most = sum(column.full for column in self._columns) + between
        return Measurement(min(len(self._columns) + between, most), most).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table as wide as there is room, for rich."""
        widths = _widths(self._columns, options.max_width - BETWEEN * (len(self._columns) - 1))
        made = Table(box=self._box, pad_edge=False, show_edge=False, header_style="dim", border_style="dim")
        for column, width in zip(self._columns, widths, strict=True):
            heading = _fitted(Text(column.heading), width) if width else Text(column.heading)
            made.add_column(heading, justify="right" if column.numbers else "left", overflow="fold", no_wrap=column.whole, width=width)
        for row in zip(*(column.cells for column in self._columns), strict=True):
            made.add_row(*(_fitted(cell, width) if width else cell for cell, width in zip(row, widths, strict=True)))
        yield made


def _widths(columns: Sequence[Column], room: int) -> list[int | None]:
    """Of each column: the widest give way first, none further than words allow. None where there is too little room for that: rich folds then."""
    full, least = [column.full for column in columns], [column.least for column in columns]
    if sum(least) > room:
        return [None] * len(columns)
    cap = max(full, default=0)
    while sum(_within(full, least, cap)) > room:
        cap -= 1
    return list(_within(full, least, cap))


def _within(full: Sequence[int], least: Sequence[int], cap: int) -> list[int]:
    return [min(most, max(low, cap)) for most, low in zip(full, least, strict=True)]


def _fitted(cell: Text, width: int) -> Text:
    """In lines of this width; what has styles within it stays as it is."""
    if cell.spans or all(cell_len(line) <= width for line in cell.plain.split("\n")):
        return cell
    lines = [line for whole in cell.plain.split("\n") for line in broken(pieces(whole), width)]
    return Text("\n".join(lines), cell.style)
