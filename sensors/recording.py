"""What was listened to, kept on the disk as it came: pcapng files in a ring, of which the oldest goes when there is no more room for all, or it is too old.

Each file is a capture of its own; one behind the other (`cat`) they are one capture, with what time it was and what was dropped, so that replaying them gives
what was found when it was live.
"""

from __future__ import annotations

import math
import shutil
import time
from errno import ENOSPC
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT: Final = 64 << 20  # octets of a file, about
FLOOR: Final = 1 << 30  # that stay free on the disk, for the store lives there too
LONGEST_S: Final = 3600.0  # that a file is written, so that of the oldest there is no more than so much too old
LOOK_S: Final = 60.0  # between looks at what is too old
DAY_S: Final = 86400.0


class Recording:
    """A folder of such files: at most `most` octets of them, none older than so many `days`, while at least `floor` stay free.

    `head` is what each begins with.
    """

    def __init__(self, folder: Path, head: bytes, most: int, segment: int = SEGMENT, floor: int = FLOOR, days: float = math.inf) -> None:
        self._days, self._begun, self._looked = days, 0.0, -math.inf
        self._folder, self._head, self._most, self._segment, self.floor = folder, head, most, min(segment, max(most // 4, 1)), floor
        self._file: IO[bytes] | None = None
        self._octets = 0
        self.refused = ""  # why the last octets were not kept; empty where they were

    def write(self, octets: bytes | memoryview) -> None:
        """Keep whole blocks. Where the disk refuses, nothing is kept until it takes them again; whoever listens goes on."""
        try:
            if self._file is None or self._octets >= self._segment or time.monotonic() - self._begun > LONGEST_S:
                self._turn()
            assert self._file is not None  # noqa: S101 - it was opened
            self._file.write(octets)
            self._octets += len(octets)
            self.refused = ""
        except OSError as error:
            self.refused = error.strerror or str(error)
            self.close()

    def describe(self, octets: bytes) -> None:
        """One more interface: it is in the file that is written, and files begin with it from now on."""
        self._head += octets
        if self._file is not None and self._octets < self._segment:
            self.write(octets)

    def flush(self) -> None:
        """What was kept is in the file, and what is too old goes."""
        try:
            self._forget()
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            self.refused = error.strerror or str(error)
            self.close()

    def close(self) -> None:
        """The end of the file that is written."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # what was still to be written found no room
                self.refused = error.strerror or str(error)

    def _turn(self) -> None:
        """Go on in a new file, and make room for it."""
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thin()
        self._file = (self._folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09}.pcapng").open("xb", buffering=1 << 20)
        self._file.write(self._head)
        self._octets, self._begun = len(self._head), time.monotonic()

    def _forget(self) -> None:
        """Files that nobody has written for so many days."""
        if self._days == math.inf or time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        for file in self._folder.glob("*.pcapng"):
            if time.time() - file.stat().st_mtime > self._days * DAY_S:
                file.unlink()

    def _thin(self) -> None:
        files = sorted(self._folder.glob("*.pcapng"))
        total = sum(file.stat().st_size for file in files)
        while files and (total + self._segment > self._most or shutil.disk_usage(self._folder).free < self.floor + self._segment):
            oldest = files.pop(0)
            total -= oldest.stat().st_size
            oldest.unlink()
        if shutil.disk_usage(self._folder).free < self.floor:
            raise OSError(ENOSPC, "less is free than has to stay free")
