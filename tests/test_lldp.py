"""LLDP: what its messages say, and what they say of hosts."""

from __future__ import annotations

from sensors.protocols.lldp import LLDP, tells
from sensors.statements import ANNOUNCED, Statement
from tests.protocol_battery import Message, told

CHASSIS = "00:04:96:1f:a7:26"


def tlv(kind: int, data: bytes) -> bytes:
    """One piece of a message."""
    return (kind << 9 | len(data)).to_bytes(2) + data


def lldp(*more: bytes, life: int = 120, chassis: bytes = b"\4" + bytes.fromhex(CHASSIS.replace(":", ""))) -> bytes:
    """A message with the pieces that every one has, and more."""
    return tlv(1, chassis) + tlv(2, b"\5port-001") + tlv(3, life.to_bytes(2)) + b"".join(more) + tlv(0, b"")


MANAGED = tlv(8, bytes([5, 1, 10, 1, 2, 3, 2, 0, 0, 0, 7, 0]))
FULL = lldp(tlv(4, b"Port 1"), tlv(5, b"ring-switch-3"), tlv(6, b"SCALANCE X208"), tlv(7, bytes([0, 0x14, 0, 0x04])), MANAGED, tlv(127, b"\0\x0e\xcf\2abc"))
EXAMPLES = (Message(FULL), Message(lldp()), Message(lldp(life=0)))


def test_an_advertisement_and_its_end() -> None:
    first, second, last = told(LLDP, list(EXAMPLES))
    assert (first.action, first.effect, first.name) == ("lldp_advertise", "data.exchange", "Port 1")
    assert (second.action, second.name, last.action) == ("lldp_advertise", "", "lldp_withdraw")


def test_what_is_out_of_order_is_seen() -> None:
    swapped = tlv(1, b"\x04" + b"123456") + tlv(3, b"\0\1") + tlv(2, b"\5x") + tlv(0, b"")
    assert [row.anomalies for row in told(LLDP, [Message(swapped), Message(FULL[:-6])])] == [("bad_length",), ("short",)]


def test_what_it_says_of_the_speaker() -> None:
    facts = (("name", "ring-switch-3", ANNOUNCED), ("description", "SCALANCE X208", ANNOUNCED), ("role", "switch", ANNOUNCED))
    assert tells(FULL) == (Statement((CHASSIS, "10.1.2.3"), facts, speaker=True, here=True),)
    assert tells(lldp(chassis=b"\7plc-1")) == (Statement((), (("chassis", "plc-1", ANNOUNCED),), speaker=True, here=True),)
    assert tells(lldp(tlv(7, bytes([0, 0x14, 0, 0x10]))))[0].facts == (("role", "gateway", ANNOUNCED),)
