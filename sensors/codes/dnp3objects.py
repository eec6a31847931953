"""The objects of DNP3: their headers, points, controls, files and attributes (IEEE 1815-2012, clause 11 and annex A)."""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.dnp3 import (
    ABSOLUTE,
    AUTHENTICATE,
    AUTHENTICATION_ERROR,
    BAD_QUALIFIER,
    BAD_RANGE,
    BAD_VALUE,
    DIRECT_NO_ACK,
    GROUP_ROWS,
    OBJECTS,
    READ,
    RELATIVE,
    REPORTS,
    SELECT,
    SPACES,
    STATE_PAIR,
    TIME,
    UNKNOWN_OBJECT,
    WRITE,
)
from sensors.codes.dnp3files import read_file
from sensors.engine.dissecting import NOTHING, add_run, add_text, add_value, open_row
from sensors.engine.encodings import number_at
from sensors.engine.octets import inline, kernel, u8, u16le, u32le, u48le
from sensors.engine.tables import BIT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED

SPACE: Final = {name: place for place, name in enumerate(SPACES)}
OBJECT_SPACE, FILE_SPACE = SPACE["object"], SPACE["file"]
CODE_SPACE, COUNT_SPACE, ON_SPACE, OFF_SPACE = (SPACE[f"control_{name}"] for name in ("code", "count", "on_time", "off_time"))
INTERROGATION, SETPOINT = NUMBER["interrogation"], NUMBER["setpoint.write"]
OUTPUT_SELECT, OUTPUT_OPERATE, CANCEL = NUMBER["output.select"], NUMBER["output.operate"], NUMBER["output.cancel"]
FILE_WRITE, CREDENTIAL_CHANGE = NUMBER["file.write"], NUMBER["credential.change"]
HOLDS_DATA: Final = (2, 3, 4, 5, 6, 25, 26, 27, 28, 29, 30, 31, 32, 33, 129, 130, 131)  # functions whose objects have values
ALL: Final = -1  # count of a header without a range
SIZED: Final = 4  # prefix codes from here on tell the octets of an object
FREE_FORMAT: Final = 11
ATTRIBUTES, CROB, ANALOG_COMMAND, TIMES, COMMON_TIME, CLASS, FILE, AUTHENTICATION = 0, 12, 41, 50, 51, 60, 70, 120
USER_STATUS: Final = 10  # of group 120: the first of those that change users and keys
STRINGS: Final = (110, 111, 112, 113)  # the variation tells the octets
CLEAR, RESERVED_TRIP, LAST_OPERATION = 0x20, 0xC0, 4
MOST_ROWS, SAMPLES = 64, 255
MILLISECOND: Final = 1_000_000
LATEST: Final = 4_102_444_800_000  # milliseconds: no clock is beyond the year 2100


@kernel
def little(memory: Any, at: int, end: int, octets: int, row: Any) -> int:
    """A number of one, two or four octets."""
    if octets == 1:
        return u8(memory, at, end, row)
    return u16le(memory, at, end, row) if octets == 2 else u32le(memory, at, end, row)


@kernel
def next_row(operations: Any, used: int, index: int, message: Any) -> int:
    """One more row of this message, like the one before; returns the fill. Where there are too many, the last one stands for them."""
    before = operations[used - 1]
    if before.part >= MOST_ROWS - 1:
        before.distinct += 1
        before.value = NOTHING
        return used
    row = operations[used]
    open_row(row, index, message, before.sample + before.samples)
    row.role, row.outcome = before.role, UNANSWERED if before.role == REQUEST else SUCCESS
    row.unit, row.transaction, row.octets = before.unit, before.transaction, before.octets
    row.code, row.part = before.code >> 40 << 40, before.part + 1
    return used + 1


@inline
def has_room(row: Any, both: Any) -> bool:
    """May there be one more value in this fragment?"""
    return row.sample + row.samples < both.i


@kernel
def note(row: Any, space: int, first: int, last: int) -> None:
    """The row is about these points, too."""
    row.space = space
    row.first = first if row.first < 0 else min(row.first, first)
    row.last = max(row.last, last)


@kernel
def read_range(memory: Any, at: int, end: int, qualifier: int, row: Any) -> tuple[int, int, int]:
    """The range of an object header: (behind it, first point or -1, how many); -1 behind it where it is none."""
    kind, prefix = qualifier & 15, qualifier >> 4 & 7
    octets = 1 << kind % 3
    if kind < 6 and prefix == 0:  # start and stop; those of virtual addresses from 3 on
        first, last = little(memory, at, end, octets, row), little(memory, at + octets, end, octets, row)
        if last < first and row.short == 0:
            row.anomaly |= BAD_RANGE
        return at + 2 * octets, first, max(last - first + 1, 0)
    if kind == 6 and prefix == 0:
        return at, -1, ALL
    if 7 <= kind <= 9 and prefix < 7:
        octets = 1 << kind - 7
        return at + octets, -1, little(memory, at, end, octets, row)
    if kind == FREE_FORMAT and SIZED <= prefix < 7:
        return at + 1, -1, u8(memory, at, end, row)
    row.anomaly |= BAD_QUALIFIER
    return -1, -1, 0


@kernel
def read_sized(memory: Any, at: int, end: int, group: int, variation: int, row: Any) -> None:
    """An object whose octets its prefix tells."""
    if group == FILE:
        read_file(memory, at, end, variation, row)
    elif group == AUTHENTICATION and variation == 7:
        error = u8(memory, at + 8, end, row)
        if row.short == 0:
            row.error = AUTHENTICATION_ERROR + error
            if row.role == RESPONSE:
                row.outcome = FAILURE
    elif group == AUTHENTICATION and row.code >> 40 > AUTHENTICATE and row.role == REQUEST and variation >= USER_STATUS:
        row.effect = CREDENTIAL_CHANGE


@kernel
def read_attribute(memory: Any, at: int, end: int, variation: int, row: Any, samples: Any, both: Any) -> int:
    """A device attribute: its type, its octets, and what it says; returns its end."""
    kind, octets = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    at += 2
    if row.short or at + octets > end:
        row.short = 1
        return end
    space = GROUP_ROWS[ATTRIBUTES].space
    if kind == 1 and octets > 0 and has_room(row, both):
        add_text(row, samples, space, variation, at, octets)
    elif kind in (2, 3) and octets in (1, 2, 4) and has_room(row, both):
        value = little(memory, at, end, octets, row)
        add_value(row, samples, space, variation, value - (1 << 8 * octets) if kind == 3 and value >> 8 * octets - 1 else value)
    return at + octets


@kernel
def read_packed(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, space: int, first: int, count: int, bits: int) -> int:
    """Points of one or two bits each; returns their end."""
    octets = (count * bits + 7) // 8
    if at + octets > end:
        row.short = 1
    there = min(count, max(end - at, 0) * 8 // bits)
    if bits == 1:
        if there > 0 and has_room(row, both):
            add_run(row, samples, space, first, there, at, (there + 7) // 8, BIT, 0)
        return at + octets
    for i in range(there):
        if not has_room(row, both):
            break
        add_value(row, samples, space, first + i, u8(memory, at + (2 * i >> 3), end, row) >> (2 * i & 7) & 3)
    return at + octets


@kernel
def stamp_at(memory: Any, at: int, end: int, row: Any) -> int:
    """A time of six octets as nanoseconds, -1 where it is none."""
    milliseconds = u48le(memory, at, end, row)
    if milliseconds <= LATEST:
        return milliseconds * MILLISECOND
    row.anomaly |= BAD_VALUE
    return -1


@kernel
def read_value(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, space: int, point: int, form: Any) -> None:
    """One object of a known layout: value, flags, and time."""
    value = 0.0
    if form.encoding == STATE_PAIR:
        value = float(u8(memory, at + form.value_at, end, row) >> 6)
    elif form.encoding == TIME:
        value = float(u48le(memory, at + form.value_at, end, row))
    else:
        value = number_at(memory, at + form.value_at, end, form.encoding, row)
    sample = add_value(row, samples, space, point, value)
    if form.quality_at >= 0:
        sample.quality = u8(memory, at + form.quality_at, end, row)
    if form.time == ABSOLUTE:
        sample.stamp = stamp_at(memory, at + form.time_at, end, row)
    elif form.time == RELATIVE and both.h > 0:
        sample.stamp = both.h + u16le(memory, at + form.time_at, end, row) * MILLISECOND


@kernel
def read_objects(memory: Any, at: int, end: int, row: Any, samples: Any, both: Any, group: int, variation: int, prefix: int, first: int, count: int) -> int:
    """The objects behind a header; returns their end."""
    space, width = GROUP_ROWS[group].space, 1 << prefix - 1 if 0 < prefix < SIZED else 0
    form = OBJECTS[GROUP_ROWS[group].base + variation if 0 < variation <= GROUP_ROWS[group].most else 0]
    octets, text = form.octets, group in STRINGS
    if text:
        octets = variation
    elif group != ATTRIBUTES and form.known == 0:
        row.anomaly |= UNKNOWN_OBJECT
        return end
    if form.bits > 0:
        return read_packed(memory, at, end, row, samples, both, space, max(first, 0), count, form.bits)
    alike = width == 0 and form.time == 0 and form.encoding not in (0, STATE_PAIR, TIME)
    if alike and count > 0:
        there = min(count, max(end - at, 0) // octets)
        if there > 0 and has_room(row, both):
            run = add_run(row, samples, space, max(first, 0), there, at, there * octets, form.encoding, octets)
            run.value_at = form.value_at
            if form.quality_at >= 0:
                run.quality_at = form.quality_at
        row.short |= 1 if there < count else 0
        return at + count * octets
    if octets == 0 and width == 0 and group != ATTRIBUTES:
        return at
    for i in range(count):
        point = little(memory, at, end, width, row) if width > 0 else max(first, 0) + i
        at += width
        if row.short or at + octets > end:
            row.short = 1
            break
        if width > 0 and row.role == REQUEST:
            note(row, space, point, point)
        if group == ATTRIBUTES:
            at = read_attribute(memory, at, end, variation, row, samples, both)
        elif group == COMMON_TIME:
            both.h = stamp_at(memory, at, end, row)
        elif text and octets > 0 and has_room(row, both):
            add_text(row, samples, space, point, at, octets)
        elif form.encoding > 0 and has_room(row, both):
            read_value(memory, at, end, row, samples, both, space, point, form)
        at += octets
    return at


@kernel
def read_relay(memory: Any, at: int, end: int, row: Any, samples: Any, point: int, both: Any) -> None:
    """A control relay output block: what to do, how often and how long."""
    control, operation = u8(memory, at, end, row), u8(memory, at, end, row) & 15
    row.value = control
    if operation > LAST_OPERATION or control & RESERVED_TRIP == RESERVED_TRIP:
        row.anomaly |= BAD_VALUE
    if row.role != REQUEST:
        return
    if SELECT <= (row.code >> 40) - 1 <= DIRECT_NO_ACK:
        row.code |= ((control & 0xCF) + 1) << 20
        if operation == 0 and control & CLEAR:
            row.effect = CANCEL
        elif operation > LAST_OPERATION or control & RESERVED_TRIP == RESERVED_TRIP:
            row.effect = OUTPUT_SELECT if row.code >> 40 == SELECT + 1 else OUTPUT_OPERATE
    if point >= 0 and row.sample + row.samples + 4 <= both.i:
        add_value(row, samples, CODE_SPACE, point, control)
        add_value(row, samples, COUNT_SPACE, point, u8(memory, at + 1, end, row))
        add_value(row, samples, ON_SPACE, point, u32le(memory, at + 2, end, row))
        add_value(row, samples, OFF_SPACE, point, u32le(memory, at + 6, end, row))


@kernel
def read_controls(
    memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, group: int, variation: int,
    prefix: int, first: int, count: int, fresh: bool,
) -> tuple[int, int]:  # fmt: skip
    """Control blocks, a row each; returns their end and the fill."""
    width = 1 << prefix - 1 if 0 < prefix < SIZED else 0
    form = OBJECTS[GROUP_ROWS[group].base + variation]
    for i in range(count):
        row = operations[used - 1]
        if at + width + form.octets > end:
            row.short = 1
            break
        point = little(memory, at, end, width, row) if width > 0 else first + i if first >= 0 else -1
        at += width
        if not fresh or i > 0:
            used = next_row(operations, used, index, message)
            row = operations[used - 1]
        if point >= 0:
            note(row, GROUP_ROWS[group].space, point, point)
        status = u8(memory, at + form.octets - 1, end, row)
        if group == CROB:
            read_relay(memory, at, end, row, samples, point, both)
        else:
            row.value = number_at(memory, at, end, form.encoding, row)
            if row.role == REQUEST and point >= 0 and has_room(row, both):
                add_value(row, samples, row.space, point, row.value)
            if row.role == REQUEST and row.code >> 40 != SELECT + 1:
                row.effect = SETPOINT
        if row.role != REQUEST:
            row.error = status & 127 if status & 127 else row.error
            row.outcome = FAILURE if status & 127 else row.outcome
        at += form.octets
    return at, used


@kernel
def begin_header(group: int, variation: int, first: int, count: int, index: int, message: Any, operations: Any, used: int, fresh: bool) -> int:
    """The row of a request that this object header belongs to; returns the fill."""
    row, of = operations[used - 1], GROUP_ROWS[group]
    if not fresh and group == CLASS and row.space == of.space and row.first <= variation <= row.last + 2:  # classes that are neighbours
        row.distinct += 1
    elif not fresh:
        used = next_row(operations, used, index, message)
        row = operations[used - 1]
    known = of.space >= 0 and (variation <= of.most or group == ATTRIBUTES or group in STRINGS)
    if not known:
        row.anomaly |= UNKNOWN_OBJECT
    if of.space < 0:
        note(row, OBJECT_SPACE, group, group)
        return used
    row.space = of.space
    function = (row.code >> 40) - 1
    if group == CLASS and 1 <= variation <= of.most:
        note(row, of.space, variation - 1, variation - 1)
        if function == READ and variation == 1:
            row.effect = INTERROGATION
    elif group in (ATTRIBUTES, AUTHENTICATION):
        note(row, of.space, variation, variation)
    elif first >= 0 and count > 0:
        note(row, of.space, first, first + count - 1)
    named = of.read if function == READ else of.write if function == WRITE else -1
    if named >= 0:
        row.effect = named
    return used


@kernel
def read_prefixed(memory: Any, at: int, end: int, row: Any, group: int, variation: int, prefix: int, count: int, valued: bool) -> int:
    """Objects whose octets their prefixes tell, or a list of points without values; returns their end."""
    width = 1 << prefix - SIZED if prefix >= SIZED else 1 << prefix - 1
    if prefix >= SIZED and not valued:
        row.anomaly |= BAD_QUALIFIER
        return end
    for i in range(count):
        told = little(memory, at, end, width, row)
        at += width
        if row.short or (prefix >= SIZED and at + told > end):
            row.short = 1
            break
        if prefix >= SIZED:
            read_sized(memory, at, at + told, group, variation, row)
            at += told
        else:
            note(row, row.space, told, told)
            row.distinct = i + 1
    return at


@kernel
def read_headers(memory: Any, at: int, end: int, index: int, message: Any, operations: Any, used: int, samples: Any, both: Any, function: int) -> int:
    """All object headers of a fragment with their objects; returns the fill of `operations`, of which the last one is open."""
    fresh = True
    while at < end:
        row = operations[used - 1]
        group, variation, qualifier = u8(memory, at, end, row), u8(memory, at + 1, end, row), u8(memory, at + 2, end, row)
        at, first, count = read_range(memory, at + 3, end, qualifier, row)
        if row.short or at < 0:
            break
        prefix, aside = qualifier >> 4 & 7, group == AUTHENTICATION and function < AUTHENTICATE
        valued = function in HOLDS_DATA or qualifier & 15 == FREE_FORMAT or group == AUTHENTICATION or (group == TIMES and function != READ)
        if valued and function != WRITE and prefix < SIZED and group in (CROB, ANALOG_COMMAND) and 1 <= variation <= GROUP_ROWS[group].most - (group == CROB):
            at, used = read_controls(memory, at, end, index, message, operations, used, samples, both, group, variation, prefix, first, count, fresh)
            fresh = False
            continue
        if row.role == REQUEST and not aside:
            used = begin_header(group, variation, first, count, index, message, operations, used, fresh)
            row, fresh = operations[used - 1], False
        elif row.role == REPORT and function == REPORTS:
            row.space = GROUP_ROWS[group].space if fresh or row.space == GROUP_ROWS[group].space else -1
            fresh = group == COMMON_TIME
        if valued and count == ALL and group != CLASS:
            row.anomaly |= BAD_QUALIFIER
        if prefix >= SIZED or (prefix > 0 and not valued):
            at = read_prefixed(memory, at, end, row, group, variation, prefix, count, valued)
        elif valued:
            at = read_objects(memory, at, end, row, samples, both, group, variation, prefix, first, count)
    return used
