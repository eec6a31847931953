"""The bytes of a capture: a file, what is compressed in it, or what came through a pipe. Nothing here knows what the bytes mean."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from records.errors import InputError

GZIP: Final = b"\x1f\x8b"
CHUNK: Final = 1 << 20
PIECE: Final = 1 << 16  # compressed bytes at a time
RESERVE: Final = 256 << 20  # what a spool leaves free on the disk, for the store lives there too


class Stream(Protocol):
    """Bytes in order. `damaged` is set where they ended because the compressed data is cut off or corrupt."""

    damaged: bool

    def readinto(self, room: memoryview) -> int:
        """Fill `room` from its front. Returns how many octets, 0 at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Plain:
    """A file as it is."""

    damaged = False

    def __init__(self, file: str) -> None:
        self._file = Path(file).open("rb", buffering=0)  # noqa: SIM115  (open until `close`)

    def readinto(self, room: memoryview) -> int:
        """Straight from the file into `room`."""
        return self._file.readinto(room) or 0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Inflated:
    """What is compressed in a gzip file, all its members. `gzip.GzipFile` loses what it had decompressed when it meets damage; this does not."""

    def __init__(self, file: str) -> None:
        self.damaged = False
        self._file = Path(file).open("rb", buffering=0)  # noqa: SIM115  (open until `close`)
        self._inflate = zlib.decompressobj(31)
        self._over = False
        self._input = b""
        self._ready = memoryview(b"")

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
    with Path(file).open("rb", buffering=0) as opened:
        compressed = opened.read(len(GZIP)) == GZIP
    return Inflated(file) if compressed else Plain(file)


def beginning(stream: Stream, octets: int) -> bytes:
    """The first octets, fewer where there are no more. Raises OSError."""
    buffer = bytearray(octets)
    have = 0
    with memoryview(buffer) as room:
        while have < octets and (got := stream.readinto(room[have:])):
            have += got
    return bytes(buffer[:have])


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
