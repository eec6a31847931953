"""The processes of a packaging hall: fillers, sealers, conveyors, palletisers. They count, they warm up, they jam."""

from __future__ import annotations

from typing import Final

from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS, Point, Process


class Machine(Process):
    """A machine that runs at a speed, and jams now and then until somebody clears it. Its first command is run, its first state jammed."""

    EVERY = 2700.0  # seconds between jams
    left = 0.0

    def running(self, seconds: float) -> bool:
        """Whether it runs now; jams come and go."""
        run, jammed = self.numbers(COMMAND)[0], self.numbers(STATUS)[0]
        if self.left > 0:
            self.left -= seconds
        elif self.values[run] and self.random.random() < seconds / self.EVERY:
            self.left = self.random.uniform(20, 180)
        self.values[jammed] = float(self.left > 0)
        return bool(self.values[run]) and self.left <= 0


class Filler(Machine):
    """Fills bags by weight."""

    NAME = "filler"
    POINTS = (
        Point("speed 1/min", MEASURED, 0, 65, 10),
        Point("weight g", MEASURED, 240, 260, 10),
        Point("hopper %", MEASURED, 20, 90, 10),
        Point("current A", MEASURED, 1, 10, 100),
        Point("good", COUNTER, 0, 4e9),
        Point("rejected", COUNTER, 0, 4e9),
        Point("speed set point 1/min", SETPOINT, 45, 60, 10),
        Point("weight set point g", SETPOINT, 248, 252, 10),
        Point("run", COMMAND, 1, 1),
        Point("dust extraction", COMMAND, 0, 1),
        Point("jammed", STATUS, 0, 0),
        Point("guard open", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """Fill."""
        values = self.values
        runs = self.running(seconds)
        self.near(0, values[6] if runs else 0.0, seconds, 4, 0.3 if runs else 0)
        values[0] = max(values[0], 0.0)
        self.near(1, values[7], seconds, 8, 1.2)
        values[2] = values[2] - values[0] * seconds / 60 * 0.03 if values[2] > 22 else 88.0
        self.near(3, 1.2 + values[0] * 0.11, seconds, 5, 0.12)
        made = values[0] * seconds / 60
        bad = made * (0.004 + min(abs(values[1] - 250) / 100, 0.5))
        values[4] += made - bad
        values[5] += bad


class Sealer(Machine):
    """Seals bags between hot jaws, under PI control."""

    NAME = "sealer"
    POINTS = (
        Point("jaw C", MEASURED, 140, 165, 10),
        Point("heating %", MEASURED, 15, 60, 10),
        Point("speed 1/min", MEASURED, 0, 65, 10),
        Point("film m", MEASURED, 50, 900, 10),
        Point("sealed", COUNTER, 0, 4e9),
        Point("jaw set point C", SETPOINT, 150, 156, 10),
        Point("dwell ms", SETPOINT, 180, 260, 1),
        Point("run", COMMAND, 1, 1),
        Point("film brake", COMMAND, 0, 1),
        Point("jammed", STATUS, 0, 0),
        Point("jaw too cold", STATUS, 0, 0),
    )

    def begin(self) -> None:
        """Warm."""
        self.integral, self.values[0] = 30.0, self.values[5]

    def move(self, seconds: float) -> None:
        """Heat and seal."""
        values = self.values
        runs = self.running(seconds)
        error = values[5] - values[0]
        self.integral = min(max(self.integral + 0.05 * error * seconds, 0.0), 100.0)
        self.near(1, min(max(self.integral + 3 * error, 0.0), 100.0), seconds, 2, 0.3)
        self.near(2, 11000 / values[6] if runs and values[6] > 0 else 0.0, seconds, 4, 0.3 if runs else 0)
        values[2] = max(values[2], 0.0)
        self.near(0, 25 + values[1] * 4.2 - values[2] * 0.08, seconds, 60, 0.15)
        values[3] = values[3] - values[2] * seconds / 60 * 0.3 if values[3] > 20 else 950.0
        values[4] += values[2] * seconds / 60
        values[10] = float(values[0] < values[5] - 12)


class Conveyor(Machine):
    """A belt between machines."""

    NAME = "conveyor"
    EVERY = 7200.0
    POINTS = (
        Point("belt m/s", MEASURED, 0, 0.6, 1000),
        Point("motor A", MEASURED, 0.1, 2.6, 100),
        Point("motor C", MEASURED, 30, 60, 10),
        Point("metres", COUNTER, 0, 4e9),
        Point("belt set point m/s", SETPOINT, 0.35, 0.5, 1000),
        Point("run", COMMAND, 1, 1),
        Point("diverter", COMMAND, 0, 1),
        Point("jammed", STATUS, 0, 0),
        Point("light barrier", STATUS, 0, 1),
    )

    def move(self, seconds: float) -> None:
        """Carry."""
        values = self.values
        runs = self.running(seconds)
        self.near(0, values[4] if runs else 0.0, seconds, 2, 0.004 if runs else 0)
        values[0] = max(values[0], 0.0)
        self.near(1, 0.2 + values[0] * 4.2, seconds, 3, 0.03)
        self.near(2, 30 + values[1] * 11, seconds, 1200, 0.08)
        values[3] += values[0] * seconds
        values[8] = float(runs and self.random.random() < 0.5)


class Palletiser(Machine):
    """Stacks boxes by layers."""

    NAME = "palletiser"
    EVERY = 3600.0
    POINTS = (
        Point("layer", MEASURED, 0, 8, 1),
        Point("air bar", MEASURED, 5.4, 6.6, 100),
        Point("lift mm", MEASURED, 0, 1700, 1),
        Point("boxes", COUNTER, 0, 4e9),
        Point("pallets", COUNTER, 0, 4e9),
        Point("layers a pallet", SETPOINT, 6, 8, 1),
        Point("boxes a minute", SETPOINT, 8, 14, 10),
        Point("run", COMMAND, 1, 1),
        Point("wrapper on", COMMAND, 0, 1),
        Point("jammed", STATUS, 0, 0),
        Point("pallet full", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """Stack."""
        values = self.values
        if self.running(seconds):
            before = int(values[3] / 10)
            values[3] += values[6] * seconds / 60
            values[0] += int(values[3] / 10) - before
        values[10] = float(values[0] >= values[5])
        if values[0] > values[5]:
            values[0] = 0.0
            values[4] += 1
        values[0] = float(round(values[0]))
        self.near(1, 6.0, seconds, 30, 0.05)
        self.near(2, values[0] * 200, seconds, 4, 1.5)
        values[2] = max(values[2], 0.0)


PROCESSES: Final = (Filler, Sealer, Conveyor, Palletiser)
