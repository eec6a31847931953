"""What was listened to, kept on the disk as it came: pcapng files in a ring, of which the oldest goes when there is no more room for all, or it is too old.
What two full ones hold stays of the newest whoever takes the room of the disk, and the ring goes on with them.

Each file is a capture of its own; one behind the other (`cat`) they are one capture, with what time it was and what was dropped, so that replaying them gives
what was found when it was live. What the disk refused is told as dropped, and where a recording goes on, for how long nobody listened. Their names begin with
a number, for a clock may be set back. What a file reaches over is noted beside it once it is closed (`sensors.indexing`). What a full disk or a power cut
leaves of a block is cut off. What `write` was given is the system's when it returns, so that what was handed on after it is kept even where this process is
killed.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import shutil
import time
from collections import Counter, deque
from contextlib import suppress
from errno import ENOENT, ENOSPC
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Final

from records.errors import UsageError
from sensors.pcapng import dropped_of, packets_of, retold, whole
from sensors.sources.pcap import SPAN

SEGMENT: Final = 64 << 20  # octets of a file, about
FILLED: Final = "less is free than has to stay free"
FLOOR: Final = 1 << 30  # that stay free on the disk, for the store lives there too
LEAST: Final = 2  # full files that others who fill the disk do not push out, beside the one that is written; of files that were cut off, as much in octets
LONGEST_S: Final = 3600.0  # that a file is written, so that of the oldest there is no more than so much too old
LOOK_S: Final = 60.0  # between looks at what is too old
SYNC_S: Final = 5.0  # after which what was written is on the disk, whatever becomes of the machine
DAY_S: Final = 86400.0
UNTOLD: Final = 1 << 20  # octets of statistics that wait for a disk that refuses; then the oldest go, and what was dropped stands in those after them
OURS: Final = re.compile(
    r"(\d{8,})-\d{8}T\d{6}\.pcapng|(\d{8})T\d{6}-\d{9}\.pcapng"
)  # the number; of older versions the day (20260301), behind which those of today go on


class Recording:
    """A folder of such files: at most `most` octets of them, none older than so many `days`, while at least `floor` stay free.

    `head` is what each begins with. `misses`: whether what came after the last of an earlier recording there is missing.
    """

    def __init__(self, folder: Path, head: bytes, most: int, segment: int = SEGMENT, floor: int = FLOOR, days: float = math.inf, misses: bool = True) -> None:
        self._days, self._begun, self._looked, self._synced = days, 0.0, -math.inf, time.monotonic()
        self._opened = 0  # when the file that is written was, nanoseconds since the epoch
        self._folder, self._head, self._most, self._segment, self.floor = folder, head, most, min(segment, max(most // 4, 1)), floor
        self.least = LEAST * self._segment  # octets that stay where others fill the disk
        self._file: IO[bytes] | None = None
        self._octets = 0
        self._disk: Disk | None = None
        self.refused = ""  # why the last octets were not kept; empty where they were
        self.narrow = False  # whether others fill the disk, so that no more than the least is kept
        self._missed = Counter[int]()  # packets that the disk refused, by interface
        self._dropped, self._before = dict[int, int](), dict[int, int]()  # … that are told as dropped by now; that are told in the files before this one
        self._untold = deque[bytes]()  # statistics that the disk refused
        newest = files(folder)[-2:]  # the one before may not have been on the disk yet
        self._since = newest[-1].stat().st_mtime_ns if newest and misses else 0  # when the one before was alive last
        for file in newest:
            self._mend(file)

    def write(self, octets: bytes | memoryview) -> None:
        """Keep whole blocks. Where the disk refuses, nothing is kept until it takes them again, and what is missing then is told; whoever listens goes on."""
        try:
            if self._file is None or self._octets >= self._segment or time.monotonic() - self._begun > LONGEST_S:
                self._turn()
            try:
                self._go_on(octets)
            except OSError:
                if self._octets <= len(self._head):
                    raise
                self._turn()  # others took the room meanwhile; the oldest gives some
                self._go_on(octets)
            self.refused = ""
        except OSError as error:
            self._missed.update(packets_of(octets))
            self._refuse(error)

    def tell(self, statistics: bytes) -> None:
        """Keep what an intake tells each second, with what is missing here beside that; where the disk refuses, as soon as it takes them again."""
        absent, self._since = max(time.time_ns() - self._since, 0) if self._since else 0, 0
        self._untold.append(retold(statistics, self._missed, {}, absent))
        while sum(map(len, self._untold)) > UNTOLD:
            self._untold.popleft()
        self.write(b"")

    def describe(self, octets: bytes) -> None:
        """One more interface: it is in the file that is written, and files begin with it from now on."""
        self._head += octets
        if self._file is not None:
            try:
                self._add(octets)
            except OSError as error:
                self._refuse(error)

    def flush(self) -> None:
        """What was kept is soon on the disk; and what is too old goes. Where the file was taken away, another one is begun."""
        if self._file is not None and not _is_there(self._file):
            self._lose(self._file)
        try:
            self._forget()
            if self._file is not None and time.monotonic() - self._synced >= SYNC_S and (self._disk is None or self._disk.is_idle()):
                self._sync(self._file)
        except OSError as error:
            self._refuse(error)

    def close(self) -> None:
        """The end of the file that is written; it is on the disk when this returns."""
        self._end()
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def _end(self, torn: bool = False) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            with file:
                self._sync(file)
        except OSError as error:  # some file systems find out at the end only
            self.refused, torn = error.strerror or str(error), True
        if torn:
            self._mend(Path(file.name))

    def _refuse(self, error: OSError) -> None:
        """Nothing more goes into the file: it ends with the last block that is whole; one that holds no packet goes."""
        file = self._file
        self._end(torn=True)
        if file is not None and self._octets <= len(self._head):
            Path(file.name).unlink(missing_ok=True)
        self.refused = error.strerror or str(error)

    def _go_on(self, octets: bytes | memoryview) -> None:
        """What is not told yet, and these."""
        if self._untold:
            told, dropped = b"", self._dropped
            for statistics in self._untold:
                told += retold(statistics, {}, self._before, before=dropped)
                dropped = dropped_of(statistics)
            self._add(told)
            self._dropped = dropped
            self._untold.clear()
        self._add(octets)

    def _add(self, octets: bytes | memoryview) -> None:
        """All of it into the file that is written, or nothing."""
        assert self._file is not None  # noqa: S101 - it was opened
        rest = memoryview(octets)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(self._octets)
            self._file.seek(self._octets)
            raise
        self._octets += len(octets)

    def _turn(self) -> None:
        """Go on in a new file, and make room for it."""
        self._end()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thin()
        number = max([_number(file) for file in files(self._folder)], default=0) + 1
        name = f"{number:08}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.pcapng"
        self._file, self._octets, self._begun = (self._folder / name).open("xb", buffering=0), 0, time.monotonic()
        self._opened = time.time_ns()
        self._before = self._dropped
        self._add(self._head)

    def _lose(self, file: IO[bytes]) -> None:
        """What was in it is missing: the next one tells for how long, and once more what had been told there."""
        self._since, self._dropped, self._file, self.refused = self._opened, self._before, None, os.strerror(ENOENT)
        with suppress(OSError):
            file.close()

    def _mend(self, file: Path) -> None:
        """Cut off what is no whole block at the end; a file in which there is none goes."""
        try:
            with file.open("r+b") as opened:
                end = whole(opened)
                if end < opened.seek(0, os.SEEK_END):
                    opened.truncate(end)
            if not end:
                _delete(file)
        except OSError as error:
            self.refused = error.strerror or str(error)

    def _sync(self, file: IO[bytes]) -> None:
        """Have it brought to the disk; that may take seconds, for which nobody here waits."""
        self._synced = time.monotonic()
        if self._disk is None:
            self._disk = Disk(self._folder)
        self._disk.bring(os.dup(file.fileno()))

    def _forget(self) -> None:
        """Files that nobody has written for so many days."""
        if self._days == math.inf or time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        for file in files(self._folder):
            with suppress(FileNotFoundError):  # somebody else took it away meanwhile
                if time.time() - file.stat().st_mtime > self._days * DAY_S:
                    _delete(file)

    def _thin(self) -> None:
        """Make room for one more file. Where others take what has to stay free, the least goes round in its own room."""
        kept = files(self._folder)
        total = sum(map(octets, kept))
        while kept and (
            total + self._segment > self._most or (len(kept) > LEAST and total - octets(kept[0]) >= self.least and not self._is_free(self._segment))
        ):
            oldest = kept.pop(0)
            total -= octets(oldest)
            _delete(oldest)
        self.narrow = len(kept) >= LEAST and not self._is_free(self._segment)
        if not self.narrow and not self._is_free(0):
            raise OSError(ENOSPC, FILLED)

    def _is_free(self, octets: int) -> bool:
        """Is there room for so many, and what has to stay free?"""
        return shutil.disk_usage(self._folder).free >= self.floor + octets


class Disk:
    """A thread that brings files, and the names in their folder, to the disk; one that cannot be brought is left to the system, which tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: SimpleQueue[int | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    def bring(self, number: int) -> None:
        """An open file of its own, which is closed then."""
        self._open.put(number)

    def is_idle(self) -> bool:
        """Is nothing waiting?"""
        return self._open.empty()

    def close(self) -> None:
        """All of them are there."""
        self._open.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (number := self._open.get()) is not None:
            for each in (number, _opened(self._folder)):
                if each is not None:
                    _synced(each)


def alone(folder: Path) -> int | None:
    """Nobody else records there for as long as this file is open; None where a file system knows no such thing. Raises UsageError where somebody does."""
    number = _opened(folder)
    try:
        if number is not None:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError("live.recorded", path=folder) from None
    except OSError:
        return None
    return number


def _is_there(file: IO[bytes]) -> bool:
    """Has nobody taken it away, or put another disk in its place?"""
    try:
        return os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))  # noqa: PTH116 - it is called so where it was opened
    except OSError:
        return False


def _opened(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _synced(number: int) -> None:
    try:
        os.fsync(number)
    except OSError:
        pass
    finally:
        os.close(number)


def files(folder: Path) -> list[Path]:
    """All of a recording, the oldest first. What only has such a name, as a link that leads nowhere, is none of it."""
    ours = (file for file in folder.glob("*.pcapng") if OURS.fullmatch(file.name) and os.path.isfile(file))  # noqa: PTH113 - Path's raises where one may not look
    return sorted(ours, key=lambda file: (_number(file), file.name))


def octets(file: Path) -> int:
    """Those of a file and of what is noted beside it; none of what is not there, or went meanwhile."""
    found = 0
    for each in (file, file.with_name(file.name + SPAN)):
        with suppress(OSError):
            found += each.stat().st_size
    return found


def _delete(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_name(file.name + SPAN).unlink(missing_ok=True)


def _number(file: Path) -> int:
    found = OURS.fullmatch(file.name)
    return int(found[1] or found[2]) if found else 0
