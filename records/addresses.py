"""Addresses as text: IP addresses as `ipaddress` writes them, MAC addresses in lower case with colons."""

from __future__ import annotations

import re
from typing import Final

_MAC: Final = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)


def is_mac(text: str) -> bool:
    """Is it a MAC address?"""
    return _MAC.fullmatch(text) is not None
