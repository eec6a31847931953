"""A controlled station on lib60870 (by c104): `python -m tests.plant.iec104_station ADDRESS` serves until SIGTERM. GPL: a process of its own."""

import datetime
import signal
import sys
import threading
from typing import Any

import c104

from tests.plant.network import exact_checksums

STATION = 47
MEASURED: dict[int, tuple[Any, Any]] = {
    11: (c104.Type.M_SP_NA_1, c104.SingleInfo(True)),
    12: (c104.Type.M_DP_NA_1, c104.DoubleInfo(c104.Double.ON)),
    13: (c104.Type.M_ST_NA_1, c104.StepInfo(c104.Int7(-12), False)),
    14: (c104.Type.M_ME_NA_1, c104.NormalizedInfo(c104.NormalizedFloat(0.5))),
    15: (c104.Type.M_ME_NB_1, c104.ScaledInfo(c104.Int16(-3000))),
    16: (c104.Type.M_ME_NC_1, c104.ShortInfo(12.25)),
    17: (c104.Type.M_BO_NA_1, c104.BinaryInfo(c104.Byte32(b"\x01\x00\xfe\xca"))),
    18: (c104.Type.M_IT_NA_1, c104.BinaryCounterInfo(counter=4711, sequence=c104.UInt5(3), quality=c104.BinaryCounterQuality())),
    21: (c104.Type.M_SP_TB_1, c104.SingleInfo(False)),
    26: (c104.Type.M_ME_TF_1, c104.ShortInfo(-7.5)),
}
COMMANDS: dict[int, Any] = {
    111: c104.Type.C_SC_NA_1, 112: c104.Type.C_DC_NA_1, 113: c104.Type.C_RC_NA_1, 114: c104.Type.C_SE_NA_1, 115: c104.Type.C_SE_NB_1,
    116: c104.Type.C_SE_NC_1, 117: c104.Type.C_BO_NA_1, 121: c104.Type.C_SC_TA_1, 126: c104.Type.C_SE_TC_1,
}  # fmt: skip
SELECTED = 131
REFUSED = 141


def obey(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:  # noqa: ARG001
    """Do what is commanded, but for one point."""
    return c104.ResponseState.FAILURE if point.io_address == REFUSED else c104.ResponseState.SUCCESS


def set_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:  # noqa: ARG001
    """Any time is welcome."""
    return c104.ResponseState.SUCCESS


def serve(address: str) -> None:
    """The points of one station, and what they hold."""
    server: Any = c104.Server(ip=address, port=2404)
    server.on_clock_sync(callable=set_clock)
    station: Any = server.add_station(common_address=STATION)
    for number, (kind, info) in MEASURED.items():
        station.add_point(io_address=number, type=kind).info = info
    for number, kind in COMMANDS.items():
        station.add_point(io_address=number, type=kind).on_receive(callable=obey)
    station.add_point(io_address=SELECTED, type=c104.Type.C_SC_NA_1, command_mode=c104.CommandMode.SELECT_AND_EXECUTE).on_receive(callable=obey)
    station.add_point(io_address=REFUSED, type=c104.Type.C_SC_NA_1).on_receive(callable=obey)
    server.start()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _, __: stopped.set())
    signal.signal(signal.SIGUSR1, lambda _, __: station.get_point(io_address=16).transmit(cause=c104.Cot.SPONTANEOUS))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not stopped.wait(0.05):
        pass
    server.stop()


if __name__ == "__main__":
    exact_checksums("eth0")
    serve(sys.argv[1])
