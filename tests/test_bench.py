"""The benchmarks of rules say with their exit status whether what they measure holds."""

from __future__ import annotations

import sys

import pytest

from tests.bench import rules


@pytest.mark.parametrize(("limit", "holds"), [(600.0, True), (0.0, False)])
def test_a_bench_of_rules_fails_where_its_limit_does_not_hold(monkeypatch: pytest.MonkeyPatch, limit: float, holds: bool) -> None:
    monkeypatch.setattr(rules, "LIMIT_S", limit)
    monkeypatch.setattr(sys, "argv", ["rules", "--rules", "20", "--rows", "2000"])
    if holds:
        rules.main()
        return
    with pytest.raises(SystemExit) as stopped:
        rules.main()
    assert stopped.value.code == "slower than 0 s"
