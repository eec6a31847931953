"""The plant's own clients, HMI and historian: `python -m tests.plant.pollers NAME START PACE OUTPUT`."""

import asyncio
import time
from itertools import groupby

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from tests.plant.cue import PATIENCE, Cue
from tests.plant.plan import ORDERS, POLLS, PORT, STORY, Order, Poll
from tests.plant.truth import Diary


def read(function: int, first: int, quantity: int, unit: int) -> ModbusPDU:
    """A read of one of the four tables."""
    match function:
        case 1:
            return ReadCoilsRequest(address=first, count=quantity, dev_id=unit)
        case 2:
            return ReadDiscreteInputsRequest(address=first, count=quantity, dev_id=unit)
        case 3:
            return ReadHoldingRegistersRequest(address=first, count=quantity, dev_id=unit)
        case _:
            return ReadInputRegistersRequest(address=first, count=quantity, dev_id=unit)


async def poll(cue: Cue, diary: Diary, client: AsyncModbusTcpClient, plan: Poll) -> None:
    """Read on, cycle after cycle, until the story ends; a cycle that took too long is followed at once by the next due one."""
    moment = plan.phase
    while moment < STORY - 2:
        await cue.until(moment)
        for function, first, quantity in plan.reads:
            await diary.ask(client, read(function, first, quantity, plan.unit))
        late = (time.time() - cue.start) / cue.pace - moment
        moment += plan.period * max(1, -(-late // plan.period))


async def order(cue: Cue, diary: Diary, client: AsyncModbusTcpClient, orders: list[Order]) -> None:
    """Carry out what the operator orders on one controller."""
    for one in orders:
        await cue.until(one.at)
        await diary.ask(client, one.request)


async def work(cue: Cue) -> None:
    """One connection a controller, all polls and orders at once."""
    diary = Diary()
    orders = ORDERS.get(cue.host.name, ())
    clients: list[AsyncModbusTcpClient] = []
    await cue.until(0)
    async with asyncio.TaskGroup() as tasks:
        for destination, plans in groupby(POLLS[cue.host.name], key=lambda plan: plan.destination):
            client = AsyncModbusTcpClient(destination, port=PORT, timeout=PATIENCE, retries=0)
            await client.connect()
            clients.append(client)
            for plan in plans:
                tasks.create_task(poll(cue, diary, client, plan))
            tasks.create_task(order(cue, diary, client, [one for one in orders if one.destination == destination]))
    for client in clients:
        client.close()
    cue.save({"requests": diary.requests})


if __name__ == "__main__":
    asyncio.run(work(Cue.read()))
