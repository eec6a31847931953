"""What protocols remember, join and name, by a toy that does all of it (`tests/uppers/parts.py`)."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from typing import Any, Final

import pytest

from sensors.engine import contexts
from sensors.engine.octets import INTERPRETED, entry
from tests.test_layers import ROOT, UPPERS, carry, unity
from tests.wire import SECOND, Packet, Talk

RUN: Final = """
import json, sys, sensors.protocols
sensors.protocols.__path__.append(sys.argv[1])
from tests.test_contexts import say
json.dump(say(), sys.stdout)
"""


def whole(name: bytes, value: float, quality: int = 1, seconds: int = 1_700_000_000) -> bytes:
    """What the parts of a message come to."""
    return bytes([len(name)]) + name + struct.pack(">BfI", quality, value, seconds)


def told(*parts: tuple[bytes, bool]) -> list[Packet]:
    """Parts, each with whether more follow, in answers nobody asked for."""
    talk = Talk().open()
    for octets, more in parts:
        talk.put(1, unity(1, carry(bytes([more]) + octets, 11)))
    return talk.packets


def exchanges() -> dict[str, list[Packet]]:
    """Captures by name."""
    pump = whole(b"Pump.Speed", 12.5)
    torn = told((pump[:6], True))
    lost = Talk(packets=torn, sequences=[1000 + 1, 2001 + 24]).lose(1, 50)
    lost.put(1, unity(1, carry(b"\0" + whole(b"Valve", 2.0), 11)))
    return {
        "whole": told((pump, False)),
        "parts": told((pump[:3], True), (pump[3:9], True), (pump[9:], False), (whole(b"Valve", 1.0), False)),
        "too long": told((bytes(1000), True), (bytes(1000), True), (bytes(1000), True), (bytes(1000), True), (bytes(1000), False), (pump, False)),
        "composed": told((whole(b".Arr", 3.0), False)),
        "hole": lost.packets,
        "quality": told((pump, False), (pump, False), (whole(b"Pump.Speed", 12.5, 4, 1_700_000_009), False), (whole(b"Pump.Speed", 12.5, 6), False)),
        "many": told(*((whole(b"Tag%05d" % number, float(number)), False) for number in (*range(300), *range(300)))),
    }


def say() -> dict[str, Any]:
    """What the sensor says of each capture: operations, activities and points."""
    from tests.wire import watch

    found: dict[str, Any] = {}
    for name, packets in exchanges().items():
        seen = watch(packets)
        listed = [(row["action"], row["object"]["name"], row["values"], row["anomaly"]) for row in seen.lines if row["protocol"] == "toy_parts"]
        grouped = [(row["event.action"], row["ot.object.name"], row["ot.count"], row["ot.bytes"]) for row in seen.activities]
        points = [
            (row["ot.object.space"], row["ot.object.name"], row["ot.object.first"], row["ot.point.last"], row["ot.point.quality"], str(row["ot.point.time"]))
            for row in seen.points
        ]
        found[name] = [listed, grouped, points, len({row["id"] for row in seen.points + seen.activities}) == len(seen.points + seen.activities)]
    return found


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1" if INTERPRETED else "0"}
    run = subprocess.run([sys.executable, "-c", RUN, str(UPPERS)], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=280)
    return json.loads(run.stdout)


def test_a_message_in_parts_is_one_operation(said: dict[str, Any]) -> None:
    alone, parts = said["whole"], said["parts"]
    assert alone[0] == [["first", "Pump.Speed", [12.5, 12.5], []]]
    assert [row[1:] for row in parts[0]] == [["Pump.Speed", [12.5, 12.5], []], ["Valve", [1.0, 1.0], []]]
    assert [row[0] for row in parts[0]] == ["later", "later"], "the third and the fourth message of this connection"


def test_too_many_octets_are_an_anomaly_and_the_next_message_is_understood(said: dict[str, Any]) -> None:
    assert [row[1:] for row in said["too long"][0]] == [[None, [], ["too_long"]], ["Pump.Speed", [12.5, 12.5], []]]


def test_a_name_may_be_composed(said: dict[str, Any]) -> None:
    assert said["composed"][0][0][1] == "Arr[1207]"


def test_parts_before_a_hole_are_dropped(said: dict[str, Any]) -> None:
    assert [row[1] for row in said["hole"][0]] == ["Valve"]


def test_names_tell_activities_and_points_apart(said: dict[str, Any]) -> None:
    _, activities, points, unique = said["many"]
    assert unique
    named = [row[1] for row in activities if row[1]]
    assert named[:1] == ["Tag00000"]
    assert sorted(named) == sorted({*named}), "a row a name"
    assert len(named) == 257, "the first message has a code of its own; further names are a sweep"
    assert sum(row[2] for row in activities) == 600
    assert sorted((row[1], row[3]) for row in points if row[0] == "tag") == [(f"Tag{number:05d}", float(number)) for number in range(300)]


def test_a_point_has_the_quality_and_the_time_that_the_device_tells(said: dict[str, Any]) -> None:
    tags = [row for row in said["quality"][2] if row[0] == "tag"]
    assert [(row[3], row[4]) for row in tags] == [(12.5, ["old"])]
    assert tags[0][5].startswith("2023-11-14 22:13:20") or "1700000000" in tags[0][5]
    runs = [row for row in said["quality"][2] if row[0] == "run"]
    assert [(row[2], row[4]) for row in runs] == [(64, [])]


def test_names_are_numbered_anew_where_there_is_no_room(said: dict[str, Any]) -> None:
    script = RUN.replace("import json,", "import sensors.engine.names as names\nnames.MOST_NAMES = 64\nimport json,")
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", script, str(UPPERS)], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=280)
    again = json.loads(run.stdout)
    assert again["many"][3]
    assert sum(row[2] for row in again["many"][1]) == 600
    assert {(row[1], row[3]) for row in again["many"][2] if row[0] == "tag"} == {(f"Tag{number:05d}", float(number)) for number in range(300)}
    assert again["whole"] == said["whole"]


@pytest.mark.skipif(not INTERPRETED, reason="kernels are not called from Python")
def test_contexts_are_bounded_and_the_one_silent_longest_gives_way() -> None:
    remembered, joints = contexts.context_tables(0)
    memory = memoryview(bytearray(contexts.OCTETS))
    taken: list[int] = entry(_hold_many)(remembered, joints, memory)
    assert len(taken) == 4 * contexts.CONTEXTS
    assert int((remembered.tag == 1).sum()) <= contexts.CONTEXTS
    assert int(joints[0].held) == int(remembered.filled.sum())
    assert int(joints[0].shed) == len(taken) - int((remembered.tag == 1).sum())


def _hold_many(rows: Any, joints: Any, memory: Any) -> list[int]:
    return [_held(rows, joints, memory, number) for number in range(4 * contexts.CONTEXTS)]


def _held(rows: Any, joints: Any, memory: Any, number: int) -> int:
    place = contexts.context(rows, joints, 1, number, 0, number * SECOND)
    assert rows[place].fresh == 1
    assert contexts.append(memory, rows, place, joints, 0, 3)
    return place
