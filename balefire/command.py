"""What every command has in common: its options, its language, how it ends."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.screen import Screen, clean
from records.errors import BalefireError, UsageError
from records.wording import LANGUAGES, locale_language, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.store.contract import Store

HELP: Final = locale_language()  # click wants its help texts while modules are imported, before any option is read


@dataclass(frozen=True, slots=True)
class Globals:
    """What stood before the command's name."""

    settings: Path | None = None
    language: str | None = None


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
    return Screen(settings, language or settings.language or locale_language(), store or settings.store_place())


def _ended(screen: Screen, function: Callable[[], None]) -> int:
    """Run a command to its end and tell its exit status."""
    try:
        function()
        sys.stdout.flush()
    except BalefireError as error:
        screen.fail(error)
    except BrokenPipeError:  # whoever read our output has seen enough: that is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return screen.status


def opened(screen: Screen) -> Store:
    """The store, to read from. A path that does not exist is a slip of the caller's, not a failure of the store."""
    from records.store import open_store

    if "://" not in screen.store and not Path(screen.store).expanduser().exists():
        raise UsageError("store.missing", path=screen.store)
    return open_store(screen.store)


def keeps(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--store`."""
    return click.option("--store", metavar="DIR|URL", help=say("cli.option.store", HELP))(function)
