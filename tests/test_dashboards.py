"""What the pages ask of a real store, how they write numbers and times, and both pages run without a browser."""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from balefire.tally import MISSED
from dashboards import counting, kit, opening, page, queries, rulings, serve, weekly
from dashboards.access import visitor
from dashboards.access.sessions import Visitor
from dashboards.deciding import plain
from dashboards.navigation import places
from dashboards.opening import look
from dashboards.queries import Filters
from dashboards.reference import object_words
from dashboards.shell import TOLD
from detectors import suppressing
from detectors.rulebook import versions
from detectors.rulebook.versions import Version
from records import formats
from records.errors import UsageError
from records.model import LEVELS, Batch
from records.query import Query, Span
from records.schema import ACTIVITY, COVERAGE, arrow_schema
from records.store import open_store
from records.store.contract import Commit, Store
from records.store.manifest import Manifest
from records.wording import LANGUAGES, say
from tests.browser import waterworks
from tests.browser.waterworks import HOUR, MINUTE, NOW, STORY
from tests.cli import ROOT, lines, stored

VIEWS = Path(queries.__file__).parent / "views"

# Which packages hold components of Streamlit is looked for anew for every page: half of what the pages take. They stay what they are.
setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))  # noqa: B010 - a function is no name to set


def test_a_page_that_only_links_lead_to_is_within_another() -> None:
    shown = {place.address for place in places() if place.place}
    assert {place.within for place in places() if not place.place} <= shown
    assert all(not place.within for place in places() if place.place)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("full") / "store"
    waterworks.fill(where)
    return where


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("little") / "store"
    waterworks.fill_little(where)
    return where


@pytest.fixture
def store(full: Path) -> Iterator[Store]:
    opened = open_store(str(full))
    yield opened
    opened.close()


def test_alerts_stand_in_the_order_in_which_they_are_asked_for(store: Store) -> None:
    gravest_first = [str(each) for each in store.read("alert", Query(sort="-severity")).column("id").to_pylist()]
    assert gravest_first != sorted(gravest_first), "or it shows nothing"
    assert [each.id for each in counting.alerts(store, [*gravest_first, "none"])] == gravest_first


@pytest.fixture
def day(store: Store) -> Span:
    whole = queries.extent(store)
    assert whole
    return queries.span_of(whole, "24h")


def test_the_period_ends_with_the_newest_packet(store: Store) -> None:
    whole = queries.extent(store)
    assert whole
    assert store.newest() == whole.until - 1
    assert [queries.span_of(whole, code).length for code in ("1h", "8h", "24h", "7d")] == [HOUR, 8 * HOUR, 24 * HOUR, 168 * HOUR]
    assert queries.span_of(whole, "all") == whole


@pytest.mark.parametrize(("length", "period"), [(MINUTE, "1h"), (HOUR, "1h"), (2 * HOUR, "8h"), (9 * HOUR, "24h"), (900 * HOUR, "24h")])
def test_little_data_is_shown_close_up(length: int, period: str) -> None:
    assert queries.default_period(Span(NOW - length, NOW)) == period


def test_bars_add_up_to_the_alerts(store: Store, day: Span) -> None:
    bars = queries.alerts_over_time(store, day)
    assert list(bars.columns) == ["time", *LEVELS]
    assert int(bars[list(LEVELS)].to_numpy().sum()) == store.count("alert", day.query())
    assert len(bars) <= 101


def test_open_alerts_by_level(store: Store, day: Span) -> None:
    counts = queries.open_by_level(store, day)
    assert counts["critical"] == 1
    assert sum(counts.values()) == store.count("alert", day.query(queries.OPEN))
    assert queries.worst(store, day)[0]["id"] == f"a{STORY}"


def test_activity_counts_operations_not_rows(store: Store, day: Span) -> None:
    acts, spoken = queries.activity_by(store, day)
    assert acts["write"] == 2
    assert acts["command"] == 4 * 26
    rows = queries.listed(store.read("activity", day.query()))
    assert spoken == {name: sum(row["ot.count"] for row in rows if row["network.protocol"] == name) for name in {row["network.protocol"] for row in rows}}
    assert sum(spoken.values()) == sum(acts.values())
    assert list(spoken.values()) == sorted(spoken.values(), reverse=True)


def test_coverage_is_the_sum_of_its_rows(store: Store, day: Span) -> None:
    sums = queries.coverage(store, day)
    assert sums["late"] == 12
    grade = queries.grade(sums)
    assert grade
    assert 99 < grade < 100
    assert queries.undecoded_ports(store, day) == [("tcp/102", "cyclic")]
    assert queries.grade(dict.fromkeys(queries.COUNTERS, 0)) is None


def test_blindness_is_where_no_packet_was_seen(store: Store, day: Span) -> None:
    whole = queries.extent(store)
    assert whole
    (first, second), known = queries.sensors(store, day, day)
    assert (first.label, second.label, known) == ("SPAN-1", "SPAN-2", 2)
    assert [gap.length for gap in second.blind if gap.since > day.since + MINUTE] == [4 * MINUTE]
    assert [sensor.blind_time(whole, day) // MINUTE for sensor in (first, second)] == [0, 4]
    assert queries.unseen_by_all(store, day) < MINUTE


def test_before_a_capture_begins_it_is_not_blind_but_nothing_was_seen(little: Path) -> None:
    opened = open_store(str(little))
    whole = queries.extent(opened)
    assert whole
    span = queries.span_of(whole, "1h")
    (sensor,), _ = queries.sensors(opened, span, span)
    assert (sensor.label, sensor.blind_time(whole, span)) == ("first.pcap", 0)
    assert queries.unseen_by_all(opened, span) // MINUTE == 58
    assert queries.blindness(opened, span, ["never-heard"]) == {"never-heard": [span]}
    week = weekly.week(opened, span)
    assert week
    assert week.doubt == "alone"
    opened.close()


def test_the_list_is_narrowed_by_search_level_and_status(store: Store, day: Span) -> None:
    every, total = queries.alerts(store, day, queries.search(Filters(status="all")), 50)
    assert total == len(every) == 42
    high, _ = queries.alerts(store, day, queries.search(Filters("techniques:T0801", ("high",))), 50)
    assert {"high"} == {queries.severity_word(int(value)) for value in high["severity"]}
    assert all(row["techniques"] == ["T0801"] and row["status"] != "closed" for row in queries.rows(high))
    page, total = queries.alerts(store, day, queries.search(Filters(status="all")), 3)
    assert (len(page), total, page["severity"].iloc[0]) == (3, 42, 91)
    with pytest.raises(UsageError, match="assets"):
        queries.search(Filters("aset:PLC-7"))


@pytest.mark.parametrize("identity", [f"a{STORY}", f"a{STORY}"[:8], STORY[:9]])
def test_an_alert_is_found_by_its_identity_or_the_beginning_of_it(store: Store, identity: str) -> None:
    found = queries.detail(store, identity)
    assert found
    assert found.finding
    assert found.alert["id"] == f"a{STORY}"
    assert sum(term["value"] for term in found.finding["terms"]) == found.finding["score"] == 91
    assert [row["ot.access"] for row in found.activities] == ["identify", "write", "write", "program"]


@pytest.mark.parametrize("identity", ["", "a", "nope", "%", "' OR 1=1 --"])
def test_an_identity_nobody_has_is_not_found(store: Store, identity: str) -> None:
    assert queries.detail(store, identity) is None


@pytest.mark.parametrize(
    ("value", "en", "zh"),
    [
        (97.4, "97.4 %", "97.4%"),
        (99.98, "99.98 %", "99.98%"),
        (99.999, "99.99 %", "99.99%"),
        (97.49, "97.4 %", "97.4%"),
        (100.0, "100 %", "100%"),
        (0.0, "0 %", "0%"),
        (0.004, "< 0.01 %", "< 0.01%"),
    ],
)
def test_coverage_is_cut_never_rounded_up(value: float, en: str, zh: str) -> None:
    assert (formats.share_seen(value, "en"), formats.share_seen(value, "zh")) == (en, zh)


def test_what_is_missing_is_never_less_than_it_is() -> None:
    assert [formats.share_missed(value, "en") for value in (0.001, 0.02, 2.51, 100.0)] == ["0.01 %", "0.02 %", "2.6 %", "100 %"]


def test_numbers_sizes_and_durations() -> None:
    assert [formats.number(value) for value in (48210, -3, 24.5)] == ["48,210", "−3", "24.5"]
    assert [formats.size(value, "en") for value in (512, 1_403, 13_080_000)] == ["512 B", "1.4 kB", "13.1 MB"]
    assert [formats.bits(value) for value in (640, 12_000, 41_200_000, 3e12)] == ["640 b/s", "12.0 kb/s", "41.2 Mb/s", "3,000.0 Gb/s"]
    lengths = (0, 40 * 10**9, 26 * MINUTE, 111 * MINUTE, 76 * HOUR)
    assert [formats.duration(length, "en") for length in lengths] == ["0 s", "40 s", "26 min", "1 h 51 min", "3 d 4 h"]
    assert formats.duration(111 * MINUTE, "zh") == "1 小时 51 分钟"


def test_times_in_both_languages() -> None:
    english, chinese = formats.Clock(ZoneInfo("Asia/Shanghai"), "en"), formats.Clock(ZoneInfo("Asia/Shanghai"), "zh")
    assert english.moment(NOW) == "22 Nov 2026, 03:12 (UTC+8)"
    assert chinese.moment(NOW) == "2026-11-22 03:12（UTC+8）"
    assert english.instant(NOW) == "22 Nov 2026, 03:12:00 (UTC+8)"
    assert chinese.instant(NOW) == "2026-11-22 03:12:00（UTC+8）"
    assert english.micro(NOW + 113_999) == "03:12:00.000 113"
    assert formats.Clock(ZoneInfo("Asia/Kolkata"), "en").offset(NOW) == "UTC+5:30"
    assert formats.zone_named("Not/AZone") is UTC
    assert [formats.Clock(UTC, "en", year).short_day(NOW) for year in (2026, 2027)] == ["21 Nov", "21 Nov 2026"]


def test_objects_have_the_reference_notation_where_there_is_one() -> None:
    row: dict[str, Any] = dict.fromkeys(ACTIVITY.names)
    modbus = {**row, "network.protocol": "modbus", "ot.object.space": "holding_register", "ot.object.first": 39, "ot.object.last": 42, "ot.unit": 1}
    assert object_words(modbus, "en") == "holding register 39–42 (40040–40043), unit 1"
    assert object_words({**modbus, "ot.object.space": "coil", "ot.object.last": 39, "ot.unit": None}, "zh") == "线圈 39 (00040)"
    assert object_words({**row, "ot.object.name": "DB1.DBX0"}, "en") == "DB1.DBX0"
    inside = {"network.protocol": "cip", "ot.object.space": "object", "ot.object.first": (109 << 36) + (7 << 16), "ot.object.last": None}
    assert object_words({**row, **inside, "ot.object.name": "program 5/routine 7", "ot.unit": None}, "en") == "program 5/routine 7"


def test_the_server_is_private_and_told_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = serve.environment("store", "zh")
    assert (told["BALEFIRE_STORE"], told["BALEFIRE_LANGUAGE"]) == (str(tmp_path / "store"), "zh")
    words = serve.command(8601)
    assert words[words.index("--server.address") + 1] == "127.0.0.1"
    assert words[words.index("--browser.gatherUsageStats") + 1] == "false"
    assert (serve.HERE / ".streamlit" / "config.toml").is_file(), "Streamlit reads the configuration beside the script it runs"


def test_the_server_answers_to_names_of_its_own_and_says_where_once_it_does(full: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        command = [sys.executable, "-m", "balefire", "dashboard", "--store", str(full), "--port", str(port), "--json"]
        taken = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert (taken.returncode, taken.stdout) == (2, "")
    assert taken.stderr == f"error: {UsageError('port_taken', port=port).text('en')}\n"
    assert f"Port {port} " in taken.stderr
    told = {**os.environ, "BALEFIRE_DASHBOARD__HOSTS": '["monitor.plant"]'}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=told, cwd=ROOT) as process:
        assert process.stdout
        try:
            assert json.loads(process.stdout.readline()) == {"address": f"http://127.0.0.1:{port}", "store": str(full)}
            names = (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "monitor.plant", "Monitor.Plant:80", "evil.example", f"evil.example:{port}", "")
            assert [asked(port, name, "/") for name in names] == [200] * 5 + [400] * 3
            assert asked(port, f"localhost:{port}", "/nosuchpage") == 303, "to the first page, which says so"
            assert asked(port, "evil.example", "/_stcore/stream", upgrade=True) in {400, 403}
            assert asked(port, f"localhost:{port}", "/_stcore/stream", upgrade=True) == 101
            compressed(port)
        finally:
            process.terminate()


def compressed(port: int) -> None:
    """Scripts and styles come compressed to those who take them so, and are the same then."""
    page = urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
    assert TOLD in page, "where the server is: else a browser asks beneath each page's own address first"
    names = re.findall(r"static/(?:js|css)/[\w.-]+\.(?:js|css)", page)
    assert {Path(name).suffix for name in names} == {".js", ".css"}
    sizes: list[tuple[int, int]] = []
    for name in set(names):
        plain, packed = (urlopen(Request(f"http://127.0.0.1:{port}/{name}", headers=told), timeout=10) for told in ({}, {"Accept-Encoding": "br, gzip"}))
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers.get_content_type() == plain.headers.get_content_type()
        whole, body = plain.read(), packed.read()
        assert gzip.decompress(body) == whole
        sizes.append((len(body), len(whole)))
    assert sum(body for body, _ in sizes) < sum(whole for _, whole in sizes) / 2
    missing = urlopen(Request(f"http://127.0.0.1:{port}/static/js/none.js", headers={"Accept-Encoding": "gzip"}), timeout=10)
    assert missing.read().decode() == page.replace(f"<head>{TOLD}", "<head>"), "what there is not is for the application to answer"


def asked(port: int, host: str, path: str, upgrade: bool = False) -> int:
    """The status that somebody gets who asks under this name."""
    heads = [f"Host: {host}"]
    if upgrade:
        heads += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall("\r\n".join([f"GET {path} HTTP/1.1", *heads, "", ""]).encode())
        return int(line.recv(1000).split()[1])


@pytest.mark.parametrize(("late", "capture", "blind"), [(59, False, []), (60, False, [60]), (240, False, [240]), (240, True, [])])
def test_blind_is_what_a_whole_window_misses(late: int, capture: bool, blind: list[int]) -> None:
    """Between the last window and the newest packet, and after a capture's end, nothing was missed."""
    span = Span(NOW - 5 * MINUTE, NOW + late * formats.SECOND)
    gaps = span.without(range(NOW - 5 * MINUTE, NOW, MINUTE), MINUTE)
    assert [gap.length // formats.SECOND for gap in queries.Sensor("SPAN-1", capture, tuple(gaps)).gaps(span)] == blind


def test_coverage_and_rules_are_read_before_somebody_waits_for_them(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = shutil.copytree(full, full.parent / "looked-at")
    monkeypatch.setenv("BALEFIRE_STORE", str(where))
    judged = Version(versions.read(()).files, 4711)
    with closing(open_store(str(where), write=True)) as written:
        written.write(Commit(state={versions.STATE: versions.encoded([judged])}))
    look()
    monkeypatch.delattr(Manifest, "placed")  # nothing is read again
    monkeypatch.delattr(rulings, "loaded")
    book = rulings.in_force(opening.opened())
    assert book
    assert (book.id, book.since) == (judged.id, 4711)
    store = opening.opened()
    whole = queries.extent(store)
    assert whole
    assert queries.blind(store, Span(whole.since - HOUR, whole.until), None)[0].length == HOUR
    monkeypatch.setenv("BALEFIRE_STORE", "/dev/null/none")
    look()  # nothing to say here


def run(view: str, store: Path | str, monkeypatch: pytest.MonkeyPatch, /, **parameters: str) -> str:
    """One page without a browser, and every text it sends to one."""
    monkeypatch.setenv("BALEFIRE_STORE", str(store))
    page = AppTest.from_file(str(VIEWS / f"{view}.py"), default_timeout=60)
    for name, value in parameters.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return "\n".join(text for element in leaves(page.main) for text in texts(element.proto))


@pytest.fixture
def own(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that a test may change."""
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    return shutil.copytree(full, tmp_path / "own")


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


def trail(store: Path) -> list[tuple[str, str, str | None]]:
    return [(row["by"], row["action"], row["note"]) for row in lines("audit", "--store", store)]


def test_an_alert_is_decided_about_on_its_page(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("alert", own, monkeypatch, lang="en", id=f"a{STORY}")
    page.button(key="do_acknowledge").click().run()
    page.text_input(key="assign_to").input("Zhao Min")
    page.button(key="do_assign").click().run()
    page.radio(key="close_verdict").set_value("expected")
    page.text_area(key="close_note").input("commissioning, ticket 7")
    page.button(key="do_close").click().run()
    assert trail(own) == [("Li Wei", "acknowledge", None), ("Li Wei", "assign", None), ("Li Wei", "close", "commissioning, ticket 7")]
    told = sent(page)
    for words in ("verdict: expected", "assigned to Zhao Min", "acknowledged → closed", "commissioning, ticket 7"):
        assert words in told
    assert page.button(key="do_acknowledge").disabled
    page.button(key="do_reopen").click().run()
    assert trail(own)[-1] == ("Li Wei", "reopen", None)


@pytest.mark.parametrize(("language", "words"), [("en", "Somebody changed alert"), ("zh", "已有人更改了告警")])
def test_what_somebody_changed_meanwhile_is_not_overwritten(own: Path, monkeypatch: pytest.MonkeyPatch, language: str, words: str) -> None:
    page = opened("alert", own, monkeypatch, lang=language, id=f"a{STORY}")
    lines("alert", "assign", f"a{STORY}", "--to", "Wang", "--by", "Zhao", "--store", own)
    page.button(key="do_acknowledge").click().run()
    assert words in sent(page)
    assert trail(own) == [("Zhao", "assign", None)]
    page.button(key="do_acknowledge").click().run()  # now it was seen as it is
    assert words not in sent(page)
    assert trail(own)[-1] == ("Li Wei", "acknowledge", None)


def test_nobody_cannot_decide(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BALEFIRE_USER")
    page = opened("alert", own, monkeypatch, lang="en", id=f"a{STORY}")
    page.button(key="do_acknowledge").click().run()
    assert "Nobody is named" in sent(page)
    assert trail(own) == []
    page.text_input(key="decided_by").input("Wang").run()
    page.button(key="do_acknowledge").click().run()
    assert trail(own) == [("Wang", "acknowledge", None)]


def test_several_are_decided_together(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("alerts", own, monkeypatch, lang="en", status="only_open", range="all")
    chosen = [row["id"] for row in lines("alerts", "--where", "status:open", "--limit", "3", "--store", own)]
    page.query_params["chosen"] = ",".join(chosen)
    page.run()
    assert "3 chosen" in sent(page)
    page.radio(key="close_verdict").set_value("false")
    page.button(key="do_close").click().run()
    assert {row["verdict"] for row in lines("alerts", "--store", own) if row["id"] in chosen} == {"false"}
    assert len(trail(own)) == 3
    assert "3 chosen" not in sent(page)
    assert "chosen" not in page.query_params


@pytest.mark.parametrize("view", ["alerts", "assets", "explore"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_that_are_chosen_are_those_of_the_address_and_what_is_none_is_said(own: Path, monkeypatch: pytest.MonkeyPatch, language: str, view: str) -> None:
    kind = {"alerts": "queue"}.get(view, "table")
    more = {"view": "table"} if view == "explore" else {}
    page = opened(view, own, monkeypatch, lang=language, range="all", **more)
    told = drawn_by(page, kind)
    names = told["ids"] if kind == "table" else [row["id"] for row in told["rows"]]
    odd = f"{names[1]},<img src=x onerror=alert(1)>,{names[1]},,{'9' * 100_000}"
    page = opened(view, own, monkeypatch, lang=language, range="all", chosen=odd, **more)
    assert not page.exception
    assert drawn_by(page, kind)["chosen"] == [names[1]]
    said = [each.value for each in page.markdown]
    assert any({"en": "2 of the rows that are chosen", "zh": "选定的 2 行"}[language] in words for words in said), said
    assert not any("<img" in words for words in said)


def drawn_by(page: AppTest, kind: str) -> dict[str, Any]:
    """What a component of the page was told."""
    from tests.test_alert_page import drawn

    return drawn(page, kind)


def test_the_list_is_narrowed_by_assignee_and_verdict(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (row["id"] for row in lines("alerts", "--where", "status:open", "--limit", "2", "--store", own))
    lines("alert", "assign", first, "--to", "Zhao Min", "--by", "Li", "--store", own)
    lines("alert", "close", second, "--verdict", "true", "--by", "Li", "--store", own)
    for filters, wanted in (
        ({"assignee": "Zhao Min"}, first),
        ({"status": "all", "verdict": "true"}, second),
        ({"status": "only_closed", "verdict": "true"}, second),
    ):
        told = sent(opened("alerts", own, monkeypatch, lang="zh", range="all", **filters))
        assert f'"id": "{wanted}"' in told
        assert told.count('"href"') == 1
    assert sent(opened("alerts", own, monkeypatch, lang="en", range="all", assignee="-", status="all")).count('"href"') == 41


@pytest.mark.parametrize("language", LANGUAGES)
def test_suppressing_shows_first_what_it_would_hide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    where = shutil.copytree(stored()[0], tmp_path / "store")
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", where)
    lines("alert", "close", alert["id"], "--verdict", "true", "--by", "Li", "--store", where)
    page = opened("suppress", where, monkeypatch, lang=language, id=alert["id"])
    for words in ({"en": "was found true", "zh": "结论为“属实”"}[language], "device\\-silenced"):
        assert words in sent(page)
    for count in (("1", say("dashboard.suppress.findings.one", language)), ("1", say("dashboard.suppress.alerts.one", language))):
        assert json.dumps(count, ensure_ascii=False) in sent(page)
    assert page.checkbox(key="where_rule").disabled
    assert page.button(key="suppress_save").disabled
    page.checkbox(key="suppress_sure").check()
    page.checkbox(key="where_ot.unit").uncheck().run()
    page.button(key="suppress_save").click().run()
    assert {"en": "needs a reason", "zh": "必须写明原因"}[language] in sent(page)
    assert lines("suppressions", "--store", where) == []
    assert page.number_input(key="suppress_days").max is None  # a browser keeps to itself what is beyond it, and another time would be saved
    for days in (99999, 0):
        page.number_input(key="suppress_days").set_value(days).run()
        assert UsageError("suppress.days", limit=suppressing.LONGEST_DAYS).text(language) in sent(page)
        assert page.button(key="suppress_save").disabled
    page.text_area(key="suppress_reason").input("commissioning")
    page.text_input(key="suppress_owner").input("Wang")
    page.number_input(key="suppress_days").set_value(60).run()
    page.number_input(key="suppress_days").set_value(61)  # and the button at once, before the page is drawn anew
    page.button(key="suppress_save").click().run()
    (made,) = lines("suppressions", "--store", where)
    assert datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["since"]) == timedelta(days=61)
    assert formats.Clock(UTC, language).moment(int(datetime.fromisoformat(made["until"]).timestamp()) * formats.SECOND) in sent(page)
    assert (made["owner"], made["reason"], made["alert"]) == ("Wang", "commissioning", alert["id"])
    assert "ot.unit" not in made["where"]
    assert made["id"][:12] in sent(page)
    assert {"en": "suppression made", "zh": "建立抑制规则"}[language] in sent(opened("alert", where, monkeypatch, lang=language, id=alert["id"]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_suppressions_are_listed_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    where = shutil.copytree(stored()[0], tmp_path / "store")
    assert {"en": "nothing is hidden", "zh": "未隐藏任何发现"}[language] in sent(opened("suppressions", where, monkeypatch, lang=language))
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", where)
    lines("suppress", alert["id"], "--reason", "commissioning <b>", "--by", "Wang", "--store", where)
    page = opened("suppressions", where, monkeypatch, lang=language)
    for words in ("Wang", "commissioning <b>", "rule: device-silenced", {"en": "in force", "zh": "生效中"}[language]):
        assert words in sent(page)
    page.text_area(key="revoke_note").input("over")
    page.button(key="do_revoke").click().run()
    assert trail(where)[-1] == ("Li Wei", "revoke", "over")
    assert {"en": "revoked", "zh": "已撤销"}[language] in sent(page)
    assert [each.key for each in page.button] == ["hold"]


def test_a_condition_s_number_is_written_as_the_alert_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (alert,) = lines("alerts", "--where", "key:controller-restarted*", "--store", stored()[0])
    page = opened("suppress", stored()[0], monkeypatch, lang="en", id=alert["id"])
    assert page.checkbox(key="where_ot.value").label == "`ot.value` 65280"


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_may_not_suppress_is_told_so_before_the_form(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setattr(visitor, "visitor", lambda: Visitor("vera", "viewer"))
    (alert,) = lines("alerts", "--where", "key:controller-restarted*", "--store", stored()[0])
    page = opened("suppress", stored()[0], monkeypatch, lang=language, id=alert["id"])
    assert plain(say("dashboard.suppress.may_not", language)) in sent(page)
    fields = [*page.checkbox, *page.text_input, *page.text_area, *page.number_input]
    assert [field.key for field in fields if not field.disabled] == ["decided_by"], "who looks may say who they are, where nobody logs in"
    assert len(fields) > 4


def test_a_condition_is_text() -> None:
    assert plain("`x` **b** <i>$a$ :red[x] a_b 中文") == r"\`x\` \*\*b\*\* \<i\>\$a\$ \:red\[x\] a\_b 中文"


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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_whatever_was_missed_has_words(language: str) -> None:
    """A counter of coverage that the page does not know would be passed over in silence."""
    shown = {"lost", "gaps", "undecoded_bytes"}  # told with their sizes
    for name in {*MISSED, "overlaps"} - shown:
        assert name in queries.COUNTERS
        one, many = (say(f"dashboard.unseen.{name}.{form}", language) for form in ("one", "many"))
        assert one
        assert many


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
