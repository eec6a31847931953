"""What is released is noted for whom the file of ways names (`gets`); `balefire deliver run` sends it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import BalefireError

if TYPE_CHECKING:
    from collections.abc import Generator

    from balefire.screen import Screen
    from reports.ledger import Ledger


@contextmanager
def posting(screen: Screen, ledger: Ledger) -> Generator[None]:
    """Note what is released in the block, where any way is set up. What hinders that hinders no release: it is said, and the next run of `deliver` makes up."""
    follow(screen, ledger)
    yield
    follow(screen, ledger)


def follow(screen: Screen, ledger: Ledger) -> None:
    """Note what was released since, and say where each entry goes."""
    told = screen.settings.delivery
    if not told.file:
        return
    from reports.deliver import Post, ways

    try:
        noted = Post(told.post_place()).follow(ledger, ways(Path(told.file).expanduser()), time.time())
    except BalefireError as error:
        screen.fail(error)
        return
    for number, names in noted.items():
        screen.note(screen.say("deliver.follows", number=number, names=", ".join(names)))
