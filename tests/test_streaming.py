"""Standard input that is read as it comes: a named replay, and every dissection."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from balefire.pipeline import Replay
from balefire.plan import Plan
from records.model import severity_word
from records.store import open_store
from sensors.sensor import Sensor
from sensors.sources import files, pcap
from sensors.sources.pcap import find, open_capture
from tests.cli import DEMO, ROOT, balefire, lines, one, short
from tests.mirroring import load, shifted
from tests.wire import SECOND, Talk, mbap, read, registers, save, write
from tests.wire import pcap as capture_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from sensors.sources.pcap import Capture
    from tests.cli import Row

PATIENCE_S = 60  # for a program to start on a busy machine


class Dripping(io.RawIOBase):
    """A pipe that gives a few octets at a time."""

    def __init__(self, content: bytes, octets: int) -> None:
        super().__init__()
        self._content, self._octets = io.BytesIO(content), octets

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int:
        got = self._content.read(min(self._octets, len(room)))
        room[: len(got)] = got
        return len(got)


def piped(content: bytes, monkeypatch: pytest.MonkeyPatch, octets: int = 1 << 20) -> Capture:
    """Standard input as a capture."""

    class Standard:
        buffer = Dripping(content, octets)

    monkeypatch.setattr(sys, "stdin", Standard())
    (capture,) = pcap.listen()
    return capture


def times(capture: Capture) -> tuple[list[int], str | None]:
    """The times of its packets, and the error at its end."""
    import numpy as np

    from sensors.engine.octets import plain
    from sensors.engine.tables import PACKET, table

    memory, packets = plain(np.zeros(1 << 20, np.uint8)), table(4096, PACKET)
    source = open_capture(capture)
    found: list[int] = []
    while count := source.batch(memory, 0, packets):
        found += packets.time[:count].tolist()
    source.close()
    return found, source.error.key if source.error else None


@contextmanager
def running(*words: object) -> Generator[subprocess.Popen[bytes]]:
    """The program with a pipe into it, ended in any case."""
    command = [sys.executable, "-m", "balefire", *(str(word) for word in words)]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def give(process: subprocess.Popen[bytes], content: bytes) -> None:
    assert process.stdin
    process.stdin.write(content)
    process.stdin.flush()


def until(true: Callable[[], bool]) -> bool:
    """Wait until it is."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def talk(operations: int, every: int = SECOND, value: int = 7) -> bytes:
    """A capture in which registers are read, and one is written at first."""
    said = Talk().open().ask(mbap(0, write(4, value)), mbap(0, write(4, value)))
    for number in range(1, operations):
        said.time += every
        said.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    return capture_of(said.packets)


@pytest.mark.parametrize("octets", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("compress", [False, True])
def test_what_comes_in_short_reads(octets: int, compress: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = short(tmp_path, 100 if octets == 1 else 1500)
    content = gzip.compress(file.read_bytes()) if compress else file.read_bytes()
    capture = piped(content, monkeypatch, octets)
    assert capture.error is None
    assert capture.first == find([str(file)])[0].first
    assert times(capture) == times(find([str(file)])[0])
    assert capture.content == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("octets", [3, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no capture, but much text " * 8000, id="text"),
        pytest.param(talk(3)[:20], id="header"),
        pytest.param(talk(3)[:-5], id="cut"),
        pytest.param(talk(900)[:-5], id="cut behind the beginning"),
        pytest.param(talk(3)[:24] + b"\xff" * 40, id="corrupt"),
        pytest.param(talk(900) + b"\xff" * 40, id="corrupt behind the beginning"),
        pytest.param(gzip.compress(talk(3))[:-9], id="gzip"),
        pytest.param(gzip.compress(talk(3))[:12], id="gzip without a packet"),
    ],
)
def test_errors_are_those_of_a_file(content: bytes, octets: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    (file,) = find([str(tmp_path / "file")])
    capture = piped(content, monkeypatch, octets)
    assert (capture.error and capture.error.key) == (file.error and file.error.key)
    if file.error is None:
        assert times(capture) == times(file)
        assert times(file)[1] is not None


def test_the_beginning_alone_tells_captures_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, other = talk(900), talk(900, value=8)
    assert len(whole) > files.SALT
    known = piped(whole, monkeypatch).sha256
    assert known == hashlib.sha256(whole[: files.SALT]).hexdigest()
    assert piped(whole + whole[24:], monkeypatch, 999).sha256 == known
    assert piped(other, monkeypatch).sha256 != known


def test_a_named_replay_spools_nothing_and_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    content = DEMO.read_bytes()
    expected = one("replay", DEMO, "--observer", "tap", "--store", tmp_path / "file")
    monkeypatch.setattr(files.Spool, "__init__", refuse)
    apart = ("inputs", "run", "elapsed_s", "peak_mib")
    for _ in range(2):
        result = balefire("replay", "-", "--observer", "tap", "--store", tmp_path / "store", "--json", stdin=content)
        assert result.exit_code == 0, result.output
        summary = json.loads(result.stdout)
        assert summary["inputs"][0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert {name: value for name, value in summary.items() if name not in apart} == {name: value for name, value in expected.items() if name not in apart}
    stored = [lines("activities", "--store", tmp_path / place, "--limit", 10000) for place in ("store", "file")]
    assert len(stored[0]) == len(stored[1]) == expected["activities"]
    assert {row["observer"]["name"] for row in stored[0]} == {"tap"}


def test_a_packet_now_and_then_is_told_at_once() -> None:
    first, content = talk(1), talk(3)
    assert content.startswith(first)
    with running("dissect", "-", "--json") as process:
        assert process.stdout
        at = 0
        for end in (len(first), len(content)):
            give(process, content[at:end])
            at = end
            assert json.loads(process.stdout.readline())["packet"]
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_loses_nothing(number: signal.Signals, tmp_path: Path) -> None:
    content = DEMO.read_bytes()
    with running("replay", "-", "--observer", "tap", "--store", tmp_path / "s", "--json") as process:
        give(process, content[: len(content) * 3 // 4])  # more than its beginning and what a pipe holds: it is being read
        time.sleep(0.5)
        process.send_signal(number)
        assert process.stdout
        assert process.stderr
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(PATIENCE_S) == 3
    summary = json.loads(out)
    assert b"was stopped before packet" in err
    assert summary["packets"] > 100
    assert summary["operations"] > 0
    assert len(lines("activities", "--store", tmp_path / "s", "--limit", 10000)) == summary["activities"]


def test_a_replay_that_is_stopped_agrees_with_the_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is told and stored, open windows are not; the whole capture afterwards contradicts nothing and gives what it gives alone."""
    monkeypatch.setattr("balefire.pipeline.Sensor", partial(Sensor, batch=1 << 15))
    half, whole, long, short = tmp_path / "half", tmp_path / "whole", tmp_path / "long.pcap", tmp_path / "short.pcap"
    save([packet for number in range(5) for packet in shifted(load(DEMO), number * 400 * SECOND)], long)
    short.write_bytes(DEMO.read_bytes())  # as old as the long one: then the order is that of the paths
    captures = find([str(long), str(short)])
    store = open_store(str(half), write=True)
    done = Replay(Plan(list(captures)), store)
    listen = Sensor._batch  # pyright: ignore[reportPrivateUsage]

    def stopping(sensor: Sensor, source: Any) -> int:
        if sensor.totals.packets > 1200:
            done.stop()
        return listen(sensor, source)

    monkeypatch.setattr(Sensor, "_batch", stopping)
    summary = done.run()
    store.close()
    monkeypatch.setattr(Sensor, "_batch", listen)
    assert 1200 < summary["packets"] < 5 * 2692
    assert [error.key for error in done.errors] == ["stopped", "unread"]
    assert [error.status for error in done.errors] == [3, 3]
    assert [str(each["error"]).partition(":")[0] for each in summary["inputs"]] == ["long.pcap was not read to its end", "short.pcap was not read"]
    seen = len(lines("activities", "--store", half, "--limit", 10000))
    assert 0 < seen == summary["activities"]
    one("replay", long, "--store", half)  # status 3 where one identity came with two contents
    one("replay", long, "--store", whole)
    for table in ("activities", "points", "findings", "alerts", "coverage"):
        rows = [lines(table, "--store", place, "--limit", 100000) for place in (half, whole)]
        assert sorted(row["id"] for row in rows[0]) == sorted(row["id"] for row in rows[1])
        assert len(rows[1]) > 0


def test_a_signal_leaves_off_a_long_capture(tmp_path: Path) -> None:
    """A person reads how far it came."""
    content = DEMO.read_bytes()
    (tmp_path / "long.pcap").write_bytes(content[:24] + content[24:] * 60)
    with running("replay", tmp_path / "long.pcap", "--store", tmp_path / "s", "--json") as process:
        assert until((tmp_path / "s").exists)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        assert process.stderr
        out, err = process.stdout.read(), process.stderr.read()
        assert process.wait(PATIENCE_S) == 3
    assert b"long.pcap was not read to its end: stopped after" in err
    assert json.loads(out)["packets"] < 60 * 2692


def test_what_was_seen_can_be_looked_at_while_it_goes_on(tmp_path: Path) -> None:
    content = talk(200)
    with running("replay", "-", "--observer", "tap", "--store", tmp_path / "s", "--json") as process:
        give(process, content)
        assert until(lambda: (tmp_path / "s").exists())
        assert until(lambda: len(_activities(tmp_path / "s")) > 1)
        assert process.poll() is None
        assert {row["ot"]["effect"] for row in _activities(tmp_path / "s")} == {"value.read", "value.write"}


def _activities(store: Path) -> list[Row]:
    result = balefire("activities", "--store", store, "--json")
    return [json.loads(line) for line in result.stdout.splitlines()] if result.exit_code == 0 else []


def test_without_a_name_it_is_spooled(tmp_path: Path) -> None:
    content = short(tmp_path).read_bytes()
    result = balefire("replay", "-", "--store", tmp_path / "s", "--json", stdin=content)
    assert result.exit_code == 0
    (row, *_) = lines("activities", "--store", tmp_path / "s")
    assert row["observer"]["name"] == f"capture-{hashlib.sha256(content).hexdigest()[:12]}"


def test_how_much_is_judged_at_a_time_and_told_one_by_one_changes_no_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replayed(name: str) -> tuple[Replay, dict[str, Any]]:
        store = open_store(str(tmp_path / name), write=True)
        done = Replay(Plan(find([str(DEMO)])), store)
        summary = done.run()
        store.close()
        return done, summary

    whole, told = replayed("whole")
    for name, value in (("MOST_ALERTS", 2), ("FLOODED_ROWS", 7), ("JUDGED_ROWS", 20), ("COMMIT_FINDINGS", 3)):
        monkeypatch.setattr(f"balefire.pipeline.{name}", value)
    few, told_so = replayed("few")
    assert len(whole.alerts) > 2
    assert list(few.alerts) == list(whole.alerts)[:2]
    assert few.severities == whole.severities == Counter(severity_word(alert.severity) for alert in whole.alerts.values())
    assert few.findings == whole.findings
    assert {key for key in told if told[key] != told_so[key]} <= {"elapsed_s", "peak_mib", "evidence"}
    assert {word: count for word, count in told["alerts"].items() if count} == dict(whole.severities), "a new store has no others"
