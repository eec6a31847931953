"""What of IEC 60870-5-104 was asked and waits for its confirmation, and for its termination (IEC 60870-5-101:2003, 6.8)."""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.iec104 import UNSOLICITED
from sensors.engine.contexts import context, find
from sensors.engine.octets import inline, kernel
from sensors.engine.tables import AFTER_GAP, FAILURE, SECOND

BROADCAST: Final = 0xFFFF  # … and what has no unit
PATIENCE: Final = 15 * SECOND  # t1
NEVER, LATELY, ANSWERED = 0, 1, 2
# Contexts, by connection, and type, station and object. a: times asked, b: times answered, c: when last asked, d: activations that were neither terminated
# nor refused.
ASKED: Final = 10402


@inline
def _about(kind: int, unit: int, address: int) -> int:
    return kind << 40 | (unit & BROADCAST) << 24 | address


@kernel
def ask(contexts: Any, joints: Any, message: Any, kind: int, address: int, activates: int, row: Any) -> None:
    """This awaits a confirmation; the same may be asked again before the first is confirmed, so requests are numbered.

    `activates`: 1 where it is what a termination may end.
    """
    number = context(contexts, joints, ASKED, message.connection, _about(kind, row.unit, address), message.clock)
    asked = contexts[number]
    if message.clock - asked.c > PATIENCE:
        asked.b = asked.a
    asked.a += 1
    asked.c = message.clock
    asked.d += activates
    row.transaction = (number + 1) << 16 | asked.a & 0xFFFF


@kernel
def answer(contexts: Any, joints: Any, message: Any, kind: int, unit: int, address: int, row: Any) -> int:
    """This confirms what was asked first and not confirmed yet: ANSWERED; LATELY where all of it is confirmed, NEVER where nothing was asked of late."""
    number = context(contexts, joints, ASKED, message.connection, _about(kind, unit, address), message.clock)
    asked = contexts[number]
    if asked.b >= asked.a:
        return LATELY if asked.a > 0 and message.clock - asked.c <= PATIENCE else NEVER
    asked.b = asked.a if message.marks & AFTER_GAP else asked.b + 1  # of several, those before it may be lost
    asked.d -= 1 if row.outcome == FAILURE and asked.d > 0 and unit != BROADCAST else 0
    row.transaction = (number + 1) << 16 | asked.b & 0xFFFF
    return ANSWERED


@kernel
def is_open(contexts: Any, message: Any, kind: int, unit: int, address: int) -> int:
    """The context of what was activated there and is not terminated; -1: nothing is."""
    number = find(contexts, ASKED, message.connection, _about(kind, unit, address))
    return number if number >= 0 and contexts[number].d > 0 else -1


@kernel
def terminate(contexts: Any, message: Any, kind: int, talk: Any, row: Any) -> None:
    """This ends what was activated at this station, or at all of them, of which each ends it (5-101, 6.8): else nobody asked for it."""
    number = is_open(contexts, message, kind, row.unit, max(row.first, 0))
    if number >= 0:
        contexts[number].d -= 1 if row.unit != BROADCAST else 0
    elif is_open(contexts, message, kind, BROADCAST, max(row.first, 0)) < 0 and talk.j and message.marks & AFTER_GAP == 0:
        row.anomaly |= UNSOLICITED
