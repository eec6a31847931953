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
from detectors.telling import KEPT, Teller
from records.schema import ACTIVITY, POINT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.rulebook.rule import Rule
    from records.model import Batch, Finding

_STATE: Final = 1  # of the form of a saved state


def build(setup: Setup) -> Rules:
    """The detector with Balefire's own rules and those of the setup."""
    return Rules(setup.book or load((own_rules(), *setup.rules)), setup.files)


class Rules:
    """Judges with a rulebook. What is wrong with rules stands in `book.problems`; those rules are not among `book.rules`."""

    name = "rules"

    def __init__(self, book: Rulebook, files: Mapping[str, str]) -> None:
        self.book = book
        self._teller = Teller(self.name, files)
        self._watches = {rule.id: Watch(rule.correlation, _columns(rule)) for rule in book.rules if rule.correlation is not None}

    @property
    def forgotten(self) -> int:
        """Rows that correlations let go for want of room."""
        return sum(watch.shed for watch in self._watches.values())

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
        rules = [rule for rule in self.book.rules if rule.table is frame.schema and rule.fires]
        found = [*self._matched(rules, frame), *self._gathered(rules, frame)]
        return [finding for _, _, finding in sorted(found, key=lambda one: one[:2])]

    def _matched(self, rules: list[Rule], frame: Frame) -> Iterator[tuple[int, int, Finding]]:
        """The findings of rules on single rows, each with its row and the place of its rule."""
        masks = ((place, rule, rule.match(frame)) for place, rule in enumerate(rules) if rule.correlation is None)
        matches = [(place, rule, np.flatnonzero(mask)) for place, rule, mask in masks if mask is not frame.nothing()]
        if not matches:
            return
        # What is said of a row is worked out once, whatever it fires, and scores are asked of these rows alone.
        hit = np.unique(np.concatenate([numbers for _, _, numbers in matches]))
        few = Frame(frame.table.take(hit), frame.schema)
        keys = KEPT.union(*(rule.key for _, rule, _ in matches))
        rows = plain(few.table.select([name for name in few.table.column_names if name in keys]))
        said = [self._teller.told(row, frame.schema) for row in rows]
        for place, rule, numbers in matches:
            scorer = Scorer(rule, few)
            places = cast("list[int]", np.searchsorted(hit, numbers).tolist())
            for number, at in zip(numbers.tolist(), places, strict=True):
                yield number, place, self._teller.single(rule, rows[at], said[at], scorer.terms(at))

    def _gathered(self, rules: list[Rule], frame: Frame) -> Iterator[tuple[int, int, Finding]]:
        """The same of correlations; the row is the one that completes it."""
        for place, rule in enumerate(rules):
            if rule.correlation is None:
                continue
            watch = self._watches[rule.id]
            for firing in watch.judge(frame):
                (completing,) = plain(frame.table.take([firing.row]))
                terms = Scorer(rule, Frame(firing.rows, frame.schema)).together()
                yield firing.row, place, self._teller.together(rule, watch.correlation, firing, completing, terms)


def _columns(rule: Rule) -> frozenset[str]:
    """What a finding of this correlation needs of its rows."""
    return KEPT | {field for part in rule.adjustments for field in part.fields}
