"""Live interfaces of Linux: packets lie in rings that the kernel fills, and are written on in the order of their times, as a pcapng.

packet(7) and Documentation/networking/packet_mmap.rst (TPACKET_V3), linux/if_packet.h. Nothing is ever sent. A packet is copied once, for the kernel takes
the VLAN tag out of it, which is put back; the block is the kernel's again at once.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from records.errors import InputError
from sensors.engine.octets import borrow, carry, entry, inline, put, u16le, u32le
from sensors.engine.tables import FOREVER, table
from sensors.pcapng import Interface, statistics
from sensors.sources.blocks import HEAD, frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.sources.filters import Program

# linux/if_packet.h, asm-generic/socket.h
SOL_PACKET: Final = 263
ADD_MEMBERSHIP, RX_RING, STATISTICS, VERSION, IGNORE_OUTGOING = 1, 5, 6, 10, 23
TPACKET_V3: Final = 2
PROMISCUOUS: Final = 1
EVERYTHING: Final = 3  # ETH_P_ALL
ATTACH_FILTER: Final = 26
USER: Final = 1  # the block is ours; 0: the kernel's
VLAN_VALID, TPID_VALID = 1 << 4, 1 << 6
VLAN: Final = 0x8100
MACS: Final = 12  # octets before a VLAN tag

BLOCK: Final = 1 << 20
BLOCKS: Final = 32
FRAME: Final = 2048  # only counts for the kernel's own sums
RETIRE_MS: Final = 20  # a block that has packets is ours after so long
HOLD: Final = 60_000_000  # nanoseconds after which a packet surely lies in a block that is ours
WIDEST: Final = 1 << 18
ARPHRD: Final = {1: 1, 772: 1, 65534: 101}  # kinds of interfaces: Ethernet, loopback, tunnels of bare IP → link types

CURSOR: Final = np.dtype([(name, "i8") for name in ("at", "end", "left", "time", "number", "packets")] + [("short", "u1")], align=True)


@inline
def _time(memory: Any, cursor: Any) -> int:
    return u32le(memory, cursor.at + 4, cursor.end, cursor) * 1_000_000_000 + u32le(memory, cursor.at + 8, cursor.end, cursor)


@inline
def _write(memory: Any, cursor: Any, out: Any, at: int) -> int:
    """The packet under a cursor as a block at out[at:]; returns where it ends, -1 where there is no room."""
    captured, wire = u32le(memory, cursor.at + 12, cursor.end, cursor), u32le(memory, cursor.at + 16, cursor.end, cursor)
    status, begin = u32le(memory, cursor.at + 20, cursor.end, cursor), cursor.at + u16le(memory, cursor.at + 24, cursor.end, cursor)
    tag = 4 if status & VLAN_VALID and captured >= MACS else 0
    captured = min(captured, WIDEST)
    end = frame(out, at, cursor.number, cursor.time, captured + tag, wire + tag)
    if end < 0:
        return -1
    to = at + HEAD
    if tag:
        tpid = u16le(memory, cursor.at + 36, cursor.end, cursor) if status & TPID_VALID else VLAN
        tci = u32le(memory, cursor.at + 32, cursor.end, cursor)
        carry(memory, begin, out, to, MACS)
        put(out, to + MACS, tpid >> 8)
        put(out, to + MACS + 1, tpid)
        put(out, to + MACS + 2, tci >> 8)
        put(out, to + MACS + 3, tci)
        carry(memory, begin + MACS, out, to + MACS + 4, captured - MACS)
    else:
        carry(memory, begin, out, to, captured)
    return end


@entry
def merge(memory: Any, cursors: Any, out: Any, until: int) -> int:
    """Packets before this time, oldest first, until a block has been read, or `out` is full; returns how many octets of `out` are filled."""
    memory, cursors, out = borrow(memory), borrow(cursors), borrow(out)
    at = 0
    while True:
        best = -1
        for number in range(len(cursors)):
            if cursors[number].left > 0 and (best < 0 or cursors[number].time < cursors[best].time):
                best = number
        if best < 0 or cursors[best].time >= until:
            return at
        cursor = cursors[best]
        end = _write(memory, cursor, out, at)
        if end < 0:
            return at
        if cursor.short:  # the kernel never says what is not there; if it did, the rest of the block would mean nothing
            cursor.left = 0
            return at
        at = end
        cursor.packets += 1
        cursor.left -= 1
        if cursor.left == 0:
            return at
        cursor.at += u32le(memory, cursor.at, cursor.end, cursor)
        cursor.time = _time(memory, cursor)


class Ring:
    """One interface. Raises InputError where it cannot be listened to."""

    def __init__(self, name: str, program: Program | None, memory: int, octets: int) -> None:
        self.name = name
        self.index = _index(name)
        self.linktype = _linktype(name)
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise InputError("live.privilege", interface=name) from None
        try:
            self._open(program, memory, octets)
        except OSError as error:
            self.socket.close()
            raise InputError("live.unreadable", interface=name, reason=error.strerror or str(error)) from error

    def _open(self, program: Program | None, memory: int, octets: int) -> None:
        opened = self.socket
        opened.setsockopt(SOL_PACKET, VERSION, TPACKET_V3)
        opened.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
        opened.setsockopt(SOL_PACKET, RX_RING, struct.pack("=7I", BLOCK, octets // BLOCK, FRAME, octets // FRAME, RETIRE_MS, 0, 0))
        if program is not None:
            option, _held = program.option()
            opened.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, option)
        _map(memory, octets, opened.fileno())
        opened.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("=iHH8x", self.index, PROMISCUOUS, 0))
        opened.bind((self.name, EVERYTHING))

    def dropped(self) -> int:
        """What the kernel dropped since it was asked last."""
        return int(struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, STATISTICS, 12)[:8])[1])

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


class Rings:
    """Several interfaces, one behind the other in memory. `octets` of each; blocks are taken in the order in which the kernel fills them."""

    def __init__(self, names: Sequence[str], program: Program | None = None, octets: int = BLOCK * BLOCKS) -> None:
        self._octets, self._program = octets // BLOCK * BLOCK, program
        self._place = _reserve(self._octets * len(names))
        self.memory: Any = np.ctypeslib.as_array((ctypes.c_uint8 * (self._octets * len(names))).from_address(self._place))
        self._words = self.memory.view(np.uint32)
        self.cursors = table(len(names), CURSOR)
        self.cursors.number = range(len(names))
        self._next = [0] * len(names)  # block that is read next, or being read
        self.rings: list[Ring | None] = [Ring(name, program, self._place + number * self._octets, self._octets) for number, name in enumerate(names)]
        self.names, self.run = tuple(names), uuid4().hex
        self.interfaces = tuple(Interface(ring.name, ring.linktype, WIDEST) for ring in self.rings if ring)
        written = bytearray(2 * WIDEST + BLOCK)
        self._written, self.out = memoryview(written), np.frombuffer(written, np.uint8)
        self._dropped = [0] * len(names)

    def take(self, last: bool = False) -> memoryview:
        """Packets as blocks of a pcapng, as many as come at once; none where there are none, or where an older one may still lie with the kernel."""
        until = FOREVER if last or len(self.names) == 1 else clock() - HOLD
        for number, ring in enumerate(self.rings):
            if ring is not None and self.cursors[number].left == 0:
                self._load(number)
        filled = merge(self.memory, self.cursors, self.out, until)
        for number, ring in enumerate(self.rings):
            if ring is not None and self.cursors[number].left == 0 and self.cursors[number].end:
                self._release(number)
        return self._written[:filled]

    def _load(self, number: int) -> None:
        """Look whether the next block is there."""
        begin = number * self._octets + self._next[number] * BLOCK
        head = begin // 4
        if not self._words[head + 2] & USER:
            return
        cursor = self.cursors[number]
        cursor.left, cursor.end, cursor.short = int(self._words[head + 3]), begin + BLOCK, 0
        cursor.at = begin + int(self._words[head + 4])
        if cursor.left:
            at = int(cursor.at) // 4
            cursor.time = int(self._words[at + 1]) * 1_000_000_000 + int(self._words[at + 2])

    def _release(self, number: int) -> None:
        """The block has been read: it is the kernel's again."""
        self._words[(number * self._octets + self._next[number] * BLOCK) // 4 + 2] = 0
        self._next[number] = (self._next[number] + 1) % (self._octets // BLOCK)
        self.cursors[number].end = 0

    def sockets(self) -> list[int]:
        """What to wait for."""
        return [ring.socket.fileno() for ring in self.rings if ring]

    def statistics(self, last: bool = False) -> bytes:
        """For each interface the time up to which all packets were taken, and what the kernel dropped, as blocks of a pcapng."""
        for number, ring in enumerate(self.rings):
            if ring is not None:
                self._dropped[number] += ring.dropped()
                if self.cursors[number].left == 0:
                    self._load(number)
        now = settled(self.cursors, clock() - (0 if last else HOLD))
        return b"".join(statistics(number, now, int(self.cursors[number].packets), dropped) for number, dropped in enumerate(self._dropped))

    def counts(self) -> dict[str, int]:
        """Packets of all interfaces that were taken, and those that the kernel dropped."""
        return {"packets": int(self.cursors.packets.sum()), "dropped": sum(self._dropped)}

    def look(self) -> list[dict[str, object]]:
        """Which interfaces are "gone" or "back" since the last look. What comes again is listened to as before."""
        said: list[dict[str, object]] = []
        for number, (name, ring) in enumerate(zip(self.names, self.rings, strict=True)):
            try:
                index = socket.if_nametoindex(name)
            except OSError:
                index = 0
            if ring is not None and index != ring.index:
                self._lose(number, ring)
                said.append({"gone": name})
            if self.rings[number] is None and index:
                try:
                    self.rings[number] = Ring(name, self._program, self._place + number * self._octets, self._octets)
                except InputError:  # not ready yet: the next look may find it so
                    continue
                said.append({"back": name})
        return said

    def _lose(self, number: int, ring: Ring) -> None:
        ring.close()
        self.rings[number] = None
        _map(self._place + number * self._octets, self._octets, -1)
        self.cursors[number].left = self.cursors[number].end = self._next[number] = 0

    def forget_errors(self) -> None:
        """An interface that went down says so once; its socket goes on when it is up again."""
        for ring in self.rings:
            if ring is not None:
                ring.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def stop(self) -> None:
        """No more is wanted: what came before lies in blocks that are ours by the end of this."""
        time.sleep(2 * HOLD / 1e9)

    def close(self) -> None:
        """Stop listening."""
        for ring in self.rings:
            if ring is not None:
                ring.close()


def prepare() -> None:
    """Compile what reads rings, before any packet waits for it."""
    merge(np.zeros(0, np.uint8), table(0, CURSOR), np.zeros(0, np.uint8), 0)


def settled(cursors: Any, now: int) -> int:
    """The time up to which all packets were taken: `now`, or that of the first that waits. Who is behind would else make them late."""
    return min([now, *cursors.time[cursors.left > 0].tolist()])


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except (OSError, ValueError):
        raise InputError("live.missing", interface=name, known=", ".join(sorted(each for _, each in socket.if_nameindex()))) from None


def _linktype(name: str) -> int:
    kind = int((Path("/sys/class/net") / name / "type").read_text())
    if kind not in ARPHRD:
        raise InputError("live.linktype", interface=name, kind=kind)
    return ARPHRD[kind]


def _libc() -> Any:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    return libc


def _reserve(octets: int) -> int:
    """Memory without content, for as long as the process runs."""
    place = _libc().mmap(None, octets, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if place is None or place == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno() or errno.ENOMEM, os.strerror(ctypes.get_errno() or errno.ENOMEM))
    return int(place)


def _map(place: int, octets: int, file: int) -> None:
    """Put the ring of a socket there; without one (-1), nothing. Raises OSError."""
    fixed = 0x10  # MAP_FIXED
    how = mmap.MAP_SHARED if file >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    if _libc().mmap(place, octets, mmap.PROT_READ | mmap.PROT_WRITE, how | fixed, file, 0) != place:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def clock() -> int:
    """The clock by which the kernel marks packets, nanoseconds since the epoch."""
    return time.time_ns()
