"""The order of release over many files: which of them have to be sorted together, so that no more than these are in memory at once.

Files are sorted by time. What was released together lies in few of them, though: those of one commit, and what they were merged with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from records.store.columns import RELEASED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from records.store.engine import Engine
    from records.store.manifest import File

FEW: Final = 200_000  # rows below which a run of files is sorted with the next one: a query of its own costs more
BEFORE: Final = -1  # the number of rows of a version that kept no order: they come first
_NUMBERS: Final = f"""\
SELECT file_name, coalesce(min(CAST(stats_min AS BIGINT)), {BEFORE}) AS low, coalesce(max(CAST(stats_max AS BIGINT)), {BEFORE}) AS high,
    coalesce(sum(stats_null_count), 0) AS absent, bool_and(stats_max IS NOT NULL) AS told
FROM parquet_metadata($files) WHERE path_in_schema = '{RELEASED}' GROUP BY file_name"""  # noqa: S608 - names of this module only


def releases(engine: Engine, files: Sequence[File]) -> Iterator[list[File]]:
    """The files in runs: no row of a run was released before any row of the runs before it."""
    spans = _spans(engine, files)
    run: list[File] = []
    rows, last = 0, BEFORE - 1
    for file in sorted(files, key=lambda one: spans[one.name]):
        low, high = spans[file.name]
        if rows >= FEW and low > last:
            yield run
            run, rows = [], 0
        run.append(file)
        rows, last = rows + file.rows, max(last, high)
    if run:
        yield run


def _spans(engine: Engine, files: Sequence[File]) -> dict[str, tuple[int, int]]:
    """The first and the last number of release in each file, as its row groups tell; any number where one of them tells none."""
    names = engine.files([file.name for file in files])
    found = engine.query(_NUMBERS, {"files": names})
    told = {str(row["file_name"]): row for row in found.to_pylist()}
    spans: dict[str, tuple[int, int]] = {}
    for file, name in zip(files, names, strict=True):
        row = told.get(name)
        if row is None:  # a file of a version that did not keep the order
            spans[file.name] = BEFORE, BEFORE
        elif row["told"]:
            spans[file.name] = BEFORE if row["absent"] else cast("int", row["low"]), cast("int", row["high"])
        else:
            spans[file.name] = BEFORE, 2**63 - 1
    return spans
