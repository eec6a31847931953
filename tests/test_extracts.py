"""Extracts of large files: they answer as the rows do, come and go with their file, and are left out where they are of no use."""

from __future__ import annotations

import itertools
import os
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from dashboards.explorer import acting
from detectors.phrases import ACTING
from records.effects import ACCESSES, LOOKING
from records.query import Histogram, Query, Terms
from records.schema import ACTIVITY
from records.search import And, Match, Not, parse
from records.store import extracts
from records.store.contract import Commit
from records.store.embedded import EmbeddedStore
from records.store.parquet import GRACE
from tests.test_store import DAY, HOUR, NOON, activities, activity, ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ROWS = 3_000  # over three days
START = NOON // DAY * DAY
SPANS = ((None, None), (START, START + 3 * DAY), (START + 5 * HOUR, START + 2 * DAY + 7), (START + DAY, START + 2 * DAY), (NOON, NOON + HOUR))
SEARCHES = (
    "", "ot.access:write", "NOT network.protocol:(lldp OR dns)", "source.asset.name:hmi-* OR NOT destination.asset.id:*", "ot.access:(WRITE OR command)",
    "ot.access:write ot.object.first:>3", "NOT ot.access:read", "ot.access:*", "source.ip:10.0.0.0/8", "ot.access:unknown",
    "destination.ip:10.0.1.2", "ot.access:read NOT source.ip:10.0.0.1", "source.ip:10.0.0.2 destination.ip:(10.0.1.0 OR 10.0.1.3)",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedStore]:
    """One in which files of few rows have extracts, too."""
    monkeypatch.setattr(extracts, "LEAST", 100)
    made = EmbeddedStore(tmp_path / "store", True)
    yield made
    made.close()


def some(number: int, dice: random.Random) -> dict[str, Any]:
    """A row like those of a plant; any of its fields may be absent."""
    host, device = dice.randrange(3), dice.randrange(4)
    facts: dict[str, Any] = {
        "source__ip": f"10.0.0.{host}", "source__asset__id": f"h{host}", "source__asset__name": f"HMI-{host}", "destination__ip": f"10.0.1.{device}",
        "destination__asset__id": f"p{device}", "destination__asset__name": f"PLC-{device}", "network__protocol": dice.choice(("modbus", "dns", "s7comm")),
        "event__outcome": dice.choice(("success", "failure")),
        "observer__name": "s", "ot__count": dice.choice((1, 7, 60)), "ot__object__first": dice.randrange(9),
        "ot__access": dice.choices(("read", "report", "write", "command", "unknown"), (60, 30, 4, 2, 1))[0],
    }  # fmt: skip
    return activity(number, START + dice.randrange(3 * DAY), **{name: None if dice.random() < 0.02 else value for name, value in facts.items()})


@pytest.fixture
def filled(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> EmbeddedStore:
    monkeypatch.setattr(extracts, "WORTH", 1)  # few rows are hardly fewer when they are added up
    dice = random.Random(9)
    for start in range(0, ROWS, 1_500):
        store.write(activities(*(some(number, dice) for number in range(start, start + 1_500))))
    return store


def made(store: EmbeddedStore) -> set[str]:
    return {path.name for path in store.path.rglob("*") if path.suffix in extracts.SUFFIXES}


def renamed(rows: pa.Table) -> pa.Table:
    names: Any = pa.array(["renamed"] * rows.num_rows)
    return rows.drop_columns(["source.asset.name"]).append_column("source.asset.name", names).select(rows.column_names)


def answers(store: EmbeddedStore) -> list[Any]:
    """What pages ask, and some more."""
    found: list[Any] = []
    fields = itertools.cycle(
        (("source.asset.id", "destination.asset.id", "ot.effect"), ("ot.access", "network.protocol"), ("source.ip",), ("ot.object.first",))
    )
    kind = itertools.cycle(("count", "terms", "histogram"))
    total, interval = itertools.cycle(("ot.count", "", "ot.count")), itertools.cycle((HOUR, 3 * HOUR, DAY, 7 * HOUR + 1, DAY))
    for since, until in SPANS:
        for text in SEARCHES:
            query = Query(since=since, until=until, where=parse(text, ACTIVITY))
            match next(kind):
                case "count":
                    found.append(store.count("activity", query))
                case "terms":
                    found.append(store.terms("activity", query, Terms(next(fields), 30, next(total))).to_pylist())
                case _:
                    found.append(store.histogram("activity", query, Histogram(next(interval), "ot.access", next(total))).to_pylist())
        asked = Query(since=since, until=until, where=And((acting(),)), sort="-@timestamp", limit=20)
        found.append(ids(store.read("activity", asked)))
        found.append(sorted(name for part in store.history("activity", asked, ["id"]) for name in ids(part)))
    return found


def test_one_address_is_found_however_it_is_spelled(filled: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    spelled = ("2001:db8::1", "2001:DB8:0::1", "2001:db8::2", "10.0.1.9", "::ffff:10.0.1.9", None)
    filled.write(activities(*(activity(9_000 + n, START + HOUR * n % DAY, source__ip="10.0.0.1", destination__ip=spelled[n % 6]) for n in range(600))))
    monkeypatch.setattr(filled, "_source", None)  # whoever reads the rows fails
    for address, count in {"2001:0db8::1": 200, "2001:db8::2": 100, "10.0.1.9": 200, "10.9.9.9": 0, "no address": 0}.items():
        one, query = Match("destination.ip", address), Query(START, START + 3 * DAY)
        terms = filled.terms("activity", replace(query, where=And((one, Match("source.ip", "10.0.0.1")))), Terms(("source.ip",)))
        assert filled.count("activity", replace(query, where=one)) == count
        assert terms.column("total").to_pylist() == [count] * bool(count)
        assert filled.count("activity", replace(query, where=Not(one))) == ROWS + 600 - count


def test_they_answer_as_the_rows_do(filled: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    query = filled._engine.query  # pyright: ignore[reportPrivateUsage] - what is read is the point here

    def watched(sql: str, values: dict[str, Any], *more: Any) -> pa.Table:
        asked.extend(name for files in ("extracts", "files") for name in values.get(files, ()))
        return query(sql, values, *more)

    monkeypatch.setattr(filled._engine, "query", watched)  # pyright: ignore[reportPrivateUsage]
    told = answers(filled)
    assert {name[name.rindex(".") :] for name in asked} == {".parquet", *extracts.SUFFIXES}
    for name in made(filled):
        (filled.path / "activity" / name).unlink()
    asked.clear()
    assert answers(filled) == told
    assert {name[name.rindex(".") :] for name in asked} == {".parquet"}


def test_a_whole_time_is_asked_of_extracts_alone(filled: EmbeddedStore) -> None:
    """What the pages ask of all that there is: no row is read for it."""
    whole = Query(since=START, until=START + 3 * DAY)
    count = filled.count("activity", Query(where=acting()))
    for path in (filled.path / "activity").glob("*.parquet"):
        path.unlink()
    by_access = filled.histogram("activity", whole, Histogram(12 * HOUR, "ot.access"))
    kinds = filled.terms("activity", whole, Terms(("source.asset.id", "destination.asset.id", "ot.effect"), 100))
    assert sum(row["total"] for row in by_access.to_pylist()) == ROWS
    assert kinds.num_rows > 10
    assert filled.read("activity", Query(where=acting(), sort="@timestamp")).num_rows == count


def test_they_come_and_go_with_their_file(filled: EmbeddedStore) -> None:
    before = made(filled)
    assert len(before) == len(extracts.SUFFIXES) * len(list(filled.path.rglob("*.parquet")))
    assert filled.relabel("activity", renamed, 0)
    top = filled.terms("activity", Query(), Terms(("source.asset.name",), 3))
    assert top.to_pylist() == [{"source.asset.name": "renamed", "total": ROWS}]
    assert before < made(filled), "readers that have begun keep theirs"
    old = time.time() - GRACE - 5
    for path in filled.path.glob("activity/*"):
        if path.name in before or f"{path.stem}.acts" in before:
            os.utime(path, (old, old))
    (filled.path / "activity" / "2026-11-22-0.talk").write_bytes(b"of no file")
    (filled.path / "activity" / "2026-11-22-0.acts.tmp").write_bytes(b"half")
    filled.write(Commit())
    filled.close()
    again = EmbeddedStore(filled.path, True)
    assert not made(again) & before
    assert {path.suffix for path in again.path.glob("activity/*")} == {".parquet", *extracts.SUFFIXES}
    assert "2026-11-22-0.talk" not in made(again)
    assert again.terms("activity", Query(), Terms(("source.asset.name",), 3)).equals(top)
    again.close()


def test_one_that_is_nearly_as_large_as_its_file_is_not_made(store: EmbeddedStore) -> None:
    """A scan of ever other addresses, and rows that all act."""
    rows = [activity(number, NOON + number, source__ip=f"10.{number // 250}.0.{number % 250}", ot__access="write") for number in range(400)]
    store.write(activities(*rows))
    assert {name[name.rindex(".") :] for name in made(store)} == {".clock"}
    assert store.count("activity", Query(where=acting())) == 400


def test_what_grows_too_large_is_given_up_before_it_takes_memory(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracts, "HELD", 50)
    dice = random.Random(1)
    several = [activities(*(some(1_000 * part + number, dice) for number in range(1_000))).batch.activities for part in range(3)]
    making = extracts.Making(store.path, "activity/2026-11-22-1.parquet", ACTIVITY, 3_000)
    for part in several:
        making.add(part)
    assert [each.extract for each in making._sums] == []  # pyright: ignore[reportPrivateUsage] - what is held is the point here


def test_a_small_file_has_none(store: EmbeddedStore) -> None:
    store.write(activities(*(activity(number) for number in range(99))))
    assert made(store) == set()


def test_what_looks_and_what_acts_are_all_accesses() -> None:
    assert {*LOOKING} | ACTING | {"unknown"} == {*ACCESSES}
    assert not {*LOOKING} & {*ACTING, "unknown"}
