"""Variables of S7comm: items that are read, written and told again and again, a row each; an answer is about what was asked, which is kept until then."""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.s7comm import BAD_COUNT, BAD_LENGTH, SHORT, TRAILING_BYTES
from sensors.codes.s7items import GOOD, add_answer, add_written, fail, next_item, read_item
from sensors.engine.contexts import append, context, drop, find, held
from sensors.engine.dissecting import most_rows, open_row
from sensors.engine.octets import inline, kernel, u8, u16be
from sensors.engine.tables import REQUEST, RESPONSE, SUCCESS, UNANSWERED

READ: Final = 4  # function of a read
TAG: Final = 50
SLOTS: Final = 16  # requests of a connection that are remembered at once
SLOT_KEY, CYCLIC_KEY = 1 << 20, 3 << 20
MOST_ITEMS: Final = 64  # rows of a message: the last one counts what follows
MOST_VALUES: Final = 256


@inline
def asks(row: Any) -> None:
    """Whatever side it is from: what a partner asks that is called is a report that awaits its answer, once all is read."""
    row.role, row.outcome = REQUEST, UNANSWERED


@inline
def answers(row: Any) -> None:
    """Whatever side it is from."""
    row.role, row.outcome = RESPONSE, SUCCESS


@inline
def slot(transaction: int) -> int:
    """Under which number a request of a connection is remembered: few of them, so that what is near stays near."""
    return SLOT_KEY | transaction & 4 * SLOTS - 1


@kernel
def open_item(operations: Any, used: int, index: int, message: Any, sampled: int, first: Any, part: int) -> Any:
    """The row of a further item: what the first one says of the message."""
    row = operations[used + part]
    if part > 0:
        open_row(row, index, message, sampled)
        row.code, row.role, row.transaction, row.part, row.effect = first.code, first.role, first.transaction, part, first.effect
        row.outcome = UNANSWERED if row.role != RESPONSE else SUCCESS
        row.anomaly = first.anomaly & (BAD_LENGTH | TRAILING_BYTES | SHORT)
    return row


@kernel
def remember(memory: Any, message: Any, row: Any, items: int, at: int, end: int, contexts: Any, joints: Any) -> int:
    """Keep what a request asks for until its answer comes; returns the number of the context."""
    number = context(contexts, joints, TAG, message.connection, slot(row.transaction), message.clock)
    drop(contexts, number, joints)
    waits = contexts[number]
    waits.a, waits.b, waits.c = row.transaction + 1, row.code, items
    if end > at and not append(memory, contexts, number, joints, at, end - at):
        waits.a = 0
    return number


@inline
def recall(message: Any, transaction: int, contexts: Any) -> int:
    """The context of this request, -1 where it is not known."""
    number = find(contexts, TAG, message.connection, slot(transaction))
    return number if number >= 0 and contexts[number].a == transaction + 1 else -1


@kernel
def read_items(
    memory: Any, index: int, message: Any, at: int, end: int, data: int, stop: int, items: int, write: bool, operations: Any, used: int, samples: Any,
    sampled: int,
) -> int:  # fmt: skip
    """The items of a request from `at` on, with their values from `data` on where it writes; returns how many rows they are."""
    first = operations[used]
    start, rows = sampled, min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    if items == 0:
        first.anomaly |= BAD_COUNT
        return 1
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        row.effect = -1
        asked = read_item(memory, at, end, row, write)
        at = next_item(memory, at, end, row)
        if write and row.short == 0:
            data = add_written(memory, data, stop, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    return rows


@kernel
def read_answers(
    memory: Any, index: int, message: Any, at: int, stop: int, items: int, kept: int, code: int, operations: Any, used: int, samples: Any, sampled: int,
    contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """The items of an answer or report, each with its return code; `kept`: the context that holds what was asked (-1: none). Returns how many rows they are."""
    first = operations[used]
    start, rows = sampled, min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    place, octets = (0, 0) if kept < 0 else held(contexts, kept, joints)
    end = place + octets
    if items == 0:
        first.anomaly |= BAD_COUNT
        return 1
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        asked = 0
        if place + 12 <= end and code == READ:
            known = row.anomaly  # what is wrong with the request is told there
            asked = read_item(memory, place, end, row, False)
            place = next_item(memory, place, end, row)
            row.anomaly, row.short = known, 0
        if code == READ:
            at = add_answer(memory, at, stop, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        else:
            good = u8(memory, at, stop, row)
            if good != GOOD and row.short == 0:
                fail(row, good)
            at += 1
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    return rows


@kernel
def read_cyclic(
    memory: Any, index: int, message: Any, at: int, stop: int, series: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """Cyclic values: what is asked for, the first values, and those that follow by themselves; returns how many rows it is."""
    row = operations[used]
    items = u16be(memory, at, stop, row)
    if row.short:
        return 1
    if row.role == REQUEST:
        rows = read_items(memory, index, message, at + 4, stop, stop, stop, items, False, operations, used, samples, sampled)
        remember(memory, message, row, items, at + 4, stop, contexts, joints)
        return rows
    if row.role == RESPONSE:
        kept = recall(message, row.transaction, contexts)
        number = context(contexts, joints, TAG, message.connection, CYCLIC_KEY | series, message.clock)
        drop(contexts, number, joints)
        if kept >= 0:
            place, octets = held(contexts, kept, joints)
            append(memory, contexts, number, joints, place, octets)
            drop(contexts, kept, joints)
            contexts[kept].a = 0
    number = find(contexts, TAG, message.connection, CYCLIC_KEY | series)
    return read_answers(memory, index, message, at + 2, stop, items, number, READ, operations, used, samples, sampled, contexts, joints)
