"""Which addresses are one asset: what hosts say of themselves, what their packets show, and what is not to be believed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from records.facts import asset_id
from sensors.vendors import vendor_of
from tests.test_arp import arp
from tests.test_dhcp import ACK, MAC
from tests.test_dns import a, dns, name
from tests.test_lldp import FULL
from tests.wire import SECOND, START, Packet, Talk, ethernet, ipv4, mac, mbap, read, registers, udp, watch

PLC, HMI, ROUTER = "10.1.2.3", "10.1.2.4", "10.1.2.254"
REQUEST, ANSWER = mbap(1, read(0, 1)), mbap(1, registers(7))


def claim(address: str, of: str, at: int = 0) -> Packet:
    """The host with the MAC address of `of` says that it has `address`."""
    return Packet(ethernet(arp(1, address, "10.1.2.1", mac(of)), of, "255.255.255.255", 0x0806), START + at * SECOND)


def poll(client: str = HMI, server: str = PLC, at: int = 0, times: int = 1) -> list[Packet]:
    """Requests and answers."""
    talk = Talk(client, server, time=START + at * SECOND).open()
    for _ in range(times):
        talk.ask(REQUEST, ANSWER)
    return talk.packets


def through(router: str, packet: Packet) -> Packet:
    """The packet as it leaves a router: its sender's MAC address is the router's."""
    return replace(packet, data=packet.data[:6] + mac(router) + packet.data[12:])


def assets(*packets: Packet) -> dict[str, tuple[str, ...]]:
    """Assets by name, with their addresses."""
    return {asset.name: asset.addresses for asset in watch(sorted(packets, key=lambda packet: packet.time)).assets}


def hexed(of: str) -> str:
    return mac(of).hex(":")


def test_an_ip_address_with_its_mac_address() -> None:
    assert assets(*poll()) == {HMI: (HMI, hexed(HMI)), PLC: (PLC, hexed(PLC))}


def test_two_ip_addresses_that_one_mac_address_claims() -> None:
    assert assets(claim(PLC, PLC), claim("10.1.2.33", PLC, 1)) == {PLC: (PLC, "10.1.2.33", hexed(PLC))}


def test_what_is_behind_a_router_is_not_the_router() -> None:
    far = [f"10.9.9.{number}" for number in range(1, 6)]
    packets = [through(ROUTER, packet) for client in far for packet in poll(client)] + [claim(ROUTER, ROUTER)]
    found = watch(packets).assets
    assert {asset.name: asset.addresses for asset in found if asset.name in far} == {client: (client,) for client in far}
    (router,) = (asset for asset in found if ROUTER in asset.addresses)
    assert (router.addresses, router.role) == ((ROUTER, hexed(ROUTER)), "gateway")


def test_a_router_that_answers_for_everybody_keeps_nobody() -> None:
    found = assets(*(claim(f"10.1.2.{number}", ROUTER, number) for number in range(1, 9)), *poll())
    assert found[PLC] == (PLC, hexed(PLC))


def test_an_address_that_moves_is_told_on_both_sides() -> None:
    packets = [claim(PLC, PLC), claim(PLC, PLC, 5), claim(PLC, "10.1.2.77", 60), claim(PLC, "10.1.2.77", 70)]
    found = {asset.name: asset for asset in watch(packets).assets}
    assert found[PLC].addresses == (PLC, hexed("10.1.2.77"))
    assert found[hexed(PLC)].addresses == (hexed(PLC),)
    for asset in found.values():
        assert [(each.address, each.other, each.kind, each.first) for each in asset.conflicts] == [(PLC, hexed("10.1.2.77"), "moved", START + 60 * SECOND)]


def test_an_address_that_two_claim_stays_with_the_first() -> None:
    packets = [claim(PLC, PLC if number % 2 == 0 else "10.1.2.66", number) for number in range(8)]
    found = {asset.name: asset for asset in watch([*packets, claim("10.1.2.66", "10.1.2.66")][:9]).assets}
    assert found[PLC].addresses == (PLC, hexed(PLC))
    assert found["10.1.2.66"].addresses == ("10.1.2.66", hexed("10.1.2.66"))
    assert {each.kind for asset in (found[PLC], found["10.1.2.66"]) for each in asset.conflicts} == {"contested"}


def test_who_says_to_be_many_is_not_believed() -> None:
    """Multicast DNS can be sent by anybody: a host that has both kinds of address is not taken for another one that has."""
    lie = dns(0x8400, (), (a(name("me.local"), PLC), a(name("me.local"), "10.1.2.66")))
    packets = [
        claim("10.1.2.66", "10.1.2.66"),
        claim(PLC, PLC),
        Packet(ethernet(ipv4(udp(lie, 5353, 5353), "10.1.2.66", "224.0.0.251", 17), "10.1.2.66"), START + SECOND),
    ]
    found = watch(packets).assets
    assert sorted(asset.addresses for asset in found) == [(PLC, hexed(PLC)), ("10.1.2.66", hexed("10.1.2.66"))]
    assert all(each.kind == "contested" for asset in found for each in asset.conflicts)
    assert all(asset.conflicts for asset in found)


def test_a_switch_by_what_it_says() -> None:
    (switch,) = watch([Packet(ethernet(FULL, "10.1.2.9", "10.0.0.9", 0x88CC))]).assets
    assert (switch.name, switch.role, switch.addresses) == ("ring-switch-3", "switch", ("10.1.2.3", "00:04:96:1f:a7:26", hexed("10.1.2.9")))
    assert switch.id == asset_id("site", "10.1.2.3")


def test_a_lease_joins_and_names() -> None:
    packets = [Packet(ethernet(ipv4(udp(ACK, 67, 68), "10.1.2.1", "255.255.255.255", 17), "10.1.2.1", "255.255.255.255"))]
    (client,) = watch(packets).assets
    assert client.addresses == ("10.1.2.50", MAC.hex(":"))
    assert client.vendor == vendor_of(MAC.hex(":")) == "Siemens AG"


def test_groups_are_no_assets() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(REQUEST, 40000, 502), HMI, target, 17), HMI, target)) for target in ("255.255.255.255", "224.0.1.1")])
    assert [asset.name for asset in seen.assets] == [HMI]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_whatever_order_it_was_heard_in(seed: int) -> None:
    """Packets of one time, in any order."""
    told = [claim(PLC, PLC), claim(HMI, HMI), claim(ROUTER, ROUTER), Packet(ethernet(FULL, PLC, "10.0.0.9", 0x88CC))]
    packets = random.Random(seed).sample(told, len(told))
    assert watch(packets).assets == watch(told).assets
