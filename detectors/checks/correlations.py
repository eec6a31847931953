"""Correlations: what is counted, by whom, and how many of it are enough."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.checking import Place, Subject, at, listed, within
from detectors.rulebook.correlation import COUNTING, TEMPORAL
from detectors.rulebook.rule import filtered
from detectors.trial import trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.rulebook.correlation import Correlation, Part

COMPARED: Final = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq, "neq": operator.ne}


def alias_unused(subject: Subject) -> Iterator[Place]:
    """An alias that the correlation does not group by."""
    said = cast("dict[str, Any]", subject.data.get("correlation", {}))
    for name in cast("dict[str, Any]", said.get("aliases") or {}):
        if name not in listed(said.get("group-by")):
            yield at("correlation", "aliases", name, name=name)


def group_absent(subject: Subject) -> Iterator[Place]:
    """A field to group by that the rows of a part never have: all of them are one group."""
    correlation = subject.rule.correlation
    for index in range(len(correlation.group) if correlation else 0):
        for part in correlation.parts if correlation else ():
            field = part.group[index].name
            if _absent(subject, part, field):
                yield at("correlation", "group-by", index, name=field, rule=part.name)
                break


def group_missing(subject: Subject) -> Iterator[Place]:
    """A correlation that groups by nothing."""
    if subject.rule.correlation and not subject.rule.correlation.group:
        yield at("correlation")


def threshold_one(subject: Subject) -> Iterator[Place]:
    """A condition that one row fulfils: that is a rule on single rows, told late."""
    if subject.rule.correlation and _one_is_enough(subject.rule.correlation):
        yield at("correlation", "condition")


def correlation_starved(subject: Subject) -> Iterator[Place]:
    """A rule in the place of another, of which a correlation that looks at it has too little left to fire in its own tests."""
    names = {subject.rule.id, subject.rule.called} - {""} if subject.narrowed is None else set[str]()
    for other in subject.others.values():
        if not any(part.name in names for one in within(other.correlation) for part in one.parts):
            continue
        match = filtered(other).match
        if not any(match(trial((case,), other.table))[:-1].any() for case in other.cases if case.fires):
            yield at("correlation" if subject.rule.correlation else "detection", name=other.id)


def _absent(subject: Subject, part: Part, field: str) -> bool:
    if part.match is None:
        return False
    rows = [row for case in subject.firing for row in case.rows]
    matched = part.match(trial(subject.firing, subject.rule.table))[:-1]
    values = [row.get(field) for row, match in zip(rows, matched, strict=True) if match]
    return bool(values) and all(value is None for value in values)


def _one_is_enough(correlation: Correlation) -> bool:
    if correlation.kind in TEMPORAL and correlation.wanted:
        return any(len(way.there) == 1 and not way.absent for way in correlation.wanted)
    counts = correlation.kind in COUNTING | TEMPORAL and any(name in {"gt", "gte", "eq"} for name, _ in correlation.bounds)
    return counts and all(COMPARED[name](1, value) for name, value in correlation.bounds)
