"""People are told of alerts, in a process of its own."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import StoreError, UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from reports.notifying import Wish


@click.command(help=say("cli.help.notify", HELP))
@click.option("--every", type=click.IntRange(1, 86_400), metavar="SECONDS", help=say("deliver.option.every", HELP))
@keeps
@speaks
def notify(screen: Screen, every: int | None, as_json: bool) -> None:
    """Tell what is new: once, or again and again until it is ended."""
    from balefire.schedule import repeated
    from records.store.contract import AWAY
    from records.store.examining import alerts_left
    from reports.notifying import Notifier, targets

    wanted = screen.settings.notification
    if not wanted.addresses:
        raise UsageError("notify.unset")
    addresses = expanded(wanted.addresses)
    screen.exposed(addresses)
    notifier = Notifier(screen.settings.delivery.post_place(), _wish(screen), screen.language, targets(addresses))

    def look() -> dict[str, int]:
        try:
            store = opened(screen)
        except StoreError as error:
            if error.key not in AWAY:
                raise
            screen.fail(error)  # what is judged meanwhile waits beside it, and nobody else tells of it
            return notifier.tell(alerts_left(screen.store), time.time())
        with closing(store):
            return notifier.look(store, time.time())

    def once() -> None:
        told = look()
        if as_json:
            screen.emit({"told": sum(max(0, count) for count in told.values()), "failed": sum(count < 0 for count in told.values())})
        for count in told.values():
            if count < 0:
                screen.note(screen.say("notify.failed"))
                screen.worse(1)
            elif count and not as_json:
                screen.print(screen.count("notify.told", count))

    repeated(screen, every, once)


def _wish(screen: Screen) -> Wish:
    from datetime import time as clock

    from reports.notifying import Wish

    told = screen.settings.notification
    begins, _sign, ends = told.quiet.partition("-")
    return Wish(told.severity, told.urgent, told.hourly, (clock.fromisoformat(begins), clock.fromisoformat(ends)) if ends else None, told.zone)
