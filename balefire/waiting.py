"""Batches on their way to a commit: cut so that what is judged is bounded, put together so that what is written is large enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute

from records.model import Batch, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial


@dataclass(slots=True)
class Waiting:
    """What the next commit will hold."""

    batches: list[Batch] = field(default_factory=list[Batch])
    findings: list[Finding] = field(default_factory=list[Finding])

    def rows(self) -> int:
        """Rows that wait."""
        return sum(batch.activities.num_rows + batch.points.num_rows for batch in self.batches)

    def batch(self) -> Batch:
        """All of them as one."""
        each = self.batches or [Batch()]
        return Batch(*(pa.concat_tables([getattr(batch, name) for batch in each]) for name in ("activities", "points", "coverage")))


def pieces(batch: Batch, rows: Callable[[], int]) -> Iterator[Batch]:
    """A batch cut so that what may be found in one piece takes bounded memory; how rows are cut never changes what is found. `rows`: of the next one."""
    at = 0
    while at == 0 or at < batch.activities.num_rows:
        part = batch.activities.slice(at, rows())
        at += max(part.num_rows, 1)
        yield Batch(part) if at < batch.activities.num_rows else Batch(part, batch.points, batch.coverage)  # that tells that all is there


def earliest(batch: Batch) -> int | None:
    """When the first thing in it was seen; where nothing was, when listening began."""
    seen = [table.column("@timestamp").cast(pa.int64()) for table in (batch.activities, batch.points, batch.coverage)]
    firsts = [compute.min(times).as_py() for times in (seen if not any(map(len, seen[:2])) else seen[:2]) if len(times)]
    return min(firsts, default=None)
