"""The page of coverage: when each place saw packets, the grade with what takes its points, blind spots with what to do, what was not understood."""

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.covered import Looked, look, step_of
from records.query import Span
from records.store import open_store
from records.store.contract import Batch, Change, Commit
from records.wording import LANGUAGES, say
from tests.browser.waterworks import MINUTE, NOW, coverage, table
from tests.test_dashboards import run

HOURS = 60 * MINUTE
SINCE = NOW // MINUTE * MINUTE - 3 * HOURS
UNREAD = [
    {"name": "udp/4840", "bytes": 900, "packets": 9, "guess": "cyclic", "period": 0.5, "tshark": "<b>OpcUa</b> Binary Protocol"},
    {"name": "tcp/8080", "bytes": 300, "packets": 4, "guess": "text"},
]
CIPHERS = [{"name": "tls", "port": "tcp/443", "bytes": 5000, "conversations": 2}]
CLOCKS = [{"name": "NTP 10.0.0.9", "ahead": 12.5, "spread": 0.2, "samples": 6}]
VLANS = [{"requests": 10, "answers": None, "conversations": 3}]


def rows() -> list[dict[str, Any]]:
    """Two interfaces of one sensor, one of them silent for ten minutes, and another sensor that lost and dropped."""
    uplink = coverage("SPAN-1", SINCE, NOW, interface="eth1", undecoded_bytes=1200, encrypted_bytes=0)
    cell = coverage("SPAN-1", SINCE, NOW, interface="eth2", undecoded_bytes=0)
    other = coverage("SPAN-2", SINCE, NOW, lost=9000, gaps=2, dropped=5, encrypted_bytes=5000, undecoded_bytes=5000)
    for row in cell:
        row["id"] += "-eth2"
        row["undecoded"] = None
    for row in uplink:
        row["undecoded"] = json.dumps(UNREAD)
    for row in other:
        row |= {"undecoded": None, "encrypted": json.dumps(CIPHERS), "clocks": json.dumps(CLOCKS), "vlans": json.dumps(VLANS), "talks": 4, "split_vlans": 3}
    return [*uplink, *(row for row in cell if not SINCE + HOURS <= row["@timestamp"] < SINCE + HOURS + 10 * MINUTE), *other]


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("covered") / "store"
    writer = open_store(str(where), write=True)
    writer.write(Commit(Batch(coverage=table("coverage", rows()))))
    writer.close()
    return where


def looked(where: Path, span: Span, most: int = 10_000) -> Looked:
    store = open_store(str(where))
    found = look(store, span, span, most)
    store.close()
    return found


def test_each_interface_is_a_place_of_its_own_and_silence_is_where_no_packet_was(covered: Path) -> None:
    span = Span(SINCE, SINCE + 3 * HOURS)
    found = looked(covered, span)
    assert [place.name for place in found.places] == ["SPAN-1 · eth1", "SPAN-1 · eth2", "SPAN-2"]
    assert [place.blind_time(span) // MINUTE for place in found.places] == [0, 10, 0]
    assert [place.blind(span) for place in found.places] == [[], [Span(SINCE + HOURS, SINCE + HOURS + 10 * MINUTE)], []]
    assert [place.packets for place in found.places] == [180 * 900, 170 * 900, 180 * 900]
    assert step_of(span) == MINUTE
    assert {share for _start, share in found.places[1].grades(span)} == {100.0}
    assert {share for _start, share in found.places[2].grades(span)} == {78.1}


def test_what_was_not_read_is_not_called_blind(covered: Path) -> None:
    """Of more rows than a page reads, the span begins where those that were read do."""
    span = Span(SINCE, SINCE + 3 * HOURS)
    found = looked(covered, span, 60)
    assert (found.used, found.total) == (60, 530)
    assert found.span.since > SINCE + 2 * HOURS
    assert sum(place.blind_time(found.span) for place in found.places) < MINUTE * len(found.places)


def test_a_capture_is_not_blind_before_it_begins(tmp_path: Path) -> None:
    first = [row | {"file": "first.pcap", "observer.name": "capture-1"} for row in coverage("a", NOW - 9 * MINUTE, NOW - 6 * MINUTE)]
    second = [row | {"file": "first.pcap", "observer.name": "capture-1"} for row in coverage("b", NOW - 2 * MINUTE, NOW)]
    writer = open_store(str(tmp_path / "store"), write=True)
    writer.write(Commit(Batch(coverage=table("coverage", first + second))))
    writer.close()
    (place,) = looked(tmp_path / "store", Span(NOW - HOURS, NOW + HOURS)).places
    assert (place.name, place.blind_time(Span(NOW - HOURS, NOW + HOURS)) // MINUTE) == ("first.pcap", 4)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_tells_all_of_it(covered: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    sent = run("covering", covered, monkeypatch, lang=language, range="all")
    words = {
        "en": (
            "of the payload was seen and understood",
            "points:",
            "Give the capture a larger buffer",
            "perhaps industrial, every 0.5 s",
            "ahead of NTP 10.0.0.9",
        ),
        "zh": ("已看到并解析", "扣", "请加大抓包缓冲", "可能是工业协议，每 0.5 秒", "比 NTP 10.0.0.9 快"),
    }[language]
    for text in (*words, "SPAN-1 · eth2", "VLAN 10", "TLS", "udp/4840", "<b>OpcUa</b> Binary Protocol", "tcp/443", "900 (0.6"):
        assert text in sent, text
    assert "NaN" not in sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_list_leaves_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """More places, ciphers, clocks and VLANs than a table has lines, and more suppressions than their page lists."""
    since, many = NOW // MINUTE * MINUTE - MINUTE, 105
    lists = {
        "encrypted": [{**CIPHERS[0], "port": f"tcp/{port}"} for port in range(1, 43)],
        "clocks": [{**CLOCKS[0], "name": f"NTP 10.0.0.{host}"} for host in range(1, 44)],
        "vlans": [{**VLANS[0], "requests": tag} for tag in range(1, 45)],
    }
    rows = [row for place in range(many) for row in coverage(f"SPAN-{place}", since, NOW)]
    rows[0] |= {"encrypted_bytes": 210_000, **{name: json.dumps(held) for name, held in lists.items()}}
    store = open_store(str(tmp_path / "store"), write=True)
    store.write(Commit(Batch(coverage=table("coverage", rows))))
    values = {"owner": "Wang", "reason": "works", "since": NOW, "until": NOW + HOURS, "where": '{"key": ["k"]}'}
    store.change([Change("suppression", f"{number:032x}", None, "suppress", "Wang", values) for number in range(201)])
    store.close()
    told = run("covering", tmp_path / "store", monkeypatch, lang=language, range="all")
    for shown, total in ((100, many), (40, 42), (40, 43), (40, 44)):
        assert say("dashboard.activity.cut", language, shown=shown, total=total) in told
    assert say("dashboard.activity.cut", language, shown=200, total=201) in run("suppressions", tmp_path / "store", monkeypatch, lang=language, range="all")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_period_without_rows_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    from tests.browser.waterworks import activity

    writer = open_store(str(tmp_path / "store"), write=True)
    writer.write(Commit(Batch(activities=table("activity", [activity(1, NOW, "write")]))))
    writer.close()
    sent = run("covering", tmp_path / "store", monkeypatch, lang=language)
    assert {"en": "Nothing was recorded in this period.", "zh": "本时段没有记录。"}[language] in sent
    assert {"en": "coverage unknown", "zh": "覆盖未知"}[language] in sent
