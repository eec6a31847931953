"""Sensor and dashboard under one supervisor, for real: killed, started again, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.test_watch import INTERPRETED, listener_of, plain, said, stored
from tests.veth import ROOT, started, wires
from tests.wire import Talk, mbap, write

if TYPE_CHECKING:
    from subprocess import Popen

pytestmark = pytest.mark.netns


def jobs(process: Popen[bytes]) -> dict[str, int]:
    """The processes that it started, by what they are."""
    found: dict[str, int] = {}
    for number in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        found["sensor" if b"watch" in words else "dashboard"] = int(number)
    return found


def gone(numbers: list[int]) -> bool:
    """Whether all of these processes have ended."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not any(Path(f"/proc/{number}").exists() and Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" for number in numbers):
            return True
        time.sleep(0.1)
    return False


def descendants(number: int) -> list[int]:
    """A process and all below it."""
    children = [int(word) for task in Path(f"/proc/{number}/task").glob("*/children") for word in task.read_text().split()]
    return [number, *(each for child in children for each in descendants(child))]


def wrote(client: str) -> Talk:
    """A connection on which somebody writes once."""
    return Talk(client=client).open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7)))


def test_each_is_started_again_and_all_end_in_order(tmp_path: Path) -> None:
    with wires() as wire:
        subprocess.run(("ip", "-n", wire.here, "link", "set", "lo", "up"), check=True)
        words = wire.run("-m", "balefire", "serve", "in0", "--observer", "test", "--port", "8599", "--store", str(tmp_path / "store"))
        with started(words, INTERPRETED) as process:
            said(process, "Listening on in0")
            first = jobs(process)
            os.kill(first["sensor"], signal.SIGKILL)
            said(process, "The sensor ended", "until then nothing is seen")
            said(process, "Listening on in0")
            wire.send(plain(tmp_path / "one.pcap", wrote("10.0.0.7")))
            time.sleep(1)
            os.kill(listener_of(jobs(process)["sensor"]), signal.SIGKILL)
            os.kill(jobs(process)["dashboard"], signal.SIGKILL)
            told = b""
            while not all(line in told for line in (b"The dashboard ended", b"The sensor ended (status 3)", b"Listening on in0")):
                told += said(process, "")
            wire.send(plain(tmp_path / "other.pcap", wrote("10.0.0.8")))
            time.sleep(1)
            end = time.monotonic() + 30
            while set(jobs(process)) != {"sensor", "dashboard"} and time.monotonic() < end:
                time.sleep(0.1)
            again = jobs(process)
            assert set(again) == {"sensor", "dashboard"}
            assert set(again.values()).isdisjoint(first.values())
            below = descendants(process.pid)[1:]
            assert len(below) >= 3, "the sensor has a process that listens"
            process.terminate()
            assert process.wait(60) == 0
            assert gone(below)
    writes = [row["source"]["ip"] for row in stored(tmp_path / "store", "activities") if row["ot"]["access"] == "write"]
    assert sorted(writes) == ["10.0.0.7", "10.0.0.8"], "what came between the kills, and after"


def test_what_no_start_would_mend_ends_it(tmp_path: Path) -> None:
    with wires() as wire:
        words = wire.run("-m", "balefire", "serve", "nowhere9", "--observer", "test", "--port", "8598", "--store", str(tmp_path / "store"))
        done = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "There are: " in done.stderr
    assert "started again" not in done.stderr


def test_nothing_stays_when_it_is_killed(tmp_path: Path) -> None:
    with wires() as wire:
        words = wire.run("-m", "balefire", "serve", "in0", "--observer", "test", "--port", "8597", "--store", str(tmp_path / "store"))
        with started(words, INTERPRETED) as process:
            said(process, "Listening on in0")
            below = descendants(process.pid)[1:]
            process.kill()
            process.wait()
            assert gone(below)
