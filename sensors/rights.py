"""The right to packets, for those that have no use for it: only what opens sockets keeps it."""

from __future__ import annotations

import ctypes
import struct
import sys

AMBIENT, CLEAR_ALL, NO_NEW_PRIVILEGES = 47, 4, 38  # linux/prctl.h
CAPABILITY_VERSION, NET_RAW = 0x20080522, 13  # linux/capability.h


def forgo() -> None:
    """From now on neither this process nor what it starts has the right to packets (capabilities(7), capset(2)). Called before there are other threads."""
    if sys.platform != "linux":  # there it is no right of its own
        return
    libc = ctypes.CDLL(None)
    libc.prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
    head, rights = struct.pack("=Ii", CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    libc.capget(head, rights)
    sets = [value & ~(1 << NET_RAW) if number < 3 else value for number, value in enumerate(struct.unpack("=6I", rights.raw))]
    libc.capset(head, struct.pack("=6I", *sets))
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # … nor has anything that it starts, where this very Python has the right by its file (containers)
