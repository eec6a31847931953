"""What the plant's lists say against the wire: devices, zones and tags, before an import, after it, and of one asset."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from detectors.listed.devices import agree
from records.query import Span
from records.store import open_store
from records.wording import LANGUAGES
from reports import exposing
from reports.asking import Source
from tests.cli import CAPTURES, balefire, one, stored
from tests.test_dashboards import run

PLC, OTHER, CLIENT = "10.20.1.11", "10.20.1.12", "10.20.1.30"
ASSETS = (
    "name,ip,vendor,role,zone\n"
    f"Filter PLC,{PLC} 02:ba:1e:01:00:99,Siemens,HMI,Pumps\n"
    f"Pump PLC,{OTHER} {CLIENT} 10.20.1.77 02:ba:1e:01:00:12,Aquavale,PLC,Pumps\n"
    "Spare,10.20.1.99,,,\n"
)
ZONES = f"name,network\nPumps,{OTHER}/32\nFilters,10.20.1.0/24\nFar,10.99.0.0/16\n"
TAGS = (
    "name,device,unit id,register,engineering unit,min,max\n"
    f"Good,{OTHER},2,40017,rpm,0,1500\n"
    f"Narrow,{OTHER},2,40018,l/h,0,4\n"
    f"Unit,{OTHER},7,40017,,,\n"
    "Type,10.20.2.11,1,40005,,,\n"
    f"Speaks,{PLC},,DB1.DBW4,,,\n"
    f"Never,{PLC},1,49000,,,\n"
    "Nobody,10.20.1.99,1,40001,,,\n"
)
SAID = {
    "assets": [
        ("vendor", "Siemens", "Aquavale Controls"), ("role", "operator panel (HMI)", "controller"), ("mac", "02:ba:1e:01:00:99", "02:ba:1e:01:00:11"),
        ("elsewhere", CLIENT, f"02:ba:1e:01:00:30, {CLIENT}"), ("address", "10.20.1.77", ""),
    ],
    "zones": [],
    "tags": [
        ("range", "0 to 4 l/h", "0–40 l/h"), ("unit", "7", "2"), ("type", "register 40005", "input register 30005"), ("speaks", "DB1.DBW4", "Modbus/TCP"),
    ],
}  # fmt: skip
UNSEEN = {"assets": ["Spare"], "zones": ["Far"], "tags": ["Never", "Nobody"]}
UNLISTED = {"assets": "10.20.2.11", "zones": "10.20.2.11", "tags": f"coil 00002 · {PLC}"}


@cache
def listed() -> tuple[Path, dict[str, Path]]:
    """A copy of the demo's store with these lists imported, and the lists."""
    folder = Path(mkdtemp(prefix="balefire-listed-"))
    store = Path(shutil.copytree(stored()[0], folder / "store"))
    files: dict[str, Path] = {}
    for kind, text in (("assets", ASSETS), ("zones", ZONES), ("tags", TAGS)):
        files[kind] = folder / f"{kind}.csv"
        files[kind].write_text(text)
        one("import", kind, files[kind], "--store", store)
    return store, files


@pytest.mark.parametrize("kind", ["assets", "zones", "tags"])
def test_a_preview_says_what_the_wire_says_otherwise(kind: str) -> None:
    told = one("import", kind, listed()[1][kind], "--dry-run", "--store", stored()[0])
    assert [(each["field"], each["listed"], each["seen"]) for each in told["disagreements"]] == SAID[kind]
    assert all(each["row"] > 1 and each["name"] in each["text"]["zh"] for each in told["disagreements"])
    assert told["unseen"] == UNSEEN[kind]
    assert UNLISTED[kind] in told["unlisted"]


@pytest.mark.parametrize("kind", ["assets", "zones", "tags"])
def test_so_does_the_list_that_is_kept(kind: str) -> None:
    """What was imported is no witness of itself."""
    told = one("import", kind, "--store", listed()[0])
    said = [(each["field"], each["listed"], each["seen"]) for each in told["disagreements"] if each["field"] != "zone"]
    assert (said, told["unseen"]) == (SAID[kind], UNSEEN[kind])
    zones = {(each["name"], each["listed"], each["seen"]) for each in told["disagreements"] if each["field"] == "zone"}
    assert (("Filter PLC", "Pumps", "Filters") in zones) == (kind != "tags")
    shown = balefire("import", kind, "--store", listed()[0], "--language", "zh").stdout
    assert f"清单中有但从未出现：{len(UNSEEN[kind])} 个" in shown
    assert not any("row" in each for each in told["disagreements"])


def test_a_list_that_agrees_or_is_none_is_said_to(tmp_path: Path) -> None:
    assert "There is no list of tags yet" in balefire("import", "tags", "--store", stored()[0], "--language", "en").stdout
    (tmp_path / "zones.csv").write_text("name,network\nPlant,10.0.0.0/8\n")
    store = shutil.copytree(stored()[0], tmp_path / "store")
    balefire("import", "zones", tmp_path / "zones.csv", "--store", store)
    assert "1 entry in the list that is kept; it agrees" in balefire("import", "zones", "--store", store, "--language", "en").stdout
    refused = balefire("import", "zones", "--replace", "--store", store, "--language", "en")
    assert (refused.exit_code, "Without FILE nothing is imported" in refused.stderr) == (2, True)


def test_a_protocol_of_another_maker_is_said(tmp_path: Path) -> None:
    balefire("replay", CAPTURES / "s7comm.pcap", "--store", tmp_path / "store")
    (tmp_path / "assets.csv").write_text("name,ip,vendor\nPLC,10.20.8.11,Modicon\n")
    (told,) = [
        each["text"]["en"]
        for each in one("import", "assets", tmp_path / "assets.csv", "--store", tmp_path / "store")["disagreements"]
        if each["field"] == "protocol"
    ]
    assert told == "PLC (10.20.8.11): listed as vendor Modicon, but it answers S7comm as devices of Siemens do"
    # what S7 reads as octets says nothing of types; a word that is read as a word is no bit
    (tmp_path / "tags.csv").write_text("name,device,address\nWord,10.20.8.11,DB1.DBW10\nBit,10.20.8.11,DB1.DBX10.1\nFar,10.20.8.11,DB9.DBW10\n")
    tags = one("import", "tags", tmp_path / "tags.csv", "--store", tmp_path / "store")
    assert (tags["disagreements"], tags["unseen"]) == ([], ["Far"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_asset_tells_it_too(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = " ".join(balefire("asset", PLC, "--store", listed()[0], "--language", language).stdout.split())
    page = run("asset", listed()[0], monkeypatch, lang=language, asset=PLC, range="all")
    for words in {"en": ("listed as vendor Siemens", "listed as DB1.DBW4"), "zh": ("清单中厂商为 Siemens", "清单中为 DB1.DBW4")}[language]:
        assert words in shown
        assert words in page
    told = one("asset", OTHER, "--store", listed()[0])["disagreements"]
    assert ("elsewhere", CLIENT) in [(each["field"], each["listed"]) for each in told], "another asset, not one that was never seen"


@pytest.mark.parametrize(
    ("listed", "seen", "same"),
    [
        ("西门子", "Siemens AG", True), ("Allen-Bradley", "Rockwell Automation/Allen-Bradley", True), ("AB", "Rockwell", False),
        ("Schneider", "Modicon", True), ("施耐德电气", "Siemens", False), ("SIEMENS", "siemens", True),
    ],
)  # fmt: skip
def test_makers_have_several_names(listed: str, seen: str, same: bool) -> None:
    assert agree("vendor", listed, seen) == same


def test_a_report_counts_what_is_in_no_list() -> None:
    store = open_store(str(listed()[0]))
    try:
        source, span = Source(store), Span(0, 1 << 62)
        known = exposing.assets(source, span)
        named = [row for row in known.values() if {PLC, OTHER, CLIENT} & set(row["addresses"])]
        assert exposing.told(source, span, known)["unlisted"] == len(known) - len(named) > 0 < len(named)
    finally:
        store.close()
