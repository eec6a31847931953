"""What coverage rows tell of a period, by the place where packets were taken: read once, newest first, and bounded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

from dashboards.queries import MOST_KNOWN, listed
from records.formats import MINUTE
from records.query import Span, Terms
from records.search import Range
from sensors.blindspots import Account
from sensors.grading import grade

if TYPE_CHECKING:
    from records.store.contract import Store

MOST: Final = 10_080  # windows: a week of one interface
PAGE: Final = 5_000
SEEN: Final = ("packets", "decoded_bytes", "undecoded_bytes", "lost")
REFUSED: Final = "refused"  # a row that has this tells what the store refused, and is no window
STEPS: Final = 200  # of a ribbon

Key = tuple[str, str]


@dataclass(slots=True)
class Place:
    """One interface of one sensor, or a capture (then its file names it): per window (its start) packets, and octets understood, not understood, lost."""

    observer: str
    interface: str
    file: str
    windows: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    @property
    def capture(self) -> bool:
        """Whether it is a capture that was given no name."""
        return self.observer.startswith("capture-") and bool(self.file)

    @property
    def name(self) -> str:
        """What to call it."""
        return " · ".join(filter(None, (self.file if self.capture else self.observer, self.interface)))

    @property
    def packets(self) -> int:
        """How many were seen."""
        return sum(counts[0] for counts in self.windows.values())

    def blind(self, span: Span) -> list[Span]:
        """When it saw no packet."""
        return span.without(sorted(start for start, counts in self.windows.items() if counts[0]), MINUTE)

    def blind_time(self, span: Span) -> int:
        """Nanoseconds of it. Before a capture begins and after it ends it is not blind, only over."""
        return sum(gap.length for gap in self.blind(span) if not self.capture or span.since < gap.since < gap.until < span.until)

    def grades(self, span: Span) -> list[tuple[int, float]]:
        """(start of a step, the share of payload that was judged, in per cent) of the steps of a span in which there was payload."""
        step = step_of(span)
        sums: dict[int, list[int]] = {}
        for start, counts in self.windows.items():
            held = sums.setdefault(start // step * step, [0, 0, 0])
            for place, count in enumerate(counts[1:]):
                held[place] += count
        graded = ((start, grade(*held)) for start, held in sorted(sums.items()))
        return [(start, share) for start, share in graded if share is not None]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read: `used` of `total` rows, the newest; `span` begins where they do."""

    account: Account
    places: list[Place]
    span: Span
    used: int
    total: int


def step_of(span: Span) -> int:
    """Nanoseconds of a step, whole minutes."""
    return max(MINUTE, -(-span.length // STEPS // MINUTE) * MINUTE)


def look(store: Store, known: Span, span: Span, most: int = MOST) -> Looked:
    """The rows of a period, the newest `most` of them; places by name, those among them that saw something in the time `known` and are silent since."""
    total = store.count("coverage", span.query())
    account, used, oldest = Account(), 0, span.until
    watching = listed(store.terms("coverage", known.query(Range("packets", low=1)), Terms(("observer.name", "interface", "file"), MOST_KNOWN)))
    silent = [Place(str(row["observer.name"] or ""), str(row["interface"] or ""), str(row["file"] or "")) for row in watching]
    places = {(place.observer, place.interface): place for place in silent if not place.capture}
    asked = span.query(sort="-@timestamp", limit=PAGE)
    while used < most:
        page = store.read("coverage", replace(asked, limit=min(PAGE, most - used)))
        if not page.num_rows:
            break
        account.add(page)
        oldest = min(oldest, _add(places, page))
        used += page.num_rows
        asked = replace(asked, after=str(page.column("id")[-1].as_py()))
    return Looked(account, sorted(places.values(), key=lambda place: place.name), span if used >= total else Span(oldest, span.until), used, total)


def _add(places: dict[Key, Place], page: pa.Table) -> int:
    """Put rows to their places; the time of the oldest."""
    times = cast("list[int]", page.column("@timestamp").cast(pa.int64()).to_pylist())
    texts: list[list[str | None]] = [page.column(name).to_pylist() for name in ("observer.name", "interface", "file")]
    refused: list[int | None] = page.column(REFUSED).to_pylist()
    counts: list[list[int | None]] = [page.column(name).to_pylist() for name in SEEN]
    for time, (observer, interface, file), seen, told in zip(times, zip(*texts, strict=True), zip(*counts, strict=True), refused, strict=True):
        if told:
            continue
        place = places.setdefault((observer or "", interface or ""), Place(observer or "", interface or "", file or ""))
        held = place.windows.setdefault(time // MINUTE * MINUTE, [0] * len(SEEN))
        for at, count in enumerate(seen):
            held[at] += count or 0
    return min(times)
