"""The names that a field may hold, where there is a list of them, and which of them a text of a rule stands for."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from detectors.rulebook.detection import CLOSED
from records.plant import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence


def names_of(field: str) -> frozenset[str]:
    """What a field may hold; nothing where that may be anything."""
    return frozenset(CLOSED.get(field, ())) or _names().get(field, frozenset())


@cache
def _names() -> dict[str, frozenset[str]]:
    """By field, the names that protocols and the engine give."""
    from sensors.activities import role_text
    from sensors.engine.tables import ENGINE_ANOMALIES, TUNNELS
    from sensors.protocol import protocols

    known = protocols()
    roles = frozenset(ROLES) | {role for bits in range(256) if (role := role_text(bits))}
    return {
        "network.protocol": frozenset(one.name for one in known),
        "event.action": frozenset(function.name for one in known for function in one.functions.values()),
        "ot.error": frozenset(name for one in known for name in one.errors.values()),
        "ot.anomaly": frozenset(name for one in known for name in one.anomalies) | frozenset(ENGINE_ANOMALIES),
        "ot.object.space": frozenset(name for one in known for name in one.spaces),
        "network.tunnel.type": frozenset(name for name in TUNNELS if name),
        "source.asset.role": roles,
        "destination.asset.role": roles,
    }


def named(value: str, modifiers: Sequence[str], known: frozenset[str]) -> set[str]:
    """Which of these names a text under these modifiers (of PLAIN) stands for."""
    word = value.casefold()
    form = {"contains": f"*{word}*", "startswith": f"{word}*", "endswith": f"*{word}"}
    wanted = next((form[name] for name in modifiers if name in form), word)
    return {name for name in known if fnmatchcase(name, wanted)}
