"""`balefire store housekeep`: housekeeping without a sensor."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen


@click.command(help=say("cli.help.store_housekeep", HELP))
@click.option("--once", is_flag=True, help=say("cli.option.once", HELP))
@click.option("--patient", is_flag=True, hidden=True)
@keeps
@speaks
def housekeep(screen: Screen, once: bool, patient: bool, as_json: bool) -> None:
    """Do what is due now and, unless `once`, what falls due until SIGINT or SIGTERM. `patient`: as soon as there is a store."""
    from balefire.awaiting import quiet
    from balefire.schedule import Housekeeper, for_a_while, started
    from records.store import open_store

    if patient:
        quiet(lambda: open_store(screen.store))
    opened(screen).close()  # what is wrong with the store is said at once, and one that is not there is not made
    over = threading.Event() if once else _told_to_end()  # what is being done then is finished first
    keeper = Housekeeper(screen, lambda: for_a_while(screen))
    well = keeper.look()
    if once and well and not as_json:
        screen.print(screen.say("cli.housekeeping.once", jobs=_last(screen)))
    elif once and not well:
        screen.worse(4)
    if not once:
        scheduler = started(keeper)
        over.wait()
        scheduler.shutdown()
    if as_json:
        _told(screen)


def _told_to_end() -> threading.Event:
    """Set by SIGINT or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: over.set())
    return over


def _last(screen: Screen) -> str:
    """What there is to keep, and when it was last done."""
    from balefire.schedule import told

    with closing(opened(screen)) as found:
        last = told(found)
    never = screen.say("cli.housekeeping.never")
    moments = {name: screen.say("cli.housekeeping.last", moment=when[:16].replace("T", " ")) if when else never for name, when in last.items()}
    return " · ".join(f"{screen.say(f'cli.housekeeping.jobs.{name}')}: {moment}" for name, moment in moments.items())


def _told(screen: Screen) -> None:
    from balefire.schedule import told

    with closing(opened(screen)) as found:
        screen.emit({"store": screen.store, "housekeeping": told(found)})
