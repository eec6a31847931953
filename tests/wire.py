"""Packets and capture files made by hand: a small writer for tests. Lengths and checksums are right."""

from __future__ import annotations

import io
import ipaddress
import random
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.listing import Listing
from sensors.pcapng import Interface, Writer
from sensors.pcapng import Packet as Recorded
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from records.errors import BalefireError
    from records.model import Asset
    from sensors.coverage import Totals
    from sensors.source import Drop, Tick

SECOND: Final = 1_000_000_000
MS: Final = 1_000_000
START: Final = 1_700_000_040 * SECOND  # where a minute begins
CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
ETHERNET, NULL, RAW, SLL, SLL2 = 1, 0, 101, 113, 276


@dataclass(frozen=True, slots=True)
class Packet:
    """Octets of a link, when they were seen, and how many there were if the capture cut them."""

    data: bytes
    time: int = START
    linktype: int = ETHERNET
    wire: int = 0
    interface: int = 0

    def cut(self, octets: int) -> Packet:
        """As a snap length leaves it."""
        return replace(self, data=self.data[:octets], wire=max(len(self.data), self.wire))

    def at(self, time: int) -> Packet:
        """The same at another time."""
        return replace(self, time=time)


def mac(address: str) -> bytes:
    """A MAC address for a host."""
    return b"\x02\x00" + ipaddress.ip_address(address).packed[-4:]


def sum16(data: bytes) -> int:
    """The Internet checksum of these octets."""
    return 0xFFFF - (int.from_bytes(data + bytes(len(data) & 1)) % 0xFFFF or (0xFFFF if any(data) else 0))


def checked(payload: bytes, ends: bytes, protocol: int) -> bytes:
    """A segment or datagram with its checksum, where it has none yet and is long enough to have one."""
    at = {6: 16, 17: 6}.get(protocol, len(payload))
    if len(payload) < at + 2 or payload[at : at + 2] != b"\0\0":
        return payload
    told = sum16(ends + struct.pack(">II", len(payload), protocol) + payload) or 0xFFFF
    return payload[:at] + struct.pack(">H", told) + payload[at + 2 :]


def tcp(payload: bytes, source: int, target: int, sequence: int, acknowledge: int = 0, flags: int = PUSH | ACK, options: bytes = b"") -> bytes:
    """A segment."""
    head = struct.pack(">HHIIBBHHH", source, target, sequence & 0xFFFFFFFF, acknowledge & 0xFFFFFFFF, (20 + len(options)) << 2, flags, 8192, 0, 0)
    return head + options + payload


def udp(payload: bytes, source: int, target: int) -> bytes:
    """A datagram."""
    return struct.pack(">HHHH", source, target, 8 + len(payload), 0) + payload


def ipv4(
    payload: bytes, source: str = CLIENT, target: str = SERVER, protocol: int = 6, total: int | None = None, fragment: int = 0, options: bytes = b"",
    number: int = 1,
) -> bytes:  # fmt: skip
    """A packet of IPv4. `fragment`: flags and offset; `total`: another length than the right one."""
    header = 20 + len(options)
    length = header + len(payload) if total is None else total
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    head = struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, length, number, fragment, 64, protocol, 0) + ends + options
    head = head[:10] + struct.pack(">H", sum16(head)) + head[12:]
    return head + (payload if fragment else checked(payload, ends, protocol))


def ipv6(payload: bytes, source: str, target: str, protocol: int = 6, extensions: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """A packet of IPv6. `extensions`: (number, body of 6, 14 … octets) of headers between; 44 is a fragment header and has 8 octets in all."""
    kinds = [number for number, _ in extensions] + [protocol]
    between = b"".join(
        bytes([following, 0 if number == 44 else (len(body) - 6) // 8]) + body for (number, body), following in zip(extensions, kinds[1:], strict=True)
    )
    head = struct.pack(">IHBB", 6 << 28, len(between) + len(payload), kinds[0], 64)
    ends = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(target).packed
    return head + ends + between + checked(payload, ends, protocol)


def ethernet(payload: bytes, source: str = CLIENT, target: str = SERVER, ethertype: int = 0x0800, vlans: Sequence[int] = (), outer: int = 0x8100) -> bytes:
    """A frame, padded to the least that a wire carries. Of several VLANs the outer one comes first."""
    tags = b"".join(struct.pack(">HH", outer if i == 0 else 0x8100, vlan) for i, vlan in enumerate(vlans))
    frame = mac(target) + mac(source) + tags + struct.pack(">H", ethertype) + payload
    return frame + bytes(max(60 - len(frame), 0))


def link(payload: bytes, linktype: int, source: str = CLIENT, target: str = SERVER) -> bytes:
    """An IP packet as this link type carries it."""
    six = payload[0] >> 4 == 6
    ethertype = 0x86DD if six else 0x0800
    if linktype == ETHERNET:
        return ethernet(payload, source, target, ethertype)
    if linktype == SLL:
        return struct.pack(">HHH", 0, 1, 6) + mac(source) + b"\0\0" + struct.pack(">H", ethertype) + payload
    if linktype == SLL2:
        return struct.pack(">HHIHBB", ethertype, 0, 1, 1, 0, 6) + mac(source) + b"\0\0" + payload
    if linktype in (NULL, 108):
        return struct.pack("<I" if linktype == NULL else ">I", 10 if six else 2) + payload
    return payload


@dataclass(slots=True)
class Talk:
    """A TCP connection whose segments are put on `packets`; time goes on by a millisecond a segment."""

    client: str = CLIENT
    server: str = SERVER
    port: int = 502
    client_port: int = 40000
    sequences: list[int] = field(default_factory=lambda: [1000, 2000])  # next of client and server
    time: int = START
    linktype: int = ETHERNET
    vlans: tuple[int, ...] = ()
    packets: list[Packet] = field(default_factory=list[Packet])

    def segment(self, side: int, payload: bytes, sequence: int, flags: int = PUSH | ACK, acknowledge: int | None = None) -> Packet:
        """One segment of a side (0: the client), anywhere in its stream, put nowhere."""
        ends = (self.client, self.server) if side == 0 else (self.server, self.client)
        ports = (self.client_port, self.port) if side == 0 else (self.port, self.client_port)
        seen = self.sequences[1 - side] if acknowledge is None else acknowledge
        self.time += MS
        body = tcp(payload, *ports, sequence, seen if flags & ACK else 0, flags)
        packet = ipv6(body, *ends) if ":" in self.client else ipv4(body, *ends)
        if self.vlans:
            return Packet(ethernet(packet, *ends, 0x86DD if ":" in self.client else 0x0800, self.vlans), self.time)
        return Packet(link(packet, self.linktype, *ends), self.time, self.linktype)

    def put(self, side: int, payload: bytes, flags: int = PUSH | ACK) -> Packet:
        """The next segment of a side."""
        packet = self.segment(side, payload, self.sequences[side], flags)
        self.sequences[side] = (self.sequences[side] + len(payload) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
        self.packets.append(packet)
        return packet

    def open(self) -> Talk:
        """The handshake."""
        self.put(0, b"", SYN)
        self.put(1, b"", SYN | ACK)
        self.put(0, b"", ACK)
        return self

    def ask(self, request: bytes, response: bytes = b"") -> Talk:
        """A request and its response, a segment each."""
        self.put(0, request)
        if response:
            self.put(1, response)
        return self

    def lose(self, side: int, octets: int) -> Talk:
        """Octets of a side that the capture does not have."""
        self.sequences[side] = (self.sequences[side] + octets) & 0xFFFFFFFF
        return self

    def close(self) -> Talk:
        """The end of both directions."""
        self.put(0, b"", FIN | ACK)
        self.put(1, b"", FIN | ACK)
        self.put(0, b"", ACK)
        return self


def mbap(transaction: int, pdu: bytes, unit: int = 1, length: int | None = None, protocol: int = 0) -> bytes:
    """A Modbus/TCP message."""
    return struct.pack(">HHHB", transaction & 0xFFFF, protocol, 1 + len(pdu) if length is None else length, unit) + pdu


def rtu(pdu: bytes, unit: int = 1) -> bytes:
    """A Modbus message of the serial line."""
    crc = 0xFFFF
    for octet in bytes([unit]) + pdu:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return bytes([unit]) + pdu + struct.pack("<H", crc)


def read(first: int, count: int, code: int = 3) -> bytes:
    """A request to read."""
    return struct.pack(">BHH", code, first, count)


def registers(*values: int, code: int = 3) -> bytes:
    """The answer to it."""
    return struct.pack(f">BB{len(values)}H", code, 2 * len(values), *values)


def write(first: int, value: int, code: int = 6) -> bytes:
    """A request to write one point, and its answer."""
    return struct.pack(">BHH", code, first, value)


def write_many(first: int, *values: int) -> bytes:
    """A request to write registers."""
    return struct.pack(f">BHHB{len(values)}H", 16, first, len(values), 2 * len(values), *values)


def error(code: int, reason: int = 2) -> bytes:
    """The answer of a device that refuses."""
    return bytes([code | 0x80, reason])


def pcap(packets: Iterable[Packet]) -> bytes:
    """A capture file, of nanoseconds; all packets of one link type."""
    listed = list(packets)
    whole = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, listed[0].linktype if listed else ETHERNET)]
    for packet in listed:
        seconds, rest = divmod(packet.time, SECOND)
        whole += [struct.pack("<IIII", seconds, rest, len(packet.data), max(packet.wire, len(packet.data))), packet.data]
    return b"".join(whole)


def pcapng(packets: Iterable[Packet]) -> bytes:
    """The same as a pcapng of one interface, as Balefire writes it."""
    file, interface = io.BytesIO(), Interface("eth0", ETHERNET, 0)
    writer = Writer(file)
    for packet in packets:
        writer.add(Recorded(packet.time, len(packet.data), packet.data, interface))
    return file.getvalue()


def save(packets: Iterable[Packet], path: Path) -> Path:
    """Write a capture file."""
    path.write_bytes(pcap(packets))
    return path


class Feed:
    """Packets as a source: `each` a call, of any link types; `poison` fills the memory around them."""

    def __init__(self, packets: Sequence[Packet], each: int = 1 << 30, poison: int | None = None, names: Sequence[str] = ("",)) -> None:
        self.name = "feed"
        self.error: BalefireError | None = None
        self.interfaces: Sequence[str] = names
        self.drops: Sequence[Drop] = ()
        self.ticks: Sequence[Tick] = ()
        self.patient = True
        self._packets, self._each, self._poison = packets, each, poison
        self._next = 0

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """See `sensors.source.Source`."""
        room = len(memory) - start
        taken: list[Packet] = []
        places: list[int] = []
        at = start
        if self._poison is not None:
            np.asarray(memory)[start:] = self._poison
        while self._next < len(self._packets) and len(taken) < min(self._each, len(packets)):
            packet = self._packets[self._next]
            if at + len(packet.data) + 16 > start + room:
                break
            np.asarray(memory)[at : at + len(packet.data)] = np.frombuffer(packet.data, np.uint8)
            taken.append(packet)
            places.append(at)
            at += len(packet.data) + 16
            self._next += 1
        count = len(taken)
        packets.time[:count] = [packet.time for packet in taken]
        packets.number[:count] = range(self._next - count + 1, self._next + 1)
        packets["at"][:count] = places
        packets.captured[:count] = [len(packet.data) for packet in taken]
        packets.wire[:count] = [max(packet.wire, len(packet.data)) for packet in taken]
        packets.interface[:count] = [packet.interface for packet in taken]
        packets.linktype[:count] = [packet.linktype for packet in taken]
        return count

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sensor says of some packets."""

    activities: list[dict[str, Any]]
    points: list[dict[str, Any]]
    coverage: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    totals: Totals
    assets: tuple[Asset, ...]
    tables: dict[str, list[dict[str, Any]]]  # the same, for comparison

    @property
    def payload(self) -> int:
        """Octets of payload that were judged or counted as not understood."""
        return self.totals.decoded_bytes + self.totals.undecoded_bytes

    @property
    def anomalies(self) -> list[str]:
        """Of all operations."""
        return [name for line in self.lines for name in line["anomaly"]]


class Watching(Listing):
    """A sensor that says all it can say of what it hears, so that one run is enough."""

    def __init__(self, batch: int) -> None:
        Sensor.__init__(self, "observer", "site", "file", batch=batch)
        self.file, self.lines = "file", []


def watch(packets: Sequence[Packet], batch: int = 1 << 20, each: int = 1 << 30, poison: int | None = None, names: Sequence[str] = ("",)) -> Seen:
    """Run packets through the sensor, and check what always holds."""
    sensor = Watching(batch)
    told = list(sensor.listen(Feed(packets, each, poison, names)))
    tables = {name: [row for part in told for row in getattr(part, name).to_pylist()] for name in ("activities", "points", "coverage")}
    listed: list[dict[str, Any]] = sensor.lines
    totals = sensor.totals
    for name, rows in tables.items():
        assert len({row["id"] for row in rows}) == len(rows), f"one identity twice in {name}"
    assert sum(row["ot.count"] for row in tables["activities"]) == totals.operations, "operations that no activity counts"
    assert len(listed) == totals.operations, "the listing shows other operations"
    assert sum(totals.effects.values()) == sum(totals.access.values()) == totals.operations
    assert sum(row["packets"] for row in tables["coverage"]) == totals.packets == len(packets)
    return Seen(tables["activities"], tables["points"], tables["coverage"], listed, totals, sensor.assets(), tables)


def said(listed: Iterable[dict[str, Any]], *more: str) -> list[dict[str, Any]]:
    """Lines of the listing without what depends on how they were carried."""
    left_out = {"file", "packet", "response_packet", "time", "rtt_us", *more}
    return [{name: value for name, value in line.items() if name not in left_out} for line in listed]


# fmt: off
EXCHANGES: Final = (  # request, answer, operations
    (read(0, 2), registers(1, 2), 1),
    (read(0, 3), registers(1, 2, 3), 1),
    (read(10, 1, 4), registers(7, code=4), 1),
    (b"\x01\x00\x05\x00\x0a", b"\x01\x02\xff\x03", 1),
    (read(0, 125), registers(*range(125)), 1),
    (write(3, 7), write(3, 7), 1),
    (write(3, 0xFF00, 5), write(3, 0xFF00, 5), 1),
    (write_many(20, *range(100)), b"\x10\x00\x14\x00\x64", 1),
    (b"\x16\x00\x04\x00\xf2\x00\x25", b"\x16\x00\x04\x00\xf2\x00\x25", 1),
    (b"\x17\x00\x03\x00\x01\x00\x0e\x00\x01\x02\x00\xff", b"\x17\x02\x00\xfe", 2),
    (b"\x2b\x0e\x01\x00", b"\x2b\x0e\x01\x01\x00\x00\x01\x00\x04Acme", 1),
    (read(9000, 1), error(3), 1),
    (b"\x18\x00\x01", error(0x18, 1), 1),
    (b"\x08\x00\x00\xa5\x37", b"\x08\x00\x00\xa5\x37", 1),
)
# fmt: on


def hard(seed: int, size: int = 60) -> list[Packet]:
    """A capture with some of everything that goes wrong: loss, disorder, repetition, reuse, noise, cut packets, late ones, jumps of time."""
    dice = random.Random(seed)
    talks = [
        Talk(
            f"10.0.0.{1 + n % 3}", f"10.0.1.{n % 4}", client_port=40000 + n, port=502 if n % 5 else 5020, sequences=[dice.getrandbits(32), dice.getrandbits(32)]
        )
        for n in range(8)
    ]
    talks.append(Talk("fd00::1", "fd00::2", vlans=(7, 9)))
    for talk in talks[::2]:
        talk.open()
    for step in range(size * len(talks)):
        talk = dice.choice(talks)
        talk.time = max(talk.time, START + step * dice.choice((1, 20, 400)) * MS)
        _mishap(talk, dice, step)
    packets = sorted((packet for talk in talks for packet in talk.packets), key=lambda packet: packet.time)
    noise = [Packet(dice.randbytes(dice.randrange(120)), START + dice.randrange(90 * SECOND)) for _ in range(size)]
    packets = sorted([*packets, *noise], key=lambda packet: packet.time)
    for _ in range(size):
        place = dice.randrange(len(packets) - 1)
        packets[place], packets[place + 1] = packets[place + 1], packets[place]
    late = [packets[dice.randrange(len(packets))] for _ in range(size // 4)]
    for packet in late:
        packets.insert(dice.randrange(len(packets)), packet.at(packet.time - dice.choice((1, 70, 400, 8000)) * SECOND))
    packets.insert(len(packets) // 2, packets[0].at(START + 40 * 24 * 3600 * SECOND))
    jump = [packet.at(packet.time + 7200 * SECOND) for packet in packets[-size:]]
    return [*packets, *jump]


def _mishap(talk: Talk, dice: random.Random, step: int) -> None:
    """An exchange in which something may go wrong."""
    request, response, _ = dice.choice(EXCHANGES)
    asked, answered = mbap(step, request, 1 + step % 3), mbap(step, response, 1 + step % 3)
    chance = dice.randrange(16)
    if chance == 0:
        talk.put(0, dice.randbytes(dice.randrange(1, 300)))
    elif chance == 1:
        talk.put(0, asked)
        talk.packets[-1] = talk.packets[-1].cut(dice.randrange(20, 70))
    elif chance == 2:
        talk.lose(0, len(asked)).put(1, answered)
    elif chance == 3:
        talk.put(0, asked)
    elif chance == 4:
        place = dice.randrange(1, len(asked))
        talk.put(0, asked[:place])
        talk.put(0, asked[place:])
        talk.packets[-2:] = reversed(talk.packets[-2:])
        talk.put(1, answered)
    elif chance == 5:
        talk.put(0, asked[: dice.randrange(1, len(asked))], FIN | ACK)
        talk.sequences = [dice.getrandbits(32), dice.getrandbits(32)]
        talk.open()
    elif chance == 6:
        talk.put(0, asked)
        talk.put(1, answered)
        talk.packets += [talk.packets[-2].at(talk.time), talk.packets[-1].at(talk.time)]
    else:
        talk.ask(asked, answered)
