"""Warnings, red, orange, yellow and blue, and their loop, from the command line."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen


@click.group(help=say("cli.help.warning", HELP))
def warning() -> None:
    """Hold the commands about warnings."""


_by = click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))


@warning.command("issue", help=say("cli.help.warning_issue", HELP))
@click.argument("alert", metavar="ALERT")
@click.option("--colour", metavar="red|orange|yellow|blue", help=say("warning.option.colour", HELP))
@click.option("--to", "receivers", multiple=True, metavar="NAME", help=say("warning.option.to", HELP))
@click.option("--title", default="", metavar="TEXT", help=say("warning.option.title", HELP))
@click.option("--reason", default="", metavar="TEXT", help=say("warning.option.reason", HELP))
@_by
@keeps
@speaks
def issue(screen: Screen, alert: str, colour: str | None, receivers: tuple[str, ...], title: str, reason: str, by: str | None, as_json: bool) -> None:
    """Suggest a colour with reasons; with --colour, issue the warning: one to each receiver, who signs for it alone."""
    from balefire.identities import alert_of, who
    from detectors.lifecycle import name
    from records.model import Text
    from reports import warned

    with closing(opened(screen)) as store:
        identity = alert_of(screen, store, alert)
        suggested, reasons = warned.suggest(store, identity)
        made: dict[str, str] = {}
        if colour is not None:
            told = title or str((store.get("alert", identity) or {}).get(f"title.{screen.language}") or "")
            given = [*reasons, *([Text(reason, reason)] if reason.strip() else [])]
            person, now = who(screen.settings, by), time.time_ns()
            wanted = list(dict.fromkeys(map(name, receivers or ("",))))
            if not all(wanted):
                raise UsageError("warning.empty")
            made = {receiver: warned.issue(store, identity, colour, told, given, receiver, person, now) for receiver in wanted}
    why = [getattr(each, screen.language) for each in reasons]
    if as_json:
        for receiver, warns in made.items() or [(None, None)]:
            screen.emit({"alert": identity, "suggestion": {"colour": suggested, "reasons": why}, "id": warns, "to": receiver, "colour": colour})
        return
    screen.print(screen.say("warning.suggested", colour=screen.say(f"warning.colour.{suggested}")))
    for each in why:
        screen.print(f"  – {each}")
    for warns in made.values():
        screen.print(screen.say("warning.issued", id=warns))
    if not made:
        screen.print(screen.say("warning.decide"))


def _step(action: str) -> None:
    @warning.command(action, help=say(f"cli.help.warning_{action}", HELP))
    @click.argument("identity", metavar="ID")
    @click.option("--note", default="", metavar="TEXT", help=say("cli.option.note", HELP))
    @_by
    @keeps
    @speaks
    def run(screen: Screen, identity: str, note: str, by: str | None, as_json: bool) -> None:
        from balefire.identities import who
        from reports import warned

        with closing(opened(screen)) as store:
            name = warned.one(store, identity)["id"]
            warned.step(store, name, action, who(screen.settings, by), time.time_ns(), note)
            row = warned.one(store, name)
            against = warned.contested(store, [row]).get(name)
        if as_json:
            screen.emit(_row(row, time.time_ns(), against))
        else:
            screen.print(screen.say("warning.stepped", id=name, status=screen.say(f"warning.status.{row['status']}")))

    del run


for each in ("sign", "handle", "feedback", "close"):
    _step(each)


def _row(row: dict[str, Any], now: int, against: tuple[str, int, str] | None = None) -> dict[str, Any]:
    from records.nesting import iso, nest
    from reports.warned import overdue

    contested = {"verdict": against[0], "since": iso(against[1]), "by": against[2]} if against else None
    return {**nest(row), "overdue": overdue(row, now), "contested": contested}


@warning.command("list", help=say("cli.help.warning_list", HELP))
@click.option("--overdue", "late", is_flag=True, help=say("warning.option.overdue", HELP))
@keeps
@speaks
def listed(screen: Screen, late: bool, as_json: bool) -> None:
    """List warnings, what is due first."""
    from balefire.screen import table
    from records.nesting import iso
    from reports import warned

    now = time.time_ns()
    with closing(opened(screen)) as store:
        rows = [row for row in warned.warnings(store) if not late or warned.overdue(row, now)]
        against = warned.contested(store, rows)
    if as_json:
        for row in rows:
            screen.emit(_row(row, now, against.get(row["id"])))
        return
    if not rows:
        screen.note(screen.say("cli.nothing"))
        return
    lines: list[list[object]] = []
    for row in rows:
        mark = screen.say("warning.late") if warned.overdue(row, now) else ""
        due = f"{iso(row['due'])[:16].replace('T', ' ')} {mark}".strip() if row["due"] else "–"
        status = warned.standing(row, against.get(row["id"]), screen.language)
        lines.append([row["id"], screen.say(f"warning.colour.{row['colour']}"), row["title"], row["receiver"], status, due])
    names = ("id", "colour", "title", "receiver", "status", "due")
    screen.print(table([(screen.say(f"warning.column.{name}"), False) for name in names], lines))
