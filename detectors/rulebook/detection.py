"""The `detection:` part of a rule: every value checked at its own line, then one predicate from pySigma's tree of conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
from sigma.conditions import ConditionIdentifier, ConditionItem, ConditionSelector, SigmaCondition
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetectionItem, SigmaDetections  # pyright: ignore[reportMissingTypeStubs]  # its py.typed does not reach subpackages
from sigma.types import SigmaExpansion, SigmaRegularExpression, SigmaString, SigmaType

from detectors.rulebook.match import Predicate, check_pattern, field_named, hits, keyword, leaf, pattern, regular, tree
from detectors.rulebook.problems import Fault, nearest, text
from records.effects import ACCESSES, EFFECTS

if TYPE_CHECKING:
    from detectors.rulebook.document import Document, Path

CLOSED: Final = {
    "ot.effect": tuple(effect.name for effect in EFFECTS),
    "ot.access": ACCESSES,
    "event.outcome": ("success", "failure", "unknown"),
}
LONGEST_CONDITION: Final = 2000
# pySigma builds a plain text anew in these, so that an earlier `cased` would be lost without a word.
FORGETFUL: Final = frozenset({"wide", "utf16", "utf16be", "base64", "base64offset", "windash", "fieldref", "re"})

_PLAIN: Final = (str, int, float, bool, type(None))


@dataclass(slots=True)
class Found:
    """What a walk over a detection found: faults by line, and the fields it asks for."""

    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    fields: dict[str, int] = field(default_factory=dict[str, int])
    match: Predicate | None = None


def detection(document: Document) -> Found:
    """The rule's predicate, or why there is none."""
    found = Found()
    part: Any = document.data.get("detection")
    if not isinstance(part, dict) or "condition" not in part:
        found.faults.append((document.line("detection"), Fault("detection")))
        return found
    names = cast("dict[str, Any]", part)
    for name, definition in names.items():
        if name != "condition":
            _definition(document, ("detection", str(name)), definition, found)
    if not any(fault.blocks for _, fault in found.faults):
        _condition(names, document.line("detection", "condition"), found)
    return found


def clause(document: Document, path: Path, definition: Any) -> Found:
    """The predicate of a single definition outside of `detection:`, as in `score:`."""
    found = Found()
    _definition(document, path, definition, found)
    if not any(fault.blocks for _, fault in found.faults):
        _condition({"when": definition, "condition": "when"}, document.line(*path), found)
    return found


def _definition(document: Document, path: Path, definition: Any, found: Found) -> None:
    if isinstance(definition, dict) and definition:
        for key, value in cast("dict[Any, Any]", definition).items():
            _item(document, (*path, str(key)), str(key), value, found)
    elif isinstance(definition, list) and definition:
        _list(document, path, cast("list[Any]", definition), found)
    elif isinstance(definition, _PLAIN) and definition is not None:
        _value(document.line(*path), None, definition, found)
    else:
        found.faults.append((document.line(*path), Fault("empty")))


def _list(document: Document, path: Path, definition: list[Any], found: Found) -> None:
    mixed = {isinstance(item, dict) for item in definition} == {True, False}
    if mixed:
        found.faults.append((document.line(*path), Fault("mixed")))
        return
    for index, item in enumerate(definition):
        _definition(document, (*path, index), item, found)


def _item(document: Document, path: Path, key: str, value: Any, found: Found) -> None:
    line = document.line(*path)
    name, *modifiers = key.split("|")
    try:
        if name:
            found.fields.setdefault(field_named(name).name, line)
        _modifiers(name, modifiers)
    except Fault as fault:
        found.faults.append((line, fault))
        return
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not values:
        found.faults.append((line, Fault("empty")))
    for index, one in enumerate(values):
        _value(document.line(*path, index) if isinstance(value, list) else line, key, one, found)


def _modifiers(name: str, modifiers: list[str]) -> None:
    for modifier in modifiers:
        if modifier not in modifier_mapping:
            raise Fault("modifier", name=modifier, nearest=nearest(modifier, modifier_mapping))
    if "cased" in modifiers and FORGETFUL & set(modifiers[modifiers.index("cased") :]):
        raise Fault("modifier-use", detail=text("detectors.detail.cased"))
    if not name and {"startswith", "endswith", "fieldref", "exists", "cidr"} & set(modifiers):
        raise Fault("keyword")


def _value(line: int, key: str | None, value: Any, found: Found) -> None:
    """Tries one value by itself, so that what is wrong with it has its own line."""
    try:
        if not isinstance(value, _PLAIN):
            raise Fault("value", value=type(value).__name__)
        if key and "re" in key.split("|")[1:] and isinstance(value, str):
            check_pattern(value)  # before pySigma does: its RE2 writes to stderr
        item = SigmaDetectionItem.from_mapping(key, value)
        for one in item.value:
            _try(item.field, one, found)
    except Fault as fault:
        found.faults.append((line, fault))
    except SigmaRegularExpressionError as error:
        found.faults.append((line, Fault("regex", detail=str(error))))
    except (SigmaError, TypeError, AttributeError) as error:  # pySigma leaves some wrong shapes to Python's own errors
        found.faults.append((line, Fault("modifier-use", detail=str(error))))


def _try(name: str | None, value: SigmaType, found: Found) -> None:
    if name is None:
        keyword(value)
        return
    leaf(field_named(name), value)
    known = CLOSED.get(field_named(name).name)
    if known and not _possible(value, known):
        raise Fault("closed-list", name=name, value=_shown(value), nearest=nearest(_shown(value), known))
    if name != field_named(name).name:
        found.faults.append((found.fields[field_named(name).name], Fault("reference-form", name=name, wanted=field_named(name).name)))


def _possible(value: SigmaType, known: tuple[str, ...]) -> bool:
    """Whether some value of a closed list can match at all."""
    if isinstance(value, SigmaExpansion):
        return any(_possible(part, known) for part in value.values)
    if isinstance(value, SigmaRegularExpression):
        return bool(np.any(hits(pa.array(known), regular(value))))
    return not isinstance(value, SigmaString) or bool(np.any(hits(pa.array(known), pattern(value))))


def _shown(value: SigmaType) -> str:
    return str(value.regexp) if isinstance(value, SigmaRegularExpression) else str(value)


def _condition(names: dict[str, Any], line: int, found: Found) -> None:
    try:
        detections = SigmaDetections.from_dict({str(name): part for name, part in names.items()})
        conditions = [_checked(condition) for condition in detections.condition]
        parsed = [SigmaCondition(condition, detections) for condition in conditions]
        used = {name for condition in parsed for name in _used(condition.parse(postprocess=False), detections)}
        found.match = _either([tree(condition.parse()) for condition in parsed])
    except Fault as fault:
        found.faults.append((line, fault))
    except (SigmaError, TypeError, AttributeError, RecursionError) as error:
        found.faults.append((line, Fault("condition", detail=str(error).splitlines()[0] if str(error) else type(error).__name__)))
    else:
        found.faults += [(line, Fault("unused", name=name)) for name in detections.detections if name not in used]


def _checked(condition: Any) -> str:
    if not isinstance(condition, str) or len(condition) > LONGEST_CONDITION:
        raise Fault("condition", detail=text("detectors.detail.condition", most=LONGEST_CONDITION))
    if "|" in condition:
        raise Fault("aggregate")
    return condition


def _either(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda frame: np.logical_or.reduce([part(frame) for part in parts])


def _used(node: Any, detections: SigmaDetections) -> set[str]:
    if isinstance(node, ConditionIdentifier):
        return {node.identifier}
    if isinstance(node, ConditionSelector):
        return {identifier.identifier for identifier in node.resolve_referenced_detections(detections)}
    return {name for part in cast("ConditionItem", node).args for name in _used(part, detections)}
