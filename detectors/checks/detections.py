"""Detections: what fires on nothing, on everything, or on what another rule fires on."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from detectors.checking import Place, Subject, at
from detectors.noticing import TAG
from detectors.rulebook.cases import activity_table, case_activity
from detectors.rulebook.frame import Frame
from detectors.trial import trial
from records.effects import EFFECTS, NUMBER
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from detectors.rulebook.cases import Case
    from detectors.rulebook.document import Path
    from detectors.rulebook.frame import Mask
    from detectors.rulebook.rule import Rule

NAMED: Final = 3  # rules that fire alike and are named; where a mistake made very many, nobody reads all of their names
OUTCOMES: Final = ("success", "failure", "unknown")

# The sensor knows neither: zones belong to policies, levels to inventories.
LISTED: Final = frozenset({
    "source.asset.zone", "destination.asset.zone", "source.asset.level", "destination.asset.level", *TAG,
})  # fmt: skip


def detection_always(subject: Subject) -> Iterator[Place]:
    """A named detection that every case has: leaving it out would change nothing."""
    for path in _tried(subject, every=True):
        yield at(*path, name=path[-1])


def detection_never(subject: Subject) -> Iterator[Place]:
    """A named detection that no case has: nothing shows that it can match."""
    for path in _tried(subject, every=False):
        yield at(*path, name=path[-1])


def field_listed(subject: Subject) -> Iterator[Place]:
    """A field that is empty where the plant has imported no lists."""
    for item in subject.items:
        if item.field in LISTED:
            yield at(*item.path, name=item.field)


def field_grouped(subject: Subject) -> Iterator[Place]:
    """The port of who asked, or a value, where all that fires is grouped: a row of a minute has neither."""
    known = [str(row.get("ot.effect")) for row in subject.acting]
    if subject.narrowed is not None or any(EFFECTS[NUMBER[effect]].own for effect in known if effect in NUMBER):
        return
    for item in subject.items:
        if item.field == "source.port":
            yield at(*item.path, name=item.field, effect=", ".join(sorted(set(known))))


def outcome_report(subject: Subject) -> Iterator[Place]:
    """The outcome of what nobody asked for."""
    access = {row.get("ot.access") for row in subject.acting}
    for item in subject.items:
        if item.field == "event.outcome" and access == {"report"} and {"success", "failure"} & set(item.values):
            yield at(*item.path)


def rule_repeated(subject: Subject) -> Iterator[Place]:
    """A rule that judges the cases of others as they do, and the other way round."""
    rule = subject.rule
    others = [other for other in subject.others.values() if other.id != rule.id and _looks_alike(rule, other)] if subject.narrowed is None else []
    first = [(frame, rule.match(frame)) for frame in _frames(rule, rule.cases)] if others else []
    same = (other for other in others if _agree(other, first) and all((rule.match(frame) == other.match(frame)).all() for frame in _compared(rule, other)))
    if found := [other.id for other in islice(same, NAMED + 1)]:
        more = " …" if len(found) > NAMED else ""
        yield at("correlation" if rule.correlation else "detection", name=f"{', '.join(found[:NAMED])}{more}")


def _agree(other: Rule, tried: Sequence[tuple[Frame, Mask]]) -> bool:
    """Whether it judges these frames so: told before frames are made for two rules, of which there may be very many."""
    return all((other.match(frame) == fires).all() for frame, fires in tried)


def _looks_alike(one: Rule, other: Rule) -> bool:
    """Whether two rules ask for the same fields of the same table, and count alike where they correlate."""
    if one.fields != other.fields or one.table is not other.table:
        return False
    if one.correlation is None or other.correlation is None:
        return one.correlation is other.correlation
    return all(getattr(one.correlation, name) == getattr(other.correlation, name) for name in ("kind", "group", "span", "bounds", "measured"))


def _compared(one: Rule, other: Rule) -> Iterator[Frame]:
    """The rows on which two rules are compared: the cases of both, each by itself where they correlate, or else beside every effect."""
    yield from _frames(one, (*one.cases, *other.cases))
    if one.table is ACTIVITY and one.correlation is None:
        yield Frame(_everything())


def _frames(rule: Rule, cases: Sequence[Case]) -> list[Frame]:
    return [trial(cases, rule.table)] if rule.correlation is None else [trial((case,), rule.table) for case in cases]


def _tried(subject: Subject, *, every: bool) -> Iterator[Path]:
    frame = trial(subject.rule.cases, subject.rule.table)
    for path in subject.detections:
        match = subject.named(path)
        if match is not None and bool(match(frame).all() if every else not match(frame).any()):
            yield path


@cache
def _everything() -> pa.Table:
    """Every effect with every outcome."""
    return activity_table([case_activity({"ot.effect": effect.name, "event.outcome": outcome}) for effect in EFFECTS for outcome in OUTCOMES])
