"""What an engineering station on snap7 did to a controller is what the sensor says, operation by operation."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.cli import lines
from tests.plant.plan import Address, Host
from tests.plant.session import record
from tests.require import need

if TYPE_CHECKING:
    from pathlib import Path

CONTROLLER = Host("S7-CPU", "plc", (Address("10.20.8.11", "02:ba:1e:08:00:11"),))
STATION = Host("S7-PG", "engineer", (Address("10.20.8.20", "02:ba:1e:08:00:20"),))
ADDRESS = CONTROLLER.addresses[0].ip


@pytest.mark.netns
def test_what_the_client_did_is_what_the_sensor_says(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    need("snap7", find_spec("snap7") is not None, "snap7 is not installed")
    capture = record(tmp_path, "s7comm", (CONTROLLER, "s7comm_plc"), (STATION, "s7comm_client"))
    told = [row for row in lines("dissect", capture) if row["protocol"] != "arp"]
    rows = sorted(told, key=lambda row: row["packet"] or row["response_packet"])
    deeds = json.loads((tmp_path / "diary.json").read_text())
    connected, setup, *asked = (row for row in rows if row["action"] not in ("disconnect_request", "disconnect_confirm"))
    assert (connected["protocol"], connected["action"], connected["object"]["name"]) == ("cotp", "connection_request", "01.02 (R0/S2)")
    assert (setup["protocol"], setup["action"], setup["values"], setup["outcome"]) == ("s7comm", "setup_communication", [1, 1, 480], "success")
    assert [(row["action"], row["effect"], row["object"]["name"]) for row in asked] == [(deed["action"], deed["effect"], deed["name"]) for deed in deeds]
    for deed, row in zip(deeds, asked, strict=True):
        assert row["source"]["ip"] == STATION.addresses[0].ip, row
        assert row["outcome"] == ("success" if deed["done"] else "failure"), row
        if deed["values"] is not None:
            assert row["values"] == deed["values"], row
    assert [row["error"] for row in asked if row["error"]] == ["object_does_not_exist"]
    assert [row["values"] for row in asked if row["object"]["name"] == "SZL W#16#0011, W#16#0000"] == [["6ES7 315-2EH14-0AB0"]]
    # snap7 reads the state of a controller by a read without items, and deletes with a length that does not fit; its DR is an octet too long
    odd = [(row["action"], *row["anomaly"]) for row in rows if row["anomaly"]]
    assert odd == [("read_var", "short"), ("pi_service", "short"), ("disconnect_request", "trailing_bytes")]
