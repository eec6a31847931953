"""What detectors know of what a sensor has judged, over a restart of it: kept in the store, each time together with the rows that it follows from."""

from __future__ import annotations

import base64
import json
import time
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from balefire.times import both
from detectors.rulebook.problems import text
from records.query import Query
from records.search import Match
from records.store.columns import newest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from detectors.detector import Detector
    from records.model import Text
    from records.store.contract import Store

FORM: Final = 1
EVERY_S: Final = 30.0  # what is killed forgets no more than was judged in so long
MOST: Final = 32 << 20  # octets; a store takes no more at once


class Resuming:
    """The detectors of one observer, of none where it has no name; `learned` is what they learned. `note` is told what they go on with, and without."""

    def __init__(self, store: Store, observer: str | None, learned: Mapping[str, bytes | None], note: Callable[[Text], None]) -> None:
        self._store, self._observer, self._learned, self._note = store, observer, learned, note
        self._name = f"live-{observer}"
        self._last = time.monotonic()
        self._until = 0
        self.judged = 0  # up to when what they go on with was judged

    def resume(self, detectors: Sequence[Detector]) -> None:
        """Fresh ones that know what was learned go on where those before stopped. Who learned something else since, or judges otherwise, begins anew."""
        kept = self._store.state(self._name) if self._observer else None
        if kept is None:
            return
        try:
            told: Any = json.loads(zlib.decompress(kept))
            self._until, states = int(told["until"]), {name: (learned, base64.b64decode(state)) for name, (learned, state) in told["detectors"].items()}
            if told["form"] != FORM:
                raise ValueError("another form")
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
            self._note(text("detectors.resume.unread"))
            return
        self.judged = self._until
        anew = [detector.name for detector in detectors if not self._restored(detector, *states.get(detector.name, ("", b"")))]
        self._tell(anew)

    def _restored(self, detector: Detector, learned: str, state: bytes) -> bool:
        if not state:
            return True
        if learned != self._digest(detector.name):
            return False
        try:
            detector.restore(state)
        except ValueError:
            return False
        return True

    def _tell(self, anew: Sequence[str]) -> None:
        missed = self._store.count("activity", Query(since=self._until + 1, where=Match("observer.name", self._observer or "", cased=True)))
        self._note(text("detectors.resume.from", until=both(self._until)))
        if missed:
            self._note(text("detectors.resume.missed", count=f"{missed:,}"))
        if anew:
            self._note(text("detectors.resume.anew", detectors=", ".join(anew)))

    def state(self, detectors: Sequence[Detector], activities: pa.Table, last: bool) -> dict[str, bytes]:
        """What a commit keeps of them that holds these, up to which all is judged; nothing where it is too soon again, but for the `last`."""
        self._until = max(self._until, newest_of(activities) or 0)
        if not self._observer or not self._until or (time.monotonic() - self._last < EVERY_S and not last):
            return {}
        self._last = time.monotonic()
        states = {each.name: (self._digest(each.name), base64.b64encode(each.state()).decode()) for each in detectors}
        kept = zlib.compress(json.dumps({"form": FORM, "until": self._until, "detectors": states}).encode(), 1)
        if len(kept) > MOST:
            self._note(text("detectors.resume.large", mib=len(kept) >> 20, most=MOST >> 20))
            return {}
        return {self._name: kept}

    def _digest(self, name: str) -> str:
        return blake2b(self._learned.get(name) or b"", digest_size=8).hexdigest()
