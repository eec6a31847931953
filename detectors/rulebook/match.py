"""Conditions to masks: pySigma's tree becomes one function from a frame to the rows that match.

Absence never matches, and `not` of it does: a rule that says `not ot.error: x` also matches rows without an error, as Sigma wants it.
Text ignores case unless `cased`; a regular expression keeps it unless `i`. Of a field with many values, any may match.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.types import (
    CompareOperators,
    Placeholder,
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

from detectors.rulebook.frame import NUMBERS, TEXTS, Frame, Mask, sortable
from detectors.rulebook.problems import Fault, nearest
from records.schema import ACTIVITY, Field

if TYPE_CHECKING:
    import numpy.typing as npt

Predicate = Callable[[Frame], Mask]

# A rule's words are not looked for in a hash: "dead" is no finding.
KEYWORD_FIELDS: Final = tuple(field for field in ACTIVITY.fields if field.type in TEXTS and field.name != "id")
LONGEST: Final = 2**63

_SAMPLE: Final = pa.array([""])
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$")
_COMPARE: Final[dict[CompareOperators, Callable[[Any, Any], Any]]] = {
    CompareOperators.LT: np.less,
    CompareOperators.LTE: np.less_equal,
    CompareOperators.GT: np.greater,
    CompareOperators.GTE: np.greater_equal,
}
_PARTS: Final = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "iso_week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}


def field_named(name: str) -> Field:
    """The activity field of this name. Raises Fault."""
    field = ACTIVITY.field(name)
    if field is None:
        raise Fault("field", name=name, nearest=nearest(name, ACTIVITY.names))
    return field


def tree(node: Any) -> Predicate:
    """The predicate of a condition tree. Raises Fault for what cannot be matched."""
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return leaf(field_named(node.field), node.value)
    if isinstance(node, ConditionValueExpression):
        return keyword(node.value)
    if isinstance(node, (ConditionAND, ConditionOR, ConditionNOT)):
        parts = [tree(part) for part in node.args]
        return _not(parts[0]) if isinstance(node, ConditionNOT) else _join(parts, np.logical_and if isinstance(node, ConditionAND) else np.logical_or)
    raise Fault("condition", detail=type(node).__name__)


def _not(part: Predicate) -> Predicate:
    return lambda frame: ~part(frame)


def _join(parts: list[Predicate], link: Callable[[Mask, Mask], Mask]) -> Predicate:
    return lambda frame: reduce(link, (part(frame) for part in parts))


def _any(parts: list[Predicate]) -> Predicate:
    return _join(parts, np.logical_or)


def leaf(field: Field, value: SigmaType) -> Predicate:
    """Rows whose field matches one value. Raises Fault where field and value do not fit."""
    if isinstance(value, SigmaExpansion):
        return _any([leaf(field, part) for part in value.values])
    if isinstance(value, (SigmaNull, SigmaExists)):
        wanted = isinstance(value, SigmaExists) and value.exists
        return lambda frame: frame.present(field) == wanted
    if isinstance(value, SigmaFieldReference):
        return _reference(field, value)
    if isinstance(value, (SigmaCompareExpression, SigmaTimestampPart)):
        return _comparison(field, value)
    if isinstance(value, (SigmaRegularExpression, SigmaCIDRExpression)):
        return _search(field, regular(value)) if isinstance(value, SigmaRegularExpression) else _network(field, value)
    if field.type in TEXTS:
        return _search(field, pattern(_as_text(field, value)))
    return _equal(field, value)


def keyword(value: SigmaType) -> Predicate:
    """Rows that have the words in any text field."""
    if isinstance(value, SigmaExpansion):
        return _any([keyword(part) for part in value.values])
    if isinstance(value, SigmaRegularExpression):
        wanted = regular(value)
    elif isinstance(value, (SigmaString, SigmaNumber)) and not isinstance(value, SigmaTimestampPart):
        wanted = pattern(SigmaString.from_str(str(value)) if isinstance(value, SigmaNumber) else value, whole=False)
    else:
        raise Fault("keyword")
    return _any([_search(field, wanted) for field in KEYWORD_FIELDS])


def pattern(value: SigmaString, *, whole: bool = True) -> str:
    """The RE2 pattern of a text with wildcards."""
    body = "".join(_pattern_part(part) for part in value.s)
    flags = "(?s)" if isinstance(value, SigmaCasedString) else "(?is)"
    return rf"{flags}\A(?:{body})\z" if whole else f"{flags}{body}"


def _pattern_part(part: str | SpecialChars | Placeholder) -> str:
    if isinstance(part, Placeholder):
        raise Fault("placeholder", name=part.name)
    if isinstance(part, SpecialChars):
        return ".*" if part is SpecialChars.WILDCARD_MULTI else "."
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in part)


def regular(value: SigmaRegularExpression) -> str:
    """The RE2 pattern of a regular expression with its flags."""
    for part in value.regexp.s:
        if isinstance(part, Placeholder):
            raise Fault("placeholder", name=part.name)
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def check_pattern(wanted: str) -> None:
    """Raises Fault where RE2 does not take a pattern: now, and not when traffic comes."""
    hits(_SAMPLE, wanted)


def hits(values: pa.Array[Any], wanted: str) -> Mask:
    """Which of these texts match a pattern. Raises Fault where RE2 does not take it."""
    try:
        return pc.match_substring_regex(values, wanted).fill_null(False).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise Fault("regex", detail=str(error).splitlines()[0]) from error


def _search(field: Field, wanted: str) -> Predicate:
    if field.type not in TEXTS:
        raise Fault("text-on-number", name=field.name, type=field.type)
    check_pattern(wanted)

    def match(frame: Frame) -> Mask:
        words = frame.words(field)
        return frame.once(field.name, wanted, lambda: words.lift(hits(words.values, wanted)))

    return match


def _as_text(field: Field, value: SigmaType) -> SigmaString:
    if isinstance(value, SigmaString):
        return value
    if isinstance(value, SigmaNumber):
        return SigmaString.from_str(str(value))
    raise Fault("truth-on-text", name=field.name, value=str(value).lower())


def _equal(field: Field, value: SigmaType) -> Predicate:
    if field.type == "boolean" and isinstance(value, SigmaBool):
        return _figures(field, np.equal, value.boolean)
    if field.type in NUMBERS and isinstance(value, SigmaNumber):
        return _figures(field, np.equal, _bounded(value))
    raise Fault("text-on-number", name=field.name, type=field.type)


def _comparison(field: Field, value: SigmaCompareExpression | SigmaTimestampPart) -> Predicate:
    number = value.number if isinstance(value, SigmaCompareExpression) else value
    compare = _COMPARE[value.op] if isinstance(value, SigmaCompareExpression) else np.equal
    if isinstance(number, SigmaTimestampPart):
        return _date_part(field, number, compare)
    if field.type not in NUMBERS:
        raise Fault("number-on-text", name=field.name, type=field.type)
    return _figures(field, compare, _bounded(number))


def _bounded(value: SigmaNumber) -> int | float:
    if not -LONGEST <= value.number < LONGEST:
        raise Fault("number-size", value=value.number)
    return value.number


def _figures(field: Field, compare: Callable[[Any, Any], Any], number: float) -> Predicate:
    def match(frame: Frame) -> Mask:
        numbers = frame.numbers(field)
        return compare(numbers.numbers, number) & numbers.present

    return match


def _date_part(field: Field, number: SigmaTimestampPart, compare: Callable[[Any, Any], Any]) -> Predicate:
    if field.type != "date":
        raise Fault("part-of-date", name=field.name, type=field.type)
    part = _PARTS[number.timestamp_part]

    def match(frame: Frame) -> Mask:
        parts = frame.part(field, part)
        return compare(parts.numbers, number.number) & parts.present

    return match


def _network(field: Field, value: SigmaCIDRExpression) -> Predicate:
    if field.type != "ip":
        raise Fault("network", name=field.name, type=field.type)
    low, high = sortable(str(value.network[0])), sortable(str(value.network[-1]))

    def match(frame: Frame) -> Mask:
        addresses = frame.addresses(field)
        return frame.words(field).lift((addresses >= low) & (addresses <= high))

    return match


def _reference(field: Field, value: SigmaFieldReference) -> Predicate:
    other = field_named(value.field)
    partly = value.starts_with or value.ends_with
    if other.many or _kind(field) != _kind(other) or (partly and _kind(field) != "text"):
        raise Fault("field-reference", name=field.name, other=other.name)
    if _kind(field) == "text":
        return _texts_of_row(field, other, _CHECKS[value.starts_with, value.ends_with])

    def match(frame: Frame) -> Mask:
        left, right = frame.numbers(field), frame.numbers(other)
        return (left.numbers == right.numbers) & left.present & right.present

    return match


def _kind(field: Field) -> str:
    return "text" if field.type in TEXTS else "number" if field.type in NUMBERS else field.type


_CHECKS: Final[dict[tuple[bool, bool], Callable[[Any, Any], Any]]] = {
    (False, False): np.equal,
    (True, False): np.strings.startswith,
    (False, True): np.strings.endswith,
    (True, True): lambda text, part: np.strings.find(text, part) >= 0,
}


def _texts_of_row(field: Field, other: Field, check: Callable[[Any, Any], Any]) -> Predicate:
    """Compares two texts of each row; every distinct pair once."""

    def match(frame: Frame) -> Mask:
        left, right = frame.words(field), frame.words(other)
        partners = right.codes if left.rows is None else right.codes[left.rows]
        elements = (left.codes >= 0) & (partners >= 0)
        width = max(1, len(right.values))
        pairs, back = np.unique(left.codes[elements] * width + partners[elements], return_inverse=True)
        found = np.zeros(len(elements), dtype=np.bool_)
        found[elements] = np.asarray(check(_lower(left.values)[pairs // width], _lower(right.values)[pairs % width]), dtype=np.bool_)[back]
        return left.gather(found)

    return match


def _lower(values: pa.Array[Any]) -> npt.NDArray[Any]:
    return np.array(pc.utf8_lower(values).to_pylist(), dtype=np.dtypes.StringDType())
