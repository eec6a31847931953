"""What every protocol has to stand, whatever it is: helpers for `test_protocols` and for the test file of each protocol.

A protocol's test file, `tests/test_<name>.py`, holds EXAMPLES: messages that together bring up every function of its table.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import itertools
import json
import math
import mmap
import random
import struct
import sys
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.effects import EFFECTS
from sensors.engine import contexts
from sensors.engine.dissecting import LEAST_ROWS, OPERATION_OCTETS, SAMPLE_OCTETS
from sensors.engine.encodings import STRIDES
from sensors.engine.tables import BIT, FACT, LOW_TWO, MESSAGE, OPERATION, SAMPLE, TEXT, U16BE, VALUE, WITHOUT, code_path, table
from sensors.listing import element_value, lines, plain_rows
from sensors.protocol import Function, Protocol, protocols
from sensors.sources.pcap import find, open_capture

if TYPE_CHECKING:
    from collections.abc import Callable

OWNED: Final = (
    "message", "role", "outcome", "short", "part", "transaction", "code", "effect", "unit", "space", "first", "last", "distinct", "value", "error",
    "anomaly", "octets", "name_at", "name_octets", "sample", "samples", "answer_sample", "answer_samples", "payload", "payload_length", "selector",
)  # fmt: skip
PAD: Final = 64
FEW: Final = (256, 1 << 18)  # contexts, octets joined: enough for some thousand messages
REGION: Final = FEW[0] * contexts.HELD_EACH + FEW[1]


@dataclass(frozen=True)
class Message:
    """A message as the engine hands it on."""

    data: bytes
    side: int = 0
    framing: int = 0
    marks: int = 0
    time: int = 0

    def but(self, data: bytes, marks: int = 0) -> Message:
        """The same with other octets."""
        return Message(data, self.side, self.framing, marks, self.time)


@dataclass(frozen=True)
class Values:
    """A run of values: numbers, or one piece of text."""

    space: str
    first: int
    values: tuple[float | bytes, ...]


@dataclass(frozen=True)
class Row:
    """An operation in words."""

    message: int
    role: int
    outcome: int
    short: int
    part: int
    transaction: int
    code: str
    action: str
    effect: str
    unit: int
    space: str
    first: int
    last: int
    distinct: int
    value: float | None
    error: int
    anomalies: tuple[str, ...]
    octets: int
    name: str = ""
    samples: tuple[Values, ...] = field(default=())


def examples(protocol: Protocol) -> tuple[Message, ...]:
    """The messages of the protocol's own test file."""
    return importlib.import_module(f"tests.test_{protocol.name}").EXAMPLES


def repairs(protocol: Protocol) -> Callable[[bytes], bytes] | None:
    """What makes the checksums of changed octets right again, where the protocol's own test file has it (`repaired`): else a fuzz goes no deeper."""
    return getattr(importlib.import_module(f"tests.test_{protocol.name}"), "repaired", None)


def _junk(rows: int, dtype: np.dtype[np.void], fill: int) -> Any:
    made = table(rows, dtype)
    made.view(np.uint8)[:] = fill
    return made


def room_for(given: list[Message], each: int, octets: int) -> int:
    """How many rows the engine has room for."""
    return sum(min(each, LEAST_ROWS + len(message.data) // octets) for message in given)


def run(protocol: Protocol, given: list[Message], fill: int = 0, arena: Any = None, apart: bool = False) -> tuple[list[Row], Any, Any]:
    """Dissect messages between octets of `fill`, in tables full of `fill`; of one connection or, `apart`, each of its own.

    Returns the rows in words, and both tables.
    """
    size = sum(len(message.data) + PAD for message in given) + PAD
    memory = arena
    if arena is None:
        memory = np.zeros(size + REGION, np.uint8)  # messages that are joined lie behind, in pages that cost nothing until then
        memory[:size] = fill
    messages = table(len(given), MESSAGE)
    at = PAD if arena is None else 0
    messages.connection = range(len(given)) if apart else 0
    for row, message in zip(messages, given, strict=True):
        memory[at : at + len(message.data)] = np.frombuffer(message.data, np.uint8)
        row["unit"] = row["transaction"] = -1
        row["offset"], row["length"], row["side"], row["framing"], row["marks"] = at, len(message.data), message.side, message.framing, message.marks
        row["time"] = row["clock"] = message.time
        at += len(message.data) + (PAD if arena is None else 0)
    operations = _junk(room_for(given, protocol.operations_each, OPERATION_OCTETS), OPERATION, fill)
    samples = _junk(room_for(given, protocol.samples_each, SAMPLE_OCTETS), SAMPLE, fill)
    remembered, joints = contexts.context_tables(size, *FEW)
    used, sampled = protocol.dissect(memory, messages, np.arange(len(given)), operations, 0, samples, 0, remembered, joints)
    check_tables(protocol, messages, operations[:used], samples[:sampled], joints)
    values = plain_rows(samples[:sampled])
    return [_row(protocol, memory, operation, values) for operation in plain_rows(operations[:used])], operations[:used], samples[:sampled]


def _bare(rows: Any, dtype: np.dtype[np.void]) -> Any:
    """The same rows without fields as attributes: many times as fast to read."""
    return np.asarray(rows).view(dtype)


def check_tables(protocol: Protocol, messages: Any, operations: Any, samples: Any, joints: Any) -> None:
    """What holds for the rows of every protocol."""
    taken = 0
    joined = range(int(joints[0]["begin_at"]), int(joints[0]["fill_at"]) + 1)
    messages, operations, samples = plain_rows(messages), plain_rows(operations), plain_rows(samples)

    def inside(message: Any, at: int, octets: int) -> bool:
        return message.offset <= at <= at + octets <= message.offset + message.length or (at in joined and at + octets in joined)

    for operation in operations:
        message = messages[operation.message]
        assert operation.role in (0, 1, 2, 3)
        assert operation.outcome == 0 or operation.role != 0
        assert operation.space in range(-1, len(protocol.spaces))
        assert operation.transaction >= -1
        assert operation.unit >= -1
        assert operation.last >= operation.first >= -1
        assert operation.distinct >= 1
        assert operation.effect in range(-1, len(EFFECTS))
        assert 0 <= operation.anomaly < 1 << len(protocol.anomalies)
        assert operation.octets == message.length or (protocol.joins and operation.octets > message.length)
        assert operation.name_octets <= 0 or inside(message, operation.name_at, operation.name_octets), "a name outside of its message"
        assert (operation.answer_sample, operation.answer_samples) == (0, 0)
        assert 0 <= operation.samples <= protocol.samples_each
        assert operation.samples == 0 or operation.sample == taken, "samples stand in the order of their operations"
        taken += operation.samples
        assert (operation.payload < 0) == (operation.selector < 0)
        assert operation.payload >= 0 or operation.payload_length == 0
        assert operation.payload < 0 or inside(message, operation.payload, operation.payload_length), "a payload outside of its message"
        for sample in samples[operation.sample : operation.sample + operation.samples]:
            assert sample.space in range(len(protocol.spaces))
            assert sample.count >= 1
            assert sample.first >= -1
            assert sample.step >= 1
            assert sample.stamp >= -1
            if sample.encoding in (VALUE, FACT):
                assert sample.count == 1
                continue
            assert sample.quality == -1, "a run has its qualities beside its values"
            assert inside(message, sample.offset, sample.octets), "a value outside of its message"
            assert BIT <= sample.encoding <= LOW_TWO
            if sample.encoding == BIT:
                assert sample.octets == (sample.count + 7) // 8
            elif sample.encoding != TEXT:
                element = sample.stride
                assert sample.octets == element * sample.count
                assert sample.value_at + STRIDES[sample.encoding] <= element
                assert sample.quality_at == WITHOUT or sample.quality_at < element
    assert taken == len(samples)
    assert [each.message for each in operations] == sorted(each.message for each in operations)
    assert protocol.joins or {each.message for each in operations} == set(range(len(messages))), "silence is no answer to a message"


def function_of(protocol: Protocol, path: str) -> Function | None:
    """The function of this code path: its own, or the one that stands for all that begin like it."""
    parts = path.split("/")
    beginnings = ("/".join([*parts[:count], "*"]) for count in range(len(parts) - 1, 0, -1))
    return next((protocol.functions[name] for name in (path, *beginnings) if name in protocol.functions), None)


SHOWN: Final = tuple(name.name for name in fields(Row) if name.name in OWNED and name.name not in ("value", "code"))


def _row(protocol: Protocol, memory: Any, operation: Any, samples: Any) -> Row:
    path = code_path(operation.code)
    function = function_of(protocol, path)
    effect = EFFECTS[int(operation.effect)].name if operation.effect >= 0 else function.effect if function else "unknown"
    value = operation.value
    said: dict[str, Any] = {name: getattr(operation, name) for name in SHOWN}
    said |= {
        "code": path,
        "action": function.name if function else f"function_{path.replace('/', '_')}" if path else "",
        "effect": effect,
        "space": protocol.spaces[int(operation.space)] if operation.space >= 0 else "",
        "value": None if math.isnan(value) else value,
        "name": bytes(memory[operation.name_at : operation.name_at + operation.name_octets]).decode("utf-8", "replace"),
        "anomalies": tuple(name for bit, name in enumerate(protocol.anomalies) if operation.anomaly >> bit & 1),
        "samples": tuple(
            _values(protocol, memory, sample) for sample in samples[operation.sample : operation.sample + operation.samples]
        ),
    }  # fmt: skip
    return Row(**said)


def _values(protocol: Protocol, memory: Any, sample: Any) -> Values:
    octets = bytes(memory[sample.offset : sample.offset + sample.octets])
    count, encoding = sample.count, sample.encoding
    values: tuple[float | bytes, ...]
    if encoding in (VALUE, FACT):
        values = (sample.value,)
    elif encoding == TEXT:
        values = (octets,)
    elif encoding == BIT:
        values = tuple(float(octets[i // 8] >> i % 8 & 1) for i in range(count))
    elif encoding == U16BE:
        values = tuple(float(int.from_bytes(octets[i : i + 2])) for i in range(0, 2 * count, 2))
    else:
        numbers = (element_value(octets, i * sample.stride + sample.value_at, encoding) for i in range(count))
        values = tuple(float("nan") if number is None else float(number) for number in numbers)
    return Values(protocol.spaces[int(sample.space)], sample.first, values)


def told(protocol: Protocol, given: list[Message], apart: bool = False) -> list[Row]:
    """The rows of these messages, which depend neither on what lies around them nor on what the tables held."""
    first, second = run(protocol, given, 0x00, apart=apart), run(protocol, given, 0xFF, apart=apart)
    assert first[0] == second[0], "the rows depend on octets outside of the messages or on what the tables held before"
    one, other = _bare(first[1], OPERATION), _bare(second[1], OPERATION)
    for name in OWNED:
        assert np.array_equal(one[name], other[name], equal_nan=name == "value"), f"{name} is not set in every row"
    return first[0]


def mutants(protocol: Protocol, count: int, seed: int) -> list[Message]:
    """Examples with some octets changed, cut short or drawn out, and plain noise, on either side, in every framing, with any mark."""
    dice = random.Random(seed)
    made: list[Message] = []
    seeds = examples(protocol)
    for _ in range(count):
        source = dice.choice(seeds)
        data = bytearray(source.data if dice.random() < 0.8 else dice.randbytes(dice.randrange(1, 300)))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        if dice.random() < 0.3:
            data = data[: dice.randrange(1, len(data) + 1)]
        if dice.random() < 0.2:
            data += dice.randbytes(dice.randrange(20))
        odd = dice.random() < 0.3
        side = dice.randrange(2) if odd else source.side
        framing = dice.randrange(len(protocol.framings)) if odd else source.framing
        made.append(Message(bytes(data), side, framing, dice.randrange(16) if odd else source.marks))
    return made


def digest(protocol: Protocol, seed: int) -> str:
    """A fingerprint of what a protocol says to a long list of good and bad messages."""
    rows = run(protocol, [*examples(protocol), *mutants(protocol, 500, seed)])[0]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def at_the_edge(protocol: Protocol, given: list[Message]) -> None:
    """Dissect each message where it ends at a page that nobody may read: one octet too far kills the process."""
    page = mmap.PAGESIZE
    ground = mmap.mmap(-1, 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(ground))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert libc.mprotect(start + page, page, 0) == 0
    readable = np.frombuffer(ground, np.uint8)
    for message in given:
        run(protocol, [message], arena=readable[page - len(message.data) : page])


Segment = tuple[int, int, bytes]  # side, offset in its stream, octets


def capture(segments: list[Segment], port: int, counts: tuple[int, int]) -> bytes:
    """A classic capture of one TCP connection: handshake, these segments a millisecond apart, and an end after `counts` octets each way."""
    start = (0xFFFFFF80, 1000)  # one stream wraps around
    made: list[bytes] = []

    def frame(side: int, at: int, flags: int, data: bytes, other: int) -> None:
        host = (bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
        ports = (40000, port)
        sequence, acknowledge = (start[side] + at) & 0xFFFFFFFF, (start[1 - side] + other) & 0xFFFFFFFF
        tcp = struct.pack("!HHIIBBHHH", ports[side], ports[1 - side], sequence, acknowledge, 80, flags, 8192, 0, 0) + data
        ip = struct.pack("!BBHHHBBH4s4s", 69, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, host[side], host[1 - side])
        packet = bytes((2, 0, 0, 0, 0, 1 + side, 2, 0, 0, 0, 0, 2 - side, 8, 0)) + ip + tcp
        made.append(struct.pack("<IIII", 1_700_000_000, len(made) * 10, len(packet), len(packet)) + packet)

    frame(0, -1, 2, b"", 0)
    frame(1, -1, 18, b"", 0)
    frame(0, 0, 16, b"", 0)
    for side, at, data in segments:
        frame(side, at, 24, data, 0)
    frame(0, counts[0], 17, b"", counts[1])
    frame(1, counts[1], 17, b"", counts[0] + 1)
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(made)


def streamed(protocol: Protocol, segments: list[Segment], counts: tuple[int, int]) -> list[dict[str, Any]]:
    """What the engine lists of these segments, without what depends on where packets begin."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stream.pcap"
        path.write_bytes(capture(segments, protocol.tcp[0], counts))
        (found,) = find([str(path)])
        source = open_capture(found)
        try:
            rows = list(lines(source, ""))
        finally:
            source.close()
    places = ("packet", "response_packet", "time", "rtt_us")
    return [{name: value for name, value in row.items() if name not in places} for row in rows]


def streams(protocol: Protocol) -> tuple[bytes, bytes]:
    """The well-formed examples of the first framing, each way one after the other."""
    sides = [[message.data for message in examples(protocol) if message.side == side and message.framing == 0] for side in (0, 1)]
    return b"".join(sides[0]), b"".join(sides[1])


def cut(stream: bytes, side: int, places: list[int]) -> list[Segment]:
    """One stream in segments that begin at these places."""
    edges = sorted({0, len(stream), *(place % len(stream) for place in places), *range(0, len(stream), 1400)})
    return [(side, at, stream[at:end]) for at, end in itertools.pairwise(edges)]


if __name__ == "__main__":
    if sys.argv[1] == "edge":
        for one in protocols():
            at_the_edge(one, [*examples(one), *mutants(one, 2000, 7)])
    json.dump({one.name: digest(one, 7) for one in protocols()}, sys.stdout)
