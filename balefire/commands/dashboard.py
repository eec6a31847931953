"""The dashboard, served on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen


@click.command(help=say("cli.help.dashboard", HELP))
@keeps
@click.option("--port", type=click.IntRange(1, 65535), help=say("cli.option.port", HELP))
@speaks
def dashboard(screen: Screen, port: int | None, as_json: bool) -> None:
    """Serve the pages until Ctrl-C."""
    serve(screen, port or screen.settings.dashboard.port, as_json)


def serve(screen: Screen, port: int, as_json: bool = False) -> None:
    """Serve the store's pages on 127.0.0.1 until Ctrl-C; once they answer, say where."""
    from balefire.identities import who
    from balefire.screen import to_json
    from dashboards.serve import MEBIBYTES, environment
    from dashboards.serve import serve as listen

    opened(screen).close()  # what is wrong with the store is said here, not on an empty page
    address = f"http://127.0.0.1:{port}"
    ready = f"1 {to_json({'address': address, 'store': screen.store})}" if as_json else f"2 {screen.say('cli.dashboard', address=address)}"
    settings = screen.settings
    told = environment(screen.store, screen.language, who(settings, None), settings.dashboard.hosts, ready)
    listen(port, told | {MEBIBYTES: str(settings.dissection.mebibytes)})
