"""An IPv4 address as the object of an operation."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

SPACE: Final = "ipv4_address"


def label(space: str, first: int, last: int) -> str | None:
    """An address as people write it."""
    return str(IPv4Address(first)) if space == SPACE and first == last else None
