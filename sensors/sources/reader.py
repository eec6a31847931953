"""A capture file as a source of batches: chunks go straight into the arena, kernels index the records in them.

What stands behind the last whole record of a batch is kept here, for the arena's bytes are the engine's between calls.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.errors import InputError
from sensors.engine.octets import borrow, entry, inline, u16be, u16le, u32be, u32le
from sensors.engine.tables import table
from sensors.sources.again import Mark
from sensors.sources.files import beginning
from sensors.sources.formats import (
    CLASSIC,
    ENHANCED,
    FILE_HEADER,
    INTERFACE,
    INTERFACE_BLOCK,
    LARGEST,
    LARGEST_BLOCK,
    PACKET_BLOCK,
    SECTION,
    SECTION_HEADER,
    SECTION_MAGIC,
    SIMPLE,
    STATISTICS,
    classic,
    describe,
    linktype_name,
    look,
    nanoseconds,
    section_order,
)
from sensors.sources.interfaces import Interfaces

if TYPE_CHECKING:
    from records.errors import BalefireError
    from sensors.source import Drop, Tick
    from sensors.sources.again import Marks
    from sensors.sources.pcap import Capture
    from sensors.sources.stream import Seekable, Stream

HEADERS: Final = 1 << 14  # sections and interfaces of one file: what is behind them is not read

MOST_TORN: Final = 1000  # times that reading goes on with a section behind what makes no sense …
MOST_PASSED: Final = 64 << 20  # … and octets in which it is looked for
PIECE: Final = 1 << 16

# why a kernel stopped
FULL: Final = 0  # no row left
MORE: Final = 1  # the next record is not complete
HEADER: Final = 2  # a section, an interface or what was dropped there, which is read in Python
BROKEN: Final = 3  # nonsense: where the next record would begin is not known

# `at` and `end` bound the bytes to index; `skip` is what remains of a block beyond them; `time` is that of the last packet; `octets` are the captured ones
WALK: Final = np.dtype(
    [
        (name, "i8")
        for name in ("at", "end", "row", "big", "number", "octets", "stop", "skip", "skipped", "time", "section", "interfaces", "scale", "header", "linktype")
    ]
    + [("short", "u1")],
    align=True,
)


@inline
def _u16(memory: Any, at: int, walk: Any) -> int:
    return u16be(memory, at, walk.end, walk) if walk.big else u16le(memory, at, walk.end, walk)


@inline
def _u32(memory: Any, at: int, walk: Any) -> int:
    return u32be(memory, at, walk.end, walk) if walk.big else u32le(memory, at, walk.end, walk)


_nanoseconds = inline(nanoseconds)


@entry
def index_classic(memory: Any, packets: Any, walks: Any) -> None:
    """Rows from walk.row on for the records of a pcap in memory[walk.at:walk.end]; `walk` says where and why it stopped."""
    memory, packets, walk = borrow(memory), borrow(packets), borrow(walks)[0]
    at, row, end = walk.at, walk.row, walk.end
    walk.stop = FULL
    while row < len(packets):
        walk.stop = MORE
        if at + walk.header > end:
            break
        captured = _u32(memory, at + 8, walk)
        if captured > LARGEST:
            walk.stop = BROKEN
            break
        if at + walk.header + captured > end:
            break
        walk.stop = FULL
        walk.number += 1
        walk.octets += captured
        packet = packets[row]
        packet.time = _u32(memory, at, walk) * 1_000_000_000 + _u32(memory, at + 4, walk) * walk.scale
        packet.number = walk.number
        packet.at = at + walk.header
        packet.captured = captured
        packet.wire = max(_u32(memory, at + 12, walk), captured)
        packet.interface = 0
        packet.linktype = walk.linktype
        row += 1
        at += walk.header + captured
    walk.at, walk.row = at, row


@inline
def _packet_block(memory: Any, at: int, kind: int, length: int, interfaces: Any, packet: Any, walk: Any) -> int:
    """Fill a row from a packet block that is complete. Returns 1, 0 where its interface cannot be read, -1 where it is nonsense."""
    number, head = 0, 28
    if kind == SIMPLE:
        head = 12
    elif kind == ENHANCED:
        number = _u32(memory, at + 8, walk)
    else:
        number = _u16(memory, at + 8, walk)
    if length < head + 4 or number >= walk.interfaces:
        return -1
    interface = interfaces[walk.section + number]
    time = walk.time  # a simple packet block has none: that of the packet before it
    wire = _u32(memory, at + head - 4, walk)
    if kind == SIMPLE:
        captured = min(wire, interface.snap, length - 16)
    else:
        captured = _u32(memory, at + 20, walk)
        time = _nanoseconds(min(_u32(memory, at + 12, walk), 0x7FFFFFFF) << 32 | _u32(memory, at + 16, walk), interface)
    if captured > LARGEST or head + captured + 4 > length:
        return -1
    if not interface.readable:
        return 0
    walk.time = time
    walk.octets += captured
    packet.time = time
    packet.number = walk.number + 1
    packet.at = at + head
    packet.captured = captured
    packet.wire = max(wire, captured)
    packet.interface = walk.section + number
    packet.linktype = interface.linktype
    return 1


@entry
def index_blocks(memory: Any, packets: Any, interfaces: Any, walks: Any) -> None:
    """Rows for the packet blocks of a pcapng in memory[walk.at:walk.end]; as above."""
    memory, packets, interfaces, walk = borrow(memory), borrow(packets), borrow(interfaces), borrow(walks)[0]
    at, row, end = walk.at, walk.row, walk.end
    walk.stop = FULL
    while row < len(packets):
        walk.stop = MORE
        if at + 12 > end:
            break
        kind, length = _u32(memory, at, walk), _u32(memory, at + 4, walk)
        if kind == SECTION:
            walk.stop = HEADER
            break
        known = kind in (ENHANCED, SIMPLE, PACKET_BLOCK, INTERFACE_BLOCK)
        told = kind == STATISTICS and 24 <= length <= LARGEST_BLOCK
        if length < 12 or length % 4 != 0 or (known and length > LARGEST_BLOCK):
            walk.stop = BROKEN
            break
        if at + length > end:
            walk.skip = 0 if known or told else length  # what is not read may be larger than the chunk
            break
        if _u32(memory, at + length - 4, walk) != length:
            walk.stop = BROKEN
            break
        if told:
            walk.stop = HEADER
            break
        if known:
            if kind == INTERFACE_BLOCK:
                walk.stop = HEADER
                break
            read = _packet_block(memory, at, kind, length, interfaces, packets[row], walk)
            if read < 0:
                walk.stop = BROKEN
                break
            walk.number += 1
            walk.skipped += 1 - read
            row += read
        walk.stop = FULL
        at += length
    walk.at, walk.row = at, row


class CaptureSource:
    """The packets of one capture file.

    `error` says where it was bad or cut off, everything before that is delivered; `octets` and `packets` count what was delivered, `skipped` the
    packets of interfaces that cannot be read. `marks` are told where each batch begins; `stream`, where it is given, is read from where `go` says.
    """

    def __init__(self, capture: Capture, marks: Marks | None = None, stream: Seekable | None = None) -> None:
        self.name = capture.name
        self._capture = capture  # keeps its spool
        self._marks = marks
        self.error: BalefireError | None = None
        self.packets = self.octets = self.skipped = 0
        self._interfaces = Interfaces()
        self.patient = True
        self._path = capture.path
        self._walks = table(1, WALK)
        self._table = table(8, INTERFACE)
        self._rest = bytearray()  # read and not indexed yet, from _taken on
        self._taken = 0
        self._offset = 0  # of the next record in the file, or in what is compressed in it
        self._skip = 0  # octets of a block to pass over before the next record
        self._block = 0  # its length …
        self._tail = b""  # … and the last octets of it that were passed over, which tell it once more
        self._headers = 0
        self._torn: list[tuple[int, int]] = []  # where what was passed over began, and how many octets of it there were
        self._over = False
        self._stream: Stream | Seekable | None = stream
        self._blocks = False
        if stream is not None:
            return
        try:
            self._stream = capture.open()
            self._begin(self._stream)
        except OSError as error:
            self._end("capture.unreadable", reason=error.strerror or str(error))
        except InputError as error:
            self.error, self._over = error, True
        if self._over:
            self.close()

    def _begin(self, stream: Stream) -> None:
        """Read what a pcap begins with; a pcapng begins with a block like others."""
        head = beginning(stream, SECTION_HEADER)
        if stream.damaged and not head:
            raise InputError("capture.gzip", file=self._path, offset=0, packet=1)
        look(head, self._path)
        walk = self._walks[0]
        if header := classic(head):
            walk.big, walk.scale, walk.header, walk.linktype = header.big, header.scale, header.header, header.linktype
            self._interfaces.names = [""]
            self._table[0].linktype, self._table[0].snap = header.linktype, header.snap
            self._offset = FILE_HEADER
        self._blocks = head[:4] not in CLASSIC
        self._rest += head[self._offset :]

    @property
    def interfaces(self) -> list[str]:
        """The names of the interfaces that rows number, in all sections; a pcap has one without a name."""
        return self._interfaces.names

    @property
    def drops(self) -> list[Drop]:
        """What was dropped within the last batch, as interfaces tell."""
        return self._interfaces.drops

    @property
    def ticks(self) -> list[Tick]:
        """How time passed within the last batch, as our own sensor told."""
        return self._interfaces.ticks

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """The next packets: see `Source`. A record that is larger than memory[start:] ends the capture as nonsense does."""
        arena = memoryview(memory)
        walk = self._walks[0]
        self._interfaces.drops, self._interfaces.ticks = [], []
        most = len(arena) - start
        room = min(most, max(len(packets) << 11, 1 << 16))  # more than the rows can take would only be kept and moved again
        while not self._over and len(packets):
            try:
                copied, end, last = self._fill(arena, start, start + room)
            except OSError as error:
                self._end("capture.unreadable", reason=error.strerror or str(error))
                break
            if self._skip:  # the file ends inside the block
                self._finish()
            if self._over:
                break
            offset, before = self._offset, self._walks.copy() if self._marks is not None else None
            self._index(memory, start, end, packets)
            self._keep(arena, start, copied, end)
            if walk.row:
                if self._marks is not None:
                    mark = Mark(int(packets[0].number), offset, before, self._table, self.interfaces, self._blocks)
                    self._marks.add(mark, int(packets[walk.row - 1].number))
                self.packets += int(walk.row)
                return int(walk.row)
            if self.ticks and self.packets and not self.patient:  # what time it is matters once there is something
                return 0
            if walk.stop == BROKEN:
                if not self._resume():
                    self._end("capture.corrupt")
            elif not self._skip and last:
                self._finish()
            elif not self._skip and walk.at == start and end == start + most:
                self._end("capture.corrupt")
            room = most
        return 0

    def go(self, mark: Mark) -> bool:
        """Read on from there; False where those bytes are gone. Raises OSError."""
        (walk,) = self._walks = mark.walk.copy()
        known = mark.names[: walk.section + walk.interfaces] if mark.blocks else list(mark.names)
        self._table, self._interfaces.names, self._blocks = mark.interfaces.copy(), known, mark.blocks
        self._rest, self._taken, self._offset, self._skip, self._over, self.error = bytearray(), 0, mark.offset, 0, False, None
        stream: Any = self._stream
        return bool(stream.seek(mark.offset))

    def interface(self, number: int) -> tuple[str, int, int]:
        """Name, link type and snap length of an interface that the rows number."""
        row = self._table[number]
        return self.interfaces[number], int(row.linktype), int(row.snap)

    def close(self) -> None:
        """Let go of the file."""
        self._over = True
        if self._stream is not None:
            self._stream.close()

    def _fill(self, arena: memoryview, start: int, end: int) -> tuple[int, int, bool]:
        """Bring what is kept and then what follows in the file into arena[start:end]: of a pipe, what has come, or the next that comes.

        Returns how much was kept, where all of it ends, and whether the file does, too.
        """
        stream = self._stream
        assert stream is not None  # noqa: S101  (where there is none, all is over)
        while self._skip:
            passed = min(self._skip, len(self._rest) - self._taken)
            piece = memoryview(self._rest[self._taken : self._taken + passed])
            self._taken += passed
            if not passed:
                passed = stream.readinto(arena[start : min(end, start + self._skip)])
                piece = arena[start : start + passed]
            self._skip -= passed
            self._tail = (self._tail + bytes(piece[-4:]))[-4:]
            if not passed or (not self._skip and not self._passed()):
                return 0, start, True
        copied = min(len(self._rest) - self._taken, end - start)
        at = start + copied
        arena[start:at] = self._rest[self._taken : self._taken + copied]
        while at < end:
            got = stream.readinto(arena[at:end])
            at += got
            if not got or not stream.ready():
                return copied, at, not got
        return copied, at, False

    def _passed(self) -> bool:
        """A block that is not read was passed over. Does its end tell the same length as its beginning?"""
        if int.from_bytes(self._tail, "big" if self._walks[0].big else "little") != self._block:
            self._end("capture.corrupt")
            return False
        self._offset += self._block
        return True

    def _index(self, memory: Any, start: int, end: int, packets: Any) -> None:
        """Run the kernel, and read the headers where it stops at one."""
        walk = self._walks[0]
        walk.at, walk.end, walk.row, walk.stop = start, end, 0, HEADER
        while walk.stop == HEADER:
            if self._blocks:
                index_blocks(memory, packets, self._table, self._walks)
            else:
                index_classic(memory, packets, self._walks)
            if walk.stop == HEADER:
                self._header(memoryview(memory)[walk.at : end])
        self._offset += int(walk.at) - start
        self._skip = self._block = int(walk.skip)
        walk.skip = 0
        self.octets, self.skipped = int(walk.octets), int(walk.skipped)

    def _header(self, block: memoryview) -> None:
        """Read the section header, interface description or statistics that `block` begins with, and pass over it."""
        walk = self._walks[0]
        order = ">" if walk.big else "<"
        (kind,) = struct.unpack_from(f"{order}I", block)
        if kind == SECTION:
            if len(block) < SECTION_HEADER:
                walk.stop = MORE
                return
            found = section_order(bytes(block[:SECTION_HEADER]))
            if found is None:
                walk.stop = BROKEN
                return
            order = found
            walk.big = order == ">"
            walk.section += walk.interfaces
            walk.interfaces = 0
            (length,) = struct.unpack_from(f"{order}I", block, 4)
            self._interfaces.section(bytes(block[:length]), order)
        (length,) = struct.unpack_from(f"{order}I", block, 4)
        if kind == SECTION and length <= len(block) and struct.unpack_from(f"{order}I", block, length - 4)[0] != length:
            walk.stop = BROKEN
            return
        if kind == STATISTICS:
            self._interfaces.statistics(bytes(block[:length]), order, int(walk.row), self._table)
            walk.at += length
            return
        self._headers += 1
        if self._headers > HEADERS or (kind != SECTION and length < 20):
            walk.stop = BROKEN
            return
        if kind != SECTION:
            self._interface(bytes(block[:length]), order)
        if length > len(block):
            walk.skip, walk.stop = length, MORE
        else:
            walk.at += length

    def _interface(self, block: bytes, order: str) -> None:
        """One more interface of this section."""
        if len(self.interfaces) == len(self._table):
            self._table = np.concatenate([self._table, table(len(self._table), INTERFACE)]).view(np.recarray)
        self._interfaces.describe(describe(block, order, self._table[len(self.interfaces)]))
        self._walks[0].interfaces += 1

    def _keep(self, arena: memoryview, start: int, copied: int, end: int) -> None:
        """Keep arena[walk.at:end]; what stands in `_rest` already stays there."""
        at = int(self._walks[0].at)
        if at > start + copied:
            self._rest, self._taken = bytearray(arena[at:end]), 0
            return
        self._taken += at - start
        self._rest += arena[start + copied : end]
        if self._taken > len(self._rest) // 2:
            del self._rest[: self._taken]
            self._taken = 0

    def _finish(self) -> None:
        """The file has ended: well, or inside a record."""
        stream = self._stream
        if stream is not None and stream.stopped:
            self._end("capture.stopped")
        elif stream is not None and stream.damaged:
            self._end("capture.gzip")
        elif self._skip or len(self._rest) > self._taken:
            if not self._skip and self._resume():
                return
            self._end("capture.cut")
        elif self._torn:
            self._end("capture.torn", offset=self._torn[0][0], octets=sum(octets for _, octets in self._torn))
        elif self.skipped:
            numbers = [int(row.linktype) for row in self._table[: len(self.interfaces)] if not row.readable]
            key = "capture.linktype" if not self.packets else "capture.interfaces"
            self._end(key, number=numbers[0], name=linktype_name(numbers[0]), skipped=self.skipped)
        self._over = True

    def _resume(self) -> bool:
        """Go on with the next section behind what makes no sense, if one comes soon: recordings stand one behind the other, and one may be torn at its end.

        False where none does; then what is read says nothing any more.
        """
        stream, rest, passed, begin = self._stream, self._rest[self._taken :], 0, 1
        if stream is None or not self._blocks or len(self._torn) >= MOST_TORN or self._headers > HEADERS:
            return False
        piece = memoryview(bytearray(PIECE))
        while passed < MOST_PASSED:
            found = rest.find(SECTION_MAGIC, begin)
            if found >= 0 and found + SECTION_HEADER <= len(rest):
                begin = found + 1
                if section_order(bytes(rest[found : found + SECTION_HEADER])) is not None:
                    self._torn.append((self._offset, passed + found))
                    self._rest, self._taken, self._offset = rest[found:], 0, self._offset + passed + found
                    return True
                continue
            over = found if found >= 0 else max(len(rest) - len(SECTION_MAGIC) + 1, 0)
            passed, begin = passed + over, max(begin - over, 0)
            del rest[:over]
            try:
                got = stream.readinto(piece)
            except OSError:
                return False
            if not got:
                return False
            rest += piece[:got]
        return False

    def _end(self, key: str, **values: object) -> None:
        """Nothing more is read, and why."""
        place = {"file": self._path, "offset": self._offset, "packet": int(self._walks[0].number) + 1}
        self.error, self._over = InputError(key, **place | values), True
