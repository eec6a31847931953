"""`make soak`: an endless stream through standard input, and how much memory the replay has while it goes on.

The stream is a minute of a plant's traffic again and again, as fast as can be, or with `--site` days of a simulated plant that is attacked: hosts that come
and go, devices that are silent, everything that there is to find.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.bench.generator import SEED
from tests.plant.works.plant import SITES

EVERY_S: Final = 0.2
GROWTH: Final = 1.1  # from the highest of the first quarter to that of the second half: more than this is not flat
MOST_MIB: Final = 500.0  # at any time


def resident(process: int) -> float:
    """MiB of a process that are in memory now; 0 where it has gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / (1 << 20)


def main() -> None:
    """Stream, watch, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--packets", type=int, default=100_000_000)
    parser.add_argument("--site", choices=sorted(SITES), help="of a simulated plant, instead of the minute")
    parser.add_argument("--hours", type=float, default=168.0, help="of that plant")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="balefire-soak-") as folder, Path(folder, "summary").open("w+", encoding="utf-8") as out:
        truth = Path(folder, "truth.json")
        replay = [sys.executable, "-m", "balefire", "replay", "-", "--observer", "soak", "--store", f"{folder}/store", "--json"]
        source = subprocess.Popen([sys.executable, "-m", *stream(chosen, truth)], stdout=subprocess.PIPE)
        assert source.stdout
        select.select([source.stdout], [], [])  # it records its minute first
        start = time.monotonic()
        reader = subprocess.Popen(replay, stdin=source.stdout, stdout=out)
        source.stdout.close()
        sizes: list[float] = []
        while reader.poll() is None:
            sizes.append(resident(reader.pid))
            time.sleep(EVERY_S)
        source.wait()
        seconds = time.monotonic() - start
        out.seek(0)
        summary = json.load(out)
        text = truth.read_text("utf-8")
        expected = json.loads(text.splitlines()[-1] if chosen.site else text)
    tell(summary, expected, [size for size in sizes if size], seconds)


def stream(chosen: argparse.Namespace, truth: Path) -> list[str]:
    """The module that writes the stream, and its words."""
    seed = ["--seed", str(chosen.seed)]
    if chosen.site:
        plant = ["--site", chosen.site, "--hours", str(chosen.hours), "--attack", "all", "--benign", "week"]
        return ["tests.plant.works", *seed, *plant, "--output", "-", "--labels", str(truth)]
    return ["tests.bench.generator", *seed, "--packets", str(chosen.packets), "--truth", str(truth), "-"]


def judged(sizes: list[float], peak: float) -> tuple[float, float, list[str]]:
    """The highest of the first quarter and of the second half, and what is wrong with them and with the peak of all."""
    early, late = max(sizes[: len(sizes) // 4 + 1]), max(sizes[len(sizes) // 2 :])
    wrong = [f"grows more than {GROWTH:g} times"] if late > early * GROWTH else []
    return early, late, wrong + ([f"peak above {MOST_MIB:.0f} MiB"] if peak > MOST_MIB else [])


def tell(summary: dict[str, Any], truth: dict[str, Any], sizes: list[float], seconds: float) -> None:
    """Memory over time, and whether it is flat and little."""
    if summary["packets"] != truth["packets"]:
        sys.exit(f"no figures: {summary['packets']} packets, truth {truth['packets']}")
    marks = [sizes[len(sizes) * tenth // 10] for tenth in range(10)] + sizes[-1:]
    print("MiB at each tenth:", " ".join(f"{size:.0f}" for size in marks))
    early, late, wrong = judged(sizes, summary["peak_mib"])
    print(f"{summary['packets']:,} packets in {seconds:.0f} s; peak {summary['peak_mib']} MiB, {early:.0f} in the first quarter, {late:.0f} in the second half")
    if wrong:
        sys.exit("; ".join(wrong))
    print("flat")


if __name__ == "__main__":
    main()
