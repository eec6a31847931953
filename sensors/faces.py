"""What Linux says of its network interfaces: whether they are fit to be listened to. Nothing is changed for longer than it takes to ask.

netdevice(7), linux/ethtool.h, and /sys/class/net.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensors.sources.cards import ethtool
from sensors.sources.links import index_now
from sensors.sources.packetsocket import ADD_MEMBERSHIP, ARPHRD, PROMISCUOUS, SOL_PACKET

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASS: Final = Path("/sys/class/net")
SIOCGIFADDR: Final = 0x8915
GET_GRO, GET_FLAGS, GET_RING = 0x2B, 0x25, 0x10
LARGE_RECEIVE: Final = 1 << 15
UP, LOOPBACK, TAKES_ALL = 1, 8, 0x100  # flags of an interface
ADDRESSES: Final = Path("/proc/net/if_inet6")
NET_RAW: Final = 13  # linux/capability.h
UNSYNCHRONISED: Final = 0x40  # of the status that adjtimex(2) tells


@dataclass(frozen=True, slots=True)
class Face:
    """An interface. `ring` and `most_ring` are the packets that its hardware can hold, as set and at most (0: it does not say); `lost` those it could not take;
    `speaks`: it has an address, so that the system may answer, ask and announce on it. `bridge`: the one that it is a port of, empty where it is none.
    """

    name: str
    there: bool
    readable: bool = False
    up: bool = False
    carrier: bool = False
    merges: bool = False
    speaks: bool = False
    ring: int = 0
    most_ring: int = 0
    lost: int = 0
    bridge: str = ""


def face(name: str) -> Face:
    """How an interface is now, by this name or another that it has."""
    with suppress(OSError):
        name = socket.if_indextoname(index_now(name))
    place = CLASS / name
    if not name or "/" in name or not place.is_dir():
        return Face(name, there=False)
    up = bool(int(_read(place / "flags") or "0", 16) & UP)
    lost = sum(int(_read(place / "statistics" / each) or 0) for each in ("rx_dropped", "rx_missed_errors", "rx_over_errors", "rx_fifo_errors"))
    ring = ethtool(name, struct.pack("=9I", GET_RING, *(0,) * 8))
    most, _, _, _, now = struct.unpack_from("=5I", ring, 4) if ring else (0,) * 5
    return Face(
        name, there=True, readable=int(_read(place / "type") or -1) in ARPHRD, up=up, carrier=up and _read(place / "carrier") == "1",
        merges=_flag(name, GET_GRO, 1) or _flag(name, GET_FLAGS, LARGE_RECEIVE), speaks=_speaks(name), ring=now, most_ring=most, lost=lost,
        bridge=(place / "brport" / "bridge").resolve().name if (place / "brport").exists() else "",
    )  # fmt: skip


def ports(bridge: str) -> set[str]:
    """The names of what a bridge passes packets on between."""
    return {each.name for each in (CLASS / bridge / "brif").glob("*")}


def own(names: Iterable[str]) -> list[str]:
    """Those that have an address of this machine: what it sends there itself is not heard, as it is where everything comes back (loopback)."""
    return [name for name in names if (seen := face(name)).speaks and not int(_read(CLASS / seen.name / "flags"), 16) & LOOPBACK]


def takes_all(name: str) -> bool | None:
    """Whether it takes what is for others, too, when it is asked to: it is, for a moment. None where we may not ask (`may_listen`)."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as asked:
            asked.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("=iHH8x", socket.if_nametoindex(name), PROMISCUOUS, 0))
            return bool(int(_read(CLASS / name / "flags") or "0", 16) & TAKES_ALL)
    except PermissionError:
        return None
    except OSError:
        return False


def faces() -> tuple[str, ...]:
    """The names of all interfaces."""
    return tuple(sorted(each.name for each in CLASS.iterdir())) if CLASS.is_dir() else ()


def may_listen() -> bool:
    """Whether this process has CAP_NET_RAW."""
    told = [line.split()[1] for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("CapEff:")]
    return bool(told) and bool(int(told[0], 16) >> NET_RAW & 1)


def clock_is_kept() -> bool:
    """Whether something keeps the system's clock to the time (NTP, PTP)."""
    told = (ctypes.c_char * 256)()  # struct timex: `modes`, then from offset 40 on, `status`, of which 0 changes nothing
    ctypes.CDLL(None).adjtimex(told)
    return not struct.unpack_from("=i", told, 40)[0] & UNSYNCHRONISED


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:  # a carrier cannot be read where an interface is down
        return ""


def _flag(name: str, command: int, bit: int) -> bool:
    told = ethtool(name, struct.pack("=II", command, 0))
    return bool(told) and bool(struct.unpack("=II", told)[1] & bit)


def _speaks(name: str) -> bool:
    if any(line.split()[-1] == name for line in _read(ADDRESSES).splitlines()):
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, SIOCGIFADDR, struct.pack("16s16x", name.encode()[:15]))
        except OSError:
            return False
    return True
