"""The way with systemd: units that it takes, each hardened, whose commands are commands."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import pytest

from reports.keys import PASSPHRASE
from tests.require import need
from tests.shipped import parsed
from tests.test_watch import INTERPRETED, said
from tests.veth import started, wires

HERE: Final = Path(__file__).parents[1] / "deploy" / "systemd"
SERVICES: Final = sorted(HERE.glob("*.service"))
PROGRAM: Final = "/opt/balefire/bin/balefire"
COMMANDS: Final = {"sensor": "watch", "housekeeping": "housekeep", "delivery": "run", "notification": "notify", "signing": "release"}
SILENCE: Final = HERE / "balefire-silence@.service"  # commands of the system, which it gives before a sensor listens
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
        "balefire-dashboard.service", "balefire-delivery.service", "balefire-housekeeping.service", "balefire-notification.service", "balefire-replay@.service",
        "balefire-sensor@.service", "balefire-signing.service", SILENCE.name,
    }  # fmt: skip


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_hardened(unit: Path) -> None:
    service = dict(read(unit)["Service"])
    calls, *more = service["SystemCallFilter"].split()
    assert {name: service.get(name) for name in HARDENED} | {"SystemCallFilter": calls} == HARDENED
    assert all(call.startswith("landlock_") for call in more), "it confines itself further"
    assert len(more) == (3 if "sensor" in unit.name else 0)
    rights = "CAP_NET_RAW" if "sensor" in unit.name else "CAP_NET_ADMIN" if unit == SILENCE else ""
    assert service["CapabilityBoundingSet"] == rights
    assert service.get("AmbientCapabilities", "") == rights
    assert "AF_PACKET" in service["RestrictAddressFamilies"] if "RAW" in rights else "AF_PACKET" not in service["RestrictAddressFamilies"]


@pytest.mark.parametrize("unit", [unit for unit in SERVICES if unit != SILENCE], ids=lambda unit: unit.name)
def test_commands_are_balefire_s(unit: Path) -> None:
    command = read(unit)["Service"]["ExecStart"]
    said = re.findall(rf"{PROGRAM} ([^<']*)", command)
    name = re.findall(r"-(\w+)", unit.name)[0]
    assert [parsed(line)[0] for line in said] == [COMMANDS.get(name, name)]


def test_the_passphrase_is_handed_to_what_signs_alone_and_keys_are_hidden_from_what_serves_and_sends() -> None:
    hidden = {unit.name for unit in SERVICES if read(unit)["Service"].get("InaccessiblePaths") == "-/var/lib/balefire/keys"}
    assert hidden == {f"balefire-{name}.service" for name in ("dashboard", "delivery", "notification")}
    (signing,) = [unit for unit in SERVICES if "LoadCredential" in read(unit)["Service"]]
    text = signing.read_text("utf-8")
    assert signing.name == "balefire-signing.service"
    assert f"{PASSPHRASE}_FILE=%d/passphrase BALEFIRE_LEDGER__KEYS=/var/lib/balefire/keys\n" in text


def commands(interface: str) -> list[list[str]]:
    """What the unit has done to an interface, as a user who has its right alone; what may fail (`-`) only where there is such a program here."""
    said = re.findall(r"^ExecStart=(-?)(\S+) (.*)$", SILENCE.read_text("utf-8"), re.MULTILINE)
    rights = [
        str(shutil.which("setpriv")),
        "--reuid=65534",
        "--clear-groups",
        "--inh-caps=+net_admin",
        "--ambient-caps=+net_admin",
        "--bounding-set=-all,+net_admin",
    ]
    return [[*rights, program, *rest.replace("%I", interface).split()] for lenient, program, rest in said if shutil.which(program) or not lenient]


@pytest.mark.netns
def test_an_interface_that_the_unit_set_up_says_nothing() -> None:
    """Beside one that nobody set up, and while a sensor listens. It was up and had an address before."""
    need("netns", shutil.which("setpriv") is not None, "being another user needs setpriv of util-linux")
    assert SILENCE.name.replace("@", "@%i") in read(HERE / "balefire-sensor@.service")["Unit"]["Wants"].split()
    with wires(2) as wire:
        inside = ("ip", "netns", "exec", wire.here)

        def here(*words: str) -> None:
            subprocess.run([*inside, *words], check=True, capture_output=True)

        for number in range(2):  # as they are by default
            here("ip", "link", "set", f"in{number}", "down")
            here("ip", "link", "set", f"in{number}", "arp", "on", "multicast", "on", "addrgenmode", "eui64")
        here("ip", "address", "add", "10.9.9.9/24", "dev", "in0")
        for command in commands("in0"):
            here(*command)
        ears = [wire.heard(number) for number in range(2)]
        here("ip", "link", "set", "in1", "up")
        with started(wire.run("-m", "sensors.listening", "in0"), INTERPRETED) as process:
            said(process, "ready")
            time.sleep(1.5)
        for ear in ears:
            ear.terminate()
        counted = [int(ear.communicate(timeout=20)[0]) for ear in ears]
        told = subprocess.run([*inside, "ip", "-d", "address", "show", "in0"], check=True, capture_output=True, text=True).stdout
    assert counted[0] == 0
    assert counted[1] > 0, "or this shows nothing"
    assert "inet" not in told
    assert "NOARP" in told
    assert "MULTICAST" not in told


def test_units_take_the_name_of_an_interface_as_systemd_escapes_it() -> None:
    """Units of devices are named so, and br-mirror as it is would be br/mirror: whoever starts a sensor is told."""
    sensor, silence = (path.read_text("utf-8") for path in (HERE / "balefire-sensor@.service", SILENCE))
    assert "systemd-escape" in sensor.splitlines()[0]
    for text in (sensor, silence):
        for line in text.splitlines()[1:]:
            assert ("%i" in line) <= (".device" in line or "@%i.service" in line), line
            assert ("%I" in line) <= line.startswith(("ExecStart=", "Description=")), line
    assert "watch %I --observer %H-%I" in sensor


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
