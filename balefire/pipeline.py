"""The whole flow on one screen: captures → sensor → detectors → alerts → store."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from balefire.absence import Absence
from balefire.ahead import ahead, due_of
from balefire.breaking import marked
from balefire.keeping import Keeping
from balefire.naming import Names
from balefire.outbox import Outbox
from balefire.resuming import Resuming
from balefire.ruling import LOOK_S, Ruling
from balefire.tally import Tally, input_row
from balefire.telling import Telling
from balefire.times import both
from balefire.waiting import Waiting, earliest, pieces
from detectors import alerts, forgetting
from detectors.baseline import versions as baselines
from detectors.baseline.learned import DETECTORS as LEARNING
from detectors.baseline.learned import kept as learned
from detectors.discovery import Setup, detectors
from detectors.doubting import Doubting, settled
from detectors.judging import judged
from detectors.placing import placed, policies
from detectors.rulebook import versions
from detectors.rulebook.problems import text
from detectors.suppressing import known_activities
from detectors.suppressions import mark
from records.errors import BalefireError, InputError, StoreError
from records.lean import peak_kib
from records.model import SEVERITIES, Alert, Asset, Batch, Text, severity_word
from records.plant import KeptPlant
from records.schema import SCHEMA_VERSION
from records.store.columns import newest_in
from records.store.contract import Commit, again
from sensors.apart import Apart, pays
from sensors.context import with_context
from sensors.coverage import Totals
from sensors.sensor import Sensor
from sensors.sources.pcap import open_capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from balefire.plan import Plan
    from detectors.detector import Detector
    from records.store.contract import Store, Written
    from sensors.sources.again import Marks
    from sensors.sources.pcap import Capture

COMMIT_ROWS: Final = 50_000  # bounds memory: a commit is written when this many rows wait, and where a capture ends
COMMIT_FINDINGS: Final = 1_000  # or so many findings: each is kilobytes of words
JUDGED_ROWS: Final = 20_000  # activities at a time: as many as the engine lets go at once …
FLOODED_ROWS: Final = 1_000  # … and where nearly every one of them may be a finding
MOST_ALERTS: Final = 1_000  # that are told one by one


class Replay:
    """One replay. After `run`, beside the summary: `alerts` (the gravest, in their order), `assets` and `findings` that it touched, those of them that are
    `hidden`, `errors` of inputs, and `conflicts` of identities.
    """

    def __init__(self, plan: Plan, store: Store, progress: Callable[[str, int], None] | None = None) -> None:
        self.plan = plan
        self.store = store
        self.progress = progress
        self.note: Callable[[Text], None] = lambda _: None  # what is to be said while it runs
        self.telling = Telling()
        self.alerts: dict[str, Alert] = {}
        self.severities: Counter[str] = Counter()  # of all alerts that it touched
        self.assets: dict[str, Asset] = {}
        self.findings: set[str] = set()
        self.hidden: set[str] = set()
        self.errors: list[BalefireError] = []
        self.conflicts: list[str] = []
        self.repeated: list[tuple[str, str]] = []  # captures that hold what another did: its path, the other's path
        self.refused = 0  # rows that the store cannot hold
        self.outbox = Outbox(store, self._deliver, self._deliver_left)
        self.outbox.held = self.telling.held
        self.keeping = Keeping(store, plan.keep, self.outbox)
        self.taught = False  # whether any detector kept something of what was to be learned
        self.knows = False  # … or did once
        self.forgotten: dict[str, int] = {}  # by detector, what it let go for want of room
        self.disabled: dict[str, str] = {}  # rules that the site has disabled, and why
        self.tally = Tally()
        self._stopped = False
        self._rows = FLOODED_ROWS  # activities to judge next
        self._known: KeptPlant  # of the store, so only once that is there
        self.names = Names(plan.dissect)
        self._files: dict[str, str] = {}
        self._touched: set[str] = set()
        self._newest: int | None = None
        self._learned: dict[str, bytes | None] = {}
        self._judging: dict[str, list[Detector]] = {}
        self._resuming = Resuming(store, plan.observer if plan.resume else None, self._learned, lambda text: self.note(text))
        self._let_go = b""  # what the store keeps of `forgotten`
        self._absence = Absence(store, plan.observer if plan.resume else None, lambda text: self.note(text))
        self._apart_kib = 0  # the most memory that a process beside this one had
        self._baseline = ""  # the version of what was learned
        self._own: dict[str, int] = {}  # by key, as severe as if the store had been empty: what is counted is this run's alone

    def run(self) -> dict[str, Any]:
        """Replay every capture into the store. Raises StoreError; what is wrong with a capture stands in `errors`."""
        started = time.monotonic()
        self._known = self.outbox.asked(self._met)
        self._learn()
        ruling = Ruling(self.plan.rules, self.outbox.asked(self._remembered), lambda text: self.note(text))
        try:
            inputs = self._captures(ruling)
            self.outbox.finish()
            self.forgotten = forgetting.forgotten(self.store)  # not where it failed: a store that is away would hide why
        finally:
            self.disabled = ruling.version.disabled
            ruling.close()
            self.names.close()
            self.keeping.close()
        self._gather_alerts()
        return self._summary(inputs, time.monotonic() - started)

    def _met(self) -> KeptPlant:
        """The store takes what we write, and has what an earlier run left for it: what it knows of the plant."""
        self.store.check_rights()
        self.outbox.begin()
        return KeptPlant(self.store)

    def _remembered(self) -> bytes | None:
        """Take up what the store keeps of earlier runs; the rules that were in force."""
        self.knows = any(self.store.state(name) for name in LEARNING)
        self._newest = self.store.newest()
        _, self.telling.suppressions = self.store.suppressions()
        self._let_go = self.store.state(forgetting.STATE) or forgetting.kept(())
        return self.store.state(versions.STATE)

    def _gather_alerts(self) -> None:
        """The gravest of the alerts as they are stored now, and how many there are of each severity."""
        gravest: list[Alert] = []
        touched = sorted(self._touched)
        for at in range(0, len(touched), MOST_ALERTS):
            found = self.store.alerts(touched[at : at + MOST_ALERTS])
            self.severities.update(severity_word(alert.severity) for alert in found)
            gravest = sorted([*gravest, *found], key=lambda alert: (-alert.severity, alert.first, alert.id))[:MOST_ALERTS]
        self.alerts = {alert.id: alert for alert in gravest}

    def stop(self) -> None:
        """Read no further. All that was released is judged and stored, whole windows and nothing of those that were open, so that a later replay agrees."""
        self._stopped = True

    def _captures(self, ruling: Ruling) -> list[dict[str, Any]]:
        inputs: list[dict[str, Any]] = []
        for number, capture in enumerate(self.plan.captures):
            if first := _same(capture, self.plan.captures[:number]):
                self.repeated.append((capture.path, first.path))
                inputs.append(input_row(capture, Totals(), None))
                continue
            if self._stopped:
                self.errors.append(InputError("unread", file=capture.name))
                inputs.append(input_row(capture, Totals(), self.errors[-1].text(self.plan.language)))
            else:
                inputs.append(self._capture(capture, self._sensor(capture), ruling))
        return inputs

    def _sensor(self, capture: Capture) -> Sensor | Apart:
        def observer() -> str:
            return self.plan.observer_of(capture)

        salt = (lambda: capture.sha256) if self.plan.observer else ""
        if pays(capture):
            return Apart(observer, self.plan.site, capture, salt, marked=bool(self.plan.keep.mebibytes))
        return Sensor(observer, self.plan.site, capture.name, capture=salt)

    def _learn(self) -> None:
        """Teach fresh detectors; what they know then replaces what the store kept."""
        if not self.plan.learn:
            return
        taught = detectors(Setup(self.plan.rules))
        for capture in self.plan.learn:
            sensor = self._sensor(capture)
            for batch in self._listen(capture, sensor):
                for detector in taught:
                    detector.learn(with_context(batch, self._known.plant))
        if self._stopped:  # half of what was normal is not taught
            raise KeyboardInterrupt
        states = {detector.name: detector.state() for detector in taught}
        self.taught = any(states.values())
        if self.taught:  # what was learned before is replaced, also of those that learned nothing now
            kept = {name: state for name, state in states.items() if state or name in LEARNING}
            history = baselines.noted(self.store.state(baselines.STATE), learned(states.get), self.store.newest(), "replayed")
            self.store.write(Commit(state={**kept, baselines.STATE: history}))

    def _judges(self, ruling: Ruling) -> list[Detector]:
        """Fresh detectors that know what was learned, and nothing of what was judged: a replay never depends on the one before."""
        fresh = [*detectors(Setup(ruling.rules, self._files, {**self._known.plant.criticality, **self.plan.criticality}, ruling.book)), Doubting()]
        for detector in fresh:
            if detector.name not in self._learned:
                self._learned[detector.name] = self.store.state(detector.name)
            if state := self._learned[detector.name]:
                try:
                    detector.restore(state)
                except ValueError:
                    raise StoreError("store.state", detector=detector.name) from None
        if not self._baseline and any(self._learned[name] for name in LEARNING):
            self._baseline = learned(self._learned.get).version
        return fresh

    def _tell_unheard(self, sensor: Sensor | Apart) -> None:
        """What went with what listened, while this went on; what was before this is told by what is stored."""
        while sensor.unheard.spans:
            since, until = sensor.unheard.spans.pop(0)
            if self.plan.resume and until > (sensor.began or 0):
                self.note(text("cli.watch.unheard", since=both(since), until=both(until)))

    def _renewed(self, before: list[Detector], ruling: Ruling) -> list[Detector]:
        """Detectors with the rules that are in force now, which go on where those before stopped."""
        fresh = self._judges(ruling)
        for detector, old in zip(fresh, before, strict=True):
            with suppress(ValueError):  # what cannot be taken over begins anew
                detector.restore(old.state())
        return fresh

    def _capture(self, capture: Capture, sensor: Sensor | Apart, ruling: Ruling) -> dict[str, Any]:
        """One capture, in bounded commits; its entry of `inputs`. The engine is ahead while what it gave is judged and stored."""
        before = len(self.errors)
        waiting, judges = Waiting(), self._judging
        history = self.plan.observer or capture.path
        marks = self.keeping.begin(history, capture)
        if capture.pipe and (begun := self.outbox.asked(lambda: self._absence.begin(capture.sha256))):
            self.outbox.put(Commit(state=begun))

        def resumed() -> list[Detector]:
            fresh = self._judges(ruling)
            self._resuming.resume(fresh)
            return fresh

        def begin() -> None:
            if history not in judges and capture.error is None:  # captures of one observer are one history
                judges[history] = self.outbox.asked(resumed)

        for batch in ahead(lambda check: self._listen(capture, sensor, check, marks), every=LOOK_S if capture.pipe else None, meanwhile=begin):
            self._tell_unheard(sensor)
            changed = (
                capture.pipe is not None and not waiting.rows() and (ruling.look() | self.outbox.ask(self._known.look, False))
            )  # what waits was judged by those before
            if changed and history in judges:
                judges[history] = self._renewed(judges[history], ruling)
            if batch is None:  # nothing comes; which rules are in force is kept all the same
                if changed:
                    self._commit(Waiting(), ruling, history, sensor)
                continue
            batch = self._absence.mark(self.outbox.asked(partial(self._absence.fresh, batch, sensor.began, self._resuming.judged)), sensor.began)
            self._files[self.plan.observer_of(capture)] = capture.name
            self.tally.count(batch)
            for piece in pieces(with_context(batch, self._known.plant), lambda: self._rows):
                waiting.batches.append(piece)
                found = settled(judges[history], ruling.stamped(judged(judges[history], piece), self._baseline))
                self._rows = FLOODED_ROWS if 2 * len(found) > piece.activities.num_rows else min(2 * self._rows, JUDGED_ROWS)
                waiting.findings += found
                if waiting.rows() >= (1 if capture.pipe else COMMIT_ROWS) or len(waiting.findings) >= COMMIT_FINDINGS:
                    self._commit(waiting, ruling, history, sensor)
                    waiting = Waiting()
        waiting.findings += settled(judges.get(history, ()), (), last=True)
        assets = placed(sensor.assets(), policies(ruling.rules), self.plan.criticality, self._known.plant)
        self._commit(waiting, ruling, history, sensor, assets, last=True)
        self.keeping.thin(aged=True)
        self._apart_kib = max(self._apart_kib, sensor.peak_kib if isinstance(sensor, Apart) else 0)
        totals = sensor.totals
        self.names.mark(totals.unknown)
        self.tally.add(totals)
        error = self.errors[before].text(self.plan.language) if len(self.errors) > before else None
        return input_row(capture, totals, error)

    def _listen(self, capture: Capture, sensor: Sensor | Apart, check: Callable[[], None] = lambda: None, marks: Marks | None = None) -> Iterator[Batch]:
        """What a capture gives; its error, if it has one, is kept and everything before it is delivered. `check` is called after each batch of packets."""
        if capture.error is not None:
            self.errors.append(capture.error)
            return
        if isinstance(sensor, Apart):
            source, heard = sensor, sensor.listen(marks, check)
        else:
            waits, due = sensor.waits, due_of(capture.pipe) if capture.pipe else None

            def asked() -> bool:
                check()
                return bool(due and due(waits)) or self._stopped

            source = open_capture(capture, marks)
            heard = sensor.listen(source, asked)
        try:
            for batch in heard:
                yield marked(batch, capture, source.error)
                if self.progress:
                    self.progress(capture.name, sensor.totals.packets)
                if self._stopped and not capture.pipe:
                    self.errors.append(InputError("stopped", file=capture.name, packets=f"{sensor.totals.packets:,}"))
                    return
            if source.error is not None:
                self.errors.append(source.error)
        finally:
            source.close()

    def _commit(self, waiting: Waiting, ruling: Ruling, history: str, sensor: Sensor | Apart, assets: tuple[Asset, ...] = (), last: bool = False) -> None:
        """What waits is on its way to the store: written now, or when the store is back."""
        self.names.ask(sensor.unknown, self.keeping.keeper(history), last)
        evidence = self.keeping.of(history, waiting.findings)
        self.names.hear(last)
        batch = waiting.batch()
        batch = replace(batch, coverage=self.names.labelled(batch.coverage))
        state = ruling.state(earliest(batch) if self._newest is None else self._newest)
        times = [self._newest, newest_in(batch)]
        self._newest = max((moment for moment in times if moment is not None), default=None)
        if (let_go := forgetting.kept(chain.from_iterable(self._judging.values()))) != self._let_go:
            state |= {forgetting.STATE: let_go}
            self._let_go = let_go
        state |= self._resuming.state(self._judging.get(history, ()), batch.activities, last) | (
            self._absence.end(sensor.now, sensor.began, sensor.dark) if last else {}
        )
        self.outbox.put(Commit(batch, tuple(waiting.findings), (), assets, state, evidence=evidence))

    def _deliver(self, given: Commit) -> None:
        """Write a commit, and count what it touched as this run's."""
        commit, written = self._written(given)
        self.conflicts += () if self._absence.again else written.conflicts  # there, packets are numbered anew
        self.refused += written.refused
        self.assets |= {asset.id: asset for asset in commit.assets}
        self.telling.stored(commit, self._touched)
        self._touched |= {finding.alert for finding in commit.findings if finding.alert}
        unseen = [finding for finding in commit.findings if finding.id not in self.findings]
        self.findings |= {finding.id for finding in unseen}
        self.hidden |= {finding.id for finding in unseen if finding.suppressions}
        for finding in unseen:
            if not finding.suppressions:
                self._own[finding.key] = max(finding.severity, self._own.get(finding.key, 0))
        if commit.evidence:
            self.keeping.thin()

    def _deliver_left(self, given: Commit, told: bool) -> None:
        """Write what an earlier run could not; people hear of it unless they were told then."""
        commit, _ = self._written(given)
        if not told:
            self.telling.stored(commit, self._touched)

    def _written(self, given: Commit) -> tuple[Commit, Written]:
        """Findings fold into alerts, and all of it is written together or not at all; again, where somebody decided about one of these meanwhile."""

        def attempt() -> tuple[Commit, Written]:
            commit = self._settled(given)
            return commit, self.store.write(commit)

        return again(attempt)

    def _settled(self, given: Commit) -> Commit:
        """What to write: the findings in their order, marked by suppressions, new ones folded into the alerts as they are stored now."""
        findings = given.findings
        taken = self.store.taken({finding.id for finding in findings})
        judged, self.telling.suppressions = self.store.suppressions()
        marked = mark(findings, self.telling.suppressions, known_activities(self.store, given.batch.activities))
        known = sorted(self.store.alerts_of({finding.key for finding in findings}), key=lambda alert: (alert.first, alert.id))
        folded = alerts.fold([finding for finding in marked if finding.id not in taken], known)
        homes = taken | {finding.id: finding.alert for finding in folded.findings}
        settled = tuple(replace(finding, alert=homes[finding.id]) for finding in marked)
        return replace(given, findings=settled, alerts=folded.alerts, judged=judged)

    def _summary(self, inputs: list[dict[str, Any]], elapsed: float) -> dict[str, Any]:
        words = [severity_word(severity) for severity in self._own.values()]
        tally = self.tally
        return {
            "schema": SCHEMA_VERSION,
            "run": self.plan.identity(),
            "inputs": inputs,
            "packets": tally.sums["packets"],
            "messages": tally.sums["messages"],
            "operations": tally.sums["operations"],
            "activities": tally.activities,
            "points": tally.points,
            "findings": len(self.findings),
            "hidden": len(self.hidden),
            "alerts": {word: words.count(word) for word, _least in SEVERITIES},
            "protocols": tally.by_protocol(),
            "access": dict(sorted(tally.access.items())),
            "effects": dict(sorted(tally.effects.items())),
            "coverage": tally.coverage(),
            "unknown": tally.blind_spots(),
            "blind_spots": tally.spots(),
            "assets": len(self.assets),
            "evidence": {name: getattr(self.keeping, name) for name in ("findings", "packets", "missing", "thinned")},
            "elapsed_s": round(elapsed, 3),
            "peak_mib": round((peak_kib() + self._apart_kib) / 1024, 1),
        }


def _same(capture: Capture, earlier: Sequence[Capture]) -> Capture | None:
    """The capture before this one that holds the same, if there is one; digests are waited for only where sizes are equal."""
    return next((other for other in earlier if other.error is None and (other.size, other.sha256) == (capture.size, capture.sha256)), None)
