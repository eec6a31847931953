"""Whether interfaces can bring anything: an interface that is down, or has no link, still is there, and is as silent as a plant at rest.

netdevice(7): IFF_UP is what the operator said, IFF_RUNNING whether there is a link behind it.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SIOCGIFFLAGS: Final = 0x8913
UP, RUNNING = 1, 0x40
LINKED, DOWN, UNLINKED, GONE = "up", "down", "unlinked", "gone"


def state(name: str) -> str:
    """How an interface is now."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            told = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16s24x", name.encode()[:15]))
    except OSError:
        return GONE
    (flags,) = struct.unpack_from("=H", told, 16)
    return DOWN if not flags & UP else UNLINKED if not flags & RUNNING else LINKED


class Links:
    """Those of several interfaces. Who looks for interfaces that are gone says that; this says what became of those that are there."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._states = [LINKED] * len(names)
        self._asked = time.monotonic_ns()

    def look(self) -> list[dict[str, object]]:
        """Which went "down", are "unlinked", or are "up" again since the last look."""
        before, self._states = self._states, [state(name) for name in self._names]
        said: list[dict[str, object]] = []
        for name, was, now in zip(self._names, before, self._states, strict=True):
            if now == DOWN != was:
                said.append({"down": name})
            elif now == UNLINKED != was:
                said.append({"unlinked": name})
            elif now == LINKED and was in (DOWN, UNLINKED):
                said.append({"up": name})
        return said

    def dark(self) -> list[int]:
        """For how long (nanoseconds) since this was asked last each could bring nothing, as the last look found it."""
        before, self._asked = self._asked, time.monotonic_ns()
        return [0 if each == LINKED else self._asked - before for each in self._states]
