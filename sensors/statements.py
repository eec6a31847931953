"""What messages say of hosts: which addresses are one host's, what it is called, what it is. Said, not proven: each fact has a confidence.

A reader takes the octets of one message and gives statements; it never fails, whatever the octets are: what makes no sense is not said.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from records.addresses import is_mac

# 0–100: how far a fact is to be believed, by where it comes from. Documented in docs/assets.md.
PROVEN: Final = 95  # the device's own answer to an identity request of its industrial protocol
ANNOUNCED: Final = 80  # what a host says of itself to everybody, unasked
LEASED: Final = 75  # what a host asked of a DHCP server, and got
LOOKED_UP: Final = 60  # what a name server says of another host
DERIVED: Final = 50  # what follows from a table, such as the vendor from the MAC address
SERVES: Final = 40  # what a host is by what it answers to everybody: other roles count before it


@dataclass(frozen=True, slots=True)
class Statement:
    """`addresses` (IP and MAC addresses as text) are of one host; `facts` are (name, value, confidence) of it.

    `speaker`: it is who sent the message. `here`: it says so itself, on this link, so that there is such a host; else it is only talked about.
    """

    addresses: tuple[str, ...] = ()
    facts: tuple[tuple[str, str, int], ...] = ()
    speaker: bool = False
    here: bool = False


def ip_text(octets: bytes) -> str | None:
    """An address of one host as text: None for groups, for everybody, for nobody, and where the octets are no address."""
    if len(octets) not in (4, 16):
        return None
    address = ipaddress.ip_address(octets)
    if address.is_multicast or address.is_unspecified or address.is_loopback or octets == b"\xff\xff\xff\xff":
        return None
    return str(address)


def mac_of(octets: bytes) -> str | None:
    """A MAC address of one host as text: None for groups, for zeros, and where the octets are none."""
    if len(octets) != 6 or octets[0] & 1 or not any(octets):
        return None
    return octets.hex(":")


def present(*addresses: str | None) -> tuple[str, ...]:
    """Those of the addresses that there are, each once."""
    return tuple(dict.fromkeys(address for address in addresses if address))


@lru_cache(maxsize=1 << 16)
def is_group(address: str) -> bool:
    """Is this address, in text, everybody's, several hosts' or nobody's? Then it is no asset."""
    if is_mac(address):
        return bool(int(address[:2], 16) & 1) or address == "00:00:00:00:00:00"
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return False
    return told.is_multicast or told.is_unspecified or address == "255.255.255.255"


def words(octets: bytes) -> str:
    """Text of a message, without the blanks and zeros around it."""
    return octets.decode("utf-8", "replace").strip("\0 \t\r\n")
