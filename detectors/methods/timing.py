"""How often things come, against what was learned: a poll that slows, stops or bursts, a device that nobody hears any more or that reports less than ever,
and an even talker that is new.

Silence is told by the minute, from other traffic of the same sensor: time in which a sensor gave nothing at all, or nothing of what recurs, does not count.
Without a baseline it says nothing. What it judges teaches it nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from detectors.baseline.habits import Key
from detectors.baseline.lines import FOREIGN, LEAST_BURST, LOST, UNSTEADY, Came, Line, Steady, calm
from detectors.baseline.numbering import numbered
from detectors.baseline.paces import SPANS, Fewer, Held, Pace, Paces, Pair, unwatched
from detectors.baseline.rhythms import COMMON, REPORTS, SEPARATOR, Rhythm, Rhythms, recurring
from detectors.gathering import plain
from detectors.noticing import COLUMNS, MOST_WITNESSES, Notice, Witness, found, witness
from detectors.phrases import deed
from records.formats import DAY, HOUR, MINUTE, SECOND
from records.measures import difference
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

    Numbers = npt.NDArray[np.int64]

FORM: Final = 1  # of a saved state
LASTING: Final = 3  # minutes in a row that are no chance
FRESH: Final = 90 * SECOND  # who was heard so lately is not silent
EVENLY: Final = 0.2  # deviation of an even talker's interval, of its mean
HALVED: Final = 4  # minutes of rows; more are halved to find what is not as usual
TALKING: Final = 5  # minutes in a row in which it talked evenly
LEAST_TALK: Final = 3  # operations in such a minute
MOST: Final = 4096  # even talkers and things told, the last ones
MOST_OBSERVERS: Final = 64
MOST_PLACES: Final = 65_536  # kinds of rows that were looked up
HEARD: Final = ("event.start", "event.end", "ot.count", "ot.packet.first", "id")
NAMES: Final = tuple(f"{side}.asset.{what}" for side in ("source", "destination") for what in ("id", "name"))
AGAIN: Final = HOUR  # until so long after a finding the same is not told again
MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
TERMS: Final = {
    "view-lost": {"device": 35.0}, "poll-stopped": {"poll": 25.0}, "poll-slowed": {"slower": 25.0}, "poll-bursts": {"faster": 25.0},
    "even-talker": {"even": 30.0}, "reports-fewer": {"fewer": 25.0}, "exchange-stopped": {"nothing": 30.0},
}  # fmt: skip
LASTS: Final = 15.0  # a silence that lasts
NONE: Final = 10.0  # no report at all
MUCH: Final = 3.0  # for each time that it is slower or faster …
MOST_MUCH: Final = 15.0  # … at most so much
TECHNIQUES: Final = {
    "view-lost": ("T0829", "T0815"), "poll-stopped": ("T0829", "T0815"), "poll-slowed": ("T0829", "T0815"), "poll-bursts": ("T0814", "T0806"),
    "even-talker": ("T0848", "T0869", "T0802"), "reports-fewer": ("T0829", "T0815", "T0804"), "exchange-stopped": ("T0829", "T0815", "T0804"),
}  # fmt: skip
RESPOND: Final = {
    "view-lost": ("reach", "power", "around"), "poll-stopped": ("host", "reach", "around"), "poll-slowed": ("host", "load", "around"),
    "poll-bursts": ("host", "load", "around"), "even-talker": ("who", "plan", "around"),
    "reports-fewer": ("host", "load", "around"), "exchange-stopped": ("reach", "power", "around"),
}  # fmt: skip


def build(setup: Setup) -> Timing:
    """The detector, which names captures as the setup does."""
    return Timing(setup.files)


class Timing:
    """Judges activities that are counted by the minute, by rhythms that were learned."""

    name = "timing"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.forgotten = 0
        self.rhythms = Rhythms()
        self.paces = Paces()
        self._steady: Steady | None = None
        self._held: Held | None = None
        self._places: dict[tuple[Any, ...], int] = {}  # by what rows have in common: the number of their habit, UNSTEADY or FOREIGN
        self._lines: dict[str, Line] = {}
        self._even: dict[str, list[int]] = {}  # by pair that has no rhythm: its last even minute, and how many in a row
        self._told: dict[str, int] = {}
        self._names: dict[str, list[str | None]] = {}  # by address: asset and its name

    def learn(self, batch: Batch) -> None:
        """How often these activities came is usual."""
        if batch.activities.num_rows:
            self.rhythms.learn(batch.activities)
            self.paces.learn(batch.activities)
            self._steady = self._held = None

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of activities, in the order of the rows that show them."""
        steady = self._known()
        if not batch.activities.num_rows or not steady.pairs:
            return []
        return list(self._heard(batch.activities, steady))

    def state(self) -> bytes:
        """What was learned, and what was heard; empty where nothing was learned."""
        known = self.rhythms.known
        if not known:
            return b""
        learned = [[*key, each.usual, each.low, each.high, each.longest, each.seen] for key, each in known.items()]
        held = self._pacing()
        paces = {"paces": [[*pair, *pace] for pair, pace in zip(held.pairs, held.paces, strict=True)], "unpaced": self.paces.shed, "held": held.state()}
        heard = {"lines": {name: line.kept() for name, line in self._lines.items()}, "even": self._even, "told": self._told, "names": self._names}
        return json.dumps({"timing": FORM, "known": learned, "shed": self.rhythms.shed, **paces, **heard}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        said: Any = json.loads(state) if state else {"timing": FORM, "known": [], "shed": 0, "lines": {}, "even": {}, "told": {}, "names": {}}
        try:
            if cast("Row", said)["timing"] != FORM:
                raise ValueError("not the state of timing")
            self.rhythms = Rhythms({Key(*each[:6]): Rhythm(*each[6:]) for each in said["known"]}, int(said["shed"]))
            self.paces = Paces({Pair(*each[:4]): Pace(tuple(each[4]), each[5]) for each in said.get("paces", [])}, int(said.get("unpaced", 0)))
            self._steady = self._held = None
            self._pacing().revive(said.get("held", {}))
            self._lines = {name: Line(len(self._known().keys)) for name in said["lines"]}
            for name, line in self._lines.items():
                line.revive(said["lines"][name])
            self._even, self._told, self._names = dict(said["even"]), dict(said["told"]), dict(said["names"])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError("not the state of timing") from error

    def _known(self) -> Steady:
        if self._steady is None:
            self._steady = Steady(self.rhythms.known)
            self._lines, self._places = {}, {}
        return self._steady

    def _pacing(self) -> Held:
        if self._held is None:
            self._held = Held(unwatched(self.paces.known, self.rhythms.known))
        return self._held

    def _heard(self, rows: Any, steady: Steady) -> Iterator[Finding]:
        """Rows, one observer's after the other's."""
        numbers, kinds = numbered(rows, (*COMMON, "observer.name"), NAMES)
        places = [self._place(kind[: len(COMMON)], steady) for kind in kinds]
        where = np.array(places, np.int64)[numbers]
        start, end, counts, packets, names = rows.select(list(HEARD)).combine_chunks().to_batches()[0].columns
        starts = start.cast(pa.int64()).to_numpy()
        told: list[tuple[int, Finding]] = []
        for at in np.flatnonzero(where == FOREIGN).tolist():
            key = cast("Key", recurring(kinds[int(numbers[at])][: len(COMMON)]))
            told += [(at, finding) for finding in self._talk(key, int(starts[at] // MINUTE), Shown(rows, at))]
        which = np.flatnonzero(where >= 0)
        if len(which):
            self._name(kind for kind, place in zip(kinds, places, strict=True) if place >= 0)
            came = Came(
                counts.fill_null(1).to_numpy(), starts, end.cast(pa.int64()).to_numpy(), packets.fill_null(0).to_numpy(), names.to_numpy(zero_copy_only=False)
            ).some(which)  # fmt: skip
            observers = [kind[len(COMMON)] or "" for kind in kinds]
            heard = np.array([observers.index(each) for each in observers], np.int64)[numbers[which]]
            for first, last in pairwise([0, *(np.flatnonzero(np.diff(heard)) + 1).tolist(), len(which)]):
                line = self._line(observers[int(numbers[which[first]])], len(steady.keys))
                told += list(self._listen(line, where[which[first:last]], came.some(slice(first, last)), steady, (rows, which[first:last])))
        for fewer in self._pacing().judge(rows, numbers, [kind[: len(COMMON) + 1] for kind in kinds]):
            told += [(fewer.shown, finding) for finding in self._rarely(fewer, Shown(rows, fewer.shown))]
        yield from (finding for _, finding in sorted(told, key=lambda each: each[0]))

    def _place(self, kind: tuple[Any, ...], steady: Steady) -> int:
        """The number of the habit of such rows, looked up once."""
        place = self._places.get(kind)
        if place is None:
            key = recurring(kind)
            place = UNSTEADY if key is None else FOREIGN if key[:3] not in steady.pairs else steady.numbers.get(key, UNSTEADY)
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            self._places[kind] = place
        return place

    def _listen(self, line: Line, where: Numbers, came: Came, steady: Steady, table: tuple[Any, Numbers]) -> Iterator[tuple[int, Finding]]:
        """Rows of one observer, one minute after the other; where everything is as it was, all of them at once."""
        minutes = came.start // MINUTE
        if calm(line, where, came, minutes, steady):
            newest: int = int(minutes[-1])
            over = minutes < newest
            if line.minute < newest:
                line.mark(where[over], came.some(over))
                heard = line.count > 0
                heard[where[over]] = True
                line.before[heard] = line.last[heard]
                line.count[:], line.minute = 0, newest
            line.hear(where[~over], came.some(~over), line.minute, steady.reports)
            return
        middle: int = (int(minutes[0]) + int(minutes[-1])) // 2
        half = int(np.searchsorted(minutes, middle, "right")) if (np.diff(minutes) >= 0).all() else 0
        if minutes[-1] - minutes[0] >= HALVED and 0 < half < len(where):
            for part in (slice(0, half), slice(half, None)):
                yield from self._listen(line, where[part], came.some(part), steady, (table[0], table[1][part]))
            return
        edges = np.flatnonzero(np.diff(minutes)) + 1
        for first, last in pairwise([0, *edges.tolist(), len(where)]):
            minute = int(minutes[first])
            if minute > line.minute:
                at = int(table[1][first])
                yield from ((at, finding) for finding in self._over(line, minute, steady, Shown(table[0], at)))
                line.minute = minute
            line.hear(where[first:last], came.some(slice(first, last)), minute, steady.reports)

    def _line(self, observer: str, height: int) -> Line:
        line = self._lines.get(observer)
        if line is None:
            line = self._lines[observer] = Line(height)
            if len(self._lines) > MOST_OBSERVERS:
                del self._lines[next(iter(self._lines))]
        return line

    def _name(self, kinds: Iterable[tuple[Any, ...]]) -> None:
        """What hosts are called."""
        for ip, mac, asset, name in dict.fromkeys(end for kind in kinds for end in (kind[:2] + kind[-4:-2], kind[2:4] + kind[-2:])):
            host = ip or mac
            if asset is not None and host and (len(self._names) < MOST or host in self._names):
                self._names[host] = [asset, name]

    def _over(self, line: Line, minute: int, steady: Steady, shown: Shown) -> Iterator[Finding]:
        """A minute is over: what was slow in it, fast, or silent?"""
        if not line.minute:
            return
        heard, interval = line.count > 0, line.spacing()
        slower, faster = heard & (interval > steady.slow), heard & (line.count >= LEAST_BURST) & (interval < steady.fast)
        line.slow, line.fast = np.where(heard, np.where(slower, line.slow + 1, 0), line.slow), np.where(heard, np.where(faster, line.fast + 1, 0), line.fast)
        line.before = np.where(heard, line.last, line.before)
        line.count[:] = 0
        line.skip(minute - line.minute - bool(heard.any()))
        silence = np.where(line.last > 0, (minute * MINUTE - line.last) / SECOND, 0.0)
        silent = (silence > steady.limit).astype(np.int64) + (silence > LOST * steady.limit)
        fallen = np.flatnonzero(silent > line.silent)
        line.silent = np.where(heard, 0, np.maximum(line.silent, silent))
        slow, fast = np.flatnonzero(slower & (line.slow == LASTING)), np.flatnonzero(faster & (line.fast == LASTING))
        if len(fallen):
            yield from self._silences(line, fallen, minute, steady, shown)
        watched = heard & steady.watched
        # where most are slow it is the sensor that misses some
        if len(slow) > 0 and (len(slow) <= watched.sum() / 2 or len(set(steady.devices[watched])) == 1):
            yield from self._changed("poll-slowed", line, slow, interval, steady, shown)
        if len(fast):
            yield from self._changed("poll-bursts", line, fast, interval, steady, shown)

    def _silences(self, line: Line, fallen: Numbers, minute: int, steady: Steady, shown: Shown) -> Iterator[Finding]:
        """Devices that nobody hears any more, and pollers of others that stopped."""
        fresh = set(steady.devices[minute * MINUTE - line.last < FRESH])
        lost = np.array([device not in fresh for device in steady.devices[fallen]], bool)
        for rule, numbers, whose in (("view-lost", fallen[lost], steady.devices), ("poll-stopped", fallen[~lost & ~steady.tests[fallen]], steady.pollers)):
            for host in dict.fromkeys(whose[numbers]):
                some = numbers[whose[numbers] == host]
                lasts = {"lasts": LASTS} if line.silent[some].max() > 1 else {}
                if self._news(f"{rule}|{shown.observer}|{host}|{len(lasts)}", minute * MINUTE, AGAIN):
                    yield self._finding(rule, line, some, steady, shown, lasts)

    def _changed(self, rule: str, line: Line, numbers: Numbers, interval: Any, steady: Steady, shown: Shown) -> Iterator[Finding]:
        """Polls that are slower or faster than usual, those of two hosts as one."""
        pairs = [steady.keys[number][:2] for number in cast("list[int]", numbers.tolist())]
        for pair in dict.fromkeys(pairs):
            some = numbers[np.array([each == pair for each in pairs], bool)]
            now, usual = float(interval[some[0]]), float(steady.usual[some[0]])
            times = now / usual if rule == "poll-slowed" else usual / now
            if self._news(f"{rule}|{shown.observer}|{'|'.join(pair)}", int(line.last[some].max()), AGAIN):
                yield self._finding(rule, line, some, steady, shown, {"much": round(min(MUCH * times, MOST_MUCH), 1)}, now)

    def _finding(self, rule: str, line: Line, numbers: Numbers, steady: Steady, shown: Shown, more: Mapping[str, float], now: float = 0.0) -> Finding:
        key, rhythm = steady.keys[int(numbers[0])], steady.rhythms[int(numbers[0])]
        devices = list(dict.fromkeys(steady.devices[numbers]))
        seen = [_last(line, number, steady) for number in numbers.tolist()]
        last, seen = max(seen, key=lambda row: row.end), seen[: MOST_WITNESSES - 1]
        row, quiet = self._row(key, last, shown), max(0.0, (shown.witness.start - last.end) / SECOND)

        def values(language: str) -> dict[str, object]:
            spans = {"usual": rhythm.usual, "low": rhythm.low, "high": rhythm.high, "longest": rhythm.longest, "now": now, "quiet": quiet}
            device = self._called(devices[0]) if len(devices) == 1 else say("timing.devices", language, count=len(devices))
            told = {name: difference(value, language) for name, value in spans.items()}
            return {"device": device, "poller": self._called(steady.pollers[numbers[0]]), "deed": deed(key.effect, language), **told}

        techniques = (*TECHNIQUES[rule], *(("T0804",) if key.effect in REPORTS and rule != "poll-bursts" else ()))
        seen = [*seen, shown.witness] if rule in ("view-lost", "poll-stopped") else seen
        notice = Notice(rule, row, seen, {**TERMS[rule], **more}, techniques, RESPOND[rule], values, (shown.witness.activity,))
        return replace(found(self.name, self._files, notice, _say), effects=(key.effect,))

    def _rarely(self, fewer: Fewer, shown: Shown) -> Iterator[Finding]:
        """Fewer reports than ever, or nothing at all."""
        device, host, protocol, what = fewer.pair
        rule, last = "reports-fewer" if what == "reports" else "exchange-stopped", Witness(*fewer.last)
        if not self._news(f"{rule}|{SEPARATOR.join((fewer.observer, device, host, protocol))}", shown.witness.start, AGAIN):
            return
        key, least = Key(device, host, protocol, last.effect, None, None), fewer.pace.least[fewer.span]
        words = {"device": self._called(device), "poller": self._called(host), "least": least, "came": fewer.came, "minutes": fewer.pace.minutes}

        def values(language: str) -> dict[str, object]:
            return {**words, "span": difference(SPANS[fewer.span] * 60, language), "deed": deed(key.effect, language)}

        terms = {**TERMS[rule], **({} if fewer.came or what != "reports" else {"none": NONE})}
        notice = Notice(rule, self._row(key, last, shown), [last, shown.witness], terms, TECHNIQUES[rule], RESPOND[rule], values, (shown.witness.activity,))
        yield replace(found(self.name, self._files, notice, _say), effects=(key.effect,))

    def _talk(self, key: Key, minute: int, shown: Shown) -> Iterator[Finding]:
        """A row of two that have no rhythm together: do they talk evenly?"""
        mean, deviation, count = (shown.rows[name][shown.at].as_py() for name in ("ot.interval.mean", "ot.interval.deviation", "ot.count"))
        pair = SEPARATOR.join(key[:3])
        if mean is None or (count or 1) < LEAST_TALK or (deviation or 0.0) > EVENLY * mean:
            return
        name = f"{shown.observer}{SEPARATOR}{pair}"
        last, run = self._even.pop(name, (0, 0))
        run = run if last == minute else run + 1 if last == minute - 1 else 1
        self._even[name] = [minute, run]
        if len(self._even) > MOST:
            del self._even[next(iter(self._even))]
            self.forgotten += 1
        if run < TALKING or not self._news(f"even-talker|{name}", minute * MINUTE, DAY):
            return
        (whole,) = plain(shown.rows.select(list(COLUMNS)).slice(shown.at, 1))

        def values(language: str) -> dict[str, object]:
            return {"deed": deed(key.effect, language), "now": difference(mean, language), "minutes": TALKING, "protocol": key.protocol}

        rule = "even-talker"
        yield found(self.name, self._files, Notice(rule, whole, [shown.witness], TERMS[rule], TECHNIQUES[rule], RESPOND[rule], values), _say)

    def _news(self, what: str, time: int, again: int) -> bool:
        """Was this not told for so long?"""
        if time - self._told.get(what, -again) < again:
            return False
        self._told.pop(what, None)
        self._told[what] = time
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        return True

    def _called(self, host: str) -> str:
        name = (self._names.get(host) or [None, None])[1]
        return f"{name} ({host})" if name and name != host else host

    def _row(self, key: Key, last: Witness, shown: Shown) -> Row:
        """A row of this habit, as findings need it."""
        row: Row = dict.fromkeys(COLUMNS) | {
            "id": last.activity,
            "observer.name": shown.observer,
            "observer.site": shown.rows["observer.site"][shown.at].as_py(),
        }
        for side, host in (("source", key.source), ("destination", key.destination)):
            asset, name = self._names.get(host) or (None, None)
            row |= {f"{side}.{'mac' if MAC.fullmatch(host) else 'ip'}": host, f"{side}.asset.id": asset, f"{side}.asset.name": name}
        return row


@dataclass(frozen=True, slots=True)
class Shown:
    """The row that shows how late it is, or is judged itself: its table and its place."""

    rows: Any
    at: int

    @property
    def observer(self) -> str:
        """Who saw it."""
        return self.rows["observer.name"][self.at].as_py() or ""

    @property
    def witness(self) -> Witness:
        """What a finding names of it."""
        (row,) = plain(self.rows.select(list(COLUMNS)).slice(self.at, 1))
        return witness(row)


def _last(line: Line, number: int, steady: Steady) -> Witness:
    return Witness(line.id[number], int(line.packet[number]), int(line.begun[number]), int(line.ended[number]), steady.keys[number].effect)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"timing.{key}", language, **words)
