"""What a controller controls: points whose values move by physics, and by what is written to them."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from tests.plant.works.world import DAY, HOUR, SECOND

if TYPE_CHECKING:
    from random import Random

MEASURED, SETPOINT, COMMAND, STATUS, COUNTER = "measured", "setpoint", "command", "status", "counter"
LONGEST_STEP: Final = 5.0  # seconds
MOST_STEPS: Final = 24  # of a process that nobody looked at for long


class Point(NamedTuple):
    """One value: what it is, where it lives in normal operation, and how many steps of the wire make a unit."""

    name: str
    kind: str
    low: float
    high: float
    scale: int = 1


class Fault(NamedTuple):
    """A failing sensor from `start` to `end`: stuck at what it read, or noisy by this much."""

    point: int
    start: int
    end: int
    noise: float
    stuck: float


def load(time: int, morning: float, evening: float, weekend: float) -> float:
    """What people take of water or power, about 1: two peaks a day, less at night, other on Saturday and Sunday (1970-01-01 was a Thursday)."""
    hour = time % DAY / HOUR
    day = (time // DAY + 3) % 7
    shift = weekend if day > 4 else 0.0
    return 0.85 - 0.3 * cos(2 * pi * (hour - 3 - shift) / 24) + morning * _bell(hour - 7.5 - shift) + evening * _bell(hour - 19)


def _bell(hours: float) -> float:
    return max(0.0, 1 - (hours / 2.5) ** 2)


@dataclass(slots=True)
class Habits:
    """How this plant's customers behave."""

    morning: float
    evening: float
    weekend: float

    def load(self, time: int) -> float:
        """About 1."""
        return load(time, self.morning, self.evening, self.weekend)


class Process:
    """Its points, their values, and time passing. A subclass says how a step of seconds moves them."""

    NAME: ClassVar[str] = ""
    POINTS: ClassVar[tuple[Point, ...]] = ()

    def __init__(self, random: Random, habits: Habits, now: int) -> None:
        self.random, self.habits, self.now = random, habits, now
        self.points = self.POINTS
        self.values = [random.uniform(point.low + (point.high - point.low) * 0.4, point.low + (point.high - point.low) * 0.6) for point in self.points]
        for number, point in enumerate(self.points):
            if point.kind in (COMMAND, STATUS):
                self.values[number] = 1.0 if point.low >= 1 or (point.high > 0 and random.random() < 0.5) else 0.0
            elif point.kind == COUNTER:
                self.values[number] = float(random.randrange(1_000_000))
        self.faults: list[Fault] = []
        self.size = random.uniform(0.7, 1.4)
        self.begin()

    def begin(self) -> None:
        """Another start than the middle of the ranges."""

    def move(self, seconds: float) -> None:
        """What these seconds do."""
        raise NotImplementedError

    def step(self, now: int) -> None:
        """Let time pass until now."""
        seconds = (now - self.now) / SECOND
        if seconds <= 0.05:
            return
        self.now = now
        steps = min(int(seconds / LONGEST_STEP) + 1, MOST_STEPS)
        each = min(seconds / steps, 60.0)
        for _ in range(steps):
            self.move(each)
        for fault in self.faults:
            if fault.start <= now < fault.end:
                value = fault.stuck if fault.noise == 0 else self.values[fault.point] + self.random.gauss(0, fault.noise)
                self.values[fault.point] = value

    def numbers(self, *kinds: str) -> list[int]:
        """The points of these kinds."""
        return [number for number, point in enumerate(self.points) if point.kind in kinds]

    def near(self, number: int, target: float, seconds: float, inertia: float, noise: float) -> None:
        """Let a value go towards a target; `inertia`: seconds for about two thirds of the way; `noise` in the value's unit."""
        share = seconds / inertia if seconds < inertia else 1.0
        value = self.values[number]
        self.values[number] = value + (target - value) * share + (self.random.random() - 0.5) * noise
