"""What the plant's tag list says that a value may be: what is written beyond it, what is read beyond it, and lists of another scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from detectors.methods.ranges import MOST, SCALE, Ranges
from records.model import Batch
from tests.hunted import own
from tests.knowing import batch, point

if TYPE_CHECKING:
    from records.model import Finding
    from tests.hunted import Stated

LISTED: dict[str, Any] = {
    "ot.tag.name": ["Pump 3 speed"], "ot.tag.unit": "rpm", "ot.tag.low": 0.0, "ot.tag.high": 1500.0, "ot.tag.description": "drive of the filter",
}  # fmt: skip


def read(*values: tuple[float, float], minutes: int = 1, **listed: Any) -> Stated:
    return [point(number * minutes, low, high) | LISTED | listed for number, (low, high) in enumerate(values)]


def written(*values: float, minutes: int = 1) -> Stated:
    place = {"ot.object.space": "holding_register", "ot.object.first": 17}
    return [own(number * minutes * 60, "value.write", ot__value=value) | place | LISTED for number, value in enumerate(values)]


def judged(rows: Stated | None = None, points: Stated | None = None) -> list[Finding]:
    return Ranges({}).judge(batch(rows or [], points or []))


def test_a_point_that_leaves_its_range_is_told_once_a_day() -> None:
    (found,) = judged(points=read((900, 1200), (900, 1800), (900, 1900)))
    assert found.title.en == "Pump 3 speed (register 40101) of 10.10.1.20 is 1800 rpm, beyond its engineering range"
    assert found.reason.en.endswith(" The plant's list says of it: drive of the filter, range 0 to 1500 rpm.")
    assert found.reason.zh.endswith("厂方清单：drive of the filter、量程 0 至 1500 rpm。")
    assert [(term.en, term.value) for term in found.terms] == [("a value beyond its engineering range", 35.0), ("how far it is", 4.0)]
    assert found.activities == ("point-1-10.10.1.20-100",)
    assert len(judged(points=read((900, 1200), (-1, 900), (-1, 900), minutes=24 * 60))) == 2


def test_what_is_written_beyond_it_is_told_with_who_did_it() -> None:
    (found,) = judged(written(1200, 3000, 3000))
    assert "10.10.1.66 set Pump 3 speed (register 40018)" in found.title.en
    assert found.severity == 65
    assert "到 " not in found.title.zh
    assert judged([row | {"event.outcome": "failure"} for row in written(1200, 3000)]) == []
    assert len(judged(written(1200, 3000, 3000, minutes=60))) == 2


def test_a_list_of_another_scale_is_told_once_and_low() -> None:
    (found,) = judged(points=read((9000, 12000), (9000, 12000), (900, 1200), (9000, 12000), minutes=2 * 24 * 60))
    assert found.terms[-1].value == SCALE
    assert found.severity < 40


@pytest.mark.parametrize(
    ("listed", "values", "told"),
    [
        ({"ot.tag.low": None}, ((5, 5), (-9000, 1500)), 0), ({"ot.tag.low": None}, ((5, 5), (5, 1501)), 1),
        ({"ot.tag.high": None}, ((5, 5), (0, 9000)), 0), ({"ot.tag.high": None}, ((5, 5), (-1, 5)), 1),
        ({"ot.tag.low": None, "ot.tag.high": None}, ((5, 5), (-9000, 9000)), 0), ({}, ((0, 1500), (0, 1500)), 0),
    ],
)  # fmt: skip
def test_a_bound_that_is_not_known_bounds_nothing(listed: dict[str, Any], values: tuple[tuple[float, float], ...], told: int) -> None:
    assert len(judged(points=read(*values, **listed))) == told


def test_any_cut_of_points_and_a_saved_state_give_the_same() -> None:
    rows = read((900, 1200), (900, 1800), (9, 9), (900, 1900), minutes=16 * 60)
    rows += [row | {"ot.object.first": 7, "id": f"other-{row['id']}"} for row in read((1600, 1600), (1, 1), (1700, 1700), minutes=16 * 60)]
    rows.sort(key=lambda row: row["@timestamp"])
    whole = judged(points=rows)
    assert [found.severity for found in whole].count(whole[0].severity) < len(whole) == 3
    told: list[Finding] = []
    state = b""
    for row in rows:
        detector = Ranges({})
        detector.restore(state)
        told += detector.judge(batch(values=[row]))
        state = detector.state()
    assert told == whole


def test_points_that_are_remembered_are_bounded_and_nothing_is_asked_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST > 40
    monkeypatch.setattr("detectors.methods.ranges.MOST", 40)
    detector = Ranges({})
    detector.judge(batch(values=[row | {"ot.object.first": number} for number in range(100) for row in read((1, 1))]))
    assert detector.forgotten == 60
    assert judged(points=[point(0, 1, 2)]) == []
    assert Ranges({}).judge(Batch()) == []


def test_a_register_whose_range_goes_below_zero_is_signed() -> None:
    """65516 is −20; without a list that says so it is a number of its own."""
    frost: dict[str, Any] = {"ot.tag.low": -50.0, "ot.tag.high": 50.0}
    assert judged(points=read((5, 5), (65_516, 65_516), (0, 65_535), **frost)) == []
    (found,) = judged(points=read((5, 5), (65_436, 65_436), **frost))
    assert "is −100 rpm" in found.title.en
    assert len(judged(points=read((5, 5), (65_516, 65_516), **dict[str, Any](frost, **{"ot.object.space": "tag"})))) == 1
    assert len(judged(points=read((5, 5), (65_516, 65_516)))) == 1
    assert judged([row | frost for row in written(20, 65_516)]) == []
