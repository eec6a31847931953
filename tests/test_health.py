"""How each sensor is: its last packet, what was dropped, its grade; on the page and on the wall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dashboards import health, queries
from dashboards.covered import look
from records.formats import DAY, duration
from records.model import Batch
from records.query import Span
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES, say
from tests.browser.waterworks import HOUR, MINUTE, NOW, coverage, table
from tests.test_alert_page import drawn
from tests.test_dashboards import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """One sensor of two interfaces, one of which lost packets; one that ended two days ago; a capture of now, and one of then."""
    rows = [
        *coverage("SPAN-1", NOW - HOUR, NOW + 1, interface="eth1"),
        *coverage("SPAN-1", NOW - HOUR, NOW + 1, interface="eth2", dropped=100, lost=49_980),
        *coverage("SPAN-2", NOW - 50 * HOUR, NOW - 48 * HOUR),
        *coverage("capture-1", NOW - HOUR, NOW - 30 * MINUTE, file="of now.pcap"),
        *coverage("capture-2", NOW - 50 * HOUR, NOW - 49 * HOUR, file="of then.pcap"),
    ]
    store = open_store(str(tmp_path / "store"), write=True)
    store.write(Commit(Batch(coverage=table("coverage", [{**row, "id": f"{row['id']}-{row.get('interface')}"} for row in rows]))))
    store.close()
    return tmp_path / "store"


@pytest.fixture
def store(where: Path) -> Iterator[Store]:
    made = open_store(str(where))
    yield made
    made.close()


def test_who_fell_silent_before_the_period_is_told_and_what_a_capture_saw_is_over(store: Store) -> None:
    found, known = health.health(store, Span(NOW - HOUR, NOW + 1))
    told = {each.name: each for each in found}
    assert (list(told), known) == (["SPAN-1 · eth1", "SPAN-1 · eth2", "SPAN-2", "of now.pcap"], 4)
    assert {name: each.silent(NOW) for name, each in told.items()} == {name: name == "SPAN-2" for name in told}
    assert (told["SPAN-2"].last, told["SPAN-2"].packets, told["SPAN-2"].grade) == (NOW - 48 * HOUR - 1, 0, None)
    assert (told["SPAN-1 · eth2"].dropped, told["SPAN-1 · eth2"].packets, told["SPAN-1 · eth2"].grade) == (6_100, 54_900, 50.0)
    assert told["of now.pcap"].last == NOW - 30 * MINUTE - 1
    span = Span(NOW - HOUR, NOW)
    assert {place.name: place.blind_time(span) for place in look(store, queries.known_span(span), span).places} == {
        name: HOUR * (name == "SPAN-2") for name in told
    }


def test_of_many_those_that_are_silent_come_first(tmp_path: Path) -> None:
    minutes = NOW // MINUTE * MINUTE
    rows = [row for number in range(12) for row in coverage(f"s{number}", minutes - HOUR, NOW + 1)] + coverage("gone", NOW - 9 * HOUR, NOW - 8 * HOUR)
    rows = [row for row in rows if row["observer.name"] != "s11" or not minutes - 30 * MINUTE <= row["@timestamp"] < minutes - 29 * MINUTE]
    made = open_store(str(tmp_path / "store"), write=True)
    made.write(Commit(Batch(coverage=table("coverage", rows))))
    span = Span(minutes - HOUR, NOW + 1)
    found, known = health.health(made, span)
    assert (len(found), known, found[0].name) == (health.MOST, 13, "gone")
    blind = {sensor.label: sensor.blind_time(span, span) for sensor in queries.sensors(made, queries.known_span(span), span)[0] if sensor.blind}
    assert blind == {"gone": span.length, "s11": MINUTE}
    week = Span(span.until - 7 * DAY, span.until)  # a minute of it is told as a gap, and what was before the store begins is none
    states = {each.name: health.state(each, health.traffic(made, week, each), span) for each in found}
    assert {name: word for name, word in states.items() if word != "seeing"} == {"gone": "blind", "s11": "gaps"}
    made.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_and_the_wall(where: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    situation = opened("situation", where, monkeypatch, lang=language, range="1h")
    wall = drawn(opened("situation", where, monkeypatch, lang=language, range="1h", view="wall"), "wall")
    told: list[dict[str, Any]] = drawn(situation, "sensors")["rows"]
    on_wall: list[list[Any]] = wall["health"]["rows"]
    silent = say("dashboard.quiet.blind", language, sensor="SPAN-2", duration=duration(HOUR, language))
    assert drawn(situation, "headline")["sentence"] == wall["sentence"] == silent
    assert [row["name"] for row in drawn(situation, "timeline")["sensors"] if row["blind"]] == ["SPAN-2", "of now.pcap"]
    assert wall["figures"][2]["value"] == "1"
    days = {"en": "silent: 2 d before the newest in the store", "zh": "静默：比存储中最新数据包早 2 天"}[language]
    assert [[row[name] for name in ("name", "last", "dropped", "share")] for row in told] == [row[:4] for row in on_wall]
    assert [row["state"] for row in told] == ["seeing", "gaps", "blind", "capture"]
    assert [row["rate"] for row in told] == ["12.0 kb/s", "12.0 kb/s", "–", "12.0 kb/s"]
    assert [len(row["points"]) for row in told] == [31, 31, 0, 15]
    assert [(row["gaps"][0][1] - row["gaps"][0][0]) // 60_000 if row["gaps"] else 0 for row in told] == [0, 0, 60, 0]
    assert [row[0] for row in on_wall if row[4]] == ["SPAN-2"]
    assert on_wall[2][1:4] == [days, "0", "–"]
    assert on_wall[1][1] == say("dashboard.health.current", language)
    assert on_wall[1][2:4] == {"en": ["6,000 (10.0 %)", "50.0 %"], "zh": ["6,000 (10.0%)", "50.0%"]}[language]
