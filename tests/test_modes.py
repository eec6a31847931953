"""The same answer however the kernels run and however the input is cut."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sensors.engine.octets import INTERPRETED
from sensors.listing import lines
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.test_character import noisy
from tests.test_ledger import everything
from tests.wire import hard, save, watch

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "tests" / "captures" / "demo.pcap"
SUBJECTS = ("test_points.py", "test_fragments.py", "test_redundancy.py", "test_checksums.py")
# in `make soak`; what their kernels say interpreted is held beside the fuzz, too
LONG = ("test_streams.py", "test_grouping.py", "test_coverage.py", "test_link.py", "test_tunnels.py", "test_character.py")


def digest(path: Path, batch: int = 1 << 20) -> dict[str, str]:
    """A fingerprint of all that is said of a capture."""
    (capture,) = find([str(path)])
    source = open_capture(capture)
    sensor = Sensor("observer", batch=batch)
    told = list(sensor.listen(source))
    source.close()
    rows: dict[str, list[Any]] = {name: [row for part in told for row in getattr(part, name).to_pylist()] for name in ("activities", "points", "coverage")}
    rows["assets"] = list(sensor.assets())
    again = open_capture(capture)
    rows["lines"] = list(lines(again, "file"))
    again.close()
    rows["totals"] = [sensor.totals]
    return {name: f"{len(part)} {hashlib.sha256(repr(part).encode()).hexdigest()}" for name, part in rows.items()}


@pytest.mark.parametrize("killed", [False, True])
def test_compiling_that_is_stopped_leaves_nothing_behind(killed: bool, tmp_path: Path) -> None:
    """Neither a process nor a complaint; it says that it began, for a pipe too. Where one of those that compile is killed, that is said, at once."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"} | {"XDG_CACHE_HOME": str(tmp_path)}
    command = (sys.executable, "-m", "balefire", "warm")
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        assert "about two minutes" in process.stderr.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(numbers := children.read_text().split()) < 2:  # what keeps account of what is shared, and one that compiles
            time.sleep(0.05)
        if killed:
            os.kill(int(numbers[1]), signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGTERM)  # as `timeout` and a terminal do: those that compile are told, too
        out, problems = process.communicate(timeout=60)  # whoever lived on would hold the pipe
    assert (process.returncode, out) == (3 if killed else -signal.SIGTERM, "")
    assert ("ended from outside" in problems) == killed
    assert killed or not problems


def test_compiled_and_interpreted_say_the_same(tmp_path: Path) -> None:
    captures = [
        DEMO,
        save(noisy(4), tmp_path / "noisy.pcap"),
        save(everything(), tmp_path / "ledger.pcap"),
        *(save(hard(seed), tmp_path / f"{seed}.pcap") for seed in range(4)),
    ]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0" if INTERPRETED else "1"}
    words = [sys.executable, "-m", "tests.test_modes", *map(str, captures)]
    other = subprocess.run(words, capture_output=True, cwd=ROOT, env=environment, check=True, timeout=250)
    assert json.loads(other.stdout) == [digest(path) for path in captures]


@pytest.mark.parametrize("batch", [700, 4096, 50_000])
def test_any_batch(batch: int) -> None:
    assert digest(DEMO, batch) == digest(DEMO)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("batch", "each"), [(1 << 20, 1), (1 << 20, 7), (1000, 1 << 30), (20_000, 100)])
def test_any_cut_of_a_hard_capture(seed: int, batch: int, each: int) -> None:
    packets = hard(seed, 30)
    assert watch(packets, batch, each).tables == watch(packets).tables


@pytest.mark.skipif(INTERPRETED, reason="they run interpreted already")
@pytest.mark.timeout(900)
def test_the_same_tests_interpreted() -> None:
    """In a process of its own, with fewer examples."""
    subjects = SUBJECTS + (LONG if "BALEFIRE_SOAK" in os.environ else ())
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not captures", "-k", "not full_tables and not largest"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "BALEFIRE_EXAMPLES": "0.16"}
    done = subprocess.run([*words, *(str(ROOT / "tests" / subject) for subject in subjects)], capture_output=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stdout.decode()[-4000:]


def entries(*folders: str) -> dict[str, ast.FunctionDef]:
    """Every kernel of these folders that is called from Python, by module and name: decorated with `entry`, or handed to it."""
    found: dict[str, ast.FunctionDef] = {}
    for file in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        called = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == "entry"]
        handed = {ast.unparse(argument) for call in called for argument in call.args}
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and (node.name in handed or "entry" in map(ast.unparse, node.decorator_list)):
                found[f"{'.'.join(file.relative_to(ROOT).with_suffix('').parts)}.{node.name}"] = node
    return found


def unborrowed(function: ast.FunctionDef) -> set[str]:
    """Tables of an entry that its body does not borrow."""
    tables = {argument.arg for argument in function.args.args if argument.annotation is not None and ast.unparse(argument.annotation) == "Any"}
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and ast.unparse(node.func) == "borrow"]
    return tables - {ast.unparse(argument) for call in calls for argument in call.args}


def test_every_entry_borrows_every_table() -> None:
    """What is not borrowed is counted at each use of a row, which costs as much as the work itself and changes no answer."""
    found = entries("sensors", "tests/uppers")
    assert len(found) > 20
    assert {name: missing for name, function in found.items() if (missing := unborrowed(function))} == {}


def test_what_is_not_borrowed_is_noticed() -> None:
    function = ast.parse("def look(memory: Any, count: int, rows: Any) -> None:\n    rows = borrow(rows)").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert unborrowed(function) == {"memory"}


if __name__ == "__main__":
    json.dump([digest(Path(word)) for word in sys.argv[1:]], sys.stdout)


def test_what_compiles_ends_with_who_started_it_even_where_that_is_killed() -> None:
    """It ignores what ends a whole group, and must not outlive one that had no time to tell it."""
    script = """
import os, time
from sensors import warming
number = os.fork()
if not number:
    warming._begin()
    print(os.getpid(), flush=True)
    time.sleep(60)
os.waitpid(number, 0)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}) as process:
        assert process.stdout is not None
        stat = Path(f"/proc/{int(process.stdout.readline())}/stat")
        process.kill()
        end = time.monotonic() + 20
        while stat.exists() and stat.read_text("ascii").split()[2] != "Z":
            assert time.monotonic() < end
            time.sleep(0.05)
