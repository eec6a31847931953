"""The life of alerts from the command line. Several are decided together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from records.model import Alert
    from records.store.contract import Change, Store


@click.group(help=say("cli.help.alert", HELP))
def alert() -> None:
    """Hold the commands about the life of alerts."""


def _command(action: str, *options: Callable[..., Any]) -> Callable[[Callable[..., None]], None]:
    """A command of the group: identities, who decides, and the options of its own."""

    def made(function: Callable[..., None]) -> None:
        command = speaks(function)
        for option in (*options, keeps, click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))):
            command = option(command)
        command = click.argument("identities", metavar="ID…", nargs=-1, required=True)(command)
        alert.command(action, help=say(f"cli.help.alert_{action}", HELP))(command)

    return made


def _note(required: bool = False) -> Callable[..., Any]:
    return click.option("--note", default="", required=required, metavar="TEXT", help=say("cli.option.note", HELP))


def _decide(screen: Screen, identities: tuple[str, ...], by: str | None, as_json: bool, decision: Callable[[Store, Alert, str], Change | None]) -> None:
    """Decide about these alerts in one transaction, and show them as they are then."""
    from balefire.identities import alert_of, who
    from balefire.rows import shown
    from records.nesting import nest

    store = opened(screen)
    try:
        names = list(dict.fromkeys(alert_of(screen, store, each) for each in identities))
        person = who(screen.settings, by)
        store.change([change for each in store.alerts(names) if (change := decision(store, each, person))])
        rows = [row for name in names if (row := store.get("alert", name))]
        if not as_json:
            screen.print(shown("alert", rows, screen.language))
            return
        for row in rows:
            screen.emit(nest(row))
    finally:
        store.close()


@_command("acknowledge", _note())
def acknowledge(screen: Screen, identities: tuple[str, ...], by: str | None, note: str, as_json: bool) -> None:
    """Say that somebody has seen them."""
    from detectors import lifecycle

    _decide(screen, identities, by, as_json, lambda _store, each, person: lifecycle.acknowledge(each, person, note))


@_command(
    "assign",
    _note(),
    click.option("--unassign", is_flag=True, help=say("cli.option.unassign", HELP)),
    click.option("--to", metavar="NAME", help=say("cli.option.to", HELP)),
)
def assign(screen: Screen, identities: tuple[str, ...], by: str | None, to: str | None, unassign: bool, note: str, as_json: bool) -> None:
    """Say whose they are to work on, or that they are nobody's."""
    from detectors import lifecycle

    if unassign == (to is not None) or (to is not None and not lifecycle.name(to)):
        raise UsageError("life.to_whom")
    _decide(screen, identities, by, as_json, lambda _store, each, person: lifecycle.assign(each, person, to or "", note))


@_command("start", _note())
def start(screen: Screen, identities: tuple[str, ...], by: str | None, note: str, as_json: bool) -> None:
    """Say that somebody works on them."""
    from detectors import lifecycle

    _decide(screen, identities, by, as_json, lambda _store, each, person: lifecycle.start(each, person, note))


@_command("note", _note(required=True))
def note(screen: Screen, identities: tuple[str, ...], by: str | None, note: str, as_json: bool) -> None:
    """Add what was found or done."""
    from detectors import lifecycle

    _decide(screen, identities, by, as_json, lambda _store, each, person: lifecycle.comment(each, person, note))


@_command("close", _note(), click.option("--verdict", required=True, metavar="true|expected|false", help=say("cli.option.verdict", HELP)))
def close(screen: Screen, identities: tuple[str, ...], by: str | None, verdict: str, note: str, as_json: bool) -> None:
    """Say what they were."""
    from detectors import lifecycle
    from detectors.looking import looked_until

    _decide(screen, identities, by, as_json, lambda store, each, person: lifecycle.close(each, person, verdict, looked_until(store, each), note))
    if verdict == "true":
        from reports.reminding import starting

        wanted = screen.settings.duties
        if told := starting(wanted.regimes, wanted.operator, screen.language):
            screen.note(screen.say("duty.starts.now", id=identities[0] if len(identities) == 1 else "ID"))
            for each in told:
                screen.note(f"  – {each}")


@_command("reopen", _note())
def reopen(screen: Screen, identities: tuple[str, ...], by: str | None, note: str, as_json: bool) -> None:
    """Say that they were not settled."""
    from detectors import lifecycle

    _decide(screen, identities, by, as_json, lambda _store, each, person: lifecycle.reopen(each, person, note))
