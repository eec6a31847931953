"""Temporary files and folders, which go with the process that made them: what one that was killed left behind is taken away by those that start later.

Names tell whose they are: the process, when it began (a number may come again), and the namespace in which it has that number.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

OURS: Final = re.compile(r"balefire-[a-z]+-(\d+)-(\d+)-(\d+)-")
STAT: Final = Path("/proc/self/stat")
NAMESPACE: Final = Path("/proc/self/ns/pid")
BEGUN: Final = 19  # of the fields behind the name of a process (proc(5)): when it began


def prefix(kind: str) -> str:
    """What the name of a temporary file or folder of this process begins with."""
    number = os.getpid()
    return f"balefire-{kind}-{_namespace()}-{number}-{_begun(number)}-"


def sweep(folder: Path | None = None) -> int:
    """Take away what processes have left that are no more; how much. What is somebody else's stays, and what cannot be told."""
    if not STAT.exists():
        return 0
    here, gone = _namespace(), 0
    with suppress(OSError), os.scandir(folder or tempfile.gettempdir()) as entries:
        for entry in entries:
            named = OURS.match(entry.name)
            if named is None or int(named[1]) != here or _begun(int(named[2])) == int(named[3]):
                continue
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.getuid():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink()
                gone += 1
    return gone


def _namespace() -> int:
    return NAMESPACE.stat().st_ino if NAMESPACE.exists() else 0


def _begun(process: int) -> int:
    """When it began, in ticks since the system did; 0 where there is none such."""
    try:
        told = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return 0
    return int(told.rpartition(b")")[2].split()[BEGUN])
