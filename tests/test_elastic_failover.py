"""A cluster of three processes, one of which is killed with -9 while rows are written: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from balefire.outbox import Outbox
from records.query import Query
from records.store.elastic import ElasticStore
from tests.elasticsearch import cluster
from tests.test_store import NOON, activities, activity

if TYPE_CHECKING:
    from pathlib import Path

COMMITS = int(os.environ.get("BALEFIRE_FAILOVER_COMMITS", "24"))
ROWS = 500


@pytest.mark.elasticsearch
@pytest.mark.timeout(900)
def test_a_node_killed_during_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))
    with cluster(3) as (running, nodes):
        store = ElasticStore(running.url, True, "month")
        outbox = Outbox(store, store.write, store.write)
        said: list[str] = []
        outbox.note = lambda key, _values: said.append(key)
        for number in range(COMMITS):
            rows = [activity(number * ROWS + n, NOON + number * ROWS + n) for n in range(ROWS)]
            outbox.put(activities(*rows))
            if number == COMMITS // 4:
                running.ask("GET", "/_cluster/health/balefire-*?wait_for_status=green&timeout=60s")
                nodes[-1].kill()
        outbox.finish()
        assert store.count("activity", Query()) == COMMITS * ROWS
        names = [name for part in store.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()]
        assert names == [activity(n)["id"] for n in range(COMMITS * ROWS)]
        assert store.health()["number_of_nodes"] == 2
        assert store.health()["status"] in {"yellow", "green"}
        store.close()
