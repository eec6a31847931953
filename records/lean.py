"""What a process leaves out and puts off that only works through rows, so that it starts sooner and stays smaller."""

from __future__ import annotations

import atexit
import gc
import os
import resource
import sys
from pathlib import Path
from typing import Final

TURN_S: Final = 0.0005  # a thread that wants the interpreter waits no longer for it: Python's default would be ten batches of packets
UNCOLLECTED: Final = 100_000  # objects; Python's 700 have modules and rules looked through for garbage again and again while they are made (0.4 s)


STATUS: Final = Path("/proc/self/status")
PEAK: Final = "VmHWM:"  # proc(5): the most memory that this program had; what the system says of a process begins with that of its parent


class _Forgone:
    """Arrow looks for pandas when it makes its first array: 0.3 s and 35 MiB, for nothing. Only the dashboard, a process of its own, has use for it."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def lean() -> None:
    """Make this process such a one; before it imports anything large."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would look for work that there never is
    sys.meta_path.insert(0, _Forgone)
    gc.set_threshold(UNCOLLECTED)
    sys.setswitchinterval(TURN_S)
    atexit.register(_leave)


def _leave() -> None:
    """What is there at the end goes with the process, and is not looked through for garbage (0.2 s); duckdb would say that it leaks."""
    if "duckdb" not in sys.modules:
        gc.freeze()


def peak_kib() -> int:
    """The most memory that this process had, KiB."""
    if STATUS.exists():
        return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(PEAK))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
