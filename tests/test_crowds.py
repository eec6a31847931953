"""Floods of forged senders: said once, folded, forgotten, and no assets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import sensors.inventory
import sensors.release
from detectors.alerts import fold
from detectors.discovery import Setup, detectors
from detectors.judging import judged
from detectors.methods.crowds import LEVELS, MANY, build
from records.model import Batch
from tests.frames import activities, claimed
from tests.hunted import DEVICE, MASTER, address_flood, at
from tests.test_resolving import ANSWER, PLC, REQUEST
from tests.wire import SECOND, START, Talk, mbap, watch, write

if TYPE_CHECKING:
    from detectors.detector import Detector
    from records.model import Finding

FORGED = 600


@pytest.fixture(scope="module")
def setup() -> list[Detector]:
    """Built once: rules are read from files."""
    return detectors(Setup(files={"case": "plant.pcap"}, criticality={"10.10.1.20": "high"}))


def fresh(every: list[Detector]) -> list[Detector]:
    for detector in every:
        detector.restore(b"")
    return every


def flood(count: int = FORGED, seconds: float = 50) -> list[dict[str, Any]]:
    """So many forged writes within so many seconds."""
    return [row | {"@timestamp": at(number * seconds / count)["@timestamp"]} for number, row in enumerate(address_flood(count))]


def cut(rows: list[dict[str, Any]], each: int) -> list[Batch]:
    whole = activities(*rows)
    return [Batch(activities=whole.slice(begin, each)) for begin in range(0, len(rows), each)]


def test_a_flood_is_a_handful_of_alerts_however_the_rows_come(setup: list[Detector]) -> None:
    whole = judged(fresh(setup), Batch(activities=activities(*flood())))
    fresh(setup)
    by_parts = [finding for batch in cut(flood(), 37) for finding in judged(setup, batch)]
    assert sorted(whole, key=lambda each: each.id) == sorted(by_parts, key=lambda each: each.id)
    alerts = {alert.key: alert for alert in fold(whole, ()).alerts}
    per_rule = {
        rule: [alert for key, alert in alerts.items() if key.startswith(f"{rule}|")] for rule in ("command-unanswered", "outside-command", "address-flood")
    }
    assert [len(found) for found in per_rule.values()] == [MANY + 1, MANY + 1, 1]
    many = alerts[f"command-unanswered|crowd|{DEVICE}"]
    assert (many.count, many.title.en) == (FORGED - MANY, f"{DEVICE} did not answer a write or command of one of very many new addresses")
    assert "大量新地址之一" in many.title.zh
    assert len(many.assets) <= 1, "the device, and none of the forged"
    (said,) = per_rule["address-flood"]
    assert (said.title.en, said.count) == (f"More than 512 new addresses within a minute, towards {DEVICE}", 2)


def rules(rows: list[dict[str, Any]]) -> list[Finding]:
    return build(Setup()).judge(Batch(activities=activities(*rows)))


def test_it_goes_on_for_minutes_and_is_said_once() -> None:
    rows = [
        row | {"@timestamp": at(number / 4)["@timestamp"], "source.ip": f"11.{number >> 8}.{number & 255}.7"} for number, row in enumerate(address_flood(1200))
    ]
    assert len(rules(rows)) == 1
    later = [row | {"@timestamp": at(3600 + number / 9)["@timestamp"], "source.ip": f"12.0.{number}.7"} for number, row in enumerate(address_flood(70))]
    assert len(rules(rows + later)) == 2, "an hour later it is another flood"


@pytest.mark.parametrize(
    "rows",
    [
        [row | {"event.outcome": "success"} for row in flood()],
        [row | {"event.outcome": "failure"} for row in flood()],
        [row | {"source.ip": f"10.10.1.{number % 60}"} for number, row in enumerate(flood())],
        [row | {"@timestamp": at(number * 5)["@timestamp"]} for number, row in enumerate(flood())],
        [row | {"ot.effect": "value.report", "ot.access": "report"} for row in flood()],
    ],
    ids=["answered", "refused", "the same again", "few a minute", "reports of a large plant"],
)
def test_what_its_text_calls_normal_is_quiet(rows: list[dict[str, Any]]) -> None:
    assert rules(rows) == []


def test_who_only_speaks_is_told_where_no_plant_is_so_large() -> None:
    most = LEVELS["speakers"][0] + 1
    rows = [
        claimed("10.1.2.3", f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}", **{"destination.mac": "ff:ff:ff:ff:ff:ff"}) | {"@timestamp": at(n / 99)["@timestamp"]}
        for n in range(most)
    ]
    (said,) = rules(rows)
    assert said.title.en == "More than 2,048 new addresses within a minute, towards everybody"
    assert rules(rows[:-1]) == []


def test_a_flood_pushes_no_host_out_of_what_is_known() -> None:
    detector = build(Setup())
    detector.judge(Batch(activities=activities(at(-120) | {"source.ip": MASTER}, *flood(), at(300) | {"source.ip": "10.10.1.11"})))
    assert [host.split("|")[1] for host in json.loads(detector.state())["hosts"]] == [MASTER, "10.10.1.11"]


def test_the_forged_are_no_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are very many; of a few that came for a moment each is one."""
    polled = Talk(server=PLC, time=START).open().ask(REQUEST, ANSWER)
    forged = [Talk(f"11.7.0.{number}", PLC, client_port=41000 + number, time=START + number * SECOND // 8) for number in range(40)]
    for number, talk in enumerate(forged):
        talk.ask(mbap(1, write(number, 1)))
    packets = sorted([*polled.packets, *(packet for talk in forged for packet in talk.packets)], key=lambda packet: packet.time)
    assert len(watch(packets).assets) == 42
    monkeypatch.setattr(sensors.inventory, "MOST_STRANGERS", 32)
    seen = watch(packets)
    monkeypatch.setattr(sensors.inventory, "MOST_HOSTS", 16)
    monkeypatch.setattr(sensors.inventory, "MOST_STRANGERS", 2)
    assert {asset.id for asset in watch(packets).assets} == {asset.id for asset in seen.assets}, "forged writers push nobody out who is answered"
    assert {address for asset in seen.assets for address in asset.addresses if "." in address} == {PLC, polled.client}
    assert sum(line["action"] == "write_single_register" for line in seen.lines) == 40, "what they did is told all the same"


def test_whom_a_flood_goes_to_is_an_asset_though_it_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that forge senders, and those that forge whom they ask, are none."""
    monkeypatch.setattr(sensors.inventory, "MOST_HOSTS", 64)
    monkeypatch.setattr(sensors.inventory, "MOST_STRANGERS", 16)
    monkeypatch.setattr(sensors.release, "RELEASE_ROWS", 32)
    victim = "10.1.2.77"
    forged = [Talk(f"11.7.0.{n}", victim if n % 2 else f"11.8.0.{n}", client_port=41000 + n, time=START + n * SECOND // 8) for n in range(150)]
    packets = [packet for number, talk in enumerate(forged) for packet in talk.ask(mbap(1, write(number, 1))).packets]
    assert {address for asset in watch(packets).assets for address in asset.addresses if "." in address} == {victim}
