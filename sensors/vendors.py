"""Who made a network card: the IEEE's table of the first 24 bits of MAC addresses, as `aiooui` carries it. Nothing is fetched."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Final

from records.addresses import is_virtual

if TYPE_CHECKING:
    from aiooui import OUIManager

DIVIDED: Final = "IEEE Registration Authority"  # a block of addresses in which many small makers have a part each: no maker
OWN: Final = 2  # bit of the first octet: the address was given by an administrator or a program, not by a maker


@cache
def _table() -> OUIManager:
    from aiooui import OUIManager

    table = OUIManager()
    asyncio.run(table.async_load())
    return table


def vendor_of(mac: str) -> str | None:
    """The maker of the card with this MAC address, as text; None where the table has none, where nobody gave it out, or where routers hand it on."""
    maker = None if int(mac[:2], 16) & OWN or is_virtual(mac) else _table().get_vendor(mac)
    return maker.strip(" ,") or None if maker and maker != DIVIDED else None
