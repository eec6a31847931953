"""What a process may write from now on, it and all that it starts; what it reads stays as it is. landlock(7), linux/landlock.h.

Asked of the kernel itself, so that it holds however the process was started. A kernel that has no Landlock (before 5.19, or built or started without) leaves
all as it was; one before 6.2 lets files be truncated, one before 6.7 lets TCP be.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from records.homes import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, by the same numbers on every architecture
VERSION: Final = 1  # the flag that asks for it
BENEATH: Final = 1  # a rule of all that is below a directory
LEAST: Final = 2  # the version from which a file may be renamed into another directory
ALL: Final = 4  # … from which all that is asked for is refused
NO_NEW_PRIVILEGES: Final = 38  # linux/prctl.h; without it the kernel asks for root
# write_file, remove_dir, remove_file, make_char … make_sym, refer; truncate from version 3 on
WRITES: Final = 1 << 1 | sum(1 << bit for bit in range(4, 14))
TRUNCATE: Final = 1 << 14
TCP: Final = 0b11  # bind and connect, from version 4 on


def version() -> int:
    """That of the kernel's Landlock; 0 where there is none that serves."""
    if sys.platform != "linux":
        return 0
    found = int(ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION))
    return found if found >= LEAST else 0


def confine(writable: Iterable[Path], tcp: bool) -> bool:
    """From now on this thread, and what it starts, writes below these directories alone, and has TCP only with `tcp`; False where the kernel cannot do that.

    A directory that is not there yet is made; none that cannot be can be written. Called before there are other threads.
    """
    known = version()
    if not known:
        return False
    libc = ctypes.CDLL(None)
    rights = WRITES | (TRUNCATE if known >= 3 else 0)
    asked = struct.pack("=QQ", rights, 0 if tcp else TCP)[: 16 if known >= ALL else 8]
    rules = libc.syscall(CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), 0)
    if rules < 0:
        return False
    try:
        for place in {expanded(place).absolute() for place in writable}:
            _allow(libc, rules, rights, place)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return libc.syscall(RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def made(place: Path, mode: int = 0o777) -> None:
    """Have it there, and the way to it on the disk, as a rule is of what is there. Raises OSError where it is no directory, and cannot be made."""
    place = expanded(place).absolute()
    missing = [each for each in (place, *place.parents) if not os.path.isdir(each)]  # noqa: PTH112 - Path's raises where one may not look
    for new in reversed(missing):
        new.mkdir(mode, exist_ok=True)
        with suppress(OSError):  # some systems open no directory
            opened = os.open(new.parent, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def _allow(libc: ctypes.CDLL, rules: int, rights: int, place: Path) -> None:
    with suppress(OSError):  # one that cannot be made or opened cannot be written either; what is above it is not for this process
        made(place)
        opened = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            libc.syscall(ADD_RULE, rules, BENEATH, struct.pack("=Qi", rights, opened), 0)
        finally:
            os.close(opened)
