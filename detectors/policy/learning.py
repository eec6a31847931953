"""A policy drafted from what was seen: zones by role and network, conduits with what passed between them, and how often."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from detectors.policy.zones import MOST_ZONES
from records.effects import EFFECTS, NUMBER
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


def unsettled(store: Store, since: int | None, until: int | None) -> int:
    """How many alerts of this time nobody has closed, or were closed as true: what they show would be allowed."""
    during = [Range("last", since, None)] if since is not None else []
    during += [Range("first", None, until, include_high=False)] if until is not None else []
    return store.count("alert", Query(where=And((Or((Not(Match("status", "closed")), Match("verdict", "true"))), *during))))


def draft(name: str, found: Iterable[Seen]) -> str:
    """The policy as text. Judged by it, what was found breaks nothing."""
    rows = list(found)
    zone_of = _zones(rows)
    members: defaultdict[str, list[str]] = defaultdict(list)
    for host in sorted(zone_of, key=_order):
        members[zone_of[host]].append(host)
    return "\n".join((*_head(name), "zones:", *_zone_lines(members), *_conduit_lines(_ways(rows, zone_of)))) + "\n"


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
    if address.version == 4:
        return str(first).replace(".", "-")
    return "-".join(f"{int(part, 16):x}" for part in first.exploded.split(":")[:4])


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


def _zone_lines(members: dict[str, list[str]]) -> Iterator[str]:
    for zone in sorted(members):
        yield f"  {zone}:"
        yield "    members:"
        for host in members[zone]:
            yield f"      - '{host}'{'' if ip_address(host).is_private else '  # not a private address: is it meant to be reached?'}"


def _conduit_lines(ways: dict[tuple[str, str, str], Way]) -> Iterator[str]:
    yield "conduits:"
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
