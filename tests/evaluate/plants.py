"""Simulated plants (`tests.plant.works`): a benign day to learn from, then one with attacks, or a week without any, by seed."""

from __future__ import annotations

import subprocess
import sys
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


def plant(seed: int, site: str, hours: float, benign_hours: float) -> Generator[tuple[str, Case]]:
    """A plant that was watched for a day: what came then with attacks, and what came instead where nobody attacks and the acts of a week happen that fall
    into the time. Raises CalledProcessError where the simulator failed.
    """
    with TemporaryDirectory() as folder:
        learned = Path(folder) / "learned.pcap"
        _written(learned, seed, site, LEARNED, 24, "none", "day")
        for what, lasts, attack, benign in (("attacked", hours, "all", "day"), ("benign", benign_hours, "none", "week")):
            judged = Path(folder) / f"{site}-{seed}-{what}.pcap"
            _written(judged, seed, site, JUDGED, lasts, attack, benign)
            yield what, plant_case(judged, judged.with_suffix(".json"), (learned,))
            judged.unlink()


def _written(file: Path, seed: int, site: str, start: str, hours: float, attack: str, benign: str) -> None:
    words = {
        "seed": seed, "site": site, "start": start, "hours": hours, "attack": attack, "benign": benign, "output": file, "labels": file.with_suffix(".json"),
    }  # fmt: skip
    given = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", MODULE, *given], check=True, stdout=subprocess.DEVNULL)
