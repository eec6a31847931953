"""Pipes that hold more than the 64 KiB that they are born with: who writes need not wait for a reader that is busy with something else."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from typing import Final

OCTETS: Final = 1 << 20  # as many as Linux lets anybody ask for


def widen(number: int) -> None:
    """Have the pipe of this file descriptor hold more, if the kernel lets it: Linux alone does."""
    with suppress(OSError, AttributeError):
        fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, OCTETS)
