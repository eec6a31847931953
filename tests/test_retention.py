"""Retention on both stores: what is past it is shown, goes as a whole, and the trail tells it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from records.errors import StoreError
from records.nesting import iso
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from records.store.decisions import broken
from tests.cli import balefire, lines, one
from tests.test_store import DAY, STORES, activities, activity, alert, closing, evidence, finding, ids, place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

YEAR = 366 * DAY


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with rows of long ago and of now; the period of one index is at most a month."""
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    address, now = place(request, tmp_path), time.time_ns()
    store = open_store(address, True)
    store.write(activities(activity(1, now - YEAR), activity(2, now - YEAR), activity(3, now + YEAR)))
    store.write(Commit(findings=(finding(1, now - YEAR, alert="al1"), finding(2, now + YEAR)), alerts=(alert(1, last=now - YEAR),)))
    store.change([closing(store.alerts(["al1"])[0])])
    store.close()
    return address


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    opened = open_store(where, True)
    yield opened
    opened.close()


def test_a_clock_behind_shortens_no_retention(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who write to one period the later one counts, whoever came last: neither row goes before it."""
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr("time.time_ns", lambda: now - 2000 * DAY)
        behind = open_store(where, True)
        assert behind.write(activities(activity(4, now - YEAR))).new == 1
        assert behind.write(activities(activity(5, now - 3 * YEAR))).new == 1, "nobody else has written to this one"
        behind.close()
    store = open_store(where, True)
    assert store.retire(now - 60 * DAY) == {"activity": 1}
    assert ids(store.read("activity", Query())) == ["a0001", "a0002", "a0004", "a0003"]
    store.close()


def test_what_is_old_goes_and_the_trail_tells_it(store: Store) -> None:
    now = time.time_ns()
    assert store.expired(now - DAY) == {} == store.retire(now - DAY, "Li"), "it was written just now"
    assert store.count("audit", Query()) == 1, "nothing went"
    old = {"activity": 2, "finding": 1, "alert": 1}
    assert store.expired(now + 2 * DAY) == old
    assert store.count("activity", Query()) == 3, "telling is not doing"
    assert store.retire(now + 2 * DAY, "Li") == old
    assert store.expired(now + 2 * DAY) == {}
    assert [store.count(name, Query()) for name in ("activity", "finding", "alert")] == [1, 1, 0]
    trail = store.read("audit", Query(sort="id")).to_pylist()[1:]
    assert [(row["by"], row["action"], row["table"], row["subject"], row["after"]) for row in trail] == [
        ("Li", "retire", table, iso(now + 2 * DAY), f'{{"rows": {rows}}}') for table, rows in old.items()
    ]
    assert broken(store) is None
    assert store.write(activities(activity(4, now - YEAR))).new == 1, "the store goes on"


def test_an_alert_that_is_not_closed_stays_with_all_that_shows_it(store: Store) -> None:
    """So does one that was closed a short while ago; what hangs on none, or on one that has gone, goes by its age."""
    now, later = time.time_ns(), time.time_ns() + 2 * DAY
    old = [finding(number, now - YEAR, alert=home) for number, home in ((3, "al2"), (4, "al2"), (5, None), (6, "al9"))]
    kept = tuple(evidence(number, b"%d" % number) for number in (1, 3, 5, 6))
    store.write(Commit(findings=tuple(old), alerts=(alert(2, last=now - YEAR, findings=("f3", "f4")),), evidence=kept))
    assert store.expired(later) == {"activity": 2, "evidence": 3, "finding": 3, "alert": 1} == store.retire(later)
    assert store.expired(later) == {}
    assert ids(store.read("finding", Query(sort="id"))) == ["f2", "f3", "f4"]
    assert [store.packets(name) for name in ("f1", "f3", "f5", "f6")] == [None, b"3", None, None]
    store.change([closing(store.alerts(["al2"])[0])])
    assert store.expired(now) == {}, "it was closed just now, and can be looked into"
    assert store.retire(later) == {"evidence": 1, "finding": 2, "alert": 1}
    assert (store.count("alert", Query()), store.packets("f3")) == (0, None)


def test_who_only_reads_deletes_nothing(where: str) -> None:
    store = open_store(where)
    with pytest.raises(StoreError) as caught:
        store.retire(1 << 62)
    assert caught.value.key == "store.reading"
    assert store.expired(1 << 62)["activity"] == 3
    store.close()


def test_the_command(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = ("--store", where)
    assert one("store", "retire", *there)["retired"] is None, "nothing is past 180 days after it was written"
    assert "180" in balefire("store", "retire", *there).stdout
    later = time.time_ns() + 100 * DAY
    monkeypatch.setattr("time.time_ns", lambda: later)
    assert one("store", "retire", *there)["expired"] == {}
    (tmp_path / "balefire.toml").write_text("[retention]\ndays = 90\n")
    monkeypatch.setenv("BALEFIRE_SETTINGS", str(tmp_path / "balefire.toml"))
    old = {"activity": 2, "finding": 1, "alert": 1}
    told = one("store", "retire", "--dry-run", *there)
    assert (told["days"], told["before"], told["expired"], told["retired"]) == (90, iso(later - 90 * DAY), old, None)
    assert told["unclosed"] == 0
    store = open_store(where, True)
    store.write(Commit(alerts=(alert(2, last=0),)))
    store.close()
    assert one("store", "retire", "--dry-run", *there)["unclosed"] == 1
    assert "尚未关闭的告警：1" in balefire("store", "retire", "--dry-run", "--language", "zh", *there).stderr
    shown = balefire("store", "retire", "--dry-run", "--language", "zh", *there).stdout
    assert "未删除任何数据" in shown
    assert "活动" in shown
    assert one("store", "status", *there)["rows"]["activity"] == 3
    assert one("store", "retire", "--by", "Li", *there)["retired"] == old
    assert one("store", "status", *there)["rows"]["activity"] == 1
    assert {(row["by"], row["action"]) for row in lines("audit", *there)} == {("Li", "close"), ("Li", "retire")}
    assert balefire("audit", *there).exit_code == 0
    assert one("verify", where)["valid"] is True


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert balefire("store", "retire", "--store", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()
    assert balefire("store", "retire", "--days", "0", "--store", tmp_path).exit_code == 2
