"""What all detectors find in the same rows: findings of forged senders, of which there are very many, fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.criticality import Weighed
from detectors.methods.crowds import Crowds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.detector import Detector
    from records.model import Batch, Finding


def judged(each: Sequence[Detector], batch: Batch) -> list[Finding]:
    """The findings of these detectors, one detector after the other."""
    found = [finding for detector in each for finding in detector.judge(batch)]
    for detector in each:
        inner = detector.inner if isinstance(detector, Weighed) else detector
        if isinstance(inner, Crowds):
            found = inner.folded(found)
    return found
