"""Byte streams to operations: however TCP cut, reordered, repeated or lost them. Nothing is lost silently, nothing is told twice."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensors.engine.streams import MAX_WAITING
from tests.examples import as_many
from tests.wire import (
    ACK,
    EXCHANGES,
    FIN,
    PUSH,
    RST,
    SECOND,
    START,
    SYN,
    Packet,
    Talk,
    error,
    ethernet,
    ipv4,
    mbap,
    read,
    registers,
    rtu,
    said,
    udp,
    watch,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Spoken = list[tuple[int, bytes]]  # what one side says before the other speaks
seeds = st.integers(0, 1 << 32)
bursts = st.lists(st.lists(st.integers(0, len(EXCHANGES) - 1), min_size=1, max_size=4), min_size=1, max_size=5)
few = settings(max_examples=as_many(25), deadline=None)


def dialogue(numbers: Sequence[Sequence[int]]) -> Spoken:
    """Requests in a row, then their responses, then the next ones."""
    spoken: Spoken = []
    transaction = 0
    for burst in numbers:
        asked, answered = b"", b""
        for number in burst:
            transaction += 1
            asked += mbap(transaction, EXCHANGES[number][0])
            answered += mbap(transaction, EXCHANGES[number][1])
        spoken += [(0, asked), (1, answered)]
    return spoken


def pieces(data: bytes, dice: random.Random, most: int) -> list[tuple[int, bytes]]:
    """Where each piece begins, and what it is."""
    cuts = sorted({0, len(data), *(dice.randrange(len(data) + 1) for _ in range(dice.randrange(most)))})
    return [(a, data[a:b]) for a, b in pairwise(cuts)]


def straight(spoken: Spoken) -> list[dict[str, Any]]:
    """The operations where nothing is cut."""
    talk = Talk().open()
    for side, data in spoken:
        talk.put(side, data)
    seen = watch(talk.packets)
    assert seen.totals.lost == seen.totals.gaps == seen.totals.undecoded_bytes == 0
    assert not seen.anomalies
    return said(seen.lines)


def carried(
    spoken: Spoken, dice: random.Random, most: int, disorder: bool, twice: bool, sequences: tuple[int, int] = (1000, 2000), port: int = 40000
) -> list[Packet]:
    """The same in pieces."""
    talk = Talk(sequences=list(sequences), client_port=port).open()
    for side, data in spoken:
        first = talk.sequences[side]
        parts = pieces(data, dice, most)
        if disorder:
            dice.shuffle(parts)
        for at, part in parts:
            talk.packets.append(talk.segment(side, part, first + at))
            if twice and dice.random() < 0.5:  # again, or an overlapping piece, or all that was said so far
                a, b = sorted(dice.randrange(len(data) + 1) for _ in range(2))
                again = dice.choice(((at, part), (0, data[: at + len(part)]) if not disorder else (at, part), (a, data[a:b]) if not disorder else (at, part)))
                talk.packets.append(talk.segment(side, again[1], first + again[0]))
        talk.lose(side, len(data))
    return talk.close().packets


@few
@given(bursts, seeds)
def test_any_segmentation(numbers: list[list[int]], seed: int) -> None:
    spoken = dialogue(numbers)
    seen = watch(carried(spoken, random.Random(seed), 40, disorder=False, twice=False))
    assert said(seen.lines) == straight(spoken)
    assert seen.payload == sum(len(data) for _, data in spoken)


@few
@given(bursts, seeds)
def test_octet_by_octet_and_wrapping(numbers: list[list[int]], seed: int) -> None:
    dice = random.Random(seed)
    spoken = dialogue(numbers)
    whole = sum(len(data) for side, data in spoken if side == 0)
    sequences = (0xFFFFFFFF - dice.randrange(whole + 2), 0xFFFFFFFF - dice.randrange(whole + 2))
    seen = watch(carried(spoken, dice, 400, disorder=False, twice=False, sequences=sequences))
    assert said(seen.lines) == straight(spoken)
    assert (seen.totals.lost, seen.totals.gaps) == (0, 0)


@few
@given(bursts, seeds, st.booleans())
def test_disorder_inside_the_window(numbers: list[list[int]], seed: int, twice: bool) -> None:
    spoken = dialogue(numbers)
    seen = watch(carried(spoken, random.Random(seed), MAX_WAITING, disorder=True, twice=twice))
    assert said(seen.lines) == straight(spoken)
    assert seen.payload == sum(len(data) for _, data in spoken)
    assert (seen.totals.lost, seen.totals.gaps) == (0, 0)


@few
@given(bursts, seeds)
def test_repetition_is_told_once(numbers: list[list[int]], seed: int) -> None:
    spoken = dialogue(numbers)
    seen = watch(carried(spoken, random.Random(seed), 12, disorder=False, twice=True))
    assert said(seen.lines) == straight(spoken)
    assert seen.payload == sum(len(data) for _, data in spoken)


@few
@given(st.lists(bursts, min_size=2, max_size=4), seeds)
@example([[[9], [0, 0, 0]], [[0]], [[0]], [[0]]], 23)  # the rest of a split message with the beginning of the next one read as a message
@example([[[0], [0]], [[0], [0], [0], [0], [0]], [[0, 0, 0]]], 8455)
def test_connections_do_not_mix(several: list[list[list[int]]], seed: int) -> None:
    dice = random.Random(seed)
    talks: list[list[Packet]] = []
    for number, numbers in enumerate(several):
        talks.append(carried(dialogue(numbers), dice, 8, disorder=True, twice=False, port=0x9C40 + number))
    mixed: list[Packet] = []
    waiting = [list(talk) for talk in talks]
    while any(waiting):
        mixed.append(dice.choice([talk for talk in waiting if talk]).pop(0))
    seen = watch(sorted(mixed, key=lambda packet: packet.time))
    for number, numbers in enumerate(several):
        mine = [line for line in seen.lines if line["source"]["port"] == 0x9C40 + number]
        assert said(mine, "source") == [{key: value for key, value in line.items() if key != "source"} for line in straight(dialogue(numbers))]


def test_the_rest_of_a_split_message_may_look_like_whole_messages() -> None:
    """Behind six octets of a header, unit, function and address read as another one, the number of registers as its length, which the next message fills."""
    first, second = mbap(1, read(0, 12)), mbap(3, read(7, 1))
    talk = Talk().open()
    talk.put(0, first[:6])
    talk.put(0, first[6:] + second)
    lines = watch(talk.packets).lines
    assert [(line["object"]["first"], line["anomaly"]) for line in lines] == [(0, []), (7, [])]


@few
@given(bursts, seeds)
def test_the_stream_may_end_anywhere(numbers: list[list[int]], seed: int) -> None:
    dice = random.Random(seed)
    spoken = dialogue(numbers)
    whole = sum(len(data) for _, data in spoken)
    left = end = dice.randrange(whole + 1)
    talk = Talk().open()
    for side, data in spoken:
        if left > 0:
            talk.put(side, data[:left])
        left -= len(data)
    seen = watch(talk.packets)
    complete = answered_before(numbers, end)
    assert said(seen.lines)[:complete] == straight(spoken)[:complete]
    assert seen.payload == end, "octets that are neither judged nor counted"
    for line in seen.lines[complete:]:
        assert line["outcome"] == "unknown" or line["anomaly"] == ["cut"]
    assert len(seen.lines) <= 1 + sum(EXCHANGES[number][2] for burst in numbers for number in burst)  # a cut answer may not tell whose it is


def answered_before(numbers: Sequence[Sequence[int]], end: int) -> int:
    """Operations whose request and response lie before `end`."""
    at = count = 0
    for burst in numbers:
        at += sum(7 + len(EXCHANGES[number][0]) for number in burst)
        for number in burst:
            at += 7 + len(EXCHANGES[number][1])
            count += EXCHANGES[number][2] if at <= end else 0
    return count


@few
@given(st.lists(st.integers(0, len(EXCHANGES) - 1), min_size=3, max_size=15), seeds)
def test_loss_is_counted_and_what_follows_is_seen(numbers: list[int], seed: int) -> None:
    dice = random.Random(seed)
    talk = Talk().open()
    kept: list[Packet] = []
    lost = 0
    whole: set[int] = set()
    for transaction, number in enumerate([*numbers, 0]):
        last = transaction == len(numbers)
        there = [last or dice.random() < 0.7, last or dice.random() < 0.7]
        for side in (0, 1):
            data = mbap(transaction, EXCHANGES[number][0] if side == 0 else EXCHANGES[number][1])
            packet = talk.put(side, data)
            kept += [packet] if there[side] else []
            lost += 0 if there[side] else len(data)
        if all(there):
            whole.add(transaction)
    seen = watch([*Talk().open().packets, *kept])
    assert seen.totals.lost == lost
    assert seen.totals.undecoded_bytes == 0
    assert set(seen.anomalies) <= {"answer_missed"}, "what the capture lost is no fault of the devices"
    expected = [transaction for transaction in sorted(whole) for _ in range(EXCHANGES[[*numbers, 0][transaction]][2])]
    answered = [line for line in seen.lines if line["packet"] and line["response_packet"]]
    assert len(answered) == len(expected)


def test_a_hole_in_a_message_shows_its_beginning_as_cut() -> None:
    talk = Talk().open()
    message = mbap(1, read(0, 2))
    talk.put(0, message[:9])
    talk.lose(0, 3)
    talk.ask(mbap(2, read(7, 1)), mbap(2, registers(5)))
    talk.put(0, b"", ACK)
    seen = watch(talk.packets)
    assert [(line["object"]["first"], line["anomaly"]) for line in seen.lines if line["packet"]] == [(7, []), (None, ["cut"])]
    assert (seen.totals.lost, seen.totals.gaps) == (3, 1)
    assert seen.lines[1]["packet"] == 4, "it is told with its own packet"


def test_a_lost_request_makes_no_response_unsolicited() -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    talk.lose(0, 12).put(1, mbap(2, registers(2)))
    talk.ask(mbap(3, read(0, 1)), mbap(3, registers(3)))
    seen = watch(talk.packets)
    assert not seen.anomalies
    assert [line["values"] for line in seen.lines] == [[1], [2], [3]]


def test_an_unsolicited_response_is_one() -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    talk.put(1, mbap(9, registers(2)))
    seen = watch(talk.ask(mbap(3, read(0, 1)), mbap(3, registers(3))).packets)
    assert [line["anomaly"] for line in seen.lines] == [[], ["unsolicited"], []]


JUNK = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    bytes(range(200)),
    b"\x00\x01\x00\x00\xff\xff\x01\x03",
    b"\xff" * 1400,
    b"\x00\x01\x00\x05\x00\x06\x01\x03\x00\x00\x00\x01",
)


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("side", [0, 1])
def test_one_bad_message_never_silences_a_connection(junk: bytes, side: int) -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    talk.put(side, junk)
    talk.ask(mbap(2, read(5, 1)), mbap(2, registers(2)))
    seen = watch(talk.packets)
    good = [line for line in seen.lines if line["action"] == "read_holding_registers" and not line["anomaly"]]
    assert [line["object"]["first"] for line in good] == [0, 5]
    bad = [line for line in seen.lines if line["anomaly"]]
    assert len(bad) == 1
    assert bad[0]["anomaly"][0] in ("wrong_protocol_id", "bad_length")
    assert seen.totals.undecoded == {"tcp/502": len(junk)}


@pytest.mark.parametrize("junk", JUNK)
def test_junk_at_the_beginning_on_the_registered_port(junk: bytes) -> None:
    talk = Talk().open()
    talk.put(0, junk)
    seen = watch(talk.ask(mbap(2, read(5, 1)), mbap(2, registers(2))).packets)
    assert [line["object"]["first"] for line in seen.lines if not line["anomaly"]] == [5]
    rtus = Talk().open()
    rtus.put(0, junk)
    seen = watch(rtus.ask(rtu(read(5, 1)), rtu(registers(2))).packets)
    assert [line["object"]["first"] for line in seen.lines if not line["anomaly"]] == [5], "content overrules the port"


def test_midstream_and_one_side() -> None:
    talk = Talk()
    for n in range(5):
        talk.ask(mbap(n, read(n, 1)), mbap(n, registers(n)))
    both = watch(talk.packets)
    assert [line["values"] for line in both.lines] == [[n] for n in range(5)]
    asked = watch(talk.packets[::2])
    assert [(line["outcome"], line["object"]["first"]) for line in asked.lines] == [("unknown", n) for n in range(5)]
    assert asked.totals.one_sided == 1
    answered = watch(talk.packets[1::2])
    assert [(line["outcome"], line["values"]) for line in answered.lines] == [("success", [n]) for n in range(5)]
    assert answered.totals.one_sided == 1
    assert asked.anomalies == ["answer_missed"] * 4, "that the last one was answered nobody has acknowledged yet"
    assert not answered.anomalies
    assert answered.lines[0]["destination"]["ip"] == talk.server
    assert both.totals.one_sided == 0
    assert not watch(talk.packets[1:]).anomalies, "a response before the first request that was seen"


BEGINNINGS = ("new numbers", "no handshake", "only its answer", "numbers near by")


@pytest.mark.parametrize(("ending", "beginning"), [
    *((ending, beginning) for ending in (RST, RST | ACK, FIN | ACK, 0) for beginning in BEGINNINGS),
    *((ending, "same numbers") for ending in (RST, RST | ACK, FIN | ACK)),  # without an end nothing tells it from a repeated SYN
])  # fmt: skip
def test_ports_are_used_again(ending: int, beginning: str) -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    half = mbap(7, read(3, 3))
    talk.put(0, half[:9])
    if ending:
        talk.put(0, b"", ending)
    talk.sequences = {"same numbers": [1000, 2000], "numbers near by": [1100, 2100]}.get(beginning, [3_000_000_000, 2_500_000_000])
    talk.time += SECOND // 2
    if beginning in ("same numbers", "new numbers", "numbers near by"):
        talk.open()
    elif beginning == "only its answer":
        talk.open()
        del talk.packets[-3]
    seen = watch(talk.ask(mbap(1, read(5, 1)), mbap(1, registers(2))).ask(mbap(2, read(6, 1)), mbap(2, registers(2))).packets)
    good = [line for line in seen.lines if not line["anomaly"]]
    assert [(line["object"]["first"], line["outcome"]) for line in good] == [(0, "success"), (5, "success"), (6, "success")]
    assert len(seen.lines) == 4, "the half message is shown"
    assert seen.payload == 2 * (12 + 11) + 9 + 23


def test_syn_again_and_keep_alive() -> None:
    talk = Talk()
    talk.put(0, b"", SYN)
    talk.packets += [talk.packets[0].at(START + 2)] * 2
    talk.put(1, b"", SYN | ACK)
    talk.packets.append(talk.packets[-1])
    talk.put(0, b"", ACK)
    talk.ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    talk.packets.append(talk.packets[0].at(talk.time))
    for payload in (b"", b"\0"):
        talk.packets.append(talk.segment(0, payload, talk.sequences[0] - 1, ACK))
        talk.packets.append(talk.segment(1, b"", talk.sequences[1], ACK))
    seen = watch(talk.ask(mbap(2, read(1, 1)), mbap(2, registers(2))).packets)
    assert [line["object"]["first"] for line in seen.lines] == [0, 1]
    assert not seen.anomalies
    assert seen.totals.undecoded_bytes == seen.totals.lost == 0


@pytest.mark.parametrize("disorder", [False, True])
def test_segments_larger_than_a_slot(disorder: bool) -> None:
    talk = Talk().open()
    many = range(300)
    talk.put(0, b"".join(mbap(n, read(n, 100)) for n in many))
    answers = b"".join(mbap(n, registers(*[n] * 100)) for n in many)
    first = talk.sequences[1]
    middle = 209 * 50
    parts = [(0, answers[:middle]), (middle, answers[middle:]), (len(answers), mbap(900, error(3)))]
    for at, part in (parts[0], parts[2], parts[1]) if disorder else parts:
        talk.packets.append(talk.segment(1, part, first + at))
    seen = watch(talk.packets)
    assert [line["values"] for line in seen.lines[:300]] == [[n] * 100 for n in many]
    assert seen.payload == 12 * 300 + len(answers) + 9


def test_more_disorder_than_the_window_loses_only_the_hole() -> None:
    talk = Talk().open()
    talk.lose(0, 12)
    for n in range(3 * MAX_WAITING):
        talk.put(0, mbap(n, read(n, 1)))
    seen = watch(talk.packets)
    assert [line["object"]["first"] for line in seen.lines] == list(range(3 * MAX_WAITING))
    assert (seen.totals.lost, seen.totals.gaps) == (12, 1)


def test_two_holes_and_a_full_window() -> None:
    talk = Talk().open()
    for n in range(40):
        if n % 3 == 0:
            talk.lose(0, 12)
        else:
            talk.put(0, mbap(n, read(n, 1)))
    seen = watch(talk.packets)
    assert [line["object"]["first"] for line in seen.lines] == [n for n in range(40) if n % 3]
    assert seen.totals.lost == 14 * 12 - (0 if 39 % 3 else 12), "the last hole has nothing behind it"


def test_what_waits_at_the_end_has_its_own_time_and_packet() -> None:
    talk = Talk().open()
    talk.lose(0, 12).put(0, mbap(5, write(3, 7)))
    other = Talk(client_port=50000, time=talk.time + 30 * SECOND)
    other.ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    seen = watch([*talk.packets, *other.packets])
    late = next(line for line in seen.lines if line["action"] == "write_single_register")
    assert (late["packet"], late["time"]) == (4, talk.packets[3].time)


def test_many_half_messages_do_not_stop_the_sensor() -> None:
    packets: list[Packet] = []
    for n in range(1500):
        talk = Talk(client=f"10.1.{n >> 8}.{n & 255}", time=START + n * 1000)
        talk.put(0, mbap(1, read(0, 1))[:9])
        packets += talk.packets
    good = Talk(time=START + SECOND).open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    seen = watch([*packets, *good.packets])
    assert seen.lines[0]["values"] == [1]
    assert seen.totals.shed > 0
    assert seen.payload == 1500 * 9 + 23


# ---------------------------------------------------------------- recognition


@pytest.mark.parametrize("port", [502, 1502, 20000, 65535])
def test_recognised_by_content_on_any_port(port: int) -> None:
    tcp_ip = Talk(port=port).open().ask(mbap(1, read(0, 1)), mbap(1, registers(1))).ask(mbap(2, write(1, 2)), mbap(2, write(1, 2)))
    assert [line["action"] for line in watch(tcp_ip.packets).lines] == ["read_holding_registers", "write_single_register"]
    serial = Talk(port=port).open().ask(rtu(read(0, 1), 9), rtu(registers(1), 9)).ask(rtu(write(1, 2)), rtu(write(1, 2)))
    seen = watch(serial.packets)
    assert [(line["action"], line["unit"]) for line in seen.lines] == [("read_holding_registers", 9), ("write_single_register", 1)]
    assert not seen.anomalies
    assert seen.totals.undecoded_bytes == 0


def test_of_what_fits_two_protocols_that_of_the_port_is_taken() -> None:
    """A request of twelve octets whose transaction is 0x680A is a message of IEC 60870-5-104 by its length, too."""
    talk = Talk().open().ask(mbap(0x680A, write(1, 2)), mbap(0x680A, write(1, 2))).ask(mbap(0x680B, read(0, 1)), mbap(0x680B, registers(1)))
    seen = watch(talk.packets)
    assert [line["action"] for line in seen.lines] == ["write_single_register", "read_holding_registers"]
    assert not seen.anomalies


def datagram(data: bytes, source: int, target: int, ends: tuple[str, str], time: int) -> Packet:
    return Packet(ethernet(ipv4(udp(data, source, target), *ends, 17), *ends), time)


def test_recognised_in_datagrams() -> None:
    there, back = ("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")
    packets = [
        datagram(mbap(1, read(0, 1)), 50000, 502, there, START),
        datagram(mbap(1, registers(4)), 502, 50000, back, START + 1000),
        datagram(mbap(2, read(0, 1))[:-2], 50000, 502, there, START + 2000),
        datagram(mbap(3, read(1, 1)), 50000, 502, there, START + 3000),
        datagram(mbap(4, read(2, 1)), 50000, 502, there, START + 4000).cut(50),
        datagram(mbap(5, read(3, 1)), 50000, 502, there, START + 5000),
    ]
    seen = watch(packets)
    assert sorted((line["packet"], tuple(line["anomaly"])) for line in seen.lines) == [(1, ()), (3, ("bad_length",)), (4, ()), (5, ("cut",)), (6, ())]
    assert seen.totals.undecoded == {"udp/502": 10 + 4}


@pytest.mark.parametrize(("port", "lines"), [(502, 3), (5055, 0)], ids=["to the port", "from the port"])
def test_a_registered_port_says_whose_datagrams_do_not_fit_only_where_they_are_sent_to(port: int, lines: int) -> None:
    """A client may have any port, the registered one of a protocol that it does not speak, too."""
    client = 5055 if port == 502 else 502
    there, back = ("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")
    packets = [datagram(bytes([n]) * 30, *((client, port, there) if n % 2 else (port, client, back)), START + n * 1000) for n in range(1, 4)]
    assert len(watch(packets).lines) == lines


OTHERS = {
    "dnp3": bytes.fromhex("056405c001000004e92100000000"),
    "opc ua": b"HELF\x38\x00\x00\x00" + bytes(48),
    "http": b"GET /index.html HTTP/1.1\r\nHost: plant\r\n\r\n",
    "tls": bytes.fromhex("16030100050100000100"),
    "zeros": bytes(64),
    "dns over tcp": b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_protocols_are_not_recognised(name: str) -> None:
    talk = Talk(port=9999).open()
    for _ in range(12):
        talk.ask(OTHERS[name], OTHERS[name])
    seen = watch(talk.packets)
    assert seen.lines == []
    assert seen.totals.undecoded == {"tcp/9999": 24 * len(OTHERS[name])}


def test_noise_is_not_recognised() -> None:
    dice = random.Random(5)
    packets: list[Packet] = []
    for n in range(600):
        talk = Talk(port=9999, client_port=10000 + n, time=START + n * 10000)
        for _ in range(4):
            talk.ask(dice.randbytes(dice.randrange(4, 200)), dice.randbytes(dice.randrange(4, 40)))
        packets += talk.packets
    assert watch(sorted(packets, key=lambda packet: packet.time)).lines == []


def test_flags_alone_change_nothing() -> None:
    talk = Talk().open()
    for n, flags in enumerate((PUSH | ACK, ACK, ACK | 32, ACK | 64 | 128)):
        talk.put(0, mbap(n, read(n, 1)), flags)
        talk.put(1, mbap(n, registers(n)), flags)
    assert [line["values"] for line in watch(talk.packets).lines] == [[0], [1], [2], [3]]
