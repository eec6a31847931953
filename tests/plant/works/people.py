"""What people and machines do that is right: each act has a label, so that who names it rightly is not blamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.plant.works.process import COMMAND, MEASURED, SETPOINT, Fault
from tests.plant.works.routine import lease
from tests.plant.works.wire import arp, resolve
from tests.plant.works.world import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.plant.works.device import Device
    from tests.plant.works.plant import Plant
    from tests.plant.works.wire import Host
    from tests.plant.works.world import Actor, World


class People:
    """Who works there. Each act of the week is a method that takes its own source of chance."""

    def __init__(self, world: World, plant: Plant) -> None:
        self.world, self.plant = world, plant

    def tell(self, kind: str, start: int, who: Host, whom: list[Device], what: str, end: int = 0) -> None:
        """The label of an act."""
        self.world.tell(
            "benign", start, max(end, self.world.now), kind=kind, who=[who.ip], whom=[device.host.ip for device in whom],
            protocol=whom[0].PROTOCOL if whom else "", what=what,
        )  # fmt: skip

    def able(self, *does: str) -> list[Device]:
        """The controllers whose protocol has this."""
        return [device for device in self.plant.devices if all(hasattr(self.plant.speaks(device), name) for name in does)]

    def adjust(self, random: Random, device: Device) -> Actor:
        """An operator changes a set point within its range, or operates something that may be operated, on the screen that is connected already."""
        process, start = device.process, self.world.now
        session = next(session for session in self.plant.polls if session.device is device)
        if not session.link.opened or device.host.silent or not session.can("write"):
            return
        points = process.points
        commands = [number for number in process.numbers(COMMAND) if points[number].high > points[number].low]
        if commands and random.random() < 0.3:
            number, kind = random.choice(commands), "operator.command"
            value = float(not process.values[number])
        else:
            number, kind = random.choice(process.numbers(SETPOINT)), "operator.setpoint"
            value = round(random.uniform(points[number].low, points[number].high), 2)
        yield session.write(number, value)
        self.tell(kind, start, session.client, [device], f"{points[number].name} = {value:g}")

    def shift(self, random: Random) -> Actor:
        """At the change of shift somebody goes through the screens and adjusts a thing or two."""
        for _ in range(random.randrange(1, 5)):
            yield self.world.now + random.randrange(SECOND, 4 * MINUTE)
            yield from self.adjust(random, random.choice(self.plant.devices))

    def day(self) -> Actor:
        """Operators at work: at each change of shift, and more by day than by night."""
        world, habit, random = self.world, self.world.chance("operators"), self.world.today("operators")
        first, busy = habit.choice((5, 6, 7)), habit.uniform(0.3, 1.2)  # hour of the first shift (UTC); adjustments an hour
        yield world.now + random.randrange(10 * MINUTE)
        while True:
            hour = world.now % DAY // HOUR
            if (hour - first) % 8 == 0:
                world.enter(self.shift(random), world.now + random.randrange(5 * MINUTE))
            if random.random() < (busy if (hour - first) % 24 < 10 else busy / 5):
                world.enter(self.adjust(random, random.choice(self.plant.devices)), world.now + random.randrange(MINUTE, 50 * MINUTE))
            yield world.now - world.now % HOUR + HOUR + random.randrange(SECOND)

    def backup(self, random: Random) -> Actor:
        """The engineering station fetches every program."""
        start, client = self.world.now, self.plant.engineering
        devices = self.able("upload")
        for device in devices:
            if device.host.silent:
                continue
            resolve(self.world, self.world.now, client, device.host)
            yield self.world.now + random.randrange(1, 20) * SECOND
            session: Any = self.plant.session(client, device)
            session.open()
            session.identify()
            yield session.upload()
            session.close()
        if devices:
            self.tell("backup", start, client, devices, "programs fetched by the weekly back-up")

    def maintenance(self, random: Random) -> Actor:
        """A window of maintenance: stop, another program, start, in this order and with pauses in between, by the engineering station."""
        devices = self.able("stop", "download", "start")
        if not devices:
            return
        start, client, device = self.world.now, self.plant.engineering, random.choice(devices)
        session: Any = self.plant.session(client, device)
        session.open()
        yield session.identify() + random.randrange(20, 200) * SECOND
        yield session.upload() + random.randrange(2, 9) * MINUTE
        yield session.stop() + random.randrange(2, 30) * SECOND
        program = bytearray(device.program)
        for _ in range(random.randrange(10, 200)):
            program[random.randrange(len(program))] = random.randrange(256)
        yield session.download(bytes(program)) + random.randrange(1, 9) * SECOND
        if session.can("activate"):
            session.activate()
        yield session.start()
        session.close()
        self.tell("maintenance.download", start, client, [device], "a program changed in a window of maintenance: stop, download, start")

    def reboot(self, random: Random) -> Actor:
        """A controller loses its power for a minute or so."""
        start, device = self.world.now, random.choice(self.plant.devices)
        host = device.host
        host.silent = True
        yield self.world.now + random.randrange(25, 120) * SECOND
        host.silent = False
        for wait in (0, 1):
            arp(self.world, self.world.now + wait * SECOND, (host.mac, host.packed), (bytes(6), host.packed))
        yield self.world.now + MINUTE
        self.tell("reboot", start, host, [device], "a controller starts again; its masters reconnect")

    def reconnect(self, random: Random) -> Actor:
        """The historian starts again and connects anew."""
        start, client = self.world.now, self.plant.historian
        sessions = [session for session in self.plant.polls if session.client is client]
        for session in sessions:
            session.close()
            session.link.free = self.world.now + random.randrange(20, 90) * SECOND
        yield self.world.now + 3 * MINUTE
        self.tell("historian.reconnect", start, client, [session.device for session in sessions], "the historian starts again")

    def clocks(self, random: Random) -> Actor:
        """The screens set the clocks of the controllers."""
        start, devices = self.world.now, self.able("set_clock")
        for device in devices:
            session = next(session for session in self.plant.polls if session.device is device)
            if session.link.opened and not device.host.silent:
                yield session.set_clock(self.world.now + random.randrange(SECOND)) + SECOND
                self.tell("clock.sync", start, session.client, [device], "the clock set to the time that it is")

    def laptop(self, random: Random) -> Actor:
        """A contractor's laptop, with a ticket: it gets an address, looks what the devices are and reads some of them."""
        world, plant, start = self.world, self.plant, self.world.now
        host = plant.host(f"LAPTOP-{random.randrange(100, 999)}", "laptop", named=random)
        host.mac = bytes.fromhex(random.choice(("8c1645", "54ee75", "e86a64"))) + random.randbytes(3)
        yield lease(world, host, plant.gateway) + SECOND
        chosen = random.sample(plant.devices, min(len(plant.devices), random.randrange(1, 4)))
        for device in chosen:
            if device.host.silent:
                continue
            resolve(world, world.now, host, device.host)
            session: Any = plant.session(host, device)
            session.open()
            if session.can("identify"):
                session.identify()
            for _ in range(random.randrange(10, 60)):
                session.round()
                yield max(session.now, world.now + random.randrange(1, 6) * SECOND)
            session.close()
        ticket = f"ticket CHG-{random.randrange(10000, 99999)}"
        self.tell("laptop", start, host, chosen, f"a contractor's laptop reads controllers; {ticket}")

    def losses(self, random: Random) -> Actor:
        """A bad contact: for some minutes much of what goes to one controller is sent again."""
        start, device = self.world.now, random.choice(self.plant.devices)
        device.host.loss = random.uniform(0.02, 0.15)
        yield self.world.now + random.randrange(5, 40) * MINUTE
        device.host.loss = 0.0004
        self.tell("retransmissions", start, device.host, [device], "a bad contact: retransmissions")

    def sensor(self, random: Random) -> Actor:
        """A sensor fails: it is stuck, or noisy, until somebody changes it."""
        start, device = self.world.now, random.choice(self.plant.devices)
        process = device.process
        number, until = random.choice(process.numbers(MEASURED)), self.world.now + random.randrange(HOUR, 6 * HOUR)
        point = process.points[number]
        noise = random.choice((0.0, (point.high - point.low) * random.uniform(0.1, 0.5)))
        process.faults.append(Fault(number, start, until, noise, process.values[number]))
        yield until
        process.faults.clear()
        self.tell("sensor.failure", start, device.host, [device], f"{point.name} is {'noisy' if noise else 'stuck'}")


WEEK: Final[dict[str, tuple[Callable[[People, Random], Actor], tuple[int, ...], tuple[int, int]]]] = {  # act, days (0: Monday), hours from … to
    "backup": (People.backup, (4, 5, 6), (0, 23)),
    "maintenance": (People.maintenance, (1, 2, 3), (8, 14)),
    "reboot": (People.reboot, (0, 1, 2, 3, 4), (5, 20)),
    "reconnect": (People.reconnect, (0, 1, 2, 3, 4, 5, 6), (0, 23)),
    "laptop": (People.laptop, (0, 1, 2, 3, 4), (7, 15)),
    "losses": (People.losses, (0, 1, 2, 3, 4, 5, 6), (0, 22)),
    "sensor": (People.sensor, (0, 1, 2, 3, 4, 5), (0, 17)),
}


def start(world: World, plant: Plant, span: str) -> None:
    """Let people come to work. Of a week's acts only those happen whose time is in the capture."""
    if span == "none":
        return
    people, random = People(world, plant), world.chance("week")
    world.enter(people.day())
    clock = random.randrange(DAY)
    midnight = world.start - world.start % DAY
    monday = midnight - (midnight // DAY + 3) % 7 * DAY
    for day in range(-(-(world.end - midnight) // DAY)):
        if world.start <= midnight + day * DAY + clock:
            world.enter(people.clocks(random), midnight + day * DAY + clock)
    for week in range((-(-(world.end - monday) // (7 * DAY))) if span == "week" else 0):
        for name, (act, days, hours) in WEEK.items():
            chance = world.chance(f"{name} {week}")
            at = monday + (7 * week + chance.choice(days)) * DAY + int(chance.uniform(*hours) * HOUR)
            if at >= world.start:
                world.enter(act(people, chance), at)
