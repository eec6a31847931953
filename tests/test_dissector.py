"""A dissector that waits: it reads what comes then, is nobody else's, and does not stay behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from sensors import dissector
from sensors.dissection import Limits, trees
from sensors.dissector import Waiting, available
from tests.require import need
from tests.test_dissection import asked, left_behind, numbered

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def tshark() -> None:
    need("tshark", available() is not None, "the dissector is not installed")


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_one_that_waits_reads_what_comes_then_and_is_gone() -> None:
    """It tells what one tells that is started for it; another limit is not its; what it was started for is told by nobody else."""
    packets, waiting = numbered(asked().packets), Waiting()
    waiting.expect(Limits())
    assert waiting.take(Limits()) is None, "nobody wants any"
    waiting.keep()
    try:
        waiting.expect(Limits())
        assert waiting.take(Limits(mebibytes=512)) is None
        one = waiting.take(Limits())
        assert one is not None
        assert waiting.take(Limits()) is None, "it is taken"
        assert one.read([packet for _, packet in packets], range(3, 4))
        told = [json.loads(line) for line in one.told]
        one.close()
        assert [tree["fields"][-1] for tree in told[:-1]] == [trees(packets, Limits(), 3, 1).packets[0]["fields"][-1]]
    finally:
        waiting.dismiss()
    assert not left_behind()


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_one_that_waits_in_vain_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, or with whoever started it, however that ended."""
    monkeypatch.setattr(dissector, "WAITS_S", 0.5)
    waiting = Waiting()
    waiting.keep()
    waiting.expect(Limits())
    wait(lambda: bool(left_behind()))
    wait(lambda: not left_behind())
    assert waiting.take(Limits()) is None
    script = "import sys; from sensors.dissector import *; one = Dissector('trees', available(), Limits()); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        wait(lambda: bool(left_behind()))  # it has no words yet while it is loaded
        process.kill()
    wait(lambda: not left_behind())


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end, left_behind()
        time.sleep(0.05)
