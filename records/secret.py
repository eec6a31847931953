"""A secret as it stands in a file of its own: passwords, passphrases, tokens."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from records.homes import expanded

if TYPE_CHECKING:
    from os import PathLike


def exposed(file: str | PathLike[str]) -> bool:
    """Whether it is a file that everybody on this machine may read or change."""
    try:
        mode = expanded(file).stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IROTH | stat.S_IWOTH))


def first_line(file: str | PathLike[str]) -> str:
    """The first line of a file, without its end; blanks belong to it. Raises OSError and UnicodeDecodeError, for which every caller has words of its own."""
    return expanded(file).read_text("utf-8").split("\n", 1)[0].removesuffix("\r")
