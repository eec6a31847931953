"""Whether what was stored is what was decided: the audit trail of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from balefire.command import HELP, speaks
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen


@click.command(help=say("cli.help.verify", HELP))
@click.argument("path", metavar="STORE")
@speaks
def verify(screen: Screen, path: str, as_json: bool) -> None:
    """Check that no entry of the trail was changed, or taken out before the last."""
    from balefire.command import opened
    from records.store.decisions import broken

    screen.store = path
    store = opened(screen)
    try:
        at = broken(store)
    finally:
        store.close()
    reason = None if at is None else screen.say("cli.verify.broken", at=at)
    if at is not None:
        screen.worse(1)
    if as_json:
        screen.emit({"valid": at is None, "reason": reason, "at": at})
    else:
        screen.print(reason or screen.say("cli.verify.valid"))
