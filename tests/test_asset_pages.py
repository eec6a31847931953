"""The inventory and one asset: what they ask of a store, and their pages without a browser."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dashboards import comparing, inventory, queries
from dashboards.page import Page
from dashboards.reference import deed_words
from records.errors import UsageError
from records.formats import HOUR, MINUTE, SECOND, Clock
from records.model import Asset, Term, Text
from records.query import Query, Span
from records.store import open_store
from records.store.contract import Commit, Store
from records.wording import LANGUAGES, say
from tests.browser import bigplant, waterworks
from tests.browser.waterworks import HOSTILE, NOW, alert, finding
from tests.cli import stored
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, run, sent

TEXT = Text("told", "told")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = open_store(str(bigplant.stored()))
    yield made
    made.close()


def named(store: Store, name: str) -> dict[str, object]:
    (row,) = inventory.called(store, name)
    return row


def test_pages_of_the_inventory_follow_each_other(store: Store) -> None:
    where = inventory.search("role:controller", {})
    first, total = inventory.assets(store, where, "name", "", 100)
    second, _ = inventory.assets(store, where, "name", str(first["id"].iloc[-1]), 100)
    assert (total, len(first), len(second)) == (180, 100, 80)
    assert len({*first["id"], *second["id"]}) == 180


@pytest.mark.parametrize(
    ("text", "facets", "count"),
    [
        ("", {"role": "hmi", "zone": "Dosing"}, 13),
        ("", {"level": "4"}, 12),
        ("", {"zone": "-"}, 28),
        ("addresses:10.25.0.17", {}, 1),
        ("firmware:2.3", {"vendor": "Norrstrom Elektronik", "criticality": "critical"}, 1),
    ],
)
def test_the_inventory_is_narrowed(store: Store, text: str, facets: dict[str, str], count: int) -> None:
    assert inventory.assets(store, inventory.search(text, facets), "-last", "")[1] == count


def test_open_alerts_are_those_of_the_asset_under_all_its_identities(store: Store) -> None:
    risks = inventory.risks(store)
    plc = named(store, "PLC-7")
    found = inventory.risk_of(plc, risks)
    assert found
    assert (found.severity, found.alerts, found.level) == (91, 2, "critical")
    assert inventory.risk_of({"id": "new", "aliases": [str(plc["id"])]}, risks) == found
    assert inventory.risk_of(named(store, "PLC-8"), risks) is None
    assert inventory.by_asset({"old": found, **risks}, {"old": str(plc["id"])})[str(plc["id"])] == found
    assert inventory.assets(store, inventory.search("", {}, risks), "name", "")[1] == 2
    assert inventory.assets(store, inventory.search("", {}, ()), "name", "")[1] == 0


def test_assets_at_risk_are_told_once_worst_first(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Span(NOW - 24 * HOUR, NOW + 1)
    found, total = inventory.at_risk(store, day)
    assert ([(row["name"], risk.severity, risk.alerts) for row, risk in found], total) == ([("PLC-7", 91, 2), ("ENG-WS-2", 91, 2)], 2)
    monkeypatch.setattr(queries, "MOST_ALERTS", 1)  # of which the sentence is made, and nothing else
    writer = open_store(str(tmp_path / "store"), write=True)
    named = (("new",), ("old", "nobody"), ("old", "new"))  # before and after its addresses were known to be one asset's, and both
    alerts = [alert(finding(f"{place:032}", NOW, (Term("t", "t", 73.0 - place),), TEXT, TEXT, assets=each)) for place, each in enumerate(named)]
    writer.write(Commit(alerts=tuple(alerts), assets=(Asset("new", "PLC-9", ("10.9.9.9",), NOW, NOW, site=waterworks.SITE, aliases=("old",)),)))
    found, total = inventory.at_risk(writer, day, 1)
    assert ([(row["name"], risk.severity, risk.alerts) for row, risk in found], total) == ([("PLC-9", 73, 3)], 2)
    assert [(row.get("name") or row["id"], risk.alerts) for row, risk in inventory.at_risk(writer, day)[0]] == [("PLC-9", 3), ("nobody", 1)]
    writer.close()


def test_who_it_talks_to(store: Store) -> None:
    talks = inventory.talks(store, named(store, "PLC-7"), Span(NOW - 24 * HOUR, NOW + 1))
    assert [(talk.direction, talk.name) for talk in talks] == [("asked", "HMI-7"), ("asked", "ENG-WS-2")]
    assert talks[1].effects == {"value.write": 3, "identity.read": 1, "configuration.write": 1, "program.download": 1, "cpu.stop": 1}
    assert inventory.talks(store, named(store, "PLC-7"), Span(0, 1)) == []


def test_a_point_is_told_once_with_its_last_value(store: Store) -> None:
    found = inventory.last_points(store, ["10.25.0.17"], Span(NOW - 8 * HOUR, NOW + 1))
    assert len(found) == len(bigplant.REGISTERS)
    assert {tuple(row["ot.tag.name"]): row["ot.point.last"] for row in found}["chlorine set point",] == 4.6
    assert inventory.last_points(store, [], Span(0, NOW)) == []


@pytest.mark.parametrize(("name", "count"), [("PLC-7", 1), ("10.25.0.17", 1), ("plc-7", 1), ("nobody", 0), ("", 0), ("%", 0), ("' OR 1=1 --", 0)])
def test_an_asset_is_called_by_name_or_address(store: Store, name: str, count: int) -> None:
    assert len(inventory.called(store, name)) == count


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-22", 1_795_276_800, 1_795_363_200),  # midnight to midnight of the page's clock
        ("2026-11-22T03:00", 1_795_287_600, 1_795_287_660),
        ("2026-11-21T19:00Z", 1_795_287_600, 1_795_287_660),
        ("2026-11-22T01:00/2026-11-22T03:00", 1_795_280_400, 1_795_287_600),
    ],
)
def test_the_time_to_compare_with_is_by_the_clock_of_the_page(store: Store, text: str, since: int, until: int) -> None:
    page = Page(store, "en", Clock(ZoneInfo("Asia/Shanghai"), "en"), Span(NOW - HOUR, NOW), "1h")
    assert comparing.told(page, text) == Span(since * 10**9, until * 10**9)


@pytest.mark.parametrize("text", ["yesterday", "2026", "2026-11-22/2026-11-21", "2026-01-01/2026-12-01", "a/b/c"])
def test_what_is_no_time_to_compare_with_is_said(store: Store, text: str) -> None:
    page = Page(store, "en", Clock(UTC, "en"), Span(NOW - HOUR, NOW), "1h")
    with pytest.raises(UsageError, match="no date or period"):
        comparing.told(page, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = run("assets", bigplant.stored(), monkeypatch, lang=language, risky="yes")
    for words in ("ENG-WS-2", "PLC-7", "10.25.0.17", say("dashboard.assets.firmware", language, version="2.3"), {"en": "2 alerts", "zh": "2 条告警"}[language]):
        assert words in told
    assert '"text": "PLC-8"' not in told


def test_the_list_is_paged_and_its_place_stands_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("assets", bigplant.stored(), monkeypatch, lang="en", sort="name")
    assert "1–50 of 301" in sent(page)
    page.button(key="on_assets").click().run()
    assert "51–100 of 301" in sent(page)
    assert page.query_params["after"].startswith("50~")
    page.button(key="back_assets").click().run()
    assert "1–50 of 301" in sent(page)


def test_a_search_that_does_not_parse_is_said_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Did you mean vendor" in run("assets", bigplant.stored(), monkeypatch, lang="en", q="vender:x")


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_asset(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7")
    head = drawn(page, "headline")
    assert (head["level"], head["tag"]) == ("critical", {"en": "Worst open alert: Critical", "zh": "最严重的未关闭告警：严重"}[language])
    assert head["meta"][0] == ["", {"en": "controller", "zh": "控制器"}[language]]
    told = sent(page)
    changed = {"en": "Firmware: 2.1 → 2.3", "zh": "固件：2.1 → 2.3"}[language]
    asked = {"en": "ENG-WS-2 (10.23.0.12) asks it to stop the controller", "zh": "ENG-WS-2（10.23.0.12） 要求其停止控制器"}[language]
    for words in ("chlorine set point", "4.6 mg/L", changed, asked, "modbus:identity", {"en": "critical", "zh": "关键"}[language]):
        assert words in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_fingerprint_against_the_time_before(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = run("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", against="before")
    assert {"en": "New: ENG-WS-2 (10.23.0.12) asks it to write values, chlorine set point", "zh": "新增：ENG-WS-2（10.23.0.12） 要求其写入数值"}[
        language
    ] in told
    assert {"en": " · known 1 · new ", "zh": " · 已知信息 1 · 新增 "}[language] in told, "its firmware, as the command tells"
    none = run("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", against="other", other="2020-01-01")
    assert {"en": "Nothing was seen of it in 1 Jan 2020", "zh": "期间未见其任何活动"}[language] in none
    assert {"en": "is no date or period", "zh": "不是日期或时段"}[language] in run(
        "asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", against="other", other="soon"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_long_period_its_fingerprint_is_that_of_the_end(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    end = {"en": "The end of the period, ", "zh": "仅所选时段的末段（"}[language]
    assert end not in run("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", range="24h")
    monkeypatch.setattr("dashboards.comparing.ALONE", HOUR)
    assert end in run("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", range="24h")
    assert end not in run("asset", bigplant.stored(), monkeypatch, lang=language, asset="PLC-7", range="24h", against="before")


def test_what_is_known_differs_though_nothing_was_seen_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    early = f"{datetime.fromtimestamp((NOW - 30 * HOUR - 30 * MINUTE) / SECOND, UTC):%Y-%m-%dT%H:%M}Z"
    told = run("asset", bigplant.stored(), monkeypatch, lang="en", asset="PLC-7", against="other", other=early)
    assert "Nothing was seen of it in" in told.partition(" · known 1 · ")[2]


def test_an_asset_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No asset is called so" in run("asset", bigplant.stored(), monkeypatch, lang="en", asset="nope")
    assert "No asset is called so" in run("asset", bigplant.stored(), monkeypatch, lang="en")


def test_hostile_names_are_data_and_no_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("asset", bigplant.stored(), monkeypatch, lang="en", asset="10.99.0.1")
    assert json.dumps(HOSTILE)[1:-1] in sent(page)
    assert not any(HOSTILE in element.value for element in page.markdown)


@pytest.mark.parametrize("view", ["assets", "asset", "network", "explore"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_without_data_the_page_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str, language: str) -> None:
    assert "balefire replay FILE" in run(view, tmp_path / "nothing", monkeypatch, lang=language)
    assert not (tmp_path / "nothing").exists()
    waterworks.fill_little(tmp_path / "little")
    told = run(view, tmp_path / "little", monkeypatch, lang=language)
    if view == "explore":
        assert "holding register" in told or "保持寄存器" in told
    else:
        assert "balefire " in told


@pytest.mark.parametrize("view", ["assets", "asset", "network", "explore"])
def test_a_replayed_capture_is_shown(monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    assert "10.20.1.66" in run(view, stored()[0], monkeypatch, lang="zh", asset="10.20.1.66", q="", range="all")


def test_names_on_other_pages_lead_to_the_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    plc = named(open_store(str(bigplant.stored())), "PLC-7")["id"]
    assert f'"asset?lang=en&asset={plc}"' in run("situation", bigplant.stored(), monkeypatch, lang="en")
    assert f'"asset?lang=en&asset={plc}"' in run("alert", bigplant.stored(), monkeypatch, lang="en", id="a" * 33)


def test_the_plant_is_as_large_as_it_says(store: Store) -> None:
    assert store.count("asset", Query()) == 301
    assert queries.extent(store)


def test_a_list_of_what_was_done_has_no_deed_without_its_verb() -> None:
    told = {language: [deed_words(effect, language) for effect in ("value.read", "value.report", "interrogation")] for language in LANGUAGES}
    assert told["en"] == ["read values", "report values", "report all its values (general interrogation)"]
    assert told["zh"] == ["读取数值", "上送数值", "上送全部数据（总召唤）"]
