"""What a host is for, from what it does and from its model, with how far that is to be believed; and the Purdue level that goes with it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from records.facts import Fact, current
from sensors.deeds import DAY, REPEATS, Deeds
from sensors.engine.grouping import ANSWERS, ASKS, ENGINEERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sensors.inventory import Heard

ROLE, LEVEL, SOURCE = "role", "level", "behaviour"
GOES_ROUND: Final = 2  # devices that a host reads in turn, from which on it collects
# role → confidence. What answers industrial requests is a device, whatever else it says of itself.
CONFIDENCE: Final = {"controller": 85, "engineering": 70, "gateway": 65, "hmi": 50, "historian": 45, "client": 30}
# Models that are made for one purpose, by their order numbers and their makers' names: whoever answers for such a device says what it is for.
BY_MODEL: Final = 88  # at most: more than what behaviour tells, less than a role that the device itself or a list of the plant names
MODELS: Final = {
    "controller": r"6ES7 ?[2345]1\d[- ]|CPU ?[34]1\d|CPU ?1[25]\d\d|S7-(?:300|400|1200|1500)\b|1756-L\d|1769-L\d|1785-L\d|1747-L\d|17(?:61|62|63|64|66)-L"
    r"|(?:Control|Compact|Micro)Logix|BM[EX] ?[PH] ?[35]\d|140 ?CPU|TSX ?P\d|TM2[24]1C|Modicon M(?:340|580)|\b750-8\d\d|\bCX\d{4}-0",
    "hmi": r"6AV[26]|\bKTP ?\d+|\b[TM]P ?(?:177|277|700|900|1[259]00)\b|PanelView|2711[PRCE]?-|HMI(?:GT|ST|DT)[OUI]",
    "switch": r"SCALANCE X|6GK5 ?[2345]\d\d|Stratix|1783-|Hirschmann (?:RS|MACH|BOBCAT)|EDS-\w?\d{3}",
}
_MADE_FOR: Final = {role: re.compile(pattern, re.IGNORECASE) for role, pattern in MODELS.items()}
# Purdue levels (IEC 62443, ISA-95) by role; what only carries traffic, or may stand anywhere, has none.
LEVELS: Final = {"field_device": 0, "controller": 1, "hmi": 2, "engineering": 2, "historian": 3, "server": 3}


def role_of(role: int, deeds: Deeds, lasted: int) -> str | None:
    """The role of a host by the engine's bits, by what it asked, and by how long it was there; None where it only spoke."""
    if role & ANSWERS:
        return "controller"
    if role & ENGINEERS:
        return "engineering"
    if deeds.acts:
        return "hmi" if deeds.repeats >= REPEATS else "client"
    if deeds.rounds >= GOES_ROUND and (deeds.slow or lasted >= DAY):
        return "historian"
    return "client" if role & ASKS or deeds.read else None


def behaviour(heard: Sequence[Heard], routes: bool, first: int, last: int) -> list[Fact]:
    """The facts that follow from what a host did."""
    bits, deeds = 0, Deeds()
    for each in heard:
        bits |= each.role
        deeds.join(each.deeds)
    named = [role_of(bits, deeds, last - first), "gateway" if routes else None]
    return [Fact(ROLE, role, SOURCE, CONFIDENCE[role], first, last) for role in named if role]


def made_for(facts: Iterable[Fact]) -> list[Fact]:
    """The roles that follow from models, where one of them is made for a single purpose."""
    return [
        replace(fact, name=ROLE, value=roles[0], source="model", confidence=min(BY_MODEL, fact.confidence))
        for fact in facts
        if fact.name == "model" and len(roles := [role for role, words in _MADE_FOR.items() if words.search(fact.value)]) == 1
    ]


def level_of(facts: Iterable[Fact], first: int, last: int) -> list[Fact]:
    """The level of the role that counts; a policy or a person may say otherwise, and is believed more."""
    role = current(facts).get(ROLE)
    if role is None or role.value not in LEVELS:
        return []
    return [Fact(LEVEL, str(LEVELS[role.value]), "role", role.confidence // 2, first, last)]
