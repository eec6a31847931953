"""Sessions in files of their own, so that they outlive the dashboard: a directory beside the accounts that its owner alone may read or write.

A file is named by the digest of a session's token, from which nobody gets the token back. Whoever deletes a file ends its session at once.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 1024  # octets of a session


@dataclass(frozen=True, slots=True)
class Session:
    """Whose it is, of which password (when that was set), and when it began (seconds since the epoch)."""

    name: str
    changed: str
    begun: float


class Shelf:
    """The sessions in a directory, by digest. Where it is of no use, it holds nothing, and the log says why."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""

    def put(self, digest: str, session: Session) -> bool:
        """Keep one; whether it is kept."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not _ours(self._folder.lstat()):
                raise PermissionError(0, "others than its owner may write there")
            with os.fdopen(os.open(self._folder / digest, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(asdict(session), file)
        except OSError as error:
            if (said := f"{self._folder}: {error.strerror or error}: sessions end with the dashboard") != self._said:
                self._said = said
                sys.stderr.write(said + os.linesep)
            return False
        return True

    def get(self, digest: str) -> Session | None:
        """The one of this digest, where it is whole and nobody else can have put it there."""
        try:
            with os.fdopen(os.open(self._folder / digest, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                if not (_ours(self._folder.lstat()) and _ours(os.fstat(file.fileno()))):
                    return None
                told: Any = json.loads(file.read(LARGEST))
            return Session(str(told["name"]), str(told["changed"]), float(told["begun"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def drop(self, digest: str) -> None:
        """Keep it no longer."""
        with suppress(OSError):
            (self._folder / digest).unlink(missing_ok=True)

    def tidy(self, longest: float, most: int) -> None:
        """Drop what began longer ago than any session lasts (seconds), and the oldest of more than are kept."""
        with suppress(OSError):
            begun = sorted(((each.stat().st_mtime, each.name) for each in os.scandir(self._folder)), reverse=True)
            for place, (time_, name) in enumerate(begun):
                if place >= most or time_ < time.time() - longest:
                    self.drop(name)


def _ours(told: os.stat_result) -> bool:
    """Whether only this user can have written there."""
    return told.st_uid == os.geteuid() and not told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
