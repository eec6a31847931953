"""The same span a week earlier, and whether both were seen well enough to be compared: what nobody saw is unknown, not zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboards.keeping import kept
from dashboards.queries import WEEK, unseen_by_all
from records.formats import MINUTE
from records.query import Span
from records.search import Range

if TYPE_CHECKING:
    from records.store.contract import Store

ENOUGH: Final = 0.9  # of the span, and of what the other was watched: what is left may move a count by so much, and a change is told from 3 % on


@dataclass(frozen=True, slots=True)
class Week:
    """A span and the one a week earlier, `was`: nanoseconds of each in which any sensor saw packets, and those of all sensors together."""

    was: Span
    length: int
    seen: tuple[int, int]  # now, a week earlier
    watched: tuple[int, int]

    @property
    def doubt(self) -> str:
        """Why they are not compared: nothing was seen then, too little of one, or by fewer sensors; empty where they may be."""
        if not self.watched[1]:
            return "alone"
        if min(self.seen) < ENOUGH * self.length:
            return "little"
        return "uneven" if min(self.watched) < ENOUGH * max(self.watched) else ""


def week(store: Store, span: Span) -> Week | None:
    """How the span and the one a week earlier were seen; None for one longer than a week."""
    if span.length > WEEK:
        return None
    was = Span(span.since - WEEK, span.until - WEEK)
    return kept(store, ("coverage",), _week, Span(was.since, span.until), span, was)


def _week(store: Store, _both: Span, span: Span, was: Span) -> Week:
    now_watched, was_watched = (MINUTE * store.count("coverage", each.query(Range("packets", low=1))) for each in (span, was))
    if not was_watched:
        return Week(was, span.length, (0, 0), (now_watched, 0))
    now_seen, was_seen = (each.length - unseen_by_all(store, each) for each in (span, was))
    return Week(was, span.length, (now_seen, was_seen), (now_watched, was_watched))
