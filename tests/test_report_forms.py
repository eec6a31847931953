"""A report as files: the same bytes for the same data in any process, hostile text that stays text, spreadsheets without formulas, pages that fetch nothing."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from copy import deepcopy
from datetime import UTC, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from detectors.situation import FORMULA
from records.formats import per_cent, share_seen
from records.model import LEVELS
from records.nesting import iso
from records.store import open_store
from records.wording import LANGUAGES, say
from reports import charts
from reports.canonical import written
from reports.front import figures
from reports.kept import Kept, UnknownError, write_forms
from reports.periods import holding
from reports.printing import FORMATS, html, pdf, printed, rendered
from reports.summary import document, identity
from reports.words import Words
from tests.browser.waterworks import HOSTILE
from tests.cli import ROOT
from tests.golden.week import FILES
from tests.reporting import DAY, START, Plant, decide, fill

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
FORMULAS = ('=HYPERLINK("http://example.org")', "+1+1", "@SUM(A1)", "-2+3", "http://example.org/x", "\t=1")
AGAIN = """
import json, sys
from hashlib import sha256
from pathlib import Path
from reports.printing import rendered
told = json.loads(Path(sys.argv[1]).read_bytes())
for form in ("html", "pdf", "xlsx", "json"):
    print(form, sha256(rendered(told, form, "zh")).hexdigest())
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Row:
    store = open_store(str(tmp_path_factory.mktemp("forms") / "store"), True)
    fill(store, START, 3, Plant(controllers=6, findings=10, activities=60))
    decide(store)
    made = document(store, holding("daily", ZoneInfo("Asia/Shanghai"), START + DAY))
    store.close()
    return made


@pytest.fixture(scope="module")
def hostile(told: Row) -> Row:
    """The same with hostile texts wherever a text was stored."""
    made = deepcopy(told)
    worst = made["alerts"]["worst"]
    for place, text in enumerate((HOSTILE, *FORMULAS)):
        worst[place % len(worst)]["title"] = {"en": text, "zh": text}
    worst[0] |= {"title": {"en": HOSTILE, "zh": HOSTILE}, "assets": [HOSTILE]}
    made["site"] = HOSTILE
    made["assets"]["listed_new"] = [{"id": "x", "name": FORMULAS[0], "addresses": [HOSTILE], "role": HOSTILE, "maker": FORMULAS[1], "first": made["since"]}]
    made["changes"]["listed"] = [{"time": made["since"], "by": FORMULAS[2], "table": HOSTILE, "action": HOSTILE, "subject": "", "note": FORMULAS[3]}]
    made["unseen"]["silent"] = [HOSTILE]
    return made


def text_of(content: bytes) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages))


def test_the_same_data_is_the_same_bytes_in_another_process(told: Row, tmp_path: Path) -> None:
    (tmp_path / "told.json").write_bytes(written(told))
    words, elsewhere = [sys.executable, "-c", AGAIN, str(tmp_path / "told.json")], {"PYTHONHASHSEED": "77", "TZ": "America/St_Johns", "PATH": "/usr/bin:/bin"}
    other = subprocess.run(words, capture_output=True, text=True, check=True, env=elsewhere, cwd=ROOT).stdout
    assert dict(line.split() for line in other.splitlines()) == {form: sha256(rendered(told, form, "zh")).hexdigest() for form in FORMATS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_says_what_the_page_says(language: str) -> None:
    """Of the golden week, and where the site of the gravest alert has a name of 40 letters: page one stays one page."""
    told = json.loads(FILES["json"].read_text("utf-8").replace("Linghe Pumping Station", "Linghe Eastern Raw Water Pumping Station"))
    shown = printed(told, language)
    content = pdf(html(shown))
    pages = PdfReader(io.BytesIO(content)).pages
    first, whole = re.sub(r"\s+", "", pages[0].extract_text()), re.sub(r"\s+", "", text_of(content))
    for part in (
        shown.front.title,
        shown.front.sentence,
        shown.front.index,
        shown.front.unseen_title,
        shown.front.unseen[-1],
        *(fact.of for fact in shown.front.facts),
    ):
        assert re.sub(r"\s+", "", part) in first, part
    for section in shown.sections:
        assert re.sub(r"\s+", "", section.title) in whole
    assert str(told["id"]) in whole
    assert 3 <= len(pages) <= 9
    fonts = {str(font.get_object()["/BaseFont"]) for page in pages for font in page["/Resources"]["/Font"].values()}  # pyright: ignore
    assert any("CJK" in name or "SC" in name or "Hei" in name for name in fonts), f"no Chinese font: {fonts}"
    assert not [name for name in fonts if re.search(r"JP|KR|TC|HK|DejaVu-Sans$", name)], f"letters of charts in a font of another script: {fonts}"


class Watched(HTMLParser):
    """What of a page could do anything."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.odd: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.odd += [(tag, name, value) for name, value in attrs if name.startswith("on") or name in {"href", "src", "srcset", "action", "data"}]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_text_stays_text(hostile: Row, language: str) -> None:
    page = html(printed(hostile, language))
    watched = Watched()
    watched.feed(page)
    assert not watched.tags & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    assert not watched.odd
    assert "default-src 'none'" in page
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "<script>" not in charts.over_time([dict.fromkeys(LEVELS, 1)], [50.0], [HOSTILE], dict.fromkeys(LEVELS, HOSTILE), HOSTILE)


def connected(*_: object) -> None:
    pytest.fail("it connected")


def test_a_page_fetches_nothing() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.socket.connect", connected)
        content = pdf('<img src="file:///etc/hostname"><img src="http://127.0.0.1:9/x.png"><link rel="stylesheet" href="file:///etc/passwd"><p>here</p>')
    assert "here" in text_of(content)
    assert b"/Image" not in content


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_cell_is_a_formula_or_a_link(hostile: Row, language: str) -> None:
    content = rendered(hostile, "xlsx", language)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    values = {value for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python() for value in row}
    assert HOSTILE in values
    assert FORMULAS[0] in values
    assert len(book.sheet_names) == 1 + len(printed(hostile, language).sections)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/")]
        assert len(sheets) > len(book.sheet_names) - 1
        assert not [sheet for sheet in sheets if b"<f>" in sheet or b"<f " in sheet or b"hyperlink" in sheet]
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_numbers_in_a_workbook_are_numbers(told: Row) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(rendered(told, "xlsx", "en")))
    first, places = (book.get_sheet_by_index(place).to_python() for place in (0, 3))
    assert next(row for row in first if row[0] == say("report.index.label", "en"))[1] == told["index"]["value"]
    assert {row[4] for row in places if str(row[0]).startswith("sensor-")} == {row["packets"] for row in told["coverage"]["places"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_in_a_workbook_says_what_it_is_out_of(told: Row, language: str) -> None:
    """The number can be reckoned with; its format shows what the page shows, to the letter."""
    from xml.etree import ElementTree

    content = rendered(told, "xlsx", language)
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        styles, sheet = (ElementTree.fromstring(archive.read(f"xl/{name}.xml")) for name in ("styles", "worksheets/sheet2"))
    codes = {each.get("numFmtId"): each.get("formatCode") for each in styles.iter(f"{space}numFmt")}
    formats = [codes.get(each.get("numFmtId")) for each in next(styles.iter(f"{space}cellXfs"))]
    shown = [(int(float(each[0].text or "")), formats[int(each.get("s", "0"))]) for each in sheet.iter(f"{space}c") if each.get("t") is None]
    written = [f"{value:,}{(code or '').removeprefix('#,##0').strip(chr(34))}" for value, code in shown]
    assert written == [cell.text for table in printed(told, language).sections[0].tables for row in table.rows for cell in row if cell.kind == "number"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_zone_is_known_nothing_is_said_about_what_left_one(told: Row, language: str) -> None:
    """Neither that none did nor `0 of 0`."""
    blind = deepcopy(told)
    blind["data"] |= {"zoned": 0, "leaving": 0, "leaving_pairs": 0, "flows": [], "flow_count": 0}
    blind["data"]["by_class"] = [each | {"zoned": 0, "leaving": 0} for each in blind["data"]["by_class"]]
    known, not_known = (next(section for section in printed(each, language).sections if section.name == "data") for each in (told, blind))
    told_of = [table.title for table in known.tables]
    assert [table.title for table in not_known.tables] == [told_of[0], told_of[2]]
    cells = [cell.text for table in not_known.tables for row in table.rows for cell in row]
    assert cells
    assert say("report.of", language, count="0", whole="0") not in cells
    assert not_known.texts != known.texts


def test_levels_are_told_apart_in_grey() -> None:
    """By lightness (L* of CIELAB), and the one that is as light as another by its hatching; grey paper shows no more."""
    lightness = {level: light(charts.FILLS[level]) for level in LEVELS}
    solid = sorted(lightness[level] for level in ("critical", "high", "medium"))
    assert all(after - before > 15 for before, after in pairwise(solid)), lightness
    drawn = {level: charts.over_time([dict.fromkeys(LEVELS, 0) | {level: 3}], [100.0], [""], dict.fromkeys(LEVELS, ""), "") for level in LEVELS}
    hatches = {level: page.count('stroke-width="0.7" fill="none"') for level, page in drawn.items()}
    assert hatches["low"] == hatches["high"] + 1, "beside that of the legend, which shows low as it is drawn"
    assert hatches["high"] == hatches["critical"] == hatches["medium"] == 1


def light(colour: str) -> float:
    """How light a colour of sRGB is, 0-100."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 116 * (0.2126 * red + 0.7152 * green + 0.0722 * blue) ** (1 / 3) - 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_duration_and_a_size_in_a_workbook_can_be_reckoned_with(told: Row, language: str) -> None:
    """As a duration of the spreadsheet and as bytes; their formats say what the page says is behind them."""
    content = rendered(told, "xlsx", language)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    answers, unseen, assets = (book.get_sheet_by_index(place).to_python() for place in (2, 4, 5))
    longest, gaps = told["answers"]["all"]["taken_up"]["longest_s"], told["unseen"]["gaps"]
    assert longest in {cell.total_seconds() for row in answers for cell in row if isinstance(cell, timedelta)}
    assert [cell.total_seconds() for row in unseen for cell in row if isinstance(cell, timedelta)] == [each["seconds"] for each in gaps] != []
    assert {each["bytes"] for each in told["unseen"]["remote"]} <= {cell for row in assets for cell in row if isinstance(cell, float)}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        formats = archive.read("xl/styles.xml").decode()
    shown = {cell.behind for section in printed(told, language).sections for table in section.tables for row in table.rows for cell in row if cell.behind}
    assert len(shown) > 1
    assert all(f"[h]:mm:ss&quot;{text}&quot;" in formats or f" MB{text}&quot;" in formats for text in shown), shown


# What is a whole by itself, or stands beside the count that it is of.
WHOLES = ("Median", "Longest", "Oldest waits", "Interval", "Files", "中位数", "最长", "最久等待", "区间", "文件")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_printed_number_says_what_it_is_out_of(language: str) -> None:
    """In every table and line of the golden week: `3 of 18`, a share, or a column that says so."""
    shown = printed(json.loads(FILES["json"].read_bytes()), language)
    of = re.compile(r" of | / |%|no data|无数据|no list given|未提供清单|–|、|of 100|满分 100|共 ")
    alone = [
        (table.title, head, cell.text)
        for table in (shown.front.compared, *(table for section in shown.sections for table in section.tables))
        for row in table.rows
        for head, cell in zip(table.head, row, strict=True)
        if cell.kind == "number" and not of.search(cell.text) and not of.search(head) and not of.search(row[0].text) and head not in WHOLES
    ]
    assert alone == []
    sections = {section.name: section for section in shown.sections}
    spots = [row[0].text for table in sections["unseen"].tables[:1] for row in table.rows]
    lines = [*spots, *sections["coverage"].texts, *shown.front.unseen[:-1], *(fact.of for fact in shown.front.facts)]
    more = say("report.unseen.more", language, count="§").split("§")[0]
    named = say("report.unseen.disabled.one", language, rules="§").split("§")[0]  # each of which stands there by its name
    assert len(lines) > 15
    bare = [re.sub(r"sensor-\d+ · eth\d+", "", line) for line in lines if not line.startswith((more, named))]
    assert [line for line in bare if re.search(r"\d", line) and not re.search(r"\bof\b|among|%| / |共|全程|中", line)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_and_every_sheet_says_the_coverage_that_its_numbers_hold_for(told: Row, language: str) -> None:
    shown = printed(told, language)
    wanted = re.sub(r"\s+", "", shown.front.beside)
    assert all(words.share(told["coverage"][name]) in shown.front.beside for words in [Words(language, UTC)] for name in ("time_share", "grade"))
    for page in PdfReader(io.BytesIO(pdf(html(shown)))).pages:
        assert wanted in re.sub(r"\s+", "", page.extract_text())[-len(wanted) - 400 :]
    book = CalamineWorkbook.from_filelike(io.BytesIO(rendered(told, "xlsx", language)))
    assert {book.get_sheet_by_name(name).to_python()[0][0] for name in book.sheet_names} == {shown.front.beside}


def test_no_number_stands_without_what_it_is_out_of(told: Row) -> None:
    for language in LANGUAGES:
        front = printed(told, language).front
        assert all(re.search(r"\d", fact.of) for fact in front.facts)
        assert say("report.sentence.beside", language).split("{")[0] in front.beside


def test_what_is_less_than_a_hundredth_of_a_per_cent_is_not_nothing() -> None:
    assert [share_seen(per_cent(count, 75_900), "en") for count in (0, 6, 75_899, 75_900, 80_000)] == ["0 %", "< 0.01 %", "99.99 %", "100 %", "100 %"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_of_the_first_formula_is_printed_with_its_own_terms(told: Row, language: str) -> None:
    """Beside a newer one it is said that its index is another one."""
    first = deepcopy(told)
    assert first["index"].pop("formula") == FORMULA
    first["index"]["terms"][-1]["term"] = "unanswered"
    for made, key in ((told, "index"), (first, "index_first")):
        shown = printed(made, language)
        assert say(f"report.making.{key}", language) in shown.sections[-1].texts
        assert shown.front.bars[-1].label == say(f"report.term.{made['index']['terms'][-1]['term']}.name", language)
    beside = told | {"last_year": told["before"] | {"recorded": True, **figures(first)}}
    assert say("report.compared.formula", language, column="") in printed(beside, language).front.compared.note
    assert say("report.compared.formula", language, column="") not in printed(told, language).front.compared.note


def test_of_one_period_what_was_made_last_stands_first(told: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path / "reports")
    names: list[str] = []
    for number in range(3):
        other = {**told, "made_from": {**told["made_from"], "decisions": number}}
        names.append(identity(other))
        file = kept.keep(other | {"id": names[-1]})
        os.utime(file, ns=(0, START + (3 - number) * 10**9))
    assert [row["id"] for row in kept.heads()] == names
    os.utime(kept.folder / names[1] / f"{names[1]}.json", ns=(0, START + 10**10))
    assert [row["id"] for row in kept.heads()] == [names[1], names[0], names[2]]
    assert kept.heads()[0]["made"] == iso(START + 10**10)
    monkeypatch.setattr("reports.kept.MOST", 2)
    assert (len(kept.heads()), kept.left_out()) == (2, 1)
    assert [kept.find(name)["id"] for name in names] == names, "what no list tells is there all the same"


def test_what_is_kept_is_what_its_name_says(told: Row, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "reports")
    assert kept.heads() == []
    file = kept.keep(told)
    assert kept.find(told["id"]) == told == kept.find(told["id"][:20])
    assert [row["id"] for row in kept.heads()] == [told["id"]]
    content = file.read_bytes()
    for at in range(0, len(content), 97):  # a flipped bit anywhere
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        (row,) = kept.heads()
        assert row["problem"] is not None, at
    file.write_bytes(content)
    assert kept.heads()[0]["problem"] is None
    assert identity(kept.find(told["id"])) == told["id"]
    for name in ("x", "../" + told["id"], "daily-2026-11-02-000000000000", "x" * 400):
        with pytest.raises(UnknownError):
            kept.find(name)
        assert kept.files(name) == []
    names = [made.name for made in write_forms(told, tmp_path / "out", ("json", "html"), LANGUAGES)]
    assert names == [f"{told['id']}.json", f"{told['id']}.en.html", f"{told['id']}.zh.html"]
    assert not list((tmp_path / "out").glob(".part-*"))


def test_a_part_that_is_less_than_the_whole_reads_less() -> None:
    for language, told in (("en", "6 d 16 h 39 min 8 s of 6 d 16 h 39 min 41 s"), ("zh", "6 天 16 小时 39 分钟 8 秒 / 6 天 16 小时 39 分钟 41 秒")):
        assert Words(language, UTC).span_of(578_348, 578_381).text == told
    assert Words("en", UTC).span_of(578_381, 578_381).text == "6 d 16 h of 6 d 16 h"
    assert Words("en", UTC).span_of(3600, 578_381).text == "1 h of 6 d 16 h"
