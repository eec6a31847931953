"""What S7comm calls by text: blocks, and services."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.codes.s7comm import BAD_VALUE, BLOCK, BLOCK_TYPES
from sensors.engine.contexts import begin_text, end_text, put_number, put_octet
from sensors.engine.octets import kernel, plain, u8, u16be

MOST_NAMED: Final = 32  # blocks of one service that are named
FILE_NAME: Final = 9  # octets of a block's name: a letter, type, number, where it lies

_letters: Final = np.zeros((256, 4), np.int64)
for _code, _name in BLOCK_TYPES.items():
    _letters[_code, : len(_name)] = [ord(letter) for letter in _name]
LETTERS: Final = plain(_letters)


@kernel
def put_block(memory: Any, kind: int, number: int, joints: Any) -> None:
    """Add type and number of a block to the text: OB1, DB12; a negative number is none."""
    for i in range(4):
        if LETTERS[kind & 255, i] > 0:
            put_octet(memory, joints, LETTERS[kind & 255, i])
    if LETTERS[kind & 255, 0] == 0:
        put_octet(memory, joints, kind >> 8 & 0x7F)
        put_octet(memory, joints, kind & 0x7F)
    if number >= 0:
        put_number(memory, joints, number)


@kernel
def name_block(memory: Any, kind: int, number: int, row: Any, joints: Any) -> None:
    """The row is about this block."""
    place = begin_text(joints)
    put_block(memory, kind, number, joints)
    row.space = BLOCK
    if number >= 0:
        row.first = row.last = number
    end_text(row, place, joints)


@kernel
def digits(memory: Any, at: int, end: int, row: Any) -> int:
    """Five digits, -1 where they are none."""
    number = 0
    for i in range(5):
        digit = u8(memory, at + i, end, row) - 48
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@kernel
def read_block(memory: Any, at: int, end: int, row: Any, joints: Any) -> int:
    """Type and number of a block, seven octets; returns both as one number, -1 where they are not there."""
    kind, number = u16be(memory, at, end, row), digits(memory, at + 2, end, row)
    if row.short:
        return -1
    if number < 0:
        row.anomaly |= BAD_VALUE
    name_block(memory, kind, number, row, joints)
    return kind << 20 | max(number, 0)


@kernel
def read_more_blocks(memory: Any, at: int, end: int, blocks: int, row: Any, joints: Any) -> None:
    """The blocks behind the first one, eight octets each: their names stand behind its name."""
    place = row.name_at
    for block in range(min(blocks, MOST_NAMED - 1)):
        kind, number = u16be(memory, at + 8 * block, end, row), digits(memory, at + 8 * block + 2, end, row)
        row.anomaly |= BAD_VALUE if number < 0 and row.short == 0 else 0
        if row.short or number < 0:
            break
        put_octet(memory, joints, 44)
        put_octet(memory, joints, 32)
        put_block(memory, kind, number, joints)
    end_text(row, place, joints)


@kernel
def read_file(memory: Any, at: int, end: int, row: Any, joints: Any) -> int:
    """The counted name of a file: a block, or as it is (NC). Returns the block."""
    octets = u8(memory, at, end, row)
    if at + 1 + octets > end:
        row.short = 1
    if row.short:
        return -1
    if octets == FILE_NAME:
        return read_block(memory, at + 2, end, row, joints)
    row.space, row.name_at, row.name_octets = BLOCK, at + 1, octets
    return -1


@kernel
def spelled(memory: Any, at: int, octets: int, end: int, row: Any) -> int:
    """Up to nine letters as one number (`sensors.codes.s7comm.spelling`), -1 where they are more or none."""
    if octets > 9:
        return -1
    number = 0
    for i in range(octets):
        letter = u8(memory, at + i, end, row)
        if letter > 0x7F:
            return -1
        number = number << 7 | letter
    return number
