"""Scans that no rule sees whole: what is tried once and never again, spread over a day; units and functions that are tried one after the other.

A master that asks for what is not there asks again and again: a dead unit, a point that was taken out. One that looks around tries each thing for a moment.
So what counts is how many different things a source tried for a moment only, without an answer. Bursts are left to the rules that tell them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.gathering import plain
from detectors.noticing import COLUMNS, Notice, Remembering, Witness, among, compute, found, host, hosts, keep, witness, witnesses
from detectors.phrases import who
from records.formats import DAY, MINUTE, SECOND
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

MOMENT: Final = 10 * SECOND  # who tries a thing for longer means it
BURST: Final = 5 * MINUTE  # what is tried within it is told by the rules of sweeps
SLOW: Final = {
    "units": 8,
    "devices": 8,
    "functions": 4,
    "objects": 32,
}  # different things a day; the rules of sweeps ask for as many in minutes
FAST: Final = 3  # units of one device within a moment, one of them asked again before anybody could answer; without that, as many as slow ones
RAPID: Final = 0.2  # seconds between requests for the same thing; masters wait longer for an answer
AGAIN: Final = 3  # times that a thing is asked for so rapidly
MOST: Final = 4096  # pairs of hosts that are remembered, those heard of last
MOST_THINGS: Final = 256  # of one pair, those tried last
FUNCTIONS: Final = 5  # of one device within a burst that it does not know
UNKNOWN: Final = (  # what devices say of a function that they do not know
    "illegal_function", "unknown_type_identification", "service_not_implemented", "function_not_available", "service_not_supported",
    "unknown_service", "information_function_not_available", "service_not_supported_for_path", "function_not_supported",
)  # fmt: skip
TRIED: Final = ("read", "identify", "unknown", "diagnose", "session", "file")
TECHNIQUES: Final = {"units": ("T0846",), "devices": ("T0846",), "functions": ("T0888", "T0846"), "objects": ("T0861",)}
OF_THINGS: Final = (
    "observer.name", "source.ip", "source.mac", "destination.ip", "destination.mac", "event.action", "event.outcome", "ot.access", "ot.code", "ot.error",
    "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "event.start", "event.end",
)  # fmt: skip
EXTRA: Final = ("ot.access", "ot.code", "ot.error", "ot.interval.mean")


def build(setup: Setup) -> Scan:
    """The detector, which names captures as the setup does."""
    return Scan(setup.files)


@dataclass(slots=True)
class Tried:
    """What one source tried of one kind: each thing with when first and last (nanoseconds), how often, whether rapidly, and
    whether a gateway refused it; rows that show it."""

    things: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    told: int = 0

    def means(self, thing: str, row: Row) -> bool:
        """Was it tried for so long that it is meant? Then nothing more is to be learned of it. What comes back after a day without it is tried anew."""
        tried = self.things.get(thing)
        if tried is None or row["event.start"] - tried[1] > DAY or tried[1] - tried[0] <= MOMENT:
            return False
        tried[1] = max(tried[1], row["event.end"])
        return True

    def brief(self, since: int) -> list[list[int]]:
        """What was tried since then, for a moment only."""
        return [thing for thing in self.things.values() if thing[0] >= since and thing[1] - thing[0] <= MOMENT]


class Scan(Remembering[Tried]):
    """Judges requests that got no answer or were refused, one source for itself."""

    name = "scan"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of what was tried, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        tried = _tried(rows)
        if not compute.any(tried).as_py():
            return []
        few = rows.select([*COLUMNS, *EXTRA]).filter(tried)
        few = few.filter(pa.array([not self._settled(row) for row in plain(few.select(list(OF_THINGS)))], pa.bool_()))
        return [finding for row in plain(few) for finding in self._row(row)]

    def _revived(self, told: Any) -> Tried:
        return Tried(dict(told["things"]), witnesses(told["witnesses"]), told["told"])

    def _settled(self, row: Row) -> bool:
        return all((known := self._known.get(_key(row, kind))) is not None and known.means(thing, row) for kind, thing in _things(row))

    def _row(self, row: Row) -> Iterator[Finding]:
        for kind, thing in _things(row):
            known = self._known.get(_key(row, kind))
            if known is not None and known.means(thing, row):
                continue
            tried = self._latest(_key(row, kind), Tried, MOST)
            start, last = row["event.start"], row["event.end"]
            seen = tried.things.pop(thing, [start, last, 0, 0, 0])
            if start - seen[1] > DAY:
                seen = [start, last, 0, 0, 0]
            refused = str(row["ot.error"] or "").startswith("gateway")
            rapid = (row["ot.interval.mean"] or MOMENT) <= RAPID and row["ot.count"] >= AGAIN
            tried.things[thing] = [min(seen[0], start), max(seen[1], last), seen[2] + (row["ot.count"] or 1), max(seen[3], int(rapid)), int(refused)]
            if len(tried.things) > MOST_THINGS:
                del tried.things[next(iter(tried.things))]
            keep(tried.witnesses, witness(row))
            yield from self._told(row, kind, tried)

    def _told(self, row: Row, kind: str, tried: Tried) -> Iterator[Finding]:
        """A finding, where it comes to enough and nothing was told of it for a day."""
        if tried.told and row["event.end"] - tried.told < DAY:
            return
        brief = tried.brief(row["event.end"] - DAY)
        fast = _fast(brief, row["event.end"], kind)
        slots = {thing[0] // BURST for thing in brief}
        if not fast and (len(brief) < SLOW[kind] or len(slots) < SLOW[kind] // 2):
            return
        tried.told = row["event.end"]
        count, spread = fast or len(brief), max(thing[1] for thing in brief) - min(thing[0] for thing in brief)
        terms = {"moment": 35.0, "rapid" if fast else "slow": 10.0}

        def values(language: str) -> dict[str, object]:
            return {
                "count": count,
                "hours": max(1, round(spread / SECOND / 3600)),
                "what": say(f"scan.kind.{kind}", language, count=count, destination=who(row, "destination", language)),
            }

        rule = "rapid-scan" if fast else "slow-scan"
        yield found(self.name, self._files, Notice(rule, row, tried.witnesses, terms, TECHNIQUES[kind], ("who", "answered", "tool"), values, (kind,)), _say)
        tried.witnesses = []


def _fast(brief: list[list[int]], now: int, kind: str) -> int:
    """How many units or functions were tried so fast that it is told now; 0: too few. Units that a gateway refused count for a rule."""
    if kind == "functions":
        burst = sum(thing[0] >= now - BURST for thing in brief)
        return burst if burst >= FUNCTIONS else 0
    if kind != "units":
        return 0
    moment = [thing for thing in brief if thing[0] >= now - MOMENT]
    if len(moment) >= FAST and any(thing[3] for thing in moment):
        return len(moment)
    burst = sum(thing[0] >= now - BURST and not thing[4] for thing in brief)
    return burst if burst >= SLOW["units"] else 0


def _key(row: Row, kind: str) -> str:
    end = host(row, "source") if kind == "devices" else hosts(row)
    return f"{kind}|{row['observer.name'] or ''}|{end}"


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"scan.{key}", language, **words)


def _tried(rows: pa.Table) -> Any:
    """Requests that nobody answered or that were refused, and functions that nobody knows."""
    asked = compute.and_(among(rows, "ot.access", TRIED), among(rows, "event.outcome", ("unknown", "failure")))
    return compute.or_(asked, among(rows, "ot.error", UNKNOWN))


def _things(row: Row) -> Iterator[tuple[str, str]]:
    """(kind, thing) of what a row tried."""
    if row["ot.error"] in UNKNOWN:
        yield "functions", str(row["ot.code"] or row["event.action"])
    if row["ot.access"] not in TRIED:
        return
    if row["event.outcome"] == "unknown":
        if row["destination.ip"]:
            yield "devices", row["destination.ip"]
    elif row["ot.object.first"] is not None or row["ot.object.name"]:
        yield "objects", f"{row['ot.unit']}/{row['ot.object.space']}/{row['ot.object.name'] or row['ot.object.first']}"
    if row["ot.unit"] is not None:
        yield "units", str(row["ot.unit"])
