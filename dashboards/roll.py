"""The piano roll: objects of devices over time. Who only looks becomes runs, who acts is told one by one; bounded, whatever the store holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from dashboards.explorer import acting, looking
from dashboards.queries import listed
from detectors.phrases import ACTING
from records.query import Terms
from records.search import And, Condition, Exists, Match, Not, Or

if TYPE_CHECKING:
    import numpy as np

    from records.query import Span
    from records.store.contract import Store

COMPUTE: Final[Any] = pyarrow.compute  # its stubs know half of the types
KEY: Final = ("destination.ip", "destination.mac", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last")
MOST: Final = 24  # rows of the roll, 16 of them for what was acted on
ACTED: Final = 16
STEPS: Final = 360  # of the time
MOST_MARKS: Final = 4_600
MOST_ALERTS: Final = 200
MOST_READ: Final = 400_000
MOST_KNOWN: Final = 1_000
MOST_LOOKED: Final = 1_000_000  # activities of the time; in one with more, who looks is a grey field without a gap, and only what acted is drawn
_SEEN: Final = ("id", "event.start", "event.end", "ot.access", "ot.count", *KEY, "destination.asset.name", "ot.tag.name")
_PLACE: Final = ("destination.ip", "destination.mac", "ot.unit", "ot.object.space")


@dataclass(slots=True)
class Roll:
    """`objects`: columns that name each row. `marks`: (row, start, end, access, operations). `alerts`: (row, start, end, severity, alert).

    `known`: how many objects there would be, of each kind MOST_KNOWN at most. `cut`: whether activities or marks were left out; `acts`: whether all that looks.
    """

    objects: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    marks: list[tuple[int, int, int, str, int]] = field(default_factory=list[tuple[int, int, int, str, int]])
    alerts: list[tuple[int, int, int, int, str]] = field(default_factory=list[tuple[int, int, int, int, str]])
    known: int = 0
    cut: bool = False
    acts: bool = False


def roll(store: Store, span: Span, where: Condition) -> Roll:
    """The roll of the activities that match: first what was acted on, then what was looked at most."""
    much = store.count("activity", span.query()) > MOST_LOOKED
    acted, seen = _objects(store, span, And((where, acting()))), [] if much else _objects(store, span, And((where, looking())))
    chosen = acted[: ACTED if len(seen) > MOST - ACTED else MOST]
    chosen += [each for each in seen if each not in chosen][: MOST - len(chosen)]
    made = Roll(sorted(chosen, key=_order), known=len({_order(each): None for each in (*acted, *seen)}), acts=much)
    if not chosen:
        return made
    # Of much, what acts is little: to look at the devices alone is then faster than to look at every place in them.
    activity = _read(store, span, And((where, acting(), _places(chosen, _PLACE[:2])) if much else (where, _places(chosen, _PLACE))), made)
    _mark(made, span, activity, _blamed(store, span))
    return made


def _objects(store: Store, span: Span, where: Condition) -> list[dict[str, Any]]:
    """The objects that most operations were about."""
    found = listed(store.terms("activity", span.query(where), Terms(KEY, MOST_KNOWN, "ot.count")))
    return [{name: row[name] for name in KEY} for row in found]


def _order(each: dict[str, Any]) -> tuple[Any, ...]:
    """Where an object stands: devices by their addresses as numbers, 10.0.0.9 before 10.0.0.10."""
    return (_address(each["destination.ip"]), *(_part(name, each[name]) for name in KEY))


def _part(name: str, value: Any) -> Any:
    return (value is None, value if value is not None else 0) if name.endswith(("unit", "first", "last")) else str(value or "")


def _address(text: str | None) -> tuple[int, int]:
    try:
        address = ip_address(text or "")
    except ValueError:
        return 9, 0
    return address.version, int(address)


def _places(chosen: list[dict[str, Any]], names: tuple[str, ...]) -> Condition:
    places = {tuple(each[name] for name in names): each for each in chosen}
    return Or(tuple(And(tuple(_is(name, each[name]) for name in names if name != "destination.mac" or not each["destination.ip"])) for each in places.values()))


def _is(name: str, value: Any) -> Condition:
    return Not(Exists(name)) if value is None else Match(name, value, cased=True)


def _read(store: Store, span: Span, where: Condition, made: Roll) -> pa.Table:
    parts: list[pa.Table] = []
    used = 0
    for part in store.history("activity", span.query(where), _SEEN, ordered=False):
        parts.append(part.select(list(_SEEN)))
        used += part.num_rows
        if used >= MOST_READ:
            made.cut = True
            break
    return pa.concat_tables(parts) if parts else pa.table({name: [] for name in _SEEN})


def _blamed(store: Store, span: Span) -> dict[str, tuple[int, str]]:
    """Activities of the gravest findings of the span: identity → severity and alert."""
    found = listed(store.read("finding", span.query(Exists("alert"), "-severity", MOST_ALERTS)))
    blamed: dict[str, tuple[int, str]] = {}
    for row in found:
        for identity in row["activities"] or ():
            blamed.setdefault(str(identity), (int(row["severity"]), str(row["alert"])))
    return blamed


def _mark(made: Roll, span: Span, activity: pa.Table, blamed: dict[str, tuple[int, str]]) -> None:
    """Fill in the marks and what alerts are about."""
    if not activity.num_rows:
        return
    step = max(1, -(-span.length // STEPS))
    acts = COMPUTE.or_(COMPUTE.is_null(activity["ot.access"]), COMPUTE.is_in(activity["ot.access"], pa.array(sorted({*ACTING, "unknown"}))))
    accused = COMPUTE.is_in(activity["id"], pa.array(list(blamed), pa.string()))
    told: list[tuple[int, int, int, str, int]] = []
    for place, each in enumerate(made.objects):
        mine = _covers(activity, each)
        _name(each, activity.filter(mine))
        looks = activity.filter(COMPUTE.and_(mine, COMPUTE.invert(acts)))
        for access in sorted(map(str, looks["ot.access"].unique().to_pylist())):
            made.marks += _runs(place, span, step, access, looks.filter(COMPUTE.equal(looks["ot.access"], access)))
        told += _told(place, span, step, activity.filter(COMPUTE.and_(mine, acts)))
        for row in listed(activity.filter(COMPUTE.and_(mine, accused)).slice(0, MOST_ALERTS)):
            severity, alert = blamed[row["id"]]
            made.alerts.append((place, int(row["event.start"]), int(row["event.end"]), severity, alert))
    made.cut = made.cut or len(told) + len(made.marks) > MOST_MARKS or len(made.alerts) > MOST_ALERTS
    made.alerts = sorted(made.alerts, key=lambda each: (-each[3], each))[:MOST_ALERTS]
    made.marks = [*told[:MOST_MARKS], *made.marks[: max(0, MOST_MARKS - len(told))]]


def _covers(activity: pa.Table, each: dict[str, Any]) -> Any:
    """Which activities are about this object, or about a range that holds it."""
    same = [name for name in KEY if name not in {"ot.object.first", "ot.object.last"}]
    here = [COMPUTE.is_null(activity[name]) if each[name] is None else COMPUTE.fill_null(COMPUTE.equal(activity[name], each[name]), False) for name in same]
    found = reduce(COMPUTE.and_, here)
    first, last = each["ot.object.first"], each["ot.object.last"]
    if first is None:
        return COMPUTE.and_(found, COMPUTE.is_null(activity["ot.object.first"]))
    ends = COMPUTE.coalesce(activity["ot.object.last"], activity["ot.object.first"])
    inside = COMPUTE.and_(COMPUTE.less_equal(activity["ot.object.first"], first), COMPUTE.greater_equal(ends, first if last is None else last))
    return COMPUTE.and_(found, COMPUTE.fill_null(inside, False))


def _name(each: dict[str, Any], activity: pa.Table) -> None:
    """What the device and the object are called in the newest of its activities that names them."""
    exact = activity
    for end in ("ot.object.first", "ot.object.last"):  # a wider range has names of other objects, too
        if each[end] is not None:
            exact = exact.filter(COMPUTE.equal(exact[end], each[end]))
    for name, told in (("destination.asset.name", activity), ("ot.tag.name", exact)):
        named = told.filter(COMPUTE.is_valid(told[name]))
        each[name] = named[name][int(_times(named)[0].argmax())].as_py() if named.num_rows else None


def _times(activity: pa.Table) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    start, end = (activity[name].cast(pa.int64()).to_numpy() for name in ("event.start", "event.end"))
    count = np.asarray(COMPUTE.fill_null(activity["ot.count"], 1).to_numpy(), np.int64)
    return start, end, count


def _runs(place: int, span: Span, step: int, access: str, activity: pa.Table) -> list[tuple[int, int, int, str, int]]:
    """Unbroken stretches of looking, to a step of time, with the operations in them."""
    import numpy as np

    start, end, count = _times(activity)
    first, last = (np.clip((each - span.since) // step, 0, STEPS - 1) for each in (start, end))
    edges, total = np.zeros(STEPS + 1, np.int64), np.zeros(STEPS, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    np.add.at(total, first, count)
    seen = np.concatenate(([0], (np.cumsum(edges)[:-1] > 0).astype(np.int8), [0]))
    turns = np.flatnonzero(np.diff(seen))
    return [
        (place, span.since + int(low) * step, min(span.until, span.since + int(high) * step), access, int(total[low:high].sum()))
        for low, high in zip(turns[::2], turns[1::2], strict=True)
    ]


def _told(place: int, span: Span, step: int, activity: pa.Table) -> list[tuple[int, int, int, str, int]]:
    """Acts one by one; those of one access that fall into one step are one mark."""
    if not activity.num_rows:
        return []
    start, end, count = _times(activity)
    made: dict[tuple[int, str], list[int]] = {}
    for since, until, number, access in zip(start.tolist(), end.tolist(), count.tolist(), activity["ot.access"].to_pylist(), strict=True):
        mark = made.setdefault(((since - span.since) // step, str(access or "unknown")), [since, until, 0])
        mark[0], mark[1], mark[2] = min(mark[0], since), max(mark[1], until), mark[2] + number
    return [(place, since, until, access, number) for (_, access), (since, until, number) in sorted(made.items())]
