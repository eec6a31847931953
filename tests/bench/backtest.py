"""`python -m tests.bench.backtest`: how long a back-test of one rule takes over a month of a plant's activities on the embedded store.

The store is made from a seed. A time stands only where the back-test counted what the generator knows to be there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from records.nesting import iso
from tests.bench.history import HOSTS, NIGHT, START, fill

if TYPE_CHECKING:
    from tests.bench.history import Truth

ROOT: Final = Path(__file__).parents[2]
CHILD: Final = Path(__file__).with_name("child.py")
ROWS: Final = 10_000_000
AIM_S: Final = 10.0
KNOWN: Final = 8  # of HOSTS, the first, that may act by night
RULE: Final = """\
title: "{{source}} and {{destination}}: {name}"
title_zh: "{{source}} 与 {{destination}}：{name}"
id: {name}
status: experimental
description: For the bench.
description_zh: 用于性能测试。
tags:
  - attack.t0836
{what}
level: medium
misses:
  - {{en: Much., zh: 很多。}}
respond:
  - {{en: Ask., zh: 询问。}}
tests:
  fires:
    - {fires}
  quiet:
    - {quiet}
"""
READS: Final = """\
---
name: reads
logsource:
  product: balefire
detection:
  sel: {ot.access: read}
  condition: sel
"""


def rules() -> dict[str, tuple[str, str]]:
    """Each rule's text, and the name of its truth."""
    known = ", ".join(HOSTS[:KNOWN])
    night = f"""\
logsource:
  product: balefire
detection:
  acts: {{ot.access: [write, command]}}
  late: {{'@timestamp|hour|gte': {NIGHT[0]}}}
  early: {{'@timestamp|hour|lt': {NIGHT[1]}}}
  known: {{source.ip: [{known}]}}
  condition: acts and (late or early) and not known"""
    single = "logsource:\n  product: balefire\ndetection:\n  sel: {}\n  condition: sel"
    # as broad as a correlation can be: every read of every pair of hosts counts for an hour, and none of them is enough
    busy = "correlation:\n  type: event_count\n  rules: [reads]\n  group-by: [source.ip, destination.ip]\n  timespan: 1h\n  condition: {gte: 2000000}"
    told = {
        "acts-at-night": (night, "{'@timestamp': 2026-03-02T22:15:00Z, ot.effect: value.write}", "{}", "", "night"),
        "refused": (single.format("{event.outcome: failure}"), "{event.outcome: failure}", "{}", "", "refused"),
        "busy-reader": (single.format("{ot.access: read, ot.count|gte: 2, ot.unit|gte: 3}"), "{ot.unit: 3}", "{}", "", "reads"),
        "busy-pair": (busy, "[{ot.count: 2000000}]", "[{}]", READS, "none"),
    }
    return {name: (RULE.format(name=name, what=what, fires=fires, quiet=quiet) + more, truth) for name, (what, fires, quiet, more, truth) in told.items()}


def run(store: Path, folder: Path, name: str, truth: Truth) -> tuple[dict[str, Any], float]:
    """One back-test in a process of its own: what it printed, and its peak of memory in MiB."""
    text, wanted = rules()[name]
    file = folder / f"{name}.yml"
    file.write_text(text)
    report = folder / "report"
    since = iso(START)  # the last 30 days would begin with the end of the last row, some of which stand for a minute
    words = (CHILD, report, sys.executable, "-m", "balefire", "rules", "backtest", file, "--store", store, "--since", since, "--json")
    done = subprocess.run([sys.executable, *(str(word) for word in words)], cwd=ROOT, capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    if told["fires"] != getattr(truth, wanted) or told["rows"] != truth.rows or told["totals"]["added"] != told["fires"]:
        raise SystemExit(f"{name}: fires {told['fires']}, of {told['rows']} rows; the truth is {getattr(truth, wanted)} of {truth.rows}")
    return told, int(report.read_text().split()[1]) / 1024


def main() -> None:
    """Make the store, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=ROWS)
    asked = parser.parse_args()
    from records.store import open_store

    with tempfile.TemporaryDirectory(prefix="balefire-bench-") as home:
        place = Path(home) / "store"
        store = open_store(str(place), write=True)
        truth = fill(store, asked.seed, asked.rows)
        store.close()
        octets = sum(file.stat().st_size for file in place.rglob("*.parquet"))
        print(f"{truth.rows:,} activities, {octets / max(1, truth.rows):.0f} octets each; {os.cpu_count()} × {platform.processor() or platform.machine()}")
        slow = False
        for name in rules():
            told, peak = run(place, Path(home), name, truth)
            slow |= told["elapsed_s"] > AIM_S
            print(f"{name:14} fires {told['fires']:>9,}  {told['elapsed_s']:6.2f} s  peak {peak:5.0f} MiB")
    if slow and asked.rows == ROWS:
        raise SystemExit(f"slower than {AIM_S:.0f} s")


if __name__ == "__main__":
    main()
