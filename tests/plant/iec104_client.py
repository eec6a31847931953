"""A controlling station on lib60870 (by c104): `python -m tests.plant.iec104_client ADDRESS DIARY` does its list and writes down what it did.

GPL: it runs in a process of its own.
"""

import datetime
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypedDict

import c104

from tests.plant.iec104_station import COMMANDS, MEASURED, REFUSED, SELECTED, STATION
from tests.plant.network import exact_checksums

SELECT = 0x80  # S/E of a command's qualifier (7.2.6.15 to .26)
WHEN = datetime.datetime(2026, 3, 2, 10, 15, 30, 250000, datetime.UTC)


EXECUTED = threading.Event()


def keep(connection: c104.Connection, data: bytes) -> None:  # noqa: ARG001
    """Learn from what the stack sends, in a thread of its own and some time after, that it executes what it had selected."""
    if data[2] & 1 == 0 and data[6] == 45 and data[12:15] == SELECTED.to_bytes(3, "little") and not data[15] & SELECT:
        EXECUTED.set()


class Deed(TypedDict):
    """What the client asked its stack for, and what that said of it."""

    code: str
    effect: str
    unit: int
    first: int | None
    value: float | None
    done: bool | None


class Diary:
    """What was done, in order."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def note(self, code: str, effect: str, first: int | None, value: float | None, done: bool | None, unit: int = STATION) -> None:
        """One more deed."""
        self.deeds.append({"code": code, "effect": effect, "unit": unit, "first": first, "value": value, "done": done})


ORDERS: dict[int, tuple[Any, int, str, float]] = {  # address: what, type identification, effect, value on the wire
    111: (c104.SingleCmd(on=True, qualifier=c104.Qoc.SHORT_PULSE), 45, "output.operate", 1),
    112: (c104.DoubleCmd(state=c104.Double.ON), 46, "output.operate", 2),
    113: (c104.StepCmd(direction=c104.Step.HIGHER), 47, "output.operate", 2),
    114: (c104.NormalizedCmd(target=c104.NormalizedFloat(-0.25)), 48, "setpoint.write", -0.25),
    115: (c104.ScaledCmd(target=c104.Int16(-1234)), 49, "setpoint.write", -1234),
    116: (c104.ShortCmd(target=98.5), 50, "setpoint.write", 98.5),
    117: (c104.BinaryCmd(blob=c104.Byte32(b"\x02\x00\xef\xbe")), 51, "value.write", 0xBEEF0002),
    121: (c104.SingleCmd(on=False, recorded_at=WHEN), 58, "output.operate", 0),
    126: (c104.ShortCmd(target=-0.5, recorded_at=WHEN), 63, "setpoint.write", -0.5),
}


def act(connection: Any, diary: Diary) -> None:
    """The list."""
    station = connection.add_station(common_address=STATION)
    for number, (kind, _) in MEASURED.items():
        station.add_point(io_address=number, type=kind)
    diary.note("100/6", "interrogation", None, 20, connection.interrogation(common_address=STATION))
    diary.note("101/6", "counter.interrogation", None, 5, connection.counter_interrogation(common_address=STATION))
    diary.note("103/6", "time.write", None, None, connection.clock_sync(common_address=STATION))
    diary.note("104/6", "test", None, 0x55AA, connection.test(common_address=STATION, with_time=False))
    diary.note("107/6", "test", None, None, connection.test(common_address=STATION))
    diary.note("102/5", "value.read", 16, None, station.get_point(io_address=16).read())
    for number, (order, kind, effect, value) in ORDERS.items():
        point = station.add_point(io_address=number, type=COMMANDS[number])
        point.info = order
        diary.note(f"{kind}/6", effect, number, value, point.transmit(cause=c104.Cot.ACTIVATION))
    point = station.add_point(io_address=SELECTED, type=c104.Type.C_SC_NA_1, command_mode=c104.CommandMode.SELECT_AND_EXECUTE)
    point.info = c104.SingleCmd(on=True)
    for _ in range(5):  # a confirmation that comes too soon is missed by the stack, which then does not execute
        done = point.transmit(cause=c104.Cot.ACTIVATION)
        diary.note("45/6", "output.select", SELECTED, 1, done)
        if EXECUTED.wait(0.5):
            diary.note("45/6", "output.operate", SELECTED, 1, done)
            break
    for number in (REFUSED, 999):  # the one refuses, the other is not there
        point = station.add_point(io_address=number, type=c104.Type.C_SC_NA_1)
        point.info = c104.SingleCmd(on=True)
        done = point.transmit(cause=c104.Cot.ACTIVATION)
        diary.note("45/6", "output.operate", number, 1, done if number == REFUSED else None)  # two refusals come for the other, and either may count
    connection.interrogation(common_address=9)  # nobody has this address, and the stack does not say what came of it
    diary.note("100/6", "interrogation", None, 20, None, unit=9)


def main(address: str, diary_at: Path) -> None:
    """Connect, act, write."""
    client, diary = c104.Client(command_timeout_ms=3000), Diary()
    connection: Any = client.add_connection(ip=address, port=2404, init=c104.Init.NONE)
    if connection is None:
        sys.exit("no connection")
    connection.on_send_raw(callable=keep)
    client.start()
    connection.connect()
    for _ in range(100):
        if connection.is_connected:
            break
        time.sleep(0.05)
    connection.unmute()
    time.sleep(0.2)
    act(connection, diary)
    time.sleep(0.3)
    client.stop()
    diary_at.write_text(json.dumps(diary.deeds), encoding="utf-8")


if __name__ == "__main__":
    exact_checksums("eth0")
    main(sys.argv[1], Path(sys.argv[2]))
