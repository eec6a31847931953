"""A capture that ends inside a record, or makes no sense at some place: a mark in the coverage of its last window, so that the store knows it, too."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from sensors.sources.files import GZIP

if TYPE_CHECKING:
    from records.errors import BalefireError
    from records.model import Batch
    from sensors.sources.pcap import Capture

# errors of a capture that was begun, by their name in the mark: what else ends a capture is no fault of it
MARKED: Final = {f"capture.{name}": name for name in ("cut", "corrupt", "torn", "gzip", "unreadable", "interfaces")}
TOLD: Final = ("packet", "offset", "skipped", "name", "reason")


def marked(batch: Batch, capture: Capture, error: BalefireError | None) -> Batch:
    """The last batch of a capture; where that is broken, its last window says so."""
    rows: Any = batch.coverage  # the stubs leave its types open
    if error is None or error.key not in MARKED or not rows.num_rows:
        return batch
    told: dict[str, Any] = {name: error.values.get(name) for name in TOLD}
    broken = json.dumps({"error": MARKED[error.key], "file": capture.name, "left": _left(capture, error), **told}, ensure_ascii=False)
    times: list[int] = rows.column("@timestamp").cast(pa.int64()).to_pylist()
    last = max(range(len(times)), key=lambda place: times[place])
    column = pa.array([broken if place == last else None for place in range(len(times))], pa.string())
    return replace(batch, coverage=rows.set_column(rows.column_names.index("broken"), "broken", column))


def _left(capture: Capture, error: BalefireError) -> int | None:
    """Octets of the file that were not read: those that were passed over, else all from there on; None where it is compressed, or a pipe."""
    told: Any = error.values
    if error.key == "capture.torn":
        return int(told["octets"])
    if error.key != "capture.interfaces" and capture.pipe is None:
        with suppress(OSError), Path(capture.file).open("rb") as file:
            if file.read(len(GZIP)) != GZIP:
                return max(0, file.seek(0, 2) - int(told["offset"]))
    return None
