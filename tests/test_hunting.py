"""Detectors that need no learning: each fires on what it is for, explains itself, and is quiet where what its text calls normal is so."""

from __future__ import annotations

import importlib
import json
import re
from time import process_time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from detectors.discovery import Setup
from detectors.methods.masters import MOST_TOLD, Device
from records.model import Batch
from records.wording import catalogue
from tests.frames import activities, polling
from tests.hunted import ATTACKER, ATTACKS, DEVICE, MASTER, arp_sweep, at, function_scan, own, registers_carry_data, reports_stay_off, slow_scan

if TYPE_CHECKING:
    from detectors.detector import Detector
    from records.model import Finding

NAMES = sorted({detector for detector, _ in ATTACKS.values()})
Stated = list[dict[str, Any]]


def fresh(name: str) -> Detector:
    return importlib.import_module(f"detectors.methods.{name}").build(Setup(files={"case": "plant.pcap"}))


def found(name: str, rows: Stated) -> list[Finding]:
    return fresh(name).judge(Batch(activities=activities(*rows)))


def told(rule: str, rows: Stated) -> list[Finding]:
    return [finding for finding in found(ATTACKS[rule][0], rows) if finding.rule == rule]


@pytest.mark.parametrize("rule", ATTACKS)
def test_it_fires_once_on_what_it_is_for_and_explains_itself(rule: str) -> None:
    findings = told(rule, ATTACKS[rule][1]())
    assert len({finding.key for finding in findings}) == 1
    assert len(findings) == 1 or rule == "engineering-session"
    last = findings[-1]
    assert last.score == sum(term.value for term in last.terms) > 0
    assert last.normal is not None
    assert len(last.respond) == 3
    assert last.techniques
    assert {packet.file for packet in last.packets} == {"plant.pcap"}
    assert last.destination or rule == "arp-sweep"  # which is about addresses that nobody has


@pytest.mark.parametrize("rule", [rule for rule in ATTACKS if rule not in {"acts-newcomer", "acts-unseeing"}])  # by then it has been seen to read
def test_what_comes_again_days_later_is_told_again(rule: str) -> None:
    judge = fresh(ATTACKS[rule][0])
    for day in ("2026-03-02T", "2026-03-05T", "2026-04-04T"):
        rows = [{name: value.replace("2026-03-02T", day) if isinstance(value, str) else value for name, value in row.items()} for row in ATTACKS[rule][1]()]
        assert rule in {finding.rule for finding in judge.judge(Batch(activities=activities(*rows)))}, day


@pytest.mark.parametrize("rule", ATTACKS)
def test_without_its_cause_there_is_no_finding(rule: str) -> None:
    """The last row is what each of these completes: the term that weighs most is about it and those before it."""
    assert told(rule, ATTACKS[rule][1]()[: 1 if rule == "engineering-session" else -1]) == []


def with_time(rows: Stated, seconds: float) -> Stated:
    return [row | {"@timestamp": at(number * seconds)["@timestamp"]} for number, row in enumerate(rows)]


def answered(rows: Stated) -> Stated:
    return [row | {"event.outcome": "success"} for row in rows]


def an_hour_later(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"@timestamp": row["@timestamp"].replace("T10", "T11")}


READS = [at(0), *ATTACKS["acts-unseeing"][1]()]
STANDBY = [ATTACKS["takes-events"][1]()[0], ATTACKS["takes-events"][1]()[1] | {"@timestamp": "2026-03-03T11:00:00Z"}]
TWO = [ATTACKS["takes-events"][1]()[0], ATTACKS["takes-events"][1]()[1] | {"@timestamp": "2026-03-02T10:30:00Z"}, ATTACKS["takes-events"][1]()[1]]
BACKUP = [own(10.0 * number, effect, event__outcome="success") for number, effect in enumerate(("session.open", "identity.read", "program.upload"))]
COPIED = [row | {"ot.value": 40.0} for row in ATTACKS["request-altered"][1]()]


QUIET: list[tuple[str, Stated]] = [
    ("rapid-scan", answered(ATTACKS["rapid-scan"][1]())), ("slow-scan", slow_scan(tries=2)), ("slow-scan", slow_scan(pause=10)), ("acts-unseeing", READS),
    ("arp-sweep", arp_sweep(answered=40, addresses=40)), ("arp-sweep", arp_sweep(answered=28, addresses=40)), ("arp-sweep", arp_sweep(pause=30)),
    ("arp-sweep", arp_sweep(pause=0.01)), ("arp-sweep", [row | {"destination.mac": "02:ba:1e:01:00:20"} for row in arp_sweep()]),
    ("arp-sweep", [*arp_sweep(answered=13), *map(an_hour_later, arp_sweep())]),
    ("reports-stay-off", reports_stay_off(enabled=1)), ("acts-newcomer", [at(60), *ATTACKS["acts-newcomer"][1]()]), ("takes-events", STANDBY),
    ("takes-events", TWO),
    ("repeated-request", with_time(ATTACKS["repeated-request"][1](), 3)),
    ("restart-claimed", with_time(ATTACKS["restart-claimed"][1](), 45)), ("engineering-session", BACKUP), ("request-altered", COPIED),
    ("registers-carry-data", registers_carry_data(writes=9)), ("registers-carry-data", registers_carry_data(reader=MASTER)),
    ("names-carry-data", [row | {"ot.object.name": f"{number}.plant.example.org"} for number, row in enumerate(ATTACKS["names-carry-data"][1]())]),
    ("other-system", [row | {"ot.anomaly": []} for row in ATTACKS["other-system"][1]()]),
    ("range-set", [row | {"ot.value": 50.0} for row in ATTACKS["range-set"][1]()]), ("address-flood", answered(ATTACKS["address-flood"][1]())),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "rows"), QUIET)
def test_what_its_text_calls_normal_is_quiet(rule: str, rows: Stated) -> None:
    assert told(rule, rows) == []


def test_what_is_normal_is_tried_of_every_rule() -> None:
    worded = {key.split(".")[1] for key in catalogue() if re.fullmatch(rf"({'|'.join(NAMES)})\.[a-z-]+\.title", key)}
    assert {rule for rule, _ in QUIET} == set(ATTACKS) == worded - {"range-left"}  # which is about points: tests/test_ranges.py


@pytest.mark.parametrize(
    ("rows", "terms"),
    [(arp_sweep(), 1), (arp_sweep(answered=27, addresses=40), 1), (arp_sweep(pause=600, addresses=33), 1), (arp_sweep(pause=4, addresses=200), 3)],
)
def test_what_answers_is_no_sweep_and_one_that_goes_on_is_told_each_five_minutes(rows: Stated, terms: int) -> None:
    told_of = told("arp-sweep", rows)
    assert len(told_of) == terms
    assert {len(finding.activities) for finding in told_of} <= {13, 20}


@pytest.mark.parametrize(("pause", "functions", "rules"), [(2, 5, ["rapid-scan"]), (2, 4, []), (1800, 4, ["slow-scan"]), (1800, 3, [])])
def test_functions_that_a_device_does_not_know_are_counted_fast_and_slow(pause: float, functions: int, rules: list[str]) -> None:
    told_of = found("scan", function_scan(pause, functions))
    assert [finding.rule for finding in told_of] == rules
    assert all("functions" in finding.title.en and "T0888" in finding.techniques for finding in told_of)


def test_a_function_that_is_asked_for_again_and_again_is_meant() -> None:
    """A driver that tries what its device may have, at each start, is no scan; nor is one function of each of many devices."""
    assert found("scan", [row | {"ot.code": "23"} for row in function_scan(600, 12)]) == []
    assert found("scan", [row | {"destination.ip": f"10.10.1.{number}"} for number, row in enumerate(function_scan(2, 12))]) == []


def test_a_master_that_reads_after_it_acted_is_one_that_sees() -> None:
    first, reads = ATTACKS["acts-unseeing"][1]()
    assert told("acts-unseeing", [first, reads | {"source.ip": ATTACKER}, reads]) == []


def test_a_master_that_is_told_by_the_device_sees_it() -> None:
    report = at(0, ot__effect="value.report") | {"source.ip": DEVICE, "destination.ip": ATTACKER}
    assert told("acts-unseeing", [report, *ATTACKS["acts-unseeing"][1]()]) == []


def test_a_session_is_told_in_the_order_of_its_steps() -> None:
    reason = told("engineering-session", ATTACKS["engineering-session"][1]())[-1].reason.en
    assert "connect, then look around, then stop the controller, then download a program, then start the controller" in reason


def test_what_was_refused_weighs_less() -> None:
    rows = ATTACKS["engineering-session"][1]()
    refused = told("engineering-session", [row | {"event.outcome": "failure"} for row in rows])[-1]
    assert refused.score == told("engineering-session", rows)[-1].score - 15


@pytest.mark.parametrize("rule", ATTACKS)
def test_what_it_remembers_is_bounded_under_a_flood_of_new_hosts(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, attack = ATTACKS[rule]
    monkeypatch.setattr(f"detectors.methods.{name}.MOST", 40)
    detector = fresh(name)
    for number in range(60):
        hosts = {"source.ip": f"10.64.0.{number}", "source.mac": f"02:00:00:00:00:{number:02x}", "destination.ip": f"10.65.0.{number}"}
        detector.judge(Batch(activities=activities(*({**row, **hosts} for row in attack()))))
    assert 39 <= len(json.loads(detector.state())["known"]) <= 40  # what was told need not be remembered


@pytest.mark.parametrize("name", NAMES)
def test_polling_costs_next_to_nothing(name: str) -> None:
    """At most 1 ms for 1,000 rows; CPU time, the best of three."""
    rows = polling(minutes=60).activities
    many = pa.concat_tables([rows] * (50_000 // rows.num_rows)).combine_chunks()
    detector, best = fresh(name), float("inf")
    for _ in range(3):
        begun = process_time()
        assert detector.judge(Batch(activities=many)) == []
        best = min(best, process_time() - begun)
    assert best <= many.num_rows / 1000 * 0.001


@pytest.mark.parametrize("name", NAMES)
def test_a_piece_of_a_few_rows_costs_little(name: str) -> None:
    """As a sensor gives them every second: at most 2 ms, CPU time, the best of many."""
    rows = polling(minutes=3).activities
    detector, best = fresh(name), float("inf")
    for first in range(0, rows.num_rows - 20, 2):
        begun = process_time()
        detector.judge(Batch(activities=rows.slice(first, 20)))
        best = min(best, process_time() - begun)
    assert best <= 0.002


@pytest.mark.parametrize("size", [1, 9, 1000])
def test_masters_are_known_however_many_confirmations_come_at_once(size: int) -> None:
    """Two masters of one device, one of another, and a stranger who confirms for hours: what is found and what is remembered are the same."""
    confirm: dict[str, Any] = {"network.protocol": "dnp3", "event.action": "confirm", "event.outcome": "unknown", "ot.effect": "data.exchange"}
    asks = [(minute, MASTER, DEVICE) for minute in range(0, 400, 5)] + [(minute, "10.10.1.11", DEVICE) for minute in range(3, 300, 40)]
    asks += [(minute, MASTER, "10.10.1.30") for minute in range(1, 380, 60)] + [(minute, ATTACKER, DEVICE) for minute in range(200, 320, 7)]
    rows = [at(60 * minute) | confirm | {"source.ip": host, "destination.ip": device} for minute, host, device in sorted(asks)]
    whole, parts, table = fresh("masters"), fresh("masters"), activities(*rows)
    expected = [finding for row in range(table.num_rows) for finding in whole.judge(Batch(activities=table.slice(row, 1)))]
    assert [finding.source for finding in expected] == [ATTACKER] * 6, "and then it is a master, too"
    assert [finding for first in range(0, table.num_rows, size) for finding in parts.judge(Batch(activities=table.slice(first, size)))] == expected
    assert parts.state() == whole.state()


def test_what_was_told_of_a_device_is_bounded() -> None:
    """However many hosts are forged: the last ones are remembered, and time does not grow with their number."""
    device = Device()
    for number in range(3 * MOST_TOLD):
        device.tell(f"10.0.{number >> 8}.{number & 255}", number)
    assert list(device.told.values()) == list(range(2 * MOST_TOLD, 3 * MOST_TOLD))
    device.tell("10.0.2.0", 9999)
    assert (len(device.told), list(device.told)[-1]) == (MOST_TOLD, "10.0.2.0")
