"""IEC 60870-5-104: a station that reports what changes, and the control centre's session with it. Type identifications are those of 60870-5-101."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
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

STARTED, STARTED_CON, TESTED, TESTED_CON = 0x07, 0x0B, 0x43, 0x83
SINGLE, FLOAT, TOTAL, SINGLE_TIME, FLOAT_TIME, TOTAL_TIME = 1, 13, 15, 30, 36, 37
COMMAND_SINGLE, COMMAND_SET, INTERROGATE, COUNTERS, CLOCK, RESET = 45, 50, 100, 101, 103, 105
SPONTANEOUS, ACTIVATION, CONFIRMED, TERMINATED, INTERROGATED, COUNTED = 3, 6, 7, 10, 20, 37
SELECT: Final = 0x80
WINDOW: Final = 8  # I formats that the control centre acknowledges at the latest
IDLE: Final = 20 * SECOND
ROUND_MOST: Final = 6


def clock(time: int) -> bytes:
    """CP56Time2a."""
    at = datetime.fromtimestamp(time // SECOND, UTC)
    return struct.pack("<HBBBBB", at.second * 1000 + time % SECOND // MS, at.minute, at.hour, at.isoweekday() << 5 | at.day, at.month, at.year % 100)


class Iec104Device(Device):
    """A station. Its points stand at addresses of one base per kind; some makers stamp what changes with the time."""

    PROTOCOL = "iec104"
    PORT = 2404
    KEPT = 6  # APCI

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        super().__init__(host, process, make, random)
        self.station = random.choice((1, 1, random.randrange(2, 250), random.randrange(256, 4000)))
        bases = random.sample(range(0, 6000, 250), 5)
        self.addresses: dict[int, int] = {}
        for base, kind in zip(bases, (MEASURED, STATUS, COMMAND, SETPOINT, COUNTER), strict=True):
            for place, number in enumerate(process.numbers(kind)):
                self.addresses[number] = 1 + base + place
        self.echo = random.randrange(6000, 9000)  # where the state of what is commanded comes back
        self.stamped = random.random() < 0.6
        self.selects = random.random() < 0.7  # commands are selected before they are executed
        self.share = random.choice((0.004, 0.01, 0.02))  # of its range that a value has to change to be told
        self.told: dict[int, float] = {}

    def reply(self, message: bytes) -> bytes:
        """Not used: a session speaks for both ends."""
        return message[:0]

    def element(self, number: int) -> bytes:
        """Address and value of a point, without time."""
        point, value = self.process.points[number], self.process.values[number]
        address = struct.pack("<I", self.addresses[number] + (self.echo if point.kind in (COMMAND, SETPOINT) else 0))[:3]
        if point.kind in (COMMAND, STATUS):
            return address + bytes((int(value > 0),))
        if point.kind == COUNTER:
            return address + struct.pack("<iB", int(value) & 0x7FFFFFFF, 0)
        return address + struct.pack("<fB", value, 0)

    def changed(self) -> list[int]:
        """What is to be told."""
        found: list[int] = []
        for number, point in enumerate(self.process.points):
            if point.kind == COUNTER:
                continue
            value, before = self.process.values[number], self.told.get(number)
            band = 0.0 if point.kind != MEASURED else (point.high - point.low) * self.share
            if before is None or abs(value - before) > band:
                self.told[number] = value
                found.append(number)
        return found


class Iec104Session(Session):
    """The control centre's connection. It plays both ends: numbers of I formats, acknowledgements, tests."""

    device: Iec104Device

    def __init__(self, world: World, client: Host, device: Iec104Device, gateway: Host | None = None) -> None:
        super().__init__(world, client, device, gateway)
        self.sent, self.waiting, self.heard = [0, 0], 0, 0
        self.every = world.random.choice((600, 900, 1800)) * SECOND
        self.asked_at = 0

    def form(self, side: int, kind: int, cause: int, elements: list[bytes]) -> bytes:
        """An I format of a side; several elements are of one type."""
        body = struct.pack("<BBBBH", kind, len(elements), cause, 0, self.device.station) + b"".join(elements)
        octets = struct.pack("<BBHH", 0x68, 4 + len(body), self.sent[side] << 1, self.sent[1 - side] << 1) + body
        self.sent[side] = (self.sent[side] + 1) & 0x7FFF
        if side:
            self.waiting += 1
        else:
            self.waiting = 0  # what the client sends acknowledges, too
        return octets

    def both(self, code: int, answer: int) -> None:
        """A U format and its confirmation."""
        self.count(str(code))
        time = self.link.say(self.now, 0, bytes((0x68, 4, code, 0, 0, 0)))
        time = self.link.say(time + self.device.host.delay, 1, bytes((0x68, 4, answer, 0, 0, 0)))
        self.link.acknowledge(time + 2 * MS, 0)
        self.link.free = time + 4 * MS

    def alive(self, request: bytes) -> bool:
        """Whether the station hears; a request that nobody hears ends the connection."""
        if self.device.host.silent:
            self.link.unheard(self.now, request)
            self.answered = False
            return False
        self.device.process.step(self.world.now)
        self.answered = True
        return True

    def open(self) -> bool:
        """Connect, start the transfer, ask for everything."""
        self.sent, self.waiting = [0, 0], 0
        if not super().open():
            return False
        self.both(STARTED, STARTED_CON)
        self.interrogate()
        return True

    def ask(self, kind: int, element: bytes, answers: list[tuple[int, int, list[bytes]]]) -> int:
        """A command in control direction, its confirmation, and what follows that."""
        request = self.form(0, kind, ACTIVATION, [element])
        self.last = request
        if not self.alive(request):
            return self.link.free
        time = self.link.say(self.now, 0, request)
        time += self.device.host.delay + int(self.device.host.delay * self.link.random())
        for number, cause, elements in ((kind, CONFIRMED, [element]), *answers):
            if cause != CONFIRMED:
                self.asked["iec104", f"{number}/{cause}"] += 1
            time = self.link.say(time + MS, 1, self.form(1, number, cause, elements))
        self.count(f"{kind}/{ACTIVATION}")
        self._acknowledge(time)
        return self.link.free

    def _acknowledge(self, time: int) -> None:
        """By the standard's own form where enough wait, else by TCP alone."""
        if self.waiting >= WINDOW - ROUND_MOST:
            self.waiting = 0
            self.asked["iec104", "1"] += 1
            self.link.say(time + 2 * MS, 0, struct.pack("<BBBBH", 0x68, 4, 1, 0, self.sent[1] << 1))
        else:
            self.link.acknowledge(time + 2 * MS, 0)
        self.link.free = time + 4 * MS

    def interrogate(self) -> int:
        """General interrogation: everything, by type."""
        device = self.device
        device.process.step(self.world.now)
        self.asked_at = self.world.now
        kinds = [(SINGLE, device.process.numbers(STATUS, COMMAND)), (FLOAT, device.process.numbers(MEASURED, SETPOINT))]
        answers = [(kind, INTERROGATED, [device.element(number) for number in numbers]) for kind, numbers in kinds if numbers]
        return self.ask(INTERROGATE, bytes((0, 0, 0, 20)), [*answers, (INTERROGATE, TERMINATED, [bytes((0, 0, 0, 20))])])

    def round(self) -> None:
        """What changed is told; what nobody told for long is asked for."""
        device, link, now = self.device, self.link, self.world.now
        if now - self.asked_at > self.every:
            self.interrogate()
            return
        if device.host.silent:
            if now - self.heard > IDLE:
                self.alive(bytes((0x68, 4, TESTED, 0, 0, 0)))
            return
        device.process.step(now)
        changed = device.changed()
        if not changed:
            if now - self.heard > IDLE:
                self.heard = now
                self.both(TESTED, TESTED_CON)
            return
        self.heard = now
        time, tail = self.now, clock(now) if device.stamped else b""
        messages: list[bytes] = []
        for number in changed[:ROUND_MOST]:
            binary = device.process.points[number].kind in (COMMAND, STATUS)
            kind = (SINGLE_TIME if device.stamped else SINGLE) if binary else FLOAT_TIME if device.stamped else FLOAT
            self.asked["iec104", f"{kind}/{SPONTANEOUS}"] += 1
            messages.append(self.form(1, kind, SPONTANEOUS, [device.element(number) + tail]))
        for number in changed[ROUND_MOST:]:
            device.told.pop(number)
        time = link.say(time, 1, b"".join(messages))
        self._acknowledge(time)

    def write(self, number: int, value: float, select: bool | None = None) -> int:
        """Operate or set: selected first where this station wants that."""
        device = self.device
        point, address = device.process.points[number], struct.pack("<I", device.addresses[number])[:3]
        if point.kind == COMMAND:
            state = int(value > 0)
            if device.selects if select is None else select:
                self.ask(COMMAND_SINGLE, address + bytes((state | SELECT,)), [])
                self.link.free += 300 * MS + int(SECOND * self.link.random())
            self.ask(COMMAND_SINGLE, address + bytes((state,)), [(COMMAND_SINGLE, TERMINATED, [address + bytes((state,))])])
            if self.answered:
                device.process.values[number] = float(state)
            return self.link.free
        self.ask(COMMAND_SET, address + struct.pack("<fB", value, 0), [])
        if self.answered:
            device.process.values[number] = value
        return self.link.free

    def operate_at_once(self, number: int, value: float) -> int:
        """Operate without having selected."""
        return self.write(number, value, False)

    def set_clock(self, time: int) -> int:
        """Set the clock."""
        return self.ask(CLOCK, bytes(3) + clock(time), [])

    def restart(self) -> int:
        """Reset the process."""
        return self.ask(RESET, bytes((0, 0, 0, 1)), [])

    def count_energy(self) -> int:
        """Counter interrogation."""
        device = self.device
        totals = [device.element(number) for number in device.process.numbers(COUNTER)]
        return self.ask(COUNTERS, bytes((0, 0, 0, 5)), [(TOTAL, COUNTED, totals), (COUNTERS, TERMINATED, [bytes((0, 0, 0, 5))])])

    def frozen(self, relay: Callable[[int], Relay]) -> Relay:
        """Old values under the new numbers, where a segment holds one message alone."""
        inner = relay(self.device.KEPT)

        def alter(side: int, payload: bytes) -> bytes:
            return inner.alter(side, payload) if len(payload) == payload[1] + 2 else payload

        return Relay(b"", alter)

    def repeat(self, message: bytes, code: str) -> int:
        """The content of an old message, with this connection's numbers."""
        del code
        kind = message[6]
        element = message[12:]
        return self.ask(kind, element, [(kind, TERMINATED, [element])] if kind == COMMAND_SINGLE else [])
