"""Rights beyond those of a user, for those that have no use for them (capabilities(7)): what opens sockets keeps that, everybody what gets at files."""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Final

NO_NEW_PRIVILEGES: Final = 38  # linux/prctl.h
CAPABILITY_VERSION: Final = 0x20080522  # linux/capability.h, as are those that follow
FILES: Final = (0, 1, 2, 3)  # chown, dac_override, dac_read_search, fowner: root's sensor may have a store that is another user's
NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 10, 12, 13
OPENING: Final = (NET_BIND_SERVICE, NET_ADMIN, NET_RAW)  # listeners at low ports, cards that are told to stamp, packets
ALONE: Final = {"OPENBLAS_NUM_THREADS": "1"}  # the environment of what forgoes late: threads of numpy's, idle there, would keep what the others let go


def forgo(*kept: int) -> None:
    """From now on neither this thread nor what it starts has or gets any right but to files, and these; called before there are other threads (capset(2))."""
    if sys.platform != "linux":  # there they are no rights of their own
        return
    libc = ctypes.CDLL(None)
    head, rights = struct.pack("=Ii", CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    libc.capget(head, rights)
    mask = sum(1 << right for right in (*FILES, *kept))  # below 32; the other three words are those from there on
    sets = [value & mask if number < 3 else 0 for number, value in enumerate(struct.unpack("=6I", rights.raw))]
    libc.capset(head, struct.pack("=6I", *sets))  # what is inherited no more is ambient no more
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # … nor has anything that it starts, where this very Python has the right by its file (containers)
