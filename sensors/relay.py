"""Tasks carried out in their order, beside those who give them: compiled kernels hold no lock of the interpreter, so that two of them run at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Thing = TypeVar("Thing")
THINGS: Final = 3  # one is filled, one is worked on, one waits


class Relay(Generic[Thing]):
    """Hands things on, and gets them back to be filled anew. What a task raises is raised by one of the next calls; `concurrent`: in a thread of its own."""

    def __init__(self, make: Callable[[], Thing], concurrent: bool) -> None:
        self._executor = ThreadPoolExecutor(1, "release") if concurrent else None
        self._tasks: deque[Future[None]] = deque()
        self._free: SimpleQueue[Thing] = SimpleQueue()
        self.things = tuple(make() for _ in range(THINGS if concurrent else 1))
        for thing in self.things:
            self._free.put(thing)

    def free(self) -> Thing:
        """A thing to be filled; waits until there is one."""
        while self._free.empty():
            self._tasks.popleft().result()
        return self._free.get()

    def give_back(self, thing: Thing) -> None:
        """It is free again."""
        self._free.put(thing)

    def do(self, task: Callable[[], None]) -> None:
        """Have this done after all that was given before."""
        if self._executor is None:
            task()
            return
        while self._tasks and self._tasks[0].done():
            self._tasks.popleft().result()
        self._tasks.append(self._executor.submit(task))

    def settle(self) -> None:
        """Return when all is done."""
        while self._tasks:
            self._tasks.popleft().result()

    def close(self) -> None:
        """Nothing more is given."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
