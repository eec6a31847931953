"""From pySigma's tree of conditions to predicates: what each value means on a field of activities or of points.

Text ignores case unless `cased`; a regular expression keeps it unless `i`. Of a field with many values, any may match.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR, ConditionValueExpression
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
    TimestampPart,
)

from detectors.rulebook.folding import folded
from detectors.rulebook.frame import NUMBERS, TEXTS, sortable
from detectors.rulebook.predicates import DatePart, Figures, Network, Not, Pattern, Predicate, Present, Same, Texts, either, every, hits
from detectors.rulebook.problems import Fault, nearest
from records.schema import ACTIVITY, Field

if TYPE_CHECKING:
    from records.schema import Table

LONGEST: Final = 2**63

_SAMPLE: Final = pa.array([""])
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$")
_COMPARE: Final = {CompareOperators.LT: "lt", CompareOperators.LTE: "lte", CompareOperators.GT: "gt", CompareOperators.GTE: "gte"}
_PARTS: Final = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "iso_week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_HOW: Final = {(False, False): "is", (True, False): "startswith", (False, True): "endswith", (True, True): "contains"}


def field_named(name: str, table: Table = ACTIVITY) -> Field:
    """The field of this name. Raises Fault."""
    field = table.field(name)
    if field is None:
        raise Fault("field", name=name, nearest=nearest(name, table.names))
    return field


def keyword_fields(table: Table) -> tuple[Field, ...]:
    """Where words without a field are looked for: in every text but the identity, for "dead" in a hash is no finding."""
    return tuple(field for field in table.fields if field.type in TEXTS and field.name != "id")


def tree(node: Any, table: Table = ACTIVITY) -> Predicate:
    """The predicate of a condition tree. Raises Fault for what cannot be matched."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return leaf(field_named(node.field, table), node.value, table)
    if isinstance(node, ConditionValueExpression):
        return keyword(node.value, table)
    if isinstance(node, ConditionNOT):
        return Not(tree(node.args[0], table))
    if isinstance(node, (ConditionAND, ConditionOR)):
        parts = [tree(part, table) for part in node.args]
        return every(parts) if isinstance(node, ConditionAND) else either(parts)
    raise Fault("condition", detail=type(node).__name__)


def leaf(field: Field, value: SigmaType, table: Table = ACTIVITY) -> Predicate:
    """Rows whose field matches one value. Raises Fault where field and value do not fit."""
    if isinstance(value, SigmaExpansion):
        return either([leaf(field, part, table) for part in value.values])
    if isinstance(value, (SigmaNull, SigmaExists)):
        return Present(field, isinstance(value, SigmaExists) and value.exists)
    if isinstance(value, SigmaFieldReference):
        return _reference(field, value, table)
    if isinstance(value, (SigmaCompareExpression, SigmaTimestampPart)):
        return _comparison(field, value)
    if isinstance(value, SigmaRegularExpression):
        return _search(field, Pattern(regular(value)))
    if isinstance(value, SigmaCIDRExpression):
        return _network(field, value)
    if field.type == "ip":
        value = _address(field, value)
    return _search(field, pattern(_as_text(field, value))) if field.type in TEXTS else _equal(field, value)


def address_of(text: str) -> str:
    """An address as rows hold it; one of IPv4 that is written as one of IPv6 is the same. Raises ValueError."""
    address = ip_address(text)
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


def _address(field: Field, value: SigmaType) -> SigmaType:
    """A whole address as rows hold it. Raises Fault for a whole text that none is: it would never match, and nobody would notice."""
    words = [part for part in value.s if isinstance(part, str)] if isinstance(value, SigmaString) else []
    if isinstance(value, SigmaString) and words and len(words) == len(value.s):
        try:
            return type(value)(address_of("".join(words)))
        except ValueError:
            raise Fault("address", name=field.name, value="".join(words)) from None
    return value


def keyword(value: SigmaType, table: Table = ACTIVITY) -> Predicate:
    """Rows that have the words in any text field."""
    if isinstance(value, SigmaExpansion):
        return either([keyword(part, table) for part in value.values])
    if isinstance(value, SigmaRegularExpression):
        wanted = Pattern(regular(value))
    elif isinstance(value, (SigmaString, SigmaNumber)) and not isinstance(value, SigmaTimestampPart):
        wanted = pattern(SigmaString.from_str(str(value)) if isinstance(value, SigmaNumber) else value, whole=False)
    else:
        raise Fault("keyword")
    return either([_search(field, wanted) for field in keyword_fields(table)])


def pattern(value: SigmaString, *, whole: bool = True) -> Pattern:
    """What a text with wildcards is searched for."""
    body = "".join(_pattern_part(part) for part in value.s)
    cased = isinstance(value, SigmaCasedString)
    flags = "(?s)" if cased else "(?is)"
    plain = "".join(part for part in value.s if isinstance(part, str))
    literal = folded(plain) if whole and not cased and len(value.s) <= 1 and all(isinstance(part, str) for part in value.s) else None
    return Pattern(rf"{flags}\A(?:{body})\z" if whole else f"{flags}{body}", literal)


def _pattern_part(part: object) -> str:
    if isinstance(part, SpecialChars):
        return ".*" if part is SpecialChars.WILDCARD_MULTI else "."
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in str(part))


def regular(value: SigmaRegularExpression) -> str:
    """The RE2 pattern of a regular expression with its flags."""
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def check_pattern(wanted: str) -> None:
    """Raises Fault where RE2 does not take a pattern: now, and not when traffic comes."""
    hits(_SAMPLE, wanted)


def _search(field: Field, wanted: Pattern) -> Predicate:
    if field.type not in TEXTS:
        raise Fault("text-on-number", name=field.name, type=field.type)
    check_pattern(wanted.regex)
    return Texts(field, (wanted,))


def _as_text(field: Field, value: SigmaType) -> SigmaString:
    if isinstance(value, SigmaString):
        return value
    if isinstance(value, SigmaNumber):
        return SigmaString.from_str(str(value))
    raise Fault("truth-on-text", name=field.name, value=str(value).lower())


def _equal(field: Field, value: SigmaType) -> Predicate:
    if field.type == "boolean" and isinstance(value, SigmaBool):
        return Figures(field, "eq", value.boolean)
    if field.type in NUMBERS and isinstance(value, SigmaNumber):
        return Figures(field, "eq", _bounded(value))
    raise Fault("text-on-number", name=field.name, type=field.type)


def _comparison(field: Field, value: SigmaCompareExpression | SigmaTimestampPart) -> Predicate:
    number = value.number if isinstance(value, SigmaCompareExpression) else value
    compare = _COMPARE[value.op] if isinstance(value, SigmaCompareExpression) else "eq"
    if isinstance(number, SigmaTimestampPart):
        if field.type != "date":
            raise Fault("part-of-date", name=field.name, type=field.type)
        return DatePart(field, _PARTS[number.timestamp_part], compare, _bounded(number))
    if field.type not in NUMBERS:
        raise Fault("number-on-text", name=field.name, type=field.type)
    return Figures(field, compare, _bounded(number))


def _bounded(value: SigmaNumber) -> int | float:
    if not -LONGEST <= value.number < LONGEST:
        raise Fault("number-size", value=value.number)
    return int(value.number) if int(value.number) == value.number else value.number  # 1.0 is 1: whole numbers are compared exactly


def _network(field: Field, value: SigmaCIDRExpression) -> Predicate:
    if field.type != "ip":
        raise Fault("network", name=field.name, type=field.type)
    return Network(field, sortable(str(value.network[0])), sortable(str(value.network[-1])))


def _reference(field: Field, value: SigmaFieldReference, table: Table) -> Predicate:
    other = field_named(value.field, table)
    how = _HOW[value.starts_with, value.ends_with]
    if other.many or _kind(field) != _kind(other) or (how != "is" and _kind(field) != "text"):
        raise Fault("field-reference", name=field.name, other=other.name)
    return Same(field, other, how)


def _kind(field: Field) -> str:
    return "text" if field.type in TEXTS else "number" if field.type in NUMBERS else field.type
