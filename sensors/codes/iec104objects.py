"""Information objects of IEC 60870-5-104: how long their fields are, values, quality and time (IEC 60870-5-101:2003, 7.2.4 to 7.2.6)."""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.iec104 import (
    BAD_ADDRESS,
    BAD_COUNT,
    BAD_TIME,
    CLOCK,
    ELAPSED,
    FORMS,
    LAYOUT,
    LAYOUTS,
    LONG,
    NONE,
    NORMAL,
    OCTET,
    OTHER,
    REAL,
    SCALED,
    SEGMENT,
    STATISTIC,
    STEP,
    SYSTEM,
    UNSIGNED,
)
from sensors.engine.dissecting import NOTHING, add_fact, add_run, add_value
from sensors.engine.octets import f32le, inline, kernel, signed, u8, u16le, u24le, u32le
from sensors.engine.tables import SECOND

STANDARD: Final = 1  # the bit of the standard's own layout


@inline
def number_at(memory: Any, at: int, end: int, octets: int, row: Any) -> int:
    """A number of one to three octets, least significant first."""
    if octets == 3:
        return u24le(memory, at, end, row)
    return u16le(memory, at, end, row) if octets == 2 else u8(memory, at, end, row)


@kernel
def fitting(memory: Any, at: int, end: int, form: Any, row: Any) -> int:
    """Which layouts make this ASDU end where it ends, a bit each; addresses that nobody has do not count."""
    qualifier, fits = u8(memory, at + 1, end, row), 0
    count = qualifier & 0x7F
    for number in range(len(LAYOUTS)):
        layout = LAYOUT[number]
        head = 2 + layout.cause + layout.unit
        body = layout.address + count * form.size if qualifier & 0x80 else count * (layout.address + form.size)
        if at + head + body != end or count == 0:
            continue
        unit = number_at(memory, at + 2 + layout.cause, end, layout.unit, row)
        first = number_at(memory, at + head, end, layout.address, row)
        if number == 0 or (unit != 0 and (first != 0 or form.group == SYSTEM or form.causes == 1 << 4)):
            fits |= 1 << number
    return fits


@kernel
def layout_of(memory: Any, at: int, end: int, kind: int, whole: bool, talk: Any, row: Any) -> int:
    """How long the fields are on this connection: what made its ASDUs fit so far, the standard's own where any did."""
    if talk.e == STANDARD:
        return 0
    form = FORMS[kind]
    if whole and form.group != OTHER and kind != SEGMENT:
        fits = fitting(memory, at, end, form, row)
        if fits & STANDARD:
            talk.e = STANDARD
        elif talk.e == 0 or fits & talk.e:
            talk.e = fits & talk.e if talk.e else fits
    for number in range(len(LAYOUTS)):
        if talk.e >> number & 1:
            return number
    return 0


@kernel
def nanoseconds(memory: Any, at: int, end: int, octets: int, now: int, row: Any) -> int:
    """A time tag as nanoseconds since the epoch, as the device tells it; one without hours is near `now`. -1: it is invalid."""
    within, minute = u16le(memory, at, end, row), u8(memory, at + 2, end, row)
    time = (minute & 0x3F) * 60 * SECOND + within * 1_000_000
    hour, day, month, year = 0, 1, 1, 70
    if octets == 7:
        hour, day = u8(memory, at + 3, end, row) & 0x1F, u8(memory, at + 4, end, row) & 0x1F
        month, year = u8(memory, at + 5, end, row) & 0x0F, u8(memory, at + 6, end, row) & 0x7F
    if row.short or minute & 0x80:
        return -1
    if year > 99:  # of software that counts on from 1900
        row.anomaly |= BAD_TIME
    if within > 59_999 or minute & 0x3F > 59 or hour > 23 or day < 1 or day > 31 or month < 1 or month > 12:
        row.anomaly |= BAD_TIME if day or month or time else 0  # all zero: not set
        return -1
    if octets < 7:
        time += now // (3600 * SECOND) * 3600 * SECOND
        time += 3600 * SECOND if time < now - 1800 * SECOND else -3600 * SECOND if time > now + 1800 * SECOND else 0
        return max(time, -1)
    early = 1 if month < 3 else 0
    years = year + (1900 if year >= 70 else 2000) - early
    days = years * 365 + years // 4 - years // 100 + years // 400 + (153 * (month - 3 + 12 * early) + 2) // 5 + day - 1 - 719_468
    return days * 86_400 * SECOND + hour * 3600 * SECOND + time


@kernel
def value_at(memory: Any, at: int, end: int, form: Any, row: Any) -> float:
    """The value of an element."""
    if form.read == OCTET:
        return float(u8(memory, at, end, row) & form.mask)
    if form.read == STEP:
        return float(signed(u8(memory, at, end, row) & 0x7F, 7))
    if form.read == NORMAL:
        return signed(u16le(memory, at, end, row), 16) / 32768.0
    if form.read == SCALED:
        return float(signed(u16le(memory, at, end, row), 16))
    if form.read == REAL:
        return f32le(memory, at, end, row)
    if form.read == STATISTIC:  # behind the number of the association
        return float(signed(u32le(memory, at + 2, end, row), 32))
    if form.read == LONG:
        return float(signed(u32le(memory, at, end, row), 32))
    return float(u32le(memory, at, end, row) if form.read == UNSIGNED else u16le(memory, at, end, row))


@kernel
def read_element(memory: Any, at: int, end: int, now: int, form: Any, address: int, point: bool, row: Any, samples: Any) -> None:
    """One element that has its own row of samples: value, quality, time. What is no point's value is a fact of this message."""
    value, stamp, quality = NOTHING, -1, -1
    if form.read != NONE:
        value = value_at(memory, at, end, form, row)
    if form.qualifier_mask:
        octet = u8(memory, at + form.qualifier_at, end, row)
        quality = octet & form.qualifier_mask
        if form.read == STEP:
            quality |= u8(memory, at, end, row) >> 7 << 1
    if form.tag:
        stamp = nanoseconds(memory, at + form.size - form.tag, end, form.tag, now, row)
    if form.space == CLOCK and stamp >= 0:
        value = stamp // 1_000_000 / 1000.0
    row.value = value
    if not value == value:  # noqa: SIM201  (not a number)
        return
    sample = add_value(row, samples, form.space, address, value) if point else add_fact(row, samples, form.space, address, value)
    sample.quality, sample.stamp = quality, stamp
    if form.elapsed_at and point:
        sample = add_value(row, samples, ELAPSED, address, float(u16le(memory, at + form.elapsed_at, end, row)))
        sample.stamp = stamp


@kernel
def read_objects(
    memory: Any, at: int, end: int, now: int, form: Any, octets: int, qualifier: int, point: bool, row: Any, samples: Any,
) -> int:  # fmt: skip
    """The information objects of an ASDU, those with neighbouring addresses as one run; returns where they end."""
    sequence, count = qualifier >> 7, qualifier & 0x7F
    if count == 0:
        row.anomaly |= BAD_COUNT
        return at
    first = number_at(memory, at, end, octets, row)
    at += octets * sequence
    stride = form.size + octets * (1 - sequence)
    there = min(count, max(end - at, 0) // stride) if stride else count
    if there < count:
        row.short = 1
    if there < 1:
        return at + stride * count
    low, high, steady = first, first, True
    for i in range(1, there):
        address = first + i if sequence else number_at(memory, at + i * stride, end, octets, row)
        low, high, steady = min(low, address), max(high, address), steady and address == first + i
    if high >> 8 * octets:
        row.anomaly |= BAD_ADDRESS
    row.space, row.first, row.last, row.distinct = form.space, low, high, 1 if sequence else there
    element = octets * (1 - sequence)
    if form.run and point and steady and there > 1:
        sample = add_run(row, samples, form.space, first, there, at, there * stride, form.run, stride)
        sample.value_at, sample.quality_at = element, element + form.qualifier_at
    else:
        for i in range(there):
            address = first + i if sequence else number_at(memory, at + i * stride, end, octets, row)
            read_element(memory, at + i * stride + element, end, now, form, address, point, row, samples)
        if there > 1:
            row.value = NOTHING
    return at + stride * count
