"""What a listener hands on to who judges (`sensors.outlet`), read by a process that may be killed and come again, while the listener goes on; or the other way
round. What comes is put into a pipe, from which it is read as from a listener of one's own: where another listener takes over, a section follows."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import BinaryIO, Final, cast

from sensors.outlet import FROM_HERE, HELLO, LENGTH, OVER

PIPE: Final = 1 << 20
WAKE_S: Final = 0.1
PAUSE_S: Final = 0.2  # between tries to reach a listener
END_S: Final = 2.0  # in which one that is there says that it was the last


class Line:
    """The other end of an outlet's door, at this path. `stored`: up to when all is stored that a listener has given before, nanoseconds.

    `lasts`: whether it goes on with another listener; else it ends where that ends, for another would give again what this one has given.
    """

    def __init__(self, path: str, stored: int, lasts: bool = True) -> None:
        self._path, self._stored, self._lasts = path, stored, lasts
        reader, self._into = os.pipe()
        self.file = cast("BinaryIO", os.fdopen(reader, "rb", buffering=0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Take what is on its way, and no more; a signal handler may call this."""
        self._ended.set()

    def _run(self) -> None:
        try:
            while not self._read() and self._lasts and not self._ended.wait(PAUSE_S):
                self._stored = FROM_HERE
        except BrokenPipeError:  # nobody judges any more
            pass
        finally:
            os.close(self._into)

    def _read(self) -> bool:
        """Until the listener ends in order, or we do; False where it is gone."""
        with socket.socket(socket.AF_UNIX) as line, suppress(ConnectionError, FileNotFoundError):
            line.connect(self._path)
            number, told = line.fileno(), 0.0
            os.write(number, HELLO.pack(self._stored))
            while True:
                if self._ended.is_set() and not told:
                    told = time.monotonic()
                    with suppress(ConnectionError):  # it ended before: what it sent is here all the same
                        os.write(number, OVER)
                if not select.select([line], [], [], WAKE_S)[0]:
                    if told and time.monotonic() - told > END_S:
                        return True
                    continue
                (length,) = LENGTH.unpack(_exactly(line, LENGTH.size))
                if not length:
                    return True
                self._hand(_exactly(line, length))
        return False

    def _hand(self, octets: bytes | bytearray) -> None:
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self._into, rest) :]


def knock(path: str) -> None:
    """Tell a listener at whose door nobody was yet that it may begin: who judges comes later."""
    with socket.socket(socket.AF_UNIX) as line, suppress(ConnectionError, FileNotFoundError):
        line.connect(path)


def _exactly(line: socket.socket, octets: int) -> bytearray:
    """So many octets. Raises ConnectionError where they do not come."""
    room = bytearray(octets)
    view = memoryview(room)
    while view:
        got = line.recv_into(view)
        if not got:
            raise ConnectionResetError
        view = view[got:]
    return room
