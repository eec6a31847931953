"""What a listener hands on, to one reader at a time, who may be slow, or be killed and come again.

So long as the reader does not take what came, it is held, at most `most` octets; what then comes is shed, and told as dropped. Before that, from half of it on,
a reader that does not catch up is told so (`pressed`), for it knows which conversations only look, and lets go those first. Who reads a pipe gets it once.
Who comes in by a door (a socket of this machine) gets frames: their length, then whole blocks; none has length 0 but the last. The next reader gets once more
what the one before got last, for that may have been killed with it in hand. It says up to when all is stored, and when it ends in order.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from sensors.pcapng import dropped_of, folded, packets_of, retold

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

HELD: Final = 256 << 20
SLACK: Final = 64  # a reader that has not made the 64th part of that good in a second does not catch up
FOLDED: Final = 60_000_000_000  # nanoseconds of which nobody who is away needs more than one statistics: of every second they would fill the room in days
AGAIN: Final = 300_000_000_000  # nanoseconds: the window that is open, two before it, and what a store takes
HELLO: Final = struct.Struct("<q")  # of a reader: up to when all is stored, nanoseconds since the epoch
LENGTH: Final = struct.Struct("<I")
OVER: Final = b"E"  # of a reader: it has what was sent whole until now, and ends in order
FROM_HERE: Final = (1 << 63) - 1  # a reader who has all that was sent: it lost but the line
PACKETS, INTERFACES, STATISTICS = range(3)


class Piece(NamedTuple):
    """Whole blocks of one kind: when they came, and of statistics what had been shed by then."""

    kind: int
    octets: bytes
    time: int
    shed: dict[int, int]


class Outlet:
    """Blocks on their way out. `begin` gives what a capture begins with; another at each call, for what follows is then another capture. `patient`: nothing is
    lost where the reader is slow.
    """

    def __init__(self, begin: Callable[[], bytes], out: int = -1, door: socket.socket | None = None, most: int = HELD, patient: bool = False) -> None:
        self._begin, self._out, self._door, self._most = begin, out, door, most
        self._section, self._interfaces, self._base = begin(), b"", Counter[int]()  # what stands before the pieces
        self._pieces: deque[Piece] = deque()
        self._next = 0  # the piece that goes out next
        self._held = self._unsent = 0  # octets
        self._rest, self._sending = memoryview(b""), False  # what goes out now, and whether it is the piece before the next
        self._line: socket.socket | None = None
        self._asked, self._met, self._over = b"", False, False  # what the reader said first; whether it said all of it; whether it has said that it ends
        self._patient, self._behind = patient, 0  # octets that waited when the reader was last told what was dropped
        self.pressed = False
        self.shed = Counter[int]()  # packets, by the number of their interface
        if door is not None:
            door.setblocking(False)
        else:
            os.set_blocking(out, False)
            self._rest, self._met = memoryview(self._section), True

    def is_read(self) -> bool:
        """Is there a reader?"""
        return self._met

    def has_room(self) -> bool:
        """Would nothing be shed?"""
        return self._unsent < self._most

    def put(self, octets: bytes | memoryview, kind: int = PACKETS) -> None:
        """Hand these on; packets that there is no room for are shed. Raises BrokenPipeError where nobody reads a pipe any more."""
        if not len(octets):
            return
        if kind == PACKETS and not self.has_room():
            self.shed.update(packets_of(octets))
            return
        if self._door is None and not self._rest and not self._pieces and not (self.shed and kind == STATISTICS):
            self.pressed = False
            sent = self._sent(memoryview(octets))  # the way that nearly all goes: nothing is copied
            self._rest = memoryview(bytes(octets[sent:]))
            self._unsent = len(self._rest)
            return
        octets = self._with_last(bytes(octets)) if kind == STATISTICS else bytes(octets)
        self._pieces.append(Piece(kind, octets, time.time_ns(), dict(self.shed) if kind == STATISTICS else {}))
        self._held += len(octets)
        self._unsent += len(octets)
        self._send()

    def _with_last(self, octets: bytes) -> bytes:
        """Statistics, and those before them where they are of the same minute, with nothing between them, and nobody has taken them."""
        last = self._pieces[-1] if self._next < len(self._pieces) else None
        whole = folded(last.octets, octets, FOLDED) if last is not None and last.kind == STATISTICS else None
        if last is None or whole is None:
            return octets
        self._pieces.pop()
        self._held -= len(last.octets)
        self._unsent -= len(last.octets)
        return whole

    def tend(self) -> None:
        """Let in who comes, and send as much as goes. Raises BrokenPipeError where nobody reads a pipe any more."""
        if self._door is not None:
            self._meet()
        self._send()
        self._forget(time.time_ns() - AGAIN)

    def waits(self) -> list[tuple[int, int]]:
        """(file, events) that there is something to do for."""
        if self._line is not None:
            return [(self._line.fileno(), select.POLLIN | (select.POLLOUT if self._rest else 0))]
        return [(self._door.fileno(), select.POLLIN)] if self._door is not None else [(self._out, select.POLLOUT)] if self._rest else []

    def block(self) -> None:
        """From now on whoever puts something waits until it is sent, if somebody reads. Nobody else is let in."""
        if self._door is None or self._line is not None:
            os.set_blocking(self._line.fileno() if self._line is not None else self._out, True)
            self._send()

    def finish(self) -> int:
        """To a reader: that it is all. Returns how many octets nobody has taken."""
        self._over = self._line is not None
        self._send()
        return self._unsent

    def _send(self) -> None:
        """As much as goes."""
        while self._rest or self._load():
            sent = self._sent(self._rest)
            self._unsent -= min(sent, self._unsent)
            self._rest = self._rest[sent:]
            if self._rest:
                return
            self._sending = False

    def _sent(self, octets: memoryview) -> int:
        """How many of these went out now."""
        number, done = self._line.fileno() if self._line is not None else self._out, 0
        try:
            while done < len(octets):
                done += os.write(number, octets[done:])
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            if self._door is None:
                raise
            self._hang_up()
            return 0
        return done

    def _load(self) -> bool:
        """Have the next piece go out; behind the last one to a reader that ends, that it is the last."""
        if not self._met:
            return False
        if self._over:
            if self._line is not None and self._sent(memoryview(LENGTH.pack(0))):
                self._over = False
                self._renew()
            return False
        if self._next >= len(self._pieces):
            return False
        piece = self._pieces[self._next]
        self._next, self._sending, octets = self._next + 1, True, piece.octets
        if piece.kind == STATISTICS:
            self._press()
            if self._base or piece.shed or self.pressed:
                octets = retold(octets, piece.shed, self._base, pressed=self.pressed)
        self._rest = memoryview(LENGTH.pack(len(octets)) + octets if self._door is not None else octets)
        self._unsent += len(self._rest) - len(piece.octets)
        return True

    def _press(self) -> None:
        """Does the reader fall behind? Who came to much that was held for him, and catches up, does not."""
        behind, half = self._behind, self._most // 2
        self._behind = self._unsent
        grows = self._unsent > half and self._unsent > behind - self._most // SLACK
        self.pressed = not self._patient and (grows or (self.pressed and self._unsent > half // 2))

    def _meet(self) -> None:
        """A reader comes, says up to when all is stored, ends in order, or is gone."""
        if self._line is None and self._door is not None:
            with suppress(BlockingIOError):
                self._line, _ = self._door.accept()
                self._line.setblocking(False)
        if self._line is None:
            return
        try:
            said = os.read(self._line.fileno(), 1 if self._met else HELLO.size - len(self._asked))
        except BlockingIOError:
            return
        except ConnectionResetError:
            said = b""
        if not said:
            self._hang_up()
        elif self._met:
            self._over = True
        else:
            self._asked += said
            if len(self._asked) == HELLO.size:
                self._start(*HELLO.unpack(self._asked))

    def _start(self, stored: int) -> None:
        """What one begins with, and then what may not be stored yet."""
        self._forget(stored)
        self._next = 0
        head = self._section + self._interfaces
        self._rest, self._met = memoryview(LENGTH.pack(len(head)) + head), True
        self._behind = self._unsent = sum(len(piece.octets) for piece in self._pieces) + len(self._rest)
        self.pressed = False

    def _renew(self) -> None:
        """The reader has judged all that went out, and ends: the next one begins another capture behind it."""
        while self._next:
            self._drop()
        self._section = self._begin()

    def _hang_up(self) -> None:
        """There is no reader. What was sent stays for the next."""
        if self._line is not None:
            self._line.close()
        self._next -= self._sending
        self._line, self._rest, self._sending, self._asked, self._met, self._over = None, memoryview(b""), False, b"", False, False
        self.pressed = False
        self._unsent = sum(len(piece.octets) for piece in list(self._pieces)[self._next :])

    def _forget(self, before: int) -> None:
        """What was sent goes when it is older, or there is no room, or nobody gets it again."""
        while self._next - self._sending > 0 and (self._door is None or self._pieces[0].time < before or self._held > max(self._most, HELD)):
            self._drop()

    def _drop(self) -> None:
        piece = self._pieces.popleft()
        self._next -= 1
        self._held -= len(piece.octets)
        if piece.kind == INTERFACES:
            self._interfaces += piece.octets
        elif piece.kind == STATISTICS:
            self._base = Counter(dropped_of(piece.octets)) + Counter(piece.shed)

    def close(self) -> None:
        """Let go of the reader."""
        if self._line is not None:
            self._line.close()
