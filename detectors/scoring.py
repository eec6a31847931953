"""The terms of a rule's score: the level of the rule, the effect where the level does not have it already, what became of the request, how far the rule
is proven, and what the rule itself adds or takes away. What the device matters to the plant comes on top (`detectors.criticality`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from sigma.types import SigmaString

from detectors.rulebook.match import field_named, leaf
from detectors.rulebook.predicates import Not, every
from detectors.rulebook.problems import text
from detectors.rulebook.rule import LEVELS, Adjustment
from records.model import Term
from records.schema import ACTIVITY

if TYPE_CHECKING:
    import numpy.typing as npt

    from detectors.rulebook.frame import Frame, Mask
    from detectors.rulebook.rule import Rule

# A request that took effect matters more than one that was refused; silence is in between, because it may be a loss of the capture.
OUTCOMES: Final = (("success", 8.0), ("failure", -15.0), ("unknown", -5.0))
# A rule that asks for the outcome or the error has it in its level already.
COUNTED: Final = frozenset({"event.outcome", "ot.error"})
# What acts on the plant matters more than what looks.
EFFECTS: Final = (("program", 10.0), ("command", 8.0), ("write", 5.0), ("configure", 5.0), ("file", 3.0), ("time", 3.0))
# A rule that asks what is done has it in its level already.
DONE: Final = frozenset({"ot.effect", "ot.access", "event.action", "ot.code"})
# How far its authors trust a rule, by its status; what is new is the measure of the others.
CONFIDENCE: Final = {"stable": 5.0, "test": 2.0, "experimental": 0.0, "deprecated": -10.0, "unsupported": -10.0}


@cache
def _outcomes() -> tuple[Adjustment, ...]:
    reported = leaf(field_named("ot.access"), SigmaString("report"))
    field = field_named("event.outcome")
    parts: list[Adjustment] = []
    for name, value in OUTCOMES:
        # Nobody answers a report, so that its outcome says nothing.
        asked = every((leaf(field, SigmaString(name)), Not(reported)))
        parts.append(Adjustment(text(f"detectors.term.outcome.{name}"), value, asked))
    return tuple(parts)


@cache
def _effects() -> tuple[Adjustment, ...]:
    field = field_named("ot.access")
    return tuple(Adjustment(text(f"detectors.term.effect.{name}"), value, leaf(field, SigmaString(name))) for name, value in EFFECTS)


class Scorer:
    """The terms of one rule for the rows of one frame."""

    def __init__(self, rule: Rule, frame: Frame) -> None:
        self.height = frame.height
        self.base = Term(**_text(f"level.{rule.level}"), value=LEVELS[rule.level])
        confidence = CONFIDENCE[rule.status]
        self.fixed = (self.base, Term(**_text(f"confidence.{rule.status}"), value=confidence)) if confidence else (self.base,)
        # Many rows have many effects and outcomes, and a point has none.
        one = rule.correlation is None and rule.table is ACTIVITY
        own = (*(() if DONE & rule.fields else _effects()), *(() if COUNTED & rule.fields else _outcomes())) if one else ()
        adjustments = (*own, *rule.adjustments)
        self.parts: list[tuple[Mask, Term]] = [(part.match(frame), Term(part.name.en, part.name.zh, part.value)) for part in adjustments]

    def terms(self, row: int) -> tuple[Term, ...]:
        """The named terms of a row; their values add up to its score."""
        return (*self.fixed, *(term for mask, term in self.parts if mask[row]))

    def severities(self) -> npt.NDArray[np.float64]:
        """The score of each row, clamped and rounded as a finding's is, before what its device matters."""
        scores = np.full(self.height, sum(term.value for term in self.fixed))
        for mask, term in self.parts:
            scores[mask] += term.value
        return np.rint(np.clip(scores, 0, 100))

    def together(self) -> tuple[Term, ...]:
        """The named terms of all of its rows as one finding: those of any row."""
        return (*self.fixed, *(term for mask, term in self.parts if mask.any()))


def weights(rule: Rule) -> object:
    """What the score of a rule's findings follows from, beside their rows: of equal ones the scores are the same."""
    own = (bool(DONE & rule.fields), bool(COUNTED & rule.fields)) if rule.correlation is None else None
    return rule.level, rule.status, own, [(part.value, part.match) for part in rule.adjustments]


def _text(key: str) -> dict[str, str]:
    name = text(f"detectors.term.{key}")
    return {"en": name.en, "zh": name.zh}
