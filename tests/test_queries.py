"""What the pages ask of a real store."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from balefire.tally import MISSED
from dashboards import counting, opening, queries, rulings, weekly
from dashboards.opening import look
from dashboards.queries import Filters
from detectors.rulebook import versions
from detectors.rulebook.versions import Version
from records import formats
from records.errors import UsageError
from records.model import LEVELS
from records.query import Query, Span
from records.store import open_store
from records.store.contract import Commit, Store
from records.store.manifest import Manifest
from records.wording import say
from tests.browser.waterworks import HOUR, MINUTE, NOW, STORY


@pytest.fixture
def store(full: Path) -> Iterator[Store]:
    opened = open_store(str(full))
    yield opened
    opened.close()


def test_alerts_stand_in_the_order_in_which_they_are_asked_for(store: Store) -> None:
    gravest_first = [str(each) for each in store.read("alert", Query(sort="-severity")).column("id").to_pylist()]
    assert gravest_first != sorted(gravest_first), "or it shows nothing"
    assert [each.id for each in counting.alerts(store, [*gravest_first, "none"])] == gravest_first


@pytest.fixture
def day(store: Store) -> Span:
    whole = queries.extent(store)
    assert whole
    return queries.span_of(whole, "24h")


def test_the_period_ends_with_the_newest_packet(store: Store) -> None:
    whole = queries.extent(store)
    assert whole
    assert store.newest() == whole.until - 1
    assert [queries.span_of(whole, code).length for code in ("1h", "8h", "24h", "7d")] == [HOUR, 8 * HOUR, 24 * HOUR, 168 * HOUR]
    assert queries.span_of(whole, "all") == whole


@pytest.mark.parametrize(("length", "period"), [(MINUTE, "1h"), (HOUR, "1h"), (2 * HOUR, "8h"), (9 * HOUR, "24h"), (900 * HOUR, "24h")])
def test_little_data_is_shown_close_up(length: int, period: str) -> None:
    assert queries.default_period(Span(NOW - length, NOW)) == period


def test_bars_add_up_to_the_alerts(store: Store, day: Span) -> None:
    bars = queries.alerts_over_time(store, day)
    assert list(bars.columns) == ["time", *LEVELS]
    assert int(bars[list(LEVELS)].to_numpy().sum()) == store.count("alert", day.query())
    assert len(bars) <= 101


def test_open_alerts_by_level(store: Store, day: Span) -> None:
    counts = queries.open_by_level(store, day)
    assert counts["critical"] == 1
    assert sum(counts.values()) == store.count("alert", day.query(queries.OPEN))
    assert queries.worst(store, day)[0]["id"] == f"a{STORY}"


def test_activity_counts_operations_not_rows(store: Store, day: Span) -> None:
    acts, spoken = queries.activity_by(store, day)
    assert acts["write"] == 2
    assert acts["command"] == 4 * 26
    rows = queries.listed(store.read("activity", day.query()))
    assert spoken == {name: sum(row["ot.count"] for row in rows if row["network.protocol"] == name) for name in {row["network.protocol"] for row in rows}}
    assert sum(spoken.values()) == sum(acts.values())
    assert list(spoken.values()) == sorted(spoken.values(), reverse=True)


def test_coverage_is_the_sum_of_its_rows(store: Store, day: Span) -> None:
    sums = queries.coverage(store, day)
    assert sums["late"] == 12
    grade = queries.grade(sums)
    assert grade
    assert 99 < grade < 100
    assert queries.undecoded_ports(store, day) == [("tcp/102", "cyclic")]
    assert queries.grade(dict.fromkeys(queries.COUNTERS, 0)) is None


def test_blindness_is_where_no_packet_was_seen(store: Store, day: Span) -> None:
    whole = queries.extent(store)
    assert whole
    (first, second), known = queries.sensors(store, day, day)
    assert (first.label, second.label, known) == ("SPAN-1", "SPAN-2", 2)
    assert [gap.length for gap in second.blind if gap.since > day.since + MINUTE] == [4 * MINUTE]
    assert [sensor.blind_time(whole, day) // MINUTE for sensor in (first, second)] == [0, 4]
    assert queries.unseen_by_all(store, day) < MINUTE


def test_before_a_capture_begins_it_is_not_blind_but_nothing_was_seen(little: Path) -> None:
    opened = open_store(str(little))
    whole = queries.extent(opened)
    assert whole
    span = queries.span_of(whole, "1h")
    (sensor,), _ = queries.sensors(opened, span, span)
    assert (sensor.label, sensor.blind_time(whole, span)) == ("first.pcap", 0)
    assert queries.unseen_by_all(opened, span) // MINUTE == 58
    assert queries.blindness(opened, span, ["never-heard"]) == {"never-heard": [span]}
    week = weekly.week(opened, span)
    assert week
    assert week.doubt == "alone"
    opened.close()


def test_the_list_is_narrowed_by_search_level_and_status(store: Store, day: Span) -> None:
    every, total = queries.alerts(store, day, queries.search(Filters(status="all")), 50)
    assert total == len(every) == 42
    high, _ = queries.alerts(store, day, queries.search(Filters("techniques:T0801", ("high",))), 50)
    assert {"high"} == {queries.severity_word(int(value)) for value in high["severity"]}
    assert all(row["techniques"] == ["T0801"] and row["status"] != "closed" for row in queries.rows(high))
    page, total = queries.alerts(store, day, queries.search(Filters(status="all")), 3)
    assert (len(page), total, page["severity"].iloc[0]) == (3, 42, 91)
    with pytest.raises(UsageError, match="assets"):
        queries.search(Filters("aset:PLC-7"))


@pytest.mark.parametrize("identity", [f"a{STORY}", f"a{STORY}"[:8], STORY[:9]])
def test_an_alert_is_found_by_its_identity_or_the_beginning_of_it(store: Store, identity: str) -> None:
    found = queries.detail(store, identity)
    assert found
    assert found.finding
    assert found.alert["id"] == f"a{STORY}"
    assert sum(term["value"] for term in found.finding["terms"]) == found.finding["score"] == 91
    assert [row["ot.access"] for row in found.activities] == ["identify", "write", "write", "program"]


@pytest.mark.parametrize("identity", ["", "a", "nope", "%", "' OR 1=1 --"])
def test_an_identity_nobody_has_is_not_found(store: Store, identity: str) -> None:
    assert queries.detail(store, identity) is None


@pytest.mark.parametrize(("late", "capture", "blind"), [(59, False, []), (60, False, [60]), (240, False, [240]), (240, True, [])])
def test_blind_is_what_a_whole_window_misses(late: int, capture: bool, blind: list[int]) -> None:
    """Between the last window and the newest packet, and after a capture's end, nothing was missed."""
    span = Span(NOW - 5 * MINUTE, NOW + late * formats.SECOND)
    gaps = span.without(range(NOW - 5 * MINUTE, NOW, MINUTE), MINUTE)
    assert [gap.length // formats.SECOND for gap in queries.Sensor("SPAN-1", capture, tuple(gaps)).gaps(span)] == blind


def test_coverage_and_rules_are_read_before_somebody_waits_for_them(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = shutil.copytree(full, full.parent / "looked-at")
    monkeypatch.setenv("BALEFIRE_STORE", str(where))
    judged = Version(versions.read(()).files, 4711)
    with closing(open_store(str(where), write=True)) as written:
        written.write(Commit(state={versions.STATE: versions.encoded([judged])}))
    look()
    monkeypatch.delattr(Manifest, "placed")  # nothing is read again
    monkeypatch.delattr(rulings, "loaded")
    book = rulings.in_force(opening.opened())
    assert book
    assert (book.id, book.since) == (judged.id, 4711)
    store = opening.opened()
    whole = queries.extent(store)
    assert whole
    assert queries.blind(store, Span(whole.since - HOUR, whole.until), None)[0].length == HOUR
    monkeypatch.setenv("BALEFIRE_STORE", "/dev/null/none")
    look()  # nothing to say here


@pytest.mark.parametrize("language", ["en", "zh"])
def test_whatever_was_missed_has_words(language: str) -> None:
    """A counter of coverage that the page does not know would be passed over in silence."""
    shown = {"lost", "gaps", "undecoded_bytes"}  # told with their sizes
    for name in {*MISSED, "overlaps"} - shown:
        assert name in queries.COUNTERS
        one, many = (say(f"dashboard.unseen.{name}.{form}", language) for form in ("one", "many"))
        assert one
        assert many
