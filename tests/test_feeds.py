"""Captures that others write as they listen: over TCP on the loopback, and from scapy on a wire of the test's own. What comes in is what was sent."""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from balefire.absence import Absence
from balefire.commands import watch
from records.errors import BalefireError, InputError, StoreError, UsageError
from records.store import open_store
from records.store.contract import Commit
from sensors.blindspots import Account
from sensors.broken import told_in
from sensors.listening import Listening, opener, section
from sensors.outlet import Outlet
from sensors.pcapng import DARK, Interface, Packet, Writer, read, statistics
from sensors.sensor import Sensor
from sensors.sources import doors, feeds, folders
from sensors.sources.formats import options
from sensors.sources.interfaces import run_of
from sensors.sources.pcap import find, open_capture
from tests.require import need
from tests.test_watch import INTERPRETED, ended, plain, said, stored
from tests.veth import ROOT, started, wires
from tests.wire import Talk, mbap, pcap, registers, write
from tests.wire import read as reading

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ANYWHERE = "tcp-listen://127.0.0.1:0"


def talk(client: str = "10.0.0.7", count: int = 20) -> Talk:
    """A connection on which somebody reads, and writes once."""
    made = Talk(client=client).open()
    for number in range(count):
        made.ask(mbap(number, reading(0, 2)), mbap(number, registers(1, 2)))
    return made.ask(mbap(99, write(3, 7)), mbap(99, write(3, 7)))


def written(out: Path) -> list[tuple[str, int, bytes]]:
    """(interface, time, octets) of each packet that was written on."""
    return [(packet.interface.name, packet.time, packet.octets) for packet in read(out.read_bytes())]


def expected(made: Talk, name: str) -> list[tuple[str, int, bytes]]:
    return [(name, packet.time, packet.data) for packet in made.packets]


class Heard:
    """A listener that runs in this process: `out` is what it writes, `said` what it says."""

    def __init__(self, out: Path, told: list[dict[str, Any]], intake: Any) -> None:
        self.out, self.said, self.intake = out, told, intake

    def wait(self, what: Callable[[], object], within: float = 20) -> None:
        """Until that is so."""
        end = time.monotonic() + within
        while not what():
            assert time.monotonic() < end, self.said
            time.sleep(0.01)

    def hears(self, word: str, count: int = 1) -> None:
        """Until it has said this so often."""
        self.wait(lambda: sum(word in told for told in self.said) >= count)

    def has(self, packets: int) -> None:
        """Until it has written so many on."""
        self.wait(lambda: self.intake.counts()["packets"] >= packets)


@contextmanager
def hearing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *places: str, record: Path | None = None) -> Generator[Heard]:
    """Listen for as long as the block runs."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("sensors.listening.say", told.append)
    monkeypatch.setattr("sensors.listening.TICK_S", 0.05)
    monkeypatch.setattr(doors, "FIRST_S", 0.05)
    for module in (doors, folders):
        monkeypatch.setattr(module, "WAKE_S", 0.02)
    intake = opener(places, "", 0, portable=False)()
    with (tmp_path / "out.pcapng").open("wb") as out:
        listening = Listening(intake, Outlet(lambda: section(intake.run), out.fileno()), record, 1 << 20)
        thread = threading.Thread(target=listening.run)
        thread.start()
        try:
            yield Heard(tmp_path / "out.pcapng", told, intake)
        finally:
            listening.stopped = True
            thread.join(30)
            intake.close()
    assert not thread.is_alive()


def port_of(heard: Heard) -> int:
    return int(heard.intake.names[0].rsplit(":", 1)[1])


def connected(heard: Heard, content: bytes = b"") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port_of(heard)), 10)
    line.sendall(content)
    return line


def hung_up(line: socket.socket) -> None:
    """The other end closed it, whether it had read all or not, and said nothing."""
    with suppress(ConnectionResetError):
        assert line.recv(1) == b""


def test_what_comes_over_tcp_is_written_on_and_who_comes_again_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = talk(), talk("10.0.0.8")
    with hearing(tmp_path, monkeypatch, ANYWHERE, record=tmp_path / "kept") as heard:
        content = pcap(first.packets)
        with connected(heard) as line:
            for at in range(0, len(content), 700):  # as it may be cut on the way
                line.sendall(content[at : at + 700])
                time.sleep(0.001)
        heard.hears("left")
        with connected(heard, pcap(second.packets)):
            heard.has(len(first.packets) + len(second.packets))
    assert written(heard.out) == [*expected(first, "127.0.0.1"), *expected(second, "127.0.0.1")]
    assert heard.intake.interfaces == [Interface("127.0.0.1", 1, 1 << 18)]
    assert [told for told in heard.said if "error" in told] == []
    (kept,) = (tmp_path / "kept").glob("*")
    assert kept.read_bytes() == heard.out.read_bytes()


def test_interfaces_of_a_pcapng_keep_their_names_and_what_they_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "sent.pcapng"
    faces = [Interface("eth0", 1, 0), Interface("eth1", 1, 0)]
    with source.open("wb") as file:
        writer = Writer(file)
        *packets, last = talk().packets
        for number, packet in enumerate(packets):
            writer.add(Packet(packet.time, len(packet.data) + 4, packet.data, faces[number % 2]))
        file.write(statistics(1, last.time, 30, 5))
        writer.add(Packet(last.time, 99, last.data, faces[0]))
    with hearing(tmp_path, monkeypatch, ANYWHERE) as heard, connected(heard, source.read_bytes()):
        heard.has(len(packets) + 1)
    sent = [(f"127.0.0.1 {packet.interface.name}", packet.time, packet.wire, packet.octets) for packet in read(source.read_bytes())]
    assert [(packet.interface.name, packet.time, packet.wire, packet.octets) for packet in read(heard.out.read_bytes())] == sent
    assert heard.intake.counts() == {"packets": len(sent), "dropped": 5, "bad": 0, "passed": 0}


def every_tick(out: bytes) -> list[tuple[int, dict[int, bytes]]]:
    """The times and the options of all statistics, in order."""
    found, at = list[tuple[int, dict[int, bytes]]](), 0
    while at < len(out):
        kind, length = struct.unpack_from("<II", out, at)
        if kind == 5:
            high, low = struct.unpack_from("<II", out, at + 12)
            found.append((high << 32 | low, dict(options(out[at : at + length], "<", 20))))
        at += length
    return found


def ticks(out: bytes) -> list[int]:
    """The times of all statistics, in order."""
    return [when for when, _ in every_tick(out)]


def test_time_goes_on_while_nothing_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock of who sends, from its newest packet on; not before there was one."""
    monkeypatch.setattr(feeds, "SLACK", 0)
    made = talk()
    newest = made.packets[-1].time
    with hearing(tmp_path, monkeypatch, ANYWHERE) as heard:
        time.sleep(0.1)
        assert ticks(heard.out.read_bytes()) == []
        with connected(heard, pcap(made.packets)):
            heard.wait(lambda: len(set(ticks(heard.out.read_bytes()))) > 5)
        heard.hears("left")
        before = len(ticks(heard.out.read_bytes()))
        heard.wait(lambda: len(ticks(heard.out.read_bytes())) > before + 3)
    told = ticks(heard.out.read_bytes())
    assert told == sorted(told)
    assert newest <= told[0] < told[-1] < newest + 20_000_000_000


@pytest.mark.parametrize(
    ("content", "error", "packets"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "stream.unknown", 0),
        (pcap(talk().packets)[:-3], "stream.cut", len(talk().packets) - 1),
        (pcap(talk().packets) + b"\xff" * 4000, "stream.corrupt", len(talk().packets)),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 105), "capture.linktype", 0),
        (b"", None, 0),
    ],
)
def test_what_is_bad_is_named_and_counted_and_nobody_else_suffers(
    content: bytes, error: str | None, packets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensors.sources.files.PATIENCE_S", 0.05)
    other = talk("10.0.0.9")
    with hearing(tmp_path, monkeypatch, ANYWHERE) as heard, connected(heard, pcap(other.packets[:10])) as beside:
        for number in range(2):
            with connected(heard, content) as line:
                if error in {"stream.unknown", "capture.linktype"}:  # who sends nonsense is hung up on, and not answered
                    hung_up(line)
            heard.hears("left", number + 1)
        beside.sendall(pcap(other.packets[10:])[24:])
        heard.has(2 * packets + len(other.packets))
    problems = [told for told in heard.said if "error" in told]
    assert [(told["error"], told["values"]["file"]) for told in problems] == ([(error, "127.0.0.1")] if error else []), "said once"
    assert heard.intake.counts()["bad"] == (2 if error else 0)
    assert heard.said[-1] == {"ended": heard.intake.counts()}


def test_there_is_room_for_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "MOST_LINES", 1)
    with hearing(tmp_path, monkeypatch, ANYWHERE) as heard, connected(heard):
        heard.hears("came")
        with connected(heard) as second:
            hung_up(second)
        heard.hears("crowded")
    monkeypatch.setattr(feeds, "MOST_INTERFACES", 0)
    with hearing(tmp_path, monkeypatch, ANYWHERE) as heard, connected(heard, pcap(talk().packets)):
        heard.hears("error")
    assert [told["error"] for told in heard.said if "error" in told] == ["live.interfaces"]


def test_it_connects_and_connects_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = talk()
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with hearing(tmp_path, monkeypatch, where) as heard:
            for number in range(2):
                line, _ = server.accept()
                with line:
                    line.sendall(pcap(made.packets))
                    heard.has((number + 1) * len(made.packets))
                    line.setblocking(False)
                    with pytest.raises(BlockingIOError):
                        line.recv(1)
                heard.hears("left", number + 1)
            server.close()
            heard.hears("refused")
    assert written(heard.out) == expected(made, where) * 2


def test_files_that_fall_into_a_folder_are_read_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody writes them any more, oldest first; time stands still in between, for what comes next is from before."""
    monkeypatch.setattr(folders, "LOOK_S", 0.02)
    monkeypatch.setattr(folders, "SETTLED_S", 0.2)
    monkeypatch.setattr(feeds, "SLACK", 0)
    folder, first, second = tmp_path / "drop", talk(), talk("10.0.0.8")
    folder.mkdir()
    (folder / "first.pcap").write_bytes(pcap(first.packets))
    (folder / ".hidden").write_bytes(b"nothing")
    (folder / "empty.pcap").touch()
    (folder / "below").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "read").mkdir()
    (folder / "read" / folders.READING).write_text("that run\nfirst.pcap")  # as whoever was killed while reading it leaves it
    with hearing(tmp_path, monkeypatch, str(folder)) as heard:
        content = gzip.compress(pcap(second.packets))
        with (folder / "second.pcap.gz").open("wb") as file:
            for at in range(0, len(content), len(content) // 8):  # it goes on for longer than a file has to rest
                file.write(content[at : at + len(content) // 8])
                file.flush()
                time.sleep(0.05)
        heard.has(len(first.packets) + len(second.packets))
        for name in ("third.pcap", "fourth.pcap"):
            (folder / name).write_bytes(b"no capture")
        heard.wait((folder / "read" / "third.pcap").exists)
        heard.wait((folder / "read" / "fourth.pcap").exists)
        with (folder / "read" / "third.pcap").open("ab") as file:
            file.write(b"more")
        (folder / "last.pcap").write_bytes(pcap(first.packets))
        heard.has(2 * len(first.packets) + len(second.packets))
        heard.hears("hollow")
        (folder / "empty.pcap").write_bytes(gzip.compress(b""))  # by now it is one that holds nothing
        heard.wait((folder / "read" / "empty.pcap").exists)
        heard.wait(lambda: len(ticks(heard.out.read_bytes())) > 3)
        heard.wait((folder / "read" / "last.pcap").exists)
        with (folder / "read" / "last.pcap").open("ab") as file:  # by one who thinks that it is where it was
            file.write(b"more")
        heard.hears("grew")
    assert [told["half"] for told in heard.said if "half" in told] == [str(folder / "first.pcap")]
    assert run_of(heard.out.read_bytes()) == hashlib.sha256(b"that run").hexdigest()
    assert [told["grew"] for told in heard.said if "grew" in told] == [str(folder / "read" / "last.pcap")]
    assert written(heard.out) == [*expected(first, str(folder)), *expected(second, str(folder)), *expected(first, str(folder))]
    assert {path.name for path in folder.iterdir()} == {"read", ".hidden", "below", "pipe"}
    passed = [told for told in heard.said if told.keys() & {"nested", "odd"}]
    assert passed == [{"nested": str(folder / "below")}, {"odd": str(folder / "pipe")}], "once each, and nothing of what is hidden"
    assert heard.said[-1]["ended"]["passed"] == 2
    assert {path.name for path in (folder / "read").iterdir()} == {"first.pcap", "second.pcap.gz", "third.pcap", "fourth.pcap", "last.pcap", "empty.pcap"}
    problems = sorted((told["error"], told["values"]["file"]) for told in heard.said if "error" in told)
    bad = [("capture.empty", "empty.pcap"), ("capture.unknown", "fourth.pcap"), ("capture.unknown", "third.pcap")]
    assert problems == [(error, str(folder / name)) for error, name in bad], "each is named, and none is said to have grown"
    assert [told["hollow"] for told in heard.said if "hollow" in told] == [str(folder / "empty.pcap")]
    assert max(ticks(heard.out.read_bytes())) == first.packets[-1].time


def test_coverage_tells_of_files_that_were_cut_off_or_corrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the window in which they ended, each once; what is no capture is none."""
    for name, seconds in (("LOOK_S", 0.02), ("SETTLED_S", 0.1)):
        monkeypatch.setattr(folders, name, seconds)
    folder, made = tmp_path / "drop", pcap(talk().packets)
    folder.mkdir()
    contents = {"cut.pcap": made[:-3], "corrupt.pcap": made + b"\xff" * 4000, "none.pcap": b"no capture", "whole.pcap": made}
    with hearing(tmp_path, monkeypatch, str(folder)) as heard:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            heard.wait((folder / "read" / name).exists)
    (capture,) = find([str(heard.out)])
    with closing(open_capture(capture)) as source:
        rows = [batch.coverage for batch in Sensor("here").listen(source)]
    (row,) = [row for coverage in rows for row in coverage.to_pylist()]
    assert (source.error, row["packets"]) == (None, 3 * len(talk().packets) - 1)
    first = json.loads(row["broken"])
    told = [(each["error"], Path(each["file"]).name, each["left"], each["packet"]) for each in (first, *first.pop("others"))]
    count, last = len(talk().packets), len(talk().packets[-1].data) + 16
    assert told == [("cut", "cut.pcap", last - 3, count), ("corrupt", "corrupt.pcap", 4000, count + 1)]
    account = Account()
    for coverage in rows:
        account.add(coverage)
    assert [spot.key for spot in account.spots() if spot.key.startswith("broken")] == ["broken_corrupt", "broken_cut"]


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({}, True),
        ({"error": "stream_cut"}, True),
        ({"error": "made up"}, False),
        ({"left": 10**400}, False),
        ({"packet": "7"}, False),
        ({"offset": True}, False),
        ({"name": ["a"]}, False),
        ({"others": []}, False),
        ({"reason": "x" * (1 << 14)}, False),
    ],
)
def test_a_mark_that_somebody_made_up_is_none(told: dict[str, Any], known: bool) -> None:
    mark = {"error": "cut", "file": "a", "left": None, "packet": 1, "offset": 2, "skipped": None, "name": None, "reason": None}
    assert bool(told_in(json.dumps(mark | told).encode())) is known
    assert [told_in(octets) for octets in (b"", b"[]", b"7", b"\xff", b"[" * 9000)] == [""] * 5


@contextmanager
def as_nobody() -> Generator[None]:
    """Files are opened and moved as a user who owns none, here and in threads that start within."""
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)
    try:
        yield
    finally:
        libc.setfsuid(0)


@pytest.fixture
def shared() -> Generator[Path]:
    """A folder in which anybody may do anything, as those that pytest makes are not."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        yield Path(made)


def test_a_file_that_cannot_be_read_or_moved_holds_up_nothing(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is another user's, who lets others rename nothing there but their own. A name that comes twice is kept twice."""
    need("netns", os.geteuid() == 0, "being another user needs root")
    monkeypatch.setattr(folders, "LOOK_S", 0.02)
    monkeypatch.setattr(folders, "SETTLED_S", 0.1)
    drop, made = shared / "drop", talk()
    (drop / "read").mkdir(parents=True)
    (drop / "read").chmod(0o777)
    (drop / "read" / "a.pcap").write_bytes(b"of another day")
    drop.chmod(0o1777)
    for name in ("barred.pcap", "a.pcap", "stays.pcap"):
        (drop / name).write_bytes(pcap(made.packets))
    (drop / "barred.pcap").chmod(0)
    os.utime(drop / "barred.pcap", (1, 1))  # it would be the first
    os.chown(drop / "a.pcap", 65534, 65534)

    def heard_by_nobody(*words: str) -> tuple[list[dict[str, Any]], int]:
        """What it says but for how it begins and ends, until it has said these; how many packets it wrote on."""
        with as_nobody(), hearing(shared, monkeypatch, str(drop)) as heard:
            for word in words:
                heard.hears(word)
            time.sleep(0.3)
        return [told for told in heard.said if not told.keys() & {"ready", "ended"}], len(written(heard.out))

    barred = {"barred": str(drop / "barred.pcap"), "reason": "Permission denied"}
    said, packets = heard_by_nobody("barred", "stayed")
    assert sorted(said, key=str) == [barred, {"stayed": str(drop / "stays.pcap"), "reason": "Operation not permitted"}]
    assert packets == 2 * len(made.packets)
    assert {path.name for path in drop.iterdir()} == {"read", "barred.pcap", "stays.pcap"}
    assert {path.name for path in (drop / "read").glob("*.pcap")} == {"a.pcap", "a-2.pcap"}
    assert heard_by_nobody("barred") == ([barred], 0), "started again, it reads none twice"
    with (drop / "stays.pcap").open("ab") as file:
        file.write(b"more")
    (drop / "barred.pcap").chmod(0o644)
    said, packets = heard_by_nobody("grew", "stayed")
    assert {word for told in said for word in told} == {"grew", "stayed", "reason"}
    assert packets == len(made.packets)


def test_a_file_that_grows_while_it_is_read_is_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "SETTLED_S", 0.5)
    path = tmp_path / "growing.pcap"
    path.write_bytes(b"one")

    def write_on() -> None:
        time.sleep(0.1)
        with path.open("ab") as file:
            file.write(b"two")

    threading.Thread(target=write_on).start()
    with path.open("rb", buffering=0) as file:
        assert folders.Growing(file, threading.Event()).readall() == b"onetwo"
        os.utime(path, (1, 1))
        begun = time.monotonic()
        assert folders.Growing(file, threading.Event()).read(1) == b""
        assert time.monotonic() - begun < 0.4, "nobody has written it for long"


def test_a_folder_that_cannot_be_read_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOOK_S", 0.01)
    folder = tmp_path / "drop"
    folder.mkdir()
    with hearing(tmp_path, monkeypatch, str(folder)) as heard:
        folder.rmdir()
        heard.hears("away")
        time.sleep(0.1)
    assert sum("away" in told for told in heard.said) == 1


@pytest.mark.parametrize(
    ("places", "expression", "key"),
    [
        (["tcp://:1"], "", "live.place"), (["tcp://10.0.0.1:99999"], "", "live.place"), (["udp://10.0.0.1:9"], "", "live.place"),
        (["tcp-listen://127.0.0.1:1/x"], "", "live.place"), (["tcp://10.0.0.1"], "port 502", "live.unfiltered"),
        (["tcp://10.0.0.1", "lo"], "", "live.mixed"), (["tcp-listen://192.0.2.1:57012"], "", "live.foreign"), (["./nowhere"], "", "capture.missing"),
        (["./pyproject.toml"], "", "live.no_folder"), (["tcp-listen://999.1.1.1:57012"], "", "live.host"), (["tcp://999.1.1.1"], "", "live.host"),
        (["tcp://10.0.0.1:0"], "", "live.place"),
    ],
)  # fmt: skip
def test_places_that_are_none(places: list[str], expression: str, key: str) -> None:
    """All of it is found before anything is compiled."""

    def check() -> None:
        doors.check_together(places, expression, portable=False, processes=1)
        doors.check_free(places)

    with pytest.raises(BalefireError) as raised:
        check()
    assert raised.value.key == key
    assert isinstance(raised.value, InputError if key == "live.foreign" else UsageError)
    assert all(raised.value.text(language) for language in ("en", "zh"))


def test_a_port_need_not_be_named() -> None:
    assert doors.door("tcp://192.0.2.1").name == "tcp://192.0.2.1:57012"
    assert doors.door("tcp://[2001:db8::1]:9").name == "tcp://[2001:db8::1]:9"


def test_a_listener_ends_in_order_where_the_store_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had heard until then is recorded."""
    monkeypatch.setattr(watch, "forgo", lambda: None)  # this process goes on and needs its rights
    made = talk()
    with suppress(StoreError), watch.listener([ANYWHERE], ["--record", str(tmp_path / "kept")]) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        port = int(json.loads(said(process, "ready").splitlines()[0])["ready"][0].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(pcap(made.packets))
            said(process, "came")
        said(process, "left")
        raise StoreError("store.full", path=tmp_path)
    assert process.returncode == 0
    (kept,) = (tmp_path / "kept").glob("*")
    assert [packet.octets for packet in read(kept.read_bytes())] == [packet.data for packet in made.packets]


def test_watch_takes_it_the_whole_way(tmp_path: Path) -> None:
    words = (sys.executable, "-m", "balefire", "watch", ANYWHERE, "--store", str(tmp_path / "store"), "--observer", "test", "--json")
    with started(words, INTERPRETED) as process:
        port = int(said(process, "Listening on tcp-listen://").split(b"127.0.0.1:")[1].split()[0])
        for content in (pcap(talk().packets), b"GET /", b"GET /"):
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(content)
        time.sleep(1.5)
        status, summary, rest = ended(process)
    assert (status, summary["packets"]) == (3, len(talk().packets)), rest
    assert rest.count("127.0.0.1: what comes there is no capture") == 1
    assert "2 captures that came were bad" in rest
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:  # as if it had been killed: what it keeps while it runs
        store.write(Commit(state=Absence(store, "test", lambda _: None).begin("a run")))
    with started(words, INTERPRETED) as process:
        told = said(process, "Listening on tcp-listen://")
        with socket.create_connection(("127.0.0.1", int(told.split(b"127.0.0.1:")[1].split()[0]))) as line:
            line.sendall(pcap(talk("10.0.0.8").packets))
        told += said(process, "Detectors go on with what they knew")
        assert b"(killed, or no room). What it heard from 14 Nov 2023" in told
        assert ended(process, signal.SIGTERM)[0] == 0
    effects = [row["ot"]["effect"] for row in stored(tmp_path / "store", "activities")]
    assert sorted(effects) == ["value.read", "value.read", "value.write", "value.write"]


def test_a_second_sensor_is_refused_before_it_hears_anything(tmp_path: Path) -> None:
    """Who writes to the store is said; to the store nothing is done."""
    words = (sys.executable, "-m", "balefire", "watch", ANYWHERE, "--store", str(tmp_path / "store"))
    with closing(open_store(str(tmp_path / "store"), write=True)):
        done = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 4
    assert f"in use: process {os.getpid()} is writing to it, and only one can" in done.stderr


@pytest.mark.netns
def test_scapy_hears_what_the_kernels_ring_hears(tmp_path: Path) -> None:
    """In a process of its own, tags of VLANs and all; and again when the interface vanished and came back."""
    made = talk()
    made.vlans = (100,)
    made.ask(mbap(7, write(5, 1)), mbap(7, write(5, 1)))
    capture = plain(tmp_path / "talk.pcap", made)
    heard: list[list[Packet]] = []
    dark: list[float] = []
    with (
        wires() as wire,
        started(wire.run("-m", "sensors.listening", "in0"), INTERPRETED) as ring,
        started(wire.run("-m", "sensors.listening", "--portable", "in0"), INTERPRETED) as portable,
    ):
        for process in (ring, portable):
            said(process, "ready")
        wire.send(capture)
        time.sleep(0.5)
        wire.vanish()
        for process in (ring, portable):
            said(process, "gone")
        wire.appear()
        for process in (ring, portable):
            said(process, "back")
        wire.send(capture)
        time.sleep(0.5)
        for process in (ring, portable):
            process.terminate()
            told, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            heard.append(list(read(told)))
            dark.append(sum(int.from_bytes(each.get(DARK, b""), "little") for _, each in every_tick(told)) / 1e9)
    for each in heard:
        assert {packet.interface for packet in each} == {Interface("in0", 1, 1 << 18)}
        assert [packet.octets for packet in each] == [packet.data for packet in made.packets] * 2
    apart = [abs(one.time - other.time) for one, other in zip(*heard, strict=True)]
    assert max(apart) < 1000, "nanoseconds: scapy tells time as a number of 53 bits"
    assert all(0.5 < seconds < 60 for seconds in dark), dark


@pytest.mark.netns
def test_what_scapy_cannot_listen_to_is_said() -> None:
    with wires() as wire, started(wire.run("-m", "sensors.listening", "--portable", "nowhere9"), INTERPRETED) as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, json.loads(told)["error"]) == (1, "live.missing")
    assert "in0" in json.loads(told)["values"]["known"]


def test_a_sniffer_that_ends_each_time_is_started_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it dies of may be what it hears: it would be started once a second for months."""
    starts: list[float] = []

    def started_and_gone(_self: doors.Sniffed) -> subprocess.Popen[bytes]:
        starts.append(time.monotonic())
        return subprocess.Popen(["true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    monkeypatch.setattr(doors.Sniffed, "_started", started_and_gone)
    monkeypatch.setattr(doors, "FIRST_S", 0.05)
    monkeypatch.setattr(doors, "LONGEST_S", 0.4)
    taker = feeds.Feeds([doors.Sniffed("lo", "")])
    time.sleep(1.2)
    taker.stop()
    taker.close()
    waits = [after - before for before, after in pairwise(starts)]
    assert 3 <= len(waits) <= 6
    assert waits[2] > 0.15, waits
