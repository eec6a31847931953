"""What one asset does: with whom, which effects on which objects, in which rhythm and range of values; and what differs between two periods, in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, Final

from detectors.noticing import TAG
from detectors.phrases import ACTING, action, done, listed, number, thing, who
from detectors.tally import Tally
from records.facts import TOLD, current
from records.model import Text
from records.schema import POINT
from records.search import And, Exists, Match, Not, Or
from records.store.columns import flat
from records.wording import LANGUAGES, role_words, say, say_or
from sensors.statements import is_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from records.facts import Fact
    from records.query import Span
    from records.search import Condition
    from records.store.contract import Store

Row = dict[str, Any]

MOST: Final = 2000  # habits, and points; what is rarest is left out and counted
RANGES: Final = 16  # objects of one kind with one peer that are told one by one; more are told as how many there are
RHYTHM: Final = 1.5  # a rhythm that is so many times slower or faster is another one
OFTEN: Final = 3  # of a rhythm one speaks from so many operations on
PEER: Final = ("ip", "mac", "asset.name", "asset.id")
OBJECT: Final = ("ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last")
KIND: Final = ("network.protocol", "ot.effect", "ot.access", "event.action")


@dataclass(frozen=True, slots=True)
class Habit:
    """One thing that an asset does (`side` source) or is asked (`side` destination). `row` puts it into words; `every`: seconds between two, as a rule."""

    side: str
    key: tuple[Any, ...]
    row: Row
    count: int
    refused: int
    every: float | None
    low: float | None
    high: float | None
    first: int
    last: int
    ranges: int = 1
    by: bool = False  # only the operation tells it from another one
    whole: bool = True  # `low` and `high` hold for all of its operations, not for some alone

    def words(self, language: str) -> str:
        """ "reads register 40040–40043 of PLC-7, unit 3, every 1 s, 60 times"."""
        other = "destination" if self.side == "source" else "source"
        everybody = is_group(self.row.get(f"{other}.ip") or self.row.get(f"{other}.mac") or "")
        peer = say("detectors.phrase.everybody", language) if everybody else who(self.row, other, language)
        what = self._ranges(language) if self.ranges > 1 else thing(self.row, language)
        unit = self.row.get("ot.unit")
        form = f"fingerprint.{self.side}_told" if self.row["ot.access"] == "report" else f"fingerprint.{self.side}"
        parts = [say(form, language, peer=peer, deed=done(self.row, language))]
        parts += [what] if what else []
        parts += [say("fingerprint.by", language, action=action(self.row, language))] if self.by and self.ranges == 1 else []
        parts += [say("fingerprint.unit", language, unit=unit)] if unit is not None else []
        parts += [say("fingerprint.every", language, every=_seconds(self.every))] if self.every is not None and self.count >= OFTEN else []
        parts += [say("fingerprint.values", language, values=_range(self.low, self.high, self.row))] if self.low is not None and self.whole else []
        parts += [say("fingerprint.refused", language, count=self.refused)] if self.refused else []
        return say("fingerprint.comma", language).join([*parts, say("fingerprint.times", language, count=self.count)])

    def _ranges(self, language: str) -> str:
        """Very many objects, and by which operation, as nothing else tells two such habits apart."""
        if not self.row.get("event.action") or action(self.row, language) == done(self.row, language):
            tried = self.row["ot.effect"] == "unknown" and self.refused == self.count
            return say("fingerprint.functions" if tried else "fingerprint.ranges", language, count=self.ranges)
        return say("fingerprint.ranges_by", language, count=self.ranges, action=action(self.row, language))


@dataclass(frozen=True, slots=True)
class PointRange:
    """The values of one point: least, most, and how often it changed."""

    key: tuple[Any, ...]
    row: Row
    low: float
    high: float
    changes: int

    def words(self, language: str) -> str:
        """ "register 40018: 2–9.5 rpm, 14 changes"."""
        values = _range(self.low, self.high, self.row)
        form = "fingerprint.point.one" if self.changes == 1 else "fingerprint.point.many"
        told = say(form, language, object=thing(self.row, language), values=values, changes=self.changes)
        return say("fingerprint.listed", language, told=told, listed=words) if (words := listed(self.row, language)) else told


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an asset did in a period; `rows` tells how many activities that is, `left_out` how many habits and points are not told."""

    period: Span
    habits: tuple[Habit, ...]
    points: tuple[PointRange, ...]
    rows: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was. `kind`: fact, new, gone, objects, spread, rhythm, written, refusals, point_values."""

    kind: str
    text: Text


def fingerprint(store: Store, identities: Sequence[str], addresses: Sequence[str], period: Span) -> Fingerprint:
    """The fingerprint of the asset with these identities and IP addresses. Nothing of it loads a whole store."""
    found: list[Habit] = []
    rows = 0
    for side, other in (("source", "destination"), ("destination", "source")):
        where = _any(f"{side}.asset.id", identities)
        if side == "destination":  # what it asks of itself is told once
            where = And((where, Not(_any("source.asset.id", identities))))
        tally = Tally([f"{other}.{name}" for name in PEER], KIND, OBJECT, RANGES)
        for part in store.history("activity", period.query(where), tally.fields, ordered=False):
            tally.add(part)
        rows += tally.rows
        found += [_habit(side, other, row) for row in tally.summed()]
    _name_peers(store, (habit.row for habit in found))
    habits = told_apart(sorted(_collapsed(found), key=lambda habit: (-habit.count, str(habit.key))))
    points = _points(store, addresses, period)
    left_out = max(0, len(habits) - MOST) + max(0, len(points) - MOST)
    return Fingerprint(period, tuple(habits[:MOST]), tuple(points[:MOST]), rows, left_out)


def _collapsed(habits: Sequence[Habit]) -> list[Habit]:
    """Where one peer tries very many unknown functions and is refused, one habit that counts them."""
    groups: dict[tuple[Any, ...], list[Habit]] = {}
    for habit in habits:
        tried = habit.row["ot.effect"] == "unknown" and habit.refused == habit.count
        groups.setdefault((*habit.key[: 1 + len(KIND)], None) if tried else habit.key, []).append(habit)
    return [each for key, group in groups.items() for each in (group if len(group) <= RANGES else [_as_one(key, group)])]


def _as_one(key: tuple[Any, ...], group: Sequence[Habit]) -> Habit:
    row = {**group[0].row, **dict.fromkeys((*OBJECT, *TAG, "event.action"))}
    count, first, last = sum(habit.count for habit in group), min(habit.first for habit in group), max(habit.last for habit in group)
    return replace(group[0], key=key, row=row, count=count, refused=count, every=None, first=first, last=last, ranges=sum(habit.ranges for habit in group))


def told_apart(habits: Sequence[Habit]) -> list[Habit]:
    """Habits, with the operation where nothing else tells two of them apart: a register that is written alone and one of several."""

    def else_same(habit: Habit) -> tuple[Any, ...]:
        return (habit.side, habit.key[1], *(habit.row[name] for name in KIND[:-1]), habit.row["ot.unit"], thing(habit.row, "en"))

    same = [else_same(habit) for habit in habits]
    alike = Counter(same)
    return [replace(habit, by=True) if alike[each] > 1 else habit for habit, each in zip(habits, same, strict=True)]


def _any(field: str, values: Iterable[str]) -> Condition:
    return Or(tuple(Match(field, value, cased=True) for value in values))


def _name_peers(store: Store, rows: Iterable[Row]) -> None:
    """Who is known by a MAC address in a row (as in ARP) is an asset that has a name."""

    @cache
    def name(identity: str) -> str | None:
        return (store.get("asset", identity) or {}).get("name")

    for row in rows:
        for side in ("source", "destination"):
            if row.get(f"{side}.mac") and not row.get(f"{side}.ip") and row.get(f"{side}.asset.id"):
                row[f"{side}.asset.name"] = name(row[f"{side}.asset.id"]) or row[f"{side}.asset.name"]


def _widen(known: Row, low: float | None, high: float | None) -> None:
    if low is not None and high is not None:
        known["low"] = low if known["low"] is None else min(known["low"], low)
        known["high"] = high if known["high"] is None else max(known["high"], high)


def _habit(side: str, other: str, row: Row) -> Habit:
    """What rows of one kind come to; very many objects of one kind with one peer are one habit, which counts them."""
    whole = [*KIND, *(() if row["collapsed"] else OBJECT)]
    key = (side, row[f"{other}.ip"] or row[f"{other}.mac"], *(row[name] for name in whole))
    if row["collapsed"]:
        row |= dict.fromkeys((*OBJECT, *TAG))
    measured = (row[name] for name in ("count", "refused", "every", "low", "high", "first", "last"))
    return Habit(side, key, row, *measured, ranges=row["ranges"], whole=not row["silent"])


def _points(store: Store, addresses: Sequence[str], period: Span) -> list[PointRange]:
    fields = ["destination.ip", "network.protocol", *OBJECT[:-1], "ot.point.min", "ot.point.max", "ot.point.changes", *TAG]
    found: dict[tuple[Any, ...], Row] = {}
    where = And((_any("destination.ip", addresses), Exists("ot.point.min"))) if addresses else None
    if where is None:
        return []
    for part in store.history("point", period.query(where), fields, ordered=False):
        for row in flat(POINT, part):
            key = tuple(row[name] for name in ("network.protocol", *OBJECT[:-1]))
            known = found.setdefault(key, {**row, "low": None, "high": None, "changes": 0})
            _widen(known, row["ot.point.min"], row["ot.point.max"])
            known["changes"] += row["ot.point.changes"] or 0
    points = [PointRange(key, row, row["low"], row["high"], row["changes"]) for key, row in found.items()]
    return sorted(points, key=lambda point: (-point.changes, str(point.key)))


def differences(before: Fingerprint, after: Fingerprint) -> list[Difference]:
    """What is new, what is gone, what is slower, faster, refused or out of its range; what acts on the plant first, of values those furthest out."""
    old, new = ({habit.key: habit for habit in each.habits} for each in (before, after))
    gone, come = ({key: habit for key, habit in one.items() if key not in other} for one, other in ((old, new), (new, old)))
    found = [*_elsewhere(gone, come), *_more(gone, come)]
    found += [(habit, _told("new", habit.words)) for habit in come.values()]
    found += [(habit, _told("gone", habit.words)) for habit in gone.values()]
    found += [(habit, each) for key, habit in new.items() if key in old for each in _changed(old[key], habit)]
    found.sort(key=lambda each: each[0].row["ot.access"] not in ACTING)
    was = {point.key: point for point in before.points}
    moved = sorted((point for point in after.points if point.key in was), key=lambda point: -_beyond(was[point.key], point))
    return [each for _, each in found] + [each for point in moved for each in _moved(was[point.key], point)]


def _elsewhere(gone: dict[tuple[Any, ...], Habit], come: dict[tuple[Any, ...], Habit]) -> list[tuple[Habit, Difference]]:
    """Habits that are the same but for where the object begins or ends; both are taken out. Of several nobody can tell which became which."""
    places: list[dict[tuple[Any, ...], list[Habit]]] = [{}, {}]
    for each, habits in zip(places, (gone, come), strict=True):
        for habit in habits.values():
            if not _is_collapsed(habit) and habit.row["ot.object.first"] is not None:
                each.setdefault(habit.key[:-2], []).append(habit)
    found: list[tuple[Habit, Difference]] = []
    for place, olds in places[0].items():
        news = places[1].get(place, [])
        if len(olds) == len(news) == 1:
            (old,), (new,) = olds, news
            del gone[old.key], come[new.key]
            texts = (
                say("fingerprint.objects", language, was=thing(old.row, language), now=thing(new.row, language), what=new.words(language))
                for language in LANGUAGES
            )
            found.append((new, Difference("objects", Text(*texts))))
    return found


def _more(gone: dict[tuple[Any, ...], Habit], come: dict[tuple[Any, ...], Habit]) -> list[tuple[Habit, Difference]]:
    """Few objects of a kind that became very many, or very many that became few; all of them are taken out."""
    found: list[tuple[Habit, Difference]] = []
    for wide, others, grown in ((come, gone, True), (gone, come, False)):
        for habit in [each for each in wide.values() if _is_collapsed(each)]:
            few = [each for key, each in others.items() if key[: len(habit.key)] == habit.key]
            if few:
                del wide[habit.key]
                for each in few:
                    del others[each.key]
                counts = sum(each.ranges for each in few), habit.ranges
                was, now = counts if grown else counts[::-1]
                found.append((habit, _change("spread", (habit if grown else few[0]).words, f"{was:,}", f"{now:,}")))
    return found


def _is_collapsed(habit: Habit) -> bool:
    """Does it stand for very many objects?"""
    return len(habit.key) == 2 + len(KIND)


def told_otherwise(facts: Sequence[Fact], before: Span, after: Span) -> list[Difference]:
    """What is known of the asset in both periods and is not the same: a firmware that was updated, a role that it took on."""
    was, now = ({name: fact.value for name, fact in current(_within(facts, period)).items()} for period in (before, after))
    names = [name for name in ("name", *TOLD) if name in was and name in now and was[name] != now[name]]
    return [Difference("fact", Text(*(_fact(name, was[name], now[name], language) for language in LANGUAGES))) for name in names]


def _within(facts: Sequence[Fact], period: Span) -> list[Fact]:
    """What was said in a period, or before it and again after."""
    return [fact for fact in facts if fact.first < period.until and fact.last >= period.since]


def _fact(name: str, was: str, now: str, language: str) -> str:
    was, now = (role_words(value, language) if name == "role" else value for value in (was, now))
    return say("fingerprint.fact", language, fact=say_or(f"fact.{name}", language, name), was=was, now=now)


def _told(kind: str, words: Callable[[str], str]) -> Difference:
    return Difference(kind, Text(*(say(f"fingerprint.{kind}", language, what=words(language)) for language in LANGUAGES)))


def _changed(old: Habit, new: Habit) -> list[Difference]:
    found: list[Difference] = []
    if old.every and new.every and min(old.count, new.count) >= OFTEN and not 1 / RHYTHM < new.every / old.every < RHYTHM:
        found.append(_change("rhythm", new.words, _seconds(old.every), _seconds(new.every)))
    if _is_out(old, new):
        kind = "written" if new.row["ot.access"] in ACTING else "point_values"
        found.append(_change(kind, new.words, _range(old.low, old.high, old.row), _range(new.low, new.high, new.row)))
    if _is_collapsed(new) and _is_collapsed(old) and not 1 / RHYTHM < new.ranges / old.ranges < RHYTHM:
        found.append(_change("spread", new.words, f"{old.ranges:,}", f"{new.ranges:,}"))
    if new.refused and not old.refused:
        found.append(_told("refusals", new.words))
    return found


def _is_out(old: Habit, new: Habit) -> bool:
    """Is a value out of what they were? Of the new ones some will do; the old ones must hold for all, or nobody knows that it was never there."""
    if new.low is None or new.high is None or old.low is None or old.high is None:
        return False
    return old.whole and (new.low < old.low or new.high > old.high)


def _beyond(old: PointRange, new: PointRange) -> float:
    """How far values are out of what they were, in lengths of that; without end where it was one value."""
    out = max(old.low - new.low, 0) + max(new.high - old.high, 0)
    return out / (old.high - old.low) if old.high > old.low else inf if out else 0


def _moved(old: PointRange, new: PointRange) -> list[Difference]:
    if new.low >= old.low and new.high <= old.high:
        return []
    return [_change("point_values", lambda language: thing(new.row, language), _range(old.low, old.high, old.row), _range(new.low, new.high, new.row))]


def _change(kind: str, words: Callable[[str], str], was: str, now: str) -> Difference:
    return Difference(kind, Text(*(say(f"fingerprint.{kind}", language, what=words(language), was=was, now=now) for language in LANGUAGES)))


def _seconds(value: float | None) -> str:
    return f"{value:.3g} s"


def _range(low: float | None, high: float | None, row: Row) -> str:
    unit = f" {row['ot.tag.unit']}" if row.get("ot.tag.unit") else ""
    return f"{number(low)}{unit}" if low == high else f"{number(low)}–{number(high)}{unit}"
