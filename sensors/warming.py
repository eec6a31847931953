"""Compile every kernel, several at a time: each task runs some of them on nothing, in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import struct
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from records.errors import InputError
from sensors.protocol import protocols
from sensors.sensor import Sensor
from sensors.sources import feeds, ring, shares
from sensors.sources.pcap import find, open_capture
from sensors.tied import tie

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

LOOK_S: Final = 0.2  # between looks at whether it is stopped
SELDOM: Final = (50_000, 20, 20)  # a compiler makes much that stays: to look it all through as often as Python would takes a tenth of the time
_FRAME: Final = bytes(60)
_CLASSIC: Final = struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1, 1, 0, len(_FRAME), len(_FRAME)) + _FRAME
_SECTION: Final = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
_INTERFACE: Final = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
_PACKET: Final = struct.pack("<IIIIIII", 6, 32 + len(_FRAME), 0, 0, 0, len(_FRAME), len(_FRAME)) + _FRAME + struct.pack("<I", 32 + len(_FRAME))


def compile_all() -> None:
    """Run every kernel once. What each task compiles is kept on disk, so that no other process has to."""
    sensor = Sensor("warm")
    tasks = [("kernel", number) for number in range(len(sensor.exercises()))]
    tasks += [("protocol", number) for number in range(len(protocols()))]
    with _stoppable() as stopped:
        _shared([*tasks, ("reader", 0), ("ring", 0)], stopped)


def _shared(tasks: Sequence[tuple[str, int]], stopped: Sequence[int]) -> None:
    """Have processes do these, as many as there are cores, until something is in `stopped`."""
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(tasks)), multiprocessing.get_context("spawn"), _begin) as pool:
        left, over = set[Future[None]](), False
        try:
            left.update(pool.submit(_compile, task) for task in tasks)
            while left and not stopped:
                done, left = wait(left, LOOK_S, FIRST_COMPLETED)
                for each in done:
                    each.result()
            over = not left
        except BrokenProcessPool as error:
            if not stopped:  # else one was told to end before it could leave that to this one
                raise InputError("warm.killed") from error
        finally:
            for process in () if over else multiprocessing.active_children():  # or it is waited for them, for minutes
                process.kill()


def _begin() -> None:
    """As one of them: it ends with who started it, who alone is told by Ctrl-C, or by what ends a whole group."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    tie(signal.SIGKILL)  # what it ignores would not end it
    gc.set_threshold(*SELDOM)


@contextmanager
def _stoppable() -> Generator[Sequence[int]]:
    """SIGTERM is noted, and ends this process as ever, but not before what the others share is taken away: Python would complain of it after the end."""
    stopped: list[int] = []
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield stopped
        return
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if stopped:
        gc.collect()  # it goes with the last that knows of it
        signal.raise_signal(signal.SIGTERM)


def load() -> None:
    """Take into memory what every packet goes through, so that the first one does not wait for it."""
    sensor = Sensor("warm")
    for exercise in sensor.exercises():
        exercise()
    _read(sensor)


def _compile(task: tuple[str, int]) -> None:
    kind, number = task
    sensor = Sensor("warm")
    if kind == "kernel":
        sensor.exercises()[number]()
    elif kind == "protocol":
        protocols()[number].dissect(sensor.memory, sensor.messages, sensor.which[:0], sensor.operations, 0, sensor.samples, 0, sensor.contexts, sensor.joints)
    elif kind == "ring":
        ring.prepare()
        shares.prepare()
        feeds.prepare()
    else:
        _read(sensor)


def _read(sensor: Sensor) -> None:
    """A capture of each format, of nothing but one packet."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("warm.pcap", _CLASSIC), ("warm.pcapng", _SECTION + _INTERFACE + _PACKET)):
            (Path(folder) / name).write_bytes(content)
        for capture in find([folder]):
            source = open_capture(capture)
            source.batch(sensor.arena, 0, sensor.packets)
            source.close()
