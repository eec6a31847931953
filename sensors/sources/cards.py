"""Times that network cards give packets: whether a card does, and whether its clock says what this machine's does.

linux/ethtool.h, linux/net_tstamp.h, Documentation/networking/timestamping.rst; the clock of a card is a file (/dev/ptp0: clock_gettime(2)). A card that is not
told to stamp is told to where that is allowed (CAP_NET_ADMIN); how else it is set stays as it is.
"""

from __future__ import annotations

import array
import fcntl
import os
import struct
import time
from typing import Final, NamedTuple

from sensors.sources.links import LONGEST, control

SIOCETHTOOL: Final = 0x8946
SET_STAMPS, GET_STAMPS = 0x89B0, 0x89B1
GET_STAMPS_INFO: Final = 0x41
BY_CARD: Final = 1 << 2 | 1 << 6  # of `so_timestamping`: what comes is stamped, and that is told
ALL: Final = 1  # a filter of what comes: everything
MOST_APART: Final = 10_000_000  # nanoseconds, less than a packet is waited for

CARD, NONE, OFF, APART, UNREAD = "card", "none", "off", "apart", "unread"


class Stamps(NamedTuple):
    """How packets of an interface get their times: by its `card`; else by the kernel, for the card has `none`, is `off` (it could, and is not told to), has a
    clock that is `apart` from this machine's by so many nanoseconds, or one that is `unread`.
    """

    how: str
    apart: int = 0


def stamps(name: str, turn_on: bool = False) -> Stamps:
    """Those of an interface, as it is set; with `turn_on` it is set to stamp, where it can and may."""
    info = ethtool(name, struct.pack("=11I", GET_STAMPS_INFO, *(0,) * 10))
    _, flags, clock, _, _, _, _, filters = struct.unpack_from("=IIiIIIII", info) if info else (0,) * 8
    if flags & BY_CARD != BY_CARD or clock < 0 or not filters >> ALL & 1:
        return Stamps(NONE)
    apart = _apart(clock)
    if apart is None or abs(apart) > MOST_APART:
        return Stamps(UNREAD) if apart is None else Stamps(APART, apart)
    if (told := _config(name, GET_STAMPS, b"")) is None:
        return Stamps(NONE)
    _, sent, received = struct.unpack("=3i", told)
    if received == ALL or (received == 0 and turn_on and _config(name, SET_STAMPS, struct.pack("=3i", 0, sent, ALL)) is not None):
        return Stamps(CARD, apart)
    return Stamps(OFF, apart)


def _apart(number: int) -> int | None:
    """Nanoseconds that the clock of this number is ahead of this machine's; None where it cannot be read."""
    try:
        opened = os.open(f"/dev/ptp{number}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return ahead(~opened << 3 | 3)
    except OSError:
        return None
    finally:
        os.close(opened)


def ahead(clock: int) -> int:
    """Nanoseconds that a clock is ahead of the system's."""
    before, there, after = time.time_ns(), time.clock_gettime_ns(clock), time.time_ns()
    return there - (before + after) // 2


def ethtool(name: str, command: bytes) -> bytes:
    """What the driver answers; nothing where it has no answer."""
    return _ask(name, SIOCETHTOOL, command) or b""


def _config(name: str, what: int, config: bytes) -> bytes | None:
    """How the card is told to stamp, or is told now; None where that cannot be."""
    return _ask(name, what, config.ljust(12, b"\0"))


def _ask(name: str, what: int, told: bytes) -> bytes | None:
    held = array.array("B", told)
    try:
        fcntl.ioctl(control(), what, struct.pack("16sP16x", name.encode()[:LONGEST], held.buffer_info()[0]))
    except OSError:  # no such interface, no answer, or no socket of this kind is allowed
        return None
    return held.tobytes()
