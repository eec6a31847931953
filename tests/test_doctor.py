"""Is this machine fit to listen? Interfaces in every state that spoils a capture, each with its fix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from records.model import Batch
from records.store import open_store
from records.store.contract import Commit
from sensors import faces
from sensors.faces import Face
from sensors.sources.cards import APART, OFF, Stamps
from tests.cli import balefire
from tests.frames import coverage
from tests.require import need
from tests.veth import ROOT, wires
from tests.wire import Talk, mbap, read, save

if TYPE_CHECKING:
    from collections.abc import Callable

INTERPRETED = {"NUMBA_DISABLE_JIT": "1"}


def asked(command: tuple[str, ...], **environment: str) -> tuple[int, dict[tuple[str | None, str], str | None]]:
    """Exit status, and the advice of each check; None where it is well."""
    done = subprocess.run((*command, "--json"), cwd=ROOT, env=os.environ | INTERPRETED | environment, check=False, capture_output=True, text=True, timeout=60)
    told: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    assert all((check["well"] is True) == (check["advice"] is None) for check in told)
    return done.returncode, {(check["interface"], check["check"]): check["advice"] for check in told}


@pytest.mark.netns
def test_what_spoils_listening_is_said_with_its_fix(tmp_path: Path) -> None:
    with wires() as wire:
        here = ("ip", "-n", wire.here)
        words = wire.run("-m", "balefire", "doctor", "in0", "in9", "--store", str(tmp_path / "none"))
        status, told = asked(words)
        assert status == 1
        well = ("there", "kind", "up", "carrier", "promiscuous", "speaks", "bridged", "lost", "ring", "stamps")
        assert {name: told["in0", name] for name in well} == dict.fromkeys(well)
        assert "in0, lo" in str(told["in9", "there"])
        assert ("in9", "up") not in told, "nothing more is said of what is not there"
        assert told[None, "privilege"] is None
        subprocess.run((*here, "address", "add", "10.9.9.1/24", "dev", "in0"), check=True)
        subprocess.run((*here, "link", "property", "add", "dev", "in0", "altname", "mirror"), check=True)
        told = asked(tuple("mirror" if word == "in0" else word for word in words))[1]
        assert told["mirror", "promiscuous"] is None
        assert "ip address flush dev mirror" in str(told["mirror", "speaks"])
        subprocess.run((*here, "link", "add", "br0", "type", "bridge"), check=True)
        subprocess.run((*here, "link", "set", "in0", "master", "br0"), check=True)
        subprocess.run((*here, "link", "set", "in0", "down"), check=True)
        told = asked(words)[1]
        assert "of the bridge br0" in str(told["in0", "bridged"])
        assert "nomaster" in str(told["in0", "bridged"])
        assert told["in0", "up"] == "it is down: ip link set in0 up"
        assert ("in0", "carrier") not in told
        subprocess.run((*here, "link", "set", "in0", "up"), check=True)
        subprocess.run(("ip", "-n", wire.there, "link", "set", "out0", "down"), check=True)
        assert "plugged in" in str(asked(words)[1]["in0", "carrier"])


def test_an_interface_that_does_not_take_what_is_for_others_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A loopback takes it; one that is not there, as one that refuses, does not."""
    need("netns", os.geteuid() == 0, "asking an interface needs root")
    assert faces.takes_all("lo")
    assert not int(Path("/sys/class/net/lo/flags").read_text(), 16) & faces.TAKES_ALL, "it was asked for a moment"
    assert not faces.takes_all("nowhere9")

    def refuses(_name: str) -> bool:
        return False

    monkeypatch.setattr(faces, "takes_all", refuses)
    told = json.loads(balefire("doctor", "lo", "--store", str(tmp_path / "none"), "--json").stdout)["checks"]
    assert ["mirror" in check["advice"] for check in told if check["check"] == "promiscuous"] == [True]


def test_a_mirror_of_one_direction_is_said(tmp_path: Path) -> None:
    talks = [Talk(client_port=40000 + number).open() for number in range(12)]
    for number, talk in enumerate(talks):
        for again in range(20):
            talk.ask(mbap(number + again, read(0, 2)))
    packets = sorted((packet for talk in talks for packet in talk.packets[::1] if packet.data[34:36] != b"\x01\xf6"), key=lambda packet: packet.time)
    program = (sys.executable, "-m", "balefire")
    command = (*program, "replay", str(save(packets, tmp_path / "half.pcap")), "--store", str(tmp_path / "store"), "--observer", "plant")
    subprocess.run(command, cwd=ROOT, env=os.environ | INTERPRETED, check=True, capture_output=True)
    told = asked((*program, "doctor", "--store", str(tmp_path / "store")))[1]
    assert "one direction" in str(told[None, "mirror"])
    assert (told[None, "trail"], told[None, "disk"]) == (None, None), "the store is looked at, too"


def test_a_line_without_a_packet_is_not_said_to_have_both_directions(tmp_path: Path) -> None:
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        store.write(Commit(Batch(coverage=coverage({"packets": 0, "bytes": 0, "talks": 0}))))
    told = json.loads(balefire("doctor", "--store", tmp_path / "store", "--json").stdout)["checks"]
    assert ["no packets were seen" in check["advice"] for check in told if check["check"] == "mirror"] == [True]


def test_a_store_that_does_not_answer_is_one_thing_among_all_others(tmp_path: Path) -> None:
    """Also where what is there is no store."""
    words = ("doctor", "lo", "--json")
    there = tmp_path / "there"
    there.mkdir()
    checked = json.loads(balefire("doctor", "--json", "--store", there).stdout)["checks"]
    assert "store" not in {check["check"] for check in checked}, "what is empty is as good as what is not there: what listens makes a store of it"
    (there / "notes.txt").write_text("not ours")
    for store, advice in (("http://127.0.0.1:9#x", "Nobody answers"), (there, str(there)), ("ftp://there", "ftp://there")):
        told = balefire(*words, "--store", store)
        checks: dict[str, Any] = {check["check"]: check for check in json.loads(told.stdout)["checks"]}
        assert told.exit_code == 1, told.output
        assert advice in checks["store"]["advice"]
        assert {"promiscuous", "clock", "tshark", "door"} <= set(checks)
        assert ("spool" in checks) == (advice == "Nobody answers"), "what waits for it is here all the same"


def test_the_disk_of_the_recording_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(folder: Path) -> dict[str, Any]:
        checks = json.loads(balefire("doctor", "--record", folder, "--store", tmp_path / "none", "--json").stdout)["checks"]
        (found,) = (check for check in checks if check["check"] == "record")
        return found

    (tmp_path / "file").write_text("no folder")
    assert str(tmp_path / "file") in told(tmp_path / "file" / "kept")["advice"]
    monkeypatch.setattr("sensors.recording.FLOOR", 0)
    assert told(tmp_path / "kept")["well"]
    (tmp_path / "00000001-20260101T000000.pcapng").symlink_to("/nowhere")
    assert told(tmp_path)["well"], "a file of the ring may go meanwhile"
    monkeypatch.setattr("sensors.recording.FLOOR", 1 << 60)
    assert "nothing would be kept" in told(tmp_path / "kept")["advice"]
    assert not (tmp_path / "kept").exists(), "looking makes nothing"


def test_what_nobody_could_look_at_is_neither_well_nor_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directions, where nothing was listened to yet; promiscuous mode, where it may not be asked for; and what is no interface is not said to be gone."""

    def told(*words: object) -> tuple[int, dict[str, Any]]:
        done = balefire("doctor", *words, "--json")
        return done.exit_code, {check["check"]: check for check in json.loads(done.stdout)["checks"]}

    def denied(*_: object) -> None:
        raise PermissionError

    none, empty = tmp_path / "none", tmp_path / "empty"
    open_store(str(empty), write=True).close()
    for store in (none, empty):
        found = told("--store", store)[1]["mirror"]
        assert found["well"] is None
        assert "not known" in found["advice"]
    before, _ = told("--store", none)
    status, found = told("tcp-listen://127.0.0.1:57012", "--store", none)
    assert status == before
    assert "only interfaces are examined" in found["elsewhere"]["advice"]
    assert "there" not in found
    monkeypatch.setattr("sensors.faces.socket.socket", denied)
    assert faces.takes_all("lo") is None
    monkeypatch.undo()
    monkeypatch.setattr(faces, "takes_all", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert told("lo", "--store", none)[1]["promiscuous"]["well"] is None
    monkeypatch.setattr("balefire.commands.doctor._machine", lambda: iter(()))
    assert "? " in balefire("doctor", "--store", none).stdout


def test_the_right_to_listen_is_asked_for(tmp_path: Path) -> None:
    told = asked((sys.executable, "-m", "balefire", "doctor", "--store", str(tmp_path / "none")))[1]
    (rights,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    capable = int(rights, 16) >> 13 & 1
    assert (told[None, "privilege"] is None) == bool(capable)
    assert (None, "free") in told


def test_a_kernel_that_cannot_confine_is_said_and_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("doctor", "--store", str(tmp_path / "none"), "--json")
    before = balefire(*words)
    for version, linux in ((0, "5.19"), (3, "6.7")):
        monkeypatch.setattr("sensors.fence.version", lambda version=version: version)
        after = balefire(*words)
        assert after.exit_code == before.exit_code
        (told,) = [check for check in json.loads(after.stdout)["checks"] if check["check"] == "fence"]
        assert f"Landlock, Linux {linux}" in told["advice"]
    monkeypatch.setattr("sensors.fence.version", lambda: 7)
    assert all(check["well"] for check in json.loads(balefire(*words).stdout)["checks"] if check["check"] == "fence")


FIT: Final = Face("lo", there=True, readable=True, up=True, carrier=True, merges=False, speaks=False, ring=512, most_ring=512, lost=0)


@pytest.mark.parametrize(
    ("place", "found", "check", "advice"),
    [
        ("sensors.faces.face", replace(FIT, readable=False), "kind", "Listen to an Ethernet interface"),
        ("sensors.faces.face", replace(FIT, merges=True), "offloads", "ethtool -K lo gro off lro off"),
        ("sensors.faces.face", replace(FIT, most_ring=4096), "ring", "holds 512 packets and could hold 4096: ethtool -G lo rx 4096"),
        ("sensors.faces.face", replace(FIT, lost=1234), "lost", "1,234 packets did not get past"),
        ("sensors.sources.cards.stamps", Stamps(OFF), "stamps", "hwstamp_ctl -i lo"),
        ("sensors.sources.cards.stamps", Stamps(APART, 25_000_000), "stamps", "25.0 ms"),
        ("sensors.faces.may_listen", False, "privilege", "CAP_NET_RAW"),
        ("sensors.faces.clock_is_kept", False, "clock", "NTP client"),
        ("sensors.dissection.available", None, "tshark", "not installed"),
        ("sensors.engine.mode.is_warm", False, "kernels", "balefire warm"),
    ],
)
def test_what_hardly_any_machine_has_is_said_with_its_fix(
    place: str, found: object, check: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what a machine of tests cannot be made to have. All else of the interface is well."""

    def answers(answer: object) -> Callable[..., object]:
        def told(*_: str) -> object:
            return answer

        return told

    monkeypatch.setattr("sensors.faces.face", answers(FIT))
    monkeypatch.setattr(place, answers(found))
    told = balefire("doctor", "lo", "--store", str(tmp_path / "none"), "--json")
    checks: list[dict[str, Any]] = json.loads(told.stdout)["checks"]
    (one,) = [each for each in checks if each["check"] == check]
    assert advice in one["advice"]
    assert [each["check"] for each in checks if each["interface"] and not each["well"]] in ([check], [])
    chinese = json.loads(balefire("--language", "zh", "doctor", "lo", "--store", str(tmp_path / "none"), "--json").stdout)["checks"]
    assert all(each["advice"] != one["advice"] for each in chinese if each["check"] == check)
