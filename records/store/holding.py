"""Packets kept in a store in Elasticsearch: a document a content, named by its hash, its octets as base64. Which of them count, rows of evidence tell.

A content is put before its row counts, and taken away after no row speaks of it: but only as it was when that was found out. Who puts it again
meanwhile, for a row that is to count next, keeps it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from records.schema import TABLES
from records.store.dsl import EVERYTHING
from records.store.searching import Searcher, Source
from records.store.templates import PACKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.store.indexing import Indexer

LARGEST: Final = 4 << 20  # octets of a request, unless one content has more


@dataclass(frozen=True, slots=True)
class Held:
    """A content as it was at a moment."""

    octets: int
    seq_no: int
    primary_term: int


class Holder:
    """The index of packets."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer
        self._cluster = indexer.cluster
        self._searcher = Searcher(indexer.cluster, indexer.presence)
        self._index = indexer.names.of(PACKETS)

    def put(self, bodies: Mapping[str, bytes]) -> None:
        """Keep these contents, those that are there once more: then nobody who has seen them before takes them away."""
        if bodies:
            self._indexer.ensure(self._index)
        lines, size = list[Any](), 0
        for content, body in bodies.items():
            lines += [{"index": {"_id": content}}, {"octets": len(body), "body": base64.b64encode(body).decode()}]
            size += len(body)
            if size >= LARGEST:
                self._cluster.bulk(lines, self._index)
                lines, size = [], 0
        if lines:
            self._cluster.bulk(lines, self._index)

    def get(self, content: str) -> bytes | None:
        """What is kept under a hash; nothing where that is no base64."""
        client = self._cluster.client.options(ignore_status=404)
        found = self._cluster.ask(lambda: client.get(index=self._index, id=content))
        if not found.get("found"):
            return None
        try:
            return base64.b64decode(str(found["_source"]["body"]))
        except binascii.Error:
            return b""

    def all(self) -> dict[str, Held]:
        """Every content by its hash."""
        if not self._refreshed():
            return {}
        body = {"query": EVERYTHING, "sort": ["_shard_doc"], "source_includes": ["octets"], "seq_no_primary_term": True}
        hits = (hit for part in self._searcher.parts(Source(TABLES["evidence"], self._index, EVERYTHING), body, None) for hit in part)
        return {hit["_id"]: Held(hit["_source"]["octets"], hit["_seq_no"], hit["_primary_term"]) for hit in hits}

    def size(self) -> int:
        """Octets that all of them take."""
        if not self._refreshed():
            return 0
        groups = {"size": {"sum": {"field": "octets"}}}
        answer = self._cluster.ask(lambda: self._cluster.client.search(index=self._index, aggs=groups, size=0, allow_partial_search_results=False))
        return int(answer["aggregations"]["size"]["value"])

    def drop(self, contents: Iterable[tuple[str, Held]]) -> None:
        """Keep these no more, unless somebody has put them again."""
        lines = [{"delete": {"_id": name, "if_seq_no": held.seq_no, "if_primary_term": held.primary_term}} for name, held in contents]
        for start in range(0, len(lines), 1000):
            self._cluster.bulk(lines[start : start + 1000], self._index, passing=(404, 409))

    def _refreshed(self) -> bool:
        """Whether there is an index; all that was put into it can be found then."""
        client = self._cluster.client
        if not self._indexer.presence.look(self._index):
            return False
        self._cluster.ask(lambda: client.indices.refresh(index=self._index))
        return True
