"""A store of an earlier version goes on as it was, or says what has to be done."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detectors import lifecycle
from detectors.alerts import fold, identity
from records.errors import StoreError
from records.model import SAMPLE
from records.query import Query
from records.schema import SCHEMA_VERSION
from records.search import Match
from records.store import open_store
from records.store.contract import Commit
from records.store.place import locked
from tests.cli import CAPTURES, balefire, lines, one
from tests.test_alerts import finding
from tests.test_store import NOON

if TYPE_CHECKING:
    from records.store.contract import Store

OLD = Path(__file__).parent / "stores" / "version-1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    place.mkdir()
    place.joinpath("lock").touch()
    with closing(sqlite3.connect(place / "store.sqlite")) as db:
        db.executescript(OLD.read_text("utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
    return place


def version(path: Path) -> int:
    with closing(sqlite3.connect(path / "store.sqlite")) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def check(store: Store) -> None:
    """Two alerts, one of 140 findings of which three are kept, one closed, as they were."""
    large, small = store.alerts_of(["rule|a"])[0], store.alerts_of(["rule|b"])[0]
    assert (large.id, large.count, len(large.findings), large.status, large.revision) == (identity("rule|a", 0), 140, SAMPLE, "open", 0)
    assert large.findings[:2] == ("f0", "f1")
    assert "f130" in large.findings
    assert (small.findings, small.status, small.closed) == (("f900", "f901"), "closed", NOON + 50)
    assert store.count("finding", Query(where=Match("alert", large.id))) == 3
    assert store.taken(["f1", "f900"]) == {"f1": large.id, "f900": small.id}
    assert store.read("audit", Query()).num_rows == 0


@pytest.mark.parametrize("write", [False, True])
def test_it_goes_on(path: Path, write: bool) -> None:
    store = open_store(str(path), write)
    check(store)
    store.close()
    assert version(path) == SCHEMA_VERSION
    again = open_store(str(path), True)
    check(again)
    known = again.alerts_of(["rule|a"])
    done = fold([finding(500, key="rule|a", time=NOON + 500)], known)
    again.write(Commit(findings=done.findings, alerts=done.alerts))
    again.change([lifecycle.close(again.alerts_of(["rule|a"])[0], "Li", "false", NOON + 600)])
    (closed,) = again.alerts_of(["rule|a"])
    assert (closed.count, closed.status, closed.verdict) == (4, "closed", "false")
    again.close()


def test_while_somebody_writes_it_is_left_alone(path: Path) -> None:
    handle = locked(path)
    before = path.joinpath("store.sqlite").read_bytes()
    with pytest.raises(StoreError) as caught:
        open_store(str(path))
    assert caught.value.key == "store.older"
    for language in ("en", "zh"):
        assert f"balefire alerts --store {path}" in caught.value.text(language)
    assert path.joinpath("store.sqlite").read_bytes() == before
    os.close(handle)
    store = open_store(str(path))
    check(store)
    store.close()


def test_an_upgrade_that_breaks_off_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("records.store.upgrade.document", broken)
        with pytest.raises(StoreError) as caught:
            open_store(str(path), True)
    assert caught.value.key == "store.full"
    assert version(path) == 1
    store = open_store(str(path))
    check(store)
    store.close()


def test_coverage_of_before_there_were_interfaces_is_no_conflict(tmp_path: Path) -> None:
    """Fields that came later are absent in what was stored then; the same capture again adds nothing and contradicts nothing."""
    later = ("interface", "reasons", "encrypted_bytes", "encrypted", "talks", "requests_only", "answers_only", "vlans", "dropped", "mirrored", "clocks")
    one("replay", CAPTURES / "demo.pcap", "--store", tmp_path / "store")
    with closing(sqlite3.connect(tmp_path / "store" / "store.sqlite")) as db:
        gone = ", ".join(f"'$.{name}'" for name in later)
        changed = db.execute(f"UPDATE document SET body = replace(json_remove(body, {gone}), ', ''encrypted'': 0', '') WHERE kind = 'coverage'")
        assert changed.rowcount > 0
        db.commit()
    before = lines("coverage", "--store", tmp_path / "store")
    assert [row["talks"] for row in before] == [None] * len(before)
    one("replay", CAPTURES / "demo.pcap", "--store", tmp_path / "store")
    assert lines("coverage", "--store", tmp_path / "store") == before
    assert "264 B not understood" in balefire("coverage", "--store", tmp_path / "store").stdout
