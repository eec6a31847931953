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

from records.processes import STAT, begun, namespace

OURS: Final = re.compile(r"balefire-[a-z]+-(\d+)-(\d+)-(\d+)-")


def prefix(kind: str) -> str:
    """What the name of a temporary file or folder of this process begins with."""
    number = os.getpid()
    return f"balefire-{kind}-{namespace()}-{number}-{begun(number)}-"


def sweep(folder: Path | None = None) -> int:
    """Take away what processes have left that are no more; how much. What is somebody else's stays, and what cannot be told."""
    if not STAT.exists():
        return 0
    here, gone = namespace(), 0
    with suppress(OSError), os.scandir(folder or tempfile.gettempdir()) as entries:
        for entry in entries:
            named = OURS.match(entry.name)
            if named is None or int(named[1]) != here or begun(int(named[2])) == int(named[3]):
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
