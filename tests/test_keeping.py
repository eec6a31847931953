"""What pages ask of a time that is over is asked once, and again where the store came to say something else of it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from threading import Event, current_thread
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import explorer, inventory, opening
from dashboards.keeping import kept, meanwhile, windows
from records.errors import StoreError
from records.formats import DAY, HOUR
from records.model import Batch
from records.query import Query, Span
from records.search import EVERYTHING
from records.store import open_store
from records.store.contract import Commit
from tests.browser import waterworks
from tests.browser.waterworks import NOW, activity, table
from tests.test_dashboards import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from records.store.contract import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("BALEFIRE_STORE", str(tmp_path))
    made = open_store(str(tmp_path), write=True)
    put(made, *(NOW - at * HOUR for at in range(0, 200, 7)))
    yield made
    made.close()


def put(store: Store, *times: int) -> None:
    store.write(Commit(Batch(activities=table("activity", [activity(time, time, "read") for time in times]))))


def test_of_a_time_that_is_over_is_asked_once(store: Store) -> None:
    asked: list[Span] = []

    def count(store: Store, span: Span, more: str) -> int:
        asked.append(span)
        return store.count("activity", Query(span.since, span.until)) + len(more)

    over = Span(NOW - 60 * HOUR, NOW - 30 * HOUR)
    before = kept(store, ("activity",), count, over, "")
    assert [kept(store, ("activity",), count, over, "") for _ in range(3)] == [before] * 3
    put(store, NOW + HOUR)  # after it
    assert kept(store, ("activity",), count, over, "") == before
    assert len(asked) == 1
    assert kept(store, ("activity",), count, over, "x") == before + 1, "another question has an answer of its own"
    put(store, NOW - 40 * HOUR - 1)  # late, and of it
    assert kept(store, ("activity",), count, over, "") == before + 1
    assert len(asked) == 3


def test_what_is_asked_meanwhile_is_asked_once_and_its_fault_is_told(store: Store) -> None:
    began, over, asked = Event(), Span(NOW - 50 * HOUR, NOW - 20 * HOUR), list[str]()

    def count(store: Store, span: Span) -> int:
        asked.append(current_thread().name)
        began.set()
        return store.count("activity", span.query())

    def fail(_store: Store, _span: Span) -> int:
        asked.append(current_thread().name)
        began.set()
        raise StoreError("store.away", path="nowhere")

    meanwhile(lambda: kept(store, ("activity",), count, over))
    assert began.wait(10)
    assert kept(store, ("activity",), count, over) == store.count("activity", over.query())
    assert [name.startswith("meanwhile") for name in asked] == [True]
    began.clear()
    meanwhile(lambda: kept(store, ("activity",), fail, over))
    assert began.wait(10)
    with pytest.raises(StoreError):
        kept(store, ("activity",), fail, over)
    assert [name.startswith("meanwhile") for name in asked] == [True, True, False], "who asks is told, though somebody was told before"


@pytest.mark.parametrize("length", [HOUR, DAY, 3 * DAY, 7 * DAY, 200 * DAY])
@pytest.mark.parametrize("end", [NOW, NOW // DAY * DAY, NOW // DAY * DAY + 1])
def test_parts_add_up_to_the_time(length: int, end: int) -> None:
    parts = windows(Span(end - length, end))
    assert (parts[0].since, parts[-1].until) == (end - length, end)
    assert all(one.until == other.since for one, other in pairwise(parts))
    assert all(part.length > 0 for part in parts)
    assert len(parts) == 1 or max(part.length for part in parts) % DAY == 0


def test_bars_of_a_long_time_are_those_of_its_parts(store: Store) -> None:
    week = Span(NOW - 7 * DAY + 1, NOW + 1)
    interval, bars = explorer.over_time(store, week, EVERYTHING)
    assert len(windows(week)) > 1
    assert sum(count for _time, _access, count in bars) == store.count("activity", week.query())
    assert [time for time, _access, _count in bars] == sorted({time for time, _access, _count in bars}), "a bar is not told twice"
    put(store, NOW - 2 * HOUR - 1)
    assert sum(count for _time, _access, count in explorer.over_time(store, week, EVERYTHING)[1]) == store.count("activity", week.query()), interval


def test_the_situation_of_a_store_that_stands_still_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waterworks.fill(tmp_path / "store")
    before = run("situation", tmp_path / "store", monkeypatch, lang="en", range="24h")
    asked: list[str] = []

    def noted(way: Callable[..., Any], table: str, *words: Any) -> Any:
        asked.append(table)
        return way(table, *words)

    for way in ("terms", "histogram", "sums", "read"):
        monkeypatch.setattr(opening.opened(), way, partial(noted, getattr(opening.opened(), way)))
    again = run("situation", tmp_path / "store", monkeypatch, lang="en", range="24h")
    assert drawn_of(again) == drawn_of(before)
    assert asked.count("activity") == 0
    assert asked.count("coverage") == 1, "where the store begins"


def drawn_of(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith("{")]


def test_what_a_page_showed_it_shows_again_without_asking(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Span(NOW - DAY + 1, NOW + 1)

    def shown() -> list[Any]:
        told = [explorer.over_time(store, day, EVERYTHING), explorer.by_field(store, day, EVERYTHING, "ot.access")]
        return [*told, explorer.observers(store, day, EVERYTHING), inventory.talks(store, {"id": "asset-plc-7", "aliases": None}, day)]

    def asked(*_words: object) -> None:
        pytest.fail("asked again")

    before = shown()
    monkeypatch.setattr(store, "terms", asked)
    monkeypatch.setattr(store, "histogram", asked)
    assert shown() == before
