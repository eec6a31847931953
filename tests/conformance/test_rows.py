"""The comparer itself: it must find what differs, or agreement means nothing."""

from __future__ import annotations

import pytest

from tests.conformance.rows import Row, compare, said

ALIKE = ("answer", "function")
POLL: list[Row] = [
    said(answer=number % 2 == 1, source="10.0.0.1", source_port=40000, target="10.0.0.2", unit=1, function=3, first=10 * (number // 2), quantity=4, exception=0)
    for number in range(20)
]
PACKETS: list[Row] = [{**row, "packet": number // 2} for number, row in enumerate(POLL)]
BOTH = pytest.mark.parametrize("rows", [POLL, PACKETS], ids=["in order", "by packet"])


@BOTH
def test_the_same_rows_agree(rows: list[Row]) -> None:
    assert compare(rows, list(rows), ALIKE) == []
    less = [{name: value for name, value in row.items() if name not in ("first", "unit")} for row in rows]
    assert compare(less, rows, ALIKE) == []
    assert len(compare(rows, less, ALIKE)) == len(rows), "what only the baseline says is not agreed with"


@BOTH
@pytest.mark.parametrize(("column", "value"), [("unit", 2), ("first", 11), ("quantity", 5), ("exception", 2), ("source_port", 7), ("target", "10.0.0.3")])
def test_any_column_that_differs_is_found(rows: list[Row], column: str, value: object) -> None:
    for place in (0, 7, 19):
        mine = [*rows[:place], {**rows[place], column: value}, *rows[place + 1 :]]
        (found,) = compare(rows, mine, ALIKE)
        assert found.columns == (column,)
        assert (found.theirs, found.kind) == (rows[place], "differ")


@BOTH
def test_a_row_that_only_one_side_has_is_found(rows: list[Row]) -> None:
    for place in (0, 7, 19):
        less = [*rows[:place], *rows[place + 1 :]]
        (found,) = compare(rows, less, ALIKE)
        assert (found.theirs, found.ours, found.kind) == (rows[place], None, "only theirs")
        (found,) = compare(less, rows, ALIKE)
        assert (found.theirs, found.ours, found.kind) == (None, rows[place], "only ours")


def test_order_counts() -> None:
    swapped = [*POLL[:4], POLL[6], POLL[5], POLL[4], *POLL[7:]]
    assert len(compare(POLL, swapped, ALIKE)) >= 2
    moved = [{**PACKETS[0], "packet": 5}, *PACKETS[1:]]
    assert len(compare(PACKETS, moved, ALIKE)) == 2


def test_nothing_is_not_agreement() -> None:
    assert len(compare([], POLL, ALIKE)) == len(compare(POLL, [], ALIKE)) == len(POLL)
    assert len(compare(PACKETS, [], ALIKE)) == len(POLL)
