"""Packets once more: where they stand in a capture, and streams that can go back. What was found is read again; what was not is passed over."""

from __future__ import annotations

import os
import tempfile
import weakref
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sensors.sources.files import Inflated
    from sensors.sources.stream import Seekable, Stream

MOST_MARKS: Final = 1 << 16  # more of them are thinned out: every second one goes
EVERY: Final = 32 << 20  # decompressed octets between places that a gzip file can be read from


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a batch of packets began: number of the first, its offset in the decompressed bytes, and what the reader knew then.

    `walk` is its state, `interfaces` and `names` are those met so far (both only grow), `blocks` tells a pcapng.
    """

    number: int
    offset: int
    walk: Any
    interfaces: Any
    names: list[str]
    blocks: bool


class Marks:
    """The places of one capture's batches, in order; one thread adds, others look. `last` is the number of the last packet so far."""

    def __init__(self, most: int = MOST_MARKS) -> None:
        self._most, self._every, self._seen = most, 1, 0
        self._marks: list[Mark] = []
        self.last = 0

    def add(self, mark: Mark, last: int) -> None:
        """One more batch, up to this packet. Where they are too many, every second one is let go."""
        if self._seen % self._every == 0:
            self._marks.append(mark)
        self._seen += 1
        if len(self._marks) > self._most:
            self._marks, self._every = self._marks[::2], 2 * self._every
        self.last = last

    def around(self, number: int) -> list[Mark]:
        """The last mark at or before this packet, and those behind it."""
        marks = self._marks
        at = bisect_right(marks, number, key=lambda mark: mark.number)
        return marks[max(0, at - 1) :]


def seekable(stream: Stream) -> Seekable:
    """A stream of a file as one that can go back."""
    from sensors.sources.files import Inflated, Plain

    if isinstance(stream, Inflated):
        return Reinflated(stream)
    assert isinstance(stream, Plain)  # noqa: S101 - there is no third kind of file
    return stream


class Reinflated:
    """A gzip file that can be read from places it has passed: it remembers how decompression stood there."""

    def __init__(self, stream: Inflated) -> None:
        self._stream, self._at = stream, 0
        self._states = [(0, stream.state())]

    @property
    def damaged(self) -> bool:
        """Did the bytes end because they are cut off or corrupt?"""
        return self._stream.damaged

    @property
    def stopped(self) -> bool:
        """Nobody stops a file."""
        return False

    def ready(self) -> bool:
        """Always, as it is a file."""
        return self._stream.ready()

    def readinto(self, room: memoryview) -> int:
        """The next bytes."""
        if self._at - self._states[-1][0] >= EVERY:
            self._states.append((self._at, self._stream.state()))
        got = self._stream.readinto(room)
        self._at += got
        return got

    def seek(self, offset: int) -> bool:
        """Decompress from the nearest place that is known."""
        at = bisect_right(self._states, offset, key=lambda state: state[0]) - 1
        if not self._states[at][0] <= self._at <= offset:
            self._at, state = self._states[at]
            self._stream.restore(state)
        scratch = memoryview(bytearray(1 << 20))
        while self._at < offset:
            if not self.readinto(scratch[: min(len(scratch), offset - self._at)]):
                return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


class Tape:
    """A stream whose last octets are kept in a file without a name, in a ring. Where the disk refuses, what was kept is gone and reading goes on."""

    def __init__(self, stream: Stream, octets: int) -> None:
        handle, name = tempfile.mkstemp(prefix="balefire-")
        Path(name).unlink()
        weakref.finalize(self, os.close, handle)
        self.handle, self.octets, self.begin, self.end = handle, octets, 0, 0
        self._stream = stream

    @property
    def damaged(self) -> bool:
        """Did the bytes end because they are cut off or corrupt?"""
        return self._stream.damaged

    @property
    def stopped(self) -> bool:
        """Did somebody end it before its end?"""
        return self._stream.stopped

    def ready(self) -> bool:
        """Can more be had without waiting?"""
        return self._stream.ready()

    def readinto(self, room: memoryview) -> int:
        """The next bytes, which are kept."""
        got = self._stream.readinto(room)
        kept = room[max(0, got - self.octets) : got]
        at = self.end + got - len(kept)
        self.begin = max(self.begin, self.end + got - self.octets)  # before it is written over, so that a reader can tell
        try:
            while kept:
                place = at % self.octets
                written = os.pwrite(self.handle, kept[: self.octets - place], place)
                kept, at = kept[written:], at + written
        except OSError:
            self.begin = self.end + got
        self.end += got
        return got

    def again(self) -> Seekable:
        """What is kept, read from another thread."""
        return _Played(self)

    def close(self) -> None:
        """The stream is over; what is kept stays as long as this object."""
        self._stream.close()


class _Played:
    """What a tape holds, from any place that it still has. What is written over meanwhile ends it."""

    damaged = False
    stopped = False

    def __init__(self, tape: Tape) -> None:
        self._tape, self._at = tape, 0

    def ready(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:
        tape = self._tape
        place, left = self._at % tape.octets, tape.end - self._at
        got = os.preadv(tape.handle, [room[: max(0, min(left, tape.octets - place))]], place) if left > 0 else 0
        if self._at < tape.begin:
            return 0
        self._at += got
        return got

    def seek(self, offset: int) -> bool:
        self._at = offset
        return self._tape.begin <= offset <= self._tape.end

    def close(self) -> None:
        """The tape keeps the file."""
