"""DHCP: what its messages say, and what they say of hosts."""

from __future__ import annotations

import ipaddress

from sensors.protocol import answers_nothing
from sensors.protocols.dhcp import DHCP, tells
from sensors.statements import LEASED, SERVES, Statement
from tests.protocol_battery import Message, told
from tests.wire import Packet, ethernet, ipv4, udp, watch

MAC = bytes.fromhex("001b1b112233")


def dhcp(kind: int, had: str = "0.0.0.0", given: str = "0.0.0.0", more: bytes = b"", head: bytes = b"\0", client: bytes = MAC) -> bytes:
    """A message of this type: addresses that the client has, and is given."""
    ends = ipaddress.ip_address(had).packed + ipaddress.ip_address(given).packed
    fixed = bytes([2 if kind in (2, 5, 6) else 1, 1, 6, 0]) + bytes(8) + ends + bytes(8) + client + bytes(202)
    return fixed + b"\x63\x82\x53\x63" + head + bytes([53, 1, kind]) + more + b"\xff"


NAMED = b"\x0c\x05hmi-7" + b"\x3c\x04S7CP"
SERVED = b"\x36\x04\x0a\1\2\1" + b"\x03\x08\x0a\1\2\xfe\x0a\1\2\xfd"
ACK = dhcp(5, given="10.1.2.50", more=SERVED)
EXAMPLES = (
    Message(dhcp(1, more=NAMED)), Message(dhcp(2, given="10.1.2.50", more=SERVED), 1), Message(dhcp(3, more=NAMED)), Message(dhcp(4)), Message(ACK, 1),
    Message(dhcp(6), 1), Message(dhcp(7, had="10.1.2.50")), Message(dhcp(8, had="10.1.2.50")),
)  # fmt: skip


def test_a_lease() -> None:
    rows = told(DHCP, list(EXAMPLES))
    assert [row.action.removeprefix("dhcp_") for row in rows] == ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform"]
    assert [row.outcome for row in rows] == [1, 1, 1, 1, 1, 2, 1, 1]
    assert ipaddress.ip_address(rows[4].first) == ipaddress.ip_address("10.1.2.50")


def test_without_a_type_it_is_bootp() -> None:
    bare = dhcp(1)[:240]
    assert [row.anomalies for row in told(DHCP, [Message(bare + b"\xff"), Message(bare + b"\x0c\x05ab")])] == [("no_message_type",), ("short",)]


def test_what_it_says_of_hosts() -> None:
    client, *others = tells(ACK)
    assert client == Statement((MAC.hex(":"), "10.1.2.50"), here=True)
    assert others == [
        *(Statement((router,), (("role", "gateway", LEASED),)) for router in ("10.1.2.254", "10.1.2.253")),
        Statement(("10.1.2.1",), (("role", "server", SERVES),)),
    ]
    assert tells(EXAMPLES[2].data) == (Statement((MAC.hex(":"),), (("name", "hmi-7", LEASED), ("class", "S7CP", LEASED)), here=True),)


def test_who_speaks_is_the_source() -> None:
    asked = Packet(ethernet(ipv4(udp(dhcp(1, more=NAMED), 68, 67), "0.0.0.0", "255.255.255.255", 17), "10.1.2.50", "255.255.255.255"))
    given = Packet(ethernet(ipv4(udp(ACK, 67, 68), "10.1.2.1", "255.255.255.255", 17), "10.1.2.1", "255.255.255.255"))
    seen = watch([asked, given])
    assert [(line["action"], line["source"]["ip"], line["destination"]["ip"]) for line in seen.lines] == [
        ("dhcp_discover", "0.0.0.0", "255.255.255.255"), ("dhcp_ack", "10.1.2.1", "255.255.255.255"),
    ]  # fmt: skip
    assert [row["source.asset.id"] is None for row in seen.activities] == [True, False]


def test_a_server_that_acknowledges_is_not_said_to_ask() -> None:
    assert answers_nothing("dhcp")
    assert not any(answers_nothing(name) for name in ("modbus", "enip", "dcp", "nothing"))
