"""Labels of rows that are stored already: what people call their assets and objects may be told after these were seen. What happened stays as it is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from records.store import parquet
from records.store.columns import RELEASED, conform, stored
from records.store.place import sync
from records.store.settling import restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from records.schema import Table
    from records.store.manifest import Manifest
    from records.store.packets import Packets

Row = dict[str, Any]
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial; used in this file only
_parquet: Any = pyarrow.parquet


def relabelled(table: Table, rows: pa.Table, change: Callable[[pa.Table], pa.Table]) -> tuple[pa.Table, Any]:
    """The rows with the labels that `change` gives them, and which of them have others now: a mask."""
    after, differ = change(rows), _none_of(rows)
    schema: Any = rows.schema
    for name in table.labels:
        if name in rows.column_names and not rows.column(name).equals(after.column(name)):
            differ = _compute.or_(differ, _compute.not_equal(_text(rows.column(name)), _text(after.column(name))))
            rows = rows.set_column(rows.column_names.index(name), schema.field(name), after.column(name))
    return rows, differ


def _none_of(rows: pa.Table) -> Any:
    return pa.chunked_array([pa.array([False] * rows.num_rows, pa.bool_())])


def _text(column: Any) -> Any:
    """Values as texts that can be compared, absent ones too."""
    plain = _compute.binary_join(column, "\x1f") if pa.types.is_list(column.type) else column.cast(pa.string())
    return _compute.fill_null(plain, "\x00")


def relabel_files(root: Path, manifest: Manifest, table: Table, change: Callable[[pa.Table], pa.Table], since: int) -> int:
    """Write the files of this time and later anew where labels differ; how many rows have others now. Memory depends on no file's size."""
    total = 0
    for file in manifest.files(table.name, since, None):
        made = parquet.named(table, file.day)
        count = [0]
        try:
            parquet.write(root, made, table, _relabelled(root / file.name, table, change, since, count), file.rows)
            if not count[0]:
                parquet.discard(root, [made])
                continue
            sync(root / table.name)
            os.utime(root / file.name)  # the time from which readers have their grace
            with manifest.transaction():
                manifest.retire_files([file.name])
                manifest.add_files([replace(file, name=made)])
        except BaseException:
            parquet.discard(root, [made])
            raise
        total += count[0]
    return total


def _relabelled(path: Path, table: Table, change: Callable[[pa.Table], pa.Table], since: int, count: list[int]) -> Iterator[pa.Table]:
    """A file's rows, some at a time, with their labels changed from this time on; how many have others is added to `count`."""
    with _parquet.ParquetFile(path) as file:
        for part in file.iter_batches(parquet.MERGED_GROUP, use_threads=False):
            given = pa.Table.from_batches([part])
            released: Any = given.column(RELEASED) if RELEASED in given.column_names else pa.nulls(given.num_rows, pa.int64())
            first = int(given.column(table.time).cast(pa.int64()).to_numpy().searchsorted(since))  # files are sorted by time
            rows = conform(table, given)
            after, differ = relabelled(table, rows.slice(first), change)
            count[0] += _compute.sum(differ).as_py() or 0
            yield stored(table, pa.concat_tables([rows.slice(0, first), after])).append_column(RELEASED, released)


def renew(documents: Packets, table: str, change: Callable[[Row], Mapping[str, Any]], now: int) -> int:
    """Put the rows of a table that may change as `change` gives them; how many are not as they were."""
    rows: list[Row] = [json.loads(body) for body in documents.bodies(table)]
    changed = [dict(new) for row in rows if (new := change(row)) != row]
    restore(documents, table, changed, now)
    return len(changed)
