"""What was normal before a finding, as far as the store knows it: the values of the point that it is about, and who did the same to the same device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards.queries import extent, listed
from detectors.phrases import ACTING
from records.formats import DAY, MINUTE
from records.query import Query, Terms
from records.search import And, Exists, Match, Not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.search import Condition
    from records.store.contract import Store

Row = dict[str, Any]
LOOKED_BACK: Final = 90 * DAY
AFTER: Final = 10 * MINUTE  # how long after the last activity values are still "now"
MOST_VALUES: Final = 400  # windows of one point
_MOST_DOERS: Final = 1_000
MOST_TRIED: Final = 5  # activities whose point is looked for
WINDOW: Final = MINUTE  # of a point
SAME_POINT: Final = ("network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did it: its address and name, how often before and how often now."""

    address: str
    name: str
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal against now. `about` is the activity that it is told of, `since` where looking back begins, `start` and `end` the time of the alert.

    `values`: (time, low, high, last) of the point in each window before, `now`: (time, value, written) since; both empty where no value was set.
    `doers` did the same to the same device; None where nothing of before is stored at all.
    """

    about: Row
    since: int
    start: int
    end: int
    values: list[tuple[int, float, float, float]]
    now: list[tuple[int, float, bool]]
    doers: list[Doer] | None


def normal(store: Store, activities: Sequence[Row], start: int, end: int) -> Normal | None:
    """What the alert of these activities is to be compared with; None where they name no device that was asked by address."""
    able = [row for row in activities if row["destination.ip"] and row["ot.effect"]]
    if not able:
        return None
    acting = [row for row in able if row["ot.access"] in ACTING]
    valued = [row for row in acting if row["ot.value"] is not None and row["ot.object.first"] is not None]
    about, seen = next(((row, seen) for row in valued[:MOST_TRIED] if (seen := _since(store, row, end)) is not None), (None, None))
    whole = extent(store)
    since = max(whole.since if whole else start, start - LOOKED_BACK)
    told = about or next(iter(acting), able[0])
    doers = _doers(store, told, since, start, end) if since < start - MINUTE else None
    if about is None or seen is None:
        return Normal(told, since, start, end, [], [], doers)
    same = [row for row in valued if all(row[name] == about[name] for name in (*SAME_POINT, "destination.ip"))]
    now = sorted([*((time, last, False) for time, _low, _high, last in seen), *((int(row["@timestamp"]), float(row["ot.value"]), True) for row in same)])
    return Normal(about, since, start, end, before(store, about, since), now[:MOST_VALUES], doers)


def before(store: Store, about: Row, since: int | None = None) -> list[tuple[int, float, float, float]]:
    """The values of an activity's point in the windows that had ended when it was done, the newest of them, in the order of time."""
    start = int(about["@timestamp"])
    rows_of = _points(store, about, start - LOOKED_BACK if since is None else since, start)
    return [_value(row, "@timestamp") for row in rows_of if int(row["event.end"]) < start]


def _since(store: Store, about: Row, end: int) -> list[tuple[int, float, float, float]] | None:
    """Its values since, by the end of their windows. None where a command's value is never seen: then it is a code for what to do, and no value."""
    start = int(about["@timestamp"])
    seen = [_value(row, "event.end") for row in _points(store, about, start - WINDOW, end + AFTER) if int(row["event.end"]) >= start]
    taken = about["ot.access"] != "command" or any(about["ot.value"] in values for _time, *values in seen)
    return seen if taken else None


def _value(row: Row, time: str) -> tuple[int, float, float, float]:
    return int(row[time]), float(row["ot.point.min"]), float(row["ot.point.max"]), float(row["ot.point.last"])


def _points(store: Store, about: Row, since: int, until: int) -> list[Row]:
    """The windows of its point that have values, in the order of time."""
    where: list[Condition] = [Match("destination.ip", about["destination.ip"])]
    where += [Not(Exists(name)) if about[name] is None else Match(name, about[name], cased=isinstance(about[name], str)) for name in SAME_POINT]
    found = listed(store.read("point", Query(since, until, And(tuple(where)), "-@timestamp", MOST_VALUES)))
    return [row for row in reversed(found) if row["ot.point.last"] is not None]


def _doers(store: Store, about: Row, since: int, start: int, end: int) -> list[Doer]:
    """Who asked this device for this effect, before and now: those of now first, then the most frequent."""
    where = And((Match("destination.ip", about["destination.ip"]), Match("ot.effect", about["ot.effect"], cased=True)))
    counts: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for place, (low, high) in enumerate(((since, start), (start, end + 1))):
        asked = Terms(("source.ip", "source.asset.name"), size=_MOST_DOERS, total="ot.count")
        for row in listed(store.terms("activity", Query(low, high, where), asked)):
            if address := row["source.ip"]:
                counts.setdefault(address, [0, 0])[place] += int(row["total"] or 0)
                names[address] = str(row["source.asset.name"] or names.get(address) or address)
    told = [Doer(address, names[address], *both) for address, both in counts.items()]
    return sorted(told, key=lambda each: (each.now == 0, -each.now - each.before, each.address))
