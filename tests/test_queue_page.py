"""The queue of alerts: what is new since the last visit, and the text for the shift book."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboards import handover, opening
from dashboards.serve import ZONE
from records.formats import Clock
from records.model import Batch, Term, Text
from records.nesting import iso
from records.query import Query
from records.store import open_store
from records.store.contract import Change, Commit
from records.wording import LANGUAGES, say
from tests.browser import waterworks
from tests.browser.waterworks import HOSTILE, HOUR, MINUTE, NOW, STORY, alert, coverage, finding, table
from tests.cli import lines
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, sent

NEW = {"en": "New since my last visit", "zh": "上次查看之后"}
MUCH = 510  # alerts


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More alerts than a page shows, many of one severity."""
    place = tmp_path_factory.mktemp("much") / "store"
    words = Text("Read what it never read", "读取从未读过的内容")
    terms = [(Term("First time", "首次", score),) for score in (66.0, 66.0, 31.0, 91.0)]
    found = tuple(finding(f"{n * 7919 % 10_000:032d}", NOW - n * MINUTE, terms[n % 4], words, words) for n in range(MUCH))
    store = open_store(str(place), write=True)
    seen = Batch(coverage=table("coverage", coverage("SPAN-1", NOW - 24 * HOUR, NOW + 1)))
    store.write(Commit(seen, tuple(replace(each, alert=f"a{each.id}") for each in found), tuple(alert(each) for each in found)))
    store.close()
    return place


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that a test may change."""
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    waterworks.fill(tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_new_since_the_last_visit_is_marked_and_can_be_had_alone(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    since = NOW - 6 * HOUR
    newer = {row["id"] for row in lines("alerts", "--where", "NOT status:closed", "--since", iso(since + 1), "--store", own)}
    page = opened("alerts", own, monkeypatch, lang=language, range="all")
    assert say("dashboard.visit.tag", language) not in sent(page)
    assert not [option for option in looks(page) if option.startswith(NEW[language])]
    page.session_state["visited"] = str(since)
    page.run()
    rows = drawn(page, "queue")["rows"]
    assert {row["id"] for row in rows if row["fresh"]} == newer
    assert 0 < len(newer) < len(rows)
    assert f"{NEW[language]} · {len(newer)}" in looks(page)
    page.segmented_control(key="looked_at").set_value("new").run()
    assert {row["id"] for row in drawn(page, "queue")["rows"]} == newer
    assert page.query_params["new"] in (str(since), [str(since)]), "whoever is sent the address sees the same"
    page.button(key="seen_all").click().run()
    assert "new" not in page.query_params
    visit = drawn(page, "visit")
    assert visit["seen"] == visit["newest"]
    assert int(visit["newest"]) >= NOW


@pytest.mark.parametrize("mark", ["soon", "-1", "9" * 40])
def test_a_mark_that_is_none_is_no_visit(own: Path, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    page = opened("alerts", own, monkeypatch, lang="en", range="all", new="1")
    page.session_state["visited"] = mark
    page.run()
    assert len(drawn(page, "queue")["rows"]) == 29
    assert len(looks(page)) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_how_many_are_open_and_mine_is_told_and_a_press_narrows_the_list_in_the_address(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    lines("alert", "assign", f"a{STORY}", "--to", "Li Wei", "--by", "Li Wei", "--store", own)
    page = opened("alerts", own, monkeypatch, lang=language, range="all", status="all", verdict="true", q="severity:>=60")
    found = len(lines("alerts", "--where", "severity:>=60 AND NOT status:closed", "--store", own))
    assert looks(page) == {"en": [f"Open · {found}", "Mine · 1"], "zh": [f"未关闭 · {found}", "我处理的 · 1"]}[language], "beside the search"
    assert page.segmented_control(key="looked_at").value is None, "another choice of filters is none of these"
    page.segmented_control(key="looked_at").set_value("mine").run()
    assert [row["id"] for row in drawn(page, "queue")["rows"]] == [f"a{STORY}"]
    assert {name: page.query_params.get(name) for name in ("assignee", "status", "verdict")} == {"assignee": "Li Wei", "status": None, "verdict": None}
    page.segmented_control(key="looked_at").set_value("open").run()
    assert len(drawn(page, "queue")["rows"]) == found
    assert "assignee" not in page.query_params


@pytest.mark.parametrize("language", LANGUAGES)
def test_how_much_of_the_period_was_seen_stands_beside_the_count(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    told = [each.value for each in opened("alerts", own, monkeypatch, lang=language, range="24h").markdown]
    assert [
        words for words in told if re.fullmatch({"en": r":gray\[coverage of the period [\d.]+ ?%\]", "zh": r":gray\[本时段覆盖率 [\d.]+ ?%\]"}[language], words)
    ]


def looks(page: AppTest) -> list[str]:
    """What may be looked at, with how many there are."""
    return list(page.segmented_control(key="looked_at").options)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shift_book_has_what_is_open_what_was_decided_and_what_was_not_seen(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    other = next(row["id"] for row in lines("alerts", "--where", "status:open", "--limit", "9", "--store", own) if row["id"] != f"a{STORY}")
    lines("alert", "assign", f"a{STORY}", "--to", "Zhao Min", "--by", "Li Wei", "--store", own)
    lines("alert", "close", other, "--verdict", "false", "--note", "a drill\nof\tnight shift\x1b[31m", "--by", "Li Wei", "--store", own)
    page = opened("alerts", own, monkeypatch, lang=language, range="24h")
    page.button(key="handover_button").click().run()
    told = drawn(page, "handover")
    assert [each["language"] for each in told["texts"]] == [language, *({"en", "zh"} - {language})]
    text = told["texts"][0]["text"]
    words = {
        "en": ("1. [Critical 91] Chlorine set point on PLC-7", "Li Wei · closed", "SPAN-2 saw no packets for 4 min", "NOT SEEN: coverage 99."),
        "zh": ("1. [严重 91] 从未写过该点的工程师站改写了 PLC-7", "Li Wei · 关闭", "SPAN-2 有 4 分钟没有看到数据包", "载荷覆盖 99."),
    }[language]
    for word in (*words, waterworks.SITE, "(Zhao Min)", "a drill of night shift\\x1b[31m", HOSTILE, "tcp/102"):
        assert word in text, word
    assert not any(line.startswith(("=", "+", "-", "@")) for line in text.splitlines()), "pasted into a sheet it would be a formula"
    page.button(key="handover_button").click().run()
    assert "balefire_handover" not in sent(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_held_shift_book_has_what_was_decided_in_its_own_period(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """Who opens the text of last week has last week's decisions, not those of the last hours; of one that is not held, those that came after it, too."""
    monkeypatch.setenv(ZONE, "UTC")
    decided = {"after": NOW - HOUR // 2, "within": NOW - 4 * HOUR, "before": NOW - 10 * HOUR}
    store = open_store(str(own), write=True)
    for word, moment in decided.items():
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda moment=moment: moment)
            store.change([Change("alert", f"a{STORY}", None, "note", "Li Wei", note=f"decided {word}")])
    store.close()
    seen = dict[str, tuple[set[str], str]]()
    for until in ("", str(NOW - HOUR)):
        page = opened("alerts", own, monkeypatch, lang=language, range="8h", handover="1", **({"until": until} if until else {}))
        text = drawn(page, "handover")["texts"][0]["text"]
        head = next(line for line in text.splitlines() if line.startswith(("DECIDED", "【处置记录】")))
        seen[until] = {word for word in decided if f"decided {word}" in text}, head
    clock = Clock(UTC, language)
    assert seen[""][0] == {"after", "within"}
    held, head = seen[str(NOW - HOUR)]
    assert held == {"within"}
    assert all(clock.moment(moment) in head for moment in (NOW - 9 * HOUR, NOW - HOUR - 1)), head


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shift_book_of_a_quiet_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    waterworks.fill_little(tmp_path / "store")
    page = opened("alerts", tmp_path / "store", monkeypatch, lang=language, handover="1")
    text = next(each["text"] for each in drawn(page, "handover")["texts"] if each["language"] == language)
    assert say("dashboard.handover.open_none", language) in text
    assert re.search(say("dashboard.handover.decided_none", language, since=".+", until=".+"), text)
    assert "99.9" in text


def test_a_stored_text_stays_on_its_line() -> None:
    assert handover.plain("a\r\nb\u2028c\u202ed\x00") == "a b c\\u202ed\\x00"
    assert handover.plain("x" * 500, 10) == "x" * 9 + "…"
    assert json.dumps(handover.plain("加\u200b氯"), ensure_ascii=False) == '"加氯"'


def test_a_store_without_alerts_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(str(tmp_path / "store"), write=True).close()
    assert "balefire replay FILE" in sent(opened("alerts", tmp_path / "store", monkeypatch, lang="en", handover="1", new="1"))


def test_the_queue_is_turned_over_on_the_server_to_its_end(much: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is read for itself, and all of them together are all alerts; a filter, or another time, begins anew."""
    page = opened("alerts", much, monkeypatch, lang="en", range="all")
    reads: list[int | None] = []
    read = opening.opened().read

    def noted(table: str, query: Query) -> pa.Table:
        reads.extend([query.limit] if table == "alert" else [])
        return read(table, query)

    monkeypatch.setattr(opening.opened(), "read", noted)
    seen = [row["id"] for row in drawn(page, "queue")["rows"]]
    while not page.button(key="on_alerts").disabled:
        page.button(key="on_alerts").click().run()
        seen += [row["id"] for row in drawn(page, "queue")["rows"]]
    assert len(seen) == len(set(seen)) == MUCH
    assert set(reads) == {50}
    before = seen[-(MUCH % 50 or 50) - 50 : -(MUCH % 50 or 50)]
    page.button(key="back_alerts").click().run()
    assert [row["id"] for row in drawn(page, "queue")["rows"]] == before
    page.selectbox(key="picked_alerts_status").set_value("all").run()
    assert "after" not in page.query_params
    page.button(key="on_alerts").click().run()
    page.segmented_control(key="choice_range").set_value("7d").run()
    assert "after" not in page.query_params
    assert [row["id"] for row in drawn(page, "queue")["rows"]] == seen[:50]


@pytest.mark.parametrize(("view", "part"), [("alerts", "queue"), ("assets", "table"), ("explore", "table")])
def test_a_page_that_begins_nowhere_gives_way_to_the_first(much: Path, own: Path, monkeypatch: pytest.MonkeyPatch, view: str, part: str) -> None:
    """Behind a row that is no more, or behind the last."""
    store = much if view == "alerts" else own
    first = drawn(opened(view, store, monkeypatch, lang="en", range="all", view="table"), part)["rows"]
    last = min(n * 7919 % 10_000 for n in range(2, MUCH, 4))
    for odd in ("50~nothing", "-1~x", f"50~a{last:032d}")[: 3 if view == "alerts" else 2]:
        page = opened(view, store, monkeypatch, lang="en", range="all", view="table", after=odd)
        assert drawn(page, part)["rows"] == first, odd
