"""Rules on the dashboard: those that the store was judged by, as they were then."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import queries, rulings
from dashboards.queries import span_of
from detectors.rulebook import versions
from records.store import open_store
from records.wording import LANGUAGES
from tests.browser import waterworks
from tests.cli import lines, one, short, stored
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, run, sent

GOOD = """title: "{source} wrote <b>**registers**</b> of {destination}"
title_zh: "{source} 写入 {destination} 的寄存器"
id: any-write
status: test
description: Somebody wrote it.
description_zh: 有人写入。
logsource:
  product: balefire
detection:
  acts:
    ot.access: write
  condition: acts
level: medium
tests:
  fires:
    - ot: {effect: value.write}
  quiet:
    - {}
"""
BAD = GOOD.replace("any-write", "broken").replace("ot.access: write", "ot.acces: write")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store judged by two rules of the site, of which one cannot be loaded; the files are gone since."""
    home = tmp_path_factory.mktemp("judged")
    rules = home / "site"
    rules.mkdir()
    (rules / "any-write.yml").write_text(GOOD, "utf-8")
    (rules / "broken.yml").write_text(BAD, "utf-8")
    one("replay", short(home), "--rules", rules, "--store", home / "store", status=3)
    for file in rules.iterdir():
        file.unlink()
    return home / "store"


def test_rules_are_those_that_the_store_was_judged_by(judged: Path) -> None:
    store = open_store(str(judged))
    book = rulings.in_force(store)
    assert book
    rules = {rule.id: rule for rule in book.book.rules}
    assert "broken" not in rules
    assert book.texts[rules["any-write"].file] == GOOD
    assert book.places[rules["any-write"].file].endswith("site/any-write.yml")
    assert rules["identity-read"].file in book.own
    assert {problem.check for problem in book.problems(rules["any-write"])} >= {"misses", "respond"}
    assert book.problems(rules["identity-read"]) == []
    assert book.failed(rules["any-write"]) == {}
    store.close()


def test_a_store_that_has_kept_none_or_nonsense_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waterworks.fill_little(tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    assert rulings.in_force(store) is None
    monkeypatch.setattr(versions, "decoded", refuse)
    assert rulings.in_force(store) is None
    store.close()


def refuse(_state: bytes | None) -> list[versions.Version]:
    raise ValueError("these are no versions of rules")


def test_findings_are_counted_by_rule() -> None:
    store = open_store(str(stored()[0]))
    whole = queries.extent(store)
    assert whole
    counts = rulings.findings_by_rule(store, span_of(whole, "all"))
    assert sum(counts.values()) == store.count("finding", queries.Query())
    found, total = rulings.newest_findings(store, "unknown-function-refused")
    assert total == counts["unknown-function-refused"] == 30
    assert len(found) == 20
    assert [row["time"] for row in found] == sorted((row["time"] for row in found), reverse=True)
    store.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list(judged: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = run("rulebook", judged, monkeypatch, lang=language)
    for words in (
        "any-write",
        "broken.yml:11",
        {"en": "This site", "zh": "本站点"}[language],
        {"en": "A host stopped, restarted or silenced many devices within 10 min", "zh": "某主机在 10 分钟内停止、重启或静默了多台设备"}[language],
        {"en": "Did you mean", "zh": "ot.access"}[language],
    ):
        assert words in told
    assert "identity-read" in run("rulebook", judged, monkeypatch, lang=language, q="identity-read")
    own = run("rulebook", judged, monkeypatch, lang=language, kind="site")
    assert '"sub": "any-write"' in own
    assert '"sub": "identity-read"' not in own
    assert '"sub": "identity-read"' in run("rulebook", judged, monkeypatch, lang=language, q="T0888 reconnaissance", level="low")


def data_of(page: AppTest, key: str) -> Any:
    """What the component that has such a key in its data was sent."""
    assert not page.exception
    told = [json.loads(line) for line in sent(page).splitlines() if line.startswith("{") and f'"{key}":' in line]
    return told[-1]


def counted(page: AppTest) -> dict[tuple[str, str], int]:
    """How many rules each value of a facet says it leaves."""
    groups = data_of(page, "groups")["groups"]
    return {(group["name"], row["value"]): row["count"] for group in groups for row in group["rows"]}


def listed(page: AppTest) -> list[str]:
    return [row[0]["sub"] for row in data_of(page, "head")["rows"]]


def test_a_facet_says_how_many_rules_it_leaves_whatever_else_is_chosen(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = counted(opened("rulebook", judged, monkeypatch, lang="en"))
    areas = {value: count for (name, value), count in whole.items() if name == "area"}
    assert areas.keys() == {"configuration", "control", "program", "reconnaissance", "traffic", "site"}
    assert sum(areas.values()) == sum(count for (name, _), count in whole.items() if name == "level")
    page = opened("rulebook", judged, monkeypatch, lang="en", area="program")
    assert len(listed(page)) == areas["program"]
    some = counted(page)
    assert {value: count for (name, value), count in some.items() if name == "area"} == areas, "one can go on to another area"
    assert sum(count for (name, _), count in some.items() if name == "level") == areas["program"]
    level = next(value for name, value in some if name == "level")
    assert len(listed(opened("rulebook", judged, monkeypatch, lang="en", area="program", level=level))) == some["level", level]
    assert len(listed(opened("rulebook", judged, monkeypatch, lang="en", area="<b>", level="x"))) == 25, "what is none of them narrows nothing"


def test_rules_are_turned_page_by_page(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, seen = opened("rulebook", judged, monkeypatch, lang="en"), list[str]()
    total = sum(count for (name, _), count in counted(page).items() if name == "area")
    while len(seen) < total:
        seen += listed(page)
        if not page.button(key="on_rulebook").disabled:
            page.button(key="on_rulebook").click().run()
    assert len(set(seen)) == len(seen) == total > 50
    page.button(key="back_rulebook").click().run()
    assert listed(page) == seen[(total - 1) // 25 * 25 - 25 :][:25]
    assert f"of {total}" in page.markdown[-1].value


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_rule(judged: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = run("rule", judged, monkeypatch, lang=language, rule="any-write")
    for words in (
        "ot.access: write",
        {"en": "A host wrote <b>**registers**</b> of a device", "zh": "某主机写入某设备的寄存器"}[language],
        {"en": "as it should", "zh": "符合预期"}[language],
        {"en": "4 remarks of the linter", "zh": "检查提出 4 条意见"}[language],
        {"en": "10.10.1.10 asked 10.10.1.20, unit 1, to write values", "zh": "10.10.1.10 要求 10.10.1.20"}[language],
        {"en": "Nothing hides its findings", "zh": "没有抑制规则"}[language],
    ):
        assert words in told


@pytest.mark.parametrize("name", ["unit-sweep", "many-stopped", "port-of-another", "polls-unanswered"])
def test_rules_of_every_kind_are_shown(judged: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert f"{name}.yml" in run("rule", judged, monkeypatch, lang="zh", rule=name)


def test_a_suppression_stands_on_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one("replay", Path(__file__).parent / "captures" / "demo.pcap", "--store", tmp_path / "store")
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", tmp_path / "store")
    lines("suppress", alert["id"], "--reason", "commissioning", "--by", "Wang", "--store", tmp_path / "store")
    told = run("rule", tmp_path / "store", monkeypatch, lang="en", rule="device-silenced")
    for words in ("commissioning", "Wang", "in force"):
        assert words in told


@pytest.mark.parametrize("view", ["rulebook", "rule"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_without_rules_the_page_says_what_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str, language: str) -> None:
    assert "balefire replay FILE" in run(view, tmp_path / "nothing", monkeypatch, lang=language)
    waterworks.fill_little(tmp_path / "little")
    assert "balefire replay FILE" in run(view, tmp_path / "little", monkeypatch, lang=language, rule="x")


def test_a_rule_nobody_knows_is_said(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such rule" in run("rule", judged, monkeypatch, lang="en", rule="nope")


def test_what_is_shown_is_what_was_recorded(judged: Path) -> None:
    store = open_store(str(judged))
    book = rulings.in_force(store)
    assert book
    assert book.id == versions.decoded(store.state(versions.STATE))[-1].id
    store.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_before_anything_is_stored_the_bundled_rules_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("rulebook", tmp_path / "nothing", monkeypatch, lang=language)
    assert "balefire replay FILE" in sent(page)
    told = drawn(page, "table")
    assert len(told["rows"]) == len(rulings.installed().book.rules) > 50
    assert any(row[0]["sub"] == "controller-restarted" and row[3] for row in told["rows"])
    assert not (tmp_path / "nothing").exists()
