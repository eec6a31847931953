"""Tasks beside those who give them: in their order, each thing used by one at a time, and no error lost."""

from __future__ import annotations

import threading
import time

import pytest

from sensors.relay import THINGS, Relay


@pytest.mark.parametrize("concurrent", [False, True])
def test_tasks_are_done_in_their_order(concurrent: bool) -> None:
    relay: Relay[list[int]] = Relay(list, concurrent)
    done: list[int] = []
    for number in range(100):
        thing = relay.free()
        thing[:] = [number]

        def task(thing: list[int] = thing) -> None:
            done.extend(thing)
            relay.give_back(thing)

        relay.do(task)
    relay.settle()
    relay.close()
    assert done == list(range(100))


def test_nobody_gets_a_thing_that_is_still_worked_on() -> None:
    relay: Relay[list[int]] = Relay(list, concurrent=True)
    go = threading.Event()
    given = [relay.free() for _ in range(THINGS)]
    assert len({id(thing) for thing in given}) == THINGS

    def task() -> None:
        go.wait()
        relay.give_back(given[0])

    relay.do(task)
    threading.Timer(0.05, go.set).start()
    start = time.monotonic()
    assert relay.free() is given[0]
    assert time.monotonic() - start >= 0.04
    relay.close()


@pytest.mark.parametrize("how", ["free", "do", "settle"])
def test_what_a_task_raises_is_raised_where_they_are_given(how: str) -> None:
    relay: Relay[list[int]] = Relay(list, concurrent=True)
    given = [relay.free() for _ in range(THINGS)]

    def fails() -> None:
        raise ValueError("lost")

    relay.do(fails)
    time.sleep(0.05)
    with pytest.raises(ValueError, match="lost"):
        {"free": relay.free, "do": lambda: relay.do(fails), "settle": relay.settle}[how]()
    assert given
    relay.close()


def test_without_a_thread_a_task_is_done_at_once_and_its_error_comes_at_once() -> None:
    relay: Relay[list[int]] = Relay(list, concurrent=False)
    where: list[str] = []
    relay.do(lambda: where.append(threading.current_thread().name))
    assert where == [threading.current_thread().name]

    def fails() -> None:
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        relay.do(fails)
