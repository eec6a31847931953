"""Toy protocols over others, for `tests.test_layers`: found where this folder is on the path of `sensors.protocols`.

All speak alike: an octet by which they may be told apart, a code, and what it defines. Requests and answers share the transaction of the protocol below.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.engine.dissecting import add_run, open_row
from sensors.engine.octets import borrow, entry, kernel, u8, u16be
from sensors.engine.tables import REQUEST, U16BE
from sensors.protocol import BY_PAYLOAD, Framing, Function, Protocol

READ, BOTH, CARRY, SILENT = 1, 2, 3, 5
FUNCTIONS: Final = {"1": Function("look", "value.read"), "2": Function("swap", "value.read"), "3": Function("carry", "test")}
VALUE_WRITE: Final = NUMBER["value.write"]


@kernel
def read_look(memory: Any, at: int, end: int, row: Any, samples: Any) -> int:
    """First and count, or the values; returns how many runs of values there are."""
    row.space = 0
    if row.role == REQUEST:
        first, count = u16be(memory, at, end, row), u8(memory, at + 2, end, row)
        if row.short == 0:
            row.first, row.last = first, first + max(count, 1) - 1
        return 0
    count = (end - at) // 2
    if count <= 0:
        return 0
    add_run(row, samples, 0, -1, count, at, 2 * count, U16BE, 0)
    return 1


@kernel
def read_carried(memory: Any, at: int, end: int, row: Any) -> None:
    """A selector and somebody else's message."""
    selector = u8(memory, at, end, row)
    if row.short == 0:
        row.payload, row.payload_length, row.selector = at + 1, end - at - 1, selector


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """See `sensors.protocol`."""
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        at, end = message.offset, message.offset + message.length
        code = u8(memory, at + 1, end, row)
        if code == SILENT:
            continue
        used += 1
        if row.short:
            continue
        row.code = (code + 1) << 40
        if code == READ:
            sampled += read_look(memory, at + 2, end, row, samples)
        elif code == CARRY:
            read_carried(memory, at + 2, end, row)
        elif code == BOTH:
            row.space, row.first = 0, u16be(memory, at + 2, end, row)
            row.last, row.effect = row.first, VALUE_WRITE
            read = operations[used]
            open_row(read, index, message, sampled)
            read.code, read.space, read.first, read.last, read.part, read.short = row.code, 0, row.first, row.last, 1, row.short
            used += 1
    return used, sampled


def toy(name: str, lower: str, selector: int, magic: int = 0) -> Protocol:
    """One of them; with `magic`, told apart by its first octet."""
    framings = (Framing(kind=BY_PAYLOAD, magic=(0, magic << 8, 0xFF00), least=2),) if magic else ()
    return Protocol(
        name=name, title=name, spec="none", framings=framings, functions=FUNCTIONS, dissect=dissect, over=(lower, selector),
        spaces=("cell",), operations_each=2, samples_each=1,
    )  # fmt: skip


TOY: Final = toy("toy", "modbus", 90)
INNER: Final = toy("toy_inner", "toy", 7)
DEEP: Final = toy("toy_deep", "toy_inner", 7)
DEEPER: Final = toy("toy_deeper", "toy_deep", 7)
TOO_DEEP: Final = toy("toy_too_deep", "toy_deeper", 7)
REST: Final = toy("toy_a_rest", "toy", 9)
COMM: Final = toy("toy_comm", "toy", 9, 0x32)
PLUS: Final = toy("toy_plus", "toy", 9, 0x72)
ORPHAN: Final = toy("toy_orphan", "nobody", 1)
