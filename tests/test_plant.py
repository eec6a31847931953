"""The demo capture says what its makers say they did, read by a tool that shares nothing with us; and the plant can be played again."""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.plant.truth import Request, Truth
from tests.require import need

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "tests" / "captures" / "demo.pcap"
LIMIT = 5_000
"""Packets, so that a first look needs no compiled kernels."""
MINUTE = 60
PLACE = ["frame.number", "frame.time_epoch", "eth.src", "vlan.id", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.payload"]
HEADER = ["mbtcp.trans_id", "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code", "modbus.diagnostic_code", "modbus.mei"]
READ = ["modbus.reference_num", "modbus.word_cnt", "modbus.bit_cnt", "modbus.read_reference_num", "modbus.read_word_cnt"]
WRITTEN = ["modbus.write_reference_num", "modbus.write_word_cnt", "modbus.regval_uint16", "modbus.data", "modbus.and_mask", "modbus.or_mask"]
OTHER = ["modbus.reference_num_32", "modbus.read_device_id", "modbus.object_id"]
FIELDS = PLACE + HEADER + READ + WRITTEN + OTHER

Row = dict[str, str]
Connection = tuple[str, int, str]


def truth_of(capture: Path) -> Truth:
    return cast("Truth", json.loads(capture.with_suffix(".truth.json").read_text(encoding="utf-8")))


def tshark(capture: Path, which: str, fields: list[str]) -> list[Row]:
    need("tshark", shutil.which("tshark") is not None, "the independent reader is not installed")
    columns = [word for field in fields for word in ("-e", field)]
    options = ("-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,")
    command = ("tshark", "-n", "-r", str(capture), "-Y", which, *options, *columns)
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines]


def messages(capture: Path) -> list[Row]:
    """Every segment with data, once."""
    return tshark(capture, "tcp.len > 0 && !tcp.analysis.retransmission", FIELDS)


def function_of(row: Row) -> str:
    """The code path as the ground truth writes it."""
    for field in ("modbus.diagnostic_code", "modbus.mei"):
        if row[field]:
            return f"{row['modbus.func_code']}/{int(row[field], 0)}"
    return row["modbus.func_code"]


def values_of(row: Row) -> list[int] | None:
    """What a write writes, from the reader's fields."""
    data = bytes.fromhex(row["modbus.data"].replace(":", ""))
    match row["modbus.func_code"]:
        case "5":
            return [int(data[0] == 0xFF)]
        case "6" | "23":
            return list(struct.unpack(f">{len(data) // 2}H", data))
        case "15":
            return [data[bit // 8] >> bit % 8 & 1 for bit in range(int(row["modbus.bit_cnt"]))]
        case "16":
            return [int(value) for value in row["modbus.regval_uint16"].split(",")]
        case _:
            return None


def asked(row: Row) -> dict[str, object]:
    """One request as the independent reader has it, in the words of the ground truth."""
    single = row["modbus.func_code"] in {"5", "6", "22"}
    wide = row["modbus.reference_num_32"]
    numbers = {
        "transaction": row["mbtcp.trans_id"],
        "unit": row["mbtcp.unit_id"],
        "first": row["modbus.write_reference_num"] or row["modbus.reference_num"] or (str(int(wide) & 0xFFFF) if wide else ""),
        "quantity": "1" if single else row["modbus.write_word_cnt"] or row["modbus.word_cnt"] or row["modbus.bit_cnt"],
        "file": str(int(wide) >> 16) if wide else "",
        "read_first": row["modbus.read_reference_num"],
        "read_quantity": row["modbus.read_word_cnt"],
        "and_mask": row["modbus.and_mask"],
        "or_mask": row["modbus.or_mask"],
        "read_code": row["modbus.read_device_id"],
        "object_id": row["modbus.object_id"],
    }
    seen: dict[str, object] = {key: int(value, 0) for key, value in numbers.items() if value}
    seen["function"] = function_of(row)
    if (values := values_of(row)) is not None:
        seen["values"] = values
    return seen


def told(row: Request) -> dict[str, object]:
    """The same of the ground truth, without what only its writer can know."""
    own = {"time", "source", "port", "destination", "effect", "step", "outcome", "error"}
    return {key: value for key, value in row.items() if key not in own}


def connection(row: Request) -> Connection:
    return row.get("source", ""), row.get("port", 0), row.get("destination", "")


def requests_of(rows: list[Row]) -> Iterator[tuple[Connection, Row]]:
    for row in rows:
        if row["tcp.dstport"] == "502":
            yield (row["ip.src"], int(row["tcp.srcport"]), row["ip.dst"]), row


def check_requests(truth: Truth, rows: list[Row]) -> None:
    """Connection by connection, the same requests in the same order, nothing missing and nothing more."""
    said: dict[Connection, list[dict[str, object]]] = defaultdict(list)
    for row in truth["requests"]:
        said[connection(row)].append({"bytes": row.get("bytes")} if "malformed" in row else told(row))
    malformed = {connection(row) for row in truth["requests"] if "malformed" in row}
    seen: dict[Connection, list[dict[str, object]]] = defaultdict(list)
    for key, row in requests_of(rows):
        seen[key].append({"bytes": row["tcp.payload"].replace(":", "")} if key in malformed else asked(row))
    assert seen.keys() == said.keys()
    for key, expected in said.items():
        assert seen[key] == expected, key


def check_outcomes(truth: Truth, rows: list[Row]) -> None:
    """A success has a plain response, a failure that exception, and the rest none at all."""
    answers = {
        (row["ip.dst"], int(row["tcp.dstport"]), row["ip.src"], int(row["mbtcp.trans_id"])): row["modbus.exception_code"]
        for row in rows
        if row["tcp.srcport"] == "502"
    }
    for row in truth["requests"]:
        answer = answers.get((*connection(row), row.get("transaction", -1)))
        expected = {"success": "", "failure": str(row.get("error")), "unknown": None}[row.get("outcome", "")]
        assert answer == expected, row


def check_times(truth: Truth, rows: list[Row]) -> None:
    """A request is on the wire within a second of its being written down; nothing is outside the story."""
    sent = {(key, row["mbtcp.trans_id"]): float(row["frame.time_epoch"]) for key, row in requests_of(rows)}
    for row in truth["requests"]:
        if "transaction" in row:
            assert -0.001 < sent[connection(row), str(row["transaction"])] - row.get("time", 0) < 1.5, row


def check_hosts(truth: Truth, rows: list[Row]) -> None:
    """Every address speaks from its MAC and on its VLAN."""
    said = {(host["ip"], host["mac"], str(host["vlan"] or "")) for host in truth["hosts"]}
    assert {(row["ip.src"], row["eth.src"], row["vlan.id"]) for row in rows} == said


def agree(capture: Path) -> Truth:
    truth, rows = truth_of(capture), messages(capture)
    for check in (check_requests, check_outcomes, check_times, check_hosts):
        check(truth, rows)
    return truth


def packets(capture: Path) -> list[float]:
    """The time of every packet, read without any library."""
    data = capture.read_bytes()
    assert struct.unpack_from("<I", data)[0] == 0xA1B2C3D4
    times: list[float] = []
    offset = 24
    while offset < len(data):
        seconds, micros, kept, length = struct.unpack_from("<IIII", data, offset)
        assert kept == length
        times.append(seconds + micros / 1e6)
        offset += 16 + kept
    return times


def test_demo_is_small_and_starts_with_clean_minutes() -> None:
    truth, times = truth_of(DEMO), packets(DEMO)
    assert len(times) <= LIMIT
    assert DEMO.stat().st_size < 500_000
    assert times == sorted(times)
    clean = {int(when // MINUTE) for when in times if truth["start"] <= when} - {int(when // MINUTE) for when in times if when >= truth["attack"]["start"]}
    assert len(clean) >= 3


def test_demo_attack_is_told_step_by_step() -> None:
    truth = truth_of(DEMO)
    attack, attackers = truth["attack"], set(truth["attack"]["attacker"])
    known = {line.split("\t")[0] for line in techniques()}
    for step in attack["steps"]:
        assert attack["start"] <= step["start"] < step["end"] <= attack["end"]
        assert step["techniques"]
        assert not known or set(step["techniques"]) <= known
    numbers = {step["step"] for step in attack["steps"]}
    for row in truth["requests"]:
        assert (row.get("source") in attackers) == ("step" in row)
        assert row.get("step", 1) in numbers


def techniques() -> list[str]:
    shared = ROOT.parent / "shared" / "facts" / "attack_ics.tsv"
    return shared.read_text(encoding="utf-8").splitlines() if shared.exists() else []


def test_demo_holds_what_a_demo_needs() -> None:
    rows = truth_of(DEMO)["requests"]
    functions = Counter(row.get("function", "") for row in rows if "step" in row)
    assert functions.keys() >= {"5", "6", "15", "16", "17", "20", "21", "22", "23", "43/14", "8/1", "8/4", "8/10"}
    assert {row.get("malformed") for row in rows} == {None, "protocol", "length"}
    assert any(row.get("unit") == 0 for row in rows)
    benign = [row for row in rows if "step" not in row]
    assert {"1", "2", "3", "4", "5", "6", "16"} == {row.get("function") for row in benign}
    assert any(row.get("outcome") == "unknown" for row in benign), "the HMI must lose the controller that was forced to listen only"


@pytest.mark.tshark
def test_demo_agrees_with_its_truth() -> None:
    agree(DEMO)


@pytest.mark.tshark
def test_demo_has_sound_checksums() -> None:
    wrong = "ip.checksum.status == 0 || tcp.checksum.status == 0"
    need("tshark", shutil.which("tshark") is not None, "the independent reader is not installed")
    command = ("tshark", "-n", "-r", str(DEMO), "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-Y", wrong)
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""


@pytest.mark.netns
@pytest.mark.tshark
def test_the_plant_can_be_played_again(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    capture = tmp_path / "short.pcap"
    command = (sys.executable, "-m", "tests.plant.demo", str(capture), "--seconds", "12")
    with subprocess.Popen(command, cwd=ROOT) as run:
        assert run.wait(timeout=120) == 0
    truth = agree(capture)
    assert len(packets(capture)) <= LIMIT
    assert {row.get("source") for row in truth["requests"]} == {host["ip"] for host in truth["hosts"] if host["role"] != "plc"}
    left = subprocess.run(("ip", "netns", "list"), check=True, capture_output=True, text=True).stdout
    assert f"balefire{run.pid}-" not in left, "the run left a network namespace behind"
