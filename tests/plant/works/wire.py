"""Hosts, frames and TCP connections, as a mirror port of the plant's switch sees them."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.plant.works.world import MS, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plant.works.world import World

FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
SYN_OPTIONS: Final = bytes.fromhex("020405b4 01010402")  # largest segment 1460, selective acknowledgements
LARGEST: Final = 1460
SEGMENT: Final = struct.Struct(">14sBBHHHBBH8sHHIIBBHHH").pack
DATAGRAM: Final = struct.Struct(">14sBBHHHBBH8sHHHH").pack
PADDING: Final = tuple(bytes(60 - size) for size in range(60))
TRIES: Final = 3  # times that a segment nobody acknowledges is sent again


@dataclass(slots=True)
class Host:
    """Somebody on the network."""

    name: str
    ip: str
    mac: bytes
    role: str = ""
    ttl: int = 64
    window: int = 8192
    vendor: str = ""
    delay: int = 2 * MS  # until it answers
    silent: bool = False  # off, or too busy to answer
    ident: int = 0
    loss: float = 0.0004  # share of segments to and from it that are sent again
    port: int = 49152
    packed: bytes = b""

    def __post_init__(self) -> None:
        self.packed = ipaddress.IPv4Address(self.ip).packed

    def next_port(self) -> int:
        """An ephemeral port."""
        self.port = 49152 + (self.port - 49151) % 16000
        return self.port


def ones_sum(octets: bytes) -> int:
    """The sum of 16-bit words as the Internet checksum adds them (RFC 1071)."""
    return int.from_bytes(octets if len(octets) % 2 == 0 else octets + b"\0") % 0xFFFF


@dataclass(slots=True)
class Relay:
    """A host in the middle: each frame passes it, and `alter` may change its payload (never its length)."""

    mac: bytes
    alter: Callable[[int, bytes], bytes]
    delay: int = 600


class Link:
    """Two ports that talk over TCP; side 0 is the client."""

    __slots__ = ("client", "ends", "flags", "free", "gateway", "heads", "next", "opened", "ports", "random", "relay", "server", "sums", "world")

    def __init__(self, world: World, client: Host, server: Host, port: int, gateway: Host | None = None) -> None:
        self.world, self.client, self.server, self.gateway = world, client, server, gateway
        self.random = world.random.random
        self.ends = client, server
        self.ports = [0, port]
        self.next = [0, 0]
        self.relay: Relay | None = None
        self.free: int = 0
        self.opened = False
        self.address()

    def address(self) -> None:
        """What does not change in the headers of both ways, and its sums. What comes over the gateway bears the gateway's address on the wire."""
        mac = (self.gateway or self.client).mac
        self.heads = (self.server.mac + mac + b"\x08\0", mac + self.server.mac + b"\x08\0")
        both = self.client.packed + self.server.packed
        addresses = ones_sum(both)
        self.sums = [(0x4500 + 0x4000 + (end.ttl << 8 | 6) + addresses, addresses + 6 + sum(self.ports)) for end in self.ends]

    def segment(self, time: int, side: int, payload: bytes, flags: int = PUSH | ACK, sequence: int | None = None) -> None:
        """One segment; without `sequence` the next one."""
        end, other = self.ends[side], self.ends[1 - side]
        options = SYN_OPTIONS if flags & SYN else b""
        at = self.next[side] if sequence is None else sequence
        seen = self.next[1 - side] if flags & ACK else 0
        size = 20 + len(options) + len(payload)
        end.ident = ident = (end.ident + 1) & 0xFFFF
        base, total = self.sums[side]
        network = 0xFFFF - (base + size + 20 + ident) % 0xFFFF
        form = (5 + len(options) // 4) << 4
        window = end.window
        total += size + (at >> 16) + (at & 0xFFFF) + (seen >> 16) + (seen & 0xFFFF) + (form << 8 | flags) + window + ones_sum(options + payload)
        transport = 0xFFFF - total % 0xFFFF
        frame = SEGMENT(
            self.heads[side], 0x45, 0, size + 20, ident, 0x4000, end.ttl, 6, network % 0xFFFF, end.packed + other.packed,
            self.ports[side], self.ports[1 - side], at, seen, form, flags, window, transport % 0xFFFF, 0,
        )  # fmt: skip
        frame += options + payload
        if len(frame) < 60:
            frame += PADDING[len(frame)]
        if sequence is None:
            self.next[side] = (at + len(payload) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        if self.relay:
            self._relay(time, side, payload, frame)
        else:
            self.world.waiting.append((time, frame))

    def _relay(self, time: int, side: int, payload: bytes, frame: bytes) -> None:
        """The frame to the host in the middle, and what that makes of it."""
        relay: Any = self.relay
        put = self.world.put
        put(time, relay.mac + frame[6:])
        changed = relay.alter(side, payload) if payload else payload
        head, rest = frame[0:6] + relay.mac, frame[12:]
        if changed != payload:
            at = 34 + (frame[46] >> 4 << 2)
            transport = frame[34:50] + b"\0\0" + frame[52:at] + changed
            total = ones_sum(transport) + ones_sum(frame[26:34]) + 6 + len(transport)
            rest = frame[12:34] + transport[:16] + struct.pack(">H", (0xFFFF - total % 0xFFFF) % 0xFFFF) + transport[18:] + frame[34 + len(transport) :]
        put(time + relay.delay, head + rest)

    def open(self, port: int | None = None) -> bool:
        """The handshake; whether there was an answer. Nobody there: the same segment once more, and that is all."""
        getrandbits = self.world.random.getrandbits
        self.ports[0] = port or self.client.next_port()
        self.next = [getrandbits(32), getrandbits(32)]
        self.address()
        time = max(self.world.now, self.free)
        first = self.next[0]
        self.segment(time, 0, b"", SYN)
        if self.server.silent:
            self.segment(time + SECOND, 0, b"", SYN, first)
            self.free = time + 3 * SECOND
            return False
        after = time + 300 + int(400 * self.random())
        self.segment(after, 1, b"", SYN | ACK)
        self.segment(after + 60, 0, b"", ACK)
        self.free = after + 100
        self.opened = True
        return True

    def refused(self, port: int) -> None:
        """A port where nobody listens: the first segment, and the reset."""
        self.ports = [self.client.next_port(), port]
        self.next = [self.world.random.getrandbits(32), 0]
        self.address()
        time = max(self.world.now, self.free)
        self.segment(time, 0, b"", SYN)
        self.segment(time + 300, 1, b"", RST | ACK, 0)
        self.free = time + 400

    def close(self) -> None:
        """The end of both directions, or of one where nobody answers."""
        time = max(self.world.now, self.free)
        self.opened = False
        if self.server.silent:
            self.segment(time, 0, b"", RST | ACK)
            self.free = time + 100
            return
        self.segment(time, 0, b"", FIN | ACK)
        self.segment(time + 250, 1, b"", FIN | ACK)
        self.segment(time + 300, 0, b"", ACK)
        self.free = time + 400

    def say(self, time: int, side: int, payload: bytes) -> int:
        """Octets of a side, in as many segments as they need; returns the time after them. A few are lost and sent again."""
        if len(payload) <= LARGEST:
            if self.random() < self.server.loss:
                at = self.next[side]
                self.segment(time, side, payload)
                time += (200 + int(60 * self.random())) * MS
                self.segment(time, side, payload, PUSH | ACK, at)
            else:
                self.segment(time, side, payload)
            return time + 30
        for low in range(0, len(payload), LARGEST):
            self.segment(time, side, payload[low : low + LARGEST], PUSH | ACK if low + LARGEST >= len(payload) else ACK)
            time += 130
        return time

    def acknowledge(self, time: int, side: int) -> None:
        """An acknowledgement without payload."""
        self.segment(time, side, b"", ACK)

    def unheard(self, time: int, payload: bytes) -> int:
        """Octets of the client that nobody acknowledges: again and again, then a reset. Returns the time after that."""
        at = self.next[0]
        self.segment(time, 0, payload)
        wait = 300 * MS
        for _ in range(TRIES):
            time += wait
            self.segment(time, 0, payload, PUSH | ACK, at)
            wait *= 2
        self.segment(time + wait, 0, b"", RST | ACK)
        self.opened = False
        self.free = time + wait + 100
        return self.free


def datagram(world: World, time: int, source: Host, target: Host, ports: tuple[int, int], payload: bytes, mac: bytes = b"") -> None:
    """A datagram of UDP. `mac`: where it goes on the wire, if not to the target's own address."""
    source.ident = ident = (source.ident + 1) & 0xFFFF
    size = 8 + len(payload)
    both = source.packed + target.packed
    network = 0xFFFF - (0x4500 + size + 20 + ident + (source.ttl << 8 | 17) + ones_sum(both)) % 0xFFFF
    transport = 0xFFFF - (ones_sum(both) + 17 + 2 * size + sum(ports) + ones_sum(payload)) % 0xFFFF
    frame = DATAGRAM(
        (mac or target.mac) + source.mac + b"\x08\0", 0x45, 0, size + 20, ident, 0, source.ttl, 17, network % 0xFFFF, both, *ports, size, transport
    )  # fmt: skip
    world.put(time, (frame + payload).ljust(60, b"\0"))


def arp(world: World, time: int, sender: tuple[bytes, bytes], target: tuple[bytes, bytes], operation: int = 1, to: bytes = b"\xff" * 6) -> None:
    """ARP (RFC 826); ends are MAC and IP address. 1 asks, 2 answers."""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender[0] + sender[1] + target[0] + target[1]
    world.put(time, (to + sender[0] + b"\x08\x06" + body).ljust(60, b"\0"))


def resolve(world: World, time: int, who: Host, whom: Host) -> None:
    """Who has this address? It has."""
    arp(world, time, (who.mac, who.packed), (bytes(6), whom.packed))
    if not whom.silent:
        arp(world, time + 250, (whom.mac, whom.packed), (who.mac, who.packed), 2, who.mac)


@dataclass(slots=True)
class Network:
    """The hosts by address."""

    hosts: dict[str, Host] = field(default_factory=dict[str, Host])

    def add(self, host: Host) -> Host:
        """Plug one in."""
        self.hosts[host.ip] = host
        return host
