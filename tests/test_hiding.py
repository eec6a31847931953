"""A suppression tried on history hides what it would have hidden live, and says which confirmed alerts nobody would have seen."""

from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from detectors.hiding import backtest
from detectors.rulebook.load import own_rules
from detectors.stating import stated
from detectors.suppressing import OFFERED
from detectors.suppressions import field_named
from records.model import Suppression
from records.nesting import values as plain_values
from records.query import Query
from records.schema import ACTIVITY, FINDING
from records.store import open_store
from records.store.contract import Change
from records.store.rows import suppression_row
from tests.cli import DEMO, balefire, lines, one, stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from records.model import Value
    from records.schema import Table
    from records.store.contract import Store


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
    english, chinese = (balefire("audit", "--store", place, "--language", language).stdout for language in ("en", "zh"))
    assert all(words in english for words in ("Owner: – → w", "Ends: – → ", "Hides where", "  rule: station-acts", "  effects: value.write"))
    assert all(words in chinese for words in ("负责人：– → w", "失效时间：– → ", "隐藏条件"))


def flat(store: Store, table: Table) -> list[dict[str, Any]]:
    """All rows of a table, under the schema's names."""
    rows = store.read(table.name, Query())
    columns = [plain_values(rows.column(field.name), field.type) for field in table.fields]
    return [dict(zip(table.names, row, strict=True)) for row in zip(*columns, strict=True)]


def conditions(random: Random, finding: dict[str, Any], acts: Mapping[str, dict[str, Any]]) -> dict[str, tuple[Value, ...]]:
    """Of some fields the values of one finding, at times with others beside them, in other letters, as a network, or values that it has not."""
    shown = [acts[each] for each in finding["activities"]]
    where: dict[str, tuple[Value, ...]] = {}
    for name in random.sample(OFFERED, random.randint(0, 5)):
        field, own = field_named(name)
        values: list[Any] = [value for row in ([finding] if own else shown) for value in (row[field.name] if field.many else [row[field.name]])]
        values += random.sample([None, "10.20.0.0/16" if field.type == "ip" else 3 if field.type in ("long", "double") else "other"], random.randint(0, 1))
        values = [value.upper() if isinstance(value, str) and random.random() < 0.2 else value for value in values]
        where[name] = tuple(dict.fromkeys(values)) if random.random() < 0.8 else tuple(values[-1:])
    return {name: values for name, values in where.items() if values} | {"rule": (finding["rule"], *(["unit-sweep"] if random.random() < 0.2 else []))}


def test_any_suppression_hides_live_what_the_back_test_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a replay, cut into many commits, with many suppressions in force for random times."""
    plain, random = open_store(str(stored()[0])), Random(6)
    findings, activities = (flat(plain, table) for table in (FINDING, ACTIVITY))
    acts = {row["id"]: row for row in activities}
    drawn = [random.choice(findings) for _ in range(60)]
    moments = [row["time"] + step for row in findings for step in (-1, 0, 1)]
    tried: list[Suppression] = []
    for number, each in enumerate(drawn):
        since, until = sorted(random.choices(moments, k=2))
        tried.append(Suppression(f"s{number}", "o", "r", since, until, conditions(random, each, acts)))
    store = open_store(str(tmp_path / "store"), write=True)
    rows = [{name: value for name, value in suppression_row(each).items() if name not in {"id", "revision"}} for each in tried]
    store.change([Change("suppression", each.id, None, "suppress", "w", row) for each, row in zip(tried, rows, strict=True)])
    store.close()
    monkeypatch.setattr("balefire.pipeline.COMMIT_ROWS", 20)
    one("replay", DEMO, "--store", tmp_path / "store")
    live = flat(open_store(str(tmp_path / "store")), FINDING)
    assert len(live) == len(findings)
    hidden = {each.id: {row["id"] for row in live if each.id in (row["suppressions"] or ())} for each in tried}
    assert {each.id: {fire.id for fire in backtest(plain, each, each.since, each.until).removed} for each in tried} == hidden
    assert 15 < sum(map(bool, hidden.values())) < len(tried), "some hide something, some nothing"


def test_one_thing_is_tried_at_a_time(place: Path, tmp_path: Path) -> None:
    assert balefire("rules", "backtest", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", tmp_path, "--suppression", "abc", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", tmp_path, "--widen", "ot.unit", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", "--suppression", "zzzz", "--store", place).exit_code == 1


def test_a_suppression_in_a_file_is_tried_as_the_one_that_it_was_printed_from(place: Path, tmp_path: Path) -> None:
    alert = max(alerts(place, "station-acts"), key=lambda row: row["count"])
    printed = one("suppress", alert["id"], "--reason", "r", "--by", "w", "--dry-run", "--store", place)
    wanted: dict[str, Any] = one("rules", "backtest", "--suppression", alert["id"], "--store", place) | {"elapsed_s": 0}
    plain = {"where": {name: values[0] if len(values) == 1 else values for name, values in printed["suppression"]["where"].items()}}
    for content in (printed, printed["suppression"], plain):
        (file := tmp_path / "draft.yml").write_text(json.dumps(content), "utf-8")
        assert one("rules", "backtest", file, "--store", place) | {"elapsed_s": 0} == wanted
    assert [(row["id"], row["hidden"], row["findings"]) for row in wanted["alerts"]] == [(alert["id"], alert["count"], alert["count"])]
    assert one("rules", "backtest", own_rules() / "control" / "station-acts.yml", "--store", place)["alerts"] is None


def test_alerts_that_would_be_hidden_are_named_those_confirmed_first(place: Path, tmp_path: Path) -> None:
    every = alerts(place, "station-acts")
    least = min(every, key=lambda row: (row["severity"], row["id"]))
    lines("alert", "close", least["id"], "--verdict", "true", "--by", "tester", "--store", place)
    (file := tmp_path / "wide.yml").write_text("where: {rule: [station-acts]}\n", "utf-8")
    told = one("rules", "backtest", file, "--store", place, status=1)
    assert len(every) > 1
    assert told["alerts"][0]["id"] == least["id"]
    assert {row["id"] for row in told["alerts"]} == {row["id"] for row in every}
    assert [row["id"] for row in told["lost_confirmed"]] == [least["id"]]
    words = balefire("rules", "backtest", file, "--store", place, "--language", "en").stdout.splitlines()
    at = words.index(f"Alerts that would be hidden, in whole or in part: {len(every)}")
    assert words[at + 1].startswith(f"  {least['id']}  ")
    assert "  true  " in words[at + 1]


@pytest.mark.parametrize(
    ("content", "line", "check"),
    [
        ("where:\n  source.ip: 10.0.0.1\n", 1, "suppression-anchor"),
        ("where: []\n", 1, "suppression-form"),
        ("suppression: 5\n", 1, "suppression-form"),
        ("where:\n  rule: station-acts\n  sorce.ip: 10.0.0.1\n", 3, "suppression-field"),
        ("where:\n  rule: station-acts\n  '@timestamp': 2026-01-01\n", 3, "suppression-field"),
        ("where:\n  rule: station-acts\n  source.ip:\n    - 10.0.0.1\n    - 10.0.0.256\n", 5, "suppression-value"),
        ("where:\n  rule: station-acts\n  source.ip: [10.0.0.0/8, 10.1.2.3/8]\n", 3, "cidr-bits"),
        ("where:\n  rule: station-acts\n  source.ip: [null, '::/0']\n", 3, "suppression-everything"),
        ("where:\n  detector: rules\n  source.ip: 10.0.0.1\n", 1, "suppression-anchor"),
        ("where:\n  rule: station-acts\n  ot.unit: {a: 1}\n", 3, "suppression-value"),
        ("where:\n  rule: station-acts\n  ot.unit: []\n", 3, "suppression-value"),
        ("where:\n  rule: station-acts\nwhom: x\n", 3, "suppression-key"),
        ("saved: true\nsuppression:\n  where: {rule: station-acts}\n  expires: 3d\n", 4, "suppression-key"),
        ("where: &a\n  rule: *a\n", 2, "alias"),
        ("where:\n  rule: station-acts\n  rule: two-versions\n", 3, "duplicate-key"),
    ],
)
def test_what_is_wrong_with_a_suppression_in_a_file_is_said_at_its_line(place: Path, tmp_path: Path, content: str, line: int, check: str) -> None:
    (file := tmp_path / "draft.yml").write_text(content, "utf-8")
    result = balefire("rules", "backtest", file, "--store", place, "--json", "--language", "zh")
    assert result.exit_code == 1
    assert f"{file}:{line}: " in result.stderr
    assert f"[{check}]" in result.stderr
    assert json.loads(result.stdout)["totals"] == {"added": 0, "removed": 0}
    if check == "suppression-anchor":
        words = balefire("rules", "backtest", file, "--store", place, "--language", "en").stdout
        assert words == "No suppression was tried, so nothing is known of what it would hide.\n", "nothing was looked at"


def test_a_rule_that_is_none_is_said_to_be_none(place: Path, tmp_path: Path) -> None:
    (file := tmp_path / "draft.yml").write_text("where:\n  rule: [station-act, station-acts]\n", "utf-8")
    result = balefire("rules", "backtest", file, "--store", place, "--language", "en")
    assert result.exit_code == 1
    assert "There is no rule “station-act”" in result.stderr
    assert "Did you mean: station-acts" in result.stderr
    assert "“station-acts”" not in result.stderr


def test_the_suppression_that_format_md_shows_is_one(tmp_path: Path) -> None:
    shown = re.findall(r"```suppression\n(.*?)```", (own_rules() / "FORMAT.md").read_text("utf-8"), re.DOTALL)
    assert len(shown) == 1
    (file := tmp_path / "draft.yml").write_text(shown[0], "utf-8")
    where, problems = stated(file)
    assert (problems, where and where["ot.object.name"]) == ([], (None,))
