"""The network as the page draws it: assets in fixed places by level and zone, and which links are new against the time before a moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from dashboards.linking import links
from dashboards.queries import listed
from dashboards.talk import Talk, called, named, table, talk
from detectors.graph import Node
from records.addresses import is_mac
from records.formats import DAY
from records.plant import KeptPlant
from records.query import Query, Span
from records.search import Range

if TYPE_CHECKING:
    from dashboards.linking import Links
    from records.plant import Plant
    from records.store.contract import Store

MOST: Final = 600  # assets that are drawn
MOST_LINKS: Final = 300  # that are drawn, and those of the chosen asset: more are no picture
LONGEST: Final = 30 * DAY  # of the time that is compared with
STEPS: Final = 24  # of the slider


@dataclass(frozen=True, slots=True)
class Network:
    """`nodes` in their places, level by level.

    `known`: how many assets there are; `cut`: more was asked than is known here.
    `before`: what it is compared with, None where nothing was seen. `own`: the assets' own identities, by all that they have.
    `rows`: what was asked in the whole period (see `dashboards.talk`).
    """

    nodes: list[Node]
    links: Links
    known: int
    cut: bool
    before: Span | None
    own: dict[str, str]
    rows: pa.Table


def moments(whole: Span, span: Span) -> list[int]:
    """Where the slider can stand: from the beginning of the period to its end, in steps."""
    low = max(whole.since, span.since)
    return sorted({low + (span.until - low) * at // STEPS for at in range(STEPS)})


def default_moment(whole: Span, span: Span, stops: list[int]) -> int:
    """The beginning of the period where there is a time before it, else the middle of what there is."""
    return stops[0] if span.since > whole.since else stops[len(stops) // 2]


def network(store: Store, whole: Span, span: Span, moment: int, chosen: str = "", most: int = MOST_LINKS) -> Network:
    """The links since the moment, against those of the 30 days before it: so many, and those of the `chosen` asset."""
    since = max(whole.since, moment - LONGEST)
    before = Span(since, moment) if since < moment else None
    before = before if before and _seen(store, before) else None
    now = talk(store, Span(moment, span.until))
    rows = pa.concat_tables([now.rows, talk(store, Span(span.since, moment)).rows]) if span.since < moment else now.rows
    old = talk(store, before) if before else Talk(table(()), False)
    placed, own, known = _places(store, now.ends | old.ends)
    strangers = called(store, Span(moment, span.until), now.ends - own.keys())
    placed += [Node(end, name) for end, name in strangers.items() if not is_group(name)]
    placed = sorted(placed, key=_place)[:MOST]
    found = links(named(now.rows, own), named(old.rows, own), [node.id for node in placed], bool(before), chosen, most)
    return Network(placed, found, max(known, len(placed)), now.cut or old.cut, before, own, rows)


def _seen(store: Store, span: Span) -> bool:
    """Whether there was any packet: its newest windows tell, or else all of them."""
    newest = store.read("coverage", span.query(sort="-@timestamp", limit=100)).column("packets").to_pylist()
    return any(newest) or store.count("coverage", span.query(Range("packets", low=1))) > 0


def _places(store: Store, ends: set[str]) -> tuple[list[Node], dict[str, str], int]:
    """The assets to draw; identity → own identity; how many there are. All are drawn where they fit, else those with links."""
    plant, known = KeptPlant(store).plant, store.count("asset", Query())
    found = listed(store.read("asset", Query(sort="id", limit=MOST + 1)))
    if len(found) > MOST:
        several = {str(row["id"]): row for end in sorted(ends)[: 2 * MOST] if (row := store.get("asset", end))}
        found = list(several.values())
    own = {str(name): str(row["id"]) for row in found for name in (row["id"], *(row["aliases"] or ()))}
    return [_node(plant, row) for row in found], own, known


def _node(plant: Plant, row: dict[str, Any]) -> Node:
    addresses = tuple(row["addresses"] or ())
    listed, zone, level = plant.about(addresses)
    name, role = (listed.name if listed else None) or str(row["name"]), (listed.role if listed else None) or row["role"]
    return Node(str(row["id"]), name, addresses, role, zone or row["zone"], level if level is not None else row["level"], row["vendor"], row["model"])


def is_group(address: str) -> bool:
    """Whether an address is meant for many: a broadcast or a multicast one."""
    if is_mac(address):
        return int(address[:2], 16) & 1 == 1
    try:
        told = ip_address(address)
    except ValueError:
        return False
    return told.is_multicast or address == "255.255.255.255"


def _place(node: Node) -> tuple[Any, ...]:
    """Highest level first, what has none last; then by zone and name, numbers in their order."""
    return (node.level is None, -(node.level or 0), node.zone or "\uffff", [int(part) if part.isdecimal() else part for part in _parts(node.name)], node.id)


def _parts(name: str) -> list[str]:
    """Text, number, text …: two names can be compared part by part."""
    return re.split(r"(\d{1,18})", name.casefold())
