"""Keys that reports are signed with: made, rotated, revoked. Each of it is an entry of the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from reports.keys import Key
    from reports.ledger import Entry, Ledger


@click.group(help=say("cli.help.key", HELP))
def key() -> None:
    """Hold the commands about keys."""


def signs(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command where ledger and keys are, and who does it."""
    for option in (
        click.option("--by", metavar="NAME", help=say("cli.option.by", HELP)),
        click.option("--keys", type=click.Path(path_type=Path), metavar="DIR", help=say("ledger.option.keys", HELP)),
        click.option("--ledger", "folder", type=click.Path(path_type=Path), metavar="DIR", help=say("ledger.option.ledger", HELP)),
    ):
        function = option(function)
    return function


def ledger_of(screen: Screen, folder: Path | None) -> Ledger:
    """The ledger of an option, else of the settings."""
    from reports.ledger import Ledger

    return Ledger(folder or screen.settings.ledger.ledger_place())


def words_of(screen: Screen) -> str:
    """The passphrase of the private keys."""
    from reports.keys import passphrase, passphrase_file

    screen.exposed(passphrase_file(os.environ, screen.settings.ledger.passphrase_file))
    return passphrase(os.environ, screen.settings.ledger.passphrase_file)


def signing(screen: Screen, ledger: Ledger, keys: Path | None) -> Key:
    """The key whose turn it is to sign. Raises UsageError where there is none, or it is not here."""
    from reports.keys import load

    public = ledger.signer()
    if public is None:
        raise UsageError("ledger.no_key")
    return load(keys or screen.settings.ledger.keys_place(), public, words_of(screen))


def _entered(screen: Screen, ledger: Ledger, signer: Key, by: str | None, document: dict[str, Any]) -> Entry:
    import time

    from balefire.identities import who
    from records.nesting import iso

    return ledger.release(signer, document, (), by=who(screen.settings, by), time=iso(time.time_ns()), kind="key")


def _told(screen: Screen, entry: Entry, as_json: bool) -> None:
    action, public = entry.body["document"]["action"], entry.body["document"]["key"]
    if as_json:
        screen.emit({"action": action, "key": public, "signed_by": entry.body["key"], "number": entry.number, "receipt": str(entry.receipt)})
    else:
        screen.print(screen.say(f"ledger.key.{action}", public=public, number=entry.number))
        if action != "revoke":
            screen.note(screen.say("ledger.key.hand_over"))


@key.command("make", help=say("cli.help.key_make", HELP))
@signs
@speaks
def make(screen: Screen, folder: Path | None, keys: Path | None, by: str | None, as_json: bool) -> None:
    """Make the first key, or the next one where the last was revoked."""
    from reports.keys import make as made

    ledger = ledger_of(screen, folder)
    if turn := ledger.signer():
        raise UsageError("key.there", public=turn[:16])
    new = made(keys or screen.settings.ledger.keys_place(), words_of(screen))
    _told(screen, _entered(screen, ledger, new, by, {"action": "make", "key": new.public}), as_json)


@key.command("rotate", help=say("cli.help.key_rotate", HELP))
@signs
@speaks
def rotate(screen: Screen, folder: Path | None, keys: Path | None, by: str | None, as_json: bool) -> None:
    """Let a new key sign from here on; the one before says so with its last signature, and the new one with its first, so that the ledger verifies with it."""
    from reports.keys import make as made

    ledger = ledger_of(screen, folder)
    old = signing(screen, ledger, keys)
    new = made(keys or screen.settings.ledger.keys_place(), words_of(screen))
    entry = _entered(screen, ledger, old, by, {"action": "rotate", "key": new.public})
    _entered(screen, ledger, new, by, {"action": "make", "key": new.public})
    _told(screen, entry, as_json)


@key.command("revoke", help=say("cli.help.key_revoke", HELP))
@click.argument("public", metavar="KEY")
@click.option("--reason", required=True, metavar="TEXT", help=say("ledger.option.reason", HELP))
@signs
@speaks
def revoke(screen: Screen, public: str, reason: str, folder: Path | None, keys: Path | None, by: str | None, as_json: bool) -> None:
    """Say that a key counts no more from here on."""
    ledger = ledger_of(screen, folder)
    known = {str(each.body["document"]["key"]) for each in ledger.key_entries()}
    meant = [each for each in known if public and each.startswith(public.strip().lower())]
    if len(meant) != 1:
        raise UsageError("key.unknown", public=public, known=", ".join(sorted(each[:16] for each in known)) or "–")
    _told(screen, _entered(screen, ledger, signing(screen, ledger, keys), by, {"action": "revoke", "key": meant[0], "reason": reason}), as_json)


@key.command("list", help=say("cli.help.key_list", HELP))
@signs
@speaks
def listed(screen: Screen, folder: Path | None, keys: Path | None, by: str | None, as_json: bool) -> None:
    """List every key that the ledger knows or that is kept here, and what became of it."""
    from balefire.screen import table
    from reports.keys import held

    del by
    ledger, here = ledger_of(screen, folder), held(keys or screen.settings.ledger.keys_place())
    rows: dict[str, dict[str, Any]] = {each: {"key": each, "since": None, "standing": "unused", "number": None} for each in here}
    for entry in ledger.key_entries():
        public, action = str(entry.body["document"]["key"]), entry.body["document"]["action"]
        if action == "rotate":
            rows[str(entry.body["key"])]["standing"] = "retired"
        row = rows.setdefault(public, {"key": public, "since": None, "standing": "", "number": None})
        row |= {"standing": "revoked"} if action == "revoke" else {"since": entry.body["time"], "number": entry.number, "standing": "signs"}
    for row in rows.values():
        row["here"] = row["key"] in here
        if as_json:
            screen.emit(row)
    if as_json:
        return
    if not rows:
        screen.note(screen.say("cli.nothing"))
        return
    names = ("key", "standing", "since", "number", "here")
    shown = [
        [row["key"], screen.say(f"ledger.standing.{row['standing']}"), row["since"], row["number"], screen.say(f"ledger.here.{'yes' if row['here'] else 'no'}")]
        for row in rows.values()
    ]
    screen.print(table([(screen.say(f"ledger.column.{name}"), name == "number") for name in names], shown))
