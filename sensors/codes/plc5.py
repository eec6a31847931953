"""Data of a PLC-5: its addresses of several levels, and data that bring their type along (Rockwell Automation 1770-6.5.16: word range and typed commands).

An address tells no type of file: its elements are points of the space `address`. Words of a range are numbered from the address on, for how many of
them are an element only the type would tell. A typed read or write tells the type of its data; what is not one of numbers is opaque.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.pccc import BAD_COUNT, BAD_VALUE, BIT_OF, LEVELS, WORDS
from sensors.engine.dissecting import NOTHING, add_run, add_value
from sensors.engine.encodings import number_at
from sensors.engine.octets import inline, kernel, u8, u16le
from sensors.engine.tables import F32LE, I8, I16LE, I32LE, REQUEST, U16LE

ELEMENT: Final = 64  # sub-elements of an element
ELEMENT_BITS, FILE_BITS, TYPE_BITS = 6, 22, 38
WORD_BITS: Final = 16  # of the number of a word behind its address
WORD_RANGE_WRITE, WORD_RANGE_READ, BIT_WRITE, READ_MODIFY_WRITE, TYPED_WRITE, TYPED_READ = 0, 1, 2, 38, 103, 104
PLC5: Final = (WORD_RANGE_WRITE, WORD_RANGE_READ, BIT_WRITE, READ_MODIFY_WRITE, TYPED_WRITE, TYPED_READ)
BIT_STRING, INTEGER, TIMER, CONTROL, FLOAT, ARRAY = 2, 4, 5, 7, 8, 9  # types of data; 6 is a counter
STRUCTURE: Final = 6  # octets of a timer, a counter or a control: three words
MOST_SETS: Final = 64  # of masks, in one message
UNTOLD: Final = -1  # how many elements were asked for

# Of the context of what was asked (sensors/protocols/pccc.py), d: address, e: how far behind it the data begin, f: elements or octets asked for,
# k: from one element to the next, l: most elements that may come.


@kernel
def number(memory: Any, at: int, end: int, row: Any) -> tuple[int, int]:
    """A number of one octet, or of two where that is 255; and its end."""
    value = u8(memory, at, end, row)
    return (u16le(memory, at + 1, end, row), at + 3) if value == 255 else (value, at + 1)


@kernel
def read_levels(memory: Any, at: int, end: int, row: Any, asked: Any) -> int:
    """A PLC-5 system address: in ASCII a name, in binary a level for each bit of its first octet; returns its end."""
    flags = u8(memory, at, end, row)
    if flags == 0 and u8(memory, at + 1, end, row) == 36:
        place, at = at + 2, at + 2
        while at < end and u8(memory, at, end, row):
            at += 1
        if at >= end:
            row.short = 1
        elif at > place:
            row.name_at, row.name_octets = place, at - place
            row.space, row.first, row.last = LEVELS, 0, 0
            asked.d, asked.g = 0, LEVELS
        return at + 1
    at += 1
    file = element = part = 0
    for level in range(8):
        if flags >> level & 1:
            value, at = number(memory, at, end, row)
            file, element, part = (value if level == 1 else file), (value if level == 2 else element), (value if level == 3 else part)
    if row.short:
        return end
    asked.d, asked.g = file << FILE_BITS | element << ELEMENT_BITS | part & ELEMENT - 1, LEVELS
    row.space, row.first, row.last = LEVELS, asked.d, asked.d
    return at


@kernel
def little(memory: Any, at: int, end: int, octets: int, row: Any) -> int:
    """A number of up to four octets; a longer one is none."""
    if octets > 4:
        row.anomaly |= BAD_VALUE
        return 0
    value = 0
    for place in range(octets):
        value |= u8(memory, at + place, end, row) << 8 * place
    return value


@kernel
def descriptor(memory: Any, at: int, end: int, row: Any) -> tuple[int, int, int]:
    """(type, octets, end) of what tells the type of data: both stand in its first octet, or in so many behind it as that says."""
    flags = u8(memory, at, end, row)
    kind, octets, at = flags >> 4 & 7, flags & 7, at + 1
    if flags & 0x80:
        kind, at = little(memory, at, end, kind, row), at + kind
    if flags & 0x08:
        octets, at = little(memory, at, end, octets, row), at + octets
    return kind, octets, at


@inline
def encoding_of(kind: int, octets: int) -> int:
    """How numbers of this type and length are encoded; 0: they are none."""
    if kind == INTEGER:
        return I16LE if octets == 2 else I32LE if octets == 4 else I8 if octets == 1 else 0
    if kind == FLOAT and octets == 4:
        return F32LE
    return U16LE if kind == BIT_STRING and octets == 2 else 0


@kernel
def read_typed(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> int:
    """Elements with their type in front; returns their end."""
    kind, octets, at = descriptor(memory, at, end, row)
    stop = at + octets
    if kind == ARRAY:
        kind, octets, at = descriptor(memory, at, min(stop, end), row)
    if stop > end:
        row.short = 1
    if row.short or row.anomaly & BAD_VALUE:
        return end
    count = (stop - at) // octets if octets > 0 else 0
    if count == 0 or count * octets != stop - at or count > asked.l or (asked.f != UNTOLD and count != asked.f):
        row.anomaly |= BAD_COUNT
    if count == 0:
        return stop
    encoding, first = encoding_of(kind, octets), asked.d + asked.e
    if row.role == REQUEST:
        row.space, row.first, row.last = LEVELS, first, first + (count - 1) * asked.k
    if encoding > 0:
        add_run(row, samples, LEVELS, first, count, at, count * octets, encoding, 0).step = asked.k
        row.value = number_at(memory, at, end, encoding, row) if count == 1 else NOTHING
    elif TIMER <= kind <= CONTROL and octets == STRUCTURE and asked.k == ELEMENT:
        for part in range(STRUCTURE // 2):
            run = add_run(row, samples, LEVELS, first + part, count, at, count * octets, I16LE, STRUCTURE)
            run.step, run.value_at = ELEMENT, 2 * part
    return stop


@kernel
def read_words(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> int:
    """Words of a range; returns how many there are."""
    count = (end - at) // 2
    if (end - at) & 1:
        row.anomaly |= BAD_COUNT
    if count > 0:
        add_run(row, samples, WORDS, asked.d << WORD_BITS | asked.e, count, at, 2 * count, U16LE, 0)
        row.value = u16le(memory, at, end, row) if count == 1 else NOTHING
    return count


@kernel
def tell_bit(row: Any, samples: Any, address: int, mask: int, value: int) -> None:
    """A bit that is written under a mask is told by its number, where it is the only one."""
    if mask and mask & mask - 1 == 0:
        bit = 0
        while mask >> bit != 1:
            bit += 1
        row.space, row.first, row.last = BIT_OF, address << 4 | bit, address << 4 | bit
        row.value = value >> bit & 1
        add_value(row, samples, BIT_OF, row.first, row.value)


@kernel
def read_masks(memory: Any, at: int, end: int, function: int, row: Any, samples: Any, asked: Any) -> int:
    """Masks of words: bits to be set and to be cleared, or to be kept and to be set. Returns the end of those that were read."""
    first, last, sets = asked.d, asked.d, 1
    while sets <= MOST_SETS:
        one, other = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
        at += 4
        if row.short:
            row.space, row.first, row.last, row.value = -1, -1, -1, NOTHING
            return end
        first, last = min(first, asked.d), max(last, asked.d)
        if function == BIT_WRITE:
            tell_bit(row, samples, asked.d, one | other, one)
        else:
            tell_bit(row, samples, asked.d, ~one & 0xFFFF | other, other)
        if function == BIT_WRITE or at >= end:
            break
        at = read_levels(memory, at, end, row, asked)
        sets += 1
        row.distinct, row.value = sets, NOTHING
    if sets > 1:
        row.space, row.first, row.last, row.value = LEVELS, first, last, NOTHING
    return at


@kernel
def read_plc5(memory: Any, at: int, end: int, function: int, row: Any, samples: Any, asked: Any) -> int:
    """A command with a PLC-5 address: offset and total, where it may come in several; then a size, or data. Returns its end."""
    ranged = function not in (BIT_WRITE, READ_MODIFY_WRITE)
    offset, total = (u16le(memory, at, end, row), u16le(memory, at + 2, end, row)) if ranged else (0, 0)
    at = read_levels(memory, at + (4 if ranged else 0), end, row, asked)
    if row.short:
        return end
    if not ranged:
        return read_masks(memory, at, end, function, row, samples, asked)
    if total == 0 or offset > total:
        row.anomaly |= BAD_COUNT
    asked.k, asked.l, asked.f = (1 if asked.d & ELEMENT - 1 else ELEMENT), max(total - offset, 0), UNTOLD
    if function in (TYPED_READ, TYPED_WRITE):
        asked.e = offset * asked.k
        row.first = row.last = asked.d + asked.e
        if function == TYPED_WRITE:
            return read_typed(memory, at, end, row, samples, asked)
        asked.f = u16le(memory, at, end, row)
        row.first, row.last = asked.d + asked.e, asked.d + asked.e + (max(asked.f, 1) - 1) * asked.k
        over, done = asked.f == 0 or asked.f > asked.l, at + 2
    else:
        asked.e = offset
        octets = u8(memory, at, end, row) if function == WORD_RANGE_READ else end - at
        words = octets // 2
        if function == WORD_RANGE_WRITE:
            read_words(memory, at, end, row, samples, asked)
        asked.f = octets
        row.space, row.first = WORDS, asked.d << WORD_BITS | offset
        row.last = row.first + max(words, 1) - 1
        over, done = words == 0 or words > asked.l, (at + 1 if function == WORD_RANGE_READ else end)
    row.anomaly |= BAD_COUNT if over else 0
    return done
