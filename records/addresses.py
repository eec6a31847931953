"""Addresses as text: IP addresses as `ipaddress` writes them, MAC addresses in lower case with colons."""

from __future__ import annotations

import re
from typing import Final

_MAC: Final = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)


# Of routers that stand in for each other: VRRP (RFC 9568, also CARP), HSRP and GLBP. Such a MAC address goes from one device to the other with its IP address.
_VIRTUAL: Final = {
    "00:00:5e:00:01:": "VRRP", "00:00:5e:00:02:": "VRRP", "00:00:0c:07:ac:": "HSRP", "00:00:0c:9f:f": "HSRP", "00:05:73:a0:0": "HSRP",
    "00:07:b4:0": "GLBP",
}  # fmt: skip


def is_mac(text: str) -> bool:
    """Is it a MAC address?"""
    return _MAC.fullmatch(text) is not None


def is_virtual(mac: str) -> bool:
    """Is it the MAC address of a fail-over pair, not of one device?"""
    return virtual_of(mac) is not None


def virtual_of(mac: str) -> str | None:
    """The protocol by which routers hand this MAC address to each other; None where it is one device's."""
    return next((protocol for start, protocol in _VIRTUAL.items() if mac.startswith(start)), None)
