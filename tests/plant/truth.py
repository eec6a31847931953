"""The ground truth: what a client asks and is answered, written by the client itself while it acts, never read off the wire."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.diag_message import DiagnosticBase
from pymodbus.pdu.file_message import ReadFileRecordRequest, WriteFileRecordRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest
from pymodbus.pdu.register_message import MaskWriteRegisterRequest, ReadWriteMultipleRegistersRequest

EFFECTS = {
    "1": "value.read",
    "2": "value.read",
    "3": "value.read",
    "4": "value.read",
    "6": "value.write",
    "7": "diagnostics.read",
    "8/0": "test",
    "8/1": "cpu.reset",
    "8/2": "diagnostics.read",
    "8/4": "restriction.listen_only",
    "8/10": "diagnostics.reset",
    "11": "diagnostics.read",
    "12": "diagnostics.read",
    "16": "value.write",
    "17": "identity.read",
    "20": "file.read",
    "21": "file.write",
    "22": "value.write",
    "23": "value.write",
    "43/14": "identity.read",
}
"""What a function does to the plant, where that is clear: names from the closed list of effects. A coil may be an output or a flag."""


class Request(TypedDict, total=False):
    """One request and what became of it. Addresses are zero-based, as on the wire; an absent key says that the request has no such thing."""

    time: float
    """Seconds since the epoch, taken just before the request was sent."""
    source: str
    port: int
    destination: str
    transaction: int
    unit: int
    function: str
    """The code path in decimal: 3, 8/4, 43/14."""
    effect: str
    first: int
    quantity: int
    values: list[int]
    read_first: int
    read_quantity: int
    and_mask: int
    or_mask: int
    file: int
    read_code: int
    object_id: int
    step: int
    """The step of the attack that the request belongs to."""
    malformed: str
    """What is wrong with the header, on a request that is no Modbus message; `bytes` then has all of it in hexadecimal."""
    bytes: str
    outcome: str
    """success, failure (an exception response, its number in `error`) or unknown (no response)."""
    error: int


def code_path(pdu: ModbusPDU) -> str:
    """The function code, with the sub-function where there is one."""
    return str(pdu.function_code) if pdu.sub_function_code < 0 else f"{pdu.function_code}/{pdu.sub_function_code}"


def describe(pdu: ModbusPDU) -> Request:
    """What a request asks for, from the request itself before it becomes bytes."""
    match pdu:
        case ReadWriteMultipleRegistersRequest():
            return {
                "first": pdu.write_address,
                "quantity": pdu.write_count,
                "values": list(pdu.write_registers),
                "read_first": pdu.read_address,
                "read_quantity": pdu.read_count,
            }
        case MaskWriteRegisterRequest():
            return {"first": pdu.address, "quantity": 1, "and_mask": pdu.and_mask, "or_mask": pdu.or_mask}
        case ReadFileRecordRequest() | WriteFileRecordRequest():
            (record,) = pdu.records
            return {"file": record.file_number, "first": record.record_number, "quantity": record.record_length}
        case ReadDeviceInformationRequest():
            return {"read_code": pdu.read_code, "object_id": pdu.object_id}
        case WriteSingleCoilRequest() | WriteMultipleCoilsRequest():
            return {"first": pdu.address, "quantity": len(pdu.bits), "values": [int(bit) for bit in pdu.bits]}
        case DiagnosticBase():
            return {}
        case _ if pdu.registers:
            return {"first": pdu.address, "quantity": len(pdu.registers), "values": list(pdu.registers)}
        case _ if pdu.count:
            return {"first": pdu.address, "quantity": pdu.count}
        case _:
            return {}


def _outcome(response: ModbusPDU | None) -> Request:
    if response is None:
        return {"outcome": "unknown"}
    return {"outcome": "failure", "error": response.exception_code} if response.isError() else {"outcome": "success"}


@dataclass
class Diary:
    """What one client did. One diary may serve several connections."""

    requests: list[Request] = field(default_factory=list[Request])
    step: int | None = None

    async def ask(self, client: AsyncModbusTcpClient, pdu: ModbusPDU) -> ModbusPDU | None:
        """Send a request, wait for its response and write both down. None where there was no response, or no connection to send on."""
        if not client.connected:
            return None
        source, port = client.ctx.transport.get_extra_info("sockname")
        row: Request = {"time": time.time(), "source": source, "port": port, "destination": client.comm_params.host}
        broadcast = pdu.dev_id == 0
        try:
            response = await client.execute(broadcast, pdu) or None
        except ConnectionException:
            return None
        except ModbusIOException:
            response = None
        function = code_path(pdu)
        row |= {"transaction": pdu.transaction_id, "unit": pdu.dev_id, "function": function}
        if function in EFFECTS:
            row["effect"] = EFFECTS[function]
        row |= describe(pdu)
        self._keep(row | _outcome(response))
        return response

    def raw(self, source: tuple[str, int], destination: str, data: bytes, malformed: str) -> None:
        """Write down bytes that were sent past the stack and are no Modbus message."""
        self._keep(
            {
                "time": time.time(),
                "source": source[0],
                "port": source[1],
                "destination": destination,
                "malformed": malformed,
                "bytes": data.hex(),
                "outcome": "unknown",
            }
        )

    def _keep(self, row: Request) -> None:
        if self.step is not None:
            row["step"] = self.step
        self.requests.append(row)


class Step(TypedDict):
    """One step of the attack."""

    step: int
    name: str
    techniques: list[str]
    victims: list[str]
    start: float
    end: float


class Attack(TypedDict):
    """The attack as the attacker tells it."""

    start: float
    end: float
    attacker: list[str]
    victims: list[str]
    steps: list[Step]


class Interface(TypedDict):
    """One address of a host; a host with two has two of these."""

    name: str
    role: str
    ip: str
    mac: str
    vlan: int | None
    identity: dict[str, str]
    """What the host answers to 43/14, by object number."""


class Truth(TypedDict):
    """The whole ground truth of a capture."""

    capture: str
    start: float
    end: float
    hosts: list[Interface]
    attack: Attack
    requests: list[Request]


def write(path: Path, truth: Truth) -> None:
    """One JSON document, with one request, host and step a line, so that a difference can be read."""
    head: dict[str, object] = {key: value for key, value in truth.items() if key not in {"hosts", "attack", "requests"}}
    attack: dict[str, object] = {key: value for key, value in truth["attack"].items() if key != "steps"}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    parts.append(_table("hosts", truth["hosts"]))
    inner = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in attack.items()]
    parts.append('"attack": {' + ",\n".join([*inner, _table("steps", truth["attack"]["steps"])]) + "}")
    parts.append(_table("requests", truth["requests"]))
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def _table(name: str, rows: list[Interface] | list[Step] | list[Request]) -> str:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return f"{json.dumps(name)}: [\n{lines}\n]"
