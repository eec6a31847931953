"""DNP3 over TCP (IEEE 1815): an outstation and its master's session."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tests.plant.works.device import Device, Session
from tests.plant.works.process import COMMAND, COUNTER, MEASURED, SETPOINT, STATUS
from tests.plant.works.wire import Relay
from tests.plant.works.world import MS, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.plant.works.device import Make
    from tests.plant.works.process import Process
    from tests.plant.works.wire import Host
    from tests.plant.works.world import World

CONFIRM, READ, WRITE, SELECT, OPERATE, DIRECT, COLD, ENABLE, DISABLE, RESPONSE, UNSOLICITED = 0, 1, 2, 3, 4, 5, 13, 20, 21, 129, 130
FIRST_AND_LAST, CONFIRM_ME, UNASKED = 0xC0, 0x20, 0x10
ONLINE, STATE, RESTARTED = 0x01, 0x80, 0x80
LATCH_ON, LATCH_OFF = 3, 4
EVENTS: Final = bytes.fromhex("3c0206 3c0306 3c0406")
EVERYTHING: Final = EVENTS + bytes.fromhex("3c0106")
MOST: Final = 8  # events of one answer


def _octet(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0xA6BC if value & 1 else value >> 1
    return value


TABLE: Final = tuple(map(_octet, range(256)))


def checked(octets: bytes) -> bytes:
    """Octets and their CRC."""
    crc = 0
    for octet in octets:
        crc = crc >> 8 ^ TABLE[(crc ^ octet) & 0xFF]
    return octets + (crc ^ 0xFFFF).to_bytes(2, "little")


def framed(head: bytes, data: bytes) -> bytes:
    """A frame of the data link: its header without CRC, and user data."""
    return checked(head) + b"".join(checked(data[at : at + 16]) for at in range(0, len(data), 16))


def unframed(frame: bytes) -> tuple[bytes, bytes]:
    """Header and user data of one frame."""
    rest = frame[10:]
    return frame[:8], b"".join(rest[at : at + 18][:-2] for at in range(0, len(rest), 18))


def stamp(time: int) -> bytes:
    """Milliseconds since the epoch in six octets."""
    return (time // MS).to_bytes(6, "little")


class Dnp3Device(Device):
    """An outstation. Points of a kind are numbered from 0; some tell what changes without being asked."""

    PROTOCOL = "dnp3"
    PORT = 20000

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        super().__init__(host, process, make, random)
        self.station, self.master = random.choice((1, 10, 4, 1024, random.randrange(2, 4000))), random.choice((1, 2, 3, 100, 0x7D0))
        first = {kind: random.choice((0, 0, 0, 1, 10)) for kind in (MEASURED, STATUS, COMMAND, SETPOINT, COUNTER)}
        self.indices = {number: first[kind] + place for kind in first for place, number in enumerate(process.numbers(kind))}
        self.unsolicited = random.random() < 0.4
        self.selects = random.random() < 0.7
        self.stamped = random.random() < 0.6
        self.share = random.choice((0.004, 0.01, 0.02))
        self.told: dict[int, float] = {}
        self.restarted = True

    def reply(self, message: bytes) -> bytes:
        """Not used: a session speaks for both ends."""
        return message[:0]

    def flags(self, number: int) -> int:
        """Flags of a binary point."""
        return ONLINE | (STATE if self.process.values[number] > 0 else 0)

    def everything(self) -> bytes:
        """Class 0: the static objects, a range each."""
        process, told = self.process, b""
        for kind, group, variation in ((STATUS, 1, 2), (COMMAND, 10, 2), (COUNTER, 20, 1), (MEASURED, 30, 5), (SETPOINT, 40, 3)):
            numbers = process.numbers(kind)
            if not numbers:
                continue
            told += struct.pack("<BBBBB", group, variation, 0, self.indices[numbers[0]], self.indices[numbers[-1]])
            for number in numbers:
                value = process.values[number]
                if group in (1, 10):
                    told += bytes((self.flags(number),))
                elif group == 20:
                    told += struct.pack("<BI", ONLINE, int(value) & 0xFFFFFFFF)
                else:
                    told += struct.pack("<Bf", ONLINE, value)
        return told

    def events(self, now: int) -> bytes:
        """What changed since it was told."""
        process = self.process
        binary, analog = list[int](), list[int]()
        for number in process.numbers(STATUS, MEASURED):
            point, value, before = process.points[number], process.values[number], self.told.get(number)
            band = 0.0 if point.kind == STATUS else (point.high - point.low) * self.share
            if before is not None and abs(value - before) <= band:
                continue
            if len(binary) + len(analog) < MOST:
                self.told[number] = value
                (binary if point.kind == STATUS else analog).append(number)
        told, tail = b"", stamp(now) if self.stamped else b""
        if binary:
            told += struct.pack("<BBBB", 2, 2 if self.stamped else 1, 0x17, len(binary))
            told += b"".join(bytes((self.indices[number], self.flags(number))) + tail for number in binary)
        if analog:
            told += struct.pack("<BBBB", 32, 7 if self.stamped else 5, 0x17, len(analog))
            told += b"".join(struct.pack("<BBf", self.indices[number], ONLINE, process.values[number]) + tail for number in analog)
        return told


class Dnp3Session(Session):
    """A master's connection. It plays both ends."""

    device: Dnp3Device

    def __init__(self, world: World, client: Host, device: Dnp3Device, gateway: Host | None = None) -> None:
        super().__init__(world, client, device, gateway)
        self.number, self.unasked, self.segments = 0, 0, [0, 0]
        self.every = world.random.choice((300, 600, 900, 3600)) * SECOND
        self.asked_at = 0

    def fragment(self, side: int, control: int, code: int, objects: bytes) -> bytes:
        """A fragment of a side in its frame."""
        device = self.device
        station = device.station, device.master
        self.segments[side] = (self.segments[side] + 1) & 0x3F
        inside = struct.pack("<H", RESTARTED if device.restarted else 0) if side else b""
        data = bytes((0xC0 | self.segments[side], control, code)) + inside + objects
        head = struct.pack("<BBBBHH", 5, 0x64, 5 + len(data), 0x44 if side else 0xC4, station[side], station[1 - side])
        return framed(head, data)

    def ask(self, code: int, objects: bytes, answer: bytes = b"", confirm: bool = False) -> int:
        """A request, its response, and its confirmation where that is wanted."""
        link, device = self.link, self.device
        self.number = (self.number + 1) & 0xF
        self.count(str(code))
        request = self.fragment(0, FIRST_AND_LAST | self.number, code, objects)
        self.last = request
        if device.host.silent:
            link.unheard(self.now, request)
            self.answered = False
            return link.free
        self.answered = True
        time = link.say(self.now, 0, request)
        time += device.host.delay + int(device.host.delay * link.random())
        time = link.say(time, 1, self.fragment(1, FIRST_AND_LAST | (CONFIRM_ME if confirm else 0) | self.number, RESPONSE, answer))
        self._confirmed(time, self.number, confirm)
        return link.free

    def _confirmed(self, time: int, control: int, confirm: bool) -> None:
        if confirm:
            self.asked["dnp3", str(CONFIRM)] += 1
            time = self.link.say(time + 2 * MS, 0, self.fragment(0, FIRST_AND_LAST | control, CONFIRM, b""))
            self.link.acknowledge(time + MS, 1)
        else:
            self.link.acknowledge(time + MS, 0)
        self.link.free = time + 4 * MS

    def open(self) -> bool:
        """Connect, and what a master does first: no unasked reports, everything, and then the reports where there are any."""
        if not super().open():
            return False
        if self.device.unsolicited:
            self.ask(DISABLE, EVENTS)
        self.integrity()
        if self.device.unsolicited:
            self.ask(ENABLE, EVENTS)
        return True

    def integrity(self) -> int:
        """Everything; after a restart the outstation's flag is cleared."""
        device = self.device
        self.asked_at = self.world.now
        device.process.step(self.world.now)
        events = device.events(self.world.now)
        self.ask(READ, EVERYTHING, events + device.everything(), bool(events))
        if device.restarted and self.answered:
            self.ask(WRITE, bytes.fromhex("5001000707 00"))
            device.restarted = False
        return self.link.free

    def round(self) -> None:
        """Ask for events; or hear those that come unasked."""
        device, link, now = self.device, self.link, self.world.now
        if now - self.asked_at > self.every or (device.restarted and not device.host.silent):
            self.integrity()
            return
        device.process.step(now)
        if not device.unsolicited:
            events = b"" if device.host.silent else device.events(now)
            self.ask(READ, EVENTS, events, bool(events))
            return
        if device.host.silent or not (events := device.events(now)):
            return
        self.unasked = (self.unasked + 1) & 0xF
        self.asked["dnp3", str(UNSOLICITED)] += 1
        control = CONFIRM_ME | UNASKED | self.unasked
        time = link.say(self.now, 1, self.fragment(1, FIRST_AND_LAST | control, UNSOLICITED, events))
        self._confirmed(time, UNASKED | self.unasked, True)

    def write(self, number: int, value: float, select: bool | None = None) -> int:
        """Operate or set: selected first where this outstation wants that."""
        device = self.device
        index = device.indices[number]
        if device.process.points[number].kind == COMMAND:
            body = struct.pack("<BBBBBBBIIB", 12, 1, 0x17, 1, index, LATCH_ON if value > 0 else LATCH_OFF, 1, 100, 100, 0)
            value = float(value > 0)
        else:
            body = struct.pack("<BBBBBfB", 41, 3, 0x17, 1, index, value, 0)
        if device.selects if select is None else select:
            self.ask(SELECT, body, body)
            self.link.free += 20 * MS
            self.ask(OPERATE, body, body)
        else:
            self.ask(DIRECT, body, body)
        if self.answered:
            device.process.values[number] = value
        return self.link.free

    def operate_at_once(self, number: int, value: float) -> int:
        """Operate without having selected."""
        return self.write(number, value, False)

    def identify(self) -> int:
        """Ask for who made it, its model and version (device attributes)."""
        make, told, asked = self.device.make, b"", b""
        for variation, text in ((252, make.vendor), (250, make.model), (242, make.version)):
            asked += struct.pack("<BBBBB", 0, variation, 0, 0, 0)
            told += struct.pack("<BBBBBBB", 0, variation, 0, 0, 0, 1, len(text)) + text.encode()
        return self.ask(READ, asked, told)

    def set_clock(self, time: int) -> int:
        """Set the clock."""
        return self.ask(WRITE, bytes.fromhex("320107 01") + stamp(time))

    def restart(self) -> int:
        """Restart the outstation; it says when it will be back."""
        self.ask(COLD, b"", bytes.fromhex("340207 01") + struct.pack("<H", 8000))
        self.device.restarted = True
        return self.link.free

    def disable_reports(self) -> int:
        """No unasked reports from now on."""
        self.ask(DISABLE, EVENTS)
        return self.link.free

    def repeat(self, message: bytes, code: str) -> int:
        """The octets of an old message, as they were."""
        self.count(code)
        link = self.link
        objects = unframed(message)[1][3:]
        time = link.say(self.now, 0, message) + self.device.host.delay
        number = unframed(message)[1][1] & 0xF
        time = link.say(time, 1, self.fragment(1, FIRST_AND_LAST | number, RESPONSE, objects))
        self._confirmed(time, number, False)
        return link.free

    def frozen(self, relay: Callable[[int], Relay]) -> Relay:
        """Old objects under the new header, with CRCs that are right."""
        inner = relay(5)

        def alter(side: int, payload: bytes) -> bytes:
            head, data = unframed(payload)
            if len(payload) < 12 or framed(head, data) != payload:
                return payload
            return framed(head, inner.alter(side, data))

        return Relay(b"", alter)
