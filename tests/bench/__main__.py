"""`make bench CAPTURE=FILE`: the rate of a whole replay and of the engine alone against `tshark -T fields`, on one file, in one run.

Rates are packets a second of packets that are in the file; a rate is printed only if the messages counted are those of the ground truth, where there is one
(`FILE.truth.npz`, rows per message, as the capture generator writes it), and equal in every run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

BALEFIRE = Path(sys.executable).with_name("balefire")
FIELDS = ("frame.number", "mbtcp.trans_id", "mbtcp.unit_id", "modbus.func_code", "modbus.reference_num", "modbus.word_cnt", "modbus.exception_code")


def run_tshark(capture: Path) -> float:
    """Seconds that tshark takes to print the fields of every Modbus message."""
    tshark = shutil.which("tshark") or sys.exit("tshark is not installed: nothing to compare with")
    command = [tshark, "-n", "-r", str(capture), "-T", "fields", *(part for field in FIELDS for part in ("-e", field))]
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def run_replay(capture: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of a whole process: read, dissect, group, judge, store, say; and its summary."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run([BALEFIRE, "replay", capture, "--store", folder, "--json"], capture_output=True, text=True, check=True)
        return time.perf_counter() - start, json.loads(done.stdout)


def run_engine(capture: Path) -> tuple[float, int]:
    """Seconds of the engine alone, kernels loaded; and the packets."""
    from sensors.sensor import Sensor
    from sensors.sources.pcap import find, open_capture

    found = find([str(capture)])[0]
    times: list[float] = []
    packets = 0
    for _ in range(4):
        sensor, source = Sensor("bench"), open_capture(found)
        start = time.perf_counter()
        for _batch in sensor.listen(source):
            pass
        times.append(time.perf_counter() - start)
        packets = sensor.totals.packets
        source.close()
    return median(times[1:]), packets


def truth_of(capture: Path) -> int | None:
    """Messages that are in the capture, where its generator said so."""
    path = capture.with_suffix(".truth.npz")
    return len(np.load(path)["modbus"]) if path.exists() else None


def main() -> None:
    """Measure and print, or say what did not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--no-tshark", action="store_true", help="only our own rates")
    chosen = parser.parse_args()
    subprocess.run([BALEFIRE, "warm"], check=True)
    replays = [run_replay(chosen.capture) for _ in range(3)]
    summaries = [summary for _, summary in replays]
    counts = {(summary["packets"], summary["messages"], summary["activities"], summary["findings"]) for summary in summaries}
    truth, unknown = truth_of(chosen.capture), summaries[0]["effects"].get("unknown", 0)
    if len(counts) != 1 or (truth is not None and summaries[0]["messages"] - unknown != truth):
        sys.exit(f"no figures: counts differ: {counts}, ground truth {truth}, not understood {unknown}")
    packets = summaries[0]["packets"]
    seconds, engine_packets = run_engine(chosen.capture)
    if engine_packets != packets:
        sys.exit(f"no figures: the engine alone saw {engine_packets} packets, a replay {packets}")
    rates = {"replay, whole process": packets / median(second for second, _ in replays), "engine alone": packets / seconds}
    if not chosen.no_tshark:
        rates["tshark -T fields"] = packets / run_tshark(chosen.capture)
    base = rates.get("tshark -T fields")
    agreed = "messages equal the ground truth" if truth is not None else "no ground truth; counts equal in every run"
    print(f"{packets:,} packets, {summaries[0]['messages']:,} messages; {agreed}; peak {max(s['peak_mib'] for s in summaries):.0f} MiB")
    for name, rate in rates.items():
        print(f"{name:24} {rate:12,.0f} packets/s" + (f"  {rate / base:6.1f} x tshark" if base else ""))


if __name__ == "__main__":
    main()
