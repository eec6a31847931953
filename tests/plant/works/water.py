"""The processes of a water works: wells, a tank filled by pumps, filters, chlorine under PI control, boosters, meters in the field."""

from __future__ import annotations

from typing import Final

from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS, Point, Process


class Tank(Process):
    """A tank between two levels: the pumps start at the low one and stop at the high one."""

    NAME = "tank"
    POINTS = (
        Point("level m", MEASURED, 2.2, 4.6, 1000),
        Point("inflow m3/h", MEASURED, 0, 240, 10),
        Point("outflow m3/h", MEASURED, 50, 190, 10),
        Point("pressure bar", MEASURED, 0.2, 0.5, 1000),
        Point("litres", COUNTER, 0, 4e9),
        Point("start level m", SETPOINT, 2.3, 2.8, 1000),
        Point("stop level m", SETPOINT, 4.0, 4.5, 1000),
        Point("pump speed %", SETPOINT, 70, 95, 10),
        Point("pump 1 in automatic", COMMAND, 1, 1),
        Point("inlet valve", COMMAND, 1, 1),
        Point("pump 1 runs", STATUS, 0, 1),
        Point("level low", STATUS, 0, 0),
        Point("level high", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """Fill and drain."""
        values = self.values
        level = values[0]
        if level < values[5]:
            values[10] = 1.0
        elif level > values[6]:
            values[10] = 0.0
        runs = values[10] and values[8] and values[9]
        self.near(1, 210 * values[7] / 85 if runs else 0.0, seconds, 15, 1.5)
        values[1] = max(values[1], 0.0)
        self.near(2, 110 * self.habits.load(self.now), seconds, 300, 1.2)
        values[0] = min(max(level + (values[1] - values[2]) / (260 * self.size) * seconds / 3600 * 2, 0.0), 6.0)
        values[3] = values[0] * 0.0981 + (self.random.random() - 0.5) * 0.002
        values[4] += values[1] * seconds / 3.6
        values[11], values[12] = float(level < 1.8), float(level > 5.2)


class Dosing(Process):
    """Free chlorine under PI control of the dosing pump."""

    NAME = "dosing"
    POINTS = (
        Point("free chlorine mg/l", MEASURED, 0.3, 0.7, 1000),
        Point("pH", MEASURED, 7.1, 7.6, 100),
        Point("turbidity NTU", MEASURED, 0.05, 0.2, 1000),
        Point("dose ml/min", MEASURED, 20, 80, 10),
        Point("temperature C", MEASURED, 9, 14, 10),
        Point("stock kg", MEASURED, 100, 400, 10),
        Point("chlorine set point mg/l", SETPOINT, 0.45, 0.55, 1000),
        Point("chlorine alarm high mg/l", SETPOINT, 0.9, 1.2, 1000),
        Point("gain", SETPOINT, 0.8, 1.2, 100),
        Point("dosing enabled", COMMAND, 1, 1),
        Point("dosing pump", COMMAND, 1, 1),
        Point("chlorine low", STATUS, 0, 0),
        Point("chlorine high", STATUS, 0, 0),
    )

    def begin(self) -> None:
        """In balance."""
        self.integral = 50.0
        self.values[0] = self.values[6]

    def move(self, seconds: float) -> None:
        """The controller doses, the water mixes and takes."""
        values = self.values
        error = values[6] - values[0]
        self.integral = min(max(self.integral + error * seconds * 0.4 * values[8], 0.0), 200.0)
        dose = min(max(self.integral + 60 * values[8] * error, 0.0), 200.0) if values[9] and values[10] else 0.0
        self.near(3, dose, seconds, 6, 0.4)
        flow = 0.7 + 0.3 * self.habits.load(self.now)
        self.near(0, max(values[3], 0) / 100 / flow, seconds, 120, 0.004)
        values[0] = max(values[0], 0.0)
        self.near(1, 7.35, seconds, 3000, 0.008)
        self.near(2, 0.11, seconds, 900, 0.004)
        values[2] = max(values[2], 0.01)
        self.near(4, 11.5, seconds, 20000, 0.02)
        values[5] = values[5] - values[3] * seconds / 60 / 1000 if values[5] > 60 else 420.0
        values[11], values[12] = float(values[0] < 0.2), float(values[0] > values[7])


class Booster(Process):
    """Pressure of the network under PI control of a pump's speed."""

    NAME = "booster"
    POINTS = (
        Point("pressure bar", MEASURED, 4.5, 5.5, 1000),
        Point("speed %", MEASURED, 40, 90, 10),
        Point("current A", MEASURED, 40, 120, 10),
        Point("flow m3/h", MEASURED, 60, 220, 10),
        Point("bearing C", MEASURED, 38, 60, 10),
        Point("kWh", COUNTER, 0, 1e9),
        Point("pressure set point bar", SETPOINT, 4.8, 5.2, 1000),
        Point("lowest speed %", SETPOINT, 25, 35, 10),
        Point("booster 1 on", COMMAND, 1, 1),
        Point("booster 2 on", COMMAND, 0, 1),
        Point("runs", STATUS, 1, 1),
        Point("fault", STATUS, 0, 0),
    )

    def begin(self) -> None:
        """In balance."""
        self.integral = 60.0
        self.values[0] = self.values[6]

    def move(self, seconds: float) -> None:
        """The pump against the town."""
        values = self.values
        error = values[6] - values[0]
        self.integral = min(max(self.integral + 2 * error * seconds, values[7]), 100.0)
        on = values[8] or values[9]
        self.near(1, min(max(self.integral + 12 * error, values[7]), 100.0) if on else 0.0, seconds, 8, 0.3)
        self.near(3, 130 * self.habits.load(self.now) * (1 if on else 0.3), seconds, 200, 1.4)
        self.near(0, max(values[1] * 0.115 - values[3] * 0.014 / self.size, 0.0), seconds, 20, 0.012)
        values[0] = max(values[0], 0.0)
        values[2] = max(values[1] * 1.1 + values[3] * 0.08 + (self.random.random() - 0.5) * 0.8, 0.0) if on else 0.0
        self.near(4, 30 + values[1] * 0.35, seconds, 1800, 0.08)
        values[5] += values[2] * seconds / 3600 * 0.6
        values[10], values[11] = float(bool(on)), 0.0


class Filter(Process):
    """A sand filter that clogs and is washed back."""

    NAME = "filter"
    POINTS = (
        Point("head loss m", MEASURED, 0.3, 1.8, 1000),
        Point("flow m3/h", MEASURED, 20, 60, 10),
        Point("turbidity NTU", MEASURED, 0.04, 0.2, 1000),
        Point("hours since wash", MEASURED, 0, 20, 10),
        Point("washes", COUNTER, 0, 1e6),
        Point("wash at head loss m", SETPOINT, 1.6, 1.9, 1000),
        Point("wash minutes", SETPOINT, 8, 12, 1),
        Point("in service", COMMAND, 1, 1),
        Point("wash now", COMMAND, 0, 0),
        Point("washing", STATUS, 0, 0),
    )

    def begin(self) -> None:
        """Not washed just now."""
        self.left = 0.0

    def move(self, seconds: float) -> None:
        """Clog, or be washed."""
        values = self.values
        if self.left <= 0 and (values[0] > values[5] or values[8]):
            self.left, values[8] = values[6] * 60, 0.0
            values[4] += 1
        washing = self.left > 0
        self.left -= seconds
        self.near(1, -35.0 if washing else 42 * self.habits.load(self.now) * values[7], seconds, 30, 0.4)
        values[0] = max(values[0] - seconds / 300, 0.25) if washing else values[0] + max(values[1], 0) * seconds / 1.6e6 + (self.random.random() - 0.5) * 0.004
        self.near(2, 0.35 if washing else 0.05 + values[0] * 0.05, seconds, 120, 0.004)
        values[2] = max(values[2], 0.01)
        values[3] = 0.0 if washing else values[3] + seconds / 3600
        values[9] = float(washing)


class Meter(Process):
    """A meter in the field: what flows, and how much it was in all."""

    NAME = "meter"
    POINTS = (
        Point("flow m3/h", MEASURED, 10, 60, 100),
        Point("pressure bar", MEASURED, 3, 5, 1000),
        Point("battery V", MEASURED, 12.2, 13.4, 100),
        Point("litres", COUNTER, 0, 4e9),
        Point("damping s", SETPOINT, 3, 10, 1),
        Point("valve open", COMMAND, 1, 1),
        Point("door", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """Count."""
        values = self.values
        self.near(0, 30 * self.size * self.habits.load(self.now) * values[5], seconds, 60, 0.5)
        values[0] = max(values[0], 0.0)
        self.near(1, 4.4 - values[0] * 0.02, seconds, 60, 0.012)
        self.near(2, 12.8, seconds, 9000, 0.01)
        values[3] += values[0] * seconds / 3.6


PROCESSES: Final = (Tank, Dosing, Booster, Filter, Meter)
