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
from sensors.engine import points
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
SIZE: Final = int(os.environ.get("BALEFIRE_FLOOD", "200000"))  # flows; `make soak` has a million


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small table of flows."""
    monkeypatch.setattr(sensors.sensor, "MOST_FLOWS", FLOWS)


def client(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def syns(count: int, since: int, step: int = MS) -> list[Packet]:
    """Connections that are opened and nobody answers."""
    return [
        Packet(ethernet(ipv4(tcp(b"", 1024 + n % 60000, 502, 1000, 0, SYN), client(n), "10.0.0.9"), client(n), "10.0.0.9"), since + n * step) for n in range(count)
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
    actor.put(0, half[5:]).time
    actor.put(1, half)
    packets = merged(actor.packets, syns(FLOOD, START + 10 * MS))
    seen = watch(packets)
    written = [line for line in seen.lines if line["action"] == "write_single_register"]
    assert [(line["values"], line["outcome"], line["anomaly"]) for line in written] == [([1], "success", []), ([2], "success", [])]
    assert seen.totals.half_open == FLOOD
    remaining = 2 + FLOOD
    while remaining > FLOWS:  # a quarter at a time
        remaining -= FLOWS // 4
    assert FLOOD + 2 - FLOWS <= seen.totals.shed < FLOOD + 2 - FLOWS + FLOWS // 4
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
    assert {row["ot.device.ip"] if "ot.device.ip" in row else None for row in seen.points} <= {None, "10.0.0.2", "10.200.0.2"}
    assert 600 < seen.totals.half_open <= 640
    for each in (1, 7):
        assert watch(packets, each=each).tables == seen.tables


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
    monkeypatch.setattr(sensors.sensor, "BLOCKS", 16)
    talk = Talk().open()
    for n in range(200):
        talk.ask(mbap(2 * n, read(0, 1)), mbap(2 * n, registers(7)))
        first = 64 * (n + 1)
        talk.ask(mbap(2 * n + 1, read(first, 1)), mbap(2 * n + 1, registers(n)))
    seen = watch(talk.packets)
    told = {row["ot.object.first"]: row for row in seen.points} if seen.points and "ot.object.first" in seen.points[0] else {}
    assert len(seen.points) == 201
    if told:
        assert len(told) == 201
    # 201 blocks; the table is full at 16, and then again after every four
    assert seen.totals.shed == 4 * -(-(201 - 16) // 4)
    assert watch(talk.packets, each=1).tables == seen.tables
    assert points.BLOCK_POINTS == 64


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


def polling(seconds: float, path: Path) -> tuple[np.ndarray[Any, Any], int]:
    """Records of a connection that polls ten times a second, and how many operations it has."""
    talk = Talk("172.16.0.1", "172.16.0.2").open()
    count = int(seconds * 10)
    for n in range(count):
        talk.time = START + n * SECOND // 10
        talk.ask(mbap(n, write(n % 60, n % 60)), mbap(n, write(n % 60, n % 60)))
    whole = save(talk.packets, path).read_bytes()
    return np.frombuffer(whole, np.uint8), count


def replay(path: Path, records: list[np.ndarray[Any, Any]], tmp_path: Path) -> dict[str, Any]:
    """What a compiled replay says of these records: `path` begins with a header and the polling connection; they are merged by time."""
    head = path.read_bytes()
    header, own = head[:24], np.frombuffer(head[24:], np.uint8)
    chunks: list[tuple[int, bytes]] = []
    at = 0
    while at < len(own):
        seconds, rest, captured, _ = np.frombuffer(own[at : at + 16].tobytes(), "<u4").tolist()
        chunks.append((seconds * SECOND + rest, own[at : at + 16 + captured].tobytes()))
        at += 16 + captured
    with path.open("wb") as out:
        out.write(header)
        times = records[0]["s"].astype(np.int64) * SECOND + records[0]["ns"]
        before = 0
        for time, record in chunks:
            here = int(np.searchsorted(times, time))
            for part in range(before, here):
                pass
            out.write(_interleaved(records, before, here))
            before = here
            out.write(record)
        out.write(_interleaved(records, before, len(times)))
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"} | {"XDG_CONFIG_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "balefire", "replay", str(path), "--json", "--store", str(tmp_path / "store")],
        env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    return json.loads(ran.stdout)


def _interleaved(records: list[np.ndarray[Any, Any]], first: int, last: int) -> bytes:
    """The records of one place in all lists one after the other: the packets of one connection."""
    width = sum(each.itemsize for each in records)
    block = np.empty((last - first, width), np.uint8)
    at = 0
    for each in records:
        block[:, at : at + each.itemsize] = np.ascontiguousarray(each[first:last]).view(np.uint8).reshape(last - first, each.itemsize)
        at += each.itemsize
    return block.tobytes()
