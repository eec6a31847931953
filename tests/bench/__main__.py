"""`make bench`: how fast Balefire is beside other tools, on one generated capture, in one run.

A rate is packets a second of the whole process, or of the work alone where the row says so. Ours stands only where packets, messages and operations are
those the generator says are there; the messages that other tools find are told beside their rates. What is not installed is said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.bench.generator import SEED, truth_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYTHON: Final = sys.executable
BALEFIRE: Final = (PYTHON, "-m", "balefire")
ROOT: Final = Path(__file__).parents[2]
CARRIERS: Final[dict[str, str]] = {"s7comm": "cotp"}  # whose messages are those that the generator counts
CHILD: Final = str(Path(__file__).with_name("child.py"))
FIELDS: Final = ("frame.number", "mbtcp.trans_id", "mbtcp.unit_id", "modbus.func_code", "modbus.reference_num", "modbus.word_cnt", "modbus.exception_code")
MILLION: Final = 1_000_000
RIVALS: Final = (("pyshark", "FileCapture", 20_000), ("scapy", "PcapReader, contrib.modbus", 50_000), ("dpkt", "Modbus by hand, a segment at a time", 200_000))
FIRST_LOOK: Final = 5_000
PLANT, PLANT_HOURS = "water", 24
FAST_S: Final = 20.0  # what takes longer is measured once, else three times
MARKS: Final = ("<!-- bench -->", "<!-- /bench -->")


@dataclass(frozen=True, slots=True)
class Run:
    """One process: how long it took, how much memory it had at most, what it printed."""

    seconds: float
    peak_mib: float
    out: str


@dataclass(slots=True)
class Bench:
    """The captures, and what was measured."""

    seed: int
    packets: int
    folder: Path
    truths: dict[int, dict[str, Any]] = field(default_factory=dict[int, "dict[str, Any]"])
    rates: list[tuple[str, str, int, float, str, float]] = field(default_factory=list[tuple[str, str, int, float, str, float]])
    facts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def generate(self) -> None:
        """The capture, and its first packets as captures of their own."""
        sizes = sorted({self.packets, *(min(size, self.packets) for size in (MILLION, FIRST_LOOK, *(size for _, _, size in RIVALS)))})
        for size in sizes:  # each in a process of its own: what this one once held would count as the peak of those it starts
            process((PYTHON, "-m", "tests.bench.generator", "--seed", str(self.seed), "--packets", str(size), str(self.file(size))))
            self.truths[size] = json.loads(truth_file(self.file(size)).read_text("utf-8"))

    def file(self, size: int) -> Path:
        """The capture of so many packets."""
        return self.folder / f"seed{self.seed}-{size}.pcap"

    def modbus(self, size: int) -> dict[str, int]:
        """The truth about Modbus."""
        return self.truths[size]["protocols"]["modbus"]

    def right(self, what: str, size: int, packets: int, protocols: dict[str, dict[str, int]], unknown: int) -> bool:
        """Do our counts equal the truth? Where not, say so: there is no figure. `unknown`: operations that are no Modbus at all on its port."""
        truth: dict[str, dict[str, int]] = self.truths[size]["protocols"]
        told = {name: protocols.get(CARRIERS.get(name) or name, {}).get("messages", 0) - (unknown if name == "modbus" else 0) for name in truth}
        told |= {"packets": packets, "operations of modbus": protocols["modbus"]["operations"] - unknown}
        expected = {name: counts["messages"] for name, counts in truth.items()} | {"packets": size, "operations of modbus": truth["modbus"]["operations"]}
        if told != expected:
            self.facts.append((what, f"no figure: {told}, truth {expected}"))
        return told == expected

    def replay(self, size: int, **environment: str) -> Run | None:
        """A whole replay of so many packets, into a store of its own; the median of its runs if all are right."""
        what, runs = f"replay of {size:,} packets", list[Run]()
        while not runs or (len(runs) < 3 and runs[0].seconds < FAST_S and not environment):
            with tempfile.TemporaryDirectory() as store:
                run = process((*BALEFIRE, "replay", str(self.file(size)), "--store", f"{store}/store", "--json"), environment)
            summary = json.loads(run.out)
            if not self.right(what, size, summary["packets"], summary["protocols"], summary["effects"].get("unknown", 0)):
                return None
            runs.append(run)
        return Run(median(run.seconds for run in runs), max(run.peak_mib for run in runs), "")

    def rate(self, tool: str, what: str, size: int, seconds: float, found: int | None, peak_mib: float) -> None:
        """One more row."""
        truth = self.modbus(size)["messages"]
        share = "" if found is None else "all" if found == truth else f"{found * 100 / truth:.1f} %"
        self.rates.append((tool, what, size, size / seconds, share, peak_mib))

    def ours(self) -> None:
        """Whole replays and the engine alone."""
        for size, what in ((self.packets, "whole process: dissect, group, judge, store"), (min(MILLION, self.packets), "the same")):
            if run := self.replay(size):
                self.rate("balefire replay --store", what, size, run.seconds, self.modbus(size)["messages"], run.peak_mib)
        run = process((PYTHON, "-m", "tests.bench.stages", str(self.file(self.packets))))
        told = json.loads(run.out)
        if self.right("engine alone", self.packets, told["packets"], told["protocols"], told["unknown"]):
            found = self.modbus(self.packets)["messages"]
            self.rate("balefire, engine alone", "one core, steady state: read, dissect, pair, group, name", self.packets, told["seconds"], found, run.peak_mib)
            self.facts.append(("engine, nanoseconds a packet", ", ".join(f"{stage} {cost}" for stage, cost in told["stages"].items())))

    def plant(self) -> None:
        """Hours of a simulated plant that is attacked: no minute of it is like another, as those of the generated capture are."""
        capture, labels = self.folder / f"plant{self.seed}.pcap", self.folder / f"plant{self.seed}.labels.json"
        made = ("--seed", str(self.seed), "--site", PLANT, "--hours", str(PLANT_HOURS), "--attack", "all", "-o", str(capture), "--labels", str(labels))
        process((PYTHON, "-m", "tests.plant.works", *made))
        packets: int = json.loads(labels.read_text("utf-8").splitlines()[-1])["packets"]
        with tempfile.TemporaryDirectory() as store:
            run = process((*BALEFIRE, "replay", str(capture), "--store", f"{store}/store", "--json"))
        what, told = f"the same, {PLANT_HOURS} hours of a simulated plant ({PLANT}) under attack", json.loads(run.out)["packets"]
        if told == packets:
            self.rates.append(("balefire replay --store", what, packets, packets / run.seconds, "", run.peak_mib))
        else:
            self.facts.append((what, f"no figure: {told} packets, truth {packets}"))

    def theirs(self) -> None:
        """Every other tool that is here."""
        self._tshark(min(MILLION, self.packets))
        for tool, how, size in RIVALS:
            if find_spec(tool) is None:
                self.facts.append((tool, "not installed"))
                continue
            run = process((PYTHON, "-m", "tests.bench.rivals", tool, str(self.file(min(size, self.packets)))))
            told = json.loads(run.out)
            self.rate(tool, how, told["packets"], told["seconds"], told["messages"], run.peak_mib)
        if not (reader := shutil.which("ndpiReader")):
            self.facts.append(("ndpiReader", "not installed"))
            return
        run = process((reader, "-i", str(self.file(self.packets)), "-q"))
        self.rate("ndpiReader", "names protocols of flows, no messages", self.packets, run.seconds, None, run.peak_mib)

    def _tshark(self, size: int) -> None:
        if not (tshark := shutil.which("tshark")):
            self.facts.append(("tshark", "not installed: nothing to compare with"))
            return
        command = (tshark, "-n", "-r", str(self.file(size)), "-T", "fields", *(part for name in FIELDS for part in ("-e", name)))
        run = process(command)
        rows = [line.split("\t") for line in run.out.splitlines()]
        if len(rows) != size:
            self.facts.append(("tshark", f"no figure: {len(rows)} packets of {size}"))
            return
        found = sum(row[1].count(",") + 1 for row in rows if row[1])
        self.rate("tshark -T fields", "whole process", size, run.seconds, found, run.peak_mib)

    def starts(self) -> None:
        """What one waits for."""
        size = min(FIRST_LOOK, self.packets)
        with tempfile.TemporaryDirectory() as cache:
            if run := self.replay(size, XDG_CACHE_HOME=cache):
                self.facts.append((f"first output, {size:,} packets, no kernel compiled", f"{run.seconds:.1f} s"))
        with tempfile.TemporaryDirectory() as cache:
            self.facts.append(("balefire warm, no kernel compiled", f"{process((*BALEFIRE, 'warm'), {'XDG_CACHE_HOME': cache}).seconds:.1f} s"))
        helps = [process((*BALEFIRE, "--help")).seconds for _ in range(3)]
        self.facts.append(("balefire --help", f"{median(helps):.2f} s"))


def process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.NamedTemporaryFile("r") as report:
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        measured = (sys.executable, CHILD, report.name, *command)
        subprocess.run(measured, cwd=ROOT, env={**given, **(environment or {})}, stdout=out, stderr=subprocess.DEVNULL, check=True)
        seconds, peak = report.read().split()
        out.seek(0)
        return Run(float(seconds), int(peak) / 1024, out.read())


def table(bench: Bench) -> str:
    """What was measured, as Markdown."""
    base = next((rate for tool, _, _, rate, _, _ in bench.rates if tool.startswith("tshark")), None)
    lines = ["| Tool | What | Packets | Packets/s | × tshark | Modbus messages found | Peak MiB |", "|---|---|--:|--:|--:|--:|--:|"]
    for tool, what, size, rate, found, peak in sorted(bench.rates, key=lambda row: -row[3]):
        times = f"{rate / base:.{1 if rate > base else 3}f}" if base else ""
        lines.append(f"| {tool} | {what} | {size:,} | {rate:,.0f} | {times} | {found} | {peak:,.0f} |")
    lines += ["", *(f"- {what}: {told}" for what, told in bench.facts), ""]
    lines.append(f"`make bench SEED={bench.seed} PACKETS={bench.packets}` on {os.cpu_count()} × {processor()}, Python {platform.python_version()}.")
    return "\n".join(lines)


def processor() -> str:
    """That of this machine."""
    names = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text("utf-8")) if Path("/proc/cpuinfo").exists() else []
    return names[0] if names else platform.machine()


def paste(readme: Path, text: str, marks: tuple[str, str] = MARKS) -> None:
    """Put the figures where a README has a place for them."""
    before, rest = readme.read_text("utf-8").split(marks[0])
    readme.write_text(f"{before}{marks[0]}\n{text}\n{marks[1]}{rest.split(marks[1])[1]}", "utf-8")


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--packets", type=int, default=10 * MILLION)
    parser.add_argument("--keep", type=Path, help="a folder for the captures, which stay there")
    parser.add_argument("--markdown", type=Path, help="write the table into this file, too")
    parser.add_argument("--paste", type=Path, nargs="*", default=[], help="put the table into these files, between their marks")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="balefire-bench-") as folder:
        place = chosen.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        bench = Bench(chosen.seed, chosen.packets, place)
        for step in (bench.generate, lambda: process((*BALEFIRE, "warm")), bench.ours, bench.plant, bench.theirs, bench.starts):
            step()
    text = table(bench)
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(text + "\n", "utf-8")
    for readme in chosen.paste:
        paste(readme, text)


if __name__ == "__main__":
    main()
