"""Which addresses are one asset, and what it is: from all that was heard, the same whatever the order in which it was.

An IPv4 address is at the MAC address that claims it (`records.claims` says which, where several do). Other addresses are joined by the MAC addresses of
their packets, then by what hosts say of themselves (`statements`), last by serial numbers. Not joined are addresses behind a router, whose MAC address
carries many; two hosts of which each has both kinds of address already, for then somebody speaks for another; and, by anything else than those claims,
an address that two MAC addresses claim. What routers stand in for each other with (VRRP) is one with the addresses that it alone claims.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from records.addresses import is_mac, is_virtual, virtual_of
from records.assets import asset_of
from records.claims import MOVED, settled
from records.facts import ADDRESS, FORMER, VIRTUAL, Fact, serial_keys
from records.model import Conflict
from sensors.claiming import SPOKEN, is_claim, places
from sensors.roles import behaviour, level_of, made_for
from sensors.statements import ANNOUNCED, DERIVED, PROVEN
from sensors.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.claims import Claim, Dispute
    from records.model import Asset
    from sensors.claiming import Evidence, Links
    from sensors.inventory import Heard, Span

MOST_ADDRESSES: Final = 16  # of one asset
ROUTED: Final = 3  # IPv4 addresses in the packets of one MAC address that make it a router's
LINK_LOCAL: Final = "fe80:"


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
    """What was found out while joining: how each address is known, routers, and addresses that several claim.

    `torn`: of these, at which MAC address each is; `since`: when one that moved came there; `former`: MAC address → what it had, and who says so.
    """

    by: dict[str, dict[str, tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(dict))  # address → source → (confidence, first, last)
    routers: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    conflicts: dict[str, list[Conflict]] = field(default_factory=lambda: defaultdict(list))
    torn: dict[str, str] = field(default_factory=dict[str, str])
    since: dict[str, int] = field(default_factory=dict[str, int])
    former: dict[str, list[tuple[str, Claim, list[Evidence]]]] = field(default_factory=lambda: defaultdict(list))

    def know(self, address: str, source: str, confidence: int, first: int, last: int) -> None:
        known = self.by[address].get(source, (confidence, first, last))
        self.by[address][source] = max(confidence, known[0]), min(first, known[1]), max(last, known[2])

    def dispute(self, address: str, told: Dispute) -> None:
        """An address moved, or two claim it: both sides say so."""
        holder, other, kind = told
        if kind == MOVED:
            self.since[address] = other.first
            conflict = Conflict(address, other.mac, kind, other.first, other.last, holder.mac)
            self.conflicts[holder.mac].append(conflict)
            self.conflicts[other.mac].append(conflict)
        else:
            self.conflicts[holder.mac].append(Conflict(address, other.mac, kind, other.first, other.last))
            self.conflicts[other.mac].append(Conflict(address, holder.mac, kind, other.first, other.last))


def resolve(site: str | None, spoke: Mapping[str, Heard], told: Mapping[str, Heard], links: Links) -> tuple[Asset, ...]:
    """The assets, by name. `spoke`: hosts of industrial conversations; `told`: addresses that something was said of; `links`: pairs that are one host's."""
    hosts, found = _Hosts(), _Findings()
    for address in sorted({*spoke, *(address for address, heard in told.items() if heard.here)}):
        hosts.add(address)
    _claims(hosts, found, links, spoke, told)
    _packets(hosts, found, spoke, told)
    _statements(hosts, found, links)
    _serials(hosts, spoke)
    members: dict[str, list[str]] = defaultdict(list)
    for address in sorted(hosts.above):
        members[hosts.root(address)].append(address)
    assets = (_asset(site, each, found, spoke, told) for each in members.values())
    return tuple(sorted(assets, key=lambda asset: (asset.name, asset.id)))


def _claims(hosts: _Hosts, found: _Findings, links: Links, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> None:
    """IP addresses with the MAC addresses that claim them in ARP and DHCP."""
    known = places(links, told, spoke)
    found.routers |= known.answering()
    for address in sorted(known.said):
        claims = known.claims(address, found.routers)
        if not claims:
            continue
        holder, disputes = settled(claims)
        for dispute in disputes:
            found.dispute(address, dispute)
            if dispute.kind == MOVED:
                hosts.add(dispute.holder.mac)
                found.former[dispute.holder.mac].append((address, dispute.holder, known.evidence(address, dispute.holder.mac)))
        if len(claims) > 1:
            found.torn[address] = holder.mac
        hosts.add(holder.mac)
        joined = not (is_virtual(holder.mac) and len(claims) > 1) and hosts.join(address, holder.mac)
        for claim in claims:
            for source, confidence, first, last in known.evidence(address, claim.mac):
                if claim.mac in hosts.above and (joined or claim is not holder):
                    found.know(claim.mac, source, confidence, first, last)
                if joined and claim is holder and source != SPOKEN:
                    found.know(address, source, confidence, first, last)


def _packets(hosts: _Hosts, found: _Findings, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> None:
    """IP addresses with the MAC addresses of their packets: one with one, or a router's."""
    behind: dict[str, dict[str, Span]] = defaultdict(dict)
    for heard_of in (told, spoke):
        for address in sorted(heard_of):
            for mac, span in heard_of[address].macs.items():
                if found.torn.get(address, mac) == mac:
                    behind[mac][address] = span
    inside = any(_is_private(address) for address in (*spoke, *hosts.above))
    for mac in sorted(mac for mac in behind if not is_virtual(mac)):
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
            if alone and not routed and address not in found.torn and _only(address, mac, spoke, told):
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
        if is_claim(one, other, source) or {one, other} & found.torn.keys() or not {one, other} <= hosts.above.keys():
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


def _told_of(addresses: list[str], found: _Findings, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> Iterable[Fact]:
    """What was said of these addresses while they were this host's, and which it had before."""
    for address in addresses:
        since = found.since.get(address, 0)
        for heard in (spoke.get(address), told.get(address)):
            if heard is not None:
                yield from (replace(fact, first=max(fact.first, since)) for fact in _facts(heard) if fact.last >= since)
        for former, claim, evidence in found.former.get(address, ()):
            yield from (Fact(FORMER, former, source, confidence, first, last) for source, confidence, first, last in evidence)
            for heard in (spoke.get(former), told.get(former)):
                if heard is not None:
                    yield from (fact for fact in _facts(heard) if claim.first <= fact.first and fact.last <= claim.last)


def _asset(site: str | None, addresses: list[str], found: _Findings, spoke: Mapping[str, Heard], told: Mapping[str, Heard]) -> Asset:
    """All that is known of the host with these addresses."""
    each = [(address, heard) for address in addresses for heard in (spoke.get(address), told.get(address)) if heard is not None]
    routed = [found.routers[address] for address in addresses if address in found.routers]
    known = [time for address in addresses for time in found.by.get(address, {}).values()]
    seen = [(address, max(heard.seen.first, found.since.get(address, 0)), heard.seen.last, heard.spoke) for address, heard in each]
    spans = [(first, last) for _, first, last, _ in seen] + routed + [(first, last) for _, first, last in known]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    facts = list(_told_of(addresses, found, spoke, told))
    facts += [Fact(ADDRESS, address, source, *span) for address in addresses for source, span in found.by.get(address, {}).items()]
    facts += [Fact(ADDRESS, address, SPOKEN, PROVEN, begin, end) for address, begin, end, speaks in seen if speaks]
    named = {fact.value for fact in facts if fact.name == ADDRESS}
    facts += [Fact(ADDRESS, address, "announced", ANNOUNCED, first, last) for address in addresses if address not in named]
    facts += [Fact("vendor", maker, "oui", DERIVED, first, last) for address in addresses if is_mac(address) and (maker := vendor_of(address))]
    for mac in addresses:
        if is_mac(mac) and (protocol := virtual_of(mac)):
            facts += [Fact(VIRTUAL, protocol, "oui", DERIVED, first, last), Fact("role", "gateway", "oui", DERIVED, first, last)]
    facts += behaviour([heard for _, heard in each], bool(routed), first, last)
    facts += made_for(facts)
    facts += level_of(facts, first, last)
    sources = {name for _, heard in each for name in heard.protocols} | {fact.source.partition("/")[0] for fact in facts if fact.confidence == PROVEN}
    conflicts = [conflict for address in addresses for conflict in found.conflicts.get(address, ())]
    return asset_of(site, facts, first, last, sources - {SPOKEN}, conflicts)
