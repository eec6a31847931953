"""Packets as pcapng (draft-ietf-opsawg-pcapng): written for people who go on in Wireshark, each with a comment that says why it is there.

Times are nanoseconds, octets are those that were captured, none is changed. What was kept is read back here, too.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from records.errors import InputError
from sensors.sources.formats import ENHANCED, INTERFACE_BLOCK, SECTION, SECTION_HEADER, STATISTICS, options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO

MAGIC: Final = 0x1A2B3C4D
COMMENT, NAME, APPLICATION, RESOLUTION = 1, 2, 4, 9  # options: of every block, of an interface, of a section, of an interface
RECEIVED, DROPPED = 4, 7  # … of statistics
DARK: Final = 0x8001  # … of ours (codes from 0x8000 on are everyone's own): nanoseconds since the last in which nothing could come
ABSENT: Final = 0x8002  # … nanoseconds before it in which nobody listened
PRESSED: Final = 0x8004  # … 1 where whoever reads this falls behind, and is to let go what only looks
BROKEN: Final = 0x8003  # … what is to be told of a capture that is cut off or corrupt, of which no more comes
NANOSECONDS: Final = b"\x09"
LONGEST: Final = 0xFFFF - 3  # octets of an option's value
_BEGIN, _END, _PACKET = struct.Struct("<II"), struct.Struct("<I"), struct.Struct("<III")
END: Final = struct.pack("<HH", 0, 0)


@dataclass(frozen=True, slots=True)
class Interface:
    """What packets were captured on: name, link type, snap length (0: without limit)."""

    name: str
    linktype: int
    snap: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: time in nanoseconds, its length on the wire, and the octets that were captured."""

    time: int
    wire: int
    octets: bytes
    interface: Interface


class Writer:
    """One section with its interfaces as they come up, and packets; everything goes to `file` at once."""

    def __init__(self, file: IO[bytes], comment: str = "", application: str = "") -> None:
        self._file = file
        self._interfaces: dict[Interface, int] = {}
        body = struct.pack("<IHHq", MAGIC, 1, 0, -1)
        file.write(_block(SECTION, body, _options({COMMENT: _text(comment), APPLICATION: _text(application)})))

    def number(self, interface: Interface) -> int:
        """The number of an interface in this section, in which it is described from now on."""
        number = self._interfaces.get(interface)
        if number is None:
            number = self._interfaces[interface] = len(self._interfaces)
            body = struct.pack("<HHI", interface.linktype, 0, interface.snap)
            self._file.write(_block(INTERFACE_BLOCK, body, _options({NAME: _text(interface.name), RESOLUTION: NANOSECONDS})))
        return number

    def add(self, packet: Packet, comment: str = "") -> None:
        """One more packet."""
        octets, time = packet.octets, packet.time
        head = struct.pack("<IIIII", self.number(packet.interface), time >> 32, time & 0xFFFFFFFF, len(octets), packet.wire)
        self._file.write(_block(ENHANCED, head + octets + bytes(-len(octets) & 3), _options({COMMENT: _text(comment)})))


def statistics(
    number: int, time: int, packets: int, dropped: int, before: int | None = None, dark: int = 0, absent: int = 0, broken: str = "", pressed: bool = False
) -> bytes:
    """What an interface took and what the operating system dropped of it since it was opened, at this time, as a block.

    `before`: what had been dropped when that was told last; the comment says for people what is more. `dark`: nanoseconds since then in which nothing could
    come, for it was down, had no link, or was gone; `absent`: those in which nobody listened. `broken`: what is told of a
    capture that was (`sensors.broken`). `pressed`: whether the reader falls behind.
    """
    body = struct.pack("<III", number, time >> 32, time & 0xFFFFFFFF)
    comment = "" if before is None else f"tick; dropped since the last: {dropped - before}"
    comment += f"; down, without a link or gone for {dark / 1e9:.1f} s" if comment and dark else ""
    told = {COMMENT: _text(comment), RECEIVED: struct.pack("<Q", packets), DROPPED: struct.pack("<Q", dropped)}
    told |= {code: struct.pack("<Q", value) for code, value in ((DARK, dark), (ABSENT, absent), (PRESSED, int(pressed))) if value}
    told |= {BROKEN: _text(broken)}
    return _block(STATISTICS, body, _options(told))


class Statistics:
    """Those of a capture, tick by tick."""

    def __init__(self) -> None:
        self._dropped: dict[int, int] = {}

    def at(self, time: int, counts: Iterable[tuple[int, int, int]]) -> bytes:
        """A block for each interface, in order: packets that it took and those that were dropped, in all by this time; for how long it was dark."""
        told: list[bytes] = []
        for number, (packets, dropped, dark) in enumerate(counts):
            told.append(statistics(number, time, packets, dropped, self._dropped.get(number, 0), dark))
            self._dropped[number] = dropped
        return b"".join(told)


def packets_of(octets: bytes | memoryview) -> Counter[int]:
    """How many packets of each interface there are in these blocks, which are whole and ours."""
    at, found = 0, Counter[int]()
    while at < len(octets):
        kind, length, number = _PACKET.unpack_from(octets, at)
        found[number] += kind == ENHANCED
        at += length
    return found


def dropped_of(blocks: bytes) -> dict[int, int]:
    """What `Statistics` said of each interface that was dropped, in all by then."""
    return {number: told[DROPPED] for number, _, told, _ in _statistics_of(blocks)}


def retold(
    blocks: bytes, more: Mapping[int, int], less: Mapping[int, int], absent: int = 0, pressed: bool = False, before: Mapping[int, int] | None = None
) -> bytes:
    """The same statistics for one who misses `more` packets, began when `less` were dropped, and may be behind. In words, too, where it is given what had been
    dropped `before`.
    """
    return b"".join(
        statistics(
            number,
            time,
            told[RECEIVED],
            max(told[DROPPED] + more.get(number, 0) - less.get(number, 0), 0),
            None if before is None else max(before.get(number, 0) - less.get(number, 0), 0),
            dark=told.get(DARK, 0),
            absent=absent or told.get(ABSENT, 0),
            broken=broken,
            pressed=pressed,
        )
        for number, time, told, broken in _statistics_of(blocks)
    )


def folded(first: bytes, second: bytes, span: int) -> bytes | None:
    """Two statistics of the same interfaces, one behind the other in the same `span` (nanoseconds), as one; None where they are not, or say what is broken."""
    earlier, later = list(_statistics_of(first)), list(_statistics_of(second))
    alike = [(number, time // span) for number, time, _, _ in earlier] == [(number, time // span) for number, time, _, _ in later]
    if not alike or any(broken for *_, broken in earlier + later):
        return None
    return b"".join(
        statistics(
            number, time, told[RECEIVED], told[DROPPED], dark=before.get(DARK, 0) + told.get(DARK, 0), absent=before.get(ABSENT, 0) + told.get(ABSENT, 0)
        )
        for (_, _, before, _), (number, time, told, _) in zip(earlier, later, strict=True)
    )  # fmt: skip


def _statistics_of(blocks: bytes) -> Iterator[tuple[int, int, dict[int, int], str]]:
    """(interface, time, numbers by option, what is broken) of statistics of ours."""
    at = 0
    while at < len(blocks):
        _, length = _BEGIN.unpack_from(blocks, at)
        number, high, low = struct.unpack_from("<III", blocks, at + 8)
        values = dict(options(blocks[at : at + length], "<", 20))
        told = {code: int.from_bytes(values[code], "little") for code in (RECEIVED, DROPPED, DARK, ABSENT) if code in values}
        yield number, high << 32 | low, told, values.get(BROKEN, b"").decode("utf-8", "replace")
        at += length


def _text(text: str) -> bytes:
    """Text of an option, as long as one may be; a character is never torn."""
    return text.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").encode()


def _options(options: dict[int, bytes]) -> bytes:
    told = b"".join(struct.pack("<HH", code, len(value)) + value + bytes(-len(value) & 3) for code, value in options.items() if value)
    return told + END if told else b""


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    length = 12 + len(body) + len(options)
    return struct.pack("<II", kind, length) + body + options + struct.pack("<I", length)


def read(octets: bytes) -> Iterator[Packet]:
    """The packets of a file that `Writer` wrote. Raises InputError for anything else: whoever may write the store's files may write anything."""
    try:
        yield from _read(octets)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise InputError("evidence.damaged") from None


def whole(file: IO[bytes]) -> int:
    """How many octets of a file of ours, from its beginning, are whole blocks: what is behind them was not written to its end. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    if size < SECTION_HEADER:
        return 0
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as octets:
        at = 0
        while at + 12 <= size:
            kind, length = _BEGIN.unpack_from(octets, at)
            if length < 12 or length % 4 or at + length > size or _END.unpack_from(octets, at + length - 4)[0] != length or (at == 0 and kind != SECTION):
                break
            at += length
        return at


def _read(octets: bytes) -> Iterator[Packet]:
    interfaces: list[Interface] = []
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        body = octets[at + 8 : at + length - 4]
        if length < 12 or length % 4 or len(body) != length - 12:
            raise InputError("evidence.damaged")
        if kind == INTERFACE_BLOCK:
            linktype, _, snap = struct.unpack_from("<HHI", body)
            code, size = struct.unpack_from("<HH", body, 8)
            interfaces.append(Interface(body[12 : 12 + size].decode() if code == NAME else "", linktype, snap))
        elif kind == ENHANCED:
            number, high, low, captured, wire = struct.unpack_from("<IIIII", body)
            held = body[20 : 20 + captured]
            if len(held) != captured:
                raise InputError("evidence.damaged")
            yield Packet(high << 32 | low, wire, held, interfaces[number])
        at += length
