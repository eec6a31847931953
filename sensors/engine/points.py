"""Values to points: one row a point and window, in the first window it is seen and wherever a value differs from the one before.

Neighbouring points stand side by side in blocks of 64, so that a poll of 125 registers is three look-ups and a walk. A poll that asks again what was
asked before is a repetition: of its points only those are touched whose value differs.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.encodings import number_at
from sensors.engine.octets import blend, borrow, entry, fill, inline, kernel, mix, number_of, numbers16be, prefetch, tag_fits, tagged, u8
from sensors.engine.tables import BIT, FACT, FOREVER, LATENESS, REPORT, SUCCESS, TEXT, U16BE, VALUE, WINDOW, WITHOUT

BLOCK_POINTS: Final = 64
NEVER: Final = -1
AHEAD: Final = 3  # operations whose points are brought near before their turn
NUMBERS_EACH: Final = 8  # in a line of a cache


@inline
def _tell(block: Any, address: int, point: Any, final: float, count: int, end: int, rows: Any, counters: Any) -> None:
    row = rows[counters.rows]
    counters.rows += 1
    row.host, row.unit, row.protocol, row.space, row.name, row.address = block.host, block.unit, block.protocol, block.space, block.name, address
    row.window, row.fragment, row.count, row.changes = block.window, block.fragment, count, point.changes
    row.quality, row.stamp = point.quality, point.stamp
    row.start, row.end, row.low, row.high, row.initial, row.final = point.start, end, point.low, point.high, point.initial, final


@inline
def _settle(block: Any, base: int, counts: Any, ends: Any) -> None:
    """Count the repetitions of a block into its points."""
    if block.repeats > 0:
        for i in range(base + block.run, base + block.run + block.run_points):
            counts[i] += block.repeats
            ends[i] = block.run_end
        block.repeats = 0


@kernel
def _flush(number: int, blocks: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any) -> None:
    """End the window of a block: tell what is new or has changed."""
    block = blocks[number]
    base = number * BLOCK_POINTS
    _settle(block, base, counts, ends)
    block.run_points = 0
    for i in range(base, base + BLOCK_POINTS):
        if counts[i] == 0:
            continue
        point = points[i]
        if point.known == 0 or point.changes > 0 or point.turned:
            _tell(block, block.block * BLOCK_POINTS + i - base, point, finals[i], counts[i], ends[i], rows, counters)
        point.known = 1
        point.changes = point.turned = 0
        counts[i] = 0
    block.closed, block.window = block.window, NEVER


@inline
def _block_hash(host: int, unit: int, protocol: int, space: int, name: int, number: int) -> int:
    return mix(blend(host, unit << 8 | protocol, number << 8 ^ space, name), 0)


@kernel
def _used_before(time: int, blocks: Any) -> int:
    """How many blocks were used before this time."""
    count = 0
    for number in range(len(blocks)):
        count += 1 if blocks[number].used < time else 0
    return count


@kernel
def _forget_oldest(blocks: Any, index: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any) -> None:
    """Make room: the quarter of the blocks that was silent longest, of equals those with the lowest numbers, is told and forgotten, and counted."""
    quarter = max(len(blocks) // 4, 1)
    early, late = 0, FOREVER
    while early < late:  # the latest time before which no more than a quarter was used
        middle = (early + late + 1) // 2
        if _used_before(middle, blocks) <= quarter:
            early = middle
        else:
            late = middle - 1
    equals = quarter - _used_before(early, blocks)
    for number in range(len(blocks)):  # all are in use
        block = blocks[number]
        if block.used < early or (block.used == early and equals > 0):
            equals -= 1 if block.used == early else 0
            _forget(number, blocks, points, finals, counts, ends, rows, counters)
    _index_anew(blocks, index, counters)


@kernel
def _index_anew(blocks: Any, index: Any, counters: Any) -> None:
    """Enter every block that is in use."""
    fill(index, -1)
    last = len(index) - 1
    for number in range(counters.blocks):
        block = blocks[number]
        if block.host == NEVER:
            continue
        hashed = _block_hash(block.host, block.unit, block.protocol, block.space, block.name, block.block)
        place = hashed & last
        while index[place] >= 0:
            place = (place + 1) & last
        index[place] = tagged(hashed, number)


@kernel
def _forget(number: int, blocks: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any) -> None:
    """Tell a block; its row is free."""
    block = blocks[number]
    if block.window != NEVER:
        _flush(number, blocks, points, finals, counts, ends, rows, counters)
    block.host, block.block = NEVER, counters.free_block
    counters.free_block = number
    counters.shed += 1


@inline
def _is(block: Any, host: int, unit: int, protocol: int, space: int, name: int, number: int) -> bool:
    same = block.block == number and block.unit == unit and block.host == host and block.space == space and block.protocol == protocol
    return same and block.name == name


@inline
def _find_block(host: int, unit: int, protocol: int, space: int, name: int, number: int, blocks: Any, index: Any) -> int:
    """Row of this block, or -1 - (place in the index) where there is none."""
    last = len(index) - 1
    hashed = _block_hash(host, unit, protocol, space, name, number)
    place = hashed & last
    while index[place] >= 0:
        if tag_fits(index[place], hashed) and _is(blocks[number_of(index[place])], host, unit, protocol, space, name, number):
            return number_of(index[place])
        place = (place + 1) & last
    return -1 - place


@kernel
def _new_block(
    host: int, unit: int, protocol: int, space: int, name: int, number: int, place: int,
    blocks: Any, index: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any,
) -> int:  # fmt: skip
    """A row for this block."""
    if counters.free_block < 0 and counters.blocks == len(blocks):
        _forget_oldest(blocks, index, points, finals, counts, ends, rows, counters)
        place = -1 - _find_block(host, unit, protocol, space, name, number, blocks, index)
    row = counters.free_block
    if row >= 0:
        counters.free_block = blocks[row].block
    else:
        row = counters.blocks
        counters.blocks = row + 1
    index[place] = tagged(_block_hash(host, unit, protocol, space, name, number), row)
    block = blocks[row]
    block.host, block.unit, block.protocol, block.space, block.name, block.block = host, unit, protocol, space, name, number
    block.window = block.closed = NEVER
    block.repeats = block.run_points = 0
    if counters.shed > 0:  # it may have been here before, in this very window
        counters.late += 1
    block.fragment = counters.late if counters.shed > 0 else 0
    for i in range(row * BLOCK_POINTS, (row + 1) * BLOCK_POINTS):
        points[i].known = points[i].turned = 0
        points[i].quality = points[i].stamp = -1
    return int(row)


@inline
def _note(i: int, value: float, time: int, points: Any, finals: Any, counts: Any, ends: Any) -> None:
    point = points[i]
    if counts[i] == 0:
        point.start, point.initial, point.low, point.high = time, value, value, value
        if point.known and value != finals[i]:
            point.changes += 1
    elif value != finals[i]:
        point.changes += 1
        point.low = min(point.low, value)
        point.high = max(point.high, value)
    counts[i] += 1
    finals[i] = value
    ends[i] = time


@inline
def _late(block: Any, address: int, i: int, value: float, time: int, points: Any, finals: Any, counts: Any, rows: Any, counters: Any) -> None:
    """A value whose window the block has left, or whose time is not believed: a row of its own where it differs, so that nothing is told twice."""
    if points[i].known == 0 and counts[i] == 0:
        points[i].known, finals[i] = 1, value
    elif value == finals[i]:
        return
    counters.late += 1
    row = rows[counters.rows]
    counters.rows += 1
    row.host, row.unit, row.protocol, row.space, row.name, row.address = block.host, block.unit, block.protocol, block.space, block.name, address
    row.window, row.fragment, row.count, row.changes = time // WINDOW * WINDOW, counters.late, 1, 1
    row.quality, row.stamp = points[i].quality, points[i].stamp
    row.start, row.end, row.low, row.high, row.initial, row.final = time, time, value, value, value, value


@kernel
def _numbers(memory: Any, sample: Any, start: int, end: int, count: int, values: Any, row: Any) -> None:
    """Values of any encoding, one after the other."""
    at = sample.offset + sample.stride * start + sample.value_at
    for i in range(count):
        values[i] = number_at(memory, at, end, sample.encoding, row)
        at += sample.stride


@kernel
def _qualify(memory: Any, sample: Any, start: int, count: int, base: int, points: Any, scratch: Any) -> None:
    """What the device says of its values; a quality that differs from the one before is told."""
    end = sample.offset + sample.octets
    for i in range(count):
        point = points[base + i]
        quality = sample.quality
        if sample.quality_at != WITHOUT:
            quality = u8(memory, sample.offset + sample.stride * (start + i) + sample.quality_at, end, scratch)
        if point.known and quality != point.quality:
            point.turned = 1
        point.quality, point.stamp = quality, sample.stamp


@inline
def _values(memory: Any, sample: Any, start: int, count: int, values: Any, scratch: Any) -> None:
    """Values start … start + count of a sample."""
    end = sample.offset + sample.octets
    if sample.encoding == U16BE and sample.stride == 2:
        numbers16be(memory, sample.offset + 2 * start, end, scratch, values, count)
    elif sample.encoding == BIT:
        for i in range(count):
            values[i] = float(u8(memory, sample.offset + (start + i >> 3), end, scratch) >> (start + i & 7) & 1)
    elif sample.encoding == VALUE:
        values[0] = sample.value
    else:
        _numbers(memory, sample, start, end, count, values, scratch)


@inline
def _differ(count: int, values: Any, finals: Any) -> int:
    """How many values are not what they were."""
    differ = 0
    for i in range(count):
        differ += values[i] != finals[i]
    return differ


@inline
def _repeat(block: Any, count: int, base: int, time: int, values: Any, points: Any, finals: Any) -> None:
    """The same points of a block again, in the same window: those count whose value differs."""
    block.repeats += 1
    block.run_end = time
    if _differ(count, values, finals[base : base + count]) == 0:
        return
    for i in range(count):
        if values[i] != finals[base + i]:
            point = points[base + i]
            point.changes += 1
            point.low, point.high = min(point.low, values[i]), max(point.high, values[i])
            finals[base + i] = values[i]


@inline
def _first(block: Any, count: int, number: int, place: int, time: int, values: Any, points: Any, finals: Any, counts: Any, ends: Any) -> None:
    """Points of a block that are not those of the values before: these may be repeated from now on."""
    base = number * BLOCK_POINTS
    _settle(block, base, counts, ends)
    for i in range(count):
        _note(base + place + i, values[i], time, points, finals, counts, ends)
    block.run, block.run_points = place, count


@inline
def _take(
    memory: Any, sample: Any, host: int, unit: int, protocol: int, name: int, time: int, clock: int,
    blocks: Any, index: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any, values: Any, scratch: Any,
) -> None:  # fmt: skip
    """The values of one sample, of a time that may be ahead of the clock where it is not believed."""
    window = time // WINDOW * WINDOW
    done = 0
    count = 1 if sample.encoding == VALUE else sample.count
    qualified = sample.quality >= 0 or sample.quality_at != WITHOUT or sample.stamp >= 0
    while done < count:
        address = sample.first + done * sample.step
        here = min(count - done, BLOCK_POINTS - (address & BLOCK_POINTS - 1) if sample.step == 1 else 1)
        number = _find_block(host, unit, protocol, sample.space, name, address // BLOCK_POINTS, blocks, index)
        if number < 0:
            number = _new_block(host, unit, protocol, sample.space, name, address // BLOCK_POINTS, -1 - number,
                                blocks, index, points, finals, counts, ends, rows, counters)  # fmt: skip
        block = blocks[number]
        block.used = clock
        if max(block.window, block.closed) < window <= clock:
            if block.window != NEVER:
                _flush(number, blocks, points, finals, counts, ends, rows, counters)
            block.window = window
            counters.due = min(counters.due, window + WINDOW + LATENESS)
        place = address & BLOCK_POINTS - 1
        base = number * BLOCK_POINTS + place
        _values(memory, sample, done, here, values, scratch)
        if qualified:
            _qualify(memory, sample, done, here, base, points, scratch)
        if block.window != window:
            for i in range(here):
                _late(block, address + i, base + i, values[i], time, points, finals, counts, rows, counters)
        elif block.run == place and block.run_points == here:
            _repeat(block, here, base, time, values, points, finals)
        else:
            _first(block, here, number, place, time, values, points, finals, counts, ends)
        done += here


@inline
def close_points(now: int, strictly: bool, blocks: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters: Any) -> None:
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
                _flush(number, blocks, points, finals, counts, ends, rows, counters)
            else:
                counters.due = min(counters.due, up)


@inline
def _owner(operation: Any, conversations: Any) -> int:
    """Whose values they are, asked or told unasked: a host."""
    talk = conversations[operation.conversation]
    return int(talk.source if operation.askers else talk.target)


@inline
def _expect(operation: Any, told: Any, conversations: Any, blocks: Any, index: Any, finals: Any) -> None:
    """Have the block of the first value of this operation brought near, and what its points were."""
    samples = operation.samples + operation.answer_samples
    if samples == 0:
        return
    sample = told[operation.sample if operation.samples > 0 else operation.answer_sample]
    host = _owner(operation, conversations)
    hashed = _block_hash(host, operation.unit, operation.protocol, sample.space, operation.name, sample.first // BLOCK_POINTS)
    number = number_of(index[hashed & len(index) - 1])
    prefetch(blocks, number)
    place = number * BLOCK_POINTS + (sample.first & BLOCK_POINTS - 1)
    for i in range(place, place + min(sample.count, BLOCK_POINTS), NUMBERS_EACH):
        prefetch(finals, i)


@entry
def collect(
    memory: Any, start: int, count: int, done: Any, told: Any, conversations: Any,
    blocks: Any, index: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters_table: Any, values: Any, scratch_table: Any,
) -> int:  # fmt: skip
    """Take the values of done[start:count]; returns the next one, `count` when all are done. Written values count once the device agreed.

    `finals`, `counts` and `ends` are columns beside the rows of `points`: what every value touches stands together. `values` has room for a block.
    """
    memory, done, told, conversations, blocks = borrow(memory), borrow(done), borrow(told), borrow(conversations), borrow(blocks)
    index, points, finals, counts, ends, rows = borrow(index), borrow(points), borrow(finals), borrow(counts), borrow(ends), borrow(rows)
    counters_table, values, scratch_table = borrow(counters_table), borrow(values), borrow(scratch_table)
    counters, scratch = counters_table[0], scratch_table[0]
    for i in range(start, count):
        operation = done[i]
        if i + AHEAD < count:
            _expect(done[i + AHEAD], told, conversations, blocks, index, finals)
        if counters.rows + counters.blocks * BLOCK_POINTS + 4 * 65536 > len(rows):
            return i
        close_points(operation.clock, operation.expired == 1, blocks, points, finals, counts, ends, rows, counters)
        if operation.outcome != SUCCESS and operation.role < REPORT:
            continue
        host = _owner(operation, conversations)
        time = operation.answer_time if operation.answer_time >= 0 else operation.time
        for j in range(operation.samples + operation.answer_samples):
            sample = told[operation.sample + j if j < operation.samples else operation.answer_sample + j - operation.samples]
            if sample.first >= 0 and sample.space >= 0 and sample.encoding not in (TEXT, FACT):
                _take(memory, sample, host, operation.unit, operation.protocol, operation.name, time, operation.clock,
                      blocks, index, points, finals, counts, ends, rows, counters, values, scratch)  # fmt: skip
    return count


@entry
def pass_time(now: int, blocks: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters_table: Any) -> None:
    """End the windows of blocks whose time is up at `now`."""
    blocks, points, finals, counts = borrow(blocks), borrow(points), borrow(finals), borrow(counts)
    ends, rows, counters_table = borrow(ends), borrow(rows), borrow(counters_table)
    close_points(now, False, blocks, points, finals, counts, ends, rows, counters_table[0])


@entry
def forget_names(blocks: Any, index: Any, points: Any, finals: Any, counts: Any, ends: Any, rows: Any, counters_table: Any) -> None:
    """Names get other numbers: tell and forget the blocks of points that have names. `rows` has room for all."""
    blocks, index, points, finals = borrow(blocks), borrow(index), borrow(points), borrow(finals)
    counts, ends, rows, counters_table = borrow(counts), borrow(ends), borrow(rows), borrow(counters_table)
    counters = counters_table[0]
    for number in range(counters.blocks):
        if blocks[number].host != NEVER and blocks[number].name >= 0:
            _forget(number, blocks, points, finals, counts, ends, rows, counters)
    _index_anew(blocks, index, counters)
