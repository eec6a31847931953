"""A store that is away at the start, or goes away before it has answered the first questions, is waited for; what is wrong with one that is there is said at
once."""

from __future__ import annotations

import io
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from balefire import awaiting
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.screen import Screen
from balefire.settings import Settings
from records.errors import StoreError, UsageError
from records.query import Query
from records.store import open_store
from records.store.spool import Spool
from sensors.sources.pcap import listen
from tests.line import Line
from tests.test_elastic_errors import answering
from tests.wire import Talk, mbap, pcap, write

if TYPE_CHECKING:
    from pathlib import Path

    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

WRITTEN: Final = pcap(Talk().open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7))).packets)


class Heard(Screen):
    """Keeps what it says."""

    def note(self, text: str) -> None:
        said.append(text)


said: list[str] = []


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said.clear()
    monkeypatch.setattr("balefire.awaiting.RETRY_S", 0.05)
    monkeypatch.setattr("balefire.awaiting.LOOK_S", 0.01)
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))


@pytest.mark.parametrize(
    ("status", "kind", "key"),
    [(401, "security_exception", "elastic.unauthorized"), (400, "illegal_argument_exception", "elastic.failed")],
)
def test_what_is_wrong_with_one_that_is_there_ends_it_at_once(status: int, kind: str, key: str) -> None:
    with answering(status, {"error": {"type": kind, "reason": "no"}}) as (url, _), pytest.raises(StoreError) as caught:
        awaiting.awaited(Heard(Settings(), "en", url), lambda: False)
    assert (caught.value.key, said) == (key, [])


@pytest.mark.parametrize("where", ["http://127.0.0.1:99999", "http://127.0.0.1:9#Ab", "ftp://127.0.0.1"])
def test_what_is_no_address_ends_it_at_once(where: str) -> None:
    with pytest.raises(UsageError):
        awaiting.awaited(Heard(Settings(), "en", where), lambda: False)
    assert not said


def test_one_that_nobody_answers_for_is_waited_for_and_that_is_said_once() -> None:
    """Until it is over: then what is not judged is said."""
    end, away = time.monotonic() + 0.3, list[str]()
    with pytest.raises(StoreError) as caught:
        awaiting.awaited(Heard(Settings(), "en", "http://127.0.0.1:9"), lambda: time.monotonic() > end, lambda: away.append("away"))
    assert (caught.value.key, away, len(said)) == ("spool.unheard", ["away"], 1)
    assert "Nobody answers at http://127.0.0.1:9" in said[0]
    assert time.monotonic() > end


def test_one_whose_disk_is_full_is_waited_for(tiny_disk: Path) -> None:
    """Also where that was never one, and nothing that tried to make it keeps another from it."""
    fill, tries = tiny_disk / "fill", list[int]()
    with suppress(OSError):
        fill.write_bytes(bytes(4 << 20))
    screen = Heard(Settings(), "en", str(tiny_disk / "store"))

    def over() -> bool:
        tries.append(1)
        if len(tries) == 3:
            fill.unlink()
        return False

    awaiting.awaited(screen, over).close()
    assert len(said) == 2
    assert f"The disk that holds the store {screen.store} is full" in said[0]
    assert "The store is there" in said[1]


def test_one_that_starts_is_waited_for(tmp_path: Path) -> None:
    """An Elasticsearch answers with 503 before it is up."""
    screen = Heard(Settings(), "en", "")
    with answering(503, {"error": {"type": "unavailable", "reason": "starting"}}, root=False) as (screen.store, asked):

        def over() -> bool:
            if len(asked) > 2:
                screen.store = str(tmp_path / "store")  # where one is
            return False

        awaiting.awaited(screen, over).close()
    assert len(said) == 2
    assert "The store is away" in said[0]
    assert "The store is there" in said[1]


def sensor(store: Store, heard: bytes = WRITTEN) -> tuple[Replay, list[str]]:
    """A live one on this store, and the names of what it says of it."""
    replay = Replay(Plan(captures=listen(io.BytesIO(heard), "wire"), observer="here", resume=True), store)
    told: list[str] = []

    def note(key: str, _: dict[str, object]) -> None:
        told.append(key)

    replay.outbox.patient, replay.outbox.note = True, note
    return replay, told


class Flickering:
    """A store that is away each time it is first asked something."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, list[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in {"check_rights", "state", "newest", "get", "read", "count", "history"}:
            return found

        def first(*given: Any, **more: Any) -> Any:
            if (what := f"{name} {given}") not in self.asked:
                self.asked.append(what)
                raise StoreError("elastic.unreachable", place="x", reason="refused")
            return found(*given, **more)

        return first


def test_one_that_goes_away_at_any_of_the_first_questions_is_waited_for(tmp_path: Path) -> None:
    """Also by one that comes after another: what that kept is asked for, too."""
    asked: set[str] = set()
    with closing(open_store(str(tmp_path / "store"), write=True)) as opened:
        for _ in range(2):
            opened.spool = Spool(tmp_path / "kept")
            store: Any = Flickering(opened)
            replay, told = sensor(store)
            replay.run()
            opened.spool.close()
            asked.update(store.asked)
            assert told.count("cli.spool.absent") == told.count("cli.spool.there") > 3
        assert {"check_rights ()", "newest ()", "state ('live-here',)", "state ('listened-here',)", "get ('plant', 'zones')"} <= asked
        assert opened.count("activity", Query()) > 0


@pytest.mark.elasticsearch
def test_one_that_goes_away_before_it_is_asked_anything_has_all_of_it_in_the_end(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("records.store.elastic.PATIENCE_S", 0.1)
    place = elasticsearch.emptied("battery")
    with Line(elasticsearch.url) as line, closing(open_store(place.replace(elasticsearch.url, line.url), write=True)) as store:
        line.cut()
        replay, told = sensor(store)
        failed: list[BaseException] = []

        def run() -> None:
            try:
                replay.run()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        end = time.monotonic() + 20
        while not told and time.monotonic() < end:
            time.sleep(0.01)
        line.mend()
        thread.join(60)
        assert not failed
        assert told == ["cli.spool.absent", "cli.spool.there"]
    elasticsearch.ask("POST", "/battery-activity*/_refresh")
    assert elasticsearch.found("battery-activity*", {"match_all": {}})
