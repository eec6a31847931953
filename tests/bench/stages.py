"""`python -m tests.bench.stages FILE`: the engine alone in its steady state, and what each of its stages costs a packet.

Prints one JSON object. Every kernel that Python calls is timed, and beside them the source and the naming of rows; the rest is the sensor's own loop.
"""

from __future__ import annotations

import json
import pkgutil
import sys
import time
from collections import defaultdict
from importlib import import_module
from statistics import median
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

import sensors.engine
from sensors import protocol
from sensors.activities import Naming
from sensors.sensor import Sensor
from sensors.sources import reader
from sensors.sources.pcap import find, open_capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensors.sources.pcap import Capture

RUNS: Final = 3
KNOWN: Final = {"decode", "follow", "dissect", "pair", "group", "collect", "naming", "source"}  # stages that no run is without


class Clock:
    """Seconds by stage; what a stage calls counts for what is called."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stage, self._since = "loop", time.perf_counter()

    def enter(self, stage: str) -> str:
        """From now on time is this stage's. Returns the stage before."""
        now = time.perf_counter()
        self.seconds[self._stage] += now - self._since
        before, self._stage, self._since = self._stage, stage, now
        return before

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time counted."""

        def call(*arguments: Any) -> Any:
            before = self.enter(stage)
            try:
                return function(*arguments)
            finally:
                self.enter(before)

        return call


def watch(clock: Clock) -> None:
    """Have every stage timed. The kernels are loaded by now, so that none is compiled against what stands in its place."""
    modules = [import_module(f"sensors.engine.{module.name}") for module in pkgutil.iter_modules(sensors.engine.__path__)]
    for module in (*modules, reader):
        for name, kernel in list(vars(module).items()):
            if isinstance(kernel, FunctionType) and hasattr(kernel, "__wrapped__") and kernel.__module__ == module.__name__:  # as `entry` makes them
                setattr(module, name, clock.timed(name, kernel))
    for known in protocol.protocols():
        object.__setattr__(known, "dissect", clock.timed("dissect", known.dissect))
    for name in ("activities", "points"):
        setattr(Naming, name, clock.timed("naming", getattr(Naming, name)))
    reader.CaptureSource.batch = clock.timed("source", reader.CaptureSource.batch)


class OneCore(Sensor):
    """A sensor that does everything one thing after the other, so that each has its time."""

    concurrent = False


def listen(capture: Capture) -> tuple[float, Sensor]:
    """The seconds of one run."""
    sensor, source = OneCore("bench"), open_capture(capture)
    start = time.perf_counter()
    for _ in sensor.listen(source):
        pass
    seconds = time.perf_counter() - start
    source.close()
    return seconds, sensor


def main() -> None:
    """Measure and print."""
    (capture,) = find([sys.argv[1]])
    listen(capture)
    clock = Clock()
    watch(clock)
    clock.enter("loop")
    clock.seconds.clear()
    runs = [listen(capture) for _ in range(RUNS)]
    clock.enter("loop")
    totals = runs[0][1].totals
    packets = totals.packets
    if missing := KNOWN - clock.seconds.keys():
        sys.exit(f"no figures: stages that nobody timed: {', '.join(sorted(missing))}")
    stages = sorted(clock.seconds.items(), key=lambda item: -item[1])
    unknown = totals.effects.get("unknown", 0)  # what is no Modbus at all on its port
    told = {
        "packets": packets,
        "protocols": {name: {"messages": told.messages, "operations": told.operations} for name, told in totals.protocols.items()},
        "unknown": unknown,
        "seconds": median(seconds for seconds, _ in runs),
        "stages": {stage: round(seconds / RUNS / packets * 1e9, 1) for stage, seconds in stages},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
