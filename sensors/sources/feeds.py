"""Captures that others write as they listen, several at a time, written on as one pcapng with what time it is.

What a capture holds is written on in the order in which it comes, for the clocks of those who write them need not agree. Its time goes on while nothing comes:
that of its newest packet, and as long as it is since then.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from itertools import count
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple
from uuid import uuid4

import numpy as np

from records.errors import BalefireError, InputError
from sensors.broken import mark, of_stream
from sensors.engine.octets import borrow, carry, entry
from sensors.engine.tables import PACKET, table
from sensors.pcapng import Interface, Statistics, statistics
from sensors.sources.blocks import HEAD, frame
from sensors.sources.formats import LARGEST
from sensors.sources.pcap import listen, open_capture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sensors.sources.doors import Door
    from sensors.sources.reader import CaptureSource

MEMORY: Final = 1 << 20  # octets of a capture at a time: more than the largest record
ROWS: Final = 1 << 12
WAITING: Final = 16  # such batches; who writes faster has to wait
MOST_INTERFACES: Final = 256
SLACK: Final = 2_000_000_000  # nanoseconds that packets may lie with whoever sends them
END_S: Final = 2.0  # for what is on its way when it is to end
WAKE_S: Final = 0.1
MOST_SAID: Final = 100  # bad captures (which file, or whose; and why) that are told, and of what is passed over; all are counted
UNKNOWN: Final = "capture.unknown"  # the error of what is no capture


@entry
def rewrite(memory: Any, packets: Any, rows: int, numbers: Any, out: Any) -> int:
    """Rows of packets as blocks of interfaces that are numbered anew; returns how many octets of `out` are filled."""
    memory, packets, numbers, out = borrow(memory), borrow(packets), borrow(numbers), borrow(out)
    at = 0
    for row in range(rows):
        packet = packets[row]
        end = frame(out, at, numbers[packet.interface], packet.time, packet.captured, packet.wire)
        if end < 0:
            break
        carry(memory, packet.at, out, at + HEAD, packet.captured)
        at = end
    return at


class Taken(NamedTuple):
    """Blocks of one capture, and the time of its newest packet; without any, its end, before which may stand that it is `broken` (an interface of it, and how).

    `live`: whether its time goes on while nothing comes.
    """

    capture: int
    newest: int
    blocks: bytes
    live: bool
    broken: tuple[int, str] | None = None


class Clock(NamedTuple):
    """What time it was at least when something was heard (monotonic seconds), and whether it goes on."""

    newest: int
    heard: float
    live: bool

    def time(self) -> int:
        """What time it is now."""
        return self.newest + (max(int((time.monotonic() - self.heard) * 1e9) - SLACK, 0) if self.live else 0)


class Feeds:
    """What comes through doors (`sensors.sources.doors`): an intake, and who takes in. Threads read; whoever calls `take` gets what they read."""

    patient = True

    def __init__(self, doors: Sequence[Door]) -> None:
        self.names = tuple(door.name for door in doors)
        self.interfaces: list[Interface] = []
        self.stopped = threading.Event()
        halves = {door.half for door in doors}  # goes on in the name of who was killed where all that comes is what that one had: what was stored is known
        self.run = halves.pop() if len(halves) == 1 and all(halves) else uuid4().hex
        self._doors = doors
        self._lock = threading.Lock()
        self._queue: Queue[Taken] = Queue(WAITING)
        self._wake, self._woken = os.pipe()
        for number in (self._wake, self._woken):
            os.set_blocking(number, False)
        self._captures = count()
        self._ends: dict[int, Callable[[], None] | None] = {}
        self._packets, self._dropped = Counter[int](), Counter[int]()
        self._dark, self._since_dark = Counter[str](), dict[str, int]()  # nanoseconds in which nothing could come, by name; since when nothing can
        self._statistics = Statistics()
        self._bad = Counter[tuple[str, str]]()
        self._passed = 0
        self._broken: list[tuple[int, str]] = []  # by an interface of each, what is told of captures of which no more comes
        self._said: deque[dict[str, object]] = deque(maxlen=1 << 10)
        self._clocks: dict[int, Clock] = {}
        self._last: Clock | None = None
        self._threads: list[threading.Thread] = []
        self._until = 0.0
        for door in doors:
            self.do(lambda door=door: door.run(self))

    def do(self, task: Callable[[], None]) -> None:
        """Have this done beside all else."""
        thread = threading.Thread(target=task, daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(thread)
            thread.start()

    def darken(self, name: str, is_dark: bool) -> None:
        """From now on nothing can come from this interface; or it can again."""
        with self._lock:
            now = time.monotonic_ns()
            self._dark[name] += now - self._since_dark.pop(name, now)
            if is_dark:
                self._since_dark[name] = now

    def say(self, **told: object) -> None:
        """Have people told at the next look."""
        self._said.append(told)

    def pass_over(self, path: Path, why: str) -> None:
        """Count it, and have people told; see `Taker`."""
        with self._lock:
            self._passed += 1
            room = self._passed <= MOST_SAID
        if room:
            self.say(**{why: str(path)})

    def take_in(self, name: str, file: BinaryIO, end: Callable[[], None] | None, path: str = "") -> bool | None:
        """Read a capture to its end; see `Taker`."""
        with self._lock:
            if self.stopped.is_set():
                return False
            number = next(self._captures)
            self._ends[number] = end
        live = end is not None
        try:
            return self._read(name, number, file, path or name, live)
        except BalefireError as error:
            self._refuse(path or name, error, live)
            return None if error.key == UNKNOWN else False
        except OSError as error:
            self._refuse(path or name, InputError("capture.unreadable", file=path or name, reason=error.strerror or str(error)), live)
        finally:
            self._queue.put(Taken(number, 0, b"", live=False))
            with self._lock:
                del self._ends[number]
        return False

    def _read(self, name: str, number: int, file: BinaryIO, path: str, live: bool) -> bool:
        (capture,) = listen(file, path)
        if capture.error is not None:
            raise capture.error
        source = open_capture(capture)
        memory, packets, out = np.zeros(MEMORY, np.uint8), table(ROWS, PACKET), np.zeros(MEMORY + ROWS * (HEAD + 8), np.uint8)
        numbers = np.zeros(0, np.int64)
        while rows := source.batch(memory, 0, packets):
            if len(numbers) < len(source.interfaces):
                numbers = self._numbers(name, source)
            filled = rewrite(memory, packets, rows, numbers, out)
            with self._lock:
                self._packets.update(dict(zip(*map(np.ndarray.tolist, np.unique(numbers[packets.interface[:rows]], return_counts=True)), strict=True)))
                for drop in source.drops:
                    self._dropped[int(numbers[drop.interface])] += drop.packets
            newest = max([int(packets.time[rows - 1]), *(tick.time for tick in source.ticks)])
            self._queue.put(Taken(number, newest, out[:filled].tobytes(), live))
            with suppress(BlockingIOError):  # who is to be woken knows
                os.write(self._woken, b"!")
        if source.error is not None:
            self._refuse(path, source.error, live)
            told = mark(path, of_stream(source.error), None) if live else mark(path, source.error, path)
            if told and len(numbers) and not self.stopped.is_set():
                self._queue.put(Taken(number, 0, b"", live, (int(numbers[0]), told)))
        return bool(source.packets)

    def _numbers(self, name: str, source: CaptureSource) -> Any:
        """What the interfaces of a capture are numbered here: what comes again has the number that it had."""
        numbers: list[int] = []
        for told, linktype, _ in map(source.interface, range(len(source.interfaces))):
            face = Interface(f"{name} {told}" if told else name, linktype, LARGEST)
            with self._lock:
                if face not in self.interfaces:
                    if len(self.interfaces) >= MOST_INTERFACES:
                        raise InputError("live.interfaces", name=name, most=MOST_INTERFACES)
                    self.interfaces.append(face)
                numbers.append(self.interfaces.index(face))
        return np.array(numbers, np.int64)

    def _refuse(self, path: str, error: BalefireError, live: bool) -> None:
        """A capture is bad. A line over which nothing came is none; what is cut off because it is to end is as it should be."""
        if (live and error.key == "capture.empty") or self.stopped.is_set():
            return
        error = of_stream(error) if live else error
        with self._lock:
            kind = (path, error.key)
            known = kind in self._bad
            room = known or len(self._bad) < MOST_SAID
            self._bad[kind if room else ("", "")] += 1
        if room and not known:
            self.say(error=error.key, values={key: str(value) for key, value in error.values.items()})

    def take(self, last: bool = False) -> bytes:
        """The next blocks; see `Intake`."""
        with suppress(BlockingIOError):
            os.read(self._wake, 1 << 12)
        while True:
            try:
                taken = self._queue.get(timeout=WAKE_S) if last else self._queue.get_nowait()
            except Empty:
                if not last or not self._unfinished():
                    return b""
                continue
            self._follow(taken)
            if taken.blocks:
                return taken.blocks

    def _unfinished(self) -> bool:
        """After `stop`: is something on its way? Lines have so long, a file is read to its end."""
        with self._lock:
            return None in self._ends.values() or (time.monotonic() < self._until and any(each.is_alive() for each in self._threads))

    def _follow(self, taken: Taken) -> None:
        """Its clock, now that what came before it is on its way."""
        if taken.broken:
            self._broken.append(taken.broken)
            return
        if taken.blocks:
            self._clocks[taken.capture] = self._last = Clock(taken.newest, time.monotonic(), taken.live)
        elif (ended := self._clocks.pop(taken.capture, None)) and not self._clocks:
            self._last = ended

    def statistics(self, last: bool = False) -> bytes:  # noqa: ARG002  (what time it is does not depend on it)
        """The time up to which all packets should be here, of whoever is behind; and what each interface gave and dropped."""
        if self._last is None:
            return b""
        told = min(clock.time() for clock in list(self._clocks.values()) or [self._last])
        for name in list(self._since_dark):
            self.darken(name, True)
        with self._lock:
            counts = [(self._packets[number], self._dropped[number], self._dark.pop(face.name, 0)) for number, face in enumerate(self.interfaces)]
        broken, self._broken = self._broken, []
        return self._statistics.at(told, counts) + b"".join(statistics(number, told, *counts[number][:2], broken=mark) for number, mark in broken)

    def look(self) -> list[dict[str, object]]:
        """What doors and captures had to say."""
        return [self._said.popleft() for _ in range(len(self._said))]

    def stamped(self) -> list[str]:
        """Times are those that captures have."""
        return []

    def sockets(self) -> list[int]:
        """The one that wakes whoever waits."""
        return [self._wake]

    def forget_errors(self) -> None:
        """It has none."""

    def stop(self) -> None:
        """Doors close; what is on its way still comes, if it comes soon."""
        self._until = time.monotonic() + END_S
        with self._lock:
            self.stopped.set()
            ends = list(self._ends.values())
        for end in ends:
            if end is not None:
                end()

    def counts(self) -> dict[str, int]:
        """Packets that came, those that were dropped as whoever wrote them said, captures that were bad, and what was passed over."""
        return {"packets": self._packets.total(), "dropped": self._dropped.total(), "bad": self._bad.total(), "passed": self._passed}

    def close(self) -> None:
        """Let go of everything."""
        for door in self._doors:
            door.close()


def prepare() -> None:
    """Compile what writes packets on, before any waits for it."""
    rewrite(np.zeros(0, np.uint8), table(0, PACKET), 0, np.zeros(0, np.int64), np.zeros(0, np.uint8))
