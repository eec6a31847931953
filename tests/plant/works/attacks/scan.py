"""Looking around: addresses, ports, units, registers, what a device is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.attacks.scene import needs
from tests.plant.works.wire import Link, arp, resolve
from tests.plant.works.world import MS

if TYPE_CHECKING:
    from tests.plant.works.attacks.scene import Scene
    from tests.plant.works.wire import Host
    from tests.plant.works.world import Actor


def _knock(scene: Scene, host: Host, port: int) -> None:
    """Does anybody listen there?"""
    link = Link(scene.world, scene.attacker, host, port)
    if any(device.host is host and port == device.PORT for device in scene.plant.devices):
        if link.open():
            link.close()
    else:
        link.refused(port)


def _sweep(scene: Scene, low: float, high: float, few: int) -> Actor:
    world, plant, port = scene.world, scene.plant, scene.device.PORT
    found: list[str] = []
    numbers = scene.random.sample(range(1, 255), few) if few < 254 else list(range(1, 255))
    for last in numbers:
        host = plant.network.hosts.get(f"{plant.subnet}.{last}")
        yield world.now + scene.pause(low, high)
        if host is scene.attacker:
            continue
        if host is None or host.silent:
            arp(world, world.now, (scene.attacker.mac, scene.attacker.packed), (bytes(6), scene.attacker.packed[:3] + bytes((last,))))
            continue
        resolve(world, world.now, scene.attacker, host)
        found.append(host.ip)
        yield world.now + 2 * MS
        _knock(scene, host, port)
    pace = "fast" if high < 1 else "slow"
    scene.tell("T0846", f"{pace}: {len(numbers)} addresses of {plant.subnet}.0/24, and port {port} of who is there", victim=found)


def address_scan(scene: Scene) -> Actor:
    """Every address of the network: who has it, and does it listen where controllers do?"""
    yield from _sweep(scene, 0.01, 0.06, 254)


def slow_scan(scene: Scene) -> Actor:
    """The same at a leisurely pace."""
    yield from _sweep(scene, 4, 20, 120)


def port_scan(scene: Scene) -> Actor:
    """Many ports of one controller."""
    world, ports = scene.world, [21, 22, 23, 25, 53, 80, 102, 110, 135, 139, 443, 445, 502, 789, 1089, 1911, 2222, 2404, 3389, 4840, 4911, 5007, 9600]
    ports += scene.random.sample(range(1024, 65536), 100)
    for port in scene.random.sample(ports, len(ports)):
        _knock(scene, scene.device.host, port)
        yield world.now + scene.pause(0.002, 0.05)
    scene.tell("T0846 T0846.001", f"{len(ports)} ports")


@needs(protocol="modbus")
def unit_scan(scene: Scene) -> Actor:
    """Which units are behind this address?"""
    session = scene.session()
    for unit in range(1, 248):
        session.read(3, 0, 1, unit)
        yield session.now + scene.pause(0.005, 0.04)
    session.close()
    scene.tell("T0846 T0888", "units 1 to 247 asked for a register", session.now)


@needs(protocol="modbus")
def register_sweep(scene: Scene) -> Actor:
    """Every register, block by block: what is there?"""
    session, step = scene.session(), scene.random.choice((1, 10, 16, 64, 100))
    for table in (1, 2, 3, 4):
        for first in range(0, step * 40, step):
            session.read(table, first, step)
            yield session.now + scene.pause(0.002, 0.06)
    session.close()
    scene.tell("T0861 T0801 T0802", f"blocks of {step} in all four tables", session.now)


@needs(protocol="modbus")
def function_scan(scene: Scene) -> Actor:
    """Which functions does it have?"""
    session = scene.session()
    writes, asks_nothing = (5, 6, 8, 15, 16, 20, 21, 22, 23, 24, 43), (7, 11, 12, 17)
    for code in range(1, 100):
        if code not in writes:
            session.ask(code, b"" if code in asks_nothing else bytes((0, 0, 0, 1)))
            yield session.now + scene.pause(0.005, 0.05)
    session.close()
    scene.tell("T0888 T0846", "functions 1 to 99 but those that write or need more words", session.now)


@needs(protocol="s7comm")
def block_sweep(scene: Scene) -> Actor:
    """Which data blocks are there?"""
    session = scene.session()
    for block in range(1, scene.random.randrange(60, 200)):
        session.read(block, 0, 2)
        yield session.now + scene.pause(0.005, 0.05)
    session.close()
    scene.tell("T0861 T0801 T0802", "the first octets of one data block after another", session.now)


@needs("identify")
def identification(scene: Scene) -> Actor:
    """What are you? Asked of every device that can tell."""
    victims: list[str] = []
    for device in scene.plant.devices:
        if device.host.silent or not hasattr(scene.plant.speaks(device), "identify"):
            continue
        scene.device = device
        session = scene.session()
        yield session.identify() + scene.pause(0.05, 0.5)
        session.close()
        victims.append(device.host.ip)
    scene.tell("T0888", "the identity of every device", victim=victims)
