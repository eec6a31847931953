"""What passes between zones: who talks over which protocols, what is done, and whether the policies that are in force let it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dashboards import rulings
from dashboards.keeping import kept
from dashboards.queries import listed
from dashboards.reference import serving
from dashboards.talk import FIELDS, MOST_KINDS
from detectors.placing import policy_of
from detectors.policy.zones import OUTSIDE
from records.effects import EFFECTS, NUMBER
from records.query import Terms
from records.search import Match, Not, Or

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.graph import Node
    from detectors.policy.zones import Policy
    from records.query import Span
    from records.store.contract import Store

Kind = tuple[str, str, str, str, int]  # identities of both ends, protocol, effect, operations
KINDS: Final = (*FIELDS[:2], "network.protocol", FIELDS[2])


@dataclass(slots=True)
class Conduit:
    """What hosts of one zone ask of hosts of another, "" being those in none. `talks`: who asks whom; `barred`: effects that a policy does not let through.

    `judged`: whether a policy has both zones.
    """

    source: str
    destination: str
    judged: bool
    talks: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    protocols: dict[str, int] = field(default_factory=dict[str, int])
    effects: dict[str, int] = field(default_factory=dict[str, int])
    barred: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def count(self) -> int:
        """Operations."""
        return sum(self.effects.values())


def conduits(store: Store, span: Span, nodes: Sequence[Node], own: Mapping[str, str]) -> list[Conduit]:
    """The conduits of a time, what is barred first, then busiest first; none where no asset has a zone."""
    zones = {node.id: node.zone or "" for node in nodes}
    if not any(zones.values()):
        return []
    return between(kept(store, ("activity",), _kinds, span), zones, own, policies(store))


def between(kinds: Sequence[Kind], zones: Mapping[str, str], own: Mapping[str, str], in_force: Sequence[Policy]) -> list[Conduit]:
    """Kinds of operations by the zones of their ends."""
    made: dict[tuple[str, str], Conduit] = {}
    for one, other, protocol, effect, count in kinds:
        ends = own.get(one, one), own.get(other, other)
        source, destination = (zones.get(end, "") for end in ends)
        if source == destination:
            continue
        judging = [policy for policy in in_force if {source, destination} <= {*policy.zones, ""}]
        conduit = made.setdefault((source, destination), Conduit(source, destination, bool(judging)))
        conduit.talks.add(ends)
        conduit.protocols[protocol] = conduit.protocols.get(protocol, 0) + count
        conduit.effects[effect] = conduit.effects.get(effect, 0) + count
        known = EFFECTS[NUMBER.get(effect, NUMBER["unknown"])]
        if not all(policy.lets(source or OUTSIDE, destination or OUTSIDE, protocol, known) for policy in judging):
            conduit.barred[effect] = conduit.barred.get(effect, 0) + count
    return sorted(made.values(), key=lambda conduit: (not conduit.barred, -conduit.count, conduit.source, conduit.destination))


def policies(store: Store) -> list[Policy]:
    """The policies that the store was judged by last."""
    book = rulings.in_force(store)
    files = book.version.files.values() if book else ()
    return [policy for text in files if (policy := policy_of(text.encode("utf-8", "surrogateescape")))]


def _kinds(store: Store, span: Span) -> list[Kind]:
    known = Not(Or(tuple(Match("network.protocol", name, cased=True) for name in serving())))
    rows = listed(store.terms("activity", span.query(known), Terms(KINDS, MOST_KINDS, "ot.count")))
    return [(*(str(row[name] or "") for name in KINDS), int(row["total"] or 0)) for row in rows]  # pyright: ignore[reportReturnType] - a tuple of four
