"""Counting: which windows were found, how soon, by what; what was found besides; and how often that may happen."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from records.model import severity_word
from tests.evaluate.labels import AFTERMATH, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.model import Finding
    from tests.evaluate.judging import Judged
    from tests.evaluate.labels import Case, Window

MINUTE: Final = 60 * SECOND
NEW_ALONE: Final = frozenset({"new-host", "new-pair", "new-protocol"})  # where it only looks, that says that something is there: reported apart
BOUND: Final = 0.05  # what the 95 % upper bound leaves


def new_alone(finding: Finding) -> bool:
    """Does it say no more than that somebody or something is new?"""
    return finding.rule in NEW_ALONE and severity_word(finding.severity) == "low"


@dataclass(frozen=True, slots=True)
class Hit:
    """What became of one window: findings that name who took part, those that only say that something is new, seconds to the first."""

    window: Window
    findings: tuple[Finding, ...]
    new: tuple[Finding, ...]
    seconds: float | None

    @property
    def rules(self) -> list[str]:
        """The rules and detectors that found it, in the order of their names."""
        return sorted({finding.rule for finding in self.findings})

    @property
    def severity(self) -> str:
        """The word of the gravest."""
        return severity_word(max(finding.severity for finding in self.findings)) if self.findings else ""

    @property
    def right(self) -> bool:
        """Is one of the techniques that the findings name right?"""
        return any(set(finding.techniques) & self.window.techniques for finding in self.findings)


@dataclass(slots=True)
class Measured:
    """What came of a case: its windows, findings outside of them, those of acts that a script has, these acts and whether a finding names each, minutes with
    findings outside, and hours judged outside.
    """

    hits: list[Hit] = field(default_factory=list[Hit])
    false: list[Finding] = field(default_factory=list["Finding"])
    new: list[Finding] = field(default_factory=list["Finding"])
    expected: list[Finding] = field(default_factory=list["Finding"])
    acts: list[tuple[str, bool]] = field(default_factory=list[tuple[str, bool]])
    right: int = 0
    minutes: int = 0
    hours: float = 0.0
    outside: float = 0.0

    @property
    def precision(self) -> float | None:
        """The share of findings that are in a window and name who took part, of these and of false ones."""
        every = self.right + len(self.false)
        return self.right / every if every else None


def measure(case: Case, judged: Judged) -> Measured:
    """Hold findings against what is known of the capture."""
    made = Measured(hours=judged.hours)
    near = list(case.windows)
    for window in case.windows:
        touching = [finding for finding in judged.findings if _overlaps(window, finding, judged) and _names(finding, window, judged.macs)]
        told = [finding for finding in touching if not new_alone(finding)]
        seconds = min((max(0, judged.told[finding.id] - window.start) / SECOND for finding in told), default=None)
        made.hits.append(Hit(window, tuple(told), tuple(finding for finding in touching if new_alone(finding)), seconds))
    counted = {finding.id for hit in made.hits for finding in hit.findings}
    made.right = len(counted)
    for finding in judged.findings:
        if finding.id in counted or any(_overlaps(window, finding, judged, AFTERMATH) for window in near):
            continue
        if any(_tells(act, finding, judged) for act in case.acts):
            made.expected.append(finding)
        else:
            (made.new if new_alone(finding) else made.false).append(finding)
    made.acts = [(act.name, any(_tells(act, finding, judged) for finding in made.expected)) for act in case.acts]
    attacked = sum(window.end - window.start for window in case.windows)
    made.outside = max(0.0, judged.hours - attacked / SECOND / 3600)
    made.minutes = len({minute for finding in made.false for minute in range(finding.time // MINUTE, finding.end // MINUTE + 1)})
    return made


def together(parts: Iterable[Measured]) -> Measured:
    """Several cases as one."""
    whole = Measured()
    for part in parts:
        for name in ("hits", "false", "new", "expected", "acts"):
            getattr(whole, name).extend(getattr(part, name))
        for name in ("right", "minutes", "hours", "outside"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole


def upper(count: int, hours: float) -> float | None:
    """How many a day there may be at most, with a confidence of 95 %, where so many came in these hours (Poisson); None where nothing was judged."""
    if hours <= 0:
        return None
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(60):
        mean = (low + high) / 2
        chance = math.fsum(math.exp(number * math.log(mean) - mean - math.lgamma(number + 1)) for number in range(count + 1))
        low, high = (mean, high) if chance > BOUND else (low, mean)
    return high * 24 / hours


def _overlaps(window: Window, finding: Finding, judged: Judged, after: int = 0) -> bool:
    """Was the last of what the finding names in the window? A finding may also name what led to it, hours before."""
    start, end = max(judged.spans.get(finding.id) or [(finding.time, finding.end)], key=lambda span: (span[1], span[0]))
    return window.overlaps(start, end, after)


def _tells(act: Window, finding: Finding, judged: Judged) -> bool:
    """Is it of this benign act?"""
    return _overlaps(act, finding, judged, AFTERMATH) and _names(finding, act, judged.macs)


def _names(finding: Finding, window: Window, macs: dict[str, set[str]]) -> bool:
    """Does it name the attacker or the victim, by an address or by the MAC address that has it?"""
    hosts = window.attacker | window.victim
    known = hosts | {mac for host in hosts for mac in macs.get(host, ())}
    words = set(re.findall(r"[0-9a-f.:]+[0-9a-f]", f"{finding.title.en} {finding.reason.en}"))
    return bool(known & {finding.source, finding.destination, *words})
