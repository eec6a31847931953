"""No two of Balefire's own rules are one rule in two files: each has effects or techniques of its own, or asks in another way."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from detectors.checking import Subject, listed
from detectors.rulebook.document import read
from detectors.rulebook.load import load, own_rules

if TYPE_CHECKING:
    from detectors.rulebook.rule import Rule

Shape = tuple[object, ...]


def about(rule: Rule) -> list[frozenset[str]]:
    """What it warns of: effects of what fires it, its techniques, and what it asks to have come of it, where it asks (anomalies, outcomes)."""
    rows = [row for case in rule.cases if case.fires for row in case.rows]
    came = [frozenset(str(value) for row in rows for value in listed(row.get(name))) for name in ("ot.anomaly", "event.outcome") if name in rule.fields]
    return [frozenset(str(row.get("ot.effect")) for row in rows), frozenset(rule.techniques), *came]


def shape(subject: Subject) -> Shape:
    """How it asks, whatever the values and the numbers are: fields with modifiers, how they are joined, and what is counted by whom."""
    conditions = [re.sub(r"[\w*]+", lambda word: word[0] if word[0] in {"and", "or", "not", "of", "all", "1"} else "_", text) for text in asked(subject)]
    correlation = subject.rule.correlation
    counted = (correlation.kind, correlation.group, tuple(field.name for field in correlation.measured)) if correlation else ()
    return (frozenset((item.field, item.modifiers) for item in subject.items), tuple(conditions), counted)


def asked(subject: Subject) -> list[str]:
    """The conditions of its detections."""
    parts: list[Any] = [document.data.get("detection") for document in (subject.document, *subject.document.parts)]
    return [str(part["condition"]) for part in parts if part]


def subjects(*files: Path) -> list[Subject]:
    rules = load(files).rules
    return [Subject(rule, read(Path(rule.file).read_bytes()), {}) for rule in rules]


def alike(found: list[Subject]) -> list[tuple[str, str]]:
    """Pairs of rules that ask in the same way and warn of the same, be it in part."""
    pairs = [pair for pair in combinations(found, 2) if shape(pair[0]) == shape(pair[1])]
    return [(one.rule.id, other.rule.id) for one, other in pairs if all(map(share, about(one.rule), about(other.rule)))]


def share(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether they have something in common, or are nothing both."""
    return bool(one & other) or one == other


def test_each_rule_is_one_of_its_own() -> None:
    found = subjects(own_rules())
    assert len(found) >= 50
    assert alike(found) == []


def test_the_same_with_other_values_would_be_noticed(tmp_path: Path) -> None:
    original = own_rules() / "control" / "write-flood.yml"
    data = yaml.safe_load(original.read_text("utf-8"))
    data["detection"]["selection"]["ot.count|gte"] = 99
    data["id"] = "other-flood"
    (tmp_path / "other-flood.yml").write_text(yaml.safe_dump(data | {"tests": {"fires": data["tests"]["fires"], "quiet": [{}]}}, allow_unicode=True), "utf-8")
    assert alike(subjects(original, tmp_path / "other-flood.yml")) == [("other-flood", "write-flood")]
