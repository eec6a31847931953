"""Addresses that assets of several captures share and that are not one host's: each goes to the asset whose it is, and all of them say so."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from records.addresses import is_mac
from records.assets import asset_of
from records.claims import MOVED, Claim, settled
from records.facts import ADDRESS, FIRM, FORMER, asset_id, serial_keys
from records.model import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from records.facts import Fact
    from records.model import Asset

SENT: Final = "traffic"  # the source of an address that was seen in packets


def torn(assets: Sequence[Asset]) -> list[Asset]:
    """The assets, in their order, of which no two share an IPv4 address unless they are one host. The same whatever their order."""
    given = _past(assets)
    homes: dict[tuple[str | None, str], list[int]] = {}
    for place, asset in enumerate(given):
        for address in _four(asset):
            homes.setdefault((asset.site, address), []).append(place)
    for (_, address), shared in sorted(homes.items(), key=lambda item: (item[0][0] or "", item[0][1])):
        hosts = _hosts([(place, given[place]) for place in shared])
        if len(hosts) > 1:
            given = _given(given, address, hosts)
    return given


def _past(assets: Sequence[Asset]) -> list[Asset]:
    """What is known to have been an asset's address before is not its address now, because a capture of that time comes again."""
    former = {(asset.site, mac, fact.value): fact.last for asset in assets for mac in _macs(asset) for fact in asset.facts if fact.name == FORMER}

    def past(asset: Asset, fact: Fact) -> bool:
        return any(former.get((asset.site, mac, fact.value), -1) >= fact.last for mac in _macs(asset))

    return [_without(asset, {fact.value for fact in asset.facts if fact.name == ADDRESS and not is_mac(fact.value) and past(asset, fact)}) for asset in assets]


def _hosts(assets: Iterable[tuple[int, Asset]]) -> list[list[tuple[int, Asset]]]:
    """Those that may be one host's, together. An asset without MAC address is left out: it goes where its address goes."""
    hosts: list[list[tuple[int, Asset]]] = []
    known = [each for each in assets if _macs(each[1])]
    for place, asset in sorted(known, key=lambda each: (-max(_macs(each[1]).values()), each[1].first, each[1].id)):
        same = [host for host in hosts if any(_same(asset, other) for _, other in host)]
        same = same or [host for host in hosts if all(_alike(asset, other) for _, other in host)][:1]
        hosts = [host for host in hosts if host not in same] + [[(place, asset), *(each for host in same for each in host)]]
    return hosts


def _same(one: Asset, other: Asset) -> bool:
    """Are two assets one by their MAC addresses or serial numbers?"""
    return bool(_macs(one).keys() & _macs(other).keys() or set(serial_keys(one.facts)) & set(serial_keys(other.facts)))


def _alike(one: Asset, other: Asset) -> bool:
    """May two assets with other MAC addresses be one, since they share an IPv4 address? Not if both are firm, or one is and they have different others."""
    firm = [max(_macs(asset).values()) >= FIRM for asset in (one, other)]
    return not all(firm) and not (any(firm) and _four(one) != _four(other))


def _given(assets: list[Asset], address: str, hosts: list[list[tuple[int, Asset]]]) -> list[Asset]:
    """The assets, the address with the one host whose it is."""
    claims = {claim.mac: (claim, host) for host in hosts if (claim := _claim(address, [asset for _, asset in host]))}
    holder, disputes = settled(claim for claim, _ in claims.values())
    former = {dispute.holder.mac for dispute in disputes if dispute.kind == MOVED}
    conflicts: dict[str, list[Conflict]] = {mac: [] for mac in claims}
    for owner, other, kind in disputes:
        before = owner.mac if kind == MOVED else None
        conflicts[owner.mac].append(Conflict(address, other.mac, kind, other.first, other.last, before))
        conflicts[other.mac].append(Conflict(address, other.mac if before else owner.mac, kind, other.first, other.last, before))
    changed = list(assets)
    for mac, (_, host) in claims.items():
        for place, asset in host:
            kept = asset if mac == holder.mac else _without(asset, {address}, former=mac in former)
            changed[place] = replace(kept, conflicts=(*kept.conflicts, *conflicts[mac]))
    return changed


def _claim(address: str, host: Sequence[Asset]) -> Claim:
    """What the assets of one host say of an address that they have."""
    facts = [fact for asset in host for fact in asset.facts if fact.name == ADDRESS]
    own = [fact for fact in facts if fact.value == address]
    macs = {mac: confidence for asset in host for mac, confidence in _macs(asset).items()}
    mac = min(macs, key=lambda each: (-macs[each], each))
    first = min(fact.first for fact in own)
    busy = any(fact.value != address and ":" not in fact.value and fact.last >= first for fact in facts)
    return Claim(mac, first, max(fact.last for fact in own), macs[mac] >= FIRM, any(fact.source == SENT for fact in own), busy)


def _without(asset: Asset, addresses: set[str], former: bool = True) -> Asset:
    """The asset without addresses, which it has had (`former`) or only claimed."""
    if not addresses:
        return asset
    facts = [fact for fact in asset.facts if fact.name != ADDRESS or fact.value not in addresses]
    lost = [fact for fact in asset.facts if fact.name == ADDRESS and fact.value in addresses]
    facts += [replace(fact, name=FORMER) for fact in lost if former]
    gone = {asset_id(asset.site, address) for address in addresses}
    return asset_of(asset.site, facts, asset.first, asset.last, asset.sources, asset.conflicts, {asset.id, *asset.aliases} - gone)


def _macs(asset: Asset) -> dict[str, int]:
    """MAC addresses, with how far each is to be believed."""
    return {fact.value: fact.confidence for fact in sorted(asset.facts, key=lambda each: each.confidence) if fact.name == ADDRESS and is_mac(fact.value)}


def _four(asset: Asset) -> set[str]:
    return {fact.value for fact in asset.facts if fact.name == ADDRESS and _is_four(fact.value)}


def _is_four(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).version == 4
    except ValueError:
        return False
