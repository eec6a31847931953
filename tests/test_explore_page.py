"""Activity: the piano roll, the table and one point's values: what they ask of a store, and the page without a browser."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pyarrow as pa
import pytest

from dashboards import explorer, roll
from dashboards.charting import axis_levels
from records.errors import UsageError
from records.formats import HOUR, MINUTE, SECOND
from records.query import Span
from records.search import EVERYTHING
from records.store import open_store
from records.store.contract import Store
from records.wording import LANGUAGES
from tests.browser import bigplant
from tests.browser.waterworks import NOW
from tests.test_dashboards import opened, run, sent

NIGHT = Span(NOW + 1 - 8 * HOUR, NOW + 1)
PLC = explorer.condition("destination.asset.name:PLC-7")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = open_store(str(bigplant.stored()))
    yield made
    made.close()


def rows_named(made: roll.Roll) -> dict[str, int]:
    return {(each.get("ot.tag.name") or [""])[0]: place for place, each in enumerate(made.objects)}


def test_reads_are_runs_and_acts_are_told_one_by_one(store: Store) -> None:
    made = roll.roll(store, NIGHT, PLC)
    names = rows_named(made)
    assert {tag for _, tag, _, _ in bigplant.REGISTERS} <= set(names)
    point = names["chlorine set point"]
    written = [(mark[1], mark[4]) for mark in made.marks if mark[0] == point and mark[3] == "write"]
    assert (written[0][0], sum(count for _, count in written)) == (NOW - 5 * HOUR, 2)
    looked = [mark for mark in made.marks if mark[0] == names["inlet flow"]]
    assert {mark[3] for mark in looked} == {"read"}
    gap = Span(NOW - 330 * MINUTE, NOW - 326 * MINUTE)
    assert not any(since <= gap.since + MINUTE and until >= gap.until - MINUTE for _, since, until, _, _ in looked), "no read is drawn where nothing was seen"
    assert sum(mark[4] for mark in looked) == store_count(store, "ot.object.first:0")


def store_count(store: Store, text: str) -> int:
    where = explorer.condition(f"destination.asset.name:PLC-7 ot.access:read {text}")
    return sum(count for _, count in explorer.by_field(store, NIGHT, where, "ot.access"))


def test_an_alert_marks_the_acts_that_it_is_about(store: Store) -> None:
    made = roll.roll(store, NIGHT, PLC)
    names = rows_named(made)
    told = {(place, severity) for place, _, _, severity, _ in made.alerts}
    assert (names["chlorine set point"], 91) in told
    assert (names["dosing mode"], 91) in told
    assert ("a" + "a" * 32) in {alert for *_, alert in made.alerts}
    assert not any(place == names["alarm limit high"] for place, *_ in made.alerts)


def test_a_read_of_a_range_is_a_read_of_each_object_in_it(store: Store) -> None:
    made = roll.roll(store, Span(NOW + 1 - 48 * HOUR, NOW + 1), explorer.condition("destination.asset.name:PLC-7"))
    names = rows_named(made)
    early = NOW - 30 * HOUR  # then only registers 39–42 were read, as a range
    assert any(since < early for place, since, _, access, _ in made.marks if place == names["chlorine set point"] and access == "read")
    assert not any(since < early for place, since, _, access, _ in made.marks if place == names["inlet flow"] and access == "read")


def test_the_roll_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = roll.roll(store, NIGHT, EVERYTHING)
    assert len(made.objects) == roll.MOST < made.known
    devices = [ip_address(each["destination.ip"]) for each in made.objects]
    assert devices == sorted(devices), "by number: .9 before .10"
    assert len(made.marks) + len(made.alerts) <= 5_000
    monkeypatch.setattr(roll, "MOST_READ", 10)
    monkeypatch.setattr(roll, "MOST_MARKS", 3)
    small = roll.roll(store, NIGHT, PLC)
    assert small.cut
    assert len(small.marks) <= 3


def test_the_roll_is_the_same_in_whatever_order_a_store_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, history = roll.roll(store, NIGHT, EVERYTHING), store.history

    def backwards(*words: Any, **named: Any) -> Iterator[pa.Table]:
        return (part.take(list(range(part.num_rows))[::-1]) for part in reversed(list(history(*words, **named))))

    monkeypatch.setattr(store, "history", backwards)
    assert roll.roll(store, NIGHT, EVERYTHING) == made


def test_nothing_that_matches_is_an_empty_roll(store: Store) -> None:
    made = roll.roll(store, NIGHT, explorer.condition("destination.asset.name:nobody"))
    assert (made.objects, made.marks, made.alerts, made.known, made.cut) == ([], [], [], 0, False)


def test_values_have_a_band_and_a_last_value(store: Store) -> None:
    (row,) = explorer.points(store, NIGHT, 'ot.tag.name:"chlorine set point"')
    known, where = explorer.point_condition(explorer.point_code(row)) or ({}, EVERYTHING)
    steps, cut = explorer.values(store, NIGHT, where)
    assert not cut
    assert len(steps) <= explorer.COLUMNS
    assert (steps[0]["last"], steps[-1]["low"], steps[-1]["last"], steps[-1]["high"]) == (0.85, 4.51, 4.6, 4.69)
    assert [each["time"] for each in steps] == sorted(each["time"] for each in steps)
    assert [row["ot.access"] for row in explorer.writes(store, NIGHT, known)] == ["write", "write"]
    assert explorer.newest(store, NIGHT, where)["ot.tag.unit"] == "mg/L"


def test_several_rows_in_one_step_are_one(store: Store) -> None:
    (row,) = explorer.points(store, NIGHT, 'ot.tag.name:"heartbeat"')
    _, where = explorer.point_condition(explorer.point_code(row)) or ({}, EVERYTHING)
    wide = Span(NIGHT.until - 400 * HOUR, NIGHT.until)
    steps, _ = explorer.values(store, wide, where)
    assert len(steps) < 12
    assert max(each["high"] for each in steps) == pytest.approx(101 * 1.1 * 1.02, abs=0.1)


@pytest.mark.parametrize(
    "code",
    ["", "x", "[]", "{}", "null", "[1,2,3,4,5,6]", '["10.0.0.1","modbus","1","x",null,0]', '["10.0.0.1","modbus",true,"x",null,0]', "[" * 5000,
     '[null,null,null,null,null,null]'],
)  # fmt: skip
def test_an_address_that_tells_no_point_is_none(code: str) -> None:
    assert explorer.point_condition(code) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", 'a:"x"'), ("b:1", 'b:1 a:"x"'), ("b:1 OR c:2", '(b:1 OR c:2) AND a:"x"'), ("b:1 or c:2", '(b:1 or c:2) AND a:"x"')],
)
def test_a_search_is_narrowed(text: str, wanted: str) -> None:
    assert explorer.narrowed(text, "a", "x") == wanted


@pytest.mark.parametrize("value", ['"', "\\", 'a" OR b:"', "::1", "*", "(", "中文 x"])
def test_any_value_narrows_to_itself_alone(store: Store, value: str) -> None:
    where = explorer.condition(explorer.narrowed("", "destination.asset.name", value))
    assert store.count("activity", NIGHT.query(where)) == 0


def test_an_asset_has_a_search_for_what_it_did(store: Store) -> None:
    asset = {"id": "i", "aliases": [], "addresses": ["10.25.0.17"]}
    assert store.count("activity", NIGHT.query(explorer.condition(explorer.about(asset)))) == store.count("activity", NIGHT.query(PLC))
    assert explorer.about({"id": "i", "aliases": ["j"], "addresses": ["02:00:00:00:00:01"]}).count(" OR ") == 3


@pytest.mark.parametrize(("low", "high"), [(0, 0), (4.6, 4.6), (-5, 5), (0, 1e12), (1e-9, 2e-9), (float("inf"), 1), (-1e308, 1e308), (7, 7.0000001)])
def test_an_axis_has_round_marks_within_it(low: float, high: float) -> None:
    bottom, top, marks = axis_levels(low, high)
    assert bottom < top
    assert 1 <= len(marks) <= 13
    assert all(bottom <= value <= top for value, _ in marks)


def test_pages_of_activities_follow_each_other(store: Store) -> None:
    first, total = explorer.activities(store, NIGHT, PLC, "")
    second, _ = explorer.activities(store, NIGHT, PLC, str(first["id"].iloc[-1]))
    assert total == store.count("activity", NIGHT.query(PLC))
    assert len({*first["id"], *second["id"]}) == 100
    assert first["@timestamp"].iloc[-1] >= second["@timestamp"].iloc[0]


def test_counts_over_time_add_up(store: Store) -> None:
    interval, told = explorer.over_time(store, NIGHT, PLC)
    assert interval == 5 * MINUTE
    assert sum(count for _, access, count in told if access == "write") == 7
    assert explorer.over_time(store, Span(NOW - 5 * HOUR - SECOND, NOW - 5 * HOUR + MINUTE), PLC)[0] == SECOND


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", ["roll", "table", "value"])
def test_the_page(monkeypatch: pytest.MonkeyPatch, view: str, language: str) -> None:
    told = run("explore", bigplant.stored(), monkeypatch, lang=language, range="8h", view=view, q="ot.tag.name:chlorine*")
    for words in ("chlorine set point", {"en": "8 h", "zh": "8 小时"}[language]):
        assert words in told
    if view == "roll":
        assert {"en": "blind", "zh": "未看到"}[language] in told
        assert f'"alert?lang={language}&range=8h&id=a{"a" * 32}"' in told
    assert "NaN" not in told


def test_what_a_field_has_narrows_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("explore", bigplant.stored(), monkeypatch, lang="en", range="8h", view="table", field="source.asset.name", q="ot.access:write")
    assert "q=ot.access%3Awrite+source.asset.name%3A%22ENG-WS-2%22" in told


@pytest.mark.parametrize("part", ["", "x", "5", "5-", "-5", "9-3", f"{'9' * 40}-{'9' * 40}", "0-1"])
def test_any_part_in_the_address_is_borne(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    assert "Objects over time" in run("explore", bigplant.stored(), monkeypatch, lang="en", range="8h", part=part, q="destination.asset.name:PLC-7")


def test_a_part_is_shown_and_left_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = (NOW - 5 * HOUR) // 10**6
    page = opened("explore", bigplant.stored(), monkeypatch, lang="en", range="8h", part=f"{begin - 1000}-{begin + 60_000}", q="destination.asset.name:PLC-7")
    assert "3 rows" in sent(page)
    page.button(key="whole").click().run()
    assert "part" not in page.query_params


def test_a_search_that_does_not_parse_is_said_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        explorer.condition("ot.acces:write")
    assert "Did you mean ot.access" in run("explore", bigplant.stored(), monkeypatch, lang="en", q="ot.acces:write")


def test_a_search_that_is_none_for_points_lists_all_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run("explore", bigplant.stored(), monkeypatch, lang="en", range="8h", view="value", q="ot.access:write")
    assert "so all are listed" in told
