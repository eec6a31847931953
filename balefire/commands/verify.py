"""Whether what was stored is what was decided: the audit trail of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen


@click.command(help=say("cli.help.verify", HELP))
@click.argument("path", metavar="STORE", required=False)
@click.option("--seal", metavar="N:HASH", help=say("cli.option.seal", HELP))
@keeps
@speaks
def verify(screen: Screen, path: str | None, seal: str | None, as_json: bool) -> None:
    """Check that no entry of the trail was changed or taken out, and how it is sealed."""
    from records.store.decisions import Seal, broken, last

    noted = Seal.read(seal) if seal is not None else None
    if seal is not None and noted is None:
        raise UsageError("verify_seal", text=seal)
    screen.store = path or screen.store
    store = opened(screen)
    try:
        ends, at = last(store), broken(store, noted)
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
