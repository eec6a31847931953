"""What the two capture formats look like: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).

Their headers are read here, in plain Python, for they are few; packets are indexed in `reader`. Nothing here needs the kernels, so that
captures can be looked at before it is decided how kernels run.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from records.errors import InputError
from sensors.engine.tables import table

LARGEST: Final = 1 << 18  # captured octets of one packet: what libpcap and Wireshark accept
LARGEST_BLOCK: Final = 1 << 19  # a packet and its options

# fmt: off
LINKTYPES: Final = {  # those the engine reads, by their numbers in https://www.tcpdump.org/linktypes.html
    0: "NULL", 1: "ETHERNET", 12: "RAW", 14: "RAW", 101: "RAW", 108: "LOOP", 113: "LINUX_SLL", 228: "IPV4", 229: "IPV6", 276: "LINUX_SLL2",
}
UNREAD: Final = {     # the others one may meet, for the message
    6: "IEEE802_5", 7: "ARCNET_BSD", 8: "SLIP", 9: "PPP", 10: "FDDI", 50: "PPP_HDLC", 51: "PPP_ETHER", 104: "C_HDLC", 105: "IEEE802_11", 107: "FRELAY",
    117: "PFLOG", 119: "PRISM", 127: "IEEE802_11_RADIOTAP", 143: "DOCSIS", 147: "USER0", 162: "LINUX_LAPD", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX",
    190: "CAN20B", 192: "PPI", 195: "IEEE802_15_4_WITHFCS", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 220: "USB_LINUX_MMAPPED", 227: "CAN_SOCKETCAN",
    230: "IEEE802_15_4_NOFCS", 240: "NETANALYZER", 241: "NETANALYZER_TRANSPARENT", 249: "USBPCAP", 250: "RTAC_SERIAL", 251: "BLUETOOTH_LE_LL",
    252: "WIRESHARK_UPPER_PDU", 253: "NETLINK", 272: "NORDIC_BLE", 283: "IEEE802_15_4_TAP",
}
CLASSIC: Final = {    # the first four octets: big endian, nanoseconds of the fraction of a second, octets of a record's header
    b"\xa1\xb2\xc3\xd4": (True, 1000, 16), b"\xd4\xc3\xb2\xa1": (False, 1000, 16),
    b"\xa1\xb2\x3c\x4d": (True, 1, 16),    b"\x4d\x3c\xb2\xa1": (False, 1, 16),
    b"\xa1\xb2\xcd\x34": (True, 1000, 24), b"\x34\xcd\xb2\xa1": (False, 1000, 24),  # A. Kuznetzov's, with the interface behind the lengths
}
# fmt: on
FILE_HEADER: Final = 24

SECTION: Final = 0x0A0D0D0A  # the same in both byte orders
INTERFACE_BLOCK: Final = 1
PACKET_BLOCK: Final = 2  # obsolete
SIMPLE: Final = 3
STATISTICS: Final = 5  # of an interface
ENHANCED: Final = 6
SECTION_MAGIC: Final = struct.pack(">I", SECTION)
SECTION_HEADER: Final = 28
ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
OPTION_NAME, OPTION_RESOLUTION, OPTION_OFFSET = 2, 9, 14

LAST_TIME: Final = 1 << 62  # a nonsense time becomes this (2116), so that no sum of times leaves 64 bits; none is negative, -1 means absent
LAST_SECOND: Final = LAST_TIME // 1_000_000_000

INTERFACE: Final = np.dtype(  # what a kernel must know of an interface
    [(name, "i8") for name in ("linktype", "readable", "snap", "multiply", "divide", "before", "shift", "offset")], align=True
)


@dataclass(frozen=True, slots=True)
class Classic:
    """The file header of a pcap. `scale` turns the fraction of a second into nanoseconds; `header` is the length of a record's; `snap` may be 0."""

    big: bool
    scale: int
    header: int
    linktype: int
    snap: int


def classic(head: bytes) -> Classic | None:
    """The header of a pcap, None where it is none or not complete."""
    if len(head) < FILE_HEADER or head[:4] not in CLASSIC:
        return None
    big, scale, header = CLASSIC[head[:4]]
    snap, linktype = struct.unpack_from(">II" if big else "<II", head, 16)
    return Classic(big, scale, header, linktype & 0x03FFFFFF, snap)  # above: whether and how long a frame check sequence is


def linktype_name(number: int) -> str:
    """The name of a link type; `?` where we know none."""
    return LINKTYPES.get(number) or UNREAD.get(number) or "?"


def nanoseconds(units: int, interface: Any) -> int:
    """A time of pcapng, 0 … 2**63-1 units of an interface (a row of an INTERFACE table), as nanoseconds since the epoch.

    Kernels compile this very function.
    """
    time = LAST_TIME
    if interface.shift >= 0:
        units >>= interface.before
        seconds = units >> interface.shift
        if seconds < LAST_SECOND:
            time = seconds * 1_000_000_000 + ((units - (seconds << interface.shift)) * 1_000_000_000 >> interface.shift)
    else:
        units //= interface.divide
        if units < LAST_TIME // interface.multiply:
            time = units * interface.multiply
    return max(time + interface.offset, 0)


def describe(block: bytes, order: str, interface: Any) -> str:
    """Fill a row of an INTERFACE table from an interface description block; gives the interface's name, empty where it has none."""
    linktype, _, snap = struct.unpack_from(f"{order}HHI", block, 8)
    interface.linktype = linktype
    interface.readable = linktype in LINKTYPES
    interface.snap = snap or LARGEST
    name, resolution, offset = "", 6, 0
    for code, value in options(block, order):
        if code == OPTION_NAME:
            name = value.decode("utf-8", "replace").rstrip("\0")
        elif code == OPTION_RESOLUTION and len(value) == 1:
            resolution = value[0]
        elif code == OPTION_OFFSET and len(value) == 8:
            (offset,) = struct.unpack(f"{order}q", value)
    binary, digits = resolution >> 7, resolution & 0x7F
    interface.multiply = 10 ** max(9 - digits, 0)
    interface.divide = min(10 ** max(digits - 9, 0), LAST_TIME)
    interface.before = min(max(digits - 33, 0), 63)  # 2**-33 s is finer than a nanosecond, and its fraction × 10**9 fits in 64 bits
    interface.shift = min(digits, 33) if binary else -1
    interface.offset = max(-LAST_SECOND + 1, min(offset, LAST_SECOND - 1)) * 1_000_000_000
    return name


def options(block: bytes, order: str, at: int = 16) -> list[tuple[int, bytes]]:
    """The options of a block from offset `at` on (of an interface description 16), up to the first that does not fit."""
    found: list[tuple[int, bytes]] = []
    end = len(block) - 4
    while at + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", block, at)
        if code == 0 or at + 4 + length > end:
            break
        found.append((code, block[at + 4 : at + 4 + length]))
        at += 4 + length + (-length & 3)
    return found


def section_order(head: bytes) -> str | None:
    """The byte order of the section whose header block begins `head`, as `struct` names it; None where that is no section header we can read."""
    order = ORDERS.get(head[8:12])
    if order is None or len(head) < SECTION_HEADER:
        return None
    (length,) = struct.unpack_from(f"{order}I", head, 4)
    (major,) = struct.unpack_from(f"{order}H", head, 12)
    return order if length >= SECTION_HEADER and length % 4 == 0 and major == 1 else None


def look(head: bytes, path: str) -> int | None:
    """The time of the first packet that stands in `head`, None where none does. Raises InputError for what is not a capture we can read."""
    if not head:
        raise InputError("capture.empty", file=path)
    if head[:4] in CLASSIC:
        header = classic(head)
        if header is None:
            raise InputError("capture.header", file=path, offset=len(head))
        if header.linktype not in LINKTYPES:
            raise InputError("capture.linktype", file=path, number=header.linktype, name=linktype_name(header.linktype))
        if len(head) < FILE_HEADER + 8:
            return None
        seconds, fraction = struct.unpack_from(">II" if header.big else "<II", head, FILE_HEADER)
        return seconds * 1_000_000_000 + fraction * header.scale
    if head[:4] != SECTION_MAGIC or (len(head) >= 12 and head[8:12] not in ORDERS):
        raise InputError("capture.unknown", file=path)
    if len(head) < SECTION_HEADER:
        raise InputError("capture.header", file=path, offset=len(head))
    return _first(head)


def _first(head: bytes) -> int | None:
    """The time of the first packet of a pcapng that has one and that we can read."""
    order = "<"
    interfaces: list[Any] = []
    at = 0
    while at + 12 <= len(head):
        if head[at : at + 4] == SECTION_MAGIC:
            found = section_order(head[at : at + SECTION_HEADER])
            if found is None:
                return None
            order, interfaces = found, []
        kind, length = struct.unpack_from(f"{order}II", head, at)
        if length < 12 or length % 4:
            return None
        block = head[at : at + length]
        if kind == INTERFACE_BLOCK and len(block) == length >= 20:
            interfaces.append(table(1, INTERFACE)[0])
            describe(block, order, interfaces[-1])
        elif kind in (ENHANCED, PACKET_BLOCK) and len(block) >= 28:
            number, high, low = struct.unpack_from(f"{order}III", block, 8)
            if kind == PACKET_BLOCK:
                (number,) = struct.unpack_from(f"{order}H", block, 8)
            if number < len(interfaces) and interfaces[number].readable:
                return int(nanoseconds(min(high, 0x7FFFFFFF) << 32 | low, interfaces[number]))
        at += length
    return None
