"""What one thread makes and another uses: kernels hold no lock of the interpreter, so the engine goes on while what it gave is judged and stored."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sensors.sources.files import Pipe

Item = TypeVar("Item")

PAUSE_S: Final = 0.05  # between looks at whether to stop
COMMIT_S: Final = 1.5  # what goes on without end is handed on as often as this; where it pauses, sooner
PAUSED_S: Final = 1.0


class UnwantedError(Exception):
    """Nobody wants more."""


def ahead(
    make: Callable[[Callable[[], None]], Iterator[Item]], most: int = 3, every: float | None = None, meanwhile: Callable[[], None] = lambda: None
) -> Generator[Item | None]:
    """The items of `make(check)`, which runs in a thread, at most `most` items ahead; what it raises is raised here.

    Where nothing comes for `every` seconds, that is told by None, so that whoever waits can look at something else. `meanwhile` is done once the thread runs.

    `check` raises UnwantedError when the items are no longer wanted; `make` calls it as often as it can.
    """
    handed: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(most)
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise UnwantedError

    def hand(item: Item | None, error: BaseException | None) -> None:
        while True:
            check()
            try:
                return handed.put((item, error), timeout=PAUSE_S)
            except queue.Full:
                pass

    def run() -> None:
        try:
            for item in make(check):
                hand(item, None)
            hand(None, StopIteration())
        except UnwantedError:
            pass
        except BaseException as error:
            hand(None, error)

    thread = threading.Thread(target=run, name="engine", daemon=True)
    thread.start()
    try:
        meanwhile()
        while True:
            try:
                item, error = handed.get(timeout=every)
            except queue.Empty:
                yield None
                continue
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()
        thread.join()


def due_of(pipe: Pipe) -> Callable[[Callable[[], bool]], bool]:
    """Is it time to hand on what was released? Asked after every batch of a pipe, with what tells whether a row waits: the first after a pause goes at once."""
    last = handed = 0.0

    def due(waits: Callable[[], bool]) -> bool:
        nonlocal last, handed
        now, busy = time.monotonic(), pipe.ready()
        if now - last < (COMMIT_S if busy else PAUSED_S) and (busy or now - handed < PAUSED_S or not waits()):
            return False
        last, handed = now, now if waits() else handed
        return True

    return due
