"""The packets of a capture of Ethernet and IPv4, by number: for labels that are given by the packet. Reads nothing but the classic format."""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def packets(file: Path) -> Iterator[tuple[int, int, str, str, int]]:
    """(number from 1, nanoseconds, source, destination, octets) of each; no addresses where it is not IPv4. Raises ValueError for another format."""
    octets = file.read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(octets[:4])
    if order is None:
        raise ValueError(f"{file} is no capture in the classic format")
    at, number = 24, 0
    while at + 16 <= len(octets):
        seconds, micros, kept, length = struct.unpack_from(f"{order}IIII", octets, at)
        at, number = at + 16, number + 1
        frame = octets[at : at + kept]
        at += kept
        ends = (frame[26:30], frame[30:34]) if frame[12:14] == b"\x08\x00" and len(frame) >= 34 else ()
        source, destination = (str(ipaddress.ip_address(end)) for end in ends) if ends else ("", "")
        yield number, (seconds * 1_000_000 + micros) * 1000, source, destination, length
