"""`make bench-judging`: a day of a simulated plant of a hundred controllers, learned and then judged by every detector as a replay judges it.

Processor time of judging alone: how long the day takes, and each detector a thousand activities, at once and in pieces as small as a sensor gives them.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, Final

from balefire.pipeline import JUDGED_ROWS
from balefire.waiting import pieces
from detectors.discovery import detectors
from tests.evaluate.judging import batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.detector import Detector
    from records.model import Batch

CONTROLLERS: Final = 100
LIMIT_S: Final = 60.0  # of the processor for a day
SMALL: Final = 20  # rows of a piece as a live sensor gives it
SOME: Final = 20_000  # rows that are judged in such pieces


def main() -> None:
    """Make the day, learn it, judge it, tell."""
    asked = argparse.ArgumentParser(prog="python -m tests.bench.judging", description=__doc__)
    asked.add_argument("--site", default="packaging")
    for name, value in (("seed", 1), ("controllers", CONTROLLERS), ("hours", 24)):
        asked.add_argument(f"--{name}", type=int, default=value)
    options = asked.parse_args()
    with TemporaryDirectory(prefix="balefire-judging-") as folder:
        kept = Path(folder) / "day"
        _recorded(kept, ["--site", options.site, *(f"--{name}={getattr(options, name)}" for name in ("seed", "controllers", "hours"))])
        states = _learned(kept)
        list(_judged(states, islice(_released(kept), 1), JUDGED_ROWS)[1])  # texts are read once
        rows, used, digest = _told(states, _released(kept), JUDGED_ROWS)
        whole = sum(used.values())
        print(f"{options.hours} hours of {options.controllers} controllers ({options.site}, seed {options.seed}): {rows:,} activities, findings {digest}")
        print(f"  judged in {whole:.1f} s of the processor; the limit is {LIMIT_S * options.hours / 24:g} s")
        few, small, _ = _told(states, _beginning(kept), SMALL)
        for name, seconds in sorted(used.items(), key=lambda each: -each[1]):
            print(f"  {name:12} {seconds / rows * 1e6:6.2f} ms a thousand activities, {small[name] / few * SMALL * 1e3:6.2f} ms a piece of {SMALL}")
    if whole > LIMIT_S * options.hours / 24:
        raise SystemExit("slower than its limit")


def _recorded(kept: Path, words: list[str]) -> None:
    """What the engine releases of the day, batch by batch."""
    capture = kept.with_suffix(".pcap")
    subprocess.run([sys.executable, "-m", "tests.plant.works", *words, "-o", str(capture)], check=True, stdout=subprocess.DEVNULL)
    with kept.open("wb") as file:
        for batch in batches(capture):
            pickle.dump(batch, file)
    capture.unlink()


def _released(kept: Path) -> Iterator[Batch]:
    with kept.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


def _beginning(kept: Path) -> Iterator[Batch]:
    rows = 0
    for batch in _released(kept):
        if rows >= SOME:
            return
        rows += batch.activities.num_rows
        yield batch


def _learned(kept: Path) -> dict[str, bytes]:
    learning = detectors()
    for batch in _released(kept):
        for detector in learning:
            detector.learn(batch)
    return {detector.name: detector.state() for detector in learning}


def _told(states: dict[str, bytes], released: Iterator[Batch], size: int) -> tuple[int, dict[str, float], str]:
    """Activities, seconds of each detector, and a digest of what was found."""
    rows, digest = 0, blake2b(digest_size=8)
    used, found = _judged(states, released, size)
    for count, words in found:
        rows += count
        digest.update(words.encode())
    return rows, used, digest.hexdigest()


def _judged(states: dict[str, bytes], released: Iterator[Batch], size: int) -> tuple[dict[str, float], Iterator[tuple[int, str]]]:
    fresh: list[Detector] = detectors()
    for detector in fresh:
        if states[detector.name]:
            detector.restore(states[detector.name])
    used = dict.fromkeys((detector.name for detector in fresh), 0.0)

    def each() -> Iterator[tuple[int, str]]:
        for batch in released:
            for piece in pieces(batch, lambda: size):
                for detector in fresh:
                    begun = process_time()
                    found = detector.judge(piece)
                    used[detector.name] += process_time() - begun
                    yield 0, "".join(f"{finding}\n" for finding in found)
                yield piece.activities.num_rows, ""

    return used, each()


if __name__ == "__main__":
    main()
