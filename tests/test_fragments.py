"""Fragments to datagrams: in any order, twice, contradicting each other, never whole, too many."""

from __future__ import annotations

import itertools
import random
import struct
from typing import TYPE_CHECKING, Any

import pytest

from sensors.engine.fragments import BUFFERS, MOST_OPEN
from tests.test_link import assert_nothing_outside_counts, decoded
from tests.test_tunnels import gre, over_ip
from tests.wire import MS, SECOND, START, Packet, checked, ethernet, ipv4, mbap, said, tcp, udp, watch, write_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.wire import Seen

ENDS = ("10.0.0.1", "10.0.0.2")
ENDS6 = ("fd00::1", "fd00::2")
REQUEST = mbap(1, write_many(0, *range(100, 140)))


def packed(ends: tuple[str, str]) -> bytes:
    import ipaddress

    return b"".join(ipaddress.ip_address(end).packed for end in ends)


def segment(ends: tuple[str, str] = ENDS, payload: bytes = REQUEST, port: int = 40000) -> bytes:
    return checked(tcp(payload, port, 502, 1), packed(ends), 6)


def piece(body: bytes, offset: int, octets: int, more: bool, number: int = 1, ends: tuple[str, str] = ENDS, protocol: int = 6) -> bytes:
    """A fragment in its frame."""
    part = body[offset : offset + octets]
    if ":" in ends[0]:
        head = struct.pack(">BBHI", protocol, 0, offset | more, number)
        return ethernet(struct.pack(">IHBB", 6 << 28, 8 + len(part), 44, 64) + packed(ends) + head + part, ethertype=0x86DD)
    return ethernet(ipv4(part, *ends, protocol=protocol, fragment=(0x2000 if more else 0) | offset // 8, number=number))


def cut(body: bytes, size: int, number: int = 1, ends: tuple[str, str] = ENDS, protocol: int = 6) -> list[bytes]:
    return [piece(body, at, size, at + size < len(body), number, ends, protocol) for at in range(0, len(body), size)]


def seen_of(frames: Sequence[bytes], step: int = MS, **how: Any) -> Seen:
    return watch([Packet(frame, START + n * step) for n, frame in enumerate(frames)], **how)


WHOLE = watch([Packet(ethernet(ipv4(segment())))])


@pytest.mark.parametrize("ends", [ENDS, ENDS6])
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order(order: tuple[int, ...], ends: tuple[str, str]) -> None:
    frames = cut(segment(ends), 32, ends=ends)
    assert len(frames) == 4
    seen = seen_of([frames[i] for i in order])
    assert said(seen.lines, "source", "destination") == said(WHOLE.lines, "source", "destination")
    assert [line["packet"] for line in seen.lines] == [4], "the packet that completed it"
    assert (seen.totals.fragments, seen.totals.unfinished, seen.totals.bad_fragments, seen.totals.bad_checksums) == (1, 0, 0, 0)
    assert seen.totals.undecoded == {}
    assert seen.totals.decoded_bytes == len(REQUEST)


@pytest.mark.parametrize("size", [8, 16, 40, 64])
def test_every_size_and_batch(size: int) -> None:
    frames = cut(segment(), size) + cut(segment(port=40001), size, 2)
    whole = seen_of(frames)
    assert len(whole.lines) == 2
    for each in (1, 3, 1000):
        assert seen_of(frames, each=each).tables == whole.tables


def test_more_datagrams_in_a_batch_than_buffers() -> None:
    frames = [frame for n in range(4 * BUFFERS) for frame in cut(segment(port=40000 + n), 64, n)]
    seen = seen_of(frames, 1000)
    assert len(seen.lines) == seen.totals.fragments == 4 * BUFFERS
    assert seen_of(frames, 1000, each=5).tables == seen.tables


@pytest.mark.parametrize("ends", [ENDS, ENDS6])
def test_copies_change_nothing(ends: tuple[str, str]) -> None:
    frames = cut(segment(ends), 32, ends=ends)
    seen = seen_of([frame for frame in frames for _ in range(2)])
    assert len(seen.lines) == 1
    assert (seen.totals.fragments, seen.totals.unfinished, seen.totals.bad_fragments, seen.totals.undecoded) == (1, 0, 0, {})


def test_a_number_used_again_for_other_octets_is_another_datagram() -> None:
    frames: list[bytes] = []
    for n in range(10):
        frames += cut(udp(mbap(n, write_many(n, *range(60))), 40000, 502), 64, number=7, protocol=17)
    seen = seen_of(frames)
    assert sorted(line["object"]["first"] for line in seen.lines) == list(range(10))
    assert (seen.totals.fragments, seen.totals.unfinished, seen.totals.duplicates, seen.totals.undecoded) == (10, 0, 0, {})


def test_a_whole_datagram_that_comes_again_is_a_copy() -> None:
    frames = cut(udp(mbap(1, write_many(1, *range(60))), 40000, 502), 64, number=7, protocol=17)
    seen = seen_of(frames + frames)
    assert len(seen.lines) == 1
    assert (seen.totals.fragments, seen.totals.unfinished, seen.totals.duplicates) == (1, 0, 1)


def test_overlap_with_the_same_octets() -> None:
    body = segment()
    four = [piece(body, 0, 48, True), piece(body, 32, 48, True), piece(body, 64, 80, False)]
    assert len(seen_of(four).lines) == 1
    six_body = segment(ENDS6)
    six = [piece(six_body, at, size, more, ends=ENDS6) for at, size, more in ((0, 48, True), (32, 48, True), (64, 80, False))]
    seen = seen_of(six)
    assert seen.lines == []
    assert seen.totals.bad_fragments == 1, "IPv6 forbids overlaps (RFC 5722)"
    assert seen.totals.undecoded == {"tcp/fragment": 48 + 48 + len(six_body) - 64}


@pytest.mark.parametrize("ends", [ENDS, ENDS6])
def test_overlap_with_other_octets(ends: tuple[str, str]) -> None:
    body = segment(ends)
    other = body[:40] + bytes(octet ^ 1 for octet in body[40:])
    frames = [piece(body, 0, 64, True, ends=ends), piece(other, 32, 32, True, ends=ends), piece(body, 64, 80, False, ends=ends)]
    seen = seen_of(frames)
    assert seen.lines == []
    assert (seen.totals.bad_fragments, seen.totals.fragments) == (1, 0)
    assert seen.totals.undecoded_bytes == 64 + 32 + len(body) - 64, "what comes later counts too"


def test_outside_of_the_datagram() -> None:
    body = segment() + bytes(64)
    for frames in (
        [piece(body, 64, 24, False), piece(body, 96, 32, True)],  # behind its end
        [piece(body, 96, 32, True), piece(body, 64, 24, False)],
        [piece(body, 64, 24, False), piece(body, 64, 32, False)],  # two ends
        [piece(body, 0, 32, True), piece(bytes(65536), 65504, 40, False)],  # beyond what a datagram holds: ping of death
        [piece(body, 0, 32, True), piece(body, 32, 13, True)],  # not on a boundary
    ):
        seen = seen_of(frames)
        assert (seen.totals.bad_fragments, seen.totals.fragments, seen.lines) == (1, 0, [])
        assert seen.totals.undecoded_bytes == sum(len(frame) for frame in frames) - 34 * 2 - padding(frames)


def padding(frames: Sequence[bytes]) -> int:
    return sum(len(frame) - 14 - int.from_bytes(frame[16:18]) for frame in frames)


def test_never_whole() -> None:
    body = segment()
    after = Packet(ethernet(ipv4(udp(bytes(5), 1, 2), protocol=17)), START + 31 * SECOND)
    early = watch([Packet(piece(body, 0, 64, True), START), after.at(START + 29 * SECOND)])
    late = watch([Packet(piece(body, 0, 64, True), START), after])
    for seen in (early, late):
        assert seen.totals.unfinished == 1
        assert seen.totals.undecoded == {"tcp/fragment": 64, "udp/1": 5}
    too_late = watch([Packet(piece(body, 0, 64, True), START), Packet(piece(body, 64, 80, False), START + 31 * SECOND)])
    assert (too_late.lines, too_late.totals.unfinished) == ([], 2)


def test_flood_of_first_fragments() -> None:
    frames = [piece(bytes(64), 0, 64, True, n) for n in range(2000)]
    seen = seen_of([*frames, *cut(segment(), 32, 5000)], 1000)
    assert len(seen.lines) == 1, "what is sent at once is still put together"
    assert seen.totals.shed == 2000 + 1 - MOST_OPEN
    assert seen.totals.shed + seen.totals.unfinished == 2000
    assert seen.totals.undecoded == {"tcp/fragment": 64 * 2000}


def test_cut_by_the_capture() -> None:
    frames = [Packet(frame, START + n).cut(60) for n, frame in enumerate(cut(segment(), 64))]
    seen = watch(frames)
    assert (seen.lines, seen.totals.fragments, seen.totals.undecoded) == ([], 0, {"tcp/fragment": len(segment())})
    assert seen.totals.unfinished > 0


OTHER = mbap(1, write_many(0, *range(100, 135), *range(900, 905)))  # the last registers differ


def datagram(payload: bytes = REQUEST) -> bytes:
    """Modbus over UDP, with its checksum."""
    return checked(udp(payload, 40000, 502), packed(ENDS), 17)


def unchecked(payload: bytes = REQUEST) -> bytes:
    return udp(payload, 40000, 502)


def told(seen: Seen) -> list[tuple[int, bool]]:
    """Of each write the last value, and whether it is a second version."""
    return [(line["values"][-1], "overlap" in line["anomaly"]) for line in seen.lines]


@pytest.mark.parametrize("first", [REQUEST, OTHER])
@pytest.mark.parametrize("again", [False, True], ids=["alone", "behind-a-copy"])
def test_a_fragment_that_another_one_replaced(first: bytes, again: bool) -> None:
    """Whoever was faster may have been the forger: both versions are shown."""
    second = OTHER if first == REQUEST else REQUEST
    one, other = cut(unchecked(first), 64, protocol=17), cut(unchecked(second), 64, protocol=17)
    assert (one[0], len(one)) == (other[0], 2)
    frames = [*one, *other] if again else [*one, other[1]]
    seen = seen_of([*frames, *one])
    assert sorted(told(seen)) == sorted([((139 if first == REQUEST else 904), False), ((904 if first == REQUEST else 139), True)])
    assert (seen.totals.overlaps, seen.totals.duplicates, seen.totals.undecoded) == (1, 1, {})
    assert sum(row["overlaps"] for row in seen.coverage) == 1
    for each in (1, 2):
        assert seen_of([*frames, *one], each=each).tables == seen.tables


def test_a_fragment_that_another_one_replaced_in_a_stream() -> None:
    """Its checksum covers both: the version that is not believed is counted, and the one that is made to fit is shown."""
    body = segment()
    forged = bytearray(body)
    forged[-2:], forged[-4:-2] = body[-4:-2], body[-2:]  # the same sum
    frames = [*cut(body, 64), cut(bytes(forged), 64)[-1]]
    seen = seen_of(frames)
    assert told(seen) == [(139, False), (138, True)]
    assert seen.totals.overlaps == 1
    forged[-1] ^= 0xFF
    right = [ethernet(ipv4(segment(port=41000 + n))) for n in range(20)]
    seen = seen_of([*right, *cut(body, 64), cut(bytes(forged), 64)[-1]])
    assert (seen.totals.rejected, seen.totals.overlaps, len(seen.lines)) == (1, 1, 21)


def test_a_new_datagram_with_the_same_number_is_no_replacement() -> None:
    seen = seen_of([*cut(unchecked(), 64, protocol=17), *cut(unchecked(mbap(2, write_many(9, *range(40)))), 64, protocol=17)])
    assert told(seen) == [(139, False), (39, False)]
    assert seen.totals.overlaps == 0


def test_a_first_fragment_that_another_one_replaced_is_counted_when_nothing_follows() -> None:
    one, other = cut(unchecked(), 64, protocol=17), cut(unchecked(mbap(2, write_many(9, *range(40)))), 64, protocol=17)
    after = Packet(ethernet(ipv4(udp(bytes(5), 1, 2), protocol=17)), START + 32 * SECOND)
    for more in ([], [after]):
        seen = watch([*(Packet(frame, START + n) for n, frame in enumerate([*one, other[0]])), *more])
        assert (told(seen), seen.totals.overlaps, seen.totals.unfinished) == ([(139, False)], 1, 1)
        assert seen.totals.undecoded["udp/fragment"] == 64


def test_fragments_that_contradict_each_other_are_an_overlap_too() -> None:
    one, other = cut(unchecked(), 64, protocol=17), cut(unchecked(OTHER), 32, protocol=17)
    seen = seen_of([one[0], other[-1], one[1]])
    assert (seen.totals.overlaps, seen.totals.bad_fragments, seen.lines) == (1, 1, [])


def test_fragments_of_two_plants_with_the_same_addresses() -> None:
    """The same numbers at the same time, in a VLAN each."""
    plants = [[Packet(tagged(frame, vlan), START + n * MS) for n, frame in enumerate(cut(unchecked(payload), 64, protocol=17))]
              for vlan, payload in ((10, REQUEST), (20, OTHER))]  # fmt: skip
    seen = watch([packet for both in zip(*plants, strict=True) for packet in both])
    assert told(seen) == [(139, False), (904, False)]
    assert (seen.totals.bad_fragments, seen.totals.overlaps, seen.totals.undecoded) == (0, 0, {})


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + struct.pack(">HH", 0x8100, vlan) + frame[12:]


def test_the_same_number_of_other_ends() -> None:
    one, other = cut(segment(), 64), cut(segment(("10.0.0.3", "10.0.0.2")), 64, ends=("10.0.0.3", "10.0.0.2"))
    seen = seen_of([one[0], other[0], other[1], one[1]])
    assert sorted(line["source"]["ip"] for line in seen.lines) == ["10.0.0.1", "10.0.0.3"]


def test_tunnels_come_in_fragments_and_carry_them() -> None:
    inner = ipv4(segment())
    outside = [piece(gre(inner, 0x0800), at, 64, at + 64 < len(inner) + 4, 9, ("192.0.2.1", "192.0.2.2"), 47) for at in range(0, len(inner) + 4, 64)]
    inside = [over_ip(gre(frame[14:], 0x0800), 47) for frame in cut(segment(), 64)]
    for frames in (outside, inside):
        seen = seen_of(frames)
        assert [line["object"] for line in seen.lines] == [line["object"] for line in WHOLE.lines]
        assert [row["network.tunnel.type"] for row in seen.activities] == ["gre"]
        assert seen.totals.fragments == 1
        assert seen.totals.undecoded == {}


def test_the_largest_datagram() -> None:
    body = checked(udp(bytes(65507), 1, 2), packed(ENDS), 17)
    seen = seen_of(cut(body, 1480, protocol=17))
    assert (seen.totals.fragments, seen.totals.undecoded, seen.totals.bad_checksums) == (1, {"udp/1": 65507}, 0)


def test_a_wrong_checksum_of_the_whole_is_seen() -> None:
    body = bytearray(segment())
    body[-1] ^= 1
    good = [Packet(ethernet(ipv4(tcp(b"", 40000, 502, 1))), START + n) for n in range(20)]
    seen = watch([*good, *(Packet(frame, START + SECOND) for frame in cut(bytes(body), 64))])
    assert (seen.lines, seen.totals.rejected) == ([], 1)


@pytest.mark.parametrize("seed", range(6))
def test_anything_may_come(seed: int) -> None:
    dice = random.Random(seed)
    body = dice.randbytes(400)
    packets: list[Packet] = []
    for n in range(150):
        ends = dice.choice((ENDS, ENDS6))
        frame = piece(
            body, 8 * dice.randrange(30), dice.randrange(1, 12) * dice.choice((8, 8, 8, 5)), dice.random() < 0.7, dice.randrange(3), ends, dice.choice((6, 17))
        )
        packet = Packet(frame, START + n * dice.choice((1, MS, SECOND)))
        packets.append(packet.cut(dice.randrange(len(frame))) if dice.random() < 0.2 else packet)
    assert_nothing_outside_counts(packets)
    assert watch(packets, each=3).tables == watch(packets).tables


def test_rows_of_fragments() -> None:
    first, second = decoded(*(Packet(frame) for frame in cut(segment(), 64)))
    assert (first.length, first.whole, first.source_port) == (0, 0, -1)
    assert (second.length, second.whole, second.source_port, second.target_port) == (len(REQUEST), len(REQUEST), 40000, 502)
