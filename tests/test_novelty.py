"""What is new against what was learned: graver the more it changes, quiet where the baseline says so, and nothing that is judged teaches."""

from __future__ import annotations

from time import process_time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline.habits import COLUMNS, MOST_SPANS, Baseline, Habit, key_of
from detectors.methods.novelty import DAY, Novelty
from records.model import Batch, Finding, severity_word
from tests.examples import as_many
from tests.frames import activities
from tests.hunted import MASTER, at, own

Stated = list[dict[str, Any]]
NORMAL: Stated = [
    at(0) | {"source.ip": MASTER},
    own(1, "value.write", ot__object__first=17, ot__object__last=17) | {"source.ip": MASTER},
    at(2) | {"source.ip": MASTER, "destination.ip": "10.10.1.30"},
]


def rows(*stated: dict[str, Any]) -> Batch:
    return Batch(activities=activities(*stated))


def taught(*stated: dict[str, Any]) -> Novelty:
    made = Novelty({"case": "plant.pcap"})
    made.learn(rows(*(stated or NORMAL)))
    return made


def judged(*stated: dict[str, Any]) -> list[Finding]:
    return taught().judge(rows(*stated))


def test_without_a_baseline_it_says_nothing() -> None:
    assert Novelty({}).judge(rows(own(9, "program.download"))) == []
    assert Novelty({}).state() == b""


def test_what_was_learned_is_no_news_however_often_it_comes() -> None:
    later = [row | {"@timestamp": at(7000 + number)["@timestamp"]} for number, row in enumerate(NORMAL * 3)]
    assert judged(*later) == []


@pytest.mark.parametrize(
    ("row", "rule", "word"),
    [
        (own(9, "program.download"), "new-host", "high"),
        (own(9, "value.write"), "new-host", "high"),
        (at(9), "new-host", "low"),  # looks only
        (own(9, "value.write") | {"source.ip": MASTER, "destination.ip": "10.10.1.31"}, "new-pair", "medium"),
        (at(9) | {"source.ip": MASTER, "network.protocol": "s7comm"}, "new-protocol", "low"),
        (own(9, "cpu.stop") | {"source.ip": MASTER, "destination.ip": "10.10.1.30"}, "new-effect", "medium"),
        (own(9, "value.write", ot__object__first=900, ot__object__last=901) | {"source.ip": MASTER}, "new-object", "low"),
        (own(9, "program.download") | {"source.ip": MASTER}, "new-effect", "medium"),
    ],
)
def test_the_graver_the_more_it_changes_and_the_less_is_known(row: dict[str, Any], rule: str, word: str) -> None:
    (finding,) = judged(row)
    assert (finding.rule, severity_word(finding.severity)) == (rule, word)
    assert finding.score == sum(term.value for term in finding.terms)
    assert finding.normal is not None
    assert finding.respond
    assert [packet.file for packet in finding.packets] == ["plant.pcap"]


@pytest.mark.parametrize("row", [own(9, "program.download"), own(9, "value.write") | {"source.ip": MASTER, "destination.ip": "10.10.1.31"}, at(9)])
def test_what_would_be_normal_is_quiet_when_it_is_learned(row: dict[str, Any]) -> None:
    assert judged(row) != []
    assert taught(*NORMAL, row).judge(rows(row | {"@timestamp": at(5000)["@timestamp"]})) == []


def test_requests_within_what_was_meant_are_no_news() -> None:
    wide = at(0) | {"source.ip": MASTER, "ot.object.first": 100, "ot.object.last": 139}
    beside = wide | {"ot.object.first": 140, "ot.object.last": 150}
    detector = taught(wide, beside)
    for first, last, news in ((100, 139, False), (120, 145, False), (139, 140, False), (99, 100, True), (150, 151, True), (0, 500, True)):
        found = detector.judge(rows(at(1) | {"source.ip": MASTER, "ot.object.first": first, "ot.object.last": last}))
        assert bool(found) is news, (first, last)
        detector.restore(taught(wide, beside).state())


def test_what_serves_the_network_has_no_habits() -> None:
    asked = own(0, "data.exchange") | {"network.protocol": "arp"}
    detector = taught(*NORMAL, asked)
    assert len(detector.baseline.habits) == len(NORMAL)
    assert detector.judge(rows(asked | {"source.ip": "10.10.1.99"})) == []


@pytest.mark.parametrize(("row", "count"), [(at(0), 3), (own(0, "value.write"), 9), (own(0, "program.download") | {"source.ip": MASTER}, 3)])
def test_it_is_told_once_a_day_a_stranger_that_acts_once_an_hour_and_judging_teaches_nothing(row: dict[str, Any], count: int) -> None:
    times = [f"2026-03-{day:02d}T{hour:02d}:{minute:02d}:00Z" for day in (2, 3, 4) for hour in (10, 11, 12) for minute in (0, 20)]
    assert len(judged(*(row | {"@timestamp": time} for time in times))) == count
    assert DAY == 86_400 * 10**9


def test_what_is_reported_was_asked_for_by_nobody() -> None:
    report = at(9) | {"ot.effect": "value.report", "ot.access": "report", "event.outcome": "success"}
    (finding,) = judged(report)
    assert finding.title.en.endswith("was never seen before, and sent 10.10.1.20: values")
    assert "asked" not in finding.title.en + finding.reason.en
    (beside,) = taught(*NORMAL, report).judge(rows(report | {"ot.object.first": 900, "ot.object.last": 900}))
    assert (beside.rule, "asked" in beside.title.en + beside.reason.en) == ("new-object", False)


def test_refused_is_less() -> None:
    (done,), (refused,) = judged(own(9, "value.write", event__outcome="success")), judged(own(9, "value.write", event__outcome="failure"))
    assert done.severity - refused.severity == 10


@settings(deadline=None, max_examples=as_many(50))
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 12)), max_size=80))
def test_ranges_hold_what_was_added_and_nothing_else(spans: list[tuple[int, int]]) -> None:
    habit, meant = Habit(), set[int]()
    for first, length in spans:
        habit.add({"ot.object.name": None, "ot.object.first": first, "ot.object.last": first + length})
        meant |= set(range(first, first + length + 1))
    assert len(habit.spans) <= MOST_SPANS
    for one in range(215):
        assert habit.holds({"ot.object.name": None, "ot.object.first": one, "ot.object.last": one}) is (one in meant)


def test_ranges_are_bounded_and_lose_nothing() -> None:
    habit = Habit()
    for first in range(0, 4000, 10):
        habit.add({"ot.object.name": None, "ot.object.first": first, "ot.object.last": first})
    assert len(habit.spans) == MOST_SPANS
    assert all(habit.holds({"ot.object.name": None, "ot.object.first": first, "ot.object.last": None}) for first in range(0, 4000, 10))


def test_too_many_habits_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.baseline.habits.MOST", 2)
    detector = taught(*NORMAL)
    assert (len(detector.baseline.habits), detector.baseline.shed) == (2, 1)


def test_a_flood_of_new_keys_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.methods.novelty.MOST", 10)
    detector = taught()
    found = detector.judge(rows(*(own(number, "value.write") | {"source.ip": f"10.99.0.{number}"} for number in range(1, 60))))
    assert len(found) == 59
    assert len(detector.state()) < 20_000


def test_a_key_is_the_mac_address_where_there_is_no_ip_address() -> None:
    row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"source.mac": "02:00:00:00:00:01", "destination.mac": "02:00:00:00:00:02", "ot.effect": "value.read"}
    key = key_of(row)
    assert key is not None
    assert (key.source, key.destination, key.protocol) == ("02:00:00:00:00:01", "02:00:00:00:00:02", "unknown")
    assert key_of(row | {"source.mac": None}) is None
    assert Baseline().news(row) == "host"


def test_it_costs_next_to_nothing() -> None:
    detector = taught()
    many = rows(*NORMAL).activities
    batch = Batch(activities=pa.concat_tables([many] * 3334).combine_chunks())
    begun = process_time()
    assert detector.judge(batch) == []
    spent = process_time() - begun
    assert spent < 0.001 * batch.activities.num_rows / 1000 * 20, (
        f"{spent:.3f} s for {batch.activities.num_rows} rows"
    )  # 20 times what it may take: machines are busy
