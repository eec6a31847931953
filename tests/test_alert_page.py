"""One alert: its packets as fields beside bytes, evidence as a file, normal against now, alerts that are alike."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboards import dissecting, packets, queries
from dashboards.evidence import Taken, as_capture
from dashboards.normal import before, normal
from dashboards.reference import action_words, deed_words
from records.errors import UsageError
from records.model import Batch, Term, Text
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES, say
from sensors.dissection import Dissected, Limits, available
from sensors.engine.mode import choose
from sensors.pcapng import Interface, Packet, read
from tests.browser import waterworks
from tests.browser.waterworks import MINUTE, NOW, STORY, activity, coverage, finding, table
from tests.cli import lines, one, stored
from tests.require import need
from tests.test_dashboards import leaves, opened, sent
from tests.test_release import scarce

choose(0)  # pages import kernels, too: a small capture is to be read as it is elsewhere, interpreted where nothing is compiled
WROTE = "key:station-acts*10.20.1.12"
RESTARTED = "key:controller-restarted*"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The demo's store, to open and to change."""
    return shutil.copytree(stored()[0], tmp_path / "store")


def alert(store: Path, where: str) -> dict[str, Any]:
    (found,) = lines("alerts", "--where", where, "--store", store)
    return found


def drawn(page: Any, name: str) -> dict[str, Any]:
    """What the one component of this name was sent."""
    (found,) = drawings(page, name)
    return found


def drawings(page: Any, name: str) -> list[dict[str, Any]]:
    """What each component of this name was sent."""
    assert not page.exception
    return [json.loads(element.proto.json) for element in leaves(page.main) if getattr(element.proto, "component_name", "").endswith(f"balefire_{name}")]


def flat(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for field in fields for each in (field, *flat(field.get("fields", [])))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_field_of_the_packet_stands_in_its_bytes(demo: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    need("tshark", available() is not None, "tshark is not installed")
    page = opened("alert", demo, monkeypatch, lang=language, id=alert(demo, WROTE)["id"])
    told = drawn(page, "dissection")
    octets, fields = bytes.fromhex(told["octets"]), flat(told["fields"])
    (value,) = [field for field in fields if field.get("key")]
    assert octets[value["at"] : value["at"] + value["size"]] == (950).to_bytes(2)
    assert value["note"] == say("dashboard.packets.key_normal", language, low="100", high="105")
    assert {field["at"] + field["size"] <= len(octets) for field in fields if "at" in field} == {True}
    assert told["lines"] == []
    assert "frame" not in told["fields"][0]["label"].casefold()
    listed = drawn(page, "packets")
    chosen = next(row for row in listed["rows"] if row["id"] == listed["chosen"])
    assert (chosen["named"], chosen["from"].partition(":")[0], chosen["to"]) == (True, "10.20.1.66", "10.20.1.12:502")
    assert f"{deed_words('value.write', language)} · write_single_register" in chosen["what"]
    assert "950" in chosen["what"]
    assert any(row["kind"] == "TCP ACK" and row["what"] == "" for row in listed["rows"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_operation_is_told_in_words_with_its_protocols_name_beneath(language: str) -> None:
    told = {name: action_words({"event.action": name, "ot.effect": effect}, language) for name, effect in
            (("restart_communications", "cpu.reset"), ("arp_reply", "name.announce"), ("odd_one", "unknown"), (None, None))}  # fmt: skip
    assert told["restart_communications"] == (deed_words("cpu.reset", language), "restart_communications")
    assert told["arp_reply"] == (say("detectors.action.arp_reply", language), "")
    assert (told["odd_one"], told[None]) == (("odd_one", ""), ("", ""))


def test_another_packet_is_chosen_by_the_address(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = alert(demo, WROTE)["id"]
    first = drawn(opened("alert", demo, monkeypatch, lang="en", id=identity), "packets")
    other = next(row for row in first["rows"] if row["id"] != first["chosen"])
    page = opened("alert", demo, monkeypatch, lang="en", id=identity, packet=other["id"])
    assert drawn(page, "packets")["chosen"] == other["id"]
    assert drawn(page, "dissection")["title"] == f"Packet {other['number']}"
    assert drawn(opened("alert", demo, monkeypatch, lang="en", id=identity, packet="999999"), "packets")["chosen"] == first["chosen"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_tshark_balefire_tells_what_it_understood_itself(demo: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("PATH", str(demo))
    told = drawn(opened("alert", demo, monkeypatch, lang=language, id=alert(demo, WROTE)["id"]), "dissection")
    assert told["lines"] == [say("evidence.problem.missing", language, seconds=20, mebibytes=1024)]
    labels = [field["label"] for field in flat(told["fields"])]
    assert labels[0] == "modbus, write_single_register"
    for fact, value in (("from", "10.20.1.66"), ("to", "10.20.1.12"), ("values", "950"), ("effect", f"{deed_words('value.write', language)} · value.write")):
        assert f"{say(f'dashboard.packets.fact.{fact}', language)}: {value}" in labels
    assert not any("at" in field for field in flat(told["fields"]))
    assert len(told["octets"]) == 2 * 78


@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_that_was_removed_is_said_to_be(demo: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    with closing(open_store(str(demo), write=True)) as store:
        assert store.thin(0, 0)
    page = opened("alert", demo, monkeypatch, lang=language, id=alert(demo, WROTE)["id"])
    told = sent(page)
    for text in ({"en": "packets that were kept were removed", "zh": "个曾保存的数据包已于"}[language], say("evidence.reason.size", language), "demo.pcap"):
        assert text in told
    assert page.get("download_button")[0].proto.disabled
    assert "balefire_dissection" not in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_packet_was_kept_those_that_are_meant_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    waterworks.fill(tmp_path / "store")
    told = sent(opened("alert", tmp_path / "store", monkeypatch, lang=language, id=f"a{STORY}"))
    why = say("evidence.why.off", language, file="night.pcap")  # as balefire explain and balefire evidence say it
    for text in ("night.pcap", "7203", say("dashboard.packets.none_kept", language), why):
        assert text in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_is_that_of_the_command_line(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("BALEFIRE_STORE", str(demo))
    identity = alert(demo, RESTARTED)["id"]
    made = packets.file(identity, language)
    one("evidence", identity, "-o", tmp_path / "cli.pcapng", "--language", language, "--store", demo)
    assert made == (tmp_path / "cli.pcapng").read_bytes()
    assert len(list(read(made))) == 144


def test_a_packet_is_read_in_full_once_whoever_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[list[int], int]] = []

    def trees(near: Sequence[tuple[int, Packet]], _limits: Limits, first: int, _count: int) -> Dissected:
        read.append(([number for number, _ in near], first))
        if first:
            raise RuntimeError
        return Dissected("9")

    monkeypatch.setattr(dissecting, "trees", trees)
    monkeypatch.setattr(dissecting, "REMEMBERED", 2)
    reading = dissecting.Reading()
    near = [Taken("x.pcap", number, Packet(number, 1, b"x", Interface("", 1, 65535))) for number in (4, 7)]
    assert [reading.begin(near, 0).result().version for _ in range(2)] == ["9", "9"]
    for _ in range(2):
        with pytest.raises(RuntimeError):
            reading.begin(near, 1).result()
    assert read == [([4, 7], 0), ([4, 7], 1), ([4, 7], 1)], "what failed is tried again"
    for several in (near[:1], near[1:], near):
        reading.begin(several, 0).result()
    assert len(read) == 6, "the oldest is forgotten"

    def hindered(near: Sequence[tuple[int, Packet]], _limits: Limits, _first: int, _count: int) -> Dissected:
        read.append(([number for number, _ in near], -1))
        return Dissected(problem="slow")

    monkeypatch.setattr(dissecting, "trees", hindered)
    assert [dissecting.Reading().begin(near, 0).result().problem] == ["slow"]
    reading = dissecting.Reading()
    assert [reading.begin(near, 0).result().problem for _ in range(2)] == ["slow"] * 2
    assert len(read) == 9, "what a busy moment kept it from is tried again"


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_nothing_can_be_written_the_rest_of_the_page_stands(demo: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    packets.understood.clear()
    monkeypatch.setattr(tempfile, "tempdir", str(demo / "none"))
    page = opened("alert", demo, monkeypatch, lang=language, id=alert(demo, WROTE)["id"])
    assert not page.exception
    ((_, told),) = drawn(page, "unseen")["rows"]
    assert told == say("error.evidence.room", language, folder=demo / "none", reason="No such file or directory")
    assert drawn(page, "waterfall")


ASKED = bytes.fromhex("ffffffffffff 02ba1e010066 0806 0001 0800 0604 0001 02ba1e010066 0a140142 000000000000 0a14010b").ljust(60, b"\0")


def test_where_there_is_room_for_a_file_and_for_nothing_in_it_that_is_said() -> None:
    near = [Taken("x.pcap", 1, Packet(10**18, 60, ASKED, Interface("", 1, 65535)))]
    with scarce(0), pytest.raises(UsageError, match="File too large"), as_capture(near):
        pass


def test_who_has_no_address_is_told_by_the_one_of_its_card() -> None:
    (told,) = packets.understood([Taken("x.pcap", 1, Packet(10**18, 60, ASKED, Interface("", 1, 65535)))]).values()
    assert told[0][:2] == ("02:ba:1e:01:00:66", "ff:ff:ff:ff:ff:ff")


def test_a_packet_of_many_fields_is_cut_and_says_so() -> None:
    leaf: dict[str, Any] = {"name": "x", "label": "x: 1", "show": "1", "position": 0, "size": 1, "raw": "01", "hidden": False, "fields": []}
    tree = {**leaf, "fields": [{**leaf, "hidden": True}, *([leaf] * 10)]}
    budget = [5]
    made = dissecting.field(tree, budget)
    assert made
    assert (len(made["fields"]), budget) == (4, [0])
    assert dissecting.field({**leaf, "position": None}, [1]) == {"label": "x: 1", "size": 1, "show": "1"}


def test_normal_is_what_the_store_saw_before(demo: Path) -> None:
    with closing(open_store(str(demo))) as store:
        found = queries.detail(store, alert(demo, WROTE)["id"])
        assert found
        told = normal(store, found.activities, int(found.alert["first"]), int(found.alert["last"]))
        assert told
        assert (told.about["ot.object.first"], told.about["ot.value"]) == (16, 950.0)
        assert told.values
        assert told.values == before(store, told.about, told.since)
        assert {value for _time, low, high, _last in told.values for value in (low, high)} == {100.0, 105.0}
        assert all(time < int(told.about["@timestamp"]) for time, *_ in told.values)
        assert [value for _time, value, written in told.now if written] == [950.0]
        assert told.doers
        assert [(each.address, each.before, each.now) for each in told.doers] == [("10.20.1.66", 0, 2), ("10.20.1.20", 2, 0)]


def test_what_begins_with_the_store_has_no_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "store"
    waterworks.fill(where)
    with closing(open_store(str(where))) as store:
        found = queries.detail(store, f"a{STORY}")
        assert found
        acts = found.activities
        start = queries.extent(store)
        assert start
        told = normal(store, [{**acts[1], "ot.effect": "setpoint.write"}], start.since, start.until)
        assert told
        assert told.doers is None
        assert normal(store, [{**acts[1], "destination.ip": None}], start.since, start.until) is None
    assert "balefire_normal" in sent(opened("alert", where, monkeypatch, lang="en", id=f"a{STORY}"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_alerts_of_the_same_rule_are_alike_with_what_was_decided(demo: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    other = alert(demo, "key:station-acts*10.20.1.11")
    lines("alert", "close", other["id"], "--verdict", "expected", "--by", "Li", "--store", demo)
    told = drawn(opened("alert", demo, monkeypatch, lang=language, id=alert(demo, WROTE)["id"]), "similar")
    (row,) = told["rows"]
    assert other["id"] in row["href"]
    assert (row["title"], row["same"], row["score"]) == (other["title"][language], True, "68")
    assert {"en": "closed as expected 1", "zh": "已关闭：预期内 1"}[language] in told["note"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_nothing_is_compared_is_said_and_a_capture_is_called_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    text, capture = Text("told", "已述"), "capture-0123456789ab"
    for place, (address, words) in enumerate({"10.20.7.17": "no_effect", None: "nothing"}.items()):
        act = activity(1, NOW, "write", **{"destination.ip": address, "ot.effect": None, "ot.count": 60})
        found = finding("a" * 32, NOW, (Term("t", "t", 50.0),), text, text, activities=(act["id"],), observer=capture)
        writer = open_store(str(tmp_path / str(place)), write=True)
        seen = coverage(capture, NOW - MINUTE, NOW + 1, file="first.pcap")
        batch = Batch(activities=table("activity", [act]), coverage=table("coverage", seen))
        writer.write(Commit(batch, (replace(found, alert=f"a{found.id}"),), (waterworks.alert(found),)))
        writer.close()
        page = opened("alert", tmp_path / str(place), monkeypatch, lang=language, id=f"a{found.id}")
        assert drawn(page, "normal")["lines"] == [say(f"dashboard.normal.{words}", language)]
        assert ["", say("dashboard.alert.seen_by", language, sensor="first.pcap")] in drawn(page, "headline")["meta"]
        (row,) = drawings(page, "table")[0]["rows"]
        assert row[4]["text"].endswith(" ×\u00a060")
        assert row[5]["sub"] == say("dashboard.activity.unit", language, unit=1)
