"""Single-event rules as conditions that every store understands: one conversion, for back-tests and for Elasticsearch.

A rule becomes two conditions. `safe` holds for every row that the rule matches, whatever stands in the row, so that a store may leave all others out
before the rule itself judges. `plain` is the rule as a query; it is the rule itself where there are no `reasons` against it. A query knows the case of
ASCII letters only; that RE2 takes U+017F for an s and U+212A for a k, only `safe` knows.

It is no backend of pySigma, for two reasons. A backend writes a query language's text from pySigma's tree, and tells neither which rows a store may leave out
nor where its query differs from the rule: a back-test needs the one, who converts the other. And the one that is published, pysigma-backend-elasticsearch
(2.1.1), needs pySigma below 2, while rules are read with pySigma 2; with it there would be two readers of Sigma that may disagree. So rules are
converted from the predicates that judge live, and the same condition goes to both stores (`records.store.sql`, `records.store.dsl`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from detectors.rulebook.detection import CLOSED
from detectors.rulebook.predicates import All, DatePart, Either, Figures, Network, Not, Present, Same, Texts
from detectors.rulebook.problems import text
from records import search
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.rulebook.correlation import Correlation
    from detectors.rulebook.predicates import Pattern
    from detectors.rulebook.rule import Rule
    from records.model import Text
    from records.schema import Field
    from records.search import Condition

_FORM: Final = re.compile(r"(?:\(\?(?P<flags>i?m?s?)\))?(?P<start>\\A|\^)?(?P<open>\(\?:)?(?P<body>.*?)(?(open)\))(?P<end>\\z|(?<!\\)\$)?", re.DOTALL)
_TOKEN: Final = re.compile(r"(?P<many>\.\*)|(?P<one>\.)|\\(?P<escaped>[^A-Za-z0-9])|(?P<letter>[^\\.*+?()|\[\]{}^$])", re.DOTALL)
_OCTETS: Final = re.compile(r"((?:\d{1,3}\.){1,3})\*")
_IN_ADDRESSES: Final = frozenset("0123456789abcdefABCDEF:.")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Converted:
    """What a rule, or a part of one, is in a store. `exact`: `safe` holds for no other rows; `fields` are those that the rule looks at."""

    plain: Condition
    safe: Condition
    exact: bool = False
    fields: frozenset[str] = frozenset()
    reasons: tuple[Text, ...] = field(default=())


def convert(wanted: object) -> Converted:
    """A rule's predicate, one of those of `predicates`. What cannot be converted is looked for everywhere, and says why."""
    match wanted:
        case All(parts):
            found = [convert(part) for part in parts]
            return _joined(search.And(tuple(part.plain for part in found)), search.And(tuple(part.safe for part in found)), found)
        case Either(parts):
            return _any([convert(part) for part in parts])
        case Not(part):
            return _not(convert(part))
        case Texts(by, patterns):
            return _any([_text(by, pattern) for pattern in patterns])
        case Figures(by):
            return _figures(by, wanted)
        case Present(by, there):
            known = search.Exists(by.name) if there else search.Not(search.Exists(by.name))
            return Converted(known, known, True, frozenset({by.name}))
        case Network(by, low, high):
            return _network(by, low, high)
        case DatePart(by):
            return _nowhere("part", {by.name}, field=by.name)
        case Same(by, other):
            return _nowhere("reference", {by.name, other.name}, field=by.name)
        case _:
            return _nowhere("other", ACTIVITY.names)


def narrowed(rule: Rule) -> tuple[Condition, frozenset[str]]:
    """A condition that holds for every row that a rule's judging depends on, and the fields that it looks at."""
    if rule.correlation is None:
        converted = convert(rule.match)
        return converted.safe, converted.fields
    return _of_correlation(rule.correlation)


def _of_correlation(correlation: Correlation) -> tuple[Condition, frozenset[str]]:
    """A correlation remembers only rows that its parts match."""
    parts: list[Condition] = []
    fields = correlation.columns | {"@timestamp", "event.end", "ot.grouped", "ot.count"}
    for part in correlation.parts:
        if part.inner is not None:
            condition, asked = _of_correlation(part.inner)
        else:
            converted = convert(part.match)
            condition, asked = converted.safe, converted.fields
        parts.append(condition)
        fields |= asked
    return search.Or(tuple(parts)), fields | {name.removesuffix("ip") + "mac" for name in fields if name.endswith(".ip")}


def _any(parts: list[Converted]) -> Converted:
    if len(parts) == 1:
        return parts[0]
    return _joined(search.Or(tuple(part.plain for part in parts)), search.Or(tuple(part.safe for part in parts)), parts)


def _joined(plain: Condition, safe: Condition, parts: list[Converted]) -> Converted:
    fields = frozenset(name for part in parts for name in part.fields)
    reasons = dict.fromkeys(reason for part in parts for reason in part.reasons)
    return Converted(plain, safe, all(part.exact for part in parts), fields, tuple(reasons))


def _not(part: Converted) -> Converted:
    """What is too wide would be too narrow when negated."""
    negated = search.Not(part.plain)
    return Converted(negated, search.Not(part.safe) if part.exact else search.EVERYTHING, part.exact, part.fields, part.reasons)


def _nowhere(reason: str, fields: Iterable[str], **values: object) -> Converted:
    """What no store's condition can say."""
    return Converted(search.EVERYTHING, search.EVERYTHING, False, frozenset(fields), (text(f"detectors.unconverted.{reason}", **values),))


def _figures(by: Field, wanted: Figures) -> Converted:
    """Numbers. To DuckDB what is no number equals itself and is larger than all numbers, so only there a bound from below is too wide."""
    number, asked = wanted.number, frozenset({by.name})
    match wanted.compare:
        case "eq":
            found: Condition = search.Match(by.name, number)
        case "lt" | "lte":
            found = search.Range(by.name, high=number, include_high=wanted.compare == "lte")
        case _:
            found = search.Range(by.name, low=number, include_low=wanted.compare == "gte")
    return Converted(found, found, by.type != "double" or wanted.compare in {"eq", "lt", "lte"}, asked)


def _network(by: Field, low: str, high: str) -> Converted:
    """Stores take an IPv4 address for the IPv6 address that stands for it, a rule does not."""
    first, last = (bytes.fromhex(sortable[1:]) for sortable in (low, high))
    inside, asked = search.Range(by.name, str(ip_address(first)), str(ip_address(last))), frozenset({by.name})
    if len(first) == 16 and first <= _MAPPED[-1].packed and last >= _MAPPED[0].packed:
        return Converted(inside, inside, False, asked, (text("detectors.unconverted.mapped", field=by.name, first=str(ip_address(first))),))
    return Converted(inside, inside, False, asked)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a pattern looks for: `wildcard` as `search.Wildcard` has it; `literal` is its letters, `special` whether it stands for other texts too."""

    wildcard: str
    literal: str
    special: bool
    cased: bool


def _shape(pattern: Pattern) -> _Shape | None:
    """What RE2 is asked for, where that is text with wildcards; None where it is more."""
    form = _FORM.fullmatch(pattern.regex)
    flags = (form["flags"] or "") if form else "m"
    if form is None or "m" in flags:
        return None
    parts: list[str] = ["" if form["start"] else "*"]
    literal, at, body = "", 0, str(form["body"])
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None or ((token["one"] or token["many"]) and "s" not in flags):
            return None
        letter = token["escaped"] or token["letter"] or ""
        literal += letter
        parts.append("*" if token["many"] else "?" if token["one"] else _escaped(letter))
        at = token.end()
    wildcard = "".join((*parts, "" if form["end"] else "*"))
    return _Shape(wildcard, literal, wildcard != _escaped(literal), "i" not in flags)


def _escaped(literal: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in literal)


def _text(by: Field, pattern: Pattern) -> Converted:
    shape, asked = _shape(pattern), frozenset({by.name})
    if shape is None:
        return _nowhere("regex", asked, field=by.name)
    if not shape.cased and any(letter.lower() != letter or letter.upper() != letter for letter in shape.literal if not letter.isascii()):
        return _nowhere("letters", asked, field=by.name, value=shape.literal)
    written = search.Wildcard(by.name, shape.wildcard, shape.cased)
    if by.type == "ip":
        return _written(by, shape, written)
    plain = written if shape.special else search.Match(by.name, shape.literal, shape.cased)
    return Converted(plain, _widened(by, shape, plain), shape.cased or by.name in CLOSED, asked)


def _widened(by: Field, shape: _Shape, plain: Condition) -> Condition:
    if shape.cased or by.name in CLOSED or not set("sS") & set(shape.literal):
        return plain
    return search.Or((plain, search.Wildcard(by.name, "*\u017f*")))


def _written(by: Field, shape: _Shape, written: Condition) -> Converted:
    """A rule compares addresses as they are written; in a store they are numbers."""
    asked, safe = frozenset({by.name}), _widened(by, shape, written)
    if shape.cased and shape.literal != shape.literal.lower():  # they are written in small letters
        return Converted(search.Or(()), safe, False, asked)
    if not shape.special and _canonical(shape.literal):
        return Converted(search.Match(by.name, shape.literal), safe, False, asked)
    if octets := _OCTETS.fullmatch(shape.wildcard):
        known = octets[1].count(".")
        network = ip_network(f"{octets[1]}{'0.' * (3 - known)}0/{known * 8}", strict=False) if _canonical(f"{octets[1]}{'0.' * (3 - known)}0") else None
        if network:
            return Converted(search.Range(by.name, str(network[0]), str(network[-1])), safe, False, asked)
    if not set(shape.literal) <= _IN_ADDRESSES:  # nowhere in an address
        return Converted(search.Or(()), safe, False, asked)
    return Converted(written, safe, False, asked, (text("detectors.unconverted.address", field=by.name, value=shape.wildcard),))


def _canonical(literal: str) -> bool:
    """Is this an address, written as addresses are recorded?"""
    try:
        return str(ip_address(literal)) == literal.lower()
    except ValueError:
        return False
