"""Rows by what they have in common: most of them are like many others, so that what is the same needs to be looked at only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np
import pyarrow.compute

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
FEW: Final = 64  # rows, as a sensor gives them every second: for so few Arrow's own encoding costs more than it saves
SORTED: Final = 1024  # rows that are sorted faster than encoded
LARGEST: Final = 1 << 40  # of a number that stands for several columns, before it is made small again


class Encoded:
    """Columns of one table, each as its words and which of them each row has. One detector after the other asks for the same ones."""

    latest: tuple[Encoded, ...] = ()

    def __init__(self, rows: Any) -> None:
        self._rows = ref(rows)
        self._columns: dict[str, tuple[list[Any], Any]] = {}

    @classmethod
    def of(cls, rows: Any) -> Encoded:
        """The columns of this table; those of the two that were first asked for last are kept, which are the activities and the points of one batch."""
        for known in cls.latest:
            if known._rows() is rows:
                return known
        made = cls(rows)
        cls.latest = (*cls.latest[-1:], made)
        return made

    def column(self, name: str) -> tuple[list[Any], Any]:
        """Words, and the number of each row's."""
        if name not in self._columns:
            table: Any = self._rows()
            column = table[name]
            if len(column) <= FEW:
                words: dict[Any, int] = {}
                places = [words.setdefault(word, len(words)) for word in column.to_pylist()]
                self._columns[name] = list(words), np.array(places, np.int64)
            else:
                encoded = (column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()).dictionary_encode("encode")
                self._columns[name] = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        return self._columns[name]


def numbered(rows: Any, names: Sequence[str], more: Sequence[str] = ()) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Which of the different rows of these columns each row is, and these, with what `more` columns have in the first row of each."""
    if not rows.num_rows:
        return np.zeros(0, np.int64), []
    encoded = Encoded.of(rows)
    columns = [encoded.column(name) for name in names]
    codes, size = np.zeros(rows.num_rows, np.int64), 1
    for words, places in columns:
        if len(words) == 1:
            continue
        if size * len(words) > LARGEST:
            _, codes = np.unique(codes, return_inverse=True)
            size = int(codes.max()) + 1
        codes, size = codes * len(words) + places, size * len(words)
    numbers, firsts = by_code(codes)
    told = [words * len(firsts) if len(words) == 1 else [*map(words.__getitem__, places[firsts].tolist())] for words, places in columns]
    told += [column.to_pylist() for column in rows.select(list(more)).take(pyarrow.array(firsts)).columns] if more else []
    return numbers, list(zip(*told, strict=True))


def by_code(codes: Numbers) -> tuple[Numbers, Numbers]:
    """The number of each row's code in their order, and the first row of each code. Of many rows the codes are sorted alone, not the rows."""
    if len(codes) <= SORTED:
        _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
        return numbers, firsts
    encoded = compute.dictionary_encode(pyarrow.array(codes))
    found = encoded.indices.to_numpy()
    order = np.argsort(encoded.dictionary.to_numpy())
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[found], np.flatnonzero(np.diff(np.maximum.accumulate(found), prepend=-1))[order]
