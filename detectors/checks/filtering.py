"""Filters: what they drop is what a rule would have told, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.checking import Place, Subject, at, within
from detectors.rulebook.rule import filtered
from detectors.trial import trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.rulebook.cases import Case
    from detectors.rulebook.rule import Rule


def filter_silences(subject: Subject) -> Iterator[Place]:
    """A filter that drops everything on which a rule fires in its own tests: the rule is off, and nobody sees that it is."""
    for rule in subject.narrowed or ():
        match = filtered(rule, {subject.rule.id}).match
        if not any(match(trial((case,), rule.table))[:-1].any() for case in rule.cases if case.fires):
            yield at("filter", name=rule.id)


def drop_untold(subject: Subject) -> Iterator[Place]:
    """A case that is dropped, and of which none of the rules would have told: it does not show that the filter is for anything."""
    if not subject.narrowed:
        return
    for case in subject.rule.cases:
        if not case.fires and not any(_looks(rule, case) for rule in subject.narrowed):
            kind, number = case.name.split()
            yield at("tests", kind, int(number) - 1, name=case.name, rules=", ".join(rule.id for rule in subject.narrowed[:3]))


def _looks(rule: Rule, case: Case) -> bool:
    """Whether it would fire on the row of a filter's case, or count it where it correlates."""
    bare, frame = filtered(rule), trial((case,), rule.table)
    parts = [part.match for one in within(bare.correlation) for part in one.parts if part.match] or [bare.match]
    return any(bool(match(frame)[0]) for match in parts)
