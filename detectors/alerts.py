"""Findings fold into alerts: one alert a key, whatever is judged again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Final

from records.model import SAMPLE, Alert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from records.model import Finding, Text

REOPENS_WITHIN: Final = 30 * 86_400 * 10**9  # nanoseconds after its closing that a new finding reopens an alert


@dataclass(slots=True)
class _Draft:
    """An alert that is being folded into."""

    alert: Alert
    severity: int
    title: Text
    reason: Text
    first: int
    last: int
    closed: bool
    sample: dict[str, None]
    assets: dict[str, None]
    techniques: dict[str, None]
    expired: dict[str, None]
    new: int = field(default=0)

    def add(self, finding: Finding) -> None:
        """Take in a finding that is not yet part of it. The words are those of the gravest finding, the earlier of equals.

        It reopens the alert where it did not end before the closing: what happened before was there to be looked at, or is an older capture's.
        """
        self.closed = self.closed and self.alert.closed is not None and finding.end <= self.alert.closed
        graver = finding.severity > self.severity
        if graver:
            self.severity, self.title, self.reason = finding.severity, finding.title, finding.reason
            if len(self.sample) >= SAMPLE:
                self.sample.popitem()
        if len(self.sample) < SAMPLE:
            self.sample[finding.id] = None
        self.new += 1
        self.first = min(self.first, finding.time)
        self.last = max(self.last, finding.end)
        self.assets |= dict.fromkeys(finding.assets)
        self.techniques |= dict.fromkeys(finding.techniques)
        self.expired |= dict.fromkeys(finding.expired)

    def takes(self, finding: Finding) -> bool:
        """Whether a new finding still belongs to it."""
        return not self.closed or self.alert.closed is None or finding.time <= self.alert.closed + REOPENS_WITHIN

    def done(self) -> Alert:
        """The alert as it is now. Who worked on it stays known when it reopens; its verdict falls, and stands in the trail."""
        reopened = self.alert.status == "closed" and not self.closed
        return replace(
            self.alert, severity=self.severity, title=self.title, reason=self.reason, first=self.first, last=self.last, count=self.alert.count + self.new,
            findings=tuple(self.sample), assets=tuple(self.assets), techniques=tuple(self.techniques), expired=tuple(self.expired),
            **({"status": "open", "closed": None, "verdict": None} if reopened else {}),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Folded:
    """The alerts that were made or changed, in the order they were first touched, and the findings, each with the alert that took it in."""

    alerts: tuple[Alert, ...]
    findings: tuple[Finding, ...]


def fold(findings: Iterable[Finding], known: Sequence[Alert]) -> Folded:
    """Take in findings that no alert has taken in yet; those that a suppression hides stay outside.

    `known` are the stored alerts of the findings' keys, every generation of them, oldest first. Findings are taken in the given order, the order of
    release, one after the other: so folding them in parts, each on what the part before gave, ends in the same alerts.
    """
    generations: dict[str, list[_Draft]] = {}
    for alert in known:
        generations.setdefault(alert.key, []).append(_draft(alert))
    touched: dict[str, _Draft] = {}
    taken: dict[str, Finding] = {}
    for finding in findings:
        if finding.id in taken:
            continue
        taken[finding.id] = finding
        if finding.suppressions:
            continue
        drafts = generations.setdefault(finding.key, [])
        if not drafts or not drafts[-1].takes(finding):
            drafts.append(_draft(_new(finding, {draft.alert.id for draft in drafts})))
        drafts[-1].add(finding)
        touched[drafts[-1].alert.id] = drafts[-1]
        taken[finding.id] = replace(finding, alert=drafts[-1].alert.id)
    return Folded(tuple(draft.done() for draft in touched.values()), tuple(taken.values()))


def identity(key: str, generation: int) -> str:
    """The identity of a key's alert; `generation` counts those before it that stayed closed."""
    return blake2b(f"{key}\0{generation}".encode(), digest_size=10).hexdigest()


def _new(finding: Finding, taken: set[str]) -> Alert:
    # The first generations may have outlived their retention, so their number alone does not tell a free identity.
    generation = next(number for number in count(len(taken)) if identity(finding.key, number) not in taken)
    return Alert(
        identity(finding.key, generation), finding.key, "open", finding.severity, finding.title, finding.reason, finding.time, finding.end, (), (), (), 0
    )  # fmt: skip


def _draft(alert: Alert) -> _Draft:
    return _Draft(
        alert, alert.severity, alert.title, alert.reason, alert.first, alert.last, alert.status == "closed", dict.fromkeys(alert.findings),
        dict.fromkeys(alert.assets), dict.fromkeys(alert.techniques), dict.fromkeys(alert.expired),
    )  # fmt: skip
