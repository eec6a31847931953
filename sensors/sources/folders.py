"""A folder into which capture files fall: each is read once, when nobody writes it any more, and moved into one inside it."""

from __future__ import annotations

import io
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, cast

from records.errors import UsageError

if TYPE_CHECKING:
    from threading import Event

    from _typeshed import WriteableBuffer

    from sensors.sources.doors import Taker

WAKE_S: Final = 0.2
LOOK_S: Final = 1.0  # between looks at a folder
SETTLED_S: Final = 5.0  # since a file was written last
READ: Final = "read"  # the folder of what was read, inside the other
READING: Final = ".reading"  # in it: who is reading, and the name of the file that is being read
HIDDEN: Final = "."  # what a name begins with that whoever copies gives it until all is there (rsync, for one), and others what is for no reader
STAYED: Final = ".stayed"  # in it: what was read and could not be moved, and what it was like
REMEMBERED: Final = 64  # files that were read last, of which it is seen that they are written on


class Like(NamedTuple):
    """What a file is told by: which one it is, how much there is of it, and when it was written."""

    number: int
    octets: int
    written: int

    @classmethod
    def of(cls, told: os.stat_result) -> Like:
        """As the system tells it."""
        return cls(told.st_ino, told.st_size, told.st_mtime_ns)


def check_folder(place: str) -> None:
    """Raises UsageError where it is none."""
    if not Path(place).is_dir():
        raise UsageError("live.no_folder" if Path(place).exists() else "capture.missing", file=place)


class Folder:
    """What was read is moved into a folder inside it, so that it is read once, whatever ends meanwhile. What may not be moved is remembered there."""

    def __init__(self, place: str) -> None:
        self.name, self._folder = place, Path(place)
        check_folder(place)
        self._seen: dict[Path, tuple[Like, float]] = {}
        self.half, self._half = self._left()
        self._done: dict[Path, int] = {}  # where what was read last lies now, and how much there was of it
        self._stayed = self._remembered()
        self._barred: dict[Path, str] = {}  # what cannot be opened, and why, or "" where there is nothing in it: said once, and tried again
        self._passed = set[Path]()  # what is no file

    def run(self, taker: Taker) -> None:
        """See `Door`."""
        reason = ""
        if self.half:
            taker.say(**{"half" if taker.run == self.half else "doubled": str(self._folder / self._half)})
        while not taker.stopped.wait(LOOK_S):
            try:
                for path in self._settled(taker):
                    if not taker.stopped.is_set():
                        self._read(taker, path)
                self._look_back(taker)
                reason = ""
            except OSError as error:  # the folder is gone, or may not be written
                if (why := error.strerror or str(error)) == reason:
                    continue
                reason = why
                if isinstance(error, PermissionError):  # also where it was made anew, and the kernel lets this process write the one before alone
                    taker.say(forbidden=self.name)
                else:
                    taker.say(away=self.name, reason=why)

    def _left(self) -> tuple[str, str]:
        """Who was killed while reading a file that is still there, and that file; two empty ones where nobody was."""
        with suppress(OSError):
            run, _, name = os.fsdecode((self._folder / READ / READING).read_bytes()).partition("\n")
            if name and (self._folder / name).is_file():
                return run, name
        return "", ""

    def _settled(self, taker: Taker) -> list[Path]:
        """The files that nobody has written for a while, oldest first; before them what was left half read."""
        now, seen, others = time.monotonic(), dict[Path, tuple[Like, float]](), set[Path]()
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # it was there a moment ago
                if path.name.startswith(HIDDEN):
                    continue
                if path.is_file():
                    like = Like.of(path.stat())
                    before, since = self._seen.get(path, (None, now))
                    seen[path] = (like, since if like == before else now)
                elif path.name != READ and path.lstat():
                    others.add(path)
        for path in sorted(others - self._passed):
            taker.pass_over(path, "nested" if path.is_dir() else "odd")
        self._seen, self._passed = seen, others
        self._barred = {path: why for path, why in self._barred.items() if path in seen}
        if gone := self._stayed.keys() - {path.name for path in seen}:
            self._remember({name: like for name, like in self._stayed.items() if name not in gone})
        settled = [path for path, (like, since) in seen.items() if now - since >= SETTLED_S and not self._has_read(taker, path, like)]
        return sorted(settled, key=lambda path: (path.name != self._half, seen[path][0].written, path.name))

    def _has_read(self, taker: Taker, path: Path, like: Like) -> bool:
        """Is it what was read before and could not be moved? Another file of this name is not."""
        before = self._stayed.get(path.name)
        if before is None or before == like:
            return before is not None
        if before.number != like.number or before.octets >= like.octets:
            return False
        taker.say(grew=str(path))
        self._remember(self._stayed | {path.name: like})
        return True

    def _read(self, taker: Taker, path: Path) -> None:
        try:
            opened = path.open("rb", buffering=0)
        except OSError as error:
            self._put_off(taker, path, error.strerror or str(error))
            return
        with opened as file:
            if not os.fstat(file.fileno()).st_size:  # whoever writes it may keep what it has until there is more
                self._put_off(taker, path)
                return
            done = self._folder / READ
            done.mkdir(exist_ok=True)
            (done / READING).write_bytes(os.fsencode(f"{taker.run}\n{path.name}"))
            growing = Growing(file, taker.stopped)
            read = taker.take_in(self.name, cast("BinaryIO", growing), None, str(path))
            like = Like.of(os.fstat(file.fileno()))
        if read or not taker.stopped.is_set():  # else it may be that nothing more is taken in
            self._put_away(taker, path, like, is_capture=read is not None)
            (done / READING).unlink(missing_ok=True)

    def _put_off(self, taker: Taker, path: Path, why: str = "") -> None:
        if self._barred.get(path) != why:
            if why:
                taker.say(barred=str(path), reason=why)
            else:
                taker.say(hollow=str(path))
        self._barred[path] = why

    def _put_away(self, taker: Taker, path: Path, like: Like, *, is_capture: bool) -> None:
        """Move it to what was read; where that may not be, it is remembered, else it would be read again and again."""
        try:
            moved = path.rename(_free(self._folder / READ, path))
        except FileNotFoundError:  # whoever put it there took it away
            return
        except OSError as error:
            taker.say(stayed=str(path), reason=error.strerror or str(error))
            self._remember(self._stayed | {path.name: like})
            return
        if is_capture:  # of what was not read nothing can be left out
            self._done = dict([*self._done.items(), (moved, like.octets)][-REMEMBERED:])

    def _remembered(self) -> dict[str, Like]:
        """What is remembered from before."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            told: Any = json.loads((self._folder / READ / STAYED).read_bytes())
            return {str(name): Like(*map(int, like)) for name, like in told.items()}
        return {}

    def _remember(self, stayed: dict[str, Like]) -> None:
        """These were read and are where they were."""
        self._stayed = stayed
        place = self._folder / READ / STAYED
        beside = place.with_name(f"{STAYED}.new")
        beside.write_text(json.dumps(stayed), "utf-8")
        beside.replace(place)

    def _look_back(self, taker: Taker) -> None:
        """Say what was written on after it had been read."""
        for path, size in list(self._done.items()):
            with suppress(FileNotFoundError):
                if path.stat().st_size > size:
                    del self._done[path]
                    taker.say(grew=str(path))

    def close(self) -> None:
        """A file is closed where it ended."""


class Growing(io.RawIOBase):
    """A file that may still be written: it ends where nobody has written it for a while."""

    def __init__(self, file: io.FileIO, stopped: Event) -> None:
        super().__init__()
        self._file, self._stopped = file, stopped

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, room: WriteableBuffer, /) -> int:
        """What there is, after waiting where more may come."""
        while not (got := self._file.readinto(room)) and self._is_fresh() and not self._stopped.wait(WAKE_S):
            pass
        return got or 0

    def _is_fresh(self) -> bool:
        return abs(time.time() - os.fstat(self._file.fileno()).st_mtime) < SETTLED_S


def _free(folder: Path, path: Path) -> Path:
    """A name there that no other file has: what came before under this one stays as it is."""
    ending = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    place, number = folder / path.name, 1
    while place.exists():
        number += 1
        place = folder / f"{path.name.removesuffix(ending)}-{number}{ending}"
    return place
