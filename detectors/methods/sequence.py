"""The order of what is done, against what was learned: an output that is operated without being selected, a download without the stop before it.

Only where one thing always came after another is its absence told; the more often it did, the graver. Where it was learned of no conversation of this host
it is told from what others do to the device. Without a baseline it says nothing. What it judges teaches it nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.baseline.orders import BEGIN, SINGLE, Orders, Talk, step, talk_of
from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Witness, among, compute, found, witness
from detectors.phrases import deed
from records.formats import DAY
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

FORM: Final = 1  # of a saved state
MOST: Final = 4096  # conversations that are remembered, and things that were told, the last ones
MISSING: Final = 20.0
EACH: Final = 3.0  # for every time that it came in order, at most …
OFTEN: Final = 30.0
GRAVE: Final = {"program": 15.0, "command": 10.0, "configure": 5.0, "file": 5.0}
REFUSED: Final = -15.0
RULE: Final = "order-broken"
RESPOND: Final = ("ask", "compare", "state")


def build(setup: Setup) -> Sequence:
    """The detector, which names captures as the setup does."""
    return Sequence(setup.files)


class Sequence:
    """Judges what hosts do one by one, one conversation for itself."""

    name = "sequence"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.forgotten = 0
        self.orders = Orders()
        self._last: dict[str, tuple[str, int]] = {}
        self._rows: dict[str, Witness] = {}
        self._told: dict[str, int] = {}

    def learn(self, batch: Batch) -> None:
        """The order in which these activities came is normal."""
        if batch.activities.num_rows:
            self.orders.learn(batch.activities)

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of activities, in their order."""
        rows: Any = batch.activities
        if not rows.num_rows or not self.orders.known:
            return []
        single = among(rows, "ot.effect", SINGLE)
        return (
            [finding for row in plain(rows.filter(single).select([*COLUMNS, "ot.access"])) for finding in self._row(row)] if compute.any(single).as_py() else []
        )

    def state(self) -> bytes:
        """What was learned, and what came last; empty where nothing was learned."""
        if not self.orders.known:
            return b""
        known = [[*talk, before] for talk, before in self.orders.known.items()]
        return json.dumps({"sequence": FORM, "known": known, "shed": self.orders.shed, "last": self._last, "rows": self._rows, "told": self._told}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        said: Any = json.loads(state) if state else {"sequence": FORM, "known": [], "shed": 0, "last": {}, "rows": {}, "told": {}}
        try:
            if cast("Row", said)["sequence"] != FORM:
                raise ValueError("not the state of sequence")
            self.orders = Orders({Talk(*each[:3]): each[3] for each in said["known"]}, int(said["shed"]))
            self._last = {key: (effect, time) for key, (effect, time) in said["last"].items()}
            self._rows, self._told = {key: Witness(*row) for key, row in said["rows"].items()}, dict(said["told"])
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise ValueError("not the state of sequence") from error

    def _row(self, row: Row) -> Iterator[Finding]:
        talk = talk_of(row)
        if talk is None:
            return
        key, effect = json.dumps([row["observer.name"], *talk]), row["ot.effect"]
        before, last = step(self._last, key, row), self._rows.pop(key, None)
        self._rows[key] = witness(row)
        if len(self._last) > MOST:
            gone = next(iter(self._last))
            del self._last[gone], self._rows[gone]
            self.forgotten += 1
        needed = self.orders.needs(talk, effect, before)
        if needed is None:
            return
        told = json.dumps([key, effect])
        if row["event.start"] - self._told.get(told, -DAY) < DAY:
            return
        self._told.pop(told, None)
        self._told[told] = row["event.start"]
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        yield self._finding(row, before, needed, [*([last] if last and before != BEGIN else []), witness(row)])

    def _finding(self, row: Row, before: str, needed: tuple[str, int], seen: list[Witness]) -> Finding:
        access = row["ot.access"]
        terms = {"missing": MISSING, "often": min(OFTEN, EACH * needed[1])} | ({access: GRAVE[access]} if access in GRAVE else {})
        terms |= {"refused": REFUSED} if row["event.outcome"] == "failure" else {}

        def values(language: str) -> dict[str, object]:
            came = say("sequence.nothing", language) if before == BEGIN else deed(before, language)
            return {"deed": deed(row["ot.effect"], language), "needed": deed(needed[0], language), "count": needed[1], "before": came}

        techniques = ("T0843",) if access == "program" else ("T0855", "T0831")
        return found(self.name, self._files, Notice(RULE, row, seen, terms, techniques, RESPOND, values, (row["ot.effect"],)), _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"sequence.{key}", language, **words)
