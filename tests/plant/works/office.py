"""What else is on such a network: switches that say where one is plugged in, pages, encrypted talk."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tests.plant.works.wire import LARGEST, Link
from tests.plant.works.world import MS, SECOND

if TYPE_CHECKING:
    from tests.plant.works.plant import Plant
    from tests.plant.works.wire import Host
    from tests.plant.works.world import Actor, World

NEAREST_BRIDGE: Final = bytes.fromhex("0180c200000e")


def lldp(world: World, switch: Host, port: int) -> Actor:
    """A switch tells its name and port (IEEE 802.1AB) every half minute."""

    def part(kind: int, octets: bytes) -> bytes:
        return struct.pack(">H", kind << 9 | len(octets)) + octets

    name = switch.name.encode()
    told = part(1, b"\4" + switch.mac) + part(2, b"\5" + f"Gi1/0/{port}".encode()) + part(3, struct.pack(">H", 120))
    told += (
        part(5, name)
        + part(6, b"Industrial Ethernet switch")
        + part(7, bytes((0, 4, 0, 4)))
        + part(8, b"\5\1" + switch.packed + b"\2\0\0\0\1\0")
        + part(0, b"")
    )
    frame = (NEAREST_BRIDGE + switch.mac + b"\x88\xcc" + told).ljust(60, b"\0")
    yield world.now + world.random.randrange(30 * SECOND)
    while True:
        world.put(world.now, frame)
        yield world.now + 30 * SECOND + world.random.randrange(20 * MS)


def talk(link: Link, turns: list[tuple[int, bytes]]) -> int:
    """Turns of both sides over a connection that is opened for it and closed after it; long ones are acknowledged as they come."""
    if not link.open():
        return link.free
    time = link.free
    for side, octets in turns:
        for at in range(0, len(octets), 2 * LARGEST):
            time = link.say(time, side, octets[at : at + 2 * LARGEST])
            link.acknowledge(time + 100, 1 - side)
            time += 400
    link.free = time
    link.close()
    return link.free


def pages(world: World, who: Host, server: Host, every: float) -> Actor:
    """Look at the server's page now and then (RFC 9110)."""
    random = world.today(f"http {who.ip}")
    link = Link(world, who, server, 80)
    while True:
        yield world.now + int(random.expovariate(1 / every) * SECOND)
        ask = f"GET /{random.choice(('status', 'trend', 'report', 'alarms'))} HTTP/1.1\r\nHost: {server.ip}\r\nUser-Agent: Mozilla/5.0\r\n\r\n"
        body = random.choice((b"<html><body>", b"<table>")) + b"0" * random.randrange(200, 6000)
        answer = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        yield talk(link, [(0, ask.encode()), (1, answer)])


def record(kind: int, octets: bytes) -> bytes:
    """A TLS record (RFC 8446)."""
    return struct.pack(">BHH", kind, 0x0303, len(octets)) + octets


def hello(random_octets: bytes, name: str) -> bytes:
    """A client's first record."""
    host = name.encode()
    server_name = struct.pack(">HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    extensions = server_name + bytes.fromhex("002b0003020304 000a00040002001d 000d0004000204 03")
    body = b"\3\3" + random_octets + b"\0" + bytes.fromhex("0004 1301 1302 0100") + struct.pack(">H", len(extensions)) + extensions
    return record(22, b"\1" + len(body).to_bytes(3) + body)


def answer(random_octets: bytes) -> bytes:
    """A server's first records."""
    body = b"\3\3" + random_octets + b"\0" + bytes.fromhex("1301 00 0006 002b00020304")
    return record(22, b"\2" + len(body).to_bytes(3) + body) + record(20, b"\1")


def encrypted(world: World, who: Host, server: Host, every: float) -> Actor:
    """Talk over TLS now and then: updates, directory, mail."""
    random = world.today(f"tls {who.ip}")
    link = Link(world, who, server, 443)
    while True:
        yield world.now + int(random.expovariate(1 / every) * SECOND)
        turns = [(0, hello(random.randbytes(32), f"{server.name.lower()}.plant.local")), (1, answer(random.randbytes(32)))]
        for _ in range(random.randrange(2, 6)):
            turns += [(0, record(23, random.randbytes(random.randrange(80, 600)))), (1, record(23, random.randbytes(random.randrange(200, 9000))))]
        yield talk(link, turns)


def start(world: World, plant: Plant, server: Host) -> None:
    """Let the rest of the network talk."""
    random = world.chance("office")
    for number in range(1 + len(plant.devices) // 16):
        switch = plant.host(f"SW-{number + 1}", "switch", random.choice(("000da0", "ecf4bb", "000e8c")), named=random)
        world.enter(lldp(world, switch, random.randrange(1, 25)))
    web = plant.historian
    for host in (*plant.screens, plant.engineering):
        world.enter(pages(world, host, web, random.uniform(300, 1800)))
        world.enter(encrypted(world, host, server, random.uniform(200, 1500)))
