"""What was normal before a finding, as far as the store knows it: the values of the point that it is about, and who did the same to the same device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from dashboards.formats import DAY, MINUTE
from dashboards.queries import extent, frame, rows
from detectors.phrases import ACTING
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
MOST_DOERS: Final = 6
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

    `values`: (time, low, high, last) of the point in each window before, `now`: (time, value, written) since. `doers` did the same to the same device;
    None where nothing of before is stored at all.
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
    valued = [row for row in able if row["ot.value"] is not None and row["ot.object.first"] is not None and row["ot.access"] in ACTING]
    about = next(iter(valued), None) or next((row for row in able if row["ot.access"] in ACTING), able[0])
    whole = extent(store)
    since = max(whole.since if whole else start, start - LOOKED_BACK)
    doers = _doers(store, about, since, start, end) if since < start - MINUTE else None
    if not valued:
        return Normal(about, since, start, end, [], [], doers)
    first = int(about["@timestamp"])
    same = [row for row in valued if all(row[name] == about[name] for name in (*SAME_POINT, "destination.ip"))]
    now = [(time, high, False) for time, _low, high, _last in _points(store, about, first, end + AFTER)]
    now += [(int(row["@timestamp"]), float(row["ot.value"]), True) for row in same]
    return Normal(about, since, start, end, before(store, about, since), sorted(now)[:MOST_VALUES], doers)


def before(store: Store, about: Row, since: int | None = None) -> list[tuple[int, float, float, float]]:
    """The values of an activity's point in the windows that had ended when it was done, the newest of them, in the order of time."""
    start = int(about["@timestamp"])
    return _points(store, about, start - LOOKED_BACK if since is None else since, start, ended=start)


def _points(store: Store, about: Row, since: int, until: int, ended: int | None = None) -> list[tuple[int, float, float, float]]:
    where: list[Condition] = [Match("destination.ip", about["destination.ip"])]
    where += [Not(Exists(name)) if about[name] is None else Match(name, about[name], cased=isinstance(about[name], str)) for name in SAME_POINT]
    found = rows(frame(store.read("point", Query(since, until, And(tuple(where)), "-@timestamp", MOST_VALUES))))
    told = [row for row in found if row["ot.point.last"] is not None and (ended is None or int(row["event.end"]) < ended)]
    ends = ("ot.point.min", "ot.point.max", "ot.point.last")
    values = [(int(row["@timestamp"]), *(float(row[name]) for name in ends)) for row in reversed(told)]
    return cast("list[tuple[int, float, float, float]]", values)


def _doers(store: Store, about: Row, since: int, start: int, end: int) -> list[Doer]:
    """Who asked this device for this effect, before and now: those of now first, then the most frequent."""
    where = And((Match("destination.ip", about["destination.ip"]), Match("ot.effect", about["ot.effect"], cased=True)))
    counts: dict[str, list[int]] = {}
    names: dict[str, str] = {}
    for place, (low, high) in enumerate(((since, start), (start, end + 1))):
        asked = Terms(("source.ip", "source.asset.name"), size=50, total="ot.count")
        for row in rows(frame(store.terms("activity", Query(low, high, where), asked))):
            if address := row["source.ip"]:
                counts.setdefault(address, [0, 0])[place] += int(row["total"] or 0)
                names[address] = str(row["source.asset.name"] or names.get(address) or address)
    told = [Doer(address, names[address], *both) for address, both in counts.items()]
    return sorted(told, key=lambda each: (each.now == 0, -each.now - each.before, each.address))[:MOST_DOERS]
