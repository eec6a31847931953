"""A store that is away, or whose disk is full, when something starts that cannot do without: it is tried again until it is there.

What is wrong with one that is there ends it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from records.errors import StoreError
from records.store.contract import ABSENT, AWAY, FULL

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from records.store.contract import Store

T = TypeVar("T")
RETRY_S: Final = 2.0  # between two tries
LOOK_S: Final = 0.1  # how soon it is seen that nobody waits any more


def awaited(screen: Screen, over: Callable[[], bool], away: Callable[[], None] = lambda: None) -> Store:
    """The store, open to write, once it is there; `away` is called when it is not, before it is waited for. Raises StoreError, also where it is `over`."""
    from records.store import open_store

    return answered(lambda: open_store(screen.store, write=True), screen.tell, over, away)


def answered(question: Callable[[], T], note: Callable[[str, dict[str, object]], None], over: Callable[[], bool], away: Callable[[], None] = lambda: None) -> T:
    """What a store answers, once it is there: while it is away the question is put anew. `note` is told that, the rest is as above."""
    said = False
    while True:
        try:
            answer = question()
        except StoreError as error:
            if error.key not in AWAY | {FULL}:
                raise
            if not said:
                note("cli.spool.absent", {"problem": error})
                away()
            said = True
            if _passed(over):
                raise StoreError("spool.unheard", problem=error) from error
        else:
            if said:
                note("cli.spool.there", {})
            return answer


def _passed(over: Callable[[], bool]) -> bool:
    """Wait until the next try; whether it was over before."""
    end = time.monotonic() + RETRY_S
    while time.monotonic() < end and not over():
        time.sleep(LOOK_S)
    return over()


def quiet(opened: Callable[[], Store]) -> None:
    """Wait, without a word, until there is a store: who judges says that it is away, and makes it. Raises what is wrong with one that is there."""
    while True:
        try:
            opened().close()
        except StoreError as error:
            if error.key not in AWAY | ABSENT | {FULL}:
                raise
        else:
            return
        time.sleep(RETRY_S)
