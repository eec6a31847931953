"""Filters: what they drop is what a rule would have told, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.checking import Place, Subject, at
from detectors.trial import trial

if TYPE_CHECKING:
    from collections.abc import Iterator


def filter_silences(subject: Subject) -> Iterator[Place]:
    """A filter that drops everything on which a rule fires in its own tests: the rule is off, and nobody sees that it is."""
    for rule in subject.narrowed or ():
        frame = trial(rule.cases, rule.table)
        if not (rule.match(frame) & subject.rule.match(frame)).any():
            yield at("filter", name=rule.id)


def drop_untold(subject: Subject) -> Iterator[Place]:
    """A case that is dropped, and of which none of the rules would have told: it does not show that the filter is for anything."""
    if not subject.narrowed:
        return
    for case in subject.rule.cases:
        if not case.fires and not any(rule.match(trial((case,), rule.table))[0] for rule in subject.narrowed):
            kind, number = case.name.split()
            yield at("tests", kind, int(number) - 1, name=case.name, rules=", ".join(rule.id for rule in subject.narrowed[:3]))
