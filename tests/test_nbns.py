"""The NetBIOS name service: what its messages say, and what they say of hosts."""

from __future__ import annotations

from sensors.protocols.nbns import FUNCTIONS, NBNS, decoded, spelled, tells
from sensors.statements import ANNOUNCED, Statement
from tests.protocol_battery import Message, told
from tests.test_dns import dns, record


def name(text: str, kind: int = 0) -> bytes:
    """A name as it stands on the wire: two letters an octet."""
    octets = text.encode().ljust(15) + bytes([kind])
    return b"\x20" + bytes(65 + half for octet in octets for half in (octet >> 4, octet & 15)) + b"\0"


ADDRESS = b"\0\0" + bytes([10, 1, 2, 9])
REGISTER = dns(0x2910, (name("HMI-9"),), (), (record(b"\xc0\x0c", 0x20, ADDRESS),))
STATUS = dns(
    0x8400,
    (),
    (record(name("*"), 0x21, b"\2" + b"HMI-9".ljust(15) + b"\0\4\0" + b"PLANT".ljust(15) + b"\0\x84\0" + bytes.fromhex("001b1b000009") + bytes(40)),),
)
EXAMPLES = (
    *(Message(dns(answer << 15 | int(code.split("/")[0]) << 11, (name("HMI-9", 0x20),)), answer) for code in FUNCTIONS for answer in [int(code[-1])]),
    Message(REGISTER, 0),
    Message(STATUS, 1),
)


def test_the_name_reads_as_people_write_it() -> None:
    (row,) = told(NBNS, [EXAMPLES[0]])
    assert (row.action, spelled(row.name.encode())) == ("nbns_query", "HMI-9<20>")
    assert spelled(b"\3abc\0") == "abc"
    assert decoded("A" * 31) is None


def test_what_it_says_of_hosts() -> None:
    assert tells(REGISTER[2:]) == (Statement(("10.1.2.9",), (("name", "HMI-9", ANNOUNCED),), here=True),)
    assert tells(STATUS[2:]) == (Statement(("00:1b:1b:00:00:09",), (("name", "HMI-9", ANNOUNCED),), speaker=True, here=True),)
    group = dns(0x2910, (name("PLANT"),), (), (record(b"\xc0\x0c", 0x20, b"\x80\0" + ADDRESS[2:]),))
    assert tells(group[2:]) == ()
