"""The pages run without a browser: what they say of full, of little and of no data, in both languages, and when they are drawn anew."""

import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dashboards import kit, page, queries, serve
from dashboards.navigation import places
from records import formats
from records.model import Batch
from records.query import Span
from records.schema import COVERAGE, arrow_schema
from records.store import open_store
from records.store.contract import Commit, Store
from records.wording import LANGUAGES
from tests.browser import waterworks
from tests.browser.waterworks import HOUR, MINUTE, NOW, STORY
from tests.cli import lines, stored

VIEWS = Path(queries.__file__).parent / "views"

# Which packages hold components of Streamlit is looked for anew for every page: half of what the pages take. They stay what they are.
setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))  # noqa: B010 - a function is no name to set


def test_a_page_that_only_links_lead_to_is_within_another() -> None:
    shown = {place.address for place in places() if place.place}
    assert {place.within for place in places() if not place.place} <= shown
    assert all(not place.within for place in places() if place.place)


def run(view: str, store: Path | str, monkeypatch: pytest.MonkeyPatch, /, **parameters: str) -> str:
    """One page without a browser, and every text it sends to one."""
    monkeypatch.setenv("BALEFIRE_STORE", str(store))
    page = AppTest.from_file(str(VIEWS / f"{view}.py"), default_timeout=60)
    for name, value in parameters.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return "\n".join(text for element in leaves(page.main) for text in texts(element.proto))


def opened(view: str, store: Path, monkeypatch: pytest.MonkeyPatch, /, **parameters: str) -> AppTest:
    """A page that did not crash."""
    page = tried(view, store, monkeypatch, **parameters)
    assert not page.exception
    return page


def tried(view: str, store: Path, monkeypatch: pytest.MonkeyPatch, /, **parameters: str) -> AppTest:
    """A page, whatever became of it."""
    monkeypatch.setenv("BALEFIRE_STORE", str(store))
    page = AppTest.from_file(str(VIEWS / f"{view}.py"), default_timeout=60)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run()


def sent(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(text for element in leaves(page.main) for text in texts(element.proto))


def leaves(block: Any) -> Iterator[Any]:
    """Every element of a block, however deep."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from leaves(child)
        else:
            yield child


def texts(message: Any) -> Iterator[str]:
    """Every text of a protocol message; what components are sent is JSON, written out so that other than ASCII can be read."""
    for _field, value in message.ListFields():
        parts: list[Any] = [value] if isinstance(value, str | bytes) or not isinstance(value, Sequence) else list(cast("Sequence[Any]", value))
        for part in parts:
            if isinstance(part, str):
                yield json.dumps(json.loads(part), ensure_ascii=False) if part.startswith("{") else part
            elif hasattr(part, "ListFields"):
                yield from texts(part)


def earlier(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """So many times the store ends an hour before it does."""
    told, extent = iter(range(times)), queries.extent

    def short(store: Store) -> Span | None:
        whole = extent(store)
        return whole and (whole if next(told, None) is None else Span(whole.since, whole.until - HOUR))

    monkeypatch.setattr(queries, "extent", short)


def test_the_situation_is_drawn_anew_where_there_are_newer_packets(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = run("situation", full, monkeypatch, lang="en")
    earlier(monkeypatch, 1)
    assert run("situation", full, monkeypatch, lang="en") != now, "not at once: it may have been drawn just now"
    earlier(monkeypatch, 1)
    monkeypatch.setattr(page, "EVERY_S", 0)
    assert run("situation", full, monkeypatch, lang="en") == now


def test_a_period_that_is_held_ends_where_it_did(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the address of a page shows today it shows when newer packets have come; a moment that is none is dropped."""
    earlier(monkeypatch, 1)
    was = opened("alerts", full, monkeypatch, lang="en", range="8h")
    was.button(key="hold").click().run()
    until = str(was.query_params["until"])
    queue = was.session_state["queue"]
    monkeypatch.undo()
    now = opened("alerts", full, monkeypatch, lang="en", range="8h", until=until)
    assert now.session_state["queue"] == queue
    assert re.search(r"the 8 hours before [^\n]*, held", sent(now))
    assert "arrived" not in {each.key for each in now.button}, "nothing is offered that is not of this period"
    assert "range=8h&until=" + until in run("situation", full, monkeypatch, lang="en", range="8h", until=until)
    now.button(key="let_go").click().run()
    assert "until" not in now.query_params
    assert now.session_state["queue"] != queue
    for odd in ("٣", str(NOW + HOUR)):
        assert "before the newest packet" in run("situation", full, monkeypatch, lang="en", range="8h", until=odd)


@pytest.mark.parametrize("view", ["covering", "network", "assets", "explore", "asset"])
def test_a_page_that_stays_says_that_newer_packets_have_come(full: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    earlier(monkeypatch, 1)
    shown = opened(view, full, monkeypatch, lang="en", range="24h", asset="PLC-7")
    before = sent(shown)
    assert shown.button(key="newer").label == "Packets of 1 h more have come: show them"
    shown.button(key="newer").click().run()
    assert not [each for each in shown.button if each.key == "newer"]
    assert sent(shown) != before
    earlier(monkeypatch, 1)
    assert not [each for each in opened(view, full, monkeypatch, until=str(NOW - 2 * HOUR), range="24h", asset="PLC-7").button if each.key == "newer"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_queue_stays_and_says_what_has_come(full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    assert not [each for each in opened("alerts", full, monkeypatch, lang=language, range="all").button if each.key == "arrived"]
    earlier(monkeypatch, 1)
    queue = opened("alerts", full, monkeypatch, lang=language, range="all")
    before = len(queue.session_state["queue"])
    fresh = queue.button(key="arrived")
    assert {"en": "come since this list was made", "zh": "列表生成后新到"}[language] in fresh.label
    fresh.click().run()
    assert not queue.exception
    assert len(queue.session_state["queue"]) > before
    assert not [each for each in queue.button if each.key == "arrived"]


@pytest.mark.parametrize(("ago", "words"), [(2, "newest packet {} s ago"), (400, "")])
def test_how_old_the_newest_packet_is_is_told_where_packets_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ago: int, words: str) -> None:
    then = time.time_ns() - ago * formats.SECOND
    writer = open_store(str(tmp_path / "store"), write=True)
    seen = [{**row, "event.end": then} for row in waterworks.coverage("SPAN-1", then - MINUTE, then)]
    writer.write(Commit(Batch(coverage=waterworks.table("coverage", seen))))
    writer.close()
    told = run("covering", tmp_path / "store", monkeypatch, lang="en")
    assert (words in told) if words else "ago" not in told


HEADS = {"en": "Chlorine set point on PLC-7", "zh": "改写了 PLC-7 的加氯设定值"}


@pytest.mark.parametrize(("view", "parameters"), [("situation", {}), ("situation", {"view": "wall"}), ("alerts", {"handover": "1"})])
def test_times_are_those_of_the_plant_where_its_zone_is_set(full: Path, monkeypatch: pytest.MonkeyPatch, view: str, parameters: dict[str, str]) -> None:
    monkeypatch.setattr("dashboards.wall.LIVE", -1)  # the clock is that of the newest packet
    for zone, told in (("Asia/Shanghai", "22 Nov 2026, 03:12 (UTC+8)"), ("America/New_York", "21 Nov 2026, 14:12 (UTC−5)"), ("", "21 Nov 2026, 19:12 (UTC)")):
        monkeypatch.setenv(serve.ZONE, zone)
        assert told in run(view, full, monkeypatch, lang="en", range="all", **parameters)


@pytest.mark.parametrize("language", LANGUAGES)
def test_situation(full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    sent = run("situation", full, monkeypatch, lang=language)
    for text in (HEADS[language], {"en": "Red warning · level I", "zh": "红色预警"}[language], "tcp/102", "SPAN-2"):
        assert text in sent
    assert "NaN" not in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_alerts(full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    sent = run("alerts", full, monkeypatch, lang=language, q="severity:>=60")
    assert HEADS[language] in sent
    assert {"en": "HMI-2 repeats read 3", "zh": "HMI-2 重复读取 3"}[language] in sent
    assert {"en": "HMI-2 repeats read 1", "zh": "HMI-2 重复读取 1"}[language] + '"' not in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_alert(full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    sent = run("alert", full, monkeypatch, lang=language, id=f"a{STORY}")
    technique, packet, terms = (
        {"en": "Modify Parameter", "zh": "修改参数"}[language],
        "night.pcap",
        {"en": "Outside the maintenance window", "zh": "不在检修窗口内"}[language],
    )
    for text in (HEADS[language], "T0836", technique, packet, terms, "40040–40043", "umas_download"):
        assert text in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_finding_says_of_normal_and_of_first_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    where = shutil.copytree(stored()[0], tmp_path / "store")  # a page keeps its store open
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", where)
    sent = run("alert", where, monkeypatch, lang=language, id=alert["id"])
    for text in ({"en": "when a line is commissioned", "zh": "仅用于线路调试"}[language], {"en": "Tell the shift", "zh": "告知当班人员"}[language]):
        assert text in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_shed_and_jumps_of_time_are_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    row = {"id": "c", "@timestamp": NOW, "event.end": NOW, "observer.name": "s", "packets": 9, "decoded_bytes": 100, "shed": 3, "jumps": 1}
    writer = open_store(str(tmp_path / "store"), write=True)
    writer.write(Commit(Batch(coverage=pa.Table.from_pylist([row], schema=arrow_schema(COVERAGE)))))
    writer.close()
    sent = run("situation", tmp_path / "store", monkeypatch, lang=language, range="all")
    for text in ({"en": "3 things that were seen", "zh": "因表满丢弃 3 项所见"}[language], {"en": "1 jump of time", "zh": "1 次时间跳变"}[language]):
        assert text in sent


def test_a_search_that_does_not_parse_is_said_in_place(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Did you mean assets" in run("alerts", full, monkeypatch, lang="en", q="aset:PLC-7")


def test_an_unknown_alert_is_said_in_place(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no alert of this identity" in run("alert", full, monkeypatch, lang="en", id="nope")


@pytest.mark.parametrize("view", sorted(path.stem for path in VIEWS.glob("[a-z]*.py")))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str, language: str) -> None:
    assert "balefire replay FILE" in run(view, tmp_path / "nothing", monkeypatch, lang=language)
    assert not (tmp_path / "nothing").exists(), "reading makes no store"


def test_a_store_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.txt").write_text("not ours", "utf-8")
    assert "cannot be read" in run("situation", tmp_path, monkeypatch, lang="en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_little_data(little: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    sent = run("situation", little, monkeypatch, lang=language)
    for text in (
        {"en": "No open alert in this period", "zh": "本时段没有未关闭的告警"}[language],
        {"en": "No warning", "zh": "无预警"}[language],
        "99.96",
        "first.pcap",
    ):
        assert text in sent
    assert {"en": "No alert here matches", "zh": "没有符合条件的告警"}[language] in run("alerts", little, monkeypatch, lang=language)


def test_no_component_declares_a_name_that_every_component_has() -> None:
    """Both are one module in a browser, which draws nothing then."""
    kit_files = Path(kit.__file__).parent
    names = {file.name: declared(file.read_text("utf-8")) for file in kit_files.glob("*.js")}
    shared = names.pop("base.js")
    assert {"el", "SVG", "POINTED"} <= shared
    assert {file: found & shared for file, found in names.items() if found & shared} == {}


def declared(script: str) -> set[str]:
    """The names that a script declares at its outermost."""
    found = set(re.findall(r"(?m)^(?:async )?(?:const|let|function) (\w+)", script))
    return found | {name for line in re.findall(r"(?m)^(?:const|let) (.*)", script) for name in re.findall(r", (\w+) = ", line)}
