"""Values of Modbus, as the samples of a row."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.dissecting import NOTHING, add_run
from sensors.engine.octets import kernel, u8, u16be
from sensors.engine.tables import BIT, U16BE

SAMPLES: Final = 8


@kernel
def add_sample(row: Any, samples: Any, first: int, count: int, offset: int, octets: int, encoding: int, value: float) -> None:
    """One run of values, in the address space of its operation."""
    if row.samples >= SAMPLES:
        return
    sample = add_run(row, samples, row.space, first, count, offset, octets, encoding, 0)
    sample.value = value


@kernel
def add_values(memory: Any, at: int, end: int, row: Any, samples: Any, first: int, octets: int, bits: int, limit: int) -> int:
    """The values in `octets` octets at `at`, at most `limit` of them and none past the end; returns where they were to end."""
    there = min(octets, max(end - at, 0))
    if there < octets:
        row.short = 1
    count = min(there * 8 // bits, limit)
    if count > 0:
        add_sample(row, samples, first, count, at, (count * bits + 7) // 8, BIT if bits == 1 else U16BE, NOTHING)
        if count == 1:
            row.value = u8(memory, at, end, row) & 1 if bits == 1 else u16be(memory, at, end, row)
    return at + octets
