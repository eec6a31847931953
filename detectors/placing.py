"""What people say of assets, as facts of them: zones and levels of the policies in force, what the settings say matters, what the plant's lists hold."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from detectors.policy.zones import is_policy, read_policy
from detectors.rulebook.document import content_of, read
from detectors.rulebook.versions import rule_files
from records.assets import with_facts
from records.facts import Fact, shortened
from sensors.statements import DERIVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from detectors.policy.zones import Network, Policy
    from records.model import Asset
    from records.plant import Plant

STATED: Final = 90  # what people wrote down is believed more than what behaviour suggests
SETTINGS, LIST = "settings", "list"
# What a list says of a device, and how far that is believed. What it is made of, the device itself knows better where it says so; where the wire is silent,
# the list does, and better than the maker of its network card.
LISTED: Final[dict[str, int]] = dict.fromkeys(("name", "role", "criticality", "zone", "level"), STATED + 1)
MADE: Final[dict[str, int]] = dict.fromkeys(("vendor", "model", "firmware", "serial"), DERIVED + 5)

Place = tuple["Network", str, str]  # network, what is said of it, who says so


def policies(rules: Iterable[Path]) -> list[Policy]:
    """The policies among these files and directories, by name; one that is not right is said elsewhere, and is none here."""
    found: list[Policy] = []
    for file in sorted({file for path in rules for file in rule_files(path)}):
        try:
            content = content_of(file)
        except OSError:
            continue
        if policy := policy_of(content):
            found.append(policy)
    return sorted(found, key=lambda policy: policy.name)


def policy_of(content: bytes) -> Policy | None:
    """The policy in a file, where that is one and right."""
    if b"policy" not in content:
        return None
    document = read(content)
    policy, faults = read_policy(document) if is_policy(document.data) else (None, [])
    return None if faults or document.faults else policy


def placed(assets: Sequence[Asset], in_force: Sequence[Policy], criticality: Mapping[str, str], plant: Plant | None = None) -> tuple[Asset, ...]:
    """The assets with what people say of them; the narrowest network that holds one of an asset's addresses tells."""
    zones: list[Place] = [
        (member, zone.name, f"policy:{policy.name}") for policy in in_force for zone in policy.zones.values() for member in zone.members
    ]  # fmt: skip
    levels: list[Place] = [
        (member, str(level), f"policy:{policy.name}")
        for policy in in_force for zone in policy.zones.values() if (level := policy.level(zone.name)) is not None for member in zone.members
    ]  # fmt: skip
    matters: list[Place] = [(ipaddress.ip_network(place, strict=False), word, SETTINGS) for place, word in criticality.items()]
    if not zones and not matters and not plant:
        return tuple(assets)
    told = {"zone": zones, "level": levels, "criticality": matters}
    ordered = {name: sorted(places, key=lambda place: (-place[0].prefixlen, place[1:])) for name, places in told.items()}
    return tuple(_placed(asset, ordered, plant) for asset in assets)


def _placed(asset: Asset, ordered: Mapping[str, list[Place]], plant: Plant | None) -> Asset:
    believed = LISTED | MADE
    facts = [Fact(name, value, LIST, believed[name], asset.first, asset.last) for name, value in (_listed(asset, plant) if plant else {}).items()]
    for name, places in ordered.items():
        found = next((place for place in places for address in asset.addresses if _holds(place[0], address)), None)
        if found:
            facts.append(Fact(name, found[1], found[2], STATED, asset.first, asset.last))
    return with_facts(asset, facts) if facts else asset


def _listed(asset: Asset, plant: Plant) -> dict[str, str]:
    """What the plant's lists say of the device with one of these addresses."""
    listed, zone, level = plant.about(asset.addresses)
    told = {name: getattr(listed, name, None) for name in LISTED} | {"zone": zone, "level": None if level is None else str(level)}
    told |= {name: shortened(value) for name in MADE if (value := getattr(listed, name, None))}
    return {name: value for name, value in told.items() if value}


def _holds(network: Network, address: str) -> bool:
    try:
        told = ipaddress.ip_address(address)
    except ValueError:  # a MAC address
        return False
    return told.version == network.version and told in network
