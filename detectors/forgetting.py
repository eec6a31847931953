"""What detectors let go for want of room: it is told beside what was not seen, for what hung on it may be missed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.detector import Detector
    from records.store.contract import Store

STATE: Final = "forgotten"


def forgotten(store: Store) -> dict[str, int]:
    """How many things each detector that did let go, as the last run on this store had it."""
    return json.loads(store.state(STATE) or b"{}")


def kept(detectors: Iterable[Detector]) -> bytes:
    """The same of these detectors, as a store keeps it."""
    counts: Counter[str] = Counter()
    for detector in detectors:
        counts[detector.name] += detector.forgotten
    return json.dumps({name: count for name, count in sorted(counts.items()) if count}).encode()
