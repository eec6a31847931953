"""What the plant says of itself: lists of assets, zones and tags, as its staff imported them. Kept as one document a list, and looked up by address.

Lists are data of the plant, not of the wire: what they say is shown beside what was seen, and becomes part of rows when these are judged.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, cast

from records.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Store

KINDS: Final = ("assets", "zones", "tags")
SEVERAL: Final = 8  # tags of one object that are named; of more, none is meant
LEVELS: Final = (0, 1, 2, 3, 4, 5)
ROLES: Final = ("controller", "hmi", "engineering", "historian", "gateway", "switch", "server", "client", "field_device")


@dataclass(frozen=True, slots=True)
class ListedAsset:
    """A device as the plant lists it. `addresses`: IP and MAC addresses in their usual form."""

    name: str
    addresses: tuple[str, ...] = ()
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    role: str | None = None
    zone: str | None = None
    level: int | None = None
    criticality: str | None = None
    description: str | None = None

    @property
    def key(self) -> str:
        """What an entry of a later list replaces."""
        return self.name.casefold()


@dataclass(frozen=True, slots=True)
class ListedZone:
    """A zone: its addresses and networks, its Purdue level."""

    name: str
    members: tuple[str, ...] = ()
    level: int | None = None
    description: str | None = None

    @property
    def key(self) -> str:
        """What an entry of a later list replaces."""
        return self.name.casefold()


@dataclass(frozen=True, slots=True)
class Tag:
    """A point as the plant calls it. `device`: address of the device that holds it; `unit`: station inside it, None: any.

    It is meant by its number in an address space (`space`, `first`; no space: any), by how engineers write it (`label`: `db1.dbw4`, `n7:0`), or by either.
    `low` and `high`: its range; `measure`: the engineering unit of its value.
    """

    name: str
    device: str
    unit: int | None = None
    space: str | None = None
    first: int | None = None
    label: str | None = None
    measure: str | None = None
    low: float | None = None
    high: float | None = None
    description: str | None = None

    @property
    def key(self) -> str:
        """What an entry of a later list replaces: the place, not the name."""
        return json.dumps([self.device, self.unit, self.space, self.first, self.label])


Entry = ListedAsset | ListedZone | Tag
ENTRIES: Final[Mapping[str, type[Entry]]] = {"assets": ListedAsset, "zones": ListedZone, "tags": Tag}


def label_key(text: str) -> str:
    """How engineers write an address, whatever case and blanks they use."""
    return "".join(text.split()).casefold()


class Plant:
    """All lists, ready to be asked."""

    def __init__(self, assets: Iterable[ListedAsset] = (), zones: Iterable[ListedZone] = (), tags: Iterable[Tag] = ()) -> None:
        self.assets, self.zones, self.tags = tuple(assets), tuple(zones), tuple(tags)
        self._assets = {address: asset for asset in self.assets for address in asset.addresses}
        networks = [(ip_network(member, strict=False), zone) for zone in self.zones for member in zone.members]
        self._networks = sorted(networks, key=lambda each: -each[0].prefixlen)  # the narrowest that holds an address tells
        self._zones = {zone.key: zone for zone in self.zones}
        self._labels: dict[tuple[str, str], list[Tag]] = {}
        self._numbers: dict[tuple[str, str | None], list[Tag]] = {}
        for tag in self.tags:
            if tag.label is not None:
                self._labels.setdefault((tag.device, tag.label), []).append(tag)
            if tag.first is not None:
                self._numbers.setdefault((tag.device, tag.space), []).append(tag)
        for found in self._numbers.values():
            found.sort(key=lambda tag: cast("int", tag.first))
        self._around = lru_cache(maxsize=65536)(self._look_around)
        self.tags_of = lru_cache(maxsize=65536)(self._tags_of)

    def __bool__(self) -> bool:
        return bool(self.assets or self.zones or self.tags)

    @property
    def tagged(self) -> set[str]:
        """Addresses of the devices that have tags."""
        return {tag.device for tag in self.tags}

    def asset(self, address: str | None) -> ListedAsset | None:
        """The listed device that has this address."""
        return self._assets.get(address) if address else None

    def zone_of(self, address: str, asset: ListedAsset | None) -> tuple[str | None, int | None]:
        """(zone, Purdue level) of an address: as its device is listed, else by the narrowest network."""
        zone = self._zones.get(asset.zone.casefold()) if asset and asset.zone else None
        if zone is None and not (asset and asset.zone):
            zone = self._around(address)
        name = asset.zone if asset and asset.zone else zone.name if zone else None
        level = asset.level if asset and asset.level is not None else zone.level if zone else None
        return name, level

    def about(self, addresses: Iterable[str]) -> tuple[ListedAsset | None, str | None, int | None]:
        """(listed device, zone, Purdue level) of the asset that has these addresses."""
        each = tuple(addresses)
        listed = next((asset for address in each if (asset := self.asset(address))), None)
        zone, level = next((found for address in each if any(found := self.zone_of(address, listed))), (None, None))
        return listed, zone, level

    def _look_around(self, address: str) -> ListedZone | None:
        try:
            known = ip_address(address)
        except ValueError:
            return None
        return next((zone for network, zone in self._networks if known in network), None)

    def _tags_of(self, device: str, unit: int | None, space: str | None, label: str | None, first: int | None, last: int | None) -> tuple[Tag, ...]:
        """The tags of an object, in the order of their addresses; none where there are more than SEVERAL."""
        if label and (found := self._labels.get((device, label_key(label)))):
            return tuple(tag for tag in found if tag.unit in (None, unit))
        if first is None:
            return ()
        end = first if last is None else last
        for kind in dict.fromkeys((space, None)):
            listed = self._numbers.get((device, kind), [])
            at = bisect_left(listed, first, key=lambda tag: cast("int", tag.first))
            stop = bisect_left(listed, end + 1, key=lambda tag: cast("int", tag.first))
            meant = [tag for tag in listed[at : min(stop, at + 64 * SEVERAL)] if tag.unit in (None, unit)]
            if meant and len(meant) <= SEVERAL:
                return tuple(meant)
        return ()

    def called(self, operation: Mapping[str, Any]) -> list[str]:
        """The names of the tags that an operation is about (as `balefire dissect` tells it), whichever end the device is."""
        about: Mapping[str, Any] = operation["object"] or {}
        place = operation["unit"], *(about.get(name) for name in ("space", "name", "first", "last"))
        each = (self.tags_of(side["ip"], *place) for side in (operation["destination"], operation["source"]) if side and side["ip"])
        return [tag.name for tag in next(filter(None, each), ())]

    @property
    def criticality(self) -> dict[str, str]:
        """What devices matter, by address, where their list says so."""
        return {address: asset.criticality for asset in self.assets if asset.criticality for address in asset.addresses if _is_ip(address)}


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def encoded(entries: Sequence[Entry]) -> str:
    """A list as JSON: what is not known is left out; the same entries always give the same text."""
    rows = [{name: value for name, value in asdict(entry).items() if value not in (None, ())} for entry in entries]
    return json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """What tells one content from another."""
    return sha256(text.encode()).hexdigest()


def decoded(kind: str, content: object) -> list[Entry]:
    """The entries of a stored list (its JSON, or what that holds). Raises ValueError for what is none."""
    made: Any = ENTRIES[kind]
    known = {field.name for field in fields(made)}
    rows: list[dict[str, Any]] = json.loads(content) if isinstance(content, str) else cast("Any", content)
    try:
        return [made(**{name: _kept(value) for name, value in row.items() if name in known}) for row in rows]
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _kept(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def merged(before: Sequence[Entry], given: Sequence[Entry]) -> list[Entry]:
    """A list with the entries of a later one: what it says anew (`followers`) is replaced in its place, the rest is added behind."""
    places, later = followers(before, given), {entry.key: entry for entry in given}
    found = {places.get(entry.key, entry.key): entry for entry in before}
    return list((found | later).values())


def followers(before: Sequence[Entry], given: Sequence[Entry]) -> dict[str, str]:
    """{key of an entry: that of the later one in its place}: the same key, else a device under a new name that has one of its addresses."""
    known, later = {entry.key for entry in before}, {entry.key for entry in given}
    holders = {address: entry.key for entry in given if isinstance(entry, ListedAsset) and entry.key not in known for address in entry.addresses}
    found = {key: key for key in known & later}
    for entry in before:
        if isinstance(entry, ListedAsset) and entry.key not in later:
            holder = next((holders[address] for address in entry.addresses if address in holders), None)
            if holder is not None:
                found[entry.key] = holder
    return found


class KeptPlant:
    """The lists that a store keeps, as they are now. Raises StoreError where one cannot be read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._digests: list[str | None] = []
        self.plant = Plant()
        self.look()

    def look(self) -> bool:
        """Take over what was imported since; whether there was anything."""
        kept = {kind: self._store.get("plant", kind) for kind in KINDS}
        digests = [row["digest"] if row else None for row in kept.values()]
        if digests == self._digests:
            return False
        lists: Any = {}
        for kind, row in kept.items():
            try:
                lists[kind] = decoded(kind, row["content"]) if row else []
            except ValueError:
                raise StoreError("store.plant", kind=kind) from None
        self._digests, self.plant = digests, Plant(**lists)
        return True
