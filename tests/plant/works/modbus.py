"""Modbus/TCP: a controller's registers, and a client's requests in pymodbus's own encoding."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from pymodbus.pdu.bit_message import WriteSingleCoilRequest
from pymodbus.pdu.diag_message import ForceListenOnlyModeRequest, RestartCommunicationsOptionRequest
from pymodbus.pdu.file_message import FileRecord, WriteFileRecordRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest, WriteSingleRegisterRequest

from tests.plant.works.device import Device, Session
from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS

if TYPE_CHECKING:
    from random import Random

    from pymodbus.pdu import ModbusPDU

    from tests.plant.works.device import Make
    from tests.plant.works.process import Process
    from tests.plant.works.wire import Host

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
COILS, DISCRETES, HOLDING, INPUTS = 1, 2, 3, 4  # by the function that reads them
MEMORY: Final = 1000
HEAD: Final = struct.Struct(">HHHB").pack


class ModbusDevice(Device):
    """A controller that speaks Modbus. Where its points lie is its vendor's habit; it may be one of several units behind an address."""

    PROTOCOL = "modbus"
    PORT = 502
    KEPT = 8  # the header, which numbers the exchange, and the function

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        super().__init__(host, process, make, random)
        self.unit = random.choice((1, 1, 1, 255, random.randrange(2, 30)))
        self.floats = random.random() < 0.3  # measured values as two registers of IEEE 754
        measured = HOLDING if random.random() < 0.35 else INPUTS
        points: dict[int, list[int]] = {COILS: process.numbers(COMMAND), DISCRETES: process.numbers(STATUS), HOLDING: [], INPUTS: []}
        points[HOLDING] += process.numbers(SETPOINT)
        points[measured] += process.numbers(MEASURED, COUNTER)
        self.points = points
        self.base = {table: random.choice((0, 0, 1, 16, 100, 200, 400, 1000, 4096)) + random.randrange(0, 40, 4) for table in points}
        self.spare = {table: random.randrange(0, 6) for table in points}
        self.scratch: dict[int, int] = {}
        self.memory = random.randrange(8000, 20000, 100)  # … a range of holding registers that the program uses for itself

    def wide(self, number: int) -> bool:
        """Whether a point takes two registers."""
        kind = self.process.points[number].kind
        return kind == COUNTER or (kind == MEASURED and self.floats)

    def address(self, number: int) -> tuple[int, int]:
        """Table and first address of a point."""
        for table, numbers in self.points.items():
            if number in numbers:
                before = numbers[: numbers.index(number)]
                return table, self.base[table] + len(before) + (sum(map(self.wide, before)) if table > DISCRETES else 0)
        raise KeyError(number)

    def raw(self, number: int, value: float) -> int:
        """A value as a register holds it."""
        return min(max(round(value * self.process.points[number].scale), -32768), 65535) & 0xFFFF

    def image(self, table: int) -> list[int]:
        """The table as it stands: bits or registers."""
        process = self.process
        values, points = process.values, process.points
        if table <= DISCRETES:
            return [int(values[number] > 0) for number in self.points[table]] + [0] * self.spare[table]
        found: list[int] = []
        for number in self.points[table]:
            point = points[number]
            if point.kind == COUNTER:
                count = int(values[number]) & 0xFFFFFFFF
                found += (count >> 16, count & 0xFFFF)
            elif self.floats and point.kind == MEASURED:
                found += struct.unpack(">HH", struct.pack(">f", values[number]))
            else:
                raw = round(values[number] * point.scale)
                found.append((raw if -32768 <= raw <= 65535 else 65535 if raw > 0 else 32768) & 0xFFFF)
        return found + [self.scratch.get(table << 16 | self.base[table] + len(found) + number, 0) for number in range(self.spare[table])]

    def size(self, table: int) -> int:
        """How many bits or registers the table has."""
        return len(self.image(table))

    def reply(self, message: bytes) -> bytes:
        """Answer as a controller does: data, an echo, or an exception."""
        unit, pdu = message[6], message[7:]
        reached = self.unit in (unit, 255, 1)
        answer = self._answer(pdu[0], pdu[1:]) if reached else bytes((pdu[0] | 0x80, 11))  # 11: gateway target device failed to respond
        return message[:4] + struct.pack(">HB", 1 + len(answer), unit) + answer if answer else b""

    def _answer(self, code: int, body: bytes) -> bytes:
        if code in (COILS, DISCRETES, HOLDING, INPUTS):
            return self._read(code, *struct.unpack(">HH", body[:4]))
        if code in (5, 6):
            return self._write(code, *struct.unpack(">HH", body[:4]), body)
        if code == 16:
            first, quantity = struct.unpack(">HH", body[:4])
            values = struct.unpack(f">{quantity}H", body[5 : 5 + 2 * quantity])
            for number, value in enumerate(values):
                if not self._store(HOLDING, first + number, value):
                    return bytes((0x90, ILLEGAL_ADDRESS))
            return bytes((16,)) + body[:4]
        if code == 8:
            sub = int.from_bytes(body[:2])
            return b"" if sub == 4 else bytes((8,)) + body
        if code == 21:
            return bytes((21,)) + body
        if code == 43 and body[:1] == b"\x0e":
            return self._identify(body[1])
        if code == 17:
            told = f"{self.make.model} {self.make.version}".encode()
            return bytes((17, len(told) + 2, self.unit, 0xFF if self.running else 0)) + told
        return bytes((code | 0x80, ILLEGAL_FUNCTION))

    def _read(self, table: int, first: int, quantity: int) -> bytes:
        image = self.image(table)
        low = first - self.base[table]
        if table == HOLDING and self.memory <= first <= first + quantity <= self.memory + MEMORY:
            return struct.pack(f">BB{quantity}H", table, 2 * quantity, *(self.scratch.get(first + number, 0) for number in range(quantity)))
        if low < 0 or low + quantity > len(image):
            return bytes((table | 0x80, ILLEGAL_ADDRESS))
        if not 0 < quantity <= (2000 if table <= DISCRETES else 125):
            return bytes((table | 0x80, ILLEGAL_VALUE))
        part = image[low : low + quantity]
        if table <= DISCRETES:
            bits = sum(bit << number for number, bit in enumerate(part))
            octets = (quantity + 7) // 8
            return bytes((table, octets)) + bits.to_bytes(octets, "little")
        return struct.pack(f">BB{quantity}H", table, 2 * quantity, *part)

    def _store(self, table: int, address: int, raw: int) -> bool:
        place = address - self.base[table]
        numbers = self.points[table]
        if table == COILS:
            if not 0 <= place < len(numbers):
                return False
            self.process.values[numbers[place]] = float(raw > 0)
            return True
        for number in numbers:
            if not self.wide(number) and self.address(number) == (table, address):
                self.process.values[number] = (raw - 65536 if raw > 60000 else raw) / self.process.points[number].scale
                return True
        if self.memory <= address < self.memory + MEMORY:
            self.scratch[address] = raw
            return True
        self.scratch[table << 16 | address] = raw
        return 0 <= place < self.size(table)

    def _write(self, code: int, address: int, value: int, body: bytes) -> bytes:
        table = COILS if code == 5 else HOLDING
        if code == 5 and value not in (0, 0xFF00):
            return bytes((code | 0x80, ILLEGAL_VALUE))
        return bytes((code,)) + body[:4] if self._store(table, address, value) else bytes((code | 0x80, ILLEGAL_ADDRESS))

    def _identify(self, read: int) -> bytes:
        texts = (self.make.vendor, self.make.model, self.make.version)
        objects = b"".join(bytes((number, len(text.encode()))) + text.encode() for number, text in enumerate(texts))
        return bytes((43, 14, read, 1, 0, 0, 3)) + objects


class ModbusSession(Session):
    """A client of it."""

    device: ModbusDevice

    def open(self) -> bool:
        """Connect. Clients count their transactions from where they like."""
        self.polled = self.polls()
        self.transaction = 0 if self.link.random() < 0.5 else int(60000 * self.link.random())
        return super().open()

    def ask(self, code: int, body: bytes, unit: int | None = None) -> bytes:
        """A request by its function code and what follows; returns the answer without its header."""
        self.transaction = (self.transaction + 1) & 0xFFFF
        self.count(f"{code}/{int.from_bytes(body[:2])}" if code == 8 else "43/14" if code == 43 else str(code))
        return self.exchange(HEAD(self.transaction, 0, 2 + len(body), self.device.unit if unit is None else unit) + bytes((code,)) + body)[7:]

    def send(self, pdu: ModbusPDU, unit: int | None = None) -> bytes:
        """A request as pymodbus encodes it."""
        return self.ask(pdu.function_code, pdu.encode(), unit)

    def read(self, table: int, first: int, quantity: int, unit: int | None = None) -> bytes:
        """Read bits or registers."""
        return self.ask(table, struct.pack(">HH", first, quantity), unit)

    def write(self, number: int, value: float) -> int:
        """Write a point as operators do."""
        table, address = self.device.address(number)
        if table == COILS:
            self.send(WriteSingleCoilRequest(address=address, bits=[value > 0]))
        elif self.link.random() < 0.7:
            self.send(WriteSingleRegisterRequest(address=address, registers=[self.device.raw(number, value)]))
        else:
            self.send(WriteMultipleRegistersRequest(address=address, registers=[self.device.raw(number, value)]))
        return self.link.free

    def write_file(self, file: int, octets: bytes) -> int:
        """Write records of a file."""
        for at in range(0, len(octets), 200):
            part = octets[at : at + 200]
            self.send(WriteFileRecordRequest(records=[FileRecord(file_number=file, record_number=at // 2, record_data=part)]))
        return self.link.free

    def write_block(self, first: int, values: list[int]) -> int:
        """Write registers in a row."""
        self.send(WriteMultipleRegistersRequest(address=first, registers=values))
        return self.link.free

    def identify(self) -> int:
        """Read what the device says of itself."""
        self.send(ReadDeviceInformationRequest(read_code=1))
        return self.link.free

    def restart(self) -> int:
        """Restart its communications."""
        self.send(RestartCommunicationsOptionRequest())
        return self.link.free

    def listen_only(self) -> int:
        """Make it silent."""
        self.send(ForceListenOnlyModeRequest())
        return self.link.free

    def polls(self) -> list[tuple[int, bytes]]:
        """What a master reads in each round: function and its body, of every table that has anything."""
        return [
            (table, struct.pack(">HH", self.device.base[table], self.device.size(table)))
            for table in (COILS, DISCRETES, HOLDING, INPUTS)
            if self.device.points[table]
        ]

    def round(self) -> None:
        """One round of the poll."""
        for table, body in self.polled:
            self.ask(table, body)
