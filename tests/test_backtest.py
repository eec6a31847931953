"""A back-test gives exactly what judging live gives: the same rules on the same rows, however they were cut, stored and merged."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import backtest as testing
from detectors.backtest import backtest, period
from detectors.methods.rules import Rules
from detectors.rulebook import versions
from detectors.rulebook.books import Change, draft
from detectors.rulebook.correlate import correlation_rule
from detectors.rulebook.document import read
from detectors.rulebook.load import Rulebook, load, own_rules
from detectors.rulebook.reading import Reading
from records.model import Batch
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from tests.cli import DEMO, ROOT, balefire, lines, one, stored
from tests.frames import activities, sparse
from tests.test_conversion import data, detections, predicate
from tests.test_correlations import Alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from detectors.rulebook.rule import Rule
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


def live(rules: Sequence[Rule], table: pa.Table, cuts: Sequence[int]) -> set[str]:
    """The findings that judging gives, one history an observer, cut so."""
    found: set[str] = set()
    for observer in sorted({str(name) for name in table.column("observer.name").to_pylist()}):
        own = table.filter([name == observer for name in table.column("observer.name").to_pylist()])
        detector = Rules(Rulebook(tuple(rules), (), 0, 0, ()), {})
        ends = sorted({min(cut, own.num_rows) for cut in cuts} | {own.num_rows})
        for start, end in zip([0, *ends], ends, strict=False):
            found |= {finding.id for finding in detector.judge(Batch(activities=own.slice(start, end - start)))}
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


def correlation(folder: Path, name: str, random: Random) -> Rule:
    """A random correlation of two parts."""
    kind = random.choice(("event_count", "value_count", "temporal", "temporal_ordered", "value_sum"))
    condition = {
        "value_count": f"{{field: destination.ip, gte: {random.randint(2, 3)}}}",
        "value_sum": f"{{field: ot.value, gte: {random.choice((3, 10))}}}",
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
    parts = PART.format(name="part", selection="{ot.effect: value.write}") + PART.format(name="other", selection="{ot.effect: cpu.stop}")
    text = RULE.format(name=name, body=body, fires="{}").split("tests:")[0] + 'tests:\n  fires: [{}]\n  quiet: [{}]\n' + parts
    file = folder / f"{name}.yml"
    file.write_text(text)
    return _unchecked(file)


def _unchecked(file: Path) -> Rule:
    """The rule of a file, whatever its cases say."""

    reading = Reading(str(file), read(file.read_bytes()), file.stem)
    rule = correlation_rule(reading, Alone())
    assert rule and rule.correlation, [fault for _, fault in reading.faults]
    return rule


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(0, 2**32))
def test_correlations_see_rows_as_they_were_released(tmp_path_factory: pytest.TempPathFactory, history: tuple[pa.Table, list[int]], seed: int) -> None:
    table, cuts = history
    folder = tmp_path_factory.mktemp("history")
    random = Random(seed)
    before, after = (correlation(folder, "drawn", random) for _ in range(2))
    store = kept(folder / "store", table, cuts)
    try:
        agrees(store, [(random.choice((None, before)), after)], table, cuts[:1])
    finally:
        store.close()
