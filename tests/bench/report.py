"""How long a report takes: a month of two sites with fifty controllers each, and the month before it: `python -m tests.bench.report [--url URL] [--days N]`.

It fails where the numbers of the month take more than 10 s. What each form takes to be printed is told beside.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from records.store import open_store
from reports.periods import ending
from reports.printing import FORMATS, rendered
from reports.summary import document
from tests.reporting import DAY, START, Plant, decide, fill

MOST_S = 10.0
PLANT = Plant(controllers=50, findings=300, activities=20_000)


def main(url: str, days: int) -> int:
    """Fill, measure, tell; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        where = url or str(Path(folder) / "store")
        store = open_store(where, True)
        first = START - DAY  # the first of November
        fill(store, first - days * DAY, 2 * days, PLANT)
        decide(store, at_once=500)
        store.close()
        store = open_store(where)
        started, cpu = time.perf_counter(), time.process_time()
        told = document(store, ending("monthly", ZoneInfo("Asia/Shanghai"), first + days * DAY))
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        store.close()
    counts = f"{told['coverage']['windows']:,} windows, {told['alerts']['findings']:,} findings, {told['alerts']['total']:,} alerts"
    sys.stdout.write(f"numbers: {took:.1f} s, {cpu:.1f} s of this process's CPU, the machine's load {os.getloadavg()[0]:.1f} ({counts})\n")
    for form in FORMATS:
        started = time.perf_counter()
        size = len(rendered(told, form, "zh"))
        sys.stdout.write(f"{form}: {time.perf_counter() - started:.1f} s, {size:,} bytes\n")
    return int(took > MOST_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="")
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    sys.exit(main(given.url, given.days))
