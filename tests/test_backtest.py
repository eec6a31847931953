"""A back-test gives exactly what judging live gives: the same rules on the same rows, however they were cut, stored and merged."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import backtest as testing
from detectors.alerts import fold
from detectors.backtest import alternatives, backtest, period
from detectors.lint import lint
from detectors.methods.rules import Rules
from detectors.rulebook import versions
from detectors.rulebook.books import Change, draft
from detectors.rulebook.conversion import narrowed
from detectors.rulebook.correlate import correlation_rule
from detectors.rulebook.correlation import KINDS
from detectors.rulebook.document import read
from detectors.rulebook.load import Rulebook, load, own_rules
from detectors.rulebook.reading import Reading
from detectors.rulebook.rule import Adjustment
from records.errors import UsageError
from records.model import Batch
from records.query import Query
from records.schema import POINT, arrow_schema
from records.search import EVERYTHING
from records.store import open_store
from records.store.contract import Commit
from tests.cli import DEMO, balefire, lines, one, stored
from tests.examples import as_many
from tests.frames import activities, sparse
from tests.test_conversion import data, detections, predicate
from tests.test_correlations import Alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from detectors.rulebook.rule import Rule
    from records.model import Finding
    from records.store.contract import Store

BOOK = load([own_rules()])
BY_ID = {rule.id: rule for rule in BOOK.rules}
SECOND = 10**9
RULE = """\
title: "{{source}} and {{destination}}"
title_zh: "{{source}} 与 {{destination}}"
id: {name}
status: experimental
description: Why.
description_zh: 原因。
tags:
  - attack.t0836
{body}
level: medium
misses:
  - {{en: Much., zh: 很多。}}
respond:
  - {{en: Ask., zh: 询问。}}
tests:
  fires: [{fires}]
  quiet: [{{}}]
"""
SINGLE = """\
logsource:
  product: balefire
detection:
  sel: {selection}
  condition: sel"""
CORRELATED = """\
correlation:
  type: {kind}
  rules: [part{more}]
  group-by: [{group}]
  timespan: {span}
  condition: {condition}"""
PART = """
---
name: {name}
logsource:
  product: balefire
detection:
  sel: {selection}
  condition: sel
"""


def single(folder: Path, name: str, selection: str, fires: str) -> Path:
    """A rule file on single rows."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text(RULE.format(name=name, body=SINGLE.format(selection=selection), fires=fires))
    return file


def live(rules: Sequence[Rule], table: pa.Table, cuts: Sequence[int]) -> dict[str, Finding]:
    """The findings that judging gives, by identity, one history an observer, cut so."""
    found: dict[str, Finding] = {}
    for observer in sorted({str(name) for name in table.column("observer.name").to_pylist()}):
        own = table.filter([name == observer for name in table.column("observer.name").to_pylist()])
        detector = Rules(Rulebook(tuple(rules), (), 0, 0, ()), {})
        ends = sorted({min(cut, own.num_rows) for cut in cuts} | {own.num_rows})
        for start, end in zip([0, *ends], ends, strict=False):
            found |= {finding.id: finding for finding in detector.judge(Batch(activities=own.slice(start, end - start)))}
    return found


def kept(folder: Path, table: pa.Table, cuts: Sequence[int]) -> Store:
    """A store that holds the rows, committed so."""
    store = open_store(str(folder), write=True)
    ends = sorted({min(cut, table.num_rows) for cut in cuts} | {table.num_rows})
    for start, end in zip([0, *ends], ends, strict=False):
        store.write(Commit(Batch(activities=table.slice(start, end - start))))
    return store


def agrees(store: Store, rules: Sequence[tuple[Rule | None, Rule | None]], table: pa.Table, cuts: Sequence[int]) -> testing.Result:
    """The back-test's result, which judging live confirms to the finding."""
    changes = [Change((before or after).id, before, after) for before, after in rules if before or after]  # type: ignore[union-attr]
    result = backtest(store, changes, 0, 1 << 62)
    before, after = ({each for rule in some if rule for each in live([rule], table, cuts)} for some in zip(*rules, strict=True))
    assert {fire.id for fire in result.added} == after - before
    assert {fire.id for fire in result.removed} == before - after
    assert (result.fires, result.added_total, result.removed_total) == (len(after), len(after - before), len(before - after))
    assert sum(hour.added for hour in result.hours) == result.added_total
    assert sum(hour.removed for hour in result.hours) == result.removed_total
    return result


# ---- random rules on odd rows -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd() -> pa.Table:
    return sparse({**row, "observer.name": "one"} for row in data())


@pytest.fixture(scope="module")
def odd_store(tmp_path_factory: pytest.TempPathFactory, odd: pa.Table) -> Iterator[Store]:
    store = kept(tmp_path_factory.mktemp("odd") / "store", odd, (100, 101, 300))
    yield store
    store.close()


@settings(max_examples=as_many(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detections(), detections(), st.booleans())
def test_random_rules_on_odd_rows(odd: pa.Table, odd_store: Store, old: dict[str, Any], new: dict[str, Any], fresh: bool) -> None:
    model = BY_ID["controller-stopped"]
    before, after = (replace(model, id="drawn", match=predicate(names), fields=frozenset()) for names in (old, new))
    agrees(odd_store, [(None if fresh else before, after)], odd, (7, 250))


# ---- correlations: the order of release, histories of several observers, late rows -------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> tuple[pa.Table, list[int]]:
    """Some minutes of two observers in the order of release, which is not the order of times; and where to cut them."""
    random = Random(draw(st.integers(0, 2**32)))
    rows: list[dict[str, Any]] = []
    for number in range(draw(st.integers(20, 120))):
        time = 1_772_323_200 * SECOND + number * random.choice((1, 5, 20)) * SECOND - random.choice((0, 0, 0, 70, 300)) * SECOND
        grouped = random.random() < 0.3
        rows.append({
            "id": f"row-{number:04}", "@timestamp": time, "event.start": time, "event.end": time + (59 * SECOND if grouped else 0), "ot.grouped": grouped,
            "observer.name": random.choice(("north", "south")), "source.ip": f"10.0.0.{random.randrange(3)}", "destination.ip": f"10.0.1.{random.randrange(3)}",
            "ot.effect": random.choice(("value.write", "cpu.stop", "value.read")), "ot.access": "write", "ot.count": random.choice((1, 2, 30)),
            "ot.value": random.choice((1.0, 5.0, None)), "network.protocol": random.choice(("modbus", "s7comm")),
        })  # fmt: skip
    cuts = draw(st.lists(st.integers(1, len(rows)), max_size=5))
    return sparse(rows), cuts


def correlation(folder: Path, name: str, random: Random, part: str = PART.format(name="part", selection="{ot.effect: value.write}")) -> Rule:
    """A random correlation of two parts, of any type."""
    kind = random.choice(KINDS)
    condition = {
        "value_count": f"{{field: destination.ip, gte: {random.randint(2, 3)}}}",
        "value_sum": f"{{field: ot.value, gte: {random.choice((3, 10))}}}",
        "value_avg": f"{{field: ot.value, gte: {random.choice((2, 4))}}}",
        "value_median": f"{{field: ot.value, gte: {random.choice((2, 4))}}}",
        "value_percentile": f"{{field: ot.value, percentile: {random.choice((10, 90))}, gte: 4}}",
        "event_count": f"{{gte: {random.choice((2, 4, 40))}}}",
    }.get(kind)
    body = CORRELATED.format(
        kind=kind,
        more=", other" if kind.startswith("temporal") else random.choice(("", ", other")),
        group=random.choice(("source.ip", "source.ip, destination.ip", "network.protocol")),
        span=random.choice(("30s", "2m", "10m")),
        condition=condition or "{}",
    )
    body = body.replace("\n  condition: {}", "") if condition is None else body
    parts = part + PART.format(name="other", selection="{ot.effect: cpu.stop}")
    text = RULE.format(name=name, body=body, fires="{}").split("tests:")[0] + "tests:\n  fires: [{}]\n  quiet: [{}]\n" + parts
    file = folder / f"{name}.yml"
    file.write_text(text)
    return _unchecked(file)


def _unchecked(file: Path) -> Rule:
    """The rule of a file, whatever its cases say."""

    reading = Reading(str(file), read(file.read_bytes()), file.stem)
    rule = correlation_rule(reading, Alone())
    assert rule is not None, [fault for _, fault in reading.faults]
    assert rule.correlation is not None
    return rule


@settings(max_examples=as_many(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(0, 2**32))
def test_correlations_see_rows_as_they_were_released(tmp_path_factory: pytest.TempPathFactory, history: tuple[pa.Table, list[int]], seed: int) -> None:
    table, cuts = history
    folder = tmp_path_factory.mktemp("history")
    random = Random(seed)
    store = kept(folder / "store", table, cuts)
    try:
        for _ in range(6):
            before, after = (correlation(folder, "drawn", random) for _ in range(2))
            agrees(store, [(random.choice((None, before)), after)], table, cuts[:1])
    finally:
        store.close()


NESTED = """
---
name: part
correlation:
  type: event_count
  rules: [wrote]
  group-by: [source.ip]
  timespan: 30s
  condition: {gte: 2}
"""


@settings(max_examples=as_many(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(0, 2**32))
def test_a_time_that_begins_in_the_middle(tmp_path_factory: pytest.TempPathFactory, history: tuple[pa.Table, list[int]], seed: int) -> None:
    """What went on then was found when it was found, whatever the back-test could make of the rows that it reads."""
    table, cuts = history
    folder, random = tmp_path_factory.mktemp("middle"), Random(seed)
    rules = [correlation(folder, f"drawn-{number}", random) for number in range(5)]
    rules.append(correlation(folder, "nested", random, NESTED + PART.format(name="wrote", selection="{ot.effect: value.write}")))
    goes_on(folder / "store", rules, table, cuts, random.sample(times(table), 4), random)


def goes_on(place: Path, rules: Sequence[Rule], table: pa.Table, cuts: Sequence[int], begin: Sequence[int], random: Random) -> dict[str, int]:
    """The findings of a store that judged by these rules and when each was completed. A back-test that begins at any of these times counts those after it."""
    stored = {each: finding for rule in rules for each, finding in live([rule], table, cuts).items()}
    store = kept(place, table, cuts)
    folded = fold(list(stored.values()), ())
    store.write(Commit(findings=folded.findings, alerts=folded.alerts))
    changes = [Change(rule.id, *random.choice(((rule, None), (None, rule)))) for rule in rules]

    def counted(since: int) -> dict[str, int]:
        return {fire.id: fire.time for result in alternatives(store, changes, since, 1 << 62) for fire in (*result.added, *result.removed)}

    try:
        whole = counted(0)
        assert whole.keys() == stored.keys()
        for since in begin:
            assert counted(since) == {each: time for each, time in whole.items() if time >= since}
    finally:
        store.close()
    return whole


@pytest.mark.parametrize(
    ("least", "seconds", "begins", "fires"),
    [
        (2, range(0, 1200, 7), (100, 333, 500, 900), 10),  # it goes on all the time
        (2, (40, 0, 130), (20, 100), 1),  # the window ends after the row that completes it, and keeps quiet until 160
        (3, (50, 0, 60), (40,), 1),  # what comes late is of before, and counts
    ],
)
def test_a_back_test_knows_what_was_before(tmp_path: Path, least: int, seconds: Sequence[int], begins: Sequence[int], fires: int) -> None:
    table = writes(seconds)
    counting(tmp_path / "many.yml", least, "2m")
    start = min(times(table))
    found = goes_on(tmp_path / "store", [_unchecked(tmp_path / "many.yml")], table, (), [start + second * SECOND for second in begins], Random(0))
    assert len(found) == fires


def test_correlations_of_correlations_are_judged_from_the_first_row(tmp_path: Path) -> None:
    """What the inner ones found nobody has kept."""
    body = CORRELATED.format(kind="event_count", more="", group="source.ip", span="2m", condition="{gte: 3}")
    text = RULE.format(name="nested", body=body, fires="").split("tests:")[0] + NESTED + PART.format(name="wrote", selection="{ot.access: write}")
    (tmp_path / "nested.yml").write_text(text)
    table = writes(range(0, 1200, 7))
    found = goes_on(tmp_path / "store", [_unchecked(tmp_path / "nested.yml")], table, (), times(table)[20::31], Random(0))
    assert len(found) > 5


def test_a_time_that_ends_before_a_late_row_came(tmp_path: Path) -> None:
    """A row after its end came first, and keeps quiet what the late one would complete."""
    table = writes((70, 110, 60))
    store = kept(tmp_path / "store", table, ())
    counting(tmp_path / "many.yml", 2)
    change = Change("many", None, _unchecked(tmp_path / "many.yml"))
    first, last, late = times(table)
    assert [backtest(store, [change], late, until).fires for until in (first + 1, last + 1)] == [0, 1]
    store.close()


def test_rules_on_points(tmp_path: Path) -> None:
    points = pa.Table.from_pylist(
        [
            {"id": f"p{number}", "@timestamp": number * SECOND, "destination.ip": f"10.0.0.{number % 2}", "observer.name": "one", "ot.point.max": 1e6 + number}
            for number in range(40)
        ],
        schema=arrow_schema(POINT),
    )
    store = open_store(str(tmp_path / "store"), write=True)
    store.write(Commit(Batch(points=points)))
    high, higher = (_point_rule(tmp_path, 1_000_000 + limit) for limit in (10, 30))
    result = backtest(store, [Change("high", high, higher)], 0, 1 << 62)
    store.close()
    judged = [{finding.id for finding in Rules(Rulebook((rule,), (), 0, 0, ()), {}).judge(Batch(points=points))} for rule in (high, higher)]
    assert {fire.id for fire in result.removed} == judged[0] - judged[1]
    assert (result.fires, result.removed_total, result.rows, {fire.asset for fire in result.removed}) == (10, 20, 40, {"10.0.0.0", "10.0.0.1"})


def _point_rule(folder: Path, limit: int) -> Rule:
    body = SINGLE.format(selection=f"{{ot.point.max|gte: {limit}}}").replace("product: balefire", "product: balefire\n  category: point")
    text = RULE.format(name="high", body=body, fires=f"{{ot.point.max: {limit}}}").replace("{source} and ", "").replace("{source} 与 ", "")
    file = folder / "high.yml"
    file.write_text(text)
    book = load([file])
    assert book.rules, book.problems
    return book.rules[0]


# ---- the command --------------------------------------------------------------------------------------------------------------------------------


def found(store: Path, rule: str) -> list[str]:
    return sorted(row["id"] for row in lines("findings", "--store", store, "--where", f'rule:"{rule}"', "--limit", 10_000))


def test_a_new_rule_gives_what_a_replay_with_it_gives(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    single(rules, "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    body = CORRELATED.format(kind="event_count", more="", group="source.ip", span="5m", condition="{gte: 3}")
    cases = "tests:\n  fires:\n    - [{ot.effect: value.write, ot.count: 3}]\n  quiet: [{}]\n"
    text = RULE.format(name="many", body=body, fires="").split("tests:")[0] + cases + PART.format(name="part", selection="{ot.access: write}")
    (rules / "many.yml").write_text(text)
    one("replay", DEMO, "--store", tmp_path / "plain")
    one("replay", DEMO, "--store", tmp_path / "ruled", "--rules", rules)
    told = one("rules", "backtest", rules, "--store", tmp_path / "plain")
    ruled = sorted([*found(tmp_path / "ruled", "acted"), *found(tmp_path / "ruled", "many")])
    assert len(ruled) == told["fires"] > 5
    assert sorted(fire["id"] for fire in told["added"]) == ruled
    assert (told["removed"], told["lost_confirmed"], told["rules"]) == ([], [], ["acted", "many"])
    assert told["totals"] == {"added": len(ruled), "removed": 0}
    assert {"asset", "hour", "rule", "added", "removed"} == set(told["hours"][0])
    again = one("rules", "backtest", rules, "--store", tmp_path / "ruled")
    assert (again["fires"], again["added"], again["removed"]) == (told["fires"], [], [])


def test_a_changed_rule_is_compared_with_the_one_that_judged(tmp_path: Path) -> None:
    """Also where it was changed in its place: the store has kept what judged."""
    rules = tmp_path / "rules"
    file = single(rules, "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    one("replay", DEMO, "--store", tmp_path / "store", "--rules", rules)
    before = found(tmp_path / "store", "acted")
    single(rules, "acted", "{ot.access: write, ot.unit: 1}", "{ot.effect: value.write}")
    told = one("rules", "backtest", file, "--store", tmp_path / "store")
    assert 0 < told["fires"] < len(before)
    assert len(told["removed"]) == len(before) - told["fires"] == told["totals"]["removed"]
    assert {fire["id"] for fire in told["removed"]} < set(before)
    assert told["added"] == []


def test_what_only_weighs_or_folds_otherwise_is_said(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    file = single(rules, "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    one("replay", DEMO, "--store", tmp_path / "store", "--rules", rules)
    before = lines("findings", "--store", tmp_path / "store", "--where", "rule:acted", "--limit", 10_000)
    text = file.read_text()
    told = one("rules", "backtest", file, "--store", tmp_path / "store")
    assert (told["fires"], told["moved"], told["rekeyed"]) == (len(before), 0, 0)
    file.write_text(text.replace("level: medium", "level: high"))
    told = one("rules", "backtest", file, "--store", tmp_path / "store")
    assert (told["fires"], told["moved"], told["rekeyed"], told["totals"]) == (len(before), len(before), 0, {"added": 0, "removed": 0})
    score = "score:\n  - {when: {ot.effect: value.write}, value: 7, en: a, zh: 一}\n"
    file.write_text(f"{text}key: [source.ip]\n{score}")
    told = one("rules", "backtest", file, "--store", tmp_path / "store")
    written = sum("value.write" in row["effects"] for row in before)
    assert 0 < written < len(before)
    assert (told["moved"], told["rekeyed"]) == (written, len(before))
    for language, words in (("en", f"another severity: {written}."), ("zh", f"归并键不同、将归入其他告警：{len(before)} 次")):
        assert words in balefire("rules", "backtest", file, "--store", tmp_path / "store", "--language", language).stdout
    one("replay", DEMO, "--store", tmp_path / "store2", "--rules", rules)  # and live it is so
    after = {row["id"]: row["severity"] for row in lines("findings", "--store", tmp_path / "store2", "--where", "rule:acted", "--limit", 10_000)}
    assert sum(after[row["id"]] != row["severity"] for row in before) == written


def test_a_correlation_that_only_weighs_otherwise_is_said(tmp_path: Path) -> None:
    rows = activities(*({"@timestamp": f"2026-03-01T00:00:0{second}Z", "ot.effect": "cpu.stop", "ot.unit": 9, "observer.name": "one"} for second in range(5)))
    store = kept(tmp_path / "store", rows, ())
    body = CORRELATED.format(kind="event_count", more="", group="source.ip", span="5m", condition="{gte: 3}")
    text = RULE.format(name="many", body=body, fires="").split("tests:")[0] + PART.format(name="part", selection="{ot.effect: cpu.stop}")
    (tmp_path / "many.yml").write_text(text)
    rule = _unchecked(tmp_path / "many.yml")
    weighed = replace(rule, adjustments=(Adjustment(rule.title, 9.0, predicate({"sel": {"ot.unit": 9}, "condition": "sel"})),))
    results = [backtest(store, [Change("many", rule, other)], 0, 1 << 62) for other in (rule, weighed, replace(rule, level="high"), replace(rule, key=()))]
    assert [(result.fires, result.moved, result.rekeyed) for result in results] == [(1, 0, 0), (1, 1, 0), (1, 1, 0), (1, 0, 1)]
    store.close()


def test_a_filter_changes_the_rules_that_it_narrows(tmp_path: Path) -> None:
    place, _ = stored()
    file = tmp_path / "known-station.yml"
    file.write_text("""\
title: Not from the engineering station
title_zh: 不含工程师站
id: known-station
description: It is known.
description_zh: 已知。
logsource: {product: balefire}
filter:
  rules: [station-acts, file-written]
  station: {source.ip: 10.20.1.66}
  condition: not station
tests:
  keeps: [{}]
  drops: [{source.ip: 10.20.1.66}]
""")
    told = one("rules", "backtest", file, "--store", place)
    assert set(told["rules"]) == {"station-acts", "file-written"}
    assert {fire["source"] for fire in told["removed"]} == {"10.20.1.66"}
    assert told["removed"]
    assert {fire["id"] for fire in told["removed"]} <= {*found(place, "station-acts"), *found(place, "file-written")}


def zoned(folder: Path, zones: int) -> Path:
    """A policy of so many zones without a conduit but one: a rule for each pair of them and the outside, less that one's."""
    members = "".join(f"  z{number}: {{members: [10.20.1.{16 * number}/28]}}\n" for number in range(zones))
    file = folder / "policy.yml"
    file.write_text(f"policy: zoned\nzones:\n{members}conduits:\n  - {{from: z1, to: z0, access: [read]}}\n")
    return file


def test_a_policy_in_force_stays_out_of_the_back_test_of_another_rule(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    policy = zoned(rules, 5)
    assert len(load([policy]).rules) == 30
    file = single(tmp_path / "draft", "wrote", "{ot.effect: value.write}", "{ot.effect: value.write}")
    one("replay", DEMO, "--store", tmp_path / "store", "--rules", rules)
    assert any(row["rule"].startswith("zoned-") for row in lines("findings", "--store", tmp_path / "store"))
    told = one("rules", "backtest", file, "--store", tmp_path / "store")
    plain = one("rules", "backtest", file, "--store", stored()[0])
    assert told["rules"] == ["wrote"]
    assert (told["fires"], told["added"], told["removed"]) == (plain["fires"], plain["added"], [])
    assert told["fires"] > 0
    again = balefire("rules", "backtest", policy, "--store", tmp_path / "store", "--language", "en")
    assert again.exit_code == 1
    assert f"{policy}: it changes no rule that is in force; not tried." in again.stderr
    (tmp_path / "empty").mkdir()
    empty = balefire("rules", "backtest", tmp_path / "empty", "--store", tmp_path / "store", "--language", "en")
    assert (empty.exit_code, "there is nothing to try" in empty.stderr) == (1, True)
    assert empty.stdout.splitlines() == ["No rule was tried, so nothing is known of what would change."]


def test_the_rules_of_a_policy_narrow_what_is_read(tmp_path: Path) -> None:
    """As those of files do, and whole they are queries of another store."""
    rules = load([zoned(tmp_path, 5)]).rules
    assert [rule.id for rule in rules if narrowed(rule)[0] == EVERYTHING] == []
    assert {field for rule in rules for field in narrowed(rule)[1]} == {"source.ip", "destination.ip", "ot.access"}
    found = one("rules", "convert", tmp_path)
    assert (len(found["converted"]), found["refused"]) == (30, [])


def test_of_very_many_rules_the_first_are_named(tmp_path: Path) -> None:
    """A policy becomes a rule for each pair of its zones; --json has all of them."""
    policy, place = zoned(tmp_path, 5), stored()[0]
    said = balefire("rules", "backtest", policy, "--store", place, "--language", "en").stdout
    looked = next(line for line in said.splitlines() if "judged again" in line)
    assert looked.endswith(", and 18 more")
    assert looked.count("zoned-") == 12
    assert len(one("rules", "backtest", policy, "--store", place)["rules"]) == 30


def test_only_the_time_that_is_asked_for(tmp_path: Path) -> None:
    place, _ = stored()
    file = single(tmp_path / "rules", "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    whole = one("rules", "backtest", file, "--store", place)
    middle = sorted(fire["time"] for fire in whole["added"])[len(whole["added"]) // 2]
    parts = [one("rules", "backtest", file, "--store", place, *words) for words in (("--until", middle), ("--since", middle))]
    assert [part["fires"] for part in parts] == [sum(fire["time"] < middle for fire in whole["added"]), sum(fire["time"] >= middle for fire in whole["added"])]
    assert parts[0]["until"] == parts[1]["since"] == middle
    assert sum(part["rows"] for part in parts) == whole["rows"]


def test_thirty_days_before_the_newest_packet(tmp_path: Path) -> None:
    rows = activities(*({"@timestamp": f"2026-{month}-01T00:00:00Z", "ot.effect": "cpu.stop", "observer.name": "one"} for month in ("01", "03")))
    store = kept(tmp_path / "store", rows, ())
    since, until = period(store, None, None)
    assert until == (store.newest() or 0) + 1
    assert until - since == 30 * 86_400 * SECOND
    assert backtest(store, [Change("controller-stopped", None, BY_ID["controller-stopped"])], since, until).fires == 1
    assert period(store, 5, 9) == (5, 9)
    store.close()


def test_what_is_listed_is_bounded_and_all_is_counted(monkeypatch: pytest.MonkeyPatch, odd: pa.Table, odd_store: Store) -> None:
    monkeypatch.setattr(testing, "LISTED", 10)
    rule = replace(BY_ID["controller-stopped"], id="drawn", match=predicate({"sel": {"ot.access": ["read", "write"]}, "condition": "sel"}))
    result = backtest(odd_store, [Change("drawn", None, rule)], 0, 1 << 62)
    assert len(result.added) == 10
    assert result.fires == result.added_total == len(live([rule], odd, ())) > 100
    assert [fire.time for fire in result.added] == sorted(fire.time for fire in result.added)
    first = min(fire.time for fire in result.added)
    assert first == min(row["@timestamp"] for row in data() if row.get("ot.access") in {"read", "write"})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_told_in_both_languages(tmp_path: Path, language: str) -> None:
    place, _ = stored()
    file = single(tmp_path / "rules", "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    told = one("rules", "backtest", file, "--store", place)
    result = balefire("rules", "backtest", file, "--store", place, "--language", language)
    assert result.exit_code == 0
    assert str(told["fires"]) in result.stdout
    assert ("新增" if language == "zh" else "Added") in result.stdout
    names = {row["id"]: row["name"] for row in lines("assets", "--store", place)}
    for asset in {fire["asset"] for fire in told["added"]}:
        assert names.get(asset, asset) in result.stdout
        assert asset not in names or asset not in result.stdout  # a digest tells nobody anything
    assert any(cell in result.stdout for cell in "▁▂▃▄▅▆▇█")


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    place, _ = stored()
    rules = tmp_path / "rules"
    single(rules, "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    bad = single(rules, "bad", "{ot.acess: write}", "{ot.effect: value.write}")
    result = balefire("rules", "backtest", rules, "--store", place, "--json")
    assert result.exit_code == 1
    assert f"{bad}:12: " in result.stderr
    assert json.loads(result.stdout)["rules"] == ["acted"]
    assert balefire("rules", "backtest", tmp_path / "nowhere", "--store", place).exit_code == 2
    assert balefire("rules", "backtest", rules, "--store", tmp_path / "none").exit_code == 2
    assert balefire("rules", "backtest", rules, "--store", place, "--since", "yesterday").exit_code == 2
    late = balefire("rules", "backtest", rules, "--store", place, "--since", "2127-01-01")
    assert (late.exit_code, "2127-01-01" in late.stderr) == (2, True), "a time that nothing is stored of does not run backwards"


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_tried(tmp_path: Path) -> None:
    """Reading the memory of a process at 0 is an input or output error, as a broken disk gives it."""
    place, _ = stored()
    rules = tmp_path / "rules"
    single(rules, "acted", "{ot.access: [write, command]}", "{ot.effect: value.write}")
    broken = rules / "broken.yml"
    broken.symlink_to("/proc/self/mem")
    for path, tried in ((rules, ["acted"]), (broken, [])):
        result = balefire("rules", "backtest", path, "--store", place, "--json")
        assert result.exit_code == 1
        assert f"{broken}:1: The file cannot be read: Input/output error. Put a copy that can be read in its place" in result.stderr
        assert json.loads(result.stdout)["rules"] == tried
    checked = balefire("policy", "check", broken)
    assert (checked.exit_code, f"{broken}:1: The file cannot be read" in checked.stdout) == (1, True)


def test_what_is_neither_a_file_nor_a_directory_is_not_read(tmp_path: Path) -> None:
    """It may never end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe"):
        draft(tmp_path / "pipe", versions.read([]))
    with pytest.raises(FileNotFoundError):
        versions.read([tmp_path / "pipe"])
    (tmp_path / "link.yml").symlink_to("/nowhere")
    for name in ("pipe.yml", "placeholders.yml"):
        os.mkfifo(tmp_path / name)
    assert {*draft(tmp_path, versions.read([])).problems} == {*lint(tmp_path).problems}, "in a directory, as the linter says it"
    assert {problem.check for problem in lint(tmp_path).problems} == {"no-file"}


def test_a_draft_that_puts_another_rule_out_of_force_says_so(tmp_path: Path) -> None:
    """Balefire's correlation of refused logins cannot look at points."""
    file = single(tmp_path / "a", "login-refused", "{ot.point.max|gt: 90}", "{ot.point.max: 91}")
    file.write_text(file.read_text("utf-8").replace("product: balefire", "product: balefire\n  category: point").replace("{source}", "{destination}"), "utf-8")
    drafted = draft(file, versions.read([]))
    assert {problem.rule for problem in drafted.problems} == {"password-guessing"}
    assert [change.id for change in drafted.changes if change.after is None] == ["password-guessing"]


def test_a_rule_that_is_no_longer_there_is_not_taken_away(tmp_path: Path) -> None:
    """A draft adds and changes; what it does not name stays."""
    version = versions.read([single(tmp_path / "a", "one-rule", "{ot.access: write}", "{ot.effect: value.write}")])
    other = single(tmp_path / "b", "other-rule", "{ot.access: write}", "{ot.effect: value.write}")
    drafted = draft(other, version)
    assert [(change.id, change.before is None, change.after is None) for change in drafted.changes] == [("other-rule", True, False)]
    assert drafted.problems == ()


def test_format_md_names_commands_that_there_are() -> None:
    from balefire.commands.rulebook import rulebook

    named = set(re.findall(r"`balefire rules (\w+)", (own_rules() / "FORMAT.md").read_text("utf-8")))
    assert named <= set(rulebook.commands)
    assert {"backtest", "versions", "rollback", "convert"} <= named


FILTER = """\
title: Not from the engineering station
title_zh: 不含工程师站
id: known-station
description: It is known.
description_zh: 已知。
logsource: {product: balefire}
filter:
  rules: [file-written]
  station: {source.ip: 10.20.1.66}
  condition: not station
tests:
  keeps: [{}]
  drops: [{source.ip: 10.20.1.66}]
"""


def test_a_confirmed_alert_that_would_be_lost_is_said_first(tmp_path: Path) -> None:
    place = tmp_path / "store"
    one("replay", DEMO, "--store", place)
    filed = [row for row in lines("alerts", "--store", place) if row["key"].startswith("file-written|")]
    assert filed
    for row in filed:
        lines("alert", "close", row["id"], "--verdict", "true", "--by", "tester", "--note", "Confirmed.", "--store", place)
    file = tmp_path / "known-station.yml"
    file.write_text(FILTER)
    told = one("rules", "backtest", file, "--store", place, status=1)
    assert [lost["id"] for lost in told["lost_confirmed"]] == [row["id"] for row in filed if "10.20.1.66" in row["key"]]
    assert told["lost_confirmed"][0]["findings"] == filed[0]["count"]
    assert told["totals"]["removed"] >= filed[0]["count"]
    said = balefire("rules", "backtest", file, "--store", place, "--language", "en").stdout
    assert said.startswith(f"▲ LOST: alert {filed[0]['id']}")
    assert filed[0]["title"]["en"] in said.splitlines()[0]
    narrower = FILTER.replace("10.20.1.66", "10.20.1.66\n    destination.ip: 10.20.9.9".replace("\n    ", ", "))
    file.write_text(narrower)
    assert one("rules", "backtest", file, "--store", place)["lost_confirmed"] == []


def test_what_is_left_of_an_alert_keeps_it(tmp_path: Path) -> None:
    """Of an alert with several findings, some of which would still be made, nothing is lost."""
    place = tmp_path / "store"
    one("replay", DEMO, "--store", place)
    alert = next(row for row in lines("alerts", "--store", place) if row["key"].startswith("station-acts|") and row["count"] > 2)
    lines("alert", "close", alert["id"], "--verdict", "true", "--by", "tester", "--note", "Confirmed.", "--store", place)
    first = alert["first"]
    file = tmp_path / "known-station.yml"
    text = FILTER.replace("file-written", "station-acts").replace("source.ip: 10.20.1.66", "ot.effect: output.operate")
    file.write_text(text)
    told = one("rules", "backtest", file, "--store", place)
    assert told["totals"]["removed"] > 0
    assert told["fires"] > 0
    assert told["lost_confirmed"] == []
    assert first <= told["removed"][0]["time"]


def test_a_confirmed_alert_of_a_correlation_without_a_group_is_found(tmp_path: Path) -> None:
    file, place = tmp_path / "many.yml", tmp_path / "store"

    def written(least: int) -> None:
        body = CORRELATED.replace("  group-by: [{group}]\n", "").format(kind="event_count", more="", span="5m", condition=f"{{gte: {least}}}")
        cases = f"tests:\n  fires:\n    - [{{ot.effect: value.write, ot.count: {least}}}]\n  quiet: [{{}}]\n"
        file.write_text(RULE.format(name="many", body=body, fires="").split("tests:")[0] + cases + PART.format(name="part", selection="{ot.access: write}"))

    written(3)
    one("replay", DEMO, "--store", place, "--rules", file)
    (alert,) = (row for row in lines("alerts", "--store", place) if row["key"] == "many")
    lines("alert", "close", alert["id"], "--verdict", "true", "--by", "tester", "--note", "Confirmed.", "--store", place)
    written(1_000_000)
    assert [lost["id"] for lost in one("rules", "backtest", file, "--store", place, status=1)["lost_confirmed"]] == [alert["id"]]


def closed(place: Path, key: str) -> dict[str, Any]:
    """The alert of this key, confirmed as true."""
    (alert,) = (row for row in lines("alerts", "--store", place) if row["key"] == key)
    (row,) = lines("alert", "close", alert["id"], "--verdict", "true", "--by", "tester", "--note", "Confirmed.", "--store", place)
    return row


def counting(file: Path, least: int, span: str = "10m") -> None:
    """A correlation of writes of one host."""
    body = CORRELATED.format(kind="event_count", more="", group="source.ip", span=span, condition=f"{{gte: {least}}}")
    cases = f"tests:\n  fires:\n    - [{{ot.effect: value.write, ot.count: {least}}}]\n  quiet: [{{}}]\n"
    file.write_text(RULE.format(name="many", body=body, fires="").split("tests:")[0] + cases + PART.format(name="part", selection="{ot.access: write}"))


def writes(seconds: Sequence[int]) -> pa.Table:
    """Writes of one host, so many seconds after midnight."""
    times = [1_772_323_200 * SECOND + second * SECOND for second in seconds]
    rows = [
        {"id": f"w{time}", "@timestamp": time, "event.start": time, "event.end": time, "ot.grouped": False, "observer.name": "one", "ot.count": 1,
         "ot.unit": 1 + number % 2, "source.ip": "10.0.0.1",
         "destination.ip": "10.0.1.1", "ot.effect": "value.write", "ot.access": "write", "network.protocol": "modbus"}
        for number, time in enumerate(times)
    ]  # fmt: skip
    return sparse(rows)


def times(table: pa.Table) -> list[int]:
    """When each row was, nanoseconds."""
    return cast("list[int]", table.column("@timestamp").cast(pa.int64()).to_pylist())


def judged(place: Path, file: Path, hidden: Sequence[int] = ()) -> None:
    """The findings of a file's rule on what is stored, with the alerts that they fold into; a suppression hides those with these numbers."""
    store = open_store(str(place), write=True)
    found = Rules(load([file]), {}).judge(Batch(activities=store.read("activity", Query())))
    told = [replace(finding, suppressions=("other",)) if number in hidden else finding for number, finding in enumerate(found)]
    folded = fold(told, ())
    in_force = {versions.STATE: versions.encoded([versions.read([file])])}
    store.write(Commit(findings=folded.findings, alerts=folded.alerts, state=in_force))
    store.close()


def test_an_alert_that_other_findings_keep_is_not_lost(tmp_path: Path) -> None:
    """Asked for more or in less time, a correlation is completed by other rows: its findings are others, and fold into the same alert."""
    place, file = tmp_path / "store", tmp_path / "many.yml"
    counting(file, 3)
    kept(place, writes(range(0, 600, 60)), ()).close()
    judged(place, file)
    alert = closed(place, "many|10.0.0.1")
    counting(file, 5)
    told = one("rules", "backtest", file, "--store", place)
    assert (told["totals"], told["lost_confirmed"]) == ({"added": 1, "removed": 1}, [])
    (thinned,) = told["thinned_confirmed"]
    assert {name: thinned[name] for name in ("id", "findings", "gone", "left")} == {"id": alert["id"], "findings": 1, "gone": 1, "left": 1}
    for language, words in (("en", f"△ Thinner: alert {alert['id']}"), ("zh", f"△ 将减少：已确认属实的告警 {alert['id']}")):
        assert words in balefire("rules", "backtest", file, "--store", place, "--language", language).stdout
    counting(file, 50)
    assert [lost["id"] for lost in one("rules", "backtest", file, "--store", place, status=1)["lost_confirmed"]] == [alert["id"]]


def test_what_comes_at_another_time_or_is_hidden_keeps_no_alert(tmp_path: Path) -> None:
    place, file = tmp_path / "store", tmp_path / "many.yml"
    counting(file, 3, "2m")
    kept(place, writes([0, 30, 60, *range(90_000, 90_100, 10)]), ()).close()
    judged(place, file, hidden=[1])
    alert = closed(place, "many|10.0.0.1")
    assert alert["count"] == 1
    counting(file, 5, "2m")  # what is hidden would still be found, a day later
    assert [lost["id"] for lost in one("rules", "backtest", file, "--store", place, status=1)["lost_confirmed"]] == [alert["id"]]


def test_what_is_hidden_keeps_no_alert(tmp_path: Path) -> None:
    place, rules = tmp_path / "store", tmp_path / "rules"
    file = single(rules, "wrote", "{ot.access: write}", "{ot.effect: value.write}")
    kept(place, writes(range(5)), ()).close()
    judged(place, file, hidden=[1, 3])
    alert = closed(place, "wrote|10.0.0.1|10.0.1.1")
    assert alert["count"] == 3
    for units, left in (([2], 0), ([1, 2], 3)):
        single(rules, "wrote", f"{{ot.access: write, ot.unit: {units}}}", "{ot.effect: value.write, ot.unit: 2}")
        told = one("rules", "backtest", file, "--store", place, status=0 if left else 1)
        assert [lost["id"] for lost in told["lost_confirmed"]] == ([] if left else [alert["id"]])
        assert told["thinned_confirmed"] == []
