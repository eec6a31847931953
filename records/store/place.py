"""The directory of an embedded store: whether there is one, the lock of its only writer of rows, and whose turn it is to write at all."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from records.errors import StoreError
from records.store.manifest import NAME

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK: Final = "lock"
TURN: Final = "turn"
LONGEST: Final = 20  # digits of a process's number


def check_place(path: Path, write: bool) -> None:
    """Raises StoreError unless there is a store at `path`, or, to write, room for one."""
    if path.exists() and not path.is_dir():
        raise StoreError("store.not_a_store", path=path)
    if not path.is_dir():
        if not write:
            raise StoreError("store.missing", path=path)
        path.mkdir(parents=True, exist_ok=True)
    found = {entry.name for entry in path.iterdir()}
    if NAME not in found and found - {LOCK, TURN, "lost+found"}:
        raise StoreError("store.not_a_store", path=path)
    if NAME not in found and not write:
        raise StoreError("store.missing", path=path)


def sync(path: Path) -> None:
    """Have a file, or the names of a directory, on the disk before anything that follows."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def locked(path: Path) -> int:
    """The lock that makes this the only writer; it ends with the process, however that ends."""
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        writer = os.pread(handle, LONGEST, 0).decode("ascii", "replace").strip() or "?"
        os.close(handle)
        raise StoreError("store.in_use", path=path, process=writer) from error
    with suppress(OSError):  # where the disk is full it is locked all the same
        os.ftruncate(handle, 0)
        os.pwrite(handle, b"%d" % os.getpid(), 0)  # for whoever finds it locked
    return handle


class Turn:
    """Whose turn it is to write: one at a time, of all threads and processes. Whoever keeps house writes beside the one who writes rows."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._handle = os.open(path / TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def taken(self) -> Generator[None]:
        """Wait for it, and have it until the end of the block."""
        with self._lock:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Nobody waits any more."""
        os.close(self._handle)
