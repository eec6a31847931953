"""Octets that were passed over and come after all: neither a forged frame nor a late one silences a connection."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.wire import ACK, CLIENT, FIN, PUSH, RST, SECOND, SERVER, START, SYN, Packet, Seen, Talk, ethernet, ipv4, mbap, read, registers, udp, watch, write

if TYPE_CHECKING:
    from collections.abc import Callable

WRITES: Final = 40


def begun() -> Talk:
    """A connection on which a few registers are written."""
    talk = Talk().open()
    for number in range(3):
        talk.ask(mbap(number, write(number, number)), mbap(number, write(number, number)))
    return talk


def stretched(packet: Packet, octets: int) -> Packet:
    """A datagram that claims to be longer than its frame."""
    data = bytearray(packet.data)
    data[16:18] = struct.pack(">H", octets)
    data[24:26] = b"\0\0"
    total = sum(struct.unpack(">10H", data[14:34]))
    total = (total >> 16) + (total & 0xFFFF)
    data[24:26] = struct.pack(">H", ~((total >> 16) + total) & 0xFFFF)
    return replace(packet, data=bytes(data))


def far_cut(talk: Talk) -> list[Packet]:
    """Two frames a megabyte ahead that look as if they were cut."""
    return [stretched(talk.segment(side, mbap(9, write(9, 9)), talk.sequences[side] + 900_000), 1500) for side in (0, 1)]


def next_cut(talk: Talk) -> list[Packet]:
    """The next octets of both sides, in frames that claim many more."""
    return [stretched(talk.segment(side, b"\0", talk.sequences[side]), 60_000) for side in (0, 1)]


def far_small(talk: Talk) -> list[Packet]:
    """More segments ahead than may wait."""
    return [talk.segment(side, b"\0", talk.sequences[side] + 5000 + 10 * number) for number in range(9) for side in (0, 1)]


def written(seen: Seen) -> set[int]:
    """The registers whose writing was seen with an answer."""
    return {row["object"]["first"] for row in seen.lines if row["access"] == "write" and row["outcome"] == "success"}


@pytest.mark.parametrize("forge", [far_cut, next_cut, far_small], ids=lambda forge: forge.__name__)
@pytest.mark.parametrize("repeated", [False, True])
def test_forged_frames_silence_nobody(forge: Callable[[Talk], list[Packet]], repeated: bool) -> None:
    talk = begun()
    for number in range(WRITES):
        if number == 0 or repeated:
            talk.packets += forge(talk)
        talk.ask(mbap(100 + number, write(100 + number, 1)), mbap(100 + number, write(100 + number, 1)))
    assert written(watch(talk.packets)) >= {100 + number for number in range(2, WRITES)}


def test_a_segment_that_comes_very_late_is_judged() -> None:
    talk = begun()
    late = talk.segment(0, mbap(50, write(50, 5)), talk.sequences[0])
    talk.lose(0, 12)
    for number in range(12):
        talk.put(0, mbap(60 + number, write(60 + number, 1)))
    talk.packets.append(late)
    talk.put(0, mbap(80, write(80, 1)))
    seen = watch(talk.packets)
    wrote = [row["object"]["first"] for row in seen.lines if row["access"] == "write"]
    assert sorted(wrote) == [0, 1, 2, 50, *range(60, 72), 80]
    assert seen.totals.lost == 0
    assert not seen.anomalies


def test_a_late_segment_that_reaches_beyond_the_front_is_delivered_whole() -> None:
    talk = begun()
    start = talk.sequences[0]
    messages = b"".join(mbap(50 + number, write(50 + number, 1)) for number in range(4))
    talk.packets.append(stretched(talk.segment(0, messages[:6], start), 40 + 24))  # as if the capture had cut two of them
    talk.packets.append(talk.segment(0, messages, start))
    talk.sequences[0] = start + len(messages)
    talk.put(0, mbap(80, write(80, 1)))
    seen = watch(talk.packets)
    assert {row["object"]["first"] for row in seen.lines if row["access"] == "write" and not row["anomaly"]} >= {51, 52, 53, 80}


@pytest.mark.parametrize("behind", [0, 1, 12])
def test_what_the_receiver_has_is_read_where_it_comes_late(behind: int) -> None:
    """A capture that is out of order; nobody says then that the request was not answered."""
    talk = begun()
    late = talk.segment(0, mbap(50, write(50, 5)), talk.sequences[0])
    talk.lose(0, 12)
    talk.put(1, mbap(50, write(50, 5)))
    for number in range(behind):
        talk.ask(mbap(60 + number, write(60 + number, 1)), mbap(60 + number, write(60 + number, 1)))
    talk.packets.append(replace(late, time=talk.time + 9 * SECOND))
    seen = watch(talk.packets)
    told = [row for row in seen.lines if row["object"]["first"] == 50 and row["outcome"] == "unknown"]
    assert [row["anomaly"] for row in told] == [["answer_missed"]]
    assert written(seen) >= {60 + number for number in range(behind)}
    totals = seen.totals
    assert (totals.lost, totals.gaps, totals.repeated, totals.undecoded_bytes) == (0, 0, 0, 0)


def test_what_came_late_and_comes_again_is_not_read_twice() -> None:
    talk = begun()
    late = talk.segment(0, mbap(50, write(50, 5)), talk.sequences[0])
    talk.lose(0, 12)
    for number in range(12):
        talk.ask(mbap(60 + number, write(60 + number, 1)), mbap(60 + number, write(60 + number, 1)))
    before = [packet for packet in talk.packets if len(packet.data) > 54][-4:]
    again = [replace(packet, time=talk.time + number * SECOND) for number, packet in enumerate([late, late, *before])]
    seen = watch([*talk.packets, *again])
    assert [row["object"]["first"] for row in seen.lines].count(50) == 1
    assert (len(seen.lines), seen.totals.lost, seen.totals.repeated) == (16, 0, 1 + len(before))


def test_a_capture_of_short_frames_stays_in_step() -> None:
    talk = begun()
    values = mbap(7, registers(*range(100)))
    for _ in range(5):
        talk.put(1, values)
    whole, talk.packets[-5:] = talk.packets[-5:], [packet.cut(100) for packet in talk.packets[-5:]]
    talk.ask(mbap(8, write(8, 8)), mbap(8, write(8, 8)))
    seen = watch(talk.packets)
    assert 8 in written(seen)
    assert seen.totals.truncated == 5
    assert seen.totals.cut_bytes == sum(len(packet.data) - 100 for packet in whole)
    reason = {each["reason"]: each["bytes"] for row in seen.coverage for each in json.loads(row["reasons"])}["cut"]
    assert reason == seen.totals.cut_bytes == seen.totals.undecoded_bytes


@pytest.mark.parametrize("understood", [True, False])
def test_octets_that_the_capture_cut_are_told_apart_where_the_rest_is_understood(understood: bool) -> None:
    """Of datagrams, too. What nobody understands is no less so for being cut."""
    message = struct.pack("<HHIIQI", 0x63, 40, 0, 0, 0, 0) if understood else b"nothing that anybody knows"  # EtherNet/IP: who is there?
    datagram = Packet(ethernet(ipv4(udp(message + bytes(40), 49200, 44818 if understood else 9999), CLIENT, SERVER, 17)), START)
    totals = watch([datagram.cut(len(datagram.data) - 40)]).totals
    assert (totals.truncated, totals.cut_bytes) == (1, 40 if understood else 0)
    assert totals.undecoded_bytes >= 40


def flood(connections: int) -> list[Packet]:
    """Requests of many clients without an answer."""
    packets: list[Packet] = []
    for number in range(connections):
        talk = Talk(client_port=20000 + number)
        talk.put(0, mbap(1, write(1, 1)), PUSH | ACK)
        packets += talk.packets
    return packets


def test_one_sided_conversations_are_counted_however_few_flows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import sensors.sensor as sensor

    packets: Any = flood(300)
    assert watch(packets).totals.one_sided == 300
    monkeypatch.setattr(sensor, "MOST_FLOWS", 64)
    assert watch(packets).totals.one_sided == 300


def hijack(talk: Talk, sequence: int) -> Packet:
    """A forged beginning of a connection that is used."""
    return talk.segment(0, b"", sequence, SYN, 0)


@pytest.mark.parametrize("sequence", [1, 123_456, 1060, 0xFFFFFF00])
@pytest.mark.parametrize("sides", [(0, 1), (0,)])
def test_a_forged_beginning_moves_nothing(sequence: int, sides: tuple[int, ...]) -> None:
    talk = begun()
    for number in range(WRITES):
        if number in (0, 7):
            talk.packets.append(hijack(talk, sequence))
        talk.ask(mbap(100 + number, write(100 + number, 1)), mbap(100 + number, write(100 + number, 1)))
    port = struct.pack(">H", 40000)
    packets = [packet for packet in talk.packets if (0 if packet.data[34:36] == port else 1) in sides]
    seen = watch(packets)
    assert {row["object"]["first"] for row in seen.lines} == {0, 1, 2, *range(100, 100 + WRITES)}
    unheard = 0 if 1 in sides else (len(seen.lines) - 1) * len(mbap(1, write(1, 1)))  # answers that were acknowledged
    assert (seen.totals.lost, seen.totals.undecoded_bytes) == (unheard, 0)


def both_anew(talk: Talk) -> list[Packet]:
    """A handshake far from where both sides are."""
    client, server = talk.sequences
    return [talk.segment(0, b"", client + 500_000, SYN, 0), talk.segment(1, b"", server + 500_000, SYN | ACK, client + 500_001)]


def answer_anew(talk: Talk) -> list[Packet]:
    return [talk.segment(1, b"", talk.sequences[1] + 500_000, SYN | ACK, talk.sequences[0])]


def ended_anew(talk: Talk, flags: int = RST) -> list[Packet]:
    """An end that its receiver does not believe, and a handshake."""
    return [*(talk.segment(side, b"", talk.sequences[side] + 300_000, flags | ACK) for side in (0, 1)), *both_anew(talk)]


def finished_anew(talk: Talk) -> list[Packet]:
    return ended_anew(talk, FIN)


@pytest.mark.parametrize("forge", [both_anew, answer_anew, ended_anew, finished_anew], ids=lambda forge: forge.__name__)
@pytest.mark.parametrize("used", [False, True])
def test_forged_handshakes_and_ends_silence_nobody(forge: Callable[[Talk], list[Packet]], used: bool) -> None:
    talk = begun() if used else Talk().open()
    talk.packets += forge(talk)
    for number in range(100, 100 + WRITES):
        talk.ask(mbap(number, write(number, 1)), mbap(number, write(number, 1)))
    seen = watch(talk.packets)
    assert written(seen) == {*((0, 1, 2) if used else ()), *range(100, 100 + WRITES)}
    assert seen.totals.lost == seen.totals.undecoded_bytes == 0


def test_ports_used_again_without_an_end_are_a_new_connection() -> None:
    for seen_sides in ((0, 1), (0,)):
        talk = begun()
        talk.sequences = [5_000_000, 6_000_000]
        talk.open().ask(mbap(200, write(200, 1)), mbap(200, write(200, 1)))
        port = struct.pack(">H", 40000)
        packets = [packet for packet in talk.packets if (0 if packet.data[34:36] == port else 1) in seen_sides]
        seen = watch(packets)
        assert {row["object"]["first"] for row in seen.lines} == {0, 1, 2, 200}
        assert (seen.totals.lost, seen.totals.undecoded_bytes) == (0 if len(seen_sides) == 2 else 24, 0), "what the side that is missing said and had confirmed"


def polled(count: int, captured: int, answered: bool = True) -> Talk:
    """Polls whose first answers are captured; the client acknowledges the others, or, where the device is silent, does not."""
    talk = Talk().open()
    for number in range(count):
        talk.put(0, mbap(number, read(0, 1)))
        if number < captured:
            talk.put(1, mbap(number, registers(number)))
        elif answered:
            talk.lose(1, len(mbap(number, registers(number))))
        talk.time += 10 * SECOND
    return talk


def test_an_answer_that_was_acknowledged_came_even_if_it_was_not_captured() -> None:
    """Else a mirror that loses a direction would look like a device that does not answer. What the last request got, nobody acknowledged yet."""
    for captured in (0, 3):
        lines = watch(polled(8, captured).packets).lines
        assert [line["anomaly"] for line in lines] == [[]] * captured + [[]] + [["answer_missed"]] * (7 - captured), captured
        assert [line["outcome"] for line in lines] == ["success"] * captured + ["unknown"] * (8 - captured)
    assert {tuple(line["anomaly"]) for line in watch(polled(8, 3, answered=False).packets).lines} == {()}
    assert {tuple(line["anomaly"]) for line in watch(polled(8, 8).packets).lines} == {()}
