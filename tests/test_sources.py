"""Captures as sources: every variant of the formats, cut anywhere, damaged anywhere, in chunks of any size."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import BalefireError, UsageError
from sensors.engine.octets import INTERPRETED
from sensors.engine.tables import PACKET, table
from sensors.sources import files
from sensors.sources.formats import INTERFACE, LAST_SECOND, LAST_TIME, describe, nanoseconds
from sensors.sources.pcap import Capture, find, open_capture
from tests.examples import as_many
from tests.fuzz.readers import reference
from tests.require import need

if TYPE_CHECKING:
    from sensors.sources.reader import CaptureSource

SHARED = Path(__file__).resolve().parents[2] / "shared" / "captures"
SECOND = 1_000_000_000
START = 1_700_000_000
Row = tuple[int, int, bytes, int, int, int]  # time, number, octets, wire, interface, linktype


def packet(number: int) -> bytes:
    return bytes((number * 7 + i) & 0xFF for i in range(14 + number % 5))


def expected(count: int, linktype: int = 1, unit: int = 1) -> list[Row]:
    return [(START * SECOND + n * 1_234_567_891 // unit * unit, n, packet(n), len(packet(n)) + n % 3, 0, linktype) for n in range(1, count + 1)]


@dataclass(frozen=True)
class Pcap:
    """A pcap writer."""

    order: str = "<"
    nano: bool = False
    modified: bool = False
    linktype: int = 1

    def bytes(self, count: int = 5) -> bytes:
        magic = 0xA1B2CD34 if self.modified else 0xA1B23C4D if self.nano else 0xA1B2C3D4
        parts = [struct.pack(f"{self.order}IHHiIII", magic, 2, 4, 0, 0, 65535, self.linktype)]
        for time, _, octets, wire, _, _ in expected(count):
            fraction = time % SECOND // (1 if self.nano else 1000)
            parts.append(struct.pack(f"{self.order}IIII", time // SECOND, fraction, len(octets), wire) + b"\7\7\7\7\7\7\7\0" * self.modified + octets)
        return b"".join(parts)

    def rows(self, count: int = 5) -> list[Row]:
        return expected(count, self.linktype & 0xFFFF, 1 if self.nano else 1000)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str, options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(order: str, linktype: int = 1, snap: int = 0, **options: bytes) -> bytes:
    codes = {"name": 2, "resolution": 9, "offset": 14}
    return block(order, 1, struct.pack(f"{order}HHI", linktype, 0, snap) + b"".join(option(order, codes[key], value) for key, value in options.items()))


def enhanced(order: str, units: int, octets: bytes, wire: int, number: int = 0) -> bytes:
    body = struct.pack(f"{order}IIIII", number, units >> 32, units & 0xFFFFFFFF, len(octets), wire) + octets
    return block(order, 6, body + bytes(-len(octets) % 4) + option(order, 1, b"a comment"))


def pcapng(order: str = "<", count: int = 5, resolution: int = 9) -> bytes:
    """Packets with blocks between them that are passed over."""
    parts = [section(order, option(order, 4, b"balefire")), interface(order, name=b"eth0", resolution=bytes([resolution]))]
    for time, number, octets, wire, _, _ in expected(count):
        parts += [block(order, 0x0BAD, bytes(number * 8)), enhanced(order, time // 10 ** (9 - resolution), octets, wire)]
    return b"".join([*parts, block(order, 4, bytes(4)), block(order, 5, bytes(12)), block(order, 10, bytes(8))])


def read(source: CaptureSource, room: int = 1 << 20, rows: int = 64, start: int = 8) -> list[Row]:
    """All rows; the arena and the table are spoilt between calls, as the engine may."""
    memory, packets = np.zeros(start + room, np.uint8), table(rows, PACKET)
    found: list[Row] = []
    while count := source.batch(memory, start, packets):
        for row in packets[:count]:
            assert start <= row.at <= row.at + row.captured <= len(memory)
            octets = memory[row.at : row.at + row.captured].tobytes()
            found.append((int(row.time), int(row.number), octets, int(row.wire), int(row.interface), int(row.linktype)))
        memory[:] = 0xEE
        packets.view(np.uint8)[:] = 0xEE
    assert source.batch(memory, start, packets) == 0
    assert source.packets == len(found)
    assert source.octets == sum(len(row[2]) for row in found)
    source.close()
    return found


def capture(folder: Path, content: bytes, name: str = "a.pcap") -> Capture:
    file = folder / name
    file.write_bytes(content)
    (found,) = find([str(file)])
    return found


def opened(folder: Path, content: bytes) -> CaptureSource:
    """A source of `content`, whatever `find` thinks of it."""
    file = folder / "a.pcap"
    file.write_bytes(content)
    return open_capture(Capture(str(file), "a.pcap", ""))


def key(error: BalefireError | None) -> str | None:
    """The key of an error whose texts can be written in every language."""
    if error is not None:
        assert all("a.pcap" in error.text(language) for language in ("en", "zh"))
        assert error.status == 3
    return error and error.key


PCAPS = [Pcap(order, nano, modified) for order in "<>" for nano, modified in ((False, False), (True, False), (False, True))]
VARIANTS = [
    *((pcap.bytes(), pcap.rows()) for pcap in PCAPS),
    *((pcapng(order, 5, resolution), expected(5, 1, 10 ** (9 - resolution))) for order in "<>" for resolution in (6, 9)),
]


@pytest.mark.parametrize("way", ["file", "gz", "members", "fifo", "stdin"])
@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_every_variant_gives_its_packets(variant: int, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, rows = VARIANTS[variant]
    if way == "gz":
        content = gzip.compress(content)
    elif way == "members":
        content = gzip.compress(content[:50]) + gzip.compress(b"") + gzip.compress(content[50:]) + bytes(9)
    file = tmp_path / "x.bin"
    path = str(file)
    if way == "fifo":
        os.mkfifo(file)
        writer = subprocess.Popen([sys.executable, "-c", "import sys; open(sys.argv[1], 'wb').write(bytes.fromhex(sys.argv[2]))", path, content.hex()])
        (found,) = find([path])
        assert writer.wait() == 0
    elif way == "stdin":
        path = "-"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        (found,) = find([path])
    else:
        file.write_bytes(content)
        (found,) = find([path])
    assert (found.path, found.name, found.error, found.first, found.size) == (path, Path(path).name, None, rows[0][0], len(content))
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    for _ in range(2):  # a pipe too can be read again
        source = open_capture(found)
        assert read(source) == rows
        assert source.error is None
        assert source.name == found.name


def test_fcs_bits_of_the_link_type_are_masked(tmp_path: Path) -> None:
    assert read(open_capture(capture(tmp_path, Pcap(linktype=0x54000001).bytes()))) == Pcap().rows()


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_and_obsolete_packet_blocks(order: str, tmp_path: Path) -> None:
    first, second = packet(4), packet(9)
    old = struct.pack(f"{order}HHIIII", 0, 3, 7 >> 32, 7, len(second), 99) + second
    content = section(order) + interface(order, snap=16) + block(order, 2, old) + block(order, 3, struct.pack(f"{order}I", 1514) + first[:16])
    source = open_capture(capture(tmp_path, content))
    assert read(source) == [(7000, 1, second, 99, 0, 1), (7000, 2, first[:16], 1514, 0, 1)]
    assert source.error is None


def test_sections_interfaces_and_link_types(tmp_path: Path) -> None:
    a = section("<") + interface("<", name=b"one") + interface("<", 147, name=b"odd") + interface("<", 101, name=b"tun")
    a += enhanced("<", 5, b"aa", 2, 1) + enhanced("<", 5, b"bb", 2, 2) + enhanced("<", 6, b"cc", 9, 0)
    b = section(">") + interface(">", 113, name=b"any") + enhanced(">", 7, b"dd", 2)
    source = open_capture(capture(tmp_path, a + b))
    assert read(source) == [(5000, 2, b"bb", 2, 2, 101), (6000, 3, b"cc", 9, 0, 1), (7000, 4, b"dd", 2, 3, 113)]
    assert (source.skipped, source.interfaces) == (1, ["one", "odd", "tun", "any"])
    assert source.error is not None
    assert "1 packets were left out" in source.error.text("en")
    assert "link type 147" in source.error.text("en")


def test_many_interfaces_between_packets(tmp_path: Path) -> None:
    content = section("<") + b"".join(interface("<") + enhanced("<", n, b"xy", 2, n) for n in range(300))
    assert [row[4] for row in read(open_capture(capture(tmp_path, content)))] == list(range(300))


def test_headers_of_a_hostile_file_are_bounded(tmp_path: Path) -> None:
    source = open_capture(capture(tmp_path, section("<") + interface("<") * 20_000))
    assert read(source) == []
    assert key(source.error) == "capture.corrupt"


@pytest.mark.parametrize("octet", [0, 3, 6, 9, 12, 19, 60, 127, 0x80, 0x80 | 10, 0x80 | 33, 0x80 | 40, 0x80 | 62, 0xFF])
@pytest.mark.parametrize("offset", [0, -5, 1 << 62, -(1 << 63)])
def test_times_of_any_resolution(octet: int, offset: int, tmp_path: Path) -> None:
    per_second = 2 ** (octet & 0x7F) if octet & 0x80 else 10**octet
    head = section("<") + interface("<", resolution=bytes([octet]), offset=struct.pack("<q", offset))
    units = [n for n in (0, 1, 3 * per_second + per_second // 7, START * per_second + per_second // 3, (1 << 63) - 1, (1 << 64) - 1) if n < 1 << 64]
    source = open_capture(capture(tmp_path, head + b"".join(enhanced("<", n, b"xy", 2) for n in units)))
    rows = read(source)
    moved = max(1 - LAST_SECOND, min(offset, LAST_SECOND - 1)) * SECOND
    for unit, row in zip(units, rows, strict=True):
        exact = max(0, min(min(unit, 0x7FFFFFFF << 32 | unit & 0xFFFFFFFF) * SECOND // per_second, LAST_TIME) + moved)
        assert abs(row[0] - exact) <= (1 if octet > 0x80 + 33 else SECOND if unit >= (1 << 63) - 1 else 0)


def test_nanoseconds_stay_in_64_bits() -> None:
    row = table(1, INTERFACE)[0]
    for octet in range(256):
        options = option("<", 9, bytes([octet])) + option("<", 14, struct.pack("<q", (1 << 63) - 1))
        assert describe(block("<", 1, struct.pack("<HHI", 1, 0, 0) + options), "<", row) == ""
        assert 0 <= int(nanoseconds((1 << 63) - 1, row)) < 1 << 63


@settings(max_examples=as_many(150), deadline=None)
@given(data=st.data(), room=st.integers(80, 400), rows=st.integers(1, 7), packed=st.booleans())
def test_chunks_of_any_size_give_the_same_rows(data: st.DataObject, room: int, rows: int, packed: bool) -> None:
    content, wanted = data.draw(st.sampled_from([*VARIANTS, (pcapng(count=40), expected(40)), (Pcap(nano=True).bytes(200), Pcap(nano=True).rows(200))]))
    with tempfile.TemporaryDirectory() as folder:
        source = opened(Path(folder), gzip.compress(content) if packed else content)
        assert read(source, room, rows, data.draw(st.integers(0, 9))) == wanted
        assert source.error is None


def test_a_table_much_smaller_than_the_chunk(tmp_path: Path) -> None:
    pcap = Pcap(nano=True)
    found = capture(tmp_path, pcap.bytes(9000))
    assert read(open_capture(found), 1 << 20, 3) == pcap.rows(9000)
    assert read(open_capture(found), 1 << 16, 1000) == pcap.rows(9000)


def ends(content: bytes) -> list[int]:
    """Where a reader of the first octets of `content` has one packet more."""
    found: list[int] = []
    at, big = 24 + 16, content[0] == 0xA1
    if content[:4] != b"\x0a\x0d\x0d\x0a":
        size = 24 if b"\xcd" in content[:4] else 16
        at = 24
        while at < len(content):
            at += size + int.from_bytes(content[at + 8 : at + 12], "big" if big else "little")
            found.append(at)
        return found
    order = "big" if content[8] == 0x1A else "little"
    at = 0
    while at < len(content):
        kind = int.from_bytes(content[at : at + 4], order)
        at += int.from_bytes(content[at + 4 : at + 8], order)
        if kind == 6:
            found.append(at)
    return found


def boundaries(content: bytes) -> set[int]:
    """Where a file may end well."""
    if content[:4] != b"\x0a\x0d\x0d\x0a":
        return {24, *ends(content)}
    order, at, found = "big" if content[8] == 0x1A else "little", 0, set[int]()
    while at < len(content):
        at += int.from_bytes(content[at + 4 : at + 8], order)
        found.add(at)
    return found


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_truncation_at_every_byte(variant: int, tmp_path: Path) -> None:
    content, rows = VARIANTS[variant]
    well, packets = boundaries(content), ends(content)
    header = 28 if content[:4] == b"\x0a\x0d\x0d\x0a" else 24
    for size in range(len(content) + 1):
        source = opened(tmp_path, content[:size])
        whole = sum(end <= size for end in packets)
        assert read(source, 1 << 12) == rows[:whole]
        problem = "capture.empty" if not size else "capture.unknown" if size < 4 else "capture.header" if size < header else "capture.cut"
        assert key(source.error) == (None if size in well else problem)
        if key(source.error) == "capture.cut":
            assert source.error is not None
            assert source.error.values["packet"] == whole + 1
            assert source.error.values["offset"] == max((end for end in well if end < size), default=0)


def test_gzip_cut_and_damaged_at_every_byte(tmp_path: Path) -> None:
    content, rows = Pcap().bytes(40), Pcap().rows(40)
    packed = gzip.compress(content)
    counts: list[int] = []
    for size in range(len(packed)):
        source = opened(tmp_path, packed[:size])
        found = read(source)
        assert found == rows[: len(found)]
        assert source.error is not None
        assert size < 20 or source.error.key in {"capture.gzip", "capture.header", "capture.unknown"}
        assert source.error.text("en")
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[-1] == 40
    for at in range(10, len(packed)):
        broken = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :]
        one, other = opened(tmp_path, broken), opened(tmp_path, broken)
        assert read(one) == read(other, 1 << 12, 3)
        assert one.error is not None
        assert key(one.error) == key(other.error)


def test_what_was_compressed_before_the_damage_is_delivered(tmp_path: Path) -> None:
    pcap = Pcap()
    packed = bytearray(gzip.compress(pcap.bytes(50_000)))
    packed[len(packed) // 2] ^= 0xFF
    source = opened(tmp_path, bytes(packed))
    found = read(source, rows=5000)
    assert key(source.error) in {"capture.gzip", "capture.corrupt"}
    assert 20_000 < len(found) < 50_000


@pytest.mark.parametrize(
    ("content", "at", "packets"),
    [
        (Pcap().bytes(1) + struct.pack("<IIII", 1, 1, 300_000, 300_000) + bytes(1000), 24 + 16 + len(packet(1)), 1),
        (pcapng(count=1) + struct.pack("<II", 6, 33) + bytes(1000), len(pcapng(count=1)), 1),
        (pcapng(count=1) + struct.pack("<II", 6, 1 << 24) + bytes(1000), len(pcapng(count=1)), 1),
        (pcapng(count=1) + struct.pack("<II", 0x99, 8) + bytes(1000), len(pcapng(count=1)), 1),
        (pcapng(count=1) + enhanced("<", 1, b"xy", 2, 7), len(pcapng(count=1)), 1),
        (pcapng(count=1) + enhanced("<", 1, b"xy", 2)[:-4] + bytes(4), len(pcapng(count=1)), 1),
        (pcapng(count=1) + block("<", 0x0A0D0D0A, bytes(16)), len(pcapng(count=1)), 1),
    ],
)
def test_nonsense_stops_the_capture_and_names_the_place(content: bytes, at: int, packets: int, tmp_path: Path) -> None:
    source = opened(tmp_path, content)
    assert len(read(source)) == packets
    assert key(source.error) == "capture.corrupt"
    assert source.error is not None
    assert (source.error.values["offset"], source.error.values["packet"]) == (at, packets + 1)


@pytest.mark.parametrize("least", [1, 200, 60_000])
@pytest.mark.parametrize("left", [8, 13, 40, 67])
def test_reading_goes_on_with_the_section_behind_what_was_torn(left: int, least: int, tmp_path: Path) -> None:
    """As where recordings stand one behind the other, and a full disk or a power cut left so many octets of the last block of one; or zeros."""
    one, other = pcapng(count=3), section(">") + interface(">") + b"".join(enhanced(">", number, bytes(least), least) for number in range(5))
    torn = enhanced("<", 9, b"x" * 36, 36)[:left]
    for content, where, octets in (
        (one + torn + other, len(one), left),
        (one + torn + other + one + bytes(70_001) + other, len(one), left + 70_001),
    ):
        source = opened(tmp_path, content)
        told = read(source)
        assert len(told) == 8 * (content.count(section(">")))
        assert [row[1] for row in told] == list(range(1, len(told) + 1))
        assert key(source.error) == "capture.torn"
        assert source.error is not None
        assert (source.error.values["offset"], source.error.values["octets"]) == (where, octets)
    source = opened(tmp_path, one + torn + bytes(100_000))
    assert len(read(source)) == 3
    assert key(source.error) == "capture.corrupt"
    assert source.error is not None
    assert source.error.values["offset"] == len(one), "where nothing comes behind it, it is where it broke"


def test_breaks_of_a_hostile_file_are_bounded(tmp_path: Path) -> None:
    begun = monotonic()
    source = opened(tmp_path, (section("<") + bytes(16)) * 20_000)
    assert read(source) == []
    assert key(source.error) == "capture.corrupt"
    assert monotonic() - begun < 5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [0x0BAD, 4, 5, 10, 0x0A0D0D0A])
def test_a_block_whose_ends_tell_different_lengths(order: str, kind: int, tmp_path: Path) -> None:
    """Whatever it is: where the next one begins is not known."""
    body = section(order)[8:-4] if kind == 0x0A0D0D0A else bytes(16)
    wrong = block(order, kind, body)[:-4] + struct.pack(f"{order}I", 12)
    before = section(order) + interface(order) + enhanced(order, 5, b"aa", 2)
    content = before + wrong + enhanced(order, 6, b"bb", 2)
    source = opened(tmp_path, content)
    assert len(read(source)) == 1
    assert key(source.error) == "capture.corrupt"
    assert source.error is not None
    assert (source.error.values["offset"], source.error.values["packet"]) == (len(before), 2)
    told = reference(content)
    assert (told.error, told.offset, len(told.packets)) == ("capture.corrupt", len(before), 1)


def test_blocks_larger_than_the_chunk(tmp_path: Path) -> None:
    large = block("<", 0x0BAD, bytes(100_000))
    content = section("<", option("<", 1, bytes(5000))) + interface("<") + large + enhanced("<", 5, b"aa", 2) + large
    source = opened(tmp_path, content)
    assert read(source, 200) == [(5000, 1, b"aa", 2, 0, 1)]
    assert source.error is None
    source = opened(tmp_path, content[:-9])
    assert len(read(source, 200)) == 1
    assert key(source.error) == "capture.cut"
    assert source.error is not None
    assert source.error.values["offset"] == len(content) - len(large)
    for wrong in (b"\x00", large[-4:-3] + b"\xff"):  # its end tells another length than its beginning
        source = opened(tmp_path, content[: -len(large)] + large[:-4] + wrong + large[-4 + len(wrong) :])
        assert len(read(source, 200)) == 1
        assert key(source.error) == "capture.corrupt"
        assert source.error is not None
        assert source.error.values["offset"] == len(content) - len(large)
    source = opened(tmp_path, Pcap().bytes())
    assert read(source, 20) == []  # memory that cannot hold a record is an error, not a loop
    assert key(source.error) == "capture.corrupt"


def test_random_bytes_are_safe(tmp_path: Path) -> None:
    chance = random.Random(1)
    for content, _ in VARIANTS * 12:
        noise = bytearray(content)
        for _ in range(chance.randrange(1, 9)):
            noise[chance.randrange(4, len(noise))] = chance.choice((0, 1, 4, 6, 0x7F, 0xFF, chance.randrange(256)))
        rows = read(one := opened(tmp_path, bytes(noise)))
        assert read(other := opened(tmp_path, bytes(noise)), 1 << 12, 2) == rows
        assert key(one.error) == key(other.error)
        tail = content[:28] + chance.randbytes(500)
        source = opened(tmp_path, tail)
        read(source)
        assert source.error is None or source.error.text("zh")


def test_what_is_no_capture_is_an_error_of_its_own(tmp_path: Path) -> None:
    for content, problem in (
        (b"", "capture.empty"),
        (b"PK\3\4" + bytes(99), "capture.unknown"),
        (gzip.compress(b"hello"), "capture.unknown"),
        (gzip.compress(b""), "capture.empty"),
        (gzip.compress(b"hello")[:9], "capture.gzip"),
        (Pcap().bytes()[:20], "capture.header"),
        (Pcap(linktype=105).bytes(), "capture.linktype"),
        (b"\n\r\r\n are line ends", "capture.unknown"),
    ):
        found = capture(tmp_path, content)
        assert key(found.error) == problem
        source = open_capture(found)
        assert key(source.error) == problem
        assert read(source) == []
    assert "105 (IEEE802_11)" in str(capture(tmp_path, Pcap(linktype=105).bytes()).error)


def test_a_pcapng_whose_packets_cannot_be_read(tmp_path: Path) -> None:
    found = capture(tmp_path, section("<") + interface("<", 192) + enhanced("<", 1, b"xy", 2))
    assert (found.error, found.first) == (None, None)
    source = open_capture(found)
    assert read(source) == []
    assert (key(source.error), source.skipped) == ("capture.linktype", 1)


def test_a_missing_path_is_a_mistake_of_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(Pcap().bytes())
    for path in (tmp_path / "none", tmp_path / "file" / "below", Path("a\0b")):
        with pytest.raises(UsageError, match="no such file"):
            find([str(tmp_path / "file"), str(path)])


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "readme.txt").write_text("no capture", "utf-8")
    (tmp_path / "b" / "empty.pcap").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "b" / "wlan.pcap").write_bytes(Pcap(linktype=105).bytes())
    (tmp_path / "b" / "none.pcap").write_bytes(Pcap().bytes(0))
    (tmp_path / "b" / "c" / "later").write_bytes(gzip.compress(section("<") + interface("<") + enhanced("<", 9 * 10**16, b"xy", 2)))
    for name in ("z.pcap", "y.pcap"):
        (tmp_path / name).write_bytes(Pcap().bytes())
    found = find([str(tmp_path)])
    assert [capture.name for capture in found] == ["y.pcap", "z.pcap", "later", "none.pcap", "wlan.pcap"]
    assert [capture.error.key if capture.error else None for capture in found] == [None, None, None, None, "capture.linktype"]
    assert sorted(Path(path).name for path in found.left_out) == ["empty.pcap", "gone", "pipe", "readme.txt"]
    assert read(open_capture(found[3])) == []


def test_a_file_that_goes_away_or_cannot_be_opened(tmp_path: Path) -> None:
    found = capture(tmp_path, Pcap().bytes())
    Path(found.path).unlink()
    source = open_capture(found)
    assert key(source.error) == "capture.unreadable"
    assert read(source) == []
    source = open_capture(replace(found, path=str(tmp_path)))
    assert source.error is not None
    assert source.error.key == "capture.unreadable"
    source.close()


def test_a_pipe_that_does_not_fit_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "RESERVE", 1 << 60)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Pcap().bytes())))
    (found,) = find(["-"])
    assert found.error is not None
    assert found.error.key == "capture.spool"
    assert "TMPDIR" in found.error.text("en")
    assert list(tmp_path.iterdir()) == []


def test_a_spool_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Pcap().bytes())))
    (found,) = find(["-"])
    file = found.file
    assert list(tmp_path.iterdir()) == []
    source = open_capture(found)
    del found
    assert len(read(source)) == 5
    del source
    assert not Path(file).exists()


def test_finding_captures_loads_no_compiler() -> None:
    code = "import sys; from sensors.sources.pcap import find; find(['tests']); sys.exit(bool({'numba', 'sensors.engine.octets'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0


@pytest.mark.skipif(INTERPRETED, reason="this is that run")
def test_the_same_interpreted() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "variant and not truncation or any or blocks or random or sections",
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.tshark
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
def test_what_editcap_writes(kind: str, tmp_path: Path) -> None:
    need("tshark", shutil.which("editcap") is not None, "editcap is not installed")
    (tmp_path / "in").write_bytes(Pcap(nano=True).bytes(30))
    subprocess.run(["editcap", "-F", kind, str(tmp_path / "in"), str(tmp_path / "out")], check=True, capture_output=True)
    (found,) = find([str(tmp_path / "out")])
    source = open_capture(found)
    assert read(source) == expected(30, unit=1 if kind in {"nsecpcap", "pcapng"} else 1000)
    assert source.error is None


# of the captures that others recorded: the link types that are not read, as the index calls them
UNREADABLE = {"ppi", "wpan"}


def _index() -> list[dict[str, Any]]:
    if not (SHARED / "index.csv").is_file():
        return []
    with (SHARED / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.captures
def test_captures_of_others_hold_what_their_index_says() -> None:
    need("captures", bool(_index()), f"{SHARED} is not there")
    wrong: list[tuple[str, int, str | None]] = []
    for row in _index():
        (found,) = find([str(SHARED / row["capture"])])
        source = open_capture(found)
        rows = read(source, 4 << 20, 4096)
        problem = source.error and source.error.key
        if row["linktype"] in UNREADABLE and problem == "capture.linktype":
            continue
        if len(rows) != int(row["packets"]) or problem or rows[0][0] != found.first:
            wrong.append((row["capture"], len(rows), problem))
    assert wrong == []


@pytest.mark.captures
@pytest.mark.tshark
def test_attack_captures_are_read_as_tshark_reads_them() -> None:
    need("captures", SHARED.is_dir(), f"{SHARED} is not there")
    need("tshark", shutil.which("capinfos") is not None, "capinfos is not installed")
    found = find([str(SHARED / "attacks")])
    assert len(found) > 5
    table_of = subprocess.run(["capinfos", "-Trc", *(c.path for c in found)], capture_output=True, text=True, check=False).stdout
    counts = {path: int(count) for path, count in (line.split("\t") for line in table_of.splitlines())}
    for each in found:
        source = open_capture(each)
        rows = read(source, 4 << 20, 4096)
        assert (each.path, len(rows) + source.skipped, source.error) == (each.path, counts[each.path], None)
