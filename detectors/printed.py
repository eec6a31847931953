"""A fingerprint as JSON that can be kept, and read again to be compared with: what is written is what is read, and what is anything else is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.fingerprint import KIND, OBJECT, PEER, Fingerprint, Habit, PointRange, told_apart
from detectors.noticing import TAG
from records.effects import EFFECTS, NUMBER
from records.nesting import iso, period
from records.query import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]
SIDES: Final = ("source", "destination")
ABOUT: Final = (*(f"{side}.{name}" for side in SIDES for name in PEER), *KIND, *OBJECT, *TAG)
MOST: Final = 10_000  # habits, and points, of one fingerprint
NUMBERS: Final = frozenset({"ot.unit", "ot.object.first", "ot.object.last", "ot.tag.low", "ot.tag.high"})


class NoPrintError(ValueError):
    """What is no kept fingerprint: where, as a path."""


def told(made: Fingerprint) -> Row:
    """The fingerprint, with its words in both languages."""
    return {
        "since": iso(made.period.since),
        "until": iso(made.period.until),
        "rows": made.rows,
        "left_out": made.left_out,
        "habits": [
            {
                "side": habit.side,
                "count": habit.count,
                "refused": habit.refused,
                "every_s": habit.every,
                "values": [habit.low, habit.high] if habit.low is not None and habit.whole else None,
                "ranges": habit.ranges,
                "first": iso(habit.first),
                "last": iso(habit.last),
                "about": _about(habit.row) | {"parts": len(habit.key)},
                "text": {"en": habit.words("en"), "zh": habit.words("zh")},
            }
            for habit in made.habits
        ],
        "points": [
            {"low": each.low, "high": each.high, "changes": each.changes, "about": _about(each.row), "text": {"en": each.words("en"), "zh": each.words("zh")}}
            for each in made.points
        ],
    }


def _about(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ABOUT if row.get(name) is not None}


def read(kept: object) -> Fingerprint:
    """The fingerprint that `told` told. Raises NoPrintError."""
    root = _of(kept, dict, "$")
    habits = [_habit(each, f"habits[{number}]") for number, each in enumerate(_list(root, "habits"))]
    points = [_point(each, f"points[{number}]") for number, each in enumerate(_list(root, "points"))]
    since, until = (_time(root.get(name), name) for name in ("since", "until"))
    if since >= until:
        raise NoPrintError("until")
    return Fingerprint(Span(since, until), tuple(told_apart(habits)), tuple(points), _whole(root.get("rows"), "rows"), _whole(root.get("left_out"), "left_out"))


def _list(root: Row, name: str) -> list[Any]:
    found: list[Any] = _of(root.get(name), list, name)
    if len(found) > MOST:
        raise NoPrintError(name)
    return found


def _habit(given: object, place: str) -> Habit:
    each = _of(given, dict, place)
    side = each.get("side")
    if side not in SIDES:
        raise NoPrintError(f"{place}.side")
    row, parts = _row(each.get("about"), f"{place}.about")
    if row["ot.effect"] not in NUMBER or row["ot.access"] != EFFECTS[NUMBER[row["ot.effect"]]].access:
        raise NoPrintError(f"{place}.about.ot.effect")
    other = SIDES[1 - SIDES.index(side)]
    key = (side, row[f"{other}.ip"] or row[f"{other}.mac"], *(row[name] for name in (*KIND, *OBJECT)))
    low, high = _span(each.get("values"), f"{place}.values")
    every = None if each.get("every_s") is None else _number(each["every_s"], f"{place}.every_s")
    counts = [_whole(each.get(name), f"{place}.{name}") for name in ("count", "refused")]
    times = [_time(each.get(name), f"{place}.{name}") for name in ("first", "last")]
    return Habit(side, key[:parts], row, counts[0], counts[1], every, low, high, times[0], times[1], _whole(each.get("ranges"), f"{place}.ranges"))


def _point(given: object, place: str) -> PointRange:
    each = _of(given, dict, place)
    row, _ = _row(each.get("about"), f"{place}.about")
    low, high = (_number(each.get(name), f"{place}.{name}") for name in ("low", "high"))
    key = tuple(row[name] for name in ("network.protocol", *OBJECT[:-1]))
    return PointRange(key, row, low, high, _whole(each.get("changes"), f"{place}.changes"))


def _row(given: object, place: str) -> tuple[Row, int]:
    """The fields of `about`, those that are not known as None; how many of them a habit's key has."""
    about = _of(given, dict, place)
    row: Row = dict.fromkeys(ABOUT)
    for name, value in about.items():
        if name == "parts":
            continue
        right = name in row and (
            (isinstance(value, int | float) and not isinstance(value, bool)) if name in NUMBERS
            else _is_texts(value) if name == "ot.tag.name" else isinstance(value, str)
        )  # fmt: skip
        if not right:
            raise NoPrintError(f"{place}.{name}")
        row[name] = value
    parts = about.get("parts", 2 + len(KIND) + len(OBJECT))
    if parts not in (2 + len(KIND), 2 + len(KIND) + len(OBJECT)):
        raise NoPrintError(f"{place}.parts")
    return row, parts


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in cast("list[object]", value))


def _of(given: object, kind: type, place: str) -> Any:
    if not isinstance(given, kind):
        raise NoPrintError(place)
    return given


def _span(given: object, place: str) -> tuple[float | None, float | None]:
    if given is None:
        return None, None
    ends: list[Any] = _of(given, list, place)
    if len(ends) != 2:
        raise NoPrintError(place)
    return _number(ends[0], place), _number(ends[1], place)


def _number(given: object, place: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise NoPrintError(place)
    return given


def _whole(given: object, place: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 1 << 63:
        raise NoPrintError(place)
    return given


def _time(given: object, place: str) -> int:
    ends = period(given) if isinstance(given, str) else None
    if ends is None:
        raise NoPrintError(place)
    return ends[0]
