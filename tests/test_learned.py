"""Detectors that judge by what was learned: each fires on what it is for, explains itself, and is quiet where just this was learned, or is normal."""

from __future__ import annotations

import re
from itertools import pairwise
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

from detectors.baseline.learned import DETECTORS, Learned, kept
from detectors.baseline.levels import Level
from detectors.baseline.places import place_of
from detectors.baseline.policy import written
from detectors.baseline.reading import read
from detectors.baseline.rhythms import MOST_BINS, Sketch
from detectors.baseline.telling import Names, sentences
from detectors.discovery import Setup, detectors
from records.model import Batch, severity_word
from records.plant import Plant, Tag
from records.wording import catalogue
from tests.hunted import DEVICE, MASTER
from tests.knowing import CASES, LATER, NORMAL, NORMALLY, QUIET, USUAL, batch, point, points, poll, polls, wrote

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.detector import Detector
    from records.model import Finding

LEARNED = Learned()
LEARNED.learn(batch(*NORMAL).activities, batch(*NORMAL).points)
STATES = LEARNED.states()
BUILT = {one.name: one for one in detectors(Setup(files={"case": "plant.pcap"})) if one.name in DETECTORS}


def taught(name: str, states: dict[str, bytes] = STATES) -> Detector:
    BUILT[name].restore(states[name])
    return BUILT[name]


def told(rule: str, states: dict[str, bytes] = STATES) -> list[Finding]:
    name, rows = CASES[rule]
    return [finding for finding in taught(name, states).judge(batch(*rows)) if finding.rule == rule]


@pytest.mark.parametrize("rule", CASES)
def test_it_fires_on_what_it_is_for_and_explains_itself(rule: str) -> None:
    findings = told(rule)
    assert len({finding.key for finding in findings}) == 1
    assert len(findings) <= 3, "one of each kind or point"
    for finding in findings:
        assert finding.score == sum(term.value for term in finding.terms) > 0
        assert severity_word(finding.severity) in (("medium", "high") if rule.startswith("setpoint") else ("low", "medium"))
        assert finding.normal is not None
        assert len(finding.respond) == 3
        assert finding.techniques
        assert DEVICE in f"{finding.title.en} {finding.destination}"
        for text in (finding.title, finding.reason, finding.normal, *finding.terms, *finding.respond):
            assert not re.search(r"[{}]|None|nan", f"{text.en} {text.zh}"), text
            assert re.search(r"[一-鿿]", text.zh), text


@pytest.mark.parametrize("rule", CASES)
def test_it_is_quiet_when_just_this_was_learned(rule: str) -> None:
    learned = Learned()
    for rows in (NORMAL, CASES[rule][1]):
        learned.learn(batch(*rows).activities, batch(*rows).points)
    assert told(rule, learned.states()) == []


@pytest.mark.parametrize("rule", CASES)
def test_what_its_text_calls_normal_is_quiet(rule: str) -> None:
    assert [finding.title.en for finding in taught(CASES[rule][0]).judge(batch(*NORMALLY[rule])) if finding.rule == rule] == []


def test_no_rule_goes_without_a_case() -> None:
    """Each rule that these detectors have words for fires here, explains itself, and is quiet where what it calls normal is so."""
    worded = {f"{name}|{key.split('.')[1]}" for name in ("timing", "value", "sequence") for key in catalogue() if re.fullmatch(rf"{name}\.[a-z-]+\.title", key)}
    assert worded == {f"{name}|{rule}" for rule, (name, _) in CASES.items()}
    assert set(NORMALLY) == set(CASES)


@pytest.mark.parametrize("case", QUIET)
def test_what_is_normal_is_quiet(case: str) -> None:
    name, rows = QUIET[case]
    for each in DETECTORS if name == "all" else (name,):
        assert [finding.title.en for finding in taught(each).judge(batch(*rows))] == []


@pytest.mark.parametrize("rule", CASES)
def test_any_cut_and_a_restart_give_the_same_findings(rule: str) -> None:
    name, rows = CASES[rule]
    whole, ids = batch(*rows), sorted(finding.id for finding in taught(name).judge(batch(*rows)))
    for size in (1, 7, 40):
        detector, found = taught(name), list[str]()
        parts = max(whole.activities.num_rows, whole.points.num_rows) // size + 1
        edges = [(part * whole.activities.num_rows // parts, part * whole.points.num_rows // parts) for part in range(parts + 1)]
        for (row, at), (row_end, end) in pairwise(edges):
            share = Batch(activities=whole.activities.slice(row, row_end - row), points=whole.points.slice(at, end - at))
            found += [finding.id for finding in detector.judge(share)]
            if size > 1:
                detector.restore(detector.state())
        assert sorted(found) == ids, size


def test_a_silence_that_lasts_weighs_more() -> None:
    first, later = told("view-lost")
    assert [severity_word(each.severity) for each in (first, later)] == ["low", "medium"]
    assert later.end - first.end >= 2 * 60 * 10**9


def test_reports_that_stop_are_a_device_that_is_lost() -> None:
    def reports(minutes: range) -> list[dict[str, Any]]:
        return [poll(minute, DEVICE, MASTER, 3.0) | {"ot.effect": "value.report", "id": f"report-{minute}"} for minute in minutes]

    learned = Learned()
    others = [row for row in polls(range(USUAL + 30)) if row["destination.ip"] != DEVICE]
    learned.learn(batch(reports(range(USUAL)) + others).activities, Batch().points)
    found = taught("timing", learned.states()).judge(
        batch(reports(range(USUAL, USUAL + 5)) + [row for row in others if row["@timestamp"] >= "2026-03-02T12:30"])
    )
    assert [(finding.rule, DEVICE in finding.title.en) for finding in found] == [("view-lost", True)] * 2
    assert "T0804" in found[0].techniques


def test_a_link_that_is_too_busy_to_be_tested_is_not_lost() -> None:
    """IEC 60870-5-104 tests a link only while nothing else is sent; reports of what changes have no rhythm, and tell all the same that it is there."""

    def heard(minutes: range, tested: bool) -> list[dict[str, Any]]:
        reports = [poll(minute, DEVICE, MASTER, 20.0 if minute % 4 else 1.0) | {"ot.effect": "value.report", "id": f"report-{minute}"} for minute in minutes]
        return reports + [poll(minute, MASTER, DEVICE, 20.0) | {"ot.effect": "test", "id": f"test-{minute}"} for minute in minutes if tested]

    others = [row for row in polls(range(USUAL + 30)) if row["destination.ip"] != DEVICE]
    learned = Learned()
    learned.learn(batch(heard(range(USUAL), True) + others).activities, Batch().points)
    later = [row for row in others if row["@timestamp"] >= "2026-03-02T12:30"]
    busy, silent = (
        taught("timing", learned.states()).judge(batch(rows + later))
        for rows in (heard(range(USUAL, USUAL + 5), True) + heard(range(USUAL + 5, USUAL + 30), False), heard(range(USUAL, USUAL + 5), True))
    )
    assert [finding.rule for finding in busy] == []
    assert {finding.rule for finding in silent} == {"view-lost"}


def test_a_poller_that_stops_is_one_finding() -> None:
    gone = polls(LATER, lambda minute, source, _, every: None if source == MASTER and minute > USUAL + 5 else every)
    first, _ = taught("timing").judge(batch(gone))
    assert (first.rule, "2 devices" in first.title.en) == ("poll-stopped", True)


def test_how_far_is_far_follows_from_how_many_values_were_learned() -> None:
    few, some, many = (Level(10.0, 20.0, seen, returns=True).room or 0.0 for seen in (2, 7, 500))
    assert few > some > many > 0
    assert Level(0.0, 1.0, 500, returns=True).room is None
    assert Level(0.0, 0.0).room is None
    assert Level(5.0, 9000.0, 500).room is None, "a counter"


def test_each_tag_of_a_device_is_a_point_of_its_own() -> None:
    """Tags that have names are read from their first element on; the number of an element alone is no place."""
    assert place_of("10.0.0.9", "cip", None, "tag", "Speed", 0) != place_of("10.0.0.9", "cip", None, "tag", "Weight", 0)
    assert place_of("10.0.0.9", "cip", None, "tag", "Recipe", 2) != place_of("10.0.0.9", "cip", None, "tag", "Recipe", 3)
    learned = Learned()
    tags = {"Speed": 50.0, "Weight": 9000.0}
    named = [point(minute, low, low + 1, 0) | {"ot.object.space": "tag", "ot.object.name": name} for minute in range(9) for name, low in tags.items()]
    learned.learn(Batch().activities, batch(values=named).points)
    assert sorted((level.low, level.high) for level in learned.levels.known.values()) == [(50.0, 51.0), (9000.0, 9001.0)]


def test_values_that_are_no_numbers_are_not_learned() -> None:
    learned = Learned()
    odd = [point(minute, float("nan"), float("inf")) for minute in range(3)]
    learned.learn(batch([wrote(1, float("nan"))]).activities, batch(values=odd).points)
    assert learned.levels.known == {}


def test_a_sketch_tells_median_and_range_and_is_bounded() -> None:
    sketch = Sketch()
    for number in range(1000):
        sketch.add(2.0 + (number % 10) / 100, 2.0)
    sketch.add(90.0, 300.0)
    rhythm = sketch.rhythm()
    assert rhythm.usual == pytest.approx(2.045, abs=0.05)
    assert rhythm.low <= rhythm.usual <= rhythm.high < 2.2
    assert (rhythm.longest, rhythm.seen) == (300.0, 1001)
    for number in range(1, 2000):
        sketch.add(number * 1.5, 0.0)
    assert len(sketch.bins) <= MOST_BINS


def test_what_found_no_room_is_counted_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("habits", "rhythms", "levels", "orders"):
        monkeypatch.setattr(f"detectors.baseline.{module}.MOST", 1)
    learned = Learned()
    other = wrote(1, 1.0) | {"destination.ip": "10.10.1.30", "id": "other"}
    learned.learn(batch(NORMAL[0] + [other]).activities, batch(*NORMAL).points)
    assert all(learned.shed.values())
    file = tmp_path / "normal.yml"
    file.write_text(written(learned), "utf-8")
    again = read(file)
    assert again.shed == learned.shed == kept(learned.states().get).shed
    assert again.version == learned.version


@pytest.mark.parametrize("rule", CASES)
def test_judging_by_the_file_is_judging_by_what_was_learned(rule: str, tmp_path: Path) -> None:
    file = tmp_path / "normal.yml"
    file.write_text(written(LEARNED), "utf-8")
    again = read(file)
    assert again.version == LEARNED.version
    assert told(rule, again.states()) == told(rule)


def test_the_version_covers_all_that_judges(tmp_path: Path) -> None:
    file = tmp_path / "normal.yml"
    whole = written(LEARNED)
    for part, other in (
        ('"every": 2.', '"every": 1.'),
        ('"high": 53', '"high": 52'),
        ('{"output.select": 8}', '{"output.select": 7}'),
        ('"longest": 2', '"longest": 3'),
    ):
        assert part in whole, part
        file.write_text(whole.replace(part, other, 1), "utf-8")
        if part != '"every": 2.':
            assert read(file).version != LEARNED.version, part


def test_it_is_told_in_sentences() -> None:
    english, chinese = (list(sentences(LEARNED, language)) for language in ("en", "zh"))
    assert f"{MASTER} to 10.10.1.30 by modbus: read values (register 40001–40010, unit 1) every 2.0 s; never changes anything." in english
    assert any("output" in one and "only after" in one for one in english)
    assert len(english) == len(chinese)
    assert any("从不改动" in one for one in chinese)


def test_sentences_call_hosts_and_points_as_the_plant_does() -> None:
    plant = Plant(tags=[Tag("Pump 3 speed", DEVICE, unit=1, space="holding_register", first=17), Tag("Other unit", DEVICE, unit=2, first=100)])
    told = list(sentences(LEARNED, "en", Names({DEVICE: "Pump PLC", MASTER: MASTER}, plant)))
    assert any(one.startswith(f"{MASTER} to Pump PLC ({DEVICE}) by modbus: ") and "write values (Pump 3 speed (register 40018), unit 1)" in one for one in told)
    assert f"Pump 3 speed (register 40018) of Pump PLC ({DEVICE}): 10 to 13 (4 seen)." in told
    assert any("only after" in one and f"to Pump PLC ({DEVICE})" in one for one in told)
    assert not any("Other unit" in one for one in told)
    assert len(told) == len(list(sentences(LEARNED, "en")))


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match="timing"):
        kept(lambda name: b"{}" if name == "timing" else None)
    assert kept(lambda _: None).empty


@pytest.mark.parametrize("name", DETECTORS)
def test_it_costs_next_to_nothing(name: str) -> None:
    """At most 1 ms for 1,000 rows of ordinary polling; CPU time, the best of three."""
    usual = batch(polls(range(600)), points(range(600)))
    detector, best = taught(name), float("inf")
    for _ in range(3):
        detector.restore(STATES[name])
        begun = process_time()
        assert detector.judge(usual) == []
        best = min(best, process_time() - begun)
    assert best <= usual.activities.num_rows / 1000 * 0.001 * 4  # machines are busy


def test_points_may_come_before_the_reads_of_their_minutes() -> None:
    """As in a replay, where all points of a release come with the first piece of its activities."""
    whole = batch(*CASES["values-stand"][1])
    half = whole.activities.num_rows // 2
    detector = taught("value")
    found = detector.judge(Batch(activities=whole.activities.slice(0, 8), points=whole.points))
    detector.restore(detector.state())
    found += detector.judge(Batch(activities=whole.activities.slice(8, half))) + detector.judge(Batch(activities=whole.activities.slice(8 + half)))
    assert [finding.id for finding in found] == [finding.id for finding in told("values-stand")]
