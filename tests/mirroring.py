"""What mirror ports do to a capture, done to one on purpose, so that tests know exactly what is missing."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.wire import MS, SECOND, Packet, ethernet, ipv4, sum16, udp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

SINCE_1900: Final = 2_208_988_800


def load(path: Path) -> list[Packet]:
    """The packets of a classic capture, little endian, microseconds."""
    content, at, packets = path.read_bytes(), 24, list[Packet]()
    assert content[:4] == b"\xd4\xc3\xb2\xa1"
    while at < len(content):
        seconds, micro, captured, wire = struct.unpack_from("<IIII", content, at)
        packets.append(Packet(content[at + 16 : at + 16 + captured], seconds * SECOND + micro * 1000, wire=wire))
        at += 16 + captured
    return packets


def header(packet: Packet) -> int:
    """Where the IPv4 header of a frame begins; 0 where it has none."""
    at = 14
    while packet.data[at - 2 : at] == b"\x81\x00":
        at += 4
    return at if packet.data[at - 2 : at] == b"\x08\x00" else 0


def segment(packet: Packet) -> tuple[int, int, int] | None:
    """(source port, target port, octets of payload) of a TCP segment."""
    at = header(packet)
    if not at or packet.data[at + 9] != 6:
        return None
    total, words = int.from_bytes(packet.data[at + 2 : at + 4]), (packet.data[at] & 15) * 4
    source, target = struct.unpack_from(">HH", packet.data, at + words)
    return source, target, total - words - (packet.data[at + words + 12] >> 4) * 4


def only_from(packets: Iterable[Packet], port: int) -> list[Packet]:
    """A mirror of one direction: of TCP only what comes from this port."""
    return [packet for packet in packets if (found := segment(packet)) is None or found[0] == port]


def only_to(packets: Iterable[Packet], port: int) -> list[Packet]:
    """The other direction."""
    return [packet for packet in packets if (found := segment(packet)) is None or found[1] == port]


def lose(packets: Sequence[Packet], share: float, seed: int, may: Callable[[int], bool]) -> tuple[list[Packet], list[Packet]]:
    """(what is left, what was lost): each packet whose number `may` be lost is so with this chance."""
    dice = random.Random(seed)
    lost = [number for number in range(len(packets)) if may(number) and dice.random() < share]
    gone = set(lost)
    return [packet for number, packet in enumerate(packets) if number not in gone], [packets[number] for number in lost]


def shifted(packets: Iterable[Packet], by: int) -> list[Packet]:
    """As a system captures them whose clock is so many nanoseconds ahead."""
    return [packet.at(packet.time + by) for packet in packets]


def copied(packet: Packet, after: int = MS // 5, vlan: int | None = None, interface: int = 0) -> Packet:
    """The same packet as a mirror port behind a router sees it: TTL one less, other MAC addresses, in another VLAN."""
    at = header(packet)
    data = bytearray(packet.data)
    data[:12] = b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
    data[at + 8] -= 1
    data[at + 10 : at + 12] = b"\0\0"
    data[at + 10 : at + 12] = struct.pack(">H", sum16(bytes(data[at : at + (data[at] & 15) * 4])))
    tagged = bytes(data) if vlan is None else bytes(data[:12]) + struct.pack(">HH", 0x8100, vlan) + bytes(data[12:])
    return replace(packet, data=tagged, time=packet.time + after, wire=0, interface=interface)


def ntp(time: int, true: int, server: str = "10.0.0.9", stratum: int = 2, leap: int = 0, mode: int = 4) -> Packet:
    """An answer of a time server that was captured at `time`, and sent at `true` time (nanoseconds since 1970)."""
    told = ((true // SECOND + SINCE_1900) % 2**32) << 32 | (true % SECOND << 32) // SECOND
    body = bytes([leap << 6 | 4 << 3 | mode, stratum, 6, 0xEC]) + bytes(36) + struct.pack(">Q", told)
    return Packet(ethernet(ipv4(udp(body, 123, 40123), server, "10.0.0.1", protocol=17)), time)


def ptp(kind: int, time: int, sequence: int, true: int = 0, flags: int = 0x0200, offset: int = 37, clock: int = 0x001DC1FFFE112233) -> Packet:
    """A message of PTP over Ethernet: Sync (0), Follow_Up (8) or Announce (11)."""
    seconds, nanoseconds = divmod(true, SECOND)
    body = bytes([kind, 2]) + struct.pack(">HBxH", 64, 0, flags) + bytes(12) + struct.pack(">QHH", clock, 1, sequence) + bytes(2)
    body += struct.pack(">HII", seconds >> 32, seconds & 0xFFFFFFFF, nanoseconds) + struct.pack(">h", offset) + bytes(18)
    return Packet(ethernet(body, ethertype=0x88F7), time)


def damaged(packets: Sequence[Packet]) -> list[Packet]:
    """The demo as a bad mirror gives it: of VLAN 20 only what goes to the devices, one per cent of the rest lost, by a clock three hours ahead."""
    tagged = [packet for packet in packets if packet.data[12:14] == b"\x81\x00"]
    kept = {id(packet) for packet in only_to(tagged, 502)} | {id(packet) for packet in packets if packet.data[12:14] != b"\x81\x00"}
    left, _ = lose([packet for packet in packets if id(packet) in kept], 0.01, 1, lambda number: number > 20)
    first = packets[0].time
    told = [ntp(first + number * 64 * SECOND + MS, first + number * 64 * SECOND, "10.20.1.1") for number in range(1, 5)]
    return shifted(sorted([*left, *told], key=lambda packet: packet.time), 3 * 3600 * SECOND)
