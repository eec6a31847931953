"""Changes to rows that may change, in Elasticsearch: worked out on one page of the ledger, staged, marked, then put in their places."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from records.query import Query
from records.schema import TABLES
from records.store.columns import document
from records.store.documents import OWN, encoded, flat_of
from records.store.dsl import EVERYTHING, of_these
from records.store.holding import Holder
from records.store.ledger import Overtaken
from records.store.searching import Searcher, Source
from records.store.templates import STAGED, STATE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from records.store.holding import Held
    from records.store.indexing import Indexer
    from records.store.ledger import Ledger, Page
    from records.store.manifest import Document

Body = dict[str, Any]
SENT: Final = 500  # documents of a request
REFERENCE: Final = {"finding": "alert", "audit": "subject"}  # what a document hangs on; else its key


@dataclass(frozen=True, slots=True)
class Put:
    """A document that is to be put: as it is sent, as its row, and what it hangs on. One that is to go has none of these."""

    sent: bytes | None = None
    body: str = ""
    key: str | None = None


class Transaction:
    """`records.store.packets.Packets` on one page of the ledger. Nothing is written before `mark`."""

    def __init__(self, stage: Stage, page: Page, attempt: int | None = None) -> None:
        self.path = stage.indexer.cluster.place.shown
        self.page = page
        self.attempt = attempt
        self._stage = stage
        self._numbers: Body = dict(page.body["numbers"])
        self._put: dict[tuple[str, str], Put] = {}
        self._packets: dict[str, bytes] = {}
        self._held: dict[str, Held] = {}
        self._dropped: set[str] = set()
        self._trail: Body | None = page.body["trail"]
        self._states: dict[str, bytes] = {}

    def bodies_of(self, kind: str, column: str, wanted: Iterable[str], /) -> dict[str, str]:
        """Documents whose `column` ("id" or "key") is one of these."""
        names = sorted(set(wanted))
        table = TABLES[kind]
        if column == "key":
            sources = self._stage.hanging(kind, REFERENCE.get(kind, "key"), names)
        else:
            sources = list(self._stage.indexer.counted(kind, names, self.page).values())
        found = {row["id"]: document(table, row) for row in flat_of(table, sources)}
        for (table_name, name), put in self._put.items():
            if table_name == kind and column == "id" and name in set(names):
                found |= {name: put.body}
        return {name: body for name, body in found.items() if body}

    def totals(self, kind: str, references: Iterable[str], /) -> dict[str, int]:
        """How many documents of a table hang on each of these keys, where any do; those of one's own commit count."""
        return self._stage.totals(kind, REFERENCE.get(kind, "key"), sorted(set(references)), self.page, self.attempt)

    def references(self, kind: str, identities: Iterable[str], /) -> dict[str, str | None]:
        """The keys of these documents, by identity."""
        names, column = set(identities), REFERENCE.get(kind, "key")
        found = {name: source.get(column) for name, source in self._stage.indexer.counted(kind, names, self.page).items()}
        for (table, name), put in self._put.items():
            if table == kind and name in names:
                found |= {name: put.key}
        return found

    def bodies(self, kind: str, /) -> list[str]:
        """The documents of a table that may change."""
        table = TABLES[kind]
        return [document(table, row) for row in flat_of(table, [source for _, source in self._stage.searcher.all(self._stage.index(kind))])]

    def written_before(self, kind: str, before: int, /) -> bool:
        """Was any of these documents last written before this time?"""
        source = Source(TABLES[kind], self._stage.index(kind), {"range": {f"{OWN}.written": {"lt": before}}})
        return self._stage.searcher.count(source, Query()) > 0

    def last(self, kind: str, /) -> dict[str, Any] | None:
        """The end of the trail, as the ledger has it."""
        del kind  # there is one trail
        return self._trail

    def put(self, documents: Iterable[Document], /) -> None:
        """Insert or replace documents."""
        for each in documents:
            row, own = json.loads(each.body), {"written": each.written}
            sent = encoded(TABLES[each.kind], row, own) if each.kind in TABLES else json.dumps({"key": each.key, OWN: own}).encode()
            self._put[each.kind, each.id] = Put(sent, each.body, each.key)
            if each.kind == "audit":
                self._trail = {"id": row["id"], "hash": row["hash"]}

    def drop(self, kind: str, identities: Iterable[str], /) -> None:
        """Delete these documents."""
        self._put |= {(kind, name): Put() for name in identities}

    def put_packets(self, content: str, body: bytes, /) -> None:
        """Keep octets under their hash, once."""
        self._packets[content] = body

    def packets(self, content: str, /) -> bytes | None:
        """What is kept under a hash."""
        return self._packets.get(content) or self._stage.packets.get(content)

    def drop_packets(self, contents: Iterable[str], /) -> None:
        """Keep these no more, of those that `packet_octets` told."""
        self._dropped |= set(contents)

    def packet_octets(self) -> dict[str, int]:
        """Octets that each takes, by its hash."""
        self._held = self._stage.packets.all()
        return {content: held.octets for content, held in self._held.items()}

    def packets_size(self) -> int:
        """Octets that all of them take."""
        return self._stage.packets.size()

    def number(self, name: str, /) -> int | None:
        """A number kept under a name."""
        return self._numbers.get(name)

    def set_number(self, name: str, value: int, /) -> None:
        """Keep a number under a name."""
        self._numbers[name] = value

    def set_state(self, states: dict[str, bytes], /) -> None:
        """Keep detectors' states."""
        self._states |= states

    def mark(self) -> None:
        """Make all of it count, or raise Overtaken."""
        if self.attempt is None and not (self._put or self._states or self._dropped):
            return
        self._stage.packets.put(self._packets)
        places: list[tuple[str, str, bytes | None]] = [(self._stage.index(kind), name, put.sent) for (kind, name), put in self._put.items()]
        for name, state in self._states.items():
            body = json.dumps({"state": base64.b64encode(state).decode()}).encode()
            places.append((self._stage.index(STATE), name, body))
        token = secrets.token_hex(8)
        self._stage.put(token, places)
        try:
            page = self._stage.ledger.mark(self.page, token, len(places), self._numbers, self._trail, self.attempt)
        except Overtaken:
            self._stage.drop(token, len(places))
            raise
        if page.body["pending"]:
            self._stage.place(page.body["pending"])
        self._stage.packets.drop((content, self._held[content]) for content in sorted(self._dropped & set(self._held)))


class Stage:
    """What is decided and not yet in its place."""

    def __init__(self, indexer: Indexer, ledger: Ledger) -> None:
        self.indexer = indexer
        self.ledger = ledger
        self._cluster = indexer.cluster
        self.searcher = Searcher(indexer.cluster, indexer.presence)
        self.packets = Holder(indexer)

    def index(self, table: str) -> str:
        """The index of a table."""
        return self.indexer.names.of(table)

    def put(self, token: str, places: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Keep (index, identity, document; None: it is to go) under this token."""
        lines: list[Any] = []
        for number, (index, name, body) in enumerate(places):
            staged = {"index": index, "id": name, "document": None if body is None else body.decode(), "written": time.time_ns()}
            lines += [{"index": {"_id": f"{token}-{number}"}}, staged]
        if lines:
            self.indexer.ensure(self.index(STAGED))
        self._bulk(lines, index=self.index(STAGED))

    def place(self, pending: Body) -> None:
        """Put what the ledger names in its place: again as often as one likes, for a later decision is never overwritten."""
        names = [f"{pending['token']}-{number}" for number in range(pending["count"])]
        client, stage = self._cluster.client, self.index(STAGED)
        touched: set[str] = set()
        for start in range(0, len(names), SENT):
            part = names[start : start + SENT]
            answer = self._cluster.ask(lambda part=part: client.mget(index=stage, ids=part))
            lines: list[Any] = []
            for row in answer["docs"]:
                if row.get("found"):  # else somebody has put it there already and tidied up
                    source = row["_source"]
                    touched.add(source["index"])
                    place = {"_index": source["index"], "_id": source["id"], "version": pending["sequence"], "version_type": "external_gte"}
                    lines += [{"delete": place}] if source["document"] is None else [{"index": place}, source["document"]]
            for index in sorted(touched):
                self.indexer.ensure(index)
            self._bulk(lines, passing=(404, 409))
        if touched:
            self._cluster.ask(lambda: client.indices.refresh(index=sorted(touched)))
        self.ledger.placed(pending["token"])
        self.drop(pending["token"], pending["count"])

    def drop(self, token: str, count: int) -> None:
        """What was staged under this token is not needed any more."""
        self._bulk([{"delete": {"_id": f"{token}-{number}"}} for number in range(count)], self.index(STAGED), passing=(404,))

    def _bulk(self, lines: Sequence[Any], index: str | None = None, passing: Collection[int] = ()) -> None:
        for start in range(0, len(lines), 2 * SENT):
            self._cluster.bulk(lines[start : start + 2 * SENT], index, passing)

    def hanging(self, table: str, column: str, keys: list[str]) -> list[Body]:
        """The documents of a table that may change whose column has one of these values."""
        source, found = Source(TABLES[table], self.index(table), EVERYTHING), list[Body]()
        for start in range(0, len(keys), SENT):
            body = {"query": of_these(column, keys[start : start + SENT]), "size": 10_000, "sort": ["id"]}
            found += [hit["_source"] for hit in self.searcher.search(source, body)["hits"]["hits"]]
        return found

    def totals(self, table: str, column: str, keys: list[str], page: Page, attempt: int | None) -> dict[str, int]:
        """How many rows that count (or are of this attempt) have each of these values in a column."""
        source, found = Source(TABLES[table], self.index(table), page.visible(attempt)), dict[str, int]()
        for start in range(0, len(keys), SENT):
            part = keys[start : start + SENT]
            groups = {"keys": {"terms": {"field": column, "include": part, "size": len(part)}}}
            answer = self.searcher.search(source, {"query": {"bool": {"filter": [source.visible, of_these(column, part)]}}, "aggs": groups, "size": 0})
            found |= {bucket["key"]: bucket["doc_count"] for bucket in answer.get("aggregations", {}).get("keys", {}).get("buckets", ())}
        return found
