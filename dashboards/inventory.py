"""What the pages ask of the inventory: the list of assets, one asset, who it talks to, its points and its open alerts. Every question is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards.keeping import kept
from dashboards.queries import OPEN, frame, listed, rows
from dashboards.reference import serving
from records.addresses import is_mac
from records.effects import EFFECTS, NUMBER
from records.model import severity_word
from records.query import Query, Terms
from records.schema import ASSET
from records.search import And, Condition, Exists, Match, Not, Or, parse
from sensors.protocol import answers_nothing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd

    from records.query import Span
    from records.store.contract import Store

PAGE: Final = 50
NONE: Final = "-"  # a filter for assets of which this is not known
SORTS: Final = ("-last", "name", "-first", "level", "zone", "vendor")
FACETS: Final = ("role", "vendor", "zone", "level", "criticality")
OBJECT: Final = ("destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")
_MOST_OWNED: Final = 200
_MOST_PAIRS: Final = 100_000  # of an asset and an open alert, or an earlier identity: more than a plant has
_MOST_VALUES: Final = 50
_MOST_TALKS: Final = 400
_MOST_POINTS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Risk:
    """Open alerts of an asset: the highest severity among them, and their identities."""

    severity: int
    found: frozenset[str]

    @property
    def alerts(self) -> int:
        """How many there are."""
        return len(self.found)

    @property
    def level(self) -> str:
        """The word for the severity."""
        return severity_word(self.severity)


def risks(store: Store, span: Span | None = None) -> dict[str, Risk]:
    """Identity of an asset → its open alerts (of the span, or all). An identity may be one that the asset had earlier."""
    asked = span.query(OPEN) if span else Query(where=OPEN)
    severities, found = dict[str, int](), dict[str, set[str]]()
    for row in listed(store.terms("alert", asked, Terms(("assets", "severity", "id"), _MOST_PAIRS))):
        if name := row["assets"]:
            severities[name] = max(severities.get(name, 0), int(row["severity"] or 0))
            found.setdefault(name, set()).add(str(row["id"]))
    return {name: Risk(severity, frozenset(found[name])) for name, severity in severities.items()}


def risk_of(asset: dict[str, Any], known: dict[str, Risk]) -> Risk | None:
    """The open alerts of an asset under all of its identities; one that names two of them is one."""
    found = [known[name] for name in identities(asset) if name in known]
    return _together(found) if found else None


def by_asset(known: Mapping[str, Risk], own: Mapping[str, str]) -> dict[str, Risk]:
    """The open alerts of each asset by the identity that it has now, which `own` tells of those that it had."""
    by: dict[str, list[Risk]] = {}
    for name, risk in known.items():
        by.setdefault(own.get(name, name), []).append(risk)
    return {name: _together(found) for name, found in by.items()}


def _together(found: Sequence[Risk]) -> Risk:
    return Risk(max(each.severity for each in found), frozenset[str]().union(*(each.found for each in found)))


def at_risk(store: Store, span: Span, most: int = 6) -> tuple[list[tuple[dict[str, Any], Risk]], int]:
    """The worst assets with open alerts of the span, each once whatever it was called, and how many there are; of one not stored the `id` alone is known."""
    known = risks(store, span)
    told = sorted(by_asset(known, _now(store, known)).items(), key=lambda each: (-each[1].severity, -each[1].alerts, each[0]))
    return [(store.get("asset", name) or {"id": name, "aliases": ()}, risk) for name, risk in told[:most]], len(told)


def _now(store: Store, names: Collection[str]) -> dict[str, str]:
    """Identity → the one that its asset has now, of these and of all others that their assets had."""
    found = listed(store.terms("asset", Query(where=_named(names)), Terms(("id", "aliases"), _MOST_PAIRS))) if names else []
    return {str(row["aliases"]): str(row["id"]) for row in found if row["aliases"]} | {str(row["id"]): str(row["id"]) for row in found}


def owners(store: Store, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Identity → the asset that has it now, of the first 200 of them; one that no stored asset has is left out."""
    asked = list(dict.fromkeys(names))[:_MOST_OWNED]
    rows = listed(store.read("asset", Query(where=_named(asked), limit=len(asked)))) if asked else []
    found = {name: row for row in rows for name in identities(row)} | {str(row["id"]): row for row in rows}
    return {name: found[name] for name in asked if name in found}


def _named(names: Iterable[str]) -> Condition:
    return Or(tuple(Match(field, name, cased=True) for name in names for field in ("id", "aliases")))


def identities(asset: dict[str, Any]) -> list[str]:
    """What rows may call this asset."""
    return [str(asset["id"]), *(asset["aliases"] or ())]


def ip_addresses(asset: dict[str, Any]) -> list[str]:
    """Its addresses, those of the link layer left out."""
    return [address for address in asset["addresses"] or () if not is_mac(address)]


def search(text: str, facets: dict[str, str], risky: Iterable[str] | None = None) -> Condition:
    """The filters as a condition; `risky`: only these identities. Raises UsageError for a text that does not parse."""
    parts: list[Condition] = [parse(text, ASSET)]
    for name, value in facets.items():
        if value:
            parts.append(Not(Exists(name)) if value == NONE else Match(name, int(value) if name == "level" else value))
    if risky is not None:
        parts.append(_named(risky))
    return And(tuple(parts))


def values(store: Store, name: str) -> list[str]:
    """What assets have in this field, the most frequent first; levels in their order."""
    found = [row[name] for row in listed(store.terms("asset", Query(), Terms((name,), _MOST_VALUES))) if row[name] is not None]
    return [str(value) for value in (sorted(found) if name == "level" else found)]


def assets(store: Store, where: Condition, sort: str, after: str, limit: int = PAGE) -> tuple[pd.DataFrame, int]:
    """One page of the assets that match, and how many do."""
    found = frame(store.read("asset", Query(where=where, sort=sort, limit=limit, after=after)))
    return found, store.count("asset", Query(where=where))


def called(store: Store, name: str) -> list[dict[str, Any]]:
    """The assets that a person may mean: the one of this identity, else those with this address, with this name, with an identity that begins so."""
    if not name:
        return []
    if row := store.get("asset", name):
        return [row]
    for field in ("addresses", "name"):
        if page := store.read("asset", Query(where=Match(field, name), limit=3)).column("id").to_pylist():
            return [store.get("asset", str(identity)) or {} for identity in page]
    return [store.get("asset", identity) or {} for _table, identity in store.find(name, ("asset",))]


@dataclass(slots=True)
class Talk:
    """What an asset and one other exchanged in one direction: operations by effect, busiest first, over these protocols."""

    direction: str  # asks: our asset asked; asked: it was asked
    peer: str | None  # identity
    name: str
    effects: dict[str, int]
    protocols: list[str]

    @property
    def count(self) -> int:
        """Operations in all."""
        return sum(self.effects.values())

    @property
    def told(self) -> bool:
        """Did it only tell, and ask for nothing: reports, or a protocol in which no message is a request?"""
        reports = all(EFFECTS[NUMBER.get(effect, NUMBER["unknown"])].access == "report" for effect in self.effects)
        return reports or (bool(self.protocols) and all(map(answers_nothing, self.protocols)))


def talks(store: Store, asset: dict[str, Any], span: Span) -> list[Talk]:
    """Whom it asked and who asked it, busiest first, of the 400 most frequent kinds each way; looking up names and addresses left out."""
    return kept(store, ("activity",), _talks, span, tuple(identities(asset)))


def _talks(store: Store, span: Span, names: tuple[str, ...]) -> list[Talk]:
    found: dict[tuple[str, str | None, str], Talk] = {}
    for direction, own, other in (("asks", "source", "destination"), ("asked", "destination", "source")):
        mine = Or(tuple(Match(f"{own}.asset.id", name, cased=True) for name in names))
        where = And((mine, Not(Or(tuple(Match("network.protocol", name, cased=True) for name in serving())))))
        fields = (f"{other}.asset.id", f"{other}.asset.name", f"{other}.ip", "network.protocol", "ot.effect")
        for row in listed(store.terms("activity", span.query(where), Terms(fields, _MOST_TALKS, "ot.count"))):
            identity = row[fields[0]]
            name = str(row[fields[1]] or row[fields[2]] or "–")
            talk = found.setdefault((direction, identity, "" if identity else name), Talk(direction, identity, name, {}, []))
            effect, protocol = str(row["ot.effect"] or "unknown"), str(row["network.protocol"] or "")
            talk.effects[effect] = talk.effects.get(effect, 0) + int(row["total"] or 0)
            if protocol and protocol not in talk.protocols:
                talk.protocols.append(protocol)
    return sorted(found.values(), key=lambda talk: (-talk.count, talk.direction, talk.name))


def open_alerts(store: Store, asset: dict[str, Any], most: int = 20) -> tuple[list[dict[str, Any]], int]:
    """Its open alerts, worst first, and how many there are."""
    where = And((OPEN, Or(tuple(Match("assets", name) for name in identities(asset)))))
    found = frame(store.read("alert", Query(where=where, sort="-severity", limit=most)))
    return rows(found), store.count("alert", Query(where=where))


def last_points(store: Store, addresses: Sequence[str], span: Span) -> list[dict[str, Any]]:
    """The last row of each of its points, among the newest 2,000 rows; points that moved most recently first."""
    if not addresses:
        return []
    where = Or(tuple(Match("destination.ip", address) for address in addresses))
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in listed(store.read("point", span.query(where, "-@timestamp", _MOST_POINTS))):
        latest.setdefault(tuple(row[name] for name in OBJECT), row)
    return sorted(latest.values(), key=lambda row: -int(row["event.end"]))  # a row is of a minute, and tells when in it the value was seen last
