"""A policy drafted from what was seen: zones by role and network, conduits with what passed between them, and how often.

Who acted in an alert that nobody has settled may be the attacker of the time that is learned. It is set apart: its zone and conduits are in the draft as
comments, so that what it does goes on being found until somebody who knows it takes the signs of comment away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from detectors.policy.zones import MOST_ZONES
from records.effects import EFFECTS, NUMBER
from records.model import severity_word
from records.query import Query, Terms
from records.search import And, Match, Not, Or, Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from records.store.contract import Store

FIELDS: Final = ("source.ip", "destination.ip", "source.asset.role", "destination.asset.role", "network.protocol", "ot.access", "ot.effect")
MOST: Final = 1_000_000  # different combinations; a plant has some thousands
# Looking is allowed as a whole, what acts on the plant one by one: a new way of acting is news, a new way of looking is not.
LOOKS: Final = frozenset({"read", "report", "identify", "session"})
ROLES: Final = ("controller", "engineering", "client")  # of a host that was several, the first counts
WIDTHS: Final = ({4: 24, 6: 64}, {4: 16, 6: 48}, {4: 0, 6: 0})  # of networks that make a zone, wider where there would be too many


UNCONFIRMED: Final = "unconfirmed"
SET_APART: Final = (
    "To be confirmed: these act in alerts of at least medium severity that are open, or that were found true (balefire explain ID). Nothing allows what",
    "they do, nor what is done to them. Where one belongs to the plant, take '# ' away before its zone here and before its conduits below.",
)
NAMED: Final = 3  # alerts of a host


class Doubt(NamedTuple):
    """What speaks against a host: alerts it acted in that are open or were found true, and whether one is grave enough to set it apart."""

    alerts: tuple[str, ...]
    apart: bool


class Seen(NamedTuple):
    """Operations of one kind between two hosts, and how many."""

    source: str
    destination: str
    roles: tuple[str | None, str | None]
    protocol: str
    access: str
    effect: str
    times: int


@dataclass(slots=True)
class Way:
    """What passed from one zone to another over one protocol."""

    looks: Counter[str] = field(default_factory=Counter[str])
    acts: Counter[str] = field(default_factory=Counter[str])
    hosts: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


def seen(store: Store, query: Query) -> list[Seen]:
    """What the store's activities say, as far as both ends have an address."""
    rows = store.terms("activity", query, Terms(FIELDS, MOST, "ot.count")).to_pylist()
    return [_seen(row) for row in rows if row["source.ip"] and row["destination.ip"] and row["network.protocol"]]


def unsettled(store: Store, since: int | None, until: int | None) -> dict[str, bool]:
    """The alerts of this time that nobody has closed, or were closed as true, the gravest first: whether each is at least medium, or true."""
    during = [Range("last", since, None)] if since is not None else []
    during += [Range("first", None, until, include_high=False)] if until is not None else []
    where = And((Or((Not(Match("status", "closed")), Match("verdict", "true"))), *during))
    rows = store.read("alert", Query(where=where, sort="-severity")).select(["id", "severity", "verdict"]).to_pylist()
    return {row["id"]: row["verdict"] == "true" or severity_word(row["severity"]) != "low" for row in rows}


def doubts(store: Store, query: Query, alerts: Mapping[str, bool]) -> dict[str, Doubt]:
    """By address, what speaks against those who acted in these alerts."""
    acted: defaultdict[str, list[str]] = defaultdict(list)
    for row in store.terms("finding", query, Terms(("alert", "source.ip"), MOST)).to_pylist():
        acted[row["alert"]].append(row["source.ip"])
    found: defaultdict[str, list[str]] = defaultdict(list)
    for alert in alerts:
        for host in acted[alert]:
            found[host].append(alert)
    return {host: Doubt(tuple(names), any(alerts[name] for name in names)) for host, names in found.items()}


def draft(name: str, found: Iterable[Seen], against: Mapping[str, Doubt] | None = None) -> str:
    """The policy as text. Judged by it, what was found breaks nothing but for what hosts did that are set apart (`apart`)."""
    rows, doubtful = list(found), against or {}
    strangers = apart(rows, doubtful)
    zone_of = _zones(rows) | {host: f"{UNCONFIRMED}-{_named(host)}" for host in strangers}
    members: defaultdict[str, list[str]] = defaultdict(list)
    for host in sorted(zone_of, key=_order):
        members[zone_of[host]].append(host)
    ways = _ways(rows, zone_of)
    theirs = {key for key in ways if any(zone_of[host] in key[:2] for host in strangers)}
    conduits = list(_conduit_lines({key: way for key, way in ways.items() if key not in theirs}))
    return "\n".join((
        *_head(name),
        "zones:", *_zone_lines({zone: of for zone, of in members.items() if of[0] not in strangers}, doubtful),
        *(_commented(*SET_APART, *_zone_lines({zone: of for zone, of in members.items() if of[0] in strangers}, doubtful)) if strangers else ()),
        "conduits:" if conduits else "conduits: []", *conduits,
        *_commented(*_conduit_lines({key: ways[key] for key in sorted(theirs)})),
    )) + "\n"  # fmt: skip


def apart(rows: Iterable[Seen], against: Mapping[str, Doubt]) -> set[str]:
    """The hosts that are set apart; nobody where that would be all of them."""
    hosts = {host for row in rows for host in (row.source, row.destination)}
    strangers = {host for host in hosts if host in against and against[host].apart}
    return strangers if strangers != hosts else set()


def _commented(*lines: str) -> list[str]:
    return [f"# {line}" for line in lines]


def _seen(row: dict[str, Any]) -> Seen:
    effect = str(row["ot.effect"] or "unknown")
    known = EFFECTS[NUMBER[effect]].access if effect in NUMBER else "unknown"
    access = str(row["ot.access"] or known)
    roles = (row["source.asset.role"], row["destination.asset.role"])
    return Seen(row["source.ip"], row["destination.ip"], roles, row["network.protocol"], access, effect, int(row["total"]))


def _zones(rows: list[Seen]) -> dict[str, str]:
    """The zone of each host: its gravest role, and its network."""
    roles: defaultdict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        roles[row.source].add(row.roles[0])
        roles[row.destination].add(row.roles[1])
    role_of = {host: next((role for role in ROLES if role in known), "host") for host, known in roles.items()}
    drafts = ({host: f"{role}-{_network(host, widths)}" for host, role in role_of.items()} for widths in WIDTHS)
    return next((zones for zones in drafts if len(set(zones.values())) <= MOST_ZONES), role_of)


def _network(host: str, widths: Mapping[int, int]) -> str:
    """The host's network as part of a name: 10-20-1-0, fd00-0-0-1."""
    address = ip_address(host)
    first = ip_network(f"{host}/{widths[address.version]}", strict=False).network_address
    return _named(str(first), 4)


def _named(host: str, parts: int = 8) -> str:
    """An address, or the first parts of one of IPv6, as part of a name."""
    address = ip_address(host)
    if address.version == 4:
        return host.replace(".", "-")
    return "-".join(f"{int(part, 16):x}" for part in address.exploded.split(":")[:parts])


def _ways(rows: list[Seen], zone_of: dict[str, str]) -> dict[tuple[str, str, str], Way]:
    """By asking zone, answering zone and protocol. What a device reports by itself passes a conduit that leads to it, if there is one."""
    ways: defaultdict[tuple[str, str, str], Way] = defaultdict(Way)
    for row in sorted(rows, key=lambda row: row.access == "report"):
        key = (zone_of[row.source], zone_of[row.destination], row.protocol)
        back = (key[1], key[0], row.protocol)
        if row.access == "report" and key not in ways:
            key = back
        way = ways[key]
        way.hosts.add((row.source, row.destination) if key != back else (row.destination, row.source))
        if row.access in LOOKS:
            way.looks[row.access] += row.times
        else:
            way.acts[row.effect] += row.times
    return dict(sorted(ways.items()))


def _head(name: str) -> Iterator[str]:
    yield "# Drafted from what was seen: every zone, member and conduit here is a question to the people who run the plant."
    yield "# Delete what should not be; what is deleted becomes a finding. Give zones titles, and a target (SL-T 0 to 4) where one is set."
    yield f"policy: {name}"


def _zone_lines(members: Mapping[str, list[str]], against: Mapping[str, Doubt]) -> Iterator[str]:
    for zone in sorted(members):
        yield f"  {zone}:"
        yield "    members:"
        for host in members[zone]:
            remarks = [] if ip_address(host).is_private else ["not a private address: is it meant to be reached?"]
            if doubt := against.get(host):
                more = f" and {len(doubt.alerts) - NAMED} more" if len(doubt.alerts) > NAMED else ""
                remarks.append(f"acts in alerts that are open or were found true: {', '.join(name[:12] for name in doubt.alerts[:NAMED])}{more}")
            yield "  # ".join([f"      - '{host}'", *(["; ".join(remarks)] if remarks else [])])


def _conduit_lines(ways: Mapping[tuple[str, str, str], Way]) -> Iterator[str]:
    for (source, destination, protocol), way in ways.items():
        asking, asked = ({pair[place] for pair in way.hosts} for place in (0, 1))
        yield f"  # {_number(len(asking), 'host')} to {_number(len(asked), 'host')}, {_number(way.looks.total() + way.acts.total(), 'operation')}"
        yield f"  - from: {source}"
        yield f"    to: {destination}"
        yield f"    protocols: [{protocol}]"
        for key, counts in (("access", way.looks), ("effects", way.acts)):
            if counts:
                yield f"    {key}:"
                yield from (f"      - {what}  # {count:,}" for what, count in counts.most_common())


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _order(host: str) -> tuple[int, int]:
    address = ip_address(host)
    return address.version, int(address)
