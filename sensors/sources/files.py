"""The bytes of a capture: a file, what is compressed in it, or what came through a pipe. Nothing here knows what the bytes mean."""

from __future__ import annotations

import hashlib
import io
import os
import select
import shutil
import tempfile
import threading
import time
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from records.errors import InputError
from sensors.sources.again import Tape

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

    from sensors.sources.stream import Seekable, Stream

GZIP: Final = b"\x1f\x8b"
CHUNK: Final = 1 << 20
DIGESTED: Final = 4 << 20  # octets of a file at a time: after each the interpreter is waited for
PIECE: Final = 1 << 16  # compressed bytes at a time
RESERVE: Final = 256 << 20  # what a spool leaves free on the disk, for the store lives there too
SALT: Final = 1 << 16  # octets that tell a capture from others while the rest of it is still to come
PATIENCE_S: Final = 1.0  # nobody waits longer for them once there is a packet
WAKE_S: Final = 0.1  # how often a silent pipe asks whether it is to stop


class Plain:
    """A file as it is."""

    damaged = False

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file

    @property
    def stopped(self) -> bool:
        """Did somebody end it before its end?"""
        return _stopped(self._file)

    def ready(self) -> bool:
        """Only a pipe makes one wait."""
        return _ready(self._file)

    def readinto(self, room: memoryview) -> int:
        """Straight from the file into `room`."""
        return self._file.readinto(room) or 0

    def seek(self, offset: int) -> bool:
        """Go on from there: no pipe can."""
        return self._file.seek(offset) == offset

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Inflated:
    """What is compressed in a gzip file, all its members. `gzip.GzipFile` loses what it had decompressed when it meets damage; this does not."""

    def __init__(self, file: io.RawIOBase) -> None:
        self.damaged = False
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._over = False
        self._input = b""
        self._ready = memoryview(b"")

    @property
    def stopped(self) -> bool:
        """Did somebody end it before its end?"""
        return _stopped(self._file)

    def ready(self) -> bool:
        """What was read may still wait to be decompressed."""
        return bool(self._ready) or bool(self._input) or _ready(self._file)

    def readinto(self, room: memoryview) -> int:
        """The next bytes, as many as one step gives."""
        while not self._ready:
            if self._over or self.damaged or not self._more():
                return 0
            self._ready = memoryview(self._step())
        octets = min(len(room), len(self._ready))
        room[:octets] = self._ready[:octets]
        self._ready = self._ready[octets:]
        return octets

    def state(self) -> tuple[Any, ...]:
        """Where it is: what `restore` needs to go on from here once more."""
        return self._file.tell(), self._inflate.copy(), self._input, bytes(self._ready), self._over, self.damaged

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from where it was then: no pipe can."""
        at, inflate, self._input, ready, self._over, self.damaged = state
        self._file.seek(at)
        self._inflate, self._ready = inflate.copy(), memoryview(ready)

    def _more(self) -> bool:
        """Have something to decompress; False at the end, which is damage where a member is not complete."""
        if self._inflate.eof:
            self._input = self._inflate.unused_data.lstrip(b"\0")  # padding after a member is no fault
            self._inflate = zlib.decompressobj(31)
            while not self._input:
                piece = self._file.read(PIECE) or b""
                if not piece:
                    self._over = True
                    return False
                self._input = piece.lstrip(b"\0")
            return True
        if not self._input:
            self._input = self._file.read(PIECE) or b""
            self.damaged = not self._input
        return not self.damaged

    def _step(self) -> bytes:
        """Decompress once. Where that fails, again an octet at a time, so that all before the damage is given, however it was cut."""
        before = self._inflate.copy()
        try:
            octets = self._inflate.decompress(self._input, CHUNK)
        except zlib.error:
            self.damaged = True
            return _until_damage(before, self._input)
        self._input = self._inflate.unconsumed_tail
        return octets

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _until_damage(inflate: Any, compressed: bytes) -> bytes:
    """What an octet at a time gives before it fails."""
    parts: list[bytes] = []
    try:
        for at in range(len(compressed)):
            parts.append(inflate.decompress(compressed[at : at + 1]))  # noqa: PERF401  (what came before the failure is wanted)
    except zlib.error:
        pass
    return b"".join(parts)


def open_stream(file: str) -> Stream:
    """The bytes of `file`, decompressed where it begins like gzip, whatever its name. Raises OSError."""
    opened = Path(file).open("rb", buffering=0)  # noqa: SIM115  (open until the stream is closed)
    head = opened.read(len(GZIP))
    opened.seek(0)
    return _stream(opened, head)


def _stream(file: io.RawIOBase, head: bytes) -> Stream:
    return Inflated(file) if head[: len(GZIP)] == GZIP else Plain(file)


def beginning(stream: Stream, octets: int) -> bytes:
    """The first octets, fewer where there are no more. Raises OSError."""
    buffer = bytearray(octets)
    have = 0
    with memoryview(buffer) as room:
        while have < octets and (got := stream.readinto(room[have:])):
            have += got
    return bytes(buffer[:have])


class Pipe(io.RawIOBase):
    """What comes through a pipe, as it comes; nothing is kept.

    `head` is its beginning, which is read again from the front, with all that `begun` wants to see; `salt` is the digest of that. `sha256` is that of
    all that was read.
    """

    def __init__(self, file: BinaryIO, begun: Callable[[Stream], bool], end: Callable[[], None] | None = None, patience: float = PATIENCE_S) -> None:
        super().__init__()
        self._end, self._patience = end, patience
        self._file: Any = getattr(file, "raw", file)
        self._waits = _has_number(self._file)
        self._digest = hashlib.sha256()
        self._tape: Tape | None = None
        self.stopped = self._over = False
        self.head = self._rest = self._beginning(begun)
        self.salt = hashlib.sha256(self.head).hexdigest()

    def _beginning(self, begun: Callable[[Stream], bool]) -> bytes:
        """So many octets; fewer where the pipe ends, or where it has begun and they do not come at once."""
        head, until = b"", float("inf")
        while len(head) < SALT and not self._over and self._wait(until - time.monotonic()):
            head += self._take(SALT - len(head))
            if until == float("inf") and begun(_stream(_Octets(head), head)):
                until = time.monotonic() + self._patience
        return head

    def _take(self, octets: int) -> bytes:
        room = bytearray(octets)
        return bytes(room[: self._receive(memoryview(room))])

    def _wait(self, seconds: float) -> bool:
        """Wait until there is something to read, or the end; False where that took too long or somebody said stop."""
        if not self._waits:
            return not self.stopped
        until = time.monotonic() + seconds
        while not self.stopped:
            left = until - time.monotonic()
            if select.select([self._file], [], [], max(min(left, WAKE_S), 0))[0]:
                return True
            if left <= 0:
                return False
        return False

    def _receive(self, room: memoryview) -> int:
        """What is there, up to the room; waits where nothing is. 0 at the end."""
        got = self._file.readinto(room) or 0 if self._wait(float("inf")) else 0
        self._over = self._over or not got
        self._digest.update(room[:got])
        return got

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, room: WriteableBuffer, /) -> int:
        """The beginning once more, then what comes."""
        view = memoryview(room).cast("B")
        if not self._rest:
            return 0 if self._over else self._receive(view)
        octets = min(len(view), len(self._rest))
        view[:octets] = self._rest[:octets]
        self._rest = self._rest[octets:]
        return octets

    def ready(self) -> bool:
        """Can more be had, or the end be seen, without waiting?"""
        return bool(self._rest) or self._over or self._wait(0)

    def stop(self) -> None:
        """Let it end here, at the latest after a moment; a signal handler may call this. Who writes it may be told to end it in order (`end`)."""
        if self._end is not None:
            self._end()
            return
        self.stopped = True

    @property
    def short(self) -> bool:
        """Is the beginning all there is?"""
        return self._over

    @property
    def sha256(self) -> str:
        """The hash of what was read so far."""
        return self._digest.hexdigest()

    def keep(self, octets: int) -> None:
        """From now on the last so many octets of its stream can be read again."""
        self._tape = Tape(_stream(self, self.head), octets)

    def stream(self) -> Stream:
        """The bytes, decompressed where they begin like gzip."""
        return self._tape or _stream(self, self.head)

    def again(self) -> Seekable | None:
        """What is kept of them; None where nothing is."""
        return self._tape and self._tape.again()

    def beginning(self) -> Stream:
        """The same of its beginning alone."""
        return _stream(_Octets(self.head), self.head)


class _Octets(io.RawIOBase):
    """Octets in memory as a file."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self._octets = io.BytesIO(octets)

    def readable(self) -> bool:
        return True

    def readinto(self, room: WriteableBuffer, /) -> int:
        return self._octets.readinto(room)


def _has_number(file: Any) -> bool:
    try:
        return file.fileno() >= 0
    except OSError:  # not a file of the operating system
        return False


def _stopped(file: io.RawIOBase) -> bool:
    return isinstance(file, Pipe) and file.stopped


def _ready(file: io.RawIOBase) -> bool:
    return not isinstance(file, Pipe) or file.ready()


class Digest:
    """SHA-256 of a file, reckoned in a thread while other things go on; files one after another."""

    def __init__(self, file: str) -> None:
        self._file, self._told, self._done = file, "", threading.Event()
        with _hashing.lock:
            _hashing.files.append(self)
            if len(_hashing.files) == 1:
                threading.Thread(target=_hash_all, name="digests", daemon=True).start()

    def reckon(self) -> None:
        """Read the file. One that cannot be read has no digest; what reads it says why."""
        digest, room = hashlib.sha256(), memoryview(bytearray(DIGESTED))
        try:
            with Path(self._file).open("rb", buffering=0) as opened:
                while got := opened.readinto(room):
                    digest.update(room[:got])
            self._told = digest.hexdigest()
        except OSError:
            pass
        finally:
            self._done.set()

    def __str__(self) -> str:
        self._done.wait()
        return self._told


class _Hashing:
    """Digests that are wanted; the first is being reckoned."""

    def __init__(self) -> None:
        self.lock, self.files = threading.Lock(), list[Digest]()


_hashing: Final = _Hashing()


def _hash_all() -> None:
    wanted = _hashing.files[0]
    while True:
        wanted.reckon()
        with _hashing.lock:
            _hashing.files.pop(0)
            if not _hashing.files:
                return
            wanted = _hashing.files[0]


class Spool:
    """What came through a pipe, in a file without a name: its room is free again when nobody holds it, even after the process was killed.

    `file` is where this process may open it, any number of times; `sha256` is that of its bytes. Raises InputError where the disk has no room.
    """

    def __init__(self, path: str, pipe: BinaryIO) -> None:
        handle, name = tempfile.mkstemp(prefix="balefire-")
        Path(name).unlink()
        weakref.finalize(self, os.close, handle)
        self.file = f"/proc/self/fd/{handle}"
        digest = hashlib.sha256()
        folder = str(Path(name).parent)
        with open(handle, "wb", buffering=0, closefd=False) as file:
            while chunk := pipe.read(CHUNK):
                if shutil.disk_usage(folder).free < RESERVE + len(chunk):
                    raise InputError("capture.spool", file=path, folder=folder, reserve=RESERVE >> 20)
                digest.update(chunk)
                _write(file, chunk)
        self.sha256 = digest.hexdigest()


def _write(file: Any, chunk: bytes) -> None:
    """All of `chunk`, for a raw file may take less than it was given."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
