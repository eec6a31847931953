"""Two registers that are one number: found by how they move, judged as the number that they are, and left alone where they are two."""

from __future__ import annotations

import json
from struct import pack, unpack
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.baseline.joining import Halves, Joining
from detectors.baseline.learned import Learned
from detectors.baseline.numbering import numbered
from detectors.baseline.places import Place
from detectors.baseline.signs import VALUES
from detectors.baseline.words import Held, Word
from detectors.methods.value import Value
from records.formats import SECOND
from records.model import Batch
from tests.hunted import DEVICE
from tests.knowing import batch, point

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.baseline.joining import Joined
    from detectors.noticing import Row
    from records.model import Finding

FIRST = 200
KINDS = [(kind, swapped) for kind in ("float", "whole") for swapped in (False, True)]
PLACE = Place(DEVICE, "modbus", 1, "holding_register", FIRST)
LEARNED = range(307)  # so that it ends in the middle of its range


def usual(kind: str, minute: int) -> float:
    """About 50 degrees, or a number that goes to and fro about the edge of its low word."""
    return 50 + minute * 7 % 10 / 7 if kind == "float" else 196_608 + abs(minute % 20 - 10) * 8_000 - 40_000


def registers(kind: str, swapped: bool, values: Iterable[tuple[int, float]], **more: Any) -> list[dict[str, Any]]:
    """What two registers hold."""
    rows: list[dict[str, Any]] = []
    for minute, value in values:
        high, low = unpack(">HH", pack(">f", value) if kind == "float" else pack(">i", int(value)))
        for first, half in ((FIRST, low if swapped else high), (FIRST + 1, high if swapped else low)):
            rows.append(point(minute, float(half), float(half), first) | more)
    return rows


def learned(kind: str, swapped: bool, minutes: Iterable[int] = LEARNED, **more: Any) -> Learned:
    made = Learned()
    made.learn(Batch().activities, batch(values=registers(kind, swapped, [(minute, usual(kind, minute)) for minute in minutes], **more)).points)
    return made


def judged(made: Learned, rows: list[dict[str, Any]], size: int = 7) -> list[Finding]:
    """What is found in these values, so many rows at a time, with the state kept between."""
    value, points = Value({}), batch(values=rows).points
    value.restore(made.states()["value"])
    found: list[Finding] = []
    for first in range(0, points.num_rows, size):
        found += value.judge(Batch(points=points.slice(first, size)))
        value.restore(value.state())
    return found


@pytest.mark.parametrize(("kind", "swapped"), KINDS)
def test_two_halves_are_found_and_judged_as_one_number(kind: str, swapped: bool) -> None:
    made = learned(kind, swapped)
    assert made.levels.words.known == {PLACE: Word(kind, swapped)}
    assert set(made.levels.known) == {PLACE}, "the halves are no values"
    level = made.levels.known[PLACE]
    assert (level.low, level.high) == pytest.approx((min(usual(kind, minute) for minute in range(20)), max(usual(kind, minute) for minute in range(20))))
    far = level.high + 2 * (level.room or 0.0)
    values = [(minute, far if minute == 320 else usual(kind, minute)) for minute in range(310, 330)]
    for size in (1, 7, 40):
        (finding,) = judged(made, registers(kind, swapped, values), size)
        assert (finding.rule, f"is {far:.10g}"[:6] in finding.title.en) == ("value-outside", True)
    assert judged(made, registers(kind, swapped, [(minute, usual(kind, minute)) for minute in range(310, 330)]), 7) == []


def test_one_tag_for_both_needs_less_proof() -> None:
    few = range(12)
    assert learned("float", False, few).levels.words.known == {}
    assert learned("float", False, few, **{"ot.tag.name": ["Jaw temperature"]}).levels.words.known == {PLACE: Word("float")}


def test_two_values_side_by_side_stay_two() -> None:
    made = Learned()
    rows = [point(minute, float(minute * 7 % 50), float(minute * 7 % 50), first) for minute in LEARNED for first in (FIRST, FIRST + 1)]
    rows += [point(minute, float(minute * 9_973 % 65_536), float(minute * 9_973 % 65_536), FIRST + 2) for minute in LEARNED]  # runs through all, yet no partner
    made.learn(Batch().activities, batch(values=rows).points)
    assert made.levels.words.known == {}


def test_what_finds_no_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.baseline.words.MOST", 0)
    made = learned("float", False)
    assert made.levels.words.known == {}
    assert made.shed["values"] > 0


def shown(joined: Joined) -> list[Row]:
    """Its rows, and in what the points are, which are judged."""
    every = np.arange(len(joined.levels))
    rows, ids = joined.told(every), joined.ids(every).to_pylist()
    assert [(row["id"], row["event.start"], row["event.end"]) for row in rows] == list(zip(ids, joined.start.tolist(), joined.end.tolist(), strict=True))
    return [row | dict(zip(VALUES, values, strict=True)) for row, values in zip(rows, joined.values.T.tolist(), strict=True)]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_late_and_broken_halves_are_joined_alike_however_they_are_cut(cut: int) -> None:
    word = Word("float", True)
    joining = Joining({}, {PLACE: word})
    stated = registers("float", True, ((minute, usual("float", minute)) for minute in range(40)))
    stated[31] |= dict.fromkeys(("ot.point.min", "ot.point.max", "ot.point.first", "ot.point.last"), 0.5)  # no half of anything
    order = [*range(10), *reversed(range(10, 16)), *range(16, len(stated))]  # some come late
    points: Any = batch((), stated).points.take(pa.array(order))
    whole = shown(joining.join(points, Halves()))
    halves = Halves()
    parts: list[Row] = []
    for at in range(0, points.num_rows, cut):
        halves = Halves(json.loads(json.dumps(halves.state())))
        parts += shown(joining.join(points.slice(at, cut), halves))
    assert parts == whole
    held = Held()
    told: list[float] = []
    for row in points.to_pylist():
        half = int(row["ot.object.first"] != FIRST)
        made = held.add("", PLACE, True, half, int(row["event.start"].timestamp()) * SECOND, row["ot.point.last"])
        told += [value for value in [word.value(*made[1:])] if value is not None] if made else []
    assert [row["ot.point.last"] for row in whole] == told
    assert len(told) > 30


def test_columns_of_the_right_table_are_numbered() -> None:
    one, other = (pa.table({"a": words, "b": [1, 1, 2]}) for words in (["x", "y", "x"], ["y", "y", None]))
    for _ in range(2):
        assert [kinds for _, kinds in (numbered(one, ("a", "b")), numbered(other, ("a", "b")))] == [[("x", 1), ("x", 2), ("y", 1)], [("y", 1), (None, 2)]]
