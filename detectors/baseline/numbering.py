"""Rows by what they have in common: most of them are like many others, so that what is the same needs to be looked at only once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
LARGEST: Final = 1 << 40  # of a number that stands for several columns, before it is made small again


def numbered(rows: Any, names: Sequence[str], more: Sequence[str] = ()) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Which of the different rows of these columns each row is, and these, with what `more` columns have in the first row of each."""
    if not rows.num_rows:
        return np.zeros(0, np.int64), []
    part = rows.select([*names, *more]).combine_chunks().to_batches()[0]  # a batch, for columns in chunks cost as much again
    codes, size = np.zeros(part.num_rows, np.int64), 1
    for column in part.columns[: len(names)]:
        if column.null_count == len(column):
            continue
        encoded = column.dictionary_encode("encode")
        here = len(encoded.dictionary)
        if here == 1:
            continue
        if size * here > LARGEST:
            _, codes = np.unique(codes, return_inverse=True)
            size = int(codes.max()) + 1
        codes, size = codes * here + encoded.indices.to_numpy(), size * here
    _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers, list(zip(*(column.to_pylist() for column in part.take(pyarrow.array(firsts)).columns), strict=True))
