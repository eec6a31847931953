"""Distinct rows are those that numpy finds, in the order in which they come."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.engine.distinct import distinct

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)


@settings(deadline=None)  # the first of them waits for the compiler
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
def test_rows_are_found_again(rows: list[tuple[int, int, int]]) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 3)
    found, places = distinct(*columns.T)
    assert [tuple(row) for row in found.tolist()] == list(dict.fromkeys(rows))
    assert [tuple(found[place].tolist()) for place in places.tolist()] == rows


def test_many_rows_of_few_kinds() -> None:
    column = np.random.default_rng(1).integers(0, 50, 20_000)
    found, places = distinct(column)
    assert len(found) == 50
    assert np.array_equal(found[places][:, 0], column)
