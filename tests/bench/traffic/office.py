"""What else there is on such a network: names, web pages, time, logs, ARP, multicast over IPv6, fragments."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tests.bench.traffic.template import (
    FRAGMENT,
    MILLISECOND,
    OTHER,
    SECOND,
    UDP,
    WHOLE,
    Connection,
    Message,
    Row,
    checksum,
    ones_sum,
    padded,
)  # fmt: skip

if TYPE_CHECKING:
    from random import Random

    from tests.bench.traffic.template import Template

A_SECOND: Final = 130  # of all of these
NAMES, WEB, LOGS, TIME = "10.0.0.53", "10.0.0.80", "10.0.0.9", "10.0.0.1"


class Office:
    """Hosts of an office."""

    def __init__(self, template: Template, random: Random) -> None:
        self.template, self.random = template, random

    def run(self) -> None:
        """A minute of it."""
        random, time = self.random, 10 * MILLISECOND
        kinds = (self._name, self._page, self._time, self._log, self._arp, self._multicast, self._fragments)
        while time < self.template.end:
            host = f"10.0.{random.randrange(3)}.{random.randrange(100, 160)}"
            random.choices(kinds, (45, 35, 8, 5, 3, 3, 1))[0](time, host)
            time += 1 + int(random.expovariate(A_SECOND) * SECOND)

    def _name(self, time: int, host: str) -> None:
        ways = self.template.both_ways(host, NAMES, UDP, 53)
        number, name = struct.pack(">H", self.random.getrandbits(16)), b"\x04srv%d\x05plant\x05local\x00\x00\x01\x00\x01" % self.random.randrange(10)
        answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"
        self.template.datagram(time, ways[0], number + struct.pack(">HHHHH", 0x100, 1, 0, 0, 0) + name)
        self.template.datagram(time + MILLISECOND, ways[1], number + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + name + answer)

    def _page(self, time: int, host: str) -> None:
        random, connection = self.random, Connection(self.template, self.random, host, WEB, self.random.choice((80, 80, 8080)), lasting=False)
        asked = b"GET /index%d.html HTTP/1.1\r\nHost: srv\r\nUser-Agent: Mozilla/5.0\r\n\r\n" % random.randrange(99)
        octets = random.randrange(200, 9000)
        page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % octets + b"<p>abc</p>" * (octets // 10) + b"x" * (octets % 10)
        after = connection.send(connection.open(time), 0, [Message(asked)])
        after = connection.send(after + 2 * MILLISECOND, 1, [Message(page)], clean=True)
        connection.acknowledge(after + 500, 0)
        connection.close(after + MILLISECOND)

    def _time(self, time: int, host: str) -> None:
        (way, _) = self.template.both_ways(host, TIME, UDP, 123, client_port=123)
        self.template.datagram(time, way, b"\x23\x00\x06\xec" + bytes(44))

    def _log(self, time: int, host: str) -> None:
        (way, _) = self.template.both_ways(host, LOGS, UDP, 514, client_port=514)
        self.template.datagram(time, way, b"<134>Jan 01 00:00:00 host app[123]: " + b"message text " * self.random.randrange(3, 30))

    def _whole(self, time: int, frame: bytes) -> None:
        self.template.add(Row(time, padded(frame), 14, WHOLE, 0, 0, 0, 0, 0, 0, OTHER, 0, 0, -1))

    def _arp(self, time: int, host: str) -> None:
        end = self.template.host(host)
        target = self.template.host(TIME).ip
        self._whole(time, b"\xff" * 6 + end.mac + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + end.mac + end.ip + bytes(6) + target)

    def _multicast(self, time: int, host: str) -> None:
        """A service is looked for (mDNS)."""
        end = self.template.host(host)
        addresses = bytes.fromhex("fe80000000000000021b0afffe0000") + end.ip[3:] + bytes.fromhex("ff0200000000000000000000000000fb")
        asked = struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 0) + b"\x05_http\x04_tcp\x05local\x00\x00\x0c\x00\x01"
        head = struct.pack(">HHH", 5353, 5353, 8 + len(asked))
        total = checksum(addresses + struct.pack(">II", 8 + len(asked), 17) + head + b"\0\0" + asked)
        network = struct.pack(">IHBB", 0x60000000, 8 + len(asked), 17, 255) + addresses
        self._whole(time, b"\x33\x33\x00\x00\x00\xfb" + end.mac + b"\x86\xdd" + network + head + struct.pack(">H", total or 0xFFFF) + asked)

    def _fragments(self, time: int, host: str) -> None:
        """One long datagram in two packets."""
        source, target = self.template.host(host), self.template.host(LOGS)
        text = b"<134>Jan 01 00:00:00 host app[123]: " + b"f" * 1764
        pseudo = source.ip + target.ip + struct.pack(">BBH", 0, 17, 8 + len(text))
        head = struct.pack(">HHH", 514, 514, 8 + len(text))
        whole = head + struct.pack(">H", ~ones_sum(pseudo + head + b"\0\0" + text) & 0xFFFF or 0xFFFF) + text
        (way, _) = self.template.both_ways(host, LOGS, UDP, 514, client_port=514)
        first = -1
        for number, (part, offset) in enumerate(((whole[:1480], 0x2000), (whole[1480:], 1480 // 8))):
            network = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(part), 0, offset, 64, 17, 0) + source.ip + target.ip
            frame = padded(target.mac + source.mac + b"\x08\x00" + network + part)
            row = self.template.add(Row(time + 10 * number, frame, 14, FRAGMENT, way, 0, 0, 0, len(part), 0, OTHER, 0, 0, first))
            first = row if first < 0 else first
