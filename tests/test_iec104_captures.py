"""IEC 60870-5-104 on real captures: every frame, object, value, quality and time tag as an independent reader has them."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from sensors import sensor as sensors_sensor
from sensors.engine.tables import FACT, VALUE, WITHOUT, code_path
from sensors.listing import element_value
from sensors.protocol import protocols
from sensors.protocols.iec104 import IEC104
from sensors.sources.pcap import find, open_capture
from tests.cli import lines
from tests.require import need

SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "captures" / "conformance"
CAPTURES: Final = (
    "ITI+ICS-Security-Tools/pcaps/IEC60870-5-104/090813_diverse.pcap",
    "fkie-cad+ipal_transcriber/misc/pcaps/iec104.pcap",
    "parsitects+zeek-iec104/testing/Traces/first/iec104.pcap",
)
VALUES: Final = {
    "single_point": "siq.spi", "double_point": "diq.dpi", "step_position": "vti.v", "bitstring": "bitstring", "bitstring_command": "bitstring",
    "normalized": "normval", "set_point_normalized": "normval", "scaled": "scalval", "set_point_scaled": "scalval", "short_float": "float",
    "set_point_float": "float", "single_command": "sco.on", "double_command": "dco.on", "regulating_step": "rco.up",
}  # fmt: skip
QUALITY: Final = {"single_point": "siq", "double_point": "diq"}  # all others: qds
HEAD: Final = ("frame.number", "iec60870_104.type", "iec60870_104.utype", "iec60870_104.tx", "iec60870_104.rx")
ASDU: Final = ("typeid", "causetx", "nega", "addr", "ioa", "cp56time", "siq.iv", "diq.iv", "qds.iv", "qds.nt", "qds.ov", *dict.fromkeys(VALUES.values()))
Said = dict[str, list[Any]]

pytestmark = pytest.mark.captures


def capture(name: str) -> Path:
    need("captures", (SHARED / name).is_file(), f"no {SHARED}")
    return SHARED / name


def wireshark(path: Path) -> dict[int, Said]:
    """By packet, the fields in their order."""
    need("tshark", shutil.which("tshark") is not None, "the independent reader is not installed")
    fields = (*HEAD, *(f"iec60870_asdu.{name}" for name in ASDU))
    options = ("-T", "fields", "-E", "separator=|", "-E", "aggregator=;", *(word for field in fields for word in ("-e", field)))
    command = ("tshark", "-n", "-r", str(path), "-Y", "iec60870_104", *options)
    told: dict[int, Said] = {}
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        number, *rest = line.split("|")
        told[int(number)] = {name.removeprefix("iec60870_asdu."): _parsed(name, text) for name, text in zip(fields[1:], rest, strict=True) if text}
    return told


def _parsed(name: str, text: str) -> list[Any]:
    words = text.split(";")
    if name.endswith("cp56time"):
        return [round(datetime.strptime(word[:-7], "%b %d, %Y %H:%M:%S.%f").replace(tzinfo=UTC).timestamp() * 1000) for word in words]
    if name.endswith("bitstring"):  # it prints octets in their order; bit 1 is the lowest of the first octet (5-101, 7.2.6.13)
        return [float(int.from_bytes(int(word, 0).to_bytes(4), "little")) for word in words]
    return [float(int(word, 0) if word.startswith("0x") else float(word)) for word in words]


def ours(path: Path) -> tuple[dict[int, Said], list[tuple[str, str]]]:
    """The same fields out of the rows of the dissector, and code and anomalies of each message."""
    told: dict[int, Said] = defaultdict(lambda: defaultdict(list))
    codes: list[tuple[str, str]] = []

    def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, *rest: Any) -> tuple[int, int]:
        done = IEC104.dissect(memory, messages, which, operations, used, samples, sampled, *rest)
        for row in operations[used : done[0]]:
            message = messages[int(row.message)]
            start = int(message.offset)
            codes.append((code_path(int(row.code)), ",".join(name for bit, name in enumerate(IEC104.anomalies) if int(row.anomaly) >> bit & 1)))
            _tell(told[int(message.packet)], bytes(memory[start : start + int(message.length)]), memory, row, samples)
        return done

    (found,) = find([str(path)])
    source = open_capture(found)
    changed = tuple(replace(one, dissect=dissect) if one is IEC104 else one for one in protocols())
    try:
        with patch.object(sensors_sensor, "protocols", lambda: changed):
            for _ in sensors_sensor.Sensor("test").listen(source):
                pass
    finally:
        source.close()
    return {packet: dict(said) for packet, said in told.items()}, codes


def _tell(said: Said, frame: bytes, memory: Any, row: Any, samples: Any) -> None:
    path = code_path(int(row.code)).split("/")
    if len(path) == 1:
        said["iec60870_104.type"].append(1.0 if path == ["1"] else 3.0)
        if path == ["1"]:
            said["iec60870_104.rx"].append(float(int.from_bytes(frame[4:6], "little") >> 1))
        else:
            said["iec60870_104.utype"].append(float(int(path[0]) >> 2))
        return
    said["iec60870_104.type"].append(0.0)
    said["iec60870_104.tx"].append(float(int.from_bytes(frame[2:4], "little") >> 1))
    said["iec60870_104.rx"].append(float(int.from_bytes(frame[4:6], "little") >> 1))
    for name, number in zip(("typeid", "causetx", "addr"), (*path, int(row.unit)), strict=True):
        said[name].append(float(number))
    said["nega"].append(float(int(row.outcome) == 2))
    for sample in samples[int(row.sample) : int(row.sample) + int(row.samples)]:
        space = IEC104.spaces[int(sample.space)]
        for index in range(int(sample["count"])):
            said["ioa"].append(float(int(sample["first"]) + index))
            value, quality = _element(memory, sample, index)
            if space in VALUES:
                said[VALUES[space]].append(value)
            if space in IEC104.qualities and "command" not in space and space != "regulating_step":
                group = QUALITY.get(space, "qds")
                said[f"{group}.iv"].append(float(quality >> 7))
                if group == "qds":
                    said["qds.nt"].append(float(quality >> 6 & 1))
                    said["qds.ov"].append(float(quality & 1))
        if int(sample.stamp) >= 0:
            said["cp56time"].append(int(sample.stamp) // 1_000_000)


def _element(memory: Any, sample: Any, index: int) -> tuple[float, int]:
    if sample.encoding in (VALUE, FACT):
        return float(sample.value), max(int(sample.quality), 0)
    at, stride = int(sample.offset), int(sample.stride)
    held = bytes(memory[at + index * stride : at + (index + 1) * stride])
    value = element_value(held, int(sample.value_at), int(sample.encoding))
    assert value is not None
    return float(value), 0 if sample.quality_at == WITHOUT else held[int(sample.quality_at)]


@pytest.mark.tshark
@pytest.mark.parametrize("name", CAPTURES)
def test_every_field_is_as_wireshark_has_it(name: str) -> None:
    theirs, (mine, codes) = wireshark(capture(name)), ours(capture(name))
    assert mine.keys() == theirs.keys()
    fields = 0
    for packet, said in theirs.items():
        for field, values in said.items():
            assert mine[packet].get(field) == pytest.approx(values, rel=1e-5), (packet, field)
            fields += len(values)
        assert {field for field, values in mine[packet].items() if values} == set(said), packet
    assert len(codes) == sum(len(said["iec60870_104.type"]) for said in theirs.values())
    assert fields > 700


@pytest.mark.parametrize(
    ("name", "messages", "rows", "odd"),
    [
        (CAPTURES[0], 86, 65, {("bad_time",): 10}),  # its client writes the year 2009 as 109
        (CAPTURES[1], 115, 94, {}),
        (CAPTURES[2], 115, 94, {}),
    ],
)
def test_what_is_listed(name: str, messages: int, rows: int, odd: dict[tuple[str, ...], int]) -> None:
    listed = lines("dissect", capture(name))
    assert len(ours(capture(name))[1]) == messages
    assert len(listed) == rows
    assert Counter(tuple(row["anomaly"]) for row in listed if row["anomaly"]) == odd
    assert [row for row in listed if row["outcome"] == "unknown" and row["code"] != "1"] == [], "every activation is confirmed"


def test_select_and_execute() -> None:
    """Frames 9 to 17: selected, confirmed, executed, confirmed, terminated; 63 to 71 the same of a set point."""
    rows = {row["packet"]: row for row in lines("dissect", capture(CAPTURES[0]))}
    seen = [rows[packet] for packet in (9, 13, 17, 63, 67, 71)]
    assert [(row["effect"], row["response_packet"], row["object"]["first"], row["values"]) for row in seen] == [
        ("output.select", 11, 4501, [1.0]), ("output.operate", 15, 4501, [1.0]), ("value.report", None, 4501, [1.0]),
        ("output.select", 65, 5020, [-43.5]), ("setpoint.write", 69, 5020, [-43.5]), ("value.report", None, 5020, [-43.5]),
    ]  # fmt: skip


def test_only_iec104_is_found_in_them() -> None:
    for name in CAPTURES:
        assert {row["protocol"] for row in lines("dissect", capture(name))} == {"iec104"}
