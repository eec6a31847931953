"""What the soak calls flat."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.bench.soak import judged
from tests.cli import ROOT

FLAT = [100.0, 300.0, 390.0, 400.0, 390.0, 410.0, 400.0, 395.0] * 4


@pytest.mark.parametrize(
    ("sizes", "peak", "wrong"),
    [
        (FLAT, 430.0, []),
        (FLAT, 700.0, ["peak above 500 MiB"]),  # between two looks
        ([400.0 + look for look in range(90)], 490.0, ["grows more than 1.1 times"]),
        ([*FLAT, 460.0], 460.0, ["grows more than 1.1 times"]),
    ],
)
def test_flat_and_little(sizes: list[float], peak: float, wrong: list[str]) -> None:
    assert judged(sizes, peak)[2] == wrong


def test_arrow_gives_memory_back() -> None:
    """Every command takes the system's allocator, which does, where the user names no other."""
    plain = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    program = "import balefire.cli, balefire.pipeline, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    for given, taken in ({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc"):
        told = subprocess.run([sys.executable, "-c", program], env=plain | given, cwd=ROOT, capture_output=True, text=True, check=True)
        assert told.stdout.split() == [taken]
