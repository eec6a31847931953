"""A store in Elasticsearch is rid of what is old: which indices and documents that are (`records.store.retiring` tells the rule), and how they go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from records.query import Query
from records.schema import TABLES
from records.store.cluster import refusal
from records.store.documents import OWN, flat_of
from records.store.dsl import EVERYTHING
from records.store.presence import NOTE, RETIRING
from records.store.retiring import EXPIRING
from records.store.searching import Searcher, Source
from records.store.templates import BY_PERIOD, LEDGER, ONCE, STAGED, end_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from records.store.cluster import Cluster
    from records.store.dsl import Clause
    from records.store.indexing import Indexer
    from records.store.ledger import Page

ABANDONED: Final = 86_400_000_000_000  # what was staged so long ago and is not pending is nobody's


class Ageing:
    """What of a store is past its retention: its period or time, and its last write, are before `before` (nanoseconds)."""

    def __init__(self, indexer: Indexer, page: Page, before: int) -> None:
        self._indexer, self._page, self._before = indexer, page, before
        self._cluster: Cluster = indexer.cluster
        self._names = indexer.names
        self._searcher = Searcher(indexer.cluster, indexer.presence)

    def expired(self) -> dict[str, int]:
        """How many rows that count would go, by table; tables without any are left out."""
        counts = {name: sum(map(self._rows, self._old(name))) for name in BY_PERIOD}
        counts |= {name: sum(map(len, self._documents(name, self._page.visible() if name in ONCE else EVERYTHING))) for name in EXPIRING}
        return {name: rows for name, rows in counts.items() if rows}

    def check(self) -> None:
        """Raises StoreError where this user may not drop indices: before anything is told, or goes by half."""
        asked = [{"names": [self._names.of("*")], "privileges": ["delete_index"]}]
        client = self._cluster.client.options(ignore_status=(400, 404, 405, 500))  # where there is no security, nobody can tell, and everybody may
        answer: Any = self._cluster.ask(lambda: client.security.has_privileges(index=asked)).body
        if answer.get("has_all_requested") is False:
            raise refusal(self._cluster.place, 403, {"type": "security_exception", "reason": f"delete_index {self._names.of('*')}"})

    def retire(self) -> None:
        """Drop them."""
        client = self._cluster.client
        for name in BY_PERIOD:
            for index in self._old(name):
                self._drop(index)
        self._forget_dropped()
        for name in EXPIRING:
            index = self._names.of(name)
            for ids in self._documents(name, EVERYTHING):
                self._cluster.bulk([{"delete": {"_id": each}} for each in ids], index=index, passing=(404,))
            self._cluster.ask(lambda index=index: client.indices.refresh(index=index, ignore_unavailable=True))
        self._tidy()

    def _drop(self, index: str) -> None:
        """Drop an index and its note: that is marked first, so that nobody misses the index. Who writes to it meanwhile keeps both."""
        client, ledger, name = self._cluster.client, self._names.of(LEDGER), f"{NOTE}{index}"
        found = self._cluster.ask(lambda: client.get(index=ledger, id=name))
        note: dict[str, Any] = {**found["_source"], RETIRING: True}
        seen = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
        marked = self._cluster.ask(lambda: client.options(ignore_status=409).index(index=ledger, id=name, document=note, refresh=True, **seen))
        if "error" in marked:
            return
        self._cluster.ask(lambda: client.options(ignore_status=404).indices.delete(index=index))
        self._indexer.forget(index)
        last = {"if_seq_no": marked["_seq_no"], "if_primary_term": marked["_primary_term"]}
        self._cluster.ask(lambda: client.options(ignore_status=(404, 409)).delete(index=ledger, id=name, refresh=True, **last))

    def _forget_dropped(self) -> None:
        """Notes of indices that are past it and not there any more go, too."""
        for index in self._indexer.presence.missing():
            starts = [start for table in BY_PERIOD if (start := self._names.start_of(table, index))]
            if any(end_of(start, self._indexer.period) < self._before for start in starts) and self._written(index) < self._before:
                self._cluster.bulk([{"delete": {"_id": f"{NOTE}{index}"}}], index=self._names.of(LEDGER), passing=(404,), refresh=True)

    def _rows(self, index: str) -> int:
        table = next(name for name in BY_PERIOD if index.startswith(f"{self._names.of(name)}-"))
        return self._searcher.count(Source(TABLES[table], index, self._page.visible()), Query())

    def _old(self, table: str) -> Iterator[str]:
        """The indices of a table that are past it."""
        found = self._cluster.ask(lambda: self._cluster.client.indices.get(index=f"{self._names.of(table)}-*", features="aliases"))
        for index in sorted(found):
            start = self._names.start_of(table, index)
            if start is not None and end_of(start, self._indexer.period) < self._before and self._written(index) < self._before:
                yield index

    def _written(self, index: str) -> int:
        """When an index was last written to, or a little later; an index of which nobody noted it is being written."""
        client = self._cluster.client.options(ignore_status=404)
        found = self._cluster.ask(lambda: client.get(index=self._names.of(LEDGER), id=f"{NOTE}{index}"))
        return int(found["_source"]["written"]) if found.get("found") else 1 << 63

    def _documents(self, name: str, seen: Clause) -> Iterator[list[str]]:
        """The identities of the documents of a table that go, some at a time, of the index as it is now."""
        closed: list[Clause] = [{"term": {"status": "closed"}}] if name == "alert" else []
        old: Clause = {"bool": {"filter": [seen, {"range": {f"{OWN}.written": {"lt": self._before}}}, *closed]}}
        source = Source(TABLES[name], self._names.of(name), old)
        body = {"query": source.query(Query(until=self._before)), "sort": ["_shard_doc"], "source_includes": ["id", "alert"]}
        for hits in self._searcher.parts(source, body, None):
            ids = [str(hit["_id"]) for hit in hits]
            staying = set[str]()
            if name == "finding":
                alerts = self._staying_alerts(hit["_source"].get("alert") for hit in hits)
                staying = {str(hit["_id"]) for hit in hits if hit["_source"].get("alert") in alerts}
            elif name == "evidence":
                staying = self._staying_findings(ids)
            yield [each for each in ids if each not in staying]

    def _staying_alerts(self, wanted: Iterable[str | None]) -> set[str]:
        found = self._indexer.counted("alert", {each for each in wanted if each}, self._page)
        return {name for name, row in found.items() if row["status"] != "closed" or not self._past("alert", row)}

    def _staying_findings(self, wanted: Iterable[str]) -> set[str]:
        found = self._indexer.counted("finding", wanted, self._page)
        alerts = self._staying_alerts(row.get("alert") for row in found.values())
        return {name for name, row in found.items() if row.get("alert") in alerts or not self._past("finding", row)}

    def _past(self, name: str, source: dict[str, Any]) -> bool:
        (row,) = flat_of(TABLES[name], [source])
        return row[TABLES[name].time] < self._before and source[OWN]["written"] < self._before

    def _tidy(self) -> None:
        """Take away what was staged by those who died before their mark."""
        index, body = self._names.of(STAGED), self._page.body
        if not self._cluster.ask(lambda: self._cluster.client.indices.exists(index=index)):
            return
        pending = str(body["pending"]["token"]) if body["pending"] else "-"
        old: Clause = {"range": {"written": {"lt": time.time_ns() - ABANDONED}}}
        for hits in self._searcher.parts(Source(TABLES["audit"], index, EVERYTHING), {"query": old, "sort": ["_shard_doc"], "source": False}, None):
            gone = [{"delete": {"_id": hit["_id"]}} for hit in hits if not hit["_id"].startswith(pending)]
            self._cluster.bulk(gone, index=index, passing=(404,))
