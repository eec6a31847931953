"""Simulated plants (`tests.plant.works`): a benign day to learn from, then one with attacks, or a week without any, by seed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.evaluate.labels import plant_case

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.evaluate.labels import Case

MODULE: Final = "tests.plant.works"
LEARNED, JUDGED = "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"


def present() -> bool:
    """Is there a simulator?"""
    return find_spec(MODULE) is not None


@contextmanager
def plant(seed: int, site: str, hours: float, attacks: bool) -> Generator[Case]:
    """A plant that was watched for a day, and what came then. Raises CalledProcessError where the simulator failed."""
    with TemporaryDirectory() as folder:
        learned, judged = Path(folder) / "benign.pcap", Path(folder) / f"{site}-{seed}-{'attacked' if attacks else 'benign'}.pcap"
        _written(learned, seed, site, LEARNED, 24, "none")
        _written(judged, seed, site, JUDGED, hours, "all" if attacks else "none")
        yield plant_case(judged, judged.with_suffix(".json"), (learned,))


def _written(file: Path, seed: int, site: str, start: str, hours: float, attack: str) -> None:
    words = {"seed": seed, "site": site, "start": start, "hours": hours, "attack": attack, "output": file, "labels": file.with_suffix(".json")}
    given = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", MODULE, *given, "--benign", "day"], check=True, stdout=subprocess.DEVNULL)
