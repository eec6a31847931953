"""Frames to packets: every link type, tags, headers between, packets that were cut, and what nobody would send."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.engine.tables import PACKET
from sensors.sensor import Sensor
from tests.examples import as_many
from tests.wire import (
    ACK,
    ETHERNET,
    MS,
    NULL,
    RAW,
    SECOND,
    SLL,
    SLL2,
    START,
    Feed,
    Packet,
    Talk,
    ethernet,
    hard,
    ipv4,
    ipv6,
    link,
    mbap,
    read,
    registers,
    said,
    tcp,
    udp,
    watch,
    write_many,
)

REQUEST, RESPONSE = mbap(1, read(0, 1)), mbap(1, registers(7))


def decoded(*packets: Packet) -> Any:
    """The rows of these packets."""
    sensor = Sensor("link")
    count = Feed(packets).batch(sensor.arena, len(sensor.arena) - (1 << 20), sensor.packets)
    assert sensor.decode(0, count) == count
    return sensor.packets[:count]


@pytest.mark.parametrize("linktype", [ETHERNET, SLL, SLL2, NULL, 108, RAW, 12, 14])
@pytest.mark.parametrize("ends", [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
def test_every_link_type(linktype: int, ends: tuple[str, str]) -> None:
    seen = watch(Talk(*ends, linktype=linktype).open().ask(REQUEST, RESPONSE).packets)
    (line,) = seen.lines
    assert (line["source"]["ip"], line["destination"]["ip"], line["values"]) == (*ends, [7])
    assert (line["source"]["mac"] is not None) == (linktype in (ETHERNET, SLL, SLL2))
    assert seen.totals.grade == 100.0


@pytest.mark.parametrize("vlans", [(5,), (100, 7), (0,), (1, 2, 3, 4095)])
@pytest.mark.parametrize("ends", [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
def test_tags(vlans: tuple[int, ...], ends: tuple[str, str]) -> None:
    talk = Talk(*ends, vlans=vlans).open().ask(REQUEST, RESPONSE)
    seen = watch(talk.packets)
    assert [row["network.vlan.id"] for row in seen.activities] == [vlans[-1]]
    outer = [Packet(packet.data[:12] + b"\x88\xa8" + packet.data[14:], packet.time) for packet in talk.packets]
    assert said(watch(outer).lines) == said(seen.lines)


def test_a_packet_seen_on_two_vlans_is_told_once() -> None:
    """A switch that mirrors routed traffic shows it before and behind the router."""
    packets = [packet for n in (1, 2) for packet in Talk(vlans=(n,), time=START + n * MS).ask(REQUEST).packets]
    assert [row["network.vlan.id"] for row in watch(packets).activities] == [1]


EXTENSIONS = [
    [(0, bytes(6))],
    [(60, bytes(14))],
    [(0, bytes(6)), (43, bytes(22)), (60, bytes(6))],
    [(44, bytes(6))],  # a fragment that is the whole datagram
    [(135, bytes(6)), (0, bytes(6)), (44, bytes(6)), (60, bytes(6))],
]


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_headers_between(extensions: list[tuple[int, bytes]]) -> None:
    body = tcp(REQUEST, 40000, 502, 1)
    seen = watch([Packet(ethernet(ipv6(body, "fd00::1", "fd00::2", 6, extensions), ethertype=0x86DD))])
    assert [line["object"]["first"] for line in seen.lines] == [0]


def test_what_is_not_ip() -> None:
    packets = [Packet(ethernet(bytes(46), ethertype=kind)) for kind in (0x0806, 0x88B8, 0x88B8, 0x8892)]
    seen = watch(packets)
    assert seen.totals.undecoded == {"ethertype/0x0806": 46, "ethertype/0x88b8": 92, "ethertype/0x8892": 46}
    assert seen.totals.packets == 4


@pytest.mark.parametrize("kind", [0x88B8, 0x88BA, 0x8899, 0x88A4, 0x88AB, 0x88CD, 0x88E3])
@pytest.mark.parametrize("vlans", [(), (5,), (2, 3)])
def test_industrial_ethernet_is_handed_on(kind: int, vlans: tuple[int, ...]) -> None:
    packet = Packet(ethernet(bytes(range(80)), ethertype=kind, vlans=vlans))
    (row,) = decoded(packet)
    assert (row.ethertype, row.source, row.target, row.transport) == (kind, -1, -1, -1)
    assert row.payload - row["at"] == 14 + 4 * len(vlans)
    assert (row.length, row.whole) == (80, 80)
    assert watch([packet]).totals.undecoded == {f"ethertype/0x{kind:04x}": 80}


@pytest.mark.parametrize("order", ["<I", ">I"])
@pytest.mark.parametrize("linktype", [NULL, 108])
def test_address_families(order: str, linktype: int) -> None:
    """A loopback's family is in the order of the machine that captured, and IPv6 has another number on each."""
    four, six = ipv4(tcp(REQUEST, 40000, 502, 1)), ipv6(tcp(REQUEST, 40000, 502, 1), "fd00::1", "fd00::2")
    for family, body in ((2, four), (10, six), (24, six), (28, six), (30, six)):
        (row,) = decoded(Packet(struct.pack(order, family) + body, linktype=linktype))
        assert (row.ethertype, row.whole, row.target_port) == (0x0800 if family == 2 else 0x86DD, len(REQUEST), 502)
    for family, body in ((7, four), (2, six), (30, four), (0x12345678, four)):
        assert watch([Packet(struct.pack(order, family) + body, linktype=linktype)]).lines == []


def test_the_loopback_of_linux_has_no_address() -> None:
    body = ipv4(tcp(REQUEST, 40000, 502, 1))
    first = struct.pack(">HHH", 0, 772, 6) + bytes(8) + b"\x08\0" + body
    second = struct.pack(">HHIHBB", 0x0800, 0, 1, 772, 0, 6) + bytes(8) + body
    for data, linktype in ((first, SLL), (second, SLL2)):
        (row,) = decoded(Packet(data, linktype=linktype))
        assert (row.source_mac, row.ethertype, row.whole) == (-1, 0x0800, len(REQUEST))


def test_lengths_in_place_of_ethertypes() -> None:
    inner = ipv4(tcp(REQUEST, 40000, 502, 1))
    snap = b"\xaa\xaa\x03\0\0\0\x08\0" + inner
    (row,) = decoded(Packet(ethernet(snap, ethertype=len(snap))))
    assert (row.ethertype, row.whole, row.target_port) == (0x0800, len(REQUEST), 502)
    spanning_tree = b"\x42\x42\x03" + bytes(35)
    packet = Packet(ethernet(spanning_tree, ethertype=38))
    (row,) = decoded(packet)
    assert (row.whole, row.length) == (38, 38), "padding is none of it"
    assert watch([packet, Packet(ethernet(b"\xf0\xf0\x03", ethertype=3))]).totals.undecoded == {"llc": 38 + 3}
    cooked = struct.pack(">HHH", 0, 1, 6) + bytes(8) + b"\0\x04" + spanning_tree
    assert watch([Packet(cooked, linktype=SLL)]).totals.undecoded == {"llc": 38}


def test_padding_is_no_payload() -> None:
    rows = decoded(Packet(ethernet(ipv4(tcp(b"", 1, 2, 3)))), Packet(ethernet(ipv4(tcp(b"abc", 1, 2, 3)))))
    assert rows.length.tolist() == rows.whole.tolist() == [0, 3]


def test_length_zero_is_that_of_the_frame() -> None:
    whole = [link(ipv4(tcp(data, *ports, 1), *ends, total=0), RAW) for data, ports, ends in (
        (REQUEST, (40000, 502), ("10.0.0.1", "10.0.0.2")), (RESPONSE, (502, 40000), ("10.0.0.2", "10.0.0.1")))]  # fmt: skip
    assert [line["values"] for line in watch([Packet(data, linktype=RAW) for data in whole]).lines] == [[7]]


def test_options_are_stepped_over() -> None:
    body = tcp(REQUEST, 40000, 502, 1, options=bytes(12))
    assert len(watch([Packet(ethernet(ipv4(body, options=bytes(8))))]).lines) == 1


@pytest.mark.parametrize("octets", range(1, 80))
def test_cut_anywhere(octets: int) -> None:
    talk = Talk().open()
    for n in range(3):
        talk.ask(mbap(n, write_many(n, 1, 2, 3)), mbap(n, b"\x10" + struct.pack(">HH", n, 3)))
    seen = watch([packet.cut(octets) for packet in talk.packets])
    whole = [len(packet.data) > octets for packet in talk.packets]
    assert seen.totals.truncated == sum(whole)
    assert set(seen.anomalies) <= {"cut"}, "what the capture left out is no fault of the sender"
    assert seen.totals.packets == len(talk.packets)
    if octets >= 54:
        assert seen.payload == 3 * (19 + 12)
    if octets >= 62:
        assert len(seen.lines) == 3
        assert {line["outcome"] for line in seen.lines} == {"success"}
    registers_there = min(max((octets - 67) // 2, 0), 3)  # behind the headers and what tells their number
    assert bool(seen.points) == (registers_there > 0)
    assert (seen.totals.grade or 0.0) < 100 or octets >= 73


def test_cut_answers_are_compared_with_nothing() -> None:
    talk = Talk().open()
    for n in range(3):
        talk.ask(mbap(n, read(0, 40)), mbap(n, registers(*range(40))))
    seen = watch([packet.cut(100) for packet in talk.packets])
    assert [(line["anomaly"], line["outcome"]) for line in seen.lines] == [(["cut"], "success")] * 3
    assert seen.lines[0]["values"] == list(range(18))


def test_headers_that_make_no_sense_are_counted() -> None:
    good = ipv4(tcp(REQUEST, 40000, 502, 1))
    bad = [b"\x41" + good[1:], b"\x4f" + good[1:24], good[:2] + b"\0\x05" + good[4:], good[:32] + b"\x10" + good[33:], b"\x60" + bytes(20)]
    for data in bad:
        seen = watch([Packet(ethernet(data, ethertype=0x86DD if data[0] == 0x60 else 0x0800))])
        assert seen.lines == []
        assert seen.totals.undecoded_bytes > 0, data.hex()
        assert seen.totals.grade == 0.0


def test_time_is_not_followed_far() -> None:
    hour = 3600 * SECOND
    packets = [Packet(ethernet(bytes(46), ethertype=0x88B8), START + at) for at in (0, 1, 2 * hour, 2, hour, *range(3 * hour, 3 * hour + 40))]
    clocks = decoded(*packets).clock.tolist()
    assert clocks[:5] == [START, START + 1, START + 1, START + 2, START + hour]
    assert clocks[5:20] == [START + hour] * 15
    assert clocks[20] == START + 3 * hour + 15
    seen = watch(packets)
    assert seen.totals.jumps == 2
    assert sum(row["jumps"] for row in seen.coverage) == 2
    assert clocks == sorted(clocks)


@settings(max_examples=as_many(25), deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=120), st.sampled_from([0, 1, 12, 101, 108, 113, 276]), st.integers(0, 90)), min_size=1, max_size=20))
def test_anything_may_come(frames: list[tuple[bytes, int, int]]) -> None:
    packets = [Packet(data, START + n * MS, kind, len(data) + more) for n, (data, kind, more) in enumerate(frames)]
    assert_nothing_outside_counts(packets)


@settings(max_examples=as_many(25), deadline=None)
@given(st.integers(0, 1 << 32))
def test_damaged_packets(seed: int) -> None:
    dice = random.Random(seed)
    packets: list[Packet] = []
    for packet in hard(seed, 4):
        data = bytearray(packet.data)
        for _ in range(dice.randrange(4)):
            if data:
                data[dice.randrange(min(len(data), 60))] = dice.randrange(256)
        packets.append(Packet(bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data), packet.time, ETHERNET, len(packet.data)))
    assert_nothing_outside_counts(packets)


def assert_nothing_outside_counts(packets: list[Packet]) -> None:
    """The octets around a packet change nothing."""
    zeros, ones = watch(packets, poison=0), watch(packets, poison=0xFF)
    assert zeros.tables == ones.tables
    assert zeros.lines == ones.lines


def test_every_field_of_a_packet_is_set() -> None:
    rows = [Packet(ethernet(ipv4(tcp(REQUEST, 40000, 502, 1, 2, ACK)))), Packet(b"\1" * 20), Packet(b"")]
    sensor = Sensor("link")
    told: list[Any] = []
    for fill in (0, 0xFF):
        sensor.packets.view(np.uint8)[:] = fill
        sensor.hosts.view(np.uint8)[:], sensor.host_index[:], sensor.clock.view(np.uint8)[:] = 0, -1, 0
        count = Feed(rows).batch(sensor.arena, len(sensor.arena) - (1 << 20), sensor.packets)
        assert sensor.decode(0, count) == count
        told.append([[int(row[name]) for name in PACKET.names or ()] for row in sensor.packets[:count]])
    assert told[0] == told[1]


def test_the_largest_packet_of_all() -> None:
    """Segmentation left to the network card: IP length 0, far more octets than an IP packet has."""
    many = 20000
    talk = Talk().open()
    body = tcp(b"".join(mbap(n, read(n, 1)) for n in range(many)), 40000, 502, talk.sequences[0], flags=ACK)
    seen = watch([*talk.packets, Packet(ethernet(ipv4(body, total=0)), START + SECOND)])
    assert [line["object"]["first"] for line in seen.lines] == list(range(many))
    assert seen.payload == 12 * many


@pytest.mark.parametrize("time", [1 << 62, (1 << 63) - 1, (1 << 62) - 1])
def test_a_time_that_no_clock_tells_is_counted_and_not_followed(time: int) -> None:
    talk = Talk().open().ask(mbap(1, read(1, 1)), mbap(1, registers(1)))
    for packets in (talk.packets[:1], talk.packets):
        seen = watch([packet.at(time) if n == len(packets) - 1 else packet for n, packet in enumerate(packets)])
        assert seen.totals.packets == len(packets)
        assert seen.totals.jumps == 1


@pytest.mark.parametrize("six", [False, True])
def test_octets_behind_a_datagram_are_not_understood(six: bool) -> None:
    """What lies between the length of UDP and that of IP is nobody's payload, and may be meant for somebody."""
    body = struct.pack(">HHHH", 40000, 502, 8 + len(REQUEST), 0) + REQUEST + b"hidden"
    packet = ipv6(body, "fd00::1", "fd00::2", 17) if six else ipv4(body, protocol=17)
    frame = ethernet(packet, "fd00::1" if six else "10.0.0.1", "fd00::2" if six else "10.0.0.2", 0x86DD if six else 0x0800)
    seen = watch([Packet(frame)])
    assert seen.totals.undecoded == {"udp/trailer": 6}
    assert (seen.totals.decoded_bytes, len(seen.lines)) == (len(REQUEST), 1)
    assert watch([Packet(ethernet(ipv4(udp(REQUEST, 40000, 502), protocol=17)) + bytes(9))]).totals.undecoded == {}, "padding is none"
