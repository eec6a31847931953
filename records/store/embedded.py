"""The embedded store: one directory with Parquet files by event day and one SQLite database, DuckDB as the query engine over both.

A commit is visible when its SQLite transaction is; a file that the manifest does not name does not count. One process writes rows, any number read;
whoever keeps house opens it `beside` that one, and both write in turn.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pyarrow as pa

from records.errors import ConflictError, StoreError, UsageError
from records.query import Query
from records.schema import TABLES, arrow_schema
from records.search import And, Match, field_of
from records.store import extracts, packets, parquet, retiring
from records.store.columns import agree, arrow_types, content, decoded, document, flat, shown, stored
from records.store.contract import Written
from records.store.decisions import ENTRIES, ITSELF, decide, put
from records.store.engine import FILES, ROWS, Engine
from records.store.kept import KeptRows
from records.store.manifest import Manifest, guard
from records.store.merging import ALIAS
from records.store.place import Turn, check_place, locked
from records.store.relabelling import relabel_files, relabelled, renew
from records.store.releases import releases
from records.store.retiring import IN_PARQUET
from records.store.rows import alert_from, suppression_from
from records.store.settling import documents_of, restore, settle
from records.store.sql import Statement, sort_field
from records.store.upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from records.model import Alert, Suppression
    from records.query import Histogram, Span, Terms
    from records.schema import Table
    from records.store.contract import Change, Commit
    from records.store.extracts import Extract
    from records.store.manifest import File
    from records.store.spool import Spool

_SHORT: Final = 10_000  # rows of a page that is read by identity
T = TypeVar("T")
NOTE: Final = "note."  # before the name of a number that was noted


class EmbeddedStore:
    """`records.store.contract.Store` in one directory."""

    spool: Spool | None = None

    def __init__(self, path: Path, write: bool = False, beside: bool = False) -> None:
        self.path = path.absolute()
        self._lock: int | None = None
        self._turn: Turn | None = None
        try:
            with guard(self.path):
                check_place(self.path, write)
                if write:
                    self._lock = None if beside else locked(self.path)
                    self._turn = Turn(self.path)
            with self._turn.taken() if self._turn else contextlib.nullcontext():
                upgrade(self.path, write and not beside)
                self._manifest = Manifest(self.path, write)
        except BaseException:
            self._unlock()
            raise
        self._engine = Engine(self.path)
        self._kept = KeptRows(self._manifest)
        if write:
            with self._writing():
                parquet.sweep(self.path, self._manifest, time.time())

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def close(self) -> None:
        """Let go of files and locks."""
        self._engine.close()
        self._manifest.close()
        self._unlock()

    # reading

    def read(self, table: str, query: Query) -> pa.Table:
        """Rows of a table (its schema's columns) that match, sorted, one page."""
        kind = _table(table)
        return self._reading(lambda: shown(kind, self._page(kind, query)))

    def _page(self, kind: Table, query: Query) -> pa.Table:
        by, descending = sort_field(kind, query)
        mark = self._mark(kind, query) if query.after else None
        by_time = by.name == kind.time
        if mark and by_time:
            query = _narrowed(query, mark[0], descending)
        if by_time and kind.name not in IN_PARQUET and (first := self._kept.first(kind, query, descending)) is not None:
            return self._engine.query((statement := Statement(kind, ROWS)).rows(query), statement.values, first)
        statement, rows = self._source(kind, query)
        if rows is not None or not by_time or not query.limit:
            return self._engine.query(statement.rows(query, mark), statement.values, rows, kind)
        # The page's times and identities first, from few columns and days; then only its own time is read in full: many times as fast.
        found = self._ends(kind, query, mark, descending)
        if not found.num_rows:
            return stored(kind, arrow_schema(kind).empty_table())
        low, high = parquet.span(kind, found)
        query = replace(query, since=low, until=high + 1)
        statement, rows = self._source(kind, query)
        if found.num_rows > _SHORT:
            return self._engine.query(statement.rows(query, mark), statement.values, rows, kind)
        only = tuple(cast("list[str]", found.column("id").to_pylist()))
        return self._engine.query(statement.rows(replace(query, where=None, ids=only)), statement.values, rows, kind)

    def _ends(self, kind: Table, query: Query, mark: tuple[Any] | None, descending: bool) -> pa.Table:
        """Times and identities of a page by time: of the nearest days where these fill it."""
        found = arrow_schema(kind).empty_table()
        for part in parquet.nearest(self._files(kind, query), query, descending):
            statement, rows = self._source(kind, part)
            found = self._engine.query(statement.rows(part, mark, (kind.time, "id")), statement.values, rows, kind)
            if found.num_rows == query.limit:
                break
        return found

    def history(self, table: str, query: Query, fields: Sequence[str], *, ordered: bool = True) -> Iterator[pa.Table]:
        """These columns of the rows that match, some rows at a time, in the order in which they were released; in any order unless `ordered`."""
        kind = TABLES[table]
        names = [name for name in kind.names if name in set(fields)]
        if table not in IN_PARQUET:  # rows of the database have no order of release and are read whole
            rows: Any = self.read(table, replace(query, sort="", limit=None, after=""))
            yield rows.select(names)
            return
        files = self._files(kind, query)
        if not files:
            return
        types = arrow_types(kind)
        schema = pa.schema([pa.field(name, types[name]) for name in names])
        with guard(self.path):
            for some in releases(self._engine, files) if ordered else [files]:
                statement = Statement(kind, FILES)
                statement.values["files"] = self._engine.files([file.name for file in some])
                for part in self._engine.stream(statement.history(query, names, ordered=ordered), statement.values, kind):
                    yield part.cast(schema)

    def _mark(self, kind: Table, query: Query) -> tuple[Any]:
        statement, rows = self._source(kind, Query()) if kind.name in IN_PARQUET else (Statement(kind, ROWS), self._kept.one(kind, query.after))
        found = self._engine.query(statement.mark(query), statement.values, rows, kind).column(0).to_pylist()
        if not found:
            raise UsageError("store.after", identity=query.after, table=kind.name)
        return (found[0],)

    def get(self, table: str, identity: str) -> dict[str, Any] | None:
        """One row as flat columns (json fields decoded, dates as nanoseconds), or None."""
        kind = _table(table)
        if table not in IN_PARQUET:
            bodies = self._manifest.bodies_of(table, "id", [identity])
            if not bodies and table == "asset":
                bodies = self._manifest.bodies_of(table, "id", [self._manifest.references(ALIAS, [identity]).get(identity) or ""])
            return decoded(json.loads(next(iter(bodies.values()))), table) if bodies else None
        page = self.read(table, Query(where=Match("id", identity)))
        return next((decoded(row, table) for row in flat(kind, page) if row["id"] == identity), None)

    def find(self, prefix: str, tables: Sequence[str] = ("alert", "finding")) -> list[tuple[str, str]]:
        """(table, id) of the rows of these tables whose id starts with `prefix`, at most 3."""
        return [(table, name) for table in tables for name in self._manifest.starting(table, prefix, 3)][:3]

    def count(self, table: str, query: Query) -> int:
        """How many rows match; limit and page do not count."""
        kind = _table(table)
        if query.where in (None, And(())) and query.ids is None:
            return self._count(kind, query)
        extract = extracts.answering(kind, query, (), "")
        return cast("int", self._result(kind, query, lambda statement: statement.count(query), extract).column(0)[0].as_py())

    def _count(self, kind: Table, query: Query) -> int:
        """All rows of a time: what is known of whole files is not read again."""
        if kind.name not in IN_PARQUET:
            return self._manifest.count(kind.name, query.since, query.until)
        since, until = (-(1 << 63) if query.since is None else query.since), ((1 << 63) - 1 if query.until is None else query.until)

        def counted() -> int:
            files = self._files(kind, query)
            cut = [file for file in files if not since <= file.low <= file.high < until]
            statement = Statement(kind, FILES, {"files": self._engine.files([file.name for file in cut])})
            rest = self._engine.query(statement.count(query), statement.values, None, kind).column(0)[0].as_py() if cut else 0
            return sum(file.rows for file in files if file not in cut) + rest

        return self._reading(counted)

    def histogram(self, table: str, query: Query, histogram: Histogram) -> pa.Table:
        """Columns time (bucket start), by (where asked), total."""
        kind = _table(table)
        by = [pa.field("by", _element(kind, histogram.by))] if histogram.by else []
        schema = pa.schema([pa.field("time", pa.timestamp("ns", "UTC")), *by, pa.field("total", _total(kind, histogram.total))])
        by_name = (histogram.by,) if histogram.by else ()
        extract = extracts.answering(kind, query, by_name, histogram.total, max(1, histogram.interval))
        return self._result(kind, query, lambda statement: statement.histogram(query, histogram), extract).cast(schema)

    def terms(self, table: str, query: Query, terms: Terms) -> pa.Table:
        """The asked fields and total, most frequent first, ties by the fields' values."""
        kind = _table(table)
        fields = [field_of(kind, name) for name in terms.fields]
        schema = pa.schema([*(pa.field(f.name, _element(kind, f.name)) for f in fields), pa.field("total", _total(kind, terms.total))])
        extract = extracts.answering(kind, query, terms.fields, terms.total)
        return self._result(kind, query, lambda statement: statement.terms(query, terms), extract).cast(schema)

    def sums(self, table: str, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """The sum of each of these fields over all rows that match."""
        kind = _table(table)
        return self._result(kind, query, lambda statement: statement.sums(query, fields)).to_pylist()[0]

    def stamp(self, table: str, span: Span) -> str:
        """What tells that a span of a table is as it was: its files, or how many documents there are and when the last of them was written."""
        kind = _table(table)
        if kind.name in IN_PARQUET:
            return sha256("\n".join(file.name for file in self._files(kind, span.query())).encode()).hexdigest()
        return self._manifest.stamp(kind.name, span.since, span.until)

    def newest(self) -> int | None:
        """Newest packet time in the store, nanoseconds."""
        return self._manifest.number("newest")

    def entries(self) -> int | None:
        """How many entries the audit trail has, by the manifest."""
        return self._manifest.number(ENTRIES)

    def alerts_of(self, keys: Iterable[str]) -> list[Alert]:
        """The stored alerts of these finding keys, by id."""
        bodies = self._manifest.bodies_of("alert", "key", sorted(set(keys)))
        return [alert_from(json.loads(bodies[name])) for name in sorted(bodies)]

    def alerts(self, identities: Iterable[str]) -> list[Alert]:
        """The stored alerts of these identities, by id."""
        bodies = self._manifest.bodies_of("alert", "id", sorted(set(identities)))
        return [alert_from(json.loads(bodies[name])) for name in sorted(bodies)]

    def taken(self, findings: Iterable[str]) -> dict[str, str | None]:
        """Of these findings, those that are stored, each with the alert that took it in."""
        return self._manifest.references("finding", findings)

    def suppressions(self) -> tuple[int, list[Suppression]]:
        """Every suppression by id, and their version."""
        version = self._manifest.number("version.suppression") or 0
        return version, sorted((suppression_from(json.loads(body)) for body in self._manifest.bodies("suppression")), key=lambda each: each.id)

    def state(self, name: str) -> bytes | None:
        """What a detector saved under its name, or None."""
        return self._manifest.state(name)

    def states(self) -> dict[str, bytes]:
        """What all detectors saved, by name."""
        return self._manifest.states()

    def packets(self, finding: str) -> bytes | None:
        """The packets that are kept for a finding (pcapng), None where none are, or no more."""
        return packets.body(self._manifest, finding)

    def _result(self, kind: Table, query: Query, text: Callable[[Statement], str], extract: Extract | None = None) -> pa.Table:
        def result() -> pa.Table:
            if extract and (summed := extracts.summed(self.path, self._engine, kind, self._files(kind, query), query, extract)):
                return self._engine.query(text(summed), summed.values, None, kind)
            statement, rows = self._source(kind, query)
            return self._engine.query(text(statement), statement.values, rows, kind)

        return self._reading(result)

    def _reading(self, result: Callable[[], T]) -> T:
        """A reader that was slower than the grace of retired files begins again, once."""
        with guard(self.path):
            try:
                return result()
            except FileNotFoundError:
                pass
            try:
                return result()
            except FileNotFoundError as error:
                raise StoreError("store.corrupt", path=self.path, reason=error) from error

    def _source(self, kind: Table, query: Query) -> tuple[Statement, pa.Table | None]:
        """What to read from: the files that overlap the query's time, or the documents as Arrow rows."""
        if kind.name not in IN_PARQUET:
            return Statement(kind, ROWS), self._kept.rows(kind, query)
        files = self._files(kind, query)
        if not files:
            return Statement(kind, ROWS), stored(kind, arrow_schema(kind).empty_table())
        statement = Statement(kind, FILES)
        statement.values["files"] = self._engine.files([file.name for file in files])
        return statement, None

    def _files(self, kind: Table, query: Query) -> list[File]:
        """The files that overlap the query's time, or what was taken from them for such a question."""
        files = self._manifest.files(kind.name, query.since, None if query.until is None else query.until - 1)
        return extracts.acting(self.path, kind, files, query.where)

    # writing

    def check_rights(self) -> None:
        """Raises StoreError for a store that was opened to read: who could open it to write may."""
        if self._turn is None:
            raise StoreError("store.reading", path=self.path)

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        """It is our turn; what fails meanwhile is a StoreError."""
        self.check_rights()
        assert self._turn is not None  # noqa: S101 - else there would be no right
        with guard(self.path), self._turn.taken():
            yield

    def write(self, commit: Commit) -> Written:
        """Write one commit, atomically."""
        made: list[str] = []
        with self._writing():
            try:
                written, days = self._write(commit, made)
            except BaseException:
                parquet.discard(self.path, made)
                raise
            with contextlib.suppress(StoreError, OSError):  # the commit stands; what is not tidied now is tidied next time
                self._tidy(days)
        return written

    def _write(self, commit: Commit, made: list[str]) -> tuple[Written, dict[str, set[int]]]:
        now = time.time_ns()
        batches = {"activity": commit.batch.activities, "point": commit.batch.points}
        released = self._manifest.number("released") or 0
        sifted = {name: parquet.sift(self._engine, self._manifest, TABLES[name], rows, released) for name, rows in batches.items() if rows.num_rows}
        files = [file for name, rows in sifted.items() for file in parquet.write_days(self.path, TABLES[name], rows.new, now, made)]
        new, known = sum(s.new.num_rows for s in sifted.values()), sum(s.known for s in sifted.values())
        conflicts = [name for s in sifted.values() for name in s.conflicts]
        with self._manifest.transaction():
            self._manifest.add_files(files)
            for name, rows in documents_of(commit).items():
                fresh, same, others = self._sift_documents(name, rows)
                put(self._manifest, name, fresh, now)
                new, known = new + len(fresh), known + same
                conflicts += others
            settle(self._manifest, commit, now)
            self._manifest.set_number("released", released + max(rows.num_rows for rows in batches.values()))
        days: dict[str, set[int]] = {}
        for file in files:
            days.setdefault(file.kind, set()).add(file.day)
        return Written(new, known, tuple(conflicts)), days

    def _sift_documents(self, name: str, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int, list[str]]:
        """(rows that are new, how many are there already, identities with another content)"""
        kind = TABLES[name]
        bodies = self._manifest.bodies_of(name, "id", {row["id"] for row in rows})
        fresh: list[dict[str, Any]] = []
        known, conflicts = 0, list[str]()
        for row in rows:
            body = document(kind, row)
            there = bodies.setdefault(row["id"], "")
            if not there:
                bodies[row["id"]] = body
                fresh.append(row)
            elif there == body or agree(content(kind, there), content(kind, body)):
                known += 1
            else:
                conflicts.append(f"{name}/{row['id']}")
        return fresh, known, conflicts

    def _tidy(self, days: dict[str, set[int]]) -> None:
        for name, which in days.items():
            parquet.compact(self.path, self._manifest, TABLES[name], which)
        if self._manifest.file_names(retired=True):
            parquet.sweep(self.path, self._manifest, time.time())

    def thin(self, most: int, before: int) -> int:
        """Bound what is kept of packets by size and age; for how many findings it went."""
        with self._writing(), self._manifest.transaction():
            return packets.thin(self._manifest, most, before, time.time_ns())

    def expired(self, before: int) -> dict[str, int]:
        """How many rows `retire` would drop now, by table."""
        return retiring.expired(self._manifest, before)

    def retire(self, before: int, by: str = ITSELF) -> dict[str, int]:
        """Drop whole days (and documents) whose end and last write are both before this time; how many rows went, by table."""
        with self._writing(), self._manifest.transaction():
            return retiring.retire(self.path, self._manifest, before, by, time.time_ns())

    def notes(self) -> dict[str, int]:
        """Numbers that were noted about the store itself, by name."""
        return self._manifest.numbers(NOTE)

    def note(self, name: str, value: int, was: int | None) -> bool:
        """Note a number, if what was noted under the name is still `was`."""
        with self._writing(), self._manifest.transaction():
            if self._manifest.number(f"{NOTE}{name}") != was:
                return False
            self._manifest.set_number(f"{NOTE}{name}", value)
            return True

    def restore(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put flat rows of a table that may change as they are: they come from another store."""
        with self._writing(), self._manifest.transaction():
            restore(self._manifest, table, rows, time.time_ns())

    def relabel(self, table: str, change: Callable[[pa.Table], pa.Table], since: int) -> int:
        """Other labels for activities, points or findings from this time on; how many have others now."""
        kind = _table(table)
        with self._writing():
            if table in IN_PARQUET:
                return relabel_files(self.path, self._manifest, kind, change, since)
            rows, differ = relabelled(kind, self.read(table, Query(since=since)), change)
            others = flat(kind, rows.filter(differ))
            with self._manifest.transaction():
                put(self._manifest, table, others, time.time_ns())
            return len(others)

    def renew(self, table: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
        """Put each flat row of a table that may change as `change` gives it."""
        with self._writing(), self._manifest.transaction():
            return renew(self._manifest, table, change, time.time_ns())

    def change(self, changes: Sequence[Change], newest: int | None = None) -> None:
        """Make decisions, all or none; the writer's lock is for rows, so this goes on beside it and needs only the right to write."""
        with contextlib.ExitStack() as stack:
            manifest = self._manifest if self._turn is not None else stack.enter_context(contextlib.closing(Manifest(self.path, write=True)))
            with manifest.transaction():
                if newest is not None and newest != manifest.number("newest"):
                    raise ConflictError("conflict.newest")
                decide(manifest, changes, time.time_ns())


def _narrowed(query: Query, mark: int, descending: bool) -> Query:
    """The same page of rows sorted by time, without the times before it."""
    if descending:
        return replace(query, until=mark + 1 if query.until is None else min(query.until, mark + 1))
    return replace(query, since=mark if query.since is None else max(query.since, mark))


def _table(name: str) -> Table:
    if name not in TABLES:
        raise UsageError("store.table", table=name, tables=", ".join(TABLES))
    return TABLES[name]


def _element(kind: Table, name: str) -> pa.DataType:
    """The Arrow type of one value of a field."""
    known = field_of(kind, name)
    whole = arrow_types(kind)[known.name]
    return whole.value_type if known.many else whole


def _total(kind: Table, name: str) -> pa.DataType:
    return pa.float64() if name and field_of(kind, name).type == "double" else pa.int64()
