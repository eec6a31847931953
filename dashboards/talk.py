"""Who asked whom with which effect, how often: kept for as long as the store says the same of that time, whole days by themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute
import streamlit as st

from dashboards.keeping import windows
from dashboards.queries import listed
from dashboards.reference import serving
from records.query import Span, Terms
from records.search import And, Exists, Match, Not, Or

if TYPE_CHECKING:
    from records.search import Condition
    from records.store.contract import Store

MOST_KINDS: Final = 20_000  # of who asked whom with which effect that are asked for, of each part of the time
MOST_NAMED: Final = 200
FIELDS: Final = ("source.asset.id", "destination.asset.id", "ot.effect")
NAMES: Final = ("source.asset.name", "destination.asset.name")

KIND: Final = ("source", "destination", "effect")
COMPUTE: Final[Any] = pyarrow.compute  # its stubs know half of the types

Kind = tuple[str, str, str, int]  # source, destination, effect, operations; an end without an identity is known by its name


@dataclass(frozen=True, slots=True)
class Talk:
    """The kinds of a time, and whether there are more."""

    kinds: list[Kind]
    cut: bool

    @property
    def ends(self) -> set[str]:
        """Who talks."""
        return {end for kind in self.kinds for end in kind[:2]}


def talk(store: Store, span: Span) -> Talk:
    """Without those protocols that serve the network itself."""
    parts = [_asked(store, os.environ.get("BALEFIRE_STORE", ""), store.stamp("activity", part), part.since, part.until) for part in windows(span)]
    told: Any = pa.concat_tables(parts).group_by(list(KIND), use_threads=False).aggregate([("total", "sum")])  # before rows are Python's: there are many
    columns: list[list[Any]] = [told.column(name).to_pylist() for name in (*KIND, "total_sum")]
    return Talk(list(zip(*columns, strict=True)), any(part.num_rows >= MOST_KINDS for part in parts))


@st.cache_resource(show_spinner=False, max_entries=48)
def _asked(_store: Store, where: str, stamp: str, since: int, until: int) -> pa.Table:  # noqa: ARG001 - keys
    known, span = Not(Or(tuple(Match("network.protocol", name, cased=True) for name in serving()))), Span(since, until)
    told = _kinds(_store, span, known, FIELDS)
    named = COMPUTE.and_(COMPUTE.not_equal(told["source"], ""), COMPUTE.not_equal(told["destination"], ""))
    kinds = told.filter(named)
    if kinds.num_rows == told.num_rows:
        return kinds
    nameless = And((known, Not(And((Exists(FIELDS[0]), Exists(FIELDS[1]))))))  # only for these the names are read
    return pa.concat_tables([kinds, _kinds(_store, span, nameless, (*FIELDS, *NAMES))])


def _kinds(store: Store, span: Span, where: Condition, fields: tuple[str, ...]) -> pa.Table:
    told = store.terms("activity", span.query(where), Terms(fields, MOST_KINDS, "ot.count"))
    sides = [
        COMPUTE.coalesce(*(told[name] for name in (identity, label) if name in told.column_names), pa.scalar(""))
        for identity, label in zip(FIELDS[:2], NAMES, strict=True)
    ]
    return pa.table(dict(zip((*KIND, "total"), (*sides, COMPUTE.fill_null(told[FIELDS[2]], "unknown"), COMPUTE.fill_null(told["total"], 0)), strict=True)))


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
