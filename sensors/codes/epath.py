"""Paths of the Common Industrial Protocol (EPATH, ODVA Vol 1 appendix C): kernels that CIP and EtherNet/IP share.

What a path names goes into a context (`asked`): b: class, c: instance, d: attribute, e: first address, f: how many, g: space, h: slot, k and l: the last two
connection points; -1: none. While it is read: e: last index, f: indices, g: those behind the last symbol, j: symbols. Tags have a name in the row, and so has
an object that a path leads to through another: that of all of them.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.cip import (
    ASSEMBLY,
    BAD_PATH,
    CLASS_TEXTS,
    MODIFY_TAG,
    MOST_CLASS,
    PROGRAM,
    READ_FRAGMENT,
    READ_TAG,
    SYMBOL,
    WIDEST,
    WRITE_FRAGMENT,
    WRITE_TAG,
)
from sensors.engine.contexts import begin_text, end_text, put_number, put_octet, put_octets
from sensors.engine.octets import inline, kernel, u8, u16le, u32le

SPACES: Final = ("tag", "symbol", "object", "assembly", "memory", "identity", "file", "tag_octets")
TAG, SYMBOLS, OBJECT, ASSEMBLIES, ADDRESSES, FACTS, FILES, TAG_OCTETS = range(8)
OCTETS_EACH: Final = 1 << 16  # addresses of an assembly, or of a symbol
CLASS_BITS, INSTANCE_BITS, INSTANCES, ATTRIBUTES = 36, 16, 0xFFFFF, 0xFFFF


@inline
def address(kind: int, instance: int, attribute: int) -> int:
    """The number of an object."""
    return (kind & 0xFFFF) << CLASS_BITS | (max(instance, 0) & INSTANCES) << INSTANCE_BITS | max(attribute, 0) & ATTRIBUTES


@inline
def clear(asked: Any) -> None:
    """No path is read yet."""
    asked.b = asked.c = asked.d = asked.e = asked.k = asked.l = -1
    asked.f = asked.g = asked.j = 0


@kernel
def read_logical(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """A logical segment of a path; returns its end, -1 where it is none that is known."""
    kind, form = segment >> 2 & 7, segment & 3
    if kind == 5:  # an electronic key: of what the device has to be
        return at + 10 if segment == 0x34 and u8(memory, at + 1, end, row) == 4 else -1
    if form == 3 or kind > 5:
        return -1
    if form == 0:
        value, size = u8(memory, at + 1, end, row), 2
    elif form == 1:
        value, size = u16le(memory, at + 2, end, row), 4
    else:
        value, size = u32le(memory, at + 2, end, row), 6
    if kind == 0:
        asked.b, asked.c, asked.d, asked.k, asked.l = value, -1, -1, -1, -1
    elif kind == 1 and asked.c < 0:
        asked.c = value
    elif kind in (1, 3):
        asked.k, asked.l = asked.l, value
    elif kind == 2:
        asked.e = value
        asked.f += 1
        asked.g += 1
    else:
        asked.d = value
    return at + size


@kernel
def port_end(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """The end of a port segment; a link address of one octet (a slot) is the unit."""
    octets, place = 1, at + 1
    if segment & 0x10:
        octets, place = u8(memory, at + 1, end, row), at + 2
    if segment & 15 == 15:
        place += 2
    slot = u8(memory, place, end, row)
    asked.h = slot if octets == 1 and row.short == 0 else -1
    place += octets
    return place + (place - at & 1)


@kernel
def symbol(memory: Any, at: int, end: int, segment: int, row: Any) -> tuple[int, int, int]:
    """(place, octets, end) of a symbol of a path; octets 0 where its characters are not of one octet, end -1 where it is not known."""
    octets, place = segment & 31, at + 1
    if segment == 0x91:
        octets, place = u8(memory, at + 1, end, row), at + 2
    elif octets == 0:
        form = u8(memory, at + 1, end, row)
        wide = form >> 5
        size = 2 * (form & 31) if wide == 1 else 3 * (form & 31) if wide == 2 else 1 if form == 0xC6 else 2 if form == 0xC7 else -1
        return at, 0, (at + 2 + size + (size & 1) if size >= 0 else -1)
    stop = place + octets
    return place, octets, stop + (stop - at & 1)


@kernel
def segment_end(memory: Any, at: int, end: int, segment: int, row: Any, asked: Any) -> int:
    """Read a segment of a path; returns its end, -1 where it is none that is known."""
    kind = segment >> 5
    if kind == 1:
        return read_logical(memory, at, end, segment, row, asked)
    if kind == 0:
        return port_end(memory, at, end, segment, row, asked)
    if kind == 2:  # network segment
        return at + 2 + (2 * u8(memory, at + 1, end, row) if segment & 16 else 0)
    if segment == 0x80:  # data
        return at + 2 + 2 * u8(memory, at + 1, end, row)
    if kind != 3 and segment != 0x91:
        return -1
    place, octets, stop = symbol(memory, at, end, segment, row)
    if asked.j == 0 and place + octets <= end and octets > 0:
        row.name_at, row.name_octets = place, octets
    asked.j += 1
    asked.g = 0
    return stop


@kernel
def compose(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """The name of a tag: its symbols, and the indices that are not its address."""
    text, left = begin_text(joints), asked.f - (1 if asked.g == 1 else 0)
    after_index = False
    while at < end and row.short == 0:
        segment = u8(memory, at, end, row)
        stop = segment_end(memory, at, end, segment, row, asked)
        if stop <= at:
            break
        if segment >> 2 == 10 and left > 0:
            put_octet(memory, joints, 44 if after_index else 91)
            put_number(memory, joints, asked.e)
            left -= 1
            after_index = left > 0 and stop < end and u8(memory, stop, end, row) >> 2 == 10
            if not after_index:
                put_octet(memory, joints, 93)
        elif segment >> 5 == 3 or segment == 0x91:
            place, octets, _ = symbol(memory, at, end, segment, row)
            if begin_text(joints) > text:
                put_octet(memory, joints, 46)
            put_octets(memory, joints, place, max(min(octets, end - place), 0))
        at = stop
    end_text(row, text, joints)


@inline
def names_class(segment: int) -> bool:
    """Does this segment of a path name a class?"""
    return segment >> 2 == 8


@kernel
def put_object(memory: Any, joints: Any, asked: Any) -> None:
    """Add class and instance to the text."""
    named = 0 <= asked.b < MOST_CLASS and CLASS_TEXTS[max(asked.b, 0), 0] != 0
    if not named:
        for octet in (99, 108, 97, 115, 115, 32):  # "class "
            put_octet(memory, joints, octet)
        put_number(memory, joints, asked.b)
    for place in range(WIDEST if named else 0):
        if CLASS_TEXTS[asked.b, place] != 0:
            put_octet(memory, joints, CLASS_TEXTS[asked.b, place])
    put_octet(memory, joints, 32)
    put_number(memory, joints, max(asked.c, 0))


@kernel
def compose_objects(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> None:
    """The name of an object that a path leads to through others: `program 5/routine 7`."""
    text = begin_text(joints)
    clear(asked)
    while at < end and row.short == 0:
        segment = u8(memory, at, end, row)
        if names_class(segment) and asked.b >= 0:
            put_object(memory, joints, asked)
            put_octet(memory, joints, 47)
        stop = segment_end(memory, at, end, segment, row, asked)
        if stop <= at:
            break
        at = stop
    put_object(memory, joints, asked)
    if asked.d > 0:
        put_octet(memory, joints, 46)
        put_number(memory, joints, asked.d)
    end_text(row, text, joints)


@kernel
def read_path(memory: Any, at: int, end: int, row: Any, asked: Any, joints: Any) -> int:
    """A path, and what it names: into the row and what is remembered of it. Returns the class of the program through which it leads; -1: it does not."""
    clear(asked)
    start, classes, within = at, 0, -1
    while at < end and row.short == 0:
        segment = u8(memory, at, end, row)
        within = asked.b if names_class(segment) and asked.b in PROGRAM else within
        stop = segment_end(memory, at, end, segment, row, asked)
        if stop <= at or stop > end:
            row.anomaly |= BAD_PATH
            break
        classes += 1 if names_class(segment) else 0
        at = stop
    if row.short or row.anomaly & BAD_PATH:
        row.name_at, row.name_octets = -1, 0
        return -1
    if asked.j > 0:
        indices, behind, index, named = asked.f, asked.g, asked.e, asked.j
        if named > 1 or indices > 1 or row.name_octets == 0:
            compose(memory, start, end, row, asked, joints)
        asked.b, asked.e, asked.g = SYMBOL, index if behind == 1 else 0, TAG
    else:
        if classes > 1:
            compose_objects(memory, start, end, row, asked, joints)
        index = max(asked.e, 0)
        asked.g, asked.e = OBJECT, address(asked.b, asked.c, asked.d) if asked.b >= 0 else -1
        if asked.b == SYMBOL and asked.a in (READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT) and asked.c > 0:
            asked.g, asked.e = SYMBOLS, asked.c * OCTETS_EACH + index
        elif asked.b == ASSEMBLY and asked.d == 3 and asked.c >= 0:
            asked.g, asked.e = ASSEMBLIES, asked.c * OCTETS_EACH
    asked.f, asked.j = 1, 0
    return within
