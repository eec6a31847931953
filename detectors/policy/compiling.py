"""A policy to rules: one for each pair of zones between which not everything is allowed.

Within a zone all is free unless a conduit leads from it to itself. Addresses that no zone holds are `outside`.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from detectors.phrases import deed
from detectors.policy.zones import OUTSIDE
from detectors.rulebook.detection import clause
from detectors.rulebook.document import Document
from detectors.rulebook.predicates import Either, Not, every
from detectors.rulebook.problems import text
from detectors.rulebook.rule import Adjustment, Rule
from records.effects import EFFECTS
from records.model import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.policy.zones import Conduit, Network, Policy, Zone
    from detectors.rulebook.match import Predicate

# A target says how much protection a zone is worth (IEC 62443-3-2): so much does a breach of it weigh.
LEVELS: Final = {None: "medium", 0: "low", 1: "low", 2: "medium", 3: "high", 4: "high"}
ACTS: Final = ("write", "command")
LASTS: Final = ("program", "configure", "file")
TECHNIQUE: Final = "T0886"
ENDS: Final = {"from": "source.ip", "to": "destination.ip"}
GROUPS: Final = ("0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")  # no host outside: nobody, groups, everybody on the link
STRANGERS: Final = ("203.0.113.9", "198.51.100.9", "192.0.2.9", "10.255.255.9", "172.31.255.9", "192.168.255.9")


class Pair(NamedTuple):
    """Two zones, the conduits from one to the other, and those the other way, by which the second may be told what it may ask for."""

    source: str
    destination: str
    conduits: tuple[Conduit, ...]
    back: tuple[Conduit, ...]


def pairs(policy: Policy) -> Iterator[Pair]:
    """Every pair of zones of which something is forbidden."""
    names = [*(zone.name for zone in policy.zones.values() if zone.members), OUTSIDE]
    for source in names:
        for destination in names:
            there, back = policy.between(source, destination), policy.between(destination, source)
            free = source == destination and (source == OUTSIDE or not there)
            if not free and not any(_open(conduit) for conduit in there):
                yield Pair(source, destination, there, back)


def compiled(policy: Policy, file: str) -> list[Rule]:
    """The rules of a policy, as those that `rule_data` gives; what many of them ask is compiled once."""
    found = list(pairs(policy))
    names = {name for pair in found for name in (pair.source, pair.destination)}
    ends = {(name, end): _end(policy, name, end) for name in names for end in ENDS}
    adjustments = tuple(_adjustment(part) for part in _scores())
    return [_rule(policy, pair, file, (ends[pair.source, "from"], ends[pair.destination, "to"]), adjustments) for pair in found]


def rule_data(policy: Policy, pair: Pair, file: str) -> dict[str, Any]:
    """The rule of a pair as a rule file would have it."""
    title, description, normal = _title(policy, pair), _description(policy, pair), _allowed(policy, pair)
    respond = text("detectors.policy.respond", file=file, **_ends(policy, pair))
    data: dict[str, Any] = {
        "title": title.en, "title_zh": title.zh, "id": f"{policy.name}-{pair.source}-to-{pair.destination}", "status": "experimental",
        "description": description.en, "description_zh": description.zh, "tags": [f"attack.{TECHNIQUE.lower()}"], "logsource": {"product": "balefire"},
        "detection": _detection(policy, pair), "level": level(policy, pair),
        "score": [{"when": {"ot.access": list(access)}, "value": value, "en": name.en, "zh": name.zh} for access, value, name in _scores()],
        "normal": {"en": normal.en, "zh": normal.zh},
        "misses": [_both(text("detectors.policy.misses"))],
        "respond": [_both(respond)],
    }  # fmt: skip
    cases = _cases(policy, pair)
    return data | ({"tests": cases} if cases else {})


def level(policy: Policy, pair: Pair) -> str:
    """By the higher target of the two zones."""
    targets = [zone.target for name in (pair.source, pair.destination) if (zone := policy.zones.get(name)) and zone.target is not None]
    return LEVELS[max(targets, default=None)]


def _rule(policy: Policy, pair: Pair, file: str, ends: tuple[Predicate, Predicate], adjustments: tuple[Adjustment, ...]) -> Rule:
    data = rule_data(policy, pair, file.rpartition("/")[2])
    allowed: list[dict[str, Any]] = data["detection"].get("allowed", [])
    return Rule(
        id=data["id"],
        file=file,
        title=Text(data["title"], data["title_zh"]),
        description=Text(data["description"], data["description_zh"]),
        level=data["level"],
        techniques=(TECHNIQUE,),
        match=every((*ends, Not(_clause(allowed))) if allowed else ends),
        fields=frozenset({*ENDS.values(), *(field for part in allowed for field in part)}),
        key=tuple(ENDS.values()),
        adjustments=adjustments,
        misses=tuple(Text(**part) for part in data["misses"]),
        respond=tuple(Text(**part) for part in data["respond"]),
        normal=Text(**data["normal"]),
        cases=(),
    )


def _end(policy: Policy, name: str, end: str) -> Predicate:
    """Rows of which one end is in a zone."""
    inside, besides = _ends_of(policy, name, end)
    return every((_clause(inside), Not(_clause(besides)))) if besides else _clause(inside)


def _clause(definition: Any) -> Predicate:
    return clause(Document({}), (), definition).match or Either(())


def _adjustment(part: tuple[tuple[str, ...], int, Text]) -> Adjustment:
    access, value, name = part
    return Adjustment(name, float(value), _clause({"ot.access": list(access)}))


def _detection(policy: Policy, pair: Pair) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    wanted: list[str] = []
    unwanted: list[str] = []
    for end, name in (("from", pair.source), ("to", pair.destination)):
        wanted.append(end)
        parts[end], besides = _ends_of(policy, name, end)
        if besides:
            parts[f"not-{end}"] = besides
            unwanted.append(f"not-{end}")
    allowed = [part for conduit in pair.conduits for part in _passes(conduit)]
    reports = [_over(conduit, {"ot.access": "report"}) for conduit in pair.back]
    if allowed or reports:
        parts["allowed"] = [*allowed, *reports]
        unwanted.append("allowed")
    condition = " and ".join([*wanted, f"not ({' or '.join(unwanted)})"] if unwanted else wanted)
    return {**parts, "condition": condition}


def _ends_of(policy: Policy, name: str, end: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two maps of a detection: the networks of a zone, and those within them that are another zone's; of outside, any address, and every zone's networks."""
    field = ENDS[end]
    others = policy.zones.values() if name == OUTSIDE else policy.parts(name)
    besides = [*(str(member) for zone in others for member in zone.members), *(GROUPS if name == OUTSIDE else ())]
    inside = {f"{field}|exists": True} if name == OUTSIDE else {f"{field}|cidr": [str(member) for member in policy.zones[name].members]}
    return inside, {f"{field}|cidr": besides} if besides else {}


def _passes(conduit: Conduit) -> list[dict[str, Any]]:
    """What a conduit lets through, as alternatives of a detection."""
    kinds = {"ot.access": conduit.access, "ot.effect": conduit.effects}
    return [_over(conduit, {field: list(values)}) for field, values in kinds.items() if values] or [_over(conduit, {})]


def _over(conduit: Conduit, what: dict[str, Any]) -> dict[str, Any]:
    return what | ({"network.protocol": list(conduit.protocols)} if conduit.protocols else {})


def _open(conduit: Conduit) -> bool:
    return not (conduit.protocols or conduit.access or conduit.effects)


def _scores() -> tuple[tuple[tuple[str, ...], int, Text], ...]:
    return (ACTS, 15, text("detectors.policy.acts")), (LASTS, 25, text("detectors.policy.lasts"))


def _both(words: Text) -> dict[str, str]:
    return {"en": words.en, "zh": words.zh}


def _ends(policy: Policy, pair: Pair) -> dict[str, Text]:
    return {"zone": _called(policy, pair.source), "other": _called(policy, pair.destination)}


def _called(policy: Policy, name: str) -> Text:
    zone: Zone | None = policy.zones.get(name)
    return text("detectors.policy.outside") if zone is None else text("detectors.policy.zone", name=zone.title)


def _title(policy: Policy, pair: Pair) -> Text:
    return text(f"detectors.policy.{'breach' if pair.conduits else 'missing'}", source="{source}", destination="{destination}", **_ends(policy, pair))


def _description(policy: Policy, pair: Pair) -> Text:
    return text(f"detectors.policy.{'narrow' if pair.conduits else 'none'}", policy=policy.title, **_ends(policy, pair))


def _allowed(policy: Policy, pair: Pair) -> Text:
    if not pair.conduits:
        return text("detectors.policy.nothing", **_ends(policy, pair))
    parts = [_told(conduit) for conduit in pair.conduits]
    return text("detectors.policy.only", allowed=Text("; ".join(part.en for part in parts), "；".join(part.zh for part in parts)), **_ends(policy, pair))


def _told(conduit: Conduit) -> Text:
    """What a conduit lets through, in words."""
    parts = [*(text(f"access.{name}") for name in conduit.access), *(Text(deed(name, "en"), deed(name, "zh")) for name in conduit.effects)]
    words = Text(", ".join(part.en for part in parts), "、".join(part.zh for part in parts)) if parts else text("detectors.policy.anything")
    return text("detectors.policy.over", what=words, protocols=", ".join(conduit.protocols)) if conduit.protocols else words


def _cases(policy: Policy, pair: Pair) -> dict[str, Any] | None:
    """Cases for whoever copies the rule: one that breaks the policy, one with the ends exchanged or, within a zone, one that the policy allows."""
    here, there = _address(policy, pair.source), _address(policy, pair.destination)
    effect = next((effect.name for effect in EFFECTS if effect.access != "report" and not any(each.lets(effect) for each in pair.conduits)), None)
    if here is None or there is None or (effect is None and not pair.conduits[0].protocols):
        return None
    ends = {"source.ip": here, "destination.ip": there}
    forbidden: dict[str, Any] = {"ot.effect": effect} if effect else {"network.protocol": "none"}
    elsewhere = _address(policy, OUTSIDE) if OUTSIDE not in pair else None
    quiet: list[dict[str, Any]] = [{"source.ip": None, "destination.ip": there} | forbidden]
    if elsewhere:
        quiet.append({"source.ip": elsewhere, "destination.ip": there} | forbidden)
    return {"fires": [ends | forbidden], "quiet": quiet}


def _address(policy: Policy, name: str) -> str | None:
    """An address of a zone, or of none."""
    if name == OUTSIDE:
        every = [member for zone in policy.zones.values() for member in zone.members]
        return next((one for one in STRANGERS if not _in(one, every)), None)
    others = [member for part in policy.parts(name) for member in part.members]
    for member in policy.zones[name].members:
        for address in (member[0], member[min(1, member.num_addresses - 1)], member[-1]):
            if not _in(str(address), others):
                return str(address)
    return None


def _in(address: str, networks: list[Network]) -> bool:
    found = ip_address(address)
    return any(found.version == network.version and found in network for network in networks)
