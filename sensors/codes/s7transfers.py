"""Blocks of S7comm on their way to a controller or from it.

What begins an upload names its block, all that follows only the number of the upload; the name stands in these rows, too. A row's value: where a transfer
begins, the octets that it tells; of a piece, the octets that came before it; where it ends, all that came.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.codes.s7blocks import name_block, read_file
from sensors.codes.s7comm import BAD_LENGTH, BAD_VALUE
from sensors.codes.s7variables import TAG
from sensors.engine.contexts import context, find
from sensors.engine.octets import kernel, u8, u16be, u32be
from sensors.engine.tables import CUT

REQUEST_DOWNLOAD, DOWNLOAD_BLOCK, DOWNLOAD_ENDED, START_UPLOAD, UPLOAD, END_UPLOAD = range(26, 32)
DATA_HEADER: Final = 4  # octets before those of a piece: how many there are
MOST_DIGITS: Final = 9
# Contexts, of a connection: BEGUN, the upload that is being begun; a: block, b: transaction. UPLOADED | number & 7 and DOWNLOADED | block & 7; a: block,
# b: number of the upload, or the block again, c: octets that came.
BEGUN, UPLOADED, DOWNLOADED = 2 << 20, 2 << 20 | 8, 2 << 20 | 16


@kernel
def read_length(memory: Any, at: int, octets: int, end: int, row: Any) -> None:
    """How long it is, in digits."""
    length = 0
    for place in range(at, at + min(octets, MOST_DIGITS)):
        digit = u8(memory, place, end, row) - 48
        if digit < 0 or digit > 9:
            row.anomaly |= 0 if row.short else BAD_VALUE
            return
        length = 10 * length + digit
    if row.short == 0 and octets > 0:
        row.value = length


@kernel
def begin(message: Any, key: int, block: int, number: int, contexts: Any, joints: Any) -> None:
    """From now on, these are the octets of this block."""
    row = contexts[context(contexts, joints, TAG, message.connection, key, message.clock)]
    row.a, row.b, row.c = block, number, 0


@kernel
def follow(memory: Any, message: Any, key: int, number: int, row: Any, contexts: Any, joints: Any) -> int:
    """What came of it so far, and of an upload its block; returns the key, 0 where its beginning was not seen."""
    place = find(contexts, TAG, message.connection, key)
    if place < 0 or contexts[place].b != number:
        return 0
    row.value = contexts[place].c
    if key < DOWNLOADED:
        name_block(memory, contexts[place].a >> 20, contexts[place].a & 0xFFFFF, row, joints)
    return key


@kernel
def read_transfer(memory: Any, message: Any, code: int, at: int, end: int, row: Any, contexts: Any, joints: Any) -> int:
    """A job of an upload or download; returns the key of the transfer, 0 where that is not known."""
    if code in (UPLOAD, END_UPLOAD):
        upload = u32be(memory, at + 4, end, row)
        return follow(memory, message, UPLOADED | upload & 7, upload, row, contexts, joints) if row.short == 0 else 0
    block, stop = read_file(memory, at + 8, end, row, joints), at + 9 + u8(memory, at + 8, end, row)
    if code == START_UPLOAD:
        if block >= 0:
            begin(message, BEGUN, block, row.transaction, contexts, joints)
    elif block >= 0 and code == REQUEST_DOWNLOAD:
        begin(message, DOWNLOADED | block & 7, block, block, contexts, joints)
        if stop + 8 <= end:  # a letter, octets of load memory, octets of work memory
            read_length(memory, stop + 2, 6, end, row)
    elif block >= 0:
        return follow(memory, message, DOWNLOADED | block & 7, block, row, contexts, joints)
    return 0


@kernel
def read_upload_begun(memory: Any, message: Any, at: int, end: int, row: Any, contexts: Any, joints: Any) -> None:
    """The answer that gives an upload its number, and tells how long the block is."""
    upload = u32be(memory, at + 4, end, row)
    if row.short:
        return
    begun = find(contexts, TAG, message.connection, BEGUN)
    if begun >= 0 and contexts[begun].b == row.transaction:
        begin(message, UPLOADED | upload & 7, contexts[begun].a, upload, contexts, joints)
    if at + 8 < end:
        read_length(memory, at + 9, u8(memory, at + 8, end, row), end, row)


@kernel
def count_piece(memory: Any, message: Any, key: int, at: int, end: int, row: Any, contexts: Any) -> None:
    """A piece of what is transferred under this key came."""
    if end - at < DATA_HEADER:
        return
    octets = u16be(memory, at, end, row)
    if message.marks & CUT == 0 and octets > end - at - DATA_HEADER:
        row.anomaly |= BAD_LENGTH
        octets = end - at - DATA_HEADER
    number = find(contexts, TAG, message.connection, key)
    if number >= 0:
        contexts[number].c += octets
