"""A toy protocol over `toy` that remembers, joins and names: for `tests.test_contexts`.

A part: whether more follow, octets. The whole: length of a name, the name, a quality, four octets of a number, seconds of its time.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.contexts import append, begin_text, context, drop, end_text, joined, put_number, put_octet, put_octets
from sensors.engine.dissecting import add_run, add_value, open_row
from sensors.engine.octets import borrow, entry, f32be, kernel, u8, u32be
from sensors.engine.tables import AFTER_GAP, F32BE, REPORT, SECOND
from sensors.protocol import Function, Protocol

TAG: Final = 77
TOO_LONG: Final = 1


@kernel
def read_whole(memory: Any, at: int, end: int, row: Any, samples: Any, joints: Any) -> None:
    """A name and a value; names that begin with a dot are spelt out by number."""
    octets = u8(memory, at, end, row)
    if u8(memory, at + 1, end, row) == 46:
        place = begin_text(joints)
        put_octets(memory, joints, at + 2, octets - 1)
        put_octet(memory, joints, 91)
        put_number(memory, joints, 1207)
        put_octet(memory, joints, 93)
        end_text(row, place, joints)
    elif at + 1 + octets <= end:
        row.name_at, row.name_octets = at + 1, octets
    at += 1 + octets
    quality, value = u8(memory, at, end, row), f32be(memory, at + 1, end, row)
    seconds = u32be(memory, at + 5, end, row)
    if row.short == 0:
        row.first = row.last = row.space = 0
        row.value = value
        sample = add_value(row, samples, 0, 0, value)
        sample.quality, sample.stamp = quality, seconds * SECOND
        run = add_run(row, samples, 1, 64, 1, at, 5, F32BE, 5)
        run.value_at, run.quality_at, run.step = 1, 0, 4


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """See `sensors.protocol`."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        at, end = message.offset, message.offset + message.length
        number = context(contexts, joints, TAG, message.connection, message.side, message.clock)
        if contexts[number].fresh:
            contexts[number].fresh, contexts[number].a = 0, 100
        if message.marks & AFTER_GAP:
            drop(contexts, number, joints)
        contexts[number].a += 1
        more = u8(memory, at, end, row)
        fits = append(memory, contexts, number, joints, at + 1, end - at - 1)
        if more == 1 and fits:
            continue
        used += 1
        row.code, row.role, row.transaction = 2 << 40 | (min(contexts[number].a, 102) + 1) << 20, REPORT, -1
        if not fits:
            row.anomaly |= TOO_LONG
            drop(contexts, number, joints)
            continue
        place, octets = joined(memory, contexts, number, joints)
        row.octets = max(row.octets, octets)
        read_whole(memory, place, place + octets, row, samples, joints)
        sampled += row.samples
    return used, sampled


PARTS: Final = Protocol(
    name="toy_parts", title="parts", spec="none", framings=(), functions={"1/101": Function("first", "value.report"), "1/*": Function("later", "value.report")},
    dissect=dissect, over=("toy", 11), spaces=("tag", "run"), anomalies=("too_long",), samples_each=2, joins=True,
    qualities={"tag": ("good", "", "old"), "run": ("good",)}, label=lambda space, first, last: f"{space}:{first}-{last}",
)  # fmt: skip
