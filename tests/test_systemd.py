"""The way with systemd: units that it takes, each hardened, whose commands are commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
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
    assert {unit.name for unit in SERVICES} == {"balefire-dashboard.service", "balefire-replay@.service", "balefire-sensor@.service"}


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_hardened(unit: Path) -> None:
    service = dict(read(unit)["Service"])
    assert {name: service.get(name) for name in HARDENED} == HARDENED
    rights = "CAP_NET_RAW" if "sensor" in unit.name else ""
    assert service["CapabilityBoundingSet"] == rights
    assert service.get("AmbientCapabilities", "") == rights
    assert "AF_PACKET" in service["RestrictAddressFamilies"] if rights else "AF_PACKET" not in service["RestrictAddressFamilies"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_commands_are_balefire_s(unit: Path) -> None:
    command = read(unit)["Service"]["ExecStart"]
    said = re.findall(rf"{PROGRAM} ([^<']*)", command)
    assert [parsed(line)[0] for line in said] == [re.findall(r"-(\w+)", unit.name)[0].replace("sensor", "replay")]


def test_what_reads_packets_has_no_rights() -> None:
    """The line of the sensor, with programs that tell their rights in the places of its two."""
    words = shlex.split(read(HERE / "balefire-sensor@.service")["Service"]["ExecStart"].replace("%I", "eth1").replace("%H", "host"))
    assert words[-3:] == ["sensor", "eth1", "host-eth1"]
    with tempfile.TemporaryDirectory() as folder:
        for name, does in (("tcpdump", ""), ("balefire", "cat\n")):
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\n{does}echo {name} $(grep CapEff /proc/self/status) $*\n")
            program.chmod(0o755)
        Path(folder).chmod(0o755)
        given = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
        line = words[2].replace(PROGRAM, f"{folder}/balefire")
        told = {"PATH": f"{folder}:/usr/bin:/bin"}
        done = subprocess.run([*given, *words[:2], line, *words[3:]], env=told, check=False, capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip("needs root")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["tcpdump", "CapEff:", f"{1 << 13:016x}", "--interface", "eth1", "-U", "-w", "-"],
        ["balefire", "CapEff:", f"{0:016x}", "replay", "-", "--observer", "host-eth1"],
    ]


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
