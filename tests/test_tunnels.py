"""Packets inside of packets: every kind of tunnel, what only looks like one, and tunnels inside of tunnels."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.require import need
from tests.test_link import REQUEST, RESPONSE, assert_nothing_outside_counts, decoded
from tests.wire import SECOND, START, Packet, Talk, ethernet, ipv4, ipv6, mbap, said, save, udp, watch, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GATES: Final = ("192.0.2.1", "192.0.2.2")


def inner(packet: Packet) -> bytes:
    """The IP packet of a frame, without padding."""
    return packet.data[14 : 14 + int.from_bytes(packet.data[16:18])]


def framed(packet: Packet) -> bytes:
    return packet.data[:14] + inner(packet)


def over_ip(payload: bytes, protocol: int) -> bytes:
    return ethernet(ipv4(payload, *GATES, protocol))


def gre(payload: bytes, kind: int, flags: int = 0, fields: bytes = b"") -> bytes:
    return struct.pack(">HH", flags, kind) + fields + payload


def gtpu(payload: bytes, teid: int = 7, flags: int = 0x30, fields: bytes = b"", kind: int = 255) -> bytes:
    return over_ip(udp(struct.pack(">BBHI", flags, kind, len(fields) + len(payload), teid) + fields + payload, 2152, 2152), 17)


def vxlan(frame: bytes, number: int = 42, flags: int = 8) -> bytes:
    return over_ip(udp(struct.pack(">B3xI", flags, number << 8) + frame, 50000, 4789), 17)


def pppoe(payload: bytes, kind: int = 0x21, session: int = 9) -> bytes:
    return ethernet(struct.pack(">BBHHH", 0x11, 0, session, len(payload) + 2, kind) + payload, ethertype=0x8864)


def mpls(payload: bytes, *labels: int) -> bytes:
    stack = b"".join(struct.pack(">I", label << 12 | (0x100 if i == len(labels) - 1 else 0) | 64) for i, label in enumerate(labels))
    return ethernet(stack + payload, ethertype=0x8847)


# fmt: off
KINDS: Final[dict[str, tuple[Callable[[Packet], bytes], str, int | None]]] = {
    "gre": (lambda p: over_ip(gre(inner(p), 0x0800), 47), "gre", None),
    "gre key": (lambda p: over_ip(gre(inner(p), 0x0800, 0xB000, struct.pack(">III", 0, 77, 5)), 47), "gre", 77),
    "gre bridged": (lambda p: over_ip(gre(framed(p), 0x6558), 47), "gre", None),
    "gre over ipv6": (lambda p: ethernet(ipv6(gre(inner(p), 0x0800), "2001:db8::1", "2001:db8::2", 47), ethertype=0x86DD), "gre", None),
    "gre mpls": (lambda p: over_ip(gre(struct.pack(">I", 55 << 12 | 0x1FF) + inner(p), 0x8847), 47), "gre", None),
    "erspan 1": (lambda p: over_ip(gre(framed(p), 0x88BE), 47), "erspan", None),
    "erspan 2": (lambda p: over_ip(gre(struct.pack(">HHI", 0x1000, 0x3F, 0) + framed(p), 0x88BE, 0x1000, bytes(4)), 47), "erspan", 63),
    "erspan 3": (lambda p: over_ip(gre(struct.pack(">HHII", 0x2000, 5, 0, 0) + framed(p), 0x22EB, 0x1000, bytes(4)), 47), "erspan", 5),
    "erspan 3 platform": (lambda p: over_ip(gre(struct.pack(">HHII8x", 0x2000, 5, 0, 1) + framed(p), 0x22EB, 0x1000, bytes(4)), 47), "erspan", 5),
    "vxlan": (lambda p: vxlan(framed(p)), "vxlan", 42),
    "vxlan vlan": (lambda p: vxlan(p.data[:12] + b"\x81\x00\x00\x07\x08\x00" + inner(p)), "vxlan", 42),
    "gtpu": (lambda p: gtpu(inner(p)), "gtpu", 7),
    "gtpu sequence": (lambda p: gtpu(inner(p), 8, 0x32, bytes(4)), "gtpu", 8),
    "gtpu extension": (lambda p: gtpu(inner(p), 0xFFFFFFFF, 0x34, b"\0\0\0\x85" + b"\x01\x10\x09\x00"), "gtpu", 0xFFFFFFFF),
    "pppoe": (lambda p: pppoe(inner(p)), "pppoe", 9),
    "mpls": (lambda p: mpls(inner(p), 16, 17), "mpls", 17),
    "mpls ethernet": (lambda p: mpls(bytes(4) + framed(p), 99), "mpls", 99),
    "ip in ip": (lambda p: over_ip(inner(p), 4), "ipip", None),
    "vlan mpls": (lambda p: ethernet(mpls(inner(p), 5)[14:], ethertype=0x8847, vlans=(3, 4)), "mpls", 5),
    "gre in vxlan": (lambda p: vxlan(over_ip(gre(inner(p), 0x0800), 47)), "vxlan", 42),
    "gtpu in mpls": (lambda p: mpls(inner(Packet(gtpu(inner(p)))), 5), "gtpu", 7),
}
# fmt: on
SHOWN: Final = ("gre", "gre key", "gre bridged", "erspan 2", "erspan 3", "vxlan", "vxlan vlan", "gtpu", "gtpu sequence", "pppoe", "mpls", "ip in ip")


def talk() -> list[Packet]:
    return Talk().open().ask(REQUEST, RESPONSE).close().packets


def through(name: str, packets: list[Packet]) -> list[Packet]:
    return [replace(packet, data=KINDS[name][0](packet)) for packet in packets]


@pytest.mark.parametrize("name", KINDS)
def test_every_tunnel(name: str) -> None:
    plain, seen = watch(talk()), watch(through(name, talk()))
    assert said(seen.lines) == said(plain.lines)
    assert len(seen.lines) == 1
    _, kind, number = KINDS[name]
    assert [(row["network.tunnel.type"], row["network.tunnel.id"]) for row in seen.activities] == [(kind, number)]
    assert seen.totals.tunnels == {kind: len(talk())}
    assert seen.totals.undecoded_bytes == 0
    assert seen.totals.bad_checksums == 0


def test_ipv6_inside() -> None:
    packets = Talk("fd00::1", "fd00::2").open().ask(REQUEST, RESPONSE).packets
    bodies = [packet.data[14 : 54 + int.from_bytes(packet.data[18:20])] for packet in packets]
    for makers in zip(*([over_ip(b, 41), pppoe(b, 0x57), gtpu(b), mpls(b, 4), over_ip(gre(b, 0x86DD), 47)] for b in bodies), strict=True):
        seen = watch([replace(packet, data=data) for packet, data in zip(packets, makers, strict=True)])
        assert [line["values"] for line in seen.lines] == [[7]]
        assert seen.totals.undecoded_bytes == 0


def test_a_capture_without_tunnels_keeps_its_identities() -> None:
    (row,) = watch(talk()).activities
    assert row["network.tunnel.type"] is None
    assert row["network.tunnel.id"] is None


@pytest.mark.parametrize("name", ["vxlan", "gtpu", "gre key"])
def test_the_same_addresses_in_two_tunnels_are_two_conversations(name: str) -> None:
    makers: dict[str, Callable[[bytes, bytes, int], bytes]] = {
        "vxlan": lambda _, frame, n: vxlan(frame, n),
        "gtpu": lambda body, _, n: gtpu(body, n),
        "gre key": lambda body, _, n: over_ip(gre(body, 0x0800, 0x2000, struct.pack(">I", n)), 47),
    }
    packets: list[Packet] = []
    for number in (1, 2):
        said_there = Talk(time=START + number * SECOND).open().ask(REQUEST, RESPONSE).packets
        packets += [replace(packet, data=makers[name](inner(packet), framed(packet), number)) for packet in said_there]
    seen = watch(packets)
    assert sorted(row["network.tunnel.id"] for row in seen.activities) == [1, 2]
    assert len({row["id"] for row in seen.activities}) == 2
    assert seen.totals.gaps == 0


def test_two_sessions_of_mobile_users_with_the_same_addresses_and_ports() -> None:
    talks: list[list[Packet]] = []
    for number in (1, 2):
        talk = Talk(sequences=[1000 * number, 50_000 * number]).open()
        for n in range(20):
            talk.ask(mbap(n, write(10 * number, n)), mbap(n, write(10 * number, n)))
        talks.append([replace(packet, data=gtpu(inner(packet), 100 * number + packet.data[29])) for packet in talk.packets])
    seen = watch([packet for pair in zip(*talks, strict=True) for packet in pair])
    assert len(seen.lines) == 40
    assert {row["outcome"] for row in seen.lines} == {"success"}
    assert not seen.anomalies
    assert seen.totals.lost == seen.totals.one_sided == 0
    tunnels = sorted((row["ot.object.first"], row["network.tunnel.id"]) for row in seen.activities)
    assert {first: {tunnel for at, tunnel in tunnels if at == first} for first in (10, 20)} == {10: {101}, 20: {201}}


def test_each_direction_has_its_teid() -> None:
    packets = [replace(packet, data=gtpu(inner(packet), 100 if packet.data[29] == 1 else 200)) for packet in talk()]
    seen = watch(packets)
    (row,) = seen.activities
    assert (row["network.tunnel.id"], row["event.outcome"]) == (100, "success")
    assert seen.totals.one_sided == 0


# fmt: off
NONE: Final[dict[str, bytes]] = {
    "vxlan without its flag": vxlan(framed(talk()[3]), flags=0),
    "not vxlan": over_ip(udp(b"\x08" + bytes(60), 1, 4789), 17),
    "gtp echo": gtpu(b"", kind=1, flags=0x32, fields=bytes(24)),
    "gtp of another version": gtpu(inner(talk()[3]), flags=0x50),
    "gtp longer than its datagram": over_ip(udp(struct.pack(">BBHI", 0x30, 255, 500, 1) + inner(talk()[3]), 1, 2152), 17),
    "gtp with an endless extension": gtpu(inner(talk()[3]), 1, 0x34, b"\0\0\0\x85" + bytes(4)),
    "gtp with random content": gtpu(b"\x45" + bytes(50)),
    "pptp": over_ip(gre(inner(talk()[3]), 0x880B, 0x3001, bytes(8)), 47),
    "source routes": over_ip(gre(inner(talk()[3]), 0x0800, 0x4000, bytes(4)), 47),
    "ppp control": pppoe(bytes(20), 0xC021),
    "labels without end": ethernet(struct.pack(">I", 16 << 12) * 20, ethertype=0x8847),
    "inner packet longer than its tunnel": over_ip(gre(inner(talk()[3])[:-4], 0x0800), 47),
}
# fmt: on


@pytest.mark.parametrize("name", NONE)
def test_what_only_looks_like_a_tunnel(name: str) -> None:
    packet = Packet(NONE[name])
    (row,) = decoded(packet)
    seen = watch([packet])
    assert (row.tunnel, row.tunnel_id, row.realm) == (0, -1, 0)
    assert (seen.lines, seen.totals.tunnels) == ([], {})
    assert row.ethertype in (0x0800, 0x8864, 0x8847)
    outer = row.payload - row["at"]
    assert seen.totals.undecoded_bytes == len(packet.data) - outer, "its octets count as what it was outside"


def test_pppoe_discovery_is_counted() -> None:
    assert watch([Packet(ethernet(bytes(46), ethertype=0x8863))]).totals.undecoded == {"ethertype/0x8863": 46}


@pytest.mark.parametrize("name", KINDS)
def test_cut_anywhere(name: str) -> None:
    (whole,) = through(name, [talk()[3]])
    cuts = [whole.cut(octets) for octets in range(len(whole.data))]
    for octets, row in enumerate(decoded(*cuts)):
        assert row["at"] <= row.payload
        assert row.length <= row.whole
        assert row.payload + row.length <= row["at"] + octets or row.length == 0
        if row.tunnel == 0 and octets >= 14:
            assert row.whole > 0, "what is inside is there all the same"
    assert_nothing_outside_counts(cuts)


@pytest.mark.parametrize("name", KINDS)
def test_damaged_anywhere(name: str) -> None:
    dice = random.Random(name)
    packets: list[Packet] = []
    for packet in through(name, talk() * 8):
        data = bytearray(packet.data)
        for _ in range(1 + dice.randrange(3)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        packets.append(replace(packet, data=bytes(data)))
    assert_nothing_outside_counts(packets)


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 100])
def test_tunnels_in_tunnels(depth: int) -> None:
    packets: list[Packet] = []
    for packet in talk():
        body = inner(packet)
        for _ in range(depth):
            body = ipv4(gre(body, 0x0800), *GATES, 47)
        packets.append(replace(packet, data=ethernet(body)))
    seen = watch(packets)
    assert len(seen.lines) == (1 if depth <= 4 else 0)
    assert seen.totals.tunnels == {"gre": len(packets)}
    if depth > 4:
        assert seen.totals.undecoded == {"gre": sum(len(inner(packet)) + 4 + (depth - 5) * 24 for packet in talk())}


def test_random_insides() -> None:
    dice = random.Random(3)
    for _ in range(60):
        b = dice.randbytes(dice.randrange(200))
        frames = (
            over_ip(b, 47),
            over_ip(udp(b, 1, 2152), 17),
            over_ip(udp(b, 1, 4789), 17),
            over_ip(b, 4),
            *(ethernet(b, ethertype=kind) for kind in (0x8847, 0x8864)),
        )
        assert_nothing_outside_counts([Packet(frame, START + n) for n, frame in enumerate(frames)])


def test_as_tshark_says(tmp_path: Path) -> None:
    need("tshark", shutil.which("tshark") is not None, "another dissector to compare with")
    for name in SHOWN:
        packets = through(name, talk())
        path = save(packets, tmp_path / "tunnel.pcap")
        words = ["tshark", "-r", str(path), "-T", "fields", "-E", "occurrence=l"]
        fields = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.len")
        told = subprocess.run([*words, *(word for field in fields for word in ("-e", field))], capture_output=True, text=True, check=True, timeout=100)
        rows = decoded(*packets)
        mine = [[f"10.0.0.{1 if row.source_port == 40000 else 2}", f"10.0.0.{2 if row.source_port == 40000 else 1}",
                 *map(str, (row.source_port, row.target_port, row.sequence, row.whole))] for row in rows]  # fmt: skip
        assert [line.split("\t") for line in told.stdout.splitlines()] == mine, name


def test_as_scapy_builds(tmp_path: Path) -> None:
    """Another writer of the same formats, in a process of its own."""
    path = tmp_path / "scapy.pcap"
    script = """
import sys
from scapy.all import Ether, IP, UDP, TCP, GRE, VXLAN, PPPoE, PPP, Raw, wrpcap
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
inside = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=502, seq=1, flags="PA") / Raw(bytes.fromhex("000100000006010300000001"))
outside = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.1", dst="192.0.2.2")
wrpcap(sys.argv[1], [
    outside / GRE(key_present=1, key=9) / inside,
    outside / UDP(sport=1, dport=4789) / VXLAN(vni=9, flags="Instance") / Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04") / inside,
    outside / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=9) / inside,
    Ether() / PPPoE(sessionid=9) / PPP() / inside,
    Ether() / MPLS(label=9, s=1) / inside,
    outside / inside,
])
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=100, capture_output=True)
    from sensors.sensor import Sensor
    from sensors.sources.pcap import find, open_capture

    source = open_capture(find([str(path)])[0])
    sensor = Sensor("scapy")
    told = list(sensor.listen(source))
    source.close()
    rows = [row for part in told for row in part.activities.to_pylist()]
    assert {row["source.ip"] for row in rows} == {"10.0.0.1"}
    found = {(row["network.tunnel.type"], row["network.tunnel.id"]) for row in rows}
    assert found == {("gre", 9), ("vxlan", 9), ("gtpu", 9), ("pppoe", 9), ("mpls", 9), ("ipip", None)}
    assert sensor.totals.bad_checksums == 0
