"""Recording one minute: packets with their payload, and zeros where a repetition writes what changes."""

from __future__ import annotations

import ipaddress
import itertools
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

MILLISECOND: Final = 1_000  # times are microseconds from the beginning of the minute; what is before it happens once
SECOND: Final = 1_000_000
PERIOD: Final = 60 * SECOND
QUIET: Final = 100 * MILLISECOND  # at the end of the minute nothing is begun: every exchange ends in the minute it began in

FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
SYN_OPTIONS: Final = bytes.fromhex("020405b4 01010402")  # largest segment 1460, selective acknowledgements
LARGEST_SEGMENT: Final = 1460
WHOLE, FRAGMENT, TCP, UDP = 0, 1, 6, 17  # what a repetition fills in: nothing, the IPv4 header, that and the transport's
PROTOCOLS: Final = ("modbus", "iec104", "dnp3", "s7comm", "enip")
OTHER: Final = len(PROTOCOLS)

# what becomes of a value from one minute to the next
COUNT, WAVE, FLOAT, CLOCK = range(4)


class Place(NamedTuple):
    """Where in a message a changing value stands: `value` numbers it."""

    offset: int
    octets: int
    little: bool
    value: int


class Message(NamedTuple):
    """Octets with zeros in the places of changing values."""

    octets: bytes
    places: Sequence[Place] = ()
    request: bool = False
    counted: bool = True  # False: junk that is no message of the protocol


class Value(NamedTuple):
    """A changing value. COUNT: base + repetitions · scale · what the counter counts in a minute. WAVE and FLOAT: base + amplitude · shape(time)."""

    kind: int
    base: int = 0
    counter: int = 0
    scale: int = 0
    shape: int = 0
    amplitude: int = 0
    time: int = 0  # where on the shape the minute begins, in microseconds
    unit: int = 1  # microseconds a step of the shape


class Row(NamedTuple):
    """One packet. `twin` is the row whose IP identification it shares (a duplicate, a fragment), or -1."""

    time: int
    frame: bytes
    network: int  # where the IP header begins
    transport: int
    way: int
    sequence: int
    acknowledge: int
    flags: int
    length: int  # of the transport's header and what follows
    total: int  # of the 16-bit words behind the fixed header of the transport
    protocol: int
    messages: int
    requests: int
    twin: int


class Piece(NamedTuple):
    """Octets of a value that stand together in one frame: the first is value >> shift, the next value >> (shift + step)."""

    row: int
    offset: int
    octets: int
    shift: int
    step: int
    value: int


class Host(NamedTuple):
    """An end."""

    number: int
    ip: bytes
    mac: bytes


@dataclass(slots=True)
class Way:
    """One direction between two ports. `advance` moves a client's port, in every minute a new one; `gain` is what the sequence number gains in a minute."""

    source: Host
    head: bytes
    network: int
    source_port: int
    target_port: int
    advance: tuple[int, int] = (0, 0)  # of source and target port
    gain: int = 0
    opposite: int = -1


def ones_sum(octets: bytes) -> int:
    """The sum of 16-bit words as the Internet checksum adds them."""
    return int.from_bytes(octets + bytes(len(octets) & 1), "big") % 0xFFFF


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    return ~ones_sum(octets) & 0xFFFF


def padded(frame: bytes) -> bytes:
    """Not shorter than Ethernet allows."""
    return frame + bytes(max(60 - len(frame), 0))


@dataclass(slots=True)
class Template:
    """What was recorded. `horizon` is where recording ends: the whole minute, or less where fewer packets are wanted."""

    seed: int
    horizon: int = PERIOD
    rows: list[Row] = field(default_factory=list[Row])
    pieces: list[Piece] = field(default_factory=list[Piece])
    values: list[Value] = field(default_factory=list[Value])
    counters: list[int] = field(default_factory=list[int])
    ways: list[Way] = field(default_factory=list[Way])
    hosts: dict[str, Host] = field(default_factory=dict[str, Host])
    ports: Counter[int] = field(default_factory=Counter[int])  # clients' ports given out, by host
    oddities: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])  # what was done on purpose, from which row on

    @property
    def end(self) -> int:
        """Nothing is begun from here on."""
        return min(self.horizon, PERIOD - QUIET)

    def host(self, address: str) -> Host:
        """The host with this IPv4 address."""
        if address not in self.hosts:
            packed = ipaddress.IPv4Address(address).packed
            self.hosts[address] = Host(len(self.hosts), packed, b"\x02\x1b" + packed)
        return self.hosts[address]

    def value(self, value: Value) -> int:
        """Number a changing value."""
        self.values.append(value)
        return len(self.values) - 1

    def counter(self) -> int:
        """A new counter; whoever counts adds to `counters`."""
        self.counters.append(0)
        return len(self.counters) - 1

    def counted(self, counter: int, base: int, scale: int = 1) -> int:
        """A value that goes on counting: it stands where the counter stands now, from `base` on."""
        return self.value(Value(COUNT, base + scale * self.counters[counter], counter, scale))

    def port(self, host: Host) -> int:
        """The next port of a client, from 0."""
        self.ports[host.number] += 1
        return self.ports[host.number] - 1

    def both_ways(self, client: str, server: str, transport: int, port: int, vlan: int = 0, client_port: int | None = None) -> tuple[int, int]:
        """The two directions between two ports; without `client_port` it is another one in every minute."""
        ends = self.host(client), self.host(server)
        moving = client_port is None
        ports = (self.port(ends[0]) if client_port is None else client_port, port)
        first = len(self.ways)
        for side in (0, 1):
            source, target = ends[side], ends[1 - side]
            tag = struct.pack(">HH", 0x8100, vlan) if vlan else b""
            network = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, transport, 0) + source.ip + target.ip
            head = target.mac + source.mac + tag + b"\x08\x00" + network
            advance = (int(moving and side == 0), int(moving and side == 1))
            self.ways.append(Way(source, head, 14 + len(tag), ports[side], ports[1 - side], advance, opposite=first + 1 - side))
        return first, first + 1

    def add(self, row: Row) -> int:
        """One more packet."""
        self.rows.append(row)
        return len(self.rows) - 1

    def again(self, number: int, time: int) -> None:
        """The same packet a second time, as a mirror port gives it."""
        row = self.rows[number]
        copy = self.add(row._replace(time=time, messages=0, requests=0, twin=number))
        self.pieces += [piece._replace(row=copy) for piece in self.pieces_of(number)]

    def pieces_of(self, number: int) -> list[Piece]:
        """The pieces of a row added a moment ago."""
        found: list[Piece] = []
        for piece in reversed(self.pieces):
            if piece.row < number:
                break
            if piece.row == number:
                found.append(piece)
        return found

    def datagram(self, time: int, way: int, payload: bytes, protocol: int = OTHER, places: Sequence[Place] = (), messages: int = 0) -> None:
        """One datagram of UDP."""
        going = self.ways[way]
        frame = padded(going.head + bytes(8) + payload)
        length = 8 + len(payload)
        row = self.add(Row(time, frame, going.network, UDP, way, 0, 0, 0, length, ones_sum(payload), protocol, messages, 0, -1))
        self.place(row, going.network + 28, places, 0, len(payload))

    def place(self, row: int, start: int, places: Sequence[Place], first: int, end: int) -> None:
        """The changing octets among payload[first:end], which stand in the frame of a row from `start` on."""
        for offset, octets, little, value in places:
            low, high = max(offset, first), min(offset + octets, end)
            if low < high:
                step = 8 if little else -8
                shift = (0 if little else 8 * (octets - 1)) + step * (low - offset)
                self.pieces.append(Piece(row, start + low - first, high - low, shift, step, value))


class Connection:
    """A TCP connection; side 0 is the client. What `lasting` says goes on in the next minute; another one is opened again, from a new port."""

    def __init__(self, template: Template, random: Random, client: str, server: str, port: int, protocol: int = OTHER, vlan: int = 0, lasting: bool = True):
        self.template, self.random, self.protocol = template, random, protocol
        client_port = 49152 + template.port(template.host(client)) % 16000 if lasting else None
        self.ways = template.both_ways(client, server, TCP, port, vlan, client_port)
        self.next = [random.getrandbits(32), random.getrandbits(32)]
        if random.random() < 0.05:
            self.next[0] = (1 << 32) - random.randrange(1, 2000)  # wraps soon
        self.lasting = lasting
        if not lasting:
            for way in self.ways:
                template.ways[way].gain = random.getrandbits(32)

    def segment(self, time: int, side: int, payload: bytes, flags: int, sequence: int | None = None, messages: int = 0, requests: int = 0) -> int:
        """One segment of a side; without `sequence` the next one."""
        way = self.ways[side]
        going = self.template.ways[way]
        at = self.next[side] if sequence is None else sequence
        options = SYN_OPTIONS if flags & SYN else b""
        frame = padded(going.head + bytes(20) + options + payload)
        if sequence is None:
            gained = len(payload) + (1 if flags & (SYN | FIN) else 0)
            self.next[side] += gained
            if self.lasting and time >= 0:
                going.gain += gained
        acknowledge = self.next[1 - side] if flags & ACK else 0
        length = 20 + len(options) + len(payload)
        total = ones_sum(options + payload)
        row = Row(time, frame, going.network, TCP, way, at, acknowledge, flags, length, total, self.protocol, messages, requests, -1)
        return self.template.add(row)

    def open(self, time: int) -> int:
        """The handshake. Returns the time after it."""
        self.segment(time, 0, b"", SYN)
        self.segment(time + 400, 1, b"", SYN | ACK)
        self.segment(time + 600, 0, b"", ACK)
        return time + 1000

    def acknowledge(self, time: int, side: int) -> None:
        """An acknowledgement without payload."""
        self.segment(time, side, b"", ACK)

    def close(self, time: int) -> None:
        """The end of both directions."""
        self.segment(time, 0, b"", FIN | ACK)
        self.segment(time + 400, 1, b"", FIN | ACK)
        self.segment(time + 600, 0, b"", ACK)

    def send(self, time: int, side: int, messages: Sequence[Message], splits: int = 0, clean: bool = False) -> int:
        """Messages in as few segments as they need, or in `splits` more. Returns the time after the last.

        Unless `clean`, a few of them come out of order, twice, or are sent again.
        """
        payload = b"".join(message.octets for message in messages)
        cuts = set(range(LARGEST_SEGMENT, len(payload), LARGEST_SEGMENT))
        if splits and len(payload) > splits:
            cuts |= set(self.random.sample(range(1, len(payload)), splits))
        borders = [0, *sorted(cuts), len(payload)]
        begin, first = self.next[side], len(self.template.rows)
        times = [time + 80 * number for number in range(len(borders) - 1)]
        if not clean and len(times) == 2 and len(messages) == 1 and self.random.random() < 0.2:
            times.reverse()
        late, ordered = times.index(max(times)), times == sorted(times)
        for number, (low, high) in enumerate(itertools.pairwise(borders)):
            done, asked = self._done(messages, low, high) if ordered else self._done(messages, 0, len(payload) if number == late else 0)
            row = self.segment(times[number], side, payload[low:high], PUSH | ACK if high == len(payload) else ACK, None, done, asked)
            at = 0
            for message in messages:
                self.template.place(
                    row,
                    self.template.ways[self.ways[side]].network + 40,
                    [place._replace(offset=place.offset + at) for place in message.places],
                    low,
                    high,
                )
                at += len(message.octets)
        self._note(first, splits, len(messages), ordered)
        after = max(times) + 80
        chance = 1.0 if clean else self.random.random()
        if chance < 0.0008:
            self.template.again(first, times[0] + 3)
            self.template.oddities.append(("duplicate", len(self.template.rows) - 1))
        elif chance < 0.0014:
            self._resend(first, after + 1500, side, begin)
            after += 1580
            self.template.oddities.append(("retransmission", len(self.template.rows) - 1))
        return after

    def _done(self, messages: Sequence[Message], low: int, high: int) -> tuple[int, int]:
        """How many messages, and how many requests, end in payload[low:high]."""
        at, done, asked = 0, 0, 0
        for message in messages:
            at += len(message.octets)
            if low < at <= high and message.counted:
                done += 1
                asked += message.request
        return done, asked

    def _resend(self, number: int, time: int, side: int, sequence: int) -> None:
        """The payload of a row once more, in a packet of its own."""
        row = self.template.rows[number]
        start = row.network + 40
        payload = row.frame[start : start + row.length - 20]
        pieces = self.template.pieces_of(number)
        copy = self.segment(time, side, payload, PUSH | ACK, sequence)
        self.template.pieces += [piece._replace(row=copy) for piece in pieces]

    def _note(self, row: int, splits: int, messages: int, ordered: bool) -> None:
        odd = (("split", splits > 0), ("several", messages > 1), ("out_of_order", not ordered))
        self.template.oddities += [(what, row) for what, present in odd if present]
