"""What a correlation is: which rows it looks at, how they are grouped, and what must be true of those within a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from detectors.rulebook.frame import Frame, Mask
    from detectors.rulebook.predicates import Predicate
    from records.schema import Field, Table

SECOND: Final = 10**9
MINUTE: Final = 60 * SECOND
COUNTING: Final = frozenset({"event_count", "value_count"})
TEMPORAL: Final = frozenset({"temporal", "temporal_ordered"})
OF_VALUES: Final = frozenset({"value_sum", "value_avg", "value_percentile", "value_median"})
KINDS: Final = (*sorted(COUNTING), *sorted(OF_VALUES), *sorted(TEMPORAL))


@dataclass(frozen=True, slots=True)
class Conjunct:
    """One way for a condition over rules to be true: parts (by number) that are there, in this order where order matters, and parts that are not."""

    there: tuple[int, ...]
    absent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A rule that a correlation looks at, as it calls it: rows that match, or that complete a correlation of its own. `group` are the fields to group by."""

    name: str
    group: tuple[Field, ...]
    match: Predicate | None = None
    inner: Correlation | None = None


@dataclass(frozen=True, slots=True)
class Correlation:
    """One correlation. `span` is in nanoseconds; `bounds` are comparisons that must all hold; `wanted` are ways for the parts to be there, any of them."""

    kind: str
    parts: tuple[Part, ...]
    group: tuple[str, ...]
    span: int
    timespan: str
    table: Table
    bounds: tuple[tuple[str, float], ...] = ()
    wanted: tuple[Conjunct, ...] = ()
    measured: tuple[Field, ...] = ()
    percentile: int = 50

    @property
    def own_rows(self) -> bool:
        """Whether it looks at rows of their own only: a row that stands for a minute does not tell when things were done so exactly."""
        return self.span < MINUTE or self.kind == "temporal_ordered"

    @property
    def depth(self) -> int:
        """How many correlations deep it is: 1 where it looks at rules on single rows only."""
        return 1 + max((part.inner.depth for part in self.parts if part.inner), default=0)

    @property
    def size(self) -> int:
        """How many parts it has, with those of the correlations that it looks at, each as often as it is looked at."""
        return sum(1 + (part.inner.size if part.inner else 0) for part in self.parts)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that judging needs of its rows."""
        grouped = {field.name for part in self.parts for field in part.group}
        return frozenset(grouped | {field.name for field in self.measured})


@dataclass(frozen=True, slots=True)
class Fresh:
    """The predicate of a correlation: rows that complete one where nothing came before the frame."""

    correlation: Correlation

    def __call__(self, frame: Frame) -> Mask:
        """The rows that fire."""
        from detectors.rulebook.watch import Watch

        found = np.zeros(frame.height, dtype=np.bool_)
        found[[firing.row for firing in Watch(self.correlation).judge(frame)]] = True
        return found
