"""EtherNet/IP: a controller's tags and objects, and a client's session with it (CIP Volumes 1 and 2; Rockwell 1756-PM020 for tags). Explicit messages alone."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tests.plant.works.device import Device, Session
from tests.plant.works.process import COMMAND, COUNTER, STATUS

if TYPE_CHECKING:
    from random import Random

    from tests.plant.works.device import Make
    from tests.plant.works.process import Process
    from tests.plant.works.wire import Host
    from tests.plant.works.world import World

REGISTER, RR_DATA = 0x65, 0x6F
GET_ALL, RESET, START, STOP, PACKET, READ_TAG, WRITE_TAG = 1, 5, 6, 7, 10, 0x4C, 0x4D
BOOL, DINT, REAL = 0xC1, 0xC4, 0xCA
NOT_THERE: Final = 5  # path destination unknown
CHUNK: Final = 400  # octets of a file or a firmware in one message
IDENTITY, ROUTER, FILE, PROGRAM, FIRMWARE = 1, 2, 0x37, 0x64, 0xA1


def request(service: int, path: bytes, data: bytes = b"") -> bytes:
    """A request to an object."""
    return bytes((service, len(path) // 2)) + path + data


def symbol(name: str) -> bytes:
    """The path to a tag: a symbol for each part of its name."""
    path = b""
    for part in name.split("."):
        octets = part.encode()
        path += bytes((0x91, len(octets))) + octets + b"\0" * (len(octets) % 2)
    return path


def instance(kind: int, number: int = 1) -> bytes:
    """The path to an instance of a class."""
    return bytes((0x20, kind, 0x24, number))


class EnipDevice(Device):
    """A controller with a tag for each point."""

    PROTOCOL = "enip"
    PORT = 44818
    KEPT = 44  # the encapsulation's header and the first item of the packet

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        super().__init__(host, process, make, random)
        prefix = f"{process.NAME.title()}{random.choice(('', '_', '0'))}{random.randrange(1, 40)}"
        between = random.choice((".", "_"))
        self.tags: dict[int, str] = {}
        for number, point in enumerate(process.points):
            words = [word for word in point.name.title().replace("/", "").replace("%", "").split() if word]
            self.tags[number] = f"{prefix}{between}{''.join(words)}"
        self.numbers = {symbol(tag): number for number, tag in self.tags.items()}
        self.serial, self.product = random.getrandbits(32), random.randrange(30, 200)
        self.handle = random.getrandbits(32)

    def kind(self, number: int) -> int:
        """The type of a tag."""
        kind = self.process.points[number].kind
        return BOOL if kind in (COMMAND, STATUS) else DINT if kind == COUNTER else REAL

    def value(self, number: int) -> bytes:
        """Type and value of a tag."""
        value, kind = self.process.values[number], self.kind(number)
        if kind == REAL:
            return struct.pack("<Hf", kind, value)
        return struct.pack("<HI", kind, int(value) & 0x7FFFFFFF) if kind == DINT else struct.pack("<HB", kind, int(value > 0) * 255)

    def reply(self, message: bytes) -> bytes:
        """Answer an encapsulated message."""
        command = message[0]
        if command == REGISTER:
            return struct.pack("<HHII8sI", REGISTER, 4, self.handle, 0, message[12:20], 0) + b"\1\0\0\0"
        answer = self._serve(message[40:])
        return message[:2] + struct.pack("<H", 16 + len(answer)) + message[4:38] + struct.pack("<H", len(answer)) + answer

    def _serve(self, asked: bytes) -> bytes:
        service, end = asked[0], 2 + 2 * asked[1]
        path, data = asked[2:end], asked[end:]
        status, answer = 0, b""
        if service == PACKET and path == instance(ROUTER):
            places = struct.unpack(f"<{data[0]}H", data[2 : 2 + 2 * data[0]])
            parts = [self._serve(data[low:high]) for low, high in zip(places, (*places[1:], len(data)), strict=True)]
            at, offsets = 2 + 2 * len(parts), list[int]()
            for part in parts:
                offsets.append(at)
                at += len(part)
            answer = struct.pack(f"<H{len(parts)}H", len(parts), *offsets) + b"".join(parts)
        elif path in self.numbers and service in (READ_TAG, WRITE_TAG):
            number = self.numbers[path]
            if service == READ_TAG:
                answer = self.value(number)
            else:
                self.process.values[number] = (
                    float(data[4] > 0) if self.kind(number) == BOOL else struct.unpack("<f" if self.kind(number) == REAL else "<I", data[4:8])[0]
                )
        elif path[:2] == bytes((0x20, IDENTITY)) and service == GET_ALL:
            answer = self._identity()
        elif path[:2] == bytes((0x20, FIRMWARE)) and service == 0x4D:
            answer = data[:4] + b"\0\0"
        elif path[:2] == bytes((0x20, FILE)) and service in (0x4C, 0x50):
            answer = data[:1] if service == 0x50 else bytes(6) + b"\xfa"
        elif path[:1] != b"\x20":
            status = NOT_THERE
        return bytes((service | 0x80, 0, status, 0)) + answer

    def _store(self, number: int, data: bytes) -> None:
        kind = self.kind(number)
        self.process.values[number] = float(data[0] > 0) if kind == BOOL else struct.unpack("<f" if kind == REAL else "<I", data[:4])[0]

    def _identity(self) -> bytes:
        major, minor = (int(part) for part in self.make.version.split(".")[:2])
        name = self.make.model.encode()
        return struct.pack("<HHHBBHIB", 1, 14, self.product, major, minor, 0x3060 if self.running else 0x3070, self.serial, len(name)) + name


class EnipSession(Session):
    """A client of it. Tags are read some at a time, in packets of several services."""

    device: EnipDevice

    def __init__(self, world: World, client: Host, device: EnipDevice, gateway: Host | None = None) -> None:
        super().__init__(world, client, device, gateway)
        self.context = world.random.getrandbits(48)
        numbers = list(device.tags)
        size = world.random.choice((5, 8, 12))
        self.polled = [
            self._packet([request(READ_TAG, symbol(device.tags[n]), b"\1\0") for n in numbers[at : at + size]]) for at in range(0, len(numbers), size)
        ]

    @staticmethod
    def _packet(services: list[bytes]) -> tuple[bytes, int]:
        at, offsets = 2 + 2 * len(services), list[int]()
        for service in services:
            offsets.append(at)
            at += len(service)
        return request(PACKET, instance(ROUTER), struct.pack(f"<H{len(offsets)}H", len(offsets), *offsets) + b"".join(services)), len(services)

    def open(self) -> bool:
        """Connect and register."""
        if not super().open():
            return False
        self.count("101")
        self.exchange(struct.pack("<HHII8sI", REGISTER, 4, 0, 0, self._context(), 0) + b"\1\0\0\0")
        return True

    def _context(self) -> bytes:
        self.context += 1
        return self.context.to_bytes(8, "little")

    def send(self, asked: bytes) -> bytes:
        """A request in a packet of its own; returns the answer from its status on."""
        head = struct.pack("<HHII8sI", RR_DATA, 16 + len(asked), self.device.handle, 0, self._context(), 0)
        return self.exchange(head + struct.pack("<IHHHHHH", 0, 10, 2, 0, 0, 0xB2, len(asked)) + asked)[42:]

    def round(self) -> None:
        """One round of the poll."""
        for packet, services in self.polled:
            self.asked["cip", f"{READ_TAG}/107"] += services
            self.send(packet)

    def write(self, number: int, value: float) -> int:
        """Write a tag."""
        device = self.device
        kind = device.kind(number)
        data = struct.pack("<B", int(value > 0) * 255) if kind == BOOL else struct.pack("<f", value)
        self.count(f"{WRITE_TAG}/107")
        self.send(request(WRITE_TAG, symbol(device.tags[number]), struct.pack("<HH", kind, 1) + data))
        return self.link.free

    def count(self, code: str) -> None:
        """One more operation: of the encapsulation, or of what it carries."""
        self.code = code
        self.asked["cip" if "/" in code else "enip", code] += 1

    def identify(self) -> int:
        """Ask for the identity."""
        self.count(f"{GET_ALL}/{IDENTITY}")
        self.send(request(GET_ALL, instance(IDENTITY)))
        return self.link.free

    def stop(self) -> int:
        """Stop the controller."""
        self.count(f"{STOP}/{PROGRAM}")
        self.send(request(STOP, instance(PROGRAM)))
        return self.link.free

    def start(self) -> int:
        """Start it again."""
        self.count(f"{START}/{PROGRAM}")
        self.send(request(START, instance(PROGRAM)))
        return self.link.free

    def restart(self) -> int:
        """Reset the device."""
        self.count(f"{RESET}/{IDENTITY}")
        self.send(request(RESET, instance(IDENTITY), b"\0"))
        return self.link.free

    def firmware(self, octets: bytes) -> int:
        """Write a firmware."""
        self.count(f"75/{FIRMWARE}")
        self.send(request(0x4B, instance(FIRMWARE), struct.pack("<II", len(octets), 0)))
        for number, at in enumerate(range(0, len(octets), CHUNK)):
            self.count(f"77/{FIRMWARE}")
            self.send(request(0x4D, instance(FIRMWARE), struct.pack("<I", number) + octets[at : at + CHUNK]))
        return self.link.free

    def write_file(self, file: int, octets: bytes) -> int:
        """Write a file."""
        where = instance(FILE, 0x64 + file)
        self.count(f"76/{FILE}")
        self.send(request(0x4C, where, struct.pack("<IHH", len(octets), 1, 1) + b"\1eng\xda\4\0\x08" + b"main.bin"))
        parts = [octets[at : at + CHUNK] for at in range(0, len(octets), CHUNK)]
        for number, part in enumerate(parts):
            kind = (2 if number == len(parts) - 1 else 1) if number else (4 if len(parts) == 1 else 0)
            self.count(f"80/{FILE}")
            self.send(request(0x50, where, bytes((number & 0xFF, kind)) + part))
        return self.link.free
