"""Correlations agree with a slow and simple evaluator, whatever the rows, their order and the cuts; and the examples of the Sigma specification."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.rulebook import watch as watching
from detectors.rulebook.correlate import correlation_rule
from detectors.rulebook.correlation import SECOND
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from detectors.rulebook.reading import Reading
from detectors.rulebook.watch import Firing, Watch
from records.wording import LANGUAGES, say
from tests.examples import as_many
from tests.frames import Alone, sparse
from tests.rule_reference import UNITS, Row, correlation_fires

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detectors.rulebook.correlation import Correlation

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
Told = set[tuple[int, tuple[Any, ...], frozenset[int], float]]


@pytest.fixture(scope="module", autouse=True)
def few_are_many() -> Iterator[None]:
    """Three new rows are already worth a look at all that is remembered, fewer are not: both ways are gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "MANY", 3)
        yield


def correlation(said: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Correlation:
    """What the product makes of it. `ways` of the reference is its condition in another form."""
    documents = [Document(written(name, part)) for name, part in parts.items()]
    reading = Reading("x.yml", Document({"correlation": {key: value for key, value in said.items() if key != "ways"}}, parts=documents))
    rule = correlation_rule(reading, Alone())
    assert rule, reading.faults
    assert rule.correlation
    return rule.correlation


def written(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    if "correlation" in part:
        return {"name": name, **part}
    return {"name": name, "logsource": {"product": "balefire"}, "detection": {**part["detection"], "condition": part["when"][1]}}


def identities(firing: Firing) -> frozenset[int]:
    return frozenset(int(str(name)) for name in firing.rows.column("id").to_pylist())


def told(watch: Watch, rows: Sequence[Row], first: int = 0) -> Told:
    table = sparse({**row, "id": str(first + number)} for number, row in enumerate(rows))
    return {(first + one.row, one.group, identities(one), one.measure) for one in watch.judge(Frame(table))}


def fires(said: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], rows: Sequence[Row]) -> list[tuple[int, float]]:
    """The rows that complete it and what they come to, which the slow evaluator confirms."""
    watch = Watch(correlation(said, parts), frozenset({"id"}))
    table = sparse({**row, "id": str(number)} for number, row in enumerate(rows))
    found = [(one.row, one.group, identities(one), one.measure) for one in watch.judge(Frame(table))]
    assert sorted(found, key=repr) == sorted(correlation_fires(said, parts, rows), key=repr)
    return [(row, measure) for row, _, _, measure in found]


# ---- random correlations and rows ---------------------------------------------------------------------------------------------------------------

HOSTS = ("10.0.0.1", "10.0.0.2", "2001:db8::1")
DAY = 86_400
LONG = {"1d": DAY, "2w": 14 * DAY, "1M": 2_629_746, "1y": 31_556_952}
EDGES = sorted({seconds + more for seconds in LONG.values() for more in (-1, 0, 1)})
MOMENT = st.one_of(st.integers(0, 400), st.integers(0, 400), st.sampled_from(EDGES)).map(lambda second: START + timedelta(seconds=second))
ROW = st.fixed_dictionaries(
    {"@timestamp": MOMENT},
    optional={
        "event.end": MOMENT,
        "event.action": st.sampled_from(["a", "b", "c", "A"]),
        "source.ip": st.sampled_from(HOSTS),
        "source.mac": st.sampled_from(["m", "n"]),
        "destination.ip": st.sampled_from(HOSTS),
        "ot.unit": st.integers(0, 2),
        "ot.count": st.integers(0, 3),
        "ot.value": st.sampled_from([-1.5, 0.0, 0.1, 0.2, 0.7, 3.0, float("inf"), float("nan")]),
        "ot.bytes": st.integers(-2, 5),
        "ot.anomaly": st.lists(st.sampled_from(["x", "y", "z"]), max_size=2),
        "ot.grouped": st.booleans(),
    },
)
ROWS = st.lists(ROW, max_size=40)
IN_ORDER = ROWS.map(lambda rows: sorted(rows, key=lambda row: row["@timestamp"]))
PARTS = {
    "one": {"detection": {"sel": {"event.action": "a"}}, "when": ("name", "sel")},
    "two": {"detection": {"sel": {"event.action": ["b", "A"]}}, "when": ("name", "sel")},
    "three": {"detection": {"sel": {"ot.unit|gte": 1}}, "when": ("name", "sel")},
    "any": {"detection": {"sel": {"@timestamp|exists": True}}, "when": ("name", "sel")},
}
BOUND = st.one_of(
    st.tuples(st.sampled_from(["gte", "gt", "eq"]), st.integers(1, 6)).map(lambda one: dict([one])),
    st.just({"gte": 2, "lte": 4}),
    st.just({"gt": 2, "neq": 4}),
    st.sampled_from([{"lte": 2}, {"lt": 3}, {"neq": 1}]),
)
LIMIT = st.one_of(
    st.tuples(st.sampled_from(["gte", "gt", "lt", "lte", "eq", "neq"]), st.sampled_from([0, 1, 2, 0.1, 0.2, 0.30000000000000004, 0.5])).map(
        lambda one: dict([one])
    ),
    st.just({"gt": 0, "lt": 0.5}),
)
CONDITIONS = {
    "event_count": BOUND,
    "value_count": st.tuples(BOUND, st.sampled_from(["ot.unit", "ot.anomaly", "ot.value", "source.ip", ["ot.unit", "event.action"]])).map(
        lambda one: {**one[0], "field": one[1]}
    ),
    **{
        kind: st.tuples(LIMIT, st.sampled_from(["ot.value", "ot.bytes"])).map(lambda one: {**one[0], "field": one[1]})
        for kind in ("value_sum", "value_avg", "value_median")
    },
    "value_percentile": st.tuples(LIMIT, st.sampled_from(["ot.value", "ot.bytes"]), st.integers(0, 100)).map(
        lambda one: {**one[0], "field": one[1], "percentile": one[2]}
    ),
    "temporal": st.one_of(st.none(), st.just({"gte": 2})),
    "temporal_ordered": st.one_of(st.none(), st.just({"gte": 2})),
}
WAYS: list[tuple[str, list[tuple[list[str], list[str]]]]] = [
    ("one and two", [(["one", "two"], [])]),
    ("two and (one or three)", [(["two", "one"], []), (["two", "three"], [])]),
    ("one and not three", [(["one"], ["three"])]),
    ("not (one or not two)", [(["two"], ["one"])]),
    ("one AND NOT (two AND three)", [(["one"], ["two"]), (["one"], ["three"])]),
]


@st.composite
def correlations(draw: st.DrawFn, kinds: Sequence[str] = tuple(CONDITIONS)) -> dict[str, Any]:
    kind = draw(st.sampled_from(kinds))
    said: dict[str, Any] = {"type": kind, "timespan": draw(st.sampled_from(["5s", "30s", "1m", "90s", "5m", "1h", *LONG]))}
    said["rules"] = draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=3, unique=True))
    said["group-by"] = draw(st.lists(st.sampled_from(["source.ip", "ot.unit", "event.action", "host"]), max_size=2, unique=True))
    if kind.startswith("temporal") and draw(st.booleans()):
        said["condition"], said["ways"] = draw(st.sampled_from(WAYS))
        said["rules"] = ["one", "two", "three"]
    elif (condition := draw(CONDITIONS[kind])) is not None:
        said["condition"] = condition
    if "host" in said["group-by"]:
        sides = st.sampled_from(["source.ip", "destination.ip"])
        said["aliases"] = {"host": {name: draw(sides) for name in said["rules"]}}
    return said


@settings(deadline=None, max_examples=as_many(500))
@given(said=correlations(), rows=st.one_of(ROWS, IN_ORDER))
def test_correlations_agree_with_the_slow_evaluator(said: dict[str, Any], rows: list[Row]) -> None:
    assert told(Watch(correlation(said, PARTS), frozenset({"id"})), rows) == set(correlation_fires(said, PARTS, rows))


@example(  # all rows count, in another order than that in which they came
    inner={"type": "event_count", "timespan": "5s", "rules": ["any"], "group-by": [], "condition": {"gte": 2, "lte": 4}},
    outer={
        "type": "event_count", "timespan": "5s", "rules": ["two", "one"], "group-by": ["source.ip", "host"], "condition": {"gte": 1},
        "aliases": {"host": {"two": "source.ip", "one": "destination.ip"}},
    },
    rows=[
        {"@timestamp": START}, {"@timestamp": START}, {"@timestamp": START},
        {"@timestamp": START, "event.end": START, "event.action": "a", "destination.ip": "10.0.0.1"},
        {"@timestamp": START, "event.action": "a", "source.ip": "10.0.0.1"},
    ],
)  # fmt: skip
@settings(deadline=None, max_examples=as_many(200))
@given(inner=correlations(), outer=correlations(), rows=ROWS)
def test_correlations_of_correlations_agree_with_the_slow_evaluator(inner: dict[str, Any], outer: dict[str, Any], rows: list[Row]) -> None:
    parts = {**PARTS, "inner": {"correlation": inner}}
    if "ways" in outer:
        outer = {**outer, "condition": None, "ways": [(["one", "two", "three", "inner"], [])]}
    outer = {**outer, "rules": [*outer["rules"], "inner"]}
    for fields in outer.get("aliases", {}).values():
        fields["inner"] = "source.ip"
    if outer.get("condition") is None:
        outer.pop("condition", None)
    shown = {**parts, "inner": {"correlation": {key: value for key, value in inner.items() if key != "ways"}}}
    assert told(Watch(correlation(outer, shown), frozenset({"id"})), rows) == set(correlation_fires(outer, parts, rows))


@settings(deadline=None, max_examples=as_many(200))
@given(said=correlations(), rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=6), room=st.sampled_from([(3, 4), (7, 1000), (4096, 65_536)]))
def test_any_cut_gives_the_same(said: dict[str, Any], rows: list[Row], cuts: list[int], room: tuple[int, int]) -> None:
    """Also where what is remembered is bounded so tightly that rows are forgotten in between, and where state is saved and taken up at each cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "AT_ONCE", room[0])
        patch.setattr(watching, "MOST", room[1])
        made = correlation(said, PARTS)
        whole = told(Watch(made, frozenset({"id"})), rows)
        edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
        watch, found = Watch(made, frozenset({"id"})), set[Any]()
        for start, end in pairwise(edges):
            found |= told(watch, rows[start:end], start)
            state = json.loads(json.dumps(watch.state()))
            watch = Watch(made, frozenset({"id"}))
            watch.restore(state)
        assert found == whole


@settings(deadline=None, max_examples=as_many(100))
@given(said=correlations(), rows=IN_ORDER)
def test_what_is_forgotten_was_not_needed(said: dict[str, Any], rows: list[Row]) -> None:
    """Rows in the order of their times find everything that belongs to them, however often the rest is forgotten."""
    rows = [{key: value for key, value in row.items() if key != "event.end"} for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "AT_ONCE", 4)
        patch.setattr(watching, "LATE", 0)
        assert told(Watch(correlation(said, PARTS), frozenset({"id"})), rows) == set(correlation_fires(said, PARTS, rows))


# One group, times about as far apart as the timespan, values about as large as the bounds: windows that are enough and then not, row after row.
NARROW = st.lists(
    st.fixed_dictionaries(
        {
            "@timestamp": st.sampled_from([0, 1, 2, 20, 29, 30, 31, 59, 60, 61, 89, 90]).map(lambda second: START + timedelta(seconds=second)),
            "ot.count": st.sampled_from([1, 2, 5]),
            "ot.value": st.sampled_from([1.0, 99.0, 100.0, 200.0]),
        }
    ),
    max_size=9,
)
LOWERED = st.one_of(
    st.sampled_from([{"gte": 2, "lt": 4}, {"lt": 4}, {"eq": 3}, {"neq": 1}, {"gte": 3, "lte": 6}]).map(
        lambda bounds: {"type": "event_count", "condition": bounds}
    ),
    st.tuples(st.sampled_from(["value_avg", "value_median", "value_sum"]), st.sampled_from([{"gte": 100}, {"lt": 100}, {"gte": 100, "lt": 250}])).map(
        lambda one: {"type": one[0], "condition": {**one[1], "field": "ot.value"}}
    ),
    st.sampled_from([0, 50, 90]).map(lambda part: {"type": "value_percentile", "condition": {"gte": 100, "field": "ot.value", "percentile": part}}),
)


@settings(deadline=None, max_examples=as_many(400))
@given(kind=LOWERED, rows=st.one_of(NARROW, NARROW.map(lambda rows: sorted(rows, key=lambda row: row["@timestamp"]))), cut=st.integers(0, 9))
def test_windows_that_come_and_go_are_whole_however_rows_are_cut(kind: dict[str, Any], rows: list[Row], cut: int) -> None:
    said = {**kind, "rules": ["any"], "timespan": "30s"}
    made, expected = correlation(said, PARTS), set(correlation_fires(said, PARTS, rows))
    assert told(Watch(made, frozenset({"id"})), rows) == expected
    for edges in ([0, min(cut, len(rows)), len(rows)], list(range(len(rows) + 1))):
        watch = Watch(made, frozenset({"id"}))
        assert set[Any]().union(*(told(watch, rows[start:end], start) for start, end in pairwise(edges))) == expected


def test_a_row_that_comes_with_one_worth_looking_at_is_judged_by_all_of_its_window() -> None:
    """As one batch, row by row: the median of three low values and a high one is low, whatever comes later in the same batch."""
    said = {"type": "value_median", "rules": ["any"], "timespan": "3m", "condition": {"gte": 100, "field": "ot.value"}}
    rows = [row(0, ot_value=1.0), row(1, ot_value=1.0), row(2, ot_value=1.0), row(100, ot_value=200.0), row(190, ot_value=200.0)]
    assert fires(said, PARTS, rows) == [(4, 200.0)]
    counted = {"type": "event_count", "rules": ["any"], "timespan": "3m", "condition": {"gte": 2, "lt": 4}}
    assert fires(counted, PARTS, [row(0, ot_count=5), row(100, ot_count=2), row(190, ot_count=1)]) == [(2, 3)]


# ---- the examples of the specification, in words of this plant ----------------------------------------------------------------------------------


def row(second: float, **fields: Any) -> Row:
    return {"@timestamp": START + timedelta(seconds=second), **{name.replace("_", "."): value for name, value in fields.items()}}


def named(name: str) -> dict[str, Any]:
    return {"detection": {"sel": {"event.action": name}}, "when": ("name", "sel")}


def test_event_count_a_hundred_failed_logins_to_a_host_in_an_hour() -> None:
    said = {"type": "event_count", "rules": ["login"], "group-by": ["destination.ip"], "timespan": "1h", "condition": {"gte": 100}}
    logins = [row(second * 36, event_action="login", destination_ip=HOSTS[0]) for second in range(100)]
    other = [row(second * 36 + 1, event_action="login", destination_ip=HOSTS[1]) for second in range(99)]
    rows = sorted([*logins, *other], key=lambda one: one["@timestamp"])
    assert fires(said, {"login": named("login")}, rows) == [(198, 100)]
    assert fires(said, {"login": named("login")}, [one for one in rows if one is not logins[50]]) == []


@pytest.mark.parametrize("unit", UNITS)
def test_the_advice_on_a_span_names_every_unit_that_is_read(unit: str) -> None:
    made = correlation({"type": "event_count", "rules": ["any"], "timespan": f"1{unit}", "condition": {"gte": 2}}, PARTS)
    assert made.span == UNITS[unit] * SECOND
    for language in LANGUAGES:
        assert unit in re.findall(r"\b\w\b", say("detectors.lint.timespan.advice", language))


def test_an_hour_is_open_at_its_start() -> None:
    said = {"type": "event_count", "rules": ["login"], "timespan": "1h", "condition": {"gte": 2}}
    assert fires(said, {"login": named("login")}, [row(0, event_action="login"), row(3600, event_action="login")]) == []
    assert fires(said, {"login": named("login")}, [row(0.000001, event_action="login"), row(3600, event_action="login")]) == [(1, 2)]


def test_counts_add_up_what_rows_stand_for() -> None:
    said = {"type": "event_count", "rules": ["login"], "timespan": "10m", "condition": {"gte": 100}}
    rows = [row(0, event_action="login", ot_count=60, ot_grouped=True, event_end=START + timedelta(seconds=59)), row(90, event_action="login", ot_count=40)]
    assert fires(said, {"login": named("login")}, rows) == [(1, 100)]


def test_a_range_is_left_by_a_row_that_jumps_over_it() -> None:
    said = {"type": "event_count", "rules": ["login"], "timespan": "1h", "condition": {"gt": 100, "lte": 200}}
    assert fires(said, {"login": named("login")}, [row(0, event_action="login", ot_count=101)]) == [(0, 101)]
    assert fires(said, {"login": named("login")}, [row(0, event_action="login", ot_count=201)]) == []


def test_value_count_different_users_per_source_and_destination_in_a_day() -> None:
    said: dict[str, Any] = {"type": "value_count", "rules": ["login"], "group-by": ["source.ip", "destination.ip"], "timespan": "1d"}
    said["condition"] = {"field": "ot.object.name", "gte": 4}
    rows = [row(number, event_action="login", source_ip=HOSTS[0], destination_ip=HOSTS[1], ot_object_name=f"user {number // 2}") for number in range(8)]
    assert fires(said, {"login": named("login")}, rows) == [(6, 4)]
    assert fires(said, {"login": named("login")}, rows[:6]) == []


def test_temporal_three_commands_in_any_order_within_five_minutes() -> None:
    said = {"type": "temporal", "rules": ["a", "b", "c"], "group-by": ["source.ip", "ot.unit"], "timespan": "5m"}
    parts = {name: named(name) for name in "abc"}
    rows = [row(second, event_action=name, source_ip=HOSTS[0], ot_unit=1) for second, name in ((0, "c"), (100, "a"), (200, "a"), (299, "b"))]
    assert fires(said, parts, rows) == [(3, 3)]
    assert fires(said, parts, [*rows[:3], rows[3] | {"ot.unit": 2}]) == []
    assert fires(said, parts, [*rows[:3], row(300, event_action="b", source_ip=HOSTS[0], ot_unit=1)]) == []


def test_temporal_ordered_failed_logins_and_then_one_that_succeeds() -> None:
    """A correlation of a correlation, which groups by its own fields only."""
    many = {"type": "event_count", "rules": ["failed"], "group-by": ["destination.ip", "ot.unit"], "timespan": "5m", "condition": {"gte": 3}}
    said = {"type": "temporal_ordered", "rules": ["many", "success"], "group-by": ["ot.unit"], "timespan": "1h"}
    parts = {"failed": named("failed"), "success": named("success"), "many": {"correlation": many}}
    rows = [row(second, event_action="failed", destination_ip=HOSTS[0], ot_unit=1) for second in (0, 10, 20)]
    later = row(1000, event_action="success", destination_ip=HOSTS[1], ot_unit=1)
    assert fires(said, parts, [*rows, later]) == [(3, 2)]
    assert fires(said, parts, [rows[0] | {"event.action": "success"}, *rows]) == []
    assert fires(said, parts, [*rows, later | {"ot.unit": 2}]) == []


def test_what_an_inner_correlation_found_is_one_thing_whatever_its_rows_stand_for() -> None:
    inner = {"type": "event_count", "rules": ["a"], "timespan": "1m", "condition": {"gte": 3}}
    said = {"type": "event_count", "rules": ["inner"], "timespan": "1h", "condition": {"gte": 2}}
    rows = [row(second, event_action="a", ot_count=3) for second in (0, 100, 200)]
    assert fires(said, {"a": named("a"), "inner": {"correlation": inner}}, rows) == [(1, 2)]


def test_aliases_the_same_address_on_either_side() -> None:
    said: dict[str, Any] = {"type": "temporal", "rules": ["error", "connection"], "group-by": ["inside", "outside"], "timespan": "10s"}
    said["aliases"] = {
        "inside": {"error": "destination.ip", "connection": "source.ip"},
        "outside": {"error": "source.ip", "connection": "destination.ip"},
    }
    parts = {"error": named("error"), "connection": named("connection")}
    error = row(0, event_action="error", source_ip=HOSTS[0], destination_ip=HOSTS[1])
    back = row(5, event_action="connection", source_ip=HOSTS[1], destination_ip=HOSTS[0])
    assert fires(said, parts, [error, back]) == [(1, 2)]
    assert fires(said, parts, [error, back | {"source.ip": HOSTS[0], "destination.ip": HOSTS[1]}]) == []


@pytest.mark.parametrize(
    ("kind", "condition", "enough"),
    [
        ("value_sum", {"gt": 1_000_000}, [600_000, 400_001]),
        ("value_avg", {"gt": 500}, [400, 602]),
        ("value_median", {"gte": 500}, [1, 500, 900]),
        ("value_percentile", {"percentile": 95, "gt": 500}, [501, 1]),
        ("value_percentile", {"percentile": 50, "lte": 1}, [1, 900]),
    ],
)
def test_sums_means_and_percentiles_of_bytes_in_an_hour(kind: str, condition: dict[str, Any], enough: list[int]) -> None:
    said: dict[str, Any] = {"type": kind, "rules": ["sent"], "group-by": ["source.ip"], "timespan": "1h", "condition": {**condition, "field": "ot.bytes"}}
    rows = [row(number, event_action="sent", source_ip=HOSTS[0], ot_bytes=size) for number, size in enumerate(enough)]
    assert fires(said, {"sent": named("sent")}, rows)
    assert not fires(said, {"sent": named("sent")}, [one | {"ot.bytes": 0 if "lte" not in condition else 700} for one in rows])


# ---- once a group and span ----------------------------------------------------------------------------------------------------------------------

BURST = {"type": "event_count", "rules": ["a"], "group-by": ["source.ip"], "timespan": "1m", "condition": {"gte": 3}}


def test_what_goes_on_fires_once_a_span() -> None:
    rows = [row(second, event_action="a", source_ip=HOSTS[0]) for second in range(0, 300, 10)]
    assert fires(BURST, {"a": named("a")}, rows) == [(2, 3), (8, 6), (14, 6), (20, 6), (26, 6)]


def test_no_row_counts_for_two_findings() -> None:
    watch = Watch(correlation(BURST, {"a": named("a")}), frozenset({"id"}))
    found = told(watch, [row(second, event_action="a", source_ip=HOSTS[0]) for second in range(0, 300, 7)])
    inside = [number for _, _, rows, _ in found for number in rows]
    assert len(inside) == len(set(inside)) > 30


def test_a_row_that_is_late_counts_where_it_belongs() -> None:
    late = [row(second, event_action="a", source_ip=HOSTS[0]) for second in (0, 10, 100, 20)]
    assert fires(BURST, {"a": named("a")}, late) == [(3, 3)]
    too_far = [row(second, event_action="a", source_ip=HOSTS[0]) for second in (0, 10, 100, 70)]
    assert fires(BURST, {"a": named("a")}, too_far) == []


def test_what_is_remembered_is_bounded_and_what_is_shed_is_counted() -> None:
    rows = [row(number / 1000, event_action="a", ot_unit=number) for number in range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "AT_ONCE", 10)
        patch.setattr(watching, "MOST", 15)
        watch = Watch(correlation({**BURST, "group-by": ["ot.unit"]}, {"a": named("a")}))
        watch.judge(Frame(sparse(rows)))
        assert watch.shed == 25
        assert len(json.dumps(watch.state())) < 5000


def test_a_group_that_was_hopeless_for_a_while_is_told_by_all_of_its_rows() -> None:
    """One row by itself, some that cannot be enough with it, and some that are enough only with all of them."""
    said = {"type": "event_count", "rules": ["a"], "timespan": "1h", "condition": {"gte": 7}}
    watch = Watch(correlation(said, {"a": named("a")}))
    rows = [row(number, event_action="a") for number in range(7)]
    assert [len(watch.judge(Frame(sparse(part)))) for part in (rows[:1], rows[1:4], rows[4:])] == [0, 0, 1]


@pytest.mark.parametrize("other", ["b", "c"])
def test_either_way_of_a_condition_is_enough(other: str) -> None:
    said = {"type": "temporal", "rules": ["a", "b", "c"], "timespan": "1h", "condition": "a and (b or c)", "group-by": ["ot.unit"]}
    watch = Watch(correlation(said, {name: named(name) for name in "abc"}))
    rows = [row(number, event_action=name, ot_unit=unit) for number, (name, unit) in enumerate([("a", 1), (other, 2), ("a", 2), ("a", 3)])]
    assert [firing.row for firing in watch.judge(Frame(sparse(rows)))] == [2]


# ---- what it costs ------------------------------------------------------------------------------------------------------------------------------

COSTS: list[tuple[str, dict[str, Any]]] = [
    ("event_count", {"gte": 1000}), ("value_count", {"field": "ot.unit", "gte": 4}), ("value_sum", {"field": "ot.bytes", "gt": 10_000}),
    ("value_avg", {"field": "ot.bytes", "gt": 6}), ("value_median", {"field": "ot.bytes", "gt": 6}), ("temporal", {"gte": 2}),
    ("value_percentile", {"field": "ot.bytes", "percentile": 90, "gt": 6}), ("temporal_ordered", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "condition"), COSTS)
@pytest.mark.parametrize("late", [0, 30])
def test_what_cannot_be_enough_is_not_worked_out_from_what_is_remembered(kind: str, condition: dict[str, Any], late: int) -> None:
    """A thousand rows of one group within the span, those of every second batch `late` seconds late: only what is new is looked at."""
    said: dict[str, Any] = {"type": kind, "rules": ["a", "b"], "timespan": "1h", **({"condition": condition} if condition else {})}
    watch = Watch(correlation(said, {"a": named("a"), "b": named("b")}))
    rows = [row(60 + 3 * number, event_action="a", ot_unit=number % 3, ot_bytes=5) for number in range(999)]
    rows = [one | {"@timestamp": one["@timestamp"] - timedelta(seconds=late * (number // 10 % 2))} for number, one in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "arranged", None)  # whatever calls it raises
        for start in range(0, 990, 10):
            assert watch.judge(Frame(sparse(rows[start : start + 10]))) == []
    restored = Watch(watch.correlation)
    restored.restore(watch.state())
    more = {"event_action": "b" if kind.startswith("temporal") else "a", "ot_unit": 7, "ot_bytes": 10_000, "ot_count": 1000}
    last = [row(3060 + number, **more) for number in range(1000 if kind in {"value_median", "value_percentile"} else 1)]
    assert [len(one.judge(Frame(sparse(last)))) for one in (watch, restored)] == [1, 1]
