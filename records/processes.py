"""Which process it is, told to others by a number, so that they can see whether it has ended.

Numbers of processes come again, so it is told, too, when it began, and in which namespace of which start of the system it has that number (proc(5)).
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

STAT: Final = Path("/proc/self/stat")
NAMESPACE: Final = Path("/proc/self/ns/pid")
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
BEGUN: Final = 19  # of the fields behind the name of a process: when it began
NUMBER, TICKS = 22, 21  # bits of a mark: the number of a process, and of when it began


def namespace() -> int:
    """That of this process; 0 where there is no such thing."""
    return NAMESPACE.stat().st_ino if NAMESPACE.exists() else 0


def begun(process: int) -> int:
    """When it began, in ticks since the system did; 0 where there is none such."""
    try:
        told = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return 0
    return int(told.rpartition(b")")[2].split()[BEGUN])


def mark() -> int:
    """This process, in 63 bits; 0 where the system does not tell."""
    number = os.getpid()
    return (_here() << NUMBER | number) << TICKS | _ticks(number) if STAT.exists() and BOOT.exists() else 0


def has_ended(mark: int) -> bool:
    """Whether it was a process that could be seen from here, and is no more. What was one of another machine, or before this one started, cannot be told."""
    number = mark >> TICKS & (1 << NUMBER) - 1
    return bool(mark) and BOOT.exists() and mark >> TICKS + NUMBER == _here() and mark & (1 << TICKS) - 1 != _ticks(number)


def _here() -> int:
    return int.from_bytes(blake2b(BOOT.read_bytes() + str(namespace()).encode(), digest_size=3).digest()) >> 4


def _ticks(process: int) -> int:
    return begun(process) & (1 << TICKS) - 1
