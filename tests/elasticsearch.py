"""The Elasticsearch of the tests: `deploy/elasticsearch/server.py` fetches and starts it; here is what tests ask of it beside."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from deploy.elasticsearch import server
from records.store.elastic import ElasticStore
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path

    from deploy.elasticsearch.server import Node, Security
    from records.schema import Table

TYPES: Final = {"keyword": "keyword", "ip": "ip", "text": "text", "long": "long", "double": "double", "date": "date_nanos", "boolean": "boolean"}


class Elasticsearch(server.Server):
    """A server, asked over HTTP."""

    def fill(self, index: str, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """An index with the fields of a table, and these rows in it."""
        self.ask("DELETE", f"/{index}?ignore_unavailable=true")
        fields = {field.name: {"type": TYPES[field.type]} for field in table.fields}
        self.ask("PUT", f"/{index}", {"mappings": {"dynamic": "strict", "properties": fields}})
        actions = [line for row in rows for line in ({"create": {"_id": row["id"]}}, row)]
        done = self.ask("POST", f"/{index}/_bulk?refresh=true", lines=actions)
        assert not done["errors"], [item for item in done["items"] if "error" in item["create"]][:3]

    def emptied(self, store: str) -> str:
        """The address of a store of this name that holds nothing: its indices stay where they are there, for making them takes the server long."""
        address, ledger = f"{self.url}#{store}", f"/{store}-ledger/_doc/store"
        if f"{store}-ledger" not in self.ask("GET", "/*/_alias"):
            ElasticStore(address, write=True, period="month").close()
        self.ask("POST", f"/{store}-*/_refresh")
        rows = {"query": {"bool": {"must_not": {"ids": {"values": ["store", "fields"]}}}}, "size": 10_000}
        while hits := self.ask("POST", f"/{store}-*/_search", rows)["hits"]["hits"]:
            self.ask("POST", "/_bulk?refresh=true", lines=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits])
        page = self.ask("GET", ledger)["_source"]
        self.ask("PUT", ledger, page | {"open": {}, "dead": [], "pending": None, "numbers": {}, "trail": None, "notes": {}})
        return address

    def forget(self, store: str) -> None:
        """There is no store of this name, nor any template of one."""
        if there := self.ask("GET", f"/{store}-*/_alias"):
            self.ask("DELETE", f"/{','.join(there)}")
        for kind in ("index_template", "component_template"):
            made = [each["name"] for each in self.ask("GET", f"/_{kind}")[f"{kind}s"] if each["name"].startswith((f"{store}-", f"{store}@"))]
            if made:
                self.ask("DELETE", f"/_{kind}/{','.join(made)}")

    def found(self, index: str, query: Mapping[str, Any]) -> set[str]:
        """The identities of the rows that a query finds."""
        answer = self.ask("POST", f"/{index}/_search", {"query": query, "size": 10_000, "_source": False})
        return {hit["_id"] for hit in answer["hits"]["hits"]}


@contextmanager
def node() -> Generator[Elasticsearch]:
    """A node until the end of the block; the one that BALEFIRE_ELASTICSEARCH_URL names, where it names one."""
    if given := os.environ.get("BALEFIRE_ELASTICSEARCH_URL"):
        yield Elasticsearch(given)
        return
    with cluster() as (running, _):
        yield running


@contextmanager
def cluster(nodes: int = 1, security: Security | None = None) -> Generator[tuple[Elasticsearch, list[Node]]]:
    """A cluster of so many processes until the end of the block. The test is skipped where the machine lacks what that needs."""
    _needed()
    with server.cluster(nodes, security) as (running, made):
        yield Elasticsearch(running.url, security), made


def unpacked(folder: Path) -> tuple[Path, Path]:
    """(the server and its tools, the home of the Java that runs them); the test is skipped where there is neither."""
    _needed()
    return server.unpacked(folder)


def _needed() -> None:
    there = server.archive() is not None and shutil.which("java") is not None
    need("elasticsearch", there, "no archive of Elasticsearch in Maven's store, or no Java; see deploy/elasticsearch/server.py")
