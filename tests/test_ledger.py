"""The ledger says exactly what a mirror did: one direction removed, packets lost, a clock off, copies, VLANs, drops, encryption."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensors.coverage import grade
from sensors.grading import reasons
from tests.cli import CAPTURES
from tests.mirroring import copied, header, load, lose, ntp, only_from, only_to, ptp, segment, shifted
from tests.wire import ACK, MS, RST, SECOND, START, SYN, Packet, Talk, ethernet, ipv4, mbap, read, registers, tcp, udp, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.wire import Seen

HOUR: Final = 3600 * SECOND
DEMO: Final = load(CAPTURES / "demo.pcap")
TEXT: Final = {"undecoded", "encrypted", "reasons", "vlans", "clocks", "tunnels", "datagrams", "halves"}


def rows(seen: Seen) -> list[dict[str, Any]]:
    """Coverage rows with their JSON read."""
    return [{name: json.loads(value) if name in TEXT else value for name, value in row.items()} for row in seen.coverage]


def ports(packet: Packet) -> tuple[int, int]:
    ends = segment(packet)
    assert ends
    return ends[:2]


def payload(packet: Packet) -> int:
    ends = segment(packet)
    return ends[2] if ends else 0


def polls(count: int = 8, talks: int = 4, vlans: tuple[int, ...] = (), start: int = START, port: int = 41000) -> list[Packet]:
    """Some clients that read, side by side."""
    made = [Talk(client_port=port + number, time=start + number * 17 * MS, vlans=vlans).open() for number in range(talks)]
    for step, talk in itertools.product(range(count), made):
        talk.ask(mbap(step, read(0, 2)), mbap(step, registers(1, 2)))
    return sorted((packet for talk in made for packet in talk.packets), key=lambda packet: packet.time)


# one direction


def test_both_directions_are_seen() -> None:
    totals = watch(polls()).totals
    assert (totals.talks, totals.requests_only, totals.answers_only) == (4, 0, 0)


@pytest.mark.parametrize(("part", "expected"), [(only_to, (4, 4, 0)), (only_from, (4, 0, 4))])
def test_a_mirror_of_one_direction(part: Any, expected: tuple[int, int, int]) -> None:
    totals = watch(part(polls(), 502)).totals
    assert (totals.talks, totals.requests_only, totals.answers_only) == expected


def test_one_direction_of_some_conversations_and_windows() -> None:
    """A direction that vanishes in the second minute, of three conversations of four."""
    first, second = polls(), polls(start=START + 60 * SECOND)
    second = [packet for packet in second if ports(packet)[1] != 502 or ports(packet)[0] == 41000]
    told = [(row["talks"], row["requests_only"], row["answers_only"]) for row in watch([*first, *second]).coverage]
    assert told == [(4, 0, 0), (4, 0, 3)]


def test_the_demo_with_one_direction_removed() -> None:
    """Every conversation of every window that said enough, and no other."""
    for part, name in ((only_to, "requests_only"), (only_from, "answers_only")):
        whole, half = watch(DEMO), watch(part(DEMO, 502))
        assert whole.totals.requests_only == whole.totals.answers_only == 0
        assert whole.totals.talks > 10
        for row in half.coverage:
            assert row[name] == row["talks"] > 0
        other = {"requests_only": "answers_only", "answers_only": "requests_only"}[name]
        assert getattr(half.totals, other) == 0


def brief(talks: int = 6, server: str = "10.0.0.5", apart: int = SECOND) -> list[Packet]:
    """Connections of one request each, one after the other: 12 octets there, 13 back."""
    made = (Talk(server=server, client_port=41000 + number, time=START + number * apart).open() for number in range(talks))
    return [packet for talk in made for packet in talk.ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2))).close().packets]


@pytest.mark.parametrize(("part", "side", "octets"), [(only_to, "requests_only", 13), (only_from, "answers_only", 12)])
def test_a_mirror_of_one_direction_of_short_connections(part: Any, side: str, octets: int) -> None:
    """With its direction, its server and in the grade, in every window that has such connections and not first where they end."""
    seen = watch([*part(brief(), 502), *shifted(part(brief(), 502), 3 * 60 * SECOND)])
    first, last = rows(seen)
    for row in (first, last):
        assert (row["talks"], row[side], row["requests_only"] + row["answers_only"]) == (6, 6, 6)
        assert row["halves"] == [{"protocol": None, "server": "10.0.0.5", "requests_only": 0, "answers_only": 0, side: 6}]
        assert row["lost"] == 6 * octets
        assert row["grade"] == grade(row["decoded_bytes"], 0, 6 * octets)
        assert row["grade"] < 60
    both = watch(brief()).totals
    assert (both.talks, both.requests_only, both.answers_only, both.lost) == (6, 0, 0, 0)


def test_nobody_who_answers_is_no_missing_direction() -> None:
    """Scans, floods of SYNs and of answers to them, connections that are refused, and requests that are sent again and again."""
    scan = [Talk(server=f"10.0.1.{n}", time=START + n * MS).put(0, b"", SYN) for n in range(1, 60)]
    flood = [Talk(client=f"10.0.2.{n}", time=START + n * MS).put(1, b"", SYN | ACK) for n in range(1, 60)]
    refused = [packet for n in range(9) for talk in [Talk(client_port=42000 + n)] for packet in (talk.put(0, b"", SYN), talk.put(1, b"", RST | ACK))]
    again = [Talk(client_port=43000, time=START + n * SECOND).put(0, mbap(1, read(0, 2))) for n in range(2)]
    for packets in (scan, flood, refused, again):
        totals = watch(packets).totals
        assert (totals.talks, totals.requests_only, totals.answers_only, totals.lost) == (0, 0, 0, 0)


def test_a_tap_whose_ports_see_a_direction_each_is_not_blind() -> None:
    packets = [replace(packet, interface=int(ports(packet)[0] == 502)) for packet in polls()]
    seen = watch(packets, names=("tap-a", "tap-b"))
    assert (seen.totals.talks, seen.totals.requests_only, seen.totals.answers_only) == (4, 0, 0)
    assert [(row["interface"], row["packets"]) for row in seen.coverage] == [("tap-a", 40), ("tap-b", 36)]


# loss


def followed(packets: Sequence[Packet]) -> set[int]:
    """Numbers of segments with payload that others of the same stream come after."""
    last: dict[tuple[Any, ...], int] = {}
    found: set[int] = set()
    for number, packet in enumerate(packets):
        ends = segment(packet)
        if ends and ends[2]:
            key = (packet.data[26:34], ends[:2], packet.data[12:18])
            if key in last:
                found.add(last[key])
            last[key] = number
    return found


@pytest.mark.parametrize("seed", range(4))
def test_lost_octets_are_those_that_were_dropped(seed: int) -> None:
    whole = polls(count=300)
    may = followed(whole)
    left, lost = lose(whole, 0.01, seed, lambda number: number in may)
    seen = watch(left)
    octets = sum(payload(packet) for packet in lost)
    assert len(lost) > 10
    assert seen.totals.lost == octets
    assert seen.totals.decoded_bytes == watch(whole).totals.decoded_bytes - octets
    assert seen.totals.grade == grade(seen.totals.decoded_bytes, 0, octets)
    assert [each["reason"] for row in rows(seen) for each in row["reasons"]] == ["lost"] * len(seen.coverage)


def lasting(minutes: int = 4) -> list[Packet]:
    """One connection that polls every five seconds."""
    talk = Talk().open()
    for step in range(minutes * 12):
        talk.time = START + (5 * step + 1) * SECOND
        talk.ask(mbap(step, read(0, 2)), mbap(step, registers(step, 2)))
    return talk.packets


@pytest.mark.parametrize("side", [0, 1])
def test_a_direction_that_vanishes_in_a_connection_that_lasts_is_told_while_it_does(side: int) -> None:
    """From the middle of the second minute to that of the fourth: what is lost is told in each minute, as far as it is acknowledged in it, and told once."""
    whole = lasting()
    gone = [packet for packet in whole if 90 * SECOND < packet.time - START < 200 * SECOND and (ports(packet)[0] == 502) == (side == 1)]
    told = watch([packet for packet in whole if packet not in gone])
    each = payload(gone[0])
    assert told.totals.lost == each * len(gone)
    minute = [row["lost"] for row in told.coverage]
    late = 1 if side == 1 else 0  # an answer is acknowledged by the next request
    assert minute == [0, (6 - late) * each, 12 * each, (4 + late) * each]
    assert [row["requests_only"] + row["answers_only"] for row in told.coverage] == [0, 0, 1, 0]
    still = watch([packet for packet in whole if packet.time < START + 180 * SECOND and packet not in gone])
    assert [row["lost"] for row in still.coverage] == minute[:3]


def test_an_acknowledgement_of_what_was_never_sent_silences_nobody() -> None:
    """Forged in a minute in which nobody speaks: what is said afterwards is read, and nothing more is lost."""
    talk = Talk().open()
    for step in (*range(12), *range(24, 36)):
        talk.time = START + (5 * step + 1) * SECOND
        if step == 24:
            forged = talk.segment(0, b"", talk.sequences[0], acknowledge=talk.sequences[1] + 500)
            talk.packets.append(forged.at(START + 90 * SECOND))
        talk.ask(mbap(step, read(0, 2)), mbap(step, registers(step, 2)))
    seen = watch(talk.packets)
    assert [line["outcome"] for line in seen.lines] == ["success"] * 24
    assert [row["lost"] for row in seen.coverage] == [0, 500, 0], "the receiver said that it has them"


def test_more_than_a_mebibyte_that_vanished_is_told() -> None:
    """What is expected of it is so far behind by its end that nothing could be said any more."""
    talk = Talk().open()
    for step in range(40):
        talk.time = START + (5 * step + 1) * SECOND
        talk.ask(mbap(step, read(0, 2)), mbap(step, registers(step, 2)) if step < 12 else b"")
        talk.lose(1, 60_000 if step >= 12 else 0)
    assert watch(talk.packets).totals.lost == 27 * 60_000, "what came last is not acknowledged"


@pytest.mark.parametrize("seed", range(3))
def test_the_demo_with_one_per_cent_lost(seed: int) -> None:
    """What the whole capture says is missing anyway aside."""
    may = followed(DEMO)
    left, lost = lose(DEMO, 0.01, seed, lambda number: number in may)
    octets = sum(payload(packet) for packet in lost)
    assert octets > 0
    assert watch(left).totals.lost - watch(DEMO).totals.lost == octets


def test_points_add_up() -> None:
    dice = random.Random(1)
    for _ in range(500):
        decoded, undecoded, lost = (dice.choice((0, dice.randrange(5), dice.randrange(10 ** dice.randrange(1, 12)))) for _ in range(3))
        encrypted = dice.randrange(undecoded + 1)
        shed = dice.randrange(undecoded - encrypted + 1)
        cut = dice.randrange(undecoded - encrypted - shed + 1)
        told = reasons(decoded, undecoded, encrypted, lost, shed, cut)
        whole = grade(decoded, undecoded, lost)
        if whole is None:
            assert told == []
            continue
        assert round(sum(each["points"] for each in told) * 10) == 1000 - round(whole * 10)
        assert sum(each["bytes"] for each in told) == undecoded + lost
        assert all(each["points"] >= 0 and each["bytes"] > 0 for each in told)


# clocks


def clocks(packets: Sequence[Packet]) -> list[dict[str, Any]]:
    return [clock for row in rows(watch(packets)) for clock in row["clocks"]]


@pytest.mark.parametrize("off", [0, 3 * HOUR, -3 * HOUR, 250 * MS, SECOND // 3])
def test_a_clock_that_is_off(off: int) -> None:
    """By exactly that, and by what the packets took."""
    true = [START + number * SECOND for number in range(5)]
    packets = shifted([ntp(time + 40_000, time) for time in true], off)
    (told,) = clocks(packets)
    assert (told["name"], told["samples"]) == ("ntp/10.0.0.9", 5)
    assert told["ahead"] == pytest.approx((off + 40_000) / SECOND, abs=2e-9)
    assert told["spread"] <= 2e-9


def test_the_demo_captured_by_a_clock_three_hours_ahead() -> None:
    answers = [ntp(DEMO[0].time + number * 64 * SECOND + 300_000, DEMO[0].time + number * 64 * SECOND) for number in range(1, 5)]
    packets = shifted(sorted([*DEMO, *answers], key=lambda packet: packet.time), 3 * HOUR)
    seen = watch(packets)
    told = [row["clock_ahead"] for row in seen.coverage if row["clock_ahead"] is not None]
    assert len(told) == 4
    assert told == pytest.approx([10800.0003] * 4, abs=1e-8)


def test_the_median_of_what_servers_tell() -> None:
    delays = [MS, 2 * MS, 3 * MS, 900 * MS, 4 * MS]
    packets = sorted((ntp(START + number * SECOND + delay, START + number * SECOND) for number, delay in enumerate(delays)), key=lambda packet: packet.time)
    (told,) = clocks(packets)
    assert (told["ahead"], told["spread"]) == (pytest.approx(0.003, abs=1e-8), pytest.approx(0.899, abs=1e-8))


@pytest.mark.parametrize("words", [{"stratum": 0}, {"stratum": 16}, {"leap": 3}, {"mode": 3}, {"mode": 6}])
def test_what_is_no_time_of_a_synchronised_server(words: dict[str, Any]) -> None:
    assert clocks([ntp(START, START, **words)]) == []


def test_ntp_after_2036() -> None:
    true = 2_200_000_000 * SECOND
    (told,) = clocks([ntp(true + MS, true)])
    assert told["ahead"] == pytest.approx(0.001, abs=1e-8)


def test_ptp_in_two_steps_with_the_offset_of_its_announcement() -> None:
    tai = START + 37 * SECOND
    packets = [
        ptp(0, START - SECOND, 1), ptp(8, START - SECOND + MS, 1, tai - SECOND, 0),  # nobody has told yet how far UTC is behind
        ptp(11, START, 1, flags=0x000C), ptp(0, START + 20_000, 2), ptp(8, START + MS, 2, tai, 0), ptp(8, START + 2 * MS, 3, tai, 0),
    ]  # fmt: skip
    (told,) = clocks(packets)
    assert told == {"name": "ptp/0/001dc1fffe112233", "ahead": 2e-05, "samples": 1, "spread": 0.0}


def test_ptp_in_one_step() -> None:
    (told,) = clocks([ptp(11, START, 1, flags=0x000C), ptp(0, START + 3 * HOUR, 2, START + 37 * SECOND, flags=0)])
    assert told["ahead"] == 10800.0


def test_ptp_of_a_timescale_of_its_own_tells_nothing() -> None:
    assert clocks([ptp(11, START, 1, flags=0x0004), ptp(0, START + MS, 2, START, flags=0)]) == []


def test_more_clocks_than_are_told() -> None:
    packets = [ntp(START + number * MS, START, server=f"10.1.{number // 250}.{1 + number % 250}") for number in range(1000)]
    assert len(clocks(packets)) == 16


# copies


def test_copies_from_a_second_mirror_port() -> None:
    """With another TTL, VLAN and other MAC addresses; nothing else changes."""
    whole = polls()
    for vlan, interface in ((None, 0), (7, 0), (7, 1)):
        twice = [each for packet in whole for each in (packet, copied(packet, vlan=vlan, interface=interface))]
        seen = watch(twice, names=("one", "two"))
        assert any(payload(packet) == 0 for packet in whole)
        assert seen.totals.mirrored == len(whole)
        assert (seen.totals.operations, seen.totals.lost, seen.totals.overlaps) == (32, 0, 0)
        assert seen.totals.split_vlans == 0
        assert [row["mirrored"] for row in seen.coverage] == ([0, len(whole)] if interface else [len(whole)])


def told_apart(packet: Packet) -> bool:
    """Has it a number, or payload? What confirms a handshake has neither."""
    return packet.data[header(packet) + 4 : header(packet) + 6] != b"\0\0" or payload(packet) > 0


def test_half_of_the_demo_twice() -> None:
    dice = random.Random(2)
    chosen = [packet for packet in DEMO if segment(packet) and told_apart(packet) and dice.random() < 0.5]
    twice = sorted([*DEMO, *(copied(packet) for packet in chosen)], key=lambda packet: packet.time)
    assert watch(DEMO).totals.mirrored == 0
    assert watch(twice).totals.mirrored == len(chosen)


def test_two_connections_that_begin_alike_are_no_copies() -> None:
    talks = [Talk(client_port=41000 + number, time=START + number * MS // 8).open() for number in range(3)]
    assert watch(sorted((packet for talk in talks for packet in talk.packets), key=lambda packet: packet.time)).totals.mirrored == 0


def test_what_is_sent_again_is_no_copy() -> None:
    """A segment sent again has another identification; one of none is known by its numbers, and later than a copy comes."""
    talk = Talk().open()
    sent = talk.put(0, mbap(1, read(0, 1)))
    again = Packet(ethernet(ipv4(tcp(mbap(1, read(0, 1)), 40000, 502, 1001, 2001), number=2)), sent.time + MS)
    assert watch([*talk.packets, again]).totals.mirrored == 0
    assert watch([*talk.packets, sent.at(sent.time + 50 * MS)]).totals.mirrored == 0
    assert watch([*talk.packets, sent.at(sent.time + MS)]).totals.mirrored == 1
    datagram = Packet(ethernet(ipv4(udp(b"poll", 5000, 5001), protocol=17, number=0)))
    assert watch([datagram, datagram.at(START + MS)]).totals.mirrored == 0


# datagrams

LIST_SERVICES: Final = bytes.fromhex("0400") + bytes(22)


def asked_of(server: str, answered: bool, port: int = 40010, count: int = 5, start: int = START, client: str = "10.0.0.1") -> list[Packet]:
    """EtherNet/IP over UDP: requests, each with its answer or without."""
    made: list[Packet] = []
    for number in range(count):
        time = start + number * SECOND
        made.append(Packet(ethernet(ipv4(udp(LIST_SERVICES, port, 44818), client, server, protocol=17, number=2 * number + 1), client, server), time))
        if answered:
            made.append(Packet(ethernet(ipv4(udp(LIST_SERVICES, 44818, port), server, client, protocol=17, number=2 * number + 2), server, client), time + MS))
    return made


def datagram_sides(*talks: list[Packet]) -> list[dict[str, Any]]:
    return rows(watch(sorted((packet for talk in talks for packet in talk), key=lambda packet: packet.time)))[0]["datagrams"]


def test_directions_of_datagrams() -> None:
    """Told apart from those of TCP, where the lack of an answer tells more."""
    both, half = asked_of("10.0.0.5", True), asked_of("10.0.0.6", False, 40011)
    assert datagram_sides(both, half) == [{"protocol": "enip", "conversations": 2, "requests_only": 1, "answers_only": 0}]
    back = [packet for packet in asked_of("10.0.0.6", True, 40011) if packet.time % SECOND]
    assert datagram_sides(both, back) == [{"protocol": "enip", "conversations": 2, "requests_only": 0, "answers_only": 1}]
    totals = watch(half).totals
    assert (totals.talks, totals.requests_only) == (0, 0)


def brief_polls(server: str = "10.0.0.5", answered: bool = True, count: int = 9, apart: int = 5) -> list[Packet]:
    """EtherNet/IP over UDP, each request from a port of its own."""
    return [
        packet for n in range(count) for packet in asked_of(server, answered, 40100 + n, 1, START + n * apart * SECOND)
    ]  # fmt: skip


def test_a_mirror_of_one_direction_of_short_polls_by_datagrams() -> None:
    """Told while the capture runs, however seldom the polls are, with the direction and in the grade: as much is missing as was seen."""
    whole = brief_polls(count=9, apart=25)
    asked, told = [packet for packet in whole if packet.time % SECOND == 0], [packet for packet in whole if packet.time % SECOND]
    for part, side in ((asked, "requests_only"), (told, "answers_only")):
        seen = rows(watch(part))
        for row in seen:
            assert row["datagrams"] == [{"protocol": "enip", "conversations": 1, "requests_only": 0, "answers_only": 0, side: 1}]
            assert row["halves"] == [{"protocol": "enip", "server": "10.0.0.5", "requests_only": 0, "answers_only": 0, side: 1}]
            assert row["grade"] == 50
        assert [row["packets"] for row in seen] == [3, 2, 3, 1]
        rare = rows(watch([packet.at(START + 2 * (packet.time - START)) for packet in part]))
        assert [row["grade"] for row in rare] == [100, 25, *[50] * 5], "what was too little to tell of is told with what follows"
    assert [row["datagrams"][0]["conversations"] for row in rows(watch(whole))] == [1, 1, 1, 1]
    assert {(row["lost"], row["grade"]) for row in rows(watch(whole))} == {(0, 100.0)}


def test_polls_that_nobody_answers_take_nothing_from_the_grade() -> None:
    """A scan asks each host but once or twice; a device that is off is told, but others answer, so that the mirror has both directions."""
    scan = [packet for n in range(1, 60) for packet in asked_of(f"10.0.3.{n}", False, 40000 + n, 2, START + n * MS)]
    assert datagram_sides(scan) == []
    off = brief_polls("10.0.0.6", False)
    (row,) = rows(watch(sorted([*brief_polls(), *off], key=lambda packet: packet.time)))
    assert row["datagrams"] == [{"protocol": "enip", "conversations": 2, "requests_only": 1, "answers_only": 0}]
    assert (row["lost"], row["grade"]) == (0, 100.0)


def test_what_is_asked_at_the_end_of_a_window_and_answered_in_the_next_is_whole() -> None:
    packets = [packet for n in range(1, 4) for packet in asked_of("10.0.0.5", True, 40000 + n, 1, START + 60 * n * SECOND - MS // 2)]
    assert [each["requests_only"] for row in rows(watch(packets)) for each in row["datagrams"]] == [0, 0, 0]


def test_what_answers_a_group_is_no_half_and_what_nobody_answers_neither() -> None:
    group = [Packet(packet.data[:0] + b"\xff" * 6 + packet.data[6:], packet.time) for packet in asked_of("10.0.0.255", False)]
    back = [packet for packet in asked_of("10.0.0.6", True) if packet.time % SECOND]
    assert datagram_sides(group, back) == []
    data = bytes.fromhex("0200 0280 0800 01000000 02000000 b100 0600 0100 aabbccdd".replace(" ", ""))
    cyclic = [Packet(ethernet(ipv4(udp(data, 2222, 2222), "10.0.0.1", "10.0.0.6", protocol=17, number=n + 1)), START + n * SECOND) for n in range(9)]
    assert watch(cyclic).totals.undecoded == {}
    assert datagram_sides(cyclic) == []


# a clock that steps


@pytest.mark.parametrize(("step", "missed", "expected"), [(600, False, 1), (7200, False, 1), (600, True, 0), (7200, True, 0), (120, False, 0)])
def test_a_clock_that_steps_is_told_from_silence(step: int, missed: bool, expected: int) -> None:
    """Conversations that go on with the octet that was next: nothing was said meanwhile. Where nobody listened, much of each is missing."""
    made = polls(count=60, talks=2)
    half = len(made) // 2
    later = shifted(made[half + (40 if missed else 0) :], step * SECOND)
    told = [row["clock_steps"] for row in watch([*made[:half], *later]).coverage]
    assert told[0] == 0
    assert max(told) == expected


# VLANs


def test_directions_in_different_vlans() -> None:
    there, back = only_to(polls(vlans=(10,)), 502), only_from(polls(vlans=(20,)), 502)
    seen = watch(sorted([*there, *back], key=lambda packet: packet.time))
    (row,) = rows(seen)
    assert (row["split_vlans"], row["vlans"]) == (4, [{"requests": 10, "answers": 20, "conversations": 4}])
    assert (row["talks"], row["requests_only"], row["answers_only"]) == (4, 0, 0)
    untagged = watch(sorted([*only_to(polls(), 502), *back], key=lambda packet: packet.time))
    assert rows(untagged)[0]["vlans"] == [{"requests": None, "answers": 20, "conversations": 4}]
    assert watch(polls(vlans=(10,))).totals.split_vlans == 0


# encryption

HELLO: Final = bytes.fromhex("160301002801000024") + bytes(36)
TLS_DATA: Final = b"\x17\x03\x03\x00\x40" + bytes(range(64))
QUIC: Final = b"\xc3\x00\x00\x00\x01\x08" + bytes(8) + b"\x00" + bytes(1200 - 15)
IKE: Final = bytes(range(1, 9)) + bytes(8) + b"\x21\x20\x22\x08" + bytes(4) + (60).to_bytes(4) + bytes(32)


def datagrams(payload: bytes, port: int, source: int = 60000, count: int = 3) -> list[Packet]:
    return [Packet(ethernet(ipv4(udp(payload, source, port), protocol=17, number=n + 1)), START + n * SECOND) for n in range(count)]


def spoken(*payloads: bytes, port: int = 443) -> list[Packet]:
    talk = Talk(port=port).open()
    for number, payload in enumerate(payloads):
        talk.put(number % 2, payload)
    return talk.packets


BEGINNINGS: Final = {
    "tls": (spoken(HELLO, b"\x16\x03\x03\x00\x10\x02" + bytes(15), TLS_DATA, TLS_DATA), "tcp/443"),
    "tls later on": (spoken(TLS_DATA, TLS_DATA)[3:], "tcp/443"),
    "tls elsewhere": (spoken(HELLO, TLS_DATA, port=9443), "tcp/9443"),
    "dtls": (datagrams(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x10" + bytes(16), 5684), "udp/5684"),
    "ssh": (spoken(b"SSH-2.0-OpenSSH_9.7\r\n", b"SSH-2.0-dropbear\r\n", bytes(range(200)), port=22), "tcp/22"),
    "ike": (datagrams(IKE, 500, 500), "udp/500"),
    "ipsec": (datagrams(b"\x11\x22\x33\x44" + bytes(60), 4500, 4500), "udp/4500"),
    "ipsec without ports": ([Packet(ethernet(ipv4(bytes(range(100)), protocol=50)))], "esp"),
    "quic": (datagrams(QUIC, 443), "udp/443"),
    "wireguard": (datagrams(b"\x01\0\0\0" + bytes(144), 51820), "udp/51820"),
    "macsec": ([Packet(ethernet(bytes(range(100)), ethertype=0x88E5))], "ethertype/0x88e5"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_cipher_is_recognised_by_how_it_begins(name: str) -> None:
    packets, port = BEGINNINGS[name]
    seen = watch(packets)
    (row,) = rows(seen)
    (told,) = row["encrypted"]
    assert (told["name"], told["port"]) == (name.split()[0], port)
    assert told["bytes"] == row["encrypted_bytes"] == row["undecoded_bytes"] == seen.totals.encrypted_bytes > 0
    assert told["conversations"] == (0 if port in ("esp", "ethertype/0x88e5") else 1)
    assert [(each["reason"], each["points"]) for each in row["reasons"]] == [("encrypted", 100.0)]
    assert [(each["name"], each["guess"], each["encrypted"]) for each in row["undecoded"]] == [(port, "encrypted", told["bytes"])]


NOT_CIPHERS: Final = {
    "text": spoken(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", port=80),
    "no record": spoken(b"\x16\x03\x09\x00\x10" + bytes(16), b"\x18\x03\x03\x00\x10" + bytes(16), b"\x17\x03\x03\x00\x00"),
    "short": spoken(b"\x16\x03\x03", b"SSH"),
    "ike of another length": datagrams(IKE[:40], 500, 500),
    "keep-alive": datagrams(b"\xff", 4500, 4500),
    "quic of no version": datagrams(b"\xc3\x00\x00\x00\x07\x08" + bytes(40), 443),
    "quic cut": datagrams(b"\xc3\x00\x00\x00\x01\x08" + bytes(8), 443),
    "no handshake": datagrams(b"\x01\0\0\0" + bytes(143), 51820),
    "dtls too long": datagrams(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x11" + bytes(16), 5684),
}


@pytest.mark.parametrize("name", NOT_CIPHERS)
def test_what_is_no_cipher(name: str) -> None:
    seen = watch(NOT_CIPHERS[name])
    assert (seen.totals.encrypted_bytes, seen.coverage[0]["encrypted"]) == (0, "[]")
    assert seen.totals.undecoded_bytes > 0


def test_a_cipher_beside_what_is_not_understood() -> None:
    seen = watch(sorted([*spoken(HELLO, TLS_DATA), *spoken(b"\x01\x02" * 40, port=4840)], key=lambda packet: packet.time))
    (row,) = rows(seen)
    encrypted = len(HELLO) + len(TLS_DATA)
    assert (row["undecoded_bytes"], row["encrypted_bytes"]) == (encrypted + 80, encrypted)
    assert [(each["reason"], each["bytes"]) for each in row["reasons"]] == [("encrypted", encrypted), ("undecoded", 80)]


def test_segments_that_come_twice_are_encrypted_once() -> None:
    packets = spoken(HELLO, TLS_DATA, TLS_DATA)
    seen = watch([*packets, packets[-1].at(packets[-1].time + 300 * MS)])
    assert seen.totals.encrypted_bytes == seen.totals.undecoded_bytes == len(HELLO) + 2 * len(TLS_DATA)


def test_ports_used_again_are_judged_again() -> None:
    first = Talk(port=4840).open()
    first.put(0, HELLO)
    first.close()
    second = Talk(port=4840, sequences=[90_000, 80_000], time=first.time + SECOND).open()
    second.put(0, b"\x01\x02" * 40)
    assert watch([*first.packets, *second.packets]).totals.encrypted_bytes == len(HELLO)


# all of it


def everything() -> list[Packet]:
    """A capture with some of all that the ledger tells of."""
    ciphers = [packet for packets, _ in BEGINNINGS.values() for packet in packets]
    plain = [packet for packets in NOT_CIPHERS.values() for packet in packets]
    later = START + 61 * SECOND
    there, back = only_to(polls(vlans=(10,), start=later, port=42000), 502), only_from(polls(vlans=(20,), start=later, port=42000), 502)
    clocks = [ntp(START + number * 9 * SECOND + MS, START + number * 9 * SECOND) for number in range(9)]
    clocks += [ptp(11, START, 1, flags=0x000C), ptp(0, START + 20_000, 2), ptp(8, START + MS, 2, START + 37 * SECOND, 0)]
    half = only_to(polls(start=START + 130 * SECOND), 502)
    made = [*polls(), *map(copied, polls()[::3]), *ciphers, *plain, *there, *back, *clocks, *half]
    return sorted(made, key=lambda packet: packet.time)


def test_the_cut_into_batches_changes_nothing() -> None:
    packets = everything()
    whole = watch(packets)
    assert whole.totals.encrypted_bytes
    assert whole.totals.mirrored
    assert whole.totals.split_vlans
    assert whole.totals.requests_only
    for each in (1, 7, 100):
        assert watch(packets, each=each).tables["coverage"] == whole.tables["coverage"], each


# interfaces


def test_what_is_counted_by_interface_adds_up() -> None:
    """Whatever goes wrong, by whichever of three ports it comes."""
    from tests.test_character import noisy

    dice = random.Random(4)
    packets = [replace(packet, interface=dice.randrange(3)) for packet in noisy(4)]
    seen, alone = watch(packets, names=("a", "b", "c")), watch(noisy(4))
    assert {row["interface"] for row in seen.coverage} == {"a", "b", "c"}
    for name in (
        "packets",
        "lost",
        "gaps",
        "late",
        "truncated",
        "one_sided",
        "undecoded_bytes",
        "decoded_bytes",
        "encrypted_bytes",
        "talks",
        "rejected",
        "shed",
    ):
        assert sum(row[name] for row in seen.coverage) == getattr(seen.totals, name) == getattr(alone.totals, name), name
    for row in rows(seen):
        assert sum(part["bytes"] for part in row["undecoded"]) == row["undecoded_bytes"]
        assert row["decoded_bytes"] >= 0
    for each in (1, 50):
        assert watch(packets, each=each, names=("a", "b", "c")).tables["coverage"] == seen.tables["coverage"], each


def test_more_interfaces_than_are_told_apart() -> None:
    names = [f"port {number}" for number in range(40)]
    packets = [Packet(ethernet(bytes(60), ethertype=0x88B8), START + number, interface=number) for number in range(40)]
    told = {row["interface"]: row["packets"] for row in watch(packets, names=names).coverage}
    assert told == {**{f"port {number}": 1 for number in range(15)}, "others": 25}


def test_one_interface_of_several_sections_is_one() -> None:
    packets = [Packet(ethernet(bytes(60), ethertype=0x88B8), START + number, interface=number) for number in range(30)]
    assert [(row["interface"], row["packets"]) for row in watch(packets, names=["eth0"] * 30).coverage] == [("eth0", 30)]


def test_a_handshake_alone_says_nothing() -> None:
    talk = Talk()
    talk.put(0, b"", SYN)
    talk.put(1, b"", SYN | ACK)
    totals = watch(talk.packets).totals
    assert (totals.talks, totals.encrypted_bytes, totals.mirrored) == (0, 0, 0)
