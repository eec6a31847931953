"""Attacks on the plant, each with its label. One function an attack: an actor that acts and says what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.plant.works.process import COMMAND, SETPOINT
from tests.plant.works.wire import Link, arp, resolve
from tests.plant.works.world import MINUTE, MS, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.plant.works.device import Device
    from tests.plant.works.plant import Plant
    from tests.plant.works.wire import Host
    from tests.plant.works.world import Actor, World


@dataclass(slots=True)
class Scene:
    """Who attacks whom."""

    world: World
    plant: Plant
    random: Random
    attacker: Host
    device: Device
    names: list[str] = field(default_factory=list[str])

    def session(self) -> Any:
        """The attacker's session with the victim."""
        return self.plant.session(self.attacker, self.device)

    def tell(self, name: str, start: int, techniques: str, what: str, victims: list[str] | None = None, end: int = 0) -> None:
        """The label."""
        self.world.tell(
            "attack", start, end or self.world.now, name=name, attacker=[self.attacker.ip], victim=victims or [self.device.host.ip],
            techniques=techniques.split(), protocol=self.device.PROTOCOL, what=what,
        )  # fmt: skip


def address_scan(scene: Scene) -> Actor:
    """Every address of the network: who has it, and does it listen where controllers do?"""
    world, plant, random, start = scene.world, scene.plant, scene.random, scene.world.now
    found: list[str] = []
    for last in range(1, 255):
        ip = f"{plant.subnet}.{last}"
        host = plant.network.hosts.get(ip)
        if ip == scene.attacker.ip:
            continue
        if host is None or host.silent:
            packed = scene.attacker.packed[:3] + bytes((last,))
            arp(world, world.now, (scene.attacker.mac, scene.attacker.packed), (bytes(6), packed))
            yield world.now + random.randrange(20, 60) * MS
            continue
        resolve(world, world.now, scene.attacker, host)
        found.append(ip)
        yield world.now + 2 * MS
        listens = next((device for device in plant.devices if device.host is host), None)
        link = Link(world, scene.attacker, host, scene.device.PORT)
        if listens and listens.PORT == scene.device.PORT:
            link.open()
            link.close()
        else:
            link.refused(scene.device.PORT)
        yield world.now + random.randrange(20, 60) * MS
    scene.tell("address_scan", start, "T0846", f"every address of {plant.subnet}.0/24 and port {scene.device.PORT} of who is there", found)


def unit_scan(scene: Scene) -> Actor:
    """Which units are behind this address?"""
    world, start, session = scene.world, scene.world.now, scene.session()
    session.open()
    for unit in range(1, 248):
        session.read(3, 0, 1, unit)
        yield session.now + scene.random.randrange(5, 40) * MS
    session.close()
    scene.tell("unit_scan", start, "T0846", "units 1 to 247 asked for a register", end=max(world.now, session.now))


def register_sweep(scene: Scene) -> Actor:
    """Every register, block by block: what is there?"""
    start, session = scene.world.now, scene.session()
    session.open()
    step = scene.random.choice((1, 10, 16, 64, 100))
    for table in (1, 2, 3, 4):
        for first in range(0, step * 40, step):
            session.read(table, first, step)
            yield session.now + scene.random.randrange(2, 60) * MS
    session.close()
    scene.tell("register_sweep", start, "T0861 T0801", f"blocks of {step} in all four tables")


def write_setpoints(scene: Scene) -> Actor:
    """A foreign host changes set points, within their ranges."""
    start, session, process = scene.world.now, scene.session(), scene.device.process
    session.open()
    for _ in range(scene.random.randrange(1, 6)):
        number = scene.random.choice(process.numbers(SETPOINT))
        point = process.points[number]
        yield session.write(number, scene.random.uniform(point.low, point.high)) + scene.random.randrange(1, 40) * SECOND
    session.close()
    scene.tell("write_setpoints", start, "T0836 T0855", "set points from a foreign host, within their ranges")


def write_outputs(scene: Scene) -> Actor:
    """A foreign host operates outputs, on and off."""
    start, session, process = scene.world.now, scene.session(), scene.device.process
    session.open()
    for turn in range(scene.random.randrange(4, 30)):
        number = scene.random.choice(process.numbers(COMMAND))
        yield session.write(number, float(turn % 2)) + scene.random.randrange(200, 3000) * MS
    session.close()
    scene.tell("write_outputs", start, "T0855 T0806 T0831", "outputs on and off from a foreign host")


def gross_value(scene: Scene) -> Actor:
    """The operator's own screen writes a set point far out of any range."""
    session = next(session for session in scene.plant.polls if session.device is scene.device)
    scene.attacker = session.client
    start, process = scene.world.now, scene.device.process
    number = scene.random.choice(process.numbers(SETPOINT))
    value = process.points[number].high * scene.random.uniform(3, 6)
    yield session.write(number, value)
    scene.tell("gross_value", start, "T0836", f"{process.points[number].name} = {value:g}", end=scene.world.now + SECOND)


def subtle_value(scene: Scene) -> Actor:
    """The operator's own screen moves a set point out of its range, in small steps."""
    session = next(session for session in scene.plant.polls if session.device is scene.device)
    scene.attacker = session.client
    start, process = scene.world.now, scene.device.process
    number = scene.random.choice(process.numbers(SETPOINT))
    point = process.points[number]
    steps = scene.random.randrange(6, 14)
    for step in range(1, steps + 1):
        yield session.write(number, point.high + (point.high - point.low + point.high * 0.1) * step / steps) + scene.random.randrange(20, 120) * SECOND
    scene.tell("subtle_value", start, "T0836 T0831", f"{point.name} out of its range in {steps} steps")


def silence(scene: Scene) -> Actor:
    """Somebody floods a controller with connections until it answers nobody: loss of view."""
    world, start = scene.world, scene.world.now
    minutes = scene.random.randrange(2, 6)
    link = Link(world, scene.attacker, scene.device.host, scene.device.PORT)
    scene.device.host.silent = True
    while world.now < start + minutes * MINUTE:
        for number in range(20):
            link.ports[0] = scene.attacker.next_port()
            link.address()
            link.segment(world.now + number * 300, 0, b"", 2, world.random.getrandbits(32))
        yield world.now + 100 * MS
    scene.device.host.silent = False
    scene.tell("denial_of_service", start, "T0814 T0815", "a flood of connection requests; the controller answers nobody")


ATTACKS: Final[dict[str, Callable[[Scene], Actor]]] = {
    attack.__name__: attack for attack in (address_scan, unit_scan, register_sweep, write_setpoints, write_outputs, gross_value, subtle_value, silence)
}
NEEDS: Final = {"unit_scan": "modbus", "register_sweep": "modbus"}  # the protocol that an attack is made of
START: Final = 20 * MINUTE


def start(world: World, plant: Plant, names: list[str]) -> None:
    """Attack, one after another, each at its own time and from where the seed says."""
    random = world.chance("attacks")
    random.shuffle(names)
    span = world.end - world.start
    first = min(START, span // 4)
    each = (span - first) // max(len(names), 1)
    foreign = plant.host("unknown", "attacker")
    for number, name in enumerate(names):
        at = world.start + first + number * each + random.randrange(max(each // 3, 1))
        able = [device for device in plant.devices if NEEDS.get(name, "") in ("", device.PROTOCOL)]
        if not able:
            continue
        scene = Scene(world, plant, random, foreign, random.choice(able))
        world.enter(ATTACKS[name](scene), at)
