"""The assets of a period, and what of them is new, not known or within reach from outside."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from records.nesting import iso
from records.plant import KeptPlant
from records.query import Query
from records.search import And, Exists, Not, Or, Range
from reports.seeing import REMOTE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from records.query import Span
    from records.search import Condition
    from reports.asking import Row, Source

MOST: Final = 50_000
LISTED: Final = 15
PAIRS: Final = 100_000
# Addresses that no packet of the Internet has: private, of one link, to several, this host (IANA special-purpose registries).
INSIDE: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8", "2001:db8::/32",
    )
)  # fmt: skip


class Known(dict[str, dict[str, Any]]):
    """The assets of the plant by identity; `outside`: what else was seen, hosts that have addresses of the Internet alone."""

    def __init__(self, rows: Mapping[str, Row], outside: Mapping[str, Row]) -> None:
        super().__init__(rows)
        self.outside = outside


def assets(source: Source, span: Span) -> Known:
    """What was there in a period, by identity; seen before and after it counts as seen in it."""
    where = source.where("asset", Range("first", high=span.until, include_high=False), Range("last", low=span.since))
    rows = {row["id"]: row for row in source.rows("asset", Query(where=where, sort="id"), MOST)}
    outside = {name: row for name, row in rows.items() if not row["zone"] and row["addresses"] and all(map(is_outside, row["addresses"]))}
    if outside:  # a plant may have numbers of the Internet: what it lists, or has a zone for, is its own
        plant = KeptPlant(source.store).plant
        outside = {name: row for name, row in outside.items() if not any(map(plant.asset, row["addresses"]))}
    return Known({name: row for name, row in rows.items() if name not in outside}, outside)


def by_any_name(known: Known) -> Known:
    """The same by every identity that an alert may call one by."""
    return Known(_aliased(known), _aliased(known.outside))


def _aliased(rows: Mapping[str, Row]) -> dict[str, Row]:
    return {alias: row for row in rows.values() for alias in row["aliases"] or ()} | dict(rows)


class Addresses:
    """The assets by their addresses as sensors of a site see them: plants that are built alike have the same addresses."""

    def __init__(self, known: Mapping[str, Row]) -> None:
        self._here: dict[tuple[str | None, str], list[Row]] = {}
        self._anywhere: dict[str, list[Row]] = {}
        for row in {row["id"]: row for row in known.values()}.values():
            for address in dict.fromkeys((*(row["addresses"] or ()), *(row["aliases"] or ()))):
                self._here.setdefault((row["observer.site"], address), []).append(row)
                self._anywhere.setdefault(address, []).append(row)

    def of(self, site: str | None, address: str | None) -> list[Row]:
        """Those of the site that have it; else those of another site, where it is one alone."""
        if (here := self._here.get((site, address or ""))) is not None:
            return here
        found = self._anywhere.get(address or "", [])
        return found if len({row["observer.site"] for row in found}) == 1 else []


def newcomers(span: Span, known: Known, beginning: Collection[str]) -> tuple[list[Row], Row]:
    """Those first seen in a period, the earliest first, without those of sites whose records are `beginning` in it; of these how many there are, if any."""
    aged = [row for row in known.values() if row["observer.site"] not in beginning]
    new = sorted((row for row in aged if row["first"] >= span.since), key=lambda row: (row["first"], row["id"]))
    return new, {"beginning": len(known) - len(aged)} if beginning else {}


def told(source: Source, span: Span, known: Known, beginning: Collection[str] = ()) -> Row:
    """The part of a report about them. `unlisted` is None where the plant gave no list of its assets."""
    new, begun = newcomers(span, known, beginning)
    plant = KeptPlant(source.store).plant
    unlisted = [row for row in known.values() if not any(map(plant.asset, row["addresses"] or ()))] if plant.assets else None
    internet = _internet(source, span, known)
    several = len({row["observer.site"] for row in known.values()}) > 1
    return {
        "assets": len(known),
        "outside": len(known.outside),
        "complete": len(known) + len(known.outside) < MOST,
        "new": len(new),
        **begun,
        "listed_new": [_one(row) | ({"site": row["observer.site"]} if several else {}) for row in new[:LISTED]],
        "without_role": sum(not row["role"] for row in known.values()),
        "without_zone": sum(not row["zone"] for row in known.values()),
        "unlisted": None if unlisted is None else len(unlisted),
        "roles": _roles(known),
        "internet": internet,
        "remote": _remote(source, span, known),
    }


def _one(row: Row) -> Row:
    maker = " ".join(str(row[name]) for name in ("vendor", "model", "firmware") if row[name])
    addresses = list(row["addresses"] or ())[:3]
    return {"id": row["id"], "name": row["name"], "addresses": addresses, "role": row["role"], "maker": maker, "first": iso(row["first"])}


def _roles(known: Mapping[str, Row]) -> list[Row]:
    counts: dict[str | None, int] = {}
    for row in known.values():
        counts[row["role"]] = counts.get(row["role"], 0) + 1
    return [{"role": role, "assets": count} for role, count in sorted(counts.items(), key=lambda item: (-item[1], item[0] or ""))]


@lru_cache(1 << 16)
def is_outside(address: str | None) -> bool:
    """Whether this is an address of the Internet."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return not any(known in network for network in INSIDE if network.version == known.version)


def _internet(source: Source, span: Span, known: Mapping[str, Row]) -> Row:
    """Who inside spoke with addresses of the Internet, as far as dissectors understood what was said."""
    fields = "source.ip", "destination.ip", "observer.site"
    found = source.terms("activity", span, fields, PAIRS, Or((_outside("source.ip"), _outside("destination.ip"))), total="ot.count")
    several, addresses = len({row["observer.site"] for row in found}) > 1, Addresses(known)
    pairs: list[Row] = []
    assets: set[str] = set()
    for row in found:
        inbound = is_outside(row["source.ip"])
        outer, inner = (row["source.ip"], row["destination.ip"]) if inbound else (row["destination.ip"], row["source.ip"])
        site = {"site": row["observer.site"]} if several else {}
        pairs.append({"inside": inner, "outside": outer, "inbound": inbound, "operations": int(row["total"] or 0), **site})
        assets.update(each["id"] for each in addresses.of(row["observer.site"], inner))
    pairs.sort(key=lambda row: (not row["inbound"], -row["operations"], str(row["inside"]), str(row["outside"]), str(row.get("site"))))
    return {
        "pairs": len(pairs),
        "inside": len({(row.get("site"), row["inside"]) for row in pairs}),
        "assets": len(assets),
        "inbound": sum(row["inbound"] for row in pairs),
        "operations": sum(row["operations"] for row in pairs),
        "listed": pairs[:LISTED],
    }


def _remote(source: Source, span: Span, known: Known) -> Row:
    """Who used remote access to which asset, from outside or not, as far as it was understood: of what is encrypted the sensors keep no ends."""
    ports = Or(tuple(Range("destination.port", port, port) for port in sorted({int(name.partition("/")[2]) for name in REMOTE})))
    fields = "source.ip", "destination.ip", "destination.port", "observer.site"
    found = source.terms("activity", span, fields, PAIRS, ports, total="ot.count")
    several, addresses = len({row["observer.site"] for row in found}) > 1, Addresses(known)
    pairs: list[Row] = []
    for row in found:
        there = addresses.of(row["observer.site"], row["destination.ip"])
        told = {
            "asset": there[0]["name"] if there else None,
            "address": row["destination.ip"],
            "from": row["source.ip"],
            "outside": is_outside(row["source.ip"]),
        }
        port = int(row["destination.port"])
        told |= {"port": port, "protocol": REMOTE.get(f"tcp/{port}") or REMOTE[f"udp/{port}"], "operations": int(row["total"] or 0)}
        pairs.append(told | ({"site": row["observer.site"]} if several else {}))
    pairs.sort(key=lambda row: (not row["outside"], -row["operations"], str(row["address"]), str(row["from"]), row["port"], str(row.get("site"))))
    operations = sum(row["operations"] for row in pairs)
    return {"pairs": len(pairs), "outside": sum(row["outside"] for row in pairs), "operations": operations, "listed": pairs[:LISTED]}


def _outside(field: str) -> Condition:
    ranges: list[Any] = [Range(field, str(network.network_address), str(network.broadcast_address)) for network in INSIDE]
    return And((Exists(field), Not(Or(tuple(ranges)))))
