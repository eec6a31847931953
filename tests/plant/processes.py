"""What the controllers control: small water processes that move a little, one second a step. Register values are integers in the unit named."""

from dataclasses import dataclass, field
from random import Random
from typing import Protocol


@dataclass
class Image:
    """The process image of one unit: the four Modbus tables. Clients write coils and holding registers; the process moves the other two."""

    coils: list[bool]
    discretes: list[bool]
    holding: list[int]
    inputs: list[int]


def _image(coils: list[bool], holding: list[int]) -> Image:
    """An image of 16 bits and 32 registers a table, starting with what is given."""
    return Image(coils + [False] * (16 - len(coils)), [False] * 16, holding + [0] * (32 - len(holding)), [0] * 32)


class Process(Protocol):
    """A process behind one unit."""

    image: Image

    def step(self) -> None:
        """Let one second pass."""
        ...


def _seeded() -> Random:
    return Random(20)  # the same small noise in every run


@dataclass
class Pumping:
    """Raw water: a tank, filled by two pumps.

    Coils: 0 P-101, 1 P-102, 2 inlet valve. Discretes: 0 and 1 pumps running, 2 level low, 3 level high.
    Holding: 0 level high mm, 1 level low mm, 2 pump speed 0.1 %, 3 control word.
    Inputs: 0 level mm, 1 inflow 0.1 m³/h, 2 outflow 0.1 m³/h, 3 and 4 motor currents 0.1 A, 5 pressure mbar, 6–7 total litres.
    """

    image: Image = field(default_factory=lambda: _image([True, False, True], [4500, 3000, 850, 3]))
    level: float = 3820.0
    total: float = 1_284_310.0
    noise: Random = field(default_factory=_seeded)

    def step(self) -> None:
        """Fill by what the pumps give, drain by what the town takes."""
        image, noise = self.image, self.noise
        pumps = image.coils[:2]
        speed = image.holding[2] / 1000
        inflow = sum(pumps) * 910 * speed * image.coils[2] * noise.uniform(0.99, 1.01)
        outflow = 800 + noise.uniform(-15, 15)
        self.level = min(max(self.level + (inflow - outflow) / 120, 0), 6000)
        self.total += inflow / 36
        currents = [round(184 * speed + noise.uniform(-1, 1)) if running else 0 for running in pumps]
        total = int(self.total)
        image.discretes[:4] = [*pumps, self.level < image.holding[1], self.level > image.holding[0]]
        image.inputs[:8] = [
            round(self.level),
            round(inflow),
            round(outflow),
            *currents,
            round(self.level / 10.2 + 1500 * sum(pumps)),
            total >> 16,
            total & 0xFFFF,
        ]


@dataclass
class Chlorination:
    """Dosing chlorine after the set point.

    Coils: 0 DP-201, 1 DP-202, 2 dosing enabled. Discretes: 0 and 1 pumps running, 2 chlorine low, 3 chlorine high.
    Holding: 16 set point, 17 low alarm, 18 high alarm (0.01 mg/l), 19 gain 0.1 %.
    Inputs: 0 free chlorine 0.01 mg/l, 1 pH 0.01, 2 turbidity 0.001 NTU, 3 dose ml/min, 4 stock 0.1 kg, 5 temperature 0.1 °C.
    """

    image: Image = field(default_factory=lambda: _image([True, False, True], [0] * 16 + [100, 40, 180, 500]))
    chlorine: float = 99.0
    stock: float = 4180.0
    noise: Random = field(default_factory=_seeded)

    def step(self) -> None:
        """Chlorine follows the set point slowly while a pump doses, and fades where none does."""
        image, noise = self.image, self.noise
        dosing = image.coils[2] and any(image.coils[:2])
        target = image.holding[16] if dosing else 0
        self.chlorine += (target - self.chlorine) * 0.04 + noise.uniform(-0.6, 0.6)
        self.chlorine = max(self.chlorine, 0)
        dose = min(max(round(42 + (target - self.chlorine) * 0.9 + noise.uniform(-0.8, 0.8)), 0), 600) if dosing else 0
        self.stock = max(self.stock - dose / 600, 0)
        image.discretes[:4] = [*image.coils[:2], self.chlorine < image.holding[17], self.chlorine > image.holding[18]]
        image.inputs[:6] = [
            round(self.chlorine),
            round(724 + noise.uniform(-2, 2)),
            round(84 + noise.uniform(-4, 4)),
            dose,
            round(self.stock),
            round(112 + noise.uniform(-1, 1)),
        ]


@dataclass
class Reservoir:
    """The high reservoir and its boosters.

    Coils: 0 and 1 boosters, 2 outlet valve. Holding: 0 pressure set point 0.01 bar, 1 high, 2 low.
    Inputs: 0 level mm, 1 pressure 0.01 bar, 2 outflow 0.1 m³/h, 3 battery 0.1 V.
    """

    image: Image = field(default_factory=lambda: _image([True, False, True], [500, 650, 350]))
    pressure: float = 498.0
    level: float = 5240.0
    noise: Random = field(default_factory=_seeded)

    def step(self) -> None:
        """Pressure follows the set point while a booster runs."""
        image, noise = self.image, self.noise
        boosted = any(image.coils[:2])
        target = image.holding[0] if boosted else 180
        self.pressure += (target - self.pressure) * 0.08 + noise.uniform(-1.5, 1.5)
        self.level += noise.uniform(-2.2, 2.0)
        image.discretes[:2] = image.coils[:2]
        image.inputs[:4] = [round(self.level), round(self.pressure), round(760 + noise.uniform(-9, 9)), 271]


@dataclass
class Meter:
    """A flow meter behind the telecontrol station. Holding: 0 damping s. Inputs: 0 flow 0.1 m³/h, 1–2 total litres, 3 status."""

    image: Image = field(default_factory=lambda: _image([], [5]))
    total: float = 88_120_455.0
    noise: Random = field(default_factory=_seeded)

    def step(self) -> None:
        """Count what flows."""
        flow = 758 + self.noise.uniform(-6, 6)
        self.total += flow / 36
        total = int(self.total)
        self.image.inputs[:4] = [round(flow), total >> 16, total & 0xFFFF, 1]
