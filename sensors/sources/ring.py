"""Live interfaces of Linux: packets lie in rings that the kernel fills, and are written on in the order of their times, as a pcapng.

packet(7) and Documentation/networking/packet_mmap.rst (TPACKET_V3), linux/if_packet.h. Nothing is ever sent. A packet is copied once, for the kernel takes
the VLAN tag out of it, which is put back; the block is the kernel's again at once.
"""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from records.errors import InputError, UsageError
from sensors.engine.octets import borrow, carry, entry, inline, put, u16le, u32le
from sensors.engine.tables import FOREVER, SECOND, table
from sensors.pcapng import Interface, Statistics
from sensors.sources.blocks import HEAD, frame
from sensors.sources.cards import CARD
from sensors.sources.links import Links, index_now, kind_now
from sensors.sources.packetsocket import BLOCK, BLOCKS, Ring, index_of, put_there, reserve
from sensors.sources.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensors.sources.filters import Program

USER: Final = 1  # the block is ours; 0: the kernel's
VLAN_VALID, TPID_VALID = 1 << 4, 1 << 6
VLAN: Final = 0x8100
MACS: Final = 12  # octets before a VLAN tag

HOLD: Final = 120_000_000  # nanoseconds after which a packet surely lies in a block that is ours
WIDEST: Final = 1 << 18
ROOM: Final = 2 * WIDEST + BLOCK  # for what is taken at once
ENOUGH: Final = 1 << 17  # octets that are handed on at once: what is written again and again is near, a whole block would be in memory that has gone far


# of an interface: the packet that is next (`at`, `time`), and its block: `end` (0: none is being read), packets `left` of it, the number that the kernel gave
# it (`sequence`), its place in the ring (`block`); and how many `packets` were taken so far
CURSOR: Final = np.dtype([(name, "i8") for name in ("at", "end", "left", "time", "number", "packets", "sequence", "block")] + [("short", "u1")], align=True)


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
def merge(memory: Any, cursors: Any, out: Any, until: int, enough: int) -> int:
    """Packets before this time, oldest first, until a block has been read, or so many octets of `out` are filled, or it is full; returns how many are."""
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
        if at >= enough:
            return at


class Rings:
    """Several interfaces, one behind the other in memory. `octets` of each; blocks are taken in the order in which the kernel fills them.

    `fellows`: those that share with this one what comes, by flow.
    """

    patient = False

    def __init__(self, names: Sequence[str], program: Program | None = None, octets: int = BLOCK * BLOCKS, fellows: Sequence[Rings] | None = None) -> None:
        self._octets, self._program, self._fellows = octets // BLOCK * BLOCK, program, fellows
        self._place = reserve(self._octets * len(names))
        self.memory: Any = np.ctypeslib.as_array((ctypes.c_uint8 * (self._octets * len(names))).from_address(self._place))
        self._words = memoryview(self.memory.view(np.uint32))  # its numbers are plain ones, and sooner there than those of an array
        self.names, self.run = tuple(names), uuid4().hex
        self.cursors = table(len(names), CURSOR)
        self.cursors.number = range(len(names))
        self._of = fields(self.cursors)
        self._statistics = Statistics()
        self.links = Links(self.names)
        self._dropped = [0] * len(names)  # of rings that are closed
        self._before = [0] * len(names)  # packets that were taken from those
        self._stepping = Stepping() if fellows is None else None
        self._stamped: set[int] = set()  # whose card gave times before the interface was gone
        self._leaving: dict[int, int] = {}  # whose interface is gone, while something of it is still to be read: how many packets were by the last look
        self._deaf: set[int] = set()  # whose interface was found gone since that was asked last
        self._altered: dict[int, int | None] = {}  # whose interface has come back as one of this kind, which is not that by which its packets are told
        self.interfaces: tuple[Interface, ...] = ()
        self.rings: list[Ring | None] = [None] * len(names)
        self.rings = [self._ring(number) for number in range(len(names))]
        self.interfaces = tuple(Interface(ring.name, ring.linktype, WIDEST) for ring in self.rings if ring)
        written = bytearray(ROOM)
        self._written, self.out = memoryview(written), np.frombuffer(written, np.uint8)

    def _ring(self, number: int) -> Ring:
        name = self.names[number]
        group = None
        if self._fellows is not None:
            index = index_of(name)
            others = [other.rings[number] for other in self._fellows]
            group = next((ring.group for ring in others if ring is not None and ring.index == index), -1)
        linktype = self.interfaces[number].linktype if self.interfaces else None  # its packets are told by that
        return Ring(name, self._program, self._place + number * self._octets, self._octets, group, linktype)

    def take(self, last: bool = False) -> memoryview:
        """Packets as blocks of a pcapng, as many as come at once; none where there are none, or where an older one may still lie with the kernel."""
        filled = self.fill(self.out, FOREVER if last else None, ENOUGH)
        self.release()
        return self._written[:filled]

    def fill(self, out: Any, until: int | None = None, enough: int = ROOM) -> int:
        """The same into `out`, how many octets, those before `until` where that is said, about `enough`; blocks that have been read are ours until they are
        released.
        """
        now = clock()
        self._load()
        if until is None:
            until = FOREVER if len(self.names) == 1 else due(waiting(self._of), now)
        return int(merge(self.memory, self.cursors, out, until, enough))

    def _load(self) -> None:
        """Look whether the next blocks are there."""
        words, of = self._words, self._of
        for number, ring in enumerate(self.rings):
            if ring is None or of["end"][number]:
                continue
            begin = number * self._octets + of["block"][number] * BLOCK
            head = begin // 4
            if not words[head + 2] & USER:
                continue
            at = begin + int(words[head + 4])
            of["left"][number], of["end"][number], of["short"][number] = words[head + 3], begin + BLOCK, 0
            of["at"][number], of["sequence"][number] = at, self._sequence(head)
            if words[head + 3]:
                of["time"][number] = int(words[at // 4 + 1]) * 1_000_000_000 + int(words[at // 4 + 2])

    def release(self) -> None:
        """Blocks that have been read are the kernel's again; one that is so already stays as it is, whatever is in it now."""
        of = self._of
        for number, ring in enumerate(self.rings):
            if ring is None or of["left"][number] or not of["end"][number]:
                continue
            head = (number * self._octets + of["block"][number] * BLOCK) // 4
            if self._sequence(head) == of["sequence"][number]:
                self._words[head + 2] = 0
            of["block"][number], of["end"][number] = (of["block"][number] + 1) % (self._octets // BLOCK), 0

    def is_read(self) -> bool:
        """Are there blocks that have been read, and not been released?"""
        return any(end and not left for end, left in zip(self._of["end"].tolist(), self._of["left"].tolist(), strict=True))

    def _sequence(self, head: int) -> int:
        return int(self._words[head + 6]) | int(self._words[head + 7]) << 32

    def sockets(self) -> list[int]:
        """What to wait for."""
        return [ring.socket.fileno() for ring in self.rings if ring]

    def settled(self, last: bool = False) -> int:
        """The time up to which all packets were taken."""
        now = clock() - (0 if last else HOLD)
        self._load()
        return settled(self._of, now)

    def statistics(self, last: bool = False) -> bytes:
        """For each interface the time up to which all packets were taken, what the kernel dropped and how long none could come, as blocks of a pcapng."""
        return self._statistics.at(self.settled(last), zip(self._of["packets"].tolist(), self.dropped(), self.links.dark(self.deaf()), strict=True))

    def dropped(self) -> list[int]:
        """What was lost of each interface by now."""
        for ring in self.rings:
            if ring is not None:
                ring.ask()
        return [before + (ring.dropped if ring else 0) for before, ring in zip(self._dropped, self.rings, strict=True)]

    def counts(self) -> dict[str, int]:
        """Packets of all interfaces that were taken, and those that were dropped."""
        open_ones = sum(ring.dropped for ring in self.rings if ring)
        return {"packets": sum(self._of["packets"].tolist()), "dropped": sum(self._dropped) + open_ones}

    def deaf(self) -> set[int]:
        """The numbers of interfaces that nobody listened to for a part of the time since this was asked last: gone, or of a kind that cannot be read."""
        told, self._deaf = self._deaf | self.closed(), set()
        return told

    def changed(self) -> bool:
        """Would a look find interfaces gone, or back? Nobody listens to these until then."""
        found = {number for number, name in enumerate(self.names) if self._is_other(number, index_now(name))}
        self._deaf |= found
        return bool(found)

    def _is_other(self, number: int, index: int) -> bool:
        ring = self.rings[number]
        return self._may_return(number, index) if ring is None else not ring.holds(index)

    def _may_return(self, number: int, index: int) -> bool:
        return index != 0 and (number not in self._altered or self._altered[number] != kind_now(self.names[number]))

    def look(self) -> list[dict[str, object]]:
        """Which interfaces are "gone" or "back", or "altered", down or up, since the last look. What comes again is listened to as before."""
        said = self.doubt() + (self._stepping.look() if self._stepping else [])
        for number, name in enumerate(self.names):
            ring, index = self.rings[number], index_now(name)
            if ring is not None and not ring.holds(index):
                self._deaf.add(number)
                taken = int(self.cursors[number].packets)
                if self._leaving.get(number) != taken and not self._is_read(number, ring):
                    self._leaving[number] = taken
                    continue
                self._lose(number, ring)
                said.append({"gone": name})
            if self.rings[number] is None and self._may_return(number, index):
                try:
                    self.rings[number] = self._ring(number)
                except (InputError, UsageError) as error:  # else not ready yet: the next look may find it so
                    if error.key == "live.linktype":
                        self._altered[number] = kind_now(name)
                        said.append({"altered": name})
                    continue
                self._altered.pop(number, None)
                said.append({"back": name})
                if number in self._stamped and name not in self.stamped():
                    said.append({"unset": name})
        return said + self.links.look(self.closed())

    def closed(self) -> set[int]:
        """The numbers of those to which nobody listens now."""
        return {number for number, ring in enumerate(self.rings) if ring is None}

    def doubt(self) -> list[dict[str, object]]:
        """Interfaces whose card has a clock that went wrong, or is right again."""
        return [{"restamped" if ring.stamps.how == CARD else "unstamped": ring.name} for ring in self.rings if ring is not None and ring.doubt()]

    def stamped(self) -> list[str]:
        """Interfaces whose card gives packets their times."""
        return [ring.name for ring in self.rings if ring is not None and ring.stamps.how == CARD]

    def lose(self) -> int:
        """Close all rings; how many packets were in them, or had no room there."""
        before = sum(self._dropped)
        for number, ring in enumerate(self.rings):
            if ring is not None:
                self._lose(number, ring)
        return sum(self._dropped) - before

    def _is_read(self, number: int, ring: Ring) -> bool:
        ring.ask()
        return int(self.cursors[number].packets) - self._before[number] >= ring.seen - ring.dropped

    def _lose(self, number: int, ring: Ring) -> None:
        """What came and was not taken is lost."""
        ring.ask()
        cursor = self.cursors[number]
        taken = int(cursor.packets) - self._before[number]
        self._leaving.pop(number, None)
        self._dropped[number] += max(ring.seen - taken, ring.dropped)
        self._before[number] = int(cursor.packets)
        if ring.stamps.how == CARD:
            self._stamped.add(number)
        ring.close()
        self.rings[number] = None
        put_there(self._place + number * self._octets, self._octets, -1)
        cursor.left = cursor.end = cursor.block = 0

    def forget_errors(self) -> None:
        """An interface that went down says so once; its socket goes on when it is up again."""
        for ring in self.rings:
            if ring is not None:
                ring.forget_error()

    def stop(self) -> None:
        """No more is wanted: what came before lies in blocks that are ours by the end of this."""
        time.sleep(2 * HOLD / 1e9)

    def close(self) -> None:
        """Stop listening; memory goes, too, for it holds what lies in it."""
        for number, ring in enumerate(self.rings):
            if ring is not None:
                ring.close()
                put_there(self._place + number * self._octets, self._octets, -1)


def prepare() -> None:
    """Compile what reads rings, before any packet waits for it."""
    merge(np.zeros(0, np.uint8), table(0, CURSOR), np.zeros(0, np.uint8), 0, 0)


def fields(rows: Any) -> dict[str, memoryview]:
    """Those of a table: their items are plain numbers, and sooner there than those of an array. That counts where it is done each time a process wakes."""
    return {name: memoryview(rows[name]) for name in rows.dtype.names}


def waiting(of: Mapping[str, memoryview]) -> list[int]:
    """The time of the next packet of each interface of which one waits; `of`: fields of their cursors."""
    return [time for time, left in zip(of["time"].tolist(), of["left"].tolist(), strict=True) if left > 0]


def settled(of: Mapping[str, memoryview], now: int) -> int:
    """The time up to which all packets were taken: `now`, or that of the first that waits. Who is behind would else make them late."""
    return min([now, *waiting(of)])


def due(waiting: Sequence[int], now: int, until: int | None = None) -> int:
    """The time up to which of what is waiting none can be older than what is to come (`until`; else by the clock, which says that it is `now`).

    Where something is from the future the clock was set back: to wait until it is so late again would be to lose what comes meanwhile.
    """
    if waiting and max(waiting) > now + SECOND:
        return FOREVER
    return now - HOLD if until is None else until


def clock() -> int:
    """The clock by which the kernel marks packets, nanoseconds since the epoch."""
    return time.time_ns()
