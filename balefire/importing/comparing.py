"""What importing a list changes: entries that are new, that say something else, that go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from records.plant import followers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from records.plant import Entry


@dataclass(frozen=True, slots=True)
class Difference:
    """What importing changes: how many entries are new, changed, the same, and, where the list is replaced, removed."""

    new: int
    changed: int
    same: int
    removed: int


@dataclass(frozen=True, slots=True)
class Example:
    """One entry as it was read, by its row in the file, and as it was kept before, where it was."""

    row: int
    before: str | None
    entry: str


def changes(before: Sequence[Entry], given: Iterable[tuple[int, Entry]], most: int) -> list[Example]:
    """The first entries that are not kept so."""
    given = list(given)
    known = _followed(before, [entry for _, entry in given])
    others = ((row, known.get(entry.key), entry) for row, entry in given if known.get(entry.key) != entry)
    return [Example(row, kept and _words(kept), _words(entry)) for row, kept, entry in islice(others, most)]


def _words(entry: Entry) -> str:
    """What an entry says, in the order of its fields."""
    values = [value for value in asdict(entry).values() if value not in (None, (), "")]
    return ", ".join(" ".join(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else f"{value}" for value in values)


def _followed(before: Sequence[Entry], given: Sequence[Entry]) -> dict[str, Entry]:
    """What entries take the place of, by their keys; of several, the first."""
    places = followers(before, given)
    return {places[entry.key]: entry for entry in reversed(before) if entry.key in places}


def difference(before: Sequence[Entry], given: Sequence[Entry], replaced: bool) -> Difference:
    """Entries against those that are kept now. A device that takes the place of several removes all but one."""
    known, places = _followed(before, given), followers(before, given)
    keys = [(entry.key, known.get(entry.key) == entry) for entry in given]
    new = sum(key not in known for key, _ in keys)
    same = sum(equal for _, equal in keys)
    removed = len(places) - len(known) + (len(before) - len(places) if replaced else 0)
    return Difference(new, len(keys) - new - same, same, removed)
