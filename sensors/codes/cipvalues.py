"""Values of the Common Industrial Protocol: those of tags, of attributes, and what a device says of itself."""

from __future__ import annotations

from typing import Any

from sensors.codes.cip import (
    BAD_COUNT,
    MODIFY_TAG,
    QUANTITY_MISMATCH,
    READ_FRAGMENT,
    READ_TAG,
    STRUCTURE,
    TYPE_ENCODINGS,
    TYPE_OCTETS,
    WRITE_FRAGMENT,
    WRITE_TAG,
)
from sensors.codes.epath import ASSEMBLIES, FACTS, TAG, TAG_OCTETS
from sensors.engine.contexts import begin_text, end_text, put_number, put_octet, put_octets
from sensors.engine.dissecting import add_fact, add_run, add_text, add_value
from sensors.engine.encodings import number_at
from sensors.engine.octets import inline, kernel, u8, u16be, u16le, u32le
from sensors.engine.tables import U8, U16LE, U32LE, U64LE


@kernel
def read_run(memory: Any, at: int, end: int, row: Any, samples: Any, space: int, first: int, encoding: int, octets: int, step: int) -> int:
    """As many values as there are; returns how many."""
    count = max(end - at, 0) // octets
    if count > 0:
        sample = add_run(row, samples, space, first, count, at, count * octets, encoding, octets)
        sample.step = step
        if count == 1:
            row.value = number_at(memory, at, end, encoding, row)
    return count


@kernel
def read_typed(memory: Any, at: int, end: int, kind: int, row: Any, samples: Any, space: int, first: int) -> int:
    """Values of a tag, of this type; returns how many, -1 where they are opaque."""
    if kind >= 256 and kind & 0xF8FF != 0xC1:
        return -1
    octets = TYPE_OCTETS[kind & 255]
    if octets == 0:
        return -1
    if (end - at) % octets:
        row.anomaly |= BAD_COUNT
    return read_run(memory, at, end, row, samples, space, first, TYPE_ENCODINGS[kind & 255], octets, 1)


@kernel
def read_plain(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any) -> None:
    """An attribute's value: a number where its length can be one's."""
    octets = end - at
    if asked.g == ASSEMBLIES:
        read_run(memory, at, end, row, samples, ASSEMBLIES, asked.e, U8, 1, 1)
    elif octets in (1, 2, 4, 8) and asked.e >= 0:
        read_run(memory, at, end, row, samples, asked.g, asked.e, U8 if octets == 1 else U16LE if octets == 2 else U32LE if octets == 4 else U64LE, octets, 1)


@kernel
def put_indexed(memory: Any, row: Any, asked: Any, joints: Any) -> None:
    """Add the name of the row with its index, which is then no address: `Valves[5]`."""
    put_octets(memory, joints, row.name_at, row.name_octets)
    if asked.e > 0:
        put_octet(memory, joints, 91)
        put_number(memory, joints, asked.e)
        put_octet(memory, joints, 93)


@kernel
def name_bit(memory: Any, bit: int, row: Any, asked: Any, joints: Any) -> None:
    """The name of a bit of a tag, as engineers write it: `Valves.3`, `Valves[5].3`."""
    text = begin_text(joints)
    put_indexed(memory, row, asked, joints)
    put_octet(memory, joints, 46)
    put_number(memory, joints, bit)
    end_text(row, text, joints)
    row.first = row.last = 0


@kernel
def read_masks(memory: Any, at: int, end: int, octets: int, row: Any, samples: Any, asked: Any, joints: Any) -> None:
    """Bits of a tag that are to be set, then those that are to be kept: a single one that changes is told. Bit 0 of one octet is a BOOL's."""
    changes, bit, value = 0, 0, 0
    for place in range(octets):
        sets, keeps = u8(memory, at + place, end, row), u8(memory, at + octets + place, end, row)
        for i in range(8):
            if (sets | ~keeps) >> i & 1:
                changes, bit, value = changes + 1, 8 * place + i, sets >> i & 1
    if row.short or changes != 1:
        return
    row.value = value
    if octets > 1 or bit > 0:
        if row.name_octets <= 0:  # a symbol of which the number is told, and no name
            return
        name_bit(memory, bit, row, asked, joints)
    add_value(row, samples, asked.g, row.first, value)


@kernel
def tell_part(memory: Any, octets: int, each: int, row: Any, asked: Any, joints: Any) -> None:
    """A fragment is about the elements that it holds; where these have no size that is known, about octets of the tag."""
    if each > 0:
        skipped, count = asked.k // each, max(octets // each, 1)
        if skipped + count > asked.f:  # it would be about what lies behind the tag
            row.anomaly |= QUANTITY_MISMATCH
        else:
            row.first = asked.e + skipped
            row.last = row.first + count - 1
    elif asked.g == TAG and row.name_octets > 0:
        text = begin_text(joints)
        put_indexed(memory, row, asked, joints)
        end_text(row, text, joints)
        row.space, row.first = TAG_OCTETS, asked.k
        row.last = row.first + max(octets, 1) - 1


@kernel
def read_tag_request(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any, joints: Any) -> int:
    """The data of a request on a tag: how many values, of which type, from where, and those to be written."""
    service = asked.a
    if service == MODIFY_TAG:
        octets = u16le(memory, at, end, row)
        if at + 2 + 2 * octets > end:
            row.short, row.space, row.first, row.last = 1, -1, -1, -1
        elif row.short == 0 and octets in (1, 2, 4, 8, 12):
            read_masks(memory, at + 2, end, octets, row, samples, asked, joints)
        elif row.short == 0:
            row.anomaly |= BAD_COUNT
        return at + 2 + 2 * octets
    kind = 0
    if service in (WRITE_TAG, WRITE_FRAGMENT):
        kind = u16le(memory, at, end, row)
        at += 4 if kind == STRUCTURE else 2
    count = u16le(memory, at, end, row)
    at += 2
    skipped = 0
    if service in (READ_FRAGMENT, WRITE_FRAGMENT):
        skipped = u32le(memory, at, end, row)
        at += 4
    if row.short:
        if service == WRITE_FRAGMENT:  # which part of it is not known
            row.space, row.first, row.last = -1, -1, -1
        return end
    if count == 0:
        row.anomaly |= BAD_COUNT
    asked.f, asked.k = max(count, 1), skipped
    row.last = row.first + asked.f - 1
    if kind == 0:
        return at
    octets = TYPE_OCTETS[kind & 255] if kind != STRUCTURE else 0
    told = read_typed(memory, at, end, kind, row, samples, asked.g, asked.e + skipped // max(octets, 1))
    if service == WRITE_FRAGMENT:
        tell_part(memory, end - at, octets if told >= 0 else 0, row, asked, joints)
    if told >= 0 and (told > count or (told < count and service == WRITE_TAG)):
        row.anomaly |= QUANTITY_MISMATCH
    return end


@kernel
def read_tag_reply(memory: Any, at: int, end: int, row: Any, samples: Any, asked: Any, known: bool, status: int, skipped: int) -> int:
    """Values of a tag."""
    kind = u16le(memory, at, end, row)
    if row.short or kind == STRUCTURE:
        return end
    octets = TYPE_OCTETS[kind & 255]
    space, first = (asked.g, asked.e + skipped // max(octets, 1)) if known else (-1, -1)
    if space < 0:
        return end
    told = read_typed(memory, at + 2, end, kind, row, samples, space, first)
    if told >= 0 and (told > asked.f or (told < asked.f and status == 0 and row.code >> 40 == READ_TAG + 1)):
        row.anomaly |= QUANTITY_MISMATCH
    return end


@kernel
def read_identity_list(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """Attributes of the identity object with their numbers and status; one that is not known ends what can be told."""
    for _ in range(min(u16le(memory, at, end, row), 8)):
        attribute, status = u16le(memory, at + 2, end, row), u16le(memory, at + 4, end, row)
        if row.short:
            return
        at += 4
        if status == 0:
            octets = identity_octets(memory, at + 2, end, attribute, row)
            if octets == 0 or at + 2 + octets > end:
                return
            read_identity_attribute(memory, at + 2, at + 2 + octets, attribute, row, samples)
            at += octets


@inline
def identity_octets(memory: Any, at: int, end: int, attribute: int, row: Any) -> int:
    """How long this attribute of the identity object is, 0 where it is not known."""
    if attribute == 7:
        return 1 + u8(memory, at, end, row)
    return 4 if attribute == 6 else 1 if attribute == 8 else 2 if 0 < attribute < 6 else 0


@kernel
def read_identity_attribute(memory: Any, at: int, end: int, attribute: int, row: Any, samples: Any) -> None:
    """One attribute of the identity object."""
    if attribute in (1, 2):
        add_fact(row, samples, FACTS, attribute, u16le(memory, at, end, row))
    elif attribute == 4:
        add_fact(row, samples, FACTS, 4, u16be(memory, at, end, row))
    elif attribute == 6:
        add_fact(row, samples, FACTS, 6, u32le(memory, at, end, row))
    elif attribute == 7:
        octets = u8(memory, at, end, row)
        if row.short == 0 and at + 1 + octets <= end:
            add_text(row, samples, FACTS, 7, at + 1, octets)
    elif 0 < attribute < 9:
        add_value(row, samples, FACTS, attribute, u8(memory, at, end, row) if attribute == 8 else u16le(memory, at, end, row))
