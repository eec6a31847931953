"""The way with systemd: units that it takes, each hardened, whose commands are commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import pytest

from tests.shipped import parsed

HERE: Final = Path(__file__).parents[1] / "deploy" / "systemd"
SERVICES: Final = sorted(HERE.glob("*.service"))
PROGRAM: Final = "/opt/balefire/bin/balefire"
EXPOSURE: Final = 25  # tenths, of 100: what `systemd-analyze security` calls OK ends at 40
HARDENED: Final = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes", "RestrictNamespaces": "yes", "LockPersonality": "yes", "SystemCallFilter": "@system-service", "UMask": "0077",
    "User": "balefire",
}  # fmt: skip
ANALYZE: Final = shutil.which("systemd-analyze")


def read(unit: Path) -> RawConfigParser:
    found = RawConfigParser(strict=False, comment_prefixes=("#",))
    found.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - names as they stand
    found.read(unit, "utf-8")
    return found


def test_there_are_some() -> None:
    assert {unit.name for unit in SERVICES} == {
        "balefire-dashboard.service", "balefire-housekeeping.service", "balefire-replay@.service", "balefire-sensor@.service",
    }  # fmt: skip


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_hardened(unit: Path) -> None:
    service = dict(read(unit)["Service"])
    calls, *more = service["SystemCallFilter"].split()
    assert {name: service.get(name) for name in HARDENED} | {"SystemCallFilter": calls} == HARDENED
    assert all(call.startswith("landlock_") for call in more), "it confines itself further"
    assert len(more) == (3 if "sensor" in unit.name else 0)
    rights = "CAP_NET_RAW" if "sensor" in unit.name else ""
    assert service["CapabilityBoundingSet"] == rights
    assert service.get("AmbientCapabilities", "") == rights
    assert "AF_PACKET" in service["RestrictAddressFamilies"] if rights else "AF_PACKET" not in service["RestrictAddressFamilies"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_commands_are_balefire_s(unit: Path) -> None:
    command = read(unit)["Service"]["ExecStart"]
    said = re.findall(rf"{PROGRAM} ([^<']*)", command)
    assert [parsed(line)[0] for line in said] == [re.findall(r"-(\w+)", unit.name)[0].replace("sensor", "watch").replace("housekeeping", "housekeep")]


def test_a_sensor_gets_the_name_of_its_interface_as_it_is() -> None:
    """%I would make br/mirror of br-mirror."""
    text = (HERE / "balefire-sensor@.service").read_text("utf-8")
    assert "%I" not in text
    assert "watch %i --observer %H-%i" in text


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze")
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_takes_them(unit: Path, tmp_path: Path) -> None:
    """Programs that are not installed here are `true`."""
    there = tmp_path / unit.name.replace("@.", "@x.")
    there.write_text(unit.read_text("utf-8").replace(PROGRAM, "/bin/true"), "utf-8")
    verified = subprocess.run([str(ANALYZE), "verify", "--man=no", there], check=False, capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run([str(ANALYZE), "security", "--offline=true", f"--threshold={EXPOSURE}", there], check=False, capture_output=True, text=True)
    assert rated.returncode == 0, rated.stdout[-500:]
    there.write_text(there.read_text("utf-8").replace("Type=", "Typo=").replace("ExecStart=", "ExecBegin="), "utf-8")
    assert subprocess.run([str(ANALYZE), "verify", "--man=no", there], check=False, capture_output=True).stderr, "it looks"
