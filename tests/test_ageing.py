"""Full tables: what is over goes first, lookers before actors, all of it counted; a flood blinds nobody and costs little a packet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

import sensors.sensor
from balefire.tally import MENDED, MISSED
from records.wording import say
from sensors import release
from tests.cli import balefire, one
from tests.wire import (
    ACK,
    FIN,
    MS,
    RST,
    SECOND,
    START,
    SYN,
    Packet,
    Talk,
    ethernet,
    hard,
    ipv4,
    mbap,
    pcap,
    read,
    registers,
    save,
    tcp,
    udp,
    watch,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

FLOWS: Final = 64  # rows of the table in these tests
FLOOD: Final = 10 * FLOWS
MOST_MIB: Final = 600
MOST_SECONDS: Final = 120  # a bound on what is broken, not a measure: machines differ
SIZE: Final = int(os.environ.get("BALEFIRE_FLOOD", "200000"))  # flows; 1000000 for the whole


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small table of flows."""
    monkeypatch.setattr(sensors.sensor, "MOST_FLOWS", FLOWS)


def client(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def syns(count: int, since: int, step: int = MS) -> list[Packet]:
    """Connections that are opened and nobody answers."""
    return [
        Packet(ethernet(ipv4(tcp(b"", 1024 + n % 60000, 502, 1000, 0, SYN), client(n), "10.0.0.9"), client(n), "10.0.0.9"), since + n * step)
        for n in range(count)
    ]


def merged(*several: list[Packet]) -> list[Packet]:
    return sorted((packet for packets in several for packet in packets), key=lambda packet: packet.time)


def looking(number: int, since: int, ended: int = 0) -> Talk:
    """A connection that reads; `ended`: the flags with which it ends."""
    talk = Talk("10.0.0.1", "10.0.0.2", client_port=20000 + number, time=since).open().ask(mbap(1, read(number, 1)), mbap(1, registers(number)))
    if ended:
        talk.put(0, b"", ended)
        if ended & FIN:
            talk.put(1, b"", FIN | ACK)
    return talk


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ending", [FIN | ACK, RST, "silent"])
def test_what_is_over_goes_first_and_is_not_shed(ending: Any) -> None:
    """Never more than a quarter of the table is alive at a time."""
    packets: list[Packet] = []
    silent = ending == "silent"
    for n in range(6 * FLOWS):
        packets += looking(n, START + n * (20 * SECOND if silent else 100 * MS), 0 if silent else ending).packets
    seen = watch(packets)
    assert seen.totals.shed == 0
    assert seen.totals.operations == 6 * FLOWS
    assert seen.totals.half_open == 0


@pytest.mark.usefixtures("small")
def test_a_flood_is_shed_exactly_and_an_actor_stays() -> None:
    """Who writes now and then keeps a long-lived connection through ten times the table; its answers still find their requests."""
    actor = Talk("10.0.0.1", "10.0.0.2").open().ask(mbap(1, write(3, 1)), mbap(1, write(3, 1)))
    half = mbap(2, write(4, 2))
    actor.put(0, half[:5])
    actor.time = START + (FLOOD + 20) * MS
    actor.put(0, half[5:])
    actor.put(1, half)
    packets = merged(actor.packets, syns(FLOOD, START + 10 * MS))
    seen = watch(packets)
    written = [line for line in seen.lines if line["action"] == "write_single_register"]
    assert [(line["values"], line["outcome"], line["anomaly"]) for line in written] == [([1], "success", []), ([2], "success", [])]
    assert seen.totals.half_open == FLOOD
    assert seen.totals.shed == FLOWS // 4 * -(-(FLOOD + 2 - FLOWS) // (FLOWS // 4)), "a quarter at a time, of flows none of which had ended"
    for each in (1, 7):
        assert watch(packets, each=each).tables == seen.tables


@pytest.mark.usefixtures("small")
def test_unknown_flows_go_before_lookers_and_lookers_before_actors() -> None:
    actors: list[Talk] = []
    lookers: list[Talk] = []
    for n in range(6):
        actors.append(Talk("10.0.0.1", "10.0.0.2", client_port=30000 + n, time=START + n * 10 * MS).open().ask(mbap(1, write(n, 1)), mbap(1, write(n, 1))))
        lookers.append(looking(n, START + n * 10 * MS))
    unknown = [Talk("10.0.0.1", "10.0.0.2", port=9999, client_port=31000 + n, time=START + 2 * SECOND + n * 10 * MS).ask(b"?", b"!") for n in range(FLOWS)]
    for talk in (*actors, *lookers):
        talk.time = START + 10 * SECOND
        talk.put(1, mbap(9, registers(5)))  # nobody asked, as far as the connection is known
    seen = watch(merged(*(talk.packets for talk in (*actors, *lookers, *unknown))))
    assert [line["anomaly"] for line in seen.lines].count(["unsolicited"]) == 12, "the flows of both are known still"
    more = [looking(100 + n, START + 20 * SECOND + n * 10 * MS) for n in range(FLOWS)]
    for talk in actors:
        talk.time = START + 30 * SECOND
        talk.put(1, mbap(10, registers(6)))
    for talk in lookers:
        talk.time = START + 30 * SECOND
        talk.put(1, mbap(10, registers(6)))
    seen = watch(merged(*(talk.packets for talk in (*actors, *lookers, *unknown, *more))))
    late = [line for line in seen.lines if line["time"] >= START + 30 * SECOND]
    by_actors = [line for line in late if line["source"]["port"] in range(30000, 30006)]
    assert [line["anomaly"] for line in by_actors] == [["unsolicited"]] * 6
    assert len(late) == 12


@pytest.mark.usefixtures("small")
def test_connections_that_were_answered_are_not_half_open() -> None:
    """Not even where one direction of them was let go before the other."""
    packets: list[Packet] = []
    for n in range(4 * FLOWS):
        packets += Talk("10.0.0.1", "10.0.0.2", client_port=20000 + n, time=START + n * 10 * MS).open().packets
    assert watch(packets).totals.half_open == 0
    refused: list[Packet] = []
    for n in range(40):
        talk = Talk("10.0.0.1", "10.0.0.2", client_port=20000 + n, time=START + n * 10 * MS)
        talk.put(0, b"", SYN)
        talk.put(1, b"", RST | ACK)
        refused += talk.packets
    assert watch(refused).totals.half_open == 0


def test_an_opening_that_is_repeated_is_one_and_a_new_one_another() -> None:
    talk = Talk()
    talk.put(0, b"", SYN)
    talk.packets += [talk.packets[0].at(START + n * SECOND) for n in (1, 3, 7)]
    assert watch(talk.packets).totals.half_open == 1
    talk.sequences, talk.time = [777_777, 0], START + 60 * SECOND
    talk.put(0, b"", SYN)
    assert watch(talk.packets).totals.half_open == 2


def test_new_addresses_are_seen_after_a_flood_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that nothing refers to any more make room."""
    monkeypatch.setattr(sensors.sensor, "MOST_HOSTS", 64)
    monkeypatch.setattr(sensors.sensor, "MOST_FLOWS", 64)
    poll = Talk("10.0.0.1", "10.0.0.2").open()
    for n in range(40):
        poll.time = START + n * 20 * MS
        poll.ask(mbap(n, write(n, n)), mbap(n, write(n, n)))
    newcomer = Talk("10.200.0.1", "10.200.0.2", time=START + SECOND).open().ask(mbap(1, write(7, 7)), mbap(1, write(7, 7)))
    packets = merged(poll.packets, syns(640, START + 5 * MS), newcomer.packets)
    seen = watch(packets)
    written = [line for line in seen.lines if line["action"] == "write_single_register"]
    assert sorted(line["values"][0] for line in written if line["source"]["ip"] == "10.0.0.1") == list(range(40))
    assert [line["values"] for line in written if line["source"]["ip"] == "10.200.0.1"] == [[7]]
    assert {(row["source.ip"], row["destination.ip"]) for row in seen.activities} == {("10.0.0.1", "10.0.0.2"), ("10.200.0.1", "10.200.0.2")}
    assert {row["destination.ip"] for row in seen.points} == {"10.0.0.2", "10.200.0.2"}
    assert 600 < seen.totals.half_open <= 640
    for each in (1, 7):
        assert watch(packets, each=each).tables == seen.tables


def test_those_that_act_are_seen_after_a_flood_of_those_that_only_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors.sensor, "MOST_HOSTS", 64)
    packets: list[Packet] = []
    for number in range(400):
        talk = Talk(client=client(number), time=START + number * SECOND)
        talk.put(0, mbap(1, read(1, 1) if number < 300 else write(number, 1)))
        packets += talk.packets
    seen = watch(packets)
    written = {line["object"]["first"] for line in seen.lines if line["access"] == "write"}
    assert written == set(range(300, 400)), "room is made before a packet finds none"
    assert seen.totals.shed > 0
    assert "ethertype/0x0800" not in seen.totals.undecoded


def test_a_number_of_another_address_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows name the addresses of their time, however often numbers are used again."""
    packets = hard(5, 12)
    free = watch(packets)
    monkeypatch.setattr(sensors.sensor, "MOST_HOSTS", 16)
    names = {(row["source.ip"], row["destination.ip"]) for row in free.activities}
    tight = watch(merged(packets, syns(300, START)))
    assert {(row["source.ip"], row["destination.ip"]) for row in tight.activities} <= names


def test_a_sweep_of_values_forgets_a_quarter_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block that is polled all the while stays; those of the sweep are told as they go, each value once."""
    monkeypatch.setattr(release, "BLOCKS", 16)
    talk = Talk().open()
    for n in range(200):
        talk.ask(mbap(2 * n, read(0, 1)), mbap(2 * n, registers(7)))
        first = 64 * (n + 1)
        talk.ask(mbap(2 * n + 1, read(first, 1)), mbap(2 * n + 1, registers(n)))
    seen = watch(talk.packets)
    told = {row["ot.object.first"]: (row["ot.point.first"], row["ot.point.last"], row["ot.point.count"]) for row in seen.points}
    assert told == {0: (7, 7, 200)} | {64 * (n + 1): (n, n, 1) for n in range(200)}
    assert seen.totals.shed == 4 * -(-(201 - 16) // 4), "the table is full with 16 blocks, and then again with every fourth"
    assert watch(talk.packets, each=1).tables == seen.tables


def test_every_counter_is_said_in_both_languages(tmp_path: Path) -> None:
    """In the rows, in the JSON and, where it is not zero, in the words of the summary."""
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1))).ask(mbap(2, write(3, 1)))
    talk.packets.append(talk.segment(0, mbap(2, write(3, 9)), talk.sequences[0] - 12))
    odd = save([*talk.packets, *syns(3, START + SECOND)], tmp_path / "odd.pcap")
    plain = save(Talk().open().ask(mbap(1, write(3, 1)), mbap(1, write(3, 1))).packets, tmp_path / "plain.pcap")
    coverage = one("replay", odd, "--store", tmp_path / "json")["coverage"]
    assert (coverage["overlaps"], coverage["half_open"]) == (1, 3)
    assert set(coverage) >= {*MISSED, *MENDED}
    for language, words in (("en", ("never answered", "other bytes")), ("zh", ("半开连接 3 个", "内容不同的报文段 1 个"))):
        said = [
            "".join(balefire("replay", path, "--store", tmp_path / f"{path.stem}-{language}", "--language", language).stdout.split()) for path in (odd, plain)
        ]
        for word in words:
            assert word.replace(" ", "") in said[0]
            assert word.replace(" ", "") not in said[1]


def test_every_counter_has_words() -> None:
    keys = [f"cli.missed.{name}" for name in MISSED] + [f"cli.summary.{name}" for name in MENDED]
    for key in keys:
        for number in ("one", "many"):
            assert "7" in say(f"{key}.{number}", "en", count=7)
            assert "7" in say(f"{key}.{number}", "zh", count=7)


# ---------------------------------------------------------------- floods in full


def flood(count: int, each: np.ndarray[Any, Any], fields: dict[int, tuple[str, Any]], step: int) -> np.ndarray[Any, Any]:
    """`count` records of a capture file that are alike but for `fields` (offset in the frame: type and values), `step` nanoseconds apart."""
    made = np.zeros(count, [("s", "<u4"), ("ns", "<u4"), ("captured", "<u4"), ("wire", "<u4"), ("frame", "u1", len(each))])
    times = START + np.arange(count) * step
    made["s"], made["ns"], made["captured"], made["wire"] = times // SECOND, times % SECOND, len(each), len(each)
    made["frame"] = each
    for at, (kind, values) in fields.items():
        column = np.ascontiguousarray(np.asarray(values).astype(kind)).view(np.uint8).reshape(count, -1)
        made["frame"][:, at : at + column.shape[1]] = column
    return made


def polling(seconds: int) -> list[Packet]:
    """A connection that writes ten times a second."""
    talk = Talk("172.16.0.1", "172.16.0.2").open()
    for n in range(10 * seconds):
        talk.time = START + (n + 1) * SECOND // 10
        talk.ask(mbap(n, write(n % 60, n % 60)), mbap(n, write(n % 60, n % 60)))
    return talk.packets


def replay(floods: list[np.ndarray[Any, Any]], own: list[Packet], tmp_path: Path) -> dict[str, Any]:
    """What a compiled replay says of a flood and of a connection amid it."""
    path = tmp_path / "flood.pcap"
    times = floods[0]["s"].astype(np.int64) * SECOND + floods[0]["ns"]
    places = np.searchsorted(times, [packet.time for packet in own]).tolist()
    with path.open("wb") as out:
        out.write(pcap([]))
        before = 0
        for packet, place in zip(own, places, strict=True):
            out.write(beside(floods, before, place))
            out.write(pcap([packet])[24:])
            before = place
        out.write(beside(floods, before, len(times)))
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    words = [sys.executable, "-m", "balefire", "replay", str(path), "--json", "--store", str(tmp_path / "store")]
    words = ["sh", "-c", '"$@"; exit $?', "sh", *words]  # a process begins with the peak of the one that it was forked from: here a small one
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


def beside(floods: list[np.ndarray[Any, Any]], first: int, last: int) -> bytes:
    """Records first … last of each, one of every flood after the other: the packets of a connection."""
    return np.concatenate([each[first:last].view(np.uint8).reshape(last - first, each.itemsize) for each in floods], axis=1).tobytes()


def bounded(summary: dict[str, Any], polls: list[Packet]) -> None:
    """Memory and time are, and whoever acted all the while was seen all the while."""
    assert summary["peak_mib"] < MOST_MIB
    assert summary["elapsed_s"] < MOST_SECONDS
    assert summary["access"]["write"] == (len(polls) - 3) // 2
    assert summary["coverage"]["lost"] == summary["coverage"]["overlaps"] == 0


def frame_of(payload: bytes, protocol: int, source: str, target: str) -> np.ndarray[Any, Any]:
    """A frame whose checksums are left out, as a network card fills them in."""
    made = np.frombuffer(ethernet(ipv4(payload, source, target, protocol), source, target), np.uint8).copy()
    made[24:26] = 0
    return made


SOURCE_AT, PORT_AT, TARGET_AT = 26, 34, 30  # in a frame without VLAN
STEP: Final = 20_000  # nanoseconds
FIRST: Final = 10 << 24  # 10.0.0.0


def test_a_flood_of_openings(tmp_path: Path) -> None:
    """A SYN flood to the server of a plant, every one from another address."""
    numbers = np.arange(SIZE)
    base = frame_of(tcp(b"", 1024, 502, 1000, 0, SYN), 6, "10.0.0.0", "172.16.0.2")
    polls = polling(SIZE * STEP // SECOND)
    summary = replay([flood(SIZE, base, {SOURCE_AT: (">u4", FIRST + numbers), PORT_AT: (">u2", 1024 + numbers % 60000)}, STEP)], polls, tmp_path)
    bounded(summary, polls)
    coverage = summary["coverage"]
    assert summary["packets"] == SIZE + len(polls)
    crowded = SIZE - coverage["half_open"]  # those that found the table of hosts full, whereupon it had room again: counted as shed like the rows
    assert 0 <= crowded <= SIZE // 8192
    assert SIZE - sensors.sensor.MOST_FLOWS <= coverage["shed"] <= SIZE


def test_a_flood_of_short_connections(tmp_path: Path) -> None:
    """From more hosts than the table has rows, of a protocol that nobody knows: opened, answered, some octets, closed."""
    count = SIZE // 4 if SIZE < 1_000_000 else SIZE
    numbers = np.arange(count)
    source, port = (">u4", FIRST + numbers % 200_000), (">u2", 1024 + numbers // 200_000)
    there, back = {SOURCE_AT: source, PORT_AT: port}, {TARGET_AT: source, PORT_AT + 2: port}
    ends = ("10.0.0.0", "172.16.0.3")
    talk = (
        (frame_of(tcp(b"", 1024, 9999, 1000, 0, SYN), 6, *ends), there),
        (frame_of(tcp(b"", 9999, 1024, 2000, 1001, SYN | ACK), 6, *reversed(ends)), back),
        (frame_of(tcp(b"what this is, nobody", 1024, 9999, 1001, 2001), 6, *ends), there),
        (frame_of(tcp(b"", 1024, 9999, 1021, 2001, FIN | ACK), 6, *ends), there),
    )
    polls = polling(max(count * STEP // SECOND, 1))
    summary = replay([flood(count, frame, fields, STEP) for frame, fields in talk], polls, tmp_path)
    bounded(summary, polls)
    coverage = summary["coverage"]
    assert coverage["half_open"] == 0
    assert coverage["shed"] <= 4 * count // 4096, "they had all ended"
    assert coverage["undecoded_bytes"] == 20 * count


def test_a_flood_of_datagrams(tmp_path: Path) -> None:
    count = SIZE // 4 if SIZE < 1_000_000 else SIZE
    numbers = np.arange(count)
    base = frame_of(udp(b"what this is, nobody", 1024, 9999), 17, "10.0.0.0", "172.16.0.3")
    polls = polling(max(count * STEP // SECOND, 1))
    summary = replay([flood(count, base, {SOURCE_AT: (">u4", FIRST + numbers), PORT_AT: (">u2", 1024 + numbers % 60000)}, STEP)], polls, tmp_path)
    bounded(summary, polls)
    coverage = summary["coverage"]
    assert coverage["undecoded_bytes"] == 20 * count
    assert max(count - sensors.sensor.MOST_FLOWS, 0) <= coverage["shed"] <= count
