"""What the soak calls flat."""

from __future__ import annotations

import pytest

from tests.bench.soak import judged

FLAT = [100.0, 300.0, 390.0, 400.0, 390.0, 410.0, 400.0, 395.0] * 4


@pytest.mark.parametrize(
    ("sizes", "peak", "wrong"),
    [
        (FLAT, 430.0, []),
        (FLAT, 700.0, ["peak above 500 MiB"]),  # between two looks
        ([400.0 + look for look in range(90)], 490.0, ["grows more than 1.1 times"]),
        ([*FLAT, 460.0], 460.0, ["grows more than 1.1 times"]),
    ],
)
def test_flat_and_little(sizes: list[float], peak: float, wrong: list[str]) -> None:
    assert judged(sizes, peak)[2] == wrong
