"""Roles of hosts, from what they do."""

from __future__ import annotations

import pytest

from records.facts import Fact
from records.plant import ROLES
from sensors.roles import level_of, made_for
from sensors.sensor import Sensor
from tests.test_dnp3 import answer, ask
from tests.test_enip import IDENTITY as CARD
from tests.test_enip import pdu
from tests.test_inventory import IDENTITY, identity
from tests.wire import MS, Feed, Packet, Talk, mbap, read, registers, write

DEVICES = 4
ASKED = {"identity": (IDENTITY, identity("1.0")), "values": (mbap(1, read(0, 1)), mbap(1, registers(7))), "writes": (mbap(2, write(7, 1)),) * 2}


def role(*deeds: str, devices: int = DEVICES) -> str | None:
    packets: list[Packet] = []
    for number in range(devices):
        talk = Talk(server=f"10.0.1.{number + 1}", client_port=40000 + number, packets=packets).open()
        talk.time += number * 50 * MS
        for deed in deeds:
            talk.ask(*ASKED[deed])
    sensor = Sensor("observer")
    list(sensor.listen(Feed(sorted(packets, key=lambda packet: packet.time))))
    (asker,) = (asset.role for asset in sensor.assets() if asset.name == "10.0.0.1")
    return asker


@pytest.mark.parametrize(
    ("deeds", "devices", "expected"),
    [
        (("values",), DEVICES, "historian"),
        (("values",), 2, "client"),
        (("identity",), DEVICES, "client"),
        (("identity", "values"), DEVICES, "historian"),
        (("values", "writes"), DEVICES, "hmi"),
    ],
)
def test_who_collects_values_is_told_from_who_only_looks_around(deeds: tuple[str, ...], devices: int, expected: str) -> None:
    assert role(*deeds, devices=devices) == expected


@pytest.mark.parametrize(("functions", "expected"), [(("15", "14"), "hmi"), (("15", "14", "0d"), "hmi"), (("15", "1f"), "engineering")])
def test_a_dnp3_master_that_disables_and_enables_reports_as_it_starts_is_no_engineering_station(functions: tuple[str, ...], expected: str) -> None:
    """IEEE 1815-2012 has every master do so (0x15, 0x14); who activates a configuration (0x1F) is another."""
    talk = Talk(port=20000).open()
    for number, function in enumerate(functions):
        talk.ask(ask(function + ("3c0206" if function != "0d" else ""), number).data, answer("", number).data)
    sensor = Sensor("observer")
    list(sensor.listen(Feed(talk.packets)))
    assert {asset.name: asset.role for asset in sensor.assets()}[talk.client] == expected


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
