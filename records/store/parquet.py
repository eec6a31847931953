"""The Parquet side of the embedded store: immutable files by event day, what is already stored, compaction."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from records.store.columns import RELEASED, SORTABLE, conform, flat, nothing, numbered, stored
from records.store.engine import FILES, ROWS
from records.store.extracts import SUFFIXES, Making, beside, file_of
from records.store.manifest import File
from records.store.place import sync
from records.store.sql import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from records.query import Query
    from records.schema import Table
    from records.store.engine import Engine
    from records.store.manifest import Manifest

DAY: Final = 86_400_000_000_000
WINDOW: Final = 60_000_000_000  # an identity holds its window, so equal identities are less than a window apart
FILES_A_DAY: Final = 16
LARGE: Final = 1_000_000  # rows; larger files are not merged again
GRACE: Final = 15 * 60  # seconds that a retired file stays for readers that have begun
ROW_GROUP: Final = 131_072
MERGED_GROUP: Final = ROW_GROUP // 8  # smaller, as it is in memory beside all else of a replay
PART: Final = 2048  # rows of a file that are in memory while files are merged
BUFFER: Final = 1 << 14  # octets of each of its columns that are read at once
DISTINCT: Final = frozenset({"id", "ot.packet.first", "ot.packet.last"})  # another value in nearly each row: a dictionary of them would only be in the way
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial; used in this file only
_parquet: Any = pyarrow.parquet


@dataclass(frozen=True, slots=True)
class Sifted:
    """Rows that are to be stored, how many were stored already, identities that came with another content."""

    new: pa.Table
    known: int
    conflicts: tuple[str, ...]


def sift(engine: Engine, manifest: Manifest, table: Table, rows: pa.Table, released: int) -> Sifted:
    """What of these rows (in the schema's form) is new; `released` rows were before them. Only files and row groups around the rows' times are read."""
    rows, twice, conflicts = _distinct(table, stored(table, rows))
    rows = numbered(rows, released)
    if not rows.num_rows:
        return Sifted(rows, twice, conflicts)
    low, high = span(table, rows)
    files = manifest.files(table.name, low - WINDOW, high + WINDOW)
    if not files:
        return Sifted(rows, twice, conflicts)
    time = quote(table.time)
    paths, low, high = engine.files([file.name for file in files]), low - WINDOW, high + WINDOW
    if not any(_holds(path, table, rows, low, high) for path in paths):
        return Sifted(rows, twice, conflicts)
    near = {"files": paths, "low": low, "high": high}
    source = f"{FILES} s WHERE s.{time} BETWEEN make_timestamp_ns($low) AND make_timestamp_ns($high)"
    known = engine.query(f"SELECT id FROM {ROWS} WHERE id IN (SELECT s.id FROM {source})", near, rows)  # noqa: S608 - schema names
    if not known.num_rows:
        return Sifted(rows, twice, conflicts)
    held = set[str].intersection(*(set(_parquet.read_schema(path).names) for path in paths))  # a column made since is no contradiction
    compared = [name for name in table.names if name in held and name not in table.labels]
    same = " AND ".join(f"n.{quote(name)} IS NOT DISTINCT FROM s.{quote(name)}" for name in compared)
    differ = f"SELECT n.id FROM {ROWS} n JOIN (SELECT * FROM {source}) s ON n.id = s.id WHERE NOT ({same})"  # noqa: S608 - schema names
    others = [str(value) for value in engine.query(differ, near, rows).column("id").to_pylist()]
    new = rows.filter(_compute.invert(_compute.is_in(rows.column("id"), value_set=known.column("id").combine_chunks())))
    return Sifted(new, twice + known.num_rows - len(others), (*conflicts, *(f"{table.name}/{name}" for name in others)))


def _holds(path: str, table: Table, rows: pa.Table, low: int, high: int) -> bool:
    """May a file hold an identity of these rows around these times? Seldom: so DuckDB, which takes 35 MiB and a while to start, need not be asked.

    It is asked also where the file cannot be read, as it says why.
    """
    wanted: Any = rows.column("id").combine_chunks()
    try:
        with _parquet.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            for number, group in enumerate(groups):
                times = next(column.statistics for column in map(group.column, range(group.num_columns)) if column.path_in_schema == table.time)
                if times is not None and (times.max_raw < low or times.min_raw > high):
                    continue
                column = file.read_row_group(number, columns=["id"], use_threads=False).column("id")
                if _compute.any(_compute.is_in(column, value_set=wanted)).as_py():
                    return True
    except (OSError, pa.ArrowException):
        return True
    return False


def _distinct(table: Table, rows: pa.Table) -> tuple[pa.Table, int, tuple[str, ...]]:
    """(rows with each identity once, the first one; how many repeated it; conflicts among them)"""
    column = rows.column("id")
    if _compute.count_distinct(column).as_py() == rows.num_rows:
        return rows, 0, ()
    counts = _compute.value_counts(column.combine_chunks())
    often = {entry["values"] for entry in counts.to_pylist() if entry["counts"] > 1}
    first: dict[str, dict[str, Any]] = {}
    keep: list[int] = []
    conflicts: list[str] = []
    for number, name in enumerate(cast("list[str]", column.to_pylist())):
        if name in first:
            (row,) = flat(table, rows.slice(number, 1))
            if row != first[name]:
                conflicts.append(f"{table.name}/{name}")
            continue
        if name in often:
            (first[name],) = flat(table, rows.slice(number, 1))
        keep.append(number)
    twice = rows.num_rows - len(keep) - len(conflicts)
    return rows.take(pa.array(keep, pa.int64())), twice, tuple(conflicts)


def span(table: Table, rows: pa.Table) -> tuple[int, int]:
    """First and last time of rows, nanoseconds."""
    times: Any = rows.column(table.time).cast(pa.int64())
    found = _compute.min_max(times).as_py()
    return found["min"], found["max"]


def write_days(root: Path, table: Table, rows: pa.Table, written: int, made: list[str]) -> list[File]:
    """Write stored rows as one file a day. Names go to `made` before anything is on disk, so that a failure can be undone."""
    if not rows.num_rows:
        return []
    rows = _sorted(table, rows)
    times = rows.column(table.time).cast(pa.int64()).to_numpy()
    days = times // DAY
    starts = [0, *(int(at) + 1 for at in (days[1:] != days[:-1]).nonzero()[0]), rows.num_rows]
    files: list[File] = []
    for start, end in itertools.pairwise(starts):
        day = int(days[start])
        name = named(table, day)
        made.append(name)
        write(root, name, table, [rows.slice(start, end - start)], end - start)
        files.append(File(name, table.name, day, end - start, int(times[start]), int(times[end - 1]), written))
    sync(root / table.name)
    return files


def _sorted(table: Table, rows: pa.Table) -> pa.Table:
    return rows.take(_compute.sort_indices(rows, sort_keys=[(table.time, "ascending"), ("id", "ascending")]))


def nearest(files: Sequence[File], query: Query, descending: bool) -> Iterator[Query]:
    """The query for ever more of its days, the first by time first: most pages are filled from the first day."""
    days = sorted({file.day for file in files}, reverse=descending)
    for several in (1, 8, 64):
        if several < len(days):
            low, high = days[several - 1] * DAY, (days[several - 1] + 1) * DAY
            yield replace(query, since=max(low, query.since or low)) if descending else replace(query, until=min(high, query.until or high))
    yield query


def named(table: Table, day: int) -> str:
    """A new name of a file of this event day."""
    return f"{table.name}/{datetime.fromtimestamp(day * 86400, UTC):%Y-%m-%d}-{secrets.token_hex(8)}.parquet"


def write(root: Path, name: str, table: Table, parts: Iterable[pa.Table], rows: int) -> None:
    """Write so many sorted rows, a part at a time."""
    path, waiting = root / name, root / f"{name}.tmp"
    path.parent.mkdir(exist_ok=True)
    repeated = [f.name for f in table.fields if f.type in {"keyword", "ip", "long"} and not f.many and f.name not in DISTINCT]
    repeated += [f.name + SORTABLE for f in table.fields if f.type == "ip"]
    with _parquet.ParquetWriter(waiting, nothing(table).schema, compression="zstd", use_dictionary=repeated) as writer:
        making = Making(root, name, table, rows)
        for part in parts:
            writer.write_table(part, row_group_size=ROW_GROUP)
            making.add(part)
    sync(waiting)
    making.finish()
    waiting.rename(path)


def discard(root: Path, names: list[str]) -> None:
    """Undo what `write_days` began."""
    for each in [each for name in names for each in (name, *(beside(name, suffix) for suffix in SUFFIXES))]:
        for path in (root / each, root / f"{each}.tmp"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def compact(root: Path, manifest: Manifest, table: Table, days: set[int]) -> None:
    """Merge the small files of these days where there are many. A file larger than all smaller ones together stays: each row is rewritten seldom.

    The memory that it takes depends on the number of files, not on their rows.
    """
    for day in sorted(days):
        files = [file for file in manifest.files(table.name, day * DAY, (day + 1) * DAY - 1) if file.day == day]
        small = _worth_merging(files)
        if not small:
            continue
        low, high = min(file.low for file in small), max(file.high for file in small)
        merged = File(named(table, day), table.name, day, sum(file.rows for file in small), low, high, max(file.written for file in small))
        try:
            write(root, merged.name, table, _gathered(_in_order(root, table, small)), merged.rows)
            sync(root / table.name)
            for file in small:
                os.utime(root / file.name)  # the time from which readers have their grace
            with manifest.transaction():
                manifest.retire_files(file.name for file in small)
                manifest.add_files([merged])
        except BaseException:
            discard(root, [merged.name])
            raise


def _gathered(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in parts of a row group each."""
    held: list[pa.Table] = []
    for part in parts:
        held.append(part)
        if sum(each.num_rows for each in held) >= MERGED_GROUP:
            rows = pa.concat_tables(held)
            yield rows.slice(0, MERGED_GROUP)
            held = [rows.slice(MERGED_GROUP)]
    if any(each.num_rows for each in held):
        yield pa.concat_tables(held)


def _in_order(root: Path, table: Table, files: list[File]) -> Iterator[pa.Table]:
    """The rows of sorted files as one sorted sequence, a part at a time. A file is opened when its time has come."""
    waiting = sorted(files, key=lambda file: file.low, reverse=True)
    runs: list[_Run] = []
    while runs or waiting:
        if not runs:
            runs.append(_Run(root / waiting.pop().name, table))
        bound = min(run.last for run in runs)
        while waiting and waiting[-1].low <= bound[0]:
            runs.append(_Run(root / waiting.pop().name, table))
            bound = min(bound, runs[-1].last)
        yield _sorted(table, pa.concat_tables([run.until(bound) for run in runs]))
        runs = [run for run in runs if run.rows.num_rows or run.read()]


class _Run:
    """A sorted file from which the next rows have been read; `last` is the time and identity of the last of them."""

    def __init__(self, path: Path, table: Table) -> None:
        self._table = table
        self._file = _parquet.ParquetFile(path, buffer_size=BUFFER)
        self._parts = self._file.iter_batches(PART, use_threads=False)
        self.read()

    def read(self) -> bool:
        """The next rows; False where there are none."""
        part = next(self._parts, None)
        if part is None:
            self._file.close()
            return False
        self.rows = current(self._table, pa.Table.from_batches([part]))
        self.times = self.rows.column(self._table.time).cast(pa.int64()).to_numpy()
        self.last = int(self.times[-1]), str(self.rows.column("id")[-1])
        return True

    def until(self, bound: tuple[int, str]) -> pa.Table:
        """Take the rows up to and with this time and identity."""
        time, name = bound
        before, behind = (int(self.times.searchsorted(time, side)) for side in ("left", "right"))
        ties = _compute.less_equal(self.rows.column("id").slice(before, behind - before), name)
        count = before + (_compute.sum(ties).as_py() or 0)
        taken, self.rows, self.times = self.rows.slice(0, count), self.rows.slice(count), self.times[count:]
        return taken


def current(table: Table, rows: pa.Table) -> pa.Table:
    """Stored rows of any version with the columns of this one: a version without a column did not know it, nor one without it the order of release."""
    if rows.column_names == nothing(table).column_names:
        return rows
    released: Any = rows.column(RELEASED) if RELEASED in rows.column_names else pa.nulls(rows.num_rows, pa.int64())
    return stored(table, conform(table, rows)).append_column(RELEASED, released)


def _worth_merging(files: list[File]) -> list[File]:
    if len(files) <= FILES_A_DAY:
        return []
    small = sorted((file for file in files if file.rows < LARGE), key=lambda file: file.rows)
    while len(small) > 2 and small[-1].rows > sum(file.rows for file in small[:-1]):
        small.pop()
    return small if len(small) > 1 else []


def sweep(root: Path, manifest: Manifest, now: float) -> None:
    """Delete what no reader can need: retired files after their grace, and what a writer that died left outside the manifest."""
    live, retired = manifest.file_names(retired=False), manifest.file_names(retired=True)
    gone = {name for name in retired if _age(root / name, now) > GRACE}
    for path in [*root.glob("*/*.parquet"), *(path for suffix in SUFFIXES for path in root.glob(f"*/*{suffix}")), *root.glob("*/*.tmp")]:
        name = file_of(str(path.relative_to(root)))
        if name in gone or name not in live | retired or path.suffix == ".tmp":
            path.unlink(missing_ok=True)
    if gone:
        with manifest.transaction():
            manifest.forget_files(gone)


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return GRACE + 1
