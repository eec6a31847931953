"""ARP: what its messages say, and what they say of hosts."""

from __future__ import annotations

import ipaddress

import pytest

from sensors.protocols.arp import ARP, tells
from sensors.statements import Statement
from tests.protocol_battery import Message, told
from tests.wire import ETHERNET, NULL, SLL, START, Packet, ethernet, link, mac, watch

ONE, OTHER = "10.0.0.1", "10.0.0.2"


def arp(operation: int, sender: str, target: str, sender_mac: bytes | None = None) -> bytes:
    """A message of the host with the address `sender`."""
    known = mac(target) if operation == 2 else bytes(6)
    ends = [ipaddress.ip_address(address).packed for address in (sender, target)]
    return bytes.fromhex("0001 0800 06 04") + operation.to_bytes(2) + (sender_mac or mac(sender)) + ends[0] + known + ends[1]


EXAMPLES = (Message(arp(1, ONE, OTHER)), Message(arp(2, OTHER, ONE)), Message(arp(1, ONE, ONE) + bytes(18)), Message(arp(1, "0.0.0.0", ONE, mac(ONE))))


def test_a_request_and_its_reply() -> None:
    asked, _, answered = told(ARP, list(EXAMPLES[:2]))
    assert (asked.action, asked.effect, ipaddress.ip_address(asked.first)) == ("arp_request", "data.exchange", ipaddress.ip_address(OTHER))
    assert (answered.action, answered.role, ipaddress.ip_address(answered.first)) == ("arp_reply", 3, ipaddress.ip_address(OTHER))


def test_a_request_tells_its_senders_address_once() -> None:
    """Whoever hears it believes that as it believes a reply, so one that tells a false address is seen; what is told again is not."""
    evil = bytes.fromhex("02ba1e010066")
    own, false = arp(1, "10.0.0.6", OTHER, evil), arp(1, ONE, OTHER, evil)
    announced, probed = arp(1, "10.0.0.7", "10.0.0.7"), arp(1, "0.0.0.0", OTHER, evil)
    seen = told(ARP, [Message(each) for each in (own, own, probed, own, false, false, own, announced, arp(1, "10.0.0.7", ONE))])
    claims = [(row.message, str(ipaddress.ip_address(row.first)), row.code, row.part) for row in seen if row.action == "arp_sender"]
    assert claims == [(0, "10.0.0.6", "1/2", 1), (4, ONE, "1/2", 1), (6, "10.0.0.6", "1/2", 1)]
    assert len(seen) == 9 + len(claims)


def test_an_announcement_asks_for_the_senders_own_address() -> None:
    """Which is nothing else than to say that one has it; a probe asks whether another one has it."""
    announced, probed = told(ARP, list(EXAMPLES[2:]))
    assert (announced.action, announced.code, ipaddress.ip_address(announced.first)) == ("arp_announcement", "1/1", ipaddress.ip_address(ONE))
    assert (probed.action, ipaddress.ip_address(probed.first)) == ("arp_request", ipaddress.ip_address(ONE))


@pytest.mark.parametrize("other", [(0, 6), (2, 0x86DD), (4, 8), (5, 16)])
def test_other_links_are_not_read(other: tuple[int, int]) -> None:
    place, value = other
    data = bytearray(EXAMPLES[0].data)
    data[place : place + (2 if place < 4 else 1)] = value.to_bytes(2 if place < 4 else 1)
    row, *_ = told(ARP, [Message(bytes(data))])
    assert row.anomalies == ("bad_length",) if place else row.anomalies == ()


def test_what_it_says_of_hosts() -> None:
    whose = mac(ONE).hex(":")
    assert [tells(example.data) for example in (EXAMPLES[0], EXAMPLES[2], EXAMPLES[3])] == [
        (Statement((whose, ONE), here=True),), (Statement((whose, ONE), here=True),), (Statement((whose,), here=True),),
    ]  # fmt: skip
    assert tells(arp(1, ONE, OTHER, b"\xff" * 6)) == ()
    assert tells(EXAMPLES[0].data[:20]) == ()


def test_a_frame_is_an_operation_of_its_sender() -> None:
    seen = watch([Packet(ethernet(arp(1, ONE, OTHER), ethertype=0x0806)), Packet(ethernet(arp(2, OTHER, ONE), OTHER, ONE, 0x0806), START + 1)])
    assert [(line["source"], line["destination"]["port"], line["object"]["name"]) for line in seen.lines] == [
        ({"ip": None, "mac": mac(ONE).hex(":"), "port": None}, None, OTHER), ({"ip": None, "mac": mac(ONE).hex(":"), "port": None}, None, ONE),
        ({"ip": None, "mac": mac(OTHER).hex(":"), "port": None}, None, OTHER),
    ]  # fmt: skip
    assert seen.totals.undecoded == {}
    assert {row["network.transport"] for row in seen.activities} == {None}


def test_on_cooked_links_the_receiver_is_not_told() -> None:
    """Linux's own link type tells the sender alone; a loopback has no MAC address at all."""
    assert [line["action"] for line in watch([Packet(bytes.fromhex("000000010006") + mac(ONE) + b"\0\0\x08\x06" + arp(1, ONE, OTHER), START, SLL)]).lines] == [
        "arp_request", "arp_sender",
    ]  # fmt: skip
    assert watch([Packet(link(b"\x45" + bytes(30), NULL), START, NULL)]).lines == []
    assert ETHERNET == 1
