"""Coverage that falls: an interface that understands less than it did, sees one direction only, drops packets, goes silent, or whose clock steps.

Less is understood where octets that are usual are decoded no more, or are known to be lost. That more comes which nobody decodes, as when an office loads
its pages, lowers the grade and takes nothing away: of what is not understood, no more counts than is always there, and than what is missing makes room for.
Nor does a conversation that ends: what comes no more, in no form, counts as if it were there still.

What was is told from the windows before of this replay, as many as count; nothing is learned, nor taken over from another replay. A fall is one finding,
however long it lasts: the next one can come once what is seen has recovered, or has been so for so long that it is the new usual.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.telling import identity
from records.measures import difference, percent
from records.model import Finding, Term, Text
from records.wording import LANGUAGES, say
from sensors.grading import grade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.discovery import Setup
    from records.model import Batch

Row = dict[str, Any]
Value = list[float]  # of one window: of the grade octets decoded, not decoded and lost, else one number
STATE: Final = 2  # of the form of a saved state
MINUTE: Final = 60_000_000_000
MOST: Final = 256  # interfaces that are remembered, those heard of last
KEPT: Final = 30  # windows that what was is told from, and after so many a fall is the new usual
LEAST: Final = 10  # windows without which nothing can fall
LASTING: Final = 3  # windows in a row that are no chance
SILENT: Final = 5  # … and without any packet
REGULAR: Final = 0.8  # share of windows with packets, of what is missed when it is silent
# Octets of a usual window from which it is told that less of them is understood. Of 57 flows of simulated plants, two hosts each, 334 to 16,950 octets
# a minute, that are encrypted in the middle 57 are found with it, 7 with 4096; it finds nothing where they go on or end, for hours.
LEAST_PAYLOAD: Final = 256
LEAST_TALKS: Final = 3  # conversations from which their directions are told; fewer where TCP proves it: the side that is seen acknowledges what is not
LEAST_CLOCKS: Final = 2  # windows that tell of the clock: few do
STEP: Final = 1.0  # seconds that a clock is off from what it was
FALLS: Final = {"grade": 10.0, "sides": 50.0}  # points below what was usual
COLUMNS: Final = (
    "id", "observer.name", "observer.site", "interface", "file", "@timestamp", "packets", "grade", "decoded_bytes", "undecoded_bytes", "lost", "gaps", "talks",
    "requests_only", "answers_only", "datagrams", "dropped", "clock_ahead", "clock_steps", "absent",
)  # fmt: skip
RESPOND: Final = {
    "grade": ("traffic", "mirror", "doubt"), "sides": ("mirror", "doubt"), "drops": ("capture", "doubt"), "clock": ("time",),
    "silent": ("mirror", "capture", "doubt"),
}  # fmt: skip
BASES: Final = {"grade": 30.0, "sides": 30.0, "drops": 30.0, "clock": 40.0, "silent": 40.0}


def build(setup: Setup) -> Coverage:
    """The detector; it has nothing to set up."""
    del setup
    return Coverage()


@dataclass(slots=True)
class Signal:
    """One measure of an interface: usual values, those since it began to fall (and in which window it did), and whether it is down."""

    past: list[Value] = field(default_factory=list[Value])
    low: list[Value] = field(default_factory=list[Value])
    began: int = 0
    down: bool = False
    better: int = 0  # windows in a row that are as usual again

    def usual(self) -> Value:
        """What it was."""
        return [median(each) for each in zip(*self.past, strict=True)]

    def rise(self, value: Value) -> None:
        """A value as usual: one alone does not end a fall."""
        self.better += 1
        if not self.down or self.better >= LASTING:
            self.past = [*self.past, *(self.low if self.down else ()), value][-KEPT:]
            self.low, self.down = [], False

    def sink(self, value: Value, window: int) -> None:
        """A value far below what is usual."""
        self.began = self.began if self.low else window
        self.low, self.better = [*self.low, value][-KEPT:], 0

    def settle(self) -> None:
        """It has been so for long: that is the usual now."""
        self.past, self.low, self.down = self.low, [], False


@dataclass(slots=True)
class Interface:
    """What is remembered of one interface of one observer; windows are minutes since the epoch."""

    file: str = ""
    first: int = 0
    last: int = 0
    windows: int = 0
    silent: bool = False
    signals: dict[str, Signal] = field(default_factory=dict[str, Signal])

    def signal(self, kind: str) -> Signal:
        """The measure of this kind."""
        return self.signals.setdefault(kind, Signal())

    def regular(self) -> bool:
        """Are there packets in nearly every window?"""
        return self.windows >= LEAST and self.windows >= REGULAR * (self.last - self.first + 1)


class Coverage:
    """Judges coverage rows, one interface for itself."""

    name = "coverage"

    def __init__(self) -> None:
        self.forgotten = 0
        self._known: dict[tuple[str, str], Interface] = {}

    def learn(self, batch: Batch) -> None:
        """What was is told from what is judged."""

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of coverage rows, in their order."""
        if not batch.coverage.num_rows:
            return []
        table: Any = batch.coverage.select(list(COLUMNS))
        table = table.set_column(COLUMNS.index("@timestamp"), "@timestamp", table.column("@timestamp").cast("int64"))
        return [finding for row in cast("list[Row]", table.to_pylist()) for finding in self._judged(row)]

    def state(self) -> bytes:
        """What is remembered of interfaces; empty where there is none."""
        if not self._known:
            return b""
        return json.dumps({"coverage": STATE, "known": [[*key, asdict(each)] for key, each in self._known.items()]}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state."""
        said: Any = json.loads(state) if state else {"coverage": STATE, "known": []}
        if not isinstance(said, dict) or cast("Row", said).get("coverage") != STATE:
            raise ValueError("not the state of coverage")
        try:
            self._known = {(observer, interface): _restored(told) for observer, interface, told in cast("Row", said)["known"]}
        except (KeyError, TypeError) as error:
            raise ValueError("not the state of coverage") from error

    def _judged(self, row: Row) -> Iterator[Finding]:
        key, window = (row["observer.name"] or "", row["interface"] or ""), row["@timestamp"] // MINUTE
        if row["absent"]:
            self._skip(key[0], window)
        yield from self._silences(row, key, window)
        one = self._known.pop(key, None) or Interface()
        self._known[key] = one  # the one heard of last
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
            self.forgotten += 1
        for kind, value in _measures(row):
            yield from self._compared(row, one.signal(kind), kind, value, window)
        if row["packets"]:
            _heard(one, row["file"] or "", window)

    def _skip(self, observer: str, window: int) -> None:
        """Before this window the sensor did not run: for all its interfaces that time is none."""
        for (of, _), one in self._known.items():
            if of == observer and (gap := window - 1 - one.last) > 0:
                one.first, one.last = one.first + gap, one.last + gap

    def _silences(self, row: Row, key: tuple[str, str], window: int) -> Iterator[Finding]:
        """Interfaces of this observer that went silent, now that it is so late: of one capture, for between two nobody listened."""
        for (observer, interface), one in self._known.items():
            missing = window - one.last - 1
            same = observer == key[0] and one.file == (row["file"] or "")
            same = same and not row["clock_steps"]  # where the clock stepped there was no time in which nobody listened
            if same and missing >= SILENT and not one.silent and one.regular():
                one.silent = True
                about = {**row, "interface": interface or None}
                values = {"duration": missing * 60.0, "minutes": missing}
                yield _finding(about, "silent", (one.last + 1) * MINUTE, min(20.0, float(missing)), values)

    def _compared(self, row: Row, signal: Signal, kind: str, value: Value, window: int) -> Iterator[Finding]:
        """Is this value far from what was usual, for long enough?"""
        enough = len(signal.past) >= (LEAST_CLOCKS if kind == "clock" else LEAST)
        if not enough or not _fell(kind, value, signal):
            signal.rise(value)
            return
        signal.sink(value, window)
        lasting = 1 if kind == "drops" else LEAST_CLOCKS if kind == "clock" else LASTING
        if len(signal.low) >= lasting and not signal.down:
            signal.down = True
            yield _finding(row, kind, signal.began * MINUTE, *_told(row, kind, value, signal))
        if len(signal.low) >= (lasting if kind == "clock" else KEPT):
            signal.settle()


def _restored(told: Row) -> Interface:
    signals = {kind: Signal(**signal) for kind, signal in told.pop("signals").items()}
    return Interface(**told, signals=signals)


def _heard(one: Interface, file: str, window: int) -> None:
    if one.file != file or not one.windows:
        one.file, one.first, one.windows = file, window, 0
    elif window - one.last > SILENT:  # what was before the silence is no measure of what is regular now
        one.first, one.windows = window, 0
    one.windows += 1 if window != one.last or one.windows == 0 else 0
    one.last, one.silent = max(window, one.last), False


def _measures(row: Row) -> Iterator[tuple[str, Value]]:
    """(kind, value) of what this window tells."""
    missing, talks = _sides(row)
    lost = 0 if 0 < talks <= 2 * missing else row["lost"]  # what a missing direction would have said falls with that
    if row["grade"] is not None:
        yield "grade", [row["decoded_bytes"], row["undecoded_bytes"], lost]
    if talks:
        yield "sides", [100.0 - 100.0 * missing / talks]
    if row["packets"] or row["dropped"]:
        yield "drops", [100.0 * (row["dropped"] or 0) / ((row["packets"] or 0) + (row["dropped"] or 0))]
    if row["clock_ahead"] is not None:
        yield "clock", [row["clock_ahead"]]


def _sides(row: Row) -> tuple[int, int]:
    """(conversations with one direction, conversations that tell of theirs), of TCP and of UDP; of few those of TCP alone, and none where nothing proves that
    the other side goes on: a device that is gone answers no datagram, and what is sent to it again is one direction, too."""
    missing, talks = (row["requests_only"] or 0) + (row["answers_only"] or 0), row["talks"] or 0
    datagrams = cast("list[Row]", json.loads(row["datagrams"] or "[]"))
    whole = talks + sum(each["conversations"] for each in datagrams)
    if whole < LEAST_TALKS:
        return (missing, talks) if row["gaps"] or not missing else (0, 0)
    return missing + sum(each["requests_only"] + each["answers_only"] for each in datagrams), whole


def _fell(kind: str, value: Value, signal: Signal) -> bool:
    if kind == "grade" and sum(signal.usual()) < LEAST_PAYLOAD:
        return False
    was, now = _was_and_is(kind, value, signal)
    if kind == "drops":
        return now > 0 and not any(past for (past,) in signal.past)
    if kind == "clock":
        return abs(now - was) >= STEP
    if now > was - FALLS[kind]:
        return False
    if kind == "grade":
        return value[0] < min(past[0] for past in signal.past) or value[2] > max(past[2] for past in signal.past)
    return now < min(past for (past,) in signal.past)


def _was_and_is(kind: str, value: Value, signal: Signal) -> tuple[float, float]:
    """What was usual and what is. Grades: what is not understood counts as far as it was always there or may be what is decoded no more, and only what
    is not understood or lost instead is decoded no more: the rest was not sent."""
    if kind != "grade":
        return signal.usual()[0], value[0]
    usual, _, gaps = signal.usual()
    always = min(undecoded for _, undecoded, _ in signal.past)
    decoded, undecoded, lost = value
    counted = min(undecoded, always + max(0, usual - decoded))
    unsent = max(0, usual - decoded - max(0, counted - always) - max(0, lost - gaps))
    was, now = grade(int(usual), int(always), int(gaps)), grade(int(decoded + unsent), int(counted), int(lost))
    return was or 0.0, now or 0.0  # windows without payload are not measured


def _told(row: Row, kind: str, value: Value, signal: Signal) -> tuple[float, dict[str, Any]]:
    """(what its size adds to the score, values of the texts)"""
    was, now = _was_and_is(kind, value, signal)
    if kind == "clock":
        step = abs(now - was)
        return 5.0 + 10 * (step >= 60) + 10 * (step >= 3600), {"step": step, "was": abs(was), "now": abs(now)}
    values: dict[str, Any] = {"windows": len(signal.low), "past": len(signal.past), "points": round(abs(was - now), 1)}
    if kind == "grade":
        return min(35.0, (was - now) / 2), {**values, "was": was, "now": now}
    if kind == "sides":
        missing, talks = _sides(row)
        return min(25.0, (was - now) / 4), {**values, "count": missing, "talks": talks}
    return min(30.0, 2 * now), {**values, "count": row["dropped"], "share": now}


def _finding(row: Row, kind: str, began: int, size: float, values: dict[str, Any]) -> Finding:
    observer, interface = row["observer.name"] or "", row["interface"] or ""
    words = {language: _words(observer, interface, values, language) for language in LANGUAGES}

    def text(key: str) -> Text:
        return Text(**{language: say(key, language, **words[language]) for language in LANGUAGES})

    def term(key: str, value: float) -> Term:
        return Term(**{language: say(key, language, **words[language]) for language in LANGUAGES}, value=value)

    return Finding(
        id=identity(f"coverage-{kind}", row["id"], observer, interface),
        key="|".join(("coverage", observer, interface, kind)),
        detector=Coverage.name,
        rule=f"coverage-{kind}",
        time=began,
        end=row["@timestamp"] + MINUTE,
        terms=(term(f"coverage.term.{kind}", BASES[kind]), term(f"coverage.finding.{kind}.fall", round(size, 1))),
        title=text(f"coverage.finding.{kind}.title"),
        reason=text(f"coverage.finding.{kind}.reason"),
        source=None,
        destination=None,
        effects=(),
        techniques=(),
        activities=(),
        assets=(),
        packets=(),
        observer=observer,
        site=row["observer.site"],
        normal=text(f"coverage.finding.{kind}.normal"),
        respond=tuple(text(f"coverage.respond.{step}") for step in RESPOND[kind]),
    )


def _words(observer: str, interface: str, values: dict[str, Any], language: str) -> dict[str, str]:
    """The values as people read them."""
    where = say("coverage.interface" if interface else "coverage.observer", language, observer=observer, interface=interface)
    told = {"where": where}
    for name, value in values.items():
        if name in ("step", "duration") or (name in ("was", "now") and "step" in values):
            told[name] = difference(value, language)
        elif name in ("was", "now", "share"):
            told[name] = percent(value, language)
        else:
            told[name] = f"{value:,}"
    return told
