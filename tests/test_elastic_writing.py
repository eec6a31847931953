"""Writing against resistance: a server that has too much to do, one that takes no row for other reasons than the row, writers that died."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from records.errors import StoreError
from records.query import Query
from records.store.elastic import ElasticStore
from tests.cli import balefire, one
from tests.test_elastic_holds import in_a_process
from tests.test_store import DAY, NOON, activities, activity, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from tests.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch


@pytest.fixture(autouse=True)
def _spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))


@pytest.fixture
def where(elasticsearch: Elasticsearch) -> str:
    return elasticsearch.emptied("battery")


@pytest.fixture
def store(where: str) -> Iterator[ElasticStore]:
    made = ElasticStore(where, True)
    yield made
    made.close()


class Busy:
    """How a server answers bulk requests of activities: the status of every row but each `takes`-th; when each was asked."""

    def __init__(self) -> None:
        self.status, self.takes = 429, 0
        self.asked: list[float] = []

    def answer(self, lines: list[bytes], forward: Callable[[bytes], bytes]) -> bytes:
        self.asked.append(time.monotonic())
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        taken = [n for n in range(len(pairs)) if self.takes and n % self.takes == 0]
        body = b"".join(part + b"\n" for n in taken for part in pairs[n])
        answered = iter(json.loads(forward(body))["items"] if taken else [])
        refused = {"create": {"status": self.status, "error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}}}
        return json.dumps({"errors": True, "items": [next(answered) if n in taken else refused for n in range(len(pairs))]}).encode()


@contextmanager
def before(url: str, busy: Busy) -> Generator[str]:
    """The address of a server that passes all on to the one at `url`, but for what `busy` answers."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kinds = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            status, said, kind = 200, b"", ""

            def forward(sent: bytes) -> bytes:
                nonlocal status, kind
                asked = Request(url + self.path, sent or None, kinds, method=self.command)
                try:
                    with urlopen(asked) as found:
                        status, kind = found.status, found.headers["Content-Type"]
                        return found.read()
                except HTTPError as error:
                    status, kind = error.code, error.headers["Content-Type"]
                    return error.read()

            lines = body.splitlines()
            rows = self.path.startswith("/_bulk") and b"-activity-" in lines[0]
            said = busy.answer(lines, forward) if rows else forward(body)
            self.send_response(status)
            for name, value in (("X-Elastic-Product", "Elasticsearch"), ("Content-Type", kind or "application/json"), ("Content-Length", str(len(said)))):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - the names that the base class looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def middle(low: float, high: float) -> float:
    return (low + high) / 2


@pytest.mark.parametrize("status", [429, 503])
def test_rows_that_a_busy_server_does_not_take_are_sent_again(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Those alone, after waits that grow; all of them are there in the end, once, and none is a dead letter."""
    elasticsearch.emptied("battery")
    monkeypatch.setattr("random.uniform", middle)
    busy = Busy()
    busy.status, busy.takes = status, 2
    with before(elasticsearch.url, busy) as url:
        store = ElasticStore(f"{url}#battery", True)
        rows = [activity(n, NOON + n) for n in range(9)]
        written = store.write(activities(*rows))
        assert (written.new, written.known, written.refused) == (9, 0, 0)
        assert ids(store.read("activity", Query())) == [row["id"] for row in rows]
        assert store.dead_letters.count() == 0
        waits = [after - ahead for ahead, after in zip(busy.asked, busy.asked[1:], strict=False)]
        assert len(waits) == 3, "9 rows, then 4, 2 and 1"
        assert waits[0] >= 0.1
        assert waits[1] >= 0.2
        assert waits[2] >= 0.4
        store.close()


def test_a_server_that_stays_busy_is_said_and_nothing_counts(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the commit waits in the spool, for `elastic.busy` passes by itself."""
    elasticsearch.emptied("battery")
    monkeypatch.setattr("records.store.elastic.PATIENCE_S", 0.5)
    busy = Busy()
    rows = [activity(n, NOON + n) for n in range(9)]
    with before(elasticsearch.url, busy) as url:
        store = ElasticStore(f"{url}#battery", True)
        with pytest.raises(StoreError) as caught:
            store.write(activities(*rows))
        assert (caught.value.key, len(busy.asked) > 2) == ("elastic.busy", True)
        assert store.count("activity", Query()) == 0
        busy.takes = 1
        assert store.write(activities(*rows)).new == 9
        assert store.count("activity", Query()) == 9
        store.close()


def test_a_closed_index_makes_no_dead_letters(store: ElasticStore, elasticsearch: Elasticsearch) -> None:
    store.write(activities(activity(1)))
    (index,) = elasticsearch.ask("GET", f"/{store.names.of('activity')}-2026-11-01/_alias")
    elasticsearch.ask("POST", f"/{index}/_close")
    try:
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.write(activities(activity(2), activity(3)))
            assert (caught.value.key, f"/{index}/_open" in str(caught.value)) == ("elastic.closed", True)
    finally:
        elasticsearch.ask("POST", f"/{index}/_open?wait_for_active_shards=1")
    assert store.dead_letters.count() == 0
    assert store.write(activities(activity(2), activity(3))).new == 2
    assert ids(store.read("activity", Query())) == ["a0001", "a0002", "a0003"]


def test_a_letter_is_kept_once(where: str, store: ElasticStore) -> None:
    """Whoever writes the row again; another content is another letter, and a file that was moved away begins anew."""
    store.write(activities(activity(1, event__start=-5)))
    other = ElasticStore(where, True)
    for each in (other, store, other):
        each.write(activities(activity(1, event__start=-5)))
    assert store.dead_letters.count() == 1
    store.dead_letters.path.write_bytes(store.dead_letters.path.read_bytes() + b"no letter\n[]\n")
    other.write(activities(activity(1, event__start=-5), activity(2, event__start=-6)))
    assert store.dead_letters.count() == 4
    store.dead_letters.path.unlink()
    other.write(activities(activity(1, event__start=-5)))
    assert store.dead_letters.count() == 1
    other.close()


def open_in(store: ElasticStore) -> list[str]:
    return list(store.ledger.read().body["open"])


def test_what_a_killed_writer_left_is_buried_by_the_next_and_by_migrate(where: str) -> None:
    for bury in (lambda: ElasticStore(where, True).write(activities(activity(900))), lambda: one("store", "migrate", "--store", where)):
        reader = ElasticStore(where)
        points = iter(range(16, 60, 3))
        while not open_in(reader):  # until one dies with rows in hand
            assert in_a_process(where, next(points)) == -signal.SIGKILL
        assert balefire("store", "doctor", "--store", where).exit_code == 1
        bury()
        assert open_in(reader) == []
        assert one("store", "doctor", "--store", where)["checks"]
        reader.close()


def test_a_writer_elsewhere_that_fell_silent_is_buried(where: str, store: ElasticStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """By who has watched it for long enough; who beats is left alone."""
    monkeypatch.setattr("records.store.ledger.SILENT_S", 0.4)
    slow = ElasticStore(where, True)
    number = slow.ledger.begin()
    slow.ledger.change(lambda body: body["open"][str(number)].update(host="elsewhere"))
    for beat in (1, 2):
        store.write(activities(activity(beat)))
        assert open_in(store) == [str(number)]
        time.sleep(0.3)
        slow.ledger.change(lambda body, beat=beat: body["open"][str(number)].update(beat=beat))
    store.write(activities(activity(3)))
    time.sleep(0.5)
    store.write(activities(activity(4)))
    assert open_in(store) == []
    assert slow.write(activities(activity(5))).new == 1
    slow.close()


def test_a_cluster_that_makes_no_more_indices_says_why(store: ElasticStore, elasticsearch: Elasticsearch) -> None:
    """In the server's words, with what to do."""
    far = NOON + 4000 * DAY
    elasticsearch.ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": 1}})
    try:
        with pytest.raises(StoreError) as caught:
            store.write(activities(activity(1, far)))
        assert caught.value.key == "elastic.shards"
        for word in ("shards open", "max_shards_per_node", "retire"):
            assert word in str(caught.value)
    finally:
        elasticsearch.ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
