"""Values against those that were learned: a set point that nobody would set or that creeps away, a measurement that leaves its range, jumps, stands still,
drifts away slowly or does not follow its set point any more.

How many values were learned decides how far from them is far. Counters, stocks, two states and what was always zero are not judged. Without a baseline it says
nothing. What it judges teaches it nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from math import floor, isfinite, log10
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from detectors.baseline.bounds import Bounds
from detectors.baseline.courses import Courses, Slow
from detectors.baseline.follows import Follow
from detectors.baseline.joining import Halves, Joining
from detectors.baseline.lately import Lately
from detectors.baseline.levels import WRITES, Level, Levels
from detectors.baseline.numbering import Encoded, numbered
from detectors.baseline.places import WHERE, Place, among_all, place_of
from detectors.baseline.signs import meant, written
from detectors.baseline.words import Word
from detectors.gathering import plain
from detectors.noticing import COLUMNS, TAG, Notice, Witness, among, compute, found, witness
from detectors.phrases import number, thing
from records.formats import HOUR, MINUTE
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from detectors.baseline.joining import Joined
    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

    Numbers = npt.NDArray[np.int64]

FORM: Final = 1  # of a saved state
CREEPS: Final = 5  # writes one after the other in one direction …
CREEPING: Final = HOUR  # … in this time
MOST_STEPS: Final = 20
MOST_OBSERVERS: Final = 64
STILL: Final = 10  # minutes that no point stands that always moves, and three times as long as it ever stood
MOST: Final = 16_384  # points that are written, the last ones
FEW: Final = 5  # values learned
OUTSIDE: Final = {"setpoint-outside": 40.0, "value-outside": 25.0}
FAR: Final = {"setpoint-outside": 30.0, "value-outside": 14.0}  # at most, for how far it is
EACH: Final = 10.0  # for once the room that there is
FEW_TERM: Final = -10.0
SEVERAL: Final = 3  # points of one device that stand still at once
SEVERAL_TERM: Final = 20.0
SLOW: Final = {"drifts": "value-drifts", "astray": "value-astray"}
SLOW_TERM: Final = 28.0
SLOW_FAR: Final = 10.0  # at most, for how far it is
TECHNIQUES: Final = {
    "setpoint-outside": ("T0836", "T0831"), "setpoint-creeps": ("T0836", "T0831"), "value-outside": ("T0831", "T0832"), "value-jumps": ("T0831", "T0832"),
    "values-stand": ("T0832", "T0856"), "value-drifts": ("T0831", "T0832"), "value-astray": ("T0831", "T0832"),
}  # fmt: skip
RESPOND: Final = {
    "setpoint-outside": ("ask", "back", "process"), "setpoint-creeps": ("ask", "back", "process"), "value-outside": ("process", "sensor", "writes"),
    "value-jumps": ("process", "sensor", "writes"), "values-stand": ("field", "sensor", "middle"), "value-drifts": ("process", "sensor", "writes"),
    "value-astray": ("process", "sensor", "writes"),
}  # fmt: skip


def build(setup: Setup) -> Value:
    """The detector, which names captures as the setup does."""
    return Value(setup.files)


class Step(NamedTuple):
    """One write of a set point."""

    value: float
    time: int
    witness: Witness


class Pause(NamedTuple):
    """A point that always moves did not from one minute to another."""

    observer: str
    number: int
    last: int
    until: int


@dataclass(slots=True)
class Moved:
    """By the number of a point that always moves: the last minute in which it did, and whether it was told that it stands."""

    last: Numbers
    still: npt.NDArray[np.bool_]


class Moving:
    """Points that always move, in columns."""

    def __init__(self, known: Mapping[Place, Level]) -> None:
        self.places = [place for place, level in known.items() if level.moves]
        self.numbers = {place: number for number, place in enumerate(self.places)}
        self.of = among_all(known, self.numbers)
        self.limit = np.array([max(STILL, 3 * known[place].still) for place in self.places], np.int64)
        self.names = list(dict.fromkeys(place.device for place in self.places))
        devices = {device: number for number, device in enumerate(self.names)}
        self.devices = np.array([devices[place.device] for place in self.places], np.int64)
        self.known = devices


class Value:
    """Judges points and what is written to them."""

    name = "value"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.forgotten = 0
        self.levels = Levels()
        self._lately = Lately()
        self._written: dict[str, list[Step]] = {}
        self._moving: Moving | None = None
        self._moved: dict[str, Moved] = {}  # by observer
        self._pauses: list[Pause] = []  # points may come before the reads of their minutes
        self._halves = Halves()
        self._joining: Joining | None = None
        self._courses: Courses | None = None
        self._bounds: Bounds | None = None

    def learn(self, batch: Batch) -> None:
        """What these points were and what was written is normal."""
        self.levels.learn(batch.points, batch.activities)
        self._moving = self._courses = self._bounds = self._joining = None

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of what is written, of points, and of those that stand still, each in the order of the rows."""
        if not self.levels.known:
            return []
        told = list(self._writes(batch.activities)) if batch.activities.num_rows else []
        told += self._points(self._joined().join(batch.points, self._halves)) if batch.points.num_rows else []
        return told + (list(self._stands(batch.activities)) if batch.activities.num_rows else [])

    def state(self) -> bytes:
        """What was learned, what was told, and what moved last; empty where nothing was learned."""
        if not self.levels.known:
            return b""
        known = [[*place, *asdict(level).values()] for place, level in self.levels.known.items()]
        learned = {
            "known": known, "shed": self.levels.shed, "follows": [[*one, *other, *each] for (one, other), each in self.levels.follows.items()],
            "words": [[*place, *word] for place, word in self.levels.words.known.items()],
        }  # fmt: skip
        moved = {observer: [each.last.tolist(), each.still.tolist()] for observer, each in self._moved.items()}
        slow = {"halves": self._halves.state(), "courses": self._slow().state()}
        seen = {"told": self._lately.told, "far": self._lately.far, "written": self._written, "moved": moved, "pauses": self._pauses, **slow}
        return json.dumps({"value": FORM, **learned, **seen}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        said: Any = json.loads(state) if state else {"value": FORM, "known": [], "shed": 0, "told": {}, "written": {}, "moved": {}, "pauses": []}
        try:
            if cast("Row", said)["value"] != FORM:
                raise ValueError("not the state of value")
            follows = {(Place(*each[:5]), Place(*each[5:10])): Follow(*each[10:]) for each in said.get("follows", [])}
            words = {Place(*each[:5]): Word(*each[5:]) for each in said.get("words", [])}
            self.levels = Levels({Place(*each[:5]): Level(*each[5:]) for each in said["known"]}, int(said["shed"]), follows, words)
            self._lately, self._bounds = Lately(said["told"], said.get("far")), None
            self._written = {key: [Step(value, time, Witness(*row)) for value, time, row in steps] for key, steps in said["written"].items()}
            self._moved = {observer: Moved(np.array(last, np.int64), np.array(still, bool)) for observer, (last, still) in said["moved"].items()}
            self._pauses, self._moving, self._joining = [Pause(*each) for each in said["pauses"]], None, None
            self._halves = Halves(said.get("halves", ()))
            self._courses = Courses(self.levels.known, follows)
            self._courses.revive(said.get("courses", {}))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError("not the state of value") from error

    def _writes(self, rows: Any) -> Iterator[Finding]:
        if WRITES.isdisjoint(Encoded.of(rows).column("ot.effect")[0]):
            return
        writes = compute.and_(among(rows, "ot.effect", WRITES), compute.is_valid(rows["ot.value"]))
        for row in plain(rows.select([*COLUMNS, "ot.value", *TAG]).filter(writes)):
            place = place_of(*(row[name] for name in WHERE))
            level = self.levels.known.get(place) if place else None
            if place is None or level is None or place in self.levels.words.halves or row["event.outcome"] == "failure":
                continue
            row["ot.value"] = written(level, row["ot.value"])
            outside = self._outside("setpoint-outside", place, level, (row["ot.value"], row["ot.value"]), row)
            yield from outside
            if not outside:
                yield from self._creeps(place, level, row)

    def _outside(self, rule: str, place: Place, level: Level, values: tuple[float, float], row: Row) -> list[Finding]:
        """A value beyond what was learned and the room around it."""
        room = level.room
        worst = max(values, key=lambda value: max(level.low - value, value - level.high))
        distance = max(level.low - worst, worst - level.high)
        if room is None or distance <= room or not self._news(rule, place, row, distance / room):
            return []
        terms = {"outside": OUTSIDE[rule], "far": round(min(FAR[rule], EACH * (distance / room - 1)), 1)} | ({"few": FEW_TERM} if level.seen < FEW else {})
        return [self._finding(rule, row, terms, level, worst, [witness(row)] if rule == "setpoint-outside" else [_point(row)])]

    def _creeps(self, place: Place, level: Level, row: Row) -> Iterator[Finding]:
        """Small steps, each no news, that lead out of the range."""
        value, time = row["ot.value"], row["event.start"]
        key = json.dumps([row["observer.name"], *place])
        steps = [step for step in self._written.pop(key, []) if time - step.time <= CREEPING]
        steps = [*(steps if _onwards(steps, value) else steps[-1:]), Step(value, time, witness(row))][-MOST_STEPS:]
        self._written[key] = steps
        if len(self._written) > MOST:
            del self._written[next(iter(self._written))]
            self.forgotten += 1
        outside = level.room is not None and not level.low <= value <= level.high
        if outside and len(steps) >= CREEPS and self._news("setpoint-creeps", place, row):
            yield self._finding("setpoint-creeps", row, {"steps": 40.0}, level, value, [step.witness for step in steps], len(steps))

    def _points(self, points: Joined) -> list[Finding]:
        """Points that leave their range or jump."""
        least, most, step, sides, usually, at_most = self._between().columns.take(points.levels, 1)
        meant(points.values, sides, usually, at_most)
        low, high = points.values[:2]
        odd = np.flatnonzero((low < least) | (high > most) | (high - low > step))
        self._move(points)
        shown: list[tuple[int, Row | Slow]] = [(slow.at, slow) for slow in self._slow().judge(points)]
        shown += zip(odd.tolist(), points.told(odd) if len(odd) else [], strict=True)
        in_order = sorted(shown, key=itemgetter(0))  # a block is over before the row that shows it
        return [finding for _, each in in_order for finding in (self._drifts(each, points.site) if isinstance(each, Slow) else self._point(each))]

    def _drifts(self, slow: Slow, site: str | None) -> Iterator[Finding]:
        """What the long run tells."""
        rule, level, (identity, begun, ended) = SLOW[slow.kind], self.levels.known[slow.place], slow.row
        about = _about(slow.place)
        row = dict.fromkeys(COLUMNS) | about | {"id": identity, "event.start": begun, "event.end": ended, "observer.name": slow.observer, "observer.site": site}
        row |= {"destination.ip": slow.place.device, "ot.unit": slow.place.unit, "ot.point.min": slow.value}
        if self._news(rule, slow.place, row, slow.beyond / (level.room or 1.0)):
            terms = {slow.kind: SLOW_TERM, "far": round(min(SLOW_FAR, SLOW_FAR * slow.beyond / (level.high - level.low)), 1)}
            more = {"setpoint": _about(slow.setpoint), "set": slow.set_to} if slow.setpoint else {}
            yield self._finding(rule, row, terms, level, slow.value, [_point(row)], more=more)

    def _point(self, row: Row) -> Iterator[Finding]:
        place = place_of(*(row[name] for name in WHERE))
        level = self.levels.known.get(place) if place else None
        if place is None or level is None:
            return
        row = dict.fromkeys(COLUMNS) | row
        low, high = row["ot.point.min"], row["ot.point.max"]
        least, most = self._slow().reach.get(place, (np.inf, -np.inf))  # it may go where its set point may be set
        outside = [] if least <= low and high <= most else self._outside("value-outside", place, level, (low, high), row)
        yield from outside
        inside = level.low <= low and high <= level.high
        if inside and high - low > self._between().of(place).step and self._news("value-jumps", place, row):
            yield self._finding("value-jumps", row, {"jumps": 25.0}, level, high - low, [_point(row)])

    def _move(self, points: Joined) -> None:
        """When each point that always moves did so last, and which stood before."""
        moving = self._always()
        which, minutes = moving.of[points.levels], points.start // MINUTE
        for observer, rows in points.observers.items():
            mine = rows[which[rows] >= 0]
            moved = self._moves(observer)
            order = np.lexsort((minutes[mine], which[mine]))
            number, minute = which[mine][order], minutes[mine][order]
            before, firsts = np.append(0, minute)[: len(minute)], np.append(True, np.diff(number) != 0)[: len(number)]
            before[firsts] = moved.last[number[firsts]]
            stood = np.flatnonzero((before > 0) & (minute - before > moving.limit[number]) & ~(firsts & moved.still[number])).tolist()
            self._pauses += [Pause(observer, int(number[at]), int(before[at]), int(minute[at])) for at in stood]
            moved.still[number] = False
            np.maximum.at(moved.last, number, minute)

    def _stands(self, rows: Any) -> Iterator[Finding]:
        """Points that stand still although their device is read."""
        moving = self._always()
        if not moving.places or not self._moved:
            return
        numbers, kinds = numbered(rows, ("ot.effect", "event.outcome", "source.ip", "destination.ip", "observer.name"))
        devices = [_read(kind) for kind in kinds]
        known = np.array([moving.known.get(device, -1) if device else -1 for device in devices], np.int64)
        minutes, newest = rows["event.start"].to_numpy().view(np.int64) // MINUTE, np.zeros(len(kinds), np.int64)
        np.maximum.at(newest, numbers, minutes)
        still: dict[tuple[int, str, int], list[int]] = {}  # by row, observer and device
        for observer, moved in self._moved.items():
            mine = (known >= 0) & np.array([(kind[-1] or "") == observer for kind in kinds])
            latest = np.zeros(len(moving.names), np.int64)
            np.maximum.at(latest, known[mine], newest[mine])
            ones = np.flatnonzero((moved.last > 0) & ~moved.still & (latest[moving.devices] - moved.last > moving.limit))
            moved.still[ones] = True
            open_now = [Pause(observer, number, int(moved.last[number]), 1 << 62) for number in ones.tolist()]
            ended = [each for each in self._pauses if each.observer == observer]
            for pause in (*open_now, *ended):
                device, due = int(moving.devices[pause.number]), pause.last + int(moving.limit[pause.number]) + 1
                shows = np.flatnonzero((mine & (known == device))[numbers] & (minutes >= due) & (minutes < pause.until))
                if len(shows):
                    still.setdefault((int(shows[0]), observer, device), []).append(pause.number)
            seen = int(newest[mine].max()) if mine.any() else 0
            self._pauses = [each for each in self._pauses if each.observer != observer or each.until > seen][-MOST:]
        for (at, _, device), ones in sorted(still.items()):
            yield from self._stood(plain(rows.select(list(COLUMNS)).slice(at, 1))[0], moving, device, ones)

    def _stood(self, row: Row, moving: Moving, device: int, ones: list[int]) -> Iterator[Finding]:
        fresh = [number for number in ones if self._news("values-stand", moving.places[number], row)]
        if not fresh:
            return
        many = int((moving.devices == device).sum())
        terms = {"stands": 25.0} | ({"several": SEVERAL_TERM} if len(fresh) >= SEVERAL and len(fresh) >= many / 2 else {})
        first = moving.places[fresh[0]]
        level = self.levels.known[first]
        yield self._finding("values-stand", row, terms, level, float(moving.limit[fresh[0]]), [witness(row)], len(fresh), _about(first))

    def _slow(self) -> Courses:
        if self._courses is None:
            self._courses = Courses(self.levels.known, self.levels.follows)
        return self._courses

    def _between(self) -> Bounds:
        if self._bounds is None:
            self._bounds = Bounds(self.levels.known)
        return self._bounds

    def _joined(self) -> Joining:
        if self._joining is None:
            self._joining = Joining(self.levels.known, self.levels.words.known)
        return self._joining

    def _always(self) -> Moving:
        if self._moving is None:
            self._moving = Moving(self.levels.known)
        return self._moving

    def _moves(self, observer: str) -> Moved:
        if observer not in self._moved:
            height = len(self._always().places)
            self._moved[observer] = Moved(np.zeros(height, np.int64), np.zeros(height, bool))
            if len(self._moved) > MOST_OBSERVERS:
                del self._moved[next(iter(self._moved))]
        return self._moved[observer]

    def _news(self, rule: str, place: Place, row: Row, far: float = 0.0) -> bool:
        return self._lately.news(rule, row["observer.name"], place, row["event.start"], far)

    def _finding(
        self,
        rule: str,
        row: Row,
        terms: Mapping[str, float],
        level: Level,
        value: float,
        seen: Sequence[Witness],
        count: int = 1,
        about: Row | None = None,
        more: Mapping[str, float | dict[str, Any]] | None = None,
    ) -> Finding:
        def values(language: str) -> dict[str, object]:
            told: dict[str, object] = {"object": thing(about or row, language), "value": number(value), "low": number(level.low), "high": number(level.high)}
            told |= {"least": number(level.least), "most": number(level.most)}
            told |= {name: thing(each, language) if isinstance(each, dict) else number(each) for name, each in (more or {}).items()}
            return told | {"count": count, "step": number(level.step), "seen": level.seen, "room": number(floored(level.room or 0.0)), "still": level.still}

        what = thing(about or row, "en")
        made = found(self.name, self._files, Notice(rule, row, seen, terms, TECHNIQUES[rule], RESPOND[rule], values, (what,)), _say)
        return replace(made, packets=(), effects=()) if "ot.point.min" in row else made  # what a point was is told by no single packet


def floored(value: float) -> float:
    """To three digits, and never more than it is: what stays within what is told is no finding."""
    if value <= 0 or not isfinite(value):
        return value
    digits = 2 - floor(log10(value))
    return floor(value * 10.0**digits) / 10.0**digits


def _about(place: Place) -> Row:
    """A point as rows have it."""
    about: Row = {"network.protocol": place.protocol, "ot.object.space": place.space}
    return about | ({"ot.object.first": place.thing} if isinstance(place.thing, int) else {"ot.object.name": place.thing})


def _onwards(steps: Sequence[Step], value: float) -> bool:
    """Does it go on in one direction?"""
    if not steps or steps[-1].value == value:
        return not steps
    return len(steps) == 1 or (steps[-1].value > steps[-2].value) == (value > steps[-1].value)


def _read(kind: Sequence[Any]) -> str | None:
    """The device that such a row tells values of."""
    effect, outcome, source, destination, _ = kind
    return destination if effect == "value.read" and outcome == "success" else source if effect == "value.report" else None


def _point(row: Row) -> Witness:
    return Witness(row["id"], 0, row["event.start"], row["event.end"], "value.read")


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"value.{key}", language, **words)
