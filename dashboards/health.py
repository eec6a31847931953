"""How each sensor is: when it last saw a packet, what the system dropped, how much could be judged. One that has fallen silent is told for a month."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards import queries
from dashboards.keeping import kept
from dashboards.queries import MOST_KNOWN, grade, listed
from records.formats import MINUTE, bits, duration, number, share_missed, share_seen
from records.query import Histogram, Span, Terms
from records.search import And, Exists, Match, Not, Range

if TYPE_CHECKING:
    from dashboards.page import Page
    from records.search import Condition
    from records.store.contract import Store

MOST: Final = 8  # that are told
RECENT: Final = 500  # newest windows, among which most sensors have one
SILENT: Final = 3 * MINUTE  # of quiet that is no chance, where others see packets
MS: Final = 1_000_000
BUCKETS: Final = 40  # of the line of one's traffic
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
    key: Key

    def silent(self, newest: int) -> bool:
        """Whether others see packets, and this one does not. A capture that ends is over, not silent."""
        return not self.capture and newest - self.last >= SILENT


def health(store: Store, span: Span) -> tuple[list[Health], int]:
    """Eight of them by name, those that may have fallen silent, then those that saw least; and how many there are: all that saw a packet in the span or in
    the month before its end, two hundred at most.
    """
    return kept(store, ("coverage",), _health, queries.known_span(span), span)


def _health(store: Store, known: Span, span: Span) -> tuple[list[Health], int]:
    names: dict[Key, str] = {}
    for row in listed(store.terms("coverage", known.query(Range("packets", low=1)), Terms(("observer.name", "interface", "file"), MOST_KNOWN, "packets"))):
        names.setdefault(_key(row), str(row["file"] or ""))
    captures = {key: key[0].startswith("capture-") and bool(file) for key, file in names.items()}
    sums = {name: {_key(row): int(row["total"] or 0) for row in _terms(store, span, name)} for name in SUMMED}
    there = [key for key in names if not captures[key] or key in sums["packets"]]  # a capture of before is nobody's
    recent = _recent(store, known)
    seen = queries.windows_seen(store, span)
    # who may have fallen silent is told first, then who saw least; a capture is over, not silent
    chosen = sorted(there, key=lambda key: (True,) if captures[key] else (False, key in recent, seen.get(key, 0)))[:MOST]
    told = [
        Health(
            " · ".join(filter(None, (names[key] if captures[key] else key[0], key[1]))),
            captures[key],
            recent.get(key) or _last(store, known, key),
            sums["packets"].get(key, 0),
            sums["dropped"].get(key, 0),
            grade({name: sums[name].get(key, 0) for name in SUMMED[2:]}),
            key,
        )
        for key in chosen
    ]
    return sorted(told, key=lambda each: each.name), len(there)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one of them saw in a span: bytes by bucket of `interval` nanoseconds (none where it saw no packet), and bits a second while it saw any."""

    interval: int
    bytes: tuple[tuple[int, int], ...]  # time, bytes
    rate: float | None
    gaps: tuple[Span, ...]


def traffic(store: Store, span: Span, each: Health) -> Traffic:
    """Its traffic in a span, in forty buckets or fewer; gaps as of `blindness`."""
    return kept(store, ("coverage",), _traffic, span, each)


def _traffic(store: Store, span: Span, each: Health) -> Traffic:
    step = queries.step_of(span)
    interval = max(1, -(-span.length // BUCKETS // step)) * step
    buckets: Counter[int] = Counter()
    starts: list[int] = []
    for row in listed(store.histogram("coverage", span.query(_of(each.key)), Histogram(step, total="bytes"))):
        starts.append(int(row["time"]))
        buckets[int(row["time"]) // interval * interval] += int(row["total"] or 0)
    minutes = store.count("coverage", span.query(_of(each.key)))
    rate = 8 * buckets.total() / (60 * minutes) if minutes else None
    gaps = span.without(sorted(starts), step)
    inside = tuple(gap for gap in gaps if not each.capture or span.since < gap.since < gap.until < span.until)
    return Traffic(interval, tuple(sorted(buckets.items())), rate, inside)


def state(each: Health, told: Traffic, whole: Span) -> str:
    """In a word: is it blind now, did it miss something since the store begins, is it a capture that is over?"""
    if each.silent(whole.until - 1):
        return "blind"
    if each.dropped or any(gap.until > whole.since for gap in told.gaps):
        return "gaps"
    return "capture" if each.capture else "seeing"


def _key(row: dict[str, Any]) -> Key:
    return str(row["observer.name"] or ""), str(row["interface"] or "")


def _terms(store: Store, span: Span, total: str) -> list[dict[str, Any]]:
    return listed(store.terms("coverage", span.query(), Terms(("observer.name", "interface"), MOST_KNOWN, total)))


def _recent(store: Store, known: Span) -> dict[Key, int]:
    """The last packets of those that saw some in the newest windows."""
    found: dict[Key, int] = {}
    for row in listed(store.read("coverage", known.query(sort="-@timestamp", limit=RECENT))):
        if row["packets"]:
            found.setdefault(_key(row), _ended(row))
    return found


def _last(store: Store, known: Span, key: Key) -> int:
    """The last packet of one that saw some."""
    (row,) = listed(store.read("coverage", known.query(_of(key), "-@timestamp", 1)))
    return _ended(row)


def _ended(window: dict[str, Any]) -> int:
    """The last moment of a window: its `event.end` is the first of the next."""
    return int(window["event.end"] - 1 if window["event.end"] else window["@timestamp"])


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


def cards(page: Page, found: list[Health]) -> list[dict[str, Any]]:
    """The same lines, each behind its state, with its traffic over the period."""
    told = [(each, traffic(page.store, page.span, each)) for each in found]
    made: list[dict[str, Any]] = []
    for (each, seen), (name, last, dropped, share, silent) in zip(told, rows(page, found), strict=True):
        word = state(each, seen, page.whole)
        axis = {"since": page.span.since // MS, "until": page.span.until // MS, "interval": seen.interval // MS}
        line = {"points": [(at // MS, count) for at, count in seen.bytes], "gaps": [(gap.since // MS, gap.until // MS) for gap in seen.gaps]}
        words = {"name": name, "last": last, "dropped": dropped, "share": share, "word": page.say(f"health.{word}")}
        rate = bits(seen.rate) if seen.rate is not None else "–"
        made.append({**words, "silent": silent, "state": word, "rate": rate, **axis, **line})
    return made
