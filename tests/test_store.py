"""What every store does: one battery over all of them."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest

from records.assets import asset_of
from records.errors import ConflictError, StoreError, UsageError
from records.facts import FORMER, Fact, asset_id
from records.model import Alert, Asset, Batch, Evidence, Finding, PacketRef, Term, Text
from records.query import Histogram, Query, Span, Terms
from records.schema import ACTIVITY, COVERAGE, POINT, TABLES, Table, arrow_schema
from records.search import And, Match, Or, Range, parse
from records.store import open_store
from records.store.columns import flat
from records.store.contract import Change, Commit, Written
from records.store.decisions import Seal, broken, last
from records.store.rows import asset_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from records.store.contract import Store

NOON = 1795348800000000000  # 2026-11-22T12:00:00Z
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
Opener = "Callable[[bool], Store]"


def rows_of(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=arrow_schema(table))


def activity(number: int, time: int = NOON, **facts: Any) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return {"id": f"a{number:04}", "@timestamp": time, "event.end": time + 5, "ot.count": 1} | named


def activities(*rows: dict[str, Any]) -> Commit:
    return Commit(Batch(activities=rows_of(ACTIVITY, list(rows))))


def finding(number: int, time: int = NOON, title: str = "First write to this unit", **facts: Any) -> Finding:
    base = Finding(
        id=f"f{number}",
        key="novelty/10.0.0.5",
        detector="novelty",
        rule="novelty",
        time=time,
        end=time + 1,
        terms=(Term("first write", "首次写入", 38.5), Term("out of range", "超出范围", 24.0)),
        title=Text(title, "首次写入该单元"),
        reason=Text("…", "…"),
        source="10.0.0.9",
        destination="10.0.0.5",
        effects=("value.write",),
        techniques=("T0836",),
        activities=("a0001",),
        assets=("plc-1",),
        packets=(PacketRef("x.pcap", 7, time),),
        observer="sensor",
        site=None,
    )
    return replace(base, **facts)


def alert(number: int, **facts: Any) -> Alert:
    base = Alert(f"al{number}", f"key{number}", "open", 62, Text("t", "题"), Text("r", "因"), NOON, NOON + 1, ("f1",), ("plc-1",), ("T0836",), 1)
    return replace(base, **facts)


def evidence(number: int, octets: bytes, **facts: Any) -> Evidence:
    base = Evidence(f"f{number}", "x.pcap", NOON, NOON + 1, (7, 8), 0, 100, sha256(octets).hexdigest(), octets)
    return replace(base, **facts)


def closing(of: Alert, by: str = "Li") -> Change:
    return Change("alert", of.id, of.revision, "close", by, {"status": "closed", "verdict": "true", "closed": NOON}, "settled")


def ids(table: pa.Table) -> list[str]:
    return cast("list[str]", table.column("id").to_pylist())


STORES = ["embedded", pytest.param("elasticsearch", marks=pytest.mark.elasticsearch)]


def place(request: pytest.FixtureRequest, folder: Path) -> str:
    """Where an empty store of the asked kind is."""
    return request.getfixturevalue("elasticsearch").emptied("battery") if request.param == "elasticsearch" else str(folder / "store")


@pytest.fixture(params=STORES)
def opener(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Store]]:
    """Opens the same store again and again; `True` to write."""
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    where = place(request, tmp_path)
    opened: list[Store] = []

    def again(write: bool) -> Store:
        for store in opened if write else []:
            store.close()
        opened.append(open_store(where, write))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Callable[[bool], Store]) -> Store:
    return opener(True)


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {name: store.read(name, Query()).to_pylist() for name in TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_empty(store: Store, name: str) -> None:
    assert store.read(name, Query()).schema.equals(arrow_schema(TABLES[name]))
    assert store.read(name, Query(limit=5, sort="-id")).num_rows == 0
    assert store.count(name, Query()) == 0
    assert store.get(name, "x") is None
    assert store.histogram(name, Query(), Histogram(HOUR)).num_rows == 0
    assert store.newest() is None
    assert store.find("") == []
    assert store.state("x") is None


def released(store: Store, query: Query, table: str = "activity") -> list[str]:
    return [str(name) for part in store.history(table, query, ["id"]) for name in part.column("id").to_pylist()]


def test_history_comes_in_the_order_of_release(store: Store) -> None:
    """Which is that of commits and of rows in them, whatever their times; storing again changes nothing."""
    random = Random(1)
    given = [activity(number, NOON + random.randrange(3 * DAY), source__ip=random.choice(("10.0.0.1", "10.0.0.2"))) for number in range(60)]
    points = [{"id": f"p{number:04}", "@timestamp": NOON - number} for number in range(60)]
    for start in range(0, 60, 3):  # enough commits for files to be merged
        part = Batch(rows_of(ACTIVITY, given[start : start + 3]), rows_of(POINT, points[start : start + 3]))
        store.write(Commit(part))
        store.write(Commit(Batch(rows_of(ACTIVITY, list(reversed(given[: start + 3]))), rows_of(POINT, points[:1]))))
    names = [row["id"] for row in given]
    assert released(store, Query()) == names
    assert released(store, Query(), "point") == [row["id"] for row in points]
    assert released(store, Query(since=NOON + DAY, until=NOON + 2 * DAY)) == [row["id"] for row in given if DAY <= row["@timestamp"] - NOON < 2 * DAY]
    assert released(store, Query(where=Match("source.ip", "10.0.0.2"))) == [row["id"] for row in given if row["source.ip"] == "10.0.0.2"]
    assert sorted(released(store, Query(sort="-id", limit=3))) == names, "sort and page do not count"
    part = next(iter(store.history("activity", Query(), ["ot.count", "@timestamp"], ordered=False)))
    assert part.schema.equals(rows_of(ACTIVITY, []).select(["@timestamp", "ot.count"]).schema)
    assert list(store.history("activity", Query(until=NOON), ["id"])) == []


def test_columns_of_rows_that_have_no_order_of_release_come_too(store: Store) -> None:
    rows = [{"id": f"c{number}", "@timestamp": NOON + number * SECOND, "packets": number} for number in range(5)]
    store.write(Commit(Batch(coverage=rows_of(COVERAGE, rows))))
    query = Query(since=NOON + SECOND, where=Range("packets", high=3), sort="-id", limit=1)
    parts = [part for part in store.history("coverage", query, ["packets", "id"], ordered=False) if part.num_rows]
    assert sorted(row["id"] for part in parts for row in part.to_pylist()) == ["c1", "c2", "c3"], "sort and page do not count"
    assert all(part.column_names == ["id", "packets"] for part in parts)


def test_rows_come_back_as_they_were(store: Store) -> None:
    row = dict.fromkeys(ACTIVITY.names) | activity(1, NOON + 1, source__ip="fe80::1", ot__value=-0.5, ot__grouped=False, ot__anomaly=["short", "x"])
    point = dict.fromkeys(POINT.names) | {"id": "p", "@timestamp": NOON + 7, "ot.point.min": math.inf, "ot.object.first": 2**62}
    cover = dict.fromkeys(COVERAGE.names) | {"id": "c", "@timestamp": NOON, "event.end": NOON + HOUR, "grade": 97.25, "undecoded": '[{"name": "tcp/1"}]'}
    written = store.write(Commit(Batch(rows_of(ACTIVITY, [row]), rows_of(POINT, [point]), rows_of(COVERAGE, [cover]))))
    assert (written.new, written.known, written.conflicts) == (3, 0, ())
    for table, given in ((ACTIVITY, row), (POINT, point), (COVERAGE, cover)):
        read = store.read(table.name, Query())
        assert read.equals(rows_of(table, [given])), table.name
    got = store.get("coverage", "c")
    assert got
    assert (got["undecoded"], got["@timestamp"], got["file"]) == ([{"name": "tcp/1"}], NOON, None)
    assert store.get("activity", "a0001") == row
    assert store.newest() == NOON + HOUR - 1, "the end of a window is the next one's"


def test_findings_alerts_assets(store: Store, opener: Callable[[bool], Store]) -> None:
    asset = Asset("plc-1", "PLC 1", ("10.0.0.5",), NOON, NOON + 5, vendor="Ours", sources=("modbus",))
    store.write(Commit(findings=(finding(1),), alerts=(alert(1), alert(2)), assets=(asset,), state={"novelty": b"\0\xff"}))
    later = Asset("plc-1", "PLC 1", ("00:11",), NOON - 9, NOON + 1, vendor="Old", model="M", sources=("arp",))
    store.write(Commit(assets=(later,)))
    store.change([closing(alert(1))])
    changed = alert(1, status="closed", verdict="true", closed=NOON, revision=1)
    for reader in (store, opener(False)):
        got = reader.get("finding", "f1")
        assert got
        assert (got["severity"], got["score"], sum(term["value"] for term in got["terms"])) == (62, 62.5, 62.5)
        assert got["packets"] == [{"file": "x.pcap", "packet": 7, "time": "2026-11-22T12:00:00.000000000Z"}]
        assert reader.alerts_of(["key1", "none"]) == reader.alerts(["al1"]) == [changed]
        assert len(reader.alerts_of(["key2", "key1"])) == 2
        known = reader.get("asset", "plc-1")
        assert known
        assert (known["first"], known["last"], known["vendor"], known["model"]) == (NOON - 9, NOON + 5, "Ours", "M")
        assert (known["addresses"], known["sources"]) == (["00:11", "10.0.0.5"], ["arp", "modbus"])
        assert reader.find("al") == [("alert", "al1"), ("alert", "al2")]
        assert reader.find("f1") == [("finding", "f1")]
        assert reader.find("f%") == []
        assert reader.state("novelty") == b"\0\xff"


def trail(store: Store) -> list[tuple[Any, ...]]:
    return [(row["by"], row["action"], row["subject"], row["note"]) for row in store.read("audit", Query()).to_pylist()]


def test_decisions_are_made_together_and_told(store: Store, opener: Callable[[bool], Store]) -> None:
    store.write(Commit(alerts=(alert(1), alert(2))))
    reader = opener(False)  # nobody needs the writer's lock to decide
    reader.change([closing(alert(1)), replace(closing(alert(2)), note="")])
    reader.change([Change("alert", "al1", None, "note", "Wang", note="looked again")])
    for each in (store, reader):
        assert [(a.status, a.verdict, a.closed, a.revision) for a in each.alerts(["al1", "al2"])] == [("closed", "true", NOON, 1)] * 2
        assert trail(each) == [("Li", "close", "al1", "settled"), ("Li", "close", "al2", None), ("Wang", "note", "al1", "looked again")]
        told = each.get("audit", "000000000001")
        assert told
        assert told["before"] == {"status": "open", "verdict": None, "closed": None}
        assert told["after"] == {"status": "closed", "verdict": "true", "closed": "2026-11-22T12:00:00.000000000Z"}
        assert broken(each) is None


def test_a_span_is_as_it_was_while_rows_of_other_times_come(store: Store) -> None:
    """Its stamp stays; it is another one once rows of the span come or are called otherwise, or a document of it is decided about."""
    span = Span(NOON, NOON + HOUR)
    tables = ("activity", "finding", "alert")

    def stamps() -> list[str]:
        return [store.stamp(table, span) for table in tables]

    empty = stamps()
    store.write(Commit(activities(activity(1)).batch, findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    first = stamps()
    assert all(was != now for was, now in zip(empty, first, strict=True))
    store.write(Commit(activities(activity(2, NOON + 3 * HOUR)).batch, findings=(finding(2, NOON + 3 * HOUR),), alerts=(alert(2, last=NOON + 3 * HOUR),)))
    assert stamps() == first
    names: Any = pa.array(["PLC-1"])
    store.relabel("activity", lambda rows: rows.set_column(rows.column_names.index("destination.asset.name"), "destination.asset.name", names), NOON + 3 * HOUR)
    assert stamps() == first
    store.change([closing(alert(1))])
    assert [was == now for was, now in zip(first, stamps(), strict=True)] == [True, True, False]
    store.write(activities(activity(3, NOON + 60 * SECOND)))
    second = stamps()
    assert second[0] != first[0]
    names = pa.array(["PLC-1"] * 3)
    store.relabel(
        "activity", lambda rows: rows.set_column(rows.column_names.index("destination.asset.name"), "destination.asset.name", names[: len(rows)]), NOON
    )
    assert stamps()[0] != second[0]


def test_the_later_of_two_sees_the_conflict(store: Store, opener: Callable[[bool], Store]) -> None:
    store.write(Commit(alerts=(alert(1), alert(2))))
    one, other = opener(False), opener(False)
    one.change([closing(alert(1))])
    before = repr(everything(store))
    with pytest.raises(ConflictError) as caught:
        other.change([closing(alert(2), "Wang"), closing(alert(1), "Wang")])
    assert "al1" in str(caught.value)
    assert caught.value.text("zh")
    assert repr(everything(store)) == before
    for change in (closing(alert(3)), Change("alert", "al3", None, "note", "Li", note="x")):
        with pytest.raises(ConflictError):
            other.change([change])
    assert repr(everything(store)) == before


def test_what_was_folded_on_an_old_state_is_not_written(store: Store) -> None:
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    store.change([closing(alert(1))])
    before = repr(everything(store))
    rows = activities(activity(1)).batch
    with pytest.raises(ConflictError):
        store.write(Commit(rows, findings=(finding(2, alert="al1"),), alerts=(alert(1, count=2),)))
    assert repr(everything(store)) == before
    again = alert(1, count=2, status="open", revision=1)
    store.write(Commit(rows, findings=(finding(2, alert="al1"),), alerts=(again,)))
    assert store.alerts(["al1"]) == [replace(again, revision=2)]
    assert trail(store)[1:] == [("balefire", "reopen", "al1", None)]
    assert broken(store) is None


def test_folding_leaves_alone_what_people_decided(store: Store) -> None:
    store.write(Commit(alerts=(alert(1),)))
    store.change([Change("alert", "al1", 0, "assign", "Li", {"assignee": "Wang"})])
    store.write(Commit(findings=(finding(2, alert="al1"),), alerts=(alert(1, severity=90, revision=1),)))
    (now,) = store.alerts(["al1"])
    assert (now.severity, now.assignee, now.revision, now.count) == (90, "Wang", 1, 1)


def test_an_alert_counts_the_findings_that_are_stored(store: Store) -> None:
    store.write(Commit(findings=tuple(finding(n, alert="al1") for n in range(5)), alerts=(alert(1, count=3),)))
    store.write(Commit(findings=(finding(3, alert="al1"), finding(7, alert="al1"), finding(8)), alerts=(alert(1, count=99),)))
    assert store.alerts(["al1"])[0].count == store.count("finding", Query(where=Match("alert", "al1"))) == 6
    assert store.taken(["f1", "f8", "f9"]) == {"f1": "al1", "f8": None}


def test_what_was_judged_without_a_new_suppression_is_not_written(store: Store) -> None:
    version, none = store.suppressions()
    assert none == []
    row = {"owner": "Li", "reason": "r", "since": NOON, "until": NOON + DAY, "where": '{"rule": ["x"]}', "alert": None, "revoked": None, "rule": "x"}
    store.change([Change("suppression", "s1", None, "suppress", "Li", row)])
    with pytest.raises(ConflictError):
        store.write(Commit(findings=(finding(1),), judged=version))
    version, (made,) = store.suppressions()
    assert (made.id, made.owner, made.where, made.revision) == ("s1", "Li", {"rule": ("x",)}, 0)
    store.write(Commit(findings=(finding(1, suppressions=("s1",)),), judged=version))
    assert store.count("finding", Query(where=Match("suppressions", "S1"))) == 1
    with pytest.raises(ConflictError):
        store.change([Change("suppression", "s1", None, "suppress", "Li", row)])
    assert store.find("s", ("suppression",)) == [("suppression", "s1")]


def test_a_decision_of_a_moment_that_has_passed(store: Store) -> None:
    store.write(activities(activity(1)))
    store.write(Commit(alerts=(alert(1),)))
    with pytest.raises(ConflictError):
        store.change([closing(alert(1))], newest=NOON)
    store.change([closing(alert(1))], newest=NOON + 5)


def test_the_trail_shows_what_was_changed_in_it(store: Store) -> None:
    """Every entry that is altered, exchanged or taken out before the last is found."""
    store.write(Commit(alerts=(alert(1),)))
    for n in range(4):
        store.change([Change("alert", "al1", None, "note", "Li", note=f"note {n}")])
    rows = flat(TABLES["audit"], store.read("audit", Query(sort="id")))

    class Told:
        def __init__(self, rows: list[dict[str, Any]]) -> None:
            self.rows = rows

        def entries(self) -> int | None:
            return None

        def read(self, _table: str, query: Query) -> pa.Table:
            return rows_of(TABLES["audit"], [row for row in self.rows if row["id"] > query.after])

    def found(*changed: dict[str, Any]) -> str | None:
        return broken(cast("Store", Told(list(changed))))

    assert found(*rows) is None
    assert found(*rows[:2], rows[2] | {"by": "Wang"}, rows[3]) == rows[2]["id"]
    assert found(*rows[:2], rows[3]) == rows[3]["id"]
    assert found(rows[0] | {"time": rows[0]["time"] + 1}, *rows[1:]) == rows[0]["id"]


def test_an_end_of_the_trail_that_is_missing_shows(store: Store) -> None:
    """By the number of entries that the store keeps; by a seal that was noted, where that was set back too."""
    store.write(Commit(alerts=(alert(1),)))
    for n in range(4):
        store.change([Change("alert", "al1", None, "note", "Li", note=f"note {n}")])
    rows, seal = flat(TABLES["audit"], store.read("audit", Query(sort="id"))), last(store)
    assert seal == Seal(4, rows[3]["hash"]) == Seal.read(str(seal))

    class Cut:
        """The same store without its end; `mark`: with the number that it keeps of entries."""

        def __init__(self, left: int, mark: bool) -> None:
            self.left, self.mark = left, mark

        def entries(self) -> int | None:
            return store.entries() if self.mark else None

        def read(self, table: str, query: Query) -> pa.Table:
            found = store.read(table, query)
            return found.slice(0, sum(str(name) <= f"{self.left:012}" for name in cast("list[str]", found.column("id").to_pylist())))

    def found(left: int, mark: bool, noted: Seal | None = None) -> str | None:
        return broken(cast("Store", Cut(left, mark)), noted)

    assert found(4, mark=True, noted=seal) is None
    assert found(3, mark=True) == rows[3]["id"]
    assert found(0, mark=True) == rows[0]["id"]
    assert found(3, mark=False) is None
    assert found(2, mark=False, noted=seal) == rows[2]["id"]
    assert found(4, mark=False, noted=Seal(3, rows[3]["hash"])) == rows[2]["id"]
    assert broken(store, Seal(4, rows[2]["hash"])) == rows[3]["id"]
    store.change([Change("alert", "al1", None, "note", "Li", note="more")])
    assert broken(store, seal) is None, "what came later is no fault"
    assert store.entries() == 5


def test_rows_of_these_identities_only(store: Store) -> None:
    store.write(activities(*(activity(n, NOON + n * DAY, ot__unit=n % 2) for n in range(6))))
    wanted = ("a0001", "a0004", "none")
    assert ids(store.read("activity", Query(ids=wanted))) == ["a0001", "a0004"]
    assert ids(store.read("activity", Query(ids=wanted, where=Match("ot.unit", 1), limit=5))) == ["a0001"]
    assert ids(store.read("activity", Query(ids=wanted, since=NOON + 2 * DAY))) == ["a0004"]
    assert store.count("activity", Query(ids=())) == 0


def full_commit() -> Commit:
    rows = [activity(n, NOON + n * 7 * HOUR, source__ip=f"10.0.0.{n % 3}", ot__value=float("nan") if n % 5 == 0 else n / 3) for n in range(20)]
    cover = [{"id": f"c{n}", "@timestamp": NOON + n, "event.end": NOON + n} for n in range(3)]
    points = [{"id": f"p{n}", "@timestamp": NOON + n} for n in range(3)]
    batch = Batch(rows_of(ACTIVITY, rows), rows_of(POINT, points), rows_of(COVERAGE, cover))
    asset = Asset("plc-1", "PLC 1", ("10.0.0.5",), NOON, NOON + 5)
    return Commit(batch, (finding(1), finding(2)), (alert(1),), (asset,), {"x": b"1"})


def test_writing_twice_changes_nothing(store: Store) -> None:
    first = store.write(full_commit())
    before = everything(store)
    second = store.write(full_commit())
    assert (first.new, first.known) == (28, 0)
    assert (second.new, second.known, second.conflicts) == (0, 28, ())
    assert repr(everything(store)) == repr(before)  # repr: NaN is not itself


def test_another_content_is_reported_and_not_stored(store: Store) -> None:
    store.write(full_commit())
    before = repr(everything(store))
    other = activity(3, NOON + 21 * HOUR, source__ip="10.0.0.77", ot__value=1.0)
    cover = rows_of(COVERAGE, [{"id": "c1", "@timestamp": NOON, "lost": 5}])
    written = store.write(Commit(Batch(activities=rows_of(ACTIVITY, [other]), coverage=cover), (finding(1, effects=("value.read",)),)))
    assert (written.new, written.known) == (0, 0)
    assert sorted(written.conflicts) == ["activity/a0003", "coverage/c1", "finding/f1"]
    assert repr(everything(store)) == before


def test_another_name_of_the_capture_is_no_other_content(store: Store) -> None:
    store.write(full_commit())
    before = repr(everything(store))
    renamed = replace(finding(1), packets=(PacketRef("renamed.pcap", 7, NOON),))
    written = store.write(Commit(findings=(renamed,)))
    assert (written.new, written.known, written.conflicts) == (0, 1, ())
    assert repr(everything(store)) == before
    moved = replace(finding(1), packets=(PacketRef("x.pcap", 8, NOON),))
    assert store.write(Commit(findings=(moved,))).conflicts == ("finding/f1",)


def test_other_lists_of_the_plant_make_no_other_content(store: Store) -> None:
    """What a device is called, and what it matters, is no part of what happened."""
    store.write(full_commit())
    before = repr(everything(store))
    judged = replace(finding(1, title="First write to PLC-7 (10.0.0.5)"), terms=(Term("first write", "首次写入", 38.5), Term("criticality high", "重要", 30.0)))
    assert store.write(Commit(findings=(judged,))).conflicts == ()
    assert repr(everything(store)) == before


def test_labels_change_and_nothing_else(store: Store) -> None:
    """What is stored is called otherwise from a time on; it is the same content still, and found by its new name."""
    given = [activity(number, NOON + number * HOUR, destination__ip="10.0.0.5", destination__asset__name="10.0.0.5") for number in range(60)]
    given[59]["ot.tag.name"] = ["Old"]
    for start in range(0, 60, 12):
        store.write(activities(*given[start : start + 12]))
    store.write(Commit(findings=(finding(1), finding(2, NOON - DAY))))

    def named(rows: pa.Table) -> pa.Table:
        told = rows.to_pylist()
        new = {"destination.asset.name": "Pump", "ot.count": 99, "ot.value": 7.0}
        return rows_of(ACTIVITY, [row | new | {"ot.tag.name": ["Speed", "转速"] if row["id"] < "a0059" else None} for row in told])

    def worded(rows: pa.Table) -> pa.Table:
        return rows_of(TABLES["finding"], [row | {"title.en": "Pump", "source.ip": "10.9.9.9"} for row in rows.to_pylist()])

    assert store.relabel("activity", named, NOON + 5 * HOUR) == 55
    assert store.relabel("activity", named, NOON + 5 * HOUR) == 0
    assert store.relabel("finding", worded, NOON) == 1
    assert store.count("activity", Query(where=parse("destination.asset.name:pump AND ot.tag.name:Speed", ACTIVITY))) == 54
    assert store.count("activity", Query(where=parse("destination.asset.name:10.0.0.5", ACTIVITY))) == 5
    assert store.count("activity", Query(where=parse("ot.count:99 OR ot.value:7 OR ot.tag.name:Old", ACTIVITY))) == 0
    assert released(store, Query()) == [row["id"] for row in given]
    assert [row["title.en"] for row in store.read("finding", Query()).to_pylist()] == ["First write to this unit", "Pump"]
    assert store.count("finding", Query(where=Match("source.ip", "10.9.9.9"))) == 0
    again = store.write(Commit(Batch(rows_of(ACTIVITY, given)), (finding(1), finding(2, NOON - DAY))))
    assert (again.new, again.known, again.conflicts) == (0, 62, ())


def test_rows_that_may_change_are_called_otherwise(store: Store, opener: Callable[[bool], Store]) -> None:
    store.write(full_commit())
    count = store.count("alert", Query())
    assert store.renew("alert", lambda row: row | {"title.en": "Pump"}) == count > 0
    assert store.renew("alert", lambda row: row | {"title.en": "Pump"}) == 0
    assert {row["title.en"] for row in store.read("alert", Query()).to_pylist()} == {"Pump"}
    reader = opener(False)
    for refused in (lambda: reader.renew("alert", dict), lambda: reader.relabel("activity", lambda rows: rows, 0)):
        with pytest.raises(StoreError) as caught:
            refused()
        assert caught.value.key == "store.reading"


def test_one_identity_twice_in_a_commit(store: Store) -> None:
    written = store.write(activities(activity(1), activity(1), activity(2), activity(1, ot__count=2)))
    assert (written.new, written.known, written.conflicts) == (2, 1, ("activity/a0001",))
    assert ids(store.read("activity", Query())) == ["a0001", "a0002"]
    assert store.count("activity", Query(where=Match("ot.count", 2))) == 0


def test_a_commit_with_known_and_new_rows(store: Store) -> None:
    store.write(activities(*(activity(n, NOON + n) for n in range(5))))
    written = store.write(activities(*(activity(n, NOON + n) for n in range(3, 8))))
    assert (written.new, written.known) == (3, 2)
    assert store.count("activity", Query()) == 8


@pytest.mark.parametrize(
    "sort", ["", "-", "-@timestamp", "ot.unit", "-ot.unit", "source.ip", "-source.ip", "event.action", "id", "-id", "-ot.value", "ot.grouped"]
)
def test_pages_join_up(store: Store, sort: str) -> None:
    def row(n: int) -> dict[str, Any]:
        facts = {
            "ot__unit": n % 4 or None,
            "source__ip": f"10.0.0.{n % 12}",
            "ot__value": n % 3 / 2 if n % 5 else None,
            "ot__grouped": [True, False, None][n % 3],
        }
        return activity(n, NOON + n // 3 * 20 * HOUR, event__action="Write" if n % 2 else "read", **facts)

    for start in range(0, 30, 10):
        store.write(activities(*(row(n) for n in range(start, start + 10))))
    whole = ids(store.read("activity", Query(sort=sort)))
    pages: list[str] = []
    while page := ids(store.read("activity", Query(sort=sort, limit=7, after=pages[-1] if pages else ""))):
        pages += page
    assert pages == whole
    assert sorted(pages) == [f"a{n:04}" for n in range(30)]


@pytest.mark.parametrize("short", [0, 10_000])
def test_long_pages(store: Store, short: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages too long to be read by identity come out the same."""
    monkeypatch.setattr("records.store.embedded._SHORT", short)
    store.write(activities(*(activity(n, NOON + n // 4 * DAY, ot__unit=n % 2) for n in range(40))))
    where = Match("ot.unit", 1)
    page = ids(store.read("activity", Query(where=where, sort="-@timestamp", limit=7, after="a0031")))
    assert page == [f"a{n:04}" for n in range(29, 15, -2)]
    assert ids(store.read("activity", Query(since=NOON + DAY, where=where, limit=3))) == ["a0005", "a0007", "a0009"]


def test_addresses_sort_as_addresses_and_absent_last(store: Store) -> None:
    addresses = ["10.0.0.10", "10.0.0.9", None, "fe80::1", "9.255.0.0"]
    store.write(activities(*(activity(n, source__ip=address) for n, address in enumerate(addresses))))
    for sort, order in (
        ("source.ip", ["9.255.0.0", "10.0.0.9", "10.0.0.10", "fe80::1", None]),
        ("-source.ip", ["fe80::1", "10.0.0.10", "10.0.0.9", "9.255.0.0", None]),
    ):
        assert store.read("activity", Query(sort=sort)).column("source.ip").to_pylist() == order


def test_time_is_half_open(store: Store) -> None:
    store.write(activities(*(activity(n, NOON + n) for n in range(4))))
    assert ids(store.read("activity", Query(since=NOON + 1, until=NOON + 3))) == ["a0001", "a0002"]
    assert store.count("activity", Query(since=NOON + 4)) == store.count("activity", Query(until=NOON)) == 0


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ot.access:WRITE", [1, 2]),
        ("event.action:write_multiple*", [2]),
        ("event.action:write?single", [1]),
        ('event.action:"write*"', []),
        ("source.ip:10.0.0.0/24", [0, 1]),
        ('source.ip:"fe80::/10"', [2]),
        ("NOT source.ip:10.0.0.0/24", [2, 3]),
        ("source.ip:[10.0.0.9 TO 10.0.0.10]", [0, 1]),
        ("ot.anomaly:short", [1, 2]),
        ("-ot.anomaly:*", [0, 3]),
        ("-ot.anomaly:short", [0, 3]),
        ("ot.anomaly:s*", [1, 2]),
        ("ot.value:>0.5", [2]),
        ("ot.grouped:true", [3]),
        ("写*", [3]),
        ("10.0.0.9 write", [1]),
        ("@timestamp:2026-11-22", [0, 1]),
        ("@timestamp:[2026-11-23 TO *]", [2, 3]),
        ("network.protocol:100%_x", [3]),
        ("ot.unit:[1 TO 3} OR ot.unit:9", [1, 2, 3]),
    ],
)
def test_searches(store: Store, search: str, found: list[int]) -> None:
    rows = [
        activity(0, NOON, source__ip="10.0.0.10", ot__access="read", ot__unit=3, ot__anomaly=[]),
        activity(
            1, NOON + 1, source__ip="10.0.0.9", ot__access="write", event__action="write_single", ot__anomaly=["short", "long"], ot__value=0.5, ot__unit=1
        ),
        activity(2, NOON + DAY, source__ip="fe80::1", ot__access="Write", event__action="Write_Multiple", ot__anomaly=["SHORT"], ot__value=0.75, ot__unit=2),
        activity(3, NOON + DAY, network__protocol="100%_x", ot__grouped=True, ot__object__name="写入阀门", ot__unit=9),
    ]
    store.write(activities(*rows))
    query = Query(where=parse(search, ACTIVITY))
    assert ids(store.read("activity", query)) == [f"a{n:04}" for n in found]
    assert store.count("activity", query) == len(found)


def test_many_alternatives(store: Store) -> None:
    store.write(activities(*(activity(n) for n in range(5))))
    wanted = Or(tuple(Match("id", f"a{n:04}") for n in range(3, 3000)))
    assert ids(store.read("activity", Query(where=wanted))) == ["a0003", "a0004"]


def test_histogram(store: Store) -> None:
    rows = [activity(n, NOON + n * HOUR, ot__access="read" if n % 2 else "write", ot__count=n, ot__rtt=0.5) for n in range(4)]
    store.write(activities(*rows))
    plain = store.histogram("activity", Query(), Histogram(2 * HOUR))
    assert (plain.column("time").cast(pa.int64()).to_pylist(), plain.column("total").to_pylist()) == ([NOON, NOON + 2 * HOUR], [2, 2])
    split = store.histogram("activity", Query(since=NOON + HOUR), Histogram(DAY, "ot.access", "ot.count"))
    assert split.select(["by", "total"]).to_pylist() == [{"by": "read", "total": 4}, {"by": "write", "total": 2}]
    assert store.histogram("activity", Query(), Histogram(DAY, total="ot.rtt")).column("total").to_pylist() == [2.0]
    assert store.histogram("activity", Query(where=Match("ot.access", "none")), Histogram(DAY, "ot.anomaly")).column_names == ["time", "by", "total"]


def test_sums(store: Store) -> None:
    assert store.sums("activity", Query(), ["ot.count", "ot.bytes"]) == {"ot.count": 0, "ot.bytes": 0}
    store.write(activities(*(activity(n, NOON + n * HOUR, ot__count=n, ot__bytes=None if n else 7) for n in range(4))))
    assert store.sums("activity", Query(), ["ot.count", "ot.bytes"]) == {"ot.count": 6, "ot.bytes": 7}
    assert store.sums("activity", Query(since=NOON + 2 * HOUR, where=Range("ot.count", high=2)), ["ot.count"]) == {"ot.count": 2}
    with pytest.raises(UsageError):
        store.sums("activity", Query(), ["source.ip"])


def test_terms(store: Store) -> None:
    rows = [activity(n, source__ip=f"10.0.0.{n % 3}", ot__count=1 + n, ot__anomaly=["x", "y"] if n < 2 else []) for n in range(6)]
    store.write(activities(*rows, activity(9)))
    top = store.terms("activity", Query(), Terms(("source.ip",), 2, "ot.count"))
    assert top.to_pylist() == [{"source.ip": "10.0.0.2", "total": 9}, {"source.ip": "10.0.0.1", "total": 7}]
    ties = store.terms("activity", Query(), Terms(("ot.anomaly", "source.ip"), 9))
    assert ties.slice(0, 3).to_pylist() == [
        {"ot.anomaly": None, "source.ip": "10.0.0.2", "total": 2},
        {"ot.anomaly": "x", "source.ip": "10.0.0.0", "total": 1},
        {"ot.anomaly": "x", "source.ip": "10.0.0.1", "total": 1},
    ]
    assert store.terms("activity", Query(), Terms(("ot.anomaly",))).column("total").to_pylist() == [2, 2]


@pytest.mark.parametrize(
    ("table", "query", "key"),
    [
        ("nothing", Query(), "store.table"),
        ("activity", Query(sort="-ot.anomaly"), "store.sort"),
        ("finding", Query(sort="terms"), "store.sort"),
        ("activity", Query(sort="-ot.vlaue"), "search.field_near"),
        ("activity", Query(where=Match("x.y", 1)), "search.field"),
        ("activity", Query(after="none"), "store.after"),
    ],
)
def test_wrong_questions(store: Store, table: str, query: Query, key: str) -> None:
    store.write(activities(activity(1)))
    with pytest.raises(UsageError) as caught:
        store.read(table, query)
    assert caught.value.key == key


def test_hostile_values_stay_values(store: Store) -> None:
    nasty = "'; DROP TABLE x; -- \" $p0 \x00 \u202e"
    store.write(Commit(Batch(rows_of(ACTIVITY, [activity(1, event__action=nasty)])), (finding(1, title=nasty, source="not an address"),)))
    assert store.read("activity", Query(where=Match("event.action", nasty))).column("event.action").to_pylist() == [nasty]
    assert ids(store.read("finding", Query(where=And((Match("title.en", "drop table"), Match("title.en", nasty)))))) == ["f1"]
    assert store.count("finding", Query(where=Range("source.ip", "0.0.0.0", "255.255.255.255"))) == 0


def with_evidence(opener: Callable[[bool], Store], homes: dict[int, str | None]) -> Store:
    """Findings, each of the alert with this id, each with 1000 octets of its own."""
    store = opener(True)
    alerts = {home: replace(alert(1), id=home) for home in homes.values() if home}
    findings = tuple(finding(number, alert=home) for number, home in homes.items())
    store.write(Commit(findings=findings, alerts=tuple(alerts.values())))
    for number in homes:  # one after the other, so that the order of keeping is theirs
        store.write(Commit(evidence=(evidence(number, Random(number).randbytes(1000)),)))
    return store


def left(store: Store) -> list[str]:
    return [row["id"] for row in flat(TABLES["evidence"], store.read("evidence", Query(sort="id"))) if row["sha256"] and row["gone"] is None]


def test_packets_are_kept_with_what_they_show(opener: Callable[[bool], Store]) -> None:
    store = opener(True)
    given = (evidence(1, b"same"), evidence(2, b"same", numbers=(9,)), evidence(3, b"", sha256=None, numbers=(), missing=2, size=0))
    store.write(Commit(findings=(finding(1), finding(2), finding(3)), evidence=given))
    assert [store.packets(name) for name in ("f1", "f2", "f3", "f4")] == [b"same", b"same", None, None]
    row = store.get("evidence", "f1") or {}
    assert (row["packets"], row["numbers"], row["bytes"], row["gone"], row["reason"]) == (2, [7, 8], 100, None, None)
    assert abs(row["kept"] - time.time_ns()) < 60 * SECOND
    assert (store.get("evidence", "f3") or {})["missing"] == 2


def test_packets_that_are_there_stay_as_they_are(opener: Callable[[bool], Store]) -> None:
    store = opener(True)
    store.write(Commit(evidence=(evidence(1, b"first"), evidence(2, b"", sha256=None))))
    store.write(Commit(evidence=(evidence(1, b"later"), evidence(2, b"found"))))
    assert [store.packets(name) for name in ("f1", "f2")] == [b"first", b"found"]
    assert store.thin(0, 0) == 2
    assert [store.packets(name) for name in ("f1", "f2")] == [None, None]
    store.write(Commit(evidence=(evidence(1, b"later"),)))
    assert store.packets("f1") == b"later"
    assert (store.get("evidence", "f1") or {})["gone"] is None


def test_of_packets_the_oldest_go_first_and_those_of_open_alerts_last(opener: Callable[[bool], Store]) -> None:
    store = with_evidence(opener, {1: "al1", 2: "al2", 3: None, 4: "al1", 5: "al2"})
    opened = store.alerts(["al2"])[0]
    store.change([closing(opened)])
    assert store.thin(1 << 20, 0) == 0
    assert left(store) == ["f1", "f2", "f3", "f4", "f5"]
    assert store.thin(4600, 0) == 1
    assert left(store) == ["f1", "f3", "f4", "f5"]
    assert store.thin(2300, 0) == 2
    assert left(store) == ["f1", "f4"]
    assert store.thin(1500, 0) == 1
    assert left(store) == ["f4"]
    gone = store.get("evidence", "f2") or {}
    assert (gone["reason"], gone["numbers"]) == ("size", [7, 8])
    assert abs(gone["gone"] - time.time_ns()) < 60 * SECOND


def test_packets_that_two_findings_share_stay_until_both_let_go(opener: Callable[[bool], Store]) -> None:
    store = opener(True)
    store.write(Commit(findings=(finding(1, alert="al1"), finding(2)), alerts=(alert(1),), evidence=(evidence(1, b"x" * 500), evidence(2, b"x" * 500))))
    assert store.thin(1 << 20, time.time_ns() + SECOND) == 1
    assert [store.packets(name) for name in ("f1", "f2")] == [b"x" * 500, None]


def test_age_lets_packets_of_open_alerts_be(opener: Callable[[bool], Store]) -> None:
    store = with_evidence(opener, {1: "al1", 2: None})
    assert store.thin(1 << 20, time.time_ns() - HOUR) == 0
    assert store.thin(1 << 20, time.time_ns() + HOUR) == 1
    assert left(store) == ["f1"]
    assert (store.get("evidence", "f2") or {})["reason"] == "age"


def test_evidence_retires_with_the_rest(opener: Callable[[bool], Store]) -> None:
    store = with_evidence(opener, {1: "al1", 2: None})
    store.retire(time.time_ns() + DAY)
    assert left(store) == ["f1"], "its alert is not closed"
    assert store.packets("f1") is not None
    store.change([closing(store.alerts(["al1"])[0])])
    store.retire(time.time_ns() + DAY)
    assert store.count("evidence", Query()) == 0
    assert store.packets("f1") is None


def test_only_a_writer_thins(opener: Callable[[bool], Store]) -> None:
    opener(True).close()
    with pytest.raises(StoreError):
        opener(False).thin(0, 0)


def known(*addresses: str, first: int = NOON, serial: str = "", source: str = "arp") -> Asset:
    """An asset with these addresses."""
    facts = [Fact("address", address, source, 80, first + place, NOON + 9) for place, address in enumerate(addresses)]
    facts += [Fact("serial", serial, "cip:identity", 95, first, NOON), Fact("vendor", "Acme", "cip:identity", 95, first, NOON)] if serial else []
    return asset_of(None, facts, first, NOON + 9, ["modbus"])


MAC = "00:1b:1b:00:00:01"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_assets_that_turn_out_to_be_one_become_one(store: Store, order: tuple[int, ...]) -> None:
    """Whatever the order in which that is found out; every identity still finds it."""
    parts = (known("10.0.0.5", MAC), known("10.0.1.5", first=NOON + 4), known(MAC, "10.0.1.5", first=NOON + 6))
    for number in order:
        store.write(Commit(assets=(parts[number],)))
    (row,) = store.read("asset", Query()).to_pylist()
    assert (row["id"], sorted(row["addresses"])) == (parts[0].id, [MAC, "10.0.0.5", "10.0.1.5"])
    for identity in {part.id for part in parts} | {alias for part in parts for alias in part.aliases}:
        found = store.get("asset", identity)
        assert found is not None, identity
        assert found["id"] == parts[0].id


def test_one_serial_number_at_two_addresses_is_one_asset(store: Store) -> None:
    store.write(Commit(assets=(known("10.0.0.5", serial="4711-0815"),)))
    store.write(Commit(assets=(known("10.0.0.6", serial="4711-0815", first=NOON + 3), known("10.0.0.7", serial="4711-0816"))))
    assert sorted(sorted(row["addresses"]) for row in store.read("asset", Query()).to_pylist()) == [["10.0.0.5", "10.0.0.6"], ["10.0.0.7"]]


def test_what_was_taken_for_one_is_two_again(store: Store) -> None:
    """A MAC address that seemed to be a controller's turned out to be the router's before it."""
    store.write(Commit(assets=(known("10.0.0.5", MAC),)))
    store.write(Commit(assets=(known("10.0.0.5", first=NOON + 1), known(MAC, "10.0.0.254", first=NOON + 1))))
    assert sorted(sorted(row["addresses"]) for row in store.read("asset", Query()).to_pylist()) == [[MAC, "10.0.0.254"], ["10.0.0.5"]]
    found = store.get("asset", asset_id(None, MAC))
    assert found is not None
    assert "10.0.0.254" in found["addresses"]


OTHER_MAC = "00:1b:1b:00:00:02"
NEXT_DAY = NOON + DAY


def held(mac: str, *addresses: str, at: int = NOON, name: str = "", firm: int = 80, sent: bool = False) -> Asset:
    """What a capture says of a host with this MAC address and these addresses."""
    facts = [Fact("address", each, "arp" if firm >= 60 or each != mac else "traffic", firm, at, at + 9) for each in (mac, *addresses)]
    facts += [Fact("address", each, "traffic", 95, at, at + 9) for each in addresses if sent]
    return asset_of(None, [*facts, *([Fact("name", name, "dhcp", 75, at, at)] if name else [])], at, at + 9, ["arp"])


def told(store: Store) -> dict[str, tuple[set[str], set[tuple[str, str | None, str, str]]]]:
    """Assets by name: their addresses, and what is said of where others are."""
    assets = [asset_from(row) for row in flat(TABLES["asset"], store.read("asset", Query()))]
    return {a.name: (set(a.addresses), {(each.address, each.before, each.other, each.kind) for each in a.conflicts}) for a in assets}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1, 1, 0)])
def test_an_address_that_another_host_has_later_is_not_its_forever(store: Store, order: tuple[int, ...]) -> None:
    """A lease that goes to another laptop, and a controller that is replaced, whatever the order of the captures."""
    lease = held(MAC, "10.0.0.50", name="anna"), held(OTHER_MAC, "10.0.0.50", at=NEXT_DAY, name="boris")
    for number in order:
        store.write(Commit(assets=(lease[number],)))
    moved = {("10.0.0.50", MAC, OTHER_MAC, "moved")}
    assert told(store) == {"anna": ({MAC}, moved), "boris": ({"10.0.0.50", OTHER_MAC}, moved)}
    for identity, name in ((asset_id(None, MAC), "anna"), (asset_id(None, OTHER_MAC), "boris"), (asset_id(None, "10.0.0.50"), "boris")):
        found = store.get("asset", identity)
        assert found is not None
        assert found["name"] == name
    (anna,) = (asset_from(row) for row in flat(TABLES["asset"], store.read("asset", Query())) if row["name"] == "anna")
    assert {fact.value for fact in anna.facts if fact.name == FORMER} == {"10.0.0.50"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_lease_that_comes_back(store: Store, order: tuple[int, ...]) -> None:
    """At last it is its first host's again; in whatever order that is found out, the two stay two."""
    days = held(MAC, "10.0.0.50", name="anna"), held(OTHER_MAC, "10.0.0.50", at=NEXT_DAY, name="boris"), held(MAC, "10.0.0.50", at=NEXT_DAY + DAY)
    for number in order:
        store.write(Commit(assets=(days[number],)))
    known = told(store)
    assert {name: addresses for name, (addresses, _) in known.items()} == {"anna": {"10.0.0.50", MAC}, "boris": {OTHER_MAC}}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1)])
@pytest.mark.parametrize("firm", [80, 50])
@pytest.mark.parametrize("days", [(NOON, NEXT_DAY), (NEXT_DAY, NOON)])
def test_who_claims_a_controllers_address_is_not_it(store: Store, order: tuple[int, ...], firm: int, days: tuple[int, int]) -> None:
    """Of which another capture saw packets alone (50) or its own ARP, too (80), before that or after it."""
    both = held(MAC, "10.0.0.5", at=days[0], firm=firm, sent=True), held(OTHER_MAC, "10.0.0.66", "10.0.0.5", at=days[1])
    for number in order:
        store.write(Commit(assets=(both[number],)))
    contested = {("10.0.0.5", None, OTHER_MAC, "contested")}, {("10.0.0.5", None, MAC, "contested")}
    moved = ({("10.0.0.5", OTHER_MAC, MAC, "moved")},) * 2  # nobody says that it was the controller's already
    one, other = moved if days[0] > days[1] and firm == 80 else contested
    assert told(store) == {"10.0.0.5": ({"10.0.0.5", MAC}, one), "10.0.0.66": ({"10.0.0.66", OTHER_MAC}, other)}


def test_a_mac_address_of_packets_alone_may_be_a_routers(store: Store) -> None:
    """It is no other host: the same controller, seen from another side."""
    store.write(Commit(assets=(held(MAC, "10.0.0.5", firm=50, sent=True),)))
    store.write(Commit(assets=(held(OTHER_MAC, "10.0.0.5", at=NEXT_DAY, sent=True),)))
    assert told(store) == {"10.0.0.5": ({"10.0.0.5", MAC, OTHER_MAC}, set())}


def test_writing_an_asset_again_changes_nothing(store: Store) -> None:
    asset = known("10.0.0.5", MAC, serial="4711-0815")
    store.write(Commit(assets=(asset,)))
    before = repr(store.read("asset", Query()).to_pylist())
    store.write(Commit(assets=(asset,)))
    assert repr(store.read("asset", Query()).to_pylist()) == before


def test_a_field_that_is_newer_than_the_row_is_no_conflict(store: Store) -> None:
    """As when a later version tells more of the same; not of activities and points, of which there are too many to look into each."""

    def told(**facts: Any) -> Written:
        return store.write(Commit(Batch(coverage=rows_of(COVERAGE, [{"id": "c", "@timestamp": NOON, **facts}]))))

    assert told(packets=3).new == 1
    more = told(packets=3, lost=1)
    assert (more.new, more.known, more.conflicts) == (0, 1, ())
    assert told(packets=4).conflicts == ("coverage/c",)
    assert told(lost=1).conflicts == ("coverage/c",), "less is no more"
    assert (store.get("coverage", "c") or {})["lost"] is None, "what is stored stays"
