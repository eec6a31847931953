"""A cluster of three processes, of which one, then all are killed with -9 while rows are written: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from balefire.awaiting import awaited
from balefire.outbox import Outbox
from balefire.screen import Screen
from balefire.settings import Settings
from records.query import Query
from records.store.elastic import ElasticStore
from tests.elasticsearch import cluster
from tests.test_store import NOON, activities, activity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.elasticsearch.server import Node
    from tests.elasticsearch import Elasticsearch

COMMITS = int(os.environ.get("BALEFIRE_FAILOVER_COMMITS", "24"))
ROWS = 500
AWAY_S = float(os.environ.get("BALEFIRE_AWAY_S", "10"))

pytestmark = [pytest.mark.elasticsearch, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def three() -> Iterator[tuple[Elasticsearch, list[Node]]]:
    with cluster(3) as made:
        yield made


@pytest.fixture(autouse=True)
def _spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))


def names_of(store: ElasticStore) -> list[Any]:
    return [name for part in store.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()]


def test_a_node_killed_during_ingest(three: tuple[Elasticsearch, list[Node]]) -> None:
    running, nodes = three
    store = ElasticStore(running.url, True, "month")
    outbox = Outbox(store, store.write, lambda commit, _: store.write(commit))
    for number in range(COMMITS):
        rows = [activity(number * ROWS + n, NOON + number * ROWS + n) for n in range(ROWS)]
        outbox.put(activities(*rows))
        if number == COMMITS // 4:
            running.ask("GET", "/_cluster/health/balefire-*?wait_for_status=green&timeout=60s")
            nodes[-1].kill()
    outbox.finish()
    assert store.count("activity", Query()) == COMMITS * ROWS
    assert names_of(store) == [activity(n)["id"] for n in range(COMMITS * ROWS)]
    assert store.health()["number_of_nodes"] == 2
    assert store.health()["status"] in {"yellow", "green"}
    store.close()


def test_the_server_away(three: tuple[Elasticsearch, list[Node]], tmp_path: Path) -> None:
    """No node runs for a while, and two come back on what they held: what is seen meanwhile waits on the disk, and all of it is there in the end, once."""
    running, nodes = three
    store = ElasticStore(f"{running.url}#away", True, "month")
    outbox = Outbox(store, store.write, lambda commit, _: store.write(commit))
    said: list[str] = []
    outbox.note = lambda key, _values: said.append(key)
    outbox.put(activities(activity(0)))
    for node in nodes:
        node.kill()
    end, number = time.monotonic() + AWAY_S, 1
    while time.monotonic() < end or number < 5:
        outbox.put(activities(activity(number, NOON + number)))
        number += 1
        time.sleep(0.3)
    assert said == ["cli.spool.away"]
    assert outbox.away
    with ThreadPoolExecutor(1) as beside:  # who starts now waits for it, too
        late = beside.submit(awaited, Screen(Settings(), "en", f"{running.url}#away"), lambda: False)
        for node in nodes[:2]:
            node.start()
        late.result().close()
    outbox.finish()
    assert said == ["cli.spool.away", "cli.spool.back"]
    assert names_of(store) == [f"a{n:04}" for n in range(number)]
    store.close()
    assert list(tmp_path.rglob("*.segment")) == [], "nothing waits any more"
