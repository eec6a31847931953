"""A suppression tried on history hides what it would have hidden live, and says which confirmed alerts nobody would have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import DEMO, balefire, lines, one

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    one("replay", DEMO, "--store", tmp_path / "store")
    return tmp_path / "store"


def alerts(place: Path, rule: str) -> list[dict[str, Any]]:
    return [row for row in lines("alerts", "--store", place) if row["key"].startswith(f"{rule}|")]


def test_what_it_hides_is_told_as_the_preview_tells_it(place: Path) -> None:
    alert = alerts(place, "station-acts")[0]
    told = one("rules", "backtest", "--suppression", alert["id"], "--store", place)
    seen = one("suppress", alert["id"], "--reason", "r", "--by", "w", "--dry-run", "--store", place)["preview"]
    assert told["totals"] == {"added": 0, "removed": seen["findings"]}
    assert seen["findings"] == alert["count"] == len(told["removed"])
    assert {fire["id"] for fire in told["removed"]} >= set(alert["findings"])
    assert sum(hour["removed"] for hour in told["hours"]) == seen["findings"]
    assert {hour["asset"] for hour in told["hours"]} <= set(alert["assets"])
    findings = [row for row in lines("findings", "--store", place) if row["rule"] == "station-acts"]
    assert (told["rules"], told["rows"], told["fires"]) == (["station-acts"], len(findings), len(findings) - seen["findings"])
    assert (told["added"], told["lost_confirmed"]) == ([], [])


def test_a_confirmed_alert_of_which_nothing_would_be_seen(place: Path) -> None:
    alert = next(row for row in alerts(place, "station-acts") if row["count"] > 2)
    lines("alert", "close", alert["id"], "--verdict", "true", "--by", "tester", "--store", place)
    told = one("rules", "backtest", "--suppression", alert["id"], "--store", place, status=1)
    assert [(lost["id"], lost["findings"]) for lost in told["lost_confirmed"]] == [(alert["id"], alert["count"])]
    words = balefire("rules", "backtest", "--suppression", alert["id"], "--store", place, "--language", "en").stdout
    assert words.startswith(f"▲ LOST: alert {alert['id']}")
    assert "would be hidden" in words.splitlines()[0]
    other = next(row for row in alerts(place, "file-written"))
    assert one("rules", "backtest", "--suppression", other["id"], "--store", place)["lost_confirmed"] == []


def test_wider_hides_more_and_times_hold(place: Path) -> None:
    alert = alerts(place, "station-acts")[0]
    fields = ("ot.value", "ot.object.name", "ot.object.first", "ot.object.last", "ot.unit", "event.action", "ot.code", "effects", "destination.ip")
    held = one("suppress", alert["id"], "--reason", "r", "--by", "w", "--dry-run", "--store", place)["suppression"]
    widen = [part for name in fields if name in str(held) for part in ("--widen", name)]
    narrow = one("rules", "backtest", "--suppression", alert["id"], "--store", place)["totals"]["removed"]
    wide = one("rules", "backtest", "--suppression", alert["id"], *widen, "--store", place)
    assert wide["totals"]["removed"] > narrow
    before = one("rules", "backtest", "--suppression", alert["id"], *widen, "--until", wide["removed"][-1]["time"], "--store", place)
    assert 0 < before["totals"]["removed"] < wide["totals"]["removed"]


def test_a_stored_suppression_and_what_is_hidden_already(place: Path) -> None:
    alert = alerts(place, "station-acts")[0]
    made = one("suppress", alert["id"], "--reason", "r", "--by", "w", "--store", place)["suppression"]["id"]
    told = one("rules", "backtest", "--suppression", made, "--store", place)
    assert told["totals"]["removed"] == alert["count"]


def test_one_thing_is_tried_at_a_time(place: Path, tmp_path: Path) -> None:
    assert balefire("rules", "backtest", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", tmp_path, "--suppression", "abc", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", tmp_path, "--widen", "ot.unit", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", "--suppression", "zzzz", "--store", place).exit_code == 1
