"""One thread makes, another uses."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from balefire.ahead import PAUSED_S, ahead, due_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensors.sources.files import Pipe


def engines() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "engine"]


def test_all_items_come_in_order() -> None:
    assert list(ahead(lambda _check: iter(range(1000)))) == list(range(1000))
    assert engines() == []


def test_what_goes_wrong_comes_after_what_came_before() -> None:
    def make(_check: Callable[[], None]) -> Iterator[int]:
        yield 1
        raise OSError("no more")

    items = ahead(make)
    assert next(items) == 1
    with pytest.raises(OSError, match="no more"):
        next(items)
    assert engines() == []


def test_it_is_only_so_far_ahead() -> None:
    made: list[int] = []

    def make(_check: Callable[[], None]) -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = ahead(make, most=2)
    next(items)
    time.sleep(0.3)
    assert len(made) <= 4
    assert list(items) == list(range(1, 100))


def test_what_is_done_meanwhile_does_not_wait_for_the_first_item() -> None:
    done = threading.Event()

    def make(_check: Callable[[], None]) -> Iterator[bool]:
        yield done.wait(10)

    assert list(ahead(make, meanwhile=done.set)) == [True]


def test_what_goes_wrong_meanwhile_ends_the_thread() -> None:
    def fail() -> None:
        raise OSError("no rules")

    with pytest.raises(OSError, match="no rules"):
        list(ahead(lambda _check: iter(range(10)), meanwhile=fail))
    assert engines() == []


def test_nothing_comes_for_a_while() -> None:
    go_on = threading.Event()

    def make(_check: Callable[[], None]) -> Iterator[int]:
        yield 1
        go_on.wait(10)
        yield 2

    items = ahead(make, every=0.01)
    assert [next(items), next(items), next(items)] == [1, None, None]
    go_on.set()
    assert [item for item in items if item is not None] == [2]


def test_nobody_wants_more() -> None:
    ended = threading.Event()

    def make(check: Callable[[], None]) -> Iterator[int]:
        try:
            yield 1
            while True:
                time.sleep(0.001)
                check()
        finally:
            ended.set()

    turn = sys.getswitchinterval()
    items = ahead(make)
    assert next(items) == 1
    items.close()
    assert ended.is_set()
    assert engines() == []
    assert sys.getswitchinterval() == turn


def test_a_row_after_a_pause_is_handed_on_at_once_and_those_behind_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing waits, it is looked at once a second; where more can be read at once, that is done first."""

    class Line:
        busy = False

        def ready(self) -> bool:
            return self.busy

    line, now = Line(), [100.0]
    monkeypatch.setattr("balefire.ahead.time.monotonic", lambda: now[0])
    due = due_of(cast("Pipe", cast("Any", line)))

    def after(seconds: float, waits: bool) -> bool:
        now[0] += seconds
        return due(lambda: waits)

    assert [after(0, waits=False), after(0.3, waits=False), after(0.1, waits=True), after(0.1, waits=True)] == [True, False, True, False]
    assert [after(PAUSED_S - 0.2, waits=True), after(0.2, waits=True)] == [False, True]
    assert [after(PAUSED_S, waits=False), after(0.5, waits=False)] == [True, False]
    line.busy = True
    assert not after(0.1, waits=True)
