"""What a host is for, from what it does, with how far that is to be believed; and the Purdue level that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from records.facts import Fact, current
from sensors.engine.grouping import ACTS, ANSWERS, ASKS, ENGINEERS, READS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sensors.inventory import Heard

ROLE, LEVEL, SOURCE = "role", "level", "behaviour"
READS_MANY: Final = 3  # devices that a host only reads values from, from which on it rather collects than operates
# role → confidence. What answers industrial requests is a device, whatever else it says of itself.
CONFIDENCE: Final = {"controller": 85, "engineering": 70, "gateway": 65, "hmi": 50, "historian": 45, "client": 30}
# Purdue levels (IEC 62443, ISA-95) by role; what only carries traffic, or may stand anywhere, has none.
LEVELS: Final = {"controller": 1, "hmi": 2, "engineering": 2, "historian": 3, "server": 3}


def role_of(role: int, asked: int) -> str | None:
    """The role of a host by the engine's bits and the number of devices that it asked; None where it only spoke."""
    if role & ANSWERS:
        return "controller"
    if role & ENGINEERS:
        return "engineering"
    if role & ACTS:
        return "hmi"
    if role & ASKS:
        return "historian" if role & READS and asked >= READS_MANY else "client"
    return None


def behaviour(heard: Sequence[Heard], routes: bool, first: int, last: int) -> list[Fact]:
    """The facts that follow from what a host did."""
    bits, asked = 0, set[str]()
    for each in heard:
        bits |= each.role
        asked |= each.asked
    named = [role_of(bits, len(asked)), "gateway" if routes else None]
    return [Fact(ROLE, role, SOURCE, CONFIDENCE[role], first, last) for role in named if role]


def level_of(facts: Iterable[Fact], first: int, last: int) -> list[Fact]:
    """The level of the role that counts; a policy or a person may say otherwise, and is believed more."""
    role = current(facts).get(ROLE)
    if role is None or role.value not in LEVELS:
        return []
    return [Fact(LEVEL, str(LEVELS[role.value]), "role", role.confidence // 2, first, last)]
