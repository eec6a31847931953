"""An index that is closed, deleted or out of its alias makes questions fail, never an answer shorter; one that is retired or made meanwhile does not."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from records.errors import StoreError
from records.query import Histogram, Query, Terms
from records.store import open_store
from records.store.contract import Commit
from records.store.copying import copy
from records.store.elastic import ElasticStore
from tests.cli import balefire, one
from tests.test_store import DAY, NOON, activities, activity, alert, finding, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch

OLD, NEW = NOON - 100 * DAY, NOON


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setattr("records.store.elastic.PATIENCE_S", 20.0)  # a new index has no shard for a moment: long, where the machine is busy


@pytest.fixture
def store(elasticsearch: Elasticsearch) -> Iterator[ElasticStore]:
    """Two activities of two periods, a finding, an alert."""
    elasticsearch.forget("present")
    made = ElasticStore(f"{elasticsearch.url}#present", True, "month")
    made.write(activities(activity(1, OLD), activity(2, NEW)))
    made.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    yield made
    made.close()
    elasticsearch.forget("present")


def indices(elasticsearch: Elasticsearch) -> list[str]:
    return sorted(elasticsearch.ask("GET", "/present-activity/_alias"))


def refused(question: Callable[[], object], key: str, index: str) -> None:
    with pytest.raises(StoreError) as caught:
        question()
    assert caught.value.key == key, str(caught.value)
    assert index in str(caught.value)


def questions(store: Store, table: str = "activity") -> list[Callable[[], object]]:
    return [
        lambda: store.count(table, Query()),
        lambda: store.read(table, Query()),
        lambda: store.read(table, Query(limit=5)),
        lambda: list(store.history(table, Query(), ["id"])),
        lambda: store.terms(table, Query(), Terms(("id",), 5)),
        lambda: store.histogram(table, Query(), Histogram(DAY)),
        lambda: store.find("a", (table,)),
    ]


def ill(store: ElasticStore) -> dict[str, str]:
    told = one("store", "doctor", "--store", store.place.shown, status=1)["checks"]
    return {check["check"]: check["advice"] for check in told if not check["well"]}


def test_a_closed_index(store: ElasticStore, elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    where, (first, _) = store.place.shown, indices(elasticsearch)
    elasticsearch.ask("POST", f"/{first}/_close")
    for question in questions(store):
        refused(question, "elastic.closed", first)
    refused(lambda: copy(store, open_store(str(tmp_path / "copy"), True)), "elastic.closed", first)
    said = balefire("activities", "--store", where)
    assert (said.exit_code, f"/{first}/_open" in said.stderr) == (4, True)
    assert first in ill(store)["closed"]
    elasticsearch.ask("POST", f"/{first}/_open?wait_for_active_shards=1")
    assert ids(store.read("activity", Query())) == ["a0001", "a0002"]
    assert one("store", "doctor", "--store", where)["checks"]


def test_documents_that_somebody_else_wrote(store: ElasticStore, elasticsearch: Elasticsearch) -> None:
    """Told with where they are, and with the query that finds them and nothing else (the build here has no _delete_by_query)."""
    where, (first, _) = store.place.shown, indices(elasticsearch)
    assert one("store", "doctor", "--store", where)["checks"], "what we write is none"
    for index in (first, "present-asset"):
        elasticsearch.ask("PUT", f"/{index}/_doc/stray?refresh=true", {})
    assert ids(store.read("activity", Query())) == ["a0001", "a0002"]
    advice = ill(store)["strays"]
    assert advice.startswith(f"2 documents in {first}, present-asset ")
    query = json.loads(advice.partition("_delete_by_query ")[2])
    hits = elasticsearch.ask("POST", "/present-*/_search", query | {"size": 100})["hits"]["hits"]
    found = [(hit["_index"], hit["_id"]) for hit in hits if not hit["_index"].startswith("present-ledger")]
    assert sorted(found) == [(first, "stray"), ("present-asset", "stray")]
    for index, name in found:
        elasticsearch.ask("DELETE", f"/{index}/_doc/{name}?refresh=true")
    assert one("store", "doctor", "--store", where)["checks"]
    assert ids(store.read("activity", Query())) == ["a0001", "a0002"]


@pytest.mark.parametrize("table", ["finding", "alert"])
def test_a_closed_index_of_a_whole_table(store: ElasticStore, elasticsearch: Elasticsearch, table: str) -> None:
    elasticsearch.ask("POST", f"/present-{table}/_close")
    for question in questions(store, table)[:4]:
        refused(question, "elastic.closed", f"present-{table}")
    refused(lambda: store.write(Commit(findings=(finding(2, alert="al1"),), alerts=(alert(1),))), "elastic.closed", f"present-{table}")
    if table == "alert":
        refused(lambda: store.alerts_of(["k1"]), "elastic.closed", "present-alert")
        refused(lambda: store.alerts(["al1"]), "elastic.closed", "present-alert")


def test_a_deleted_index(store: ElasticStore, elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    """Asked by one that has asked before, and by one that has not."""
    first, _ = indices(elasticsearch)
    assert store.count("activity", Query()) == 2
    fresh, target = open_store(store.place.shown), open_store(str(tmp_path / "copy"), True)
    elasticsearch.ask("DELETE", f"/{first}")
    for asked in (store, fresh):
        for question in questions(asked)[:4]:
            refused(question, "elastic.missing", first)
        refused(lambda asked=asked: copy(asked, target), "elastic.missing", first)
    assert first in ill(store)["missing"]
    elasticsearch.ask("PUT", f"/{first}")
    for asked in (store, fresh):
        assert ids(asked.read("activity", Query())) == ["a0002"], "it is given up: an empty one stands in its place"
    elasticsearch.ask("DELETE", "/present-alert")
    for question in (lambda: store.count("alert", Query()), lambda: store.alerts(["al1"]), lambda: store.alerts_of(["k1"])):
        refused(question, "elastic.missing", "present-alert")


def test_a_lost_alias(store: ElasticStore, elasticsearch: Elasticsearch) -> None:
    first, second = indices(elasticsearch)
    for gone in ([first], [second]):
        elasticsearch.ask("POST", "/_aliases", {"actions": [{"remove": {"index": index, "alias": "present-activity"}} for index in gone]})
        refused(lambda: store.count("activity", Query()), "elastic.unaliased", first)
    one("store", "migrate", "--store", store.place.shown)
    assert store.count("activity", Query()) == 2


def test_retirement_takes_its_notes_along(store: ElasticStore, elasticsearch: Elasticsearch) -> None:
    """Nothing is missing after it, nor while it goes on, nor where it broke off; what was deleted by hand and is past it is not missed any more."""
    reader = open_store(store.place.shown)
    later = max(time.time_ns(), NEW) + 60 * DAY
    failed: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                reader.count("activity", Query())
        except BaseException as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            assert store.retire(later)["activity"] == 2
            assert store.count("activity", Query()) == reader.count("activity", Query()) == 0
            store.write(activities(activity(1, OLD), activity(2, NEW)))
    finally:
        done.set()
        asking.join()
    assert not failed
    assert reader.count("activity", Query()) == 2
    first, _ = indices(elasticsearch)
    elasticsearch.ask("DELETE", f"/{first}")
    refused(lambda: open_store(store.place.shown).count("activity", Query()), "elastic.missing", first)
    store.retire(later)
    assert store.missing() == []
    assert reader.count("activity", Query()) == store.count("activity", Query()) == 0
    assert not [hit for hit in elasticsearch.found("present-ledger", {"match_all": {}}) if hit.startswith("written-present-activity")]


def test_indices_made_while_questions_run(store: ElasticStore) -> None:
    reader, failed, done = open_store(store.place.shown), list[BaseException](), threading.Event()
    seen: list[int] = []

    def ask() -> None:
        try:
            while not done.is_set():
                seen.append(reader.count("activity", Query()))
        except BaseException as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for month in range(5):
        store.write(activities(activity(10 + month, NEW + (month + 1) * 31 * DAY)))
    done.set()
    asking.join()
    assert not failed
    assert seen == sorted(seen)
    assert reader.count("activity", Query()) == 7
