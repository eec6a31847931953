"""Two ways out: data on stdout (JSON or tables), words and progress on stderr.

Everything stored or captured is hostile: it passes `clean` before it reaches a terminal, and is never read as markup.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import click

from records.errors import BalefireError, UsageError
from records.formats import Clock
from records.secret import exposed
from records.visible import clean
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from os import PathLike

    from rich.console import Console, RenderableType
    from rich.text import Text

    from balefire.settings import Settings

WIDTH: Final = 100
LONGEST: Final = 1000  # letters of a cell; --json has all
# Fill colours that hold on light and dark grounds alike; shape and word always stand beside them.
SEVERITY: Final = {"critical": ("⬢", "bold red"), "high": ("▲", "dark_orange"), "medium": ("◆", "yellow"), "low": ("●", "blue")}
LOOKING: Final = ("read", "report", "identify", "session", "diagnose")
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


class OutputError(BalefireError):
    """What was to be read cannot be written: a full disk behind `>`."""

    status = 4


def cell(value: object) -> str:
    """Text of a table's cell: cleaned and bounded, and else as it is stored. A workbook, which would carry out a formula, writes texts as texts."""
    text = clean("" if value is None else value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def to_json(value: object, *, ascii_only: bool = False) -> str:
    """One line of JSON; control and direction characters stay escaped, so that a terminal shows them harmlessly."""
    return escaped(json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, separators=(", ", ": ")))


def escaped(text: str, form: str = "") -> str:
    """JSON (or, with `&#x{0:x};` as form, XML) in which no character is as it is that could steer a terminal or turn the reading direction."""
    return _UNSAFE.sub(lambda match: form.format(ord(match[0])) or json.dumps(match[0])[1:-1], text.encode("utf-8", "backslashreplace").decode())


def cut(share: float | None, language: str) -> str:
    """A percentage, cut to one digit and never rounded up: 99.98 does not read as 100."""
    if share is None:
        return "–"
    digits = Decimal(repr(float(share))).quantize(Decimal("0.1"), ROUND_DOWN)
    return f"{digits}%" if language == "zh" else f"{digits} %"


@dataclass
class Screen:
    """How a command speaks: its language, its settings, and the exit status so far (the highest counts)."""

    settings: Settings
    language: str
    store: str
    status: int = 0

    @cached_property
    def out(self) -> Console:
        """Where people read data."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Where words and progress go."""
        return _console(stderr=True)

    @cached_property
    def clock(self) -> Clock:
        """Times as the reports have them. Raises UsageError for a zone that there is none of."""
        from reports.periods import zone_of

        return Clock(zone_of(self.settings.reports.zone), self.language)

    def say(self, key: str, **values: object) -> str:
        """A text in the reader's language."""
        return say(key, self.language, **values)

    def count(self, key: str, number: int, **values: object) -> str:
        """A text that English has in two forms: `key.one` and `key.many`."""
        return self.say(f"{key}.{'one' if number == 1 else 'many'}", count=f"{number:,}", **values)

    def print(self, part: RenderableType, *, whole: bool = False) -> None:
        """A line of cleaned text, however long, or something rich draws; `whole`: however wide it is."""
        with _written():
            if isinstance(part, str):
                click.echo(clean(part), sys.stdout)
            else:
                self.out.print(part, soft_wrap=whole)

    def emit(self, value: object) -> None:
        """One object, or one line of a list, for machines."""
        with _written():
            click.echo(to_json(value, ascii_only="utf" not in sys.stdout.encoding.lower()), sys.stdout)

    def note(self, text: str) -> None:
        """A line for people on stderr."""
        with suppress(OSError):  # there is nobody left to tell
            click.echo(clean(text), sys.stderr)

    def tell(self, key: str, values: dict[str, object]) -> None:
        """A text for people on stderr, errors among its values in their language."""
        self.note(self.say(key, **{name: value.text(self.language) if isinstance(value, BalefireError) else value for name, value in values.items()}))

    def fail(self, error: BalefireError) -> None:
        """Say what was wrong, and go on: the exit status tells it at the end."""
        self.note(self.say("cli.error", problem=error.text(self.language)))
        self.worse(error.status)

    def unable(self, error: BalefireError) -> None:
        """Say what cannot be done here, which is no failure of what was asked."""
        self.note(error.text(self.language))

    def exposed(self, file: str | PathLike[str]) -> None:
        """Say of a file with secrets that everybody on this machine may read it, where that is so."""
        if exposed(file):
            self.unable(UsageError("exposed", file=file))

    def worse(self, status: int) -> None:
        """Remember the highest exit status."""
        self.status = max(self.status, status)

    @contextmanager
    def progress(self) -> Generator[Callable[[str, int], None] | None]:
        """A line on stderr that tells how far a replay is, where somebody is watching."""
        if not self.err.is_terminal:
            yield None
            return
        with self.err.status(self.say("cli.progress.start")) as status:
            yield lambda name, packets: status.update(clean(self.count("cli.progress.packets", packets, name=name)))


@contextmanager
def _written() -> Generator[None]:
    """What standard output refuses is a fault; that its reader has gone is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError("output", reason=error.strerror or str(error)) from None


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class Piped(Console):
        """Rich ends the program where a pipe closes; how this one ends is decided in one place."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() else 160
    return Piped(stderr=stderr, width=wide, highlight=False, markup=False, emoji=False)


def severity_text(word: str, language: str) -> Text:
    """Shape, word and colour of a severity."""
    from rich.text import Text

    shape, style = SEVERITY[word]
    return Text(f"{shape} {say(f'severity.{word}', language)}", style)


def table(columns: Iterable[tuple[str, bool]], rows: Iterable[Iterable[object]]) -> Any:
    """A quiet table: a hairline below the headings and white space between columns. A column is its heading and whether it holds numbers."""
    from rich.box import Box
    from rich.text import Text

    from balefire.wrapping import Column, Quiet

    hairline = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
    filled = [[each if isinstance(each, Text) else Text(cell(each)) for each in row] for row in rows]
    return Quiet([Column(heading, numbers, [row[place] for row in filled]) for place, (heading, numbers) in enumerate(columns)], hairline)
