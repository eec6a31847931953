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
    from records.store.contract import Store
    from reports.ledger import Ledger
    from reports.requesting import Standing

FORMATS = ("html", "pdf", "json")
COLUMNS = ("id", "colour", "title", "receiver", "status", "due", "release")


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
            _named(screen, screen.settings.duties.unit)
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
            warned.step(store, name, action, who(screen.settings, by), time.time_ns(), note, screen.settings.duties.receivers)
            row = warned.one(store, name)
            told = _row(store, row, time.time_ns()) if as_json else {}
        if as_json:
            screen.emit(told)
        else:
            screen.print(screen.say("warning.stepped", id=name, status=screen.say(f"warning.status.{row['status']}")))

    del run


for each in ("sign", "handle", "feedback", "close"):
    _step(each)


@warning.command("print", help=say("cli.help.warning_print", HELP))
@click.argument("identity", metavar="ID")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", default=Path(), help=say("warning.option.output", HELP))
@click.option("--format", "forms", multiple=True, type=click.Choice(FORMATS), help=say("warning.option.format", HELP))
@click.option("--ledger", "folder", type=click.Path(path_type=Path), metavar="DIR", help=say("ledger.option.ledger", HELP))
@_both
@keeps
@speaks
def printed(screen: Screen, identity: str, output: Path, forms: tuple[str, ...], folder: Path | None, both: bool, as_json: bool) -> None:
    """Print a warning as its receiver gets it: what was signed of it, or a draft."""
    from reports import warned, warnpage

    with closing(opened(screen)) as store:
        row = warned.one(store, identity)
        entry = ledger_of(screen, folder).released(row["id"])
        told = entry.body["document"] if entry else _document(screen, store, row)
    files = warnpage.write_pages(
        told,
        output,
        forms or FORMATS,
        LANGUAGES if both else (screen.language,),
        screen.fail if forms else screen.unable,
        draft=entry is None,
    )
    _named(screen, told["unit"])
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
            warned.releasable(store, row, screen.clock.zone)
        told = _document(screen, store, row)
        sign(screen, store, ledger, keys, told, LANGUAGES if both else (screen.language,), lambda: who(screen.settings, by), as_json)


def _named(screen: Screen, unit: str) -> None:
    """Say where a page does not tell who issues it."""
    if not unit:
        screen.note(screen.say("warning.nameless"))


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
    warned.releasable(store, row, screen.clock.zone)
    told = _document(screen, store, row)
    if warnpage.seal(told) != seal:
        raise StoreError("report.asked_other", id=identity)
    sign(screen, store, ledger, keys, told, screen.settings.reports.languages or (screen.language,), lambda: by, as_json)
    return True


def sign(
    screen: Screen,
    store: Store,
    ledger: Ledger,
    keys: Path | None,
    told: dict[str, Any],
    languages: tuple[str, ...],
    by: Callable[[], str],
    as_json: bool,
) -> None:
    """Put a warning and its pages into the ledger, and say so in the trail; one that is there already stays as it is, which is said."""
    from tempfile import TemporaryDirectory

    from records.nesting import iso
    from reports import requesting, warnpage
    from reports.pages import PAGES
    from reports.words import nanoseconds

    now = time.time_ns()
    with TemporaryDirectory() as into:

        def pages() -> list[Path]:
            return warnpage.write_pages(told, Path(into), PAGES, languages, screen.unable)

        entry = warnpage.release(ledger, lambda: signing(screen, ledger, keys), told, pages, by, now)
    requesting.record(store, entry)
    receipt, place, files = str(entry.receipt), str(ledger.path(entry.number)), [str(each["name"]) for each in entry.body["files"]]
    person, when = str(entry.body["by"]), str(entry.body["time"])
    if as_json:
        screen.emit({"id": told["id"], "number": entry.number, "by": person, "time": when, "receipt": receipt, "entry": place, "files": files})
    else:
        words = "released" if when == iso(now) else "was_released"
        stamp = screen.clock.stamp(nanoseconds(when))
        screen.print(screen.say(f"warning.{words}", id=told["id"], entry=place, receipt=receipt, by=person, time=stamp))
    if lacking := [each for each in languages if files and not any(f".{each}." in name for name in files)]:
        screen.note(screen.say("warning.unpaged", id=told["id"], languages=", ".join(lacking)))
    _named(screen, str(entry.body["document"].get("unit") or ""))


def _row(store: Store, row: dict[str, Any], now: int) -> dict[str, Any]:
    return _rows(store, [row], now)[0]


def _rows(store: Store, rows: list[dict[str, Any]], now: int) -> list[dict[str, Any]]:
    """Warnings for machines: what is stored, what was done and noted, how far the release went."""
    from records.nesting import iso, nest
    from reports import requesting, warned

    contested, history, released = warned.contested(store, rows), warned.history(store, rows), requesting.standings(store)
    told: list[dict[str, Any]] = []
    for row in rows:
        against, standing = contested.get(row["id"]), released.get(row["id"])
        how = {"action": standing.action, "by": standing.by, "time": iso(standing.time), "receipt": standing.receipt or None} if standing else None
        doubt = {"verdict": against[0], "since": iso(against[1]), "by": against[2]} if against else None
        steps = [{**each, "time": iso(each["time"])} for each in history.get(row["id"], ())]
        told.append({**nest(row), "overdue": warned.overdue(row, now), "contested": doubt, "steps": steps, "release": how})
    return told


def _released(screen: Screen, standing: Standing | None) -> str:
    """How far its release went, in words."""
    return screen.say(f"warning.release.{standing.action}") if standing else "–"


@warning.command("show", help=say("cli.help.warning_show", HELP))
@click.argument("identity", metavar="ID")
@keeps
@speaks
def show(screen: Screen, identity: str, as_json: bool) -> None:
    """Show a warning with what was done about it: when, by whom, and what they noted."""
    from reports import requesting, warned

    now, clock = time.time_ns(), screen.clock
    with closing(opened(screen)) as store:
        row = warned.one(store, identity)
        if as_json:
            screen.emit(_row(store, row, now))
            return
        title = getattr(warned.titles(store, [row])[row["id"]], screen.language)
        against = warned.contested(store, [row]).get(row["id"])
        steps, standing = warned.history(store, [row]).get(row["id"], []), requesting.standings(store).get(row["id"])
    late = f" {screen.say('warning.late')}" if warned.overdue(row, now) else ""
    due = f"{clock.stamp(row['due'])}{late}" if row["due"] else "–"
    status = warned.standing(row, against, screen.language, clock.zone)
    released = f"{_released(screen, standing)}{f' · {standing.by} · {clock.stamp(standing.time)} · {standing.receipt}' if standing else ''}"
    values = (row["id"], screen.say(f"warning.colour.{row['colour']}"), title, row["receiver"], status, due, released, row["alert"])
    for name, value in zip((*COLUMNS, "alert"), values, strict=True):
        screen.print(f"{screen.say(f'warning.column.{name}')}: {value}")
    for each in warned.reasons(row, screen.language):
        screen.print(f"  – {each}")
    for each in steps:
        note = f" · {each['note']}" if each["note"] else ""
        words = screen.say(f"warning.status.{each['step']}")
        screen.print(f"{clock.stamp(each['time'])} {words} · {each['by']}{note}")


@warning.command("list", help=say("cli.help.warning_list", HELP))
@click.option("--overdue", "late", is_flag=True, help=say("warning.option.overdue", HELP))
@keeps
@speaks
def listed(screen: Screen, late: bool, as_json: bool) -> None:
    """List warnings, what is due first."""
    from balefire.screen import table
    from reports import requesting, warned

    now, clock = time.time_ns(), screen.clock
    with closing(opened(screen)) as store:
        rows = [row for row in warned.warnings(store) if not late or warned.overdue(row, now)]
        against = warned.contested(store, rows)
        titles, released = warned.titles(store, rows), requesting.standings(store)
        told = _rows(store, rows, now) if as_json else []
    if as_json:
        for each in told:
            screen.emit(each)
        return
    if not rows:
        screen.note(screen.say("cli.nothing"))
        return
    lines: list[list[object]] = []
    for row in rows:
        mark = screen.say("warning.late") if warned.overdue(row, now) else ""
        due = f"{clock.stamp(row['due'])} {mark}".strip() if row["due"] else "–"
        status = warned.standing(row, against.get(row["id"]), screen.language, clock.zone)
        lines.append(
            [
                row["id"],
                screen.say(f"warning.colour.{row['colour']}"),
                getattr(titles[row["id"]], screen.language),
                row["receiver"],
                status,
                due,
                _released(screen, released.get(row["id"])),
            ]
        )
    screen.print(table([(screen.say(f"warning.column.{name}"), False) for name in COLUMNS], lines))
