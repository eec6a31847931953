"""Mutants of a rule's detection: the same detection with one thing changed, each with a name that stays the same as long as that thing does.

A mutant that no case of the rule notices is a part of the detection that no case tries. Changed are conditions (a detection negated or left out, `and` and
`or`, `1 of` and `all of` exchanged), maps and lists (a field, a value or an alternative left out), numbers (one up, one down), networks (twice as wide), texts
(a name's family, a part of a word, anywhere instead of at an end, one side of a wildcard), regular expressions (an anchor, or the first or last of their
letters, left out), truths, references to fields and modifiers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, cast

from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionItem, ConditionNOT, ConditionSelector, SigmaCondition
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetections  # pyright: ignore[reportMissingTypeStubs]  # its py.typed does not reach subpackages

from detectors.checks.values import PLAIN
from detectors.vocabulary import named, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Definition = dict[str, Any]
Change = tuple[str, Any]  # the name of a mutant, and what stands in the place of the part that was changed

# Of a regular expression: what is escaped, a class, how a group begins, how often; else a sign by itself.
_SIGN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[^:)]*[:)]|\{[^}]*\}|.", re.DOTALL)
_ANCHORS: Final = frozenset({"^", "$", r"\A", r"\z", r"\b"})
_LETTER: Final = re.compile(r"\\[^0-9A-Za-z]|[^\\.^$*+?()\[\]{}|]", re.DOTALL)
_QUANTITY: Final = ("*", "+", "?", "{")
_WILDCARDS: Final = re.compile(r"[*?]+|(?:\\.|[^\\*?]|\\$)+", re.DOTALL)
_OTHER: Final = {"1": "all", "any": "all", "all": "1"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed detection."""

    name: str
    detection: Definition


def mutants(detection: Definition) -> Iterator[Mutant]:
    """Every mutant of a detection that can be loaded; whether each means anything is for who compiles it. A name that comes twice is numbered."""
    seen: Counter[str] = Counter()
    for name, changed in _all(detection):
        seen[name] += 1
        yield Mutant(name if seen[name] == 1 else f"{name} ({seen[name]})", changed)


def correlation_mutants(documents: Sequence[Definition]) -> Iterator[tuple[str, list[Definition]]]:
    """Every mutant of a file with a correlation: changes of the correlations in its documents, and of the detections of its parts."""
    seen: Counter[str] = Counter()
    for index, document in enumerate(documents):
        called = str(document.get("name") or "correlation")
        changes = [(f"{called}: {name}", "correlation", changed) for name, changed in _correlation(document.get("correlation"))]
        if "detection" in document:
            changes += [(f"{called}: {name}", "detection", changed) for name, changed in _all(document["detection"])]
        for name, key, changed in changes:
            seen[name] += 1
            yield name if seen[name] == 1 else f"{name} ({seen[name]})", [*documents[:index], {**document, key: changed}, *documents[index + 1 :]]


def _correlation(correlation: Any) -> Iterator[Change]:
    """A rule or a field of the group left out, a bound or the timespan moved by one, a condition changed, order asked for or not."""
    if not isinstance(correlation, dict):
        return
    parts = cast("dict[str, Any]", correlation)
    for key in ("rules", "group-by"):
        values: list[Any] = cast("list[Any]", parts.get(key)) if isinstance(parts.get(key), list) else []
        for index, value in enumerate(values):
            rest = [*values[:index], *values[index + 1 :]]
            if rest or key == "group-by":
                yield f"{key}: without {_shown(value)}", {**parts, key: rest} if rest else {name: other for name, other in parts.items() if name != key}
    yield from ((f"condition: {name}", {**parts, "condition": changed}) for name, changed in _bounds(parts))
    span = re.fullmatch(r"(\d+)([a-zA-Z])", str(parts.get("timespan")))
    for moved in (int(span[1]) - 1, int(span[1]) + 1) if span else ():
        if span and moved:
            yield f"timespan: {span[0]} becomes {moved}{span[2]}", {**parts, "timespan": f"{moved}{span[2]}"}
    other = {"temporal": "temporal_ordered", "temporal_ordered": "temporal"}.get(str(parts.get("type")))
    if other:
        yield f"type: {other}", {**parts, "type": other}


def _bounds(parts: dict[str, Any]) -> Iterator[Change]:
    """The condition of a correlation: bounds, or which of its rules are there and which are not."""
    condition: Any = parts.get("condition")
    if isinstance(condition, dict):
        yield from _map(cast("dict[str, Any]", condition))
    elif isinstance(condition, str) and isinstance(parts.get("rules"), list):
        named = {str(name): {"any": 1} for name in cast("list[Any]", parts["rules"])}
        yield from _nodes(_parsed(condition, {**named, "condition": condition}))


def _all(detection: Definition) -> Iterator[tuple[str, Definition]]:
    for part, definition in detection.items():
        if part != "condition":
            for name, changed in _definition(definition):
                yield f"{part}: {name}", {**detection, part: changed}
    for name, condition in _conditions(detection):
        yield f"condition: {name}", {**detection, "condition": condition}


def _definition(definition: Any) -> Iterator[Change]:
    if isinstance(definition, dict):
        yield from _map(cast("dict[str, Any]", definition))
    elif isinstance(definition, list):
        yield from _alternatives(cast("list[Any]", definition))


def _alternatives(parts: list[Any]) -> Iterator[Change]:
    """A list of maps or of words, any of which is enough."""
    yield from _looser("|contains", parts)
    for index, part in enumerate(parts):
        rest = [*parts[:index], *parts[index + 1 :]]
        if rest:
            yield f"without {_shown(part)}", rest
        for name, changed in _definition(part):
            yield f"{index + 1}: {name}", [*parts[:index], changed, *parts[index + 1 :]]


def _map(fields: dict[str, Any]) -> Iterator[Change]:
    for key, value in fields.items():
        if len(fields) > 1:
            yield f"without {key}", {name: other for name, other in fields.items() if name != key}
        for name, changed in _value(value, str(key).split("|")[1:]):
            yield f"{key}: {name}", {**fields, key: changed}
        yield from ((f"{key}: {name}", {**fields, key: changed}) for name, changed in _looser(str(key), value))
        for name, other in _modifiers(str(key), value):
            if other not in fields:
                yield name, {(other if one == key else one): given for one, given in fields.items()}


def _looser(key: str, value: Any) -> Iterator[Change]:
    """Texts that take in more than they do, each once, where the field may hold more for them to take in."""
    field, *modifiers = key.split("|")
    given: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    for wider in dict.fromkeys(wider for one in _texts(given, modifiers) for wider in _wider_texts(one, modifiers)):
        changed = [wider if wider in _wider_texts(str(one), modifiers) else one for one in given]
        if wider not in given and not _same(field, (given, modifiers), (changed, modifiers)):
            yield f"{wider} too", changed if isinstance(value, list) else wider


def _texts(values: list[Any], modifiers: Sequence[str]) -> list[str]:
    return [one for one in values if isinstance(one, str)] if set(modifiers) <= PLAIN else []


def _same(field: str, *asked: tuple[list[Any], Sequence[str]]) -> bool:
    """Whether both stand for the same of all the names that the field may hold, where these are known."""
    known = names_of(field)
    one, other = ({name for text in _texts(values, modifiers) for name in named(text, modifiers, known)} for values, modifiers in asked)
    return bool(known) and one == other


def _wider_texts(text: str, modifiers: Sequence[str]) -> list[str]:
    """The text with what is before, or after, a wildcard inside it open; where there is none, with its last word or sign open, if something is left."""
    pieces = _WILDCARDS.findall(text)
    plain = [place for place, piece in enumerate(pieces) if piece[0] not in "*?"]
    if len(plain) > 1:
        return ["*" + "".join(pieces[plain[1] :]), "".join(pieces[: plain[-2] + 1]) + "*"]
    wider = _wider_text(text, modifiers)
    return [wider] if wider else []


def _wider_text(text: str, modifiers: Sequence[str]) -> str:
    """The text with its last word, or the last sign of its only one, open; empty where nothing would be left."""
    plain = text.rstrip("*")
    if set("*?\\") & set(plain):
        return ""
    part = {"contains", "startswith", "endswith"} & set(modifiers)
    words = re.fullmatch(r"(.*[^0-9A-Za-z])[0-9A-Za-z]+", plain)
    if "endswith" in part:
        return plain[1:]
    wider = words[1] if words else plain[:-1] if part or plain != text else plain
    return wider if part or not wider else f"{wider}*"


def _value(value: Any, modifiers: Sequence[str]) -> Iterator[Change]:
    if isinstance(value, list):
        values = cast("list[Any]", value)
        for index, one in enumerate(values):
            before, after = values[:index], values[index + 1 :]
            if before or after:
                yield f"without {_shown(one)}", [*before, *after]
            yield from ((name, [*before, changed, *after]) for name, changed in _value(one, modifiers))
    elif isinstance(value, bool):
        yield f"{_shown(not value)}", not value
    elif isinstance(value, (int, float)):
        step = 1 if isinstance(value, int) else 10.0 ** -len(str(value).partition(".")[2])
        for moved in (value - step, value + step):
            yield f"{_shown(value)} becomes {_shown(moved)}", moved
    elif "cidr" in modifiers:
        yield from _wider(str(value))
    elif "re" in modifiers:
        yield from _searched(str(value))


def _wider(value: str) -> Iterator[Change]:
    """A network with its neighbour: one bit less of the prefix."""
    try:
        network = ip_network(value)
    except ValueError:  # a placeholder; what is no network is said when the rule is loaded
        return
    if network.prefixlen:
        yield f"{value} becomes {network.supernet()}", str(network.supernet())


def _searched(pattern: str) -> Iterator[Change]:
    """A regular expression without one of its anchors, or without the first or last letter that it asks for."""
    signs = _SIGN.findall(pattern)
    after = [*signs[1:], ""]
    letters = [place for place, sign in enumerate(signs) if _LETTER.fullmatch(sign) and not after[place].startswith(_QUANTITY)]
    anchors = [place for place, sign in enumerate(signs) if sign in _ANCHORS]
    for place in sorted({*anchors, *letters[:1], *letters[-1:]}):
        if rest := "".join((*signs[:place], *signs[place + 1 :])):
            yield f"{pattern} becomes {rest}", rest


def _modifiers(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Keys with a modifier left out, with a text anywhere instead of at an end, or with another field that is not the same."""
    field, *modifiers = key.split("|")
    given: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    for index, modifier in enumerate(modifiers):
        yield f"{key} without {modifier}", "|".join([field, *modifiers[:index], *modifiers[index + 1 :]])
        anywhere = [*modifiers[:index], "contains", *modifiers[index + 1 :]]
        if modifier in {"startswith", "endswith"} and not _same(field, (given, modifiers), (given, anywhere)):
            yield f"{key}: contains instead of {modifier}", "|".join([field, *anywhere])
    if "fieldref" in modifiers and "neq" not in modifiers:
        yield f"{key}: neq", f"{key}|neq"


def _conditions(detection: Definition) -> Iterator[Change]:
    given = detection["condition"]
    texts: list[Any] = cast("list[Any]", given) if isinstance(given, list) else [given]
    for index, text in enumerate(texts):
        rest = [*texts[:index], *texts[index + 1 :]]
        if rest:
            yield f"without {text}", rest
        for name, changed in _nodes(_parsed(str(text), detection)):
            yield name, [*texts[:index], changed, *texts[index + 1 :]] if rest else changed


def _parsed(text: str, detection: Definition) -> Any:
    named = {str(name): part if name == "condition" else {"any": 1} for name, part in detection.items()}  # what a name stands for is another question
    try:
        return SigmaCondition(text, SigmaDetections.from_dict(named)).parse(postprocess=False)
    except SigmaError:  # said when the rule is loaded
        return None


def _nodes(node: Any) -> Iterator[tuple[str, str]]:
    """(name, condition) of each change of a part of pySigma's tree."""
    if isinstance(node, (ConditionIdentifier, ConditionSelector)):
        yield f"not {_text(node)}", f"not {_text(node)}"
        yield from _quantity(node)
    elif isinstance(node, ConditionNOT):
        (inner,) = node.args
        yield f"{_text(inner)} instead of {_text(node)}", _text(inner)
        wrapped = _quantity(inner) if isinstance(inner, (ConditionIdentifier, ConditionSelector)) else _nodes(inner)
        yield from ((name, f"not ({changed})") for name, changed in wrapped)
    elif isinstance(node, ConditionItem):
        yield from _joined(node)


def _quantity(node: ConditionIdentifier | ConditionSelector) -> Iterator[tuple[str, str]]:
    if isinstance(node, ConditionSelector):
        changed = f"{_OTHER[str(node.args[0]).lower()]} of {node.args[1]}"
        yield f"{changed} instead of {_text(node)}", changed


def _joined(node: ConditionItem) -> Iterator[tuple[str, str]]:
    word, other = ("and", "or") if isinstance(node, ConditionAND) else ("or", "and")
    parts = [_bracketed(part) for part in node.args]
    yield f"{f' {other} '.join(parts)} instead of {f' {word} '.join(parts)}", f" {other} ".join(parts)
    for index, part in enumerate(node.args):
        rest = [*parts[:index], *parts[index + 1 :]]
        yield f"without {_text(part)}", f" {word} ".join(rest)
        for name, changed in _nodes(part):
            yield name, f" {word} ".join([*parts[:index], f"({changed})", *parts[index + 1 :]])


def _bracketed(node: Any) -> str:
    return f"({_text(node)})" if isinstance(node, ConditionItem) and len(node.args) > 1 and not isinstance(node, ConditionSelector) else _text(node)


def _text(node: Any) -> str:
    if isinstance(node, ConditionIdentifier):
        return node.identifier
    if isinstance(node, ConditionSelector):
        return f"{node.args[0]} of {node.args[1]}"
    if isinstance(node, ConditionNOT):
        return f"not {_bracketed(node.args[0])}"
    return f" {'and' if isinstance(node, ConditionAND) else 'or'} ".join(_bracketed(part) for part in node.args)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)
