"""Which addresses are one asset, and what it is: from all that was heard, the same whatever the order in which it was.

Addresses are joined by what hosts say of themselves (`statements`), then by the MAC addresses of their packets, last by serial numbers. Not joined are
addresses behind a router, whose MAC address carries many; two hosts of which each has both kinds of address already, for then somebody speaks for
another; and an address that two MAC addresses claim: it stays with the one that had it first, or has it alone since.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from records.addresses import is_mac
from records.assets import asset_of
from records.facts import ADDRESS, Fact, serial_keys
from records.model import Conflict
from sensors.roles import behaviour, level_of
from sensors.statements import ANNOUNCED, DERIVED, PROVEN
from sensors.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.model import Asset
    from sensors.inventory import Heard, Span

MOST_ADDRESSES: Final = 16  # of one asset
MOST_OWN: Final = 4  # IPv4 addresses that one MAC address may claim in ARP: with more it answers for others
ROUTED: Final = 3  # IPv4 addresses in the packets of one MAC address that make it a router's
CLAIM: Final = "arp"  # what says that an IP address is at a MAC address
LINK_LOCAL: Final = "fe80:"
SPOKEN: Final = "traffic"

Links = dict[tuple[str, str, str], "Span"]


@dataclass(slots=True)
class _Hosts:
    """Addresses on their way to assets: a forest of them, and what each is joined by."""

    above: dict[str, str] = field(default_factory=dict[str, str])
    size: dict[str, int] = field(default_factory=dict[str, int])
    kinds: dict[str, set[bool]] = field(default_factory=dict[str, set[bool]])  # of a root: has it MAC addresses (True), IP addresses (False)?

    def add(self, address: str) -> None:
        if address not in self.above:
            self.above[address], self.size[address], self.kinds[address] = address, 1, {is_mac(address)}

    def root(self, address: str) -> str:
        while self.above[address] != address:
            self.above[address] = address = self.above[self.above[address]]
        return address

    def join(self, one: str, other: str, whole: bool = False) -> bool:
        """Both are one host's; false where that cannot be believed. `whole`: two that have MAC and IP addresses each may be one, too."""
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return True
        if self.size[first] + self.size[second] > MOST_ADDRESSES or (not whole and len(self.kinds[first]) == 2 == len(self.kinds[second])):
            return False
        self.above[second] = first
        self.size[first] += self.size.pop(second)
        self.kinds[first] |= self.kinds.pop(second)
        return True


@dataclass(slots=True)
class _Findings:
    """What was found out while joining: how each address is known, routers, and addresses that two claim."""

    by: dict[str, dict[str, tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(dict))  # address → source → (confidence, first, last)
    routers: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    conflicts: dict[str, list[Conflict]] = field(default_factory=lambda: defaultdict(list))

    def know(self, address: str, source: str, confidence: int, first: int, last: int) -> None:
        known = self.by[address].get(source, (confidence, first, last))
        self.by[address][source] = max(confidence, known[0]), min(first, known[1]), max(last, known[2])


def resolve(site: str | None, spoke: Mapping[str, Heard], told: Mapping[str, Heard], links: Links) -> tuple[Asset, ...]:
    """The assets, by name. `spoke`: hosts of industrial conversations; `told`: addresses that something was said of; `links`: pairs that are one host's."""
    hosts, found = _Hosts(), _Findings()
    for address in sorted({*spoke, *(address for address, heard in told.items() if heard.here)}):
        hosts.add(address)
    _claims(hosts, found, links)
    _packets(hosts, found, spoke, told)
    _statements(hosts, found, links)
    _serials(hosts, spoke)
    members: dict[str, list[str]] = defaultdict(list)
    for address in sorted(hosts.above):
        members[hosts.root(address)].append(address)
    assets = (_asset(site, each, found, spoke, told) for each in members.values())
    return tuple(sorted(assets, key=lambda asset: (asset.name, asset.id)))


def _claims(hosts: _Hosts, found: _Findings, links: Links) -> None:
    """IP addresses with the MAC addresses that claim them in ARP."""
    claims: dict[str, dict[str, Span]] = defaultdict(dict)
    for (mac, address, source), span in links.items():
        if source == CLAIM:
            claims[address][mac] = span
    carried: dict[str, set[str]] = defaultdict(set)
    for address, each in claims.items():
        for mac in each:
            carried[mac].add(address)
    for mac in sorted(carried):
        if len([address for address in carried[mac] if ":" not in address]) > MOST_OWN:
            spans = [claims[address][mac] for address in carried[mac]]
            found.routers[mac] = min(span.first for span in spans), max(span.last for span in spans)
    for address in sorted(claims):
        own = {mac: span for mac, span in claims[address].items() if mac not in found.routers}
        if own:
            holder = _holder(address, own, found)
            hosts.join(address, holder)
            found.know(address, CLAIM, ANNOUNCED, own[holder].first, own[holder].last)
            found.know(holder, CLAIM, ANNOUNCED, own[holder].first, own[holder].last)


def _holder(address: str, claims: Mapping[str, Span], found: _Findings) -> str:
    """Whose the address is: the first one's, as long as it says so; then the next one's. What others said is a conflict on both sides."""
    ordered = sorted(claims, key=lambda mac: (claims[mac].first, mac))
    holder = ordered[0]
    for mac in ordered[1:]:
        moved = claims[mac].first > claims[holder].last
        kind, span = ("moved" if moved else "contested"), claims[mac]
        found.conflicts[holder].append(Conflict(address, mac, kind, span.first, span.last))
        found.conflicts[mac].append(Conflict(address, mac if moved else holder, kind, span.first, span.last))
        holder = mac if moved else holder
    return holder


def _packets(hosts: _Hosts, found: _Findings, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> None:
    """IP addresses with the MAC addresses of their packets: one with one, or a router's."""
    behind: dict[str, dict[str, Span]] = defaultdict(dict)
    for heard_of in (told, spoke):
        for address in sorted(heard_of):
            for mac, span in heard_of[address].macs.items():
                behind[mac][address] = span
    inside = any(_is_private(address) for address in (*spoke, *hosts.above))
    for mac in sorted(behind):
        four = [address for address in behind[mac] if ":" not in address]
        others = [address for address in behind[mac] if ":" in address and not address.startswith(LINK_LOCAL)]
        if len(four) >= ROUTED:
            known = found.routers.get(mac)
            spans = [(span.first, span.last) for span in behind[mac].values()] + ([known] if known else [])
            found.routers[mac] = min(first for first, _ in spans), max(last for _, last in spans)
        announced = mac in hosts.above and len(hosts.kinds[hosts.root(mac)]) == 2  # it has said which addresses are its own
        for address in sorted(behind[mac]):
            alone = address.startswith(LINK_LOCAL) or len(others if ":" in address else four) == 1
            routed = mac in found.routers or (announced and ":" not in address) or (inside and not _is_private(address))
            if alone and not routed and _only(address, mac, spoke, told):
                hosts.add(mac)
                if hosts.join(address, mac):
                    found.know(mac, SPOKEN, DERIVED, behind[mac][address].first, behind[mac][address].last)
    for mac in found.routers:
        hosts.add(mac)


def _is_private(address: str) -> bool:
    """Is this an IP address of a plant's own networks? One that is not was routed where there are such."""
    return not is_mac(address) and ipaddress.ip_address(address).is_private


def _only(address: str, mac: str, *heard_of: Mapping[str, Heard]) -> bool:
    """Is this the one MAC address of the packets of this address? Two are two ways to it."""
    return all(set(each[address].macs) <= {mac} for each in heard_of if address in each)


def _statements(hosts: _Hosts, found: _Findings, links: Links) -> None:
    """Addresses that a host says are its own."""
    for (one, other, source), span in sorted(links.items(), key=lambda item: (item[1].first, item[0])):
        if source == CLAIM or one not in hosts.above or other not in hosts.above:
            continue
        if hosts.join(one, other):
            for address in (one, other):
                found.know(address, source, ANNOUNCED, span.first, span.last)
        else:
            found.conflicts[one].append(Conflict(other, one, "contested", span.first, span.last))
            found.conflicts[other].append(Conflict(other, one, "contested", span.first, span.last))


def _serials(hosts: _Hosts, spoke: Mapping[str, Heard]) -> None:
    """Addresses at which devices answered with the same maker, model and serial number."""
    first: dict[str, str] = {}
    for address in sorted(spoke):
        for key in serial_keys(_facts(spoke[address])):
            hosts.join(first.setdefault(key, address), address, whole=True)


def _facts(heard: Heard) -> Iterable[Fact]:
    return (Fact(name, value, source, confidence, span.first, span.last) for (name, value, source, confidence), span in heard.facts.items())


def _asset(site: str | None, addresses: list[str], found: _Findings, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> Asset:
    """All that is known of the host with these addresses."""
    each = [(address, heard) for address in addresses for heard in (spoke.get(address), told.get(address)) if heard is not None]
    routed = [found.routers[address] for address in addresses if address in found.routers]
    known = [time for address in addresses for time in found.by.get(address, {}).values()]
    spans = [(heard.seen.first, heard.seen.last) for _, heard in each] + routed + [(first, last) for _, first, last in known]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    facts = [fact for _, heard in each for fact in _facts(heard)]
    facts += [Fact(ADDRESS, address, source, *span) for address in addresses for source, span in found.by.get(address, {}).items()]
    facts += [Fact(ADDRESS, address, SPOKEN, PROVEN, heard.seen.first, heard.seen.last) for address, heard in each if heard.spoke]
    named = {fact.value for fact in facts if fact.name == ADDRESS}
    facts += [Fact(ADDRESS, address, "announced", ANNOUNCED, first, last) for address in addresses if address not in named]
    facts += [Fact("vendor", maker, "oui", DERIVED, first, last) for address in addresses if is_mac(address) and (maker := vendor_of(address))]
    facts += behaviour([heard for _, heard in each], bool(routed), first, last)
    facts += level_of(facts, first, last)
    sources = {name for _, heard in each for name in heard.protocols} | {fact.source.partition("/")[0] for fact in facts if fact.confidence == PROVEN}
    conflicts = [conflict for address in addresses for conflict in found.conflicts.get(address, ())]
    return asset_of(site, facts, first, last, sources - {SPOKEN}, conflicts)
