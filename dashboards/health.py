"""How each sensor is: when it last saw a packet, what the system dropped, how much could be judged. One that has fallen silent is told for a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards.keeping import kept
from dashboards.queries import LOOKED_AT, grade, listed
from records.formats import MINUTE, duration, number, share_missed, share_seen
from records.query import Span, Terms
from records.search import And, Exists, Match, Not, Range

if TYPE_CHECKING:
    from dashboards.page import Page
    from records.search import Condition
    from records.store.contract import Store

MOST: Final = 8  # that are told
MOST_KNOWN: Final = 200
RECENT: Final = 500  # newest windows, among which most sensors have one
SILENT: Final = 3 * MINUTE  # of quiet that is no chance, where others see packets
SUMMED: Final = ("packets", "dropped", "decoded_bytes", "undecoded_bytes", "lost")

Key = tuple[str, str]  # observer and interface


@dataclass(frozen=True, slots=True)
class Health:
    """One interface of one sensor, or a capture. `last`: its last packet; of the span, packets, those that were dropped, and the grade (None: no payload)."""

    name: str
    capture: bool
    last: int
    packets: int
    dropped: int
    grade: float | None

    def silent(self, newest: int) -> bool:
        """Whether others see packets, and this one does not. A capture that ends is over, not silent."""
        return not self.capture and newest - self.last >= SILENT


def health(store: Store, span: Span) -> tuple[list[Health], int]:
    """Eight of them by name, those first that may have fallen silent, then those that saw most; and how many there are: all that saw a packet in the span or in
    the month before its end, two hundred at most.
    """
    return kept(store, ("coverage",), _health, Span(min(span.since, span.until - LOOKED_AT), span.until), span)


def _health(store: Store, known: Span, span: Span) -> tuple[list[Health], int]:
    names: dict[Key, str] = {}
    for row in listed(store.terms("coverage", known.query(Range("packets", low=1)), Terms(("observer.name", "interface", "file"), MOST_KNOWN, "packets"))):
        names.setdefault(_key(row), str(row["file"] or ""))
    captures = {key: key[0].startswith("capture-") and bool(file) for key, file in names.items()}
    sums = {name: {_key(row): int(row["total"] or 0) for row in _terms(store, span, name)} for name in SUMMED}
    there = [key for key in names if not captures[key] or key in sums["packets"]]  # a capture of before is nobody's
    recent = _recent(store, known)
    chosen = sorted(there, key=recent.__contains__)[:MOST]  # who may have fallen silent is told first
    told = [
        Health(
            " · ".join(filter(None, (names[key] if captures[key] else key[0], key[1]))),
            captures[key],
            recent.get(key) or _last(store, known, key),
            sums["packets"].get(key, 0),
            sums["dropped"].get(key, 0),
            grade({name: sums[name].get(key, 0) for name in SUMMED[2:]}),
        )
        for key in chosen
    ]
    return sorted(told, key=lambda each: each.name), len(there)


def _key(row: dict[str, Any]) -> Key:
    return str(row["observer.name"] or ""), str(row["interface"] or "")


def _terms(store: Store, span: Span, total: str) -> list[dict[str, Any]]:
    return listed(store.terms("coverage", span.query(), Terms(("observer.name", "interface"), MOST_KNOWN, total)))


def _recent(store: Store, known: Span) -> dict[Key, int]:
    """The last packets of those that saw some in the newest windows."""
    found: dict[Key, int] = {}
    for row in listed(store.read("coverage", known.query(sort="-@timestamp", limit=RECENT))):
        if row["packets"]:
            found.setdefault(_key(row), int(row["event.end"] or row["@timestamp"]))
    return found


def _last(store: Store, known: Span, key: Key) -> int:
    """The last packet of one that saw some."""
    (row,) = listed(store.read("coverage", known.query(_of(key), "-@timestamp", 1)))
    return int(row["event.end"] or row["@timestamp"])


def _of(key: Key) -> Condition:
    named = [Match(name, value, cased=True) if value else Not(Exists(name)) for name, value in zip(("observer.name", "interface"), key, strict=True)]
    return And((*named, Range("packets", low=1)))


def missing_words(count: int, whole: int, text: str, language: str) -> str:
    """How much is missing, and what share that is of all."""
    return f"{text} ({share_missed(100 * count / whole, language)})" if count else "0"


def rows(page: Page, found: list[Health]) -> list[tuple[str, str, str, str, bool]]:
    """Name, last packet (by the newest in the store, whether or not that is of now), dropped packets, grade; and whether it is silent."""
    language, newest = page.language, page.whole.until - 1
    lines: list[tuple[str, str, str, str, bool]] = []
    for each in found:
        behind, silent = newest - each.last, each.silent(newest)
        words = page.say("health.current") if behind < MINUTE else page.say("health.behind", duration=duration(behind, language))
        drops = missing_words(each.dropped, each.packets + each.dropped, number(each.dropped), language)
        share = "–" if each.grade is None else share_seen(each.grade, language)
        lines.append((each.name, page.say("health.silent", since=words) if silent else words, drops, share, silent))
    return lines
