"""What goes on all the time: polls, the historian, clocks, names, addresses."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from tests.plant.works import office
from tests.plant.works.wire import Host, arp, datagram, resolve
from tests.plant.works.world import MINUTE, MS, SECOND

if TYPE_CHECKING:
    from tests.plant.works.plant import Plant
    from tests.plant.works.world import Actor, World

EPOCH_OF_NTP = 2_208_988_800


def poll(world: World, session: Any, period: int, jitter: int) -> Actor:
    """Read everything every `period`; where nobody answers, connect again, less and less often."""
    random = world.random.random
    due = world.now + int(period * random())
    wait = 2 * SECOND
    while True:
        yield due
        if world.now < session.paused:
            due = session.paused
            continue
        if not session.link.opened:
            if session.open():
                wait = 2 * SECOND
                yield session.now
            else:
                due = session.now + wait
                wait = min(wait * 2, 30 * SECOND)
                continue
        session.round()
        due += int(period * session.stretch)
        if due < session.link.free:
            due = session.link.free + period // 4
        due += int(jitter * random())


def asks_for_addresses(world: World, plant: Plant) -> Actor:
    """Everybody asks for the addresses of whom it talks to, once in a while."""
    random = world.today("arp")
    pairs = [(session.client, session.device.host) for session in plant.polls]
    while True:
        yield world.now + int(random.expovariate(len(pairs) / 600) * SECOND)
        who, whom = random.choice(pairs)
        if not who.silent:
            resolve(world, world.now, who, whom)


def ntp(world: World, who: Host, server: Host, every: int) -> Actor:
    """Ask for the time (RFC 5905)."""
    random = world.today(f"ntp {who.ip}")
    yield world.now + int(every * random.random())
    while True:
        now = world.now
        sent = struct.pack(">II", now // SECOND + EPOCH_OF_NTP, (now % SECOND << 32) // SECOND)
        ask = bytes((0x23, 0, 6, 0xEC)) + bytes(36) + sent
        told = struct.pack(">II", now // SECOND + EPOCH_OF_NTP, ((now + 300) % SECOND << 32) // SECOND)
        answer = bytes((0x24, 2, 6, 0xE9)) + struct.pack(">II4s", 60, 90, bytes((10, 0, 0, 1))) + told + sent + told + told
        datagram(world, now, who, server, (123, 123), ask)
        datagram(world, now + 400, server, who, (123, 123), answer)
        yield now + every + random.randrange(4 * SECOND)


def names(world: World, who: Host, server: Host, asked: list[str]) -> Actor:
    """Ask for names (RFC 1035)."""
    random = world.today(f"dns {who.ip}")
    while True:
        yield world.now + int(random.expovariate(1 / 900) * SECOND)
        name = b"".join(bytes((len(part),)) + part.encode() for part in random.choice(asked).split(".")) + b"\0"
        number, port = random.randrange(65536), who.next_port()
        question = name + struct.pack(">HH", 1, 1)
        datagram(world, world.now, who, server, (port, 53), struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question)
        answer = struct.pack(">HHHHHH", number, 0x8180, 1, 1, 0, 0) + question + struct.pack(">HHHIH", 0xC00C, 1, 1, 3600, 4) + random.randbytes(4)
        datagram(world, world.now + 700, server, who, (53, port), answer)


def lease(world: World, who: Host, server: Host) -> int:
    """Get an address (RFC 2131): discover, offer, request, acknowledge. Returns the time after it."""
    time, number = world.now, world.random.randbytes(4)
    anybody = Host("anybody", "255.255.255.255", b"\xff" * 6)
    nobody = Host("", "0.0.0.0", who.mac, ttl=who.ttl)
    for kind, sender, ports in ((1, nobody, (68, 67)), (2, server, (67, 68)), (3, nobody, (68, 67)), (5, server, (67, 68))):
        given = bytes(4) if sender is nobody else who.packed
        head = struct.pack(">BBBB4sHH4s4s4s4s", 1 + (sender is server), 1, 6, 0, number, 0, 0x8000, bytes(4), given, server.packed, bytes(4))
        name = who.name.encode()
        options = bytes((53, 1, kind, 61, 7, 1)) + who.mac + (bytes((12, len(name))) + name if sender is nobody else bytes((54, 4)) + server.packed)
        if kind == 3:
            options += bytes((50, 4)) + who.packed
        elif sender is server:
            options += bytes((51, 4)) + struct.pack(">I", 86400) + bytes((1, 4, 255, 255, 255, 0, 3, 4)) + server.packed
        body = head + who.mac + bytes(10 + 64 + 128) + bytes.fromhex("63825363") + options + b"\xff"
        datagram(world, time, sender, anybody, ports, body.ljust(300, b"\0"))
        time += 30 * MS
    arp(world, time, (who.mac, who.packed), (bytes(6), who.packed))
    return time


def announce(world: World, plant: Plant) -> None:
    """Everybody who was there before the capture began says so now and then."""
    for host in plant.network.hosts.values():
        arp(world, world.now + world.random.randrange(MINUTE), (host.mac, host.packed), (bytes(6), host.packed))


def start(world: World, plant: Plant) -> None:
    """Let the plant run."""
    random = world.chance("routine")
    announce(world, plant)
    many = 1 + len(plant.devices) // 20  # a master with many controllers asks each less often
    usual = random.choice((1, 2, 2, 5, 5)) * SECOND * many
    for device in plant.devices:
        rate = random.choice((usual, usual, usual, usual * 2))
        session = plant.session(plant.operator_of[device.host.ip], device)
        plant.polls.append(session)
        world.enter(poll(world, session, rate, rate // 100), world.now + random.randrange(3 * SECOND))
    slow = random.choice((10, 15, 30, 60)) * SECOND * many
    for device in plant.devices:
        if random.random() < 0.8:
            session = plant.session(plant.historian, device)
            plant.polls.append(session)
            world.enter(poll(world, session, slow, 200 * MS), world.now + random.randrange(20 * SECOND))
    world.enter(asks_for_addresses(world, plant))
    server = plant.host("DC-1", "server")
    arp(world, world.now + SECOND, (server.mac, server.packed), (bytes(6), server.packed))
    for host in (*plant.screens, plant.historian, plant.engineering):
        world.enter(ntp(world, host, server, random.choice((64, 256, 1024)) * SECOND))
        world.enter(names(world, host, server, [f"{other.name.lower()}.plant.local" for other in plant.network.hosts.values()]))
    office.start(world, plant, server)
    world.dawn(plant.random)
