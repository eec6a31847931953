"""The simulated plant: the same seed gives the same octets, everything on its wire is right, and its labels and its truth are true."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import sys
from collections import Counter
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import pytest
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from snap7.s7protocol import S7Protocol

from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.cli import ROOT
from tests.plant.works import attacks, people, routine
from tests.plant.works.attacks import ATTACKS
from tests.plant.works.dnp3 import framed, unframed
from tests.plant.works.plant import SITES, build
from tests.plant.works.process import Fault
from tests.plant.works.s7 import S7Device
from tests.plant.works.wire import SYN
from tests.plant.works.world import HOUR, MINUTE, SECOND, World, stamp
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plant.works.plant import Plant

WEDNESDAY = 1_772_611_200 * SECOND  # 2026-03-04T08:00Z, when people are at work
INFRASTRUCTURE = {"arp", "dns", "ntp", "dhcp", "lldp", "http", "tls", "cotp"}
TECHNIQUES = ROOT.parent / "shared" / "facts" / "attack_ics.tsv"
KINDS = {
    "operator.setpoint", "operator.command", "clock.sync", "laptop", "reboot", "maintenance.download", "backup", "historian.reconnect", "retransmissions",
    "sensor.failure", "restart.after.attack", "restore.after.attack",
}  # fmt: skip


class Written:
    """A capture and its labels."""

    def __init__(self, site: str, seed: int, span: int, benign: str = "day", names: tuple[str, ...] = (), controllers: int | None = 4) -> None:
        octets, told = io.BytesIO(), io.StringIO()
        self.world = World(seed, WEDNESDAY, WEDNESDAY + span, octets)
        self.plant: Plant = build(self.world, SITES[site], controllers)
        routine.start(self.world, self.plant)
        people.start(self.world, self.plant, benign)
        self.left_out = attacks.start(self.world, self.plant, names) if names else []
        self.world.run()
        self.world.write_labels(told, self.plant.about())
        self.capture = octets.getvalue()
        self.labels: list[dict[str, Any]] = [json.loads(line) for line in told.getvalue().splitlines()]

    def packets(self) -> Iterator[tuple[int, bytes]]:
        at = 24
        while at < len(self.capture):
            seconds, fraction, size, wire = struct.unpack_from("<IIII", self.capture, at)
            assert size == wire
            yield seconds * SECOND + fraction, self.capture[at + 16 : at + 16 + size]
            at += 16 + size

    def of(self, label: str) -> list[dict[str, Any]]:
        return [line for line in self.labels if line["label"] == label]


@cache
def attacked(site: str) -> Written:
    """Two hours with every attack that can be made there."""
    return Written(site, 11, 2 * HOUR, names=tuple(sorted(ATTACKS)))


@cache
def quiet(site: str) -> Written:
    """Some minutes of a plant at work."""
    return Written(site, 5, 6 * MINUTE)


def ends(frame: bytes) -> tuple[str, str]:
    """Source and destination, of IP or ARP; else nothing."""
    at = {b"\x08\x00": (26, 30), b"\x08\x06": (28, 38)}.get(frame[12:14])
    return cast("tuple[str, str]", tuple(".".join(map(str, frame[place : place + 4])) for place in at)) if at else ("", "")


def moment(text: str) -> int:
    """Microseconds of a stamp."""
    when = datetime.fromisoformat(text)
    return int(when.timestamp()) * SECOND + when.microsecond


def test_the_same_seed_gives_the_same_octets_and_another_seed_another_plant() -> None:
    first, again, other = (Written("packaging", seed, 3 * MINUTE, controllers=None) for seed in (3, 3, 4))
    assert first.capture == again.capture
    assert first.labels == again.labels
    hosts = [{host["ip"] for host in written.labels[0]["hosts"]} for written in (first, other)]
    assert not hosts[0] & hosts[1]
    assert [c["protocol"] for c in first.labels[0]["controllers"]] != [c["protocol"] for c in other.labels[0]["controllers"]]


@pytest.mark.parametrize("site", SITES)
def test_times_never_go_back(site: str) -> None:
    written = attacked(site)
    times = [time for time, _ in written.packets()]
    assert times == sorted(times)
    assert written.world.start <= times[0]
    assert times[-1] < written.world.end
    assert len(times) == written.of("truth")[0]["packets"]


@pytest.mark.parametrize("site", SITES)
def test_labels_lie_inside_the_capture_and_say_what_can_be_known(site: str) -> None:
    written = attacked(site)
    start, end = stamp(written.world.start), stamp(written.world.end)
    known = {line.split("\t")[0] for line in TECHNIQUES.read_text(encoding="utf-8").splitlines()} if TECHNIQUES.exists() else None
    hosts = {host["ip"] for host in written.labels[0]["hosts"]}
    for label in written.of("attack") + written.of("benign"):
        assert start <= label["start"] < label["end"] <= end, label
        assert set(label.get("whom", label.get("victim", []))) <= hosts or label["name"] == "foreign_content"
    for label in written.of("attack"):
        assert label["techniques"]
        assert known is None or set(label["techniques"]) <= known
    assert {label["kind"] for label in written.of("benign")} <= KINDS


@pytest.mark.parametrize("site", SITES)
def test_each_attack_leaves_what_its_label_says(site: str) -> None:
    """Between start and end attacker and victim speak; the unknown host never does outside its attacks; who is cut off says nothing."""
    written = attacked(site)
    made = Counter(label["name"] for label in written.of("attack"))
    assert set(made) == set(ATTACKS) - set(written.left_out)
    packets = [(time, frame[6:12].hex(":"), *ends(frame)) for time, frame in written.packets()]
    (unknown,) = (host["ip"] for host in written.labels[0]["hosts"] if host["role"] == "attacker")
    windows: list[tuple[int, int]] = []
    for label in written.of("attack"):
        first, last = moment(label["start"]), moment(label["end"])
        inside = [packet for packet in packets if first <= packet[0] <= last]
        attackers = {*label["attacker"], *label.get("macs", [])}  # who is in the middle shows no address but that of his card
        for victim in label["victim"]:
            assert any(victim in packet[2:] and (not attackers or attackers & set(packet[1:])) for packet in inside), label
        if label["name"] in ("silenced", "denial_of_service"):
            answers = [packet for packet in inside if packet[2] in label["victim"] and packet[0] > first + SECOND]
            assert not answers, label
        if unknown in label["attacker"]:
            windows.append((first, last))
    outside = [time for time, _, source, _ in packets if source == unknown and not any(low <= time <= high + SECOND for low, high in windows)]
    assert not outside


@pytest.mark.parametrize("site", SITES)
def test_an_independent_reader_finds_nothing_wrong(site: str, tmp_path: Path) -> None:
    need("tshark", shutil.which("tshark") is not None, "the independent reader is not installed")
    # the first is malformed on purpose, tshark takes the port of the second for another protocol's, the third is long
    names = tuple(name for name in ATTACKS if name not in ("foreign_content", "other_port", "denial_of_service"))
    path = tmp_path / "works.pcap"
    path.write_bytes(Written(site, 12, HOUR, names=names).capture)
    sums = [word for layer in ("ip", "tcp", "udp") for word in ("-o", f"{layer}.check_checksum:TRUE")]
    wrong = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || tcp.analysis.lost_segment"
    command = ["tshark", "-n", "-r", str(path), *sums, "-Y", f"{wrong} || tcp.analysis.ack_lost_segment"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""


@pytest.mark.parametrize("site", SITES)
def test_the_sensor_hears_every_operation_and_nothing_else(site: str, tmp_path: Path) -> None:
    written = quiet(site)
    path = tmp_path / "works.pcap"
    path.write_bytes(written.capture)
    heard: Counter[tuple[str, str]] = Counter()
    sensor = Sensor("observer", "site", "file")
    source = open_capture(find([str(path)])[0])
    for part in sensor.listen(source):
        for row in part.activities.to_pylist():
            heard[row["network.protocol"], row["ot.code"]] += row["ot.count"]
            assert row["ot.anomaly"] in (None, []), row
    source.close()
    totals = sensor.totals.protocols
    assert not {name: seen.undecoded_bytes for name, seen in totals.items() if seen.undecoded_bytes}  # pages and what is encrypted are no protocol of ours
    told = {(protocol, code): count for protocol, codes in written.of("truth")[0]["operations"].items() for code, count in codes.items()}
    assert {key: count for key, count in heard.items() if key[0] not in INFRASTRUCTURE} == told
    assert set(SITES[site].protocols) <= {protocol for protocol, _ in told} | ({"enip"} if site == "packaging" else set())


def test_what_a_modbus_controller_answers_is_what_its_stack_decodes() -> None:
    written = quiet("water")
    framers = [FramerSocket(DecodePDU(True)), FramerSocket(DecodePDU(False))]
    seen = 0
    for _, frame in written.packets():
        if frame[12:14] == b"\x08\x00" and frame[23] == 6 and len(frame) > 60 and 502 in (ports := struct.unpack_from(">HH", frame, 34)):
            size = struct.unpack_from(">H", frame, 16)[0]
            payload = frame[34 + (frame[46] >> 4) * 4 : 14 + size]
            if payload:
                used, pdu = framers[ports[0] == 502].handleFrame(payload, 0, 0)
                assert used == len(payload)
                assert pdu is not None
                seen += 1
    assert seen > 500


def test_what_an_s7_controller_answers_is_what_its_stack_parses() -> None:
    written = quiet("water")
    device = next(device for device in written.plant.devices if device.PROTOCOL == "s7comm")
    session = written.plant.session(written.plant.engineering, device)
    protocol = S7Protocol()
    told = protocol.parse_response(session.send(protocol.build_read_szl_request(0x11, 0)))
    assert device.make.model.encode() in protocol.parse_read_szl_response(told)["data"]
    protocol.check_control_response(protocol.parse_response(session.send(protocol.build_plc_control_request("stop"))))
    assert not device.running
    assert isinstance(device, S7Device)
    block, start = device.places[0]
    read = protocol.parse_response(session.read(block, start, 4))
    assert struct.unpack(">f", bytes(protocol.extract_multi_read_data(read, 1)[0]))[0] == pytest.approx(device.process.values[0])


def test_a_frame_of_dnp3_has_the_checksums_of_the_genuine_stack() -> None:
    """opendnp3's octets, as our plant of real stacks recorded them, framed anew."""
    capture = (ROOT / "tests" / "captures" / "dnp3.pcap").read_bytes()
    at, seen = capture.find(b"\x05\x64"), 0
    while at >= 0:
        length = capture[at + 2]
        data = length - 5
        frame = capture[at : at + 10 + data + 2 * -(-data // 16)]
        assert framed(*unframed(frame)) == frame
        seen += 1
        at = capture.find(b"\x05\x64", at + len(frame))
    assert seen > 20


def test_each_act_of_the_week_can_be_seen_and_is_labelled() -> None:
    world = World(2, WEDNESDAY, WEDNESDAY + HOUR, io.BytesIO())
    plant = build(world, SITES["packaging"], 4)
    routine.start(world, plant)
    acting = people.People(world, plant)
    programs = [device.program for device in plant.devices]
    for number, (name, (act, _, _)) in enumerate(people.WEEK.items()):
        if name != "sensor":  # it lasts for hours
            world.enter(act(acting, world.chance(name)), WEDNESDAY + (2 + 4 * number) * MINUTE)
    world.enter(acting.clocks(world.chance("clocks")), WEDNESDAY + 45 * MINUTE)
    world.run()
    kinds = {label["kind"] for label in world.labels}
    assert kinds == KINDS - {"operator.setpoint", "operator.command", "sensor.failure", "restart.after.attack", "restore.after.attack"}
    changed = [device for device, before in zip(plant.devices, programs, strict=True) if device.program != before]
    assert [device.host.ip for device in changed] == [ip for label in world.labels if label["kind"] == "maintenance.download" for ip in label["whom"]]
    assert world.asked["s7comm", "28"] == 1
    assert world.asked["s7comm", "31"] >= 2


def test_who_hears_of_a_device_connects_anew_when_the_attack_on_its_reports_is_over() -> None:
    """Every one of them, however seldom it polls: what is silent for longer than the label says would be an attack that nobody tells of."""
    written = Written("substation", 1, 40 * MINUTE, names=("reports_disabled",))
    (label,) = written.of("attack")
    (victim,) = label["victim"]
    hearing = {poll.client.ip for poll in written.plant.polls if poll.device.host.ip == victim}
    assert len(hearing) == 2
    assert all(poll.device.unsolicited for poll in written.plant.polls if poll.device.host.ip == victim)
    asked = [(time - moment(label["end"]), *ends(frame)) for time, frame in written.packets() if frame[23] == 6 and frame[47] & SYN]
    assert {source for after, source, destination in asked if destination == victim and 0 <= after <= 10 * SECOND} == hearing
    start = moment(label["start"]) + SECOND
    assert not [1 for time, frame in written.packets() if start < time < moment(label["end"]) and ends(frame)[0] == victim and ends(frame)[1] in hearing]


def test_a_failing_sensor_is_stuck_and_comes_back() -> None:
    world = World(3, WEDNESDAY, WEDNESDAY + HOUR, io.BytesIO())
    process = build(world, SITES["water"], 5).devices[0].process
    process.faults.append(Fault(0, WEDNESDAY + 10 * MINUTE, WEDNESDAY + 30 * MINUTE, 0.0, 1.234))
    seen: list[float] = []
    for minute in range(60):
        process.step(WEDNESDAY + minute * MINUTE)
        seen.append(process.values[0])
    assert set(seen[10:30]) == {1.234}
    assert len(set(seen[:10])) > 5
    assert len(set(seen[40:])) > 5


def test_what_operators_write_moves_the_process_and_a_broken_sensor_does_not_move() -> None:
    world = World(1, WEDNESDAY, WEDNESDAY + HOUR, io.BytesIO())
    plant = build(world, SITES["water"], 5)
    dosing = next(device for device in plant.devices if device.process.NAME == "dosing")
    process = dosing.process
    session = plant.session(plant.screens[0], dosing)
    session.open()
    before, target = process.values[0], process.points.index(next(point for point in process.points if point.name.startswith("chlorine set")))
    session.write(target, 0.9)
    for minute in range(90):
        process.step(WEDNESDAY + minute * MINUTE)
    assert before < 0.6
    assert process.values[0] == pytest.approx(0.9, abs=0.08)


def test_the_command_line_writes_the_same_to_a_pipe(tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    command = [
        sys.executable,
        "-m",
        "tests.plant.works",
        "--seed",
        "5",
        "--site",
        "water",
        "--start",
        "2026-03-04T09:00+01:00",
        "--hours",
        "0.1",
        "--controllers",
        "4",
    ]
    done = subprocess.run([*command, "--labels", str(labels), "-o", "-"], check=True, capture_output=True, cwd=ROOT)
    assert done.stdout == quiet("water").capture
    assert [json.loads(line) for line in labels.read_text("utf-8").splitlines()] == quiet("water").labels
    refused = subprocess.run([*command, "--attack", "earthquake", "-o", "-"], check=False, capture_output=True, cwd=ROOT, text=True)
    assert refused.returncode == 2
    assert "no such attack: earthquake" in refused.stderr
