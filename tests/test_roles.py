"""Roles of hosts, from what they do."""

from __future__ import annotations

import pytest

from sensors.sensor import Sensor
from tests.test_dnp3 import answer, ask
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
