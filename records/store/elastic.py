"""The store in Elasticsearch: plain indices by period of event time, each identity once, and a ledger that says what counts.

`records.store.ledger` tells how a commit is there as a whole or not at all; any number of processes may write and decide at once.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from records.errors import ConflictError, StoreError, UsageError
from records.query import Query
from records.schema import SCHEMA_VERSION, TABLES
from records.store import packets
from records.store.ageing import Ageing
from records.store.cluster import Cluster, address, hinting, refusal
from records.store.columns import conform, decoded, flat
from records.store.contract import AWAY, Written
from records.store.decisions import ENTRIES, ITSELF, decide
from records.store.documents import flat_of, rows_of
from records.store.dsl import EVERYTHING, STRAY
from records.store.indexing import DeadLetters, Indexer, Outcome, strangers, told
from records.store.ledger import Ledger, Overtaken
from records.store.making import current, make, mend, upgrade
from records.store.merging import ALIAS
from records.store.relabelling import relabelled, renew
from records.store.retiring import tell
from records.store.rows import alert_from, suppression_from
from records.store.searching import Searcher, Source
from records.store.settling import check, documents_of, restore, settle
from records.store.spool import LETTERS, Spool, place_of
from records.store.staging import Stage, Transaction
from records.store.templates import ONCE, STATE, Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from records.model import Alert, Suppression
    from records.query import Histogram, Span, Terms
    from records.schema import Table
    from records.store.contract import Change, Commit
    from records.store.ledger import Page

T = TypeVar("T")
PATIENCE_S: Final = 3.0  # how long a store that was there may be away before somebody hears of it; what writes for long has a spool
TRIES: Final = 50


class ElasticStore:
    """`records.store.contract.Store` in an Elasticsearch cluster."""

    def __init__(self, where: str, write: bool = False, period: str = "day") -> None:
        self.place = address(where)
        self.cluster = Cluster(self.place)
        self.names = Names(self.place.prefix)
        self.ledger = Ledger(self.cluster, self.names)
        self._write = self._current = write
        self._writing = threading.Lock()
        try:
            with hinting(self.place):
                self.version = self.cluster.version()
                page = self._opened(period)
        except BaseException:
            self.cluster.client.close()
            raise
        self.cluster.patience = PATIENCE_S
        self.period = str(page.body["period"])
        self.waiting = place_of(f"{self.place.prefix}-{page.body['identity']}")
        self.dead_letters = DeadLetters(self.waiting / LETTERS)
        self._indexer = Indexer(self.cluster, self.names, self.ledger, self.period, self.dead_letters)
        self._stage = Stage(self._indexer, self.ledger)
        self._searcher = Searcher(self.cluster, self._indexer.presence)
        self.spool = Spool(self.waiting) if write else None

    def _opened(self, period: str) -> Page:
        """The ledger of a store of this version; to write, the store is made or brought up to date where it has to be."""
        try:
            page = self.ledger.read()
        except StoreError as error:
            if error.key != "elastic.unmade" or not self._write:
                raise
            make(self.cluster, self.names, self.ledger, period)
            page = self.ledger.read()
        found = int(page.body["schema"])
        if found > SCHEMA_VERSION:
            raise StoreError("store.newer", path=self.place.shown, found=found, known=SCHEMA_VERSION)
        if found < SCHEMA_VERSION and not self._write:
            raise StoreError("store.older", path=self.place.shown, found=found, known=SCHEMA_VERSION)
        if self._write and (found < SCHEMA_VERSION or not current(self.cluster, self.names)):
            upgrade(self.cluster, self.names, self.ledger)
        return page

    def close(self) -> None:
        """Let go of connections; what was begun and cannot be finished is given up."""
        with contextlib.suppress(StoreError):
            self.cluster.patience = 0
            self.ledger.give_up()
        if self.spool:
            self.spool.close()
        self.cluster.client.close()

    # reading

    def _page(self) -> Page:
        return self.ledger.settled(self._stage.place)

    def _source(self, name: str, page: Page | None = None) -> Source:
        kind = _table(name)
        return Source(kind, self.names.of(name), (page or self._page()).visible() if name in ONCE else self._settled())

    def _settled(self) -> dict[str, Any]:
        self._page()
        return EVERYTHING

    def read(self, table: str, query: Query) -> pa.Table:
        """Rows of a table (its schema's columns) that match, sorted, one page."""
        return self._searcher.page(self._source(table), query)

    def history(self, table: str, query: Query, fields: Sequence[str], *, ordered: bool = True) -> Iterator[pa.Table]:
        """These columns of the rows that match, some rows at a time, in the order in which they were released; in any order unless `ordered`."""
        names = [name for name in TABLES[table].names if name in set(fields)]
        yield from self._searcher.stream(self._source(table), query, names, ordered=ordered)

    def get(self, table: str, identity: str) -> dict[str, Any] | None:
        """One row as flat columns (json fields decoded, dates as nanoseconds), or None."""
        kind = _table(table)
        page = self._searcher.page(self._source(table), Query(ids=(identity,), limit=1))
        row = next(iter(rows_of(kind, page)), None)
        if row is None and table == "asset":
            home = self._indexer.counted(ALIAS, [identity], self.ledger.read()).get(identity)
            return self.get(table, home["key"]) if home and home["key"] != identity else None
        return decoded(row, table) if row else None

    def find(self, prefix: str, tables: Sequence[str] = ("alert", "finding")) -> list[tuple[str, str]]:
        """(table, id) of the rows of these tables whose id starts with `prefix`, at most 3."""
        return [(table, name) for table in tables for name in self._searcher.starting(self._source(table), prefix, 3)][:3]

    def count(self, table: str, query: Query) -> int:
        """How many rows match; limit and page do not count."""
        return self._searcher.count(self._source(table), query)

    def histogram(self, table: str, query: Query, histogram: Histogram) -> pa.Table:
        """Columns time (bucket start), by (where asked), total."""
        return self._searcher.histogram(self._source(table), query, histogram)

    def terms(self, table: str, query: Query, terms: Terms) -> pa.Table:
        """The asked fields and total, most frequent first, ties by the fields' values."""
        return self._searcher.terms(self._source(table), query, terms)

    def sums(self, table: str, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """The sum of each of these fields over all rows that match."""
        return self._searcher.sums(self._source(table), query, fields)

    def stamp(self, table: str, span: Span) -> str:
        """What tells that a span of a table is as it was: how many rows there are, and Elasticsearch's own numbers of their last changes."""
        return self._searcher.stamp(self._source(table), span.query())

    def newest(self) -> int | None:
        """Newest packet time in the store, nanoseconds."""
        newest: int | None = self.ledger.read().body["numbers"].get("newest")
        return newest

    def entries(self) -> int | None:
        """How many entries the audit trail has, by the ledger."""
        entries: int | None = self.ledger.read().body["numbers"].get(ENTRIES)
        return entries

    def alerts_of(self, keys: Iterable[str]) -> list[Alert]:
        """The stored alerts of these finding keys, by id."""
        self._page()
        rows = flat_of(TABLES["alert"], self._stage.hanging("alert", "key", sorted(set(keys))))
        return sorted(map(alert_from, rows), key=lambda alert: alert.id)

    def alerts(self, identities: Iterable[str]) -> list[Alert]:
        """The stored alerts of these identities, by id."""
        rows = flat_of(TABLES["alert"], self._indexer.counted("alert", identities, self._page()).values())
        return sorted(map(alert_from, rows), key=lambda alert: alert.id)

    def taken(self, findings: Iterable[str]) -> dict[str, str | None]:
        """Of these findings, those that are stored, each with the alert that took it in."""
        sources = self._indexer.counted("finding", findings, self._page())
        return {name: source.get("alert") for name, source in sources.items()}

    def suppressions(self) -> tuple[int, list[Suppression]]:
        """Every suppression by id, and their version."""
        page = self._page()
        source = Source(TABLES["suppression"], self.names.of("suppression"), EVERYTHING)
        rows = rows_of(source.table, self._searcher.page(source, Query(sort="id")))
        return page.body["numbers"].get("version.suppression", 0), [suppression_from(row) for row in rows]

    def state(self, name: str) -> bytes | None:
        """What a detector saved under its name, or None."""
        found = self._indexer.counted(STATE, [name], self._page()).get(name)
        return base64.b64decode(found["state"]) if found else None

    def states(self) -> dict[str, bytes]:
        """What all detectors saved, by name."""
        self._page()
        return {name: base64.b64decode(body["state"]) for name, body in self._searcher.all(self.names.of(STATE))}

    def packets(self, finding: str) -> bytes | None:
        """The packets that are kept for a finding (pcapng), None where none are, or no more."""
        return packets.body(Transaction(self._stage, self._page()), finding)

    # how it is

    def health(self) -> dict[str, Any]:
        """Elasticsearch's own word on the indices of this store: green, yellow (copies are missing) or red (data is missing)."""
        return self.cluster.ask(lambda: self.cluster.client.cluster.health(index=self.names.of("*"))).body

    def blocked(self) -> list[str]:
        """Indices of this store that take no writes."""
        settings = self.cluster.ask(lambda: self.cluster.client.indices.get_settings(index=self.names.of("*"), name="index.blocks.*")).body
        return sorted(name for name, body in settings.items() if "true" in str(body).casefold())

    def octets(self, table: str = "*") -> int:
        """What the indices of this store, or of a table, take on disk, copies not counted."""
        told = self.cluster.ask(lambda: self.cluster.client.indices.stats(index=self.names.of(table), metric="store")).body
        return int(told["_all"]["primaries"]["store"]["size_in_bytes"])

    def strangers(self) -> list[str]:
        """Indices that are called as those of this store and are not as it makes them."""
        return sorted(strangers(self.cluster, self.names, [self.names.of("*")]))

    def strays(self) -> dict[str, int]:
        """How many documents in the tables' indices this store did not write, by index; of an index that is closed or not there it cannot tell."""
        asked: dict[str, Any] = {"query": STRAY, "aggs": {"indices": {"terms": {"field": "_index", "size": 1000}}}}
        indices = [self.names.of(name) for name in TABLES]
        answer = self.cluster.ask(lambda: self.cluster.client.search(index=indices, size=0, ignore_unavailable=True, **asked))
        return {each["key"]: each["doc_count"] for each in answer.get("aggregations", {}).get("indices", {}).get("buckets", [])}

    def closed(self) -> list[str]:
        """Indices of this store that somebody has closed."""
        return self._indexer.presence.closed()

    def missing(self) -> list[str]:
        """Indices of this store that were written to and are not there."""
        return self._indexer.presence.missing()

    def mend(self) -> None:
        """Put templates and aliases back, where somebody took them away; what writers have left that ended is cleared away."""
        mend(self.cluster, self.names)
        self.ledger.clear()

    def templates_current(self) -> bool:
        """Whether new indices would get the mappings of this version."""
        return current(self.cluster, self.names)

    # writing

    def write(self, commit: Commit) -> Written:
        """Write one commit, atomically."""
        self._check_writing()
        with self._writing:
            for _ in range(TRIES):
                try:
                    return self._written(commit)
                except Overtaken:
                    continue
        raise StoreError("elastic.contended", place=self.place.shown)

    def check_rights(self) -> None:
        """Raises StoreError where this user may not write commits. A server that knows no users allows everything."""
        self._check_writing()
        wanted = {f"{self.names.of('activity')}-*": "create_doc", self.ledger.index: "index"}
        given: dict[str, Any] = {"index": [{"names": [index], "privileges": [right]} for index, right in wanted.items()]}
        try:
            found = self.cluster.ask(lambda: self.cluster.client.security.has_privileges(**given)).body.get("index", {})
        except StoreError as error:
            if error.key in AWAY:
                raise
            return  # nobody there answers such questions
        lacking = [f"{right} on {index}" for index, right in wanted.items() if not found.get(index, {}).get(right, True)]
        if lacking:
            raise refusal(self.place, 403, {"reason": ", ".join(lacking)})

    def _check_writing(self) -> None:
        if not self._write:
            raise StoreError("store.reading", path=self.place.shown)

    def _written(self, commit: Commit) -> Written:
        page, now = self._page(), time.time_ns()
        check(Transaction(self._stage, page), commit)
        number, outcome = self.ledger.begin(), Outcome()
        try:
            for table, data in (("activity", commit.batch.activities), ("point", commit.batch.points)):
                self._indexer.create(self._indexer.arrow_entries(table, conform(TABLES[table], data), number), number, outcome)
            for table, rows in documents_of(commit).items():
                self._indexer.create(self._indexer.entries(table, rows, number), number, outcome)
            if outcome.refused:
                self._indexer.create(self._indexer.entries("coverage", told(outcome.refused), number), number, Outcome())
                outcome.touched.add(self.names.of("coverage"))
            self._indexer.finish(outcome.touched, now)
            while True:
                transaction = Transaction(self._stage, self._page(), number)
                settle(transaction, commit, now)
                try:
                    transaction.mark()
                except Overtaken:
                    if str(number) not in self.ledger.read().body["open"]:  # others held us for dead
                        raise
                else:
                    return Written(outcome.new, outcome.known, tuple(outcome.conflicts), len(outcome.refused))
        except ConflictError:
            self.ledger.bury([number])
            raise

    def _decided(self, work: Callable[[Transaction], T]) -> T:
        """What comes of this work on rows that may change, once it counts."""
        for _ in range(TRIES):
            transaction = Transaction(self._stage, self._page())
            result = work(transaction)
            with contextlib.suppress(Overtaken):
                transaction.mark()
                return result
        raise StoreError("elastic.contended", place=self.place.shown)

    def change(self, changes: Sequence[Change], newest: int | None = None) -> None:
        """Make decisions, all or none, each with its entry in the audit trail; from a store opened to read, too."""

        def decided(transaction: Transaction) -> None:
            if newest is not None and newest != transaction.number("newest"):
                raise ConflictError("conflict.newest")
            decide(transaction, changes, time.time_ns())

        self._bring_up_to_date()
        self._decided(decided)

    def _bring_up_to_date(self) -> None:
        """A store of a version with fewer tables learns the new ones before anybody decides: what has no template becomes an index that nothing finds."""
        if self._current:
            return
        try:
            if not current(self.cluster, self.names):
                upgrade(self.cluster, self.names, self.ledger)
        except StoreError as error:
            if error.key != "elastic.privilege":
                raise
            raise StoreError("elastic.outdated", place=self.place.shown) from error
        self._current = True

    def restore(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put flat rows of a table that may change as they are: they come from another store."""
        self._check_writing()
        with self._writing:
            self._decided(lambda transaction: restore(transaction, table, rows, time.time_ns()))

    def relabel(self, table: str, change: Callable[[pa.Table], pa.Table], since: int) -> int:
        """Other labels for activities, points or findings from this time on; how many have others now."""
        self._check_writing()
        kind, total = _table(table), 0
        for part in self._searcher.stream(self._source(table), Query(since=since), kind.names, ordered=False):
            rows, differ = relabelled(kind, part, change)
            total += self._indexer.relabel(kind, flat(kind, rows.filter(differ)))
        return total

    def renew(self, table: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
        """Put each flat row of a table that may change as `change` gives it."""
        self._check_writing()
        with self._writing:
            return self._decided(lambda transaction: renew(transaction, table, change, time.time_ns()))

    def thin(self, most: int, before: int) -> int:
        """Bound what is kept of packets by size and age; for how many findings it went."""
        self._check_writing()
        with self._writing:
            return self._decided(lambda transaction: packets.thin(transaction, most, before, time.time_ns()))

    def expired(self, before: int) -> dict[str, int]:
        """How many rows `retire` would drop now, by table."""
        return Ageing(self._indexer, self._page(), before).expired()

    def retire(self, before: int, by: str = ITSELF) -> dict[str, int]:
        """Drop whole periods (and documents) whose end and last write are both before this time; how many rows went, by table.

        The trail tells it before anything goes: a retirement that breaks off is told, and its rest goes with the next one.
        """
        self._check_writing()
        with self._writing:
            old = Ageing(self._indexer, self._page(), before)
            old.check()
            gone = old.expired()
            self._decided(lambda transaction: tell(transaction, gone, before, by, time.time_ns()))
            old.retire()
            self._decided(packets.forget)
            return gone

    def notes(self) -> dict[str, int]:
        """Numbers that were noted about the store itself, by name."""
        return dict(self.ledger.read().body.get("notes", {}))

    def note(self, name: str, value: int, was: int | None) -> bool:
        """Note a number, if what was noted under the name is still `was`."""
        self._check_writing()
        return self.ledger.note(name, value, was)


def _table(name: str) -> Table:
    if name not in TABLES:
        raise UsageError("store.table", table=name, tables=", ".join(TABLES))
    return TABLES[name]
