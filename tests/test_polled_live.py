"""Genuine stacks that poll each other on a wire, heard live: what their clients did is what the sensor says, operation by operation."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from collections import Counter
from contextlib import ExitStack
from importlib.util import find_spec
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from tests.plant.network import network
from tests.plant.plan import Address, Host
from tests.require import need
from tests.test_watch import INTERPRETED, ended, said, stored
from tests.veth import ROOT, started

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.netns
CONTROLLER = Host("LIVE-CPU", "plc", (Address("10.20.9.11", "02:ba:1e:09:00:11"),))
STATION = Host("LIVE-PG", "engineer", (Address("10.20.9.20", "02:ba:1e:09:00:20"),))
ADDRESS = CONTROLLER.addresses[0].ip
POLLS, WRITES = 40, 5
SERVER = """
    import asyncio, sys
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice
    from tests.plant.network import exact_checksums

    async def serve():
        bits, words = ([SimData(0, values=[1] * 100, datatype=kind)] for kind in (DataType.BITS, DataType.REGISTERS))
        server = ModbusTcpServer([SimDevice(1, simdata=(bits, bits, words, words))], address=(sys.argv[1], 502))
        await server.serve_forever(background=True)
        print("ready", flush=True)
        await asyncio.Event().wait()

    exact_checksums("eth0")
    asyncio.run(serve())
"""
CLIENT = """
    import sys, time
    from pymodbus.client import ModbusTcpClient
    from tests.plant.network import exact_checksums

    exact_checksums("eth0")
    client = ModbusTcpClient(sys.argv[1], port=502, retries=0)
    assert client.connect()
    for number in range(int(sys.argv[2])):
        assert not client.read_holding_registers(number % 7, count=10, device_id=1).isError()
    for number in range(int(sys.argv[3])):
        assert not client.write_register(number, 1000 + number, device_id=1).isError()
    assert client.read_holding_registers(95, count=10, device_id=1).isError()
    client.close()
"""


def test_what_their_clients_did_is_what_a_live_sensor_says(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    need("snap7", find_spec("snap7") is not None, "snap7 is not installed")
    with network(f"live{os.getpid()}", (CONTROLLER, STATION)) as net, ExitStack() as stack:

        def start(namespace: str, *words: str) -> Popen[bytes]:
            command = ("ip", "netns", "exec", namespace, sys.executable, *words)
            process = stack.enter_context(Popen(command, cwd=ROOT, stdout=PIPE))
            stack.callback(process.terminate)
            return process

        inside, outside = net.namespace(CONTROLLER.short), net.namespace(STATION.short)
        words = ("-m", "balefire", "watch", "br0", "--store", str(tmp_path / "store"), "--observer", "test", "--json")
        sensor = stack.enter_context(started(("ip", "netns", "exec", net.switch, sys.executable, *words), INTERPRETED))
        servers = [start(inside, "-m", "tests.plant.s7comm_plc", ADDRESS), start(inside, "-c", textwrap.dedent(SERVER), ADDRESS)]
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline().strip() == b"ready"
        said(sensor, "Listening on br0")
        diary = tmp_path / "diary.json"
        clients = [
            start(outside, "-m", "tests.plant.s7comm_client", ADDRESS, str(diary)),
            start(outside, "-c", textwrap.dedent(CLIENT), ADDRESS, str(POLLS), str(WRITES)),
        ]
        assert [client.wait(60) for client in clients] == [0, 0]
        time.sleep(0.5)
        status, summary, rest = ended(sensor)
    assert (status, summary["coverage"]["dropped"]) == (0, 0), rest
    told = Counter[tuple[str, str, str]]()
    for row in stored(tmp_path / "store", "activities"):
        if row["network"]["protocol"] in ("modbus", "s7comm") and row["event"]["action"] != "setup_communication":
            assert row["source"]["ip"] == STATION.addresses[0].ip
            told[row["network"]["protocol"], row["event"]["action"], row["event"]["outcome"]] += row["ot"]["count"]
    done = Counter(("s7comm", deed["action"], "success" if deed["done"] else "failure") for deed in json.loads(diary.read_text()))
    done |= Counter({("modbus", "read_holding_registers", "success"): POLLS, ("modbus", "read_holding_registers", "failure"): 1})
    assert told == done | Counter({("modbus", "write_single_register", "success"): WRITES})
