"""Listed devices and zones against the assets that were seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from detectors.listed import TELLS, Comparison, alike, disagreement
from detectors.placing import LIST
from records.addresses import is_mac
from records.facts import current
from records.query import Query, Terms
from records.schema import ASSET
from records.search import And, Match, Or
from records.store.columns import flat
from records.store.rows import asset_from
from records.wording import role_words
from sensors.protocol import protocols, title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from detectors.listed import Disagreement, Words
    from records.plant import ListedAsset, ListedZone, Plant
    from records.store.contract import Store

Row = dict[str, Any]
PAGE: Final = 5000
MOST_SPOKEN: Final = 10_000  # (asset, protocol, operation) that are looked at
CALLED: Final = (  # what makers are called, by others and by themselves
    ("siemens", "simatic", "西门子"), ("schneiderelectric", "schneider", "modicon", "telemecanique", "施耐德"),
    ("rockwellautomation", "rockwell", "allenbradley", "罗克韦尔"), ("mitsubishielectric", "mitsubishi", "三菱"), ("omron", "欧姆龙"),
    ("emerson", "艾默生"), ("honeywell", "霍尼韦尔"), ("yokogawa", "横河"), ("phoenixcontact", "菲尼克斯"), ("beckhoff", "倍福"), ("wago", "万可"),
    ("hirschmann", "belden", "赫斯曼"), ("moxa", "摩莎"), ("generalelectric", "gefanuc", "emersonpac", "通用电气"), ("hollysys", "和利时"), ("supcon", "中控"),
)  # fmt: skip


def compare_assets(store: Store, entries: Sequence[ListedAsset], plant: Plant, rows: Sequence[Row] | None = None) -> Comparison:
    """Listed devices against the assets of the store, or against these rows of it alone."""
    each = _seen(store) if rows is None else rows
    seen = {address: row for row in each for address in row["addresses"]}
    found = {str(seen[address]["id"]) for asset in plant.assets for address in asset.addresses if address in seen}
    spoken = _spoken(store) if any(entry.vendor for entry in entries) else {}
    disagreements: list[Disagreement] = []
    unseen: list[str] = []
    for entry in entries:
        first = next((address for address in entry.addresses if address in seen), None)
        if first is not None:
            disagreements += _of_device(entry, first, seen, spoken, plant)
        elif entry.addresses:
            unseen.append(entry.name)
    return Comparison(tuple(disagreements), tuple(unseen), _named(row for row in seen.values() if row["id"] not in found))


def compare_zones(store: Store, entries: Sequence[ListedZone], plant: Plant) -> Comparison:
    """Zones of which nobody was seen, assets in no zone, and devices that are listed in another zone than their address is of."""
    met: set[str] = set()
    outside: list[Row] = []
    disagreements: list[Disagreement] = []
    named = {entry.key for entry in entries}
    for row in _seen(store):
        asset, zone, _level = plant.about(row["addresses"])
        met |= {zone.casefold()} if zone else set()
        outside += [] if zone else [row]
        place = next((found for address in row["addresses"] if (found := plant.zone_of(address, None)[0])), None)
        met |= {place.casefold()} if place else set()
        if asset and asset.zone and place and place.casefold() in named and place.casefold() != asset.zone.casefold():
            disagreements.append(_zone(asset, row["addresses"], place))
    return Comparison(tuple(disagreements), tuple(entry.name for entry in entries if entry.key not in met), _named(outside))


def _seen(store: Store) -> Iterator[Row]:
    query = Query(sort="id", limit=PAGE)
    while True:
        rows = flat(ASSET, store.read("asset", query))
        yield from (row for row in rows if row["addresses"])
        if len(rows) < PAGE:
            return
        query = Query(sort="id", limit=PAGE, after=rows[-1]["id"])


def _named(rows: Iterator[Row] | Sequence[Row]) -> tuple[str, ...]:
    return tuple(sorted({str(row["name"] or row["addresses"][0]) for row in rows}))


def _of_device(entry: ListedAsset, first: str, seen: Mapping[str, Row], spoken: Mapping[str, list[tuple[str, str]]], plant: Plant) -> Iterator[Disagreement]:
    row = seen[first]
    told = current(fact for fact in asset_from(row).facts if fact.source != LIST)  # what was imported before is no witness
    for name in TELLS:
        listed: str | None = getattr(entry, name)
        if listed and name in told and not agree(name, listed, told[name].value):
            yield disagreement(entry, first, name, _role(listed, told[name].value) if name == "role" else alike(listed=listed, seen=told[name].value))
    for maker, protocol in dict.fromkeys(each for identity in (row["id"], *(row["aliases"] or ())) for each in spoken.get(identity, ())):
        if entry.vendor and not agree("vendor", entry.vendor, maker):
            yield disagreement(entry, first, "protocol", alike(listed=entry.vendor, seen=title_of(protocol), maker=maker))
    yield from _addresses(entry, first, seen)
    place = next((found for address in row["addresses"] if (found := plant.zone_of(address, None)[0])), None)
    if entry.zone and place and place.casefold() != entry.zone.casefold():
        yield _zone(entry, row["addresses"], place)


def _zone(entry: ListedAsset, addresses: Sequence[str], place: str) -> Disagreement:
    address = next((address for address in entry.addresses if address in addresses), addresses[0])
    return disagreement(entry, address, "zone", alike(listed=entry.zone, seen=place))


def _addresses(entry: ListedAsset, first: str, seen: Mapping[str, Row]) -> Iterator[Disagreement]:
    """Its other addresses: another's, another MAC address than the device has, or nowhere."""
    own: Sequence[str] = seen[first]["addresses"]
    macs = [each for each in own if is_mac(each)]
    for address in entry.addresses:
        if address in own:
            continue
        other = seen.get(address)
        if other is not None:
            yield disagreement(entry, first, "elsewhere", alike(listed=address, seen=", ".join(other["addresses"])))
        elif is_mac(address) and macs:
            yield disagreement(entry, first, "mac", alike(listed=address, seen=", ".join(macs)))
        elif not is_mac(address):  # where no MAC address is seen, as behind a router, that says nothing of it
            yield disagreement(entry, first, "address", alike(listed=address, seen=""))


def _role(listed: str, seen: str) -> Callable[[str], Words]:
    return lambda language: {"listed": role_words(listed, language), "seen": role_words(seen, language)}


def _spoken(store: Store) -> dict[str, list[tuple[str, str]]]:
    """{identity of an asset: (maker, protocol)} of what it answered that devices of one maker alone speak."""
    own = {protocol.name: protocol.makers for protocol in protocols() if protocol.makers}
    parts = [
        And((Match("network.protocol", name, cased=True), *([Match("event.action", action, cased=True)] if action else [])))
        for name, makers in own.items()
        for action in makers
    ]
    where = And((Match("event.outcome", "success", cased=True), Or(tuple(parts))))
    fields = ("destination.asset.id", "network.protocol", "event.action")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in store.terms("activity", Query(where=where), Terms(fields, MOST_SPOKEN)).to_pylist():
        makers = own[row["network.protocol"]]
        maker = makers.get(row["event.action"], makers.get(""))
        if row[fields[0]] and maker and (maker, row["network.protocol"]) not in found.setdefault(row[fields[0]], []):
            found[row[fields[0]]].append((maker, row["network.protocol"]))
    return found


def agree(name: str, listed: str, seen: str) -> bool:
    """Whether two texts may mean the same: one holds the other, or both name one maker; a role is no more than a guess where behaviour tells no more."""
    if name == "role":
        return listed == seen or seen == "client"
    one, other = (re.sub(r"[\W_]+", "", text.casefold()) for text in (listed, seen))
    if one in other or other in one:
        return True
    return name == "vendor" and any(any(word in one for word in names) and any(word in other for word in names) for names in CALLED)
