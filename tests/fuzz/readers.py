"""Capture files, damaged: the readers against a slow and simple reader of the same formats.

What holds for any file: nothing is raised; what is wrong stands in `error` with an offset in the file; every packet before that is delivered.
Run as a program, this is a target of atheris: `python -m tests.fuzz.readers CORPUS [options of libFuzzer]`.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import struct
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.engine.tables import PACKET, table

if TYPE_CHECKING:
    from random import Random

Case = list[Any]
PCAP: Final = {0xA1B2C3D4: 16, 0xA1B23C4D: 16, 0xA1B2CD34: 24}
READABLE: Final = {0, 1, 12, 14, 101, 108, 113, 228, 229, 276}
LARGEST, LARGEST_BLOCK = 1 << 18, 1 << 19
HEADERS, TORN = 1 << 14, 1000
ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
ROOM: Final = 1 << 20


@dataclass
class Told:
    """What a file holds: the octets of its packets, why and where it ends early, and its largest record."""

    packets: list[bytes] = field(default_factory=list[bytes])
    error: str = ""
    offset: int = -1
    largest: int = 0

    def stop(self, error: str, offset: int) -> Told:
        """It ends here."""
        self.error, self.offset = error, offset
        return self


@dataclass
class Blocks:
    """What was seen in all sections: headers, and packets of interfaces that cannot be read."""

    headers: int = 0
    unread: int = 0


def unzip(data: bytes) -> tuple[bytes, bool]:
    """What is compressed in `data`, and whether it is damaged; `data` itself where it is not compressed."""
    if data[:2] != b"\x1f\x8b":
        return data, False
    whole, inflate, begun = b"", zlib.decompressobj(31), False
    for at in range(len(data)):
        if inflate.eof:
            if data[at] == 0:
                continue
            inflate = zlib.decompressobj(31)
        begun = True
        try:
            whole += inflate.decompress(data[at : at + 1])
        except zlib.error:
            return whole, True
    return whole, begun and not inflate.eof


def reference(data: bytes) -> Told:
    """Read a capture file the simple way."""
    data, damaged = unzip(data)
    told = Told()
    if not data:
        return told.stop("capture.gzip" if damaged else "capture.empty", 0 if damaged else -1)
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        _blocks(data, told)
    else:
        _records(data, told)
    if told.error in ("", "capture.cut", "capture.torn") and damaged:
        told.stop("capture.gzip", told.offset)
    return told


def _records(data: bytes, told: Told) -> None:
    order = next((order for order in "<>" if len(data) >= 4 and struct.unpack_from(f"{order}I", data)[0] in PCAP), "")
    if not order:
        told.stop("capture.unknown", -1)
        return
    if len(data) < 24:
        told.stop("capture.header", len(data))
        return
    header = PCAP[struct.unpack_from(f"{order}I", data)[0]]
    if struct.unpack_from(f"{order}I", data, 20)[0] & 0x3FFFFFF not in READABLE:
        told.stop("capture.linktype", -1)
        return
    at = 24
    while at < len(data):
        if at + header > len(data):
            told.stop("capture.cut", at)
            return
        (captured,) = struct.unpack_from(f"{order}I", data, at + 8)
        if captured > LARGEST:
            told.stop("capture.corrupt", at)
            return
        if at + header + captured > len(data):
            told.stop("capture.cut", at)
            return
        told.packets.append(data[at + header : at + header + captured])
        at += header + captured
    told.offset = at


def _blocks(data: bytes, told: Told) -> None:
    if len(data) >= 12 and data[8:12] not in ORDERS:
        told.stop("capture.unknown", -1)
        return
    if len(data) < 28:
        told.stop("capture.header", len(data))
        return
    seen, torn, at = Blocks(), list[int](), 0
    while True:
        sound = _sections(data, at, told, seen)
        at = -1 if sound or len(torn) >= TORN or seen.headers > HEADERS else _section(data, told.offset + 1)
        if at < 0:
            break
        torn.append(told.offset)
        told.error = ""
    if not told.error and torn:
        told.stop("capture.torn", torn[0])
    elif not told.error and seen.unread:
        told.stop("capture.interfaces" if told.packets else "capture.linktype", told.offset)


def _section(data: bytes, at: int) -> int:
    """Where the next section begins, from there on; -1 where none does."""
    while (at := data.find(b"\x0a\x0d\x0d\x0a", at)) >= 0 and at + 28 <= len(data):
        if (order := ORDERS.get(data[at + 8 : at + 12])) and struct.unpack_from(f"{order}H", data, at + 12)[0] == 1:
            (length,) = struct.unpack_from(f"{order}I", data, at + 4)
            if length >= 28 and length % 4 == 0:
                return at
        at += 1
    return -1


def _sections(data: bytes, at: int, told: Told, seen: Blocks) -> bool:
    """Read blocks from a section header on; False where it ends in what makes no sense, or in a block that is read and cut off."""
    order, interfaces = "<", list[tuple[int, int]]()
    while at < len(data):
        rest = len(data) - at
        told.offset = at
        if rest < 12:
            return bool(told.stop("capture.cut", at))
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if kind == 0x0A0D0D0A:
            if rest < 28:
                return bool(told.stop("capture.cut", at))
            order = ORDERS.get(data[at + 8 : at + 12], "")
            if not order or struct.unpack_from(f"{order}H", data, at + 12)[0] != 1:
                return not told.stop("capture.corrupt", at)
            (length,) = struct.unpack_from(f"{order}I", data, at + 4)
            interfaces, seen.headers = [], seen.headers + 1
            if length < 28 or length % 4 or seen.headers > HEADERS:
                return not told.stop("capture.corrupt", at)
        elif length < 12 or length % 4 or (kind in (1, 2, 3, 6) and length > LARGEST_BLOCK):
            return not told.stop("capture.corrupt", at)
        if length > rest:
            return (kind not in (1, 2, 3, 6) and not (kind == 5 and 24 <= length <= LARGEST_BLOCK)) == bool(told.stop("capture.cut", at))
        block = data[at : at + length]
        if struct.unpack_from(f"{order}I", block, length - 4)[0] != length:
            return not told.stop("capture.corrupt", at)
        if kind == 1:
            seen.headers += 1
            if length < 20 or seen.headers > HEADERS:
                return not told.stop("capture.corrupt", at)
            linktype, _, snap = struct.unpack_from(f"{order}HHI", block, 8)
            interfaces.append((linktype, snap or LARGEST))
        elif kind in (2, 3, 6):
            head = 12 if kind == 3 else 28
            number = 0 if kind == 3 else struct.unpack_from(f"{order}{'H' if kind == 2 else 'I'}", block, 8)[0] if length >= 12 else 0
            if length < head + 4 or number >= len(interfaces):
                return not told.stop("capture.corrupt", at)
            (captured,) = struct.unpack_from(f"{order}I", block, 8 if kind == 3 else 20)
            if kind == 3:
                captured = min(captured, interfaces[0][1], length - 16)
            if captured > LARGEST or head + captured + 4 > length:
                return not told.stop("capture.corrupt", at)
            if interfaces[number][0] in READABLE:
                told.packets.append(block[head : head + captured])
            else:
                seen.unread += 1
        at += length
    told.offset = at
    return True


def delivered(path: Path, memory: Any, packets: Any, start: int, guard: Any = None, out: Any = None) -> tuple[list[bytes], Any]:
    """What our reader makes of a file: octets of packets, and its error. Where there is room in `out`, they are written on, too, and read again."""
    from sensors.sources.pcap import find, open_capture

    (found,) = find([str(path)])
    source = open_capture(found)
    if guard is not None:
        guard((source,))
    read: list[bytes] = []
    try:
        while count := source.batch(memory, start, packets):
            for row in packets[:count]:
                assert start <= row.at <= row.at + row.captured <= len(memory), "a packet outside of the arena"
                assert row.wire >= row.captured >= 0
                assert 0 <= row.time <= 1 << 63 - 1
                read.append(memory[row.at : row.at + row.captured].tobytes())
            if out is not None:
                written_on(memory, packets, count, out, len(source.interfaces), read[-count:])
            memory[start:] = 0xEE  # the engine's between calls
    finally:
        source.close()
    assert source.packets == len(read)
    assert source.octets == sum(len(packet) for packet in read)
    return read, source.error


def written_on(memory: Any, packets: Any, count: int, out: Any, interfaces: int, expected: list[bytes]) -> None:
    """What a sensor hands on of packets that came over TCP or from a folder says what they said, with interfaces numbered anew."""
    from sensors.sources.feeds import rewrite

    numbers = np.arange(interfaces, dtype=np.int64)[::-1].copy()
    octets, at = out[: rewrite(memory, packets, count, numbers, out)].tobytes(), 0
    for row, packet in zip(packets[:count], expected, strict=True):
        kind, length, interface, high, low, captured, wire = struct.unpack_from("<7I", octets, at)
        said, meant = (kind, interface, high << 32 | low, captured, wire), (6, interfaces - 1 - row.interface, row.time, len(packet), row.wire & 0xFFFFFFFF)
        assert said == meant, f"{said} for {meant}"
        assert octets[at + 28 : at + 28 + captured] == packet
        assert struct.unpack_from("<I", octets, at + length - 4) == (length,)
        at += length
    assert at == len(octets)


def compare(data: bytes, read: list[bytes], error: Any, room: int) -> None:
    """Our reader against the simple one."""
    told = reference(data)
    if error is not None and "offset" in error.values:
        assert 0 <= error.values["offset"] <= len(unzip(data)[0]), "an offset that is not in the file"
    if room < ROOM:
        assert read == told.packets[: len(read)], "other packets"
        return
    assert read == told.packets, f"{len(read)} packets instead of {len(told.packets)}"
    assert (error.key if error else "") == told.error, f"{error.key if error else 'no error'} instead of {told.error or 'none'}"
    if error is not None and told.offset >= 0 and "offset" in error.values:
        assert error.values["offset"] == told.offset, f"offset {error.values['offset']} instead of {told.offset}"


# ── guarded, mutated by us ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def seeds() -> tuple[bytes, ...]:
    """Small captures of each format, ours and real ones."""
    from tests.fuzz import corpus
    from tests.test_sources import Pcap, enhanced, interface, pcapng, section

    made = [Pcap(order, nano, modified).bytes() for order in "<>" for nano, modified in ((False, False), (True, False), (False, True))]
    made += [pcapng(order) for order in "<>"]
    made.append(pcapng("<")[:-9] + pcapng(">"))  # torn, and another behind it
    made.append(section("<") + interface("<", 147) + interface("<", 1) + enhanced("<", 5, b"unread", 6, 0) + pcapng(">") + enhanced("<", 7, b"read" * 9, 40))
    made += [gzip.compress(data, level, mtime=0) for data in (made[0], made[6]) for level in (0, 6)]
    made.append(gzip.compress(made[0][:50], mtime=0) + bytes(7) + gzip.compress(made[0][50:], mtime=0))
    made += [path.read_bytes() for path, _ in corpus.captures() if path.stat().st_size < 6000][:40]
    return tuple(made)


def make(dice: Random) -> Case:
    """Files with their headers, record headers or any octets mutated; and how much room and how many rows the reader gets."""
    from tests.fuzz import mutate

    seed = dice.choice(seeds())
    data = mutate.octets(seed, dice, dice.choice(seeds()))
    if dice.random() < 0.3 and seed[:2] != b"\x1f\x8b":  # after whole packets, so that there is something to lose
        data = seed + data
    room = dice.choice((ROOM, ROOM, max(len(data), 64), dice.randrange(64, 512)))
    return [data.hex(), room, dice.choice((1, 3, 64)), dice.randrange(2)]


def run_guarded(case: Case) -> tuple[int, str]:
    """Read it where the bytes end at a page that nobody may touch."""
    from tests.fuzz.guarded import guard, guarded

    data, room, rows, ends = bytes.fromhex(case[0]), case[1], case[2], bool(case[3])
    memory, packets = guarded(np.zeros(8 + room, np.uint8), ends), guarded(table(rows, PACKET), ends)
    out = guarded(np.zeros(room + rows * 40, np.uint8), ends)
    with tempfile.NamedTemporaryFile(prefix="balefire-fuzz-", dir=_folder()) as file:
        file.write(data)
        file.flush()
        read, error = delivered(Path(file.name), memory, packets, 8, partial(guard, ends=ends), out)
    compare(data, read, error, room)
    return 1, hashlib.blake2b(repr((read, str(error.key) if error else "")).encode(), digest_size=8).hexdigest()


@cache
def _folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


# ── atheris ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def main() -> None:
    """Hand this process to atheris."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["sensors.sources"]):
        importlib.import_module("sensors.sources.pcap")
        importlib.import_module("sensors.sources.reader")
    memory, packets = np.zeros(8 + ROOM, np.uint8), table(64, PACKET)
    file = Path(tempfile.mkdtemp(prefix="balefire-fuzz-", dir=_folder())) / "input"

    def one(data: bytes) -> None:
        file.write_bytes(data)
        compare(data, *delivered(file, memory, packets, 8), ROOM)

    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *sys.argv[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
