"""The links of a network: who asks whom since a moment, and what of it is new. Of many thousands, only those that are told become objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from dashboards.talk import COMPUTE, ENDS, TOTAL
from records.effects import EFFECTS, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STRENGTH: Final = ("program", "command", "write", "configure", "file", "time", "diagnose", "unknown", "identify", "session", "report", "read")

_STRONGER: Final = {access: place for place, access in enumerate(STRENGTH)}
_NONE: Final = 1 << len(STRENGTH)  # weaker than any access


@dataclass(slots=True)
class Link:
    """What one asset asks of another since the moment: operations by access; of these accesses, which are `fresh`. Nothing: it was, and is no more."""

    source: str
    destination: str
    accesses: dict[str, int] = field(default_factory=dict[str, int])
    effects: dict[str, int] = field(default_factory=dict[str, int])
    fresh: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Links:
    """The links that are `told`, the strongest first. Of all: how many there are, serve `now`, are `fresh`, are `gone`; how many assets they link."""

    told: list[Link]
    total: int
    now: int
    fresh: int
    gone: int
    linked: int


class _Asked(NamedTuple):
    """Rows between known ends: of each its pair, its effect (a place among `effects`) and how often; then each pair once, in order: its accesses as bits, the
    strongest lowest, and how often.
    """

    pair: Any
    effect: Any
    count: Any
    effects: list[str]
    pairs: Any
    accesses: Any
    counts: Any


def links(now: pa.Table, old: pa.Table, assets: Iterable[str], compared: bool, chosen: str, most: int) -> Links:
    """What these assets ask of each other `now`, and what they asked before; so many of the strongest are told, and those of the `chosen` one.

    Rows are as `dashboards.talk` has them. Where nothing is `compared`, nothing is fresh.
    """
    names = sorted(assets)
    asked, was = _asked(now, names), _asked(old, names)
    pairs = np.union1d(asked.pairs, was.pairs)
    present, past, counts = (np.zeros(len(pairs), np.int64) for _ in range(3))
    present[np.searchsorted(pairs, asked.pairs)] = asked.accesses
    counts[np.searchsorted(pairs, asked.pairs)] = asked.counts
    past[np.searchsorted(pairs, was.pairs)] = was.accesses
    fresh = present & ~past if compared else np.zeros_like(present)
    order = np.lexsort((-counts, _strongest(present), _strongest(fresh)))  # equals stay in the order of their names
    sources, destinations = pairs // max(1, len(names)), pairs % max(1, len(names))
    own = names.index(chosen) if chosen in names else -1
    told = [at for place, at in enumerate(order.tolist()) if place < most or own in (sources[at], destinations[at])]
    made = {int(pairs[at]): Link(names[sources[at]], names[destinations[at]], fresh=_accesses(int(fresh[at]))) for at in told}
    for rows, some in ((asked, present), (was, np.where(present, 0, past))):  # of one that is gone, what was asked
        for pair, effect, count in _rows_of(rows, pairs[told][some[told] > 0]):
            link, access = made[pair], _access(effect)
            link.effects[effect] = link.effects.get(effect, 0) + count
            if rows is asked:
                link.accesses[access] = link.accesses.get(access, 0) + count
    now_, fresh_, gone = (int(np.count_nonzero(each)) for each in (present, fresh, present == 0))
    return Links(list(made.values()), len(pairs), now_, fresh_, gone, len(np.union1d(sources, destinations)))


def _asked(rows: pa.Table, names: Sequence[str]) -> _Asked:
    known: Any = pa.array(names, pa.string())
    source, destination = (COMPUTE.fill_null(COMPUTE.index_in(rows.column(end), value_set=known), -1).to_numpy().astype(np.int64) for end in ENDS)
    kept = (source >= 0) & (destination >= 0) & (source != destination)
    column: Any = rows.column("effect")
    coded: Any = column.combine_chunks().dictionary_encode()
    effects: list[str] = coded.dictionary.to_pylist()
    effect, count = coded.indices.to_numpy()[kept], rows.column(TOTAL).to_numpy()[kept]
    pair = (source * len(names) + destination)[kept]
    order = np.argsort(pair, kind="stable")
    pairs, starts = np.unique(pair[order], return_index=True)
    bits = np.array([1 << _STRONGER[_access(effect)] for effect in effects], np.int64)[effect[order]]
    sums = (how.reduceat(each, starts) if len(starts) else each for how, each in ((np.bitwise_or, bits), (np.add, count[order])))
    return _Asked(pair, effect, count, effects, pairs, *sums)


def _rows_of(asked: _Asked, pairs: Any) -> Iterator[tuple[int, str, int]]:
    """(pair, effect, how often) of these pairs."""
    kept: Any = np.isin(asked.pair, pairs)
    effects: list[int] = asked.effect[kept].tolist()
    return zip(asked.pair[kept].tolist(), (asked.effects[at] for at in effects), asked.count[kept].tolist(), strict=True)


def _strongest(accesses: Any) -> Any:
    """The strongest bit of each; none is the weakest."""
    return np.where(accesses, accesses & -accesses, _NONE)


def _accesses(bits: int) -> list[str]:
    """Their names, the strongest first."""
    return [access for place, access in enumerate(STRENGTH) if bits >> place & 1]


def _access(effect: str) -> str:
    return EFFECTS[NUMBER.get(effect, NUMBER["unknown"])].access
