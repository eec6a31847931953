"""Other industrial protocols: IEC 60870-5-104, DNP3, S7comm and EtherNet/IP, each well formed and answered."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

from tests.bench.traffic.template import CLOCK, FLOAT, MILLISECOND, PROTOCOLS, SECOND, UDP, WAVE, Connection, Message, Place, Value

if TYPE_CHECKING:
    from random import Random

    from tests.bench.traffic.template import Template

IEC104, DNP3, S7COMM, ENIP = (PROTOCOLS.index(name) for name in ("iec104", "dnp3", "s7comm", "enip"))


def analog(template: Template, random: Random, time: int, kind: int = WAVE) -> int:
    """A measured value that is another one each time."""
    phase = random.randrange(8) * 25 * SECOND
    return template.value(Value(kind, 8000, shape=0, amplitude=6000, time=time + phase, unit=50 * MILLISECOND))


class Iec104:
    """A control station and an outstation: spontaneous values, a command now and then, test frames, acknowledgements."""

    def __init__(self, template: Template, random: Random, ends: tuple[str, str], station: int) -> None:
        self.template, self.random, self.station = template, random, station
        self.connection = Connection(template, random, *ends, 2404, IEC104)
        self.sent = template.counter(), template.counter()
        self.clock = template.value(Value(CLOCK))
        time = self.connection.open(-random.randrange(100, 900) * MILLISECOND)
        self._control(time, 0, 0x07)
        self._control(time + 3 * MILLISECOND, 1, 0x0B)

    def _control(self, time: int, side: int, function: int) -> int:
        return self.connection.send(time, side, [Message(bytes((0x68, 4, function, 0, 0, 0)))], clean=True)

    def _received(self, side: int, offset: int) -> Place:
        return Place(offset, 2, True, self.template.counted(self.sent[1 - side], 0, 2))

    def _information(self, side: int, kind: int, count: int, cause: int, body: bytes, places: list[Place]) -> Message:
        head = struct.pack("<BBHHBBHH", 0x68, 10 + len(body), 0, 0, kind, count, cause, self.station)
        number = Place(2, 2, True, self.template.counted(self.sent[side], 0, 2))
        self.template.counters[self.sent[side]] += 1
        return Message(head + body, [number, self._received(side, 4), *(place._replace(offset=place.offset + 12) for place in places)])

    def _measured(self, time: int) -> Message:
        """One object or a few of one type."""
        random = self.random
        kind, count = random.choice((13, 13, 13, 36, 36, 1, 30, 31, 9, 11, 3)), random.choice((1, 1, 1, 2, 4, 8))
        address, body, places = 1000 + kind * 50 + random.randrange(20), b"", list[Place]()
        for number in range(count):
            body += struct.pack("<I", address + number)[:3]
            if kind in (13, 36):
                places.append(Place(len(body), 4, True, analog(self.template, random, time, FLOAT)))
                body += bytes(5)
            elif kind in (9, 11):
                places.append(Place(len(body), 2, True, analog(self.template, random, time)))
                body += bytes(3)
            else:
                body += bytes((random.randrange(2) if kind in (1, 30) else random.randrange(1, 3),))
            if kind in (30, 31, 36):
                places.append(Place(len(body) + 2, 3, True, self.clock))
                body += struct.pack("<HBBBBB", time // MILLISECOND % 60000, 0, 0, 0, 11, 23)
        return self._information(1, kind, count, 3, body, places)

    def run(self, start: int) -> None:
        """A minute of it."""
        random, time, unacknowledged = self.random, start, 0
        command, test = start + random.randrange(10 * SECOND), start + random.randrange(15 * SECOND)
        while time < self.template.end:
            messages = [self._measured(time) for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5)))]
            after = self.connection.send(time, 1, messages, splits=1 if random.random() < 0.015 else 0)
            unacknowledged += len(messages)
            if unacknowledged >= 8:
                acknowledgement = Message(bytes((0x68, 4, 1, 0, 0, 0)), [self._received(0, 4)])
                after, unacknowledged = self.connection.send(after + 2 * MILLISECOND, 0, [acknowledgement]), 0
            elif random.random() < 0.4:
                self.connection.acknowledge(after + MILLISECOND, 0)
                after += MILLISECOND
            if time > command:
                command += 10 * SECOND
                after = self._command(after + 3 * MILLISECOND)
            if time > test:
                test += 15 * SECOND
                after = self._control(after + 4 * MILLISECOND, 0, 0x43)
                after = self._control(after + 6 * MILLISECOND, 1, 0x83)
            time = max(after + 10 * MILLISECOND, time + random.randrange(25, 75) * MILLISECOND)

    def _command(self, time: int) -> int:
        """Carried out and confirmed."""
        kind, body = self.random.choice(((45, b"\x10\x27\x00\x01"), (50, b"\x20\x27\x00" + struct.pack("<fB", 50.0, 0)), (100, b"\x00\x00\x00\x14")))
        time = self.connection.send(time, 0, [self._information(0, kind, 1, 6, body, [])])
        return self.connection.send(time + 5 * MILLISECOND, 1, [self._information(1, kind, 1, 7, body, [])])


@cache
def _crc_table() -> tuple[int, ...]:
    def shifted(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ 0xA6BC if value & 1 else value >> 1
        return value

    return tuple(shifted(value) for value in range(256))


def crc(octets: bytes) -> bytes:
    """The CRC of DNP3 (IEEE 1815)."""
    table, value = _crc_table(), 0
    for octet in octets:
        value = value >> 8 ^ table[(value ^ octet) & 0xFF]
    return struct.pack("<H", value ^ 0xFFFF)


class Dnp3:
    """A master that polls classes, operates now and then, and an outstation that reports events unasked. The values repeat every minute, for their CRCs do."""

    def __init__(self, template: Template, random: Random, ends: tuple[str, str], station: int) -> None:
        self.template, self.random, self.station = template, random, station
        self.connection = Connection(template, random, *ends, 20000, DNP3)
        self.connection.open(-random.randrange(100, 900) * MILLISECOND)
        self.transport = [0, 0]

    def _send(self, time: int, side: int, fragment: bytes, splits: int = 0) -> int:
        """One fragment of the application layer, in as many link frames as it needs."""
        source, target = (1, self.station) if side == 0 else (self.station, 1)
        parts = [fragment[at : at + 249] for at in range(0, len(fragment), 249)]
        frames: list[Message] = []
        for number, part in enumerate(parts):
            mark = (0x80 if number == len(parts) - 1 else 0) | (0x40 if number == 0 else 0) | self.transport[side]
            self.transport[side] = (self.transport[side] + 1) & 0x3F
            data = bytes((mark,)) + part
            head = struct.pack("<BBBBHH", 0x05, 0x64, 5 + len(data), 0xC4 if side == 0 else 0x44, target, source)
            blocks = [data[at : at + 16] for at in range(0, len(data), 16)]
            frames.append(Message(head + crc(head) + b"".join(block + crc(block) for block in blocks)))
        return self.connection.send(time, side, frames, splits)

    def run(self, start: int) -> None:
        """A minute of it; the numbers of requests and of reports are multiples of 16, so that their sequence goes on in the next minute."""
        random, step = self.random, 110 * MILLISECOND
        for turn in range(16 * 33):
            time = start + turn * step + random.randrange(step // 10)
            if time >= self.template.end:
                return
            if turn % 33 == 17:
                self._report(time, turn // 33)
                time += 20 * MILLISECOND
            self._poll(time, turn & 15)

    def _report(self, time: int, sequence: int) -> None:
        event = b"\x02\x01\x28\x01\x00" + struct.pack("<H", self.random.randrange(16)) + b"\x81"
        after = self._send(time, 1, bytes((0xF0 | sequence & 15, 130, 0, 0)) + event)
        self._send(after + 4 * MILLISECOND, 0, bytes((0xD0 | sequence & 15, 0)))

    def _poll(self, time: int, sequence: int) -> None:
        random, control, chance = self.random, 0xC0 | sequence, self.random.random()
        answer = bytes((control, 129, 0, 0))
        if chance < 0.04:
            block = b"\x0c\x01\x28\x01\x00" + struct.pack("<H", random.randrange(8)) + struct.pack("<BBIIB", 3, 1, 100, 0, 0)
            after = self._send(time, 0, bytes((control, 5)) + block)
            self._send(after + 4 * MILLISECOND, 1, answer + block)
            return
        integrity = chance < 0.12
        after = self._send(time, 0, bytes((control, 1)) + bytes.fromhex("3c02063c03063c0406") + (bytes.fromhex("3c0106") if integrity else b""))
        last = 70 if integrity else random.choice((-1, 2, 4, 10, 20))
        body = b"".join(b"\x01" + struct.pack("<i", random.randrange(-(10**6), 10**6)) for _ in range(last + 1))
        head = bytes((0x1E, 1, 0, 0, last)) if last >= 0 else b""
        bits = b"\x01\x02\x00\x00\x0f" + b"\x81" * 16 if last >= 10 else b""
        after = self._send(after + 6 * MILLISECOND, 1, answer + head + body + bits, splits=1 if random.random() < 0.02 else 0)
        if random.random() < 0.4:
            self.connection.acknowledge(after + MILLISECOND, 0)


class S7:
    """A display that reads and now and then writes data blocks of a PLC."""

    def __init__(self, template: Template, random: Random, ends: tuple[str, str]) -> None:
        self.template, self.random = template, random
        self.connection = Connection(template, random, *ends, 102, S7COMM)
        self.jobs = template.counter()
        self.items = [(random.randrange(1, 20), random.randrange(200), random.choice((2, 4, 8, 16, 32, 64))) for _ in range(6)]
        time = self.connection.open(-random.randrange(100, 900) * MILLISECOND)
        for side, text in enumerate(("11e00000000100c0010ac1020100c2020102", "11d00001000200c0010ac1020100c2020102")):
            time = self._send(time + 3 * MILLISECOND, side, bytes.fromhex(text))
        for side, parameters in enumerate(("f0000001000101e0", "f0000001000100f0")):
            time = self._job(time + 3 * MILLISECOND, side, bytes.fromhex(parameters), b"", [])

    def _send(self, time: int, side: int, octets: bytes, places: tuple[Place, ...] = (), splits: int = 0) -> int:
        moved = [place._replace(offset=place.offset + 4) for place in places]
        return self.connection.send(time, side, [Message(struct.pack(">BBH", 3, 0, 4 + len(octets)) + octets, moved)], splits, clean=time < 0)

    def _job(self, time: int, side: int, parameters: bytes, data: bytes, places: list[Place], splits: int = 0) -> int:
        """A job, or its acknowledgement with the same reference."""
        head = b"\x02\xf0\x80" + struct.pack(">BBHHHH", 0x32, 3 if side else 1, 0, 0, len(parameters), len(data)) + (b"\0\0" if side else b"")
        reference = Place(7, 2, False, self.template.counted(self.jobs, 0))
        start = len(head) + len(parameters)
        moved = [place._replace(offset=place.offset + start) for place in places]
        return self._send(time, side, head + parameters + data, (reference, *moved), splits)

    def run(self, start: int) -> None:
        """A minute of it."""
        random, time = self.random, start
        while time < self.template.end:
            self.template.counters[self.jobs] += 1
            items = random.sample(self.items, random.randrange(1, 4))
            if random.random() < 0.96:
                after = self._job(time, 0, bytes((4, len(items))) + b"".join(_item(*item) for item in items), b"", [])
                data, places = b"", list[Place]()
                for _, _, octets in items:
                    data += struct.pack(">BBH", 0xFF, 4, octets * 8)
                    places.append(Place(len(data), 2, False, analog(self.template, random, time)))
                    data += bytes(octets)
                after = self._job(after + 5 * MILLISECOND, 1, bytes((4, len(items))), data, places, 1 if random.random() < 0.02 else 0)
            else:
                octets = items[0][2]
                written = [Place(4, 2, False, analog(self.template, random, time))]
                after = self._job(time, 0, b"\x05\x01" + _item(*items[0]), struct.pack(">BBH", 0, 4, octets * 8) + bytes(octets), written)
                after = self._job(after + 5 * MILLISECOND, 1, b"\x05\x01", b"\xff", [])
            if random.random() < 0.4:
                self.connection.acknowledge(after + MILLISECOND, 0)
                after += MILLISECOND
            time = max(after + 4 * MILLISECOND, time + random.randrange(90, 110) * MILLISECOND)


def _item(block: int, address: int, octets: int) -> bytes:
    return struct.pack(">BBBBHHB", 0x12, 10, 0x10, 2, octets, block, 0x84) + struct.pack(">I", address * 8)[1:]


class Enip:
    """A controller that reads and now and then writes tags of another over one connection (class 3)."""

    def __init__(self, template: Template, random: Random, ends: tuple[str, str]) -> None:
        self.template, self.random = template, random
        self.connection = Connection(template, random, *ends, 44818, ENIP)
        self.session, self.sequences = random.getrandbits(32), template.counter()
        self.numbers = random.getrandbits(32), random.getrandbits(32)
        self.tags = [b"Tank%d_Level" % number + b"x" * random.randrange(6) for number in range(8)]
        time = self.connection.open(-random.randrange(100, 900) * MILLISECOND)
        time = self.connection.send(time, 0, [self._message(0x65, b"\1\0\0\0", 0)], clean=True)
        self.connection.send(time + 2 * MILLISECOND, 1, [self._message(0x65, b"\1\0\0\0", self.session)], clean=True)

    def _message(self, command: int, body: bytes, session: int, places: tuple[Place, ...] = ()) -> Message:
        head = struct.pack("<HHII8sI", command, len(body), session, 0, b"context1", 0)
        return Message(head + body, [place._replace(offset=place.offset + 24) for place in places])

    def _unit(self, side: int, service: bytes, places: tuple[Place, ...] = ()) -> Message:
        """SendUnitData: a connected message of CIP."""
        body = struct.pack("<IHHHHIHHH", 0, 10, 2, 0xA1, 4, self.numbers[side], 0xB1, len(service) + 2, 0) + service
        moved = [place._replace(offset=place.offset + 22) for place in places]
        return self._message(0x70, body, self.session, (Place(20, 2, True, self.template.counted(self.sequences, 0)), *moved))

    def run(self, start: int) -> None:
        """A minute of it."""
        random, time = self.random, start
        while time < self.template.end:
            self.template.counters[self.sequences] += 1
            tag, writes = random.choice(self.tags), random.random() < 0.05
            path = bytes((0x91, len(tag))) + tag + bytes(len(tag) & 1)
            code, value = 0x4D if writes else 0x4C, analog(self.template, random, time)
            request = bytes((code, len(path) // 2)) + path
            asked = (Place(len(request) + 4, 2, True, value),) if writes else ()
            after = self.connection.send(time, 0, [self._unit(0, request + (b"\xc4\0\1\0" + bytes(4) if writes else b"\1\0"), asked)])
            answer = bytes((code | 0x80, 0, 0, 0)) + (b"" if writes else b"\xc4\0" + bytes(4))
            given = () if writes else (Place(6, 2, True, value),)
            after = self.connection.send(after + 3 * MILLISECOND, 1, [self._unit(1, answer, given)], splits=1 if random.random() < 0.01 else 0)
            if random.random() < 0.4:
                self.connection.acknowledge(after + MILLISECOND, 0)
                after += MILLISECOND
            time = max(after + 4 * MILLISECOND, time + random.randrange(90, 110) * MILLISECOND)


def implicit(template: Template, random: Random, ends: tuple[str, str]) -> None:
    """Cyclic values of EtherNet/IP (class 1) over UDP, both ways."""
    ways = template.both_ways(*ends, UDP, 2222, client_port=2222)
    counters, numbers = (template.counter(), template.counter()), (random.getrandbits(32), random.getrandbits(32))
    for time in range(random.randrange(50 * MILLISECOND), template.end, 50 * MILLISECOND):
        for side in (0, 1):
            template.counters[counters[side]] += 1
            number = template.counted(counters[side], 0)
            body = struct.pack("<HHHIIHHH", 2, 0x8002, 8, numbers[side], 0, 0xB1, 18, 0) + bytes(16)
            places = [Place(10, 2, True, number), Place(18, 2, True, number), Place(20, 2, True, analog(template, random, time))]
            template.datagram(time + 2 * MILLISECOND * side, ways[side], body, ENIP, places, 1)
