"""Multicast DNS: what its messages say of the host that speaks."""

from __future__ import annotations

from sensors.protocols.mdns import MDNS, tells
from sensors.statements import ANNOUNCED, Statement
from tests.protocol_battery import Message, told
from tests.test_dns import a, dns, name, record
from tests.wire import Packet, ethernet, ipv4, udp, watch

HOST = name("panel-4.local")
SERVICE = name("Panel 4._http._tcp.local")
SPOKEN = dns(
    0x8400, (), (record(SERVICE, 33, b"\0\0\0\0\0\x50" + HOST), record(SERVICE, 16, b"\x0amodel=KTP7\x04fw=3\x03x=y")),
    (a(HOST, "10.1.2.4"), a(HOST, "fe80::4")),
)  # fmt: skip
EXAMPLES = (Message(dns(0, (name("_services._dns-sd._udp.local"),))), Message(SPOKEN))


def test_who_asks_and_who_answers() -> None:
    asked, answered = told(MDNS, list(EXAMPLES))
    assert (asked.action, answered.action, answered.role) == ("mdns_query", "mdns_answer", 3)


def test_what_it_says_of_the_speaker() -> None:
    facts = (("name", "panel-4.local", ANNOUNCED), ("model", "KTP7", ANNOUNCED), ("firmware", "3", ANNOUNCED))
    assert tells(SPOKEN[2:]) == (Statement(("10.1.2.4", "fe80::4"), facts, here=True),)


def test_a_name_is_told_as_its_host_writes_it() -> None:
    written = dns(0x8400, (), (a(name("Panel-4.local"), "10.1.2.4"), a(name("panel-4.LOCAL"), "fe80::4")))
    assert tells(written[2:]) == (Statement(("10.1.2.4", "fe80::4"), (("name", "Panel-4.local", ANNOUNCED),), here=True),)


def test_who_speaks_for_others_is_not_they() -> None:
    both = dns(0x8400, (), (a(HOST, "10.1.2.4"), a(name("other.local"), "10.1.2.5")))
    assert [(statement.addresses, statement.here) for statement in tells(both[2:])] == [(("10.1.2.4",), False), (("10.1.2.5",), False)]


def test_the_group_is_no_asset() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(SPOKEN, 5353, 5353), "10.1.2.4", "224.0.0.251", 17), "10.1.2.4", "224.0.0.251"))])
    assert [row["destination.asset.id"] for row in seen.activities] == [None]
    assert [(asset.name, asset.addresses, asset.model) for asset in seen.assets] == [
        ("panel-4.local", ("10.1.2.4", "fe80::4", "02:00:0a:01:02:04"), "KTP7")
    ]  # fmt: skip
