"""Variable tables of S7comm: what an engineer watches, modifies and forces from a table of variables, a row each (user data of group 1).

Parameters and data, each with its octets before them; the data begin with the number of addresses, those of what is changed go on with the values. No manual
tells this layout: captures show it, and tshark 4.0 reads it alike.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.s7comm import BAD_COUNT, BAD_VALUE, BIT_BLOCK, BITS, BYTE_BLOCK, BYTES, COUNTER, DOUBLES, TIMER, WIDTHS
from sensors.codes.s7items import FAMILIES, INPUT_FAMILY, OPERATE, OUTPUT_FAMILY, add_answer, fail
from sensors.codes.s7variables import MOST_ITEMS, MOST_VALUES, open_item, recall, remember
from sensors.engine.contexts import drop, held
from sensors.engine.dissecting import most_rows
from sensors.engine.octets import inline, kernel, u8, u16be
from sensors.engine.tables import FAILURE

STATUS, MODIFY, FORCE = 2, 8, 9  # subfunctions
ADDRESS_OCTETS: Final = 6
TIMER_AREA, COUNTER_AREA = 0x54, 0x64
AREAS: Final = (0x83, 0x81, 0x82, 0x80, 0, 0, 0, 0x84)  # of an address, by its upper four bits: the number that it has in a read; the lower ones are its width
KINDS: Final = (0x01, 0x02, 0x04, 0x06)  # of its values, by width: as in a read
FORCED: Final = NUMBER["value.force"]


@inline
def is_table(group: int, second: int) -> bool:
    """Is this user data about a table of variables?"""
    return group == 1 and second in (STATUS, MODIFY, FORCE)


@kernel
def read_address(memory: Any, at: int, end: int, row: Any, changes: bool) -> int:
    """Area and width, bit or number of elements, data block, place; returns type and count as `read_item` does, 0 where they are not known."""
    area, many, block, place = u8(memory, at, end, row), u8(memory, at + 1, end, row), u16be(memory, at + 2, end, row), u16be(memory, at + 4, end, row)
    if row.short:
        return 0
    if area in (TIMER_AREA, COUNTER_AREA):
        row.space, row.first = TIMER if area == TIMER_AREA else COUNTER, place
        row.last = place + max(many, 1) - 1
        return (0x1D if area == TIMER_AREA else 0x1C) << 16 | max(many, 1)
    family, width = FAMILIES[AREAS[area >> 4 & 7]] if area < 0x80 and AREAS[area >> 4 & 7] > 0 else -1, area & 15
    if family < 0 or width > DOUBLES or (width == BITS and many > 7):
        row.anomaly |= BAD_VALUE
        return 0
    output = changes and family in (INPUT_FAMILY, OUTPUT_FAMILY, FAMILIES[0x82])
    row.space = (OUTPUT_FAMILY if output and family == INPUT_FAMILY else family) * len(WIDTHS) + width
    if output and row.effect != FORCED:
        row.effect = OPERATE
    numbered = block if AREAS[area >> 4 & 7] == 0x84 else 0
    if width == BITS:
        row.first = row.last = numbered * BIT_BLOCK + place * 8 + many
        return KINDS[BITS] << 16 | 1
    row.first = numbered * BYTE_BLOCK + place
    row.last = row.first + max(many, 1) * (1 if width == BYTES else 4 if width == DOUBLES else 2) - 1
    return KINDS[width] << 16 | max(many, 1)


@kernel
def ask_table(
    memory: Any, index: int, message: Any, second: int, at: int, end: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """What is watched, modified or forced, with the values; returns how many rows it is."""
    first = operations[used]
    at += 4 + u16be(memory, at, end, first)
    items, start = u16be(memory, at, end, first), sampled
    rows = min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    if first.short:
        return 1
    if items == 0:
        first.anomaly |= BAD_COUNT
        return 1
    place, data = at + 2, at + 2 + ADDRESS_OCTETS * items
    remember(memory, message, first, items, place, min(data, end), contexts, joints)
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        row.effect = FORCED if second == FORCE else -1
        asked = read_address(memory, place + ADDRESS_OCTETS * part, end, row, second != STATUS)
        if second != STATUS and row.short == 0:
            data = add_answer(memory, data, end, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    return rows


@kernel
def answer_table(
    memory: Any, index: int, message: Any, second: int, at: int, end: int, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any,
) -> int:  # fmt: skip
    """Whether it was done, and what is watched: a row for each address that was asked for; returns how many rows it is."""
    first = operations[used]
    kept = recall(message, first.transaction, contexts)
    if kept < 0 or contexts[kept].b != first.code:
        return 1
    items, start = int(contexts[kept].c), sampled
    place, octets = held(contexts, kept, joints)
    stop = place + octets
    told = second == STATUS and first.outcome != FAILURE and end - at > 6
    if told:
        at += 4 + u16be(memory, at, end, first)
        told = u16be(memory, at, end, first) == items and first.short == 0
        at += 2
    first.short = 0
    rows = min(max(items, 1), MOST_ITEMS, most_rows(message.length))
    for part in range(rows):
        row = open_item(operations, used, index, message, sampled, first, part)
        if first.outcome == FAILURE:
            fail(row, first.error)
        elif told and place + ADDRESS_OCTETS <= stop:
            known = row.anomaly  # what is wrong with the request is told there
            asked = read_address(memory, place, stop, row, False)
            row.anomaly, row.short = known, 0
            place += ADDRESS_OCTETS
            at = add_answer(memory, at, end, row, samples, asked, start + MOST_VALUES - sampled - (rows - part))
        sampled += row.samples
    operations[used + rows - 1].distinct += max(items - rows, 0)
    drop(contexts, kept, joints)
    contexts[kept].a = 0
    return rows
