"""Levels, scores and techniques: a number that somebody acts on has to be meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from detectors.checking import Place, Subject, at, listed
from detectors.rulebook.rule import LEVELS
from detectors.rulebook.techniques import techniques_of
from detectors.trial import trial
from records.effects import EFFECTS, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator

# What decides over a plant long after the packet: never a matter for the bottom of a list.
LASTING: Final = frozenset({
    "cpu.stop", "program.download", "program.delete", "program.modify", "firmware.mode", "firmware.write", "credential.change", "restriction.listen_only",
})  # fmt: skip
LOOKING: Final = frozenset({"read", "report", "identify", "session"})
MOST: Final = 40.0  # points: more than this is another level, and belongs into a rule of its own
NAMESPACES: Final = ("attack", "car", "cve", "d3fend", "detection", "stp", "tlp")  # Sigma, appendix on tags


def level_low(subject: Subject) -> Iterator[Place]:
    """A low level for what lasts."""
    effects = sorted({str(row.get("ot.effect")) for row in subject.acting} & LASTING)
    if effects and LEVELS[subject.rule.level] <= LEVELS["low"] and "event.outcome" not in subject.rule.fields:
        yield at("level", name=subject.rule.level, effect=", ".join(effects))


def level_high(subject: Subject) -> Iterator[Place]:
    """A high level for looking, whoever looks and however little: such alerts bury the others."""
    access = {EFFECTS[NUMBER[effect]].access for row in subject.acting if (effect := row.get("ot.effect")) in NUMBER}
    plain = subject.rule.correlation is None and subject.rule.fields <= {"ot.effect", "ot.access"}
    if plain and access <= LOOKING and LEVELS[subject.rule.level] >= LEVELS["high"]:
        yield at("level", name=subject.rule.level)


def tag_repeats(subject: Subject) -> Iterator[Place]:
    """A technique that every finding has by its effect already."""
    own = [{name for row in case.rows for name in techniques_of(row.get("ot.effect"))} for case in subject.firing]
    shared = set[str].intersection(*own) if own else set[str]()
    for index, tag in enumerate(listed(subject.data.get("tags", []))):
        if str(tag).removeprefix("attack.").upper() in shared:
            yield at("tags", index, name=tag)


def tag_form(subject: Subject) -> Iterator[Place]:
    """A tag of no namespace that Sigma knows."""
    for index, tag in enumerate(listed(subject.data.get("tags", []))):
        if not re.fullmatch(rf"(?:{'|'.join(NAMESPACES)})\.[a-z0-9._-]+", str(tag).casefold()):
            yield at("tags", index, name=tag, nearest=", ".join(NAMESPACES))


def score_size(subject: Subject) -> Iterator[Place]:
    """A change of the score by nothing, or by more than a level."""
    for path, _, _, value in subject.adjustments:
        if value == 0 or abs(value) > MOST:
            yield at(*path, "value", value=f"{value:g}", most=f"{MOST:g}")


def score_untried(subject: Subject) -> Iterator[Place]:
    """A change of the score that none of the firing cases brings about, or that all of them do."""
    frame = trial(subject.firing, subject.rule.table)
    starts = np.cumsum([0, *(len(case.rows) for case in subject.firing[:-1])])
    for path, match, _, _ in subject.adjustments:
        hit = np.logical_or.reduceat(match(frame)[:-1], starts)
        if not hit.any() or np.all(hit):
            yield at(*path, "when")
