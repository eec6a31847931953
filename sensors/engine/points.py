"""Values to points: one row a point and window, in the first window it is seen and wherever a value differs from the one before.

Neighbouring points stand side by side in blocks of 64, so that a poll of 125 registers is three look-ups and a walk.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import borrow, entry, fill, inline, kernel, mix, u8, u16be
from sensors.engine.tables import BIT, FOREVER, LATENESS, REPORT, SUCCESS, TEXT, U16BE, VALUE, WINDOW
from sensors.engine.tables import U8 as U8_ENCODING

BLOCK_POINTS: Final = 64
NEVER: Final = -1


@inline
def _tell(block: Any, address: int, point: Any, window: int, fragment: int, rows: Any, counters: Any) -> None:
    row = rows[counters.rows]
    counters.rows += 1
    row.host, row.unit, row.protocol, row.space, row.address = block.host, block.unit, block.protocol, block.space, address
    row.window, row.fragment, row.count, row.changes = window, fragment, point.count, point.changes
    row.start, row.end, row.low, row.high, row.initial, row.final = point.start, point.end, point.low, point.high, point.initial, point.final


@kernel
def _flush(number: int, blocks: Any, points: Any, rows: Any, counters: Any) -> None:
    """End the window of a block: tell what is new or has changed."""
    block = blocks[number]
    for i in range(BLOCK_POINTS):
        point = points[number * BLOCK_POINTS + i]
        if point.count > 0 and (point.known == 0 or point.changes > 0):
            _tell(block, block.block * BLOCK_POINTS + i, point, block.window, block.fragment, rows, counters)
        if point.count > 0:
            point.known = 1
        point.count = point.changes = 0
    block.closed, block.window = block.window, NEVER


@inline
def _block_place(host: int, unit: int, protocol: int, space: int, number: int, last: int) -> int:
    return mix(mix(host, unit << 8 | protocol), number << 8 | space) & last


@kernel
def _forget_oldest(blocks: Any, index: Any, points: Any, rows: Any, counters: Any) -> int:
    """Make room: the block that was silent longest is told and forgotten, and counted; returns its row."""
    oldest = 0
    for number in range(len(blocks)):
        if blocks[number].used < blocks[oldest].used:
            oldest = number
    if blocks[oldest].window != NEVER:
        _flush(oldest, blocks, points, rows, counters)
    for i in range(oldest * BLOCK_POINTS, (oldest + 1) * BLOCK_POINTS):
        points[i].known = 0
    counters.shed += 1
    fill(index, -1)
    last = len(index) - 1
    for number in range(len(blocks)):
        block = blocks[number]
        place = _block_place(block.host, block.unit, block.protocol, block.space, block.block, last)
        while index[place] >= 0:
            place = (place + 1) & last
        if number != oldest:
            index[place] = number
    return oldest


@kernel
def _find_block(host: int, unit: int, protocol: int, space: int, number: int, blocks: Any, index: Any, points: Any, rows: Any, counters: Any) -> int:
    """Row of this block, made where it is new."""
    last = len(index) - 1
    place = _block_place(host, unit, protocol, space, number, last)
    while index[place] >= 0:
        block = blocks[index[place]]
        if block.block == number and block.unit == unit and block.host == host and block.space == space and block.protocol == protocol:
            return int(index[place])
        place = (place + 1) & last
    row = counters.blocks
    if row < len(blocks):
        counters.blocks = row + 1
    else:
        row = _forget_oldest(blocks, index, points, rows, counters)
        place = _block_place(host, unit, protocol, space, number, last)
        while index[place] >= 0:
            place = (place + 1) & last
    index[place] = row
    block = blocks[row]
    block.host, block.unit, block.protocol, block.space, block.block = host, unit, protocol, space, number
    block.window = block.closed = NEVER
    if counters.shed > 0:  # it may have been here before, in this very window
        counters.late += 1
    block.fragment = counters.late if counters.shed > 0 else 0
    return int(row)


@inline
def _note(point: Any, value: float, time: int) -> None:
    if point.count == 0:
        point.start, point.initial, point.low, point.high = time, value, value, value
        if point.known and value != point.final:
            point.changes += 1
    elif value != point.final:
        point.changes += 1
        point.low = min(point.low, value)
        point.high = max(point.high, value)
    point.count += 1
    point.final = value
    point.end = time


@inline
def _late(block: Any, address: int, point: Any, value: float, time: int, rows: Any, counters: Any) -> None:
    """A value whose window the block has left, or whose time is not believed: a row of its own where it differs, so that nothing is told twice."""
    if point.known == 0 and point.count == 0:
        point.known, point.final = 1, value
    elif value == point.final:
        return
    counters.late += 1
    row = rows[counters.rows]
    counters.rows += 1
    row.host, row.unit, row.protocol, row.space, row.address = block.host, block.unit, block.protocol, block.space, address
    row.window, row.fragment, row.count, row.changes = time // WINDOW * WINDOW, counters.late, 1, 1
    row.start, row.end, row.low, row.high, row.initial, row.final = time, time, value, value, value, value


@inline
def _value(memory: Any, sample: Any, i: int, scratch: Any) -> float:
    end = sample.offset + sample.octets
    if sample.encoding == U16BE:
        return float(u16be(memory, sample.offset + 2 * i, end, scratch))
    if sample.encoding == BIT:
        return float(u8(memory, sample.offset + (i >> 3), end, scratch) >> (i & 7) & 1)
    if sample.encoding == U8_ENCODING:
        return float(u8(memory, sample.offset + i, end, scratch))
    return float(sample.value)


@kernel
def _take(
    memory: Any, sample: Any, host: int, unit: int, protocol: int, time: int, clock: int,
    blocks: Any, index: Any, points: Any, rows: Any, counters: Any, scratch: Any,
) -> None:  # fmt: skip
    """The values of one sample, of a time that may be ahead of the clock where it is not believed."""
    window = time // WINDOW * WINDOW
    i = 0
    count = 1 if sample.encoding == VALUE else sample.count
    while i < count:
        address = sample.first + i
        number = _find_block(host, unit, protocol, sample.space, address // BLOCK_POINTS, blocks, index, points, rows, counters)
        here = min(count - i, BLOCK_POINTS - address % BLOCK_POINTS)
        block = blocks[number]
        block.used = clock
        if max(block.window, block.closed) < window <= clock:
            if block.window != NEVER:
                _flush(number, blocks, points, rows, counters)
            block.window = window
            counters.due = min(counters.due, window + WINDOW + LATENESS)
        for k in range(i, i + here):
            value = _value(memory, sample, k, scratch)
            point = points[number * BLOCK_POINTS + (sample.first + k) % BLOCK_POINTS]
            if block.window == window:
                _note(point, value, time)
            else:
                _late(block, sample.first + k, point, value, time, rows, counters)
        i += here


@kernel
def close_points(now: int, strictly: bool, blocks: Any, points: Any, rows: Any, counters: Any) -> None:
    """End the windows of blocks whose time is up at `now`, window by window, in the order in which the blocks began."""
    while counters.due < now or (counters.due == now and not strictly):
        due = counters.due
        counters.due = FOREVER
        for number in range(counters.blocks):
            window = blocks[number].window
            if window == NEVER:
                continue
            up = window + WINDOW + LATENESS
            if up <= due:
                _flush(number, blocks, points, rows, counters)
            else:
                counters.due = min(counters.due, up)


@entry
def collect(
    memory: Any, start: int, count: int, done: Any, told: Any, conversations: Any, blocks: Any, index: Any, points: Any, rows: Any, counters_table: Any,
    scratch_table: Any,
) -> int:  # fmt: skip
    """Take the values of done[start:count]; returns the next one, `count` when all are done. Written values count once the device agreed."""
    memory, done, told, conversations, blocks = borrow(memory), borrow(done), borrow(told), borrow(conversations), borrow(blocks)
    index, points, rows, counters_table, scratch_table = borrow(index), borrow(points), borrow(rows), borrow(counters_table), borrow(scratch_table)
    counters, scratch = counters_table[0], scratch_table[0]
    for i in range(start, count):
        operation = done[i]
        if counters.rows + counters.blocks * BLOCK_POINTS + 4 * 65536 > len(rows):
            return i
        close_points(operation.clock, operation.expired == 1, blocks, points, rows, counters)
        if operation.outcome != SUCCESS and operation.role != REPORT:
            continue
        conversation = conversations[operation.conversation]
        host = conversation.target  # whose values they are, asked or told unasked
        time = operation.answer_time if operation.answer_time >= 0 else operation.time
        for j in range(operation.samples + operation.answer_samples):
            row = operation.sample + j if j < operation.samples else operation.answer_sample + j - operation.samples
            if told[row].first >= 0 and told[row].space >= 0 and told[row].encoding != TEXT:
                _take(memory, told[row], host, operation.unit, operation.protocol, time, operation.clock, blocks, index, points, rows, counters, scratch)
    return count


@entry
def pass_time(now: int, blocks: Any, points: Any, rows: Any, counters_table: Any) -> None:
    """End the windows of blocks whose time is up at `now`."""
    close_points(now, False, blocks, points, rows, counters_table[0])
