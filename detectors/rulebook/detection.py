"""The `detection:` part of a rule: every value checked at its own line, then one predicate from pySigma's tree of conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
from sigma.conditions import ConditionIdentifier, ConditionItem, ConditionSelector, SigmaCondition
from sigma.exceptions import SigmaError, SigmaModifiedError, SigmaRegularExpressionError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections  # pyright: ignore[reportMissingTypeStubs]  # its py.typed does not reach subpackages
from sigma.types import (
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
)

from detectors.rulebook.document import DEEPEST
from detectors.rulebook.match import check_pattern, field_named, keyword, leaf, pattern, regular, tree
from detectors.rulebook.placeholders import Placeholders, stands_for
from detectors.rulebook.predicates import Predicate, either, hits
from detectors.rulebook.problems import Fault, nearest, text, unfit_regex
from records.effects import ACCESSES, EFFECTS
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.rulebook.document import Document, Path
    from records.model import Text
    from records.schema import Table

CLOSED: Final = {
    "ot.effect": tuple(effect.name for effect in EFFECTS),
    "ot.access": ACCESSES,
    "event.outcome": ("success", "failure", "unknown"),
}
LONGEST_CONDITION: Final = 2000
_WORD: Final = re.compile(r"[()]|[^\s()]+")
# Other names that the specification has for a modifier of pySigma's.
SAME: Final = {"utf16le": "wide"}
MODIFIERS: Final = frozenset({*modifier_mapping, *SAME})
# What other languages call a modifier, where none of Sigma's looks like it, or another one does.
MEANT: Final = {
    "beginswith": "startswith", "begins": "startswith", "prefix": "startswith", "suffix": "endswith", "like": "contains", "includes": "contains",
    "regex": "re", "regexp": "re", "matches": "re", "not": "neq", "min": "gte", "max": "lte", "less": "lt", "subnet": "cidr", "network": "cidr",
    "casesensitive": "cased", "ref": "fieldref",
}  # fmt: skip
OFFSETS: Final = 3  # of `base64offset` in one key: each makes three texts of one, and a dozen would keep the loader busy for minutes
# pySigma builds a plain text anew in these, so that an earlier `cased` would be lost without a word.
FORGETFUL: Final = frozenset({"wide", "utf16", "utf16be", "base64", "base64offset", "windash", "fieldref", "re"})

JOINING: Final = frozenset({"all", "neq"})  # what is asked of the values together, also where they are none

_PLAIN: Final = (str, int, float, bool, type(None))


TIMEFRAME: Final = "timeframe"  # what Sigma 1 said of `| count()`


@dataclass(slots=True)
class Found:
    """What a walk over a detection found: faults by line, and the fields it asks for. `table` is what it looks at."""

    table: Table = ACTIVITY
    placeholders: Placeholders = field(default_factory=Placeholders)
    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    fields: dict[str, int] = field(default_factory=dict[str, int])
    match: Predicate | None = None

    @property
    def blocked(self) -> bool:
        """Whether something is so wrong that there is no predicate."""
        return any(fault.blocks for _, fault in self.faults)


def detection(document: Document, placeholders: Placeholders | None = None, table: Table = ACTIVITY, part: str = "detection", also: str = "") -> Found:
    """The predicate of the rule's `detection:` (or of another `part` that is written so), or why there is none. `also` names a key beside the names."""
    found = Found(table, placeholders or Placeholders())
    definitions: Any = document.data.get(part)
    if not isinstance(definitions, dict) or "condition" not in definitions:
        found.faults.append((document.line(part), Fault("detection")))
        return found
    names = cast("dict[str, Any]", definitions)
    if isinstance(names.get(TIMEFRAME), (str, int)):
        found.faults.append((document.line(part, TIMEFRAME), Fault("timeframe")))
        return found
    parsed = {str(name): _definition(document, (part, str(name)), one, found) for name, one in names.items() if name not in {"condition", also}}
    if not found.blocked:
        _condition(parsed, names["condition"], document.line(part, "condition"), found)
    return found


def clause(document: Document, path: Path, definition: Any, placeholders: Placeholders | None = None, table: Table = ACTIVITY) -> Found:
    """The predicate of a single definition outside of `detection:`, as in `score:`."""
    found = Found(table, placeholders or Placeholders())
    parsed = _definition(document, path, definition, found)
    if not found.blocked:
        _condition({"when": parsed}, "when", document.line(*path), found)
    return found


def _definition(document: Document, path: Path, definition: Any, found: Found) -> SigmaDetection | None:
    """pySigma's detection, made here so that each value was tried at its own line."""
    items: list[SigmaDetectionItem | SigmaDetection | None] = []
    if isinstance(definition, dict) and definition:
        items = [_item(document, (*path, str(key)), str(key), value, found) for key, value in cast("dict[Any, Any]", definition).items()]
    elif isinstance(definition, list) and definition:
        items = _list(document, path, cast("list[Any]", definition), found)
    elif isinstance(definition, _PLAIN) and definition is not None:
        items = [_joined(None, [definition], [document.line(*path)], found)]
    else:
        found.faults.append((document.line(*path), Fault("empty")))
    return SigmaDetection([item for item in items if item is not None]) if items and None not in items else None


def _list(document: Document, path: Path, definition: list[Any], found: Found) -> list[SigmaDetectionItem | SigmaDetection | None]:
    lines = [document.line(*path, index) for index in range(len(definition))]
    if not any(isinstance(item, (dict, list)) for item in definition):
        return [_joined(None, definition, lines, found)]
    if not all(isinstance(item, (dict, list)) for item in definition):
        found.faults.append((document.line(*path), Fault("mixed")))
        return [None]
    return [_definition(document, (*path, index), item, found) for index, item in enumerate(definition)]


def _item(document: Document, path: Path, key: str, value: Any, found: Found) -> SigmaDetectionItem | None:
    line = document.line(*path)
    name, *modifiers = (SAME.get(part, part) for part in key.split("|"))
    try:
        if name:
            found.fields.setdefault(field_named(name, found.table).name, line)
        _modifiers(name, modifiers)
    except Fault as fault:
        found.faults.append((line, fault))
        return None
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not values:
        found.faults.append((line, Fault("empty")))
        return None
    lines = [document.line(*path, index) if isinstance(value, list) else line for index in range(len(values))]
    return _joined("|".join((name, *modifiers)), values, lines, found)


def _modifiers(name: str, modifiers: list[str]) -> None:
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise Fault("modifier", name=modifier, nearest=MEANT.get(modifier.lower()) or nearest(modifier, MODIFIERS))
    if modifiers.count("base64offset") > OFFSETS:
        raise Fault("modifier-use", detail=text("detectors.detail.offsets", most=OFFSETS))
    if "cased" in modifiers and FORGETFUL & set(modifiers[modifiers.index("cased") :]):
        raise Fault("modifier-use", detail=text("detectors.detail.cased"))
    if not name and {"startswith", "endswith", "fieldref", "exists", "cidr"} & set(modifiers):
        raise Fault("keyword")


def _joined(key: str | None, values: list[Any], lines: list[int], found: Found) -> SigmaDetectionItem | None:
    """One item of all its values; None where one is wrong."""
    parts = [_value(line, key, value, found) for line, value in zip(lines, values, strict=True)]
    items = [part for part in parts if part is not None]
    if len(items) < len(parts):
        return None
    items[0].value = [one for item in items for one in item.value]
    return items[0]


def _value(line: int, key: str | None, value: Any, found: Found) -> SigmaDetectionItem | None:
    """One value by itself, so that what is wrong with it has its own line."""
    try:
        if not isinstance(value, _PLAIN):
            raise Fault("value", value=text(f"detectors.detail.{'map' if isinstance(cast('object', value), dict) else 'list'}"))
        item = _expanded(key, value, found) if key and "expand" in key.split("|")[1:] else _parsed(key, value)
        for one in item.value:
            _try(item.field, one, found)
    except Fault as fault:
        found.faults.append((line, fault))
    except SigmaRegularExpressionError as error:
        found.faults.append((line, unfit_regex(str(error))))
    except (SigmaError, TypeError, AttributeError):  # pySigma leaves some wrong shapes to Python's own errors
        found.faults.append((line, Fault("modifier-use", detail=text("detectors.detail.modifier", name=key or "", value=value))))
    else:
        return item
    return None


def _parsed(key: str | None, value: Any) -> SigmaDetectionItem:
    modifiers = key.split("|")[1:] if key else []
    if "re" in modifiers and isinstance(value, str):
        check_pattern(value)  # before pySigma does: its RE2 writes to stderr
    if "cidr" in modifiers and isinstance(value, str):
        _check_network(value)
    try:
        item = SigmaDetectionItem.from_mapping(key, value)
    except SigmaModifiedError as error:
        if "windash" not in modifiers:
            raise
        raise Fault("modifier-use", detail=text("detectors.detail.dashes", value=value)) from error  # of pySigma's modifiers only this one bounds its texts
    if isinstance(value, int):
        _exact(item, value)
    return item


def _exact(item: SigmaDetectionItem, value: int) -> None:
    """The whole number as it is written: pySigma makes a float of a large one."""
    for one in item.value:
        number = one.number if isinstance(one, SigmaCompareExpression) else one
        if isinstance(number, SigmaNumber) and not isinstance(number, SigmaTimestampPart):
            number.number = value


def _expanded(key: str, value: Any, found: Found) -> SigmaDetectionItem:
    """The item of everything that the value's placeholders stand for, any of which may match."""
    name, *modifiers = key.split("|")
    plain = "|".join((name, *(one for one in modifiers if one != "expand")))
    items = [_stood_for(plain, one, str(value)) for one in found.placeholders.expand(value)]
    item = items[0] if items else _parsed("|".join((name, *(one for one in modifiers if one in JOINING))), "")
    item.value = [SigmaExpansion([one for each in items for one in each.value])]
    return item


def _stood_for(key: str, value: Any, stated: str) -> SigmaDetectionItem:
    """The item of one value that a placeholder stands for; what is wrong with it is wrong where the site wrote it."""
    try:
        return _parsed(key, value)
    except (SigmaError, TypeError, AttributeError) as error:
        raise Fault("placeholder-unfit", name=stated, value=value, field=key) from error
    except Fault as fault:
        if fault.check in {"cidr-bits", "cidr-form"}:
            raise Fault(fault.check, **fault.values | {"where": text("detectors.detail.placeholders", name=stated)}) from fault
        raise


def _check_network(value: str) -> None:
    """Raises Fault for what `cidr` does not take, with what it would take."""
    if stands_for(value):
        raise Fault("cidr-unexpanded", name=value)
    try:
        network = ip_network(value, strict=False)
    except ValueError as error:
        raise Fault("cidr-form", name=value, where="") from error
    if str(ip_interface(value).ip) != str(network.network_address):
        raise Fault("cidr-bits", name=value, wanted=network, where="")


def _try(name: str | None, value: SigmaType, found: Found) -> None:
    if name is None:
        keyword(value, found.table)
        return
    known_field = field_named(name, found.table)
    leaf(known_field, value, found.table)
    known = CLOSED.get(known_field.name)
    if known and not _possible(value, known):
        raise Fault("closed-list", name=name, value=_shown(value), nearest=nearest(_shown(value), known))
    if name != known_field.name:
        found.faults.append((found.fields[known_field.name], Fault("reference-form", name=name, wanted=known_field.name)))


def _possible(value: SigmaType, known: tuple[str, ...]) -> bool:
    """Whether some value of a closed list can match at all."""
    if isinstance(value, SigmaExpansion):
        return not value.values or any(_possible(part, known) for part in value.values)
    if isinstance(value, SigmaRegularExpression):
        return bool(np.any(hits(pa.array(known), regular(value))))
    return not isinstance(value, SigmaString) or bool(np.any(hits(pa.array(known), pattern(value).regex)))


def _shown(value: SigmaType) -> str:
    return str(value.regexp) if isinstance(value, SigmaRegularExpression) else str(value)


def _condition(parsed: dict[str, SigmaDetection | None], condition: Any, line: int, found: Found) -> None:
    one: str = ""
    used: set[str] = set()
    try:
        stated: list[Any] = cast("list[Any]", condition) if isinstance(condition, list) and condition else [condition]
        conditions = [_checked(one) for one in stated]
        detections = SigmaDetections({name: part for name, part in parsed.items() if part is not None}, list(conditions))
        trees: list[Predicate] = []
        for one in conditions:
            node = SigmaCondition(one, detections)
            used |= _used(node.parse(postprocess=False), detections)
            trees.append(tree(node.parse(), found.table))
        found.match = either(trees)
    except Fault as fault:
        found.faults.append((line, fault))
    except SigmaError as error:
        found.faults.append((line, Fault("condition", detail=_refused(str(error), one, parsed))))
    except (TypeError, AttributeError, RecursionError):  # in Python's words
        found.faults.append((line, Fault("condition", detail=text("detectors.detail.unread"))))
    else:
        found.faults += [(line, Fault("unused", name=name)) for name in detections.detections if name not in used]


def _refused(said: str, condition: str, names: Iterable[str]) -> Text:
    """Why pySigma takes no condition, in the reader's words."""
    if named := re.search(r"Detection '([^']+)' not defined", said):
        return text("detectors.detail.name", name=named[1], nearest=nearest(named[1], names))
    if selected := re.search(r"Selector '([^']+)'", said):
        return text("detectors.detail.selector", name=selected[1])
    return unread(said, condition)


def unread(said: str, condition: str) -> Text:
    """From where on a condition cannot be read, by what its parser says."""
    place = re.search(r"\(at char (\d+)\)", said)
    rest = condition[int(place[1]) :].strip() if place else ""
    return text("detectors.detail.rest", rest=rest[:40]) if rest else text("detectors.detail.ends" if place else "detectors.detail.unread")


def check_condition(condition: Any) -> str:
    """The condition, where it is a text of bounded length and depth: what parses it goes down a call a level. Raises Fault."""
    if not isinstance(condition, str) or len(condition) > LONGEST_CONDITION:
        raise Fault("condition", detail=text("detectors.detail.condition", most=LONGEST_CONDITION))
    brackets = negations = 0
    for word in _WORD.findall(condition):
        brackets += (word == "(") - (word == ")")
        negations = negations + 1 if word.casefold() == "not" else negations if word == "(" else 0
        if brackets + negations > DEEPEST:
            raise Fault("condition", detail=text("detectors.detail.deep", most=DEEPEST))
    return condition


def _checked(condition: Any) -> str:
    condition = check_condition(condition)
    if "|" in condition:
        raise Fault("aggregate")
    return condition


def _used(node: Any, detections: SigmaDetections) -> set[str]:
    if isinstance(node, ConditionIdentifier):
        return {node.identifier}
    if isinstance(node, ConditionSelector):
        return {identifier.identifier for identifier in node.resolve_referenced_detections(detections)}
    return {name for part in cast("ConditionItem", node).args for name in _used(part, detections)}
