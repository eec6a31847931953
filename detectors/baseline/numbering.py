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
    codes, size = np.zeros(rows.num_rows, np.int64), 1
    for name in names:
        column = rows[name]
        if column.null_count == len(column):
            continue
        encoded = column.combine_chunks().dictionary_encode("encode")
        here = len(encoded.dictionary)
        if here == 1:
            continue
        if size * here > LARGEST:
            _, codes = np.unique(codes, return_inverse=True)
            size = int(codes.max()) + 1
        codes, size = codes * here + encoded.indices.to_numpy(), size * here
    _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
    places = pyarrow.array(firsts)
    return numbers, list(zip(*(rows[name].combine_chunks().take(places).to_pylist() for name in (*names, *more)), strict=True))
