"""What Balefire is and knows: schema, protocols, warm, version."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, speaks
from balefire.screen import table
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from sensors.protocol import Protocol


@click.command(help=say("cli.help.schema", HELP))
@speaks
def schema(screen: Screen, as_json: bool) -> None:
    """Every field of every table."""
    from records.schema import TABLES

    for kind in TABLES.values():
        if as_json:
            for field in kind.fields:
                # a field that holds JSON is not searched
                search = None if field.type == "json" else field.name
                meaning = {"en": field.en, "zh": field.zh}
                screen.emit({"table": kind.name, "name": field.name, "type": field.type, "many": field.many, "search": search, "meaning": meaning})
            continue
        screen.print("")
        screen.print(kind.name)
        columns = [(screen.say(f"cli.column.{name}"), False) for name in ("field", "type", "meaning")]
        meanings = [(field.name, f"{field.type}[]" if field.many else field.type, field.zh if screen.language == "zh" else field.en) for field in kind.fields]
        screen.print(table(columns, meanings))


@click.command(help=say("cli.help.protocols", HELP))
@speaks
def protocols(screen: Screen, as_json: bool) -> None:
    """Every protocol that is understood."""
    from sensors.engine.mode import choose

    choose(0)  # nothing is captured here: compiling would be waste
    from sensors.protocol import protocols as known

    if as_json:
        for protocol in known():
            screen.emit(_protocol(protocol))
        return
    columns = [(screen.say(f"cli.column.{name}"), name == "functions") for name in ("protocol", "ports", "functions", "specification")]
    rows = [(p.title, " ".join([*(f"tcp/{port}" for port in p.tcp), *(f"udp/{port}" for port in p.udp)]), len(p.functions), p.spec) for p in known()]
    screen.print(table(columns, rows))


def _protocol(protocol: Protocol) -> dict[str, object]:
    from records.effects import effect_named

    return {
        "name": protocol.name,
        "title": protocol.title,
        "specification": protocol.spec,
        "over": protocol.over[0] if protocol.over else None,
        "tcp": list(protocol.tcp),
        "udp": list(protocol.udp),
        "functions": [
            {"code": code, "action": function.name, "effect": function.effect, "access": effect_named(function.effect).access}
            for code, function in protocol.functions.items()
        ],
        "spaces": list(protocol.spaces),
        "anomalies": list(protocol.anomalies),
    }


@click.command(help=say("cli.help.warm", HELP))
@speaks
def warm(screen: Screen, as_json: bool) -> None:
    """Compile every kernel now, so that no replay waits for it."""
    from sensors.engine import mode

    started = time.monotonic()
    if not mode.is_warm():
        screen.note(screen.say("cli.warming"))
    mode.warm()
    elapsed = round(time.monotonic() - started, 1)
    if as_json:
        screen.emit({"elapsed_s": elapsed})
    else:
        screen.print(screen.say("cli.warm", seconds=elapsed))


@click.command(help=say("cli.help.version", HELP))
@speaks
def version(screen: Screen, as_json: bool) -> None:
    """Versions of the program and of what it records."""
    from records.schema import SCHEMA_VERSION

    facts = {"version": installed("balefire"), "schema": SCHEMA_VERSION, "python": platform.python_version()}
    if as_json:
        screen.emit(facts)
    else:
        screen.print(screen.say("cli.version", **facts))
