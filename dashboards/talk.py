"""Who asked whom over which protocol with which effect, how often: kept for as long as the store says the same of that time, whole days by themselves."""

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
    from collections.abc import Mapping, Sequence

    from records.search import Condition
    from records.store.contract import Store

MOST_KINDS: Final = 20_000  # of who asked whom for what that are asked for, of each part of the time
MOST_NAMED: Final = 200
FIELDS: Final = ("source.asset.id", "destination.asset.id", "network.protocol", "ot.effect")
NAMES: Final = ("source.asset.name", "destination.asset.name")

ENDS: Final = ("source", "destination")
KIND: Final = (*ENDS, "protocol", "effect")
TOTAL: Final = "total"
COMPUTE: Final[Any] = pyarrow.compute  # its stubs know half of the types

Kind = tuple[str, str, str, str, int]  # source, destination, protocol, effect, operations; an end without an identity is known by its name


@dataclass(frozen=True, slots=True)
class Talk:
    """The kinds of a time, as rows of `KIND` and `TOTAL`: there are many. `cut`: whether there are more."""

    rows: pa.Table
    cut: bool

    @property
    def ends(self) -> set[str]:
        """Who talks."""
        return {end for name in ENDS for end in COMPUTE.unique(self.rows.column(name)).to_pylist()}


def table(kinds: Sequence[Kind]) -> pa.Table:
    """Kinds as rows."""
    columns: list[Any] = list(zip(*kinds, strict=True)) or [()] * (len(KIND) + 1)
    return pa.table(dict(zip((*KIND, TOTAL), columns, strict=True)), schema=pa.schema([*((name, pa.string()) for name in KIND), (TOTAL, pa.int64())]))


def talk(store: Store, span: Span) -> Talk:
    """Without those protocols that serve the network itself."""
    parts = [_asked(store, os.environ.get("BALEFIRE_STORE", ""), store.stamp("activity", part), part.since, part.until) for part in windows(span)]
    return Talk(added(pa.concat_tables(parts), KIND), any(part.num_rows >= MOST_KINDS for part in parts))


def added(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """The rows added up by these columns."""
    told: Any = rows.group_by(list(names), use_threads=False)
    return told.aggregate([(TOTAL, "sum")]).rename_columns([*names, TOTAL])


def named(rows: pa.Table, names: Mapping[str, str], missing: str | None = None) -> pa.Table:
    """The rows with other names for their ends; an end that has none keeps its own, or is `missing`."""
    for name in ENDS:
        column: Any = rows.column(name)
        coded: Any = column.combine_chunks().dictionary_encode()  # each is looked up once
        told: Any = pa.array([names.get(each, each if missing is None else missing) for each in coded.dictionary.to_pylist()], pa.string())
        rows = rows.set_column(rows.schema.get_field_index(name), name, told.take(coded.indices))
    return rows


@st.cache_resource(show_spinner=False, max_entries=48)
def _asked(_store: Store, where: str, stamp: str, since: int, until: int) -> pa.Table:  # noqa: ARG001 - keys
    known, span = Not(Or(tuple(Match("network.protocol", name, cased=True) for name in serving()))), Span(since, until)
    told = _kinds(_store, span, known, FIELDS)
    kinds = told.filter(COMPUTE.and_(*(COMPUTE.not_equal(told[name], "") for name in ENDS)))
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
    what = COMPUTE.fill_null(told[FIELDS[2]], ""), COMPUTE.fill_null(told[FIELDS[3]], "unknown"), COMPUTE.fill_null(told["total"], 0)
    return pa.table(dict(zip((*KIND, TOTAL), (*sides, *what), strict=True)))


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
