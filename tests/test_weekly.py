"""Activity against the same hour last week: compared where both were seen well enough; else it is said how much was, and nothing is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from records.model import Batch
from records.store import open_store
from records.store.contract import Commit
from tests.browser.waterworks import HOUR, MINUTE, NOW, activity, coverage, table
from tests.test_alert_page import drawings
from tests.test_dashboards import opened

if TYPE_CHECKING:
    from pathlib import Path

WEEK = 168 * HOUR
TOP = NOW - NOW % HOUR  # the store ends just before a full hour


def filled(where: Path, then: dict[str, int]) -> Path:
    """An hour of one sensor with 60 reads and 12 writes; a week earlier these sensors saw so many minutes of it, and a read and nothing else in each."""
    seen = coverage("SPAN-1", TOP - HOUR, TOP)
    acts = [activity(n, TOP - HOUR + n * MINUTE, "read") for n in range(60)] + [activity(100 + n, TOP - HOUR + n * MINUTE, "write") for n in range(12)]
    for place, (name, minutes) in enumerate(then.items()):
        seen += coverage(name, TOP - HOUR - WEEK, TOP - HOUR - WEEK + minutes * MINUTE)
        acts += [activity(1000 * (place + 1) + n, TOP - HOUR - WEEK + n * MINUTE, "read", **{"observer.name": name}) for n in range(minutes)]
    store = open_store(str(where), write=True)
    store.write(Commit(Batch(activities=table("activity", acts), coverage=table("coverage", seen))))
    store.close()
    return where


def told(where: Path, monkeypatch: pytest.MonkeyPatch, language: str, period: str = "1h") -> dict[str, Any]:
    """What the first of the charts is sent, which is by access."""
    return drawings(opened("situation", where, monkeypatch, lang=language, range=period), "access")[0]


def test_two_hours_that_were_seen_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = told(filled(tmp_path / "store", {"SPAN-1": 60}), monkeypatch, "en")
    rows = {row["access"]: (row["now"], row["was"], row["change"], row["strange"]) for row in data["rows"]}
    assert rows == {"read": (60, 60, "as a week ago", False), "write": (12, 0, "none a week ago", True)}
    assert data["keyWas"]
    assert data["note"] == "operations in this period against a week earlier"


@pytest.mark.parametrize(
    ("then", "language", "words"),
    [
        ({"SPAN-1": 3}, "en", "of 1 h, 1 h were seen now and 3 min then"),
        ({"SPAN-1": 3}, "zh", "1 小时中，本时段看到 1 小时，一周前看到 3 分钟"),
        ({"SPAN-1": 60, "SPAN-2": 60}, "en", "all sensors together saw 1 h now and 2 h then"),
        ({"SPAN-1": 60, "SPAN-2": 60}, "zh", "各探针合计，本时段看到 1 小时，一周前看到 2 小时"),
        ({}, "en", "nothing was seen a week earlier"),
    ],
)
def test_what_was_seen_too_differently_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: dict[str, int], language: str, words: str
) -> None:
    data = told(filled(tmp_path / "store", then), monkeypatch, language)
    assert words in data["note"]
    assert [(row["was"], row["wasText"], row["change"], row["strange"]) for row in data["rows"]] == [(None, "", "", False)] * 2
    assert not data["keyWas"]


def test_more_than_a_week_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = told(filled(tmp_path / "store", {"SPAN-1": 60}), monkeypatch, "en", "all")
    assert "longer than a week" in data["note"]
    assert all(row["was"] is None for row in data["rows"])
