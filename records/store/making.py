"""A store in Elasticsearch is made, brought up to date, and rid of what is old."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError, UsageError
from records.query import Query
from records.schema import SCHEMA_VERSION, TABLES
from records.store.documents import OWN
from records.store.dsl import EVERYTHING
from records.store.indexing import WRITTEN
from records.store.retiring import EXPIRING
from records.store.searching import Searcher, Source
from records.store.templates import BY_PERIOD, LEDGER, ONCE, PERIODS, STAGED, components, end_of, fields_of, mapping, templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from records.store.cluster import Cluster
    from records.store.dsl import Clause
    from records.store.ledger import Ledger, Page
    from records.store.templates import Names

FIELDS: Final = "fields"  # the document of the ledger's index that names what the mappings know
ABANDONED: Final = 86_400_000_000_000  # what was staged so long ago and is not pending is nobody's


def make(cluster: Cluster, names: Names, ledger: Ledger, period: str) -> None:
    """Templates, then the ledger. Several may do so at once."""
    if period not in PERIODS:
        raise UsageError("elastic.period", period=period, periods=", ".join(PERIODS))
    put_templates(cluster, names)
    ledger.make(period)


def put_templates(cluster: Cluster, names: Names) -> None:
    """Templates of this version. Fields that another version has put there stay."""
    if current(cluster, names):
        return
    client = cluster.client
    known = client.options(ignore_status=404).cluster
    found = cluster.ask(lambda: known.get_component_template(name=f"{names.prefix}-*")).get("component_templates", [])
    there = {each["name"]: each["component_template"]["template"] for each in found}
    for name, body in components(names).items():
        whole = merged(there.get(name, {}), body["template"])
        cluster.ask(lambda name=name, whole=whole: client.cluster.put_component_template(name=name, template=whole))
    for name, body in templates(names).items():
        cluster.ask(lambda name=name, body=body: client.indices.put_index_template(name=name, **body))
    fields = {"fields": sorted(fields_of() | _known(cluster, names))}
    cluster.ask(lambda: client.index(index=names.of(LEDGER), id=FIELDS, document=fields))


def merged(there: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested objects as one; ours counts where they differ."""
    both = {**there, **ours}
    inner = {name for name, value in ours.items() if isinstance(value, dict) and isinstance(there.get(name), dict)}
    return both | {name: merged(there[name], ours[name]) for name in inner}


def current(cluster: Cluster, names: Names) -> bool:
    """Whether the store knows all fields of this version; it may know more."""
    return fields_of() <= _known(cluster, names)


def _known(cluster: Cluster, names: Names) -> set[str]:
    client = cluster.client.options(ignore_status=404)
    found = cluster.ask(lambda: client.get(index=names.of(LEDGER), id=FIELDS))
    return set(found["_source"]["fields"]) if found.get("found") else set()


def upgrade(cluster: Cluster, names: Names, ledger: Ledger) -> None:
    """A store of an earlier version, or of one with fewer fields, becomes one of this version: its indices learn the fields that are new."""
    put_templates(cluster, names)
    client = cluster.client
    for name, table in TABLES.items():
        pattern = f"{names.of(name)}-*" if name in BY_PERIOD else names.of(name)
        if cluster.ask(lambda pattern=pattern: client.indices.get(index=pattern, ignore_unavailable=True, features="aliases")):
            given: dict[str, Any] = {"index": pattern, "properties": mapping(table)["properties"]}
            cluster.ask(lambda given=given: client.indices.put_mapping(**given))

    def renewed(body: dict[str, Any]) -> None:
        if int(body["schema"]) > SCHEMA_VERSION:
            raise StoreError("store.newer", path=cluster.place.shown, found=body["schema"], known=SCHEMA_VERSION)
        body["schema"] = SCHEMA_VERSION

    ledger.change(renewed)


def indices(cluster: Cluster, names: Names, table: str) -> list[str]:
    """The indices of a table that has one a period."""
    return sorted(cluster.ask(lambda: cluster.client.indices.get(index=f"{names.of(table)}-*", features="aliases")))


def expired(cluster: Cluster, names: Names, page: Page, period: str, before: int) -> dict[str, int]:
    """How many rows that count are past their retention, by table; tables without any are left out."""
    searcher = Searcher(cluster)
    counts = {
        table: sum(searcher.count(Source(TABLES[table], index, page.visible()), Query()) for index in _old(cluster, names, table, period, before))
        for table in BY_PERIOD
    }
    for table in EXPIRING:
        seen: Clause = {"bool": {"filter": [page.visible() if table in ONCE else EVERYTHING, _written_before(before)]}}
        counts[table] = searcher.count(Source(TABLES[table], names.of(table), seen), Query(until=before))
    return {table: rows for table, rows in counts.items() if rows}


def retire(cluster: Cluster, names: Names, page: Page, period: str, before: int) -> None:
    """Drop indices whose period and last write are before, and documents that are so."""
    searcher = Searcher(cluster)
    for table in BY_PERIOD:
        for index in _old(cluster, names, table, period, before):
            cluster.ask(lambda index=index: cluster.client.options(ignore_status=404).indices.delete(index=index))
    for table in EXPIRING:
        _drop(cluster, searcher, Source(TABLES[table], names.of(table), _written_before(before)), before)
    _tidy(cluster, searcher, names, page)


def _old(cluster: Cluster, names: Names, table: str, period: str, before: int) -> Iterator[str]:
    """The indices of a table whose period and last write are before."""
    for index in indices(cluster, names, table):
        if end_of(names.start_of(table, index), period) < before and _written(cluster, names, index) < before:
            yield index


def _written_before(before: int) -> Clause:
    return {"range": {f"{OWN}.written": {"lt": before}}}


def _tidy(cluster: Cluster, searcher: Searcher, names: Names, page: Page) -> None:
    """Take away what was staged by those who died before their mark."""
    index, pending = names.of(STAGED), str(page.body["pending"]["token"]) if page.body["pending"] else "-"
    if not cluster.ask(lambda: cluster.client.indices.exists(index=index)):
        return
    old: Clause = {"range": {"written": {"lt": time.time_ns() - ABANDONED}}}
    for hits in searcher.parts(Source(TABLES["audit"], index, EVERYTHING), {"query": old, "sort": ["_shard_doc"], "source": False}, None):
        cluster.bulk([{"delete": {"_id": hit["_id"]}} for hit in hits if not hit["_id"].startswith(pending)], index=index, passing=(404,))


def _written(cluster: Cluster, names: Names, index: str) -> int:
    """When an index was last written to, or a little later; an index of which nobody noted it is being written."""
    found = cluster.ask(lambda: cluster.client.options(ignore_status=404).get(index=names.of(LEDGER), id=f"{WRITTEN}{index}"))
    return int(found["_source"]["written"]) if found.get("found") else 1 << 63


def _drop(cluster: Cluster, searcher: Searcher, source: Source, before: int) -> None:
    """Delete the documents of one index whose time is before."""
    if not cluster.ask(lambda: cluster.client.indices.exists(index=source.index)):
        return
    for hits in searcher.parts(source, {"query": source.query(Query(until=before)), "sort": ["_shard_doc"], "source_includes": ["id"]}, None):
        cluster.bulk([{"delete": {"_id": hit["_id"]}} for hit in hits], index=source.index, passing=(404,))
    cluster.ask(lambda: cluster.client.indices.refresh(index=source.index))
