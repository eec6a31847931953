"""What the store in Elasticsearch must hold: nothing lost, nothing doubled, whatever is killed or away, whoever writes beside."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from balefire.outbox import Outbox
from records.errors import StoreError
from records.model import Batch
from records.query import Query
from records.schema import ACTIVITY, TABLES
from records.search import Match
from records.store import open_store
from records.store.contract import Change, Commit, again
from records.store.decisions import broken
from records.store.elastic import ElasticStore
from records.store.ledger import _silent  # pyright: ignore[reportPrivateUsage] - the clock of a lease, without waiting for one
from records.store.templates import Names, end_of, period_of
from tests.cli import CAPTURES, one
from tests.line import Line
from tests.test_copying import SUPPRESSION
from tests.test_store import DAY, NOON, activities, activity, alert, everything, finding, ids, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])
ROWS = 12
MONTH = 31 * DAY


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


def commit_of(store: Store, number: int) -> Commit:
    """Rows of two periods, a finding, its alert as it is folded on what is stored, and a state."""
    rows = [activity(number * ROWS + n, NOON + n % 2 * MONTH + n) for n in range(ROWS)]
    known = store.alerts(["al1"])
    folded = replace(known[0] if known else alert(1, count=0), last=NOON + number)
    return Commit(Batch(rows_of(ACTIVITY, rows)), (finding(number, alert="al1"),), (folded,), (), {"novelty": bytes([number])})


def outbox_of(store: Store) -> Outbox:
    """As a run has it: what depends on the store is worked out when a commit is delivered."""

    def deliver(commit: Commit) -> None:
        again(lambda: store.write(replace(commit, alerts=commit_of(store, int(commit.findings[0].id[1:])).alerts)))

    return Outbox(store, deliver, lambda commit, _: deliver(commit))


def scenario(where: str, spooled: bool = False) -> None:
    """Two commits and a decision, as a run makes them that may have been cut off before; by way of the spool, or straight into the store."""
    store = open_store(where, True)
    outbox = outbox_of(store)
    if spooled:
        outbox.begin()
    for number in range(2):
        if spooled:
            outbox.put(commit_of(store, number))
        else:
            again(lambda number=number: store.write(commit_of(store, number)))
        (current,) = store.alerts(["al1"])
        if not current.assignee:
            store.change([Change("alert", "al1", current.revision, "assign", "Li", {"assignee": "Wang"})])
    store.close()


def without_clock(store: Store) -> str:
    rows = everything(store)
    for row in rows["audit"]:
        row |= {"time": None, "hash": None}
    return repr(rows)


def killed(where: str, point: int, spool: str | None) -> None:
    """The scenario, by a process that is killed as by kill -9 at the point-th time that it has something to send, or has just been answered."""
    from elastic_transport import Transport

    ask, passed = Transport.perform_request, 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal passed
        for moment in (0, 1):
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1
            if moment == 0:
                answer = ask(*given, **named)
        return answer  # pyright: ignore[reportPossiblyUnboundVariable] - asked for at moment 0

    Transport.perform_request = counted
    if spool:
        os.environ["BALEFIRE_SPOOL"] = spool
    scenario(where, bool(spool))


def in_a_process(where: str, point: int, spool: str | None = None) -> int | None:
    process = PROCESSES.Process(target=killed, args=(where, point, spool))
    process.start()
    process.join(120)
    return process.exitcode


@pytest.fixture(scope="module")
def uninterrupted(elasticsearch: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALEFIRE_SPOOL", str(tmp_path_factory.mktemp("uninterrupted")))
        where = elasticsearch.emptied("battery")
        scenario(where)
        store = open_store(where)
        rows = without_clock(store)
        store.close()
    return rows


def deliver_what_is_left(where: str) -> None:
    """As the next run begins."""
    store = open_store(where, True)
    assert store.spool
    kept = {each.id for path in store.spool.left() for each in store.spool.take(path).findings}
    seen = set(ids(store.read("finding", Query())))
    outbox_of(store).begin()
    assert set(ids(store.read("finding", Query()))) == seen | kept
    assert store.count("activity", Query()) == len(seen | kept) * ROWS
    assert store.spool.left() == []
    store.close()


POINTS = range(50) if "BALEFIRE_AWAY_S" in os.environ else sorted(Random(8).sample(range(50), 5))  # all of them in `make soak`


@pytest.mark.parametrize(("point", "spooled"), [(point, number % 2 == 1) for number, point in enumerate(POINTS)])
def test_a_writer_killed_anywhere(elasticsearch: Elasticsearch, uninterrupted: str, tmp_path: Path, point: int, spooled: bool) -> None:
    """Whoever looks then sees whole commits; whoever writes the same again completes it, exactly once; what is in the spool needs nobody to write it again."""
    where = elasticsearch.emptied("battery")
    spool = str(tmp_path / "spool")
    assert in_a_process(where, 14 + 2 * point + point % 2, spool if spooled else None) == -signal.SIGKILL
    reader = open_store(where)
    rows, findings = reader.count("activity", Query()), reader.count("finding", Query())
    assert (rows, [each.count for each in reader.alerts(["al1"])]) == (findings * ROWS, [findings] if findings else [])
    assert reader.state("novelty") == (bytes([findings - 1]) if findings else None)
    assert reader.count("audit", Query()) == sum(bool(each.assignee) for each in reader.alerts(["al1"]))
    reader.close()
    if spooled:
        deliver_what_is_left(where)
    scenario(where, spooled)
    store = open_store(where)
    assert without_clock(store) == uninterrupted
    assert broken(store) is None
    store.close()


def test_what_waits_when_a_run_ends_is_delivered_by_the_next(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    elasticsearch.emptied("battery")
    monkeypatch.setattr("balefire.outbox.FINISH_S", 0.0)
    monkeypatch.setattr("records.store.elastic.PATIENCE_S", 0.0)
    with Line(elasticsearch.url) as line:
        store = ElasticStore(f"{line.url}#battery", True)
        outbox = Outbox(store, store.write, lambda commit, _: store.write(commit))
        line.cut()
        for number in range(3):
            outbox.put(activities(activity(number, NOON + number)))
        with pytest.raises(Exception, match=r"commits wait .*: 3\. "):
            outbox.finish()
        store.close()
        line.mend()
        later, left = ElasticStore(f"{line.url}#battery", True), list[object]()
        assert later.spool
        damaged = later.spool.left()[1]
        damaged.write_bytes(damaged.read_bytes()[:-3])
        following = Outbox(later, later.write, lambda commit, _: left.append(later.write(commit)))
        problems: list[str] = []
        following.problem = lambda error: problems.append(error.key)
        following.begin()
        assert (len(left), problems) == (2, ["spool.corrupt"])
        assert ids(later.read("activity", Query())) == ["a0000", "a0002"]
        assert later.spool.left() == []
        later.close()


def test_what_the_mapping_refuses(store: ElasticStore) -> None:
    """It goes to the dead letters and is shown in coverage; the rest of the commit is written, and written again it says the same."""
    rows = [activity(1), activity(2, event__start=-5, observer__name="tap-1"), activity(3)]
    for times in (1, 2):
        written = store.write(activities(*rows))
        assert (written.new + written.known, written.refused) == (2, 1)
        assert store.dead_letters.count() == 1, times
    (letter,) = [json.loads(line) for line in store.dead_letters.path.read_text("utf-8").splitlines()]
    assert (letter["id"], letter["document"]["observer"]["name"]) == ("a0002", "tap-1")
    assert "event.start" in letter["reason"]
    assert ids(store.read("activity", Query())) == ["a0001", "a0003"]
    (told,) = store.read("coverage", Query()).to_pylist()
    assert (told["refused"], told["observer.name"], told["packets"]) == (1, "tap-1", None)


def written_by(where: str, first: int, told: SimpleQueue[tuple[int, int]], both: Barrier) -> None:
    store = open_store(where, True)
    both.wait(60)
    for number in range(first, first + 6):
        done = again(lambda number=number: store.write(commit_of(store, number)))
        assert not done.conflicts
        told.put((done.new, done.known))
    store.close()


def test_two_writers_at_once(where: str) -> None:
    """The same rows and others, at the same time, one of them in a process of its own: each row once, each commit whole, every decision counted."""
    told: SimpleQueue[tuple[int, int]] = PROCESSES.SimpleQueue()
    both = PROCESSES.Barrier(2)
    writers = [kind(target=written_by, args=(where, first, told, both)) for kind, first in ((threading.Thread, 0), (PROCESSES.Process, 3))]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    reader = open_store(where)
    while any(writer.is_alive() for writer in writers):
        seen.append(reader.count("activity", Query()))
    for writer in writers:
        writer.join()
    written = [told.get() for _ in range(12) if not told.empty()]
    assert len(written) == 12
    assert all(count % ROWS == 0 for count in seen)
    assert seen == sorted(seen)
    assert reader.count("activity", Query()) == 9 * ROWS
    assert sorted(ids(reader.read("activity", Query()))) == [f"a{n:04}" for n in range(9 * ROWS)]
    assert sum(new for new, _ in written) == 9 * (ROWS + 1)
    assert sum(known for _, known in written) == 3 * (ROWS + 1)
    assert reader.alerts(["al1"])[0].count == reader.count("finding", Query(where=Match("alert", "al1"))) == 9
    reader.close()


def test_decisions_at_once(where: str) -> None:
    """One of those who decide on the same state wins; notes all get their place in one chain."""
    store = open_store(where, True)
    store.write(Commit(alerts=(alert(1),)))
    outcome: list[bool] = []

    def decide(name: str) -> None:
        mine = open_store(where)
        mine.change([Change("alert", "al1", None, "note", name, note="seen")])
        try:
            mine.change([Change("alert", "al1", 0, "assign", name, {"assignee": name})])
            outcome.append(True)
        except Exception:
            outcome.append(False)
        mine.close()

    people = [threading.Thread(target=decide, args=(f"p{n}",)) for n in range(4)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert sorted(outcome) == [False, False, False, True]
    assert broken(store) is None
    assert store.count("audit", Query()) == 5
    assert store.alerts(["al1"])[0].revision == 1
    store.close()


def test_a_new_period_in_the_middle_of_a_batch(store: ElasticStore) -> None:
    rows = [activity(n, NOON + n * DAY) for n in range(20)]
    assert store.write(activities(*rows)).new == 20
    assert store.write(activities(*reversed(rows))).known == 20
    assert ids(store.read("activity", Query())) == [row["id"] for row in rows]
    counts = [store.count("activity", Query(since=NOON + n * DAY, until=NOON + (n + 1) * DAY)) for n in range(20)]
    assert counts == [1] * 20


def test_an_old_capture_beside_live_data(store: ElasticStore) -> None:
    """Each row goes to the period of its event; what was read yesterday comes again and is known; what is old but was written now stays."""
    old = [activity(100 + n, NOON - 700 * DAY + n) for n in range(5)]
    for n in range(4):
        store.write(activities(activity(n, NOON + n)))
        assert store.write(activities(*old)).new == (5 if n == 0 else 0)
    assert store.newest() == NOON + 3 + 5
    assert ids(store.read("activity", Query(until=NOON))) == [row["id"] for row in old]
    assert store.retire(NOON - 600 * DAY) == {}
    assert store.count("activity", Query()) == 9


def test_an_old_capture_is_replayed_while_a_sensor_writes(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows of both are there, under the identities that each has alone; nothing of what was replayed goes for its age, nor with it what is current."""
    capture, tables, clock = CAPTURES / "s7comm.pcap", ("activity", "point", "finding"), time.time_ns
    one("replay", capture, "--store", tmp_path / "alone")
    alone = open_store(str(tmp_path / "alone"))
    expected = {name: ids(alone.read(name, Query())) for name in tables}
    alone.close()
    assert len(expected["activity"]) > 10
    monkeypatch.setattr("time.time_ns", lambda: clock() + 700 * DAY)
    sensor, listening, ended, written = ElasticStore(where, True), threading.Event(), threading.Event(), list[str]()
    outbox = Outbox(sensor, sensor.write, lambda commit, _: sensor.write(commit))

    def listen() -> None:
        while not ended.wait(0.2):
            row = activity(len(written), time.time_ns())
            outbox.put(activities(row))
            written.append(row["id"])
            listening.set()

    live = threading.Thread(target=listen)
    live.start()
    assert listening.wait(60)
    before = len(written)
    one("replay", capture, "--store", where)
    during = len(written) - before
    ended.set()
    live.join()
    outbox.finish()
    assert during > 0
    expected["activity"] += written
    for _ in range(2):
        assert {name: sorted(ids(sensor.read(name, Query()))) for name in tables} == {name: sorted(rows) for name, rows in expected.items()}
        assert sensor.retire(NOON + 600 * DAY) == {}
    assert sensor.expired(time.time_ns() + 40 * DAY)["activity"] == len(expected["activity"]), "later they would"
    sensor.close()


def test_retention_goes_by_the_end_of_the_period_and_the_last_write(store: ElasticStore) -> None:
    store.write(activities(activity(1, NOON - 100 * DAY), activity(2, NOON)))
    store.write(Commit(findings=(finding(1, NOON - 100 * DAY), finding(2, NOON + 900 * DAY))))
    later = max(time.time_ns(), NOON) + 60 * DAY
    assert store.retire(NOON - 90 * DAY) == {}, "it was written just now"
    assert store.retire(later) == {"activity": 2, "finding": 1}
    assert [store.count(name, Query()) for name in ("activity", "finding")] == [0, 1]
    assert store.write(activities(activity(3, NOON))).new == 1


def test_clocks_that_are_wrong_change_nothing(store: ElasticStore, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease goes by what its holder does, seen by the clock of who waits."""
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert store.write(activities(activity(1))).new == 1
    monkeypatch.setattr("time.time_ns", lambda: 1 << 62)
    other = open_store(where, True)
    assert other.write(activities(activity(1), activity(2))).new == 1
    other.close()
    beats: dict[int, tuple[int, float]] = {}
    assert [_silent(beats, 7, beat, now) for beat, now in ((0, 0.0), (0, 29.0), (1, 31.0), (1, 60.0), (1, 62.0))] == [False, False, False, False, True]


def test_rows_of_a_writer_that_hangs_are_waited_for(where: str, store: ElasticStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is declared dead after its lease, its rows are taken over, and what it does later does not count."""
    monkeypatch.setattr("records.store.ledger.LEASE_S", 0.5)
    slow = ElasticStore(where, True)
    number = slow.ledger.begin()
    slow.ledger.owner["host"] = "elsewhere"
    slow.ledger.change(lambda body: body["open"][str(number)].update(host="elsewhere"))
    indexer = slow._indexer  # pyright: ignore[reportPrivateUsage] - half a commit
    from records.store.indexing import Outcome

    indexer.create(indexer.arrow_entries("activity", rows_of(ACTIVITY, [activity(1), activity(2)]), number), number, Outcome())
    assert store.count("activity", Query()) == 0
    assert store.write(activities(activity(1), activity(3))).new == 2
    assert ids(store.read("activity", Query())) == ["a0001", "a0003"]
    assert slow.write(activities(activity(1), activity(2))).new == 1
    assert store.count("activity", Query()) == 3
    slow.close()


def test_periods() -> None:
    names = Names("b")
    for period, first, length in (("day", "2026-11-22", 1), ("week", "2026-11-16", 7), ("month", "2026-11-01", 30)):
        start = period_of(NOON, period)
        index = names.at("activity", start)
        assert index == f"b-activity-{first}"
        assert names.start_of("activity", index) == start
        assert end_of(start, period) - length * DAY <= NOON < end_of(start, period)
    assert period_of(-1, "day").isoformat() == "1969-12-31"


def test_a_decision_in_a_store_of_a_version_with_fewer_tables(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decides has not opened it to write: what he decides finds its place all the same, and is found."""
    elasticsearch.forget("young")
    where = f"{elasticsearch.url}#young"
    with monkeypatch.context() as patch:
        for module in ("templates", "making"):
            patch.setattr(f"records.store.{module}.TABLES", {name: table for name, table in TABLES.items() if name != "suppression"})
        open_store(where, True).close()
    store = ElasticStore(where)
    assert not store.templates_current()
    store.change([Change("suppression", "s1", None, "suppress", "Li", SUPPRESSION)])
    assert store.templates_current()
    assert [each.id for each in store.suppressions()[1]] == ["s1"]
    assert elasticsearch.ask("GET", "/young-suppression/_mapping")["young-suppression"]["mappings"]["dynamic"] == "strict"
    store.close()
    elasticsearch.forget("young")


def test_an_index_of_a_version_with_fewer_fields(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens it to write teaches its indices the new fields; who only reads says what has to be done; a newer one is left alone."""
    elasticsearch.forget("aged")
    where, whole = f"{elasticsearch.url}#aged", ACTIVITY.fields
    fewer = tuple(field for field in whole if field.name != "ot.rtt")
    with monkeypatch.context() as patch:
        patch.setattr("records.store.templates.SCHEMA_VERSION", 1)
        patch.setattr("records.store.ledger.SCHEMA_VERSION", 1)
        patch.setattr("records.store.elastic.SCHEMA_VERSION", 1)
        patch.setattr("records.store.templates.TABLES", TABLES | {"activity": replace(ACTIVITY, fields=fewer)})
        older = ElasticStore(where, True, "month")
        assert older.write(activities(activity(1))).refused == 0
        assert older.write(activities(activity(2, ot__rtt=0.5))).refused == 1, "the mapping is strict"
        older.close()
    with pytest.raises(StoreError) as caught:
        open_store(where)
    assert caught.value.key == "store.older"
    store = open_store(where, True)
    assert store.write(activities(activity(3, ot__rtt=0.5))).new == 1
    assert store.read("activity", Query(sort="id")).column("ot.rtt").to_pylist() == [None, 0.5]
    assert store.count("activity", Query(where=Match("ot.rtt", 0.5))) == 1
    store.close()
    monkeypatch.setattr("records.store.elastic.SCHEMA_VERSION", 1)
    for write in (False, True):
        with pytest.raises(StoreError) as caught:
            open_store(where, write)
        assert caught.value.key == "store.newer"
