"""Modbus/TCP: masters that poll many PLCs at fixed periods, an operator's writes, an engineering station, a scanner's junk."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.bench.traffic.template import ACK, MILLISECOND, PROTOCOLS, RST, SECOND, WAVE, Connection, Message, Place, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bench.traffic.template import Template

MODBUS: Final = PROTOCOLS.index("modbus")
PORT: Final = 502
SINE, STAIRS, RAMP = range(3)
BUSY, NO_ADDRESS = 6, 2
SET_POINTS: Final = range(100, 112)  # what the operator writes
NOWHERE: Final = 60000  # no PLC has it
IDENTITY: Final = b"\x0e\x01\x01\x00\x00\x03\x00\x0bExample Ltd\x01\x07PLC-200\x02\x04V1.2"
WRITES: Final = (5, 6, 15, 16)


class Poll(NamedTuple):
    """What a master asks again and again."""

    unit: int
    code: int
    first: int
    quantity: int


class Word(NamedTuple):
    """A register that changes."""

    place: int
    value: Value


@dataclass(slots=True)
class Plc:
    """Its registers: most never change, some move slowly or in steps, some at every poll."""

    name: str  # rolls the dice
    blocks: dict[tuple[int, int, int], tuple[bytes, list[Word]]] = field(default_factory=dict[tuple[int, int, int], tuple[bytes, list[Word]]])
    registers: dict[tuple[int, int], int | Value] = field(default_factory=dict[tuple[int, int], "int | Value"])

    def register(self, code: int, address: int) -> int | Value:
        """What stands in a register: a constant, or how it changes."""
        key = (code, address)
        if key not in self.registers:
            random = Random(f"{self.name}/{code}/{address}")
            chance, base = random.random(), random.randrange(4000, 40000)
            if code == 3 and address in SET_POINTS:
                self.registers[key] = Value(WAVE, base, shape=STAIRS, amplitude=1000, unit=200 * MILLISECOND, time=random.randrange(800) * SECOND)
            elif chance < 0.04:
                self.registers[key] = Value(WAVE, base, shape=SINE, amplitude=3000, unit=50 * MILLISECOND, time=random.randrange(200) * SECOND)
            elif chance < 0.06:
                self.registers[key] = Value(WAVE, base, shape=RAMP, amplitude=2000, unit=2 * SECOND, time=random.randrange(8000) * SECOND)
            else:
                self.registers[key] = 0 if chance < 0.4 else base
        return self.registers[key]

    def block(self, code: int, first: int, count: int) -> tuple[bytes, list[Word]]:
        """The octets of a range of registers, zeros for those that change, and these."""
        key = (code, first, count)
        if key not in self.blocks:
            held = [self.register(code, first + number) for number in range(count)]
            words = [Word(2 * number, each) for number, each in enumerate(held) if isinstance(each, Value)]
            self.blocks[key] = struct.pack(f">{count}H", *(0 if isinstance(each, Value) else each for each in held)), words
        return self.blocks[key]

    def bits(self, code: int, first: int, count: int) -> bytes:
        """The octets of a range of coils or discrete inputs."""
        key = (code, first, count)
        if key not in self.blocks:
            bits = Random(f"{self.name}/{key}").getrandbits(count)
            self.blocks[key] = bits.to_bytes((count + 7) // 8, "little"), []
        return self.blocks[key][0]


class Master:
    """One connection of a master to a PLC."""

    def __init__(self, template: Template, random: Random, plc: Plc, ends: tuple[str, str], vlan: int = 0, lasting: bool = True, seen: bool = True) -> None:
        self.template, self.random, self.plc = template, random, plc
        self.connection = Connection(template, random, *ends, PORT, MODBUS, vlan, lasting)
        self.transactions = template.counter()
        self.first = random.getrandbits(16)
        self.opened = not (seen and lasting)
        if not self.opened:
            self.connection.open(-random.randrange(10, 900) * MILLISECOND)

    def run(self, start: int, period: int, polls: list[Poll], pipelines: bool = False, writes: float = 0.0) -> None:
        """Ask everything once in each period, evenly; now and then several requests at once, or a write."""
        step, turn, time = period // len(polls), 0, start
        while time < self.template.end:
            many = self.random.randrange(2, 5) if pipelines and self.random.random() < 0.3 else 1
            asked = [polls[(turn + number) % len(polls)] for number in range(many)]
            turn += many
            if writes and self.random.random() < writes:
                asked = [self._write(polls[0].unit)]
            after = self.ask(time, asked)
            time = max(time + step * many + self.random.randrange(-step, step) // 50, after + MILLISECOND)

    def _write(self, unit: int) -> Poll:
        code = self.random.choice(WRITES)
        first = self.random.choice(SET_POINTS[:4])
        return Poll(unit, code, first, 1 if code in (5, 6) else self.random.randrange(2, 9))

    def ask(self, time: int, polls: Iterable[Poll]) -> int:
        """Requests, and after some milliseconds their responses. Returns the time after them."""
        pairs = [self._exchange(time, poll) for poll in polls]
        roll = self.random.random
        after = self.connection.send(time, 0, [request for request, _ in pairs], splits=1 if roll() < 0.002 else 0)
        answers = [answer for _, answer in pairs if answer is not None]
        time = max(time + 2 * MILLISECOND + self.random.randrange(4 * MILLISECOND), after)
        groups = [answers] if len(answers) > 1 and roll() < 0.5 else [[answer] for answer in answers]
        for group in groups:
            if group:
                long = sum(len(answer.octets) for answer in group) > 40
                time = self.connection.send(time, 1, group, splits=self.random.choice((1, 1, 1, 2)) if long and roll() < 0.02 else 0) + 400
        if roll() < 0.3:
            self.connection.acknowledge(time + MILLISECOND, 0)
            time += MILLISECOND
        return time

    def _exchange(self, time: int, poll: Poll) -> tuple[Message, Message | None]:
        """A request with its response; few devices stay silent once, few refuse."""
        number = self.template.counted(self.transactions, self.first)
        self.template.counters[self.transactions] += 1
        asked, answered, places = self._texts(time, poll)
        request = self._message(number, poll.unit, *asked, request=True)
        chance = self.random.random()
        if chance < 0.0003:
            return request, None
        if chance < 0.001 or poll.first == NOWHERE:
            return request, self._message(number, poll.unit, bytes((poll.code | 0x80, NO_ADDRESS if poll.first == NOWHERE else BUSY)))
        return request, self._message(number, poll.unit, answered, places)

    def _message(self, number: int, unit: int, text: bytes, places: Iterable[Place] = (), request: bool = False) -> Message:
        head = struct.pack(">HHHB", 0, 0, 1 + len(text), unit)
        moved = [place._replace(offset=place.offset + 7) for place in places]
        return Message(head + text, [Place(0, 2, False, number), *moved], request)

    def _texts(self, time: int, poll: Poll) -> tuple[tuple[bytes, list[Place]], bytes, list[Place]]:
        """The PDU of the request with its changing places, and the same of the response."""
        _, code, first, count = poll
        head = struct.pack(">BHH", code, first, count)
        if code in (1, 2):
            bits = self.plc.bits(code, first, count)
            return (head, []), bytes((code, len(bits))) + bits, []
        if code in (3, 4):
            octets, words = self.plc.block(code, first, count)
            return (head, []), bytes((code, len(octets))) + octets, self._places(words, time, 2)
        if code == 43:
            return (b"\x2b\x0e\x01\x00", []), b"\x2b" + IDENTITY, []
        if code == 5:
            text = struct.pack(">BHH", 5, first, 0xFF00 if self.random.random() < 0.5 else 0)
            return (text, []), text, []
        if code == 15:
            octets = self.random.getrandbits(count).to_bytes((count + 7) // 8, "little")
            return (head + bytes((len(octets),)) + octets, []), head, []
        octets, words = self.plc.block(3, first, count)
        if code == 6:
            places = self._places(words, time, 3)
            return (struct.pack(">BH", 6, first) + octets, places), struct.pack(">BH", 6, first) + octets, places
        return (head + bytes((len(octets),)) + octets, self._places(words, time, 6)), head, []

    def _places(self, words: Iterable[Word], time: int, start: int) -> list[Place]:
        """Each changing register with its value now."""
        value = self.template.value
        return [Place(start + word.place, 2, False, value(word.value._replace(time=word.value.time + time))) for word in words]


def polls(random: Random, units: int) -> list[Poll]:
    """What one master wants of one PLC."""
    wanted: list[Poll] = []
    for _ in range(random.randrange(6, 13)):
        code = random.choice((3, 3, 3, 3, 4, 4, 1, 2))
        count = random.choice((8, 16, 64)) if code < 3 else random.choice((2, 8, 10, 20, 50, 100, 125))
        wanted.append(Poll(random.randrange(units) + 1, code, random.choice((0, 10, 100, 200, 300, 1000, 4000)), count))
    return wanted


def engineer(template: Template, random: Random, plc: Plc, ends: tuple[str, str]) -> None:
    """An engineering station connects once a minute, asks the device who it is, reads on, writes now and then, and goes."""
    master = Master(template, random, plc, ends, lasting=False)
    time = master.connection.open(random.randrange(5, 20) * SECOND)
    if time > template.end:
        return
    asked = [Poll(1, 43, 0, 0), *(Poll(1, 3, first, 10) for first in range(0, 200, 10)), Poll(1, 16, SET_POINTS[0], 4)]
    for poll in asked:
        time = master.ask(time + random.randrange(20, 400) * MILLISECOND, [poll])
    master.connection.close(time + SECOND)


def scanner(template: Template, random: Random, source: str, targets: Iterable[str]) -> None:
    """A scanner looks for web servers on the port of Modbus."""
    time = random.randrange(2, 10) * SECOND
    for target in targets:
        connection = Connection(template, random, source, target, PORT, MODBUS, lasting=False)
        after = connection.open(time)
        after = connection.send(after, 0, [Message(b"GET / HTTP/1.0\r\n\r\n", counted=False)], clean=True)
        connection.segment(after + MILLISECOND, 1, b"", RST | ACK)
        time += random.randrange(200, 900) * MILLISECOND
