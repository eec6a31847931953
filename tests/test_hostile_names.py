"""Names that do harm elsewhere, and of 64 KiB, in what people see, copy and export: every command that shows what is stored."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast
from xml.etree import ElementTree

import numpy as np
import pytest

from balefire.screen import cell
from dashboards import kit
from dashboards.navigation import places
from records.assets import asset_of
from records.facts import Fact, asset_id
from records.model import Batch, Text
from records.schema import ACTIVITY, COVERAGE, POINT
from records.store import open_store
from records.store.contract import Commit
from records.visible import unsteered
from sensors.engine.names import intern, name_tables
from sensors.engine.octets import borrow, entry, plain
from tests.cli import balefire, lines, one
from tests.test_dashboards import opened, sent
from tests.test_lldp import lldp, tlv
from tests.test_store import NOON, alert, finding, rows_of
from tests.wire import SECOND, START, Packet, save

if TYPE_CHECKING:
    from pathlib import Path

FORMULAS = ('=HYPERLINK("http://evil.example")', "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+1)")
STEERING = "\x1b]0;owned\x07\x1b[2J\r\x85\u2028\u202egnp.exe\u2066\u061c\U000e0061"
LONG = "<script>alert(1)</script>" + STEERING + "x" * (64 << 10)
NAMES = (*FORMULAS, LONG)
ALERT: Final = f"a{len(NAMES) - 1:032x}"  # of the longest
PEOPLE = ("assets", "activities", "points", "alerts", "findings", "coverage", "graph")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which everything that may have a name has each of these."""
    path = tmp_path_factory.mktemp("hostile") / "store"
    each = list(enumerate(NAMES))
    addresses = {number: f"10.0.0.{number + 1}" for number, _ in each}
    facts = {number: [Fact("address", addresses[number], "arp", 80, NOON, NOON), Fact("name", name, "lldp", 80, NOON, NOON)] for number, name in each}
    rows: list[dict[str, Any]] = [
        {
            "id": f"a{number}", "@timestamp": NOON, "event.start": NOON, "event.end": NOON, "event.action": name, "source.ip": addresses[number],
            "source.asset.id": asset_id(None, addresses[number]), "source.asset.name": name, "destination.ip": "10.0.0.99", "destination.asset.name": name,
            "ot.object.name": name, "ot.tag.name": [name], "ot.access": "read", "ot.effect": "value.read", "network.protocol": "modbus", "ot.count": 1,
        }
        for number, name in each
    ]  # fmt: skip
    points = [{"id": f"p{number}", "@timestamp": NOON, "event.end": NOON, "destination.ip": addresses[number], "ot.object.name": name} for number, name in each]
    windows = [{"id": f"c{number}", "@timestamp": NOON, "observer.name": name, "interface": name, "packets": 1} for number, name in each]
    with closing(open_store(str(path), write=True)) as store:
        store.write(
            Commit(
                Batch(rows_of(ACTIVITY, rows), rows_of(POINT, points), rows_of(COVERAGE, windows)),
                tuple(finding(number, title=name, rule=name, reason=Text(name, name)) for number, name in each),
                tuple(alert(number, title=Text(name, name), reason=Text(name, name)) for number, name in each),
                tuple(asset_of(None, facts[number], NOON, NOON, also=()) for number, _ in each),
            )
        )
    return path


def harmless(text: str) -> None:
    assert not set(text) & set("\x1b\x07\r\x85\u061c\u2028\u202e\u2066\U000e0061"), "a name steers the terminal"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", PEOPLE)
def test_people_see_them_as_text(command: str, language: str, place: Path) -> None:
    result = balefire(command, "--store", place, "--language", language)
    assert result.exit_code == 0, result.output
    harmless(result.output)


def test_one_asset_is_told_whole(place: Path) -> None:
    for number in range(len(NAMES)):
        for command in ("asset", "fingerprint"):
            result = balefire(command, f"10.0.0.{number + 1}", "--store", place, *(("--on", "2026-11-22") if command == "fingerprint" else ()))
            assert result.exit_code == 0, result.output
            harmless(result.output)


@pytest.mark.parametrize("command", PEOPLE[:-1])
def test_machines_get_all_of_them(command: str, place: Path) -> None:
    raw = balefire(command, "--store", place, "--json").stdout
    harmless(raw)
    assert "x" * (64 << 10) in raw
    for row in lines(command, "--store", place):
        json.dumps(row)


@pytest.mark.parametrize("form", ["json", "graphml", "stix"])
def test_exports_hold_them_as_text(form: str, place: Path) -> None:
    raw = balefire("graph", "--format", form, "--store", place).stdout
    harmless(raw)
    if form == "graphml":
        names = [data.text for data in ElementTree.fromstring(raw).iter("{http://graphml.graphdrawing.org/xmlns}data")]
        assert FORMULAS[0] in names
        assert any(name and "\u202egnp.exe" in name for name in names), "what was turned into a number is the same letter again"
    else:
        told = json.loads(raw)
        assert set(FORMULAS) <= {each.get("name") for each in told.get("nodes", told.get("objects"))}


ABOUT: Final = {
    "alert": {"id": ALERT}, "suppress": {"id": ALERT}, "asset": {"asset": "10.0.0.5"}, "rule": {"rule": "address-sweep"}, "disable": {"rule": "address-sweep"},
}  # fmt: skip


def shown(line: str) -> str:
    """What is seen of what a component is sent: not that by which things are found again."""

    def seen(data: Any) -> Any:
        if isinstance(data, dict):
            return {name: seen(each) for name, each in cast("dict[str, Any]", data).items() if name not in kit.UNSEEN}
        return [seen(each) for each in cast("list[Any]", data)] if isinstance(data, list) else data

    return json.dumps(seen(json.loads(line)), ensure_ascii=False) if line.startswith("{") else line


@pytest.mark.parametrize("address", [each.address for each in places()])
def test_no_page_is_steered_by_them(place: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor told to draw them as HTML or Markdown, nor drowned by them."""
    page = opened(next(each.file.stem for each in places() if each.address == address), place, monkeypatch, lang="en", range="all", **ABOUT.get(address, {}))
    told = "\n".join(map(shown, sent(page).split("\n")))
    harmless(told)
    assert "x" * 2000 not in told, "a name of 64 KiB is bounded"
    drawn = "\n".join(str(element.value) for kind in (page.markdown, page.caption, page.title, page.header, page.subheader) for element in kind)
    assert "<script>" not in drawn
    assert not any(formula in drawn for formula in FORMULAS)


def test_a_file_is_not_written_over(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text("mine")
    assert balefire("graph", "-o", file, "--store", place).exit_code == 2
    assert file.read_text() == "mine"
    assert balefire("graph", "-o", file, "--force", "--store", place).exit_code == 0
    assert json.loads(file.read_text())["nodes"]


@pytest.mark.parametrize(("value", "shown"), [("=1+1", "=1+1"), ("@a", "@a"), (None, ""), ("x" * 2000, "x" * 999 + "…"), ("a\x1b[2J", "a\\x1b[2J")])
def test_cells_show_what_is_stored(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_on_a_page_what_nobody_sees_is_seen_and_the_rest_stays() -> None:
    assert unsteered(STEERING) == "\\x1b]0;owned\\x07\\x1b[2J\\r\\x85\\u2028\\u202egnp.exe\\u2066\\u061c\\U000e0061"
    ours = "00:39–\u206000:44\n\tvisto \u200b水厂 👩\u200d🔧"
    assert unsteered(ours) == ours


def test_a_list_of_the_plant_cannot_bring_them_in(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"name,ip\n{'x' * (64 << 10)},10.0.0.1\n=1+1,10.0.0.2\n")
    told = one("import", "assets", file, "--store", tmp_path / "s", "--skip-wrong")
    assert (told["wrong"], told["problems"][0]["column"], told["new"]) == (1, "name", 1)


def test_what_nobody_sees_in_a_list_is_left_out_and_told(tmp_path: Path) -> None:
    file, place = tmp_path / "a.csv", ("--store", tmp_path / "s")
    file.write_text("name,ip\nPump,10.0.0.1\n" + STEERING.replace("\r", "") + "Valve,10.0.0.2\n", "utf-8")
    shown = balefire("import", "assets", file, "--dry-run", "--language", "en", *place)
    harmless(shown.output)
    assert "left out in 1 of the cells, first in row 3, “name”" in " ".join(shown.output.split())
    one("import", "assets", file, *place)
    assert balefire("import", "assets", file, "--dry-run", *place, "--json").exit_code == 0


def _interned(memory: Any, names: Any, index: Any, counters: Any) -> Any:
    """The numbers of three names: one too long, one of just so many octets, and the first again as far as it is kept."""
    memory, names, index, counters = borrow(memory), borrow(names), borrow(index), borrow(counters)
    numbers = np.zeros(3, np.int64)
    numbers[0] = intern(memory, 1 << 12, 300, names, index, counters[0])
    numbers[1] = intern(memory, (1 << 12) + 300, 255, names, index, counters[0])
    numbers[2] = intern(memory, 1 << 12, 299, names, index, counters[0])
    return numbers


def test_a_name_that_is_cut_says_so(tmp_path: Path) -> None:
    """On the wire: a system name of 500 letters in LLDP, and an object whose name is longer than is kept."""
    frame = Packet(bytes.fromhex("0180c200000e02ba1e01001188cc") + lldp(tlv(5, b"L" * 500)), START)
    again = replace(frame, time=START + SECOND)
    place = ("--store", tmp_path / "s")
    balefire("replay", save([frame, again], tmp_path / "l.pcap"), *place)
    (row,) = lines("assets", *place)
    assert row["name"] == "L" * 127 + "…"
    for language, words in (("en", "it is longer than 128 characters, and was cut"), ("zh", "超过 128 个字符，已截断")):
        assert words in balefire("asset", row["id"], *place, "--language", language).stdout
    names, index, counters = name_tables(0)
    arena = np.concatenate([np.zeros(1 << 12, np.uint8), np.frombuffer(b"n" * 300 + b"n" * 255, np.uint8)])
    whole = entry(_interned)(plain(arena), names, index, counters).tolist()
    assert whole == [0, 1, 0], "one of just so many octets is whole, and another one"
    assert [int(names[number].cut) for number in (0, 1)] == [1, 0]
