"""Whether interfaces can bring anything: an interface that is down, or has no link, still is there, and is as silent as a plant at rest.

netdevice(7): IFF_UP is what the operator said, IFF_RUNNING whether there is a link behind it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import time
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX = 0x8913, 0x8927, 0x8933
LONGEST: Final = 15  # octets of a name
UP, RUNNING = 1, 0x40
LINKED, DOWN, UNLINKED, GONE = "up", "down", "unlinked", "gone"


@cache
def control() -> int:
    """A socket to ask by what is so of interfaces, for as long as the process runs: to open one each second takes longer than to ask. Raises OSError."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()


def _asked(name: str, what: int) -> bytes | None:
    """What the kernel answers; nothing where there is no such interface."""
    octets = os.fsencode(name)
    if len(octets) > LONGEST or b"\0" in octets:
        return None
    try:
        return fcntl.ioctl(control(), what, struct.pack("16s24x", octets))[16:]
    except OSError:
        return None


def index_now(name: str) -> int:
    """The number of an interface; 0 where there is none of this name."""
    told = _asked(name, SIOCGIFINDEX)
    return int(struct.unpack_from("=i", told)[0]) if told else 0


def kind_now(name: str) -> int | None:
    """The kind of an interface (ARPHRD_ETHER …); None where there is none of this name."""
    told = _asked(name, SIOCGIFHWADDR)
    return int(struct.unpack_from("=H", told)[0]) if told else None


def state(name: str) -> str:
    """How an interface is now."""
    told = _asked(name, SIOCGIFFLAGS)
    if told is None:
        return GONE
    (flags,) = struct.unpack_from("=H", told)
    return DOWN if not flags & UP else UNLINKED if not flags & RUNNING else LINKED


class Links:
    """Those of several interfaces. Who looks for interfaces that are gone says that; this says what became of those that are there."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._states = [LINKED] * len(names)
        self._asked = time.monotonic_ns()

    def look(self, unheard: Collection[int] = ()) -> list[dict[str, object]]:
        """Which went "down", are "unlinked", or are "up" again since the last look; not of those (numbers) to which nobody listens even then."""
        before, self._states = self._states, [state(name) for name in self._names]
        said: list[dict[str, object]] = []
        for number, (name, was, now) in enumerate(zip(self._names, before, self._states, strict=True)):
            if now == DOWN != was:
                said.append({"down": name})
            elif now == UNLINKED != was:
                said.append({"unlinked": name})
            elif now == LINKED and was in (DOWN, UNLINKED) and number not in unheard:
                said.append({"up": name})
        return said

    def dark(self, deaf: Collection[int]) -> list[int]:
        """For how long (nanoseconds) since this was asked last each could bring nothing, as the last look found it. `deaf`: numbers of those that nobody
        listened to.
        """
        before, self._asked = self._asked, time.monotonic_ns()
        return [0 if each == LINKED and number not in deaf else self._asked - before for number, each in enumerate(self._states)]
