"""The Parquet side of the embedded store: immutable files by event day, what is already stored, compaction."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from records.store.columns import SORTABLE, stored
from records.store.engine import FILES, ROWS
from records.store.manifest import File
from records.store.sql import quote

if TYPE_CHECKING:
    from pathlib import Path

    from records.schema import Table
    from records.store.engine import Engine
    from records.store.manifest import Manifest

DAY: Final = 86_400_000_000_000
WINDOW: Final = 60_000_000_000  # an identity holds its window, so equal identities are less than a window apart
FILES_A_DAY: Final = 16
LARGE: Final = 1_000_000  # rows; larger files are not merged again
GRACE: Final = 15 * 60  # seconds that a retired file stays for readers that have begun
ROW_GROUP: Final = 131_072
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial; used in this file only
_parquet: Any = pyarrow.parquet


@dataclass(frozen=True, slots=True)
class Sifted:
    """Rows that are to be stored, how many were stored already, identities that came with another content."""

    new: pa.Table
    known: int
    conflicts: tuple[str, ...]


def sift(engine: Engine, manifest: Manifest, table: Table, rows: pa.Table) -> Sifted:
    """What of these rows (in the schema's form) is new. Only files and row groups around the rows' times are read."""
    rows, twice, conflicts = _distinct(table, stored(table, rows))
    if not rows.num_rows:
        return Sifted(rows, twice, conflicts)
    low, high = span(table, rows)
    files = manifest.files(table.name, low - WINDOW, high + WINDOW)
    if not files:
        return Sifted(rows, twice, conflicts)
    time = quote(table.time)
    near = {"files": engine.files([file.name for file in files]), "low": low - WINDOW, "high": high + WINDOW}
    source = f"{FILES} s WHERE s.{time} BETWEEN make_timestamp_ns($low) AND make_timestamp_ns($high)"
    known = engine.query(f"SELECT id FROM {ROWS} WHERE id IN (SELECT s.id FROM {source})", near, rows)  # noqa: S608 - schema names
    if not known.num_rows:
        return Sifted(rows, twice, conflicts)
    same = " AND ".join(f"n.{quote(name)} IS NOT DISTINCT FROM s.{quote(name)}" for name in table.names if name not in table.labels)
    differ = f"SELECT n.id FROM {ROWS} n JOIN (SELECT * FROM {source}) s ON n.id = s.id WHERE NOT ({same})"  # noqa: S608 - schema names
    others = [str(value) for value in engine.query(differ, near, rows).column("id").to_pylist()]
    new = rows.filter(_compute.invert(_compute.is_in(rows.column("id"), value_set=known.column("id").combine_chunks())))
    return Sifted(new, twice + known.num_rows - len(others), (*conflicts, *(f"{table.name}/{name}" for name in others)))


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
            row = rows.slice(number, 1).to_pylist()[0]
            if row != first[name]:
                conflicts.append(f"{table.name}/{name}")
            continue
        if name in often:
            first[name] = rows.slice(number, 1).to_pylist()[0]
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
    order = _compute.sort_indices(rows, sort_keys=[(table.time, "ascending"), ("id", "ascending")])
    rows = rows.take(order)
    times = rows.column(table.time).cast(pa.int64()).to_numpy()
    days = times // DAY
    starts = [0, *(int(at) + 1 for at in (days[1:] != days[:-1]).nonzero()[0]), rows.num_rows]
    files: list[File] = []
    for start, end in itertools.pairwise(starts):
        day = int(days[start])
        name = f"{table.name}/{datetime.fromtimestamp(day * 86400, UTC):%Y-%m-%d}-{secrets.token_hex(8)}.parquet"
        made.append(name)
        _write(root, name, table, rows.slice(start, end - start))
        files.append(File(name, table.name, day, end - start, int(times[start]), int(times[end - 1]), written))
    _sync(root / table.name)
    return files


def _write(root: Path, name: str, table: Table, rows: pa.Table) -> None:
    path, beside = root / name, root / f"{name}.tmp"
    path.parent.mkdir(exist_ok=True)
    repeated = [f.name for f in table.fields if f.type in {"keyword", "ip"} and not f.many and f.name != "id"]
    repeated += [f.name + SORTABLE for f in table.fields if f.type == "ip"]
    _parquet.write_table(rows, beside, compression="zstd", use_dictionary=repeated, row_group_size=ROW_GROUP)
    _sync(beside)
    beside.rename(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(root: Path, names: list[str]) -> None:
    """Undo what `write_days` began."""
    for name in names:
        for path in (root / name, root / f"{name}.tmp"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def compact(root: Path, manifest: Manifest, table: Table, days: set[int]) -> None:
    """Merge the small files of these days where there are many. A file larger than all smaller ones together stays: each row is rewritten seldom."""
    for day in sorted(days):
        files = [file for file in manifest.files(table.name, day * DAY, (day + 1) * DAY - 1) if file.day == day]
        small = _worth_merging(files)
        if not small:
            continue
        made: list[str] = []
        try:
            rows = pa.concat_tables([_read(root / file.name) for file in small])
            merged = write_days(root, table, rows, max(file.written for file in small), made)
            for file in small:
                os.utime(root / file.name)  # the time from which readers have their grace
            with manifest.transaction():
                manifest.retire_files(file.name for file in small)
                manifest.add_files(merged)
        except BaseException:
            discard(root, made)
            raise


def _read(path: Path) -> pa.Table:
    with _parquet.ParquetFile(path) as file:
        return cast("pa.Table", file.read())


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
    for path in [*root.glob("*/*.parquet"), *root.glob("*/*.parquet.tmp")]:
        name = str(path.relative_to(root))
        if name in gone or name not in live | retired:
            path.unlink(missing_ok=True)
    if gone:
        with manifest.transaction():
            manifest.forget_files(gone)


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return GRACE + 1
