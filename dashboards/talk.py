"""Who asked whom with which effect, how often: kept for as long as the store says the same of that time, whole days by themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards.queries import listed
from dashboards.reference import serving
from records.formats import DAY
from records.query import Span, Terms
from records.search import And, Exists, Match, Not, Or

if TYPE_CHECKING:
    from records.search import Condition
    from records.store.contract import Store

MOST_KINDS: Final = 20_000  # of who asked whom with which effect that are asked for, of each part of the time
MOST_NAMED: Final = 200
LONG: Final = 3 * DAY  # from here on the whole days of a time are asked for by themselves
FIELDS: Final = ("source.asset.id", "destination.asset.id", "ot.effect")
NAMES: Final = ("source.asset.name", "destination.asset.name")

Kind = tuple[str, str, str, int]  # source, destination, effect, operations; an end without an identity is known by its name


@dataclass(frozen=True, slots=True)
class Talk:
    """The kinds of a time, and whether there are more. One kind may stand there several times."""

    kinds: list[Kind]
    cut: bool

    @property
    def ends(self) -> set[str]:
        """Who talks."""
        return {end for kind in self.kinds for end in kind[:2]}


def talk(store: Store, span: Span) -> Talk:
    """Without those protocols that serve the network itself."""
    low, high = -(-span.since // DAY) * DAY, span.until // DAY * DAY
    if span.length < LONG:
        return _told(store, span)
    parts = [_told(store, part) for part in (Span(span.since, low), Span(low, high), Span(high, span.until)) if part.length > 0]
    return Talk([kind for part in parts for kind in part.kinds], any(part.cut for part in parts))


def _told(store: Store, span: Span) -> Talk:
    return _asked(store, os.environ.get("BALEFIRE_STORE", ""), store.stamp("activity", span), span.since, span.until)


@st.cache_resource(show_spinner=False, max_entries=48)
def _asked(_store: Store, where: str, stamp: str, since: int, until: int) -> Talk:  # noqa: ARG001 - keys
    known, span = Not(Or(tuple(Match("network.protocol", name, cased=True) for name in serving()))), Span(since, until)
    told = _kinds(_store, span, known, FIELDS)
    kinds = [kind for kind in told if kind[0] and kind[1]]
    if len(kinds) < len(told):  # only for these the names are read
        nameless = And((known, Not(And((Exists(FIELDS[0]), Exists(FIELDS[1]))))))
        kinds += _kinds(_store, span, nameless, (*FIELDS, *NAMES))
    return Talk(kinds, len(told) >= MOST_KINDS)


def _kinds(store: Store, span: Span, where: Condition, fields: tuple[str, ...]) -> list[Kind]:
    told = store.terms("activity", span.query(where), Terms(fields, MOST_KINDS, "ot.count"))
    columns: dict[str, list[Any]] = {name: told.column(name).to_pylist() for name in told.column_names}
    nobody = [None] * told.num_rows
    sides = [
        [str(end or name or "") for end, name in zip(columns[identity], columns.get(label, nobody), strict=True)]
        for identity, label in zip(FIELDS[:2], NAMES, strict=True)
    ]
    effects, counts = ([effect or "unknown" for effect in columns["ot.effect"]], [int(total or 0) for total in columns["total"]])
    return list(zip(*sides, effects, counts, strict=True))


def called(store: Store, span: Span, ends: set[str]) -> dict[str, str]:
    """What activities of the span call these ends, of which the inventory knows nothing; an end without an identity is its name."""
    found = {end: end for end in sorted(ends) if end}
    asked = [end for end in found if not {".", ":"} & set(end)][:MOST_NAMED]  # an address is no identity, and mostly all that there is
    if not asked:
        return found
    for identity, name in zip(FIELDS[:2], NAMES, strict=True):
        where = Or(tuple(Match(identity, end, cased=True) for end in asked))
        for row in listed(store.terms("activity", span.query(where), Terms((identity, name), MOST_NAMED))):
            found[str(row[identity])] = str(row[name] or row[identity])
    return found
