"""A capture that ends inside a record, or makes no sense at some place: a mark in the coverage of its last window, so that the store knows it, too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sensors.broken import joined, mark

if TYPE_CHECKING:
    from records.errors import BalefireError
    from records.model import Batch
    from sensors.sources.pcap import Capture


def marked(batch: Batch, capture: Capture, error: BalefireError | None) -> Batch:
    """The last batch of a capture; where that is broken, its last window says so."""
    rows: Any = batch.coverage  # the stubs leave its types open
    if error is None or not rows.num_rows or not (told := mark(capture.name, error, None if capture.pipe else capture.file)):
        return batch
    times: list[int] = rows.column("@timestamp").cast(pa.int64()).to_pylist()
    marks: list[str | None] = rows.column("broken").to_pylist()
    last = max(range(len(times)), key=lambda place: times[place])
    marks[last] = joined([*([before] if (before := marks[last]) else []), told])
    return replace(batch, coverage=rows.set_column(rows.column_names.index("broken"), "broken", pa.array(marks, pa.string())))
