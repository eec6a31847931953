"""What a listener hands on: held while nobody takes it, once more to who comes after one that was killed, and told where there was no room."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from sensors.engine.tables import PACKET, table
from sensors.listening import Listening
from sensors.outlet import FROM_HERE, HELLO, INTERFACES, LENGTH, OVER, STATISTICS, Outlet
from sensors.pcapng import Interface, Packet, Statistics, Writer
from sensors.sources.interfaces import OURS
from sensors.sources.line import Line
from sensors.sources.packetsocket import BLOCK
from sensors.sources.pcap import find, open_capture
from sensors.sources.ring import Rings
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

SECOND: Final = 1_000_000_000
BEGUN: Final = 1_700_000_000 * SECOND
FACE: Final = Interface("in0", 1, 0)


class Hearing:
    """Who puts packets and statistics into an outlet, as a listener does. `now`: seconds since it began, also by its clock."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet, self.taken, self.now = outlet, 0, 0
        self._file = io.BytesIO()
        self._writer = Writer(self._file)
        self._statistics = Statistics()
        outlet.put(self._new(lambda: self._writer.number(FACE)), INTERFACES)

    def _new(self, write: Callable[[], object]) -> bytes:
        before = self._file.tell()
        write()
        return self._file.getvalue()[before:]

    def hear(self, packets: int = 1, dropped: int = 0) -> None:
        """So many packets, a second later what was dropped so far, and another second."""
        for _ in range(packets):
            self.taken += 1
            octets = self.taken.to_bytes(4) * 100
            packet = Packet(BEGUN + self.now * SECOND + self.taken, 400, octets, FACE)
            self.outlet.put(self._new(lambda packet=packet: self._writer.add(packet)))
        self.now += 1
        self.outlet.put(self._statistics.at(BEGUN + self.now * SECOND, [(self.taken, dropped, 0)]), STATISTICS)
        self.outlet.tend()
        self.now += 1


def runs() -> Callable[[], bytes]:
    """What each capture begins with: a run called by its number."""

    def begins() -> Iterator[bytes]:
        number = 0
        while True:
            file = io.BytesIO()
            Writer(file, comment=f"run {number}", application=OURS.decode())
            yield file.getvalue()
            number += 1

    return begins().__next__


def read(path: Path, content: bytes) -> tuple[list[int], int]:
    """The packets of a capture, by their numbers in the order of hearing, and how many it says were dropped; it has no fault."""
    path.write_bytes(content)
    (capture,) = find([str(path)])
    source, found, dropped, count = open_capture(capture), list[int](), 0, 1
    memory, packets = np.zeros(1 << 20, np.uint8), table(1 << 12, PACKET)
    while count:
        count = source.batch(memory, 0, packets)
        found += [int.from_bytes(memory[packet.at : packet.at + 4].tobytes()) for packet in packets[:count]]
        dropped += sum(drop.packets for drop in source.drops)
    source.close()
    assert source.error is None
    return found, dropped


@contextmanager
def at_a_door(tmp_path: Path, most: int = 1 << 20) -> Generator[tuple[Outlet, str]]:
    with socket.socket(socket.AF_UNIX) as door:
        place = str(tmp_path / "door")
        door.bind(place)
        door.listen()
        outlet = Outlet(runs(), door=door, most=most)
        yield outlet, place
        outlet.close()


class Reader:
    """One that may be killed at any time."""

    def __init__(self, place: str, stored: int = 0) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(place)
        self.line.sendall(HELLO.pack(stored))
        self.octets = b""

    def take(self, outlet: Outlet) -> bool:
        """All whole frames that there are; whether the last of them was the last of all."""
        self.line.setblocking(False)
        came = b""
        for _ in range(50):
            outlet.tend()
            try:
                came += self.line.recv(1 << 20)
            except BlockingIOError:
                break
        while came:
            (length,) = LENGTH.unpack_from(came)
            self.octets += came[4 : 4 + length]
            came = came[4 + length :]
            if not length:
                return True
        return False


def test_what_nobody_takes_is_held_and_what_there_is_no_room_for_is_told(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    outlet = Outlet(runs(), writer, most=100_000)
    hearing = Hearing(outlet)
    for _ in range(100):
        hearing.hear(10, dropped=7)
    assert not outlet.has_room()
    assert outlet.shed[0] > 500
    content = b""

    def take() -> None:
        nonlocal content
        while piece := os.read(reader, 1 << 16):
            content += piece

    taking = threading.Thread(target=take)
    taking.start()
    outlet.block()
    hearing.hear(10, dropped=7)
    assert outlet.finish() == 0
    os.close(writer)
    taking.join()
    os.close(reader)
    found, dropped = read(tmp_path / "told.pcapng", content)
    assert found == [number for number in range(1, 1011) if number in set(found)]
    assert (found[0], found[-1]) == (1, 1010)
    assert dropped == 7 + outlet.shed[0] == 7 + 1010 - len(found)


def test_who_comes_after_one_that_was_killed_gets_what_it_had_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is stored; what was dropped before is not told again."""
    with at_a_door(tmp_path) as (outlet, place):
        hearing = None
        monkeypatch.setattr(time, "time_ns", lambda: BEGUN + (hearing.now * SECOND if hearing else 0))
        hearing = Hearing(outlet)
        hearing.hear(2)
        first = Reader(place)
        first.take(outlet)
        hearing.hear(3, dropped=5)
        hearing.hear(4, dropped=9)
        first.take(outlet)
        first.line.close()
        hearing.hear(1, dropped=9)
        second = Reader(place, BEGUN + 4 * SECOND)
        second.take(outlet)
        second.line.close()
        third = Reader(place, FROM_HERE)  # it lost but the line
        hearing.hear(1, dropped=10)
        third.take(outlet)
        assert outlet.finish() == 0
        assert third.take(outlet)
        third.line.close()
    assert read(tmp_path / "first.pcapng", first.octets) == (list(range(1, 10)), 9)
    assert read(tmp_path / "second.pcapng", second.octets) == ([6, 7, 8, 9, 10], 4)
    assert read(tmp_path / "third.pcapng", third.octets) == ([11], 1)
    assert b"run 0" in third.octets


def test_who_comes_after_one_that_ended_in_order_goes_on_behind_it(tmp_path: Path) -> None:
    with at_a_door(tmp_path) as (outlet, place):
        hearing = Hearing(outlet)
        hearing.hear(3, dropped=2)
        first = Reader(place)
        first.line.send(OVER)
        assert first.take(outlet)
        first.line.close()
        hearing.hear(2, dropped=3)
        second = Reader(place)
        second.take(outlet)
        second.line.close()
    assert read(tmp_path / "first.pcapng", first.octets) == ([1, 2, 3], 2)
    assert read(tmp_path / "second.pcapng", second.octets) == ([4, 5], 1)
    assert (b"run 0" in first.octets, b"run 1" in second.octets) == (True, True)


def test_what_nobody_reads_is_bounded_and_said(tmp_path: Path) -> None:
    with at_a_door(tmp_path, most=10_000) as (outlet, _):
        hearing = Hearing(outlet)
        hearing.hear(1000)
        outlet.block()
        assert 10_000 <= outlet.finish() < 11_000
        assert outlet.shed[0] > 900


def test_time_that_passes_while_nobody_reads_takes_little_room(tmp_path: Path) -> None:
    """A statistics of each minute, and nothing of what the others said is lost."""
    with at_a_door(tmp_path) as (outlet, place):
        hearing, told, begun = Hearing(outlet), Statistics(), BEGUN // (60 * SECOND) * 60 * SECOND
        for second in range(3600):
            outlet.put(told.at(begun + second * SECOND, [(1, second, SECOND // 10)]), STATISTICS)
        assert outlet.finish() < 60 * 250
        line = Line(place, 0, lasts=False)
        with closing(line.file):
            end = time.monotonic() + 10
            while not outlet._met and time.monotonic() < end:  # pyright: ignore[reportPrivateUsage]
                outlet.tend()
            hearing.hear(1, dropped=3600)
            outlet.block()
            outlet.close()
            (tmp_path / "told.pcapng").write_bytes(line.file.read())
    (capture,) = find([str(tmp_path / "told.pcapng")])
    source, dark, dropped, count = open_capture(capture), 0, 0, 1
    while count:
        count = source.batch(np.zeros(1 << 20, np.uint8), 0, table(64, PACKET))
        dark += sum(tick.dark for tick in source.ticks)
        dropped += sum(drop.packets for drop in source.drops)
    source.close()
    assert (dark, dropped) == (3600 * (SECOND // 10), 3600)


def test_a_line_that_does_not_last_ends_with_its_listener(tmp_path: Path) -> None:
    with at_a_door(tmp_path) as (outlet, place):
        line = Line(place, 0, lasts=False)
        with closing(line.file):
            hearing = Hearing(outlet)
            end = time.monotonic() + 10
            while not outlet._met and time.monotonic() < end:  # pyright: ignore[reportPrivateUsage]
                outlet.tend()
            hearing.hear(3)
            outlet.block()
            outlet.close()
            assert read(tmp_path / "told.pcapng", line.file.read()) == ([1, 2, 3], 0)


def test_a_line_reads_on_where_another_listener_takes_over(tmp_path: Path) -> None:
    """Both are one capture of two sections; a frame that was cut off is not there."""
    place = str(tmp_path / "door")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen()
        line = Line(place, 0)
        with closing(line.file):
            for number, packets in enumerate((3, 2)):
                copy = door.dup()
                outlet = Outlet(runs(), door=copy)
                hearing = Hearing(outlet)
                end = time.monotonic() + 10
                while not outlet._met and time.monotonic() < end:  # pyright: ignore[reportPrivateUsage]
                    outlet.tend()
                hearing.hear(packets)
                if number:
                    outlet.block()
                    assert outlet.finish() == 0
                else:
                    os.write(outlet.waits()[0][0], LENGTH.pack(100) + b"cut off")
                outlet.close()
                copy.close()
            content = line.file.read()
    assert read(tmp_path / "told.pcapng", content) == ([1, 2, 3, 1, 2], 0)


def test_a_reader_that_falls_behind_is_told_so_and_one_that_catches_up_is_not(tmp_path: Path) -> None:
    """Before anything is shed, until a quarter is left; of much that was held for one who comes, nothing is to be let go."""
    file, second = io.BytesIO(), Statistics()
    writer = Writer(file)
    writer.number(FACE)
    before = file.tell()
    writer.add(Packet(BEGUN, 400, bytes(400), FACE))
    block = file.getvalue()[before:]

    def hear(packets: int) -> bool:
        outlet.put(block * packets)
        outlet.put(second.at(BEGUN, [(0, 0, 0)]), STATISTICS)
        return outlet.pressed

    def drain() -> None:
        with suppress(BlockingIOError):
            while True:
                outlet.tend()
                reader.line.recv(1 << 20)

    with at_a_door(tmp_path, most=1 << 20) as (outlet, place):
        for _ in range(10):
            hear(200)
        reader = Reader(place)
        with closing(reader.line):
            reader.line.setblocking(False)
            drain()
            assert (outlet.is_read(), outlet.pressed) == (True, False)
            slowly = list[bool]()
            for _ in range(40):
                hear(100)
                reader.line.recv(1 << 14)
                outlet.tend()
                slowly.append(outlet.pressed)
            assert (slowly[0], slowly[-1], sorted(slowly) == slowly) == (False, True, True)
            assert outlet.shed.total() == 0
            drain()
            assert not hear(1)


@pytest.mark.netns
def test_a_ring_is_read_on_where_nobody_judges_so_that_each_second_has_what_is_missing(tmp_path: Path) -> None:
    """Left in the ring, what comes would stand at the time at which that was full."""
    need("netns", os.geteuid() == 0, "listening needs root")
    rings = Rings(["lo"], octets=2 * BLOCK)
    with closing(rings), at_a_door(tmp_path, most=10_000) as (outlet, _), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaking:
        listening = Listening(rings, outlet, None, 0)
        listening.hurried = True
        thread = threading.Thread(target=listening.run)
        thread.start()
        end = time.monotonic() + 30
        while rings.counts()["packets"] < 1_000:  # what the outlet holds, a hundred times; the first block is held whole
            assert time.monotonic() < end
            speaking.sendto(bytes(1000), ("127.0.0.1", 9))
            time.sleep(0.001)
        listening.stopped = True
        thread.join()
        assert outlet.shed.total() > 250
