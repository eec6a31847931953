"""The socket of one interface with the ring that the kernel fills, and the memory in which it lies.

packet(7) and Documentation/networking/packet_mmap.rst (TPACKET_V3), linux/if_packet.h. Nothing is ever sent.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from records.errors import BalefireError, InputError
from sensors.sources import cards
from sensors.sources.filters import NOTHING
from sensors.sources.links import index_now, kind_now

if TYPE_CHECKING:
    from sensors.sources.filters import Program

# linux/if_packet.h, asm-generic/socket.h
SOL_PACKET: Final = 263
ADD_MEMBERSHIP, RX_RING, STATISTICS, VERSION, STAMPED_BY, FANOUT, IGNORE_OUTGOING = 1, 5, 6, 10, 17, 18, 23
TPACKET_V3: Final = 2
PROMISCUOUS: Final = 1
ATTACH_FILTER, DETACH_FILTER, TIMESTAMPS = 26, 27, 35
EVERYTHING: Final = 3  # ETH_P_ALL
BY_FLOW: Final = 0x1000 | 0x4000  # both directions of a flow to one socket (PACKET_FANOUT_HASH), to another where it has no room; nothing that is sent
ANOTHER: Final = 0x2000  # the group is a new one
BLOCK: Final = 1 << 20
BLOCKS: Final = 32
FRAME: Final = 2048  # only counts for the kernel's own sums
RARELY: Final = 60  # looks
RETIRE_MS: Final = 50  # a block that has packets is ours after so long
ARPHRD: Final = {1: 1, 772: 1, 65534: 101}  # kinds of interfaces: Ethernet, loopback, tunnels of bare IP → link types


class Ring:
    """One interface. `group`: of the sockets that share what comes, -1 for a new one; None where there is but this. `linktype`: that it has to have. Raises
    InputError where it cannot be listened to.
    """

    def __init__(self, name: str, program: Program | None, memory: int, octets: int, group: int | None = None, linktype: int | None = None) -> None:
        self.name, self.group = name, group
        self.index = index_of(name)
        self.linktype = _linktype(name, linktype)
        self.stamps = cards.stamps(name, turn_on=True)
        self._looks = self.seen = self.dropped = 0  # packets that came, and those of them that the kernel had no room for
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise InputError("live.privilege", interface=name) from None
        try:
            self._open(program, memory, octets)
        except BalefireError:
            self.socket.close()
            raise
        except OSError as error:
            self.socket.close()
            raise InputError("live.unreadable", interface=name, reason=error.strerror or str(error)) from error

    def _open(self, program: Program | None, memory: int, octets: int) -> None:
        opened = self.socket
        opened.setsockopt(SOL_PACKET, VERSION, TPACKET_V3)
        opened.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
        opened.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)  # a packet has the time at which it came, for all sockets, not that at which it is put into a ring
        opened.setsockopt(SOL_PACKET, RX_RING, struct.pack("=7I", BLOCK, octets // BLOCK, FRAME, octets // FRAME, RETIRE_MS, 0, 0))
        wanted = program.instructions(self.name) if program is not None else b""
        if self.group is not None:
            _attach(opened, NOTHING)  # until it is one of its group, it would have what the others have
        elif wanted:
            _attach(opened, wanted)
        if self.stamps.how == cards.CARD:
            opened.setsockopt(SOL_PACKET, STAMPED_BY, cards.BY_CARD)  # where it stamped none, the kernel's own is there
        put_there(memory, octets, opened.fileno())
        opened.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("=iHH8x", self.index, PROMISCUOUS, 0))
        opened.bind((self.name, EVERYTHING))
        if self.group is not None:
            self.group = _join(opened, self.group)
            _attach(opened, wanted)

    def ask(self) -> None:
        """How many packets came, and were dropped, by now; the kernel begins anew each time it is asked."""
        seen, dropped = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, STATISTICS, 12)[:8])
        self.seen += seen
        self.dropped += dropped

    def doubt(self) -> bool:
        """Does its card stamp otherwise than until now? One whose clock went wrong, or that no longer stamps, is believed no more; one whose clock is well
        within the limit, and that stamps (again), is.
        """
        self._looks += 1
        if self.stamps.how == cards.NONE and self._looks % RARELY:  # what cannot stamp hardly ever learns it
            return False
        if not self.holds(index_now(self.name)):  # it is gone, and its card with it
            return False
        before, now = self.stamps.how == cards.CARD, cards.stamps(self.name)
        if before == (now.how == cards.CARD) or (not before and abs(now.apart) > cards.MOST_APART // 2):
            return False
        self.stamps = now
        self.socket.setsockopt(SOL_PACKET, STAMPED_BY, 0 if before else cards.BY_CARD)
        return True

    def holds(self, index: int) -> bool:
        """Is it what has this number now? One that was gone for a moment may have it again: a socket stays without it."""
        return index == self.index and bool(self.socket.getsockname()[0])

    def forget_error(self) -> None:
        """An interface that went down says so once."""
        self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


def _attach(opened: socket.socket, instructions: bytes) -> None:
    """Let a socket have what these instructions let through, in place of those before; without any, everything. Raises OSError."""
    if not instructions:
        opened.setsockopt(socket.SOL_SOCKET, DETACH_FILTER, 0)
        return
    held = ctypes.create_string_buffer(instructions)
    opened.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("@HP", len(instructions) // 8, ctypes.addressof(held)))


def _join(opened: socket.socket, group: int) -> int:
    """From now on it shares what comes with the others of this group, or a new one; its number."""
    told = BY_FLOW << 16 | (ANOTHER << 16 if group < 0 else group)
    opened.setsockopt(SOL_PACKET, FANOUT, struct.pack("=I", told))
    return opened.getsockopt(SOL_PACKET, FANOUT) & 0xFFFF


def index_of(name: str) -> int:
    """Its number. Raises InputError where there is no such interface."""
    if not (index := index_now(name)):
        raise _missing(name)
    return index


def _missing(name: str) -> InputError:
    """There is no such interface; which there are."""
    return InputError("live.missing", interface=name, known=", ".join(sorted(each for _, each in socket.if_nameindex())))


def _linktype(name: str, wanted: int | None) -> int:
    kind = kind_now(name)
    if kind is None:
        raise _missing(name)
    if kind not in ARPHRD or wanted not in (None, ARPHRD[kind]):
        raise InputError("live.linktype", interface=name, kind=kind)
    return ARPHRD[kind]


def _libc() -> Any:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    return libc


def reserve(octets: int) -> int:
    """Memory without content, for as long as the process runs."""
    place = _libc().mmap(None, octets, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if place is None or place == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno() or errno.ENOMEM, os.strerror(ctypes.get_errno() or errno.ENOMEM))
    return int(place)


def put_there(place: int, octets: int, file: int) -> None:
    """Put the ring of a socket there; without one (-1), nothing. Raises OSError."""
    fixed = 0x10  # MAP_FIXED
    how = mmap.MAP_SHARED if file >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    if _libc().mmap(place, octets, mmap.PROT_READ | mmap.PROT_WRITE, how | fixed, file, 0) != place:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
