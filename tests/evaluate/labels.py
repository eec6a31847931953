"""What is known of a capture that is judged: its attacks, who took part, and benign acts that follow a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
    """A capture to judge. `learn`: other captures, known to be benign, that detectors are taught with. `acts` are expected findings, reported apart."""

    name: str
    file: Path
    windows: tuple[Window, ...] = ()
    acts: tuple[Window, ...] = ()
    learn: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """Captures of one origin. `unjudged`: why they are not judged, where they are not."""

    name: str
    cases: tuple[Case, ...] = ()
    unjudged: str = ""


def plant_case(capture: Path, labels: Path, learn: tuple[Path, ...]) -> Case:
    """A capture of a simulated plant and its labels: `attacks` and `acts`, each with name, start, end (seconds since the epoch), attacker, victim (addresses)
    and technique. Raises KeyError for labels without these.
    """
    said: dict[str, Any] = json.loads(labels.read_text("utf-8"))
    windows, acts = (tuple(_window(told) for told in said[kind]) for kind in ("attacks", "acts"))
    return Case(capture.stem, capture, windows, acts, learn)


def _window(told: dict[str, Any]) -> Window:
    start, end = (round(told[name] * SECOND) for name in ("start", "end"))
    attacker, victim, technique = (_words(told[name]) for name in ("attacker", "victim", "technique"))
    return Window(str(told["name"]), start, end, attacker, victim, technique)


def _words(told: Any) -> frozenset[str]:
    return frozenset([told] if isinstance(told, str) else told)
