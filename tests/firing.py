"""Which rules and detectors fire on which capture, with nothing learned: `python -m tests.firing > tests/firing.txt` writes it anew.

The table says so of every capture in which there is anything to judge. Read its difference before committing it: what fires on benign traffic is noise.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

import pyarrow as pa

from detectors.discovery import detectors
from detectors.rulebook.load import load, own_rules
from records.model import Batch
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.cli import CAPTURES
from tests.plant.works import raid

if TYPE_CHECKING:
    from collections.abc import Generator

    from detectors.rulebook.load import Rulebook

SHARED: Final = Path(__file__).parents[2] / "shared" / "captures"
TABLE: Final = Path(__file__).with_suffix(".txt")
SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".pcap.zip")
NOTHING: Final = "-"
MADE: Final = {"raid.pcap": Path(raid.__file__)}  # captures that are made where they are needed, and by what


@cache
def book() -> Rulebook:
    """The rules that come with Balefire."""
    return load([own_rules()])


def captures() -> dict[str, Path]:
    """Every capture, ours first, then what is made, then those of others where they lie beside the checkout."""
    found = {file.name: file for file in sorted(CAPTURES.glob("*.pcap"))}
    others = sorted(file for file in SHARED.rglob("*") if file.name.endswith(SUFFIXES)) if SHARED.is_dir() else []
    return found | MADE | {str(file.relative_to(SHARED)): file for file in others}


def fired(file: Path) -> dict[str, int] | None:
    """The findings of each rule in a capture, those of detectors by the name that they give them; None where there is nothing to judge."""
    batches: list[Batch] = []
    with _unpacked(file) as path:
        (capture,) = find([str(path)])
        if capture.error is not None:
            return None
        sensor, source = Sensor(lambda: "firing", None, capture.name), open_capture(capture)
        try:
            batches = list(sensor.listen(source, lambda: False))
        finally:
            source.close()
    if not any(batch.activities.num_rows for batch in batches):
        return None
    everything = Batch(activities=pa.concat_tables(batch.activities for batch in batches), coverage=pa.concat_tables(batch.coverage for batch in batches))
    judging = [detector for detector in detectors() if detector.name != "coverage"]  # which tells of the line and not of the plant
    found = Counter(finding.rule for detector in judging for finding in detector.judge(everything))
    return dict(sorted(found.items()))


def table() -> dict[str, dict[str, int]]:
    """What the table says: by capture, rules and their findings."""
    found: dict[str, dict[str, int]] = {}
    current: dict[str, int] = {}
    for line in TABLE.read_text("utf-8").splitlines():
        if not line.startswith(" "):
            current = found[line] = {}
        elif line.strip() != NOTHING:
            name, count = line.split()
            current[name] = int(count)
    return found


def written(fires: dict[str, dict[str, int]]) -> str:
    """The table as text: a capture, then a rule a line."""
    parts = [[name, *([f"  {rule:28} {count}" for rule, count in found.items()] or [f"  {NOTHING}"])] for name, found in fires.items()]
    return "\n".join(line for part in parts for line in part)


@contextmanager
def _unpacked(file: Path) -> Generator[Path]:
    if file.suffix not in {".zip", ".py"}:
        yield file
        return
    with TemporaryDirectory() as folder:
        if file.suffix == ".zip":
            with ZipFile(file) as packed:
                yield Path(packed.extract(packed.namelist()[0], folder))
            return
        made = Path(folder) / "raid.pcap"
        with made.open("wb") as written:
            raid.write(written)
        yield made


if __name__ == "__main__":
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: the table would lose the captures of others.")
    sys.stdout.write(written({name: found for name, file in captures().items() if (found := fired(file)) is not None}) + "\n")
