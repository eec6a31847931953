"""S7comm over ISO on TCP: a controller's data blocks and services, and a client's requests in snap7's own encoding (python-snap7, MIT)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from snap7.datatypes import S7Area as Area
from snap7.datatypes import S7DataTypes, S7WordLen
from snap7.s7protocol import S7Protocol

from tests.plant.works.device import Device, Session
from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS
from tests.plant.works.world import MS, SECOND

if TYPE_CHECKING:
    from random import Random

    from tests.plant.works.device import Make
    from tests.plant.works.process import Process
    from tests.plant.works.wire import Host
    from tests.plant.works.world import World

JOB, ANSWER, USERDATA = 1, 3, 7
READ, WRITE, DOWNLOAD, BLOCK, ENDED, START_UPLOAD, UPLOAD, END_UPLOAD, CONTROL, STOP, SETUP = 4, 5, 26, 27, 28, 29, 30, 31, 40, 41, 240
NOTHING_THERE, DONE = 0x0A, 0xFF
FRAGMENT: Final = 222  # octets of a block that fit a PDU of 240
BLOCK_DB: Final = 0x41


def wrapped(pdu: bytes) -> bytes:
    """A PDU in a data TPDU (RFC 1006, ISO 8073)."""
    return struct.pack(">BBHBBB", 3, 0, 7 + len(pdu), 2, 0xF0, 0x80) + pdu


def bcd(time: int) -> bytes:
    """A clock as S7 holds it: year to second, milliseconds and the day of the week (1: Sunday) in BCD."""
    at = datetime.fromtimestamp(time // SECOND, UTC)
    digits = f"{at:%y%m%d%H%M%S}{time % SECOND // MS:03d}{at.isoweekday() % 7 + 1}"
    return bytes.fromhex(digits)


class S7Device(Device):
    """A controller that speaks S7comm: one data block of what is measured, one of set points, one of commands and states."""

    PROTOCOL = "s7comm"
    PORT = 102
    KEPT = 21  # TPKT, COTP and S7's header, which numbers the exchange

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        super().__init__(host, process, make, random)
        first = random.choice((1, 1, 10, 20, 100, 200)) + random.randrange(8)
        gap = random.choice((1, 1, 2, 10))
        self.slot = random.choice((1, 2, 2, 3))
        self.start_at = random.choice((0, 0, 2, 10, 20))
        groups = ((MEASURED, COUNTER), (SETPOINT,), (COMMAND,), (STATUS,))
        self.blocks = {first + number * gap: process.numbers(*kinds) for number, kinds in enumerate(groups)}
        self.bits = {first + 2 * gap, first + 3 * gap}
        self.serial = f"S C-{random.choice('ABCDEFX')}{random.randrange(10**11):011d}"
        self.places: dict[int, tuple[int, int]] = {}
        for block, numbers in self.blocks.items():
            at = self.start_at
            for number in numbers:
                self.places[number] = block, at
                at += 1 if block in self.bits else 4
        self.wanted: dict[bytes, list[tuple[int, int, int]]] = {}
        self.upload_at = 0

    def image(self, block: int) -> bytes:
        """A data block as it stands."""
        values, points = self.process.values, self.process.points
        numbers = self.blocks[block]
        if block in self.bits:
            return bytes(self.start_at) + bytes(int(values[number] > 0) for number in numbers)
        form = ">" + "".join("I" if points[number].kind == COUNTER else "f" for number in numbers)
        return bytes(self.start_at) + struct.pack(form, *(int(values[n]) & 0xFFFFFFFF if points[n].kind == COUNTER else values[n] for n in numbers))

    def runs(self) -> list[tuple[int, int, Any, int]]:
        """What stands side by side and is of one type: block, first octet, type, how many."""
        found: list[tuple[int, int, Any, int]] = []
        for block, numbers in self.blocks.items():
            counters = [number for number in numbers if self.process.points[number].kind == COUNTER]
            reals = len(numbers) - len(counters)
            if block in self.bits:
                found.append((block, self.start_at, S7WordLen.BYTE, reals))
            elif reals:
                found.append((block, self.start_at, S7WordLen.REAL, reals))
            if counters:
                found.append((block, self.start_at + 4 * reals, S7WordLen.DINT, len(counters)))
        return [run for run in found if run[3]]

    def reply(self, message: bytes) -> bytes:
        """Answer a TPKT."""
        if message[5] == 0xE0:
            return struct.pack(">BBHBBHHB", 3, 0, 14, 9, 0xD0, int.from_bytes(message[8:10]), 0x0100 | self.slot, 0) + b"\xc0\x01\x0a"
        pdu = message[7:]
        return wrapped(self._userdata(pdu) if pdu[1] == USERDATA else self._job(pdu))

    def _answer(self, pdu: bytes, parameters: bytes, data: bytes = b"", error: int = 0) -> bytes:
        return struct.pack(">BBH2sHHH", 0x32, ANSWER, 0, pdu[4:6], len(parameters), len(data), error) + parameters + data

    def _job(self, pdu: bytes) -> bytes:
        code = pdu[10]
        if code == READ:
            return self._read(pdu)
        if code == WRITE:
            return self._answer(pdu, pdu[10:12], bytes((self._write(pdu),)))
        if code == SETUP:
            return self._answer(pdu, pdu[10:16] + struct.pack(">H", 240))
        if code == START_UPLOAD:
            self.upload_at = 0
            return self._answer(pdu, bytes((code, 1, 0, 0, 0, 0, 0, 7, 0, 0, 5)) + f"{len(self.program):05d}".encode())
        if code == UPLOAD:
            part = self.program[self.upload_at : self.upload_at + FRAGMENT]
            self.upload_at += len(part)
            return self._answer(pdu, bytes((code, int(self.upload_at < len(self.program)))), struct.pack(">HH", len(part), 0x00FB) + part)
        if code in (STOP, CONTROL):
            self.running = code == CONTROL
        return self._answer(pdu, bytes((code,)))

    def _items(self, parameters: bytes) -> list[tuple[int, int, int]]:
        if parameters not in self.wanted:
            found: list[tuple[int, int, int]] = []
            for at in range(2, len(parameters), 12):
                kind, count, block, place = struct.unpack(">BHHI", parameters[at + 3 : at + 12])
                found.append((block, (place & 0xFFFFFF) // 8, count * (4 if kind in (6, 7, 8) else 1)))
            self.wanted[parameters] = found
        return self.wanted[parameters]

    def _read(self, pdu: bytes) -> bytes:
        parameters = pdu[10:]
        pieces: list[bytes] = []
        items = self._items(parameters)
        for block, start, size in items:
            data = self.image(block)[start : start + size] if block in self.blocks else b""
            if len(data) < size:
                pieces.append(bytes((NOTHING_THERE if block not in self.blocks else 5, 0, 0, 0)))
                continue
            pieces.append(struct.pack(">BBH", DONE, 4, 8 * size) + data)
        joined = b"".join(piece if number == len(pieces) or len(piece) % 2 == 0 else piece + b"\0" for number, piece in enumerate(pieces, 1))
        return self._answer(pdu, parameters[:2], joined)

    def _write(self, pdu: bytes) -> int:
        size = int.from_bytes(pdu[6:8])
        block, start, _ = self._items(pdu[10 : 10 + size])[0]
        data = pdu[10 + size + 4 :]
        for number, place in self.places.items():
            if place == (block, start):
                bit = block in self.bits
                self.process.values[number] = float(data[0] & 1) if bit else struct.unpack(">f", data[:4])[0]
                return DONE
        return NOTHING_THERE

    def _userdata(self, pdu: bytes) -> bytes:
        """The services of the second kind: system lists, clock, blocks."""
        group, function = pdu[15] & 0xF, pdu[16]
        body = pdu[18 + 4 :]
        data: bytes = b""
        if (group, function) == (4, 1):
            data = self._system_list(*struct.unpack(">HH", body[:4]))
        elif (group, function) == (7, 1):
            data = b"\x00\x20" + bcd(self.process.now)
        elif (group, function) == (3, 1):
            data = b"".join(b"\x30" + bytes((kind,)) + struct.pack(">H", count) for kind, count in ((0x38, 1), (0x41, len(self.blocks)), (0x43, 4)))
        told = struct.pack(">BBH", DONE, 9, len(data)) + data if data else struct.pack(">BBH", NOTHING_THERE, 0, 0)
        parameters = bytes((0, 1, 0x12, 8, 0x12, 0x80 | group, function, 1, 0, 0, 0, 0))
        return struct.pack(">BBH2sHH", 0x32, USERDATA, 0, pdu[4:6], len(parameters), len(told)) + parameters + told

    def _system_list(self, number: int, index: int) -> bytes:
        model, version = self.make.model, tuple(int(part) for part in self.make.version.split("."))
        if number == 0x11:
            record = struct.pack(">H20sHBBBB", 1, model.encode().ljust(20), 0, ord("V"), *(*version, 0, 0, 0)[:3])
            return struct.pack(">HHHH", number, index, len(record), 1) + record
        if number == 0x1C:
            texts = (self.host.name, model, "", "Original Siemens Equipment", self.serial, model)
            records = b"".join(struct.pack(">H32s", place, text.encode()) for place, text in enumerate(texts, 1))
            return struct.pack(">HHHH", number, index, 34, len(texts)) + records
        if number == 0x424:
            return struct.pack(">HHHH", number, index, 20, 1) + bytes((0x51, 0x44, 0xFF, 8 if self.running else 4)) + bytes(16)
        return b""


class S7Session(Session):
    """A client of it."""

    device: S7Device

    def __init__(self, world: World, client: Host, device: S7Device, gateway: Host | None = None) -> None:
        super().__init__(world, client, device, gateway)
        self.speak: Any = S7Protocol()
        items = b"".join(S7DataTypes.encode_address(Area.DB, block, start, form, count) for block, start, form, count in device.runs())
        head = struct.pack(">BBHHHHBB", 0x32, JOB, 0, 0, 2 + len(items), 0, READ, len(items) // 12)
        self.polled = bytearray(wrapped(head + items))
        self.items = len(items) // 12  # each is an operation
        self.reference = world.random.randrange(1, 0x7FFF)

    def open(self) -> bool:
        """Connect, then the transport, then S7."""
        if not super().open():
            return False
        called = 0x0100 | self.device.slot
        request = struct.pack(">BBHHB", 17, 0xE0, 0, self.reference, 0) + struct.pack(">BBHBBHBBB", 0xC1, 2, 0x0100, 0xC2, 2, called, 0xC0, 1, 10)
        self.exchange(struct.pack(">BBH", 3, 0, 4 + len(request)) + request)
        self.count(str(SETUP))
        self.send(self.speak.build_setup_communication_request(1, 1, 480))
        return True

    def send(self, pdu: bytes) -> bytes:
        """A request as snap7 encodes it, with this connection's next reference."""
        self.reference = (self.reference + 1) & 0xFFFF
        return self.exchange(wrapped(pdu[:4] + self.reference.to_bytes(2) + pdu[6:]))[7:]

    def round(self) -> None:
        """One round of the poll."""
        self.reference = (self.reference + 1) & 0xFFFF
        self.polled[11:13] = self.reference.to_bytes(2)
        self.asked["s7comm", "4"] += self.items
        self.exchange(bytes(self.polled))

    def read(self, block: int, start: int, size: int) -> bytes:
        """Read octets of a data block."""
        self.count("4")
        return self.send(self.speak.build_read_request(Area.DB, block, start, S7WordLen.BYTE, size))

    def write(self, number: int, value: float) -> int:
        """Write a point."""
        block, start = self.device.places[number]
        self.count("5")
        if block in self.device.bits:
            self.send(self.speak.build_write_request(Area.DB, block, start, S7WordLen.BYTE, bytes((int(value > 0),))))
        else:
            self.send(self.speak.build_write_request(Area.DB, block, start, S7WordLen.REAL, struct.pack(">f", value)))
        return self.link.free

    def identify(self) -> int:
        """Ask what it is."""
        for number in (0x11, 0x1C):
            self.count("7/4/1")
            self.send(self.speak.build_read_szl_request(number, 0))
        return self.link.free

    def stop(self) -> int:
        """Stop the controller."""
        self.count("41")
        self.send(self.speak.build_plc_control_request("stop"))
        return self.link.free

    def start(self) -> int:
        """Start it again."""
        self.count("40/3")
        self.send(self.speak.build_plc_control_request("hot_start"))
        return self.link.free

    def set_clock(self, time: int) -> int:
        """Set its clock."""
        self.count("7/7/2")
        self.send(self.speak.build_set_clock_request(datetime.fromtimestamp(time // SECOND, UTC)))
        return self.link.free

    def upload(self) -> int:
        """Fetch the program."""
        self.count("29")
        self.send(self.speak.build_start_upload_request(BLOCK_DB, 1))
        for _ in range(-(-len(self.device.program) // FRAGMENT)):
            self.count("30")
            self.send(self.speak.build_upload_request(7))
        self.count("31")
        self.send(self.speak.build_end_upload_request(7))
        return self.link.free

    def download(self, program: bytes) -> int:
        """Give it another program: the controller asks for one part after another."""
        device, link = self.device, self.link
        self.count("26")
        self.send(self.speak.build_download_request(BLOCK_DB, 1, bytes(36) + program))
        address = b"_0" + bytes((BLOCK_DB,)) + b"00001P"
        parts = [program[at : at + FRAGMENT] for at in range(0, len(program), FRAGMENT)]
        for number in range(len(parts) + 1):
            last = number == len(parts)
            code = ENDED if last else BLOCK
            self.count(str(code))
            job = struct.pack(">BBHHHHB7xB9s", 0x32, JOB, 0, number + 1, 18, 0, code, 9, address)
            time = link.say(link.free + int(8000 * link.random()), 1, wrapped(job))
            if last:
                answer = self.speak.build_download_ended_response(number + 1)
            else:
                answer = self.speak.build_download_fragment_response(number + 1, number == len(parts) - 1, parts[number])
            link.free = link.say(time + self.client.delay, 0, wrapped(answer))
        device.program = program
        return link.free

    def activate(self) -> int:
        """Insert what was downloaded."""
        self.count("40/1")
        parameters = bytes((CONTROL, 0, 0, 0, 0, 0, 0, 0xFD, 0, 10, 1, 0)) + b"0A00001P" + b"\x05_INSE"
        self.send(struct.pack(">BBHHHH", 0x32, JOB, 0, 0, len(parameters), 0) + parameters)
        return self.link.free
