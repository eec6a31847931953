"""What was listened to, on the disk: whole files in a ring, within their room, and the same again when they are replayed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from balefire.commands.watch import failure, told_of
from records.errors import UsageError
from sensors.indexing import unnoted
from sensors.pcapng import ABSENT, Interface, Packet, Statistics, Writer, dropped_of, options, read, statistics
from sensors.recording import Disk, Recording, alone, files
from tests.require import need
from tests.test_watch import DEMO, INTERPRETED, ended, listener_of, said, stored, watching
from tests.veth import ROOT, started, wires
from tests.wire import Packet as WirePacket
from tests.wire import pcap

FACE = Interface("in0", 1, 0)
FIRST, SECOND = 1_700_000_000_000_000_000, 1_000_000_000


class Kept:
    """Where a writer writes."""

    def __init__(self) -> None:
        self.octets = b""

    def write(self, octets: bytes) -> None:
        """All of it."""
        self.octets += octets


def head() -> bytes:
    kept: Any = Kept()
    Writer(kept, application="Balefire").number(FACE)
    return kept.octets


def blocks(packets: list[Packet]) -> list[bytes]:
    """The block of each packet."""
    kept: Any = Kept()
    writer = Writer(kept, application="Balefire")
    writer.number(FACE)
    made: list[bytes] = []
    for packet in packets:
        before = len(kept.octets)
        writer.add(packet)
        made.append(kept.octets[before:])
    return made


def some(count: int) -> list[Packet]:
    return [Packet(1_700_000_000_000_000_000 + number, 400, bytes([number % 256]) * 400, FACE) for number in range(count)]


def test_the_oldest_goes_when_there_is_no_more_room(tmp_path: Path) -> None:
    packets = some(1000)
    recording = Recording(tmp_path, head(), most=100_000, segment=20_000, floor=0)
    for block in blocks(packets):
        recording.write(block)
        assert sum(file.stat().st_size for file in tmp_path.glob("*")) <= 100_000
    recording.close()
    assert recording.refused == ""
    files = sorted(tmp_path.glob("*.pcapng"))
    assert len(files) >= 4
    told = [packet for file in files for packet in read(file.read_bytes())]
    assert told == packets[-len(told) :], "the newest, without a gap"
    assert len(told) > 150


def aged(file: Path, days: float) -> None:
    """It was written so long ago."""
    then = time.time() - days * 86400
    os.utime(file, (then, then))


def test_what_is_no_file_or_goes_meanwhile_does_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that leads nowhere, a folder, and what somebody else takes away between a look and the next."""
    link, folder, block = tmp_path / "00000001-20260101T000000.pcapng", tmp_path / "00000002-20260101T000000.pcapng", blocks(some(1))[0]
    link.symlink_to("/nowhere")
    folder.mkdir()
    recording = Recording(tmp_path, head(), most=8_000, segment=2_000, floor=0, days=2)
    for _ in range(100):
        recording.write(block)
        recording.flush()
        assert recording.refused == ""
    recording.close()
    assert link.is_symlink()
    assert folder.is_dir()
    kept = files(tmp_path)
    assert len(kept) >= 3, "what is no file takes no room"

    def seen_before(_: Path) -> list[Path]:
        return [tmp_path / "00000000-20260101T000000.pcapng", *kept]

    monkeypatch.setattr("sensors.recording.files", seen_before)
    monkeypatch.setattr("sensors.indexing.LEAST", 1)
    assert unnoted(tmp_path) == kept[:-1]
    recording = Recording(tmp_path, head(), most=1, floor=0, days=2)
    recording.write(block)
    recording.flush()
    assert recording.refused == ""
    recording.close()
    assert not any(file.exists() for file in kept)


def test_what_is_too_old_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block, *_ = blocks(some(1))
    recording = Recording(tmp_path, head(), most=100_000, segment=20_000, floor=0, days=2)
    recording.write(block)
    recording.close()
    (old,) = tmp_path.glob("*.pcapng")
    other = tmp_path / "notes.txt"
    other.write_text("not ours")
    for file in (old, other):
        aged(file, 1.9)
    recording.write(block)
    recording.flush()
    assert old.exists()
    aged(old, 2.1)
    recording.flush()
    assert old.exists(), "it does not look each second"
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    recording.flush()
    assert not old.exists()
    assert len(list(tmp_path.glob("*.pcapng"))) == 1
    monkeypatch.setattr(time, "monotonic", lambda: later + 3601)
    recording.write(block)
    recording.close()
    assert len(list(tmp_path.glob("*.pcapng"))) == 2, "or much would be too old before the file goes that holds it"
    assert other.exists()


def test_where_the_disk_refuses_listening_goes_on(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "kept", head(), most=100_000, segment=20_000, floor=1 << 60)
    block, *_ = blocks(some(1))
    recording.write(block)
    assert "free" in recording.refused
    assert list((tmp_path / "kept").glob("*")) == []
    recording.floor = 0
    recording.write(block)
    recording.close()
    assert recording.refused == ""
    assert [len(list(read(file.read_bytes()))) for file in (tmp_path / "kept").glob("*")] == [1]


def test_where_it_is_taken_away_it_goes_on_and_says_since_when_nothing_is_there(tmp_path: Path) -> None:
    kept, (block, *_) = tmp_path / "kept", blocks(some(1))
    recording = Recording(kept, head(), most=1 << 20, floor=0)
    recording.write(block)
    recording.tell(statistics(0, FIRST, 1, 7, 7))
    recording.flush()
    assert recording.refused == ""
    shutil.rmtree(kept)
    time.sleep(0.01)
    recording.flush()
    assert recording.refused
    recording.write(block)
    recording.tell(statistics(0, FIRST + SECOND, 2, 7, 7))
    assert recording.refused == ""
    recording.close()
    (file,) = files(kept)
    assert len(list(read(file.read_bytes()))) == 1
    told = file.read_bytes()[len(head()) + len(block) :]
    assert dropped_of(told) == {0: 7}, "what the lost file told is told again"
    assert int.from_bytes(dict(options(told, "<", 20))[ABSENT], "little") > 10_000_000


@pytest.mark.parametrize("place", ["file", "/proc/nothing", "taken"])
def test_what_can_never_be_its_folder_is_a_wrong_use(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "taken").mkdir()
    assert alone(tmp_path / "taken")
    words = (sys.executable, "-m", "sensors.listening", "--wait", "--record", str(tmp_path / place), "tcp-listen://127.0.0.1:0")
    done = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, stdin=subprocess.DEVNULL, check=False, capture_output=True)
    assert done.returncode == 1
    problem = failure(told_of(done.stderr))
    assert isinstance(problem, UsageError)
    assert str(tmp_path / place) in problem.text("en")
    assert "--record" in problem.text("zh")


def test_where_others_fill_the_disk_the_newest_stay_and_it_goes_on_with_them(tmp_path: Path) -> None:
    recording, packets, narrow = Recording(tmp_path, head(), most=1 << 20, segment=20_000, floor=0), some(1000), set[bool]()
    for number, block in enumerate(blocks(packets)):
        recording.floor = 1 << 60 if 400 <= number < 800 else 0
        recording.write(block)
        assert recording.refused == ""
        narrow |= {recording.narrow}
        if number in {399, 799}:
            kept = [packet for file in sorted(tmp_path.glob("*")) for packet in read(file.read_bytes())]
            assert kept == packets[number + 1 - len(kept) : number + 1]
            assert (len(kept) == 400, len([*tmp_path.glob("*")])) == ((True, 9) if number == 399 else (False, 3))
    recording.close()
    assert (narrow, recording.narrow) == ({False, True}, False)


def test_files_that_were_cut_off_do_not_push_out_what_is_worth_two_full_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where others take each octet that is free, so that each file ends soon after it began."""
    recording, packets = Recording(tmp_path, head(), most=1 << 20, segment=20_000, floor=0), some(460)
    for number, block in enumerate(blocks(packets)):
        if number == 400:
            recording.floor = 1 << 60
            monkeypatch.setattr("sensors.recording.LONGEST_S", -1.0)
        recording.write(block)
        assert recording.refused == ""
    recording.close()
    kept = [packet for file in files(tmp_path) for packet in read(file.read_bytes())]
    assert kept == packets[-len(kept) :]
    assert 40_000 <= sum(file.stat().st_size for file in files(tmp_path)) < 80_000
    assert recording.narrow


def test_a_clock_that_is_set_back_does_not_make_the_newest_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a file of an older version, whose name begins with the day."""
    (tmp_path / "20260301T102030-123456789.pcapng").write_bytes(head())
    packets, clock = some(1000), time.gmtime
    recording = Recording(tmp_path, head(), most=100_000, segment=20_000, floor=0)
    for number, block in enumerate(blocks(packets)):
        if number == 500:
            monkeypatch.setattr(time, "gmtime", lambda: clock(time.time() - 400 * 86400))
        recording.write(block)
    recording.close()
    names = sorted(file.name for file in tmp_path.glob("*.pcapng"))
    assert int(names[0].split("-")[0]) > 20260301, "the one of the older version is the first that goes"
    assert len({name.split("-")[1][:4] for name in names}) == 1
    told = [packet for name in names for packet in read((tmp_path / name).read_bytes())]
    assert told == packets[-len(told) :], "in the order of their names, for `cat`"


def test_a_full_disk_leaves_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk of its own, of which another takes what is free: the oldest makes room, and the newest is there."""
    need("netns", os.geteuid() == 0, "a disk of its own needs root")

    def let_go(_: Disk, number: int) -> None:
        os.close(number)  # or files that are gone keep their room

    monkeypatch.setattr(Disk, "bring", let_go)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True)
    recording, packets = Recording(disk / "kept", head(), most=1 << 30, segment=20_000, floor=0), some(800)
    try:
        for number, block in enumerate(blocks(packets)):
            if number == 300:
                with contextlib.suppress(OSError), (disk / "other").open("wb", buffering=0) as other:
                    while other.write(bytes(4096)):
                        pass
            recording.write(block)
        assert recording.refused == ""
        kept = [packet for file in sorted((disk / "kept").glob("*")) for packet in read(file.read_bytes())]
        assert kept == packets[-len(kept) :]
        assert len(kept) > 200
    finally:
        recording.close()
        subprocess.run(["umount", str(disk)], check=True)


def test_a_block_that_does_not_fit_is_in_the_next_file(tmp_path: Path) -> None:
    """Where the system lets no file grow further, half a block is written before it says so."""
    script = """if True:
        import resource, sys
        from pathlib import Path
        from tests.test_recording import FACE, Packet, blocks, head, some
        from sensors.recording import Recording
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        recording = Recording(Path(sys.argv[1]), head(), most=1 << 30, floor=0)
        for block in blocks(some(800)):
            recording.write(block)
            assert recording.refused == ""
        recording.write(*blocks([Packet(0, 200_000, bytes(200_000), FACE)]))
        print(recording.refused)
        recording.close()
    """
    done = subprocess.run((sys.executable, "-c", script, str(tmp_path)), cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == os.strerror(errno.EFBIG)
    files = sorted(tmp_path.glob("*"))
    assert len(files) == 4, "none for the one that fits nowhere"
    assert [packet for file in files for packet in read(file.read_bytes())] == some(800)


def test_what_was_written_is_there_before_it_is_handed_on(tmp_path: Path) -> None:
    """So that it stays whatever becomes of the process: nobody has judged what the recording lacks."""
    recording = Recording(tmp_path, head(), most=1 << 20, floor=0)
    for number, block in enumerate(blocks(some(3))):
        recording.write(block)
        (file,) = tmp_path.glob("*")
        assert len(list(read(file.read_bytes()))) == number + 1
    recording.close()


@pytest.mark.parametrize("left", [0, 5, 100, 20_001])
def test_what_a_power_cut_leaves_is_whole_at_the_next_start(left: int, tmp_path: Path) -> None:
    """Of the newest file so many octets, and behind them what the disk held there before. Files of others are left alone."""
    packets, other = some(100), tmp_path / "other.pcapng"
    recording = Recording(tmp_path, head(), most=1 << 20, floor=0)
    for block in blocks(packets):
        recording.write(block)
    recording.close()
    (torn,) = tmp_path.glob("*")
    content = torn.read_bytes()
    for file in (torn, other):
        file.write_bytes(content[:left] + bytes(1000))
    Recording(tmp_path, head(), most=1 << 20, floor=0)
    assert other.stat().st_size == left + 1000
    kept = list(read(torn.read_bytes())) if torn.exists() else []
    assert kept == packets[: max(left - len(head()), 0) // len(blocks(some(1))[0])]
    assert torn.exists() == (left >= len(head()))


def test_it_is_on_the_disk_when_it_ends_and_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[str] = []
    monkeypatch.setattr("sensors.recording.SYNC_S", 0.0)

    def fsync(number: int) -> None:
        brought.append(str(Path(f"/proc/self/fd/{number}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    recording = Recording(tmp_path, head(), most=100_000, floor=0)
    recording.write(blocks(some(1))[0])
    recording.flush()
    recording.close()
    (file,) = tmp_path.glob("*")
    assert brought == [str(file), str(tmp_path)] * 2


def test_every_file_begins_with_the_interfaces_so_far(tmp_path: Path) -> None:
    """One that comes up while it is recorded: in the file that is written, and in each after it."""
    kept: Any = Kept()
    writer, later = Writer(kept, application="Balefire"), Interface("in1", 1, 0)
    writer.number(FACE)
    recording = Recording(tmp_path, kept.octets, most=100_000, segment=2_000, floor=0)
    for packet in some(3):
        recording.write(blocks([packet])[0])
    before = len(kept.octets)
    writer.number(later)
    recording.describe(kept.octets[before:])
    packets = [Packet(packet.time, packet.wire, packet.octets, later) for packet in some(20)]
    for packet in packets:
        before = len(kept.octets)
        writer.add(packet)
        recording.write(kept.octets[before:])
    recording.close()
    told = [packet for file in sorted(tmp_path.glob("*.pcapng")) for packet in read(file.read_bytes())]
    assert len(list(tmp_path.glob("*.pcapng"))) > 3
    assert told == some(3) + packets


def rows(store: Path, table: str) -> list[str]:
    """What a store holds, without what tells one run from the other."""
    words = (sys.executable, "-m", "balefire", table, "--store", str(store), "--json", "--limit", "10000")
    told = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=True, capture_output=True, text=True).stdout
    named = ("id", "file")
    return sorted(json.dumps({name: value for name, value in json.loads(line).items() if name not in named}, sort_keys=True) for line in told.splitlines())


def replayed(kept: Path, store: Path) -> dict[str, Any]:
    """The summary of a replay of a recording, as the README has it."""
    words = (sys.executable, "-m", "balefire", "replay", "-", "--store", str(store), "--observer", "test", "--json")
    whole = b"".join(file.read_bytes() for file in sorted(kept.glob("*.pcapng")))
    return json.loads(subprocess.run(words, input=whole, cwd=ROOT, env=os.environ | INTERPRETED, check=True, capture_output=True).stdout)


def test_what_is_missing_in_a_recording_is_told_in_it(tmp_path: Path) -> None:
    """Packets that the disk refused, once each however many files there are; and for how long nobody listened before it went on."""
    kept, packets = tmp_path / "kept", [Packet(FIRST + number * SECOND, 400, bytes(400), FACE) for number in range(400)]
    recording = Recording(kept, head(), most=1 << 20, segment=2_000, floor=0)
    for number, block in enumerate(blocks(packets)):
        recording.floor = 1 << 60 if 3 <= number < 200 else 0
        recording.write(block)
        recording.tell(statistics(0, packets[number].time, number + 1, 7, 7, dark=SECOND if number == 150 else 0))
        assert (recording.refused != "") == (3 <= number < 200)
    recording.close()
    aged(max(kept.glob("*.pcapng")), 0.001)
    recording = Recording(kept, head(), most=1 << 20, floor=0)
    for number in range(2):
        recording.tell(statistics(0, FIRST + (700 + number) * SECOND, 0, 0, 0))
    recording.close()
    assert len([*kept.glob("*.pcapng")]) > 20
    told = replayed(kept, tmp_path / "store")["coverage"]
    assert told["dropped"] == 7 + 196
    minutes = [json.loads(line) for line in rows(tmp_path / "store", "coverage")]
    assert [sum(row[name] or 0 for row in minutes) for name in ("dark", "absent")] == [1, 301]
    assert Recording(kept, head(), most=1 << 20, misses=False).refused == ""


@pytest.mark.netns
def test_the_recording_replayed_gives_what_was_live(tmp_path: Path) -> None:
    """Rows of the store but for the identities, which tell the two runs apart, and the file's name; what was dropped, too."""
    slow = tmp_path / "slow.pcap"
    slow.write_bytes(pcap([WirePacket(bytes(12) + b"\x88\xb5" + bytes(46)) for _ in range(45)]))
    with wires() as wire, started(watching(wire, tmp_path / "live", "--record", str(tmp_path / "kept")), INTERPRETED) as process:
        said(process, "Listening on in0")
        wire.send(DEMO)
        said(process, "fall silent")
        os.kill(listener_of(process.pid), signal.SIGSTOP)
        wire.send(slow, pause=0.06)  # a block each, which closes after RETIRE_MS; the ring has 32
        wire.send(DEMO)
        os.kill(listener_of(process.pid), signal.SIGCONT)
        status, summary, rest = ended(process)
    assert status == 0, rest
    assert summary["coverage"]["dropped"] > 1000
    again = replayed(tmp_path / "kept", tmp_path / "again")
    for name in ("packets", "messages", "operations", "activities", "points", "findings", "alerts", "protocols", "effects", "access", "coverage"):
        assert summary[name] == again[name], name
    for table in ("activities", "points", "coverage"):
        live = rows(tmp_path / "live", table)
        assert live == rows(tmp_path / "again", table)
        assert live


@pytest.mark.netns
def test_after_kill_9_amid_traffic_the_recording_has_what_was_live_and_for_how_long_nobody_listened(tmp_path: Path) -> None:
    dice, kept = random.Random(1), tmp_path / "kept"
    with wires() as wire:
        for killed in (True, False):
            with started(watching(wire, tmp_path / "live", "--record", str(kept)), INTERPRETED) as process:
                said(process, "Listening on in0")
                sender = threading.Thread(target=wire.send, args=(DEMO,), kwargs={"pause": 0.0005})
                sender.start()
                if killed:
                    time.sleep(1 + 2 * dice.random())
                    process.kill()
                    process.wait()
                    sender.join()
                else:
                    sender.join()
                    status, _, rest = ended(process)
                    assert status == 0, rest
    again = replayed(kept, tmp_path / "again")
    assert again["packets"] == sum(len([*read(file.read_bytes())]) for file in kept.glob("*.pcapng"))
    live, told = (stored(tmp_path / name, "coverage", "--limit", "10000") for name in ("live", "again"))
    assert sum(row["packets"] for row in live) <= again["packets"]
    (lost,), (absent,) = ([row["absent"] for row in each if row["absent"]] for each in (live, told))
    assert 1 < absent < lost + 2
    assert lost < absent + 120, "the window that was open when it was killed, which the recording has"


def test_what_was_dropped_stands_beside_it_for_people() -> None:
    told = Statistics()
    first, second = told.at(1_700_000_000_000_000_000, [(5, 3, 0), (7, 0, 0)]), told.at(1_700_000_001_000_000_000, [(9, 4, 0), (8, 0, 0)])
    assert [octets.count(b"tick; dropped since the last: ") for octets in (first, second)] == [2, 2]
    assert b"since the last: 3" in first
    assert b"since the last: 1" in second


def test_time_stands_in_the_recording() -> None:
    """Statistics of our own are ticks, those of others are not."""
    from sensors.engine.tables import table
    from sensors.sources.formats import INTERFACE
    from sensors.sources.interfaces import Interfaces

    faces = table(1, INTERFACE)
    faces.multiply, faces.divide, faces.shift = 1, 1, -1
    for application, ticks in (("Balefire", 1), ("dumpcap", 0)):
        kept: Any = Kept()
        Writer(kept, application=application)
        told = Interfaces()
        told.section(kept.octets, "<")
        told.describe("in0")
        told.statistics(statistics(0, 1_700_000_000_000_000_000, 5, 3), "<", 7, faces)
        assert [(tick.before, tick.time) for tick in told.ticks] == [(7, 1_700_000_000_000_000_000)] * ticks
        assert [(drop.before, drop.packets) for drop in told.drops] == [(7, 3)]
