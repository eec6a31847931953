"""Files that others may have put somewhere: a pipe or a device in the place of one is not waited for, which might be for ever."""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from records.errors import StoreError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path


def opened(file: Path) -> BufferedReader:
    """A file, to be read. Raises OSError and, where it is no regular file, StoreError."""
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    if not S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise StoreError("odd_file", file=file)
    return os.fdopen(number, "rb")
