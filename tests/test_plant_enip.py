"""What clients on cpppo and pycomm3 did to a controller on cpppo is what the sensor says, operation by operation."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import lines
from tests.plant.plan import Address, Host
from tests.plant.session import record
from tests.require import need

if TYPE_CHECKING:
    from pathlib import Path

PLC = Host("PLC", "plc", (Address("10.20.9.11", "02:ba:1e:09:00:11"),))
PANEL = Host("PANEL", "hmi", (Address("10.20.9.20", "02:ba:1e:09:00:20"),))
ADDRESS = PLC.addresses[0].ip
OF_THE_STACKS = {"register_session", "unregister_session", "list_identity", "large_forward_open", "forward_open", "forward_close"}


@pytest.mark.netns
def test_what_the_clients_did_is_what_the_sensor_says(tmp_path: Path) -> None:
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    need("cpppo", find_spec("cpppo") is not None and find_spec("pycomm3") is not None, "cpppo or pycomm3 is not installed")
    capture = record(tmp_path, "enip", (PLC, "enip_plc"), (PANEL, "enip_client"))
    rows = sorted((row for row in lines("dissect", capture) if row["source"]["ip"] == PANEL.addresses[0].ip), key=lambda row: row["packet"] or 0)
    assert {row["protocol"] for row in rows} == {"enip", "cip"}
    assert [row["anomaly"] for row in rows if row["anomaly"]] == []
    assert {row["action"] for row in rows} >= {"register_session", "large_forward_open", "forward_close", "unregister_session"}
    check_deeds(json.loads((tmp_path / "diary.json").read_text()), own(rows))


def own(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the clients were told to do: not what their stacks do on opening a connection."""
    opening = next(number for number, row in enumerate(rows) if row["action"] == "large_forward_open")
    first_read = next(number for number, row in enumerate(rows) if number > opening and row["action"] == "read_tag")
    before = max(number for number, row in enumerate(rows[:opening]) if row["action"] == "register_session")
    return [row for number, row in enumerate(rows) if row["action"] not in OF_THE_STACKS and not before < number < first_read]


def check_deeds(deeds: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Each thing that the clients did, in order, nothing missing and nothing more."""
    assert [(row["action"], row["object"]["name"]) for row in rows] == [(deed["action"], deed["name"]) for deed in deeds]
    for deed, row in zip(deeds, rows, strict=True):
        assert row["outcome"] == ("success" if deed["done"] else "failure"), deed
        if deed["first"] >= 0:
            assert (row["object"]["first"], row["object"]["last"]) == (deed["first"], deed["last"])
            assert row["values"] == (deed["values"] or row["values"])
            assert len(row["values"]) == (deed["last"] - deed["first"] + 1 if deed["done"] else 0)
            assert row["effect"] == ("value.write" if deed["action"].startswith("write") else "value.read")
        else:
            assert row["effect"] == "identity.read"
    assert [row["error"] for row in rows if row["outcome"] == "failure"] == ["path_destination_unknown"]
