"""Zones and criticality as facts of assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectors.placing import placed, policies
from records.assets import asset_of
from records.facts import ADDRESS, Fact
from records.plant import ListedAsset, ListedZone, Plant

if TYPE_CHECKING:
    from pathlib import Path

PLANT = """
policy: plant
title: Plant
title_zh: 装置
zones:
  cell: {title: Cell, title_zh: 单元, members: [10.1.0.0/16]}
  safety: {title: Safety, title_zh: 安全, members: [10.1.9.0/24], inside: cell}
conduits: []
"""


def host(*addresses: str) -> tuple[Fact, ...]:
    """The facts of a host with these addresses."""
    return tuple(Fact(ADDRESS, address, "arp", 80, 1, 2) for address in addresses)


def test_the_narrowest_zone_counts(tmp_path: Path) -> None:
    (tmp_path / "plant.yml").write_text(PLANT, "utf-8")
    (tmp_path / "broken.yml").write_text("policy: broken\nzones: 7\n", "utf-8")
    (tmp_path / "misread.yml").write_text(PLANT.replace("title: Plant", "title: off"), "utf-8")
    (tmp_path / "unread.yml").symlink_to("/proc/self/mem")
    in_force = policies([tmp_path])
    assert [policy.name for policy in in_force] == ["plant"]
    assets = [asset_of(None, host(*addresses), 1, 2) for addresses in (("10.1.2.3",), ("10.1.9.4", "00:1b:1b:00:00:01"), ("192.168.0.1",), ("fd00::1",))]
    found = placed(assets, in_force, {"10.1.9.0/24": "critical", "192.168.0.1": "low"})
    assert [(asset.zone, asset.criticality) for asset in found] == [("cell", None), ("safety", "critical"), (None, "low"), (None, None)]
    assert {fact.source for asset in found for fact in asset.facts if fact.name == "zone"} == {"policy:plant"}


def test_a_policy_tells_the_level_of_its_zones(tmp_path: Path) -> None:
    """A zone without one has that of the zone around it; it is believed more than what the role suggests, less than a list of the plant."""
    zones = {"cell": "title_zh: 单元", "safety": "title_zh: 安全"}
    plant = PLANT.replace(zones["cell"], zones["cell"] + ", level: 2")
    (tmp_path / "plant.yml").write_text(plant + "\n", "utf-8")
    assets = [asset_of(None, (*host(address), Fact("level", "1", "role", 42, 1, 2)), 1, 2) for address in ("10.1.2.3", "10.1.9.4", "192.168.0.1")]
    assert [asset.level for asset in placed(assets, policies([tmp_path]), {})] == [2, 2, 1]
    assert {fact.source for asset in placed(assets[:1], policies([tmp_path]), {}) for fact in asset.facts if fact.name == "level"} == {"role", "policy:plant"}
    (tmp_path / "plant.yml").write_text(plant.replace(zones["safety"], zones["safety"] + ", level: 0"), "utf-8")
    listed = Plant([], [ListedZone("pumps", ("10.1.2.0/24",), 3)])
    assert [asset.level for asset in placed(assets, policies([tmp_path]), {}, listed)] == [3, 0, 1]


def test_what_the_plant_lists() -> None:
    plant = Plant([ListedAsset("Pump PLC", ("10.1.2.3",), vendor="Listed", role="controller", zone="pumps")], [ListedZone("pumps", ("10.1.2.0/24",), 1)])
    asset, other = placed([asset_of(None, host(*addresses), 1, 2) for addresses in (("10.1.2.3",), ("192.168.0.1",))], [], {}, plant)
    assert (asset.name, asset.role, asset.zone, asset.level, asset.vendor) == ("Pump PLC", "controller", "pumps", 1, "Listed")
    assert (other.name, other.zone) == ("192.168.0.1", None)


def test_what_a_device_is_made_of_the_list_says_where_the_wire_is_silent() -> None:
    """The device knows its own version better; the list knows the device better than its network card's maker does. A number on a list joins nothing."""
    listed: dict[str, Any] = {"vendor": "Siemens", "model": "TP1200", "firmware": "17.0", "serial": "SN-12345"}
    plant = Plant([ListedAsset("Panel", ("10.1.2.3",), **listed), ListedAsset("Copy", ("10.1.2.4",), **listed)])
    told = (Fact("vendor", "Hilscher", "oui", 50, 1, 2), Fact("firmware", "17.1", "lldp", 80, 1, 2))
    silent, speaking = (asset_of(None, (*host(f"10.1.2.{last}"), *facts), 1, 2) for last, facts in ((4, ()), (3, told)))
    found = placed([silent, speaking], [], {}, plant)
    assert [(each.vendor, each.model, each.firmware, each.serial) for each in found] == [
        ("Siemens", "TP1200", "17.0", "SN-12345"), ("Siemens", "TP1200", "17.1", "SN-12345")
    ]  # fmt: skip
    assert {fact.source for fact in found[0].facts if fact.name in listed} == {"list"}
    assert [each.aliases for each in found] == [silent.aliases, speaking.aliases]


def test_nothing_said_changes_nothing() -> None:
    assets = (asset_of(None, host("10.1.2.3"), 1, 2),)
    assert placed(assets, [], {}) == assets
