"""What nobody did in the time that was learned: another host, another pair, protocol, effect or object; graver, the more it changes the plant.

Without a baseline it says nothing. What it judges teaches it nothing: what is new stays new, and is told again after a day, or after an hour where a
stranger acts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from detectors.baseline.habits import CHANGING, COLUMNS, Baseline, Habit, Key, key_of
from detectors.baseline.numbering import numbered
from detectors.gathering import plain
from detectors.noticing import COLUMNS as TOLD
from detectors.noticing import Notice, found, host, witness
from detectors.phrases import deed
from records.formats import DAY, HOUR
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

FORM: Final = 1  # of a saved state
MOST: Final = 16_384  # things that were told, the last ones
MOST_NORMAL: Final = 65_536  # rows that were looked up and found normal
NEW: Final = {"host": 25.0, "pair": 15.0, "protocol": 10.0, "effect": 10.0, "object": 2.0}
DONE: Final = {
    "program": 45.0, "command": 40.0, "configure": 40.0, "write": 35.0, "file": 35.0, "time": 30.0, "diagnose": 10.0, "identify": 10.0, "session": 5.0,
    "read": 5.0,
}  # fmt: skip
FIRST_ACT: Final = 8.0  # who never changed anything there before
REFUSED: Final = -10.0
STRANGE: Final = ("host", "pair")  # who acts and has no business there is told again after an hour
RESPOND: Final = {True: ("who", "plan", "stop"), False: ("who", "plan")}


def build(setup: Setup) -> Novelty:
    """The detector, which names captures as the setup does."""
    return Novelty(setup.files)


class Novelty:
    """Judges activities by what was learned."""

    name = "novelty"
    forgotten = 0  # what was told longest ago is told again

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.baseline = Baseline()
        self._told: dict[str, int] = {}
        self._normal: set[tuple[Any, ...]] = set()

    def learn(self, batch: Batch) -> None:
        """What these activities did is normal."""
        if batch.activities.num_rows:
            self.baseline.learn(batch.activities)
            self._normal = set()

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of activities, in their order."""
        rows: Any = batch.activities
        if not rows.num_rows or not self.baseline.habits:
            return []
        places = self._new(rows)
        few = rows.select([*TOLD, "ot.access"]).take(pa.array(places, pa.int64())) if len(places) else None
        return [] if few is None else [finding for row in plain(few) for finding in self._row(row)]

    def state(self) -> bytes:
        """What was learned, and what was told; empty where nothing was learned."""
        if not self.baseline.habits:
            return b""
        habits = [[*key, habit.access, habit.spans, habit.names] for key, habit in self.baseline.habits.items()]
        return json.dumps({"novelty": FORM, "habits": habits, "shed": self.baseline.shed, "told": self._told}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        said: Any = json.loads(state) if state else {"novelty": FORM, "habits": [], "shed": 0, "told": {}}
        try:
            if said["novelty"] != FORM:
                raise ValueError("not the state of novelty")
            habits = {Key(*each[:6]): Habit(*each[6:9]) for each in cast("list[list[Any]]", said["habits"])}
            self.baseline = Baseline(habits, int(said["shed"]))
            self._told, self._normal = dict(said["told"]), set()
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError("not the state of novelty") from error

    def _new(self, rows: pa.Table) -> Any:
        """Numbers of the rows that hold something new. Most rows are like many others: one of each kind is looked up, once."""
        numbers, kinds = numbered(rows, COLUMNS)
        new = np.zeros(len(kinds), bool)
        for number, known in enumerate(kinds):
            if known in self._normal:
                continue
            if self.baseline.news(dict(zip(COLUMNS, known, strict=True))) is None:
                if len(self._normal) >= MOST_NORMAL:
                    self._normal.clear()
                self._normal.add(known)
            else:
                new[number] = True
        return np.flatnonzero(new[numbers])

    def _row(self, row: Row) -> Iterator[Finding]:
        key, news = key_of(row), self.baseline.news(row)
        if key is None or news is None:
            return
        about = (key.protocol, key.effect, *((key.unit, key.space) if news == "object" else ()))
        told = json.dumps([news, row["observer.name"], key.source, key.destination, *about])
        acts = row["ot.access"] in CHANGING
        again = HOUR if acts and news in STRANGE else DAY
        if row["event.start"] - self._told.get(told, -again) < again:
            return
        self._told.pop(told, None)
        self._told[told] = row["event.start"]
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        terms = {news: NEW[news], **({row["ot.access"]: DONE[row["ot.access"]]} if row["ot.access"] in DONE else {})}
        terms |= {"first_act": FIRST_ACT} if acts and not self.baseline.acts(key.source, key.destination) else {}
        terms |= {"refused": REFUSED} if row["event.outcome"] == "failure" else {}
        looks = ("T0801",) if row["ot.access"] in ("read", "report") else ("T0846",)
        techniques = looks if not acts else ("T0848", "T0855") if news in STRANGE else ("T0855",)

        def values(language: str) -> dict[str, object]:
            return {"deed": deed(key.effect, language), "protocol": key.protocol, "address": host(row, "source")}

        notice = Notice(f"new-{news}", row, [witness(row)], terms, techniques, RESPOND[acts], values, about)
        yield found(self.name, self._files, notice, _say_told if row["ot.access"] == "report" else _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    """The detector's texts; a term is called the same, whatever is new."""
    rule, _, rest = key.partition(".term.")
    return say(f"novelty.term.{rest}" if rest else f"novelty.{rule}", language, **words)


def _say_told(key: str, language: str, words: Mapping[str, object]) -> str:
    """The same of what was told unasked."""
    rule, _, part = key.partition(".")
    return _say(f"{rule}.told_{part}" if part in ("title", "reason") else key, language, words)
