"""Files and firmware over CIP: the file object (class 55, ODVA Vol 1, 5-42), and Rockwell's nonvolatile storage object (class 161, 1404-UM001D, appendix G).

What a file is called stands where its download begins. The transfers that follow tell its instance alone; the name stands in their rows, too.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.codes.cip import (
    BAD_VALUE,
    CLEAR_FILE,
    DOWNLOAD_TRANSFER,
    INITIATE_DOWNLOAD,
    INITIATE_UPLOAD,
    REFUSED_LATER,
    TRANSACTION_MISMATCH,
    TRANSFER_ABORTED,
    UPLOAD_TRANSFER,
)
from sensors.codes.epath import FILES
from sensors.engine.contexts import append, begin_text, context, drop, end_text, find, held, put_octets
from sensors.engine.octets import inline, kernel, u8, u16le, u32le
from sensors.engine.tables import FAILURE

SESSION_CLOSE: Final = NUMBER["session.close"]
# Contexts that hold what a file is called, by connection and instance.
CALLED: Final = 0xC2
STRING, STRING2, SHORT_STRING = 0xD0, 0xD5, 0xDA  # types of text
MOST_TEXTS: Final = 16  # languages in which one name is told
FIRST_AND_LAST, ABORT = 4, 3  # kinds of a transfer: first, middle, last, aborted, first and last
FAILED, FAULTED = 3, 5  # statuses of stored firmware


@inline
def is_transfer(service: int) -> bool:
    """Is this one of the services that the file object has of its own?"""
    return INITIATE_UPLOAD <= service <= CLEAR_FILE


@kernel
def read_name(memory: Any, at: int, end: int, row: Any) -> int:
    """An international string (STRINGI): its first text is the name of the row. Returns its end."""
    texts, place = u8(memory, at, end, row), at + 1
    if texts > MOST_TEXTS:
        row.anomaly |= BAD_VALUE
        return end
    for text in range(texts):
        kind = u8(memory, place + 3, end, row)  # behind the language; then come the set of characters and the octets
        if kind not in (STRING, STRING2, SHORT_STRING):
            row.anomaly |= 0 if row.short else BAD_VALUE
            return end
        head = 7 if kind == SHORT_STRING else 8
        octets = u8(memory, place + 6, end, row) if kind == SHORT_STRING else u16le(memory, place + 6, end, row) << (1 if kind == STRING2 else 0)
        if row.short == 0 and place + head + octets > end:
            row.short = 1
        if row.short:
            return end
        if text == 0 and octets > 0 and kind != STRING2:
            row.name_at, row.name_octets = place + head, octets
        place += head + octets
    return place


@kernel
def follow_name(memory: Any, message: Any, row: Any, instance: int, begins: bool, contexts: Any, joints: Any) -> None:
    """The name of a file is kept where it is told, and stands in the rows that tell its instance alone."""
    if begins and row.name_octets > 0:
        number = context(contexts, joints, CALLED, message.connection, instance, message.clock)
        drop(contexts, number, joints)
        append(memory, contexts, number, joints, row.name_at, row.name_octets)
        return
    number = find(contexts, CALLED, message.connection, instance)
    if number >= 0 and contexts[number].filled > 0:
        at, octets = held(contexts, number, joints)
        text = begin_text(joints)
        put_octets(memory, joints, at, octets)
        end_text(row, text, joints)


@kernel
def read_file_request(memory: Any, at: int, end: int, message: Any, row: Any, asked: Any, contexts: Any, joints: Any) -> int:
    """A service of a file: how long it is, which part of it comes; returns the end of the data."""
    service, instance, done = asked.a, max(asked.c, 0), end
    row.space, row.first, row.last = FILES, instance, instance
    if service == INITIATE_UPLOAD:
        u8(memory, at, end, row)
        done = at + 1
    elif service == INITIATE_DOWNLOAD:  # size, version of the format, revision, name
        size, done = u32le(memory, at, end, row), read_name(memory, at + 8, end, row)
        if row.short == 0:
            row.value = size
    elif service in (UPLOAD_TRANSFER, DOWNLOAD_TRANSFER):
        number, kind = u8(memory, at, end, row), u8(memory, at + 1, end, row) if service == DOWNLOAD_TRANSFER else 0
        if row.short == 0:
            asked.f = number
            row.value = number
            row.anomaly |= BAD_VALUE if kind > FIRST_AND_LAST else 0
            row.effect = SESSION_CLOSE if kind == ABORT else row.effect
        done = at + 1 if service == UPLOAD_TRANSFER else end
    if row.short == 0:
        follow_name(memory, message, row, instance, service == INITIATE_DOWNLOAD, contexts, joints)
    return done


@kernel
def read_file_reply(memory: Any, at: int, end: int, service: int, row: Any, asked: Any) -> None:
    """What a file answers: how long it is, which part of it this is."""
    if service == INITIATE_UPLOAD:
        size = u32le(memory, at, end, row)
        if row.short == 0:
            row.value = size
    elif service in (UPLOAD_TRANSFER, DOWNLOAD_TRANSFER):
        number, kind = u8(memory, at, end, row), u8(memory, at + 1, end, row) if service == UPLOAD_TRANSFER else 0
        if row.short:
            return
        row.anomaly |= (TRANSACTION_MISMATCH if number != asked.f else 0) | (BAD_VALUE if kind > FIRST_AND_LAST else 0)
        if kind == ABORT:
            row.outcome, row.error = FAILURE, TRANSFER_ABORTED


@kernel
def read_firmware_request(memory: Any, at: int, end: int, row: Any, asked: Any) -> None:
    """How long the firmware is that is to come, or the number of a chunk of it."""
    if at + 4 <= end:
        asked.f = u32le(memory, at, end, row)
        row.value = asked.f


@kernel
def read_firmware_reply(memory: Any, at: int, end: int, row: Any, asked: Any) -> None:
    """Whether a chunk was taken and stored."""
    if at + 6 > end:
        return
    number, status = u32le(memory, at, end, row), u16le(memory, at + 4, end, row)
    row.anomaly |= TRANSACTION_MISMATCH if number != asked.f else 0
    if FAILED <= status <= FAULTED:
        row.outcome, row.error = FAILURE, REFUSED_LATER | status
