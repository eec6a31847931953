"""DuckDB in memory as the query engine: over Parquet files of one store and over Arrow tables. It reads nothing else and downloads nothing.

It is loaded with the first query: a first look at a capture makes none.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records import scratch
from records.errors import StoreError
from records.store.columns import nothing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from records.schema import Table

ROWS: Final = "arrow_rows"
# A folder above the store may be called `id=3`; files of earlier versions lack columns.
FILES: Final = "read_parquet($files, hive_partitioning = false, union_by_name = true)"
NONE: Final = "arrow_none"
WIDENED: Final = f"(SELECT * FROM {FILES} UNION ALL BY NAME SELECT * FROM {NONE})"  # noqa: S608 - names of ours
STREAMED: Final = 1 << 17  # rows of a part


class Engine:
    """One DuckDB database; every query has a cursor of its own, so threads may share the engine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder: int | None = None
        self._root = str(path)
        if any(letter in self._root for letter in "*?["):  # DuckDB would read these as patterns
            self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            self._root = f"/proc/self/fd/{self._folder}"
        self._lock = Lock()
        self._opened: duckdb.DuckDBPyConnection | None = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            self._opened = self._opened or self._open()
            return self._opened.cursor()

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        database = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "temp_directory": f"{tempfile.gettempdir()}/{scratch.prefix('spill')}{secrets.token_hex(8)}",  # made when needed, nobody can prepare it
                "python_enable_replacements": False,
            },
        )
        database.execute("SET parquet_metadata_cache = true")
        database.execute("SET allowed_directories = $folders", {"folders": [f"{self._root}/"]})
        database.execute("SET enable_external_access = false")
        return database

    def files(self, names: Sequence[str]) -> list[str]:
        """Files of the store as DuckDB has to be told them."""
        return [f"{self._root}/{name}" for name in names]

    def query(self, sql: str, values: Mapping[str, Any], rows: pa.Table | None = None, table: Table | None = None) -> pa.Table:
        """The result; `rows` can be named in the text as ROWS; `table` is what the files hold, of which all may be of a version that lacked a column.

        Raises StoreError, or FileNotFoundError for a Parquet file that is not there.
        """
        import duckdb

        with self._cursor() as cursor:
            if rows is not None:
                cursor.register(ROWS, rows)
            try:
                return self._asked(cursor, sql, values, table).to_arrow_table()
            except duckdb.Error as error:
                raise self._failure(error) from error

    def stream(self, sql: str, values: Mapping[str, Any], table: Table) -> Iterator[pa.Table]:
        """The result of a query on files, some rows at a time. Raises as `query` does, also on the way."""
        import duckdb

        with self._cursor() as cursor:
            try:
                for part in self._asked(cursor, sql, values, table).to_arrow_reader(STREAMED):
                    yield pa.Table.from_batches([part])
            except duckdb.Error as error:
                raise self._failure(error) from error

    def _asked(self, cursor: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any], table: Table | None) -> duckdb.DuckDBPyRelation:
        import duckdb

        try:
            return cursor.sql(sql, params=dict(values))
        except duckdb.BinderException:
            if table is None or FILES not in sql:
                raise
            cursor.register(NONE, nothing(table))  # only then: beside rows of a schema, DuckDB counts them ten times as slowly
            return cursor.sql(sql.replace(FILES, WIDENED), params=dict(values))

    def _failure(self, error: duckdb.Error) -> Exception:
        import duckdb

        if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)):
            if "No files found" in str(error) or "No such file" in str(error):
                return FileNotFoundError(str(error))
            return StoreError("store.corrupt", path=self._path, reason=_first_line(error))
        return StoreError("store.failed", path=self._path, reason=_first_line(error))

    def close(self) -> None:
        """Let go of memory and the folder."""
        if self._opened is not None:
            self._opened.close()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
