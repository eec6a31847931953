"""Evidence: the packets of findings are kept as they were, bounded, and given out as files that others open."""

from __future__ import annotations

import gzip
import io
import json
import random
import shlex
import shutil
import subprocess
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import InputError
from records.model import PacketRef
from records.store import open_store
from sensors.decoding import Decoder
from sensors.engine.mode import choose
from sensors.evidence import PACKETS, Keeper
from sensors.pcapng import Interface, Packet, Writer, read
from sensors.sources.again import Marks, Tape
from sensors.sources.files import Plain
from sensors.sources.pcap import find, open_capture
from tests.cli import DEMO, ROOT, Row, balefire, lines, one, program, short, stored
from tests.examples import as_many
from tests.mirroring import load
from tests.require import need
from tests.wire import SECOND, START, Talk, mbap, pcap, registers, save, write
from tests.wire import read as ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensors.sources.pcap import Capture

choose(0)
SMALL = 1 << 14  # octets of a batch, so that a small capture has many
Told = tuple[int, int, bytes]  # number, time, octets


def whole(capture: Capture, marks: Marks) -> list[Told]:
    """Every packet, as it is read the first time."""
    decoder, told = Decoder(SMALL), list[Told]()
    with closing(open_capture(capture, marks)) as source:
        while count := decoder.read(source):
            told += [(int(decoder.packets.number[row]), int(decoder.times[row]), decoder.octets(row)) for row in range(count)]
    return told


def as_pcapng(path: Path, packets: Sequence[Told]) -> Path:
    """The same packets on interfaces of their own, in turn, with some that nobody can read between them."""
    kinds = [Interface("eth0", 1, 0), Interface("", 1, 65535), Interface("can", 190, 0)]
    with path.open("wb") as file:
        writer = Writer(file)
        for number, at, octets in packets:
            writer.add(Packet(at, len(octets), octets, kinds[number % 3]))
    return path


def form(kind: str, folder: Path) -> Path:
    if kind == "gzip":
        (folder / "demo.pcap.gz").write_bytes(gzip.compress(DEMO.read_bytes(), 1))
        return folder / "demo.pcap.gz"
    if kind == "pcapng":
        return as_pcapng(folder / "demo.pcapng", whole(find([str(DEMO)])[0], Marks()))
    return DEMO


@pytest.mark.parametrize("kind", ["pcap", "gzip", "pcapng"])
def test_packets_are_read_again_as_they_were(kind: str, tmp_path: Path) -> None:
    (capture,) = find([str(form(kind, tmp_path))])
    marks = Marks()
    first = {number: (at, octets) for number, at, octets in whole(capture, marks)}
    assert len(first) > 1000
    dice = random.Random(7)
    with closing(Keeper(capture, marks, SMALL)) as keeper:
        for count in (1, 2, 7, 150, 300):
            wanted = sorted(dice.sample(sorted(first), count))
            found = keeper.find(wanted)
            assert {number for number, _ in found} >= set(wanted[:PACKETS])
            assert len(found) <= PACKETS
            assert [number for number, _ in found] == sorted({number for number, _ in found})
            assert all((packet.time, packet.octets) == first[number] for number, packet in found)


def test_marks_that_were_thinned_out_still_lead_there() -> None:
    (capture,) = find([str(DEMO)])
    marks = Marks(most=3)
    first = {number: octets for number, _, octets in whole(capture, marks)}
    with closing(Keeper(capture, marks, SMALL)) as keeper:
        for number in (1, 1000, 2000, len(first)):
            assert dict(keeper.find([number], neighbours=False))[number].octets == first[number]


def test_neighbours_are_of_the_same_conversation(tmp_path: Path) -> None:
    talks = [Talk(client_port=40000 + number).open() for number in range(3)]
    for number in range(40):
        for talk in talks:
            talk.ask(mbap(number, ask(0, 1)), mbap(number, registers(number)))
    packets = [packet for step in zip(*(talk.packets for talk in talks), strict=True) for packet in step]
    (capture,) = find([str(save([packet.at(START + number) for number, packet in enumerate(packets)], tmp_path / "t.pcap"))])
    marks = Marks()
    whole(capture, marks)
    with closing(Keeper(capture, marks)) as keeper:
        found = keeper.find([100])
        assert [number for number, _ in found] == list(range(1, len(packets) + 1))[99 % 3 :: 3]  # both directions, and no other connection
        assert keeper.find([len(packets) + 1]) == []


def test_one_finding_has_200_packets_at_most(tmp_path: Path) -> None:
    talk = Talk().open()
    for number in range(250):
        talk.ask(mbap(number, ask(0, 1)), mbap(number, registers(number)))
    (capture,) = find([str(save(talk.packets, tmp_path / "t.pcap"))])
    marks = Marks()
    whole(capture, marks)
    with closing(Keeper(capture, marks)) as keeper:
        assert len(keeper.find([250])) == len(keeper.find(range(1, 400))) == PACKETS == 200


def test_a_capture_that_is_moved_while_it_is_read_still_has_its_packets(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "x.pcap")
    (capture,) = find([str(tmp_path / "x.pcap")])
    marks = Marks()
    with closing(Keeper(capture, marks)) as keeper:
        whole(capture, marks)
        (tmp_path / "x.pcap").unlink()
        assert dict(keeper.find([5]))


def test_a_capture_that_changes_under_the_reader_gives_nothing_else_as_evidence(tmp_path: Path) -> None:
    """Cut off, filled with zeros, or another one in its place: what was meant is missing, and counted."""
    packets = load(DEMO)
    for number, change in enumerate((b"", bytes(DEMO.stat().st_size), pcap([packet.at(packet.time + 1000) for packet in packets]))):
        file = tmp_path / f"{number}.pcap"
        shutil.copy(DEMO, file)
        (capture,) = find([str(file)])
        marks = Marks()
        with closing(Keeper(capture, marks)) as keeper:
            whole(capture, marks)
            meant = [PacketRef(file.name, place, packets[place - 1].time) for place in (5, 900)]
            assert keeper.named(meant)[1] == 0
        with closing(Keeper(capture, marks)) as keeper:
            file.write_bytes(change)
            assert keeper.named(meant) == ([], 2)


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40), st.integers(100, 5000))
@settings(max_examples=as_many(25), deadline=None)
def test_a_tape_holds_the_last_octets(steps: list[int], size: int) -> None:
    content = random.Random(size).randbytes(sum(steps))
    tape = Tape(Plain(io.BytesIO(content)), size)  # pyright: ignore[reportArgumentType] - a file in memory reads as one without a buffer does
    for step in steps:
        assert tape.readinto(memoryview(bytearray(step))) == step
    begin = max(0, len(content) - size)
    for at in {begin, (begin + len(content)) // 2, len(content)}:
        again = tape.again()
        assert again.seek(at)
        room = bytearray(len(content) + 1)
        got = 0
        with memoryview(room) as view:
            while step := again.readinto(view[got:]):
                got += step
        assert room[:got] == content[at:]
    assert begin == 0 or not tape.again().seek(begin - 1)


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=8))
@settings(max_examples=as_many(25), deadline=None)
def test_what_was_kept_is_read_back_or_refused(octets: bytes, at: int, change: bytes) -> None:
    file, packet = io.BytesIO(), Packet(START, 300, octets, Interface("eth0\u202e", 1, 96))
    Writer(file, "\x1b[31m" * 20_000).add(packet, "why " + "界" * 40_000)
    assert list(read(file.getvalue())) == [packet]
    hurt = bytearray(file.getvalue())
    hurt[at : at + len(change)] = change
    for content in (bytes(hurt), octets, file.getvalue()[: len(hurt) - 1 - at]):
        with suppress(InputError):
            assert all(len(each.octets) <= len(content) for each in read(content))


def opened(path: Path) -> list[Packet]:
    return list(read(path.read_bytes()))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evidence") / "store"
    shutil.copytree(stored()[0], place)
    return place


def test_every_alert_has_the_packets_that_its_findings_name(store: Path, tmp_path: Path) -> None:
    summary = stored()[1]
    assert summary["evidence"]["findings"] == summary["findings"]
    assert summary["evidence"]["missing"] == 0
    (capture,) = find([str(DEMO)])
    first = {(at, octets) for _, at, octets in whole(capture, Marks())}
    for alert in lines("alerts", "--store", store):
        file = tmp_path / f"{alert['id']}.pcapng"
        told = one("evidence", alert["id"], "-o", file, "--store", store)
        packets = opened(file)
        assert (told["kind"], told["id"], told["packets"]) == ("alert", alert["id"], len(packets))
        assert told["bytes"] == sum(len(packet.octets) for packet in packets)
        assert told["gone"] == told["without"] == []
        assert {(packet.time, packet.octets) for packet in packets} <= first
        assert [packet.time for packet in packets] == sorted(packet.time for packet in packets)
        explained = one("explain", alert["id"], "--store", store)["evidence"]
        assert (explained["kept"], explained["gone"], explained["missing"]) == (len(packets), [], 0)
        comments = file.read_bytes().decode("utf-8", "replace")
        assert all(f"demo.pcap, packet {packet['packet']}\nfinding " in comments for packet in explained["packets"])


@pytest.mark.tshark
def test_wireshark_opens_it(store: Path, tmp_path: Path) -> None:
    need("tshark", bool(shutil.which("tshark") and shutil.which("capinfos")), "what opens such files is not installed")
    alert = max(lines("alerts", "--store", store), key=lambda row: row["severity"])
    told = one("evidence", alert["id"][:8], "-o", tmp_path / "e.pcapng", "--store", store)
    infos = subprocess.run(["capinfos", "-M", str(tmp_path / "e.pcapng")], capture_output=True, text=True, check=True).stdout
    assert f"Number of packets:   {told['packets']}\n" in infos
    assert "nanoseconds (9)" in infos
    assert "Encapsulation = Ethernet" in infos
    assert alert["id"] in infos
    fields = ["-T", "fields", "-E", "separator=|", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "ip.id", "-e", "frame.comment"]
    rows = [row.split("|", 3) for row in run("tshark", "-r", tmp_path / "e.pcapng", *fields)]
    originals = {tuple(row.split("|")[:3]) for row in run("tshark", "-r", DEMO, *fields[:-2])}
    assert len(rows) == told["packets"]
    assert {tuple(row[:3]) for row in rows} <= originals
    assert all(row[3].startswith("demo.pcap, packet ") for row in rows)


def run(*words: object) -> list[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.tshark
@pytest.mark.parametrize(
    ("asked", "display"),
    [
        (("--asset", "10.20.1.66"), "ip.addr == 10.20.1.66 || (eth.addr == 02:ba:1e:01:00:66 && !ip)"),
        (("--asset", "02:ba:1e:01:00:66"), "eth.addr == 02:ba:1e:01:00:66"),
        (
            ("--between", "10.20.1.66", "10.20.1.12"),
            "(ip.addr == 10.20.1.66 && ip.addr == 10.20.1.12) || (eth.addr == 02:ba:1e:01:00:66 && eth.addr == 02:ba:1e:01:00:12 && !ip)",
        ),
        (("--between", "10.20.1.66", "10.20.1.12", "--port", "502"), "ip.addr == 10.20.1.66 && ip.addr == 10.20.1.12 && tcp.port == 502"),
        (("--port", "502"), "tcp.port == 502"),
        (("--since", "2026-11-22T16:43:00Z", "--until", "2026-11-22T16:43:10Z"), 'frame.time >= "2026-11-22 16:43:00" && frame.time < "2026-11-22 16:43:10"'),
        (
            ("--asset", "10.20.1.20", "--since", "2026-11-22T16:44:00Z"),
            '(ip.addr == 10.20.1.20 || (eth.addr == 02:ba:1e:01:00:20 && !ip)) && frame.time >= "2026-11-22 16:44:00"',
        ),
    ],
)
def test_slices_of_captures_are_what_tshark_filters(asked: tuple[str, ...], display: str, store: Path, tmp_path: Path) -> None:
    need("tshark", shutil.which("tshark") is not None, "the independent reader is not installed")
    told = one("evidence", *asked, "--from", DEMO, "-o", tmp_path / "s.pcapng", "--store", store)
    expected = subprocess.run(
        ["tshark", "-n", "-r", str(DEMO), "-Y", display, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=True, env={"TZ": "UTC"}
    ).stdout.split()
    assert told["packets"] == len(expected) > 0
    assert [line.rsplit(" ", 1)[1] for line in run("tshark", "-r", tmp_path / "s.pcapng", "-T", "fields", "-e", "frame.comment")] == expected


def test_slices_of_what_is_kept(store: Path, tmp_path: Path) -> None:
    everything = one("evidence", "--since", "2026-01-01", "-o", tmp_path / "all.pcapng", "--store", store)
    kept = {row["id"] for row in lines("findings", "--store", store)}
    assert everything["findings"] == len(kept)
    (asset,) = [row for row in lines("assets", "--store", store) if row["name"] == "10.20.1.12"]
    slices: list[list[Packet]] = []
    for number, words in enumerate((("--asset", asset["id"]), ("--asset", "10.20.1.12"), ("--between", "10.20.1.66", asset["id"][:8]))):
        one("evidence", *words, "-o", tmp_path / f"{number}.pcapng", "--store", store)
        slices.append(opened(tmp_path / f"{number}.pcapng"))
    address, other = bytes((10, 20, 1, 12)), bytes((10, 20, 1, 66))
    packets = opened(tmp_path / "all.pcapng")
    assert slices[0] == slices[1] == [packet for packet in packets if address in (packet.octets[26:30], packet.octets[30:34])]
    assert slices[2] == [packet for packet in packets if {packet.octets[26:30], packet.octets[30:34]} == {address, other}]
    assert 0 < len(slices[2]) < len(packets)


def test_the_capture_that_is_read_is_not_written_over(store: Path, tmp_path: Path) -> None:
    capture = short(tmp_path)
    before = capture.read_bytes()
    for own in (capture, tmp_path / "x" / ".." / capture.name):
        (tmp_path / "x").mkdir(exist_ok=True)
        refused = balefire("evidence", "--asset", "10.20.1.66", "--from", capture, "-o", own, "--force", "--store", store)
        assert (refused.exit_code, "would be lost" in refused.output) == (2, True)
        assert capture.read_bytes() == before


def test_a_file_that_is_there_is_not_written_over(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    file.write_text("mine")
    assert balefire("evidence", "--asset", "10.20.1.66", "-o", file, "--store", store).exit_code == 2
    assert file.read_text() == "mine"
    assert balefire("evidence", "--asset", "10.20.1.66", "-o", file, "--force", "--store", store).exit_code == 0
    assert opened(file)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pcapng"]


def test_what_cannot_be_is_said(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.pcapng"
    for words, status, said in (
        (("evidence", "0f0f0f0f0f"), 1, "0f0f0f0f0f"),
        (("evidence", "\x1b[31m<b>\u202e"), 1, "\\x1b[31m<b>\\u202e"),
        (("evidence", "../../" * 9999), 1, "No alert"),
        (("evidence",), 2, "--asset"),
        (("evidence", "--asset", "nobody"), 2, "nobody"),
        (("evidence", "--between", "10.0.0.1", "10.0.0.300"), 2, "10.0.0.300"),
        (("evidence", "--since", "soon"), 2, "soon"),
        (("evidence", "--asset", "10.9.9.9"), 1, "nothing was written"),
        (("evidence", "--asset", "10.20.1.66", "--from", tmp_path / "none.pcap"), 2, "none.pcap"),
    ):
        result = balefire(*words, "-o", file, "--store", store)
        assert (result.exit_code, said in result.stderr) == (status, True), (words, result.stderr)
        assert not list(tmp_path.iterdir())
    assert balefire("evidence", "--asset", "10.20.1.66", "-o", tmp_path / "no" / "x", "--store", store).exit_code == 2
    assert balefire("evidence", "--asset", "10.20.1.66", "-o", "-", "--json", "--store", store).exit_code == 2


def test_standard_output_is_the_same_file(store: Path, tmp_path: Path) -> None:
    alert = lines("alerts", "--store", store)[0]["id"]
    one("evidence", alert, "-o", tmp_path / "a.pcapng", "--store", store)
    piped = program("evidence", alert, "-o", "-", "--store", store)
    assert piped.returncode == 0
    assert piped.stdout == (tmp_path / "a.pcapng").read_bytes()


def test_what_is_gone_is_said_and_can_be_had_from_the_capture_again(store: Path, tmp_path: Path) -> None:
    place = tmp_path / "store"
    shutil.copytree(store, place)
    alert = lines("alerts", "--store", place)[0]["id"]
    before = one("evidence", alert, "-o", tmp_path / "before.pcapng", "--store", place)
    kept = one("explain", alert, "--store", place)["evidence"]["kept"]
    with closing(open_store(str(place), write=True)) as opened_store:
        assert opened_store.thin(0, 0) == stored()[1]["findings"]
    told = one("evidence", alert, "-o", tmp_path / "x.pcapng", "--store", place, status=1)
    assert (told["packets"], told["file"]) == (0, None)
    assert not (tmp_path / "x.pcapng").exists()
    assert {row["reason"] for row in told["gone"]} == {"size"}
    assert len({number for row in told["gone"] for number in row["numbers"]}) == before["packets"] == kept
    words = balefire("evidence", alert, "-o", tmp_path / "x.pcapng", "--store", place, "--language", "zh").stderr
    assert "evidence.mebibytes" in words
    assert "demo.pcap" in words
    explained = one("explain", alert, "--store", place)["evidence"]
    assert (explained["kept"], len(explained["gone"])) == (0, before["findings"])
    assert "gone since" in balefire("explain", alert, "--store", place).stdout
    assert balefire("packet", alert, "--store", place).exit_code == 1
    again = one("evidence", alert, "--from", DEMO, "-o", tmp_path / "x.pcapng", "--store", place)  # all of it: that is fine
    assert (again["packets"], again["gone"], again["without"]) == (before["packets"], [], [])
    half = one("evidence", alert, "--from", short(tmp_path), "-o", tmp_path / "half.pcapng", "--store", place, status=1)
    assert min(len(half["gone"]), len(half["without"])) > 0, "what this capture does not hold is still gone"
    assert (tmp_path / "x.pcapng").read_bytes() == (tmp_path / "before.pcapng").read_bytes()
    one("replay", DEMO, "--store", place)  # brings it back
    assert one("evidence", alert, "-o", tmp_path / "y.pcapng", "--store", place)["gone"] == []


def test_replaying_again_keeps_nothing_twice(store: Path, tmp_path: Path) -> None:
    place = tmp_path / "store"
    shutil.copytree(store, place)
    before = lines("findings", "--store", place)
    rows = lines("findings", "--store", place)
    with closing(open_store(str(place))) as opened_store:
        kept = [opened_store.get("evidence", row["id"]) for row in rows]
    assert one("replay", DEMO, "--store", place)["evidence"] == stored()[1]["evidence"]
    with closing(open_store(str(place))) as opened_store:
        assert [opened_store.get("evidence", row["id"]) for row in rows] == kept
    assert lines("findings", "--store", place) == before


def test_nothing_is_kept_where_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_EVIDENCE__MEBIBYTES", "0")
    talk = Talk().open().ask(mbap(1, write(1, 5)), mbap(1, write(1, 5)))
    for unit in range(20):
        talk.ask(mbap(2, bytes((8, 0, 1, 255, 0)), unit=unit))
    summary = one("replay", save(talk.packets, tmp_path / "t.pcap"), "--store", tmp_path / "s")
    assert summary["findings"] > 0
    assert summary["evidence"] == {"findings": 0, "packets": 0, "missing": 0, "thinned": 0}
    finding = lines("findings", "--store", tmp_path / "s")[0]["id"]
    told = one("evidence", finding, "-o", tmp_path / "x", "--store", tmp_path / "s", status=1)
    assert (told["without"], told["why"]) == ([finding], {finding: "off"})
    assert "evidence.mebibytes" in balefire("evidence", finding, "-o", tmp_path / "x", "--store", tmp_path / "s").stderr
    told = one("explain", finding, "--store", tmp_path / "s")["evidence"]
    assert (told["without"], told["why"]) == ([finding], {finding: "off"})
    assert "evidence.mebibytes" in balefire("explain", finding, "--store", tmp_path / "s").stdout


def test_of_a_flood_the_first_100_findings_keep_packets_and_the_others_say_why(tmp_path: Path) -> None:
    talk = Talk().open()
    for number in range(104):
        talk.time = START + number * SECOND
        talk.ask(mbap(number, bytes((8, 0, 1, 255, 0))))
    capture, place = save(talk.packets, tmp_path / "t.pcap"), tmp_path / "s"
    one("replay", capture, "--store", place)
    (alert,) = (row for row in lines("alerts", "--store", place) if row["key"].startswith("controller-restarted|"))
    told = one("evidence", alert["id"], "-o", tmp_path / "a.pcapng", "--store", place)
    assert (alert["count"], told["findings"], len(told["without"])) == (104, 104, 4)
    assert told["why"] == dict.fromkeys(told["without"], "many")
    last = told["without"][0]
    for language, words in (("en", "keeps packets for the first 100"), ("zh", "只为前 100 个")):
        for asked in (("evidence", last, "-o", tmp_path / "x.pcapng"), ("packet", last), ("evidence", alert["id"], "-o", tmp_path / f"{language}.pcapng")):
            said = "".join(balefire(*asked, "--store", place, "--language", language).stderr.split())
            assert words.replace(" ", "") in said
            assert "--fromt.pcap" in said
        explained = "".join(balefire("explain", alert["id"], "--store", place, "--language", language).stdout.split())
        assert words.replace(" ", "") in explained, "the same words"
        assert "--fromt.pcap" in explained
    again = one("evidence", last, "--from", capture, "-o", tmp_path / "x.pcapng", "--store", place)
    assert (again["without"], again["why"], again["packets"]) == ([], {}, 107), "the hint is right"


def test_a_pipe_has_its_last_octets(tmp_path: Path) -> None:
    place = tmp_path / "s"
    done = program("replay", "-", "--observer", "tap", "--store", place, "--json", stdin=DEMO.read_bytes(), environment={"NUMBA_DISABLE_JIT": "1"})
    assert done.returncode == 0, done.stderr
    told: Row = json.loads(done.stdout)["evidence"]
    assert told["findings"] > 0
    assert told["missing"] == 0
    file = tmp_path / "x.pcapng"
    one("evidence", lines("alerts", "--store", place)[0]["id"], "-o", file, "--store", place)
    assert b"-, packet " in file.read_bytes()


def test_what_a_pipe_no_longer_has_is_not_there() -> None:
    (capture,) = find([str(DEMO)])
    marks = Marks()
    tape = Tape(capture.open(), 150_000)

    class Piped:
        """A capture whose last octets are kept."""

        name, error = "piped", None

        def open(self) -> Tape:
            return tape

        def again(self) -> object:
            return tape.again()

        path = "piped"

    first = whole(Piped(), marks)  # pyright: ignore[reportArgumentType]
    with closing(Keeper(Piped(), marks, SMALL)) as keeper:  # pyright: ignore[reportArgumentType]
        assert keeper.find([3]) == []
        number, at, octets = first[-3]
        assert dict(keeper.find([number]))[number] == Packet(at, len(octets), octets, Interface("", 1, 65535))


def test_names_that_steer_a_terminal_are_harmless_in_comments(tmp_path: Path) -> None:
    nasty = tmp_path / "\x1b[31m<b>\u202e.pcap"
    shutil.copy(DEMO, nasty)
    one("evidence", "--asset", "10.20.1.66", "--from", nasty, "-o", tmp_path / "x.pcapng")
    held = (tmp_path / "x.pcapng").read_bytes()
    assert b"\x1b[31m" not in held
    assert "\u202e".encode() not in held
    assert b"\\x1b[31m<b>\\u202e.pcap, packet" in held


def test_age_bounds_what_closed_alerts_keep(store: Path, tmp_path: Path) -> None:
    place = tmp_path / "store"
    shutil.copytree(store, place)
    closed, other = [row["id"] for row in lines("alerts", "--store", place)][:2]
    assert balefire("alert", "close", closed, "--verdict", "false", "--store", place).exit_code == 0
    with closing(open_store(str(place), write=True)) as opened_store:
        assert opened_store.thin(1 << 40, time.time_ns() - 3600 * SECOND) == 0
        assert opened_store.thin(1 << 40, time.time_ns() + SECOND) > 0
    assert {row["reason"] for row in one("evidence", closed, "-o", tmp_path / "x", "--store", place, status=1)["gone"]} == {"age"}
    assert one("evidence", other, "-o", tmp_path / "y", "--store", place)["packets"] > 0


@pytest.mark.tshark
@pytest.mark.parametrize(("name", "language"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_what_the_readme_shows_of_packets_is_so(name: str, language: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("tshark", shutil.which("tshark") is not None, "the dissector is not installed")
    block = (ROOT / name).read_text("utf-8").split("<!-- evidence -->")[1].split("```")[1]
    shown = [part.splitlines() for part in block.strip().split("$ balefire ")[1:]]
    assert len(shown) == 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for command, *printed in shown:
        result = balefire("--language", language, *shlex.split(command.split(" | ")[0]), "--store", store)
        assert result.exit_code == 0, result.output
        assert printed
        assert [line for line in printed if line not in result.output.splitlines()] == [], command
