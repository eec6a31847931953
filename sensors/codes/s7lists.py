"""System status lists of S7comm: what a controller is, and how it is (System Software for S7-300/400, System and Standard Functions, SZL)."""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.s7comm import COMPONENT, MODE, MODULE, STATUS_LIST
from sensors.engine.contexts import append, context, drop, find, joined
from sensors.engine.dissecting import add_fact, add_text, add_value
from sensors.engine.octets import inline, kernel, u8, u16be, u32be
from sensors.engine.tables import AFTER_GAP, CUT, REQUEST, RESPONSE

TAG: Final = 50
LIST_KEY: Final = 4 << 20
MOST_RECORDS: Final = 16
IDENTITY_READ, MODE_READ = NUMBER["identity.read"], NUMBER["mode.read"]
PLANT_LIST, IDENTITY_LIST, TRANSITION_LIST = 0x11, 0x1C, 0x24  # partial lists, whatever their extract
FIRMWARE, SERIAL_RECORDS, MANUFACTURER = 7, 11, 9


@kernel
def name_list(row: Any, named: int) -> None:
    """The object and the effect of reading a system status list (SZL): identifier << 16 | index."""
    row.space, row.first, row.last = STATUS_LIST, named, named
    part = named >> 16 & 0xFF
    if 0x11 <= part <= 0x15 or part == IDENTITY_LIST:
        row.effect = IDENTITY_READ
    elif part == TRANSITION_LIST:
        row.effect = MODE_READ


@kernel
def add_words(memory: Any, at: int, octets: int, end: int, row: Any, samples: Any, space: int, index: int) -> None:
    """A text without what fills it up."""
    while octets > 0 and u8(memory, at + octets - 1, end, row) in (0, 0x20):
        octets -= 1
    if octets > 0:
        add_text(row, samples, space, index, at, octets)


@kernel
def read_records(memory: Any, at: int, end: int, row: Any, samples: Any) -> None:
    """The records of a list: what the controller is, or in which mode."""
    part, octets, records = row.first >> 16 & 0xFF, u16be(memory, at + 4, end, row), u16be(memory, at + 6, end, row)
    at += 8
    if octets < 4 or row.short:
        return
    for _ in range(min(records, MOST_RECORDS)):
        if at + octets > end:
            row.short = 1
            return
        index = u16be(memory, at, end, row)
        if part == PLANT_LIST and octets >= 22:
            if index == FIRMWARE and octets >= 28:
                add_fact(row, samples, MODULE, index, float(u8(memory, at + 25, end, row) << 16 | u16be(memory, at + 26, end, row)))
            else:
                add_words(memory, at + 2, 20, end, row, samples, MODULE, index)
        elif part == IDENTITY_LIST and index == MANUFACTURER:
            add_fact(row, samples, COMPONENT, index, float(u16be(memory, at + 2, end, row)))
        elif part == IDENTITY_LIST and index <= SERIAL_RECORDS:
            add_words(memory, at + 2, octets - 2, end, row, samples, COMPONENT, index)
        elif part == TRANSITION_LIST and row.samples == 0:
            row.value = float(u8(memory, at + 3, end, row) & 15)
            add_value(row, samples, MODE, 0, row.value)
        at += octets


@kernel
def read_list(memory: Any, message: Any, at: int, end: int, unit: int, more: bool, row: Any, samples: Any, contexts: Any, joints: Any) -> None:
    """A system status list, asked for or answered; a long one comes in several data units of one number."""
    named = u32be(memory, at, end, row)
    if row.short:
        return
    if row.role == REQUEST or (unit == 0 and not more):
        name_list(row, named)
        if row.role == RESPONSE:
            read_records(memory, at, end, row, samples)
        return
    number = context(contexts, joints, TAG, message.connection, LIST_KEY | unit, message.clock)
    waits = contexts[number]
    if message.marks & (AFTER_GAP | CUT) or waits.filled >= waits.b:
        drop(contexts, number, joints)
    if waits.filled == 0:
        waits.a, waits.b = named, 8 + u16be(memory, at + 4, end, row) * u16be(memory, at + 6, end, row)
    name_list(row, waits.a)
    if not append(memory, contexts, number, joints, at, end - at):
        drop(contexts, number, joints)
    elif not more:
        place, octets = joined(memory, contexts, number, joints)
        if place >= 0:
            read_records(memory, place, place + octets, row, samples)


@inline
def ask_for_more(message: Any, unit: int, row: Any, contexts: Any) -> None:
    """The next data unit of a list that is not whole."""
    number = find(contexts, TAG, message.connection, LIST_KEY | unit)
    if number >= 0 and contexts[number].filled > 0:
        name_list(row, contexts[number].a)
