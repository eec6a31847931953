"""What a protocol remembers from message to message: numbers under two keys, and octets of a message that comes in parts.

Bounded: a context lies in a bucket, where the one that was silent longest gives way. Octets that are joined lie in a region of the arena that lasts
until the operations of these messages have left.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import LOWER_HALF, copy, inline, kernel, mix, put
from sensors.engine.tables import CONTEXT, JOINTS, table

CONTEXTS: Final = 1 << 13
BUCKET: Final = 8
HELD_OCTETS: Final = 4096  # that one context may keep
HELD_EACH: Final = HELD_OCTETS + 64  # from one to the next: a power of two would put all their beginnings into the same few lines of a cache
JOINED_OCTETS: Final = 1 << 22
OCTETS: Final = JOINED_OCTETS + CONTEXTS * HELD_EACH


def context_tables(place: int, rows: int = CONTEXTS, joined_octets: int = JOINED_OCTETS) -> tuple[Any, Any]:
    """(contexts, joints); their octets lie in the arena from `place` on: `joined_octets`, then HELD_EACH a row. `rows` is a power of two."""
    contexts, joints = table(rows, CONTEXT), table(1, JOINTS)
    contexts.tag = -1
    joints.begin_at = joints.fill_at = place
    joints.end = joints.buffers = place + joined_octets
    return contexts, joints


@kernel
def context(contexts: Any, joints: Any, tag: int, first: int, second: int, clock: int) -> int:
    """The context of these two numbers in the protocol that has this tag; a new one is zero and `fresh`."""
    start = (mix(first << 8 ^ tag, second) & LOWER_HALF) * BUCKET & len(contexts) - 1
    oldest = start
    for number in range(start, start + BUCKET):
        row = contexts[number]
        if row.tag == tag and row.first == first and row.second == second:
            row.used = clock
            return number
        if row.tag < 0:
            oldest = number
            break
        if row.used < contexts[oldest].used:
            oldest = number
    row = contexts[oldest]
    joints[0].shed += 1 if row.filled > 0 else 0
    joints[0].held -= row.filled
    row.tag, row.first, row.second, row.used = tag, first, second, clock
    row.filled, row.fresh = 0, 1
    row.a = row.b = row.c = row.d = row.e = row.f = row.g = row.h = row.i = row.j = row.k = row.l = 0
    return oldest


@kernel
def find(contexts: Any, tag: int, first: int, second: int) -> int:
    """The context of these two numbers, -1 where there is none: none is made."""
    start = (mix(first << 8 ^ tag, second) & LOWER_HALF) * BUCKET & len(contexts) - 1
    for number in range(start, start + BUCKET):
        row = contexts[number]
        if row.tag == tag and row.first == first and row.second == second:
            return number
        if row.tag < 0:
            return -1
    return -1


@kernel
def append(memory: Any, contexts: Any, number: int, joints: Any, at: int, octets: int) -> bool:
    """Keep these octets behind those that the context holds; false where they are too many."""
    row = contexts[number]
    if octets < 0 or at < 0 or at + octets > len(memory) or row.filled + octets > HELD_OCTETS:
        return False
    copy(memory, joints[0].buffers + number * HELD_EACH + row.filled, at, octets)
    row.filled += octets
    joints[0].held += octets
    return True


@inline
def held(contexts: Any, number: int, joints: Any) -> tuple[int, int]:
    """(place, octets) of what the context holds, where it lies until more is added or it is dropped."""
    return joints[0].buffers + number * HELD_EACH, int(contexts[number].filled)


@kernel
def drop(contexts: Any, number: int, joints: Any) -> None:
    """Forget the octets that the context holds."""
    joints[0].held -= contexts[number].filled
    contexts[number].filled = 0


@kernel
def joined(memory: Any, contexts: Any, number: int, joints: Any) -> tuple[int, int]:
    """(place, octets) of all that the context held, side by side until its operations have left; place -1 where there is no room. It holds nothing then."""
    row, joint = contexts[number], joints[0]
    octets, place = int(row.filled), int(joint.fill_at)
    drop(contexts, number, joints)
    if place + octets > joint.end:
        joint.shed += 1
        return -1, 0
    copy(memory, place, joint.buffers + number * HELD_EACH, octets)
    joint.fill_at = place + octets
    return place, octets


@inline
def begin_text(joints: Any) -> int:
    """Where a text begins that is composed of parts."""
    return int(joints[0].fill_at)


@kernel
def put_octet(memory: Any, joints: Any, octet: int) -> None:
    """Add one octet to the text."""
    joint = joints[0]
    if joint.fill_at < joint.end:
        put(memory, joint.fill_at, octet)
        joint.fill_at += 1


@kernel
def put_octets(memory: Any, joints: Any, at: int, octets: int) -> None:
    """Add octets of memory to the text."""
    joint = joints[0]
    if at >= 0 and octets > 0 and at + octets <= len(memory) and joint.fill_at + octets <= joint.end:
        copy(memory, joint.fill_at, at, octets)
        joint.fill_at += octets


@kernel
def put_number(memory: Any, joints: Any, number: int) -> None:
    """Add a number of zero or more, in decimal."""
    power = 1
    while power <= number // 10:
        power *= 10
    while power > 0:
        put_octet(memory, joints, 48 + number // power % 10)
        power //= 10


@inline
def end_text(row: Any, place: int, joints: Any) -> None:
    """The text that began at `place` is the name of what this operation is about."""
    row.name_at, row.name_octets = place, joints[0].fill_at - place
