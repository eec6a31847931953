"""The rulebook as a detector: Sigma rules, each row judged by itself, and correlations, which remember what may still count. Nothing is learned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from detectors.gathering import plain
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import Rulebook, load, own_rules
from detectors.rulebook.watch import Watch
from detectors.scoring import Scorer
from detectors.telling import KEPT, Teller, Words, row_words
from records.schema import ACTIVITY, POINT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.rulebook.rule import Rule
    from records.model import Batch, Finding

_STATE: Final = 1  # of the form of a saved state


def build(setup: Setup) -> Rules:
    """The detector with Balefire's own rules and those of the setup."""
    return Rules(load((own_rules(), *setup.rules)), setup.files)


class Rules:
    """Judges with a rulebook. What is wrong with rules stands in `book.problems`; those rules are not among `book.rules`."""

    name = "rules"

    def __init__(self, book: Rulebook, files: Mapping[str, str]) -> None:
        self.book = book
        self._teller = Teller(self.name, files)
        self._watches = {rule.id: Watch(rule.correlation, _columns(rule)) for rule in book.rules if rule.correlation is not None}

    def learn(self, batch: Batch) -> None:
        """Rules do not learn."""

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of activities, then of points, in the order of rows, then of rule ids."""
        return [finding for table, rows in ((ACTIVITY, batch.activities), (POINT, batch.points)) for finding in self._judged(Frame(rows, table))]

    def state(self) -> bytes:
        """What correlations remember; empty where they remember nothing."""
        kept = {name: watch.state() for name, watch in self._watches.items() if not watch.empty}
        return json.dumps({"rules": _STATE, "watches": kept}).encode() if kept else b""

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off; what it says of a correlation that has changed since is forgotten. Raises ValueError for what is no state."""
        said: Any = json.loads(state) if state else {"rules": _STATE, "watches": {}}
        if not isinstance(said, dict) or cast("dict[str, Any]", said).get("rules") != _STATE:
            raise ValueError("not the state of the rulebook")
        kept = cast("dict[str, Any]", said)["watches"]
        for name, watch in self._watches.items():
            watch.restore(kept.get(name))

    def _judged(self, frame: Frame) -> list[Finding]:
        if not frame.height:
            return []
        rules = [rule for rule in self.book.rules if rule.table is frame.schema and not rule.silent]
        spoken: dict[int, Words] = {}  # a row is put into words once, whatever it fires
        found = [(row, place, finding) for place, rule in enumerate(rules) for row, finding in self._found(rule, frame, spoken)]
        return [finding for _, _, finding in sorted(found, key=lambda one: one[:2])]

    def _found(self, rule: Rule, frame: Frame, spoken: dict[int, Words]) -> Iterator[tuple[int, Finding]]:
        return self._gathered(rule, frame) if rule.correlation is not None else self._matched(rule, frame, spoken)

    def _matched(self, rule: Rule, frame: Frame, spoken: dict[int, Words]) -> Iterator[tuple[int, Finding]]:
        mask = rule.match(frame)
        if mask is frame.nothing():
            return
        rows = np.flatnonzero(mask)
        scorer = Scorer(rule, frame)
        wanted = [name for name in frame.table.column_names if name in KEPT or name in rule.key]
        for number, row in zip(rows.tolist(), plain(frame.table.select(wanted).take(rows)), strict=True):
            if number not in spoken:
                spoken[number] = row_words(row, frame.schema)
            yield number, self._teller.single(rule, row, spoken[number], scorer.terms(number))

    def _gathered(self, rule: Rule, frame: Frame) -> Iterator[tuple[int, Finding]]:
        watch = self._watches[rule.id]
        for firing in watch.judge(frame):
            (completing,) = plain(frame.table.take([firing.row]))
            terms = Scorer(rule, Frame(firing.rows, frame.schema)).together()
            yield firing.row, self._teller.together(rule, watch.correlation, firing, completing, terms)


def _columns(rule: Rule) -> frozenset[str]:
    """What a finding of this correlation needs of its rows."""
    return KEPT | {field for part in rule.adjustments for field in part.fields}
