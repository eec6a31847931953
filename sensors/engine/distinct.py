"""Distinct rows of numbers, found by hashing: what many rows share is named once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.octets import INTERPRETED, borrow, entry, mix
from sensors.engine.tables import index


def _number(words: Any, places: Any, firsts: Any, table: Any) -> int:
    """`places` gets the number of each row of `words` among the distinct ones, `firsts` the first row of each; returns how many. `table` is an empty index."""
    words, places, firsts, table = borrow(words), borrow(places), borrow(firsts), borrow(table)
    rows, columns = words.shape
    last, count = len(table) - 1, 0
    for row in range(rows):
        hashed = 0
        for column in range(columns):
            hashed = mix(hashed, words[row, column])
        place = hashed & last
        while table[place] >= 0:
            other = firsts[table[place]]
            same = True
            for column in range(columns):
                same = same and words[row, column] == words[other, column]
            if same:
                break
            place = (place + 1) & last
        if table[place] < 0:
            table[place] = count
            firsts[count] = row
            count += 1
        places[row] = table[place]
    return count


_number_kernel: Final = entry(_number)


def distinct(*columns: Any) -> tuple[Any, Any]:
    """(rows [n, columns] that differ, in the order in which they come first; for each row which of them it is)."""
    words = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
    if INTERPRETED:
        found, firsts, places = np.unique(words, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        return found[order], np.argsort(order)[places.reshape(-1)]
    places, firsts = np.empty(len(words), np.int64), np.empty(len(words), np.int64)
    count = _number_kernel(words, places, firsts, index(max(len(words), 1)))
    return words[firsts[:count]], places
