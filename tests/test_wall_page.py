"""The wall screen: the same situation for a room; what it says of time is true of a recording, too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from dashboards import wall
from records.wording import LANGUAGES, say
from tests.browser import waterworks
from tests.cli import lines
from tests.test_alert_page import drawn
from tests.test_dashboards import HEADS, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_the_page_says(full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    on_wall = drawn(opened("situation", full, monkeypatch, lang=language, view="wall"), "wall")
    on_page = opened("situation", full, monkeypatch, lang=language)
    assert HEADS[language] in on_wall["sentence"].replace("\u200b", "")
    for name in ("level", "tag", "sentence"):
        assert on_wall[name] == drawn(on_page, "headline")[name]
    for name in ("bars", "sensors", "since", "until"):
        assert on_wall["time"][name] == drawn(on_page, "timeline")[name]
    worst = lines("alerts", "--store", full, "--where", "NOT status:closed", "--sort", "-severity", "--limit", wall.LISTED)
    assert [row["text"] for row in on_wall["list"]] == [row["title"][language] for row in worst]
    counted = {level: len(lines("alerts", "--store", full, "--where", f"NOT status:closed AND {where}")) for level, where in
               (("critical", "severity:>=80"), ("high", "severity:[60 TO 79]"))}  # fmt: skip
    assert [figure["value"] for figure in on_wall["figures"][:2]] == [str(counted["critical"]), str(counted["high"])]
    assert on_wall["figures"][4]["value"] == str(len(lines("assets", "--store", full)))


def test_a_recording_is_not_called_live(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = drawn(opened("situation", full, monkeypatch, lang="en", view="wall"), "wall")
    assert told["age"] == say("dashboard.wall.recorded", "en")
    assert told["clock"].startswith("21 Nov 2026, 19:12")
    monkeypatch.setattr(time, "time_ns", lambda: waterworks.NOW + 63_000_000_000)
    told = drawn(opened("situation", full, monkeypatch, lang="en", view="wall"), "wall")
    assert told["age"] == "newest packet 3 s ago"
    monkeypatch.setattr(time, "time_ns", lambda: waterworks.NOW - waterworks.HOUR)
    told = drawn(opened("situation", full, monkeypatch, lang="en", view="wall"), "wall")
    assert told["age"] == say("dashboard.wall.recorded", "en"), "a packet of the future is none of now"


def test_without_alerts_it_names_what_was_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = opened("situation", tmp_path / "store", monkeypatch, lang="zh", view="wall")
    assert "balefire replay" in drawn(nothing, "wall")["reason"], "as dark as ever, which hides all else"
    waterworks.fill_little(tmp_path / "store")
    told = drawn(opened("situation", tmp_path / "store", monkeypatch, lang="zh", view="wall"), "wall")
    assert told["list"] == []
    assert told["level"] == "none"
    assert told["figures"][0]["quiet"]
    assert told["sentence"]


def test_it_ends_with_the_session_though_it_runs_by_itself(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("situation", full, monkeypatch, lang="en", view="wall")
    assert drawn(page, "wall")
    monkeypatch.setattr(wall, "visitor", lambda: None)
    page.run(timeout=60)
    assert drawn(page, "headline")["sentence"] == say("dashboard.ended.sentence", "en")
    with pytest.raises((StopIteration, AssertionError, KeyError, ValueError, IndexError)):
        drawn(page, "wall")
