"""Commits on their way to a store that is away while there is no room left on the disk: reading waits, and what a stop costs is said."""

from __future__ import annotations

import dataclasses
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from balefire.outbox import Outbox
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.telling import Telling
from records.errors import StoreError
from records.query import Query
from records.store import open_store
from records.store.embedded import EmbeddedStore
from records.store.spool import Spool, encoded, waiting_alerts
from tests.test_spool import commit
from tests.test_suppressions import suppression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.model import Alert
    from records.store.contract import Commit, Store, Written


class Away:
    """What delivers to a store that can be taken away, and the spool before it, which holds two commits."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root, limit=2 * len(encoded(commit(1))) + 100)
        self.away = True
        self.there: list[str] = []

    def deliver(self, given: Commit) -> None:
        if self.away:
            raise StoreError("elastic.unreachable", place="x", reason="refused")
        self.there += map(str, given.batch.activities.column("id").to_pylist())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    monkeypatch.setattr("balefire.outbox.FINISH_S", 0.0)
    monkeypatch.setattr("balefire.outbox.RETRY_S", 0.01)
    monkeypatch.setattr("balefire.outbox.TELL_S", 0.1)
    made = Away(tmp_path / "spool")
    yield made
    made.spool.close()


def outbox_of(store: Away) -> tuple[Outbox, list[str]]:
    said: list[str] = []
    outbox = Outbox(cast("Store", store), store.deliver, lambda given, _told: store.deliver(given))
    outbox.note = lambda key, _values: said.append(key)
    return outbox, said


def putting(outbox: Outbox, *numbers: int) -> tuple[threading.Thread, list[BaseException]]:
    failed: list[BaseException] = []

    def put() -> None:
        try:
            for number in numbers:
                outbox.put(commit(number))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    return thread, failed


def until(said: list[str], count: int) -> None:
    end = time.monotonic() + 20
    while said.count("cli.spool.full") < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_spool_waits_as_long_as_it_takes(store: Away) -> None:
    """Past any time that the end of a run would wait; it is said again and again, and in the end all is there, once, in order."""
    outbox, said = outbox_of(store)
    thread, failed = putting(outbox, *range(5))
    until(said, 3)
    assert (thread.is_alive(), store.there) == (True, [])
    store.away = False
    thread.join(20)
    outbox.finish()
    assert not failed
    assert store.there == [f"a{number:04}" for number in range(5)]
    assert said[0] == "cli.spool.away"
    assert "cli.spool.back" in said


def test_who_stops_it_hears_what_is_lost(store: Away) -> None:
    outbox, said = outbox_of(store)
    thread, failed = putting(outbox, *range(3))
    until(said, 1)
    outbox.stop()
    thread.join(20)
    (error,) = cast("list[Any]", failed)
    assert (error.key, error.status) == ("spool.lost", 4)
    assert " UTC: 1 rows and 1 findings that were judged by then are lost, and nothing of what came after them is stored" in str(error)
    assert len(list(store.spool.root.glob("*/*.segment"))) == 2, "the others wait for the next run"


def test_a_stop_loses_nothing_where_the_store_is_there(store: Away) -> None:
    outbox, _ = outbox_of(store)
    store.away = False
    outbox.stop()
    for number in range(4):
        outbox.put(commit(number))
    outbox.finish()
    assert store.there == [f"a{number:04}" for number in range(4)]


def test_what_goes_on_without_end_waits_at_its_start_until_what_was_left_is_delivered(store: Away) -> None:
    """Past any time that the end of a run would wait, unless it is stopped: what was left stays on the disk then."""
    for stopped in (True, False):
        store.spool.put(commit(1))
        store.spool.close()
        store.spool, store.away = Spool(store.spool.root), True  # that of a later run
        outbox, said = outbox_of(store)
        outbox.patient, failed = True, list[str]()

        def begin(outbox: Outbox = outbox, failed: list[str] = failed) -> None:
            try:
                outbox.begin()
            except StoreError as error:
                failed.append(error.key)

        thread = threading.Thread(target=begin)
        thread.start()
        time.sleep(0.1)
        assert (thread.is_alive(), said) == (True, ["cli.spool.left", "cli.spool.away"])
        if stopped:
            outbox.stop()
        store.away = stopped
        thread.join(20)
        assert (failed, store.there) == ((["spool.waiting"], []) if stopped else ([], ["a0001"] * 2))


def test_while_the_store_is_away_people_hear_before_the_next_try(store: Away) -> None:
    """It may be long until nobody has answered."""
    done: list[str] = []

    def deliver(given: Commit) -> None:
        done.append("tried")
        store.deliver(given)

    def hold(_: Commit) -> tuple[Alert, ...]:
        done.append("told")
        return ()

    outbox = Outbox(cast("Store", store), deliver, lambda given, _told: store.deliver(given))
    outbox.held = hold
    outbox.put(commit(1))
    time.sleep(0.02)
    outbox.put(commit(2))
    assert done == ["tried", "told", "told", "tried"]


def test_room_for_nothing_at_all(store: Away) -> None:
    """Others fill the disk: what cannot be kept goes to the store itself, and waits for that."""
    outbox, said = outbox_of(store)
    store.spool.limit = 10
    thread, failed = putting(outbox, 1)
    until(said, 2)
    store.away = False
    thread.join(20)
    assert (failed, store.there) == ([], ["a0001"])
    assert not outbox.away


def test_a_directory_whose_disk_is_full_holds_until_there_is_room(tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is stored then, once; who does not go on without end is told at once, and who stops hears what is lost."""
    monkeypatch.setattr("balefire.outbox.RETRY_S", 0.01)
    opened = open_store(str(tiny_disk / "store"), True)
    said: list[str] = []
    outbox = Outbox(opened, opened.write, lambda given, _told: opened.write(given))
    held: list[Commit] = []

    def hold(given: Commit) -> tuple[Alert, ...]:
        held.append(given)
        return ()

    outbox.held = hold
    outbox.note = lambda key, _values: said.append(key)
    outbox.put(commit(0))
    filler = tiny_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))
    with pytest.raises(StoreError) as caught:
        outbox.put(commit(1))
    assert caught.value.key == "store.full"
    outbox.patient = True
    thread, failed = putting(outbox, 1, 2)
    while not said:
        time.sleep(0.01)
    filler.unlink()
    thread.join(20)
    assert (failed, said) == ([], ["cli.spool.held", "cli.spool.room"])
    assert len(held) > 0, "whoever is to hear of it does not wait for room"
    assert opened.count("activity", Query()) == 3
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 12))
    outbox.stop()
    with pytest.raises(StoreError) as caught:
        outbox.put(commit(3))
    assert caught.value.key == "spool.lost"
    opened.close()


def test_alerts_of_what_an_earlier_run_left_are_told_once(tmp_path: Path) -> None:
    """It could not fold its findings into alerts while the store was away, so it has told nobody."""
    before = Spool(tmp_path / "spool")
    for number in (1, 2):
        before.put(commit(number))
    before.close()
    store, told = EmbeddedStore(tmp_path / "store", write=True), list[str]()
    store.write(dataclasses.replace(commit(2), findings=()))
    store.spool = Spool(tmp_path / "spool")
    with closing(store):
        replay = Replay(Plan(()), store)
        replay.telling.raised = lambda alert, _stored: told.append(alert.id)
        replay.run()
        assert sorted(told) == sorted({row["id"] for row in store.read("alert", Query()).to_pylist()})
        assert told
        assert store.spool.left() == []
        store.spool.close()


class Distant(EmbeddedStore):
    """A store with a spool before it, that can be taken away."""

    away = False

    def write(self, commit: Commit) -> Written:
        if self.away:
            raise StoreError("elastic.unreachable", place="x", reason="refused")
        return super().write(commit)


def test_of_an_alert_people_hear_while_the_store_is_away_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither again when it is stored, nor where another run stores what one left that was killed; and not of what is suppressed."""
    monkeypatch.setattr("balefire.outbox.RETRY_S", 0.0)
    told: list[tuple[str, bool]] = []

    def run(*puts: tuple[Commit, bool]) -> list[dict[str, Any]]:
        store = Distant(tmp_path / "store", write=True)
        store.spool = Spool(tmp_path / "spool")
        with closing(store), closing(store.spool):
            replay = Replay(Plan(()), store)
            replay.telling.raised = lambda alert, stored: told.append((alert.id, stored))
            replay.run()
            for given, store.away in puts:
                replay.outbox.put(given)
            return store.read("alert", Query()).to_pylist()

    assert run((commit(1), True), (commit(2), True)) == []
    (early,) = waiting_alerts(tmp_path / "spool")
    assert told == [(early["id"], False)]
    (alert,) = run((commit(3), True), (commit(4), False))
    assert (alert["id"], alert["count"]) == (early["id"], 4)
    assert told == [(early["id"], False)] * 2, "each run tells of it once, and the second not of what the first has left"
    assert waiting_alerts(tmp_path / "spool") == [*(tmp_path / "spool").rglob("*.told")] == []
    hiding = Telling()
    hiding.suppressions = (suppression(rule="novelty"),)
    assert (hiding.held(commit(1)), len(Telling().held(commit(1)))) == ((), 1)
