"""Both stores: how fast rows are written, what they take on the disk, how long the dashboard's questions take: `python -m tests.bench.elastic --rows N`.

Writing to Elasticsearch is measured against the client's own `helpers.streaming_bulk` of the same documents, in turns, so that what else the machine does
slows both. It needs an Elasticsearch: BALEFIRE_ELASTICSEARCH_URL, else one is started as for the tests. `--of STORE STORE` asks stores that are there, as
`tests.bench.dashboard` leaves them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
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
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch as Server

TIMES: Final = 20
PART: Final = 20_000  # rows of a commit, and of a turn
SETTLED_S: Final = 11.0  # Elasticsearch looks every 10 s what its indices take
LOOK_S: Final = 1.0
LEAST: Final = 0.8  # of what the client alone does
BARE: Final = "bare-activity-2026-03-01"
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


def percentiles(store: Store, ask: Callable[[], object]) -> tuple[float, float]:
    """(p50, p95) in milliseconds; an Elasticsearch forgets its answers before each, for who asks a dashboard asks for something else."""
    taken: list[float] = []
    for _ in range(TIMES):
        if isinstance(store, ElasticStore):
            store.cluster.client.indices.clear_cache(index=store.names.of("activity"), request=True)
        started = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - started))
    taken.sort()
    return taken[TIMES // 2], taken[int(TIMES * 0.95) - 1]


def parts(rows: int) -> Iterator[pa.Table]:
    """A month of activities, some at a time."""
    for table in history.batches(1, rows, history.Truth()):
        yield from (table.slice(start, PART) for start in range(0, table.num_rows, PART))


def written(store: Store, tables: Iterable[pa.Table]) -> tuple[int, float]:
    """Write them; (rows, seconds)."""
    rows, started = 0, time.perf_counter()
    for table in tables:
        rows += store.write(Commit(history.Batch(activities=table))).new
    return rows, time.perf_counter() - started


def bare(client: Elasticsearch, table: pa.Table) -> float:
    """Seconds that the client alone takes to send the same documents to an index of the same mapping; making them is not counted."""
    documents: list[dict[str, Any]] = [json.loads(encoded(ACTIVITY, row)) for row in rows_of(ACTIVITY, table)]
    actions = ({"_op_type": "create", "_index": BARE, "_id": document["id"], "_source": document} for document in documents)
    started = time.perf_counter()
    done = sum(well for well, _ in helpers.streaming_bulk(client, actions, chunk_size=2000))
    assert done == table.num_rows
    return time.perf_counter() - started


def in_turns(store: Store, client: Elasticsearch, tables: Iterable[pa.Table]) -> float:
    """What share of the rate of the client alone the store writes at."""
    rows, ours, alone = 0, 0.0, 0.0
    for number, table in enumerate(tables):
        alone += bare(client, table) if number % 2 else 0.0
        done, seconds = written(store, [table])
        alone += 0.0 if number % 2 else bare(client, table)
        rows, ours = rows + done, ours + seconds
    print(f"elasticsearch, {rows:,} activities in turns: {rows / ours:,.0f}/s, {alone / ours:.2f} of streaming_bulk alone ({rows / alone:,.0f}/s)", flush=True)
    return alone / ours


def asked(stores: dict[str, Store]) -> None:
    """How long the questions take."""
    for question in questions(next(iter(stores.values()))):
        told = {name: percentiles(store, questions(store)[question]) for name, store in stores.items()}
        print(f"{question}: " + ", ".join(f"{name} p50 {half:.0f} ms p95 {most:.0f} ms" for name, (half, most) in told.items()), flush=True)


def kept(places: Iterable[str]) -> None:
    """What stores that are there take for an activity, and how long the questions take."""
    stores = {place: open_store(place) for place in places}
    for place, store in stores.items():
        rows = store.count("activity", Query())
        print(f"{_kind(store)}, {rows:,} activities: {_octets(store, place) / rows:.0f} bytes per activity", flush=True)
    asked({_kind(store): store for store in stores.values()})
    for store in stores.values():
        store.close()


def _octets(store: Store, place: str) -> int:
    return store.octets("activity") if isinstance(store, ElasticStore) else sum(path.stat().st_size for path in Path(place, "activity").iterdir())


def _kind(store: Store) -> str:
    return "elasticsearch" if isinstance(store, ElasticStore) else "embedded"


def in_time(tables: Iterable[pa.Table], end: float) -> Iterator[pa.Table]:
    """These tables, as many as are asked for before the end (monotonic)."""
    for table in tables:
        if time.monotonic() > end:
            print("the time is up: what is there is measured", flush=True)
            return
        yield table


def merge(running: Server) -> None:
    """One segment an index, as it is some time after its period; what was merged goes from the disk."""
    running.ask("POST", "/bench-activity/_forcemerge?max_num_segments=1&wait_for_completion=false")  # it may take longer than an answer
    while True:
        time.sleep(LOOK_S)
        if not running.ask("GET", "/bench-activity/_stats/merge")["_all"]["total"]["merges"]["current"]:
            break
    for path in ("_refresh", "_flush?force=true"):
        running.ask("POST", f"/bench-activity/{path}")


def measured(running: Server, folder: str, rows: int, turns: int, end: float) -> float:
    """Fill both stores, print what they take and how long the questions take; the share of the rate of the client alone."""
    running.forget("bench")
    client = Elasticsearch(running.url, request_timeout=60)
    client.options(ignore_status=404).indices.delete(index=BARE)
    ElasticStore(f"{running.url}#bare", True, "month").close()  # its mapping
    elastic = ElasticStore(f"{running.url}#bench", True, "month")
    tables = in_time(parts(rows), end)
    share = in_turns(elastic, client, islice(tables, -(-turns // PART)))
    done, seconds = written(elastic, tables)
    if done:
        print(f"elasticsearch, {done:,} more: {done / seconds:,.0f}/s", flush=True)
    rows = elastic.count("activity", Query())
    merge(running)
    time.sleep(SETTLED_S)
    print(f"elasticsearch: {elastic.octets() / rows:.0f} bytes per activity", flush=True)
    embedded = filled(folder, rows)
    asked({"elasticsearch": elastic, "embedded": embedded})
    for store in (elastic, embedded):
        store.close()
    for name in ("bench", "bare"):
        running.forget(name)
    return share


def filled(folder: str, rows: int) -> Store:
    """A directory with so many activities; prints how fast, and what they take."""
    store = open_store(str(Path(folder) / "store"), True)
    done, seconds = written(store, history.batches(1, rows, history.Truth()))
    octets = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(f"embedded, {done:,} activities: {done / seconds:,.0f}/s, {octets / rows:.0f} bytes per activity", flush=True)
    return store


def main() -> None:
    """Measure, and print one line a figure; an exit status where writing is too slow."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.elastic", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=200_000, help="rows that the client alone sends, too")
    parser.add_argument("--minutes", type=float, default=1e6, help="after so long, Elasticsearch is filled no further")
    parser.add_argument("--embedded", action="store_true", help="the embedded store alone")
    parser.add_argument("--of", nargs="+", metavar="STORE", help="ask stores that are there, and write nothing")
    chosen = parser.parse_args()
    if chosen.of:
        kept(chosen.of)
        return
    with tempfile.TemporaryDirectory(prefix="balefire-bench-") as folder:
        if chosen.embedded:
            asked({"embedded": filled(folder, chosen.rows)})
            return
        with node() as running:
            share = measured(running, folder, chosen.rows, min(chosen.turns, chosen.rows), time.monotonic() + 60 * chosen.minutes)
    check(share)


def check(share: float) -> None:
    """Ends with 1 where writing reaches too little of what the client alone does."""
    if share < LEAST:
        sys.exit(f"written at {share:.2f} of what streaming_bulk does alone; it has to be {LEAST:g}")


if __name__ == "__main__":
    main()
