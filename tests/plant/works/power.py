"""The processes of a substation: feeders with breakers, transformers with tap changers, a busbar, a battery room."""

from __future__ import annotations

from math import sqrt
from typing import Final

from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS, Point, Process


class Feeder(Process):
    """A feeder: its breaker, what flows, and the protection that opens it."""

    NAME = "feeder"
    POINTS = (
        Point("current A", MEASURED, 60, 320, 10),
        Point("voltage kV", MEASURED, 10.2, 10.8, 1000),
        Point("active power MW", MEASURED, 1, 6, 1000),
        Point("reactive power Mvar", MEASURED, 0.1, 1.6, 1000),
        Point("energy kWh", COUNTER, 0, 4e9),
        Point("overcurrent A", SETPOINT, 420, 520, 1),
        Point("recloser delay s", SETPOINT, 1, 3, 10),
        Point("breaker closed", COMMAND, 1, 1),
        Point("earthing switch", COMMAND, 0, 0),
        Point("recloser on", COMMAND, 0, 1),
        Point("tripped", STATUS, 0, 0),
        Point("local control", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """The load follows the town; nothing flows where the breaker is open."""
        values = self.values
        closed = values[7] > 0
        self.near(1, 10.5 - 0.25 * (self.habits.load(self.now) - 0.85), seconds, 60, 0.012)
        self.near(0, 190 * self.size * self.habits.load(self.now) if closed else 0.0, seconds, 45 if closed else 0.5, 3.0 if closed else 0)
        values[0] = max(values[0], 0.0)
        if closed and values[0] > values[5]:
            values[7], values[10] = 0.0, 1.0
        elif closed:
            values[10] = 0.0
        values[2] = sqrt(3) * values[0] * values[1] / 1000 * 0.97
        values[3] = values[2] * 0.25 + (self.random.random() - 0.5) * 0.01 * closed
        values[4] += values[2] * 1000 * seconds / 3600


class Transformer(Process):
    """A transformer: its taps hold the voltage; oil and windings warm up with the load."""

    NAME = "transformer"
    POINTS = (
        Point("oil C", MEASURED, 35, 65, 10),
        Point("winding C", MEASURED, 40, 80, 10),
        Point("load %", MEASURED, 25, 85, 10),
        Point("secondary kV", MEASURED, 10.2, 10.8, 1000),
        Point("tap", MEASURED, 4, 12, 1),
        Point("tap changes", COUNTER, 0, 1e6),
        Point("voltage set point kV", SETPOINT, 10.4, 10.6, 1000),
        Point("oil alarm C", SETPOINT, 80, 95, 1),
        Point("fans on", COMMAND, 0, 1),
        Point("tap in automatic", COMMAND, 1, 1),
        Point("breaker closed", COMMAND, 1, 1),
        Point("oil too warm", STATUS, 0, 0),
    )

    def begin(self) -> None:
        """Somewhere in the middle of the taps."""
        self.waited = 0.0
        self.values[4] = 8.0
        self.values[3] = self.values[6]

    def move(self, seconds: float) -> None:
        """Warm up, and change the tap where the voltage is off for long."""
        values = self.values
        closed = float(values[10] > 0)
        load = self.habits.load(self.now)
        self.near(2, 55 * load * closed * self.size, seconds, 60, 0.6)
        self.near(3, (10.5 + 0.09 * (values[4] - 8) - 0.5 * (load - 0.85)) * closed, seconds, 10, 0.012)
        off = values[6] - values[3]
        self.waited = self.waited + seconds if abs(off) > 0.08 and values[9] and closed else 0.0
        if self.waited > 60:
            values[4] = min(max(values[4] + (1 if off > 0 else -1), 1.0), 17.0)
            values[5] += 1
            self.waited = 0.0
        self.near(0, 28 + values[2] * (0.25 if values[8] else 0.4), seconds, 3600, 0.08)
        self.near(1, values[0] + values[2] * 0.15, seconds, 600, 0.15)
        values[11] = float(values[0] > values[7])


class Busbar(Process):
    """A busbar: voltage and frequency of the network."""

    NAME = "busbar"
    POINTS = (
        Point("voltage kV", MEASURED, 108, 112, 100),
        Point("frequency Hz", MEASURED, 49.95, 50.05, 1000),
        Point("active power MW", MEASURED, 10, 40, 100),
        Point("imported MWh", COUNTER, 0, 4e9),
        Point("undervoltage kV", SETPOINT, 95, 99, 10),
        Point("coupler closed", COMMAND, 0, 1),
        Point("isolator closed", COMMAND, 1, 1),
        Point("earth fault", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """The network is stiff."""
        values = self.values
        self.near(0, (110 - 1.5 * (self.habits.load(self.now) - 0.85)) * (values[6] > 0), seconds, 40, 0.08)
        self.near(1, 50.0, seconds, 25, 0.006)
        self.near(2, 26 * self.size * self.habits.load(self.now) * (values[6] > 0), seconds, 60, 0.12)
        values[3] += max(values[2], 0) * seconds / 3600


class Battery(Process):
    """The station's own supply."""

    NAME = "battery"
    POINTS = (
        Point("battery V", MEASURED, 108, 114, 100),
        Point("charging A", MEASURED, 0.5, 6, 100),
        Point("room C", MEASURED, 17, 24, 10),
        Point("charger hours", COUNTER, 0, 1e6),
        Point("float voltage V", SETPOINT, 110, 112, 10),
        Point("charger on", COMMAND, 1, 1),
        Point("ventilation on", COMMAND, 0, 1),
        Point("door open", STATUS, 0, 0),
    )

    def move(self, seconds: float) -> None:
        """Charge."""
        values = self.values
        self.near(0, values[4] if values[5] else 100.0, seconds, 300, 0.03)
        self.near(1, 2.5 + (values[4] - values[0]) * 2 if values[5] else 0.0, seconds, 60, 0.05)
        values[1] = max(values[1], 0.0)
        self.near(2, 20.5 + 1.5 * (self.habits.load(self.now) - 0.85) - (0.8 if values[6] else 0), seconds, 2400, 0.03)
        values[3] += seconds / 3600 * values[5]


PROCESSES: Final = (Feeder, Transformer, Busbar, Battery)
