"""Identities of rows: BLAKE2b (RFC 7693) of one block of sixteen words each, ten octets as twenty hexadecimal digits.

A row's words fill the block exactly, so that nothing is padded. What a word holds is the caller's; names enter as words of their own digests
(`name_words`), so that an identity does not depend on any table of numbers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

import numpy as np

from sensors.engine.octets import INTERPRETED, borrow, entry, inline

WORDS: Final = 16  # 64 bits each: one block
OCTETS: Final = 10
DIGITS: Final = 2 * OCTETS

_IV: Final = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
_SIGMA: Final = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    np.int64,
)  # fmt: skip
_PARAMETERS: Final = np.uint64(0x01010000 | OCTETS)  # no key, sequential
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_BLOCK: Final = np.uint64(8 * WORDS)
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)


@inline
def _turn(word: Any, bits: int) -> Any:
    return word >> np.uint64(bits) | word << np.uint64(64 - bits)


@inline
def _stir(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + np.uint64(x)
    d = _turn(d ^ a, 32)
    c = c + d
    b = _turn(b ^ c, 24)
    a = a + b + np.uint64(y)
    d = _turn(d ^ a, 16)
    c = c + d
    return a, _turn(b ^ c, 63), c, d


@inline
def _digest(words: Any, row: int) -> tuple[Any, Any]:
    """The first two words of the digest."""
    v0, v1, v2, v3, v4, v5, v6, v7 = _IV[0] ^ _PARAMETERS, _IV[1], _IV[2], _IV[3], _IV[4], _IV[5], _IV[6], _IV[7]
    v8, v9, v10, v11, v12, v13, v14, v15 = _IV[0], _IV[1], _IV[2], _IV[3], _IV[4] ^ _BLOCK, _IV[5], _IV[6] ^ _ALL, _IV[7]
    for i in range(12):
        s = _SIGMA[i]
        v0, v4, v8, v12 = _stir(v0, v4, v8, v12, words[row, s[0]], words[row, s[1]])
        v1, v5, v9, v13 = _stir(v1, v5, v9, v13, words[row, s[2]], words[row, s[3]])
        v2, v6, v10, v14 = _stir(v2, v6, v10, v14, words[row, s[4]], words[row, s[5]])
        v3, v7, v11, v15 = _stir(v3, v7, v11, v15, words[row, s[6]], words[row, s[7]])
        v0, v5, v10, v15 = _stir(v0, v5, v10, v15, words[row, s[8]], words[row, s[9]])
        v1, v6, v11, v12 = _stir(v1, v6, v11, v12, words[row, s[10]], words[row, s[11]])
        v2, v7, v8, v13 = _stir(v2, v7, v8, v13, words[row, s[12]], words[row, s[13]])
        v3, v4, v9, v14 = _stir(v3, v4, v9, v14, words[row, s[14]], words[row, s[15]])
    return _IV[0] ^ _PARAMETERS ^ v0 ^ v8, _IV[1] ^ v1 ^ v9


def _hash_rows(words: Any, text: Any) -> None:
    """Write the digits of every row of `words` (i8 [rows, WORDS]) into `text` (u1 [rows, DIGITS])."""
    words, text = borrow(words), borrow(text)
    for row in range(len(words)):
        low, high = _digest(words, row)
        for i in range(OCTETS):
            octet = np.int64(low >> np.uint64(8 * i) if i < 8 else high >> np.uint64(8 * i - 64)) & 255
            text[row, 2 * i] = _HEX[octet >> 4]
            text[row, 2 * i + 1] = _HEX[octet & 15]


def _hash_rows_slowly(words: Any, text: Any) -> None:
    for row in range(len(words)):
        text[row] = np.frombuffer(hashlib.blake2b(words[row].tobytes(), digest_size=OCTETS).hexdigest().encode(), np.uint8)


hash_rows: Final = _hash_rows_slowly if INTERPRETED else entry(_hash_rows)


@lru_cache(maxsize=1 << 14)
def name_words(*names: object) -> tuple[int, int]:
    """128 bits that stand for these names, as two signed words."""
    text = "\x1f".join("" if name is None else str(name) for name in names)
    low, high = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), "<i8").tolist()
    return low, high
