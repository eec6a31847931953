"""Judging a capture as a replay does: detectors that were taught with other captures, or with nothing, and the findings with the time at which they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from detectors import judging
from detectors.discovery import Setup, detectors
from detectors.doubting import UNHEARD, Doubting, settled
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.evaluate.families import unpacked
from tests.evaluate.labels import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from records.model import Batch, Finding
    from tests.evaluate.labels import Case

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
MINUTE: Final = 60 * SECOND
OBSERVER: Final = "evaluated"
WAITS: Final = 2 * SECOND  # packets may come so late, so that a minute is over so long after its end
CLAIMS: Final = ("arp_reply", "arp_announcement", "arp_sender")


@dataclass(slots=True)
class Judged:
    """What came of a capture: findings, when each could be told first, when what each names was, the span in which packets came, and the hosts' MAC addresses
    (nanoseconds).
    """

    findings: list[Finding] = field(default_factory=list["Finding"])
    told: dict[str, int] = field(default_factory=dict[str, int])
    spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict[str, "list[tuple[int, int]]"])
    first: int = 0
    last: int = 0
    macs: dict[str, set[str]] = field(default_factory=dict[str, "set[str]"])

    @property
    def hours(self) -> float:
        """How long it lasted."""
        return (self.last - self.first) / SECOND / 3600


def judge(case: Case) -> Judged:
    """Teach, then judge."""
    return judged(batches(case.file), case.name, taught(case.learn))


@lru_cache(maxsize=1)
def taught(files: tuple[Path, ...]) -> dict[str, bytes]:
    """What detectors learn from these captures, by their names; those that were asked for last are kept, for one capture after the other is judged by them."""
    if not files:
        return {}
    learning = detectors()
    for file in files:
        for batch in batches(file):
            for detector in learning:
                detector.learn(batch)
    return {detector.name: detector.state() for detector in learning}


def judged(released: Iterable[Batch], name: str, learned: dict[str, bytes]) -> Judged:
    """What detectors with this state find in these batches."""
    found = Judged()
    fresh = [*detectors(Setup(files={OBSERVER: name})), Doubting()]
    for detector in fresh:
        if state := learned.get(detector.name):
            detector.restore(state)
    known: dict[str, tuple[int, int, int]] = {}
    for batch in released:
        known |= _times(batch)
        for finding in settled(fresh, judging.judged(fresh, batch)):
            _note(finding, known, found)
        _hosts(batch, found)
    for finding in settled(fresh, (), last=True):
        _note(finding, known, found)
    return found


def _note(finding: Finding, known: Mapping[str, tuple[int, int, int]], found: Judged) -> None:
    """Keep a finding; what says that something did not come is told when the coverage of its last minute is there."""
    times = [known[row] for row in finding.activities if row in known]
    told = max((told for _, _, told in times), default=finding.end + WAITS)
    over = (max(finding.time, finding.end - 1) // MINUTE + 1) * MINUTE + WAITS
    found.findings.append(finding)
    found.told[finding.id] = max(told, over) if finding.rule in UNHEARD else told
    found.spans[finding.id] = [(start, end) for start, end, _ in times] or [(finding.time, finding.end)]


def batches(file: Path) -> Iterator[Batch]:
    """What the engine releases of a capture. Raises the error of one that cannot be read."""
    with unpacked(file) as path:
        (capture,) = find([str(path)])
        if capture.error is not None:
            raise capture.error
        source = open_capture(capture)
        try:
            yield from Sensor(lambda: OBSERVER, None, capture.name).listen(source, lambda: False)
        finally:
            source.close()


def _times(batch: Batch) -> dict[str, tuple[int, int, int]]:
    """When each row was, and when it was there: one of its own a second after it at the latest, a grouped one when its minute is over."""
    rows: Any = batch.activities
    starts, ends = (rows[name].cast(pa.int64()).to_pylist() for name in ("@timestamp", "event.end"))
    grouped = rows["ot.grouped"].to_pylist()
    return {
        row: (start, end, (start // MINUTE + 1) * MINUTE + WAITS if whole else end + SECOND)
        for row, start, end, whole in zip(rows["id"].to_pylist(), starts, ends, grouped, strict=True)
    }


def _hosts(batch: Batch, found: Judged) -> None:
    for table in (batch.activities, batch.coverage):
        if table.num_rows:
            first, last = compute.min(table["event.start"].cast(pa.int64())).as_py(), compute.max(table["event.end"].cast(pa.int64())).as_py()
            found.first, found.last = min(found.first or first, first), max(found.last, last)
    rows: Any = batch.activities
    claims = rows.filter(compute.fill_null(compute.is_in(rows["event.action"], pa.array(CLAIMS)), False))
    for address, mac in zip(claims["ot.object.name"].to_pylist(), claims["source.mac"].to_pylist(), strict=True):
        found.macs.setdefault(address, set()).add(mac)
