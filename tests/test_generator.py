"""The benchmark's traffic: the same seed gives the same octets, nothing is malformed, and the truth about it is true."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.bench.generator import generate, record
from tests.bench.traffic import scada
from tests.bench.traffic.repetition import FILE_HEADER, RECORD, Repetition
from tests.bench.traffic.template import PERIOD, PROTOCOLS, SECOND, Template
from tests.cli import ROOT
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKETS = 20_000


@cache
def written(packets: int = PACKETS, seed: int = 7) -> bytes:
    """A capture."""
    return FILE_HEADER + b"".join(bytes(octets) for octets in Repetition(record(seed, packets)).minutes(packets))


def small(seed: int = 7) -> Repetition:
    """A whole minute of few hosts, quick to record."""
    from tests.bench import generator
    from tests.bench.traffic import modbus
    from tests.bench.traffic.office import Office

    template = Template(seed)
    plc = modbus.Plc("plc")
    random = generator._random(template, "all")  # pyright: ignore[reportPrivateUsage]
    polling = modbus.Master(template, random, plc, ("10.10.0.10", "10.10.1.1"))
    polling.run(0, SECOND, modbus.polls(random, 2), pipelines=True, writes=0.1)
    modbus.engineer(template, random, plc, ("10.10.0.50", "10.10.1.1"))
    scada.Iec104(template, random, ("10.20.0.10", "10.20.1.1"), 1).run(0)
    scada.Dnp3(template, random, ("10.30.0.10", "10.30.1.1"), 1).run(0)
    scada.S7(template, random, ("10.40.0.10", "10.40.1.1")).run(0)
    scada.Enip(template, random, ("10.50.0.10", "10.50.1.1")).run(0)
    scada.implicit(template, random, ("10.50.0.10", "10.50.1.1"))
    Office(template, random).run()
    return Repetition(template)


def packets(capture: bytes) -> Iterator[tuple[float, bytes]]:
    at = len(FILE_HEADER)
    while at < len(capture):
        seconds, fraction, captured, wire = struct.unpack_from("<IIII", capture, at)
        assert captured == wire
        yield seconds * 1_000_000 + fraction, capture[at + RECORD : at + RECORD + captured]
        at += RECORD + captured


def ones(octets: bytes) -> int:
    return sum(struct.unpack(f">{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2))) % 0xFFFF


def segments(capture: bytes) -> Iterator[tuple[tuple[bytes, bytes], int, int, int, bytes]]:
    """Of each TCP segment whose checksums are right: its ends, sequence and acknowledgement numbers, flags, payload."""
    for _, frame in packets(capture):
        at = 18 if frame[12:14] == b"\x81\x00" else 14
        if frame[at - 2 : at] != b"\x08\x00":
            continue
        (total,) = struct.unpack_from(">H", frame, at + 2)
        network, transport = frame[at : at + 20], frame[at + 20 : at + total]
        assert ones(network) == 0
        fragment = struct.unpack_from(">H", network, 6)[0] & 0x3FFF
        if not fragment:
            assert ones(network[12:20] + struct.pack(">HH", network[9], len(transport)) + transport) == 0
        if network[9] == 6:
            sequence, acknowledge, offset, flags = struct.unpack_from(">IIBB", transport, 4)
            yield (network[12:16] + transport[:2], network[16:20] + transport[2:4]), sequence, acknowledge, flags, transport[(offset >> 4) * 4 :]


def test_the_same_seed_gives_the_same_octets() -> None:
    again = Repetition(record(7, PACKETS))
    assert FILE_HEADER + b"".join(bytes(octets) for octets in again.minutes(PACKETS)) == written()
    assert written(2000, 8) != written(2000, 7)


def test_a_longer_capture_begins_like_a_shorter_one() -> None:
    assert written().startswith(written(3000))


def test_times_never_go_back_and_every_protocol_is_there() -> None:
    times = [time for time, _ in packets(written())]
    assert len(times) == PACKETS
    assert times == sorted(times)
    truth = Repetition(record(7, PACKETS)).truth(PACKETS)
    assert list(truth["protocols"]) == list(PROTOCOLS)
    assert all(counts["messages"] > 500 for counts in truth["protocols"].values())
    assert truth["protocols"]["modbus"]["packets"] > PACKETS // 2
    assert all(truth["oddities"][what] for what in ("split", "several", "out_of_order", "duplicate", "retransmission"))


def test_minutes_join_without_a_gap() -> None:
    """Every segment continues its stream, but for what was made on purpose; so it goes on over two borders."""
    repetition = small()
    count = repetition.rows + 2 * (repetition.rows - repetition.before)
    capture = FILE_HEADER + b"".join(bytes(octets) for octets in repetition.minutes(count))
    following: dict[tuple[bytes, bytes], int] = {}
    ahead: dict[tuple[bytes, bytes], list[tuple[int, int]]] = {}
    odd: Counter[str] = Counter()
    for ends, sequence, acknowledge, flags, payload in segments(capture):
        expected = sequence if flags & 2 else following.get(ends, sequence)
        gained = len(payload) + (flags & 3 != 0)
        distance = (sequence - expected + (1 << 31)) % (1 << 32) - (1 << 31)
        if distance > 0:
            odd["ahead"] += 1
            ahead.setdefault(ends, []).append((sequence, gained))
            continue
        odd["behind"] += distance < 0
        if distance == 0:
            following[ends] = (sequence + gained) % (1 << 32)
        for early in [early for early in ahead.get(ends, []) if early[0] == following[ends]]:
            ahead[ends].remove(early)
            following[ends] = (following[ends] + early[1]) % (1 << 32)
        if flags & 16 and (other := following.get((ends[1], ends[0]))) is not None and not ahead.get((ends[1], ends[0])):
            assert (other - acknowledge) % (1 << 32) < 1 << 16, "acknowledges what was not sent"
    made = repetition.truth(count)["oddities"]
    assert odd["ahead"] == made.get("out_of_order", 0)
    assert odd["behind"] == made.get("duplicate", 0) + made.get("retransmission", 0)
    assert not any(ahead.values())


def test_counters_go_on_and_values_move() -> None:
    """Transactions of Modbus and sequence numbers of IEC 104 over the border of two minutes."""
    repetition = small()
    count = 2 * repetition.rows - repetition.before
    capture = FILE_HEADER + b"".join(bytes(octets) for octets in repetition.minutes(count))
    transactions: list[int] = []
    for ends, _, _, _, payload in segments(capture):
        if ends[1][4:] == b"\x01\xf6" and ends[0][:4] == bytes((10, 10, 0, 10)) and len(payload) == 12:
            transactions.append(int.from_bytes(payload[:2]))
    steps = np.diff(np.array(transactions)) % (1 << 16)
    assert len(transactions) > 500
    assert np.median(steps) == 1
    assert steps.max() < 40, "it jumps"
    half = len(transactions) // 2
    assert transactions[half] != transactions[0]


def test_the_truth_is_what_balefire_counts(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    truth = generate(7, PACKETS // 4, file)
    assert json.loads((tmp_path / "x.pcap.truth.json").read_text("utf-8")) == truth
    sensor = Sensor("generator")
    source = open_capture(find([str(file)])[0])
    for _ in sensor.listen(source):
        pass
    source.close()
    totals, truths = sensor.totals, truth["protocols"]
    unknown = totals.effects.get("unknown", 0)  # the scanner's
    told = totals.protocols["modbus"]
    assert totals.packets == truth["packets"]
    assert (told.messages - unknown, told.operations - unknown) == (truths["modbus"]["messages"], truths["modbus"]["operations"])
    carriers = {"s7comm": "cotp"}  # whose messages are those that the generator counts
    found = {name: totals.protocols[carriers.get(name) or name].messages for name in truths if name != "modbus"}
    assert found == {name: counts["messages"] for name, counts in truths.items() if name != "modbus"}
    assert {name: counts.undecoded_bytes for name, counts in totals.protocols.items() if name != "modbus"} == dict.fromkeys({*totals.protocols} - {"modbus"}, 0)
    assert (totals.lost, totals.gaps, totals.late, totals.jumps, totals.shed, source.error) == (0, 0, 0, 0, 0, None)


def test_a_stream_ends_with_its_reader_and_tells_its_truth(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.generator", "--packets", "1000", "--truth", str(tmp_path / "t"), "-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == written(1000)
    assert json.loads((tmp_path / "t").read_text("utf-8"))["packets"] == 1000
    endless = subprocess.Popen([*command[:3], "--packets", "50000", "-"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert endless.stdout
    assert endless.stderr
    assert len(endless.stdout.read(1 << 16)) == 1 << 16
    endless.stdout.close()
    assert endless.wait(60) == 0
    assert endless.stderr.read() == b""
    endless.stderr.close()


def test_the_minute_is_whole() -> None:
    template = Template(1)
    assert template.end < PERIOD
    assert scada.crc(bytes.fromhex("056405c001000004")) == bytes.fromhex("e921")  # IEEE 1815


def fields(file: Path, *words: str) -> list[list[str]]:
    need("tshark", shutil.which("tshark") is not None, "not installed")
    checks = [part for name in ("ip", "tcp", "udp") for part in ("-o", f"{name}.check_checksum:TRUE")]
    command = ["tshark", "-n", "-r", str(file), *checks, *words]
    return [line.split("\t") for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]


@pytest.mark.tshark
def test_tshark_finds_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(written())
    wrong = ["_ws.malformed", *(f"{name}.checksum.status==0" for name in ("ip", "tcp", "udp")), "dnp3.hdr.CRC.incorrect", "dnp3.data_chunk.CRC.incorrect"]
    assert fields(tmp_path / "x.pcap", "-Y", " || ".join(wrong)) == []


@pytest.mark.tshark
def test_tshark_counts_nearly_as_many(tmp_path: Path) -> None:
    """After a first segment of less than a header tshark reads no more of that direction: those messages, and no others, it does not count."""
    (tmp_path / "x.pcap").write_bytes(written())
    rows = fields(tmp_path / "x.pcap", "-T", "fields", "-e", "frame.number", "-e", "mbtcp.trans_id")
    assert len(rows) == PACKETS
    found = sum(row[1].count(",") + 1 for row in rows if row[1])
    messages = Repetition(record(7, PACKETS)).truth(PACKETS)["protocols"]["modbus"]["messages"]
    assert 0.98 * messages <= found <= messages
