"""What lists say against what was seen: devices that tell another vendor or serial number than theirs, some that were never seen, some that nobody listed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from records.plant import followers
from records.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from records.plant import Entry, ListedAsset
    from records.store.contract import Store

TOLD: Final = ("vendor", "model", "firmware", "serial", "role")
PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An asset (by its row in the file) whose list says one thing of it, and the wire another."""

    row: int
    name: str
    address: str
    field: str
    listed: str
    seen: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`unseen`: names of listed assets that were never seen; `unlisted`: seen ones that are in no list, by name or address."""

    disagreements: tuple[Disagreement, ...] = ()
    unseen: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()


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


def compare(store: Store, listed: Sequence[tuple[int, ListedAsset]], after: Iterable[ListedAsset]) -> Comparison:
    """Listed assets, with their rows, against all that the store has seen; `after`: the whole list as it will be."""
    seen = {address: row for row in _seen(store) for address in row["addresses"]}
    disagreements: list[Disagreement] = []
    unseen: list[str] = []
    found = {str(seen[address]["id"]) for asset in after for address in asset.addresses if address in seen}
    for number, asset in listed:
        addresses = [address for address in asset.addresses if address in seen]
        if asset.addresses and not addresses:
            unseen.append(asset.name)
        if addresses:
            disagreements += _disagreements(number, asset, addresses[0], seen[addresses[0]])
    unlisted = sorted({str(row["name"] or row["addresses"][0]) for row in seen.values() if row["id"] not in found})
    return Comparison(tuple(disagreements), tuple(unseen), tuple(unlisted))


def _seen(store: Store) -> Iterator[Mapping[str, Any]]:
    query = Query(sort="id", limit=PAGE)
    while True:
        rows = store.read("asset", query).to_pylist()
        yield from (row for row in rows if row["addresses"])
        if len(rows) < PAGE:
            return
        query = Query(sort="id", limit=PAGE, after=rows[-1]["id"])


def _disagreements(number: int, asset: ListedAsset, address: str, row: Mapping[str, Any]) -> Iterator[Disagreement]:
    for name in TOLD:
        listed, seen = getattr(asset, name), row.get(name)
        if listed and seen and not _agree(name, listed, seen):
            yield Disagreement(number, asset.name, address, name, listed, seen)


def _agree(name: str, listed: str, seen: str) -> bool:
    """Whether two texts may mean the same: one holds the other; roles as behaviour tells them are no more than a guess where a list says more."""
    if name == "role":
        return listed == seen or seen == "client"
    one, other = (re.sub(r"[\W_]+", "", text.casefold()) for text in (listed, seen))
    return one in other or other in one
