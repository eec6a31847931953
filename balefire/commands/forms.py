"""Forms of duties as agencies get them: printed, signed into the ledger."""

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
    from balefire.screen import Screen
    from records.store.contract import Store
    from reports.ledger import Ledger
    from reports.obliging import Due

FORMATS = ("html", "pdf", "json")


def one(store: Store, identity: str) -> Due:
    """The duty whose id begins so. Raises UsageError."""
    from balefire.identities import UnknownError
    from reports.obliging import all_due

    found = [each for each in all_due(store) if identity and each.row["id"].startswith(identity)]
    if len(found) != 1:
        raise UnknownError("duty.unknown", id=identity, ids=", ".join(each.row["id"][:12] for each in found) or "–")
    return found[0]


_spoken = click.option("--form-language", "spoken", type=click.Choice(LANGUAGES), help=say("duty.option.form_language", HELP))


@click.command("print", help=say("cli.help.duty_print", HELP))
@click.argument("identity", metavar="ID")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", default=Path(), help=say("warning.option.output", HELP))
@click.option("--format", "forms", multiple=True, type=click.Choice(FORMATS), help=say("warning.option.format", HELP))
@click.option("--ledger", "folder", type=click.Path(path_type=Path), metavar="DIR", help=say("ledger.option.ledger", HELP))
@_spoken
@keeps
@speaks
def printed(screen: Screen, identity: str, output: Path, forms: tuple[str, ...], spoken: str | None, folder: Path | None, as_json: bool) -> None:
    """Print a form as agencies get it: what was signed of it, or a draft."""
    from reports import formpage

    with closing(opened(screen)) as store:
        due = one(store, identity)
        entry = ledger_of(screen, folder).released(due.row["id"])
        told = entry.body["document"] if entry else _document(screen, store, due, spoken or screen.language)
    missing = screen.fail if forms else screen.unable
    files = [str(file) for file in formpage.write_pages(told, output, forms or FORMATS, missing, draft=entry is None)]
    if as_json:
        screen.emit({"id": told["id"], "files": files})
    else:
        for file in files:
            screen.print(file)


def _document(screen: Screen, store: Store, due: Due, language: str) -> dict[str, Any]:
    from reports.formpage import document

    return document(store, due, screen.settings.duties.unit, language, screen.settings.reports.zone)


@click.command("release", help=say("cli.help.duty_release", HELP))
@click.argument("identity", metavar="ID")
@click.option("--file", "files", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help=say("duty.option.file", HELP))
@_spoken
@signs
@keeps
@speaks
def release(
    screen: Screen, identity: str, files: tuple[Path, ...], spoken: str | None, folder: Path | None, keys: Path | None, by: str | None, as_json: bool
) -> None:
    """Release a form, its pages and what goes with it, into the ledger."""
    from balefire.identities import who

    person, ledger = who(screen.settings, by), ledger_of(screen, folder)
    with closing(opened(screen)) as store:
        _sign(screen, store, one(store, identity), ledger, keys, spoken or screen.language, person, as_json, files=files)


def sign_asked(screen: Screen, store: Store, ledger: Ledger, keys: Path | None, identity: str, seal: str, by: str, as_json: bool) -> bool:
    """Sign the form whose release was asked for, in the language that it was seen in; False where that is no form. Raises StoreError for one that is not what
    was asked for, TransitionError for one that is not to be released.
    """
    from records.errors import StoreError
    from reports import formpage
    from reports.obliging import all_due

    due = next((each for each in all_due(store) if each.row["id"] == identity), None)
    if due is None:
        return False
    seen = (language for language in LANGUAGES if formpage.seal(_document(screen, store, due, language)) == seal)
    if (language := next(seen, None)) is None:
        raise StoreError("duty.changed", id=identity[:12])
    _sign(screen, store, due, ledger, keys, language, by, as_json, seal=seal)
    return True


def make_up(store: Store, ledger: Ledger) -> None:
    """Note in the store what was asked for and signed where that was cut off before."""
    from records.nesting import period
    from reports.obliging import all_due, recorded
    from reports.requesting import standings

    asked = standings(store)
    for due in all_due(store) if asked else ():
        if due.row["id"] in asked and due.row["status"] == "open" and (entry := ledger.released(due.row["id"])):
            signed = period(str(entry.body["time"]))
            recorded(store, due, entry, str(entry.body["by"]), signed[0] if signed else time.time_ns())


def _sign(
    screen: Screen,
    store: Store,
    due: Due,
    ledger: Ledger,
    keys: Path | None,
    language: str,
    by: str,
    as_json: bool,
    *,
    files: tuple[Path, ...] = (),
    seal: str = "",
) -> None:
    """Put a form and its pages into the ledger, and tell the receipt."""
    from tempfile import TemporaryDirectory

    from reports import formpage
    from reports.obliging import release as released
    from reports.pages import PAGES

    unit, zone, key = screen.settings.duties.unit, screen.settings.reports.zone, signing(screen, ledger, keys)
    with TemporaryDirectory() as into:

        def pages(told: dict[str, Any]) -> list[Path]:
            return [*formpage.write_pages(told, Path(into), PAGES, screen.unable), *files]

        receipt = released(store, due, ledger, key, unit, language, by, time.time_ns(), zone=zone, seal=seal, pages=pages)
    entry = ledger.path(int(receipt.split(":")[0]))
    if as_json:
        screen.emit({"id": due.row["id"], "status": "released", "receipt": receipt, "entry": str(entry)})
    else:
        screen.print(screen.say("duty.released", id=due.row["id"][:12], receipt=receipt))
