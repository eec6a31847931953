"""Runs a command and tells its time and its own peak of memory: a process starts with the peak of the one that began it, and the bench is large.

`python child.py REPORT COMMAND…`: the report is one line, seconds and KiB; the exit status is the command's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path


def main(report: str, *command: str) -> int:
    start = time.perf_counter()
    started = subprocess.Popen(command)
    _, status, usage = os.wait4(started.pid, 0)
    seconds = time.perf_counter() - start
    started.returncode = os.waitstatus_to_exitcode(status)
    Path(report).write_text(f"{seconds} {usage.ru_maxrss}\n")
    return abs(started.returncode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
