"""The terms of a rule's score: the level of the rule, what became of the request, and what the rule itself adds or takes away."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from sigma.types import SigmaString

from detectors.rulebook.match import field_named, leaf
from detectors.rulebook.predicates import Not, every
from detectors.rulebook.problems import text
from detectors.rulebook.rule import LEVELS, Adjustment
from records.model import Term
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from detectors.rulebook.frame import Frame, Mask
    from detectors.rulebook.rule import Rule

# A request that took effect matters more than one that was refused; silence is in between, because it may be a loss of the capture.
OUTCOMES: Final = (("success", 8.0), ("failure", -15.0), ("unknown", -5.0))
# A rule that asks for the outcome or the error has it in its level already.
COUNTED: Final = frozenset({"event.outcome", "ot.error"})


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


class Scorer:
    """The terms of one rule for the rows of one frame."""

    def __init__(self, rule: Rule, frame: Frame) -> None:
        self.base = Term(**_named(rule.level), value=LEVELS[rule.level])
        # Many rows have many outcomes, and a point has none.
        one = rule.correlation is None and rule.table is ACTIVITY
        adjustments = (*(_outcomes() if one and not COUNTED & rule.fields else ()), *rule.adjustments)
        self.parts: list[tuple[Mask, Term]] = [(part.match(frame), Term(part.name.en, part.name.zh, part.value)) for part in adjustments]

    def terms(self, row: int) -> tuple[Term, ...]:
        """The named terms of a row; their values add up to its score."""
        return (self.base, *(term for mask, term in self.parts if mask[row]))

    def together(self) -> tuple[Term, ...]:
        """The named terms of all of its rows as one finding: those of any row."""
        return (self.base, *(term for mask, term in self.parts if mask.any()))


def _named(level: str) -> dict[str, str]:
    name = text(f"detectors.term.level.{level}")
    return {"en": name.en, "zh": name.zh}
