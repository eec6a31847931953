"""The search syntax people type: Lucene query syntax over the schema's field names, parsed into conditions that every store understands.

Words side by side mean AND (and bind less than OR); case is ignored, also in AND, OR, NOT. A word without a field is looked for in every keyword and
text field, an address also in the address fields. A keyword matches as a whole, a text where the words occur in it, a field of many values where
one of them matches. Dates stand for what they name: `@timestamp:2026-11-22` is the whole day.
"""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError
from records.nesting import period
from records.unread import reason

if TYPE_CHECKING:
    from records.schema import Field, Table

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; without parts, always true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds; without parts, never true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; an absent field matches nothing, so its negation holds."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Match:
    """The field has this value: keyword as a whole, text anywhere in it, both ignoring case unless `cased`; ip as an address; date in nanoseconds."""

    field: str
    value: Value
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A keyword or text field has a value of this shape: `*` any characters, `?` one character, `\\` before either takes it as it is.

    It ignores case unless `cased`. An address is looked at as it is written.
    """

    field: str
    pattern: str
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies between `low` and `high` (None: open): numbers, dates in nanoseconds, addresses in their order, keywords by code point."""

    field: str
    low: Value | None = None
    high: Value | None = None
    include_low: bool = True
    include_high: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is known; of many values, there is at least one."""

    field: str


Condition = And | Or | Not | Match | Wildcard | Range | Exists
EVERYTHING: Final = And(())

MAX_LENGTH: Final = 4000
MAX_WORDS: Final = 200
MAX_DEPTH: Final = 40
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"|\\.'
_SIGNS: Final = {"&&": " AND ", "||": " OR ", "!": "NOT "}
_LENIENT: Final = re.compile(
    rf"{_QUOTED}|&&|\|\||(?<![^\s()])!(?=\S)|(?<![^\s()])(?:and|or|not)(?![^\s()])|(?<=\s)to(?=\s)|(?<=[<>=])-\d[\w.]*", re.IGNORECASE | re.DOTALL
)
_CLOCK: Final = re.compile(r"(?<=T\d\d):\d\d(?::\d\d)?", re.IGNORECASE)
_COLON: Final = re.compile(r"[^\s:()\[\]{}]*::|[^\s:()\[\]{}]+:[^\s:()\[\]{}]+:|[\[{][^\]}]*:")
_NAME: Final = re.compile(r"[@A-Za-z_][\w.@-]*")
_OCTETS: Final = re.compile(r"((?:\d{1,3}\.){1,3})\*")
_UNSUPPORTED: Final = {"Fuzzy": "~", "Proximity": '"…"~', "Boost": "^", "Regex": "/…/"}


def parse(text: str, table: Table) -> Condition:
    """The condition that `text` means on `table`; nothing but spaces is EVERYTHING. Raises UsageError that says what is wrong and what to write."""
    if len(text) > MAX_LENGTH:
        raise UsageError("search.length", length=len(text), limit=MAX_LENGTH)
    if not text.strip():
        return EVERYTHING
    words = _LENIENT.sub(_lenient, text)
    _refuse_colons(words)
    return _Reader(table).read(_tree(words), None, 0)


def _lenient(found: re.Match[str]) -> str:
    """Operators in any case and as signs, and a negative number after a comparison, which Lucene's grammar does not know."""
    word = found[0]
    if word[0] in '"\\':
        return word
    return _SIGNS.get(word) or (f'"{word}"' if word[0] == "-" else word.upper())


def _refuse_colons(text: str) -> None:
    """An address typed without quotes would be read as field:value and give an error nobody understands."""
    bare = _CLOCK.sub(lambda found: found[0].replace(":", "\0"), re.sub(_QUOTED, "_", text, flags=re.DOTALL))
    if found := _COLON.search(bare):
        start = bare.find(":", found.start())
        word = re.split(r"[\s()\[\]{}]", bare[: start + 1])[-1] + re.split(r"[\s()\[\]{}]", bare[start + 1 :])[0]
        raise UsageError("search.colon", word=word.replace("\0", ":"))


def _tree(text: str) -> Any:
    """luqum's tree of the text. luqum is untyped and slow to import, so it stays behind this function."""
    thread, exceptions = import_module("luqum.thread"), import_module("luqum.exceptions")
    try:
        return thread.parse(text)
    except (exceptions.ParseError, ValueError, ArithmeticError) as error:
        raise UsageError("search.syntax", text=text.strip(), reason=reason(text, str(error))) from error


class _Reader:
    """Reads luqum's tree for one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.words = 0

    def read(self, item: Any, field: Field | None, depth: int) -> Condition:
        """The condition of this node; `field` is the one whose parentheses we are in."""
        if depth > MAX_DEPTH:
            raise UsageError("search.deep", limit=MAX_DEPTH)
        match type(item).__name__:
            case "AndOperation" | "UnknownOperation":
                return And(tuple(self.read(part, field, depth + 1) for part in item.children))
            case "OrOperation":
                return Or(tuple(self.read(part, field, depth + 1) for part in item.children))
            case "Prohibit" if field and field.type in {"long", "double"} and type(item.a).__name__ == "Word":
                return _value(field, f"-{item.a.value}", False)
            case "Not" | "Prohibit":
                return Not(self.read(item.children[0], field, depth + 1))
            case "Plus" | "Group" | "FieldGroup":
                return self.read(item.children[0], field, depth + 1)
            case "SearchField":
                return self._search(item, field, depth)
            case kind:
                return self._leaf(kind, item, field)

    def _search(self, item: Any, field: Field | None, depth: int) -> Condition:
        name = _plain(str(item.name))
        if field or not (_NAME.fullmatch(name) or name == "*"):
            raise UsageError("search.colon", word=f"{name}:…")
        if name == "*":
            return self.read(item.expr, None, depth + 1)
        return self.read(item.expr, field_of(self.table, name), depth + 1)

    def _leaf(self, kind: str, item: Any, field: Field | None) -> Condition:
        self.words += 1
        if self.words > MAX_WORDS:
            raise UsageError("search.words", limit=MAX_WORDS)
        match kind:
            case "Word" | "Phrase":
                raw, quoted = _text(item)
                return _value(field, raw, quoted) if field else self._anywhere(raw, quoted)
            case "Range" | "From" | "To":
                if not field:
                    raise UsageError("search.range_alone", text=str(item).strip())
                low = (item.a, item.include) if kind == "From" else (item.low, item.include_low) if kind == "Range" else (None, True)
                high = (item.a, item.include) if kind == "To" else (item.high, item.include_high) if kind == "Range" else (None, True)
                return _range(field, _bound(low[0]), _bound(high[0]), low[1], high[1])
            case _:
                raise UsageError("search.unsupported", what=_UNSUPPORTED.get(kind, kind))

    def _anywhere(self, raw: str, quoted: bool) -> Condition:
        """A word without a field."""
        if raw == "*" and not quoted:
            return EVERYTHING
        kinds = {"keyword", "text", "ip"} if _is_address(_plain(raw)) else {"keyword", "text"}
        return Or(tuple(_value(field, raw, quoted) for field in self.table.fields if field.type in kinds))


# What people call a field where a table calls it otherwise: of these, the first that the table has.
MEANT: Final = {
    **dict.fromkeys(("score", "risk", "priority", "grade"), ("score", "severity")),
    **dict.fromkeys(("time", "date", "when", "timestamp"), ("@timestamp", "time", "last")),
    **dict.fromkeys(("ip", "address"), ("addresses", "source.ip")),
    "protocol": ("network.protocol",),
}


def field_of(table: Table, name: str) -> Field:
    """The field of this name. Raises UsageError that suggests the nearest one."""
    if field := table.field(name):
        return field
    names, word = {known.casefold(): known for known in table.names}, name.casefold()
    meant = [known for known in MEANT.get(word, ()) if known in names] or [known for known in names if word in known.split(".")]
    if near := meant[:1] or difflib.get_close_matches(word, names, n=1, cutoff=0.6):
        raise UsageError("search.field_near", word=name, table=table.name, near=names[near[0]])
    raise UsageError("search.field", word=name, table=table.name)


def _text(item: Any) -> tuple[str, bool]:
    """(text with its escapes, whether it was quoted)"""
    value = str(item.value)
    return (value[1:-1], True) if type(item).__name__ == "Phrase" else (value, False)


def _plain(raw: str) -> str:
    return re.sub(r"\\(.)", r"\1", raw, flags=re.DOTALL)


def _bound(item: Any) -> str | None:
    """A bound as typed; None is open."""
    if item is None:
        return None
    if type(item).__name__ == "Prohibit":
        return "-" + _plain(_text(item.a)[0])
    raw, quoted = _text(item)
    return None if raw == "*" and not quoted else _plain(raw)


def _value(field: Field, raw: str, quoted: bool) -> Condition:
    if raw == "*" and not quoted:
        return Exists(field.name)
    wild = not quoted and re.search(r"[*?]", re.sub(r"\\.", "", raw, flags=re.DOTALL)) is not None
    if field.type in {"keyword", "text"}:
        return Wildcard(field.name, raw) if wild else Match(field.name, _plain(raw))
    if field.type == "ip":
        return _address(field, _plain(raw))
    if wild or field.type == "json":
        raise UsageError("search.type_json" if field.type == "json" else "search.wildcard", field=field.name, value=raw)
    if field.type == "date":
        low, high = _date(field, _plain(raw))
        return Range(field.name, low, high, True, False)
    return Match(field.name, _scalar(field, _plain(raw)))


def _scalar(field: Field, text: str) -> Value:
    """A number or a truth value, as the field's type wants it."""
    try:
        if field.type == "boolean":
            return {"true": True, "false": False}[text.casefold()]
        if field.type == "long" and -(1 << 63) <= int(text) < 1 << 63:
            return int(text)
        if field.type == "double" and math.isfinite(float(text)):
            return float(text)
    except (ValueError, KeyError):
        pass
    raise UsageError(f"search.type_{field.type}", field=field.name, value=text)


def _date(field: Field, text: str) -> tuple[int, int]:
    if found := period(text):
        return found
    raise UsageError("search.type_date", field=field.name, value=text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _address(field: Field, text: str) -> Condition:
    """One address, a network, or `10.0.*`."""
    if found := _OCTETS.fullmatch(text):
        octets = found[1].count(".")
        text = f"{found[1]}{'0.' * (3 - octets)}0/{octets * 8}"
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError("search.type_ip", field=field.name, value=text) from error
    if "/" in text:
        return Range(field.name, str(network[0]), str(network[-1]))
    return Match(field.name, str(network[0]))


def _range(field: Field, low: str | None, high: str | None, include_low: bool, include_high: bool) -> Condition:
    if field.type in {"text", "json", "boolean"}:
        raise UsageError("search.range", field=field.name)
    if field.type == "date":  # a bound that names a day is the whole day: after it is after its end
        start = _date(field, low)[0 if include_low else 1] if low is not None else None
        end = _date(field, high)[1 if include_high else 0] if high is not None else None
        return Range(field.name, start, end, True, False)
    return Range(field.name, _limit(field, low), _limit(field, high), include_low, include_high)


def _limit(field: Field, text: str | None) -> Value | None:
    if text is None or field.type == "keyword":
        return text
    if field.type != "ip":
        return _scalar(field, text)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise UsageError("search.type_ip", field=field.name, value=text) from error
