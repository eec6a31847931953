"""The comparer itself: it must find what differs, or agreement means nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.rows import Disagreement, Seen, compare

POLL = [Seen(None, number % 2 == 1, "10.0.0.1", 40000, "10.0.0.2", 502, 1, 3, 10 * (number // 2), 4, 0) for number in range(20)]
PACKETS = [replace(message, packet=number // 2) for number, message in enumerate(POLL)]


@pytest.mark.parametrize("rows", [POLL, PACKETS], ids=["in order", "by packet"])
def test_the_same_rows_agree(rows: list[Seen]) -> None:
    assert compare(rows, list(rows)) == []
    assert compare([replace(row, first=None, unit=None) for row in rows], rows) == []


@pytest.mark.parametrize("rows", [POLL, PACKETS], ids=["in order", "by packet"])
@pytest.mark.parametrize(("column", "value"), [("unit", 2), ("first", 11), ("quantity", 5), ("exception", 2), ("source_port", 7), ("target", "10.0.0.3")])
def test_any_column_that_differs_is_found(rows: list[Seen], column: str, value: object) -> None:
    for place in (0, 7, 19):
        mine = [*rows[:place], replace(rows[place], **{column: value}), *rows[place + 1 :]]
        (found,) = compare(rows, mine)
        assert found.columns == (column,)


@pytest.mark.parametrize("rows", [POLL, PACKETS], ids=["in order", "by packet"])
def test_a_row_that_only_one_side_has_is_found(rows: list[Seen]) -> None:
    for place in (0, 7, 19):
        less = [*rows[:place], *rows[place + 1 :]]
        (found,) = compare(rows, less)
        assert (found.theirs, found.ours) == (rows[place], None)
        (found,) = compare(less, rows)
        assert (found.theirs, found.ours) == (None, rows[place])


def test_order_counts() -> None:
    swapped = [*POLL[:4], POLL[6], POLL[5], POLL[4], *POLL[7:]]
    assert len(compare(POLL, swapped)) >= 2
    moved = [replace(PACKETS[0], packet=5), *PACKETS[1:]]
    assert len(compare(PACKETS, moved)) == 2
    assert all(isinstance(one, Disagreement) for one in compare([], POLL))
