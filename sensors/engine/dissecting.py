"""What every `dissect` does: begin a row, add values to it."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.encodings import STRIDES
from sensors.engine.octets import inline, kernel
from sensors.engine.tables import CUT, FACT, REQUEST, RESPONSE, SUCCESS, TEXT, UNANSWERED, VALUE, WITHOUT

NOTHING: Final = float("nan")
MOST_SAMPLES: Final = 4096  # of one operation: more are not paired
LEAST_ROWS: Final = 24  # that a message may have, however short it is …
OPERATION_OCTETS: Final = 2  # … and one operation for so many octets of it …
SAMPLE_OCTETS: Final = 2  # … and one run of values


@inline
def open_row(row: Any, index: int, message: Any, sampled: int) -> None:
    """Give every field of a new row that is a protocol's to set its value for "nothing said"."""
    answer = message.side == 1
    row.message, row.octets = index, message.length
    row.role, row.outcome = (RESPONSE, SUCCESS) if answer else (REQUEST, UNANSWERED)
    row.short, row.part, row.askers = 0, 0, 0
    row.code, row.effect, row.error, row.anomaly = 0, -1, -1, 0
    row.transaction, row.unit = message.transaction, message.unit
    row.space, row.first, row.last, row.distinct, row.value = -1, -1, -1, 1, NOTHING
    row.sample, row.samples, row.answer_sample, row.answer_samples = sampled, 0, 0, 0
    row.payload, row.payload_length, row.selector = -1, 0, -1
    row.name_at, row.name_octets = -1, 0


@inline
def end_row(row: Any, message: Any, short: int) -> None:
    """The row of a message is done: of one that is cut nothing is said to be wrong; a read behind its end is the anomaly `short`."""
    if message.marks & CUT:
        row.anomaly = 0
    elif row.short:
        row.anomaly |= short


@kernel
def _add(row: Any, samples: Any, space: int, first: int, count: int, offset: int, octets: int, encoding: int, value: float) -> Any:
    """One more sample of this operation; where there are too many, the last one is written over and not counted."""
    place = row.sample + row.samples
    if row.samples < MOST_SAMPLES and place < len(samples):
        row.samples += 1
    else:
        place = min(place, len(samples) - 1)
    sample = samples[place]
    sample.space, sample.first, sample.count, sample.offset, sample.octets = space, first, count, offset, octets
    sample.encoding, sample.value, sample.stamp, sample.quality = encoding, value, -1, -1
    sample.stride, sample.step, sample.value_at, sample.quality_at = STRIDES[encoding], 1, 0, WITHOUT
    return sample


@kernel
def add_run(row: Any, samples: Any, space: int, first: int, count: int, offset: int, octets: int, encoding: int, stride: int) -> Any:
    """Values of neighbouring points; `stride`: octets from one to the next, 0 where they stand side by side. Returns the sample."""
    sample = _add(row, samples, space, first, count, offset, octets, encoding, NOTHING)
    if stride > 0:
        sample.stride = stride
    return sample


@kernel
def add_value(row: Any, samples: Any, space: int, first: int, value: float) -> Any:
    """One value. Returns the sample."""
    return _add(row, samples, space, first, 1, 0, 0, VALUE, value)


@kernel
def add_text(row: Any, samples: Any, space: int, first: int, offset: int, octets: int) -> Any:
    """A text that may be a fact of the asset. Returns the sample."""
    return _add(row, samples, space, first, 1, offset, octets, TEXT, NOTHING)


@kernel
def add_fact(row: Any, samples: Any, space: int, first: int, value: float) -> Any:
    """A number that is a fact of the asset. Returns the sample."""
    return _add(row, samples, space, first, 1, 0, 0, FACT, value)


@inline
def most_rows(octets: int) -> int:
    """How many operations a message of so many octets may have: the engine has room for no more."""
    return LEAST_ROWS + octets // OPERATION_OCTETS


@inline
def sub_code(row: Any, second: int) -> None:
    """Add the second number of a code path."""
    row.code |= (second + 1) << 20
