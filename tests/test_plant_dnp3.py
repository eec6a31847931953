"""A genuine DNP3 master and outstation speak over a network of their own: what the master did is what the sensor says, operation by operation."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.plant.network import bridges, network
from tests.plant.plan import Address, Host
from tests.require import need
from tests.wire import Packet, watch

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from tests.plant.network import Network

SERVER = "10.21.1.11"
HOSTS = (Host("MASTER", "master", (Address("10.21.1.1", "02:ba:1e:21:00:01"),)), Host("RTU", "rtu", (Address(SERVER, "02:ba:1e:21:00:11"),)))

# By step of the master's list: what is to be seen of it (action, space, first point, values where they are few, error).
FROM_STEP: dict[str, list[tuple[Any, ...]]] = {
    "integrity": [("read", "class", 0, None, None)],
    "events": [("read", "class", 1, [], None)],
    "range": [("read", "binary_input", 2, None, None)],
    "all": [("read", "analog_input", None, None, None)],
    "select_and_operate": [
        ("select_latch_on", "binary_output", 3, [3, 1, 100, 200], None),
        ("operate_latch_on", "binary_output", 3, [3, 1, 100, 200], None),
    ],
    "direct_operate": [("direct_operate_pulse_on_trip", "binary_output", 4, [0x81, 2, 300, 400], None)],
    "refused": [("direct_operate_pulse_on_close", "binary_output", 20, [0x41, 1, 100, 100], "control_not_supported")],
    "analog_int16": [("direct_operate", "analog_output", 1, [-123], None)],
    "analog_int32": [("direct_operate", "analog_output", 2, [123456], None)],
    "analog_float": [("select", "analog_output", 3, [1.5], None), ("operate", "analog_output", 3, [1.5], None)],
    "analog_double": [("direct_operate", "analog_output", 4, [-2.25], None)],
    "freeze": [("immediate_freeze", "counter", None, [], None)],
    "freeze_and_clear": [("freeze_and_clear", "counter", None, [], None)],
    "deadband": [("write", "analog_deadband", 5, [7], "no_func_code_support")],
    "disable": [("disable_unsolicited", "class", 1, [], None)],
    "enable": [("enable_unsolicited", "class", 1, [], None)],
    "assign": [("assign_class", "class", 2, [], None), ("assign_class", "binary_input", None, [], None)],
    "delay": [("delay_measurement", None, None, [0], None)],
    "record": [("record_current_time", None, None, [], None)],
    "link_status": [("request_link_status", None, None, [], None)],
    "read_file": [
        ("open_file", "file", 1, [1051], None),  # octets, as the outstation tells
        *(("read", "file", 1, [block], None) for block in range(3)),
        ("close_file", "file", 1, [], None),
    ],
    "missing_file": [("open_file", "file", None, [], "file_not_found")],
    "write_file": [("open_file", "file", 2, [700], None), *(("write", "file", 2, [block], None) for block in range(2)), ("close_file", "file", 2, [], None)],
    "file_info": [("get_file_information", "file", None, [], None)],
    "delete_file": [("delete_file", "file", None, [], None)],
    "authenticate_file": [("authenticate_file", "file", None, [], None)],
    "cold": [("cold_restart", None, None, [5000], None)],
    "warm": [("warm_restart", None, None, [1000], None)],
}
NAMED = {"open_file": ["config.xml", "nothing.txt", "new.txt"], "get_file_information": ["new.txt"], "delete_file": ["new.txt"]}
KINDS = {"IndexedBinary": "binary_input", "IndexedDoubleBitBinary": "double_bit_input", "IndexedAnalog": "analog_input", "IndexedCounter": "counter"}


def packets(path: Path) -> list[Packet]:
    """The packets of a classic capture."""
    data, at = path.read_bytes(), 24
    found: list[Packet] = []
    while at < len(data):
        seconds, microseconds, length, _ = struct.unpack_from("<IIII", data, at)
        found.append(Packet(data[at + 16 : at + 16 + length], (seconds * 1_000_000 + microseconds) * 1000))
        at += 16 + length
    return found


def stop(process: Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=30)


def started(stack: ExitStack, net: Network, namespace: str, *words: str) -> Popen[str]:
    """A module of the plant in a namespace, that has said that it is ready."""
    process = net.start(namespace, *words)
    stack.callback(stop, process)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def play(path: Path) -> dict[str, Any]:
    """What the master says; the capture is what the switch saw."""
    with network(f"balefire-dnp3-{os.getpid()}", HOSTS) as net, ExitStack() as stack:
        started(stack, net, net.switch, "tests.plant.capture", str(path), *(f"{name}={vlan}" for name, vlan in bridges(HOSTS).items()))
        started(stack, net, net.namespace("rtu"), "tests.plant.dnp3_outstation", SERVER)
        master = net.start(net.namespace("master"), "tests.plant.dnp3_master", SERVER)
        said, _ = master.communicate(timeout=180)
        assert master.returncode == 0
    return json.loads(said)


@pytest.mark.netns
@pytest.mark.timeout(300)
def test_what_a_genuine_master_did_is_what_is_seen(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    need("yadnp3", importlib.util.find_spec("opendnp3") is not None, "the DNP3 stack is not installed")
    told = play(tmp_path / "dnp3.pcap")
    assert all(step["ended"] for step in told["steps"])
    seen = watch(packets(tmp_path / "dnp3.pcap"))
    operations = [line for line in seen.lines if line["protocol"] != "arp"]
    assert {line["protocol"] for line in operations} == {"dnp3"}
    assert [line for line in operations if line["anomaly"]] == []
    assert seen.totals.undecoded == {}
    _compare_steps(told["steps"], operations)
    _compare_values(told["values"], seen.points)
    reports = [line for line in seen.lines if line["action"] == "unsolicited_response"]
    assert {line["source"]["ip"] for line in reports} == {SERVER}
    assert sum(line["action"] == "confirm" for line in seen.lines) >= len(reports)


def _compare_steps(steps: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
    asked = [line for line in lines if line["action"] not in ("unsolicited_response", "response", "confirm")]
    begin = max(number for number, line in enumerate(asked) if line["action"] == "enable_unsolicited" and line["object"]["last"] == 3) + 1
    expected = [operation for step in steps for operation in FROM_STEP[step["name"]]]
    found = asked[begin:]
    assert [line["action"] for line in found] == [operation[0] for operation in expected]
    for line, (action, space, first, values, error) in zip(found, expected, strict=True):
        assert (line["object"]["space"], line["object"]["first"], line["error"]) == (space, first, error), action
        assert line["outcome"] == ("failure" if error else "success"), action
        assert values is None or line["values"] == values, action
    for action, names in NAMED.items():
        assert [line["object"]["name"] for line in found if line["action"] == action] == names
    results = [status for step in steps for status in step["status"]]
    assert results == ["NOT_SUPPORTED" if step["name"] == "refused" else "SUCCESS" for step in steps if step["status"]]


def _compare_values(values: dict[str, dict[str, float]], points: list[dict[str, Any]]) -> None:
    """The last value of each point that the master knows."""
    last = {(row["ot.object.space"], row["ot.object.first"]): row["ot.point.last"] for row in sorted(points, key=lambda row: row["event.end"])}
    for kind, space in KINDS.items():
        assert len(values[kind]) == 60
        assert {(space, int(index)): value for index, value in values[kind].items()} == {key: value for key, value in last.items() if key[0] == space}
    assert last["binary_input", 3] in (0, 1)
    assert last["analog_input", 5] in (-12.5, -12.0, 100.0)
