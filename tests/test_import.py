"""`balefire import`: spreadsheets of plants, what is wrong in them by row and column, what disagrees with the wire, and what rows and alerts say afterwards."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from balefire.importing import sheets
from balefire.importing.addresses import Place, read_address
from balefire.importing.comparing import Difference, changes, difference
from balefire.importing.entries import Reading, read_entries
from balefire.importing.relabelling import Texts
from balefire.importing.sheets import read_sheet
from records.errors import UsageError
from records.plant import ListedAsset, ListedZone, Plant, Tag, merged
from records.store import open_store
from tests.cli import DEMO, ROOT, balefire, lines, one

if TYPE_CHECKING:
    from pathlib import Path

PLC, OTHER = "10.20.1.11", "10.20.1.12"
ASSETS = f"name,ip,vendor,role,zone,level,criticality\nPLC-1,{PLC},Siemens,PLC,Filters,1,high\nPLC-2,{OTHER},Aquavale Controls,plc,,,\nSpare,10.20.1.99,,,,,\n"
TAGS = "位号,设备,站地址,地址,单位,下限,上限\n3号泵转速,PLC-2,2,40017,rpm,0,1500\nTank level,10.20.1.11,,holding_register 0,%,0,100\n"
DESCRIBED = TAGS.replace("上限\n", "上限,描述\n").replace("1500\n", "1500,drive of the filter\n").replace("100\n", "100,\n")
ZONES = 'zone,network,level\nControl,10.20.0.0/16,2\nFilters,"10.20.1.0/25; 10.20.3.0/24",1\n'


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def book(path: Path, rows: list[list[object]]) -> Path:
    """A workbook of one sheet, as its standard (ECMA-376) has it at the least."""

    def cell(value: object) -> str:
        return f"<c><v>{value}</v></c>" if isinstance(value, (int, float)) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheet = "".join(f"<row>{''.join(cell(value) for value in row)}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{kinds}"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{links}"><Relationship Id="a" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="A" sheetId="1" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{links}"><Relationship Id="b" Type="{office}/worksheet" Target="worksheets/a.xml"/>'
        "</Relationships>",
        "xl/worksheets/a.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return path


def read(kind: str, path: Path, known: dict[str, str] | None = None) -> Reading:
    return read_entries(kind, read_sheet(path), path, known or {})


def said(reading: Reading) -> list[tuple[int, str, str]]:
    return [(each.row, each.column, each.message.en) for each in reading.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_in_the_encodings_of_plants(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(csv.reader(io.StringIO(TAGS)))
    reading = read("tags", written(tmp_path / "tags.csv", text.getvalue(), encoding), {"plc-2": OTHER})
    assert [entry for _, entry in reading.entries] == [
        Tag("3号泵转速", OTHER, 2, "holding_register", 16, None, "rpm", 0, 1500),
        Tag("Tank level", PLC, None, "holding_register", 0, None, "%", 0, 100),
    ]
    assert (reading.problems, reading.unused) == ([], [])


def test_a_workbook_is_read_as_text_is(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Tag", "Device", "Unit ID", "Register", "Max"], ["Speed", PLC, 1, 40018, 12.5], ["Level", PLC, 1, "DB1.DBW4", ""]]
    reading = read("tags", book(tmp_path / "tags.xlsx", rows))
    assert [entry for _, entry in reading.entries] == [
        Tag("Speed", PLC, 1, "holding_register", 17, high=12.5),
        Tag("Level", PLC, 1, label="db1.dbw4"),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("40018", Place("holding_register", 17)),
        ("400018", Place("holding_register", 17)),
        ("465536", Place("holding_register", 65535)),
        ("00001", Place("coil", 0)),
        ("30001", Place("input_register", 0)),
        ("%MW16", Place("holding_register", 16, "mw16")),
        ("%M3", Place("coil", 3, "m3")),
        ("%QW3", Place(None, None, "qw3")),
        ("holding register 17", Place("holding_register", 17)),
        ("HR17", Place("holding_register", 17)),
        ("AI 5", Place("analog_input", 5)),
        ("IOA 4001", Place(None, 4001)),
        ("4001", Place(None, 4001)),
        ("0x11", Place(None, 17)),
        ("DB1.DBX0.0", Place(label="db1.dbx0.0")),
        ("%DB1.DBW4", Place(label="db1.dbw4")),
        ("M10.3", Place(label="m10.3")),
        ("N7:0", Place(label="n7:0")),
        ("Motor[3].Speed", Place(label="motor[3].speed")),
        ("P#DB1.DBX0.0 BYTE 4", Place(label="p#db1.dbx0.0byte4")),
        ("T5-T8", Place(label="t5-t8")),
        ("T4:0.ACC", Place(label="t4:0.acc")),
        ("B3:0/1", Place(label="b3:0/1")),
        ("Program:Main.Level", Place(label="program:main.level")),
        ("水泵.转速", Place(label="水泵.转速")),
    ],
)
def test_addresses_as_engineers_write_them(text: str, place: Place) -> None:
    assert read_address(text) == place


LARGEST = {  # by what each protocol can carry: the largest address, and one beyond it
    "HR 65535": "HR 65536", "coil 65535": "coil 70000", "%MW65535": "%MW99999999", "%IX65535": "%IX65536", "%QW65535": "%QW65536",
    "IOA 16777215": "IOA 99999999", "short_float 16777215": "short_float 16777216", "AI 4294967295": "AI 4294967296", "index 4294967295": "index 4294967296",
    "4294967295": "4294967296", "0xffffffff": "0x100000000", "DB65535.DBX0.0": "DB99999.DBX0.0", "%DB1.DBW65535": "%DB1.DBW65536",
    "P#DB65535.DBX0.0 BYTE 4": "P#DB65536.DBX0.0 BYTE 4", "N7:65535": "N7:65536", "N65535:0": f"N{'9' * 60}:0",
}  # fmt: skip


@pytest.mark.parametrize("largest", LARGEST)
def test_addresses_that_cannot_exist_are_told_with_the_largest_that_can(largest: str, tmp_path: Path) -> None:
    reading = read("tags", written(tmp_path / "tags.csv", f"name,device,address\nA,{PLC},{largest}\nB,{PLC},{LARGEST[largest]}\n"))
    assert [entry.name for _, entry in reading.entries] == ["A"]
    assert said(reading) == [(3, "address", f"“{LARGEST[largest]}” cannot exist: the largest is {largest}")]


@pytest.mark.parametrize(("count", "words"), [(1, "Imported: 1 entry."), (2, "Imported: 2 entries.")])
def test_one_entry_is_told_as_one(count: int, words: str, tmp_path: Path) -> None:
    rows = "".join(f"PLC {number},10.0.0.{number}\n" for number in range(1, count + 1))
    told = balefire("import", "assets", written(tmp_path / "a.csv", f"name,ip\n{rows}"), "--store", tmp_path / "store", "--yes").stdout
    kept = balefire("import", "assets", "--store", tmp_path / "store").stdout
    assert (words in told, words[10:-1] + " in the list that is kept" in kept) == (True, True)


def test_what_is_wrong_is_said_by_row_and_column(tmp_path: Path) -> None:
    text = (
        "name,IP address,MAC,level,criticality,role,colour\n"
        "A,10.0.0.1,00-11-22-AA-bb-CC,Level 2,关键,HMI,red\n"
        "B,10.0.0.300,,3.5,vital,robot,red\n"
        ",10.0.0.2,,,,,\n"
        "a,10.0.0.4,,,,,\n"
        "C,10.0.0.1,,,,,\n"
    )
    reading = read("assets", written(tmp_path / "a.csv", text))
    assert [entry for _, entry in reading.entries] == [
        ListedAsset("A", ("10.0.0.1", "00:11:22:aa:bb:cc"), role="hmi", level=2, criticality="critical")
    ]  # fmt: skip
    assert reading.unused == ["colour"]
    assert (reading.wrong, said(reading)) == (
        4,
        [
            (3, "role", "“robot” is none of controller, hmi, engineering, historian, gateway, switch, server, client, field_device"),
            (3, "level", "“3.5” is no Purdue level: 0, 1, 2, 3, 4 or 5"),
            (3, "criticality", "“vital” is none of critical, high, normal, low"),
            (3, "IP address", "“10.0.0.300” is no IP or MAC address"),
            (4, "name", "it is empty"),
            (5, "name", "row 2 has the same"),
            (6, "IP address", "row 2 has the same"),
        ],
    )


def test_what_is_wrong_with_tags_and_zones(tmp_path: Path) -> None:
    text = 'tag,device,unit,address,low,high\nA,plc-3,1,40001,,\nB,10.0.0.1,x,,5,1\nC,10.0.0.1,,40001,"1,234",nan\nD,10.0.0.1,1,40001,"0,5",1\n'
    reading = read("tags", written(tmp_path / "t.csv", text), {"plc-1": PLC})
    assert [entry for _, entry in reading.entries] == [Tag("D", "10.0.0.1", 1, "holding_register", 0, low=0.5, high=1)]
    assert [(row, column) for row, column, _ in said(reading)] == [
        (2, "device"), (3, "unit"), (3, "address"), (3, "high"), (4, "low"), (4, "high"),
    ]  # fmt: skip
    assert "nearest: plc-1" in said(reading)[0][2]
    assert "write 1234" in said(reading)[4][2]
    zones = read("zones", written(tmp_path / "z.csv", "zone,network,level\nA,10.0.0.0/33,1\nB,,\nC,10.1.2.3/16 fd00::/8,4\n"))
    assert [entry for _, entry in zones.entries] == [ListedZone("C", ("10.1.0.0/16", "fd00::/8"), 4)]
    assert [(row, column) for row, column, _ in said(zones)] == [(2, "network"), (3, "network")]


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.csv", b"", "import.empty"),
        ("a.csv", b"\n,,\n", "import.empty"),
        ("a.csv", b"\xff\xfe\x00", "import.encoding"),
        ("a.csv", b"n\x81\x8d\xff", "import.encoding"),
        ("a.csv", b"vendor,ip\nx,10.0.0.1\n", "import.column"),
        ("a.csv", b'name\n"' + b"x" * 200_000 + b'"\n', "import.broken"),
        ("a.xlsx", b"PK\x03\x04 no workbook", "import.broken"),
        ("a.xlsx", b"", "import.broken"),
        ("a.ods", b"hello", "import.broken"),
    ],
)
def test_bad_files_are_refused_with_words(tmp_path: Path, name: str, content: bytes, key: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read("assets", path)
    assert caught.value.key == key
    assert str(path) in caught.value.text("en")


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_UNPACKED", 8 << 20)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/worksheets/a.xml", "w", force_zip64=True) as part:
        for _ in range(9):
            part.write(bytes(1 << 20))
    with pytest.raises(UsageError) as caught:
        read("assets", path)
    assert caught.value.key == "import.large"


def test_a_text_that_many_cells_share_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kilobytes of a file would else be gigabytes of text here."""
    path = book(tmp_path / "shared.xlsx", [["name", "ip"], *([f"{'n' * 90}{number:02}", "10.0.0.1"] for number in range(20))])
    monkeypatch.setattr(sheets, "MOST_TEXTS", 20 * 102 + 10)
    assert len(sheets.read_sheet(path).rows) == 20
    monkeypatch.setattr(sheets, "MOST_TEXTS", 1000)
    with pytest.raises(UsageError) as caught:
        read("assets", path)
    assert caught.value.key == "import.large"


def test_a_sheet_that_says_it_is_endless_ends_nobody(tmp_path: Path) -> None:
    """One stray cell in the last row and column: whoever reads such a sheet wants hundreds of gigabytes."""
    path = book(tmp_path / "far.xlsx", [["name", "ip"], ["A", "10.0.0.1"]])
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name).decode() for name in packed.namelist()}
    parts["xl/worksheets/a.xml"] = parts["xl/worksheets/a.xml"].replace("</sheetData>", f"{far}</sheetData>")
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    with pytest.raises(UsageError) as caught:
        read("assets", path)
    assert caught.value.key == "import.large"


def test_how_a_file_was_read_is_said(tmp_path: Path) -> None:
    place = ("--store", tmp_path / "store")
    latin = written(tmp_path / "latin1.csv", "name,ip\nKühlpumpe,10.0.0.1\nB,\n", "latin-1")
    shown = balefire("import", "assets", latin, "--dry-run", *place).output
    assert "Read as Windows-1252, since it is no UTF-8." in shown
    assert "row 2, new: Kühlpumpe, 10.0.0.1" in shown
    assert "nothing on the wire is known to be it: 1 (B)" in shown
    assert "There was no store at" in shown
    told = one("import", "assets", latin, "--dry-run", *place)
    assert (told["encoding"], [each["row"] for each in told["examples"]], told["relabelled"]) == ("Windows-1252", [2, 3], None)
    assert one("import", "assets", written(tmp_path / "a.csv", "name,ip\nPump,10.0.0.1\n"), *place)["encoding"] is None
    shown = balefire("import", "assets", written(tmp_path / "b.csv", "name,ip\npump,10.0.0.2\n"), "--dry-run", *place).output
    assert "row 2, changed: Pump, 10.0.0.1 → pump, 10.0.0.2" in shown


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("3号泵转速", "gb18030", "GB 18030"), ("Größe der Förderhöhe in °C, µm und m³", "cp1252", "Windows-1252"),
        ("Débit à l’entrée", "cp1252", "Windows-1252"),
        ("Насос подачи воды", "cp1251", "Windows-1252"), ("泵 №2：出口压力（MPa）≥0.5 ℃", "gb18030", "GB 18030"),
    ],
)  # fmt: skip
def test_what_is_no_unicode_is_chinese_only_where_it_looks_so(tmp_path: Path, text: str, encoding: str, expected: str) -> None:
    path = written(tmp_path / "a.csv", f'name,ip\n"{text}",10.0.0.1\n', encoding)
    assert read_sheet(path).encoding == expected
    assert read_sheet(path, encoding).rows[0][1][0] == text, "whoever knows says so"


@pytest.mark.parametrize(("encoding", "key"), [("klingon", "import.no_encoding"), ("zlib", "import.no_encoding"), ("ascii", "import.other_encoding")])
def test_an_encoding_that_is_none_or_another_is_refused_with_words(tmp_path: Path, encoding: str, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_sheet(written(tmp_path / "a.csv", "name\nKühlpumpe\n"), encoding)
    assert caught.value.key == key
    with pytest.raises(UsageError) as caught:
        read_sheet(book(tmp_path / "a.xlsx", [["name"]]), "utf-8")
    assert caught.value.key == "import.no_text"


def test_units_and_registers_that_no_modbus_device_has(tmp_path: Path) -> None:
    text = "tag,device,unit,address\nA,10.0.0.1,300,40001\nB,10.0.0.1,1,99999\nC,10.0.0.1,1,465537\nD,10.0.0.1,255,465536\nE,10.0.0.2,300,IOA 70001\n"
    reading = read("tags", written(tmp_path / "t.csv", text))
    assert [entry.name for _, entry in reading.entries if isinstance(entry, Tag)] == ["D", "E"]
    assert [(row, column) for row, column, _ in said(reading)] == [(2, "unit"), (3, "address"), (4, "address")]
    assert said(reading)[0][2] == "“300” is no whole number from 0 to 255"
    assert said(reading)[1][2].startswith("“99999” is no register of Modbus")


@pytest.mark.parametrize("heading", ["cidr", "CIDR", "range", "subnet", "Subnets", "IP range"])
def test_what_columns_of_networks_are_called(tmp_path: Path, heading: str) -> None:
    reading = read("zones", written(tmp_path / "z.csv", f"name,{heading}\nA,10.0.0.0/24\n"))
    assert [entry for _, entry in reading.entries] == [ListedZone("A", ("10.0.0.0/24",))]


def test_lists_with_engineering_units_and_ranges(tmp_path: Path) -> None:
    """As the lists of plants have them: what “unit” is, is told by what stands in it."""
    text = 'tag,device,unit,address,range\nA,10.0.0.1,rpm,40001,0-1500\nB,10.0.0.1,,40002,"-50 to 50,5"\nC,10.0.0.1,bar,40003,0.5…10 bar\n'
    reading = read("tags", written(tmp_path / "t.csv", text.replace("\\\n", "\n")))
    assert said(reading) == []
    assert [(entry.unit, entry.measure, entry.low, entry.high) for _, entry in reading.entries if isinstance(entry, Tag)] == [
        (None, "rpm", 0, 1500), (None, None, -50, 50.5), (None, "bar", 0.5, 10),
    ]  # fmt: skip
    assert [note.en for note in reading.notes] == ["Column “unit” has no numbers (rpm …): it is read as the engineering unit, not as the station."]
    mixed = read("tags", written(tmp_path / "m.csv", "tag,device,unit,address,range\nA,10.0.0.1,rpm,40001,\nB,10.0.0.1,3,40002,much\n".replace("\\\n", "\n")))
    assert [(row, column) for row, column, _ in said(mixed)] == [(2, "unit"), (3, "range")]
    both = "tag,device,address,range,low,high\nA,10.0.0.1,40001,0-10,0,12\nB,10.0.0.1,40002,0-10,,10\nC,10.0.0.1,40003,10-0,,\n".replace("\\\n", "\n")
    assert [(row, column) for row, column, _ in said(read("tags", written(tmp_path / "b.csv", both)))] == [(2, "range"), (4, "range")]


@pytest.mark.parametrize(
    "text", ["4000x", "DB1.DBX", "DB1.DBX0", "DB1.DBX0.8", "DB1,REAL4", "holding_register x", "ABC DEF", "40 001", "N7:", "Motor[", "-5", "1.5"]
)
def test_what_is_no_address_is_none(tmp_path: Path, text: str) -> None:
    reading = read("tags", written(tmp_path / "t.csv", f'tag,device,address\nA,10.0.0.1,"{text}"\nB,10.0.0.1,DB1.DBX0.7\n'.replace("\\\n", "\n")))
    ((row, column, message),) = said(reading)
    assert (row, column) == (2, "address")
    assert message.startswith(f"“{text}” is no address: write 40018, ")
    assert len(reading.entries) == 1


def test_of_columns_that_mean_the_same_it_is_said_which_counts(tmp_path: Path) -> None:
    reading = read("assets", written(tmp_path / "a.csv", "name,ip,name,mac,device\nA,10.0.0.1,B,,\n,10.0.0.2,C,,\n".replace("\\\n", "\n")))
    assert [entry.name for _, entry in reading.entries if isinstance(entry, ListedAsset)] == ["A", "C"]
    assert [note.en for note in reading.notes] == ["Columns that mean the same: “name” (column 1) counts; where it is empty, name (3), device (5)."]
    shown = balefire("import", "assets", tmp_path / "a.csv", "--dry-run", "--store", tmp_path / "store").output
    assert "“name” (column 1) counts" in " ".join(shown.split())


def test_merged_cells_belong_to_all_that_they_cover(tmp_path: Path) -> None:
    """A device written once beside its tags; a heading over two columns. Rows with nothing of their own stay empty."""
    rows: list[list[object]] = [["device", "tag", "address", "", "description"], [PLC, "A", "40001", "", ""], ["", "B", "40002", "", ""], ["", "", "", "", ""]]
    path = book(tmp_path / "merged.xlsx", rows)
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name).decode() for name in packed.namelist()}
    merged = '<mergeCells count="3"><mergeCell ref="A2:A4"/><mergeCell ref="C1:D1"/><mergeCell ref="E2:XFD1048576"/></mergeCells>'
    parts["xl/worksheets/a.xml"] = parts["xl/worksheets/a.xml"].replace("</sheetData>", f"</sheetData>{merged}")
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    reading = read("tags", path)
    assert said(reading) == []
    assert [(entry.name, entry.device) for _, entry in reading.entries if isinstance(entry, Tag)] == [("A", PLC), ("B", PLC)]
    assert [note.en for note in reading.notes] == ["Columns that mean the same: “address” (column 3) counts; where it is empty, address (4)."]


@pytest.mark.parametrize(("span", "said_of"), [("3", None), ("x", "import.broken")])
def test_merged_cells_of_an_open_document(tmp_path: Path, span: str, said_of: str | None) -> None:
    """As its standard (ODF 1.3, 9.1) has them: the first cell says how many it spans, those that it covers stand there, empty rows and cells once for many."""
    path, spaces = tmp_path / "merged.ods", "urn:oasis:names:tc:opendocument:xmlns"

    def cell(text: str, more: str = "") -> str:
        return f'<table:table-cell office:value-type="string" {more}><text:p>{text}</text:p></table:table-cell>' if text else "<table:table-cell/>"

    def row(*cells: str, more: str = "") -> str:
        return f"<table:table-row {more}>{''.join(cells)}</table:table-row>"

    covered = "<table:covered-table-cell/>"
    rows = [
        row('<table:table-cell table:number-columns-repeated="2"/>', more='table:number-rows-repeated="2"'),
        row(cell("device"), cell("tag"), cell("address", 'table:number-columns-spanned="2"'), covered),
        row(cell(PLC, f'table:number-rows-spanned="{span}"'), cell("A"), cell("40001"), cell("")),
        row(covered, cell("B"), cell(""), cell("40002")),
        row(covered, *[cell("")] * 3),
        row('<table:table-cell table:number-columns-repeated="16384"/>', more='table:number-rows-repeated="1048570"'),
    ]
    names = " ".join(f'xmlns:{each}="{spaces}:{each}:1.0"' for each in ("office", "table", "text"))
    sheets = f'<table:table table:name="A">{"".join(rows)}</table:table><table:table table:name="B">{rows[2].replace(">A<", ">Z<")}</table:table>'
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        packed.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{spaces}:manifest:1.0"/>')
        packed.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document-content>",
        )
    if said_of:
        with pytest.raises(UsageError) as caught:
            read("tags", path)
        assert caught.value.key == said_of
        return
    reading = read("tags", path)
    assert said(reading) == []
    assert [(row, entry.name, entry.device) for row, entry in reading.entries if isinstance(entry, Tag)] == [(4, "A", PLC), (5, "B", PLC)]


def test_nothing_wrong_is_taken_in_without_a_word(tmp_path: Path) -> None:
    text = f"name,ip\n{'x' * 129},10.0.0.1\nA,10.0.0.2,10.0.0.3\n"
    assert said(read("assets", written(tmp_path / "a.csv", text))) == [
        (2, "name", "it is longer than 128 characters"), (3, "ip", "there are cells behind the last heading"),
    ]  # fmt: skip
    with pytest.raises(UsageError) as caught:
        read("assets", written(tmp_path / "quote.csv", 'name,ip\n"A,10.0.0.1\nB,10.0.0.2\n'))
    assert caught.value.key == "import.broken"
    place = ("--store", tmp_path / "store")
    one("import", "assets", written(tmp_path / "b.csv", "name,ip\nPump,10.0.0.1\n"), *place)
    bare = written(tmp_path / "bare.csv", "name,ip\n")
    refused = balefire("import", "assets", bare, "--replace", *place)
    assert (refused.exit_code, "--yes" in refused.output) == (2, True)
    assert one("import", "assets", bare, "--replace", "--yes", *place)["removed"] == 1


def test_help_tells_what_an_import_would_do() -> None:
    shown = " ".join(balefire("import", "--help").output.split())
    assert "hidden" not in shown
    assert "nothing is imported" in shown


def test_names_reach_rows_alerts_and_rules(tmp_path: Path) -> None:
    store, place = tmp_path / "store", ("--store", tmp_path / "store")
    assets, zones, tags = (written(tmp_path / f"{name}.csv", text) for name, text in (("a", ASSETS), ("z", ZONES), ("t", DESCRIBED)))
    assert one("import", "assets", assets, *place)["imported"]
    assert one("import", "zones", zones, *place, "--by", "Li Wei")["new"] == 2
    assert one("import", "tags", tags, *place)["rows"] == 2
    rule = written(
        tmp_path / "pump-3-set.yml",
        "title: Pump 3 was set\ntitle_zh: 3号泵被设定\nid: pump-3-set\ndescription: It drives the filter.\ndescription_zh: 驱动滤池。\n"
        "level: high\nlogsource: {product: balefire}\n"
        "detection:\n  pump:\n    ot.tag.name|contains: 号泵\n    ot.access: write\n  condition: pump\n"
        "misses: [{en: none, zh: 无}]\nrespond: [{en: ask, zh: 询问}]\n"
        "tests:\n  fires: [{ot.tag.name: [3号泵转速], ot.effect: value.write}]\n  quiet: [{ot.effect: value.write}]\n",
    )
    balefire("replay", DEMO, *place, "--rules", rule)
    written_rows = lines("activities", *place, "--where", 'ot.tag.name:"3号泵转速"')
    assert {(row["destination"]["asset"]["name"], row["destination"]["asset"]["zone"], row["destination"]["asset"]["level"]) for row in written_rows} == {
        ("PLC-2", "Filters", 1)
    }
    told = {"name": ["3号泵转速"], "unit": "rpm", "low": 0.0, "high": 1500.0, "description": "drive of the filter"}
    assert all(row["ot"]["tag"] == told for row in written_rows if row["ot"]["access"] == "write")
    assert "drive of the filter, range 0 to 1500 rpm" in json.dumps(lines("findings", *place, "--where", "rule:pump-3-set"))
    assert "drive of the filter, range 0 to 1500 rpm" in " ".join(balefire("points", *place, "--where", "ot.unit:2", "--language", "en").stdout.split())
    (scaled,) = lines("findings", *place, "--where", "detector:ranges")
    assert (scaled["title"]["en"].split(" of ")[0], scaled["severity"]) == ("Tank level (register 40001)", 39), "once and low: the list means another scale"
    assert {row["ot"]["tag"]["unit"] for row in lines("points", *place, "--where", "ot.tag.name:Tank*")} == {"%"}
    assert "PLC-1 (10.20.1.11)" in json.dumps(lines("alerts", *place))
    assert lines("findings", *place, "--where", "rule:pump-3-set")
    assert "criticality high" in json.dumps(lines("findings", *place, "--where", f'destination.ip:"{PLC}"'))
    trail = [(row["action"], row["table"], row["subject"], row["by"]) for row in lines("audit", *place)]
    assert trail[1] == ("import", "plant", "zones", "Li Wei")
    assert "PLC-2" not in json.dumps(lines("audit", *place)), "lists are told by their digest"
    again = one("replay", DEMO, *place)
    assert again["findings"] > 0, "what a list says is no other content of the same rows"
    assert store.exists()


def test_what_disagrees_with_the_wire_is_said(tmp_path: Path) -> None:
    place = ("--store", tmp_path / "store")
    balefire("replay", DEMO, *place)
    told = one("import", "assets", written(tmp_path / "a.csv", ASSETS), *place, "--dry-run")
    assert not told["imported"]
    (vendor,) = told["disagreements"]
    assert vendor["text"]["en"] == f"PLC-1 ({PLC}): listed as vendor Siemens, but on the wire it says Aquavale Controls"
    assert {name: value for name, value in vendor.items() if name != "text"} == {
        "row": 2, "name": "PLC-1", "address": PLC, "field": "vendor", "listed": "Siemens", "seen": "Aquavale Controls"
    }  # fmt: skip
    assert told["unseen"] == ["Spare"]
    assert "10.20.2.11" in json.dumps(told["unlisted"])
    shown = balefire("import", "assets", tmp_path / "a.csv", *place, "--language", "zh")
    assert "清单中厂商为 Siemens，而流量中为 Aquavale Controls" in shown.output


def test_wrong_rows_stop_an_import_unless_the_others_are_wanted(tmp_path: Path) -> None:
    place = ("--store", tmp_path / "store")
    path = written(tmp_path / "a.csv", "name,ip\nA,10.0.0.1\nB,nowhere\n")
    refused = balefire("import", "assets", path, *place)
    assert (refused.exit_code, "row 3, ip: “nowhere” is no IP or MAC address" in refused.output) == (1, True)
    assert "a.csv: 1 row is wrong" in " ".join(refused.output.replace("\n", "").split("│"))
    assert one("import", "assets", path, *place, "--skip-wrong")["imported"]
    assert one("import", "assets", path, *place, "--skip-wrong")["same"] == 1
    path.write_text("name,ip\nC,10.0.0.3\n")
    assert one("import", "assets", path, *place, "--dry-run", "--replace")["removed"] == 1
    assert one("import", "assets", path, *place, "--replace")["new"] == 1
    assert one("import", "assets", path, *place)["same"] == 1


def test_a_device_that_is_listed_under_a_new_name_is_renamed() -> None:
    old = [ListedAsset("Old name", ("10.20.1.11",)), ListedAsset("Panel", ("10.20.1.30",))]
    new = ListedAsset("New name", ("10.20.1.11", "10.20.1.12"))
    assert merged(old, [new]) == [new, old[1]]
    assert difference(old, [new], replaced=False) == Difference(new=0, changed=1, same=0, removed=0)
    assert difference(old, [new], replaced=True) == Difference(new=0, changed=1, same=0, removed=1), "the panel"
    (told,) = changes(old, [(2, new)], 9)
    assert (told.before, told.entry) == ("Old name, 10.20.1.11", "New name, 10.20.1.11 10.20.1.12")
    both = ListedAsset("Cell", ("10.20.1.11", "10.20.1.30"))
    assert merged(old, [both]) == [both]
    assert difference(old, [both], replaced=False) == Difference(new=0, changed=1, same=0, removed=1), "two that are one are told"
    moved = ListedAsset("Panel", ("10.20.1.11",))
    assert merged(old, [moved]) == [old[0], moved], "an address that moves to a listed device renames nobody"


def test_what_stands_in_the_list_already_is_not_told_to_be_in_none(tmp_path: Path) -> None:
    place = ("--store", tmp_path / "store")
    balefire("replay", DEMO, *place)
    one("import", "assets", written(tmp_path / "a.csv", f"name,ip\nKept,{PLC}\n"), *place)
    told = one("import", "assets", written(tmp_path / "b.csv", f"name,ip\nOther,{OTHER}\n"), *place, "--dry-run")
    assert "Kept" not in told["unlisted"]
    replacing = one("import", "assets", tmp_path / "b.csv", *place, "--dry-run", "--replace")
    assert "Kept" in replacing["unlisted"]


@pytest.mark.parametrize(("language", "readme"), [("en", "README.md"), ("zh", "README.zh.md")])
def test_the_readme_shows_what_an_import_says(tmp_path: Path, language: str, readme: str) -> None:
    place = ("--store", tmp_path / "store")
    balefire("replay", DEMO, *place)
    said = balefire("import", "assets", ROOT / "tests" / "lists" / "assets.csv", *place, "--language", language).output
    assert f"assets.csv\n{said}```" in (ROOT / readme).read_text("utf-8")
    assert one("import", "tags", ROOT / "tests" / "lists" / "tags.csv", *place)["new"] == 3


def test_a_network_is_of_one_zone(tmp_path: Path) -> None:
    """However it is written: of two zones of the very same network one would never hold."""
    place, list_ = ("--store", tmp_path / "store"), "zone,network,level\nFilters,10.20.1.0/24,1\nAll,10.20.1.7/24,2\nWider,10.20.0.0/16,3\n"
    balefire("replay", DEMO, *place)
    done = balefire("import", "zones", written(tmp_path / "z.csv", list_), "--dry-run", *place, "--language", "en")
    assert "row 2 has the same" in done.output + done.stderr
    assert one("import", "zones", tmp_path / "z.csv", "--dry-run", "--skip-wrong", *place)["new"] == 2


def test_what_is_stored_is_called_so_when_a_list_comes_later(tmp_path: Path) -> None:
    """First look, then import: the usual order. Then another name, then none."""
    store, place = tmp_path / "store", ("--store", tmp_path / "store")
    balefire("replay", DEMO, *place)
    addresses = lines("findings", *place)
    told = one("import", "assets", written(tmp_path / "a.csv", f"name,ip,criticality,zone,serial\nPump <b>,{PLC},critical,Filters,SN-12345\n"), *place)
    assert {name: count > 0 for name, count in told["relabelled"].items()} == {"activity": True, "point": False, "finding": True, "alert": True, "asset": True}
    tagged = one("import", "tags", written(tmp_path / "t.csv", TAGS.replace("PLC-2", OTHER)), *place)["relabelled"]
    assert tagged["activity"] > 0 < tagged["point"]
    assert any("3号泵转速 (register 40017)" in row["reason"]["en"] and "3号泵转速（" in row["reason"]["zh"] for row in lines("alerts", *place))
    named = lines("activities", *place, "--where", 'destination.asset.name:"Pump <b>" AND destination.asset.zone:Filters')
    assert {row["destination"]["ip"] for row in named} == {PLC}
    assert {tag for row in lines("activities", *place, "--where", "ot.tag.name:*") for tag in row["ot"]["tag"]["name"]} == {"3号泵转速", "Tank level"}
    assert [(row["name"], row["criticality"], row["zone"], row["serial"]) for row in lines("assets", *place, "--where", f'addresses:"{PLC}"')] == [
        ("Pump <b>", "critical", "Filters", "SN-12345")
    ]
    for table in ("alerts", "findings"):
        titles = [row["title"] for row in lines(table, *place) if PLC in row["title"]["en"]]
        assert titles
        assert all(f"Pump <b> ({PLC})" in title["en"] and f"Pump <b>（{PLC}）" in title["zh"] for title in titles)
    again = balefire("replay", DEMO, *place)
    assert "another content" not in again.stderr, "names are not what happened"
    renamed = one("import", "assets", written(tmp_path / "b.csv", f"name,ip\nPump 3,{PLC}\n"), *place, "--replace")["relabelled"]
    assert renamed["finding"] > 0
    assert "Pump <b>" not in json.dumps([lines(table, *place) for table in ("findings", "alerts", "activities")])
    (pump,) = lines("assets", *place, "--where", f'addresses:"{PLC}"')
    assert (pump["name"], pump["serial"]) == ("Pump 3", None)
    assert re.search(r"Name: Pump <b> → Pump 3 on .*list", balefire("asset", PLC, *place, "--language", "en").stdout), "its history"
    one("import", "assets", written(tmp_path / "c.csv", f"name,ip\nOther,{OTHER}\n"), *place, "--replace")
    assert "Pump 3" not in json.dumps([lines(table, *place) for table in ("findings", "alerts", "assets", "activities")])
    assert [row["title"] for row in lines("findings", *place, "--where", "NOT detector:ranges") if OTHER not in row["title"]["en"]] == [
        row["title"] for row in addresses if OTHER not in row["title"]["en"]
    ]
    assert store.exists()


@pytest.mark.parametrize(
    ("tags", "told", "named"),
    [
        (
            [("Pump", None, 16, None)],
            "asked 10.0.0.5 to write values: register 40017, value 9.",
            "asked 10.0.0.5 to write values: Pump (register 40017), value 9.",
        ),
        ([("Pump", None, 16, None)], "10.0.0.5, registers 40017–40020, register 40017–40018, register 400170", ""),
        ([("Pump", None, 16, None), ("Fan", 2, 16, None)], "10.0.0.5, register 40017", ""),  # which unit?
        ([("Pump", None, None, "DB1.DBW4")], "10.0.0.5 wrote db1.dbw4.", "10.0.0.5 wrote Pump (db1.dbw4)."),
        ([("Pump", None, 16, None)], "10.0.0.5 and 10.0.0.6, register 40017", ""),  # whose?
        ([("Pump", None, 16, None)], "10.0.0.7, register 40017", ""),
        ([("register 40017", None, 16, None)], "10.0.0.5, register 40017", "10.0.0.5, register 40017 (register 40017)"),
        ([("(", None, 16, None)], "10.0.0.5, register 40017 and register 40017", "10.0.0.5, ( (register 40017) and ( (register 40017)"),
    ],
)
def test_places_in_texts_are_called_as_the_tags_say_and_back(tags: list[tuple[str, int | None, int | None, str | None]], told: str, named: str) -> None:
    each = [Tag(name, "10.0.0.5", unit, None if first is None else "holding_register", first, label) for name, unit, first, label in tags]
    none, some = Plant(), Plant(tags=[*each, Tag("Other", "10.0.0.6", None, "coil", 1)])
    assert Texts(none, some).text(told, "en") == (named or told)
    assert Texts(some, none).text(named or told, "en") == told
    assert Texts(some, some).text(named or told, "en") == (named or told)


def test_while_another_writes_what_is_stored_keeps_its_names(tmp_path: Path) -> None:
    place = ("--store", tmp_path / "store")
    balefire("replay", DEMO, *place)
    with contextlib.closing(open_store(str(tmp_path / "store"), write=True)):
        done = balefire("import", "assets", written(tmp_path / "a.csv", f"name,ip\nPump,{PLC}\n"), "--yes", *place)
    assert done.exit_code == 0
    assert "Another process is writing into the store" in done.stderr
    assert not lines("activities", *place, "--where", "destination.asset.name:Pump")
    assert one("import", "assets", tmp_path / "a.csv", *place)["relabelled"]["activity"] > 0
