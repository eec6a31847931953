"""What is dissected together, and in which order its operations go on: numbers of rows instead of rows that are copied.

Messages are taken in the order in which they came, as many as their operations and samples find room for; of each protocol all at once. Their operations
go on in the order of messages, those of a payload in the place of the operation that carried it.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import LEAST_ROWS, OPERATION_OCTETS, SAMPLE_OCTETS
from sensors.engine.octets import borrow, entry, inline

DEEP: Final = 8  # protocols that may stand on one another, and more


@inline
def _bound(length: int, most: int, joins: int, trusted: bool, octets: int) -> int:
    """Rows that a message may come to: no more than its protocol says, and than its octets hold, those that it completes aside."""
    if not trusted:
        return most
    rows = LEAST_ROWS + length // octets
    return rows if joins else min(rows, most)


@entry
def choose(
    messages: Any, first: int, count: int, most: Any, most_samples: Any, joins: Any, held: int, room: int, sample_room: int, which: Any, ends: Any,
) -> int:  # fmt: skip
    """How far messages[first:count] find room; `which` gets their numbers by protocol: those of protocol p end at ends[p].

    `held`: octets of parts that wait, whose rows come with the message that completes them. The first message is always taken: it alone has room.
    """
    messages, most, most_samples, joins, which, ends = borrow(messages), borrow(most), borrow(most_samples), borrow(joins), borrow(which), borrow(ends)
    rows, samples = held // OPERATION_OCTETS, held // SAMPLE_OCTETS
    trusted, trusted_samples = rows <= room // 2, samples <= sample_room // 2
    rows, samples = rows if trusted else 0, samples if trusted_samples else 0
    for p in range(len(ends)):
        ends[p] = 0
    last = first
    while last < count:
        message = messages[last]
        p = message.protocol
        rows += _bound(message.length, most[p], joins[p], trusted, OPERATION_OCTETS)
        samples += _bound(message.length, most_samples[p], joins[p], trusted_samples, SAMPLE_OCTETS)
        if last > first and (rows > room or samples > sample_room):
            break
        ends[p] += 1
        last += 1
    begin = 0
    for p in range(len(ends)):
        ends[p], begin = begin, begin + ends[p]
    for i in range(first, last):
        p = messages[i].protocol
        which[ends[p]] = i
        ends[p] += 1
    return last


@inline
def _note_rows(start: int, used: int, operations: Any, begins: Any, numbers: Any) -> None:
    """Where the operations of each message begin, and how many there are: they stand one behind the other."""
    for i in range(start, used):
        number = operations[i].message
        if numbers[number] == 0:
            begins[number] = i
        numbers[number] += 1


@entry
def arrange(
    first: int, last: int, base: int, filled: int, used: int, operations: Any, above: Any, begins: Any, numbers: Any, order: Any, waiting: Any,
) -> int:  # fmt: skip
    """`order` of operations[:used], which are of messages[first:last] and of those that they carried, messages[base:filled]; returns how many go on.

    above[i] is the message that operation i carried, -1 for none; where it came to no operation, the one that carried it stays. `waiting`: room for `DEEP`
    pairs.
    """
    operations, above, begins, numbers = borrow(operations), borrow(above), borrow(begins), borrow(numbers)
    order, waiting = borrow(order), borrow(waiting)
    for i in range(first, last):
        numbers[i] = 0
    for i in range(base, filled):
        numbers[i] = 0
    _note_rows(0, used, operations, begins, numbers)
    done = 0
    for message in range(first, last):
        deep, at, end = 0, begins[message], begins[message] + numbers[message]
        if numbers[message] == 0:
            continue
        while True:
            if at == end:
                if deep == 0:
                    break
                deep -= 1
                at, end = waiting[2 * deep], waiting[2 * deep + 1]
                continue
            upper = above[at] if filled > base else -1
            at += 1
            if upper >= 0 and numbers[upper] > 0 and deep < DEEP:
                waiting[2 * deep], waiting[2 * deep + 1] = at, end
                deep += 1
                at, end = begins[upper], begins[upper] + numbers[upper]
            else:
                order[done] = at - 1
                done += 1
    return done
