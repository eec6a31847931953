"""Requests and responses to operations: an answer gets its request's object, a request its answer, its round-trip time or the word that none was seen.

An operation leaves when it is answered or after one second of packet time; the order in which it leaves depends on packets alone. A request that left
unanswered is remembered, so that a late answer still has an address.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from sensors.engine.grouping import ITS_OWN
from sensors.engine.interpreted import mix as plain_mix
from sensors.engine.names import intern
from sensors.engine.octets import LOWER_HALF, borrow, carry, copy, entry, inline, kernel, mix
from sensors.engine.tables import (
    AFTER_GAP,
    ANY,
    BIT,
    BROKEN,
    CUT,
    CUT_ANOMALY,
    FACT,
    FOREVER,
    MISSED,
    MISSED_ANOMALY,
    OPEN_ANOMALY,
    OPERATION,
    OVERLAP,
    OVERLAP_ANOMALY,
    PENDING,
    REPORT,
    REQUEST,
    RESPONSE,
    SAMPLE,
    SECOND,
    STRAY,
    STRAY_ANOMALY,
    SUCCESS,
    TEXT,
    UNANSWERED,
    index,
    table,
)  # fmt: skip
from sensors.protocol import protocols

PATIENCE: Final = SECOND  # how long an operation waits for its answer
MEMORY: Final = 60 * SECOND  # how long a request that left is remembered
RING: Final = 1 << 14  # requests remembered
BUCKET: Final = 8  # numbers: four entries
BUCKETS_EACH: Final = 16  # of a connection; further requests that are open at once lie elsewhere
KEPT_OCTETS: Final = 1 << 20  # values of requests that wait, in the arena behind the slots
KEPT_SAMPLES: Final = 1 << 14
LEAST_OCTETS: Final = 1 << 18  # room for the octets of one operation and the one that makes room for it

ENDED: Final = FOREVER - 1  # the time when nobody listens any more: whose answer was due has left before
GIVEN_UP: Final = ENDED - 1  # … and when nothing is waited for any more, whatever came

NUMBER_MASK: Final = (1 << 20) - 1  # one number of a code path

WAITING: Final = 1
LEFT: Final = 2
ANSWERED: Final = 3


@cache
def code_table() -> tuple[Any, Any, list[tuple[int, str]]]:
    """(sorted keys, function rows [effect], names): the functions of every protocol, to be looked up by protocol << 60 | packed code."""
    from records.effects import NUMBER
    from sensors.engine.tables import pack_code

    rows: list[tuple[int, int, str]] = []
    for number, protocol in enumerate(protocols()):
        for path, function in protocol.functions.items():
            code = pack_code(*(ANY if part == "*" else int(part) for part in path.split("/")))
            rows.append((plain_mix(number, code), NUMBER[function.effect], function.name))
    rows.sort()
    keys = np.array([key for key, _, _ in rows], np.int64)
    effects = np.array([effect for _, effect, _ in rows], np.int64)
    return keys, effects, [(key, name) for key, _, name in rows]


@cache
def code_index() -> Any:
    """A hash index of the functions of every protocol: row of `code_table`, -1 where there is none."""
    keys = code_table()[0]
    entries = index(len(keys))
    for row, key in enumerate(keys.tolist()):
        place = key & len(entries) - 1
        while entries[place] >= 0:
            place = (place + 1) & len(entries) - 1
        entries[place] = row
    return entries


@inline
def _function(protocol: int, code: int, keys: Any, entries: Any) -> int:
    """Row of the function table, -1 for a code that no table has."""
    wanted = mix(protocol, code)
    last = len(entries) - 1
    place = wanted & last
    while entries[place] >= 0 and keys[entries[place]] != wanted:
        place = (place + 1) & last
    return int(entries[place])


@kernel
def _function_of_any(protocol: int, code: int, keys: Any, entries: Any) -> int:
    """Row of the function that stands for every code that begins like this one, the longest beginning first."""
    if code & NUMBER_MASK:
        found = _function(protocol, code & ~NUMBER_MASK | ANY + 1, keys, entries)
        if found >= 0:
            return found
    second = code & NUMBER_MASK << 20
    return _function(protocol, code >> 40 << 40 | ANY + 1 << 20, keys, entries) if second else -1


@entry
def annotate(
    memory: Any, start: int, count: int, operations: Any, order: Any, messages: Any, keys: Any, entries: Any, effects: Any, unknown: int,
    traits: Any, flows: Any, names: Any, name_index: Any, name_counters: Any,
) -> int:  # fmt: skip
    """What an operation has from its message and from its protocol's table of functions; returns the next one where there is no room for its name.

    Flows on which somebody acts are marked.
    """
    memory, names, name_index, name_counters = borrow(memory), borrow(names), borrow(name_index), borrow(name_counters)
    operations, order, messages = borrow(operations), borrow(order), borrow(messages)
    keys, entries, effects = borrow(keys), borrow(entries), borrow(effects)
    traits, flows = borrow(traits), borrow(flows)
    for i in range(start, count):
        operation = operations[order[i]]
        message = messages[operation.message]
        operation.name = -1
        if operation.name_octets > 0:
            operation.name = intern(memory, operation.name_at, operation.name_octets, names, name_index, name_counters[0])
            if operation.name < -1:
                return i
        operation.connection, operation.conversation = message.connection, message.conversation
        operation.port, operation.protocol = message.port, message.protocol
        operation.clock = message.clock
        operation.expired = 0
        if operation.role == RESPONSE:
            operation.answer_time, operation.answer_packet = message.time, message.packet
            operation.time, operation.packet = -1, -1
        else:
            operation.time, operation.packet = message.time, message.packet
            operation.answer_time, operation.answer_packet = -1, -1
        operation.function = _function(operation.protocol, operation.code, keys, entries)
        if operation.function < 0:
            operation.function = _function_of_any(operation.protocol, operation.code, keys, entries)
        if operation.effect < 0:
            operation.effect = effects[operation.function] if operation.function >= 0 else unknown
        if message.marks & CUT and message.marks & BROKEN == 0:
            operation.anomaly = CUT_ANOMALY  # what the capture left out is no fault of the sender
        if message.marks & OVERLAP:
            operation.anomaly |= OVERLAP_ANOMALY
        if message.marks & STRAY:
            operation.anomaly |= STRAY_ANOMALY
        if message.marks & MISSED and operation.role == REQUEST:
            operation.anomaly |= MISSED_ANOMALY  # until it is answered
        if traits[operation.effect] & ITS_OWN and message.flow >= 0:  # a frame that is not IP has none
            flow = flows[message.flow]
            flow.acts = 1
            if flow.peer >= 0:
                flows[flow.peer].acts = 1
    return count


@inline
def _copy_sample(target: Any, source: Any) -> None:
    target.space, target.first, target.count, target.offset = source.space, source.first, source.count, source.offset
    target.octets, target.encoding, target.value, target.stamp, target.quality = source.octets, source.encoding, source.value, source.stamp, source.quality
    target.stride, target.step, target.value_at, target.quality_at = source.stride, source.step, source.value_at, source.quality_at


@inline
def _keep(memory: Any, kept_at: int, asked: Any, operation: Any, samples: Any, kept: Any, pairs: Any) -> None:
    """Copy the values of a request that waits: the arena's bytes are gone with the next batch."""
    total = 0
    for i in range(operation.sample, operation.sample + operation.samples):
        total += samples[i].octets
    if operation.samples > len(kept) or total > KEPT_OCTETS:
        pairs.shed += asked.samples
        asked.samples = 0
        return
    if (pairs.kept & KEPT_OCTETS - 1) + total > KEPT_OCTETS:
        pairs.kept = (pairs.kept | KEPT_OCTETS - 1) + 1
    for i in range(operation.samples):
        sample = kept[pairs.kept_samples & len(kept) - 1]
        _copy_sample(sample, samples[operation.sample + i])
        place = kept_at + (pairs.kept & KEPT_OCTETS - 1)
        copy(memory, place, sample.offset, sample.octets)
        sample.offset = place
        pairs.kept += sample.octets
        pairs.kept_samples += 1


@inline
def _give_sample(memory: Any, source: Any, told: Any, octets: Any, pairs: Any) -> Any:
    """Hand on a sample with its octets, so that it refers to no other memory. Where they find no room, it has none, and is counted. Returns it."""
    sample = told[pairs.samples]
    pairs.samples += 1
    _copy_sample(sample, source)
    sample.offset = pairs.octets
    if source.octets > 0:
        if carry(memory, source.offset, octets, pairs.octets, source.octets):
            pairs.octets += source.octets
        else:
            sample.octets, sample.count, sample.first = 0, 1, -1
            pairs.shed += 1
    return sample


@inline
def _give_samples(memory: Any, done: Any, pending: Any, kept: Any, told: Any, octets: Any, pairs: Any) -> None:
    """The samples of a request that leaves, as far as they are still kept."""
    done.sample = pairs.samples
    count = done.samples
    if count and (pairs.kept_samples - pending.kept > len(kept) or pairs.kept - pending.kept_octets > KEPT_OCTETS):
        pairs.shed += count
        count = 0
    for i in range(count):
        _give_sample(memory, kept[pending.kept + i & len(kept) - 1], told, octets, pairs)
    done.samples = count
    done.answer_sample, done.answer_samples = pairs.samples, 0


@inline
def _give_answer_samples(memory: Any, done: Any, answer: Any, samples: Any, told: Any, octets: Any, pairs: Any, mismatch: int) -> None:
    """The values of an answer, which has its addresses from the request. `mismatch` is what it is called where there are not as many as asked for."""
    done.answer_sample = pairs.samples
    asked = done.last - done.first + 1
    for i in range(answer.sample, answer.sample + answer.samples):
        sample = _give_sample(memory, samples[i], told, octets, pairs)
        if sample.encoding in (TEXT, FACT):
            pairs.texts += 1
        if sample.first >= 0:
            continue
        sample.first = done.first
        if sample.space < 0:
            sample.space = done.space
        if done.first < 0 or sample.encoding == TEXT:
            continue
        if (sample.encoding == BIT and (asked + 7) // 8 != sample.octets) or (sample.encoding != BIT and sample.count * sample.step != asked):
            done.anomaly |= mismatch
        sample.count = min(sample.count, (asked + sample.step - 1) // sample.step)
    done.answer_samples = pairs.samples - done.answer_sample


@inline
def _leave(
    memory: Any, position: int, release: int, early: bool, ring: Any, asked: Any, kept: Any, done_table: Any, told: Any, octets: Any, pairs: Any
) -> None:  # fmt: skip
    """A request leaves unanswered; `early`: nobody listened any more when its answer was due."""
    row = position & len(ring) - 1
    done_table[pairs.done] = asked[row]
    done = done_table[pairs.done]
    pairs.done += 1
    _give_samples(memory, done, ring[row], kept, told, octets, pairs)
    done.clock, done.expired = release, 1
    if early and done.anomaly & MISSED_ANOMALY == 0:
        done.anomaly |= OPEN_ANOMALY
    ring[row].state = LEFT


@inline
def _answer(
    memory: Any, position: int, answer: Any, samples: Any, ring: Any, asked: Any, kept: Any, done_table: Any, told: Any, octets: Any, pairs: Any, bits: Any
) -> None:  # fmt: skip
    """A request leaves with its answer; where it has left before, the answer leaves alone, with the request's object."""
    pending = ring[position & len(ring) - 1]
    done_table[pairs.done] = asked[position & len(ring) - 1]
    done = done_table[pairs.done]
    pairs.done += 1
    if pending.state == LEFT:
        waited = answer.answer_time - done.time
        done.samples, done.sample, done.packet, done.role = 0, pairs.samples, -1, RESPONSE
        done.time, done.conversation = answer.answer_time, answer.conversation
        # where the clock jumped or tables were full, it left early and its answer is in time
        done.anomaly = bits[done.protocol, 3] if waited >= PATIENCE else 0
        done.octets = 0
    else:
        _give_samples(memory, done, pending, kept, told, octets, pairs)
    done.answer_time, done.answer_packet, done.clock = answer.answer_time, answer.answer_packet, answer.clock
    done.outcome, done.error = answer.outcome, answer.error
    done.anomaly = done.anomaly & ~MISSED_ANOMALY | answer.anomaly
    done.octets += answer.octets
    done.expired = 0
    if done.name < 0:
        done.name = answer.name
    whole = done.anomaly & CUT_ANOMALY == 0  # what the capture left out cannot be compared
    if answer.code != done.code and answer.outcome == SUCCESS and whole:
        done.anomaly |= bits[done.protocol, 0]
    if answer.first >= 0:
        if done.first < 0:
            done.first, done.last, done.space = answer.first, answer.last, answer.space
        elif (answer.first != done.first or answer.last != done.last) and whole:
            done.anomaly |= bits[done.protocol, 1]
    _give_answer_samples(memory, done, answer, samples, told, octets, pairs, bits[done.protocol, 2] if whole else 0)
    if answer.value == answer.value and not done.value == done.value:  # noqa: SIM201  (not NaN)
        done.value = answer.value
    pending.state = ANSWERED


@inline
def _remembered(pending: Any, asked: Any, answer: Any) -> bool:
    """May this be its answer? By the clock, or, where that jumped, by their own times."""
    waited = min(answer.clock - pending.deadline + PATIENCE, answer.answer_time - asked.time)
    return pending.state != ANSWERED and waited < PATIENCE + MEMORY


@inline
def _alone(memory: Any, operation: Any, message: Any, samples: Any, done_table: Any, told: Any, octets: Any, pairs: Any, bits: Any) -> None:
    """An operation that waits for nothing, or an answer whose request was not seen: out of turn only where the request could have been seen."""
    done_table[pairs.done] = operation
    done = done_table[pairs.done]
    pairs.done += 1
    done.sample = pairs.samples
    for i in range(operation.sample, operation.sample + operation.samples):
        _give_sample(memory, samples[i], told, octets, pairs)
        if samples[i].encoding in (TEXT, FACT):
            pairs.texts += 1
    if operation.role == RESPONSE:
        done.answer_sample, done.answer_samples = done.sample, done.samples
        done.samples = 0
        done.time = done.answer_time
        if message.peered and message.marks & (AFTER_GAP | BROKEN) == 0:
            done.anomaly |= bits[done.protocol, 4]
    else:
        done.answer_sample, done.answer_samples = pairs.samples, 0
        done.anomaly &= ~MISSED_ANOMALY


@inline
def _bucket(connection: int, key: int, index: Any) -> int:
    """Where four entries of (key, position) begin, one line of the cache; what a connection has open lies in few of them.

    Halves of hashes: a sum or product that overflows is undefined where it is compiled.
    """
    return ((mix(connection, 0) & LOWER_HALF) + (key & BUCKETS_EACH - 1)) * BUCKET & (len(index) >> 1) - 1


@inline
def _spill(key: int, index: Any) -> int:
    """Where an entry goes that finds no room there: the upper half of the index."""
    return (len(index) >> 1) + ((key & LOWER_HALF) * BUCKET & (len(index) >> 1) - 1)


@inline
def _look(key: int, bucket: int, index: Any) -> int:
    for i in range(bucket, bucket + BUCKET, 2):
        if index[i] == key and index[i + 1] >= 0:
            return int(index[i + 1])
    return -1


@inline
def _find(key: int, bucket: int, index: Any, pairs: Any) -> int:
    """Position in the ring of the newest request with this key, -1 where there is none."""
    found = _look(key, bucket, index)
    return _look(key, _spill(key, index), index) if found < 0 and pairs.spilled > 0 else found


@kernel
def _room(key: int, bucket: int, ring: Any, index: Any) -> int:
    """The entry for a request: that of its key, a free one, or one whose request waits no longer; -1 where all wait."""
    free, over = -1, -1
    for i in range(bucket, bucket + BUCKET, 2):
        if index[i + 1] < 0:
            free = i
        elif index[i] == key:
            return i
        else:
            pending = ring[index[i + 1] & len(ring) - 1]
            if (pending.key != index[i] or pending.state != WAITING) and (over < 0 or index[i + 1] < index[over + 1]):
                over = i
    return free if free >= 0 else over


@kernel
def _enter(key: int, position: int, bucket: int, ring: Any, index: Any, pairs: Any) -> None:
    """Remember a request; where there is no room for it at all, the oldest one is forgotten."""
    entered = _room(key, bucket, ring, index)
    if entered < 0:
        second = _spill(key, index)
        entered = _room(key, second, ring, index)
        if entered < 0:
            entered = second
            for i in range(second, second + BUCKET, 2):
                if index[i + 1] < index[entered + 1]:
                    entered = i
        elif index[entered + 1] < 0:
            pairs.spilled += 1
    index[entered] = key
    index[entered + 1] = position


@inline
def _forget(key: int, position: int, bucket: int, index: Any, pairs: Any) -> None:
    """An answered request makes room."""
    for i in range(bucket, bucket + BUCKET, 2):
        if index[i + 1] == position:
            index[i + 1] = -1
            return
    second = _spill(key, index)
    for i in range(second, second + BUCKET, 2):
        if index[i + 1] == position:
            index[i + 1] = -1
            pairs.spilled -= 1


@inline
def _advance(memory: Any, now: int, ring: Any, asked: Any, kept: Any, done: Any, told: Any, octets: Any, pairs: Any) -> bool:
    """Let go of what has waited long enough, oldest first; false where there is no room for all of it."""
    while pairs.release < pairs.head:
        row = pairs.release & len(ring) - 1
        if ring[row].state == WAITING:
            if ring[row].deadline > now:
                return True
            if pairs.done >= len(done) or pairs.samples + asked[row].samples > len(told) or pairs.octets + LEAST_OCTETS > len(octets):
                return False
            _leave(memory, pairs.release, ring[row].deadline, now >= ENDED, ring, asked, kept, done, told, octets, pairs)
        pairs.release += 1
    return True


@inline
def _ask(
    memory: Any, kept_at: int, operation: Any, key: int, bucket: int, anomaly: int, samples: Any, ring: Any, asked: Any, index: Any, kept: Any, pairs: Any,
) -> None:  # fmt: skip
    """A request waits for its answer."""
    row = pairs.head & len(ring) - 1
    pending = ring[row]
    asked[row] = operation
    asked[row].anomaly |= anomaly
    pending.deadline, pending.state, pending.key, pending.connection = operation.clock + PATIENCE, WAITING, key, operation.connection
    pending.kept, pending.kept_octets = pairs.kept_samples, pairs.kept
    if operation.samples:
        _keep(memory, kept_at, asked[row], operation, samples, kept, pairs)
    _enter(key, pairs.head, bucket, ring, index, pairs)
    pairs.head += 1


@entry
def pair(
    memory: Any, kept_at: int, start: int, count: int, now: int, operations: Any, order: Any, messages: Any, samples: Any,
    ring: Any, asked: Any, index: Any, kept: Any, done: Any, told: Any, octets: Any, pairs_table: Any, bits: Any,
) -> int:  # fmt: skip
    """Pair operations[order[start:count]], then let time go on to `now`; returns the next one, `count` + 1 when all is done. Stops where `done` is full."""
    memory, operations, order, messages, samples = borrow(memory), borrow(operations), borrow(order), borrow(messages), borrow(samples)
    ring, asked = borrow(ring), borrow(asked)
    index, kept, done, told, octets = borrow(index), borrow(kept), borrow(done), borrow(told), borrow(octets)
    pairs_table, bits = borrow(pairs_table), borrow(bits)
    pairs = pairs_table[0]
    for i in range(start, count + 1):
        last = i == count
        advanced = _advance(memory, now if last else operations[order[i]].clock, ring, asked, kept, done, told, octets, pairs)
        if last:
            return count + 1 if advanced else count
        operation = operations[order[i]]
        if not advanced or pairs.done + 2 > len(done) or pairs.samples + operation.samples + 4096 > len(told) or pairs.octets + LEAST_OCTETS > len(octets):
            return i
        waits = operation.transaction >= 0 and (operation.role < REPORT or (operation.role == REPORT and operation.outcome == UNANSWERED))
        key, bucket, position = 0, 0, -1
        if waits:
            key = mix(operation.connection, operation.transaction << 8 | operation.part)
            bucket = _bucket(operation.connection, key, index)
            position = _find(key, bucket, index, pairs)
        if position >= 0:
            pending = ring[position & len(ring) - 1]
            if pending.key != key or pending.connection != operation.connection:  # another request has its row since
                position = -1
        if operation.role == RESPONSE and position >= 0:
            row = position & len(ring) - 1
            if not _remembered(ring[row], asked[row], operation):
                position = -1
        if operation.role == RESPONSE and position >= 0:
            _answer(memory, position, operation, samples, ring, asked, kept, done, told, octets, pairs, bits)
            _forget(key, position, bucket, index, pairs)
        elif operation.role == RESPONSE or not waits:
            _alone(memory, operation, messages[operation.message], samples, done, told, octets, pairs, bits)
        else:
            if pairs.head - pairs.release >= len(ring):  # more open requests than are remembered: the oldest leaves early
                if ring[pairs.release & len(ring) - 1].state == WAITING:
                    _leave(memory, pairs.release, operation.clock, False, ring, asked, kept, done, told, octets, pairs)
                    pairs.shed += 1
                pairs.release += 1
            reused = position >= 0 and ring[position & len(ring) - 1].state == WAITING
            _ask(memory, kept_at, operation, key, bucket, bits[operation.protocol, 5] if reused else 0, samples, ring, asked, index, kept, pairs)
    return count


ANOMALY_BITS: Final = ("function_mismatch", "echo_mismatch", "quantity_mismatch", "late_response", "unsolicited", "reused_transaction")


def anomaly_bits() -> Any:
    """[protocol, anomaly of pairing] → its bit, 0 where a protocol has no name for it."""
    bits = np.zeros((max(len(protocols()), 1), len(ANOMALY_BITS)), np.int64)
    for number, protocol in enumerate(protocols()):
        for column, name in enumerate(ANOMALY_BITS):
            if name in protocol.anomalies:
                bits[number, column] = 1 << protocol.anomalies.index(name)
    return bits


def pairing_tables() -> tuple[Any, Any, Any, Any]:
    """(ring, what its requests ask, index, kept samples) of an engine; the number of rows of each is a power of two."""
    return table(RING, PENDING), table(RING, OPERATION), np.full(16 * RING, -1, np.int64), table(KEPT_SAMPLES, SAMPLE)
