"""Operations to activities: what repeats is one row a key and window, what acts is a row of its own. Resumable and bounded.

Rows leave in an order that depends on packets alone: own rows when their operation leaves pairing, grouped rows when their window closes, in the order
in which they began.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import blend, borrow, clear_row, entry, fill, inline, kernel, mix, number_of, prefetch, tag_fits, tagged
from sensors.engine.tables import COUNTER, FAILURE, FOREVER, GROUPED, LATENESS, OWN, REPORT, SWEPT, WINDOW

MOST_OWN: Final = 64  # rows of their own of one key in a window; the rest is grouped
MOST_RANGES: Final = 256  # ranges of one reader, action and window that are told one by one
ASKS: Final = 1
ANSWERS: Final = 2
ENGINEERS: Final = 4  # has programmed, configured or tried out a device
ACTS: Final = 8  # has done what is told one by one
READS: Final = 16  # has read values
# bits of `traits`, an effect each; ENGINEERS and READS are two of them
ITS_OWN: Final = 1  # a row each
TRIES: Final = 2  # engineers, where it fails
PROBES: Final = 32
AHEAD: Final = 6  # operations whose groups are brought near before their turn
LAST_WINDOW: Final = FOREVER // WINDOW * WINDOW


@inline
def _report(operation: Any) -> int:
    """1 where nobody asked: then the one who was asked otherwise is who spoke."""
    return 1 if operation.role == REPORT else 0


@inline
def _hash(operation: Any, kind: int, window: int) -> int:
    ends = operation.conversation << 16 ^ operation.effect << 8 ^ operation.outcome << 4 ^ _report(operation) << 3 ^ kind
    whole = mix(blend(ends, operation.code, operation.error, operation.anomaly), window)
    if kind in (GROUPED, OWN):
        whole = mix(whole, blend(operation.first, operation.last, operation.unit << 20 ^ operation.name, operation.space))
    return whole


@inline
def _window(operation: Any) -> int:
    time = operation.time if operation.time >= 0 else operation.answer_time
    return time // WINDOW * WINDOW


@inline
def _same(group: Any, operation: Any, kind: int, window: int) -> bool:
    if group.conversation != operation.conversation or group.code != operation.code or group.effect != operation.effect or group.kind != kind:
        return False
    if (
        group.window != window
        or group.report != _report(operation)
        or group.outcome != operation.outcome
        or group.error != operation.error
        or group.anomaly != operation.anomaly
    ):
        return False
    if kind in (SWEPT, COUNTER):
        return True
    if group.name != operation.name:
        return False
    return group.first == operation.first and group.last == operation.last and group.unit == operation.unit and group.space == operation.space


@inline
def _find(operation: Any, hashed: int, kind: int, window: int, groups: Any, index: Any) -> int:
    """The group of this operation, or -1 - (place in the index) where there is none."""
    last = len(index) - 1
    place = hashed & last
    while index[place] >= 0:
        if tag_fits(index[place], hashed) and _same(groups[number_of(index[place])], operation, kind, window):
            return number_of(index[place])
        place = (place + 1) & last
    return -1 - place


@inline
def _note_due(window: int, counters: Any) -> None:
    """When this group's window closes; a late one's with the next window that does."""
    counters.due = min(counters.due, max(window, counters.closed + WINDOW) + WINDOW + LATENESS)


@kernel
def _begin(operation: Any, kind: int, window: int, place: int, groups: Any, index: Any, counters: Any) -> int:
    number = counters.groups
    counters.groups += 1
    hashed = _hash(operation, kind, window)
    index[place] = tagged(hashed, number)
    group = groups[number]
    group.conversation, group.code, group.function, group.effect = operation.conversation, operation.code, operation.function, operation.effect
    swept = kind in (SWEPT, COUNTER)
    group.unit, group.space = (-1, -1) if swept else (operation.unit, operation.space)
    group.first, group.last = (-1, -1) if swept else (operation.first, operation.last)
    group.name = -1 if swept else operation.name
    group.outcome, group.error, group.anomaly = operation.outcome, operation.error, operation.anomaly
    group.window, group.kind, group.hash, group.report = window, kind, hashed, _report(operation)
    group.count = group.rows = group.distinct = group.octets = group.answered = 0
    group.interval = group.square = group.rtt = 0.0
    group.fragment = counters.flushes
    if window <= counters.closed:
        group.fragment += (counters.closed - window) // WINDOW + 1
    group.ordinal, group.port = -1, -1
    _note_due(window, counters)
    return int(number)


@inline
def _add(group: Any, operation: Any, time: int, packet: int) -> None:
    """Count an operation into a group: running mean and square of the intervals (Welford)."""
    if group.count == 0:
        group.start, group.first_packet, group.value = time, packet, operation.value
        group.end, group.last_packet = time, packet
    else:
        step = float(time - group.before)
        off = step - group.interval
        group.interval += off / group.count
        group.square += off * (step - group.interval)
    group.before = time
    group.count += 1
    group.octets += operation.octets
    if time > group.end:
        group.end = time
    if time < group.start:
        group.start = time
    if operation.answer_time > group.end:
        group.end = operation.answer_time
    group.last_packet = max(group.last_packet, packet, operation.answer_packet)
    if operation.answer_time >= 0 and operation.packet >= 0:
        group.rtt += (float(operation.answer_time - time) - group.rtt) / (group.answered + 1)
        group.answered += 1


@inline
def _cast(operation: Any, traits: int, hosts: Any, conversations: Any) -> None:
    """What this operation says of the roles of both ends. Functions that a device does not know are tried out by nobody who only operates it.

    By frames that are not IP stations of every kind are named and addressed: who answers these is no controller by that alone.
    """
    if operation.role >= REPORT:
        return
    conversation = conversations[operation.conversation]
    hosts[conversation.source].role |= ASKS | traits & READS
    if traits & ITS_OWN:
        hosts[conversation.source].role |= ACTS
    if traits & ENGINEERS or (traits & TRIES and operation.outcome == FAILURE):
        hosts[conversation.source].role |= ENGINEERS
    if operation.answer_time >= 0 and conversation.transport >= 0:
        hosts[conversation.target].role |= ANSWERS


@inline
def _roles(row: Any, hosts: Any, conversations: Any) -> None:
    """The roles of both ends as known when the row leaves."""
    conversation = conversations[row.conversation]
    row.source_role = hosts[conversation.source].role
    row.target_role = hosts[conversation.target].role


@inline
def _release(group: Any, released: Any, counters: Any, hosts: Any, conversations: Any) -> Any:
    row = released[counters.released]
    counters.released += 1
    row.conversation, row.code, row.function, row.effect = group.conversation, group.code, group.function, group.effect
    row.unit, row.space, row.name, row.first, row.last = group.unit, group.space, group.name, group.first, group.last
    row.outcome, row.error, row.anomaly, row.window, row.kind = group.outcome, group.error, group.anomaly, group.window, group.kind
    row.count, row.rows, row.distinct, row.octets = group.count, group.rows, group.distinct, group.octets
    row.fragment, row.ordinal, row.port, row.start, row.end = group.fragment, group.ordinal, group.port, group.start, group.end
    row.first_packet, row.last_packet, row.value = group.first_packet, group.last_packet, group.value
    row.interval, row.square, row.rtt, row.answered, row.report = group.interval, group.square, group.rtt, group.answered, group.report
    _roles(row, hosts, conversations)
    return row


@kernel
def _own(operation: Any, group: Any, time: int, packet: int, released: Any, counters: Any, hosts: Any, conversations: Any) -> None:
    """A row of its own, told by its time and by how many of its key came before it in the window."""
    if group.rows >= MOST_OWN:
        _add(group, operation, time, packet)
        return
    kept = group.count
    group.count = 0
    _add(group, operation, time, packet)
    group.rows += 1
    group.ordinal, group.port = group.rows, operation.port
    row = _release(group, released, counters, hosts, conversations)
    row.value, row.distinct = operation.value, operation.distinct
    group.count, group.octets, group.interval, group.square, group.rtt, group.answered = kept, 0, 0.0, 0.0, 0.0, 0
    group.ordinal, group.port = -1, -1


@inline
def _new_range(operation: Any, window: int, seen: Any, counters: Any) -> bool:
    """Is this unit and range new among those past the first ones? A bounded set of hashes; what it cannot hold is counted in `unseen`."""
    whole = mix(_hash(operation, SWEPT, window), mix(operation.first, operation.last) ^ mix(operation.unit << 20 ^ operation.name, operation.space)) | 1
    half = window // WINDOW & 1  # two windows may be open: each has its own set
    place = whole & seen.shape[1] - 1
    for _ in range(PROBES):
        if seen[half, place] == whole:
            return False
        if seen[half, place] == 0:
            seen[half, place] = whole
            return True
        place = (place + 1) & seen.shape[1] - 1
    counters.unseen += 1
    return False


@inline
def _grouped(operation: Any, hashed: int, window: int, groups: Any, index: Any, seen: Any, counters: Any) -> int:
    """The group of an operation that repeats; past MOST_RANGES ranges of one reader and action, the one that stands for all further ones."""
    found = _find(operation, hashed, GROUPED, window, groups, index)
    return found if found >= 0 else _new_grouped(operation, hashed, -1 - found, window, groups, index, seen, counters)


@kernel
def _new_grouped(operation: Any, hashed: int, place: int, window: int, groups: Any, index: Any, seen: Any, counters: Any) -> int:
    """The group of an operation that has none yet."""
    if operation.first < 0 and operation.name < 0:
        return _begin(operation, GROUPED, window, place, groups, index, counters)
    found, other = -1 - place, _hash(operation, COUNTER, window)
    counter = _find(operation, other, COUNTER, window, groups, index)
    if counter < 0:
        counter = _begin(operation, COUNTER, window, -1 - counter, groups, index, counters)
        found = _find(operation, hashed, GROUPED, window, groups, index)
    if groups[counter].rows < MOST_RANGES:
        groups[counter].rows += 1
        return _begin(operation, GROUPED, window, -1 - found, groups, index, counters)
    swept = _find(operation, _hash(operation, SWEPT, window), SWEPT, window, groups, index)
    if swept < 0:
        swept = _begin(operation, SWEPT, window, -1 - swept, groups, index, counters)
    if _new_range(operation, window, seen, counters):
        groups[swept].distinct += 1
    return swept


@kernel
def close(window: int, groups: Any, index: Any, released: Any, seen: Any, counters: Any, hosts: Any, conversations: Any) -> None:
    """Release every group of this window or an earlier one; the others move up."""
    kept = 0
    fill(index, -1)
    last = len(index) - 1
    counters.due = FOREVER
    counters.closed = max(counters.closed, window)
    for number in range(counters.groups):
        group = groups[number]
        if group.window <= window:
            if group.count > 0 and group.kind != COUNTER:
                if group.kind != SWEPT:
                    group.distinct = 1 if group.first >= 0 or group.name >= 0 else 0
                _release(group, released, counters, hosts, conversations)
            continue
        if kept != number:
            groups[kept] = groups[number]
        _note_due(groups[kept].window, counters)
        place = groups[kept].hash & last
        while index[place] >= 0:
            place = (place + 1) & last
        index[place] = tagged(groups[kept].hash, kept)
        kept += 1
    counters.groups = kept
    clear_row(seen, window // WINDOW & 1)


@kernel
def close_until(now: int, strictly: bool, groups: Any, index: Any, released: Any, seen: Any, counters: Any, hosts: Any, conversations: Any) -> None:
    """Close every window whose time is up at `now` (before `now` where strictly), in the order of time."""
    while counters.due < now or (counters.due == now and not strictly):
        close(counters.due - WINDOW - LATENESS, groups, index, released, seen, counters, hosts, conversations)
    counters.closed = max(counters.closed, (now - LATENESS - (1 if strictly else 0)) // WINDOW * WINDOW - WINDOW)


@kernel
def flush(groups: Any, index: Any, released: Any, seen: Any, counters: Any, hosts: Any, conversations: Any) -> None:
    """Release every group before its time, for want of room; what follows in their windows is their next fragment."""
    closed = counters.closed
    close(LAST_WINDOW, groups, index, released, seen, counters, hosts, conversations)
    counters.closed = closed
    counters.flushes += 1
    clear_row(seen, 0)
    clear_row(seen, 1)


@entry
def group(
    start: int, count: int, done: Any, hashes: Any, traits: Any, by_effect: Any, by_protocol: Any, groups: Any, index: Any, released: Any, seen: Any,
    counters_table: Any, hosts: Any, conversations: Any,
) -> int:  # fmt: skip
    """Count done[start:count] into groups; returns the next one, `count` when all are done. Stops where there is no room for what may be released."""
    done, traits, by_effect, by_protocol, groups = borrow(done), borrow(traits), borrow(by_effect), borrow(by_protocol), borrow(groups)
    index, released, seen, counters_table, hashes = borrow(index), borrow(released), borrow(seen), borrow(counters_table), borrow(hashes)
    hosts, conversations = borrow(hosts), borrow(conversations)
    counters = counters_table[0]
    last = len(index) - 1
    for i in range(start, count):
        hashes[i] = _hash(done[i], OWN if traits[done[i].effect] & ITS_OWN else GROUPED, _window(done[i]))
    for i in range(start, count):
        operation = done[i]
        if i + AHEAD < count:  # its row of the table, which is larger than a cache
            prefetch(groups, number_of(index[hashes[i + AHEAD] & last]))
        if counters.released + counters.groups + 2 > len(released):
            return i
        close_until(operation.clock, operation.expired == 1, groups, index, released, seen, counters, hosts, conversations)
        if counters.groups + 3 > len(groups):
            flush(groups, index, released, seen, counters, hosts, conversations)
        time = operation.time if operation.time >= 0 else operation.answer_time
        packet = operation.packet if operation.packet >= 0 else operation.answer_packet
        window = _window(operation)
        by_effect[operation.effect] += 1
        by_protocol[operation.protocol] += 1
        _cast(operation, traits[operation.effect], hosts, conversations)
        if traits[operation.effect] & ITS_OWN:
            found = _find(operation, hashes[i], OWN, window, groups, index)
            if found < 0:
                found = _begin(operation, OWN, window, -1 - found, groups, index, counters)
            _own(operation, groups[found], time, packet, released, counters, hosts, conversations)
        else:
            found = _grouped(operation, hashes[i], window, groups, index, seen, counters)
            _add(groups[found], operation, time, packet)
    return count


@entry
def pass_time(now: int, groups: Any, index: Any, released: Any, seen: Any, counters_table: Any, hosts: Any, conversations: Any) -> None:
    """Close every window whose time is up at `now`; `released` has room for all groups."""
    groups, index, released, seen = borrow(groups), borrow(index), borrow(released), borrow(seen)
    counters_table, hosts, conversations = borrow(counters_table), borrow(hosts), borrow(conversations)
    close_until(now, False, groups, index, released, seen, counters_table[0], hosts, conversations)


@entry
def clear(groups: Any, index: Any, released: Any, seen: Any, counters_table: Any, hosts: Any, conversations: Any) -> None:
    """Release every group: the numbers in them change their meaning."""
    groups, index, released, seen = borrow(groups), borrow(index), borrow(released), borrow(seen)
    counters_table, hosts, conversations = borrow(counters_table), borrow(hosts), borrow(conversations)
    flush(groups, index, released, seen, counters_table[0], hosts, conversations)
