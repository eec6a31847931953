"""Which addresses are one asset: what hosts say of themselves, what their packets show, and what is not to be believed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from records.assets import changes_of
from records.facts import FORMER, asset_id
from records.model import Conflict
from records.wording import LANGUAGES, device_words
from sensors.vendors import vendor_of
from tests.test_arp import arp
from tests.test_dhcp import ACK, MAC, dhcp
from tests.test_dns import a, dns, name
from tests.test_enip import IDENTITY as CARD
from tests.test_enip import pdu
from tests.test_lldp import FULL
from tests.wire import MS, SECOND, START, Packet, Talk, ethernet, ipv4, mac, mbap, read, registers, udp, watch

PLC, HMI, ROUTER = "10.1.2.3", "10.1.2.4", "10.1.2.254"
EVIL, SPARE = "10.1.2.66", "10.1.2.77"
NAMES = ("anna", "boris")
IDENTITY = mbap(9, b"\x2b\x0e\x01\x00")
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


def identity(version: str) -> bytes:
    """A device says who made it, what it is and which version it runs."""
    values = (b"Acme", b"P-1", version.encode())
    parts = b"".join(bytes([number, len(value)]) + value for number, value in enumerate(values))
    return mbap(9, b"\x2b\x0e\x01\x01\x00\x00\x03" + parts)


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
    packets = [claim(PLC, PLC), claim(PLC, PLC, 5), claim(PLC, SPARE, 60), claim(PLC, SPARE, 70)]
    found = {asset.name: asset for asset in watch(packets).assets}
    assert found[PLC].addresses == (PLC, hexed(SPARE))
    assert found[hexed(PLC)].addresses == (hexed(PLC),)
    for asset in found.values():
        assert asset.conflicts == (Conflict(PLC, hexed(SPARE), "moved", START + 60 * SECOND, START + 70 * SECOND, hexed(PLC)),)
        assert [(each.name, each.before, each.after) for each in changes_of(asset)] == [(PLC, hexed(PLC), hexed(SPARE))]


def test_an_address_that_two_claim_stays_with_the_first() -> None:
    packets = [claim(PLC, PLC if number % 2 == 0 else EVIL, number) for number in range(8)]
    found = {asset.name: asset for asset in watch([*packets, claim(EVIL, EVIL)][:9]).assets}
    assert found[PLC].addresses == (PLC, hexed(PLC))
    assert found[EVIL].addresses == (EVIL, hexed(EVIL))
    assert {each.kind for asset in (found[PLC], found[EVIL]) for each in asset.conflicts} == {"contested"}


def spoofing(at: int, forwards: bool = True) -> list[Packet]:
    """One in the middle: it says to be both ends of a conversation and hands on what they say."""
    packets = [claim(PLC, EVIL, at), claim(HMI, EVIL, at)]
    asked = poll(at=at + 1)
    return packets + [each for packet in asked for each in (packet, *([through(EVIL, packet.at(packet.time + MS // 2))] if forwards else ()))]


SPOOFED = {
    "one forged frame": [claim(HMI, HMI), claim(PLC, PLC), *poll(at=1), *poll(EVIL, at=2), claim(PLC, EVIL, 20), *poll(EVIL, at=30)],
    "one forged frame, the last of all": [claim(HMI, HMI), claim(PLC, PLC), *poll(at=1), claim(EVIL, EVIL, 2), *poll(EVIL, at=3), claim(PLC, EVIL, 20)],
    "of both ends": [claim(HMI, HMI), claim(PLC, PLC), *poll(at=1), claim(EVIL, EVIL, 2), *spoofing(20)],
    "of hosts that never spoke ARP": [*poll(at=1), claim(EVIL, EVIL, 2), *spoofing(20)],
    "from the start": [claim(EVIL, EVIL), *spoofing(0), *spoofing(10)],
    "before the owner is heard of": [claim(PLC, EVIL), claim(HMI, EVIL), claim(EVIL, EVIL, 1), *poll(at=5), *poll(EVIL, at=6)],
    "without an address of its own": [claim(HMI, HMI), claim(PLC, PLC), *poll(at=1), claim(PLC, EVIL, 20), *poll(at=30)],
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOOFED)
def test_who_speaks_for_others_is_not_them(kind: str) -> None:
    found = {address: asset for asset in watch(sorted(SPOOFED[kind], key=lambda packet: packet.time)).assets for address in asset.addresses}
    assert (found[PLC].addresses, found[HMI].addresses) == ((PLC, hexed(PLC)), (HMI, hexed(HMI)))
    assert set(found[hexed(EVIL)].addresses) <= {EVIL, hexed(EVIL)}
    assert (found[PLC].role, found[hexed(EVIL)].role) != ("controller", "gateway")
    told = {(each.address, each.other, each.kind) for asset in (found[PLC], found[hexed(EVIL)]) for each in asset.conflicts if each.address == PLC}
    assert told == {(PLC, hexed(EVIL), "contested"), (PLC, hexed(PLC), "contested")}


def lease(address: str, of: str, name: str, at: int) -> list[Packet]:
    """A host asks a DHCP server for an address, gets it and says in ARP that it has it."""
    asked, got = dhcp(3, client=mac(of), more=bytes([12, len(name)]) + name.encode()), dhcp(5, given=address, client=mac(of))
    return [
        Packet(ethernet(ipv4(udp(asked, 68, 67), "0.0.0.0", "255.255.255.255", 17), of, "255.255.255.255"), START + at * SECOND),
        Packet(ethernet(ipv4(udp(got, 67, 68), "10.1.2.1", "255.255.255.255", 17), "10.1.2.1", "255.255.255.255"), START + at * SECOND + MS),
        claim(address, of, at + 1),
    ]


def test_a_lease_that_goes_to_another_host() -> None:
    """Each keeps its name; who had the address before says so."""
    first, second = (asset for asset in watch([*lease("10.1.2.50", PLC, "anna", 0), *lease("10.1.2.50", SPARE, "boris", 86400)]).assets if asset.name in NAMES)
    assert (first.name, first.addresses) == ("anna", (hexed(PLC),))
    assert {fact.value for fact in first.facts if fact.name == FORMER} == {"10.1.2.50"}
    assert (second.name, second.addresses) == ("boris", ("10.1.2.50", hexed(SPARE)))
    assert [each.value for each in second.facts if each.name == "name"] == ["boris"]


def replaced(packet: Packet) -> Packet:
    """The packet as if the controller had another MAC address."""
    return replace(packet, data=packet.data[:12].replace(mac(PLC), mac(SPARE)) + packet.data[12:])


def test_a_controller_that_is_replaced() -> None:
    """What the old one said of itself stays the old one's."""
    old = Talk(HMI, PLC).open().ask(IDENTITY, identity("1.0")).packets
    new = [replaced(packet) for packet in Talk(HMI, PLC, client_port=40001, time=START + 3600 * SECOND).open().ask(IDENTITY, identity("2.0")).packets]
    seen = watch([claim(PLC, PLC), *old, claim(PLC, SPARE, 3599), *new])
    found = {address: asset for asset in seen.assets for address in asset.addresses}
    assert (found[PLC].addresses, found[PLC].firmware, found[PLC].role) == ((PLC, hexed(SPARE)), "2.0", "controller")
    assert [change.after for change in changes_of(found[PLC])] == [hexed(SPARE)]
    assert (found[hexed(PLC)].addresses, found[hexed(PLC)].firmware) == ((hexed(PLC),), "1.0")


def test_a_fail_over_pair_is_no_conflict() -> None:
    """Routers that stand in for each other have one MAC address together; either says where it is."""
    virtual = "00:00:5e:00:01:07"
    frames = [arp(1, ROUTER, "10.1.2.1", bytes.fromhex(virtual.replace(":", ""))), arp(1, ROUTER, "10.1.2.1", mac(ROUTER))]
    packets = [Packet(ethernet(frames[number], ROUTER, "255.255.255.255", 0x0806), START + place) for place, number in enumerate((1, 0, 1, 0))]
    assert not any(asset.conflicts for asset in watch(packets).assets)
    assert any(asset.conflicts for asset in watch([*packets, claim(ROUTER, EVIL, 9), *packets[:1]]).assets)


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


VIRTUAL = "00:00:5e:00:01:07"


def as_virtual(packet: Packet) -> Packet:
    """The same, from the MAC address that both routers of a pair use, which ARP says within, too."""
    own = packet.data[6:12]
    return replace(packet, data=packet.data.replace(own, bytes.fromhex(VIRTUAL.replace(":", ""))))


def test_what_routers_stand_in_with_is_a_virtual_router_and_makes_no_two_of_them_one() -> None:
    one, other, shared = "10.1.2.2", "10.1.2.3", "10.1.2.254"
    packets = [claim(one, one), claim(other, other), as_virtual(claim(shared, shared, 1)), as_virtual(claim(one, one, 2)), as_virtual(claim(other, other, 3))]
    sending = [as_virtual(packet) for at, host in ((4, one), (70, other)) for packet in poll(host, at=at)]
    found = {asset.name: asset for asset in watch([*packets, *sending]).assets}
    assert [found[name].addresses for name in (one, other, shared)] == [(one, hexed(one)), (other, hexed(other)), (shared, VIRTUAL)]
    pair = found[shared]
    assert (pair.vendor, pair.role) == (None, "gateway")
    assert [(fact.value, fact.source) for fact in pair.facts if fact.name == "virtual"] == [("VRRP", "oui")]
    assert [device_words(pair.addresses, (None, None), language) for language in LANGUAGES] == ["virtual router (VRRP)", "虚拟路由器（VRRP）"]
    assert [device_words(found[one].addresses, (None, "X"), "en"), device_words(found[one].addresses, (None,), "en")] == ["X", ""]


@pytest.mark.parametrize("mac", ["70:b3:d5:00:00:01", "00:50:c2:00:00:01", "8c:1f:64:11:22:33", "28:36:38:11:22:33", "40:d8:55:11:22:33"])
def test_who_only_divides_a_block_of_addresses_is_no_maker(mac: str) -> None:
    assert vendor_of(mac) is None


def test_groups_are_no_assets() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(REQUEST, 40000, 502), HMI, target, 17), HMI, target)) for target in ("255.255.255.255", "224.0.1.1")])
    assert [asset.name for asset in seen.assets] == [HMI]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_whatever_order_it_was_heard_in(seed: int) -> None:
    """Packets of one time, in any order."""
    told = [claim(PLC, PLC), claim(HMI, HMI), claim(ROUTER, ROUTER), Packet(ethernet(FULL, PLC, "10.0.0.9", 0x88CC))]
    packets = random.Random(seed).sample(told, len(told))
    assert watch(packets).assets == watch(told).assets


def test_two_ways_to_a_device_that_tells_its_serial_number_are_one_asset() -> None:
    """Each of them with MAC addresses of its own, which nothing else joins; another number is another device."""
    other = CARD.replace("8e4d5200", "8f4d5200")
    told = {PLC: CARD, "10.1.2.33": CARD, "10.1.2.34": other}
    packets = [packet for address, card in told.items() for packet in Talk(HMI, address, port=44818).open().ask(pdu(99), pdu(99, card)).packets]
    found = assets(*packets)
    assert sorted(found) == [PLC, "10.1.2.34", HMI]
    assert found[PLC] == (PLC, "10.1.2.33", *sorted((hexed(PLC), hexed("10.1.2.33"))))
