"""Stores copied into others, and the commands about stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from records.errors import UsageError
from records.facts import asset_id
from records.query import Query
from records.schema import SCHEMA_VERSION
from records.store import open_store
from records.store.contract import Change, Commit
from records.store.copying import copy
from records.store.decisions import broken
from tests.cli import balefire, one
from tests.test_store import DAY, MAC, NOON, activities, activity, alert, closing, everything, evidence, finding, full_commit, known

if TYPE_CHECKING:
    from pathlib import Path

    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

SUPPRESSION = {"owner": "Li", "reason": "r", "since": NOON, "until": NOON + DAY, "where": '{"rule": ["x"]}', "alert": None, "revoked": None, "rule": "x"}


@pytest.fixture(autouse=True)
def _spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))


def filled(where: str) -> Store:
    store = open_store(where, True)
    store.write(full_commit())
    packets = (evidence(1, b"\0\xff" * 500), evidence(7, b"", sha256=None, missing=2))
    store.write(Commit(findings=(finding(7, alert="al1"),), alerts=(alert(2),), state={"y": b"\xff" * 5000}, evidence=packets))
    store.write(Commit(evidence=(evidence(2, b"other"),)))
    store.write(Commit(assets=(known("10.0.0.5", MAC), known("10.0.1.5", first=NOON + 4))))
    store.write(Commit(assets=(known(MAC, "10.0.1.5", first=NOON + 6),)))
    store.write(activities(*(activity(100 - n, NOON - n * DAY) for n in range(50))))  # released in another order than that of time
    store.change([closing(alert(1)), Change("suppression", "s1", None, "suppress", "Li", SUPPRESSION)])
    return store


def released(store: Store) -> list[str]:
    return [str(name) for part in store.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()]


def equal(one: Store, other: Store) -> bool:
    assert repr(everything(one)) == repr(everything(other))
    assert released(one) == released(other)
    assert one.states() == other.states() != {}
    assert one.newest() == other.newest()
    assert broken(other) is None
    assert (one.entries() or 0) == (other.entries() or 0) == one.count("audit", Query()) > 0
    assert [one.packets(name) for name in ("f1", "f2", "f7")] == [other.packets(name) for name in ("f1", "f2", "f7")]
    assert other.packets("f1") == b"\0\xff" * 500
    assert (other.get("asset", asset_id(None, MAC)) or {})["id"] == (one.get("asset", asset_id(None, MAC)) or {})["id"]
    assert asset_id(None, MAC) not in {row["id"] for row in everything(other)["asset"]}, "found by another identity"
    return True


def test_directories(tmp_path: Path) -> None:
    source, target = filled(str(tmp_path / "a")), open_store(str(tmp_path / "b"), True)
    done = copy(source, target)
    assert (done.new, done.known, done.conflicts) == (79, 0, [])
    assert equal(source, target)
    assert copy(source, target).new == 0, "again changes nothing"
    assert equal(source, target)
    target.change([Change("alert", "al1", 1, "assign", "Wang", {"assignee": "Wang"})])
    with pytest.raises(UsageError):
        copy(source, target)
    source.close()
    target.close()


@pytest.mark.elasticsearch
def test_there_and_back(elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    there = elasticsearch.emptied("battery")
    source, between, back = filled(str(tmp_path / "a")), open_store(there, True), open_store(str(tmp_path / "b"), True)
    seen: list[int] = []
    done = copy(source, between, seen.append)
    assert sum(seen) == sum(done.rows.values()) == sum(source.count(name, Query()) for name in done.rows)
    assert equal(source, between)
    copy(between, back)
    assert equal(source, back)
    assert copy(back, between).new == 0
    between.change([closing(alert(2))])
    assert broken(between) is None, "the trail goes on where it was"
    for store in (source, between, back):
        store.close()


@pytest.mark.elasticsearch
def test_the_commands(elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    there, here = elasticsearch.emptied("battery"), str(tmp_path / "a")
    filled(here).close()
    copied = one("store", "copy", here, there)
    assert (copied["new"], copied["rows"]["activity"]) == (79, 70)
    status = one("store", "status", "--store", there)
    assert (status["kind"], status["period"], status["rows"]["finding"], status["dead_letters"]) == ("elasticsearch", "month", 3, 0)
    assert status["rows"] == one("store", "status", "--store", here)["rows"]
    assert status["bytes"] > 1000
    told = one("store", "doctor", "--store", there)
    assert {check["check"] for check in told["checks"]} >= {"trail", "health", "templates", "spool", "dead_letters"}
    assert [check["check"] for check in told["checks"] if not check["well"]] == []
    assert one("store", "migrate", "--store", there)["schema"] == SCHEMA_VERSION
    store = open_store(there, True)
    store.write(activities(activity(900, event__start=-1)))
    store.close()
    ill = one("store", "doctor", "--store", there, status=1)
    assert [check["check"] for check in ill["checks"] if not check["well"]] == ["dead_letters"]
    spoken = balefire("store", "doctor", "--store", there, "--language", "zh")
    assert "死信" in spoken.stdout
    assert balefire("store", "status", "--store", there).exit_code == 0


def test_the_commands_on_a_directory(tmp_path: Path) -> None:
    here = str(tmp_path / "a")
    assert one("store", "init", "--store", here)["rows"]["activity"] == 0
    assert balefire("store", "status", "--store", here).exit_code == 0
    assert [check["check"] for check in one("store", "doctor", "--store", here)["checks"]] == ["trail", "disk", "retention"]
    assert balefire("store", "migrate", "--store", str(tmp_path / "none")).exit_code == 2
    assert not (tmp_path / "none").exists()
    assert balefire("store", "copy", str(tmp_path / "none"), here).exit_code == 2
