"""A store in Elasticsearch is made, and brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError, UsageError
from records.schema import SCHEMA_VERSION, TABLES
from records.store.cluster import FORBIDDEN
from records.store.indexing import strangers
from records.store.templates import BY_PERIOD, LEDGER, PERIODS, components, fields_of, mapping, templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from records.store.cluster import Cluster
    from records.store.ledger import Ledger
    from records.store.templates import Names

FIELDS: Final = "fields"  # the document of the ledger's index that names what the mappings know


def make(cluster: Cluster, names: Names, ledger: Ledger, period: str) -> None:
    """Templates, then the ledger. Several may do so at once."""
    if period not in PERIODS:
        raise UsageError("elastic.period", period=period, periods=", ".join(PERIODS))
    put_templates(cluster, names)
    ledger.make(period)


def mend(cluster: Cluster, names: Names) -> None:
    """Templates and aliases as they have to be, whoever took them away. Raises StoreError for an index that has other mappings."""
    put_templates(cluster, names, anew=True)
    seen = strangers(cluster, names, [names.of("*")])
    for index, strict in sorted(seen.items()):
        table = names.table_of(index)
        if not strict or table is None:
            raise StoreError("elastic.foreign", place=cluster.place.shown, index=index)
        cluster.ask(lambda index=index, table=table: cluster.client.indices.put_alias(index=index, name=names.of(table)))


def put_templates(cluster: Cluster, names: Names, *, anew: bool = False) -> None:
    """Templates of this version, `anew` even where they should be there. Fields that another version has put there stay."""
    if current(cluster, names) and not anew:
        return
    try:
        _put_templates(cluster, names)
    except StoreError as error:
        if error.key not in FORBIDDEN:
            raise
        raise StoreError("elastic.privilege", place=cluster.place.shown, reason=error.values["reason"]) from error


def _put_templates(cluster: Cluster, names: Names) -> None:
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
