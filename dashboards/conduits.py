"""What passes between zones: who talks over which protocols, what is done, and whether the policies that are in force let it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboards import rulings
from dashboards.talk import COMPUTE, ENDS, KIND, added, named
from detectors.placing import policy_of
from detectors.policy.zones import OUTSIDE
from records.effects import EFFECTS, NUMBER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from detectors.graph import Node
    from detectors.policy.zones import Policy
    from records.store.contract import Store


@dataclass(slots=True)
class Conduit:
    """What hosts of one zone ask of hosts of another, "" being those in none. `talks`: how many pairs of them.

    `barred`: effects that a policy does not let through. `judged`: whether a policy has both zones.
    """

    source: str
    destination: str
    judged: bool
    talks: int = 0
    protocols: dict[str, int] = field(default_factory=dict[str, int])
    effects: dict[str, int] = field(default_factory=dict[str, int])
    barred: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def count(self) -> int:
        """Operations."""
        return sum(self.effects.values())


def conduits(store: Store, rows: pa.Table, nodes: Sequence[Node], own: Mapping[str, str]) -> list[Conduit]:
    """The conduits of what was asked (see `dashboards.talk`), what is barred first, then busiest first; none where no asset has a zone."""
    zones = {node.id: node.zone or "" for node in nodes}
    return between(rows, zones, own, policies(store)) if any(zones.values()) else []


def between(rows: pa.Table, zones: Mapping[str, str], own: Mapping[str, str], in_force: Sequence[Policy]) -> list[Conduit]:
    """Kinds of operations by the zones of their ends."""
    made: dict[tuple[str, str], Conduit] = {}
    known = named(rows, own)
    for source, destination, protocol, effect, count in _crossing(added(named(known, zones, ""), KIND)):
        judging = [policy for policy in in_force if {source, destination} <= {*policy.zones, ""}]
        conduit = made.setdefault((source, destination), Conduit(source, destination, bool(judging)))
        conduit.protocols[protocol] = conduit.protocols.get(protocol, 0) + count
        conduit.effects[effect] = conduit.effects.get(effect, 0) + count
        does = EFFECTS[NUMBER.get(effect, NUMBER["unknown"])]
        if not all(policy.lets(source or OUTSIDE, destination or OUTSIDE, protocol, does) for policy in judging):
            conduit.barred[effect] = conduit.barred.get(effect, 0) + count
    for source, destination, *_ in _crossing(named(added(known, ENDS), zones, "")):  # a row for two who talk
        made[source, destination].talks += 1
    return sorted(made.values(), key=lambda conduit: (not conduit.barred, -conduit.count, conduit.source, conduit.destination))


def _crossing(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Those rows, as Python's, whose ends are of two zones."""
    crossing = rows.filter(COMPUTE.not_equal(*(rows.column(name) for name in ENDS)))
    return list(zip(*(crossing.column(name).to_pylist() for name in crossing.column_names), strict=True))


def policies(store: Store) -> list[Policy]:
    """The policies that the store was judged by last."""
    book = rulings.in_force(store)
    files = book.version.files.values() if book else ()
    return [policy for text in files if (policy := policy_of(text.encode("utf-8", "surrogateescape")))]
