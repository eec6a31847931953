"""A controller: a genuine pymodbus server before a small process. `python -m tests.plant.plc NAME START PACE OUTPUT`, until it is terminated."""

import asyncio
import signal
import sys
from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.pdu.diag_message import ForceListenOnlyModeRequest, RestartCommunicationsOptionRequest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.plant.cue import Cue
from tests.plant.plan import CHLORINATION, METER, PLC_1, PLC_2, PLC_3, PORT, PUMPING, RESERVOIR
from tests.plant.processes import Chlorination, Image, Meter, Process, Pumping, Reservoir

UNITS: dict[str, dict[int, Callable[[], Process]]] = {
    PLC_1.name: {PUMPING: Pumping},
    PLC_2.name: {CHLORINATION: Chlorination},
    PLC_3.name: {RESERVOIR: Reservoir, METER: Meter},
}

OTHERS = 0
"""The unit that the stack takes for all units not otherwise defined."""


class Refused(ModbusPDU):
    """A function that the controller does not have.

    Left to itself the stack answers these as if function 0 had been asked; the specification wants the exception of the function asked for.
    """

    async def datastore_update(self, context: object, device_id: int) -> ModbusPDU:
        """Answer illegal function."""
        del context, device_id
        return ExceptionResponse(self.function_code, ExcCodes.ILLEGAL_FUNCTION)


def refused() -> list[type[ModbusPDU]]:
    """One class for each function code that the stack does not know."""
    known = DecodePDU(is_server=True).list_function_codes()
    return [type(f"Refused{code}", (Refused,), {"function_code": code}) for code in range(1, 128) if code not in known]


class ListenOnly:
    """Listen only mode as the specification has it, which the stack leaves to the application.

    After 8/4 the device says nothing, to that request neither, until 8/1; a restart that ends the mode is not answered either.
    """

    def __init__(self) -> None:
        self.silent = False
        self.swallow = False

    def watch(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        """Notice the two requests that change the mode."""
        if not sending and isinstance(pdu, ForceListenOnlyModeRequest):
            self.silent = True
        elif not sending and isinstance(pdu, RestartCommunicationsOptionRequest):
            self.silent, self.swallow = False, self.silent
        return pdu

    def gate(self, sending: bool, data: bytes) -> bytes:
        """Keep responses back while the mode is on."""
        if sending and (self.silent or self.swallow):
            self.swallow = False
            return b""
        return data


def device(unit: int, image: Image) -> SimDevice:
    """The stack's view of a process image: four separate tables."""
    coils, discretes = ([SimData(0, values=list(table), datatype=DataType.BITS)] for table in (image.coils, image.discretes))
    holding, inputs = ([SimData(0, values=list(table), datatype=DataType.REGISTERS)] for table in (image.holding, image.inputs))
    return SimDevice(unit, simdata=(coils, discretes, holding, inputs), action=absent if unit == OTHERS else None)


async def absent(*request: object) -> ExcCodes:
    """What stands behind every unit that is not there: the gateway's answer."""
    del request
    return ExcCodes.GATEWAY_NO_RESPONSE


async def scan(server: ModbusTcpServer, unit: int, process: Process) -> None:
    """One cycle: take what clients wrote, let a second pass, show what was measured."""
    image = process.image
    image.coils[:] = [bool(bit) for bit in await server.async_getValues(unit, 1, 0, len(image.coils))]
    image.holding[:] = await server.async_getValues(unit, 3, 0, len(image.holding))
    process.step()
    await server.async_setValues(unit, 2, 0, image.discretes)
    await server.async_setValues(unit, 4, 0, image.inputs)


async def serve(cue: Cue) -> None:
    """Serve until the process is terminated."""
    processes = {unit: make() for unit, make in UNITS[cue.host.name].items()}
    mode = ListenOnly()
    server = ModbusTcpServer(
        [device(OTHERS, Meter().image), *(device(unit, process.image) for unit, process in processes.items())],
        identity=ModbusDeviceIdentification(dict(enumerate(cue.host.identity))),
        address=(cue.host.addresses[0].ip, PORT),
        broadcast_enable=True,
        trace_packet=mode.gate,
        trace_pdu=mode.watch,
        custom_pdu=refused(),
    )
    await server.serve_forever(background=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    while not ended.is_set():
        for unit, process in processes.items():
            await scan(server, unit, process)
        await cue.rest(1.0)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(Cue.read()))
