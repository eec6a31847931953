"""Single-event rules as conditions that every store understands: one conversion, for back-tests and for Elasticsearch.

A rule becomes two conditions. `safe` holds for every row that the rule matches, whatever stands in the row, so that a store may leave all others out
before the rule itself judges. `plain` is the rule as a query of the store's; it is the rule itself where there are no `reasons` against it.
Text is compared without regard to the case of ASCII letters there; that `s` and `ſ`, or `k` and `K`, are one letter to RE2 only `safe` knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from re import compile as expression
from typing import TYPE_CHECKING, Any, Final

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR, ConditionValueExpression, SigmaCondition
from sigma.rule import SigmaDetections  # pyright: ignore[reportMissingTypeStubs]  # its py.typed does not reach subpackages
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from detectors.rulebook.detection import CLOSED
from detectors.rulebook.frame import TEXTS
from detectors.rulebook.match import KEYWORD_FIELDS, field_named
from detectors.rulebook.problems import text
from records.schema import ACTIVITY
from records.search import EVERYTHING, And, Exists, Match, Not, Or, Range, Wildcard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.model import Text
    from records.schema import Field
    from records.search import Condition

_OCTETS: Final = expression(r"((?:\d{1,3}\.){1,3})\*")
_IN_ADDRESSES: Final = frozenset("0123456789abcdefABCDEF:.*?")
_MAPPED: Final = ip_network("::ffff:0:0/96")
_BOUNDS: Final[dict[CompareOperators, tuple[str, bool]]] = {
    CompareOperators.LT: ("high", False),
    CompareOperators.LTE: ("high", True),
    CompareOperators.GT: ("low", False),
    CompareOperators.GTE: ("low", True),
}


@dataclass(frozen=True, slots=True)
class Converted:
    """What a rule, or a part of one, is in a store. `exact`: `safe` holds for no other rows; `fields` are those that the rule looks at."""

    plain: Condition
    safe: Condition
    exact: bool = False
    fields: frozenset[str] = frozenset()
    reasons: tuple[Text, ...] = field(default=())


def convert(rule: Mapping[str, Any]) -> Converted:
    """The content of a rule file that loads. What cannot be converted is looked for everywhere, and says why."""
    if "detection" not in rule:
        return _nowhere("correlation", ACTIVITY.names)
    detections = SigmaDetections.from_dict({str(name): part for name, part in rule["detection"].items()})
    return _any([_tree(SigmaCondition(condition, detections).parse()) for condition in detections.condition])


def _tree(node: Any) -> Converted:
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _leaf(field_named(node.field), node.value)
    if isinstance(node, ConditionValueExpression):
        return _keyword(node.value)
    if isinstance(node, ConditionNOT):
        return _not(_tree(node.args[0]))
    if isinstance(node, (ConditionAND, ConditionOR)):
        return (_all if isinstance(node, ConditionAND) else _any)([_tree(part) for part in node.args])
    return _nowhere("other", ACTIVITY.names, what=type(node).__name__)


def _all(parts: list[Converted]) -> Converted:
    return parts[0] if len(parts) == 1 else _joined(And(tuple(part.plain for part in parts)), And(tuple(part.safe for part in parts)), parts)


def _any(parts: list[Converted]) -> Converted:
    return parts[0] if len(parts) == 1 else _joined(Or(tuple(part.plain for part in parts)), Or(tuple(part.safe for part in parts)), parts)


def _joined(plain: Condition, safe: Condition, parts: list[Converted]) -> Converted:
    fields = frozenset(name for part in parts for name in part.fields)
    reasons = dict.fromkeys(reason for part in parts for reason in part.reasons)
    return Converted(plain, safe, all(part.exact for part in parts), fields, tuple(reasons))


def _not(part: Converted) -> Converted:
    """What is too wide would be too narrow when negated."""
    return Converted(Not(part.plain), Not(part.plain) if part.exact else EVERYTHING, part.exact, part.fields, part.reasons)


def _nowhere(reason: str, fields: Iterable[str], **values: object) -> Converted:
    """What no store's condition can say."""
    return Converted(EVERYTHING, EVERYTHING, False, frozenset(fields), (text(f"detectors.unconverted.{reason}", **values),))


def _leaf(by: Field, value: SigmaType) -> Converted:
    asked = frozenset({by.name})
    match value:
        case SigmaExpansion():
            return _any([_leaf(by, part) for part in value.values])
        case SigmaNull() | SigmaExists():
            there = Exists(by.name)
            told = there if isinstance(value, SigmaExists) and value.exists else Not(there)
            return Converted(told, told, True, asked)
        case SigmaFieldReference():
            return _nowhere("reference", {by.name, field_named(value.field).name}, field=by.name)
        case SigmaRegularExpression():
            return _nowhere("regex", asked, field=by.name)
        case SigmaCIDRExpression():
            return _network(by, value)
        case SigmaTimestampPart() | SigmaCompareExpression():
            return _comparison(by, value)
        case SigmaString() if by.type in TEXTS:
            return _text(by, value)
        case SigmaNumber() if by.type in TEXTS:
            return _text(by, SigmaString.from_str(str(value)))
        case SigmaNumber() | SigmaBool():
            equal = Match(by.name, value.boolean if isinstance(value, SigmaBool) else _whole(value.number))
            return Converted(equal, equal, True, asked)
        case _:
            return _nowhere("other", asked, what=type(value).__name__)


def _whole(number: float) -> int | float:
    """4.0 as 4: a column of whole numbers is asked for whole numbers."""
    return int(number) if float(number).is_integer() else number


def _comparison(by: Field, value: SigmaTimestampPart | SigmaCompareExpression) -> Converted:
    number = value.number if isinstance(value, SigmaCompareExpression) else value
    if isinstance(number, SigmaTimestampPart) or not isinstance(value, SigmaCompareExpression):
        return _nowhere("part", {by.name}, field=by.name)
    side, included = _BOUNDS[value.op]
    limit = _whole(number.number)
    bound = Range(by.name, low=limit, include_low=included) if side == "low" else Range(by.name, high=limit, include_high=included)
    # To DuckDB what is no number is larger than all numbers.
    return Converted(bound, bound, by.type == "long" or side == "high", frozenset({by.name}))


def _network(by: Field, value: SigmaCIDRExpression) -> Converted:
    network = value.network
    inside = Range(by.name, str(network[0]), str(network[-1]))
    if network.version == 6 and network.overlaps(_MAPPED):  # stores take an IPv4 address for the IPv6 address that stands for it
        return Converted(inside, inside, False, frozenset({by.name}), (text("detectors.unconverted.mapped", field=by.name, network=str(network)),))
    return Converted(inside, inside, False, frozenset({by.name}))


def _text(by: Field, value: SigmaString) -> Converted:
    shape, literal = _shape(value), "".join(part for part in value.s if isinstance(part, str))
    cased = isinstance(value, SigmaCasedString)
    asked = frozenset({by.name})
    if not cased and any(letter.lower() != letter or letter.upper() != letter for letter in literal if not letter.isascii()):
        return _nowhere("letters", asked, field=by.name, value=literal)
    if by.type == "ip":
        return _address(by, shape, literal, cased, value.contains_special())
    plain = Wildcard(by.name, shape, cased) if value.contains_special() else Match(by.name, literal, cased)
    return Converted(plain, plain if cased else _widened(by, plain, literal), cased or by.name in CLOSED, asked)


def _widened(by: Field, plain: Condition, literal: str) -> Condition:
    """RE2 takes U+017F for an s; no store does."""
    if by.name in CLOSED or not set("sS") & set(literal):
        return plain
    return Or((plain, Wildcard(by.name, "*\u017f*")))


def _address(by: Field, shape: str, literal: str, cased: bool, special: bool) -> Converted:
    """A rule compares addresses as they are written; in a store they are numbers."""
    asked, written = frozenset({by.name}), Wildcard(by.name, shape, cased)
    if special:
        octets = _OCTETS.fullmatch(shape)
        if octets is None:
            return Converted(written, written, cased, asked, (text("detectors.unconverted.address", field=by.name, value=shape),))
        known = octets[1].count(".")
        network = ip_network(f"{octets[1]}{'0.' * (3 - known)}0/{known * 8}")
        return Converted(Range(by.name, str(network[0]), str(network[-1])), written, False, asked)
    if _canonical(literal):
        return Converted(Match(by.name, literal), Match(by.name, literal), False, asked)
    return Converted(written, written, cased, asked, (text("detectors.unconverted.address", field=by.name, value=literal),))


def _canonical(literal: str) -> bool:
    """Is this an address, written as addresses are recorded?"""
    try:
        return str(ip_address(literal)) == literal.lower()
    except ValueError:
        return False


def _shape(value: SigmaString) -> str:
    """A text with wildcards as `Wildcard` has it."""
    return "".join(_shape_part(part) for part in value.s)


def _shape_part(part: Any) -> str:
    if isinstance(part, SpecialChars):
        return "*" if part is SpecialChars.WILDCARD_MULTI else "?"
    return "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in str(part))


def _keyword(value: SigmaType) -> Converted:
    """Words that may stand anywhere: in each field of texts, and among addresses where they could be a part of one."""
    fields = {by.name for by in KEYWORD_FIELDS}
    if isinstance(value, SigmaExpansion):
        return _any([_keyword(part) for part in value.values])
    if isinstance(value, SigmaNumber) and not isinstance(value, SigmaTimestampPart):
        value = SigmaString.from_str(str(value))
    if not isinstance(value, SigmaString):
        return _nowhere("regex", fields, field="*")
    literal = "".join(part for part in value.s if isinstance(part, str))
    if any(letter.lower() != letter or letter.upper() != letter for letter in literal if not letter.isascii()):
        return _nowhere("letters", fields, field="*", value=literal)
    cased = isinstance(value, SigmaCasedString)
    parts: list[Converted] = []
    for by in KEYWORD_FIELDS:
        found = Wildcard(by.name, f"*{_shape(value)}*", cased)
        if by.type == "ip":
            possible = set(literal) <= _IN_ADDRESSES
            reasons = (text("detectors.unconverted.address", field=by.name, value=literal),) if possible else ()
            parts.append(Converted(found if possible else Or(()), found, cased, frozenset({by.name}), reasons))
        else:
            parts.append(Converted(found, found if cased else _widened(by, found, literal), cased, frozenset({by.name})))
    return _any(parts)
