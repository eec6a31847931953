"""What is known of a capture that is judged: its attacks, who took part, and benign acts that follow a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

SECOND: Final = 1_000_000_000
AFTERMATH: Final = 60 * SECOND  # what a device does because of an attack may come so long after it; it is neither found nor false


@dataclass(frozen=True, slots=True)
class Window:
    """An attack, or a benign act of a script: when (nanoseconds, both ends included), who did it, to whom, and the techniques that are right for it."""

    name: str
    start: int
    end: int
    attacker: frozenset[str]
    victim: frozenset[str]
    techniques: frozenset[str] = frozenset()

    def overlaps(self, start: int, end: int, after: int = 0) -> bool:
        """Do these times touch the window, or what comes so long after it?"""
        return start <= self.end + after and end >= self.start


@dataclass(frozen=True, slots=True)
class Case:
    """A capture to judge. `learn`: other captures, known to be benign, that detectors are taught with. `acts` are expected findings, reported apart.
    `apart`: why it is not judged, where the attack that it is of is not in it.
    """

    name: str
    file: Path
    windows: tuple[Window, ...] = ()
    acts: tuple[Window, ...] = ()
    learn: tuple[Path, ...] = ()
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Captures of one origin. `unjudged`: why they are not judged, where they are not."""

    name: str
    cases: tuple[Case, ...] = ()
    unjudged: str = ""


def plant_case(capture: Path, labels: Path, learn: tuple[Path, ...]) -> Case:
    """A capture of a simulated plant and its labels, JSON a line: what is an `attack` has name, start, end, attacker, victim and techniques; what is
    `benign` has kind, start, end, who and whom. Raises KeyError for labels without these.
    """
    said: list[dict[str, Any]] = [json.loads(line) for line in labels.read_text("utf-8").splitlines()]
    hosts = ("attacker", "victim", "techniques")
    attacks = [Window(one["name"], *_span(one), *(frozenset(one[name]) for name in hosts)) for one in said if one["label"] == "attack"]
    acts = [Window(one["kind"], *_span(one), frozenset(one["who"]), frozenset(one["whom"])) for one in said if one["label"] == "benign"]
    return Case(capture.stem, capture, tuple(attacks), tuple(acts), learn)


def _span(told: dict[str, Any]) -> tuple[int, int]:
    start, end = (datetime.fromisoformat(told[name]) for name in ("start", "end"))
    return nanoseconds(start), nanoseconds(end)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch."""
    return int(moment.replace(microsecond=0).timestamp()) * SECOND + moment.microsecond * 1000
