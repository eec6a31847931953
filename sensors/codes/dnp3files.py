"""File transfer of DNP3 (IEEE 1815-2012, annex A, group 70).

A file is called by its name where it is opened; from then on by the handle that the answer gave it, which the name stands beside in every row.
The value of a row is the size of the file where it is opened, and the number of the block where one is transferred.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.dnp3 import BAD_RANGE, FILE_ERROR, OPEN_FILE, SPACES
from sensors.engine.contexts import append, begin_text, context, drop, end_text, find, held, put_octets
from sensors.engine.dissecting import NOTHING
from sensors.engine.octets import kernel, u8, u16le, u32le
from sensors.engine.tables import FAILURE, REQUEST, RESPONSE

FILE_SPACE: Final = SPACES.index("file")
FILE_WRITE: Final = NUMBER["file.write"]
UNKNOWN_SIZE: Final = 0xFFFFFFFF
# Contexts that hold the name of a file: OPENING, of a station on a connection, that which is being opened (`a`: the transaction, + 1); OPENED, by its handle.
OPENING, OPENED = 18151, 18152


@kernel
def read_names(memory: Any, at: int, end: int, row: Any, place: int) -> None:
    """The file name that two numbers at `at` tell the place and length of, in an object that begins at `place`."""
    offset, octets = u16le(memory, at, end, row), u16le(memory, at + 2, end, row)
    if row.short == 0 and octets > 0:
        if place + offset + octets > end:
            row.anomaly |= BAD_RANGE
        else:
            row.name_at, row.name_octets = place + offset, octets


@kernel
def tell_size(memory: Any, at: int, end: int, row: Any) -> None:
    """How long a file is, where that is told: what answers the end of a transfer tells 0."""
    size = u32le(memory, at, end, row)
    if row.short == 0 and 0 < size < UNKNOWN_SIZE:
        row.value = size


@kernel
def read_file(memory: Any, at: int, end: int, variation: int, row: Any) -> None:
    """A file object: what it is called, its handle, and the status of what was asked."""
    row.space = FILE_SPACE
    status = 0
    if variation in (3, 7):
        read_names(memory, at, end, row, at)
        mode = u16le(memory, at + 20, end, row) if variation == 3 else 0
        if mode in (2, 3) and row.code == (OPEN_FILE + 1) << 40:
            row.effect = FILE_WRITE
            tell_size(memory, at + 16, end, row)
    elif variation == 8 and at < end:
        row.name_at, row.name_octets = at, end - at
    elif variation in (4, 5, 6):
        handle = u32le(memory, at, end, row)
        if row.short == 0 and handle > 0:
            row.first = row.last = handle
        if variation == 5:
            block = u32le(memory, at + 4, end, row)
            row.value = NOTHING if row.short else block & 0x7FFFFFFF
        else:
            status = u8(memory, at + (12 if variation == 4 else 8), end, row)
            if variation == 4 and status == 0 and row.role == RESPONSE and row.first > 0:
                tell_size(memory, at + 4, end, row)
    if status > 0:
        row.error = FILE_ERROR + status
        if row.role == RESPONSE:
            row.outcome = FAILURE


@kernel
def keep_name(memory: Any, tag: int, message: Any, what: int, at: int, octets: int, contexts: Any, joints: Any) -> int:
    """The name of a file is remembered in this context; returns its number."""
    number = context(contexts, joints, tag, message.connection, what, message.clock)
    drop(contexts, number, joints)
    contexts[number].a = 0
    append(memory, contexts, number, joints, at, octets)
    return number


@kernel
def follow_file(memory: Any, message: Any, row: Any, contexts: Any, joints: Any) -> None:
    """Names of files are remembered where they are opened, and stand in the rows that have only their handles."""
    if row.space != FILE_SPACE or row.short:
        return
    if row.role == REQUEST and row.code == (OPEN_FILE + 1) << 40 and row.name_at >= 0:
        number = keep_name(memory, OPENING, message, row.unit, row.name_at, row.name_octets, contexts, joints)
        contexts[number].a = row.transaction + 1
    if row.first <= 0 or row.name_at >= 0:
        return
    handle = row.unit << 32 | row.first
    number = find(contexts, OPENING, message.connection, row.unit)
    if row.role == RESPONSE and number >= 0 and contexts[number].a == row.transaction + 1:
        at, octets = held(contexts, number, joints)
        keep_name(memory, OPENED, message, handle, at, octets, contexts, joints)
        contexts[number].a = 0
    number = find(contexts, OPENED, message.connection, handle)
    if number >= 0:
        at, octets = held(contexts, number, joints)
        text = begin_text(joints)
        put_octets(memory, joints, at, octets)
        end_text(row, text, joints)
