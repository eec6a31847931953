"""Whether what was stored is what was decided, and what was released is what was signed: the audit trail of a store, a ledger, a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from pathlib import Path

    from balefire.screen import Screen
    from reports.ledger import Receipt
    from reports.verifying import Verdict


@click.command(help=say("cli.help.verify", HELP))
@click.argument("path", metavar="STORE|FILE|DIR", required=False)
@click.option("--seal", "--receipt", "seals", multiple=True, metavar="N:HASH", help=say("cli.option.seal", HELP))
@click.option("--key", "keys", multiple=True, metavar="FILE|HEX", help=say("ledger.option.key", HELP))
@click.option("--some", is_flag=True, help=say("ledger.option.some", HELP))
@keeps
@speaks
def verify(screen: Screen, path: str | None, seals: tuple[str, ...], keys: tuple[str, ...], some: bool, as_json: bool) -> None:
    """Check what was released (a file, or a folder with entries of a ledger), else the audit trail of a store."""
    from reports.verifying import is_ledger

    if path and "://" not in path and is_ledger(expanded(path)):
        _released(screen, expanded(path), seals, keys, some, as_json)
    elif path and "://" not in path and not expanded(path).exists():
        raise UsageError("ledger.absent", path=path)
    elif keys or some:
        raise UsageError("ledger.nothing", path=path or screen.store)
    else:
        _trail(screen, path, seals, as_json)


def _trail(screen: Screen, path: str | None, seals: tuple[str, ...], as_json: bool) -> None:
    """Check that no entry of the trail was changed or taken out, and how it is sealed."""
    from records.store.decisions import Seal, broken, last

    noted = [Seal.read(seal) for seal in seals]
    if None in noted:
        raise UsageError("verify_seal", text=seals[noted.index(None)])
    screen.store = path or screen.store
    store = opened(screen)
    try:
        ends = last(store)
        at = next((found for seal in noted or [None] if (found := broken(store, seal)) is not None), None)
    finally:
        store.close()
    if at is None:
        words = screen.say("cli.verify.valid", count=f"{ends.number:,}", seal=ends) if ends else screen.say("cli.verify.empty")
    else:
        words = screen.say("cli.verify.broken", at=at)
        screen.worse(1)
    if as_json:
        screen.emit({"valid": at is None, "reason": words if at else None, "at": at, "seal": str(ends) if ends else None})
    else:
        screen.print(words)


def _receipts(texts: tuple[str, ...]) -> list[Receipt]:
    from reports.ledger import Receipt

    read = [(text, Receipt.read(text)) for text in texts]
    if bad := [text for text, receipt in read if receipt is None]:
        raise UsageError("ledger.receipt", text=bad[0])
    return [receipt for _text, receipt in read if receipt]


def _released(screen: Screen, path: Path, receipts: tuple[str, ...], keys: tuple[str, ...], some: bool, as_json: bool) -> None:
    """Check what was signed. Keys: as given, else as set, else those kept on this machine, else the one told beside, which is said."""
    from reports.keys import held, read_public
    from reports.verifying import verify as verified

    given = keys or screen.settings.ledger.public or tuple(held(screen.settings.ledger.keys_place()))
    verdict = verified(path, [read_public(each) for each in given], _receipts(receipts), some=some)
    words = screen.say(f"verify.{verdict.problem}", **_spoken(screen, verdict.values)) if verdict.problem else None
    if not verdict.valid:
        screen.worse(1)
    if as_json:
        ends = {"receipt": str(verdict.receipt) if verdict.receipt else None, "entries": verdict.entries}
        about = {"keys": sorted(verdict.keys), "trust": verdict.trust, "absent": verdict.absent, "missing": verdict.missing, "unnamed": verdict.unnamed}
        screen.emit({"valid": verdict.valid, "reason": words, "at": verdict.at, **ends, **about})
        return
    screen.print(
        screen.say(f"verify.{'broken' if verdict.judged else 'unjudged'}", at=verdict.at, reason=words)
        if words
        else screen.count("verify.valid", verdict.entries, receipt=verdict.receipt)
    )
    _remarks(screen, verdict)


def _spoken(screen: Screen, values: dict[str, object]) -> dict[str, object]:
    from records.errors import BalefireError

    return {name: value.text(screen.language) if isinstance(value, BalefireError) else value for name, value in values.items()}


def _remarks(screen: Screen, verdict: Verdict) -> None:
    """What was not looked at, and by whose key it was judged."""
    if verdict.missing and verdict.valid:
        screen.note(screen.say("verify.gaps", numbers=", ".join(map(str, verdict.missing[:12])), count=len(verdict.missing)))
    if verdict.absent:
        screen.note(screen.say("verify.absent", names=", ".join(verdict.absent)))
    if verdict.unnamed:
        screen.note(screen.count("verify.unnamed", len(verdict.unnamed), name=verdict.unnamed[0]))
    if verdict.trust == "beside" and verdict.keys:  # what is no entry tells none
        screen.note(screen.say("verify.beside", public=", ".join(sorted(verdict.keys))))
