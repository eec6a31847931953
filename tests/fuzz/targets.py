"""What is fuzzed: every kernel that reads bytes, one by one and all together in a sensor.

A case is what a target makes of its dice and can be written to a file; to run a case is to find that nothing is wrong with it. Two things are looked
for: a read or write outside of a table ends the process (`guarded`); a read outside of its own packet or message, which stays inside the arena, shows in
rows that depend on what lies around it.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from zlib import crc32

import numpy as np

from sensors import release
from sensors import sensor as sensors_sensor
from sensors.engine import contexts, delivery, fragments, layers, link, names, pairing
from sensors.engine.dissecting import OPERATION_OCTETS, SAMPLE_OCTETS
from sensors.engine.framing import framing_tables
from sensors.engine.octets import plain
from sensors.engine.tables import CLOCK, CONVERSATION, FACT, FOREVER, HOST, MESSAGE, OPERATION, PACKET, REASSEMBLED, SAMPLE, SIGHTING, STREAMS, TEXT, table
from sensors.listing import sample_octets
from sensors.protocol import Protocol, protocols
from sensors.sensor import MESSAGE_SCRATCH
from tests.fuzz import corpus, mutate, readers
from tests.fuzz.guarded import GuardedSensor, Tables, guarded
from tests.protocol_battery import FEW, OWNED, REGION, Message, check_tables, repairs, room_for
from tests.uppers import toys
from tests.wire import Packet

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from records.errors import BalefireError

Case = list[Any]  # what JSON can hold
FILLS: Final = (0x00, 0xFF)
GAP: Final = 64
LONGEST_NAME: Final = 1024  # letters of a name that a protocol makes
EACH: Final = 64  # packets or messages of a case
HOSTS: Final = 32
SIGHTINGS: Final = 16

FEWER_SLOTS: Final = 160
SHIFTED: Final = ("SLOTS_END", "HISTORY_AT", "FRAGMENTS_AT", "CONTEXTS_AT", "NAMES_AT", "ARENA")  # places in the arena, behind its slots

# sensors so small that every table gets full; groups are fewer than ranges are told one by one, or more
SMALL: Final = {
    **{name: vars(sensors_sensor)[name] - (sensors_sensor.SLOTS - FEWER_SLOTS) * delivery.SLOT_OCTETS for name in SHIFTED},
    "SLOTS": FEWER_SLOTS, "MOST_FLOWS": 64, "MOST_HOSTS": 64, "MOST_CONVERSATIONS": 32, "MESSAGES": 1 << 16,
    "OPERATIONS": 1 << 10, "SAMPLES": 1 << 12, "SIGHTINGS": SIGHTINGS,
}  # fmt: skip
SMALL_RELEASE: Final = {"GROUP_ROWS": 64, "BLOCKS": 8, "RELEASE_ROWS": 1 << 10, "DONE": 256, "TOLD": 1 << 13}
SMALL_PAIRING: Final = {"RING": 32, "KEPT_SAMPLES": 16}
ROOM: Final = 1 << 16
TALKS: Final = 8  # conversations that protocols stand over


@dataclass(frozen=True)
class Target:
    """`make` gives a case, `run` executes it; how many inputs that were, and a digest of what came of them. `once` executes it where nothing is compared."""

    name: str
    make: Callable[[Random], Case]
    run: Callable[[Case], tuple[int, str]]
    once: Callable[[Case], object] | None = None


@cache
def targets() -> dict[str, Target]:
    """Every target by name; protocols join by themselves."""
    made = [
        Target("link.decode", _make_packets, _decode),
        Target("layers.hand_on", _make_carried, _hand_on),
        *(Target(f"dissect.{one.name}", partial(_make_messages, one), partial(_dissect, one), partial(_dissect_once, one)) for one in protocols()),
        Target("reader", readers.make, readers.run_guarded),
        Target("sensor", _make_capture, _sensor),
    ]
    return {target.name: target for target in made}


def _ends(case: Case) -> bool:
    """On which side the tables of this case have their pages: mostly behind them, the same each time."""
    return crc32(repr(case[0]).encode()) % 4 != 0


def same(first: Any, second: Any, what: str) -> None:
    """Two tables are equal, octet by octet."""
    for name in first.dtype.names or ():
        a, b = np.ascontiguousarray(first[name]), np.ascontiguousarray(second[name])
        if a.tobytes() != b.tobytes():
            row = int(np.flatnonzero((a != b) & ~((a != a) & (b != b)))[0]) if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") else -1
            raise AssertionError(f"{what}: {name} of row {row} is {a[row]} or {b[row]}, by what lies around it")


def digest(*tables: Any) -> str:
    """A fingerprint of rows that is the same compiled and interpreted."""
    made = hashlib.blake2b(digest_size=8)
    for rows in tables:
        for name in rows.dtype.names or ():
            column = np.ascontiguousarray(rows[name])
            made.update(np.where(np.isnan(column), np.nan, column).tobytes() if column.dtype.kind == "f" else column.tobytes())
    return made.hexdigest()


# ── one packet: link, network and transport headers ─────────────────────────────────────────────────────────────────────────────────────────────


def _make_packets(dice: Random) -> Case:
    seeds = corpus.seeds()
    made: list[Packet] = []
    while len(made) < EACH:
        seed = seeds[int(len(seeds) * dice.random() ** 2)]
        made += mutate.packets(seed, dice, EACH) if seed else []
    return [packed(packet) for packet in made[:EACH]]


def packed(packet: Packet) -> Case:
    """As JSON holds it."""
    return [packet.data.hex(), *astuple(packet)[1:]]


def unpacked(row: Case) -> Packet:
    """The packet again."""
    return Packet(bytes.fromhex(row[0]), *row[1:])


def _fill_packets(rows: Any, given: list[Packet], places: list[int], first: int = 1) -> None:
    rows.time, rows.number = [packet.time for packet in given], range(first, first + len(given))
    rows["at"], rows.captured = places, [len(packet.data) for packet in given]
    rows.wire = [max(packet.wire, len(packet.data)) for packet in given]
    rows.interface, rows.linktype = 0, [packet.linktype for packet in given]


FRAGMENTS_AT: Final = GAP  # never at the very beginning: sums take eight octets at a time
PACKETS_AT: Final = FRAGMENTS_AT + fragments.OCTETS


class Decoder:
    """The decoder between guarded pages: its tables, and a memory that begins with the buffers of fragments."""

    def __init__(self, octets: int, fill: int, ends: bool) -> None:
        self.memory = guarded(np.full(PACKETS_AT + octets, fill, np.uint8), ends)
        self.outer, self.clock = guarded(table(1, PACKET), ends), guarded(table(1, CLOCK), ends)
        self.clock.free_host, self.clock.patience = -1, FOREVER  # nobody makes room here: addresses that find no row have none
        self.hosts, self.index = guarded(table(HOSTS, HOST), ends), guarded(np.full(4 * HOSTS, -1, np.int64), ends)
        made = fragments.fragment_tables(FRAGMENTS_AT)
        self.datagrams, self.units, self.buffers, self.assembly = (guarded(one, ends) for one in made)
        sightings = table(SIGHTINGS, SIGHTING)
        sightings.time = -1
        self.sightings = guarded(sightings, ends)
        self.ports = guarded(framing_tables(protocols())[2], ends)

    def decode(self, memory: Any, packets: Any) -> list[bytes]:
        """Decode all of them; returns what was put together of fragments, as it lies there before the next call takes its place."""
        at, told = 0, list[bytes]()
        while at < len(packets):
            before = at
            at = link.decode(
                plain(memory), at, len(packets), packets, self.outer, self.hosts, self.index, self.clock,
                self.datagrams, self.units, self.buffers, self.assembly, self.sightings, self.ports,
            )  # fmt: skip
            assert before < at <= len(packets), "the decoder stands still"
            told += self._told(memory, packets[before:at])
            assembled(self)
        return told

    def _told(self, memory: Any, packets: Any) -> list[bytes]:
        for name in ("length", "whole", "forgone"):
            assert (packets[name] >= 0).all(), f"{name} is negative"
        there, whole = packets.length > 0, packets.marks & REASSEMBLED != 0
        start, end = packets.payload, packets.payload + packets.length
        assert (start >= packets["at"])[there & ~whole].all(), "a payload before its packet"
        assert (end <= packets["at"] + packets.captured)[there & ~whole].all(), "a payload that is longer than its packet"
        buffer: Any = (packets.payload - FRAGMENTS_AT) // fragments.LARGEST
        assert (buffer[whole] >= 0).all(), "a datagram before the buffers"
        assert (buffer[whole] < fragments.BUFFERS).all(), "a datagram behind the buffers"
        assert (end <= packets.end)[there & whole].all(), "a payload behind its datagram"
        assert (packets.end <= FRAGMENTS_AT + (buffer + 1) * fragments.LARGEST)[whole].all(), "a datagram that is longer than its buffer"
        assert (self.buffers[buffer[whole]] == fragments.READY).all(), "a datagram in a buffer that is free"
        return [memory[row.payload : row.end].tobytes() for row in packets[whole]]


def assembled(owner: Any) -> None:
    """What always holds of fragments: each datagram in progress has a buffer of its own, and buffers and octets are counted right."""
    assembly, open_rows = owner.assembly[0], owner.datagrams[owner.datagrams.state == fragments.OPEN]
    filling = np.flatnonzero(owner.buffers == fragments.FILLING).tolist()
    assert sorted(open_rows.buffer.tolist()) == filling, "buffers that are lost or used twice"
    assert assembly.opened == len(open_rows) <= fragments.MOST_OPEN
    assert assembly.free == np.count_nonzero(owner.buffers == fragments.UNUSED), "buffers that are counted wrong"
    units = owner.units.reshape(-1, fragments.BUFFER_UNITS)
    for row in open_rows:
        assert np.count_nonzero(units[row.buffer]) == row.units, "units that are counted wrong"
        assert row.total < 0 or row.units * fragments.UNIT < row.total, "a whole datagram that waits"
    if len(open_rows):
        assert assembly.due <= int(open_rows.began.min()) + fragments.TIMEOUT, "a datagram that is never given up"


def _put(memory: Any, data: bytes, ends: bool) -> Any:
    """Room for exactly this, at the page."""
    tight = memory[len(memory) - len(data) :] if ends else memory[: len(data)]
    tight[:] = np.frombuffer(data, np.uint8)
    return tight


def _scatter(given: list[bytes], fill: int) -> tuple[Any, list[int]]:
    """All of these with gaps of `fill` around them, and where they lie."""
    places, at = list[int](), GAP
    for data in given:
        places.append(at)
        at += len(data) + GAP
    memory = np.full(at, fill, np.uint8)
    for data, place in zip(given, places, strict=True):
        memory[place : place + len(data)] = np.frombuffer(data, np.uint8)
    return memory, places


def _relative(packets: Any) -> None:
    """Places as they are wherever a packet lies, and whichever buffer its datagram has."""
    whole = packets.marks & REASSEMBLED != 0
    where: Any = np.where  # its type is unknown over tables
    buffers = (packets.payload - FRAGMENTS_AT) // fragments.LARGEST
    ground = where(whole, FRAGMENTS_AT + buffers * fragments.LARGEST, packets["at"])
    for name in ("payload", "end", "edge"):
        packets[name] -= ground
    packets["at"] = 0


def _decode(case: Case) -> tuple[int, str]:
    given, ends = [unpacked(row) for row in case], _ends(case)
    alone = _decode_alone(given, ends)
    told: list[tuple[Any, list[bytes], Any]] = []
    for fill in FILLS:
        scattered, places = _scatter([packet.data for packet in given], fill)
        decoder = Decoder(len(scattered), fill, ends)
        decoder.memory[PACKETS_AT:] = scattered
        packets = guarded(table(len(given), PACKET), ends)
        _fill_packets(packets, given, [PACKETS_AT + place for place in places])
        whole = decoder.decode(decoder.memory, packets)
        _relative(packets)
        told.append((packets, whole, decoder.hosts))
    for other, where in ((told[1], ""), (alone, " at the edge")):
        same(told[0][0], other[0], f"packets{where}")
        assert told[0][1] == other[1], f"datagrams that depend on what lies around their fragments{where}"
        same(told[0][2], other[2], f"hosts{where}")
    return len(given), digest(told[0][0], told[0][2]) + hashlib.blake2b(repr(told[0][1]).encode(), digest_size=8).hexdigest()


def _decode_alone(given: list[Packet], ends: bool) -> tuple[Any, list[bytes], Any]:
    """Each packet alone, in memory and a table that are not one octet larger; behind them lies no other, and before them only fragments."""
    decoder, packets = Decoder(1 << 16, 0x55, ends), guarded(table(1, PACKET), ends)
    found, told = table(len(given), PACKET), list[bytes]()
    for number, packet in enumerate(given):
        at = len(decoder.memory) - len(packet.data) if ends else PACKETS_AT  # the buffers of fragments stay where they are
        tight = decoder.memory[: at + len(packet.data)]
        tight[at:] = np.frombuffer(packet.data, np.uint8)
        _fill_packets(packets, [packet], [at], number + 1)
        told += decoder.decode(tight, packets)
        found[number] = packets[0]
    _relative(found)
    return found, told, decoder.hosts


# ── one message: the dissectors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _make_messages(protocol: Protocol, dice: Random) -> Case:
    seeds = corpus.messages(protocol.name)
    repair = repairs(protocol)
    made: Case = []
    at = 0
    for _ in range(EACH):
        follows = dice.random() < 0.7  # what a message says may depend on those before it, or be the next part
        at = (at + 1) % len(seeds) if follows else int(len(seeds) * dice.random() ** 2)
        seed, other = seeds[at], dice.choice(seeds)
        data = mutate.octets(seed.data, dice, other.data) if dice.random() < 0.95 else dice.randbytes(dice.randrange(1, 300))
        if follows and dice.random() < 0.7:
            data = seed.data
        elif repair and dice.random() < 0.7:
            data = repair(data)
        odd = dice.random() < 0.2
        side = dice.randrange(2) if odd else seed.side
        framing = dice.randrange(len(protocol.framings)) if odd else seed.framing
        made.append([data.hex(), side, framing, dice.randrange(16) if odd else seed.marks])
    return made


def _fill_messages(rows: Any, given: list[Message], places: list[int]) -> None:
    rows.offset, rows.length = places, [len(message.data) for message in given]
    rows.side, rows.framing, rows.marks = ([getattr(message, name) for message in given] for name in ("side", "framing", "marks"))


def _junk(rows: int, dtype: Any, fill: int, ends: bool) -> Any:
    made = guarded(table(rows, dtype), ends)
    made.view(np.uint8)[:] = fill
    return made


def _dissected(protocol: Protocol, given: list[Message], fill: int, ends: bool) -> tuple[Any, Any, Any, Any, bool]:
    scattered, places = _scatter([message.data for message in given], fill)
    at = REGION if ends else 0  # messages lie at the guarded page
    memory = guarded(np.zeros(REGION + len(scattered), np.uint8), ends)
    memory[at : at + len(scattered)] = scattered
    messages, places = guarded(table(len(given), MESSAGE), ends), [at + place for place in places]
    _fill_messages(messages, given, places)
    operations = _junk(room_for(given, protocol.operations_each, OPERATION_OCTETS), OPERATION, fill, ends)
    samples = _junk(room_for(given, protocol.samples_each, SAMPLE_OCTETS), SAMPLE, fill, ends)
    remembered, joints = _contexts(0 if ends else len(scattered), ends)
    used, sampled = protocol.dissect(plain(memory), messages, guarded(np.arange(len(given)), ends), operations, 0, samples, 0, remembered, joints)
    _read(protocol, memory, operations[:used], samples[:sampled])
    return messages, operations[:used], samples[:sampled], joints, bool((remembered.tag >= 0).any() or (joints.fill_at > joints.begin_at).any())


def _read(protocol: Protocol, memory: Any, operations: Any, samples: Any) -> None:
    """What a protocol makes in Python of what its kernel found: names, facts, and what is said of hosts."""
    for operation in operations:
        space, first, last = int(operation.space), int(operation["first"]), int(operation.last)
        if protocol.label and space >= 0 and first >= 0:
            assert len(protocol.label(protocol.spaces[space], first, last) or "") <= LONGEST_NAME
        if protocol.spelled and operation.name_octets > 0:
            assert len(protocol.spelled(bytes(memory[operation.name_at : operation.name_at + operation.name_octets]))) <= LONGEST_NAME
    for sample in samples:
        if protocol.fact and sample.encoding == FACT:
            assert len(protocol.fact(protocol.spaces[int(sample.space)], int(sample["first"]), float(sample.value))) <= LONGEST_NAME
        for statement in protocol.tells(sample_octets(sample, memory)) if protocol.tells and sample.encoding == TEXT else ():
            assert all(name and 0 < confidence <= 100 for name, _, confidence in statement.facts)


def _contexts(place: int, ends: bool) -> tuple[Any, Any]:
    remembered, joints = contexts.context_tables(place, *FEW)
    return guarded(remembered, ends), guarded(joints, ends)


def _sent(case: Case) -> list[Message]:
    return [Message(bytes.fromhex(row[0]), *row[1:]) for row in case]


def _dissect_once(protocol: Protocol, case: Case) -> object:
    return _dissected(protocol, _sent(case), FILLS[0], _ends(case))


def _dissect(protocol: Protocol, case: Case) -> tuple[int, str]:
    given, ends = _sent(case), _ends(case)
    alone = _dissect_alone(protocol, given, ends)
    (messages, operations, samples, joints, remembers), (_, again, again_samples, *_) = (_dissected(protocol, given, fill, ends) for fill in FILLS)
    assert len(operations) == len(again), "operations that depend on what lies around their messages"
    assert len(samples) == len(again_samples), "samples that depend on what lies around their messages"
    owned = operations[list(OWNED)]
    same(owned, again[list(OWNED)], "operations")
    same(samples, again_samples, "samples")
    check_tables(protocol, messages, operations, samples, joints)
    if remembers:  # one message alone says something else
        return len(given), digest(owned, samples)
    assert len(alone) == len(operations), "other operations at the edge"
    carries = operations.payload >= 0
    operations.payload[carries] -= messages.offset[operations.message[carries]]
    named = operations.name_octets > 0
    operations.name_at[named] -= messages.offset[operations.message[named]]
    names = [name for name in OWNED if name not in ("message", "sample")]
    same(alone[names], operations[names], "operations at the edge")
    return len(given), digest(owned, samples)


def _dissect_alone(protocol: Protocol, given: list[Message], ends: bool) -> Any:
    """Each message alone, in memory and tables that are not one octet larger."""
    memory, messages = guarded(np.zeros(1 << 16, np.uint8), ends), guarded(table(1, MESSAGE), ends)
    which, tables = guarded(np.zeros(1, np.int64), ends), Tables(ends)
    remembered, joints = _contexts(len(memory), ends)
    nothing = remembered.copy(), joints.copy()
    found: list[Any] = []
    for message in given:
        operations = tables.blank(room_for([message], protocol.operations_each, OPERATION_OCTETS), OPERATION)
        samples = tables.blank(room_for([message], protocol.samples_each, SAMPLE_OCTETS), SAMPLE)
        remembered[:], joints[:] = nothing
        _fill_messages(messages, [message], [0])
        used, _ = protocol.dissect(plain(_put(memory, message.data, ends)), messages, which, operations, 0, samples, 0, remembered, joints)
        found.append(operations[:used].view(np.uint8).copy())
    return np.concatenate(found).view(OPERATION)  # as rows they would be compared field by field, once a message


# ── messages inside messages ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

UPPERS: Final = (*protocols(), toys.TOY, toys.INNER, toys.REST, toys.COMM, toys.PLUS)
SELECTORS: Final = (90, 90, 90, 7, 9, 9, 0)


def _make_carried(dice: Random) -> Case:
    """Octets of a lower message, its protocol, its marks, and what its operation says that it carries: mostly a part of it."""
    made: Case = []
    for _ in range(EACH):
        data = dice.choice((b"\x32", b"\x72", b"\0", b"")) + dice.randbytes(dice.randrange(1, 40))
        at = dice.randrange(len(data))
        length = dice.randrange(len(data) - at + 1)
        if dice.random() < 0.1:
            at, length = dice.choice(((at, 1 << 30), (-1 - at, len(data)), (at, -length), (len(data) + at, 1), (0, len(data) + 1)))
        made.append([data.hex(), dice.randrange(len(UPPERS)), dice.choice((0, 2)), at, length, dice.choice(SELECTORS)])
    return made


@cache
def _layer_tables() -> tuple[Any, Any, Any]:
    return layers.layer_tables(UPPERS)


def _handed_on(case: Case, fill: int, ends: bool) -> tuple[Any, Any, Any]:
    count = len(case)
    scattered, places = _scatter([bytes.fromhex(row[0]) for row in case], fill)
    if count == 1:
        scattered, places = np.frombuffer(bytes.fromhex(case[0][0]), np.uint8), [0]
    operations, messages = _junk(count, OPERATION, fill, ends), _junk(2 * count, MESSAGE, fill, ends)
    for number, (row, place) in enumerate(zip(case, places, strict=True)):
        data, protocol, marks, at, length, selector = row
        operation, message = operations[number], messages[number]
        operation.message, operation.payload, operation.payload_length, operation.selector = number, place + at, length, selector
        operation.unit, operation.transaction = 1, number
        message.offset, message.length, message.protocol, message.marks = place, len(data) // 2, protocol, marks
        message.time, message.clock, message.packet, message.connection, message.flow = 1, 1, 1, 1, 1
        message.conversation, message.port, message.side, message.peered, message.framing = number % TALKS, 502, number % 2, 1, 0
        message.interface = number % 2
        message.speaker, message.hearer = number % 2, 1 - number % 2
    layered, framings, known = (guarded(one, ends) for one in _layer_tables())
    ranks = 1 + int(layered.rank.max())
    conversations, above_of = guarded(table(TALKS * ranks, CONVERSATION), ends), guarded(np.full(count, 99, np.int64), ends)
    scratch = guarded(table(1, MESSAGE_SCRATCH), ends)
    filled: int = layers.hand_on(
        plain(guarded(scattered, ends)), 0, count, operations, messages, count, above_of, TALKS, conversations, layered, framings, known, scratch,
        contexts.context_tables(len(scattered), *FEW)[1],
    )  # fmt: skip
    assert (operations.payload < 0).all(), "what is handed on twice"
    above, origins = messages[count:filled], np.flatnonzero(above_of >= 0)
    assert list(above_of[origins]) == list(range(count, filled)), "every message is that of an operation"
    below = messages[origins]
    assert (above.offset >= below.offset).all(), "a message before that which carries it"
    assert (above.offset + above.length <= below.offset + below.length).all(), "a message that is longer than that which carries it"
    assert (above.length > 0).all()
    assert (above.conversation >= TALKS).all()
    return above, origins, conversations


def _hand_on(case: Case) -> tuple[int, str]:
    ends = _ends(case)
    (above, origins, conversations), (again, *_) = (_handed_on(case, fill, ends) for fill in FILLS)
    assert len(above) == len(again), "messages that depend on what lies around those that carry them"
    same(above, again, "messages")
    for row in case:  # alone, at the page
        assert len(_handed_on([row], FILLS[0], ends)[0]) == (1 if case.index(row) in origins else 0), "another message at the edge"
    return len(case), digest(above, conversations)


# ── a capture: the whole sensor ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Edge:
    """Packets as a source, some at a time. The last one of a batch ends with the arena; all others lie in gaps of `fill`, as does what nobody wrote to."""

    def __init__(self, packets: list[Packet], fill: int, sensor: GuardedSensor) -> None:
        self.name, self.interfaces, self.drops, self.ticks, self.patient = "edge", ("",), (), (), True
        self.error: BalefireError | None = None
        self.whole = 0
        self._packets, self._fill, self._sensor = packets, fill, sensor
        self._next = self._last = 0
        if fill:  # fresh memory is zeros
            sensor.arena[:] = fill

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """See `sensors.source.Source`."""
        self.whole += int(sum(packets[name][: self._last].sum() for name in ("whole", "forgone", "trailing")))
        if self._next % 3 == 0:
            sound(self._sensor)
        given: list[Packet] = []
        end = room = len(memory)
        places: list[int] = []
        while self._next + len(given) < len(self._packets) and len(given) < min(1 + self._next % 7, len(packets)):
            packet = self._packets[self._next + len(given)]
            if end - len(packet.data) - GAP < start:
                break
            given.append(packet)
            places.append(end - len(packet.data))
            end -= len(packet.data) + GAP
        assert given or self._next == len(self._packets), "a packet that is larger than the arena"
        np.asarray(memory)[start:room] = self._fill
        for packet, at in zip(given, places, strict=True):
            np.asarray(memory)[at : at + len(packet.data)] = np.frombuffer(packet.data, np.uint8)
        if given:
            _fill_packets(packets[: len(given)], given, places, self._next + 1)
        else:
            datagrams = self._sensor.datagrams
            self.whole += int(datagrams.octets[datagrams.state == fragments.OPEN].sum())
        self._next += len(given)
        self._last = len(given)
        return len(given)

    def close(self) -> None:
        """Nothing to let go of."""


def sound(sensor: Any) -> None:
    """What always holds between two batches: no slot is lost or used twice, no counter is negative."""
    assembled(sensor)
    after, streams = sensor.slots.after.tolist(), sensor.streams[0]
    flows = sensor.flows[: int(streams.flows)]
    held: list[int] = []
    chains = [int(streams.free_slot), int(streams.done_slot), *flows.waiting[(flows.used == 1) & (flows.waiting_count > 0)].tolist()]
    for slot in chains:
        while slot >= 0:
            held.append(slot)
            assert len(held) <= len(after), "slots in a circle"
            slot = after[slot]
    held += flows.carry_slot[(flows.used == 1) & (flows.carry_length > 0)].tolist()
    assert sorted(held) == list(range(len(after))), "slots that are lost or used twice"
    for name in STREAMS.names or ():
        if name not in ("free_flow", "free_slot", "done_slot", "window"):
            assert streams[name] >= 0, f"streams.{name} is negative"
    assert (flows.carry_length >= 0).all()
    assert (flows.carry_need >= flows.carry_length)[flows.carry_length > 0].all(), "more is carried than the message needs"


def _make_capture(dice: Random) -> Case:
    seeds = corpus.seeds()
    seed = seeds[int(len(seeds) * dice.random() ** 3)]
    return [packed(packet) for packet in mutate.packets(seed or seeds[0], dice, dice.choice((EACH, EACH, EACH, 6 * EACH)))]


def _told(given: list[Packet], fill: int, ends: bool) -> tuple[GuardedSensor, list[list[dict[str, Any]]]]:
    sensor = GuardedSensor(ROOM, ends)
    source = Edge(given, fill, sensor)
    batches = list(sensor.listen(source))
    rows = [[row for batch in batches for row in getattr(batch, name).to_pylist()] for name in ("activities", "points", "coverage")]
    for table_rows in rows:
        assert len({row["id"] for row in table_rows}) == len(table_rows), "one identity twice"
    sound(sensor)
    assert int(sensor.streams[0].free_slots) == len(sensor.slots), "slots that are in use when all is over"
    totals = sensor.totals
    assert sum(row["packets"] for row in rows[2]) == totals.packets == len(given), "packets that coverage does not count"
    assert sum(row["ot.count"] for row in rows[0]) == totals.operations, "operations that no activity counts"
    assert totals.decoded_bytes >= 0
    assert totals.undecoded_bytes >= 0
    assert totals.decoded_bytes + totals.undecoded_bytes <= source.whole, "octets that were counted twice"
    return sensor, rows


@cache
def _compared() -> tuple[str, ...]:
    """Tables that last: those of a batch are made anew."""
    return ("hosts", "flows", "conversations", "streams", "groups", "blocks", "undecoded", "histories", "datagrams", "sightings", "characters", "ring")


def _sensor(case: Case) -> tuple[int, str]:
    given, ends = [unpacked(row) for row in case], _ends(case)
    groups = {"GROUP_ROWS": 1 << 10} if len(case) % 2 else {}
    bounds = ((sensors_sensor, SMALL), (release, SMALL_RELEASE | groups), (pairing, SMALL_PAIRING), (names, {"MOST_NAMES": 1}))
    with ExitStack() as stack:
        for module, small in bounds:
            assert vars(module).keys() >= small.keys(), "the bounds of the tables have other names now"
            stack.enter_context(patch.dict(vars(module), small))
        first, rows = _told(given, FILLS[0], ends)
        if len(case) % 4 == 0:
            second, again = _told(given, FILLS[1], ends)
            for one, other in zip(rows, again, strict=True):
                assert one == other, "activities, points or coverage that depend on what lies around packets"
            for name in _compared():
                one, other = (getattr(sensor if hasattr(sensor, name) else sensor.release, name) for sensor in (first, second))
                same(one, other, name)
    return 1, hashlib.blake2b(repr(rows).encode(), digest_size=8).hexdigest()
