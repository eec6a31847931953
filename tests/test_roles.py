"""Roles of hosts, from what they do."""

from __future__ import annotations

import io
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from records.effects import EFFECTS
from records.facts import Fact
from records.plant import ROLES
from sensors.deeds import DAY, Deeds
from sensors.engine.grouping import ASKS, ENGINEERS
from sensors.release import TRAITS
from sensors.roles import level_of, made_for, role_of
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.plant.works import people, routine
from tests.plant.works.plant import SITES, build
from tests.plant.works.world import MINUTE, World
from tests.test_dnp3 import answer, ask
from tests.test_enip import IDENTITY as CARD
from tests.test_enip import pdu
from tests.test_inventory import IDENTITY, identity
from tests.wire import SECOND, START, Feed, Packet, Talk, mbap, read, registers, write

if TYPE_CHECKING:
    from pathlib import Path

DEVICES, MINUTES = 4, 5
ASKED = {
    "identity": (IDENTITY, identity("1.0")), "values": (mbap(1, read(0, 1)), mbap(1, registers(7))), "writes": (mbap(2, write(7, 1)),) * 2,
}  # fmt: skip


def role(*deeds: str, devices: int = DEVICES, minutes: int = MINUTES, every: int = 10, turns: bool = True) -> str | None:
    """What a host is that asks devices for these, every so many seconds, in turns or one after the other."""
    packets: list[Packet] = []
    talks = [Talk(server=f"10.0.1.{number + 1}", client_port=40000 + number, packets=packets).open() for number in range(devices)]
    rounds = range(minutes * 60 // every)
    for number, talk in [(n, t) for n in rounds for t in talks] if turns else [(n * devices // len(rounds), talks[n * devices // len(rounds)]) for n in rounds]:
        talk.time = max(talk.time, START + (number * every + len(packets) % 7) * SECOND)
        for deed in deeds:
            talk.ask(*ASKED[deed])
    sensor = Sensor("observer")
    list(sensor.listen(Feed(sorted(packets, key=lambda packet: packet.time))))
    (asker,) = (asset.role for asset in sensor.assets() if asset.name == "10.0.0.1")
    return asker


@pytest.mark.parametrize(
    ("deeds", "how", "expected"),
    [
        (("values",), {}, "historian"),
        (("values",), {"devices": 2}, "historian"),
        (("values",), {"devices": 1}, "client"),
        (("values",), {"minutes": 2}, "client"),
        (("values",), {"every": 5}, "client"),
        (("values",), {"every": 120, "minutes": 10}, "historian"),
        (("values",), {"turns": False}, "client"),
        (("identity",), {}, "client"),
        (("identity", "values"), {}, "historian"),
        (("values", "writes"), {}, "hmi"),
        (("values", "writes"), {"minutes": 1, "every": 60}, "client"),
        (("writes",), {}, "client"),
    ],
)
def test_who_collects_values_is_told_from_who_only_looks_around(deeds: tuple[str, ...], how: dict[str, Any], expected: str) -> None:
    """Collects: reads several devices in turn, time and again, more slowly than a screen does. A panel: reads time and again, and acts."""
    assert role(*deeds, **how) == expected


def test_a_screen_on_which_nobody_acts_for_a_day_is_none() -> None:
    deeds = Deeds(waited=2e9, waits=2, read={"10.0.1.1": (9, 7), "10.0.1.2": (9, 7)})
    assert [role_of(ASKS, deeds, lasted) for lasted in (DAY - 1, DAY)] == ["client", "historian"]


SITES_ROLES = {  # seed → who is there, and what each is said to be; where its role is not its name, nothing it does there tells it
    "water": (1, {"controller": {"controller"}, "hmi": {"hmi"}, "historian": {"historian"}, "engineering": {"engineering"}}),
    "substation": (2, {"controller": {"controller"}, "hmi": {"hmi"}, "historian": {"historian"}, "engineering": {None}}),  # no programs by these protocols
    "packaging": (1, {"controller": {"controller"}, "hmi": {"hmi"}, "historian": {"historian"}, "engineering": {"engineering"}}),
}
EVERYWHERE = {"gateway": {"gateway"}, "switch": {"switch"}, "server": {"server"}, "laptop": {"client"}}


@pytest.mark.parametrize("site", SITES_ROLES)
def test_the_roles_of_a_plant(site: str, tmp_path: Path) -> None:
    """Some minutes in which everybody does what he is there for."""
    seed, expected = SITES_ROLES[site]
    octets, chance = io.BytesIO(), Random(seed)
    world = World(seed, START // 1000, START // 1000 + 7 * MINUTE, octets)
    plant = build(world, SITES[site], DEVICES)
    routine.start(world, plant)
    folk = people.People(world, plant)
    for act in (*(folk.adjust(chance, device) for device in plant.devices), folk.backup(chance), folk.laptop(chance)):
        world.enter(act, world.start + MINUTE)
    world.run()
    capture = tmp_path / "plant.pcap"
    capture.write_bytes(octets.getvalue())
    sensor, source = Sensor("observer"), open_capture(find([str(capture)])[0])
    list(sensor.listen(source))
    source.close()
    told = {address: asset.role for asset in sensor.assets() for address in asset.addresses}
    found: dict[str, set[str | None]] = {}
    for host in plant.network.hosts.values():
        found.setdefault(host.role, set()).add(told[host.ip])
    assert found == expected | EVERYWHERE


@pytest.mark.parametrize(("functions", "expected"), [(("15", "14"), "client"), (("15", "14", "0d"), "client"), (("15", "1f"), "engineering")])
def test_a_dnp3_master_that_disables_and_enables_reports_as_it_starts_is_no_engineering_station(functions: tuple[str, ...], expected: str) -> None:
    """IEEE 1815-2012 has every master do so (0x15, 0x14); who activates a configuration (0x1F) is another."""
    talk = Talk(port=20000).open()
    for number, function in enumerate(functions):
        talk.ask(ask(function + ("3c0206" if function != "0d" else ""), number).data, answer("", number).data)
    sensor = Sensor("observer")
    list(sensor.listen(Feed(talk.packets)))
    assert {asset.name: asset.role for asset in sensor.assets()}[talk.client] == expected


def test_who_starts_stops_or_programs_a_controller_is_an_engineering_station() -> None:
    told = {effect.name for effect, traits in zip(EFFECTS, TRAITS, strict=True) if traits & ENGINEERS}
    assert {"cpu.start", "cpu.stop", "mode.change", "program.upload", "program.download", "configuration.write"} <= told
    assert not told & {"value.write", "output.operate", "reporting.disable", "time.write", "cpu.reset"}


# what the device type of a list identity says: 12, a communications adapter, and 43, a generic device, leave it to what the device does
TYPES = {12: "controller", 14: "controller", 24: "hmi", 43: "controller", 37: "field_device", 44: "switch"}


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_device_of_ethernet_ip_says_that_it_is_counts_more_than_that_it_answers(kind: int) -> None:
    told = pdu(99, CARD.replace(" 01000c00", f" 0100{kind:02x}00"))
    talk = Talk(port=44818).open().ask(pdu(99), told)
    sensor = Sensor("observer")
    list(sensor.listen(Feed(talk.packets)))
    assert {asset.name: asset.role for asset in sensor.assets()}[talk.server] == TYPES[kind]


MODELS = {
    "6ES7 315-2EH14-0AB0": "controller", "6ES7 512-1DK01-0AB0": "controller", "6ES7 321-1BH02-0AA0": None, "1756-L61/B LOGIX5561": "controller",
    "1756-ENBT/A": None, "BMX P34 2020": "controller", "6AV2 124-0GC01-0AX0": "hmi", "PanelView Plus 7": "hmi", "SCALANCE X208": "switch", "ET200SP": None,
    "PanelView for ControlLogix": None, "KTP7": "hmi", "P-1": None,
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_is_made_for_one_purpose_tells_the_role(model: str) -> None:
    found = made_for([Fact("model", model, "lldp", 80, 1, 2), Fact("name", "PanelView", "lldp", 80, 1, 2)])
    assert found == ([Fact("role", role, "model", 80, 1, 2)] if (role := MODELS[model]) else [])


LEVELS = {
    "field_device": "0",
    "controller": "1",
    "hmi": "2",
    "engineering": "2",
    "historian": "3",
    "server": "3",
    "gateway": None,
    "switch": None,
    "client": None,
}


def test_the_purdue_level_of_each_role() -> None:
    """Where it only carries for others, or may stand anywhere, there is none. Half as sure as the role."""
    assert set(LEVELS) == set(ROLES)
    told = {role: level_of([Fact("role", role, "behaviour", 80, 1, 2)], 1, 2) for role in ROLES}
    assert {role: [(each.name, each.value, each.confidence) for each in facts] for role, facts in told.items()} == {
        role: [("level", level, 40)] if level else [] for role, level in LEVELS.items()
    }
    assert level_of([], 1, 2) == []
