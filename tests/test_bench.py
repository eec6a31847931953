"""Benchmarks say with their exit status whether what they measure holds."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from records.store import open_store
from tests.bench import elastic, history, live, rules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.elasticsearch import Elasticsearch


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


@pytest.mark.parametrize(
    ("rate", "told", "failed"),
    [
        (0.0, {"packets": 2_000_000, "seconds": 3.0, "dropped": 0, "cpu": [1.9]}, []),
        (0.0, {"packets": 2_000_000, "seconds": 3.0, "dropped": 7, "cpu": [1.9]}, ["7 packets lost at 666,667 a second"]),
        (0.0, {"packets": 2_000_000, "seconds": 5.0, "dropped": 0, "cpu": [1.9]}, []),
        (1e5, {"packets": 1_000_000, "seconds": 10.0, "dropped": 0, "cpu": [0.4]}, []),
        (1e5, {"packets": 1_000_000, "seconds": 10.0, "dropped": 0, "cpu": [0.6]}, ["6.0 % of a core, more than 5.0 at 100,000 a second"]),
        (1e5, {"packets": 1_000_000, "seconds": 10.0, "dropped": 0, "cpu": [0.4, 0.4, 0.4]}, []),
    ],
)
def test_a_bench_of_a_live_sensor_fails_beyond_its_limits(rate: float, told: dict[str, Any], failed: list[str]) -> None:
    assert live.missed(told, rate) == failed


@pytest.mark.parametrize(("seconds", "aimed"), [(3.0, False), (5.0, True)])
def test_how_fast_a_machine_sends_is_a_figure_and_no_limit(seconds: float, aimed: bool) -> None:
    line = live.figure({"packets": 2_000_000, "seconds": seconds, "dropped": 0, "cpu": [1.9]}, 0.0, 1)
    assert line.startswith(f"{2_000_000 / seconds:,.0f} packets/s, read by 1: 0 of 2,000,000 lost, ")
    assert line.endswith("500,000 were aimed at") is aimed


@pytest.mark.elasticsearch
def test_a_bench_of_stores_fails_where_writing_is_too_slow(
    elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_URL", elasticsearch.url)
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))
    monkeypatch.setattr(elastic, "LEAST", 100.0)
    monkeypatch.setattr(elastic, "PART", 200)
    monkeypatch.setattr(elastic, "SETTLED_S", 0.0)
    monkeypatch.setattr(sys, "argv", ["elastic", "--rows", "600", "--turns", "400"])
    with pytest.raises(SystemExit, match="it has to be 100"):
        elastic.main()
    told = capsys.readouterr().out
    assert "elasticsearch, 400 activities in turns" in told
    assert "elasticsearch, 200 more" in told
    assert "embedded, 600 activities" in told
    assert told.count("p95") == 8


def test_a_bench_of_stores_ends_well_where_writing_is_fast_enough() -> None:
    elastic.check(elastic.LEAST)


def test_a_bench_of_a_store_that_is_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = open_store(str(tmp_path), True)
    history.fill(store, 1, 300)
    store.close()
    monkeypatch.setattr(sys, "argv", ["elastic", "--of", str(tmp_path)])
    elastic.main()
    told = capsys.readouterr().out
    assert "embedded, 300 activities: " in told
    assert told.count("p95") == 4


def test_a_bench_of_stores_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    tables = list(elastic.parts(1000))
    assert list(elastic.in_time(tables, time.monotonic() + 60)) == tables
    assert capsys.readouterr().out == ""
    assert list(elastic.in_time(tables, time.monotonic() - 1)) == []
    assert "the time is up" in capsys.readouterr().out


def test_a_bench_of_the_embedded_store_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["elastic", "--rows", "600", "--embedded"])
    elastic.main()
    assert "bytes per activity" in capsys.readouterr().out
