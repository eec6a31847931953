"""Rows of a spreadsheet as entries of a list. What is wrong is said by row and column, with what to write instead; right rows are never lost to wrong ones."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from balefire.importing.addresses import DIGITS, MODBUS, BeyondError, Place, read_address
from records.errors import UsageError
from records.model import Text
from records.plant import LEVELS, ROLES, Entry, ListedAsset, ListedZone, Tag
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from balefire.importing.sheets import Sheet

MOST_ENTRIES: Final = 200_000
MOST_PROBLEMS: Final = 1000
MOST_UNIT, MOST_STATION = 255, 65535  # of Modbus; of the others
MOST_NAME: Final = 128  # characters, as of names on the wire
CRITICALITIES: Final = {"critical": "关键", "high": "高", "normal": "一般", "low": "低"}
CALLED: Final = {  # what roles are called beside their names
    "plc": "controller", "rtu": "controller", "dcs": "controller", "控制器": "controller", "panel": "hmi", "scada": "hmi", "人机界面": "hmi", "操作员站": "hmi",
    "engineering station": "engineering", "ews": "engineering", "工程师站": "engineering", "history server": "historian", "历史服务器": "historian",
    "router": "gateway", "firewall": "gateway", "网关": "gateway", "交换机": "switch", "服务器": "server", "客户端": "client",
    "io": "field_device", "drive": "field_device", "ied": "field_device", "instrument": "field_device", "现场设备": "field_device",
}  # fmt: skip
_MAC: Final = re.compile(r"(?:[0-9a-f]{2}[:\-]?){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", re.IGNORECASE)
_RANGE: Final = re.compile(  # 0-1500, -50 to 50 °C, 0.5…10,5 bar, 0～100%
    r"([-+]?\d[\d.,]*?)\s*(?:\.{2,}|…|~|～|至|到|to\b|[-–—])\s*([-+]?\d(?:[\d.,]*\d)?)\s*([^\d\s].*)?", re.IGNORECASE
)
_BETWEEN: Final = re.compile(r"[,;，；、\s]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]")

# What columns are called, beside the name of the field.
HEADINGS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "assets": {
        "name": ("asset", "device", "tag", "hostname", "名称", "资产", "资产名称", "设备", "设备名称"),
        "addresses": ("ip", "ip address", "address", "mac", "mac address", "地址", "ip地址", "mac地址"),
        "vendor": ("manufacturer", "make", "厂商", "厂家", "制造商"),
        "model": ("type", "product", "order number", "型号"),
        "firmware": ("firmware version", "version", "固件", "固件版本", "版本"),
        "serial": ("serial number", "sn", "s/n", "序列号"),
        "role": ("function", "角色", "用途"),
        "zone": ("area", "区域", "安全区"),
        "level": ("purdue", "purdue level", "普渡层级", "层级"),
        "criticality": ("importance", "重要度", "重要程度", "重要性"),
        "description": ("comment", "notes", "描述", "备注", "说明"),
    },
    "zones": {
        "name": ("zone", "区域", "名称", "安全区"),
        "members": ("network", "networks", "subnet", "subnets", "cidr", "range", "ranges", "ip range", "addresses", "address", "ip", "网段", "成员", "地址"),
        "level": ("purdue", "purdue level", "普渡层级", "层级"),
        "description": ("comment", "notes", "描述", "备注", "说明"),
    },
    "tags": {
        "name": ("tag", "tag name", "symbol", "point", "位号", "名称", "变量名", "点名"),
        "device": ("plc", "controller", "station", "ip", "host", "设备", "控制器", "站"),
        "unit": ("unit id", "slave", "slave id", "common address", "asdu", "单元", "单元号", "站地址", "站号", "从站", "从站号", "从站地址"),
        "address": ("register", "reference", "data address", "ioa", "offset", "地址", "寄存器", "寄存器地址"),
        "measure": ("engineering unit", "eu", "units", "uom", "工程单位", "单位"),
        "range": ("measuring range", "span", "量程", "测量范围"),
        "low": ("min", "minimum", "range low", "下限", "最小值", "量程下限"),
        "high": ("max", "maximum", "range high", "上限", "最大值", "量程上限"),
        "description": ("comment", "notes", "描述", "备注", "说明"),
    },
}  # fmt: skip
SEVERAL: Final = ("addresses", "members")  # fields that hold as many as there are
REQUIRED: Final = {"assets": ("name",), "zones": ("name", "members"), "tags": ("name", "device", "address")}


class CellError(ValueError):
    """What is wrong with one cell: the key of a text, and what it names."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a row (as the spreadsheet numbers them), under a heading."""

    row: int
    column: str
    message: Text


@dataclass(slots=True)
class Reading:
    """What came of a sheet: `entries` with the rows that they stand in, `problems`, and headings that mean nothing here."""

    entries: list[tuple[int, Entry]] = field(default_factory=list[tuple[int, Entry]])
    problems: list[Problem] = field(default_factory=list[Problem])
    unused: list[str] = field(default_factory=list[str])
    notes: list[Text] = field(default_factory=list[Text])  # what columns were taken for, where it is not plain
    wrong: int = 0  # rows that have problems; of more than MOST_PROBLEMS, the first are told


def read_entries(kind: str, sheet: Sheet, file: Path, known: Mapping[str, str]) -> Reading:
    """The entries of a list. `known`: names of listed assets, in lower case, with an address of each. Raises UsageError where a column is missing."""
    columns, unused = _columns(kind, sheet.headings, file)
    reading, taken = Reading(unused=unused), dict[str, int]()
    if kind == "tags":
        reading.notes += _told_units(sheet, columns)
    reading.notes += _told_twice(sheet.headings, columns)
    reading.notes += _told_unprintable(sheet)
    surplus = frozenset(sheet.surplus)
    for number, cells in sheet.rows:
        row = _Row(number, sheet.headings, cells, columns)
        entry = _MADE[kind](row, known)
        if number in surplus:
            row.fault(sheet.headings[-1], "surplus")
        if not row.problems and entry is not None:
            _refuse_twice(row, entry, taken)
        if row.problems or entry is None:
            reading.wrong += 1
            reading.problems += row.problems[: max(0, MOST_PROBLEMS - len(reading.problems))]
        else:
            reading.entries.append((number, entry))
    if len(reading.entries) > MOST_ENTRIES:
        raise UsageError("import.large", file=file, most=f"{MOST_ENTRIES:,}")
    return reading


def _columns(kind: str, headings: Sequence[str], file: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Which columns hold each field, and headings that are of none."""
    names = {word: name for name, others in HEADINGS[kind].items() for word in (name, *others)}
    columns: dict[str, list[int]] = {}
    unused: list[str] = []
    for number, heading in enumerate(headings):
        name = names.get(re.sub(r"[\s_]+", " ", heading).strip().casefold())
        if name is None and heading:
            unused.append(heading)
        elif name is not None:
            columns.setdefault(name, []).append(number)
    for name in REQUIRED[kind]:
        if name not in columns:
            near = get_close_matches(name, unused, 1, cutoff=0.6)
            raise UsageError("import.column", file=file, column=name, others=", ".join(HEADINGS[kind][name]), found=", ".join([*near, *unused][:8]) or "–")
    return columns, unused


def _note(key: str, **values: object) -> Text:
    return Text(*(say(f"import.note.{key}", language, **values) for language in LANGUAGES))


def _told_units(sheet: Sheet, columns: dict[str, list[int]]) -> Iterator[Text]:
    """“unit” is the station in some lists, and rpm or bar in others: a column without any number is no column of stations."""
    for number in list(columns.get("unit", ())):
        filled = [cells[number] for _, cells in sheet.rows if cells[number]]
        if filled and not any(any(map(str.isdecimal, cell)) for cell in filled):
            columns["unit"].remove(number)
            columns.setdefault("measure", []).append(number)
            yield _note("measure", column=sheet.headings[number], text=filled[0])
    if not columns.get("unit"):
        columns.pop("unit", None)


def _told_unprintable(sheet: Sheet) -> Iterator[Text]:
    """Letters that nobody sees, that steer a terminal or turn the direction of what follows, are left out."""
    cells = [(number, at) for number, row in sheet.rows for at, cell in enumerate(row) if _UNPRINTABLE.search(cell)]
    if cells:
        number, at = cells[0]
        yield _note("unprintable", count=f"{len(cells):,}", row=number, column=sheet.headings[at])


def _told_twice(headings: Sequence[str], columns: Mapping[str, list[int]]) -> Iterator[Text]:
    """Of columns that mean the same, the first counts wherever it has something; of addresses and networks all do."""
    for name, numbers in columns.items():
        if len(numbers) > 1 and name not in SEVERAL:
            yield _note("first", first=headings[numbers[0]], others=", ".join(f"{headings[at]} ({at + 1})" for at in numbers[1:]), number=numbers[0] + 1)


class _Row:
    """One row on its way to an entry: cells by field, and what is wrong with them."""

    def __init__(self, number: int, headings: Sequence[str], cells: Sequence[str], columns: Mapping[str, Sequence[int]]) -> None:
        self.number, self.problems = number, list[Problem]()
        self._headings, self._cells, self._columns = headings, cells, columns

    def text(self, name: str) -> str | None:
        """The cell of a field; None where it is empty."""
        return next((_UNPRINTABLE.sub("", cell) for cell in self._filled(name)), None)

    def _filled(self, name: str) -> list[str]:
        return [self._cells[number] for number in self._columns.get(name, ()) if self._cells[number]]

    def words(self, name: str) -> tuple[str, ...]:
        """What stands in the cells of a field, one by one."""
        return tuple(word for cell in self._filled(name) for word in _BETWEEN.split(cell) if word)

    def fault(self, name: str, key: str, **values: object) -> None:
        """Note what is wrong with a field."""
        heading = self._headings[self._columns[name][0]] if name in self._columns else name
        self.problems.append(Problem(self.number, heading, Text(*(say(f"import.problem.{key}", language, **values) for language in LANGUAGES))))

    def read(self, name: str, reader: Callable[[str], Any]) -> Any:
        """A cell through its reader; None where it is empty or wrong, which is noted."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return reader(text)
        except CellError as error:
            self.fault(name, error.key, **error.values)
            return None

    def each(self, name: str, reader: Callable[[str], str]) -> tuple[str, ...]:
        """Every word of a field through its reader."""
        found: list[str] = []
        for word in self.words(name):
            try:
                found.append(reader(word))
            except CellError as error:
                self.fault(name, error.key, **error.values)
        return tuple(dict.fromkeys(found))

    def named(self) -> str:
        """The name, which must not be missing."""
        name = self.text("name")
        if name is None:
            self.fault("name", "missing")
        elif len(name) > MOST_NAME:
            self.fault("name", "long", most=MOST_NAME)
        return name or ""


def _address(text: str) -> str:
    if _MAC.fullmatch(text):
        digits = re.sub(r"[^0-9a-f]", "", text.casefold())
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    try:
        return str(ip_address(text))
    except ValueError:
        raise CellError("address", text=text) from None


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise CellError("network", text=text) from None


def _whole(text: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > most:
        raise CellError("whole", text=text, most=most)
    return int(text)


def _level(text: str) -> int:
    found = re.search(r"\d+(\.\d+)?", text)
    if found is None or found[1] or int(found[0]) not in LEVELS:
        raise CellError("level", text=text)
    return int(found[0])


def _number(text: str) -> float:
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text):  # 1,234: a thousand and more, or one and a bit
        raise CellError("thousands", text=text, plain=text.replace(",", ""))
    try:
        value = float(text.replace(" ", "").replace(",", "."))
    except ValueError:
        raise CellError("number", text=text) from None
    if not math.isfinite(value):
        raise CellError("number", text=text)
    return value


def _criticality(text: str) -> str:
    for word, chinese in CRITICALITIES.items():
        if text.casefold() in (word, chinese):
            return word
    raise CellError("criticality", text=text)


def _role(text: str) -> str:
    word = text.casefold()
    role = CALLED.get(word, re.sub(r"[\s\-]+", "_", word))
    if role in ROLES:
        return role
    raise CellError("role", text=text, roles=", ".join(ROLES))


def _asset(row: _Row, _known: Mapping[str, str]) -> Entry:
    texts = {name: row.text(name) for name in ("vendor", "model", "firmware", "serial", "zone", "description")}
    read = {"role": row.read("role", _role), "level": row.read("level", _level), "criticality": row.read("criticality", _criticality)}
    return ListedAsset(row.named(), row.each("addresses", _address), **texts, **read)


def _zone(row: _Row, _known: Mapping[str, str]) -> Entry:
    members = row.each("members", _network)
    if not members and not row.problems:
        row.fault("members", "missing")
    return ListedZone(row.named(), members, row.read("level", _level), row.text("description"))


def _device(text: str, known: Mapping[str, str]) -> str:
    if text.casefold() in known:
        return known[text.casefold()]
    try:
        return str(ip_address(text))
    except ValueError:
        near = get_close_matches(text.casefold(), known, 1)
        raise CellError("device", text=text, near=near[0] if near else "–") from None


def _place(text: str) -> Place:
    try:
        place = read_address(text)
    except BeyondError as error:
        raise CellError("beyond", text=text, largest=error.largest) from None
    if place is None:
        raise CellError("reference" if DIGITS.fullmatch(text.strip()) else "place", text=text)
    return place


def _span(text: str) -> tuple[float, float, str | None]:
    """(low, high, engineering unit) of a range in one cell."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise CellError("span", text=text)
    return _number(found[1]), _number(found[2]), found[3]


def _tag(row: _Row, known: Mapping[str, str]) -> Entry | None:
    place, low, high = row.read("address", _place), row.read("low", _number), row.read("high", _number)
    measure, whole = row.text("measure"), row.read("range", _span)
    if whole is not None:
        if any(one is not None and one != other for one, other in zip((low, high), whole, strict=False)):
            row.fault("range", "span_twice", low=row.text("low") or "–", high=row.text("high") or "–")
        low, high, measure = whole[0], whole[1], measure or whole[2]
    most = MOST_UNIT if place and place.space in MODBUS else MOST_STATION
    device, unit = row.read("device", partial(_device, known=known)), row.read("unit", partial(_whole, most=most))
    name = row.named()
    for needed in ("device", "address"):
        if row.text(needed) is None:
            row.fault(needed, "missing")
    if low is not None and high is not None and low > high:
        row.fault("high" if whole is None else "range", "range", low=f"{low:g}", high=f"{high:g}")
    if row.problems:
        return None
    return Tag(name, device, unit, place.space, place.first, place.label, measure, low, high, row.text("description"))


def _refuse_twice(row: _Row, entry: Entry, taken: dict[str, int]) -> None:
    """An entry that says what one before it said, of the same thing: of two, nobody knows which is meant."""
    keys = [("name", entry.key)]
    if isinstance(entry, ListedAsset):
        keys += [("addresses", address) for address in entry.addresses]
    if isinstance(entry, ListedZone):
        keys += [("members", str(ip_network(member, strict=False))) for member in entry.members]
    for name, key in keys:
        if key in taken:
            row.fault("address" if isinstance(entry, Tag) else name, "twice", other=taken[key])
    taken.update((key, row.number) for _, key in keys if key not in taken)


_MADE: Final[Mapping[str, Callable[[_Row, Mapping[str, str]], Entry | None]]] = {"assets": _asset, "zones": _zone, "tags": _tag}
