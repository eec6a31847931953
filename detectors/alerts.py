"""Findings fold into alerts: one alert a key, whatever is judged again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Final

from records.model import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from records.model import Finding, Text

REOPENS_WITHIN: Final = 30 * 86_400 * 10**9  # nanoseconds after its closing that a new finding reopens an alert


@dataclass(slots=True)
class _Draft:
    """An alert that is being folded into. The identities of its findings are all kept: 20 characters each, without a bound."""

    id: str
    key: str
    status: str
    severity: int
    title: Text
    reason: Text
    first: int
    last: int
    findings: dict[str, None]
    assets: dict[str, None]
    techniques: dict[str, None]
    closed: int | None
    changed: bool = field(default=False)

    def add(self, finding: Finding) -> None:
        """Take in a finding that is not yet part of it. The words are those of the gravest finding, the earlier of equals."""
        if self.status == "closed":
            self.status, self.closed = "open", None
        if finding.severity > self.severity:
            self.severity, self.title, self.reason = finding.severity, finding.title, finding.reason
        self.first = min(self.first, finding.time)
        self.last = max(self.last, finding.end)
        self.findings[finding.id] = None
        self.assets |= dict.fromkeys(finding.assets)
        self.techniques |= dict.fromkeys(finding.techniques)
        self.changed = True

    def takes(self, finding: Finding) -> bool:
        """Whether a new finding still belongs to it."""
        return self.status != "closed" or self.closed is None or finding.time <= self.closed + REOPENS_WITHIN

    def alert(self) -> Alert:
        """The alert as it is now."""
        return Alert(
            self.id, self.key, self.status, self.severity, self.title, self.reason, self.first, self.last, tuple(self.findings), tuple(self.assets),
            tuple(self.techniques), self.closed,
        )  # fmt: skip


def fold(findings: Iterable[Finding], known: Sequence[Alert]) -> list[Alert]:
    """The alerts that these findings make or change, in the order they were first touched.

    `known` are the stored alerts of the findings' keys, every generation of them, oldest first. Findings are taken in the given order, the order of
    release, one after the other: so folding them in parts, each on what the part before gave, ends in the same alerts.
    """
    generations: dict[str, list[_Draft]] = {}
    for alert in known:
        generations.setdefault(alert.key, []).append(_draft(alert))
    seen = {name for drafts in generations.values() for draft in drafts for name in draft.findings}
    touched: dict[str, _Draft] = {}
    for finding in findings:
        if finding.id in seen:
            continue
        seen.add(finding.id)
        drafts = generations.setdefault(finding.key, [])
        if not drafts or not drafts[-1].takes(finding):
            drafts.append(_new(finding, {draft.id for draft in drafts}))
        drafts[-1].add(finding)
        touched[drafts[-1].id] = drafts[-1]
    return [draft.alert() for draft in touched.values()]


def close(alert: Alert, at: int) -> Alert:
    """The alert, closed at this time (nanoseconds)."""
    return replace(alert, status="closed", closed=at)


def identity(key: str, generation: int) -> str:
    """The identity of a key's alert; `generation` counts those before it that stayed closed."""
    return blake2b(f"{key}\0{generation}".encode(), digest_size=10).hexdigest()


def _new(finding: Finding, taken: set[str]) -> _Draft:
    # The first generations may have outlived their retention, so their number alone does not tell a free identity.
    generation = next(number for number in count(len(taken)) if identity(finding.key, number) not in taken)
    return _Draft(
        identity(finding.key, generation), finding.key, "open", finding.severity, finding.title, finding.reason, finding.time, finding.end, {}, {}, {}, None
    )  # fmt: skip


def _draft(alert: Alert) -> _Draft:
    return _Draft(
        alert.id, alert.key, alert.status, alert.severity, alert.title, alert.reason, alert.first, alert.last, dict.fromkeys(alert.findings),
        dict.fromkeys(alert.assets), dict.fromkeys(alert.techniques), alert.closed,
    )  # fmt: skip
