"""Live interfaces for real: veth pairs in network namespaces of the test's own, listened to as in a plant."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from balefire.commands.watch import words as passed_on
from sensors.engine.tables import PACKET, table
from sensors.rights import FILES
from sensors.sources.pcap import find, open_capture
from tests.require import need
from tests.veth import ROOT, started, wires
from tests.wire import Talk, mbap, pcap, read, registers, write

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.veth import Wires

pytestmark = pytest.mark.netns
INTERPRETED = {"NUMBA_DISABLE_JIT": "1"}  # nothing here is about speed, and nobody waits for a compiler
DEMO = ROOT / "tests" / "captures" / "demo.pcap"
MOST_S = 2.0  # from an act on the wire to the line that tells of it
TRIES = 3


def plain(path: Path, talk: Talk) -> Path:
    """A pcap as the sender takes it."""
    path.write_bytes(pcap(talk.packets))
    return path


def said(process: Popen[bytes], *words: str, within: float = 60) -> bytes:
    """Lines of standard error up to one that holds these words."""
    assert process.stderr is not None
    lines, number, end = b"", process.stderr.fileno(), time.monotonic() + within
    while not any(all(word.encode() in line for word in words) for line in lines.splitlines()):
        if not select.select([number], [], [], max(end - time.monotonic(), 0))[0]:
            pytest.fail(f"not within {within} s: {lines.decode()}")
        came = os.read(number, 1 << 16)
        assert came, f"it ended: {lines.decode()}"
        lines += came
    return lines


def ended(process: Popen[bytes], with_signal: int = signal.SIGINT) -> tuple[int, dict[str, Any], str]:
    """Exit status, summary and the rest of what was said, once it is told to end."""
    process.send_signal(with_signal)
    out, problems = process.communicate(timeout=120)
    return process.returncode, json.loads(out or "{}"), problems.decode()


def listener_of(process: int) -> int:
    """The process that listens for it."""
    (number,) = (int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split())
    return number


def rights(process: int) -> list[int]:
    """The effective capabilities of each thread of a process."""
    return [
        int(line.split()[1], 16)
        for status in Path(f"/proc/{process}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("CapEff:")
    ]


def watching(wire: Wires, store: Path, *more: str) -> tuple[str, ...]:
    """The command line."""
    return wire.run("-m", "balefire", "watch", "in0", "--store", str(store), "--observer", "test", "--json", *more)


def stored(store: Path, table: str, *more: str) -> list[dict[str, Any]]:
    """Rows of a table as the command line tells them."""
    words = (sys.executable, "-m", "balefire", table, "--store", str(store), "--json", *more)
    told = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_the_attack_on_the_wire_is_what_the_capture_says(tmp_path: Path) -> None:
    """Every packet is there, each alert is told at once, and both what is seen and what is found are those of the capture."""
    with wires() as wire, started(watching(wire, tmp_path / "live"), INTERPRETED) as process:
        said(process, "Listening on in0")
        wire.send(DEMO)
        sent = time.monotonic()
        lines = said(process, "fall silent")
        assert time.monotonic() - sent < 30, "interpreted it is slow, but it does not wait for the end"
        status, summary, rest = ended(process)
    assert status == 0, rest
    words = (sys.executable, "-m", "balefire", "replay", str(DEMO), "--store", str(tmp_path / "replayed"), "--json")
    replayed = json.loads(subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=True, capture_output=True).stdout)
    assert summary["packets"] == replayed["packets"]
    assert summary["coverage"]["dropped"] == 0
    assert {name: counts["messages"] for name, counts in summary["protocols"].items()} == {
        name: counts["messages"] for name, counts in replayed["protocols"].items()
    }
    assert summary["effects"] == replayed["effects"]
    assert lines.count(b"10.20.1.66") >= 5
    assert {row["severity"] for row in stored(tmp_path / "live", "alerts")} >= {row["severity"] for row in stored(tmp_path / "replayed", "alerts")} - {0}


def told_after(folder: Path, environment: dict[str, str]) -> float:
    """Seconds from a write on the wire, among polls, to the line that a rule tells of it."""
    talk = Talk().open()
    for number in range(200):
        talk.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    acting = Talk(client="10.0.0.66", client_port=40001).open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7)))
    polls, act = plain(folder / "polls.pcap", talk), plain(folder / "act.pcap", acting)
    rule = folder / "rules" / "any-write.yml"
    rule.parent.mkdir()
    rule.write_text(RULE)
    with wires() as wire, started(watching(wire, folder / "live", "--rules", str(rule.parent)), environment) as process:
        said(process, "Listening on in0")
        wire.send(polls)
        wire.send(act)
        acted = time.monotonic()
        said(process, "(UTC)", "somebody wrote")
        seconds = time.monotonic() - acted
        status, _, rest = ended(process, signal.SIGTERM)
    assert status == 0, rest
    return seconds


def test_a_write_is_told_within_two_seconds_while_polls_go_on(tmp_path: Path) -> None:
    """At once, not when its window of a minute ends. A machine that does other things may keep it waiting, but not each time."""
    took: list[float] = []
    while not took or (took[-1] > MOST_S and len(took) < TRIES):
        folder = tmp_path / str(len(took))
        folder.mkdir()
        took.append(told_after(folder, {}))
    assert took[-1] <= MOST_S, took


def test_several_interfaces_are_merged_in_the_order_of_time_and_named(tmp_path: Path) -> None:
    first, second = Talk().open(), Talk(client="10.0.0.9", client_port=41000).open()
    for number in range(100):
        first.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
        second.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    captures = [plain(tmp_path / "first.pcap", first), plain(tmp_path / "second.pcap", second)]
    with wires(2) as wire, started(wire.run("-m", "sensors.listening", "in0", "in1"), INTERPRETED) as process:
        said(process, "ready")
        for number in (0, 1):
            wire.send(captures[number], number, 0.001)
        process.terminate()
        told, _ = process.communicate(timeout=60)
    (tmp_path / "told.pcapng").write_bytes(told)
    (capture,) = find([str(tmp_path / "told.pcapng")])
    source = open_capture(capture)
    rows: list[tuple[int, str]] = []
    memory, packets = np.zeros(1 << 20, np.uint8), table(1 << 12, PACKET)
    while count := source.batch(memory, 0, packets):
        rows += [(int(packet.time), source.interfaces[int(packet.interface)]) for packet in packets[:count]]
    source.close()
    assert source.error is None
    assert rows == sorted(rows, key=lambda row: row[0])
    assert [name for _, name in rows].count("in0") == len(first.packets)
    assert [name for _, name in rows].count("in1") == len(second.packets)


def test_an_interface_that_vanishes_and_returns_is_said_and_listened_to_again(tmp_path: Path) -> None:
    talk, many = (Talk().open().ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2))) for _ in range(2))
    for number in range(2500):  # more than is handed on at once, several times
        many.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    capture = plain(tmp_path / "talk.pcap", talk)
    with wires() as wire, started(watching(wire, tmp_path / "live"), INTERPRETED) as process:
        said(process, "Listening on in0")
        wire.send(capture)
        wire.vanish()  # at once: what lies in its ring is read all the same
        said(process, "in0", "is gone")
        wire.appear()
        said(process, "in0", "is back")
        listener = listener_of(process.pid)
        os.kill(listener, signal.SIGSTOP)
        wire.send(plain(tmp_path / "many.pcap", many))
        time.sleep(2.2)
        wire.vanish()  # and however long the listener stood still
        os.kill(listener, signal.SIGCONT)
        said(process, "in0", "is gone")
        wire.appear()
        said(process, "in0", "is back")
        wire.flicker()
        assert b"is gone" in said(process, "in0", "is back")
        wire.send(capture)
        status, summary, rest = ended(process)
    assert status == 0, rest
    assert summary["packets"] == 2 * len(talk.packets) + len(many.packets)
    assert sum(row["dark"] or 0 for row in stored(tmp_path / "live", "coverage")) > 1, "also while nobody had found it gone"


def test_an_interface_that_is_down_or_has_no_link_is_said_and_counted(tmp_path: Path) -> None:
    talk = Talk().open().ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2)))
    capture, file = plain(tmp_path / "talk.pcap", talk), tmp_path / "told.pcapng"
    with wires(2) as wire, file.open("wb") as out, started(wire.run("-m", "sensors.listening", "in0", "in1"), INTERPRETED, out) as process:
        said(process, "ready")
        wire.send(capture)
        wire.set("down")
        wire.set("down", number=1, there=True)
        assert b'"down": "in0"' in said(process, '"unlinked": "in1"')
        wire.set("up")
        wire.vanish(1)
        said(process, '"up": "in0"')
        wire.send(capture)
        process.terminate()
        process.communicate(timeout=60)
    packets, dark = heard(file)
    assert packets == 2 * len(talk.packets), "what comes once it is up again is heard"
    assert 0.5 < dark[0] < 3
    assert 0.5 < dark[1] < 4


def heard(file: Path) -> tuple[int, list[float]]:
    """How many packets a listener told, and of each interface for how long none could come (seconds)."""
    (found,) = find([str(file)])
    source, packets = open_capture(found), 0
    memory, rows = np.zeros(1 << 20, np.uint8), table(1 << 12, PACKET)
    dark: dict[int, float] = {}
    while count := source.batch(memory, 0, rows):
        packets += count
        for tick in source.ticks:
            dark[tick.interface] = dark.get(tick.interface, 0.0) + tick.dark / 1e9
    source.close()
    return packets, [dark[number] for number in sorted(dark)]


def test_it_never_sends(tmp_path: Path) -> None:
    with wires() as wire:
        ear = wire.heard()
        with started(watching(wire, tmp_path / "live"), INTERPRETED) as process:
            said(process, "Listening on in0")
            wire.send(DEMO)
            said(process, "fall silent")
            assert ended(process)[0] == 0
        ear.terminate()
        heard, _ = ear.communicate(timeout=30)
    assert int(heard) == 0, "frames that came out of the listening end"


def test_only_the_process_that_listens_has_the_right_to(tmp_path: Path) -> None:
    with wires() as wire, started(watching(wire, tmp_path / "live"), INTERPRETED) as process:
        said(process, "Listening on in0")
        listener, right = listener_of(process.pid), 1 << 13
        held = {number: rights(number) for number in (process.pid, listener)}
        assert ended(process)[0] == 0
    files = sum(1 << number for number in FILES)
    assert held[listener]
    assert all(each & right for each in held[listener])
    assert not any(each & ~(right | files) for each in held[listener]), "and no other but to files, once its sockets are open"
    assert held[process.pid]
    assert not any(each & ~files for each in held[process.pid])


@pytest.mark.skipif(shutil.which("setpriv") is None or shutil.which("setcap") is None, reason="no setpriv or setcap")
def test_a_container_listens_by_a_capability_of_a_file() -> None:
    """As deploy/Containerfile has it: not root, no right but that of one copy of Python, which nothing gets again that the sensor starts."""
    right = 1 << 13
    with tempfile.TemporaryDirectory(prefix="balefire-container-") as folder, wires() as wire:
        place = Path(folder)
        place.chmod(0o755)
        copied = place / "bin" / "python-that-listens"
        copied.parent.mkdir()
        home = Path(sys.executable).resolve()
        shutil.copy(home, copied)
        (place / "pyvenv.cfg").write_text(f"home = {home.parent}\n")
        packages = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "all.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
        shutil.chown(place, "nobody")
        subprocess.run(["setcap", "cap_net_raw=ep", copied], check=True)
        bare = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
        if subprocess.run([*bare, home, "-c", "import sys; open(sys.argv[1])", ROOT / "pyproject.toml"], check=False, capture_output=True).returncode:
            pytest.skip("who is not root cannot run this Python, or read this checkout")
        words = (copied, "-m", "balefire", "watch", "--json", "--store", place / "store", "--observer", "test", "--", "in0")
        prefix = ("ip", "netns", "exec", wire.here, *bare)
        environment = INTERPRETED | {"HOME": folder, "XDG_CACHE_HOME": folder}
        assert subprocess.run([*prefix, "--bounding-set=-all", copied, "-c", ""], check=False, capture_output=True).returncode, "no right, no start"
        with started((*prefix, "--bounding-set=-all,+net_raw", *map(str, words)), environment) as process:
            said(process, "Listening on in0")
            held = {number: rights(number) for number in (process.pid, listener_of(process.pid))}
            status = Path(f"/proc/{process.pid}/status").read_text()
            wire.send(DEMO)
            code, summary, _ = ended(process)
    assert (code, summary["packets"]) == (0, 2692)
    assert [sum(each & right for each in found) > 0 for found in held.values()] == [False, True]
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t65534" in status


def test_a_listener_that_is_killed_is_told_and_what_it_gave_is_kept(tmp_path: Path) -> None:
    with wires() as wire:
        wire.address("192.0.2.1/24")
        with started(watching(wire, tmp_path / "live"), INTERPRETED) as process:
            said(process, "in0: has an address of this machine")
            wire.send(DEMO)
            said(process, "fall silent")
            os.kill(listener_of(process.pid), signal.SIGKILL)
            out, problems = process.communicate(timeout=60)
    assert process.returncode == 3, problems.decode()
    assert b"ended by itself" in problems
    assert json.loads(out)["packets"] > 2000


@pytest.mark.parametrize(
    ("words", "says", "status"),
    [
        (("nowhere9",), "There are: ", 2),
        (("in0", "--filter", "port eighty eight"), "as for tcpdump", 2),
        (("in0", "tcp://192.0.2.1"), "--portable", 2),
        (("tcp://192.0.2.1", "--processes", "2"), "Leave --processes out", 2),
    ],
)
def test_what_cannot_be_listened_to_is_said(words: tuple[str, ...], says: str, status: int, tmp_path: Path) -> None:
    with wires() as wire:
        command = wire.run("-m", "balefire", "watch", *words, "--store", str(tmp_path / "none"))
        done = subprocess.run(command, cwd=ROOT, env=os.environ | INTERPRETED, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert not (tmp_path / "none").exists()


def test_what_is_said_of_listening_is_passed_on() -> None:
    """`serve` has it done by `watch`, which has it done by a process of its own: what is not given is left out."""
    given: dict[str, Any] = {"portable": False, "processes": 2, "ring_mib": 32, "filter": "", "record": None, "record_days": 2.5}
    assert passed_on(**given, rules=(Path("a"), Path("b"))) == [
        "--processes", "2", "--ring-mib", "32", "--record-days", "2.5", "--rules", "a", "--rules", "b",
    ]  # fmt: skip
    assert passed_on(portable=True, rules=()) == ["--portable"]


def test_without_the_capability_it_says_how_to_get_it(tmp_path: Path) -> None:
    need("netns", shutil.which("setpriv") is not None, "dropping capabilities needs setpriv of util-linux")
    with wires() as wire:
        dropped = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
        command = ("ip", "netns", "exec", wire.here, *dropped, *wire.run("-m", "balefire", "watch", "in0", "--store", str(tmp_path / "none"))[4:])
        done = subprocess.run(command, cwd=ROOT, env=os.environ | INTERPRETED, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "CAP_NET_RAW" in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_filter_keeps_the_rest_away(processes: str, tmp_path: Path) -> None:
    wanted, unwanted = Talk().open(), Talk(port=80, client_port=42000).open()
    captures = [plain(tmp_path / "wanted.pcap", wanted), plain(tmp_path / "unwanted.pcap", unwanted)]
    with wires() as wire, started(watching(wire, tmp_path / "live", "--filter", "port 502", "--processes", processes), INTERPRETED) as process:
        said(process, "Listening on in0")
        for capture in captures:
            wire.send(capture)
        time.sleep(0.5)
        status, summary, rest = ended(process)
    assert (status, summary.get("packets")) == (0, len(wanted.packets)), rest


RULE = """
title: "{source} somebody wrote"
title_zh: "{source} 有人写入"
id: any-write
status: experimental
description: For the test of how soon an alert is there.
logsource:
  product: balefire
detection:
  selection:
    ot.access: write
  condition: selection
level: high
tests:
  fires:
    - {ot: {access: write, effect: value.write}}
  quiet:
    - {ot: {access: read, effect: value.read}}
"""
