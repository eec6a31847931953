"""The store in Elasticsearch beside what the client does bare, and beside the embedded store: `python -m tests.bench.elastic [ROWS]`.

It needs an Elasticsearch: BALEFIRE_ELASTICSEARCH_URL, else one is started as for the tests.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from elasticsearch import Elasticsearch, helpers

from records.query import Histogram, Query, Terms
from records.schema import ACTIVITY
from records.search import And, Match
from records.store import open_store
from records.store.contract import Commit
from records.store.documents import encoded, rows_of
from records.store.elastic import ElasticStore
from tests.bench import history
from tests.elasticsearch import node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from records.store.contract import Store

TIMES: Final = 20
HOUR: Final = 3600 * history.SECOND
END: Final = history.START + history.DAYS * 24 * HOUR


def questions(store: Store) -> dict[str, Callable[[], object]]:
    """What the dashboard asks, by name."""
    day = Query(END - 24 * HOUR, END)
    return {
        "newest 50 of one device": lambda: store.read("activity", Query(where=Match("destination.ip", "10.10.1.7"), sort="-@timestamp", limit=50)),
        "a day by hour and access": lambda: store.histogram("activity", day, Histogram(HOUR, "ot.access", "ot.count")),
        "top ten sources, all": lambda: store.terms("activity", Query(), Terms(("source.ip",), 10, "ot.count")),
        "writes by one host": lambda: store.count("activity", Query(where=And((Match("ot.access", "write"), Match("source.ip", "10.10.0.12"))))),
    }


def percentiles(ask: Callable[[], object]) -> tuple[float, float]:
    """(p50, p95) in milliseconds."""
    taken: list[float] = []
    for _ in range(TIMES):
        started = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - started))
    taken.sort()
    return taken[TIMES // 2], taken[int(TIMES * 0.95) - 1]


def bare(client: Elasticsearch, rows: int) -> float:
    """Activities a second by the client alone: the same documents in an index of the same mapping, without anything around it."""
    taken, done = 0.0, 0
    client.options(ignore_status=404).indices.delete(index="bare-activity-2026-03-01")
    for table in history.batches(1, rows, history.Truth()):
        documents: list[dict[str, Any]] = [json.loads(encoded(ACTIVITY, row)) for row in rows_of(ACTIVITY, table)]
        started = time.perf_counter()

        def actions(documents: list[dict[str, Any]] = documents) -> Iterator[dict[str, Any]]:
            for document in documents:
                yield {"_op_type": "create", "_index": "bare-activity-2026-03-01", "_id": document["id"], "_source": document}

        for well, _ in helpers.streaming_bulk(client, actions(), chunk_size=2000):
            done += well
        taken += time.perf_counter() - started
    assert done == rows
    return rows / taken


def main(rows: int) -> None:
    """Measure, and print one line a figure."""
    with node() as running, tempfile.TemporaryDirectory() as folder:
        client = Elasticsearch(running.url, request_timeout=60)
        ElasticStore(f"{running.url}#bare", True, "month").close()  # its mapping
        alone = bare(client, rows)  # and once more after, for a server gets faster
        running.forget("bench")
        stores = {"elasticsearch": ElasticStore(f"{running.url}#bench", True, "month"), "embedded": open_store(str(Path(folder) / "store"), True)}
        for name, store in stores.items():
            started = time.perf_counter()
            for table in history.batches(1, rows, history.Truth()):
                store.write(Commit(history.Batch(activities=table)))
            rate = rows / (time.perf_counter() - started)
            alone = (alone + bare(client, rows)) / 2 if name == "elasticsearch" else alone
            print(f"{name}: {rate:,.0f} activities/s" + (f", {rate / alone:.2f} of streaming_bulk alone ({alone:,.0f})" if name == "elasticsearch" else ""))
        running.ask("POST", "/bench-activity/_forcemerge?max_num_segments=1")
        octets = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        elastic = stores["elasticsearch"]
        assert isinstance(elastic, ElasticStore)
        print(f"bytes per activity: elasticsearch {elastic.octets() / rows:.0f}, embedded {octets / rows:.0f}")
        for question in questions(elastic):
            told = {name: percentiles(questions(store)[question]) for name, store in stores.items()}
            print(f"{question}: " + ", ".join(f"{name} p50 {half:.0f} ms p95 {most:.0f} ms" for name, (half, most) in told.items()))
        for store in stores.values():
            store.close()
        for name in ("bench", "bare"):
            running.forget(name)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
