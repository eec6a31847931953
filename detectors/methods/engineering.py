"""An engineering session told as one: connect, look around, upload, stop, download, start. Rules tell the single step; this tells what it was part of.

A session is what one host does to one device without a pause of half an hour. It is told when a step that changes the device has come after others, and again
when further kinds of steps have come, with all steps in their order: findings of one session have one key, so that one alert holds the story.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, hosts, keep, witness, witnesses
from records.formats import MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

STEPS: Final = {  # effect → kind of step
    "session.open": "connect", "session.reserve": "connect", "credential.use": "login", "identity.read": "look", "mode.read": "look", "tags.browse": "look",
    "directory.read": "look", "program.upload": "upload", "cpu.stop": "stop", "mode.change": "mode", "program.download": "download",
    "program.delete": "delete", "program.modify": "modify", "program.activate": "activate", "memory.copy": "store", "firmware.mode": "firmware",
    "firmware.write": "firmware", "cpu.start": "start", "cpu.reset": "restart", "configuration.write": "configure", "credential.change": "password",
}  # fmt: skip
CHANGES: Final = {"download": 25.0, "delete": 25.0, "modify": 25.0, "firmware": 30.0, "store": 15.0, "password": 15.0}  # what a step adds
HALTS: Final = {"stop": 10.0, "mode": 5.0, "restart": 10.0}
SHOWN: Final = {"upload": 5.0}
LEAST: Final = 3  # kinds of steps that make a story; one of them changes the device
PAUSE: Final = 30 * MINUTE  # ends a session
BASE: Final = 20.0
REFUSED: Final = -15.0
MOST: Final = 1024  # sessions that are remembered, those heard of last
MOST_TOLD: Final = 4  # findings of one session
TECHNIQUES: Final = {
    "upload": "T0845", "stop": "T0858", "mode": "T0858", "download": "T0843", "delete": "T0809", "modify": "T0889", "firmware": "T0857", "password": "T0892",
    "restart": "T0816", "store": "T0889",
}  # fmt: skip


def build(setup: Setup) -> Engineering:
    """The detector, which names captures as the setup does."""
    return Engineering(setup.files)


@dataclass(slots=True)
class Session:
    """Kinds of steps in the order in which they first came, those that the device carried out, rows of them, when the last came, and how many were told."""

    steps: list[str] = field(default_factory=list[str])
    done: list[str] = field(default_factory=list[str])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    last: int = 0
    told: int = 0
    findings: int = 0


class Engineering(Remembering[Session]):
    """Judges what hosts do to controllers as engineers do, one host and device for itself."""

    name = "engineering"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of sessions, in the order of the rows that complete them."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        steps = among(rows, "ot.effect", STEPS)
        return [finding for row in plain(rows.filter(steps).select(list(COLUMNS))) for finding in self._row(row)] if compute.any(steps).as_py() else []

    def _revived(self, told: Any) -> Session:
        return Session(**(told | {"witnesses": witnesses(told["witnesses"])}))

    def _row(self, row: Row) -> Iterator[Finding]:
        key, step = hosts(row), STEPS[row["ot.effect"]]
        if key in self._known and row["event.start"] - self._known[key].last > PAUSE:
            del self._known[key]
        session = self._latest(key, Session, MOST)
        session.last = max(session.last, row["event.end"])
        fresh = step not in session.steps
        if fresh:
            session.steps.append(step)
            keep(session.witnesses, witness(row))
        if row["event.outcome"] == "success" and step not in session.done:
            session.done.append(step)
        changing = [each for each in session.steps if each in CHANGES]
        if not fresh or not changing or len(session.steps) < LEAST or len(session.steps) == session.told or session.findings >= MOST_TOLD:
            return
        session.told, session.findings = len(session.steps), session.findings + 1
        yield self._finding(row, session)

    def _finding(self, row: Row, session: Session) -> Finding:
        worth = {step: value for step, value in (CHANGES | HALTS | SHOWN).items() if step in session.steps}
        refused = not any(step in session.done for step in session.steps if step in CHANGES)
        terms = {"session": BASE, **worth, **({"refused": REFUSED} if refused else {})}
        techniques = tuple(dict.fromkeys(TECHNIQUES[step] for step in session.steps if step in TECHNIQUES))

        def values(language: str) -> dict[str, object]:
            words = [say(f"engineering.step.{step}", language) for step in session.steps]
            return {"steps": say("engineering.then", language).join(words), "count": len(session.steps)}

        notice = Notice("engineering-session", row, session.witnesses, terms, techniques, ("permit", "compare", "running"), values)
        return found(self.name, self._files, notice, _say)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"engineering.{key}", language, **words)
