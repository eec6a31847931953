"""The network: which links are new, where assets stand, what is left out; and its page without a browser."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dashboards import conduits, linking, queries, talk, topology
from dashboards.linking import Link
from detectors.placing import policy_of
from records.formats import DAY, HOUR
from records.model import Batch
from records.query import Query, Span, Terms
from records.schema import ACTIVITY, arrow_table
from records.store import open_store
from records.store.contract import Commit, Store
from records.wording import LANGUAGES
from tests.browser import bigplant
from tests.browser.waterworks import HOSTILE, NOW
from tests.cli import ROOT, balefire
from tests.test_dashboards import opened, run, sent
from tests.test_policy import SHOWN

WHOLE = Span(bigplant.START, NOW + 1)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = open_store(str(bigplant.stored()))
    yield made
    made.close()


ALL = 5_000  # links


def links(made: topology.Network) -> dict[tuple[str, str], Link]:
    names = {node.id: node.name for node in made.nodes}
    return {(names[link.source], names[link.destination]): link for link in made.links.told}


def test_only_what_was_not_there_before_is_new(store: Store) -> None:
    made = topology.network(store, WHOLE, WHOLE, NOW - 6 * HOUR, most=ALL)
    told = links(made)
    assert told["ENG-WS-2", "PLC-7"].fresh == ["program", "command", "write", "configure", "identify"]
    assert told["ENG-WS-2", "PLC-3"].fresh == ["identify"]
    assert told["HMI-7", "PLC-7"].fresh == []
    assert sum(1 for link in told.values() if link.fresh) == made.links.fresh == 9
    assert made.links.told[0] is told["ENG-WS-2", "PLC-7"], "what matters most comes first, and is not cut off"


def test_before_the_beginning_nothing_counts_as_new(store: Store) -> None:
    made = topology.network(store, WHOLE, WHOLE, WHOLE.since)
    assert made.before is None
    assert not any(link.fresh for link in made.links.told)
    assert made.links.fresh == 0


def test_a_link_that_is_no_more_is_kept_without_operations(store: Store) -> None:
    made = topology.network(store, WHOLE, WHOLE, NOW - HOUR, most=ALL)
    told = links(made)
    assert told["ENG-WS-2", "PLC-7"].accesses == {}
    assert made.links.gone == sum(not link.accesses for link in told.values()) > 200


def test_assets_stand_where_they_stood_whatever_the_moment(store: Store) -> None:
    one, two = (topology.network(store, WHOLE, WHOLE, moment).nodes for moment in (NOW - 6 * HOUR, NOW - HOUR))
    assert [node.id for node in one] == [node.id for node in two]
    assert len(one) == 301
    levels = [node.level for node in one]
    assert levels == sorted(levels, key=lambda level: (level is None, -(level or 0)))
    plcs = [node.name for node in one if node.level == 1 and node.zone == "Intake"]
    assert plcs == sorted(plcs, key=lambda name: int(name.split("-")[1])), "PLC-9 before PLC-10"


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("ff:ff:ff:ff:ff:ff", True),
        ("01:0c:cd:01:00:01", True),
        ("224.0.0.251", True),
        ("255.255.255.255", True),
        ("ff02::fb", True),
        ("10.0.0.255", False),
        ("02:00:00:00:00:01", False),
        ("PLC-7", False),
        ("", False),
    ],
)
def test_an_address_of_many_is_no_asset(address: str, group: bool) -> None:
    assert topology.is_group(address) is group


def test_the_slider_stands_at_the_beginning_of_the_period_or_in_the_middle_of_all() -> None:
    day = Span(NOW + 1 - 24 * HOUR, NOW + 1)
    stops = topology.moments(WHOLE, day)
    assert stops[0] == topology.default_moment(WHOLE, day, stops) == day.since
    stops = topology.moments(WHOLE, WHOLE)
    assert topology.default_moment(WHOLE, WHOLE, stops) == WHOLE.since + WHOLE.length // 2
    assert topology.moments(Span(5, 6), Span(0, 6)) == [5]


def test_whole_days_are_asked_for_once_and_who_has_only_a_name_is_told_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = NOW // DAY * DAY
    known = {"source.asset.id": "hmi", "source.asset.name": "HMI"}
    rows = [
        {"@timestamp": first + day * DAY + HOUR, "network.protocol": "modbus", **(known if day % 2 else {"source.asset.name": "10.0.0.7"})} for day in range(6)
    ]
    rows.append({"@timestamp": first + 2 * DAY, "network.protocol": "dns", "source.asset.name": "10.0.0.8"})
    for number, row in enumerate(rows):
        row |= {"id": f"a{number}", "destination.asset.id": "plc", "ot.effect": "value.read", "ot.count": 2}
    made = open_store(str(tmp_path / "store"), write=True)
    made.write(Commit(Batch(arrow_table(ACTIVITY, {name: [row.get(name) for row in rows] for name in ACTIVITY.names}, len(rows)))))
    monkeypatch.setenv("BALEFIRE_STORE", str(tmp_path))
    whole = Span(first + HOUR, first + 5 * DAY + 2 * HOUR)
    told = talk.talk(made, whole)
    summed = Counter[tuple[str, ...]]()
    for row in told.rows.to_pylist():
        summed[row["source"], row["destination"], row["protocol"], row["effect"]] += row["total"]
    assert summed == {("10.0.0.7", "plc", "modbus", "value.read"): 6, ("hmi", "plc", "modbus", "value.read"): 6}
    assert talk.called(made, whole, {"hmi", "10.0.0.7"}) == {"hmi": "HMI", "10.0.0.7": "10.0.0.7"}
    asked: list[int] = []
    terms = made.terms

    def counted(table: str, query: Query, wanted: Terms) -> pa.Table:
        asked.append((query.until or 0) - (query.since or 0))
        return terms(table, query, wanted)

    monkeypatch.setattr(made, "terms", counted)

    def come(name: str, time: int) -> int:
        """One more row; how many operations there are then."""
        row = {**rows[1], "id": name, "@timestamp": time}
        made.write(Commit(Batch(arrow_table(ACTIVITY, {field: [row.get(field)] for field in ACTIVITY.names}, 1))))
        counts: list[int] = talk.talk(made, whole).rows.column("total").to_pylist()  # pyright: ignore[reportAssignmentType] - none is missing
        return sum(counts)

    assert come("later", first + 9 * DAY) == 12
    assert asked == [], "what came at another time changes nothing"
    assert come("now", first + 5 * DAY + HOUR) == 14
    assert max(asked) < DAY, "what came on the last day makes no whole day another one"
    assert come("late", first + 2 * DAY) == 16, "what came late into a whole day is told"
    made.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = run("network", bigplant.stored(), monkeypatch, lang=language, range="24h")
    for words in (
        {"en": "282 of 301 assets talk · 237 links · 9 new, 0 gone", "zh": "301 个资产中 282 个有通信 · 237 条连接 · 与此前"}[language],
        {"en": "Supervision", "zh": "监控层"}[language],
        {"en": "Program, new", "zh": "编程（新增）"}[language],
        {"en": "Critical · 2 alerts", "zh": "严重 · 2 条告警"}[language],
        {"en": '"low": "Low"', "zh": '"low": "低"'}[language],
        {"en": "download a program to the controller", "zh": "下装程序"}[language],
        json.dumps(HOSTILE)[1:-1],
    ):
        assert words in told


def test_a_chosen_asset_has_its_links_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plc = bigplant.assets()["PLC-8"].id
    told = run("network", bigplant.stored(), monkeypatch, lang="en", range="24h", asset=plc)
    for words in ("Links of PLC-8", "HMI-8", "as before"):
        assert words in told


@pytest.mark.parametrize("moment", ["", "x", "9" * 30, "1", "-5"])
def test_any_moment_in_the_address_is_borne(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    assert "assets talk" in run("network", bigplant.stored(), monkeypatch, lang="en", moment=moment)


def test_the_slider_stands_in_the_address(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = queries.extent(store)
    assert whole
    stop = topology.moments(whole, queries.span_of(whole, "24h"))[-1]
    page = opened("network", bigplant.stored(), monkeypatch, lang="en", range="24h")
    page.select_slider(key="moment").set_value(stop).run()
    assert "0 new" in sent(page)
    assert page.query_params["moment"] == str(stop // 10**6)


def test_nothing_goes_to_the_browser_in_more_than_five_thousand_rows(store: Store) -> None:
    made = topology.network(store, WHOLE, WHOLE, NOW - 6 * HOUR)
    assert len(made.nodes) <= topology.MOST
    assert len(made.links.told) <= topology.MOST_LINKS


def test_of_more_links_than_a_picture_can_hold_those_of_the_chosen_asset_and_what_matters_most_are_drawn() -> None:
    assets, nothing = ["h", "quiet", *(f"p{number}" for number in range(400))], talk.table(())
    rows = talk.table([("quiet", "p1", "modbus", "value.read", 1), *(("h", name, "modbus", "value.write", 1) for name in assets[2:])])
    told = {chosen: linking.links(rows, nothing, assets, True, chosen, 300) for chosen in ("", "quiet", "p9999")}
    assert told[""] == told["p9999"]
    assert (len(told[""].told), told[""].total) == (300, 401)
    assert told["quiet"].told == [*told[""].told, Link("quiet", "p1", {"read": 1}, {"value.read": 1}, ["read"])]
    assert linking.links(nothing, nothing, assets, True, "h", 300).told == []


POLICY = """
policy: works
title: Works
title_zh: 水厂
zones:
  cell: {title: Cell, title_zh: 单元, members: [10.1.0.0/16]}
  room: {title: Room, title_zh: 中控室, members: [10.2.0.0/16]}
conduits:
  - {from: room, to: cell, protocols: [modbus], access: [read], effects: [value.write]}
"""


def test_conduits_say_what_a_policy_does_not_let_through() -> None:
    works = policy_of(POLICY.encode())
    assert works
    zones = {"plc": "cell", "hmi": "room", "hist": "room", "box": "annex"}
    kinds = [
        ("hmi", "plc", "modbus", "value.read", 60), ("panel", "plc", "modbus", "value.write", 2), ("hist", "plc", "s7comm", "value.read", 9),
        ("hmi", "plc", "modbus", "cpu.stop", 1), ("plc", "hmi", "modbus", "value.report", 5), ("plc", "box", "modbus", "value.read", 7),
        ("guest", "plc", "modbus", "value.read", 3), ("hmi", "hist", "modbus", "value.write", 8),
    ]  # fmt: skip
    found = conduits.between(talk.table(kinds), zones, {"panel": "hmi"}, [works])
    assert [(each.source, each.destination, each.judged, each.talks, each.count, each.barred) for each in found] == [
        ("room", "cell", True, 2, 72, {"value.read": 9, "cpu.stop": 1}),
        ("", "cell", True, 1, 3, {"value.read": 3}),
        ("cell", "annex", False, 1, 7, {}),
        ("cell", "room", True, 1, 5, {}),
    ]
    assert found[0].protocols == {"modbus": 63, "s7comm": 9}
    assert conduits.between(talk.table([("plc", "hmi", "dnp3", "value.report", 1)]), zones, {}, [works])[0].barred == {"value.report": 1}


def test_the_page_shows_conduits_with_what_the_policy_in_force_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, stored = tmp_path / "rules", tmp_path / "store"
    rules.mkdir()
    (rules / "works.yml").write_text(SHOWN, "utf-8")
    balefire("replay", ROOT / "tests" / "captures" / "demo.pcap", "--rules", rules, "--store", stored, "--json")
    for language, wanted in {"en": ("Conduits between zones", "not allowed"), "zh": ("区域间管道", "不允许")}.items():
        told = run("network", stored, monkeypatch, lang=language)
        assert [words in told for words in (*wanted, "supervision")] == [True] * 3
