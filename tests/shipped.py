"""Command lines of Balefire in files that we ship, read by the parser that would read them."""

from __future__ import annotations

import shlex
from typing import Any

import click

from balefire.cli import main


def parsed(line: str) -> tuple[str, dict[str, Any]]:
    """(the command's name, its parameters) of what stands behind `balefire`. Raises KeyError for no command, click's UsageError for what it would not take."""
    command: click.Command = main
    words = shlex.split(line)
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    return str(command.name), command.make_context(command.name, words).params
