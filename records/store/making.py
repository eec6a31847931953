"""A store in Elasticsearch is made, brought up to date, and rid of what is old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError, UsageError
from records.query import Query
from records.schema import SCHEMA_VERSION, TABLES
from records.store.dsl import EVERYTHING
from records.store.indexing import WRITTEN
from records.store.searching import Searcher, Source
from records.store.templates import BY_PERIOD, LEDGER, PERIODS, components, digest, end_of, mapping, templates

if TYPE_CHECKING:
    from records.store.cluster import Cluster
    from records.store.dsl import Clause
    from records.store.ledger import Ledger
    from records.store.templates import Names

EXPIRING: Final = ("finding", "alert", "incident", "coverage")


def make(cluster: Cluster, names: Names, ledger: Ledger, period: str) -> None:
    """Templates, then the ledger. Several may do so at once."""
    if period not in PERIODS:
        raise UsageError("elastic.period", period=period, periods=", ".join(PERIODS))
    put_templates(cluster, names)
    ledger.make(period)


def put_templates(cluster: Cluster, names: Names) -> None:
    """Templates of this version, where they are not there yet."""
    client = cluster.client
    if current(cluster, names):
        return
    for name, body in components(names).items():
        cluster.ask(lambda name=name, body=body: client.cluster.put_component_template(name=name, template=body["template"], meta=body["_meta"]))
    for name, body in templates(names).items():
        given = {key.lstrip("_"): value for key, value in body.items()}
        cluster.ask(lambda name=name, given=given: client.indices.put_index_template(name=name, **given))


def current(cluster: Cluster, names: Names) -> bool:
    """Whether the templates are those of this version: the last one that is put says so."""
    named = list(templates(names))[-1]
    client = cluster.client.options(ignore_status=404)
    found = cluster.ask(lambda: client.indices.get_index_template(name=named)).get("index_templates", [])
    return bool(found) and found[0]["index_template"].get("_meta") == {"balefire": digest()}


def upgrade(cluster: Cluster, names: Names, ledger: Ledger) -> None:
    """A store of an earlier version, or of one with fewer fields, becomes one of this version: its indices learn the fields that are new."""
    put_templates(cluster, names)
    client = cluster.client
    for name, table in TABLES.items():
        pattern = f"{names.of(name)}-*" if name in BY_PERIOD else names.of(name)
        if cluster.ask(lambda pattern=pattern: client.indices.get(index=pattern, ignore_unavailable=True, features="aliases")):
            body: dict[str, Any] = mapping(table)
            cluster.ask(
                lambda pattern=pattern, body=body: client.indices.put_mapping(
                    index=pattern, properties=body["properties"], meta=body["_meta"], dynamic="strict"
                )
            )

    def renewed(body: dict[str, Any]) -> None:
        if int(body["schema"]) > SCHEMA_VERSION:
            raise StoreError("store.newer", path=cluster.place.shown, found=body["schema"], known=SCHEMA_VERSION)
        body["schema"], body["digest"] = SCHEMA_VERSION, digest()

    ledger.change(renewed)


def indices(cluster: Cluster, names: Names, table: str) -> list[str]:
    """The indices of a table that has one a period."""
    return sorted(cluster.ask(lambda: cluster.client.indices.get(index=f"{names.of(table)}-*", features="aliases")))


def retire(cluster: Cluster, names: Names, ledger: Ledger, period: str, before: int) -> int:
    """Drop indices whose period and last write are before, and documents that are so; how many rows went."""
    page, searcher, dropped = ledger.read(), Searcher(cluster), 0
    for table in BY_PERIOD:
        found = [index for index in indices(cluster, names, table) if end_of(names.start_of(table, index), period) < before]
        for index in found:
            if _written(cluster, names, index) < before:
                dropped += searcher.count(Source(TABLES[table], index, page.visible()), Query())
                cluster.ask(lambda index=index: cluster.client.options(ignore_status=404).indices.delete(index=index))
    for table in EXPIRING:
        dropped += _drop(cluster, searcher, Source(TABLES[table], names.of(table), EVERYTHING), before)
    return dropped


def _written(cluster: Cluster, names: Names, index: str) -> int:
    """When an index was last written to, or a little later; an index of which nobody noted it is being written."""
    found = cluster.ask(lambda: cluster.client.options(ignore_status=404).get(index=names.of(LEDGER), id=f"{WRITTEN}{index}"))
    return int(found["_source"]["written"]) if found.get("found") else 1 << 63


def _drop(cluster: Cluster, searcher: Searcher, source: Source, before: int) -> int:
    """Delete the documents of one index whose time and last write are before."""
    old: Clause = {"bool": {"filter": [{"range": {"balefire.written": {"lt": before}}}]}}
    body = {"query": {"bool": {"filter": [source.query(Query(until=before)), old]}}, "sort": ["_shard_doc"], "source_includes": ["id"]}
    dropped = 0
    if not cluster.ask(lambda: cluster.client.indices.exists(index=source.index)):
        return 0
    for hits in searcher.parts(source, body, None):
        lines = [{"delete": {"_id": hit["_id"]}} for hit in hits]
        cluster.ask(lambda lines=lines: cluster.client.bulk(index=source.index, operations=lines))
        dropped += len(hits)
    cluster.ask(lambda: cluster.client.indices.refresh(index=source.index))
    return dropped
