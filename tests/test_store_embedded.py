"""What only the embedded store has: files, processes, disks that fill up."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from records.errors import BalefireError, StoreError, UsageError
from records.model import Batch
from records.query import Histogram, Query, Span, Terms
from records.schema import ACTIVITY, COVERAGE, SCHEMA_VERSION
from records.search import Match
from records.store import kept, open_store, releases
from records.store.columns import RELEASED, numbered, stored
from records.store.contract import Commit
from records.store.parquet import FILES_A_DAY, GRACE, compact, write_days
from tests.test_store import DAY, HOUR, NOON, activities, activity, finding, ids, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from records.schema import Table
    from records.store.contract import Store
    from records.store.embedded import EmbeddedStore

ROOT = Path(__file__).parents[1]
ROWS_A_COMMIT = 50
WRITER = f"""
import sys
from tests.test_store import NOON, activities, activity, finding
from records.store import open_store
from records.store.contract import Commit
store = open_store(sys.argv[1], True)
done = store.count("finding", __import__("records.query").query.Query())
activities(activity(0))  # what is loaded at the first row is loaded
print("ready", flush=True)
for number in range(done, done + int(sys.argv[2])):
    rows = [activity(number * {ROWS_A_COMMIT} + n, NOON + number * 10**9) for n in range({ROWS_A_COMMIT})]
    commit = activities(*rows)
    store.write(Commit(commit.batch, (finding(number),)))
print("done", flush=True)
"""


def writer(path: Path, commits: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(commits)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def embedded(path: Path) -> Iterator[EmbeddedStore]:
    from records.store.embedded import EmbeddedStore

    store = EmbeddedStore(path, True)
    yield store
    store.close()


def error(where: Path | str, write: bool = False) -> BalefireError:
    with pytest.raises(BalefireError) as caught:
        open_store(str(where), write)
    assert str(where) in str(caught.value)
    assert caught.value.text("zh")
    return caught.value


def files(path: Path) -> set[str]:
    return {str(found.relative_to(path)) for found in path.rglob("*") if "parquet" in found.name}


def whole_commits(store: Store) -> int:
    """How many commits a reader sees; each is whole."""
    findings = store.count("finding", Query())
    rows = store.count("activity", Query())
    assert rows >= findings * ROWS_A_COMMIT  # a commit may come between the two questions
    assert rows % ROWS_A_COMMIT == 0
    assert min(1, rows) <= store.read("activity", Query(limit=1, sort="-@timestamp")).num_rows <= 1  # the same again
    return rows // ROWS_A_COMMIT


def test_reading_while_another_process_writes(path: Path) -> None:
    process = writer(path, 40)
    assert process.stdout
    with process:
        assert process.stdout.readline() == "ready\n"
        reader = open_store(str(path))
        seen = [whole_commits(reader)]
        assert error(path, write=True).key == "store.in_use"
        while process.poll() is None:
            seen.append(whole_commits(reader))
        assert process.returncode == 0
    assert seen == sorted(seen)
    assert whole_commits(reader) == 40
    assert len(set(seen)) > 2
    reader.close()


def test_a_reader_sees_what_came_and_what_went_of_the_same_time(path: Path) -> None:
    store, reader = open_store(str(path), True), open_store(str(path))
    whole = Query(NOON, NOON + DAY)
    for number in range(3):
        store.write(covered(number))
        assert reader.histogram("coverage", whole, Histogram(DAY)).column("total").to_pylist() == [number + 1]
        assert reader.sums("coverage", Query(NOON + HOUR, NOON + 2 * HOUR), ["packets"]) == {"packets": 10 if number else 0}
        assert reader.read("coverage", Query(sort="-@timestamp", limit=1)).column("id").to_pylist() == [f"c{number}"]
    last = reader.read("coverage", Query(sort="-@timestamp", limit=2))
    assert reader.read("coverage", Query(sort="-@timestamp", limit=2, after=str(last.column("id")[1].as_py()))).column("id").to_pylist() == ["c0"]
    with sqlite3.connect(path / "store.sqlite") as database:
        database.execute("DELETE FROM document WHERE kind = 'coverage' AND id = 'c1'")
        database.execute("UPDATE meta SET value = value + 1 WHERE name = 'version.coverage'")
    database.close()
    assert reader.count("coverage", whole) == 2
    assert reader.sums("coverage", whole, ["packets"]) == {"packets": 20}
    store.close()
    reader.close()


def test_a_time_after_one_that_was_read_is_read_though_nothing_was_written_meanwhile(path: Path) -> None:
    """What lies behind the last row that was read is no less of the table as it was."""
    store = open_store(str(path), True)
    for number in range(3):
        store.write(covered(number))
    for number in range(3):
        assert store.sums("coverage", Query(NOON + number * HOUR, NOON + (number + 1) * HOUR), ["packets"]) == {"packets": 10}
    store.close()


@pytest.mark.parametrize("ends", [(None, None), (NOON - 9 * HOUR, NOON + 9 * HOUR), (NOON - 9 * HOUR, None), (None, NOON + 9 * HOUR)])
def test_of_a_longer_time_only_the_rest_is_read(path: Path, monkeypatch: pytest.MonkeyPatch, ends: tuple[int | None, int | None]) -> None:
    store, reader = open_store(str(path), True), open_store(str(path))
    for number in (0, 2, -2, 1):
        store.write(covered(number))
    counts = [reader.sums("coverage", Query(NOON, NOON + 2 * HOUR), ["packets"])["packets"]]
    store.write(covered(-3))  # it grows by what is of another time
    counts.append(reader.sums("coverage", Query(NOON, NOON + HOUR), ["packets"])["packets"])
    read: list[int] = []
    parse = kept.from_documents

    def counted(table: Table, bodies: Iterable[str]) -> pa.Table:
        told = list(bodies)
        read.append(len(told))
        return parse(table, told)

    monkeypatch.setattr(kept, "from_documents", counted)
    counts.append(reader.sums("coverage", Query(*ends), ["packets"])["packets"])
    assert sum(read) == 3, "what is of the time that is known is not read again"
    store.write(covered(3))
    counts += [reader.sums("coverage", Query(*each), ["packets"])["packets"] for each in ((NOON, NOON + HOUR), ends, (NOON - 2 * HOUR, NOON - HOUR))]
    assert counts == [20, 10, 50, 10, 60, 10]
    store.close()
    reader.close()


def test_a_stamp_is_another_one_once_somebody_wrote(path: Path) -> None:
    store, reader = open_store(str(path), True), open_store(str(path))
    span, told = Span(NOON, NOON + HOUR), list[str]()
    for number in (0, 1, 0, 2):
        store.write(covered(number) if number or not told else Commit(findings=(finding(1),)))
        told += [each.stamp("coverage", span) for each in (store, reader, reader)]
    assert len(set(told)) == 1, "what is of other times or tables changes nothing"
    row = {"id": "late", "@timestamp": NOON + 1, "packets": 10}
    store.write(Commit(Batch(coverage=rows_of(COVERAGE, [row]))))
    assert len({*told, store.stamp("coverage", span), reader.stamp("coverage", span)}) == 2
    store.close()
    reader.close()


def test_a_store_made_before_an_index_gets_it_from_whoever_writes(path: Path) -> None:
    open_store(str(path), True).close()
    with sqlite3.connect(path / "store.sqlite") as database:
        database.executescript("DROP INDEX document_written; CREATE INDEX document_time ON document (kind, time)")
    database.close()
    reader = open_store(str(path))
    assert reader.stamp("coverage", Span(0, NOON)) == "0-None"
    reader.close()
    open_store(str(path), True).close()
    with sqlite3.connect(path / "store.sqlite") as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    database.close()
    assert "document_written" in names
    assert "document_time" not in names


def covered(number: int) -> Commit:
    """A window of coverage, an hour after that of the number before."""
    row = {"id": f"c{number}", "@timestamp": NOON + number * HOUR, "event.end": NOON + number * HOUR, "packets": 10}
    return Commit(Batch(coverage=rows_of(COVERAGE, [row])))


@pytest.mark.parametrize("descending", [True, False])
def test_a_page_by_time_is_the_same_over_days_that_are_sparse(embedded: EmbeddedStore, descending: bool) -> None:
    for day in (0, 1, 2, 30, 100, 101):
        embedded.write(activities(*(activity(day * 10 + n, NOON + day * DAY + n, ot__access="write" if day == 1 else "read") for n in range(3))))
    sort, order = ("-@timestamp", -1) if descending else ("@timestamp", 1)
    every = [f"a{day * 10 + n:04}" for day in (0, 1, 2, 30, 100, 101) for n in range(3)][::order]
    for limit in (1, 3, 4, 10, 18, 40):
        assert ids(embedded.read("activity", Query(sort=sort, limit=limit))) == every[:limit]
        assert ids(embedded.read("activity", Query(sort=sort, limit=limit, after=every[4]))) == every[5 : 5 + limit]
    assert ids(embedded.read("activity", Query(sort=sort, limit=2, where=Match("ot.access", "write")))) == sorted(["a0010", "a0011", "a0012"])[::order][:2]
    for since, until in ((None, None), (NOON, NOON + 2 * DAY + 1), (NOON + 1, NOON + 30 * DAY), (NOON + 3 * DAY, NOON + 4 * DAY)):
        assert embedded.count("activity", Query(since, until)) == embedded.read("activity", Query(since, until)).num_rows


def test_a_killed_writer_leaves_whole_commits(path: Path) -> None:
    chance = random.Random(1)
    commits = 0
    for _ in range(3):
        process = writer(path, 10_000)
        assert process.stdout
        with process:
            process.stdout.readline()
            time.sleep(0.05 + chance.random() * 0.5)
            process.send_signal(signal.SIGKILL)
        reader = open_store(str(path))
        now = whole_commits(reader)
        assert now >= commits
        assert reader.count("finding", Query()) == now
        commits = now
        reader.close()
    assert commits > 0
    with_garbage = files(path)
    store = open_store(str(path), True)
    assert files(path) <= with_garbage
    assert not [name for name in files(path) if name.endswith(".tmp")]
    assert whole_commits(store) == commits
    store.close()


def test_a_full_disk_keeps_whole_commits(tiny_disk: Path) -> None:
    path = tiny_disk / "store"
    store = open_store(str(path), True)
    number = 0

    def fill() -> None:
        nonlocal number
        while number < 400:
            rows = [activity(number * ROWS_A_COMMIT + n, NOON + number * DAY, event__action=os.urandom(200).hex()) for n in range(ROWS_A_COMMIT)]
            store.write(Commit(activities(*rows).batch, (finding(number),)))
            number += 1

    with pytest.raises(StoreError) as caught:
        fill()
    assert caught.value.key == "store.full"
    assert whole_commits(store) == number
    assert len(files(path)) == number
    assert store.count("finding", Query()) == number
    store.close()
    again = open_store(str(path))
    assert whole_commits(again) == number
    again.close()


def test_places_that_are_no_stores(path: Path, tmp_path: Path) -> None:
    assert error(path).key == "store.missing"
    assert not path.exists()
    tmp_path.joinpath("file").write_text("x")
    assert error(tmp_path / "file").key == "store.not_a_store"
    assert error(tmp_path, write=True).key == "store.not_a_store"
    path.mkdir()
    assert error(path).key == "store.missing"
    with pytest.raises(UsageError):
        open_store("FTP://elastic:9200")


def test_a_newer_store(path: Path) -> None:
    open_store(str(path), True).close()
    with sqlite3.connect(path / "store.sqlite") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 6}")
    db.close()
    for write in (False, True):
        failure = error(path, write)
        assert failure.key == "store.newer"
        assert str(SCHEMA_VERSION) in str(failure)
        assert str(SCHEMA_VERSION + 6) in str(failure)


def test_a_damaged_database(path: Path) -> None:
    store = open_store(str(path), True)
    store.write(activities(activity(1)))
    store.close()
    path.joinpath("store.sqlite").write_bytes(b"not a database, " * 4096)
    assert error(path).key == "store.corrupt"
    assert error(path, write=True).key == "store.corrupt"


@pytest.mark.parametrize("damage", ["cut", "noise", "gone"])
def test_a_damaged_file(path: Path, damage: str) -> None:
    store = open_store(str(path), True)
    store.write(activities(*(activity(n) for n in range(2000))))
    (file,) = path.glob("activity/*.parquet")
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\xa5" * len(content))
    with pytest.raises(StoreError) as caught:
        store.read("activity", Query())
    assert caught.value.key == "store.corrupt"
    assert file.name in str(caught.value)
    store.close()


def test_a_reader_does_not_write(path: Path, embedded: EmbeddedStore) -> None:
    reader = open_store(str(path))
    with pytest.raises(StoreError):
        reader.write(Commit())
    reader.close()
    embedded.write(activities(activity(1)))


def test_a_path_full_of_signs(tmp_path: Path) -> None:
    place = tmp_path / "a [b] *? 'c' 厂" / "id=3"
    store = open_store(str(place), True)
    store.write(activities(activity(1)))
    store.write(activities(activity(1), activity(2)))
    assert store.count("activity", Query()) == 2
    store.close()


def test_threads_share_a_store(embedded: EmbeddedStore) -> None:
    embedded.write(activities(*(activity(n) for n in range(100))))
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.extend(embedded.count("activity", Query()) for _ in range(5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [100] * 40


def aged(path: Path, names: set[str]) -> None:
    for name in names:
        os.utime(path / name, (time.time() - GRACE - 5, time.time() - GRACE - 5))


def test_compaction_keeps_rows_and_readers(path: Path, embedded: EmbeddedStore) -> None:
    late = open_store(str(path))
    for n in range(FILES_A_DAY):
        embedded.write(activities(activity(n, NOON + n)))
    before = files(path)
    assert len(before) == FILES_A_DAY
    embedded.write(activities(activity(FILES_A_DAY, NOON)))
    live = {file.name for file in embedded._manifest.files("activity")}  # pyright: ignore[reportPrivateUsage] - which files count is the point here
    assert len(live) < FILES_A_DAY
    assert before <= files(path)  # retired, still there for readers
    assert late.count("activity", Query()) == embedded.count("activity", Query()) == FILES_A_DAY + 1
    assert ids(embedded.read("activity", Query()))[:2] == ["a0000", f"a{FILES_A_DAY:04}"]
    assert embedded.write(activities(activity(3, NOON + 3))).known == 1
    aged(path, files(path) - live)
    embedded.write(activities(activity(99, NOON + DAY)))
    assert files(path) & before <= live
    assert late.count("activity", Query()) == FILES_A_DAY + 2
    late.close()


def test_files_without_the_order_of_release(path: Path, embedded: EmbeddedStore) -> None:
    """Of a version that did not keep it: they come first, by time, and are merged with others."""
    manifest = embedded._manifest  # pyright: ignore[reportPrivateUsage] - the files of another version
    parquet: Any = pyarrow.parquet
    for number in (3, 1, 2):
        embedded.write(activities(activity(number, NOON + number)))
    for file in manifest.files("activity"):
        rows = parquet.read_table(path / file.name, partitioning=None)
        parquet.write_table(rows.drop_columns([RELEASED]), path / file.name)
    for number in (9, 8, *range(10, 10 + FILES_A_DAY)):
        embedded.write(activities(activity(number, NOON - number)))
    assert len(manifest.files("activity")) < FILES_A_DAY
    names = [name for part in embedded.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()]
    assert names == [f"a{number:04}" for number in (1, 2, 3, 9, 8, *range(10, 10 + FILES_A_DAY))]


def test_files_without_a_column_that_was_made_since(path: Path, embedded: EmbeddedStore) -> None:
    """Its values are unknown, whatever is asked: of old files alone, of old and new ones, of a commit that comes again, and once they are merged."""
    parquet: Any = pyarrow.parquet
    given = [activity(number, NOON + number, network__tunnel__id=5, ot__access="write") for number in (1, 2)]
    for row in given:
        embedded.write(activities(row))
    for file in path.glob("activity/*.parquet"):
        rows = parquet.read_table(file, partitioning=None)
        parquet.write_table(rows.drop_columns(["network.tunnel.id", "network.tunnel.type"]), file)

    def asked() -> list[Any]:
        tunnel = Query(where=Match("network.tunnel.id", 5))
        return [
            [row["network.tunnel.id"] for row in embedded.read("activity", Query(sort="id")).to_pylist()],
            ids(embedded.read("activity", Query(sort="-@timestamp", limit=1))),
            embedded.count("activity", tunnel),
            embedded.terms("activity", Query(), Terms(("network.tunnel.id",))).to_pylist(),
            embedded.histogram("activity", tunnel, Histogram(HOUR)).num_rows,
            [part.column("network.tunnel.id").to_pylist() for part in embedded.history("activity", Query(), ["id", "network.tunnel.id"])],
        ]

    assert asked() == [[None, None], ["a0002"], 0, [], 0, [[None, None]]]
    again = embedded.write(activities(*given))
    assert (again.known, again.conflicts) == (2, ())
    for number in range(3, 3 + FILES_A_DAY):
        embedded.write(activities(activity(number, NOON + number, network__tunnel__id=5)))
    manifest = embedded._manifest  # pyright: ignore[reportPrivateUsage] - whether they were merged is the point here
    assert len(manifest.files("activity")) < FILES_A_DAY
    assert asked()[0] == [None, None, *[5] * FILES_A_DAY]
    assert asked()[2:4] == [FILES_A_DAY, [{"network.tunnel.id": 5, "total": FILES_A_DAY}]]


def test_what_was_released_together_is_sorted_by_itself(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of days that lie in one commit, of days in any order, and merged ones: runs of them one after the other give the order of all."""
    monkeypatch.setattr(releases, "FEW", 1)
    dice = random.Random(3)
    given = [activity(number, NOON + dice.randrange(4) * DAY + dice.randrange(1000)) for number in range(90)]
    for start in range(0, 90, 3):
        embedded.write(activities(*given[start : start + 3]))
    files = embedded._manifest.files("activity")  # pyright: ignore[reportPrivateUsage] - how files are put together is the point here
    runs = list(releases.releases(embedded._engine, files))  # pyright: ignore[reportPrivateUsage]
    assert sorted(file.name for run in runs for file in run) == sorted(file.name for file in files)
    for number in range(100, 103):
        embedded.write(activities(activity(number, NOON + 9 * DAY + number)))
    later = list(releases.releases(embedded._engine, embedded._manifest.files("activity")))  # pyright: ignore[reportPrivateUsage]
    assert len(later) == len(runs) + 3, "what came later, on a day of its own, is sorted alone"
    names = [name for part in embedded.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()]
    assert names == [f"a{number:04}" for number in (*range(90), *range(100, 103))]


def test_compaction_takes_little_memory(path: Path, embedded: EmbeddedStore) -> None:
    """Of files that overlap, with rows of one and the same time: Arrow holds some rows of each, not all at once, and nothing is lost."""
    manifest = embedded._manifest  # pyright: ignore[reportPrivateUsage] - files are made without the store's sifting, for speed
    files, rows = FILES_A_DAY + 4, 25_000
    for n in range(files):
        columns = {
            "id": pa.array([f"a{number * files + n:020}" for number in range(rows)]),
            "@timestamp": pa.array([NOON + number // 100 for number in range(rows)], pa.int64()).cast(pa.timestamp("ns", "UTC")),
            "event.action": pa.array([f"action {n}" * 20] * rows),
        }
        with manifest.transaction():
            manifest.add_files(write_days(path, ACTIVITY, numbered(stored(ACTIVITY, pa.table(columns)), n * rows), 0, []))
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    try:
        compact(path, manifest, ACTIVITY, {NOON // DAY})
    finally:
        pa.set_memory_pool(before)
    (merged,) = manifest.files("activity")
    parquet: Any = pyarrow.parquet
    found = parquet.read_table(path / merged.name, columns=["id"])
    assert merged.rows == files * rows
    assert found.column("id").to_pylist() == [f"a{number:020}" for number in range(files * rows)]
    assert (merged.low, merged.high) == (NOON, NOON + (rows - 1) // 100)
    assert 0 < (pool.max_memory() or 0) < 180 << 20


def test_garbage_goes_with_the_next_writer(path: Path) -> None:
    store = open_store(str(path), True)
    store.write(activities(activity(1)))
    kept = files(path)
    store.close()
    for name in ("activity/2026-01-01-0.parquet", "activity/x.parquet.tmp"):
        (path / name).write_bytes(b"half")
    reader = open_store(str(path))
    assert reader.count("activity", Query()) == 1
    reader.close()
    open_store(str(path), True).close()
    assert files(path) == kept


def test_retention(path: Path, embedded: EmbeddedStore) -> None:
    now = time.time_ns()
    embedded.write(activities(*(activity(n, now - n * DAY) for n in range(4))))
    embedded.write(Commit(findings=(finding(1, now - 3 * DAY),)))
    assert embedded.retire(now - DAY) == {}  # old events, written just now
    assert embedded.retire(time.time_ns() + 2 * DAY) == {"activity": 4, "finding": 1}
    assert embedded.count("activity", Query()) == embedded.count("finding", Query()) == 0
    assert files(path)
    aged(path, files(path))
    embedded.write(activities(activity(9, now)))
    assert len(files(path)) == 1


def test_only_near_files_are_read_for_a_commit(path: Path, embedded: EmbeddedStore) -> None:
    embedded.write(activities(activity(1, NOON)))
    (file,) = path.glob("activity/*.parquet")
    file.write_bytes(b"unreadable")
    assert embedded.write(activities(activity(2, NOON + DAY))).new == 1
    with pytest.raises(StoreError):
        embedded.write(activities(activity(3, NOON)))
    assert len(files(path)) == 2


def test_documents_are_read_again_when_they_change(path: Path, embedded: EmbeddedStore) -> None:
    reader = open_store(str(path))
    counts: list[Any] = []
    for n in range(3):
        embedded.write(Commit(findings=(finding(n),)))
        counts.append((reader.count("finding", Query()), reader.count("finding", Query(where=Match("id", f"f{n}")))))
    assert counts == [(1, 1), (2, 1), (3, 1)]
    reader.close()


def test_a_span_that_is_asked_for_again_shows_what_was_written_since(tmp_path: Path) -> None:
    """The last span of documents is kept: until something is written, decided or dropped."""
    store = open_store(str(tmp_path / "store"), True)
    span = Query(since=NOON, until=NOON + 10)
    store.write(Commit(findings=(finding(1),)))
    other = open_store(str(tmp_path / "store"))
    for each in (store, other):
        assert each.count("finding", span) == each.read("finding", span).num_rows == 1
    store.write(Commit(findings=(finding(2, NOON + 3), finding(3, NOON + 10))))
    for each in (store, other):
        assert each.count("finding", span) == each.read("finding", span).num_rows == 2
        assert each.count("finding", Query(since=NOON, until=NOON + 11)) == 3
    store.retire(NOON + 4000 * 86_400 * 10**9)
    for each in (store, other):
        assert each.count("finding", span) == 0
        each.close()
