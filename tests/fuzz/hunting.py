"""Cases by the thousand, and what is done about a case that shows something."""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
DIGESTS: Final = 12  # cases whose rows are compared, compiled against interpreted
HANGS: Final = 300  # seconds of one case, a cold compiler's among them
MOST_FINDINGS: Final = 5  # of one target
PROGRESS: Final = struct.Struct("<q")


@dataclass(frozen=True)
class Finding:
    """A case that shows something: its number, what it shows, the process's last words, and the file that holds it."""

    target: str
    number: int
    what: str
    words: str
    file: Path

    def __str__(self) -> str:
        return f"{self.target} case {self.number}: {self.what}\n  {self.file}: python -m tests.fuzz replay FILE\n{self.words}"


@dataclass
class Hunt:
    """What was run of one target."""

    target: str
    inputs: int = 0
    cases: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list[Finding])
    digests: list[str] = field(default_factory=list[str])
    entries: set[str] = field(default_factory=set[str])  # kernels that it called

    def __str__(self) -> str:
        return f"{self.target:20} {self.inputs:>10,} inputs {self.cases:>8,} cases {self.seconds:>7.1f} s {len(self.findings)} findings"


def dice(target: str, seed: int, number: int) -> Random:
    """Chance, the same for the same case."""
    return Random(f"{target}/{seed}/{number}")


def record_entries() -> set[str]:
    """Kernels that are called from now on, by module and name; before any of them is imported."""
    from sensors.engine import octets

    make: Any = octets.entry
    called: set[str] = set()

    def entry(function: Any) -> Any:
        kernel = make(function)

        @wraps(function)
        def call(*arguments: Any) -> Any:
            called.add(f"{function.__module__}.{function.__name__}")
            return kernel(*arguments)

        return call

    octets.entry = entry
    return called


def work(cases: Mapping[str, int], seed: int, first: int, seconds: float, progress: Path) -> list[dict[str, Any]]:
    """Run cases of these targets from number `first` on, in this process; each target ends early where one shows something that does not end the process."""
    entries = record_entries()
    from tests.fuzz.guarded import refuse_negative

    refuse_negative()
    return [_work(name, most, seed, first, seconds, progress, entries) for name, most in cases.items()]


def _work(target: str, cases: int, seed: int, first: int, seconds: float, progress: Path, entries: set[str]) -> dict[str, Any]:
    from tests.fuzz.targets import targets

    entries.clear()
    one = targets()[target]
    inputs, number, digests, failure = 0, first, list[str](), ""
    with suppress(Exception):  # kernels are compiled, or taken from where they are kept, when they first run
        one.run(one.make(dice(target, seed, first)))
    began = time.monotonic()
    with progress.open("wb", buffering=0) as file:
        while number < cases if cases else time.monotonic() - began < seconds:
            os.pwrite(file.fileno(), PROGRESS.pack(number), 0)
            faulthandler.dump_traceback_later(HANGS, exit=True)
            try:
                ran, digest = one.run(one.make(dice(target, seed, number)))
            except Exception:
                failure = traceback.format_exc()
                break
            inputs += ran
            number += 1
            if number <= DIGESTS:
                digests.append(digest)
    faulthandler.cancel_dump_traceback_later()
    return {
        "inputs": inputs, "next": number, "digests": digests, "failure": failure, "seconds": time.monotonic() - began, "entries": sorted(entries),
    }  # fmt: skip


def write(target: str, seed: int, number: int, file: Path) -> None:
    """Keep a case."""
    from tests.fuzz.targets import targets

    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"target": target, "seed": seed, "number": number, "case": targets()[target].make(dice(target, seed, number))}))


def replay(files: list[Path]) -> int:
    """Run kept cases in this process, where a debugger can look at it; what an interpreted run found needs NUMBA_DISABLE_JIT=1 again."""
    from tests.fuzz.guarded import refuse_negative
    from tests.fuzz.readers import ROOM
    from tests.fuzz.targets import targets

    refuse_negative()
    for file in files:
        content = file.read_bytes()
        if content[:2] == b'{"':
            kept = json.loads(content)
            targets()[kept["target"]].run(kept["case"])
        else:  # a capture file that atheris kept
            targets()["reader"].run([content.hex(), ROOM, 64, 1])
        print(f"{file}: nothing is wrong with it")
    return 0


def _python(*arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """This program, in a process of its own; `folder` holds packages that stand before ours."""
    paths = [str(folder)] if folder else []
    paths += [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    named = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})}
    return subprocess.run([sys.executable, "-P", "-m", *arguments], capture_output=True, text=True, check=False, env=named)


def hunt(
    target: str, seed: int, keep: Path, cases: int = 0, seconds: float = 0, environment: dict[str, str] | None = None, folder: Path | None = None,
    most: int = MOST_FINDINGS,
) -> Hunt:  # fmt: skip
    """Run cases of one target in a process of their own, and in another one behind each finding, up to `most`."""
    done = Hunt(target)
    with tempfile.TemporaryDirectory() as place:
        progress = Path(place) / "progress"
        while len(done.findings) < most and (done.cases < cases if cases else done.seconds < seconds):
            first = done.cases
            progress.write_bytes(PROGRESS.pack(first))
            began = time.monotonic()
            ran = _python(
                "tests.fuzz", f"{target}={cases}", f"--seed={seed}", f"--first={first}", f"--seconds={seconds - done.seconds}", f"--progress={progress}",
                environment=environment, folder=folder,
            )  # fmt: skip
            done.seconds += time.monotonic() - began
            what, words = _read(ran, progress, done)
            if what:
                file = keep / f"{target}-{seed}-{done.cases}.json"
                _python("tests.fuzz", target, f"--seed={seed}", f"--first={done.cases}", f"--write={file.absolute()}", environment=environment, folder=folder)
                done.findings.append(Finding(target, done.cases, what, words, file))
                done.cases += 1
    return done


def hunt_quietly(cases: Mapping[str, int], seed: int, keep: Path, environment: dict[str, str]) -> list[Hunt]:
    """Run cases of targets that should show nothing, all in one process, for to start it takes longer than most of the cases. Where it ends, or one of them
    shows something, each is run in a process of its own.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        words = [f"{target}={most}" for target, most in cases.items()]
        ran = _python("tests.fuzz", *words, f"--seed={seed}", f"--progress={place}/progress", environment=environment)
    told: list[dict[str, Any]] = [] if ran.returncode else json.loads(ran.stdout)
    if not told or any(report["failure"] for report in told):
        return [hunt(target, seed, keep, most, environment=environment) for target, most in cases.items()]
    done = [Hunt(target, seconds=report["seconds"]) for target, report in zip(cases, told, strict=True)]
    for one, report in zip(done, told, strict=True):
        _add(one, report)
    done[0].seconds += time.monotonic() - began - sum(one.seconds for one in done)  # for all of them
    return done


def _read(ran: subprocess.CompletedProcess[str], progress: Path, done: Hunt) -> tuple[str, str]:
    """Add what such a process did to `done`; returns what it found, and its words."""
    if ran.returncode:  # nothing can be said of the cases before
        (done.cases,) = PROGRESS.unpack(progress.read_bytes())
        return signal.Signals(-ran.returncode).name if ran.returncode < 0 else f"exit {ran.returncode}", ran.stderr[-4000:]
    (report,) = json.loads(ran.stdout)
    _add(done, report)
    failure = report["failure"]
    return failure.strip().splitlines()[-1] if failure else "", failure


def _add(done: Hunt, report: dict[str, Any]) -> None:
    done.inputs += report["inputs"]
    done.digests += report["digests"]
    done.entries.update(report["entries"])
    done.cases = report["next"]


def has_atheris() -> bool:
    """Is there an atheris for this Python and machine?"""
    return importlib.util.find_spec("atheris") is not None


def hunt_readers(seed: int, keep: Path, seconds: float, corpus: Path) -> Hunt:
    """Let atheris mutate capture files, guided by the lines that the readers, interpreted, then execute. `corpus` grows."""
    keep.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # a process starts with the peak of the one that began it
    ran = _python(
        "tests.fuzz.readers", str(corpus), f"-max_total_time={int(seconds)}", f"-seed={seed}", f"-rss_limit_mb={1024 + inherited}",
        f"-artifact_prefix={keep}/reader-",
        environment={"NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    done = Hunt("atheris", seconds=time.monotonic() - began)
    runs = re.findall(r"^(?:Done |#)(\d+)", ran.stderr, re.MULTILINE)
    done.inputs = done.cases = int(runs[-1]) if runs else 0
    if ran.returncode:
        file = re.search(r"Test unit written to (\S+)", ran.stderr)
        done.findings.append(Finding("atheris", done.cases, f"exit {ran.returncode}", (ran.stdout + ran.stderr)[-4000:], Path(file[1] if file else "")))
    return done


def hunt_all(names: list[str], seed: int, cases: int, seconds: float, keep: Path) -> int:
    """Every target, or these, one after the other; says what was run. Returns 1 where something was found."""
    from tests.fuzz.targets import targets

    chosen = names or [*targets(), *(["atheris"] if has_atheris() else [])]
    print(f"seed {seed}")
    found = 0
    for name in chosen:
        if name == "atheris":
            with tempfile.TemporaryDirectory() as corpus:
                done = hunt_readers(seed, keep, seconds / len(chosen), Path(corpus))
        else:
            done = hunt(name, seed, keep, cases, seconds / len(chosen))
        print(done, *done.findings, sep="\n", flush=True)
        found += len(done.findings)
    return 1 if found else 0
