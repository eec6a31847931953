# ruff: noqa: ARG002, N802  (names and arguments of methods are the stack's)
"""A DNP3 master of a genuine stack that works off a list: `python -m tests.plant.dnp3_master ADDRESS`. It prints, as JSON, what it did and was told."""

import json
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.plant.dnp3_outstation import MASTER, OUTSTATION, PORT

stack: Any = import_module("opendnp3")  # it has no types

PATIENCE = 10.0
"""Seconds until a step has failed."""
PAUSE = 0.3
"""Seconds between steps, so that nothing overlaps."""


class Seen(stack.ISOEHandler):
    """What the outstation tells, by kind and index."""

    def __init__(self) -> None:
        stack.ISOEHandler.__init__(self)
        self.values: dict[str, dict[int, float]] = {}

    def BeginFragment(self, info: Any) -> None:
        """A fragment begins."""

    def EndFragment(self, info: Any) -> None:
        """It ends."""

    def Process(self, info: Any, values: Any) -> None:
        """Values of one header."""
        for value in values:
            kind = type(value).__name__
            if hasattr(value.value, "value"):
                self.values.setdefault(kind, {})[value.index] = float(value.value.value)


class Application(stack.IMasterApplication):
    """Says when a task is over."""

    def __init__(self) -> None:
        stack.IMasterApplication.__init__(self)
        self.over = threading.Event()

    def OnTaskComplete(self, info: Any) -> None:
        """One is."""
        self.over.set()


def everything(group: int, variation: int = 0) -> list[Any]:
    """A header for all points of a group."""
    return [stack.Header.AllObjects(group, variation)]


class Story:
    """The steps, each with its result."""

    def __init__(self, master: Any, application: Application, seen: Seen) -> None:
        self.master, self.application, self.seen = master, application, seen
        self.steps: list[dict[str, Any]] = []

    def step(self, name: str, start: Callable[[Callable[..., None]], None], **told: Any) -> None:
        """Do one thing and wait until it is over."""
        over, result = threading.Event(), list[str]()

        def done(*results: Any) -> None:
            if results and hasattr(results[0], "to_list"):
                result.extend(point.status.name for point in results[0].to_list())
            over.set()

        self.application.over.clear()
        start(done)
        waited = time.monotonic()
        while not over.is_set() and not self.application.over.is_set() and time.monotonic() - waited < PATIENCE:
            time.sleep(0.02)
        time.sleep(PAUSE)
        self.steps.append({"name": name, "ended": over.is_set() or self.application.over.is_set(), "status": result, **told})

    def play(self) -> None:
        """Everything that this stack can ask for."""
        master, none = self.master, stack.ClassField
        crob, code, close = stack.ControlRelayOutputBlock, stack.OperationType, stack.TripCloseCode
        self.step("integrity", lambda _: master.ScanClasses(none.AllClasses(), self.seen))
        self.step("events", lambda _: master.ScanClasses(none.AllEventClasses(), self.seen))
        self.step("range", lambda _: master.ScanRange(stack.GroupVariationID(1, 2), 2, 5, self.seen))
        self.step("all", lambda _: master.ScanAllObjects(stack.GroupVariationID(30, 5), self.seen))
        self.step("select_and_operate", lambda done: master.SelectAndOperate(crob(code.LATCH_ON, close.NUL, False, 1, 100, 200), 3, done))
        self.step("direct_operate", lambda done: master.DirectOperate(crob(code.PULSE_ON, close.TRIP, False, 2, 300, 400), 4, done))
        self.step("refused", lambda done: master.DirectOperate(crob(code.PULSE_ON, close.CLOSE, False, 1, 100, 100), 20, done))
        self.step("analog_int16", lambda done: master.DirectOperate(stack.AnalogOutputInt16(-123), 1, done))
        self.step("analog_int32", lambda done: master.DirectOperate(stack.AnalogOutputInt32(123456), 2, done))
        self.step("analog_float", lambda done: master.SelectAndOperate(stack.AnalogOutputFloat32(1.5), 3, done))
        self.step("analog_double", lambda done: master.DirectOperate(stack.AnalogOutputDouble64(-2.25), 4, done))
        self.step("freeze", lambda _: master.Freeze(stack.FreezeType.ImmediateFreeze, everything(20)))
        self.step("freeze_and_clear", lambda _: master.Freeze(stack.FreezeType.FreezeAndClear, everything(20)))
        self.step("deadband", lambda done: master.WriteDeadBands([stack.IndexedAnalogInputDeadband(stack.AnalogInputDeadband(7.0), 5)], done))
        function = stack.FunctionCode
        self.step("disable", lambda _: master.PerformFunction("disable", function.DISABLE_UNSOLICITED, everything(60, 2)))
        self.step("enable", lambda _: master.PerformFunction("enable", function.ENABLE_UNSOLICITED, everything(60, 2)))
        self.step("assign", lambda _: master.PerformFunction("assign", function.ASSIGN_CLASS, [*everything(60, 3), *everything(1)]))
        self.step("delay", lambda _: master.PerformFunction("delay", function.DELAY_MEASURE, []))
        self.step("record", lambda _: master.PerformFunction("record", function.RECORD_CURRENT_TIME, []))
        self.step("link_status", lambda done: master.CheckLinkStatus(done))
        self.step("read_file", lambda done: master.ReadFile("config.xml", done))
        self.step("missing_file", lambda done: master.ReadFile("nothing.txt", done))
        self.step("write_file", lambda done: master.WriteFile("new.txt", b"x" * 700, stack.FilePermissions(), done))
        self.step("file_info", lambda done: master.GetFileInfo("new.txt", done))
        self.step("delete_file", lambda done: master.DeleteFile("new.txt", done))
        self.step("authenticate_file", lambda done: master.AuthenticateFile("operator", "secret", done))
        self.step("cold", lambda done: master.Restart(stack.RestartType.COLD, done))
        self.step("warm", lambda done: master.Restart(stack.RestartType.WARM, done))


def config() -> Any:
    """Sets the outstation's clock when it asks for it."""
    made = stack.MasterStackConfig()
    made.master.responseTimeout = stack.TimeDuration.Seconds(2)
    made.master.disableUnsolOnStartup = True
    made.master.timeSyncMode = stack.TimeSyncMode.NonLAN
    made.link.LocalAddr, made.link.RemoteAddr = MASTER, OUTSTATION
    return made


def main() -> None:
    """Connect, play, tell."""
    manager, seen, application = stack.DNP3Manager(1), Seen(), Application()
    channel = manager.AddTCPClient("client", stack.LogLevels.none(), stack.ChannelRetry.Default(), [stack.IPEndpoint(sys.argv[1], PORT)], "0.0.0.0", None)
    master = channel.AddMaster("master", seen, application, config())
    master.Enable()
    time.sleep(2)
    story = Story(master, application, seen)
    story.play()
    manager.Shutdown()
    json.dump({"steps": story.steps, "values": seen.values}, sys.stdout)


if __name__ == "__main__":
    main()
