"""What the page of activities asks of the store: lists, counts over time and by field, rows of a piano roll, one point's values. Every question is bounded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from dashboards.inventory import OBJECT, identities, ip_addresses
from dashboards.keeping import kept, windows
from dashboards.queries import frame, interval_of, listed
from detectors.phrases import ACTING
from records.formats import DAY
from records.query import Histogram, Span, Terms
from records.schema import ACTIVITY, POINT
from records.search import And, Condition, Exists, Match, Not, Or, Range, parse

if TYPE_CHECKING:
    import pandas as pd

    from records.store.contract import Store

TABLE: Final = ("activity",)
PAGE: Final = 50
MOST_VALUES: Final = 15
MOST_POINTS: Final = 200
COLUMNS: Final = 360  # of a chart of values
_MOST_ROWS: Final = 400_000  # of a point that are read for one chart
# Fields by which activities are counted; any other can be searched.
FIELDS: Final = (
    "ot.effect", "event.action", "source.asset.name", "destination.asset.name", "source.ip", "destination.ip", "network.protocol", "ot.access",
    "ot.object.space", "ot.unit", "event.outcome", "ot.error", "ot.anomaly", "ot.tag.name", "source.asset.zone",
    "destination.asset.zone", "network.vlan.id", "observer.name",
)  # fmt: skip
POINT_FIELDS: Final = ("@timestamp", "event.start", "event.end", "ot.point.min", "ot.point.max", "ot.point.first", "ot.point.last", "ot.point.changes")


def quoted(value: object) -> str:
    """A value as it stands in a search."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def about(asset: dict[str, Any]) -> str:
    """The search for everything that an asset did or was asked."""
    fields = [("ip", address) for address in ip_addresses(asset)[:4]] or [("asset.id", name) for name in identities(asset)[:4]]
    return " OR ".join(f"{side}.{name}:{quoted(value)}" for name, value in fields for side in ("source", "destination"))


def narrowed(text: str, field: str, value: object) -> str:
    """The search narrowed to one value of a field."""
    part = f"{field}:{quoted(value)}"
    if not text.strip():
        return part
    return f"({text}) AND {part}" if " or " in f" {text.casefold()} " or "||" in text else f"{text} {part}"


def condition(text: str) -> Condition:
    """What the search box means. Raises UsageError."""
    return parse(text, ACTIVITY)


def activities(store: Store, span: Span, where: Condition, after: str) -> tuple[pd.DataFrame, int]:
    """One page of the activities, the newest first, and how many match."""
    found = frame(store.read("activity", replace(span.query(where, "-@timestamp", PAGE), after=after)))
    return found, store.count("activity", span.query(where))


def extent(store: Store, table: str, span: Span, where: Condition) -> Span | None:
    """From the first to the last row of the span that matches."""
    ends: list[int] = []
    for sort in ("@timestamp", "-@timestamp"):
        for row in listed(store.read(table, span.query(where, sort, 1))):
            ends += [int(row["event.start"] or row["@timestamp"]), int(row["event.end"] or row["@timestamp"])]
    return Span(max(span.since, min(ends)), min(span.until, max(ends) + 1)) if ends else None


def over_time(store: Store, span: Span, where: Condition) -> tuple[int, list[tuple[int, str, int]]]:
    """(length of a bucket, operations by bucket and access)"""
    interval = interval_of(span)
    parts = [kept(store, TABLE, _bars, part, where, interval) for part in windows(span, max(DAY, interval))]
    return interval, [bar for part in parts for bar in part]


def _bars(store: Store, span: Span, where: Condition, interval: int) -> list[tuple[int, str, int]]:
    found = listed(store.histogram("activity", span.query(where), Histogram(interval, "ot.access", "ot.count")))
    return [(int(row["time"]), str(row["by"] or "unknown"), int(row["total"] or 0)) for row in found if row["total"]]


def by_field(store: Store, span: Span, where: Condition, field: str) -> list[tuple[str, int]]:
    """The most frequent values of a field, by operations."""
    return kept(store, TABLE, _values_of, span, where, field)


def _values_of(store: Store, span: Span, where: Condition, field: str) -> list[tuple[str, int]]:
    found = listed(store.terms("activity", span.query(where), Terms((field,), MOST_VALUES, "ot.count")))
    return [(str(row[field]), int(row["total"] or 0)) for row in found if row[field] is not None]


def observers(store: Store, span: Span, where: Condition) -> list[str]:
    """Who saw these activities."""
    return kept(store, TABLE, _seen_by, span, where)


def _seen_by(store: Store, span: Span, where: Condition) -> list[str]:
    return [str(row["observer.name"]) for row in listed(store.terms("activity", span.query(where), Terms(("observer.name",), 8))) if row["observer.name"]]


def acting() -> Condition:
    """What acts on the plant, and what is not known not to."""
    return Or(tuple(Match("ot.access", access, cased=True) for access in sorted({*ACTING, "unknown"})))


def looking() -> Condition:
    """What only looks at objects."""
    return And((Not(acting()), Or((Exists("ot.object.first"), Exists("ot.object.name")))))


def point_code(row: dict[str, Any]) -> str:
    """What tells a point in the address."""
    return json.dumps([row[name] for name in OBJECT], ensure_ascii=False, separators=(",", ":"))


def point_condition(code: str) -> tuple[dict[str, Any], Condition] | None:
    """The columns that tell a point, and the condition for its rows; None where the code is none."""
    try:
        told: Any = json.loads(code)
    except (ValueError, RecursionError):
        return None
    parts = cast("list[Any]", told) if isinstance(told, list) else []
    if len(parts) != len(OBJECT):
        return None
    known: dict[str, Any] = dict(zip(OBJECT, parts, strict=True))
    numbers = all(known[name] is None or type(known[name]) is int for name in ("ot.unit", "ot.object.first"))
    texts = all(known[name] is None or type(known[name]) is str for name in OBJECT if name not in ("ot.unit", "ot.object.first"))
    if not numbers or not texts or not known["destination.ip"]:
        return None
    return known, And(tuple(Not(Exists(name)) if value is None else Match(name, value, cased=True) for name, value in known.items()))


def points(store: Store, span: Span, text: str) -> list[dict[str, Any]]:
    """The points that a search on points means and that changed most, with what the plant calls them. Raises UsageError."""
    where = And((parse(text, POINT), Exists("ot.point.last")))
    found: dict[str, dict[str, Any]] = {}
    for row in listed(store.terms("point", span.query(where), Terms((*OBJECT, "ot.tag.name"), MOST_POINTS, "ot.point.changes"))):
        known = found.setdefault(point_code(row), {**row, "ot.tag.name": []})
        known["ot.tag.name"] += [row["ot.tag.name"]] if row["ot.tag.name"] else []
    return list(found.values())


def newest(store: Store, span: Span, where: Condition) -> dict[str, Any]:
    """The newest row of a point in the span; nothing where there is none."""
    found = listed(store.read("point", span.query(where, "-@timestamp", 1)))
    return found[0] if found else {}


def values(store: Store, span: Span, where: Condition) -> tuple[list[dict[str, Any]], bool]:
    """The values of a point over time, 360 steps at most, oldest first: time, low, high, last, changes; and whether rows were left out."""
    step = max(1, -(-span.length // COLUMNS))
    found: dict[int, dict[str, Any]] = {}
    used = 0
    for part in store.history("point", span.query(where), POINT_FIELDS, ordered=False):
        for row in listed(part):
            if row["ot.point.last"] is not None:
                _put(found, (int(row["event.start"]) - span.since) // step, row)
        used += part.num_rows
        if used >= _MOST_ROWS:
            break
    return [found[at] for at in sorted(found)], used >= _MOST_ROWS


def _put(found: dict[int, dict[str, Any]], at: int, row: dict[str, Any]) -> None:
    time, end = int(row["event.start"]), int(row["event.end"])
    least, most, last = (row[f"ot.point.{name}"] for name in ("min", "max", "last"))
    least, most = (last if value is None else value for value in (least, most))
    known = found.setdefault(at, {"time": time, "end": end, "low": least, "high": most, "last": last, "changes": 0})
    known["time"], known["low"], known["high"] = min(known["time"], time), min(known["low"], least), max(known["high"], most)
    if end >= known["end"]:
        known["end"], known["last"] = end, last
    known["changes"] += int(row["ot.point.changes"] or 0)


def writes(store: Store, span: Span, known: dict[str, Any], most: int = 200) -> list[dict[str, Any]]:
    """What acted on the place of a point, the newest 200."""
    parts: list[Condition] = [acting(), *(Match(name, known[name]) for name in ("destination.ip", "ot.unit") if known[name] is not None)]
    if known["ot.object.name"] is not None:
        parts.append(Match("ot.object.name", known["ot.object.name"]))
    elif known["ot.object.first"] is not None:
        first = known["ot.object.first"]
        parts += [Match("ot.object.space", known["ot.object.space"]), Range("ot.object.first", high=first)]
        parts.append(Or((Range("ot.object.last", low=first), Match("ot.object.first", first))))
    return listed(store.read("activity", span.query(And(tuple(parts)), "-@timestamp", most)))
