"""Packets as kernels write them: blocks of a pcapng (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import inline, put
from sensors.sources.formats import ENHANCED

HEAD: Final = 28  # octets of an enhanced packet block before its packet


@inline
def put32(out: Any, at: int, value: int) -> None:
    """Set four octets, little endian."""
    put(out, at, value)
    put(out, at + 1, value >> 8)
    put(out, at + 2, value >> 16)
    put(out, at + 3, value >> 24)


@inline
def frame(out: Any, at: int, interface: int, time: int, captured: int, wire: int) -> int:
    """The block of a packet but for its octets, which belong at out[at + HEAD:]; returns where it ends, -1 where there is no room."""
    octets = HEAD + (captured + 3 & ~3) + 4
    if at + octets > len(out):
        return -1
    put32(out, at + octets - 8, 0)  # what fills up the packet's last octets; of a packet without any, in front of it
    put32(out, at, ENHANCED)
    put32(out, at + 4, octets)
    put32(out, at + 8, interface)
    put32(out, at + 12, time >> 32)
    put32(out, at + 16, time)
    put32(out, at + 20, captured)
    put32(out, at + 24, wire)
    put32(out, at + octets - 4, octets)
    return at + octets
