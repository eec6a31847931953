"""How much an Elasticsearch is asked for an answer: going over rows again, and reading them in another order than they lie in, is what takes it long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from records.query import Query, Terms
from records.store import searching
from records.store.dsl import EVERYTHING
from records.store.elastic import ElasticStore
from tests.test_store import NOON, activities, activity, ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch
SECOND = 10**9


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every search asked."""
    seen: list[dict[str, Any]] = []
    search = searching.Searcher.search

    def told(self: searching.Searcher, source: searching.Source, body: dict[str, Any]) -> dict[str, Any]:
        seen.append(body)
        return search(self, source, body)

    monkeypatch.setattr(searching.Searcher, "search", told)
    return seen


@pytest.fixture
def store(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ElasticStore]:
    """Rows of four hosts, the later times first."""
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    made = ElasticStore(elasticsearch.emptied("battery"), True)
    for part in range(3):
        rows = [activity(n, NOON - n * SECOND, source__ip=f"10.0.0.{n % 4}", ot__unit=n % 3 or None) for n in range(part * 7, part * 7 + 7)]
        made.write(activities(*rows))
    yield made
    made.close()


def test_all_rows_are_read_as_they_lie_and_come_sorted(store: ElasticStore, asked: list[dict[str, Any]]) -> None:
    for sort in ("", "-@timestamp", "ot.unit", "-ot.unit", "-id", "source.ip"):
        asked.clear()
        whole = ids(store.read("activity", Query(sort=sort)))
        assert [body["sort"] == searching.AS_IT_LIES for body in asked] == [sort != "source.ip"], sort
        assert whole == ids(store.read("activity", Query(sort=sort, limit=50))), sort
        assert not any("source_excludes" in body or "source_includes" in body for body in asked), "the server would read each document to cut it"


def test_rows_are_gone_over_once_for_each_full_answer(store: ElasticStore, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more over those of which all has been told."""
    for most, times in ((30_000, 1), (5, 1), (4, 2), (3, 2), (1, 5)):
        monkeypatch.setattr(searching, "BUCKETS", most)
        asked.clear()
        assert store.terms("activity", Query(), Terms(("source.ip", "event.action"), 10)).column("total").to_pylist() == [6, 5, 5, 5]
        assert len(asked) == times, most
        reached = [body["query"]["bool"]["filter"][1] for body in asked]
        last = [f"10.0.0.{min(4, most * (n + 1)) - 1}" for n in range(times - 1)]
        assert reached == [EVERYTHING, *({"range": {"source.ip": {"gte": address}}} for address in last)]


def test_values_of_one_field_are_asked_for_at_once(store: ElasticStore, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless there are too many: then a part at a time."""
    for most, kinds in ((4, ["values"]), (3, ["values", "groups"])):
        monkeypatch.setattr(searching, "VALUES", most)
        asked.clear()
        assert store.terms("activity", Query(), Terms(("source.ip",), 10)).column("total").to_pylist() == [6, 5, 5, 5]
        assert [next(iter(body["aggs"])) for body in asked] == kinds
