"""What is compared: rows of named columns. A baseline's row has the columns that it says; ours has at least those; two lists of rows are told apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = dict[str, Any]
DIFFER, ONLY_THEIRS, ONLY_OURS = "differ", "only theirs", "only ours"
KINDS: Final = (DIFFER, ONLY_THEIRS, ONLY_OURS)


def said(**columns: Any) -> Row:
    """A row of what is said: a column that is None is not."""
    return {name: value for name, value in columns.items() if value is not None}


@dataclass(frozen=True)
class Disagreement:
    """`theirs` without `ours`, `ours` without `theirs`, or both where they differ."""

    place: int
    theirs: Row | None
    ours: Row | None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return ONLY_OURS if self.theirs is None else ONLY_THEIRS if self.ours is None else DIFFER

    @property
    def columns(self) -> tuple[str, ...]:
        """What differs; empty where a whole row is missing."""
        if self.theirs is None or self.ours is None:
            return ()
        return tuple(name for name, value in self.theirs.items() if value != self.ours.get(name))


def agree(theirs: Row, ours: Row) -> bool:
    """Ours has every column of theirs with the same value."""
    return all(name in ours and ours[name] == value for name, value in theirs.items())


def compare(theirs: Sequence[Row], ours: Sequence[Row], alike: tuple[str, ...]) -> list[Disagreement]:
    """Row by row in order. A baseline that names packets is compared packet by packet, others by the alignment that agrees in most columns.

    Of the rows that are left, those that have the columns `alike` in common differ from each other; the rest have no counterpart.
    """
    if theirs and "packet" in theirs[0]:
        return _by_packet(theirs, ours, alike)
    found: list[Disagreement] = []
    at, to = 0, 0
    for i, j in [*_aligned(theirs, ours), (len(theirs), len(ours))]:
        found += _leftover(at, theirs[at:i], ours[to:j], alike)
        at, to = i + 1, j + 1
    return found


def _leftover(place: int, theirs: Sequence[Row], ours: Iterable[Row], alike: tuple[str, ...]) -> list[Disagreement]:
    found: list[Disagreement] = []
    right = list(ours)
    for n, row in enumerate(theirs):
        other = next((one for one in right if all(name not in row or row[name] == one.get(name) for name in alike)), None)
        if other is not None:
            right.remove(other)
        found.append(Disagreement(place + n, row, other))
    return found + [Disagreement(place, None, one) for one in right]


def _aligned(theirs: Sequence[Row], ours: Sequence[Row]) -> list[tuple[int, int]]:
    """Pairs of rows that agree, in the order of both; of all such alignments the one with most columns (the rows are few: a table of all pairs)."""
    same = 0
    while same < min(len(theirs), len(ours)) and agree(theirs[same], ours[same]):
        same += 1
    begun = [(i, i) for i in range(same)]
    theirs, ours = theirs[same:], ours[same:]
    agreed = [[agree(row, one) for one in ours] for row in theirs]
    best = [[0] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i in range(len(theirs) - 1, -1, -1):
        for j in range(len(ours) - 1, -1, -1):
            both = best[i + 1][j + 1] + len(theirs[i]) if agreed[i][j] else 0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(theirs) and j < len(ours):
        if agreed[i][j] and best[i][j] == best[i + 1][j + 1] + len(theirs[i]):
            pairs.append((i + same, j + same))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return begun + pairs


def _by_packet(theirs: Sequence[Row], ours: Sequence[Row], alike: tuple[str, ...]) -> list[Disagreement]:
    """Within a packet, rows that agree belong together, then rows that are alike."""
    mine: dict[int, list[Row]] = defaultdict(list)
    for row in ours:
        mine[row["packet"]].append(row)
    left: dict[int, list[tuple[int, Row]]] = defaultdict(list)
    for place, row in enumerate(theirs):
        here = mine[row["packet"]]
        match = next((one for one in here if agree(row, one)), None)
        if match is None:
            left[row["packet"]].append((place, row))
        else:
            here.remove(match)
    found: list[Disagreement] = []
    for packet, rows in left.items():
        for place, row in rows:
            found += [one for one in _leftover(place, [row], mine[packet], alike) if one.theirs is not None]
            if found[-1].ours is not None:
                mine[packet].remove(found[-1].ours)
    return found + [Disagreement(-1, None, one) for rest in mine.values() for one in rest]
