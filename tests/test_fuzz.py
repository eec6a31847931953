"""No input makes a kernel touch what is not its own: guard pages, poison around every packet and message, and two readers of captures against each other."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from records.errors import BalefireError
from sensors.protocol import protocols
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.fuzz import corpus
from tests.fuzz.hunting import DIGESTS, ROOT, Hunt, has_atheris, hunt, hunt_quietly, hunt_readers
from tests.fuzz.readers import reference
from tests.fuzz.targets import EACH, targets
from tests.protocol_battery import examples
from tests.require import need
from tests.test_modes import entries
from tests.test_sources import Pcap, pcapng, read
from tests.wire import ACK, CLIENT, FIN, SERVER, SYN, Feed, Packet, Talk, mbap, registers
from tests.wire import read as question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEED: Final = int(os.environ.get("BALEFIRE_FUZZ_SEED", "1"))
LEAST: Final = 100_000  # inputs in all
CASES: Final = {"link.decode": 400, "layers.hand_on": 60, "reader": 1500, "sensor": 100}
SEVERAL: Final = ("link.decode", "layers.hand_on")  # whose cases are of as many inputs as those of a dissector
COMPILED: Final = {"NUMBA_DISABLE_JIT": "0"}
INTERPRETED: Final = {"NUMBA_DISABLE_JIT": "1"}
LEAST_LINES: Final = 0.9
# reads what the operating system wrote, or we, no bytes of the wire: see test_ring.py, test_shares.py
KERNELS_OWN: Final = {"sensors.sources.ring.merge", "sensors.sources.shares.join"}
UNCAPTURED: Final = {"dhcp", "mdns", "ntp", "pccc"}  # in no capture that is small enough: the examples of their tests are mutated

pytestmark = pytest.mark.timeout(900)  # where kernels are compiled first


def hunted(environment: Mapping[str, str], cases: Mapping[str, int], keep: Path) -> dict[str, Hunt]:
    """Every target, in two processes."""

    def half(first: int) -> list[Hunt]:
        return hunt_quietly({name: cases[name] for name in (*targets(),)[first::2]}, SEED, keep, dict(environment))

    with ThreadPoolExecutor(2) as both:
        return {one.target: one for done in both.map(half, (0, 1)) for one in done}


@pytest.fixture(scope="module", autouse=True)
def _corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every process mutates the same messages: they are cut out of the captures once, which takes longer than most of the cases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALEFIRE_FUZZ_CORPUS", str(tmp_path_factory.mktemp("corpus")))
        yield


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hunt]:
    share = max(-(-(LEAST - sum(CASES[name] for name in SEVERAL) * EACH) // (EACH * len(protocols()))), DIGESTS)
    keep = Path(os.environ.get("BALEFIRE_FUZZ_KEEP") or tmp_path_factory.mktemp("findings", numbered=True))
    return hunted(COMPILED, {name: CASES.get(name, share) for name in targets()}, keep)


def test_a_hundred_thousand_mutations_are_safe(compiled: dict[str, Hunt]) -> None:
    print(f"seed {SEED}", *compiled.values(), sep="\n")
    assert [str(finding) for done in compiled.values() for finding in done.findings] == []
    assert sum(done.inputs for done in compiled.values()) >= LEAST


def test_they_call_every_kernel(compiled: dict[str, Hunt]) -> None:
    called = {name for done in compiled.values() for name in done.entries}
    assert called == set(entries("sensors")) - KERNELS_OWN


@pytest.mark.captures
def test_they_are_mutations_of_real_captures() -> None:
    need("captures", corpus.SHARED.is_dir(), f"no {corpus.SHARED}; our own capture is mutated instead")
    assert len(corpus.captures()) > 100
    without = {protocol.name for protocol in protocols() if not set(corpus.messages(protocol.name)) - set(examples(protocol))}
    assert without == UNCAPTURED


def test_compiled_and_interpreted_say_the_same(compiled: dict[str, Hunt], tmp_path: Path) -> None:
    interpreted = hunted(INTERPRETED, dict.fromkeys(targets(), DIGESTS), tmp_path)
    for name, done in interpreted.items():
        assert [str(finding) for finding in done.findings] == []
        assert len(done.digests) == DIGESTS
        assert done.digests == compiled[name].digests[:DIGESTS], name


def test_the_fuzz_executes_the_lines_of_every_dissector() -> None:
    command = [sys.executable, "-m", "tests.fuzz.lines", "120", "dissect"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **INTERPRETED})
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert len(told) > len(protocols())
    few = {file: said for file, said in told.items() if len(said["missing"]) > max((1 - LEAST_LINES) * said["lines"], 1)}
    assert few == {}, "lines that no mutation brings up"


# ── does it find anything? ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# file, target, what stands there, what is put there, what the finding says, and how it runs: only compiled code reads what is not there
COMPILED_OWN: Final = {**COMPILED, "BALEFIRE_FUZZ_SEEDS": "examples"}  # nothing else is compiled for them
INTERPRETED_OWN: Final = {**INTERPRETED, "BALEFIRE_FUZZ_SEEDS": "examples"}
PLANTED: Final = {
    "past the arena": (
        "protocols/modbus.py", "dissect.modbus", "    octets = u8(memory, at, end, row)\n    if octets == 0", "    octets = 0 + memory[at]\n    if octets == 0",
        ("SIGSEGV", "SIGBUS", "AssertionError: operations"), COMPILED_OWN,
    ),
    "past a table": (
        "engine/link.py", "link.decode", "for i in range(start, count):", "for i in range(start, count + 1):", ("SIGSEGV", "SIGBUS"), COMPILED_OWN,
    ),
    "before a table": ("engine/link.py", "link.decode", "packet = packets[i]", "packet = packets[i - 1]", ("IndexError: row -1",), INTERPRETED_OWN),
    "past the message": (
        "protocols/modbus.py", "dissect.modbus", "error = u8(memory, at + 1, end, row)", "error = u8(memory, at + 1, len(memory), row)",
        ("AssertionError: operations: ",), INTERPRETED_OWN,
    ),
    "past the packet": (
        "engine/frames.py", "link.decode", "ethertype = u16be(memory, at + 12, end, packet)", "ethertype = u16be(memory, at + 12, len(memory), packet)",
        ("AssertionError: packets: ",), INTERPRETED_OWN,
    ),
    "a packet lost": (
        "sources/reader.py", "reader", "row += 1\n        at += walk.header + captured", "row += 1 if captured else 0\n        at += walk.header + captured",
        ("AssertionError",), INTERPRETED_OWN,
    ),
    "a slot lost": (
        "engine/delivery.py", "sensor", "        free_later(flow.carry_slot, slots, streams)\n", "",
        ("AssertionError: slots that are lost",), INTERPRETED_OWN,
    ),
    "a buffer lost": (
        "engine/fragments.py", "link.decode", "assembly.free += 0 if state == WHOLE else 1", "assembly.free += 0",
        ("AssertionError: buffers that are counted wrong",), INTERPRETED_OWN,
    ),
    "past what is remembered": (
        "engine/history.py", "sensor", "first = max(0, signed(history.since - sequence))", "first = 0",
        ("AssertionError: activities, points or coverage that depend",), INTERPRETED_OWN,
    ),
    "past what carries": (
        "engine/layers.py", "layers.hand_on", " and end <= lower.offset + lower.length", "",
        ("AssertionError: a message that is longer",), INTERPRETED_OWN,
    ),
}  # fmt: skip


SHORT: Final = ("past the arena", "before a table", "past the message", "past the packet", "a packet lost", "a slot lost", "past what carries")


def copied(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the sensors in which one place is another."""
    shutil.copytree(ROOT / "sensors", folder / "sensors", ignore=shutil.ignore_patterns("__pycache__"))
    place = folder / "sensors" / file
    source = place.read_text()
    assert source.count(old) == 1, f"{old!r} stands elsewhere now"
    place.write_text(source.replace(old, new))
    return folder


@pytest.mark.parametrize("name", [name for name in PLANTED if name in SHORT or "BALEFIRE_SOAK" in os.environ])
def test_a_planted_defect_is_found(name: str, tmp_path: Path) -> None:
    file, target, old, new, expected, environment = PLANTED[name]
    folder = copied(tmp_path / "planted", file, old, new)
    done = hunt(target, SEED, tmp_path / "findings", 200, environment={**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}, folder=folder, most=1)
    assert any(finding.what.startswith(expected) for finding in done.findings), "\n".join(map(str, done.findings))
    for finding in done.findings:
        targets()[target].run(json.loads(finding.file.read_text())["case"])  # it is kept, and our own kernel stands it


@pytest.mark.parametrize("name", ["past the arena", "past what carries"])
def test_an_unplanted_copy_passes(name: str, tmp_path: Path) -> None:
    """Interpreted, for the compiled kernels of a copy are those of the hunt above."""
    file, target, old, *_ = PLANTED[name]
    done = hunt(target, SEED, tmp_path / "findings", 20, environment=INTERPRETED_OWN, folder=copied(tmp_path / "copy", file, old, old))
    assert done.findings == []
    assert done.inputs == 20 * EACH


# ── what it found ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def ends(packets: list[Packet]) -> set[tuple[str, str, int]]:
    rows = [row for batch in Sensor("observer").listen(Feed(packets, each=1)) for row in batch.activities.to_pylist()]
    return {(row["source.ip"], row["destination.ip"], row["destination.port"]) for row in rows}


def test_what_was_begun_before_a_handshake_keeps_its_conversation() -> None:
    talk = Talk()
    talk.put(1, mbap(1, registers(*range(20)))[:12])
    talk.put(0, b"", SYN)  # of this side nothing was seen before
    talk.put(1, b"", FIN | ACK)
    assert ends(talk.packets) == {(CLIENT, SERVER, 502)}


def test_what_was_begun_before_the_other_side_turns_out_to_serve_keeps_its_conversation() -> None:
    talk = Talk()
    talk.put(1, mbap(1, registers(*range(20)))[:12])
    talk.put(1, b"", FIN | ACK)
    turned = Talk()
    turned.put(1, mbap(1, registers(*range(20)))[:12])
    turned.put(0, b"", SYN | ACK)
    turned.put(1, b"", FIN | ACK)
    assert ends(turned.packets) == ends(talk.packets) == {(CLIENT, SERVER, 502)}


def test_what_is_begun_when_conversations_are_numbered_anew_is_shed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.sensor.MOST_CONVERSATIONS", 32)
    talk = Talk()
    talk.put(0, mbap(1, question(0, 1))[:8])
    others = [Talk(f"10.0.3.{n}", client_port=50000 + n, time=talk.time).ask(mbap(1, question(0, 1)), mbap(1, registers(5))).packets for n in range(40)]
    talk.put(0, b"", FIN | ACK)
    seen = ends([talk.packets[0], *(packet for pair in others for packet in pair), talk.packets[1]])
    assert seen == {(f"10.0.3.{n}", SERVER, 502) for n in range(40)}


def test_what_differs_when_conversations_are_numbered_anew_keeps_its_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.sensor.MOST_CONVERSATIONS", 32)
    talk = Talk().open().ask(mbap(1, question(0, 1)), mbap(1, registers(5))).ask(mbap(2, question(0, 1)), mbap(2, registers(5)))
    others = [Talk(f"10.0.3.{n}", client_port=50000 + n, time=talk.time).ask(mbap(1, question(0, 1)), mbap(1, registers(5))).packets for n in range(40)]
    again = talk.segment(0, mbap(1, question(7, 1)), talk.sequences[0] - 12)
    rows = [
        row
        for batch in Sensor("observer").listen(Feed([*talk.packets, *(packet for pair in others for packet in pair), again], each=1))
        for row in batch.activities.to_pylist()
    ]
    assert [(row["source.ip"], row["destination.ip"]) for row in rows if "overlap" in (row["ot.anomaly"] or ())] == [(CLIENT, SERVER)]


def test_what_waits_when_the_input_ends_finds_room_for_its_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors.sensor.MOST_CONVERSATIONS", 32)
    waiting: list[Packet] = []
    for n in range(60):
        talk = Talk(f"10.0.3.{n}", client_port=50000 + n).open()
        talk.lose(0, 5).put(0, mbap(1, question(0, 1)))
        waiting += talk.packets
    assert len(ends(waiting)) == 60


# ── captures ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _spoil(content: bytes, at: int, value: int, order: str) -> bytes:
    return content[:at] + struct.pack(f"{order}I", value) + content[at + 4 :]


def _spoiled(content: bytes, order: str, header: int) -> list[tuple[bytes, int, int]]:
    """A pcap with each of its record headers spoiled: content, offset of that header, packets before it."""
    made: list[tuple[bytes, int, int]] = []
    at, number = 24, 0
    while at < len(content):
        (captured,) = struct.unpack_from(f"{order}I", content, at + 8)
        made += [(_spoil(content, at + 8, value, order), at, number) for value in ((1 << 18) + 1, 1 << 31, 0xFFFFFFFF)]
        at, number = at + header + captured, number + 1
    return made


def _spoiled_blocks(content: bytes, order: str) -> list[tuple[bytes, int, int]]:
    """A pcapng with the lengths of each of its packet blocks spoiled."""
    made: list[tuple[bytes, int, int]] = []
    at = number = 0
    while at < len(content):
        kind, length = struct.unpack_from(f"{order}II", content, at)
        if kind == 6:
            places = [(4, 0), (4, 11), (4, length + 1), (4, (1 << 19) + 4), (length - 4, length + 4), (8, 99), (20, length), (20, 0xFFFFFFFF)]
            made += [(_spoil(content, at + place, value, order), at, number) for place, value in places]
            number += 1
        at += length
    return made


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["micro", "nano", "modified", "blocks"])
def test_a_corrupt_record_header_is_named_and_nothing_before_it_is_lost(kind: str, order: str, tmp_path: Path) -> None:
    if kind == "blocks":
        content, header = pcapng(order, 12), 0
        spoiled = _spoiled_blocks(content, order)
    else:
        content, header = Pcap(order, kind == "nano", kind == "modified").bytes(12), 24 if kind == "modified" else 16
        spoiled = _spoiled(content, order, header)
    assert len(spoiled) >= 36
    whole = reference(content).packets
    assert len(whole) == 12
    for bad, at, before in spoiled:
        (tmp_path / "bad").write_bytes(bad)
        (capture,) = find([str(tmp_path / "bad")])
        source = open_capture(capture)
        assert [row[2] for row in read(source)] == whole[:before]
        assert isinstance(source.error, BalefireError)
        assert (source.error.key, source.error.values["offset"], source.error.values["packet"]) == ("capture.corrupt", at, before + 1)


def test_atheris_finds_nothing_in_the_readers(tmp_path: Path) -> None:
    need("atheris", has_atheris(), "it is not there for this Python and machine")
    done = hunt_readers(SEED, tmp_path / "findings", 10, tmp_path / "corpus")
    print(done)
    assert [str(finding) for finding in done.findings] == []
    assert done.inputs > 1000
