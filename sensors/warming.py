"""Compile every kernel, several at a time: each task runs some of them on nothing, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import struct
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from sensors.protocol import protocols
from sensors.sensor import Sensor
from sensors.sources import feeds, ring, shares
from sensors.sources.pcap import find, open_capture
from sensors.tied import tie

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
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(tasks)), multiprocessing.get_context("spawn"), tie) as pool:  # or it goes on for minutes
        list(pool.map(_compile, [*tasks, ("reader", 0), ("ring", 0)]))


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
