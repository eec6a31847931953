"""The contract of a detector: learn, judge, state. One file a detector in `detectors/methods`, found by discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from records.model import Batch, Finding


class Detector(Protocol):
    """Judges activities, points and coverage in the order of release; how the input is cut never changes the findings.

    Learning and judging are separate inputs: what is judged does not teach, and without learned state a learned detector is silent.
    """

    name: str

    @property
    def forgotten(self) -> int:
        """How many things that it remembered it has let go for want of room since it began; what hung on them may be missed."""
        ...

    def learn(self, batch: Batch) -> None:
        """Take in what is normal. Nothing to do for detectors that do not learn."""
        ...

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of these rows, in the order of the rows, each with its reason, what would have been normal and the first steps.

        Rows are Arrow tables with the columns of the schema.
        """
        ...

    def state(self) -> bytes:
        """Everything that judging depends on, bounded; empty where there is none."""
        ...

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for a state that is not its own."""
        ...
