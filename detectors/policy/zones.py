"""A policy file: zones with their members, conduits between them with what they let through. Everything wrong is said with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.policy.reading import Reading
from detectors.rulebook.problems import Fault, nearest, text
from records.effects import ACCESSES, EFFECTS
from records.model import Text
from records.plant import LEVELS

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from detectors.rulebook.document import Document
    from records.effects import Effect

Network = IPv4Network | IPv6Network

OUTSIDE: Final = "outside"  # every address that is in no zone
MOST_ZONES: Final = 40  # each pair of them is a rule
MOST_MEMBERS: Final = 5000
KEYS: Final = frozenset({"policy", "title", "title_zh", "zones", "conduits"})
ZONE_KEYS: Final = frozenset({"title", "title_zh", "members", "inside", "target", "level"})
CONDUIT_KEYS: Final = frozenset({"from", "to", "protocols", "access", "effects"})
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Zone:
    """A group of hosts that have the same needs. `inside` names the zone that it is a part of; `target` is its security level target (SL-T), 0 to 4;
    `level` its Purdue level, 0 to 5: where it has none, that of the zone around it.
    """

    name: str
    title: Text
    members: tuple[Network, ...]
    inside: str | None
    target: int | None
    line: int
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Conduit:
    """What hosts of `source` may ask of hosts of `destination`, and what these may report to them by themselves.

    `protocols`: over these alone; empty means any. `access` and `effects`: what is in either of the two is let through; both empty mean anything.
    """

    source: str
    destination: str
    protocols: tuple[str, ...]
    access: tuple[str, ...]
    effects: tuple[str, ...]
    line: int

    def lets(self, effect: Effect) -> bool:
        """Whether it lets an effect through, over one of its protocols."""
        return effect.name in self.effects or effect.access in self.access or not (self.effects or self.access)

    def carries(self, protocol: str) -> bool:
        """Whether it lets anything through over this protocol."""
        return not self.protocols or protocol in self.protocols


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; `zones` by name, in the order of the file."""

    name: str
    title: Text
    zones: Mapping[str, Zone]
    conduits: tuple[Conduit, ...]

    def above(self, name: str) -> tuple[str, ...]:
        """A zone and those that it is inside of, the innermost first."""
        found: list[str] = []
        while name in self.zones and name not in found:
            found.append(name)
            name = self.zones[name].inside or ""
        return tuple(found)

    def level(self, name: str) -> int | None:
        """The Purdue level of a zone, or of the innermost zone around it that has one."""
        return next((level for zone in self.above(name) if (level := self.zones[zone].level) is not None), None)

    def between(self, source: str, destination: str) -> tuple[Conduit, ...]:
        """The conduits that lead from one zone to another: a conduit of a zone is one of the zones inside it, too.

        Within a zone, those alone that lead from a zone to itself: a way up to the zone around it is no narrowing of what is within.
        """
        if source == destination:
            around = self.above(source)
            return tuple(conduit for conduit in self.conduits if conduit.source == conduit.destination and conduit.source in around)
        leaving, entering = self.above(source) or (source,), self.above(destination) or (destination,)
        return tuple(conduit for conduit in self.conduits if conduit.source in leaving and conduit.destination in entering)

    def lets(self, source: str, destination: str, protocol: str, effect: Effect) -> bool:
        """Whether hosts of one zone may do this to those of another: ask for it, or report what these may ask for."""
        there, back = self.between(source, destination), self.between(destination, source)
        if source == destination and (source == OUTSIDE or not there):
            return True
        asked = any(conduit.carries(protocol) and conduit.lets(effect) for conduit in there)
        return asked or (effect.access == "report" and any(conduit.carries(protocol) for conduit in back))

    def parts(self, name: str) -> tuple[Zone, ...]:
        """The zones inside a zone, however deep."""
        return tuple(zone for zone in self.zones.values() if zone.name != name and name in self.above(zone.name))


def is_name(value: Any) -> bool:
    """Whether this may be the name of a policy, a zone, or a file of classes."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_policy(data: Mapping[str, Any]) -> bool:
    """Whether a file means to be a policy and no rule."""
    return "detection" not in data and bool({"policy", "zones", "conduits"} & set(data))


def read_policy(document: Document) -> tuple[Policy | None, list[tuple[int, Fault]]]:
    """The policy of a document, or None and why."""
    reading = _Reading(document)
    policy = reading.policy()
    return (None if reading.faults else policy), reading.faults


class _Reading(Reading):
    """One policy on its way."""

    unknown = "policy-key"

    def policy(self) -> Policy:
        data = self.document.data
        self.keys(data, KEYS)
        name = self._name(data.get("policy"), "policy")
        zones = {zone.name: zone for zone in self._zones()}
        conduits = tuple(self._conduits(zones))
        self._nesting(zones)
        if not any(fault.check == "zone-cycle" for _, fault in self.faults):
            self._overlaps(Policy(name, Text(name, name), zones, conduits))
        return Policy(name, self.title(data, name), zones, conduits)

    def _zones(self) -> Iterator[Zone]:
        zones = self._map(self.document.data, "zones")
        if not zones or len(zones) > MOST_ZONES:
            self.fault(Fault("zone-number", number=len(zones), most=MOST_ZONES), "zones")
        for name, part in list(zones.items())[:MOST_ZONES]:
            path = ("zones", str(name))
            if not isinstance(part, dict):
                self.fault(Fault("zone-form", name=name), *path)
                continue
            yield self._zone(self._name(name, *path), cast("dict[str, Any]", part), path)

    def _zone(self, name: str, part: dict[str, Any], path: tuple[str, str]) -> Zone:
        self.keys(part, ZONE_KEYS, *path)
        target, level = (self._number(part, key, known, path) for key, known in (("target", range(5)), ("level", LEVELS)))
        if name == OUTSIDE:
            self.fault(Fault("zone-reserved", name=name), *path)
        members = tuple(self._members(part, path))
        inside = str(part["inside"]) if "inside" in part else None
        return Zone(name, self.title(part, name, *path), members, inside, target, self.document.line(*path), level)

    def _number(self, part: dict[str, Any], key: str, known: Container[int], path: tuple[str, str]) -> int | None:
        value: Any = part.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value in known):
            return value
        self.fault(Fault(f"zone-{key}", name=value), *path, key)
        return None

    def _members(self, part: dict[str, Any], path: tuple[str, str]) -> Iterator[Network]:
        values: Any = part.get("members", [])
        if not isinstance(values, list) or len(cast("list[Any]", values)) > MOST_MEMBERS:
            self.fault(
                Fault("zone-member", name=str(cast("object", values))[:40], detail=text("detectors.detail.members", most=MOST_MEMBERS)), *path, "members"
            )
            return
        for index, value in enumerate(cast("list[Any]", values)):
            try:
                yield ip_network(value if isinstance(value, str) else "")
            except ValueError as error:
                detail = str(error) if isinstance(value, str) else text("detectors.detail.no_text")
                self.fault(Fault("zone-member", name=str(value)[:40], detail=detail), *path, "members", index)

    def _conduits(self, zones: Mapping[str, Zone]) -> Iterator[Conduit]:
        parts: Any = self.document.data.get("conduits", [])
        if not isinstance(parts, list):
            self.fault(Fault("conduit-form"), "conduits")
            return
        for index, part in enumerate(cast("list[Any]", parts)):
            if not isinstance(part, dict) or not {"from", "to"} <= set(cast("dict[str, Any]", part)):
                self.fault(Fault("conduit-form"), "conduits", index)
                continue
            yield self._conduit(cast("dict[str, Any]", part), index, zones)

    def _conduit(self, part: dict[str, Any], index: int, zones: Mapping[str, Zone]) -> Conduit:
        path = ("conduits", index)
        self.keys(part, CONDUIT_KEYS, *path)
        for end in ("from", "to"):
            if str(part[end]) not in {*zones, OUTSIDE}:
                self.fault(Fault("zone-unknown", name=part[end], nearest=nearest(str(part[end]), {*zones, OUTSIDE})), *path, end)
        if str(part["from"]) == str(part["to"]) == OUTSIDE:
            self.fault(Fault("conduit-outside"), *path)
        return Conduit(
            str(part["from"]),
            str(part["to"]),
            self._listed(part, "protocols", path, _protocols()),
            self._listed(part, "access", path, ACCESSES),
            self._listed(part, "effects", path, tuple(effect.name for effect in EFFECTS)),
            self.document.line(*path),
        )

    def _listed(self, part: dict[str, Any], key: str, path: tuple[str, int], known: tuple[str, ...]) -> tuple[str, ...]:
        values = part.get(key, [])
        if not isinstance(values, list) or (key in part and not values):
            self.fault(Fault("conduit-list", name=key), *path, key)
            return ()
        for index, value in enumerate(cast("list[Any]", values)):
            if value not in known:
                self.fault(Fault("conduit-value", name=value, what=key, nearest=nearest(str(value), known)), *path, key, index)
        return tuple(str(value) for value in cast("list[Any]", values))

    def _nesting(self, zones: Mapping[str, Zone]) -> None:
        for zone in zones.values():
            if zone.inside is not None and zone.inside not in zones:
                self.fault(Fault("zone-unknown", name=zone.inside, nearest=nearest(str(zone.inside), zones)), "zones", zone.name, "inside")
            way, name = [zone.name], zone.inside or ""
            while name in zones and name not in way:
                way.append(name)
                name = zones[name].inside or ""
            if name == zone.name:
                self.fault(Fault("zone-cycle", name=" → ".join((*way, name))), "zones", zone.name, "inside")
            if not zone.members and all(other.inside != zone.name for other in zones.values()):
                self.fault(Fault("zone-empty", name=zone.name), "zones", zone.name)

    def _overlaps(self, policy: Policy) -> None:
        """Two networks are apart, or one is in the other: then its zone has to be inside the zone of the other."""
        every = [(member, zone, index) for zone in policy.zones.values() for index, member in enumerate(zone.members)]
        every.sort(key=lambda one: (one[0].version, int(one[0].network_address), one[0].prefixlen))
        around: list[tuple[Network, Zone]] = []
        for member, zone, index in every:
            while around and not _within(member, around[-1][0]):
                around.pop()
            for outer, other in around:
                if other.name == zone.name or other.name not in policy.above(zone.name):
                    named = {"name": member, "zone": zone.name, "other": outer, "other_zone": other.name}
                    self.fault(Fault("zone-overlap", **named), "zones", zone.name, "members", index)
                    break
            around.append((member, zone))

    def _name(self, value: Any, *path: str | int) -> str:
        if not is_name(value):
            self.fault(Fault("policy-name", name=value), *path)
        return str(value)

    def _map(self, part: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = part.get(key)
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and int(outer[0]) <= int(inner[0]) and int(inner[-1]) <= int(outer[-1])


def _protocols() -> tuple[str, ...]:
    from sensors.protocol import protocols

    return tuple(protocol.name for protocol in protocols())
