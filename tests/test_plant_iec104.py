"""What a controlling station on lib60870 did to a controlled one is what the sensor says, operation by operation."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import lines
from tests.plant.plan import Address, Host
from tests.plant.session import record
from tests.require import need

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

STATION = Host("STATION", "rtu", (Address("10.20.7.11", "02:ba:1e:07:00:11"),))
CENTRE = Host("CENTRE", "master", (Address("10.20.7.20", "02:ba:1e:07:00:20"),))
ADDRESS = STATION.addresses[0].ip
UNIT = 47
REPORTED = {  # what the station holds, by type identification: address and value
    1: (11, 1), 3: (12, 2), 5: (13, -12), 9: (14, 0.5), 11: (15, -3000), 13: (16, 12.25), 7: (17, 0xCAFE0001), 30: (21, 0), 36: (26, -7.5),
}  # fmt: skip


def report_spontaneously(station: subprocess.Popen[str]) -> None:
    """Have the station tell what nobody asked for."""
    time.sleep(2)
    station.send_signal(signal.SIGUSR1)


@pytest.mark.netns
def test_what_the_client_did_is_what_the_sensor_says(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    need("c104", find_spec("c104") is not None, "lib60870 is not installed")
    capture = record(tmp_path, "iec104", (STATION, "iec104_station"), (CENTRE, "iec104_client"), report_spontaneously)
    told = [row for row in lines("dissect", capture) if row["protocol"] != "arp"]
    rows = sorted(told, key=lambda row: row["packet"] or row["response_packet"])
    assert {row["protocol"] for row in rows} == {"iec104"}
    check_deeds(json.loads((tmp_path / "diary.json").read_text()), rows)
    check_reports(rows)
    odd = {(row["code"], *row["anomaly"]) for row in rows if row["anomaly"]}
    # lib60870 sends another test pattern than the standard's (5-101, 7.2.6.14), and c104 confirms a read, which has no confirmation (7.3.4.3)
    assert odd == {("104/6", "bad_value"), ("102/7", "bad_cause")}


def check_deeds(deeds: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Each thing that the client did, in order, nothing missing and nothing more."""
    asked = [row for row in rows if row["source"]["ip"] == CENTRE.addresses[0].ip and "/" in row["code"]]
    assert [(row["code"], row["effect"], row["unit"], row["object"]["first"]) for row in asked] == [
        (deed["code"], deed["effect"], deed["unit"], deed["first"]) for deed in deeds
    ]
    for deed, row in zip(deeds, asked, strict=True):
        if deed["value"] is not None and deed["code"] != "104/6":
            assert row["values"] == [deed["value"]], deed
        if deed["done"]:  # where it is not, the stack may have missed an answer that came too soon for it
            assert row["outcome"] == "success", deed
    assert all(row["outcome"] == "success" for row in asked if row["code"] != "104/6" and row["object"]["first"] not in (131, 141, 999) and row["unit"] == UNIT)
    assert [row["outcome"] for row in asked if row["object"]["first"] == 131][-2:] == ["success", "success"], "selected, then executed"
    refused = [(row["unit"], row["object"]["first"], row["error"]) for row in asked if row["outcome"] == "failure"]
    assert refused == [(UNIT, 141, "negative_confirmation"), (UNIT, 999, "negative_confirmation"), (9, None, "negative_confirmation")]
    assert [row["values"] for row in asked if row["code"] == "102/5"] == [[12.25]]
    (clock,) = (row for row in asked if row["code"] == "103/6")
    assert clock["values"][0] == pytest.approx(time.time(), abs=120)


def check_reports(rows: list[dict[str, Any]]) -> None:
    """What the station told: all it holds when it was interrogated, one change, and that commands have ended."""
    told = [row for row in rows if row["source"]["ip"] == ADDRESS]
    held = {int(row["code"].split("/")[0]): (row["object"]["first"], *row["values"]) for row in told if row["code"].endswith("/20")}
    assert held == REPORTED
    assert [row["values"] for row in told if row["code"] == "15/37"] == [[4711]]
    assert [(row["object"]["first"], row["values"]) for row in told if row["code"] == "13/3"] == [(16, [12.25])]
    assert [row["code"] for row in told if row["action"].endswith("_termination")] == ["100/10", "101/10", "45/10"]
    assert [row["error"] for row in told if row["effect"] == "error.report"] == ["unknown_object_address", "unknown_common_address"]
