"""Frames of redundant networks (HSR, PRP): tags are no payload, second copies are left out and counted."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from tests.test_link import REQUEST, RESPONSE, decoded
from tests.wire import MS, START, Packet, Talk, ethernet, ipv4, mbap, said, tcp, udp, watch, write


def hsr(packet: Packet, sequence: int, path: int = 0) -> Packet:
    body = packet.data[12:]
    return replace(packet, data=packet.data[:12] + struct.pack(">HHH", 0x892F, path << 12 | len(body) + 4, sequence) + body)


def prp(packet: Packet, sequence: int, lan: int = 0xA, headers: int = 14, size: int | None = None) -> Packet:
    told = len(packet.data) + 6 - headers if size is None else size
    return replace(packet, data=packet.data + struct.pack(">HHH", sequence, lan << 12 | told, 0x88FB))


def talk(**how: object) -> list[Packet]:
    return Talk(**how).open().ask(REQUEST, RESPONSE).close().packets  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", ["hsr", "prp"])
def test_second_copies(kind: str) -> None:
    tag = hsr if kind == "hsr" else prp
    packets = [copy for n, packet in enumerate(talk()) for copy in (tag(packet, n), tag(packet.at(packet.time + 1000), n, 0xB))]
    seen, plain = watch(packets), watch(talk())
    assert said(seen.lines) == said(plain.lines)
    assert seen.totals.duplicates == len(packets) // 2 == sum(row["duplicates"] for row in seen.coverage)
    assert (seen.totals.undecoded, seen.totals.decoded_bytes) == ({}, plain.totals.decoded_bytes)


@pytest.mark.parametrize("kind", ["hsr", "prp"])
def test_the_same_number_with_other_octets_is_no_copy(kind: str) -> None:
    """Who knows nothing of redundancy carries out both of two requests that only their number makes copies."""
    tag = hsr if kind == "hsr" else prp
    requests = [Packet(ethernet(ipv4(udp(mbap(n, write(9, n)), 40000, 502), protocol=17)), START + n * MS) for n in range(20)]
    seen = watch([tag(packet, 77, 0xA + n % 2 if kind == "prp" else n % 2) for n, packet in enumerate(requests)])
    assert [line["values"] for line in seen.lines] == [[n] for n in range(20)]
    assert seen.totals.duplicates == 0


@pytest.mark.parametrize("after", [399, 401])
def test_how_long_a_number_is_remembered(after: int) -> None:
    packet = hsr(Packet(ethernet(bytes(46), ethertype=0x88B8)), 7)
    seen = watch([packet, packet.at(START + after * MS)])
    assert seen.totals.duplicates == (1 if after < 400 else 0)
    assert seen.totals.undecoded == {"ethertype/0x88b8": 46 * (1 if after < 400 else 2)}


def test_numbers_are_their_senders() -> None:
    packets = [hsr(Packet(ethernet(bytes(46), source=f"10.0.0.{n}", ethertype=0x88B8)), 7) for n in range(1, 5)]
    assert watch(packets).totals.duplicates == 0


def test_vlan_and_tag_in_either_order() -> None:
    inner = ipv4(tcp(REQUEST, 40000, 502, 1))
    tagged = [
        ethernet(struct.pack(">HHH", 90, 1, 0x8100) + struct.pack(">HH", 5, 0x0800) + inner, ethertype=0x892F),
        ethernet(struct.pack(">HHH", 90, 2, 0x0800) + inner, ethertype=0x892F, vlans=(5,)),
    ]
    for data in tagged:
        (row,) = decoded(Packet(data))
        assert (row.vlan, row.ethertype, row.whole) == (5, 0x0800, len(REQUEST))


def test_the_trailer_is_no_payload() -> None:
    frame = Packet(ethernet(bytes(range(100)), ethertype=0x88B8))
    (row,) = decoded(prp(frame, 1))
    assert (row.length, row.whole) == (100, 100)


@pytest.mark.parametrize(("vlans", "outer"), [((3,), 0x8100), ((3,), 0x88A8), ((3, 4), 0x88A8), ((3, 4), 0x8100), ((3, 4), 0x9100), ((3, 4, 5, 6), 0x88A8)])
def test_the_trailer_behind_tags(vlans: tuple[int, ...], outer: int) -> None:
    """No tag counts for the length in the trailer, whichever it is and whoever put it there."""
    frame = Packet(ethernet(bytes(100), ethertype=0x88B8, vlans=vlans, outer=outer))
    (row,) = decoded(prp(frame, 1, headers=14 + 4 * len(vlans)))
    assert (row.length, row.whole, row.vlan) == (100, 100, vlans[-1])
    twice = [prp(frame, 1, headers=14 + 4 * len(vlans)), prp(frame, 1, 0xB, 14 + 4 * len(vlans))]
    assert watch(twice).totals.duplicates == 1
    (row,) = decoded(prp(frame, 1, headers=14 + 4 * len(vlans) - 4))
    assert row.whole == 106


@pytest.mark.parametrize("octets", range(6, 20))
def test_a_short_frame_of_tags_is_not_read_past_its_end(octets: int) -> None:
    frame = bytes(12) + (b"\x81\x00\x00\x01" * 5)[:octets] + struct.pack(">HHH", 1, 0xA000 | octets + 4, 0x88FB)
    decoded(Packet(frame))


def test_what_only_ends_like_a_trailer() -> None:
    frame = Packet(ethernet(bytes(100), ethertype=0x88B8))
    for other in (prp(frame, 1, size=99), prp(frame, 1, lan=0xC), prp(frame, 1).cut(119)):
        (row,) = decoded(other)
        assert row.whole == 106
        assert watch([other, other]).totals.duplicates == 0


def test_supervision_is_handed_on() -> None:
    assert watch([Packet(ethernet(bytes(46), ethertype=0x88FB))]).totals.undecoded == {"ethertype/0x88fb": 46}


def test_many_senders_are_bounded() -> None:
    packets = [hsr(Packet(ethernet(bytes(46), source=f"10.{n >> 8 & 255}.{n & 255}.1", ethertype=0x88B8), START + n), n) for n in range(3000)]
    twice = [copy for packet in packets for copy in (packet, packet)]
    assert watch(twice).totals.duplicates == 3000
