"""Who talks to whom, with which effects: a graph of assets, its zones and the conduits between them; as JSON, GraphML and STIX 2.1."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5
from xml.etree import ElementTree

from records.addresses import is_mac
from records.nesting import iso, values
from records.query import Query, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from records.plant import Plant
    from records.store.contract import Store

MOST: Final = 20_000  # kinds of edges that are asked for; rarer ones are left out, and that is said
FIELDS: Final = ("source.asset.id", "destination.asset.id", "source.asset.name", "destination.asset.name", "network.protocol", "ot.effect")
STIX: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # namespace of deterministic identifiers (STIX 2.1, section 2.9)
OURS: Final = UUID("2f1d3bd2-7a0a-5c61-9a3c-7a5d1f6b0e55")  # of objects that are no observables
NO_ZONE: Final = "(no zone)"
GRAPHML: Final = "http://graphml.graphdrawing.org/xmlns"
_NO_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """An asset of the graph."""

    id: str
    name: str
    addresses: tuple[str, ...] = ()
    role: str | None = None
    zone: str | None = None
    level: int | None = None
    vendor: str | None = None
    model: str | None = None


@dataclass(slots=True)
class Edge:
    """What one asset asks of another: operations by protocol and by effect."""

    source: str
    destination: str
    count: int = 0
    protocols: dict[str, int] = field(default_factory=dict[str, int])
    effects: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Graph:
    """`conduits`: edges between zones (by name; "": in no zone). `cut`: whether rare edges were left out."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    conduits: tuple[Edge, ...]
    first: int | None
    last: int | None
    cut: bool


def build(store: Store, query: Query, plant: Plant) -> Graph:
    """The graph of the activities that a query means."""
    rows = store.terms("activity", query, Terms(FIELDS, MOST, "ot.count")).to_pylist()
    edges: dict[tuple[str, str], Edge] = {}
    names: dict[str, str] = {}

    @cache
    def whole(identity: str) -> str:
        """The asset's own identity, of that of one of its addresses."""
        return str((store.get("asset", identity) or {}).get("id") or identity)

    for row in rows:
        ends = tuple(whole(str(row[f"{side}.asset.id"] or row[f"{side}.asset.name"] or "")) for side in ("source", "destination"))
        for side, end in zip(("source", "destination"), ends, strict=True):
            names.setdefault(end, row[f"{side}.asset.name"] or end)
        _add(edges, ends[0], ends[1], str(row["network.protocol"]), str(row["ot.effect"]), int(row["total"] or 0))
    nodes = tuple(_node(store, plant, identity, name) for identity, name in sorted(names.items()) if identity)
    zones = {node.id: node.zone or "" for node in nodes}
    conduits: dict[tuple[str, str], Edge] = {}
    for edge in edges.values():
        _join(conduits, zones.get(edge.source, ""), zones.get(edge.destination, ""), edge)
    span = _span(store, query)
    return Graph(nodes, _busiest(edges), _busiest(conduits), *span, len(rows) == MOST)


def _add(edges: dict[tuple[str, str], Edge], source: str, destination: str, protocol: str, effect: str, count: int) -> None:
    edge = edges.setdefault((source, destination), Edge(source, destination))
    edge.count += count
    edge.protocols[protocol] = edge.protocols.get(protocol, 0) + count
    edge.effects[effect] = edge.effects.get(effect, 0) + count


def _join(edges: dict[tuple[str, str], Edge], source: str, destination: str, given: Edge) -> None:
    edge = edges.setdefault((source, destination), Edge(source, destination))
    edge.count += given.count
    for mine, theirs in ((edge.protocols, given.protocols), (edge.effects, given.effects)):
        for name, count in theirs.items():
            mine[name] = mine.get(name, 0) + count


def _busiest(edges: dict[tuple[str, str], Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(edges.values(), key=lambda edge: (-edge.count, edge.source, edge.destination)))


def _node(store: Store, plant: Plant, identity: str, name: str) -> Node:
    row: dict[str, Any] = store.get("asset", identity) or {}
    addresses = tuple(row.get("addresses") or ())
    listed, zone, level = plant.about(addresses)
    return Node(
        identity,
        listed.name if listed else str(row.get("name") or name),
        addresses,
        (listed.role if listed else None) or row.get("role"),
        zone or row.get("zone"),
        level if level is not None else row.get("level"),
        row.get("vendor"),
        row.get("model"),
    )


def _span(store: Store, query: Query) -> tuple[int | None, int | None]:
    """First and last time of what was asked for."""
    ends: list[int | None] = []
    for sort in ("@timestamp", "-@timestamp"):
        page = store.read("activity", replace(query, sort=sort, limit=1))
        ends += values(page.column("@timestamp"), "date") or [None]
    return ends[0], ends[1]


def as_json(graph: Graph) -> str:
    """One object: nodes, edges, zones with the assets in them, conduits between these."""
    zones = [{"name": zone, "levels": _levels(zone, nodes), "assets": [node.id for node in nodes]} for zone, nodes in _zones(graph).items()]
    told = {
        "first": iso(graph.first) if graph.first is not None else None,
        "last": iso(graph.last) if graph.last is not None else None,
        "cut": graph.cut,
        **{name: [asdict(each) for each in getattr(graph, name)] for name in ("nodes", "edges", "conduits")},
        "zones": zones,
    }
    return json.dumps(told, ensure_ascii=False)


def _zones(graph: Graph) -> dict[str, list[Node]]:
    """The assets of every zone, those in none too; nothing where no asset has a zone."""
    zones: dict[str, list[Node]] = {}
    for node in graph.nodes:
        zones.setdefault(node.zone or "", []).append(node)
    for conduit in graph.conduits:
        for end in (conduit.source, conduit.destination):
            zones.setdefault(end, [])
    return dict(sorted(zones.items())) if any(zones) else {}


def _levels(zone: str, nodes: Iterable[Node]) -> list[int]:
    """The Purdue levels of a zone's assets; those in no zone have none together."""
    return sorted({node.level for node in nodes if zone and node.level is not None})


def as_graphml(graph: Graph) -> str:
    """GraphML 1.0: attributes of nodes and edges as data, effects and protocols as `name:count` words.

    Zones are nodes, too, and conduits edges between them: `kind` tells asset from zone, and traffic from conduit.
    """
    root = ElementTree.Element("graphml", xmlns=GRAPHML)
    texts = ("kind", "name", "addresses", "role", "zone", "vendor", "model")
    kinds = {**dict.fromkeys(texts, "string"), "level": "int"}
    for name, kind in kinds.items():
        ElementTree.SubElement(root, "key", {"id": f"n-{name}", "for": "node", "attr.name": name, "attr.type": kind})
    for name, kind in (("kind", "string"), ("count", "long"), ("protocols", "string"), ("effects", "string")):
        ElementTree.SubElement(root, "key", {"id": f"e-{name}", "for": "edge", "attr.name": name, "attr.type": kind})
    body = ElementTree.SubElement(root, "graph", id="balefire", edgedefault="directed")
    for node in graph.nodes:
        values = asdict(node) | {"kind": "asset", "addresses": " ".join(node.addresses)}
        _data(ElementTree.SubElement(body, "node", id=_xml(node.id)), "n", {name: values[name] for name in kinds})
    zones = {zone: f"zone {zone}" for zone in _zones(graph)}
    for zone, identity in zones.items():
        _data(ElementTree.SubElement(body, "node", id=_xml(identity)), "n", {"kind": "zone", "name": zone or NO_ZONE})
    conduits = [replace(edge, source=zones[edge.source], destination=zones[edge.destination]) for edge in graph.conduits if zones]
    for kind, edges in (("traffic", graph.edges), ("conduit", conduits)):
        for edge in edges:
            element = ElementTree.SubElement(body, "edge", source=_xml(edge.source), target=_xml(edge.destination))
            told = {"count": edge.count, "protocols": _counted(edge.protocols), "effects": _counted(edge.effects)}
            _data(element, "e", {"kind": kind, **told})
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _data(element: ElementTree.Element, kind: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value not in (None, ""):
            ElementTree.SubElement(element, "data", key=f"{kind}-{name}").text = _xml(str(value))


def _xml(text: str) -> str:
    """What XML cannot hold is shown by its number."""
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _counted(counts: dict[str, int]) -> str:
    return " ".join(f"{name}:{count}" for name, count in sorted(counts.items(), key=lambda each: -each[1]))


def as_stix(graph: Graph) -> str:
    """A STIX 2.1 bundle: assets as infrastructure with addresses, traffic between these, who communicates with whom. The same graph, the same text.

    A zone is infrastructure that consists of its assets, a conduit is that it communicates with another one.
    """
    seen = iso(graph.last if graph.last is not None else 0)[:23] + "Z"
    objects: dict[str, dict[str, Any]] = {}
    homes: dict[str, list[str]] = {}
    for node in graph.nodes:
        addresses = [_observable(address) for address in node.addresses]
        objects |= {each["id"]: each for each in addresses}
        homes[node.id] = [each["id"] for each in addresses]
        asset = _infrastructure(node, seen)
        objects[asset["id"]] = asset
        for each in addresses:
            link = _relationship(asset["id"], "consists-of", each["id"], seen)
            objects[link["id"]] = link
    objects |= {each["id"]: each for each in _stix_zones(graph, seen)}
    known = {node.id for node in graph.nodes}
    for edge in graph.edges:
        if edge.source in known and edge.destination in known and edge.source != edge.destination:
            link = _communication(_asset_id(edge.source), _asset_id(edge.destination), edge, seen)
            objects[link["id"]] = link
        for traffic in _traffic(homes.get(edge.source, []), homes.get(edge.destination, []), edge):
            objects[traffic["id"]] = traffic
    bundle: dict[str, Any] = {"type": "bundle", "id": f"bundle--{uuid5(OURS, json.dumps(sorted(objects)))}"}
    if objects:  # no list may be empty
        bundle["objects"] = list(objects.values())
    return json.dumps(bundle, ensure_ascii=False)


def _stix_zones(graph: Graph, seen: str) -> Iterator[dict[str, Any]]:
    """Zones, what they consist of, and the conduits between different ones."""
    zones = _zones(graph)
    for zone, nodes in zones.items():
        words = "; ".join(("zone", *(f"Purdue level: {level}" for level in _levels(zone, nodes))))
        yield _object("infrastructure", _zone_id(zone), seen) | {"name": zone or NO_ZONE, "description": words}
        for node in nodes:
            yield _relationship(_zone_id(zone), "consists-of", _asset_id(node.id), seen)
    for edge in graph.conduits:
        if zones and edge.source != edge.destination:
            yield _communication(_zone_id(edge.source), _zone_id(edge.destination), edge, seen)


def _zone_id(name: str) -> str:
    return f"infrastructure--{uuid5(OURS, f'zone {name}')}"


def _communication(source: str, target: str, edge: Edge, seen: str) -> dict[str, Any]:
    return _relationship(source, "communicates-with", target, seen) | {"description": f"{edge.count} operations: {_counted(edge.effects)}"}


def _asset_id(identity: str) -> str:
    return f"infrastructure--{uuid5(OURS, f'asset {identity}')}"


def _infrastructure(node: Node, seen: str) -> dict[str, Any]:
    told = {"role": node.role, "zone": node.zone, "Purdue level": node.level, "vendor": node.vendor, "model": node.model}
    words = "; ".join(f"{name}: {value}" for name, value in told.items() if value is not None)
    return _object("infrastructure", _asset_id(node.id), seen) | {"name": node.name} | ({"description": words} if words else {})


def _relationship(source: str, kind: str, target: str, seen: str) -> dict[str, Any]:
    identity = f"relationship--{uuid5(OURS, f'{source} {kind} {target}')}"
    return _object("relationship", identity, seen) | {"relationship_type": kind, "source_ref": source, "target_ref": target}


def _object(kind: str, identity: str, seen: str) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": identity, "created": seen, "modified": seen}


def _observable(address: str) -> dict[str, Any]:
    kind = "mac-addr" if is_mac(address) else "ipv6-addr" if ":" in address else "ipv4-addr"
    return _deterministic(kind, {"value": address})


def _deterministic(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """An observable: its identifier follows from its content (canonical JSON, which for these plain values is sorted keys without blanks)."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid5(STIX, text)}", **values}


def _traffic(sources: Iterable[str], targets: Iterable[str], edge: Edge) -> list[dict[str, Any]]:
    """Traffic from the first IP address of one asset to that of the other."""
    ends = [next((each for each in side if not each.startswith("mac-addr")), None) for side in (list(sources), list(targets))]
    if None in ends:
        return []
    return [_deterministic("network-traffic", {"src_ref": ends[0], "dst_ref": ends[1], "protocols": [protocol]}) for protocol in sorted(edge.protocols)]
