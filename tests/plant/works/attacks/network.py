"""Attacks on the way between: a host in the middle, floods, silence, the Internet, hidden channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.attacks.scene import needs
from tests.plant.works.process import SETPOINT
from tests.plant.works.wire import SYN, Host, Link, Relay, arp
from tests.plant.works.world import MINUTE, MS, SECOND

if TYPE_CHECKING:
    from tests.plant.works.attacks.scene import Scene
    from tests.plant.works.world import Actor


def _frozen(kept: int) -> Relay:
    """What shows the client old answers: each answer that is as long and begins as one before has that one's content."""
    seen: dict[tuple[int, bytes], bytes] = {}

    def alter(side: int, payload: bytes) -> bytes:
        if side == 0 or len(payload) <= kept:
            return payload
        key = len(payload), payload[kept - 1 : kept]
        return payload[:kept] + seen.setdefault(key, payload)[kept:]

    return Relay(b"", alter)


@needs("frozen")
def man_in_the_middle(scene: Scene) -> Actor:
    """ARP tells both ends that the other is here; the client sees frozen values from then on."""
    world, session = scene.world, next(session for session in scene.plant.polls if session.device is scene.device)
    ends, attacker = (session.client, session.device.host), scene.attacker
    relay = session.frozen(_frozen)
    relay.mac = attacker.mac
    until = world.now + scene.random.randrange(3 * MINUTE, 8 * MINUTE)
    first = True
    while world.now < until:
        for host, other in (ends, ends[::-1]):
            arp(world, world.now, (attacker.mac, other.packed), (host.mac, host.packed), 2, host.mac)
        yield world.now + SECOND
        if first:
            session.link.relay, first = relay, False
        yield world.now + SECOND
    session.link.relay = None
    for host, other in (ends, ends[::-1]):
        arp(world, world.now, (other.mac, other.packed), (host.mac, host.packed), 2, host.mac)
    scene.tell(
        "T0830 T0832 T0856 T1692.002", "ARP answers put a host in the middle; answers altered on the way", victim=[end.ip for end in ends],
        macs=[attacker.mac.hex(":")],
    )  # fmt: skip


def denial_of_service(scene: Scene) -> Actor:
    """A flood of connection requests, until the controller answers nobody."""
    world, host, until = scene.world, scene.device.host, scene.world.now + scene.random.randrange(2 * MINUTE, 5 * MINUTE)
    link = Link(world, scene.attacker, host, scene.device.PORT)
    host.silent = True
    while world.now < until:
        for number in range(6):
            link.ports[0] = scene.attacker.next_port()
            link.address()
            link.segment(world.now + number * 900, 0, b"", SYN, world.random.getrandbits(32))
        yield world.now + 100 * MS
    host.silent = False
    scene.tell("T0814 T0815 T0829 T0826", "a flood of connection requests; the controller answers nobody")


def silenced(scene: Scene) -> Actor:
    """A controller is cut off: nobody attacks visibly, it just answers no more. Whoever did it is not to be seen."""
    minutes = scene.random.randrange(4, 15)
    scene.device.host.silent = True
    yield scene.world.now + minutes * MINUTE
    scene.device.host.silent = False
    scene.tell("T0829 T0815 T0826 T0804", f"a controller cut off for {minutes} minutes", attacker=[])


def slowed_poll(scene: Scene) -> Actor:
    """Somebody on the screen's own machine polls a controller far less often than usual."""
    session = scene.screen()
    session.stretch = scene.random.uniform(4, 10)
    yield scene.world.now + scene.random.randrange(6 * MINUTE, 15 * MINUTE)
    told = session.stretch
    session.stretch = 1.0
    scene.tell("T0829 T0815", f"a poll {told:.1f} times slower")


@needs("round", "write")
def internet_access(scene: Scene) -> Actor:
    """A host on the Internet reads and writes through the gateway."""
    random, plant = scene.random, scene.plant
    address = f"{random.choice((5, 45, 62, 89, 103, 185, 193))}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    scene.attacker = Host("outside", address, plant.gateway.mac, "internet", 50)
    session = plant.session(scene.attacker, scene.device, plant.gateway)
    session.open()
    for _ in range(random.randrange(4, 20)):
        session.round()
        yield session.now + scene.pause(0.5, 6)
    number = scene.some(SETPOINT)
    point = scene.device.process.points[number]
    session.write(number, random.uniform(point.low, point.high))
    session.close()
    yield from scene.restored()
    scene.tell("T0883 T0822 T0886 T0855", "a controller read and written from the Internet", session.now)


def foreign_content(scene: Scene) -> Actor:
    """The port of an industrial protocol carries something else: a command channel out of the plant, from the historian."""
    random, plant = scene.random, scene.plant
    outside = Host("outside", f"{random.choice((5, 45, 91, 185))}.{random.randrange(256)}.{random.randrange(256)}.9", plant.gateway.mac, "internet", 52)
    scene.attacker = plant.historian
    link = Link(scene.world, plant.historian, outside, scene.device.PORT)
    link.open()
    for _ in range(random.randrange(20, 80)):
        time = link.say(max(scene.world.now, link.free), 0, random.randbytes(random.randrange(30, 200)))
        time = link.say(time + 40 * MS, 1, random.randbytes(random.randrange(60, 900)))
        link.acknowledge(time + 2 * MS, 0)
        link.free = time + 4 * MS
        yield link.free + scene.pause(0.5, 12)
    link.close()
    scene.tell("T0885 T0869", f"something that is no {scene.device.PROTOCOL} on its port", link.free, victim=[outside.ip])


@needs(protocol="modbus")
def register_channel(scene: Scene) -> Actor:
    """A file leaves through a controller: one host writes it into registers piece by piece, another reads them."""
    random, plant, device = scene.random, scene.plant, scene.device
    octets = random.randbytes(random.randrange(6000, 20000))
    writer = plant.session(random.choice((plant.historian, plant.screens[0])), device)
    writer.open()
    reader = scene.session()
    size = random.choice((50, 80, 100, 120))
    first = device.memory  # type: ignore[attr-defined]
    for at in range(0, len(octets), 2 * size):
        part = octets[at : at + 2 * size].ljust(2 * size, b"\0")
        writer.write_block(first, [int.from_bytes(part[n : n + 2]) for n in range(0, len(part), 2)])
        yield writer.now + scene.pause(0.1, 0.5)
        reader.read(3, first, size)
        yield reader.now + scene.pause(0.1, 1)
    writer.close()
    reader.close()
    both = [writer.client.ip, scene.attacker.ip]
    scene.tell("T0882 T0802 T0869 T0867", f"{len(octets)} octets of a file through registers {first}…", reader.now, attacker=both)


@needs("round", "write")
def other_port(scene: Scene) -> Actor:
    """A foreign host reaches the controller through a port that was never meant for it: a forwarder listens there."""
    session = scene.plant.session(scene.attacker, scene.device)
    port = session.link.ports[1] = scene.random.choice((4444, 8080, scene.random.randrange(5000, 40000)))
    session.open()
    for _ in range(scene.random.randrange(10, 40)):
        session.round()
        yield session.now + scene.pause(0.5, 4)
    session.close()
    scene.tell("T0885 T0869 T0884", f"{scene.device.PROTOCOL} over port {port}", session.now)
