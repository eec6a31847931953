"""What every command has in common: its options, its language, how it ends."""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.screen import OutputError, Screen, clean
from records.errors import BalefireError, StoreError, UsageError
from records.homes import expanded
from records.wording import LANGUAGES, locale_language, say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

    from records.store.contract import Store

LONG: Final = 60  # letters of a name that is too long for any file
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _asked_language() -> str:
    """The language that help is to be in: that of `--language`, where it stands in the command line, else that of the environment."""
    words = [*sys.argv[1:], ""]
    given = [word.removeprefix("--language=") if word != "--language" else following for word, following in pairwise(words) if word.startswith("--language")]
    return next((word for word in given if word in LANGUAGES), None) or locale_language()


HELP: Final = _asked_language()  # click wants its help texts while modules are imported, before any option is read


@dataclass(frozen=True, slots=True)
class Globals:
    """What stood before the command's name."""

    settings: Path | None = None
    language: str | None = None


class Formatter(click.HelpFormatter):
    """Help whose own words are in the reader's language, too."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The line of usage."""
        super().write_usage(prog, args, prefix or say("cli.own.usage", HELP))

    def write_heading(self, heading: str) -> None:
        """A heading of click's."""
        super().write_heading(say(f"cli.own.{heading.lower()}", HELP) if heading in ("Options", "Commands") else heading)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Options or commands, and what they do; `--help` is click's."""
        super().write_dl([(name, say("cli.own.help", HELP) if "--help" in name else words) for name, words in rows], col_max, col_spacing)


click.Context.formatter_class = Formatter


class Program(click.Group):
    """The whole command line: however a command ends, it ends in the same way."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run. What standard output cannot show is escaped, and an output that the caller closed is one that nobody reads."""
        if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  # so where the caller closed it
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open for as long as the program runs
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read what stands before the command's name; `--help` prints here."""
        with _ending():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _ending():
            return super().invoke(ctx)


@contextmanager
def _ending() -> Generator[None]:
    """How the program ends where no command can tell: click would call each of these a failure."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _unread()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        failed, spoken = OutputError("output", reason=error.strerror or str(error)), locale_language()
        click.echo(clean(say("cli.error", spoken, problem=failed.text(spoken))), err=True)
        _unread()
        sys.exit(failed.status)


def _unread() -> None:
    """Let what is still buffered go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def speaks(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--json` and `--language`, hand it a `Screen`, and end it with the highest exit status that applies."""

    @click.option("--json", "as_json", is_flag=True, help=say("cli.option.json", HELP))
    @click.option("--language", type=click.Choice(LANGUAGES), help=say("cli.option.language", HELP))
    @click.pass_context
    @functools.wraps(function)
    def run(context: click.Context, /, language: str | None, **arguments: Any) -> None:
        given = context.find_object(Globals) or Globals()
        language = language or given.language
        try:
            screen = _screen(given, language, arguments.pop("store", None))
        except BalefireError as error:
            spoken = language or locale_language()
            click.echo(clean(say("cli.error", spoken, problem=error.text(spoken))), err=True)
            context.exit(error.status)
        context.exit(_ended(screen, functools.partial(function, screen, **arguments)))

    return run


def _screen(given: Globals, language: str | None, store: str | None) -> Screen:
    from balefire.settings import load

    settings = load(given.settings)
    os.environ.update(settings.for_stores(os.environ))
    return Screen(settings, language or settings.language or locale_language(), store or settings.store_place())


def _ended(screen: Screen, function: Callable[[], None]) -> int:
    """Run a command to its end and tell its exit status."""
    try:
        with named():
            function()
    except OutputError as error:
        screen.fail(error)
        _unread()
    except BalefireError as error:
        screen.fail(error)
    except BrokenPipeError:  # whoever read our output has seen enough: that is no fault
        _unread()
    except KeyboardInterrupt:
        return 130
    return screen.status


@contextmanager
def named() -> Generator[None]:
    """What the system refuses because of a path that was given, as a UsageError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError("too_long", name=str(error.filename)[:LONG], count=len(str(error.filename))) from error
        if isinstance(error, PermissionError) and error.filename is not None:
            raise UsageError("barred", path=error.filename) from error
        raise


def opened(screen: Screen) -> Store:
    """The store, to read from. A path that does not exist is a slip of the caller's, not a failure of the store."""
    from records.store import open_store

    if "://" not in screen.store and not expanded(screen.store).exists():
        raise UsageError("store.missing", path=screen.store)
    try:
        return open_store(screen.store)
    except StoreError as error:
        if error.key == "elastic.unmade":
            raise UsageError(error.key, **error.values) from error
        raise


def slices(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what narrows packets: `--asset`, `--between`, `--port`, `--since`, `--until`."""
    for option in (
        click.option("--until", metavar="T", help=say("cli.option.until", HELP)),
        click.option("--since", metavar="T", help=say("cli.option.since", HELP)),
        click.option("--port", type=click.IntRange(1, 65535), metavar="N", help=say("evidence.option.port", HELP)),
        click.option("--between", nargs=2, metavar="A B", help=say("evidence.option.between", HELP)),
        click.option("--asset", metavar="NAME", help=say("evidence.option.asset", HELP)),
    ):
        function = option(function)
    return function


def keeps(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--store`."""
    return click.option("--store", metavar="DIR|URL", help=say("cli.option.store", HELP))(function)
