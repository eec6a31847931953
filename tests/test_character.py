"""What is not understood is told by its character: how much, how long, how often, which octets; and a word that follows from them by rule."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING, Any, Final

import pytest

import sensors.sensor
from sensors.engine.character import BINS, LENGTHS, SAMPLED_EVERY, SAMPLED_FIRST, SAMPLED_OCTETS
from sensors.sensor import Sensor
from sensors.unknown import Unknown, worst_first
from tests.cli import balefire, lines, one
from tests.wire import ACK, MS, SECOND, START, SYN, Feed, Packet, Talk, ethernet, hard, ipv4, mbap, read, registers, save, tcp, udp, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HTTP: Final = b"GET /status HTTP/1.1\r\nHost: plant.example\r\nAccept: text/html\r\n\r\n"


def sent(payloads: Sequence[bytes], every: int = 100 * MS, port: int = 4840, jitter: Sequence[int] = ()) -> list[Packet]:
    """Payloads of one client, each a segment."""
    talk = Talk(port=port).open()
    for number, payload in enumerate(payloads):
        talk.time = START + number * every + (jitter[number] if jitter else 0)
        talk.put(0, payload)
    return talk.packets


def telegrams(count: int, octets: int = 32) -> list[bytes]:
    """Short binary frames that differ by a counter."""
    return [number.to_bytes(2) + bytes(octets - 4) + (7 * number & 0xFFFF).to_bytes(2) for number in range(count)]


def rows(packets: Sequence[Packet]) -> list[dict[str, dict[str, Any]]]:
    """What each window tells of each port."""
    return [{part["name"]: part for part in json.loads(row["undecoded"])} for row in watch(packets).coverage]


def only(packets: Sequence[Packet]) -> dict[str, Any]:
    """What is told of the only port in the only window."""
    (window,) = rows(packets)
    (part,) = window.values()
    return part


def test_random_octets_look_encrypted() -> None:
    dice = random.Random(1)
    told = only(sent([dice.randbytes(1200) for _ in range(20)], 37 * MS))
    assert (told["name"], told["bytes"], told["packets"], told["conversations"]) == ("tcp/4840", 24_000, 20, 1)
    assert told["guess"] == "encrypted"
    assert told["entropy"] >= 7.9
    assert 0.3 < told["printable"] < 0.45
    assert told["lengths"] == [0, 0, 0, 0, 0, 20, 0]


@pytest.mark.parametrize("octets", [8, 16, 255, 256, 512, 900, 1023])
def test_a_small_sample_is_never_called_encrypted(octets: int) -> None:
    told = only(sent([random.Random(octets).randbytes(octets)]))
    assert told["guess"] != "encrypted"
    assert (told["entropy"] is None) == (min(octets, SAMPLED_OCTETS) < 256)
    assert told["guess"] == (None if octets < 256 else "binary")


def test_entropy_is_not_bounded_by_the_size_of_the_sample() -> None:
    """Of 512 random octets log2 and the plain estimate say 7.5 or so; corrected it is near 8. Few kinds of octets stay few."""
    dice = random.Random(3)
    told = [only(sent([dice.randbytes(512)]))["entropy"] for _ in range(8)]
    assert all(7.7 <= bits <= 8.0 for bits in told)
    assert only(sent([bytes(dice.choices((1, 2, 3, 4), k=512))]))["entropy"] == 2.0
    assert only(sent([bytes(512)]))["entropy"] == 0.0


def test_http_is_text() -> None:
    told = only(sent([HTTP] * 5))
    assert (told["guess"], told["printable"]) == ("text", 1.0)
    assert told["lengths"] == [0, 5, 0, 0, 0, 0, 0]


def test_short_frames_at_even_intervals_are_likely_an_industrial_protocol() -> None:
    told = only(sent(telegrams(200)))
    assert (told["guess"], told["period"]) == ("cyclic", 0.1)
    assert told["lengths"] == [0, 200, 0, 0, 0, 0, 0]


def test_jitter() -> None:
    """A few per cent are a cycle; half of it is none."""
    dice = random.Random(5)
    little, much = ([dice.randrange(-span, span) * MS for _ in range(200)] for span in (4, 50))
    told = only(sent(telegrams(200), jitter=little))
    assert (told["guess"], round(told["period"], 3)) == ("cyclic", 0.1)
    told = only(sent(telegrams(200), jitter=much))
    assert (told["guess"], told["period"]) == ("binary", None)


def test_a_cycle_of_long_frames_is_no_telegram() -> None:
    told = only(sent([payload * 20 for payload in telegrams(200)], every=100 * MS))
    assert (told["guess"], told["period"]) == ("binary", 0.1)


def test_a_few_even_intervals_are_chance() -> None:
    assert [only(sent(telegrams(count)))["period"] for count in (1, 4, 5)] == [None, None, 0.1]


def test_lengths() -> None:
    for octets, place in ((1, 0), (16, 0), (17, 1), (64, 1), (65, 2), (256, 2), (257, 3), (512, 3), (513, 4), (1024, 4), (1025, 5), (1460, 5), (1461, 6)):
        lengths = only(sent([bytes(octets)]))["lengths"]
        assert [at for at, count in enumerate(lengths) if count] == [place], octets
    assert len(LENGTHS) + 1 == 7


def test_only_a_sample_of_a_flow_is_looked_at() -> None:
    count = SAMPLED_FIRST + 10 * SAMPLED_EVERY
    totals = watch(sent([bytes(600)] * count, 11 * MS)).totals.unknown["tcp/4840"]
    assert (totals.packets, totals.sampled) == (count, (SAMPLED_FIRST + 10) * SAMPLED_OCTETS)
    assert totals.bins[0] == totals.sampled


def test_what_a_protocol_is_recognised_in_is_not_counted() -> None:
    talk = Talk().open()
    for number in range(20):
        talk.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    assert rows(talk.packets) == [{}]
    (window,) = rows([*talk.packets, *sent([b"HELF" + bytes(20)], port=4840)])
    assert [(part["name"], part["packets"]) for part in window.values()] == [("tcp/4840", 1)]


def test_what_was_undecoded_in_a_known_protocol_has_no_character() -> None:
    told = only(Talk().open().ask(mbap(1, b"\x5b\x01\x02")).ask(mbap(2, b"\x5b\x01\x02")).packets)
    assert told["name"] == "tcp/502"
    assert (told["packets"], told["entropy"], told["printable"], told["period"], told["guess"]) == (0, None, None, None, None)


def test_conversations_are_counted_once_a_window_and_once_in_all() -> None:
    talks = [Talk(port=4840, client_port=41000 + number).open() for number in range(3)]
    for talk, minute in itertools.product(talks, (0, 1)):
        talk.time = max(talk.time, START + minute * 60 * SECOND)
        talk.ask(b"HELF" + bytes(9), b"ACKF" + bytes(9))
    packets = sorted((packet for talk in talks for packet in talk.packets), key=lambda packet: packet.time)
    seen = watch(packets)
    assert [json.loads(row["undecoded"])[0]["conversations"] for row in seen.coverage] == [3, 3]
    assert (seen.totals.unknown["tcp/4840"].conversations, seen.totals.unknown["tcp/4840"].packets) == (3, 12)


def test_what_has_no_ports() -> None:
    dice = random.Random(8)
    goose = [Packet(ethernet(dice.randbytes(100), ethertype=0x88B8), START + number * MS) for number in range(20)]
    arp = [Packet(ethernet(bytes(46), ethertype=0x0806), START + 30 * MS)]
    esp = [Packet(ethernet(ipv4(dice.randbytes(300), protocol=50)), START + 40 * MS + number) for number in range(10)]
    part = [Packet(ethernet(ipv4(bytes(64), fragment=0x2000)), START + 50 * MS)]
    (window,) = rows([*goose, *arp, *esp, *part])
    told = {name: (row["packets"], row["conversations"], row["guess"]) for name, row in window.items()}
    assert told == {
        "ethertype/0x88b8": (20, 0, "encrypted"),
        "ethertype/0x0806": (1, 0, None),
        "esp": (10, 0, "encrypted"),
        "tcp/fragment": (0, 0, None),
    }  # octets of a datagram that never became whole


def test_more_ports_than_rows() -> None:
    packets = [Packet(ethernet(ipv4(udp(b"A" * 80, 60000, port), protocol=17)), START + port * 1000) for port in range(1000, 1400)]
    (window,) = rows(packets)
    assert len(window) == 256
    assert (window["other"]["packets"], window["other"]["conversations"], window["other"]["guess"]) == (145, 145, "text")
    assert sum(row["packets"] for row in window.values()) == 400
    assert all(row["lengths"] == [0, 0, row["packets"], 0, 0, 0, 0] for row in window.values())


def noisy(seed: int) -> list[Packet]:
    """Unknown conversations of every kind, among everything that goes wrong; clients that use a port again, and handshakes that come late."""
    dice = random.Random(seed)
    made = hard(seed, 20)
    made += sent(telegrams(900), 97 * MS, 5007)
    made += sent([dice.randbytes(dice.randrange(1, 1460)) for _ in range(300)], 333 * MS, 443)
    made += [Packet(ethernet(ipv4(udp(HTTP, 6000 + number % 5, 5353), protocol=17)), START + number * 777 * MS) for number in range(120)]
    made += [Packet(ethernet(dice.randbytes(60), ethertype=0x8892), START + number * 50 * MS) for number in range(300)]
    for number in range(12):
        talk = Talk(port=40001, client_port=102, time=START + number * 9 * SECOND, sequences=[dice.getrandbits(32), dice.getrandbits(32)])
        for flags in (ACK, SYN, ACK):
            talk.put(0, b"" if flags & SYN else dice.randbytes(30), flags)
            talk.put(1, dice.randbytes(30))
        made += talk.packets
    return sorted(made, key=lambda packet: packet.time)


@pytest.mark.parametrize("flows", [1 << 16, 12])
def test_the_cut_into_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch, flows: int) -> None:
    """Also where flows age and their numbers are used again."""
    monkeypatch.setattr(sensors.sensor, "MOST_FLOWS", flows)
    packets = noisy(4)
    whole = watch(packets)
    assert len(whole.coverage) > 2
    assert {part["guess"] for row in whole.coverage for part in json.loads(row["undecoded"])} >= ({"cyclic", "encrypted", "text"} if flows > 12 else {"text"})
    for each in (1, 7, 100):
        other = watch(packets, each=each)
        assert other.tables["coverage"] == whole.tables["coverage"], each
        assert other.totals == whole.totals


def test_flows_that_age_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a flow was like is not lost with its row, nor left to the next one in it."""
    monkeypatch.setattr(sensors.sensor, "MOST_FLOWS", 8)
    even = sent(telegrams(20), port=2405)
    packets = [*even, *(Packet(ethernet(ipv4(udp(bytes(20), 50000 + n, 9), protocol=17)), START + 3 * SECOND + n * n * MS) for n in range(60))]
    (window,) = rows(packets)
    assert {name: (row["packets"], row["conversations"], row["period"]) for name, row in window.items()} == {
        "tcp/2405": (20, 1, 0.1), "udp/9": (60, 60, None),
    }  # fmt: skip


def test_a_row_of_no_use_is_no_trouble() -> None:
    """A reset of the clock, a packet at the end of time, and payloads that the capture cut to nothing."""
    packets = [packet.cut(54) for packet in sent([bytes(100)] * 6)]
    packets += [packet.at((1 << 62) + number) for number, packet in enumerate(sent([bytes(9)] * 3, port=7))]
    packets += [packet.at(number) for number, packet in enumerate(sent([bytes(9)] * 3, port=8))]
    told = {part["name"]: part for row in watch(packets).coverage for part in json.loads(row["undecoded"])}
    assert (told["tcp/4840"]["packets"], told["tcp/4840"]["printable"], told["tcp/4840"]["bytes"]) == (6, None, 600)


def test_worst_first() -> None:
    def unknown(octets: int, cyclic: int = 0) -> Unknown:
        return Unknown(octets, 10, 1, cyclic, cyclic * 1e8, [0] * BINS + [0, 10, 0, 0, 0, 0, 0])

    told = worst_first({"tcp/443": unknown(10_000), "tcp/5007": unknown(320, 10), "udp/53": unknown(500), "udp/5353": unknown(500)})
    assert [(row["name"], row["guess"]) for row in told] == [("tcp/5007", "cyclic"), ("tcp/443", None), ("udp/53", None), ("udp/5353", None)]


def test_a_replay_tells_blind_spots_worst_first(tmp_path: Path) -> None:
    """To people with a word in their language, to machines the worst ones and how many more."""
    dice = random.Random(9)
    packets = [*sent(telegrams(50), port=5007), *sent([dice.randbytes(1400) for _ in range(20)], port=443)]
    packets += [Packet(ethernet(ipv4(udp(bytes(9), 60000, port), protocol=17)), START + port) for port in range(1000, 1030)]
    capture, store = save(packets, tmp_path / "unknown.pcap"), tmp_path / "store"
    unknown = one("replay", capture, "--store", store)["unknown"]
    assert ([row["name"] for row in unknown["worst"][:2]], len(unknown["worst"]), unknown["more"]) == (["tcp/5007", "tcp/443"], 20, 12)
    (row,) = lines("coverage", "--store", store)
    assert [(part["name"], part["guess"]) for part in row["undecoded"][:2]] == [("tcp/5007", "cyclic"), ("tcp/443", "encrypted")]
    for language, words in (
        ("en", ("perhaps industrial", "every 0.1 s", "encrypted", "and 26 more")),
        ("zh", ("可能是工业协议", "每 0.1 秒", "加密", "另有 26 个")),
    ):
        told = balefire("replay", capture, "--store", store, "--language", language).stdout
        assert all(word in told for word in words), told


def counts(packets: Sequence[Packet]) -> Iterator[Any]:
    """What an engine counted."""
    sensor = Sensor("observer")
    list(sensor.listen(Feed(packets)))
    yield from sorted((name, each.packets, each.cyclic, each.period_sum, each.bins) for name, each in sensor.totals.unknown.items())


def test_segments_are_counted_as_they_were_sent() -> None:
    """Also out of order and twice: what a packet holds does not depend on its place."""
    packets = sent([bytes([number]) * 40 for number in range(30)])
    told = list(counts(packets))
    assert told[0][4][:30] == [40] * 30
    swapped = [*packets[:5], packets[6], packets[5], *packets[7:], packets[8]]
    ((name, seen, _cyclic, _period, bins),) = counts(swapped)
    assert (name, seen, sum(bins[:BINS])) == ("tcp/4840", 31, 31 * 40)


def test_a_segment_without_handshake_is_counted_by_the_lower_port() -> None:
    packets = [Packet(ethernet(ipv4(tcp(bytes(50), 49000, 789, 1 + 50 * number))), START + number * MS) for number in range(3)]
    assert only(packets)["name"] == "tcp/789"
