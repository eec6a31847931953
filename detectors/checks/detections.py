"""Detections: what fires on nothing, on everything, or on what another rule fires on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from detectors.checking import Place, Subject, at
from detectors.rulebook.cases import activity_table, case_activity
from detectors.rulebook.frame import Frame
from detectors.trial import trial
from records.effects import EFFECTS, NUMBER
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

OUTCOMES: Final = ("success", "failure", "unknown")

# The sensor knows neither: zones belong to policies, levels to inventories.
NEVER: Final = frozenset({
    "source.asset.zone", "destination.asset.zone", "source.asset.level", "destination.asset.level",
})  # fmt: skip


def detection_always(subject: Subject) -> Iterator[Place]:
    """A named detection that every case has: leaving it out would change nothing."""
    for name in _tried(subject, every=True):
        yield at("detection", name, name=name)


def detection_never(subject: Subject) -> Iterator[Place]:
    """A named detection that no case has: nothing shows that it can match."""
    for name in _tried(subject, every=False):
        yield at("detection", name, name=name)


def field_never(subject: Subject) -> Iterator[Place]:
    """A field that the sensor leaves empty."""
    for item in subject.items:
        if item.field in NEVER:
            yield at(*item.path, name=item.field)


def field_grouped(subject: Subject) -> Iterator[Place]:
    """The port of who asked, or a value, where all that fires is grouped: a row of a minute has neither."""
    known = [str(case.activity.get("ot.effect")) for case in subject.firing]
    if any(EFFECTS[NUMBER[effect]].own for effect in known if effect in NUMBER):
        return
    for item in subject.items:
        if item.field == "source.port":
            yield at(*item.path, name=item.field, effect=", ".join(sorted(set(known))))


def outcome_report(subject: Subject) -> Iterator[Place]:
    """The outcome of what nobody asked for."""
    access = {case.activity.get("ot.access") for case in subject.firing}
    for item in subject.items:
        if item.field == "event.outcome" and access == {"report"} and {"success", "failure"} & set(item.values):
            yield at(*item.path)


def rule_repeated(subject: Subject) -> Iterator[Place]:
    """A rule that judges the cases of another one as that one does, and the other way round."""
    for other in subject.others.values():
        if other.id == subject.rule.id or other.fields != subject.rule.fields or other.table is not subject.rule.table:
            continue
        tried = trial((*subject.rule.cases, *other.cases), other.table)
        frames = (tried, Frame(_everything())) if other.table is ACTIVITY else (tried,)
        if all((subject.rule.match(frame) == other.match(frame)).all() for frame in frames):
            yield at("detection", name=other.id)


def _tried(subject: Subject, *, every: bool) -> Iterator[str]:
    frame = trial(subject.rule.cases, subject.rule.table)
    for name in subject.detections:
        match = subject.named(name)
        if match is not None and bool(match(frame).all() if every else not match(frame).any()):
            yield name


@cache
def _everything() -> pa.Table:
    """Every effect with every outcome."""
    return activity_table([case_activity({"ot.effect": effect.name, "event.outcome": outcome}) for effect in EFFECTS for outcome in OUTCOMES])
