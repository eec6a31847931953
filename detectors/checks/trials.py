"""The tests inside a rule, and the mutants that it lets live: a case that cannot fail teaches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from detectors.checking import Place, Subject, at, listed
from detectors.mutation import survivors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.rulebook.cases import Case

_FOLLOWS: Final = {
    "ot.access": "ot.effect",
    "ot.grouped": "ot.effect",
    "event.action": "ot.effect",
    "ot.error": "event.outcome",
}  # what follows from another field


def case_repeated(subject: Subject) -> Iterator[Place]:
    """A case that another one implies: they are the same in everything that the rule asks for."""
    seen: dict[tuple[object, ...], str] = {}
    for case in subject.rule.cases:
        facts = (case.fires, *(str(row.get(name)) for row in case.rows for name in sorted(subject.told)))
        if facts in seen:
            yield at(*_path(case), name=case.name, other=seen[facts])
        seen.setdefault(facts, case.name)


def quiet_far(subject: Subject) -> Iterator[Place]:
    """A quiet case that differs from every firing one in several things: which of them keeps the rule quiet?"""
    if subject.rule.correlation or subject.narrowed is not None:  # its cases differ in rows, or in what is dropped; mutants tell which of these matter
        return
    for case in subject.rule.cases:
        if not case.fires and _stated(subject, case) and min(_distance(subject, case, other) for other in subject.firing) > 1:
            yield at(*_path(case), name=case.name)


def quiet_near_missing(subject: Subject) -> Iterator[Place]:
    """A rule of which no quiet case comes near."""
    if subject.narrowed is None and all(not _stated(subject, case) for case in subject.rule.cases if not case.fires):
        yield at("tests", "quiet")


def survivor_form(subject: Subject) -> Iterator[Place]:
    """An explained mutant without mutant or explanation."""
    for index, part in enumerate(listed(subject.data.get("survives", []))):
        entry = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        if set(entry) != {"mutant", "en", "zh"} or not all(isinstance(value, str) and value.strip() for value in entry.values()):
            yield at("survives", index)


def survivor_stale(subject: Subject) -> Iterator[Place]:
    """An explanation of a mutant that does not survive, or that there is not."""
    alive = (
        {mutant.name for mutant in survivors(subject.rule, subject.document, tuple(subject.others.values()), subject.placeholders)[1]}
        if "survives" in subject.data
        else set[str]()
    )
    for index, part in enumerate(listed(subject.data.get("survives", []))):
        name = cast("dict[str, Any]", part).get("mutant") if isinstance(part, dict) else None
        if name is not None and name not in alive:
            yield at("survives", index, name=name)


def _path(case: Case) -> tuple[str | int, ...]:
    kind, number = case.name.split()
    return ("tests", kind, int(number) - 1)


def _stated(subject: Subject, case: Case) -> bool:
    """Whether the case states anything: one that does not is ordinary polling."""
    kind, number = case.name.split()
    return any(listed(subject.data["tests"][kind][int(number) - 1]))


def _distance(subject: Subject, one: Case, other: Case) -> int:
    """In how many things that the rule asks for two cases differ."""
    differ = {name for name in subject.told if one.activity.get(name) != other.activity.get(name)}
    return len({_FOLLOWS.get(name, name) for name in differ})
