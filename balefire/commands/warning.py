"""Warnings, red, orange, yellow and blue, and their loop, from the command line."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.key import ledger_of, signing, signs
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from records.errors import BalefireError
    from records.store.contract import Store
    from reports.ledger import Ledger

FORMATS = ("html", "pdf", "json")


@click.group(help=say("cli.help.warning", HELP))
def warning() -> None:
    """Hold the commands about warnings."""


_by = click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
_both = click.option("--both-languages", "both", is_flag=True, help=say("cli.option.report_both", HELP))


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
    from reports import warned

    with closing(opened(screen)) as store:
        identity = alert_of(screen, store, alert)
        suggested, reasons = warned.suggest(store, identity)
        made: dict[str, str] = {}
        if colour is not None:
            person, now = who(screen.settings, by), time.time_ns()
            issued = warned.issue_to(store, identity, colour, receivers, person, now, screen.language, title=title, reason=reason)
            made = {warned.one(store, each)["receiver"]: each for each in issued}
            if against := warned.disproved(store, [identity]).get(identity):
                screen.note(screen.say("warning.issued_on_disproved", verdict=screen.say(f"verdict.{against[0]}")))
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


@warning.command("print", help=say("cli.help.warning_print", HELP))
@click.argument("identity", metavar="ID")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", default=Path(), help=say("warning.option.output", HELP))
@click.option("--format", "forms", multiple=True, type=click.Choice(FORMATS), help=say("cli.option.report_format", HELP))
@_both
@keeps
@speaks
def printed(screen: Screen, identity: str, output: Path, forms: tuple[str, ...], both: bool, as_json: bool) -> None:
    """Print a warning as its receiver gets it."""
    from reports import warned, warnpage

    with closing(opened(screen)) as store:
        told = _document(screen, store, warned.one(store, identity))
    files = warnpage.write_pages(
        told,
        output,
        forms or FORMATS,
        LANGUAGES if both else (screen.language,),
        lambda error: screen.fail(error) if forms else screen.note(error.text(screen.language)),
    )
    if as_json:
        screen.emit({"id": told["id"], "files": [str(file) for file in files]})
    else:
        for file in files:
            screen.print(str(file))


@warning.command("release", help=say("cli.help.warning_release", HELP))
@click.argument("identity", metavar="ID")
@click.option("--even-so", is_flag=True, help=say("warning.option.even_so", HELP))
@_both
@signs
@keeps
@speaks
def release(screen: Screen, identity: str, even_so: bool, both: bool, folder: Path | None, keys: Path | None, by: str | None, as_json: bool) -> None:
    """Sign a warning into the ledger; one whose alert was closed as anything but true only where a person wants it even so."""
    from balefire.identities import who
    from reports import warned

    ledger = ledger_of(screen, folder)
    with closing(opened(screen)) as store:
        row = warned.one(store, identity)
        if not even_so and ledger.released(row["id"]) is None:
            warned.releasable(store, row)
        told = _document(screen, store, row)
    sign(screen, ledger, keys, told, LANGUAGES if both else (screen.language,), lambda: who(screen.settings, by), as_json)


def _left_out(screen: Screen) -> Callable[[BalefireError], None]:
    """Say what cannot be printed here, and go on."""
    return lambda error: screen.note(error.text(screen.language))


def _document(screen: Screen, store: Store, row: dict[str, Any]) -> dict[str, Any]:
    from reports.warnpage import document

    return document(store, row, screen.settings.duties.unit, screen.settings.reports.zone)


def sign_asked(screen: Screen, store: Store, ledger: Ledger, keys: Path | None, identity: str, seal: str, by: str, as_json: bool) -> bool:
    """Sign the warning whose release was asked for; False where that is no warning. Raises StoreError for one that is not what was asked for,
    DisprovedError for one whose alert was closed as anything but true.
    """
    from records.errors import StoreError
    from reports import warned, warnpage

    row = next((row for row in warned.warnings(store) if row["id"] == identity), None)
    if row is None:
        return False
    warned.releasable(store, row)
    told = _document(screen, store, row)
    if warnpage.seal(told) != seal:
        raise StoreError("report.changed", file=identity)
    sign(screen, ledger, keys, told, screen.settings.reports.languages or (screen.language,), lambda: by, as_json)
    return True


def sign(screen: Screen, ledger: Ledger, keys: Path | None, told: dict[str, Any], languages: tuple[str, ...], by: Callable[[], str], as_json: bool) -> None:
    """Put a warning and its pages into the ledger; one that is there already stays as it is."""
    from tempfile import TemporaryDirectory

    from reports import warnpage

    with TemporaryDirectory() as into:

        def pages() -> list[Path]:
            return warnpage.write_pages(told, Path(into), warnpage.PAGES, languages, _left_out(screen))

        entry = warnpage.release(ledger, lambda: signing(screen, ledger, keys), told, pages, by, time.time_ns())
    receipt, place, files = str(entry.receipt), str(ledger.path(entry.number)), [str(each["name"]) for each in entry.body["files"]]
    if as_json:
        screen.emit({"id": told["id"], "number": entry.number, "receipt": receipt, "entry": place, "files": files})
    else:
        screen.print(screen.say("warning.released", id=told["id"], entry=place, receipt=receipt))


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
        titles = warned.titles(store, rows)
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
        lines.append([row["id"], screen.say(f"warning.colour.{row['colour']}"), getattr(titles[row["id"]], screen.language), row["receiver"], status, due])
    names = ("id", "colour", "title", "receiver", "status", "due")
    screen.print(table([(screen.say(f"warning.column.{name}"), False) for name in names], lines))
